"""The fast path and the slow twin agree, by the criterion of `accuracy.error`, over the whole domain."""

import itertools
import math

import numpy as np
import pytest
from accuracy import error, slow_counts
from cases import quick_are
from hypothesis import example, given, settings
from hypothesis import strategies as st

import cevns_fast as cf

# Couplings of comparable effect on CsI, so that no interference hides behind a square.
SIZES = {"a_M": 3e-4, "C_S": 0.01, "C_V": 0.05, "C_T": 0.1, "a_E": 3e-4, "D_P": 0.01, "D_A": 0.05}
BINS = (6.0, 8.5, 20.0)
ENDPOINT = 105.6583755 / 2
M_CESIUM = cf.nuclide("Cs133").mass
#: The largest m_chi that a neutrino of energy E makes on Cs: m + m²/2M = E.
limit_of = {E: M_CESIUM * (math.sqrt(1 + 2 * E / M_CESIUM) - 1) for E in (29.79201, ENDPOINT)}
LIMIT = limit_of[ENDPOINT]


def test_standard_model(csi):
    assert error(csi, cf.StandardModel()) < 1
    assert error(csi, cf.StandardModel(0.23857)) < 1


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations_with_replacement(SIZES, 2)))
def test_every_pair_of_couplings(bare, first, second):
    """At three masses: light, above the ν_μ line, and where the lowest bin straddles nothing any more."""
    experiment = bare(BINS)
    for m_chi, phase in ((3.0, 1.0), (25.0, np.exp(0.7j)), (40.0, -1j)):
        eft = cf.SingletEFT(m_chi, **{first: SIZES[first], second: SIZES[second] * phase})
        assert error(experiment, eft, standard_model=False) < 1, (m_chi, phase)


ALL_REAL = dict(SIZES)
ALL_COMPLEX = {
    name: (value * np.exp(0.5j * i), -0.6 * value * np.exp(1.1j * i)) if "_E" not in name and "_M" not in name
    else value * np.exp(2j * i)
    for i, (name, value) in enumerate(SIZES.items())
}  # fmt: skip


@pytest.mark.parametrize(
    "m_chi",
    [
        0.0, 1e-12, 1e-3, 0.3, 10.0,
        limit_of[29.79201] * (1 - 1e-9), limit_of[29.79201] * (1 + 1e-9), 29.79201,
        45.0, 51.5, 52.7, LIMIT - 1e-2, LIMIT - 3e-4,
    ],
)  # fmt: skip
@pytest.mark.parametrize("couplings", [ALL_REAL, ALL_COMPLEX], ids=["real", "complex"])
def test_masses_from_zero_to_the_kinematic_limit(bare, m_chi, couplings):
    # Bins that hold the narrow range of recoils of heavy particles: up to T_max of a massless one.
    experiment = bare((5.0, 9.0, 14.0, 60.0))
    assert error(experiment, cf.SingletEFT(m_chi, **couplings), standard_model=False) < 1


@pytest.mark.parametrize("m_chi", [0.0, 35.0, 52.0])
def test_all_of_csi(csi, m_chi):
    assert error(csi, cf.SingletEFT(m_chi, **ALL_REAL)) < 1


def test_cancellation_that_the_terms_measure(bare):
    """Where a scalar and a dipole nearly cancel, the sum is smaller than its terms; the error follows the terms."""
    for sign in (-1, 1):
        eft = cf.SingletEFT(20.0, a_M=3e-4, C_S=sign * 0.012, C_T=-sign * 0.05)
        assert error(bare((8.0, 9.0, 10.0, 30.0)), eft, standard_model=False) < 1


numbers = st.floats(-1.0, 1.0, allow_subnormal=False)
complex_numbers = st.builds(complex, numbers, numbers)
any_coupling = st.one_of(st.just(0.0), numbers, complex_numbers)
quark_coupling = st.one_of(any_coupling, st.tuples(any_coupling, any_coupling))


@st.composite
def interactions(draw, heaviest=LIMIT - 3e-4):
    m_chi = draw(st.one_of(st.floats(0.0, heaviest), st.sampled_from([0.0, 1e-3, 29.79, 29.792, 52.7])))

    def scaled(name, value):
        size = SIZES[name]
        return tuple(size * x for x in value) if isinstance(value, tuple) else size * value

    drawn = {n: scaled(n, draw(any_coupling if n in ("a_M", "a_E") else quark_coupling)) for n in SIZES}
    variant = draw(
        st.one_of(
            st.sampled_from(["published", "corrected"]),
            st.builds(cf.EFTConvention, st.sampled_from(["e v_H/2", "s_W M_W"]), st.booleans()),
        )
    )
    helicity = draw(st.sampled_from(["summed", "left"]))
    masses = draw(st.tuples(st.floats(1.0, 5.0), st.floats(2.0, 8.0)))
    return cf.SingletEFT(m_chi, **drawn, variant=variant, helicity=helicity, quark_masses=masses)


