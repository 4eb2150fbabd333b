"""The slow χ² of several experiments and of Poisson counts: against closed forms and minimisation in many digits."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cevns_fast as cf
from cevns_fast.reference.likelihood import Setup, chi2, joint_chi2
from cevns_fast.reference.poisson import on_off

BINS = 3


@pytest.fixture(scope="module")
def small(csi):
    """A function that makes an experiment of three bins; what it predicts is given by hand."""

    def make(**changes):
        nothing = {"backgrounds": (), "signal_uncertainty": 0.0, "observed": np.ones(BINS)}
        fields = {"bins": (5.0, 10.0, 20.0, 30.0), "steady_state": np.ones(BINS)} | nothing | changes
        return csi.replace(**fields)

    return make


def setup(experiment, counts, **more):
    ones = np.ones(len(counts))
    return Setup(experiment, np.asarray(counts, dtype=float), ones, ones, **more)


def literal(n, off, tau, mu, b):
    """−2 ln of two Poisson probabilities over those of a perfect fit."""

    def deviance(n, mu):
        return mu - n + (n * mpmath.log(n / mu) if n > 0 else 0)

    return 2 * (deviance(n, mu + b) + deviance(off, tau * b))


counts = st.just(0.0) | st.floats(0.01, 50.0)


@given(counts, counts, st.floats(0.1, 20.0), st.floats(-20.0, 60.0))
def test_on_off_is_the_minimum_over_the_background(n, off, tau, mu):
    value, slope = on_off(n, off, tau, mu)
    low, high = max(0.0, -mu), max(0.0, -mu) + n + off / tau + 1
    with mpmath.workdps(40):
        # Ternary search needs no derivative.
        a, b = mpmath.mpf(low), mpmath.mpf(high)
        for _ in range(160):
            left, right = a + (b - a) / 3, b - (b - a) / 3
            if literal(n, off, tau, mu, left) < literal(n, off, tau, mu, right):
                b = right
            else:
                a = left
        least = literal(n, off, tau, mu, (a + b) / 2)  # within 1e-26 of an end, if it is there
        assert value == pytest.approx(float(least), rel=1e-12, abs=1e-12)
    h = 1e-5
    if n + off > 0.1 and (n > 0 or off > 0 or abs(mu) > 2 * h):
        difference = (on_off(n, off, tau, mu + h)[0] - on_off(n, off, tau, mu - h)[0]) / (2 * h)
        assert slope == pytest.approx(difference, rel=1e-4, abs=1e-4)


def test_a_background_counted_for_ever_is_known(small):
    counts = np.array([0.5, 2.0, 4.0])
    known = joint_chi2([setup(small(steady_state_weight=1.0), counts)], statistic="poisson").chi2
    nearly = joint_chi2([setup(small(steady_state_weight=1 + 1e-9), counts)], statistic="poisson").chi2
    assert nearly == pytest.approx(known, rel=1e-7)


def test_nothing_counted(small):
    """χ² = 2 μ without nuisances; with one, −n is where the signal is, or α = −1 if that is less."""
    counts, zero = np.array([0.5, 2.0, 4.0]), np.zeros(BINS)
    fields = {"observed": zero, "steady_state": zero, "steady_state_weight": 1.0}
    assert joint_chi2([setup(small(**fields), counts)], statistic="poisson").chi2 == pytest.approx(2 * 6.5, rel=1e-14)
    for sigma in (0.1, 0.3, 0.5, 2.0):
        found = joint_chi2([setup(small(**fields, signal_uncertainty=sigma), counts)], statistic="poisson")
        alpha = max(-1.0, -6.5 * sigma**2)
        assert found.chi2 == pytest.approx(13 * (1 + alpha) + (alpha / sigma) ** 2, rel=1e-12)
        assert found.pulls["alpha"] == pytest.approx(alpha / sigma, rel=1e-7)


def test_gaussian_is_that_of_one_experiment(csi):
    counts = cf.event_rate(csi, cf.StandardModel()) * 1.3
    for experiment in (csi, csi.replace(shape_uncertainty=0.1), csi.replace(variance="prediction")):
        found = joint_chi2([Setup(experiment, counts, counts, counts)])
        assert found.chi2 == pytest.approx(chi2(experiment, counts), rel=1e-14)
    # CONVENTIONS, 8
    truth = cf.event_rate(csi, cf.StandardModel())
    assert chi2(csi, truth) == pytest.approx(2.83, abs=0.005)


def test_a_shared_scale_by_hand(small):
    """Two experiments of equal shape, whose covariance is the counts' and σ² N Nᵀ."""
    flux = cf.ScaleNuisance("flux", 0.3)
    a, b = np.array([3.0, 2.0, 1.0]), np.array([1.0, 5.0, 2.0])
    one, two = small(observed=np.array([4.0, 2.0, 3.0])), small(observed=np.array([1.0, 2.0, 1.0]))
    found = joint_chi2([setup(one, a), setup(two.replace(name="two"), b)], shared=[flux])
    counts = np.concatenate([a, b])
    covariance = np.diag(np.concatenate([one.observed, two.observed]) + 2.0) + 0.09 * np.outer(counts, counts)
    residual = np.concatenate([one.observed, two.observed]) - counts
    assert found.chi2 == pytest.approx(residual @ np.linalg.solve(covariance, residual), rel=1e-13)
    apart = cf.ScaleNuisance("flux", 0.3, experiments=("two",))
    found = joint_chi2([setup(one, a), setup(two.replace(name="two"), b)], shared=[apart])
    assert found.chi2 == pytest.approx(
        joint_chi2([setup(one, a)]).chi2 + joint_chi2([setup(two.replace(signal_uncertainty=0.3), b)]).chi2, rel=1e-13
    )


