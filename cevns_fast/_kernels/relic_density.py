"""The Boltzmann equations of χ and S in ln x, by three-stage Radau IIA steps on a given grid.

The method is stiffly accurate and L-stable: rates may exceed the expansion by any factor. Coefficients are needed at
the three stages of each step only, so they are computed once for masses and temperatures and serve every coupling.
"""

from math import exp, nan

import numpy as np
from numba import prange
from numpy.typing import NDArray

from cevns_fast._kernels.jit import njit
from cevns_fast._kernels.parallel import twins

__all__ = ["coupled", "reduced"]

Floats = NDArray[np.float64]

#: Newton's method has ended where no stage moves further than this.
CLOSE = 1e-13
MOST_ITERATIONS = 60


@twins
def reduced(y4: Floats, steps: Floats, rate: Floats, log_eq: Floats, A: Floats, log_start: float, out: Floats) -> None:
    """ln N after each step, for each y⁴: dL/dln x = −y⁴ rate (e^L − e^(2 L_eq − L)).

    `steps` [n], `rate`, `log_eq` [n, 3] at the stages, `A` the method's matrix, `out` [couplings, n + 1]; NaN where
    Newton's method fails.
    """
    for i in prange(y4.size):
        L = log_start
        out[i, 0] = L
        eq = log_start  # L_eq at the start of the step
        for n in range(steps.size):
            h = steps[n]
            e0, e1, e2 = log_eq[n, 0], log_eq[n, 1], log_eq[n, 2]
            r0, r1, r2 = y4[i] * rate[n, 0], y4[i] * rate[n, 1], y4[i] * rate[n, 2]
            # where χ is in equilibrium it stays there, otherwise it stays where it is
            follows = r0 * exp(eq) * h > 1.0
            x0 = L + e0 - eq if follows else L
            x1 = L + e1 - eq if follows else L
            x2 = L + e2 - eq if follows else L
            done = False
            for _ in range(MOST_ITERATIONS):
                u0, v0 = exp(x0), exp(2.0 * e0 - x0)
                u1, v1 = exp(x1), exp(2.0 * e1 - x1)
                u2, v2 = exp(x2), exp(2.0 * e2 - x2)
                f0, f1, f2 = -h * r0 * (u0 - v0), -h * r1 * (u1 - v1), -h * r2 * (u2 - v2)
                d0, d1, d2 = -h * r0 * (u0 + v0), -h * r1 * (u1 + v1), -h * r2 * (u2 + v2)
                # residuals and (1 − hA f') δ = −residual
                b0 = L + A[0, 0] * f0 + A[0, 1] * f1 + A[0, 2] * f2 - x0
                b1 = L + A[1, 0] * f0 + A[1, 1] * f1 + A[1, 2] * f2 - x1
                b2 = L + A[2, 0] * f0 + A[2, 1] * f1 + A[2, 2] * f2 - x2
                m00, m01, m02 = 1.0 - A[0, 0] * d0, -A[0, 1] * d1, -A[0, 2] * d2
                m10, m11, m12 = -A[1, 0] * d0, 1.0 - A[1, 1] * d1, -A[1, 2] * d2
                m20, m21, m22 = -A[2, 0] * d0, -A[2, 1] * d1, 1.0 - A[2, 2] * d2
                c0, c1, c2 = m11 * m22 - m12 * m21, m12 * m20 - m10 * m22, m10 * m21 - m11 * m20
                det = m00 * c0 + m01 * c1 + m02 * c2
                s0 = (b0 * c0 + m01 * (m12 * b2 - b1 * m22) + m02 * (b1 * m21 - m11 * b2)) / det
                s1 = (m00 * (b1 * m22 - m12 * b2) + b0 * c1 + m02 * (m10 * b2 - b1 * m20)) / det
                s2 = (m00 * (m11 * b2 - b1 * m21) + m01 * (b1 * m20 - m10 * b2) + b0 * c2) / det
                largest = max(abs(s0), abs(s1), abs(s2))
                damp = 1.0 if largest < 1.0 else 1.0 / largest
                x0 += damp * s0
                x1 += damp * s1
                x2 += damp * s2
                if not largest > CLOSE * max(1.0, abs(x2)):
                    done = True
                    break
            L = x2 if done else nan
            eq = e2
            out[i, n + 1] = L


