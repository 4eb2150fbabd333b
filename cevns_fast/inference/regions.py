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

from cevns_fast._support import shown
from cevns_fast._validate import Floats

DeltaChi2 = Callable[[Floats], Floats]  # Δχ² at points, float64[k, 2] -> float64[k]

# Steps of a grid across a region, so that boundary and area are right to a percent; and so few that they are not to be
# trusted at all. Between the two the ends of a slanting strip may fall apart into islands.
FEWEST, TOO_FEW = 12.0, 3.0
_FAR = 1e6  # Δχ² beyond so many thresholds is as good as infinite
_ATTEMPTS = 20
_MARGIN = 1.2  # of the frame around what is known of a region
_GAP, _DEPTH = 0.25, 4  # the share of a cloud's length that is empty where it falls apart, and how often it may


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

    Examples
    --------
    >>> import numpy as np
    >>> import cevns_fast as cf
    >>> x, y = np.linspace(-0.06, 0.06, 200), np.linspace(-1.2e-3, 1.2e-3, 200)
    >>> scan = cf.correlation_scan(cf.load("coherent-csi-2017"), cf.SingletEFT(m_chi=40.0), ("C_S", "a_M"), x, y)
    >>> region = scan.contours(cl=0.90)
    >>> region
    <Contours: delta chi2 <= 4.605, 1 piece, area 9.752e-05>
    >>> round(region.correlation, 2), region.clipped, region.rings[0].points.shape[1]
    (-0.41, False, 2)
    """

    level: float
    rings: tuple[Ring, ...]
    clipped: bool
    correlation: float = math.nan
    finer: bool = False
    resolved: bool = True

    def __repr__(self) -> str:
        """Threshold, area and pieces."""
        if not self.resolved:
            return shown.line("Contours:", f"delta chi2 <= {self.level:.4g}", "thinner than the grid")
        pieces = sum(not ring.hole for ring in self.rings)
        edge = "clipped by the grid" if self.clipped else ""
        return shown.line(
            "Contours:", f"delta chi2 <= {self.level:.4g}", f"{pieces} piece{'s' * (pieces != 1)}",
            f"area {self.area:.4g}", edge,
        )  # fmt: skip

    def _repr_html_(self) -> str:
        """A table, and the boundaries."""
        rows = {
            "Δχ²": f"up to {self.level:.4g}",
            "area": f"{self.area:.4g}" if self.resolved else "not resolved",
            "correlation": f"{self.correlation:.3g}",
            "reaches the edge of the grid": "yes" if self.clipped else "no",
        }
        gap = np.full((1, 2), np.nan)
        lines = [np.concatenate([ring.points, ring.points[:1], gap]) for ring in self.rings]
        points = np.concatenate([gap, *lines])
        return shown.table("Allowed region", rows, shown.curves(points[:, 0], "boundary", ("", points[:, 1])))

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
    axes: tuple[Floats, Floats],
    delta: Floats,
    level: float,
    best: Floats,
    function: DeltaChi2 | None,
    sizes: tuple[int, int],
) -> Contours:
    """The region of a grid, or of a better one where that is too coarse and the function is known.

    Parameters
    ----------
    axes : two of float64
    delta : float64[len(x), len(y)]
        Δχ² on the grid.
    level : float
    best : float64[2]
        Where Δχ² is zero.
    function : callable or None
        Δχ² at any points.
    sizes : (int, int)
        Points along each side of a grid on which the region is sought, and of the largest that is affordable.
    """
    seen, coarse = look(delta, level), _on_grid(axes, delta, level)
    hidden = not len(seen.points) and all(axis[0] <= at <= axis[-1] for axis, at in zip(axes, best, strict=True))
    if seen.across >= FEWEST and not hidden:
        return coarse
    found = _along(axes, seen, best, level, function, sizes) if function is not None else None
    if found is not None:
        return found
    if seen.across >= TOO_FEW and not hidden and sum(not ring.hole for ring in coarse.rings) == 1:
        return coarse
    across = max(min(seen.across, 1.0), 1e-3) if hidden else max(seen.across, 1e-3)
    n = [math.ceil(len(axis) * FEWEST / across) for axis in axes]
    warnings.warn(
        f"the region of Delta chi2 <= {level:.4g} is thinner than the grid, {across:.2g} steps at most: its boundary "
        f"and area are not right; it needs {n[0]} x {n[1]} points or more, or couplings that vary along and across it",
        UnresolvedRegionWarning,
        stacklevel=4,
    )
    return Contours(level, coarse.rings, coarse.clipped or _leaves(delta, level), resolved=False)


def correlation(axes: tuple[Floats, Floats], delta: Floats, level: float) -> float | None:
    """Correlation coefficient over a region that the grid shows well; None if it does not."""
    return _correlation(axes, delta <= level) if look(delta, level).across >= FEWEST else None


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


def _of_points(points: Floats, weights: Floats) -> float:
    """Correlation coefficient of points."""
    if len(points) < 3:
        return math.nan
    dx, dy = (points - np.average(points, axis=0, weights=weights)).T
    widths = math.sqrt(float(weights @ dx**2) * float(weights @ dy**2))
    return float(weights @ (dx * dy)) / widths if widths > 0 else math.nan


class Domain(NamedTuple):
    """Where a region is looked for, between lines: normals · point <= offsets; the first four are the grid's edges."""

    normals: Floats  # [m, 2]
    offsets: Floats  # [m]

    def beyond(self, points: Floats) -> Floats:
        """How far points are beyond each line, in units of the grid's halves, float64[..., m]."""
        return np.asarray(points @ self.normals.T - self.offsets)

    def split(self, normal: Floats, offset: float) -> tuple["Domain", "Domain"]:
        """The two sides of a further line."""
        below, above = (
            Domain(np.vstack([self.normals, sign * normal]), np.append(self.offsets, sign * offset))
            for sign in (1.0, -1.0)
        )
        return below, above


