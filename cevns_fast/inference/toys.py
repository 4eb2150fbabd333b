"""Toy experiments: goodness of fit, and confidence regions where χ² does not follow Wilks' theorem.

Toys are thrown from the profiled expectation: counts of every bin, off counts where there are such, and the auxiliary
measurements of all nuisances. Each row of toys has a random generator of its own, seeded by its number, so that
results do not depend on who computes what.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from cevns_fast import _shown
from cevns_fast import _validate as validate
from cevns_fast._kernels.likelihood import POISSON, PREDICTED_VARIANCE, Block, Evaluator, System, pack
from cevns_fast._validate import Floats
from cevns_fast.inference import minima
from cevns_fast.likelihood.likelihood import Likelihood, function_of
from cevns_fast.likelihood.measurement import profiled_steady_state
from cevns_fast.parallel import chunks
from cevns_fast.parallel.progress import Progress
from cevns_fast.parallel.threads import checked

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PER_ROW = 50
_MOST = 10**9  # toys: no memory holds more


@dataclass(frozen=True)
class BestFit:
    """The minimum of χ².

    Attributes
    ----------
    theta : dict of str to float
        Parameters by name.
    chi2 : float
    """

    theta: dict[str, float]
    chi2: float

    def __repr__(self) -> str:
        """χ² and parameters, four digits."""
        return _shown.line("BestFit:", f"chi2 = {self.chi2:.5g}", *(f"{k} = {v:.4g}" for k, v in self.theta.items()))

    def _repr_html_(self) -> str:
        """A table of them."""
        return _shown.table("Best fit", {"χ²": f"{self.chi2:.5g}", **self.theta})


@dataclass(frozen=True, eq=False)
class GoodnessOfFit:
    """How often toys of the best fit fit worse than the data.

    Attributes
    ----------
    best_fit : BestFit
    p_value : float
    toy_chi2 : float64[toys]
        Minimal χ² of each toy.
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
        return _shown.line(
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
        return _shown.table("Goodness of fit", rows, _shown.steps(edges, "minimal χ²", ("toys", counts)))

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
        """
        found: Axes = _shown.figures().goodness_of_fit(self, ax, **style)
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
        return _shown.line(
            "FeldmanCousins:", f"{n} points of {_shown.number(self.names)}",
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
            picture = _shown.curves(self.points[order, 0], self.names[0], *both)
        rows = {"toys at each point": self.toy_delta_chi2.shape[1]}
        return _shown.table("Feldman–Cousins", rows, _shown.grid(columns), picture)

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
        """
        found: Axes = _shown.figures().feldman_cousins(self, ax, **style)
        return found


@dataclass(frozen=True, eq=False)
class _Truth:
    """What toys are thrown from, and where their minima are looked for."""

    theta: Floats
    means: tuple[Floats, ...]  # of each system: of its counts, on counts if Poisson
    spreads: tuple[Floats, ...]  # standard deviations, or means of off counts
    pulls: Floats
    starts: Floats  # [starts, parameters]


@dataclass(frozen=True, eq=False)
class _Toys:
    """Rows of toys, `chunks.Job`: `rows_per_truth` for each truth, each of as many toys as the result has columns."""

    block: Block
    kinds: tuple[tuple[int, float], ...]  # statistic and off/on ratio of each system
    truths: tuple[_Truth, ...]
    fixed: tuple[bool, ...]  # parameters that stay at the truth's value for the larger of both χ²
    rows_per_truth: int
    seed: int

    @property
    def points_per_chunk(self) -> int:
        """A toy takes about a third of a millisecond."""
        return 500

    def part(self, start: int, stop: int) -> tuple["_Toys", int]:
        """All of it: the number of a row is the seed of its toys."""
        return self, start

    def fill(self, start: int, stop: int, out: Floats) -> None:
        """Δχ² of toys, or minimal χ² if no parameter is fixed."""
        for row in range(start, stop):
            truth = self.truths[row // self.rows_per_truth]
            random = np.random.default_rng([self.seed, row])
            for i in range(out.shape[1]):
                evaluator = Evaluator(self._thrown(truth, random))
                least = minima.lowest(evaluator, truth.starts, [False] * truth.theta.size)[0]
                if not any(self.fixed):
                    out[row - start, i] = least
                    continue
                there = (
                    evaluator.chi2(truth.theta.tolist())
                    if all(self.fixed)
                    else evaluator.minimise(truth.theta, self.fixed)[0]
                )
                out[row - start, i] = max(0.0, there - least)

    def _thrown(self, truth: _Truth, random: np.random.Generator) -> Block:
        """The data of one toy in place of the real ones."""
        numbers = self.block.numbers.copy()
        for i, (statistic, ratio) in enumerate(self.kinds):
            mean, spread = truth.means[i], truth.spreads[i]
            if statistic != POISSON:
                numbers[self.block.data[i]] = random.normal(mean, spread)
                continue
            numbers[self.block.data[i]] = random.poisson(mean)
            if np.isfinite(ratio):
                numbers[self.block.weight[i]] = random.poisson(spread)
        numbers[self.block.centre] = random.normal(truth.pulls, 1.0)
        return self.block._replace(numbers=numbers)


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
    stays = _chosen(fit, validate.mapping("fixed", fixed or {}))
    values = {name: validate.number(name, value) for name, value in (fixed or {}).items()}
    theta = np.array([values.get(p.name, p.default) for p in fit.parameters])
    value, where = minima.lowest(function_of(fit).full(), _starts(fit, theta, stays), stays)
    return BestFit(dict(zip((p.name for p in fit.parameters), where.tolist(), strict=True)), value)


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
    values = _throw(fit, theta[None], (False,) * theta.size, toys, seed, executor, threads, checkpoint, progress)[0]
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
    level = validate.number("cl", cl)
    if not 0 < level < 1:
        raise ValueError(f"cl = {cl!r}: must be between 0 and 1")
    fixed = _chosen(fit, validate.mapping("points", points))
    if not any(fixed):
        raise ValueError("points: must give at least one parameter")
    names = tuple(p.name for p, stays in zip(fit.parameters, fixed, strict=True) if stays)
    given = np.broadcast_arrays(*(np.atleast_1d(validate.array(name, points[name])) for name in names))
    if given[0].ndim != 1:
        raise ValueError(f"points: have shape {given[0].shape}, must be one-dimensional")
    every = np.stack(given, axis=1)
    data = function_of(fit).full()
    at, chi2 = [], []
    for point in every:
        theta = np.array([p.default for p in fit.parameters])
        theta[list(fixed)] = point
        value, where = minima.lowest(data, _starts(fit, theta, fixed), fixed)
        at.append(where)
        chi2.append(value)
    least = min([best_fit(fit).chi2, *chi2])
    values = _throw(fit, np.array(at), fixed, toys, seed, executor, threads, checkpoint, progress)
    delta = np.array(chi2) - least
    critical = np.quantile(values, level, axis=1, method="higher")
    p_value = np.mean(values >= delta[:, None], axis=1)
    return FeldmanCousins(names, every, delta, critical, p_value, delta <= critical, values)


def _chosen(fit: Likelihood, names: Mapping[str, Any]) -> tuple[bool, ...]:
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


def _throw(
    fit: Likelihood,
    at: Floats,
    fixed: tuple[bool, ...],
    toys: int,
    seed: int,
    executor: Executor | None,
    threads: int,
    checkpoint: str | Path | None,
    progress: Progress,
) -> Floats:
    """Values of toys at each of the vectors, float64[n, toys]."""
    toys, seed = validate.whole("toys", toys, minimum=1), validate.whole("seed", seed, minimum=0)
    if toys > _MOST:
        raise ValueError(f"toys = {toys}: must be at most {_MOST}")
    if toys % _PER_ROW:
        raise ValueError(f"toys = {toys!r}: must be a positive multiple of {_PER_ROW}")
    threads = checked(threads)
    if checkpoint is not None:
        checkpoint = validate.path("checkpoint", checkpoint)
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise ValueError(f"executor = {executor!r}: must be a concurrent.futures.Executor")
    layout, systems = function_of(fit).systems()
    data = function_of(fit).full()
    truths = tuple(_truth(fit, data, systems, theta, fixed) for theta in at)
    kinds = tuple((s.statistic, s.off_on_ratio) for s in systems)
    work = _Toys(pack(layout, systems), kinds, truths, fixed, toys // _PER_ROW, seed)
    rows = np.empty((len(at) * work.rows_per_truth, _PER_ROW))
    identity = function_of(fit).identity() | {
        "toys": repr(toys),
        "seed": repr(seed),
        "points": f"{len(at)}, sha256 {chunks.digest(at)}",
        "fixed": repr(fixed),
    }
    chunks.run(work, rows, identity, executor, threads, checkpoint, progress)
    return rows.reshape(len(at), toys)


def _truth(fit: Likelihood, data: Evaluator, systems: Sequence[System], theta: Floats, fixed: Sequence[bool]) -> _Truth:
    """The expectation at a vector, with nuisances profiled with the data."""
    signal, expectation = data.counts(theta)
    ends = np.cumsum([s.data.size for s in systems])[:-1]
    means, spreads = [], []
    for s, n, mu in zip(systems, np.split(signal, ends), np.split(expectation, ends), strict=True):
        if s.statistic == POISSON and np.isfinite(s.off_on_ratio):
            on, background = profiled_steady_state(s.data, s.weight, s.off_on_ratio, mu)
            means.append(on)
            spreads.append(s.off_on_ratio * background)
        elif s.statistic == POISSON:
            means.append(np.maximum(mu, 0.0))
            spreads.append(np.zeros_like(mu))
        elif s.statistic == PREDICTED_VARIANCE:
            means.append(mu)
            spreads.append(np.sqrt(n + s.weight + s.shape_variance * (n + s.background) ** 2))
        else:
            means.append(mu)
            spreads.append(1 / np.sqrt(s.weight))
    return _Truth(theta, tuple(means), tuple(spreads), data.pulls(theta), _starts(fit, theta, [False] * theta.size))
