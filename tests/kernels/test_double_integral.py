"""The kernels of the double integral, and how a user's function becomes an integrand that is kept on disk."""

import math
import os
import subprocess
import sys
from pathlib import Path

import cross_sections
import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast._kernels import double_integral as kernel
from cevns_fast._kernels.jit import fingerprint

SCALE = 2.0


def cubic(E, T, nucleus, beam, p):
    return SCALE * p[0] * E**3


def components(pieces, lines=(), smooth=False):
    """One component: polynomials on pieces, which are smooth together or one by one, and lines."""
    ends = np.array(pieces)
    energy, intensity = np.array(lines, dtype=np.float64).reshape(-1, 2).T.copy()
    low, high = ends[:, 0].copy(), ends[:, 1].copy()
    intervals = [0, len(ends)] if smooth else list(range(len(ends) + 1))
    return kernel.Components(
        np.array([0, len(intervals) - 1]), low[intervals[:-1]], high[np.array(intervals[1:]) - 1], np.array(intervals),
        low, high, ends[:, 2:].copy(), np.array([0, len(lines)]), energy, intensity,
    )  # fmt: skip


def rows_of(flux, least, order=4, ratio=4.0, split=1):
    least = np.array(least)
    x, w = np.polynomial.legendre.leggauss(order)
    begin, end = kernel.ranges(flux, least, order, ratio, split)
    rows = kernel.EnergyNodes(begin, end, np.full(end.max(), np.nan), np.full(end.max(), np.nan))
    kernel.fill(flux, least, x, w, ratio, split, rows)
    return rows


def of_node(rows, node):
    """Energies and weights of a node, of both ranges."""
    parts = [slice(rows.begin[0, i, node], rows.end[0, i, node]) for i in range(2)]
    return (np.concatenate([x[part] for part in parts]) for x in (rows.energy, rows.weight))


@pytest.mark.parametrize(("ratio", "split"), [(4.0, 1), (1.5, 1), (1.5, 3)])
def test_energies_add_up_to_the_flux_above_each(ratio, split):
    """Two pieces, 1 + u on the first and 3 on the second, and two lines; below, between and above them."""
    flux = components([(0.0, 10.0, 1.0, 1.0), (10.0, 20.0, 3.0, 0.0)], [(5.0, 7.0), (15.0, 11.0)])
    least = [1.0, 5.0, 7.5, 12.0, 15.5, 19.999, 25.0]
    rows = rows_of(flux, least, ratio=ratio, split=split)
    for node, low in enumerate(least):
        energy, weight = of_node(rows, node)
        expected = 0.1 * max(10.0**2 - low**2, 0.0) + 3.0 * max(min(20.0 - low, 10.0), 0.0)
        expected += 7.0 * (low < 5.0) + 11.0 * (low < 15.0)
        assert weight.sum() == pytest.approx(expected, rel=1e-13)
        assert np.all(energy > low) and np.all(energy <= 20.0)
    assert not np.isnan(rows.energy).any() and not np.isnan(rows.weight).any()


def test_nodes_share_whole_intervals():
    """Of 50 intervals only what is left of one belongs to a node alone."""
    flux = components([(k, k + 1.0, 1.0) for k in range(50)])
    rows = rows_of(flux, np.linspace(0.5, 49.5, 200))
    assert rows.energy.size <= 4 * (49 + 200)
    assert np.all(rows.begin[0, 1] >= 0) and np.all(rows.end[0, 1] == 4 * 49)
    energy, weight = of_node(rows, 0)
    assert weight.sum() == pytest.approx(49.5) and np.all(np.diff(energy) > 0)


def test_pieces_of_one_smooth_interval_share_nodes():
    """x on two pieces: where they join, no node is spent."""
    flux = components([(0.0, 10.0, 5.0, 5.0), (10.0, 30.0, 20.0, 10.0)], smooth=True)
    rows = rows_of(flux, [8.0, 12.0])
    assert (rows.end - rows.begin).tolist() == [[[4, 4], [0, 0]]]
    sums = [sum(weight) for _, weight in (of_node(rows, 0), of_node(rows, 1))]
    np.testing.assert_allclose(sums, [(30.0**2 - low**2) / 2 for low in (8.0, 12.0)], rtol=1e-14)


def integrand(function):
    return kernel.compiled(function)


