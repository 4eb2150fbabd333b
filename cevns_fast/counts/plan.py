"""Panels and nodes of the recoil integral, split wherever an integrand is not smooth and refined until accurate.

A plan depends on the source and the detector alone: one serves all interactions and all masses.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import combinations_with_replacement, pairwise
from typing import cast

import numpy as np

from cevns_fast._kernels import rates as kernel
from cevns_fast._kernels.rates import LOWEST_T_POWER, NODES, T_POWERS, Panels, Terms
from cevns_fast._validate import Floats
from cevns_fast.counts import piecewise
from cevns_fast.counts.flux import FluxMoments, Lane, flux_moments
from cevns_fast.experiments.detectors import Detector
from cevns_fast.experiments.sources import Source, endpoint_of
from cevns_fast.interactions.process import Part
from cevns_fast.nuclear.kinematics import minimum_neutrino_energy
from cevns_fast.nuclear.nuclei import Nuclide

# What refinement is judged by: every power of E that is even, and the odd ones of the interferences.
_EVEN_LANES: tuple[Lane, ...] = tuple((False, k) for k in range(-2, 3))
_ODD_LANES: tuple[Lane, ...] = tuple((True, k) for k in range(-2, 1))
_PROBE_LANES = _EVEN_LANES + _ODD_LANES
_NEGATIVE = [i for i, (_, k) in enumerate(_PROBE_LANES) if k < 0]
# Fractions of the heaviest mass, beside 0 and one that is nearly 0.
_PROBE_MASSES = (0.1, 0.4, 0.7, 0.9, 0.99)
_PROPAGATOR_POWERS = (0, 2)
# A panel spans at most a factor 2^(1/refinement) in T.
_REFINEMENTS = (1, 2, 4, 8, 16, 32)
# Differences are relative to the sum without cancellation, floored at this fraction of the largest bin, ...
BIN_FLOOR = 0.03
# ... and of the largest sum of any mass: beyond that a recoil is too unlikely for its sum to be worth a digit.
_MASS_FLOOR = 1e-10
# Of the largest response: what is seen less is not seen.
_UNSEEN = 1e-30
# Of the largest value of form factors × response: rounding of a fit.
_FEED_FLOOR = 1e-15
# Edges closer than this fraction are one but for rounding.
_SAME_EDGE = 1e-15


@dataclass(frozen=True)
class IntegrationTarget:
    """A nuclide and a product of two parts of amplitudes: protons' is 0, neutrons' 1, or (0, 1) if they share one."""

    index: int
    nuclide: Nuclide
    left: tuple[int, ...] = (0, 1)
    right: tuple[int, ...] = (0, 1)


@dataclass(frozen=True, eq=False)
class Plan:
    """Panels for the kernel, what their targets are, and whether they reach down to T = 0."""

    panels: Panels
    targets: tuple[IntegrationTarget, ...]
    reaches_zero: bool
    refinement: int
    build: Callable[..., "Plan"]  # another with this refinement

    def finer(self, factor: int) -> "Plan":
        """With panels that are narrower by a factor."""
        return self.build(factor * self.refinement)

    def bare(self, cuts: tuple[float, ...]) -> "Plan":
        """The same panels without form factors in their weights, cut at further recoil energies."""
        return self.build(self.refinement, bare=True, further=cuts)


@lru_cache(maxsize=64)
def plan_of(source: Source, detector: Detector, rtol: float, parts: tuple[Part, ...] = ()) -> Plan:
    """The coarsest plan that agrees with its own refinement to `rtol` for probe masses and propagators.

    `parts` are functions of Q² beyond the form factors of protons and neutrons.
    """
    probed = flux_moments(source, _PROBE_LANES)
    coarse = _build(source, detector, _REFINEMENTS[0], parts)
    sums = _probe(source, probed, coarse)
    for refinement in _REFINEMENTS[1:]:
        fine = _build(source, detector, refinement, parts)
        finer_sums = _probe(source, probed, fine)
        if _difference(sums, finer_sums) <= rtol:
            return coarse
        coarse, sums = fine, finer_sums
    warnings.warn(
        f"rtol = {rtol:g}: the recoil integrals agree with their last refinement to "
        f"{_difference(_probe(source, probed, _build(source, detector, _REFINEMENTS[-2], parts)), sums):.1g} only",
        piecewise.AccuracyWarning,
        stacklevel=2,
    )
    return coarse


def _probe(source: Source, probed: FluxMoments, candidate: Plan) -> list[Floats]:
    """All cells for a few masses [masses, targets, powers of T, lanes, bins], for each power of a propagator."""
    panels = candidate.panels
    E, M = endpoint_of(source), panels.mass.min()
    limit = E * (1 - E / (2 * M)) if E < M else np.sqrt(M * (M + 2 * E)) - M  # a little below what can be produced
    masses = np.array([0.0, 1e-3 / limit, *_PROBE_MASSES]) * limit
    n_targets, n_lanes = len(panels.mass), len(_PROBE_LANES)
    cells = T_POWERS * n_lanes
    n_rows = n_targets * cells  # a row for every cell of every target
    results = []
    for power in _PROPAGATOR_POWERS:
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
        out = np.zeros((len(masses), n_rows, panels.bins))
        kernel.templates(probed.flux, panels, every, masses, np.zeros_like(masses), 0, len(masses), out)
        sums = out.reshape(len(masses), n_targets, T_POWERS, n_lanes, -1)
        if panels.low[0] == 0:  # 1/T and steeper have no integral for a massless final state
            sums[0, :, : power - LOWEST_T_POWER] = 0.0
            sums[0, :, power - LOWEST_T_POWER, _NEGATIVE] = 0.0  # and 1/E alone comes with a mass
            sums[1, :, power] = 0.0  # 1/T² comes with m⁴ or m², small where the response is not known as well
        if power > 0:  # no interaction multiplies a propagator by 1/T
            sums[:, :, :-LOWEST_T_POWER] = 0.0
        results.append(sums)
    return results


def _difference(coarse: Sequence[Floats], fine: Sequence[Floats]) -> float:
    """Largest difference, relative to the sum without cancellation, floored; of many bins it takes little room."""
    worst = 0.0
    for one, other in zip(coarse, fine, strict=True):
        scale = np.abs(other[:, :, :, : len(_EVEN_LANES)])
        np.maximum(scale, BIN_FLOOR * scale.max(axis=-1, keepdims=True), out=scale)
        np.maximum(scale, _MASS_FLOOR * scale.max(axis=(0, -1), keepdims=True), out=scale)
        scale[scale == 0] = 1.0
        for lanes in (slice(len(_EVEN_LANES)), slice(len(_EVEN_LANES), None)):  # odd ones may cancel
            error = one[:, :, :, lanes] - other[:, :, :, lanes]
            np.abs(error, out=error)
            error /= scale[:, :, :, : error.shape[3]]
            worst = float(np.maximum(worst, error.max()))  # what is not a number stays none
    return worst


def _targets(detector: Detector, parts: tuple[Part, ...]) -> tuple[IntegrationTarget, ...]:
    """Every nuclide with every product of parts: three where neutrons have a radius of their own, and no more parts."""
    found = []
    probe = np.linspace(1e-3, 0.1, 5)
    for i, nuclide in enumerate(detector.target.nuclides):
        same = np.array_equal(detector.form_factor.proton(nuclide, probe), detector.form_factor.neutron(nuclide, probe))
        groups: list[tuple[int, ...]] = [(0, 1)] if same else [(0,), (1,)]
        groups += [(2 + k,) for k in range(len(parts))]
        found += [IntegrationTarget(i, nuclide, *pair) for pair in combinations_with_replacement(groups, 2)]
    return tuple(found)


def _form_factors(detector: Detector, target: IntegrationTarget, parts: tuple[Part, ...], T: Floats) -> Floats:
    """The target's product of form factors, and of what else its parts come with."""

    def of(group: tuple[int, ...]) -> Floats:
        if group == (1,):
            return detector.form_factor.neutron(target.nuclide, T)
        proton = detector.form_factor.proton(target.nuclide, T)
        return proton if group[0] == 0 else proton * parts[group[0] - 2](2 * target.nuclide.mass * T)

    right = of(target.right)
    return right * (right if target.left == target.right else of(target.left))


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
        k = int(np.argmax(seen > _UNSEEN * seen.max()))
        first, last = (float(grid[k - 1]) if k > 0 else 0.0), highest  # from the last point where nothing is seen
    first, last = max(first, response.recoil_threshold), min(last, highest)
    if first >= last:
        return []
    inside = {*detector.response_breakpoints(highest), *detector.form_factor_breakpoints}
    return [first, *sorted(T for T in inside if first < T < last), last]


