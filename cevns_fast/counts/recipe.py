"""What makes counts of an interaction's masses: all that is asked of an interaction before an integral is done.

Which rows there are, and what multiplies them, does not depend on masses: a recipe serves all interactions that are
alike but for these.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, Literal, NamedTuple

import numpy as np

from cevns_fast._support.loading import load
from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.counts.flux import beams_of, groups_of, parts_of
from cevns_fast.counts.rows import Integrand, Masses, Rows, Setting, integrate, rows_of, setting_of
from cevns_fast.experiments.axes import Spread
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.experiments.sources import Source
from cevns_fast.interactions.numerical import NumericalInteraction
from cevns_fast.interactions.process import Batch, Beam, Collision, Exponents, Interaction, of_batch
from cevns_fast.interactions.standard_model import StandardModel

TargetParticles = Literal["all", "nuclei", "electrons"]
Method = Literal["moments", "double-integral"]


class Ingredient(NamedTuple):
    """A process, for neutrinos of one state that are spread alike along all axes."""

    group: int  # of those that are spread alike
    masses: Masses
    integrand: Integrand


class Recipe(NamedTuple):
    """Counts of nuclei or of electrons in a part of an experiment, for given masses."""

    exponents: tuple[Exponents, ...]
    complex_ones: tuple[int, ...]  # which of them have a second row
    ingredients: tuple[Ingredient, ...]
    setting: Setting
    n_groups: int
    n_integrated: int  # bins that are integrated
    n_bins: int
    spread: Spread | None
    kept: list[int] | None

    def counts(self, n: int, masses: Masses | None, method: Method, rtol: float, threads: int) -> tuple[Floats, Floats]:
        """Counts and what complex couplings see beside them, float64[n, monomials, n_bins].

        Masses are those of all processes, or each process's own.
        """
        setting, n_rows = self.setting, len(self.exponents)
        seen = np.zeros((self.n_groups, n, n_rows + len(self.complex_ones), self.n_integrated))
        for group, own, integrand in self.ingredients:
            if method == "moments":
                integrate(setting.plan, integrand, masses or own, seen[group], threads)
            else:
                double_integral().integrate(setting, integrand, masses or own, seen[group], rtol, threads)
        if setting.matrix is not None:
            seen = seen @ setting.matrix
        out = seen[0] if self.spread is None else self.spread.of(seen)
        if self.kept is not None:  # the kernel fills all of the detector's bins
            out = out[..., self.kept]
        imaginary = np.zeros((n, n_rows, self.n_bins))
        for i, place in enumerate(self.complex_ones):
            imaginary[:, place] = out[:, n_rows + i]
        return out[:, :n_rows], imaginary


def double_integral() -> Any:
    """The other engine, which needs numba and is loaded when it is used."""
    return load("cevns_fast.counts.double_integral")


def recoiling(experiment: Experiment, target: TargetParticles) -> list[tuple[Experiment, bool]]:
    """The parts of an experiment in which what recoils is seen alike, and whether that is electrons."""
    has_electrons = experiment.detector.electron_response is not None
    if target == "electrons" and not has_electrons:
        raise ValueError(f"target = 'electrons': {experiment.name or 'the experiment'} has no electron_response")
    electrons = {"nuclei": [False], "electrons": [True], "all": [False, True][: 1 + has_electrons]}[target]
    return [(part, each) for each in electrons for part in parts_of(experiment, each)]


def recipe_of(
    experiment: Experiment,
    electrons: bool,
    batch: Sequence[Interaction],
    names: tuple[str, ...],
    phases: Mapping[str, complex],
    model: StandardModel | None,
    rtol: float,
) -> Recipe:
    """The recipe for interactions of one kind, with these couplings open."""
    kind = type(batch[0])
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
    some, rows = found[0], Rows(((0,) * len(names),), (), ())
    if some:
        processes = {n: [each.process for *_, each in of] for n, of in zip(setting.nuclides, found, strict=True)}
        amplitudes = {n: [each.amplitudes for *_, each in of] for n, of in zip(setting.nuclides, found, strict=True)}
        whole = not tells and len(groups) == 1
        rows = rows_of(setting, processes, amplitudes, None if whole else [source for _, source, _ in some])
    return Recipe(
        rows.exponents,
        rows.complex_ones,
        tuple(
            Ingredient(g, (each.process.final_mass, each.process.mediator_mass), integrand)
            for (g, _, each), integrand in zip(some, rows.of_process, strict=True)
            if integrand is not None
        ),
        setting,
        len(groups),
        experiment.detector.n_bins if setting.matrix is None else len(setting.matrix),
        experiment.n_bins,
        experiment.spread if experiment.has_axes else None,
        list(experiment.kept) if experiment.excluded else None,
    )


def masses_of_all(batch: Sequence[Interaction]) -> Masses | None:
    """The masses of all processes, if the kind has the same for each and nothing else depends on them."""
    names = type(batch[0]).mass_fields
    return None if names is None else (_mass(batch, names[0]), _mass(batch, names[1]))


def _mass(batch: Sequence[Interaction], name: str) -> Batch:
    """A field, or 0 for none."""
    return of_batch(batch, name) if name else 0.0


def common_to(batch: Sequence[Interaction], opened: tuple[str, ...]) -> Any:
    """A key for what interactions of one kind are but for masses and open couplings; None if they have no such one."""
    content = _content(type(batch[0]), opened)
    if content is None:
        return None
    first = content(batch[0])
    if len(batch) == 1:
        return first
    if content(batch[-1]) != first:
        return None
    every = list(map(content, batch))
    return first if every.count(first) == len(every) else None  # by identity, which is faster than by value


@remember(maxsize=128)
def _content(kind: type[Interaction], opened: tuple[str, ...]) -> Callable[[Interaction], Any] | None:
    """What fetches it; None for a kind of the user's, which may read anything."""
    if kind.__module__.partition(".")[0] != __name__.partition(".")[0] or issubclass(kind, NumericalInteraction):
        return None
    left_out = {*(kind.mass_fields or ()), *opened}
    names = [each.name for each in fields(kind) if each.name not in left_out]  # type: ignore[arg-type]
    return attrgetter(*names) if names else lambda each: ()
