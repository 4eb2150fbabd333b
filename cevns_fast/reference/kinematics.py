"""Kinematics of ν N → χ N with the nucleus N at rest.

Energies and masses are in MeV. A neutrino of energy E gives the nucleus (mass M) the kinetic energy T and
becomes a fermion of mass m. Sources: Chang & Liao 2020 (CL), Appendix A; Brdar, Rodejohann & Xu 2018
(BRX), Sec. II A.
"""

import math
from typing import NamedTuple

__all__ = ["RecoilRange", "cos_theta", "headroom", "minimum_energy", "recoil_range", "threshold_energy"]


class RecoilRange(NamedTuple):
    """The recoil energies a neutrino can cause, MeV."""

    low: float
    high: float
    width: float  # high - low, without the cancellation


def threshold_energy(M: float, m: float) -> float:
    """Least neutrino energy that can produce a fermion of mass m: BRX Eq. (11), CL Eq. (14)."""
    return m + m**2 / (2 * M)


def minimum_energy(T: float, M: float, m: float) -> float:
    """Least neutrino energy that can cause a recoil T, CL Eq. (A2) with the "-T" outside the square root.

    (TM + m²/2) / (p - T) with p = sqrt(T(T + 2M)). Because p² - T² = 2MT, the denominator is 2MT/(p + T),
    which does not cancel.
    """
    if T == 0:
        return 0.0 if m == 0 else math.inf
    p = math.sqrt(T * (T + 2 * M))
    return (T * M + m**2 / 2) * (p + T) / (2 * M * T)


def recoil_range(E: float, M: float, m: float) -> RecoilRange | None:
    """Least and largest recoil energy, BRX Eq. (9), or None below threshold.

    The discriminant 4M²E² - 4Mm²(E + M) + m⁴ = (2ME - m²)² - (2Mm)² is a product whose first factor
    measures the distance to the threshold; and T_min T_max = m⁴/[4M(2E + M)] gives T_min, of which Eq.
    (9) loses every digit when m is small.
    """
    above_threshold = (E - m) - m**2 / (2 * M)
    if E <= 0 or above_threshold < 0:
        return None
    root = math.sqrt(4 * M * above_threshold * (M * E - m**2 / 2 + M * m))
    high = (2 * M * E**2 - m**2 * (E + M) + E * root) / (2 * M * (2 * E + M))
    low = m**4 / (4 * M * (2 * E + M) * high)
    return RecoilRange(low, high, E * root / (M * (2 * E + M)))


def headroom(E: float, T: float, M: float, m: float, below: float, above: float) -> float:
    """E - E_min(T), given below = T - T_min(E) and above = T_max(E) - T, without cancellation.

    E ≥ E_min(T) means E p ≥ T(M + E) + m²/2 (cosθ ≤ 1). The difference of the squares of the two sides is
    a quadratic in T with the roots T_min and T_max: M(M + 2E)(T_max - T)(T - T_min).
    """
    p = math.sqrt(T * (T + 2 * M))
    squares = M * (M + 2 * E) * above * below
    return squares / (E * p + T * (M + E) + m**2 / 2) * (p + T) / (2 * M * T)


def cos_theta(E: float, T: float, M: float, m: float) -> float:
    """Cosine of the angle between the recoil and the beam: CL Eq. (A1), BRX Eq. (5)."""
    return (T * (M + E) + m**2 / 2) / (E * math.sqrt(T * (T + 2 * M)))
