"""How fine the recoil integral is: panels refined until they agree with parts of themselves.

A plan depends on the source and the detector alone: one serves all interactions and all masses.
"""

import math
import warnings
from dataclasses import replace

import numpy as np

from cevns_fast._kernels import rates as kernel
from cevns_fast._kernels.rates import LOWEST_T_POWER, T_POWERS, Panels, Terms
from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.counts import piecewise
from cevns_fast.counts.flux import EVEN_LANES, JUDGED_LANES, FluxMoments, flux_moments
from cevns_fast.counts.folding import FUNCTIONS
from cevns_fast.counts.panels import Plan, build
from cevns_fast.experiments.detectors import Detector
from cevns_fast.experiments.sources import Source, endpoint_of
from cevns_fast.interactions.process import Part

_NEGATIVE = [i for i, (_, k) in enumerate(JUDGED_LANES) if k < 0]
# Fractions of the heaviest mass, beside 0 and one that is nearly 0: a few, and many at no regular distance.
_FEW_MASSES = (0.1, 0.4, 0.7, 0.9, 0.99)
_MANY_MASSES = tuple((k * (5**0.5 - 1) / 2) % 1 for k in range(1, 25))
# Where bins make thousands of panels, each is so narrow that few masses tell: so many panels are judged at most.
_MANY_PANELS, _LEAST_MASSES = 10_000, 4
# Where a panel is split to judge it.
_SPLIT = 0.382
_PROPAGATOR_POWERS = (0, 2)
# A panel spans at most a factor 2^(1/refinement) in T.
_REFINEMENTS = (1, 2, 4, 8, 16, 32, 64, 128)
# Differences are relative to the sum without cancellation, floored at this fraction of the largest bin, ...
BIN_FLOOR = 0.03
# ... and of the largest sum of any mass: beyond that a recoil is too unlikely for its sum to be worth a digit.
_MASS_FLOOR = 1e-10


@remember(maxsize=64)
def in_parts(plan: Plan) -> Plan:
    """A plan whose panels, as they are after images have cut them, are two unequal parts each: to judge it by."""
    return replace(plan, panels=replace(plan.panels, split=_SPLIT))


@remember(maxsize=64)
@np.errstate(under="ignore")  # what is negligible is zero
def plan_of(source: Source, detector: Detector, rtol: float, parts: tuple[Part, ...] = ()) -> Plan:
    """The coarsest plan that agrees to `rtol` with other panels, for probe masses and propagators.

    Each panel, as it is after kinematic images have cut it, is compared with two unequal parts of itself. (Panels of a
    finer plan would not do: where images cut, the coarse and the fine plan may have the same panel.)
    `parts` are functions of Q² beyond the form factors of protons and neutrons.
    """
    probed = flux_moments(source, JUDGED_LANES)
    error = math.inf
    for refinement in _REFINEMENTS:
        plan = build(source, detector, refinement, parts)
        many = _MANY_MASSES[: max(_LEAST_MASSES, _MANY_PANELS // len(plan.panels.low))]
        for masses in (_FEW_MASSES, many):  # most plans that will not do are told by few
            error = _error(source, probed, plan, masses, rtol)
            if not error <= rtol:
                break
        else:
            return plan
    warnings.warn(
        f"rtol = {rtol:g}: the recoil integrals agree with their last refinement to {error:.1g} only",
        piecewise.AccuracyWarning,
        stacklevel=2,
    )
    return plan


def _error(source: Source, probed: FluxMoments, plan: Plan, fractions: tuple[float, ...], rtol: float) -> float:
    """Largest difference between panels and parts of them, for masses that are fractions of the heaviest.

    It is relative to the sum without cancellation, floored, and the first one above `rtol` will do. Of many bins a mass
    at a time takes little room; from the lightest on, since that has the largest sums.
    """
    panels, folding = plan.panels, plan.folding
    E, M = endpoint_of(source), panels.mass.min()
    limit = E * (1 - E / (2 * M)) if E < M else np.sqrt(M * (M + 2 * E)) - M  # a little below what can be produced
    masses = np.array([0.0, 1e-3 / limit, *sorted(fractions)]) * limit
    split = replace(panels, split=_SPLIT)
    worst = 0.0
    for power in _PROPAGATOR_POWERS:
        terms = _every_cell(probed, len(panels.mass), power)
        largest = 0.0
        for i in range(len(masses)):
            coarse, fine = (_probe(probed, each, terms, masses, i) for each in (panels, split))
            scale = np.abs(fine[:, :, : len(EVEN_LANES)])
            if folding is not None:  # functions change sign: they are judged by the first of their piece, which is 1
                scale = np.repeat(scale[..., ::FUNCTIONS], FUNCTIONS, axis=-1)
            largest = np.maximum(largest, scale.max(axis=-1, keepdims=True))
            np.maximum(scale, BIN_FLOOR * scale.max(axis=-1, keepdims=True), out=scale)
            np.maximum(scale, _MASS_FLOOR * largest, out=scale)
            scale[scale == 0] = 1.0
            difference = np.abs(np.subtract(coarse, fine, out=coarse), out=coarse)
            if folding is not None:
                difference *= folding.importance[: difference.shape[-1]]
            for lanes in (slice(len(EVEN_LANES)), slice(len(EVEN_LANES), None)):  # odd ones may cancel
                relative = difference[:, :, lanes]
                relative /= scale[:, :, : relative.shape[2]]
                worst = float(np.maximum(worst, relative.max()))  # what is not a number stays none
            if not worst <= rtol:
                return worst
    return worst


def _every_cell(probed: FluxMoments, n_targets: int, propagator_power: int) -> Terms:
    """A row for every cell of every target."""
    n_lanes = len(JUDGED_LANES)
    cells = T_POWERS * n_lanes
    n_rows = n_targets * cells
    return Terms(
        cell_power=np.repeat(np.arange(T_POWERS), n_lanes),
        cell_lane=np.tile(probed.lane, T_POWERS),
        pair_row=np.arange(n_rows),
        pair_cell=np.tile(np.arange(cells), n_targets),
        first_entry=np.arange(n_rows + 1),
        mass_power=np.zeros(n_rows, dtype=np.int64),
        coefficient=np.repeat(np.eye(n_targets), cells, axis=1)[:, None] * np.tile(probed.sign, n_targets * T_POWERS),
        propagator_power=propagator_power,
    )


def _probe(probed: FluxMoments, panels: Panels, terms: Terms, masses: Floats, i: int) -> Floats:
    """All cells for one of the masses, with a massless mediator's propagator: [targets, powers of T, lanes, bins]."""
    out = np.zeros((1, len(terms.pair_row), panels.bins))
    kernel.templates(probed.flux, panels, terms, masses[i : i + 1], np.zeros(1), 0, 1, out)
    sums = out.reshape(len(panels.mass), T_POWERS, len(JUDGED_LANES), -1)
    power = terms.propagator_power
    if panels.low[0] == 0 and i == 0:  # 1/T and steeper have no integral for a massless final state
        sums[:, : power - LOWEST_T_POWER] = 0.0
        sums[:, power - LOWEST_T_POWER, _NEGATIVE] = 0.0  # and 1/E alone comes with a mass
    if panels.low[0] == 0 and i == 1:  # 1/T² comes with m⁴ or m², small where the response is not known as well
        sums[:, power] = 0.0
    if power > 0:  # no interaction multiplies a propagator by 1/T
        sums[:, :-LOWEST_T_POWER] = 0.0
    return sums
