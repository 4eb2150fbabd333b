"""Pion decay at rest: CL Eq. (9)."""

import math

import numpy as np
import pytest
from scipy import integrate

import cevns_fast as cf
from cevns_fast.constants import M_MUON
from cevns_fast.counts import flux

SOURCE = cf.PionDecayAtRest(distance=19.3)
NU_MU, NU_E, ANTI_NU_MU = SOURCE.components


def test_species():
    assert [c.name for c in SOURCE.components] == ["nu_mu", "nu_e", "anti_nu_mu"]
    assert [c.antineutrino for c in SOURCE.components] == [False, False, True]


def test_the_line_of_two_body_decay():
    ((energy, intensity),) = NU_MU.lines
    assert intensity == 1.0
    assert energy == pytest.approx(29.792, abs=5e-4)
    assert NU_MU.spectrum is None and NU_E.lines == ANTI_NU_MU.lines == ()


@pytest.mark.parametrize(
    ("component", "mean_in_muon_masses"),
    [(NU_E, 3 / 10), (ANTI_NU_MU, 7 / 20)],  # ⟨x⟩ of 192x²(1/2 − x) and 64x²(3/4 − x) on [0, 1/2]
    ids=["nu_e", "anti_nu_mu"],
)
def test_spectra_of_muon_decay(component, mean_in_muon_masses):
    low, high = component.breakpoints
    assert (low, high) == (0.0, M_MUON / 2)
    E = np.linspace(low, high, 1001)
    assert np.all(component.spectrum(E) >= 0)

    def moment(k):
        return integrate.quad(lambda E: float(component.spectrum(E)) * E**k, low, high, epsabs=0)[0]

    assert moment(0) == pytest.approx(1.0, rel=1e-12)
    assert moment(1) == pytest.approx(mean_in_muon_masses * M_MUON, rel=1e-12)


def test_which_spectrum_ends_in_zero():
    """Swapped ν_e and ν̄_μ spectra are a classic mistake: ν_e vanishes at the end point, ν̄_μ is largest there."""
    end = np.array([M_MUON / 2])
    assert NU_E.spectrum(end) == pytest.approx(0.0, abs=1e-15)
    assert ANTI_NU_MU.spectrum(end) == pytest.approx(4 / M_MUON)


def test_fluence():
    expected = 0.08 / (4 * math.pi * 1930.0**2)
    assert SOURCE.fluence_per_exposure == pytest.approx(expected, rel=1e-14)
    assert SOURCE.exposure_unit == "protons on target"
    assert cf.PionDecayAtRest(38.6).fluence_per_exposure == pytest.approx(expected / 4, rel=1e-14)
    assert cf.PionDecayAtRest(19.3, 0.16).fluence_per_exposure == pytest.approx(2 * expected, rel=1e-14)


@pytest.mark.parametrize("k", [-2, -1, 0, 1, 2])
@pytest.mark.parametrize("odd", [False, True])
def test_flux_moments_that_kernels_see(k, odd):
    """μ_k(x) = ∫_x φ(E) E^k dE of all species, antineutrinos with a minus sign where terms are odd."""
    moments = flux.flux_moments(SOURCE, ((odd, k),))
    sign = -1 if odd else 1
    for x in (1.0, 20.0, 29.7, 29.9, 45.0, 52.0):
        expected = NU_MU.lines[0][0] ** k if x < NU_MU.lines[0][0] else 0.0
        for component, weight in ((NU_E, 1), (ANTI_NU_MU, sign)):
            expected += (
                weight
                * integrate.quad(
                    lambda E, c=component: float(c.spectrum(E)) * E**k, x, M_MUON / 2, epsabs=0, epsrel=1e-12
                )[0]
            )
        found = flux.moments_at(moments, np.array([x]))[0, 0]
        assert found == pytest.approx(expected, rel=1e-12, abs=1e-13 * M_MUON**k)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"distance": 0.0}, r"distance = 0.0: must be a finite number > 0"),
        ({"distance": math.inf}, r"distance = inf"),
        ({"distance": "19.3"}, r"distance = '19.3'"),
        ({"distance": 19.3, "neutrinos_per_proton": -0.08}, r"neutrinos_per_proton = -0.08"),
    ],
)
def test_bad_sources(arguments, message):
    with pytest.raises(ValueError, match=message):
        cf.PionDecayAtRest(**arguments)
