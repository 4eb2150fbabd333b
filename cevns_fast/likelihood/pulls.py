"""Nuisances as the likelihood kernel sees them, and what it solves for in their stead."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._support.moved import renamed
from cevns_fast._validate import Floats
from cevns_fast.experiments.backgrounds import Background
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.likelihood.nuisances import (
    SIGNAL,
    AsymmetricNuisance,
    BackgroundShape,
    CovarianceMatrix,
    Nuisance,
    ScaleNuisance,
    ShapeNuisance,
)

# Beyond this condition a nuisance that stands for others costs more than six of sixteen digits.
_LARGEST_CONDITION = 1e6
# Smaller than this, a coefficient is what rounding leaves of zero.
_ROUNDING = 1e-13


class NuisanceCurve(NamedTuple):
    """What a nuisance does to a sample of an experiment that is no straight line."""

    experiment: int
    sample: int  # 0 is the signal, 1 the first background
    log_up: float = 0.0  # of the factor one standard deviation up
    log_down: float = 0.0
    polynomial: tuple[float, ...] = ()  # between them; empty for an exponential
    bent: Floats | None = None  # counts that a bend adds, in place of a factor


@dataclass(frozen=True, eq=False)
class Pull:
    """A nuisance as the kernel sees it, for each experiment; zero where it does nothing."""

    name: str
    owner: str  # in words
    sigma: float  # from standard deviations to the quantity it scales
    own: int | None  # the experiment it belongs to alone
    background: Background | None  # what it scales there; None for the signal
    scale: Floats  # [experiments]
    shift: tuple[Floats, ...]
    shapes: tuple[tuple[Experiment, Experiment] | None, ...]
    is_free: bool = False  # nothing constrains it
    samples: tuple[int, ...] | None = None  # which sample of each experiment `shift` is of; −1, the default, for none
    curves: tuple[NuisanceCurve, ...] = ()

    def sample(self, i: int) -> int:
        """Which sample of an experiment `shift` is of: 0 is the signal, −1 stands for none."""
        return -1 if self.samples is None else self.samples[i]


class Basis(NamedTuple):
    """What the kernel solves for: c where all nuisances a are 0, a = mix (c − offset), and signals in terms of c."""

    offset: Floats  # [nuisances]
    mix: Floats  # [nuisances, nuisances]
    factor: Floats  # [experiments]: a signal is multiplied by factor + scale · c
    scale: Floats  # [experiments, nuisances]


def labels_of(experiments: Sequence[Experiment]) -> tuple[str, ...]:
    """Names that tell the experiments apart: those of a second and further copies of one carry their number."""
    alone = tuple(e.name for e in experiments)
    if len(set(alone)) == len(alone):
        return alone
    numbered = _numbered(experiments)
    names = dict.fromkeys(alone)
    copies = [(number, f"copy {number!r}") for number in numbered if number is not None]
    validate.unique([*((name, f"experiment {name!r}") for name in names), *copies])
    seen: set[str] = set()
    labels = []
    for e, number in zip(experiments, numbered, strict=True):
        labels.append(number if number is not None and e.name in seen else e.name)
        seen.add(e.name)
    return tuple(labels)


def _numbered(experiments: Sequence[Experiment]) -> list[str | None]:
    """Name and number of each experiment whose name is not its alone."""
    names = [e.name for e in experiments]
    return [f"{x} #{1 + names[:i].count(x)}" if names.count(x) > 1 else None for i, x in enumerate(names)]


def pulls_of(experiments: Sequence[Experiment], signals: Sequence[Floats], shared: Sequence[Nuisance]) -> list[Pull]:
    """The nuisances of each experiment, given the Standard Model's signals, then the shared ones."""
    labels = labels_of(experiments)
    found = [pull for i in range(len(experiments)) for pull in _own(experiments, labels, i, signals[i])]
    for each in shared:
        if isinstance(each, ScaleNuisance):
            found.append(_scale(each, experiments))
        elif isinstance(each, ShapeNuisance):
            found.append(_shape(each, experiments))
        elif isinstance(each, AsymmetricNuisance):
            found.append(_asymmetric(each, experiments))
        elif isinstance(each, BackgroundShape):
            found.append(_background_shape(each, experiments))
        else:
            found += _covariance(each, experiments)
    validate.unique((pull.name, pull.owner) for pull in found)
    return found


