"""What neutrinos may have to do with photons: magnetic moments, charge radii and millicharges."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._support.remember import remember
from cevns_fast.constants import ALPHA, G_FERMI, M_ELECTRON, MEV2_CM2
from cevns_fast.interactions.neutral_current import NeutralCurrent, currents_of, hermitian, of_beam
from cevns_fast.interactions.nsi import DIAGONAL, PLACES, TRANSITIONS, check_entry, symbol
from cevns_fast.interactions.process import FLAVOURS, AmplitudePolynomial, Collision, Process, Scattering, Term
from cevns_fast.nuclear.electrons import Electron
from cevns_fast.nuclear.nuclei import Nuclide


def _charge(target: Nuclide) -> int:
    """In units of the proton's."""
    return -1 if isinstance(target, Electron) else target.Z


class _PhotonMatrix(NeutralCurrent):
    """A hermitian matrix of couplings to the photon, and so to protons and electrons."""

    #: What a unit of the matrix adds to g_p.
    _unit: ClassVar[float]
    real_couplings: ClassVar[Collection[str]] = DIAGONAL
    conjugated_couplings: ClassVar[Collection[str]] = TRANSITIONS

    def __post_init__(self) -> None:
        for pair in PLACES:
            check_entry(pair, pair, getattr(self, pair))

    @classmethod
    def matrices(
        cls, batch: Sequence[Self], target: Nuclide, couplings: Sequence[str], phases: Mapping[str, complex], parts: int
    ) -> AmplitudePolynomial:
        """Of protons, or with the opposite sign of electrons."""
        unit = cls._unit * _charge(target) / target.mass ** (-cls._T_power)
        constant = (0,) * len(couplings)
        shape = (currents_of(target), 3, 3, 2 + parts)
        fixed = np.zeros((len(batch), *shape), dtype=np.complex128)
        for row, each in zip(fixed, batch, strict=True):
            entries = {place: getattr(each, pair) for pair, place in PLACES.items() if pair not in couplings}
            row[0, ..., 0] = unit * hermitian(entries)
        found = {constant: fixed}
        for i, name in enumerate(couplings):
            one = np.zeros((1, *shape), dtype=np.complex128)
            one[0, 0, ..., 0] = unit * hermitian({PLACES[name]: phases.get(name, 1.0)})
            found[(*constant[:i], 1, *constant[i + 1 :])] = one
        return found


@dataclass(frozen=True)
class ChargeRadius(_PhotonMatrix):
    """Charge radii of neutrinos beyond the Standard Model's, ⟨r²⟩_αβ in cm².

    Attributes
    ----------
    ee, mumu, tautau : float
        Diagonal ones, cm²; they interfere with the Standard Model, for antineutrinos with the same sign.
    emu, etau, mutau : complex
        Transition ones, cm².

    Raises
    ------
    ValueError
        If a number is not finite, or a diagonal one not real.

    Notes
    -----
    g_p += −(√2 π α/3G_F) ⟨r²⟩ = −926.55 GeV² ⟨r²⟩, and the opposite for g_V of electrons. What the Standard Model
    itself has, −0.83, −0.48 and −0.30e-32 cm² for e, μ and τ, is in ``StandardModel(couplings="radiative")``. Part of
    the literature writes ⅔ s_W² M_W² for the prefactor, which is 10% larger. M. Cadeddu et al., Phys. Rev. D 98 (2018)
    113010, arXiv:1810.05606.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> shifted, weak = (cf.event_rate(csi, i).sum() for i in (cf.ChargeRadius(mumu=-1e-31), cf.StandardModel()))
    >>> round(float(shifted / weak), 2)
    0.61
    """

    ee: float = 0.0
    mumu: float = 0.0
    tautau: float = 0.0
    emu: complex = 0.0
    etau: complex = 0.0
    mutau: complex = 0.0

    couplings: ClassVar[Mapping[str, str]] = {pair: f"⟨r²⟩_{symbol(pair)} [cm²]" for pair in PLACES}
    default_couplings: ClassVar[tuple[str, ...]] = ("ee", "mumu", "emu", "etau", "mutau")
    _unit: ClassVar[float] = -math.sqrt(2) * math.pi * ALPHA / (3 * G_FERMI) / MEV2_CM2


