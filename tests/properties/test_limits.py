"""Limits on one coupling against brute-force searches of the χ²."""

import mpmath
import numpy as np
import pytest
from accuracy import approx
from cases import crossed
from scipy import optimize

import cevns_fast as cf
from cevns_fast.inference.confidence import threshold

MASSES = (0.0, 10.0, 35.0, 45.0)
FIXED = {
    "nothing else": {},
    "real, linear interference": {"a_M": 2e-4, "C_V": 0.05},
    "complex": {"a_M": 2e-4j, "C_S": 0.004 - 0.006j, "C_T": 0.1, "D_A": (0.03j, 0.02)},
}


def profile_of(experiments, interaction, coupling, **options):
    """χ²(c) by way of the interaction itself."""
    like = cf.Likelihood(experiments, **options)
    return lambda c: like.chi2(interaction.replace(**{coupling: c}))


def global_minimum(function, scale):
    """From a grid of both signs, then refined: nothing is known about the function."""
    grid = np.concatenate([-np.geomspace(1e-3, 30, 60)[::-1], [0.0], np.geomspace(1e-3, 30, 60)]) * scale
    values = [function(c) for c in grid]
    best = int(np.argmin(values))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    found = optimize.minimize_scalar(function, bounds=(low, high), method="bounded", options={"xatol": 1e-9 * scale})
    return min(found.fun, values[best]), grid, np.array(values)


@pytest.mark.parametrize(("coupling", "others"), crossed(["a_M", "C_S", "C_V", "C_T", "D_P"], list(FIXED)))
def test_against_a_brute_force_search(csi, coupling, others):
    masses = MASSES[1:3]
    fixed = {name: value for name, value in FIXED[others].items() if name != coupling}
    interactions = [cf.SingletEFT(m, **fixed) for m in masses]
    curve = cf.limit_scan(csi, interactions, coupling, cl=0.90)
    assert curve.delta_chi2 == pytest.approx(2.705543454095404, rel=1e-12)
    for i, interaction in enumerate(interactions):
        chi2 = profile_of(csi, interaction, coupling)
        upper, intervals = curve.upper[i], curve.intervals[i]
        assert upper == np.abs(intervals).max()
        minimum, grid, values = global_minimum(chi2, upper)
        assert curve.chi2_min[i] == pytest.approx(minimum, rel=1e-9)
        assert chi2(curve.best_fit[i]) == pytest.approx(minimum, rel=1e-9)
        for edge in intervals.ravel():
            assert chi2(edge) - minimum == pytest.approx(curve.delta_chi2, rel=1e-9, abs=2e-9)
        inside = np.any([(grid >= low) & (grid <= high) for low, high in intervals], axis=0)
        assert np.array_equal(inside, values <= minimum + curve.delta_chi2)


def test_interference_makes_the_interval_asymmetric(csi):
    curve = cf.limit_scan(csi, cf.SingletEFT(20.0, a_M=4e-4), "C_S", cl=0.90)
    (low, high), *_ = curve.intervals[0]
    assert abs(low + high) > 0.05 * (high - low)
    mirrored = cf.limit_scan(csi, cf.SingletEFT(20.0, a_M=-4e-4), "C_S", cl=0.90)
    assert mirrored.upper == pytest.approx(curve.upper, rel=1e-9)
    assert mirrored.intervals[0] == pytest.approx(-curve.intervals[0][::-1, ::-1], rel=1e-9)


def test_disjoint_intervals(csi):
    """Too few events without C_V: zero is excluded, and either sign allowed."""
    bold = csi.replace(observed=3 * csi.observed)
    curve = cf.limit_scan(bold, cf.SingletEFT(1.0), "C_V", delta_chi2=1.0)
    (a, b), (c, d) = curve.intervals[0]
    assert a < b < 0 < c < d
    assert (a, b) == pytest.approx((-d, -c), rel=1e-9)
    chi2 = profile_of(bold, cf.SingletEFT(1.0), "C_V")
    for edge in (a, b, c, d):
        assert chi2(edge) == pytest.approx(curve.chi2_min[0] + 1.0, rel=1e-9)


def test_above_the_kinematic_limit(csi):
    curve = cf.limit_scan(csi, [cf.SingletEFT(m) for m in (40.0, 52.9, 60.0, 1e4)], "C_S", cl=0.90)
    assert np.isfinite(curve.upper[0])
    assert np.all(curve.upper[1:] == np.inf)
    for interval in curve.intervals[1:]:
        assert interval.tolist() == [[-np.inf, np.inf]]
    assert curve.chi2_min[1:] == pytest.approx(cf.Likelihood(csi).chi2(cf.StandardModel()), rel=1e-12)


