"""Objects show themselves, know where they come from, and are drawn into the user's axes."""

import pickle
import subprocess
import sys
from dataclasses import replace
from xml.dom import minidom

import numpy as np
import pytest

import cevns_fast as cf

MASSES = (1.0, 20.0, 40.0, 60.0)
CSI = cf.load("coherent-csi-2017")
NEW = cf.SingletEFT(m_chi=10.0, C_V=0.1)
GRIDS = np.linspace(-0.08, 0.08, 31), np.linspace(-1e-3, 1e-3, 21)
POISSON = cf.Likelihood(CSI, statistic="poisson", model=cf.SingletEFT(m_chi=10.0), parameters=("C_S",))


@pytest.fixture(scope="module")
def curve():
    return cf.limit_scan(CSI, [cf.SingletEFT(m_chi=m) for m in MASSES], "C_V")


@pytest.fixture(scope="module")
def scan():
    return cf.correlation_scan(CSI, [cf.SingletEFT(m_chi=m) for m in (10.0, 40.0)], ("C_S", "a_M"), *GRIDS)


@pytest.fixture(scope="module")
def every(curve, scan):
    toys = cf.goodness_of_fit(POISSON, toys=50)
    return {
        "experiment": CSI,
        "simulated": cf.load("conus-100kg"),
        "interaction": NEW,
        "templates": cf.templates(CSI, NEW),
        "likelihood": cf.Likelihood(CSI, model=cf.SingletEFT, parameters=("m_chi", "C_S")),
        "curve": curve,
        "scan": scan,
        "contours": scan.contours(0.9),
        "line": cf.correlation_scan(CSI, NEW, ("C_S",), GRIDS[0]),
        "toys": toys,
        "best fit": toys.best_fit,
        "feldman-cousins": cf.feldman_cousins(POISSON, {"C_S": [0.0, 0.03, 0.06]}, toys=50),
    }


