"""What figures are made of: looks, lines, regions, panels and their axes.

matplotlib is imported when something is drawn; no display is needed, and no global state of matplotlib is touched.
"""

import importlib.util
import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

import cevns_fast
from cevns_fast.likelihood.outer_parameters import unit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.ticker import Formatter


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

_STYLE: dict[Any, Any] = {
    "text.usetex": False,  # whatever the user's settings say: mathtext needs no LaTeX
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
    "svg.fonttype": "path",  # nobody's browser has these fonts
    "svg.hashsalt": "cevns_fast",
}


# Letters of a title that fit above a column.
_LINE = 52


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
            axes.fill_between(x, np.where(seen, y, np.nan), max(top, *y[seen]), where=seen, color="0.92", linewidth=0)
            axes.text(0.04, 0.93, "excluded", transform=axes.transAxes, va="top", fontsize=8)
        marker = "o" if seen.sum() == 1 else None  # which no line would show
        axes.plot(
            x, np.where(seen, y, np.nan), color=color, linestyle=dashes, marker=marker, markersize=3, label=self.label
        )


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
class CouplingPlane:
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
    x_range : (float, float)
    y_range : (float, float), optional
        By default, on a logarithmic axis, all that is finite.
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
    y_range: tuple[float, float] | None = None
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
        y_range = self.y_range or bound_range(self.curves, self.x_range)
        for curve in self.curves:
            curve.draw(axes, y_range[1])
        if self.marks is not None:
            x_of, y_of, text = self.marks
            axes.plot(x_of, y_of, "o", color="0.4", markersize=2.5, label=text)
        axes.set(xlabel=self.x_label, ylabel=self.y_label, xlim=self.x_range, ylim=y_range)
        if self.log_x:
            axes.set_xscale("log")
            log_ticks(axes.xaxis, plain=True)
        if self.log_y:
            axes.set_yscale("log")
            log_ticks(axes.yaxis)


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


def svg(figure: "Figure") -> bytes:
    """The figure as an SVG file the same bytes whenever it is made."""
    return _saved(figure, "svg", {"Creator": _MADE_BY, "Date": None})


FORMATS: dict[str, Callable[["Figure"], bytes]] = {"png": png, "pdf": pdf, "svg": svg}


def _saved(figure: "Figure", kind: str, metadata: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()


def in_lines(parts: Sequence[str], separator: str = ", ") -> str:
    """Parts of a title, as many in a line as fit above a column; formulas are about half as long as their source."""
    lines: list[str] = []
    for part in parts:
        longer = separator.join([*lines[-1:], part])
        if lines and len(longer) - longer.count("$") - longer.count("\\") * 3 <= _LINE:
            lines[-1] = longer
        else:
            if lines:
                lines[-1] += separator.rstrip()
            lines.append(part)
    return "\n".join(lines)


def coupling_symbol(name: str, *, signed: bool = False) -> str:
    """A coupling as mathematics: ``"C_S_u"`` is |C_S^u|, or without the bars if its sign matters."""
    letter, _, rest = name.partition("_")
    low, _, high = rest.partition("_")
    symbol = _SYMBOLS.get(name, f"{letter}_{{{low}}}{f'^{{{high}}}' if high else ''}")
    return f"${symbol}$" if signed else f"$|{symbol}|$"


def axis_label(name: str) -> str:
    """A coupling or another parameter whose sign matters, with its unit."""
    unit = unit_of(name)
    return coupling_symbol(name, signed=True) + (f" ({unit})" if unit else "")


_SYMBOLS = {
    "gchi_gq": r"g_\chi g_q", "y_bar": r"\bar{y}", "y_chi": r"y_\chi", "m_zprime": "m_{Z'}", "m_chi": r"m_\chi",
    "delta_m2": r"\Delta m^2_{41}", "Ue4_sq": "|U_{e4}|^2", "Umu4_sq": r"|U_{\mu4}|^2", "Utau4_sq": r"|U_{\tau4}|^2",
    "neutron_radius": "R_n", "sin2_theta_w": r"\sin^2\theta_W",
}  # fmt: skip


def blank(width: float, height: float) -> "Figure":
    """A figure that belongs to no window system."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height))


def log_ticks(axis: "Axis", *, plain: bool = False) -> None:
    """Every decade labelled, with the eight ticks between; of many decades every second, third, ..."""
    from matplotlib.ticker import LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    stride = 1 + int(np.log10(high / low) // 7) if 0 < low < high else 1
    axis.set_major_locator(LogLocator(base=10.0**stride, numticks=50))
    axis.set_minor_locator(LogLocator(subs=tuple(range(2, 10)) if stride == 1 else (1.0,), numticks=500))
    axis.set_minor_formatter(NullFormatter())
    if plain:
        axis.set_major_formatter(plain_numbers())


def plain_numbers(without: float = np.nan) -> "Formatter":
    """Numbers as they are, but for one."""
    from matplotlib.ticker import FuncFormatter

    return FuncFormatter(lambda value, _: "" if np.isclose(value, without) else f"{value:g}")


def bound_range(curves: Sequence[Curve], x_range: tuple[float, float]) -> tuple[float, float]:
    """From below the strongest bound to above the weakest: every finite one in the range of x is seen."""
    low, high = np.inf, 0.0
    for curve in curves:
        x, y = np.asarray(curve.x, dtype=float), np.asarray(curve.y, dtype=float)
        seen = y[np.isfinite(y) & (y > 0) & (x >= x_range[0]) & (x <= x_range[1])]
        if seen.size:
            low, high = min(low, float(seen.min())), max(high, float(seen.max()))
    return (low / 3, high * 3) if low < np.inf else (1e-6, 1.0)
