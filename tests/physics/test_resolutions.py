"""Resolutions beside acceptances of many points, and far narrower than bins: quick, and right."""

import tracemalloc
from itertools import pairwise
from typing import NamedTuple

import mpmath
import numpy as np
import pytest
from cases import crossed, quick_are
from scipy import special, stats
from slow_twin import event_rate

import cevns_fast as cf
from cevns_fast.counts import folding
from cevns_fast.counts.plan import plan_of
from cevns_fast.experiments import detectors
from cevns_fast.experiments.smearing import poisson

SM = cf.StandardModel()


class Line(NamedTuple):
    components: tuple[cf.FluxComponent, ...]
    fluence_per_exposure: float
    exposure_unit: str


POINTS = np.linspace(0.0, 60.0, 1000)
TABLE = cf.Table(tuple(POINTS.tolist()), tuple((0.8 * special.expit(0.5 * (POINTS - 8.0))).tolist()))


def detector(bins, smearing, acceptance=1.0, light_yield=1.2):
    response = cf.Response(light_yield=light_yield, smearing=smearing, acceptance=acceptance)
    return cf.Detector(cf.Target.of("CsI", {"Cs": 1, "I": 1}), 14.0, tuple(bins), response)


def experiment(*arguments):
    made = detector(*arguments)
    return cf.Experiment("resolution", cf.PionDecayAtRest(19.3), made, 1e23, None, np.zeros(made.n_bins))


def density_of(smearing, mean):
    if isinstance(smearing, cf.GammaSmearing):
        shape = 1 + smearing.shape_per_unit * mean
        return stats.gamma(shape, scale=mean / shape).pdf
    return stats.norm(mean, smearing.width(np.array(mean))).pdf


@pytest.mark.parametrize(
    "smearing",
    [
        cf.GaussianSmearing(1.0),
        cf.GaussianSmearing(0.0, constant=0.05),
        cf.GammaSmearing(0.7),
        cf.GammaSmearing(3000.0),
    ],
    ids=["gaussian", "constant", "gamma", "narrow gamma"],
)
def test_acceptance_of_a_thousand_points(smearing):
    """Gauss–Legendre of each straight piece in turn."""
    made = detector((4.0, 6.5, 20.0), smearing, TABLE)
    T = np.array([2e-4, 4e-3, 7e-3, 0.016])
    x, w = np.polynomial.legendre.leggauss(24)
    for i, mean in enumerate(made.response.mean(T)):
        cuts = np.union1d(made.bins, POINTS[(POINTS > 4.0) & (POINTS < 20.0)])
        nodes = 0.5 * (cuts[:-1] + cuts[1:])[:, None] + 0.5 * np.diff(cuts)[:, None] * x
        pieces = np.sum(density_of(smearing, mean)(nodes) * TABLE(nodes) * w, axis=1) * 0.5 * np.diff(cuts)
        expected = [pieces[cuts[:-1] < 6.5].sum(), pieces[cuts[:-1] >= 6.5].sum()]
        np.testing.assert_allclose(made.bin_response(T[i])[:, 0], expected, rtol=2e-11, atol=1e-15)


POINTS_OF_T = np.linspace(1e-4, 0.05, 1000)
QUENCHING = cf.Table(tuple(POINTS_OF_T.tolist()), tuple((0.9 + 2.0 * POINTS_OF_T).tolist()))


@pytest.mark.parametrize("quenching", quick_are([1.0, QUENCHING], 0, ids=["unquenched", "quenched"]))
@pytest.mark.parametrize("smearing", [cf.GaussianSmearing(1.0), cf.GammaSmearing(0.7)], ids=["gaussian", "gamma"])
def test_a_thousand_points_cost_little(smearing, quenching, monkeypatch):
    """It was 9 to 399 s for two thousand million densities: they are counted, on a machine of any speed."""
    evaluated, density = [], detectors.density

    def counted(*arguments):
        found = density(*arguments)
        evaluated.append(found.size)
        return found

    monkeypatch.setattr(detectors, "density", counted)
    plain = experiment(np.arange(0, 61, 2), smearing, TABLE)
    response = cf.Response(light_yield=1.2, smearing=smearing, acceptance=TABLE, quenching=quenching)
    counts = cf.event_rate(plain.replace(response=response), SM)
    assert 1e4 < sum(evaluated) < 3e7
    assert np.all(counts > 0)


