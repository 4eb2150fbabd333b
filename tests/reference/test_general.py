"""The field's further interactions against values of an independent calculation, and what must hold of them.

`general_check_values.json` holds numbers that were computed elsewhere from explicit Dirac traces at 50 digits, and
counts by an independent integration, with their inputs: on Cs-133 at E = 30 MeV and T = 5 keV without form factor
unless they say otherwise, on electrons at E = 30 MeV and T = 10 keV; sin²θ_W = 0.23857 and tree couplings.
"""

import math
from functools import partial

import accuracy
import numpy as np
import pytest
from check_values import VALUES, value
from slow_twin import event_rate

import cevns_fast as cf
from cevns_fast.constants import ALPHA, G_FERMI, HBAR_C, M_ELECTRON, MEV2_CM2
from cevns_fast.counts.flux import PartOfSource
from cevns_fast.reference import differential_cross_section, flavour, weak
from cevns_fast.reference.channel import FLAVOURS, beam
from cevns_fast.reference.cross_sections import brdar_21, chang_liao_2
from cevns_fast.reference.electrons import effective_electrons, gram_cross_section, shells
from cevns_fast.reference.form_factor import proton_and_neutron

POINT, CESIUM = cf.PointNucleus(), cf.nuclide("Cs133")
S2 = 0.23857
approx = partial(accuracy.approx, rel=1e-10)


def weak_model(**fields):
    return cf.StandardModel(**{"sin2_theta_w": S2, **fields})


TREE = weak_model()


def _both(interaction, target, E, T, model, form_factor, **beam):
    """The cross section of the fast path, if it is the slow twin's."""
    fast = cf.differential_cross_section(
        interaction, target, E, T, standard_model=model or False, form_factor=form_factor, **beam
    )
    slow_target = "electron" if target is cf.ELECTRON else target
    slow = differential_cross_section(
        interaction, slow_target, E, T, form_factor=form_factor, standard_model=model, **beam
    )
    assert fast == approx(slow, rel=1e-12)
    return fast


def on_cesium(interaction, flavour="e", antineutrino=False, model=TREE, E=30.0, T=0.005):
    return _both(interaction, CESIUM, E, T, model, POINT, flavour=flavour, antineutrino=antineutrino)


def on_electron(interaction, flavour="e", antineutrino=False, model=None, E=30.0, T=0.01):
    return _both(interaction, cf.ELECTRON, E, T, model, None, flavour=flavour, antineutrino=antineutrino)


# --- closed forms ---------------------------------------------------------------------------------


def test_radiative_couplings():
    for name in FLAVOURS:
        assert weak.proton_coupling(name, S2, "radiative") == approx(value(f"A.gp_{name}"))
        g_V, g_A = value(f"C.gV_gA_{name}")
        assert weak.electron_vector(name, S2, "radiative") == approx(g_V)
        assert weak.electron_axial(name, "radiative") == approx(g_A)
        radius = MEV2_CM2 * weak.standard_model_charge_radius(name)
        assert radius == approx(value(f"A.charge_radius_SM_{name}"))
    assert weak.neutron_coupling("radiative") == approx(value("A.gn"))


def test_momentum_dependence_of_the_couplings():
    assert weak.proton_coupling("e", S2, "radiative-q2", 0.0) == approx(value("A.gp_e"), rel=1e-12)
    assert weak.proton_coupling("e", S2, "radiative-q2", 50.0**2) == pytest.approx(0.0324, abs=5e-5)
    for name in FLAVOURS:
        m2 = weak.lepton_mass(name) ** 2
        for Q2 in (m2, 30 * m2, 3e3 * m2, 1e5 * m2):
            # The closed form of the vacuum polarisation.
            b = math.sqrt(1 + 4 * m2 / Q2)
            log = math.log((b + 1) / (b - 1))
            closed = -5 / 3 + 4 * m2 / Q2 + (1 - 2 * m2 / Q2) * b * log
            found = weak.mean_logarithm(name, 0.0) - weak.mean_logarithm(name, Q2)
            assert found == approx(closed, rel=1e-11)


