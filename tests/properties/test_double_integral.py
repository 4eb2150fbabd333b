"""The double integral is a third judge beside the table kernel and the slow twin."""

import itertools
import re

import cross_sections
import numpy as np
import pytest
from accuracy import slow_counts
from cases import quick_are

import cevns_fast as cf
from cevns_fast._kernels.double_integral import Nucleus
from cevns_fast.counts.double_integral import accuracy
from cevns_fast.interactions.process import Term
from cevns_fast.interactions.standard_model import _terms

SIZES = {"a_M": 3e-4, "C_S": 0.01, "C_V": 0.05, "C_T": 0.1, "a_E": 3e-4, "D_P": 0.01, "D_A": 0.05}
SHARP = ("coherent-csi-2017", "coherent-lar-610kg", "conus-100kg")


def smeared(name):
    """A built-in experiment with a resolution."""
    experiment = cf.load(name)
    if name == "coherent-csi-2017":
        smearing = cf.PoissonSmearing()
    else:
        smearing = cf.GaussianSmearing(statistical=0.05 if name.startswith("conus") else 0.3)
    response = experiment.detector.response
    return experiment.replace(
        response=cf.Response(
            response.light_yield, response.quenching, response.acceptance, smearing, observable=response.observable
        )
    )


@pytest.fixture(scope="module", params=[*SHARP, *(f"{name}, smeared" for name in SHARP)])
def experiment(request):
    name, _, resolution = request.param.partition(",")
    return smeared(name) if resolution else cf.load(name)


def assert_same(one, other, rel=1e-10):
    """Agreement in the bins that hold a hundredth of the largest, and as well as there in all others."""
    assert np.all(np.abs(one - other) <= rel * np.maximum(np.abs(other), 0.01 * np.abs(other).max()))
    assert np.abs(other).max() > 0


INTERACTIONS = {
    "StandardModel": cf.StandardModel(0.2386),
    "EFT": cf.SingletEFT(2.0, **SIZES),
    "scalar, heavy": cf.ScalarMediator(1.0, 1000.0, 1e-3),
    "scalar, light": cf.ScalarMediator(2.0, 0.01, 1e-5),
    "scalar, massless": cf.ScalarMediator(2.0, 0.0, 1e-5),
    "vector, heavy": cf.VectorMediator(m_chi=3.0, m_zprime=1000.0, gchi_gq=1e-3),
    "vector, light": cf.VectorMediator(m_chi=3.0, m_zprime=0.1, gchi_gq=1e-9),
}


@pytest.mark.parametrize("name", INTERACTIONS)
def test_term_tables_as_double_integrals(experiment, name):
    both = [
        cf.event_rate(experiment, INTERACTIONS[name], standard_model=False, method=method)
        for method in ("double-integral", "moments")
    ]
    assert_same(*both)


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations_with_replacement(SIZES, 2)))
def test_every_pair_of_couplings(csi, first, second):
    """Light, and above the ν_μ line; also as a batch, which is integrated together."""
    phase = np.exp(0.7j)
    batch = [cf.SingletEFT(m, **{first: SIZES[first], second: SIZES[second] * phase}) for m in (3.0, 31.0)]
    found = cf.event_rate(csi, batch, standard_model=False, method="double-integral")
    for row, eft in zip(found, batch, strict=True):
        assert_same(row, cf.event_rate(csi, eft, standard_model=False))


@pytest.mark.parametrize("name", INTERACTIONS)
def test_double_integral_against_the_twin(bare, name):
    two_bins = bare((8.0, 10.0, 20.0))
    slow, terms = slow_counts(two_bins, INTERACTIONS[name])
    fast = cf.event_rate(two_bins, INTERACTIONS[name], standard_model=False, method="double-integral")
    assert np.all(np.abs(fast - slow) <= 1e-10 * terms + 1e-12 * np.abs(slow).max())


def test_standard_model_is_added(csi):
    eft = cf.SingletEFT(10.0, C_V=0.05)
    assert_same(cf.event_rate(csi, eft, method="double-integral"), cf.event_rate(csi, eft))
    mask = csi.mask([0, 3])
    assert_same(cf.event_rate(mask, eft, method="double-integral"), cf.event_rate(csi, eft)[list(mask.kept)])


