"""Reactor spectra and spectra of one's own: integrals, joins, what they never do, and what files make of them."""

import math
import pickle
from itertools import pairwise

import numpy as np
import pytest
from accuracy import error, slow_counts
from scipy import integrate

import cevns_fast as cf
from cevns_fast.experiments import spectra
from cevns_fast.experiments.sources import endpoint_of

BROKDORF = cf.Reactor(thermal_power=3.9, distance=17.0)
KOPEIKIN = cf.Reactor(total_flux=1e13, low_energy="kopeikin", high_energy="kopeikin", endpoint=9.0)
MIXED = cf.Reactor(total_flux=1e13, low_energy="kopeikin")


def integral(function, breakpoints):
    """∫ between breakpoints."""
    return sum(integrate.quad(function, a, b, epsabs=0, epsrel=1e-12)[0] for a, b in pairwise(breakpoints))


# --- the numbers of the literature and of the papers -------------------------------------------------------


@pytest.mark.parametrize(
    ("reactor", "per_fission"), [(BROKDORF, 5.61), (KOPEIKIN, 6.67), (MIXED, 6.68)], ids=["VE+HM", "K", "K+HM"]
)
def test_antineutrinos_per_fission(reactor, per_fission):
    assert reactor.antineutrinos_per_fission == pytest.approx(per_fission, abs=0.005)
    by_hand = integral(lambda E: float(reactor.spectrum(E)), reactor.breakpoints)
    assert reactor.antineutrinos_per_fission == pytest.approx(by_hand, rel=1e-12)


def test_flux_of_brokdorf():
    """3.9 GW at 17 m: 1.83e13 /cm²/s."""
    assert BROKDORF.flux == pytest.approx(1.83e13, rel=2e-3)
    fissions = 3.9e9 / (205.8 * 1.602176634e-13)
    assert BROKDORF.flux == pytest.approx(fissions * BROKDORF.antineutrinos_per_fission / (4 * math.pi * 1700**2))
    assert BROKDORF.fluence_per_exposure == BROKDORF.flux * 86400
    stated = cf.Reactor(total_flux=2.5e13)
    assert (stated.flux, stated.exposure_unit) == (2.5e13, "days")


def test_footnote_8_of_chang_and_liao():
    """56.5% of the antineutrinos above 2 MeV are below 3 MeV; their mean energy is 3.105 MeV."""
    total = integral(lambda E: float(BROKDORF.spectrum(E)), (2.0, 8.0))
    below_3 = integral(lambda E: float(BROKDORF.spectrum(E)), (2.0, 3.0))
    energy = integral(lambda E: E * float(BROKDORF.spectrum(E)), (2.0, 8.0))
    assert below_3 / total == pytest.approx(0.565, abs=5e-4)
    assert energy / total == pytest.approx(3.105, abs=5e-4)


@pytest.mark.parametrize(
    ("model", "isotope", "at_2", "at_5", "at_8"),
    [  # Huber's Tables and Mueller's, ν̄/(fission MeV); the fits are within about 10% of them
        ("huber-mueller", "U235", 1.32, 0.110, 0.00162),
        ("huber-mueller", "Pu239", 1.08, 0.0613, 0.000587),
        ("huber-mueller", "Pu241", 1.26, 0.0974, 0.00106),
        ("huber-mueller", "U238", 1.48, 0.183, 0.00384),
        ("mueller", "U235", 1.31, 0.109, 0.00149),
        ("mueller", "Pu239", 1.13, 0.0615, 0.000491),
        ("mueller", "Pu241", 1.27, 0.0959, 0.000963),
    ],
)
def test_fits_follow_the_tables_they_were_made_of(model, isotope, at_2, at_5, at_8):
    alone = cf.Reactor(total_flux=1.0, high_energy=model, fission_fractions={isotope: 1.0})
    assert alone.spectrum([2.0, 5.0]) == pytest.approx([at_2, at_5], rel=0.07)
    assert alone.spectrum(8.0) == pytest.approx(at_8, rel=0.20)


