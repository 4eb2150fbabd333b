"""The program under stress: full disks, signals, odd terminals, locales, paths and settings of numpy and Python."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cases import quick_are

import cevns_fast as cf

pytest.importorskip("matplotlib")
pytest.importorskip("h5py")

SMALL_SCAN = ("scan", "C_S", "a_M", "m_chi=40", "--x", "-0.05:0.05:31", "--y", "-1e-3:1e-3:21")
COMMANDS = {
    "rate": ("rate", "m_chi=10", "a_M=3e-4", "-o", "out"),
    "limit": ("limit", "--masses", "12", "-o", "out"),
    "scan": (*SMALL_SCAN, "-o", "out"),
    "c-interface": ("c-interface", "-o", "out"),
    "explore": ("explore", "-e", "coherent-csi-2017", "--model", "nsi", "-o", "out/page.html"),
}

# As in a shell with a limited file size: a write beyond it fails as on a full disk.
FULL = """
import resource, sys
from pathlib import Path
from cevns_fast import cli
from cevns_fast.output import plotting
import matplotlib.figure, h5netcdf, xarray
room, argv = [int(each) for each in sys.argv[1].split(",")], sys.argv[2:]
for size in room:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    status = cli.main(argv)
    left = [str(path) for path in Path("out").rglob("*") if path.is_file()] if Path("out").exists() else []
    print(size, status, left, file=sys.stderr)
"""


@pytest.mark.parametrize("command", quick_are(COMMANDS, 3))
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, command):
    """Whichever file it is that does not fit, none stays: numbers and figure come together."""
    pytest.importorskip("resource")
    sizes = {"rate": "0,300,5000", "limit": "0,500,5000", "scan": "0,5000,40000", "c-interface": "0,100,9000",
             "explore": "0,100,9000"}[command]  # fmt: skip
    argv = [sys.executable, "-P", "-c", FULL, sizes, *COMMANDS[command]]
    ended = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    errors = ended.stderr.splitlines()
    assert len(errors) == 6, ended.stderr
    for message, state, size in zip(errors[::2], errors[1::2], sizes.split(","), strict=True):
        assert message.startswith("cevns-fast: error: [Errno ") and "'out/" in message
        assert state == f"{size} 2 []"


@pytest.mark.slow
def test_a_full_disk_while_papers_are_reproduced(tmp_path):
    argv = [sys.executable, "-P", "-c", FULL, "2000", "reproduce", "brdar-2018", "-o", "out"]
    ended = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    message, state = ended.stderr.splitlines()
    assert message.startswith("cevns-fast: error: [Errno ") and state.startswith("2000 2 [")
    assert all(path.stat().st_size > 0 for path in (tmp_path / "out").iterdir())


def test_an_export_to_a_full_disk_leaves_what_was_there(tmp_path):
    pytest.importorskip("resource")
    code = """if True:
        import resource, cevns_fast as cf
        fit = cf.Likelihood(cf.load("coherent-csi-2017"), model=cf.SingletEFT(m_chi=10.0), parameters=("C_V",))
        fit.export("fit.cevns")
        before = open("fit.cevns", "rb").read()
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
        try:
            fit.export("fit.cevns")
        except OSError as error:
            print(error.filename, open("fit.cevns", "rb").read() == before)
    """
    ended = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
    )
    assert ended.stdout.split() == ["fit.cevns", "True"]
    assert [path.name for path in tmp_path.iterdir()] == ["fit.cevns"]


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="there is no full device here")
def test_a_full_standard_output(tmp_path):
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "cevns_fast", "rate"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
    assert ended.returncode == 2
    assert ended.stderr.startswith("cevns-fast: error: [Errno 28]") and ended.stderr.count("\n") == 1


# --- signals ------------------------------------------------------------------------------------------------

LONG_SCAN = ("scan", "C_S", "a_M", "m_chi=40", "--x", "-0.05:0.05:1501", "--y", "-1e-3:1e-3:1501", "--profile", "C_T",
             "--processes", "--workers", "2", "--checkpoint", "kept")  # fmt: skip


def children(pid):
    """Processes whose parent it is."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        except OSError:
            continue
        if int(lines["PPid"]) == pid:
            found.append(int(status.parent.name))
    return found


