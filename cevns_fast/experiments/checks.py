"""Whether the parts of an experiment go together: axes, data, backgrounds, nuisances."""

from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast.experiments.axes import ELECTRONS, ReleaseAxis, TimeAxis, calibrated
from cevns_fast.experiments.backgrounds import Background, BackgroundRate, StandardModelFraction
from cevns_fast.experiments.shared import SharedNuisance, SignalVariation, kept_bins
from cevns_fast.experiments.watched import bare


def check_axes(experiment: Any) -> None:
    """The axes beside the observable go with the source and the detector."""
    for name, kind in (("time", TimeAxis), ("release", ReleaseAxis)):
        if getattr(experiment, name) is not None:
            validate.instance(name, getattr(experiment, name), kind, f"a {kind.__name__} or None")
    release, n = experiment.release, experiment.detector.n_bins
    components = [each.name for each in experiment.source.components]
    for name in experiment.detector.responses:
        validate.choice("flux component of component_responses", name, components)
    if release is not None:
        for each in (release.probabilities, *release.others.values()):
            if each.shape[:-1] not in ((), (n,)):
                raise ValueError(f"release: has probabilities of shape {each.shape}, must be for {n} bins")
        for name in release.others:
            validate.choice("others of the release axis", name, [*components, ELECTRONS])
    if experiment.calibration is not None:
        factors = calibrated("calibration", experiment.calibration, experiment.shape, release is not None)
        object.__setattr__(experiment, "calibration", factors)
    if experiment.has_axes:
        if isinstance(experiment.steady_state, BackgroundRate | StandardModelFraction):
            raise ValueError("steady_state: must be counts per bin where there are axes beside the observable")
        experiment.spread  # noqa: B018 - a component that the time axis does not know is refused


def check_data(experiment: Any) -> None:
    """Counts per bin: as many as bins, or as bins that are not left out."""
    if experiment.observed is not None:
        object.__setattr__(experiment, "observed", experiment.counts_of_kept("observed", experiment.observed))
    if experiment.sigma is not None:
        sigma = experiment.counts_of_kept("sigma", experiment.sigma, minimum=0.0)
        if experiment.observed is None or np.any(sigma <= 0):
            raise ValueError("sigma: must be > 0, and come with observed")
        if experiment.statistic == "poisson":
            raise ValueError("statistic = 'poisson': must be 'gaussian' for an excess with sigma")
        object.__setattr__(experiment, "sigma", sigma)
    if not isinstance(experiment.steady_state, BackgroundRate | StandardModelFraction):
        counts = experiment.counts_of_kept("steady_state", experiment.steady_state, minimum=0.0)
        object.__setattr__(experiment, "steady_state", counts)
    _check_rate(experiment)
    backgrounds = validate.sequence("backgrounds", experiment.backgrounds, Background, "a Background")
    validate.unique((b.name, f"background {i} of {experiment.name}") for i, b in enumerate(backgrounds))
    kept = []
    for each in backgrounds:
        counts = experiment.counts_of_kept(f"background {each.name!r}", each.counts, minimum=0.0)
        kept.append(each if counts.size == each.counts.size else replace(each, counts=counts))
    object.__setattr__(experiment, "backgrounds", tuple(kept))
    _check_nuisances(experiment)


def _check_rate(experiment: Any) -> None:
    """A rate is per day of what the source counts, and per keV of what the detector measures."""
    rate = experiment.steady_state
    if not isinstance(rate, BackgroundRate):
        return
    days = experiment.source.exposure_unit == "days"
    if not days and rate.exposure_per_day is None:
        raise ValueError(
            "steady_state: a rate per day needs a source whose exposure is counted in days, "
            f"or exposure_per_day, in {experiment.source.exposure_unit} per day"
        )
    if days and rate.exposure_per_day is not None:
        raise ValueError("exposure_per_day: must be left out, the source's exposure is counted in days")
    if rate.per_day_keV_kg is not None and experiment.detector.response.quenching != 1.0:
        raise ValueError(
            "steady_state: a rate per keV of recoil needs an unquenched detector; "
            "per_day_keVee_kg is per keV of quenched energy"
        )


def _check_nuisances(experiment: Any) -> None:
    """Nuisances are about what there is."""
    given = validate.sequence("nuisances", experiment.nuisances, SharedNuisance, "a SharedScale, for example")
    validate.unique((each.name, f"nuisance {i} of {experiment.name}") for i, each in enumerate(given))
    known, kept = [b.name for b in experiment.backgrounds], []
    for each in given:
        if each.on != "signal":
            validate.choice(f"background of nuisance {each.name!r}", each.on, ["signal", *known])
        kept.append(kept_bins(each, lambda name, counts: experiment.counts_of_kept(name, counts)))
        if isinstance(each, SignalVariation):
            own = [f.name for f in fields(experiment)]
            parts = (f.name for part in (experiment.detector, bare(experiment.source)) if is_dataclass(part)
                     for f in fields(part) if f.init)  # fmt: skip
            validate.unknown_fields(f"nuisance {each.name!r}", {**each.up, **each.down}, [*own, *parts])
    object.__setattr__(experiment, "nuisances", tuple(kept))
