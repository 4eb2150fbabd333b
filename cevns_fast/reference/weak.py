"""Weak neutral-current couplings of nucleons and electrons, with radiative corrections, and the axial part.

J. Erler and S. Su, Prog. Part. Nucl. Phys. 71 (2013) 119, arXiv:1303.5522: g_LV^{νN}, g_LV^{νe} and g_LA^{νe} at
order α. M. Hoferichter, J. Menéndez and A. Schwenk, Phys. Rev. D 102 (2020) 074018, arXiv:2007.08529: axial part.
Flavours are "e", "mu", "tau".
"""

import math
from functools import lru_cache
from typing import Any

import numpy as np

from cevns_fast.constants import ALPHA, G_FERMI, M_ELECTRON, M_MUON, M_TAU, M_W

__all__ = [
    "axial_structure",
    "electron_axial",
    "electron_vector",
    "lepton_mass",
    "mean_logarithm",
    "neutron_coupling",
    "proton_coupling",
    "scheme",
    "standard_model_charge_radius",
]

# MS-bar at the Z pole, and the ratio of neutral to charged currents: the inputs of the corrections, never fitted.
RHO = 1.00063
ALPHA_Z = 1 / 127.95
S2_Z = 0.2312
C2_Z = 1 - S2_Z
ALPHA_S_W, ALPHA_S_Z = 0.1203, 0.1179

# g_A of neutron decay, PDG, and the strange quarks' part of the isoscalar one.
G_A, G_A_S = 1.27641, -0.085


def scheme(model: Any) -> str:
    """Which couplings a Standard Model has: "tree" unless it says otherwise."""
    stated = getattr(model, "couplings", "tree")
    return stated if isinstance(stated, str) else "tree"


def lepton_mass(flavour: str) -> float:
    """MeV."""
    return {"e": M_ELECTRON, "mu": M_MUON, "tau": M_TAU}[flavour]


def _square_WW() -> float:
    """□_WW."""
    return -ALPHA_Z / (2 * math.pi * S2_Z) * (1 - ALPHA_S_W / (2 * math.pi))


def _cross_WW() -> float:
    """⊠_WW."""
    return ALPHA_Z / (8 * math.pi * S2_Z) * (1 + ALPHA_S_W / math.pi)


def _cross_ZZ(fermion: str, chirality: str) -> float:
    """⊠^{fX}_ZZ with the chiral couplings g_fX = I₃ - Q ŝ_Z²; gluons correct quarks only."""
    isospin, charge = {"u": (0.5, 2 / 3), "d": (-0.5, -1 / 3), "e": (-0.5, -1.0)}[fermion]
    g = (isospin if chirality == "L" else 0.0) - charge * S2_Z
    gluons = 0.0 if fermion == "e" else ALPHA_S_Z / math.pi
    return -3 * ALPHA_Z / (8 * math.pi * S2_Z * C2_Z) * g**2 * (1 - gluons)


_X, _W = np.polynomial.legendre.leggauss(400)


@lru_cache(maxsize=100_000)
def mean_logarithm(flavour: str, Q2: float) -> float:
    """6∫₀¹ x(1-x) ln[M_W²/(m_ℓ² + x(1-x)Q²)] dx; ln(M_W²/m_ℓ²) at Q² = 0, MeV².

    In x = sin²θ the end points, where the electron's logarithm bends, are stretched.
    """
    theta = math.pi / 4 * (1 + _X)
    x, weight = np.sin(theta) ** 2, math.pi / 4 * _W * 2 * np.sin(theta) * np.cos(theta)
    y = x * (1 - x)
    return float(6 * np.sum(weight * y * np.log(M_W**2 / (lepton_mass(flavour) ** 2 + y * Q2))))


def _charge_radius_logarithm(flavour: str, Q2: float) -> float:
    """ø_ℓ = -(α/6π)(ln M_W²/m_ℓ² + 3/2), its logarithm taken at Q²."""
    return -ALPHA / (6 * math.pi) * (mean_logarithm(flavour, Q2) + 1.5)


def proton_coupling(flavour: str, s2: float, couplings: str, Q2: float = 0.0) -> float:
    """g_p of ν_ℓ. `s2` is ŝ₀², or sin²θ_W for "tree"; Q² matters for "radiative-q2" only."""
    if couplings == "tree":
        return 0.5 - 2 * s2
    o = _charge_radius_logarithm(flavour, Q2 if couplings == "radiative-q2" else 0.0)
    u_L, u_R, d_L, d_R = (_cross_ZZ(f, X) for f in "ud" for X in "LR")
    boxes = RHO * (2 * u_L + d_L - 2 * u_R - d_R)
    return RHO * (0.5 - 2 * s2) + 2 * _cross_WW() + _square_WW() - 2 * o + boxes


def neutron_coupling(couplings: str) -> float:
    """g_n, the same for all flavours."""
    if couplings == "tree":
        return -0.5
    u_L, u_R, d_L, d_R = (_cross_ZZ(f, X) for f in "ud" for X in "LR")
    return -RHO / 2 + 2 * _square_WW() + _cross_WW() + RHO * (2 * d_L + u_L - 2 * d_R - u_R)


def electron_vector(flavour: str, s2: float, couplings: str, Q2: float = 0.0) -> float:
    """g_V^e of ν_ℓ; ν_e has the charged current, too."""
    charged = float(flavour == "e")
    if couplings == "tree":
        return -0.5 + 2 * s2 + charged
    o = _charge_radius_logarithm(flavour, Q2 if couplings == "radiative-q2" else 0.0)
    boxes = RHO * (_cross_ZZ("e", "L") - _cross_ZZ("e", "R"))
    return RHO * (-0.5 + 2 * s2) + _square_WW() + 2 * o + boxes + charged


def electron_axial(flavour: str, couplings: str) -> float:
    """g_A^e of ν_ℓ."""
    charged = float(flavour == "e")
    if couplings == "tree":
        return -0.5 + charged
    return -RHO / 2 + _square_WW() + RHO * (_cross_ZZ("e", "L") + _cross_ZZ("e", "R")) + charged


def standard_model_charge_radius(flavour: str) -> float:
    """⟨r²⟩ of the Standard Model, MeV⁻²: -(G_F/(2√2π²)) (3 - 2 ln(m_ℓ²/M_W²)); Bernabéu et al., hep-ph/0008114."""
    logarithm = math.log(lepton_mass(flavour) ** 2 / M_W**2)
    return -G_FERMI / (2 * math.sqrt(2) * math.pi**2) * (3 - 2 * logarithm)


def axial_structure(J: float, S_p: float, S_n: float, strange: float = G_A_S) -> float:
    """F_A(0) = (4/3)((J+1)/J)[g_A(S_p - S_n) - g_A^s(S_p + S_n)]², normalised to 1 for g_A = 1 and a free proton."""
    return 4 / 3 * (J + 1) / J * (G_A * (S_p - S_n) - strange * (S_p + S_n)) ** 2
