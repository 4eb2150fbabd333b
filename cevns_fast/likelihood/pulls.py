"""Nuisances as the likelihood kernel sees them, and what it solves for in their stead."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
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
    sigma: float  # from standard deviations to the quantity it scales
    own: int | None  # the experiment it belongs to alone
    scale: Floats  # [experiments]
    shift: tuple[Floats, ...]
    shapes: tuple[tuple[Experiment, Experiment] | None, ...]


class Basis(NamedTuple):
    """What the kernel solves for: c where all nuisances a are 0, a = mix (c − offset), and signals in terms of c."""

    offset: Floats  # [nuisances]
    mix: Floats  # [nuisances, nuisances]
    factor: Floats  # [experiments]: a signal is multiplied by factor + scale · c
    scale: Floats  # [experiments, nuisances]


def pulls_of(experiments: Sequence[Experiment], signals: Sequence[Floats], shared: Sequence[Nuisance]) -> list[Pull]:
    """The nuisances of each experiment, given the Standard Model's signals, then the shared ones."""
    found = [pull for i in range(len(experiments)) for pull in _own(experiments, i, signals[i])]
    n, names = len(experiments), [e.name for e in experiments]
    nothing = tuple(np.zeros(e.n_bins) for e in experiments)
    for each in shared:
        if not isinstance(each, ScaleNuisance | ShapeNuisance):
            raise ValueError(f"nuisances = {each!r}: must be a ScaleNuisance or a ShapeNuisance")
        if each.name in [pull.name for pull in found]:
            raise ValueError(f"nuisances: {each.name!r} is there already")
        if isinstance(each, ScaleNuisance):
            for name in each.experiments or ():
                validate.choice(f"experiments of {each.name!r}", name, names)
            acts = [each.experiments is None or name in each.experiments for name in names]
            scale = each.uncertainty * np.array(acts, dtype=np.float64)
            found.append(Pull(each.name, each.uncertainty, None, scale, nothing, (None,) * n))
            continue
        for variant in (*each.up, *each.down):
            validate.choice(f"experiments of {each.name!r}", variant.name, names)
            nominal = experiments[names.index(variant.name)]
            if (variant.detector.bins, variant.excluded) != (nominal.detector.bins, nominal.excluded):
                raise ValueError(f"{each.name!r}: {variant.name} must keep its bins")
        found.append(Pull(each.name, 1.0, None, np.zeros(n), nothing, tuple(map(each.pair, names))))
    return found


def _own(experiments: Sequence[Experiment], i: int, signal: Floats) -> list[Pull]:
    """The nuisances of one experiment: its backgrounds' and its signal's."""
    n, e, found = len(experiments), experiments[i], []
    nothing = tuple(np.zeros(each.n_bins) for each in experiments)
    twins = sum(other.name == e.name for other in experiments[:i])  # copies keep their name
    prefix = f"{e.name}{f' #{twins + 1}' if twins else ''}: " if n > 1 else ""
    for b in e.backgrounds:
        if b.uncertainty > 0:
            shift = (*nothing[:i], b.uncertainty * b.counts, *nothing[i + 1 :])
            found.append(Pull(f"{prefix}beta: {b.name}", b.uncertainty, i, np.zeros(n), shift, (None,) * n))
    if e.signal_uncertainty > 0:
        on_all = e.signal_uncertainty_on == "prediction"
        scale = np.where(np.arange(n) == i, e.signal_uncertainty if on_all else 0.0, 0.0)
        shift = nothing if on_all else (*nothing[:i], e.signal_uncertainty * signal, *nothing[i + 1 :])
        found.append(Pull(f"{prefix}alpha", e.signal_uncertainty, i, scale, shift, (None,) * n))
    return found


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
