"""A leptophobic vector mediator Z′ and a new fermion χ, trees and loops: Chao, Li, Liao & Su 2021 (CLLS)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, ClassVar, Literal, Self, cast

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._support.remember import remember
from cevns_fast.constants import G_FERMI, M_NEUTRON, M_PROTON, SIN2_THETA_W
from cevns_fast.interactions.loop_functions import F_G, loop_functions
from cevns_fast.interactions.process import (
    FLAVOURS,
    AmplitudePolynomial,
    Floats,
    Interaction,
    Process,
    Term,
    check_flavours,
    of_batch,
)
from cevns_fast.interactions.standard_model import StandardModel
from cevns_fast.nuclear.nuclei import Nuclide
from cevns_fast.nuclear.nucleon import (
    PARTON_CONTENTS,
    QUARKS,
    SIX_QUARK_MASSES,
    PartonContent,
    vector_coupling,
    weak_charge,
)

Sextet = tuple[float, float, float, float, float, float]

DOWNPHILIC: Sextet = (0.0, 1.0, 1.0, 0.0, 1.0, 0.0)  # u, d, s, c, b, t

# What the Lorentz contraction leaves in front of D0b: CLLS below (5) and, with two loops, below (9).
KAPPA = {"A": -4.0, "B": 12.0}
KAPPA_GLUON = {"A": -3.0, "B": 13.0}

# Prefactors of the φφ boxes in c1, c2, c3. CLLS (29)–(31) have −2 times what the diagrams give.
PHI_PHI_FACTORS = {"published": (-32.0, -64.0, -32.0), "corrected": (16.0, 32.0, 16.0)}


_QUARK_COUPLINGS = tuple(f"g_{quark}" for quark in QUARKS)
_QUARK_MASSES = tuple(f"m_{quark}" for quark in QUARKS)
_CHI_COUPLINGS = ("g_χL", "g_χR")


def _flag(name: str, value: Any) -> None:
    """`ValueError` unless True or False."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} = {value!r}: must be True or False")


@dataclass(frozen=True)
class LoopConvention:
    """The choices in which the loops of CLLS as printed and as corrected differ; each can be made alone.

    Attributes
    ----------
    PUBLISHED, CORRECTED : LoopConvention
        Of the class: all choices as printed, and as corrected.
    F_G : {"corrected", "published"}
        Sign of the term with m_q⁴ in (A7): + has the right heavy- and light-quark limits, − is printed.
    phi_phi : {"corrected", "published"}
        Factors of the φφ boxes in (29)–(31): +16, +32, +16, or the printed −32, −64, −32.
    momentum : {"nucleon", "nucleus"}
        Whose momentum the twist-2 operators of (13) see. As printed, (25) has that of the nucleus, which
        makes c2 and c3 too large by A²; a nucleon carries 1/A of it.
    sm_interference : bool
        Whether c2 interferes with the Standard Model; CLLS (21) leaves that out.

    Examples
    --------
    >>> LoopConvention(momentum="nucleus") == LoopConvention.CORRECTED
    False
    """

    F_G: Literal["corrected", "published"] = "corrected"
    phi_phi: Literal["corrected", "published"] = "corrected"
    momentum: Literal["nucleon", "nucleus"] = "nucleon"
    sm_interference: bool = True

    PUBLISHED: ClassVar["LoopConvention"]
    CORRECTED: ClassVar["LoopConvention"]

    def __post_init__(self) -> None:
        validate.choice("F_G", self.F_G, ("corrected", "published"))
        validate.choice("phi_phi", self.phi_phi, PHI_PHI_FACTORS)
        validate.choice("momentum", self.momentum, ("nucleon", "nucleus"))
        _flag("sm_interference", self.sm_interference)


LoopConvention.PUBLISHED = LoopConvention("published", "published", "nucleus", sm_interference=False)
LoopConvention.CORRECTED = LoopConvention()
VARIANTS = {"published": LoopConvention.PUBLISHED, "corrected": LoopConvention.CORRECTED}

TREE = 0  # the nuclear amplitude of νN → χN
Q, C1, C2, C3 = range(4)  # those of νN → νN: the weak charge, which c2 interferes with, and the loops


