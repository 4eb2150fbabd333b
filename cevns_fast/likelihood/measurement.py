"""What an experiment measured and how well, prepared for χ²: data, variances and what nuisances do."""

from typing import Literal, NamedTuple

import numpy as np

from cevns_fast._kernels.likelihood import FIXED_VARIANCE, POISSON, PREDICTED_VARIANCE, System
from cevns_fast._validate import Floats
from cevns_fast.counts.polynomial import standard_model_counts
from cevns_fast.experiments.backgrounds import StandardModelFraction
from cevns_fast.experiments.experiment import Experiment


class Observed(NamedTuple):
    """One experiment's data as the likelihood kernel wants them: the first fields of its `System`."""

    statistic: int
    shape_variance: float
    off_on_ratio: float
    data: Floats  # [bins] counts less backgrounds, or on counts
    weight: Floats  # [bins]: 1/variance, floor of the variance or off counts
    background: Floats  # [bins]: shares the shape variance
    base: Floats  # [bins]: expected beside the signal


class Measurement:
    """The χ² of one experiment, prepared: CL Eq. (13), CLLS Eq. (34), BRX Eqs. (29) and (30)."""

    def __init__(self, experiment: Experiment, standard_model: Floats) -> None:
        truth = standard_model_counts(experiment, experiment.simulated_truth)
        simulated = experiment.observed is None
        self.experiment = experiment
        #: Counts less the steady-state background and, at their nominal size, the beam-related ones.
        measured = truth.copy() if experiment.observed is None else experiment.observed
        backgrounds = [b.counts for b in experiment.backgrounds]
        beam = np.sum(backgrounds, axis=0) if backgrounds else np.zeros(experiment.n_bins)
        if simulated:  # simulated data hold every background at its nominal size
            measured = measured + beam
        self.beam = beam
        self.measured = measured
        self.data = measured - beam
        everywhere = truth
        if experiment.excluded and isinstance(experiment.steady_state, StandardModelFraction):
            everywhere = standard_model_counts(experiment.whole, experiment.simulated_truth)
        self.steady_state = experiment.steady_state_counts(everywhere)
        self.background_variance = experiment.steady_state_weight * self.steady_state + beam
        self.predicts_variance = experiment.variance == "prediction" and experiment.sigma is None
        scale_all = experiment.signal_uncertainty_on == "prediction"
        self.scale_variance = experiment.signal_uncertainty**2 if scale_all else 0.0
        columns = [b.uncertainty * b.counts for b in experiment.backgrounds if 0 < b.uncertainty < np.inf]
        if not scale_all and experiment.signal_uncertainty > 0:
            columns.append(experiment.signal_uncertainty * standard_model)
        #: Constrained nuisances that shift the prediction by a constant, as counts per standard deviation.
        self.columns = np.array(columns).reshape(len(columns), experiment.n_bins)
        if experiment.sigma is not None:
            self.variance = experiment.sigma**2
        elif not self.predicts_variance:
            shape = experiment.shape_uncertainty * (np.maximum(measured, 0.0) + self.steady_state)
            #: Statistical and shape variance per bin.
            self.variance = measured + self.background_variance + shape**2

    def by(self, statistic: Literal["gaussian", "poisson"] | None) -> Observed:
        """The data for a statistic, or for the experiment's own; an excess is Gaussian whatever counts are."""
        stated = self.experiment.sigma is not None
        chosen = "gaussian" if stated else statistic or self.experiment.statistic
        return self.poisson() if chosen == "poisson" else self.gaussian()

    def gaussian(self) -> Observed:
        """The data of a Gaussian χ²."""
        nothing = np.zeros(self.experiment.n_bins)
        if not self.predicts_variance:
            if np.any(self.variance <= 0):
                bad = int(np.argmax(self.variance <= 0))
                name = self.experiment.name
                raise ValueError(f"{name}: variance of bin {bad} = {self.variance[bad]:g}: must be > 0")
            return Observed(FIXED_VARIANCE, 0.0, 0.0, self.data, 1 / self.variance, nothing, nothing)
        shape_variance = self.experiment.shape_uncertainty**2
        return Observed(
            PREDICTED_VARIANCE, shape_variance, 0.0, self.data, self.background_variance, self.steady_state, nothing
        )  # fmt: skip

    def poisson(self) -> Observed:
        """The data of Poisson counts: on counts, off counts and what is expected beside signal.

        A steady-state background of weight 1 + 1/τ was counted for τ times as long as the beam was on.
        """
        experiment, nothing = self.experiment, np.zeros(self.experiment.n_bins)
        if experiment.sigma is not None:
            raise ValueError(f"statistic = 'poisson': {experiment.name} has no counts, but an excess with sigma")
        if experiment.shape_uncertainty > 0:
            raise ValueError(
                f"shape_uncertainty = {experiment.shape_uncertainty}: must be 0 for Poisson counts; use a ShapeNuisance"
            )
        on = self.measured + self.steady_state
        if np.any(on < 0):
            raise ValueError(f"{experiment.name}: on counts of bin {int(np.argmin(on))} = {on.min():g}: must be >= 0")
        if experiment.steady_state_weight <= 1:
            return Observed(POISSON, 0.0, np.inf, on, nothing, nothing, self.beam + self.steady_state)
        ratio = 1 / (experiment.steady_state_weight - 1)
        return Observed(POISSON, 0.0, ratio, on, ratio * self.steady_state, nothing, self.beam)


def measurement_of(experiment: Experiment) -> Measurement:
    """What an experiment measured, beside the default Standard Model."""
    return Measurement(experiment, standard_model_counts(experiment, True))


def background_counts(experiment: Experiment) -> dict[str, Floats]:
    """Expected counts per bin of each background by name, the steady state last, without what is zero everywhere."""
    found = {each.name: each.counts for each in experiment.backgrounds}
    # A template of it may be among the backgrounds.
    found["steady state"] = found.pop("steady state", 0.0) + measurement_of(experiment).steady_state
    return {name: counts for name, counts in found.items() if np.any(counts > 0)}


def predicted_variance(of: Observed | System, signal: Floats) -> Floats:
    """The variance of Gaussian counts that goes with the prediction, N + w + σ²(N + B)²: CL below Eq. (13)."""
    return np.asarray(signal + of.weight + of.shape_variance * (signal + of.background) ** 2)


class OnAndOff(NamedTuple):
    """What on counts, and off counts in time with them, are expected to hold of a background that both see."""

    on: Floats  # [bins]: signal and background
    background: Floats  # [bins]


def profiled_steady_state(on: Floats, off: Floats, ratio: float, mu: Floats) -> OnAndOff:
    """The background b >= 0 that on and off counts want beside mu (Barlow & Beeston 1993), and the sum mu + b.

    They solve (1 + τ) b² − p b − off μ = 0 and (1 + τ) t² − q t + on μ = 0 with p, q = on + off ∓ (1 + τ) μ. Each
    root is written without a difference of nearly equal numbers, as in the kernel.
    """
    every = (1 + ratio) * mu
    p, q = on + off - every, on + off + every
    root = np.sqrt((every - on + off) ** 2 + 4 * on * off)
    low, high = (np.where(root > each, root - each, 1.0) for each in (p, q))
    background = np.where(p > 0, (p + root) / (2 * (1 + ratio)), 2 * off * mu / low)
    total = np.where(q > 0, (q + root) / (2 * (1 + ratio)), -2 * on * mu / high)
    return OnAndOff(total, background)
