"""What a detector makes of a recoil: R_b(T), the probability that a recoil T is counted in bin b.

A recoil T has the mean observable x̄ = light_yield · quenching(T) · T/keV. Without smearing, R_b =
acceptance(x̄) if x̄ lies in the bin [a, b). With smearing, R_b = ∫_a^b p(x | x̄) acceptance(x) dx.
"""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import gammaln, xlogy

from cevns_fast.constants import KEV
from cevns_fast.reference.quadrature import integrate

__all__ = ["Window", "recoil_at", "windows"]

Floats = NDArray[np.float64]

#: No source makes recoils beyond this, MeV.
LARGEST_RECOIL = 10.0


class Window(NamedTuple):
    """A range of recoil energies and the bins it feeds."""

    bins: list[int]
    low: float  # MeV
    high: float
    breaks: tuple[float, ...]  # recoil energies at which a response is not smooth
    response: Callable[[float], Floats]  # T → R_b(T), one for each of `bins`


def _value(function: Any, x: float) -> float:
    """Of a constant, or of a function of arrays."""
    return float(np.asarray(function(np.array([x])))[0]) if callable(function) else float(function)


def _acceptance(acceptance: Any) -> Callable[[Floats], Floats]:
    if type(acceptance).__name__ == "OffsetLogisticAcceptance":
        a, b, c, d = acceptance.amplitude, acceptance.steepness, acceptance.midpoint, acceptance.offset
        return lambda x: np.maximum(a / (1 + np.exp(-b * (x - c))) + d, 0.0)
    if type(acceptance).__name__ == "LogisticAcceptance":
        k1, k2, x0 = acceptance.plateau, acceptance.steepness, acceptance.midpoint
        threshold = acceptance.threshold
        # CL Eq. (12)
        return lambda x: np.where(x >= threshold, k1 / (1 + np.exp(-k2 * (x - x0))), 0.0)
    if callable(acceptance):
        return lambda x: np.asarray(acceptance(x), dtype=np.float64)
    return lambda x: np.full(np.shape(x), float(acceptance))


def _breaks(function: Any) -> tuple[float, ...]:
    if type(function).__name__ == "LogisticAcceptance":
        return (function.threshold,)
    if type(function).__name__ == "Table":
        return tuple(function.x)
    if type(function).__name__ == "OffsetLogisticAcceptance":  # a/(1 + e^(-b(x - c))) = -d
        a, b, c, d = function.amplitude, function.steepness, function.midpoint, function.offset
        return (c - math.log(a / -d - 1) / b,) if d < 0 else ()
    return tuple(getattr(function, "breakpoints", ()))


def _mean(response: Any, T: float) -> float:
    return float(response.light_yield * _value(response.quenching, T) * T / KEV)


def recoil_at(response: Any, x: float) -> float:
    """Recoil energy (MeV) whose mean observable is x; inf if there is none."""
    if not callable(response.quenching):
        return float(x * KEV / (response.light_yield * response.quenching))
    if x <= 0:
        return 0.0
    # In ln T: Brent's relative tolerance is then that of T itself.
    low = 1e-12
    while _mean(response, low) >= x:
        low /= 1e3

    high = 2 * low  # no further than needed: a quenching need not be valid beyond what the source can make
    while _mean(response, high) < x:
        high *= 2
        if high > LARGEST_RECOIL or _mean(response, high) < _mean(response, high / 2):
            return math.inf

    def excess(log_T: float) -> float:
        return _mean(response, math.exp(log_T)) - x

    return math.exp(brentq(excess, math.log(low), math.log(high), xtol=1e-15))


def _sharp(detector: Any) -> list[Window]:
    response = detector.response
    acceptance = _acceptance(response.acceptance)
    edges = [max(recoil_at(response, x), response.recoil_threshold) for x in detector.bins]
    breaks = (
        *_breaks(response.quenching),
        *(recoil_at(response, x) for x in _breaks(response.acceptance)),
    )

    def counted(T: float) -> Floats:
        return acceptance(np.array([_mean(response, T)]))

    return [Window([b], low, high, breaks, counted) for b, (low, high) in enumerate(pairwise(edges)) if low < high]


def _poisson(detector: Any) -> Callable[[float], Floats]:
    """Sums over the whole numbers n in [a, b) of x̄ⁿ e^(-x̄)/n! · acceptance(n)."""
    bins, acceptance = detector.bins, _acceptance(detector.response.acceptance)
    n = np.arange(math.ceil(bins[0]), math.ceil(bins[-1]), dtype=np.float64)
    weights = np.array([(n >= a) & (n < b) for a, b in pairwise(bins)]) * acceptance(n)

    def response(T: float) -> Floats:
        mean = _mean(detector.response, T)
        return np.asarray(weights @ np.exp(xlogy(n, mean) - mean - gammaln(n + 1)))

    return response


