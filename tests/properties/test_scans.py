"""Correlation scans against χ² point by point, in long double, and the printed Fig. 4 of Chang & Liao."""

import sys

import numpy as np
import pytest
from cases import crossed

import cevns_fast as cf
from cevns_fast.inference import correlation
from cevns_fast.inference.scan_result import Minima, Scan

EFT = cf.SingletEFT(m_chi=40.0)
LD = np.longdouble
BOUNDS = {
    "C_S": 0.036,
    "a_M": 7.5e-4,
    "C_T": 0.65,
    "C_V": 0.3,
    "C_S_u": 0.05,
    "C_S_d": 0.05,
    "C_V_u": 0.5,
    "C_V_d": 0.5,
}


@pytest.fixture(scope="module")
def lar():
    return cf.load("coherent-lar-610kg")


@pytest.fixture(scope="module")
def predicted(csi):
    return csi.replace(variance="prediction", shape_uncertainty=0.01)


def grid(name, n=7, reach=1.5):
    return np.linspace(-reach, 1.1 * reach, n) * BOUNDS[name]


def point_by_point(experiments, interaction, couplings, axes, phases=None):
    """χ² of each grid point by way of the interaction itself."""
    like, phases = cf.Likelihood(experiments), phases or {}
    result = np.empty([len(axis) for axis in axes])
    for index in np.ndindex(result.shape):
        changes = {}
        for name, axis, i in zip(couplings, axes, index, strict=True):
            field, _, quark = name.rpartition("_") if name[-2:] in ("_u", "_d") else (name, "", "")
            value = axis[i] * phases.get(name, 1.0)
            if quark:
                pair = list(changes.get(field, np.broadcast_to(getattr(interaction, field), 2)))
                pair["ud".index(quark)] = value
                value = tuple(pair)
            changes[field] = value
        result[index] = like.chi2(interaction.replace(**changes))
    return result


CASES = {
    "published": (cf.SingletEFT(40.0, variant="published"), ("C_S", "a_M"), {}),
    "interference with V": (EFT, ("C_V", "C_S"), {}),
    "one coupling": (EFT, ("C_T",), {}),
    "three couplings": (EFT, ("C_S", "C_T", "a_M"), {}),
    "single quarks": (EFT, ("C_S_u", "C_S_d"), {}),
    "one quark, the other fixed": (cf.SingletEFT(40.0, C_S=(0.0, 0.01)), ("C_S_u", "a_M"), {}),
    "others fixed": (cf.SingletEFT(40.0, C_V=0.1, C_T=-0.2, a_E=2e-4), ("C_S", "a_M"), {}),
    "others complex": (cf.SingletEFT(40.0, C_V=0.1j, D_P=0.01), ("C_S", "a_M"), {}),
    "phases": (cf.SingletEFT(40.0, C_V=0.1 + 0.1j), ("C_S", "a_M"), {"C_S": np.exp(0.7j)}),
    "left-handed": (cf.SingletEFT(40.0, helicity="left"), ("C_S", "a_M"), {}),
}


@pytest.mark.parametrize(("case", "which"), crossed(list(CASES), ["csi", "joint", "predicted", "joint with predicted"]))
def test_point_by_point(csi, lar, predicted, case, which):
    experiments = {"csi": csi, "joint": [csi, lar], "predicted": predicted, "joint with predicted": [lar, predicted]}[
        which
    ]
    interaction, couplings, phases = CASES[case]
    axes = [grid(name, 5) for name in couplings]
    scan = cf.correlation_scan(experiments, interaction, couplings, *axes, phases=phases)
    expected = point_by_point(experiments, interaction, couplings, axes, phases)
    np.testing.assert_allclose(scan.chi2, expected, rtol=1e-9, atol=1e-9)
    assert np.all(scan.chi2_min <= scan.chi2.min() + 1e-12)
    assert np.all(scan.delta_chi2 >= -1e-12)


