"""Grids that lie along a region: a strip may be a thousand times as long as wide, which others show as islands."""

import math
from typing import NamedTuple

import numpy as np

from cevns_fast._validate import Floats
from cevns_fast.inference.boundaries import DeltaChi2, settled
from cevns_fast.inference.seen import FEWEST, Seen, look, rings_of

_ATTEMPTS = 20
_MARGIN = 1.2  # of the frame around what is known of a region
_GAP, _DEPTH = 0.25, 4  # the share of a cloud's length that is empty where it falls apart, and how often it may


class Frame(NamedTuple):
    """A parallelogram: points are origin + u·first + v·second, with u and v from −1 to 1."""

    origin: Floats
    sides: Floats  # [2, 2], rows

    def grid(self, n: int) -> Floats:
        """n × n points, float64[n, n, 2]."""
        u = np.linspace(-1.0, 1.0, n)
        return np.asarray(self.origin + u[:, None, None] * self.sides[0] + u[None, :, None] * self.sides[1])


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


def along(
    axes: tuple[Floats, Floats],
    seen: Seen,
    best: Floats,
    level: float,
    function: DeltaChi2,
    sizes: tuple[int, int],
) -> "list[Part] | None":
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
    return _parts(_around(known, box, step, np.ones(2)), level, function, sizes, domain)


class Part(NamedTuple):
    """A piece of the region, on a grid of its own."""

    rings: tuple[tuple[Floats, bool], ...]
    inside: Floats  # its points
    cell: float  # the area that each of them stands for
    clipped: bool
    accuracy: float


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

    def of_frame(uv: Floats) -> Floats:
        return np.asarray(_within((frame.origin + uv @ frame.sides)[None], function, domain, level)[0])

    lines, accuracy = settled(rings_of((u, u), delta, level), (u, u), delta, level, of_frame)
    rings = tuple((frame.origin + uv @ frame.sides, hole) for uv, hole in lines)
    inside = points[delta <= level]
    step = float(np.abs(domain.beyond(points[:2, :2]) - domain.beyond(points[1, 1])).max())
    clipped = bool(np.any(domain.beyond(inside)[:, :4] >= -1.5 * step))
    return Part(rings, inside, abs(float(np.linalg.det(frame.sides))) / n**2, clipped, accuracy)
