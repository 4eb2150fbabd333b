"""Names that clash: told apart, or refused with both owners named."""

import re
import warnings
from dataclasses import replace

import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast.reference.likelihood import Setup, joint_chi2

CSI = cf.load("coherent-csi-2017")
LAR = cf.load("coherent-lar-610kg")
LIGHT = cf.SingletEFT(m_chi=1.0)
BACKGROUND = cf.Background("alpha", np.full(12, 1.0), 0.25)

# pyhf 0.7 checks workspaces with a part of jsonschema that will go.
pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver is deprecated:DeprecationWarning")


def modifiers(workspace, channel=0):
    """For each sample, what each modifier adds one standard deviation up."""
    return {
        s["name"]: {
            m["name"]: np.sum(np.subtract(m["data"]["hi_data"], s["data"]))
            for m in s["modifiers"] if m["type"] == "histosys"
        }
        for s in workspace["channels"][channel]["samples"]
    }  # fmt: skip


def refused(*words):
    """A refusal that holds all of the words."""
    return pytest.raises(ValueError, match="".join(f"(?=.*{re.escape(word)})" for word in words))


# --- backgrounds ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["alpha", "beta", "x: alpha", "beta: prompt neutrons"])
def test_no_background_is_recognised_by_the_end_of_its_name(name):
    """+1σ of 25% of 12 counts is 3 counts, and those of the signal are the Standard Model's alone."""
    experiment = CSI.replace(
        backgrounds=(cf.Background(name, np.full(12, 1.0), 0.25),), signal_uncertainty_on="standard_model"
    )
    found = modifiers(cf.pyhf_workspace(experiment, LIGHT, ["C_V"]))
    assert found[name] == {f"beta: {name}": pytest.approx(3.0)}
    counts = cf.event_rate(experiment, cf.StandardModel()).sum()
    assert found["standard_model"] == {"alpha": pytest.approx(CSI.signal_uncertainty * counts)}


