"""Interactions that tell flavours apart, interfere and hit electrons: fast = slow, and what must hold of the counts."""

import math
import os
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from accuracy import twin
from cases import quick_are

import cevns_fast as cf
from cevns_fast.counts.flux import beams_of

CSI, CONUS = cf.load("coherent-csi-2017"), cf.load("conus-100kg")
# One isotope and two bins of it: the twin integrates each over a hundred pieces of the spectrum.
GERMANIUM = CONUS.replace(target=cf.Target.of("Ge-74", {"Ge74": 1}), bins=CONUS.detector.bins[:3])
TREE = cf.StandardModel(sin2_theta_w=0.23857)
RUNNING = cf.StandardModel(couplings="radiative-q2", axial=True)
LAR = cf.load("coherent-lar-610kg")


def agrees(experiment, interaction, **kwargs):
    """|fast - slow| in each bin within 1e-10 of the sum of the absolute values of its terms."""
    fast = cf.event_rate(experiment, interaction, **kwargs)
    slow, terms = twin(experiment, interaction, **kwargs)
    assert np.all(np.abs(fast - slow) <= 1e-10 * np.maximum(terms, 1e-2 * terms.max()))
    return fast


def electrons(*bins):
    detector = cf.Detector(CSI.detector.target, 14.57, bins, electron_response=cf.Response())
    return cf.Experiment("electrons", CSI.source, detector, CSI.exposure, None, np.zeros(len(bins) - 1))


ON_NUCLEI = [
    cf.NSI(eps_ee_u=0.1, eps_emu_d=0.1 - 0.2j, eps_mumu_d=0.1, eps_mutau_u=0.3j),
    cf.LightVector(m_zprime=30.0, g=5e-5, charges="B-L"),
    cf.LightVector(m_zprime=0.5, g=2e-5, charges={"u": 1.0, "nu_mu": 2.0}),
    cf.LightVector(m_zprime=3.0, g=1e-3, charges="Lmu-Ltau"),
    cf.LightVector(m_zprime=0.3, g=1e-3, charges="Le-Lmu", mixing=0.1),
    cf.ChargeRadius(ee=1e-31, mumu=-3e-32, emu=1e-31j),
    cf.Millicharge(ee=1e-9, mumu=1e-8, etau=1e-8),
    cf.MagneticMoment(mu_e=1e-10, mu_mu=1e-9),
    cf.SingletEFT(5.0, a_M=1e-4, C_S=0.01, flavours=("mu",)),
    cf.ScalarMediator(3.0, 10.0, y_bar=1e-4, flavours=("e",)),
    cf.ScalarMediator(0.0, 10.0, y_bar=1e-5),
]
IDS = [f"{type(each).__name__}-{i}" for i, each in enumerate(ON_NUCLEI)]


@pytest.mark.parametrize("interaction", quick_are(ON_NUCLEI, 0, 5, 7, ids=IDS))
@pytest.mark.parametrize("experiment", [CSI, GERMANIUM], ids=["csi", "conus"])
def test_fast_equals_slow_on_nuclei(experiment, interaction):
    for model in (False, TREE) if experiment is CSI else (TREE,):
        agrees(experiment, interaction, standard_model=model)


@pytest.mark.parametrize("interaction", [ON_NUCLEI[0], ON_NUCLEI[3]], ids=["NSI", "LightVector"])
def test_fast_equals_slow_with_couplings_that_run(interaction):
    agrees(CSI, interaction, standard_model=RUNNING)
    agrees(GERMANIUM, RUNNING)


@pytest.mark.slow
@pytest.mark.parametrize("interaction", ON_NUCLEI, ids=IDS)
def test_fast_equals_slow_on_argon(interaction):
    if interaction not in (ON_NUCLEI[0], ON_NUCLEI[3]) and "CEVNS_FAST_EXHAUSTIVE" not in os.environ:
        pytest.skip("the twin takes ten seconds each: CEVNS_FAST_EXHAUSTIVE=1 waits for it")
    agrees(LAR, interaction, standard_model=TREE)


