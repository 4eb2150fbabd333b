"""Brdar et al., Secs. III and IV with Fig. 7: numbers, statements, and what is a misprint."""

import math

import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast.papers import brdar_2018_cosmology as paper
from cevns_fast.reference import relic_density as slow

cosmology = cf.cosmology


def test_numbers_have_their_verdicts():
    numbers = paper.numbers()
    assert len(numbers) == 18
    others = {n.what: n.verdict for n in numbers if n.verdict != "reproduced"}
    assert others == {"m_nu from chi [eV]": "not reproduced", "largest theta_e_chi": "within convention"}
    assert all(n.reason for n in numbers if n.verdict != "reproduced")


def test_every_statement_has_its_verdict():
    failed = [each.statement for each in paper.statements() if not each.holds]
    assert failed == [
        '"m_chi = 10 MeV" and "m_chi = 100 MeV"',
        "the same for m_S = 100, y = 1e-4 and the paper's own Majorana chi with all amplitudes",
        "chi cannot decay into a pair of electrons",
    ]
    assert all(each.reason for each in paper.statements() if not each.holds)


def test_figure_7():
    """Thermal freeze-out for y = 1e-3, later for the lighter S; weak couplings keep what there was at T_QCD."""
    table = paper.fig7()
    column = {name: np.array(values) for name, values in table.columns.items()}
    x = column["x"]
    assert column["m_S=10 y=0.001"][-1] == pytest.approx(3.872952e-05, rel=1e-6)
    assert column["m_S=10 y=0.0001"][-1] == pytest.approx(2.792155e-02, rel=1e-6)
    assert column["m_S=10 y=0.001"][-1] < 0.01 * column["m_S=100 y=0.001"][-1]
    thermal = (x > 0.3) & (x < 3)
    assert column["m_S=10 y=0.001"][thermal] == pytest.approx(column["Y_eq"][thermal], rel=0.02)
    assert all(
        column[f"m_S={m} y={y}"][0] == pytest.approx(1.23321e-2, rel=1e-6) for m in (10, 100) for y in (0.001, 1e-05)
    )


def test_dilutions():
    light, heavy = (paper.evolution(m_S).dilution for m_S in paper.MEDIATORS)
    assert light[0] == pytest.approx(266, abs=1)
    assert all(1.2e5 < d < 1.95e5 for d in (light[2], heavy[1], heavy[2]))


def test_subdominant_freeze_in_fails_for_the_full_majorana_case():
    """m_S = 100, y = 1e-4: the u-channel and χχ → νν double the yield."""
    for reading, low, high in (("dirac", 1.4, 1.7), ("majorana", 1.9, 2.2)):
        found = paper.evolution(100.0, reading)
        assert low < found.Y_chi[1, -1] / (found.Y_chi[1, 0] + found.Y_S[1, 0]) < high


def test_named_readings_count_different_amplitudes():
    """At threshold: t-channel alone m²/[32π(M² + m²)²]; νν̄ of a Majorana χ is p-wave; χχ → νν is twice the first."""
    m, M, T = 3.0, 10.0, 3e-4
    rates = {r: float(cosmology.thermal_cross_section("chi-chi-nu-nu", m, M, T, r)) for r in slow.READINGS}
    assert rates["dirac"] == rates["dirac-pair"] == pytest.approx(m**2 / (32 * math.pi * (M**2 + m**2) ** 2), rel=1e-3)
    assert rates["majorana-lepton-conserving"] < 1e-3 * rates["dirac"]
    assert rates["majorana"] == pytest.approx(2 * rates["dirac"], rel=2e-3)


def test_mass_in_the_text_of_figure_7_is_that_of_S():
    """Were m_χ = 10 MeV meant, χ would be as heavy as S and decay."""
    with pytest.raises(ValueError, match=r"m_S = 10\.0: must be > m_chi"):
        cosmology.relic_density(10.0, 10.0, 1e-4)
    text = [each for each in paper.statements() if "m_chi = 10 MeV" in each.statement]
    assert len(text) == 1 and text[0].reason == "misprint"


def test_width_of_S_is_that_of_massless_chi():
    """Γ_S = y²M/8π as printed; (1 − m²/M²)² matters only where S decays late."""
    fast, late = (
        [cosmology.relic_density(3.0, 4.5, y, width=w).omega_h2 for w in ("massless", "exact")] for y in (1e-5, 1e-12)
    )
    assert fast[0] == pytest.approx(fast[1], rel=1e-7)
    assert late[0] > 1.02 * late[1]


def test_largest_mixing_of_a_stable_chi():
    """The printed 4.8e-9 needs a Dirac χ that decays into three neutrinos alone within 4.0e17 s."""
    maximal = cosmology.maximal_mixing
    assert maximal(5.0, 4.0e17, channels=["3nu"]) == pytest.approx(4.8e-9, rel=1e-3)
    assert maximal(5.0, majorana=True, channels=["3nu"]) == pytest.approx(3.26e-9, rel=2e-3)


def test_chi_decays_into_electron_pairs():
    widths = cosmology.decay_widths(5.0, 1e-9)
    assert widths["nu-e-e"] / widths["3nu"] == pytest.approx(0.509, abs=5e-4)


def test_seesaw_figure():
    """A limit on ȳ and a neutrino mass meet at M_N = m_ν y₃²/y_χ²."""
    table = paper.seesaw()
    M_N, mass, limit = (np.array(table.columns[name]) for name in ("M_N", "m_nu=0.1", "conus-4kg"))
    slope = limit[0] / M_N[0]
    crossing = np.exp(np.interp(0.0, np.log(limit / mass), np.log(M_N)))
    y_bar = slope * 174.0
    assert crossing == pytest.approx(1e-10 / y_bar**2, rel=1e-6)
    assert 0.01 < crossing < 1.0


def test_mass_of_the_neutrino_from_chi():
    """θ² m_χ = 0.50 eV for the largest mixing: the printed 0.1 eV is an order of magnitude."""
    seesaw = cosmology.Seesaw(0.0, 9.087e-9, 1.0, 5.0, 1000.0)
    assert seesaw.masses[0] == pytest.approx(0.50e-6, rel=1e-3)
