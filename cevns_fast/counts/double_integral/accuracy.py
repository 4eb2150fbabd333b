"""Nodes as fine as an accuracy asks for."""

import warnings
from collections.abc import Callable

import numpy as np

from cevns_fast._validate import Floats
from cevns_fast.counts import piecewise
from cevns_fast.counts.double_integral.beam import ORDERS
from cevns_fast.counts.double_integral.problem import Level, Problem, evaluate
from cevns_fast.counts.plan import BIN_FLOOR

# Of an energy, with what an integral over little of it adds up.
ROUNDING = 64 * float(np.finfo(np.float64).eps)
# By how much the plan's panels are narrowed at most.
_FINEST = 8


def _differences(coarse: Floats, fine: Floats) -> Floats:
    """By how much each bin differs, relative to itself, floored at a fraction of the row's largest."""
    size = np.abs(fine)
    scale = np.maximum(size, BIN_FLOOR * size.max(axis=-1, keepdims=True))
    return np.asarray(np.abs(coarse - fine) / np.where(scale > 0, scale, 1.0))


def _rounding(problem: Problem) -> Floats:
    """How well the counts of each row are known: near its threshold, little is left of the difference of energies."""
    end, m = float(problem.walk.breaks[-1]), problem.final_mass[:, None]
    room = 1 - (m + m * m / (2 * problem.plan.panels.mass)) / end
    return np.asarray(ROUNDING / np.where(room > 0, room, np.inf).min(axis=1))


def accurate(problem: Problem, rtol: float, threads: int, name: str, refuse: Callable[[int, Level], None]) -> Floats:
    """Counts of each row at the coarsest nodes that agree, to `rtol`, with a refinement.

    What is asked of one row does not depend on the others, nor on what was computed before, so that the same bits come
    from any way of sharing the work. `refuse` is told of a row that is not finite.
    """
    found = np.zeros((len(problem.final_mass), problem.plan.panels.bins))
    allowed = np.maximum(rtol, _rounding(problem))
    folding = problem.plan.folding

    def differences(coarse: Floats, fine: Floats) -> Floats:
        """Of counts, where functions stand for bins."""
        return _differences(coarse, fine) if folding is None else _differences(coarse @ folding, fine @ folding)

    waiting = [(Level(problem.beam.order, 1), np.arange(len(found)))]
    while waiting:
        level, rows = waiting.pop()
        part = problem.of(rows)
        values = evaluate(part, level, threads)
        if not np.isfinite(values).all():
            refuse(int(rows[~np.isfinite(values).all(axis=1)][0]), level)
        found[rows] = values
        finer = evaluate(part, Level(level.order + 1, level.factor, in_parts=True), threads)
        failed = differences(values, finer).max(axis=1, initial=0.0) > allowed[rows]
        if not failed.any():
            continue
        rows, values, part = rows[failed], values[failed], problem.of(rows[failed])
        in_energy, in_recoil = (
            differences(values, evaluate(part, one, threads)).max(axis=1) > allowed[rows]
            for one in (level._replace(order=level.order + 1), level._replace(in_parts=True))
        )
        neither = ~in_energy & ~in_recoil
        for by_order, by_factor in ((0, 1), (1, 0), (1, 1)):
            here = ((in_energy | neither) == bool(by_order)) & ((in_recoil | neither) == bool(by_factor))
            following = Level(level.order + by_order, level.factor * (1 + by_factor))
            if not here.any():
                continue
            if following.order < len(ORDERS) - 1 and following.factor < _FINEST:
                waiting.append((following, rows[here]))
                continue
            found[rows[here]] = finer[failed][here]  # nothing is left to compare them with
            difference = differences(values, finer[failed])[here]
            row, b = np.unravel_index(int(np.argmax(difference)), difference.shape)
            warnings.warn(
                f"rtol = {rtol:g}: bin {b} of {name} agrees with its last refinement to {difference[row, b]:.1g} only; "
                "state breakpoints or ask for less",
                piecewise.AccuracyWarning,
                stacklevel=2,
            )
    return found