form_factors = st.one_of(
    st.just(cf.PointNucleus()),
    st.builds(
        cf.HelmFormFactor,
        st.sampled_from(["lewin-smith", "rms"]),
        st.floats(0.5, 1.2),
        st.one_of(st.none(), st.floats(4.5, 6.0), st.builds(lambda r: {"Cs133": r}, st.floats(4.5, 6.0))),
    ),
)
edges = st.lists(st.floats(0.5, 60.0), min_size=2, max_size=4, unique=True).map(sorted)


@settings(max_examples=60)
@given(interaction=interactions(), form_factor=form_factors, bins=edges, standard_model=st.booleans())
def test_anything(bare, interaction, form_factor, bins, standard_model):
    """Masses, couplings, conventions, form factors and bins that nobody chose."""
    experiment = bare(bins, form_factor=form_factor)
    assert error(experiment, interaction, standard_model) < 1


@pytest.mark.slow
@settings(max_examples=25)
@given(
    m_chi=st.floats(1.0, 52.0),
    energy=st.sampled_from([29.79201, ENDPOINT]),
    below=st.floats(-6.0, -1.0).map(lambda x: 10**x),
    above=st.floats(-6.0, -1.0).map(lambda x: 10**x),
)
@example(m_chi=20.0, energy=ENDPOINT, below=1e-12, above=1e-12)
@example(m_chi=20.0, energy=29.79201, below=1e-9, above=1e-9)
def test_bins_that_straddle_the_kinematic_limits(bare, m_chi, energy, below, above):
    """Edges at fractions 1 ± 10^−x of T_min and T_max of the end point and of the line."""
    if m_chi > 0.99 * limit_of[energy]:
        m_chi *= 0.5
    low, high = cf.reference.rates.recoil_range(energy, M_CESIUM, m_chi)[:2]
    bins = sorted({T * 1e3 * x for T in (low, high) for x in (1 - below, 1 + above)})
    experiment = bare(bins, light_yield=1.0)
    couplings = {"a_M": 3e-4, "C_S": 0.01j, "C_V": (0.05, 0.02), "C_T": -0.1}
    assert error(experiment, cf.SingletEFT(m_chi, **couplings), standard_model=False) < 1


@pytest.mark.parametrize("energy", quick_are([29.79201, ENDPOINT], 0))
def test_bins_that_straddle_the_largest_recoil_of_a_massless_particle(bare, energy):
    """The Standard Model has no T_min."""
    high = cf.reference.rates.recoil_range(energy, M_CESIUM, 0.0).high
    for x in (1e-12, 1e-6, 1e-2):
        experiment = bare([high * 1e3 * edge for edge in (0.5, 1 - x, 1 + x)], light_yield=1.0)
        assert error(experiment, cf.StandardModel()) < 1, x


@pytest.mark.slow
def test_a_very_wide_bin(bare):
    for bins in ((1e-4, 1e4), (1e-9, 1e5), (0.0, 1e3)):
        experiment = bare(bins)
        for eft in (cf.SingletEFT(52.0, **ALL_COMPLEX), cf.SingletEFT(0.0, C_S=0.01, C_V=0.05, C_T=0.1)):
            assert error(experiment, eft) < 1, (bins, eft)
    light = cf.SingletEFT(1e-2, **ALL_REAL)
    assert error(bare((1e-6, 1e3)), light, standard_model=False) < 1


def test_recoils_down_to_zero_with_a_light_dipole(bare):
    """The bin begins at zero, the rate like 1/T: only T_min of the light particle cuts it off."""
    for m_chi in (1e-3, 1e-1, 5.0):
        eft = cf.SingletEFT(m_chi, a_M=3e-4, C_S=0.01, C_T=0.1)
        assert error(bare((0.0, 1.0, 30.0)), eft, standard_model=False) < 1


def test_several_nuclides(bare):
    experiment = bare((2.0, 6.0, 30.0), composition={"Ar": 0.3, "Na": 1, "Ge": 1})
    assert error(experiment, cf.SingletEFT(30.0, **ALL_COMPLEX)) < 1


