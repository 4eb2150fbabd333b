"""Feldman–Cousins on planes: the same toys as at single points, where they are spent, and what is kept."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from cases import quick_are

import cevns_fast as cf

CSI = cf.load("coherent-csi-2017")
X, Y = np.linspace(-0.05, 0.05, 11), np.linspace(-6e-4, 6e-4, 13)


def fit_of(statistic="gaussian", parameters=("C_S", "a_M"), model=None, **options):
    model = cf.SingletEFT(m_chi=10.0) if model is None else model
    return cf.Likelihood(CSI, statistic=statistic, model=model, parameters=parameters, **options)


@pytest.mark.parametrize("statistic", quick_are(["gaussian", "poisson"], 0))
def test_points_have_the_toys_of_feldman_cousins(statistic):
    fit = fit_of(statistic)
    found = cf.feldman_cousins_map(fit, ("C_S", "a_M"), X, Y, toys=600, seed=5)
    assert set(np.unique(found.toys)) == {200, 600}  # some near the contour, some far from it
    inside = found.allowed()
    assert inside[5, 6] and not inside[0, 0]
    full = np.argwhere(found.toys == 600)
    for i, j in (*full[::7], (5, 6), (0, 0)):
        alone = cf.feldman_cousins(fit, {"C_S": X[i], "a_M": Y[j]}, toys=int(found.toys[i, j]), seed=5)
        assert alone.p_value[0] == found.p_value[i, j]
        assert found.delta_chi2[i, j] == pytest.approx(alone.delta_chi2[0], abs=1e-7)
    # every point beside the contour has all toys
    for axis in (0, 1):
        crossed = np.diff(inside.astype(int), axis=axis) != 0
        low, high = (np.take(found.toys, np.arange(n, found.toys.shape[axis] - 1 + n), axis=axis) for n in (0, 1))
        assert np.all(low[crossed] == 600) and np.all(high[crossed] == 600)


@pytest.mark.slow
def test_the_contour_is_where_the_p_value_crosses():
    fit = fit_of()
    x, y = np.linspace(-0.06, 0.06, 25), np.linspace(-7e-4, 7e-4, 25)
    found = cf.feldman_cousins_map(fit, ("C_S", "a_M"), x, y, toys=600, adaptive=False)
    region = found.contours()
    assert len(region.rings) == 1 and region.resolved
    for vertex in region.rings[0].points[::9]:
        p = cf.feldman_cousins(fit, {"C_S": vertex[0], "a_M": vertex[1]}, toys=4000, seed=9).p_value[0]
        assert p == pytest.approx(0.1, abs=0.04)  # three errors of the map, and of interpolation
    areas = [found.contours(shift=shift).area for shift in (-1.0, 0.0, 1.0)]
    assert areas[0] < areas[1] < areas[2]
    assert found.contours(0.68).area < areas[1] < found.contours(0.95).area
    assert found.contours(delta_chi2=-2 * np.log(0.1)).area == pytest.approx(areas[1], rel=1e-9)
    # adaptive toys give the same contour
    fewer = cf.feldman_cousins_map(fit, ("C_S", "a_M"), x, y, toys=600)
    assert fewer.toys.sum() < 0.6 * found.toys.sum()
    assert fewer.contours().area == pytest.approx(areas[1], rel=1e-3)


@pytest.mark.slow
def test_the_contour_does_not_depend_on_the_grid():
    """Δχ² of the data is computed between the points, toys' critical values are interpolated."""
    fit, areas = fit_of(), []
    for n in (9, 17, 33):
        axes = np.linspace(-0.06, 0.06, n), np.linspace(-7e-4, 7e-4, n)
        found = cf.feldman_cousins_map(fit, ("C_S", "a_M"), *axes, toys=2000, seed=n)
        region = found.contours()
        assert len(region.rings) == 1 and region.accuracy < 1e-3
        areas.append(region.area)
        band = [found.contours(shift=shift).area for shift in (-1.0, 1.0)]
        assert band[0] < areas[-1] < band[1]
    # of the same plane, within what is said to be uncertain: seeds differ
    assert all(band[0] < area < band[1] for area in areas)


def test_a_plane_of_which_all_is_allowed():
    """Δχ² near zero says nothing of critical values: rates hardly change with either."""
    model = cf.ScalarMediator(10.0, 50.0)
    fit = fit_of(model=model, parameters=("m_S", "y_bar"), bounds={"m_S": (5.0, 200.0)})
    found = cf.feldman_cousins_map(fit, ("m_S", "y_bar"), np.linspace(5, 200, 5), np.linspace(0, 3e-5, 5), toys=50)
    region = found.contours()
    assert found.allowed().all() and region.clipped and region.area == pytest.approx(195 * 3e-5, rel=1e-9)


