"""Non-standard interactions of neutrinos with quarks through heavy vectors: a matrix in flavour space."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._support.remember import remember
from cevns_fast.interactions.neutral_current import NeutralCurrent
from cevns_fast.interactions.process import AmplitudePolynomial, Collision, Complexes, Scattering
from cevns_fast.nuclear.electrons import Electron
from cevns_fast.nuclear.nuclei import Nuclide

#: Where each ε stands in the matrix: the upper triangle.
PLACES = {"ee": (0, 0), "mumu": (1, 1), "tautau": (2, 2), "emu": (0, 1), "etau": (0, 2), "mutau": (1, 2)}
DIAGONAL = ("ee", "mumu", "tautau")
TRANSITIONS = ("emu", "etau", "mutau")


def symbol(pair: str) -> str:
    """The pair of flavours in Greek."""
    return pair.replace("mu", "μ").replace("tau", "τ")


def is_off_diagonal(name: str) -> bool:
    """Whether an ε changes flavour, and may be complex."""
    a, b = PLACES[name.split("_")[1]]
    return a != b


def check_entry(name: str, pair: str, value: complex) -> complex:
    """A matrix element of a hermitian matrix; `ValueError` for a complex one on the diagonal."""
    found = validate.coupling(name, value)
    a, b = PLACES[pair]
    if a == b and found.imag != 0:
        raise ValueError(f"{name} = {value!r}: must be real, as the matrix is hermitian")
    return found


@dataclass(frozen=True)
class NSI(NeutralCurrent):
    """ν_α q → ν_β q by L = −2√2 G_F ε^{qV}_{αβ} (ν̄_α γ P_L ν_β)(q̄ γ q), with the Standard Model's interference.

    Attributes
    ----------
    eps_ee_u, eps_mumu_u, eps_tautau_u, eps_ee_d, eps_mumu_d, eps_tautau_d : float
        Of flavours with u and d quarks, ε^V = ε^L + ε^R.
    eps_emu_u, eps_etau_u, eps_mutau_u, eps_emu_d, eps_etau_d, eps_mutau_d : complex
        Between flavours; ε_βα is the conjugate of ε_αβ.

    Raises
    ------
    ValueError
        If a number is not finite, or ε_αα is not real.

    Notes
    -----
    Q_βα = δ_βα (Z g_p + N g_n) + Z (2ε^u_βα + ε^d_βα) + N (ε^u_βα + 2ε^d_βα), and the rate goes with
    (Q†Q)_αα. J. Barranco, O. G. Miranda and T. I. Rashba, JHEP 12 (2005) 021, hep-ph/0508299. An open ε_αβ may
    have complex values in `Templates.counts` for sources of pure flavours, such as spallation sources and reactors; for
    coherent ones it has one phase, which `phases` gives.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> round(float(cf.event_rate(csi, cf.NSI(eps_ee_u=0.1)).sum()), 1)
    123.6
    """

    eps_ee_u: float = 0.0
    eps_mumu_u: float = 0.0
    eps_tautau_u: float = 0.0
    eps_emu_u: complex = 0.0
    eps_etau_u: complex = 0.0
    eps_mutau_u: complex = 0.0
    eps_ee_d: float = 0.0
    eps_mumu_d: float = 0.0
    eps_tautau_d: float = 0.0
    eps_emu_d: complex = 0.0
    eps_etau_d: complex = 0.0
    eps_mutau_d: complex = 0.0

    couplings: ClassVar[Mapping[str, str]] = {
        f"eps_{pair}_{quark}": f"ε_{symbol(pair)} with {quark} quarks" for quark in "ud" for pair in PLACES
    }
    default_couplings: ClassVar[tuple[str, ...]] = tuple(couplings)
    real_couplings: ClassVar[Collection[str]] = tuple(f"eps_{pair}_{q}" for q in "ud" for pair in DIAGONAL)
    conjugated_couplings: ClassVar[Collection[str]] = tuple(f"eps_{pair}_{q}" for q in "ud" for pair in TRANSITIONS)

    def __post_init__(self) -> None:
        for name in type(self).couplings:
            check_entry(name, name.split("_")[1], getattr(self, name))

    @classmethod
    def matrices(
        cls, batch: Sequence[Self], target: Nuclide, couplings: Sequence[str], phases: Mapping[str, complex], parts: int
    ) -> AmplitudePolynomial:
        """Z (2ε^u + ε^d) of protons, N (ε^u + 2ε^d) of neutrons."""
        fixed = [name for name in cls.couplings if name not in couplings]
        values = np.array([[getattr(each, name) for name in fixed] for each in batch], dtype=np.complex128)
        units, conjugates = (each.reshape(len(fixed), 18) for each in _units(tuple(fixed), target))
        constant = (values @ units + values.conj() @ conjugates).reshape(-1, 3, 3, 2)
        if not couplings:
            return {(): _padded(constant, parts)}
        phase = np.array([phases.get(name, 1.0) for name in couplings], dtype=np.complex128)[:, None, None, None]
        units, conjugates = _units(tuple(couplings), target)
        opened = _padded(phase * units + phase.conj() * conjugates, parts)
        found = {(0,) * len(couplings): _padded(constant, parts)}
        for exponents, matrix in zip(np.eye(len(couplings), dtype=int).tolist(), opened, strict=True):
            found[tuple(exponents)] = matrix[None]
        return found

    @classmethod
    def scatterings(
        cls, batch: Sequence[Self], collision: Collision, couplings: Sequence[str], phases: Mapping[str, complex]
    ) -> tuple[Scattering, ...]:
        """On nuclei alone."""
        if isinstance(collision.target, Electron):
            return ()
        return super().scatterings(batch, collision, couplings, phases)


def _padded(matrices: Complexes, parts: int) -> Complexes:
    """[n, 3, 3, 2] as [n, 1, 3, 3, 2 + parts]."""
    found = np.zeros((len(matrices), 1, 3, 3, 2 + parts), dtype=np.complex128)
    found[:, 0, ..., :2] = matrices
    return found


@remember(maxsize=256)
def _units(names: tuple[str, ...], nuclide: Nuclide) -> tuple[Complexes, Complexes]:
    """What each ε and its conjugate multiply in the matrices of protons and neutrons, [names, 3, 3, 2]."""
    units = np.zeros((2, len(names), 3, 3, 2), dtype=np.complex128)
    for i, name in enumerate(names):
        _, pair, quark = name.split("_")
        a, b = PLACES[pair]
        proton, neutron = (2, 1) if quark == "u" else (1, 2)
        charges = nuclide.Z * proton, nuclide.N * neutron
        units[0, i, a, b] = charges
        if a != b:
            units[1, i, b, a] = charges
    units.setflags(write=False)
    return units[0], units[1]
