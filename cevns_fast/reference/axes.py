"""How the counts of the observable's bins are spread along time and a release's axis, from the definitions.

Neutrinos of a species arrive at t = u + s: u is the time of a proton, Gaussian, and s the age of what decays. The
fraction in a bin is an integral over s of what the pulse then leaves of the bin, weighed with the efficiency in time.
"""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, special

__all__ = ["time_fractions", "weights"]

Floats = NDArray[np.float64]

#: Ages beyond so many lifetimes do not matter.
OLDEST = 45.0


def _ages(pulse: Any, species: str) -> tuple[Callable[[float], float], float]:
    """Density of the age of what decays, and how old it may be: a pion, or a pion and then a muon."""
    pion, muon = pulse.pion_lifetime, pulse.muon_lifetime
    if species == "nu_mu":
        return lambda s: math.exp(-s / pion) / pion, OLDEST * pion
    return lambda s: (math.exp(-s / muon) - math.exp(-s / pion)) / (muon - pion), OLDEST * muon


def _seen(pulse: Any, low: float, high: float, rate: float, start: float) -> Callable[[float], float]:
    """∫_low^high of the pulse, begun at age s, times exp(−rate (t − start))."""
    width = pulse.width

    def at(s: float) -> float:
        mean = pulse.mean + s - rate * width**2  # a Gaussian times an exponential is a shifted Gaussian
        factor = math.exp(-rate * (pulse.mean + s - start) + 0.5 * (rate * width) ** 2)
        a, b = (low - mean) / width, (high - mean) / width
        below = special.ndtr(b) - special.ndtr(a) if a < 0 else special.ndtr(-a) - special.ndtr(-b)
        return float(factor * below)

    return at


def time_fractions(time: Any, species: str) -> Floats:
    """The fraction of a species' events in each bin of time.

    Parameters
    ----------
    time : TimeAxis
        Only fields are read.
    species : str

    Returns
    -------
    ndarray
        float64[bins of time].
    """
    if time.pulse is None:
        return np.array(dict(time.fractions)[species], dtype=np.float64)
    pulse, found = time.pulse, []
    age, oldest = _ages(pulse, species)
    kind = type(pulse.efficiency).__name__
    if kind not in ("float", "int", "ExponentialEfficiency"):
        raise TypeError(f"{kind} is not an efficiency in time that the reference knows")
    for low, high in pairwise(time.edges):
        parts = [(low, high, 0.0, 0.0, pulse.efficiency)]
        if kind == "ExponentialEfficiency":
            start, rate = pulse.efficiency.start, pulse.efficiency.rate
            middle = min(max(start, low), high)
            parts = [(low, middle, 0.0, 0.0, 1.0), (middle, high, rate, start, 1.0)]
        total = 0.0
        for a, b, rate, start, factor in parts:
            if a == b:
                continue
            seen = _seen(pulse, a, b, rate, start)
            ends = [t - pulse.mean + k * pulse.width for t in (a, b) for k in (-9, -5, -2, 0, 2, 5, 9)]
            cuts = [0.0, *sorted(s for s in {*ends, pulse.pion_lifetime, 5 * pulse.pion_lifetime} if 0 < s < oldest)]
            for x, y in pairwise([*cuts, oldest]):
                value, _ = integrate.quad(lambda s, f=seen: age(s) * f(s), x, y, epsabs=0.0, epsrel=1e-12, limit=200)
                total += factor * value
        found.append(total)
    return np.array(found)


def weights(experiment: Any, species: str, electrons: bool = False) -> Floats:
    """What the counts of a species in each bin of the observable become in all bins: float64[observable, others]."""
    n = len(experiment.detector.bins) - 1
    time, release, calibration = (getattr(experiment, name, None) for name in ("time", "release", "calibration"))
    in_time = np.ones(1) if time is None else time_fractions(time, species)
    sorted_by = np.ones(1)
    if release is not None:
        by_name = getattr(release, "others", {})
        first = "electrons" if electrons and "electrons" in by_name else species
        sorted_by = np.asarray(by_name.get(first, release.probabilities), dtype=np.float64)
    found = np.empty((n, in_time.size, sorted_by.shape[-1]))
    for b in range(n):
        row = sorted_by if sorted_by.ndim == 1 else sorted_by[b]
        found[b] = np.outer(in_time, row)
    if calibration is not None:
        factors = np.asarray(calibration)
        found *= factors.reshape(found.shape)
    return found.reshape(n, -1)