@pytest.mark.parametrize("interaction", ON_NUCLEI, ids=IDS)
@pytest.mark.parametrize("experiment", [CSI, LAR, CONUS], ids=["csi", "lar", "conus"])
def test_moments_equal_the_double_integral(experiment, interaction):
    """The third judge, over all bins of all nuclides."""
    moments = cf.event_rate(experiment, interaction, standard_model=TREE)
    double = cf.event_rate(experiment, interaction, standard_model=TREE, method="double-integral")
    assert np.all(np.abs(moments - double) <= 1e-10 * np.maximum(moments, 1e-2 * moments.max()))


ON_ELECTRONS = [
    TREE,
    cf.StandardModel(couplings="radiative-q2"),
    cf.LightVector(m_zprime=0.1, g=1e-6, charges="B-L"),
    cf.LightVector(m_zprime=0.1, g=1e-5, charges="Le-Lmu"),
    cf.LightVector(m_zprime=3.0, g=1e-6, charges={"nu_e": 1.0, "e_axial": 1.0}),
    cf.ChargeRadius(ee=1e-30, emu=1e-30j),
    cf.Millicharge(ee=1e-12, etau=1e-12),
    cf.MagneticMoment(mu_e=1e-11, mu_mu=1e-10),
    cf.SingletEFT(2.0, a_M=1e-5, a_E=1e-5j),
    cf.ElectronEFT(2.0, 0.7 - 0.2j, 0.3 + 0.5j, 1.1 + 0.4j, -0.6 + 0.1j, 0.25 - 0.35j, a_M=1e-6, a_E=1e-6j),
    cf.ElectronEFT(2.0, 1e-10, 1e-10j, 1e-10, 1e-10, 1e-10, a_M=1e-6, m_mediator=0.3, flavours=("e", "tau")),
]


ELECTRON_IDS = [f"{type(each).__name__}-{i}" for i, each in enumerate(ON_ELECTRONS)]


@pytest.mark.parametrize("interaction", quick_are(ON_ELECTRONS, 0, 7, 9, ids=ELECTRON_IDS))
def test_fast_equals_slow_on_electrons(interaction):
    experiment = electrons(0.2, 1.0, 10.0, 1000.0, 5.5e4)
    only = agrees(experiment, interaction, target="electrons")
    nuclei = cf.event_rate(experiment, interaction, target="nuclei")
    np.testing.assert_allclose(cf.event_rate(experiment, interaction), only + nuclei, rtol=1e-12)


@pytest.mark.parametrize("interaction", [TREE, ON_NUCLEI[0]], ids=["StandardModel", "NSI"])
@pytest.mark.parametrize("delta_m2", quick_are([1.0, 30.0], 0))
def test_fast_equals_slow_with_a_sterile_neutrino(interaction, delta_m2):
    source = cf.OscillatedSource(CSI.source, delta_m2, Ue4_sq=0.1, Umu4_sq=0.05, Utau4_sq=0.02)
    agrees(CSI.replace(source=source), interaction)


def test_points_add_up_to_counts():
    """∫dT of the recoil spectrum, with all that the counts have."""
    experiment = electrons(1.0, 5.0)
    shells = {T for T in experiment.detector.of_electrons.form_factor_breakpoints if 1e-3 < T < 5e-3}
    T, w = np.polynomial.legendre.leggauss(60)
    for interaction in (ON_NUCLEI[0], ON_ELECTRONS[3]):
        total = 0.0
        for low, high in pairwise([1e-3, *sorted(shells), 5e-3]):
            x = 0.5 * (low + high) + 0.5 * (high - low) * T
            total += 0.5 * (high - low) * w @ cf.recoil_spectrum(experiment, interaction, x)
        assert total == pytest.approx(cf.event_rate(experiment, interaction)[0], rel=1e-7)


# --- what must hold -------------------------------------------------------------------------------


