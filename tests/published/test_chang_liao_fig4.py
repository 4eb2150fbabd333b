"""Chang & Liao 2020, Fig. 4 as the paper's module has it; its numbers are tested with the scans."""

import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast.papers import chang_liao_figures

INTERCEPTS = {"a_M": 7.5e-4, "C_S": 3.6e-2, "C_T": 0.65}


@pytest.fixture(scope="module")
def coherent():
    """The planes of COHERENT CsI."""
    return {plane: chang_liao_figures.fig4_scan("COHERENT", plane) for plane in chang_liao_figures.FIG4_PLANES}


def test_every_region_is_whole_and_liquid_argon_is_inside(coherent):
    for plane, scan in coherent.items():
        lar = chang_liao_figures.fig4_scan("future COHERENT", plane)
        regions = [each.contours(delta_chi2=4.61) for each in (scan, lar)]
        assert all(len(region.rings) == 1 and not region.clipped for region in regions)
        assert np.all(scan.delta_chi2[lar.delta_chi2 <= 4.61] <= 4.61)
        assert 0.02 < regions[1].area / regions[0].area < 0.3


def test_phases_matter():
    """Imaginary against real: no interference, no correlation (the paper's remark on CP phases)."""
    x, y = np.linspace(-0.05, 0.05, 101), np.linspace(-1e-3, 1e-3, 101)
    csi, eft = cf.load("coherent-csi-2017"), cf.SingletEFT(40.0, variant="published")
    turned = cf.correlation_scan(csi, eft, ("C_S", "a_M"), x, y, phases={"a_M": 1j})
    assert abs(turned.correlation(delta_chi2=4.61)) < 1e-9


def test_the_figure_holds_closed_lines():
    table = chang_liao_figures.fig4()
    which = np.array([table.columns["plane"], table.columns["experiment"]])
    rings = np.array([table.columns["x"], table.columns["y"]])
    for plane in chang_liao_figures.FIG4_PLANES:
        for name in chang_liao_figures.FIG4_SETUPS:
            ring = rings[:, np.all(which.T == (", ".join(plane), name), axis=1)]
            assert ring.shape[1] > 100 and np.array_equal(ring[:, 0], ring[:, -1])
            if name == "COHERENT":
                for i, coupling in enumerate(plane):
                    on_axis = np.argmin(np.abs(ring[1 - i]))
                    assert abs(ring[i, on_axis]) == pytest.approx(INTERCEPTS[coupling], rel=0.03)
    correlation = {name: float(value) for name, value in table.about.items() if name.startswith("correlation")}
    assert len(correlation) == 6
    for name, value in correlation.items():
        assert abs(value) < 1e-3 if "C_T" in name else -0.6 < value < -0.35