@pytest.mark.parametrize(
    ("kind", "width"), crossed(["constant", "statistical", "linear", "gamma"], [0.05, 1e-3, 1e-5, 1e-7])
)
def test_widths_far_below_the_bins(width, kind):
    """No warning, and sharp bins with their edges' blur: counts differ by second order in the width."""
    bins = np.arange(4.0, 25.0)
    smearing = {
        "constant": cf.GaussianSmearing(0.0, constant=width),
        "statistical": cf.GaussianSmearing(width),
        "linear": cf.GaussianSmearing(0.0, linear=width),
        "gamma": cf.GammaSmearing(width**-2),
    }[kind]
    blurred = experiment(bins, smearing)
    found, sharp = (cf.event_rate(each, SM) for each in (blurred, experiment(bins, None)))
    assert len(plan_of(blurred.source, blurred.detector, 1e-11).panels.low) < 3000  # thousands took minutes
    blur = smearing.width(bins[:-1])
    np.testing.assert_allclose(found, sharp, rtol=1e-10 + np.max(blur) ** 2, atol=0)
    assert width > 1e-3 or np.all(np.abs(found - sharp) < (1e-10 + np.max(blur) ** 2) * sharp)


def test_a_narrow_width_is_that_of_the_twin():
    """On one nuclide, a point, and a line, for which the twin takes a second."""
    made = detector((8.0, 9.0), cf.GaussianSmearing(0.0, constant=0.01))
    made = made.replace(target=cf.Target.of("Cs", {"Cs": 1}), form_factor=cf.PointNucleus())
    line = Line((cf.FluxComponent("line", False, lines=((40.0, 1.0),)),), 1e6, "days")
    narrow = cf.Experiment("narrow", line, made, 1.0, None, np.zeros(1))
    np.testing.assert_allclose(cf.event_rate(narrow, SM), event_rate(narrow, SM), rtol=1e-10)


def test_a_narrow_width_at_a_step_of_the_acceptance():
    """In closed form: the acceptance's step inside a bin is blurred like an edge."""
    step, width, T = 8.5, 1e-3, np.array([8.4995e-3, 8.501e-3]) / 1.2
    made = detector((8.0, 9.0), cf.GaussianSmearing(0.0, constant=width), cf.LogisticAcceptance(1.0, 1e-12, 0.0, step))
    mean = made.response.mean(T)
    np.testing.assert_allclose(made.bin_response(T)[0], 0.5 * special.ndtr((mean - step) / width), rtol=1e-9)
    whole = experiment((8.0, 9.0), cf.GaussianSmearing(0.0, constant=width), made.response.acceptance)
    half = cf.event_rate(experiment((step, 9.0), None), SM)
    np.testing.assert_allclose(cf.event_rate(whole, SM), 0.5 * half, rtol=1e-5)


def test_a_width_that_numbers_do_not_resolve_is_refused():
    with pytest.raises(ValueError, match=r"smearing = GaussianSmearing.*: is 1e-12 wide at .*, must be at least 1e-09"):
        cf.event_rate(experiment((4.0, 5.0, 6.0), cf.GaussianSmearing(0.0, constant=1e-12)), SM)


def test_one_bin_narrower_than_any_grid_is_seen():
    """A smeared detector whose response fits between two points at which one looks for it."""
    made = experiment((9.0, 9.00001), cf.GaussianSmearing(0.0, constant=1e-7))
    sharp = cf.event_rate(experiment((9.0, 9.00001), None), SM)
    np.testing.assert_allclose(cf.event_rate(made, SM), sharp, rtol=1e-9)


# --- thousands of bins ------------------------------------------------------------------------------------

KINDS = [
    (cf.GaussianSmearing(1.0), 1.0, (4.0, 40.0)),
    (cf.GaussianSmearing(constant=2.0), cf.LogisticAcceptance(0.7, 0.5, 10.0, 4.0), (4.0, 40.0)),
    (cf.GammaSmearing(9.56), cf.Table((0.0, 9.0, 30.0), (0.0, 0.6, 0.8)), (0.0, 40.0)),
    (cf.GammaSmearing(0.5), 1.0, (0.0, 40.0)),
    (cf.PoissonSmearing(), 1.0, (20.0, 320.0)),
]


@pytest.mark.parametrize(
    ("smearing", "acceptance", "ends"), KINDS, ids=["gaussian", "constant", "gamma", "wide gamma", "poisson"]
)
def test_fine_bins_add_up_to_wide_ones(smearing, acceptance, ends):
    """300 bins, of which each is a sum of few functions of the mean; one of them alone is computed without those."""
    light_yield = 20.0 if isinstance(smearing, cf.PoissonSmearing) else 1.2
    edges = np.linspace(*ends, 301)
    fine, wide, one = (
        experiment(bins, smearing, acceptance, light_yield) for bins in (edges, edges[::50], edges[150:152])
    )
    assert plan_of(fine.source, fine.detector, 1e-11).folding is not None
    assert plan_of(wide.source, wide.detector, 1e-11).folding is None
    batch = [cf.SingletEFT(20.0, a_M=1e-4, C_S=0.02), cf.SingletEFT(50.0, C_V=0.1)]
    found = cf.event_rate(fine, batch)
    np.testing.assert_allclose(found.reshape(2, 6, 50).sum(axis=2), cf.event_rate(wide, batch), rtol=1e-11)
    np.testing.assert_allclose(found[:, 150], cf.event_rate(one, batch)[:, 0], rtol=1e-11)
    assert cf.event_rate(fine, batch[1]).tobytes() == found[1].tobytes()


