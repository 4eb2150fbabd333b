"""Rates of the slow twin against brute force, closed forms and the numbers of the data release."""

import math
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from accuracy import approx
from scipy import integrate as scipy_integrate
from scipy import stats
from slow_twin import chi2, event_rate, event_rate_terms

import cevns_fast as cf
from cevns_fast.constants import AVOGADRO, M_MUON
from cevns_fast.reference import (
    differential_cross_section,
    recoil_spectrum,
)
from cevns_fast.reference.fluxes import fluxes
from cevns_fast.reference.kinematics import recoil_range
from cevns_fast.reference.likelihood import steady_state_counts
from cevns_fast.reference.quadrature import integrate
from cevns_fast.reference.rates import nuclei
from cevns_fast.reference.responses import recoil_at, windows

CSI = cf.load("coherent-csi-2017")
SM = cf.StandardModel()
ALL = cf.SingletEFT(m_chi=20.0, a_M=3e-4, a_E=1e-4j, C_S=0.01 + 0.005j, D_P=0.01, C_V=0.05, D_A=0.1j, C_T=(0.1, -0.05))


@cache
def on_csi(interaction, standard_model=True):
    return event_rate(CSI, interaction, standard_model=standard_model)


def with_response(bins, *, target=CSI.detector.target, **fields):
    return CSI.replace(
        bins=bins, target=target, response=cf.Response(**fields),
        observed=None, steady_state=np.zeros(len(bins) - 1), backgrounds=(),
    )  # fmt: skip


# One nuclide and two bins: for what does not depend on how many there are.
CESIUM = cf.Target.of("Cs", {"Cs": 1})
SMALL = with_response((6.0, 8.5, 20.0), target=CESIUM, light_yield=1.17)


# --- quadrature -----------------------------------------------------------------------------------


def test_quadrature_of_several_rows_and_panels():
    low, size = np.array([0.0, 1.0]), np.array([1.0, 2.0])

    def f(panel, s, r):
        x = low[panel] + size[panel] * s
        return size[panel] * np.array([np.sqrt(x), np.sin(40 * x), 1e-30 * x])

    found = integrate(f, 2)
    exact = [[2 / 3, 2 / 3 * (3**1.5 - 1)], [(1 - math.cos(40)) / 40, (math.cos(40) - math.cos(120)) / 40]]
    assert found[:2] == approx(np.array(exact), rel=1e-11)
    assert found[2] == approx([0.5e-30, 4e-30], rel=1e-13)


def test_quadrature_measures_from_both_ends():
    # ∫ (1 - s)^(-1/4) ds, where 1 - s would be rounded to zero.
    assert integrate(lambda i, s, r: (r**-0.25)[None], 1)[0, 0] == approx(4 / 3, rel=1e-12)
    assert integrate(lambda i, s, r: (r**0.5 * s)[None], 1)[0, 0] == approx(4 / 15, rel=1e-12)


def test_divergence_is_an_error():
    with pytest.raises(ArithmeticError, match="does not converge"):
        integrate(lambda i, s, r: (1 / s)[None], 1)
    with pytest.raises(ArithmeticError, match="not finite"):
        integrate(lambda i, s, r: (s * math.nan)[None], 1)
    zero_threshold = with_response((0.0, 1.0), target=CESIUM, light_yield=1.0)
    with pytest.raises(ArithmeticError):
        event_rate(zero_threshold, cf.SingletEFT(m_chi=0.0, a_M=1e-4), standard_model=False)


# --- rates ----------------------------------------------------------------------------------------


def test_coherent_csi():
    counts = on_csi(SM)
    assert counts.shape == (12,)
    assert counts.sum() == approx(166, abs=0.5)
    assert chi2(CSI, counts) == approx(2.83, abs=0.005)
    assert chi2(CSI, np.zeros(12)) == approx(22.6, abs=0.05)


