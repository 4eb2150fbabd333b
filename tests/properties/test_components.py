"""Responses and release axes of some components of the flux, and of electrons: fast against slow, and by hand."""

from dataclasses import replace

import numpy as np
import pytest
from accuracy import error

import cevns_fast as cf

CSI = cf.load("coherent-csi-2017")
SEEN = CSI.detector.response
LESS, BRIGHTER = replace(SEEN, acceptance=0.5), replace(SEEN, light_yield=20.0)
TIME = cf.TimeAxis((0.0, 1.0, 6.0), pulse=cf.ProtonPulse(0.47, 0.15))
RELEASE = cf.ReleaseAxis("z", (0.3, 0.7), {"nu_e": (0.9, 0.05), "electrons": (0.2, 0.6)})
INTERACTIONS = (
    cf.StandardModel(),
    cf.SingletEFT(10.0, C_S=0.01, a_M=1e-4),
    cf.ScalarMediator(m_chi=3.0, m_S=10.0, y_bar=1e-5),
    cf.NSI(eps_ee_u=0.1, eps_emu_d=0.03 - 0.04j),
)


def of_bins(n, **changes):
    """CsI without data, in so many bins."""
    nothing = {"backgrounds": (), "steady_state": np.zeros(n), "observed": np.zeros(n), "nuisances": ()}
    return CSI.replace(**(nothing | changes))


def alone(component, response):
    """What one component brings with a response, counts per bin."""
    source = CSI.source

    class One:
        exposure_unit, fluence_per_exposure = source.exposure_unit, source.fluence_per_exposure
        components = tuple(c for c in source.components if c.name == component)

    return cf.event_rate(of_bins(12, source=One(), response=response), cf.StandardModel())


@pytest.mark.parametrize("interaction", INTERACTIONS, ids=lambda each: type(each).__name__)
def test_fast_equals_slow(interaction):
    both = of_bins(48, component_responses={"nu_mu": LESS, "anti_nu_mu": BRIGHTER}, time=TIME, release=RELEASE)
    assert error(both, interaction, standard_model=False) < 1


def test_a_response_is_that_of_its_component_alone():
    given = {"nu_mu": LESS, "anti_nu_mu": BRIGHTER}
    found = cf.event_rate(of_bins(12, component_responses=given), cf.StandardModel())
    expected = sum(alone(name, given.get(name, SEEN)) for name in ("nu_mu", "nu_e", "anti_nu_mu"))
    assert found == pytest.approx(expected, rel=1e-12)
    assert found.sum() != pytest.approx(cf.event_rate(CSI, cf.StandardModel()).sum(), rel=0.05)


def test_masks_and_the_double_integral():
    whole = of_bins(48, component_responses={"nu_mu": LESS}, time=TIME, release=RELEASE)
    counts = cf.event_rate(whole, cf.StandardModel())
    assert cf.event_rate(whole.mask([0, 5]), cf.StandardModel()) == pytest.approx(np.delete(counts, [0, 5]), rel=1e-12)
    literal = cf.event_rate(whole, cf.StandardModel(), method="double-integral")
    assert literal == pytest.approx(counts, rel=1e-9, abs=1e-9 * counts.max())


def test_electrons_are_spread_in_their_own_way():
    seen = cf.Response(observable=SEEN.observable)
    light = cf.LightVector(m_zprime=0.1, g=3e-5, charges="B-L")
    both = of_bins(24, electron_response=seen, release=RELEASE)
    assert error(both, light, standard_model=False) < 1
    electrons = both.reshape(cf.event_rate(both, light, target="electrons"))
    assert electrons[..., 0] == pytest.approx(electrons[..., 1] / 3, rel=1e-12)
    nuclei = both.reshape(cf.event_rate(both, light, target="nuclei"))
    assert cf.event_rate(both, light) == pytest.approx((electrons + nuclei).ravel(), rel=1e-12)


def test_mass_kinks_know_every_response():
    """χ² in m_χ is smooth between kinks: there are more of them where a component is seen in another way."""
    varied = of_bins(12, component_responses={"nu_mu": BRIGHTER}, observed=CSI.observed, steady_state=CSI.steady_state)
    fit = cf.Likelihood(varied, model=cf.SingletEFT, parameters=("m_chi", "C_S"), bounds={"m_chi": (5.0, 40.0)})
    for m in (7.3, 21.7, 33.1):
        exact = cf.Likelihood(varied).chi2(cf.SingletEFT(m, C_S=0.02))
        assert fit([m, 0.02]) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"component_responses": {"hep": LESS}}, "flux component of component_responses"),
        ({"component_responses": {"nu_mu": 0.5}}, "component_responses of 'nu_mu': response"),
        ({"component_responses": 3}, "component_responses"),
    ],
)
def test_bad_responses(changes, message):
    with pytest.raises(ValueError, match=message):
        CSI.replace(**changes)


def test_bad_release_axes():
    with pytest.raises(ValueError, match="others of 'nu_e': has 3 bins along the axis, must have 2"):
        cf.ReleaseAxis("z", (0.3, 0.7), {"nu_e": (0.1, 0.2, 0.3)})
    with pytest.raises(ValueError, match="others of the release axis"):
        of_bins(24, release=cf.ReleaseAxis("z", (0.3, 0.7), {"hep": (0.1, 0.2)}))
