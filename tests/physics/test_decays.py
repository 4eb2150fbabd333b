"""How long χ lives, and what that means for its mixing."""

import math

import pytest
from check_values import value

import cevns_fast as cf
from cevns_fast.constants import AGE_OF_UNIVERSE, ALPHA, M_ELECTRON
from cevns_fast.reference.decays import electron_pair_width

decay_widths, maximal_mixing = cf.cosmology.decay_widths, cf.cosmology.maximal_mixing


def test_widths_at_5_MeV():
    widths = decay_widths(5.0, mixing=1.0)
    assert widths["3nu"] == pytest.approx(0.108496, rel=3e-6)
    assert widths["nu-gamma"] == pytest.approx(8.50554e-4, rel=1e-6)
    assert widths["nu-gamma"] / widths["3nu"] == pytest.approx(27 * ALPHA / (8 * math.pi), rel=1e-14)
    assert widths["nu-e-e"] / widths["3nu"] == pytest.approx(0.509, abs=5e-4)
    for flavour in ("mu", "tau"):
        other = decay_widths(5.0, mixing={flavour: 1.0})
        assert other["nu-e-e"] / other["3nu"] == pytest.approx(0.103, abs=5e-4)


@pytest.mark.parametrize("flavour", ["e", "mu", "tau"])
@pytest.mark.parametrize("m", [1.03, 1.1, 2.0, 5.0, 50.0, 100.0])
def test_electron_pairs_are_the_integrated_matrix_element(m, flavour):
    assert decay_widths(m, {flavour: 1e-3})["nu-e-e"] == pytest.approx(electron_pair_width(m, 1e-3, flavour), rel=1e-8)


def test_electron_pairs_at_another_weak_mixing_angle():
    expected = value("D.ratio_ee_3nu_m5.0")
    for flavour, key in (("e", "e"), ("mu", "mu,tau"), ("tau", "mu,tau")):
        widths = decay_widths(5.0, {flavour: 1.0}, sin2_theta_w=0.23857)
        assert widths["nu-e-e"] / widths["3nu"] == pytest.approx(expected[key], rel=1e-10)
    with pytest.raises(ValueError, match=r"sin2_theta_w = 1\.2: must be from 0 to 1"):
        decay_widths(5.0, 1.0, sin2_theta_w=1.2)


def test_no_electron_pairs_below_threshold():
    assert decay_widths(2 * M_ELECTRON, 1.0)["nu-e-e"] == 0.0


def test_mixings_add_and_majorana_doubles():
    both = decay_widths(5.0, {"e": 1e-3, "mu": 2e-3}, a_M=1e-5)
    one, two = decay_widths(5.0, {"e": 1e-3}), decay_widths(5.0, {"mu": 2e-3})
    for channel in ("3nu", "nu-e-e", "nu-gamma"):
        assert both[channel] == pytest.approx(one[channel] + two[channel], rel=1e-14)
    majorana = decay_widths(5.0, {"e": 1e-3, "mu": 2e-3}, a_M=1e-5, majorana=True)
    assert dict(majorana) == pytest.approx({channel: 2 * width for channel, width in both.items()}, rel=1e-14)


def test_dipole():
    widths = decay_widths(40.0, a_M=1e-8 / 9.692252e-6)
    assert widths.total * 6.582119569e-22 == pytest.approx(
        1.6407965e-13 * (1e-8 / 9.692252e-6) ** 2 * 40.0**3, rel=1e-7
    )
    assert float(widths.decay_probability(50.0, 0.3)) == pytest.approx(0.022, abs=5e-4)
    assert float(widths.decay_length(50.0)) == pytest.approx(0.75 * 299792458.0 * widths.lifetime, rel=1e-12)
    assert decay_widths(40.0, a_M=1e-3j, helicity="summed").total == pytest.approx(
        2 * decay_widths(40.0, a_M=1e-3).total, rel=1e-14
    )


def test_maximal_mixing():
    assert maximal_mixing(5.0, 4.0e17, channels=["3nu"]) == pytest.approx(4.800e-9, rel=1e-3)
    assert maximal_mixing(5.0, channels=["3nu"]) == pytest.approx(4.60e-9, rel=1e-3)
    assert maximal_mixing(5.0, channels=["3nu"], majorana=True) == pytest.approx(3.26e-9, rel=2e-3)
    theta = maximal_mixing(5.0, flavour="mu")
    assert decay_widths(5.0, {"mu": theta}).lifetime == pytest.approx(AGE_OF_UNIVERSE, rel=1e-12)


def test_stable():
    assert decay_widths(5.0).lifetime == math.inf
    assert float(decay_widths(5.0).decay_probability(10.0, 1e9)) == 0.0


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: decay_widths(0.0), "m_chi = 0.0"),
        (lambda: decay_widths(5.0, {"electron": 1.0}), "mixing = 'electron': .*must be one of 'e', 'mu', 'tau'"),
        (lambda: decay_widths(5.0, 1.1), r"mixing of e = 1.1: must be in \[0, 1\]"),
        (lambda: decay_widths(110.0, 1e-3), "m_chi = 110.0: must be < m_mu"),
        (lambda: decay_widths(5.0, majorana=1), "majorana = 1"),
        (lambda: decay_widths(5.0, 1e-3).decay_length(4.0), "E = 4.0: must be > m_chi = 5.0"),
        (lambda: decay_widths(5.0, 1e-3).decay_probability(10.0, -1.0), "length = .*-1.0"),
        (lambda: maximal_mixing(5.0, channels=[]), "channels = "),
        (lambda: maximal_mixing(5.0, channels=["3 nu"]), "channels = '3 nu'"),
        (lambda: maximal_mixing(5.0, lifetime=0.0), "lifetime = 0.0"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
