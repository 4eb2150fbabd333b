"""The examples in the manner of GAMBIT and CosmoMC are compiled and agree with Python."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast.interop import c_interface

EXAMPLES = Path(__file__).parents[2] / "examples"
STRICT = ["-Wall", "-Wextra", "-Werror"]


def run(*command, cwd, given=None):
    done = subprocess.run([*map(str, command)], cwd=cwd, input=given, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def compiler(name):
    found = shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.fixture(scope="module")
def fit():
    return cf.Likelihood(
        cf.load("coherent-csi-2017"),
        model=cf.SingletEFT(20.0),
        parameters=("C_V", "alpha"),
        bounds={"C_V": (-0.5, 0.5)},
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory, fit):
    """A folder with the interface, its shared library, and a file for it."""
    compiler("cc")
    folder = tmp_path_factory.mktemp("embedding")
    cf.write_c_interface(folder)
    fit.export(folder / "fit.cevns")
    run(*c_interface.COMPILE.replace("-O3", "-O1").split(), cwd=folder)
    return folder


@pytest.fixture(scope="module")
def scan(home):
    """The scanner, compiled."""
    source = EXAMPLES / "embedding_gambit" / "scan.cpp"
    run(compiler("c++"), "-std=c++17", "-O1", *STRICT, f"-I{home}", source, "-ldl", "-lpthread", "-o", "scan", cwd=home)
    return home / "scan"


@pytest.mark.slow
def test_a_backend_for_a_scanner_with_threads(home, scan, fit):
    points = np.random.default_rng(1).uniform(-0.4, 0.4, (200, 2))
    lines = [f"alpha={a!r} C_V={c!r} other=3" for c, a in points.tolist()]
    given = "\n".join([*lines, "alpha=0 C_V=7", "alpha=0"])
    printed = run(scan, "./libcevns_fast.so", "fit.cevns", 4, cwd=home, given=given)
    *found, out_of_bounds, missing = printed.splitlines()
    assert [float(each) for each in found] == [fit.log_likelihood(point) for point in points]
    assert out_of_bounds == "invalid: out of bounds" and missing == "error: there is no parameter C_V"


def test_a_backend_says_what_is_wrong(home, scan):
    (home / "other").write_text("no likelihood")
    for argv, words in (
        (("./missing.so", "fit.cevns", "1"), "missing.so"),
        (("./libcevns_fast.so", "other", "1"), "other: is not from Likelihood.export"),
    ):
        done = subprocess.run([scan, *argv], cwd=home, input="", capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and words in done.stderr


def test_a_likelihood_for_a_sampler_in_fortran(home, fit):
    gfortran, here = compiler("gfortran"), EXAMPLES / "embedding_cosmomc"
    run(
        gfortran, "-std=f2018", "-O2", *STRICT, "-Wno-c-binding-type", EXAMPLES / "embedding_c" / "cevns_fast.f90",
        here / "cevns_likelihood.f90", here / "sample.f90", f"-L{home}", "-lcevns_fast", f"-Wl,-rpath,{home}", "-o",
        "sample", cwd=home,
    )  # fmt: skip
    argv = ["omega", "0.1", "0.01", "alpha", "0.2", "0.3", "C_V", "0.05", "0.05"]
    printed = dict(line.split() for line in run("./sample", "fit.cevns", 40000, *argv, cwd=home).splitlines())
    assert float(printed["start"]) == pytest.approx(fit([0.05, 0.2]) / 2, rel=1e-15)
    axes = np.linspace(-0.5, 0.5, 301), np.linspace(-8.0, 8.0, 401)
    chi2 = fit.batch(np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2))
    weights = np.exp(-0.5 * chi2)
    assert float(printed["mean"]) == pytest.approx(weights @ chi2 / weights.sum() / 2, abs=0.1)
