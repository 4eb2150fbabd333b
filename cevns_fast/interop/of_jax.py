"""ln L as a function of JAX. Importing this module imports jax."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cevns_fast._validate import Floats
from cevns_fast.likelihood.likelihood import Likelihood


def log_likelihood(fit: Likelihood) -> Callable[[Any], Any]:
    """ln L with first derivatives, which have derivatives themselves: one call of the kernel for value and gradient."""
    n = len(fit.parameters)

    def on_host(function: Callable[[Any], Any], theta: Any, *axes: tuple[int, ...]) -> Any:
        """Arrays that a function of numpy makes, with the leading axes of theta."""
        shapes = [jax.ShapeDtypeStruct((*theta.shape[:-1], *each), theta.dtype) for each in axes]
        return jax.pure_callback(function, shapes, theta, vmap_method="expand_dims")

    def values(theta: Any) -> list[Any]:
        points = np.asarray(theta, dtype=np.float64)
        found = -0.5 * fit.batch(points.reshape(-1, n))
        return [found.reshape(points.shape[:-1]).astype(theta.dtype)]

    def firsts(theta: Any) -> list[Any]:
        points = np.asarray(theta, dtype=np.float64)
        found = [fit.value_and_gradient(point) for point in points.reshape(-1, n)]
        chi2 = np.array([value for value, _ in found]).reshape(points.shape[:-1])
        gradient = np.array([each for _, each in found]).reshape(points.shape)
        return [(-0.5 * chi2).astype(theta.dtype), (-0.5 * gradient).astype(theta.dtype)]

    def seconds(theta: Any) -> list[Any]:
        points = np.asarray(theta, dtype=np.float64)
        found: Floats = np.array([fit.hessian(point) for point in points.reshape(-1, n)])
        return [(-0.5 * found).reshape(*points.shape, n).astype(theta.dtype)]

    with_gradient = jax.custom_jvp(lambda theta: tuple(on_host(firsts, theta, (), (n,))))
    of_array = jax.custom_jvp(lambda theta: on_host(values, theta, ())[0])

    def second_order(primals: Any, tangents: Any) -> Any:
        (theta,), (along,) = primals, tangents
        value, gradient = with_gradient(theta)
        (hessian,) = on_host(seconds, theta, (n, n))
        return (value, gradient), (jnp.vecdot(gradient, along), jnp.matvec(hessian, along))

    def first_order(primals: Any, tangents: Any) -> Any:
        (theta,), (along,) = primals, tangents
        value, gradient = with_gradient(theta)
        return value, jnp.vecdot(gradient, along)

    with_gradient.defjvp(second_order)
    of_array.defjvp(first_order)

    def of_parameters(theta: Any) -> Any:
        """ln L of the parameters along the last axis."""
        array = jnp.asarray(theta)
        if array.shape[-1:] != (n,):
            raise ValueError(f"theta: has shape {array.shape}, must be (..., {n})")
        return of_array(array if jnp.issubdtype(array.dtype, jnp.floating) else array.astype(float))

    return of_parameters
