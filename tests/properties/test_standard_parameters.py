"""Fits of the weak mixing angle and of the neutrons' radius, by name."""

import numpy as np
import pytest
from cases import quick_are

import cevns_fast as cf

CSI = cf.load("coherent-csi-2017").replace(form_factor=cf.HelmFormFactor("rms"))


def with_radius(radius):
    return CSI.replace(form_factor=cf.HelmFormFactor("rms", neutron_radius=radius))


def test_the_weak_mixing_angle():
    fit = cf.Likelihood(CSI, model=cf.StandardModel, parameters=("sin2_theta_w",))
    (parameter,) = fit.parameters
    assert (parameter.default, parameter.lower, parameter.upper) == (0.2312, 0.0, 1.0)
    like = cf.Likelihood(CSI)
    for angle in (0.1, 0.2312, 0.4):
        assert fit([angle]) == pytest.approx(like.chi2(cf.StandardModel(angle)), rel=1e-11)


@pytest.mark.parametrize(
    "form", quick_are([cf.HelmFormFactor("rms"), cf.KleinNystrand("rms"), cf.SymmetrisedFermi("rms")], 2)
)
def test_the_neutron_radius(form):
    experiment = CSI.replace(form_factor=form)
    fit = cf.Likelihood(experiment, model=cf.StandardModel, parameters=("neutron_radius",))
    low, high = fit.parameters[0].lower, fit.parameters[0].upper
    assert low < 4.0 < 7.0 < high
    for radius in (4.0, 5.5, 7.0):
        varied = experiment.replace(form_factor=type(form)("rms", neutron_radius=radius))
        assert fit([radius]) == pytest.approx(cf.Likelihood(varied).chi2(cf.StandardModel()), rel=1e-9)


def test_both_and_new_physics():
    fit = cf.Likelihood(CSI, model=cf.StandardModel, parameters=("sin2_theta_w", "neutron_radius"))
    assert fit([0.2, 5.0]) == pytest.approx(cf.Likelihood(with_radius(5.0)).chi2(cf.StandardModel(0.2)), rel=1e-9)
    best = cf.best_fit(fit)
    assert best.chi2 <= min(fit([0.2312, 5.0]), fit([0.21, 5.0])) and 4 < best.theta["neutron_radius"] < 7
    nsi = cf.Likelihood(CSI, model=cf.NSI, parameters=("eps_ee_u", "neutron_radius"), bounds={"neutron_radius": (4, 6)})
    expected = cf.Likelihood(with_radius(5.0)).chi2(cf.NSI(eps_ee_u=0.1))
    assert nsi([0.1, 5.0]) == pytest.approx(expected, rel=1e-9)


def test_scans_over_new_couplings():
    epsilon = np.linspace(-0.5, 0.5, 5)
    scan = cf.correlation_scan(CSI, cf.NSI(), ("eps_ee_u", "eps_mumu_u"), epsilon, epsilon)
    like = cf.Likelihood(CSI)
    for i, j in ((0, 0), (2, 3), (4, 1)):
        expected = like.chi2(cf.NSI(eps_ee_u=epsilon[i], eps_mumu_u=epsilon[j]))
        assert scan.chi2[i, j] == pytest.approx(expected, rel=1e-9)


def test_what_is_refused():
    with pytest.raises(ValueError, match="has no neutron_radius"):
        cf.Likelihood(
            CSI.replace(form_factor=cf.PointNucleus()), model=cf.StandardModel, parameters=("neutron_radius",)
        )
    with pytest.raises(ValueError, match="at most one"):
        cf.Likelihood(CSI, model=cf.SingletEFT, parameters=("m_chi", "C_V", "neutron_radius"))
