"""The façade refuses bad input with the argument's name, its value and what is allowed."""

import math

import numpy as np
import pytest

import cevns_fast as cf

EFT, SM = cf.SingletEFT(10.0), cf.StandardModel()
CS = cf.nuclide("Cs133")


def refused(call, *parts):
    with pytest.raises(ValueError) as error:
        call()
    for part in parts:
        assert part in str(error.value), str(error.value)


@pytest.mark.parametrize("function", [cf.event_rate, cf.templates, cf.limit_scan, cf.recoil_spectrum])
@pytest.mark.parametrize("experiment", ["coherent-csi-2017", None, 3.0])
def test_what_is_no_experiment(function, experiment):
    arguments = {cf.limit_scan: ("C_S",), cf.recoil_spectrum: (0.01,)}.get(function, ())
    refused(lambda: function(experiment, EFT, *arguments), "experiment", repr(experiment), "must be")


@pytest.mark.parametrize("function", [cf.event_rate, cf.templates, cf.limit_scan, cf.recoil_spectrum])
@pytest.mark.parametrize("interaction", [None, 10.0, "SingletEFT", [1.0], [None], cf.SingletEFT])
def test_what_is_no_interaction(csi, function, interaction):
    arguments = {cf.limit_scan: ("C_S",), cf.recoil_spectrum: (0.01,)}.get(function, ())
    refused(lambda: function(csi, interaction, *arguments), "interaction", "must be")


@pytest.mark.parametrize("function", [cf.event_rate, cf.templates, cf.limit_scan])
def test_empty_lists(csi, function):
    arguments = ("C_S",) if function is cf.limit_scan else ()
    refused(lambda: function(csi, [], *arguments), "interaction", "[]", "must hold at least one")


def test_lists_of_several_kinds(csi):
    refused(lambda: cf.templates(csi, [EFT, SM]), "interaction", "one kind")
    refused(lambda: cf.limit_scan(csi, [EFT, SM], "C_S"), "interaction", "one kind")
    assert cf.event_rate(csi, [EFT, SM]).shape == (2, 12)  # there they may be mixed


@pytest.mark.parametrize("rtol", [0.0, -1e-9, 1e-15, 0.1, math.nan, math.inf, True, "1e-9", None])
@pytest.mark.parametrize("function", [cf.event_rate, cf.templates, cf.limit_scan])
def test_tolerances(csi, function, rtol):
    arguments = ("C_S",) if function is cf.limit_scan else ()
    refused(lambda: function(csi, EFT, *arguments, rtol=rtol), f"rtol = {rtol!r}", "must be")


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", None, True, math.nan])
@pytest.mark.parametrize("function", [cf.event_rate, cf.templates, cf.limit_scan])
def test_threads(csi, function, threads):
    arguments = ("C_S",) if function is cf.limit_scan else ()
    refused(lambda: function(csi, EFT, *arguments, threads=threads), f"threads = {threads!r}", "whole number >= 1")


@pytest.mark.parametrize("model", [None, 0, 1, 0.2312, "yes", EFT])
def test_standard_models(csi, model):
    name = f"standard_model = {model!r}"
    refused(lambda: cf.event_rate(csi, EFT, standard_model=model), name, "must be")
    refused(lambda: cf.templates(csi, EFT, standard_model=model), name, "must be")
    refused(lambda: cf.recoil_spectrum(csi, EFT, 0.01, standard_model=model), name, "must be")
    refused(lambda: cf.Likelihood(csi, standard_model=model), name, "must be")


@pytest.mark.parametrize(
    ("coupling", "hint"), [("C_s", "did you mean 'C_S'?"), ("aM", "did you mean 'a_M'?"), (3, "must be one of")]
)
def test_unknown_couplings(csi, coupling, hint):
    refused(lambda: cf.limit_scan(csi, EFT, coupling), f"coupling = {coupling!r}", hint)
    refused(lambda: cf.templates(csi, EFT, [coupling]), f"coupling = {coupling!r}", hint)
    refused(lambda: cf.templates(csi, EFT).counts({coupling: 1.0}), f"coupling = {coupling!r}", "must be one of")


@pytest.mark.parametrize("value", [math.nan, math.inf, "1", True, None, [1.0]])
def test_values_of_couplings(csi, value):
    refused(lambda: cf.templates(csi, EFT).counts({"C_S": value}), f"C_S = {value!r}", "must be")


def test_couplings_that_are_no_names(csi):

    def scan(couplings, **options):
        return lambda: cf.correlation_scan(csi, EFT, couplings, [0.0, 1.0], **options)

    refused(lambda: cf.templates(csi, EFT, ([],)), "coupling = []", "must be one of")
    for wrong in (name for name in ("C_S",)), "C_S", None, ():
        refused(scan(wrong), "couplings = ", "sequence of one to three names")
    refused(scan(("C_S",), profile=iter(("a_M",))), "profile = ", "sequence")
    for wrong in ["C_S"], "C_S", 1j:
        refused(scan(("C_S",), phases=wrong), f"phases = {wrong!r}", "mapping")
        refused(lambda w=wrong: cf.templates(csi, EFT, ("C_S",), phases=w), f"phases = {wrong!r}", "mapping")


def test_couplings_and_phases(csi):
    refused(lambda: cf.templates(csi, EFT, ("C_S", "C_S")), "couplings", "each may be named once")
    refused(lambda: cf.templates(csi, EFT, ("C_S",), phases={"C_V": 1j}), "phases = 'C_V'", "must be one of")
    for phase in (2.0, 0.0, math.nan, "i"):
        refused(lambda p=phase: cf.templates(csi, EFT, ("C_S",), phases={"C_S": p}), f"{phase!r}", "must be")
        refused(lambda p=phase: cf.limit_scan(csi, EFT, "C_S", phase=p), f"{phase!r}", "must be")


