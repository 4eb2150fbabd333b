"""Functions of one variable as piecewise polynomials, which is how they enter kernels.

Any callable that is smooth between stated breakpoints becomes polynomials of one degree on intervals that are
halved until the Chebyshev tail is at rounding level. On each interval the variable is u ∈ [−1, 1], in which
monomials lose no digits that matter.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from cevns_fast._support.quadrature import gauss_legendre
from cevns_fast._support.remember import remember

Floats = NDArray[np.float64]
VectorFunction = Callable[[Floats], Floats]  # float64[m] -> float64[outputs, m]

DEGREE = 20
TOLERANCE = 5e-14
ROUNDING = 1e-15
# An interval of such a part of its numbers has a grain that shows; below the second, nodes coincide.
_SHORT, _SHORTEST = 1e-5, 1e-10
MAX_PIECES = 2000  # beside those that breakpoints make


@remember(maxsize=32)
def _nodes(degree: int) -> Floats:
    """Chebyshev's, at which a polynomial of that degree is known."""
    return np.asarray(chebyshev.chebpts1(degree + 1))


@remember(maxsize=32)
def _to_chebyshev(degree: int) -> Floats:
    """From values at the nodes to a Chebyshev series."""
    return np.asarray(np.linalg.inv(chebyshev.chebvander(_nodes(degree), degree)), dtype=np.float64)


@remember(maxsize=32)
def _to_monomial(degree: int) -> Floats:
    """From a Chebyshev series to powers."""
    matrix = np.zeros((degree + 1, degree + 1))
    for d in range(degree + 1):
        matrix[d, : d + 1] = chebyshev.cheb2poly(np.eye(degree + 1)[d, : d + 1])
    return matrix


class AccuracyWarning(UserWarning):
    """A function is too rough to be represented to full accuracy.

    Examples
    --------
    >>> import warnings
    >>> import cevns_fast as cf
    >>> warnings.simplefilter("error", cf.AccuracyWarning)  # rather no number than a rough one
    >>> warnings.simplefilter("default", cf.AccuracyWarning)
    """


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


