"""Throwing toys: what they are thrown from, and rows of them that any executor takes.

Toys are thrown from the profiled expectation: counts of every bin, off counts where there are such, and the auxiliary
measurements of all nuisances. Each toy has a stream of random numbers of its own, which seed, place in parameter space
and its number decide, so that results do not depend on who computes what.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._kernels.likelihood import FIXED_VARIANCE, POISSON, PREDICTED_VARIANCE, Evaluator, pack
from cevns_fast._kernels.toys import ToyPlan, Truth
from cevns_fast._validate import Floats
from cevns_fast.likelihood.likelihood import Likelihood, function_of
from cevns_fast.likelihood.measurement import predicted_variance, profiled_steady_state
from cevns_fast.likelihood.whitening import for_toys, reduced
from cevns_fast.parallel import chunks
from cevns_fast.parallel.chunks import check_executor
from cevns_fast.parallel.progress import Progress
from cevns_fast.parallel.threads import checked

PER_ROW = 50
_MOST = 10**9  # toys of a point: their numbers have 32 bits


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
                plan, planned = ToyPlan(self.numbers, self.truths[number], self.fixed, self.key), number
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
                spreads.append(np.sqrt(predicted_variance(s, n)))
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

    def plan(self, theta: Floats, key: int) -> ToyPlan:
        """What throws toys of a vector."""
        return ToyPlan(self.numbers, self.truth(theta), self._fixed, key)

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


def thrown(
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
    check_executor(executor)
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