@njit
def solve_in_place(matrix: Floats, vector: Floats) -> None:
    """Gaussian elimination with row pivots."""
    n = vector.size
    for k in range(n):
        pivot = k
        for row in range(k + 1, n):
            if abs(matrix[row, k]) > abs(matrix[pivot, k]):
                pivot = row
        if pivot != k:
            for column in range(k, n):
                matrix[k, column], matrix[pivot, column] = matrix[pivot, column], matrix[k, column]
            vector[k], vector[pivot] = vector[pivot], vector[k]
        for row in range(k + 1, n):
            factor = matrix[row, k] / matrix[k, k]
            for column in range(k + 1, n):
                matrix[row, column] -= factor * matrix[k, column]
            vector[row] -= factor * vector[k]
    for k in range(n - 1, -1, -1):
        for column in range(k + 1, n):
            vector[k] -= matrix[k, column] * vector[column]
        vector[k] /= matrix[k, k]


@twins
def coupled(
    y2: Floats, steps: Floats, chi_nu: Floats, S_nu: Floats, chi_S: Floats, S_chi: Floats, decay: Floats,
    ratio: Floats, eq_chi: Floats, eq_S: Floats, A: Floats, log_start: float, share_start: float,
    out: Floats, share: Floats,
) -> None:  # fmt: skip
    """ln N and Y_S/N after each step, for each y²: both equations (46), where S decays no faster than space expands.

    At the stages [n, 3], per ln x: the rates of annihilation and conversion over y⁴ and yields (`chi_nu`, `S_nu`,
    `chi_S` and back, `S_chi`), the rate of `decay` over y², the equilibrium's Y_S/Y_χ and both yields. `out` and
    `share` are [couplings, n + 1]; NaN where Newton's method fails.
    """
    for i in prange(y2.size):
        y4 = y2[i] * y2[i]
        L, share_now = log_start, share_start
        out[i, 0], share[i, 0] = L, share_now
        matrix = np.empty((6, 6))
        step = np.empty(6)
        value = np.empty(6)
        slope = np.empty(6)
        jacobian = np.empty((3, 2, 2))
        for n in range(steps.size):
            h = steps[n]
            for j in range(3):
                value[2 * j] = L
                value[2 * j + 1] = share_now
            done = False
            for _ in range(MOST_ITERATIONS):
                for j in range(3):
                    N = exp(value[2 * j])
                    S = value[2 * j + 1]
                    chi = 1.0 - S
                    a, b = y4 * chi_nu[n, j], y4 * S_nu[n, j]
                    there, back = y4 * chi_S[n, j] * N, y4 * S_chi[n, j] * N
                    G, r = y2[i] * decay[n, j], ratio[n, j]
                    sources = (a * eq_chi[n, j] ** 2 + b * eq_S[n, j] ** 2) / N
                    losses = N * (a * chi * chi + b * S * S)
                    P = sources - losses  # dlnN/dlnx
                    P_L = -sources - losses
                    P_S = 2.0 * N * (a * chi - b * S)
                    source_S = b * eq_S[n, j] ** 2 / N
                    convert = there * chi * chi - back * S * S
                    K = source_S - b * N * S * S - G * (S - r * chi) + convert  # dY_S/dlnx / N
                    K_L = -source_S - b * N * S * S + convert
                    K_S = -2.0 * b * N * S - G * (1.0 + r) - 2.0 * (there * chi + back * S)
                    slope[2 * j], slope[2 * j + 1] = P, K - S * P
                    jacobian[j, 0, 0], jacobian[j, 0, 1] = P_L, P_S
                    jacobian[j, 1, 0], jacobian[j, 1, 1] = K_L - S * P_L, K_S - P - S * P_S
                for j in range(3):
                    for k in range(2):
                        row = 2 * j + k
                        step[row] = (L if k == 0 else share_now) - value[row]
                        for stage in range(3):
                            step[row] += h * A[j, stage] * slope[2 * stage + k]
                            for other in range(2):
                                unit = 1.0 if stage == j and other == k else 0.0
                                matrix[row, 2 * stage + other] = unit - h * A[j, stage] * jacobian[stage, k, other]
                solve_in_place(matrix, step)
                largest = 0.0
                for row in range(6):
                    largest = max(largest, abs(step[row]))
                damp = 1.0 if largest < 1.0 else 1.0 / largest
                for row in range(6):
                    value[row] += damp * step[row]
                if not largest > CLOSE * max(1.0, abs(value[4])):
                    done = True
                    break
            L, share_now = (value[4], value[5]) if done else (nan, nan)
            out[i, n + 1], share[i, n + 1] = L, share_now
