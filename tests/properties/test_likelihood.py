"""Likelihoods of parameters against the slow twin, against differences of themselves, and against what is promised."""

import math
import multiprocessing
import os
import pickle
import re
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from accuracy import slow_counts
from cases import crossed
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import from_child

import cevns_fast as cf
from cevns_fast._kernels.likelihood import Evaluator, pack
from cevns_fast.counts.count_table import heaviest, mass_kinks
from cevns_fast.likelihood.likelihood import function_of
from cevns_fast.likelihood.whitening import reduced
from cevns_fast.reference.likelihood import Setup, joint_chi2

CSI, LAR, CONUS4, CONUS100 = (
    cf.load(name) for name in ("coherent-csi-2017", "coherent-lar-610kg", "conus-4kg", "conus-100kg")
)
FLUX = cf.ScaleNuisance("flux", 0.1, experiments=(CSI.name, LAR.name))
SKIN = cf.ShapeNuisance(
    "skin",
    up=(CSI.replace(form_factor=cf.HelmFormFactor(skin=1.0)),),
    down=(CSI.replace(form_factor=cf.HelmFormFactor(skin=0.8)),),
)
SETS = {
    "csi": ((CSI,), ()),
    "lar": ((LAR,), ()),
    "conus-4kg": ((CONUS4,), ()),
    "conus-100kg": ((CONUS100,), ()),
    "joint": ((CSI, LAR, CONUS4), ()),
    "shared": ((CSI, LAR.replace(signal_uncertainty=0.0), CONUS4), (FLUX,)),
    "shape": ((CSI, LAR), (SKIN, FLUX)),
}
STATISTICS = ["gaussian", "poisson"]


def countable(experiments, statistic):
    """The experiments, without what Poisson counts do not know."""
    return [e.replace(shape_uncertainty=0.0) if statistic == "poisson" else e for e in experiments]


@cache
def counts_of(experiment, interaction, standard_model=True):
    return cf.event_rate(experiment, interaction, standard_model=standard_model)


def setups(experiments, counts, moves=()):
    """For the twin; each of `moves` is a dictionary for one experiment."""
    return [
        Setup(e, n, counts_of(e, cf.StandardModel()), counts_of(e, e.simulated_truth), dict(m))
        for e, n, m in zip(experiments, counts, moves or [{}] * len(counts), strict=True)
    ]


@cache
def fit(of, statistic, parameters=("m_chi", "C_S", "a_M"), **more):
    experiments, shared = SETS[of]
    more = {"fixed": {"C_V": 0.01}} | {name: dict(value) for name, value in more.items()}
    return cf.Likelihood(
        countable(experiments, statistic),
        statistic=statistic, nuisances=shared, model=cf.SingletEFT, parameters=parameters, **more,
    )  # fmt: skip


def typical(of):
    """Parameters m_chi, C_S, a_M of a visible signal."""
    return [2.31, 2e-3, 1e-5] if of.startswith("conus") else [21.3, 0.02, 2e-4]


def agree(found, expected, rel=1e-10):
    assert found == pytest.approx(expected, rel=rel, abs=rel)


