"""The likelihoods of the explorer and everything that a page has to say of them, as JSON."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from cevns_fast.experiments.experiment import Experiment
from cevns_fast.likelihood.likelihood import Likelihood, function_of
from cevns_fast.likelihood.overlaps import check_overlaps
from cevns_fast.likelihood.parameters import Parameter
from cevns_fast.likelihood.pulls import Pull
from cevns_fast.output.explorer.choices import Choice
from cevns_fast.output.explorer.numbers import encoded
from cevns_fast.output.explorer.symbols import symbol, unit_of

Progress = Callable[[str], None]

# A normalisation with a width like this is free, whatever a file says to keep it a number.
_LOOSE = 100.0


def groups_of(experiments: Sequence[Experiment]) -> list[list[int]]:
    """Experiments that may be fitted together: each is in the first group that holds none of its data."""
    groups: list[list[int]] = []
    for i in range(len(experiments)):
        for group in groups:
            try:
                check_overlaps([experiments[j] for j in (*group, i)])
            except ValueError:
                continue
            group.append(i)
            break
        else:
            groups.append([i])
    return groups


def likelihood_of(experiments: Sequence[Experiment], choice: Choice, step: float | None = None) -> Likelihood:
    """The function of parameters behind a page."""
    fixed = dict(choice.fixed) | ({choice.stepped: step} if step is not None else {})
    bounds = {choice.mass: choice.bounds} if choice.mass and choice.bounds else None
    return Likelihood(experiments, model=choice.kind, parameters=choice.parameters, fixed=fixed, bounds=bounds)


def described_fit(
    experiments: Sequence[Experiment], groups: Sequence[Sequence[int]], choice: Choice, tell: Progress
) -> dict[str, Any]:
    """An interaction, with the numbers of a likelihood for each group of experiments and each step."""
    found = []
    bounds = {choice.mass: choice.bounds} if choice.bounds else {}
    choice = _with_bounds(experiments, groups, choice)
    for group in groups:
        members, blocks = [experiments[i] for i in group], []
        for step in choice.steps or (None,):
            at = f" at {choice.stepped} = {step:g} MeV" if step is not None else ""
            tell(f"{choice.kind.__name__}{at}: {', '.join(e.name for e in members)}")
            fit = likelihood_of(members, choice, step)
            blocks.append(encoded(function_of(fit).compressible()))
        found.append(
            {
                "experiments": list(group),
                "nuisances": [_nuisance(pull) for pull in function_of(fit).assembly.pulls],
                "blocks": blocks,
            }
        )
    stepped = {"name": choice.stepped, "symbol": symbol(choice.stepped), "values": list(choice.steps)}
    return {
        "name": choice.kind.__name__,
        "title": choice.title,
        "settings": choice.settings(),
        "python": {"fixed": {name: repr(value) for name, value in choice.fixed.items()}, "bounds": repr(bounds)},
        "parameters": [_parameter(choice, one) for one in fit.parameters],
        "stepped": stepped if choice.stepped else None,
        "groups": found,
    }


def _with_bounds(experiments: Sequence[Experiment], groups: Sequence[Sequence[int]], choice: Choice) -> Choice:
    """A choice whose mass has one range for all groups: beyond what one of them can produce it has no signal."""
    if not choice.mass or choice.bounds:
        return choice
    step = choice.steps[0] if choice.steps else None
    ranges = [likelihood_of([experiments[i] for i in group], choice, step).parameters[0] for group in groups]
    return replace(choice, bounds=(min(p.lower for p in ranges), max(p.upper for p in ranges)))


def _parameter(choice: Choice, one: Parameter) -> dict[str, Any]:
    """A parameter, which is the same for all groups."""
    is_mass = one.name == choice.mass and one.unit == "MeV"
    return {
        "name": one.name,
        "symbol": symbol(one.name, choice.kind.open_couplings.get(one.name, "")),
        "unit": one.unit or unit_of(choice.kind.open_couplings.get(one.name, "")),
        "description": one.description,
        "isMass": is_mass,
        "start": min(choice.start, one.upper / 2) if is_mass else one.default,
        "lower": _bound(one.lower),
        "upper": _bound(one.upper),
    }


def _bound(value: float) -> float | None:
    """A bound, None for none: JSON has no infinity."""
    return float(value) if math.isfinite(value) else None


def _nuisance(pull: Pull) -> dict[str, Any]:
    """A nuisance, and its width where that is a fraction of one thing."""
    scales = {float(size) for size in pull.scale if size != 0}
    is_scale = pull.samples is not None and not any(pull.shapes) and not pull.curves
    width = (scales.pop() if len(scales) == 1 else None) if scales else pull.sigma
    acts = [
        bool(pull.scale[i] or pull.shift[i].any() or pull.shapes[i] or any(c.experiment == i for c in pull.curves))
        for i in range(len(pull.shift))
    ]
    return {
        "name": pull.name,
        "acts": acts,  # on each experiment of the group
        "width": width if is_scale else None,
        "isFree": pull.is_free or pull.sigma >= _LOOSE,
    }
