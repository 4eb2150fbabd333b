"""Each command as a user runs it: what it prints, what it writes, and how it refuses."""

import csv
import json
import shutil
import struct
import subprocess
import sys
from itertools import chain, repeat

import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast import cli, papers
from cevns_fast.data import data_path, parse_table
from cevns_fast.output import drawing

LIMITS = "results/limits-coherent-csi-2017"


def read(path):
    """The `#` lines and the columns of a CSV."""
    lines = path.read_text(encoding="utf-8").splitlines()
    about = dict(line[2:].split(": ", 1) for line in lines if line.startswith("#"))
    return about, {name: np.array(column, dtype=float) for name, column in parse_table(lines).items()}


def is_png(path):
    """Whether it is a PNG of at least 600 × 400 pixels."""
    start = path.read_bytes()[:24]
    return start[:8] == b"\x89PNG\r\n\x1a\n" and all(
        size >= least for size, least in zip(struct.unpack(">II", start[16:24]), (600, 400), strict=True)
    )


# --- before anything is computed --------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "import cevns_fast",
        "from cevns_fast.cli import main; main(['--help'])",
        "from cevns_fast.cli import main; main(['limit', '-h'])",
        "from cevns_fast.cli import main; main(['scan', '-h'])",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(statement):
    program = (
        f"import sys\ntry:\n    {statement}\nexcept SystemExit as e:\n    assert e.code == 0\n"
        "print(sorted({'numpy', 'numba', 'scipy', 'matplotlib', 'llvmlite', 'msgspec'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_version(run, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"cevns-fast {cf.__version__}\n"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "COMMAND"),
        (["limits"], "invalid choice"),
        (["limit", "--masses", "many"], "--masses"),
        (["limit", "--masses", "0"], "number of masses = 0"),
        (["limit", "--mass-range", "nan", "53"], "lowest mass = nan: must be a finite number > 0"),
        (["limit", "--mass-range", "1", "inf"], "highest mass = inf"),
        (["limit", "--mass-range", "-1", "53"], "lowest mass = -1.0"),
        (["limit", "--mass-range", "53", "1"], "the first must be below the second"),
        (["limit", "--cl", "1.5"], "cl = 1.5: must be between 0 and 1"),
        (["limit", "--cl", "nan"], "cl = nan"),
        (["limit", "--delta-chi2", "-1"], "delta_chi2 = -1.0: must be a finite number > 0"),
        (["limit", "--cl", "0.9", "--delta-chi2", "1"], "not allowed with"),
        (["limit", "-c", "C_s"], "did you mean 'C_S'?"),
        (["limit", "-c", "C_S", "C_S"], "each may be named once"),
        (["limit", "-e", "coherent-csi-217"], "did you mean 'coherent-csi-2017'?"),
        (["limit", "-e", "absent.toml"], "absent.toml"),
        (["limit", "--variant", "correct"], "did you mean 'corrected'?"),
        (["limit", "--helicity", "right"], "helicity = 'right'"),
        (["limit", "--threads", "0"], "threads = 0"),
        (["rate", "m_chi"], "must be NAME=VALUE"),
        (["rate", "m_chi=ten"], "m_chi = 'ten': must be a finite number"),
        (["rate", "m_chi=1O"], "must be a number"),
        (["rate", "m_chi=-1", "a_M=1"], "m_chi = -1.0: must be a finite number >= 0"),
        (["rate", "m_chi=10", "a_M=inf"], "a_M = inf"),
        (["rate", "m_chi=10", "a_m=1"], "did you mean 'a_M'?"),
        (["rate", "m_chi=10", "C_S=1,2,3"], "C_S = (1.0, 2.0, 3.0)"),
        (["rate", "m_chi=10", "m_chi=11"], "may be given once"),
        (["rate", "a_M=1e-4"], "m_chi: must be given"),
        (["rate", "m_chi=10", "-o", "x", "a_m=1"], "did you mean 'a_M'?"),
        (["rate", "m_chi=10", "-o", "x", "a_M"], "must be NAME=VALUE"),
        (["limit", "m_chi=10"], "with --masses 1 it is LOW alone"),
        (["limit", "--mdoel", "scalar"], "unrecognized arguments: --mdoel; did you mean --model?"),
        (["limit", "--thraeds=2", "m_chi=1O"], "unrecognized arguments: --thraeds; did you mean --threads?"),
        (["limit", "-m", "scalar"], "unrecognized arguments: -m; cevns-fast limit --help lists"),
        (["--verison"], "unrecognized arguments: --verison; did you mean --version?"),
        (["limit", "-c", "C_S", "C_S=0.1"], "C_S: is scanned or profiled"),
        (["limit", "--model", "tensor"], "model = 'tensor': did you mean 'vector'?"),
        (["limit", "--model", "scalar"], "m_S: must be given, e.g. m_S=10"),
        (["limit", "--model", "scalar", "m_S=10", "--helicity", "left"], "--helicity left: ScalarMediator has none"),
        (["limit", "--model", "vector", "m_zprime=100", "case=C"], "case = 'C'"),
        (["rate", "--model", "scalar", "m_chi=5", "m_S=10", "a_M=1"], "ScalarMediator: unknown field 'a_M'"),
        (["reproduce", "chang-liao-2021"], "chang-liao-2020"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_arguments_are_one_line_and_status_2(refused, argv, words):
    assert words in refused(*argv)


# --- experiments, rate ------------------------------------------------------------------------


def test_experiments(run):
    status, out, _ = run("experiments", "--brief")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == list(cf.available_experiments())
    status, out, _ = run("experiments")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines() if line[0] != " "] == [*cf.available_experiments(), "here:"]
    of_csi = out[out.index("coherent-csi-2021") : out.index("coherent-csi-x100")]
    assert "published: 306 ± 20 events" in of_csi and "here: 308 +32 −32 events, 345 expected" in of_csi
    assert out.count("approximate: ") == sum(bool(cf.load(name).approximate) for name in cf.available_experiments())


def test_rate_of_the_standard_model(run, csi):
    status, out, err = run("rate")
    assert (status, err) == (0, "")
    assert len(out.splitlines()) == csi.n_bins + 3
    assert "new physics" not in out
    sums = out.splitlines()[-1]
    assert sums.startswith(
        "sum: Standard Model 165.9, prompt neutrons 5.419, steady state 405, signal/background 0.404"
    )
    assert sums.endswith("data 136.6")


def test_rate_with_new_physics(run, tmp_path, csi):
    status, out, _ = run("rate", "m_chi=10", "a_M=3e-4", "C_S=0.01,-0.02", "D_P=1e-2j", "-o", "here")
    assert status == 0 and "written: here/rate-coherent-csi-2017.csv, here/rate-coherent-csi-2017.png" in out
    about, columns = read(tmp_path / "here/rate-coherent-csi-2017.csv")
    eft = cf.SingletEFT(m_chi=10, a_M=3e-4, C_S=(0.01, -0.02), D_P=1e-2j)
    np.testing.assert_array_equal(columns["Standard Model"], cf.event_rate(csi, cf.StandardModel()))
    np.testing.assert_array_equal(columns["new physics"], cf.event_rate(csi, eft, standard_model=False))
    np.testing.assert_allclose(columns["total"], cf.event_rate(csi, eft), rtol=1e-14)
    np.testing.assert_array_equal([columns["low"], columns["high"]], [csi.detector.bins[:-1], csi.detector.bins[1:]])
    below = csi.steady_state + csi.backgrounds[0].counts
    np.testing.assert_array_equal(columns["steady state"], csi.steady_state)
    np.testing.assert_allclose(columns["signal/background"], columns["total"] / below, rtol=1e-14)
    assert about["interaction"] == repr(cf.SingletEFT(10.0, a_M=3e-4, C_S=(0.01, -0.02), D_P=1e-2j))
    assert is_png(tmp_path / "here/rate-coherent-csi-2017.png")


@pytest.mark.parametrize(("kind", "first"), [pytest.param("pdf", b"%PDF", marks=pytest.mark.slow), ("svg", b"<?xml")])
def test_figures_in_other_formats(run, tmp_path, kind, first):
    for folder in ("a", "b"):
        status, out, _ = run("rate", "-e", "conus-4kg", "-o", folder, "--format", kind)
        assert status == 0 and f"{folder}/rate-conus-4kg.{kind}" in out
    figures = [(tmp_path / folder / f"rate-conus-4kg.{kind}").read_bytes() for folder in ("a", "b")]
    assert figures[0].startswith(first) and figures[0] == figures[1]  # the same bytes whenever it is made
    assert not list(tmp_path.glob("**/*.png"))
    assert run("rate", "-o", "c", "--format", "jpg")[0] == 2


def test_rate_along_an_axis(run, tmp_path):
    """Printed along one axis, summed over the others, with a note; the CSV has all bins and says where they are."""
    csi = cf.load("coherent-csi-2021")
    counts = csi.reshape(cf.event_rate(csi, cf.StandardModel()))
    for options, axis, words in (
        ([], 0, "note: along observable, summed over time; --axis time | all"),
        (["--axis", "time"], 1, "note: along time, summed over observable; --axis observable | all"),
    ):
        status, out, err = run("rate", "-e", csi.name, *options, "-o", f"axis{axis}")
        assert (status, err) == (0, "") and words in out
        first, *rows = out.splitlines()[2 : 3 + csi.shape[axis]]
        place = first.replace("Standard Model", "Standard_Model").split().index("Standard_Model")
        assert [float(row.split()[place]) for row in rows] == pytest.approx(counts.sum(axis=1 - axis), rel=1e-3)
        _, columns = read(tmp_path / f"axis{axis}/rate-coherent-csi-2021.csv")
        np.testing.assert_array_equal(columns["Standard Model"], counts.ravel())
        np.testing.assert_array_equal(columns["low_us"].reshape(csi.shape), np.tile(csi.time.edges[:-1], (8, 1)))
        np.testing.assert_array_equal(columns["high"].reshape(csi.shape)[:, 0], csi.detector.bins[1:])
        assert columns["steady state"].sum() == pytest.approx(1291)  # a background of that name, not what is subtracted
    out = run("rate", "-e", "coherent-ge-2024", "--axis", "release")[1]
    assert "along beam, summed over observable and time" in out and "bin of beam" in out
    assert len(run("rate", "-e", csi.name, "--axis", "all")[1].splitlines()) == csi.n_bins + 3
    status, _, err = run("rate", "--axis", "time")
    assert status != 0 and "--axis time: must be one of observable, all for coherent-csi-2017" in err


def test_rate_knows_variant_and_helicity(run):
    def total(*argv):
        return float(run("rate", "m_chi=1", "a_M=3e-4", *argv)[1].split("new physics ")[-1].split(",")[0])

    assert total("--helicity", "left") == pytest.approx(total() / 2, rel=1e-3)
    assert total("--variant", "published") == pytest.approx(total() * 1.0747, rel=1e-3)


# --- limit ------------------------------------------------------------------------------------


def test_limit_without_arguments_is_the_main_job(run, tmp_path, csi):
    status, out, err = run("limit")
    assert (status, err) == (0, "")  # no progress bar: nobody is watching
    assert out.splitlines()[-1] == f"written: {LIMITS}.csv, {LIMITS}.png"
    assert len(out.splitlines()) <= 16 and "inf" in out
    about, columns = read(tmp_path / f"{LIMITS}.csv")
    assert about["made by"] == f"cevns_fast {cf.__version__}"
    assert about["experiment"].startswith("coherent-csi-2017: D. Akimov et al.")
    assert about["interaction"] == "SingletEFT, helicity summed, variant corrected"
    assert about["threshold"].startswith("Delta chi2 = 2.7055 (90% CL)")
    assert "m_chi [MeV]" in about["columns"]
    masses = columns.pop("m_chi")
    assert masses.size == 120 and masses[0] == 0.1 and masses[-1] == 53.0 and np.all(np.diff(masses) > 0)
    assert list(columns) == ["a_M", "C_S", "C_V", "C_T"]
    for name, upper in columns.items():
        curve = cf.limit_scan(csi, [cf.SingletEFT(m_chi=m) for m in masses], name, cl=0.90)
        np.testing.assert_array_equal(upper, curve.upper)
        assert np.all(np.isinf(upper) == (masses > 52.818))  # 2E/(1 + sqrt(1 + 2E/M)) on Cs-133
    assert is_png(tmp_path / f"{LIMITS}.png")


def test_limit_options(run, tmp_path, csi):
    argv = [
        "limit",
        "--masses",
        5,
        "--mass-range",
        1,
        40,
        "-c",
        "a_E",
        "C_V_u",
        "--delta-chi2",
        4.61,
        "-o",
        "x/y",
    ]
    status, _, _ = run(*argv, "--variant", "published", "--helicity", "left", "--threads", 2)
    assert status == 0
    about, columns = read(tmp_path / "x/y/limits-coherent-csi-2017.csv")
    assert about["threshold"].startswith("Delta chi2 = 4.6100 above")
    assert about["interaction"] == "SingletEFT, helicity left, variant published"
    batch = [cf.SingletEFT(m, variant="published", helicity="left") for m in columns["m_chi"]]
    for name in ("a_E", "C_V_u"):
        np.testing.assert_array_equal(columns[name], cf.limit_scan(csi, batch, name, delta_chi2=4.61).upper)


NUCLEON = cf.ScalarMediator(1.0, 10.0, y_chi=1e-4)


@pytest.mark.parametrize(
    ("argv", "coupling", "make"),
    [
        (["scalar", "m_S=10"], "y_bar", lambda m: cf.ScalarMediator(m_chi=m, m_S=10.0)),
        (
            ["scalar", "-c", "y_n", "y_chi=1e-4", "m_S=10", "--threads", "2"],
            "y_n",
            lambda m: cf.ScalarMediator(m, 10.0, y_chi=1e-4),
        ),
        (
            ["vector", "m_zprime=100", "case=B", "--variant", "published"],
            "gchi_gq",
            lambda m: cf.VectorMediator(m, 100.0, 0.0, case="B", variant="published"),
        ),
        (
            ["vector", "m_zprime=100", "loops=false", "chi_couplings=1,0"],
            "gchi_gq",
            lambda m: cf.VectorMediator(m, 100.0, 0.0, loops=False, chi_couplings=(1.0, 0.0)),
        ),
    ],
    ids=["scalar", "nucleon", "vector", "tree"],
)
def test_limit_of_mediators(run, tmp_path, csi, argv, coupling, make):
    status, out, _ = run("limit", "--masses", 4, "--mass-range", 1, 40, "-o", "x", "--model", *argv)
    assert status == 0 and coupling in out
    about, columns = read(tmp_path / f"x/limits-{argv[0]}-coherent-csi-2017.csv")
    expected = cf.limit_scan(csi, [make(m) for m in columns["m_chi"]], coupling).upper
    np.testing.assert_allclose(columns[coupling], expected, rtol=1e-12)
    assert about["interaction"].startswith(type(make(1.0)).__name__)
    assert all(
        each.replace("=", " ").split(",")[0] in about["interaction"] for each in argv if each[:2] in ("m_", "ca")
    )


def test_rate_of_a_mediator(run, csi):
    status, out, _ = run("rate", "--model", "scalar", "m_chi=5", "m_S=10", "y_bar=1e-4")
    expected = cf.event_rate(csi, cf.ScalarMediator(m_chi=5.0, m_S=10.0, y_bar=1e-4), standard_model=False).sum()
    assert status == 0 and f"new physics {expected:.4g}" in out


def test_limit_of_a_file_and_of_a_joint_fit(run, tmp_path):
    for name in ("coherent-csi-2017.toml", "coherent-csi-2017.csv"):
        shutil.copy(data_path("experiments", name), tmp_path)
    own = tmp_path / "coherent-csi-2017.toml"
    own.write_text(own.read_text().replace('name = "coherent-csi-2017"', 'name = "my CsI/2"'))
    options = ["--masses", 3, "--mass-range", 1, 20, "-c", "C_V"]
    assert run("limit", "-e", own, *options)[0] == 0
    assert run("limit", "-e", "coherent-csi-2017", own, *options)[0] == 0
    alone = read(tmp_path / "results/limits-my_CsI_2.csv")[1]["C_V"]
    about, joint = read(tmp_path / "results/limits-coherent-csi-2017+my_CsI_2.csv")
    assert np.all(joint["C_V"] < alone)
    assert about["experiment 2"].startswith("my CsI/2: ")


@pytest.mark.slow
def test_a_run_repeats_itself_bit_by_bit(run, tmp_path):
    for folder in ("a", "b"):
        assert run("limit", "--masses", 10, "-o", folder)[0] == 0
    for name in ("limits-coherent-csi-2017.csv", "limits-coherent-csi-2017.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("existing", ["csv", "png"])
def test_files_are_overwritten_only_by_force(run, tmp_path, existing):
    path = tmp_path / f"{LIMITS}.{existing}"
    path.parent.mkdir()
    path.write_text("precious")
    status, out, err = run("limit", "--masses", 4)
    assert (status, out) == (2, "")
    assert err == f"cevns-fast: error: {LIMITS}.{existing} exists; --force overwrites it\n"
    assert path.read_text() == "precious" and list(path.parent.iterdir()) == [path]
    assert run("limit", "--masses", 4, "--force")[0] == 0
    assert path.read_bytes() != b"precious"


def test_a_folder_that_cannot_be_made_is_one_line(run, tmp_path):
    (tmp_path / "results").write_text("a file")
    status, _, err = run("limit", "--masses", 4)
    assert status == 2 and err.count("\n") == 1 and "results" in err and "--force" not in err


@pytest.mark.parametrize("argv", [["limit", "--masses", "4"], ["reproduce", "brdar-2018", "-o", "results"]])
def test_without_matplotlib_numbers_are_still_written(run, tmp_path, monkeypatch, argv):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, out, _ = run(*argv)
    assert status == 0 and "pip install 'cevns_fast[plot]'" in out
    written = {path.suffix for path in (tmp_path / "results").iterdir()}
    assert ".csv" in written and ".png" not in written


def test_progress_bar_on_a_terminal_only(run, monkeypatch):
    pytest.importorskip("tqdm")
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda self: True, raising=False)
    status, out, err = run("limit", "--masses", 4)
    assert status == 0 and "16/16" in err and "16/16" not in out


@pytest.mark.slow
def test_as_a_program(tmp_path):
    command = [sys.executable, "-m", "cevns_fast.cli", "limit", "--masses", "8"]
    first = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert first.stderr == "" and f"{LIMITS}.csv" in first.stdout
    again = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert again.returncode == 2 and again.stderr.count("\n") == 1


# --- reproduce --------------------------------------------------------------------------------

FIGURES = {
    "brdar-2018": {"fig2", "fig3", "fig4", "fig5", "seesaw", "fig7"},
    "chang-liao-2020": {"fig2", "fig3", "fig3-nu-mu-line", "fig3-conus-kink", "fig4"},
    "chao-2021": {"fig3", "fig4", "switches"},
}
TABLES = {"brdar-2018": {"table", "statements"}, "chao-2021": {"table", "switch-by-switch"}}


@pytest.mark.slow
@pytest.mark.parametrize("paper", FIGURES)
def test_reproduce(run, tmp_path, monkeypatch, paper):
    # One PDF of each paper: they are drawn of the same figures as PNGs are, and take as long.
    pdfs = chain([drawing.pdf], repeat(lambda figure: b"%PDF-"))
    monkeypatch.setattr(drawing, "pdf", lambda figure: next(pdfs)(figure))
    status, out, err = run("reproduce", paper)
    assert (status, err) == (0, "")
    folder = tmp_path / "results" / paper
    figures = {f"{name}{suffix}" for name in FIGURES[paper] for suffix in (".csv", ".png", ".pdf")}
    tables = {f"{name}{suffix}" for name in TABLES.get(paper, {"table"}) for suffix in (".csv", ".md")}
    assert {p.name for p in folder.iterdir()} == figures | tables
    assert all(is_png(path) for path in folder.glob("*.png"))
    assert all(path.read_bytes().startswith(b"%PDF-") for path in folder.glob("*.pdf"))
    with (folder / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    assert all(row["verdict"] in out and row["printed"] in out for row in rows)
    assert all(row["reason"] for row in rows if row["verdict"] != "reproduced")
    assert (folder / "table.md").read_text(encoding="utf-8").count("\n") == len(rows) + 2
    status, out, err = run("reproduce", paper)
    assert status == 2 and "--force" in err


def test_every_paper_can_be_reproduced():
    assert list(papers.PAPERS) == list(FIGURES)
    assert all(papers.paper(name).citation for name in papers.PAPERS)


def test_popxf(run, tmp_path, csi):
    status, out, _ = run("popxf", "m_chi=20", "-c", "C_V", "a_M", "--complex", "C_V", "-o", "fit")
    predictions, measurements = (
        json.loads(next((tmp_path / "fit").glob(f"{kind}-*")).read_text("utf-8")) for kind in ("popxf", "measurements")
    )
    assert status == 0 and "parameters: C_V, a_M" in out and "12 bins" in out
    assert predictions["metadata"]["basis"]["custom"]["parameters"] == {"C_V": "C", "a_M": "R"}
    constant = predictions["data"]["observable_central"]["('', '', 'RR')"]
    assert constant == pytest.approx(cf.event_rate(csi, cf.StandardModel()), rel=1e-12)
    assert measurements[csi.name][0]["observables"] == predictions["metadata"]["observable_names"]
    status, _, error = run("popxf", "m_chi=20", "-c", "C_V", "a_M", "-o", "fit")
    assert status == 2 and "--force overwrites" in error
