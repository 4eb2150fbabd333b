"""ln L in PyTensor and PyMC: compiled functions, derivatives, NUTS."""

import sys
import warnings

import numpy as np
import pytest
from posterior import BOUNDS, agrees, small_fit

import cevns_fast as cf

THETA = [0.12, -0.3]
pytestmark = pytest.mark.filterwarnings("ignore")  # PyMC and ArviZ warn of their own futures


def package(name):
    """A package, or the test is skipped with a reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, reason=f"{name} is not installed: pip install 'cevns_fast[pymc]'")


@pytest.fixture(scope="module")
def fit():
    return small_fit()


def test_value_and_derivatives_are_ours(fit):
    pytensor, pt = package("pytensor"), package("pytensor.tensor")
    theta = pt.dvector()
    value = cf.pytensor_log_likelihood(fit)(theta)
    first, second = pytensor.grad(value, theta), pytensor.gradient.hessian(value, theta)
    found = pytensor.function([theta], [value, first, second], mode="FAST_COMPILE")(THETA)
    assert float(found[0]) == fit.log_likelihood(THETA)
    assert np.array_equal(found[1], -0.5 * fit.gradient(THETA))
    assert found[2] == pytest.approx(-0.5 * fit.hessian(THETA), rel=1e-14)
    pytensor.gradient.verify_grad(cf.pytensor_log_likelihood(fit), [np.array(THETA)], rng=np.random.default_rng(1))


def test_of_scalars_and_of_wrong_shapes(fit):
    pt, of = package("pytensor.tensor"), cf.pytensor_log_likelihood(fit)
    assert float(of([pt.as_tensor(0.12), -0.3]).eval()) == fit.log_likelihood(THETA)
    with pytest.raises(ValueError, match="must be a vector of 2"):
        of([0.1, 0.2, 0.3])


@pytest.mark.slow
def test_pymc_samples_the_posterior(fit):
    pymc = package("pymc")
    with pymc.Model() as model:
        theta = [pymc.Uniform(name, low, high) for name, (low, high) in BOUNDS.items()]
        pymc.Potential("CsI", cf.pytensor_log_likelihood(fit)(theta))
        density, slopes = model.compile_logp(), model.compile_dlogp()
        at, step = model.initial_point(), 1e-5
        moved = [{**at, "C_V_interval__": at["C_V_interval__"] + s + 0.3} for s in (step, -step, 0.0)]
        difference = (density(moved[0]) - density(moved[1])) / (2 * step)
        assert slopes(moved[2])[0] == pytest.approx(difference, rel=1e-6)
        trace = pymc.sample(
            draws=1500, tune=500, chains=2, cores=1, random_seed=1, progressbar=False, compute_convergence_checks=False
        )
    chains = np.stack([np.abs(trace.posterior["C_V"].values), trace.posterior["alpha"].values], axis=-1)
    arviz = package("arviz")
    effective = min(float(arviz.ess(chains[..., i])) for i in range(2))
    assert effective > 300
    agrees(chains.reshape(-1, 2), fit, effective)


def test_missing_package_is_named(fit, monkeypatch):
    monkeypatch.setitem(sys.modules, "pytensor", None)
    monkeypatch.delitem(sys.modules, "cevns_fast.interop.of_pytensor", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'cevns_fast\[pymc\]'"):
        cf.pytensor_log_likelihood(fit)
