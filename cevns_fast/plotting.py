"""Figures, with matplotlib alone: no display is needed, and no global state of matplotlib is touched.

Functions take numbers and return a `matplotlib.figure.Figure`; `png` turns one into the bytes of a file.
matplotlib is imported when something is drawn.
"""

import importlib.util
import io
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

import cevns_fast

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

    from cevns_fast.scan_result import Scan

COLUMN, PAGE = 3.4, 7.0  # widths, inches, of one and of two columns of a journal

Look = tuple[str, Any]  # colour and dashes

# Okabe & Ito's palette, told apart by every kind of colour vision, each with its dashes, told apart in print.
LOOKS: tuple[Look, ...] = (
    ("#000000", "solid"),
    ("#D55E00", "dashed"),
    ("#0072B2", "dashdot"),
    ("#E69F00", (0, (1, 1.2))),
    ("#AA4499", (0, (6, 1.5, 1, 1.5, 1, 1.5))),
    ("#009E73", (0, (8, 2))),
    ("#56B4E9", (0, (3, 1))),
)

# Confidence levels of a scan's regions, for two degrees of freedom, and how they are drawn: the largest below.
LEVELS = (0.68, 0.90, 0.95)
_INSIDES = ("#3B78A8", "#8DB9DB", "#D3E4F2")
_BOUNDARIES: tuple[Look, ...] = (("#000000", "solid"), ("#000000", "dashed"), ("#000000", (0, (1, 1.2))))

_STYLE: dict[Any, Any] = {
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "font.size": 9,
    "axes.labelsize": 10,
    "axes.linewidth": 0.7,
    "legend.fontsize": 8,
    "legend.title_fontsize": 8,
    "legend.frameon": False,
    "legend.handlelength": 2.8,
    "lines.linewidth": 1.3,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.minor.visible": True,
    "ytick.minor.visible": True,
    "axes.formatter.use_mathtext": True,
    "axes.formatter.limits": (-3, 4),
    "figure.constrained_layout.use": True,
    "savefig.dpi": 200,
}


@dataclass(frozen=True, eq=False)
class Curve:
    """A line of a figure.

    Attributes
    ----------
    label : str
    x, y : array_like
        Points whose y is not finite are not drawn.
    look : int or (str, dashes)
        Which of `LOOKS`, or a look of its own.
    filled : bool
        Shade everything above: an excluded region.
    """

    label: str
    x: ArrayLike
    y: ArrayLike
    look: int | Look = 0
    filled: bool = False

    def draw(self, axes: "Axes") -> None:
        """The line, without what lies above it."""
        color, dashes = LOOKS[self.look] if isinstance(self.look, int) else self.look
        y = np.asarray(self.y, dtype=float)
        axes.plot(self.x, np.where(np.isfinite(y), y, np.nan), color=color, linestyle=dashes, label=self.label)


