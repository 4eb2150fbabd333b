"""Boundaries of allowed regions to a stated accuracy, where Δχ² is known between the points of a grid.

Corners of a contour are moved along the lines of the grid to where Δχ² is the threshold. Then each side is halved, by
the point beside its middle, as long as that changes the area: what is left of it is the accuracy that is stated.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from cevns_fast._validate import Floats

DeltaChi2 = Callable[[Floats], Floats]  # Δχ² at points, float64[k, 2] -> float64[k]

ACCURACY = 3e-4  # of the area, that sides may still miss together
_ROUNDS = 10
_ROOT_STEPS, _NEXT_TO = 12, (0.01, 0.05, 0.2, 0.5)  # of a side, where the boundary is looked for beside its middle
_FAR = 1e6  # Δχ² beyond so many thresholds is as good as infinite


class Boundary(NamedTuple):
    """Closed lines, whether each bounds a hole, and the relative error of the area between them."""

    rings: tuple[tuple[Floats, bool], ...]
    accuracy: float


def settled(
    rings: Sequence[tuple[Floats, bool]],
    axes: tuple[Floats, Floats],
    delta: Floats,
    level: float,
    function: DeltaChi2,
) -> Boundary:
    """Contours of a grid, with their corners on the boundary and as many as it takes.

    Parameters
    ----------
    rings : sequence of (float64[k, 2], bool)
        As linear interpolation on the grid has them, the region to the left; the first point is repeated at the end.
    axes : two of float64
    delta : float64[len(x), len(y)]
    level : float
    function : callable
        Δχ² at any points of the grid's rectangle.
    """
    low, size = (np.array([axis[0] for axis in axes]), np.array([axis[-1] - axis[0] for axis in axes]))
    units = tuple((axis - axis[0]) / (axis[-1] - axis[0]) for axis in axes)

    def excess(points: Floats) -> Floats:
        """√Δχ² above the threshold, nearly a straight line."""
        return _excess(function(low + points * size), level)

    moved = [_on_lines((points - low) / size, units, _excess(delta, level), excess) for points, _ in rings]
    area = abs(sum(_area(points) for points in moved))
    allowed = ACCURACY * area / max(sum(map(len, moved)), 1)
    found, missed = [], 0.0
    for points in moved:
        finer, left = _halved(points, allowed, excess)
        found.append(finer)
        missed += left
    area = abs(sum(_area(points) for points in found))
    closed = ((low + points * size, hole) for points, (_, hole) in zip(found, rings, strict=True))
    return Boundary(tuple(closed), missed / area if area > 0 else np.nan)


def _excess(delta: Floats, level: float) -> Floats:
    """√Δχ² less that of the threshold, finite everywhere."""
    return np.asarray(np.sqrt(np.clip(np.where(np.isnan(delta), np.inf, delta), 0.0, _FAR * level)) - np.sqrt(level))


def _area(ring: Floats) -> float:
    """Of a polygon, positive if it is to the left."""
    x, y = ring.T
    return 0.5 * float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))


def _root(inside: Floats, outside: Floats, below: Floats, above: Floats, excess: DeltaChi2) -> Floats:
    """Where between points with an excess <= 0 and > 0 it is zero, by false position (Illinois) and halving in turn."""
    low, high = np.zeros(len(inside)), np.ones(len(inside))
    below, above = below.copy(), above.copy()
    side = np.zeros(len(inside))
    for step in range(_ROOT_STEPS):
        share = np.clip(below / (below - above), 1e-3, 1 - 1e-3) if step % 3 < 2 else 0.5
        at = low + share * (high - low)
        value = excess(inside + at[:, None] * (outside - inside))
        is_low = value <= 0
        above[is_low & (side < 0)] *= 0.5
        below[~is_low & (side > 0)] *= 0.5
        low, high = np.where(is_low, at, low), np.where(is_low, high, at)
        below, above = np.where(is_low, np.minimum(value, -1e-300), below), np.where(is_low, above, value)
        side = np.where(is_low, -1.0, 1.0)
    at = low + below / (below - above) * (high - low)
    return np.asarray(inside + at[:, None] * (outside - inside))


def _on_lines(points: Floats, axes: tuple[Floats, ...], grid: Floats, excess: DeltaChi2) -> Floats:
    """Corners of a contour, each moved along the line of the grid that it is on to the boundary."""
    moved = points.copy()
    for along in (0, 1):
        across, axis = 1 - along, axes[along]
        line = np.clip(np.searchsorted(axes[across], points[:, across] - 1e-12), 0, len(axes[across]) - 1)
        on_line = np.abs(axes[across][line] - points[:, across]) < 1e-11
        before = np.clip(np.searchsorted(axis, points[:, along]) - 1, 0, len(axis) - 2)
        between = (points[:, along] - axis[before] > 1e-11) & (axis[before + 1] - points[:, along] > 1e-11)
        which = np.flatnonzero(on_line & between)
        i, j = before[which], line[which]
        low, high = (grid[i, j], grid[i + 1, j]) if along == 0 else (grid[j, i], grid[j, i + 1])
        crossed = (low <= 0) != (high <= 0)
        which, i, low, high = which[crossed], i[crossed], low[crossed], high[crossed]
        if not which.size:
            continue
        ends = np.repeat(points[which][None], 2, axis=0)
        ends[0, :, along], ends[1, :, along] = axis[i], axis[i + 1]
        first = (low <= 0)[:, None]
        moved[which] = _root(
            np.where(first, ends[0], ends[1]), np.where(first, ends[1], ends[0]),
            np.minimum(low, high), np.maximum(low, high), excess,
        )  # fmt: skip
    return moved


def _halved(ring: Floats, allowed: float, excess: DeltaChi2) -> tuple[Floats, float]:
    """A ring with more corners, and the area that its sides still miss.

    Halving a side of a smooth line leaves a quarter of the area between them.
    """
    missed, open_sides = 0.0, np.ones(len(ring) - 1, dtype=bool)
    for turn in range(_ROUNDS):
        sides = np.flatnonzero(open_sides)
        if not sides.size:
            break
        middle, distance = _beside(ring[sides], ring[sides + 1], excess)
        length = np.hypot(*(ring[sides + 1] - ring[sides]).T)
        slivers = 2 / 3 * np.where(np.isfinite(distance), np.abs(distance), 0.5 * length) * length
        straight = _along_an_edge(ring[sides], ring[sides + 1])
        slivers[straight] = 0.0
        found = np.isfinite(distance) & ~straight & (slivers > 0)
        further = found & (slivers > allowed) & (turn < _ROUNDS - 1)
        missed += float(np.sum(np.where(found, slivers / 4, slivers)[~further]))
        ring = np.insert(ring, sides[found] + 1, middle[found], axis=0)
        marks = np.zeros(len(open_sides), dtype=bool)
        marks[sides[further]] = True
        open_sides = np.insert(marks, sides[found] + 1, marks[sides[found]])
    return ring, missed


def _along_an_edge(a: Floats, b: Floats) -> Any:
    """Whether sides follow an edge of the grid."""
    on_edge = [(np.abs(a[:, i] - x) < 1e-12) & (np.abs(b[:, i] - x) < 1e-12) for i in (0, 1) for x in (0.0, 1.0)]
    return np.any(on_edge, axis=0)


def _beside(a: Floats, b: Floats, excess: DeltaChi2) -> tuple[Floats, Floats]:
    """The boundary beside the middle of sides a b, and its distance; NaN where it is not near."""
    middle, side = (a + b) / 2, b - a
    value = excess(middle)
    outward = np.where(value <= 0, 1.0, -1.0)[:, None] * np.stack([side[:, 1], -side[:, 0]], axis=1)
    near, far = np.zeros(len(a)), np.full(len(a), np.nan)
    at_near, at_far = value.copy(), value.copy()
    for distance in _NEXT_TO:
        looking = np.isnan(far)
        if not looking.any():
            break
        beyond = np.clip(middle[looking] + distance * outward[looking], 0.0, 1.0)
        there = excess(beyond)
        passed = (there <= 0) != (value[looking] <= 0)
        which = np.flatnonzero(looking)
        far[which[passed]], at_far[which[passed]] = distance, there[passed]
        near[which[~passed]], at_near[which[~passed]] = distance, there[~passed]
    found = np.flatnonzero(~np.isnan(far))
    places, distances = middle.copy(), np.full(len(a), np.nan)
    if found.size:
        ends = [np.clip(middle + t[:, None] * outward, 0.0, 1.0)[found] for t in (near, far)]
        inside = (value[found] <= 0)[:, None]
        places[found] = _root(
            np.where(inside, ends[0], ends[1]), np.where(inside, ends[1], ends[0]),
            np.minimum(at_near, at_far)[found], np.maximum(at_near, at_far)[found], excess,
        )  # fmt: skip
        distances[found] = np.hypot(*(places - middle)[found].T)
    return places, distances
