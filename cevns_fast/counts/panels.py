"""Panels of the recoil integral for the kernel: split where an integrand is not smooth, as narrow as is asked for."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations_with_replacement, pairwise

import numpy as np
from numpy.typing import NDArray

from cevns_fast._kernels.rates import NODES, Panels
from cevns_fast._support.quadrature import gauss_legendre
from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.counts import piecewise
from cevns_fast.counts.cuts import cuts_of, sees_zero
from cevns_fast.counts.folding import FUNCTIONS, Folding
from cevns_fast.counts.smeared import FEED_FLOOR, RESPONSE, Smeared, smeared_response
from cevns_fast.experiments.detectors import Detector
from cevns_fast.experiments.response_matrix import ResponseMatrix
from cevns_fast.experiments.sources import Source, endpoint_of
from cevns_fast.interactions.process import Part
from cevns_fast.nuclear.kinematics import largest_recoil, minimum_neutrino_energy
from cevns_fast.nuclear.nuclei import Nuclide

# Where images cut, a part of a panel spans at most this factor in T, to the power of 2/refinement from 4 on.
_GROWTH = 1.5
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


@remember(maxsize=256)
def build(
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
    targets, E = _targets(detector, parts), endpoint_of(source)
    highest = max(largest_recoil(E, t.nuclide.mass) for t in targets)  # the lightest nucleus recoils furthest
    cuts = cuts_of(detector, highest)
    if not cuts:  # no recoil reaches the bins: one panel that never gets weight, not even by rounding
        cuts = (math.sqrt(_BEYOND) * highest, _BEYOND * highest)
    smeared = smeared_response(detector, cuts)
    further = further if smeared is None or smeared.images is None else (*further, *(smeared.images**2).tolist())
    cuts = tuple(sorted({*cuts, *(T for T in further if cuts[0] < T < cuts[-1])}))
    feed = _Feed(detector, targets, parts, smeared)
    edges = _edges(feed, cuts, refinement)
    if bare:  # one target for each nuclide
        alone = tuple(IntegrationTarget(i, n) for i, n in enumerate(detector.target.nuclides))
        feed = replace(feed, targets=alone, parts=None)
    fitted, taus, n_panels = feed.fitted(edges), np.sqrt(edges), len(edges) - 1
    x, w = gauss_legendre(NODES)
    left, right = taus[:-1, None], taus[1:, None]
    tau = 0.5 * (left + right) + 0.5 * (right - left) * x  # [panels, NODES], the same for every target
    T, dT = tau**2, (right - left) * w * tau
    masses = np.array([t.nuclide.mass for t in feed.fed])
    panels = Panels.of(
        mass=masses,
        edges=edges,
        bins=feed.first_bins(edges),
        recoil=T,
        massless_energy=np.asarray(minimum_neutrino_energy(T, 0.0, masses[:, None, None])),
        weight=fitted(tau.ravel()).reshape(len(feed.fed), feed.n_fed, n_panels, NODES) * dT,
        feed_breaks=fitted.breaks,
        feed_coefficients=fitted.coefficients,
        growth=_GROWTH ** min(1.0, 2 / refinement),
    )
    again = partial(build, source, detector, parts=parts, bare=bare, further=further)
    folding = None if smeared is None else smeared.folding
    return Plan(panels, feed.fed, cuts[0] == 0.0 and sees_zero(detector), refinement, again, folding)


@dataclass(frozen=True, eq=False)
class _Feed:
    """What each target brings to each bin at √T: form factors × response; without form factors if `parts` is None."""

    detector: Detector
    targets: tuple[IntegrationTarget, ...]
    parts: tuple[Part, ...] | None
    smeared: Smeared | None

    @property
    def fed(self) -> tuple[IntegrationTarget, ...]:
        """Targets for the kernel: a recoil between two energies of a matrix is shared, a target for each side."""
        twice = 2 if isinstance(self.detector.response, ResponseMatrix) else 1
        return tuple(t for t in self.targets for _ in range(twice))

    @property
    def n_fed(self) -> int:
        """How many bins, or functions that stand for them, a panel feeds."""
        if self.smeared is None:
            return 1
        return self.detector.n_bins if self.smeared.folding is None else FUNCTIONS

    def __call__(self, tau: Floats) -> Floats:
        T, matrix = tau * tau, self.detector.response
        if isinstance(matrix, ResponseMatrix):
            _, share = matrix.between(T)
            response = np.array([1 - share, share])
        else:
            response = self.smeared.response(tau) if self.smeared else matrix.accept(matrix.mean(T))[None]
        forms = np.array([self._forms(t, T) for t in self.targets])
        return np.asarray((forms[:, None] * response).reshape(-1, T.size))

    def _forms(self, target: IntegrationTarget, T: Floats) -> Floats:
        return np.ones_like(T) if self.parts is None else _form_factors(self.detector, target, self.parts, T)

    def fitted(self, ends: Floats) -> piecewise.Piecewise:
        """As polynomials in τ."""
        name = f"{RESPONSE} × form factor"
        quiet = self.smeared is not None
        return piecewise.fit(self, np.sqrt(ends).tolist(), floor=FEED_FLOOR, name=name, quiet=quiet)

    def first_bins(self, edges: Floats) -> NDArray[np.int64]:
        """The first that each panel feeds; of a matrix, for each target."""
        matrix, taus = self.detector.response, np.sqrt(edges)
        if isinstance(matrix, ResponseMatrix):
            lower, _ = matrix.between(0.5 * (edges[:-1] + edges[1:]))
            return np.tile([lower, lower + 1], (len(self.targets), 1))
        if self.smeared is None:
            observable = matrix.mean(0.5 * (edges[:-1] + edges[1:]))
            found = np.searchsorted(self.detector.bins, observable, side="right") - 1
            return np.clip(found, 0, self.detector.n_bins - 1)
        if self.smeared.images is None:
            return np.zeros(len(edges) - 1, dtype=np.int64)
        return np.asarray(FUNCTIONS * np.searchsorted(self.smeared.images, 0.5 * (taus[:-1] + taus[1:])))


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


def _edges(feed: _Feed, cuts: tuple[float, ...], refinement: int) -> Floats:
    """Edges of panels, of which those that are refined follow what the feed is made of, too."""
    ratio = 2.0 ** (1 / refinement)
    edges = _panel_edges(cuts, ratio, refinement)
    if refinement > 1:  # a narrow resolution wants narrower panels than a ratio of energies gives
        edges = np.union1d(edges, _split(feed.fitted(_distinct(np.array(cuts))).breaks, refinement) ** 2)
        edges = _panel_edges(_distinct(edges).tolist(), ratio, None)
    return _distinct(edges)


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