@dataclass(frozen=True)
class VectorMediator(Interaction):
    """νN → χN by exchange of a Z′, and νN → νN with χ and two Z′ in loops, CLLS Eqs. (2)–(31).

    Attributes
    ----------
    m_chi : float
        Mass of χ, MeV, > 0; 0 is allowed without loops.
    m_zprime : float
        Mass of the mediator, MeV, > 0; 0 is allowed without loops.
    gchi_gq : float
        g_χ g_q, dimensionless: the tree's rate is proportional to its square, the loops' to its fourth power.
    case : {"A", "B"}
        g_qR = g_qL = g_q, a vector current, or g_qR = −g_qL = −g_q, an axial one, which has no coherent tree.
    variant : {"corrected", "published"} or LoopConvention
        Choices in which the paper's loops are improved upon; see `LoopConvention`.
    loops, tree : bool
        Which of the two processes to include.
    chi_couplings : (float, float)
        g_χL and g_χR in units of g_χ. The tree sees g_χL only.
    quark_couplings : tuple of 6 floats, or mapping
        g_q of (u, d, s, c, b, t) in units of g_q, or by name, others zero. The default is the paper's
        "downphilic" 1 for d, s, b.
    nucleon : str or PartonContent
        Matrix elements of the nucleon: a name in `cevns_fast.nuclear.nucleon.PARTON_CONTENTS`, or one's own.
    quark_masses : tuple of 6 floats
        Of (u, d, s, c, b, t), MeV, in the φφ boxes and F_G of case B.
    flavours : sequence of "e", "mu", "tau"
        Which neutrinos couple, each to a χ of its own.
    sin2_theta_w : float
        Weak mixing angle of the Standard Model that c2 interferes with: must be that of the
        `StandardModel` which the counts are added to.

    Raises
    ------
    ValueError
        If a mass or coupling is out of range or not finite, or a name is unknown.

    Notes
    -----
    W. Chao, T. Li, J. Liao and M. Su, Phys. Rev. D 104 (2021) 095017, arXiv:2108.12648: tree (23), loops (25)
    with c1, c2, c3 of (26)–(31). The interference of c2 with the Standard Model is part of the interaction, so
    that counts and cross sections add up to the full ones; `LoopConvention(sm_interference=False)` omits it.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> vector = cf.VectorMediator(m_chi=10.0, m_zprime=100.0, gchi_gq=5e-8)
    >>> f"{cf.differential_cross_section(vector, cf.nuclide('Cs133'), E=30.0, T=0.005):.3e}"
    '3.314e-36'
    """

    m_chi: float
    m_zprime: float
    gchi_gq: float = 0.0
    case: Literal["A", "B"] = "A"
    variant: Literal["corrected", "published"] | LoopConvention = "corrected"
    loops: bool = True
    tree: bool = True
    chi_couplings: tuple[float, float] = (1.0, 1.0)
    quark_couplings: Sextet | Mapping[str, float] = DOWNPHILIC
    nucleon: str | PartonContent = "micrOMEGAs"
    quark_masses: Sextet = SIX_QUARK_MASSES
    sin2_theta_w: float = SIN2_THETA_W
    flavours: tuple[str, ...] = FLAVOURS

    couplings: ClassVar[Mapping[str, str]] = {"gchi_gq": "g_χ g_q"}
    default_couplings: ClassVar[tuple[str, ...]] = ("gchi_gq",)

    def __post_init__(self) -> None:
        _flag("loops", self.loops)
        _flag("tree", self.tree)
        validate.number("m_chi", self.m_chi, minimum=0.0, positive=self.loops)
        validate.number("m_zprime", self.m_zprime, minimum=0.0, positive=self.loops)
        validate.number("gchi_gq", self.gchi_gq)
        validate.choice("case", self.case, KAPPA)
        if not isinstance(self.variant, LoopConvention):
            validate.choice("variant", self.variant, VARIANTS)
        if not isinstance(self.nucleon, PartonContent):
            validate.choice("nucleon", self.nucleon, PARTON_CONTENTS)
        if self.quark_couplings is not DOWNPHILIC:
            given: Any = self.quark_couplings
            if type(given) is not tuple and isinstance(given, Mapping):
                validate.unknown_fields("quark_couplings", given, QUARKS)
                given = tuple(given.get(quark, 0.0) for quark in QUARKS)
            self._tuple("quark_couplings", given, _QUARK_COUPLINGS)
        if self.chi_couplings is not type(self).chi_couplings:
            self._tuple("chi_couplings", self.chi_couplings, _CHI_COUPLINGS)
        if self.quark_masses is not SIX_QUARK_MASSES:
            self._tuple("quark_masses", self.quark_masses, _QUARK_MASSES, positive=True)
        if self.flavours is not FLAVOURS:
            check_flavours(self)
        if not 0 <= validate.number("sin2_theta_w", self.sin2_theta_w) <= 1:
            raise ValueError(f"sin2_theta_w = {self.sin2_theta_w!r}: must be from 0 to 1")

    def _tuple(self, name: str, values: Any, entries: Sequence[str], *, positive: bool = False) -> None:
        """Check a tuple of numbers, and keep it as one: fields are hashable."""
        if not isinstance(values, tuple | list | np.ndarray) or len(values) != len(entries):
            raise ValueError(f"{name} = {values!r}: must be the {len(entries)} numbers ({', '.join(entries)})")
        least = 0.0 if positive else -math.inf
        if (
            values is getattr(self, name)
            and type(values) is tuple
            and all([type(x) is float and least < x < math.inf for x in values])
        ):
            return
        numbers = zip(entries, values, strict=True)
        checked = tuple(validate.number(f"{name}: {each}", value, positive=positive) for each, value in numbers)
        object.__setattr__(self, name, checked)

    @property
    def convention(self) -> LoopConvention:
        """The variant spelled out."""
        return self.variant if isinstance(self.variant, LoopConvention) else VARIANTS[self.variant]

    @property
    def content(self) -> PartonContent:
        """The nucleon's matrix elements spelled out."""
        return self.nucleon if isinstance(self.nucleon, PartonContent) else PARTON_CONTENTS[self.nucleon]

    def loop_coefficients(self, nuclide: Nuclide) -> dict[str, float]:
        """c1, c2, c3 of a nucleus at q² = 0, CLLS Eqs. (26)–(31), with the couplings of this interaction.

        Parameters
        ----------
        nuclide : Nuclide

        Returns
        -------
        dict of str to float
            ``c1`` in MeV⁻², ``c2`` in MeV⁻⁵, ``c3`` in MeV⁻⁶; zero without loops.

        Examples
        --------
        >>> import cevns_fast as cf
        >>> vector = cf.VectorMediator(m_chi=100.0, m_zprime=1000.0, gchi_gq=5e-4, case="B")
        >>> f"{vector.loop_coefficients(cf.nuclide('Cs133'))['c1']:.4g}"
        '-1.251e-13'
        """
        values = _nuclear_loops([self], nuclide)[0].sum(axis=-1) * self.gchi_gq**2
        return dict(zip(("c1", "c2", "c3"), values.tolist(), strict=True))

    def check_standard_model(self, standard_model: StandardModel) -> None:
        """The interference with the Standard Model must be with the one that is added."""
        if not (self.loops and self.convention.sm_interference):
            return
        if standard_model.sin2_theta_w != self.sin2_theta_w:
            raise ValueError(
                f"sin2_theta_w = {self.sin2_theta_w!r}: the loops interfere with a Standard Model of this weak mixing "
                f"angle, but the one added has {standard_model.sin2_theta_w!r}; give both the same"
            )
        if standard_model.couplings != "tree":
            raise ValueError(
                f"couplings = {standard_model.couplings!r}: must be 'tree' for the Standard Model that the loops of a "
                "VectorMediator interfere with"
            )

    @classmethod
    def processes(cls, batch: Sequence[Self], nuclide: Nuclide) -> tuple[Process, ...]:
        """CLLS Eqs. (23) and (25), term by term, and the interference of c2 with the Standard Model."""
        tree, loops = _terms(nuclide.mass)
        return Process(of_batch(batch, "m_chi"), tree, 2, of_batch(batch, "m_zprime")), Process(0.0, loops)

    @classmethod
    def amplitudes(
        cls, batch: Sequence[Self], nuclide: Nuclide, couplings: Sequence[str], phases: Mapping[str, complex]
    ) -> tuple[AmplitudePolynomial, ...]:
        """g_χL Σ g_q of the tree; the loops, and the weak charge beside them.

        A phase of the coupling changes nothing: it can be absorbed in χ.
        """
        n = len(batch)
        tree = np.zeros((n, 1, 1, 2), dtype=np.complex128)
        charge = np.zeros((n, 1, 4, 2), dtype=np.complex128)
        loops = np.zeros_like(charge)
        for i, each in enumerate(batch):
            if each.tree and each.case == "A":  # (15): an axial current has no coherent tree
                u, d, *_ = cast(Sextet, each.quark_couplings)
                tree[i, 0, TREE] = np.multiply(each.chi_couplings[0], vector_coupling(nuclide, u, d))
            if each.loops and each.convention.sm_interference:
                charge[i, 0, Q] = weak_charge(nuclide, each.sin2_theta_w)
        loops[:, 0, C1:] = _nuclear_loops(batch, nuclide)
        if couplings:
            return {(1,): tree}, {(0,): charge, (2,): loops}
        g = np.array([each.gchi_gq for each in batch])[:, None, None, None]
        return {(): g * tree}, {(): charge + g**2 * loops}


