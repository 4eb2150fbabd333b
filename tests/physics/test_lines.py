"""Spectral lines alone, below, at, inside and above continua: every neutrino counts once, in every order."""

import itertools
import math

import numpy as np
import pytest
from accuracy import error
from cases import crossed
from hypothesis import example, given, settings
from hypothesis import strategies as st

import cevns_fast as cf
from cevns_fast.constants import G_FERMI, MEV2_CM2


def flat(E):
    return np.full_like(E, 0.4)


def steep(E):
    return 5.0 * np.exp(-2.0 * E)


def experiment_of(source, components, bins=(0.005, 0.05, 0.4, 1.0, 30.0)):
    detector = cf.Detector(cf.Target.of("NaI", {"Na": 1, "I": 1}), mass=5.0, bins=bins)
    return cf.Experiment("lines", source(*components), detector, 1.0, None, np.zeros(len(bins) - 1))


INTERACTIONS = (cf.StandardModel(), cf.SingletEFT(0.7, C_S=0.1, a_M=1e-4, C_T=0.2j), cf.ScalarMediator(0.2, 1.0, 1e-5))
LINES = ((0.5, 1.0), (0.75, 0.3), (5.0, 1.0), (10.0, 2.0))


@pytest.mark.parametrize(
    ("interaction", "lines"),
    crossed(INTERACTIONS, [LINES[:1], LINES[2:], LINES[::-1], *itertools.permutations(LINES[:3])]),
)
def test_lines_alone(source, interaction, lines):
    assert error(experiment_of(source, [cf.FluxComponent("lines", False, lines=lines)]), interaction) < 1
    apart = [cf.FluxComponent(f"line {E}", i % 2 == 1, lines=((E, y),)) for i, (E, y) in enumerate(lines)]
    assert error(experiment_of(source, apart), interaction) < 1


@pytest.mark.parametrize(
    ("interaction", "line", "together"), crossed(INTERACTIONS, [0.2, 0.5, 0.7, 1.0, 3.0, 4.0, 6.0], [True, False])
)
def test_a_line_below_at_inside_and_above_continua(source, interaction, line, together):
    """Continua from 0.5 to 1 MeV and from 1 to 4 MeV."""
    if together:
        parts = [cf.FluxComponent("both", False, flat, (0.5, 1.0), ((line, 1.0),))]
    else:
        parts = [
            cf.FluxComponent("line", True, lines=((line, 1.0),)),
            cf.FluxComponent("flat", False, flat, (0.5, 1.0)),
        ]
    parts.append(cf.FluxComponent("steep", True, steep, (1.0, 2.5, 4.0)))
    assert error(experiment_of(source, parts), interaction) < 1


def test_the_line_of_chromium(source):
    """⁵¹Cr: two groups of lines at 0.75 and 0.43 MeV, the lower one in the lowest bin."""
    lines = ((0.752, 0.09), (0.747, 0.81), (0.432, 0.01), (0.427, 0.09))
    experiment = experiment_of(source, [cf.FluxComponent("Cr51", False, lines=lines)], bins=(0.001, 0.005, 0.02, 0.06))
    assert error(experiment, cf.StandardModel(), standard_model=False) < 1


def test_numbers_of_lost_lines(source):
    """Counts of the slow twin; without the lowest line they were 612.19, 0.541 and 55% of the third."""
    lines = ((0.75, 0.90), (0.43, 0.10))  # docs/extending.md's chromium, at 0.5 m, 1e17 decays/s, for 30 days
    detector = cf.Detector(cf.Target.of("Ge", {"Ge": 1}), 10.0, (0.002, 0.005), form_factor=cf.PointNucleus())
    chromium = source(cf.FluxComponent("nu_e", False, lines=lines), fluence=1e17 * 86400 / (4 * math.pi * 50.0**2))
    made = cf.Experiment("Cr51", chromium, detector, 30.0, None, np.zeros(1))
    assert cf.event_rate(made, cf.StandardModel())[0] == pytest.approx(643.0566381, rel=1e-9)
    sodium = cf.Detector(cf.Target.of("Na", {"Na": 1}), 1.0, (1.0, 2.0), form_factor=cf.PointNucleus())
    parts = (((5.0, 1.0),), ((10.0, 1.0),), ((5.0, 1.0), (10.0, 1.0)))
    counts = [
        cf.event_rate(
            cf.Experiment("Na", source(cf.FluxComponent("x", False, lines=part)), sodium, 1.0, None, np.zeros(1)),
            cf.StandardModel(),
        )[0]
        for part in parts
    ]
    assert counts[2] == pytest.approx(counts[0] + counts[1], rel=1e-12) and counts[0] > 0.2 * counts[2]
    component = cf.FluxComponent("both", False, flat, (0.5, 1.0), ((0.5, 0.4),))
    alone = [
        cf.FluxComponent("line", False, lines=((0.5, 0.4),)),
        cf.FluxComponent("continuum", False, flat, (0.5, 1.0)),
    ]
    whole, line, continuum = (
        cf.event_rate(experiment_of(source, [each], bins=(1e-3, 0.5)), cf.StandardModel())[0]
        for each in (component, *alone)
    )
    assert whole == pytest.approx(line + continuum, rel=1e-12) and line > 0.2 * whole


energies = st.lists(st.floats(0.1, 12.0), min_size=1, max_size=4, unique=True)


