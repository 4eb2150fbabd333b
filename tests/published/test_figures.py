"""What figures show: every finite bound in their range, what was fixed, and nothing as excluded that is allowed."""

import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast.output import drawing, plotting
from cevns_fast.papers import paper

pytest.importorskip("matplotlib")


def everything(figure):
    """All text of a figure."""
    from matplotlib.text import Text

    return "\n".join(each.get_text() for each in figure.findobj(Text))


def seen(axes):
    """Whether every finite positive point of the lines in the range of x lies in the range of y."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for line in axes.get_lines():
        x, y = (np.asarray(each, dtype=float) for each in line.get_data())
        if line.get_transform() is not axes.transData:
            continue  # a guide
        inside = np.isfinite(y) & (y > 0) & (x >= left) & (x <= right)
        if not np.all((y[inside] >= bottom) & (y[inside] <= top)):
            return False
    return True


@pytest.fixture(scope="module")
def drawn():
    """A function from a paper's name and a figure's to the figure, and its table."""
    made = {}

    def draw(name, figure):
        if (name, figure) not in made:
            (part,) = (each for each in paper(name).figures if each.name == figure)
            table = part.data()
            made[name, figure] = part.draw(table), table
        return made[name, figure]

    return draw


BOUNDS = [
    ("brdar-2018", "fig4"),
    ("brdar-2018", "fig5"),
    ("chang-liao-2020", "fig3"),
    ("chang-liao-2020", "fig3-conus-kink"),
    ("chang-liao-2020", "fig3-nu-mu-line"),
    ("chao-2021", "fig4"),
    ("chao-2021", "switches"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "figure"), BOUNDS)
def test_a_figure_of_bounds_shows_all_of_them_and_their_level(drawn, name, figure):
    shown, _ = drawn(name, figure)
    assert all(map(seen, shown.axes))
    text = everything(shown)
    assert "CL" in text or r"\Delta\chi^2" in text


def test_several_experiments_of_very_different_reach():
    """The strongest bound of one, the weakest of the other, and the ends that rise."""
    masses = np.geomspace(0.1, 50, 60)
    weak = np.where(masses < 40, 3.0 + masses**4, np.inf)
    strong = np.where(masses < 7, 1e-6 / (7.0 - np.minimum(masses, 6.999)), np.inf)
    figure = plotting.limit_panels(
        {"|C|": [drawing.Curve("a", masses, strong), drawing.Curve("b", masses[::2], weak[::2])]}
    )
    assert all(map(seen, figure.axes))
    bottom, top = figure.axes[0].get_ylim()
    assert bottom < np.min(strong) < 2.6e6 < top
    left, right = figure.axes[0].get_xlim()
    assert left <= 0.1 and right >= 50


def test_what_has_no_bound_between_two_bounds_is_not_shaded():
    x, y = np.arange(1.0, 6.0), np.array([1.0, 1.0, np.inf, 1.0, 1.0])
    figure = plotting.limit_panels({"y": [drawing.Curve("a", x, y, filled=True)]})
    (shade,) = figure.axes[0].collections
    assert not any(path.contains_point((3.0, 2.0)) for path in shade.get_paths())
    assert any(path.contains_point((1.5, 2.0)) for path in shade.get_paths())


def test_a_single_mass_is_drawn():
    figure = plotting.limit_panels({"y": [drawing.Curve("a", [10.0], [0.1])]})
    (line,) = (each for each in figure.axes[0].get_lines() if len(each.get_xdata()) == 1)
    assert line.get_marker() == "o"
    left, right = figure.axes[0].get_xlim()
    assert left < 10 < right


@pytest.mark.slow
def test_chao_shades_only_what_the_default_variant_excludes(drawn):
    figure, table = drawn("chao-2021", "fig4")
    masses = np.array(table.columns["m_chi"], dtype=float)
    for axes, (case, ratio) in zip(figure.axes, (("A", 10.0), ("A", 2.0), ("B", 10.0), ("B", 2.0)), strict=True):
        (shade,) = axes.collections
        default = np.array(table.columns[f"{case} {ratio:g} corrected"], dtype=float)
        published = np.array(table.columns[f"{case} {ratio:g} published"], dtype=float)
        i = int(np.argmin(np.abs(masses - 500.0)))
        between = np.sqrt(default[i] * published[i])
        assert published[i] < 0.2 * default[i]
        assert not any(path.contains_point((masses[i], between)) for path in shade.get_paths())
        assert any(path.contains_point((masses[i], 1.2 * default[i])) for path in shade.get_paths())


def test_chao_fig3_states_masses_and_couplings(drawn):
    text = everything(drawn("chao-2021", "fig3")[0])
    for stated in (r"m_\chi = 10$", r"m_{Z^\prime} = 100$", r"5 \times 10^{-8}", r"m_{Z^\prime} = 1000$", r"10^{-4}"):
        assert stated in text


def test_a_best_fit_beyond_the_figure_is_not_in_its_legend(csi):
    eft = cf.SingletEFT(m_chi=40.0)
    scan = cf.correlation_scan(csi, eft, ("C_S", "a_M"), np.linspace(0.02, 0.04, 21), np.linspace(1e-4, 8e-4, 21))
    text = everything(plotting.scan_plane(scan, title="csi")).splitlines()
    assert "lowest point" in text and "the best fit is outside" in text and "best fit" not in text


def test_titles_fit_above_a_column():
    names = ["coherent-csi-2017", "conus-4kg", "coherent-lar-610kg", "coherent-csi-x100", "conus-100kg"]
    lines = drawing.in_lines(names, " + ").split("\n")
    assert len(lines) == 2 and " ".join(lines) == " + ".join(names)
    assert drawing.in_lines(names[:2]) == "coherent-csi-2017, conus-4kg"
    assert drawing.in_lines([]) == ""
