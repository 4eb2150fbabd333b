"""Figures, with matplotlib alone: no display is needed, and no global state of matplotlib is touched.

Functions take numbers and return a `matplotlib.figure.Figure`, one column of a journal wide; `png` and `pdf` turn one
into the bytes of a file. matplotlib is imported when something is drawn.
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
    from matplotlib.ticker import Formatter

    from cevns_fast.inference.scan_result import Scan

_MADE_BY = f"cevns_fast {cevns_fast.__version__}"

COLUMN = 3.4  # inches: one column of a journal

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
    "savefig.dpi": 300,
    "pdf.fonttype": 42,  # fonts as they are, not as drawings of letters
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
        Shade everything above, and say that it is excluded.
    """

    label: str
    x: ArrayLike
    y: ArrayLike
    look: int | Look = 0
    filled: bool = False

    def draw(self, axes: "Axes", top: float) -> None:
        """The line, and up to `top` what it excludes."""
        color, dashes = LOOKS[self.look] if isinstance(self.look, int) else self.look
        x, y = np.asarray(self.x, dtype=float), np.asarray(self.y, dtype=float)
        seen = np.isfinite(y)
        if self.filled and seen.any():
            axes.fill_between(x[seen], y[seen], max(top, *y[seen]), color="0.92", linewidth=0)
            axes.text(0.04, 0.93, "excluded", transform=axes.transAxes, va="top", fontsize=8)
        axes.plot(x, np.where(seen, y, np.nan), color=color, linestyle=dashes, label=self.label)


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
        Of the legend; above the panel, if the figure has one legend for all.
    legend : str
        Where it is.
    marks : (x, y, text), optional
        Points.
    guides : mapping of str to float
        Thin vertical lines, by the text above them; of panels that share their axes, the top row has the text.
    height : float
        Inches.
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
    guides: Mapping[str, float] = field(default_factory=dict)
    height: float = 2.6

    def draw(self, axes: "Axes", *, name_guides: bool = True) -> None:
        """Everything but title and legend."""
        for text, x in self.guides.items():
            axes.axvline(x, color="0.55", linewidth=0.6, zorder=0)
            axes.annotate(
                text if name_guides else "", (x, 1), (0, 2), ("data", "axes fraction"), "offset points",
                ha="center", va="bottom", fontsize=7,
            )  # fmt: skip
        for curve in self.curves:
            curve.draw(axes, self.y_range[1])
        if self.marks is not None:
            x_of, y_of, text = self.marks
            axes.plot(x_of, y_of, "o", color="0.4", markersize=2.5, label=text)
        axes.set(xlabel=self.x_label, ylabel=self.y_label, xlim=self.x_range, ylim=self.y_range)
        if self.log_x:
            axes.set_xscale("log")
            _log_ticks(axes.xaxis, plain=True)
        if self.log_y:
            axes.set_yscale("log")
            _log_ticks(axes.yaxis)


def available() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def style() -> AbstractContextManager[None]:
    """The look of every figure, as a context.

    Raises
    ------
    ImportError
        If matplotlib is missing (extra ``plot``).
    """
    try:
        import matplotlib
    except ImportError:
        raise ImportError("figures need matplotlib: pip install 'cevns_fast[plot]'") from None
    return matplotlib.rc_context(_STYLE)


def png(figure: "Figure") -> bytes:
    """The figure as a PNG file of 300 dots per inch."""
    return _saved(figure, "png", {"Software": _MADE_BY})


def pdf(figure: "Figure") -> bytes:
    """The figure as a PDF file, the same bytes whenever it is made."""
    return _saved(figure, "pdf", {"Creator": _MADE_BY, "CreationDate": None})