def _own(experiments: Sequence[Experiment], labels: Sequence[str], i: int, signal: Floats) -> list[Pull]:
    """The nuisances of one experiment: its backgrounds' and its signal's."""
    n, e, found = len(experiments), experiments[i], []
    nothing = tuple(np.zeros(each.n_bins) for each in experiments)
    prefix = f"{labels[i]}: " if n > 1 else ""
    for j, b in enumerate(e.backgrounds, 1):
        if b.uncertainty > 0:
            name, owner = f"{prefix}beta: {b.name}", f"background {b.name!r} of {labels[i]}"
            size, free = (1.0, True) if b.uncertainty == math.inf else (b.uncertainty, False)
            shift = (*nothing[:i], size * b.counts, *nothing[i + 1 :])
            found.append(Pull(name, owner, size, i, b, np.zeros(n), shift, (None,) * n, free, (j,) * n))
    if e.signal_uncertainty > 0:
        on_all = e.signal_uncertainty_on == "prediction"
        scale = np.where(np.arange(n) == i, e.signal_uncertainty if on_all else 0.0, 0.0)
        shift = nothing if on_all else (*nothing[:i], e.signal_uncertainty * signal, *nothing[i + 1 :])
        owner = f"the signal_uncertainty of {labels[i]}"
        sigma = e.signal_uncertainty
        found.append(Pull(f"{prefix}alpha", owner, sigma, i, None, scale, shift, (None,) * n, samples=(0,) * n))
    return found


def _acting(name: str, given: Sequence[str] | None, experiments: Sequence[Experiment]) -> list[list[str]]:
    """For each experiment, those of the given names that are its own; all of them if none are given."""
    names = [(e.name, number) for e, number in zip(experiments, _numbered(experiments), strict=True)]
    for each in given or ():
        if not any(each in pair for pair in names):
            validate.choice(f"experiments of {name!r}", each, labels_of(experiments))
    return [[e.name] if given is None else [x for x in given if x in pair]
            for e, pair in zip(experiments, names, strict=True)]  # fmt: skip


def _sample_of(name: str, on: str, acting: Sequence[bool], experiments: Sequence[Experiment]) -> tuple[int, ...]:
    """The number of a sample in each experiment that has it: 0 is the signal, −1 stands for none."""
    if on == SIGNAL:
        return tuple(0 if acts else -1 for acts in acting)
    found = [next((j for j, b in enumerate(e.backgrounds, 1) if b.name == on), -1) for e in experiments]
    if all(j < 0 for j, acts in zip(found, acting, strict=True) if acts):
        known = dict.fromkeys(
            b.name for e, acts in zip(experiments, acting, strict=True) if acts for b in e.backgrounds
        )
        validate.choice(f"on, of {name!r}", on, [SIGNAL, *known])
    return tuple(j if acts else -1 for j, acts in zip(found, acting, strict=True))


def _scale(nuisance: ScaleNuisance, experiments: Sequence[Experiment]) -> Pull:
    """What scales the signals, or a background, of some experiments."""
    sizes, n = nuisance.sizes, len(experiments)
    acting = _acting(nuisance.name, nuisance.experiments, experiments)
    samples = _sample_of(nuisance.name, nuisance.on, [bool(each) for each in acting], experiments)
    size = np.array([(sizes.get(each[0], sizes[None]) if None in sizes else sizes[each[0]]) if each else 0.0
                     for each in acting])  # fmt: skip
    size[np.array(samples) < 0] = 0.0
    free, sigma = nuisance.constraint == "free", sizes.get(None, 1.0)
    if free:
        size, sigma = np.where(size > 0, 1.0, 0.0), 1.0
    owner, nothing = f"ScaleNuisance {nuisance.name!r}", tuple(np.zeros(e.n_bins) for e in experiments)
    if nuisance.constraint == "log-normal":
        curves = tuple(
            NuisanceCurve(i, j, u, -u) for i, (j, u) in enumerate(zip(samples, size.tolist(), strict=True)) if j >= 0
        )
        return Pull(
            nuisance.name, owner, sigma, None, None, np.zeros(n), nothing, (None,) * n, False, samples, curves
        )  # fmt: skip
    if nuisance.on == SIGNAL:
        return Pull(nuisance.name, owner, sigma, None, None, size, nothing, (None,) * n, free, samples)
    shift = tuple(
        u * e.backgrounds[j - 1].counts if j > 0 else zero
        for u, e, j, zero in zip(size.tolist(), experiments, samples, nothing, strict=True)
    )
    return Pull(nuisance.name, owner, sigma, None, None, np.zeros(n), shift, (None,) * n, free, samples)


