"""Detectors: how much of what material, what it measures of a recoil, and how it bins it.

The response of bin [a, b) is R(T) = ∫_a^b p(x | x̄(T)) acceptance(x) dx, or acceptance(x̄(T)) inside the bin and 0
outside without smearing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cevns_fast import _validate as validate
from cevns_fast._support.quadrature import gauss_legendre
from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.constants import KEV
from cevns_fast.experiments.functions import Table, breakpoints_of
from cevns_fast.experiments.response_matrix import ResponseMatrix
from cevns_fast.experiments.responses import Response
from cevns_fast.experiments.smearing import (
    GammaSmearing,
    GaussianSmearing,
    PoissonSmearing,
    density,
    is_narrow_gamma,
    poisson,
    probability,
)
from cevns_fast.experiments.snapshots import Snapshot, snapshot
from cevns_fast.nuclear.electrons import BoundElectrons, electrons_of
from cevns_fast.nuclear.form_factors import FormFactor, HelmFormFactor
from cevns_fast.nuclear.nuclei import Target


@dataclass(frozen=True)
class Detector:
    """A detector.

    Attributes
    ----------
    target : Target
        The material.
    mass : float
        Fiducial mass, kg.
    bins : tuple of float
        Increasing edges of the observable; bin i is [bins[i], bins[i+1]). A `ResponseMatrix` has bins of its own: edges
        are then names for them, 0, 1, 2, … unless given.
    response : Response or ResponseMatrix
        To the recoil of a nucleus.
    form_factor : HelmFormFactor, KleinNystrand, SymmetrisedFermi or PointNucleus
        Or an object with `proton` and `neutron`, functions of a nuclide and recoil energies (MeV, array). They are
        compiled once: what they read must not change while an experiment with them is in use.
    electron_response : Response, ResponseMatrix or None
        To the recoil of an electron, in the same observable; its energy is not quenched. None: electrons are not
        counted.
    component_responses : mapping of str to Response or ResponseMatrix
        To recoils of nuclei that are due to these components of the flux, by name, in place of `response`: where an
        efficiency differs, say.

    Raises
    ------
    ValueError
        If an argument is refused, an acceptance is not one in the bins, or a nuclide lacks the radius that the form
        factor needs.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> ge = cf.Detector(cf.Target.of("Ge", {"Ge": 1}), mass=4.0, bins=(0.1, 0.2, 0.3))
    >>> ge.bin_response([0.00015, 0.00025]).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    target: Target
    mass: float
    bins: tuple[float, ...] = ()
    response: Response | ResponseMatrix = field(default_factory=Response)
    form_factor: FormFactor = field(default_factory=HelmFormFactor)
    electron_response: Response | ResponseMatrix | None = None
    component_responses: Mapping[str, Response | ResponseMatrix] | tuple[tuple[str, Any], ...] = ()
    #: What the user's own functions read when the detector was made: another makes it another detector.
    _snapshots: tuple[tuple[str, Snapshot], ...] = field(default=(), init=False, repr=False)

    def __post_init__(self) -> None:
        validate.instance("target", self.target, Target, "a Target, e.g. cevns_fast.Target.of('Ge', {'Ge': 1})")
        kinds = (Response, ResponseMatrix)
        validate.instance("response", self.response, kinds, "a Response, e.g. cevns_fast.Response(light_yield=1.0)")
        if isinstance(self.response, ResponseMatrix):
            if not len(self.bins):
                object.__setattr__(self, "bins", tuple(range(self.response.n_bins + 1)))
            if len(self.bins) != self.response.n_bins + 1:
                raise ValueError(f"bins: has {len(self.bins)} edges, must have {self.response.n_bins + 1}")
        validate.number("mass", self.mass, positive=True)
        check = getattr(self.form_factor, "check", None)
        if check is not None:
            check(self.target.nuclides)
        elif not all(callable(getattr(self.form_factor, name, None)) for name in ("proton", "neutron")):
            raise ValueError(f"form_factor = {self.form_factor!r}: must be a HelmFormFactor or PointNucleus")
        if self.electron_response is not None:
            validate.instance("electron_response", self.electron_response, kinds, "a Response or None")
            if isinstance(self.electron_response, ResponseMatrix) and self.electron_response.n_bins != self.n_bins:
                raise ValueError(
                    f"electron_response: has {self.electron_response.n_bins} bins, must have {self.n_bins}"
                )
        edges = validate.increasing("bins", self.bins, minimum=0.0)
        object.__setattr__(self, "bins", tuple(edges.tolist()))
        object.__setattr__(self, "component_responses", self._checked_components())
        if isinstance(self.response.smearing, PoissonSmearing) and np.any(edges != np.round(edges)):
            raise ValueError(f"bins = {self.bins}: must be whole numbers for a Poisson-smeared observable")
        # A bad acceptance is refused at once; how far a quenching has to be valid is known with the source.
        self.response.accept(np.linspace(edges[0], edges[-1], 257))
        try:
            hash(self.target), hash(self.response), hash(self.form_factor), hash(self.electron_response)
        except TypeError as error:  # compiled responses are cached by value
            raise ValueError(f"detector: must be hashable, with tuples for lists: {error}") from None
        object.__setattr__(self, "_snapshots", self._take_snapshots())

    @property
    def responses(self) -> dict[str, Response | ResponseMatrix]:
        """Responses of components that have their own, by name."""
        return dict(self.component_responses)

    def _checked_components(self) -> tuple[tuple[str, Response | ResponseMatrix], ...]:
        """Responses by component, each of which would do as the detector's only one, as a tuple that can be hashed."""
        given = self.component_responses
        found = dict(given if isinstance(given, tuple) else validate.mapping("component_responses", given))
        for name, each in found.items():
            validate.text("name of a flux component", name)
            try:
                self.with_response(each)
            except ValueError as error:
                raise ValueError(f"component_responses of {name!r}: {error}") from None
        return tuple(found.items())

    def with_response(self, response: Response | ResponseMatrix) -> "Detector":
        """A copy with this response to whatever makes a nucleus recoil."""
        return replace(self, response=response, component_responses=())

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return len(self.bins) - 1

    @property
    def nuclei(self) -> Floats:
        """Number of nuclei of each nuclide of the target."""
        return self.target.nuclei_per_kg * self.mass

    def bin_response(self, T: ArrayLike) -> Floats:
        """Probability that a recoil of T (MeV) is counted in each bin, float64[n_bins, len(T)]."""
        T = validate.vector("T", np.atleast_1d(validate.real("T", T)), minimum=0.0)
        if isinstance(self.response, ResponseMatrix):
            return self.response.at(T)
        result = self.response_to_mean(self.response.mean(T))
        return np.where(T >= self.response.recoil_threshold, result, 0.0)

    def response_to_mean(self, mean: ArrayLike) -> Floats:
        """Probability of being counted in each bin by the mean observable x̄ ≥ 0, float64[n_bins, len(mean)]."""
        return self._of_edges(validate.vector("mean", mean, minimum=0.0), np.array(self.bins))

    @np.errstate(under="ignore")  # what is negligible is zero
    def _of_edges(self, mean: Floats, edges: Floats) -> Floats:
        """Probability of being counted between some of the edges."""
        assert isinstance(self.response, Response)
        smearing = self.response.smearing
        if smearing is None:
            return self._sharp(mean, edges)
        if isinstance(smearing, PoissonSmearing):
            return self._poisson(mean, edges)
        if callable(self.response.acceptance) or is_narrow_gamma(smearing, self.bins[-1]):
            return self._smeared(mean, smearing, edges)
        return np.asarray(self.response.acceptance * probability(smearing, edges[:, None], mean))

    def _sharp(self, mean: Floats, edges: Floats) -> Floats:
        """Response without smearing."""
        inside = (mean >= edges[:-1, None]) & (mean < edges[1:, None])
        return np.where(inside, self.response.accept(mean), 0.0)

    def _poisson(self, mean: Floats, edges: Floats) -> Floats:
        """Sum over the whole numbers in each bin."""
        low, high = int(edges[0]), int(edges[-1])
        counts = np.arange(low, high, dtype=np.float64)
        weighted = poisson(counts[:, None], mean) * self.response.accept(counts)[:, None]
        starts = edges[:-1].astype(np.int64) - low
        return np.asarray(np.add.reduceat(weighted, starts, axis=0))

    def _smeared(self, mean: Floats, smearing: GaussianSmearing | GammaSmearing, edges: Floats) -> Floats:
        """∫ density × acceptance between neighbouring edges and breakpoints, where the density is more than nothing."""
        mean = np.maximum(mean, np.finfo(float).tiny)
        width = smearing.width(mean)
        octave = np.floor(np.log2(width))
        result = np.zeros((edges.size - 1, mean.size))
        for each in np.unique(octave):  # what is a short interval depends on the width
            some = np.flatnonzero(octave == each)
            result[:, some] = self._of_width(mean[some], width[some], smearing, edges)
        return result

    def _of_width(
        self, mean: Floats, width: Floats, smearing: GaussianSmearing | GammaSmearing, edges: Floats
    ) -> Floats:
        """The smeared response for means whose widths are nearly equal."""
        accept, narrowest = self.response.accept, width.min()
        cuts = np.union1d(edges, breakpoints_of(self.response.acceptance))
        cuts = cuts[(edges[0] <= cuts) & (cuts <= edges[-1])]
        low, high = cuts[:-1], cuts[1:]
        bins = np.searchsorted(edges, low, side="right") - 1
        seen = ((mean + _REACH * width).max() > low) & ((mean - _REACH * width).min() < high)
        gaussian = isinstance(smearing, GaussianSmearing)
        smooth = seen & ((low > 0) | gaussian)  # x^(shape − 1) is not, at 0
        few = smooth & (high - low <= 0.5 * narrowest) & isinstance(self.response.acceptance, Table)
        more = smooth & (high - low <= 4 * narrowest) & ~few
        tiny = more & (high - low <= 0.05 * narrowest) & ((high - low <= 0.25 * low) | gaussian)
        result = np.zeros((edges.size - 1, mean.size))
        for short, n, of in ((few, 8, 8), (tiny, 8, 32), (more & ~tiny, 32, 32)):  # the same nodes for every mean
            if not short.any():
                continue
            half, middle = 0.5 * (high - low)[short, None], 0.5 * (low + high)[short, None]
            nodes, weights = gauss_legendre(of)
            weight = accept((middle + half * nodes).ravel()).reshape(-1, of) * (half * weights)
            if n < of:  # the density is its interpolation, whatever the acceptance is
                weight = weight @ _interpolation(n, of)
            x, weight = (middle + half * gauss_legendre(n)[0]).ravel()[:, None], weight.reshape(-1, 1)
            starts = np.flatnonzero(np.diff(bins[short], prepend=-1)) * n
            for first in range(0, mean.size, _BLOCK):
                block = slice(first, first + _BLOCK)
                weighted = density(smearing, x, x - mean[block], mean[block], width[block])
                result[bins[short][starts // n], block] += np.add.reduceat(weighted * weight, starts, axis=0)
        for i in np.flatnonzero(seen & ~few & ~more):
            near = (mean + _REACH * width > low[i]) & (mean - _REACH * width < high[i])
            if near.any():
                result[bins[i], near] += self._over_panels(mean[near], width[near], low[i], high[i])
        return result

    def _over_panels(self, mean: Floats, width: Floats, low: float, high: float) -> Floats:
        """The smeared response from `low` to `high`, in panels no wider than the smearing."""
        smearing = self.response.smearing
        assert isinstance(smearing, GaussianSmearing | GammaSmearing)
        nodes, weights = gauss_legendre(32)
        nodes, weights = (nodes + 1) / 2, weights / 2
        # In units of the width, from the mean: wide enough on the right for an exponential tail.
        grid = np.array([-_REACH, -9, -6, -4, -2, -1, 0, 1, 2, 4, 6, 9, 13, 18, 25, _REACH], dtype=np.float64)[:, None]
        if low > 0 or isinstance(smearing, GaussianSmearing):
            panels = np.clip(grid, (low - mean) / width, (high - mean) / width)
            z = panels[:-1, :, None] + np.diff(panels, axis=0)[..., None] * nodes
            offset, dx = z * width[:, None], np.diff(panels, axis=0)[..., None] * weights * width[:, None]
            x = np.clip(mean[:, None] + offset, low, high)
        else:  # x^(shape − 1) is not smooth at 0, in v with x ∝ v⁸ it is
            near_zero = np.array([0.0, 0.05, 0.15, 0.3])[:, None] * mean
            panels = np.clip(np.concatenate([near_zero, np.maximum(mean + width * grid, near_zero[-1])]), low, high)
            at_zero = (panels[:-1] == 0)[..., None]
            x = panels[:-1, :, None] + np.diff(panels, axis=0)[..., None] * nodes
            x = np.where(at_zero, panels[1:, :, None] * nodes**8, x)
            dx = np.diff(panels, axis=0)[..., None] * weights
            dx = np.where(at_zero, panels[1:, :, None] * 8 * nodes**7 * weights, dx)
            offset = x - mean[:, None]
        weighted = density(smearing, x, offset, mean[:, None], width[:, None]) * self.response.accept(x)
        return np.asarray(np.sum(weighted * dx, axis=(0, 2)))

    def response_breakpoints(self, maximum: float) -> tuple[float, ...]:
        """Recoil energies (MeV) below `maximum` at which a bin's response is not smooth."""
        found = set(_response_breakpoints(self, maximum))
        for each in self.responses.values():
            found.update(self.with_response(each).response_breakpoints(maximum))
        return tuple(sorted(found))

    def check_quenching(self, maximum: float) -> None:
        """`ValueError` unless the mean observable is finite, >= 0 and does not fall up to a recoil of `maximum` MeV."""
        for each in self.responses.values():
            self.with_response(each).check_quenching(maximum)
        if isinstance(self.response, ResponseMatrix) or not callable(self.response.quenching):
            return
        grid = np.geomspace(1e-9 * maximum, maximum, 2000)
        try:
            mean = self.response.mean(grid)
        except ValueError as error:
            raise ValueError(f"{error} (recoils reach {maximum:.4g} MeV with this source)") from None
        falls = np.diff(mean) < -1e-12 * mean[1:]
        if falls.any():
            raise ValueError(
                f"quenching: the mean observable falls at a recoil of {grid[int(np.argmax(falls))]:.4g} MeV: "
                f"must not, up to {maximum:.4g} MeV, the largest recoil of this source"
            )

    def _take_snapshots(self) -> tuple[tuple[str, Snapshot], ...]:
        """What the user's own functions read now."""
        response, form_factor = self.response, self.form_factor
        T, x = _PROBE_T, self.bins[0] + (self.bins[-1] - self.bins[0]) * _PROBE_X

        def form_factors() -> Floats:
            found = [f(n, T) for n in self.target.nuclides[:3] for f in (form_factor.proton, form_factor.neutron)]
            return np.concatenate(found)

        taken = {
            "quenching": snapshot(response.quenching, lambda: response.quenching(T)),  # type: ignore[operator]
            "acceptance": snapshot(response.acceptance, lambda: response.acceptance(x)),  # type: ignore[operator]
            "form_factor": snapshot(form_factor, form_factors),
        }
        found = [(name, each) for name, each in taken.items() if each is not None]
        for component, given in self.responses.items():
            found += [(f"{component}: {name}", each) for name, each in self.with_response(given)._snapshots]
        return tuple(found)

    def recoil_at(self, x: float, maximum: float) -> float:
        """Recoil energy (MeV) at which the mean observable is x; inf if that is beyond `maximum`."""
        return float(self.recoils_at(np.array([x]), maximum)[0])

    def recoils_at(self, x: Floats, maximum: float) -> Floats:
        """Recoil energies (MeV) at which the mean observable is each x; inf beyond `maximum`."""
        if not callable(self.response.quenching):
            return x * KEV / (self.response.light_yield * float(self.response.quenching))
        lowest, highest = self.response.mean(np.array([0.0, maximum]))
        found = np.where(x <= lowest, 0.0, np.inf)
        inside = (x > lowest) & (x <= highest)
        if inside.any():
            found[inside] = _roots(lambda T: self.response.mean(T) - x[inside], np.full(inside.sum(), maximum))
        return found

    @property
    def form_factor_breakpoints(self) -> tuple[float, ...]:
        """Recoil energies (MeV) at which the target is another: where shells of bound electrons open."""
        breakpoints = getattr(self.form_factor, "breakpoints", None)
        if breakpoints is None:
            return ()
        return tuple(sorted({T for nuclide in self.target.nuclides for T in breakpoints(nuclide)}))

    @property
    def of_electrons(self) -> "Detector":
        """The same as a detector of electrons: its target are those of the atoms.

        Raises
        ------
        ValueError
            If it does not count them, or shells of its elements are not tabulated.
        """
        if self.electron_response is None:
            raise ValueError("electron_response = None: must be a Response where electrons are counted")
        return _of_electrons(self)

    def replace(self, **changes: Any) -> "Detector":
        """A copy with other fields."""
        validate.unknown_fields("detector", changes, [f.name for f in fields(self) if f.init])
        return replace(self, **changes)


def response_of_bins(detector: Detector, mean: Floats, first: int, last: int) -> Floats:
    """What `response_to_mean` gives of bins from the first to the one before the last."""
    return detector._of_edges(mean, np.array(detector.bins[first : last + 1]))


@remember(maxsize=128)
def _of_electrons(detector: Detector) -> Detector:
    """A detector of the electrons of the atoms, remembered."""
    assert detector.electron_response is not None
    target = electrons_of(detector.target)
    return Detector(target, detector.mass, detector.bins, detector.electron_response, BoundElectrons())


# Where functions of the user's are looked at: recoil energies (MeV), and fractions of the observable's range.
_PROBE_T, _PROBE_X = np.geomspace(1e-5, 0.02, 24), np.linspace(0.0, 1.0, 48)


# Widths from the mean beyond which there is nothing, an exponential tail included.
_REACH = 40


# How many means are evaluated together.
_BLOCK = 128


def reads_functions(detector: Detector) -> bool:
    """Whether it holds functions of the user's own."""
    return bool(detector._snapshots)


def differences_of(detector: Detector) -> list[tuple[str, str | None]]:
    """For each function of the user's own its name, and what it reads that has changed since the detector was made."""
    if not detector._snapshots:
        return []
    now = dict(detector._take_snapshots())
    return [(name, each.difference(now[name])) for name, each in detector._snapshots]


@remember(maxsize=8)
def _interpolation(n: int, of: int) -> Floats:
    """Values at `of` nodes of the polynomials that are 1 at one of n nodes and 0 at the others, float64[of, n]."""
    nodes, others = gauss_legendre(n)[0], gauss_legendre(of)[0]
    legvander = np.polynomial.legendre.legvander
    return np.asarray(legvander(others, n - 1) @ np.linalg.inv(legvander(nodes, n - 1)))


@remember(maxsize=128)
def _response_breakpoints(detector: Detector, maximum: float) -> tuple[float, ...]:
    """Breakpoints of quenching, and images of bin edges and acceptance breakpoints if nothing smears."""
    response = detector.response
    if isinstance(response, ResponseMatrix):
        return tuple(T for T in response.energies if 0 < T < maximum)
    found = {*breakpoints_of(response.quenching), response.recoil_threshold}
    if response.smearing is None:
        observables = np.array([*detector.bins, *breakpoints_of(response.acceptance)])
        found.update(detector.recoils_at(observables, maximum).tolist())
    return tuple(sorted(T for T in found if 0 < T < maximum))


def _roots(rising: Callable[[Floats], Floats], high: Floats) -> Floats:
    """Where functions that do not fall, from < 0 at 0 to >= 0 at `high`, become >= 0, to the last digit.

    By halving ln T, then T: as many steps for all as one of them takes, and none is larger than 70.
    """
    low = 1e-3 * high
    while np.any(above := (rising(low) >= 0) & (low > np.finfo(float).tiny)):
        low, high = np.where(above, 1e-3 * low, low), np.where(above, low, high)
    while True:
        middle = np.where(high > 2 * low, np.sqrt(low) * np.sqrt(high), 0.5 * (low + high))
        between = (low < middle) & (middle < high)
        if not between.any():
            return high
        above = rising(middle) >= 0
        low, high = np.where(between & ~above, middle, low), np.where(between & above, middle, high)