def test_pyhf_expects_each_background_once():
    pyhf = pytest.importorskip("pyhf", reason="pyhf is not installed: pip install 'cevns_fast[fit]'")
    experiment = CSI.replace(backgrounds=(*CSI.backgrounds, BACKGROUND))
    workspace = cf.pyhf_workspace(experiment, LIGHT, ["C_V"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = pyhf.Workspace(workspace).model(poi_name="C_V^2")
    at = dict(zip(model.config.par_names, model.config.suggested_init(), strict=False))
    nominal = model.expected_actualdata(list(at.values())).sum()
    up = model.expected_actualdata(list((at | {"beta: alpha": 1.0}).values())).sum()
    assert up - nominal == pytest.approx(3.0)


def test_two_backgrounds_of_one_name():
    """pyhf would merge them: 576.358 counts for 581.777, which two of different names have."""
    with refused("'prompt neutrons'", "background 0 of", "background 1 of"):
        CSI.replace(backgrounds=(*CSI.backgrounds, replace(BACKGROUND, name="prompt neutrons")))
    (neutrons,) = CSI.backgrounds
    with refused("'prompt neutrons'", "background 0 of", "background 1 of"):
        CSI.replace(backgrounds=(neutrons, neutrons))
    two = CSI.replace(backgrounds=(neutrons, replace(neutrons, name="others")))
    (channel,) = cf.pyhf_workspace(two, LIGHT, ["C_V"])["channels"]
    counts = {each["name"]: np.sum(each["data"]) for each in channel["samples"]}
    assert sum(n for name, n in counts.items() if name != "C_V^2") == pytest.approx(581.777, abs=5e-4)
    assert len(cf.Likelihood(two).nuisances(cf.StandardModel())) == 3


@pytest.mark.parametrize("name", ["standard_model", "steady state", "C_V^2"])
def test_backgrounds_and_samples(name):
    experiment = CSI.replace(backgrounds=(replace(BACKGROUND, name=name),))
    with refused(repr(name), f"the sample of {name}", f"background {name!r} of {CSI.name}"):
        cf.pyhf_workspace(experiment, LIGHT, ["C_V"])
    assert cf.Likelihood(experiment).nuisance_names == (f"beta: {name}", "alpha")


# --- nuisances that the user names ------------------------------------------------------------------------


def test_a_nuisance_with_the_name_of_a_coupling():
    """It would be frozen at the value of the coupling, in limits and in χ²."""
    named, other = cf.ScaleNuisance("C_V", 0.1), cf.ScaleNuisance("flux", 0.1)
    with refused("coupling C_V of SingletEFT", "ScaleNuisance 'C_V'"):
        cf.limit_scan(CSI, LIGHT, "C_V", nuisances=[named])
    with refused("coupling C_V of SingletEFT", "ScaleNuisance 'C_V'"):
        cf.Likelihood(CSI, nuisances=[named]).chi2(cf.SingletEFT(1.0, C_V=0.05))
    with refused("coupling C_V of SingletEFT", "ScaleNuisance 'C_V'"):
        cf.correlation_scan(CSI, LIGHT, ("C_V",), [-0.1, 0.1], nuisances=[named])
    with refused("coupling C_V of SingletEFT", "ScaleNuisance 'C_V'"):
        cf.pyhf_workspace(CSI, LIGHT, ["C_S"], nuisances=[named])
    with refused("coupling C_V of SingletEFT", "ScaleNuisance 'C_V'"):
        cf.Likelihood(CSI, nuisances=[named], model=LIGHT, parameters=("C_V",))
    assert cf.limit_scan(CSI, LIGHT, "C_V", nuisances=[other]).upper[0] == pytest.approx(0.115235, abs=1e-6)
    fit = cf.Likelihood(CSI, nuisances=[other], model=cf.SingletEFT(10.0), parameters=("C_V",))
    assert fit([0.0]) == pytest.approx(2.8066, abs=5e-5)  # 14.97 where the nuisance had the coupling's value
    apart = CSI.replace(signal_uncertainty=0.26)  # 0.10139 came of the nuisance that was taken for the coupling
    assert cf.limit_scan(apart, cf.SingletEFT(10.0), "C_V", nuisances=[other]).upper[0] == pytest.approx(
        0.110484, abs=1e-6
    )


@pytest.mark.parametrize("name", ["m_chi", "variant", "C_S_u"])
def test_a_nuisance_with_the_name_of_a_parameter(name):
    thick, thin = (CSI.replace(form_factor=cf.HelmFormFactor(skin=s)) for s in (1.0, 0.8))
    for nuisance in (cf.ScaleNuisance(name, 0.1), cf.ShapeNuisance(name, (thick,), (thin,))):
        with refused(f"{name} of SingletEFT", f"{type(nuisance).__name__} {name!r}"):
            cf.Likelihood(CSI, nuisances=[nuisance], model=cf.SingletEFT, parameters=("m_chi", "C_V"))
        with refused(f"{name} of SingletEFT", f"{type(nuisance).__name__} {name!r}"):
            cf.Likelihood(CSI, nuisances=[nuisance]).nuisances(LIGHT)


def tied(alpha, case="A"):
    return cf.VectorMediator(m_chi=alpha, m_zprime=10 * alpha, gchi_gq=1.0, case=case)


def test_a_nuisance_with_the_name_of_a_function_s_argument():
    with refused("argument alpha of the model", f"the signal_uncertainty of {CSI.name}"):
        cf.Likelihood(CSI, model=tied, parameters=("alpha", "gchi_gq"), bounds={"alpha": (1.0, 50.0)})
    with refused("coupling gchi_gq of VectorMediator", "ScaleNuisance 'gchi_gq'"):
        cf.Likelihood(
            CSI.replace(signal_uncertainty=0.0), nuisances=[cf.ScaleNuisance("gchi_gq", 0.1)],
            model=tied, parameters=("alpha",), bounds={"alpha": (1.0, 50.0)},
        )  # fmt: skip


@pytest.mark.parametrize("name", ["alpha", "beta: prompt neutrons"])
def test_a_nuisance_with_the_name_of_an_experiment_s_own(name):
    with refused(repr(name), CSI.name, f"ScaleNuisance {name!r}"):
        cf.Likelihood(CSI, nuisances=[cf.ScaleNuisance(name, 0.1)])
    with refused("ScaleNuisance 'a'", "ScaleNuisance 'a'"):
        cf.Likelihood(CSI, nuisances=[cf.ScaleNuisance("a", 0.1), cf.ScaleNuisance("a", 0.2)])


@pytest.mark.parametrize("name", ["C_V^2", f"{CSI.name}: steady state"])
def test_a_nuisance_with_the_name_of_a_modifier(name):
    with refused(repr(name), f"ScaleNuisance {name!r}"):
        cf.pyhf_workspace(CSI, LIGHT, ["C_V"], nuisances=[cf.ScaleNuisance(name, 0.1)])


@pytest.mark.parametrize("name", [3, None, b"flux"])
def test_names_are_strings(name):
    with pytest.raises(ValueError, match="must be a string"):
        cf.ScaleNuisance(name, 0.1)
    with pytest.raises(ValueError, match="must be a string"):
        replace(BACKGROUND, name=name)
    with pytest.raises(ValueError, match=r"name = .*: must be a string"):
        CSI.replace(name=name)


@pytest.mark.parametrize("name", ["a\0b", "a\nb", "\x1b[31m", "a\u2028b"])
def test_names_are_printable(name):
    """C ends a name at a zero: "a\\0b" and "a\\0c" would be one parameter there."""
    for make in (
        lambda: cf.ScaleNuisance(name, 0.1),
        lambda: replace(BACKGROUND, name=name),
        lambda: CSI.replace(name=name),
    ):
        with pytest.raises(ValueError, match="must be printable"):
            make()


def test_an_own_nuisance_may_have_the_name_of_a_coupling_where_nothing_is_asked_by_name():
    """Nobody chose the name "beta: …": a user's kind of interaction that has it gets the right limit."""

    class Named(cf.SingletEFT):
        couplings = cf.SingletEFT.couplings | {"alpha": cf.SingletEFT.couplings["C_V"]}

    assert cf.limit_scan(CSI, Named(1.0), "C_V").upper[0] == cf.limit_scan(CSI, LIGHT, "C_V").upper[0]
    with refused("coupling alpha of Named", f"the signal_uncertainty of {CSI.name}"):
        cf.Likelihood(CSI, model=Named(1.0), parameters=("C_V",))


def test_names_that_c_cannot_tell_apart(tmp_path):
    long = "x" * 63
    shared = [cf.ScaleNuisance(long + end, 0.1) for end in ("a", "b")]
    fit = cf.Likelihood(CSI, nuisances=shared, model=LIGHT, parameters=("C_V", *(each.name for each in shared)))
    with refused(long, f"parameter '{long}a' in C", f"parameter '{long}b' in C"):
        fit.export(tmp_path / "fit.cevns")


def test_names_that_arviz_cannot_tell_apart():
    pytest.importorskip("arviz", reason="arviz is not installed: pip install 'cevns_fast[fit]'")
    fit = cf.Likelihood(CSI, nuisances=[cf.ScaleNuisance("chain", 0.1)], model=LIGHT, parameters=("C_V", "chain"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with refused("the dimension 'chain'", "parameter 'chain'"):
            cf.to_inference_data(fit, np.zeros((2, 3, 2)))


# --- copies of one experiment -----------------------------------------------------------------------------


def test_copies_are_told_apart():
    poorer = CSI.replace(exposure=0.5 * CSI.exposure)
    like = cf.Likelihood([CSI, LAR, poorer])
    assert like.nuisance_names == (
        f"{CSI.name}: beta: prompt neutrons", f"{CSI.name}: alpha", f"{LAR.name}: alpha",
        f"{CSI.name} #2: beta: prompt neutrons", f"{CSI.name} #2: alpha",
    )  # fmt: skip
    workspace = cf.pyhf_workspace([CSI, poorer], LIGHT, ["C_V"])
    assert [each["name"] for each in workspace["channels"]] == [CSI.name, f"{CSI.name} #2"]
    scan = cf.correlation_scan([CSI, poorer], LIGHT, ("C_V",), [-0.1, 0.1])
    assert scan.provenance["experiments"] == f"{CSI.name}, {CSI.name} #2"


def test_a_scale_may_act_on_one_copy():
    """As on one of two experiments of different names."""
    counts = [cf.event_rate(CSI, cf.StandardModel())] * 2
    other = CSI.replace(name="other")
    for copy, name in ((0, CSI.name), (1, "other")):
        one = cf.ScaleNuisance("s", 0.3, experiments=(f"{CSI.name} #{copy + 1}",))
        same = cf.ScaleNuisance("s", 0.3, experiments=(name,))
        found = cf.Likelihood([CSI, CSI], nuisances=[one]).nuisances_of_counts([counts[0] * 1.5, counts[1]])
        expected = cf.Likelihood([CSI, other], nuisances=[same]).nuisances_of_counts([counts[0] * 1.5, counts[1]])
        assert list(found.values()) == list(expected.values())
    both = cf.Likelihood([CSI, CSI], nuisances=[cf.ScaleNuisance("s", 0.3, experiments=(CSI.name,))])
    every = cf.Likelihood([CSI, CSI], nuisances=[cf.ScaleNuisance("s", 0.3)])
    assert both.chi2_of_counts(counts) == every.chi2_of_counts(counts)
    with refused("experiments of 's'", "#3"):
        cf.Likelihood([CSI, CSI], nuisances=[cf.ScaleNuisance("s", 0.3, experiments=(f"{CSI.name} #3",))])


@pytest.mark.parametrize("statistic", ["gaussian", "poisson"])
def test_copies_are_two_experiments_for_the_twin_as_well(statistic):
    weak = cf.event_rate(CSI, cf.StandardModel())
    counts, shared = [1.5 * weak, 0.7 * weak], [cf.ScaleNuisance("s", 0.3, experiments=(f"{CSI.name} #2",))]
    expected = joint_chi2([Setup(CSI, n, weak, weak, {}) for n in counts], statistic=statistic, shared=shared)
    like = cf.Likelihood([CSI, CSI], statistic=statistic, nuisances=shared)
    assert like.chi2_of_counts(counts) == pytest.approx(expected.chi2, rel=1e-10)
    assert set(expected.pulls) == set(like.nuisance_names)


def test_a_shape_cannot_be_that_of_two_different_copies():
    thick, thin = (CSI.replace(form_factor=cf.HelmFormFactor(skin=s)) for s in (1.0, 0.8))
    skin = cf.ShapeNuisance("skin", (thick,), (thin,))
    cf.Likelihood([CSI, CSI.replace(observed=None)], nuisances=[skin])  # of the same signal
    for copy in (CSI.replace(exposure=2 * CSI.exposure), CSI.replace(distance=30.0)):
        with refused("'skin'", CSI.name, "replace(name=...)"):
            cf.Likelihood([CSI, copy], nuisances=[skin])
    with refused("entry 0 of up of 'skin'", "entry 1 of up of 'skin'"):
        cf.ShapeNuisance("skin", (thick, thick), (thin, thin))


def test_an_experiment_with_the_name_of_another_s_copy():
    with refused(f"experiment '{CSI.name} #2'", f"copy '{CSI.name} #2'"):
        cf.Likelihood([CSI, CSI, LAR.replace(name=f"{CSI.name} #2")])


@pytest.mark.parametrize("name", ["a*b", "g^2", "(g)", "g/h"])
def test_couplings_with_the_grammar_of_products(name):
    with refused(f"coupling = {name!r}", "must be without the characters"):
        cf.pyhf_workspace(CSI, LIGHT, [name])
