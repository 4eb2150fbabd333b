"""Denser grids where a region needs them: steps halved near its boundary, whatever its shape."""

from typing import Any

import numpy as np

from cevns_fast._validate import Floats
from cevns_fast.inference.boundaries import DeltaChi2
from cevns_fast.inference.seen import ENOUGH, FAR, look


def denser(
    axes: tuple[Floats, Floats], delta: Floats, level: float, function: DeltaChi2, most: int
) -> tuple[tuple[Floats, Floats], Floats] | None:
    """A grid on the same rectangle with steps halved near a region's boundary; None if that takes too many points.

    Far from the boundary Δχ² is interpolated.
    """
    seen = look(delta, level)
    while seen.across < ENOUGH and len(seen.points):
        if 2 * max(delta.shape) - 1 > most:
            return None
        near = np.zeros(delta.shape, dtype=bool)
        near[tuple(np.rint(seen.points).astype(int).T)] = True
        near = _spread(near) & _spread(_spread(delta > level))
        capped = np.minimum(delta, FAR * level)
        finer, wanted = (_between(_between(each, 0), 1) for each in (capped, near.astype(float)))
        axes = _between(axes[0], 0), _between(axes[1], 0)
        i, j = np.nonzero(wanted)
        values = function(np.stack([axes[0][i], axes[1][j]], axis=1))
        finer[i, j] = np.where(np.isnan(values), np.inf, values)
        delta = finer
        seen = look(delta, level)
    return (axes, delta) if len(seen.points) else None


def _spread(mask: Any) -> Any:
    """True where a neighbour in either direction, or across, is."""
    for axis in (0, 1):
        lines = np.moveaxis(mask.copy(), axis, 0)
        lines[1:] |= np.moveaxis(mask, axis, 0)[:-1]
        lines[:-1] |= np.moveaxis(mask, axis, 0)[1:]
        mask = np.moveaxis(lines, 0, axis)
    return mask


def _between(values: Floats, axis: int) -> Floats:
    """Values with means between neighbours along an axis."""
    lines = np.moveaxis(values, axis, 0)
    found = np.empty((2 * len(lines) - 1, *lines.shape[1:]))
    found[::2], found[1::2] = lines, (lines[:-1] + lines[1:]) / 2
    return np.moveaxis(found, 0, axis)
