"""A long run, shortened: memory stays where it is, and the last answer is the first one.

All of it runs in a process of its own: where other tests have freed memory, a leak fills that first and is not seen.
"""

import gc
import os
import subprocess
import sys
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pytest

import cevns_fast as cf

ALONE = "CEVNS_FAST_SOAK" in os.environ
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc"),
]
alone = pytest.mark.skipif(not ALONE, reason="test_in_a_process_of_its_own runs it")

# Far below what a leak of one small object a call adds up to, and above what allocators keep for themselves.
FLAT = 6.0  # MB


def resident():
    """Resident memory of this process, MB."""
    gc.collect()
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1e3


def rises_by(work, warm_up, repeat):
    """MB by which memory grows over so many calls after the first ones."""
    for _ in range(warm_up):
        work()
    before = resident()
    for _ in range(repeat):
        work()
    return resident() - before


@pytest.fixture(scope="module")
def fit(csi):
    return cf.Likelihood(csi, model=cf.SingletEFT, parameters=("m_chi", "C_S", "a_M"))


@alone
def test_twenty_million_evaluations(fit):
    """What a sampler asks for in an hour: 200 batches of 1e5 vectors."""
    random = np.random.default_rng(1)
    low, high = [1.0, -0.05, -1e-3], [50.0, 0.05, 1e-3]
    thetas = random.uniform(low, high, (100_000, 3))
    thetas[:, 0] = np.round(thetas[:, 0], 1)
    thetas = thetas[np.argsort(thetas[:, 0])]  # runs of one mass, as the documentation advises
    first = fit.batch(thetas)
    assert rises_by(lambda: fit.batch(thetas), 5, 200) < FLAT
    assert fit.batch(thetas).tobytes() == first.tobytes()
    single = [fit(theta) for theta in thetas[::5000].tolist()]
    np.testing.assert_allclose(single, first[::5000], rtol=1e-12)


@alone
def test_values_and_derivatives(fit):
    """Calls that allocate small arrays and pass pointers to C."""

    def work():
        theta = [20.0, 0.01, 1e-4]
        fit(theta), fit.value_and_gradient(theta), fit.hessian(theta), fit.pulls(theta), fit.counts(theta)

    assert rises_by(work, 200, 20_000) < FLAT


@alone
def test_interactions_that_change(csi):
    """Rates, χ² and limits of interactions never seen before: what is remembered is bounded."""
    like = cf.Likelihood(csi)
    m = (x for x in cycle(np.linspace(0.5, 50.0, 99_991).tolist()))

    def work():
        mass = next(m)
        for each in (
            cf.SingletEFT(mass, a_M=1e-4, C_S=0.01),
            cf.ScalarMediator(m_chi=mass, m_S=mass, y_bar=1e-5),
            cf.StandardModel(0.2 + mass / 1000),
        ):
            cf.event_rate(csi, each)
            like.chi2(each)

    def limits():
        cf.limit_scan(csi, [cf.SingletEFT(x) for x in islice(m, 3)], "C_S")

    # Caches hold 512 likelihoods and 256 of everything else: after 700 rounds they have been emptied at least once.
    assert rises_by(work, 700, 3000) < FLAT
    assert rises_by(limits, 50, 300) < FLAT
    assert len(like._interactions._evaluators) <= 512


@alone
def test_scans_fits_and_toys_that_come_and_go(csi):
    """Objects that hold megabytes, or memory of the C kernel, are gone when nobody holds them."""
    x, y = np.linspace(-0.05, 0.05, 300), np.linspace(-1e-3, 1e-3, 300)
    m = cycle(np.linspace(0.5, 50.0, 9973).tolist())

    def work():
        eft = cf.SingletEFT(next(m))
        cf.correlation_scan(csi, eft, ("C_S", "a_M"), x, y, threads=2)
        fit = cf.Likelihood(csi, statistic="poisson", model=eft, parameters=("C_S",))
        cf.goodness_of_fit(fit, toys=50)

    assert rises_by(work, 20, 40) < FLAT


@alone
def test_the_measurement_sees_a_leak(fit):
    """A leak of 500 bytes a call, in 20 000 calls, is not below the threshold."""
    kept = []
    assert rises_by(lambda: kept.append(bytearray(500)), 200, 20_000) > FLAT


@pytest.mark.skipif(ALONE, reason="this is the process")
def test_in_a_process_of_its_own():
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-n0", "-m", "", "-p", "no:cacheprovider", __file__]
    environment = os.environ | {"CEVNS_FAST_SOAK": "1"}
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "5 passed, 1 skipped" in done.stdout
