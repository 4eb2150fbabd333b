"""A singlet fermion χ produced through dimension-6 operators: Chang & Liao 2020 (CL)."""

import cmath
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, ClassVar, Literal, Self

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._support.remember import remember
from cevns_fast.constants import ALPHA, G_FERMI, M_W, SIN2_THETA_W
from cevns_fast.interactions.process import (
    FLAVOURS,
    AmplitudePolynomial,
    Collision,
    Complexes,
    Interaction,
    Process,
    Scattering,
    Term,
    check_flavours,
    of_batch,
    of_flavours,
)
from cevns_fast.nuclear.electrons import Electron
from cevns_fast.nuclear.nuclei import Nuclide
from cevns_fast.nuclear.nucleon import QUARK_MASSES, scalar_coupling, tensor_coupling, vector_coupling

Coupling = complex | tuple[complex, complex]

# The Higgs vacuum expectation value that belongs to G_F, MeV.
HIGGS_VEV = (math.sqrt(2) * G_FERMI) ** -0.5

# The dipole's prefactor, MeV. CL write s_W M_W for e v_H / 2, which it equals at tree level only.
DIPOLE_PREFACTORS = {
    "s_W M_W": math.sqrt(SIN2_THETA_W) * M_W,
    "e v_H/2": math.sqrt(4 * math.pi * ALPHA) * HIGGS_VEV / 2,
}

A, S, V, T = range(4)  # the nuclear amplitudes: dipole, scalar, vector, tensor


@dataclass(frozen=True)
class EFTConvention:
    """The choices in which CL Eq. (2) as printed and as corrected differ.

    Attributes
    ----------
    dipole_prefactor : {"e v_H/2", "s_W M_W"}
        37280.4 MeV with α(0), or 38648.8 MeV: 7.5% more in rate.
    vector_interference : bool
        Whether the vector coupling interferes with the others, ∝ m_χ; the paper leaves that out.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> cf.SingletEFT(m_chi=10.0, a_M=1e-4, variant="published").convention == cf.EFTConvention.PUBLISHED
    True
    >>> cf.EFTConvention.CORRECTED
    EFTConvention(dipole_prefactor='e v_H/2', vector_interference=True)
    """

    dipole_prefactor: Literal["e v_H/2", "s_W M_W"] = "e v_H/2"
    vector_interference: bool = True

    PUBLISHED: ClassVar["EFTConvention"]
    CORRECTED: ClassVar["EFTConvention"]

    def __post_init__(self) -> None:
        validate.choice("dipole_prefactor", self.dipole_prefactor, DIPOLE_PREFACTORS)
        if not isinstance(self.vector_interference, bool):
            raise ValueError(f"vector_interference = {self.vector_interference!r}: must be True or False")


EFTConvention.PUBLISHED = EFTConvention("s_W M_W", vector_interference=False)
EFTConvention.CORRECTED = EFTConvention()
VARIANTS = {"published": EFTConvention.PUBLISHED, "corrected": EFTConvention.CORRECTED}

HELICITIES = ("summed", "left")
_QUARK_COUPLINGS = ("C_S", "D_P", "C_V", "D_A", "C_T")


def _convention(variant: str | EFTConvention) -> EFTConvention:
    """A variant spelled out."""
    return variant if isinstance(variant, EFTConvention) else VARIANTS[variant]