def test_below_2_MeV_the_tables_rule():
    alone = cf.Reactor(total_flux=1.0, fission_fractions={"U238": 1.0})
    assert alone.spectrum([0.0625, 0.75, 1.25]) == pytest.approx([0.65, 2.96, (2.75 + 1.97) / 2], rel=1e-14)
    # Kopeikin: straight lines, and a step in the middle of each pair of points, here 0.435 and 0.440 MeV.
    assert MIXED.spectrum([0.435, 0.4374, 0.4376, 0.44, 0.6]) == pytest.approx([4.39, 4.39, 2.84, 2.84, 3.085])
    assert KOPEIKIN.spectrum([3.75, 9.0]) == pytest.approx([0.336, 8.31e-5])


@pytest.mark.parametrize("reactor", [BROKDORF, KOPEIKIN, MIXED], ids=["VE+HM", "K", "K+HM"])
def test_nothing_is_ever_continued(reactor):
    first, end = reactor.breakpoints[0], reactor.endpoint
    outside = [0.0, 1e-6, first * (1 - 1e-12), end * (1 + 1e-12), 20.0, 1e3]
    assert np.all(reactor.spectrum(outside) == 0)
    assert np.all(reactor.spectrum(np.linspace(first, end, 1000)) > 0)
    # The fits' values below 2 MeV would be many times those of the tables.
    assert float(reactor.spectrum(1.999)) < 1.1 * float(reactor.spectrum(2.0))
    assert max(reactor.spectrum(np.linspace(0.01, 2.0, 500))) < 7.0


def test_the_spectrum_ends_where_it_is_told():
    short = cf.Reactor(total_flux=1.0, endpoint=7.5)
    assert short.spectrum([7.5, 7.500001]).tolist() == [float(BROKDORF.spectrum(7.5)), 0.0]
    assert short.breakpoints[-1] == endpoint_of(short) == 7.5
    assert short.antineutrinos_per_fission < BROKDORF.antineutrinos_per_fission


def test_components():
    (component,) = BROKDORF.components
    assert component.antineutrino and component.lines == () and component.name == "anti_nu_e"
    assert integral(lambda E: float(component.spectrum(E)), component.breakpoints) == pytest.approx(1.0, rel=1e-12)
    assert component.breakpoints[-2:] == (2.0, 8.0)


def test_reactors_are_values():
    again = cf.Reactor(thermal_power=3.9, distance=17.0, fission_fractions=dict(BROKDORF.fission_fractions))
    assert again == BROKDORF and hash(again) == hash(BROKDORF)
    assert pickle.loads(pickle.dumps(BROKDORF)) == BROKDORF
    spectrum = pickle.loads(pickle.dumps(BROKDORF.components[0])).spectrum
    assert float(spectrum(3.0)) == float(BROKDORF.components[0].spectrum(3.0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "thermal_power, distance, total_flux = None, None, None: must be both"),
        ({"thermal_power": 3.9}, "must be both thermal_power and distance, or total_flux alone"),
        ({"thermal_power": 3.9, "distance": 17.0, "total_flux": 1e13}, "or total_flux alone"),
        ({"thermal_power": 3.9, "distance": -17.0}, "distance = -17.0: must be a finite number > 0"),
        ({"total_flux": math.inf}, "total_flux = inf"),
        ({"total_flux": 1.0, "endpoint": 8.5}, r"endpoint = 8.5: must be > 2 and <= 8 MeV"),
        ({"total_flux": 1.0, "endpoint": 9.5, "high_energy": "kopeikin"}, "endpoint = 9.5: must be > 2 and <= 9"),
        ({"total_flux": 1.0, "endpoint": 2.0}, "endpoint = 2.0: must be > 2"),
        ({"total_flux": 1.0, "high_energy": "huber"}, "high_energy = 'huber': did you mean 'huber-mueller'"),
        ({"total_flux": 1.0, "low_energy": "vogel"}, "low_energy = 'vogel': did you mean 'vogel-engel'"),
        ({"total_flux": 1.0, "fission_fractions": {"U235": 0.9}}, "must add up to 1"),
        ({"total_flux": 1.0, "fission_fractions": {"U236": 1.0}}, "fission_fractions = 'U236': did you mean"),
        ({"total_flux": 1.0, "fission_fractions": {"U235": 1.1, "U238": -0.1}}, "U238 = -0.1"),
        ({"total_flux": 1.0, "energy_per_fission": 0.0}, "energy_per_fission = 0.0"),
    ],
)
def test_bad_reactors(arguments, message):
    with pytest.raises(ValueError, match=message):
        cf.Reactor(**arguments)