def _gaussian_density(smearing: Any) -> tuple[Any, Any]:
    """σ² = constant² + statistical² x̄ + linear² x̄²."""

    def width(mean: float) -> float:
        variance = smearing.constant**2 + smearing.statistical**2 * mean + (smearing.linear * mean) ** 2
        return math.sqrt(variance)

    def density(x: Floats, mean: float) -> Floats:
        sigma = width(mean)
        return np.asarray(np.exp(-(((x - mean) / sigma) ** 2) / 2) / (math.sqrt(2 * math.pi) * sigma))

    return width, density


def _gamma_density(smearing: Any) -> tuple[Any, Any]:
    """Gamma distribution of mean x̄ and shape s = 1 + k x̄: (s/x̄)^s x^(s-1) e^(-s x/x̄)/Γ(s) for x > 0."""

    def shape(mean: float) -> float:
        return float(1 + smearing.shape_per_unit * mean)

    def width(mean: float) -> float:
        return mean / math.sqrt(shape(mean))

    def density(x: Floats, mean: float) -> Floats:
        s = shape(mean)
        positive = np.maximum(x, 0.0)
        log_p = s * math.log(s / mean) + xlogy(s - 1, positive) - s * positive / mean - gammaln(s)
        return np.asarray(np.where(x > 0, np.exp(log_p), 0.0))

    return width, density


def _smeared(detector: Any) -> Callable[[float], Floats]:
    smearing, bins = detector.response.smearing, detector.bins
    gaussian = type(smearing).__name__ == "GaussianSmearing"
    width, density = _gaussian_density(smearing) if gaussian else _gamma_density(smearing)
    acceptance = _acceptance(detector.response.acceptance)
    fixed = {*bins, 0.0, *_breaks(detector.response.acceptance)}

    def response(T: float) -> Floats:
        mean = _mean(detector.response, T)
        if mean <= 0:
            return np.zeros(len(bins) - 1)
        # Panels follow the density, so that no narrow peak hides between two nodes; far out it is
        # negligible.
        reach = width(mean) * np.array([-40, -16, -8, -4, -2, 0, 2, 4, 8, 16, 40])
        first, last = max(bins[0], mean + reach[0]), min(bins[-1], mean + reach[-1])
        if first >= last:
            return np.zeros(len(bins) - 1)
        inside = {x for x in (*fixed, *(mean + reach)) if first < x < last}
        cuts = np.array(sorted({first, last, *inside}))
        result = np.zeros(len(bins) - 1)
        low, size = cuts[:-1], np.diff(cuts)

        def integrand(panel: NDArray[np.intp], s: Floats, r: Floats) -> Floats:
            x = low[panel] + size[panel] * s
            weighted: Floats = size[panel] * density(x, mean) * acceptance(x)
            return weighted[None, :]

        panels = integrate(integrand, size.size)[0]
        np.add.at(result, np.searchsorted(bins, low, side="right") - 1, panels)
        return result

    return response


def _matrix(matrix: Any) -> Window:
    """Straight lines between the energies at which the probabilities are known, nothing beyond."""
    energies, rows = matrix.energies, np.array(matrix.probabilities)

    def response(T: float) -> Floats:
        return np.array([np.interp(T, energies, column, left=0.0, right=0.0) for column in rows.T])

    return Window(list(range(rows.shape[1])), energies[0], energies[-1], tuple(energies), response)


def windows(detector: Any) -> list[Window]:
    """The response of a detector, as ranges of recoil energy.

    Parameters
    ----------
    detector : Detector
        Only its fields are read; quenching and acceptance functions are called.

    Returns
    -------
    list of Window
        One for each bin without smearing; one for all bins with it.
    """
    if type(detector.response).__name__ == "ResponseMatrix":
        return [_matrix(detector.response)]
    smearing = detector.response.smearing
    kind = type(smearing).__name__
    if smearing is None:
        return _sharp(detector)
    makers = {"PoissonSmearing": _poisson, "GaussianSmearing": _smeared, "GammaSmearing": _smeared}
    if kind not in makers:
        raise TypeError(f"{kind} is not a smearing the reference knows: {', '.join(makers)}")
    bins = list(range(len(detector.bins) - 1))
    threshold = detector.response.recoil_threshold
    breaks = _breaks(detector.response.quenching)
    return [Window(bins, threshold, math.inf, breaks, makers[kind](detector))]
