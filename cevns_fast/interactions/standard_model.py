"""Coherent elastic scattering in the Standard Model, CLLS Eq. (22), and elastic scattering on electrons."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._support.remember import remember
from cevns_fast.constants import G_FERMI, SIN2_THETA_W, SIN2_THETA_W_LOW_ENERGY
from cevns_fast.data import data_path, read_table
from cevns_fast.interactions import weak_couplings
from cevns_fast.interactions.neutral_current import running_parts, square_terms, weak_of_beam
from cevns_fast.interactions.process import (
    AmplitudePolynomial,
    Collision,
    Interaction,
    Part,
    Process,
    Scattering,
    Term,
    of_batch,
)
from cevns_fast.nuclear.electrons import Electron
from cevns_fast.nuclear.nuclei import Nuclide
from cevns_fast.nuclear.nucleon import weak_charge

Scheme = Literal["tree", "radiative", "radiative-q2"]

# g_A of neutron decay (PDG), and the strange quarks' isoscalar one, as in Hoferichter et al.
G_A, G_A_STRANGE = 1.27641, -0.085


class _Unstated(float):
    """The weak mixing angle of one who states none: which it is depends on the couplings."""


@dataclass(frozen=True)
class StandardModel(Interaction):
    """The Standard Model's νN → νN, and νe → νe where a detector counts electrons.

    Attributes
    ----------
    sin2_theta_w : float
        Weak mixing angle, from 0 to 1. At tree level the papers use 0.2312, the default; with radiative couplings it is
        ŝ₀², at zero momentum, 0.23857 by default.
    couplings : {"tree", "radiative", "radiative-q2"}
        g_p = 1/2 − 2 sin²θ_W and g_n = −1/2, or with corrections of order α, which differ between flavours. "q2" has
        the momentum dependence of the neutrino's charge radius, by which g_p(ν_e) falls by 15% up to 50 MeV.
    axial : bool
        Whether the spins of nuclei contribute, 1e-4 to 3e-3 of the rate: for Na-23, Ge-73, Xe-129, Xe-131, I-127 and
        Cs-133, with the axial charge at zero momentum times the square of the protons' form factor.

    Raises
    ------
    ValueError
        If the angle is out of range, or a name is unknown.

    Notes
    -----
    Chao, Li, Liao & Su 2021, Eq. (22). Chang & Liao 2020, Eq. (11) is its limit for T ≪ E. Radiative couplings: J.
    Erler and S. Su, arXiv:1303.5522. Axial part: M. Hoferichter, J. Menéndez and A. Schwenk, arXiv:2007.08529.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> cf.StandardModel()
    StandardModel(sin2_theta_w=0.2312)
    >>> cf.StandardModel(couplings="radiative").sin2_theta_w
    0.23857
    """

    sin2_theta_w: float = _Unstated(SIN2_THETA_W)
    couplings: Scheme = "tree"  # type: ignore[assignment,misc]  # not the open ones: those are in `open_couplings`
    axial: bool = False

    open_couplings: ClassVar[Mapping[str, str]] = {"sin2_theta_w": "weak mixing angle"}
    real_couplings: ClassVar[Collection[str]] = ("sin2_theta_w",)
    coupling_ranges: ClassVar[Mapping[str, tuple[float, float, float]]] = {"sin2_theta_w": (SIN2_THETA_W, 0.0, 1.0)}

    def __post_init__(self) -> None:
        validate.choice("couplings", self.couplings, weak_couplings.SCHEMES)
        if isinstance(self.sin2_theta_w, _Unstated):
            default = SIN2_THETA_W if self.couplings == "tree" else SIN2_THETA_W_LOW_ENERGY
            object.__setattr__(self, "sin2_theta_w", default)
        if not 0 <= validate.number("sin2_theta_w", self.sin2_theta_w) <= 1:
            raise ValueError(f"sin2_theta_w = {self.sin2_theta_w!r}: must be from 0 to 1")
        if not isinstance(self.axial, bool):
            raise ValueError(f"axial = {self.axial!r}: must be True or False")

    @classmethod
    def processes(cls, batch: Sequence[Self], nuclide: Nuclide) -> tuple[Process, ...]:
        """G_F² M / 2π (2 − MT/E² − 2T/E + T²/E²) times the weak charge squared, at tree level."""
        return (Process(0.0, _terms(nuclide.mass)),)

    @classmethod
    def amplitudes(
        cls, batch: Sequence[Self], nuclide: Nuclide, couplings: Sequence[str], phases: Mapping[str, complex]
    ) -> tuple[AmplitudePolynomial, ...]:
        """The weak charge at tree level."""
        if couplings:
            bare, slope = np.array(weak_charge(nuclide, 0.0)), np.array([-2.0 * nuclide.Z, 0.0])
            return ({(0,): _amplitude(bare), (1,): _amplitude(slope * phases.get("sin2_theta_w", 1.0))},)
        charges = np.zeros((len(batch), 1, 1, 2), dtype=np.complex128)
        for i, charge in enumerate(weak_charge(nuclide, of_batch(batch, "sin2_theta_w"))):
            charges[:, 0, 0, i] = charge
        return ({(): charges},)

    @classmethod
    def tells_flavours(cls, batch: Sequence[Self], electrons: bool, standard_model: Any) -> bool:
        """Where couplings differ: with corrections, and on electrons."""
        return electrons or {each.couplings for each in batch} != {"tree"}

    @classmethod
    def parts(cls, batch: Sequence[Self], standard_model: Any) -> tuple[Part, ...]:
        """Lepton loops, if any couplings run."""
        return running_parts(*batch)

    @classmethod
    def scatterings(
        cls, batch: Sequence[Self], collision: Collision, couplings: Sequence[str], phases: Mapping[str, complex]
    ) -> tuple[Scattering, ...]:
        """The square of the weak amplitude, and the axial part where it is wanted."""
        target, beam, _ = collision
        if beam is None:
            found = super().scatterings(batch, collision, couplings, phases)
        else:
            parts = cls.parts(batch, None)
            pairs = [weak_of_beam(each, target, beam, parts) for each in batch]
            if couplings:
                phase = phases.get("sin2_theta_w", 1.0)
                polynomial: AmplitudePolynomial = {
                    (0,): np.array([constant for constant, _ in pairs]),
                    (1,): phase * np.array([slope for _, slope in pairs]),
                }
            else:
                each_one = zip(batch, pairs, strict=True)
                polynomial = {(): np.array([c + each.sin2_theta_w * s for each, (c, s) in each_one])}
            found = (Scattering(Process(0.0, square_terms(target)), polynomial),)
        if isinstance(target, Electron) or not any([each.axial for each in batch]):
            return found
        structure = _axial_structure(target)
        wanted = np.zeros((len(batch), 1, 1, 2 + len(cls.parts(batch, None))), dtype=np.complex128)
        wanted[:, 0, 0, 0] = [math.sqrt(structure) * each.axial for each in batch]
        axial = Process(0.0, _axial_terms(target.mass))
        return (*found, Scattering(axial, {(0,) * len(couplings): wanted}))


def _amplitude(charges: np.ndarray) -> np.ndarray:
    """Of one interaction and helicity."""
    return np.asarray(charges, dtype=np.complex128)[None, None, None, :]


@remember(maxsize=1024)
def _terms(M: float) -> tuple[Term, ...]:
    """CLLS Eq. (22) on a nucleus of mass M."""
    c = G_FERMI**2 * M / (2 * math.pi)
    return (
        Term(0, 0, 0, 0, 2 * c),
        Term(0, 0, 1, -2, -M * c),
        Term(0, 0, 1, -1, -2 * c),
        Term(0, 0, 2, -2, c),
    )


@remember(maxsize=1024)
def _axial_terms(M: float) -> tuple[Term, ...]:
    """G_F² M/4π (1 + MT/2E² − T/E), Hoferichter et al."""
    c = G_FERMI**2 * M / (4 * math.pi)
    return Term(0, 0, 0, 0, c), Term(0, 0, 1, -2, M * c / 2), Term(0, 0, 1, -1, -c)


@remember(maxsize=1)
def _spins() -> dict[str, tuple[float, float, float]]:
    """J, ⟨S_p⟩ and ⟨S_n⟩ by nuclide."""
    table = read_table(data_path("nuclear_spins.csv"))
    return {name: (float(J), float(p), float(n)) for name, J, p, n in zip(*table.values(), strict=True)}


def _axial_structure(nuclide: Nuclide) -> float:
    """F_A at zero momentum, normalised to (2g_A S)² of a nucleon; 0 without a spin that is known."""
    if nuclide.name not in _spins():
        return 0.0
    J, S_p, S_n = _spins()[nuclide.name]
    return 4 / 3 * (J + 1) / J * (G_A * (S_p - S_n) - G_A_STRANGE * (S_p + S_n)) ** 2