def test_blocks_and_sums():
    """∫ of a cubic over the flux at each node of two targets, and their sums in bins, in blocks of two sizes."""
    flux = components([(1.0, 3.0, 1.0)])
    least = np.array([1.0, 1.5, 2.0, 2.5, 1.25])
    nodes = kernel.RecoilNodes(
        np.full(5, 0.01), np.array([0, 0, 0, 1, 1]), np.ones(5), np.ones(5), np.array([0, 0, 1, 0, 1]),
        np.arange(1.0, 6.0)[:, None],
    )  # fmt: skip
    particles = kernel.Particles(np.array([1e5, 2e5]), np.ones(2), np.ones(2), np.array([0]), np.array([1]))
    parameters = np.array([[1.0], [10.0]])
    parameters.setflags(write=False)
    expected = SCALE * (3.0**4 - least**4) / 4
    for blocks in ([0, 3, 5], [0, 1, 3, 4, 5]):
        edges = np.array(blocks)
        tasks = kernel.Tasks(
            np.zeros(len(edges) - 1, dtype=np.int64), edges[:-1], edges[1:], edges[:-1], np.array([0, 5]), np.array([0])
        )
        cells = np.full(5, np.nan)
        row_of = np.array([[0, 1]])  # the second target has parameters of its own
        kernel.spectra(integrand(cubic), parameters, row_of, nodes, rows_of(flux, least), particles, tasks, cells)
        np.testing.assert_allclose(cells, expected * [1, 1, 1, 10, 10], rtol=1e-13)
        out = np.zeros((1, 2))
        kernel.sums(nodes, tasks, cells, out)
        weighted = cells * np.arange(1.0, 6.0)
        np.testing.assert_allclose(out[0], [weighted[[0, 1, 3]].sum(), weighted[[2, 4]].sum()], rtol=1e-14)


def test_without_the_compiler():
    """The kernels as plain Python give the same counts, and a function that raises is caught there as well."""
    code = f"""
import sys
sys.path.insert(0, {str(Path(cross_sections.__file__).parent)!r})
import numpy as np
import cevns_fast as cf, cross_sections
csi = cf.load("coherent-csi-2017").mask(range(1, 12))
one = cf.NumericalInteraction(cross_sections.scalar, {{"m_chi": 2.0, "m_S": 1.0, "y": 1e-4}}, final_mass="m_chi")
eft = cf.SingletEFT(2.0, C_S=0.1)
found = cf.event_rate(csi, one, standard_model=False), cf.event_rate(csi, eft, method="double-integral")
found += ([cf.recoil_spectrum(csi, one, 0.01, standard_model=False)],)
# No recoil in any bin: no nodes, and nothing is written beside an empty array.
weak = csi.replace(source=cf.TabulatedSource(cf.TabulatedSpectrum((2.0, 3.0), (1.0, 1.0))), exposure=1.0)
found += (cf.event_rate(weak, eft, standard_model=False, method="double-integral"),)
try:
    cf.event_rate(csi, cf.NumericalInteraction(cross_sections.raises, {{"a": 1.0}}))
except ValueError as error:
    assert "is nan or raises at E = " in str(error)
else:
    raise AssertionError
print(*(x.hex() for x in np.concatenate(found).tolist()))
"""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120)
    assert run.returncode == 0, run.stderr
    csi = cf.load("coherent-csi-2017").mask(range(1, 12))
    expected = [
        cf.event_rate(csi, cf.ScalarMediator(2.0, 1.0, 1e-4), standard_model=False)[0],
        cf.event_rate(csi, cf.SingletEFT(2.0, C_S=0.1))[0],
        cf.recoil_spectrum(csi, cf.ScalarMediator(2.0, 1.0, 1e-4), 0.01, standard_model=False),
        0.0,
    ]
    np.testing.assert_allclose([float.fromhex(x) for x in run.stdout.split()], expected, rtol=1e-11)


def reads(value, callee=None):
    """A function that reads a closure's values."""
    if callee is None:
        return lambda E, T, nucleus, beam, p: value
    return lambda E, T, nucleus, beam, p: value * callee(E)


@pytest.mark.jit
def test_a_fingerprint_covers_all_that_a_function_reads(monkeypatch):
    assert fingerprint(reads(1.0)) == fingerprint(reads(1.0)) is not None
    different = [
        reads(1.0), reads(2.0), reads(1), reads((1.0, 2.0)), reads(np.array([1.0])), reads(np.array([2.0])),
        reads(1.0, math.sqrt), reads(1.0, np.sqrt), reads(1.0, lambda E: E), reads(1.0, lambda E: 2 * E),
        cubic, cross_sections.scalar, cross_sections.scalar.py_func,
    ]  # fmt: skip
    found = [fingerprint(each) for each in different]
    assert None not in found[1:] and len(set(found)) == len(found)
    before = fingerprint(cubic)
    monkeypatch.setitem(globals(), "SCALE", 3.0)
    assert fingerprint(cubic) not in (before, None)


def test_what_cannot_be_described_is_not_kept():
    for unknown in (object(), [1.0], {"a": 1.0}, cf, np.array([object()])):
        assert fingerprint(reads(unknown)) is None


@pytest.mark.jit
def test_a_function_is_kept_and_found_again(monkeypatch):
    value, other = np.random.default_rng().random(2).tolist()  # that no run before this one has kept
    first = kernel.compiled(reads(value, math.cos))
    again = kernel.compiled(reads(value, math.cos))
    assert (first.cache_hits, again.cache_hits) == (0, 1) and first.__name__ == again.__name__ == "integrate"
    assert kernel.compiled(reads(other, math.cos)).cache_hits == 0
    assert kernel.compiled(cross_sections.raises).__name__ == "guarded"
    assert kernel.compiled(cross_sections.raises).cache_hits == 1
    kernel.term_table()
    assert kernel.term_table().cache_hits == 1
