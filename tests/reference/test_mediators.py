"""Scalar and vector mediators of the slow twin: against traces, the EFT, and printed numbers."""

import math

import numpy as np
import pytest
from accuracy import approx, slow_counts
from slow_twin import F_G, chi2, loop_functions

import cevns_fast as cf
from cevns_fast.constants import G_FERMI, M_PROTON, MEV2_CM2
from cevns_fast.interactions.vector_mediator import LoopConvention
from cevns_fast.reference import differential_cross_section
from cevns_fast.reference.channel import Beam
from cevns_fast.reference.cross_sections import brdar_21, channels, standard_model_22
from cevns_fast.reference.kinematics import recoil_range
from cevns_fast.reference.vector_mediator import (
    CORRECTED,
    PUBLISHED,
    chao_25,
    loop_coefficients,
    standard_model_c2,
)

CESIUM, CSI, SM = cf.nuclide("Cs133"), cf.load("coherent-csi-2017"), cf.StandardModel()
POINT = cf.PointNucleus()


def on_csi(interaction):
    """The twin's counts without those of the Standard Model."""
    return slow_counts(CSI, interaction)[0]


def fields(name, **values):
    """An object with the fields of an interaction, and nothing else."""
    return type(name, (), values)()


def scalar(**values):
    return fields("ScalarMediator", **{"m_chi": 5.0, "m_S": 10.0, "y_bar": None, **values})


def vector(**values):
    return cf.VectorMediator(**{"m_chi": 10.0, "m_zprime": 100.0, "gchi_gq": 5e-8, **values})


# --- scalar ---------------------------------------------------------------------------------------


def test_mean_coupling_is_that_of_equal_nucleons():
    """BRX (19): ȳ⁴ = y_χ² y_n² for y_n = y_p, with A² in the numerator of (21)."""
    E, T = 40.0, 0.01
    mean = differential_cross_section(scalar(y_bar=1e-3), CESIUM, E, T)
    each = differential_cross_section(scalar(y_chi=0.5, y_n=2e-6, y_p=2e-6), CESIUM, E, T)
    assert mean == approx(each, rel=1e-14)
    point = differential_cross_section(scalar(y_bar=1e-3), CESIUM, E, T, form_factor=POINT)
    assert point == approx(MEV2_CM2 * brdar_21(E, T, CESIUM.mass, 5.0, 10.0, 1e-12 * 133**2), rel=1e-6)


def test_neutrons_and_protons_add_coherently():
    E, T = 40.0, 0.01
    cancelling = scalar(y_chi=1.0, y_n=1 / 78, y_p=-1 / 55)
    alone = scalar(y_chi=1.0, y_n=1 / 78, y_p=0.0)
    ratio = [differential_cross_section(s, CESIUM, E, T) for s in (cancelling, alone)]
    assert ratio[0] < 1e-25 * ratio[1]


@pytest.mark.parametrize("antineutrino", [False, True])
def test_heavy_scalar_is_the_contact_interaction(antineutrino):
    """|C_S| = y²/(G_F m_S²) with summed helicities."""
    E, T, m_S, y_bar = 40.0, 0.01, 1e5, 1e-2
    nuclear = (y_bar**2 * 133) / (G_FERMI * m_S**2)
    unit = differential_cross_section(cf.SingletEFT(m_chi=5.0, C_S=1.0), CESIUM, E, T, antineutrino=antineutrino)
    C_S = nuclear / cf.SingletEFT(m_chi=5.0, C_S=1.0).nuclear_couplings(CESIUM)["C_S"].real
    found = differential_cross_section(scalar(m_S=m_S, y_bar=y_bar), CESIUM, E, T, antineutrino=antineutrino)
    assert found == approx(C_S**2 * unit, rel=1e-6)


@pytest.mark.parametrize(
    ("m_S", "y_bar"),
    [
        (0.0, 6.8e-5),
        pytest.param(10.0, 6.9e-5, marks=pytest.mark.slow),
        pytest.param(100.0, 1.44e-4, marks=pytest.mark.slow),
    ],
)
def test_bounds_of_brdar_from_coherent(m_S, y_bar):
    """The bounds: Δχ² = 2.71 without nuisance, without B_on, σ² = N_meas + 2 B_SS."""
    plain = CSI.replace(signal_uncertainty=0.0, backgrounds=())
    model = scalar(m_chi=3.0, m_S=m_S, y_bar=y_bar)
    standard, new = on_csi(SM), on_csi(model)
    # The counts are a multiple w of `new`, w = (y/ȳ)⁴ >= 0; the minimum of a quadratic function, bounded
    # below by 0.
    weights = np.linspace(0, 2, 401)
    values = [chi2(plain, standard + w * new) for w in weights]
    best = min(values)
    bound = weights[np.flatnonzero(np.array(values) <= best + 2.71)[-1]]
    assert bound**0.25 == approx(1, rel=0.05)


# --- vector ---------------------------------------------------------------------------------------


