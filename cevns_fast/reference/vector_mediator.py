"""The vector mediator of Chao, Li, Liao & Su 2021 (CLLS): tree and loops.

In this module m = m_χ; loop functions are functions of the masses and come from `loop_functions` (mpmath).
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cevns_fast.constants import G_FERMI, M_NEUTRON, M_PROTON
from cevns_fast.reference.channel import Beam, Channel, rows
from cevns_fast.reference.couplings import weak_charge
from cevns_fast.reference.form_factor import nuclear_mass, proton_and_neutron
from cevns_fast.reference.loop_functions import F_G, LoopFunctions, loop_functions

__all__ = ["LoopChoices", "chao_23", "chao_25", "loop_coefficients", "vector_mediator"]

Floats = NDArray[np.float64]
PerNucleon = tuple[float, float]

QUARKS = ("u", "d", "s", "c", "b", "t")
#: MeV; of the light ones at 2 GeV, of c and b at their own scale, of t the pole mass.
QUARK_MASS = {"u": 2.16, "d": 4.67, "s": 93.4, "c": 1270.0, "b": 4180.0, "t": 172760.0}


class Nucleon(NamedTuple):
    """Matrix elements of CLLS (11)-(13), each of (proton, neutron)."""

    f_q: dict[str, tuple[float, float]]
    """m_N f_q = <N| m_q q̄q |N>."""
    twist_2: dict[str, tuple[float, float]]
    """q(2) + q̄(2)."""

    def f_G(self, i: int) -> float:
        """Of the proton (i = 0) or neutron (1): what the light quarks leave to the gluons."""
        return 1 - sum(f[i] for f in self.f_q.values())


_TWIST_2_AT_M_Z = {
    "u": (0.254, 0.146), "d": (0.146, 0.254), "s": (0.052, 0.052), "c": (0.038, 0.038), "b": (0.024, 0.024),
}  # fmt: skip
#: f_q are the defaults of micrOMEGAs 4 and 5, and of micrOMEGAs 2.
MICROMEGAS = Nucleon({"u": (0.0153, 0.0110), "d": (0.0191, 0.0273), "s": (0.0447, 0.0447)}, _TWIST_2_AT_M_Z)
MICROMEGAS_2 = Nucleon({"u": (0.023, 0.018), "d": (0.033, 0.042), "s": (0.26, 0.26)}, _TWIST_2_AT_M_Z)


class LoopChoices(NamedTuple):
    """Where CLLS as printed and as corrected differ."""

    fg_variant: str  # sign of 4 m_q⁴ in (A7): "published" or "corrected"
    phi_phi: tuple[float, float, float]  # factors of the φφ boxes in c1, c2, c3, (29)-(31)
    momentum: str  # in the twist-2 terms: "nucleus" or "nucleon"
    sm_interference: bool  # of c2 with the Standard Model


PUBLISHED = LoopChoices("published", (-32.0, -64.0, -32.0), "nucleus", False)
CORRECTED = LoopChoices("corrected", (16.0, 32.0, 16.0), "nucleon", True)


class LoopCoefficients(NamedTuple):
    """c1 [MeV⁻²], c2 [MeV⁻⁵], c3 [MeV⁻⁶] of CLLS Eqs. (26)-(31), each of (protons, neutrons)."""

    c1: PerNucleon
    c2: PerNucleon
    c3: PerNucleon


def chao_23(E: Any, T: float, M: float, m: float, m_zprime: float, charge: float) -> Any:
    """CLLS Eq. (23), with charge = g_χL [(2g_u + g_d) Z F_p + (g_u + 2g_d) N F_n]."""
    bracket = (2 - M * T / E**2 - 2 * T / E + T**2 / E**2) - m**2 / (2 * E**2) * (1 + 2 * E / M - T / M)
    return charge**2 * M / (4 * math.pi * (m_zprime**2 + 2 * M * T) ** 2) * bracket


def chao_25(E: Any, T: float, M: float, c1: float, c2: float, c3: float) -> list[Any]:
    """CLLS Eq. (25), the square in it multiplied out."""
    factor = M**3 / (8 * math.pi) * (2 * M + T)
    return [
        factor * T * (c1 / (M * E)) ** 2,
        factor * T * 2 * c1 * c3,
        factor * T * (c3 * M * E) ** 2,
        factor * c2**2 * (2 * M * E * (E - T) - M**2 * T),
    ]


def standard_model_c2(E: Any, T: float, M: float, Q: float, c2: float) -> Any:
    """Interference of c2 with the Standard Model for neutrinos; CLLS Eq. (21) lacks it."""
    return -G_FERMI * Q * c2 * M**3 / (math.sqrt(2) * math.pi * E) * (2 * E * (E - T) - M * T)


@lru_cache(maxsize=256)
def _loop_functions(m_chi: float, m_zprime: float) -> LoopFunctions:
    return loop_functions(m_chi, m_zprime)


@lru_cache(maxsize=256)
def _F_G(m_chi: float, m_zprime: float, m_q: float, variant: str) -> float:
    return F_G(m_chi, m_zprime, m_q, variant)


def loop_coefficients(
    nuclide: Any,
    m_chi: float,
    m_zprime: float,
    *,
    g_chi_L: float,
    g_chi_R: float,
    g_q: dict[str, float],
    case: str,
    choices: LoopChoices,
    nucleon: Nucleon = MICROMEGAS,
    quark_mass: dict[str, float] = QUARK_MASS,
) -> LoopCoefficients:
    """c1, c2, c3 of a nucleus by CLLS Eqs. (26)-(28) for case A, (29)-(31) for case B.

    Parameters
    ----------
    nuclide : Nuclide
    m_chi, m_zprime : float
        MeV.
    g_chi_L, g_chi_R : float
    g_q : dict
        g_q of each of u, d, s, c, b, t.
    case : {"A", "B"}
        g_qL = g_qR, or g_qL = -g_qR.
    choices : LoopChoices
    nucleon : Nucleon
    quark_mass : dict
        Of the same quarks, MeV, in the φφ boxes and F_G.

    Returns
    -------
    LoopCoefficients
    """
    D = _loop_functions(m_chi, m_zprime)
    m, Z2 = m_chi, m_zprime**2
    LR, LL = g_chi_L * g_chi_R / (4 * math.pi) ** 2, g_chi_L**2 / (4 * math.pi) ** 2
    kappa, kappa_2 = {"A": (-4, -3), "B": (12, 13)}[case]
    number, mass = (nuclide.Z, nuclide.N), (M_PROTON, M_NEUTRON)
    c1, c2, c3 = [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
    for i in range(2):  # protons, neutrons
        n, m_N = number[i], mass[i]

        def scalar(q: str, i: int = i, n: int = n, m_N: float = m_N) -> float:
            return g_q[q] ** 2 * n * m_N * nucleon.f_q[q][i]

        def twist(q: str, i: int = i, n: int = n, m_N: float = m_N) -> float:
            return g_q[q] ** 2 * n / m_N * nucleon.twist_2[q][i]

        def gluon(q: str, i: int = i, n: int = n, m_N: float = m_N) -> float:
            return g_q[q] ** 2 * n * m_N * nucleon.f_G(i)

        c1[i] = -LR * m * (kappa * D.D0b + 8 / Z2 * D.D00a_D00b) * sum(scalar(q) for q in "uds")
        c1[i] -= kappa_2 * LR * m * 2 / 27 * D.D0b * sum(gluon(q) for q in "cb")
        # 8(D1b + D0b) as in (16); (5) has D11b + D00b.
        box = 16 / Z2 * (4 * D.D001a_D001b + D.D00a_D00b) + 8 * (D.D1b + D.D0b)
        c2[i] = LL * box * sum(twist(q) for q in "udscb")
        # g_q² inside the sum; the first line of (31) lacks it.
        c3[i] = -LR * 8 * m / Z2 * D.D11a_D11b * sum(twist(q) for q in "udscb")
        if case == "B":
            phi1, phi2, phi3 = choices.phi_phi
            c1[i] += LR * 32 * m / Z2 * D.D00b * sum(scalar(q) for q in "uds")
            light = sum(quark_mass[q] ** 2 * scalar(q) for q in "uds")
            c1[i] += phi1 * LR * m**3 / Z2**3 * D.D00a_D00b * light
            c1[i] += (
                LR
                * m**3
                / Z2**2
                * 4
                / 27
                * sum(
                    quark_mass[q] ** 2 * _F_G(m, m_zprime, quark_mass[q], choices.fg_variant) * gluon(q)
                    for q in "cbt"
                    if g_q[q] != 0
                )
            )
            twisted = sum(quark_mass[q] ** 2 * twist(q) for q in "udscb")
            c2[i] += phi2 * LL * m**2 / Z2**3 * D.D001a_D001b * twisted
            c3[i] += phi3 * LR * m**3 / Z2**3 * D.D11a_D11b * twisted
    # (25) has the nucleus's momentum in the twist-2 operators; each nucleon carries 1/A of it.
    share = 1.0 if choices.momentum == "nucleus" else 1 / (nuclide.Z + nuclide.N) ** 2
    return LoopCoefficients((c1[0], c1[1]), (share * c2[0], share * c2[1]), (share * c3[0], share * c3[1]))


def _choices(variant: Any) -> LoopChoices:
    """Of a `VectorMediator`'s variant: a name or a `LoopConvention`."""
    if isinstance(variant, str):
        return {"published": PUBLISHED, "corrected": CORRECTED}[variant]
    named = {"published": PUBLISHED, "corrected": CORRECTED}
    return LoopChoices(
        variant.F_G,
        named[variant.phi_phi].phi_phi,
        variant.momentum,
        variant.sm_interference,
    )


