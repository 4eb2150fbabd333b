"""χ² of binned counts with normalisation uncertainties: Gaussian in exact rational arithmetic, Poisson by minimisation.

CL Eq. (13) = CLLS Eq. (34):

    χ² = Σ_i [(N_meas - N_th(1 + α) - B_on(1 + β))/σ_stat]² + (α/σ_α)² + (β/σ_β)²,

minimised over α and β. BRX Eqs. (29), (30) are the same function with simulated N_meas, without B_on, and
with σ² = (N + B) + σ_f²(N + B)². The minimum is the solution of linear equations; fractions solve them
exactly, so that nothing cancels however large the couplings are.

Experiments that share nuisances are one sum with more columns, which the same equations solve. Poisson counts are
minimised in `cevns_fast.reference.poisson`.
"""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, optimize

from cevns_fast.constants import KEV
from cevns_fast.reference.poisson import Bin, deviance, minimum_over_nuisances, on_off
from cevns_fast.reference.rates import event_rate
from cevns_fast.reference.responses import recoil_at

__all__ = ["Minimum", "Setup", "chi2", "curved_chi2", "joint_chi2", "measured_counts", "steady_state_counts"]

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

    excluded = list(getattr(experiment, "excluded", ()))
    match type(steady).__name__:
        case "BackgroundRate":  # CL below Eq. (20): counts per day, keV and kg
            days = experiment.exposure / (steady.exposure_per_day or 1.0)
            if steady.per_day_keVee_kg is None:
                return np.delete(steady.per_day_keV_kg * days * detector.mass * widths(), excluded)
            quenched = np.diff(detector.bins) / detector.response.light_yield
            return np.delete(steady.per_day_keVee_kg * days * detector.mass * quenched, excluded)
        case "StandardModelFraction":  # uniform in energy; of all bins
            return np.delete(steady.fraction * standard_model.sum() * widths() / widths().sum(), excluded)
        case _:
            return np.asarray(steady, dtype=np.float64)


def measured_counts(experiment: Any, truth: Floats) -> Floats:
    """N_meas: the counts less the steady state, or what the truth predicts where nothing was observed."""
    if experiment.observed is not None:
        return np.asarray(experiment.observed, dtype=np.float64)
    return truth + sum((background.counts for background in experiment.backgrounds), np.zeros_like(truth))


def _minimum(
    measured: list[Fraction], columns: list[list[Fraction]], priors: list[Fraction], variances: list[Fraction]
) -> tuple[float, list[float]]:
    """Minimum over x of Σ (measured - Σ_k x_k column_k)²/variance + Σ x_k²/prior_k², and where it is."""
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
    return float(dot(residual, residual) + penalty), [float(x) for x in solution]


class Setup(NamedTuple):
    """One experiment and what is predicted for it.

    Attributes
    ----------
    experiment : Experiment
        Only fields are read.
    counts : ndarray
        Predicted signal counts N of each bin, Standard Model included, float64[n_bins].
    standard_model : ndarray
        The Standard Model's part of it.
    truth : ndarray
        Counts of the experiment's simulated truth.
    moves : mapping of str to ndarray
        For each nuisance that changes shapes, the counts that it adds per standard deviation: (N_up − N_down)/2.
    """

    experiment: Any
    counts: Floats
    standard_model: Floats
    truth: Floats
    moves: Mapping[str, Floats] = {}


class Minimum(NamedTuple):
    """χ² = −2 ln L at its minimum over the nuisances, and where that is.

    Attributes
    ----------
    chi2 : float
    pulls : dict of str to float
        All nuisances in standard deviations.
    """

    chi2: float
    pulls: dict[str, float]


def _statistical(setup: Setup) -> tuple[Floats, Floats, Floats, Floats]:
    """N_meas, beam-related background, steady state and σ_stat² of each bin."""
    experiment, predicted = setup.experiment, np.asarray(setup.counts, dtype=np.float64)
    measured = measured_counts(experiment, setup.truth)
    steady = steady_state_counts(experiment, setup.truth)
    on = sum((np.asarray(b.counts, dtype=np.float64) for b in experiment.backgrounds), np.zeros_like(predicted))
    # σ_stat² below CL Eq. (13): N_meas + 2 B_SS + B_on; BRX Eq. (30) has the prediction for N_meas.
    base = measured if experiment.variance == "observed" else predicted
    shape = experiment.shape_uncertainty * (base + steady)
    variance = base + experiment.steady_state_weight * steady + on + shape**2
    if getattr(experiment, "sigma", None) is not None:  # the data state their errors
        variance = np.asarray(experiment.sigma, dtype=np.float64) ** 2
    return measured, on, steady, variance