def _saved(figure: "Figure", kind: str, metadata: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()


def coupling_symbol(name: str, *, signed: bool = False) -> str:
    """A coupling as mathematics: ``"C_S_u"`` is |C_S^u|, or without the bars if its sign matters."""
    letter, _, rest = name.partition("_")
    low, _, high = rest.partition("_")
    symbol = _SYMBOLS.get(name, f"{letter}_{{{low}}}{f'^{{{high}}}' if high else ''}")
    return f"${symbol}$" if signed else f"$|{symbol}|$"


_SYMBOLS = {"gchi_gq": r"g_\chi g_q", "y_bar": r"\bar{y}", "y_chi": r"y_\chi", "m_zprime": "m_{Z'}"}


def limit_panels(
    panels: Mapping[str, Sequence[Curve]],
    *,
    x_label: str = r"$m_\chi$  [MeV]",
    x_range: tuple[float, float] | None = None,
    guides: Mapping[str, float] | None = None,
) -> "Figure":
    """Upper limits as functions of a mass, a panel for each coupling, one below the other.

    Parameters
    ----------
    panels : mapping of str to sequence of Curve
        By the label of the vertical axis.
    x_label : str
    x_range : (float, float), optional
        By default from the first mass to beyond the last.
    guides : mapping of str to float, optional
        Masses to mark with a thin line, by the text above it.

    Returns
    -------
    matplotlib.figure.Figure
    """
    column = (
        Panel(
            curves, x_label, label, x_range or (float(np.min(curves[0].x)), 1.2 * float(np.max(curves[0].x))),
            _limit_range(curves), log_x=True, log_y=True, guides=guides or {}, height=1.7 if len(panels) > 1 else 2.6,
        )
        for label, curves in panels.items()
    )  # fmt: skip
    return shared_panels([[panel] for panel in column])


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
            replace(curve, y=np.where(y > 0, y, np.nan)).draw(axes, np.inf)
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


def panels(column: Sequence[Panel]) -> "Figure":
    """Panels one below the other, each with its own legend.

    Parameters
    ----------
    column : sequence of Panel

    Returns
    -------
    matplotlib.figure.Figure
    """
    heights = [panel.height for panel in column]
    with style():
        figure = _figure(COLUMN, sum(heights))
        every = figure.subplots(len(column), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, panel in zip(every, column, strict=True):
            panel.draw(axes)
            axes.legend(loc=panel.legend, title=panel.title or None)
    return figure


def shared_panels(grid: Sequence[Sequence[Panel]]) -> "Figure":
    """Panels in rows and columns that share their axes, with the first one's legend above all.

    Parameters
    ----------
    grid : sequence of sequence of Panel
        Rows, all of one length; in a row all have the same vertical axis, in a column the same horizontal one.

    Returns
    -------
    matplotlib.figure.Figure
    """
    heights = [row[0].height for row in grid]
    with style():
        figure = _figure(COLUMN, sum(heights) + 0.3)
        every = figure.subplots(
            len(grid), len(grid[0]), squeeze=False, sharex="col", sharey="row", height_ratios=heights
        )
        for i, (row, contents) in enumerate(zip(every, grid, strict=True)):
            for axes, panel in zip(row, contents, strict=True):
                panel.draw(axes, name_guides=i == 0)
                axes.set_title(panel.title, fontsize=8, pad=12 if panel.guides and i == 0 else 4)
                axes.label_outer()
                if panel.log_x and panel is not contents[-1]:
                    # The last label would meet the first of the next panel.
                    axes.xaxis.set_major_formatter(_plain(without=panel.x_range[1]))
        figure.align_ylabels()
        _legend_above(figure, every[0, 0], columns=2)
    return figure


def planes(grid: Sequence[Sequence[Plane | None]], *, title: str | None = None) -> "Figure":
    """Regions in planes of two couplings.

    Parameters
    ----------
    grid : sequence of sequence of Plane or None
        Rows, all of one length; in a row all have the same vertical axis, in a column the same horizontal one.
        One legend is for all: in the place of the first None, else above.
    title : str, optional
        Of the legend.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with style():
        from matplotlib.ticker import MaxNLocator

        figure = _figure(COLUMN, 3.4)
        every = figure.subplots(len(grid), len(grid[0]), squeeze=False, sharex="col", sharey="row")
        empty = None
        for i, row in enumerate(grid):
            for j, plane in enumerate(row):
                axes = every[i, j]
                if plane is None:
                    axes.set_axis_off()
                    empty = axes if empty is None else empty
                    continue
                _draw_plane(axes, plane)
                for axis in (axes.xaxis, axes.yaxis):
                    axis.set_major_locator(
                        MaxNLocator(5 if len(grid) == 1 else 4, prune="both", steps=[1, 2, 4, 5, 10])
                    )
                if i + 1 < len(grid) and grid[i + 1][j] is not None:
                    axes.set_xlabel("")
                else:
                    axes.tick_params(labelbottom=True)
                if j > 0 and row[j - 1] is not None:
                    axes.set_ylabel("")
        figure.align_ylabels()
        if empty is None:
            _legend_above(figure, every[0, 0], columns=3, title=title)
        else:
            handles, labels = every[0, 0].get_legend_handles_labels()
            empty.legend(handles, labels, loc="center", title=title, handlelength=1.8)
    return figure


def _draw_plane(axes: "Axes", plane: Plane) -> None:
    """Regions and points; the first of the filled regions on top of the others."""
    for i, region in enumerate(plane.regions):
        region.draw(axes, above=0.9 if region.fill is None else 0.5 / (1 + i))
    for (label, (marker, positions)), (color, _) in zip(plane.points.items(), LOOKS, strict=False):
        x, y = np.asarray(positions, dtype=float).T
        axes.plot(x, y, marker, color=color, markersize=5, label=label, zorder=3)
    axes.set(xlabel=plane.x_label, ylabel=plane.y_label, xlim=plane.x_range, ylim=plane.y_range)


def _legend_above(figure: "Figure", axes: "Axes", columns: int, title: str | None = None) -> None:
    """The legend of these axes above all, in rows."""
    handles, labels = axes.get_legend_handles_labels()
    columns = min(columns, len(labels))
    order = [i for first in range(columns) for i in range(first, len(labels), columns)]  # it is filled by columns
    figure.legend(
        [handles[i] for i in order], [labels[i] for i in order],
        loc="outside upper center", ncols=columns, title=title, columnspacing=1.2,
    )  # fmt: skip


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
    return planes([[plane]], title=title)


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
        bottom, top = axes.get_ylim()
        axes.set(xlabel=x_label, ylabel=y_label, xlim=(bins[0], bins[-1]), ylim=(bottom, 1.15 * top))
        axes.legend(loc="upper right")
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
    """Every decade labelled, with the eight ticks between; of many decades every second, third, ..."""
    from matplotlib.ticker import LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    stride = 1 + int(np.log10(high / low) // 7) if 0 < low < high else 1
    axis.set_major_locator(LogLocator(base=10.0**stride, numticks=50))
    axis.set_minor_locator(LogLocator(subs=tuple(range(2, 10)) if stride == 1 else (1.0,), numticks=500))
    axis.set_minor_formatter(NullFormatter())
    if plain:
        axis.set_major_formatter(_plain())


def _plain(without: float = np.nan) -> "Formatter":
    """Numbers as they are, but for one."""
    from matplotlib.ticker import FuncFormatter

    return FuncFormatter(lambda value, _: "" if np.isclose(value, without) else f"{value:g}")
