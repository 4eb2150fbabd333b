"""ln L as a function of PyTorch. Importing this module imports torch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from cevns_fast.likelihood.likelihood import Likelihood


def log_likelihood(fit: Likelihood) -> Callable[[Any], Any]:
    """ln L with first derivatives, which have derivatives themselves."""
    n = len(fit.parameters)

    def points_of(theta: Any) -> Any:
        return theta.detach().to("cpu", torch.float64).numpy().reshape(-1, n)

    def like(theta: Any, found: Any, *axes: int) -> Any:
        return torch.as_tensor(found, dtype=theta.dtype, device=theta.device).reshape((*theta.shape[:-1], *axes))

    class Gradient(torch.autograd.Function):  # type: ignore[misc]  # untyped
        """∇ ln L, whose derivative is the Hessian."""

        @staticmethod
        def forward(theta: Any) -> Any:
            return like(theta, np.array([-0.5 * fit.gradient(point) for point in points_of(theta)]), n)

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx: Any, along: Any) -> Any:
            (theta,) = ctx.saved_tensors
            return (Hessian.apply(theta) * along[..., None]).sum(-2)

        @staticmethod
        def vmap(info: Any, in_dims: Any, theta: Any) -> Any:
            return Gradient.apply(theta.movedim(in_dims[0], 0)), 0

    class Hessian(torch.autograd.Function):  # type: ignore[misc]  # untyped
        """Second derivatives of ln L; there are no third ones."""

        @staticmethod
        def forward(theta: Any) -> Any:
            return like(theta, np.array([-0.5 * fit.hessian(point) for point in points_of(theta)]), n, n)

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.mark_non_differentiable(output)

        @staticmethod
        def backward(ctx: Any, along: Any) -> Any:
            raise NotImplementedError("ln L has no third derivatives")

        @staticmethod
        def vmap(info: Any, in_dims: Any, theta: Any) -> Any:
            return Hessian.apply(theta.movedim(in_dims[0], 0)), 0

    class Value(torch.autograd.Function):  # type: ignore[misc]  # untyped
        """ln L."""

        @staticmethod
        def forward(theta: Any) -> Any:
            return like(theta, -0.5 * fit.batch(points_of(theta)))

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx: Any, along: Any) -> Any:
            (theta,) = ctx.saved_tensors
            return along[..., None] * Gradient.apply(theta)

        @staticmethod
        def vmap(info: Any, in_dims: Any, theta: Any) -> Any:
            return Value.apply(theta.movedim(in_dims[0], 0)), 0

    def of_parameters(theta: Any) -> Any:
        """ln L of the parameters along the last axis."""
        tensor = torch.as_tensor(theta)
        if tensor.shape[-1:] != (n,):
            raise ValueError(f"theta: has shape {tuple(tensor.shape)}, must be (..., {n})")
        return Value.apply(tensor if tensor.is_floating_point() else tensor.to(torch.float64))

    return of_parameters
