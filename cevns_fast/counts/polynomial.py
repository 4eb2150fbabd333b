"""Counts of interactions as polynomials in the couplings that are left open, from either engine."""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._support.remember import Memory, remember
from cevns_fast._validate import Floats
from cevns_fast.counts.recipe import (
    Method,
    Recipe,
    TargetParticles,
    common_to,
    double_integral,
    masses_of_all,
    recipe_of,
    recoiling,
)
from cevns_fast.experiments.experiment import Experiment, without_data
from cevns_fast.interactions.numerical import NumericalInteraction
from cevns_fast.interactions.process import Exponents, Interaction
from cevns_fast.interactions.standard_model import StandardModel
from cevns_fast.parallel.threads import checked

WithStandardModel = bool | StandardModel
DEFAULT_RTOL = 1e-11
METHODS = ("moments", "double-integral")


class CountPolynomial(NamedTuple):
    """Counts of a batch of interactions as a polynomial in open couplings.

    Attributes
    ----------
    couplings : tuple of str
    exponents : tuple of tuple of int
        One monomial each, the constant first.
    values : float64[n, monomials, n_bins]
    imaginary : float64[n, monomials, n_bins]
        What multiplies Im(x_i* x_j) of complex couplings in a mixed monomial x_i x_j.
    """

    couplings: tuple[str, ...]
    exponents: tuple[Exponents, ...]
    values: Floats
    imaginary: Floats


def _sum(one: CountPolynomial, other: CountPolynomial) -> CountPolynomial:
    """Of two polynomials in the same couplings."""
    exponents = tuple(dict.fromkeys((*one.exponents, *other.exponents)))
    values = np.zeros((len(one.values), len(exponents), one.values.shape[-1]))
    imaginary = np.zeros_like(values)
    for each in (one, other):
        places = [exponents.index(e) for e in each.exponents]
        values[:, places] += each.values
        imaginary[:, places] += each.imaginary
    return CountPolynomial(one.couplings, exponents, values, imaginary)


class _Question(NamedTuple):
    """What is asked of interactions."""

    names: tuple[str, ...]  # of the open couplings
    phases: Mapping[str, complex]
    standard_model: WithStandardModel
    target: TargetParticles
    method: Method
    rtol: float


class _Known(NamedTuple):
    """What interactions have in common that are alike but for masses and open couplings."""

    recipes: tuple[Recipe, ...]
    standard_model: Floats  # counts per bin


_remembered: Memory[_Known] = Memory(maxsize=256)


def total_polynomial(
    experiment: Experiment,
    batch: Sequence[Interaction],
    couplings: Sequence[str] = (),
    phases: Mapping[str, complex] | None = None,
    *,
    standard_model: WithStandardModel,
    target: TargetParticles = "all",
    method: Method = "moments",
    rtol: float = DEFAULT_RTOL,
    threads: int = 1,
) -> CountPolynomial:
    """Counts of interactions of one kind, as a polynomial in the couplings that are left open.

    The constant monomial has the counts of the Standard Model too, unless it is left out or is the interaction.
    """
    kind, phases = type(batch[0]), phases or {}
    names = kind.check_couplings(couplings, phases)
    chosen_model(standard_model)
    common = common_to(batch, names)
    known = masses = None  # each process has its own masses
    if common is not None:
        key = (experiment, kind, common, names, tuple(phases.items()), standard_model, target, method, rtol)
        known, masses = _remembered.get(key), masses_of_all(batch)
    if known is None:
        asked = _Question(names, phases, standard_model, target, method, rtol)
        if issubclass(kind, NumericalInteraction):
            return _of_functions(experiment, batch, asked, threads)
        known = _known(experiment, batch if common is None else batch[:1], asked)
        if common is not None:
            _remembered.keep(key, known)
    found = [
        CountPolynomial(names, recipe.exponents, *recipe.counts(len(batch), masses, method, rtol, threads))
        for recipe in known.recipes
    ]
    return _summed(found, known.standard_model)


def _known(experiment: Experiment, batch: Sequence[Interaction], asked: _Question) -> _Known:
    """What is remembered of interactions."""
    include = False if isinstance(batch[0], StandardModel) else asked.standard_model
    constant = standard_model_counts(experiment, include, asked.rtol, batch, asked.target, asked.method)
    model = chosen_model(include)
    recipes = [
        recipe_of(part, electrons, batch, asked.names, asked.phases, model, asked.rtol)
        for part, electrons in recoiling(experiment, asked.target)
    ]
    return _Known(tuple(recipes), constant)


