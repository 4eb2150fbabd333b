"""χ² of counts against brute-force minimisation over its nuisances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

import cevns_fast as cf


@pytest.fixture(scope="module")
def standard_model(csi):
    return cf.event_rate(csi, cf.StandardModel())


def literal_chi2(experiment, counts, standard_model):
    """CL Eq. (13), BRX Eqs. (29) and (30): a sum to be minimised over α and one β for each background."""
    backgrounds = [b for b in experiment.backgrounds if b.uncertainty > 0]
    beam = np.sum([b.counts for b in experiment.backgrounds], axis=0)
    known = np.sum([b.counts for b in experiment.backgrounds if b.uncertainty == 0], axis=0)
    measured = experiment.observed if experiment.observed is not None else standard_model + beam
    seen = measured if experiment.variance == "observed" else counts
    steady = experiment.steady_state
    variance = seen + experiment.steady_state_weight * steady + beam
    variance = variance + (experiment.shape_uncertainty * (seen + steady)) ** 2
    scaled = counts if experiment.signal_uncertainty_on == "prediction" else standard_model

    def residuals(x):
        alpha, betas = (x[0], x[1:]) if experiment.signal_uncertainty > 0 else (0.0, x)
        prediction = counts + alpha * scaled + known
        prediction = prediction + np.sum(
            [(1 + b) * each.counts for b, each in zip(betas, backgrounds, strict=True)], axis=0
        )
        pulls = [b / each.uncertainty for b, each in zip(betas, backgrounds, strict=True)]
        if experiment.signal_uncertainty > 0:
            pulls.append(alpha / experiment.signal_uncertainty)
        return np.concatenate([(measured - prediction) / np.sqrt(variance), pulls])

    n = len(backgrounds) + (experiment.signal_uncertainty > 0)
    if n == 0:
        return np.sum(residuals(np.zeros(0)) ** 2)
    return 2 * optimize.least_squares(residuals, np.zeros(n), xtol=1e-15, ftol=1e-15, gtol=1e-15, x_scale="jac").cost


SECOND = cf.Background("neutrinos from walls", np.linspace(3.0, 0.5, 12), 0.4)
KNOWN = cf.Background("known", np.full(12, 1.5), 0.0)
CASES = {
    "as published": {},
    "no signal uncertainty": {"signal_uncertainty": 0.0},
    "no background": {"backgrounds": ()},
    "neither": {"backgrounds": (), "signal_uncertainty": 0.0},
    "a background of known size": {"backgrounds": (KNOWN,)},
    "α on the Standard Model": {"signal_uncertainty_on": "standard_model"},
    "shape": {"shape_uncertainty": 0.1},
    "variance of the prediction": {"variance": "prediction", "shape_uncertainty": 0.01, "steady_state_weight": 1.0},
    "variance of the prediction, α on the Standard Model": {
        "variance": "prediction", "signal_uncertainty_on": "standard_model"
    },
    "simulated": {"observed": None},
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=12)
@given(scale=st.floats(0.0, 3.0), tilt=st.floats(-0.9, 0.9))
def test_counts(csi, standard_model, case, scale, tilt):
    experiment = csi.replace(**CASES[case])
    counts = scale * standard_model * (1 + tilt * np.linspace(-1, 1, 12))
    found = cf.Likelihood(experiment).chi2_of_counts(counts)
    assert found == pytest.approx(literal_chi2(experiment, counts, standard_model), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("case", ["as published", "variance of the prediction", "simulated"])
def test_two_backgrounds(csi, standard_model, case):
    experiment = csi.replace(**CASES[case])
    experiment = experiment.replace(backgrounds=(*csi.backgrounds, SECOND, KNOWN))
    for scale in (0.3, 1.0, 2.5):
        expected = literal_chi2(experiment, scale * standard_model, standard_model)
        assert cf.Likelihood(experiment).chi2_of_counts(scale * standard_model) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_nuisances_are_where_the_minimum_is(csi, standard_model, case):
    """Putting the best-fit α and β back into the definition gives the profiled value, and no neighbour is lower."""
    experiment = csi.replace(**CASES[case])
    eft = cf.SingletEFT(20.0, a_M=3e-4, C_S=0.01)
    counts = cf.event_rate(experiment, eft)
    best = cf.Likelihood(experiment).nuisances(eft)
    free = {b.name: b for b in experiment.backgrounds if b.uncertainty > 0}
    expected = {f"beta: {name}" for name in free} | ({"alpha"} if experiment.signal_uncertainty else set())
    assert set(best) == expected
    fixed = experiment.replace(
        signal_uncertainty=0.0,
        backgrounds=tuple(cf.Background(b.name, b.counts, 0.0) for b in experiment.backgrounds),
    )

    def at(nuisances):
        """χ² with the nuisances frozen: shift the prediction by hand."""
        alpha = nuisances.get("alpha", 0.0)
        scaled = counts if experiment.signal_uncertainty_on == "prediction" else standard_model
        shifted = counts + alpha * scaled
        pull = (alpha / experiment.signal_uncertainty) ** 2 if alpha else 0.0
        for name, b in free.items():
            beta = nuisances["beta: " + name]
            shifted = shifted + beta * b.counts
            pull += (beta / b.uncertainty) ** 2
        return cf.Likelihood(fixed).chi2_of_counts(shifted) + pull

    if experiment.variance == "prediction":  # freezing by shifting would also shift the variance
        return
    profiled = cf.Likelihood(experiment).chi2_of_counts(counts)
    assert at(best) == pytest.approx(profiled, rel=1e-10)
    for name in best:
        for step in (-0.01, 0.01):
            assert at(best | {name: best[name] + step}) > profiled


def test_the_published_numbers(csi, standard_model):
    """CONVENTIONS, 8."""
    like = cf.Likelihood(csi)
    assert standard_model.sum() == pytest.approx(166, abs=0.5)
    assert like.chi2(cf.StandardModel()) == pytest.approx(2.83, abs=0.005)
    assert like.chi2_of_counts(np.zeros(12)) == pytest.approx(22.6, abs=0.05)


def test_chi2_of_an_interaction_is_that_of_its_counts(csi):
    eft = cf.SingletEFT(20.0, a_M=3e-4, C_S=-0.01)
    for weak in (True, False, cf.StandardModel(0.23857)):
        like = cf.Likelihood(csi, standard_model=weak)
        counts = cf.event_rate(csi, eft, standard_model=weak)
        assert like.chi2(eft) == pytest.approx(like.chi2_of_counts(counts), rel=1e-14)


def test_rows_of_counts(csi, standard_model):
    like = cf.Likelihood(csi)
    rows = np.outer([0.0, 0.5, 1.0, 2.0], standard_model)
    values = like.chi2_of_counts(rows)
    assert values.shape == (4,)
    assert values == pytest.approx([like.chi2_of_counts(row) for row in rows], rel=1e-13)


def test_a_joint_fit_is_the_sum(csi, standard_model):
    """Each experiment has its own nuisances."""
    other = csi.replace(signal_uncertainty=0.1, exposure=1e24)
    like = cf.Likelihood([csi, other])
    eft = cf.SingletEFT(20.0, C_S=0.01)
    assert like.chi2(eft) == pytest.approx(cf.Likelihood(csi).chi2(eft) + cf.Likelihood(other).chi2(eft), rel=1e-13)
    assert like.chi2_of_counts([standard_model, 2 * standard_model]) == pytest.approx(
        cf.Likelihood(csi).chi2_of_counts(standard_model) + cf.Likelihood(other).chi2_of_counts(2 * standard_model)
    )


def test_no_cancellation_at_absurd_couplings(csi):
    """As c → ∞ the prediction's shape alone matters: χ² tends to a constant and keeps its digits."""
    like = cf.Likelihood(csi)
    shape = cf.event_rate(csi, cf.SingletEFT(20.0, C_S=1.0), standard_model=False)
    assert like.chi2_of_counts(1e10 * shape) == pytest.approx(like.chi2_of_counts(1e14 * shape), rel=1e-9)
