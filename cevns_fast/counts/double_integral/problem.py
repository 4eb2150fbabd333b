"""What is integrated, and its integral at nodes of a given fineness."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cevns_fast._kernels import double_integral as kernel
from cevns_fast._kernels.double_integral import Tasks
from cevns_fast._kernels.rates import Flux
from cevns_fast._validate import Floats
from cevns_fast.counts.double_integral.beam import ORDERS, KernelBeam
from cevns_fast.counts.double_integral.grid import Grid, grid_of, large_grid_of
from cevns_fast.counts.panels import Plan
from cevns_fast.counts.plan import in_parts
from cevns_fast.nuclear.form_factors import FormFactor

Integers = NDArray[np.int64]

# Rows of the result and cells that are in memory at once; nodes × components of the flux beyond which a grid is large.
_MOST_MASSES = 64
_MOST_CELLS = 2_000_000
_LARGE = 50_000


class Level(NamedTuple):
    """How fine the nodes are."""

    order: int  # an index of the orders
    factor: int  # by which panels are narrower than the plan's
    in_parts: bool = False  # whether each panel is taken in two parts


class Problem(NamedTuple):
    """What to integrate: one row of the result for each final mass."""

    dsigma: Any
    parameters: Floats  # [sets, numbers], read-only
    set_of: Integers  # [rows, targets]
    final_mass: Floats  # [rows]
    mediator_mass: Floats  # [rows]; 0 without a propagator
    plan: Plan
    walk: Flux  # its kinks cut panels
    beam: KernelBeam
    nuclei: Floats  # [targets]: what multiplies each
    form_factor: FormFactor | None  # None: they are in the plan's weights

    def of(self, rows: Integers) -> "Problem":
        """Some of the rows."""
        return self._replace(
            set_of=self.set_of[rows], final_mass=self.final_mass[rows], mediator_mass=self.mediator_mass[rows]
        )


def plan_at(problem: Problem, level: Level) -> Plan:
    """The panels of a level."""
    plan = problem.plan.finer(level.factor)
    return in_parts(plan) if level.in_parts else plan


def evaluate(problem: Problem, level: Level, threads: int) -> Floats:
    """Counts, float64[rows, bins]."""
    plan = plan_at(problem, level)
    bins = plan.panels.bins
    out = np.zeros((len(problem.final_mass), bins))
    pairs = list(zip(problem.final_mass.tolist(), problem.mediator_mass.tolist(), strict=True))
    size = plan.panels.recoil.size * len(problem.beam.sign)  # without images of kinks
    most, make = (1, large_grid_of) if size > _LARGE else (_MOST_MASSES, grid_of)
    at = 0
    while at < len(pairs):
        masses = tuple(dict.fromkeys(pairs[at : at + most]))
        if len(masses) == 1:  # as many rows as share it
            end = next((i for i in range(at, len(pairs)) if pairs[i] != masses[0]), len(pairs))
        else:
            end = min(at + most, len(pairs))
        nuclei = tuple(problem.nuclei.tolist())
        order = ORDERS[level.order]
        grid = make(plan, problem.walk, problem.beam, nuclei, problem.form_factor, masses, order)
        place = {pair: i for i, pair in enumerate(masses)}
        of_mass = np.array([place[pair] for pair in pairs[at:end]])
        sizes = np.diff(grid.first_node)
        step = max(1, _MOST_CELLS // max(1, int(sizes.max())))
        for start in range(at, end, step):
            part = slice(start, min(start + step, end))
            _add(problem, grid, of_mass[start - at : part.stop - at], part, threads, out[part])
        at = end
    return out


def _add(problem: Problem, grid: Grid, of_mass: Integers, part: slice, threads: int, out: Floats) -> None:
    """Counts of some rows, each at the nodes of its masses."""
    first_node, first_block = grid.first_node, grid.first_block
    sizes = np.diff(first_node)[of_mass]
    first_cell = np.concatenate([[0], np.cumsum(sizes)])
    blocks = np.diff(first_block)[of_mass]
    row = np.repeat(np.arange(len(of_mass)), blocks)
    which = np.arange(blocks.sum()) - np.repeat(np.cumsum(blocks) - blocks, blocks) + first_block[of_mass][row]
    first, last = grid.first[which], grid.last[which]
    cell = first_cell[row] + first - first_node[of_mass][row]
    tasks = Tasks(row, first, last, cell, first_cell, first_node[of_mass])
    cells = np.empty(first_cell[-1])
    set_of = np.ascontiguousarray(problem.set_of[part])
    kernel.spectra(
        problem.dsigma, problem.parameters, set_of, grid.nodes, grid.rows, grid.particles, tasks, cells, threads=threads
    )
    kernel.sums(grid.nodes, tasks, cells, out, threads=threads)
