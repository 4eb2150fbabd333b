"""Smearing: how the observable is distributed around its mean."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats


@dataclass(frozen=True)
class PoissonSmearing:
    """The observable is a whole number, Poisson distributed around its mean.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> response = cf.Response(light_yield=1.17, smearing=cf.PoissonSmearing(), observable="photoelectrons")
    >>> detector = cf.Detector(cf.Target.of("CsI", {"Cs": 1, "I": 1}), mass=14.57, bins=(6, 8, 10), response=response)
    >>> detector.bin_response([0.006]).ravel().round(3).tolist()  # probabilities of 6 or 7, and 8 or 9, at 6 keV
    [0.298, 0.233]
    """


@dataclass(frozen=True)
class GaussianSmearing:
    """The observable is Gaussian around its mean with σ² = constant² + statistical² x̄ + linear² x̄².

    Attributes
    ----------
    statistical, constant, linear : float
        In units of the observable, and zero unless stated; `statistical` = 1 is the width of counting photoelectrons.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> float(cf.GaussianSmearing(constant=0.03).width(0.5))
    0.03
    """

    statistical: float = 0.0
    constant: float = 0.0
    linear: float = 0.0

    def __post_init__(self) -> None:
        for name in ("statistical", "constant", "linear"):
            validate.number(name, getattr(self, name), minimum=0.0)
        if self.statistical == self.constant == self.linear == 0:
            raise ValueError("statistical = 0.0: at least one of statistical, constant, linear must be > 0")

    def width(self, mean: ArrayLike) -> Floats:
        """Standard deviation."""
        mean = validate.real("mean", mean)
        return np.sqrt(self.constant**2 + mean * (self.statistical**2 + mean * self.linear**2))


@dataclass(frozen=True)
class GammaSmearing:
    """The observable is gamma distributed around its mean x̄ with shape 1 + k x̄, variance x̄²/(1 + k x̄).

    Attributes
    ----------
    shape_per_unit : float
        k, per unit of the observable. COHERENT CsI 2021 (arXiv:2110.07730) has 9.56 per keV of
        electron-equivalent energy.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> float(cf.GammaSmearing(shape_per_unit=9.56).width(1.0).round(3))
    0.308
    """

    shape_per_unit: float

    def __post_init__(self) -> None:
        validate.number("shape_per_unit", self.shape_per_unit, positive=True)

    def width(self, mean: ArrayLike) -> Floats:
        """Standard deviation."""
        mean = validate.real("mean", mean)
        return mean / np.sqrt(1 + self.shape_per_unit * mean)


Smearing = PoissonSmearing | GaussianSmearing | GammaSmearing


def probability(smearing: GaussianSmearing | GammaSmearing, edges: Floats, mean: Floats) -> Floats:
    """Probability between neighbouring edges [edges, 1], as a difference of the smaller tails."""
    mean = np.maximum(mean, np.finfo(float).tiny)
    if isinstance(smearing, GaussianSmearing):
        z = (edges - mean) / smearing.width(mean)
        below, above, upper = special.ndtr(z), special.ndtr(-z), z[:-1] > 0
    else:
        shape = 1 + smearing.shape_per_unit * mean
        x = edges * shape / mean
        below, above, upper = special.gammainc(shape, x), special.gammaincc(shape, x), x[:-1] > shape
    return np.asarray(np.where(upper, -np.diff(above, axis=0), np.diff(below, axis=0)))


def density(
    smearing: GaussianSmearing | GammaSmearing, x: Floats, offset: Floats, mean: Floats, width: Floats
) -> Floats:
    """Probability density of the observable at x, which is the mean + offset: narrow ones need all digits of that."""
    if isinstance(smearing, GaussianSmearing):
        return np.asarray(np.exp(-0.5 * (offset / width) ** 2) / (math.sqrt(2 * math.pi) * width))
    shape = 1 + smearing.shape_per_unit * mean
    if np.min(shape) > 1e3:
        return _narrow_gamma(x, offset / mean, shape)
    log_p = shape * np.log(shape / mean) + special.xlogy(shape - 1, x) - shape * x / mean - special.gammaln(shape)
    return np.asarray(np.where(x > 0, np.exp(log_p), 0.0))


def is_narrow_gamma(smearing: GaussianSmearing | GammaSmearing, mean: float) -> bool:
    """Whether a shape is so large that scipy's incomplete Γ has lost digits: 1e-10 of 1 in the tails of 1e7."""
    return isinstance(smearing, GammaSmearing) and smearing.shape_per_unit * mean > 1e4


def _narrow_gamma(x: Floats, d: Floats, shape: Floats) -> Floats:
    """The gamma density at x = mean (1 + d) for a large shape s: √(s/2π) exp(−s (d − ln(1 + d)) − 1/12s + …) / x.

    Stirling's series for Γ, and that of the logarithm, where large numbers would cancel.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        series = np.polynomial.polynomial.polyval(d, [(-1) ** k / (k + 2) for k in range(8)])
        deviance = np.where(np.abs(d) < 0.01, d * d * series, d - np.log1p(np.maximum(d, -1.0)))
        log_p = -shape * deviance - 1 / (12 * shape) + 1 / (360 * shape**3)
        return np.asarray(np.where(x > 0, np.exp(log_p) * np.sqrt(shape / (2 * np.pi)) / x, 0.0))
