"""Smearing: how the observable is distributed around its mean."""

import math
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike

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


# Where a bin is narrower than so many widths, the tails at its edges differ by less than their digits allow: nodes do.
_NARROW_BIN, _NODES = 0.5, np.polynomial.legendre.leggauss(8)
_NARROWER_BIN, _FEW_NODES = 0.05, np.polynomial.legendre.leggauss(4)


def probability(smearing: GaussianSmearing | GammaSmearing, edges: Floats, mean: Floats) -> Floats:
    """Probability between neighbouring edges [edges, 1]: a difference of the smaller tails, or of a narrow bin ∫ p."""
    mean = np.maximum(mean, np.finfo(float).tiny)
    width = np.asarray(smearing.width(mean))
    size = np.diff(edges, axis=0)
    from_zero = edges[:-1] if isinstance(smearing, GammaSmearing) else np.inf  # where a power of x is not smooth
    if np.all(size <= np.minimum(_NARROWER_BIN * width.min(), 0.01 * from_zero)):
        return _integrated(smearing, edges[:-1], size, mean, width, _FEW_NODES)
    narrow = size <= np.minimum(_NARROW_BIN * width, 0.25 * from_zero)
    if narrow.all():
        return _integrated(smearing, edges[:-1], size, mean, width, _NODES)
    result = _between(smearing, edges, mean)
    bins, some = np.nonzero(narrow)
    if bins.size:
        result[bins, some] = _integrated(smearing, edges[bins, 0], size[bins, 0], mean[some], width[some], _NODES)
    return result


def _integrated(
    smearing: GaussianSmearing | GammaSmearing,
    low: Floats,
    size: Floats,
    mean: Floats,
    width: Floats,
    rule: tuple[Floats, Floats],
) -> Floats:
    """∫ density from `low` over a size that is narrow, by Gauss–Legendre."""
    found: Floats | float = 0.0
    for node, weight in zip(*rule, strict=True):
        x = low + size * (0.5 * (1 + node))
        found = found + weight * density(smearing, x, x - mean, mean, width)
    return np.asarray(0.5 * size * found)


def _between(smearing: GaussianSmearing | GammaSmearing, edges: Floats, mean: Floats) -> Floats:
    """Probability between neighbouring edges [edges, 1], as a difference of the smaller tails."""
    if isinstance(smearing, GaussianSmearing):
        z = (edges - mean) / smearing.width(mean)
        below, above, upper = scipy.special.ndtr(z), scipy.special.ndtr(-z), z[:-1] > 0
    else:
        shape = 1 + smearing.shape_per_unit * mean
        x = edges * shape / mean
        below, above, upper = scipy.special.gammainc(shape, x), scipy.special.gammaincc(shape, x), x[:-1] > shape
    return np.asarray(np.where(upper, -np.diff(above, axis=0), np.diff(below, axis=0)))


def density(
    smearing: GaussianSmearing | GammaSmearing, x: Floats, offset: Floats, mean: Floats, width: Floats
) -> Floats:
    """Probability density of the observable at x, which is the mean + offset: narrow ones need all digits of that."""
    if isinstance(smearing, GaussianSmearing):
        return np.asarray(np.exp(-0.5 * (offset / width) ** 2) / (math.sqrt(2 * math.pi) * width))
    shape = 1 + smearing.shape_per_unit * mean
    large = shape > _LARGE_SHAPE
    if np.all(large):
        return _narrow_gamma(x, offset / mean, shape)
    log_p = (
        shape * np.log(shape / mean)
        + scipy.special.xlogy(shape - 1, x)
        - shape * x / mean
        - scipy.special.gammaln(shape)
    )
    found = np.where(x > 0, np.exp(log_p), 0.0)
    return np.where(large, _narrow_gamma(x, offset / mean, shape), found) if np.any(large) else found


# Above it, five terms of Stirling's series have all digits.
_LARGE_SHAPE = 20.0
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)


def is_narrow_gamma(smearing: GaussianSmearing | GammaSmearing, mean: float) -> bool:
    """Whether a shape is so large that scipy's incomplete Γ has lost digits: 1e-10 of 1 in the tails of 1e7."""
    return isinstance(smearing, GammaSmearing) and smearing.shape_per_unit * mean > 1e4


def poisson(count: Floats, mean: Floats) -> Floats:
    """Probability of counts [counts, 1] for means [means]."""
    few = count[:, 0] < _LARGE_SHAPE
    found = np.empty((count.size, mean.size))
    some = count[few]
    found[few] = np.exp(scipy.special.xlogy(some, mean) - mean - scipy.special.gammaln(some + 1))
    some = count[~few]
    with np.errstate(divide="ignore"):  # at a mean of 0 the deviance is infinite
        found[~few] = np.exp(-some * _deviance((mean - some) / some) - _stirling(some)) / np.sqrt(2 * np.pi * some)
    return found


def _deviance(d: Floats) -> Floats:
    """d − ln(1 + d), without the cancellation."""
    series = np.polynomial.polynomial.polyval(d, [(-1) ** k / (k + 2) for k in range(8)])
    return np.asarray(np.where(np.abs(d) < 0.01, d * d * series, d - np.log1p(np.maximum(d, -1.0))))


def _stirling(s: Floats) -> Floats:
    """ln Γ(s) − (s − 1/2) ln s + s − ln √(2π) of a large s (DLMF 5.11.1)."""
    return np.asarray(np.polynomial.polynomial.polyval(s**-2, _STIRLING) / s)


def _narrow_gamma(x: Floats, d: Floats, shape: Floats) -> Floats:
    """The gamma density at x = mean (1 + d) for a large shape s: √(s/2π) exp(−s (d − ln(1 + d)) − 1/12s + …) / x.

    Stirling's series for Γ, and that of the logarithm, where large numbers would cancel.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        log_p = -shape * _deviance(d) - _stirling(shape)
        return np.asarray(np.where(x > 0, np.exp(log_p) * np.sqrt(shape / (2 * np.pi)) / x, 0.0))
