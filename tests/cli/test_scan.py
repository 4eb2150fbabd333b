"""`cevns-fast scan` as a user runs it: files, defaults, interruption and resumption, refusals."""

import os
import signal
import struct
import subprocess
import sys

import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast.inference import plane_range as ranges
from cevns_fast.inference.plane_range import plane_range

pytest.importorskip("xarray")
pytest.importorskip("h5py")

STEM = "results/scan-coherent-csi-2017-C_S-a_M-m_chi=40"
PLANE = ("scan", "C_S", "a_M", "m_chi=40")
SMALL = (*PLANE, "--x", "-0.05:0.05:41", "--y", "-1e-3:1e-3:31")


def width(path):
    """Of a PNG, in pixels."""
    start = path.read_bytes()[:24]
    assert start[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", start[16:24])[0]


# --- what it does -----------------------------------------------------------------------------


def test_sensible_without_options(run, tmp_path, csi):
    status, out, err = run(*PLANE, "--points", 61)
    assert (status, err) == (0, "")
    assert out.splitlines()[-1] == f"written: {STEM}.nc, {STEM}.png"
    assert out.count("whole") == 3 and all(level in out for level in ("68%", "90%", "95%"))
    scan = cf.open_scan(tmp_path / f"{STEM}.nc")
    assert scan.couplings == ("C_S", "a_M") and scan.chi2.shape == (61, 61)
    region = scan.contours(0.95)
    assert not region.clipped
    box = np.array([[axis[0], axis[-1]] for axis in scan.axes])
    seen = np.concatenate([ring.points for ring in region.rings])
    filled = np.ptp(seen, axis=0) / np.ptp(box, axis=1)
    assert np.all((filled > 0.6) & (filled < 0.95))
    assert width(tmp_path / f"{STEM}.png") >= 600


def test_an_axis_of_masses(run, tmp_path, csi):
    axes = ("--x", "2:45:31", "--y", "-1e-3:1e-3:41")
    status, out, _ = run("scan", "m_chi", "a_M", *axes)
    name = "results/scan-coherent-csi-2017-m_chi-a_M"
    assert status == 0 and out.splitlines()[-1] == f"written: {name}.nc, {name}.png"
    found = cf.open_scan(tmp_path / f"{name}.nc")
    expected = cf.correlation_scan(csi, cf.SingletEFT, ("m_chi", "a_M"), *found.axes)
    assert np.array_equal(found.chi2, expected.chi2)
    status, _, err = run("scan", "m_chi", "a_M", "--y", "0:1e-3:5")
    assert status != 0 and "--x: must be given, MIN:MAX[:N], where m_chi is an axis" in err


@pytest.mark.parametrize("argv, model", [
    (("m_S", "y_bar", "m_chi=10", "--model", "scalar", "--x", "5:60:13", "--y", "0:2e-4:14"),
     cf.ScalarMediator(10.0, 9.0)),
    (("g", "m_zprime", "charges=B-L", "--model", "light-vector", "--x", "0:2e-4:13", "--y", "5:60:14"),
     cf.LightVector(9.0, charges="B-L")),
    (("C_S", "neutron_radius", "m_chi=10", "--x", "0:0.05:13", "--y", "4.6:5.4:14"), cf.SingletEFT(10.0)),
    (("sin2_theta_w", "C_S", "m_chi=10", "--x", "0.1:0.4:13", "--y", "0:0.05:14"), cf.SingletEFT(10.0)),
])  # fmt: skip
def test_an_axis_of_any_parameter(run, tmp_path, csi, argv, model):
    status, out, err = run("scan", *argv, "-o", "here")
    assert (status, err) == (0, "") and "best fit: " in out
    found = cf.open_scan(next((tmp_path / "here").glob("*.nc")))
    assert found.couplings == argv[:2] and len(list((tmp_path / "here").glob("*.png"))) == 1
    expected = cf.correlation_scan(csi, model, argv[:2], *found.axes)
    assert np.array_equal(found.chi2, expected.chi2)


@pytest.mark.slow
def test_an_axis_of_an_oscillation(run, tmp_path, csi):
    sterile = ("--sterile", "delta_m2=1,Umu4_sq=0.2", "--x", "0.9:1.1:5", "--y", "-0.3:0.3:9")
    status, _, _ = run("scan", "delta_m2", "eps_mumu_u", "--model", "nsi", *sterile, "-o", "here")
    found = cf.open_scan(next((tmp_path / "here").glob("*.nc")))
    far = csi.replace(source=cf.OscillatedSource(csi.source, 0.95, Umu4_sq=0.2))
    assert status == 0 and found.chi2[1, 6] == pytest.approx(cf.Likelihood(far).chi2(cf.NSI(eps_mumu_u=0.15)), rel=1e-8)


def test_confidence_by_toys(run, tmp_path, csi):
    given = ("--feldman-cousins", "--toys", 250, "--seed", 3, "--workers", 1, "--checkpoint", "kept")
    status, out, _ = run(*PLANE, "--x", "-0.05:0.05:11", "--y", "-1e-3:1e-3:13", *given)
    name = "results/feldman-cousins-coherent-csi-2017-C_S-a_M-m_chi=40"
    assert status == 0 and out.splitlines()[-1] == f"written: {name}.nc, {name}.png"
    found = cf.open_scan(tmp_path / f"{name}.nc")
    fit = cf.Likelihood(csi, model=cf.SingletEFT(40.0), parameters=("C_S", "a_M"))
    expected = cf.feldman_cousins_map(fit, ("C_S", "a_M"), *found.axes, toys=250, seed=3)
    assert np.array_equal(found.p_value, expected.p_value)
    status, _, err = run(*PLANE, "--feldman-cousins", "--minimum", "grid", "-o", "elsewhere")
    assert status != 0 and "--minimum grid: must be 'anywhere' with --feldman-cousins" in err


@pytest.mark.slow
def test_options_reach_the_scan(run, tmp_path, csi):
    lar = cf.load("coherent-lar-610kg")
    status, out, _ = run(
        *SMALL, "C_V=0.05,0.1", "-e", "coherent-csi-2017", "coherent-lar-610kg", "--profile", "C_T",
        "--phase", "C_S=60", "--phase", "C_T=-90", "--variant", "published", "--helicity", "left", "-o", "x/y",
    )  # fmt: skip
    assert status == 0 and "reaches the edge" not in out and "coherent-lar-610kg: alpha" in out
    found = cf.open_scan(tmp_path / "x/y/scan-coherent-csi-2017+coherent-lar-610kg-C_S-a_M-m_chi=40.nc")
    expected = cf.correlation_scan(
        [csi, lar], cf.SingletEFT(40.0, C_V=(0.05, 0.1), variant="published", helicity="left"), ("C_S", "a_M"),
        np.linspace(-0.05, 0.05, 41), np.linspace(-1e-3, 1e-3, 31), profile=("C_T",),
        phases={"C_S": complex(np.exp(1j * np.pi / 3)), "C_T": complex(np.exp(-1j * np.pi / 2))},
    )  # fmt: skip
    np.testing.assert_array_equal(found.chi2, expected.chi2)
    assert found.provenance["templates"] == expected.provenance["templates"]


def test_a_plane_of_nucleon_couplings(run, tmp_path, csi):
    argv = ["scan", "--model", "scalar", "y_n", "y_p", "m_chi=5", "m_S=10", "y_chi=1e-4", "--points", "21"]
    status, out, _ = run(*argv)
    assert status == 0 and "y_n and y_p, 21 x 21 points" in out
    (path,) = (tmp_path / "results").glob("*.nc")
    scan = cf.open_scan(path)
    point = cf.ScalarMediator(5.0, 10.0, y_chi=1e-4, y_n=float(scan.axes[0][3]), y_p=float(scan.axes[1][8]))
    assert scan.chi2[3, 8] == pytest.approx(cf.Likelihood(csi).chi2(point), rel=1e-9)


def test_a_clipped_region_is_said(run):
    _, out, _ = run(*PLANE, "--x", "-0.03:0.03:31", "--y", "-0.002:0.002:41")
    assert out.count("reaches the edge of the grid") == 2 and out.count("whole") == 1


@pytest.mark.slow
def test_processes_give_the_same_bits(run, tmp_path):
    for folder, options in (("a", ()), ("b", ("--processes",)), ("c", ("--workers", "1"))):
        assert run(*SMALL, "-o", folder, *options)[0] == 0
    a, b, c = (cf.open_scan(next((tmp_path / folder).glob("*.nc"))).chi2 for folder in "abc")
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(a, c)


def test_progress_bar_on_a_terminal_only(run, monkeypatch):
    pytest.importorskip("tqdm")
    assert run(*SMALL)[2] == ""
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda self: True, raising=False)
    status, out, err = run(*SMALL, "--force")
    assert status == 0 and "41/41" in err and "41/41" not in out