def test_templates_are_the_counts():
    names = ("eps_ee_u", "eps_mumu_d", "eps_emu_u")
    t = cf.templates(CSI, cf.NSI(eps_mutau_d=0.2), names, standard_model=TREE)
    values = {"eps_ee_u": 0.2, "eps_mumu_d": -0.1, "eps_emu_u": 0.1 - 0.3j}
    expected = cf.event_rate(CSI, cf.NSI(eps_mutau_d=0.2, **values), standard_model=TREE)
    np.testing.assert_allclose(t.counts(values), expected, rtol=1e-12)
    t = cf.templates(CSI, cf.LightVector(10.0, charges="B-L"), standard_model=TREE)
    expected = cf.event_rate(CSI, cf.LightVector(10.0, 3e-5, "B-L"), standard_model=TREE)
    np.testing.assert_allclose(t.counts({"g": 3e-5}), expected, rtol=1e-12)
    assert sorted(map(len, t.pairs)) == [2, 4]


def test_templates_of_coherent_flavours():
    """ε of a superposition comes with its conjugate: one phase of each is open, and other values are refused."""
    psi = np.array([0.6, 0.48 + 0.48j, 0.42])
    rho = np.outer(psi, psi.conj()) / np.vdot(psi, psi).real
    one = replace(CSI.source.components[1], flavour=tuple(map(tuple, rho.tolist())))
    experiment = CSI.replace(source=Swapped((one,), CSI.source.fluence_per_exposure))
    names = ("eps_ee_u", "eps_emu_u", "eps_mutau_d")
    phases = {"eps_emu_u": 0.6 + 0.8j, "eps_mutau_d": 1j}
    t = cf.templates(experiment, cf.NSI(), names, phases=phases)
    x = {"eps_ee_u": 0.2, "eps_emu_u": -0.3, "eps_mutau_d": 0.15}
    expected = cf.event_rate(experiment, cf.NSI(**{n: v * phases.get(n, 1.0) for n, v in x.items()}))
    np.testing.assert_allclose(t.counts(x), expected, rtol=1e-12)
    with pytest.raises(ValueError, match=r"eps_emu_u = .*1j.*: must be real; `phases`"):
        t.counts({"eps_emu_u": 0.1 + 0.1j})
    with pytest.raises(ValueError, match="eps_emu_u: must be real for coherent-csi-2017, whose source has coherent"):
        cf.popxf_predictions(experiment, cf.NSI(), names, complex_couplings=names[1:])
    pure = cf.templates(CSI, cf.NSI(), names)
    assert pure.real == ("eps_ee_u",) and t.real == names
    with pytest.raises(ValueError, match=r"eps_ee_u = 0.1j: must be real"):
        pure.counts({"eps_ee_u": 0.1j})


def test_phases_turn_off_diagonal_couplings():
    t = cf.templates(CSI, cf.NSI(), ("eps_emu_u",), phases={"eps_emu_u": 1j})
    expected = cf.event_rate(CSI, cf.NSI(eps_emu_u=0.2j))
    np.testing.assert_allclose(t.counts({"eps_emu_u": 0.2}), expected, rtol=1e-12)


def test_the_weak_mixing_angle_is_an_open_coupling():
    for model in (cf.StandardModel(), cf.StandardModel(couplings="radiative")):
        t = cf.templates(CSI, model, ("sin2_theta_w",))
        for angle in (0.1, 0.2312, 0.5):
            expected = cf.event_rate(CSI, model.replace(sin2_theta_w=angle))
            np.testing.assert_allclose(t.counts({"sin2_theta_w": angle}), expected, rtol=1e-12)


def test_swapped_spectra_are_seen():
    """ν_e and ν̄_μ with each other's spectra: blind interactions cannot tell, the others must."""
    nu_mu, nu_e, anti_nu_mu = CSI.source.components
    swapped = Swapped(
        (
            nu_mu,
            replace(nu_e, spectrum=anti_nu_mu.spectrum, breakpoints=anti_nu_mu.breakpoints),
            replace(anti_nu_mu, spectrum=nu_e.spectrum, breakpoints=nu_e.breakpoints),
        ),
        CSI.source.fluence_per_exposure,
    )
    wrong = CSI.replace(source=swapped)
    np.testing.assert_allclose(cf.event_rate(wrong, TREE), cf.event_rate(CSI, TREE), rtol=1e-11)
    interaction = cf.NSI(eps_ee_u=0.1)
    shift = cf.event_rate(wrong, interaction) / cf.event_rate(CSI, interaction) - 1
    assert np.abs(shift).max() > 0.02


