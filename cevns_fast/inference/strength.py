"""How much of an expected signal data hold: one number that measurements are compared by."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import optimize

from cevns_fast.counts.templates import event_rate
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.interactions.process import Interaction
from cevns_fast.likelihood.likelihood import Likelihood

#: A strength is looked for up to here.
LARGEST = 20.0


class Strength(NamedTuple):
    """Events of a signal in a fit of its size.

    Attributes
    ----------
    value : float
        Fitted events, >= 0.
    up, down : float
        To where χ² is one more; down to zero at most.
    sigma : float
        √Δχ² of no signal.
    expected : float
        Events expected.
    """

    value: float
    up: float
    down: float
    sigma: float
    expected: float


def fitted_strength(experiments: Sequence[Experiment], interaction: Interaction) -> Strength:
    """The size of a signal that data want, with all nuisances but those of the signal.

    Parameters
    ----------
    experiments : sequence of Experiment
    interaction : Interaction
        What makes the signal; one number multiplies it in all experiments.

    Returns
    -------
    Strength
    """
    counts = [event_rate(e, interaction) for e in experiments]
    like, total = Likelihood([size_alone(e) for e in experiments]), float(np.sum([each.sum() for each in counts]))

    def chi2(s: float) -> float:
        scaled = [s * each for each in counts]
        return float(like.chi2_of_counts(scaled if len(scaled) > 1 else scaled[0]))

    best = optimize.minimize_scalar(chi2, bounds=(0.0, LARGEST), method="bounded", options={"xatol": 1e-8})
    value, least = (0.0, chi2(0.0)) if chi2(0.0) <= best.fun else (float(best.x), float(best.fun))

    def above(s: float) -> float:
        return chi2(s) - least - 1

    high = optimize.brentq(above, value, LARGEST) if above(LARGEST) > 0 else math.inf
    low = optimize.brentq(above, 0.0, value) if value > 0 and above(0.0) > 0 else 0.0
    return Strength(
        total * value, total * (high - value), total * (value - low), math.sqrt(max(0.0, chi2(0.0) - least)), total
    )


def size_alone(experiment: Experiment) -> Experiment:
    """An experiment without the nuisances of its signal: what they do is what is fitted."""
    of_signal = [each.name for each in experiment.nuisances if each.on == "signal"]
    return experiment.replace(signal_uncertainty=0.0).deactivate(*of_signal)
