"""Minima of χ² in couplings: a polynomial of low degree over another one, with a minimum on either side of zero."""

from collections.abc import Sequence
from itertools import product

import numpy as np

from cevns_fast._kernels.likelihood import Evaluator
from cevns_fast._validate import Floats


def reach(evaluator: Evaluator, theta: Floats, i: int, otherwise: float = 1.0) -> float:
    """About the size of a coupling that changes χ² by more than one, where the others are as in theta."""
    probe, size = theta.tolist(), 1e-15
    probe[i] = 0.0
    start = evaluator.chi2(probe)
    while size < 1e15:
        probe[i] = size
        value = evaluator.chi2(probe)
        if not np.isfinite(value):
            break
        if abs(value - start) > 1.0:
            return size
        size *= 2.0
    return otherwise


def sides(size: float) -> list[float]:
    """A coupling on either side of zero, and near it: where starts towards all minima are."""
    return [-size, 0.1 * size, size]


def starts(theta: Floats, choices: Sequence[Sequence[float]]) -> Floats:
    """theta, and every combination of choices for its entries."""
    return np.array([theta, *product(*choices)])


def lowest(evaluator: Evaluator, begin: Floats, fixed: Sequence[bool]) -> tuple[float, Floats]:
    """The lowest minimum that a row of `begin` leads to, and where it is."""
    return min((evaluator.minimise(each, fixed) for each in begin), key=lambda found: found[0])
