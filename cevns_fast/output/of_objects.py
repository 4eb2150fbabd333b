"""Figures of the library's own objects, drawn into the user's axes.

Nothing of matplotlib's settings is touched: the library's look is a context, `cevns_fast.output.drawing.style`, for
those who ask for it. Every function takes axes or makes them, and returns them.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cevns_fast._validate import Floats
from cevns_fast.counts.polynomial import standard_model_counts
from cevns_fast.counts.templates import event_rate
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.inference.confidence import LEVELS
from cevns_fast.inference.limit_curve import LimitCurve
from cevns_fast.inference.scan_result import Scan
from cevns_fast.inference.toys import FeldmanCousins, GoodnessOfFit
from cevns_fast.interactions.process import Interaction
from cevns_fast.likelihood.measurement import background_counts, measurement_of
from cevns_fast.output.drawing import LOOKS, axis_label, coupling_symbol

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _axes(ax: "Axes | None") -> "Axes":
    """The user's axes, or those of a new figure of pyplot, which a notebook shows."""
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise ImportError("figures need matplotlib: pip install 'cevns_fast[plot]'") from None
    return plt.subplots()[1]


def per_unit(edges: Floats) -> Floats | None:
    """Widths of bins by which counts are divided to compare them; None if all are equal."""
    widths = np.diff(edges)
    return None if np.allclose(widths, widths[0], rtol=1e-9) else widths


def counts_label(experiment: Experiment) -> str:
    """What the vertical axis of its counts says."""
    observable = experiment.detector.response.observable
    equal = per_unit(np.array(experiment.detector.bins)) is None
    return "counts per bin" if equal else f"counts per {_unit(observable)}"


def _unit(observable: str) -> str:
    """Of an observable such as "recoil energy [keV]"."""
    name, _, unit = observable.partition("[")
    return unit.rstrip("] ") or name.strip().removesuffix("s")


def experiment(
    of: Experiment,
    ax: "Axes | None" = None,
    *,
    interaction: Interaction | None = None,
    backgrounds: bool = True,
    residuals: bool = False,
    **style: Any,
) -> "Axes":
    """Data with their statistical errors, and what is expected, per bin or, where bins differ, per unit.

    Parameters
    ----------
    of : Experiment
    ax : matplotlib.axes.Axes, optional
    interaction : Interaction, optional
        New physics: drawn alone, and on top of the Standard Model.
    backgrounds : bool
        Draw the beam-related ones and the steady state.
    residuals : bool
        Draw (data − prediction)/σ instead.
    **style
        Of the data's points, as matplotlib's ``errorbar`` takes it.

    Returns
    -------
    matplotlib.axes.Axes
    """
    axes, measured, seen = _axes(ax), measurement_of(of), of.projection
    edges = np.array(of.detector.bins)
    widths = per_unit(edges)
    divisor = np.ones(edges.size - 1) if widths is None else widths
    expected = standard_model_counts(of, True)
    total = expected if interaction is None else event_rate(of, interaction)
    variance = measured.variance if not measured.predicts_variance else total + measured.background_variance
    data, error = seen(measured.data), np.sqrt(seen(variance))
    points: dict[str, Any] = {"fmt": "o", "color": "black", "markersize": 3, "linewidth": 0.8, "zorder": 3} | style
    label = "simulated data" if of.observed is None else "data"
    points.setdefault("label", label if not of.backgrounds else f"{label} less backgrounds")
    centres = (edges[:-1] + edges[1:]) / 2
    if residuals:
        pulls = np.divide(data - seen(total), error, out=np.full(data.size, np.nan), where=error > 0)
        axes.axhline(0.0, color="0.5", linewidth=0.8)
        axes.errorbar(centres, pulls, yerr=1.0, **points)
        axes.set(ylabel="(data − prediction)/σ")
    else:
        axes.axhline(0.0, color="0.5", linewidth=0.5)
        axes.errorbar(centres, data / divisor, yerr=error / divisor, **points)
        lines = {"Standard Model": expected}
        if interaction is not None and not np.array_equal(total, expected):
            lines |= {type(interaction).__name__: total - expected, f"with {type(interaction).__name__}": total}
        if backgrounds:
            lines |= background_counts(of)
        for (name, counts), (color, dashes) in zip(lines.items(), LOOKS, strict=False):
            axes.stairs(seen(counts) / divisor, edges, baseline=None, color=color, linestyle=dashes, label=name)
        axes.set(ylabel=counts_label(of))
        axes.legend(title=f"{of.name} (approximate)" if of.approximate else of.name or None)
    axes.set(xlabel=of.detector.response.observable, xlim=(edges[0], edges[-1]))
    if edges[0] > 0 and edges[-1] > 50 * edges[0]:
        axes.set_xscale("log")
    return axes


