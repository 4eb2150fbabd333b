"""Confidence levels."""

import math
from statistics import NormalDist

import scipy

from cevns_fast import _validate as validate

#: Of a plane's regions as figures show them, for two degrees of freedom.
LEVELS = (0.68, 0.90, 0.95)


def checked_level(cl: float | None) -> float:
    """A confidence level."""
    level = validate.number("cl", cl)
    if not 0 < level < 1:
        raise ValueError(f"cl = {cl!r}: must be between 0 and 1")
    return level


def threshold(cl: float | None, delta_chi2: float | None, degrees_of_freedom: int) -> float:
    """Δχ² of a confidence level, or the one that is stated; exactly one must be given."""
    if (cl is None) == (delta_chi2 is None):
        raise ValueError(f"cl = {cl!r}, delta_chi2 = {delta_chi2!r}: exactly one must be given")
    if delta_chi2 is not None:
        return validate.number("delta_chi2", delta_chi2, positive=True)
    return _quantile(checked_level(cl), degrees_of_freedom)


def _quantile(level: float, degrees_of_freedom: int) -> float:
    """Of χ². The common ones do without scipy.special, whose import takes longer than a first limit."""
    if degrees_of_freedom == 2:
        return -2 * math.log1p(-level)
    if degrees_of_freedom == 1 and level >= 0.5:  # below, the normal distribution's own quantile cancels
        return NormalDist().inv_cdf((1 - level) / 2) ** 2
    return float(2 * scipy.special.gammaincinv(degrees_of_freedom / 2, level))
