"""Kinematics for people: BRX Eqs. (5)–(13) against themselves at many digits, and at the limits."""

import math

import mpmath
import numpy as np
import pytest

import cevns_fast as cf

GE = 72600.0  # MeV, BRX's germanium
mp = mpmath.mp.clone()
mp.dps = 120

CASES = [
    (E, m, M)
    for M in (GE, 938.0, 123772.75)
    for E in (1.0, 5.0, 52.8)
    for m in (1e-9, 1e-3, 0.3, 0.9, 4.9, 50.0)
    if m + m * m / (2 * M) <= E
]


def brx_9(E, m, M):
    """The roots as printed, with digits to spare."""
    E, m, M = map(mp.mpf, (E, m, M))
    root = E * mp.sqrt(4 * M**2 * E**2 - 4 * M * m**2 * (E + M) + m**4)
    return [(2 * M * E**2 - m**2 * (E + M) + sign * root) / (2 * M * (2 * E + M)) for sign in (-1, 1)]


def brx_5(E, T, m, M):
    """cos θ."""
    E, T, m, M = map(mp.mpf, (E, T, m, M))
    return (E * T + M * T + m**2 / 2) / (E * mp.sqrt((M + T) ** 2 - M**2))


@pytest.mark.parametrize(("E", "m", "M"), CASES)
def test_every_function_has_all_its_digits(E, m, M):
    low, high = cf.recoil_range(E, m, M)
    expected_low, expected_high = brx_9(E, m, M)
    assert low == pytest.approx(float(expected_low), rel=2e-14, abs=0)
    assert high == pytest.approx(float(expected_high), rel=2e-15, abs=0)

    theta, T = cf.scattering_angle_extremum(E, m, M)
    exact_T = mp.mpf(M) * mp.mpf(m) ** 2 / (2 * mp.mpf(M) * E - mp.mpf(m) ** 2 + 2 * mp.mpf(M) ** 2)
    assert T == pytest.approx(float(exact_T), rel=1e-15, abs=0)
    assert theta == pytest.approx(float(mp.acos(brx_5(E, exact_T, m, M))), rel=1e-14, abs=0)
    cosine = m * math.sqrt(4 * M * (E + M) - m * m) / (2 * M * E)  # as printed
    assert math.cos(theta) == pytest.approx(cosine, rel=1e-9, abs=1e-15)

    for T in (low * 1.01, math.sqrt(low * high), 0.99 * high):
        if low < T < high:
            angle = cf.scattering_angle(E, T, m, M)
            assert angle == pytest.approx(float(mp.acos(brx_5(E, T, m, M))), rel=1e-11, abs=0)
            assert angle <= theta * (1 + 1e-12)
    for T in (low, high):  # the images of each other
        assert cf.minimum_neutrino_energy(T, m, M) == pytest.approx(E, rel=1e-13, abs=0)


def test_threshold():
    """BRX Eqs. (11) and (12)."""
    E = cf.threshold_energy(40.0, GE)
    assert E == pytest.approx(40 + 1600 / (2 * GE), rel=1e-15)
    T = 40.0**2 / (2 * (GE + 40.0))
    assert cf.recoil_range(E * (1 + 1e-15), 40.0, GE) == pytest.approx((T, T), rel=1e-6)
    assert cf.minimum_neutrino_energy(T, 40.0, GE) == pytest.approx(E, rel=1e-14)
    around = cf.minimum_neutrino_energy([0.9 * T, 1.1 * T], 40.0, GE)
    assert np.all(around > E)


def test_below_threshold_and_outside_the_range_there_is_nothing():
    E = np.array([39.0, 41.0])
    for values in (
        *cf.recoil_range(E, 40.0, GE),
        *cf.scattering_angle_extremum(E, 40.0, GE),
        cf.scattering_angle(E, 40.0**2 / (2 * GE), 40.0, GE),
    ):
        assert np.isnan(values).tolist() == [True, False]
    low, high = cf.recoil_range(41.0, 40.0, GE)
    assert np.isnan(cf.scattering_angle(41.0, [0.99 * low, 1.01 * high, 0.0], 40.0, GE)).all()


def test_massless():
    """BRX Eqs. (10) and (13)."""
    low, high = cf.recoil_range([0.0, 5.0], 0.0, GE)
    assert low.tolist() == [0.0, 0.0]
    assert high == pytest.approx([0.0, 2 * 25 / (GE + 10)], rel=1e-15)
    assert cf.minimum_neutrino_energy(0.0, 0.0, GE) == 0.0
    assert cf.minimum_neutrino_energy(0.0, 1.0, GE) == math.inf
    assert cf.scattering_angle(5.0, 0.0, 0.0, GE) == math.pi / 2
    assert cf.scattering_angle_extremum(5.0, 0.0, GE) == (math.pi / 2, 0.0)
    assert cf.scattering_angle(5.0, cf.recoil_range(5.0, 0.0, GE)[1], 0.0, GE) < 1e-7
    assert cf.scattering_angle(5.0, 0.5 * high[1], 0.0, GE) == pytest.approx(math.pi / 4, rel=1e-4)


def test_figure_2_of_brdar():
    """M = 72.6 GeV, E = 5 MeV: nothing recoils beyond 0.69 keV, and for m = 3 MeV beyond 53°."""
    assert cf.recoil_range(5.0, 0.0, GE)[1] == pytest.approx(0.689e-3, rel=1e-3)
    assert math.degrees(cf.scattering_angle_extremum(5.0, 3.0, GE)[0]) == pytest.approx(53.13, rel=1e-3)


def test_it_agrees_with_the_kernel():
    from cevns_fast._kernels.rates import recoil_limits

    for E, m, M in CASES:
        assert cf.recoil_range(E, m, M) == pytest.approx(recoil_limits(E, m, M), rel=1e-13, abs=0)


def test_arguments_broadcast_and_scalars_stay_scalars():
    E, m = np.array([[5.0], [6.0]]), np.array([0.0, 1.0, 2.0])
    low, high = cf.recoil_range(E, m, GE)
    assert low.shape == high.shape == (2, 3)
    assert cf.scattering_angle(E, 1e-4, m, GE).shape == (2, 3)
    assert low[1, 2] == cf.recoil_range(6.0, 2.0, GE)[0]
    assert all(type(x) is float for x in (*cf.recoil_range(5, 1, GE), cf.threshold_energy(1, GE)))
    assert type(cf.scattering_angle(5.0, 1e-4, 1.0, GE)) is float
    assert all(type(x) is float for x in cf.scattering_angle_extremum(5.0, 1.0, GE))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cf.recoil_range(-1.0, 0.0, GE), "E = "),
        (lambda: cf.recoil_range(1.0, -1.0, GE), "m_chi = "),
        (lambda: cf.recoil_range(1.0, 1.0, 0.0), "M = 0.0: must be finite and > 0"),
        (lambda: cf.scattering_angle(1.0, math.nan, 1.0, GE), "T = "),
        (lambda: cf.minimum_neutrino_energy(-1e-3, 1.0, GE), "T = "),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
