"""The result of a limit scan: limits over a mass, what they are of, and a file to keep them in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from cevns_fast import _validate as validate
from cevns_fast._support import drawn, shown
from cevns_fast._validate import Floats
from cevns_fast.inference.saved import Saved, needed_xarray

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.axes import Axes

_ADDED: dict[str, Any] = {
    "masses": None,
    "mass": "",
    "provenance": {},
    "method": "delta_chi2",
    "expected": None,
}  # since version 0.1.0, whose pickles lack them


@dataclass(frozen=True, eq=False)
class LimitCurve(Saved):
    """Limits on a coupling for a list of interactions.

    Attributes
    ----------
    coupling : str
    upper : float64[n]
        The largest ``|c|`` that is allowed; inf where nothing is excluded.
    intervals : tuple of float64[k, 2]
        For each interaction, the allowed ranges of c.
    best_fit : float64[n]
        The c of the smallest χ², over both signs.
    chi2_min : float64[n]
    delta_chi2 : float
        The threshold; for other methods than that of Δχ², Wilks' for their confidence level.
    masses : float64[n] or None
        The mass in which the interactions differ, MeV; of a single one its first mass.
    mass : str
        Its name, such as "m_chi"; "" if there is none.
    provenance : mapping of str to str
        Version, experiments, interactions and settings.
    method : {"delta_chi2", "feldman-cousins", "cls"}
    expected : float64[5, n] or None
        If asked for, limits that data of the Standard Model alone would set, at −2, −1, 0, 1 and 2 standard deviations.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> curve = cf.limit_scan(csi, [cf.SingletEFT(m_chi=m) for m in (1.0, 40.0)], "C_V", cl=0.90)
    >>> curve.couplings, curve.experiments, curve.level, round(curve.cl, 2)
    (('C_V',), ('coherent-csi-2017',), '90% CL', 0.9)
    >>> curve.upper.round(3).tolist()
    [0.109, 0.188]
    >>> curve.intervals[0].round(3).tolist()
    [[-0.109, 0.109]]
    """

    coupling: str
    upper: Floats
    intervals: tuple[Floats, ...]
    best_fit: Floats
    chi2_min: Floats
    delta_chi2: float
    masses: Floats | None = None
    mass: str = ""
    provenance: Mapping[str, str] = field(default_factory=dict)
    method: str = "delta_chi2"
    expected: Floats | None = None

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(_ADDED | dict(state))

    @property
    def couplings(self) -> tuple[str]:
        """The coupling, as a scan has its couplings."""
        return (self.coupling,)

    @property
    def experiments(self) -> tuple[str, ...]:
        """Names of the experiments."""
        return tuple(name for name in self.provenance.get("experiments", "").split(", ") if name)

    @property
    def cl(self) -> float:
        """The confidence level that the threshold is for one degree of freedom."""
        return float(scipy.special.gammainc(0.5, self.delta_chi2 / 2))

    @property
    def level(self) -> str:
        """The confidence level in words."""
        return f"{100 * self.cl:.3g}% CL"

    def __repr__(self) -> str:
        """What it is of, how far it reaches, and its strongest limit."""
        finite = self.upper[np.isfinite(self.upper)]
        low, high = (self.masses.min(), self.masses.max()) if self.masses is not None else (0.0, 0.0)
        many = "limit" if self.upper.size == 1 else "limits"
        return shown.line(
            f"LimitCurve of {self.coupling}:",
            " + ".join(self.experiments),
            self.level,
            f"{self.mass} {low:.4g}{f' to {high:.4g}' if high > low else ''} MeV" if self.mass else "",
            f"{self.upper.size} {many}" + (f" down to {finite.min():.4g}" if finite.size else ", none finite"),
        ).replace(":,", ":")

    def _repr_html_(self) -> str:
        """A table of what it is, and the curve."""
        rows: dict[str, Any] = {
            "experiments": self.experiments or "unknown",
            "level": f"{self.level}, Δχ² = {self.delta_chi2:.4g}",
        }
        picture = ""
        if self.masses is not None:
            ends = f"{self.masses.min():.4g} to {self.masses.max():.4g}"
            rows[f"{self.mass} (MeV)"] = f"{ends}, {self.masses.size} values"
            order = np.argsort(self.masses)
            picture = shown.curves(
                self.masses[order], f"largest |{self.coupling}| over {self.mass}, logarithmic", ("", self.upper[order]),
                log=True,
            )  # fmt: skip
        if np.isfinite(self.upper).any():
            best = int(np.argmin(self.upper))
            where = f" at {self.mass} = {self.masses[best]:.4g} MeV" if self.masses is not None else ""
            rows["strongest limit"] = f"{self.upper[best]:.4g}{where}"
        rows["interactions"] = self.provenance.get("interactions", "unknown")
        return shown.table(f"Limits on |{self.coupling}|", rows, picture)

    def to_xarray(self) -> "xarray.Dataset":
        """The limits as a labelled dataset over the mass.

        Returns
        -------
        xarray.Dataset
            `upper`, `best_fit`, `chi2_min` over the mass, and `allowed` over mass, interval and end, NaN where an
            interaction has fewer intervals than another.

        Raises
        ------
        ImportError
            If xarray is missing (extra ``scan``).

        Examples
        --------
        >>> import cevns_fast as cf
        >>> csi = cf.load("coherent-csi-2017")
        >>> curve = cf.limit_scan(csi, [cf.SingletEFT(m_chi=m) for m in (1.0, 40.0)], "C_V")
        >>> round(float(curve.to_xarray()["upper"].sel(m_chi=40.0)), 3)
        0.188
        """
        along, coordinates = "interaction", {}
        if self.masses is not None:
            along = mass_dimension(self.mass, self.masses)
            coordinates[self.mass] = (along, self.masses, {"units": "MeV", "long_name": "mass"})
        allowed = np.full((self.upper.size, max(map(len, self.intervals), default=0), 2), np.nan)
        for i, ranges in enumerate(self.intervals):
            allowed[i, : len(ranges)] = ranges
        expected = {}
        if self.expected is not None:
            expected["expected"] = (("sigma", along), self.expected, {"units": "1", "coupling": self.coupling})
            coordinates["sigma"] = ("sigma", np.arange(-2.0, 3.0), {"units": "1", "long_name": "standard deviations"})
        dataset: xarray.Dataset = needed_xarray().Dataset(
            {
                **expected,
                "upper": (along, self.upper, {"units": "1", "long_name": f"largest allowed |{self.coupling}|"}),
                "best_fit": (along, self.best_fit, {"units": "1", "coupling": self.coupling}),
                "chi2_min": (along, self.chi2_min, {"units": "1"}),
                "allowed": ((along, "interval", "end"), allowed, {"units": "1", "coupling": self.coupling}),
            },
            coordinates,
            attrs={
                "coupling": self.coupling,
                "delta_chi2": repr(self.delta_chi2),
                **self.provenance,
                "method": self.method,
            },
        )
        return dataset

    def to_pandas(self) -> "pandas.DataFrame":
        """`upper`, `best_fit` and `chi2_min` as columns, over the mass.

        Raises
        ------
        ImportError
            If pandas is missing (extra ``scan``).

        Examples
        --------
        >>> import cevns_fast as cf
        >>> csi = cf.load("coherent-csi-2017")
        >>> frame = cf.limit_scan(csi, [cf.SingletEFT(m_chi=m) for m in (1.0, 40.0)], "C_V").to_pandas()
        >>> frame.index.name, list(frame.columns)
        ('m_chi', ['upper', 'best_fit', 'chi2_min'])
        """
        try:
            import pandas
        except ImportError:
            raise ImportError("to_pandas needs pandas: pip install 'cevns_fast[scan]'") from None
        index = None if self.masses is None else pandas.Index(self.masses, name=self.mass)
        columns = {"upper": self.upper, "best_fit": self.best_fit, "chi2_min": self.chi2_min}
        return pandas.DataFrame(columns, index=index)

    def plot(self, ax: "Axes | None" = None, **style: Any) -> "Axes":
        """Draw the limit over the mass, on logarithmic axes.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where; by default in a new figure. Several curves go into the same axes, each with its label.
        **style
            What matplotlib's ``plot`` takes; ``filled=True`` shades what is excluded.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ValueError
            If the interactions do not differ in a mass.
        ImportError
            If matplotlib is missing (extra ``plot``).

        Examples
        --------
        >>> import cevns_fast as cf
        >>> csi = cf.load("coherent-csi-2017")
        >>> axes = cf.limit_scan(csi, [cf.SingletEFT(m_chi=m) for m in (1.0, 40.0)], "C_V").plot(color="C3")
        >>> axes.get_xscale(), axes.get_legend_handles_labels()[1]
        ('log', ['coherent-csi-2017, 90% CL'])
        """
        found: Axes = drawn.figures().limit_curve(self, ax, **style)
        return found


def mass_dimension(name: str, masses: Floats) -> str:
    """A dimension has the mass's name where each value is there once."""
    return name if np.unique(masses).size == masses.size else "interaction"


