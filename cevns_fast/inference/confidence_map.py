"""Feldman–Cousins on planes: p-values at every point of a grid, with the toys where the contour is."""

import math
import warnings
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage
from scipy.interpolate import RegularGridInterpolator

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.inference import regions
from cevns_fast.inference.best_fit import BestFit, best_fit, chosen, profiled
from cevns_fast.inference.boundaries import DeltaChi2
from cevns_fast.inference.confidence import checked_level
from cevns_fast.inference.parameter_planes import between_points
from cevns_fast.inference.regions import Contours
from cevns_fast.inference.scan_result import FoundBetween, Scan
from cevns_fast.inference.throwing import PER_ROW, Thrower, Toys, checked_toys, key_of
from cevns_fast.likelihood.likelihood import Likelihood, function_of
from cevns_fast.parallel import chunks
from cevns_fast.parallel.chunks import check_executor
from cevns_fast.parallel.progress import Progress

if TYPE_CHECKING:
    import xarray

# Toys that every point gets, and how many standard deviations of its p-value must part a point from the contour.
_FIRST, _CLEAR = 200, 3.0
# Toys with at least the data's Δχ² that tell a p-value, p-values that are not too near one for it, and how far from
# Wilks' theorem they may be: of Δχ² near zero they say nothing.
_FEWEST, _MOST, _FARTHEST = 5, 0.8, 5.0
# Points along the boundary of a region that is thinner than the grid.
_ON_RIM = 32
_NO_RIM = np.empty((0, 5))


