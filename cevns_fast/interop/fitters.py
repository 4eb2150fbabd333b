"""A likelihood in the words of fitters and samplers: iminuit, scipy, emcee, dynesty, UltraNest, ArviZ.

Each adapter is a function of a `Likelihood` with a `model`; packages are imported when they are used.
"""

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.inference.best_fit import best_fit
from cevns_fast.likelihood.likelihood import Likelihood, function_of
from cevns_fast.likelihood.parameters import Parameter

if TYPE_CHECKING:
    from cevns_fast.interop.minuit import LikelihoodCost

# Samplers want finite numbers: this is ln L where it is −inf.
IMPOSSIBLE = -1e300

# Nearer to a bound than this part of what changes χ² by one, a minimum is at the bound.
_AT_BOUND = 0.1

# What scipy's methods use of a problem: gradient, Hessian, bounds. "dogleg" needs a convex function.
_METHODS = {
    "L-BFGS-B": "gb", "TNC": "gb", "SLSQP": "gb", "trust-constr": "ghb",
    "Newton-CG": "gh", "trust-ncg": "gh", "trust-krylov": "gh", "trust-exact": "gh",
    "CG": "g", "BFGS": "g", "Nelder-Mead": "b", "Powell": "b", "COBYLA": "b", "COBYQA": "b",
}  # fmt: skip


class BoundWarning(UserWarning):
    """χ² is smallest at a bound of a coupling, where Minuit's errors mean nothing."""


def minuit_cost(fit: Likelihood) -> "LikelihoodCost":
    """χ² as one of iminuit's cost functions.

    Parameters
    ----------
    fit : Likelihood
        With a model.

    Returns
    -------
    iminuit.cost.Cost
        A function of the parameters by position, with their names, their bounds as limits, and the exact gradient.
        It can be added to other cost functions, which share parameters of the same name.

    Raises
    ------
    ImportError
        If iminuit is missing (extra ``fit``).

    Warns
    -----
    BoundWarning
        If χ² is smallest at a bound of a coupling. Minuit's limits stretch a parameter so that it cannot pass: at one,
        HESSE has the error of the stretched parameter and MINOS ends there. Counts are even in couplings as a
        whole, so that zero is nearly always the middle of an interval: leave both signs free.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> from iminuit import Minuit
    >>> fit = cf.Likelihood(cf.load("coherent-csi-2017"), model=cf.SingletEFT, parameters=("m_chi", "C_V"))
    >>> minuit = Minuit(cf.minuit_cost(fit), m_chi=20.0, C_V=0.1)
    >>> minuit.fixed["m_chi"] = True
    >>> minuit.migrad().valid, round(minuit.fval, 2)
    (True, 2.83)
    """
    _parameters(fit)
    try:
        from cevns_fast.interop.minuit import LikelihoodCost
    except ImportError:
        raise ImportError("minuit_cost needs iminuit: pip install 'cevns_fast[fit]'") from None
    _warn_of_bounds(fit)
    return LikelihoodCost(fit)


def scipy_problem(fit: Likelihood, method: str = "L-BFGS-B", *, start: ArrayLike | None = None) -> dict[str, Any]:
    """χ² as the arguments of `scipy.optimize.minimize`.

    Parameters
    ----------
    fit : Likelihood
        With a model.
    method : str
        Gets what it can use of gradient, Hessian and bounds.
    start : float64[parameters], optional
        By default the first of `starting_points`: where couplings are zero χ² is flat.

    Returns
    -------
    dict

    Examples
    --------
    >>> import cevns_fast as cf
    >>> from scipy.optimize import minimize
    >>> fit = cf.Likelihood(cf.load("coherent-csi-2017"), model=cf.SingletEFT(20.0), parameters=("C_V", "alpha"))
    >>> best = minimize(**cf.scipy_problem(fit, "trust-exact"))
    >>> bool(best.success), round(best.fun, 2), best.x.round(2).tolist()[1]
    (True, 2.83, -0.47)
    """
    parameters = _parameters(fit)
    uses = _METHODS[validate.choice("method", method, _METHODS)]
    x0 = (
        starting_points(fit, 1, seed=0)[0] if start is None else validate.vector("start", start, length=len(parameters))
    )
    problem = {"fun": fit.value_and_gradient if "g" in uses else fit, "x0": x0, "method": method}
    if "g" in uses:
        problem["jac"] = True
    if "h" in uses:
        problem["hess"] = fit.hessian
    if "b" in uses:
        problem["bounds"] = [(p.lower, p.upper) for p in parameters]
    return problem