class Swapped:
    """A source of given components."""

    exposure_unit = "protons on target"

    def __init__(self, components, fluence_per_exposure):
        self.components, self.fluence_per_exposure = components, fluence_per_exposure


def test_flavours_add_up():
    every = cf.event_rate(CSI, cf.SingletEFT(5.0, C_V=0.1), standard_model=False)
    each = [
        cf.event_rate(CSI, cf.SingletEFT(5.0, C_V=0.1, flavours=(f,)), standard_model=False) for f in ("e", "mu", "tau")
    ]
    np.testing.assert_allclose(sum(each), every, rtol=1e-12)
    assert not each[2].any()
    both = cf.SingletEFT(5.0, C_V=0.1, flavours=["mu", "e"])
    assert both.flavours == ("e", "mu")
    np.testing.assert_allclose(cf.event_rate(CSI, both, standard_model=False), every, rtol=1e-12)
    assert cf.SingletEFT(5.0, flavours=["tau", "e", "mu"]) == cf.SingletEFT(5.0)


def test_radiative_couplings_order_the_flavours():
    cs = cf.nuclide("Cs133")
    model = cf.StandardModel(couplings="radiative")
    e, mu, tau = (cf.differential_cross_section(model, cs, 30.0, 0.005, flavour=f) for f in ("e", "mu", "tau"))
    assert e < mu < tau
    assert model.sin2_theta_w == 0.23857
    assert cf.StandardModel(sin2_theta_w=0.24, couplings="radiative").sin2_theta_w == 0.24


def test_axial_part_is_small_and_positive():
    axial = cf.event_rate(CSI, cf.StandardModel(axial=True)) / cf.event_rate(CSI, cf.StandardModel()) - 1
    assert np.all((axial > 1e-5) & (axial < 3e-3))
    np.testing.assert_array_equal(
        cf.event_rate(LAR, cf.StandardModel(axial=True)), cf.event_rate(LAR, cf.StandardModel())
    )


def test_sterile_neutrinos_do_nothing_at_the_source():
    for L, delta_m2 in ((0.0, 1.0), (19.3, 0.0)):
        source = cf.OscillatedSource(CSI.source, delta_m2, Ue4_sq=0.1, Umu4_sq=0.05, distance=L)
        for interaction in (TREE, ON_NUCLEI[0]):
            np.testing.assert_array_equal(
                cf.event_rate(CSI.replace(source=source), interaction), cf.event_rate(CSI, interaction)
            )


def test_mixing_that_is_not_unitary():
    from cevns_fast.reference import flavour

    N = np.array([[0.99, 0, 0], [0.02 + 0.01j, 0.98, 0], [0.01, 0, 1]])
    alone = [cf.event_rate(CSI.replace(source=Swapped((c,), CSI.source.fluence_per_exposure)), TREE)
             for c in CSI.source.components]  # fmt: skip
    for normalised in (False, True):
        for from_muon_decay in (False, True):
            source = cf.NonUnitarySource(CSI.source, N, normalised=normalised, from_muon_decay=from_muon_decay)
            scale = flavour.non_unitary_fermi_constant(N) ** 2 if from_muon_decay else 1.0
            factors = [flavour.non_unitary_factor(N, f, normalised=normalised) * scale for f in ("mu", "e", "mu")]
            expected = sum(factor * counts for factor, counts in zip(factors, alone, strict=True))
            np.testing.assert_allclose(cf.event_rate(CSI.replace(source=source), TREE), expected, rtol=1e-12)
    unitary = cf.NonUnitarySource(CSI.source, np.eye(3), normalised=True, from_muon_decay=True)
    np.testing.assert_allclose(cf.event_rate(CSI.replace(source=unitary), TREE), sum(alone), rtol=1e-12)
    with pytest.raises(ValueError, match="mixing = "):
        cf.NonUnitarySource(CSI.source, [[1.0]])