def test_heavy_tree_is_the_eft_with_opposite_axial():
    """g_χ g_q/m_Z'² = √2 G_F C_V: (1/2)(γ - γγ₅)."""
    E, T, m_zprime, g = 40.0, 0.01, 1e6, 1e-3
    # Downphilic: only d. C_V* = -D_A*, of size g/m_Z'² = √2 G_F C_V (P_L is half of 1 - γ₅).
    C = g / m_zprime**2 / (math.sqrt(2) * G_FERMI)
    eft = cf.SingletEFT(m_chi=10.0, C_V=(0.0, C), D_A=(0.0, -C))
    tree = vector(m_zprime=m_zprime, gchi_gq=g, loops=False)
    for antineutrino in (False, True):
        found = [differential_cross_section(i, CESIUM, E, T, antineutrino=antineutrino) for i in (tree, eft)]
        assert found[0] == approx(found[1], rel=1e-8)
    assert channels(vector(case="B", loops=False), CESIUM) == []


def traced(E, T, M, c1, c2, c3, Q):
    """The neutrino amplitude, squared, as its parts.

    [c1 + c3 (k·p)²] ν̄P_Lν N̄N + c2 (k·p) ν̄k̸P_Lν N̄N - √2 G_F Q ν̄γ^μP_Lν N̄γ_μN

    Traces in closed form with p1² = p2² = 0, k1² = k2² = M², averaged over nuclear spins; CL (A3), (A5).
    """
    p1k1, p1k2, p2k1, p2k2 = M * E, M * (E - T), M * (E - T), M * E
    p1p2, k1k2 = M * T, M * (M + T)
    scalar_nucleus = 4 * (k1k2 + M**2)
    s = (c1 + c3 * p1k1**2) ** 2 * 2 * p1p2 * scalar_nucleus
    # ½ tr[p̸2 k̸ p̸1 k̸] = 2(2 (p1k)(p2k) - M² p1p2)
    v = (c2 * p1k1) ** 2 * 2 * (2 * p1k1 * p2k1 - M**2 * p1p2) * scalar_nucleus
    g = -math.sqrt(2) * G_FERMI * Q
    # tr[p̸2 γ^μ P_L p̸1 γ^ν] tr[(k̸2 + M) γ_μ (k̸1 + M) γ_ν], symmetric part
    sm = g**2 * 2 * 4 * (2 * p1k1 * p2k2 + 2 * p1k2 * p2k1 - 2 * M**2 * p1p2)
    # The nuclear line gives tr[(k̸2 + M) γ_μ (k̸1 + M)] = 4M (k1 + k2)_μ.
    k = 4 * M * 2 * (p2k1 * (p1k1 + p1k2) + p1k1 * (p2k1 + p2k2) - p1p2 * (M**2 + k1k2))
    mixed = 2 * g * c2 * p1k1 * k
    return [x / 2 / (32 * math.pi * M * E**2) for x in (s, v, sm, mixed)]


def test_loop_cross_section_is_that_of_the_traces():
    E, T, M, c1, c2, c3, Q = 30.0, 1.7, 80.0, 3e-7, 4e-9, 5e-11, -2.0
    s, v, sm, mixed = traced(E, T, M, c1, c2, c3, Q)
    terms = chao_25(E, T, M, c1, c2, c3)
    assert sum(terms[:3]) == approx(s, rel=1e-13)
    assert terms[3] == approx(v, rel=1e-13)
    assert standard_model_22(E, T, M, Q) == approx(sm, rel=1e-13)
    assert standard_model_c2(E, T, M, Q, c2) == approx(mixed, rel=1e-13)
    low, high, _ = recoil_range(E, M, 0.0)
    assert low < T < high


@pytest.mark.parametrize("antineutrino", [False, True])
def test_interference_with_the_standard_model(antineutrino):
    E, T = 40.0, np.array([0.01])
    loops = channels(vector(case="B", m_chi=100.0, m_zprime=1000.0), CESIUM)[0]
    published = channels(vector(case="B", variant="published"), CESIUM)[0]
    terms = loops.terms(np.array([E]), T[0], Beam(antineutrino, None))
    assert terms.shape[0] == 5
    assert published.terms(np.array([E]), T[0], Beam(antineutrino, None)).shape[0] == 4
    # Q < 0: constructive for neutrinos with c2 > 0.
    assert np.sign(terms[4]) == (-1 if antineutrino else 1)


def coefficients(case, choices, **values):
    values = {"g_chi_L": 1.0, "g_chi_R": 1.0, "m_chi": 50.0, "m_zprime": 300.0} | values
    g_q = dict.fromkeys("ucts", 0.0) | {"d": 1e-3, "s": 1e-3, "b": 1e-3}
    m_chi, m_zprime = values.pop("m_chi"), values.pop("m_zprime")
    return loop_coefficients(CESIUM, m_chi, m_zprime, g_q=g_q, case=case, choices=choices, **values)


