"""A parallel kernel and its serial twin: the same bits, and safe in threads and in forked children."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numba import prange

from cevns_fast._kernels import parallel

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@parallel.twins
def sums_of_sines(x, out):
    for i in prange(x.size):
        total = 0.0
        for k in range(200):
            total += np.sin(k * x[i]) / (1.0 + k)
        out[i] = total


def computed(threads):
    x = np.linspace(0.0, 3.0, 1001)
    out = np.empty_like(x)
    sums_of_sines(x, out, threads=threads)
    return out.tobytes()


@pytest.mark.jit
def test_twins_give_the_same_bits():
    assert sums_of_sines.serial.targetoptions.get("parallel") is None
    assert sums_of_sines.parallel.targetoptions["parallel"]
    assert computed(1) == computed(2) == computed(7)
    assert sums_of_sines.parallel.signatures  # it has been run


@pytest.mark.jit
def test_threads_of_python_take_turns():
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(computed, [2] * 16))) == 1


@pytest.mark.jit
@needs_fork
def test_forked_child_is_serial_and_lives():
    code = f"""
import multiprocessing, sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
import test_parallel as t
before = t.computed(2)
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(t.computed, [2, 2, 1]) == [before] * 3
assert t.computed(2) == before
print("alive")
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.stdout.strip() == "alive", run.stderr


@pytest.mark.jit
def test_two_files_in_the_cache():
    caches = {kernel._cache._impl.filename_base for kernel in (sums_of_sines.serial, sums_of_sines.parallel)}
    assert len(caches) == 2
