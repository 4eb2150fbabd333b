"""ln L as an operation of PyTensor. Importing this module imports pytensor."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op

from cevns_fast.likelihood.likelihood import Likelihood


class _OfLikelihood(Op):  # type: ignore[misc]  # untyped
    """Something that a likelihood computes of a vector; two of the same likelihood are equal."""

    __props__ = ("fit",)

    def __init__(self, fit: Likelihood) -> None:
        self.fit = fit


class LogLikelihood(_OfLikelihood):
    """ln L."""

    def make_node(self, theta: Any) -> Any:
        return Apply(self, [theta], [pt.dscalar()])

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        outputs[0][0] = np.asarray(self.fit.log_likelihood(inputs[0]), dtype=np.float64)

    def L_op(self, inputs: Any, outputs: Any, along: Any) -> Any:
        return [along[0] * Gradient(self.fit)(inputs[0])]

    pullback = L_op  # its name from PyTensor 3 on


class Gradient(_OfLikelihood):
    """∇ ln L."""

    def make_node(self, theta: Any) -> Any:
        return Apply(self, [theta], [pt.dvector()])

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        outputs[0][0] = -0.5 * self.fit.gradient(inputs[0])

    def L_op(self, inputs: Any, outputs: Any, along: Any) -> Any:
        return [Hessian(self.fit)(inputs[0]) @ along[0]]

    pullback = L_op


class Hessian(_OfLikelihood):
    """Second derivatives of ln L."""

    def make_node(self, theta: Any) -> Any:
        return Apply(self, [theta], [pt.dmatrix()])

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        outputs[0][0] = -0.5 * self.fit.hessian(inputs[0])


def log_likelihood(fit: Likelihood) -> Callable[[Any], Any]:
    """ln L of a vector, or of scalars."""
    operation, n = LogLikelihood(fit), len(fit.parameters)

    def of_parameters(theta: Any) -> Any:
        """ln L of a vector of parameters, or of a sequence of scalars."""
        vector = pt.stack(theta) if isinstance(theta, list | tuple) else pt.as_tensor_variable(theta)
        if vector.ndim != 1 or vector.type.shape[0] not in (None, n):
            raise ValueError(f"theta: has shape {vector.type.shape}, must be a vector of {n}")
        return operation(pt.cast(vector, "float64"))

    return of_parameters
