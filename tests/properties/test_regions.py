"""Allowed regions that a grid cannot show, and what is said of them."""

import numpy as np
import pytest
from cases import crossed

import cevns_fast as cf
from cevns_fast.inference import regions
from cevns_fast.inference.scan_result import Minima, Scan

contourpy = pytest.importorskip("contourpy")


class Known:
    """A search that knows χ² everywhere."""

    def __init__(self, function, sizes=(101, 2001)):
        self.function, self.sizes = function, sizes

    def __call__(self, chi2):
        return Minima(np.zeros(1), {"a": np.zeros(1), "b": np.zeros(1)}, {})

    def between(self, interaction):
        return lambda points: self.function(*points.T), self.sizes


def synthetic(function, n=101, reach=1.0, known=True, minimum=(0.0, 0.0)):
    axes = (np.linspace(-reach, reach, n), np.linspace(-reach, reach, n + 2))
    chi2 = function(*np.meshgrid(*axes, indexing="ij"))
    at = Minima(np.zeros(1), {"a": np.array(minimum[:1]), "b": np.array(minimum[1:])}, {})
    return Scan(("a", "b"), axes, chi2, Known(function) if known else at, None, {"couplings": "a, b"})


def strip(width, length=0.7, angle=0.6, at=(0.0, 0.0)):
    """A tilted ellipse of Δχ² = 1 with these half-axes."""

    def chi2(x, y):
        u, v = (
            (x - at[0]) * np.cos(angle) + (y - at[1]) * np.sin(angle),
            (y - at[1]) * np.cos(angle) - (x - at[0]) * np.sin(angle),
        )
        return (u / length) ** 2 + (v / width) ** 2

    return chi2


@pytest.mark.parametrize(("angle", "width"), crossed([0.0, 2.3, 0.6, 1.5, np.pi / 4], [0.3, 0.1, 0.02, 3e-3, 1e-4]))
def test_a_strip_is_one_piece_of_the_right_area(angle, width):
    """From 30 steps of the grid across to a hundredth of one."""
    scan = synthetic(strip(width, angle=angle))
    found = scan.contours(delta_chi2=1.0)
    assert len(found.rings) == 1 and found.resolved and not found.clipped
    assert found.area == pytest.approx(np.pi * width * 0.7, rel=2e-3 if found.finer else 6e-3)
    assert found.finer or width > 0.05
    c, s = np.cos(angle) ** 2, np.sin(angle) ** 2
    xx, yy = c * 0.49 + s * width**2, s * 0.49 + c * width**2
    xy = np.cos(angle) * np.sin(angle) * (0.49 - width**2)
    assert scan.correlation(delta_chi2=1.0) == pytest.approx(xy / np.sqrt(xx * yy), abs=5e-3)


@pytest.mark.slow
def test_a_quartic_valley_is_one_piece():
    """As of couplings that do not interfere: the tilted square of a square."""

    def chi2(x, y):
        return 16 * ((x + 0.9 * y) / 0.01) ** 4 + ((x - y) / 0.8) ** 4

    found = synthetic(chi2).contours(delta_chi2=1.0)
    fine = synthetic(lambda u, v: 16 * u**4 + (v / 0.8) ** 4, n=2001, reach=1.1).contours(delta_chi2=1.0)
    assert len(found.rings) == 1 and found.area == pytest.approx(fine.area * 0.01 / 1.9, rel=2e-3)


def test_a_tiny_region_between_the_points():
    found = synthetic(strip(2e-3, 3e-3, at=(0.0049, -0.0037))).contours(delta_chi2=1.0)
    assert len(found.rings) == 1 and found.area == pytest.approx(np.pi * 6e-6, rel=2e-3)


def test_two_strips():
    a, b = strip(2e-3, 0.3, 0.6, (-0.3, 0.4)), strip(2e-3, 0.3, 0.6, (0.3, -0.4))
    found = synthetic(lambda x, y: np.minimum(a(x, y), b(x, y))).contours(delta_chi2=1.0)
    assert len(found.rings) == 2 and found.area == pytest.approx(2 * np.pi * 6e-4, rel=2e-3)


def test_a_strip_that_leaves_the_grid_ends_at_its_edge():
    scan = synthetic(strip(1e-3, length=50.0, angle=np.pi / 4))
    found = scan.contours(delta_chi2=1.0)
    assert found.clipped and len(found.rings) == 1
    assert found.area == pytest.approx(2 * 1e-3 * 2 * np.sqrt(2), rel=2e-3)
    points = np.concatenate([ring.points for ring in found.rings])
    assert np.abs(points).max() == pytest.approx(1.0, abs=2e-3)


def islands(x, y):
    return np.minimum(((x + 0.4) ** 2 + y**2) / 0.04, ((x - 0.4) ** 2 + y**2) / 0.02)