def starting_points(fit: Likelihood, n: int, *, seed: int | None = None) -> Floats:
    """Points where a sampler may begin: around the defaults, as wide as changes χ² by about one.

    Parameters
    ----------
    fit : Likelihood
        With a model.
    n : int
        How many.
    seed : int, optional
        The same points for the same seed.

    Returns
    -------
    float64[n, parameters]
        Of finite χ².

    Raises
    ------
    ValueError
        If χ² is infinite at or all around the defaults.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> fit = cf.Likelihood(cf.load("coherent-csi-2017"), model=cf.SingletEFT, parameters=("m_chi", "C_V", "a_M"))
    >>> cf.starting_points(fit, 32, seed=1).shape
    (32, 3)
    """
    parameters = _parameters(fit)
    n = validate.whole("n", n, minimum=1)
    if seed is not None:
        seed = validate.whole("seed", seed, minimum=0)
    default = np.array([p.default for p in parameters])
    if not math.isfinite(fit(default)):
        raise ValueError(
            f"fit: chi2 is infinite at the defaults {default.tolist()}; give bounds around what is allowed"
        )
    widths = [_width(fit, default, i) for i in range(default.size)]
    random, found = np.random.default_rng(seed), np.empty((0, default.size))
    for _ in range(1000):
        drawn = random.normal(default, widths, (n, default.size))
        found = np.concatenate([found, drawn[np.isfinite(fit.batch(drawn))]])[:n]
        if len(found) == n:
            return found
    raise ValueError("fit: chi2 is infinite nearly everywhere around the defaults")


def _normal(part: Any) -> Any:
    """Quantiles of a unit Gaussian: scipy's, which pickle would look for in every module, some of which warn."""
    from scipy.special import ndtri

    return ndtri(part)


@dataclass(frozen=True)
class _Uniform:
    """A parameter between two numbers, as a function of its cumulative probability."""

    lower: float
    upper: float

    def __call__(self, probability: Any) -> Any:
        return np.minimum(self.lower + (self.upper - self.lower) * probability, self.upper)


@dataclass(frozen=True, eq=False)
class PriorTransform:
    """From the unit cube to parameters, see `prior_transform`.

    Attributes
    ----------
    fit : Likelihood
    names : tuple of str
        Of the parameters.
    quantiles : tuple of callable
        For each parameter, from its cumulative probability to its value.
    nuisances : tuple of int
        Which parameters are nuisances.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> fit = cf.Likelihood(cf.load("coherent-csi-2017"), model=cf.SingletEFT(m_chi=10.0), parameters=("C_V", "alpha"))
    >>> prior = cf.prior_transform(fit, {"C_V": (0.0, 0.3)})
    >>> theta = prior([0.5, 0.5])  # the middle of the unit cube
    >>> theta.tolist()
    [0.15, 0.0]
    >>> prior.log_likelihood(theta) >= fit.log_likelihood(theta)  # without the constraint of alpha
    True
    """

    fit: Likelihood
    names: tuple[str, ...]
    quantiles: tuple[Callable[[Any], Any], ...]
    nuisances: tuple[int, ...]

    def __call__(self, cube: ArrayLike) -> Floats:
        """Parameters of one point or many of the unit cube, the parameters along the last axis."""
        points = validate.real("cube", cube)
        if points.shape[-1:] != (len(self.quantiles),):
            raise ValueError(f"cube: has shape {points.shape}, must be (..., {len(self.quantiles)})")
        return np.stack([quantile(points[..., i]) for i, quantile in enumerate(self.quantiles)], axis=-1)

    def log_likelihood(self, theta: ArrayLike) -> float | Floats:
        """ln L without the constraints of nuisances, which are priors here; −1e300 where it is −inf."""
        thetas = validate.real("theta", theta)
        found = np.asarray(self.fit.log_likelihood(thetas))
        possible = found > -math.inf
        nuisances = np.where(possible[..., None], thetas[..., list(self.nuisances)], 0.0)
        found = np.where(possible, found + 0.5 * np.sum(nuisances**2, axis=-1), IMPOSSIBLE)
        return float(found) if thetas.ndim == 1 else found


