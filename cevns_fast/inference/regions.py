"""Allowed regions of a plane of two couplings: boundaries, area, correlation, on grids that are fine enough for them.

Where a grid along the axes is too coarse, the region is looked at again on one that lies along it, or is denser there.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cevns_fast._support import shown
from cevns_fast._validate import Floats
from cevns_fast.inference.boundaries import DeltaChi2, settled
from cevns_fast.inference.frames import Part, along
from cevns_fast.inference.halving import denser
from cevns_fast.inference.seen import FEWEST, TOO_FEW, look, rings_of


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
    accuracy : float
        Relative error of the area, at most: what sides of the boundary still miss. NaN where Δχ² is not known between
        the points of the grid, and the boundary is interpolated.

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
    accuracy: float = math.nan

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
    seen, coarse = look(delta, level), _on_grid(axes, delta, level, function)
    hidden = not len(seen.points) and all(axis[0] <= at <= axis[-1] for axis, at in zip(axes, best, strict=True))
    if seen.across >= FEWEST and not hidden:
        return coarse
    if function is not None:
        parts = along(axes, seen, best, level, function, sizes)
        if parts is not None:
            return _together(parts, level)
        halved = denser(axes, delta, level, function, sizes[1])
        if halved is not None:
            return _on_grid(*halved, level, function, finer=True)
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


def is_thin(delta: Floats, level: float) -> bool:
    """Whether a grid says nothing of the region."""
    seen = look(delta, level)
    return not len(seen.points) or seen.across < TOO_FEW


def _leaves(delta: Floats, level: float) -> bool:
    """Whether the region reaches an edge of the grid, also between points."""
    edges = (delta[0], delta[-1], delta[:, 0], delta[:, -1])
    return any(len(look(np.stack([edge] * 3), level).points) > 0 for edge in edges)


def _on_grid(
    axes: tuple[Floats, Floats], delta: Floats, level: float, function: DeltaChi2 | None, finer: bool = False
) -> Contours:
    """The region as the grid has it, its boundary where Δχ² has the threshold if that is known."""
    lines, accuracy = rings_of(axes, delta, level), math.nan
    if function is not None and lines:
        lines, accuracy = settled(lines, axes, delta, level, function)
    rings = tuple(Ring(points, hole) for points, hole in lines)
    edge = np.concatenate([delta[0], delta[-1], delta[:, 0], delta[:, -1]])
    correlated = _correlation(axes, delta <= level)
    return Contours(level, rings, bool(np.any(edge <= level)), correlated, finer, accuracy=accuracy)


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


def _together(parts: Sequence[Part], level: float) -> Contours:
    """The region of its parts."""
    inside = np.concatenate([part.inside for part in parts])
    weights = np.concatenate([np.full(len(part.inside), part.cell) for part in parts])
    rings = [[Ring(points, hole) for points, hole in part.rings] for part in parts]
    areas = [sum(-ring.area if ring.hole else ring.area for ring in each) for each in rings]
    missed = sum(area * part.accuracy for area, part in zip(areas, parts, strict=True))
    return Contours(
        level,
        tuple(ring for each in rings for ring in each),
        any(part.clipped for part in parts),
        _of_points(inside, weights),
        finer=True,
        accuracy=missed / sum(areas) if sum(areas) > 0 else math.nan,
    )


def _of_points(points: Floats, weights: Floats) -> float:
    """Correlation coefficient of points."""
    if len(points) < 3:
        return math.nan
    dx, dy = (points - np.average(points, axis=0, weights=weights)).T
    widths = math.sqrt(float(weights @ dx**2) * float(weights @ dy**2))
    return float(weights @ (dx * dy)) / widths if widths > 0 else math.nan
