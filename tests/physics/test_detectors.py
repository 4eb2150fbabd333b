"""What a detector makes of a recoil."""

import math

import numpy as np
import pytest
import slow_twin
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

import cevns_fast as cf

CESIUM = cf.Target.of("Cs", {"Cs": 1})
KEV = 1e-3
SMEARINGS = {
    "poisson": cf.PoissonSmearing(),
    "gaussian": cf.GaussianSmearing(0.8, 0.3, 0.1),
    "gamma": cf.GammaSmearing(2.0),
}


def detector(bins, **response):
    return cf.Detector(CESIUM, 1.0, tuple(bins), cf.Response(**response))


# --- sharp ----------------------------------------------------------------------------------------


def test_bins_are_half_open():
    sharp = detector((1.0, 2.0, 4.0))
    T = np.array([0.5, 1.0, 1.999, 2.0, 3.999, 4.0]) * KEV
    assert sharp.bin_response(T).tolist() == [[0, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 0]]


def test_the_observable_is_light_yield_times_quenching_times_energy():
    response = cf.Response(light_yield=13.348, quenching=0.0878)
    assert response.mean(0.01) == pytest.approx(13.348 * 0.0878 * 10)
    by_function = cf.Response(light_yield=2.0, quenching=lambda T: 0.1 + T)
    assert by_function.mean([0.01, 0.02]) == pytest.approx([2 * 0.11 * 10, 2 * 0.12 * 20])


def test_acceptance_is_evaluated_at_the_observable():
    logistic = cf.LogisticAcceptance(0.6655, 0.4942, 10.8507, 5.0)
    d = detector((4.0, 30.0), light_yield=1.17, acceptance=logistic)
    T = np.array([4.0, 5.1, 10.8507, 25.0]) / 1170
    expected = [0.0, *(0.6655 / (1 + np.exp(-0.4942 * (x - 10.8507))) for x in (5.1, 10.8507, 25.0))]
    assert d.bin_response(T)[0] == pytest.approx(expected, rel=1e-12)
    assert detector((4.0, 30.0), light_yield=1.17, acceptance=0.25).bin_response(T)[0] == pytest.approx(0.25)


def test_a_table_is_linear_between_its_points_and_constant_beyond():
    table = cf.Table((1.0, 2.0, 4.0), (0.2, 0.4, 1.0))
    assert table([0.0, 1.0, 1.5, 3.0, 4.0, 9.0]) == pytest.approx([0.2, 0.2, 0.3, 0.7, 1.0, 1.0])
    assert table.breakpoints == (1.0, 2.0, 4.0)


def test_recoil_threshold():
    for smearing in (None, *SMEARINGS.values()):
        d = detector((0, 30), recoil_threshold=5e-3, smearing=smearing)
        assert d.bin_response([4.999e-3, 5e-3])[0, 0] == 0
        assert d.bin_response([4.999e-3, 5e-3])[0, 1] > 0.9


# --- smeared --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMEARINGS)
@given(T=st.floats(1e-5, 0.03), edges=st.lists(st.integers(0, 60), min_size=2, max_size=6, unique=True).map(sorted))
def test_probabilities(name, T, edges):
    found = detector(edges, light_yield=1.17, smearing=SMEARINGS[name]).bin_response([T])
    assert np.all(found >= 0)
    assert found.sum() <= 1 + 1e-12


def distribution(smearing, mean):
    """scipy's, with the moments that the docstrings state."""
    if isinstance(smearing, cf.PoissonSmearing):
        return stats.poisson(mean)
    if isinstance(smearing, cf.GaussianSmearing):
        variance = smearing.constant**2 + smearing.statistical**2 * mean + (smearing.linear * mean) ** 2
        return stats.norm(mean, math.sqrt(variance))
    shape = 1 + smearing.shape_per_unit * mean
    return stats.gamma(shape, scale=mean / shape)


@pytest.mark.parametrize("name", SMEARINGS)
@pytest.mark.parametrize("T", [1e-4, 3e-3, 0.02])
def test_against_the_distribution_function(name, T):
    edges = np.array([0, 1, 2, 5, 9, 15, 40])
    smearing = SMEARINGS[name]
    found = detector(edges, light_yield=1.17, smearing=smearing).bin_response([T])[:, 0]
    edges = edges - 1 if name == "poisson" else edges  # [a, b) of whole numbers
    assert found == pytest.approx(np.diff(distribution(smearing, 1170 * T).cdf(edges)), rel=1e-10, abs=1e-14)


