"""Toy experiments: goodness of fit, and confidence regions where χ² does not follow Wilks' theorem.

Toys are thrown from the profiled expectation: counts of every bin, off counts where there are such, and the auxiliary
measurements of all nuisances. Each toy has a stream of random numbers of its own, which seed, place in parameter space
and its number decide, so that results do not depend on who computes what.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cevns_fast import _validate as validate
from cevns_fast._kernels.likelihood import FIXED_VARIANCE, POISSON, PREDICTED_VARIANCE, Evaluator, pack
from cevns_fast._kernels.toys import Plan, Truth
from cevns_fast._support import shown
from cevns_fast._validate import Floats
from cevns_fast.inference import minima
from cevns_fast.likelihood.likelihood import Likelihood, function_of
from cevns_fast.likelihood.measurement import profiled_steady_state
from cevns_fast.likelihood.whitening import for_toys, reduced
from cevns_fast.parallel import chunks
from cevns_fast.parallel.progress import Progress
from cevns_fast.parallel.threads import checked

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PER_ROW = 50
_MOST = 10**9  # toys of a point: their numbers have 32 bits


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
        found: Axes = shown.figures().goodness_of_fit(self, ax, **style)
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
        found: Axes = shown.figures().feldman_cousins(self, ax, **style)
        return found


@dataclass(frozen=True, eq=False)
class Toys:
    """Rows of toys, `chunks.Work`: `rows_per_truth` for each truth, each of as many toys as the result has columns."""

    numbers: Floats  # of the likelihood, whitened
    truths: tuple[Truth, ...]
    fixed: tuple[bool, ...]  # parameters that stay at the truth's value for the larger of both χ²
    rows_per_truth: int
    key: int
    before: int = 0  # rows of each truth that are known already

    @property
    def points_per_chunk(self) -> int:
        """A toy takes a few hundredths of a millisecond."""
        return 2000

    def part(self, start: int, stop: int) -> tuple["Toys", int]:
        """The truths of some rows, and the number of the first of them there."""
        first, last = start // self.rows_per_truth, (stop - 1) // self.rows_per_truth + 1
        return replace(self, truths=self.truths[first:last]), start - first * self.rows_per_truth

    def fill(self, start: int, stop: int, out: Floats) -> None:
        """Δχ² of toys, or minimal χ² if no parameter is fixed."""
        plan, planned = None, -1
        for row in range(start, stop):
            number, place = divmod(row, self.rows_per_truth)
            if plan is None or number != planned:
                plan, planned = Plan(self.numbers, self.truths[number], self.fixed, self.key), number
            plan.run((self.before + place) * out.shape[1], out[row - start])


def checked_toys(toys: int) -> int:
    """A number of toys that are whole rows."""
    if validate.whole("toys", toys, minimum=1, maximum=_MOST) % PER_ROW:
        raise ValueError(f"toys = {toys!r}: must be a positive multiple of {PER_ROW}")
    return int(toys)


def key_of(seed: int) -> int:
    """64 bits of a seed of any size."""
    return int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])


def place_of(values: Floats) -> int:
    """A number for a place in parameter space: toys of different places are independent."""
    return int(chunks.digest(np.ascontiguousarray(values) + 0.0)[:16], 16)


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
    values = _throw(fit, at, fixed, toys, seed, executor, threads, checkpoint, progress)
    delta = chi2 - least
    critical = np.quantile(values, level, axis=1, method="higher")
    p_value = np.mean(values >= delta[:, None], axis=1)
    return FeldmanCousins(names, every, delta, critical, p_value, delta <= critical, values)


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
    toys, seed = checked_toys(toys), validate.whole("seed", seed, minimum=0)
    threads = checked(threads)
    if checkpoint is not None:
        checkpoint = validate.path("checkpoint", checkpoint)
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise ValueError(f"executor = {executor!r}: must be a concurrent.futures.Executor")
    thrower = Thrower(fit, fixed)
    truths = tuple(thrower.truth(theta) for theta in at)
    work = Toys(thrower.numbers, truths, fixed, toys // PER_ROW, key_of(seed))
    rows = np.empty((len(at) * work.rows_per_truth, PER_ROW))
    identity = function_of(fit).identity() | {
        "toys": repr(toys),
        "seed": repr(seed),
        "points": f"{len(at)}, sha256 {chunks.digest(at)}",
        "fixed": repr(fixed),
    }
    chunks.run(work, rows, identity, executor, threads, checkpoint, progress)
    return rows.reshape(len(at), toys)


class Expected(NamedTuple):
    """What a vector predicts, for each experiment bin by bin."""

    means: list[Floats]  # of counts, on counts if Poisson
    spreads: list[Floats]  # standard deviations, or means of off counts
    pulls: Floats  # [nuisances]


class Thrower:
    """Makes the truths that toys of a likelihood are thrown from."""

    def __init__(self, fit: Likelihood, fixed: Sequence[bool]) -> None:
        function = function_of(fit)
        self._layout, self._systems = function.systems()
        self._data, self._fixed = function.full(), list(fixed)
        self._short = for_toys(self._layout, self._systems)
        self.numbers = pack(self._short.layout, self._short.systems).numbers

    def expected(self, theta: Floats) -> Expected:
        """What a vector predicts, with nuisances profiled with the data."""
        signal, expectation = self._data.counts(theta)
        ends = np.cumsum([s.data.size for s in self._systems])[:-1]
        means, spreads = [], []
        for s, n, mu in zip(self._systems, np.split(signal, ends), np.split(expectation, ends), strict=True):
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
        return Expected(means, spreads, self._data.pulls(theta))

    def truth(self, theta: Floats) -> Truth:
        """What toys of a vector are thrown from."""
        found = self.expected(theta)
        spreads = [
            1 / np.sqrt(short.weight) if short.statistic == FIXED_VARIANCE else spread
            for short, spread in zip(self._short.systems, found.spreads, strict=True)
        ]
        return Truth(
            theta,
            np.concatenate(self._short.turn(found.means, found.pulls)),
            np.concatenate(spreads),
            found.pulls[self._short.kept],
            self._short.hidden,
            place_of(theta[self._fixed]),
        )

    def asimov(self, theta: Floats) -> Evaluator:
        """χ² of data that are exactly what a vector predicts."""
        found = self.expected(theta)
        systems = [
            s._replace(data=mean, weight=spread if s.statistic == POISSON else s.weight)
            for s, mean, spread in zip(self._systems, found.means, found.spreads, strict=True)
        ]
        return Evaluator(pack(*reduced(self._layout._replace(centre=found.pulls), systems)))

    def plan(self, theta: Floats, key: int) -> Plan:
        """What throws toys of a vector."""
        return Plan(self.numbers, self.truth(theta), self._fixed, key)

    def evaluator(self, data: Floats, weight: Floats, centre: Floats) -> Evaluator:
        """χ² of the data of one toy."""
        ends = np.cumsum([s.data.size for s in self._short.systems])[:-1]
        systems = [
            s._replace(data=d, weight=w)
            for s, d, w in zip(self._short.systems, np.split(data, ends), np.split(weight, ends), strict=True)
        ]
        return Evaluator(pack(self._short.layout._replace(centre=centre), systems))

    def bounded(self, low: float, high: float) -> Floats:
        """The numbers of toys' likelihood whose only parameter has bounds."""
        layout = self._short.layout._replace(lower=[low], upper=[high])
        return pack(layout, self._short.systems).numbers
