"""The χ² kernels, compiled and as plain Python, against least squares and brute-force searches."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from cevns_fast._kernels import profile as kernels

RANDOM = np.random.default_rng(20)


@pytest.fixture(scope="module")
def kernel(flavour):
    return flavour(kernels)


@given(scale=st.floats(-3, 8).map(lambda x: 10**x), variance=st.sampled_from([0.0, 1e-4, 0.0784, 1e4]))
def test_profiled_scale(kernel, scale, variance):
    data, prediction = np.array([3.0, -1.0, 4.0, 1.0, 5.0]), scale * np.array([1.0, 0.5, 2.0, 1.0, 3.0])
    found, s = kernel.scale_chi2(data, prediction, 1, 5, variance)
    d, n = data[1:], prediction[1:]
    if variance == 0:
        assert s == 1
        assert found == pytest.approx(np.sum((d - n) ** 2), rel=1e-14)
        return
    # Linear least squares of (d, 1/σ) by s (n, 1/σ).
    a, b = np.append(n, variance**-0.5), np.append(d, variance**-0.5)
    best = np.linalg.lstsq(a[:, None], b, rcond=None)[0][0]
    assert s == pytest.approx(best, rel=1e-12)
    assert found == pytest.approx(np.sum((b - best * a) ** 2), rel=1e-12)


@pytest.mark.parametrize("rows", [1, 2, 4, 17])
def test_triangle(kernel, rows):
    """R keeps every length and angle between the vectors."""
    vectors = RANDOM.normal(size=(4, rows)) * np.array([1e6, 1.0, 1e-3, 1.0])[:, None]
    gram = vectors @ vectors.T
    R = np.full((4, 4), np.nan)
    kernel.triangle(vectors.copy(), rows, R)
    assert np.array_equal(R, np.triu(R))
    assert np.all(np.diag(R) >= 0)
    sizes = np.sqrt(gram.diagonal())
    assert np.all(np.abs(R.T @ R - gram) <= 1e-13 * np.outer(sizes, sizes))


def test_triangle_of_parallel_and_vanishing_vectors(kernel):
    v = RANDOM.normal(size=6)
    vectors = np.array([v, 2 * v, np.zeros(6), RANDOM.normal(size=6)])
    R = np.empty((4, 4))
    kernel.triangle(vectors.copy(), 6, R)
    np.testing.assert_allclose(R.T @ R, vectors @ vectors.T, atol=1e-13)


def predicted(n_bins, n_columns, systems=1, scale_variance=0.04):
    """Systems whose variance is predicted, side by side."""
    total = n_bins * systems
    return kernels.Predicted(
        first_bin=np.arange(systems + 1) * n_bins,
        data=RANDOM.uniform(50, 150, total),
        floor=RANDOM.uniform(5, 10, total),
        shape_background=RANDOM.uniform(1, 20, total),
        shape_variance=np.full(systems, 0.01**2),
        scale_variance=np.full(systems, scale_variance),
        column=RANDOM.uniform(-5, 5, (n_columns, total)),
    )


def literal(p, system, counts):
    """BRX Eqs. (29), (30) by linear least squares."""
    at = slice(p.first_bin[system], p.first_bin[system + 1])
    n = counts[at]
    variance = n + p.floor[at] + p.shape_variance[system] * (n + p.shape_background[at]) ** 2
    columns = list(p.column[:, at])
    if p.scale_variance[system] > 0:
        columns.append(np.sqrt(p.scale_variance[system]) * n)
    b = np.concatenate([(p.data[at] - n) / np.sqrt(variance), np.zeros(len(columns))])
    if not columns:
        return np.sum(b**2)
    A = np.vstack([np.array(columns).T / np.sqrt(variance)[:, None], np.eye(len(columns))])
    return np.sum((b - A @ np.linalg.lstsq(A, b, rcond=None)[0]) ** 2)


@pytest.mark.parametrize("n_columns", [0, 1, 3])
@pytest.mark.parametrize("scale_variance", [0.0, 0.04])
def test_variance_of_the_prediction(kernel, n_columns, scale_variance):
    p = predicted(5, n_columns, systems=2, scale_variance=scale_variance)
    work = np.full((n_columns + 2, 10 + n_columns), np.nan)
    for counts in (np.full(10, 100.0), RANDOM.uniform(0, 300, 10)):
        for system in (0, 1):
            found = kernel.predicted_chi2(system, p, counts, work)
            assert found == pytest.approx(literal(p, system, counts), rel=1e-12)
    assert kernel.predicted_chi2(0, p, np.full(10, -1e3), work) == np.inf


def limits(kernel, fixed, fixed_terms, p, predicted_terms, scale, threshold):
    n = len(scale)
    lows, highs, summary = np.full((n, 8), np.nan), np.full((n, 8), np.nan), np.empty((n, 3))
    grid = np.sinh(np.linspace(-12.0, 12.0, 241))
    kernel.limits(fixed, fixed_terms, p, predicted_terms, scale, threshold, grid, 0, n, lows, highs, summary)
    counts = summary[:, 0].astype(int)
    return [np.stack([lows[i, :k], highs[i, :k]], axis=1) for i, k in enumerate(counts)], summary


def test_limits_of_fixed_and_predicted_systems_together(kernel):
    """χ²(x) of two fixed and one predicted system, whose counts are quadratic in x."""
    fixed = kernels.Fixed(np.array([0, 4, 9]), RANDOM.normal(3, 1, 9), np.array([0.04, 0.0]))
    p = predicted(3, 1)
    # A signal of positive counts, so that variances stay positive; masses of different interference.
    linear = np.array([0.0, 0.8, -1.5])
    fixed_terms = np.array([[np.full(9, 2.5), a * np.ones(9), np.linspace(0.5, 2, 9)] for a in linear])
    predicted_terms = np.array([[np.full(3, 90.0), a * np.full(3, 10.0), np.full(3, 30.0)] for a in linear])
    intervals, summary = limits(kernel, fixed, fixed_terms, p, predicted_terms, np.ones(3), 2.0)

    for i in range(3):

        def chi2(x, i=i):
            powers = x ** np.arange(3)
            counts = powers @ predicted_terms[i]
            total = literal(p, 0, counts)
            prediction = powers @ fixed_terms[i]
            for system in (0, 1):
                at = slice(fixed.first_row[system], fixed.first_row[system + 1])
                d, n, v = fixed.data[at], prediction[at], fixed.scale_variance[system]
                s = (v * d @ n + 1) / (v * n @ n + 1)
                total += np.sum((d - s * n) ** 2) + ((s - 1) ** 2 / v if v else 0.0)
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


def test_a_coupling_without_effect_has_no_limit(kernel):
    fixed = kernels.Fixed(np.array([0, 4]), RANDOM.normal(3, 1, 4), np.array([0.04]))
    terms = np.zeros((1, 3, 4))
    terms[0, 0] = 2.0
    empty = predicted(1, 0, systems=0)
    ((interval,), *_), summary = limits(kernel, fixed, terms, empty, np.zeros((1, 3, 0)), np.ones(1), 1.0)
    assert interval.tolist() == [-np.inf, np.inf]
    assert summary[0, 1] == 0.0


def test_added_along_rows_of_a_grid(kernel):
    """Counts are polynomials in (outer, y); χ² is added to what is there."""
    p = predicted(4, 1)
    powers = np.array([[0, 0], [1, 1], [2, 0], [0, 2], [0, 1]])
    terms = np.concatenate([np.full((1, 4), 80.0), RANDOM.uniform(0, 3, (4, 4))])
    outer, y = np.array([[0.5], [-1.0], [2.0]]), np.array([-1.0, 0.0, 3.0])
    out = np.full((2, 3), 7.0)
    kernel.add_predicted(p, terms, powers, outer, y, 1, 3, out)
    for i in (1, 2):
        for j in range(3):
            counts = (outer[i, 0] ** powers[:, 0] * y[j] ** powers[:, 1]) @ terms
            assert out[i - 1, j] == pytest.approx(7.0 + literal(p, 0, counts), rel=1e-12)
