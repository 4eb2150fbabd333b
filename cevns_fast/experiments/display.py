"""An experiment at a prompt and in a notebook."""

from typing import Any

from cevns_fast._support import shown
from cevns_fast.experiments.watched import bare


def line(experiment: Any) -> str:
    """What it is, in one line."""
    left = f", {len(experiment.excluded)} left out" if experiment.excluded else ""
    counted = (
        "simulated" if experiment.observed is None else f"{shown.number(experiment.observed.sum())} counts observed"
    )
    return shown.line(
        f"Experiment {experiment.name or 'without a name'}:",
        f"{shown.number(experiment.detector.mass)} kg {experiment.detector.target.name}",
        type(bare(experiment.source)).__name__,
        f"{_sizes(experiment)} bins of {_axes(experiment)}{left}",
        counted,
        f"approximate: {experiment.approximate}" if experiment.approximate else "",
    )


def table(experiment: Any) -> str:
    """What it is, and its data, in HTML."""
    observable, edges = experiment.detector.response.observable, experiment.detector.bins
    observed = experiment.observed
    rows = {
        "source": bare(experiment.source),
        "detector": f"{shown.number(experiment.detector.mass)} kg {experiment.detector.target.name}",
        "exposure": f"{shown.number(experiment.exposure)} {experiment.source.exposure_unit}",
        "bins": f"{_sizes(experiment)}, {shown.number(edges[0])} to {shown.number(edges[-1])} of {_axes(experiment)}",
        "data": "simulated" if observed is None else f"{shown.number(observed.sum())} counts",
        "backgrounds": [each.name for each in experiment.backgrounds] or "none",
        "σ of the normalisation": f"{100 * experiment.signal_uncertainty:g}%",
        "nuisances": [each.name for each in experiment.nuisances if each.active] or "none",
        "citation": experiment.citation or "none",
    }
    if experiment.approximate:
        rows["approximate"] = experiment.approximate
    series = [] if observed is None else [("data", experiment.projection(observed))]
    series += [(each.name, experiment.projection(each.counts)) for each in experiment.backgrounds]
    title = f"{experiment.name or 'Experiment'} {experiment.description and '— ' + experiment.description}"
    return shown.table(title, rows, shown.steps(edges, f"counts per unit of {observable}", *series))


def _sizes(experiment: Any) -> str:
    """Numbers of bins along the axes."""
    one = len(experiment.shape) == 1
    return str(experiment.n_bins) if one else " × ".join(map(str, experiment.shape))


def _axes(experiment: Any) -> str:
    """What the axes are."""
    names = [experiment.detector.response.observable]
    names += ["time"] if experiment.time is not None else []
    return " × ".join([*names, experiment.release.name] if experiment.release is not None else names)