@dataclass(frozen=True)
class SingletEFT(Interaction):
    """νN → χN through a dipole, scalar, vector or tensor contact interaction, CL Eqs. (1)–(7).

    Attributes
    ----------
    m_chi : float
        Mass of χ, MeV, >= 0.
    a_M, a_E : complex
        Magnetic and electric dipole, dimensionless.
    C_S, D_P, C_V, D_A, C_T : complex or (u, d)
        Scalar, pseudoscalar, vector, axial and tensor couplings to quarks, in units of G_F/√2; a number
        is the coupling to both u and d.
    helicity : {"summed", "left"}
        CL Eq. (2) sums over both neutrino helicities without the factor 1/2; a beam is left-handed, which
        for one real coupling halves the rate.
    variant : {"corrected", "published"} or EFTConvention
        Physics choices in which the paper is improved upon; see `EFTConvention`.
    quark_masses : (float, float)
        m_u and m_d in CL Eq. (3), MeV.
    flavours : sequence of "e", "mu", "tau"
        Which neutrinos couple, each to a χ of its own.

    Raises
    ------
    ValueError
        If a mass is negative or not finite, a coupling is not a finite number or pair, or a name is unknown.

    Notes
    -----
    W.-F. Chang and J. Liao, Phys. Rev. D 102 (2020) 075004, arXiv:2002.10275, Eq. (2), and the three
    interference terms of the vector coupling that it lacks.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> eft = cf.SingletEFT(m_chi=10.0, C_V=0.1)
    >>> round(eft.nuclear_couplings(cf.nuclide("Cs133"))["C_V"].real, 10)
    39.9
    """

    m_chi: float
    a_M: complex = 0.0
    C_S: Coupling = 0.0
    C_V: Coupling = 0.0
    C_T: Coupling = 0.0
    a_E: complex = 0.0
    D_P: Coupling = 0.0
    D_A: Coupling = 0.0
    helicity: Literal["summed", "left"] = "summed"
    variant: Literal["corrected", "published"] | EFTConvention = "corrected"
    quark_masses: tuple[float, float] = QUARK_MASSES
    flavours: tuple[str, ...] = FLAVOURS

    couplings: ClassVar[Mapping[str, str]] = {
        "a_M": "magnetic dipole",
        "C_S": "scalar",
        "C_V": "vector",
        "C_T": "tensor",
        "a_E": "electric dipole",
        "D_P": "pseudoscalar",
        "D_A": "axial",
        **{f"{name}_{quark}": f"{name} of the {quark} quark" for name in _QUARK_COUPLINGS for quark in "ud"},
    }
    default_couplings: ClassVar[tuple[str, ...]] = ("a_M", "C_S", "C_V", "C_T")
    mass_fields: ClassVar[tuple[str, str] | None] = ("m_chi", "")

    def __post_init__(self) -> None:
        validate.number("m_chi", self.m_chi, minimum=0.0)
        validate.choice("helicity", self.helicity, HELICITIES)
        if not isinstance(self.variant, EFTConvention):
            validate.choice("variant", self.variant, VARIANTS)
        if self.quark_masses is not QUARK_MASSES:
            self._check_quark_masses()
        if self.flavours is not FLAVOURS:
            check_flavours(self)
        for dipole in (self.a_M, self.a_E):
            if type(dipole) not in validate.PLAIN or not cmath.isfinite(dipole):
                self._check_couplings()
        each: tuple[Any, ...] = (self.C_S, self.D_P, self.C_V, self.D_A, self.C_T)
        for value in each:
            if type(value) is tuple and len(value) == 2:
                u, d = value
                if type(u) in validate.PLAIN and type(d) in validate.PLAIN and cmath.isfinite(u + d):
                    continue
            elif type(value) in validate.PLAIN and cmath.isfinite(value):
                continue
            self._check_couplings()

    def _check_quark_masses(self) -> None:
        """A pair of positive numbers."""
        if type(self.quark_masses) is tuple and len(self.quark_masses) == 2:
            u, d = self.quark_masses
            if type(u) is float and type(d) is float and 0 < u < math.inf and 0 < d < math.inf:
                return
        if not isinstance(self.quark_masses, tuple | list) or len(self.quark_masses) != 2:
            raise ValueError(f"quark_masses = {self.quark_masses!r}: must be the pair (m_u, m_d)")
        checked = [
            validate.number(f"quark_masses: m_{q}", m, positive=True)
            for q, m in zip("ud", self.quark_masses, strict=True)
        ]
        object.__setattr__(self, "quark_masses", tuple(checked))

    def _check_couplings(self) -> None:
        """Numbers, or pairs of them where quarks are told apart."""
        for name in ("a_M", "a_E"):
            validate.coupling(name, getattr(self, name))
        for name in _QUARK_COUPLINGS:
            value = getattr(self, name)
            if isinstance(value, tuple | list) or (isinstance(value, np.ndarray) and value.ndim > 0):
                if len(value) != 2:
                    raise ValueError(f"{name} = {value!r}: must be a number or the pair (u, d)")
                object.__setattr__(self, name, tuple(value))
                for quark, each in zip("ud", value, strict=True):
                    validate.coupling(f"{name}_{quark}", each)
            else:
                validate.coupling(name, value)

    @property
    def convention(self) -> EFTConvention:
        """The variant spelled out."""
        return _convention(self.variant)

    def nuclear_couplings(self, nuclide: Nuclide) -> dict[str, complex]:
        """Couplings of a nucleus at q² = 0, CL Eqs. (3)–(5).

        Parameters
        ----------
        nuclide : Nuclide

        Returns
        -------
        dict of str to complex
            ``C_S``, ``D_P``, ``C_V``, ``D_A`` and ``C_T``, dimensionless.

        Examples
        --------
        >>> import cevns_fast as cf
        >>> unit = cf.SingletEFT(m_chi=0.0, C_S=1.0, C_T=1.0)
        >>> couplings = unit.nuclear_couplings(cf.nuclide("Cs133"))
        >>> round(couplings["C_S"].real, 2), round(couplings["C_T"].real, 2)
        (2192.18, 41.23)
        """
        values = self._values()
        found: dict[str, complex] = {}
        for name in _QUARK_COUPLINGS:
            u, d = values[name]
            if name in ("C_S", "D_P"):
                found[name] = sum(scalar_coupling(nuclide, u, d, self.quark_masses))
            else:
                found[name] = sum((tensor_coupling if name == "C_T" else vector_coupling)(nuclide, u, d))
        return found

    def _values(self) -> dict[str, tuple[complex, ...]]:
        """All couplings: dipoles as (a,), the others as (u, d)."""
        values: dict[str, tuple[complex, ...]] = {"a_M": (complex(self.a_M),), "a_E": (complex(self.a_E),)}
        for name in _QUARK_COUPLINGS:
            value: Coupling = getattr(self, name)
            pair = value if isinstance(value, tuple) else (value, value)
            values[name] = tuple(map(complex, pair))
        return values

    @classmethod
    def processes(cls, batch: Sequence[Self], nuclide: Nuclide) -> tuple[Process, ...]:
        """CL Eq. (2); Z and the prefactor of the dipole are in its amplitude."""
        interferes = {_convention(variant).vector_interference for variant in {each.variant for each in batch}}
        if len(interferes) == 1:
            return (Process(of_batch(batch, "m_chi"), _terms(nuclide.mass, interferes.pop())),)
        mix = np.array([float(each.convention.vector_interference) for each in batch])
        terms = tuple(
            term._replace(coefficient=term.coefficient * mix) if {V} < {term.first, term.second} else term
            for term in _terms(nuclide.mass, True)
        )
        return (Process(of_batch(batch, "m_chi"), terms),)

    @classmethod
    def scatterings(
        cls, batch: Sequence[Self], collision: Collision, couplings: Sequence[str], phases: Mapping[str, complex]
    ) -> tuple[Scattering, ...]:
        """On an electron the dipole alone, as on a nucleus of the electron's mass and charge."""
        if not isinstance(collision.target, Electron):
            return super().scatterings(batch, collision, couplings, phases)
        (polynomial,) = cls.amplitudes(batch, collision.target, couplings, phases)
        dipole = {e: amplitudes * (np.arange(4) == A)[:, None] for e, amplitudes in polynomial.items()}
        found = tuple(Scattering(process, dipole) for process in cls.processes(batch, collision.target))
        return found if collision.beam is None else of_flavours(found, batch, collision.beam)

    @classmethod
    def amplitudes(
        cls, batch: Sequence[Self], nuclide: Nuclide, couplings: Sequence[str], phases: Mapping[str, complex]
    ) -> tuple[AmplitudePolynomial, ...]:
        """The fixed couplings' amplitudes, and those of one unit of each open coupling."""
        # A scan over masses repeats one set of couplings: their amplitudes are computed once.
        keys = list(map(_WITHOUT_MASS, batch))
        names, directions = tuple(couplings), tuple(phases.items())
        if keys.count(keys[0]) == len(keys):  # by identity, which is faster than hashing
            return (_amplitudes(cls, keys[0], nuclide, names, directions),)
        each = [_amplitudes(cls, key, nuclide, names, directions) for key in keys]
        return ({exponents: np.concatenate([one[exponents] for one in each]) for exponents in each[0]},)

    def _fixed(self, nuclide: Nuclide, opened: tuple[str, ...]) -> Complexes:
        """Amplitudes of the couplings that are not open."""
        values = self._values()
        for name in opened:
            base, _, quark = name.partition("_")[2].partition("_")
            key = f"{name[0]}_{base}"
            if not quark:
                values[key] = (0j,) * len(values[key])
            else:
                u, d = values[key]
                values[key] = (0j, d) if quark == "u" else (u, 0j)
        return self._chiral(nuclide, values)

    def _unit(self, nuclide: Nuclide, name: str, phase: complex) -> Complexes:
        """Amplitudes of one unit of a coupling."""
        values: dict[str, tuple[complex, ...]] = {key: (0j,) * len(v) for key, v in self._values().items()}
        if name in values:
            values[name] = (phase,) * len(values[name])
        else:
            values[name[:-2]] = (phase, 0j) if name.endswith("_u") else (0j, phase)
        return self._chiral(nuclide, values)

    def _chiral(self, nuclide: Nuclide, values: Mapping[str, tuple[complex, ...]]) -> Complexes:
        """Amplitudes of the beam's helicity states."""
        prefactor = DIPOLE_PREFACTORS[self.convention.dipole_prefactor]
        flat = tuple(x for name in ("a_M", "a_E", *_QUARK_COUPLINGS) for x in values[name])
        return _chiral_amplitudes(nuclide, flat, prefactor, self.helicity == "summed", self.quark_masses)