def test_pion_decay_at_rest():
    """CL Eq. (9): each species normalised to one, with mean energies of 3/10 and 7/20 of m_μ."""
    nu_mu, nu_e, anti_nu_mu = fluxes(CSI.source, 1.76e23)
    assert [f.beam.antineutrino for f in (nu_mu, nu_e, anti_nu_mu)] == [False, False, True]
    for flux in (nu_mu, nu_e, anti_nu_mu):
        assert flux.fluence == approx(0.08 * 1.76e23 / (4 * math.pi * 1930.0**2), rel=1e-14)
    ((energy, intensity),) = nu_mu.lines
    assert (energy, intensity) == approx((29.792, 1.0), rel=1e-4)
    for flux, mean in ((nu_e, 0.3), (anti_nu_mu, 0.35)):
        assert flux.breakpoints == (0.0, M_MUON / 2)
        E = M_MUON / 4 * (1 + np.polynomial.legendre.leggauss(8)[0])
        weights = M_MUON / 4 * np.polynomial.legendre.leggauss(8)[1] * flux.spectrum(E, M_MUON / 2 - E)
        moments = [weights.sum(), weights @ E]
        assert moments == approx([1.0, mean * M_MUON], rel=1e-12)


def brute_force(experiment, interaction, b, points=400):
    """Trapezoids and midpoints only: counts of bin b without any knowledge of kinks, by plain summation
    over T.

    For each recoil the energy integral is scipy's, of the public differential cross section times CL Eq.
    (9).
    """
    detector, response = experiment.detector, experiment.detector.response
    low, high = (recoil_at(response, x) for x in detector.bins[b : b + 2])
    fluence = 0.08 * experiment.exposure / (4 * math.pi * 1930.0**2)
    line, end = 29.79201, M_MUON / 2
    grid = low + (high - low) * (np.arange(points) + 0.5) / points
    total = 0.0
    for nuclide, number in nuclei(detector):
        for T in grid:
            x = 1.17 * T / 1e-3
            acceptance = 0.6655 / (1 + math.exp(-0.4942 * (x - 10.8507))) if x > 5 else 0
            flux = differential_cross_section(interaction, nuclide, line, T)
            for antineutrino, spectrum in [
                (False, lambda E: 192 / M_MUON * (E / M_MUON) ** 2 * (0.5 - E / M_MUON)),
                (True, lambda E: 64 / M_MUON * (E / M_MUON) ** 2 * (0.75 - E / M_MUON)),
            ]:
                E = np.linspace(0, end, 601)[1:]
                sigma = differential_cross_section(interaction, nuclide, E, T, antineutrino=antineutrino)
                flux += np.trapezoid(spectrum(E) * sigma, E)
            total += number * fluence * acceptance * flux * (high - low) / points
    return total


@pytest.mark.parametrize(("interaction", "b"), [(SM, 3), (ALL, 9)])
def test_against_brute_force(interaction, b):
    found = on_csi(interaction, standard_model=False)[b]
    assert found == approx(brute_force(CSI, interaction, b, points=4), rel=3e-3)


def test_line_alone_against_quad():
    """One species without an inner integral: scipy's quad must agree to its own accuracy."""
    source = SimpleNamespace(
        components=(cf.FluxComponent("line", antineutrino=True, lines=((25.0, 2.0),)),),
        fluence_per_exposure=3e5,
    )
    fake = SimpleNamespace(source=source, detector=CSI.detector, exposure=10.0)
    found = event_rate(fake, ALL, standard_model=False)
    for b, (low, high) in enumerate(zip(CSI.detector.bins[:-1], CSI.detector.bins[1:], strict=True)):
        expected = 0.0
        for nuclide, number in nuclei(CSI.detector):

            def f(T, nuclide=nuclide):
                acceptance = 0.6655 / (1 + math.exp(-0.4942 * (1170 * T - 10.8507)))
                return acceptance * differential_cross_section(ALL, nuclide, 25.0, T, antineutrino=True)

            limits = recoil_range(25.0, nuclide.mass, 20.0)
            ends = [min(max(x / 1170, limits.low), limits.high) for x in (low, high)]
            if ends[0] < ends[1]:
                expected += number * 6e6 * scipy_integrate.quad(f, *ends, epsabs=0, epsrel=1e-12)[0]
        assert found[b] == approx(expected, rel=1e-12)


