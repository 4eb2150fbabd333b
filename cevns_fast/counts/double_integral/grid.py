"""Nodes of both integrals, for the masses of what leaves and of what is exchanged."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cevns_fast._kernels import rates
from cevns_fast._kernels.double_integral import EnergyNodes, Particles, RecoilNodes
from cevns_fast._kernels.rates import Flux
from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.counts.double_integral.beam import KernelBeam, energies
from cevns_fast.counts.panels import Plan
from cevns_fast.nuclear.form_factors import FormFactor
from cevns_fast.nuclear.nuclei import Nuclide

Integers = NDArray[np.int64]

# Nodes that are computed together.
_BLOCK = 32


class Grid(NamedTuple):
    """Nodes of both integrals for some final masses."""

    nodes: RecoilNodes
    rows: EnergyNodes
    particles: Particles
    first_node: Integers  # [masses + 1]
    first: Integers  # [blocks]
    last: Integers  # [blocks]
    first_block: Integers  # [masses + 1]


def _grid(
    plan: Plan,
    walk: Flux,
    beam: KernelBeam,
    nuclei: tuple[float, ...],
    form_factor: FormFactor | None,
    masses: tuple[tuple[float, float], ...],
    order: tuple[int, int],
) -> Grid:
    """Nodes for pairs of a final and a mediator mass."""
    each = [rates.nodes(walk, plan.panels, *pair) for pair in masses]
    recoil = np.concatenate([n.recoil for n in each])
    energy = np.concatenate([n.energy for n in each])
    counts = np.array([np.diff(n.first_node) for n in each])  # [masses, targets]
    target = np.repeat(np.tile(np.arange(counts.shape[1]), len(each)), counts.ravel())
    weight = np.concatenate([n.weight for n in each]) * np.array(nuclei)[target, None]
    nuclides = [t.nuclide for t in plan.targets]
    F_p, F_n = form_factors(form_factor, nuclides, target, recoil)
    nodes = RecoilNodes(recoil, target, F_p, F_n, np.concatenate([n.first_bin for n in each]), weight)
    first_of = np.concatenate([[0], np.cumsum(counts.ravel())])  # of each mass and target
    per = -(-counts.ravel() // _BLOCK)
    within = np.arange(per.sum()) - np.repeat(np.cumsum(per) - per, per)
    first = np.repeat(first_of[:-1], per) + _BLOCK * within
    last = np.minimum(first + _BLOCK, np.repeat(first_of[1:], per))
    return Grid(
        nodes,
        energies(beam.components, energy, order),
        particles(nuclides, beam),
        first_of[:: counts.shape[1]],
        first,
        last,
        np.concatenate([[0], np.cumsum(per.reshape(counts.shape).sum(axis=1))]),
    )


grid_of = remember(maxsize=32)(_grid)
#: The same for grids of 100 MB: a flux from a table has many intervals, and cuts panels at each.
large_grid_of = remember(maxsize=4)(_grid)


def form_factors(
    factor: FormFactor | None, nuclides: Sequence[Nuclide], target: Integers, T: Floats
) -> tuple[Floats, Floats]:
    """Those of protons and of neutrons at each node; 1 if they are in the weights."""
    F_p, F_n = np.ones_like(T), np.ones_like(T)
    if factor is not None:
        for i, nuclide in enumerate(nuclides):
            here = target == i
            F_p[here], F_n[here] = factor.proton(nuclide, T[here]), factor.neutron(nuclide, T[here])
    return F_p, F_n


def particles(nuclides: Sequence[Nuclide], beam: KernelBeam) -> Particles:
    """Targets and beam for the kernel."""
    return Particles(
        np.array([n.mass for n in nuclides]),
        np.array([float(n.Z) for n in nuclides]),
        np.array([float(n.N) for n in nuclides]),
        beam.flavour,
        beam.sign,
    )