def test_method_is_checked(csi):
    with pytest.raises(ValueError, match=r"method = 'quad': must be one of"):
        cf.event_rate(csi, cf.StandardModel(), method="quad")


def test_it_reads_the_table_it_is_given(csi, monkeypatch):
    """A term that is changed changes both methods alike: the generic integrand knows no formula."""

    class Other(cf.StandardModel):
        @classmethod
        def processes(cls, batch, nuclide):
            (process,) = super().processes(batch, nuclide)
            return (process._replace(terms=(*_terms(nuclide.mass), Term(0, 0, 1, 2, 1e-22, odd=True))),)

    both = [cf.event_rate(csi, Other(), standard_model=False, method=m) for m in ("double-integral", "moments")]
    assert_same(*both)
    assert not np.allclose(both[1], cf.event_rate(csi, cf.StandardModel()), rtol=1e-3)


def test_functions_by_hand(experiment):
    by_hand = cf.NumericalInteraction(cross_sections.standard_model, {"sin2": 0.2312})
    assert_same(cf.event_rate(experiment, by_hand, standard_model=False), cf.event_rate(experiment, cf.StandardModel()))
    parameters = {"m_chi": 2.0, "m_S": 1.0, "y": 1e-4}
    by_hand = cf.NumericalInteraction(cross_sections.scalar, parameters, final_mass="m_chi")
    batch = [(0.0, 0.05), (0.3, 1.0), (2.0, 0.0), (5.0, 1000.0)]
    found = cf.event_rate(experiment, [by_hand.replace(m_chi=m, m_S=m_S) for m, m_S in batch], standard_model=False)
    for row, (m, m_S) in zip(found, batch, strict=True):
        assert_same(row, cf.event_rate(experiment, cf.ScalarMediator(m, m_S, 1e-4), standard_model=False))


@pytest.mark.parametrize("name", quick_are(["coherent-csi-2021", "coherent-lar-2020", "xenonnt-sr1"], 0))
def test_functions_by_hand_with_axes_and_response_matrices(name):
    """Bins of energy and time, and a response that is a table, are those of the table kernel."""
    experiment = cf.load(name)
    by_hand = cf.NumericalInteraction(cross_sections.standard_model, {"sin2": 0.2312})
    scalar = cf.NumericalInteraction(
        cross_sections.scalar, {"m_chi": 2.0, "m_S": 1.0, "y": 1e-4}, {"y": 4}, final_mass="m_chi"
    )
    question = {"standard_model": False, "target": "nuclei"}
    found = [cf.event_rate(experiment, each, **question) for each in (by_hand, scalar)]
    expected = [
        cf.event_rate(experiment, each, **question) for each in (cf.StandardModel(), cf.ScalarMediator(2.0, 1.0, 1e-4))
    ]
    for one, other in zip(found, expected, strict=True):
        assert_same(one, other)
        assert one.size == experiment.n_bins and np.abs(one).sum() > 0
    if name != "xenonnt-sr1":  # of whose tabulated flux every integral takes half a second
        questions = (scalar, "y"), (cf.ScalarMediator(2.0, 1.0, 1e-4), "y_bar")
        np.testing.assert_allclose(*(cf.limit_scan(experiment, *each).upper for each in questions), rtol=1e-8)


def test_up_to_the_kinematic_limit(csi):
    """Where hardly any energy is left, rounding is no lack of nodes: nothing warns, and counts go to zero."""
    E, M = csi.source.components[1].breakpoints[-1], cf.nuclide("Cs133").mass
    limit = M * (np.sqrt(1 + 2 * E / M) - 1)
    one = cf.NumericalInteraction(cross_sections.scalar, {"m_chi": 2.0, "m_S": 1.0, "y": 1e-4}, final_mass="m_chi")
    for room, rel in ((1e-2, 1e-10), (1e-4, 1e-9), (1e-6, 1e-7), (1e-8, 1e-5), (-1e-9, 0.0)):
        m = float(limit * (1 - room))
        found = cf.event_rate(csi, one.replace(m_chi=m), standard_model=False)
        expected = cf.event_rate(csi, cf.ScalarMediator(m, 1.0, 1e-4), standard_model=False)
        assert np.all(np.abs(found - expected) <= rel * expected.max()) and bool(found.any()) == (room > 0), room