_NAMES_WITHOUT_MASS = tuple(f.name for f in fields(SingletEFT) if f.name != "m_chi")
_WITHOUT_MASS = attrgetter(*_NAMES_WITHOUT_MASS)


@remember(maxsize=1024)
def _terms(M: float, vector_interference: bool) -> tuple[Term, ...]:
    """CL Eq. (2), term by term, on a nucleus of mass M."""
    G2 = G_FERMI**2
    SS = G2 * M / (4 * math.pi)
    VV = G2 * M / (2 * math.pi)
    TT = 4 * G2 * M / math.pi
    AA = 2 * G2 / (math.pi * M)
    AT = G2 * M / (math.sqrt(2) * math.pi)
    AS = -math.sqrt(2) * G2 * M / math.pi
    ST = -G2 * M / (2 * math.pi)
    # The vector's interferences: absent from CL, see docs/errata.
    mix = float(vector_interference)
    VS = mix * G2 * M / (2 * math.pi)
    VA = -mix * G2 * M / (math.sqrt(2) * math.pi)
    VT = -3 * mix * G2 * M / (2 * math.pi)
    return (
        Term(S, S, 0, -2, SS / 2, mass_power=2),
        Term(S, S, 1, -2, SS * M),
        Term(S, S, 1, -2, SS / (4 * M), mass_power=2),
        Term(S, S, 2, -2, SS / 2),
        Term(V, V, 0, 0, VV),
        Term(V, V, 0, -1, -VV / (2 * M), mass_power=2),
        Term(V, V, 0, -2, -VV / 4, mass_power=2),
        Term(V, V, 1, -1, -VV),
        Term(V, V, 1, -2, -VV * M / 2),
        Term(V, V, 1, -2, VV / (4 * M), mass_power=2),
        Term(V, V, 2, -2, VV / 2),
        Term(T, T, 0, 0, TT),
        Term(T, T, 0, -1, -TT / (2 * M), mass_power=2),
        Term(T, T, 0, -2, -TT / 8, mass_power=2),
        Term(T, T, 1, -1, -TT),
        Term(T, T, 1, -2, -TT * M / 4),
        Term(T, T, 1, -2, TT / (8 * M), mass_power=2),
        Term(T, T, 2, -2, TT / 4),
        Term(A, A, 0, -1, -AA * M),
        Term(A, A, 0, -2, AA / 4, mass_power=2),
        Term(A, A, -1, 0, AA * M),
        Term(A, A, -1, -1, -AA / 2, mass_power=2),
        Term(A, A, -1, -2, -AA * M / 4, mass_power=2),
        Term(A, A, -1, -2, AA / (8 * M), mass_power=4),
        Term(A, A, -2, -2, -AA / 8, mass_power=4),
        Term(A, T, 1, -2, 2 * AT),
        Term(A, T, 0, -2, -AT / M, mass_power=2),
        Term(A, T, -1, -2, -AT / (M * M), mass_power=4),
        Term(A, S, 0, -1, AS, odd=True),
        Term(A, S, 1, -2, -AS / 2, odd=True),
        Term(A, S, 0, -2, -AS / (4 * M), odd=True, mass_power=2),
        Term(S, T, 1, -1, 2 * ST, odd=True),
        Term(S, T, 2, -2, -ST, odd=True),
        Term(S, T, 1, -2, -ST / (2 * M), odd=True, mass_power=2),
        Term(S, V, 0, -1, VS, odd=True, mass_power=1),
        Term(S, V, 1, -2, -VS / 2, odd=True, mass_power=1),
        Term(S, V, 0, -2, -VS / (4 * M), odd=True, mass_power=3),
        Term(A, V, 0, -2, VA, mass_power=1),
        Term(A, V, 0, -2, -VA / (2 * M * M), mass_power=3),
        Term(A, V, 1, -2, -VA / M, mass_power=1),
        Term(A, V, -1, -2, VA / (2 * M), mass_power=3),
        Term(V, T, 1, -2, VT, mass_power=1),
        Term(V, T, 0, -2, VT / (2 * M), mass_power=3),
    )


