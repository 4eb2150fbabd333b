"""From a source and a detector to the arrays of the rate kernel.

Both are compiled once and cached: flux moments and detector functions as piecewise polynomials, and the panels and
nodes of the recoil integral, split wherever an integrand is not smooth and refined until a requested accuracy.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from cevns_fast._kernels import rates as kernel
from cevns_fast._kernels.rates import COEFFICIENTS, GROUP, HALF, LOWEST_T_POWER, NODES, T_POWERS, Flux, Plan, Terms
from cevns_fast._validate import Floats
from cevns_fast.counts import piecewise
from cevns_fast.experiments.detectors import Detector
from cevns_fast.experiments.sources import Source
from cevns_fast.nuclear.kinematics import minimum_neutrino_energy
from cevns_fast.nuclear.nuclei import Nuclide

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

    panels: Plan
    targets: tuple[IntegrationTarget, ...]
    reaches_zero: bool


@dataclass(frozen=True, eq=False)
class FluxMoments:
    """Moments of a flux, and where those that were asked for are among them."""

    flux: Flux
    lane: tuple[int, ...]
    sign: tuple[float, ...]


@lru_cache(maxsize=128)
def flux_moments(source: Source, lanes: tuple[Lane, ...]) -> FluxMoments:
    """Moments of all flux components together, of these parities and powers of E."""
    components = source.components
    kinks = sorted({x for c in components for x in (*c.breakpoints, *(line[0] for line in c.lines))})
    parities = {c.antineutrino for c in components}
    # Where there are no neutrinos, or nothing else, odd moments are even ones up to a sign.
    kept = [lane if len(parities) > 1 else (False, lane[1]) for lane in lanes]
    distinct = tuple(dict.fromkeys(kept))
    signs = [[-1.0 if odd and c.antineutrino else 1.0 for odd, _ in distinct] for c in components]
    powers = np.array([k for _, k in distinct], dtype=np.float64)

    def density(E: Floats) -> Floats:
        total = np.zeros((len(distinct), E.size))
        for component, sign in zip(components, signs, strict=True):
            if component.spectrum is None:
                continue
            inside = (E > component.breakpoints[0]) & (E < component.breakpoints[-1])
            values = np.where(inside, component.spectrum(E), 0.0)
            total += np.outer(sign, values) * E ** powers[:, None]
        return total

    ends = kinks if len(kinks) > 1 else [0.5 * kinks[0], kinks[0]]
    fitted = piecewise.fit(density, ends, name="spectrum", degree=COEFFICIENTS - 1)
    lines = []
    for component, sign in zip(components, signs, strict=True):
        for energy, intensity in component.lines:
            lines.append((energy, intensity * np.array(sign) * energy**powers))
    found = piecewise.moments(fitted, lines)
    pieces, count, _ = found.coefficients.shape
    groups = -(-len(distinct) // GROUP)
    rows = np.zeros((pieces, COEFFICIENTS + 1, groups * GROUP))
    for d in range(count):
        rows[:, HALF - 1 - d if d < HALF else COEFFICIENTS + HALF - 1 - d, : len(distinct)] = found.coefficients[:, d]
    rows[:, -1, : len(distinct)] = found.value
    return FluxMoments(
        Flux(
            breaks=found.breaks,
            kinks=np.array(ends, dtype=np.float64),
            inverse_width=1 / np.diff(found.breaks),
            coefficients=np.ascontiguousarray(rows.reshape(pieces, COEFFICIENTS + 1, groups, GROUP).swapaxes(1, 2)),
            has_high_powers=count > HALF,
        ),
        lane=tuple(distinct.index(lane) for lane in kept),
        sign=tuple(-1.0 if odd and parities == {True} else 1.0 for odd, _ in lanes),
    )


def moments_at(moments: FluxMoments, E: Floats) -> Floats:
    """Flux moments above energies E, float64[lanes, len(E)]; 0 beyond the end point."""
    flux = moments.flux
    x = np.clip(E, flux.breaks[0], flux.breaks[-1])
    piece = np.clip(np.searchsorted(flux.breaks, x, side="left") - 1, 0, len(flux.breaks) - 2)
    t = (flux.breaks[piece + 1] - x) * flux.inverse_width[piece]
    rows = flux.coefficients[piece]
    p, u = np.zeros_like(rows[:, :, 0]), (2 * t - 1)[:, None, None]
    for d in (*range(HALF, COEFFICIENTS), *range(HALF)):
        p = p * u + rows[:, :, d]
    found = (rows[:, :, -1] + t[:, None, None] * p).reshape(len(x), -1).T
    return np.where(E > flux.breaks[-1], 0.0, found[list(moments.lane)] * np.array(moments.sign)[:, None])


def endpoint(source: Source) -> float:
    """Highest neutrino energy, MeV."""
    return max(x for c in source.components for x in (*c.breakpoints, *(line[0] for line in c.lines)))


@lru_cache(maxsize=64)
def quadrature(source: Source, detector: Detector, rtol: float) -> Quadrature:
    """The coarsest plan that agrees with its own refinement to `rtol` for probe masses and propagators."""
    probed = flux_moments(source, _PROBE_LANES)
    coarse = _build(source, detector, 1)
    sums = _probe(source, probed, coarse)
    for refinement in (2, 4, 8, 16, 32):
        fine = _build(source, detector, refinement)
        finer_sums = _probe(source, probed, fine)
        if _difference(sums, finer_sums) <= rtol:
            return coarse
        coarse, sums = fine, finer_sums
    warnings.warn(
        f"rtol = {rtol:g}: the recoil integrals agree with their last refinement to "
        f"{_difference(_probe(source, probed, _build(source, detector, 16)), sums):.1g} only",
        piecewise.AccuracyWarning,
        stacklevel=2,
    )
    return coarse


def _probe(source: Source, probed: FluxMoments, candidate: Quadrature) -> Floats:
    """All cells for a few masses, without a propagator and with a massless mediator's."""
    plan = candidate.panels
    limit = endpoint(source) * (1 - endpoint(source) / (2 * plan.mass.min()))
    masses = np.array([0.0, 1e-3 / limit, 0.1, 0.4, 0.7, 0.9, 0.99]) * limit
    n_targets, n_lanes = len(plan.mass), len(_PROBE_LANES)
    cells = T_POWERS * n_lanes
    n_rows = n_targets * cells  # a row for every cell of every target
    results = []
    for power in (0, 2):
        every = Terms(
            cell_power=np.repeat(np.arange(T_POWERS), n_lanes),
            cell_lane=np.tile(probed.lane, T_POWERS),
            pair_row=np.arange(n_rows),
            pair_cell=np.tile(np.arange(cells), n_targets),
            first_entry=np.arange(n_rows + 1),
            mass_power=np.zeros(n_rows, dtype=np.int64),
            coefficient=np.repeat(np.eye(n_targets), cells, axis=1)[:, None]
            * np.tile(probed.sign, n_targets * T_POWERS),
            propagator_power=power,
        )
        out = np.zeros((len(masses), n_rows, plan_bins(plan)))
        kernel.templates(probed.flux, plan, every, masses, np.zeros_like(masses), 0, len(masses), out)
        sums = out.reshape(len(masses), n_targets, T_POWERS, n_lanes, -1)
        if plan.low[0] == 0:  # 1/T and steeper have no integral for a massless final state
            sums[0, :, : power - LOWEST_T_POWER] = 0.0
            sums[1, :, power] = 0.0  # 1/T² comes with m⁴ or m², small where the response is not known as well
        if power > 0:  # no interaction multiplies a propagator by 1/T
            sums[:, :, :-LOWEST_T_POWER] = 0.0
        results.append(sums)
    return np.concatenate(results)