def _nucleon(nucleon: Any) -> Nucleon:
    """Of a `VectorMediator`: a name or a `PartonContent`, whose fields are sequences over the quarks."""
    if isinstance(nucleon, str):
        return {"micrOMEGAs": MICROMEGAS, "micrOMEGAs 2": MICROMEGAS_2}[nucleon]
    f_q = zip(nucleon.mass_fraction_proton, nucleon.mass_fraction_neutron, strict=True)
    twist_2 = zip(nucleon.twist2_proton, nucleon.twist2_neutron, strict=True)
    return Nucleon(dict(zip("uds", f_q, strict=True)), dict(zip("udscb", twist_2, strict=True)))


def _by_quark(values: Any) -> dict[str, float]:
    """A mapping, others zero, or a sequence over u, d, s, c, b, t."""
    if isinstance(values, Mapping):
        return {q: float(values.get(q, 0.0)) for q in QUARKS}
    return dict(zip(QUARKS, map(float, values), strict=True))


def vector_mediator(vector: Any, nuclide: Any, form_factor: Any) -> list[Channel]:
    """Tree νN → χN (case A) and loops νN → νN of a `VectorMediator`.

    Parameters
    ----------
    vector : VectorMediator
        The interference of c2 with the Standard Model is part of it.
    nuclide : Nuclide
    form_factor : HelmFormFactor, PointNucleus or None

    Returns
    -------
    list of Channel
    """
    M, m, m_zprime = nuclear_mass(nuclide), float(vector.m_chi), float(vector.m_zprime)
    # g_χ and g_q appear as powers of their product alone: all of it is put into the quark couplings.
    g_q = {q: float(vector.gchi_gq) * unit for q, unit in _by_quark(vector.quark_couplings).items()}
    g_chi_L, g_chi_R = map(float, vector.chi_couplings)
    result = []
    if vector.tree and vector.case == "A":
        proton = g_chi_L * nuclide.Z * (2 * g_q["u"] + g_q["d"])
        neutron = g_chi_L * nuclide.N * (g_q["u"] + 2 * g_q["d"])

        def tree(E: Floats, T: float, beam: Beam) -> Floats:
            F_p, F_n = proton_and_neutron(form_factor, nuclide, T)
            return rows([chao_23(E, T, M, m, m_zprime, proton * F_p + neutron * F_n)], E)

        result.append(Channel(m, tree))
    if vector.loops:
        choices = _choices(vector.variant)
        coefficients = loop_coefficients(
            nuclide,
            m,
            m_zprime,
            g_chi_L=g_chi_L,
            g_chi_R=g_chi_R,
            g_q=g_q,
            case=vector.case,
            choices=choices,
            nucleon=_nucleon(vector.nucleon),
            quark_mass=_by_quark(vector.quark_masses),
        )
        weak = weak_charge(nuclide, vector.sin2_theta_w)

        def loops(E: Floats, T: float, beam: Beam) -> Floats:
            F_p, F_n = proton_and_neutron(form_factor, nuclide, T)
            c1, c2, c3 = (p * F_p + n * F_n for p, n in coefficients)
            terms = chao_25(E, T, M, c1, c2, c3)
            if choices.sm_interference:
                Q = weak[0] * F_p + weak[1] * F_n
                terms.append((-1 if beam.antineutrino else 1) * standard_model_c2(E, T, M, Q, c2))
            return rows(terms, E)

        result.append(Channel(0.0, loops))
    return result
