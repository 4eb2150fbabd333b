"""From a source and a detector to the arrays of the rate kernel.

Both are compiled once and cached: flux moments and detector functions as piecewise polynomials, and the panels and
nodes of the recoil integral, split wherever an integrand is not smooth and refined until a requested accuracy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cevns_fast import piecewise
from cevns_fast._kernels.rates import NODES, T_POWERS, Flux, Plan, Table
from cevns_fast._kernels import rates as kernel
from cevns_fast._validate import Floats
from cevns_fast.detectors import LARGEST_RECOIL, Detector
from cevns_fast.nuclei import Nuclide
from cevns_fast.sources import Source

Lane = tuple[bool, int]  # odd under ν ↔ ν̄, power of E

# What refinement is judged by: every power of E that is even, and the odd ones of the interferences.
_PROBE_LANES: tuple[Lane, ...] = tuple((False, k) for k in range(-2, 3)) + tuple((True, k) for k in range(-2, 1))


@dataclass(frozen=True)
class IntegrationTarget:
    """A nuclide and a product of form factors: "both" if protons and neutrons share one."""

    index: int
    nuclide: Nuclide
    form_factors: str  # "both", "pp", "pn", "nn"


@dataclass(frozen=True, eq=False)
class Quadrature:
    """A plan for the kernel, what its targets are, and whether it reaches down to T = 0."""

    plan: Plan
    targets: tuple[IntegrationTarget, ...]
    reaches_zero: bool


@lru_cache(maxsize=128)
def flux(source: Source, lanes: tuple[Lane, ...]) -> Flux:
    """Moments of all flux components together, one lane for each parity and power of E."""
    components = source.components
    kinks = sorted({x for c in components for x in (*c.breakpoints, *(line[0] for line in c.lines))})
    signs = [[-1.0 if odd and c.antineutrino else 1.0 for odd, _ in lanes] for c in components]
    powers = np.array([k for _, k in lanes], dtype=np.float64)

    def density(E: Floats) -> Floats:
        total = np.zeros((len(lanes), E.size))
        for component, sign in zip(components, signs, strict=True):
            if component.spectrum is None:
                continue
            inside = (E > component.breakpoints[0]) & (E < component.breakpoints[-1])
            values = np.where(inside, component.spectrum(E), 0.0)
            total += np.outer(sign, values) * E ** powers[:, None]
        return total

    ends = kinks if len(kinks) > 1 else [0.5 * kinks[0], kinks[0]]
    fitted = piecewise.fit(density, ends, name="spectrum")
    lines = []
    for component, sign in zip(components, signs, strict=True):
        for energy, intensity in component.lines:
            lines.append((energy, intensity * np.array(sign) * energy**powers))
    moments = piecewise.moments(fitted, lines)
    highest_first = np.ascontiguousarray(np.swapaxes(moments.coefficients[:, ::-1], 1, 2))
    return Flux(moments.breaks, 1 / np.diff(moments.breaks), moments.value, highest_first, np.array(kinks))


def moments_at(moments: Flux, E: Floats) -> Floats:
    """Flux moments above energies E, float64[lanes, len(E)]; 0 beyond the end point."""
    x = np.clip(E, moments.breaks[0], moments.breaks[-1])
    piece = np.clip(np.searchsorted(moments.breaks, x, side="left") - 1, 0, len(moments.breaks) - 2)
    right = moments.breaks[piece + 1]
    t = (right - x) / (right - moments.breaks[piece])
    p = moments.coefficients[piece, :, 0]
    for d in range(1, moments.coefficients.shape[2]):
        p = p * (2 * t - 1)[:, None] + moments.coefficients[piece, :, d]
    return np.asarray(np.where(E > moments.breaks[-1], 0.0, (moments.value[piece] + t[:, None] * p).T))


def endpoint(source: Source) -> float:
    """Highest neutrino energy, MeV."""
    return max(x for c in source.components for x in (*c.breakpoints, *(line[0] for line in c.lines)))


@lru_cache(maxsize=64)
def quadrature(source: Source, detector: Detector, rtol: float) -> Quadrature:
    """The coarsest plan that agrees with its own refinement to `rtol` for probe masses and propagators."""
    moments = flux(source, _PROBE_LANES)
    coarse = _build(source, detector, 1)
    sums = _probe(source, moments, coarse)
    for refinement in (2, 4, 8, 16):
        fine = _build(source, detector, refinement)
        finer_sums = _probe(source, moments, fine)
        if _difference(sums, finer_sums) <= rtol:
            return coarse
        coarse, sums = fine, finer_sums
    return coarse


def _probe(source: Source, moments: Flux, candidate: Quadrature) -> Floats:
    """All slots for a few masses, without a propagator and with a massless mediator's."""
    plan = candidate.plan
    limit = endpoint(source) * (1 - endpoint(source) / (2 * plan.mass.min()))
    smallest = 1e-3 if candidate.reaches_zero else 0.0  # the massless integrals of 1/T do not exist there
    masses = np.array([smallest, 0.1, 0.4, 0.7, 0.9, 0.99])
    masses[1:] *= limit
    n_targets, n_lanes = len(plan.mass), len(_PROBE_LANES)
    slots = T_POWERS * n_lanes
    results = []
    for power in (0, 2):
        every = Table(
            final_mass=masses,
            mediator_mass=np.zeros_like(masses),
            propagator_power=power,
            slot_power=np.repeat(np.arange(T_POWERS), n_lanes),
            slot_lane=np.tile(np.arange(n_lanes), T_POWERS),
            term_channel=np.arange(slots),
            term_slot=np.arange(slots),
            coefficient=np.ones((n_targets, 1, slots)),
            part_row=np.arange(n_targets * slots),
            part_target=np.repeat(np.arange(n_targets), slots),
            part_channel=np.tile(np.arange(slots), n_targets),
            weight=np.ones((1, n_targets * slots)),
        )
        out = np.zeros((len(masses), n_targets * slots, plan_bins(plan)))
        kernel.templates(moments, plan, every, 0, len(masses), out)
        results.append(out)
    return np.concatenate(results).reshape(2 * len(masses), n_targets, T_POWERS, n_lanes, -1)