def test_fine_bins_by_the_double_integral():
    fine = experiment(np.linspace(4.0, 40.0, 251), cf.GaussianSmearing(1.0))
    eft = cf.SingletEFT(20.0, a_M=1e-4)
    found = cf.event_rate(fine, eft, method="double-integral")
    np.testing.assert_allclose(found, cf.event_rate(fine, eft), rtol=1e-10)


def test_four_thousand_smeared_bins_cost_little(monkeypatch):
    """Ten minutes and 1.3 GB: a response matrix of all bins, of differences of tails that were noise; now 0.3 s, 40 MB.

    The digits of the tails' difference in a narrow bin are so few that no polynomial was ever good enough.
    """
    evaluated, response_of_bins = [], folding.response_of_bins

    def counted(*arguments):
        found = response_of_bins(*arguments)
        evaluated.append(found.size)
        return found

    monkeypatch.setattr(folding, "response_of_bins", counted)
    made = experiment(np.linspace(4.0, 40.0, 4001), cf.GaussianSmearing(1.0))
    made = made.replace(observed=cf.event_rate(made, SM), steady_state=np.full(4000, 0.5))
    tracemalloc.start()
    try:
        upper = cf.limit_scan(made, cf.SingletEFT(10.0), "C_V").upper
        cf.Likelihood(made, model=cf.SingletEFT(10.0), parameters=("C_V",))([0.1])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert np.isfinite(upper).all()
    assert 1e5 < sum(evaluated) < 5e6  # 84 million for the fewest pieces of all bins
    assert peak < 50e6


def test_narrow_bins_have_all_digits():
    """Bins of 1e-4 widths, against the integral in fifty digits."""
    edges = (9.0, 9.0001, 9.0002)
    for smearing in (cf.GaussianSmearing(1.0), cf.GammaSmearing(3.0), cf.GammaSmearing(0.7)):
        for mean in (6.0, 9.1, 20.0):
            found = detector(edges, smearing).response_to_mean([mean])[:, 0]
            with mpmath.workdps(50):
                expected = [float(mpmath.quad(exact_density(smearing, mean), ends)) for ends in pairwise(edges)]
            np.testing.assert_allclose(found, expected, rtol=2e-14)


@pytest.mark.parametrize("mean", [0.01, 3.0, 12.0])
def test_a_bin_from_zero_has_all_digits(mean):
    """A gamma distribution times an acceptance: 1.5e-12 and 2.8e-9 were missing, with a warning of a rough response."""
    smearing, acceptance = cf.GammaSmearing(9.56), cf.Table((0.0, 9.0), (0.0, 0.6))
    found = detector((0.0, 6.7), smearing, acceptance).response_to_mean([mean])[0, 0]
    with mpmath.workdps(50):
        ends = [0.0, *(k * mean for k in (0.1, 0.3, 0.6, 1.0, 1.5, 2.0, 4.0, 9.0) if k * mean < 6.7), 6.7]
        p = exact_density(smearing, mean)
        expected = float(mpmath.quad(lambda x: p(x) * x * mpmath.mpf(0.6) / 9, list(map(mpmath.mpf, ends))))
    assert found == pytest.approx(expected, rel=2e-14)


def exact_density(smearing, mean):
    mean = mpmath.mpf(mean)
    if isinstance(smearing, cf.GaussianSmearing):
        return lambda x: mpmath.npdf(x, mean, smearing.statistical * mpmath.sqrt(mean))
    shape = 1 + smearing.shape_per_unit * mean
    return lambda x: (shape / mean) ** shape * x ** (shape - 1) * mpmath.exp(-x * shape / mean) / mpmath.gamma(shape)


@pytest.mark.parametrize("mean", [0.0, 0.3, 18.0, 700.0])
def test_poisson_probabilities_have_all_digits(mean):
    """ln p is a difference of thousands where counts are hundreds: the deviance is not."""
    counts = np.array([0.0, 1.0, 19.0, 20.0, 690.0, 1000.0])
    with mpmath.workdps(50):
        expected = [float(mpmath.mpf(mean) ** int(k) * mpmath.exp(-mean) / mpmath.factorial(int(k))) for k in counts]
    found = poisson(counts[:, None], np.array([mean]))[:, 0]
    np.testing.assert_allclose(found, expected, rtol=3e-14, atol=1e-200)