def prior_transform(fit: Likelihood, priors: Mapping[str, Any] | None = None) -> PriorTransform:
    """From the unit cube to parameters, as nested samplers want it; vectorised.

    Parameters
    ----------
    fit : Likelihood
        With a model.
    priors : mapping, optional
        For a parameter a pair (low, high), between which it is uniform; a frozen distribution of `scipy.stats`; or
        any vectorised function of its cumulative probability. By default uniform within finite bounds; for a nuisance
        the normal distribution that constrains it. With a prior given, its constraint stays in the likelihood.

    Returns
    -------
    PriorTransform
        A function, with ``log_likelihood`` beside it: a nuisance's constraint is its prior, and `fit.log_likelihood`
        would count it twice.

    Raises
    ------
    ValueError
        If a parameter has an infinite bound and no prior, or a prior is refused.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> fit = cf.Likelihood(cf.load("coherent-csi-2017"), model=cf.SingletEFT(20.0), parameters=("C_V", "alpha"))
    >>> prior = cf.prior_transform(fit, {"C_V": (-0.2, 0.2)})
    >>> prior([0.75, 0.5]).round(3).tolist()
    [0.1, 0.0]
    """
    parameters, given = _parameters(fit), dict(validate.mapping("priors", priors or {}))
    for name in given:
        validate.choice("priors", name, [p.name for p in parameters])
    quantiles: list[Callable[[Any], Any]] = []
    for p in parameters:
        nuisance = p.unit == "σ"
        if p.name in given:
            quantiles.append(_quantile(p, given[p.name]))
        elif math.isfinite(p.lower) and math.isfinite(p.upper) and not nuisance:
            quantiles.append(_Uniform(p.lower, p.upper))
        elif nuisance:
            quantiles.append(_normal)
        else:
            raise ValueError(
                f"{p.name}: has no finite bounds; pass priors={{{p.name!r}: (low, high)}} to be uniform in between, "
                "or a distribution of scipy.stats"
            )
    constrained = [i for i, p in enumerate(parameters) if p.unit == "σ" and p.name not in given]
    return PriorTransform(fit, tuple(p.name for p in parameters), tuple(quantiles), tuple(constrained))


def to_inference_data(fit: Likelihood, samples: ArrayLike, log_likelihood: ArrayLike | None = None) -> Any:
    """Samples as ArviZ wants them, labelled with units, descriptions and what was fitted.

    Parameters
    ----------
    fit : Likelihood
        With a model.
    samples : float64[chain, draw, parameter]
        emcee's ``get_chain()`` has draw and walker the other way round: ``.swapaxes(0, 1)``.
    log_likelihood : float64[chain, draw], optional
        ln L of the samples; it is computed if it is not given.

    Returns
    -------
    arviz.InferenceData
        Groups ``posterior``, one variable for each parameter, and ``sample_stats`` with ``lp``. ArviZ 1 has
        `xarray.DataTree` in its place.

    Raises
    ------
    ValueError
        If a shape is wrong.
    ImportError
        If arviz is missing (extra ``fit``).

    Examples
    --------
    >>> import cevns_fast as cf
    >>> fit = cf.Likelihood(cf.load("coherent-csi-2017"), model=cf.SingletEFT, parameters=("m_chi", "C_V"))
    >>> data = cf.to_inference_data(fit, cf.starting_points(fit, 40, seed=1).reshape(4, 10, 2))
    >>> data.posterior["m_chi"].attrs["units"], data.posterior["m_chi"].dims
    ('MeV', ('chain', 'draw'))
    """
    parameters = _parameters(fit)
    values = validate.array("samples", samples)
    if values.ndim != 3 or values.shape[-1] != len(parameters):
        raise ValueError(f"samples: has shape {values.shape}, must be (chain, draw, {len(parameters)})")
    if log_likelihood is None:
        lp = -0.5 * fit.batch(values.reshape(-1, len(parameters))).reshape(values.shape[:2])
    else:
        lp = validate.real("log_likelihood", log_likelihood)
        if lp.shape != values.shape[:2]:
            raise ValueError(f"log_likelihood: has shape {lp.shape}, must be {values.shape[:2]}")
    try:
        with warnings.catch_warnings():  # what ArviZ says of its own future
            warnings.filterwarnings("ignore", r"\s*ArviZ is undergoing", FutureWarning)
            import arviz
        import xarray
    except ImportError:
        raise ImportError("to_inference_data needs arviz: pip install 'cevns_fast[fit]'") from None
    citations = "; ".join(e.citation for e in fit.experiments)
    axes = ("chain", "draw")
    attributes = {**function_of(fit).identity(), "citations": citations, "created_by": "cevns_fast"}
    dimensions = [(axis, f"the dimension {axis!r} of InferenceData") for axis in axes]
    validate.unique([*dimensions, *((p.name, f"parameter {p.name!r}") for p in parameters)])
    coordinates = {name: np.arange(n) for name, n in zip(axes, lp.shape, strict=True)}
    posterior = {
        p.name: (axes, values[..., i], {"units": p.unit or "1", "long_name": p.description})
        for i, p in enumerate(parameters)
    }
    about_lp = {"units": "1", "long_name": "log-likelihood up to a constant, nuisances that are no parameters profiled"}
    groups = {
        "posterior": xarray.Dataset(posterior, coordinates, attributes),
        "sample_stats": xarray.Dataset({"lp": (axes, lp, about_lp)}, coordinates, attributes),
    }
    container: Any = getattr(arviz, "InferenceData", None)
    return container(**groups) if container else xarray.DataTree.from_dict(groups)


