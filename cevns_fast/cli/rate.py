"""``cevns-fast rate``: counts per bin."""

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np

import cevns_fast as cf
from cevns_fast.cli import outputs
from cevns_fast.cli.models import all_zero, fixed_fields, interaction
from cevns_fast.inference.mass_scan import heaviest_mass
from cevns_fast.likelihood.measurement import measurement_of
from cevns_fast.output import drawing, plotting, tables

if TYPE_CHECKING:
    from cevns_fast.interactions.process import Interaction


def run(args: argparse.Namespace) -> None:
    """Print, and write if a folder is named, the Standard Model's counts, the new ones and their sum."""
    experiment = cf.load(args.experiment)
    paths = outputs.paths(args, f"rate-{experiment.name}") if args.output else None
    (low, high), observable = experiment.bin_edges, experiment.detector.response.observable
    about = {"bins": observable, "counts": "per bin, without backgrounds"}
    given = fixed_fields(args.model, args.parameters, outputs.options(args))
    new = interaction(args.model, given) if args.parameters else None
    counts = {"Standard Model": cf.event_rate(experiment, cf.StandardModel())}
    if new is not None:
        counts["new physics"] = cf.event_rate(experiment, new, standard_model=False)
        counts["total"] = counts["Standard Model"] + counts["new physics"]
        about["interaction"] = repr(new)
    columns, points = {"low": low, "high": high, **counts}, None
    if experiment.observed is not None:
        statistic = measurement_of(experiment)
        columns["data"] = statistic.data
        about["data"] = "less steady-state and beam-related backgrounds"
        if not statistic.predicts_variance:
            points = ("data less backgrounds", statistic.data, np.sqrt(statistic.variance))
    if experiment.excluded:  # gaps in the figure
        counts = {name: _with_gaps(experiment, values) for name, values in counts.items()}
        points = points and (points[0], *(_with_gaps(experiment, values) for values in points[1:]))
    sheet = tables.Sheet(columns, {**outputs.provenance([experiment]), **about})
    print(f"{experiment.name}: counts per bin of {observable}")
    print(sheet.text())
    print("sum: " + ", ".join(f"{name} {np.sum(columns[name]):.4g}" for name in [*columns][2:]))
    if new is not None and not columns["new physics"].any():
        print(f"note: no new physics: {_why(experiment, new)}")
    if paths is not None:
        edges = experiment.detector.bins
        title = drawing.in_lines([experiment.name, *outputs.given(args, without=())])
        outputs.write(
            args, sheet, lambda: plotting.histogram(edges, counts, x_label=observable, data=points, title=title), paths
        )


def _with_gaps(experiment: cf.Experiment, values: Any) -> Any:
    """Counts of all bins of the detector, NaN where one is left out."""
    found = np.full(experiment.detector.n_bins, np.nan)
    found[list(experiment.kept)] = values
    return found


def _why(experiment: cf.Experiment, new: "Interaction") -> str:
    """Why an interaction makes no counts."""
    heaviest, m_chi = heaviest_mass([experiment]), getattr(new, "m_chi", 0.0)
    if all_zero(new):
        return f"all couplings of {type(new).__name__} are zero, give one: {new.default_couplings[-1]}=1e-3"
    if m_chi >= heaviest:
        return f"m_chi = {m_chi:g}: χ is too heavy for this source, which makes up to {heaviest:.4g} MeV"
    return "nothing of it reaches the bins"