def fit(
    function: VectorFunction,
    breakpoints: Sequence[float],
    *,
    floor: float | Floats = 0.0,
    tolerance: float = TOLERANCE,
    name: str = "",
    degree: int = DEGREE,
    quiet: bool = False,
) -> Piecewise:
    """Represent a vector-valued function between the first and the last breakpoint.

    Parameters
    ----------
    function : callable
        float64[m] to float64[outputs, m]; only called strictly inside the intervals.
    breakpoints : sequence of float
        Increasing; the function is smooth between them.
    floor : float or float64[outputs]
        Errors below this fraction of an output's largest value are accepted wherever it is small.
    tolerance : float
        How well the function is known, relative to its largest value on an interval.
    name : str
        What to call the function if it turns out to be rough or not finite.
    degree : int
        Of the polynomials, at most.
    quiet : bool
        Whether a rough function is no news, because a part of it has warned.

    Returns
    -------
    Piecewise
        With an error of about the tolerance, 5e-14, of the largest value on each interval.

    Raises
    ------
    ValueError
        If a value is not finite.

    Warns
    -----
    AccuracyWarning
        If the function is so rough that the number of intervals had to be capped.
    """
    ends = np.array(breakpoints, dtype=np.float64)
    low, high = ends[:-1], ends[1:]
    probe = low[:, None] + (high - low)[:, None] * np.linspace(0.01, 0.99, 33)
    smallest = floor * np.abs(_finite(function, probe.ravel(), name)).max(axis=1)
    starts, found, rough = [np.empty(0)], [], False
    while len(low):  # all intervals of a size at once: functions are slow to call
        middle, half = (low + high) / 2, (high - low) / 2
        x = middle[:, None] + half[:, None] * _nodes(degree)
        values = _finite(function, x.ravel(), name).reshape(-1, *x.shape)  # [outputs, intervals, nodes]
        series = values @ _to_chebyshev(degree).T
        far = np.maximum(np.abs(low), np.abs(high))
        short = np.flatnonzero((half < _SHORT * far) & (half > _SHORTEST * far))
        if short.size:  # numbers are not where the nodes are, and what rises steeply is another there
            x, ends_of = x[short], (low[short, None], high[short, None])
            u = ((x - ends_of[0]) - (ends_of[1] - x)) / (ends_of[1] - ends_of[0])
            series[:, short] = np.linalg.solve(chebyshev.chebvander(u, degree), values[:, short, :, None])[..., 0]
        tail, largest = np.abs(series[..., -2:]).max(axis=2), np.abs(values).max(axis=2)
        at_zero = (low <= 0) & (high >= 0)
        # Neighbouring numbers differ by ε x: a function that rises on a short interval is no smoother than that.
        grain = ROUNDING * far / half * (values.max(axis=2) - values.min(axis=2))
        converged = np.all(tail <= np.maximum(np.maximum(tolerance * largest, grain), smallest[:, None]), axis=0)
        narrow = (half < 1e-9 * far) | at_zero & (half < 1e-12 * (ends[-1] - ends[0]))
        done = converged | narrow
        if sum(map(len, starts)) + len(low) + np.count_nonzero(~done) > MAX_PIECES + len(ends):
            done[:] = True
        rough |= not converged[done].all()
        starts.append(low[done])
        found.append(series[:, done])
        low, middle, high = low[~done], middle[~done], high[~done]
        low, high = np.concatenate([low, middle]), np.concatenate([middle, high])
    if rough and not quiet:
        message = f"{name}: too rough to be represented to full accuracy; state its breakpoints or smooth it"
        warnings.warn(message, AccuracyWarning, stacklevel=2)
    left = np.concatenate(starts)
    order = np.argsort(left)
    pieces = np.swapaxes(np.concatenate(found, axis=1)[:, order], 0, 1)
    return Piecewise(np.append(left[order], ends[-1]), _monomials(pieces))


def _monomials(series: Floats) -> Floats:
    """Monomial coefficients [n, degree + 1, outputs] of Chebyshev series [n, outputs, any degree + 1].

    The degree is the smallest that keeps every coefficient above rounding: kernels pay for each power.
    """
    size = np.abs(series)
    needed = size > 4e-16 * size.max(axis=2, keepdims=True)
    degree = int(np.max(np.nonzero(needed)[2], initial=0))
    monomials = series[..., : degree + 1] @ _to_monomial(degree)
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
    breaks = density.breaks
    degree, outputs = density.coefficients.shape[1] - 1, density.coefficients.shape[2]
    v, w = gauss_legendre(degree // 2 + 1)
    v, w = (v + 1) / 2, w / 2
    width, t = np.diff(breaks)[:, None, None], (_nodes(degree) + 1) / 2
    by_power = np.moveaxis(density.coefficients, 1, 0)  # [degree + 1, pieces, outputs]
    # (M(x) − M(high)) / t is the mean of f over the distance to the right end, times the width.
    inner = np.polynomial.polynomial.polyval(1 - 2 * np.outer(t, v), by_power)  # [pieces, outputs, t, v]
    whole = np.polynomial.polynomial.polyval(1 - 2 * v, by_power)
    beyond = np.cumsum((width[..., 0] * (whole @ w))[:0:-1], axis=0)[::-1]
    value = np.concatenate([beyond, np.zeros((1, outputs))])
    if lines:
        at = np.zeros_like(value)  # the last interval that ends at or below each line
        place = np.searchsorted(breaks[1:], [x for x, _ in lines], side="right") - 1
        np.add.at(at, place[place >= 0], np.array([weight for _, weight in lines])[place >= 0])
        value += np.cumsum(at[::-1], axis=0)[::-1]
    return Moments(breaks, value, _monomials(width * (inner @ w) @ _to_chebyshev(degree).T))