def long_double_chi2(experiments, interaction, couplings, points):
    """χ² from the experiment's own numbers and the templates, in long double: nothing is shared with the library."""
    total = np.zeros(len(points), LD)
    for experiment in experiments:
        made = cf.templates(experiment, interaction, couplings)
        standard_model = cf.event_rate(experiment, cf.StandardModel()).astype(LD)
        n = np.broadcast_to(standard_model, (len(points), experiment.n_bins)).copy()
        for pair, values in zip(made.pairs, made.values, strict=True):
            n += np.prod([points[:, couplings.index(p)].astype(LD) for p in pair], axis=0)[:, None] * values.astype(LD)
        beam = sum((b.counts.astype(LD) for b in experiment.backgrounds), np.zeros(experiment.n_bins, LD))
        d = standard_model if experiment.observed is None else experiment.observed.astype(LD) - beam
        steady = experiment.steady_state_counts(standard_model.astype(float)).astype(LD)
        seen = n if experiment.variance == "prediction" else np.broadcast_to(d + beam, n.shape)
        variance = seen + LD(experiment.steady_state_weight) * steady + beam
        variance += (LD(experiment.shape_uncertainty) * (seen + steady)) ** 2
        pulls = [LD(b.uncertainty) * b.counts.astype(LD) for b in experiment.backgrounds if b.uncertainty > 0]
        for k in range(len(points)):
            w = 1 / np.sqrt(variance[k])
            basis = []  # orthonormal columns with their unit penalty, by Gram–Schmidt, twice
            for i, pull in enumerate(pulls):
                column = np.concatenate([pull * w, np.eye(len(pulls), dtype=LD)[i]])
                for q in basis * 2:
                    column = column - q * (q @ column)
                basis.append(column / np.sqrt(column @ column))
            D, N = (np.concatenate([each * w, np.zeros(len(pulls), LD)]) for each in (d, n[k]))
            for q in basis * 2:
                D, N = D - q * (q @ D), N - q * (q @ N)
            sigma2 = LD(experiment.signal_uncertainty) ** 2
            s = (sigma2 * (D @ N) + 1) / (sigma2 * (N @ N) + 1)
            total[k] += np.sum((D - s * N) ** 2) + ((s - 1) ** 2 / sigma2 if sigma2 > 0 else 0)
    return total


@pytest.mark.parametrize("which", ["csi", "joint", "predicted", "future CONUS"])
@pytest.mark.parametrize(
    "couplings", [("C_S", "a_M"), ("C_V", "a_M"), ("C_S_u", "C_S_d"), ("C_V_u", "C_V_d")], ids="-".join
)
def test_long_double(csi, lar, predicted, which, couplings):
    """From 10⁻³ to 10⁶ times the bound, along interferences and nearly degenerate directions.

    The future CONUS's |d|² of 10⁷ leaves the fewest digits to spare.
    """
    experiments = {
        "csi": [csi],
        "joint": [csi, lar],
        "predicted": [predicted],
        "future CONUS": [cf.load("conus-100kg")],
    }[which]
    interaction = cf.SingletEFT(4.0) if which == "future CONUS" else EFT
    steps = np.concatenate([-np.geomspace(1e6, 1e-3, 10), np.geomspace(1e-3, 1e6, 10)])
    axes = [steps * BOUNDS[name] for name in couplings]
    scan = cf.correlation_scan(experiments, interaction, couplings, *axes)
    points = np.stack([g.ravel() for g in np.meshgrid(*axes, indexing="ij")], axis=1)
    expected = long_double_chi2(experiments, interaction, couplings, points).reshape(scan.chi2.shape)
    error = np.max(np.abs(scan.chi2 - expected) / np.maximum(1, expected))
    assert error < 1e-12


def test_masses_and_planes(csi):
    """A list of interactions is a stack of planes."""
    axes = grid("C_S", 6), grid("a_M", 9)
    efts = [cf.SingletEFT(m) for m in (1.0, 20.0, 40.0, 60.0)]
    stack = cf.correlation_scan(csi, efts, ("C_S", "a_M"), *axes)
    assert stack.chi2.shape == (4, 6, 9) and np.array_equal(stack.masses, [1, 20, 40, 60])
    for i, eft in enumerate(efts):
        plane = cf.correlation_scan(csi, eft, ("C_S", "a_M"), *axes)
        assert np.array_equal(stack.chi2[i], plane.chi2)
        assert stack.chi2_min[i] == plane.chi2_min[0] and stack.best_fit["C_S"][i] == plane.best_fit["C_S"][0]
        assert np.array_equal(stack.delta_chi2[i], plane.delta_chi2)
    assert np.ptp(stack.chi2[3]) == 0  # above threshold
    alone = cf.correlation_scan(csi, [efts[1]], ("C_S", "a_M"), *axes)
    assert alone.chi2.shape == (1, 6, 9)


