"""Counts by the literal double integral over flux × dσ/dT × acceptance, of any dσ/dT.

There are two integrands: a user's function (`NumericalInteraction`), and the generic one that evaluates the term table
of any other interaction. The recoil integral has the nodes of the rate kernel, the flux integral Gauss–Legendre nodes
from E_min(T) on. Both are refined until the counts agree with a refinement.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cevns_fast._kernels import double_integral as kernel
from cevns_fast._kernels import rates
from cevns_fast._kernels.double_integral import Components, Nodes, Particles, Rows, Tasks
from cevns_fast._kernels.rates import LOWEST_T_POWER, Flux
from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.constants import MEV2_CM2
from cevns_fast.counts import piecewise
from cevns_fast.counts.flux import FluxMoments, flux_moments, groups_of
from cevns_fast.counts.plan import BIN_FLOOR, Plan, in_parts, plan_of
from cevns_fast.counts.rows import Integrand, Setting, masses_of, sampled
from cevns_fast.experiments.detectors import Detector
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.experiments.sources import FluxComponent, Source
from cevns_fast.interactions.numerical import NumericalInteraction
from cevns_fast.interactions.process import Beam, Exponents, Process
from cevns_fast.nuclear.form_factors import FormFactor
from cevns_fast.nuclear.kinematics import minimum_neutrino_energy
from cevns_fast.nuclear.nuclei import Nuclide

Integers = NDArray[np.int64]

# Nodes on a part of a piece of the flux, and by how much parts are split; how much a part may span in energy.
_ORDERS = ((4, 1), (6, 1), (8, 1), (11, 1), (16, 1), (22, 1), (22, 2), (22, 4), (22, 8), (22, 16), (22, 32), (22, 64))
_RATIO = 4.0
# To what those that are tried first integrate the flux.
_START = 1e-12
# By how much the plan's panels are narrowed at most.
_FINEST = 8
# Nodes that are computed together, rows of the result, and cells that are in memory at once.
_BLOCK = 32
_MOST_MASSES = 64
_MOST_CELLS = 2_000_000
# What is left of a monomial by rounding, relative to all of them together; and what a check may differ by.
_NOISE = 1e-13
# Of an energy, with what an integral over little of it adds up.
_ROUNDING = 64 * float(np.finfo(np.float64).eps)
# To what a spectrum at points agrees with its refinement.
_POINT = 1e-11
_SAME = 1e-8


@dataclass(frozen=True, eq=False)
class _Beam:
    """A source as the kernel sees it."""

    components: Components
    flavour: Integers
    sign: Integers
    order: int  # the first of the orders to try


def _values(spectrum: Callable[[Floats], Floats], E: Floats) -> Floats:
    """A spectrum as a function of one output."""
    return np.atleast_2d(np.asarray(spectrum(E), dtype=np.float64))


def _shares(component: FluxComponent, flavours: bool) -> list[tuple[int, float]]:
    """How many of a component's neutrinos are of each flavour; −1 for what nobody told, or asked."""
    rho = component.density
    if not flavours or rho is None:
        return [(-1, component.neutrinos)]
    return [(i, float(share)) for i, share in enumerate(rho.diagonal().real) if share != 0]