def limit_curve(of: LimitCurve, ax: "Axes | None" = None, *, filled: bool = False, **style: Any) -> "Axes":
    """The largest allowed coupling over the mass; where there is no bound, no line. Expected limits are bands."""
    if of.masses is None:
        raise ValueError("masses = None: a curve needs interactions that differ in a mass")
    axes, order = _axes(ax), np.argsort(of.masses)
    x, y = of.masses[order], of.upper[order]
    y = np.where(np.isfinite(y), y, np.nan)
    style.setdefault("label", ", ".join([" + ".join(of.experiments), of.level]) if of.experiments else of.level)
    if np.isfinite(y).sum() == 1:
        style.setdefault("marker", "o")
    (line,) = axes.plot(x, y, **style)
    axes.set(xscale="log", yscale="log")
    if of.expected is not None:
        bands = np.where(np.isfinite(of.expected), of.expected, np.nan)[:, order]
        for lower, upper, opacity in ((0, 4, 0.15), (1, 3, 0.25)):
            axes.fill_between(x, bands[lower], bands[upper], color=line.get_color(), alpha=opacity, linewidth=0)
        axes.plot(x, bands[2], color=line.get_color(), linestyle="dashed", linewidth=0.8, label="expected, 1σ and 2σ")
    if filled:
        low, high = axes.get_ylim()
        axes.fill_between(x, y, high, color=line.get_color(), alpha=0.15, linewidth=0)
        axes.set_ylim(low, high)
    axes.set(xlabel=f"{coupling_symbol(of.mass, signed=True)} [MeV]", ylabel=coupling_symbol(of.coupling))
    axes.legend()
    return axes


def scan(
    of: Scan,
    ax: "Axes | None" = None,
    *,
    levels: Sequence[float] = LEVELS,
    interaction: int = 0,
    best_fit: bool = True,
    **style: Any,
) -> "Axes":
    """Δχ² along one coupling with its thresholds, or the allowed regions of two couplings."""
    if len(of.axes) > 2:
        raise ValueError(f"couplings = {of.couplings}: a figure has one or two")
    axes = _axes(ax)
    names = [axis_label(name) for name in of.couplings]
    if len(of.axes) == 1:
        delta = of.delta_chi2 if of.chi2.ndim == 1 else of.delta_chi2[interaction]
        axes.plot(of.axes[0], delta, **style)
        for cl in levels:
            _threshold(axes, cl)
        axes.set(xlabel=names[0], ylabel=r"$\Delta\chi^2$", ylim=(0.0, None), xlim=of.axes[0][[0, -1]])
        return axes
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    color = style.pop("color", "C0")
    for i, cl in enumerate(sorted(levels, reverse=True)):
        rings = [np.asarray(ring.points) for ring in of.contours(cl, interaction=interaction).rings]
        look: Mapping[str, Any] = {
            "facecolor": (color, 0.25), "edgecolor": color, "linestyle": LOOKS[i % len(LOOKS)][1],
            "label": f"{100 * cl:g}% CL", **style,
        }  # fmt: skip
        axes.add_patch(PathPatch(Path.make_compound_path(*(Path(ring, closed=True) for ring in rings)), **look))
    if best_fit and not of.outside[interaction]:
        axes.plot(*([of.best_fit[name][interaction]] for name in of.couplings), "x", color="black", label="best fit")
    axes.set(xlabel=names[0], ylabel=names[1], xlim=of.axes[0][[0, -1]], ylim=of.axes[1][[0, -1]])
    axes.legend()
    return axes


def _threshold(axes: "Axes", cl: float) -> None:
    """A line at Δχ² of a confidence level for one degree of freedom."""
    from cevns_fast.inference.confidence import threshold

    level = threshold(cl, None, 1)
    axes.axhline(level, color="0.6", linewidth=0.7, zorder=0)
    where: Any = ("axes fraction", "data")
    axes.annotate(f"{100 * cl:g}% CL", (1, level), (-3, 2), where, "offset points", ha="right", fontsize="small")


def goodness_of_fit(of: GoodnessOfFit, ax: "Axes | None" = None, **style: Any) -> "Axes":
    """The toys' χ² as a histogram, and the data's as a line."""
    axes = _axes(ax)
    look: dict[str, Any] = {"bins": 40, "color": "0.8", "label": f"{of.toy_chi2.size} toys"}
    axes.hist(of.toy_chi2, **look | style)
    axes.axvline(of.best_fit.chi2, color="C3", label=f"data, p = {of.p_value:.3g}")
    axes.set(xlabel=r"minimal $\chi^2$", ylabel="toys")
    axes.legend()
    return axes


def feldman_cousins(of: FeldmanCousins, ax: "Axes | None" = None, **style: Any) -> "Axes":
    """Δχ² of the data and the critical one along a line; or points in a plane, filled where they are allowed."""
    axes = _axes(ax)
    names = [axis_label(name) for name in of.names]
    if len(names) == 1:
        order = np.argsort(of.points[:, 0])
        x = of.points[order, 0]
        axes.plot(x, of.delta_chi2[order], **{"color": "black", "label": "data"} | style)
        axes.plot(x, of.critical[order], color="C3", linestyle="dashed", label="critical, by toys")
        axes.set(xlabel=names[0], ylabel=r"$\Delta\chi^2$", ylim=(0.0, None))
    elif len(names) == 2:
        for allowed, face in ((True, "black"), (False, "none")):
            points = of.points[np.asarray(of.allowed) == allowed]
            look: dict[str, Any] = {
                "facecolors": face,
                "edgecolors": "black",
                "s": 14,
                "label": "allowed" if allowed else "excluded",
            }
            axes.scatter(points[:, 0], points[:, 1], **look | style)
        axes.set(xlabel=names[0], ylabel=names[1])
    else:
        raise ValueError(f"names = {of.names}: a figure has one or two parameters")
    axes.legend()
    return axes
