"""What the papers' figures are known for, in the data behind ours."""

import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast.papers import brdar_2018, chang_liao_features, chang_liao_figures, chao_2021

END = 52.818  # MeV, the heaviest χ that COHERENT can produce on caesium
LINE = 29.792  # MeV, the monoenergetic ν_μ


def columns(table):
    """Those that are numbers."""
    return {name: np.array(c, dtype=float) for name, c in table.columns.items() if not isinstance(c[0], str)}


def test_the_dipole_peaks_at_2_keV():
    """CL Fig. 2 and Eq. (8), and no other coupling's curve does."""
    table = columns(chang_liao_figures.fig2())
    T = table["T"]
    assert T[np.argmax(table["a_M"])] == pytest.approx(2.05, abs=0.05)
    assert all(abs(T[np.argmax(table[name])] - 2) > 0.5 for name in ("C_S", "C_V", "C_T"))


def heaviest_seen(nuclide, threshold):
    """The heaviest χ that ν_μ of the line produce with recoils above a threshold, both in MeV."""
    masses = np.linspace(20.0, LINE, 4001)
    _, highest = cf.recoil_range(LINE, masses, cf.nuclide(nuclide).mass)
    return masses[np.asarray(highest) > threshold][-1]


@pytest.fixture(scope="module")
def edge():
    return columns(chang_liao_features.edge())


def test_the_line_leaves_just_below_29_8_MeV(edge):
    """CL Fig. 3: bounds have their last kink where the recoils of ν_μ fall below threshold."""
    masses = edge["m_chi"]
    last = heaviest_seen("Ar40", 0.020)
    assert 28.0 < last < LINE
    bend = np.abs(np.diff(np.log(edge["a_M future COHERENT"]), 2))
    kinks = masses[1:-1][(bend > 0.01) & (masses[1:-1] < 50)]
    assert kinks[-1] == pytest.approx(last, abs=0.15)
    # There the dipole's bound has doubled within two MeV; then it is flat.
    bound = dict(zip(np.round(masses, 1), edge["a_M future COHERENT"], strict=True))
    assert bound[28.5] > 2 * bound[26.5] and bound[30.5] < 1.06 * bound[28.5]


def test_the_line_leaves_caesium_iodide_at_29_3_MeV(edge):
    """Nothing below 6 photoelectrons, 5.1 keV: smooth above 29.3 MeV, steeper before."""
    masses, bound = edge["m_chi"], np.log(edge["a_M COHERENT"])
    last = heaviest_seen("I127", 6 / 1170)
    assert last == pytest.approx(29.3, abs=0.1) and last < LINE
    slope = np.gradient(bound, masses)
    before, after = slope[(masses > 26) & (masses < 28)], slope[(masses > last + 0.2) & (masses < 32)]
    assert before.min() > 1.5 * after.max()


def test_coherent_ends_at_53_MeV(edge):
    """The last masses of the figures, and infinitely weak bounds there."""
    assert edge["m_chi"][-1] == pytest.approx(END, abs=0.05)
    assert all(
        edge[f"{c} {name}"][-1] > 20 for c in ("a_M", "C_S", "C_V", "C_T") for name in chang_liao_features.EDGE_SETUPS
    )


@pytest.fixture(scope="module")
def loops():
    return columns(chao_2021.fig4())


@pytest.mark.parametrize("ratio", [10, 2])
def test_tree_and_loops_meet_at_53_MeV(loops, ratio):
    """CLLS Fig. 4, case A: the tree's bound ends, and the whole is the loops' from there on."""
    masses = loops["m_chi"]
    tree, alone, both = (loops[f"A {ratio} {name}"] for name in ("tree", "loops", "published"))
    last = np.flatnonzero(np.isfinite(tree))[-1]
    assert masses[last] == pytest.approx(END, abs=0.02) and masses[last + 1] == pytest.approx(END, abs=0.02)
    np.testing.assert_array_equal(both[last + 1 :], alone[last + 1 :])
    # Steep before, straight after.
    slope = np.diff(np.log(both)) / np.diff(np.log(masses))
    assert slope[last - 3] > 50 and np.all(slope[last + 1 :] < 3)


@pytest.mark.parametrize(("ratio", "crossing"), [(10, 0.58), (2, 1.78)])
def test_tree_and_loops_cross_at_light_masses(loops, ratio, crossing):
    masses = loops["m_chi"]
    tree, alone = (loops[f"A {ratio} {name}"] for name in ("tree", "loops"))
    light = masses < 50
    (at,) = np.flatnonzero(np.diff(alone[light] > tree[light]))
    assert masses[at] == pytest.approx(crossing, rel=0.05)


def test_the_kink_of_conus_is_at_3_8_MeV():
    """In the curve of CL Fig. 3 itself: a local maximum, and in the dipole alone."""
    table = chang_liao_figures.fig3()
    conus = np.array(table.columns["experiment"]) == "future CONUS"
    bounds = {name: c[conus] for name, c in columns(table).items()}
    masses = bounds["m_chi"]
    between = (masses > 2) & (masses < 6)
    tops = {}
    for name in ("a_M", "C_S", "C_T"):
        bound = bounds[name][between]
        inner = (bound[1:-1] > bound[:-2]) & (bound[1:-1] > bound[2:])
        tops[name] = masses[between][1:-1][inner].round(1).tolist()
    assert tops == {"a_M": [3.8], "C_S": [], "C_T": []}


def test_scalar_and_dipole_are_anticorrelated():
    """CL Fig. 4: the largest C_S goes with a negative a_M, for both experiments; with C_T nothing goes."""
    table = chang_liao_figures.fig4()
    plane, name = np.array(table.columns["plane"]), np.array(table.columns["experiment"])
    x, y = (np.array(table.columns[c], dtype=float) for c in "xy")
    for setup in chang_liao_figures.FIG4_SETUPS:
        for pair in ("C_S, a_M", "C_T, a_M", "C_S, C_T"):
            mine = (plane == pair) & (name == setup)
            at = y[mine][np.argmax(x[mine])] / y[mine].max()
            assert at < -0.4 if pair == "C_S, a_M" else abs(at) < 0.02
            correlation = float(table.about[f"correlation of {pair}, {setup}"])
            if "C_T" in pair:
                assert abs(correlation) < 1e-3
            else:
                assert correlation == pytest.approx(-0.41 if setup == "COHERENT" else -0.5, abs=0.1)


def test_figure_2_of_brdar():
    """The largest angle of each curve is where Eq. (6) has it: cos θ = m_χ/E."""
    table = columns(brdar_2018.fig2())
    for m in brdar_2018.FIG2_MASSES[1:]:
        assert np.nanmin(table[f"cos_theta m_chi={m:g}"]) == pytest.approx(m / brdar_2018.FIG2_E, abs=0.003)