def ended(pid):
    """Whether it runs no more; a container may have nobody who buries it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="processes are not listed here")
@pytest.mark.parametrize(("which", "status"), [("SIGTERM", 143), ("SIGKILL", -9)])
def test_workers_end_with_their_parent(tmp_path, which, status):
    argv = [sys.executable, "-P", "-m", "cevns_fast", *LONG_SCAN]
    running = subprocess.Popen(argv, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    workers = []
    try:
        deadline = time.monotonic() + 120
        while not list((tmp_path / "kept").glob("chunk-*.bin")):
            assert running.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        workers = children(running.pid)
        assert len(workers) >= 2
        running.send_signal(getattr(signal, which))
        _, err = running.communicate(timeout=60)
        assert running.returncode == status
        if which == "SIGTERM":
            assert err == "\ncevns-fast: stopped; the same command resumes from kept\n"
        deadline = time.monotonic() + 30
        while not all(map(ended, workers)):
            assert time.monotonic() < deadline, "a worker outlives its parent"
            time.sleep(0.05)
    finally:
        running.kill()
        for pid in workers:
            if not ended(pid):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="processes are not listed here")
def test_workers_of_anybodys_pool_end_with_their_parent(tmp_path):
    """They have computed something of ours, so they watch."""
    code = """if True:
        import multiprocessing, os, signal, sys
        from concurrent.futures import ProcessPoolExecutor
        import cevns_fast as cf
        pool = ProcessPoolExecutor(2, multiprocessing.get_context(sys.argv[1]))
        batch = [cf.SingletEFT(m_chi=m / 20) for m in range(1, 1040)]
        cf.limit_scan(cf.load("coherent-csi-2017"), batch, "C_V", executor=pool)
        print(*(each.pid for each in multiprocessing.active_children()), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    for method in ("spawn", "fork"):
        script = tmp_path / "pool.py"
        body = "\n".join(line[8:] for line in code.splitlines()[1:])
        script.write_text("if __name__ == '__main__':\n" + "\n".join(f"    {line}" for line in body.splitlines()))
        result = subprocess.run(
            [sys.executable, "-P", str(script), method], capture_output=True, text=True, timeout=120
        )
        assert result.returncode == -9, result.stderr
        workers = [int(pid) for pid in result.stdout.split()]
        assert workers
        deadline = time.monotonic() + 30
        while not all(map(ended, workers)):
            assert time.monotonic() < deadline, "a worker outlives its parent"
            time.sleep(0.05)


# --- surroundings -------------------------------------------------------------------------------------------

WALK = """
import sys
import numpy as np
import cevns_fast as cf
from cevns_fast import cli
if sys.argv[1] == "odd":
    import locale
    np.seterr(all="raise")
    for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR"):
        try:
            locale.setlocale(locale.LC_ALL, name)
            break
        except locale.Error:
            pass
    if locale.localeconv()["decimal_point"] != ",":  # none is installed: matplotlib and others look here
        locale.localeconv = lambda real=locale.localeconv(): real | {"decimal_point": ","}
status = [cli.main(argv.split("|")) for argv in sys.argv[2:]]
csi = cf.load("coherent-csi-2017")
fit = cf.Likelihood(csi, model=cf.SingletEFT(m_chi=10.0), parameters=("C_V", "alpha"))
fit.export("fit.cevns")
theta = np.array([0.1, 0.05])
print(status, repr(fit(theta)), cf.best_fit(fit).chi2, cf.feldman_cousins(fit, {"C_V": 0.05}, toys=50, seed=1).p_value)
print(cf.limit_scan(csi, [cf.ScalarMediator(m, 1.0) for m in (1.0, 30.0, 60.0)], "y_bar").upper.tolist())
print(cf.event_rate(cf.load("conus-4kg"), cf.VectorMediator(2.0, 100.0, 1e-6, case="A")).sum())
for smearing in (cf.GaussianSmearing(0.3), cf.GammaSmearing(0.7), cf.PoissonSmearing()):
    response = cf.Response(1.17, smearing=smearing, acceptance=cf.Table((0.0, 9.0, 30.0), (0.0, 0.5, 1.0)))
    print(cf.event_rate(csi.replace(response=response), cf.SingletEFT(1.0, a_M=1e-4)).sum())
print(cf.cosmology.relic_density(m_chi=1e-3, m_S=1e3, y_chi=0.5).omega_h2, cf.cosmology.degrees_of_freedom(1e-9))
print(cf.F_G(10.0, 100.0, 5.0), cf.open_scan("out/" + "scan-coherent-csi-2017-C_S-a_M-m_chi=40.nc").area(0.9))
"""


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    return walked(tmp_path_factory.mktemp("usual"), "usual")


def walked(folder, how, python=(), **environment):
    """What the whole walk prints and writes."""
    argv = ["|".join(each) for each in (COMMANDS["rate"], COMMANDS["limit"], COMMANDS["scan"], ("experiments",))]
    result = subprocess.run(
        [sys.executable, "-P", *python, "-W", "error", "-c", WALK, how, *argv],
        cwd=folder, capture_output=True, timeout=300, env={**os.environ, **environment},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr.decode()
    assert result.stderr == b""
    files = {path.name: path.read_bytes() for path in (folder / "out").iterdir()} | {
        "fit": (folder / "fit.cevns").read_bytes()
    }
    return result.stdout.decode("utf-8"), files


@pytest.mark.slow
def test_the_walk_is_the_same_everywhere(usual, tmp_path):
    """All at once: numpy that raises, no assertions or docstrings, an ASCII terminal, decimal commas, such a path."""
    folder = tmp_path / "my results, σ = 1 (new)"
    folder.mkdir()
    text, files = walked(folder, "odd", ("-OO",), PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONCOERCECLOCALE="0")
    assert text.isascii()
    assert text.encode().decode("unicode_escape") == usual[0]
    assert files == usual[1]


def test_the_c_locale(tmp_path):
    """Its output is ASCII, with errors handled in a way of its own that writes no χ."""
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "cevns_fast", "rate", "m_chi=90", "C_V=0.1"],
        cwd=tmp_path, capture_output=True, timeout=300, env={**os.environ, **locale},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"m_chi = 90: \\u03c7 is too heavy" in done.stdout


@pytest.mark.slow
def test_latex_is_not_needed(tmp_path):
    """With `text.usetex` in the user's settings, and no LaTeX."""
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\n")
    for path in ("rate", "limit", "scan"):
        result = subprocess.run(
            [sys.executable, "-P", "-m", "cevns_fast", *COMMANDS[path]], cwd=tmp_path, capture_output=True, text=True,
            timeout=120, env={**os.environ, "PATH": "", "MPLCONFIGDIR": str(tmp_path)},
        )  # fmt: skip
        assert (result.returncode, result.stderr) == (0, "")
    assert len(list((tmp_path / "out").glob("*.png"))) == 3


def test_numpy_integers_are_integers():
    import numpy as np

    from cevns_fast.inference.mass_scan import mass_grid

    csi = cf.load("coherent-csi-2017")
    eft = cf.SingletEFT(m_chi=10.0)
    cf.set_num_threads(np.int64(1))
    assert cf.get_num_threads() == 1
    cf.set_num_threads(None)
    assert cf.limit_scan(csi, eft, "C_V", threads=np.int32(2)).upper[0] > 0
    x = np.linspace(-1, 1, 3)
    assert cf.correlation_scan(csi, eft, ("C_V", "C_S"), x, x, threads=np.uint8(1)).contours(
        0.9, interaction=np.int64(0)
    )
    assert mass_grid([csi], 1.0, 10.0, np.int64(5)).size == 5
    for wrong in (True, np.True_, 1.0, np.float64(2), "2", 0, None):
        with pytest.raises(ValueError, match="threads = "):
            cf.limit_scan(csi, eft, "C_V", threads=wrong)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (None, None, "experiment = 'own.toml': there is no such file"),
        ('"coherent-csi-2017.csv"', '"absent.csv"', "= 'absent.csv': there is no such file in '.'"),
    ],
)
def test_a_missing_file_is_named_with_its_field(tmp_path, monkeypatch, capsys, old, new, words):
    from cevns_fast import cli
    from cevns_fast.data import data_path

    monkeypatch.chdir(tmp_path)
    if old:
        text = Path(data_path("experiments", "coherent-csi-2017.toml")).read_text(encoding="utf-8")
        assert old in text
        Path("own.toml").write_text(text.replace(old, new), encoding="utf-8")
    assert cli.main(["rate", "-e", "own.toml"]) == 2
    assert words in capsys.readouterr().err


