"""Planes with a mass axis: against scans at single masses, in either order, profiled, kept."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import cevns_fast as cf

CSI = cf.load("coherent-csi-2017")
MASSES, DIPOLES = np.linspace(2.0, 60.0, 9), np.linspace(-1e-3, 1e-3, 11)


@pytest.mark.parametrize("statistic", ["gaussian", "poisson"])
def test_rows_are_scans_at_their_mass(statistic):
    plane = cf.correlation_scan(CSI, cf.SingletEFT, ("m_chi", "a_M"), MASSES, DIPOLES, statistic=statistic)
    assert plane.couplings == ("m_chi", "a_M") and plane.chi2.shape == (9, 11)
    for i in (0, 4, 8):
        one = cf.SingletEFT(m_chi=MASSES[i])
        alone = cf.correlation_scan(CSI, one, ("a_M",), DIPOLES, statistic=statistic)
        assert plane.chi2[i] == pytest.approx(alone.chi2, rel=1e-8)
    turned = cf.correlation_scan(CSI, cf.SingletEFT(5.0), ("a_M", "m_chi"), DIPOLES, MASSES, statistic=statistic)
    np.testing.assert_array_equal(turned.chi2, plane.chi2.T)
    assert plane.chi2_min[0] <= plane.chi2.min()
    assert set(plane.best_fit) == {"m_chi", "a_M"}


def test_profiled_and_fixed_couplings():
    given = dict(fixed={"C_V": 0.05}, profile=("C_S",))
    plane = cf.correlation_scan(CSI, cf.SingletEFT, ("m_chi", "a_M"), [5.0, 20.0], DIPOLES, **given)
    fit = cf.Likelihood(CSI, model=cf.SingletEFT(20.0, C_V=0.05), parameters=("a_M", "C_S"))
    alone = [cf.best_fit(fit, fixed={"a_M": a_M}).chi2 for a_M in DIPOLES]
    assert plane.chi2[1] == pytest.approx(alone, rel=1e-7)
    same = cf.correlation_scan(
        CSI, cf.SingletEFT(5.0, C_V=0.05), ("m_chi", "a_M"), [5.0, 20.0], DIPOLES, profile=("C_S",)
    )
    np.testing.assert_array_equal(plane.chi2, same.chi2)


def test_other_masses():
    plane = cf.correlation_scan(
        CSI, cf.ScalarMediator(m_chi=10.0, m_S=50.0), ("m_S", "y"), [20.0, 100.0], [0.0, 1e-5], fixed=None
    ) if "y" in cf.ScalarMediator.couplings else None  # fmt: skip
    if plane is not None:
        alone = cf.correlation_scan(CSI, cf.ScalarMediator(m_chi=10.0, m_S=100.0), ("y",), [0.0, 1e-5])
        assert plane.chi2[1] == pytest.approx(alone.chi2, rel=1e-8)


def test_contours_files_executors(tmp_path):
    x, y = np.linspace(2.0, 45.0, 60), np.linspace(-1.2e-3, 1.2e-3, 61)
    plane = cf.correlation_scan(CSI, cf.SingletEFT, ("m_chi", "a_M"), x, y, threads=2, checkpoint=tmp_path / "kept")
    region = plane.contours(0.90)
    assert region.area > 0 and region.clipped  # every mass allows small couplings
    with ThreadPoolExecutor(2) as executor:
        again = cf.correlation_scan(CSI, cf.SingletEFT, ("m_chi", "a_M"), x, y, executor=executor)
    np.testing.assert_array_equal(again.chi2, plane.chi2)
    resumed = cf.correlation_scan(CSI, cf.SingletEFT, ("m_chi", "a_M"), x, y, checkpoint=tmp_path / "kept")
    np.testing.assert_array_equal(resumed.chi2, plane.chi2)
    plane.save(tmp_path / "plane.nc")
    read = cf.open_scan(tmp_path / "plane.nc")
    np.testing.assert_array_equal(read.chi2, plane.chi2)
    assert read.couplings == ("m_chi", "a_M") and read.masses is None
    assert {k: float(v[0]) for k, v in read.best_fit.items()} == {k: float(v[0]) for k, v in plane.best_fit.items()}


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"couplings": ("m_chi", "a_m")}, "a_m"),
        ({"couplings": ("m_chi", "m_chi")}, "m_chi"),
        ({"fixed": {"m_chi": 5.0}}, "fixed: 'm_chi' is among the parameters"),
        ({"fixed": {"C_W": 5.0}}, "C_W"),
        ({"interaction": cf.SingletEFT(5.0), "couplings": ("C_S", "a_M"), "fixed": {"C_V": 1.0}}, "fixed = "),
    ],
)
def test_refusals(changes, message):
    arguments = dict(interaction=cf.SingletEFT, couplings=("m_chi", "a_M")) | changes
    options = {name: arguments.pop(name) for name in list(arguments) if name == "fixed"}
    with pytest.raises(ValueError, match=message):
        cf.correlation_scan(CSI, arguments["interaction"], arguments["couplings"], [5.0, 6.0], [0.0, 1e-3], **options)
