"""Counts of interactions as polynomials in the couplings that are left open, from either engine."""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import Any, Literal, NamedTuple

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._support.loading import load
from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.counts.flux import beams_of, groups_of, parts_of
from cevns_fast.counts.rows import integrate, rows_of, setting_of
from cevns_fast.experiments.experiment import Experiment, without_data
from cevns_fast.experiments.sources import Source
from cevns_fast.interactions.numerical import NumericalInteraction
from cevns_fast.interactions.process import Beam, Collision, Exponents, Interaction
from cevns_fast.interactions.standard_model import StandardModel
from cevns_fast.parallel.threads import checked

WithStandardModel = bool | StandardModel
TargetParticles = Literal["all", "nuclei", "electrons"]
DEFAULT_RTOL = 1e-11
Method = Literal["moments", "double-integral"]
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


def count_polynomial(
    experiment: Experiment,
    batch: Sequence[Interaction],
    couplings: Sequence[str] = (),
    phases: Mapping[str, complex] | None = None,
    *,
    standard_model: WithStandardModel = False,
    target: TargetParticles = "all",
    method: Method = "moments",
    rtol: float = DEFAULT_RTOL,
    threads: int = 1,
) -> CountPolynomial:
    """Counts of interactions of one kind, as a polynomial in the couplings that are left open.

    Those of the Standard Model are not among them, but the interference with it is.
    """
    kind, model = type(batch[0]), chosen_model(standard_model)
    names = kind.check_couplings(couplings, phases or {})
    question = batch, names, phases or {}, model, method, rtol, threads
    if target == "electrons":
        if experiment.detector.electron_response is None:
            raise ValueError(f"target = 'electrons': {experiment.name or 'the experiment'} has no electron_response")
        recoiling: tuple[bool, ...] = (True,)
    else:
        recoiling = (False,) if target == "nuclei" or experiment.detector.electron_response is None else (False, True)
    found = [_of_particles(part, e, *question) for e in recoiling for part in parts_of(experiment, e)]
    return reduce(_sum, found)


def _of_particles(
    experiment: Experiment,
    electrons: bool,
    batch: Sequence[Interaction],
    names: tuple[str, ...],
    phases: Mapping[str, complex],
    model: StandardModel | None,
    method: Method,
    rtol: float,
    threads: int,
) -> CountPolynomial:
    """The counts of nuclei or of electrons."""
    kind = type(batch[0])
    constant = (0,) * len(names)
    if issubclass(kind, NumericalInteraction):
        if electrons:  # it has none
            values = np.zeros((len(batch), 1, experiment.n_bins))
            return CountPolynomial(names, (constant,), values, values.copy())
        exponents, values = double_integral().counts(experiment, batch, names, rtol, threads)
        return CountPolynomial(names, exponents, values, np.zeros_like(values))
    setting = setting_of(experiment, rtol, kind.parts(batch, model), electrons)
    tells = kind.tells_flavours(batch, electrons, model)
    groups = groups_of(experiment) if experiment.has_axes else (setting.source,)
    beams: list[tuple[int, Beam | None, Source]] = []
    for g, group in enumerate(groups):
        beams += [(g, *pair) for pair in beams_of(group)] if tells else [(g, None, group)]
    found = [
        [
            (g, source, each)
            for g, beam, source in beams
            for each in kind.scatterings(batch, Collision(n, beam, model), names, phases)
        ]
        for n in setting.nuclides
    ]
    some = found[0]
    if not some:
        nothing = np.zeros((len(batch), 1, experiment.n_bins))
        return CountPolynomial(names, (constant,), nothing, nothing.copy())
    processes = {n: [each.process for *_, each in of] for n, of in zip(setting.nuclides, found, strict=True)}
    amplitudes = {n: [each.amplitudes for *_, each in of] for n, of in zip(setting.nuclides, found, strict=True)}
    whole = not tells and len(groups) == 1
    sources = None if whole else [source for _, source, _ in some]
    rows = rows_of(setting, processes, amplitudes, sources)
    n = len(rows.exponents)
    n_seen = experiment.detector.n_bins if setting.matrix is None else len(setting.matrix)
    seen = np.zeros((len(groups), len(batch), n + len(rows.complex_ones), n_seen))
    for (g, _, each), integrand in zip(some, rows.of_process, strict=True):
        if integrand is None:
            continue
        if method == "moments":
            integrate(setting.plan, integrand, each.process, seen[g], threads)
        else:
            double_integral().integrate(setting, integrand, each.process, seen[g], rtol, threads)
    if setting.matrix is not None:
        seen = seen @ setting.matrix
    out = experiment.spread.of(seen) if experiment.has_axes else seen[0]
    if experiment.excluded:  # the kernel fills all of the detector's bins
        out = out[..., list(experiment.kept)]
    imaginary = np.zeros((len(batch), n, experiment.n_bins))
    for i, place in enumerate(rows.complex_ones):
        imaginary[:, place] = out[:, n + i]
    return CountPolynomial(names, rows.exponents, out[:, :n], imaginary)


def double_integral() -> Any:
    """The other engine, which needs numba and is loaded when it is used."""
    return load("cevns_fast.counts.double_integral")


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
    """Counts of interactions of one kind and, unless they are it, of the Standard Model, which is constant."""
    include = False if isinstance(batch[0], StandardModel) else standard_model
    constant = standard_model_counts(experiment, include, rtol, batch, target, method)
    polynomial = count_polynomial(
        experiment, batch, couplings, phases, standard_model=include, target=target, method=method, rtol=rtol,
        threads=threads,
    )  # fmt: skip
    polynomial.values[:, 0] += constant
    return polynomial


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
        own: Floats = count_polynomial(experiment, [model], target=target, rtol=rtol).values[0, 0].copy()
        own.setflags(write=False)
        return own
    counts = _of_detector(experiment.source, experiment.detector, experiment.exposure, model, rtol, target)
    if experiment.excluded:
        counts = counts[list(experiment.kept)]
        counts.setflags(write=False)
    return counts


@remember(maxsize=256)
def _of_detector(
    source: Any, detector: Any, exposure: float, model: StandardModel, rtol: float, target: TargetParticles
) -> Floats:
    """Counts of the Standard Model, read-only."""
    bare = without_data(source, detector, exposure)
    counts: Floats = count_polynomial(bare, [model], target=target, rtol=rtol).values[0, 0].copy()
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
        return np.asarray(count_polynomial(experiment, [chosen], target=target, method=method, rtol=rtol).values[0, 0])
    return _standard_model(experiment, chosen, rtol, target)


def check_experiment(experiment: Any) -> None:
    """`ValueError` unless it is an experiment."""
    if not isinstance(experiment, Experiment):
        raise ValueError(f"experiment = {experiment!r}: must be an Experiment, e.g. cevns_fast.load(...)")
    experiment.check_unchanged()


def checked_rtol(rtol: Any) -> float:
    """An accuracy; `ValueError` otherwise."""
    if not 1e-14 <= validate.number("rtol", rtol) <= 1e-2:
        raise ValueError(f"rtol = {rtol!r}: must be from 1e-14 to 1e-2")
    return float(rtol)


def checked_interactions(interaction: Any, rtol: Any = DEFAULT_RTOL, threads: Any = 1) -> list[Interaction]:
    """The interactions as a list; `ValueError` for arguments of the wrong kind."""
    checked_rtol(rtol)
    checked(threads)
    found = [interaction]
    if not isinstance(interaction, Interaction) and isinstance(interaction, Iterable):
        found = list(interaction)
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