def test_a_neutron_radius_of_its_own(bare):
    for radius in (5.2, {"Cs133": 4.6}, {"I127": 4.6}):
        form_factor = cf.HelmFormFactor("rms", neutron_radius=radius)
        assert error(bare(BINS, form_factor=form_factor), cf.SingletEFT(20.0, **ALL_COMPLEX)) < 1


def square_root(T):
    """A quenching that no polynomial in T matches."""
    return 0.05 + 0.5 * np.sqrt(T)


LINDHARD = cf.Table((0.0, 2e-3, 5e-3, 1e-2, 5e-2), (0.05, 0.07, 0.09, 0.1, 0.12))
LOGISTIC = cf.LogisticAcceptance(0.6655, 0.4942, 10.8507, 5.0)
TABLE = cf.Table((0.0, 5.5, 9.0, 14.0, 30.0), (0.0, 0.1, 0.55, 0.6, 0.9))
RESPONSES = {
    "sharp logistic": dict(acceptance=LOGISTIC),
    "sharp table": dict(acceptance=TABLE),
    "sharp quenching number": dict(light_yield=13.348, quenching=0.0878, acceptance=LOGISTIC),
    "sharp quenching table": dict(light_yield=13.348, quenching=LINDHARD, acceptance=TABLE),
    "sharp quenching function": dict(light_yield=13.348, quenching=square_root, acceptance=LOGISTIC),
    "sharp recoil threshold": dict(recoil_threshold=7e-3),
    "poisson": dict(smearing=cf.PoissonSmearing(), acceptance=LOGISTIC),
    "poisson quenching table": dict(light_yield=13.348, quenching=LINDHARD, smearing=cf.PoissonSmearing()),
    "poisson recoil threshold": dict(smearing=cf.PoissonSmearing(), recoil_threshold=5e-3),
    "gaussian": dict(smearing=cf.GaussianSmearing(1.0), acceptance=LOGISTIC),
    "gaussian narrow": dict(smearing=cf.GaussianSmearing(0.3, 0.2, 0.05), acceptance=TABLE),
    # Constant acceptances take the closed form of a bin's probability; a resolution of 1% of the energy wants panels
    # far narrower than a ratio of energies gives.
    "gaussian plain": dict(smearing=cf.GaussianSmearing(0.3, 0.2, 0.05), acceptance=0.8),
    "gaussian of 1%": dict(smearing=cf.GaussianSmearing(0.0, 0.15)),
    "gamma plain": dict(smearing=cf.GammaSmearing(0.7), acceptance=0.8),
    "gaussian quenching function": dict(light_yield=13.348, quenching=square_root, smearing=cf.GaussianSmearing(0.8)),
    "gamma": dict(smearing=cf.GammaSmearing(0.7), acceptance=LOGISTIC),
    "gamma quenching table": dict(light_yield=13.348, quenching=LINDHARD, smearing=cf.GammaSmearing(1.5)),
}  # fmt: skip


@pytest.mark.parametrize("name", quick_are(RESPONSES, *range(0, len(RESPONSES), 2)))
def test_responses(bare, name):
    experiment = bare((6, 9, 20), **RESPONSES[name])
    assert error(experiment, cf.SingletEFT(20.0, **ALL_REAL), standard_model=False) < 1


def test_a_massless_dipole_seen_through_counted_photoelectrons(bare):
    """The chance of three photoelectrons vanishes like T³, so the 1/T of the rate does no harm."""
    experiment = bare((3, 8, 20), smearing=cf.PoissonSmearing())
    assert error(experiment, cf.SingletEFT(0.0, a_M=3e-4), standard_model=False) < 1


def test_smeared_bins_that_begin_at_zero(bare):
    for name in ("poisson", "gaussian", "gamma"):
        smearing = RESPONSES[name]["smearing"]
        experiment = bare((0, 3), smearing=smearing)
        assert error(experiment, cf.SingletEFT(20.0, **ALL_REAL), standard_model=False) < 1, name


def test_smeared_recoils_near_the_kinematic_limit(bare):
    experiment = bare((3, 8, 20), smearing=cf.PoissonSmearing())
    assert error(experiment, cf.SingletEFT(52.0, **ALL_REAL), standard_model=False) < 1


def steps(E):
    """A spectrum with a jump and a kink."""
    return np.where(E < 20, 1e-2, 3e-2 * np.exp(-E / 15))


