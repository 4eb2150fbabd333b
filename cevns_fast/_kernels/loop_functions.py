"""The Passarino-Veltman combinations of CLLS (A1)-(A6) for arrays of masses: no validation, NaN in, NaN out.

With m = m_Z'², M = m_χ², x the smaller of M/m and m/M, y = 1 − x and T = −ln x, all six are one of

    A = (T − y)/y²                             B = (y − xT)/y²
    C = [(1 + x)T − 2y]/y³                     (₂F₁(2,2;4;y)/6)
    H = [y(1 + 5x) − 2x(2 + x)T]/(6y⁴)         (₂F₁(2,2;5;y)/36)
    K = [2(1 + 2x)T − y(5 + x)]/(6y⁴)          (₂F₁(2,3;5;y)/36)

H and K serve M < m and M > m (they are Pfaff transforms of each other, as A and B are); C serves both.
The closed forms cancel as y → 0. Everything that cancels is in the tail of the logarithm,

    G = Σ yⁿ/(n + 5),      T = y + y²/2 + y³/3 + y⁴/4 + y⁵ G,

and written with G the five functions keep 14 digits or more at every mass ratio.
"""

from math import log

import numpy as np
from numba import prange
from numpy.typing import NDArray

from cevns_fast._kernels.jit import njit
from cevns_fast._kernels.parallel import twins

__all__ = ["loop_functions", "many_loop_functions"]

# Columns of the result.
D0B, D1B, D00A_D00B, D11A_D11B, D001A_D001B, D00B = range(6)


@njit
def log_tail(x: float, y: float) -> float:
    """G(y), from its series (at most 110 terms) or, where that is slow and little cancels, from the log."""
    if y > 0.7:
        return (-log(x) - y * (1.0 + y * (1.0 / 2.0 + y * (1.0 / 3.0 + y * (1.0 / 4.0))))) / y**5
    total = 0.0
    power = 1.0
    n = 5
    while power > 1e-17:
        total += power / n
        power *= y
        n += 1
    return total


@njit
def _one(m_chi: float, m_zprime: float, out: NDArray[np.float64]) -> None:
    """The six of one pair of masses."""
    lighter = m_chi < m_zprime
    low, high = (m_chi, m_zprime) if lighter else (m_zprime, m_chi)
    x = (low / high) ** 2
    y = 1.0 - x  # its rounding is harmless: all that follows is smooth in y
    G = log_tail(x, y)

    A = 1 / 2 + y * (1 / 3 + y * (1 / 4 + y * G))
    B = 1 / 2 + y * (1 / 6 + y * (1 / 12 + y * (1 / 4 - x * G)))
    C = 1 / 6 + y * (1 / 6 + y * ((1 + x) * G - 1 / 4))

    m = m_zprime * m_zprime
    if lighter:
        D0, D1, D00 = A, C, B
        D11 = (1 / 6 + y * (4 / 3 - y / 2 - 2 * x * (2 + x) * G)) / (6 * x)  # H m/M
    else:
        D0, D1, D00 = x * B, x * x * C, x * A
        D11 = x * x * x * (1 / 6 + y * (2 * (1 + 2 * x) * G - 1)) / 6  # x³ K
    out[D0B] = D0 / m / m  # (A1)
    out[D1B] = -D1 / 2 / m / m  # (A5)
    out[D00A_D00B] = -D0 / 4 / m  # (A2)
    out[D11A_D11B] = D11 / m / m  # (A3)
    out[D001A_D001B] = D1 / 12 / m  # (A4)
    out[D00B] = -D00 / 4 / m  # (A6), second mass m_χ


@njit
def loop_functions(m_chi: NDArray[np.float64], m_zprime: NDArray[np.float64]) -> NDArray[np.float64]:
    """D0b, D1b, D00a − D00b, D11a − D11b, D001a − D001b, D00b as the columns of float64[n, 6].

    `m_chi`, `m_zprime` [MeV]: float64[n]. The columns are in MeV⁻⁴, MeV⁻⁴, MeV⁻², MeV⁻⁴, MeV⁻², MeV⁻².
    """
    out = np.empty((m_chi.size, 6))
    for i in range(m_chi.size):
        _one(m_chi[i], m_zprime[i], out[i])
    return out


@twins
def many_loop_functions(m_chi: NDArray[np.float64], m_zprime: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """All loop functions, of so many masses that threads may share them."""
    for i in prange(m_chi.size):
        _one(m_chi[i], m_zprime[i], out[i])