@pytest.mark.filterwarnings("ignore::cevns_fast.experiments.reach.OutOfReachWarning")
@settings(max_examples=15)
@given(lines=energies, ends=st.none() | st.tuples(st.floats(0.1, 6.0), st.floats(0.01, 6.0)), at=st.booleans())
@example(lines=[0.5], ends=(0.5, 0.5), at=True)
@example(lines=[5.0, 5.0 * (1 + 1e-15)], ends=None, at=False)
def test_any_lines(source, lines, ends, at):
    ends = None if ends is None else (lines[0] if at else ends[0], (lines[0] if at else ends[0]) + ends[1])
    shares = tuple((E, 1.0 / (i + 1)) for i, E in enumerate(lines))
    component = cf.FluxComponent("drawn", False, None if ends is None else flat, ends or (), shares)
    assert error(experiment_of(source, [component]), cf.StandardModel()) < 1


@pytest.mark.parametrize("T", [1e-5, 1e-4, 5e-4])
def test_recoil_spectra_have_the_lines(source, T):
    from cevns_fast.reference.rates import recoil_spectrum

    experiment = experiment_of(source, [cf.FluxComponent("lines", False, lines=LINES[::-1])])
    expected = recoil_spectrum(experiment, cf.StandardModel(), T)
    assert cf.recoil_spectrum(experiment, cf.StandardModel(), T) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"lines": ((0.0, 1.0),)}, r"lines = 0.0: must be a finite number > 0"),
        ({"lines": ((1.0, -1.0),)}, r"lines: intensity at 1 MeV = -1.0"),
        ({"lines": ((math.nan, 1.0),)}, r"lines = nan"),
        ({"lines": (1.0, 1.0)}, r"lines = 1.0: must be pairs"),
        ({"breakpoints": (0.0, 1.0)}, r"breakpoints = \(0.0, 1.0\): must be left out"),
        ({"spectrum": flat}, r"breakpoints: .*"),
        ({"spectrum": flat, "breakpoints": (2.0, 1.0)}, r"breakpoints = \[2.0, 1.0\]"),
        ({"spectrum": flat, "breakpoints": (-1.0, 1.0)}, r"breakpoints = .*-1.0"),
        ({}, r"spectrum = None: must be"),
    ],
)
def test_components_that_are_none(fields, message):
    with pytest.raises(ValueError, match=message):
        cf.FluxComponent("x", False, **fields)


def zero_source(values, interpolation):
    return cf.TabulatedSource(cf.TabulatedSpectrum((0.0, 2.0, 8.0), values, interpolation), total_flux=1e13)


@pytest.mark.parametrize(
    ("values", "interpolation"), [((1.0, 0.5, 0.0), "linear"), ((0.0, 0.5, 0.0), "linear"), ((1.0, 0.5, 0.1), "log")]
)
def test_a_spectrum_that_begins_at_zero(bare, values, interpolation):
    """Sharp bins from T = 0 on see its slowest neutrinos, and 1/E² of them has a pole: the Standard Model's σ in
    closed form below each edge, then Gauss–Legendre in E."""
    source, edges = zero_source(values, interpolation), np.array([0.0, 1e-3, 0.05, 2.0])
    experiment = bare(edges, source=source, exposure=1.0, form_factor=cf.PointNucleus(), light_yield=1.0)
    M, Q = cf.nuclide("Cs133").mass, 55 * (0.5 - 2 * 0.2312) - 39
    kinks = sorted({0.0, 2.0, 8.0, *((T + math.sqrt(T * (T + 2 * M))) / 2 for T in edges[1:-1] * 1e-3)})
    x, w = np.polynomial.legendre.leggauss(40)
    below = 0.0
    for low, high in itertools.pairwise(kinks):
        E = (low + high) / 2 + (high - low) / 2 * x
        T = np.minimum(edges[:, None] * 1e-3, 2 * E * E / (M + 2 * E))
        integral = 2 * T - (M / E**2 + 2 / E) * T**2 / 2 + T**3 / (3 * E**2)
        below = below + integral @ (w * (high - low) / 2 * source.spectrum(E) / source.spectrum.integral)
    norm = experiment.detector.nuclei[0] * source.fluence_per_exposure * MEV2_CM2
    expected = norm * G_FERMI**2 * M / (2 * math.pi) * Q**2 * np.diff(below)
    np.testing.assert_allclose(cf.event_rate(experiment, cf.StandardModel()), expected, rtol=1e-11)


@pytest.mark.slow
def test_a_spectrum_that_begins_at_zero_smeared():
    response = cf.Response(smearing=cf.GaussianSmearing(0.0, constant=0.1))
    target = cf.Target.of("Ge74", {"Ge74": 1})
    detector = cf.Detector(target, 1.0, (0.0, 0.2, 1.0), response, cf.PointNucleus())
    experiment = cf.Experiment("zero", zero_source((1.0, 0.5, 0.0), "linear"), detector, 1.0, None, np.zeros(2))
    assert error(experiment, cf.ScalarMediator(0.0, 1.0, 1e-5)) < 1


def test_a_table_of_thousands_of_points_is_what_it_is_with_few(bare):
    """Points on the straight lines of another table change no count, warn of nothing, and cost in proportion."""
    few = cf.TabulatedSpectrum((1.0, 2.0, 5.0, 9.0), (1.0, 4.0, 2.0, 0.0))
    E = np.union1d(np.linspace(1.0, 9.0, 3000), few.energies)
    many = cf.TabulatedSpectrum(tuple(E.tolist()), tuple(few(E).tolist()))
    counts = [
        cf.event_rate(
            bare((0.05, 0.2, 0.4), source=cf.TabulatedSource(s, 1e13)),
            [cf.StandardModel(), cf.SingletEFT(1.0, C_S=0.1)],
        )
        for s in (few, many)
    ]
    np.testing.assert_allclose(*counts, rtol=1e-10)