@pytest.mark.parametrize("cl", [0.0, 1.0, 90.0, -0.1, math.nan, True, "0.9"])
def test_confidence_levels(csi, cl):
    refused(lambda: cf.limit_scan(csi, EFT, "C_S", cl=cl), f"cl = {cl!r}", "must be")


@pytest.mark.parametrize("delta_chi2", [0.0, -1.0, math.nan, math.inf, True, "4.61"])
def test_thresholds(csi, delta_chi2):
    refused(lambda: cf.limit_scan(csi, EFT, "C_S", delta_chi2=delta_chi2), f"delta_chi2 = {delta_chi2!r}", "must be")


def test_both_or_neither_threshold(csi):
    refused(
        lambda: cf.limit_scan(csi, EFT, "C_S", cl=0.9, delta_chi2=2.71), "cl = 0.9", "delta_chi2 = 2.71", "one must"
    )


@pytest.mark.parametrize("T", [-0.01, math.nan, math.inf, "0.01", 0.01j, True, None])
def test_recoil_energies(csi, T):
    refused(lambda: cf.helm_form_factor(CS, T), "T", "must be")
    refused(lambda: cf.differential_cross_section(SM, CS, 30.0, T), "T", "must be")
    refused(lambda: cf.differential_cross_section(SM, CS, T, 0.01), "E", "must be")
    refused(lambda: cf.recoil_spectrum(csi, SM, T), "T", "must be")
    refused(lambda: csi.detector.bin_response(T), "T", "must be")


def test_no_spectrum_at_zero_recoil(csi):
    refused(lambda: cf.recoil_spectrum(csi, SM, [0.01, 0.0]), "T = 0.0", "must be > 0")


def test_shapes_that_do_not_broadcast():
    with pytest.raises(ValueError, match=r"E.*\(2,\).*T.*\(3,\)"):
        cf.differential_cross_section(SM, CS, [30.0, 31.0], [0.01, 0.02, 0.03])


def test_nuclides():
    refused(lambda: cf.helm_form_factor("Cs133", 0.01), "nuclide = 'Cs133'", "cevns_fast.nuclide(")
    refused(lambda: cf.differential_cross_section(SM, 133, 30.0, 0.01), "nuclide = 133", "must be")
    refused(lambda: cf.differential_cross_section("SM", CS, 30.0, 0.01), "interaction = 'SM'", "must be")


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (np.ones(11), "must be (12,)"),
        (np.ones((2, 11)), "must be (12,)"),
        (np.ones((2, 2, 12)), "must be (12,)"),
        (3.0, "must be (12,)"),
        (np.full(12, np.nan), "must be finite"),
        (np.full(12, np.inf), "must be finite"),
        (["a"] * 12, "must be real numbers"),
        (np.ones(12, dtype=complex), "must be real numbers"),
        (np.ones(12, dtype=bool), "must be real numbers"),
    ],
)
def test_counts(csi, counts, message):
    refused(lambda: cf.Likelihood(csi).chi2_of_counts(counts), "counts", message)


def test_counts_of_a_joint_fit(csi):
    like = cf.Likelihood([csi, csi])
    refused(lambda: like.chi2_of_counts([np.ones(12)]), "counts", "one for each experiment")
    for counts in (1.0, None, "ab", {"a": 1.0}):
        refused(lambda counts=counts: like.chi2_of_counts(counts), "counts", "one for each experiment")
        refused(lambda counts=counts: like.nuisances_of_counts(counts), "counts", "one for each experiment")


def test_likelihoods(csi):
    refused(lambda: cf.Likelihood([]), "experiments = []", "at least one")
    refused(lambda: cf.Likelihood([csi, None]), "experiments = None", "must be")
    refused(lambda: cf.Likelihood("csi"), "experiments", "must be")
    refused(lambda: cf.Likelihood(csi).chi2(None), "interaction = None", "must be")
    refused(lambda: cf.Likelihood(csi).nuisances(None), "interaction = None", "must be")


def test_a_bin_without_variance(csi):
    empty = csi.replace(observed=np.zeros(12), steady_state=np.zeros(12), backgrounds=())
    refused(lambda: cf.Likelihood(empty), "coherent-csi-2017", "variance of bin 0 = 0", "must be > 0")


def test_rates_that_diverge(bare):
    """A massless particle's dipole rate is 1/T: a detector that sees zero recoil would count infinitely many."""
    zero = bare((0.0, 5.0))
    refused(lambda: cf.event_rate(zero, cf.SingletEFT(0.0, a_M=1e-4)), "m_chi = 0.0", "must be > 0")
    refused(lambda: cf.event_rate(zero, cf.SingletEFT(0.0, a_E=1e-4)), "m_chi = 0.0")
    assert np.isfinite(cf.event_rate(zero, cf.SingletEFT(0.0, C_S=0.01, C_V=0.01, C_T=0.1))).all()
    assert np.isfinite(cf.event_rate(zero, cf.SingletEFT(1e-3, a_M=1e-4))).all()


@pytest.mark.parametrize("T", [np.array([[0.01]]), np.array([])])
def test_bin_responses_of_wrong_shape(csi, T):
    refused(lambda: csi.detector.bin_response(T), "T: has shape", "one-dimensional")


def test_a_spectrum_that_is_not_finite(bare, source):
    component = cf.FluxComponent("bad", False, lambda E: np.where(E > 20, np.nan, 1.0), (1.0, 50.0))
    refused(lambda: cf.event_rate(bare((2.0, 5.0), source=source(component)), SM), "spectrum", "not finite")