def test_axial_structure():
    I127 = VALUES["A.FA0_I127"]["inputs"]
    args = I127["J"], I127["Sp"], I127["Sn"]
    assert weak.axial_structure(*args) == approx(value("A.FA0_I127")["with_isoscalar"])
    assert weak.axial_structure(*args, strange=0.0) == approx(value("A.FA0_I127")["isovector_only"])
    free = weak.axial_structure(0.5, 0.5, 0.0, strange=0.0) / weak.G_A**2
    assert free == approx(value("A.axial_nucleon_check"))


def test_form_factors():
    expected = value("A.FF_Cs133_T0.01")
    assert math.sqrt(2 * CESIUM.mass * 0.01) / HBAR_C == approx(expected["q_fm"])
    rms5 = {"convention": "mass-number", "neutron_radius": 5.0}
    kn = cf.KleinNystrand(**rms5)
    fermi = cf.SymmetrisedFermi(**rms5)
    assert proton_and_neutron(None, CESIUM, 0.01)[0] == approx(expected["helm_ls"])
    assert proton_and_neutron(kn, CESIUM, 0.01) == approx((expected["kn"], expected["kn_rms5"]))
    assert proton_and_neutron(fermi, CESIUM, 0.01)[0] == approx(expected["symfermi"])
    helm = cf.HelmFormFactor(neutron_radius=5.0)
    assert proton_and_neutron(helm, CESIUM, 0.01)[1] == approx(expected["helm_rms5"])


def test_form_factors_begin_at_one_and_fall_with_the_radius_squared():
    for form in (
        cf.KleinNystrand(convention="rms", neutron_radius=5.0),
        cf.SymmetrisedFermi(convention="rms", neutron_radius=5.0),
    ):
        assert proton_and_neutron(form, CESIUM, 0.0) == approx((1.0, 1.0))
        q2 = 2 * CESIUM.mass * 1e-7 / HBAR_C**2
        F = proton_and_neutron(form, CESIUM, 1e-7)
        assert [6 * (1 - f) / q2 for f in F] == approx([CESIUM.charge_radius**2, 25.0], rel=1e-4)
        # Both expansions of the symmetrised Fermi form meet.
        below, above = (proton_and_neutron(form, CESIUM, T)[1] for T in (6.2e-5, 6.4e-5))
        assert below - above == approx(25 / 6 * 2 * CESIUM.mass * 2e-6 / HBAR_C**2, rel=3e-3)


def test_standard_model_on_a_nucleus():
    assert on_cesium(TREE) == approx(value("B.SM_tree_0"))
    for name in FLAVOURS:
        assert on_cesium(weak_model(couplings="radiative"), name) == approx(value("B.SM_rad_0")[name])


def test_nsi():
    epsilons = {
        "eps_ee_u": 0.1, "eps_ee_d": -0.05, "eps_emu_u": 0.02 + 0.03j, "eps_emu_d": 0.01 - 0.04j,
        "eps_etau_d": 0.07j, "eps_mumu_u": -0.2, "eps_mumu_d": 0.15, "eps_mutau_u": 0.05, "eps_mutau_d": 0.02,
    }  # fmt: skip
    for name in FLAVOURS:
        for antineutrino in (False, True):
            assert on_cesium(cf.NSI(**epsilons), name, antineutrino) == approx(value("B.NSI_0")[name])


@pytest.mark.parametrize("charges", ["universal", "B-L"])
def test_light_vector(charges):
    expected = value(f"B.Zp_{charges}_g5e-05_m30.0_0")
    for name in ("e", "mu"):
        assert on_cesium(cf.LightVector(30.0, 5e-5, charges), name) == approx(expected[name])


def test_light_vector_in_a_loop():
    expected = value("B.LmuLtau_g0.001_m10.0_0")
    Q2 = 2 * CESIUM.mass * 0.005
    assert flavour.epsilon_loop("mu", "tau", Q2) == approx(expected["eps_tau_mu(q)"])
    assert flavour.epsilon_loop("mu", "tau", 0.0) == approx(expected["eps(0)"])
    for name in ("mu", "tau"):
        assert on_cesium(cf.LightVector(10.0, 1e-3, "Lmu-Ltau"), name) == approx(expected[name])
    assert on_cesium(cf.LightVector(10.0, 1e-3, "Lmu-Ltau"), "e") == approx(value("B.SM_tree_0"))