# --- a spectrum of one's own -------------------------------------------------------------------------------

STEP = cf.TabulatedSpectrum((0.3, 1.0, 1.0, 4.0, 8.0), (3.0, 2.0, 1.0, 0.2, 0.001), "log", (0.1, 0.1, 0.02, 0.02, 0.05))


def test_interpolation():
    linear = cf.TabulatedSpectrum((1.0, 2.0, 2.0, 4.0), (1.0, 3.0, 8.0, 0.0))
    assert linear([0.99, 1.0, 1.5, 2.0, 3.0, 4.0, 4.01]).tolist() == [0.0, 1.0, 2.0, 8.0, 4.0, 0.0, 0.0]
    assert linear.breakpoints == (1.0, 2.0, 4.0)
    assert STEP([0.65, 2.5]) == pytest.approx([math.sqrt(6.0), math.sqrt(0.2)], rel=1e-14)
    assert STEP(0.999999) == pytest.approx(2.0, rel=1e-5) and float(STEP(1.0)) == 1.0


@pytest.mark.parametrize("spectrum", [STEP, spectra.kopeikin(), cf.TabulatedSpectrum((1, 2, 3), (2, 2, 2.1), "log")])
def test_integral(spectrum):
    by_hand = integral(lambda E: float(spectrum(E)), spectrum.breakpoints)
    assert spectrum.integral == pytest.approx(by_hand, rel=1e-12)


def test_uncertainty_of_the_integral():
    assert cf.TabulatedSpectrum((1.0, 2.0), (1.0, 5.0), uncertainty=0.07).integral_uncertainty == pytest.approx(0.07)
    apart = cf.TabulatedSpectrum((1.0, 2.0, 2.0, 3.0), (1.0, 1.0, 3.0, 3.0), uncertainty=(0.1, 0.1, 0.02, 0.02))
    assert apart.integral_uncertainty == pytest.approx((0.1 * 1 + 0.02 * 3) / 4)


def test_uncertainty_of_kopeikin():
    """7% of 4.03 antineutrinos below 1.19 MeV, 5% of 1.06 up to 2 MeV, 3% of 1.58 above."""
    assert spectra.kopeikin().integral_uncertainty == pytest.approx(0.057, abs=5e-4)


def test_neutrinos_and_antineutrinos_of_a_table():
    """The interference of dipole and scalar changes its sign."""
    eft = cf.SingletEFT(m_chi=2.5, a_M=1e-6, C_S=3e-4)
    conus = cf.load("conus-100kg")
    counts = {}
    for antineutrino in (False, True):
        source = cf.TabulatedSource(STEP, 1e13, antineutrino, species="nu")
        assert [(c.name, c.antineutrino) for c in source.components] == [("nu", antineutrino)]
        new = conus.replace(source=source)
        counts[antineutrino] = cf.event_rate(new, eft, standard_model=False)
        squares = [cf.event_rate(new, eft.replace(**{c: 0.0}), standard_model=False) for c in ("a_M", "C_S")]
        counts[antineutrino] = (counts[antineutrino] - sum(squares)).sum()
    assert counts[False] == pytest.approx(-counts[True], rel=1e-9) and counts[False] < 0