def test_best_fit_is_off_the_grid_and_below_it(csi, lar):
    """Where data prefer a coupling, the minimum found is that of a search from the interaction itself."""
    from scipy import optimize

    excess = lar.replace(observed=cf.event_rate(lar, EFT.replace(C_S=0.03, C_T=0.3)))
    axes = np.linspace(-0.05, 0.06, 12), np.linspace(-0.7, 0.6, 10)
    scan = cf.correlation_scan([csi, excess], EFT, ("C_S", "C_T"), *axes)
    like = cf.Likelihood([csi, excess])
    at = {name: float(value[0]) for name, value in scan.best_fit.items()}
    assert like.chi2(EFT.replace(**at)) == pytest.approx(scan.chi2_min[0], rel=1e-10)
    found = optimize.minimize(
        lambda x: like.chi2(EFT.replace(C_S=x[0] * 0.03, C_T=x[1] * 0.3)), [1.0, 1.0], method="Nelder-Mead",
        options={"xatol": 1e-8, "fatol": 1e-12},
    )  # fmt: skip
    assert scan.chi2_min[0] <= found.fun + 1e-9 and scan.chi2_min[0] < scan.chi2.min()
    assert abs(at["C_S"]) == pytest.approx(abs(found.x[0] * 0.03), rel=1e-3)
    nuisances = like.nuisances(EFT.replace(**at))
    assert nuisances.keys() == scan.nuisances.keys()
    for name, value in nuisances.items():
        assert scan.nuisances[name][0] == pytest.approx(value, rel=1e-6)


def test_best_fit_with_predicted_variance(predicted):
    scan = cf.correlation_scan(predicted, EFT, ("C_S", "C_T"), grid("C_S", 9), grid("C_T", 8))
    at = {name: float(value[0]) for name, value in scan.best_fit.items()}
    like = cf.Likelihood(predicted)
    assert like.chi2(EFT.replace(**at)) == pytest.approx(scan.chi2_min[0], rel=1e-10)
    for name in at:
        for step in (1e-3, -1e-3):
            assert like.chi2(EFT.replace(**{**at, name: at[name] + step * BOUNDS[name]})) >= scan.chi2_min[0] - 1e-9


@pytest.fixture(scope="module")
def figure_4(csi):
    """The three planes of CL Fig. 4, CsI part."""
    eft = cf.SingletEFT(m_chi=40.0, variant="published")
    reach = {"C_S": 0.06, "a_M": 1.3e-3, "C_T": 1.1}
    planes = [("C_S", "a_M"), ("C_S", "C_T"), ("a_M", "C_T")]
    return {p: cf.correlation_scan(csi, eft, p, *(np.linspace(-reach[c], reach[c], 601) for c in p)) for p in planes}


def test_figure_4_correlations(figure_4):
    correlations = {plane: scan.correlation(delta_chi2=4.61) for plane, scan in figure_4.items()}
    assert correlations["C_S", "a_M"] == pytest.approx(-0.41, abs=0.02)
    assert abs(correlations["C_S", "C_T"]) < 1e-3 and abs(correlations["a_M", "C_T"]) < 1e-3


@pytest.mark.parametrize(("coupling", "printed"), [("a_M", 7.5e-4), ("C_S", 3.6e-2), ("C_T", 0.65)])
def test_figure_4_intercepts(figure_4, coupling, printed):
    for plane, scan in figure_4.items():
        if coupling in plane:
            k = plane.index(coupling)
            axis, line = scan.axes[k], np.moveaxis(scan.delta_chi2, k, 0)[:, 300]
            assert scan.axes[1 - k][300] == pytest.approx(0.0, abs=1e-12)
            outside = np.argmax((line > 4.61) & (axis > 0))
            intercept = np.interp(4.61, line[outside - 1 : outside + 1], axis[outside - 1 : outside + 1])
            assert intercept == pytest.approx(printed, rel=0.03)


