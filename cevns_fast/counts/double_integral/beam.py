"""The flux integral: a source as the kernel sees it, and its nodes above E_min(T)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cevns_fast._kernels import double_integral as kernel
from cevns_fast._kernels.double_integral import Components, EnergyNodes
from cevns_fast._support.quadrature import gauss_legendre
from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.counts import piecewise
from cevns_fast.experiments.sources import FluxComponent, Source

Integers = NDArray[np.int64]

# Nodes on a part of a piece of the flux, and by how much parts are split; how much a part may span in energy.
ORDERS = ((4, 1), (6, 1), (8, 1), (11, 1), (16, 1), (22, 1), (22, 2), (22, 4), (22, 8), (22, 16), (22, 32), (22, 64))
_RATIO = 4.0
# To what those that are tried first integrate the flux.
_START = 1e-12


@dataclass(frozen=True, eq=False)
class KernelBeam:
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
def beam_of(source: Source, flavours: bool = False, cuts: tuple[float, ...] = ()) -> KernelBeam:
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
    return KernelBeam(components, np.array(flavour), np.array(sign), _first_order(components))


def energies(components: Components, least: Floats, order: tuple[int, int]) -> EnergyNodes:
    """Energies above each E_min."""
    x, w = gauss_legendre(order[0])
    begin, end = kernel.ranges(components, least, order[0], _RATIO, order[1])
    if not least.size:  # no recoil is in any bin: whole intervals, which all nodes share, are filled for nobody
        return EnergyNodes(begin, end, np.empty(0), np.empty(0))
    n = int(end.max(initial=0))
    above = EnergyNodes(begin, end, np.empty(n), np.empty(n))
    kernel.fill(components, least, x, w, _RATIO, order[1], above)
    return above


def _first_order(components: Components) -> int:
    """The first of the orders at which ∫_E φ E'⁻² dE' is accurate: what cross sections begin with."""
    if not components.end.size:
        return 1
    least = components.end.max() * np.linspace(0.05, 0.95, 19)

    def moments(order: tuple[int, int]) -> Floats:
        rows = energies(components, least, order)
        values = rows.weight / rows.energy**2
        ranges = zip(rows.begin.ravel().tolist(), rows.end.ravel().tolist(), strict=True)
        return np.array([values[begin:end].sum() for begin, end in ranges])

    found = moments(ORDERS[1])
    for i in range(1, len(ORDERS) - 2):
        finer = moments(ORDERS[i + 1])
        if np.all(np.abs(found - finer) <= _START * np.abs(finer)):
            return i
        found = finer
    return len(ORDERS) - 3
