"""Interactions: values, refusals, and the physics that must hold whatever the numbers are."""

import dataclasses
import math
import pickle
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cevns_fast as cf
from cevns_fast.interactions.process import Process, Term

BINS = (6.0, 10.0, 30.0)
numbers = st.floats(-1.0, 1.0, allow_subnormal=False)
complex_numbers = st.builds(complex, numbers, numbers)
# Per unit of each, about as many events.
SIZES = {"a_M": 3e-4, "C_S": 0.01, "C_V": 0.05, "C_T": 0.1, "a_E": 3e-4, "D_P": 0.01, "D_A": 0.05}


def new_physics(experiment, *args, **kwargs):
    return cf.event_rate(experiment, cf.SingletEFT(*args, **kwargs), standard_model=False)


# --- as objects -----------------------------------------------------------------------------------


@pytest.mark.parametrize("interaction", [cf.StandardModel(), cf.SingletEFT(10.0, C_S=(0.1, 0.2j), a_M=1e-4j)])
def test_immutable_hashable_comparable_picklable(interaction):
    field = dataclasses.fields(interaction)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(interaction, field, 0.5)
    assert interaction == interaction.replace()
    assert hash(interaction) == hash(interaction.replace())
    assert interaction != interaction.replace(**{field: 0.5})
    assert pickle.loads(pickle.dumps(interaction)) == interaction


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"T_power": 3}, "T_power = 3: must be a whole number from -2 to 2"),
        ({"mass_power": 9}, "mass_power = 9: must be a whole number from 0 to 8"),
        ({"mass_power": 0.5}, "mass_power = 0.5: must be a whole number"),
        ({"T_power": 1.0}, "T_power = 1.0: must be a whole number"),
    ],
)
def test_terms_that_the_kernel_cannot_have_are_refused(wrong, message):
    terms = (Term(**{"first": 0, "second": 0, "T_power": 0, "E_power": 0, "coefficient": 1.0, **wrong}),)
    with pytest.raises(ValueError, match=message):
        _ = Process(1.0, terms).structure


def test_replace_refuses_unknown_names():
    with pytest.raises(ValueError, match=r"SingletEFT: unknown field 'C_s'; did you mean 'C_S'\?"):
        cf.SingletEFT(1.0).replace(C_s=1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"m_chi": -1.0}, r"m_chi = -1.0: must be a finite number >= 0"),
        ({"m_chi": math.nan}, r"m_chi = nan"),
        ({"m_chi": math.inf}, r"m_chi = inf"),
        ({"m_chi": True}, r"m_chi = True"),
        ({"m_chi": "10"}, r"m_chi = '10'"),
        ({"m_chi": 1 + 0j}, r"m_chi = \(1\+0j\)"),
        ({"m_chi": [1.0, 2.0]}, r"m_chi = \[1.0, 2.0\]"),
        ({"m_chi": 1.0, "a_M": math.nan}, r"a_M = nan: must be a finite real or complex number"),
        ({"m_chi": 1.0, "a_E": complex(0, math.inf)}, r"a_E = infj|a_E = \(0\+infj\)"),
        ({"m_chi": 1.0, "a_M": (1.0, 2.0)}, r"a_M = \(1.0, 2.0\)"),
        ({"m_chi": 1.0, "C_S": "0.1"}, r"C_S = '0.1'"),
        ({"m_chi": 1.0, "C_V": (1.0, 2.0, 3.0)}, r"C_V = \(1.0, 2.0, 3.0\): must be a number or the pair \(u, d\)"),
        ({"m_chi": 1.0, "C_T": (1.0, math.nan)}, r"C_T_d = nan"),
        ({"m_chi": 1.0, "D_A": False}, r"D_A = False"),
        ({"m_chi": 1.0, "helicity": "right"}, r"helicity = 'right': .*must be one of 'summed', 'left'"),
        ({"m_chi": 1.0, "variant": "publishd"}, r"variant = 'publishd': did you mean 'published'\?"),
        ({"m_chi": 1.0, "quark_masses": (2.2,)}, r"quark_masses = \(2.2,\)"),
        ({"m_chi": 1.0, "quark_masses": (2.2, 0.0)}, r"quark_masses: m_d = 0.0: must be a finite number > 0"),
    ],
)
def test_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        cf.SingletEFT(**arguments)


@pytest.mark.parametrize("angle", [-0.1, 1.1, math.nan, "0.23", True, None])
def test_weak_mixing_angles_that_are_none(angle):
    with pytest.raises(ValueError, match="sin2_theta_w = "):
        cf.StandardModel(angle)


