"""Under load and in poor conditions: many threads, busy executors, damaged caches, no space, no memory, no extras."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast._kernels.loop_functions import loop_functions
from cevns_fast._support.remember import Memory
from cevns_fast.counts import rows
from cevns_fast.likelihood import of_interactions

GRIDS = np.linspace(-0.05, 0.05, 60), np.linspace(-1e-3, 1e-3, 70)
PACKAGE = Path(cf.__file__).parent

# The kernel that compiles fastest, and one that calls others.
SMALL = """
import numpy as np
from cevns_fast._kernels.loop_functions import loop_functions
value = loop_functions(np.array([1.0]), np.array([2.0]))[0, 0]
print(repr(float(value)), sum(loop_functions.stats.cache_hits.values()))
"""


def start(code, stdin=None, **environment):
    """A new process with this package; a variable that is None is left out."""
    merged = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), **environment}
    merged = {name: str(value) for name, value in merged.items() if value is not None}
    return subprocess.Popen([sys.executable, "-P", "-c", code], env=merged, cwd="/", text=True,
                            stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip


def output(process):
    """What a process has printed, when it has ended well."""
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return out.strip()


# -- threads ------------------------------------------------------------------------------------------------


@pytest.fixture
def eager_threads(monkeypatch):
    """Threads change places a hundred times as often as usual, and what is remembered is thrown out at once."""
    monkeypatch.setattr(of_interactions, "_REMEMBERED", 2)
    monkeypatch.setattr(rows, "_remembered_rows", Memory(2))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(interval / 100)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.slow
def test_eight_threads_share_everything(csi, eager_threads):
    """Each thread does the same in another order, on the same objects: every answer has the bits of a lone one."""
    like = cf.Likelihood(csi)
    fit = cf.Likelihood(csi, model=cf.SingletEFT, parameters=("m_chi", "C_S", "a_M"))
    thetas = np.random.default_rng(3).uniform([1.0, -0.05, -1e-3], [50.0, 0.05, 1e-3], (3, 20_000, 3))
    efts = [cf.SingletEFT(m, a_M=1e-4, C_S=0.01) for m in (5.0, 20.0, 45.0)]

    def scan(eft):
        return cf.correlation_scan(csi, eft, ("C_S", "a_M"), *GRIDS, threads=2).chi2

    tasks = []
    for e, some in zip(efts, thetas, strict=True):
        tasks += [
            lambda some=some: fit.batch(some),
            lambda some=some: fit.hessian(some[0]),
            lambda some=some: fit(some[0]),
            lambda e=e: like.chi2(e),
            lambda e=e: cf.event_rate(csi, e),
            lambda e=e: cf.templates(csi, e).values,
            lambda e=e: scan(e),
            lambda e=e: cf.limit_scan(csi, [e], "C_V").upper,
        ]
    expected = [np.asarray(task()).tobytes() for task in tasks]
    together = threading.Barrier(8)

    def hammer(seed):
        order = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(tasks)), 3))
        together.wait()
        return {(i, np.asarray(tasks[i]()).tobytes() == expected[i]) for i in order.tolist()}

    with ThreadPoolExecutor(8) as pool:
        found = set().union(*pool.map(hammer, range(8)))
    assert found == {(i, True) for i in range(len(tasks))}


def test_eight_threads_make_the_first_call_together(csi):
    """Nobody has built flux moments, a plan or a likelihood's tables yet."""
    expected = cf.event_rate(csi, cf.SingletEFT(20.0, a_M=1e-4))
    fresh = csi.replace(mass=2 * csi.detector.mass, distance=2**0.5 * csi.source.distance)
    fit = cf.Likelihood(fresh, model=cf.SingletEFT, parameters=("m_chi", "a_M"))
    together = threading.Barrier(8)

    def call(i):
        together.wait()
        return cf.event_rate(fresh, cf.SingletEFT(20.0, a_M=1e-4)), fit([20.0, 1e-4])

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(call, range(8)))
    assert len({(counts.tobytes(), value) for counts, value in found}) == 1
    np.testing.assert_allclose(found[0][0], expected, rtol=1e-12)


# -- oversubscription ---------------------------------------------------------------------------------------


