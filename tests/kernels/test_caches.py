"""Kernels compile late, are cached, and are never served stale."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cevns_fast
from cevns_fast._kernels.loop_functions import loop_functions

PACKAGE = Path(cevns_fast.__file__).parent
# Those that numba compiles: the others wrap C.
KERNELS = sorted(p for p in (PACKAGE / "_kernels").glob("*.py") if "numba" in p.read_text() or "njit" in p.read_text())
# The kernel that compiles fastest; at this ratio of masses it calls another one, for the series of a logarithm's tail.
SMALL = """
import numpy as np
from cevns_fast._kernels.loop_functions import loop_functions
print(repr(float(loop_functions(np.array([3.0]), np.array([4.0]))[0, 0])))
""".strip()


def run(code, *, package=PACKAGE, **environment):
    """A new process that imports a copy of the package; a variable that is None is left out."""
    merged = {**os.environ, "PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    merged = {name: str(value) for name, value in merged.items() if value is not None}
    done = subprocess.run([sys.executable, "-P", "-W", "error::RuntimeWarning", "-c", code],
                          env=merged, cwd="/", capture_output=True, text=True, timeout=300)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def copy(tmp_path):
    """A copy of the package, without what others have cached."""
    target = tmp_path / "site" / "cevns_fast"
    shutil.copytree(PACKAGE, target, ignore=shutil.ignore_patterns("__pycache__"))
    yield target
    for path in (target, *target.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)


# What each of the files with decorators may import.
_DECORATORS: dict[str, set[str]] = {"jit.py": set(), "parallel.py": {"cevns_fast._kernels.jit"}}


@pytest.mark.parametrize("path", KERNELS, ids=lambda p: p.name)
def test_kernel_files_are_self_contained(path):
    """numba looks at the file of a cached function only: what it takes from another file would go stale.

    Decorators are no callees: what they return calls a kernel, and is not compiled into one.
    """
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            imported.add(node.module)
        elif isinstance(node, ast.Import):
            imported.update(name.name for name in node.names)
    own = {name for name in imported if name.startswith("cevns_fast")}
    assert own <= _DECORATORS.get(path.name, {"cevns_fast._kernels.jit", "cevns_fast._kernels.parallel"})


def test_import_does_not_load_numba_or_scipy():
    code = "import sys, cevns_fast; print(sorted({'numba', 'scipy', 'matplotlib', 'xarray'} & set(sys.modules)))"
    assert run(code) == "[]"


@pytest.mark.slow
def test_scans_do_without_numba():
    """With couplings profiled too: their first call compiles nothing, and does not wait for numba's import."""
    code = """
import sys, cevns_fast as cf
csi, eft = cf.load("coherent-csi-2017"), cf.SingletEFT(20.0)
for profile in ((), ("C_T",), ("C_T", "C_V")):
    cf.correlation_scan(csi, eft, ("C_S",), [-0.01, 0.01], profile=profile, threads=1)
    print("numba" in sys.modules)
"""
    assert run(code).split() == ["False"] * 3


def test_a_first_limit_waits_for_no_heavy_import():
    """scipy.special alone takes half of what everything else in the process takes."""
    code = """
import sys, cevns_fast as cf
csi = cf.load("coherent-csi-2017")
cf.limit_scan(csi, cf.SingletEFT(10.0), "a_M")
cf.correlation_scan(csi, cf.SingletEFT(10.0), ("C_S", "a_M"), [0.0, 0.01], [0.0, 1e-3])
print(sorted({"numba", "scipy.special", "scipy.linalg", "scipy.optimize", "matplotlib"} & set(sys.modules)))
"""
    assert run(code) == "[]"


@pytest.mark.jit
def test_nothing_compiles_at_import():
    """Every module of the package imported: no kernel has a signature."""
    code = """
import importlib, pkgutil, cevns_fast
from numba.core.dispatcher import Dispatcher
kernels = []
for info in pkgutil.iter_modules(importlib.import_module("cevns_fast._kernels").__path__, "cevns_fast._kernels."):
    kernels += [x for x in vars(importlib.import_module(info.name)).values() if isinstance(x, Dispatcher)]
for name in cevns_fast.__all__:
    getattr(cevns_fast, name)
assert len(kernels) > 5, kernels
print([k.__name__ for k in kernels if k.signatures])
"""
    assert run(code) == "[]"


