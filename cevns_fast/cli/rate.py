"""``cevns-fast rate``: counts per bin."""

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np

import cevns_fast as cf
from cevns_fast._validate import Floats
from cevns_fast.cli import outputs, sources
from cevns_fast.cli.axes import Along, along
from cevns_fast.cli.models import all_zero, fixed_fields, interaction
from cevns_fast.inference.mass_scan import heaviest_mass
from cevns_fast.interactions.neutral_current import NeutralCurrent
from cevns_fast.likelihood.measurement import background_counts, measurement_of
from cevns_fast.output import drawing, plotting, tables
from cevns_fast.output.of_objects import counts_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cevns_fast.interactions.process import Interaction


def run(args: argparse.Namespace) -> None:
    """Print, and write if a folder is named, the Standard Model's counts, the new ones and their sum."""
    (experiment,) = sources.loaded(args)
    paths = outputs.paths(args, f"rate-{experiment.name}") if args.output else None
    observable = experiment.detector.response.observable
    every, printed = along(experiment, "all"), along(experiment, args.axis)
    about = {"bins": observable, "counts": "per bin, without backgrounds"}
    given = fixed_fields(args.model, args.parameters, outputs.options(args))
    new = interaction(args.model, given) if args.parameters else None
    counts = {"Standard Model": cf.event_rate(experiment, cf.StandardModel(), target=args.target)}
    if new is not None:
        if isinstance(new, NeutralCurrent | cf.StandardModel):  # what it adds is also its interference
            counts["total"] = cf.event_rate(experiment, new, target=args.target)
            counts["new physics"] = counts["total"] - counts["Standard Model"]
            counts["total"] = counts.pop("total")
        else:
            counts["new physics"] = cf.event_rate(experiment, new, standard_model=False, target=args.target)
            counts["total"] = counts["Standard Model"] + counts["new physics"]
        about["interaction"] = repr(new)
    if args.target != "all":
        about["target"] = args.target
    about |= sources.about(args)
    backgrounds = background_counts(experiment)
    below = np.sum([*backgrounds.values()], axis=0) if backgrounds else np.zeros(experiment.n_bins)
    signal, points = counts["Standard Model" if new is None else "total"], None
    columns = {**counts, **backgrounds}
    if backgrounds:
        about["signal/background"] = "all neutrinos' counts over the sum of all backgrounds"
    if experiment.observed is not None:
        statistic = measurement_of(experiment)
        columns["data"] = statistic.data
        about["data"] = "less steady-state and beam-related backgrounds"
        if not statistic.predicts_variance:
            points = ("data less backgrounds", statistic.data, np.sqrt(statistic.variance))
    if experiment.approximate:
        about["approximate"] = experiment.approximate

    def sheet_along(which: Along) -> tables.Sheet:
        """All columns in the bins of an axis."""
        found = {name: which.of(experiment, values) for name, values in columns.items()}
        if backgrounds:
            ratio = _ratio(which.of(experiment, signal), which.of(experiment, below))
            found = _before_data(found, "signal/background", ratio)
        return tables.Sheet({**which.bins, **found}, {**outputs.provenance([experiment]), **about})

    sheet, shown = sheet_along(every), sheet_along(printed)
    print(f"{experiment.name}: counts per bin of {observable}")
    if printed.note:
        print(f"note: {printed.note}")
    if experiment.approximate:
        print(f"approximate: {experiment.approximate}")
    print(shown.text())
    sums = {name: float(np.sum(columns[name])) for name in shown.columns if name in columns}
    if backgrounds:
        sums = _before_data(sums, "signal/background", float(signal.sum() / below.sum()))
    print("sum: " + ", ".join(f"{name} {value:.4g}" for name, value in sums.items()))
    if new is not None and not columns["new physics"].any():
        print(f"note: no new physics: {_why(experiment, new)}")
    if paths is None:
        return
    whole = experiment.projection  # with gaps for bins that are left out

    def draw() -> "Figure":
        return plotting.histogram(
            experiment.detector.bins,
            {name: whole(values) for name, values in counts.items()},
            x_label=observable,
            y_label=counts_label(experiment),
            backgrounds={name: whole(values) for name, values in backgrounds.items()},
            ratio=("S/B", _ratio(whole(signal), whole(below))) if backgrounds else None,
            data=points and (points[0], whole(points[1]), np.sqrt(whole(points[2] ** 2))),
            title=drawing.in_lines([experiment.name, *outputs.given(args, without=())]),
        )

    outputs.write(args, sheet, draw, paths)


def _before_data(columns: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """With one more, before the data if they are there."""
    data = {key: columns[key] for key in ("data",) if key in columns}
    return {**{key: each for key, each in columns.items() if key not in data}, name: value, **data}


def _ratio(one: Floats, other: Floats) -> Floats:
    """Their ratio, NaN where there is nothing to divide by."""
    return np.divide(one, other, out=np.full_like(one, np.nan), where=other > 0)


def _why(experiment: cf.Experiment, new: "Interaction") -> str:
    """Why an interaction makes no counts."""
    heaviest, m_chi = heaviest_mass([experiment]), getattr(new, "m_chi", 0.0)
    if all_zero(new):
        some = new.default_couplings or tuple(new.open_couplings)
        return f"all couplings of {type(new).__name__} are zero, give one: {some[-1]}=1e-3"
    if m_chi >= heaviest:
        return f"m_chi = {m_chi:g}: χ is too heavy for this source, which makes up to {heaviest:.4g} MeV"
    return "nothing of it reaches the bins"
