"""Poisson counts, with the beam on and off: the profiled deviance of a bin, and its minimum over nuisances.

The background of every bin is found by bisection, inside a numerical minimisation over the nuisances.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

__all__ = ["Bin", "deviance", "minimum_over_nuisances", "on_off"]

Floats = NDArray[np.float64]


class Bin(NamedTuple):
    """Counts with the beam on and off, exposure off over on (infinite: known background), and what is expected."""

    on: float
    off: float
    ratio: float
    expected: float


def on_off(n: float, off: float, ratio: float, mu: float) -> tuple[float, float]:
    """−2 ln of the likelihood of on and off counts over that of a perfect fit, and its slope in mu.

    Parameters
    ----------
    n, off : float
        Counts with the beam on and off; they need not be integers.
    ratio : float
        Exposure off over exposure on.
    mu : float
        Expected counts with the beam on, beside the background b >= 0 that is minimised over: mu + b are
        expected on and ratio × b off.

    Returns
    -------
    tuple of float
    """
    # Shifted, so that neither mu + b nor b loses digits where it is small.
    low, above = max(0.0, -mu), max(0.0, mu)

    def slope(x: float) -> float:
        """Of the loss in b."""
        by_on = 1 - n / (above + x) if n > 0 else 1.0
        return by_on + (ratio - off / (low + x) if off > 0 else ratio)

    high = n + off / ratio + 1
    start = 1e-290
    if slope(start) >= 0:
        x = 0.0
    else:  # bisection in the logarithm, whose result has all its digits
        x = math.exp(optimize.brentq(lambda log: slope(math.exp(log)), math.log(start), math.log(high), xtol=1e-14))
    by_mu = (1 - n / (above + x) if n > 0 else 1.0) if above + x > 0 else (off / low if off > 0 else 0.0) - ratio
    return 2 * (deviance(n, above + x) + deviance(off, ratio * (low + x))), 2 * by_mu


def deviance(n: float, mu: float) -> float:
    """μ − n + n ln(n/μ)."""
    if n <= 0:
        return mu
    if mu <= 0:
        return math.inf
    r = (mu - n) / n
    return n * (r - math.log1p(r))


def minimum_over_nuisances(bins: Sequence[Bin], matrix: Floats, shift: Floats) -> tuple[float, list[float]]:
    """Minimum over the nuisances of the columns, and where it is."""
    nominal, k = np.array([each.expected for each in bins]) + shift, len(matrix)
    # Where nothing was counted, on or off, the minimum over b has a kink at mu = 0, or ends there if b is known.
    empty = [i for i, (n, off, _, _) in enumerate(bins) if n == 0 and off == 0]
    ratio = np.array([bins[i].ratio for i in empty])

    def loss(a: Floats, side: Floats) -> tuple[float, Floats]:
        """To be minimised, and its gradient; `side` is half the slope of empty bins."""
        mu, slopes = nominal + a @ matrix, np.zeros(len(bins))
        slopes[empty] = 2 * side
        total = float(a @ a + 2 * side @ mu[empty])
        for i, (n, off, tau, _) in enumerate(bins):
            if i in empty:
                continue
            if tau < math.inf:
                value, slopes[i] = on_off(n, off, tau, mu[i])
                total += value
            elif mu[i] < 0 or mu[i] == 0 < n:
                return math.inf, np.zeros(k)
            else:
                total += 2 * deviance(n, mu[i])
                slopes[i] = 2 * (1 - n / mu[i]) if n > 0 else 2.0
        return total, 2 * a + slopes @ matrix.T

    def minimum(start: Floats, directions: Floats, side: Floats) -> Floats:
        """Along some directions only."""
        a = start
        for _ in range(4 if directions.size else 0):  # each forgets the curvature that rounding has spoilt

            def along(z: Floats, a: Floats = a) -> tuple[float, Floats]:
                value, gradient = loss(a + directions @ z, side)
                return value, gradient @ directions

            z = optimize.minimize(
                along, np.zeros(directions.shape[1]), jac=True, method="BFGS", options={"gtol": 1e-11}
            )
            a = a + directions @ z.x
            if np.abs(z.jac).max() < 1e-9:  # χ² is then right to the square of that
                break
        return a

    if not empty:
        a = minimum(np.zeros(k), np.eye(k), np.zeros(0))
        return loss(a, np.zeros(0))[0], a.tolist()

    # With kinks: first with a variable b >= 0, mu + b >= 0, for each of these bins.
    own = np.flatnonzero(np.isfinite(ratio))
    reach = np.hstack([matrix[:, empty].T, np.eye(len(empty))[:, own]])

    def with_b(x: Floats) -> tuple[float, Floats]:
        value, gradient = loss(x[:k], np.ones(len(empty)))
        return value + 2 * float((1 + ratio[own]) @ x[k:]), np.concatenate([gradient, 2 * (1 + ratio[own])])

    x = np.concatenate([np.zeros(k), np.maximum(-nominal[empty][own], 0.0)])
    for _ in range(3 if x.size else 0):  # of nothing, there is nothing to minimise
        x = optimize.minimize(
            with_b, x, jac=True, method="SLSQP",
            bounds=optimize.Bounds(np.where(np.arange(len(x)) < k, -np.inf, 0.0), np.inf),
            constraints=optimize.LinearConstraint(reach, -nominal[empty], np.inf),
            options={"ftol": 1e-16, "maxiter": 300},
        ).x  # fmt: skip
    # Then with those at mu = 0 kept there, which makes it smooth. How near they have come is tried out.
    mu = (nominal + x[:k] @ matrix)[empty]

    def kinked_loss(a: Floats) -> float:
        """The loss itself, whatever the sides: 2 mu, or 2 ratio b with b = −mu."""
        at = (nominal + a @ matrix)[empty]
        at[np.abs(at) < 1e-9] = 0.0
        side = np.where(at < 0, -ratio, 1.0)
        return loss(a, np.zeros(len(empty)))[0] + 2 * float(side[at != 0] @ at[at != 0])

    candidates = []
    for near in (1e-7, 1e-5, 1e-3, 1e-1):
        kinked = (np.abs(mu) < near) | ((mu < 0) & np.isinf(ratio))
        side = np.where(kinked, 0.0, np.where(mu > 0, 1.0, -ratio))
        held = matrix[:, empty][:, kinked].T
        correction = np.linalg.lstsq(held, -mu[kinked], rcond=None)[0] if kinked.any() else np.zeros(k)
        directions = linalg.null_space(held, rcond=1e-9) if kinked.any() else np.eye(k)
        a = minimum(x[:k] + correction, directions, side)
        candidates.append((kinked_loss(a), a.tolist()))
    return min(candidates)