@pytest.mark.jit
@pytest.mark.slow
def test_one_specialisation_of_each_kernel():
    """Different calls of the façade must not make numba compile a kernel again."""
    code = """
import numpy as np, cevns_fast as cf
from numba.core.dispatcher import Dispatcher
from cevns_fast._kernels import loop_functions
csi = cf.load("coherent-csi-2017")
cf.loop_functions(10.0, 20.0)
cf.loop_functions(np.linspace(1.0, 2.0, 4)[::2], 20.0)
cf.event_rate(csi, cf.VectorMediator(m_chi=10.0, m_zprime=100.0, gchi_gq=1e-4))
kernels = [x for x in vars(loop_functions).values() if isinstance(x, Dispatcher)]
print({k.__name__: len(k.signatures) for k in kernels if len(k.signatures) > 1})
"""
    assert run(code) == "{}"


@pytest.mark.jit
@pytest.mark.slow
def test_a_changed_kernel_never_serves_an_old_result(copy, tmp_path):
    """The same cache folder before and after an edit of a callee."""
    cache = tmp_path / "cache"
    before = float(run(SMALL, package=copy, NUMBA_CACHE_DIR=cache))
    assert any(cache.rglob("loop_functions.loop_functions-*.nbi"))
    source = copy / "_kernels" / "loop_functions.py"
    text = source.read_text(encoding="utf-8")
    assert text.count("return total\n") == 1
    source.write_text(text.replace("return total\n", "return total + 1000.0\n"), encoding="utf-8")
    x = (3.0 / 4.0) ** 2
    change = (1 - x) ** 3 * 1000.0 / 4.0**4  # G enters D0b as y³ G/m², the docstring's A in (A1)
    assert float(run(SMALL, package=copy, NUMBA_CACHE_DIR=cache)) == pytest.approx(before + change, rel=1e-12)


@pytest.mark.slow
@pytest.mark.jit
def test_a_cached_kernel_is_not_compiled_again(tmp_path):
    """The second process finds the machine code of the first."""
    code = SMALL + "; print(sum(loop_functions.stats.cache_hits.values()))"
    first, second = (run(code, NUMBA_CACHE_DIR=tmp_path).split() for _ in range(2))
    assert first[0] == second[0]
    assert (first[1], second[1]) == ("0", "1")


WORDS = """
from numba import prange
from cevns_fast._kernels.jit import njit

@njit
def words(n):
    found = {"one": n}
    found["two"] = n + 1
    return found["two"]

@njit(parallel=True)
def squares(x):
    for i in prange(x.size):
        x[i] = x[i] ** 2
"""


@pytest.mark.slow
@pytest.mark.jit
def test_machine_code_is_loaded_without_the_compiler(tmp_path):
    """Unless the linker misses a name: here of a kernel that hashes and of one that runs on numba's threads."""
    (tmp_path / "words.py").write_text(WORDS, encoding="utf-8")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from words import squares, words
import numpy as np
x = np.arange(3.0)
MISSED
print(words(1), sum(words.stats.cache_hits.values()), "numba.np.linalg" in sys.modules, end=" ")
squares(x)
print(*x.tolist(), sum(squares.stats.cache_hits.values()))
"""
    miss = "import llvmlite.binding; llvmlite.binding.address_of_symbol = lambda name: None"
    results = [run(code.replace("MISSED", x), NUMBA_CACHE_DIR=tmp_path / "cache").split() for x in ("", "", miss)]
    assert [r[0] for r in results] == ["2"] * 3 and [r[3:6] for r in results] == [["0.0", "1.0", "4.0"]] * 3
    assert [r[1:3] + r[6:] for r in results] == [["0", "True", "0"], ["1", "False", "1"], ["1", "True", "1"]]


@pytest.mark.slow
@pytest.mark.jit
def test_a_read_only_install_caches_where_it_is_told(copy, tmp_path):
    for path in (copy, *copy.rglob("*")):
        if path.is_dir():
            path.chmod(0o555)
    assert float(run(SMALL, package=copy, NUMBA_CACHE_DIR=tmp_path / "cache")) > 0
    assert any((tmp_path / "cache").rglob("*.nbi"))
    assert not any(copy.rglob("*.nbi"))


@pytest.mark.slow
@pytest.mark.jit
def test_where_no_cache_can_be_written_kernels_compile_every_time(copy, tmp_path):
    """Neither the install folder nor home is writable. Root may write anywhere, hence the refusing tempfile, by
    which numba finds out."""
    refuse = """
import tempfile
def refuse(*args, **kwargs):
    raise PermissionError("read-only")
tempfile.TemporaryFile = refuse
"""
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir(mode=0o500)
    expected = repr(float(loop_functions(np.array([3.0]), np.array([4.0]))[0, 0]))
    environment = {"NUMBA_CACHE_DIR": None, "HOME": nowhere, "XDG_CACHE_HOME": nowhere}
    assert run(refuse + SMALL, package=copy, **environment) == expected
    assert not any(copy.rglob("*.nbi"))
