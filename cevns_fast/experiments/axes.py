"""Axes of the bins beside the observable: time, and what else a release sorts its events by.

Counts are observable × time × release axis, flattened in C order. What neutrinos of one kind bring to the observable's
bins is spread along time by the fractions of that kind, and along the release axis by P(z | bin of the observable).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike

from cevns_fast import _validate as validate
from cevns_fast._support.quadrature import gauss_legendre
from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.experiments.sources import FluxComponent, Source

PION_LIFETIME = 0.026033  # µs, Particle Data Group 2024
MUON_LIFETIME = 2.1969811  # µs, the same

#: Species of pions that decay at rest which come with the pion; all others come with the muon.
_OF_PIONS = ("nu_mu",)
_WIDEST = 0.25  # µs: panels of the integrals over time
_NODES = 24
# A pulse has no neutrinos further ahead than this many widths.
_AHEAD = 12.0


@dataclass(frozen=True)
class ExponentialEfficiency:
    """Efficiency in time: 1 until `start`, then exp(−rate (t − start)).

    Attributes
    ----------
    start : float
        µs.
    rate : float
        Per µs.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> float(cf.ExponentialEfficiency(start=0.52, rate=0.0494)([2.0])[0].round(3))
    0.929
    """

    start: float
    rate: float

    def __post_init__(self) -> None:
        validate.number("start", self.start)
        validate.number("rate", self.rate, minimum=0.0)

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Where it begins to fall."""
        return (self.start,)

    def __call__(self, t: ArrayLike) -> Floats:
        return np.exp(-self.rate * np.maximum(validate.real("t", t) - self.start, 0.0))


@dataclass(frozen=True)
class ProtonPulse:
    """A Gaussian pulse of protons, whose pions and muons decay at rest.

    Attributes
    ----------
    mean, width : float
        Of the pulse, µs; the standard deviation is `width`.
    pion_lifetime, muon_lifetime : float
        µs.
    efficiency : float or function
        Of events by their time (µs, array); an object with `breakpoints` tells where it is not smooth.

    Raises
    ------
    ValueError
        If a number is not positive, or the efficiency is not a number or a function.

    Notes
    -----
    ν_μ come with the pion: the pulse convolved with an exponential. ν_e and ν̄_μ come with the muon: convolved with
    both.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> pulse = cf.ProtonPulse(mean=0.47, width=0.15)
    >>> pulse.fractions("nu_mu", (0.0, 1.0, 6.0)).round(3).tolist()
    [0.999, 0.001]
    >>> pulse.fractions("nu_e", (0.0, 1.0, 6.0)).round(3).tolist()
    [0.203, 0.715]
    >>> pulse.density("nu_e", [0.5, 2.0]).round(3).tolist()  # per µs
    [0.22, 0.23]
    """

    mean: float
    width: float
    pion_lifetime: float = PION_LIFETIME
    muon_lifetime: float = MUON_LIFETIME
    efficiency: float | Callable[[Floats], ArrayLike] = 1.0

    def __post_init__(self) -> None:
        validate.number("mean", self.mean)
        for name in ("width", "pion_lifetime", "muon_lifetime"):
            validate.number(name, getattr(self, name), positive=True)
        if self.pion_lifetime == self.muon_lifetime:
            raise ValueError(f"muon_lifetime = {self.muon_lifetime!r}: must differ from pion_lifetime")
        if isinstance(self.efficiency, type) or not callable(self.efficiency):
            validate.number("efficiency", self.efficiency, minimum=0.0)

    def density(self, species: str, t: ArrayLike) -> Floats:
        """Neutrinos of a species per µs at times t (µs), normalised to one, before the efficiency."""
        t = validate.real("t", t)
        of_pions = self._after(t, self.pion_lifetime)
        if species in _OF_PIONS:
            return of_pions
        a, b = self.muon_lifetime, self.pion_lifetime
        return np.asarray((a * self._after(t, a) - b * of_pions) / (a - b))

    def _after(self, t: Floats, lifetime: float) -> Floats:
        """The pulse convolved with one exponential decay."""
        x = (t - self.mean) / self.width
        z = (self.width / lifetime - x) / np.sqrt(2)
        # Either form overflows where the other does not.
        near = np.exp(-0.5 * x * x) * scipy.special.erfcx(np.maximum(z, 0.0))
        far = np.exp(np.minimum(z, 0.0) ** 2 - 0.5 * x * x) * scipy.special.erfc(np.minimum(z, 0.0))
        return np.asarray(np.where(z > 0, near, far) / (2 * lifetime))

    def fractions(self, species: str, edges: Sequence[float]) -> Floats:
        """The fraction of a species' events in each bin of time (edges in µs), with the efficiency."""
        return _fractions(self, species in _OF_PIONS, tuple(float(t) for t in edges))


