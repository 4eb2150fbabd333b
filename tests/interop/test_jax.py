"""ln L in JAX: transformations, derivatives, NUTS."""

import sys

import numpy as np
import pytest
from posterior import BOUNDS, agrees, small_fit

import cevns_fast as cf

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # what JAX's dependencies say of each other
THETA = [0.12, -0.3]


@pytest.fixture(scope="module")
def jax():
    """The package, in double precision."""
    found = pytest.importorskip("jax", reason="jax is not installed: pip install 'cevns_fast[jax]'")
    found.config.update("jax_enable_x64", True)
    return found


@pytest.fixture(scope="module")
def fit():
    return small_fit()


def test_value_and_derivatives_are_ours(jax, fit):
    log_likelihood = cf.jax_log_likelihood(fit)
    assert float(log_likelihood(np.array(THETA))) == fit.log_likelihood(THETA)
    value, gradient = jax.jit(jax.value_and_grad(log_likelihood))(np.array(THETA))
    assert float(value) == fit.log_likelihood(THETA)
    assert np.array_equal(gradient, -0.5 * fit.gradient(THETA))
    for second in (jax.hessian(log_likelihood), jax.jacrev(jax.grad(log_likelihood))):
        assert np.array(jax.jit(second)(np.array(THETA))) == pytest.approx(-0.5 * fit.hessian(THETA), rel=1e-14)
    assert np.array(jax.jacfwd(log_likelihood)(np.array(THETA))) == pytest.approx(-0.5 * fit.gradient(THETA), rel=1e-14)


def test_vectorised(jax, fit):
    log_likelihood = cf.jax_log_likelihood(fit)
    points = np.random.default_rng(1).uniform(-0.3, 0.3, (3, 4, 2))
    expected = fit.log_likelihood(points.reshape(-1, 2)).reshape(3, 4)
    assert np.array_equal(log_likelihood(points), expected)
    assert np.array_equal(jax.jit(jax.vmap(log_likelihood))(points), expected)
    assert np.array_equal(jax.vmap(jax.vmap(log_likelihood))(points), expected)
    gradients = jax.jit(jax.vmap(jax.vmap(jax.grad(log_likelihood))))(points).reshape(-1, 2)
    assert np.array_equal(gradients, [-0.5 * fit.gradient(point) for point in points.reshape(-1, 2)])
    assert jax.vmap(jax.hessian(log_likelihood))(points[0]).shape == (4, 2, 2)


def test_inside_other_functions(jax, fit):
    log_likelihood = cf.jax_log_likelihood(fit)

    def of_phase(phi):
        return log_likelihood(jax.numpy.stack([0.2 * jax.numpy.cos(phi), 0.1 * phi**2]))

    step = 1e-6
    numerical = (of_phase(0.4 + step) - of_phase(0.4 - step)) / (2 * step)
    assert float(jax.grad(of_phase)(0.4)) == pytest.approx(float(numerical), rel=1e-7)


def test_out_of_bounds(jax, fit):
    value, gradient = jax.value_and_grad(cf.jax_log_likelihood(fit))(np.array([5.0, 0.0]))
    assert value == -np.inf and np.isnan(gradient).all()


def test_single_precision_rounds(jax, fit):
    found = cf.jax_log_likelihood(fit)(np.array(THETA, dtype=np.float32))
    assert found.dtype == np.float32 and float(found) == pytest.approx(fit.log_likelihood(THETA), rel=1e-6)


def test_wrong_shapes_are_refused(jax, fit):
    with pytest.raises(ValueError, match=r"theta: has shape \(3,\)"):
        cf.jax_log_likelihood(fit)(np.zeros(3))


@pytest.mark.slow
def test_nuts_samples_the_posterior(jax, fit):
    blackjax = pytest.importorskip("blackjax", reason="blackjax is not installed: pip install 'cevns_fast[jax]'")
    log_likelihood = cf.jax_log_likelihood(fit)
    low, high = map(np.array, zip(*BOUNDS.values(), strict=True))

    def log_density(free):  # of what is mapped to within the bounds
        part = jax.nn.sigmoid(free)
        return log_likelihood(low + (high - low) * part) + jax.numpy.sum(jax.numpy.log(part * (1 - part)))

    warm, run = jax.random.split(jax.random.key(1))
    adapted, _ = blackjax.window_adaptation(blackjax.nuts, log_density).run(warm, np.array([0.3, 0.1]), 500)
    kernel = blackjax.nuts(log_density, **adapted.parameters).step

    def step(state, key):
        state, _ = kernel(key, state)
        return state, state.position

    _, chain = jax.lax.scan(step, adapted.state, jax.random.split(run, 4000))
    samples = np.array(low + (high - low) * jax.nn.sigmoid(chain))
    magnitudes = np.abs(samples) * [1, 0] + samples * [0, 1]
    effective = np.array(blackjax.diagnostics.effective_sample_size(magnitudes[None])).min()
    assert effective > 300
    agrees(samples, fit, effective)


def test_missing_package_is_named(fit, monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    monkeypatch.delitem(sys.modules, "cevns_fast.interop.of_jax", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'cevns_fast\[jax\]'"):
        cf.jax_log_likelihood(fit)