@remember(maxsize=128)
def _beam_of(source: Source, flavours: bool = False, cuts: tuple[float, ...] = ()) -> _Beam:
    """Each component's spectrum as polynomials, cut at further energies, and its lines; those of each flavour apart.

    A function of a flavour knows no coherence of flavours: a density matrix is for it what its diagonal says.
    """
    fitted: list[piecewise.Piecewise | None] = []
    smooth: list[list[float]] = []
    lines, flavour, sign = [], [], []
    for component in source.components:
        fit, ends = None, [float(x) for x in component.breakpoints]
        if component.spectrum is not None:
            ends = sorted({*ends, *(x for x in cuts if ends[0] < x < ends[-1])})
            name = f"spectrum of {component.name}"
            fit = piecewise.fit(partial(_values, component.spectrum), ends, name=name, degree=11)
        for each, share in _shares(component, flavours):
            flavour.append(each)
            sign.append(-1 if component.antineutrino else 1)
            smooth.append(ends)
            lines.append([(energy, share * intensity) for energy, intensity in component.lines])
            fitted.append(None if fit is None else replace(fit, coefficients=share * fit.coefficients))
    begins: list[float] = []
    stops: list[float] = []
    pieces: list[int] = []
    for fit, ends in zip(fitted, smooth, strict=True):
        begins += ends[:-1]
        stops += ends[1:]
        if fit is not None:
            pieces += np.diff(np.searchsorted(fit.breaks, ends)).tolist()
    powers = max((fit.coefficients.shape[1] for fit in fitted if fit is not None), default=1)
    coefficients = np.zeros((sum(pieces), powers))
    at = 0
    for fit in fitted:
        if fit is not None:
            found = fit.coefficients[..., 0]
            coefficients[at : at + len(found), : found.shape[1]] = found
            at += len(found)
    breaks = [fit.breaks for fit in fitted if fit is not None]
    components = Components(
        np.cumsum([0, *(max(0, len(ends) - 1) for ends in smooth)]),
        np.array(begins, dtype=np.float64),
        np.array(stops, dtype=np.float64),
        np.cumsum([0, *pieces]),
        np.concatenate([np.empty(0), *(b[:-1] for b in breaks)]),
        np.concatenate([np.empty(0), *(b[1:] for b in breaks)]),
        coefficients,
        np.cumsum([0, *map(len, lines)]),
        np.array([energy for each in lines for energy, _ in each], dtype=np.float64),
        np.array([intensity for each in lines for _, intensity in each], dtype=np.float64),
    )
    return _Beam(components, np.array(flavour), np.array(sign), _first_order(components))


def _first_order(components: Components) -> int:
    """The first of the orders at which ∫_E φ E'⁻² dE' is accurate: what cross sections begin with."""
    if not components.end.size:
        return 1
    least = components.end.max() * np.linspace(0.05, 0.95, 19)

    def moments(order: tuple[int, int]) -> Floats:
        rows = _rows_of(components, least, order)
        sums = np.add.reduceat(np.append(rows.weight / rows.energy**2, 0.0), rows.first[:, :-1].ravel())
        return np.where(np.diff(rows.first).ravel() > 0, sums, 0.0)

    found = moments(_ORDERS[1])
    for i in range(1, len(_ORDERS) - 2):
        finer = moments(_ORDERS[i + 1])
        if np.all(np.abs(found - finer) <= _START * np.abs(finer)):
            return i
        found = finer
    return len(_ORDERS) - 3


class _Level(NamedTuple):
    """How fine the nodes are."""

    order: int  # an index of the orders
    factor: int  # by which panels are narrower than the plan's
    in_parts: bool = False  # whether each panel is taken in two parts


class _Problem(NamedTuple):
    """What to integrate: one row of the result for each final mass."""

    dsigma: Any
    parameters: Floats  # [sets, numbers], read-only
    set_of: Integers  # [rows, targets]
    final_mass: Floats  # [rows]
    mediator_mass: Floats  # [rows]; 0 without a propagator
    plan: Plan
    walk: Flux  # its kinks cut panels
    beam: _Beam
    nuclei: Floats  # [targets]: what multiplies each
    form_factor: FormFactor | None  # None: they are in the plan's weights

    def of(self, rows: Integers) -> "_Problem":
        """Some of the rows."""
        return self._replace(
            set_of=self.set_of[rows], final_mass=self.final_mass[rows], mediator_mass=self.mediator_mass[rows]
        )


class _Grid(NamedTuple):
    """Nodes of both integrals for some final masses."""

    nodes: Nodes
    rows: Rows
    particles: Particles
    first_node: Integers  # [masses + 1]
    first: Integers  # [blocks]
    last: Integers  # [blocks]
    first_block: Integers  # [masses + 1]