def test_scalar_and_generalised_interactions():
    E, T, M = 30.0, 0.005, CESIUM.mass
    for name in ("B.scalar_m5.0_0", "B.scalar_m100.0_0"):
        inputs = VALUES[name]["inputs"]
        y4 = inputs["y2_nucleus"] ** 2
        added = brdar_21(E, T, M, 0.0, inputs["m"], y4)
        assert MEV2_CM2 * added == approx(value(name))
    for name, X in (("B.GNI_S_0", "C_S"), ("B.GNI_T_0", "C_T")):
        c = VALUES[name]["inputs"][X]
        terms = chang_liao_2(E, T, M, 0.0, dipole_prefactor=1.0, **{X: c})
        assert MEV2_CM2 * sum(terms) / 2 == approx(value(name))  # a left-handed neutrino


def test_electromagnetic_properties():
    moment = cf.MagneticMoment(mu_e=1e-9)
    assert on_cesium(moment, model=None) == approx(value("B.mu_nu_0"))
    assert on_cesium(moment) == approx(value("B.mu_nu_0") + value("B.SM_tree_0"))
    assert on_cesium(moment, "mu", model=None) == 0
    expected = value("B.millicharge_0")
    for antineutrino in (False, True):
        charge = {"antineutrino": antineutrino}
        assert on_cesium(cf.Millicharge(ee=1e-7), **charge) == approx(expected["nu(+q)"])
        assert on_cesium(cf.Millicharge(ee=-1e-7), **charge) == approx(expected["nu(-q)"])
    transition = on_cesium(cf.Millicharge(emu=1e-7), model=None)
    assert transition == approx(expected["transition"])
    expected = value("B.charge_radius_0")
    assert on_cesium(cf.ChargeRadius(ee=3e-31)) == approx(expected["diag +r2"])
    assert on_cesium(cf.ChargeRadius(etau=3e-31), model=None) == approx(expected["transition"])
    factor = math.sqrt(2) * math.pi * ALPHA / (3 * G_FERMI)
    assert factor * 1e-6 == approx(value("B.KR"))
    assert factor * 1e-32 / MEV2_CM2 == approx(value("B.KR_times_1e-32cm2"))


def test_oscillation_into_a_sterile_neutrino():
    name = "B.sterile_ue0.05_dm1.0_L19.3_E30.0"
    inputs, expected = VALUES[name]["inputs"], value(name)
    assert flavour.PHASE == approx(value("B.osc_phase_const"))
    e, mu, tau = (inputs[f"U{name}4sq"] for name in FLAVOURS)
    sterile = 1 - e - mu - tau
    args = inputs["dm2"], inputs["L"], inputs["E"]
    assert flavour.survival_of_active(e, sterile, *args) == approx(expected["P_e->active"])
    assert flavour.survival_of_active(mu, sterile, *args) == approx(expected["P_mu->active"])
    elements = tuple(map(math.sqrt, (e, mu, tau)))
    E = np.array([inputs["E"]])
    for start, ends in (("e", {"e": "P_ee"}), ("mu", {"mu": "P_mumu", "e": "P_mu->e"})):
        state = flavour.oscillated_amplitude(start, elements, inputs["dm2"], inputs["L"], E)[0]
        assert np.vdot(state, state).real == approx(expected[f"P_{start}->active"])
        for end, key in ends.items():
            assert abs(state[FLAVOURS.index(end)]) ** 2 == approx(expected[key])


def test_standard_model_on_an_electron():
    expected = value("C.SM_tree_0")
    for name in ("e", "mu"):
        assert on_electron(TREE, name) == approx(expected[name])
        assert on_electron(TREE, name, antineutrino=True) == approx(expected[f"{name}bar"])


def test_new_physics_on_an_electron():
    moment = cf.MagneticMoment(mu_e=1e-11)
    assert on_electron(moment) == approx(value("C.mu_nu_0"))
    for name in ("e", "mu"):
        found = on_electron(cf.LightVector(10.0, 3e-5, "B-L"), name, model=TREE)
        assert found == approx(value("C.Zp_B-L_g3e-05_m10.0_0")[name])
    for m in (0.05, 3.0):
        expected = value(f"C.scalar_m{m}_0")
        for operator in "SP":
            alone = cf.ElectronEFT(m_chi=0.0, m_mediator=m, **{operator: 1e-10})  # fmt: skip
            assert on_electron(alone) == approx(expected[operator])
        axial = cf.LightVector(m, 1e-6, {"nu_e": 1.0, "e_axial": 1.0})
        assert on_electron(axial, model=TREE) == approx(expected["axial, SM nu_e included"])


