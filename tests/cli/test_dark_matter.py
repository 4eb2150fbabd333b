"""The plane of mass and coupling: what it computes, and that one command draws it."""

import csv

import numpy as np
import pytest
from cases import quick_are

import cevns_fast as cf
from cevns_fast.output import dark_matter


@pytest.fixture(scope="module")
def scalar():
    masses = np.array([1.0, 10.0, 30.0, 60.0])
    return dark_matter.scalar_plane([cf.load("coherent-csi-2017")], masses, ratio=3.0, reading="majorana")


def test_line_of_the_right_relic_density(scalar):
    for factor in (1.0, 1e4):
        for m, y in zip(scalar.columns["m_chi"], scalar.columns[f"dilution {factor:g}"], strict=True):
            omega = float(cf.cosmology.relic_density(m, 3 * m, y, "majorana").omega_h2)
            assert omega == pytest.approx(0.12 * factor, rel=0.01)


def test_bounds_are_those_of_limit_scan(scalar):
    bound = scalar.columns["bound coherent-csi-2017"]
    alone = cf.limit_scan(cf.load("coherent-csi-2017"), cf.ScalarMediator(10.0, 30.0), "y_bar", cl=0.90)
    assert bound[1] == pytest.approx(alone.upper[0], rel=1e-9) and np.isinf(bound[3])


def test_rough_regions(scalar):
    """The largest mixing lives as long as the universe; light thermal χ add to N_eff."""
    theta = scalar.columns["largest mixing"][1]
    assert cf.cosmology.decay_widths(10.0, theta, majorana=True).lifetime == pytest.approx(
        cf.constants.AGE_OF_UNIVERSE, rel=1e-12
    )
    assert (np.array(scalar.columns["supernova low"]) < np.array(scalar.columns["supernova high"])).all()
    assert np.isfinite(scalar.columns["N_eff low"]).tolist() == [True, False, False, False]
    assert np.array(scalar.columns["seesaw high"]) == pytest.approx(1e-4)


def test_dipole_plane():
    table = dark_matter.dipole_plane([cf.load("coherent-csi-2017")], np.array([1.0, 10.0]))
    stable, second = (np.array(table.columns[name]) for name in ("stable", "one second"))
    assert cf.cosmology.decay_widths(10.0, a_M=stable[1]).lifetime == pytest.approx(cf.constants.AGE_OF_UNIVERSE)
    assert cf.cosmology.decay_widths(1.0, a_M=second[0]).lifetime == pytest.approx(1.0)
    # freeze-in: at so small a coupling far from equilibrium, and far from stable
    made = np.array(table.columns["freeze-in"])
    assert made[0] / made[1] == pytest.approx(10**0.5) and (made > 1e4 * stable).all() and (made < 1e-6).all()
    # the mixing's own decay into νγ is that of its dipole
    theta = np.sqrt(0.1e-6 / 10.0)
    assert cf.cosmology.decay_widths(10.0, a_M=table.columns["seesaw high"][1]).total == pytest.approx(
        cf.cosmology.decay_widths(10.0, theta)["nu-gamma"]
    )


@pytest.mark.parametrize("model", quick_are(["scalar", "dipole"], 1))
def test_one_command_draws_it(run, tmp_path, model):
    pytest.importorskip("matplotlib")
    status, out, err = run("dark-matter", "--model", model, "--masses", 4)
    assert (status, err) == (0, "") and f"dark-matter-{model}.png" in out
    assert max(map(len, out.splitlines())) <= 120 and out.count(" m_chi ") > 1  # columns that do not fit follow below
    with (tmp_path / "results" / f"dark-matter-{model}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    assert len(rows) == 4 and all(float(row["bound coherent-csi-2021"]) > 0 for row in rows)
    assert (tmp_path / "results" / f"dark-matter-{model}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "vector"), "--model = 'vector': must be one of 'scalar', 'dipole'"),
        (("--ratio", "0.5"), "ratio = 0.5: must be > 1"),
        (("--reading", "Dirac"), "did you mean 'dirac'"),
    ],
)
def test_refusals(run, arguments, message):
    status, _, err = run("dark-matter", "--masses", 4, *arguments)
    assert status == 2 and message in err