def _difference(coarse: Floats, fine: Floats) -> float:
    """Largest difference, relative to the sum without cancellation, floored at 1e-3 of the largest bin."""
    even = np.abs(fine[:, :, :, :5])
    scale = np.concatenate([even, even[:, :, :, :3]], axis=3)
    scale = np.maximum(scale, 1e-3 * scale.max(axis=-1, keepdims=True))
    return float(np.max(np.abs(coarse - fine) / np.where(scale > 0, scale, 1.0)))


def plan_bins(plan: Plan) -> int:
    """Number of bins that a plan feeds."""
    return int((plan.first_bin + plan.bin_count).max())


def _targets(detector: Detector) -> tuple[IntegrationTarget, ...]:
    """Every nuclide, three times where neutrons have a radius of their own."""
    found = []
    probe = np.linspace(1e-3, 0.1, 5)
    for i, nuclide in enumerate(detector.target.nuclides):
        same = np.array_equal(
            detector.form_factor.proton(nuclide, probe), detector.form_factor.neutron(nuclide, probe)
        )
        found += [IntegrationTarget(i, nuclide, kind) for kind in (("both",) if same else ("pp", "pn", "nn"))]
    return tuple(found)


def _form_factors(detector: Detector, target: IntegrationTarget, T: Floats) -> Floats:
    """The target's product of form factors."""
    proton = detector.form_factor.proton(target.nuclide, T)
    if target.form_factors in ("both", "pp"):
        return proton * proton
    neutron = detector.form_factor.neutron(target.nuclide, T)
    return neutron * (proton if target.form_factors == "pn" else neutron)


def _cuts(detector: Detector, highest: float) -> list[float]:
    """Recoil energies between which every response is smooth, from the lowest to the highest that matter."""
    response = detector.response
    if response.smearing is None:
        first = detector.recoil_at(detector.bins[0], LARGEST_RECOIL)
        last = detector.recoil_at(detector.bins[-1], LARGEST_RECOIL)
    else:
        grid = np.geomspace(1e-9, highest, 2000)
        seen = detector.bin_response(grid).max(axis=0)
        if not seen.any():
            return []
        first, last = float(grid[np.argmax(seen > 1e-30 * seen.max())]), highest
        first = 0.0 if first == grid[0] else first
    first, last = max(first, response.recoil_threshold), min(last, highest)
    if first >= last:
        return []
    return [first, *(T for T in detector.response_breakpoints if first < T < last), last]