def open_limits(path: str | Path) -> LimitCurve:
    """Read limits that `LimitCurve.save` wrote.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    LimitCurve

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file does not hold saved limits, or was changed or damaged since.
    ImportError
        If xarray or h5netcdf is missing (extra ``scan``).

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> curve = cf.limit_scan(csi, [cf.SingletEFT(m_chi=m) for m in (1.0, 40.0)], "C_V")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     again = cf.open_limits(curve.save(pathlib.Path(folder) / "C_V.nc"))
    >>> bool((again.upper == curve.upper).all()), again.provenance == curve.provenance
    (True, True)
    """
    from cevns_fast.inference import scan_file

    dataset = scan_file.load(validate.path("path", path), scan_file.checked_limits)
    along = str(dataset["upper"].dims[0])
    mass = next((str(name) for name in dataset.coords if name != "sigma"), "")
    allowed = dataset["allowed"].transpose(along, "interval", "end").values
    return LimitCurve(
        coupling=str(dataset.attrs["coupling"]),
        upper=np.asarray(dataset["upper"].values),
        intervals=tuple(each[~np.isnan(each[:, 0])] for each in allowed),
        best_fit=np.asarray(dataset["best_fit"].values),
        chi2_min=np.asarray(dataset["chi2_min"].values),
        delta_chi2=float(dataset.attrs["delta_chi2"]),
        masses=np.asarray(dataset[mass].values) if mass else None,
        mass=mass,
        provenance={str(key): str(value) for key, value in dataset.attrs.items() if key != "method"},
        method=str(dataset.attrs.get("method", "delta_chi2")),
        expected=np.asarray(dataset["expected"].values) if "expected" in dataset else None,
    )