def test_conventions():
    assert cf.SingletEFT(1.0).convention == cf.EFTConvention("e v_H/2", True)
    assert cf.SingletEFT(1.0, variant="published").convention == cf.EFTConvention("s_W M_W", False)
    mine = cf.EFTConvention(vector_interference=False)
    assert cf.SingletEFT(1.0, variant=mine).convention is mine
    with pytest.raises(ValueError, match="dipole_prefactor = 's_W': "):
        cf.EFTConvention("s_W")
    with pytest.raises(ValueError, match="vector_interference = 1: must be True or False"):
        cf.EFTConvention(vector_interference=1)


# --- as physics -----------------------------------------------------------------------------------


def test_a_massless_vector_with_opposite_axial_has_the_shape_of_the_standard_model(bare):
    """C_V = −D_A = Z g_p + N g_n is the Standard Model, for every bin and either helicity convention."""
    experiment = bare((3.0, 6.0, 9.0, 15.0, 40.0))
    Q = 55 * (0.5 - 2 * 0.2312) - 78 / 2
    C = Q / 399  # of unit quark couplings on Cs-133
    for helicity in ("summed", "left"):
        eft = cf.SingletEFT(0.0, C_V=C, D_A=-C, helicity=helicity)
        expected = cf.event_rate(experiment, cf.StandardModel())
        np.testing.assert_allclose(cf.event_rate(experiment, eft, standard_model=False), 1.0 * expected, rtol=1e-12)


@pytest.mark.parametrize("m_chi", [0.0, 20.0, 50.0])
def test_published_and_corrected_dipole(bare, m_chi):
    """(s_W M_W / (e v_H/2))² = 1.075."""
    rates = [new_physics(bare(BINS), m_chi, a_M=1e-4, variant=v) for v in ("published", "corrected")]
    np.testing.assert_allclose(rates[0] / rates[1], (38648.8445 / 37280.378) ** 2, rtol=1e-6)
    assert rates[0].sum() / rates[1].sum() == pytest.approx(1.075, abs=5e-4)


def test_only_the_named_choices_differ_between_variants(bare):
    """Without a dipole and without the vector's interferences, published and corrected are one."""
    eft = cf.SingletEFT(20.0, C_S=0.01, C_T=0.1)
    same = [cf.event_rate(bare(BINS), eft.replace(variant=v)) for v in ("published", "corrected")]
    assert np.array_equal(*same)
    vector = eft.replace(C_V=0.05)
    different = [cf.event_rate(bare(BINS), vector.replace(variant=v)) for v in ("published", "corrected")]
    assert np.all(np.abs(different[0] - different[1]) > 0.1)
    massless = [cf.event_rate(bare(BINS), vector.replace(variant=v, m_chi=0.0)) for v in ("published", "corrected")]
    np.testing.assert_allclose(*massless, rtol=1e-14)  # interferences are ∝ m_chi


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("m_chi", [0.0, 20.0, 50.0])
def test_one_coupling_of_a_left_handed_beam_counts_half(bare, name, m_chi):
    left, summed = (new_physics(bare(BINS), m_chi, **{name: SIZES[name]}, helicity=h) for h in ("left", "summed"))
    assert np.all(summed > 0)
    np.testing.assert_allclose(2 * left, summed, rtol=1e-13)


@given(values=st.fixed_dictionaries({n: complex_numbers for n in SIZES}), m_chi=st.floats(0.0, 50.0))
def test_the_sum_over_helicities_is_a_sum(bare, values, m_chi):
    """Opposite signs of D_P, D_A, a_E are the other helicity, so both together are CL Eq. (2)."""
    values = {name: SIZES[name] * x for name, x in values.items()}
    flipped = values | {name: -values[name] for name in ("D_P", "D_A", "a_E")}
    left, right = (new_physics(bare(BINS), m_chi, **v, helicity="left") for v in (values, flipped))
    summed = new_physics(bare(BINS), m_chi, **values)
    np.testing.assert_allclose(left + right, summed, rtol=1e-12, atol=1e-300)


PARTNERS = {"C_S": "D_P", "C_V": "D_A", "a_M": "a_E"}


@pytest.mark.parametrize("name", PARTNERS)
@pytest.mark.parametrize("m_chi", [0.0, 20.0, 50.0])
def test_partners_of_opposite_parity(bare, name, m_chi):
    """A coupling alone counts as much as its partner, complex or not; together they add without interference."""
    size = SIZES[name] * np.exp(0.4j)
    one, other = (new_physics(bare(BINS), m_chi, **{n: size}) for n in (name, PARTNERS[name]))
    np.testing.assert_allclose(one, other, rtol=1e-13)
    both = new_physics(bare(BINS), m_chi, **{name: size, PARTNERS[name]: 0.7j * size})
    np.testing.assert_allclose(both, one * (1 + 0.49), rtol=1e-12)


