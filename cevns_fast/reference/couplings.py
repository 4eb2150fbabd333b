"""From quark couplings to those of a nucleus: CL Eqs. (3)-(7), and the weak charge of the Standard Model.

Each function returns a proton part and a neutron part at q² = 0; form factors multiply them later.
"""

import math
from typing import Any, NamedTuple

from cevns_fast.constants import ALPHA, G_FERMI, M_NEUTRON, M_PROTON, M_W, SIN2_THETA_W

__all__ = ["Convention", "convention", "dipole", "scalar", "tensor", "vector", "weak_charge"]

PerNucleon = tuple[complex, complex]

# CL Eq. (7)
F_TU_P, F_TD_P, F_TU_N, F_TD_N = 0.019, 0.041, 0.023, 0.034
DELTA_U_P, DELTA_D_P, DELTA_U_N, DELTA_D_N = 0.54, -0.23, -0.23, 0.54


def _quarks(coupling: Any) -> tuple[complex, complex]:
    """A number is the coupling to both u and d."""
    if isinstance(coupling, tuple | list):
        u, d = coupling
        return complex(u), complex(d)
    return complex(coupling), complex(coupling)


def scalar(nuclide: Any, coupling: Any, quark_masses: tuple[float, float]) -> PerNucleon:
    """C_S or D_P of a nucleus, CL Eq. (3), summed over q = u, d (a misprint there has "n, d")."""
    u, d = _quarks(coupling)
    m_u, m_d = quark_masses
    proton = nuclide.Z * (u * M_PROTON / m_u * F_TU_P + d * M_PROTON / m_d * F_TD_P)
    neutron = nuclide.N * (u * M_NEUTRON / m_u * F_TU_N + d * M_NEUTRON / m_d * F_TD_N)
    return proton, neutron


def vector(nuclide: Any, coupling: Any) -> PerNucleon:
    """C_V or D_A of a nucleus, CL Eq. (4)."""
    u, d = _quarks(coupling)
    return nuclide.Z * (2 * u + d), nuclide.N * (u + 2 * d)


def tensor(nuclide: Any, coupling: Any) -> PerNucleon:
    """C_T of a nucleus, CL Eq. (5), with δ_u for the printed δ_n and F_p for the protons."""
    u, d = _quarks(coupling)
    return nuclide.Z * (DELTA_U_P * u + DELTA_D_P * d), nuclide.N * (DELTA_U_N * u + DELTA_D_N * d)


def dipole(nuclide: Any, coupling: Any) -> PerNucleon:
    """Z A_M or Z A_E of a nucleus, CL Eq. (6): the photon sees protons only."""
    return nuclide.Z * complex(coupling), 0j


def weak_charge(nuclide: Any, sin2_theta_w: float) -> tuple[float, float]:
    """Z g_p + N g_n with g_p = 1/2 - 2 sin²θ_W and g_n = -1/2, below CL Eq. (11) and CLLS Eq. (22)."""
    return nuclide.Z * (0.5 - 2 * sin2_theta_w), -0.5 * nuclide.N


class Convention(NamedTuple):
    """What "published" and "corrected" switch in CL Eq. (2)."""

    dipole_prefactor: float
    """MeV: what multiplies Z A_M, in the place of s_W M_W."""
    vector_interference: bool


def convention(variant: Any) -> Convention:
    """The choices of a `SingletEFT` variant: a name or an object with the two fields of `EFTConvention`.

    s_W M_W in CL Eq. (2) stands for e v_H/2, as in the amplitude (A4); they agree at tree level only.
    """
    names = {"published": ("s_W M_W", False), "corrected": ("e v_H/2", True)}
    if isinstance(variant, str):
        prefactor, interference = names[variant]
    else:
        prefactor, interference = variant.dipole_prefactor, variant.vector_interference
    v_H = 1 / math.sqrt(math.sqrt(2) * G_FERMI)
    values = {
        "s_W M_W": math.sqrt(SIN2_THETA_W) * M_W,
        "e v_H/2": math.sqrt(4 * math.pi * ALPHA) * v_H / 2,
    }
    return Convention(values[prefactor], interference)
