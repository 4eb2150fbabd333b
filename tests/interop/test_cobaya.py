"""Likelihoods of cobaya: a class for a fit, and one that a file describes."""

import sys
from pathlib import Path

import numpy as np
import pytest
from posterior import BOUNDS, agrees, small_fit

import cevns_fast as cf

EXAMPLE = Path(__file__).parents[2] / "examples" / "embedding_cobaya" / "csi.yaml"
pytestmark = pytest.mark.filterwarnings("ignore")  # what cobaya's dependencies say of their own future


@pytest.fixture(scope="module")
def cobaya():
    return pytest.importorskip("cobaya", reason="cobaya is not installed: pip install 'cevns_fast[cobaya]'")


@pytest.fixture(scope="module")
def fit():
    return small_fit()


def test_names_are_identifiers():
    csi, lar = cf.load("coherent-csi-2017"), cf.load("coherent-lar-610kg")
    flux = [cf.ScaleNuisance("SNS flux", 0.1), cf.ScaleNuisance("SNS_flux", 0.1), cf.ScaleNuisance("2nd", 0.1)]
    names = ("coherent-csi-2017: alpha", "SNS flux", "SNS_flux", "2nd")
    joint = cf.Likelihood([csi, lar], model=cf.SingletEFT(20.0), nuisances=flux, parameters=names)
    found = cf.cobaya_names(joint)
    assert list(found.values()) == ["coherent_csi_2017_alpha", "SNS_flux", "SNS_flux_2", "_2nd"]
    assert all(name.isidentifier() for name in found.values())


def test_evaluates_our_likelihood(cobaya):
    csi, lar = cf.load("coherent-csi-2017"), cf.load("coherent-lar-610kg")
    flux = cf.ScaleNuisance("SNS flux", 0.1)
    fit = cf.Likelihood([csi, lar], model=cf.SingletEFT, nuisances=[flux], parameters=("m_chi", "C_V", "SNS flux"))
    info = {
        "likelihood": {"cevns": cf.cobaya_likelihood(fit)},
        "params": {"C_V": {"prior": {"min": -0.3, "max": 0.3}}},
    }
    model = cobaya.get_model(info)
    assert sorted(model.parameterization.sampled_params()) == ["C_V", "SNS_flux", "m_chi"]
    point = {"m_chi": 20.0, "C_V": 0.1, "SNS_flux": 0.5}
    assert model.loglike(point)[0] == fit.log_likelihood([20.0, 0.1, 0.5])


def test_a_run_evaluates(cobaya, fit):
    info = {
        "likelihood": {"csi": cf.cobaya_likelihood(fit)},
        "sampler": {"evaluate": {"override": {"C_V": 0.12, "alpha": -0.3}}},
    }
    _, sampler = cobaya.run(info)
    assert sampler.products()["sample"]["chi2__csi"][0] == pytest.approx(fit([0.12, -0.3]), rel=1e-12)


@pytest.mark.slow
def test_mcmc_samples_the_posterior(cobaya, fit):
    params = {
        "C_V": {"prior": {"min": -0.3, "max": 0.3}, "ref": 0.05, "proposal": 0.05},
        "alpha": {"prior": {"min": -2.0, "max": 3.0}, "ref": 0.0, "proposal": 0.5},
    }
    info = {
        "likelihood": {"csi": cf.cobaya_likelihood(fit)},
        "params": params,
        "sampler": {"mcmc": {"max_samples": 12000, "Rminus1_stop": 0.001, "seed": 1, "learn_proposal": True}},
    }
    _, sampler = cobaya.run(info)
    chain = sampler.products(skip_samples=0.2)["sample"]
    weights = chain["weight"].to_numpy().astype(int)
    samples = np.repeat(chain[list(BOUNDS)].to_numpy(), weights, axis=0)
    values = np.abs(samples) * [1, 0] + samples * [0, 1]
    effective = min(len(values) / autocorrelation(column) for column in values.T)
    assert effective > 300
    agrees(samples, fit, effective)


def autocorrelation(values):
    """The integrated time, up to where it is a fifth of the lag."""
    from emcee.autocorr import integrated_time

    return float(integrated_time(values, quiet=True)[0])


def test_a_file_describes_a_fit(cobaya):
    from cobaya.yaml import yaml_load_file

    model = cobaya.get_model(yaml_load_file(str(EXAMPLE)))
    csi, lar = cf.load("coherent-csi-2017"), cf.load("coherent-lar-610kg")
    fit = cf.Likelihood(
        [csi, lar], model=cf.SingletEFT, parameters=("m_chi", "C_V", "SNS flux"),
        nuisances=[cf.ScaleNuisance("SNS flux", 0.1)],
    )  # fmt: skip
    point = {"m_chi": 20.0, "C_V": 0.1, "SNS_flux": 0.5}
    assert model.loglike(point)[0] == fit.log_likelihood([20.0, 0.1, 0.5])


def test_missing_package_is_named(fit, monkeypatch):
    monkeypatch.setitem(sys.modules, "cobaya", None)
    monkeypatch.setitem(sys.modules, "cobaya.likelihood", None)
    monkeypatch.delitem(sys.modules, "cevns_fast.interop.of_cobaya", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'cevns_fast\[cobaya\]'"):
        cf.cobaya_likelihood(fit)
