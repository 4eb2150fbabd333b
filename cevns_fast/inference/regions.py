"""Allowed regions of a plane of two couplings: boundaries, area, correlation, and grids that are fine enough for them.

A region may be a strip a thousand times as long as wide, which a grid along the axes shows as islands. What is seen of
it between the points, where Δχ² along a line is a parabola, tells how wide it is; then it is looked at again, on a grid
that lies along it and is as narrow.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, cast

import numpy as np

from cevns_fast._validate import Floats

Function = Callable[[Floats], Floats]  # Δχ² at points, float64[k, 2] -> float64[k]

# Steps of a grid across a region, so that boundary and area are right to a percent; and so few that they are not to be
# trusted at all. Between the two the ends of a slanting strip may fall apart into islands.
FEWEST, TOO_FEW = 12.0, 3.0
_FAR = 1e6  # Δχ² beyond so many thresholds is as good as infinite
_ATTEMPTS = 20
_MARGIN = 1.2  # of the frame around what is known of a region


class UnresolvedRegionWarning(UserWarning):
    """An allowed region is thinner than the grid on which it was sought."""


@dataclass(frozen=True, eq=False)
class Ring:
    """A closed line in the plane of two couplings.

    Attributes
    ----------
    points : float64[k, 2]
        The first point is repeated at the end.
    hole : bool
        Whether it bounds a hole in the allowed region.
    """

    points: Floats
    hole: bool

    @property
    def area(self) -> float:
        """Enclosed area."""
        x, y = (self.points - self.points[0]).T  # small numbers lose no digits
        return 0.5 * abs(float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])))


@dataclass(frozen=True, eq=False)
class Contours:
    """The allowed region {Δχ² <= level} of a plane.

    Attributes
    ----------
    level : float
    rings : tuple of Ring
        Outer boundaries and holes; where the region leaves the grid its boundary follows the edge of the grid.
    clipped : bool
        Whether the region reaches the edge of the grid, so that boundary and area are cut short.
    correlation : float
        Of the two couplings over the region, every part of it alike; NaN if fewer than three points are allowed.
    finer : bool
        Whether the region is thinner than the grid, and was found on another one that lies along it.
    resolved : bool
        Whether boundary, area and number of rings can be trusted: a scan that was read from a file knows nothing
        between its points.
    """

    level: float
    rings: tuple[Ring, ...]
    clipped: bool
    correlation: float = math.nan
    finer: bool = False
    resolved: bool = True

    @property
    def area(self) -> float:
        """Area of the region, in units of the couplings; NaN if it is not resolved."""
        return sum(-ring.area if ring.hole else ring.area for ring in self.rings) if self.resolved else math.nan


class Seen(NamedTuple):
    """What a grid of Δχ² shows of a region."""

    points: Floats  # where lines of the grid cross it, in steps, float64[k, 2]
    across: float  # the fewest steps that it is wide


class Frame(NamedTuple):
    """A parallelogram: points are origin + u·first + v·second, with u and v from −1 to 1."""

    origin: Floats
    sides: Floats  # [2, 2], rows

    def grid(self, n: int) -> Floats:
        """n × n points, float64[n, n, 2]."""
        u = np.linspace(-1.0, 1.0, n)
        return np.asarray(self.origin + u[:, None, None] * self.sides[0] + u[None, :, None] * self.sides[1])


def contours(
    axes: tuple[Floats, Floats], delta: Floats, level: float, function: Function | None, sizes: tuple[int, int]
) -> Contours:
    """The region of a grid, or of a better one where that is too coarse and the function is known.

    Parameters
    ----------
    axes : two of float64
    delta : float64[len(x), len(y)]
        Δχ² on the grid.
    level : float
    function : callable or None
        Δχ² at any points.
    sizes : (int, int)
        Points along each side of a grid on which the region is sought, and of the largest that is affordable.
    """
    seen, coarse = look(delta, level), _on_grid(axes, delta, level)
    if seen.across >= FEWEST:
        return coarse
    found = _along(axes, seen, level, function, sizes) if function is not None else None
    if found is not None:
        return found
    if seen.across >= TOO_FEW and sum(not ring.hole for ring in coarse.rings) == 1:
        return coarse
    n = [math.ceil(len(axis) * FEWEST / max(seen.across, 1e-3)) for axis in axes]
    warnings.warn(
        f"the region of Delta chi2 <= {level:.4g} is thinner than the grid, {seen.across:.2g} steps: its boundary and "
        f"area are not right; it needs {n[0]} x {n[1]} points or more, or couplings that vary along and across it",
        UnresolvedRegionWarning,
        stacklevel=4,
    )
    return Contours(level, coarse.rings, coarse.clipped or _leaves(delta, level), resolved=False)


def look(delta: Floats, level: float) -> Seen:
    """Where lines of a grid cross a region, also between points, and the fewest steps that it is wide."""
    points, across = [np.argwhere(delta <= level).astype(float)], [math.inf]
    for axis in (0, 1):
        if delta.shape[axis] < 3:
            continue
        lines = np.moveaxis(delta, axis, 1)
        before, here, after = (np.minimum(part, _FAR * level) for part in (lines[:, :-2], lines[:, 1:-1], lines[:, 2:]))
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


def _leaves(delta: Floats, level: float) -> bool:
    """Whether the region reaches an edge of the grid, also between points."""
    edges = (delta[0], delta[-1], delta[:, 0], delta[:, -1])
    return any(len(look(np.stack([edge] * 3), level).points) > 0 for edge in edges)


def _on_grid(axes: tuple[Floats, Floats], delta: Floats, level: float) -> Contours:
    """The region as the grid has it."""
    rings = tuple(Ring(points, hole) for points, hole in _rings(axes, delta, level))
    edge = np.concatenate([delta[0], delta[-1], delta[:, 0], delta[:, -1]])
    return Contours(level, rings, bool(np.any(edge <= level)), _correlation(axes, delta <= level))


def _rings(axes: tuple[Floats, Floats], delta: Floats, level: float) -> Sequence[tuple[Floats, bool]]:
    """Closed lines around {Δχ² <= level}, and whether each bounds a hole."""
    try:
        import contourpy
    except ImportError:
        raise ImportError("contours need contourpy: pip install 'cevns_fast[scan]'") from None
    # Infinities (a prediction without counts) would spoil the interpolation next to them.
    generator = contourpy.contour_generator(
        axes[0], axes[1], np.minimum(delta.T, _FAR * level), fill_type=contourpy.FillType.OuterOffset
    )
    lowest = min(float(delta.min()), 0.0) - 1.0
    polygons, offsets = cast("Any", generator.filled(lowest, level))
    return [
        (np.asarray(points[a:b]), k > 0)
        for points, ends in zip(polygons, offsets, strict=True)
        for k, (a, b) in enumerate(pairwise(ends))
    ]


def _correlation(axes: tuple[Floats, Floats], inside: Any) -> float:
    """Correlation coefficient over points of a grid, each with the area around it as its weight."""
    if inside.sum() < 3:
        return math.nan
    allowed = inside.astype(np.float64)
    (x, y), (width_x, width_y) = axes, (np.gradient(axis) for axis in axes)
    weight_x, weight_y = width_x * (allowed @ width_y), width_y * (width_x @ allowed)
    dx, dy = x - np.average(x, weights=weight_x), y - np.average(y, weights=weight_y)
    covariance = (width_x * dx) @ allowed @ (width_y * dy)
    widths = math.sqrt((weight_x @ dx**2) * (weight_y @ dy**2))
    return float(covariance / widths) if widths > 0 else math.nan


def _of_points(points: Floats) -> float:
    """Correlation coefficient of points, all of one weight."""
    dx, dy = (points - points.mean(axis=0)).T
    widths = math.sqrt(float(dx @ dx) * float(dy @ dy))
    return float(dx @ dy) / widths if widths > 0 else math.nan


def _along(
    axes: tuple[Floats, Floats], seen: Seen, level: float, function: Function, sizes: tuple[int, int]
) -> Contours | None:
    """The region on a grid of its own; None if no affordable one is fine enough."""
    low, high = (np.array([axis[i] for axis in axes]) for i in (0, -1))
    box = Frame((low + high) / 2, np.diag((high - low) / 2))
    steps = [np.arange(len(axis)) for axis in axes]
    known = np.stack([np.interp(seen.points[:, i], steps[i], axes[i]) for i in (0, 1)], axis=1)
    n, most = sizes
    frame, smallest = _around(known, box, box.sides / [[len(axes[0]) / 2], [len(axes[1]) / 2]], np.ones(2)), math.inf
    for _ in range(_ATTEMPTS):
        now = look(_within(frame.grid(n), function, box, level), level)
        if not len(now.points):
            return None
        uv = 2 * now.points / (n - 1) - 1
        cut = np.abs(uv).max(axis=0) > 1 - 3 / (n - 1)
        size = abs(float(np.linalg.det(frame.sides)))
        if not cut.any():
            if now.across >= FEWEST or size > 0.9 * smallest:
                break
            smallest = size
        frame = _around(frame.origin + uv @ frame.sides, frame, frame.sides * 2 / (n - 1), np.where(cut, 1.5, 1.0))
    else:
        return None
    n = max(4 * n, math.ceil(n * 1.5 * FEWEST / now.across))
    if n > most:
        if now.across * most / sizes[0] < FEWEST:
            return None
        n = most
    return _in_frame(frame, n, function, box, level)


def _around(points: Floats, scale: Frame, step: Floats, wider: Floats) -> Frame:
    """The frame of a cloud of points along its principal axes, in units of another frame's sides, and a step wider.

    Where the cloud is cut by that frame's sides, it is made `wider` along them.
    """
    unit = points - points.mean(axis=0)
    unit = unit @ np.linalg.inv(scale.sides)
    directions = np.linalg.svd(unit, full_matrices=False)[2] if len(points) > 1 else np.eye(2)
    along = unit @ directions.T
    low, high = along.min(axis=0), along.max(axis=0)
    steps = np.abs(step @ np.linalg.inv(scale.sides) @ directions.T).max(axis=0)
    half = _MARGIN * (high - low) / 2 * np.abs(directions * wider).max(axis=1) / np.abs(directions).max(axis=1) + steps
    sides = half[:, None] * directions @ scale.sides
    return Frame(points.mean(axis=0) + (low + high) / 2 @ directions @ scale.sides, sides)


def _outside(points: Floats, box: Frame) -> Floats:
    """How far points are outside the box, in halves of its sides; negative inside."""
    relative: Floats = np.abs((points - box.origin) / np.diag(box.sides))
    return np.asarray(relative.max(axis=-1) - 1.0)


def _within(points: Floats, function: Function, box: Frame, level: float) -> Floats:
    """Δχ² inside the box, and above the level outside."""
    values = function(points.reshape(-1, 2)).reshape(points.shape[:2])
    return np.maximum(np.where(np.isnan(values), np.inf, values), level * (1 + _outside(points, box)))


def _in_frame(frame: Frame, n: int, function: Function, box: Frame, level: float) -> Contours:
    """The region on n × n points of a frame, its boundary in the plane's own coordinates."""
    u, points = np.linspace(-1.0, 1.0, n), frame.grid(n)
    delta = _within(points, function, box, level)
    rings = tuple(Ring(frame.origin + uv @ frame.sides, hole) for uv, hole in _rings((u, u), delta, level))
    inside = points[delta <= level]
    correlation = _of_points(inside) if len(inside) > 2 else math.nan
    step = float(np.abs(frame.sides / np.diag(box.sides)).max()) * 2 / (n - 1)
    clipped = bool(np.any(np.abs(_outside(inside, box)) <= 1.5 * step))
    return Contours(level, rings, clipped, correlation, finer=True)