@dataclass(frozen=True, eq=False)
class Region:
    """A region of a plane, with its boundary.

    Attributes
    ----------
    label : str
    rings : sequence of float64[k, 2]
        Closed lines: outer boundaries and those of holes.
    look : (str, dashes)
        Of the boundary.
    fill : str, optional
        Colour of the inside.
    """

    label: str
    rings: Sequence[ArrayLike]
    look: Look = LOOKS[0]
    fill: str | None = None

    def draw(self, axes: "Axes", above: float) -> None:
        """Inside and boundary, above what is lower; holes are left out, since their rings wind the other way."""
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path

        path = Path.make_compound_path(*(Path(np.asarray(ring), closed=True) for ring in self.rings))
        color, dashes = self.look
        inside = self.fill or "none"
        axes.add_patch(
            PathPatch(path, facecolor=inside, edgecolor=color, ls=dashes, lw=1.0, label=self.label, zorder=1 + above)
        )


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane of two couplings.

    Attributes
    ----------
    x_label, y_label : str
    x_range, y_range : (float, float)
    regions : sequence of Region
        In the legend's order; the first of those that are filled covers the others.
    points : mapping of str to (str, float64[k, 2])
        Marker and positions, by label.
    """

    x_label: str
    y_label: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    regions: Sequence[Region]
    points: Mapping[str, tuple[str, ArrayLike]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Panel:
    """One of several axes with curves.

    Attributes
    ----------
    curves : sequence of Curve
    x_label, y_label : str
        With units.
    x_range, y_range : (float, float)
    log_x, log_y : bool
    title : str
        Of the legend.
    legend : str
        Where it is.
    marks : (x, y, text), optional
        Points.
    """

    curves: Sequence[Curve]
    x_label: str
    y_label: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    log_x: bool = False
    log_y: bool = False
    title: str = ""
    legend: str = "best"
    marks: tuple[ArrayLike, ArrayLike, str] | None = None


def available() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def style() -> AbstractContextManager[None]:
    """The look of every figure, as a context."""
    import matplotlib

    return matplotlib.rc_context(_STYLE)


def png(figure: "Figure") -> bytes:
    """The figure as a PNG file of 200 dots per inch."""
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format="png", metadata={"Software": f"cevns_fast {cevns_fast.__version__}"})
    return buffer.getvalue()


def coupling_symbol(name: str, *, signed: bool = False) -> str:
    """A coupling as mathematics: ``"C_S_u"`` is |C_S^u|, or without the bars if its sign matters."""
    letter, _, rest = name.partition("_")
    low, _, high = rest.partition("_")
    bar = "" if signed else "|"
    return f"${bar}{letter}_{{{low}}}{f'^{{{high}}}' if high else ''}{bar}$"


def limit_panels(
    panels: Mapping[str, Sequence[Curve]],
    *,
    x_label: str = r"$m_\chi$  [MeV]",
    x_range: tuple[float, float] | None = None,
) -> "Figure":
    """Upper limits as functions of a mass, a panel for each coupling.

    Parameters
    ----------
    panels : mapping of str to sequence of Curve
        By the label of the vertical axis.
    x_label : str
    x_range : (float, float), optional
        By default from the first mass to beyond the last.

    Returns
    -------
    matplotlib.figure.Figure
    """
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    with style():
        figure = _figure(COLUMN if columns == 1 else PAGE, 2.6 * rows)
        grid = figure.subplots(rows, columns, sharex=True, squeeze=False)
        for axes in grid.flat[len(panels) :]:
            axes.remove()
        for axes, (label, curves) in zip(grid.flat, panels.items(), strict=False):
            low, high = _limit_range(curves)
            for curve in curves:
                if curve.filled:
                    x, y = np.asarray(curve.x, dtype=float), np.asarray(curve.y, dtype=float)
                    seen = np.isfinite(y)
                    axes.fill_between(x[seen], y[seen], max(high, *y[seen], 0.0), color="0.85", linewidth=0)
                    axes.text(0.45, 0.7, "excluded", transform=axes.transAxes, ha="center", va="center")
                curve.draw(axes)
            axes.set(xscale="log", yscale="log", ylim=(low, high), ylabel=label)
            axes.set_xlim(x_range or (np.min(curves[0].x), 1.2 * np.max(curves[0].x)))
            _log_ticks(axes.xaxis, plain=True)
            _log_ticks(axes.yaxis)
        for axes in grid[-1] if len(panels) == rows * columns else grid.flat[: len(panels)]:
            axes.set_xlabel(x_label)
        grid.flat[0].legend(loc="upper left")
    return figure


def lines(
    curves: Sequence[Curve],
    *,
    x_label: str,
    y_label: str,
    y_range: tuple[float, float] | None = None,
    x_range: tuple[float, float] | None = None,
    title: str | None = None,
    marked: tuple[float, float, str] | None = None,
) -> "Figure":
    """Functions on logarithmic axes: differential cross sections, recoil spectra.

    Parameters
    ----------
    curves : sequence of Curve
        Points that are not positive are not drawn.
    x_label, y_label : str
        With units.
    x_range, y_range : (float, float), optional
    title : str, optional
        Of the legend.
    marked : (x, y, text), optional
        A point that an arrow names.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with style():
        figure = _figure(COLUMN, 2.8)
        axes = figure.subplots()
        for curve in curves:
            y = np.asarray(curve.y, dtype=float)
            replace(curve, y=np.where(y > 0, y, np.nan)).draw(axes)
        axes.set(xscale="log", yscale="log", xlabel=x_label, ylabel=y_label, xlim=x_range, ylim=y_range)
        if marked is not None:
            x, y_at, text = marked
            axes.annotate(
                text, (x, y_at), xytext=(0, 13), textcoords="offset points", ha="center", fontsize=8,
                arrowprops={"arrowstyle": "->", "linewidth": 0.7, "shrinkB": 2},
            )  # fmt: skip
        _log_ticks(axes.xaxis, plain=True)
        _log_ticks(axes.yaxis)
        axes.legend(loc="lower left", title=title)
    return figure


def panels(grid: Sequence[Sequence[Panel]]) -> "Figure":
    """Panels in rows and columns.

    Parameters
    ----------
    grid : sequence of sequence of Panel
        Rows, all of one length.

    Returns
    -------
    matplotlib.figure.Figure
    """
    rows, columns = len(grid), len(grid[0])
    with style():
        figure = _figure(COLUMN if columns == 1 else PAGE, 2.6 * rows)
        for row, contents in zip(figure.subplots(rows, columns, squeeze=False), grid, strict=True):
            for axes, panel in zip(row, contents, strict=True):
                for curve in panel.curves:
                    curve.draw(axes)
                if panel.marks is not None:
                    x, y, text = panel.marks
                    axes.plot(x, y, "o", color="0.4", markersize=2.5, label=text)
                axes.set(xlabel=panel.x_label, ylabel=panel.y_label, xlim=panel.x_range, ylim=panel.y_range)
                if panel.log_x:
                    axes.set_xscale("log")
                    _log_ticks(axes.xaxis, plain=True)
                if panel.log_y:
                    axes.set_yscale("log")
                    _log_ticks(axes.yaxis)
                axes.legend(loc=panel.legend, title=panel.title or None)
    return figure


