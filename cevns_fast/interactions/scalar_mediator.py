"""A fermion χ produced through a scalar S of any mass: Brdar, Rodejohann & Xu 2018 (BRX)."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._support.remember import remember
from cevns_fast.interactions.process import (
    FLAVOURS,
    AmplitudePolynomial,
    Interaction,
    Process,
    Term,
    check_flavours,
    of_batch,
)
from cevns_fast.nuclear.nuclei import Nuclide

_NUCLEON_COUPLINGS = ("y_chi", "y_n", "y_p")


@dataclass(frozen=True)
class ScalarMediator(Interaction):
    """νN → χN through the exchange of a scalar S, BRX Eqs. (16)–(21).

    Attributes
    ----------
    m_chi : float
        Mass of χ, MeV, >= 0.
    m_S : float
        Mass of the mediator, MeV, >= 0.
    y_bar : float or None
        Mean coupling ȳ = y/√A, BRX Eq. (19), the same for every nuclide. None: it follows from the others.
    y_chi, y_n, y_p : float
        Couplings of S to χν, neutrons and protons: y² = y_χ (Z y_p + N y_n), with Z and N of each nuclide, of which
        BRX Eq. (20) are the numbers for Ge and CsI.
    flavours : sequence of "e", "mu", "tau"
        Which neutrinos couple, each to a χ of its own.

    Raises
    ------
    ValueError
        If a mass or y_bar is negative, a number not finite, or y_bar stated together with the others.

    Notes
    -----
    V. Brdar, W. Rodejohann and X.-J. Xu, JHEP 12 (2018) 024, arXiv:1810.03626. In the last form of Eq. (21) A² is
    read in the numerator: dσ/dT = M ȳ⁴ A² K / [4π (2MT + m_S²)²]. The neutrino is left-handed; for heavy S this is
    `SingletEFT` with the nuclear coupling ``|C_S|`` = y²/(G_F m_S²) and helicity "summed".

    Examples
    --------
    >>> import cevns_fast as cf
    >>> scalar = cf.ScalarMediator(m_chi=5.0, m_S=10.0, y_bar=1e-4)
    >>> round(float(cf.event_rate(cf.load("coherent-csi-2017"), scalar, standard_model=False).sum()), 1)
    131.3
    """

    m_chi: float
    m_S: float
    y_bar: float | None = None
    y_chi: float = 0.0
    y_n: float = 0.0
    y_p: float = 0.0
    flavours: tuple[str, ...] = FLAVOURS

    couplings: ClassVar[Mapping[str, str]] = {
        "y_bar": "mean coupling; counts go with its fourth power",
        "y_chi": "to χν",
        "y_n": "to neutrons",
        "y_p": "to protons",
    }
    default_couplings: ClassVar[tuple[str, ...]] = ("y_bar",)
    mass_fields: ClassVar[tuple[str, str] | None] = ("m_chi", "m_S")

    def __post_init__(self) -> None:
        validate.number("m_chi", self.m_chi, minimum=0.0)
        validate.number("m_S", self.m_S, minimum=0.0)
        for name in _NUCLEON_COUPLINGS:
            validate.number(name, getattr(self, name))
        if self.flavours is not FLAVOURS:
            check_flavours(self)
        if self.y_bar is not None:
            validate.number("y_bar", self.y_bar, minimum=0.0)
            for name in _NUCLEON_COUPLINGS:
                if getattr(self, name) != 0:
                    raise ValueError(f"{name} = {getattr(self, name)!r}: must be left out where y_bar is stated")

    @classmethod
    def check_couplings(cls, couplings: Iterable[str], phases: Mapping[str, complex]) -> tuple[str, ...]:
        """The names, if all can be left open; y_bar stands for the other three together, not beside them."""
        names = super().check_couplings(couplings, phases)
        if "y_bar" in names and len(names) > 1:
            raise ValueError(f"couplings = {names}: y_bar must be open alone")
        return names

    @classmethod
    def processes(cls, batch: Sequence[Self], nuclide: Nuclide) -> tuple[Process, ...]:
        """BRX Eq. (21), M/4π K (2MT + m_S²)⁻² with K of Eq. (18), times the square of the amplitude y²."""
        masses = of_batch(batch, "m_chi"), of_batch(batch, "m_S")
        return (Process(masses[0], _terms(nuclide.mass), propagator_power=2, mediator_mass=masses[1]),)

    @classmethod
    def amplitudes(
        cls, batch: Sequence[Self], nuclide: Nuclide, couplings: Sequence[str], phases: Mapping[str, complex]
    ) -> tuple[AmplitudePolynomial, ...]:
        """y² of protons and of neutrons: A ȳ² = Z ȳ² + N ȳ², BRX Eq. (19), or y_χ (Z y_p + N y_n)."""
        if tuple(couplings) == ("y_bar",):
            if any(each.y_chi or each.y_n or each.y_p for each in batch):
                raise ValueError("y_chi, y_n, y_p: must be left out where y_bar is open")
            unit = phases.get("y_bar", 1.0) ** 2 * np.array([[[[nuclide.Z, nuclide.N]]]], dtype=np.complex128)
            return ({(2,): unit},)
        if couplings and any(each.y_bar is not None for each in batch):
            raise ValueError(f"y_bar: must be None where {', '.join(couplings)} are open")
        distinct = {(each.y_bar, each.y_chi, each.y_n, each.y_p) for each in batch}
        scanned = batch[:1] if len(distinct) == 1 else batch
        polynomial: dict[tuple[int, ...], np.ndarray] = {}
        for i, (nucleon, number) in enumerate((("y_p", nuclide.Z), ("y_n", nuclide.N))):
            exponents = tuple(int(name in ("y_chi", nucleon)) for name in couplings)
            phase = math.prod(phases.get(name, 1.0) for name in couplings if name in ("y_chi", nucleon))
            amplitude = polynomial.setdefault(exponents, np.zeros((len(scanned), 1, 1, 2), dtype=np.complex128))
            for row, each in enumerate(scanned):
                if each.y_bar is not None:
                    square = each.y_bar**2
                else:  # an open coupling counts as one
                    square = math.prod(1.0 if n in couplings else getattr(each, n) for n in ("y_chi", nucleon))
                amplitude[row, 0, 0, i] = number * phase * square
        return (polynomial,)


@remember(maxsize=1024)
def _terms(M: float) -> tuple[Term, ...]:
    """M/4π K of BRX Eq. (18), on a nucleus of mass M."""
    c = M / (4 * math.pi)
    return (
        Term(0, 0, 0, -2, c / 2, mass_power=2),
        Term(0, 0, 1, -2, c * M),
        Term(0, 0, 1, -2, c / (4 * M), mass_power=2),
        Term(0, 0, 2, -2, c / 2),
    )