def test_continuum_without_kinks_against_dblquad():
    """A flat spectrum whose every neutrino can cause every recoil of the bin: a rectangle in (E, T)."""
    flat = cf.FluxComponent("flat", False, spectrum=lambda E: np.ones_like(E), breakpoints=(40.0, 50.0))
    source = SimpleNamespace(components=(flat,), fluence_per_exposure=1e6)
    fake = SimpleNamespace(source=source, detector=CSI.detector, exposure=1.0)
    expected = 0.0
    for nuclide, number in nuclei(CSI.detector):

        def f(E, T, nuclide=nuclide):
            acceptance = 0.6655 / (1 + math.exp(-0.4942 * (1170 * T - 10.8507)))
            return acceptance * differential_cross_section(ALL, nuclide, E, T)

        expected += number * 1e6 * scipy_integrate.dblquad(f, 12 / 1170, 14 / 1170, 40, 50, epsabs=0, epsrel=1e-9)[0]
    assert event_rate(fake, ALL, standard_model=False)[3] == approx(expected, rel=1e-11)


def test_breakpoints_of_a_spectrum_may_be_steps():
    """Two flat pieces are the sum of two spectra."""

    def fake(*components):
        source = SimpleNamespace(components=components, fluence_per_exposure=1e6)
        return SimpleNamespace(source=source, detector=SMALL.detector, exposure=1.0)

    def step(E):
        return np.where(E < 35, 1.0, 3.0)

    def counts(*component):
        return event_rate(fake(cf.FluxComponent(*component)), ALL, standard_model=False)

    both = counts("step", True, step, (20.0, 35.0, 50.0))
    lower = counts("low", True, np.ones_like, (20.0, 35.0))
    upper = counts("high", True, np.ones_like, (35.0, 50.0))
    assert np.all(lower > 0) and np.all(upper > 0)
    assert both == approx(lower + 3 * upper, rel=1e-12)


def test_bins_add_up_whatever_straddles_a_kinematic_limit():
    for m_chi in (0.0, 1e-3, 52.7):
        chi = cf.SingletEFT(m_chi=m_chi, a_M=3e-4, C_S=0.01, C_V=0.05)
        fine = with_response(tuple(np.linspace(1e-3, 60, 8)), target=CESIUM, light_yield=1.17)
        coarse = with_response((1e-3, 60.0), target=CESIUM, light_yield=1.17)
        a, b = (event_rate(e, chi, standard_model=False).sum() for e in (fine, coarse))
        assert a > 0
        assert a == approx(b, rel=1e-12)


def test_rates_vanish_above_the_kinematic_limit():
    beyond = cf.SingletEFT(m_chi=53.0, C_S=1.0, a_M=1.0)
    assert np.all(on_csi(beyond, standard_model=False) == 0)
    assert event_rate(SMALL, beyond) == approx(event_rate(SMALL, SM), rel=1e-15)
    just_below = cf.SingletEFT(m_chi=52.8, C_S=1.0)
    assert on_csi(just_below, standard_model=False).sum() > 0


def test_standard_model_is_added_once():
    weak = cf.StandardModel(0.23857)
    alone = event_rate(SMALL, ALL, standard_model=False)
    assert event_rate(SMALL, ALL) == approx(event_rate(SMALL, SM) + alone, rel=1e-14)
    assert event_rate(SMALL, ALL, standard_model=weak) == approx(event_rate(SMALL, weak) + alone, rel=1e-14)
    assert on_csi(weak).sum() == approx(173, abs=0.5)  # CONVENTIONS, units and constants


def test_terms_bound_the_rate():
    terms = event_rate_terms(SMALL, ALL, standard_model=False)
    counts = event_rate(SMALL, ALL, standard_model=False)
    assert np.all(terms > counts)
    alone = cf.SingletEFT(m_chi=20.0, C_S=0.01)
    assert event_rate_terms(SMALL, alone) == approx(event_rate(SMALL, alone), rel=1e-15)


def test_recoil_spectrum_integrates_to_the_rate():
    unit = with_response((5.0, 9.0), light_yield=1.0)
    counts = event_rate(unit, ALL)
    assert counts[0] == approx(
        scipy_integrate.quad(lambda T: recoil_spectrum(unit, ALL, T), 5e-3, 9e-3, epsrel=1e-7)[0], rel=1e-5
    )
    assert recoil_spectrum(unit, ALL, [0.01, 0.02, 1.0]).shape == (3,)
    assert recoil_spectrum(unit, ALL, 1.0) == 0