def synthetic(function, x=None, y=None, minimum=0.0):
    x = np.linspace(-2.0, 2.0, 161) if x is None else x
    y = np.linspace(-1.5, 1.5, 181) if y is None else y
    chi2 = function(*np.meshgrid(x, y, indexing="ij"))
    found = Minima(np.array([minimum]), {"a": np.zeros(1)}, {"alpha": np.zeros(1)})
    return Scan(("a", "b"), (x, y), chi2, found, None, {"couplings": "a, b"})


def test_an_ellipse():
    """Area, correlation and boundary of a Gaussian χ² with correlation 0.6."""
    rho, sx, sy = 0.6, 0.3, 0.2
    scan = synthetic(lambda x, y: ((x / sx) ** 2 - 2 * rho * x * y / sx / sy + (y / sy) ** 2) / (1 - rho**2))
    region = scan.contours(delta_chi2=4.0)
    assert len(region.rings) == 1 and not region.rings[0].hole and not region.clipped
    points = region.rings[0].points
    assert np.array_equal(points[0], points[-1])
    assert region.area == pytest.approx(np.pi * 4.0 * sx * sy * np.sqrt(1 - rho**2), rel=2e-3)
    assert scan.area(delta_chi2=4.0) == region.area
    assert np.abs(points[:, 0]).max() == pytest.approx(2 * sx, rel=5e-3)
    assert scan.correlation(delta_chi2=4.0) == pytest.approx(rho, abs=5e-3)
    assert scan.contours(cl=0.90).level == pytest.approx(4.605170185988092)


def test_correlation_does_not_depend_on_the_spacing_of_the_grid():
    uneven = np.sinh(np.linspace(-2, 2, 401)) / 2
    scan = synthetic(lambda x, y: (x + y) ** 2 / 0.5 + (x - y) ** 2 / 0.1, x=uneven, y=np.linspace(-1.5, 1.5, 301))
    even = synthetic(lambda x, y: (x + y) ** 2 / 0.5 + (x - y) ** 2 / 0.1)
    assert scan.correlation(delta_chi2=1.0) == pytest.approx(even.correlation(delta_chi2=1.0), abs=5e-3)


def test_a_ring_has_a_hole():
    scan = synthetic(lambda x, y: 100 * (np.hypot(x, y) - 1.0) ** 2)
    region = scan.contours(delta_chi2=4.0)  # 0.8 <= r <= 1.2
    assert sorted(ring.hole for ring in region.rings) == [False, True]
    assert region.area == pytest.approx(np.pi * (1.2**2 - 0.8**2), rel=2e-3)
    for ring in region.rings:
        assert np.hypot(*ring.points.T) == pytest.approx(0.8 if ring.hole else 1.2, rel=5e-3)
        assert np.array_equal(ring.points[0], ring.points[-1])


def test_a_clipped_region_follows_the_edge():
    scan = synthetic(lambda x, y: x**2 + 0 * y)
    region = scan.contours(delta_chi2=0.25)
    assert region.clipped and len(region.rings) == 1
    assert region.area == pytest.approx(3.0, rel=1e-9)


def test_separate_and_empty_regions():
    two = synthetic(lambda x, y: 40 * ((np.abs(x) - 1.0) ** 2 + y**2)).contours(delta_chi2=1.0)
    assert [ring.hole for ring in two.rings] == [False, False]
    empty = synthetic(lambda x, y: 9.0 + x**2 + y**2)
    assert empty.contours(delta_chi2=1.0).rings == () and empty.area(delta_chi2=1.0) == 0
    assert np.isnan(empty.correlation(delta_chi2=1.0))


def test_infinite_chi2_is_outside():
    """The boundary is where the finite values end."""
    scan = synthetic(lambda x, y: np.where(x > 0.21, np.inf, 4 * (x**2 + y**2)))
    region = scan.contours(delta_chi2=1.0)
    cut = 0.25 * np.arccos(0.4) - 0.2 * np.sqrt(0.21)  # beyond x = 0.2, of a circle of radius 1/2
    assert len(region.rings) == 1 and region.area == pytest.approx(np.pi / 4 - cut, rel=2e-3)


