"""Acceptances: how probably an event of some observable is kept."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats


def _logistic(x: Floats) -> Floats:
    """1/(1 + e^−x)."""
    with np.errstate(over="ignore"):  # then it is 0
        return np.asarray(1 / (1 + np.exp(-x)))


@dataclass(frozen=True)
class LogisticAcceptance:
    """Acceptance k₁ / (1 + exp(−k₂(x − x₀))) above a threshold, 0 below (CL Eq. 12).

    Attributes
    ----------
    plateau, steepness, midpoint : float
        k₁, k₂ and x₀.
    threshold : float
        Where the step function opens.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> acceptance = cf.LogisticAcceptance(0.6655, 0.4942, 10.8507, threshold=5.0)
    >>> acceptance([4.0, 10.8507, 30.0]).round(3).tolist()
    [0.0, 0.333, 0.665]
    """

    plateau: float
    steepness: float
    midpoint: float
    threshold: float

    def __post_init__(self) -> None:
        for name in ("plateau", "steepness", "midpoint", "threshold"):
            validate.number(name, getattr(self, name))
        if not 0 <= self.plateau <= 1:
            raise ValueError(f"plateau = {self.plateau!r}: must be an acceptance, from 0 to 1")

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """The threshold."""
        return (self.threshold,)

    def __call__(self, x: ArrayLike) -> Floats:
        x = validate.real("x", x)
        value = self.plateau * _logistic(self.steepness * (x - self.midpoint))
        return np.asarray(np.where(x >= self.threshold, value, 0.0))


@dataclass(frozen=True)
class OffsetLogisticAcceptance:
    """Acceptance a / (1 + exp(−b(x − c))) + d where that is positive, 0 below.

    Attributes
    ----------
    amplitude, steepness, midpoint, offset : float
        a, b > 0, c and d; a and a + d are positive.

    Notes
    -----
    COHERENT CsI 2021 (arXiv:2110.07730).

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.OffsetLogisticAcceptance(1.32045, 0.285979, 10.8646, -0.333322)
    >>> csi([6.0, 8.0, 40.0]).round(3).tolist()
    [0.0, 0.071, 0.987]
    """

    amplitude: float
    steepness: float
    midpoint: float
    offset: float

    def __post_init__(self) -> None:
        for name in ("amplitude", "steepness", "midpoint", "offset"):
            validate.number(name, getattr(self, name), positive=name in ("amplitude", "steepness"))
        if not 0 < self.amplitude + self.offset <= 1:
            plateau = self.amplitude + self.offset
            raise ValueError(f"amplitude + offset = {plateau!r}: must be an acceptance, from 0 to 1")

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Where it becomes positive, if it does."""
        if self.offset >= 0:
            return ()
        return (self.midpoint - math.log(-self.amplitude / self.offset - 1) / self.steepness,)

    def __call__(self, x: ArrayLike) -> Floats:
        logistic = self.amplitude * _logistic(self.steepness * (validate.real("x", x) - self.midpoint))
        return np.asarray(np.maximum(logistic + self.offset, 0.0))
