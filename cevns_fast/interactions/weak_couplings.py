"""Neutral-current couplings of the Standard Model to nucleons and electrons, for ν_e, ν_μ and ν_τ.

"tree", or with the corrections of order α: J. Erler and S. Su, Prog. Part. Nucl. Phys. 71 (2013) 119, arXiv:1303.5522.
Everything is a float64[3] in the order e, μ, τ unless all flavours share one number.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import polynomial

from cevns_fast._validate import Floats
from cevns_fast.constants import ALPHA, M_ELECTRON, M_MUON, M_TAU, M_W, SIN2_THETA_W

SCHEMES = ("tree", "radiative", "radiative-q2")

# Inputs of the corrections: ratio of neutral to charged currents, and MS-bar couplings.
RHO = 1.00063
ALPHA_Z = 1 / 127.95  # at M_Z
SIN2_Z = SIN2_THETA_W  # at M_Z
ALPHA_S = {"W": 0.1203, "Z": 0.1179}

LEPTON_MASSES = np.array([M_ELECTRON, M_MUON, M_TAU])
IS_ELECTRON = np.array([1.0, 0.0, 0.0])

_BOX_WW = -ALPHA_Z / (2 * math.pi * SIN2_Z) * (1 - ALPHA_S["W"] / (2 * math.pi))  # □_WW
_CROSSED_WW = ALPHA_Z / (8 * math.pi * SIN2_Z) * (1 + ALPHA_S["W"] / math.pi)  # ⊠_WW
_CHARGE_RADIUS = -ALPHA / (6 * math.pi) * (np.log(M_W**2 / LEPTON_MASSES**2) + 1.5)  # ø_ℓ


def _crossed_ZZ() -> Mapping[str, float]:
    """⊠^{fX}_ZZ by fermion and chirality."""
    chiral = {
        "uL": 1 / 2 - 2 / 3 * SIN2_Z, "uR": -2 / 3 * SIN2_Z,
        "dL": -1 / 2 + 1 / 3 * SIN2_Z, "dR": 1 / 3 * SIN2_Z,
        "eL": -1 / 2 + SIN2_Z, "eR": SIN2_Z,
    }  # fmt: skip
    unit = -3 * ALPHA_Z / (8 * math.pi * SIN2_Z * (1 - SIN2_Z))
    return {f: unit * g * g * (1.0 if f[0] == "e" else 1 - ALPHA_S["Z"] / math.pi) for f, g in chiral.items()}


_ZZ = _crossed_ZZ()
_PROTON = 2 * _CROSSED_WW + _BOX_WW - 2 * _CHARGE_RADIUS + RHO * (2 * _ZZ["uL"] + _ZZ["dL"] - 2 * _ZZ["uR"] - _ZZ["dR"])
_NEUTRON = 2 * _BOX_WW + _CROSSED_WW + RHO * (2 * _ZZ["dL"] + _ZZ["uL"] - 2 * _ZZ["dR"] - _ZZ["uR"])
_ELECTRON_VECTOR = _BOX_WW + 2 * _CHARGE_RADIUS + RHO * (_ZZ["eL"] - _ZZ["eR"])
_ELECTRON_AXIAL = _BOX_WW + RHO * (_ZZ["eL"] + _ZZ["eR"])

# d g_p(Q²)/d of the logarithm's fall, and −d g_V^e: the logarithm of the charge radius at Q², see `VacuumPolarisation`.
CHARGE_RADIUS_SLOPE = -ALPHA / (3 * math.pi)


def strength(scheme: str) -> float:
    """What multiplies I₃ − 2 Q sin²θ_W: ρ, or 1 at tree level. Half of −d g_p/d sin²θ_W."""
    return 1.0 if scheme == "tree" else RHO


def proton(sin2_theta_w: float, scheme: str) -> Floats:
    """g_p at Q² = 0."""
    bare = np.full(3, strength(scheme) * (0.5 - 2 * sin2_theta_w))
    return bare if scheme == "tree" else bare + _PROTON


def neutron(scheme: str) -> float:
    """g_n."""
    return -0.5 if scheme == "tree" else -0.5 * RHO + _NEUTRON


def electron_vector(sin2_theta_w: float, scheme: str) -> Floats:
    """g_V of electrons at Q² = 0; ν_e has the charged current, too."""
    bare = strength(scheme) * (-0.5 + 2 * sin2_theta_w) + IS_ELECTRON
    return bare if scheme == "tree" else bare + _ELECTRON_VECTOR


def electron_axial(scheme: str) -> Floats:
    """g_A of electrons."""
    bare = -0.5 * strength(scheme) + IS_ELECTRON
    return bare if scheme == "tree" else bare + _ELECTRON_AXIAL


@dataclass(frozen=True)
class VacuumPolarisation:
    """6∫₀¹ x(1−x) ln[1 + x(1−x) Q²/m²] dx: by how much the logarithm of a lepton loop falls from 0 to Q².

    Attributes
    ----------
    mass : float
        Of the lepton, MeV.
    """

    mass: float

    def __call__(self, Q2: Floats) -> Floats:
        """At Q², MeV²."""
        y = np.asarray(Q2, dtype=np.float64) / self.mass**2
        small = y < 1.0  # where the closed form cancels
        series = np.where(small, y, 0.0) * polynomial.polyval(np.where(small, y, 0.0), _SERIES)
        z = np.where(small, 1.0, y)
        b = np.sqrt(1 + 4 / z)
        closed = -5 / 3 + 4 / z + (1 - 2 / z) * b * np.log((b + 1) ** 2 * z / 4)  # (b + 1)/(b − 1)
        return np.asarray(np.where(small, series, closed))


# 6 (−1)^n/(n+1) B(n+3, n+3), coefficients of y^n behind the first power: ln(1 + x(1−x)y) expanded.
_SERIES = np.array(
    [6 * (-1) ** n / (n + 1) * math.factorial(n + 2) ** 2 / math.factorial(2 * n + 5) for n in range(30)]
)

LEPTON_LOOPS = tuple(VacuumPolarisation(m) for m in (M_ELECTRON, M_MUON, M_TAU))