def resonance(width, **breakpoints):
    return cf.NumericalInteraction(
        cross_sections.resonance, {"E_0": 35.0, "width": width, "g": 1e-9}, {"g": 2}, **breakpoints
    )


def test_nodes_are_refined_until_they_agree(csi):
    """A resonance of 2 MeV takes more nodes than the first ones; scipy's quad says what is right."""
    from scipy.integrate import quad

    found = cf.recoil_spectrum(csi, resonance(2.0), 0.01, standard_model=False)
    expected = 0.0
    T = np.array([0.01])
    for nuclide, number in zip(csi.detector.target.nuclides, csi.detector.nuclei, strict=True):
        F = float(csi.detector.form_factor.proton(nuclide, T)[0])
        nucleus = Nucleus(nuclide.mass, float(nuclide.Z), float(nuclide.N), F, F)

        def dsigma(E, nucleus=nucleus):
            return getattr(cross_sections.resonance, "py_func", cross_sections.resonance)(
                E, 0.01, nucleus, None, (35.0, 2.0, 1e-9)
            )

        least = cf.minimum_neutrino_energy(0.01, 0.0, nuclide.mass)
        for component in csi.source.components:
            for energy, intensity in component.lines:
                expected += number * intensity * dsigma(energy) * (energy > least)
            if component.spectrum:
                value, _ = quad(
                    lambda E, f=component.spectrum, s=dsigma: float(f(np.array([E]))[0]) * s(E),
                    least, component.breakpoints[-1], points=(35.0,), epsabs=0.0, epsrel=1e-12, limit=200,
                )  # fmt: skip
                expected += number * value
    assert found == pytest.approx(expected * csi.fluence * cf.constants.MEV2_CM2, rel=1e-10, abs=0.0)
    fine = cf.event_rate(csi, resonance(2.0, E_breakpoints=(33.0, 34.0, 35.0, 36.0, 37.0)), standard_model=False)
    assert_same(cf.event_rate(csi, resonance(2.0), standard_model=False), fine)


def test_rows_are_refined_alone(csi, monkeypatch):
    """Every one of a list has the bits that it has alone, whatever its neighbours need; easy ones stop early."""
    every = [resonance(w) for w in (300.0, 2.0, 400.0, 20.0)]
    alone = [cf.event_rate(csi, each, standard_model=False).tobytes() for each in every]
    sizes = []
    evaluate = accuracy.evaluate
    monkeypatch.setattr(
        accuracy, "evaluate", lambda p, level, n: (sizes.append(len(p.final_mass)), evaluate(p, level, n))[1]
    )
    assert [row.tobytes() for row in cf.event_rate(csi, every, standard_model=False)] == alone
    assert sizes[0] == 4 and sizes[-1] == 1


def test_a_bin_that_is_not_accurate_is_named(csi):
    with pytest.warns(cf.AccuracyWarning, match=r"rtol = 1e-11: bin \d+ of the counts of coherent-csi-2017 agrees"):
        cf.event_rate(csi, resonance(1e-3), standard_model=False)
    # Less is enough for who asks for less.
    assert_same(
        cf.event_rate(csi, resonance(1.0), standard_model=False, rtol=1e-4),
        cf.event_rate(csi, resonance(1.0, E_breakpoints=(33.0, 34.0, 34.5, 35.0, 35.5, 36.0)), standard_model=False),
        rel=1e-4,
    )  # fmt: skip


def test_breakpoints_of_recoils(csi):
    def step(E, T, nucleus, beam, p):
        return 1e-20 if T > 0.0123 else 0.0

    found = cf.event_rate(csi, cf.NumericalInteraction(step, {}, T_breakpoints=(0.0123,)), standard_model=False)
    with pytest.warns(cf.AccuracyWarning, match="bin"):
        cf.event_rate(csi, cf.NumericalInteraction(step, {}), standard_model=False)
    lowest = [csi.detector.recoil_at(x, 1.0) for x in csi.detector.bins]
    assert np.all(found[np.array(lowest[1:]) < 0.0123] == 0) and np.all(found[np.array(lowest[:-1]) > 0.0123] > 0)