@remember(maxsize=1024)
def _terms(M: float) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
    """CLLS Eqs. (23), less the propagator, and (25), multiplied out, on a nucleus of mass M."""
    g = M / (4 * math.pi)
    tree = (
        Term(TREE, TREE, 0, 0, 2 * g),
        Term(TREE, TREE, 0, -1, -g / M, mass_power=2),
        Term(TREE, TREE, 0, -2, -g / 2, mass_power=2),
        Term(TREE, TREE, 1, -1, -2 * g),
        Term(TREE, TREE, 1, -2, -g * M),
        Term(TREE, TREE, 1, -2, g / (2 * M), mass_power=2),
        Term(TREE, TREE, 2, -2, g),
    )
    h = M**3 / (8 * math.pi)
    mix = -G_FERMI * M**3 / (math.sqrt(2) * math.pi)
    loops = (
        Term(C1, C1, 1, -2, 2 * h / M),
        Term(C1, C1, 2, -2, h / M**2),
        Term(C1, C3, 1, 0, 4 * h * M),
        Term(C1, C3, 2, 0, 2 * h),
        Term(C3, C3, 1, 2, 2 * h * M**3),
        Term(C3, C3, 2, 2, h * M**2),
        Term(C2, C2, 0, 2, 4 * h * M**2),
        Term(C2, C2, 1, 2, 2 * h * M),
        Term(C2, C2, 1, 1, -4 * h * M**2),
        Term(C2, C2, 1, 0, -2 * h * M**3),
        Term(C2, C2, 2, 1, -2 * h * M),
        Term(C2, C2, 2, 0, -h * M**2),
        # −√2 G_F Q is the Standard Model's amplitude: absent from (21), see docs/errata.
        Term(Q, C2, 0, 1, 2 * mix, odd=True),
        Term(Q, C2, 1, 0, -2 * mix, odd=True),
        Term(Q, C2, 1, -1, -M * mix, odd=True),
    )
    return tree, loops