# --- χ² is what it is defined to be -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statistic", "of"), crossed(STATISTICS, ["csi", "lar", "conus-4kg", "conus-100kg", "joint", "shared"])
)
@settings(max_examples=3)
@given(scale=st.floats(-2.0, 2.0), tilt=st.floats(-0.9, 0.9))
def test_counts(of, statistic, scale, tilt):
    experiments, shared = SETS[of]
    experiments = countable(experiments, statistic)
    like = cf.Likelihood(experiments, statistic=statistic, nuisances=shared)
    counts = [
        10**scale * counts_of(e, cf.StandardModel()) * (1 + tilt * np.linspace(-1, 1, e.n_bins)) for e in experiments
    ]
    expected = joint_chi2(setups(experiments, counts), statistic=statistic, shared=shared)
    agree(like.chi2_of_counts(counts if len(counts) > 1 else counts[0]), expected.chi2)
    sigma = {pull.name: pull.sigma for pull in like._assembly.pulls}
    best = {name: value / sigma[name] for name, value in like.nuisances_of_counts(counts).items()}
    assert best == pytest.approx(expected.pulls, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("of", ["csi", "lar", "conus-4kg", "conus-100kg", "joint", "shared"])
@pytest.mark.parametrize("size", [0.0, 1e-12, 1e6, 1e12, 1e14])
def test_no_digit_is_lost_at_huge_and_tiny_couplings(of, size):
    """Counts grow with squares: 1e12 times are couplings a million times beyond a bound."""
    experiments, shared = SETS[of]
    counts = [size * counts_of(e, cf.StandardModel()) * (1 + 0.3 * np.sin(np.arange(e.n_bins))) for e in experiments]
    expected = joint_chi2(setups(experiments, counts), shared=shared).chi2
    found = cf.Likelihood(experiments, nuisances=shared).chi2_of_counts(counts if len(counts) > 1 else counts[0])
    agree(found, expected, rel=1e-12)


@pytest.mark.parametrize("size", [1e2, 1e8, 1e14])
@pytest.mark.parametrize("parameters", [("C_S",), ("C_S", "flux"), ("C_S", "skin"), ("C_S", "flux", "skin")])
def test_no_digit_is_lost_whatever_is_explicit(size, parameters):
    """Through a fit, where a nuisance that other nuisances of the same signal stand beside is a parameter."""
    experiments, shared = SETS["shape"]
    eft = cf.SingletEFT(10.0, C_S=math.sqrt(size) * 0.01)
    like = cf.Likelihood(experiments, nuisances=shared, model=eft, parameters=parameters)
    at = dict(zip(parameters, [eft.C_S, 0.7, -0.4], strict=False))
    counts = [counts_of(e, eft) for e in experiments]
    up, down = counts_of(SKIN.up[0], eft), counts_of(SKIN.down[0], eft)
    moves = [{"skin": (up - down) / 2}, {}]
    frozen = {name: value for name, value in at.items() if name != "C_S"}
    expected = joint_chi2(setups(experiments, counts, moves), shared=[FLUX], frozen=frozen)
    # (up − down) itself has lost a digit or two
    agree(like(list(at.values())), expected.chi2, rel=1e-11 if "skin" not in parameters else 1e-9)
    pulls = like.pulls(list(at.values()))
    assert pulls == pytest.approx(expected.pulls, rel=1e-6, abs=1e-6)


MIXED = np.array([0, 3, 0, 0.5, 0, 7, 12, 0, 0, 1.5, 0, 0.0])
OFF = np.array([0, 0, 0, 0.25, 3, 3, 0, 0, 0, 2, 0, 1.0])


@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("weight", [1.0, 1.1, 1.5, 2.0, 11.0])
@settings(max_examples=4)
@given(
    size=st.floats(0.01, 3.0),
    sigma=st.sampled_from([0.0, 0.1, 0.28]),
    on=st.sampled_from([MIXED, np.zeros(12), MIXED + OFF]),
    off=st.sampled_from([OFF, np.zeros(12), np.full(12, 2.0)]),
)
def test_poisson_where_nothing_or_little_is_counted(background, weight, size, sigma, on, off):
    """Empty bins, on and off, and fractions; also where the loss has a kink at the minimum."""
    experiment = CSI.replace(
        steady_state=off, observed=on - off, steady_state_weight=weight, signal_uncertainty=sigma,
        backgrounds=CSI.backgrounds if background else (),
    )  # fmt: skip
    counts = size * counts_of(CSI, cf.StandardModel())
    expected = joint_chi2(setups([experiment], [counts]), statistic="poisson")
    like = cf.Likelihood(experiment, statistic="poisson")
    agree(like.chi2_of_counts(counts), expected.chi2)
    # α can be a kink's neighbour, where χ² knows it worse
    assert like.nuisances_of_counts([counts]) == pytest.approx(
        {name: expected.pulls[name] * (sigma if name == "alpha" else 0.25) for name in expected.pulls}, abs=1e-5
    )


@pytest.mark.parametrize(
    ("off", "negative", "weight"),
    crossed({"little": OFF, "as measured": None}, [-0.1, -1.0, -5.0, -50.0], [1.1, 2.0, 11.0]),
)
def test_poisson_of_negative_signals(weight, negative, off):
    """A steady state that is profiled makes up for them."""
    experiment = CSI.replace(steady_state_weight=weight)
    if off is not None:
        experiment = experiment.replace(steady_state=off, observed=MIXED - off)
    counts = counts_of(CSI, cf.StandardModel()).copy()
    counts[::2] = negative
    expected = joint_chi2(setups([experiment], [counts]), statistic="poisson").chi2
    agree(cf.Likelihood(experiment, statistic="poisson").chi2_of_counts(counts), expected)


@pytest.mark.parametrize("counted", [0.0, 1e-3, 1.0, 7.0, 12345.0, 1e12])
def test_the_poisson_loss_of_a_bin_to_its_last_digits(counted):
    """Also where the expectation is the count but for a billionth, and where it is far from it."""
    mpmath = pytest.importorskip("mpmath")
    mpmath.mp.dps = 60
    for ratio in (1e-9, 1e-3, 0.3, 0.7, 0.71, 1 - 1e-9, 1 + 1e-9, 1.41, 1.42, 5.0, 1e9):
        expected = ratio * (counted or 1.0)
        on = np.full(12, counted)
        one = CSI.replace(
            observed=on, steady_state=np.zeros(12), steady_state_weight=1.0, signal_uncertainty=0.0, backgrounds=()
        )
        n, m = mpmath.mpf(counted), mpmath.mpf(expected)
        exact = 24 * (m - n + (n * mpmath.log(n / m) if counted else 0))
        found = cf.Likelihood(one, statistic="poisson").chi2_of_counts(np.full(12, expected))
        assert found == pytest.approx(float(exact), rel=3e-13)


def test_impossible_counts():
    """A negative expectation with a known background, and a variance that is not positive, are infinitely unlikely."""
    known = CSI.replace(steady_state_weight=1.0, backgrounds=(), signal_uncertainty=0.0, steady_state=np.zeros(12))
    like = cf.Likelihood(known.replace(observed=np.ones(12)), statistic="poisson")
    assert like.chi2_of_counts(np.full(12, 1.0)) == 0.0
    assert like.chi2_of_counts(np.where(np.arange(12) == 3, -1e-9, 1.0)) == math.inf
    assert like.chi2_of_counts(np.where(np.arange(12) == 3, 0.0, 1.0)) == math.inf
    assert cf.Likelihood(CONUS4).chi2_of_counts(np.full(8, -1e4)) == math.inf
    assert np.isnan(list(cf.Likelihood(CONUS4).nuisances_of_counts([np.full(8, -1e4)]).values())).all()


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("of", ["csi", "conus-4kg", "conus-100kg", "joint", "shared"])
def test_an_interaction_is_its_counts(of, statistic):
    experiments, shared = SETS[of]
    experiments = countable(experiments, statistic)
    m_chi, C_S, a_M = typical(of)
    eft = cf.SingletEFT(m_chi, C_S=C_S, a_M=a_M)
    like = cf.Likelihood(experiments, statistic=statistic, nuisances=shared)
    counts = [counts_of(e, eft) for e in experiments]
    agree(like.chi2(eft), like.chi2_of_counts(counts if len(counts) > 1 else counts[0]), rel=1e-12)
    expected = joint_chi2(setups(experiments, counts), statistic=statistic, shared=shared)
    agree(like.chi2(eft), expected.chi2)


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("counts_scale", [0.3, 1.0, 3.0])
def test_a_signal_uncertainty_of_the_standard_model_is_of_the_stated_one(statistic, counts_scale):
    """Not of the truth behind simulated data, which is another model here."""
    stated, truth = cf.StandardModel(sin2_theta_w=0.33), cf.StandardModel(sin2_theta_w=0.15)
    experiment = CSI.replace(
        observed=None, simulated_truth=truth, signal_uncertainty=0.5, signal_uncertainty_on="standard_model"
    )
    weak, true = counts_of(CSI, stated), counts_of(CSI, truth)
    assert np.abs(true / weak - 1).min() > 0.2
    counts = counts_scale * counts_of(CSI, cf.SingletEFT(10.0, C_V=0.1))
    expected = joint_chi2([Setup(experiment, counts, weak, true, {})], statistic=statistic)
    like = cf.Likelihood(experiment, standard_model=stated, statistic=statistic)
    agree(like.chi2_of_counts(counts), expected.chi2)
    # the same through the plane's kernel, and along a coupling
    eft = cf.SingletEFT(10.0)
    new = [counts_of(CSI, eft.replace(C_V=x), stated) for x in (0.05, 0.1)]
    chi2 = [joint_chi2([Setup(experiment, n, weak, true, {})], statistic=statistic).chi2 for n in new]
    scan = cf.correlation_scan(experiment, eft, ("C_V",), [0.05, 0.1], standard_model=stated, statistic=statistic)
    assert scan.chi2 == pytest.approx(chi2, rel=1e-10)
    curve = cf.limit_scan(experiment, eft, "C_V", standard_model=stated, statistic=statistic)
    fit = cf.Likelihood(experiment, standard_model=stated, statistic=statistic, model=eft, parameters=("C_V",))
    assert fit([float(curve.upper[0])]) - curve.chi2_min[0] == pytest.approx(curve.delta_chi2, rel=1e-8)
    assert fit([0.1]) == pytest.approx(chi2[1], rel=1e-10)


# --- a function of parameters is that of interactions -------------------------------------------------------


@pytest.mark.parametrize(("of", "statistic"), crossed(["csi", "lar", "conus-4kg", "conus-100kg", "joint"], STATISTICS))
def test_m_chi_is_tabulated(of, statistic):
    """From massless to too heavy, and on either side of kinks."""
    experiments, _ = SETS[of]
    top = max(map(heaviest, experiments))
    function = fit(of, statistic, bounds=(("m_chi", (0.0, 1.1 * top)),))
    like = cf.Likelihood(countable(experiments, statistic), statistic=statistic)
    random = np.random.default_rng(1)
    kinks = random.choice(sorted({m for e in experiments for m in mass_kinks(e)}), 12)
    masses = [random.uniform(0, top, 25), 10 ** random.uniform(-8, 0, 10) * top, [0.0, top, 1.1 * top]]
    masses += [kinks * (1 + x) for x in (-1e-5, -1e-9, 0.0, 1e-9, 1e-5)]
    _, C_S, a_M = typical(of)
    for m_chi in np.concatenate(masses).tolist():
        expected = like.chi2(cf.SingletEFT(m_chi, C_S=C_S, a_M=a_M, C_V=0.01))
        assert function([m_chi, C_S, a_M]) == pytest.approx(expected, rel=1e-10, abs=1e-10), m_chi
    alone = like.chi2(cf.StandardModel())
    assert function([1.05 * top, C_S, a_M]) == pytest.approx(alone, rel=1e-13)
    assert function([1.05 * top, 1e3, 1e3]) == pytest.approx(alone, rel=1e-13)


def tied(m_chi, case="A"):
    """A mediator that is always ten times heavier."""
    return cf.VectorMediator(m_chi=m_chi, m_zprime=10 * m_chi, gchi_gq=1.0, case=case)


MODELS = {
    "scalar, quartic": (cf.ScalarMediator, ("y_bar", "m_S"), {"m_chi": 5.0}, {"m_S": (0.5, 500.0)}, [1e-4, 11.0]),
    "scalar, m_chi": (cf.ScalarMediator, ("y_bar", "m_chi"), {"m_S": 20.0}, {}, [1e-4, 11.0]),
    "scalar, each": (
        cf.ScalarMediator, ("y_n", "m_S", "y_chi"), {"m_chi": 5.0, "y_p": 1e-5}, {"m_S": (5.0, 50.0)},
        [1e-5, 11.0, 1e-4],
    ),
    "vector": (
        cf.VectorMediator, ("m_zprime", "gchi_gq"), {"m_chi": 10.0, "case": "A"}, {"m_zprime": (50.0, 500.0)},
        [123.0, 1e-7],
    ),
    "vector, m_chi": (
        cf.VectorMediator, ("m_chi", "gchi_gq"), {"m_zprime": 300.0, "case": "A"}, {"m_chi": (1.0, 52.0)}, [12.0, 1e-6]
    ),
    "tie": (tied, ("m_chi", "gchi_gq"), {"case": "B"}, {"m_chi": (1.0, 50.0)}, [12.0, 2e-5]),
    "weak angle": (cf.StandardModel, ("sin2_theta_w",), {}, {"sin2_theta_w": (0.1, 0.4)}, [0.25]),
    "quarks": (cf.SingletEFT, ("C_S_u", "C_S_d", "m_chi"), {"C_S": 0.0}, {}, [1e-3, -5e-4, 20.0]),
}  # fmt: skip


@cache
def model_fit(name, statistic="gaussian"):
    model, parameters, fixed, bounds, _ = MODELS[name]
    return cf.Likelihood(CSI, statistic=statistic, model=model, parameters=parameters, fixed=fixed, bounds=bounds)


def interaction(name, theta):
    model, parameters, fixed, _, _ = MODELS[name]
    given = fixed | dict(zip(parameters, theta, strict=True))
    if "C_S_u" in given:
        given["C_S"] = (given.pop("C_S_u"), given.pop("C_S_d"))
    if model is tied:
        return tied(given["m_chi"], given["case"]).replace(gchi_gq=given["gchi_gq"])
    return model(**given)


@pytest.mark.parametrize("name", MODELS)
def test_models(name):
    function, like = model_fit(name), cf.Likelihood(CSI)
    *_, bounds, typical = MODELS[name]
    random = np.random.default_rng(2)
    for _ in range(25):
        theta = [
            float(random.uniform(*bounds[p.name])) if p.name in bounds else float(x * random.uniform(0.2, 2))
            for p, x in zip(function.parameters, typical, strict=True)
        ]
        assert function(theta) == pytest.approx(like.chi2(interaction(name, theta)), rel=1e-10), theta


def test_phases():
    """A coupling along another direction of the complex plane."""
    phase = np.exp(0.7j)
    function = cf.Likelihood(CSI, model=cf.SingletEFT, parameters=("C_V", "C_S"), fixed={"m_chi": 12.0, "a_M": 1e-4},
                             phases={"C_V": phase})  # fmt: skip
    for C_V in (-0.2, 0.03, 0.1):
        expected = cf.Likelihood(CSI).chi2(cf.SingletEFT(12.0, a_M=1e-4, C_V=C_V * phase, C_S=0.02))
        agree(function([C_V, 0.02]), expected, rel=1e-12)


def test_fixed_values_stay():
    """Those of `fixed`, and those of an interaction that is the model."""
    of_kind = cf.Likelihood(CSI, model=cf.SingletEFT, parameters=("C_S",), fixed={"m_chi": 12.0, "C_V": 0.05})
    of_one = cf.Likelihood(CSI, model=cf.SingletEFT(12.0, C_V=0.05, C_S=7.0), parameters=("C_S",))
    expected = cf.Likelihood(CSI).chi2(cf.SingletEFT(12.0, C_V=0.05, C_S=0.03))
    agree(of_kind([0.03]), expected, rel=1e-13)
    agree(of_one([0.03]), expected, rel=1e-13)


@pytest.mark.parametrize(("statistic", "of"), crossed(STATISTICS, ["shape", "csi", "conus-4kg", "shared"]))
def test_explicit_nuisances_pulls_and_counts(of, statistic):
    """A nuisance that is a parameter is no longer minimised over; at its best value nothing changes."""
    free = fit(of, statistic)
    theta = typical(of)
    best = free.pulls(theta)
    experiments = free.experiments
    eft = cf.SingletEFT(*theta[:1], C_S=theta[1], a_M=theta[2], C_V=0.01)
    counts = [counts_of(e, eft) for e in experiments]
    for found, expected in zip(free.counts(theta), counts, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-11)
    moves = [{} for _ in experiments]
    if of == "shape":
        moves[0]["skin"] = (counts_of(SKIN.up[0], eft) - counts_of(SKIN.down[0], eft)) / 2
    shared = [each for each in SETS[of][1] if each is FLUX]
    expected = joint_chi2(setups(experiments, counts, moves), statistic=statistic, shared=shared)
    agree(free(theta), expected.chi2)
    assert best == pytest.approx(expected.pulls, rel=1e-6, abs=1e-7)
    at_mass = (("C_V", 0.01), ("m_chi", theta[0]))  # no table over masses for each of the nuisances
    for name in best:
        explicit = fit(of, statistic, (name, "C_S", "a_M"), fixed=at_mass)
        agree(explicit([best[name], *theta[1:]]), free(theta))
        frozen = {name: -0.8}
        at = joint_chi2(setups(experiments, counts, moves), statistic=statistic, shared=shared, frozen=frozen)
        agree(explicit([-0.8, *theta[1:]]), at.chi2)
        assert explicit.pulls([-0.8, *theta[1:]]) == pytest.approx(at.pulls, rel=1e-6, abs=1e-6)
    # A nuisance beside a mass that is a parameter too.
    explicit = fit(of, statistic, ("m_chi", name, "C_S", "a_M"))
    agree(explicit([theta[0], best[name], *theta[1:]]), free(theta), rel=1e-11)


# --- derivatives --------------------------------------------------------------------------------------------


def difference(function, theta, i, h, levels=4):
    """Derivative by central differences, extrapolated to order 2 × levels."""
    theta = np.array(theta, dtype=np.float64)

    def central(h):
        up, down = theta.copy(), theta.copy()
        up[i] += h
        down[i] -= h
        return (function(up) - function(down)) / (up[i] - down[i])

    found = [central(h / 2**k) for k in range(levels)]
    for m in range(1, levels):
        found = [(4**m * b - a) / (4**m - 1) for a, b in pairwise(found)]
    return found[0]


def check_derivatives(function, theta, steps, rel):
    """Gradient and Hessian against differences, in units of the steps; relative to the largest entry."""
    theta, steps = np.array(theta, dtype=np.float64), np.array(steps)
    gradient, hessian = function.gradient(theta) * steps, function.hessian(theta) * np.outer(steps, steps)
    by_value = np.array([difference(function, theta, i, h) * h for i, h in enumerate(steps)])
    by_gradient = np.array([difference(function.gradient, theta, i, h) * h * steps for i, h in enumerate(steps)])
    assert np.abs(gradient - by_value).max() <= rel * np.abs(gradient).max()
    assert np.abs(hessian - by_gradient).max() <= rel * np.abs(hessian).max()
    assert np.array_equal(hessian, hessian.T)
    value, again = function.value_and_gradient(theta)
    assert value == function(theta) and np.array_equal(again, function.gradient(theta))


EXPLICIT = {"csi": ["alpha"], "conus-4kg": ["alpha"], "shared": ["flux"], "shape": ["skin", "flux"]}


@pytest.mark.parametrize(("of", "explicit", "statistic"), crossed(list(EXPLICIT), [False, True], STATISTICS))
def test_derivatives(of, explicit, statistic):
    names = EXPLICIT[of] if explicit else []
    theta = [*typical(of), *[0.3] * len(names)]
    kinks = np.array(sorted({m for e in SETS[of][0] for m in mass_kinks(e)}))
    gap = np.abs(kinks - theta[0]).min()
    steps = [min(0.5 * gap, 0.02 * theta[0]), 0.05 * theta[1], 0.05 * theta[2], *[0.1] * len(names)]
    check_derivatives(fit(of, statistic, ("m_chi", "C_S", "a_M", *names)), theta, steps, rel=1e-9)


@pytest.mark.parametrize(("name", "statistic"), crossed(list(MODELS), STATISTICS))
def test_derivatives_of_models(name, statistic):
    *_, theta = MODELS[name]
    check_derivatives(model_fit(name, statistic), theta, [0.01 * abs(x) for x in theta], rel=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("statistic", STATISTICS)
def test_derivatives_against_the_twin(statistic):
    """Differences of the slow χ², in couplings and in nuisances that are parameters."""
    function = fit("shape", statistic, ("m_chi", "C_S", "a_M", "skin", "flux"))
    theta = [*typical("shape"), 0.3, -0.4]
    experiments = function.experiments

    def slow(x):
        eft = cf.SingletEFT(theta[0], C_S=float(x[0]), a_M=float(x[1]), C_V=0.01)
        counts = [cf.event_rate(e, eft) for e in experiments]
        moves = [{"skin": (cf.event_rate(SKIN.up[0], eft) - cf.event_rate(SKIN.down[0], eft)) / 2}, {}]
        frozen = {"skin": float(x[2]), "flux": float(x[3])}
        return joint_chi2(setups(experiments, counts, moves), statistic=statistic, shared=[FLUX], frozen=frozen).chi2

    gradient = function.gradient(theta)[1:]
    for i, h in enumerate([4e-3, 4e-5, 0.2, 0.2]):
        assert gradient[i] * h == pytest.approx(difference(slow, theta[1:], i, h, levels=3) * h, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("of", ["csi", "lar", "conus-4kg", "conus-100kg"])
def test_mass_derivative_between_all_kinks(of):
    """Against differences of χ² of interactions, wherever kinks are far enough apart for them to mean anything."""
    function, like = fit(of, "gaussian"), cf.Likelihood(SETS[of][0])
    _, C_S, a_M = typical(of)
    top = function.parameters[0].upper
    ends = np.unique([0.0, *mass_kinks(SETS[of][0][0])])
    wide = [(a, b) for a, b in pairwise(ends) if b - a > 2e-3 * top]
    size = max(abs(function.gradient([m, C_S, a_M])[0]) for m in np.linspace(0.01, 0.99, 99) * top)

    def direct(x):
        return like.chi2(cf.SingletEFT(float(x[0]), C_S=C_S, a_M=a_M, C_V=0.01))

    for a, b in wide[:: max(1, len(wide) // 12)]:
        for fraction in (0.1, 0.5, 0.9):
            m_chi = a + fraction * (b - a)
            h = 0.9 * min(m_chi - a, b - m_chi, 0.02 * top)
            expected = difference(direct, [m_chi], 0, h)
            found = function.gradient([m_chi, C_S, a_M])[0]
            assert abs(found - expected) <= 1e-8 * max(abs(expected), 1e-3 * size), (a, b, fraction)


@pytest.mark.slow
@pytest.mark.parametrize("m_chi", [23.1])
def test_mass_derivative_against_the_slow_rate(m_chi):
    """Nested quadrature, differentiated by differences, and the twin's χ² of it."""
    function = cf.Likelihood(CSI, model=cf.SingletEFT, parameters=("m_chi", "C_S"))
    h = 0.4 * np.abs(np.array(mass_kinks(CSI)) - m_chi).min()

    def slow(x):
        counts, _ = slow_counts(CSI, cf.SingletEFT(float(x[0]), C_S=0.02), standard_model=True)
        return joint_chi2(setups([CSI], [counts])).chi2

    assert function.gradient([m_chi, 0.02])[0] == pytest.approx(difference(slow, [m_chi], 0, h, levels=3), rel=1e-7)


# --- reduction, batches ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("of", "statistic"), crossed(list(SETS), STATISTICS))
def test_reduced_is_complete(of, statistic):
    """Fewer rows and nuisances, the same χ² and derivatives."""
    function = fit(of, statistic)
    one, other = function_of(function).fast(), function_of(function).full()
    random = np.random.default_rng(3)
    for scale in (0.1, 1.0, 30.0):
        theta = np.array(typical(of)) * [random.uniform(0.5, 1.5), scale, -scale]
        a, b = (e.derivatives(theta, second=True) for e in (one, other))
        agree(a[0], b[0], rel=1e-11)
        steps = np.abs(theta)
        for x, y, size in ((a[1], b[1], steps), (a[2], b[2], np.outer(steps, steps))):
            assert np.abs((x - y) * size).max() <= 1e-10 * max(np.abs(y * size).max(), a[0])


def test_reduced_with_one_background_explicit():
    """The other one makes errors of bins correlated, which turns the explicit one's shape."""
    walls = cf.Background("walls", np.linspace(9.0, 1.5, 12), 0.4)
    experiment = CSI.replace(backgrounds=(*CSI.backgrounds, walls))
    function = cf.Likelihood(
        experiment, model=cf.SingletEFT(12.0), parameters=("C_S", "beta: prompt neutrons"), bounds={"C_S": (-1, 1)}
    )
    counts = counts_of(CSI, cf.SingletEFT(12.0, C_S=0.02))
    for value in (-0.7, 0.0, 1.3):
        frozen = {"beta: prompt neutrons": value}
        expected = joint_chi2(setups([experiment], [counts]), frozen=frozen).chi2
        agree(function([0.02, value]), expected, rel=1e-12)
        agree(function_of(function).full().chi2([0.02, value]), expected, rel=1e-12)


@cache
def plain_fit():
    """What the kernel evaluates many points of at once."""
    return cf.Likelihood([CSI, LAR], model=cf.SingletEFT(12.0), parameters=("C_S", "a_M", "C_V", "C_T"),
                         bounds={"C_S": (-1.0, 1.0)})  # fmt: skip


def plain():
    return plain_fit(), [0.02, 2e-4, 0.05, 0.1]


def other():
    return fit("joint", "gaussian"), typical("joint")


def poisson():
    return fit("csi", "poisson"), typical("csi")


@pytest.mark.parametrize("make", [plain, other, poisson])
@pytest.mark.parametrize("n", [0, 1, 7, 63, 64, 65, 128, 200])
def test_batch_is_one_by_one(make, n):
    function, typical = make()
    random = np.random.default_rng(n)
    thetas = np.array(typical) * random.uniform(0.1, 1.9, (n, len(typical)))
    if n > 5:
        thetas[3, 0], thetas[5, 1], thetas[n - 1, 0] = np.nan, np.inf, 1e3  # beyond the bounds
        thetas[6:30, 0] = thetas[6, 0]
        thetas[4, 1:] *= 1e8
    found = function.batch(thetas)
    expected = np.array([function(theta) for theta in thetas])
    assert found.shape == (n,)
    assert np.array_equal(np.isinf(found), np.isinf(expected))
    finite = np.isfinite(expected)
    np.testing.assert_allclose(found[finite], expected[finite], rtol=1e-12)
    assert np.array_equal(function.log_likelihood(thetas), -0.5 * found)
    if n > 5:
        assert np.isinf(found[[3, 5, n - 1]]).all() and np.isfinite(found[4])


def test_which_likelihoods_are_plain():
    """Else the test above would test one path twice: the vectorised one is not bit for bit the other."""
    rows = [np.array(typical) * np.linspace(0.5, 1.5, 200)[:, None] for _, typical in (plain(), poisson())]
    same = [
        np.array_equal(function.batch(thetas), [function(theta) for theta in thetas])
        for (function, _), thetas in zip((plain(), poisson()), rows, strict=True)
    ]
    assert same == [False, True]


# --- policy -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, -1e-9, 60.0])
def test_out_of_bounds_is_infinite_and_raises_nothing(statistic, bad):
    function = fit("csi", statistic)
    for theta in ([bad, 0.02, 1e-4], *([[20.0, bad, 1e-4], [20.0, 0.0, bad]] if not math.isfinite(bad) else [])):
        assert function(theta) == math.inf
        assert function(np.array(theta)) == math.inf
        assert function(tuple(theta)) == math.inf
        assert function.log_likelihood(theta) == -math.inf
        assert function.batch([theta, [20.0, 0.0, 0.0]])[0] == math.inf
        assert function.log_likelihood([theta])[0] == -math.inf
        assert np.isnan(function.gradient(theta)).all() and function.gradient(theta).shape == (3,)
        assert np.isnan(function.hessian(theta)).all() and function.hessian(theta).shape == (3, 3)
        assert np.isnan(list(function.pulls(theta).values())).all()
        assert np.isnan(np.concatenate(function.counts(theta))).all()
        value, gradient = function.value_and_gradient(theta)
        assert value == math.inf and np.isnan(gradient).all()


@pytest.mark.parametrize("size", [1e60, 1e100, 1e155, 1e300])
def test_absurd_couplings_raise_nothing(size):
    for statistic in STATISTICS:
        function = fit("csi", statistic)
        value = function([20.0, size, 0.0])
        assert value > 10  # perhaps infinite, never NaN
        assert function.batch([[20.0, size, 0.0]])[0] == value
        function.gradient([20.0, size, 0.0])
    assert plain_fit().batch([[0.02, size, 0.0, 0.0]])[0] > 10


def test_bounds_are_inside():
    function = fit("csi", "gaussian")
    low, high = function.parameters[0].lower, function.parameters[0].upper
    assert low == 0.0 and high == heaviest(CSI)
    assert all(math.isfinite(function([m, 0.02, 1e-4])) for m in (low, high))
    assert function([np.nextafter(high, 99), 0.02, 1e-4]) == math.inf


def test_wrong_lengths():
    function = fit("csi", "gaussian")
    for theta in ([], [20.0], [20.0, 0.0, 0.0, 0.0]):
        for name in ("__call__", "gradient", "hessian", "value_and_gradient", "pulls", "counts"):
            with pytest.raises(ValueError, match=rf"theta: has shape \({len(theta)},\), must be \(3,\)"):
                getattr(function, name)(theta)
    for thetas in ([[1.0, 2.0]], [1.0, 2.0, 3.0], np.zeros((2, 3, 3)), np.zeros((0, 2))):
        with pytest.raises(ValueError, match=r"thetas: has shape .*, must be \(n, 3\)"):
            function.batch(thetas)
    like = cf.Likelihood([CSI, LAR])
    with pytest.raises(ValueError, match="counts: has 1 entries, must have one for each experiment"):
        like.chi2_of_counts([np.zeros(12)])
    with pytest.raises(ValueError, match=r"counts: has shape \(11,\), must be \(12,\)"):
        cf.Likelihood(CSI).chi2_of_counts(np.zeros(11))


EFT = {"model": cf.SingletEFT, "parameters": ("m_chi", "C_S")}
ERRORS = {
    "no experiments": ({"experiments": []}, r"experiments = \[\]: must hold at least one"),
    "no experiment": ({"experiments": "csi"}, "experiments = 'csi': must be experiments"),
    "statistic": ({"statistic": "poison"}, "statistic = 'poison': did you mean 'poisson'"),
    "no model": ({"parameters": ("C_S",)}, "model: must be given with parameters"),
    "bad model": ({"model": "EFT", "parameters": ("C_S",)}, "model = 'EFT': must be a kind of interaction"),
    "wrong kind": ({"model": dict, "parameters": ("C_S",)}, "model = <class 'dict'>: must be a kind of interaction"),
    "makes nothing": ({"model": lambda m_chi: 3, "parameters": ("m_chi",)}, "makes 3, must make an interaction"),
    "no parameters": ({"model": cf.SingletEFT, "parameters": ()}, r"parameters = \(\): must be a sequence of names"),
    "a string": ({"model": cf.SingletEFT, "parameters": "C_S"}, "parameters = 'C_S': must be a sequence of names"),
    "unknown": ({**EFT, "parameters": ("m_chi", "C_s")}, "C_s.*did you mean 'C_S'"),
    "unknown alone": ({**EFT, "parameters": ("m_chy",)}, "m_chy.*did you mean 'm_chi'"),
    "unknown to an interaction": (
        {"model": cf.SingletEFT(10.0), "parameters": ("C_S", "a_m")}, "a_m.*did you mean 'a_M'"
    ),
    "unknown to a function": ({"model": tied, "parameters": ("m_chi", "gchi_gQ")}, "gchi_gQ.*did you mean 'gchi_gq'"),
    "two structures": (
        {"model": cf.VectorMediator, "parameters": ("m_chi", "m_zprime", "gchi_gq"), "fixed": {"case": "A"}},
        r"at most one of \['m_chi', 'm_zprime'\] may be free; fix or tie the others",
    ),
    "twice": ({**EFT, "parameters": ("C_S", "m_chi", "C_S")}, "each may be named once"),
    "fixed and free": ({**EFT, "fixed": {"C_S": 0.1}}, "fixed: 'C_S' is among the parameters"),
    "unknown fixed": ({**EFT, "fixed": {"C_v": 0.1}}, "fixed: unknown field 'C_v'; did you mean 'C_V'"),
    "unknown to fix in a function": (
        {"model": tied, "parameters": ("m_chi", "gchi_gq"), "fixed": {"cas": "A"}}, "cas.*did you mean 'case'"
    ),
    "bad fixed": ({**EFT, "fixed": {"C_V": math.nan}}, "C_V = nan: must be"),
    "needs a range": (
        {"model": cf.ScalarMediator, "parameters": ("m_S",), "fixed": {"m_chi": 1.0}},
        "bounds: 'm_S' needs a finite range",
    ),
    "infinite range": ({**EFT, "bounds": {"m_chi": (0.0, math.inf)}}, r"of m_chi = \(0.0, inf\): must be finite"),
    "unknown range": ({**EFT, "bounds": {"m_ch": (0.0, 1.0)}}, "bounds = 'm_ch': did you mean 'm_chi'"),
    "empty range": ({**EFT, "bounds": {"C_S": (1.0, 1.0)}}, r"bounds of C_S = \(1.0, 1.0\): must be low < high"),
    "no range": ({**EFT, "bounds": {"C_S": 3.0}}, r"bounds of C_S = 3.0: must be a pair \(low, high\)"),
    "NaN range": ({**EFT, "bounds": {"C_S": (math.nan, 1.0)}}, r"bounds of C_S = \(nan, 1.0\): must be low < high"),
    "negative mass": ({**EFT, "bounds": {"m_chi": (-5.0, 40.0)}}, "m_chi = .*must be"),
    "long phase": ({**EFT, "phases": {"C_S": 2j}}, "phase of C_S = 2j: must be a complex number of modulus 1"),
    "phase of nothing": ({**EFT, "phases": {"C_V": 1j}}, "phases = 'C_V': .*must be one of 'C_S'"),
    "shape of Poisson": (
        {"experiments": CONUS4, "statistic": "poisson"}, "shape_uncertainty = 0.01: must be 0 for Poisson counts"
    ),
    "fewer than none": (
        {"experiments": CSI.replace(observed=np.full(12, -99.0)), "statistic": "poisson"},
        "on counts of bin .*must be >= 0",
    ),
    "no variance": (
        {"experiments": CSI.replace(observed=np.zeros(12), steady_state=np.zeros(12), backgrounds=())},
        "variance of bin 0 = 0: must be > 0",
    ),
    "no nuisance": ({"nuisances": ["flux"]}, "nuisances = 'flux': must be a ScaleNuisance, ShapeNuisance, "),
    "nuisance twice": ({"nuisances": [FLUX, FLUX], "experiments": [CSI, LAR]}, "is that of ScaleNuisance 'flux' and"),
    "nuisance of another": (
        {"nuisances": [cf.ScaleNuisance("flux", 0.1, ("coherent-csi",))]},
        "experiments of 'flux' = 'coherent-csi': did you mean 'coherent-csi-2017'",
    ),
    "shape of another": ({"nuisances": [SKIN], "experiments": LAR}, "experiments of 'skin' = 'coherent-csi-2017': "),
}  # fmt: skip


@pytest.mark.parametrize("what", ERRORS)
def test_errors_say_what_is_allowed(what):
    arguments, message = ERRORS[what]
    with pytest.raises(ValueError, match=message):
        function = cf.Likelihood(**{"experiments": CSI} | arguments)
        function([0.0] * len(function.parameters))


def test_errors_of_use():
    like = cf.Likelihood(CSI)
    for call in (lambda: like([]), lambda: like.gradient([]), lambda: like.export("/nowhere")):
        with pytest.raises(ValueError, match="model: must be given, with parameters"):
            call()
    with pytest.raises(ValueError, match="interaction = 3: must be an interaction"):
        like.chi2(3)
    with pytest.raises(ValueError, match="counts: a ShapeNuisance is about an experiment"):
        cf.Likelihood(CSI, nuisances=[SKIN]).chi2_of_counts(np.zeros(12))
    with pytest.raises(ValueError, match=re.escape("uncertainty of 'flux' = 0")):
        cf.ScaleNuisance("flux", 0)
    with pytest.raises(ValueError, match="must be a sequence of names"):
        cf.ScaleNuisance("flux", 0.1, "coherent-csi-2017")
    with pytest.raises(ValueError, match="must keep its bins"):
        few = CSI.replace(bins=(5.0, 10.0), observed=None, steady_state=np.zeros(1), backgrounds=())
        cf.Likelihood(CSI, nuisances=[cf.ShapeNuisance("bins", (few,), (few,))])


# --- processes and threads ----------------------------------------------------------------------------------------


def evaluations(function, typical):
    """Everything, as bytes."""
    thetas = np.array(typical) * np.linspace(0.5, 1.5, 40)[:, None]
    parts = [function.batch(thetas), *(function.gradient(t) for t in thetas), *(function.hessian(t) for t in thetas)]
    parts += [list(function.pulls(thetas[3]).values()), *function.counts(thetas[4]), [function(t) for t in thetas]]
    return np.concatenate([np.ravel(part) for part in parts]).tobytes()


@pytest.mark.parametrize("make", [plain, other, poisson])
def test_pickled_is_the_same(make):
    function, typical = make()
    before = evaluations(function, typical)
    again = pickle.loads(pickle.dumps(function))
    assert evaluations(again, typical) == before
    assert again.parameters == function.parameters and again.nuisance_names == function.nuisance_names


@pytest.mark.slow
@pytest.mark.parametrize("make", [plain, poisson])
def test_a_new_process_gets_the_same_bits(make):
    function, typical = make()
    thetas = np.array(typical) * np.linspace(0.5, 1.5, 40)[:, None]
    # A bound method of the package: a new process cannot import this test by name.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(function.batch, thetas).result(timeout=120).tobytes() == function.batch(thetas).tobytes()
        found = pool.submit(function.hessian, thetas[5]).result(timeout=120)
        assert found.tobytes() == function.hessian(thetas[5]).tobytes()


@pytest.mark.parametrize("make", [plain, other, poisson])
def test_threads_get_the_same_bits(make):
    function, typical = make()
    fresh = pickle.loads(pickle.dumps(function))  # nothing compiled yet: all threads begin at once
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: evaluations(fresh, typical), range(24)))
    assert found == {evaluations(function, typical)}


def test_threads_with_more_interactions_than_are_remembered(monkeypatch):
    monkeypatch.setattr("cevns_fast.likelihood.of_interactions._REMEMBERED", 4)
    interactions = [cf.SingletEFT(float(m), C_S=0.01) for m in range(1, 30)]
    like = cf.Likelihood(CSI)
    expected = [cf.Likelihood(CSI).chi2(each) for each in interactions]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: [like.chi2(each) for each in interactions], range(16)))
    assert all(each == expected for each in found)
    assert len(like._interactions._evaluators) <= 4 + 8


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python's own about fork
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("make", [plain, poisson])
def test_a_forked_process_gets_the_same_bits(make):
    function, typical = make()
    expected = evaluations(function, typical)
    assert from_child("fork", evaluations, function, typical) == expected
    assert evaluations(function, typical) == expected


def test_exported_is_the_same(tmp_path):
    """The numbers of the file are those that the evaluator has."""
    function = fit("csi", "poisson")
    function.export(tmp_path / "fit.cevns")
    numbers = np.fromfile(tmp_path / "fit.cevns")
    block = pack(*reduced(*function_of(function).systems()))
    assert numbers[0] == numbers.size - 1 == block.numbers.size
    again = Evaluator(block._replace(numbers=numbers[1:].copy()))
    theta = typical("csi")
    assert again.chi2(theta) == function(theta)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_batches_in_threads_have_the_same_bits(statistic):
    fit = cf.Likelihood(CSI, statistic=statistic, model=cf.SingletEFT(10.0), parameters=("C_S", "a_M"))
    thetas = np.random.default_rng(2).normal(size=(1001, 2)) * [0.03, 3e-4]
    once = fit.batch(thetas)
    assert np.array_equal(fit.batch(thetas, threads=3), once)
    assert np.array_equal(fit.batch(thetas[:1], threads=3), once[:1])
    with pytest.raises(ValueError, match="threads = 0"):
        fit.batch(thetas, threads=0)
    alone = np.array([fit(theta) for theta in thetas[:70]])
    assert once[:70] == pytest.approx(alone, rel=1e-12)
