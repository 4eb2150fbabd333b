"""Brdar, Rodejohann & Xu 2018: the bounds on ȳ, what the text says of them, and the figures.

The paper prints no number of Fig. 4; those below were obtained by an independent calculation with Δχ² = 2.71, COHERENT
without nuisances and without subtracting the beam-on background, CONUS with a total flux of 2.5e13 ending at 8 MeV.
"""

import math

import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast.likelihood.measurement import measurement_of
from cevns_fast.papers import brdar_2018 as brx


@pytest.mark.parametrize(
    ("name", "m_S", "y_bar"),
    [
        ("coherent-csi-2017", 0.0, 6.8e-5),
        ("coherent-csi-2017", 10.0, 6.9e-5),
        ("coherent-csi-2017", 100.0, 1.44e-4),
        ("conus-4kg", 0.0, 1.12e-5),
        ("conus-4kg", 10.0, 1.41e-5),
        ("conus-4kg", 100.0, 8.5e-5),
    ],
)
def test_bounds_at_3_MeV(name, m_S, y_bar):
    assert brx.bounds(brx.setup(name), 3.0, m_S)[0] == pytest.approx(y_bar, rel=0.05, abs=0)


def test_coherent_as_the_paper_fits_it():
    """σ² = N_meas + 2 B_SS, and nothing else."""
    csi, plain = cf.load("coherent-csi-2017"), brx.without_nuisances("coherent-csi-2017")
    statistic = measurement_of(plain)
    assert statistic.variance == pytest.approx(csi.observed + 2 * csi.steady_state)
    assert statistic.data == pytest.approx(csi.observed)
    assert (statistic.scale_variance, len(statistic.columns)) == (0.0, 0)


def test_bounds_are_flat_for_light_and_straight_for_heavy_mediators():
    """Fig. 4, left: flat below 2 MeV (CONUS) and 10 MeV (COHERENT), linear in m_S when heavy."""
    for name, light in (("conus-4kg", 2.0), ("coherent-csi-2017", 10.0)):
        experiment = brx.setup(name)
        massless, flat, lower, upper = brx.bounds(experiment, 3.0, np.array([0.0, light, 500.0, 1000.0]))
        assert massless < flat < 1.03 * massless
        assert math.log2(upper / lower) == pytest.approx(1.0, abs=0.01)


def test_bounds_over_m_chi():
    """Fig. 4, right: flat, then a steep rise at 6 MeV for CONUS, and a slower one up to 53 MeV for COHERENT."""
    assert brx.rise(brx.setup("conus-4kg")) == pytest.approx(6.0, abs=0.2)
    conus = brx.bounds(brx.setup("conus-4kg"), np.array([0.1, 1.0, 6.0, 7.9]), 0.0)
    assert conus[1] < 1.03 * conus[0] and conus[2] > 2.5 * conus[0] and conus[3] == math.inf
    coherent = brx.bounds(brx.setup("coherent-csi-2017"), np.array([0.1, 10.0, 45.0, 53.0]), 0.0)
    assert coherent[1] < 1.01 * coherent[0] and coherent[2] < 2 * coherent[0] and coherent[3] == math.inf


def test_the_future():
    """Fig. 5: both set-ups improve, CONUS with its threshold most."""
    now = {name: brx.bounds(brx.setup(name), 5.0, np.array([0.0, 100.0])) for name in brx.LABELS}
    assert np.all(now["conus-100kg-brdar"] < now["coherent-csi-x100"])
    assert np.all(now["coherent-csi-x100"] < now["coherent-csi-2017"])
    assert np.all(now["conus-100kg-brdar"] < 0.6 * now["conus-4kg"])
    # 10^(1/4) of an error ten times smaller, were the data of today those that the Standard Model predicts.
    today = brx.without_nuisances("coherent-csi-2017").replace(observed=None)
    assert brx.bounds(today, 5.0, 0.0)[0] / now["coherent-csi-x100"][0] == pytest.approx(10**0.25, rel=0.05)


def test_statements():
    numbers = brx.numbers()[:12]  # the others are test_brdar_2018_cosmology.py's
    assert [n.what for n in numbers if n.verdict != "reproduced"] == []


def test_kinks_of_figure_3():
    """The ν_μ line ends at 14 keV for χ of 3 MeV, and is too low for χ of 30 MeV."""
    table = brx.fig3()
    T = np.array(table.columns["COHERENT T"])
    kinks = {}
    for d in brx.FIG3[1].curves:
        ratio = np.array(table.columns[f"COHERENT ratio {d.y_bar:g} {d.m_chi:g} {d.m_S:g}"])
        kinks[d.m_chi] = T[:-1][np.diff(ratio) < -0.04]
        assert np.nanmin(ratio) >= 1.0
    assert set(np.floor(kinks[3.0][kinks[3.0] > 8.0])) == {14.0}
    assert np.all(kinks[30.0] < 8.0)


@pytest.mark.parametrize("figure", brx.PAPER.figures, ids=lambda f: f.name)
def test_figures(figure):
    matplotlib = pytest.importorskip("matplotlib")
    table = figure.data()
    assert table.csv().startswith("# ")
    assert isinstance(figure.draw(table), matplotlib.figure.Figure)  # rendered in tests/cli