@lru_cache(maxsize=256)
def _build(
    source: Source,
    detector: Detector,
    refinement: int,
    parts: tuple[Part, ...],
    bare: bool = False,
    further: tuple[float, ...] = (),
) -> Plan:
    """A plan whose panels span at most a factor 2^(1/refinement) in T.

    A bare one leaves form factors to who integrates; it is cut at further recoil energies.
    """
    targets, whole = _targets(detector, parts), cast(tuple[Part, ...] | None, parts)
    end = endpoint_of(source)
    # T_max of a massless final state bounds all others, BRX Eq. (10); the lightest nucleus recoils furthest.
    highest = max(2 * end * end / (t.nuclide.mass + 2 * end) for t in targets)
    cuts = _cuts(detector, highest)
    if not cuts:  # no recoil reaches the bins: one panel that never gets weight
        cuts = [highest, 2 * highest]
    cuts = sorted({*cuts, *(T for T in further if cuts[0] < T < cuts[-1])})
    sharp = detector.response.smearing is None

    def feed(tau: Floats) -> Floats:
        """What each target brings to each bin: form factors × response."""
        T = tau * tau
        response = detector.response.accept(detector.response.mean(T))[None] if sharp else detector.bin_response(T)
        forms = np.array([np.ones_like(T) if whole is None else _form_factors(detector, t, whole, T) for t in targets])
        return np.asarray((forms[:, None] * response).reshape(-1, T.size))

    def fit(ends: Floats) -> piecewise.Piecewise:
        """As polynomials in τ."""
        name = "detector response × form factor"
        return piecewise.fit(feed, np.sqrt(ends).tolist(), floor=_FEED_FLOOR, name=name)

    edges = _panel_edges(cuts, 2.0 ** (1 / refinement), refinement)
    if refinement > 1:  # a narrow resolution wants narrower panels than a ratio of energies gives
        edges = np.union1d(edges, _split(fit(_distinct(np.array(cuts))).breaks, refinement) ** 2)
    edges = _distinct(edges)
    if bare:  # one target for each nuclide
        targets, whole = tuple(IntegrationTarget(i, n) for i, n in enumerate(detector.target.nuclides)), None
    fitted, taus = fit(edges), np.sqrt(edges)
    n_panels, n_fed = len(edges) - 1, 1 if sharp else detector.n_bins
    bins = np.zeros(n_panels, dtype=np.int64)
    if sharp:
        observable = detector.response.mean(0.5 * (edges[:-1] + edges[1:]))
        bins = np.clip(np.searchsorted(detector.bins, observable, side="right") - 1, 0, detector.n_bins - 1)
    x, w = np.polynomial.legendre.leggauss(NODES)
    left, right = taus[:-1, None], taus[1:, None]
    tau = 0.5 * (left + right) + 0.5 * (right - left) * x  # [panels, NODES], the same for every target
    T, dT = tau**2, (right - left) * w * tau
    masses = np.array([t.nuclide.mass for t in targets])
    panels = Panels.of(
        mass=masses,
        edges=edges,
        bins=bins,
        recoil=T,
        massless_energy=np.asarray(minimum_neutrino_energy(T, 0.0, masses[:, None, None])),
        weight=fitted(tau.ravel()).reshape(len(targets), n_fed, n_panels, NODES) * dT,
        feed_breaks=fitted.breaks,
        feed_coefficients=fitted.coefficients,
    )
    again = partial(_build, source, detector, parts=parts, bare=bare, further=further)
    return Plan(panels, targets, cuts[0] == 0.0 and _sees_zero(detector), refinement, again)


def _distinct(edges: Floats) -> Floats:
    """Without those that are another but for rounding: a panel between the two would have no width."""
    return np.asarray(edges[np.concatenate([np.diff(edges) > _SAME_EDGE * edges[1:], [True]])])


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
            if n > 1:
                edges += np.geomspace(low, high, n + 1)[1:-1].tolist()
        else:
            first = high / (8 * refinement) ** 2  # below it, analytic in √T for all that matters
            n = max(1, int(np.ceil(np.log(high / first) / np.log(ratio) - 1e-9)))
            edges += np.geomspace(first, high, n + 1)[:-1].tolist()
        edges.append(high)
    return np.array(edges)
