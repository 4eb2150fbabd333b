"""The result of a scan: χ² on a grid, its minimum, its contours, and a file to keep it in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._support import drawn, shown
from cevns_fast._validate import Floats
from cevns_fast.inference import regions
from cevns_fast.inference.boundaries import DeltaChi2
from cevns_fast.inference.confidence import LEVELS, threshold
from cevns_fast.inference.limit_curve import mass_dimension
from cevns_fast.inference.regions import Contours
from cevns_fast.inference.saved import Saved, needed_xarray
from cevns_fast.likelihood.outer_parameters import OUTER_PARAMETERS, unit_of
from cevns_fast.parallel.once import once

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class Minima:
    """The least χ² of each interaction, where it is in the couplings, and the nuisances there."""

    chi2: Floats
    couplings: Mapping[str, Floats]
    nuisances: Mapping[str, Floats]

    def __call__(self, chi2: Floats) -> "Minima":
        """The minima, whatever χ² is: the search has ended."""
        return self


@dataclass(frozen=True, eq=False)
class FoundBetween(Minima):
    """Minima that were sought at once, of a scan that may know χ² between its points."""

    known: "Between"

    def between(self, interaction: int) -> "Between":
        """What it knows."""
        return self.known


@dataclass(frozen=True, eq=False)
class FoundOnGrid(Minima):
    """Lowest points of the grid, of a scan that may know χ² between them."""

    search: Any

    def between(self, interaction: int) -> "Between":
        """What the scan before knows between its points."""
        return self.search.between(interaction) if isinstance(self.search, Searching) else (None, (0, 0))


Between = tuple[Callable[[Floats], Floats] | None, tuple[int, int]]


@runtime_checkable
class Searching(Protocol):
    """A search that knows χ² off the grid."""

    def __call__(self, chi2: Floats) -> Minima:
        """The minima."""

    def between(self, interaction: int) -> Between:
        """χ² at points, float64[k, 2], and how many points a grid of them has along a side: to look, and at most."""


@dataclass(frozen=True, eq=False)
class Scan(Saved):
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

    Examples
    --------
    >>> import numpy as np
    >>> import cevns_fast as cf
    >>> x, y = np.linspace(-0.06, 0.06, 200), np.linspace(-1.2e-3, 1.2e-3, 200)
    >>> scan = cf.correlation_scan(cf.load("coherent-csi-2017"), cf.SingletEFT(m_chi=40.0), ("C_S", "a_M"), x, y)
    >>> scan.chi2.shape, round(float(scan.chi2_min[0]), 2)
    ((200, 200), 2.83)
    >>> {name: float(abs(value[0])) < 1e-3 for name, value in scan.best_fit.items()}
    {'C_S': True, 'a_M': True}
    >>> round(float(scan.delta_chi2.max()), 1)
    11.5
    >>> len(scan.contours(cl=0.90).rings), round(1e5 * scan.area(cl=0.90), 2), round(scan.correlation(cl=0.90), 2)
    (1, 9.75, -0.41)
    >>> scan.to_xarray()["chi2"].dims
    ('C_S', 'a_M')
    >>> scan.to_pandas().index.names == ["C_S", "a_M"]
    True
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

        Where the region is thinner than the grid, it is looked at again on a grid that lies along it.

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

        Warns
        -----
        UnresolvedRegionWarning
            If that cannot be done: the scan was read from a file, or the region is too thin and curved. The message
            says which grid would do.
        """
        level = threshold(cl, delta_chi2, 2)
        plane = self._plane(interaction)
        nowhere = np.full(interaction + 1, np.nan)
        best = np.array([self.best_fit.get(name, nowhere)[interaction] for name in self.couplings])
        return regions.contours(cast("Any", self.axes), plane, level, best, *self._between(interaction))

    def _between(self, interaction: int) -> tuple[DeltaChi2 | None, tuple[int, int]]:
        """Δχ² of a plane at any points, if the scan can compute it, and how many of them can be afforded."""
        search: Any = self.search
        if not isinstance(search, Searching):
            return None, (0, 0)
        function, sizes = search.between(interaction)
        lowest = float(self.chi2_min[interaction])
        return (lambda points: function(points) - lowest) if function else None, sizes

    def area(self, cl: float | None = None, *, delta_chi2: float | None = None, interaction: int = 0) -> float:
        """Area of the allowed region of a plane, in units of the couplings; arguments as for `contours`."""
        return self.contours(cl, delta_chi2=delta_chi2, interaction=interaction).area

    def correlation(self, cl: float | None = None, *, delta_chi2: float | None = None, interaction: int = 0) -> float:
        """Correlation coefficient of the two couplings over the allowed region, every part of it alike.

        NaN if fewer than three grid points are allowed, or the region is not resolved. Arguments as for `contours`.
        """
        level, plane = threshold(cl, delta_chi2, 2), self._plane(interaction)
        on_grid = regions.correlation(cast("Any", self.axes), plane, level)
        return self.contours(delta_chi2=level, interaction=interaction).correlation if on_grid is None else on_grid

    @once
    def lowest_point(self) -> Minima:
        """The grid's lowest point of each plane: χ², and the scanned couplings there; `nuisances` is empty."""
        planes = self.chi2.reshape(-1, *(len(axis) for axis in self.axes))
        at = [np.unravel_index(int(np.argmin(plane)), plane.shape) for plane in planes]
        return Minima(
            chi2=np.array([plane[where] for plane, where in zip(planes, at, strict=True)]),
            couplings={
                name: np.array([axis[where[i]] for where in at])
                for i, (name, axis) in enumerate(zip(self.couplings, self.axes, strict=True))
            },
            nuisances={},
        )

    @property
    def outside(self) -> Any:
        """Whether the best fit of each plane lies outside the grid, bool[n]."""
        found = np.zeros(len(self.chi2_min), dtype=bool)
        for name, axis in zip(self.couplings, self.axes, strict=True):
            margin = 1e-9 * (axis[-1] - axis[0])
            found |= (self.best_fit[name] < axis[0] - margin) | (self.best_fit[name] > axis[-1] + margin)
        return found

    def on_grid(self) -> "Scan":
        """The scan with Δχ² from the lowest point of the grid, in place of the minimum off it."""
        at = self.lowest_point
        profiled = {name: values for name, values in self.best_fit.items() if name not in at.couplings}
        unknown = {name: np.full_like(at.chi2, np.nan) for name in (*profiled, *self.nuisances)}
        couplings = {**at.couplings, **{name: unknown[name] for name in profiled}}
        nuisances = {name: unknown[name] for name in self.nuisances}
        return replace(self, search=FoundOnGrid(at.chi2, couplings, nuisances, self.search))

    def to_xarray(self) -> "xarray.Dataset":
        """The scan as a labelled dataset.

        Raises
        ------
        ImportError
            If xarray is missing (extra ``scan``).
        """
        leading = ("interaction",) if self.chi2.ndim > len(self.axes) else ()
        if leading and self.masses is not None:
            leading = (mass_dimension("m_chi", self.masses),)
        coordinates: dict[str, Any] = {
            name: (name, axis, {"units": unit_of(name) or "1", "long_name": _meaning(name)})
            for name, axis in zip(self.couplings, self.axes, strict=True)
        }
        if self.masses is not None and leading:
            coordinates["m_chi"] = (leading, self.masses, {"units": "MeV", "long_name": "mass of chi"})
        each = leading or ()

        def value(values: Floats) -> Any:
            return values if each else values[0]

        variables: dict[str, Any] = {
            "chi2": ((*leading, *self.couplings), self.chi2, {"units": "1", "long_name": "profiled chi-square"}),
            "chi2_min": (each, value(self.chi2_min), {"units": "1"}),
        }
        for name, values in self.best_fit.items():
            variables[f"best_fit_{name}"] = (each, value(values), {"units": unit_of(name) or "1", "coupling": name})
        for i, (name, values) in enumerate(self.nuisances.items()):
            variables[f"nuisance_{i}"] = (each, value(values), {"units": "1", "nuisance": name})
        dataset: xarray.Dataset = needed_xarray().Dataset(variables, coordinates, attrs=dict(self.provenance))
        return dataset

    def to_pandas(self) -> "pandas.Series[Any]":
        """χ² as a series whose index has the couplings and, for a list of interactions, their mass.

        Raises
        ------
        ImportError
            If xarray, which brings pandas, is missing (extra ``scan``).
        """
        return self.to_xarray()["chi2"].to_series()

    def __repr__(self) -> str:
        """Grid, experiments and least χ² on it."""
        size = " × ".join(map(str, self.chi2.shape))
        axes = [f"{n} {a[0]:.4g} to {a[-1]:.4g}" for n, a in zip(self.couplings, self.axes, strict=True)]
        lowest = f"chi2 from {np.min(self.chi2):.5g}" if self.chi2.size else ""
        experiments = self.provenance.get("experiments", "").replace(", ", " + ")
        return shown.line("Scan:", experiments, *axes, f"{size} points", lowest).replace("Scan:,", "Scan:")

    def _repr_html_(self) -> str:
        """A table, and the regions around the grid's lowest point: nothing is searched for it."""
        rows: dict[str, Any] = {"experiments": self.provenance.get("experiments", "unknown")}
        for name, axis in zip(self.couplings, self.axes, strict=True):
            rows[name] = f"{axis[0]:.4g} to {axis[-1]:.4g}, {axis.size} points"
        if self.masses is not None:
            rows["m_chi (MeV)"] = self.masses
        rows["smallest χ² on the grid"] = f"{np.min(self.chi2):.5g}"
        rows["interactions"] = self.provenance.get("interactions", "unknown")
        first = self.chi2 if self.chi2.ndim == len(self.axes) else self.chi2[0]
        above, picture = first - np.min(first), ""
        if len(self.axes) == 1:
            picture = shown.curves(self.axes[0], f"Δχ² over {self.couplings[0]}", ("", above))
        elif len(self.axes) == 2:
            levels = [threshold(cl, None, 2) for cl in LEVELS]
            picture = shown.plane(above, levels, f"{self.couplings[1]} over {self.couplings[0]}, 68, 90, 95% CL")
        return shown.table("Scan", rows, picture)

    def plot(self, ax: "Axes | None" = None, **style: Any) -> "Axes":
        """Draw Δχ² of one coupling, or the regions of two that are allowed at 68, 90 and 95% CL.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where; by default in a new figure.
        **style
            ``levels=(0.9,)`` for other confidence levels, ``interaction=1`` for another plane, and what matplotlib's
            ``plot`` (one coupling) or ``PathPatch`` (two) take.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ValueError
            If there are three couplings.
        ImportError
            If matplotlib, or contourpy for regions, is missing (extra ``plot``).

        Examples
        --------
        >>> import numpy as np
        >>> import cevns_fast as cf
        >>> grids = np.linspace(-0.1, 0.1, 41), np.linspace(-2e-3, 2e-3, 41)
        >>> csi, light = cf.load("coherent-csi-2017"), cf.SingletEFT(m_chi=10.0)
        >>> axes = cf.correlation_scan(csi, light, ("C_S", "a_M"), *grids).plot(levels=(0.9,))
        >>> axes.get_legend_handles_labels()[1]
        ['90% CL', 'best fit']
        """
        found: Axes = drawn.figures().scan(self, ax, **style)
        return found


def _meaning(name: str) -> str:
    """An axis in words."""
    if name in OUTER_PARAMETERS:
        return OUTER_PARAMETERS[name].description
    return f"mass {name}" if unit_of(name) else f"coupling {name}"
