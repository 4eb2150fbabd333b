"""The scalar mediator: BRX Eqs. (16)–(21), its contact limit, its couplings, and the slow twin."""

import math

import numpy as np
import pytest
from accuracy import error, slow_counts

import cevns_fast as cf
from cevns_fast.constants import G_FERMI, MEV2_CM2

CESIUM, GE74 = cf.nuclide("Cs133"), cf.nuclide("Ge74")
GERMANIUM = cf.Target("Ge74", (GE74,), (1.0,))
POINT = cf.PointNucleus()


def brx_21(E, T, M, A, m, m_S, y_bar):
    """MeV⁻³, with A² in the numerator."""
    K = (1 + T / (2 * M)) * (M * T / E**2 + m**2 / (2 * E**2))
    return M * y_bar**4 * A**2 * K / (4 * math.pi * (2 * M * T + m_S**2) ** 2)


@pytest.mark.parametrize("m_S", [0.0, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("antineutrino", [False, True])
def test_cross_section(m_S, antineutrino):
    scalar = cf.ScalarMediator(m_chi=5.0, m_S=m_S, y_bar=1e-4)
    found = cf.differential_cross_section(scalar, CESIUM, 40.0, 0.01, antineutrino=antineutrino, form_factor=POINT)
    expected = MEV2_CM2 * brx_21(40.0, 0.01, CESIUM.mass, 133, 5.0, m_S, 1e-4)
    assert found == pytest.approx(expected, rel=1e-13, abs=0)


@pytest.mark.parametrize("antineutrino", [False, True])
def test_heavy_scalar_is_the_contact_interaction(antineutrino):
    """|C_S| = y²/(G_F m_S²) with both helicities summed; a left-handed beam needs √2 times as much."""
    m_S, y_bar = 1e6, 1.0
    scalar = cf.ScalarMediator(m_chi=10.0, m_S=m_S, y_bar=y_bar)
    wanted = 133 * y_bar**2 / (G_FERMI * m_S**2)
    C_S = wanted / cf.SingletEFT(m_chi=10.0, C_S=1.0).nuclear_couplings(CESIUM)["C_S"].real
    for helicity, factor in (("summed", 1.0), ("left", math.sqrt(2))):
        eft = cf.SingletEFT(m_chi=10.0, C_S=factor * C_S, helicity=helicity)
        sigma = [
            cf.differential_cross_section(i, CESIUM, 40.0, [1e-4, 1e-3, 1e-2], antineutrino=antineutrino)
            for i in (scalar, eft)
        ]
        assert sigma[0] == pytest.approx(sigma[1], rel=1e-8, abs=0)


def test_heavy_scalar_has_the_bound_of_the_contact_interaction(bare):
    """The whole chain: templates, χ² and limit. ȳ² A is the nuclear coupling, so one nuclide is asked for."""
    cesium = cf.load("coherent-csi-2017").replace(target=cf.Target("Cs133", (CESIUM,), (1.0,)))
    m_S = 1e6
    y = cf.limit_scan(cesium, cf.ScalarMediator(m_chi=10.0, m_S=m_S), "y_bar", cl=0.9).upper[0]
    C_S = cf.limit_scan(cesium, cf.SingletEFT(m_chi=10.0), "C_S", cl=0.9).upper[0]
    nuclear = cf.SingletEFT(m_chi=10.0, C_S=1.0).nuclear_couplings(CESIUM)["C_S"].real
    assert 133 * y**2 / (G_FERMI * m_S**2) == pytest.approx(nuclear * C_S, rel=1e-7)


def test_each_nuclide_has_its_own_protons_and_neutrons():
    """BRX Eq. (20): (0.56 y_n + 0.44 y_p) y_χ for Ge, (0.58 y_n + 0.42 y_p) y_χ for CsI."""
    for name, n, p in (("Ge74", 0.56, 0.44), ("Cs133", 0.58, 0.42), ("I127", 0.58, 0.42)):
        nuclide = cf.nuclide(name)
        for couplings, share in (({"y_n": 1e-6}, n), ({"y_p": 1e-6}, p)):
            one = cf.ScalarMediator(m_chi=1.0, m_S=1.0, y_chi=1.0, **couplings)
            mean = cf.ScalarMediator(m_chi=1.0, m_S=1.0, y_bar=1e-3)
            a, b = (cf.differential_cross_section(i, nuclide, 8.0, 2e-4) for i in (one, mean))
            assert math.sqrt(a / b) == pytest.approx(share, abs=0.01)


def test_equal_nucleons_are_the_mean_coupling(csi):
    mean = cf.event_rate(csi, cf.ScalarMediator(m_chi=5.0, m_S=10.0, y_bar=1e-4), standard_model=False)
    each = cf.ScalarMediator(m_chi=5.0, m_S=10.0, y_chi=0.01, y_n=1e-6, y_p=1e-6)
    assert cf.event_rate(csi, each, standard_model=False) == pytest.approx(mean, rel=1e-13)


def test_protons_and_neutrons_add_coherently(csi):
    """Destructive where y_n = −y_p Z/N, for the nuclide of those Z and N only."""
    scalar = cf.ScalarMediator(m_chi=5.0, m_S=10.0, y_chi=1.0, y_n=-1 / 78, y_p=1 / 55)
    alone = scalar.replace(y_n=0.0)
    sigma = [cf.differential_cross_section(i, CESIUM, 40.0, 0.01) for i in (scalar, alone)]
    assert sigma[0] < 1e-28 * sigma[1]
    sigma = [cf.differential_cross_section(i, cf.nuclide("I127"), 40.0, 0.01) for i in (scalar, alone)]
    assert sigma[0] > 1e-4 * sigma[1]


@pytest.mark.parametrize(
    ("opened", "pairs"),
    [
        (("y_bar",), {("y_bar",) * 4}),
        (("y_chi",), {("y_chi",) * 2}),
        (("y_n",), {("y_n",), ("y_n",) * 2}),
        (("y_p", "y_n"), {("y_p", "y_p"), ("y_p", "y_n"), ("y_n", "y_n")}),
        (
            ("y_chi", "y_n"),
            {("y_chi",) * 2, ("y_chi",) * 2 + ("y_n",), ("y_chi",) * 2 + ("y_n",) * 2},
        ),
        (
            ("y_chi", "y_n", "y_p"),
            {("y_chi",) * 2 + (a, b) for a, b in (("y_n", "y_n"), ("y_n", "y_p"), ("y_p", "y_p"))},
        ),
    ],
)
def test_templates_of_open_couplings(csi, opened, pairs):
    values = {"y_bar": 2e-4} if opened == ("y_bar",) else {"y_chi": 0.3, "y_n": -2e-7, "y_p": 5e-7}
    scalar = cf.ScalarMediator(m_chi=5.0, m_S=10.0, **values)
    t = cf.templates(csi, scalar, opened)
    assert {pair for pair, row in zip(t.pairs, t.values, strict=True) if row.any()} == pairs
    assert t.counts({name: values[name] for name in opened}) == pytest.approx(cf.event_rate(csi, scalar), rel=1e-12)


def test_batches_of_different_couplings(csi):
    batch = [
        cf.ScalarMediator(m_chi=5.0, m_S=10.0, y_bar=1e-4),
        cf.ScalarMediator(m_chi=1.0, m_S=0.0, y_chi=1.0, y_n=1e-8),
        cf.ScalarMediator(m_chi=60.0, m_S=0.0, y_bar=1.0),
    ]
    rates = cf.event_rate(csi, batch)
    assert rates == pytest.approx(np.array([cf.event_rate(csi, each) for each in batch]), rel=1e-14)
    assert rates[2] == pytest.approx(cf.event_rate(csi, cf.StandardModel()), rel=1e-15)


def test_limits_on_parts_agree_with_the_limit_on_the_mean(csi):
    """y_χ y_N = ȳ² for y_p = y_n = y_N."""
    mean = cf.limit_scan(csi, cf.ScalarMediator(m_chi=3.0, m_S=10.0), "y_bar", cl=0.9).upper[0]
    fixed = cf.ScalarMediator(m_chi=3.0, m_S=10.0, y_n=1e-6, y_p=1e-6)
    part = cf.limit_scan(csi, fixed, "y_chi", cl=0.9).upper[0]
    assert part * 1e-6 == pytest.approx(mean**2, rel=1e-9)


@pytest.mark.parametrize(
    ("m_chi", "m_S"), [(1e-3, 0.0), (1e-3, 1e-2), (0.5, 1.0), (3.0, 0.0), (3.0, 10.0), (3.0, 1e4), (7.5, 0.0)]
)
def test_fast_equals_slow_in_wide_and_narrow_bins_of_a_reactor(m_chi, m_S):
    """Accuracy as in docs/validation.md: 1e-10 of a bin's terms. (0.005 keV is 0.86 MeV² of momentum transfer.)"""
    bins = (0.005, 0.1, 0.15, 2.0)
    conus = cf.load("conus-100kg").replace(bins=bins, target=GERMANIUM)
    check(conus, cf.ScalarMediator(m_chi=m_chi, m_S=m_S, y_bar=1e-5))


@pytest.mark.parametrize(("m_chi", "m_S"), [(1e-3, 0.0), (3.0, 1.0), (40.0, 0.0), (52.0, 10.0)])
def test_fast_equals_slow_in_wide_and_narrow_bins_of_a_spallation_source(bare, m_chi, m_S):
    experiment = bare((0.1, 5.0, 5.5, 60.0), composition={"Cs": 1})
    check(experiment, cf.ScalarMediator(m_chi=m_chi, m_S=m_S, y_chi=1.0, y_n=1e-9, y_p=-2e-9))


@pytest.mark.slow
def test_fast_equals_slow_down_to_zero_recoil():
    """Where the lowest bin is open, T_min decides; the propagator is steepest there."""
    conus = cf.load("conus-100kg").replace(bins=(0.0, 2.0), target=GERMANIUM)
    for m_chi, m_S in ((0.1, 0.0), (0.1, 0.1), (3.0, 0.01), (0.0, 1e-3), (0.0, 1e-2), (1.0, 0.0)):
        check(conus, cf.ScalarMediator(m_chi=m_chi, m_S=m_S, y_bar=1e-6))


def check(experiment, interaction):
    assert error(experiment, interaction, standard_model=False) < 1
    assert slow_counts(experiment, interaction)[0].max() > 0


def test_a_massless_mediator_needs_a_threshold():
    """m_χ = m_S = 0: dσ/dT ∝ 1/T."""
    open_below = cf.load("conus-100kg").replace(bins=(0.0, 2.0))
    with pytest.raises(ValueError, match="diverges at zero recoil"):
        cf.event_rate(open_below, cf.ScalarMediator(m_chi=0.0, m_S=0.0, y_bar=1e-5))
    assert cf.event_rate(cf.load("conus-100kg"), cf.ScalarMediator(m_chi=0.0, m_S=0.0, y_bar=1e-5)).min() > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"m_chi": -1.0, "m_S": 1.0}, "m_chi = -1.0: must be a finite number >= 0"),
        ({"m_chi": 1.0, "m_S": math.nan}, "m_S = nan"),
        ({"m_chi": 1.0, "m_S": 1.0, "y_bar": -1e-5}, "y_bar = -1e-05: must be a finite number >= 0"),
        ({"m_chi": 1.0, "m_S": 1.0, "y_n": 1j}, "y_n = 1j"),
        ({"m_chi": 1.0, "m_S": 1.0, "y_bar": 1e-5, "y_p": 1.0}, "y_p = 1.0: must be left out where y_bar is stated"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        cf.ScalarMediator(**arguments)


def test_y_bar_is_not_beside_what_it_stands_for(csi):
    scalar = cf.ScalarMediator(m_chi=1.0, m_S=1.0, y_bar=1e-5)
    with pytest.raises(ValueError, match="y_bar must be open alone"):
        cf.templates(csi, scalar, ("y_bar", "y_n"))
    with pytest.raises(ValueError, match="y_bar: must be None where y_n are open"):
        cf.templates(csi, scalar, ("y_n",))
    with pytest.raises(ValueError, match="coupling = 'C_S': must be one of 'y_bar'"):
        cf.limit_scan(csi, scalar, "C_S", cl=0.9)
    with pytest.raises(ValueError, match="y_chi, y_n, y_p: must be left out where y_bar is open"):
        cf.limit_scan(csi, cf.ScalarMediator(m_chi=1.0, m_S=1.0, y_chi=1.0, y_p=1e-5), "y_bar", cl=0.9)