# --- where to look ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("couplings", "eft", "options"),
    [
        (("C_V", "a_M"), cf.SingletEFT(40.0), {}),  # strongly correlated
        (("C_S", "a_M"), cf.SingletEFT(40.0, C_V=0.15), {}),  # not symmetric
        (("C_V", "C_T"), cf.SingletEFT(50.0), {"profile": ("a_M",)}),  # 2.5 times as wide as without
    ],
    ids=["correlated", "asymmetric", "profiled"],
)
def test_the_range_holds_the_region_and_little_more(csi, couplings, eft, options):
    box = plane_range([csi], eft, couplings, **options)
    axes = [np.linspace(*each, 241) for each in box]
    region = cf.correlation_scan(csi, eft, couplings, *axes, **options).contours(0.95)
    assert not region.clipped
    seen = np.concatenate([ring.points for ring in region.rings])
    assert np.all(np.ptp(seen, axis=0) > 0.6 * np.ptp(box, axis=1))
    assert all(float(f"{end:.2g}") == end for ends in box for end in ends)


@pytest.mark.parametrize(
    ("allowed", "around"),
    [
        (range(19, 42), ((-0.6, 0.6), True)),  # and a step more
        (range(28, 33), ((-0.15, 0.15), False)),  # small: look closer
        (range(0, 41), ((-3.0, 0.55), False)),  # cut: look further
        (range(20, 61), ((-0.55, 3.0), False)),
        ((), ((-0.75, 0.75), False)),
    ],
)
def test_looking_closer_and_further(allowed, around):
    found, settled = ranges._around(np.linspace(-1.5, 1.5, 61), np.array(allowed, dtype=int))
    assert (pytest.approx(found), settled) == around


