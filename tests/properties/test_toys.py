"""Toy experiments: what they are thrown from, Wilks' theorem where it holds, and coverage."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from scipy import stats

import cevns_fast as cf
from cevns_fast._kernels.toys import ToyPlan
from cevns_fast.inference import throwing
from cevns_fast.likelihood.likelihood import function_of

LIGHT = cf.SingletEFT(m_chi=1.0, variant="published")
PUBLISHED_C_V = np.sqrt(1.1e-2)  # CL Eq. (19), light chi


def poisson_fit(csi, **changes):
    return cf.Likelihood(csi.replace(**changes), statistic="poisson", model=LIGHT, parameters=("C_V",))


def expected_data(fit, theta):
    """The experiment with exactly the counts that a vector predicts, all nuisances at zero."""
    (experiment,) = fit.experiments
    beam = np.sum([b.counts for b in experiment.backgrounds], axis=0)
    return experiment.replace(observed=fit.counts(theta)[0] + beam)


@pytest.mark.slow
@pytest.mark.parametrize("fraction", [0.0, 2 / 3])
def test_the_interval_covers_what_it_claims(csi, fraction):
    # Other toys than those of the critical value judge it. At C = 0 the rate is at its boundary: more may be allowed.
    truth = {"C_V": fraction * PUBLISHED_C_V}
    nominal = poisson_fit(expected_data(poisson_fit(csi), [truth["C_V"]]))
    critical = cf.feldman_cousins(nominal, truth, toys=20000, seed=1).critical
    judged = cf.feldman_cousins(nominal, truth, toys=20000, seed=2).toy_delta_chi2
    coverage = float(np.mean(judged <= critical))
    assert coverage >= 0.891  # three standard deviations of both
    if fraction > 0:
        assert coverage <= 0.909


def is_covered(csi, truth, data, seed):
    """Whether the interval of thrown data, with the nuisances profiled by these data, holds the truth."""
    on, off, centre = data
    fit = poisson_fit(csi, observed=on - off, steady_state=off)
    fit._assembly.centre = centre
    p_values = []
    for batch in range(8):  # until it is clear on which side of 10% the p-value is
        p_values.append(cf.feldman_cousins(fit, truth, toys=50, seed=1000 * seed + batch).p_value[0])
        if abs(np.mean(p_values) - 0.1) > 3 * np.sqrt(0.09 / (50 * len(p_values))):
            break
    return np.mean(p_values) > 0.1


@pytest.mark.slow
def test_profiled_nuisances_cost_no_coverage(csi):
    # The whole procedure: every set of thrown data profiles its nuisances, and throws toys of its own there.
    truth = {"C_V": 2 / 3 * PUBLISHED_C_V}
    plan, _ = thrower(poisson_fit(expected_data(poisson_fit(csi), [truth["C_V"]])), truth["C_V"])
    covered = [is_covered(csi, truth, plan.thrown(i)[:3], i) for i in range(150)]
    assert np.mean(covered) == pytest.approx(0.9, abs=0.05)  # two standard deviations of the 150


def thrower(fit, coupling):
    """What throws toys at a coupling, and the truth they are thrown from."""
    made = throwing.Thrower(fit, (True,))
    truth = made.truth(np.array([coupling]))
    return ToyPlan(made.numbers, truth, (True,), throwing.key_of(11)), truth


def test_toys_have_the_stated_means_and_widths(csi):
    fit = poisson_fit(csi)
    theta = np.array([PUBLISHED_C_V])
    plan, truth = thrower(fit, PUBLISHED_C_V)
    thrown = [plan.thrown(i)[:3] for i in range(4000)]
    on, off, centre = (np.array(each) for each in zip(*thrown, strict=True))
    pulls = fit.pulls(theta)
    signal, beam = fit.counts(theta)[0], csi.backgrounds[0].counts
    alpha = 1 + csi.signal_uncertainty * pulls["alpha"]
    beta = 1 + csi.backgrounds[0].uncertainty * pulls["beta: prompt neutrons"]
    prompt = alpha * signal + beta * beam
    # On and off see one steady-state background: the profiled one makes both as likely as they can be.
    steady = truth.spread
    data = function_of(fit).systems()[1][0]
    slope = 2 - (data.data / (prompt + steady) + data.weight / steady)
    assert slope == pytest.approx(0, abs=1e-9)
    n = len(thrown)
    assert on.mean(axis=0) == pytest.approx(prompt + steady, abs=5 * np.sqrt((prompt + steady).max() / n))
    assert off.mean(axis=0) == pytest.approx(steady, abs=5 * np.sqrt(steady.max() / n))
    assert on.var(axis=0) / on.mean(axis=0) == pytest.approx(1, abs=0.12)
    assert centre.mean(axis=0) == pytest.approx(list(pulls.values()), abs=0.08)
    assert centre.std(axis=0) == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("shape", [0.0, 0.3])
def test_toys_of_predicted_variances_have_them(shape):
    """σ² = N + w B_SS + B_on + s² (N + B_SS)², BRX Eq. (30), of the truth."""
    conus = cf.load("conus-4kg").replace(shape_uncertainty=shape)
    assert conus.variance == "prediction"
    fit = cf.Likelihood(conus, model=LIGHT, parameters=("C_V",))
    C_V = float(cf.limit_scan(conus, LIGHT, "C_V").upper[0])
    plan, _ = thrower(fit, C_V)
    counts = np.array([plan.thrown(i)[0] for i in range(4000)])
    signal, weak = cf.event_rate(conus, LIGHT.replace(C_V=C_V)), cf.event_rate(conus, cf.StandardModel())
    steady = conus.steady_state_counts(weak)
    variance = signal + conus.steady_state_weight * steady + shape**2 * (signal + steady) ** 2
    alpha = 1 + conus.signal_uncertainty * fit.pulls([C_V])["alpha"]
    assert counts.mean(axis=0) == pytest.approx(alpha * signal, abs=5 * np.sqrt(variance.max() / 4000))
    assert counts.var(axis=0) / variance == pytest.approx(1, abs=0.12)


@pytest.mark.parametrize("cl", [0.5, 0.68, 0.90, 0.95, 0.99])
def test_the_critical_value_holds_the_stated_fraction_of_toys(csi, cl):
    """At least that, and no more than one toy above it: never less."""
    found = cf.feldman_cousins(poisson_fit(csi), {"C_V": [0.05, 0.08]}, cl=cl, toys=50)
    for critical, values in zip(found.critical, found.toy_delta_chi2, strict=True):
        assert np.mean(values <= critical) >= cl
        assert np.sum(values < critical) <= cl * 50 + 1


@pytest.mark.parametrize("name", ["coherent-csi-x100", "conus-4kg"])
def test_wilks_holds_far_from_the_boundary(name):
    # Where a coupling is many standard deviations from zero, the critical value is that of one degree of freedom.
    experiment = cf.load(name)
    interaction = cf.ScalarMediator(m_chi=1.0, m_S=50.0, y_bar=1.0)
    limit = cf.limit_scan(experiment, interaction, "y_bar").upper[0]
    fit = cf.Likelihood(experiment, model=interaction, parameters=("y_bar",))
    # Not so far that the predicted variance changes within a standard deviation: at 4 limits it is 3.0 for CONUS.
    found = cf.feldman_cousins(fit, {"y_bar": 3 * limit}, toys=2000, seed=3)
    p = stats.kstest(found.toy_delta_chi2[0], stats.chi2(1).cdf).pvalue
    assert p > 1e-3
    assert found.critical[0] == pytest.approx(2.706, abs=0.45)


def test_the_boundary_lowers_the_critical_value(csi):
    # The rate is even in C_V: at zero, downward fluctuations fit no better, and half of the toys have no excess.
    found = cf.feldman_cousins(poisson_fit(csi), {"C_V": 0.0}, toys=500)
    assert np.mean(found.toy_delta_chi2[0] < 1e-9) > 0.3
    assert found.critical[0] < 2.3
    assert found.allowed.tolist() == [True]


@pytest.mark.parametrize("seen, inside, outside", [
    (1, [1.84], [1.92]), (2, [3.00], [3.08]), (3, [4.38], [4.46]), (5, [6.95], [7.03]),
    (6, [0.19, 8.43], [0.11, 8.51]), (8, [1.55, 10.95], [1.47, 11.03]),
])  # fmt: skip
def test_the_poisson_intervals_of_feldman_and_cousins(seen, inside, outside):
    """Their Table IV: events seen beside a known background of 3, 90% CL; 0.04 on either side of each end."""
    bare = cf.load("coherent-csi-2017").mask([i for i in range(12) if i != 4]).replace(
        signal_uncertainty=0.0, backgrounds=(), steady_state=[3.0], steady_state_weight=1.0, observed=[seen - 3.0]
    )  # fmt: skip
    model = cf.SingletEFT(m_chi=10.0)
    fit = cf.Likelihood(bare, statistic="poisson", standard_model=False, model=model, parameters=("C_S",))
    unit = fit.counts([1.0])[0][0]  # events are the square of the coupling
    found = cf.feldman_cousins(fit, {"C_S": np.sqrt(np.array([*inside, *outside]) / unit)}, toys=20_000)
    assert found.allowed.tolist() == [True] * len(inside) + [False] * len(outside)


def test_profiled_parameters_are_free_on_both_sides(csi):
    fit = cf.Likelihood(csi, model=cf.SingletEFT(m_chi=10.0), parameters=("C_S", "a_M"))
    found = cf.feldman_cousins(fit, {"C_S": [0.0, 0.05]}, toys=50)
    assert found.names == ("C_S",)
    best = cf.best_fit(fit).chi2
    for value, delta in zip([0.0, 0.05], found.delta_chi2, strict=True):
        assert delta == pytest.approx(cf.best_fit(fit, fixed={"C_S": value}).chi2 - best, abs=1e-9)
    assert np.all(found.toy_delta_chi2 >= 0)
    both = cf.feldman_cousins(fit, {"C_S": 0.05, "a_M": 1e-4}, toys=50)
    assert both.delta_chi2[0] == pytest.approx(fit([0.05, 1e-4]) - best, abs=1e-9)


def test_the_best_fit_is_the_lowest_of_a_grid(csi):
    fit = cf.Likelihood(csi, statistic="poisson", model=cf.SingletEFT, parameters=("m_chi", "C_S", "a_M"))
    best = cf.best_fit(fit)
    m, c, a = np.meshgrid(np.linspace(0.5, 52, 30), np.linspace(-0.06, 0.06, 25), np.linspace(-1e-3, 1e-3, 25))
    grid = fit.batch(np.stack([m.ravel(), c.ravel(), a.ravel()], axis=1))
    assert best.chi2 <= grid.min() + 1e-9
    assert fit(list(best.theta.values())) == pytest.approx(best.chi2, abs=1e-9)


def test_results_depend_on_the_seed_alone(csi, tmp_path):
    fit = poisson_fit(csi)
    points = {"C_V": [0.0, 0.05, 0.1]}
    once = cf.feldman_cousins(fit, points, toys=250, seed=7)
    threads = cf.feldman_cousins(fit, points, toys=250, seed=7, threads=2)
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        processes = cf.feldman_cousins(fit, points, toys=250, seed=7, executor=executor)
    for other in (threads, processes):
        np.testing.assert_array_equal(once.toy_delta_chi2, other.toy_delta_chi2)
    assert np.any(once.toy_delta_chi2 != cf.feldman_cousins(fit, points, toys=250, seed=8).toy_delta_chi2)

    # Toys are those of a place, whatever else is asked for; those of two places are independent.
    more = cf.feldman_cousins(fit, {"C_V": [0.07, 0.05, 0.05]}, toys=500, seed=7).toy_delta_chi2
    np.testing.assert_array_equal(more[1:, :250], once.toy_delta_chi2[[1, 1]])
    assert len(np.unique(more[:2].reshape(-1, 50).round(12), axis=0)) == 20
    assert abs(np.corrcoef(more[0], more[1])[0, 1]) < 0.15

    class Interrupted(Exception):
        pass

    def stop(done, total):
        if done >= 10:
            raise Interrupted

    with pytest.raises(Interrupted):
        cf.feldman_cousins(fit, points, toys=250, seed=7, checkpoint=tmp_path, progress=stop)
    done = len(list(tmp_path.glob("chunk-*")))
    assert 0 < done < 2
    resumed = cf.feldman_cousins(fit, points, toys=250, seed=7, checkpoint=tmp_path)
    np.testing.assert_array_equal(once.toy_delta_chi2, resumed.toy_delta_chi2)
    with pytest.raises(ValueError, match="seed is '7' there and '8' here"):
        cf.feldman_cousins(fit, points, toys=250, seed=8, checkpoint=tmp_path)


@pytest.mark.parametrize("statistic", ["gaussian", "poisson"])
def test_goodness_of_fit_is_uniform_for_true_models(csi, statistic):
    # Data thrown from the model itself, judged by its own toys: the p-values of 60 sets are uniform.
    fit = cf.Likelihood(csi, statistic=statistic, model=LIGHT, parameters=("C_V",))
    found = cf.goodness_of_fit(fit, toys=500, seed=4)
    assert found.p_value == pytest.approx(np.mean(found.toy_chi2 >= found.best_fit.chi2))
    if statistic == "gaussian":  # 12 bins and two constrained nuisances, less one coupling that often fits as zero
        assert stats.kstest(found.toy_chi2, stats.chi2(11.5).cdf).statistic < 0.08
    worse = csi.observed + 3 * np.sqrt(np.abs(csi.observed) + csi.steady_state) * (-1) ** np.arange(12)
    bad = cf.Likelihood(
        csi.replace(observed=np.maximum(worse, 0)), statistic=statistic, model=LIGHT, parameters=("C_V",)
    )
    assert cf.goodness_of_fit(bad, toys=100).p_value < 0.02


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"toys": 30}, "toys = 30: must be a positive multiple of 50"),
        ({"toys": True}, "toys = True"),
        ({"seed": -1}, "seed = -1: must be a whole number >= 0"),
        ({"cl": 1.0}, "cl = 1.0: must be between 0 and 1"),
        ({"points": {}}, "points: must give at least one parameter"),
        ({"points": {"C_S": 0.0}}, "parameter = 'C_S'"),
        ({"points": {"C_V": [np.nan]}}, "C_V = .*nan.*: must be finite"),
        ({"points": {"C_V": [[0.1]]}}, "must be one-dimensional"),
    ],
)
def test_bad_arguments_are_refused(csi, changes, message):
    arguments = {"points": {"C_V": 0.1}} | changes
    with pytest.raises(ValueError, match=message):
        cf.feldman_cousins(poisson_fit(csi), arguments.pop("points"), **arguments)


def test_a_likelihood_without_parameters_is_refused(csi):
    with pytest.raises(ValueError, match="must be a Likelihood with model="):
        cf.best_fit(cf.Likelihood(csi))