def _difference(coarse: Floats, fine: Floats) -> float:
    """Largest difference, relative to the sum without cancellation.

    It is floored at 3% of the largest bin, and at 1e-10 of the largest sum of any mass: beyond that a recoil is too
    unlikely to be seen for its sum to be worth a digit.
    """
    even = np.abs(fine[:, :, :, :5])
    scale = np.concatenate([even, even[:, :, :, :3]], axis=3)
    scale = np.maximum(scale, 0.03 * scale.max(axis=-1, keepdims=True))
    by_power = scale.reshape(2, -1, *scale.shape[1:])
    scale = np.maximum(by_power, 1e-10 * by_power.max(axis=(1, -1), keepdims=True)).reshape(scale.shape)
    return float(np.max(np.abs(coarse - fine) / np.where(scale > 0, scale, 1.0)))


def plan_bins(plan: Plan) -> int:
    """Number of bins that a plan feeds."""
    return int((plan.first_bin + plan.bin_count).max())


def _targets(detector: Detector) -> tuple[IntegrationTarget, ...]:
    """Every nuclide, three times where neutrons have a radius of their own."""
    found = []
    probe = np.linspace(1e-3, 0.1, 5)
    for i, nuclide in enumerate(detector.target.nuclides):
        same = np.array_equal(detector.form_factor.proton(nuclide, probe), detector.form_factor.neutron(nuclide, probe))
        found += [IntegrationTarget(i, nuclide, kind) for kind in (("both",) if same else ("pp", "pn", "nn"))]
    return tuple(found)