@remember(maxsize=256)
def _fractions(pulse: ProtonPulse, prompt: bool, edges: tuple[float, ...]) -> Floats:
    """Gauss–Legendre in panels that the density and the efficiency are smooth in."""
    x, w = gauss_legendre(_NODES)
    species = _OF_PIONS[0] if prompt else "nu_e"
    step = min(_WIDEST, pulse.width)
    breaks = [float(t) for t in getattr(pulse.efficiency, "breakpoints", ())]
    found = np.zeros(len(edges) - 1)
    for i, (low, high) in enumerate(pairwise(edges)):
        low = max(low, pulse.mean - _AHEAD * pulse.width)
        if low >= high:
            continue
        for a, b in pairwise([low, *sorted(t for t in breaks if low < t < high), high]):
            ends = np.linspace(a, b, 1 + int(np.ceil((b - a) / step)))
            half, middle = np.diff(ends)[:, None] / 2, (ends[1:] + ends[:-1])[:, None] / 2
            t = middle + half * x
            kept = pulse.efficiency(t.ravel()) if callable(pulse.efficiency) else float(pulse.efficiency)
            kept = validate.real("values of efficiency", kept)
            found[i] += np.sum(half * w * pulse.density(species, t) * np.broadcast_to(kept, t.size).reshape(t.shape))
    found.setflags(write=False)
    return found


@dataclass(frozen=True)
class TimeAxis:
    """Bins of time, and how each kind of neutrino fills them.

    Attributes
    ----------
    edges : tuple of float
        Increasing, µs.
    fractions : mapping of str to (float, …), or None
        For each flux component, by its name, the fraction of its events in each bin, with the efficiency in time.
    pulse : ProtonPulse or None
        What they are computed from instead.

    Raises
    ------
    ValueError
        If the edges do not increase, a fraction is negative, or not exactly one of `fractions` and `pulse` is there.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> time = cf.TimeAxis((0.0, 1.0, 6.0), {"nu_mu": (1.0, 0.0), "nu_e": (0.2, 0.7), "anti_nu_mu": (0.2, 0.7)})
    >>> time.n_bins, time.of("nu_e").tolist()
    (2, [0.2, 0.7])
    >>> pulsed = cf.TimeAxis((0.0, 1.0, 6.0), pulse=cf.ProtonPulse(mean=0.47, width=0.15))
    >>> late = pulsed.shifted(0.1)
    >>> bool(late.of("nu_e")[0] < pulsed.of("nu_e")[0])
    True
    """

    edges: tuple[float, ...]
    fractions: Mapping[str, Sequence[float]] | tuple[tuple[str, tuple[float, ...]], ...] | None = None
    pulse: ProtonPulse | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "edges", tuple(validate.increasing("edges", self.edges).tolist()))
        if (self.fractions is None) == (self.pulse is None):
            raise ValueError("fractions, pulse: must be exactly one of them")
        if self.pulse is not None:
            validate.instance("pulse", self.pulse, ProtonPulse, "a ProtonPulse")
        if self.fractions is not None:
            try:
                given = dict(self.fractions)
            except (TypeError, ValueError):
                raise ValueError(f"fractions = {self.fractions!r}: must be by name of a flux component") from None
            listed = []
            for name, values in given.items():
                label = f"fractions of {name!r}"
                vector = validate.vector(label, values, length=self.n_bins, minimum=0.0)
                listed.append((validate.text("name of a flux component", name), tuple(vector.tolist())))
            object.__setattr__(self, "fractions", tuple(listed))

    @property
    def n_bins(self) -> int:
        """Number of bins of time."""
        return len(self.edges) - 1

    def of(self, component: str) -> Floats:
        """The fraction of a component's events in each bin, float64[n_bins].

        Raises
        ------
        ValueError
            If the component is none of those named.
        """
        if self.pulse is not None:
            return self.pulse.fractions(component, self.edges)
        assert isinstance(self.fractions, tuple)
        by_name: dict[str, tuple[float, ...]] = dict(self.fractions)
        return np.array(by_name[validate.choice("flux component of the time axis", component, list(by_name))])

    def shifted(self, by: float) -> "TimeAxis":
        """The same axis with a pulse that comes later by so many µs, for an uncertain onset.

        Raises
        ------
        ValueError
            If the axis has no pulse.
        """
        if self.pulse is None:
            raise ValueError("pulse = None: must be a ProtonPulse for an axis that can be shifted")
        return replace(self, pulse=replace(self.pulse, mean=self.pulse.mean + validate.number("by", by)))