def test_unresolved_oscillations_are_averaged():
    Ue4, Umu4 = 0.1, 0.05
    source = cf.OscillatedSource(CSI.source, 1e6, Ue4_sq=Ue4, Umu4_sq=Umu4)
    alone = [cf.event_rate(CSI.replace(source=Swapped((c,), CSI.source.fluence_per_exposure)), TREE)
             for c in CSI.source.components]  # fmt: skip
    sterile = 1 - Ue4 - Umu4
    kept = [1 - 2 * U * sterile for U in (Umu4, Ue4, Umu4)]
    expected = sum(p * counts for p, counts in zip(kept, alone, strict=True))
    np.testing.assert_allclose(cf.event_rate(CSI.replace(source=source), TREE), expected, rtol=1e-11)


def test_a_state_sees_interference_of_flavours():
    """One source in a superposition, as a state, a density matrix and the sum of flavours and interference."""
    epsilon, cs = cf.NSI(eps_emu_u=0.2), cf.nuclide("Cs133")
    half = math.sqrt(0.5)
    plus = cf.differential_cross_section(epsilon, cs, 30.0, 0.005, flavour=(half, half, 0), standard_model=TREE)
    minus = cf.differential_cross_section(epsilon, cs, 30.0, 0.005, flavour=(half, -half, 0), standard_model=TREE)
    e, mu = (
        cf.differential_cross_section(epsilon, cs, 30.0, 0.005, flavour=f, standard_model=TREE) for f in ("e", "mu")
    )
    assert plus + minus == pytest.approx(e + mu, rel=1e-12)
    assert abs(plus - minus) > 0.1 * e
    component = CSI.source.components[1]
    mixed = ((0.5, 0.25, 0), (0.25, 0.5, 0), (0, 0, 0))  # ¾ of plus, ¼ of minus
    counts = [
        cf.event_rate(CSI.replace(source=Swapped((replace(component, flavour=f),), 1e-20)), epsilon)
        for f in (mixed, (half, half, 0), (half, -half, 0))
    ]
    np.testing.assert_allclose(counts[0], 0.75 * counts[1] + 0.25 * counts[2], rtol=1e-11)