def _form_factors(detector: Detector, target: IntegrationTarget, T: Floats) -> Floats:
    """The target's product of form factors."""
    proton = detector.form_factor.proton(target.nuclide, T)
    if target.form_factors in ("both", "pp"):
        return proton * proton
    neutron = detector.form_factor.neutron(target.nuclide, T)
    return neutron * (proton if target.form_factors == "pn" else neutron)


def _sees_zero(detector: Detector) -> bool:
    """Whether the response stays finite at T = 0, where 1/T has no integral, rather than vanish with T."""
    lower, upper = detector.bin_response([1e-16, 1e-14]).max(axis=0) if detector.response.smearing else (1.0, 1.0)
    return bool(lower > 0.5 * upper > 0)


def _cuts(detector: Detector, highest: float) -> list[float]:
    """Recoil energies between which every response is smooth, from the lowest to the highest that matter."""
    response = detector.response
    if response.smearing is None:
        first = detector.recoil_at(detector.bins[0], highest)
        last = detector.recoil_at(detector.bins[-1], highest)
    else:
        grid = np.geomspace(1e-9, highest, 2000)
        seen = detector.bin_response(grid).max(axis=0)
        if not seen.any():
            return []
        k = int(np.argmax(seen > 1e-30 * seen.max()))
        first, last = (float(grid[k - 1]) if k > 0 else 0.0), highest  # from the last point where nothing is seen
    first, last = max(first, response.recoil_threshold), min(last, highest)
    if first >= last:
        return []
    return [first, *(T for T in detector.response_breakpoints(highest) if first < T < last), last]


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
    sharp = detector.response.smearing is None

    def feed(tau: Floats) -> Floats:
        """What each target brings to each bin: form factors × response."""
        T = tau * tau
        response = detector.response.accept(detector.response.mean(T))[None] if sharp else detector.bin_response(T)
        forms = np.array([_form_factors(detector, t, T) for t in targets])
        return np.asarray((forms[:, None] * response).reshape(-1, T.size))

    def fit(ends: Floats) -> piecewise.Piecewise:
        """As polynomials in τ."""
        return piecewise.fit(feed, np.sqrt(ends).tolist(), floor=1e-15, name="detector response × form factor")

    edges = _panel_edges(cuts, 2.0 ** (1 / refinement), refinement)
    if refinement > 1:  # a narrow resolution wants narrower panels than a ratio of energies gives
        edges = np.union1d(edges, _split(fit(_distinct(np.array(cuts))).breaks, refinement) ** 2)
    edges = _distinct(edges)
    fitted, taus = fit(edges), np.sqrt(edges)
    n_panels, n_targets = len(edges) - 1, len(targets)
    if sharp:
        observable = detector.response.mean(0.5 * (edges[:-1] + edges[1:]))
        bins = np.clip(np.searchsorted(detector.bins, observable, side="right") - 1, 0, detector.n_bins - 1)
        n_fed = 1
    else:
        bins, n_fed = np.zeros(n_panels, dtype=np.int64), detector.n_bins
    n_weights = n_fed if n_fed == 1 else -(-n_fed // GROUP) * GROUP
    x, w = np.polynomial.legendre.leggauss(NODES)
    left, right = taus[:-1, None], taus[1:, None]
    tau = 0.5 * (left + right) + 0.5 * (right - left) * x  # [panels, NODES], the same for every target
    T, dT = tau**2, (right - left) * w * tau
    masses = np.array([t.nuclide.mass for t in targets])[:, None, None]
    weight = np.zeros((n_targets, n_panels, NODES, n_weights))
    weight[..., :n_fed] = np.moveaxis(fitted(tau.ravel()).reshape(n_targets, n_fed, n_panels, NODES) * dT, 1, -1)
    plan = Plan(
        mass=masses.ravel().copy(),
        first_panel=np.arange(n_targets + 1) * n_panels,
        low=np.tile(edges[:-1], n_targets),
        high=np.tile(edges[1:], n_targets),
        first_bin=np.tile(bins, n_targets),
        bin_count=np.full(n_targets * n_panels, n_fed),
        recoil=np.tile(T.ravel(), n_targets),
        massless_energy=np.asarray(minimum_neutrino_energy(T, 0.0, masses)).ravel(),
        mass_factor=(1 / (2 * masses * T)).ravel(),
        weight=weight.ravel(),
        first_weight=np.arange(n_targets * n_panels) * NODES * n_weights,
        first_piece=np.tile(np.searchsorted(fitted.breaks, taus[:-1]), n_targets),
        first_feed=np.repeat(np.arange(n_targets) * n_fed, n_panels),
        feed_breaks=fitted.breaks,
        feed_coefficients=np.ascontiguousarray(fitted.coefficients[:, ::-1]),
    )
    return Quadrature(plan, targets, cuts[0] == 0.0 and _sees_zero(detector))


def _distinct(edges: Floats) -> Floats:
    """Without those that are another but for rounding: a panel between the two would have no width."""
    return np.asarray(edges[np.concatenate([np.diff(edges) > 1e-15 * edges[1:], [True]])])


def _split(breaks: Floats, n: int) -> Floats:
    """Points that divide each interval in n, without the ends of all."""
    inside = breaks[:-1, None] + np.diff(breaks)[:, None] * np.arange(n) / n
    return np.asarray(inside.ravel()[1:])


def _panel_edges(cuts: Sequence[float], ratio: float, refinement: int) -> Floats:
    """Panels between cuts, none wider than `ratio`, the first from zero if the cuts begin there."""
    edges: list[float] = [cuts[0]]
    for low, high in pairwise(cuts):
        if low > 0:
            n = max(1, int(np.ceil(np.log(high / low) / np.log(ratio) - 1e-9)))
            edges += np.geomspace(low, high, n + 1)[1:-1].tolist()
        else:
            first = high / (8 * refinement) ** 2  # below it, analytic in √T for all that matters
            n = max(1, int(np.ceil(np.log(high / first) / np.log(ratio) - 1e-9)))
            edges += np.geomspace(first, high, n + 1)[:-1].tolist()
        edges.append(high)
    return np.array(edges)
