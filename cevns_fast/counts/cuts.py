"""Where the response of a detector is not smooth: recoil energies that no panel may contain."""

import numpy as np

from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.experiments.detectors import Detector
from cevns_fast.experiments.response_matrix import ResponseMatrix
from cevns_fast.experiments.smearing import GammaSmearing, GaussianSmearing

# A resolution below this fraction of the distance between edges blurs each alone, within so many widths of it.
_NARROW = 0.1
_WIDTHS = (-8.0, -6.0, -4.5, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.5, 6.0, 8.0)
_NARROWEST = 1e-9  # of the observable: numbers next to each other are not much nearer
_MOST_STEPS = 32
# Of the largest response: what is seen less is not seen.
_UNSEEN = 1e-30
_ENOUGH_BINS = 100


@remember(maxsize=64)
def cuts_of(detector: Detector, highest: float) -> tuple[float, ...]:
    """Recoil energies between which every response is smooth, from the lowest to the highest that matter."""
    response = detector.response
    if isinstance(response, ResponseMatrix):
        first, last = response.energies[0], response.energies[-1]
    elif response.smearing is None:
        first = detector.recoil_at(detector.bins[0], highest)
        last = detector.recoil_at(detector.bins[-1], highest)
    else:
        edges = _few(detector.bins)
        images = detector.recoils_at(np.union1d(edges, 0.5 * (edges[1:] + edges[:-1])), highest)
        grid = np.union1d(np.geomspace(1e-9, highest, 400), images[(images > 0) & (images < highest)])
        seen = detector.replace(bins=tuple(edges.tolist())).bin_response(grid).max(axis=0)
        if not seen.any():
            return ()
        k = int(np.argmax(seen > _UNSEEN * seen.max()))
        first, last = (float(grid[k - 1]) if k > 0 else 0.0), highest  # from the last point where nothing is seen
    first, last = max(first, response.recoil_threshold), min(last, highest)
    if first >= last:
        return ()
    inside = {
        *detector.response_breakpoints(highest),
        *detector.form_factor_breakpoints,
        *detector.recoils_at(transitions(detector), highest).tolist(),
    }
    return (first, *sorted(T for T in inside if first < T < last), last)


def transitions(detector: Detector) -> Floats:
    """Mean observables around edges that a resolution blurs which is far narrower than the bins."""
    smearing = detector.response.smearing
    if not isinstance(smearing, GaussianSmearing | GammaSmearing):
        return np.empty(0)
    steps = getattr(detector.response.acceptance, "breakpoints", ())
    # Between the points of a table nothing jumps, and they may be many.
    edges = np.array(sorted({*detector.bins, *(steps if len(steps) <= _MOST_STEPS else ())}))
    edges = edges[(edges >= detector.bins[0]) & (edges <= detector.bins[-1])]
    gap = np.minimum(np.diff(edges, prepend=-np.inf), np.diff(edges, append=np.inf))
    width = np.asarray(smearing.width(edges))
    narrow = (width < _NARROW * gap) & (edges > 0)
    if np.any(width[narrow] < _NARROWEST * edges[narrow]):
        i = int(np.argmin(np.where(narrow, width / np.where(narrow, edges, 1.0), np.inf)))
        raise ValueError(
            f"smearing = {smearing!r}: is {width[i]:.3g} wide at {edges[i]:.6g}, must be at least {_NARROWEST:g} of "
            "that; leave it out for a detector that is as good as sharp"
        )
    around = edges[narrow, None] + width[narrow, None] * np.array(_WIDTHS)
    return np.asarray(around[around > 0])


def _few(bins: tuple[float, ...]) -> Floats:
    """Edges of as many bins as tell where anything is seen: thousands are put together."""
    n = len(bins) - 1
    chosen = np.unique(np.linspace(0, n, min(n, _ENOUGH_BINS) + 1).astype(np.int64))
    return np.array(bins)[chosen]


def sees_zero(detector: Detector) -> bool:
    """Whether the response stays finite at T = 0, where 1/T has no integral, rather than vanish with T."""
    lower, upper = detector.bin_response([1e-16, 1e-14]).max(axis=0) if detector.response.smearing else (1.0, 1.0)
    return bool(lower > 0.5 * upper > 0)