def _statistics(setups: Sequence[Setup], statistic: str | None) -> list[str]:
    """Of each experiment: its own unless one is stated; an excess with errors is Gaussian."""
    found = []
    for s in setups:
        is_excess = getattr(s.experiment, "sigma", None) is not None
        found.append("gaussian" if is_excess else statistic or s.experiment.statistic)
    return found


def _columns(setups: Sequence[Setup], shared: Sequence[Any]) -> dict[str, list[Fraction]]:
    """What one standard deviation of each nuisance adds to the expectation of every bin of every experiment."""
    found: dict[str, list[list[Fraction]]] = {}
    nothing = [[Fraction(0)] * len(s.counts) for s in setups]

    def add(name: str, i: int, sigma: float, column: Any) -> None:
        found.setdefault(name, list(nothing))[i] = [Fraction(sigma) * c for c in _exact(column)]

    for i, s in enumerate(setups):
        e = s.experiment
        copy = 1 + sum(other.experiment.name == e.name for other in setups[:i])
        label = e.name if copy == 1 else f"{e.name} #{copy}"
        prefix = f"{label}: " if len(setups) > 1 else ""
        for b in e.backgrounds:
            if b.uncertainty > 0:
                add(f"{prefix}beta: {b.name}", i, b.uncertainty, b.counts)
        if e.signal_uncertainty > 0:
            scaled = s.standard_model if e.signal_uncertainty_on == "standard_model" else s.counts
            add(f"{prefix}alpha", i, e.signal_uncertainty, scaled)
        for each in shared:
            if each.experiments is None or {e.name, f"{e.name} #{copy}"} & set(each.experiments):
                add(each.name, i, each.uncertainty, s.counts)
        for name, move in s.moves.items():
            add(name, i, 1.0, move)
    return {name: [x for part in parts for x in part] for name, parts in found.items()}


def joint_chi2(
    setups: Sequence[Setup],
    *,
    statistic: str = "gaussian",
    shared: Sequence[Any] = (),
    frozen: Mapping[str, float] | None = None,
) -> Minimum:
    """χ² of several experiments, minimised over the nuisances of each and those that they share.

    Parameters
    ----------
    setups : sequence of Setup
    statistic : {"gaussian", "poisson"}
        CL Eq. (13), or −2 ln of the Poisson likelihood of beam-on counts, N (1 + α) + B_on (1 + β) + B_SS expected,
        where the steady state B_SS is known or was counted for longer with the beam off (see `on_off`).
    shared : sequence of ScaleNuisance
        Their fields ``name``, ``uncertainty`` and ``experiments`` are read.
    frozen : mapping of str to float, optional
        Nuisances that are not minimised over, in standard deviations.

    Returns
    -------
    Minimum
    """
    columns, frozen = _columns(setups, shared), dict(frozen or {})
    free = [name for name in columns if name not in frozen]
    statistical = [_statistical(s) for s in setups]
    measured, on, _, variance = (_exact(np.concatenate(each)) for each in zip(*statistical, strict=True))
    shift = [Fraction(0)] * len(measured)
    for name, value in frozen.items():
        shift = [s + Fraction(value) * c for s, c in zip(shift, columns[name], strict=True)]
    if statistic == "poisson":
        matrix = np.array([columns[name] for name in free], dtype=np.float64).reshape(len(free), len(measured))
        bins = _bins(setups, statistical)
        chi2, pulls = minimum_over_nuisances(bins, matrix, np.array(shift, dtype=np.float64))
    else:
        counts = _exact(np.concatenate([s.counts for s in setups]))
        residual = [m - p - b - s for m, p, b, s in zip(measured, counts, on, shift, strict=True)]
        chi2, pulls = _minimum(residual, [columns[name] for name in free], [Fraction(1)] * len(free), variance)
    penalty = sum(value**2 for value in frozen.values())
    return Minimum(chi2 + penalty, dict(zip(free, pulls, strict=True)) | frozen)