@remember(maxsize=32)
def _grid_of(
    plan: Plan,
    walk: Flux,
    beam: _Beam,
    nuclei: tuple[float, ...],
    form_factor: FormFactor | None,
    masses: tuple[tuple[float, float], ...],
    order: tuple[int, int],
) -> _Grid:
    """Nodes for pairs of a final and a mediator mass."""
    each = [rates.nodes(walk, plan.panels, *pair) for pair in masses]
    recoil = np.concatenate([n.recoil for n in each])
    energy = np.concatenate([n.energy for n in each])
    counts = np.array([np.diff(n.first_node) for n in each])  # [masses, targets]
    target = np.repeat(np.tile(np.arange(counts.shape[1]), len(each)), counts.ravel())
    weight = np.concatenate([n.weight for n in each]) * np.array(nuclei)[target, None]
    nuclides = [t.nuclide for t in plan.targets]
    F_p, F_n = _form_factors(form_factor, nuclides, target, recoil)
    nodes = Nodes(recoil, target, F_p, F_n, np.concatenate([n.first_bin for n in each]), weight)
    first_of = np.concatenate([[0], np.cumsum(counts.ravel())])  # of each mass and target
    per = -(-counts.ravel() // _BLOCK)
    within = np.arange(per.sum()) - np.repeat(np.cumsum(per) - per, per)
    first = np.repeat(first_of[:-1], per) + _BLOCK * within
    last = np.minimum(first + _BLOCK, np.repeat(first_of[1:], per))
    return _Grid(
        nodes,
        _rows_of(beam.components, energy, order),
        _particles(nuclides, beam),
        first_of[:: counts.shape[1]],
        first,
        last,
        np.concatenate([[0], np.cumsum(per.reshape(counts.shape).sum(axis=1))]),
    )


def _form_factors(
    factor: FormFactor | None, nuclides: Sequence[Nuclide], target: Integers, T: Floats
) -> tuple[Floats, Floats]:
    """Those of protons and of neutrons at each node; 1 if they are in the weights."""
    F_p, F_n = np.ones_like(T), np.ones_like(T)
    if factor is not None:
        for i, nuclide in enumerate(nuclides):
            here = target == i
            F_p[here], F_n[here] = factor.proton(nuclide, T[here]), factor.neutron(nuclide, T[here])
    return F_p, F_n


def _particles(nuclides: Sequence[Nuclide], beam: _Beam) -> Particles:
    """Targets and beam for the kernel."""
    return Particles(
        np.array([n.mass for n in nuclides]),
        np.array([float(n.Z) for n in nuclides]),
        np.array([float(n.N) for n in nuclides]),
        beam.flavour,
        beam.sign,
    )


def _rows_of(components: Components, least: Floats, order: tuple[int, int]) -> Rows:
    """Energies above each E_min."""
    x, w = np.polynomial.legendre.leggauss(order[0])
    first = kernel.first_energies(components, least, order[0], _RATIO, order[1])
    n = int(first[-1, -1])
    rows = Rows(first, np.empty(n), np.empty(n))
    kernel.fill(components, least, x, w, _RATIO, order[1], rows)
    return rows


def _plan_at(problem: _Problem, level: _Level) -> Plan:
    """The panels of a level."""
    plan = problem.plan.finer(level.factor)
    return in_parts(plan) if level.in_parts else plan


def _evaluate(problem: _Problem, level: _Level, threads: int) -> Floats:
    """Counts, float64[rows, bins]."""
    plan = _plan_at(problem, level)
    bins = plan.panels.bins
    out = np.zeros((len(problem.final_mass), bins))
    pairs = list(zip(problem.final_mass.tolist(), problem.mediator_mass.tolist(), strict=True))
    at = 0
    while at < len(pairs):
        masses = tuple(dict.fromkeys(pairs[at : at + _MOST_MASSES]))
        if len(masses) == 1:  # as many rows as share it
            end = next((i for i in range(at, len(pairs)) if pairs[i] != masses[0]), len(pairs))
        else:
            end = min(at + _MOST_MASSES, len(pairs))
        nuclei = tuple(problem.nuclei.tolist())
        order = _ORDERS[level.order]
        grid = _grid_of(plan, problem.walk, problem.beam, nuclei, problem.form_factor, masses, order)
        place = {pair: i for i, pair in enumerate(masses)}
        of_mass = np.array([place[pair] for pair in pairs[at:end]])
        sizes = np.diff(grid.first_node)
        step = max(1, _MOST_CELLS // max(1, int(sizes.max())))
        for start in range(at, end, step):
            part = slice(start, min(start + step, end))
            _add(problem, grid, of_mass[start - at : part.stop - at], part, threads, out[part])
        at = end
    return out


def _add(problem: _Problem, grid: _Grid, of_mass: Integers, part: slice, threads: int, out: Floats) -> None:
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


def _differences(coarse: Floats, fine: Floats) -> Floats:
    """By how much each bin differs, relative to itself, floored at a fraction of the row's largest."""
    size = np.abs(fine)
    scale = np.maximum(size, BIN_FLOOR * size.max(axis=-1, keepdims=True))
    return np.asarray(np.abs(coarse - fine) / np.where(scale > 0, scale, 1.0))


def _rounding(problem: _Problem) -> Floats:
    """How well the counts of each row are known: near its threshold, little is left of the difference of energies."""
    end, m = float(problem.walk.breaks[-1]), problem.final_mass[:, None]
    room = 1 - (m + m * m / (2 * problem.plan.panels.mass)) / end
    return np.asarray(_ROUNDING / np.where(room > 0, room, np.inf).min(axis=1))


def _accurate(problem: _Problem, rtol: float, threads: int, name: str, refuse: Callable[[int, _Level], None]) -> Floats:
    """Counts of each row at the coarsest nodes that agree, to `rtol`, with a refinement.

    What is asked of one row does not depend on the others, nor on what was computed before, so that the same bits come
    from any way of sharing the work. `refuse` is told of a row that is not finite.
    """
    found = np.zeros((len(problem.final_mass), problem.plan.panels.bins))
    allowed = np.maximum(rtol, _rounding(problem))
    waiting = [(_Level(problem.beam.order, 1), np.arange(len(found)))]
    while waiting:
        level, rows = waiting.pop()
        part = problem.of(rows)
        values = _evaluate(part, level, threads)
        if not np.isfinite(values).all():
            refuse(int(rows[~np.isfinite(values).all(axis=1)][0]), level)
        found[rows] = values
        finer = _evaluate(part, _Level(level.order + 1, level.factor, in_parts=True), threads)
        failed = _differences(values, finer).max(axis=1, initial=0.0) > allowed[rows]
        if not failed.any():
            continue
        rows, values, part = rows[failed], values[failed], problem.of(rows[failed])
        in_energy, in_recoil = (
            _differences(values, _evaluate(part, one, threads)).max(axis=1) > allowed[rows]
            for one in (level._replace(order=level.order + 1), level._replace(in_parts=True))
        )
        neither = ~in_energy & ~in_recoil
        for by_order, by_factor in ((0, 1), (1, 0), (1, 1)):
            here = ((in_energy | neither) == bool(by_order)) & ((in_recoil | neither) == bool(by_factor))
            following = _Level(level.order + by_order, level.factor * (1 + by_factor))
            if not here.any():
                continue
            if following.order < len(_ORDERS) - 1 and following.factor < _FINEST:
                waiting.append((following, rows[here]))
                continue
            found[rows[here]] = finer[failed][here]  # nothing is left to compare them with
            difference = _differences(values, finer[failed])[here]
            row, b = np.unravel_index(int(np.argmax(difference)), difference.shape)
            warnings.warn(
                f"rtol = {rtol:g}: bin {b} of {name} agrees with its last refinement to {difference[row, b]:.1g} only; "
                "state breakpoints or ask for less",
                piecewise.AccuracyWarning,
                stacklevel=2,
            )
    return found


def integrate(setting: Setting, integrand: Integrand, process: Process, out: Floats, rtol: float, threads: int) -> None:
    """Add one process to out[n, rows, n_bins]: what `rows.integrate` does, as a double integral of the term table."""
    n, rows, bins = out.shape
    targets = len(setting.plan.targets)
    final_mass, mediator_mass = masses_of(setting.plan, integrand, process, n)
    terms, moments = integrand.terms, integrand.moments
    if terms.propagator_power == 0:
        mediator_mass[:] = 0.0
    parameters, filled = _term_parameters(integrand, final_mass, mediator_mass, rows, targets)
    problem = _Problem(
        kernel.term_table(),
        parameters,
        np.arange(n * rows * targets).reshape(n * rows, targets),
        np.repeat(final_mass, rows),
        np.repeat(mediator_mass, rows),
        setting.plan,
        moments.flux,
        _beam_of(moments.source),
        np.ones(targets),
        None,
    ).of(filled)
    found = _accurate(problem, rtol, threads, "the counts", lambda row, level: None)
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
    problem = _Problem(
        kind.compiled,
        parameters,
        np.repeat(np.arange(len(vectors))[:, None], len(plan.targets), axis=1),
        masses[owner],
        np.zeros(len(owner)),
        plan,
        walk,
        _beam_of(source, True, definition.E_breakpoints),
        nuclei,
        detector.form_factor,
    )

    def refuse(row: int, level: _Level) -> None:
        _refuse_point(problem, row, level, definition.parameters, vectors[row])

    found = _accurate(problem, rtol, threads, f"the counts of {experiment.name or 'the experiment'}", refuse)
    wide = np.zeros((len(vectors), detector.n_bins))  # bins that no recoil reaches are none of the plan's
    wide[:, : found.shape[1]] = found
    return wide


@remember(maxsize=64)
def _walk_of(moments: FluxMoments, cuts: tuple[float, ...]) -> Flux:
    """What tells the rate kernel where to cut panels: kinks of the flux, and energies of the user's."""
    flux = moments.flux
    kinks = np.unique(np.concatenate([flux.kinks, [x for x in cuts if x < flux.kinks[-1]]]))
    return Flux(flux.breaks, kinks, flux.inverse_width, flux.coefficients, flux.has_high_powers)


def _refuse_point(problem: _Problem, row: int, level: _Level, names: Sequence[str], values: Floats) -> None:
    """`ValueError` with the first point at which dσ/dT is not finite."""
    plan = _plan_at(problem, level)
    masses = ((float(problem.final_mass[row]), 0.0),)
    grid = _grid_of(
        plan,
        problem.walk,
        problem.beam,
        tuple(problem.nuclei.tolist()),
        problem.form_factor,
        masses,
        _ORDERS[level.order],
    )
    given = (
        ", ".join(f"{name} = {value:g}" for name, value in zip(names, values.tolist(), strict=True)) or "no parameter"
    )
    first = grid.rows.first
    for c in range(len(first)):
        for node in range(len(grid.nodes.recoil)):
            E = grid.rows.energy[first[c, node] : first[c, node + 1]]
            T = np.full(E.size, grid.nodes.recoil[node])
            nuclide = plan.targets[grid.nodes.target[node]].nuclide
            found = _points(
                problem.dsigma, nuclide, E, T, problem.form_factor, int(problem.beam.flavour[c]),
                int(problem.beam.sign[c]), problem.parameters[problem.set_of[row, 0]],
            )  # fmt: skip
            if not np.isfinite(found).all():
                k = int(np.flatnonzero(~np.isfinite(found))[0])
                raise ValueError(
                    f"dsigma: is {found[k]} or raises at E = {float(E[k])!r}, T = {float(T[k])!r} on {nuclide.name} "
                    f"with {given}: must be finite"
                )
    raise ValueError(f"dsigma: its integral is not finite with {given}")


def _points(
    dsigma: Any, nuclide: Nuclide, E: Floats, T: Floats, factor: FormFactor | None, flavour: int, sign: int, p: Floats
) -> Floats:
    """dσ/dT at pairs of E and T, MeV⁻³."""
    nodes = np.zeros(E.size, dtype=np.int64)
    F_p, F_n = _form_factors(factor, [nuclide], nodes, T)
    out = np.zeros(E.size)
    nucleus = kernel.Nucleus(nuclide.mass, float(nuclide.Z), float(nuclide.N), 1.0, 1.0)
    kernel.at_points(
        dsigma, np.arange(E.size + 1), np.ascontiguousarray(E), np.ones(E.size), np.ascontiguousarray(T), F_p, F_n,
        nucleus, kernel.Beam(flavour, sign), p, out,
    )  # fmt: skip
    return out


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
    axes = [_points_of_degree(d) for d in degrees]
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
    _check_polynomial(kind, couplings, scale, exponents, found, points[-1], values[:, -1])
    found /= np.array([math.prod(s**e for s, e in zip(scale, each, strict=True)) for each in exponents])[:, None]
    order = sorted(range(len(exponents)), key=lambda i: (sum(exponents[i]), tuple(-e for e in exponents[i])))
    return tuple(exponents[i] for i in order), found[:, order]


def _points_of_degree(degree: int) -> Floats:
    """Values of a coupling, in units of its scale, that determine a polynomial; 0 is among them."""
    return np.arange(degree + 1.0) - degree // 2 if degree < 3 else _chebyshev(degree)


def _chebyshev(degree: int) -> Floats:
    """Between −1 and 1."""
    points = -np.cos(np.pi * np.arange(degree + 1) / degree)
    return np.where(np.abs(points) < 1e-12, 0.0, points) if degree % 2 == 0 else points - points[degree // 2]


def _check_polynomial(
    kind: type[NumericalInteraction],
    couplings: Sequence[str],
    scale: Floats,
    exponents: Sequence[Exponents],
    coefficients: Floats,
    point: Sequence[float],
    values: Floats,
) -> None:
    """`ValueError` unless the polynomials have these values at one more point."""
    monomials = np.array([math.prod(x**e for x, e in zip(point, each, strict=True)) for each in exponents])
    expected = np.tensordot(monomials, coefficients, axes=(0, 1))
    size = np.abs(coefficients).sum(axis=1)
    size = np.maximum(size, BIN_FLOOR * size.max(axis=-1, keepdims=True))
    wrong = np.abs(values - expected) > _SAME * size
    if wrong.any():
        row, b = (int(i) for i in np.argwhere(wrong)[0])
        at = ", ".join(f"{n} = {x * s:g}" for n, x, s in zip(couplings, point, scale, strict=True))
        degrees = {name: kind.degrees[name] for name in couplings}
        raise ValueError(
            f"couplings = {degrees}: counts are no polynomial of these degrees: at {at} bin {b} has "
            f"{values[row, b]:.6g}, not {expected[row, b]:.6g}"
        )


def cross_section(
    interaction: NumericalInteraction, nuclide: Nuclide, E: Floats, T: Floats, beam: Beam, factor: FormFactor
) -> Floats:
    """dσ/dT at pairs of E and T between the two-body limits, MeV⁻³; of a state, the mean over its flavours."""
    p = interaction.vector
    p.setflags(write=False)
    values, sign = np.zeros(E.size), -1 if beam.antineutrino else 1
    for flavour, amplitude in enumerate(beam.state):
        if amplitude != 0:
            share = abs(amplitude) ** 2
            values += share * _points(interaction.compiled, nuclide, E, T, factor, flavour, sign, p)
    return _finite(interaction, nuclide, E, T, values)


def _finite(interaction: NumericalInteraction, nuclide: Nuclide, E: Floats, T: Floats, values: Floats) -> Floats:
    """Values, refused if one is not finite."""
    if not np.isfinite(values).all():
        k = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ValueError(
            f"dsigma: is {values[k]} or raises at E = {float(E[k])!r}, T = {float(T[k])!r} on {nuclide.name} "
            f"with {interaction!r}: must be finite"
        )
    return values


def spectrum(
    source: Source, factor: FormFactor, interaction: NumericalInteraction, nuclide: Nuclide, T: Floats
) -> Floats:
    """Σ_components ∫dE φ(E) dσ/dT for one nucleus and unit fluence, MeV⁻³."""
    definition = interaction.definition
    beam = _beam_of(source, True, definition.E_breakpoints)
    least = np.asarray(minimum_neutrino_energy(T, interaction.mass_of_final_state, nuclide.mass))
    target = np.zeros(T.size, dtype=np.int64)
    F_p, F_n = _form_factors(factor, [nuclide], target, T)
    nodes = Nodes(T, target, F_p, F_n, target, np.ones((T.size, 1)))
    tasks = Tasks(*(np.array(x) for x in ([0], [0], [T.size], [0], [0, T.size], [0])))
    parameters = interaction.vector[None]
    parameters.setflags(write=False)
    found, previous = np.empty(T.size), np.full(T.size, np.nan)
    for order in _ORDERS:
        rows = _rows_of(beam.components, least, order)
        kernel.spectra(
            interaction.compiled, parameters, np.zeros((1, 1), dtype=np.int64), nodes, rows,
            _particles([nuclide], beam), tasks, found,
        )  # fmt: skip
        difference = np.abs(found - previous)
        if np.all(difference <= _POINT * np.maximum(np.abs(found), BIN_FLOOR * np.abs(found).max(initial=0.0))):
            break
        previous = found.copy()
    else:
        _finite(interaction, nuclide, least, T, found)
        worst = int(np.argmax(difference))
        warnings.warn(
            f"dN/dT at T = {T[worst]:g} agrees with its last refinement to "
            f"{difference[worst] / abs(found[worst]):.1g} only; state breakpoints",
            piecewise.AccuracyWarning,
            stacklevel=2,
        )
    return _finite(interaction, nuclide, least, T, found)