@dataclass(frozen=True)
class Millicharge(_PhotonMatrix):
    """Electric charges of neutrinos, q_αβ in units of the proton's.

    Attributes
    ----------
    ee, mumu, tautau : float
        Diagonal ones; they interfere with the Standard Model.
    emu, etau, mutau : complex
        Transition ones.

    Raises
    ------
    ValueError
        If a number is not finite, or a diagonal one not real.

    Notes
    -----
    g_p += √2 π α q/(G_F M T), and the opposite, with the electron's mass, for g_V of electrons.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> charged = cf.event_rate(csi, cf.Millicharge(mumu=1e-7))
    >>> round(float(charged.sum() / cf.event_rate(csi, cf.StandardModel()).sum()), 2)
    0.66
    """

    ee: float = 0.0
    mumu: float = 0.0
    tautau: float = 0.0
    emu: complex = 0.0
    etau: complex = 0.0
    mutau: complex = 0.0

    couplings: ClassVar[Mapping[str, str]] = {pair: f"q_{symbol(pair)} [e]" for pair in PLACES}
    default_couplings: ClassVar[tuple[str, ...]] = ("ee", "mumu", "emu", "etau", "mutau")
    _T_power: ClassVar[int] = -1
    _unit: ClassVar[float] = math.sqrt(2) * math.pi * ALPHA / G_FERMI


@dataclass(frozen=True)
class MagneticMoment(NeutralCurrent):
    """Magnetic moments of neutrinos: an effective one of each flavour, which flips the helicity and does not interfere.

    Attributes
    ----------
    mu_e, mu_mu, mu_tau : float
        In Bohr magnetons.

    Raises
    ------
    ValueError
        If a number is not finite.

    Notes
    -----
    dσ/dT = (πα²/m_e²)(μ/μ_B)² Z² F² (1/T − 1/E), P. Vogel and J. Engel, Phys. Rev. D 39 (1989) 3378; on an electron
    with Z_eff for Z² F². A dipole between ν and a heavy χ is ``SingletEFT(a_M=…, helicity="left")``, which becomes this
    for m_χ → 0 with μ/μ_B = 9.692252e-6 a_M; see `cevns_fast.magnetic_moment`.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> round(float(cf.event_rate(csi, cf.MagneticMoment(mu_mu=1e-9), standard_model=False).sum()), 1)
    6.6
    """

    mu_e: float = 0.0
    mu_mu: float = 0.0
    mu_tau: float = 0.0

    couplings: ClassVar[Mapping[str, str]] = {
        "mu_e": "magnetic moment of ν_e [μ_B]",
        "mu_mu": "magnetic moment of ν_μ [μ_B]",
        "mu_tau": "magnetic moment of ν_τ [μ_B]",
    }
    default_couplings: ClassVar[tuple[str, ...]] = ("mu_e", "mu_mu")

    def __post_init__(self) -> None:
        for name in type(self).couplings:
            validate.number(name, getattr(self, name))

    @classmethod
    def parts(cls, batch: Sequence[Self], standard_model: object) -> tuple[()]:
        """None: it does not interfere."""
        return ()

    @classmethod
    def matrices(
        cls, batch: Sequence[Self], target: Nuclide, couplings: Sequence[str], phases: Mapping[str, complex], parts: int
    ) -> AmplitudePolynomial:
        """The moments, diagonal."""
        constant = (0,) * len(couplings)
        fixed = np.zeros((len(batch), 1, 3, 3, 2), dtype=np.complex128)
        found = {constant: fixed}
        for a, flavour in enumerate(FLAVOURS):
            name = f"mu_{flavour}"
            if name in couplings:
                one = np.zeros((1, 1, 3, 3, 2), dtype=np.complex128)
                one[..., a, a, 0] = _charge(target)
                i = list(couplings).index(name)
                found[(*constant[:i], 1, *constant[i + 1 :])] = one
            else:
                fixed[:, 0, a, a, 0] = [_charge(target) * getattr(each, name) for each in batch]
        return found

    @classmethod
    def scatterings(
        cls, batch: Sequence[Self], collision: Collision, couplings: Sequence[str], phases: Mapping[str, complex]
    ) -> tuple[Scattering, ...]:
        """One helicity more among the final states, and no interference."""
        assert collision.beam is not None
        matrices = cls.matrices(batch, collision.target, couplings, phases, 0)
        polynomial = {e: np.swapaxes(of_beam(m, collision.beam), -3, -2) for e, m in matrices.items()}
        return (Scattering(Process(0.0, _magnetic_terms()), polynomial),)


@remember(maxsize=1)
def _magnetic_terms() -> tuple[Term, ...]:
    """πα²/m_e² (1/T − 1/E) for μ in Bohr magnetons."""
    c = math.pi * ALPHA**2 / M_ELECTRON**2
    return Term(0, 0, -1, 0, c), Term(0, 0, 0, -1, -c)
