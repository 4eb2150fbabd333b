"""Scans before, after and inside forks, other start methods and Python threads: nothing hangs, and the bits agree."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from processes import SameBits

import cevns_fast as cf
from cevns_fast.inference import planes

GRIDS = np.linspace(-0.05, 0.05, 60), np.linspace(-1e-3, 1e-3, 70)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(planes.PlaneProblem, "points_per_chunk", 500)


def digest(threads):
    """A scan's bytes."""
    scan = cf.correlation_scan(
        cf.load("coherent-csi-2017"), cf.SingletEFT(40.0), ("C_S", "a_M"), *GRIDS, threads=threads
    )
    return scan.chi2.tobytes() + scan.chi2_min.tobytes()


@pytest.fixture(scope="module")
def expected():
    return digest(1)


class TestScan(SameBits):
    digest = staticmethod(digest)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_other_start_methods(expected, method):
    assert digest(2) == expected
    arguments = (cf.load("coherent-csi-2017"), cf.SingletEFT(40.0), ("C_S", "a_M"), *GRIDS)
    # A function of the package: a new process cannot import this test by name.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
        scan = pool.submit(cf.correlation_scan, *arguments, threads=2).result(timeout=120)
    assert scan.chi2.tobytes() + scan.chi2_min.tobytes() == expected