def test_number_of_nuclei():
    (cs, n_cs), (iodine, n_i) = nuclei(CSI.detector)
    assert (cs.name, iodine.name) == ("Cs133", "I127")
    assert n_cs == n_i == approx(14570.0 / 259.81 * AVOGADRO, rel=1e-5)


# --- responses ------------------------------------------------------------------------------------


def response_at(T, bins, **fields):
    (window,) = windows(with_response(bins, **fields).detector)
    return window.response(T)


def test_poisson_response():
    bins, T = (0, 3, 10), 4e-3
    found = response_at(T, bins, light_yield=1.5, quenching=0.9, smearing=cf.PoissonSmearing())
    mean = 4 * 1.5 * 0.9
    assert found == approx([stats.poisson.cdf(2, mean), stats.poisson.cdf(9, mean) - stats.poisson.cdf(2, mean)])
    halved = response_at(T, bins, light_yield=1.5, quenching=0.9, smearing=cf.PoissonSmearing(),
                         acceptance=lambda n: np.where(n < 2, 0.0, 0.5))  # fmt: skip
    assert halved[0] == approx(0.5 * stats.poisson.pmf(2, mean))


def test_gaussian_response():
    bins, T = (0.0, 3.0, 10.0), 4e-3
    smearing = cf.GaussianSmearing(statistical=0.7, constant=0.3, linear=0.1)
    found = response_at(T, bins, light_yield=1.5, smearing=smearing)
    sigma = math.sqrt(0.7**2 * 6 + 0.3**2 + (0.1 * 6) ** 2)
    assert found == approx(np.diff(stats.norm.cdf(bins, 6, sigma)), rel=1e-12)
    narrow = response_at(T, bins, light_yield=1.5, smearing=cf.GaussianSmearing(statistical=0, constant=1e-6))
    assert narrow == approx([0, 1], abs=1e-9)


def test_gamma_response():
    bins, T = (0.0, 3.0, 10.0), 4e-3
    found = response_at(T, bins, light_yield=1.5, smearing=cf.GammaSmearing(shape_per_unit=2.0))
    shape = 1 + 2 * 6
    assert found == approx(np.diff(stats.gamma.cdf(bins, shape, scale=6 / shape)), rel=1e-12)


@pytest.mark.parametrize(
    "smearing",
    [cf.PoissonSmearing(), cf.GaussianSmearing(0.8), cf.GammaSmearing(9.56)],
    ids=lambda s: type(s).__name__,
)
def test_wide_bins_do_not_notice_smearing(smearing):
    """With one bin that holds everything, smearing cannot move anything out."""
    wide = (0, 1000)
    low = 1e-9 if isinstance(smearing, cf.GaussianSmearing) else 0.0
    smeared = event_rate(with_response(wide, light_yield=10.0, smearing=smearing, recoil_threshold=2e-3), SM)
    sharp = event_rate(with_response(wide, light_yield=10.0, recoil_threshold=2e-3), SM)
    assert smeared == approx(sharp, rel=1e-9 + low)


def test_quenching_by_a_function():
    constant = with_response((6.0, 8.0, 10.0), light_yield=2.0, quenching=0.5)
    function = with_response((6.0, 8.0, 10.0), light_yield=2.0, quenching=lambda T: np.full_like(T, 0.5))
    assert event_rate(constant, SM) == approx(event_rate(function, SM), rel=1e-13)
    rising = cf.Response(light_yield=2.0, quenching=lambda T: 10 * np.sqrt(T))
    assert recoil_at(rising, 8.0) == approx((8.0 / 2e4) ** (2 / 3), rel=1e-13)
    assert recoil_at(rising, 0.0) == 0
    assert recoil_at(rising, 1e9) == math.inf


def test_thresholds():
    bins = (2.0, 4.0, 6.0)
    plain = event_rate(with_response(bins), SM)
    cut = event_rate(with_response(bins, recoil_threshold=4e-3), SM)
    assert cut[0] == 0
    assert cut[1] == plain[1]
    logistic = cf.LogisticAcceptance(plateau=1.0, steepness=0.0, midpoint=0.0, threshold=4.0)
    assert event_rate(with_response(bins, acceptance=logistic), SM) == approx([0, plain[1] / 2], rel=1e-13)


