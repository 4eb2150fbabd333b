"""Nuisances as the likelihood kernel sees them, and what it solves for in their stead."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.experiments.backgrounds import Background
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.likelihood.nuisances import Nuisance, ScaleNuisance, ShapeNuisance

# Beyond this condition a nuisance that stands for others costs more than six of sixteen digits.
_LARGEST_CONDITION = 1e6
# Smaller than this, a coefficient is what rounding leaves of zero.
_ROUNDING = 1e-13


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


class Basis(NamedTuple):
    """What the kernel solves for: c where all nuisances a are 0, a = mix (c − offset), and signals in terms of c."""

    offset: Floats  # [nuisances]
    mix: Floats  # [nuisances, nuisances]
    factor: Floats  # [experiments]: a signal is multiplied by factor + scale · c
    scale: Floats  # [experiments, nuisances]


def labels_of(experiments: Sequence[Experiment]) -> tuple[str, ...]:
    """Names that tell the experiments apart: those of a second and further copies of one carry their number."""
    numbered = _numbered(experiments)
    names = dict.fromkeys(e.name for e in experiments)
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
        else:
            raise ValueError(f"nuisances = {each!r}: must be a ScaleNuisance or a ShapeNuisance")
    validate.unique((pull.name, pull.owner) for pull in found)
    return found


def _own(experiments: Sequence[Experiment], labels: Sequence[str], i: int, signal: Floats) -> list[Pull]:
    """The nuisances of one experiment: its backgrounds' and its signal's."""
    n, e, found = len(experiments), experiments[i], []
    nothing = tuple(np.zeros(each.n_bins) for each in experiments)
    prefix = f"{labels[i]}: " if n > 1 else ""
    for b in e.backgrounds:
        if b.uncertainty > 0:
            name, owner = f"{prefix}beta: {b.name}", f"background {b.name!r} of {labels[i]}"
            shift = (*nothing[:i], b.uncertainty * b.counts, *nothing[i + 1 :])
            found.append(Pull(name, owner, b.uncertainty, i, b, np.zeros(n), shift, (None,) * n))
    if e.signal_uncertainty > 0:
        on_all = e.signal_uncertainty_on == "prediction"
        scale = np.where(np.arange(n) == i, e.signal_uncertainty if on_all else 0.0, 0.0)
        shift = nothing if on_all else (*nothing[:i], e.signal_uncertainty * signal, *nothing[i + 1 :])
        owner = f"the signal_uncertainty of {labels[i]}"
        found.append(Pull(f"{prefix}alpha", owner, e.signal_uncertainty, i, None, scale, shift, (None,) * n))
    return found


def _scale(nuisance: ScaleNuisance, experiments: Sequence[Experiment]) -> Pull:
    """What scales the signals of some experiments."""
    n, given = len(experiments), nuisance.experiments
    names = [{e.name, number} for e, number in zip(experiments, _numbered(experiments), strict=True)]
    for name in given or ():
        if not any(name in each for each in names):
            validate.choice(f"experiments of {nuisance.name!r}", name, labels_of(experiments))
    acts = [given is None or not each.isdisjoint(given) for each in names]
    nothing = tuple(np.zeros(e.n_bins) for e in experiments)
    scale = nuisance.uncertainty * np.array(acts, dtype=np.float64)
    owner = f"ScaleNuisance {nuisance.name!r}"
    return Pull(nuisance.name, owner, nuisance.uncertainty, None, None, scale, nothing, (None,) * n)


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
