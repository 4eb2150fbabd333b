"""The result of a scan: χ² on a grid, its minimum, its contours, and a file to keep it in."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.inference.confidence import threshold
from cevns_fast.parallel.once import once

if TYPE_CHECKING:
    import xarray

_FAR = 1e6  # Δχ² beyond so many thresholds is as good as infinite


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
        x, y = self.points.T
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
    """

    level: float
    rings: tuple[Ring, ...]
    clipped: bool

    @property
    def area(self) -> float:
        """Area of the region, in units of the couplings."""
        return sum(-ring.area if ring.hole else ring.area for ring in self.rings)


@dataclass(frozen=True, eq=False)
class Minima:
    """The least χ² of each interaction, where it is in the couplings, and the nuisances there."""

    chi2: Floats
    couplings: Mapping[str, Floats]
    nuisances: Mapping[str, Floats]

    def __call__(self, chi2: Floats) -> "Minima":
        """As a search that has ended."""
        return self


@dataclass(frozen=True, eq=False)
class Scan:
    """χ² on a grid of couplings.

    Attributes
    ----------
    couplings : tuple of str
    axes : tuple of ndarray
        One grid for each coupling.
    chi2 : ndarray
        Minimised over the nuisances and the profiled couplings; with a leading axis for a list of interactions.
    search : callable
        From χ² to its `Minima` off the grid; called when one of them is first asked for.
    masses : float64[n] or None
        m_chi of the interactions of a list, MeV.
    provenance : dict of str to str
        Version, inputs and their hashes.
    """

    couplings: tuple[str, ...]
    axes: tuple[Floats, ...]
    chi2: Floats
    search: Callable[[Floats], Minima]
    masses: Floats | None
    provenance: Mapping[str, str]

    @once
    def _minima(self) -> Minima:
        """What the search finds."""
        return self.search(self.chi2)

    @property
    def chi2_min(self) -> Floats:
        """The least χ², off the grid, for each interaction, float64[n]."""
        return self._minima.chi2

    @property
    def best_fit(self) -> Mapping[str, Floats]:
        """Where it is: scanned and profiled couplings, dict of str to float64[n]."""
        return self._minima.couplings

    @property
    def nuisances(self) -> Mapping[str, Floats]:
        """Best-fit α and β there, dict of str to float64[n]."""
        return self._minima.nuisances

    @once
    def delta_chi2(self) -> Floats:
        """χ² above its minimum, same shape as `chi2`; computed when first asked for."""
        extra = self.chi2.ndim - len(self.axes)
        return np.asarray(self.chi2 - self.chi2_min.reshape((-1,) * extra + (1,) * len(self.axes)))

    def _plane(self, interaction: int) -> Floats:
        """Δχ² of one plane."""
        if len(self.axes) != 2:
            raise ValueError(f"couplings = {self.couplings}: contours and regions need exactly two")
        count = 1 if self.chi2.ndim == 2 else len(self.chi2)
        chosen = validate.whole("interaction", interaction, minimum=0, maximum=count - 1)
        return self.delta_chi2 if self.chi2.ndim == 2 else self.delta_chi2[chosen]

    def contours(self, cl: float | None = None, *, delta_chi2: float | None = None, interaction: int = 0) -> Contours:
        """The allowed region of a plane.

        Parameters
        ----------
        cl : float, optional
            Confidence level for two degrees of freedom; 0.90 is Δχ² = 4.61.
        delta_chi2 : float, optional
            Or the threshold itself.
        interaction : int
            Which plane, if there are several.

        Returns
        -------
        Contours

        Raises
        ------
        ValueError
            If the scan has not two couplings, or not exactly one of cl and delta_chi2 is given.
        ImportError
            If contourpy is missing (extra ``scan``).
        """
        level = threshold(cl, delta_chi2, 2)
        plane = self._plane(interaction)
        try:
            import contourpy
        except ImportError:
            raise ImportError("contours need contourpy: pip install 'cevns_fast[scan]'") from None
        # Infinities (a prediction without counts) would spoil the interpolation next to them.
        generator = contourpy.contour_generator(
            self.axes[0], self.axes[1], np.minimum(plane.T, _FAR * level), fill_type=contourpy.FillType.OuterOffset
        )
        lowest = min(float(plane.min()), 0.0) - 1.0
        rings = []
        polygons, offsets = cast("Any", generator.filled(lowest, level))
        for points, ends in zip(polygons, offsets, strict=True):
            for k, (a, b) in enumerate(pairwise(ends)):
                rings.append(Ring(np.asarray(points[a:b]), hole=k > 0))
        edge = np.concatenate([plane[0], plane[-1], plane[:, 0], plane[:, -1]])
        return Contours(level, tuple(rings), bool(np.any(edge <= level)))

    def area(self, cl: float | None = None, *, delta_chi2: float | None = None, interaction: int = 0) -> float:
        """Area of the allowed region of a plane, in units of the couplings; arguments as for `contours`."""
        return self.contours(cl, delta_chi2=delta_chi2, interaction=interaction).area

    def correlation(self, cl: float | None = None, *, delta_chi2: float | None = None, interaction: int = 0) -> float:
        """Correlation coefficient of the two couplings over the allowed region, every part of it alike.

        NaN if fewer than three grid points are allowed. Arguments as for `contours`.
        """
        level = threshold(cl, delta_chi2, 2)
        allowed = (self._plane(interaction) <= level).astype(np.float64)
        if allowed.sum() < 3:
            return math.nan
        (x, y), (width_x, width_y) = self.axes, (np.gradient(axis) for axis in self.axes)
        weight_x, weight_y = width_x * (allowed @ width_y), width_y * (width_x @ allowed)
        dx, dy = x - np.average(x, weights=weight_x), y - np.average(y, weights=weight_y)
        covariance = (width_x * dx) @ allowed @ (width_y * dy)
        widths = math.sqrt((weight_x @ dx**2) * (weight_y @ dy**2))
        return float(covariance / widths) if widths > 0 else math.nan

    def to_xarray(self) -> "xarray.Dataset":
        """The scan as a labelled dataset.

        Raises
        ------
        ImportError
            If xarray is missing (extra ``scan``).
        """
        try:
            import xarray
        except ImportError:
            raise ImportError("to_xarray needs xarray: pip install 'cevns_fast[scan]'") from None
        leading = ("interaction",) if self.chi2.ndim > len(self.axes) else ()
        coordinates: dict[str, Any] = {
            name: (name, axis, {"units": "1", "long_name": f"coupling {name}"})
            for name, axis in zip(self.couplings, self.axes, strict=True)
        }
        if self.masses is not None and leading:
            coordinates["m_chi"] = ("interaction", self.masses, {"units": "MeV", "long_name": "mass of chi"})
        each = leading or ()

        def value(values: Floats) -> Any:
            return values if each else values[0]

        variables: dict[str, Any] = {
            "chi2": ((*leading, *self.couplings), self.chi2, {"units": "1", "long_name": "profiled chi-square"}),
            "chi2_min": (each, value(self.chi2_min), {"units": "1"}),
        }
        for name, values in self.best_fit.items():
            variables[f"best_fit_{name}"] = (each, value(values), {"units": "1", "coupling": name})
        for i, (name, values) in enumerate(self.nuisances.items()):
            variables[f"nuisance_{i}"] = (each, value(values), {"units": "1", "nuisance": name})
        return xarray.Dataset(variables, coordinates, attrs=dict(self.provenance))

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the scan as netCDF, which `open_scan` reads.

        Parameters
        ----------
        path : str or Path
        overwrite : bool
            Replace a file that is there.

        Returns
        -------
        Path

        Raises
        ------
        FileExistsError
            If there is such a file, unless `overwrite`.
        ImportError
            If xarray or h5netcdf is missing (extra ``scan``).
        """
        from cevns_fast.inference import scan_file

        overwrite = validate.flag("overwrite", overwrite)
        return scan_file.save(self.to_xarray(), validate.path("path", path), overwrite=overwrite)


def open_scan(path: str | Path) -> Scan:
    """Read a scan that `Scan.save` wrote.

    Everything is read by name, so the order of dimensions and of points along an axis does not matter. A checksum tells
    whether the numbers, names and attributes are those that were saved.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Scan

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not a saved scan, or was changed or damaged since.
    ImportError
        If xarray or h5netcdf is missing (extra ``scan``).
    """
    path = validate.path("path", path)
    from cevns_fast.inference import scan_file

    dataset = scan_file.load(path)
    couplings = tuple(str(dataset.attrs["couplings"]).split(", "))
    return Scan(
        couplings=couplings,
        axes=tuple(np.asarray(dataset[name].values, dtype=np.float64) for name in couplings),
        chi2=np.asarray(dataset["chi2"].values, dtype=np.float64),
        search=Minima(
            chi2=np.atleast_1d(dataset["chi2_min"].values),
            couplings=_by_attribute(dataset, "coupling"),
            nuisances=_by_attribute(dataset, "nuisance"),
        ),
        masses=np.asarray(dataset["m_chi"].values) if "m_chi" in dataset.coords else None,
        provenance={str(key): str(value) for key, value in dataset.attrs.items()},
    )


def _by_attribute(dataset: "xarray.Dataset", key: str) -> dict[str, Floats]:
    """The variables that carry an attribute, by its value, as they were saved: couplings first, nuisances by number."""
    found = {
        str(v.attrs[key]): (name, np.atleast_1d(v.values)) for name, v in dataset.data_vars.items() if key in v.attrs
    }
    if key == "nuisance":
        return {name: values for name, (_, values) in sorted(found.items(), key=lambda item: _number(str(item[1][0])))}
    names = ", ".join(str(dataset.attrs[owner]) for owner in ("couplings", "profiled")).split(", ")
    return {name: found[name][1] for name in names if name}


def _number(variable: str) -> int:
    """Of ``nuisance_3``."""
    return int(variable.rpartition("_")[2])