def test_beams_are_told_apart(csi):
    """ν_μ alone is the line, whose counts end where it does; ν and ν̄ have signs."""
    one = cf.NumericalInteraction(cross_sections.by_flavour, {"e": 0.0, "mu": 1.0, "tau": 0.0}, {"e": 1, "mu": 1})
    electron = cf.event_rate(csi, one.replace(e=1.0, mu=0.0), standard_model=False)
    muon = cf.event_rate(csi, one, standard_model=False)
    both = cf.event_rate(csi, one.replace(e=1.0), standard_model=False)
    assert_same(electron + muon, both)
    highest = 2 * cf.experiments.sources.PION_LINE**2 / (cf.nuclide("I127").mass + 60)
    assert csi.detector.recoil_at(csi.detector.bins[-1], 1.0) > highest
    assert electron[0] > 0 and muon[0] > electron[0]


def test_not_finite_is_refused_with_its_point(csi):
    for function in (cross_sections.raises, cross_sections.not_finite):
        bad = cf.NumericalInteraction(function, {"a": 1.0})
        with pytest.raises(
            ValueError, match=r"dsigma: is nan or raises at E = \d.*, T = 0.0\d+ on (Cs133|I127) with a = 1"
        ):
            cf.event_rate(csi, bad, standard_model=False)
        with pytest.raises(ValueError, match=re.escape("dsigma: is nan or raises")):
            cf.recoil_spectrum(csi, bad, 0.01)
        with pytest.raises(ValueError, match=re.escape("dsigma: is nan or raises at E = 45.0, T = 0.01 on Cs133")):
            cf.differential_cross_section(bad, cf.nuclide("Cs133"), [30.0, 45.0], 0.01)


WITH_FLAVOUR = {
    "axial": cf.StandardModel(axial=True),
    "radiative": cf.StandardModel(couplings="radiative-q2"),
    "NSI": cf.NSI(eps_ee_u=0.1, eps_emu_d=0.01 - 0.04j, eps_mumu_u=-0.3),
    "B-L": cf.LightVector(m_zprime=0.5, g=5e-5, charges="B-L"),
    "Lmu-Ltau": cf.LightVector(m_zprime=30.0, g=5e-4, charges="Lmu-Ltau"),
    "magnetic moments": cf.MagneticMoment(mu_e=1e-9, mu_mu=2e-9),
    "charge radii": cf.ChargeRadius(ee=1e-31, emu=2e-31),
    "millicharges": cf.Millicharge(ee=1e-8, mumu=1e-8),
}


@pytest.mark.parametrize("target", ["all", "nuclei", "electrons"])
@pytest.mark.parametrize("name", WITH_FLAVOUR)
def test_flavours_interference_and_electrons(csi, name, target):
    seen = csi.replace(electron_response=cf.Response(light_yield=13.0))
    both = [
        cf.event_rate(seen, WITH_FLAVOUR[name], target=target, method=method)
        for method in ("double-integral", "moments")
    ]
    assert_same(*both)


def test_flavours_of_a_source_reach_a_function(bare, source):
    """As stated, or as shares of a density matrix, whose trace multiplies the neutrinos; −1 where nobody told."""

    def flavour(E, T, nucleus, beam, p):
        return 1e-22 * (beam.flavour + 2)

    one = cf.NumericalInteraction(flavour, {})

    def counts(name, stated=None):
        component = cf.FluxComponent(name, False, lines=((30.0, 1.0),), flavour=stated)
        return cf.event_rate(bare((5.0, 10.0), source=source(component)), one, standard_model=False)[0]

    assert [counts(name) / counts("nu_e") for name in ("nu_mu", "nu_tau", "solar")] == pytest.approx([1.5, 2.0, 0.5])
    mixed = ((0.5, 0.1, 0.0), (0.1, 0.25, 0.0), (0.0, 0.0, 0.25))
    assert counts("any", mixed) / counts("nu_e") == pytest.approx(0.5 + 0.25 * 1.5 + 0.25 * 2.0)
    assert counts("any", tuple(tuple(2 * x for x in row) for row in mixed)) == pytest.approx(2 * counts("any", mixed))


def test_a_function_knows_no_electrons(csi):
    seen = csi.replace(electron_response=cf.Response(light_yield=13.0))
    one = cf.NumericalInteraction(cross_sections.standard_model, {"sin2": 0.2312})
    assert not cf.event_rate(seen, one, standard_model=False, target="electrons").any()
    nuclei, every = (cf.event_rate(seen, one, standard_model=False, target=t) for t in ("nuclei", "all"))
    assert every.tobytes() == nuclei.tobytes()