# --- interruption -----------------------------------------------------------------------------

# The command, which waits for the signal when one chunk is written, however long that takes.
PATIENT = """
import signal, sys, time
from cevns_fast import cli
from cevns_fast.parallel import checkpoint

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started the tests may ignore it

def write(self, *arguments, write=checkpoint.Checkpoint.write):
    write(self, *arguments)
    print("written", flush=True)
    while True:
        time.sleep(0.05)

if __name__ == "__main__":
    checkpoint.Checkpoint.write = write
    sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), ("--processes", "--workers", "4")], ids=["threads", "processes"])
def test_ctrl_c_leaves_a_resumable_scan(run, tmp_path, workers):
    big = (*PLANE, "--x", "-0.05:0.05:201", "--y", "-1e-3:1e-3:201", "--profile", "C_T", "--checkpoint", "kept")
    command = [sys.executable, "-P", "-c", PATIENT, *big, *workers]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout.readline() == "written\n"
        os.killpg(process.pid, signal.SIGINT)  # to its workers too, as a terminal does
        out, err = process.communicate(timeout=300)
    finally:
        process.kill()
    assert (process.returncode, out) == (130, "")
    assert err == "\ncevns-fast: stopped; the same command resumes from kept\n"
    assert not (tmp_path / "results").exists()
    finished = {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").glob("chunk-*.bin")}
    assert len(finished) == 1
    # What was kept is used, and not written again.
    assert run(*big)[0] == 0
    assert len(list((tmp_path / "kept").glob("chunk-*.bin"))) > 5
    assert all(path.stat().st_mtime_ns == when for path, when in finished.items())
    if workers:
        return  # that bits do not depend on them is tested above
    resumed = cf.open_scan(tmp_path / f"{STEM}.nc")
    assert run(*big[:-2], "-o", "again")[0] == 0
    whole = cf.open_scan(next((tmp_path / "again").glob("*.nc")))
    np.testing.assert_array_equal(resumed.chi2, whole.chi2)


def test_ctrl_c_without_checkpoint_says_what_would_help(run, monkeypatch):
    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(cf, "correlation_scan", interrupted, raising=False)
    status, out, err = run(*SMALL)
    assert (status, out) == (130, "") and err.count("\n") == 2 and "--checkpoint DIR" in err


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["scan"], "NAME"),
        (["scan", "C_S", "a_M"], "m_chi: must be given"),
        (["scan", "C_S", "m_chi=40"], "m_chi: must be given"),
        (["scan", "C_S", "C_S", "m_chi=40"], "each may be named once"),
        (["scan", "C_s", "a_M", "m_chi=40"], "did you mean 'C_S'?"),
        (["scan", "C_S", "a_M", "m_chi=40", "C_S=1"], "C_S: is scanned or profiled"),
        (["scan", "C_S", "a_M", "m_chi=40", "C_T=1", "--profile", "C_T"], "C_T: is scanned or profiled"),
        (["scan", "C_S", "a_M", "m_chi=40", "--profile", "a_M"], "each may be named once"),
        (["scan", "C_S", "a_M", "m_chi=60"], "give --x and --y"),
        ([*PLANE, "--grid", "C_V=1"], "unrecognized arguments: --grid"),
        ([*SMALL, "C_V"], "'C_V': must be NAME=VALUE"),
        ([*PLANE, "--x", "0.1"], "must be MIN:MAX or MIN:MAX:N"),
        ([*PLANE, "--x", "1:2:3:4"], "must be MIN:MAX or MIN:MAX:N"),
        ([*PLANE, "--x", "1:-1"], "--x: 401 points from 1 to -1"),
        ([*PLANE, "--y", "-1:nan"], "--y: 401 points from -1 to nan"),
        ([*PLANE, "--y", "-1:1:1"], "--y: 1 points"),
        ([*PLANE, "--points", "0"], "--x: 0 points"),
        ([*SMALL, "--phase", "C_V=90"], "phases = 'C_V'"),
        ([*SMALL, "--phase", "C_S=1,2"], "must be an angle in degrees"),
        ([*SMALL, "--phase", "C_S=1j"], "must be an angle in degrees"),
        ([*SMALL, "--workers", "0"], "threads = 0"),
        ([*SMALL, "--workers", "0", "--processes"], "--workers 0"),
        ([*SMALL, "-e", "coherent-csi-217"], "did you mean 'coherent-csi-2017'?"),
        ([*PLANE, "--x", "-1:1:4000000", "--y", "-1:1:4000000"], "GiB"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_arguments_are_one_line_and_status_2(refused, argv, words):
    assert words in refused(*argv)


@pytest.mark.parametrize("existing", ["nc", "png"])
def test_existing_files_are_refused_before_anything_is_computed(run, tmp_path, monkeypatch, existing):
    path = tmp_path / f"{STEM}.{existing}"
    path.parent.mkdir()
    path.write_text("precious")
    with monkeypatch.context() as context:
        context.setattr(cf, "correlation_scan", lambda *a, **k: pytest.fail("computed"), raising=False)
        status, out, err = run(*SMALL)
    assert (status, out) == (2, "") and err.endswith(f"{STEM}.{existing} exists; --force overwrites it\n")
    assert path.read_text() == "precious"
    assert run(*SMALL, "--force")[0] == 0
    assert path.read_bytes() != b"precious"


def test_a_checkpoint_of_another_scan_is_refused(run):
    assert run(*SMALL, "--checkpoint", "kept")[0] == 0
    status, _, err = run(*SMALL, "--checkpoint", "kept", "--force", "C_V=0.1")
    assert status == 2 and "belongs to another scan: interactions is" in err


def test_missing_extras_are_named(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    status, out, err = run(*SMALL)
    assert (status, out) == (2, "") and "needs h5py: pip install 'cevns_fast[scan]'" in err
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_the_numbers_are_written(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, out, _ = run(*SMALL)
    assert status == 0 and "pip install 'cevns_fast[plot]'" in out
    assert [path.suffix for path in (tmp_path / "results").iterdir()] == [".nc"]