KNOWN = {  # Δχ², its exact area at 1, pieces and holes
    "circle": (lambda x, y: (x**2 + y**2) / 0.25, np.pi / 4, 1, 0),
    "ellipse": (strip(0.1, angle=0.6), np.pi * 0.07, 1, 0),
    "thin strip": (strip(1e-3, angle=1.1), np.pi * 7e-4, 1, 0),
    "quartic": (lambda x, y: (x**4 + y**4) / 0.0625, 0.25 * 3.7081493546027, 1, 0),  # Γ(1/4)²/(2 √π) r²·…
    "ring": (lambda x, y: ((np.hypot(x, y) - 0.5) / 0.1) ** 2, 0.2 * np.pi, 1, 1),
    "thin ring": (lambda x, y: ((np.hypot(x, y) - 0.5) / 0.004) ** 2, 0.008 * np.pi, 1, 1),
    "islands": (islands, 0.06 * np.pi, 2, 0),
    "cut by an edge": (lambda x, y: ((x - 1) ** 2 + y**2) / 0.25, np.pi / 8, 1, 0),
    "in a corner": (lambda x, y: ((x + 1) ** 2 + (y - 1) ** 2) / 0.25, np.pi / 16, 1, 0),
    "a cross of thin arms": (lambda x, y: (x * y / 0.02) ** 2, 0.08 * (1 + np.log(50.0)), 1, 0),
}


@pytest.mark.parametrize(("shape", "n"), crossed(list(KNOWN), [24, 101]))
def test_the_stated_accuracy(shape, n):
    """Whatever the grid: boundaries are where Δχ² is the threshold, and the area is as right as is said."""
    function, area, pieces, holes = KNOWN[shape]
    found = synthetic(function, n=n).contours(delta_chi2=1.0)
    assert [sum(ring.hole == kind for ring in found.rings) for kind in (False, True)] == [pieces, holes]
    assert found.accuracy < 1e-3 and found.area == pytest.approx(area, rel=1.5 * found.accuracy + 1e-7)
    for ring in found.rings:
        inner = ring.points[np.abs(ring.points).max(axis=1) < 0.99]
        assert function(*inner.T) == pytest.approx(1.0, abs=1e-4)
    assert found.clipped == (shape in ("cut by an edge", "in a corner", "a cross of thin arms"))


def test_axes_need_not_be_even():
    """Steps of a factor, and a rectangle that is longer than wide."""
    axes = np.geomspace(1e-2, 1e2, 60), np.linspace(-3e-5, 3e-5, 61)

    def chi2(x, y):
        return np.log(x) ** 2 / 4 + (y / 1e-5) ** 2

    known = Known(chi2)
    scan = Scan(("a", "b"), axes, chi2(*np.meshgrid(*axes, indexing="ij")), known, None, {"couplings": "a, b"})
    found = scan.contours(delta_chi2=1.0)
    u = np.linspace(-1, 1, 200_001)
    exact = np.trapezoid(2e-5 * np.sqrt(1 - u**2) * 2 * np.exp(2 * u), u)
    assert found.area == pytest.approx(exact, rel=1.5 * found.accuracy + 1e-6) and found.accuracy < 1e-3


def test_of_a_file_nothing_is_stated():
    assert np.isnan(synthetic(strip(0.3), known=False).contours(delta_chi2=1.0).accuracy)


@pytest.mark.parametrize("shape", ["strip", "ring"])
def test_without_the_function_nothing_is_claimed(shape):
    """Of a scan from a file, or of a curved region that is too thin for any affordable grid, area is NaN."""
    function = strip(5e-3) if shape == "strip" else lambda x, y: ((np.hypot(x, y) - 0.5) / 1e-5) ** 2
    scan = synthetic(function, known=shape == "ring")
    with pytest.warns(regions.UnresolvedRegionWarning, match=r"thinner than the grid, .* x \d+ points or more"):
        found = scan.contours(delta_chi2=1.0)
    assert not found.resolved and np.isnan(found.area) and np.isnan(found.correlation)


def test_a_thin_ring_has_a_hole():
    found = synthetic(lambda x, y: ((np.hypot(x, y) - 0.5) / 0.02) ** 2).contours(delta_chi2=1.0)
    assert [ring.hole for ring in found.rings] == [False, True]
    assert found.area == pytest.approx(2 * np.pi * 0.5 * 0.04, rel=2e-3)