@dataclass(frozen=True, eq=False)
class ReleaseAxis:
    """A further axis that a release sorts events by: how those of each bin of the observable are spread along it.

    Attributes
    ----------
    name : str
        What the axis is, "F90" say.
    probabilities : float64[n_z] or float64[n_observable, n_z]
        P(z | bin of the observable), which need not add up to one. With (1, 0) the signal is in the first of two
        bins: the second may hold what was counted with the beam off.
    others : mapping of str to the same
        Of flux components, by name, that are spread otherwise; ``"electrons"`` are the recoils of electrons.

    Raises
    ------
    ValueError
        If a probability is negative, or the shape is another.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> cf.ReleaseAxis("beam", (1.0, 0.0)).n_bins
    2
    >>> cf.ReleaseAxis("F90", (0.1, 0.9), {"electrons": (0.95, 0.05)}).of_electrons.probabilities.tolist()
    [0.95, 0.05]
    """

    name: str
    probabilities: Any
    others: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        validate.text("name of a ReleaseAxis", self.name)
        found = _probabilities("probabilities", self.probabilities)
        object.__setattr__(self, "probabilities", found)
        others = {}
        for name, given in validate.mapping("others", self.others).items():
            others[name] = _probabilities(f"others of {name!r}", given)
            if others[name].shape[-1] != found.shape[-1]:
                n = found.shape[-1]
                raise ValueError(f"others of {name!r}: has {others[name].shape[-1]} bins along the axis, must have {n}")
        object.__setattr__(self, "others", others)

    def of(self, component: str) -> Floats:
        """The probabilities of a flux component's recoils."""
        found: Floats = self.others.get(component, self.probabilities)
        return found

    @property
    def of_electrons(self) -> "ReleaseAxis":
        """The axis for recoils of electrons, whatever made them recoil."""
        mine = self.others.get(ELECTRONS)
        return self if mine is None else ReleaseAxis(self.name, mine)

    @property
    def n_bins(self) -> int:
        """Number of bins along the axis."""
        return int(self.probabilities.shape[-1])


#: What recoils of electrons are called among flux components.
ELECTRONS = "electrons"


def _probabilities(name: str, given: Any) -> Floats:
    """P(z), or P(z | bin of the observable)."""
    found = validate.array(name, given)
    if found.ndim not in (1, 2) or found.size == 0 or np.any(found < 0):
        raise ValueError(f"{name}: have shape {found.shape}, must be >= 0, (n_z,) or (n_observable, n_z)")
    return found


@dataclass(frozen=True, eq=False)
class Spread:
    """How counts of the observable's bins, by group of flux components, become counts of all bins."""

    groups: tuple[tuple[FluxComponent, ...], ...]
    weights: Floats  # [groups, observable, others]

    def of(self, counts: Floats) -> Floats:
        """Counts [groups, ..., observable] as counts [..., bins]."""
        total = np.einsum("g...b,gbk->...bk", counts, self.weights)
        return np.ascontiguousarray(total.reshape(*total.shape[:-2], -1))


def shape_of(n_observable: int, time: TimeAxis | None, release: ReleaseAxis | None) -> tuple[int, ...]:
    """Numbers of bins along each axis that there is."""
    return (n_observable, *(each.n_bins for each in (time, release) if each is not None))


def calibrated(name: str, given: Any, shape: tuple[int, ...], has_release: bool) -> Floats:
    """Factors for all bins, from as many or from factors for each bin of observable and time; read-only."""
    factors = validate.array(name, given)
    if has_release and factors.shape == shape[:-1]:
        factors = np.broadcast_to(factors[..., None], shape)
    if factors.size != np.prod(shape) or np.any(factors < 0):
        allowed = f"{shape} or {shape[:-1]}" if has_release else str(shape)
        raise ValueError(f"{name}: has shape {factors.shape}, must be {allowed}, of numbers >= 0")
    found = np.array(factors, dtype=np.float64).reshape(shape)
    found.setflags(write=False)
    return found


@remember(maxsize=256)
def spread_of(
    source: Source, n_observable: int, time: TimeAxis | None, release: ReleaseAxis | None, calibration: bytes | None
) -> Spread:
    """Components that are spread alike, together, and how; remembered, so that they are the same objects.

    `calibration` are the bytes of factors for all bins.
    """
    found: dict[tuple[bytes, bytes], tuple[Floats, Floats, list[FluxComponent]]] = {}
    for each in source.components:
        fractions = np.ones(1) if time is None else time.of(each.name)
        sorted_by = np.ones((1, 1)) if release is None else np.atleast_2d(release.of(each.name))
        alike = fractions.tobytes(), sorted_by.tobytes()
        found.setdefault(alike, (fractions, sorted_by, []))[2].append(each)
    weights = []
    for fractions, sorted_by, _ in found.values():
        weight = fractions[None, :, None] * sorted_by[:, None, :]
        weight = np.broadcast_to(weight, (n_observable, *weight.shape[1:]))
        if calibration is not None:
            weight = weight * np.frombuffer(calibration).reshape(weight.shape)
        weights.append(weight.reshape(n_observable, -1))
    return Spread(tuple(tuple(each) for *_, each in found.values()), np.array(weights))
