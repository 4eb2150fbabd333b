"""A likelihood as one of iminuit's cost functions. Importing this module imports iminuit."""

from collections.abc import Sequence

import numpy as np
from iminuit.cost import Cost

from cevns_fast._validate import Floats
from cevns_fast.likelihood.likelihood import Likelihood


class LikelihoodCost(Cost):  # type: ignore[misc]  # untyped
    """χ² of a likelihood: least squares for Minuit, with the exact gradient."""

    __slots__ = ("_fit",)

    def __init__(self, fit: Likelihood) -> None:
        self._fit = fit
        bounded = {
            p.name: (p.lower, p.upper) if np.isfinite([p.lower, p.upper]).any() else None for p in fit.parameters
        }
        super().__init__(bounded, 0)

    def _ndata(self) -> int:
        """Bins, and what constrains those nuisances that Minuit counts as parameters."""
        constraints = sum(p.unit == "σ" for p in self._fit.parameters)
        return sum(e.n_bins for e in self._fit.experiments) + constraints

    def _value(self, args: Sequence[float]) -> float:
        return self._fit(list(args))

    def _grad(self, args: Sequence[float]) -> Floats:
        return self._fit.gradient(args)

    def _has_grad(self) -> bool:
        return True
