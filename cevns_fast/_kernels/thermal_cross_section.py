"""Thermally averaged cross sections of χ and S: ∫dE of ∫dt Σ|M|², for a table of temperatures.

One body per process, in y = 1 and in units of the masses. Row i of `excess` holds √s less its threshold for one
temperature and of `weights` what stands before ∫Σ|M|²dt there; each row writes its own average. All amplitudes are
written as sums of positive terms, so nothing cancels at a threshold or for a heavy mediator.

The integral over t runs over half the range (the other half is the same under t ↔ u) with p = c − t, c the
propagator's mass squared, and c̄ = cos θ > 0; Gauss-Legendre nodes in ln p, of which `short` is enough while
ln(p_max/p_min) < 1.

The loops stand in all three bodies. If one body is given thresholds and amplitudes as functions, or closes over them, a
call takes as long and the file is no shorter, but numba does not find the machine code again: every process compiles
for a second.
"""

from math import expm1, log1p, sqrt

import numpy as np
from numba import prange
from numpy.typing import NDArray

from cevns_fast._kernels.jit import njit
from cevns_fast._kernels.parallel import twins

__all__ = ["S_S_nu_nu", "chi_chi_S_S", "chi_chi_nu_nu"]

Floats = NDArray[np.float64]


@njit
def _angle(above: float, half: float) -> tuple[float, float]:
    """1 − c̄, and the square of the transverse momentum times s, from p less its smallest value; `half` is sβ/2."""
    versine = above / half
    return versine, half * half * versine * (2.0 - versine)


@njit
def _rule(span: float, short: Floats, long: Floats) -> Floats:
    """Nodes and weights for a range of ln p."""
    return short if span < 1.0 else long


@twins
def chi_chi_nu_nu(
    m: float, M: float, conserving: float, violating: float, t_only: bool,
    excess: Floats, weights: Floats, short: Floats, long: Floats, out: Floats,
) -> None:  # fmt: skip
    """χχ → νν̄ times `conserving` plus χχ → νν times `violating`; `t_only` drops what the u-channel adds to νν̄."""
    D = (M - m) * (M + m)
    for i in prange(excess.shape[0]):
        total = 0.0
        for j in range(excess.shape[1]):
            E = 2.0 * m + excess[i, j]
            s = E * E
            half = sqrt(excess[i, j] * (E + 2.0 * m)) * E / 2.0  # sβ/2
            first = 2.0 * m * m * s / (s + 2.0 * half)  # A = m² − t at c̄ = 1
            span = log1p(half / (first + D))
            rule = _rule(span, short, long)
            integral = 0.0
            for k in range(rule.shape[1]):
                ratio = expm1(rule[0, k] * span)
                a = first + (first + D) * ratio
                p, b = a + D, s - a
                q = b + D
                _, transverse = _angle((first + D) * ratio, half)  # AB − m²s
                if t_only:
                    amplitude = conserving * ((a / p) ** 2 + (b / q) ** 2)
                else:
                    amplitude = 2.0 * conserving * ((D * (a - b) / (p * q)) ** 2 + 2.0 * transverse / (p * q))
                    both = a / p + b / q
                    amplitude += 2.0 * violating * (both * both - 2.0 * m * m * s / (p * q))
                integral += rule[1, k] * p * amplitude
            total += weights[i, j] * integral * span
        out[i] = total


@twins
def S_S_nu_nu(
    m: float, M: float, conserving: float, violating: float, t_only: bool,
    excess: Floats, weights: Floats, short: Floats, long: Floats, out: Floats,
) -> None:  # fmt: skip
    """SS → νν̄ times `conserving` plus SS → νν times `violating`."""
    D = (M - m) * (M + m)
    for i in prange(excess.shape[0]):
        total = 0.0
        for j in range(excess.shape[1]):
            E = 2.0 * M + excess[i, j]
            s = E * E
            half = sqrt(excess[i, j] * (E + 2.0 * M)) * E / 2.0
            first = s * (M * M / (s / 2.0 + half)) ** 2 + m * m  # m² − t at c̄ = 1: M²(1 − β)/(1 + β) + m²
            span = log1p(half / first)
            rule = _rule(span, short, long)
            integral = 0.0
            for k in range(rule.shape[1]):
                ratio = expm1(rule[0, k] * span)
                p = first * (1.0 + ratio)
                q = s - 2.0 * D - p
                versine, transverse = _angle(first * ratio, half)  # tu − M⁴
                amplitude = conserving * transverse * (2.0 * half * (1.0 - versine)) ** 2
                amplitude += violating * m * m * s * (s - 2.0 * D) ** 2
                integral += rule[1, k] * p * 2.0 * amplitude / (p * q) ** 2
            total += weights[i, j] * integral * span
        out[i] = total


@twins
def chi_chi_S_S(
    m: float, M: float, conserving: float, violating: float, t_only: bool,
    excess: Floats, weights: Floats, short: Floats, long: Floats, out: Floats,
) -> None:  # fmt: skip
    """χχ → SS: p²q² Σ|M|² = (pq − Δ²)(p − q)²/2 + pq m²(s − 4m²), the second term twice and all twice for Majorana."""
    D = (M - m) * (M + m)
    for i in prange(excess.shape[0]):
        total = 0.0
        for j in range(excess.shape[1]):
            E = 2.0 * M + excess[i, j]
            s = E * E
            above = (2.0 * (M - m) + excess[i, j]) * (E + 2.0 * m)
            half = sqrt(above * excess[i, j] * (E + 2.0 * M)) / 2.0
            middle = s / 2.0 - m * m - M * M
            first = D * D / (middle + half)
            span = log1p(half / first)
            rule = _rule(span, short, long)
            integral = 0.0
            for k in range(rule.shape[1]):
                ratio = expm1(rule[0, k] * span)
                p = first * (1.0 + ratio)
                q = 2.0 * middle - p
                versine, transverse = _angle(first * ratio, half)  # pq − Δ²
                dirac = transverse * (2.0 * half * (1.0 - versine)) ** 2 / 2.0
                mass = p * q * m * m * above
                amplitude = dirac + mass if t_only else 2.0 * (dirac + 2.0 * mass)
                integral += rule[1, k] * p * 2.0 * amplitude / (p * q) ** 2
            total += weights[i, j] * integral * span
        out[i] = total
