"""ln L in PyTorch: gradients, second derivatives, batches, an optimiser."""

import sys

import numpy as np
import pytest
from posterior import small_fit

import cevns_fast as cf

THETA = [0.12, -0.3]


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="torch is not installed: pip install 'cevns_fast[torch]'")


@pytest.fixture(scope="module")
def fit():
    return small_fit()


def tensor(torch, values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def test_value_and_derivatives_are_ours(torch, fit):
    log_likelihood, theta = cf.torch_log_likelihood(fit), tensor(torch, THETA)
    value = log_likelihood(theta)
    value.backward()
    assert value.item() == fit.log_likelihood(THETA)
    assert np.array_equal(theta.grad.numpy(), -0.5 * fit.gradient(THETA))
    second = torch.autograd.functional.hessian(log_likelihood, theta.detach())
    assert np.array_equal(second.numpy(), -0.5 * fit.hessian(THETA))
    assert torch.autograd.gradcheck(log_likelihood, (theta,), eps=1e-7, atol=1e-4, rtol=1e-6)


def test_vectorised(torch, fit):
    log_likelihood = cf.torch_log_likelihood(fit)
    points = np.random.default_rng(1).uniform(-0.3, 0.3, (3, 4, 2))
    expected = fit.log_likelihood(points.reshape(-1, 2)).reshape(3, 4)
    batch = tensor(torch, points)
    found = log_likelihood(batch)
    found.sum().backward()
    assert np.array_equal(found.detach().numpy(), expected)
    gradients = [-0.5 * fit.gradient(point) for point in points.reshape(-1, 2)]
    assert np.array_equal(batch.grad.reshape(-1, 2).numpy(), gradients)
    many = torch.func.vmap(torch.func.vmap(torch.func.grad(log_likelihood)))(batch.detach())
    assert np.array_equal(many.reshape(-1, 2).numpy(), gradients)


def test_optimiser_finds_the_minimum(torch, fit):
    log_likelihood, theta = cf.torch_log_likelihood(fit), tensor(torch, [0.1, 0.0])
    optimiser = torch.optim.LBFGS([theta], line_search_fn="strong_wolfe", max_iter=200, tolerance_grad=1e-8)

    def loss():
        optimiser.zero_grad()
        value = -log_likelihood(theta)
        value.backward()
        return value

    optimiser.step(loss)
    assert 2 * loss().item() == pytest.approx(cf.best_fit(fit).chi2, abs=1e-6)


def test_single_precision_rounds(torch, fit):
    found = cf.torch_log_likelihood(fit)(torch.tensor(THETA, dtype=torch.float32))
    assert found.dtype == torch.float32 and found.item() == pytest.approx(fit.log_likelihood(THETA), rel=1e-6)


def test_wrong_shapes_are_refused(torch, fit):
    with pytest.raises(ValueError, match=r"theta: has shape \(3,\)"):
        cf.torch_log_likelihood(fit)(torch.zeros(3))


def test_missing_package_is_named(fit, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "cevns_fast.interop.of_torch", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'cevns_fast\[torch\]'"):
        cf.torch_log_likelihood(fit)