def _asymmetric(nuisance: AsymmetricNuisance, experiments: Sequence[Experiment]) -> Pull:
    """What multiplies by one number up, by another down."""
    n, acting = len(experiments), _acting(nuisance.name, nuisance.experiments, experiments)
    samples = _sample_of(nuisance.name, nuisance.on, [bool(each) for each in acting], experiments)
    high, low = 1 + nuisance.up, 1 + nuisance.down
    polynomial, nothing = _between(high, low), tuple(np.zeros(e.n_bins) for e in experiments)
    curves = tuple(
        NuisanceCurve(i, j, math.log(high), math.log(low), polynomial) for i, j in enumerate(samples) if j >= 0
    )
    owner = f"AsymmetricNuisance {nuisance.name!r}"
    return Pull(nuisance.name, owner, 1.0, None, None, np.zeros(n), nothing, (None,) * n, False, samples, curves)


def _between(high: float, low: float) -> tuple[float, ...]:
    """a₁ … a₆ of 1 + Σ a_i θ^i, which meets high^θ at 1 and low^(−θ) at −1 with two derivatives (HistFactory 4)."""
    powers, (log_high, log_low) = np.arange(1, 7), (math.log(high), math.log(low))
    rows, values = [], []
    for x, base, slope in ((1.0, high, log_high), (-1.0, low, -log_low)):
        rows += [x**powers, powers * x ** (powers - 1), powers * (powers - 1) * x**powers]
        values += [base - 1, base * slope, base * slope**2]
    return tuple(np.linalg.solve(np.array(rows), np.array(values)).tolist())


def _background_shape(nuisance: BackgroundShape, experiments: Sequence[Experiment]) -> Pull:
    """What changes the shape of a background: half the difference along a line, the mean change along a bend."""
    n, name = len(experiments), nuisance.name
    given = None if None in nuisance.up else tuple(x for x in nuisance.up if x is not None)
    if given is None and sum(b.name == nuisance.background for e in experiments for b in e.backgrounds) > 1:
        raise ValueError(f"up of {name!r}: several experiments have that background, must be a mapping by experiment")
    acting = _acting(name, given, experiments)
    samples = _sample_of(name, nuisance.background, [bool(each) for each in acting], experiments)
    shift, curves = [np.zeros(e.n_bins) for e in experiments], []
    for i, (e, j, each) in enumerate(zip(experiments, samples, acting, strict=True)):
        if j < 0:
            continue
        key = None if given is None else each[0]
        nominal, up = e.backgrounds[j - 1].counts, nuisance.up[key]
        down = up if nuisance.down is None else nuisance.down[key]
        for side, counts in (("up", up), ("down", down)):
            if counts.shape != nominal.shape:
                shape = counts.shape
                raise ValueError(f"{side} of {name!r}: has shape {shape}, must be that of {e.name}: {nominal.shape}")
        if nuisance.down is None:
            down = 2 * nominal - up
        shift[i] = 0.5 * (up - down)
        bent = 0.5 * (up + down) - nominal
        if nuisance.down is not None and bent.any():
            curves.append(NuisanceCurve(i, j, bent=bent))
    owner = f"BackgroundShape {name!r}"
    return Pull(
        name, owner, 1.0, None, None, np.zeros(n), tuple(shift), (None,) * n, False, samples, tuple(curves)
    )  # fmt: skip


def covariance_of(nuisance: CovarianceMatrix, experiments: Sequence[Experiment]) -> tuple[list[int], Floats, float]:
    """The experiments of a covariance matrix, what nuisances have to make of it, and the variance that remains.

    A covariance of the data is that of independent errors, of half its smallest eigenvalue, and the rest.
    """
    acting = _acting(nuisance.name, nuisance.experiments, experiments)
    chosen = [i for i, each in enumerate(acting) if each]
    bins = sum(experiments[i].n_bins for i in chosen)
    if nuisance.matrix.shape != (bins, bins):
        shape = nuisance.matrix.shape
        raise ValueError(f"matrix of {nuisance.name!r}: has shape {shape}, must be ({bins}, {bins}), all bins in order")
    smallest = float(np.linalg.eigvalsh(nuisance.matrix)[0])
    own = 0.5 * smallest if nuisance.of == "data" else 0.0
    return chosen, nuisance.matrix - own * np.eye(bins), own


