"""Counts of a user's dσ/dT, as polynomials in its couplings."""

import math
from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from cevns_fast._kernels.rates import Flux
from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.constants import MEV2_CM2
from cevns_fast.counts.double_integral.accuracy import accurate
from cevns_fast.counts.double_integral.beam import beam_of
from cevns_fast.counts.double_integral.points import refuse_point
from cevns_fast.counts.double_integral.polynomials import check_polynomial, points_of_degree
from cevns_fast.counts.double_integral.problem import Level, Problem
from cevns_fast.counts.flux import FluxMoments, flux_moments, groups_of
from cevns_fast.counts.panels import Plan
from cevns_fast.counts.plan import plan_of
from cevns_fast.counts.rows import sampled
from cevns_fast.experiments.detectors import Detector
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.experiments.sources import Source
from cevns_fast.interactions.numerical import NumericalInteraction
from cevns_fast.interactions.process import Exponents

Integers = NDArray[np.int64]

# What is left of a monomial by rounding, relative to all of them together.
_NOISE = 1e-13


def counts(
    experiment: Experiment, batch: Sequence[NumericalInteraction], couplings: Sequence[str], rtol: float, threads: int
) -> tuple[tuple[Exponents, ...], Floats]:
    """Monomials of the open couplings, the constant first, and float64[n, monomials, bins].

    The polynomial of the declared degrees is found from its values at degree + 1 points of each coupling, and must
    agree with one more.
    """
    kind = type(batch[0])
    places = [kind.definition.parameters.index(name) for name in couplings]
    degrees = [kind.degrees[name] for name in couplings]
    declared = [name for name, _ in kind.definition.degrees]
    scale = np.array([kind.definition.scales[declared.index(name)] for name in couplings])
    axes = [points_of_degree(d) for d in degrees]
    points = [*product(*axes), tuple(0.6180339887 - 0.07 * i for i in range(len(axes)))] if axes else [()]
    vectors = np.repeat(np.array([each.vector for each in batch]), len(points), axis=0)
    if places:
        vectors[:, places] = np.tile(np.array(points) * scale, (len(batch), 1))
    owner = np.repeat(np.arange(len(batch)), len(points))
    values = _of_function(experiment, batch, vectors, owner, rtol, threads).reshape(len(batch), len(points), -1)
    if not axes:
        return ((),), values
    n, bins = len(batch), values.shape[-1]
    found = values[:, :-1].reshape(n, *(d + 1 for d in degrees), bins)
    for i, axis in enumerate(axes):
        inverse = np.linalg.inv(np.vander(axis, increasing=True))
        found = np.moveaxis(np.tensordot(inverse, found, axes=(1, i + 1)), 0, i + 1)
    exponents = list(product(*(range(d + 1) for d in degrees)))
    found = found.reshape(n, len(exponents), bins)
    found[np.abs(found) <= _NOISE * np.abs(found).max(axis=(1, 2), keepdims=True)] = 0.0
    check_polynomial(kind, couplings, scale, exponents, found, points[-1], values[:, -1])
    found /= np.array([math.prod(s**e for s, e in zip(scale, each, strict=True)) for each in exponents])[:, None]
    order = sorted(range(len(exponents)), key=lambda i: (sum(exponents[i]), tuple(-e for e in exponents[i])))
    return tuple(exponents[i] for i in order), found[:, order]


def _of_function(
    experiment: Experiment,
    batch: Sequence[NumericalInteraction],
    vectors: Floats,
    owner: Integers,
    rtol: float,
    threads: int,
) -> Floats:
    """Counts of a user's dσ/dT for vectors of parameters, each of one of the batch, float64[vectors, bins]."""
    kind = type(batch[0])
    definition = kind.definition
    detector, matrix = sampled(experiment.detector)
    plan = plan_of(experiment.source, detector, rtol).bare(definition.T_breakpoints)
    groups = groups_of(experiment) if experiment.has_axes else (experiment.source,)
    question = experiment, batch, vectors, owner, detector, plan, rtol, threads
    found = np.stack([_of_source(source, *question) for source in groups])
    if plan.folding is not None:
        found = found @ plan.folding
    if matrix is not None:
        found = found @ matrix
    counts = experiment.spread.of(found) if experiment.has_axes else found[0]
    return counts[:, list(experiment.kept)] if experiment.excluded else counts


def _of_source(
    source: Source,
    experiment: Experiment,
    batch: Sequence[NumericalInteraction],
    vectors: Floats,
    owner: Integers,
    detector: Detector,
    plan: Plan,
    rtol: float,
    threads: int,
) -> Floats:
    """Of a part of the source, in all bins that are integrated."""
    kind = type(batch[0])
    definition = kind.definition
    walk = _walk_of(flux_moments(source, ((False, 0),)), definition.E_breakpoints)
    parameters = np.ascontiguousarray(vectors)
    parameters.setflags(write=False)
    masses = np.array([each.mass_of_final_state for each in batch])
    nuclei = detector.nuclei[[t.index for t in plan.targets]] * (experiment.fluence * MEV2_CM2)
    problem = Problem(
        kind.compiled,
        parameters,
        np.repeat(np.arange(len(vectors))[:, None], len(plan.targets), axis=1),
        masses[owner],
        np.zeros(len(owner)),
        plan,
        walk,
        beam_of(source, True, definition.E_breakpoints),
        nuclei,
        detector.form_factor,
    )

    def refuse(row: int, level: Level) -> None:
        refuse_point(problem, row, level, definition.parameters, vectors[row])

    found = accurate(problem, rtol, threads, f"the counts of {experiment.name or 'the experiment'}", refuse)
    n_bins = detector.n_bins if plan.folding is None else len(plan.folding)
    wide = np.zeros((len(vectors), n_bins))  # bins that no recoil reaches are none of the plan's
    wide[:, : found.shape[1]] = found
    return wide


@remember(maxsize=64)
def _walk_of(moments: FluxMoments, cuts: tuple[float, ...]) -> Flux:
    """What tells the rate kernel where to cut panels: kinks of the flux, and energies of the user's."""
    flux = moments.flux
    kinks = np.unique(np.concatenate([flux.kinks, [x for x in cuts if x < flux.kinks[-1]]]))
    return Flux(flux.breaks, kinks, flux.inverse_width, flux.coefficients, flux.has_high_powers)