def test_a_table_that_repeats_a_reactor_gives_its_counts():
    """Enough points of Huber and Mueller, interpolated logarithmically, are Huber and Mueller."""
    conus = cf.load("conus-4kg")
    E = np.linspace(2.0, 8.0, 2401)
    fine = cf.TabulatedSpectrum(tuple(E), tuple(BROKDORF.spectrum(E)), "log")
    flux = 2.5e13 * fine.integral / BROKDORF.antineutrinos_per_fission
    counts = cf.event_rate(conus.replace(source=cf.TabulatedSource(fine, flux)), cf.StandardModel())
    assert counts == pytest.approx(cf.event_rate(conus, cf.StandardModel()), rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((1.0,), (1.0,)), "energies = "),
        (((-0.1, 1.0), (1.0, 1.0)), "energies = "),
        (((2.0, 1.0), (1.0, 1.0)), "energies = "),
        (((1.0, 1.0, 2.0), (1.0, 1.0, 1.0)), "repeated once, inside"),
        (((1.0, 2.0, 2.0, 2.0, 3.0), (1.0,) * 5), "repeated once, inside"),
        (((1.0, 2.0), (1.0, 1.0, 1.0)), "values: has 3 entries, must have 2"),
        (((1.0, 2.0), (-1.0, 1.0)), r"values = .*-1.0.*: must be finite and >= 0"),
        (((1.0, 2.0), (0.0, 0.0)), "values: must not all be 0"),
        (((1.0, 2.0), (0.0, 1.0), "log"), "values = 0: must be > 0 for a logarithmic"),
        (((1.0, 2.0), (1.0, 1.0), "cubic"), "interpolation = 'cubic'"),
        (((1.0, 2.0), (1.0, 1.0), "linear", (0.1,)), "uncertainty: has 1 entries, must have 2"),
        (((1.0, 2.0), (1.0, 1.0), "linear", -0.1), "uncertainty = -0.1"),
    ],
)
def test_bad_spectra(arguments, message):
    with pytest.raises(ValueError, match=message):
        cf.TabulatedSpectrum(*arguments)


def test_bad_tabulated_sources():
    with pytest.raises(ValueError, match="spectrum = 3: must be a TabulatedSpectrum"):
        cf.TabulatedSource(3)
    with pytest.raises(ValueError, match=r"total_flux = 0\.0"):
        cf.TabulatedSource(STEP, 0.0)
    with pytest.raises(ValueError, match="antineutrino = 1"):
        cf.TabulatedSource(STEP, antineutrino=1)


# --- fast and slow -----------------------------------------------------------------------------------------

GERMANIUM = cf.Target("Ge74", (cf.nuclide("Ge74"),), (1.0,))


def reactor_experiment(source, bins):
    nothing = np.zeros(len(bins) - 1)
    return cf.load("conus-100kg").replace(source=source, bins=bins, target=GERMANIUM, steady_state=nothing)


@pytest.mark.parametrize(
    "source",
    [BROKDORF, KOPEIKIN, cf.TabulatedSource(STEP), cf.TabulatedSource(STEP, antineutrino=False)],
    ids=["reactor", "kopeikin", "table", "neutrinos"],
)
@pytest.mark.parametrize(
    "interaction",
    [
        cf.StandardModel(),
        cf.SingletEFT(m_chi=2.5, a_M=1e-6, C_S=1e-4, C_V=0.02, C_T=0.01),
        cf.ScalarMediator(m_chi=1.0, m_S=5.0, y_bar=1e-5),
    ],
    ids=lambda i: type(i).__name__,
)
def test_fast_equals_slow(source, interaction):
    """The accuracy of docs/validation.md, in narrow bins and in one that holds nearly everything."""
    experiment = reactor_experiment(source, (0.01, 0.1, 0.15, 2.5))
    assert error(experiment, interaction, standard_model=False) < 1
    assert slow_counts(experiment, interaction)[0].min() > 0


# --- from files --------------------------------------------------------------------------------------------

TABULATED = """
name = "mine"
description = "a test"
exposure_days = 100.0

[source]
type = "tabulated"
file = "flux.csv"
energy_column = "E"
energy_unit = "keV"
value_column = "phi"
value_per = "MeV"
interpolation = "log"
uncertainty = "error"

[detector]
material = "Ge"
composition = { Ge = 1 }
mass_kg = 1.0
bins = [0.2, 0.4, 1.0]

[data]
simulated = { sin2_theta_w = 0.2386 }

[steady_state]
per_day_keV_kg = 2.0

[uncertainty]
signal = "source"
"""