def test_the_plane_of_the_issue(csi):
    """The scan's own grid of 401 x 401 points shows 93 pieces at 90% CL; the area does not depend on the grid."""
    eft = cf.SingletEFT(m_chi=10.0)
    areas = []
    for n in (401, 150):
        axes = np.linspace(-200, 200, n), np.linspace(-180, 180, n)
        scan = cf.correlation_scan(csi, eft, ("C_V_u", "C_V_d"), *axes)
        found = scan.contours(0.90)
        assert (len(found.rings), found.clipped, found.finer) == (1, False, True)
        areas.append(found.area)
    assert areas[0] == pytest.approx(areas[1], rel=1e-3) and areas[0] == pytest.approx(113.7, abs=0.3)
    (ring,) = found.rings
    fit = cf.Likelihood(csi)
    for u, v in ring.points[:: len(ring.points) // 7]:
        chi2 = fit.chi2(eft.replace(C_V=(float(u), float(v))))
        assert chi2 - scan.chi2_min[0] == pytest.approx(found.level, rel=0.1)


def test_a_profiled_plane(csi):
    """Profiled planes are thin too."""
    eft = cf.SingletEFT(m_chi=10.0)
    axes = np.linspace(-60, 60, 61), np.linspace(-60, 60, 61)
    scan = cf.correlation_scan(csi, eft, ("C_V_u", "C_V_d"), *axes, profile=["C_S"])
    found = scan.contours(0.90)
    assert len(found.rings) == 1 and found.clipped and found.resolved


@pytest.mark.parametrize("edge", ["left", "right", "bottom", "top"])
def test_every_edge_clips(edge):
    at = {"left": (-1, 0), "right": (1, 0), "bottom": (0, -1), "top": (0, 1)}[edge]
    scan = synthetic(lambda x, y: ((x - at[0]) ** 2 + (y - at[1]) ** 2) / 0.04, minimum=at, known=False)
    assert scan.contours(delta_chi2=1.0).clipped
    assert not synthetic(lambda x, y: (x**2 + y**2) / 0.04, known=False).contours(delta_chi2=1.0).clipped


@pytest.mark.parametrize("edge", ["left", "right", "bottom", "top"])
def test_every_edge_clips_a_thin_strip(edge):
    """Which a grid that lies along it shows, not the scan's."""
    at = {"left": (-0.8, 0), "right": (0.8, 0), "bottom": (0, -0.8), "top": (0, 0.8)}[edge]
    angle = 0.1 if at[1] == 0 else 0.1 + np.pi / 2
    found = synthetic(strip(1e-3, length=0.4, angle=angle, at=at)).contours(delta_chi2=1.0)
    assert found.finer and found.clipped
    whole = strip(1e-3, length=0.1, angle=angle, at=at)
    assert not synthetic(whole).contours(delta_chi2=1.0).clipped


@pytest.mark.parametrize("edge", [(0, ...), (-1, ...), (..., 0), (..., -1)], ids=str)
def test_every_edge_is_looked_at_between_its_points(edge):
    """A region that lies between the points of an edge reaches it."""
    delta = np.full((9, 9), 1e3)
    assert not regions._leaves(delta, 1.0)
    delta[edge] = ((np.arange(9) - 4.5) / 0.2) ** 2
    assert delta.min() > 1 and regions._leaves(delta, 1.0)


def test_the_correlation_of_a_grid_that_is_denser_at_one_end():
    """By the area around each point: points alone would have the mean and the widths of the dense end."""
    x = np.concatenate([np.linspace(-1, -0.5, 300, endpoint=False), np.linspace(-0.5, 1, 90)])
    y = np.concatenate([np.linspace(-1, 0.2, 80, endpoint=False), np.linspace(0.2, 1, 260)])
    X, Y = np.meshgrid(x, y, indexing="ij")
    chi2 = (X**2 + Y**2 - 2 * 0.6 * X * Y) / (1 - 0.36) / 0.3
    at = Minima(np.zeros(1), {"a": np.zeros(1), "b": np.zeros(1)}, {})
    scan = Scan(("a", "b"), (x, y), chi2, at, None, {"couplings": "a, b"})
    assert scan.correlation(delta_chi2=1.0) == pytest.approx(0.6, abs=2e-3)
    swapped = Scan(("b", "a"), (y, x), chi2.T.copy(), at, None, {"couplings": "b, a"})
    assert swapped.correlation(delta_chi2=1.0) == pytest.approx(scan.correlation(delta_chi2=1.0), rel=1e-12)


# --- best fits that the grid does not hold ---------------------------------------------------------------------


def test_a_best_fit_outside_the_grid_is_said_and_the_grids_lowest_point_offered():
    scan = synthetic(lambda x, y: (x - 3) ** 2 + y**2, known=False, minimum=(3.0, 0.0))
    assert scan.outside.tolist() == [True]
    assert scan.lowest_point.chi2 == pytest.approx([4.0])
    assert scan.lowest_point.couplings["a"] == [1.0] and scan.lowest_point.couplings["b"][0] == pytest.approx(0.0)
    assert len(scan.contours(delta_chi2=1.0).rings) == 0
    inside = scan.on_grid()
    assert inside.chi2_min == pytest.approx([4.0]) and inside.best_fit["a"] == [1.0]
    assert inside.contours(delta_chi2=1.0).clipped and inside.delta_chi2.min() == 0
    assert not synthetic(lambda x, y: x**2 + y**2).outside.any()


def test_planes_of_a_list(csi):
    batch = [cf.SingletEFT(m_chi=m) for m in (10.0, 40.0)]
    scan = cf.correlation_scan(csi, batch, ("C_S", "a_M"), np.linspace(0.01, 0.05, 9), np.linspace(-1e-3, 1e-3, 7))
    assert scan.outside.tolist() == [True, True]
    for i, plane in enumerate(scan.chi2):
        assert scan.lowest_point.chi2[i] == plane.min()
        x, y = (
            np.flatnonzero(axis == scan.lowest_point.couplings[n][i])
            for n, axis in zip(("C_S", "a_M"), scan.axes, strict=True)
        )
        assert plane[x[0], y[0]] == plane.min()
