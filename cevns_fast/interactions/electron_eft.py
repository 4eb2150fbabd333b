"""A fermion χ produced on electrons through any operator: the whole table with all interferences."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._support.remember import remember
from cevns_fast.constants import G_FERMI, M_ELECTRON
from cevns_fast.interactions.process import (
    FLAVOURS,
    AmplitudePolynomial,
    Collision,
    Interaction,
    Process,
    Scattering,
    Term,
    check_flavours,
    of_batch,
    of_flavours,
)
from cevns_fast.interactions.singlet_eft import DIPOLE_PREFACTORS
from cevns_fast.nuclear.electrons import Electron
from cevns_fast.nuclear.nuclei import Nuclide

# Amplitudes. That of P holds i c_P, so that all products are real parts of a* b.
OPERATORS = ("S", "P", "V", "A", "T", "D")
_OPEN = ("S", "P", "V", "A", "T", "a_M", "a_E")

# h_ab of dσ/dT = (G_F²/2)/(32πME²) Σ Re[c_a c_b* h_ab], as (number, powers of M, T, E, m); both orders of a pair are in
# the sum. They are odd under ν ↔ ν̄ where one of the two currents on the electron is odd under its charge conjugation.
_Entry = tuple[tuple[float, int, int, int, int], ...]
_ST: _Entry = ((-16, 2, 1, 1, 0), (8, 2, 2, 0, 0), (4, 1, 1, 0, 2))
_VECTOR: _Entry = ((16, 2, 0, 2, 0), (-16, 2, 1, 1, 0), (8, 2, 2, 0, 0), (-8, 1, 0, 1, 2), (4, 1, 1, 0, 2))
GRAM: Mapping[str, _Entry] = {
    "SS": ((8, 3, 1, 0, 0), (4, 2, 2, 0, 0), (4, 2, 0, 0, 2), (2, 1, 1, 0, 2)),
    "PP": ((4, 2, 2, 0, 0), (2, 1, 1, 0, 2)),
    "VV": (*_VECTOR, (-8, 3, 1, 0, 0), (-4, 2, 0, 0, 2)),
    "AA": (*_VECTOR, (8, 3, 1, 0, 0), (4, 2, 0, 0, 2)),
    "TT": (
        (128, 2, 0, 2, 0), (-128, 2, 1, 1, 0), (-32, 3, 1, 0, 0), (32, 2, 2, 0, 0),
        (-64, 1, 0, 1, 2), (-16, 2, 0, 0, 2), (16, 1, 1, 0, 2),
    ),
    "DD": (
        (32, 3, 1, 2, 0), (-32, 3, 2, 1, 0), (-8, 3, 1, 0, 2), (-16, 2, 1, 1, 2), (8, 2, 2, 0, 2),
        (-4, 2, 0, 0, 4), (4, 1, 1, 0, 4),
    ),
    "VA": _ST,
    "ST": _ST,
    "PT": tuple((-number, *powers) for number, *powers in _ST),  # type: ignore[misc]
    "SV": ((8, 2, 0, 1, 1), (-4, 2, 1, 0, 1), (-2, 1, 0, 0, 3)),
    "PA": ((4, 2, 1, 0, 1), (2, 1, 0, 0, 3)),
    "VT": ((-24, 2, 1, 0, 1), (-12, 1, 0, 0, 3)),
    "AT": ((48, 2, 0, 1, 1), (-24, 2, 1, 0, 1), (-12, 1, 0, 0, 3)),
    "SD": ((16, 3, 1, 1, 0), (-8, 3, 2, 0, 0), (-4, 2, 1, 0, 2)),
    "VD": ((8, 3, 1, 0, 1), (-8, 2, 2, 0, 1), (4, 2, 0, 0, 3), (-4, 1, 1, 0, 3)),
    "AD": ((16, 2, 1, 1, 1), (-8, 2, 2, 0, 1), (-4, 1, 1, 0, 3)),
    "TD": ((-16, 3, 2, 0, 0), (8, 2, 1, 0, 2), (8, 1, 0, 0, 4)),
}  # fmt: skip
_CONJUGATION = {"S": 1, "P": 1, "A": 1, "V": -1, "T": -1, "D": -1}


@dataclass(frozen=True)
class ElectronEFT(Interaction):
    """νe → χe for a χ of any mass.

    L = (G_F/√2)[S(χ̄P_Lν)(ēe) + P(χ̄P_Lν)(ē iγ₅e) + V(χ̄γP_Lν)(ēγe) + A(χ̄γP_Lν)(ēγγ₅e) + T(χ̄σP_Lν)(ēσe)] + h.c., and
    a dipole.

    Attributes
    ----------
    m_chi : float
        Mass of χ, MeV, >= 0.
    S, P, V, A, T : complex
        In units of G_F/√2; with a mediator, products g_χ g_e of its two couplings.
    a_M, a_E : complex
        Dipoles as in `SingletEFT`: the photon sees electrons and nuclei, this one electrons.
    m_mediator : float or None
        Mass, MeV, >= 0, of a particle that is exchanged: 1/(2m_eT + m²) stands for G_F/√2. An axial one of spin 1 also
        has a longitudinal part ∝ m_χ m_e/m², which is included. None: contact.
    flavours : sequence of "e", "mu", "tau"
        Which neutrinos couple, each to a χ of its own.

    Raises
    ------
    ValueError
        If a mass is negative, a number is not finite, a name is unknown, or an axial mediator has no mass but χ has.

    Notes
    -----
    All entries of the table were checked against traces of Dirac matrices. Nuclei are not hit, and the Standard Model,
    which ends in a neutrino, is not interfered with; vectors with a neutrino in the final state are `LightVector`.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> scalar = cf.ElectronEFT(m_chi=0.0, S=1e-10, m_mediator=3.0)
    >>> f"{cf.differential_cross_section(scalar, cf.ELECTRON, E=30.0, T=0.01):.4e}"
    '1.1182e-50'
    """

    m_chi: float
    S: complex = 0.0
    P: complex = 0.0
    V: complex = 0.0
    A: complex = 0.0
    T: complex = 0.0
    a_M: complex = 0.0
    a_E: complex = 0.0
    m_mediator: float | None = None
    flavours: tuple[str, ...] = FLAVOURS

    couplings: ClassVar[Mapping[str, str]] = {
        "S": "scalar, to electrons", "P": "pseudoscalar, to electrons", "V": "vector, to electrons",
        "A": "axial, to electrons", "T": "tensor, to electrons", "a_M": "magnetic dipole", "a_E": "electric dipole",
    }  # fmt: skip
    default_couplings: ClassVar[tuple[str, ...]] = ("S", "P", "V", "A", "T")

    def __post_init__(self) -> None:
        validate.number("m_chi", self.m_chi, minimum=0.0)
        for name in _OPEN:
            validate.coupling(name, getattr(self, name))
        if self.m_mediator is not None:
            validate.number("m_mediator", self.m_mediator, minimum=0.0)
            if self.m_mediator == 0 and self.m_chi > 0 and self.A != 0:
                raise ValueError("m_mediator = 0.0: must be > 0 for an axial coupling to a χ with mass: not conserved")
        if self.flavours is not FLAVOURS:
            check_flavours(self)

    @classmethod
    def processes(cls, batch: Sequence[Self], nuclide: Nuclide) -> tuple[Process, ...]:
        """By power of the propagator; on electrons alone."""
        if not isinstance(nuclide, Electron):
            return ()
        m = of_batch(batch, "m_chi")
        if batch[0].m_mediator is None:
            return (Process(m, tuple(term for power in range(3) for term in _terms(power))),)
        mediator = of_batch(batch, "m_mediator")
        return tuple(Process(m, _terms(power), power, mediator) for power in range(3))

    @classmethod
    def amplitudes(
        cls, batch: Sequence[Self], nuclide: Nuclide, couplings: Sequence[str], phases: Mapping[str, complex]
    ) -> tuple[AmplitudePolynomial, ...]:
        """c_a of the operators, the same for all processes."""
        if len({each.m_mediator is None for each in batch}) > 1:
            raise ValueError("m_mediator: must be stated for all interactions of a list, or for none")
        if "A" in couplings and any(each.m_mediator == 0 and each.m_chi > 0 for each in batch):
            raise ValueError("m_mediator = 0.0: must be > 0 for an axial coupling to a χ with mass: not conserved")
        constant = (0,) * len(couplings)
        fixed = [name for name in _OPEN if name not in couplings]
        found = {constant: np.array([_row(each, {name: getattr(each, name) for name in fixed}) for each in batch])}
        for i, name in enumerate(couplings):
            one = {name: phases.get(name, 1.0)}
            found[(*constant[:i], 1, *constant[i + 1 :])] = np.array([_row(each, one) for each in batch])
        return (found,) * (1 if batch[0].m_mediator is None else 3)

    @classmethod
    def scatterings(
        cls, batch: Sequence[Self], collision: Collision, couplings: Sequence[str], phases: Mapping[str, complex]
    ) -> tuple[Scattering, ...]:
        """On electrons alone."""
        target = collision.target
        if not isinstance(target, Electron):
            return ()
        amplitudes = cls.amplitudes(batch, target, couplings, phases)
        found = tuple(map(Scattering, cls.processes(batch, target), amplitudes))
        return found if collision.beam is None else of_flavours(found, batch, collision.beam)


def _row(interaction: ElectronEFT, values: Mapping[str, complex]) -> np.ndarray:
    """Amplitudes [1 helicity, operators, 2] of couplings, others zero."""
    c = dict.fromkeys(OPERATORS, 0j) | {name: complex(value) for name, value in values.items() if name in OPERATORS}
    mediator = interaction.m_mediator
    if mediator is not None:
        if mediator > 0:
            c["P"] += -2j * interaction.m_chi * M_ELECTRON / mediator**2 * c["A"]
        c = {name: math.sqrt(2) / G_FERMI * value for name, value in c.items()}
    c["P"] *= 1j
    a_M, a_E = complex(values.get("a_M", 0.0)), complex(values.get("a_E", 0.0))
    c["D"] = math.sqrt(2) * DIPOLE_PREFACTORS["e v_H/2"] / M_ELECTRON * (a_M.conjugate() - 1j * a_E.conjugate())
    row = np.zeros((1, len(OPERATORS), 2), dtype=np.complex128)
    row[0, :, 0] = [c[name] for name in OPERATORS]
    return row


@remember(maxsize=4)
def _terms(propagator_power: int) -> tuple[Term, ...]:
    """Those with this many operators that are not the photon's; each photon brings 1/T."""
    M, found = M_ELECTRON, []
    for pair, entry in GRAM.items():
        photons = pair.count("D")
        if 2 - photons != propagator_power:
            continue
        a, b = (OPERATORS.index(name) for name in pair)
        odd = _CONJUGATION[pair[0]] != _CONJUGATION[pair[1]]
        front = G_FERMI**2 / (64 * math.pi * M) * (1 if a == b else 2)
        for number, M_power, T_power, E_power, m_power in entry:
            found.append(Term(a, b, T_power - photons, E_power - 2, front * number * M**M_power, odd, m_power))
    return tuple(found)