def curved_chi2(
    setups: Sequence[Setup],
    *,
    statistic: str | None = None,
    shared: Sequence[Any] = (),
    frozen: Mapping[str, float] | None = None,
    start: Mapping[str, float] | None = None,
) -> Minimum:
    """χ² of experiments with nuisances that are free, log-normal or asymmetric, shapes of backgrounds and covariances.

    The expectation is written out sample by sample and minimised numerically: by a simplex, then by Powell's method.

    Parameters
    ----------
    setups, frozen
        As for `joint_chi2`.
    statistic : {None, "gaussian", "poisson"}
        As there; None: that of each experiment.
    shared : sequence of nuisances
        Told apart by the names of their classes; a `CovarianceMatrix` is for Gaussian counts.
    start : mapping of str to float, optional
        Where the search begins; zero if nothing is said.

    Returns
    -------
    Minimum
        Covariances are inverted, they have no pulls.
    """
    frozen, start = dict(frozen or {}), dict(start or {})
    statistical = [_statistical(s) for s in setups]
    names: dict[str, bool] = {}  # whether it is constrained
    for i, s in enumerate(setups):
        prefix = f"{s.experiment.name}: " if len(setups) > 1 else ""
        for b in s.experiment.backgrounds:
            if b.uncertainty > 0:
                names[f"{prefix}beta: {b.name}"] = math.isfinite(b.uncertainty)
        if s.experiment.signal_uncertainty > 0:
            names[f"{prefix}alpha"] = True
        names |= dict.fromkeys(setups[i].moves, True)
    kinds = [(type(each).__name__, each) for each in shared]
    covariances = [each for kind, each in kinds if kind == "CovarianceMatrix"]
    for kind, each in kinds:
        if kind != "CovarianceMatrix":
            names[each.name] = not (kind == "ScaleNuisance" and each.constraint == "free")

    def acts(each: Any, name: str) -> bool:
        return each.experiments is None or name in each.experiments

    def expected(i: int, a: Mapping[str, float]) -> Floats:
        """Signal and beam-related backgrounds of one experiment."""
        s, e = setups[i], setups[i].experiment
        prefix = f"{e.name}: " if len(setups) > 1 else ""
        samples = {"signal": np.asarray(s.counts, dtype=np.float64)}
        added = {"signal": sum((a[name] * move for name, move in s.moves.items()), np.zeros(len(s.counts)))}
        if e.signal_uncertainty > 0:
            scaled = s.standard_model if e.signal_uncertainty_on == "standard_model" else s.counts
            added["signal"] = added["signal"] + a[f"{prefix}alpha"] * e.signal_uncertainty * np.asarray(scaled)
        for b in e.backgrounds:
            samples[b.name], added[b.name] = np.asarray(b.counts, dtype=np.float64), np.zeros(len(s.counts))
            if b.uncertainty > 0:
                size = b.uncertainty if math.isfinite(b.uncertainty) else 1.0
                added[b.name] = a[f"{prefix}beta: {b.name}"] * size * samples[b.name]
        factors = dict.fromkeys(samples, 1.0)
        for kind, each in kinds:
            if kind == "BackgroundShape":
                up = each.up.get(None, each.up.get(e.name))
                if each.background in samples and up is not None:
                    nominal, x = samples[each.background], a[each.name]
                    down = 2 * nominal - up if each.down is None else each.down.get(None, each.down.get(e.name))
                    added[each.background] = added[each.background] + _shape_moved(nominal, up, down, x)
            elif kind in ("ScaleNuisance", "AsymmetricNuisance") and each.on in samples and acts(each, e.name):
                x = a[each.name]
                if kind == "AsymmetricNuisance":
                    factors[each.on] *= _asymmetric(1 + each.up, 1 + each.down, x)
                    continue
                size = each.uncertainty
                size = dict(size)[e.name] if isinstance(size, tuple) else size if math.isfinite(size) else 1.0
                if each.constraint == "log-normal":
                    factors[each.on] *= math.exp(size * x)
                else:
                    added[each.on] = added[each.on] + x * size * samples[each.on]
        return sum((factors[name] * (samples[name] + added[name]) for name in samples), np.zeros(len(s.counts)))

    statistics = _statistics(setups, statistic)

    def gaussian(mu: Floats) -> float:
        measured, _, _, variance = (np.concatenate(each) for each in zip(*statistical, strict=True))
        matrix = np.diag(variance)
        ends = np.cumsum([0, *(len(s.counts) for s in setups)])
        for each in sorted(covariances, key=lambda each: each.of):  # that of data first: it replaces the variance
            mine = [np.arange(*ends[i : i + 2]) for i, s in enumerate(setups) if acts(each, s.experiment.name)]
            at = np.ix_(np.concatenate(mine), np.concatenate(mine))
            matrix[at] = each.matrix if each.of == "data" else matrix[at] + each.matrix
        residual = measured - mu
        for start_of, stop_of, kind in zip(ends[:-1], ends[1:], statistics, strict=True):
            if kind == "poisson":
                residual[start_of:stop_of] = 0.0
        return float(residual @ linalg.solve(matrix, residual, assume_a="pos"))

    def poisson(mu: Floats) -> float:
        total, place = 0.0, 0
        for s, (measured, _, steady, _), counted in zip(setups, statistical, statistics, strict=True):
            if counted == "gaussian":
                place += len(s.counts)
                continue
            weight = s.experiment.steady_state_weight
            for n, known in zip(measured + steady, steady, strict=True):
                if weight > 1:
                    total += on_off(n, known / (weight - 1), 1 / (weight - 1), mu[place])[0]
                else:
                    total += 2 * deviance(n, mu[place] + known) if mu[place] + known >= 0 else math.inf
                place += 1
        return total

    def value(a: Mapping[str, float]) -> float:
        mu = np.concatenate([expected(i, a) for i in range(len(setups))])
        penalty = sum(a[name] ** 2 for name, constrained in names.items() if constrained)
        return penalty + poisson(mu) + gaussian(mu)

    free = [name for name in names if name not in frozen]
    x = np.array([start.get(name, 0.0) for name in free])

    def loss(x: Floats) -> float:
        return value(dict(zip(free, x.tolist(), strict=True)) | frozen)

    if free:
        for _ in range(3):
            x = optimize.minimize(
                loss,
                x,
                method="Nelder-Mead",
                options={"xatol": 1e-9, "fatol": 1e-13, "maxiter": 20000, "maxfev": 20000},
            ).x
            x = optimize.minimize(loss, x, method="Powell", options={"xtol": 1e-9, "ftol": 1e-15}).x
    return Minimum(loss(x), dict(zip(free, x.tolist(), strict=True)) | frozen)