def test_partners_keep_their_interference(bare):
    """a_M with C_S is a_E with D_P."""
    one = new_physics(bare(BINS), 20.0, a_M=3e-4, C_S=0.01)
    other = new_physics(bare(BINS), 20.0, a_E=3e-4, D_P=0.01)
    np.testing.assert_allclose(one, other, rtol=1e-13)
    mixed = new_physics(bare(BINS), 20.0, a_M=3e-4, D_P=0.01)
    apart = new_physics(bare(BINS), 20.0, a_M=3e-4) + new_physics(bare(BINS), 20.0, D_P=0.01)
    np.testing.assert_allclose(mixed, apart, rtol=1e-12)


@settings(max_examples=15)
@given(phase=st.floats(0.0, 2 * math.pi), values=st.fixed_dictionaries({n: complex_numbers for n in SIZES}))
def test_a_common_phase_does_not_matter(bare, phase, values):
    values = {name: SIZES[name] * x for name, x in values.items()}
    turned = {name: x * np.exp(1j * phase) for name, x in values.items()}
    a, b = (new_physics(bare(BINS), 20.0, **v) for v in (values, turned))
    np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


@settings(max_examples=40)
@given(values=st.fixed_dictionaries({n: complex_numbers for n in SIZES}), m_chi=st.floats(0.0, 52.7),
       helicity=st.sampled_from(["left", "summed"]))  # fmt: skip
def test_rates_are_not_negative(csi, values, m_chi, helicity):
    values = {name: SIZES[name] * x for name, x in values.items()}
    counts = new_physics(csi, m_chi, **values, helicity=helicity)
    assert np.all(counts >= -1e-13 * counts.max())


def test_couplings_of_quarks(bare):
    """A number is the coupling to both; a pair that gives the nucleus the same couplings gives the same rate."""
    a, b = (new_physics(bare(BINS), 20.0, C_V=value, C_S=0.01) for value in (0.05, (0.05, 0.05)))
    assert np.array_equal(a, b)
    # On Cs-133 alone u counts 2Z + N = 188 and d counts Z + 2N = 211.
    traded = new_physics(bare(BINS), 20.0, C_V=(0.05 * 399 / 188, 0.0), C_S=0.01)
    np.testing.assert_allclose(traded, a, rtol=1e-12)


# --- neutrinos and antineutrinos ------------------------------------------------------------------


def flat(E):
    return np.ones_like(E)


@pytest.fixture(scope="module")
def beams(bare, source):
    """The same spectrum and line, of neutrinos and of antineutrinos."""
    made = []
    for antineutrino in (False, True):
        component = cf.FluxComponent("beam", antineutrino, flat, (10.0, 50.0), lines=((35.0, 3.0),))
        made.append(bare(BINS, source=source(component, fluence=1e9), exposure=1.0))
    return made


EVEN = [("a_M", "C_T"), ("a_M", "C_V"), ("C_V", "C_T")]
ODD = [("a_M", "C_S"), ("C_S", "C_T"), ("C_S", "C_V")]


def interference(experiment, first, second, m_chi=20.0):
    pair = {first: SIZES[first], second: SIZES[second]}
    both = new_physics(experiment, m_chi, **pair)
    return both - sum(new_physics(experiment, m_chi, **{n: v}) for n, v in pair.items())


@pytest.mark.parametrize("pair", EVEN + ODD)
def test_signs_of_interferences(beams, pair):
    """CONVENTIONS, 3: scalar–dipole, scalar–tensor and vector–scalar flip, the others do not."""
    neutrino, antineutrino = (interference(beam, *pair) for beam in beams)
    assert np.all(np.abs(neutrino) > 1e-6 * new_physics(beams[0], 20.0, C_S=0.01))
    np.testing.assert_allclose(antineutrino, neutrino if pair in EVEN else -neutrino, rtol=1e-7)


@pytest.mark.parametrize("name", SIZES)
def test_squares_are_the_same_for_antineutrinos(beams, name):
    a, b = (new_physics(beam, 20.0, **{name: SIZES[name]}) for beam in beams)
    np.testing.assert_allclose(a, b, rtol=1e-13)
    assert np.array_equal(*(cf.event_rate(beam, cf.StandardModel()) for beam in beams))


def test_the_signs_in_the_published_formula(beams):
    """CL Eq. (2) for neutrinos: S–dipole −, S–T −; the corrected V–S +, V–dipole −, V–T − (real, positive)."""
    signs = {pair: np.sign(interference(beams[0], *pair)) for pair in ODD + EVEN}
    assert np.all(signs["a_M", "C_S"] == -1)
    assert np.all(signs["C_S", "C_T"] == -1)
    assert np.all(signs["C_S", "C_V"] == 1)
    assert np.all(signs["a_M", "C_V"] == -1)
    assert np.all(signs["C_V", "C_T"] == -1)