KINDS = {
    "experiment": "<Experiment coherent-csi-2017: 14.57 kg CsI, PionDecayAtRest, 12 bins of photoelectrons, "
    "142 counts observed>",
    "simulated": "simulated>",
    "interaction": "SingletEFT(m_chi=10.0, C_V=0.1)",
    "templates": "<Templates: 10 products of a_M, C_S, C_V, C_T, 12 bins>",
    "likelihood": "<Likelihood: coherent-csi-2017, 12 bins, gaussian, free m_chi, C_S, 2 nuisances>",
    "curve": "<LimitCurve of C_V: coherent-csi-2017, 90% CL, m_chi 1 to 60 MeV, 4 limits down to 0.1088>",
    "scan": "<Scan: coherent-csi-2017, C_S -0.08 to 0.08, a_M -0.001 to 0.001, 2 × 31 × 21 points, chi2 from 2.8",
    "contours": "<Contours: delta chi2 <= 4.605, 1 piece, area ",
    "line": "31 points",
    "toys": "of 50 toys>",
    "best fit": "<BestFit: chi2 = ",
    "feldman-cousins": "<FeldmanCousins: 3 points of C_S, 1 allowed, 50 toys each>",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_says_what_it_is(every, kind):
    assert KINDS[kind] in repr(every[kind])
    assert len(repr(every[kind])) < 200 and "\n" not in repr(every[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_notebooks_get_a_table_and_a_picture(every, kind):
    text = every[kind]._repr_html_()
    page = minidom.parseString(text)  # well-formed
    assert page.getElementsByTagName("table") and len(text) < 40_000
    drawn = set(KINDS) - {"simulated", "best fit"}
    pictures = page.getElementsByTagName("svg")
    assert bool(pictures) == (kind in drawn)
    for each in pictures:
        marks = each.getElementsByTagName("path") + each.getElementsByTagName("g")
        assert marks and "nan" not in each.toxml()


def test_names_are_no_markup():
    experiment = CSI.replace(name="<script>", description="a & b")
    assert "<script>" not in experiment._repr_html_() and "a &amp; b" in experiment._repr_html_()


def test_an_interaction_says_how_it_was_made():
    for each in (NEW, cf.VectorMediator(m_chi=np.float64(1.0), m_zprime=10.0, case="B"), cf.NSI(eps_emu_d=0.1j)):
        assert eval(repr(each), vars(cf) | {"SingletEFT": cf.SingletEFT}) == each
        assert "np." not in repr(each)


# --- limits -----------------------------------------------------------------------------------------------


def test_a_curve_knows_what_it_is_of(curve):
    assert curve.masses.tolist() == list(MASSES) and curve.mass == "m_chi"
    assert (curve.couplings, curve.experiments, curve.level) == (("C_V",), ("coherent-csi-2017",), "90% CL")
    assert curve.cl == pytest.approx(0.90, rel=1e-12)
    assert all(type(value) is str and "np." not in value for value in curve.provenance.values())


def test_the_mass_that_varies_is_the_one():
    batch = [cf.ScalarMediator(1.0, m) for m in (1.0, 10.0)]
    assert cf.limit_scan(CSI, batch, "y_bar").mass == "m_S"
    assert cf.limit_scan(CSI, NEW, "C_V").masses.tolist() == [10.0]
    light = cf.limit_scan(CSI, cf.NSI(), "eps_ee_u")
    assert light.masses is None and "interaction" in light.to_xarray().dims


def test_a_curve_as_a_table(curve):
    frame, dataset = curve.to_pandas(), curve.to_xarray()
    assert frame["upper"].tolist() == curve.upper.tolist() and frame.index.tolist() == list(MASSES)
    assert float(dataset["upper"].sel(m_chi=20.0)) == curve.upper[1]
    assert dataset["allowed"].sel(m_chi=20.0).values[0].tolist() == curve.intervals[1][0].tolist()


@pytest.mark.parametrize("masses", [MASSES, (5.0, 5.0)])
def test_a_curve_is_kept(masses, tmp_path):
    curve = cf.limit_scan(CSI, [cf.SingletEFT(m_chi=m, C_S=i * 0.05) for i, m in enumerate(masses)], "C_V")
    again = cf.open_limits(curve.save(tmp_path / "curve.nc"))
    for name in ("upper", "best_fit", "chi2_min"):
        np.testing.assert_array_equal(getattr(again, name), getattr(curve, name))
    assert again.masses is None if curve.masses is None else again.masses.tolist() == curve.masses.tolist()
    for one, other in zip(again.intervals, curve.intervals, strict=True):
        np.testing.assert_array_equal(one, other)
    same = ("coupling", "mass", "delta_chi2", "provenance")
    assert [getattr(again, name) for name in same] == [getattr(curve, name) for name in same]
    with pytest.raises(FileExistsError):
        curve.save(tmp_path / "curve.nc")


def test_a_changed_curve_is_refused(curve, scan, tmp_path):
    xarray = pytest.importorskip("xarray")
    with xarray.open_dataset(curve.save(tmp_path / "curve.nc"), engine="h5netcdf", decode_cf=False) as opened:
        dataset = opened.load()
    dataset["upper"][0] *= 1.0001
    dataset.to_netcdf(tmp_path / "changed.nc", engine="h5netcdf")
    with pytest.raises(ValueError, match="checksum"):
        cf.open_limits(tmp_path / "changed.nc")
    with pytest.raises(ValueError, match="no limits"):
        cf.open_limits(scan.save(tmp_path / "scan.nc"))
    with pytest.raises(ValueError, match="no chi2"):
        cf.open_scan(tmp_path / "curve.nc")


def test_curves_travel(curve):
    again = pickle.loads(pickle.dumps(curve))
    assert again.provenance == curve.provenance and again.masses.tolist() == curve.masses.tolist()


def test_a_scan_over_masses_is_labelled_by_them(scan, tmp_path):
    dataset = scan.to_xarray()
    assert dataset["chi2"].dims == ("m_chi", "C_S", "a_M")
    assert scan.to_pandas().index.names == ["m_chi", "C_S", "a_M"]
    again = cf.open_scan(scan.save(tmp_path / "scan.nc"))
    np.testing.assert_array_equal(again.chi2, scan.chi2)
    assert again.masses.tolist() == [10.0, 40.0]
    assert "np." not in scan.provenance["interactions"]


# --- figures ----------------------------------------------------------------------------------------------


@pytest.fixture
def axes():
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'cevns_fast[plot]'")
    from matplotlib.figure import Figure

    return Figure().subplots()


def test_an_experiment_is_drawn_in_the_users_axes(axes):
    assert CSI.plot(axes, interaction=NEW, color="red") is axes
    labels = axes.get_legend_handles_labels()[1]
    assert {"Standard Model", "SingletEFT", "with SingletEFT", "prompt neutrons", "steady state"} < set(labels)
    from matplotlib.patches import StepPatch

    heights = {patch.get_label(): patch.get_data().values for patch in axes.findobj(StepPatch)}
    np.testing.assert_allclose(heights["Standard Model"], cf.event_rate(CSI, cf.StandardModel()))
    np.testing.assert_allclose(heights["with SingletEFT"], cf.event_rate(CSI, NEW))
    assert axes.containers[0].lines[0].get_color() == "red"


def test_counts_are_per_unit_where_bins_differ(axes):
    from matplotlib.patches import StepPatch

    conus = cf.load("conus-100kg")
    uneven = conus.replace(bins=(0.1, 0.2, 0.4, 1.0), steady_state=cf.BackgroundRate(1.0))
    uneven.plot(axes)
    assert axes.get_ylabel() == "counts per keV" and axes.get_xlabel() == "recoil energy [keV]"
    heights = next(p for p in axes.findobj(StepPatch) if p.get_label() == "Standard Model").get_data().values
    np.testing.assert_allclose(heights * [0.1, 0.2, 0.6], cf.event_rate(uneven, cf.StandardModel()))


def test_bins_that_are_left_out_leave_gaps(axes):
    from matplotlib.patches import StepPatch

    CSI.mask([3]).plot(axes)
    heights = next(p for p in axes.findobj(StepPatch) if p.get_label() == "Standard Model").get_data().values
    assert np.flatnonzero(np.isnan(heights)).tolist() == [3]


def test_residuals(axes):
    CSI.plot(axes, residuals=True)
    like = cf.Likelihood(CSI.replace(signal_uncertainty=0.0, backgrounds=()))
    y = CSI.replace(backgrounds=()).plot(axes, residuals=True).containers[-1].lines[0].get_ydata()
    assert np.sum(np.square(y)) == pytest.approx(like.chi2(cf.StandardModel()), rel=1e-12)


def test_a_curve_is_drawn(axes, curve):
    curve.plot(axes, color="C3", label="mine")
    curve.plot(axes, filled=True)
    line = axes.get_lines()[0]
    assert line.get_color() == "C3" and axes.get_yscale() == "log"
    np.testing.assert_array_equal(line.get_ydata(), np.where(np.isfinite(curve.upper), curve.upper, np.nan))
    assert axes.get_legend_handles_labels()[1] == ["mine", "coherent-csi-2017, 90% CL"]
    with pytest.raises(ValueError, match="masses"):
        cf.limit_scan(CSI, cf.NSI(), "eps_ee_u").plot(axes)


def test_expected_limits_are_bands(axes, curve):
    factors = np.array([0.6, 0.8, 1.0, 1.3, 1.7])[:, None]
    replace(curve, expected=curve.upper * factors).plot(axes)
    assert axes.get_legend_handles_labels()[1][-1] == "expected, 1σ and 2σ"
    outer = axes.collections[0].get_paths()[0].vertices[:, 1]
    finite = curve.upper[np.isfinite(curve.upper)]
    assert np.nanmin(outer) == pytest.approx(0.6 * finite.min()) and np.nanmax(outer) == pytest.approx(
        1.7 * finite.max()
    )


def test_a_scan_is_drawn(axes, scan, every):
    scan.plot(axes, levels=(0.9,), interaction=1)
    assert axes.get_legend_handles_labels()[1] == ["90% CL", "best fit"]
    extents = axes.patches[0].get_path().get_extents()
    ring = np.concatenate([each.points for each in scan.contours(0.9, interaction=1).rings])
    assert extents.max[0] == pytest.approx(ring[:, 0].max())
    from matplotlib.figure import Figure

    line = every["line"].plot(Figure().subplots(), color="C1")
    assert line.get_lines()[0].get_ydata().min() == every["line"].delta_chi2.min()
    assert {each.get_text() for each in line.texts} == {"68% CL", "90% CL", "95% CL"}


def test_toys_are_drawn(axes, every):
    assert every["toys"].plot(axes) is axes and axes.get_xlabel().startswith("minimal")
    from matplotlib.figure import Figure

    along = every["feldman-cousins"].plot(Figure().subplots())
    np.testing.assert_array_equal(along.get_lines()[1].get_ydata(), every["feldman-cousins"].critical)


def test_settings_stay_the_users(curve):
    pytest.importorskip("matplotlib")
    import matplotlib

    with matplotlib.rc_context({"font.size": 17.0, "axes.linewidth": 3.0}):
        from matplotlib.figure import Figure

        axes = curve.plot(Figure().subplots())
        assert axes.xaxis.label.get_size() == 17.0 and axes.spines["left"].get_linewidth() == 3.0


def test_nothing_of_it_is_imported_before_it_is_used():
    code = (
        "import sys, cevns_fast as cf; repr(cf.load('coherent-csi-2017')._repr_html_()); "
        "print([m for m in ('matplotlib', 'xarray', 'pandas', 'cevns_fast.output') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert run.stdout.strip() == "[]"
