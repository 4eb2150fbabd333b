"""Planes with a mass axis: against scans at single masses, in either order, profiled, kept."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pytest
from cases import quick_are

import cevns_fast as cf
from cevns_fast.experiments.sources import FluxComponent

CSI = cf.load("coherent-csi-2017")
MASSES, DIPOLES = np.linspace(2.0, 60.0, 9), np.linspace(-1e-3, 1e-3, 11)


@pytest.mark.parametrize("statistic", ["gaussian", "poisson"])
def test_rows_are_scans_at_their_mass(statistic):
    plane = cf.correlation_scan(CSI, cf.SingletEFT, ("m_chi", "a_M"), MASSES, DIPOLES, statistic=statistic)
    assert plane.couplings == ("m_chi", "a_M") and plane.chi2.shape == (9, 11)
    for i in (0, 4, 8):
        one = cf.SingletEFT(m_chi=MASSES[i])
        alone = cf.correlation_scan(CSI, one, ("a_M",), DIPOLES, statistic=statistic)
        assert plane.chi2[i] == pytest.approx(alone.chi2, rel=1e-8)
    turned = cf.correlation_scan(CSI, cf.SingletEFT(5.0), ("a_M", "m_chi"), DIPOLES, MASSES, statistic=statistic)
    np.testing.assert_array_equal(turned.chi2, plane.chi2.T)
    assert plane.chi2_min[0] <= plane.chi2.min()
    assert set(plane.best_fit) == {"m_chi", "a_M"}


def test_profiled_and_fixed_couplings():
    given = dict(fixed={"C_V": 0.05}, profile=("C_S",))
    plane = cf.correlation_scan(CSI, cf.SingletEFT, ("m_chi", "a_M"), [5.0, 20.0], DIPOLES, **given)
    fit = cf.Likelihood(CSI, model=cf.SingletEFT(20.0, C_V=0.05), parameters=("a_M", "C_S"))
    alone = [cf.best_fit(fit, fixed={"a_M": a_M}).chi2 for a_M in DIPOLES]
    assert plane.chi2[1] == pytest.approx(alone, rel=1e-7)
    same = cf.correlation_scan(
        CSI, cf.SingletEFT(5.0, C_V=0.05), ("m_chi", "a_M"), [5.0, 20.0], DIPOLES, profile=("C_S",)
    )
    np.testing.assert_array_equal(plane.chi2, same.chi2)


def test_contours_files_executors(tmp_path):
    x, y = np.linspace(2.0, 45.0, 60), np.linspace(-1.2e-3, 1.2e-3, 61)
    plane = cf.correlation_scan(CSI, cf.SingletEFT, ("m_chi", "a_M"), x, y, threads=2, checkpoint=tmp_path / "kept")
    region = plane.contours(0.90)
    assert region.area > 0 and region.clipped  # every mass allows small couplings
    with ThreadPoolExecutor(2) as executor:
        again = cf.correlation_scan(CSI, cf.SingletEFT, ("m_chi", "a_M"), x, y, executor=executor)
    np.testing.assert_array_equal(again.chi2, plane.chi2)
    resumed = cf.correlation_scan(CSI, cf.SingletEFT, ("m_chi", "a_M"), x, y, checkpoint=tmp_path / "kept")
    np.testing.assert_array_equal(resumed.chi2, plane.chi2)
    plane.save(tmp_path / "plane.nc")
    read = cf.open_scan(tmp_path / "plane.nc")
    np.testing.assert_array_equal(read.chi2, plane.chi2)
    assert read.couplings == ("m_chi", "a_M") and read.masses is None
    assert {k: float(v[0]) for k, v in read.best_fit.items()} == {k: float(v[0]) for k, v in plane.best_fit.items()}


# --- any one parameter that is no coupling -----------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """Muon neutrinos of pions at rest alone: oscillations of one energy are cheap."""

    fluence_per_exposure: float = CSI.source.fluence_per_exposure
    exposure_unit: str = CSI.source.exposure_unit
    components: tuple[FluxComponent, ...] = (FluxComponent("nu_mu", False, lines=((29.79, 1.0),)),)


def with_radius(radius):
    return CSI.replace(form_factor=replace(CSI.detector.form_factor, neutron_radius=radius))


def oscillated(source, **numbers):
    given = {"delta_m2": 2.0, "Umu4_sq": 0.2, "distance": 19.3} | numbers
    return CSI.replace(source=cf.OscillatedSource(source, **given))


def of_field(model, name):
    """Pointwise: an interaction with other fields, on the same data."""
    return lambda x, c: cf.Likelihood(CSI).chi2(model.replace(**{name[0]: x, name[1]: c}))


SCALAR, VECTOR = cf.ScalarMediator(10.0, 50.0), cf.VectorMediator(10.0, 50.0, loops=False)
BL, EFT, NSI = cf.LightVector(30.0, charges="B-L"), cf.SingletEFT(10.0), cf.NSI()
PLANES = {  # experiment, model, names, axes, χ² at a point
    "m_S, y_bar": (CSI, SCALAR, ("m_S", "y_bar"), [5.0, 60.0], [0.0, 2e-4], None),
    "m_S, y_n": (CSI, SCALAR.replace(y_chi=1e-4), ("m_S", "y_n"), [5.0, 60.0], [-4e-3, 2e-3], None),
    "m_chi, y_n": (CSI, SCALAR.replace(y_chi=1e-4), ("m_chi", "y_n"), [2.0, 30.0], [-4e-3, 2e-3], None),
    "m_zprime, gchi_gq": (CSI, VECTOR, ("m_zprime", "gchi_gq"), [5.0, 60.0], [0.0, 1e-7], None),
    "m_zprime, g": (CSI, BL, ("m_zprime", "g"), [5.0, 80.0], [-1e-4, 2e-4], None),
    "mixing, g": (CSI, cf.LightVector(30.0, charges="Lmu-Ltau"), ("mixing", "g"), [-0.5, 0.5], [-1e-3, 2e-3], None),
    "neutron_radius, C_S": (
        CSI, EFT, ("neutron_radius", "C_S"), [4.6, 5.4], [0.0, 0.03],
        lambda x, c: cf.Likelihood(with_radius(x)).chi2(EFT.replace(C_S=c)),
    ),
    "neutron_radius, sin2_theta_w": (
        CSI, cf.StandardModel(), ("neutron_radius", "sin2_theta_w"), [4.6, 5.4], [0.1, 0.3],
        lambda x, c: cf.Likelihood(with_radius(x)).chi2(cf.StandardModel(c)),
    ),
    "sin2_theta_w, C_S": (
        CSI, EFT, ("sin2_theta_w", "C_S"), [0.1, 0.3], [0.0, 0.03],
        lambda x, c: cf.Likelihood(CSI, standard_model=cf.StandardModel(x)).chi2(EFT.replace(C_S=c)),
    ),
    "sin2_theta_w, eps_ee_u": (
        CSI, NSI, ("sin2_theta_w", "eps_ee_u"), [0.1, 0.3], [-0.2, 0.3],
        lambda x, c: cf.Likelihood(CSI, standard_model=cf.StandardModel(x)).chi2(NSI.replace(eps_ee_u=c)),
    ),
    "delta_m2, C_S": (
        oscillated(Line()), EFT, ("delta_m2", "C_S"), [0.5, 3.0], [0.0, 0.03],
        lambda x, c: cf.Likelihood(oscillated(Line(), delta_m2=x)).chi2(EFT.replace(C_S=c)),
    ),
    "delta_m2, eps_mumu_u": (
        oscillated(Line()), NSI, ("delta_m2", "eps_mumu_u"), [0.5, 3.0], [-0.2, 0.3],
        lambda x, c: cf.Likelihood(oscillated(Line(), delta_m2=x)).chi2(NSI.replace(eps_mumu_u=c)),
    ),
    "Umu4_sq, eps_mumu_u": (
        oscillated(Line()), NSI, ("Umu4_sq", "eps_mumu_u"), [0.0, 0.4], [-0.2, 0.3],
        lambda x, c: cf.Likelihood(oscillated(Line(), Umu4_sq=x)).chi2(NSI.replace(eps_mumu_u=c)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", quick_are(PLANES, *range(0, len(PLANES), 2)))
def test_every_point_is_the_interaction_there(case, tmp_path):
    """On the grid and off it, either axis, best fit, contour and file."""
    experiment, model, names, x, y, chi2 = PLANES[case]
    chi2 = chi2 or of_field(model, names)
    x, y = np.linspace(*x, 24), np.linspace(*y, 25)
    plane = cf.correlation_scan(experiment, model, names, x, y)
    for i, j in ((0, 0), (5, 20), (16, 3), (23, 24)):
        assert plane.chi2[i, j] == pytest.approx(chi2(x[i], y[j]), rel=1e-8)
    turned = cf.correlation_scan(experiment, model, names[::-1], y, x)
    np.testing.assert_array_equal(turned.chi2, plane.chi2.T)
    best = [float(plane.best_fit[name][0]) for name in names]
    assert plane.chi2_min[0] <= plane.chi2.min() and x[0] <= best[0] <= x[-1]
    assert plane.chi2_min[0] == pytest.approx(chi2(*best), rel=1e-8)
    level = float(np.median(plane.delta_chi2))
    region = plane.contours(delta_chi2=level)
    assert plane.area(delta_chi2=level) == region.area > 0
    assert turned.area(delta_chi2=level) == pytest.approx(region.area, rel=2e-3)
    rim = np.concatenate([ring.points for ring in region.rings])
    inner = rim[np.all((rim > [x[0], y[0]]) & (rim < [x[-1], y[-1]]), axis=1)]
    for a, b in inner[:: max(1, len(inner) // 3)]:
        assert chi2(a, b) - plane.chi2_min[0] == pytest.approx(level, rel=0.06)
    read = cf.open_scan(plane.save(tmp_path / "plane.nc"))
    np.testing.assert_array_equal(read.chi2, plane.chi2)
    assert read.couplings == names and read.best_fit.keys() == plane.best_fit.keys()
    unit = {"m": "MeV", "n": "fm", "d": "eV²"}.get(case[0], "1") if case[:3] != "mix" else "1"
    assert plane.to_xarray()[names[0]].attrs["units"] == unit and plane.to_xarray()[names[1]].attrs["units"] == "1"


@pytest.mark.slow
@pytest.mark.parametrize("case", ["m_S, y_bar", "neutron_radius, C_S", "sin2_theta_w, eps_ee_u"])
def test_poisson_planes_and_toys(case):
    experiment, model, names, x, y, _ = PLANES[case]
    x, y = np.linspace(*x, 3), np.linspace(*y, 4)
    plane = cf.correlation_scan(experiment, model, names, x, y, statistic="poisson")
    fit = cf.Likelihood(
        experiment, statistic="poisson", model=model, parameters=names, bounds={names[0]: (x[0], x[-1])}
    )
    assert plane.chi2[1, 2] == fit([x[1], y[2]])
    toys = cf.feldman_cousins_map(fit, names, x, y, toys=50)
    np.testing.assert_allclose(toys.chi2, plane.chi2, rtol=1e-9)
    assert toys.nuisances == {name: pytest.approx(value) for name, value in plane.nuisances.items()}


@pytest.mark.slow
def test_oscillations_of_a_whole_spectrum():
    x, y = [0.6, 1.0, 1.6], [-0.2, 0.1, 0.3]
    plane = cf.correlation_scan(
        oscillated(CSI.source, distance=None), NSI, ("delta_m2", "eps_mumu_u"), x, y, profile=("eps_ee_u",)
    )
    there = cf.Likelihood(oscillated(CSI.source, distance=None, delta_m2=1.6), model=NSI,
                          parameters=("eps_mumu_u", "eps_ee_u"))  # fmt: skip
    assert plane.chi2[2, 1] == pytest.approx(cf.best_fit(there, fixed={"eps_mumu_u": 0.1}).chi2, rel=1e-7)


def test_nuisances_are_in_the_units_of_every_scan():
    alone = cf.correlation_scan(CSI, EFT, ("C_S",), [0.0, 0.01]).nuisances
    plane = cf.correlation_scan(CSI, EFT, ("neutron_radius", "C_S"), [4.7, 4.8], [0.0, 0.01]).nuisances
    assert plane.keys() == alone.keys() and plane["alpha"][0] == pytest.approx(alone["alpha"][0], abs=0.1)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"couplings": ("m_chi", "a_m")}, "a_m"),
        ({"couplings": ("m_chi", "m_chi")}, "m_chi"),
        ({"fixed": {"m_chi": 5.0}}, "fixed: 'm_chi' is among the parameters"),
        ({"fixed": {"C_W": 5.0}}, "C_W"),
        ({"couplings": ("delta_m2", "a_M"), "fixed": {"m_chi": 5.0}}, "'delta_m2' is of an OscillatedSource"),
        ({"couplings": ("m_chi", "neutron_radius")}, "at most one of"),
        ({"interaction": cf.SingletEFT(5.0), "couplings": ("C_S", "a_M"), "fixed": {"C_V": 1.0}}, "fixed = "),
    ],
)
def test_refusals(changes, message):
    arguments = dict(interaction=cf.SingletEFT, couplings=("m_chi", "a_M")) | changes
    options = {name: arguments.pop(name) for name in list(arguments) if name == "fixed"}
    with pytest.raises(ValueError, match=message):
        cf.correlation_scan(CSI, arguments["interaction"], arguments["couplings"], [5.0, 6.0], [0.0, 1e-3], **options)