def test_differential_cross_section_flips_the_same_terms():
    cs, E, T = cf.nuclide("Cs133"), 40.0, 0.01

    def value(antineutrino, **couplings):
        return cf.differential_cross_section(cf.SingletEFT(20.0, **couplings), cs, E, T, antineutrino=antineutrino)

    for pair in EVEN + ODD:
        couplings = {name: SIZES[name] for name in pair}
        apart = sum(value(False, **{n: v}) for n, v in couplings.items())
        a, b = (value(x, **couplings) - apart for x in (False, True))
        assert b == pytest.approx(a if pair in EVEN else -a, rel=1e-7, abs=0)


# --- cross sections -------------------------------------------------------------------------------


def test_differential_cross_section_shapes_and_limits():
    cs, sm = cf.nuclide("Cs133"), cf.StandardModel()
    T_max = 2 * 30.0**2 / (cs.mass + 60)
    values = cf.differential_cross_section(sm, cs, 30.0, np.array([0.0, T_max * (1 - 1e-12), T_max * 1.001, 1.0]))
    assert values[0] > 0 and values[1] >= 0 and values[2] == values[3] == 0
    assert isinstance(cf.differential_cross_section(sm, cs, 30.0, 0.01), float)
    assert cf.differential_cross_section(sm, cs, [[10.0], [30.0]], [0.001, 0.002, 0.003]).shape == (2, 3)
    heavy = cf.SingletEFT(31.0, C_S=1.0)
    assert cf.differential_cross_section(heavy, cs, 30.0, 0.01) == 0
    point = cf.differential_cross_section(sm, cs, 30.0, 0.01, form_factor=cf.PointNucleus())
    F = cf.helm_form_factor(cs, 0.01)
    assert cf.differential_cross_section(sm, cs, 30.0, 0.01) == pytest.approx(point * F**2, rel=1e-13)


def test_recoil_spectrum_is_that_of_one_neutrino_energy(bare, source):
    component = cf.FluxComponent("line", True, lines=((35.0, 2.0),))
    experiment = bare(BINS, source=source(component, fluence=3e9), exposure=5.0)
    eft, T = cf.SingletEFT(20.0, a_M=3e-4, C_S=0.01), 0.008
    sigma = cf.differential_cross_section(eft, cf.nuclide("Cs133"), 35.0, T, antineutrino=True)
    expected = experiment.detector.nuclei[0] * 2.0 * 3e9 * 5.0 * sigma
    assert cf.recoil_spectrum(experiment, eft, T, standard_model=False) == pytest.approx(expected, rel=1e-12)
    assert cf.recoil_spectrum(experiment, eft, 0.1) == 0  # beyond T_max of the line


def test_rates_integrate_the_spectrum(bare):
    """Gauss–Legendre between the kinks of the spectrum."""
    experiment, eft = bare((8.0, 9.0)), cf.SingletEFT(20.0, a_M=3e-4, C_S=0.01)
    nodes, weights = np.polynomial.legendre.leggauss(40)
    low, high = 8 / 1170, 9 / 1170
    T = (low + high) / 2 + (high - low) / 2 * nodes
    integral = (high - low) / 2 * weights @ cf.recoil_spectrum(experiment, eft, T)
    assert cf.event_rate(experiment, eft)[0] == pytest.approx(integral, rel=1e-9)


@pytest.mark.parametrize(
    "make",
    [
        lambda m: cf.StandardModel(m / 1e3),
        lambda m: cf.SingletEFT(m, C_S=0.1, a_M=1e-4j),
        lambda m: cf.SingletEFT(m, C_S=(0.1, 0.2j), quark_masses=(2.0, 4.0), helicity="left"),
        lambda m: cf.ScalarMediator(m, 10.0, y_bar=1e-5),
        lambda m: cf.VectorMediator(m, 10.0, 1e-5, quark_couplings=(1.0, 1.0, 1.0, 1.0, 1.0, 1.0)),
    ],
    ids=["sm", "eft", "eft with pairs", "scalar", "vector"],
)
def test_making_an_interaction_calls_little(make):
    """A scan over 200,000 masses makes as many: what is plain and right passes without a closer look.

    Calls are counted, not seconds, so that a busy machine changes nothing; it was 40 to 90 of them.
    """
    calls = []
    make(11.0)
    sys.setprofile(lambda frame, event, argument: calls.append(event) if event in ("call", "c_call") else None)
    try:
        make(10.0)
    finally:
        sys.setprofile(None)
    assert len(calls) < 30
