"""A double integral in threads, forks and other processes, after parallel kernels and before: same bits, no hang."""

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cross_sections
import numpy as np
import pytest
from processes import SameBits

import cevns_fast as cf

pytestmark = pytest.mark.jit

PARAMETERS = {"m_chi": 2.0, "m_S": 10.0, "y": 1e-4}


def batch():
    one = cf.NumericalInteraction(cross_sections.scalar, PARAMETERS, {"y": 4}, final_mass="m_chi")
    return [one.replace(m_S=m) for m in np.geomspace(0.01, 100.0, 24).tolist()]


def digest(threads):
    """Bytes of counts, of a user's function and of a built-in interaction."""
    csi = cf.load("coherent-csi-2017")
    found = cf.event_rate(csi, batch(), threads=threads)
    tables = [cf.SingletEFT(m, C_S=0.01, a_M=1e-4) for m in (1.0, 10.0, 30.0, 45.0)]
    built_in = cf.event_rate(csi, tables, method="double-integral", threads=threads)
    return found.tobytes() + built_in.tobytes()


@pytest.fixture(scope="module")
def expected():
    return digest(1)


def test_the_same_bits_for_any_number_of_threads(expected):
    from cevns_fast._kernels.double_integral import spectra

    assert digest(2) == expected == digest(7)
    assert spectra.parallel.signatures and spectra.serial.signatures


def test_order_and_company_change_no_bit(expected):
    csi = cf.load("coherent-csi-2017")
    every = batch()
    together = cf.event_rate(csi, every)
    assert cf.event_rate(csi, every[::-1])[::-1].tobytes() == together.tobytes()
    assert cf.event_rate(csi, every[5]).tobytes() == together[5].tobytes()


class TestDoubleIntegral(SameBits):
    digest = staticmethod(digest)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_other_start_methods(expected, method):
    assert digest(2) == expected
    csi, every = cf.load("coherent-csi-2017"), batch()
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
        found = pool.submit(cf.event_rate, csi, every, threads=2).result(timeout=180)
    assert expected.startswith(found.tobytes())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # dask's own
def test_dask(expected):
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    helpers = str(Path(cross_sections.__file__).parent)
    assert digest(2) == expected
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, processes=True, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.run(lambda path: sys.path.insert(0, path), helpers)
        csi, every = cf.load("coherent-csi-2017"), batch()
        parts = [client.submit(cf.event_rate, csi, part, pure=False) for part in (every[:7], every[7:8], every[8:])]
        found = np.concatenate([part.result(timeout=180) for part in parts])
    assert expected.startswith(found.tobytes())


@pytest.mark.slow
def test_workers_and_forks_of_a_new_process():
    """From nothing: a parallel call first, forked children and Python threads after it."""
    code = f"""
import sys
sys.path.insert(0, {str(Path(cross_sections.__file__).parent)!r})
sys.path.insert(0, {str(Path(__file__).parent)!r})
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
import test_numerical_processes as t
before = t.digest(2)
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(t.digest, [2, 2, 1]) == [before] * 3
with ThreadPoolExecutor(3) as pool:
    assert set(pool.map(t.digest, [2, 1, 2])) == {{before}}
assert t.digest(1) == before
print("alive")
"""
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=300)
    assert run.stdout.strip() == "alive", run.stderr


OF_ONE_NAME = """
import cevns_fast as cf

def made(c):
    def dsigma(E, T, nucleus, beam, p):
        if E < 0:
            raise ValueError
        return c * 1e-20

    return cf.NumericalInteraction(dsigma, {})

csi = cf.load("coherent-csi-2017")
print(*[float(cf.event_rate(csi, made(c), standard_model=False).sum()).hex() for c in CONSTANTS])
"""


@pytest.mark.slow
def test_functions_of_one_name_kept_by_different_processes(tmp_path):
    """Machine code of another function of the same name, compiled as the first of another process, is not taken."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    found = []
    for constants in ("(1.0,)", "(2.0,)", "(1.0, 2.0)"):
        code = OF_ONE_NAME.replace("CONSTANTS", constants)
        run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
        assert run.returncode == 0, run.stderr
        found.append(run.stdout.split())
    assert found[2] == [*found[0], *found[1]]
    assert float.fromhex(found[1][0]) == 2 * float.fromhex(found[0][0])