def test_beams_are_what_a_source_says():
    found = beams_of(CSI.source)
    assert [(np.argmax(np.abs(beam.state)).item(), beam.antineutrino) for beam, _ in found] == [
        (1, False), (0, False), (1, True),
    ]  # fmt: skip
    nameless = Swapped((replace(CSI.source.components[0], name="beam", flavour=None),), 1e-20)
    with pytest.raises(ValueError, match="flavour of 'beam' = None"):
        cf.event_rate(CSI.replace(source=nameless), cf.NSI(eps_ee_u=0.1))
    assert cf.event_rate(CSI.replace(source=nameless), cf.StandardModel()).any()


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cf.NSI(eps_ee_u=0.1j), "eps_ee_u = 0.1j: must be real"),
        (lambda: cf.templates(CSI, cf.NSI(), ("eps_ee_u",), phases={"eps_ee_u": 1j}), "phase of eps_ee_u = 1j"),
        (lambda: cf.templates(CSI, TREE, ("sin2_theta_w",), phases={"sin2_theta_w": 1j}), "phase of sin2_theta_w = 1j"),
        (lambda: cf.templates(CSI, cf.Millicharge(), ("ee",), phases={"ee": 1j}), "phase of ee = 1j: must be 1 or -1"),
        (lambda: cf.templates(CSI, cf.Millicharge(), ("ee",)).counts({"ee": 1e-7j}), "ee = 1e-07j: must be real"),
        (lambda: cf.NSI(eps_mutau_d=math.nan), "eps_mutau_d = nan"),
        (lambda: cf.ChargeRadius(mumu=1e-32j), "mumu = 1e-32j: must be real"),
        (lambda: cf.Millicharge(etau="x"), "etau = 'x'"),
        (lambda: cf.MagneticMoment(mu_e=1j), "mu_e = 1j"),
        (lambda: cf.LightVector(-1.0), "m_zprime = -1.0"),
        (lambda: cf.LightVector(1.0, charges="B-l"), "did you mean 'B-L'"),
        (lambda: cf.LightVector(1.0, charges={"s": 1.0}), "'s'"),
        (lambda: cf.LightVector(1.0, charges={"u": math.inf}), "charges: u = inf"),
        (lambda: cf.LightVector(1.0, mixing=0.1), "mixing = 0.1"),
        (lambda: cf.SingletEFT(1.0, flavours=("nu_e",)), "flavours = 'nu_e'"),
        (lambda: cf.SingletEFT(1.0, flavours=()), "flavours = \\(\\)"),
        (lambda: cf.ScalarMediator(1.0, 1.0, flavours="mu"), "flavours = 'mu'"),
        (lambda: cf.VectorMediator(1.0, 1.0, flavours=("e", "e")), "each once"),
        (lambda: cf.StandardModel(couplings="one-loop"), "couplings = 'one-loop'"),
        (lambda: cf.StandardModel(axial=1), "axial = 1"),
        (lambda: cf.ElectronEFT(1.0, A=1.0, m_mediator=0.0), "m_mediator = 0.0"),
        (lambda: cf.ElectronEFT(-1.0), "m_chi = -1.0"),
        (lambda: cf.templates(electrons(0.2, 1.0), cf.ElectronEFT(1.0, m_mediator=0.0), ("A",)), "m_mediator = 0.0"),
        (lambda: cf.KleinNystrand("rms", range=3.0).proton(cf.nuclide("Cs133"), 0.01), "charge radius of Cs133"),
        (lambda: cf.SymmetrisedFermi(diffuseness=0.0), "diffuseness = 0.0"),
        (lambda: cf.effective_electrons("Xx", 0.1), "element = 'Xx'"),
        (lambda: cf.FluxComponent("x", False, lines=((1.0, 1.0),), flavour="s"), "flavour = 's'"),
        (lambda: cf.FluxComponent("x", False, lines=((1.0, 1.0),), flavour=((1, 1j), (0, 0))), "flavour = "),
        (lambda: cf.OscillatedSource(CSI.source, -1.0), "delta_m2 = -1.0"),
        (lambda: cf.OscillatedSource(CSI.source, 1.0, 0.9, 0.2), "at most 1"),
        (lambda: cf.OscillatedSource(3.0, 1.0), "source = 3.0"),
        (lambda: cf.OscillatedSource(cf.Reactor(total_flux=1e13), 1.0), "distance = None"),
        (lambda: cf.event_rate(CSI, TREE, target="electrons"), "electron_response"),
        (lambda: cf.event_rate(CSI, TREE, target="protons"), "target = 'protons'"),
        (lambda: cf.differential_cross_section(TREE, cf.ELECTRON, 1.0, 0.1, flavour="x"), "flavour = 'x'"),
        (lambda: cf.differential_cross_section(TREE, cf.ELECTRON, 1.0, 0.1, flavour=(1, 1, 0)), "norm 1"),
        (
            lambda: cf.event_rate(CSI, cf.VectorMediator(1.0, 1.0), standard_model=cf.StandardModel(0.2312, "radiative")),  # noqa: E501
            "couplings = 'radiative'",
        ),
        (
            lambda: cf.differential_cross_section(
                cf.VectorMediator(1.0, 1.0), cf.nuclide("Cs133"), 30.0, 0.01, standard_model=cf.StandardModel(0.24)
            ),
            "sin2_theta_w = 0.2312",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_massless_mediator_needs_a_threshold():
    from_zero = cf.Detector(cf.Target.of("Ge", {"Ge": 1}), 1.0, (0.0, 1.0))
    experiment = cf.Experiment("zero", CONUS.source, from_zero, 1.0, None, np.zeros(1))
    for interaction in (cf.LightVector(0.0, 1e-6, "B-L"), cf.Millicharge(ee=1e-12), cf.MagneticMoment(mu_e=1e-10)):
        with pytest.raises(ValueError, match="diverges"):
            cf.event_rate(experiment, interaction)