_LOOP_INPUTS = attrgetter(
    "m_chi", "m_zprime", "case", "convention", "chi_couplings", "quark_couplings", "quark_masses", "content"
)


def _nuclear_loops(batch: Sequence[VectorMediator], nuclide: Nuclide) -> Floats:
    """c1, c2, c3 for unit g_χ g_q, float64[n, 3, 2 (protons, neutrons)]; zero without loops."""
    found = np.zeros((len(batch), 3, 2))
    rows = [i for i, each in enumerate(batch) if each.loops]
    if rows:
        found[rows] = _loops_per_nucleon(tuple(_LOOP_INPUTS(batch[i]) for i in rows))
        found *= (nuclide.Z, nuclide.N)
        # k of (25) is the nucleus's momentum; each nucleon carries 1/A of it, and the twist-2 operators have two.
        share = [1.0 if each.convention.momentum == "nucleus" else nuclide.A**-2.0 for each in batch]
        found[:, 1:] *= np.array(share)[:, None, None]
    return found


@remember(maxsize=32)
def _loops_per_nucleon(inputs: tuple[tuple[Any, ...], ...]) -> Floats:
    """c1, c2, c3 of a proton and of a neutron for unit g_χ g_q, float64[n, 3, 2]: CLLS Eqs. (26)–(31)."""
    chi, zprime, case, convention, chirality, quark, masses, content = zip(*inputs, strict=True)
    m, Z2 = np.array(chi), np.square(zprime)
    axial = np.array([each == "B" for each in case])  # only then the Goldstone boson φ couples
    L, R = np.array(chirality).T / (4 * math.pi)
    LR, LL = L * R, L * L
    m_N = np.array([M_PROTON, M_NEUTRON])

    # Sums over quarks, [n, 2]. Those with m_q² (names in _m2) belong to φ. g_q² is inside all of them.
    g2 = np.square(quark)
    g2_m2 = g2 * np.square(masses)
    scalar = np.array([(c.mass_fraction_proton, c.mass_fraction_neutron) for c in content])  # f_q
    twist = np.array([(c.twist2_proton, c.twist2_neutron) for c in content])  # q(2) + q̄(2)
    gluon = m_N * np.array([c.gluon_fraction for c in content])
    light, light_m2 = (m_N * np.einsum("nq,nNq->nN", g[:, :3], scalar) for g in (g2, g2_m2))
    twist2, twist2_m2 = (np.einsum("nq,nNq->nN", g[:, :5], twist) / m_N for g in (g2, g2_m2))
    heavy = g2[:, 3:5].sum(axis=1)[:, None] * gluon  # c and b: t is neglected, CLLS below (9)
    heavy_m2 = _sum_F_G(m, np.array(zprime), np.array(masses)[:, 3:], axial[:, None] * g2_m2[:, 3:], convention)

    D = loop_functions(m, np.array(zprime), threads=1)
    kappa = np.array([KAPPA[each] for each in case])
    kappa_gluon = np.array([KAPPA_GLUON[each] for each in case])
    phi_1, phi_2, phi_3 = (axial[:, None] * [PHI_PHI_FACTORS[each.phi_phi] for each in convention]).T

    def times(coefficient: Any, sums: Floats) -> Floats:
        return np.asarray(coefficient)[:, None] * sums

    found = np.empty((len(m), 3, 2))
    found[:, 0] = (  # (26), (29)
        times(-LR * m * (kappa * D.D0b + 8 / Z2 * D.D00a_D00b), light)
        + times(axial * LR * 32 * m / Z2 * D.D00b, light)
        + times(phi_1 * LR * m**3 / Z2**3 * D.D00a_D00b, light_m2)
        - times(kappa_gluon * LR * m * 2 / 27 * D.D0b, heavy)
        + times(LR * m**3 / Z2**2 * 4 / 27 * heavy_m2, gluon)
    )
    found[:, 1] = (  # (27), (30)
        times(LL * (16 / Z2 * (4 * D.D001a_D001b + D.D00a_D00b) + 8 * (D.D1b + D.D0b)), twist2)
        + times(phi_2 * LL * m**2 / Z2**3 * D.D001a_D001b, twist2_m2)
    )  # fmt: skip
    found[:, 2] = (  # (28), (31), whose first line lacks g_q²
        times(-LR * 8 * m / Z2 * D.D11a_D11b, twist2)
        + times(phi_3 * LR * m**3 / Z2**3 * D.D11a_D11b, twist2_m2)
    )  # fmt: skip
    found.setflags(write=False)
    return found


def _sum_F_G(m: Floats, zprime: Floats, quark: Floats, weight: Floats, convention: Sequence[LoopConvention]) -> Floats:
    """Σ_Q g_Q² m_Q² F_G over the heavy quarks c, b, t that couple, (29), MeV⁻² float64[n]."""
    values = np.zeros_like(weight)
    for variant in ("corrected", "published"):
        chosen = np.array([each.F_G == variant for each in convention])
        i, q = np.nonzero((weight > 0) & chosen[:, None])
        if i.size:
            values[i, q] = F_G(m[i], zprime[i], quark[i, q], variant)
    return np.asarray((weight * values).sum(axis=1))