@pytest.mark.slow
def test_a_strip_that_is_thinner_than_the_grid(tmp_path):
    """Its toys are thrown along its boundary."""
    fit, names = fit_of(parameters=("C_V_u", "C_V_d")), ("C_V_u", "C_V_d")
    x = np.linspace(-40, 40, 21)
    found = cf.feldman_cousins_map(fit, names, x, x, toys=1000)
    region = found.contours()
    assert region.finer and region.clipped and region.accuracy < 1e-3
    assert [ring.hole for ring in region.rings] == [False] and len(found.rim) > 20
    inner = np.concatenate([ring.points for ring in region.rings])
    inner = inner[np.abs(inner).max(axis=1) < 38][::150]
    p = cf.feldman_cousins(fit, dict(zip(names, inner.T, strict=True)), toys=2000, seed=9).p_value
    assert p == pytest.approx(np.full(len(inner), 0.1), abs=0.035)  # three errors, of the rim and of these
    assert found.contours(shift=-1.0).area < region.area < found.contours(shift=1.0).area
    read = cf.open_scan(found.save(tmp_path / "strip.nc"))
    np.testing.assert_array_equal(read.rim, found.rim)
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        again = cf.feldman_cousins_map(fit, names, x, x, toys=1000, executor=executor)
    np.testing.assert_array_equal(again.rim, found.rim)


def test_a_mass_axis_and_a_profiled_coupling():
    fit = fit_of(model=cf.SingletEFT, parameters=("C_S", "m_chi", "a_M"), fixed={}, bounds={"m_chi": (1.0, 40.0)})
    x, y = np.array([5.0, 20.0]), np.array([0.0, 0.04])
    found = cf.feldman_cousins_map(fit, ("m_chi", "C_S"), x, y, toys=50)
    assert found.couplings == ("m_chi", "C_S")
    alone = cf.feldman_cousins(fit, {"C_S": 0.04, "m_chi": 20.0}, toys=50)
    assert alone.p_value[0] == found.p_value[1, 1]


@pytest.mark.slow
def test_executors_threads_and_files(tmp_path):
    fit = fit_of("poisson")
    given = dict(toys=250, seed=2)
    x, y = X[::2], Y[::3]
    once = cf.feldman_cousins_map(fit, ("C_S", "a_M"), x, y, **given)
    threads = cf.feldman_cousins_map(fit, ("C_S", "a_M"), x, y, threads=2, checkpoint=tmp_path / "kept", **given)
    again = cf.feldman_cousins_map(fit, ("C_S", "a_M"), x, y, checkpoint=tmp_path / "kept", **given)
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        processes = cf.feldman_cousins_map(fit, ("C_S", "a_M"), x, y, executor=executor, **given)
    for other in (threads, again, processes):
        np.testing.assert_array_equal(once.p_value, other.p_value)
        np.testing.assert_array_equal(once.toys, other.toys)
    with pytest.raises(ValueError, match="seed"):
        cf.feldman_cousins_map(fit, ("C_S", "a_M"), x, y, checkpoint=tmp_path / "kept", toys=250, seed=3)
    once.save(tmp_path / "map.nc")
    read = cf.open_scan(tmp_path / "map.nc")
    assert isinstance(read, cf.ConfidenceMap) and read.cl == 0.9
    np.testing.assert_array_equal(read.p_value, once.p_value)
    np.testing.assert_array_equal(read.allowed(0.68), once.allowed(0.68))
    assert read.best_fit == {name: pytest.approx(value) for name, value in once.best_fit.items()}


SCRIPT = """
import sys, numpy as np, cevns_fast as cf
fit = cf.Likelihood(cf.load("coherent-csi-2017"), statistic="poisson", model=cf.SingletEFT(m_chi=10.0),
                    parameters=("C_S", "a_M"))
x, y = np.linspace(-0.05, 0.05, 11), np.linspace(-6e-4, 6e-4, 13)
found = cf.feldman_cousins_map(fit, ("C_S", "a_M"), x, y, toys=600, checkpoint=sys.argv[1])
np.save(sys.argv[2], found.p_value)
"""


@pytest.mark.slow
def test_killed_and_resumed(tmp_path):
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "kept")]
    process = subprocess.Popen([*command, str(tmp_path / "never.npy")])
    deadline = time.monotonic() + 60
    while len(list((tmp_path / "kept").rglob("*.bin"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "never.npy").exists()
    subprocess.run([*command, str(tmp_path / "resumed.npy")], check=True)
    whole = cf.feldman_cousins_map(fit_of("poisson"), ("C_S", "a_M"), X, Y, toys=600)
    np.testing.assert_array_equal(np.load(tmp_path / "resumed.npy"), whole.p_value)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"names": ("C_S", "C_S")}, "must be two different parameters"),
        ({"names": ("C_S", "C_s")}, "parameter = 'C_s'"),
        ({"x": [1.0, 0.0]}, "C_S"),
        ({"toys": 30}, "toys = 30"),
        ({"cl": 1.0}, "cl = 1.0"),
        ({"adaptive": 1}, "adaptive = 1"),
        ({"executor": "two"}, "executor = 'two'"),
    ],
)
def test_bad_arguments_are_refused(changes, message):
    arguments = dict(fit=fit_of(), names=("C_S", "a_M"), x=X, y=Y) | changes
    with pytest.raises(ValueError, match=message):
        cf.feldman_cousins_map(**arguments)
