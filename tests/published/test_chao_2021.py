"""Chao, Li, Liao & Su 2021: its printed numbers, what its figures show, and what the corrections do to them."""

import numpy as np
import pytest
from accuracy import approx

import cevns_fast as cf
from cevns_fast.output.tables import Sheet
from cevns_fast.papers import chao_2021 as paper

SM = cf.StandardModel()


def bound(case, ratio, m_chi, **options):
    return float(paper.bounds(np.array([m_chi]), case, ratio, {"variant": "published", **options})[0])


def test_every_printed_number_has_its_verdict():
    verdicts = {(n.setup, n.printed): n.verdict for n in paper.numbers()}
    failed = [key for key, verdict in verdicts.items() if verdict != "reproduced"]
    assert failed == [("case B, m_Z' = 10 m_chi", "1e-5"), ("cosmology", "3")]
    assert len(verdicts) == 7
    assert all(n.reason for n in paper.numbers() if n.verdict != "reproduced")
    assert paper.n_eff_exponent() == pytest.approx(4 / 3, rel=1e-14)


@pytest.mark.parametrize(("ratio", "printed", "ours"), [(10.0, 6.7e-9, 6.47e-9), (2.0, 1.5e-9, 1.50e-9)])
def test_case_a_at_1_MeV(ratio, printed, ours):
    """Within 3% of the independent calculation; the first is 3.4% from what is printed."""
    found = bound("A", ratio, 1.0)
    assert found == approx(ours, rel=0.005)
    assert found == approx(printed, rel=0.04)


def test_confidence_level_of_the_paper():
    """At Δχ² = 2.71, 90% for one parameter, neither bound of case A would be the printed one."""
    csi = cf.load("coherent-csi-2017")
    batch = [cf.VectorMediator(1.0, ratio, variant="published") for ratio in (10.0, 2.0)]
    found = cf.limit_scan(csi, batch, "gchi_gq", cl=0.90).upper
    assert np.all(found < 0.93 * np.array([6.7e-9, 1.5e-9]))


def test_tree_and_loops_cross_near_1_7_MeV():
    """The kink that the paper puts at about 2 MeV, for m_Z' = 2 m_χ."""
    found = paper.crossing()
    assert found == approx(1.7, rel=0.05)
    assert bound("A", 2.0, 0.8 * found, tree=False) < bound("A", 2.0, 0.8 * found, loops=False)
    assert bound("A", 2.0, 1.2 * found, tree=False) > bound("A", 2.0, 1.2 * found, loops=False)


def test_case_a_is_flat_below_and_loops_alone_above_the_kinematic_limit():
    assert bound("A", 10.0, 0.1, loops=False) == approx(bound("A", 10.0, 0.5, loops=False), rel=0.1)
    assert np.isinf(bound("A", 10.0, 53.5, loops=False))
    for ratio in (10.0, 2.0):
        assert bound("A", ratio, 53.5) == bound("A", ratio, 53.5, tree=False)
        assert bound("A", ratio, 53.5) > 5 * bound("A", ratio, 52.0)


@pytest.mark.parametrize(("ratio", "ours"), [(2.0, 2.2e-6), (10.0, 1.4e-4)])
def test_case_b_at_53_MeV(ratio, ours):
    """The first as printed, 10⁻⁶, in order of magnitude; the second not: 10⁻⁵."""
    assert bound("B", ratio, 53.0) == approx(ours, rel=0.03)


def test_events_of_the_benchmarks(csi):
    """Fig. 3: of B the loops alone, about 226 beside 166; with the nucleon's momentum they are gone."""
    standard = cf.event_rate(csi, SM).sum()
    assert standard == approx(166, rel=0.003)
    assert paper.BENCHMARK_B.m_chi > 53
    new = cf.event_rate(csi, paper.BENCHMARK_B, standard_model=False)
    assert new.sum() == approx(226, rel=0.005)
    corrected = cf.event_rate(csi, paper.BENCHMARK_B.replace(variant="corrected"), standard_model=False)
    assert np.abs(corrected).sum() < 0.01
    # Of A the tree: loops can be neglected, as the paper says.
    tree = cf.event_rate(csi, paper.BENCHMARK_A.replace(loops=False), standard_model=False)
    assert cf.event_rate(csi, paper.BENCHMARK_A, standard_model=False) == approx(tree, rel=1e-3)
    assert tree.sum() == approx(281, rel=0.005)


def test_what_the_paper_says_of_case_b():
    """Loops bound B more strongly than A, and fall faster towards light χ than A's tree."""
    for ratio in (2.0, 10.0):
        assert bound("B", ratio, 5.0) < bound("A", ratio, 5.0, tree=False)
    slopes = [np.log(bound(case, 2.0, 10.0) / bound(case, 2.0, 5.0)) for case in "AB"]
    assert slopes[1] > 5 * slopes[0]


def test_the_printed_bound_of_case_b_contradicts_figure_3(csi):
    """A bound of 10⁻⁵ at 53 MeV, m_Z' = 10 m_χ, would make of benchmark B some 5 × 10⁴ times the SM's events."""
    scaled = 1e-5 * bound("B", 10.0, 100.0) / bound("B", 10.0, 53.0)
    assert scaled == approx(3.5e-5, rel=0.05)
    at_bound = cf.event_rate(csi, paper.BENCHMARK_B.replace(gchi_gq=bound("B", 10.0, 100.0)), standard_model=False)
    implied = at_bound.sum() * (paper.BENCHMARK_B.gchi_gq / scaled) ** 4
    assert implied / cf.event_rate(csi, SM).sum() == approx(5e4, rel=0.1)


def test_switches_one_by_one():
    """The nucleon's momentum moves everything; F_G nothing visible; the rest up to a factor of a few."""
    table = paper.switch_table()
    column = {name: np.array(values) for name, values in table.columns.items()}
    case_b = column["case"] == "B"
    assert column["momentum"][case_b] / column["published"][case_b] == approx(np.full(8, 105.0), rel=0.4)
    assert column["F_G"] == approx(column["published"], rel=1e-3)
    assert np.all(column["phi_phi"][~case_b] == column["published"][~case_b])
    moved = column["phi_phi"][case_b] / column["published"][case_b]
    assert np.all((moved > 0.9) & (moved < 1.5)) and moved.max() > 1.4
    interference = column["sm_interference"] / column["published"]
    assert np.all(np.abs(interference - 1) < 0.15) and np.abs(interference - 1).max() > 0.1


def test_figures_and_their_data():
    matplotlib = pytest.importorskip("matplotlib")
    for figure in paper.PAPER.figures:
        table = figure.data()
        assert isinstance(table, Sheet) and table.about
        drawn = figure.draw(table)
        assert isinstance(drawn, matplotlib.figure.Figure)
    published = np.array(paper.fig4().columns["A 10 published"])
    tree, loops = (np.array(paper.fig4().columns[f"A 10 {name}"]) for name in ("tree", "loops"))
    assert np.all(np.isfinite(published))
    # Together they exclude at least what each does, but for shapes that add up to that of the SM, which α absorbs.
    assert np.all(published <= 1.02 * np.minimum(tree, loops))
