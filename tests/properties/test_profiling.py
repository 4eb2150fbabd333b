"""χ² minimised over further couplings, against brute force on the interaction itself."""

from itertools import pairwise

import numpy as np
import pytest
from cases import crossed
from scipy import optimize

import cevns_fast as cf

EFT = cf.SingletEFT(m_chi=40.0)
UNITS = {"C_S": 0.03, "a_M": 7e-4, "C_T": 0.5, "C_V": 0.2, "a_E": 7e-4}
AXES = np.array([-0.04, 0.0, 0.025, 0.05]), np.array([-9e-4, 0.0, 4e-4])


@pytest.fixture(scope="module")
def excess(csi):
    """Data that prefer new physics: the minimum is away from zero, and there are several."""
    return csi.replace(observed=cf.event_rate(csi, EFT.replace(C_S=0.03, C_T=-0.4, C_V=0.05)))


@pytest.fixture(scope="module")
def lar():
    lar = cf.load("coherent-lar-610kg")
    return lar.replace(observed=cf.event_rate(lar, EFT.replace(C_S=0.02, a_M=2e-4)))


def brute_force(experiments, interaction, profiled, starts):
    """The least χ² over the profiled couplings, from many starts, by way of templates."""
    rng, listed = np.random.default_rng(1), list(experiments)
    like = cf.Likelihood(listed)
    made = [cf.templates(e, interaction, profiled) for e in listed]

    def chi2(x):
        values = {name: float(v) * UNITS[name] for name, v in zip(profiled, x, strict=True)}
        counts = [each.counts(values) for each in made]
        return like.chi2_of_counts(counts if len(counts) > 1 else counts[0])

    tries = [np.zeros(len(profiled)), *rng.normal(size=(starts, len(profiled)))]
    return min(optimize.minimize(chi2, x, method="BFGS").fun for x in tries)


@pytest.mark.parametrize(
    ("which", "profiled"),
    crossed(["data", "excess", "joint"], [("C_T",), ("C_V",), ("C_T", "C_V"), ("C_T", "C_V", "a_E")]),
)
def test_against_brute_force(csi, excess, lar, which, profiled):
    experiments = {"data": [csi], "excess": [excess], "joint": [excess, lar]}[which]
    eft = EFT.replace(D_P=0.01, D_A=0.05j)  # fixed: linear terms
    scan = cf.correlation_scan(experiments, eft, ("C_S", "a_M"), *AXES, profile=profiled)
    points = [(0, 0), (2, 1), (3, 2), (1, 1)] if len(profiled) < 3 else [(2, 1), (3, 0)]
    for i, j in points:
        here = eft.replace(C_S=AXES[0][i], a_M=AXES[1][j])
        expected = brute_force(experiments, here, profiled, starts=20 if len(profiled) == 1 else 6)
        assert scan.chi2[i, j] == pytest.approx(expected, rel=1e-7, abs=1e-7)
        assert scan.chi2[i, j] <= expected + 1e-9


def test_profiling_never_raises_chi2(excess, lar):
    """The more is free, the lower; and the minimum over everything is the same."""
    scans = [
        cf.correlation_scan([excess, lar], EFT, ("C_S", "a_M"), *AXES, profile=profiled)
        for profiled in ((), ("C_T",), ("C_T", "C_V"))
    ]
    for more, less in pairwise(scans):
        assert np.all(less.chi2 <= more.chi2 * (1 + 1e-12))
        assert np.all(scans[0].chi2_min >= less.chi2_min - 1e-9)
    for scan in scans:
        assert np.all(scan.chi2_min <= scan.chi2.min() + 1e-12)
        at = {name: float(value[0]) for name, value in scan.best_fit.items()}
        assert cf.Likelihood([excess, lar]).chi2(EFT.replace(**at)) == pytest.approx(scan.chi2_min[0], rel=1e-9)
    assert list(scans[2].best_fit) == ["C_S", "a_M", "C_T", "C_V"]


@pytest.mark.parametrize("value", [-0.1, 0.02, 0.1])
def test_one_quark_coupling_profiled(csi, value):
    like = cf.Likelihood(csi)

    def chi2(d):
        return like.chi2(EFT.replace(C_S=(value, d)))

    grid = np.linspace(-3 * abs(value), 3 * abs(value), 400)
    best, step = grid[np.argmin([chi2(d) for d in grid])], grid[1] - grid[0]
    search = optimize.minimize_scalar(
        chi2, bounds=(best - step, best + step), method="bounded", options={"xatol": 1e-10}
    )
    scan = cf.correlation_scan(csi, EFT, ("C_S_u",), [value, value + 1.0], profile=("C_S_d",))
    assert scan.chi2[0] == pytest.approx(search.fun, rel=1e-9)


def test_bits_do_not_depend_on_threads_or_grid(excess):
    one = cf.correlation_scan(excess, EFT, ("C_S", "a_M"), *AXES, profile=("C_T", "C_V"), threads=1)
    two = cf.correlation_scan(excess, EFT, ("C_S", "a_M"), *AXES, profile=("C_T", "C_V"), threads=2)
    part = cf.correlation_scan(excess, EFT, ("C_S", "a_M"), AXES[0][1:3], AXES[1], profile=("C_T", "C_V"))
    assert np.array_equal(one.chi2, two.chi2) and np.array_equal(one.chi2[1:3], part.chi2)


@pytest.mark.parametrize("profiled", [("C_T",), ("C_T", "C_V")], ids="-".join)
@pytest.mark.parametrize("kind", ["predicted", "poisson", "shared"])
def test_other_statistics_against_brute_force(csi, excess, lar, kind, profiled):
    flux = cf.ScaleNuisance("flux", 0.1)
    experiments, options = {
        "predicted": (excess.replace(variance="prediction"), {}),
        "poisson": (excess, {"statistic": "poisson"}),
        "shared": ([excess, lar], {"nuisances": [flux]}),
    }[kind]
    scan = cf.correlation_scan(experiments, EFT, ("C_S", "a_M"), *AXES, profile=profiled, **options)
    rng, units = np.random.default_rng(2), np.array([UNITS[name] for name in profiled])
    for i, j in [(0, 0), (2, 1), (3, 2)]:
        here = EFT.replace(C_S=AXES[0][i], a_M=AXES[1][j])
        fit = cf.Likelihood(experiments, model=here, parameters=profiled, **options)
        # Also from far out: a scale can pull any amount of signal back, and χ² may fall slowly for ever.
        tries = [10**far * rng.normal(size=len(profiled)) for far in (0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4)]
        search = {"method": "BFGS", "options": {"gtol": 1e-9}}
        expected = min(optimize.minimize(lambda x, fit=fit: fit(x * units), x, **search).fun for x in tries)
        assert scan.chi2[i, j] == pytest.approx(expected, rel=1e-7, abs=1e-7)
        assert scan.chi2[i, j] <= expected + 1e-9
    every = {"C_S": scan.best_fit["C_S"][0], "a_M": scan.best_fit["a_M"][0]}
    every |= {name: scan.best_fit[name][0] for name in profiled}
    like = cf.Likelihood(experiments, **options)
    assert like.chi2(EFT.replace(**every)) == pytest.approx(scan.chi2_min[0], rel=1e-9)
    found = like.nuisances(EFT.replace(**every))
    assert {name: values[0] for name, values in scan.nuisances.items()} == pytest.approx(found, rel=1e-6, abs=1e-9)
    assert scan.chi2_min[0] <= scan.chi2.min() + 1e-12
