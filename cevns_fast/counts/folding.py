"""Responses of thousands of bins as sums of few functions: what is smeared is smooth, however narrow the bins are.

The mean observable's range is cut into pieces on which the response of every bin is a short Chebyshev series. The
kernel integrates the polynomials, a few for each piece; counts of all bins are sums of these integrals.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev

from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.counts import piecewise
from cevns_fast.experiments.detectors import Detector, response_of_bins
from cevns_fast.experiments.responses import Response
from cevns_fast.experiments.smearing import GammaSmearing, GaussianSmearing, PoissonSmearing

FUNCTIONS = 16  # of a piece: none is added by padding
MANY_BINS = 200  # fewer cost less than what saves work
# A recoil is not seen where the probability is this much less: exp(−69) = 1e-30.
_UNSEEN = 69.0
# Errors below this fraction of a bin's largest response are accepted wherever it is small.
_FLOOR = 1e-15
# What a bin gets from where it responds so much less than at its best need not have all digits of its own.
_WEAK = 1e-3
_MOST_PIECES = 20_000
# How many responses are evaluated together.
_BLOCK = 1 << 17


@dataclass(frozen=True, eq=False)
class Folding:
    """What makes counts of all bins from integrals of the functions: `integrals @ folding`."""

    breaks: Floats  # [pieces + 1], of √x̄
    first: tuple[int, ...]  # the first bin that each piece reaches
    series: tuple[Floats, ...]  # [FUNCTIONS, bins that it reaches]
    importance: Floats  # [pieces × FUNCTIONS], at most 1: what an error of each matters
    n_bins: int

    __array_ufunc__ = None  # arrays leave `@` to it

    def __len__(self) -> int:
        return FUNCTIONS * len(self.first)

    def __rmatmul__(self, integrals: Floats) -> Floats:
        """Counts [..., bins], each row's by itself, so that company changes no bit."""
        counts = np.zeros((*integrals.shape[:-1], 1, self.n_bins))
        for p, (first, series) in enumerate(zip(self.first, self.series, strict=True)):
            part = integrals[..., None, FUNCTIONS * p : FUNCTIONS * (p + 1)]
            counts[..., first : first + series.shape[1]] += part @ series
        return counts[..., 0, :]

    def functions(self, piece: np.ndarray, root: Floats) -> Floats:
        """The polynomials of each one's piece, float64[FUNCTIONS, len(root)]."""
        low, high = self.breaks[piece], self.breaks[piece + 1]
        return np.asarray(chebyshev.chebvander((2 * root - low - high) / (high - low), FUNCTIONS - 1).T)


def is_worth_it(detector: Detector) -> bool:
    """Whether a detector has so many smeared bins that functions of the mean are fewer."""
    response = detector.response
    return isinstance(response, Response) and response.smearing is not None and detector.n_bins >= MANY_BINS


@remember(maxsize=16)
def folding_of(detector: Detector, ends: tuple[float, ...]) -> Folding:
    """Series of all bins between the ends, of √x̄, and between others where the responses may change quickly."""
    nodes = chebyshev.chebpts1(FUNCTIONS)
    to_series = np.linalg.inv(chebyshev.chebvander(nodes, FUNCTIONS - 1))
    largest = np.full(detector.n_bins, np.finfo(float).tiny)
    low, high = np.array(ends[:-1]), np.array(ends[1:])
    done: list[tuple[float, float, int, Floats]] = []
    rough = False
    while low.size:
        halved: list[tuple[float, float]] = []
        for some, first, last in _together(detector, low, high):
            middle, half = 0.5 * (low[some] + high[some]), 0.5 * (high[some] - low[some])
            roots = middle[:, None] + half[:, None] * nodes
            values = response_of_bins(detector, roots.ravel() ** 2, first, last).reshape(last - first, *roots.shape)
            series, size = values @ to_series.T, values.max(axis=2)
            best = largest[first:last]
            np.maximum(best, size.max(axis=1), out=best)
            # Neighbouring numbers differ by ε x, as in `piecewise.fit`.
            grain = piecewise.ROUNDING * high[some] / half * (size - values.min(axis=2))
            allowed = np.maximum(np.maximum(piecewise.TOLERANCE * size, grain), _FLOOR * best[:, None])
            smooth = np.all(np.abs(series[..., -2:]).max(axis=2) <= allowed, axis=0)
            at_zero = (low[some] == 0) & (high[some] < 1e-12 * ends[-1])
            enough = smooth | at_zero | (half < 1e-9 * high[some])
            if len(done) + len(low) + len(halved) > _MOST_PIECES:
                enough[:] = True
            rough |= not smooth[enough].all()
            for i, k in enumerate(range(some.start, some.stop)):
                if enough[i]:
                    done.append((low[k], high[k], first, series[:, i].T))
                else:
                    halved += [(low[k], middle[i]), (middle[i], high[k])]
        low, high = np.array(halved).reshape(-1, 2).T
    if rough:
        message = "detector response: too rough to be represented to full accuracy; state its breakpoints or smooth it"
        warnings.warn(message, piecewise.AccuracyWarning, stacklevel=2)
    done.sort(key=lambda piece: piece[0])
    return _folding(detector, done, largest)