def test_round_trip(csi, tmp_path):
    scan = cf.correlation_scan(
        csi, [EFT, cf.SingletEFT(20.0)], ("C_S", "a_M"), grid("C_S"), grid("a_M"), profile=("C_T",)
    )
    again = cf.open_scan(scan.save(tmp_path / "scan.nc"))
    assert list(tmp_path.iterdir()) == [tmp_path / "scan.nc"]
    assert again.couplings == scan.couplings and again.provenance == scan.provenance
    for name in ("chi2", "chi2_min", "masses"):
        assert np.array_equal(getattr(again, name), getattr(scan, name))
    for one, other in zip(again.axes, scan.axes, strict=True):
        assert np.array_equal(one, other)
    for name in ("best_fit", "nuisances"):
        one, other = getattr(again, name), getattr(scan, name)
        assert one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)
    single = cf.correlation_scan(csi, EFT, ("C_S",), grid("C_S"))
    again = cf.open_scan(single.save(tmp_path / "scan.nc", overwrite=True))
    assert np.array_equal(again.chi2, single.chi2) and again.masses is None
    assert np.array_equal(again.chi2_min, single.chi2_min)


def test_dataset(csi):
    dataset = cf.correlation_scan(csi, [EFT], ("C_S", "a_M"), grid("C_S", 4), grid("a_M", 5)).to_xarray()
    assert dataset["chi2"].dims == ("m_chi", "C_S", "a_M") and dataset["m_chi"].attrs["units"] == "MeV"
    for name in dataset.variables:
        assert "units" in dataset[name].attrs
    attributes = dataset.attrs
    assert attributes["cevns_fast_version"] == cf.__version__ and attributes["experiments"] == "coherent-csi-2017"
    assert "sha256" in attributes["templates"] and "4 from" in attributes["grid of C_S"]


@pytest.mark.parametrize("content", [b"", b"not netCDF at all"])
def test_open_scan_refuses_other_files(tmp_path, content):
    with pytest.raises(FileNotFoundError, match="no such file"):
        cf.open_scan(tmp_path / "missing.nc")
    (tmp_path / "x.nc").write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.nc'?: is not a saved scan"):
        cf.open_scan(tmp_path / "x.nc")


@pytest.mark.parametrize(
    ("missing", "call"),
    [
        ("contourpy", lambda s, p: s.contours(cl=0.9)),
        ("xarray", lambda s, p: s.to_xarray()),
        ("xarray", lambda s, p: cf.open_scan(p)),
        ("h5netcdf", lambda s, p: s.save(p)),
        ("h5netcdf", lambda s, p: cf.open_scan(p)),
        ("tqdm", lambda s, p: cf.correlation_scan(s, EFT, ("C_S",), [0.0, 1.0], progress=True)),
    ],
)
def test_missing_packages_name_the_extra(csi, monkeypatch, tmp_path, missing, call):
    scan = csi if missing == "tqdm" else synthetic(lambda x, y: x**2 + y**2)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r"pip install 'cevns_fast\[scan\]'"):
        call(scan, tmp_path / "scan.nc")


def test_out(csi, tmp_path):
    axes = grid("C_S", 40), grid("a_M", 30)
    expected = cf.correlation_scan(csi, EFT, ("C_S", "a_M"), *axes)
    out = np.full((40, 30), np.nan)
    scan = cf.correlation_scan(csi, EFT, ("C_S", "a_M"), *axes, out=out)
    assert scan.chi2 is out and np.array_equal(out, expected.chi2)
    with pytest.raises(
        ValueError, match=r"out = float64\[30, 40\]: must be a C-contiguous float64 array of shape \(40, 30\)"
    ):
        cf.correlation_scan(csi, EFT, ("C_S", "a_M"), *axes, out=out.T)
    out.setflags(write=False)
    with pytest.raises(ValueError, match="read-only"):
        cf.correlation_scan(csi, EFT, ("C_S", "a_M"), *axes, out=out)
    shifted = np.frombuffer(bytearray(8 * 1200 + 1), dtype=np.float64, offset=1).reshape(40, 30)
    with pytest.raises(ValueError, match="out: begins in the middle of a number"):
        cf.correlation_scan(csi, EFT, ("C_S", "a_M"), *axes, out=shifted)


