"""Kernels run beside other Python threads."""

import shutil
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from cevns_fast._kernels import fg, loop_functions

KERNELS = Path(__file__).parents[2] / "cevns_fast" / "_kernels"


def call_fg():
    fg.f_g(*np.full((3, 2_000_000), 10.0), "corrected")


def call_loop_functions():
    m_chi = np.full(4_000_000, 9.0)
    loop_functions.loop_functions(m_chi, m_chi + 1.0)


@pytest.mark.parametrize("call", [call_fg, pytest.param(call_loop_functions, marks=pytest.mark.jit)])
def test_another_thread_advances_during_the_call(call):
    """A call takes some tenths of a second; the watcher wakes every millisecond and must not stand still."""
    loop_functions.loop_functions(np.ones(1), np.ones(1))  # compile before anyone watches
    done = threading.Event()
    wakes = []

    def watch():
        while not done.wait(1e-3):
            wakes.append(None)

    with ThreadPoolExecutor(1) as pool:
        watcher = pool.submit(watch)
        before = len(wakes)
        call()
        during = len(wakes) - before
        done.set()
        watcher.result()
    assert during > 20


def test_kernels_in_c_keep_nothing_between_calls(tmp_path):
    """No variable outlives a call, so that no lock is needed where there is no GIL."""
    sources = sorted(KERNELS.glob("*.c"))
    if not (shutil.which("cc") and shutil.which("nm") and sources):
        pytest.skip("needs a C compiler, nm and the sources")
    subprocess.run(["cc", "-c", "-O0", "-std=c99", *map(str, sources)], cwd=tmp_path, check=True)
    objects = [str(tmp_path / f"{source.stem}.o") for source in sources]
    symbols = subprocess.run(["nm", "-A", *objects], check=True, capture_output=True, text=True).stdout.splitlines()
    assert len(symbols) > 100
    assert not [line for line in symbols if line.split()[-2] in "BbCDdGgSs"]