def test_what_the_loop_choices_change():
    for case in "AB":
        printed, corrected = coefficients(case, PUBLISHED), coefficients(case, CORRECTED)
        nucleus = coefficients(case, CORRECTED._replace(momentum="nucleus"))
        assert np.array(corrected.c2) * 133**2 == approx(np.array(nucleus.c2), rel=1e-14)
        assert np.array(corrected.c3) * 133**2 == approx(np.array(nucleus.c3), rel=1e-14)
        assert corrected.c1 == nucleus.c1
        if case == "A":
            assert printed.c1 == corrected.c1
            assert printed.c2 == nucleus.c2
    # Each of φφ and F_G moves c1 in case B.
    phi = coefficients("B", PUBLISHED._replace(phi_phi=CORRECTED.phi_phi))
    fg = coefficients("B", PUBLISHED._replace(fg_variant="corrected"))
    c1 = coefficients("B", PUBLISHED).c1
    assert phi.c1 != c1
    assert fg.c1 != c1
    assert coefficients("B", PUBLISHED, g_chi_R=0.0)[0] == (0, 0)


def test_dimensions_of_the_loop_coefficients():
    """Both masses doubled: c1/m_N, c2 m_N and c3 m_N of case A fall as m⁻³, m⁻⁴ and m⁻⁵."""
    one, two = coefficients("A", PUBLISHED), coefficients("A", PUBLISHED, m_chi=100.0, m_zprime=600.0)
    for a, b, power in zip(one, two, (3, 4, 5), strict=True):
        assert np.array(a) == approx(2**power * np.array(b), rel=1e-13)


def test_loop_events_of_benchmark_b():
    """CLLS Fig. 3, case B: about 226 loop events as printed, nothing with the nucleon's momentum."""
    benchmark = {"m_chi": 100.0, "m_zprime": 1000.0, "gchi_gq": 5e-4, "case": "B"}
    assert on_csi(vector(**benchmark, variant="published")).sum() == approx(226, abs=1)
    assert abs(on_csi(vector(**benchmark, variant="corrected")).sum()) < 0.1


@pytest.mark.parametrize(("ratio", "bound"), [(10.0, 6.47e-9), pytest.param(2.0, 1.50e-9, marks=pytest.mark.slow)])
def test_bounds_of_chao_case_a(ratio, bound):
    """Δχ² = 4.61 at m_χ = 1 MeV with published loops."""
    values = []
    for g in (0.97 * bound, 1.03 * bound):
        new = on_csi(vector(m_chi=1.0, m_zprime=ratio, gchi_gq=g, variant="published"))
        values.append(chi2(CSI, on_csi(SM) + new))
    best = min(chi2(CSI, on_csi(SM)), *values)
    assert values[0] - best < 4.61 < values[1] - best


def test_variant_by_single_choices():
    own = LoopConvention(F_G="corrected", phi_phi="published", momentum="nucleon", sm_interference=False)
    (found,) = channels(vector(case="B", variant=own), CESIUM)
    assert found.terms(np.array([40.0]), 0.01, Beam(False, None)).shape[0] == 4


def test_couplings_by_name_and_chirality():
    E, T = 40.0, 0.01
    own = vector(quark_couplings={"u": 1.0}, chi_couplings=(2.0, 0.0), loops=False)
    unit = differential_cross_section(vector(loops=False), CESIUM, E, T)
    # Z(2u + d) + N(u + 2d): 188 up and 211 down quarks in Cs-133.
    assert differential_cross_section(own, CESIUM, E, T) == approx(unit * (2 * 188 / 211) ** 2, rel=1e-12)
    no_tree = vector(tree=False, loops=False)
    assert channels(no_tree, CESIUM) == []
    # Without g_χR only c2 is left.
    terms = channels(vector(chi_couplings=(1.0, 0.0), tree=False), CESIUM)[0].terms(np.array([E]), T, Beam(False, None))
    assert np.flatnonzero(terms[:, 0]).tolist() == [3, 4]


def test_scalar_coefficient_by_the_identity_of_loop_functions():
    """κ D0b + (8/m)(D00a - D00b) = (κ - 2) D0b, so c1 of one flavour is a single loop function (or three)."""
    m_chi, m_zprime = 50.0, 300.0
    D = loop_functions(m_chi, m_zprime)
    unit = m_chi / (4 * math.pi) ** 2 * 55 * M_PROTON  # protons
    light, gluon = 0.0447, 1 - 0.0153 - 0.0191 - 0.0447

    def c1(case, flavour):
        g_q = dict.fromkeys("udscbt", 0.0) | {flavour: 1.0}
        choices = CORRECTED._replace(phi_phi=(0.0, 0.0, 0.0))
        found = loop_coefficients(
            CESIUM, m_chi, m_zprime, g_chi_L=1.0, g_chi_R=1.0, g_q=g_q, case=case, choices=choices
        )
        return found.c1[0]

    assert c1("A", "s") == approx(6 * unit * D.D0b * light, rel=1e-12)
    assert c1("B", "s") == approx(unit * (-10 * D.D0b + 32 / m_zprime**2 * D.D00b) * light, rel=1e-12)
    assert c1("A", "b") == approx(3 * unit * 2 / 27 * D.D0b * gluon, rel=1e-12)
    goldstones = (m_chi / m_zprime**2) ** 2 * 4 / 27 * 4180.0**2 * F_G(m_chi, m_zprime, 4180.0)
    assert c1("B", "b") == approx(unit * gluon * (-13 * 2 / 27 * D.D0b + goldstones), rel=1e-12)