def _of_functions(experiment: Experiment, batch: Sequence[Any], asked: _Question, threads: int) -> CountPolynomial:
    """The polynomial for cross sections of the user's, on nuclei alone."""
    names, model, rtol = asked.names, asked.standard_model, asked.rtol
    constant = standard_model_counts(experiment, model, rtol, batch, asked.target, asked.method)
    found = []
    for part, electrons in recoiling(experiment, asked.target):
        if electrons:
            exponents: tuple[Exponents, ...] = ((0,) * len(names),)
            values = np.zeros((len(batch), 1, part.n_bins))
        else:
            exponents, values = double_integral().counts(part, batch, names, rtol, threads)
        found.append(CountPolynomial(names, exponents, values, np.zeros_like(values)))
    return _summed(found, constant)


def _summed(found: Sequence[CountPolynomial], constant: Floats) -> CountPolynomial:
    """Of all parts, with what is in the constant monomial."""
    total = reduce(_sum, found)
    total.values[:, 0] += constant
    return total


def chosen_model(model: WithStandardModel) -> StandardModel | None:
    """The default one, a stated one or none."""
    if model is False:
        return None
    if model is not True and not isinstance(model, StandardModel):
        raise ValueError(f"standard_model = {model!r}: must be True, False or a StandardModel")
    return _DEFAULT_MODEL if model is True else model


_DEFAULT_MODEL = StandardModel()


@remember(maxsize=256)
def _standard_model(experiment: Experiment, model: StandardModel, rtol: float, target: TargetParticles) -> Floats:
    """Counts of the Standard Model, remembered for this object and for all that differ in data only."""
    if experiment.has_axes:
        return _alone(experiment, model, rtol, target)
    counts = _of_detector(experiment.source, experiment.detector, experiment.exposure, model, rtol, target)
    if experiment.excluded:
        counts = counts[list(experiment.kept)]
        counts.setflags(write=False)
    return counts


@remember(maxsize=256)
def _of_detector(
    source: Any, detector: Any, exposure: float, model: StandardModel, rtol: float, target: TargetParticles
) -> Floats:
    """Counts of the Standard Model in all bins."""
    return _alone(without_data(source, detector, exposure), model, rtol, target)


def _alone(
    experiment: Experiment, model: StandardModel, rtol: float, target: TargetParticles, method: Method = "moments"
) -> Floats:
    """Counts of the Standard Model, read-only."""
    polynomial = total_polynomial(experiment, [model], standard_model=False, target=target, method=method, rtol=rtol)
    counts: Floats = polynomial.values[0, 0].copy()
    counts.setflags(write=False)
    return counts


def standard_model_counts(
    experiment: Experiment,
    model: WithStandardModel,
    rtol: float = DEFAULT_RTOL,
    beside: Sequence[Interaction] = (),
    target: TargetParticles = "all",
    method: Method = "moments",
) -> Floats:
    """Counts of the Standard Model that goes with interactions: the default one, a stated one or none."""
    chosen = chosen_model(model)
    if chosen is None:
        return np.zeros(experiment.n_bins)
    if beside and type(beside[0]).check_standard_model is not Interaction.check_standard_model:
        for each in beside:
            each.check_standard_model(chosen)
    if method != "moments":
        return _alone(experiment, chosen, rtol, target, method)
    return _standard_model(experiment, chosen, rtol, target)


def check_experiment(experiment: Any) -> None:
    """`ValueError` unless it is an experiment."""
    if not isinstance(experiment, Experiment):
        raise ValueError(f"experiment = {experiment!r}: must be an Experiment, e.g. cevns_fast.load(...)")
    experiment.check_unchanged()


def checked_rtol(rtol: Any) -> float:
    """An accuracy; `ValueError` otherwise."""
    found = validate.number("rtol", rtol)
    if not 1e-14 <= found <= 1e-2:
        raise ValueError(f"rtol = {rtol!r}: must be from 1e-14 to 1e-2")
    return found


def checked_interactions(interaction: Any, rtol: Any = DEFAULT_RTOL, threads: Any = 1) -> list[Interaction]:
    """The interactions as a list; `ValueError` for arguments of the wrong kind."""
    checked_rtol(rtol)
    checked(threads)
    if isinstance(interaction, Interaction):
        return [interaction]
    found = list(interaction) if isinstance(interaction, Iterable) else [interaction]
    if not found:
        raise ValueError("interaction = []: must hold at least one interaction")
    strangers = {kind for kind in set(map(type, found)) if not issubclass(kind, Interaction)}
    if strangers:
        each = next(each for each in found if type(each) in strangers)
        raise ValueError(f"interaction = {each!r}: must be an interaction, e.g. cevns_fast.SingletEFT(...)")
    return found


def checked_batch(interaction: Any, rtol: Any = DEFAULT_RTOL, threads: Any = 1) -> list[Interaction]:
    """The interactions as a list, of one kind; `ValueError` for arguments of the wrong kind."""
    batch = checked_interactions(interaction, rtol, threads)
    if len(set(map(type, batch))) > 1:
        raise ValueError("interaction: all interactions of a list must be of one kind")
    return batch