def watched(real, work, start, stop, columns, *rest):
    """A chunk, the threads that it started, and the processor time it took: of all threads, and of its own."""
    begun = []
    start_thread = threading.Thread.start
    threading.Thread.start = lambda self: (begun.append(self.name), start_thread(self))[1]
    before = time.process_time(), time.thread_time()
    try:
        real(work, start, stop, columns, *rest)
    finally:
        threading.Thread.start = start_thread
    return begun, time.process_time() - before[0], time.thread_time() - before[1]


def chunk_arguments(csi):
    """What a profiled scan sends to an executor for one of its chunks."""
    sent = []

    class Spy(ThreadPoolExecutor):
        def submit(self, function, *arguments):
            sent.append((function, *arguments))
            return super().submit(function, *arguments)

    with Spy(1) as pool:
        options = {"profile": ("C_T", "C_V"), "executor": pool}
        cf.correlation_scan(csi, cf.SingletEFT(40.0), ("C_S", "a_M"), *GRIDS, **options)
    return sent[0]


def check_one_thread(begun, of_process, of_thread):
    """Nothing was started, and what the process did, this thread did: dask's own housekeeping takes a little."""
    assert begun == []
    assert of_thread > 0.02, "too short to tell"
    assert of_process - of_thread < 0.2 * of_thread + 0.05