def test_the_scanned_couplings_own_value_is_ignored(csi):
    a = cf.limit_scan(csi, cf.SingletEFT(20.0, C_S=0.0, a_M=2e-4), "C_S")
    b = cf.limit_scan(csi, cf.SingletEFT(20.0, C_S=123.0, a_M=2e-4), "C_S")
    assert np.array_equal(a.upper, b.upper)


def test_a_coupling_of_one_quark(csi):
    eft = cf.SingletEFT(20.0, C_V=(9.0, 0.05))
    curve = cf.limit_scan(csi, eft, "C_V_u", cl=0.90)
    like = cf.Likelihood(csi)
    for edge in curve.intervals[0].ravel():
        chi2 = like.chi2(eft.replace(C_V=(edge, 0.05)))
        assert chi2 - curve.chi2_min[0] == pytest.approx(curve.delta_chi2, abs=1e-9)


def test_a_phase_turns_the_coupling(csi):
    phase = np.exp(1.0j)
    eft = cf.SingletEFT(20.0, a_M=4e-4)
    curve = cf.limit_scan(csi, eft, "C_S", cl=0.90, phase=phase)
    for edge in curve.intervals[0].ravel():
        chi2 = cf.Likelihood(csi).chi2(eft.replace(C_S=edge * phase))
        assert chi2 - curve.chi2_min[0] == pytest.approx(curve.delta_chi2, abs=1e-9)


def test_joint_limits(csi):
    """Two copies double χ²: a threshold twice as high gives the same limit."""
    interactions = [cf.SingletEFT(m, a_M=1e-4) for m in MASSES]
    one = cf.limit_scan(csi, interactions, "C_S", delta_chi2=2.0)
    two = cf.limit_scan([csi, csi], interactions, "C_S", delta_chi2=4.0)
    np.testing.assert_allclose(two.upper, one.upper, rtol=1e-9)
    np.testing.assert_allclose(two.chi2_min, 2 * one.chi2_min, rtol=1e-12)
    other = csi.replace(exposure=5e23, variance="prediction", observed=None, signal_uncertainty=0.1)
    joint = cf.limit_scan([csi, other], interactions[1], "C_S", cl=0.9)
    chi2 = profile_of([csi, other], interactions[1], "C_S")
    for edge in joint.intervals[0].ravel():
        assert chi2(edge) - joint.chi2_min[0] == pytest.approx(joint.delta_chi2, abs=1e-9)


@pytest.mark.parametrize(
    "changes",
    [
        {"variance": "prediction", "shape_uncertainty": 0.01, "steady_state_weight": 1.0},
        {"variance": "prediction", "signal_uncertainty_on": "standard_model"},
        {"signal_uncertainty_on": "standard_model"},
        {"observed": None},
        {"observed": None, "signal_uncertainty": 0.0, "backgrounds": ()},
    ],
    ids=str,
)
def test_other_statistics(csi, changes):
    experiment = csi.replace(**changes)
    for interaction in (cf.SingletEFT(10.0), cf.SingletEFT(10.0, a_M=2e-4)):
        curve = cf.limit_scan(experiment, interaction, "C_S", cl=0.90)
        chi2 = profile_of(experiment, interaction, "C_S")
        minimum, grid, values = global_minimum(chi2, curve.upper[0])
        assert curve.chi2_min[0] == pytest.approx(minimum, rel=1e-9, abs=1e-9)
        for edge in curve.intervals[0].ravel():
            assert chi2(edge) - minimum == pytest.approx(curve.delta_chi2, abs=3e-9)
        inside = np.any([(grid >= low) & (grid <= high) for low, high in curve.intervals[0]], axis=0)
        assert np.array_equal(inside, values <= minimum + curve.delta_chi2)


def test_another_standard_model(csi):
    weak = cf.StandardModel(0.23857)
    curve = cf.limit_scan(csi, cf.SingletEFT(10.0), "C_S", cl=0.90, standard_model=weak)
    chi2 = profile_of(csi, cf.SingletEFT(10.0), "C_S", standard_model=weak)
    assert chi2(curve.upper[0]) - curve.chi2_min[0] == pytest.approx(curve.delta_chi2, abs=1e-9)
    assert curve.upper[0] != cf.limit_scan(csi, cf.SingletEFT(10.0), "C_S", cl=0.90).upper[0]


