"""The printed cross sections against traces of Dirac matrices, and what must hold of them in general."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from accuracy import approx
from dirac import GAMMA, GAMMA5, METRIC, ONE, P_L, P_R, SIGMA, bar, slash

import cevns_fast as cf
from cevns_fast.constants import ALPHA, G_FERMI, MEV2_CM2
from cevns_fast.reference import differential_cross_section, helm_form_factor
from cevns_fast.reference.channel import Beam
from cevns_fast.reference.couplings import convention, dipole, scalar, tensor, vector
from cevns_fast.reference.cross_sections import chang_liao_2, channels, standard_model_22
from cevns_fast.reference.kinematics import cos_theta, recoil_range

POINT = cf.PointNucleus()
CESIUM, ARGON = cf.nuclide("Cs133"), cf.nuclide("Ar40")
EVEN_UNDER_CONJUGATION = [["C_S"], ["C_V"], ["C_T"], ["a_M"], ["C_T", "a_M"], ["C_V", "a_M"], ["C_V", "C_T"]]
ODD_UNDER_CONJUGATION = [["C_S", "a_M"], ["C_S", "C_T"], ["C_V", "C_S"]]


def traced_cross_section(E, T, M, m, c, antineutrino=False, projector=ONE, sign_of_dipole=-1):
    """CL (A5) with Σ|M|² of (A4), averaged over the nucleus's spins only.

    For antineutrinos v̄(p1) Γ v(p2) takes the place of ū(p2) Γ̄ u(p1), with Γ as it stands in the
    Lagrangian (1). `projector` acts on the incoming (anti)neutrino.
    """
    p, cosine = math.sqrt(T * (T + 2 * M)), cos_theta(E, T, M, m)
    p1, k1 = np.array([E, E, 0, 0]), np.array([M, 0, 0, 0])
    k2 = np.array([M + T, p * cosine, p * math.sqrt(1 - cosine**2), 0])
    p2 = p1 + k1 - k2
    t = p1 - p2
    v_H, e = (math.sqrt(2) * G_FERMI) ** -0.5, math.sqrt(4 * math.pi * ALPHA)
    contact, photon = 1j * G_FERMI / math.sqrt(2), sign_of_dipole * G_FERMI * v_H * e / (-2 * M * T)

    # Pairs (factor, Γ on the lepton line as in (1), matrix on the nucleus's line); upper and lower
    # indices contracted.
    pairs = [(contact, c["C_S"] * ONE + 1j * c["D_P"] * GAMMA5, ONE)]
    for mu in range(4):
        pairs.append((contact * METRIC[mu], GAMMA[mu] @ (c["C_V"] * ONE + c["D_A"] * GAMMA5), GAMMA[mu]))
        for nu in range(4):
            lower = METRIC[mu] * METRIC[nu]
            pairs.append((contact * lower, c["C_T"] * SIGMA[mu][nu], SIGMA[mu][nu]))
            both = SIGMA[mu][nu] @ (c["Z_A_M"] * ONE + 1j * c["Z_A_E"] * GAMMA5)
            pairs.append((photon * lower * t[nu], both, GAMMA[mu]))
    if antineutrino:
        first, last = slash(p1), slash(p2) - m * ONE
        lepton = [projector @ pair[1] for pair in pairs]
    else:
        first, last = slash(p2) + m * ONE, slash(p1)
        lepton = [bar(pair[1]) @ projector for pair in pairs]
    total = 0
    for (f, _, n), left in zip(pairs, lepton, strict=True):
        for (g, _, o), right in zip(pairs, lepton, strict=True):
            leptonic = np.trace(first @ left @ last @ bar(right))
            nuclear = np.trace((slash(k2) + M * ONE) @ n @ (slash(k1) + M * ONE) @ bar(o))
            total += f * np.conj(g) * leptonic * nuclear
    return (total / 2 / (32 * math.pi * M * E**2)).real


def random_couplings(rng):
    names = ["C_S", "D_P", "C_V", "D_A", "C_T", "Z_A_M", "Z_A_E"]
    values = {name: complex(*rng.normal(size=2)) for name in names}
    # Light "nuclei" make all terms comparable; the photon's 37 GeV would drown the others.
    return values | {name: 1e-3 * values[name] for name in ("Z_A_M", "Z_A_E")}


def random_point(rng):
    M, m = rng.uniform(20, 200), rng.uniform(0, 20)
    E = (m + m**2 / (2 * M)) * rng.uniform(1.05, 3) + 1
    low, high, _ = recoil_range(E, M, m)
    return E, rng.uniform(low, high), M, m


@pytest.mark.parametrize("antineutrino", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_every_term_is_that_of_the_dirac_traces(seed, antineutrino):
    rng = np.random.default_rng(seed)
    E, T, M, m = random_point(rng)
    couplings = random_couplings(rng)
    prefactor = convention("corrected").dipole_prefactor
    terms = chang_liao_2(E, T, M, m, **couplings, antineutrino=antineutrino, dipole_prefactor=prefactor)
    traced = traced_cross_section(E, T, M, m, couplings, antineutrino)
    assert sum(terms) == approx(traced, rel=1e-11, abs=1e-13 * sum(map(abs, terms)))


@pytest.mark.parametrize("antineutrino", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_left_handed_beam_is_the_projected_amplitude(seed, antineutrino):
    rng = np.random.default_rng(100 + seed)
    E, T, M, m = random_point(rng)
    light = SimpleNamespace(name="light", Z=1, N=2, atomic_mass=(M + 0.51099895) / 931.49410372, charge_radius=1.0)

    def quark():
        return tuple(complex(*rng.normal(size=2)) for _ in range(2))

    fields = {"C_S": quark(), "D_P": quark(), "C_V": quark(), "D_A": quark(), "C_T": quark()}
    fields |= {"a_M": 1e-3 * quark()[0], "a_E": 1e-3 * quark()[0]}
    eft = cf.SingletEFT(m_chi=m, helicity="left", **fields)
    (channel,) = channels(eft, light, POINT)
    nuclear = {name: sum(scalar(light, fields[name], (2.2, 4.7))) for name in ("C_S", "D_P")}
    nuclear |= {name: sum(vector(light, fields[name])) for name in ("C_V", "D_A")}
    nuclear |= {"C_T": sum(tensor(light, fields["C_T"]))}
    nuclear |= {"Z_A_M": sum(dipole(light, fields["a_M"])), "Z_A_E": sum(dipole(light, fields["a_E"]))}
    # P_L on u(p1); v̄(p1) of a right-handed antineutrino (of a left-handed field) is v̄ P_R.
    projector = P_R if antineutrino else P_L
    traced = traced_cross_section(E, T, M, m, nuclear, antineutrino, projector)
    terms = channel.terms(np.array([E]), T, Beam(antineutrino, None))
    # The light nucleus's own mass differs by its binding energy, 1e-5 MeV.
    assert terms.sum() == approx(traced, rel=1e-5)


def test_the_other_charge_convention_flips_what_the_dipole_interferes_with():
    rng = np.random.default_rng(7)
    E, T, M, m = random_point(rng)
    couplings = random_couplings(rng)
    prefactor = convention("corrected").dipole_prefactor
    terms = chang_liao_2(E, T, M, m, **couplings, dipole_prefactor=prefactor)
    flipped = [-x if i in (4, 5, 8) else x for i, x in enumerate(terms)]
    traced = traced_cross_section(E, T, M, m, couplings, sign_of_dipole=1)
    assert sum(flipped) == approx(traced, rel=1e-11)


# --- general properties ---------------------------------------------------------------------------


def eft(m_chi, **fields):
    return cf.SingletEFT(m_chi=m_chi, **fields)


def rate(interaction, E=48.0, T=0.012, antineutrino=False, nuclide=CESIUM):
    return differential_cross_section(interaction, nuclide, E, T, antineutrino=antineutrino)


SIZES = {"C_S": 1e-2, "C_V": 0.1, "C_T": 0.1, "a_M": 3e-4, "D_P": 1e-2, "D_A": 0.1, "a_E": 3e-4}


@pytest.mark.parametrize("name", SIZES)
def test_one_real_coupling_has_half_the_rate_in_a_left_handed_beam(name):
    coupling = {name: SIZES[name]}
    assert rate(eft(30.0, **coupling)) == approx(2 * rate(eft(30.0, helicity="left", **coupling)), rel=1e-14)


def interference(names, antineutrino, helicity):
    """What two couplings give together beyond each alone."""
    together = {name: SIZES[name] for name in names}
    alone = sum(rate(eft(30.0, helicity=helicity, **{n: v}), antineutrino=antineutrino) for n, v in together.items())
    return rate(eft(30.0, helicity=helicity, **together), antineutrino=antineutrino) - alone


@pytest.mark.parametrize("helicity", ["summed", "left"])
def test_which_terms_change_sign_for_antineutrinos(helicity):
    for names in ODD_UNDER_CONJUGATION:
        term = interference(names, False, helicity)
        assert abs(term) > 1e-12 * rate(eft(30.0, **{n: SIZES[n] for n in names}))
        assert interference(names, True, helicity) == approx(-term, rel=1e-6)
    for names in EVEN_UNDER_CONJUGATION:
        together = eft(30.0, helicity=helicity, **{n: SIZES[n] for n in names})
        assert rate(together, antineutrino=True) == approx(rate(together), rel=1e-14)
    for names in EVEN_UNDER_CONJUGATION[4:]:
        assert abs(interference(names, False, helicity)) > 0


def test_vector_interference_belongs_to_the_corrected_variant():
    fields = {"C_V": 0.1, "C_S": 0.01}
    published = eft(30.0, variant="published", **fields)
    alone = rate(eft(30.0, C_V=0.1)) + rate(eft(30.0, C_S=0.01))
    assert rate(published) == approx(alone, rel=1e-14)
    assert rate(eft(30.0, **fields)) > 1.01 * alone


def test_dipole_prefactors():
    assert convention("corrected").dipole_prefactor == approx(37280.378, abs=1e-3)
    assert convention("published").dipole_prefactor == approx(38648.5, abs=0.5)
    ratio = rate(eft(10.0, a_M=1e-4, variant="published")) / rate(eft(10.0, a_M=1e-4))
    assert ratio == approx(1.0747, abs=1e-4)
    named = SimpleNamespace(dipole_prefactor="s_W M_W", vector_interference=True)
    assert convention(named) == (convention("published").dipole_prefactor, True)


def test_positive_for_any_complex_couplings():
    rng = np.random.default_rng(3)
    prefactor = convention("corrected").dipole_prefactor
    for _ in range(2000):
        m = rng.choice([0.0, 1e-3, rng.uniform(0, 52)])
        M = rng.choice([123772.75, 37215.5, 50.0])
        E = m + m**2 / (2 * M) + rng.exponential(10.0)
        low, high, width = recoil_range(E, M, m)
        T = low + width * rng.beta(0.3, 0.3)
        if not low < T < high:
            continue
        couplings = random_couplings(rng)
        for name in ("Z_A_M", "Z_A_E"):
            couplings[name] *= 10 ** rng.uniform(-3, 2)
        for name in rng.choice(list(couplings), size=3):
            couplings[name] = 0
        terms = chang_liao_2(E, T, M, m, **couplings, dipole_prefactor=prefactor, antineutrino=rng.random() < 0.5)
        # One-sided: the form is nearly singular for heavy nuclei, so rounding may give -1e-16 of the
        # terms.
        assert sum(terms) >= -1e-13 * sum(map(abs, terms))


def test_massless_vector_has_the_shape_of_the_standard_model():
    # (|C_V|² + |D_A|²) with C_V = -D_A = Q is (V - A) with strength Q: CLLS (22).
    Q, M, E = -70.0, 123772.75, 40.0
    for T in (1e-4, 0.01, 0.024):
        terms = chang_liao_2(E, T, M, 0.0, C_V=Q, D_A=-Q, dipole_prefactor=1.0)
        assert sum(terms) == approx(standard_model_22(E, T, M, Q), rel=1e-13)


def test_standard_model_in_the_form_of_chang_liao_11():
    """For T << E: (G² M/2π)(2 - MT/E²) [N g_n + Z g_p]² F²."""
    E, T, M = 30.0, 5e-3, CESIUM.mass
    weak = 55 * (0.5 - 2 * 0.2312) - 78 * 0.5
    F = helm_form_factor(CESIUM, T)
    expected = MEV2_CM2 * G_FERMI**2 * M / (2 * math.pi) * (2 - M * T / E**2) * (weak * F) ** 2
    assert rate(cf.StandardModel(), E, T) == approx(expected, rel=2 * T / E)


def test_zero_outside_the_allowed_range():
    chi = eft(30.0, C_S=0.01, a_M=1e-4)
    low, high, _ = recoil_range(50.0, CESIUM.mass, 30.0)
    outside = [low * (1 - 1e-9), high * (1 + 1e-9), 0.0]
    assert np.all(differential_cross_section(chi, CESIUM, 50.0, outside) == 0)
    assert np.all(differential_cross_section(chi, CESIUM, 50.0, [low * (1 + 1e-9), high * (1 - 1e-9)]) > 0)
    assert rate(chi, E=30.0) == 0


def test_broadcasts():
    values = differential_cross_section(eft(10.0, C_S=0.01), CESIUM, np.array([[20.0], [40.0]]), [1e-3, 2e-3, 3e-3])
    assert values.shape == (2, 3)
    assert values[1, 2] == rate(eft(10.0, C_S=0.01), 40.0, 3e-3)
    assert isinstance(rate(cf.StandardModel()), float)


def test_form_factor_enters_squared():
    point = differential_cross_section(cf.StandardModel(), CESIUM, 48.0, 0.012, form_factor=POINT)
    assert rate(cf.StandardModel()) == approx(point * helm_form_factor(CESIUM, 0.012) ** 2, rel=1e-14)


@pytest.mark.parametrize(("nuclide", "expected"), [(CESIUM, (2220.92, 399.0, 41.23)), (ARGON, (667.43, 120.0, 12.40))])
def test_nuclear_couplings(nuclide, expected):
    """CONVENTIONS: unit couplings, quark masses of 2.16 and 4.67 MeV."""
    found = sum(scalar(nuclide, 1, (2.16, 4.67))), sum(vector(nuclide, 1)), sum(tensor(nuclide, 1))
    assert np.real(found) == approx(expected, abs=5e-3)
    assert np.imag(found) == approx(0)


def test_u_and_d_couplings_are_separate():
    assert vector(ARGON, (1, 0)) == (36, 22)
    assert vector(ARGON, (0, 1)) == (18, 44)
    assert tensor(ARGON, (1, 0)) == approx((18 * 0.54, -22 * 0.23))
    assert scalar(ARGON, (0, 1), (2.2, 4.7)) == approx((18 * 938.27209 / 4.7 * 0.041, 22 * 939.56542 / 4.7 * 0.034))


def test_peak_of_the_dipole_spectrum():
    """CL Eq. (8): 2.15 keV for Cs-133, m_χ = 40 MeV, E = 53 MeV, without the form factor."""
    E, m, M = 53.0, 40.0, CESIUM.mass
    T = np.linspace(1e-3, 4e-3, 3001)
    spectrum = differential_cross_section(eft(m, a_M=1e-4), CESIUM, E, T, form_factor=POINT)
    x = m**2 / E**2
    peak = m**4 / (4 * M * E**2) / (1 - x / 4 - m**2 / (2 * M * E) + m**4 / (8 * M**2 * E**2))
    assert T[spectrum.argmax()] == approx(peak, abs=1e-6)
    assert peak == approx(2.15e-3, abs=0.01e-3)


def test_unknown_interactions_are_named():
    with pytest.raises(TypeError, match="object is not an interaction"):
        channels(object(), CESIUM)
    wrong = type("SingletEFT", (), vars(eft(1.0)) | {"helicity": "right"})
    with pytest.raises(ValueError, match="helicity = 'right'"):
        channels(wrong(), CESIUM)