@dataclass(frozen=True, eq=False)
class ConfidenceMap(Scan):
    """Confidence by toys on a plane of two parameters: a `Scan` whose contours are those of p-values.

    Attributes
    ----------
    p_value : float64[nx, ny]
        Fraction of toys of the point with at least the data's Δχ².
    toys : float64[nx, ny]
        How many there were.
    cl : float
        Whose contour the toys were spent for.
    rim : float64[k, 5]
        Of a region that is thinner than the grid: points along its boundary, both parameters, and what toys thrown
        there say of Δχ² that the confidence level allows, one standard deviation less, itself, and one more.

    Examples
    --------
    >>> import numpy as np
    >>> import cevns_fast as cf
    >>> fit = cf.Likelihood(cf.load("coherent-csi-2017"), model=cf.SingletEFT(m_chi=10.0), parameters=("C_S", "a_M"))
    >>> x, y = np.linspace(-0.04, 0.04, 9), np.linspace(-6e-4, 6e-4, 9)
    >>> found = cf.feldman_cousins_map(fit, ("C_S", "a_M"), x, y, toys=200)
    >>> found.p_value.shape, bool(found.allowed()[4, 4]), bool(found.allowed()[0, 0])
    ((9, 9), True, False)
    >>> found.contours(shift=-1.0).area < found.contours().area < found.contours(shift=1.0).area
    True
    >>> bool((found.error < 0.05).all())
    True
    """

    p_value: Floats
    toys: Floats
    cl: float
    rim: Floats

    @property
    def error(self) -> Floats:
        """Standard deviation of each p-value, float64[nx, ny]; of one toy more and one less where it is 0 or 1."""
        p = (self.p_value * self.toys + 1) / (self.toys + 2)
        return np.asarray(np.sqrt(p * (1 - p) / self.toys))

    def allowed(self, cl: float | None = None) -> Any:
        """Which points are inside a region, bool[nx, ny]."""
        return self.p_value > 1 - self._level(cl)

    def contours(
        self, cl: float | None = None, *, delta_chi2: float | None = None, interaction: int = 0, shift: float = 0.0
    ) -> Contours:
        """The region where the p-value is above 1 − cl.

        Parameters
        ----------
        cl : float, optional
            By default that of the map, where it is most precise.
        delta_chi2 : float, optional
            The confidence of this Δχ² in place of `cl`, by Wilks' theorem for two parameters.
        interaction : int
            0, there is one plane.
        shift : float
            Standard deviations that all p-values are raised by: contours for −1 and 1 enclose the error band.

        Returns
        -------
        Contours
            Its `level` is Δχ² of the confidence level by Wilks' theorem. Toys tell how many times as much Δχ² of the
            data stands for, which is interpolated between the points of the grid; Δχ² itself is computed. `accuracy`
            is that of the boundary for these toys.

        Raises
        ------
        ValueError
            If an argument is refused.
        """
        if delta_chi2 is not None:
            if cl is not None:
                raise ValueError(f"cl = {cl!r}, delta_chi2 = {delta_chi2!r}: at most one must be given")
            cl = -math.expm1(-0.5 * validate.number("delta_chi2", delta_chi2, positive=True))
        validate.whole("interaction", interaction, minimum=0, maximum=0)
        level, shift = -2 * math.log1p(-self._level(cl)), validate.number("shift", shift)
        best = np.array([self.best_fit[name][0] for name in self.couplings])
        function, sizes = self._between(0)
        if function is None:
            return regions.contours(cast("Any", self.axes), self._calibrated(shift), level, best, None, (0, 0))
        times, data = self._times(shift), function
        corners = np.stack(np.meshgrid(*self.axes, indexing="ij"), axis=-1)
        plane = self.delta_chi2 * times(corners.reshape(-1, 2)).reshape(self.chi2.shape)
        return regions.contours(
            cast("Any", self.axes), plane, level, best, lambda points: data(points) * times(points), sizes
        )

    def thin_boundary(self) -> Floats:
        """Points along the boundary that Wilks' theorem gives to a region which is thinner than the grid, [k, 2]."""
        best = np.array([self.best_fit[name][0] for name in self.couplings])
        level, (function, sizes) = -2 * math.log1p(-self.cl), self._between(0)
        if function is None or not regions.is_thin(self.delta_chi2, level):
            return np.empty((0, 2))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", regions.UnresolvedRegionWarning)
            region = regions.contours(cast("Any", self.axes), self.delta_chi2, level, best, function, sizes)
        if not region.finer:
            return np.empty((0, 2))
        corners = np.concatenate([ring.points[:-1] for ring in region.rings])
        size = np.array([np.ptp(axis) for axis in self.axes])
        along = np.cumsum(np.hypot(*(np.diff(corners, axis=0, prepend=corners[:1]) / size).T))
        chosen = np.searchsorted(along, np.linspace(0, along[-1], _ON_RIM, endpoint=False))
        return np.asarray(corners[np.unique(chosen)])

    def _plane(self, interaction: int) -> Floats:
        """Δχ² that would have the p-values, by Wilks' theorem."""
        validate.whole("interaction", interaction, minimum=0, maximum=0)
        return self._calibrated(0.0)

    def _calibrated(self, shift: float) -> Floats:
        """The plane that contours are drawn of, for p-values that are so many standard deviations higher."""
        p = self.p_value + shift * self.error
        return np.asarray(-2 * np.log(np.clip(p, 0.5 / self.toys, 1.0)))

    def _times(self, shift: float) -> DeltaChi2:
        """How many times the data's Δχ² there would be with the p-value that toys find, by Wilks' theorem."""
        low, size = (np.array([axis[0] for axis in self.axes]), np.array([np.ptp(axis) for axis in self.axes]))
        if len(self.rim):
            less, itself, more = self.rim[:, 2:].T
            critical = np.maximum(itself + shift * (more - itself if shift > 0 else itself - less), 1e-9)
            known, values = (self.rim[:, :2] - low) / size, -2 * math.log1p(-self.cl) / critical

            def nearby(points: Floats) -> Floats:
                there = (points - low) / size
                found = np.empty(len(points))
                for i in range(0, len(points), 2**16):
                    distance = np.sum((there[i : i + 2**16, None] - known) ** 2, axis=2)
                    weight = 1 / (distance + 1e-12) ** 2
                    found[i : i + 2**16] = weight @ values / weight.sum(axis=1)
                return found

            return nearby
        ratio = self._calibrated(shift) / np.maximum(self.delta_chi2, 1e-12)
        told = (self.p_value * self.toys >= _FEWEST) & (self.p_value < _MOST)
        told &= (ratio > 1 / _FARTHEST) & (ratio < _FARTHEST)
        if not told.any():
            return lambda points: np.ones(len(points))
        nearest = ndimage.distance_transform_edt(~told, return_distances=False, return_indices=True)
        return RegularGridInterpolator(self.axes, ratio[tuple(nearest)], bounds_error=False, fill_value=None)

    def _level(self, cl: float | None) -> float:
        """The map's confidence level, or another."""
        return self.cl if cl is None else checked_level(cl)

    def to_xarray(self) -> "xarray.Dataset":
        """The map as a labelled dataset.

        Raises
        ------
        ImportError
            If xarray is missing (extra ``scan``).
        """
        dataset = super().to_xarray()
        dataset["p_value"] = (self.couplings, self.p_value, {"units": "1", "long_name": "p-value by toys"})
        dataset["toys"] = (self.couplings, self.toys, {"units": "1", "long_name": "number of toys"})
        if len(self.rim):
            names = {"units": "1", "long_name": "points on the boundary, and critical values of Δχ²"}
            dataset["rim"] = ("rim_point", "rim_column"), self.rim, names
        return dataset