def test_all_operators_on_an_electron():
    inputs, expected = VALUES["C.general_1"]["inputs"], value("C.general_1")
    c = {"S": 0.7 - 0.2j, "P": 0.3 + 0.5j, "V": 1.1 + 0.4j, "A": -0.6 + 0.1j, "T": 0.25 - 0.35j}
    args = inputs["E"], inputs["T"], inputs["m"], c
    assert gram_cross_section(*args) == approx(expected["nu"])
    assert gram_cross_section(*args, antineutrino=True) == approx(expected["antinu"])


def test_bound_electrons():
    for element in ("Ge", "Xe"):
        for energy, number in value(f"C.Zeff_{element}").items():
            assert effective_electrons(element, float(energy) * 1e-3) == number


# --- counts ---------------------------------------------------------------------------------------

CSI = cf.load("coherent-csi-2017")


def counted(interaction, model=TREE, experiment=CSI, **kwargs):
    """The fast counts, if they are the slow twin's."""
    fast = cf.event_rate(experiment, interaction, standard_model=model, **kwargs)
    np.testing.assert_allclose(fast, event_rate(experiment, interaction, standard_model=model, **kwargs), rtol=1e-10)
    return fast


def counts(name, interaction, model=TREE, experiment=CSI, **kwargs):
    found = counted(interaction, model, experiment, **kwargs)
    np.testing.assert_allclose(found, value(name), rtol=1e-8, atol=0.0)


def test_counts_of_the_standard_model():
    total = {}
    models = {"N.SM_0.2312": weak_model(sin2_theta_w=0.2312), "N.SM_radiative": weak_model(couplings="radiative")}
    for name, model in models.items():
        expected = np.sum(list(value(name).values()), axis=0)
        total[name] = counted(model)
        np.testing.assert_allclose(total[name], expected, rtol=1e-8)
        for component, key in zip(CSI.source.components, ("mu", "e", "mubar"), strict=True):
            alone = PartOfSource((component,), CSI.source.fluence_per_exposure, CSI.source.exposure_unit)
            found = cf.event_rate(CSI.replace(source=alone), model)
            np.testing.assert_allclose(found, value(name)[key], rtol=1e-8, atol=0.0)
    assert total["N.SM_0.2312"].sum() == approx(value("N.SM_0.2312_sum"), rel=1e-8)
    counts("N.SM_0.23857", TREE)
    separate = cf.HelmFormFactor(convention="rms", neutron_radius=5.5)
    counts("N.Rn_5.5", TREE, experiment=CSI.replace(form_factor=separate))


@pytest.mark.parametrize(
    ("name", "interaction"),
    [
        ("N.NSI_ee_u.1", cf.NSI(eps_ee_u=0.1)),
        ("N.Zp_B-L_g5e-05_m30.0", cf.LightVector(30.0, 5e-5, "B-L")),
    ],
)
def test_counts_of_new_physics(name, interaction):
    counts(name, interaction)


def test_counts_of_an_oscillated_source():
    source = cf.OscillatedSource(CSI.source, delta_m2=1.0, Ue4_sq=0.1, Umu4_sq=0.05)
    counts("N.sterile_.1_.05_1.0", TREE, experiment=CSI.replace(source=source))


def of_electrons(*bins):
    """CsI that counts electrons as they are, in keV."""
    detector = cf.Detector(CSI.detector.target, CSI.detector.mass, bins, electron_response=cf.Response())
    return cf.Experiment("electrons", CSI.source, detector, CSI.exposure, None, np.zeros(len(bins) - 1))


def test_counts_of_electrons():
    experiment = of_electrons(0.2, 0.5, 1, 2, 4, 6, 20, 40, 100)
    counts("N.electron_SM", TREE, experiment=experiment, target="electrons")


def test_counts_of_the_dipole_portal():
    portal = cf.SingletEFT(m_chi=20.0, a_M=VALUES["N.dipole_portal_m20.0_2e-9"]["inputs"]["aM"], helicity="left")
    counts("N.dipole_portal_m20.0_2e-9", portal, model=False)


# --- limits ---------------------------------------------------------------------------------------