@pytest.fixture
def written(tmp_path):
    """A function that writes the file above, with replacements, and loads it."""

    def write(**changes):
        text = TABULATED
        for old, new in changes.items():
            text = text.replace(old, new)
        (tmp_path / "mine.toml").write_text(text)
        points = ("2000,1e12,0.1", "5000,1e11,0.1", "5000,1e10,0.2", "8000,1e9,0.2")
        (tmp_path / "flux.csv").write_text("\n".join(("# test", "E,phi,error", *points)))
        return cf.load(tmp_path / "mine.toml")

    return write


def test_tabulated_source_of_a_file(written):
    experiment = written()
    source = experiment.source
    assert source.spectrum.energies == (2.0, 5.0, 5.0, 8.0) and source.spectrum.interpolation == "log"
    assert source.antineutrino and source.total_flux is None
    assert 0.1 < experiment.signal_uncertainty < 0.2
    assert experiment.signal_uncertainty == source.flux_uncertainty
    assert experiment.simulated_truth == cf.StandardModel(0.2386) and experiment.observed is None
    assert experiment.steady_state == cf.BackgroundRate(2.0)
    assert experiment.steady_state_counts(np.ones(2)) == pytest.approx([0.2 * 2 * 100, 0.6 * 2 * 100])
    assert cf.Likelihood(experiment).chi2_of_counts(cf.event_rate(experiment, cf.StandardModel(0.2386))) < 1e-20


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({'"tabulated"': '"table"'}, r"Invalid value 'table' - at `\$.source.type`"),
        ({'"phi"': '"flux"'}, r"mine.toml: \[source\] flux.csv: no column 'flux'"),
        ({'"log"': '"cubic"'}, r"Invalid enum value 'cubic' - at `\$.source.interpolation`"),
        ({'energy_unit = "keV"': "energy_unit = 1e-3"}, r"Expected `str`, got `float` - at `\$.source.energy_unit`"),
        ({'value_per = "MeV"': "spin = 1"}, r"unknown field `spin` - at `\$.source`"),
        ({"sin2_theta_w = 0.2386": "sin2_theta_w = 2.0"}, r"mine.toml: \[data\] sin2_theta_w = 2.0"),
        ({"simulated = { sin2_theta_w = 0.2386 }": ""}, r"mine.toml: \[data\] table, simulated: at least one"),
        ({"= 2.0": "= -2.0"}, r"mine.toml: \[steady_state\] per_day_keV_kg = -2.0"),
        ({"= 2.0": "= 2.0\nstandard_model_fraction = 0.1"}, r"\[steady_state\] .*at most one may be there"),
        ({'"source"': '"flux"'}, r"`\$.uncertainty.signal`"),
        ({'"tabulated"': '"reactor"'}, r"unknown field `file` - at `\$.source`"),
    ],
)
def test_bad_files(written, changes, message):
    with pytest.raises(ValueError, match=message):
        written(**changes)


def test_reactor_of_a_file(written):
    source = '[source]\ntype = "reactor"\nthermal_power_GW = 2.9\ndistance_m = 20\nlow_energy = "kopeikin"\n'
    start, end = TABULATED.index("[source]"), TABULATED.index("[detector]")
    changes = {TABULATED[start:end]: source + "fission_fractions = { U235 = 1.0 }\n", '"source"': "0.04"}
    reactor = written(**changes).source
    assert reactor == cf.Reactor(2.9, 20.0, low_energy="kopeikin", fission_fractions={"U235": 1.0})
    with pytest.raises(ValueError, match=r"mine.toml: \[source\] thermal_power, distance, total_flux"):
        written(**{TABULATED[start:end]: source + "total_flux_per_cm2_s = 1e13\n", '"source"': "0.04"})
    with pytest.raises(ValueError, match=r"mine.toml: \[source\] fission_fractions"):
        written(**{TABULATED[start:end]: source + "fission_fractions = { U235 = 0.5 }\n", '"source"': "0.04"})
    with pytest.raises(ValueError, match=r"\[uncertainty\] signal = 'source': must be a number"):
        written(**{TABULATED[start:end]: source})