def map_of(scan: Scan, dataset: "xarray.Dataset") -> ConfidenceMap:
    """The map that a file of one holds, beside what every scan has."""
    return ConfidenceMap(
        scan.couplings,
        scan.axes,
        scan.chi2,
        scan.search,
        None,
        scan.provenance,
        p_value=np.asarray(dataset["p_value"].values),
        toys=np.asarray(dataset["toys"].values),
        cl=float(scan.provenance["cl"]),
        rim=np.asarray(dataset["rim"].values) if "rim" in dataset else _NO_RIM,
    )


def feldman_cousins_map(
    fit: Likelihood,
    names: Sequence[str],
    x: ArrayLike,
    y: ArrayLike,
    *,
    toys: int = 2000,
    seed: int = 0,
    cl: float = 0.90,
    adaptive: bool = True,
    executor: Executor | None = None,
    threads: int = 1,
    checkpoint: str | Path | None = None,
    progress: Progress = None,
) -> ConfidenceMap:
    """Confidence regions by toys on a plane of two parameters: couplings, or a mass and a coupling.

    Every point gets a few toys, and all of them if its p-value might be on the other side of the contour, or that of a
    neighbour is. Other parameters and nuisances are profiled as `feldman_cousins` does it.

    Parameters
    ----------
    fit : Likelihood
        With a model.
    names : (str, str)
        The two parameters of the plane; all others are profiled.
    x, y : float64[nx], float64[ny]
        A grid for each, increasing.
    toys : int
        For a point near the contour; a multiple of 50.
    seed : int
        At each point, toys are those of `feldman_cousins` with the same seed, bit by bit.
    cl : float
        Confidence level of the contour.
    adaptive : bool
        False for all toys at every point.
    executor, threads, checkpoint, progress
        As for `correlation_scan`.

    Returns
    -------
    ConfidenceMap

    Raises
    ------
    ValueError
        If an argument is refused.

    Notes
    -----
    G. J. Feldman and R. D. Cousins, Phys. Rev. D 57 (1998) 3873.

    Examples
    --------
    >>> import numpy as np
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> fit = cf.Likelihood(csi, model=cf.SingletEFT(m_chi=10.0), parameters=("C_S", "a_M"))
    >>> x, y = np.linspace(-0.06, 0.06, 9), np.linspace(-8e-4, 8e-4, 9)
    >>> found = cf.feldman_cousins_map(fit, ("C_S", "a_M"), x, y, toys=400)
    >>> bool(found.allowed()[4, 4]), bool(found.allowed()[0, 0])
    (True, False)
    """
    pair = validate.names("names", names)
    if len(pair) != 2 or pair[0] == pair[1]:
        raise ValueError(f"names = {names!r}: must be two different parameters")
    fixed = chosen(fit, dict.fromkeys(pair))
    axes = validate.increasing(pair[0], x), validate.increasing(pair[1], y)
    level = checked_level(cl)
    toys, seed = checked_toys(toys), validate.whole("seed", seed, minimum=0)
    validate.flag("adaptive", adaptive)
    threads = validate.whole("threads", threads, minimum=1)
    check_executor(executor)
    folder = None if checkpoint is None else validate.path("checkpoint", checkpoint)
    order = [p.name for p in fit.parameters if p.name in pair]  # how the likelihood has them
    grid = dict(zip(pair, (each.ravel() for each in np.meshgrid(*axes, indexing="ij")), strict=True))
    points = np.stack([grid[name] for name in order], axis=1)
    at, chi2 = profiled(fit, points, fixed)
    best = best_fit(fit)
    delta = chi2 - min(best.chi2, float(chi2.min()))
    identity = function_of(fit).identity() | {"map of": ", ".join(pair), "seed": repr(seed)}
    thrown = _ToysAtPoints(Thrower(fit, fixed), fixed, key_of(seed), identity, executor, threads, folder, progress)
    count, number = _tail(thrown, at, delta, (axes[0].size, axes[1].size), toys, 1 - level, adaptive)
    provenance = _provenance(identity, pair, [name for name in best.theta if name not in pair], axes)
    found = ConfidenceMap(
        pair,
        axes,
        chi2.reshape(count.shape),
        _minima_of(fit, best, pair),
        None,
        provenance | {"toys": repr(toys), "cl": repr(level)},
        p_value=count / number,
        toys=number.astype(np.float64),
        cl=level,
        rim=_NO_RIM,
    )
    rim = found.thin_boundary()
    if not len(rim):
        return found
    there, _ = profiled(fit, rim[:, [pair.index(name) for name in order]], fixed)
    values, spread = thrown(there, 0, toys, "rim"), math.sqrt(level * (1 - level) / toys)
    quantiles = np.clip([level - spread, level, level + spread], 0.0, 1.0)
    return replace(found, rim=np.hstack([rim, np.quantile(values, quantiles, axis=1, method="higher").T]))


