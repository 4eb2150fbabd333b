"""The C interface from C, C++, Fortran and threads: the example programs find the bits that Python finds."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from cases import quick_are

import cevns_fast as cf
from cevns_fast import cli
from cevns_fast.interop import c_interface
from cevns_fast.likelihood.likelihood import function_of

EXAMPLES = Path(__file__).parents[2] / "examples" / "embedding_c"
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
# The text of numbers that C prints with 17 digits is exact; Fortran's es25.16e3 as well.
POINTS = {"gaussian": [20.0, 0.05, 2e-4, 0.3], "poisson": [35.5, -0.02, 1e-3, -1.0], "outside": [-1.0, 0.0, 0.0, 0.0]}


def compiler(name):
    """The path of a compiler, or the test is skipped."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(*command, cwd):
    """What a program prints; it must succeed without a word of complaint."""
    done = subprocess.run([str(each) for each in command], cwd=cwd, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def fit_of(statistic):
    """Two experiments, a mass, couplings and a nuisance with a space in its name."""
    csi = cf.load("coherent-csi-2017").replace(signal_uncertainty=0.26)
    lar = cf.load("coherent-lar-610kg").replace(signal_uncertainty=0.14)
    return cf.Likelihood(
        [csi, lar],
        statistic=statistic,
        nuisances=[cf.ScaleNuisance("SNS flux", 0.10)],
        model=cf.SingletEFT,
        parameters=("m_chi", "C_S", "a_M", "SNS flux"),
        bounds={"C_S": (-0.5, 0.5), "a_M": (-0.01, 0.01), "SNS flux": (-5.0, 5.0)},
    )


@pytest.fixture(scope="module")
def fits():
    return {"gaussian": fit_of("gaussian"), "poisson": fit_of("poisson")}


@pytest.fixture(scope="module")
def home(tmp_path_factory, fits):
    """A folder with the interface as a user gets it, and exported likelihoods."""
    directory = tmp_path_factory.mktemp("embedding")
    cf.write_c_interface(directory)
    for name, fit in fits.items():
        fit.export(directory / f"{name}.cevns")
    return directory


def sources(home):
    return sorted(home.glob("likelihood*.c"))


def compile_objects(home, *options):
    """The interface as objects, to be linked into a program; what they are."""
    run(compiler("cc"), "-O3", *options, "-c", *sources(home), cwd=home)
    return sorted(home.glob("likelihood*.o"))


def build_c(home, program, *, linked):
    gcc = compiler("cc")
    command = [gcc, "-std=c99", "-O3", *STRICT, f"-I{home}", program]
    if linked == "source":
        command += sources(home)
    elif linked == "static":
        run("ar", "rcs", "libcevns_static.a", *compile_objects(home, "-std=c99", *STRICT), cwd=home)
        command += [home / "libcevns_static.a"]
    else:
        run(*c_interface.COMPILE.split(), cwd=home)
        command += [f"-L{home}", "-lcevns_fast", f"-Wl,-rpath,{home}"]
    run(*command, "-lm", "-lpthread", "-o", home / "program", cwd=home)
    return home / "program"


def build_cpp(home):
    objects = compile_objects(home)
    run(
        compiler("c++"), "-std=c++17", "-O3", *STRICT, f"-I{home}", EXAMPLES / "fit.cpp", *objects, "-o", "program",
        cwd=home,
    )  # fmt: skip
    return home / "program"


def build_fortran(home):
    gfortran = compiler("gfortran")
    objects = compile_objects(home)
    run(
        gfortran, "-std=f2018", "-O3", *STRICT, "-Wno-c-binding-type", EXAMPLES / "cevns_fast.f90",
        EXAMPLES / "fit.f90", *objects, "-o", "program", cwd=home,
    )  # fmt: skip
    return home / "program"


BUILDS = {
    "C": lambda home: build_c(home, EXAMPLES / "fit.c", linked="source"),
    "C static": lambda home: build_c(home, EXAMPLES / "fit.c", linked="static"),
    "C shared": lambda home: build_c(home, EXAMPLES / "fit.c", linked="shared"),
    "C++": build_cpp,
    "Fortran": build_fortran,
}


@pytest.mark.parametrize("language", quick_are(BUILDS, 0))
def test_programs_agree_with_python(home, fits, language):
    program = BUILDS[language](home)
    for case, theta in POINTS.items():
        fit = fits.get(case, fits["gaussian"])
        path = home / f"{case if case in fits else 'gaussian'}.cevns"
        lines = [line.split("\t") for line in run(program, path, *map(repr, theta), cwd=home).splitlines()]
        printed = {key: [float(words[-1]) for words in lines if words[0] == key] for key in ("chi2", "gradient", "at")}
        names = [(words[1], *map(float, words[2:])) for words in lines if words[0] == "parameter"]
        assert names == [(p.name, x, p.lower, p.upper) for p, x in zip(fit.parameters, theta, strict=True)]
        assert printed["chi2"] == [fit(theta)]
        assert np.array_equal(printed["gradient"], fit.gradient(theta), equal_nan=True)
        minimum, at = function_of(fit).fast().minimise(np.array(theta), [False] * 4)
        assert [float(words[1]) for words in lines if words[0] == "minimum"] == [minimum]
        assert np.array_equal(printed["at"], at)
        if case in fits:
            assert minimum < fit(theta)
            assert np.abs(fit.gradient(at)[1]) < 1e-2 * np.abs(fit.gradient(theta)[1])


@pytest.mark.slow
@pytest.mark.parametrize("handles", [[], ["own"]], ids=["one for all", "one each"])
def test_sixteen_threads(home, fits, handles):
    program = build_c(home, Path(__file__).with_name("threads.c"), linked="source")
    for name in fits:
        assert np.isfinite(float(run(program, home / f"{name}.cevns", *handles, cwd=home)))


CONSUMER = """\
cmake_minimum_required(VERSION 3.15)
project(consumer LANGUAGES C)
find_package(cevns_fast 0.1 REQUIRED)
add_executable(program "{source}")
target_link_libraries(program PRIVATE cevns_fast::cevns_fast)
"""


@pytest.mark.slow
def test_cmake_package_and_pkg_config(home, fits, tmp_path):
    cmake = compiler("cmake")
    interface, prefix = tmp_path / "c", tmp_path / "installed"
    cf.write_c_interface(interface)
    quiet = ["-Wno-dev", f"-DCMAKE_INSTALL_PREFIX={prefix}", "-DCMAKE_BUILD_TYPE=Release", "--no-warn-unused-cli"]
    for source, build in ((interface, "built"), (tmp_path / "consumer", "consumed")):
        if build == "consumed":
            source.mkdir()
            (source / "CMakeLists.txt").write_text(CONSUMER.format(source=EXAMPLES / "fit.c"))
        run(cmake, "-S", source, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}", *quiet, cwd=tmp_path)
        run(cmake, "--build", build, cwd=tmp_path)
        if build == "built":
            run(cmake, "--install", build, cwd=tmp_path)
    theta = POINTS["gaussian"]
    programs = [tmp_path / "consumed" / "program"]
    if shutil.which("pkg-config"):
        flags = subprocess.run(
            ["pkg-config", "--cflags", "--libs", "cevns_fast"], check=True, capture_output=True, text=True,
            env={**os.environ, "PKG_CONFIG_PATH": str(next(prefix.glob("**/pkgconfig")))},
        ).stdout.split()  # fmt: skip
        run(compiler("cc"), "-std=c99", EXAMPLES / "fit.c", *flags, "-o", "program", cwd=tmp_path)
        programs.append(tmp_path / "program")
    for program in programs:
        out = run(program, home / "gaussian.cevns", *map(repr, theta), cwd=home)
        (chi2,) = (float(line.split("\t")[-1]) for line in out.splitlines() if line.startswith("chi2\t"))
        assert chi2 == fits["gaussian"](theta)


def test_the_cmake_version_is_the_packages():
    text = (Path(cf.__file__).parent / "_kernels" / "CMakeLists.txt").read_text("utf-8")
    assert f"project(cevns_fast VERSION {cf.__version__} " in text


@pytest.mark.slow
def test_other_files_are_refused(home):
    program = build_c(home, EXAMPLES / "fit.c", linked="source")
    for content in (b"", b"no likelihood", np.arange(40.0).tobytes(), None):
        path = home / ("missing" if content is None else "other")
        if content is not None:
            path.write_bytes(content)
        done = subprocess.run([program, path], cwd=home, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and done.stderr.startswith("usage: fit FILE")


@pytest.mark.slow
def test_only_the_interface_is_seen_from_outside(home):
    """A program may have functions of any other name; no source includes another."""
    objects = compile_objects(home)
    run(*c_interface.COMPILE.split(), cwd=home)
    symbols = run("nm", "-D", "--defined-only", "libcevns_fast.so", cwd=home).split("\n")
    declared = set(re.findall(r"\bcevns_fast_\w+(?=\()", (home / "cevns_fast.h").read_text()))
    assert {line.split()[-1] for line in symbols if " T " in line} == declared
    names = [
        line.split()[-1] for line in run("nm", "-g", "--defined-only", *objects, cwd=home).splitlines() if " T " in line
    ]
    assert set(names) > declared and all(name.startswith("cevns_fast_") for name in names)
    assert not any(re.search(r'#include ".*\.c"', source.read_text()) for source in sources(home))


def test_command(tmp_path, capsys):
    assert cli.main(["c-interface", "-o", str(tmp_path / "new")]) == 0
    printed = capsys.readouterr().out
    assert c_interface.COMPILE in printed
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(c_interface.FILES)
    assert cli.main(["c-interface", "-o", str(tmp_path / "new")]) == 2
    assert "exists; overwrite=True (--force) overwrites it" in capsys.readouterr().err
    (tmp_path / "new" / "likelihood.c").write_text("")
    assert cli.main(["c-interface", "-o", str(tmp_path / "new"), "--force"]) == 0
    assert (tmp_path / "new" / "likelihood.c").read_text()
