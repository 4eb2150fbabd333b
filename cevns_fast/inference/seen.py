"""What a grid of Δχ² shows of a region {Δχ² <= level}, also between its points, and the lines around it.

Between the points Δχ² along a line is a parabola, which tells how wide a region is that no point need lie in.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple, cast

import numpy as np

from cevns_fast._validate import Floats

# Steps of a grid across a region, so that its pieces are right; so that they are where steps were halved; and so few
# that they are not to be trusted at all. Between them the ends of a slanting strip may fall apart into islands.
FEWEST, ENOUGH, TOO_FEW = 12.0, 4.0, 3.0
FAR = 1e6  # Δχ² beyond so many thresholds is as good as infinite


class Seen(NamedTuple):
    """What a grid of Δχ² shows of a region."""

    points: Floats  # where lines of the grid cross it, in steps, float64[k, 2]
    across: float  # the fewest steps that it is wide


def look(delta: Floats, level: float) -> Seen:
    """Where lines of a grid cross a region, also between points, and the fewest steps that it is wide."""
    points, across = [np.argwhere(delta <= level).astype(float)], [math.inf]
    for axis in (0, 1):
        if delta.shape[axis] < 3:
            continue
        lines = np.moveaxis(delta, axis, 1)
        before, here, after = (np.minimum(part, FAR * level) for part in (lines[:, :-2], lines[:, 1:-1], lines[:, 2:]))
        # Along a line Δχ² is here + slope t + curvature t², in steps.
        slope, curvature = (after - before) / 2, (after + before - 2 * here) / 2
        lowest = (here <= before) & (here <= after) & (curvature > 1e-12 * level)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            at = np.where(lowest, -slope / (2 * curvature), 0.0)
            least = here - curvature * at**2
            wide = 2 * np.sqrt(level / curvature)
        crossing = lowest & (least <= level)
        line, step = np.nonzero(crossing)
        where = np.stack([line, step + 1 + at[crossing]], axis=1)
        points.append(where if axis == 1 else where[:, ::-1])
        across += wide[crossing].tolist()
    return Seen(np.concatenate(points), min(across))


def rings_of(axes: tuple[Floats, Floats], delta: Floats, level: float) -> Sequence[tuple[Floats, bool]]:
    """Closed lines around {Δχ² <= level}, and whether each bounds a hole."""
    try:
        import contourpy
    except ImportError:
        raise ImportError("contours need contourpy: pip install 'cevns_fast[scan]'") from None
    # Infinities (a prediction without counts) would spoil the interpolation next to them.
    generator = contourpy.contour_generator(
        axes[0], axes[1], np.minimum(delta.T, FAR * level), fill_type=contourpy.FillType.OuterOffset
    )
    lowest = min(float(delta.min()), 0.0) - 1.0
    polygons, offsets = cast("Any", generator.filled(lowest, level))
    return [
        (np.asarray(points[a:b]), k > 0)
        for points, ends in zip(polygons, offsets, strict=True)
        for k, (a, b) in enumerate(pairwise(ends))
    ]
