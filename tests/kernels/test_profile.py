"""The χ² kernels, compiled and as plain Python, against least squares."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
