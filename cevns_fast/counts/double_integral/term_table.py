"""The term table of any interaction, evaluated literally: the same counts by another way."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cevns_fast._kernels import double_integral as kernel
from cevns_fast._kernels.rates import LOWEST_T_POWER
from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.counts.double_integral.accuracy import accurate
from cevns_fast.counts.double_integral.beam import beam_of
from cevns_fast.counts.double_integral.problem import Problem
from cevns_fast.counts.rows import Integrand, Masses, Setting, masses_of

Integers = NDArray[np.int64]


@remember(maxsize=1)
def _integrand() -> Any:
    """The compiled function."""
    return kernel.term_table()


def integrate(setting: Setting, integrand: Integrand, masses: Masses, out: Floats, rtol: float, threads: int) -> None:
    """Add one process to out[n, rows, n_bins]: what `rows.integrate` does, as a double integral of the term table."""
    n, rows, bins = out.shape
    targets = len(setting.plan.targets)
    final_mass, mediator_mass = masses_of(setting.plan, integrand, masses, n)
    terms, moments = integrand.terms, integrand.moments
    if terms.propagator_power == 0:
        mediator_mass[:] = 0.0
    parameters, filled = _term_parameters(integrand, final_mass, mediator_mass, rows, targets)
    problem = Problem(
        _integrand(),
        parameters,
        np.arange(n * rows * targets).reshape(n * rows, targets),
        np.repeat(final_mass, rows),
        np.repeat(mediator_mass, rows),
        setting.plan,
        moments.flux,
        beam_of(moments.source),
        np.ones(targets),
        None,
    ).of(filled)
    found = accurate(problem, rtol, threads, "the counts", lambda row, level: None)
    # Bins that no recoil reaches are none of the plan's.
    out.reshape(n * rows, bins)[filled, : found.shape[1]] += found


def _term_parameters(
    integrand: Integrand, final_mass: Floats, mediator_mass: Floats, rows: int, targets: int
) -> tuple[Floats, Integers]:
    """What the generic integrand reads, a set for each interaction, row and target; rows that have any terms."""
    terms, lanes = integrand.terms, integrand.moments.distinct
    n, pairs = len(final_mass), terms.pair_row.size
    coefficient = np.broadcast_to(terms.coefficient, (targets, n, terms.mass_power.size))
    powers = final_mass[:, None] ** terms.mass_power
    of_pair = np.add.reduceat(coefficient * powers, terms.first_entry[:-1], axis=2)  # [targets, n, pairs]
    j = terms.cell_power + LOWEST_T_POWER
    odd, k = np.array(lanes, dtype=np.float64)[terms.cell_lane].T
    numbers = np.zeros((n, rows, targets, 2 + 4 * pairs))
    numbers[..., 0] = terms.propagator_power
    numbers[..., 1] = (mediator_mass**2)[:, None, None]
    table = numbers[..., 2:].reshape(n, rows, targets, pairs, 4)  # a copy, as the last axis is cut
    for pair in range(pairs):
        cell, row = terms.pair_cell[pair], terms.pair_row[pair]
        table[:, :, :, pair, :3] = j[cell], k[cell], odd[cell]
        table[:, row, :, pair, 3] = of_pair[..., pair].T
    numbers[..., 2:] = table.reshape(n, rows, targets, 4 * pairs)
    filled = np.flatnonzero(np.isin(np.tile(np.arange(rows), n), terms.pair_row))
    parameters = numbers.reshape(-1, numbers.shape[-1])
    parameters.setflags(write=False)
    return parameters, filled
