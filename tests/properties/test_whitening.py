"""A likelihood of fewer numbers and the same χ², also where there are thousands of bins."""

import tracemalloc

import mpmath
import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast.likelihood.whitening import whitener
from cevns_fast.reference.likelihood import Setup, joint_chi2

CSI = cf.load("coherent-csi-2017")
EFT = cf.SingletEFT(m_chi=1.0)


def wide(n):
    """CsI in n bins, with two backgrounds that are uncertain."""
    return CSI.replace(
        bins=tuple(np.linspace(5.0, 60.0, n + 1)), observed=None, steady_state=np.full(n, 600.0 / n),
        backgrounds=(
            cf.Background("flat", np.full(n, 200.0 / n), 0.25),
            cf.Background("rising", np.linspace(0, 400.0 / n, n), 0.3),
        ),
    )  # fmt: skip


@pytest.mark.parametrize("n", [4, 40, 200])
@pytest.mark.parametrize("size", [1e-9, 1e-3, 1.0, 1e3, 1e7])
def test_whitening(size, n):
    """counts · covariance⁻¹ · counts in fifty digits, for any size of nuisances: free ones cost no digits."""
    random = np.random.default_rng(3)
    weight, columns = random.uniform(0.1, 10.0, n), size * random.normal(size=(3, n))
    counts = random.normal(size=(2, n)) / np.sqrt(weight)
    with mpmath.workdps(50):  # Woodbury's identity: a system of three
        root = [mpmath.sqrt(float(w)) for w in weight]
        U = mpmath.matrix([[a * b for a, b in zip(row, root, strict=True)] for row in columns.tolist()])
        expected = []
        for row in counts.tolist():
            x = mpmath.matrix([a * b for a, b in zip(row, root, strict=True)])
            seen = U * x
            solved = mpmath.lu_solve(mpmath.eye(3) + U * U.T, seen)
            expected.append(float((x.T * x)[0] - (seen.T * solved)[0]))
    whiten = whitener(weight, columns)
    assert [x @ x for x in whiten(counts)] == pytest.approx(expected, rel=1e-12)
    assert whiten(counts[1]) == pytest.approx(whiten(counts)[1], rel=1e-13, abs=1e-13)


def test_without_nuisances_counts_are_scaled():
    weight = np.arange(1.0, 101.0)
    assert whitener(weight, np.empty((0, 100)))(np.ones(100)) == pytest.approx(np.sqrt(weight), rel=1e-15)


@pytest.mark.parametrize("C_V", [0.1, 1e3])
def test_many_bins_are_as_the_twin_has_them(C_V):
    experiment = wide(100)
    fit = cf.Likelihood(experiment, model=EFT, parameters=("C_V",))
    weak = cf.event_rate(experiment, cf.StandardModel())
    counts = cf.event_rate(experiment, EFT.replace(C_V=C_V))
    expected = joint_chi2([Setup(experiment, counts, weak, weak, {})]).chi2
    assert fit([C_V]) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_thousands_of_bins_take_little_memory():
    """A dense factor of 4,000 bins has 128 MB, and took 20 s."""
    experiment = wide(4000)
    cf.event_rate(experiment, EFT)  # of which this is not about
    tracemalloc.start()
    try:
        curve = cf.limit_scan(experiment, EFT, "C_V")
        fit = cf.Likelihood(experiment, model=EFT, parameters=("C_V", "a_M"))
        value = fit([curve.upper[0], 0.0])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20e6
    assert value - curve.chi2_min[0] == pytest.approx(curve.delta_chi2, rel=1e-9)