class _ToysAtPoints(NamedTuple):
    """Δχ² of toys at vectors, by whoever computes them."""

    thrower: Thrower
    fixed: tuple[bool, ...]
    key: int
    identity: dict[str, str]
    executor: Executor | None
    threads: int
    folder: Path | None
    progress: Progress

    def __call__(self, there: Floats, before: int, after: int, stage: str) -> Floats:
        """Of toys number before … after − 1 at each vector, float64[vectors, toys]."""
        truths = tuple(map(self.thrower.truth, there))
        per_truth = (after - before) // PER_ROW
        work = Toys(self.thrower.numbers, truths, self.fixed, per_truth, self.key, before // PER_ROW)
        rows = np.empty((len(there) * per_truth, PER_ROW))
        about = {"points": f"{len(there)}, sha256 {chunks.digest(there)}", "toys": f"{before} to {after}"}
        folder = self.folder and self.folder / stage
        chunks.run(work, rows, self.identity | about, self.executor, self.threads, folder, self.progress)
        return rows.reshape(len(there), -1)


def _tail(
    thrown: _ToysAtPoints, at: Floats, delta: Floats, shape: tuple[int, int], toys: int, boundary: float, adaptive: bool
) -> tuple[Any, Any]:
    """How many toys have at least the data's Δχ² at the points of a plane, and of how many; all where it matters."""

    def exceeding(which: Any, before: int, after: int, stage: str) -> Any:
        return np.sum(thrown(at[which], before, after, stage) >= delta[which, None], axis=1)

    first = min(_FIRST, toys) if adaptive else toys
    number = np.full(len(at), first)
    count = np.asarray(exceeding(np.arange(len(at)), 0, first, "first"))
    for turn in range(4 if first < toys else 0):  # points beside a contour that moves when it is known better
        unclear = _unclear((count / number).reshape(shape), number.reshape(shape), boundary).ravel()
        which = np.flatnonzero(unclear & (number < toys))
        if not which.size:
            break
        count[which] += exceeding(which, first, toys, f"around {turn}")
        number[which] = toys
    return count.reshape(shape), number.reshape(shape)


def _minima_of(fit: Likelihood, best: BestFit, pair: tuple[str, ...]) -> FoundBetween:
    """The best fit as a scan has it."""
    function = function_of(fit)
    pulls = function.assembly.named(function.full().pulls(np.array(list(best.theta.values()))))
    return FoundBetween(
        np.array([best.chi2]),
        {name: np.array([value]) for name, value in best.theta.items()},
        {name: np.array([value]) for name, value in pulls.items() if name not in best.theta},
        between_points(fit, pair),
    )


def _unclear(p: Floats, toys: Any, boundary: float) -> Any:
    """Points whose p-value may be on either side of the boundary, and those with a neighbour on the other side."""
    width = _CLEAR * np.sqrt(boundary * (1 - boundary) / toys)
    found = np.abs(p - boundary) <= width
    inside = p > boundary
    for axis in (0, 1):
        low = [slice(None)] * 2
        high = [slice(None)] * 2
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        crossed = inside[tuple(low)] != inside[tuple(high)]
        found[tuple(low)] |= crossed
        found[tuple(high)] |= crossed
    return found


def _provenance(
    identity: dict[str, str], pair: Sequence[str], others: Sequence[str], axes: Sequence[Floats]
) -> dict[str, str]:
    """What a saved map says of itself: couplings and axes as every scan has them."""
    about = {name: value for name, value in identity.items() if name != "map of"}
    about |= {"couplings": ", ".join(pair), "profiled": ", ".join(others)}
    for name, axis in zip(pair, axes, strict=True):
        about[f"grid of {name}"] = (
            f"{axis.size} from {float(axis[0])!r} to {float(axis[-1])!r}, sha256 {chunks.digest(axis)}"
        )
    return about
