"""Arrays that mean more than their numbers are refused, and numpy's numbers are numbers."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast import _validate as validate

CSI = cf.load("coherent-csi-2017")
EFT = cf.SingletEFT(m_chi=10.0)
CESIUM = cf.nuclide("Cs133")


class WithUnit(np.ndarray):
    """As astropy's Quantity is: an array with a unit beside it."""

    unit = "keV"


class Magnitude:
    """As pint's Quantity is: no array, but something that numpy turns into one without a word."""

    units = "kiloelectron_volt"

    def __init__(self, values):
        self.values = np.asarray(values)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype=dtype)


def masked(values):
    array = np.ma.masked_array(values, mask=False)
    array[(0,) * array.ndim] = np.ma.masked
    return array


MEANINGFUL = {
    "masked": (masked, "has masked entries"),
    "unit": (lambda x: np.asarray(x).view(WithUnit), "has the unit 'keV'"),
    "units": (Magnitude, "has the unit 'kiloelectron_volt'"),
    "in a list": (lambda x: [Magnitude(each) for each in np.atleast_1d(x)], "has the unit 'kiloelectron_volt'"),
    "masked in a list": (lambda x: [*np.atleast_1d(x)[:-1], np.ma.masked], "has masked entries"),
}


@pytest.fixture(scope="module")
def fit():
    return cf.Likelihood(CSI, model=EFT, parameters=("C_V", "alpha"))


def spectrum(values):
    """A source whose spectrum is a user's function that returns `values` of ones."""
    component = cf.FluxComponent("nu", False, lambda E: values(np.ones_like(E)), (1.0, 50.0))
    return SourceOf((component,))


class SourceOf(SimpleNamespace):
    """Anything with these three fields is a source; hashed by identity."""

    __hash__ = object.__hash__

    def __init__(self, components):
        super().__init__(components=components, fluence_per_exposure=1e6, exposure_unit="days")


X = np.linspace(1.0, 12.0, 12)
# Where users' arrays come in: each is called with something that makes an array meaningful.
DOORS = {
    "observed": lambda a: CSI.replace(observed=a(X)),
    "steady_state": lambda a: CSI.replace(steady_state=a(X)),
    "background": lambda a: cf.Background("b", a(X), 0.1),
    "bins": lambda a: CSI.replace(bins=a(np.append(CSI.detector.bins, 100.0))),
    "mask": lambda a: CSI.mask(a(np.arange(12) > 3)),
    "bins to mask": lambda a: CSI.mask(a(np.arange(3))),
    "grid": lambda a: cf.correlation_scan(CSI, EFT, ("C_S",), a(X)),
    "out": lambda a: cf.correlation_scan(CSI, EFT, ("C_S",), X, out=a(np.empty(12))),
    "points": lambda a: cf.feldman_cousins(cf.Likelihood(CSI, model=EFT, parameters=("C_V",)), {"C_V": a(X)}, toys=50),
    "counts": lambda a: cf.Likelihood(CSI).chi2_of_counts(a(X)),
    "counts of two": lambda a: cf.Likelihood([CSI, CSI]).chi2_of_counts([X, a(X)]),
    "nuisances of counts": lambda a: cf.Likelihood(CSI).nuisances_of_counts([a(X)]),
    "T of a cross section": lambda a: cf.differential_cross_section(EFT, CESIUM, 30.0, a(X)),
    "E of a cross section": lambda a: cf.differential_cross_section(EFT, CESIUM, a(X), 0.01),
    "T of a spectrum": lambda a: cf.recoil_spectrum(CSI, EFT, a(X)),
    "recoil_range": lambda a: cf.recoil_range(a(X), 1.0, 1e5),
    "minimum_neutrino_energy": lambda a: cf.minimum_neutrino_energy(a(X), 0.0, 1e5),
    "helm_form_factor": lambda a: cf.helm_form_factor(CESIUM, a(X)),
    "form factor": lambda a: cf.HelmFormFactor().proton(CESIUM, a(X)),
    "point nucleus": lambda a: cf.PointNucleus().proton(CESIUM, a(X)),
    "loop_functions": lambda a: cf.loop_functions(a(X), 1.0),
    "F_G": lambda a: cf.F_G(a(X), 100.0, 1.0),
    "table x": lambda a: cf.Table(a(X), tuple(X)),
    "table y": lambda a: cf.Table(tuple(X), a(X)),
    "table": lambda a: cf.Table(tuple(X), tuple(X))(a(X)),
    "acceptance": lambda a: cf.LogisticAcceptance(0.6, 0.4, 10.0, 2.0)(a(X)),
    "mean": lambda a: CSI.detector.response.mean(a(X)),
    "accept": lambda a: CSI.detector.response.accept(a(X)),
    "bin_response": lambda a: CSI.detector.bin_response(a(X)),
    "energies": lambda a: cf.TabulatedSpectrum(a(X), tuple(X)),
    "values": lambda a: cf.TabulatedSpectrum(tuple(X), a(X)),
    "uncertainty": lambda a: cf.TabulatedSpectrum(tuple(X), tuple(X), uncertainty=a(X)),
    "spectrum": lambda a: cf.TabulatedSpectrum(tuple(X), tuple(X))(a(X)),
    "reactor": lambda a: cf.load("conus-4kg").source.spectrum(a(X)),
    "breakpoints": lambda a: cf.FluxComponent("nu", False, np.ones_like, a(X)),
    "what an acceptance returns": lambda a: cf.Response(1.0, acceptance=lambda x: a(np.ones_like(x))).accept(X),
    "what a quenching returns": lambda a: cf.Response(1.0, quenching=lambda T: a(np.ones_like(T))).mean(X),
    "what a spectrum returns": lambda a: cf.event_rate(CSI.replace(source=spectrum(a)), cf.StandardModel()),
}  # fmt: skip
OF_THETA = {
    "fit": lambda fit, a: fit(a([0.1, 0.2])),
    "log_likelihood": lambda fit, a: fit.log_likelihood(a([0.1, 0.2])),
    "log_likelihood of many": lambda fit, a: fit.log_likelihood(a([[0.1, 0.2]])),
    "batch": lambda fit, a: fit.batch(a([[0.1, 0.2]])),
    "gradient": lambda fit, a: fit.gradient(a([0.1, 0.2])),
    "hessian": lambda fit, a: fit.hessian(a([0.1, 0.2])),
    "value_and_gradient": lambda fit, a: fit.value_and_gradient(a([0.1, 0.2])),
    "pulls": lambda fit, a: fit.pulls(a([0.1, 0.2])),
    "counts": lambda fit, a: fit.counts(a([0.1, 0.2])),
    "start": lambda fit, a: cf.scipy_problem(fit, start=a([0.1, 0.2])),
    "cube": lambda fit, a: cf.prior_transform(fit, {"C_V": (0, 1)})(a([0.1, 0.2])),
    "posterior": lambda fit, a: cf.prior_transform(fit, {"C_V": (0, 1)}).log_likelihood(a([0.1, 0.2])),
    "prior": lambda fit, a: cf.prior_transform(fit, {"C_V": a([0.1, 0.2])}),
    "samples": lambda fit, a: cf.to_inference_data(fit, a(np.zeros((2, 3, 2)))),
    "ln L of samples": lambda fit, a: cf.to_inference_data(fit, np.zeros((2, 3, 2)), a(np.zeros((2, 3)))),
}