def test_table_of_acceptance():
    bins = (2.0, 4.0, 6.0)
    table = cf.Table((0.0, 3.0, 5.0), (0.2, 0.2, 0.8))
    found = event_rate(with_response(bins, acceptance=table), SM)
    same = event_rate(with_response(bins, acceptance=lambda x: 0.2 + 0.3 * np.clip(x - 3, 0, 2)), SM)
    assert found == approx(same, rel=1e-9)


# --- χ² -------------------------------------------------------------------------------------------


def by_minimisation(experiment, counts):
    """CL Eq. (13), literally."""
    from scipy.optimize import minimize

    on = experiment.backgrounds[0]
    variance = experiment.observed + 2 * experiment.steady_state + on.counts

    def f(x):
        alpha, beta = x
        r = experiment.observed - counts * (1 + alpha) - on.counts * (1 + beta)
        return np.sum(r**2 / variance) + (alpha / 0.28) ** 2 + (beta / 0.25) ** 2

    return minimize(f, [0, 0], tol=1e-12).fun


def with_signal():
    """Counts that are not those of the Standard Model."""
    return on_csi(SM) + on_csi(ALL, standard_model=False)


def test_chi2_against_numerical_minimisation():
    counts = with_signal()
    assert chi2(CSI, counts) == approx(by_minimisation(CSI, counts), rel=1e-8)


def test_chi2_without_uncertainties_is_the_plain_sum():
    plain = CSI.replace(signal_uncertainty=0.0, backgrounds=(cf.Background("none", np.zeros(12), 0.0),))
    counts = on_csi(SM)
    expected = np.sum((CSI.observed - counts) ** 2 / (CSI.observed + 2 * CSI.steady_state))
    assert chi2(plain, counts) == approx(expected, rel=1e-14)


def test_chi2_does_not_cancel_at_absurd_couplings():
    # For N → ∞ at fixed shape, α → -1 and χ² tends to the unscaled best normalisation plus 1/σ_α².
    shape = on_csi(SM)
    values = [chi2(CSI, scale * shape) for scale in (1e8, 1e12)]
    assert values[0] == approx(values[1], rel=1e-6)


def test_chi2_of_brdar():
    """BRX Eqs. (29), (30): simulated data, variance from the prediction, shape error, known background."""
    brdar = CSI.replace(
        observed=None,
        backgrounds=(),
        steady_state=np.full(12, 5.0),
        steady_state_weight=1.0,
        variance="prediction",
        shape_uncertainty=0.01,
        signal_uncertainty=0.02,
    )
    truth, counts = on_csi(SM), with_signal()
    variance = counts + 5 + (0.01 * (counts + 5)) ** 2
    alpha = np.linspace(-1, 1, 200_001)
    values = np.sum(((1 + alpha[:, None]) * counts - truth) ** 2 / variance, axis=1) + (alpha / 0.02) ** 2
    assert chi2(brdar, counts) == approx(values.min(), rel=1e-6)
    assert chi2(brdar, truth) == 0


def test_signal_uncertainty_on_the_standard_model_alone():
    experiment = CSI.replace(signal_uncertainty_on="standard_model", backgrounds=())
    truth, counts = on_csi(SM), with_signal()
    variance = CSI.observed + 2 * CSI.steady_state
    alpha = np.linspace(-3, 3, 60_001)
    residuals = CSI.observed - counts - alpha[:, None] * truth
    values = np.sum(residuals**2 / variance, axis=1) + (alpha / 0.28) ** 2
    assert chi2(experiment, counts) == approx(values.min(), rel=1e-6)
    weak = chi2(experiment, counts, standard_model=1.1 * truth)
    assert weak == approx(chi2(experiment.replace(signal_uncertainty=0.28 * 1.1), counts), rel=1e-12)


def test_steady_state_backgrounds():
    detector = SimpleNamespace(bins=(2.0, 4.0, 8.0), mass=3.0, response=cf.Response(light_yield=2.0))

    def counts(steady):
        fake = SimpleNamespace(steady_state=steady, detector=detector, exposure=10.0)
        return steady_state_counts(fake, np.array([70.0, 30.0]))

    assert counts(cf.BackgroundRate(0.5)) == approx([15.0, 30.0])  # per day, keV and kg
    assert counts(cf.StandardModelFraction(0.25)) == approx([25 / 3, 50 / 3])
    assert counts(np.array([1.0, 2.0])) == approx([1.0, 2.0])
