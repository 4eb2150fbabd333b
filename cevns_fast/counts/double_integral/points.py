"""A user's dσ/dT at points: by itself, integrated over the flux, and where it is not finite."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from cevns_fast._kernels import double_integral as kernel
from cevns_fast._kernels.double_integral import RecoilNodes, Tasks
from cevns_fast._validate import Floats
from cevns_fast.counts import piecewise
from cevns_fast.counts.double_integral.accuracy import ROUNDING
from cevns_fast.counts.double_integral.beam import ORDERS, KernelBeam, beam_of, energies
from cevns_fast.counts.double_integral.grid import form_factors, grid_of, particles
from cevns_fast.counts.double_integral.problem import Level, Problem, plan_at
from cevns_fast.counts.plan import BIN_FLOOR
from cevns_fast.experiments.sources import Source
from cevns_fast.interactions.numerical import NumericalInteraction
from cevns_fast.interactions.process import Beam
from cevns_fast.nuclear.form_factors import FormFactor
from cevns_fast.nuclear.kinematics import minimum_neutrino_energy
from cevns_fast.nuclear.nuclei import Nuclide

# To what a spectrum at points agrees with its refinement.
_POINT = 1e-11


def at_points(
    dsigma: Any, nuclide: Nuclide, E: Floats, T: Floats, factor: FormFactor | None, flavour: int, sign: int, p: Floats
) -> Floats:
    """dσ/dT at pairs of E and T, MeV⁻³."""
    F_p, F_n = form_factors(factor, [nuclide], np.zeros(E.size, dtype=np.int64), T)
    out = np.zeros(E.size)
    nucleus = kernel.Nucleus(nuclide.mass, float(nuclide.Z), float(nuclide.N), 1.0, 1.0)
    each = np.arange(E.size)
    kernel.at_points(
        dsigma, each, each + 1, np.ascontiguousarray(E), np.ones(E.size), np.ascontiguousarray(T), F_p, F_n, nucleus,
        kernel.Projectile(flavour, sign), p, out,
    )  # fmt: skip
    return out


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
            values += share * at_points(interaction.compiled, nuclide, E, T, factor, flavour, sign, p)
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
    """Σ_components ∫dE φ(E) dσ/dT for one nucleus and unit fluence, MeV⁻³.

    Each recoil has the first of the orders that agree, whatever other recoils are asked for.
    """
    beam = beam_of(source, True, interaction.definition.E_breakpoints)
    least = np.asarray(minimum_neutrino_energy(T, interaction.mass_of_final_state, nuclide.mass))
    left = 1 - least / max(beam.components.end.max(initial=0.0), np.finfo(np.float64).tiny)
    allowed = np.maximum(_POINT, np.divide(ROUNDING, left, out=np.zeros(T.size), where=left > 0))
    found, difference, waiting = np.empty(T.size), np.full(T.size, np.inf), np.arange(T.size)
    for i, order in enumerate(ORDERS):
        values = _integrals(beam, factor, interaction, nuclide, T[waiting], least[waiting], order)
        if i > 0:
            difference[waiting] = np.abs(values - found[waiting])
        found[waiting] = values
        waiting = waiting[~(difference[waiting] <= allowed[waiting] * np.abs(values))]
        if not waiting.size:
            break
    _finite(interaction, nuclide, least, T, found)
    small = BIN_FLOOR * np.abs(found).max(initial=0.0)  # where it changes its sign
    rough = waiting[difference[waiting] > allowed[waiting] * np.maximum(np.abs(found[waiting]), small)]
    if rough.size:
        worst = rough[int(np.argmax(difference[rough]))]
        warnings.warn(
            f"dN/dT at T = {T[worst]:g} agrees with its last refinement to "
            f"{difference[worst] / abs(found[worst]):.1g} only; state breakpoints",
            piecewise.AccuracyWarning,
            stacklevel=2,
        )
    return found


def _integrals(
    beam: KernelBeam,
    factor: FormFactor,
    interaction: NumericalInteraction,
    nuclide: Nuclide,
    T: Floats,
    least: Floats,
    order: tuple[int, int],
) -> Floats:
    """∫dE φ(E) dσ/dT at each recoil, with nodes of one order."""
    target, out = np.zeros(T.size, dtype=np.int64), np.empty(T.size)
    nodes = RecoilNodes(T, target, *form_factors(factor, [nuclide], target, T), target, np.ones((T.size, 1)))
    tasks = Tasks(*(np.array(x) for x in ([0], [0], [T.size], [0], [0, T.size], [0])))
    parameters = interaction.vector[None]
    parameters.setflags(write=False)
    kernel.spectra(
        interaction.compiled, parameters, np.zeros((1, 1), dtype=np.int64), nodes,
        energies(beam.components, least, order), particles([nuclide], beam), tasks, out,
    )  # fmt: skip
    return out


def refuse_point(problem: Problem, row: int, level: Level, names: Sequence[str], values: Floats) -> None:
    """`ValueError` with the first point at which dσ/dT is not finite."""
    plan = plan_at(problem, level)
    masses = ((float(problem.final_mass[row]), 0.0),)
    grid = grid_of(
        plan,
        problem.walk,
        problem.beam,
        tuple(problem.nuclei.tolist()),
        problem.form_factor,
        masses,
        ORDERS[level.order],
    )
    given = (
        ", ".join(f"{name} = {value:g}" for name, value in zip(names, values.tolist(), strict=True)) or "no parameter"
    )
    begin, end = grid.rows.begin, grid.rows.end
    for c in range(len(begin)):
        for node in range(len(grid.nodes.recoil)):
            E = np.concatenate([grid.rows.energy[begin[c, i, node] : end[c, i, node]] for i in range(2)])
            T = np.full(E.size, grid.nodes.recoil[node])
            nuclide = plan.targets[grid.nodes.target[node]].nuclide
            found = at_points(
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
