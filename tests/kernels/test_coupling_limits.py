"""Limits along one coupling, the C kernel: against brute-force searches of χ² written out."""

import numpy as np
import pytest
from cases import quick_are
from scipy import optimize

from cevns_fast._kernels.likelihood import FIXED_VARIANCE, PREDICTED_VARIANCE, Evaluator, Layout, System, pack

RANDOM = np.random.default_rng(20)
POWERS = ((0,), (1,), (2,))


def system(statistic, data, weight, scale=(0.0, 0.0), **changes):
    """One experiment of three powers, without nuisances that shift bins."""
    n = len(data)
    fields = {
        "shape_variance": 0.0, "off_on_ratio": 0.0, "background": np.zeros(n), "base": np.zeros(n),
        "factor": 1.0, "morph": (0, 0), "shift": np.zeros((2, n)), "breaks": np.array([0.0, 1.0]),
        "coefficients": np.zeros((1, 1, 1, 3, n)),
    } | changes  # fmt: skip
    return System(statistic=statistic, data=data, weight=weight, scale=np.array(scale), **fields)


def evaluator(systems):
    """Of two nuisances, each of which scales what says so."""
    layout = Layout(
        names=["c"], lower=[-np.inf], upper=[np.inf], coupling_at=[0], x_at=-1, exponents=POWERS,
        nuisance_at=[-1, -1], centre=np.zeros(2), offset=np.zeros(2), mix=np.eye(2),
    )  # fmt: skip
    return Evaluator(pack(layout, systems))


def limits(kernel, tables, unit, threshold, most=8):
    n = len(unit)
    lows, highs, summary = np.full((n, most), np.nan), np.full((n, most), np.nan), np.empty((n, 3))
    grid = np.sinh(np.linspace(-12.0, 12.0, 241))
    kernel.limits(np.ascontiguousarray(tables), unit, threshold, grid, lows, highs, summary)
    counts = summary[:, 0].astype(int)
    return [np.stack([lows[i, :k], highs[i, :k]], axis=1) for i, k in enumerate(counts)], summary


@pytest.mark.parametrize("with_predicted", quick_are([False, True], 1, ids=["fixed", "fixed and predicted"]))
def test_limits_are_those_of_a_search(with_predicted):
    fixed = [
        system(FIXED_VARIANCE, RANDOM.normal(3, 1, 7), RANDOM.uniform(0.5, 2, 7), (0.2, 0.0)),
        system(FIXED_VARIANCE, RANDOM.normal(3, 1, 5), RANDOM.uniform(0.5, 2, 5)),
    ]
    moving = system(
        PREDICTED_VARIANCE, RANDOM.uniform(80, 120, 3), RANDOM.uniform(5, 10, 3), (0.0, 0.1),
        shape_variance=0.01**2, background=RANDOM.uniform(1, 20, 3),
    )  # fmt: skip
    systems = [*fixed, moving] if with_predicted else fixed
    linear = np.array([0.0, 0.8, -1.5])
    per_mass = [
        [np.array([np.full(7, 2.5), a * np.ones(7), np.linspace(0.5, 2, 7)]) for a in linear],
        [np.array([np.full(5, 2.0), a * np.linspace(1, 2, 5), np.linspace(0.5, 2, 5) ** 2]) for a in linear],
        [np.array([np.full(3, 90.0), a * np.full(3, 10.0), np.full(3, 30.0)]) for a in linear],
    ][: len(systems)]
    tables = np.array([np.concatenate([each[i].ravel() for each in per_mass]) for i in range(3)])
    intervals, summary = limits(evaluator(systems), tables, np.ones(3), 2.0)

    for i in range(3):

        def chi2(x, i=i):
            total = 0.0
            for s, each in zip(systems, per_mass, strict=True):
                n = x ** np.arange(3) @ each[i]
                weight = s.weight
                if s.statistic == PREDICTED_VARIANCE:
                    weight = 1 / (n + s.weight + s.shape_variance * (n + s.background) ** 2)
                v = np.sum(s.scale) ** 2
                scale = (v * np.sum(weight * s.data * n) + 1) / (v * np.sum(weight * n * n) + 1)
                total += np.sum(weight * (s.data - scale * n) ** 2) + ((scale - 1) ** 2 / v if v else 0.0)
            return total

        x = np.linspace(-30, 30, 6001)
        values = np.array([chi2(each) for each in x])
        best = x[np.argmin(values)]
        near = (best - 0.02, best + 0.02)
        minimum = optimize.minimize_scalar(chi2, bounds=near, method="bounded", options={"xatol": 1e-10})
        assert summary[i, 2] == pytest.approx(minimum.fun, rel=1e-10)
        assert chi2(summary[i, 1]) == pytest.approx(minimum.fun, rel=1e-10)
        inside = np.any([(x >= a) & (x <= b) for a, b in intervals[i]], axis=0)
        assert np.array_equal(inside, values <= minimum.fun + 2.0)
        for edge in intervals[i].ravel():
            assert chi2(edge) == pytest.approx(summary[i, 2] + 2.0, rel=1e-10)


def test_two_minima_have_an_interval_each():
    # More events than the constant part predicts: a signal ∝ x² wants x = ±2, and zero is excluded.
    one = system(FIXED_VARIANCE, np.full(6, 5.0), np.full(6, 10.0))
    tables = np.concatenate([np.full(6, 1.0), np.zeros(6), np.ones(6)])[None]
    (found,), summary = limits(evaluator([one]), tables, np.ones(1), 6 * 10 * 0.01)
    # 60 (x² − 4)² = 0.6
    edges = np.sqrt([4 - 0.1, 4 + 0.1])
    np.testing.assert_allclose(found, [[-edges[1], -edges[0]], [edges[0], edges[1]]], rtol=1e-12)
    assert summary[0, 2] == pytest.approx(0, abs=1e-12)
    (first,), _ = limits(evaluator([one]), tables, np.ones(1), 0.6, most=1)
    np.testing.assert_allclose(first, found[:1])  # no room for the other


def test_a_coupling_without_effect_has_no_limit():
    one = system(FIXED_VARIANCE, RANDOM.normal(3, 1, 6), np.ones(6), (0.2, 0.0))
    tables = np.concatenate([np.full(6, 2.0), np.zeros(12)])[None]
    (interval,), summary = limits(evaluator([one]), tables, np.ones(1), 1.0)
    assert interval.tolist() == [[-np.inf, np.inf]]
    assert summary[0, 1] == 0.0


@pytest.mark.parametrize("spacing", [1e-3, 1e-4, 1e-5])
def test_an_extremum_between_points_of_a_fine_grid_is_found(spacing):
    """Neighbours differ by what is small, but no rounding: χ² = (x − x₀)² at x₀ is not that of the nearest point."""
    one = system(FIXED_VARIANCE, np.array([0.5]), np.ones(1))
    tables = np.array([[0.0, 1.0, 0.0]])
    grid = np.arange(-3, 4) * spacing + 0.5 + 0.3 * spacing
    lows, highs, summary = np.full((1, 2), np.nan), np.full((1, 2), np.nan), np.empty((1, 3))
    evaluator([one]).limits(tables, np.ones(1), spacing**2, grid, lows, highs, summary)
    assert summary[0, 1] == pytest.approx(0.5, abs=1e-6 * spacing)
    assert summary[0, 2] == pytest.approx(0.0, abs=1e-9 * spacing**2)
    np.testing.assert_allclose([lows[0, 0], highs[0, 0]], [0.5 - spacing, 0.5 + spacing], rtol=1e-10)