@pytest.mark.parametrize("kind", MEANINGFUL)
@pytest.mark.parametrize("door", DOORS)
def test_meaning_is_not_stripped(door, kind):
    make, message = MEANINGFUL[kind]
    if door == "out" and kind != "masked" and kind != "unit":
        pytest.skip("no array")
    if door in ("mask", "bins to mask"):
        message = "must be numbers of bins"
    with pytest.raises(ValueError, match=re.escape(message)):
        DOORS[door](make)


@pytest.mark.parametrize("kind", MEANINGFUL)
@pytest.mark.parametrize("door", OF_THETA)
def test_meaning_of_parameters_is_not_stripped(fit, door, kind):
    make, message = MEANINGFUL[kind]
    if door == "prior" and "in a list" in kind:
        message = "must be"  # a pair of its own checks
    with pytest.raises(ValueError, match=re.escape(message)):
        OF_THETA[door](fit, make)


class Number(float):
    """A number with a unit, as some packages have it: float() takes it without a word."""

    unit = "GeV"


class Zero(np.ndarray):
    """An array of one number, with pint's name of the attribute: float() takes it as well."""

    units = "GeV"


OF_NUMBERS = {
    "mass of χ": lambda n: cf.SingletEFT(m_chi=n(0.01)),
    "coupling": lambda n: cf.SingletEFT(m_chi=10.0, C_V=n(0.1)),
    "coupling of quarks": lambda n: cf.SingletEFT(m_chi=10.0, C_V=(n(0.1), 0.1)),
    "mediator": lambda n: cf.ScalarMediator(m_chi=1.0, m_S=n(1.0), y_bar=1e-5),
    "detector's mass": lambda n: CSI.replace(mass=n(14.6)),
    "distance": lambda n: cf.PionDecayAtRest(distance=n(19.3)),
    "exposure": lambda n: CSI.replace(exposure=n(1e23)),
    "uncertainty": lambda n: cf.Background("b", X, n(0.1)),
    "energy": lambda n: cf.recoil_range(n(30.0), 1.0, 1e5),
    "level": lambda n: cf.limit_scan(CSI, EFT, "C_V", cl=n(0.9)),
    "bounds": lambda n: cf.Likelihood(CSI, model=EFT, parameters=("C_V",), bounds={"C_V": (0.0, n(1.0))}),
    "fit": lambda n: cf.Likelihood(CSI, model=EFT, parameters=("C_V",))([n(0.1)]),
    "batch": lambda n: cf.Likelihood(CSI, model=EFT, parameters=("C_V",)).batch([[n(0.1)]]),
    "gradient": lambda n: cf.Likelihood(CSI, model=EFT, parameters=("C_V",)).gradient([n(0.1)]),
    "fixed": lambda n: cf.correlation_scan(CSI, cf.SingletEFT, ("m_chi", "C_V"), X, X, fixed={"C_S": n(0.1)}),
    "points": lambda n: cf.feldman_cousins(
        cf.Likelihood(CSI, model=EFT, parameters=("C_V",)), {"C_V": n(0.1)}, toys=50
    ),
}