def _along(
    axes: tuple[Floats, Floats],
    seen: Seen,
    best: Floats,
    level: float,
    function: DeltaChi2,
    sizes: tuple[int, int],
) -> Contours | None:
    """The region on grids of its own; None if no affordable one is fine enough."""
    low, high = (np.array([axis[i] for axis in axes]) for i in (0, -1))
    half, centre, steps = (high - low) / 2, (high + low) / 2, [np.arange(len(axis)) for axis in axes]
    units = np.concatenate([np.diag(1 / half), -np.diag(1 / half)])
    domain = Domain(units, 1 + units @ centre)
    known = np.stack([np.interp(seen.points[:, i], steps[i], axes[i]) for i in (0, 1)], axis=1)
    if domain.beyond(best).max() <= 0:
        known = np.vstack([known, best])
    box = Frame(centre, np.diag(half))
    step = box.sides / [[len(axes[0]) / 2], [len(axes[1]) / 2]]
    parts = _parts(_around(known, box, step, np.ones(2)), level, function, sizes, domain)
    if parts is None:
        return None
    inside = np.concatenate([part.inside for part in parts])
    weights = np.concatenate([np.full(len(part.inside), part.cell) for part in parts])
    return Contours(
        level,
        tuple(ring for part in parts for ring in part.rings),
        any(part.clipped for part in parts),
        _of_points(inside, weights),
        finer=True,
    )


class Part(NamedTuple):
    """A piece of the region, on a grid of its own."""

    rings: tuple[Ring, ...]
    inside: Floats  # its points
    cell: float  # the area that each of them stands for
    clipped: bool


def _parts(
    frame: Frame, level: float, function: DeltaChi2, sizes: tuple[int, int], domain: Domain, depth: int = 0
) -> list[Part] | None:
    """Look closer until the region is seen well; where it falls apart, at each part by itself."""
    n, most = sizes
    smallest = math.inf
    for _ in range(_ATTEMPTS):
        now = look(_within(frame.grid(n), function, domain, level), level)
        if not len(now.points):
            return None
        uv = 2 * now.points / (n - 1) - 1
        cut = np.abs(uv).max(axis=0) > 1 - 3 / (n - 1)
        size = abs(float(np.linalg.det(frame.sides)))
        if not cut.any():
            if now.across >= FEWEST:
                break
            if depth < _DEPTH and (found := _gap(uv)) is not None:
                return _apart(frame, uv, found, level, function, sizes, domain, depth)
            if size > 0.9 * smallest:
                break
            smallest = size
        frame = _around(frame.origin + uv @ frame.sides, frame, frame.sides * 2 / (n - 1), np.where(cut, 1.5, 1.0))
    else:
        return None
    finest = max(4 * n, math.ceil(n * 1.5 * FEWEST / now.across))
    if finest > most and now.across * most / n < FEWEST:
        return None
    return [_in_frame(frame, min(finest, most), function, domain, level)]


