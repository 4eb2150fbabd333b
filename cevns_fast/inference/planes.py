"""χ² on rows of a grid of couplings: each problem pickles, hashes and fills the rows that it is asked for."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from cevns_fast._kernels import plane, profile
from cevns_fast._kernels.likelihood import Block, Evaluator
from cevns_fast._validate import Floats
from cevns_fast.inference import minima

# Bytes of a result that stays in the caches of whoever reads it next. Writing past them is 10% faster at this size,
# 25% at four times as much, and slower for the reader.
CACHE = 2**25

MOST_PROFILED = profile.MOST  # couplings


@dataclass(frozen=True, eq=False)
class ScanGrid(ABC):
    """Rows of points, numbered over interactions and the grid of all couplings but the last: it pickles and hashes."""

    couplings: tuple[str, ...]
    free: tuple[str, ...]
    axes: tuple[Floats, ...]

    @property
    @abstractmethod
    def n_interactions(self) -> int:
        """How many planes there are."""

    @property
    @abstractmethod
    def numbers(self) -> tuple[Floats, ...]:
        """All numbers that decide the values."""

    @abstractmethod
    def fill_some(self, interaction: int, rows: Any, out: Floats) -> None:
        """χ² of rows of one interaction."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Interactions, then the grid."""
        return (self.n_interactions, *(len(axis) for axis in self.axes))

    @property
    def n_rows(self) -> int:
        """Rows of the scan."""
        return math.prod(self.shape[:-1])

    @property
    def points_per_chunk(self) -> int:
        """2 MiB of χ²; a minimisation takes a hundred times as long as a point."""
        return 2**12 if self.free else 2**18

    def outer(self, rows: Any) -> Floats:
        """The couplings but the last at rows of one interaction's grid, float64[rows, couplings − 1]."""
        outer = np.empty((len(rows), len(self.axes) - 1))
        for c, i in enumerate(np.unravel_index(rows, self.shape[1:-1]) if outer.shape[1] else ()):
            outer[:, c] = self.axes[c][i]
        return outer

    def points(self, rows: Any) -> Floats:
        """All couplings at every point of rows, the free ones zero, float64[points, couplings + free]."""
        scanned = len(self.couplings)
        z = np.zeros((len(rows), len(self.axes[-1]), scanned + len(self.free)))
        z[:, :, : scanned - 1] = self.outer(rows)[:, None]
        z[:, :, scanned - 1] = self.axes[-1]
        return z.reshape(-1, z.shape[-1])

    def fill(self, start: int, stop: int, out: Floats) -> None:
        """χ² of rows start … stop − 1 into out[stop − start, len(last axis)]."""
        per_interaction = self.n_rows // self.n_interactions
        row = start
        while row < stop:
            interaction, first = divmod(row, per_interaction)
            last = min(per_interaction, first + stop - row)
            self.fill_some(interaction, np.arange(first, last), out[row - start : row - start + last - first])
            row += last - first

    def part(self, start: int, stop: int) -> tuple[Self, int]:
        """The problem of the interactions that rows start … stop − 1 belong to, and the number of row start there."""
        per_interaction = self.n_rows // self.n_interactions
        first, last = start // per_interaction, (stop - 1) // per_interaction + 1
        return self.of_interactions(slice(first, last)), start - first * per_interaction

    @abstractmethod
    def of_interactions(self, chosen: slice) -> Self:
        """The problem of some of the interactions."""


@dataclass(frozen=True, eq=False)
class _Polynomials(ScanGrid):
    """Systems of fixed variance whose only nuisance beside constants is a scale."""

    triangle: Floats  # [n, systems, 1 + terms, 1 + terms]
    scale_variance: Floats  # [systems]
    powers: Any  # int64[terms, couplings + free]

    @property
    def n_interactions(self) -> int:
        """How many planes there are."""
        return len(self.triangle)

    @property
    def numbers(self) -> tuple[Floats, ...]:
        """All numbers that decide the values."""
        return self.triangle, self.scale_variance, self.powers

    def of_interactions(self, chosen: slice) -> Self:
        """The problem of some of the interactions."""
        return replace(self, triangle=self.triangle[chosen])

    def plane(self, interaction: int) -> plane.Plane:
        """What the kernels read."""
        return plane.Plane(self.triangle[interaction], self.scale_variance, self.powers)


class PlaneProblem(_Polynomials):
    """All couplings are those of the grid."""

    @property
    def points_per_chunk(self) -> int:
        """4 MiB of χ²: a millisecond, beside which it costs little to hand out chunks."""
        return 2**19

    def fill_some(self, interaction: int, rows: Any, out: Floats) -> None:
        """χ² of rows of one interaction."""
        write = plane.stream if 8 * math.prod(self.shape) > CACHE else plane.fill
        write(self.plane(interaction), self.outer(rows), self.axes[-1], out)


class ProfiledProblem(_Polynomials):
    """χ² is minimised over further couplings, at each point from nothing but the point."""

    def fill_some(self, interaction: int, rows: Any, out: Floats) -> None:
        """χ² of rows of one interaction."""
        profile.minimise(self.plane(interaction), len(self.free), self.points(rows), out.reshape(-1))

    def profiled(self, interaction: int, points: Floats) -> Floats:
        """χ² at any points, float64[k, couplings]."""
        z, out = np.zeros((len(points), len(self.couplings) + len(self.free))), np.empty(len(points))
        z[:, : len(self.couplings)] = points
        profile.minimise(self.plane(interaction), len(self.free), z, out)
        return out


@dataclass(frozen=True, eq=False)
class EvaluatorProblem(ScanGrid):
    """Any other systems: predicted variances, Poisson counts, nuisances that are shared or change shapes."""

    blocks: tuple[Block, ...]

    @property
    def n_interactions(self) -> int:
        """How many planes there are."""
        return len(self.blocks)

    @property
    def numbers(self) -> tuple[Floats, ...]:
        """All numbers that decide the values."""
        return tuple(block.numbers for block in self.blocks)

    def of_interactions(self, chosen: slice) -> "EvaluatorProblem":
        """The problem of some of the interactions."""
        return replace(self, blocks=self.blocks[chosen])

    def fill_some(self, interaction: int, rows: Any, out: Floats) -> None:
        """χ² of rows of one interaction."""
        evaluator, z = Evaluator(self.blocks[interaction]), self.points(rows)
        if not self.free:
            out[...] = evaluator.batch(z).reshape(out.shape)
            return
        fixed = [True] * len(self.couplings) + [False] * len(self.free)
        at_zero = self._sizes(evaluator, np.zeros(z.shape[1]))
        values = out.reshape(-1)
        for i, point in enumerate(z):
            here = self._sizes(evaluator, point)
            choices = [[x] for x in point[: len(self.couplings)]]
            choices += [minima.sides(a) + minima.sides(b) for a, b in zip(here, at_zero, strict=True)]
            values[i] = minima.lowest(evaluator, minima.starts(point, choices), fixed)[0]

    def _sizes(self, evaluator: Evaluator, point: Floats) -> list[float]:
        """The reach of each free coupling."""
        return [minima.reach(evaluator, point, i) for i in range(len(self.couplings), len(point))]