def _covariance(nuisance: CovarianceMatrix, experiments: Sequence[Experiment]) -> list[Pull]:
    """A nuisance for each principal axis of a covariance."""
    chosen, matrix, _ = covariance_of(nuisance, experiments)
    sizes, axes = np.linalg.eigh(matrix)
    ends = np.cumsum([experiments[i].n_bins for i in chosen])[:-1]
    n, found = len(experiments), list[Pull]()
    for size, axis in zip(sizes[::-1], axes.T[::-1], strict=True):
        if size <= _ROUNDING * sizes[-1]:
            continue
        shift = [np.zeros(e.n_bins) for e in experiments]
        shapes: list[tuple[Experiment, Experiment] | None] = [None] * n
        for i, part in zip(chosen, np.split(math.sqrt(size) * axis, ends), strict=True):
            if nuisance.of == "signal":
                shapes[i] = _calibrated(nuisance.name, experiments[i], part)
            else:
                shift[i] = part
        name = f"{nuisance.name} #{len(found) + 1}"
        owner = f"CovarianceMatrix {nuisance.name!r}"
        found.append(Pull(name, owner, 1.0, None, None, np.zeros(n), tuple(shift), tuple(shapes)))
    return found


def _calibrated(name: str, experiment: Experiment, fractions: Floats) -> tuple[Experiment, Experiment]:
    """An experiment with so much more signal in each bin, and with so much less."""
    if np.abs(fractions).max() >= 1:
        raise ValueError(f"matrix of {name!r}: has a principal axis of {np.abs(fractions).max():.3g}, must be below 1")
    shape = experiment.whole.shape
    every = np.zeros(experiment.whole.n_bins)
    every[list(experiment.kept)] = fractions
    nominal = 1.0 if experiment.calibration is None else experiment.calibration
    up, down = (nominal * (1 + sign * every.reshape(shape)) for sign in (1, -1))
    return experiment.replace(calibration=up), experiment.replace(calibration=down)


def _shape(nuisance: ShapeNuisance, experiments: Sequence[Experiment]) -> Pull:
    """What changes the shapes of some experiments."""
    for variant in (*nuisance.up, *nuisance.down):
        copies = [e for e in experiments if e.name == variant.name]
        if not copies:
            validate.choice(f"experiments of {nuisance.name!r}", variant.name, [e.name for e in experiments])
        if any((e.source, e.detector, e.exposure) != (copies[0].source, copies[0].detector, copies[0].exposure)
               for e in copies):  # fmt: skip
            raise ValueError(
                f"{nuisance.name!r}: {variant.name!r} is the name of {len(copies)} experiments with different signals, "
                "must be that of one: give the copies names of their own with replace(name=...)"
            )
        if any((variant.detector.bins, variant.excluded) != (e.detector.bins, e.excluded) for e in copies):
            raise ValueError(f"{nuisance.name!r}: {variant.name} must keep its bins")
    n, nothing = len(experiments), tuple(np.zeros(e.n_bins) for e in experiments)
    shapes = tuple(nuisance.pair(e.name) for e in experiments)
    return Pull(nuisance.name, f"ShapeNuisance {nuisance.name!r}", 1.0, None, None, np.zeros(n), nothing, shapes)


def solved_for(scale: Floats, profiled: Sequence[bool]) -> Basis:
    """The basis in which as many experiments as possible have a nuisance of their own that scales the signal.

    For each experiment one profiled nuisance, its own if it has one, stands for all that scale its signal.

    Parameters
    ----------
    scale : float64[experiments, nuisances]
        What a standard deviation of each nuisance does to each signal.
    profiled : sequence of bool
    """
    n = len(profiled)
    offset, unmix, stands = np.zeros(n), np.eye(n), dict[int, int]()
    for i, mine in enumerate(scale):
        candidates = [k for k in range(n) if mine[k] > 0 and profiled[k] and offset[k] == 0]
        candidates.sort(key=lambda k: (np.count_nonzero(scale[:, k]), -mine[k]))
        for k in candidates[:1]:
            trial = unmix.copy()
            trial[k] = mine / mine[k]
            if np.linalg.cond(trial) < _LARGEST_CONDITION:
                offset[k], unmix, stands[i] = 1 / mine[k], trial, k
    mix: Floats = np.asarray(np.linalg.inv(unmix))
    mixed: Floats = scale @ mix
    mixed[np.abs(mixed) < _ROUNDING * scale.max(axis=1, initial=0.0, keepdims=True)] = 0.0
    factor: Floats = 1 - mixed @ offset
    factor[np.abs(factor) < _ROUNDING] = 0.0
    for i, k in stands.items():
        mixed[i], factor[i] = np.where(np.arange(n) == k, scale[i], 0.0), 0.0
    return Basis(offset, mix, factor, mixed)


def __getattr__(name: str) -> Any:
    """A class by the name that old pickles have."""
    return renamed(__name__, name)