@remember(maxsize=4096)
def _amplitudes(
    cls: type[SingletEFT],
    without_mass: tuple[Any, ...],
    nuclide: Nuclide,
    couplings: tuple[str, ...],
    phases: tuple[tuple[str, complex], ...],
) -> AmplitudePolynomial:
    """Amplitudes of one interaction, which do not depend on its mass."""
    interaction = cls(m_chi=0.0, **dict(zip(_NAMES_WITHOUT_MASS, without_mass, strict=True)))
    constant, directions = (0,) * len(couplings), dict(phases)
    found = {constant: interaction._fixed(nuclide, couplings)[None]}
    for i, name in enumerate(couplings):
        exponents = (*constant[:i], 1, *constant[i + 1 :])
        found[exponents] = interaction._unit(nuclide, name, complex(directions.get(name, 1.0)))[None]
    return found


@remember(maxsize=4096)
def _chiral_amplitudes(
    nuclide: Nuclide,
    flat: tuple[complex, ...],
    dipole_prefactor: float,
    both_helicities: bool,
    quark_masses: tuple[float, float],
) -> Complexes:
    """Amplitudes (A, S, V, T) of left- and right-handed neutrinos, complex128[2, 4, 2].

    A left-handed neutrino sees S = C_S* − iD_P*, V = C_V* − D_A*, A = a_M* − ia_E*, T = C_T*, a right-handed
    one the opposite signs, and either contributes half of CL Eq. (2): together they are the paper's sum.
    """
    a_M, a_E, S_u, S_d, P_u, P_d, V_u, V_d, A_u, A_d, T_u, T_d = (x.conjugate() for x in flat)
    amplitudes = np.zeros((2, 4, 2), dtype=np.complex128)
    for h, sign in enumerate((-1, 1)[: 1 + both_helicities]):
        amplitudes[h, A, 0] = nuclide.Z * dipole_prefactor * (a_M + sign * 1j * a_E)
        amplitudes[h, S] = scalar_coupling(nuclide, S_u + sign * 1j * P_u, S_d + sign * 1j * P_d, quark_masses)
        amplitudes[h, V] = vector_coupling(nuclide, V_u + sign * A_u, V_d + sign * A_d)
        amplitudes[h, T] = tensor_coupling(nuclide, T_u, T_d)
    amplitudes *= math.sqrt(0.5)
    amplitudes.setflags(write=False)
    return amplitudes
