"""Figures, with matplotlib alone: functions take numbers and return a `matplotlib.figure.Figure`, one column of a
journal wide; `png` and `pdf` of `cevns_fast.output.drawing` turn one into the bytes of a file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from cevns_fast.inference.confidence import LEVELS
from cevns_fast.likelihood.outer_parameters import OUTER_PARAMETERS, unit_of
from cevns_fast.output.drawing import (
    COLUMN,
    LOOKS,
    CouplingPlane,
    Curve,
    Look,
    Panel,
    Region,
    axis_label,
    blank,
    coupling_symbol,
    log_ticks,
    plain_numbers,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cevns_fast.inference.limit_curve import LimitCurve
    from cevns_fast.inference.scan_result import Scan

# Of what is expected: green and yellow, dark and light in grey.
_ONE_SIGMA, _TWO_SIGMA = "#2E9E4F", "#FFE34D"
# Of the regions of `LEVELS`, the largest below.
_INSIDES = ("#3B78A8", "#8DB9DB", "#D3E4F2")
_BOUNDARIES: tuple[Look, ...] = (("#000000", "solid"), ("#000000", "dashed"), ("#000000", (0, (1, 1.2))))


def limit_panels(
    panels: Mapping[str, Sequence[Curve]],
    *,
    x_label: str = r"$m_\chi$  [MeV]",
    x_range: tuple[float, float] | None = None,
    guides: Mapping[str, float] | None = None,
    title: str | None = None,
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
    title : str, optional
        Of the legend: what holds for all curves.

    Returns
    -------
    matplotlib.figure.Figure
    """
    column = (
        Panel(
            curves, x_label, label, x_range or _all_masses(panels), log_x=True, log_y=True, guides=guides or {},
            height=1.7 if len(panels) > 1 else 2.6,
        )
        for label, curves in panels.items()
    )  # fmt: skip
    return shared_panels([[panel] for panel in column], title=title)