@pytest.mark.parametrize("name", SMEARINGS)
@pytest.mark.parametrize("T", [2e-3, 0.01, 0.03])
def test_a_wide_bin_holds_everything(name, T):
    """But for a Gaussian's tail below zero."""
    mean = 1170 * T
    found = detector((0, 400), light_yield=1.17, smearing=SMEARINGS[name]).bin_response([T])[0, 0]
    below = distribution(SMEARINGS[name], mean).cdf(0) if name == "gaussian" else 0.0
    assert found == pytest.approx(1 - below, rel=1e-12)


@pytest.mark.parametrize("name", SMEARINGS)
@pytest.mark.parametrize("T", [5e-3, 0.02])
def test_mean_and_variance_of_what_is_seen(name, T):
    """Moments of the observable from narrow bins (Sheppard's correction)."""
    smearing, mean = SMEARINGS[name], 1170 * T
    edges = np.arange(0, 120) if name == "poisson" else np.linspace(0, 120, 1201)
    p = detector(edges, light_yield=1.17, smearing=smearing).bin_response([T])[:, 0]
    x = edges[:-1] if name == "poisson" else (edges[:-1] + edges[1:]) / 2
    variance = {
        "poisson": mean,
        "gaussian": 0.3**2 + 0.8**2 * mean + (0.1 * mean) ** 2,
        "gamma": mean**2 / (1 + 2.0 * mean),
    }[name]
    assert p @ x == pytest.approx(mean, rel=3e-3 if name == "gaussian" and mean < 10 else 1e-6)
    within = 0.0 if name == "poisson" else 0.1**2 / 12  # of a bin
    assert p @ (x - mean) ** 2 - within == pytest.approx(
        variance, rel=3e-2 if name == "gaussian" and mean < 10 else 1e-4
    )


@pytest.mark.parametrize("name", SMEARINGS)
def test_acceptance_of_a_smeared_observable(name):
    logistic = cf.LogisticAcceptance(0.6655, 0.4942, 10.8507, 5.0)
    d = detector((3, 9, 20), light_yield=1.17, smearing=SMEARINGS[name], acceptance=logistic)
    T = 7e-3
    known = distribution(SMEARINGS[name], 1170 * T)
    if name == "poisson":
        expected = [sum(known.pmf(n) * logistic(n) for n in range(a, b)) for a, b in ((3, 9), (9, 20))]
    else:
        expected = [
            integrate.quad(lambda x: known.pdf(x) * float(logistic(x)), a, b, epsabs=0, epsrel=1e-12)[0]
            for a, b in ((5, 9), (9, 20))
        ]
    assert d.bin_response([T])[:, 0] == pytest.approx(expected, rel=1e-10)


def test_the_acceptance_of_counted_photoelectrons_is_that_of_whole_numbers():
    d = detector((0, 5, 10), smearing=cf.PoissonSmearing(), acceptance=lambda n: np.where(n < 5, 0.0, 1.0))
    found = d.bin_response([4e-3])[:, 0]
    assert found == pytest.approx([0, stats.poisson(4).cdf(9) - stats.poisson(4).cdf(4)], rel=1e-12)


# --- quenching ------------------------------------------------------------------------------------


def test_inversion_of_a_quenching_table():
    table = cf.Table((0.0, 2e-3, 5e-3, 5e-2), (0.05, 0.07, 0.09, 0.12))
    d = detector((0.1, 30.0), light_yield=13.348, quenching=table)
    for T in (1e-6, 1e-3, 2e-3, 3.3e-3, 0.04, 0.5):
        x = float(d.response.mean(T))
        assert d.recoil_at(x, 10.0) == pytest.approx(T, rel=1e-13)
    assert d.recoil_at(0.0, 10.0) == 0
    assert d.recoil_at(1e9, 10.0) == math.inf


def test_inversion_of_a_constant():
    d = detector((6.0, 30.0), light_yield=13.348, quenching=0.0878)
    assert d.recoil_at(6.0, 10.0) == pytest.approx(6e-3 / (13.348 * 0.0878), rel=1e-15)