def test_a_chunk_is_one_threads_work(csi):
    check_one_thread(*watched(*chunk_arguments(csi)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # dask's own
def test_a_chunk_on_a_dask_worker_is_one_threads_work(csi):
    """Even where the caller was told to use many threads, and the worker has more than one processor."""
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    arguments = chunk_arguments(csi)
    cf.set_num_threads(4)
    try:
        with (
            distributed.LocalCluster(
                n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            source = Path(__file__).read_text(encoding="utf-8")  # a worker cannot import this test by name
            body = source[source.index("def watched(") : source.index("def chunk_arguments(")]
            run = "exec(body, names := {'threading': __import__('threading'), 'time': __import__('time')})"
            call = eval(f"lambda body, *arguments: ({run}, names['watched'](*arguments))[1]")
            executor = client.get_executor()
            executor.submit(call, body, *arguments).result(timeout=120)  # compiles or loads kernels
            found = executor.submit(call, body, *arguments, pure=False).result(timeout=120)
    finally:
        cf.set_num_threads(None)
    check_one_thread(*found)


# -- the cache of compiled kernels --------------------------------------------------------------------------

DAMAGE = {
    "cut in half": lambda raw: raw[: len(raw) // 2],
    "empty": lambda raw: b"",
    "other bytes": lambda raw: b"\x93NUMPY garbage" * 40,
    "half zeros": lambda raw: raw[: len(raw) // 2] + bytes(len(raw) - len(raw) // 2),
    "one bit": lambda raw: raw[:-900] + bytes([raw[-900] ^ 1]) + raw[-899:],
}

# Two kernels that compile at once, one of which calls the other.
TINY = """
from cevns_fast._kernels.jit import njit
@njit
def twice(x):
    return 2.0 * x
@njit
def answer(x):
    return twice(x)
print(answer(21.0), sum(answer.stats.cache_hits.values()))
"""
REIMPORT = """
import sys
for _ in sys.stdin:
    sys.modules.pop("kernel", None)
    import kernel
    sys.stdout.flush()
"""


@pytest.mark.jit
@pytest.mark.slow
@pytest.mark.parametrize("files", ["*.nbi", "*.nbc"])
def test_a_damaged_cache_costs_a_compilation_only(tmp_path, files):
    """Index and machine code after a power failure, a full disk, a copy that was interrupted."""
    cache, module = tmp_path / "cache", tmp_path / "kernel.py"
    module.write_text(TINY)
    # Each import makes the kernels anew and reads the files again, as a new process does.
    place = f"{PACKAGE.parent}{os.pathsep}{tmp_path}"
    with start(REIMPORT, stdin=subprocess.PIPE, NUMBA_CACHE_DIR=cache, PYTHONPATH=place) as child:

        def found():
            child.stdin.write("\n")
            child.stdin.flush()
            return child.stdout.readline().strip()

        assert found() == "42.0 0"
        for name, damage in DAMAGE.items():
            damaged = list(cache.rglob(files))
            if name == "one bit" and files == "*.nbi":
                continue  # an index is some hundred bytes long
            assert damaged, "nothing is cached"
            for path in damaged:
                path.write_bytes(damage(path.read_bytes()))
            assert found() == "42.0 0", f"{name}: used as if it were sound"
        assert found() == "42.0 1", "the cache has not healed"
        assert output(child) == ""


@pytest.mark.slow
@pytest.mark.jit
def test_code_of_an_older_source_is_never_run(tmp_path):
    """The disk was full when an upgrade saved its code: the index is new, and the code beside it is not."""
    module = tmp_path / "kernel.py"
    source = "from cevns_fast._kernels.jit import njit\n@njit\ndef answer():\n    return {}\nprint(answer())\n"
    run = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import kernel"
    full = "from cevns_fast._kernels import jit\ndef full(*_): raise OSError(28, 'No space left on device')\n"
    full += "jit._SealedFiles._save_data = full\n"
    environment = {"NUMBA_CACHE_DIR": tmp_path / "cache", "PYTHONDONTWRITEBYTECODE": "1"}
    module.write_text(source.format(1))
    assert output(start(run, **environment)) == "1"
    module.write_text(source.format(2) + "# longer\n")
    assert output(start(full + run, **environment)) == "2"
    assert output(start(run, **environment)) == "2"


@pytest.mark.slow
@pytest.mark.jit
def test_a_full_disk_costs_a_compilation_only(tmp_path):
    """What cannot be saved is compiled again next time."""
    full = """
import errno, os
from cevns_fast._kernels import jit
def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
jit._SealedFiles._open_for_write = full
"""
    expected = loop_functions(np.array([1.0]), np.array([2.0]))[0, 0]
    assert output(start(full + SMALL, NUMBA_CACHE_DIR=tmp_path / "full")) == f"{float(expected)!r} 0"
    assert not list((tmp_path / "full").rglob("*.nb?"))


@pytest.mark.jit
@pytest.mark.slow
def test_four_processes_compile_into_one_empty_cache(tmp_path):
    """A batch job's first step: all have the right number, and leave a cache that the fifth uses."""
    running = [start(SMALL, NUMBA_CACHE_DIR=tmp_path) for _ in range(4)]
    values = {output(process).split()[0] for process in running}
    assert len(values) == 1
    value, hits = output(start(SMALL, NUMBA_CACHE_DIR=tmp_path)).split()
    assert value in values and hits == "1"
    assert not list(tmp_path.rglob("*.tmp*"))


# -- packages that are not there ----------------------------------------------------------------------------

WITHOUT_EXTRAS = """
import sys, tempfile
from pathlib import Path

EXTRAS = ("matplotlib", "contourpy", "xarray", "h5netcdf", "h5py", "tqdm", "iminuit", "emcee", "dynesty", "ultranest",
          "pyhf", "arviz", "dask", "distributed", "mpmath", "mpi4py", "pandas", "psutil")

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in EXTRAS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import numpy as np
import cevns_fast as cf

for name in dir(cf):
    getattr(cf, name)
csi, eft = cf.load("coherent-csi-2017"), cf.SingletEFT(20.0)
x, y = np.linspace(-0.03, 0.03, 61), np.linspace(-6e-4, 6e-4, 61)
fit = cf.Likelihood(csi, model=eft, parameters=("C_S", "a_M"))
folder = Path(tempfile.mkdtemp())

# What needs nothing else.
cf.event_rate(csi, eft), cf.templates(csi, eft), cf.recoil_spectrum(csi, eft, 0.01), cf.limit_scan(csi, eft, "C_S")
cf.F_G(10.0, 20.0, 4180.0), cf.loop_functions(10.0, 20.0), cf.reference.helm_form_factor(cf.nuclide("Cs133"), 0.01)
cf.reference.differential_cross_section(eft, cf.nuclide("Cs133"), 30.0, 0.01)
scan = cf.correlation_scan(csi, eft, ("C_S", "a_M"), x, y, checkpoint=folder / "checkpoint")
scan.delta_chi2, scan.correlation(0.9)
fit([0.0, 0.0]), fit.gradient([0.0, 0.0]), cf.best_fit(fit), cf.goodness_of_fit(fit, toys=50)
cf.scipy_problem(fit), cf.starting_points(fit, 4), cf.prior_transform(
    cf.Likelihood(csi, model=eft, parameters=("C_S",), bounds={"C_S": (-1.0, 1.0)}))
cf.pyhf_workspace(csi, eft, ("C_S",)), cf.write_c_interface(folder / "c")

# What does not, and says what to install.
from cevns_fast.output import plotting
from cevns_fast.reference import loop_functions as slow
needs = {
    "scan": [lambda: scan.contours(0.9), lambda: scan.area(0.9), scan.to_xarray, lambda: scan.save(folder / "x.nc"),
             lambda: cf.open_scan(folder / "x.nc"),
             lambda: cf.correlation_scan(csi, eft, ("C_S",), x, progress=True)],
    "fit": [lambda: cf.minuit_cost(fit), lambda: cf.to_inference_data(fit, np.zeros((2, 10, 2)))],
    "reference": [lambda: slow.F_G(10.0, 20.0, 4180.0), lambda: slow.loop_functions(10.0, 20.0)],
    "plot": [lambda: plotting.lines([], x_label="", y_label=""), lambda: plotting.planes([[None]])],
}
for extra, calls in needs.items():
    for i, call in enumerate(calls):
        try:
            call()
        except ImportError as error:
            if f"cevns_fast[{extra}]" not in str(error):
                print(extra, i, repr(error))
        else:
            print(extra, i, "works without it?")
assert not {name.partition(".")[0] for name in sys.modules} & set(EXTRAS)
print("done")
"""


@pytest.mark.slow
def test_without_any_extra():
    """Everything works that needs none, and all else names the extra."""
    assert output(start(WITHOUT_EXTRAS)) == "done"


# -- memory -------------------------------------------------------------------------------------------------

HUGE = """
import resource, sys, time
import numpy as np
import cevns_fast as cf
csi, eft = cf.load("coherent-csi-2017"), cf.SingletEFT(40.0)
x = np.linspace(-0.05, 0.05, 3)
cf.correlation_scan(csi, eft, ("C_S", "a_M"), x, x)  # everything is compiled
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
grid = np.linspace(-0.05, 0.05, 2_000_000)
begin = time.monotonic()
try:
    cf.correlation_scan(csi, eft, ("C_S", "a_M"), grid, grid)
except MemoryError as error:
    print("memory map" in str(error), time.monotonic() - begin < 5,
          resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 100_000)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="the system does not tell")
def test_thirty_terabytes_are_refused_at_once():
    """Nothing of the size of the result is allocated first, not even lazily."""
    assert output(start(HUGE)) == "True True True"


LITTLE = """
import resource, sys
import numpy as np
import cevns_fast as cf
csi, eft = cf.load("coherent-csi-2017"), cf.SingletEFT(40.0)
x, y = np.linspace(-0.05, 0.05, 2500), np.linspace(-1e-3, 1e-3, 4000)
expected = cf.correlation_scan(csi, eft, ("C_S", "a_M"), x[1000:1002], y, threads=2).chi2
mapped = np.lib.format.open_memmap(sys.argv[1], mode="w+", dtype=np.float64, shape=(2500, 4000))
used = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (1024 * used + 45 * 2**20,) * 2)  # files that are mapped do not count
try:
    np.ones((2500, 4000))
except MemoryError:
    scan = cf.correlation_scan(csi, eft, ("C_S", "a_M"), x, y, out=mapped, threads=2)
    print(np.array_equal(scan.chi2[1000:1002], expected), float(scan.chi2_min[0]) <= scan.chi2.min())
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_DATA means something else elsewhere")
def test_a_scan_larger_than_memory_goes_to_a_map(tmp_path):
    """80 MB of χ², a process that may not allocate half as much, and a file."""
    code = LITTLE.replace("sys.argv[1]", repr(str(tmp_path / "plane.npy")))
    assert output(start(code)) == "True True"
    assert np.load(tmp_path / "plane.npy", mmap_mode="r").shape == (2500, 4000)