def expected_limits(
    masses: ArrayLike,
    curve: "LimitCurve",
    *,
    x_label: str = r"$m_\chi$  [MeV]",
    y_label: str | None = None,
    title: str | None = None,
) -> "Figure":
    """A limit and what was to be expected: the figure that experiments print.

    Parameters
    ----------
    masses : float64[n]
    curve : LimitCurve
        With `expected`.
    x_label, y_label : str
    title : str, optional
        Of the legend.

    Returns
    -------
    matplotlib.figure.Figure
        The band of two standard deviations is yellow, that of one is green; in grey they are light and dark.

    Raises
    ------
    ValueError
        If nothing was expected.
    """
    if curve.expected is None:
        raise ValueError("curve: has no expected limits, must be from limit_scan(..., expected=True)")
    x, bands = np.asarray(masses, dtype=float), np.where(np.isfinite(curve.expected), curve.expected, np.nan)
    with style():
        figure = blank(COLUMN, 2.8)
        axes = figure.subplots()
        top = np.nanmax(bands) * 1.5
        high = np.where(
            np.isfinite(curve.expected), curve.expected, np.where(np.isfinite(curve.expected[0]), top, np.nan)
        )
        axes.fill_between(x, bands[0], high[4], color=_TWO_SIGMA, linewidth=0, label=r"expected $\pm 2\sigma$")
        axes.fill_between(x, bands[1], high[3], color=_ONE_SIGMA, linewidth=0, label=r"expected $\pm 1\sigma$")
        axes.plot(x, bands[2], color="#000000", linestyle="dashed", linewidth=0.9, label="expected")
        observed = np.where(np.isfinite(curve.upper), curve.upper, np.nan)
        axes.plot(x, observed, color="#000000", linewidth=1.3, label="observed")
        symbol = coupling_symbol(curve.coupling) if y_label is None else y_label
        axes.set(xscale="log", yscale="log", xlabel=x_label, ylabel=symbol)
        finite = np.concatenate([bands[0], observed])
        axes.set(xlim=(x[0], x[-1]), ylim=(0.7 * np.nanmin(finite), top))
        log_ticks(axes.xaxis, plain=True)
        log_ticks(axes.yaxis)
        # Bands may lie beneath it.
        axes.legend(loc="upper left", title=title, frameon=True, facecolor="white", edgecolor="none", framealpha=1.0)
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
        figure = blank(COLUMN, 2.8)
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
        log_ticks(axes.xaxis, plain=True)
        log_ticks(axes.yaxis)
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
        figure = blank(COLUMN, sum(heights))
        every = figure.subplots(len(column), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, panel in zip(every, column, strict=True):
            panel.draw(axes)
            axes.legend(loc=panel.legend, title=panel.title or None)
    return figure


def _all_masses(panels: Mapping[str, Sequence[Curve]]) -> tuple[float, float]:
    """From the first mass of any curve to beyond the last."""
    ends = [np.asarray(curve.x, dtype=float)[[0, -1]] for curves in panels.values() for curve in curves]
    low, high = float(np.min(ends)), float(np.max(ends))
    return (low if low < high else low / 1.2), 1.2 * high


def shared_panels(grid: Sequence[Sequence[Panel]], *, title: str | None = None) -> "Figure":
    """Panels in rows and columns that share their axes, with the first one's legend above all.

    Parameters
    ----------
    grid : sequence of sequence of Panel
        Rows, all of one length; in a row all have the same vertical axis, in a column the same horizontal one.
    title : str, optional
        Of the legend: what holds for all panels.

    Returns
    -------
    matplotlib.figure.Figure
    """
    heights = [row[0].height for row in grid]
    with style():
        figure = blank(COLUMN, sum(heights) + 0.3)
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
                    axes.xaxis.set_major_formatter(plain_numbers(without=panel.x_range[1]))
        figure.align_ylabels()
        _legend_above(figure, every[0, 0], columns=2, title=title)
    return figure


def planes(grid: Sequence[Sequence[CouplingPlane | None]], *, title: str | None = None) -> "Figure":
    """Regions in planes of two couplings.

    Parameters
    ----------
    grid : sequence of sequence of CouplingPlane or None
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

        figure = blank(COLUMN, 3.4)
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


def _draw_plane(axes: "Axes", plane: CouplingPlane) -> None:
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
    label = "best fit"
    if scan.outside[0]:  # where the figure cannot show it
        label, title = "lowest point", "\n".join([*([title] if title else []), "the best fit is outside"])
        best = np.array([[scan.lowest_point.couplings[name][0] for name in scan.couplings]])
    x_name, y_name = (coupling_symbol(name, signed=True).strip("$") for name in scan.couplings)
    # Zero is the Standard Model where both are couplings, and nothing where one is a mass.
    couplings = not any(unit_of(name) or name in OUTER_PARAMETERS for name in scan.couplings)
    nothing = {f"${x_name} = {y_name} = 0$": ("+", [(0.0, 0.0)])} if couplings else {}
    plane = CouplingPlane(
        axis_label(scan.couplings[0]),
        axis_label(scan.couplings[1]),
        (float(x[0]), float(x[-1])),
        (float(y[0]), float(y[-1])),
        regions,
        {label: ("x", best), **nothing},
    )
    return planes([[plane]], title=title)


def histogram(
    edges: ArrayLike,
    predictions: Mapping[str, ArrayLike],
    *,
    x_label: str,
    y_label: str = "counts per bin",
    backgrounds: Mapping[str, ArrayLike] | None = None,
    ratio: tuple[str, ArrayLike] | None = None,
    data: tuple[str, ArrayLike, ArrayLike] | None = None,
    title: str | None = None,
) -> "Figure":
    """Counts per bin, predicted and measured.

    Parameters
    ----------
    edges : array_like
        Bin edges.
    predictions : mapping of str to array_like
        Counts per bin, by label; each is drawn as it is, not stacked. Where bins differ in width, per unit of x.
    x_label, y_label : str
        With units.
    backgrounds : mapping of str to array_like, optional
        The same, drawn thinner.
    ratio : (label, values), optional
        One value a bin, in a panel below.
    data : (label, counts, errors), optional
        Drawn as points with error bars.
    title : str, optional
        Above the figure: what was fixed.

    Returns
    -------
    matplotlib.figure.Figure
    """
    bins = np.asarray(edges, dtype=float)
    widths = np.diff(bins)
    divisor = np.ones_like(widths) if np.allclose(widths, widths[0], rtol=1e-9) else widths
    with style():
        figure = blank(COLUMN, 2.6 if ratio is None else 3.4)
        if ratio is None:
            axes = below = figure.subplots()
        else:
            axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.6, 0.8])
        looks = iter(LOOKS)
        for width, lines in ((1.3, predictions), (0.8, backgrounds or {})):
            for (label, counts), (color, dashes) in zip(lines.items(), looks, strict=False):
                axes.stairs(
                    np.asarray(counts) / divisor, bins, baseline=None, color=color, linestyle=dashes, linewidth=width,
                    label=label,
                )  # fmt: skip
        if data is not None:
            label, counts, errors = data
            axes.errorbar(
                (bins[:-1] + bins[1:]) / 2, np.asarray(counts) / divisor, yerr=np.asarray(errors) / divisor,
                fmt="o", color="black", markersize=2.5, linewidth=0.8, capsize=0, label=label,
            )  # fmt: skip
            axes.axhline(0.0, color="0.5", linewidth=0.5)
        else:
            axes.set_ylim(bottom=0.0)
        bottom, top = axes.get_ylim()
        axes.set(ylabel=y_label, xlim=(bins[0], bins[-1]), ylim=(bottom, 1.15 * top))
        axes.legend(loc="upper right")
        if ratio is not None:
            values = np.asarray(ratio[1], dtype=float)
            below.stairs(values, bins, baseline=None, color="black")
            below.set(ylabel=ratio[0], ylim=(0.0, 1.2 * np.nanmax(values, initial=1e-300)))
            figure.align_ylabels()
        below.set_xlabel(x_label)
        if title:
            axes.set_title(title, fontsize=8)
    return figure