@pytest.mark.parametrize("statistic", ["gaussian", "poisson"])
def test_frozen_nuisances_profiled_by_hand(small, statistic):
    """The minimum over a frozen nuisance is what minimising over it gives."""
    one = setup(
        small(signal_uncertainty=0.3, observed=np.array([4.0, 0.0, 7.5])),
        [3.0, 2.0, 1.0],
        moves={"shape": np.array([0.1, -0.2, 0.3])},
    )
    best = joint_chi2([one], statistic=statistic)
    for name, value in best.pulls.items():
        at = joint_chi2([one], statistic=statistic, frozen={name: value})
        assert at.chi2 == pytest.approx(best.chi2, rel=1e-12)
        assert at.pulls == pytest.approx(best.pulls, abs=1e-6)
        for step in (-0.01, 0.01):
            beside = joint_chi2([one], statistic=statistic, frozen={name: value + step}).chi2
            assert best.chi2 < beside < best.chi2 + 2e-3
    everything = joint_chi2([one], statistic=statistic, frozen={"alpha": 0.5, "shape": -1.0})
    shifted = setup(small(observed=one.experiment.observed), 1.15 * one.counts - one.moves["shape"])
    assert everything.chi2 == pytest.approx(joint_chi2([shifted], statistic=statistic).chi2 + 1.25, rel=1e-12)


def test_poisson_of_many_counts_is_gaussian(small):
    """−2 ln L → χ² as 1/√n, with variance N + 2 B for a background counted as long as the signal."""
    shape, off = np.array([3.0, 2.0, 1.0]), np.array([1.0, 2.0, 1.0])
    for size, accuracy in ((1e6, 3e-3), (1e10, 3e-5)):
        data = size * shape + np.sqrt(size) * np.array([1.0, -2.0, 0.5])
        experiment = small(observed=data, steady_state=size * off, signal_uncertainty=1 / math.sqrt(size))
        one = setup(experiment, size * shape)
        assert joint_chi2([one], statistic="poisson").chi2 == pytest.approx(joint_chi2([one]).chi2, rel=accuracy)