def test_heavy_vector_is_nsi():
    g, m = 1e-2, 3e4
    epsilon = g**2 * (1 / 3) * (-1) / (math.sqrt(2) * G_FERMI * m**2)
    assert epsilon == approx(-(g**2) / 3 * value("B.heavy_limit")["eps_per"] / m**2)
    heavy = on_cesium(cf.LightVector(m, g, "B-L"), "mu", model=TREE) - on_cesium(TREE, "mu")
    same = {f"eps_{pair}_{q}": epsilon for pair in ("ee", "mumu", "tautau") for q in "ud"}
    assert heavy == approx(on_cesium(cf.NSI(**same), "mu") - on_cesium(TREE, "mu"), rel=1e-5)


def test_nsi_shifts_the_weak_charge_and_has_blind_directions():
    Z, N = CESIUM.Z, CESIUM.N
    # ε^u with 2Z + N quarks, against a shift of sin²θ_W.
    shifted = weak_model(sin2_theta_w=S2 - 0.01)
    epsilon = 0.02 * Z / (2 * Z + N)
    assert on_cesium(cf.NSI(eps_ee_u=epsilon)) == approx(on_cesium(shifted), rel=1e-12)
    blind = {"eps_mumu_u": 0.3 * (Z + 2 * N), "eps_mumu_d": -0.3 * (2 * Z + N)}
    assert on_cesium(cf.NSI(**blind), "mu") == approx(on_cesium(TREE, "mu"), rel=1e-9)


def test_nsi_flavours_are_not_mixed_up():
    only_e = cf.NSI(eps_ee_u=0.1)
    assert on_cesium(only_e, "mu") == on_cesium(TREE, "mu")
    assert on_cesium(only_e, "e") != on_cesium(TREE, "e")
    # A superposition sees the phase of an off-diagonal ε, and an antineutrino its conjugate.
    complex_one, state = cf.NSI(eps_emu_u=0.1j), np.array([1, 1j, 0]) / math.sqrt(2)
    assert on_cesium(complex_one, state) != approx(on_cesium(complex_one, state.conj()))
    assert on_cesium(complex_one, state, antineutrino=True) == approx(on_cesium(complex_one, state.conj()))


def test_dipole_portal_becomes_the_magnetic_moment():
    factor = value("B.dipole_conversion")["mu_per_aM_left"]
    a_M = 1e-10 / factor
    portal = cf.SingletEFT(m_chi=1e-6, a_M=a_M, helicity="left")
    moment = cf.MagneticMoment(mu_e=1e-10)
    assert on_cesium(portal, model=None) == approx(on_cesium(moment, model=None))
    assert on_electron(portal) == approx(on_electron(moment), rel=1e-9)
    summed = cf.SingletEFT(m_chi=1e-6, a_M=1e-10 / value("B.dipole_conversion")["mu_per_aM_summed"])
    assert on_cesium(summed, model=None) == approx(on_cesium(moment, model=None))


def test_electron_vector_has_the_heavy_limit():
    g, m = 1e-2, 1e4
    heavy = on_electron(cf.LightVector(m, g, "universal"), model=TREE)
    shift = g**2 / (math.sqrt(2) * G_FERMI * m**2)
    same = on_electron(weak_model(sin2_theta_w=S2 + shift / 2))
    assert heavy == approx(same, rel=1e-7)


def test_oscillation_ends_at_the_source():
    for start in FLAVOURS:
        state = flavour.oscillated_amplitude(start, (0.3, 0.2j, 0.1), 1.0, 0.0, np.array([5.0]))[0]
        assert np.vdot(state, state).real == approx(1.0)


def test_non_unitary_mixing():
    N = np.array([[0.99, 0, 0], [0.02 + 0.01j, 0.98, 0], [0, 0, 1]])
    product = N @ N.conj().T
    assert flavour.non_unitary_factor(np.eye(3), "mu", normalised=False) == 1
    found = flavour.non_unitary_factor(N, "mu", normalised=True)
    assert found == approx((product @ product @ product)[1, 1].real / product[1, 1].real)
    assert flavour.non_unitary_fermi_constant(N) > 1


def test_shells_hold_no_more_electrons_than_the_atom():
    for element, (Z, subshells) in shells().items():
        assert sum(number for _, number in subshells) <= Z, element
        assert effective_electrons(element, 1.0) == Z
    assert M_ELECTRON > 0.5
    assert beam(False, "mu").weight == 1
