"""Toys in C: random numbers against published ones and their distributions, minima against brute force."""

from itertools import product

import numpy as np
import pytest
from cases import quick_are
from scipy import stats

import cevns_fast as cf
from cevns_fast._kernels import toys as kernel
from cevns_fast._kernels.likelihood import FIXED_VARIANCE, POISSON, Evaluator, Layout, System, pack
from cevns_fast.inference import minima
from cevns_fast.inference.throwing import Thrower, key_of
from cevns_fast.likelihood.likelihood import function_of

# --- random numbers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "counter, key, words",
    [  # known answers of Salmon et al.'s Random123, kat_vectors, philox4x32 10
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_philox_gives_the_published_words(counter, key, words):
    assert kernel.philox(counter, key) == words


def test_normals_are_normal():
    drawn = kernel.normals(1, 2, 3, 200_000)
    assert stats.kstest(drawn, "norm").pvalue > 1e-3
    assert np.mean(drawn**4) == pytest.approx(3, abs=0.1)
    assert abs(np.corrcoef(drawn[::2], drawn[1::2])[0, 1]) < 0.01


@pytest.mark.parametrize("mean", [0.0, 1e-3, 0.7, 9.99, 10.0, 37.2, 5e3, 1e7])
def test_counts_are_poisson(mean):
    drawn = kernel.counts(1, 2, 3, mean, 100_000)
    if mean == 0:
        assert not drawn.any()
        return
    assert np.array_equal(drawn, np.floor(drawn)) and drawn.min() >= 0
    edges = np.unique(stats.poisson(mean).ppf(np.linspace(0.02, 0.98, 25)))
    expected = np.diff(np.concatenate([[0.0], stats.poisson(mean).cdf(edges), [1.0]]))
    found = np.histogram(drawn, np.concatenate([[-1.0], edges, [np.inf]]) + 0.5)[0]
    possible = expected > 0
    assert stats.chisquare(found[possible], expected[possible] * len(drawn), sum_check=False).pvalue > 1e-4


def test_streams_are_apart():
    """Whatever differs, the numbers do."""
    drawn = np.array(
        [kernel.normals(key, place, toy, 1000) for key in (5, 2**40) for place in (5, 2**40) for toy in (5, 6)]
    )
    assert np.abs(np.corrcoef(drawn) - np.eye(8)).max() < 0.15


# --- minima -----------------------------------------------------------------------------------------------

CSI, LAR, CONUS = (cf.load(name) for name in ("coherent-csi-2017", "coherent-lar-610kg", "conus-4kg"))
LIGHT = cf.SingletEFT(10.0)
CASES = {  # a likelihood, where toys are thrown, and which parameters stay there
    "gaussian": (cf.Likelihood(CSI, model=LIGHT, parameters=("C_S", "a_M")), [0.02, 1e-4], [1, 1]),
    "at zero": (cf.Likelihood(CSI, model=LIGHT, parameters=("C_S", "a_M")), [0.0, 0.0], [1, 1]),
    "poisson": (cf.Likelihood(CSI, statistic="poisson", model=LIGHT, parameters=("C_S", "a_M")), [0.02, 1e-4], [1, 1]),
    "one profiled": (
        cf.Likelihood(CSI, statistic="poisson", model=LIGHT, parameters=("C_S", "a_M")), [0.02, 1e-4], [1, 0],
    ),
    "three couplings": (
        cf.Likelihood(CSI, model=cf.SingletEFT(20.0), parameters=("C_V", "C_T", "a_M")), [0.05, 0.03, 1e-4], [1, 1, 0],
    ),
    "amplitudes that cancel": (
        cf.Likelihood(CONUS, model=cf.SingletEFT(1.0), parameters=("C_S", "a_M")), [0.002, 1e-6], [1, 1],
    ),
    "joint": (
        cf.Likelihood([CSI, LAR.replace(signal_uncertainty=0.1)], nuisances=[cf.ScaleNuisance("flux", 0.1)],
                      model=LIGHT, parameters=("C_S", "a_M")), [0.02, 1e-4], [1, 1],
    ),
    "quarks apart": (cf.Likelihood(CSI, model=LIGHT, parameters=("C_V_u", "C_V_d")), [0.05, -0.05], [1, 1]),
    "a nuisance": (
        cf.Likelihood(CSI, statistic="poisson", model=LIGHT, parameters=("C_S", "alpha")), [0.02, 0.3], [1, 0],
    ),
    "log-normal": (
        cf.Likelihood(CSI.replace(signal_uncertainty=0.0), statistic="poisson", model=LIGHT, parameters=("C_S", "a_M"),
                      nuisances=[cf.ScaleNuisance("scale", 0.28, constraint="log-normal")]), [0.02, 1e-4], [1, 1],
    ),
    "bounds": (
        cf.Likelihood(CSI, model=LIGHT, parameters=("C_S", "a_M"), bounds={"C_S": (0.005, 0.03), "a_M": (0.0, 1.0)}),
        [0.02, 1e-4], [1, 1],
    ),
}  # fmt: skip
FACTORS = np.array([-30, -8, -4, -2.5, -1.7, -1.2, -0.8, -0.4, -0.1, 0.01, 0.1, 0.4, 0.8, 1.2, 1.7, 2.5, 4, 8, 30])


def by_brute_force(evaluator, theta, stays, bounds, size, choices, found):
    """The lowest minimum from the forty best of hundreds of points, and from what is to be judged."""
    points = [theta, found]
    for factors in product(*(FACTORS if len(choices) < 3 else FACTORS[::2] for _ in choices)):
        point = theta.copy()
        point[choices] = np.array(factors) * size[choices]
        points.append(np.clip(point, *bounds))
    points = np.array(points)
    best = np.argsort(evaluator.batch(points))[:40]
    return min(evaluator.minimise(points[i], stays)[0] for i in (0, 1, *best))


@pytest.mark.parametrize("case", quick_are(CASES, *range(0, len(CASES), 2)))
def test_minima_are_those_of_brute_force(case, toys=60):
    fit, theta, stays = CASES[case]
    theta, stays = np.array(theta), [bool(each) for each in stays]
    thrower = Thrower(fit, stays)
    plan = kernel.ToyPlan(thrower.numbers, thrower.truth(theta), stays, key_of(3))
    delta, best = np.empty(toys), np.empty((toys, theta.size))
    plan.run(0, delta, best)
    layout, systems = thrower._short.layout, thrower._short.systems
    nominal = Evaluator(pack(layout, systems))
    size = 2 * np.array([minima.reach(nominal, 0 * theta, i, 0.01) for i in range(theta.size)])
    bounds = np.array([p.lower for p in fit.parameters]), np.array([p.upper for p in fit.parameters])
    couplings = [i for i, p in enumerate(fit.parameters) if p.name not in fit.nuisance_names]
    free = [i for i in couplings if not stays[i]]
    for i in range(toys):
        data, weight, centre, _ = plan.thrown(i)
        ends = np.cumsum([s.data.size for s in systems])[:-1]
        thrown = [
            s._replace(data=d, weight=w)
            for s, d, w in zip(systems, np.split(data, ends), np.split(weight, ends), strict=True)
        ]
        evaluator = Evaluator(pack(layout._replace(centre=centre), thrown))
        least = by_brute_force(evaluator, theta, [False] * theta.size, bounds, size, couplings, best[i])
        there = evaluator.chi2(theta.tolist())
        if not all(stays):
            there = by_brute_force(evaluator, theta, stays, bounds, size, free, theta)
        assert delta[i] == pytest.approx(max(0.0, there - least), abs=1e-7)


# --- counts that nobody has thought of ------------------------------------------------------------------------

KINDS = ("one amplitude", "two amplitudes", "nearly parallel", "indefinite")


def adversary(rng, couplings, kind, statistic, nuisance):
    """A likelihood of random quadratic counts in couplings of any size: (a + b·z)² summed over amplitudes, or anything.

    Every bin has its own a and b, so that there are up to 2^couplings basins, and valleys between them.
    """
    bins, scale = int(rng.integers(couplings + 2, 9)), 10.0 ** rng.uniform(-3, 1, couplings)
    exponents = [e for e in product(range(3), repeat=couplings) if sum(e) <= 2]
    counts = {e: np.zeros(bins) for e in exponents}
    unit = np.eye(couplings, dtype=int)
    if kind == "indefinite":
        for e in exponents:
            counts[e] += rng.normal(size=bins) * 20 * np.prod(scale ** -np.array(e))
        counts[exponents[0]] = rng.uniform(20, 60, bins)
        for c, e in enumerate(unit):
            counts[tuple(2 * e)] = np.abs(counts[tuple(2 * e)]) * couplings + 10 / scale[c] ** 2
    else:
        for _ in range(1 if kind == "one amplitude" else 2):
            a, b = 4 * rng.normal(size=bins), 4 * rng.normal(size=(bins, couplings)) / scale
            if kind == "nearly parallel":
                b = 4 * rng.normal(size=(bins, 1)) / scale * (1 + 0.05 * rng.normal(size=(bins, couplings)))
            counts[exponents[0]] += a * a + 1
            for c in range(couplings):
                counts[tuple(unit[c])] += 2 * a * b[:, c]
                for d in range(couplings):
                    counts[tuple(unit[c] + unit[d])] += b[:, c] * b[:, d]
    table, base, n = np.array([counts[e] for e in exponents]), np.full(bins, 5.0), int(nuisance)
    free = [np.inf] * couplings
    names = [f"c{c}" for c in range(couplings)]
    layout = Layout(names, [-x for x in free], free, list(range(couplings)), -1, exponents,
                    [-1] * n, np.zeros(n), np.zeros(n), np.eye(n))  # fmt: skip
    of_counts = statistic == POISSON
    data = table[0] + base
    system = System(statistic, 0.0, np.inf if of_counts else 0.0, data, np.zeros(bins) if of_counts else 1 / data,
                    np.zeros(bins), base, 1.0, np.full(n, 0.2), [0] * n, np.zeros((n, bins)), np.array([0.0, 1.0]),
                    table[None, None, None])  # fmt: skip
    return layout, system, scale


@pytest.mark.parametrize("couplings", [1, 2, 3])
@pytest.mark.parametrize("statistic", [FIXED_VARIANCE, POISSON])
@pytest.mark.parametrize("kind", KINDS)
def test_no_basin_of_random_quadratic_counts_is_missed(kind, statistic, couplings, toys=12):
    """Of 2,400 toys of these kinds three were, by at most 0.8: see docs/statistics.md."""
    missed = 0
    for seed in (1, 2):
        rng = np.random.default_rng(seed)
        layout, system, scale = adversary(rng, couplings, kind, statistic, seed % 2)
        theta = rng.normal(size=couplings) * scale * 0.5
        monomials = np.array([np.prod(theta ** np.array(e)) for e in layout.exponents])
        mean = system.base + monomials @ system.coefficients[0, 0, 0]
        if np.any(mean < 0.5):
            continue
        spread = np.zeros_like(mean) if statistic == POISSON else 1 / np.sqrt(system.weight)
        truth = kernel.Truth(theta, mean, spread, np.zeros(len(system.scale)), np.zeros(1), 1)
        plan = kernel.ToyPlan(pack(layout, [system]).numbers, truth, [True] * couplings, seed)
        delta, best = np.empty(toys), np.empty((toys, couplings))
        plan.run(0, delta, best)
        for i in range(toys):
            data, weight, centre, _ = plan.thrown(i)
            evaluator = Evaluator(pack(layout._replace(centre=centre), [system._replace(data=data, weight=weight)]))
            cloud = rng.normal(size=(400, couplings)) * scale * 10 ** rng.uniform(-1, 0.7, (400, 1))
            cloud = np.vstack([theta, best[i], cloud])
            lowest = np.argsort(evaluator.batch(cloud))[:40]
            least = min(evaluator.minimise(cloud[j], [False] * couplings)[0] for j in (0, 1, *lowest))
            missed += evaluator.chi2(best[i].tolist()) > least + 1e-6
    assert missed == 0


def test_toys_of_fewer_rows_are_the_same():
    """Whitened and rotated, toys follow the distribution of those thrown bin by bin."""
    fit, theta, _ = CASES["gaussian"]
    thrower = Thrower(fit, [True, True])
    truth = thrower.truth(np.array(theta))
    assert truth.mean.size < CSI.n_bins and truth.hidden.sum() + truth.mean.size == CSI.n_bins
    short = np.empty(4000)
    kernel.ToyPlan(thrower.numbers, truth, [False, False], 1).run(0, short)
    layout, systems = function_of(fit).systems()
    full, pulls = function_of(fit).full(), function_of(fit).full().pulls(np.array(theta))
    mean = full.counts(np.array(theta))[1]
    whole = kernel.Truth(np.array(theta), mean, 1 / np.sqrt(systems[0].weight), pulls, np.zeros(1), 5)
    long = np.empty(4000)
    kernel.ToyPlan(pack(layout, systems).numbers, whole, [False, False], 1).run(0, long)
    assert stats.ks_2samp(short, long).pvalue > 1e-3
    assert short.mean() == pytest.approx(10.5, abs=1.0)  # 12 bins, less what two couplings absorb