def _parameters(fit: Any) -> tuple[Parameter, ...]:
    """The parameters of a likelihood that has some."""
    return function_of(fit).model.parameters


def _warn_of_bounds(fit: Likelihood) -> None:
    """Warn if χ² is smallest at a bound of a coupling."""
    model = function_of(fit).model
    bounded = [p.name in model.couplings and (math.isfinite(p.lower) or math.isfinite(p.upper)) for p in fit.parameters]
    if not any(bounded):
        return
    # At a free mass: the best one may be so large that nothing depends on couplings.
    mass = {p.name: p.default for p in fit.parameters if p.name == model.structure}
    best = np.array(list(best_fit(fit, fixed=mass).theta.values()))
    for i in np.flatnonzero(bounded).tolist():
        p, near = fit.parameters[i], _AT_BOUND * _width(fit, best, i)
        if min(best[i] - p.lower, p.upper - best[i]) < near:
            warnings.warn(
                f"{p.name} = {best[i]:.3g}: is at its bounds {p.lower:g}, {p.upper:g}, where HESSE and MINOS give no "
                "errors; give it both signs, or use limit_scan or feldman_cousins",
                BoundWarning,
                stacklevel=3,
            )


def _width(fit: Likelihood, default: Floats, i: int) -> float:
    """The step of one parameter, to one side, that changes χ² by one; at most a quarter of its range."""
    steps = np.geomspace(1e-15, 1e15, 601)
    change = []
    for sign in (-1.0, 1.0):
        thetas = np.tile(default, (steps.size, 1))
        thetas[:, i] += sign * steps
        change.append(np.abs(fit.batch(thetas) - fit(default)))
    enough = np.flatnonzero(np.minimum(*change) > 1)
    quarter = (fit.parameters[i].upper - fit.parameters[i].lower) / 4
    width = min(steps[enough[0]] if enough.size else math.inf, quarter)
    return float(width) if math.isfinite(width) else 1.0


def _quantile(parameter: Parameter, prior: Any) -> Callable[[Any], Any]:
    """A prior as a function of the cumulative probability, checked against the bounds."""
    if callable(getattr(prior, "ppf", None)):
        quantile: Callable[[Any], Any] = prior.ppf
    elif callable(prior):
        quantile = prior
    else:
        quantile = _Uniform(*validate.interval(f"prior of {parameter.name}", prior))
    ends = validate.real(f"prior of {parameter.name}", quantile(np.array([0.0, 0.5, 1.0])))
    if not math.isfinite(ends[1]) or ends[0] < parameter.lower or ends[2] > parameter.upper:
        raise ValueError(
            f"prior of {parameter.name}: reaches from {ends[0]:g} to {ends[2]:g}, "
            f"must stay within its bounds {parameter.lower:g}, {parameter.upper:g}"
        )
    return quantile