def test_other_sources(bare, source):
    """A user's neutrinos and antineutrinos, spectra with jumps at stated points, and several lines."""
    made = source(
        cf.FluxComponent("a", False, steps, (5.0, 20.0, 45.0)),
        cf.FluxComponent("b", True, np.sqrt, (0.5, 30.0), lines=((25.0, 0.3), (38.0, 0.1))),
        cf.FluxComponent("c", True, lines=((41.0, 0.2),)),
        fluence=1e8,
    )
    experiment = bare((2.0, 5.0, 9.0, 30.0), source=made, exposure=100.0)
    for m_chi in (0.0, 22.0, 39.0, 44.0):
        assert error(experiment, cf.SingletEFT(m_chi, **ALL_COMPLEX)) < 1, m_chi


@settings(max_examples=20)
@given(interaction=interactions(), T=st.lists(st.floats(1e-6, 0.05), min_size=1, max_size=5))
def test_recoil_spectrum(bare, interaction, T):
    experiment = bare(BINS, composition={"Cs": 1, "I": 1})
    fast = cf.recoil_spectrum(experiment, interaction, T)
    slow = cf.reference.recoil_spectrum(experiment, interaction, T)
    alone = [cf.reference.recoil_spectrum(experiment, each, T) for each in one_by_one(interaction)]
    scale = np.sum(alone, axis=0)  # the squares bound the interferences
    np.testing.assert_array_less(np.abs(fast - slow), 1e-10 * scale + 1e-300)


def one_by_one(interaction):
    """Interactions with one quark or photon coupling each."""
    for name in SIZES:
        value = getattr(interaction, name)
        pairs = [(value[0], 0), (0, value[1])] if isinstance(value, tuple) else [value]
        for each in pairs:
            yield interaction.replace(**{other: 0.0 for other in SIZES}).replace(**{name: each})


@settings(max_examples=60)
@given(
    interaction=st.one_of(interactions(), st.builds(cf.StandardModel, st.floats(0, 1))),
    name=st.sampled_from(["Cs133", "Ar40", "Na23"]),
    E=st.floats(0.1, 53.0),
    T=st.floats(1e-5, 0.1),
    antineutrino=st.booleans(),
    form_factor=form_factors,
)
def test_differential_cross_section(interaction, name, E, T, antineutrino, form_factor):
    options = {"antineutrino": antineutrino, "form_factor": form_factor}
    nuclide = cf.nuclide(name)
    fast = cf.differential_cross_section(interaction, nuclide, E, T, **options)
    slow = cf.reference.differential_cross_section(interaction, nuclide, E, T, **options)
    scale = abs(slow)
    if isinstance(interaction, cf.SingletEFT):
        each = (cf.reference.differential_cross_section(i, nuclide, E, T, **options) for i in one_by_one(interaction))
        scale = math.fsum(map(abs, each))
    assert fast == pytest.approx(slow, rel=0, abs=1e-10 * scale)
    assert (fast == 0) == (slow == 0) or scale == 0


@settings(max_examples=30)
@given(name=st.sampled_from(["Cs133", "Ar40", "Na23", "Xe132"]), T=st.floats(0.0, 10.0),
       convention=st.sampled_from(["lewin-smith", "rms"]), skin=st.floats(0.3, 1.0))  # fmt: skip
def test_helm_form_factor(name, T, convention, skin):
    options = {"convention": convention, "skin": skin}
    slow = cf.reference.helm_form_factor(cf.nuclide(name), T, **options)
    assert cf.helm_form_factor(cf.nuclide(name), T, **options) == pytest.approx(slow, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"signal_uncertainty": 0.0},
        {"backgrounds": ()},
        {"signal_uncertainty_on": "standard_model"},
        {"variance": "prediction", "shape_uncertainty": 0.01},
        {"observed": None},
        {"observed": None, "variance": "prediction", "steady_state": cf.StandardModelFraction(0.25)},
    ],
    ids=str,
)
def test_chi2(csi, changes, monkeypatch):
    # The twin's truth, for the data that it simulates, is computed once and not with each χ².
    monkeypatch.setattr(cf.reference.likelihood, "event_rate", lambda *case: slow_counts(*case, standard_model=True)[0])
    experiment = csi.replace(**changes)
    like = cf.Likelihood(experiment)
    standard_model = cf.event_rate(experiment, cf.StandardModel())
    for couplings in ({}, {"C_S": 0.01, "a_M": -2e-4}, {"C_V": 3.0}, {"C_T": 1e4}):
        counts = cf.event_rate(experiment, cf.SingletEFT(20.0, **couplings))
        slow = cf.reference.chi2(experiment, counts, standard_model=standard_model)
        assert like.chi2_of_counts(counts) == pytest.approx(slow, rel=1e-11, abs=1e-11)