def test_a_cube_streams_into_a_memory_map(csi, tmp_path):
    axes = grid("C_S", 40), grid("C_T", 40), grid("a_M", 40)
    mapped = np.lib.format.open_memmap(tmp_path / "cube.npy", mode="w+", dtype=np.float64, shape=(40, 40, 40))
    scan = cf.correlation_scan(csi, EFT, ("C_S", "C_T", "a_M"), *axes, out=mapped, threads=2)
    mapped.flush()
    cube = np.load(tmp_path / "cube.npy")
    assert scan.chi2 is mapped and np.array_equal(cube, mapped)
    for k in (0, 17, 39):
        plane = cf.correlation_scan(csi, EFT.replace(C_S=axes[0][k]), ("C_T", "a_M"), *axes[1:])
        np.testing.assert_allclose(cube[k], plane.chi2, rtol=1e-11)


def test_larger_than_memory_is_refused_before_anything_is_done(csi, monkeypatch):
    monkeypatch.setattr(correlation, "_available_memory", lambda: 1000.0)
    monkeypatch.setattr(correlation, "total_polynomial", lambda *a, **k: pytest.fail("computed"))
    monkeypatch.setattr(np, "empty", lambda *a, **k: pytest.fail("allocated"))
    with pytest.raises(MemoryError, match="memory map"):
        cf.correlation_scan(csi, EFT, ("C_S", "a_M"), grid("C_S", 2000), grid("a_M", 2100))


def test_memory_beyond_the_result(csi):
    """tracemalloc sees numpy's buffers: nothing near the size of the result is allocated besides it."""
    import tracemalloc

    axes, out = (grid("C_S", 1500), grid("a_M", 2000)), np.empty((1500, 2000))
    cf.correlation_scan(csi, EFT, ("C_S", "a_M"), *axes, out=out)
    tracemalloc.start()
    try:
        cf.correlation_scan(csi, EFT, ("C_S", "a_M"), *axes, out=out, threads=2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < out.nbytes / 10


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"couplings": "C_S"}, "one to three names"),
        ({"couplings": ("C_S", "a_M", "C_T", "C_V")}, "one to three names"),
        ({"couplings": ("C_S", "C_S")}, "named once"),
        ({"couplings": ("C_S", "a_m")}, "did you mean 'a_M'"),
        ({"axes": ([0.0, 1.0],)}, "1 grids are given for 2 couplings"),
        ({"axes": ([0.0, 1.0], [1.0, 0.0])}, "grid of a_M = .*increasing"),
        ({"axes": ([0.0, 1.0], [1.0, np.nan])}, "grid of a_M = .*nan.*: must be finite"),
        ({"profile": "C_T"}, "sequence of names"),
        ({"profile": ("C_S",)}, "named once"),
        ({"phases": {"C_S": 2.0}}, "modulus 1"),
        ({"phases": {"C_V": 1j}}, "phases = 'C_V'"),
        ({"threads": 0}, "threads = 0"),
        ({"out": [1.0]}, "out = "),
        ({"out": np.zeros(33, np.uint8)[1:].view(np.float64).reshape(2, 2)}, "out: .*aligned"),
        ({"progress": 3}, "progress = 3"),
        ({"executor": 3}, "executor = 3"),
        ({"interaction": [EFT, cf.StandardModel()]}, "of one kind"),
    ],
    ids=str,
)
def test_bad_arguments(csi, changes, message):
    given = {"interaction": EFT, "couplings": ("C_S", "a_M"), "axes": ([0.0, 1.0], [0.0, 1.0])} | changes
    interaction, couplings, axes = given.pop("interaction"), given.pop("couplings"), given.pop("axes")
    with pytest.raises(ValueError, match=message):
        cf.correlation_scan(csi, interaction, couplings, *axes, **given)


def test_regions_need_a_plane(csi):
    with pytest.raises(ValueError, match="exactly two"):
        cf.correlation_scan(csi, EFT, ("C_S",), grid("C_S")).contours(cl=0.9)
    with pytest.raises(ValueError, match="exactly one"):
        synthetic(lambda x, y: x**2 + y**2).contours()
