"""χ² of binned counts with normalisation uncertainties, in exact rational arithmetic.

CL Eq. (13) = CLLS Eq. (34):

    χ² = Σ_i [(N_meas - N_th(1 + α) - B_on(1 + β))/σ_stat]² + (α/σ_α)² + (β/σ_β)²,

minimised over α and β. BRX Eqs. (29), (30) are the same function with simulated N_meas, without B_on, and
with σ² = (N + B) + σ_f²(N + B)². The minimum is the solution of linear equations; fractions solve them
exactly, so that nothing cancels however large the couplings are.
"""

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cevns_fast.constants import KEV
from cevns_fast.reference.rates import event_rate
from cevns_fast.reference.responses import recoil_at

__all__ = ["chi2", "measured_counts", "steady_state_counts"]

Floats = NDArray[np.float64]


def steady_state_counts(experiment: Any, standard_model: Floats) -> Floats:
    """Steady-state background of each bin.

    Parameters
    ----------
    experiment : Experiment
    standard_model : ndarray
        Counts of the Standard Model, float64[n_bins], of which a `StandardModelFraction` is a fraction.

    Returns
    -------
    ndarray
        float64[n_bins].
    """
    steady, detector = experiment.steady_state, experiment.detector

    def widths() -> Floats:
        """Of the bins, keV of recoil."""
        return np.diff([recoil_at(detector.response, x) for x in detector.bins]) / KEV

    match type(steady).__name__:
        case "BackgroundRate":  # CL below Eq. (20): counts per day, keV and kg; the exposure is in days
            return np.asarray(steady.per_day_keV_kg * experiment.exposure * detector.mass * widths())
        case "StandardModelFraction":  # uniform in energy
            return np.asarray(steady.fraction * standard_model.sum() * widths() / widths().sum())
        case _:
            return np.asarray(steady, dtype=np.float64)


def measured_counts(experiment: Any, truth: Floats) -> Floats:
    """N_meas: the counts less the steady state, or what the truth predicts where nothing was observed."""
    if experiment.observed is not None:
        return np.asarray(experiment.observed, dtype=np.float64)
    return truth + sum((background.counts for background in experiment.backgrounds), np.zeros_like(truth))


def _minimum(
    measured: list[Fraction], columns: list[list[Fraction]], priors: list[Fraction], variances: list[Fraction]
) -> float:
    """Minimum over x of Σ (measured - Σ_k x_k column_k)²/variance + Σ x_k²/prior_k²."""
    n = len(columns)

    def dot(a: list[Fraction], b: list[Fraction]) -> Fraction:
        return sum((x * y / v for x, y, v in zip(a, b, variances, strict=True)), Fraction(0))

    # Normal equations, by Gauss and Jordan; the matrix is positive definite, so no pivot vanishes.
    rows = [
        [dot(columns[j], columns[k]) + (1 / priors[j] ** 2 if j == k else 0) for k in range(n)]
        + [dot(columns[j], measured)]
        for j in range(n)
    ]
    for j in range(n):
        rows[j] = [x / rows[j][j] for x in rows[j]]
        for k in range(n):
            if k != j:
                rows[k] = [x - rows[k][j] * y for x, y in zip(rows[k], rows[j], strict=True)]
    solution = [row[n] for row in rows]
    residual = [
        m - sum((x * column[i] for x, column in zip(solution, columns, strict=True)), Fraction(0))
        for i, m in enumerate(measured)
    ]
    penalty = sum(((x / prior) ** 2 for x, prior in zip(solution, priors, strict=True)), Fraction(0))
    return float(dot(residual, residual) + penalty)


def chi2(experiment: Any, counts: ArrayLike, *, standard_model: ArrayLike | None = None) -> float:
    """χ² of predicted counts, minimised over the normalisations of signal and backgrounds.

    Parameters
    ----------
    experiment : Experiment
        Its data, backgrounds and uncertainties; only fields are read.
    counts : array_like
        Predicted counts N_th of each bin, Standard Model included, backgrounds not.
    standard_model : array_like, optional
        The Standard Model's part of it, where the experiment's signal uncertainty, its simulated data or
        its steady state refer to it. Without it, `event_rate` of the experiment's simulated truth.

    Returns
    -------
    float
    """
    predicted = np.asarray(counts, dtype=np.float64)
    needs_truth = (
        experiment.observed is None
        or experiment.signal_uncertainty_on == "standard_model"
        or type(experiment.steady_state).__name__ == "StandardModelFraction"
    )
    truth = np.zeros_like(predicted)
    if needs_truth:
        truth = event_rate(experiment, experiment.simulated_truth)
    part = truth if standard_model is None else np.asarray(standard_model, dtype=np.float64)
    measured = measured_counts(experiment, truth)
    steady = steady_state_counts(experiment, truth)
    backgrounds = [np.asarray(background.counts, dtype=np.float64) for background in experiment.backgrounds]
    on = sum(backgrounds, np.zeros_like(predicted))

    # σ_stat² below CL Eq. (13): N_meas + 2 B_SS + B_on; BRX Eq. (30) has the prediction for N_meas.
    base = measured if experiment.variance == "observed" else predicted
    shape = experiment.shape_uncertainty * (base + steady)
    variance = base + experiment.steady_state_weight * steady + on + shape**2

    scaled = part if experiment.signal_uncertainty_on == "standard_model" else predicted
    pairs = [(experiment.signal_uncertainty, scaled)]
    pairs += [(b.uncertainty, c) for b, c in zip(experiment.backgrounds, backgrounds, strict=True)]

    def exact(values: Any) -> list[Fraction]:
        return [Fraction(float(value)) for value in values]

    residual = [m - p - b for m, p, b in zip(exact(measured), exact(predicted), exact(on), strict=True)]
    free = [(sigma, column) for sigma, column in pairs if sigma > 0]
    return _minimum(
        residual,
        [exact(column) for _, column in free],
        [Fraction(sigma) for sigma, _ in free],
        exact(variance),
    )