@pytest.mark.parametrize("door", OF_NUMBERS)
@pytest.mark.parametrize(
    "number",
    [Number, lambda x: np.array(x).view(Zero), lambda x: np.ma.masked],
    ids=["a kind of float", "an array of no dimension", "masked"],
)
def test_meaning_of_numbers_is_not_stripped(door, number):
    with pytest.raises(ValueError, match=r"has the unit 'GeV'|has masked entries|must be"):
        OF_NUMBERS[door](number)


def test_what_means_nothing_more_is_taken():
    for each in (np.ma.masked_array(X), X.astype(np.float32).astype(">f8"), X.tolist(), tuple(X), range(1, 13)):
        assert validate.array("x", each).tolist() == X.tolist()
    dimensionless = X.view(WithUnit)
    for unit in ("", "1", "dimensionless", None):
        dimensionless.unit = unit
        assert validate.array("x", dimensionless).tolist() == X.tolist()


def test_packages_that_have_units():
    xarray = pytest.importorskip("xarray", reason="xarray is not installed: pip install 'cevns_fast[scan]'")
    with pytest.raises(ValueError, match="T: has the unit 'keV'"):
        cf.recoil_spectrum(CSI, EFT, xarray.DataArray(X, attrs={"units": "keV"}))
    plain = xarray.DataArray(X, attrs={"units": "1"})
    assert cf.recoil_spectrum(CSI, EFT, plain).tolist() == cf.recoil_spectrum(CSI, EFT, X).tolist()


def test_astropy():
    units = pytest.importorskip("astropy.units", reason="astropy is not installed")
    for values in (X * units.keV, [1.0 * units.keV, 2.0 * units.keV], 3.0 * units.keV):
        with pytest.raises(ValueError, match="has the unit 'keV'"):
            cf.recoil_spectrum(CSI, EFT, values)


def test_pint():
    pint = pytest.importorskip("pint", reason="pint is not installed")
    with pytest.raises(ValueError, match="has the unit 'kiloelectron_volt'"):
        cf.recoil_spectrum(CSI, EFT, X * pint.UnitRegistry().keV)


class Tensor:
    """As torch's tensors that ask for a gradient: numpy gets none."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad")


def test_what_refuses_to_be_an_array():
    for call in (
        lambda: cf.recoil_spectrum(CSI, EFT, Tensor()),
        lambda: cf.Likelihood(CSI, model=EFT, parameters=("C_V",))(Tensor()),
        lambda: CSI.replace(observed=Tensor()),
    ):
        with pytest.raises(ValueError, match="must be real numbers"):
            call()


# --- numpy's integers are integers ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8])
def test_integers_of_numpy(kind):
    fit = cf.Likelihood(CSI, model=EFT, parameters=("C_V",))
    toys = cf.feldman_cousins(fit, {"C_V": 0.05}, toys=kind(50), seed=kind(3), threads=kind(2)).toy_delta_chi2
    assert toys.tolist() == cf.feldman_cousins(fit, {"C_V": 0.05}, toys=50, seed=3).toy_delta_chi2.tolist()
    points = cf.starting_points(fit, kind(3), seed=kind(3))
    assert points.tolist() == cf.starting_points(fit, 3, seed=3).tolist()
    assert cf.goodness_of_fit(fit, toys=kind(50), seed=kind(1)).toy_chi2.size == 50
    assert cf.limit_scan(CSI, [EFT] * 3, "C_V", threads=kind(2)).upper.size == 3
    assert cf.event_rate(CSI, EFT, threads=kind(1)).tolist() == cf.event_rate(CSI, EFT).tolist()
    cf.set_num_threads(kind(1))
    assert cf.get_num_threads() == 1
    cf.set_num_threads(None)


@pytest.mark.parametrize("value", [True, np.True_, 1.0, np.float64(50), "50", None, -1, 0])
def test_other_numbers_are_no_integers(value):
    fit = cf.Likelihood(CSI, model=EFT, parameters=("C_V",))
    for call in (
        lambda: cf.feldman_cousins(fit, {"C_V": 0.05}, toys=value),
        lambda: cf.starting_points(fit, value),
        lambda: cf.event_rate(CSI, EFT, threads=value),
    ):
        with pytest.raises(ValueError, match=re.escape(f"= {value!r}: must be a whole number")):
            call()