def _folding(detector: Detector, pieces: Sequence[tuple[float, float, int, Floats]], largest: Floats) -> Folding:
    """Of pieces in order, each with the bins that it reaches and no others."""
    first, series, importance = [], [], []
    for _, _, start, each in pieces:
        best = largest[start : start + each.shape[1]]
        seen = np.flatnonzero(np.abs(each).max(axis=0) > math.exp(-_UNSEEN) * best)
        a, b = (int(seen[0]), int(seen[-1]) + 1) if seen.size else (0, 0)
        first.append(start + a)
        series.append(np.ascontiguousarray(each[:, a:b]))
        share = np.abs(each[:, a:b]) / np.maximum(np.abs(each[:, a:b]).max(axis=0), _WEAK * best[a:b])
        importance.append(np.minimum(share.max(axis=1, initial=0.0), 1.0))
    breaks = np.array([*(low for low, *_ in pieces), pieces[-1][1]])
    return Folding(breaks, tuple(first), tuple(series), np.concatenate(importance), detector.n_bins)


def _together(detector: Detector, low: Floats, high: Floats) -> Iterator[tuple[slice, int, int]]:
    """Neighbouring pieces, and the bins that they reach: so many that a call is worth it, and no more."""
    below, above = (_reach(detector.response.smearing, ends * ends) for ends in (low, high))
    first = np.maximum(np.searchsorted(detector.bins, below[0], side="right") - 1, 0)
    last = np.minimum(np.searchsorted(detector.bins, above[1], side="left"), detector.n_bins)
    first = np.minimum(first, detector.n_bins - 1)
    last = np.maximum(last, first + 1)
    start = 0
    for k in range(1, low.size + 1):
        if k < low.size:
            bins = last[start : k + 1].max() - first[start : k + 1].min()
            if FUNCTIONS * (k + 1 - start) * bins <= _BLOCK:
                continue
        yield slice(start, k), int(first[start:k].min()), int(last[start:k].max())
        start = k


def _reach(smearing: Any, mean: Floats) -> tuple[Floats, Floats]:
    """Observables below and above which nothing is, by the bound of sub-gamma tails: x̄ ± √(2 L) σ + c L.

    S. Boucheron, G. Lugosi, P. Massart, Concentration Inequalities (2013), Sec. 2.4: c is 0 for a Gaussian, 1/3 for
    Poisson, and the scale of a gamma distribution.
    """
    scale: Floats | float = 0.0
    if isinstance(smearing, PoissonSmearing):
        width, scale = np.sqrt(mean), 1 / 3
    else:
        assert isinstance(smearing, GaussianSmearing | GammaSmearing)
        width = smearing.width(mean)
        if isinstance(smearing, GammaSmearing):
            scale = mean / (1 + smearing.shape_per_unit * mean)
    spread = math.sqrt(2 * _UNSEEN) * width
    return mean - spread, mean + spread + scale * _UNSEEN