def planes(contents: Sequence[Plane], *, title: str | None = None) -> "Figure":
    """Regions in planes of two couplings, side by side, with one legend above all.

    Parameters
    ----------
    contents : sequence of Plane
    title : str, optional
        Of the legend.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.ticker import MaxNLocator

    with style():
        figure = _figure(COLUMN if len(contents) == 1 else PAGE, 3.4 if len(contents) == 1 else 2.9)
        every = figure.subplots(1, len(contents), squeeze=False)[0]
        for axes, plane in zip(every, contents, strict=True):
            for i, region in enumerate(plane.regions):
                region.draw(axes, above=0.9 if region.fill is None else 0.5 / (1 + i))
            for (label, (marker, positions)), (color, _) in zip(plane.points.items(), LOOKS, strict=False):
                x, y = np.asarray(positions, dtype=float).T
                axes.plot(x, y, marker, color=color, markersize=5, label=label, zorder=3)
            axes.set(xlabel=plane.x_label, ylabel=plane.y_label, xlim=plane.x_range, ylim=plane.y_range)
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 4, 5, 10], prune="both"))
        handles, labels = every[0].get_legend_handles_labels()
        columns = min(3, len(labels))
        order = [i for first in range(columns) for i in range(first, len(labels), columns)]  # it is filled by columns
        figure.legend(
            [handles[i] for i in order], [labels[i] for i in order],
            loc="outside upper center", ncols=columns, title=title, columnspacing=1.2,
        )  # fmt: skip
    return figure


def scan_plane(scan: "Scan", *, title: str | None = None) -> "Figure":
    """The allowed regions of a scan of two couplings at 68, 90 and 95% CL, its best fit and the Standard Model.

    Parameters
    ----------
    scan : Scan
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    x, y = scan.axes
    looks = zip(LEVELS, _BOUNDARIES, _INSIDES, strict=True)
    regions = [
        Region(f"{100 * cl:g}% CL", [ring.points for ring in scan.contours(cl).rings], look, inside)
        for cl, look, inside in looks
    ]
    best = np.array([[scan.best_fit[name][0] for name in scan.couplings]])
    # Where nothing interferes with the Standard Model, reversing both signs changes nothing.
    even = all(np.array_equal(axis, -axis[::-1]) for axis in scan.axes)
    if even and np.allclose(scan.chi2, scan.chi2[::-1, ::-1], rtol=1e-9):
        best = np.concatenate([best, -best])
    x_name, y_name = (coupling_symbol(name, signed=True).strip("$") for name in scan.couplings)
    plane = Plane(
        f"${x_name}$",
        f"${y_name}$",
        (float(x[0]), float(x[-1])),
        (float(y[0]), float(y[-1])),
        regions,
        {"best fit": ("x", best), f"${x_name} = {y_name} = 0$": ("+", [(0.0, 0.0)])},
    )
    return planes([plane], title=title)


def histogram(
    edges: ArrayLike,
    predictions: Mapping[str, ArrayLike],
    *,
    x_label: str,
    y_label: str = "counts per bin",
    data: tuple[str, ArrayLike, ArrayLike] | None = None,
) -> "Figure":
    """Counts per bin, predicted and measured.

    Parameters
    ----------
    edges : array_like
        Bin edges.
    predictions : mapping of str to array_like
        Counts per bin, by label; each is drawn as it is, not stacked.
    x_label, y_label : str
        With units.
    data : (label, counts, errors), optional
        Drawn as points with error bars.

    Returns
    -------
    matplotlib.figure.Figure
    """
    bins = np.asarray(edges, dtype=float)
    with style():
        figure = _figure(COLUMN, 2.6)
        axes = figure.subplots()
        for (label, counts), (color, dashes) in zip(predictions.items(), LOOKS, strict=False):
            axes.stairs(np.asarray(counts), bins, baseline=None, color=color, linestyle=dashes, label=label)
        if data is not None:
            label, counts, errors = data
            axes.errorbar(
                (bins[:-1] + bins[1:]) / 2, counts, yerr=errors, fmt="o", color="black",
                markersize=2.5, linewidth=0.8, capsize=0, label=label,
            )  # fmt: skip
            axes.axhline(0.0, color="0.5", linewidth=0.5)
        else:
            axes.set_ylim(bottom=0.0)
        axes.set(xlabel=x_label, ylabel=y_label, xlim=(bins[0], bins[-1]))
        axes.legend(loc="best")
    return figure


def _figure(width: float, height: float) -> "Figure":
    """A figure that belongs to no window system."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height))


def _limit_range(curves: Sequence[Curve]) -> tuple[float, float]:
    """From below the strongest bound to well above the weakest plateau."""
    finite = [y[np.isfinite(y) & (y > 0)] for y in (np.asarray(c.y, dtype=float) for c in curves)]
    best = [float(y.min()) for y in finite if y.size]
    return (min(best) / 6, max(best) * 40) if best else (1e-6, 1.0)


def _log_ticks(axis: "Axis", *, plain: bool = False) -> None:
    """Every decade labelled, with the eight ticks between."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(numticks=50))
    axis.set_minor_locator(LogLocator(subs=tuple(range(2, 10)), numticks=500))
    axis.set_minor_formatter(NullFormatter())
    if plain:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
