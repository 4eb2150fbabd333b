"""Toy experiments: goodness of fit, and confidence regions where χ² does not follow Wilks' theorem."""

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from cevns_fast import _validate as validate
from cevns_fast._support import drawn, shown
from cevns_fast._validate import Floats
from cevns_fast.inference.best_fit import BestFit, best_fit, chosen, profiled
from cevns_fast.inference.confidence import checked_level
from cevns_fast.inference.throwing import thrown
from cevns_fast.likelihood.likelihood import Likelihood
from cevns_fast.parallel.progress import Progress

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class GoodnessOfFit:
    """How often toys of the best fit fit worse than the data.

    Attributes
    ----------
    best_fit : BestFit
    p_value : float
    toy_chi2 : float64[toys]
        Minimal χ² of each toy.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> fit = cf.Likelihood(cf.load("coherent-csi-2017"), model=cf.SingletEFT(m_chi=10.0), parameters=("C_V",))
    >>> good = cf.goodness_of_fit(fit, toys=100, seed=1)
    >>> good.p_value > 0.9, good.uncertainty < 0.05
    (True, True)
    """

    best_fit: BestFit
    p_value: float
    toy_chi2: Floats

    @property
    def uncertainty(self) -> float:
        """Of the p-value, √(p(1 − p)/toys)."""
        return float(np.sqrt(self.p_value * (1 - self.p_value) / self.toy_chi2.size))

    def __repr__(self) -> str:
        """χ² and p-value."""
        return shown.line(
            "GoodnessOfFit:", f"chi2 = {self.best_fit.chi2:.5g}",
            f"p = {self.p_value:.4g} ± {self.uncertainty:.2g} of {self.toy_chi2.size} toys",
        )  # fmt: skip

    def _repr_html_(self) -> str:
        """A table, and the distribution of the toys' χ²."""
        counts, edges = np.histogram(self.toy_chi2, bins=30)
        rows = {
            "χ²": f"{self.best_fit.chi2:.5g}",
            "p-value": f"{self.p_value:.4g} ± {self.uncertainty:.2g}",
            "toys": self.toy_chi2.size,
            **self.best_fit.theta,
        }
        return shown.table("Goodness of fit", rows, shown.steps(edges, "minimal χ²", ("toys", counts)))

    def plot(self, ax: "Axes | None" = None, **style: Any) -> "Axes":
        """Draw the distribution of the toys' minimal χ², and where the data's is.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where; by default in a new figure.
        **style
            What matplotlib's ``hist`` takes.

        Returns
        -------
        matplotlib.axes.Axes

        Examples
        --------
        >>> import cevns_fast as cf
        >>> fit = cf.Likelihood(cf.load("coherent-csi-2017"), model=cf.SingletEFT(m_chi=10.0), parameters=("C_V",))
        >>> cf.goodness_of_fit(fit, toys=50, seed=1).plot().get_ylabel()
        'toys'
        """
        found: Axes = drawn.figures().goodness_of_fit(self, ax, **style)
        return found


@dataclass(frozen=True, eq=False)
class FeldmanCousins:
    """Confidence of points by toys.

    Attributes
    ----------
    names : tuple of str
        The parameters that the points give; all others are profiled.
    points : float64[n, names]
    delta_chi2 : float64[n]
        Of the data: χ² at the point less its minimum.
    critical : float64[n]
        Δχ² that the stated fraction of toys of the point does not exceed.
    p_value : float64[n]
        Fraction of toys with at least the data's Δχ², uncertain by √(p(1 − p)/toys).
    allowed : bool[n]
        Whether the point is inside the region: Δχ² of the data is at most critical.
    toy_delta_chi2 : float64[n, toys]

    Examples
    --------
    >>> import cevns_fast as cf
    >>> fit = cf.Likelihood(cf.load("coherent-csi-2017"), model=cf.SingletEFT(m_chi=10.0), parameters=("C_V",))
    >>> region = cf.feldman_cousins(fit, {"C_V": [0.0, 0.05, 0.2]}, cl=0.90, toys=200, seed=1)
    >>> region.allowed.tolist()
    [True, True, False]
    >>> bool((region.critical[0] < 2.706) & (region.delta_chi2[2] > region.critical[2]))
    True
    """

    names: tuple[str, ...]
    points: Floats
    delta_chi2: Floats
    critical: Floats
    p_value: Floats
    allowed: Any
    toy_delta_chi2: Floats

    def __repr__(self) -> str:
        """How many points are allowed."""
        n, toys = self.toy_delta_chi2.shape
        return shown.line(
            "FeldmanCousins:", f"{n} points of {shown.number(self.names)}",
            f"{int(np.sum(self.allowed))} allowed", f"{toys} toys each",
        )  # fmt: skip

    def _repr_html_(self) -> str:
        """The points, and along a line their Δχ² with the critical one."""
        columns = {name: self.points[:, i].tolist() for i, name in enumerate(self.names)}
        columns |= {"Δχ²": self.delta_chi2.tolist(), "critical": self.critical.tolist(), "p": self.p_value.tolist()}
        columns["allowed"] = ["yes" if each else "no" for each in self.allowed]
        picture = ""
        if len(self.names) == 1:
            order = np.argsort(self.points[:, 0])
            both = ("Δχ²", self.delta_chi2[order]), ("critical", self.critical[order])
            picture = shown.curves(self.points[order, 0], self.names[0], *both)
        rows = {"toys at each point": self.toy_delta_chi2.shape[1]}
        return shown.table("Feldman–Cousins", rows, shown.grid(columns), picture)

    def plot(self, ax: "Axes | None" = None, **style: Any) -> "Axes":
        """Draw Δχ² of the data and the critical one along the points; in two parameters, the allowed points.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where; by default in a new figure.
        **style
            What matplotlib's ``plot`` takes, for the data's line.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ValueError
            If the points have more than two parameters.

        Examples
        --------
        >>> import cevns_fast as cf
        >>> fit = cf.Likelihood(cf.load("coherent-csi-2017"), model=cf.SingletEFT(m_chi=10.0), parameters=("C_V",))
        >>> axes = cf.feldman_cousins(fit, {"C_V": [0.0, 0.05, 0.1]}, toys=50, seed=1).plot()
        >>> axes.get_xlabel()
        '$C_{V}$'
        """
        found: Axes = drawn.figures().feldman_cousins(self, ax, **style)
        return found