# --- notes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["rate", "m_chi=10"], "note: no new physics: all couplings of SingletEFT are zero, give one: "),
        (["rate", "m_chi=60", "C_V=1"], "m_chi = 60: χ is too heavy for this source, which makes up to 52.82 MeV"),
        (
            ["limit", "--mass-range", "60", "90", "--masses", "3"],
            "too heavy for this source, which makes up to 52.82 MeV",
        ),
        (
            [*SMALL_SCAN[:5], "0.1:0.2:9", "--y", "0:1e-3:9"],
            "the best fit is outside the grid, whose lowest point is C_S",
        ),
        pytest.param(
            ["scan", "C_V_u", "C_V_d", "m_chi=10"],
            "thinner than the grid; it was found on a finer one",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_is_said_beside_the_numbers(tmp_path, monkeypatch, capsys, argv, words):
    from cevns_fast import cli

    monkeypatch.chdir(tmp_path)
    assert cli.main(argv) == 0
    out = capsys.readouterr().out
    assert words in out
    if "C_V_u" in argv:
        assert [line.split()[4] for line in out.splitlines() if line.startswith((" 68%", " 90%", " 95%"))] == ["1"] * 3


def test_one_mass_is_a_limit_curve_too(tmp_path, monkeypatch, capsys):
    from cevns_fast import cli

    monkeypatch.chdir(tmp_path)
    assert cli.main(["limit", "--masses", "1", "--mass-range", "10", "10"]) == 0
    assert capsys.readouterr().out.splitlines()[2].split()[0] == "10"


def test_the_grids_own_minimum(tmp_path, monkeypatch, capsys):
    from cevns_fast import cli

    monkeypatch.chdir(tmp_path)
    argv = [*SMALL_SCAN[:5], "0.02:0.04:21", "--y", "1e-4:8e-4:21", "--minimum", "grid"]
    assert cli.main(argv) == 0
    out = capsys.readouterr().out
    assert "best fit: C_S = 0.02, a_M = 0.0001\n" in out and "reaches the edge of the grid" in out