def test_where_a_response_is_not_smooth():
    """Images of bin edges, of the acceptance's and of the quenching's own breakpoints, and the threshold."""
    logistic = cf.LogisticAcceptance(0.7, 0.5, 10.0, 5.0)
    d = detector((4.0, 8.0), light_yield=2.0, acceptance=logistic, recoil_threshold=1e-3)
    assert d.response_breakpoints(10.0) == pytest.approx((1e-3, 2e-3, 2.5e-3, 4e-3))
    table = cf.Table((0.0, 3e-3, 6e-3), (0.5, 0.5, 1.0))
    d = detector((4.0, 8.0), light_yield=2.0, quenching=table)
    assert d.response_breakpoints(10.0) == pytest.approx((3e-3, d.recoil_at(4.0, 10), d.recoil_at(8.0, 10), 6e-3))
    d = detector((4, 8), light_yield=2.0, quenching=table, smearing=cf.PoissonSmearing())
    assert d.response_breakpoints(10.0) == pytest.approx((3e-3, 6e-3))


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: detector((1.0, 2.0), acceptance=1.2), r"acceptance = 1.2: must be at most 1"),
        (lambda: detector((1.0, 2.0), acceptance=-0.1), r"acceptance = -0.1: must be a finite number >= 0"),
        (lambda: detector((1.0, 2.0), acceptance=lambda x: x), r"acceptance: returns 2, must be from 0 to 1"),
        (lambda: detector((1.0, 2.0), acceptance=lambda x: x - 1.5), r"acceptance: returns -0.5, must be from 0 to 1"),
        (lambda: detector((1.0, 2.0), acceptance=lambda x: x * np.nan), r"acceptance: returns nan at 1, must be"),
        (lambda: detector((1.0, 2.0), acceptance=lambda x: 0.5), r"acceptance: returns shape \(\) for \(257,\)"),
        (lambda: detector((1.0, 2.0), acceptance=cf.Table((0.0, 2.0), (0.0, 1.5))), r"acceptance: returns 1.5"),
        (lambda: detector((1.0, 2.0), light_yield=0.0), r"light_yield = 0.0: must be a finite number > 0"),
        (lambda: detector((1.0, 2.0), quenching=0.0), r"quenching = 0.0: must be a finite number > 0"),
        (lambda: detector((1.0, 2.0), recoil_threshold=-1e-3), r"recoil_threshold = -0.001: must be .* >= 0"),
        (lambda: detector((2.0, 1.0)), r"bins = \[2.0, 1.0\]: must be at least two strictly increasing"),
        (lambda: detector((1.0, 1.0)), r"bins = \[1.0, 1.0\]"),
        (lambda: detector((1.0,)), r"bins = \[1.0\]"),
        (lambda: detector((-1.0, 1.0)), r"bins = .*-1.0.*: must be finite and >= 0"),
        (lambda: detector((1.0, math.nan)), r"bins = .*nan"),
        (lambda: detector((1.0, 2.5), smearing=cf.PoissonSmearing()), r"bins = \(1.0, 2.5\): must be whole numbers"),
        (lambda: cf.Detector(CESIUM, -1.0, (1.0, 2.0)), r"mass = -1.0: must be a finite number > 0"),
        (lambda: cf.GaussianSmearing(-1.0), r"statistical = -1.0"),
        (lambda: cf.GaussianSmearing(0.0), r"statistical = 0.0: at least one of"),
        (lambda: cf.GammaSmearing(0.0), r"shape_per_unit = 0.0"),
        (lambda: cf.LogisticAcceptance(1.1, 1.0, 1.0, 0.0), r"plateau = 1.1: must be an acceptance, from 0 to 1"),
        (lambda: cf.LogisticAcceptance(1.0, math.nan, 1.0, 0.0), r"steepness = nan"),
        (lambda: cf.Table((1.0, 1.0), (0.0, 1.0)), r"x = \[1.0, 1.0\]: must be at least two strictly increasing"),
        (lambda: cf.Table((1.0, 2.0), (0.0, 1.0, 2.0)), r"y: has 3 entries, must have 2"),
    ],
)  # fmt: skip
def test_refused_at_once(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("quenching", "message"),
    [
        (lambda T: T * np.nan, r"quenching: returns nan at .*, must be finite"),
        (lambda T: T - 1.0, r"quenching: returns .*, must be >= 0"),
        (lambda T: 1e-4 / (T + 1e-4) ** 2, r"quenching: the mean observable falls at a recoil of .*must not"),
    ],
)
@pytest.mark.parametrize("smearing", [None, cf.PoissonSmearing()])
def test_bad_quenching_is_refused_with_the_source(bare, quenching, message, smearing):
    with pytest.raises(ValueError, match=message):
        bare((1, 2), quenching=quenching, smearing=smearing)