@lru_cache(maxsize=256)
def _build(source: Source, detector: Detector, refinement: int) -> Quadrature:
    """A plan whose panels span at most a factor 2^(1/refinement) in T."""
    targets = _targets(detector)
    end = endpoint(source)
    # T_max of a massless final state bounds all others, BRX Eq. (10); the lightest nucleus recoils furthest.
    highest = max(2 * end * end / (t.nuclide.mass + 2 * end) for t in targets)
    cuts = _cuts(detector, highest)
    if not cuts:  # no recoil reaches the bins: one panel that never gets weight
        cuts = [highest, 2 * highest]
    edges = _panel_edges(cuts, 2.0 ** (1 / refinement), refinement)
    tau_cuts = np.sqrt(cuts)
    sharp = detector.response.smearing is None

    def response(tau: Floats) -> Floats:
        T = tau * tau
        return detector.response.accept(detector.response.mean(T)) if sharp else detector.bin_response(T)

    fitted_response = piecewise.fit(response, tau_cuts.tolist(), floor=1e-14, name="detector response")
    fitted_form = piecewise.fit(
        lambda tau: np.array([_form_factors(detector, t, tau * tau) for t in targets]),
        [float(tau_cuts[0]), float(tau_cuts[-1])],
        floor=1e-15,
        name="form factor",
    )
    middles = np.sqrt(0.5 * (edges[:-1] + edges[1:]))
    if sharp:
        observable = detector.response.mean(middles**2)
        bins = np.searchsorted(detector.bins, observable, side="right") - 1
        bins = np.clip(bins, 0, detector.n_bins - 1)
        counts, outputs = np.ones_like(bins), np.zeros_like(bins)
    else:
        bins, counts = np.zeros(middles.size, dtype=np.int64), np.full(middles.size, detector.n_bins)
        outputs = bins
    n_panels, n_targets = middles.size, len(targets)
    x, w = np.polynomial.legendre.leggauss(NODES)
    left, right = np.sqrt(edges[:-1, None]), np.sqrt(edges[1:, None])
    tau = 0.5 * (left + right) + 0.5 * (right - left) * x  # [panels, NODES], the same for every target
    T, dT = tau**2, (right - left) * w * tau
    masses = np.array([t.nuclide.mass for t in targets])[:, None, None]
    shape = (n_targets, n_panels, NODES)
    form = fitted_form(tau.ravel()).reshape(shape)
    values = fitted_response(tau.ravel()).reshape(-1, n_panels, NODES)
    cells = [values[outputs[p] : outputs[p] + counts[p], p] for p in range(n_panels)] * n_targets
    cell_counts = np.tile(counts, n_targets)
    plan = Plan(
        mass=masses.ravel().copy(),
        first_panel=np.arange(n_targets + 1) * n_panels,
        low=np.tile(edges[:-1], n_targets),
        high=np.tile(edges[1:], n_targets),
        first_bin=np.tile(bins, n_targets),
        bin_count=cell_counts,
        first_cell=np.cumsum(cell_counts) - cell_counts,
        first_output=np.tile(outputs, n_targets),
        recoil=np.broadcast_to(T, shape).reshape(-1, NODES).copy(),
        massless_energy=((np.sqrt(T * (T + 2 * masses)) + T) / 2).reshape(-1, NODES),
        mass_factor=(1 / (2 * masses * T)).reshape(-1, NODES),
        weight=np.ascontiguousarray((dT * form).reshape(-1, NODES)),
        cell_response=np.ascontiguousarray(np.concatenate(cells)),
        form_breaks=fitted_form.breaks,
        form_coefficients=fitted_form.coefficients,
        response_breaks=fitted_response.breaks,
        response_coefficients=fitted_response.coefficients,
    )
    return Quadrature(plan, targets, bool(cuts[0] == 0.0))


def _panel_edges(cuts: Sequence[float], ratio: float, refinement: int) -> Floats:
    """Panels between cuts, none wider than `ratio`, the first from zero if the cuts begin there."""
    edges: list[float] = [cuts[0]]
    for low, high in zip(cuts[:-1], cuts[1:], strict=True):
        if low > 0:
            n = max(1, int(np.ceil(np.log(high / low) / np.log(ratio) - 1e-9)))
            edges += np.geomspace(low, high, n + 1)[1:-1].tolist()
        else:
            n = 2 * refinement  # analytic in √T down to zero: equal steps there
            edges += (high * (np.arange(1, n) / n) ** 2).tolist()
        edges.append(high)
    return np.array(edges)


__all__ = ["IntegrationTarget", "Lane", "Quadrature", "endpoint", "flux", "quadrature"]
