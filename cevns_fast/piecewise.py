"""Functions of one variable as piecewise polynomials, which is how they enter kernels.

Any callable that is smooth between stated breakpoints becomes polynomials of one degree on intervals that are
halved until the Chebyshev tail is at rounding level. On each interval the variable is u ∈ [−1, 1], in which
monomials lose no digits that matter.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

Floats = NDArray[np.float64]
VectorFunction = Callable[[Floats], Floats]  # float64[m] -> float64[outputs, m]

DEGREE = 20
TOLERANCE = 5e-14
MAX_PIECES = 2000

_NODES = chebyshev.chebpts1(DEGREE + 1)
_TO_CHEBYSHEV = np.linalg.inv(chebyshev.chebvander(_NODES, DEGREE))
_TO_MONOMIAL = np.zeros((DEGREE + 1, DEGREE + 1))
for _d in range(DEGREE + 1):
    _TO_MONOMIAL[_d, : _d + 1] = chebyshev.cheb2poly(np.eye(DEGREE + 1)[_d, : _d + 1])


class AccuracyWarning(UserWarning):
    """A function is too rough to be represented to full accuracy."""


@dataclass(frozen=True, eq=False)
class Piecewise:
    """Polynomials on adjacent intervals.

    Attributes
    ----------
    breaks : float64[n + 1]
        Ends of the intervals.
    coefficients : float64[n, degree + 1, outputs]
        Of u^d, with u = −1 at the left and 1 at the right end of an interval.
    """

    breaks: Floats
    coefficients: Floats

    def __call__(self, x: Floats) -> Floats:
        """Values at x, float64[outputs, len(x)]; x beyond the ends continues the last polynomial."""
        piece = np.clip(np.searchsorted(self.breaks, x, side="right") - 1, 0, len(self.breaks) - 2)
        low, high = self.breaks[piece], self.breaks[piece + 1]
        u = (2 * x - low - high) / (high - low)
        result = self.coefficients[piece, -1]
        for d in range(self.coefficients.shape[1] - 2, -1, -1):
            result = result * u[:, None] + self.coefficients[piece, d]
        return np.asarray(result.T)


def fit(function: VectorFunction, breakpoints: Sequence[float], *, floor: float = 0.0, name: str = "") -> Piecewise:
    """Represent a vector-valued function between the first and the last breakpoint.

    Parameters
    ----------
    function : callable
        float64[m] to float64[outputs, m]; only called strictly inside the intervals.
    breakpoints : sequence of float
        Increasing; the function is smooth between them.
    floor : float
        Errors below this fraction of an output's largest value are accepted wherever it is small.
    name : str
        What to call the function if it turns out to be rough or not finite.

    Returns
    -------
    Piecewise
        With an error of about 5e-14 of the largest value on each interval.

    Raises
    ------
    ValueError
        If a value is not finite.

    Warns
    -----
    AccuracyWarning
        If the function is so rough that the number of intervals had to be capped.
    """
    intervals = list(pairwise(breakpoints))
    probe = np.concatenate([low + (high - low) * np.linspace(0.01, 0.99, 33) for low, high in intervals])
    smallest = floor * np.abs(_finite(function, probe, name)).max(axis=1)
    done: list[tuple[float, float, Floats]] = []
    todo = intervals[::-1]
    rough = False
    while todo:
        low, high = todo.pop()
        middle, half = (low + high) / 2, (high - low) / 2
        values = _finite(function, middle + half * _NODES, name)
        series = values @ _TO_CHEBYSHEV.T
        tail = np.abs(series[:, -2:]).max(axis=1)
        converged = np.all(tail <= np.maximum(TOLERANCE * np.abs(values).max(axis=1), smallest))
        capped = len(done) + len(todo) >= MAX_PIECES or half < 1e-9 * max(abs(low), abs(high))
        if converged or capped:
            rough |= not converged
            done.append((low, high, series))
        else:
            todo += [(middle, high), (low, middle)]
    if rough:
        message = f"{name}: too rough to be represented to full accuracy; state its breakpoints or smooth it"
        warnings.warn(message, AccuracyWarning, stacklevel=2)
    breaks = np.array([low for low, _, _ in done] + [done[-1][1]])
    return Piecewise(breaks, _monomials(np.array([series for _, _, series in done])))


def _monomials(series: Floats) -> Floats:
    """Monomial coefficients [n, degree + 1, outputs] of Chebyshev series [n, outputs, DEGREE + 1].

    The degree is the smallest that keeps every coefficient above rounding: kernels pay for each power.
    """
    size = np.abs(series)
    needed = size > 4e-16 * size.max(axis=2, keepdims=True)
    degree = int(np.max(np.nonzero(needed)[2], initial=0))
    monomials = series[..., : degree + 1] @ _TO_MONOMIAL[: degree + 1, : degree + 1]
    return np.ascontiguousarray(np.swapaxes(monomials, 1, 2))


def _finite(function: VectorFunction, x: Floats, name: str) -> Floats:
    """Values of the function, refused if one is not finite."""
    values = np.atleast_2d(np.asarray(function(x), dtype=np.float64))
    if not np.isfinite(values).all():
        bad = x[~np.isfinite(values).all(axis=0)][0]
        raise ValueError(f"{name}: is not finite at {bad:g}")
    return values


@dataclass(frozen=True, eq=False)
class Moments:
    """M(x) = ∫_x^∞ f(x') dx' of piecewise polynomials f, accurate relative to itself up to the end point.

    On interval i, M = value[i] + t Σ_d coefficients[i, d] u^d, with t = 1 at the left and 0 at the right end
    and u = 2t − 1: the factor t keeps every digit where M goes to zero.

    Attributes
    ----------
    breaks : float64[n + 1]
    value : float64[n, outputs]
        M at the right end of each interval, with the lines that lie there or beyond.
    coefficients : float64[n, degree + 1, outputs]
    """

    breaks: Floats
    value: Floats
    coefficients: Floats


def moments(density: Piecewise, lines: Sequence[tuple[float, Floats]]) -> Moments:
    """Integrate a density from the right, and add lines: (position, weights per output)."""
    v, w = np.polynomial.legendre.leggauss(DEGREE // 2 + 1)
    v, w = (v + 1) / 2, w / 2
    breaks = density.breaks
    n, _, outputs = density.coefficients.shape
    value = np.zeros((n, outputs))
    series = np.zeros((n, outputs, DEGREE + 1))
    t = (_NODES + 1) / 2
    total = np.zeros(outputs)
    for i in range(n - 1, -1, -1):
        high, width = breaks[i + 1], breaks[i + 1] - breaks[i]
        # (M(x) − M(high)) / t is the mean of f over the distance to the right end, times the width.
        u_inner = 1 - 2 * np.outer(t, v)
        inner = np.polynomial.polynomial.polyval(u_inner, density.coefficients[i])
        p = width * np.einsum("otv,v->ot", inner, w)
        series[i] = p @ _TO_CHEBYSHEV.T
        value[i] = total + sum((weight for x, weight in lines if x >= high), np.zeros(outputs))
        total = total + width * np.polynomial.polynomial.polyval(1 - 2 * v, density.coefficients[i]) @ w
    return Moments(breaks, value, _monomials(series))
