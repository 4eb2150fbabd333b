"""Figures, with matplotlib alone: no display is needed, and no global state of matplotlib is touched.

Functions take numbers and return a `matplotlib.figure.Figure`; `png` turns one into the bytes of a file.
matplotlib is imported when something is drawn.
"""

import importlib.util
import io
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

import cevns_fast

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

COLUMN, PAGE = 3.4, 7.0  # widths, inches, of one and of two columns of a journal

# Okabe & Ito's palette, told apart by every kind of colour vision, each with its dashes, told apart in print.
LOOKS: tuple[tuple[str, Any], ...] = (
    ("#000000", "solid"),
    ("#D55E00", "dashed"),
    ("#0072B2", "dashdot"),
    ("#E69F00", (0, (1, 1.2))),
    ("#AA4499", (0, (6, 1.5, 1, 1.5, 1, 1.5))),
    ("#009E73", (0, (8, 2))),
    ("#56B4E9", (0, (3, 1))),
)

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
    look : int
        Which of `LOOKS`.
    filled : bool
        Shade everything above: an excluded region.
    """

    label: str
    x: ArrayLike
    y: ArrayLike
    look: int = 0
    filled: bool = False


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


def coupling_symbol(name: str) -> str:
    """A coupling as mathematics: ``"C_S_u"`` is |C_S^u|."""
    letter, _, rest = name.partition("_")
    low, _, high = rest.partition("_")
    return f"$|{letter}_{{{low}}}{f'^{{{high}}}' if high else ''}|$"


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
                color, dashes = LOOKS[curve.look]
                x, y = np.asarray(curve.x, dtype=float), np.asarray(curve.y, dtype=float)
                if curve.filled:
                    seen = np.isfinite(y)
                    axes.fill_between(x[seen], y[seen], max(high, *y[seen], 0.0), color="0.85", linewidth=0)
                    axes.text(0.45, 0.7, "excluded", transform=axes.transAxes, ha="center", va="center")
                axes.plot(x, np.where(np.isfinite(y), y, np.nan), color=color, linestyle=dashes, label=curve.label)
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
            color, dashes = LOOKS[curve.look]
            y = np.asarray(curve.y, dtype=float)
            axes.plot(curve.x, np.where(y > 0, y, np.nan), color=color, linestyle=dashes, label=curve.label)
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