def _gap(uv: Floats) -> tuple[int, float] | None:
    """Along which side of a frame a cloud of points falls apart, and where."""
    for i in (1, 0):  # across first
        ordered = np.sort(uv[:, i])
        widest = int(np.argmax(np.diff(ordered))) if len(ordered) > 1 else 0
        if len(ordered) > 1 and ordered[widest + 1] - ordered[widest] > _GAP * (ordered[-1] - ordered[0]):
            return i, float((ordered[widest] + ordered[widest + 1]) / 2)
    return None


def _apart(
    frame: Frame,
    uv: Floats,
    gap: tuple[int, float],
    level: float,
    function: DeltaChi2,
    sizes: tuple[int, int],
    domain: Domain,
    depth: int,
) -> list[Part] | None:
    """Both sides of a gap, each without the other."""
    i, at = gap
    inverse = np.linalg.inv(frame.sides)[:, i]  # the i-th coordinate of the frame
    scale = 1 / np.abs(inverse @ np.linalg.inv(domain.normals[:2])).max()
    parts: list[Part] = []
    for side, where in zip(
        domain.split(inverse * scale, scale * (at + float(frame.origin @ inverse))),
        (uv[:, i] < at, uv[:, i] >= at),
        strict=True,
    ):
        mine = frame.origin + uv[where] @ frame.sides
        found = _parts(
            _around(mine, frame, frame.sides * 2 / (sizes[0] - 1), np.ones(2)), level, function, sizes, side, depth + 1
        )
        if found is None:
            return None
        parts += found
    return parts


def _around(points: Floats, scale: Frame, step: Floats, wider: Floats) -> Frame:
    """The frame of a cloud of points along its principal axes, in units of another frame's sides, and a step wider.

    Where the cloud is cut by that frame's sides, it is made `wider` along them.
    """
    unit = points - points.mean(axis=0)
    unit = unit @ np.linalg.inv(scale.sides)
    directions = np.linalg.eigh(unit.T @ unit)[1].T[::-1]  # the longest first
    along = unit @ directions.T
    low, high = along.min(axis=0), along.max(axis=0)
    steps = np.abs(step @ np.linalg.inv(scale.sides) @ directions.T).max(axis=0)
    more = np.abs(directions * wider).max(axis=1) / np.abs(directions).max(axis=1)
    half = _MARGIN * (high - low) / 2 * more + steps
    sides = half[:, None] * directions @ scale.sides
    return Frame(points.mean(axis=0) + (low + high) / 2 @ directions @ scale.sides, sides)


def _within(points: Floats, function: DeltaChi2, domain: Domain, level: float) -> Floats:
    """Δχ² inside the domain, and above the level outside."""
    values = function(np.ascontiguousarray(points.reshape(-1, 2))).reshape(points.shape[:2])
    beyond = domain.beyond(points).max(axis=-1)
    return np.asarray(np.maximum(np.where(np.isnan(values), np.inf, values), level * (1 + beyond)))


def _in_frame(frame: Frame, n: int, function: DeltaChi2, domain: Domain, level: float) -> Part:
    """What of the region is on n × n points of a frame, its boundary in the plane's own coordinates."""
    u, points = np.linspace(-1.0, 1.0, n), frame.grid(n)
    delta = _within(points, function, domain, level)
    rings = tuple(Ring(frame.origin + uv @ frame.sides, hole) for uv, hole in _rings((u, u), delta, level))
    inside = points[delta <= level]
    step = float(np.abs(domain.beyond(points[:2, :2]) - domain.beyond(points[1, 1])).max())
    clipped = bool(np.any(domain.beyond(inside)[:, :4] >= -1.5 * step))
    return Part(rings, inside, abs(float(np.linalg.det(frame.sides))) / n**2, clipped)
