"""The package in its source folder: without compiled kernels every entry says so, and a build leaves them there."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import cevns_fast

PACKAGE = Path(cevns_fast.__file__).parent
ROOT = Path(__file__).parents[2]

# What a first user calls; each is the first to need a kernel in its process.
ENTRIES = {
    "event_rate": "cf.event_rate(csi, eft)",
    "templates": "cf.templates(csi, eft)",
    "recoil_spectrum": "cf.recoil_spectrum(csi, eft, [0.01])",
    "F_G": "cf.F_G(10.0, 100.0, 5.0)",
    "vector mediator": "cf.event_rate(csi, cf.VectorMediator(m_chi=10.0, m_zprime=100.0, gchi_gq=1e-4))",
    "chi2": "cf.Likelihood(csi).chi2(eft)",
    "fit": "cf.Likelihood(csi, model=cf.SingletEFT(10.0), parameters=('C_S',))([0.01])",
    "limit_scan": "cf.limit_scan(csi, [eft], 'a_M')",
    "correlation_scan": "cf.correlation_scan(csi, eft, ('C_S', 'a_M'), [0.0, 0.01], [0.0, 1e-4])",
    "feldman_cousins": "cf.feldman_cousins(csi, eft, 'a_M', [1e-4], toys=10)",
}
COMMANDS = (["rate", "m_chi=10", "a_M=1e-4"], ["limit", "--masses", "2"], ["scan", "C_S", "a_M", "m_chi=40"])
CODE = """
import sys
import cevns_fast as cf
from cevns_fast import cli
for entry in {entries!r}:
    for name in [name for name in sys.modules if name.startswith("cevns_fast.")]:
        del sys.modules[name]
    for name in [name for name in vars(cf) if name in cf.__all__ and not name.startswith("__")]:
        delattr(cf, name)
    try:
        csi, eft = cf.load("coherent-csi-2017"), cf.SingletEFT(10.0, a_M=1e-4)
        eval(entry)
    except ImportError as error:
        print(type(error).__name__, error)
for command in {commands!r}:
    print(cli.main(command), file=sys.stderr)
"""

# The backend with a setuptools that makes a wheel of one file.
BUILD = """
import sys, types, zipfile
from pathlib import Path
def build_wheel(directory, settings, metadata):
    with zipfile.ZipFile(Path(directory, "a.whl"), "w") as wheel:
        wheel.writestr("cevns_fast/_kernels/_c.abi3.so", "new")
        wheel.writestr("cevns_fast/_kernels/_common.py", "")
    return "a.whl"
hooks = dict.fromkeys(("build_sdist", "build_editable", "get_requires_for_build_editable",
    "get_requires_for_build_sdist", "get_requires_for_build_wheel", "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel"))
setuptools = types.ModuleType("setuptools")
setuptools.build_meta = sys.modules["setuptools.build_meta"] = types.ModuleType("setuptools.build_meta")
vars(setuptools.build_meta).update(hooks, build_wheel=build_wheel)
sys.modules["setuptools"] = setuptools
import backend
assert backend.build_wheel("..") == "a.whl"
assert Path("../build/_c.c").stat().st_size > 10_000
"""
COMMANDS_OF_SETUPTOOLS = """
import sysconfig
variable = sysconfig.get_config_var
sysconfig.get_config_var = lambda name: int({free_threaded}) if name == "Py_GIL_DISABLED" else variable(name)
import setuptools
from setuptools import Distribution, Extension
import limited_api
distribution = Distribution(dict(name="a", version="1", ext_modules=[Extension("a._c", ["c.c"])]))
extension, wheel = limited_api.build_ext(distribution), limited_api.bdist_wheel(distribution)
extension.finalize_options()
wheel.finalize_options()
wheel.root_is_pure = False
print(extension.get_ext_filename("a._c"), *wheel.get_tag()[:2])
"""


def run(code, folder, *options):
    """A new process beside the source folder, as a script there is."""
    environment = {**os.environ, "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, *options], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done


@pytest.fixture
def folder(tmp_path):
    """A source folder without anything that was built."""
    shutil.copytree(PACKAGE, tmp_path / "cevns_fast", ignore=shutil.ignore_patterns("__pycache__", "*.so", "*.nb?"))
    return tmp_path


def test_every_entry_says_in_one_line_that_kernels_are_missing(folder):
    done = run(CODE.format(entries=list(ENTRIES.values()), commands=COMMANDS), folder)
    lines = done.stdout.splitlines()
    assert len(lines) == len(ENTRIES), done.stdout
    for entry, line in zip(ENTRIES, lines, strict=True):
        assert line.startswith("ImportError cevns_fast is imported from a source folder"), (entry, line)
        assert "pip install" in line
    errors = done.stderr.splitlines()
    assert errors[1::2] == ["2"] * len(COMMANDS)
    assert all(line.startswith("cevns-fast: error: cevns_fast is imported from") for line in errors[::2])


def test_what_needs_no_kernel_works_without(folder):
    code = "import cevns_fast as cf; cf.write_c_interface('c'); print(*cf.available_experiments())"
    assert "coherent-csi-2017" in run(code, folder).stdout
    assert (folder / "c" / "likelihood.c").exists()


def test_another_missing_module_is_not_mistaken(folder):
    (folder / "cevns_fast" / "_kernels" / "_c.py").write_text("import no_such_module")
    code = "try:\n    import cevns_fast._kernels.library\nexcept ImportError as error:\n    print(error)"
    assert run(code, folder).stdout == "No module named 'no_such_module'\n"


@pytest.fixture
def helpers():
    """The folder of the build backend, if the tests run in the source tree."""
    folder = ROOT / "setup_helpers"
    if not folder.is_dir():
        pytest.skip("the source tree is not here")
    return folder


def test_a_build_leaves_the_kernels_in_place(tmp_path, helpers):
    shutil.copytree(helpers, tmp_path / "setup_helpers", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(
        ROOT / "cevns_fast" / "_kernels", tmp_path / "cevns_fast" / "_kernels", ignore=shutil.ignore_patterns("*.so")
    )
    old = tmp_path / "cevns_fast" / "_kernels" / "_c.abi3.so"
    old.write_bytes(b"old")
    with old.open("rb") as used:
        run(BUILD, tmp_path / "setup_helpers")
        assert used.read() == b"old"  # a process that runs with it is not disturbed
    assert old.read_bytes() == b"new"
    assert sorted(path.name for path in old.parent.glob("_c*")) == ["_c.abi3.so"]


@pytest.mark.parametrize("free_threaded", [False, True])
def test_the_limited_api_is_used_where_there_is_one(helpers, free_threaded):
    try:
        version = importlib.metadata.version("setuptools")
    except importlib.metadata.PackageNotFoundError:
        version = "0"
    if int(version.split(".")[0]) < 77:
        pytest.skip("the build needs a newer setuptools than is installed here")
    name, *tag = run(COMMANDS_OF_SETUPTOOLS.format(free_threaded=free_threaded), helpers).stdout.split()
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    if free_threaded:
        assert "abi3" not in name and tag[0] == python and tag[1].startswith(python)
    elif not sysconfig.get_config_var("Py_GIL_DISABLED"):
        assert "abi3" in name and tag == ["cp311", "abi3"]
