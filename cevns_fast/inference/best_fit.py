"""The minimum of χ² over the parameters of a likelihood, or over some of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._support import shown
from cevns_fast._validate import Floats
from cevns_fast.inference import minima
from cevns_fast.likelihood.likelihood import Likelihood, function_of


@dataclass(frozen=True)
class BestFit:
    """The minimum of χ².

    Attributes
    ----------
    theta : dict of str to float
        Parameters by name.
    chi2 : float

    Examples
    --------
    >>> import cevns_fast as cf
    >>> fit = cf.Likelihood(cf.load("coherent-csi-2017"), model=cf.SingletEFT(m_chi=10.0), parameters=("C_V",))
    >>> best = cf.best_fit(fit)
    >>> round(best.chi2, 2), list(best.theta)
    (2.83, ['C_V'])
    """

    theta: dict[str, float]
    chi2: float

    def __repr__(self) -> str:
        """χ² and parameters, four digits."""
        return shown.line("BestFit:", f"chi2 = {self.chi2:.5g}", *(f"{k} = {v:.4g}" for k, v in self.theta.items()))

    def _repr_html_(self) -> str:
        """A table of them."""
        return shown.table("Best fit", {"χ²": f"{self.chi2:.5g}", **self.theta})


def best_fit(fit: Likelihood, *, fixed: Mapping[str, float] | None = None) -> BestFit:
    """The minimum of χ² over all parameters, from starts on all sides of zero couplings.

    Parameters
    ----------
    fit : Likelihood
        With a model.
    fixed : mapping of str to float, optional
        Parameters that stay where they are told.

    Returns
    -------
    BestFit

    Raises
    ------
    ValueError
        If there is no model or a name is unknown.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> fit = cf.Likelihood(cf.load("coherent-csi-2017"), model=cf.SingletEFT(m_chi=10.0), parameters=("C_S", "a_M"))
    >>> round(cf.best_fit(fit).chi2, 3)
    2.833
    """
    stays = chosen(fit, validate.mapping("fixed", fixed or {}))
    values = {name: validate.number(name, value) for name, value in (fixed or {}).items()}
    theta = np.array([values.get(p.name, p.default) for p in fit.parameters])
    value, where = minima.lowest(function_of(fit).full(), _starts(fit, theta, stays), stays)
    return BestFit(dict(zip((p.name for p in fit.parameters), where.tolist(), strict=True)), value)


def profiled(fit: Likelihood, points: Floats, fixed: tuple[bool, ...]) -> tuple[Floats, Floats]:
    """Vectors at points[n, fixed parameters] where the data want all other parameters, and χ² there."""
    data, at, chi2 = function_of(fit).full(), [], []
    for point in points:
        theta = np.array([p.default for p in fit.parameters])
        theta[list(fixed)] = point
        if all(fixed):
            value, where = data.chi2(theta.tolist()), theta
        else:
            value, where = minima.lowest(data, _starts(fit, theta, fixed), fixed)
        at.append(where)
        chi2.append(value)
    return np.array(at), np.array(chi2)


def chosen(fit: Likelihood, names: Mapping[str, Any]) -> tuple[bool, ...]:
    """Which parameters are named."""
    known = [p.name for p in function_of(fit).model.parameters]
    for name in names:
        validate.choice("parameter", name, known)
    return tuple(name in names for name in known)


def _starts(fit: Likelihood, theta: Floats, fixed: Sequence[bool]) -> Floats:
    """theta, and vectors that differ from it in the signs and sizes of couplings and along a free mass."""
    choices: list[list[float]] = []
    for i, parameter in enumerate(fit.parameters):
        if fixed[i] or parameter.name in fit.nuisance_names:
            choices.append([theta[i]])
        elif parameter.name == function_of(fit).model.structure:
            choices.append(np.linspace(parameter.lower, parameter.upper, 7)[1:-1].tolist())
        else:
            beyond = parameter.upper if np.isfinite(parameter.upper) else 1.0
            size = minima.reach(function_of(fit).fast(), theta, i, beyond)
            choices.append([min(max(x, parameter.lower), parameter.upper) for x in minima.sides(size)])
    return minima.starts(theta, choices)