def test_quenching_is_tested_to_the_largest_recoil(bare):
    """Valid to 100 keV, which no spallation neutrino exceeds on caesium, and nonsense beyond."""

    def quadratic(T):
        return 0.1 + 2.0 * T * (0.1 - T)

    def undefined(T):
        return np.where(T < 0.1, 0.1 + 0.5 * T, np.nan)

    for quenching in (quadratic, undefined, cf.PolynomialQuenching((0.1, 0.2, -2.0))):
        experiment = bare((1, 2, 4), quenching=quenching)
        assert experiment.largest_recoil < 0.05
        counts = cf.event_rate(experiment, cf.StandardModel())
        slow = slow_twin.event_rate(experiment, cf.StandardModel())
        assert counts == pytest.approx(slow, rel=1e-9)
    assert bare((1, 2, 4), quenching=quadratic, smearing=cf.PoissonSmearing()).n_bins == 2
    with pytest.raises(ValueError, match=r"falls at a recoil of 0\.0\d+ MeV: must not, up to 0\.04\d+ MeV"):
        bare((1, 2), quenching=lambda T: 0.1 - 1.9 * T)
    with pytest.raises(ValueError, match=r"quenching: returns -0.12\d+ at 0.04506 MeV, must be >= 0"):
        bare((1, 2), quenching=lambda T: 0.1 - 5.0 * T)
    with pytest.raises(ValueError, match=r"quenching: returns nan at 0\.03.*recoils reach 0\.04\d+ MeV"):
        bare((1, 2), quenching=lambda T: np.where(T < 0.03, 0.1, np.nan))
    with pytest.raises(ValueError, match=r"quenching: fails for an array, .* with IndexError"):
        bare((1, 2), quenching=lambda T: [][3])


@pytest.mark.parametrize(
    "quenching",
    [
        cf.LindhardQuenching("Ge"),
        cf.LindhardQuenching("Cs", k=0.1),
        cf.PolynomialQuenching((0.0554628, 4.30681, -111.707, 840.384)),
        cf.LinearQuenching(0.246, 0.78),
    ],
    ids=lambda q: type(q).__name__,
)
def test_quenching_by_name(bare, quenching):
    experiment = bare((0.3, 1.0, 2.0), light_yield=1.0, quenching=quenching)
    counts = cf.event_rate(experiment, cf.StandardModel())
    assert counts == pytest.approx(slow_twin.event_rate(experiment, cf.StandardModel()), rel=1e-9)


def test_lindhard_against_its_formula():
    """k = 0.133 Z^(2/3)/√A is 0.157 for germanium; at 1 keV ε = 11.5/32^(7/3)."""
    epsilon = 11.5 / 32 ** (7 / 3)
    g = 3 * epsilon**0.15 + 0.7 * epsilon**0.6 + epsilon
    k = 0.133 * 32 ** (2 / 3) / math.sqrt(72.63)
    assert round(k, 3) == 0.157
    assert cf.LindhardQuenching("Ge")([1e-3]) == pytest.approx([k * g / (1 + k * g)], rel=1e-5)
    assert cf.LindhardQuenching("Ge", k=0.2)([1e-3, 0.0]) == pytest.approx([0.2 * g / (1 + 0.2 * g), 0.0])
    with pytest.raises(ValueError, match=r"element = 'Gm': .*must be one of the natural nuclides"):
        cf.LindhardQuenching("Gm")
    with pytest.raises(ValueError, match=r"k = -1"):
        cf.LindhardQuenching("Ge", -1)


def test_what_is_not_stated_is_zero():
    assert cf.GaussianSmearing(constant=0.03).width(0.5) == 0.03
    assert cf.GaussianSmearing(linear=0.1).width(2.0) == pytest.approx(0.2)
    assert cf.GaussianSmearing(statistical=0.5).width([4.0, 16.0]) == pytest.approx([1.0, 2.0])
    with pytest.raises(ValueError, match="at least one of"):
        cf.GaussianSmearing()


def test_an_acceptance_that_is_bad_between_the_probes(bare):
    """What the first check misses is refused when rates are computed."""

    def spike(x):
        return np.where(np.abs(x - 1.0013) < 1e-3, np.nan, 0.5)

    with pytest.raises(ValueError, match="acceptance: returns nan"):
        cf.event_rate(bare((1.0, 2.0), acceptance=spike), cf.StandardModel())


def test_replace():
    d = detector((1.0, 2.0))
    assert d.replace(mass=3.0).mass == 3.0
    assert d.mass == 1.0
    with pytest.raises(ValueError, match=r"detector: unknown field 'maas'; did you mean 'mass'\?"):
        d.replace(maas=3.0)
