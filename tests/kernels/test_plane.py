"""χ² on rows of a grid, against long double."""

import numpy as np
import pytest
from whitened import plane_of

from cevns_fast._kernels import plane

TOLERANCE = 1e-12
FAR_TO_NEAR = 10.0 ** np.arange(6, -4, -1.5)  # a million times the bound, to a thousandth


def on_grid(chi2, terms, data, powers, variances, outer, y):
    """The same at outer[i], y[j]."""
    z = np.concatenate([np.repeat(outer, len(y), axis=0), np.tile(y, len(outer))[:, None]], axis=1)
    return chi2(terms, data, powers, variances, z).reshape(len(outer), len(y))


def grid_of(unit, y_steps):
    """The outer couplings far out and near zero, with interfering signs, and the last one at steps of its unit."""
    steps = np.concatenate([-FAR_TO_NEAR, [0.0], FAR_TO_NEAR[::-1]])
    axes = np.meshgrid(*(steps * u for u in unit[:-1]), indexing="ij")
    outer = np.stack([a.ravel() for a in axes], axis=1) if axes else np.zeros((1, 0))
    return outer, np.asarray(y_steps) * unit[-1]


WRITERS = pytest.mark.parametrize("write", [plane.fill, plane.stream], ids=["fill", "stream"])


@WRITERS
@pytest.mark.parametrize("couplings", [1, 2, 3])
@pytest.mark.parametrize(
    ("options", "variances"),
    [
        ({}, (0.08,)),
        ({}, (0.0,)),
        ({"systems": 3}, (0.08, 0.0, 0.01)),
        ({"systems": 2}, (0.0, 0.08)),
        ({"fixed": True}, (0.08,)),
        ({"interference": -0.999}, (0.08,)),
        ({"bins": 2}, (0.08,)),
        ({"bins": 40}, (0.08,)),
    ],
    ids=str,
)
def test_against_long_double(counts_in_bins, long_double_chi2, write, couplings, options, variances):
    """From a thousandth of the bound to a million times beyond it, on rows longer than any block of the kernel."""
    terms, data, powers, unit = counts_in_bins(3, couplings=couplings, **options)
    far = np.geomspace(1e-3, 1e6, 311 if couplings < 3 else 19)
    outer, y = grid_of(unit, np.concatenate([-far[::-1], [0.0], far]))
    out = np.full((len(outer), len(y)), np.nan)
    write(plane_of(terms, data, powers, variances), outer, y, out)
    expected = on_grid(long_double_chi2, terms, data, powers, variances, outer, y)
    assert np.max(np.abs(out - expected) / np.maximum(1, expected)) < TOLERANCE


@pytest.mark.parametrize("variances", [(0.08,), (0.0,), (0.08, 0.01)], ids=str)
@pytest.mark.parametrize("columns", [1, 2, 3, 7, 15, 16, 17, 513, 1027])
def test_bits_depend_on_nothing_but_the_point(counts_in_bins, columns, variances):
    """Not on where it is in memory, nor on which rows and columns are computed with it, nor on the way to memory."""
    terms, data, powers, unit = counts_in_bins(5, systems=len(variances))
    made = plane_of(terms, data, powers, variances)
    outer, y = np.linspace(-2, 2, 37)[:, None] * unit[0], np.linspace(-3, 2, columns) * unit[1]
    together = np.empty((len(outer), columns))
    plane.fill(made, outer, y, together)
    beyond = np.empty((len(outer), columns // 2 + 1))
    plane.fill(made, outer, y[-beyond.shape[1] :], beyond)
    assert np.array_equal(beyond, together[:, -beyond.shape[1] :])
    for shift in range(9):
        for write in (plane.fill, plane.stream):
            for a, b in ((0, 37), (1, 36), (16, 17), (20, 20)):
                memory = np.full((b - a) * columns + 20, np.nan)
                out = memory[shift : shift + (b - a) * columns].reshape(b - a, columns)
                write(made, outer[a:b], y, out)
                assert np.array_equal(out, together[a:b])
                assert np.isnan(memory[:shift]).all() and np.isnan(memory[shift + out.size :]).all()


@WRITERS
def test_a_coupling_without_effect(counts_in_bins, long_double_chi2, write):
    """Above its threshold a coupling does nothing: the row is flat, and nothing is divided by zero."""
    terms, data, powers, unit = counts_in_bins(1)
    terms[:, powers[:, 1] > 0] = 0.0
    outer, y = grid_of(unit, np.linspace(-1, 1, 50))
    out = np.empty((len(outer), len(y)))
    write(plane_of(terms, data, powers, (0.08,)), outer, y, out)
    assert np.all(out == out[:, :1])
    np.testing.assert_allclose(
        out, on_grid(long_double_chi2, terms, data, powers, (0.08,), outer, y).astype(float), rtol=1e-12
    )