def test_a_scan_equals_its_points_and_any_number_of_threads(csi):
    interactions = [cf.SingletEFT(m, a_M=2e-4) for m in (*MASSES, 52.0, 54.0)]
    scan = cf.limit_scan(csi, interactions, "C_V")
    assert np.array_equal(scan.upper, cf.limit_scan(csi, interactions, "C_V", threads=2).upper)
    for upper, each in zip(scan.upper, interactions, strict=True):
        assert cf.limit_scan(csi, each, "C_V").upper[0] == pytest.approx(upper, rel=1e-12)


def test_confidence_levels(csi):
    by_level = cf.limit_scan(csi, cf.SingletEFT(10.0), "C_S", cl=0.6826894921370859)
    by_threshold = cf.limit_scan(csi, cf.SingletEFT(10.0), "C_S", delta_chi2=1.0)
    assert by_level.upper == pytest.approx(by_threshold.upper, rel=1e-9)
    default = cf.limit_scan(csi, cf.SingletEFT(10.0), "C_S")
    assert default.upper == pytest.approx(cf.limit_scan(csi, cf.SingletEFT(10.0), "C_S", cl=0.90).upper, rel=1e-12)


def test_the_bounds_of_the_issue(csi):
    """Issue A, must hold: the bounds on C² for m_chi → 0 (published dipole prefactor), within 2 %."""
    expected = {"a_M": 6.45e-8, "C_S": 2.43e-4, "C_V": 1.18e-2, "C_T": 8.03e-2}
    for coupling, square in expected.items():
        curve = cf.limit_scan(csi, cf.SingletEFT(0.0, variant="published"), coupling, delta_chi2=2.71)
        assert curve.upper[0] ** 2 == pytest.approx(square, rel=0.02)


# --- on executors, and how far they are ----------------------------------------------------------------------


@pytest.mark.slow
def test_limits_do_not_depend_on_who_computes_them():
    """Threads, an executor, none: more interactions than are done at once, with and without bounds."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

    csi = cf.load("coherent-csi-2017")
    batch = [cf.SingletEFT(m_chi=float(m), C_S=0.005) for m in np.linspace(0.0, 60.0, 1500)]
    expected = cf.limit_scan(csi, batch, "C_V")
    with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
        for options in ({"threads": 2}, {"executor": threads}, {"executor": processes}, {"progress": lambda *a: None}):
            found = cf.limit_scan(csi, batch, "C_V", **options)
            for field in ("upper", "best_fit", "chi2_min"):
                assert getattr(found, field).tobytes() == getattr(expected, field).tobytes()
            assert all(map(np.array_equal, found.intervals, expected.intervals))
    assert np.isinf(expected.upper).any() and np.isfinite(expected.upper).any()


def test_progress_of_limits(monkeypatch):
    import io
    import sys
    from types import SimpleNamespace

    csi = cf.load("coherent-csi-2017")
    batch = [cf.SingletEFT(m_chi=m) for m in np.linspace(1.0, 50.0, 1100)]
    seen = []
    cf.limit_scan(csi, batch, "C_V", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1024, 1100), (1100, 1100)]
    with pytest.raises(ValueError, match="progress = 3: must be"):
        cf.limit_scan(csi, batch, "C_V", progress=3)
    pytest.importorskip("tqdm")
    for notebook in (False, True):
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)
        shell = SimpleNamespace(kernel=None) if notebook else SimpleNamespace()
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda shell=shell: shell))
        monkeypatch.setitem(sys.modules, "ipywidgets", None)
        cf.limit_scan(csi, batch, "C_V", progress=True)
        assert ("1100/1100" in stream.getvalue()) == notebook


def test_an_executor_must_be_one():
    with pytest.raises(ValueError, match="executor = 3: must be a concurrent"):
        cf.limit_scan(cf.load("coherent-csi-2017"), cf.SingletEFT(m_chi=1.0), "C_V", executor=3)


@pytest.mark.parametrize("cl", [1e-6, 0.1, 0.4999, 0.5, 0.6827, 0.9, 0.95, 0.9973, 1 - 1e-12])
@pytest.mark.parametrize("degrees_of_freedom", [1, 2, 3])
def test_thresholds_hold_their_probability(cl, degrees_of_freedom):
    with mpmath.workdps(40):
        found = mpmath.mpf(threshold(cl, None, degrees_of_freedom))
        beyond = mpmath.gammainc(mpmath.mpf(degrees_of_freedom) / 2, found / 2, regularized=True)
        assert float(beyond) == approx(1 - cl, rel=2e-14)
        assert float(1 - beyond) == approx(cl, rel=2e-14)