def _shape_moved(nominal: Floats, up: Floats, down: Floats, x: float) -> Floats:
    """What is added at x standard deviations: HistFactory's interpolation code 4p, piecewise linear but smooth."""
    if x >= 1:
        return x * (up - nominal)
    if x <= -1:
        return -x * (down - nominal)
    S, A = 0.5 * (up - down), 0.0625 * (up + down - 2 * nominal)
    return x * (S + x * A * (15 + x * x * (3 * x * x - 10)))


def _asymmetric(high: float, low: float, x: float) -> float:
    """HistFactory's interpolation code 4, with the coefficients of RooFit's FlexibleInterpVar."""
    if x >= 1:
        return float(high**x)
    if x <= -1:
        return float(low ** (-x))
    up1, up2 = high * math.log(high), high * math.log(high) ** 2
    down1, down2 = -low * math.log(low), low * math.log(low) ** 2
    S0, A0, S1, A1 = 0.5 * (high + low), 0.5 * (high - low), 0.5 * (up1 + down1), 0.5 * (up1 - down1)
    S2, A2 = 0.5 * (up2 + down2), 0.5 * (up2 - down2)
    terms = (
        (15 * A0 - 7 * S1 + A2) / 8,
        (-24 + 24 * S0 - 9 * A1 + S2) / 8,
        (-5 * A0 + 5 * S1 - A2) / 4,
        (12 - 12 * S0 + 7 * A1 - S2) / 4,
        (3 * A0 - 3 * S1 + A2) / 8,
        (-8 + 8 * S0 - 5 * A1 + S2) / 8,
    )
    return 1 + sum(c * x**n for n, c in enumerate(terms, 1))


def _bins(setups: Sequence[Setup], statistical: Sequence[tuple[Floats, Floats, Floats, Floats]]) -> list[Bin]:
    """Counts on and off, and what is expected with all nuisances at zero."""
    bins = []
    for s, (measured, beam, steady, _) in zip(setups, statistical, strict=True):
        weight = s.experiment.steady_state_weight
        for n, b, known, signal in zip(measured + steady, beam, steady, s.counts, strict=True):
            if weight <= 1:
                bins.append(Bin(n, 0.0, math.inf, signal + b + known))
            else:
                bins.append(Bin(n, known / (weight - 1), 1 / (weight - 1), signal + b))
    return bins


def _exact(values: Any) -> list[Fraction]:
    """Floating-point numbers as fractions."""
    return [Fraction(float(value)) for value in values]


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

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> counts = cf.event_rate(csi, cf.StandardModel())
    >>> abs(cf.reference.chi2(csi, counts) / cf.Likelihood(csi).chi2_of_counts(counts) - 1) < 1e-10
    True
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
    return joint_chi2([Setup(experiment, predicted, part, truth)]).chi2
