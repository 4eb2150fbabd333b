"""Panels and nodes of the recoil integral, split wherever an integrand is not smooth and refined until accurate.

A plan depends on the source and the detector alone: one serves all interactions and all masses.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations_with_replacement, pairwise
from typing import cast

import numpy as np

from cevns_fast._kernels import rates as kernel
from cevns_fast._kernels.rates import LOWEST_T_POWER, NODES, T_POWERS, Panels, Terms
from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.counts import piecewise
from cevns_fast.counts.flux import FluxMoments, Lane, flux_moments
from cevns_fast.counts.folding import FUNCTIONS, Folding, folding_of, is_worth_it
from cevns_fast.experiments.detectors import Detector
from cevns_fast.experiments.response_matrix import ResponseMatrix
from cevns_fast.experiments.smearing import GammaSmearing, GaussianSmearing
from cevns_fast.experiments.sources import Source, endpoint_of
from cevns_fast.interactions.process import Part
from cevns_fast.nuclear.kinematics import minimum_neutrino_energy
from cevns_fast.nuclear.nuclei import Nuclide

# What refinement is judged by: every power of E that is even, and the odd ones of the interferences.
_EVEN_LANES: tuple[Lane, ...] = tuple((False, k) for k in range(-2, 3))
_ODD_LANES: tuple[Lane, ...] = tuple((True, k) for k in range(-2, 1))
_PROBE_LANES = _EVEN_LANES + _ODD_LANES
_NEGATIVE = [i for i, (_, k) in enumerate(_PROBE_LANES) if k < 0]
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
# ... and where images cut, a part of one at most this factor, to the power of 2/refinement from 4 on.
_GROWTH = 1.5
# Differences are relative to the sum without cancellation, floored at this fraction of the largest bin, ...
BIN_FLOOR = 0.03
# ... and of the largest sum of any mass: beyond that a recoil is too unlikely for its sum to be worth a digit.
_MASS_FLOOR = 1e-10
# A resolution below this fraction of the distance between edges blurs each alone, within so many widths of it.
_NARROW = 0.1
_WIDTHS = (-8.0, -6.0, -4.5, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.5, 6.0, 8.0)
_NARROWEST = 1e-9  # of the observable: numbers next to each other are not much nearer
_MOST_STEPS = 32
# Of the largest response: what is seen less is not seen.
_UNSEEN = 1e-30
_ENOUGH_BINS = 100
# Of the largest value of form factors × response: rounding of a fit.
_FEED_FLOOR = 1e-15
_RESPONSE = "detector response"
# Where a panel ends that begins at the largest recoil: functions may not be valid far beyond it.
_BEYOND = 1.001
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
    folding: Folding | None = None  # what makes counts of the detector's bins, where the panels feed functions

    def finer(self, factor: int) -> "Plan":
        """With panels that are narrower by a factor."""
        return self if factor == 1 else self.build(factor * self.refinement)

    def bare(self, cuts: tuple[float, ...]) -> "Plan":
        """These panels without form factors in their weights, cut at further recoil energies."""
        return self.build(self.refinement, bare=True, further=cuts)


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
    probed = flux_moments(source, _PROBE_LANES)
    error = math.inf
    for refinement in _REFINEMENTS:
        plan = _build(source, detector, refinement, parts)
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
            scale = np.abs(fine[:, :, : len(_EVEN_LANES)])
            if folding is not None:  # functions change sign: they are judged by the first of their piece, which is 1
                scale = np.repeat(scale[..., ::FUNCTIONS], FUNCTIONS, axis=-1)
            largest = np.maximum(largest, scale.max(axis=-1, keepdims=True))
            np.maximum(scale, BIN_FLOOR * scale.max(axis=-1, keepdims=True), out=scale)
            np.maximum(scale, _MASS_FLOOR * largest, out=scale)
            scale[scale == 0] = 1.0
            difference = np.abs(np.subtract(coarse, fine, out=coarse), out=coarse)
            if folding is not None:
                difference *= folding.importance[: difference.shape[-1]]
            for lanes in (slice(len(_EVEN_LANES)), slice(len(_EVEN_LANES), None)):  # odd ones may cancel
                relative = difference[:, :, lanes]
                relative /= scale[:, :, : relative.shape[2]]
                worst = float(np.maximum(worst, relative.max()))  # what is not a number stays none
            if not worst <= rtol:
                return worst
    return worst


def _every_cell(probed: FluxMoments, n_targets: int, propagator_power: int) -> Terms:
    """A row for every cell of every target."""
    n_lanes = len(_PROBE_LANES)
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
    sums = out.reshape(len(panels.mass), T_POWERS, len(_PROBE_LANES), -1)
    power = terms.propagator_power
    if panels.low[0] == 0 and i == 0:  # 1/T and steeper have no integral for a massless final state
        sums[:, : power - LOWEST_T_POWER] = 0.0
        sums[:, power - LOWEST_T_POWER, _NEGATIVE] = 0.0  # and 1/E alone comes with a mass
    if panels.low[0] == 0 and i == 1:  # 1/T² comes with m⁴ or m², small where the response is not known as well
        sums[:, power] = 0.0
    if power > 0:  # no interaction multiplies a propagator by 1/T
        sums[:, :-LOWEST_T_POWER] = 0.0
    return sums


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


@remember(maxsize=64)
def _cuts(detector: Detector, highest: float) -> tuple[float, ...]:
    """Recoil energies between which every response is smooth, from the lowest to the highest that matter."""
    response = detector.response
    if isinstance(response, ResponseMatrix):
        first, last = response.energies[0], response.energies[-1]
    elif response.smearing is None:
        first = detector.recoil_at(detector.bins[0], highest)
        last = detector.recoil_at(detector.bins[-1], highest)
    else:
        edges = _few(detector.bins)
        images = detector.recoils_at(np.union1d(edges, 0.5 * (edges[1:] + edges[:-1])), highest)
        grid = np.union1d(np.geomspace(1e-9, highest, 400), images[(images > 0) & (images < highest)])
        seen = detector.replace(bins=tuple(edges.tolist())).bin_response(grid).max(axis=0)
        if not seen.any():
            return ()
        k = int(np.argmax(seen > _UNSEEN * seen.max()))
        first, last = (float(grid[k - 1]) if k > 0 else 0.0), highest  # from the last point where nothing is seen
    first, last = max(first, response.recoil_threshold), min(last, highest)
    if first >= last:
        return ()
    inside = {
        *detector.response_breakpoints(highest),
        *detector.form_factor_breakpoints,
        *detector.recoils_at(_transitions(detector), highest).tolist(),
    }
    return (first, *sorted(T for T in inside if first < T < last), last)


def _few(bins: tuple[float, ...]) -> Floats:
    """Edges of as many bins as tell where anything is seen: thousands are put together."""
    n = len(bins) - 1
    chosen = np.unique(np.linspace(0, n, min(n, _ENOUGH_BINS) + 1).astype(np.int64))
    return np.array(bins)[chosen]


def _transitions(detector: Detector) -> Floats:
    """Mean observables around edges that a resolution blurs which is far narrower than the bins."""
    smearing = detector.response.smearing
    if not isinstance(smearing, GaussianSmearing | GammaSmearing):
        return np.empty(0)
    steps = getattr(detector.response.acceptance, "breakpoints", ())
    # Between the points of a table nothing jumps, and they may be many.
    edges = np.array(sorted({*detector.bins, *(steps if len(steps) <= _MOST_STEPS else ())}))
    edges = edges[(edges >= detector.bins[0]) & (edges <= detector.bins[-1])]
    gap = np.minimum(np.diff(edges, prepend=-np.inf), np.diff(edges, append=np.inf))
    width = np.asarray(smearing.width(edges))
    narrow = (width < _NARROW * gap) & (edges > 0)
    if np.any(width[narrow] < _NARROWEST * edges[narrow]):
        i = int(np.argmin(np.where(narrow, width / np.where(narrow, edges, 1.0), np.inf)))
        raise ValueError(
            f"smearing = {smearing!r}: is {width[i]:.3g} wide at {edges[i]:.6g}, must be at least {_NARROWEST:g} of "
            "that; leave it out for a detector that is as good as sharp"
        )
    around = edges[narrow, None] + width[narrow, None] * np.array(_WIDTHS)
    return np.asarray(around[around > 0])


@dataclass(frozen=True, eq=False)
class _Smeared:
    """Responses by √T of all bins, or functions that stand for them, and the √T between pieces of those."""

    response: piecewise.VectorFunction
    folding: Folding | None = None
    images: Floats | None = None


@remember(maxsize=64)
def _smeared_response(detector: Detector, cuts: tuple[float, ...]) -> _Smeared | None:
    """Responses of all bins by √T: they are slow to compute, and every plan needs them anew.

    They are polynomials in √x̄ of the mean observable: however many points a quenching has, what smears has none.
    """
    response = detector.response
    if response.smearing is None or isinstance(response, ResponseMatrix):
        return None
    if callable(response.quenching):  # is looked at, as the other factor of what is smooth
        piecewise.fit(
            lambda tau: response.mean(tau * tau)[None], np.sqrt(cuts).tolist(), floor=_FEED_FLOOR, name="quenching"
        )
    if is_worth_it(detector):
        return _folded_response(detector, cuts)
    fitted = piecewise.fit(
        lambda root: detector.response_to_mean(root * root), _roots(detector, cuts), floor=_FEED_FLOOR, name=_RESPONSE
    )
    return _Smeared(lambda tau: fitted(np.sqrt(response.mean(tau * tau))))


def _roots(detector: Detector, cuts: tuple[float, ...]) -> list[float]:
    """√x̄ between which the responses are smooth."""
    low, high = detector.response.mean(np.array([cuts[0], cuts[-1]])).tolist()
    around = _transitions(detector)
    ends = [low, *np.unique(around[(around > low) & (around < high)]), high if high > low else low + 1.0]
    found: list[float] = np.sqrt(ends).tolist()
    return found


def _folded_response(detector: Detector, cuts: tuple[float, ...]) -> _Smeared:
    """The functions of the mean that stand for the bins, those of the piece that a recoil is in."""
    folding = folding_of(detector, tuple(_roots(detector, cuts)))
    images = np.sqrt(detector.recoils_at(folding.breaks[1:-1] ** 2, cuts[-1]))

    def functions(tau: Floats) -> Floats:
        return folding.functions(np.searchsorted(images, tau), np.sqrt(detector.response.mean(tau * tau)))

    return _Smeared(functions, folding, images)


@remember(maxsize=256)
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
    matrix = detector.response
    if isinstance(matrix, ResponseMatrix):  # a recoil between two energies is shared: a target of its own for each side
        targets = tuple(t for t in targets for _ in range(2))
    end = endpoint_of(source)
    # T_max of a massless final state bounds all others, BRX Eq. (10); the lightest nucleus recoils furthest.
    highest = max(2 * end * end / (t.nuclide.mass + 2 * end) for t in targets)
    cuts = _cuts(detector, highest)
    if not cuts:  # no recoil reaches the bins: one panel that never gets weight
        cuts = (highest, _BEYOND * highest)
    smeared = _smeared_response(detector, cuts)
    folding, images = (smeared.folding, smeared.images) if smeared is not None else (None, None)
    further = further if images is None else (*further, *(images * images).tolist())
    cuts = tuple(sorted({*cuts, *(T for T in further if cuts[0] < T < cuts[-1])}))

    def feed(tau: Floats) -> Floats:
        """What each target brings to each bin: form factors × response."""
        T = tau * tau
        if isinstance(matrix, ResponseMatrix):
            _, share = matrix.between(T)
            response, every = np.array([1 - share, share]), targets[::2]
        else:
            response = smeared.response(tau) if smeared else detector.response.accept(detector.response.mean(T))[None]
            every = targets
        forms = np.array([np.ones_like(T) if whole is None else _form_factors(detector, t, whole, T) for t in every])
        return np.asarray((forms[:, None] * response).reshape(-1, T.size))

    def fit(ends: Floats) -> piecewise.Piecewise:
        """As polynomials in τ."""
        name = f"{_RESPONSE} × form factor"
        return piecewise.fit(feed, np.sqrt(ends).tolist(), floor=_FEED_FLOOR, name=name, quiet=smeared is not None)

    edges = _panel_edges(cuts, 2.0 ** (1 / refinement), refinement)
    if refinement > 1:  # a narrow resolution wants narrower panels than a ratio of energies gives
        edges = np.union1d(edges, _split(fit(_distinct(np.array(cuts))).breaks, refinement) ** 2)
        edges = _panel_edges(_distinct(edges).tolist(), 2.0 ** (1 / refinement), None)
    edges = _distinct(edges)
    if bare:  # one target for each nuclide
        targets, whole = tuple(IntegrationTarget(i, n) for i, n in enumerate(detector.target.nuclides)), None
        targets = tuple(t for t in targets for _ in range(2)) if isinstance(matrix, ResponseMatrix) else targets
    fitted, taus = fit(edges), np.sqrt(edges)
    n_panels = len(edges) - 1
    n_fed = 1 if smeared is None else detector.n_bins if folding is None else FUNCTIONS
    bins = np.zeros(n_panels, dtype=np.int64)
    if isinstance(matrix, ResponseMatrix):
        lower, _ = matrix.between(0.5 * (edges[:-1] + edges[1:]))
        bins = np.tile([lower, lower + 1], (len(targets) // 2, 1))
    elif images is not None:
        bins = FUNCTIONS * np.searchsorted(images, 0.5 * (taus[:-1] + taus[1:]))
    elif smeared is None:
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
        growth=_GROWTH ** min(1.0, 2 / refinement),
    )
    again = partial(_build, source, detector, parts=parts, bare=bare, further=further)
    return Plan(panels, targets, cuts[0] == 0.0 and _sees_zero(detector), refinement, again, folding)


def _distinct(edges: Floats) -> Floats:
    """Without those that are another but for rounding: a panel between the two would have no width."""
    return np.asarray(edges[np.concatenate([np.diff(edges) > _SAME_EDGE * edges[1:], [True]])])


def _split(breaks: Floats, n: int) -> Floats:
    """Points that divide each interval in n, without the ends of all."""
    inside = breaks[:-1, None] + np.diff(breaks)[:, None] * np.arange(n) / n
    return np.asarray(inside.ravel()[1:])


def _panel_edges(cuts: Sequence[float], ratio: float, refinement: int | None) -> Floats:
    """Panels between cuts, none wider than `ratio`; the first from zero, if the cuts begin there, the finer the more
    refined it is, or as it is."""
    edges: list[float] = [cuts[0]]
    for low, high in pairwise(cuts):
        if low > 0:
            n = max(1, int(np.ceil(np.log(high / low) / np.log(ratio) - 1e-9)))
            if n > 1:
                edges += np.geomspace(low, high, n + 1)[1:-1].tolist()
        elif refinement is not None:
            first = high / (8 * refinement) ** 2  # below it, analytic in √T for all that matters
            n = max(1, int(np.ceil(np.log(high / first) / np.log(ratio) - 1e-9)))
            edges += np.geomspace(first, high, n + 1)[:-1].tolist()
        edges.append(high)
    return np.array(edges)
