"""Adaptive quadrature with an error estimate for each of several integrands.

Plain bisection: a Gauss-Legendre rule on a panel is compared with the same rule on its two halves, and
panels that disagree are halved again. It differs from `scipy.integrate.quad` in two ways the reference
needs: integrands are evaluated at all nodes of a generation in one call (a spectrum is a numpy function),
and a panel's nodes are given by their distance from *both* of its ends, so that an integrand can measure
from a kinematic limit without cancellation.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["integrate"]

Floats = NDArray[np.float64]

#: Of the Gauss-Legendre rule; and where there are so many panels that each is narrow.
ORDER, SHORT_ORDER, MANY_PANELS = 16, 6, 64
_RULES = {n: np.polynomial.legendre.leggauss(n) for n in (ORDER, SHORT_ORDER)}

#: Of the two rules only the coarser one has this error: the result, by the finer one, is good to rounding.
RTOL = 1e-12
#: Rows smaller than this fraction of the largest need no relative accuracy of their own.
FLOOR = 1e-4
MAX_DEPTH = 60
MAX_PANELS = 20_000

#: f(panel, s, r): integrands, one a row, at the fraction s = 1 - r of the panels with these numbers.
Integrand = Callable[[NDArray[np.intp], Floats, Floats], Floats]


def _rule(
    f: Integrand, panel: NDArray[np.intp], low: Floats, rest: Floats, h: float, order: int
) -> tuple[Floats, Floats]:
    """∫ f and ∫ |f| over [low, low + h] = [1 - rest - h, 1 - rest] of each panel, both [row, panel]."""
    x, w = _RULES[order]
    nodes, weights = (1 + x) / 2, w / 2
    s = low[:, None] + h * nodes
    r = rest[:, None] + h * (1 - nodes)
    values = f(np.repeat(panel, order), s.ravel(), r.ravel()).reshape(-1, panel.size, order)
    if not np.all(np.isfinite(values)):
        raise ArithmeticError("the integrand is not finite")
    return h * (values @ weights), h * (np.abs(values) @ weights)


def integrate(f: Integrand, n_panels: int) -> Any:
    """Integrate over the unit interval of each of `n_panels` panels.

    Parameters
    ----------
    f : callable
        ``f(panel, s, r)`` returns the integrands, float64[n_rows, n], times the width of the panel.
    n_panels : int

    Returns
    -------
    ndarray
        float64[n_rows, n_panels].

    Raises
    ------
    ArithmeticError
        If an integral diverges or does not converge.
    """
    panel, low, rest, h = np.arange(n_panels), np.zeros(n_panels), np.zeros(n_panels), 1.0
    order = SHORT_ORDER if n_panels > MANY_PANELS else ORDER
    coarse, absolute = _rule(f, panel, low, rest, h, order)
    result, scale = np.zeros_like(coarse), absolute.sum(axis=1)
    for _ in range(MAX_DEPTH):
        # Both halves of each panel, side by side.
        h /= 2
        panels, lows = np.repeat(panel, 2), (low[:, None] + h * np.array([0.0, 1.0])).ravel()
        rests = (rest[:, None] + h * np.array([1.0, 0.0])).ravel()
        halves, absolutes = _rule(f, panels, lows, rests, h, order)
        fine = halves.reshape(halves.shape[0], -1, 2).sum(axis=2)

        # ∫ |f| grows if a spike was missed at first.
        scale = np.maximum(scale, absolutes.sum(axis=1))
        tolerance = RTOL * np.maximum(scale, FLOOR * scale.max(initial=0.0))
        good = np.all(np.abs(fine - coarse) <= tolerance[:, None], axis=0)
        for number, value in zip(panel[good], fine.T[good], strict=True):
            result[:, number] += value
        if good.all():
            return result
        again = np.repeat(~good, 2)
        panel, low, rest, coarse = panels[again], lows[again], rests[again], halves[:, again]
        if panel.size > MAX_PANELS:
            break
    raise ArithmeticError("the integral does not converge: it may diverge, or have an undeclared break inside")