def goodness_of_fit(
    fit: Likelihood,
    *,
    toys: int = 1000,
    seed: int = 0,
    executor: Executor | None = None,
    threads: int = 1,
    checkpoint: str | Path | None = None,
    progress: Progress = None,
) -> GoodnessOfFit:
    """How often toys of the best fit have a larger minimal χ² than the data.

    Parameters
    ----------
    fit : Likelihood
        With a model.
    toys : int
        A multiple of 50.
    seed : int
    executor, threads, checkpoint, progress
        As for `correlation_scan`.

    Returns
    -------
    GoodnessOfFit

    Raises
    ------
    ValueError
        If an argument is refused.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> fit = cf.Likelihood(csi, statistic="poisson", model=cf.SingletEFT(m_chi=10.0), parameters=("C_S",))
    >>> found = cf.goodness_of_fit(fit, toys=100)
    >>> found.p_value > 0.9
    True
    """
    best = best_fit(fit)
    theta = np.array(list(best.theta.values()))
    values = thrown(fit, theta[None], (False,) * theta.size, toys, seed, executor, threads, checkpoint, progress)[0]
    return GoodnessOfFit(best, float(np.mean(values >= best.chi2)), values)


def feldman_cousins(
    fit: Likelihood,
    points: Mapping[str, ArrayLike],
    *,
    cl: float = 0.90,
    toys: int = 1000,
    seed: int = 0,
    executor: Executor | None = None,
    threads: int = 1,
    checkpoint: str | Path | None = None,
    progress: Progress = None,
) -> FeldmanCousins:
    """Critical values of Δχ² by toys, for points or a line in the space of parameters.

    At each point all other parameters and nuisances are profiled with the data (the "profile construction"), and
    toys are thrown there. Δχ² of a toy is its χ² at the point, profiled again, less its minimum.

    Parameters
    ----------
    fit : Likelihood
        With a model.
    points : mapping of str to float64[n]
        Values of some or all parameters; numbers stand for every point.
    cl : float
        Confidence level.
    toys : int
        For each point, a multiple of 50.
    seed : int
        Results depend on it and on nothing else, such as threads or an interruption.
    executor, threads, checkpoint, progress
        As for `correlation_scan`.

    Returns
    -------
    FeldmanCousins

    Raises
    ------
    ValueError
        If an argument is refused.

    Notes
    -----
    G. J. Feldman and R. D. Cousins, Phys. Rev. D 57 (1998) 3873. At a coupling of zero, where only one side is
    physical for rates that are even in it, the critical value is below Wilks'.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> fit = cf.Likelihood(csi, statistic="poisson", model=cf.SingletEFT(m_chi=10.0), parameters=("C_S",))
    >>> region = cf.feldman_cousins(fit, {"C_S": [0.0, 0.06]}, toys=200)
    >>> region.allowed.tolist()
    [True, False]
    """
    level = checked_level(cl)
    fixed = chosen(fit, validate.mapping("points", points))
    if not any(fixed):
        raise ValueError("points: must give at least one parameter")
    names = tuple(p.name for p, stays in zip(fit.parameters, fixed, strict=True) if stays)
    given = np.broadcast_arrays(*(np.atleast_1d(validate.array(name, points[name])) for name in names))
    if given[0].ndim != 1:
        raise ValueError(f"points: have shape {given[0].shape}, must be one-dimensional")
    every = np.stack(given, axis=1)
    at, chi2 = profiled(fit, every, fixed)
    least = min([best_fit(fit).chi2, *chi2.tolist()])
    values = thrown(fit, at, fixed, toys, seed, executor, threads, checkpoint, progress)
    delta = chi2 - least
    critical = np.quantile(values, level, axis=1, method="higher")
    p_value = np.mean(values >= delta[:, None], axis=1)
    return FeldmanCousins(names, every, delta, critical, p_value, delta <= critical, values)
