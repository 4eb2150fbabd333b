"""``cevns-fast rate``: counts per bin."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import cevns_fast as cf
from cevns_fast._validate import Floats
from cevns_fast.cli import outputs, sources
from cevns_fast.cli.axes import Along, along
from cevns_fast.cli.models import all_zero, fixed_fields, interaction
from cevns_fast.inference.mass_scan import heaviest_mass
from cevns_fast.interactions.neutral_current import NeutralCurrent
from cevns_fast.likelihood.measurement import Measurement, background_counts, measurement_of
from cevns_fast.output import drawing, plotting, tables
from cevns_fast.output.of_objects import counts_label
from cevns_fast.parallel.once import once

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cevns_fast.counts.recipe import TargetParticles
    from cevns_fast.interactions.process import Interaction


def run(args: argparse.Namespace) -> None:
    """Print, and write if a folder is named, the Standard Model's counts, the new ones and their sum."""
    (experiment,) = sources.loaded(args)
    paths = outputs.paths(args, f"rate-{experiment.name}") if args.output else None
    every, printed = along(experiment, "all"), along(experiment, args.axis)
    given = fixed_fields(args.model, args.parameters, outputs.options(args))
    new = interaction(args.model, given) if args.parameters else None
    rates = _Rates(experiment, _signals(experiment, new, args.target), background_counts(experiment))
    about = _about(args, rates, new)
    print(f"{experiment.name}: counts per bin of {experiment.detector.response.observable}")
    if printed.note:
        print(f"note: {printed.note}")
    if experiment.approximate:
        print(f"approximate: {experiment.approximate}")
    print(rates.sheet(printed, about).text())
    print("sum: " + ", ".join(f"{name} {value:.4g}" for name, value in rates.sums().items()))
    if new is not None and not rates.signals["new physics"].any():
        print(f"note: no new physics: {_why(experiment, new)}")
    if paths is not None:
        title = drawing.in_lines([experiment.name, *outputs.given(args, without=())])
        outputs.write(args, rates.sheet(every, about), lambda: rates.draw(title), paths)


@dataclass(frozen=True, eq=False)
class _Rates:
    """Counts per bin of an experiment: of neutrinos, of backgrounds, and as measured."""

    experiment: cf.Experiment
    signals: Mapping[str, Floats]
    backgrounds: Mapping[str, Floats]

    @once
    def measured(self) -> Measurement | None:
        """The data, if there are any."""
        return None if self.experiment.observed is None else measurement_of(self.experiment)

    @property
    def signal(self) -> Floats:
        """Of all neutrinos."""
        return self.signals["total" if "total" in self.signals else "Standard Model"]

    @property
    def below(self) -> Floats:
        """All backgrounds."""
        return np.asarray(np.sum([*self.backgrounds.values()], axis=0))

    @property
    def columns(self) -> dict[str, Floats]:
        """All of them."""
        data = {} if self.measured is None else {"data": self.measured.data}
        return {**self.signals, **self.backgrounds, **data}

    def sheet(self, which: Along, about: Mapping[str, str]) -> tables.Sheet:
        """All columns in the bins of an axis."""
        found = {name: which.of(self.experiment, values) for name, values in self.columns.items()}
        if self.backgrounds:
            ratio = _ratio(which.of(self.experiment, self.signal), which.of(self.experiment, self.below))
            found = _before_data(found, "signal/background", ratio)
        return tables.Sheet({**which.bins, **found}, {**outputs.provenance([self.experiment]), **about})

    def sums(self) -> dict[str, float]:
        """All columns over all bins."""
        found = {name: float(np.sum(values)) for name, values in self.columns.items()}
        if self.backgrounds:
            found = _before_data(found, "signal/background", float(self.signal.sum() / self.below.sum()))
        return found

    def draw(self, title: str) -> "Figure":
        """A histogram, with gaps for bins that are left out."""
        whole, points = self.experiment.projection, None
        if self.measured is not None and not self.measured.predicts_variance:
            errors = np.sqrt(whole(self.measured.variance))
            points = "data less backgrounds", whole(self.measured.data), errors
        return plotting.histogram(
            self.experiment.detector.bins,
            {name: whole(values) for name, values in self.signals.items()},
            x_label=self.experiment.detector.response.observable,
            y_label=counts_label(self.experiment),
            backgrounds={name: whole(values) for name, values in self.backgrounds.items()},
            ratio=("S/B", _ratio(whole(self.signal), whole(self.below))) if self.backgrounds else None,
            data=points,
            title=title,
        )


def _signals(experiment: cf.Experiment, new: "Interaction | None", target: "TargetParticles") -> dict[str, Floats]:
    """What neutrinos make: in the Standard Model, by what is new, and together."""
    weak = cf.event_rate(experiment, cf.StandardModel(), target=target)
    if new is None:
        return {"Standard Model": weak}
    if isinstance(new, NeutralCurrent | cf.StandardModel):  # what it adds is also its interference
        total = cf.event_rate(experiment, new, target=target)
        return {"Standard Model": weak, "new physics": total - weak, "total": total}
    added = cf.event_rate(experiment, new, standard_model=False, target=target)
    return {"Standard Model": weak, "new physics": added, "total": weak + added}


def _about(args: argparse.Namespace, rates: _Rates, new: "Interaction | None") -> dict[str, str]:
    """What the columns are."""
    experiment = rates.experiment
    about = {"bins": experiment.detector.response.observable, "counts": "per bin, without backgrounds"}
    if new is not None:
        about["interaction"] = repr(new)
    if args.target != "all":
        about["target"] = args.target
    about |= sources.about(args)
    if rates.backgrounds:
        about["signal/background"] = "all neutrinos' counts over the sum of all backgrounds"
    if rates.measured is not None:
        about["data"] = "less steady-state and beam-related backgrounds"
    if experiment.approximate:
        about["approximate"] = experiment.approximate
    return about


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
