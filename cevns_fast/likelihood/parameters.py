"""The parameters of a fit by name: which are free, in which range, and what interaction they make."""

import inspect
import math
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from cevns_fast import _validate as validate
from cevns_fast.counts.count_table import heaviest
from cevns_fast.experiments.snapshots import Snapshot, snapshot
from cevns_fast.interactions.process import Interaction
from cevns_fast.likelihood.outer_parameters import OUTER_PARAMETERS, Context, OuterParameter, Vary, unit_of
from cevns_fast.likelihood.pulls import Pull


@dataclass(frozen=True)
class Parameter:
    """A free parameter of a fit.

    Attributes
    ----------
    name, description, unit : str
        The unit is "MeV", "σ" for a nuisance in standard deviations, or "" for a pure number, which a nuisance is
        that nothing constrains.
    default : float
        Where a fit may begin.
    lower, upper : float
        Bounds, perhaps infinite; χ² is infinite beyond them.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> fit = cf.Likelihood(cf.load("coherent-csi-2017"), model=cf.SingletEFT, parameters=("m_chi", "C_V"))
    >>> [(p.name, p.unit, p.lower, round(p.upper, 1)) for p in fit.parameters]
    [('m_chi', 'MeV', 0.0, 52.8), ('C_V', '', -inf, inf)]
    """

    name: str
    description: str
    unit: str
    default: float
    lower: float
    upper: float


@dataclass(frozen=True)
class FitModel:
    """What the values of the parameters mean.

    Attributes
    ----------
    parameters : tuple of Parameter
    couplings : tuple of str
        Those that are free.
    phases : mapping of str to complex
    structure : str or None
        The one free parameter that is neither a coupling nor a nuisance, such as ``m_chi``.
    make : callable
        From a value of it to an interaction.
    vary : callable or None
        If it is not of the interaction: from what counts depend on beside it, and a value, to another such context.
    is_final_mass : bool
        Whether the structure is the mass of what leaves.
    """

    parameters: tuple[Parameter, ...]
    couplings: tuple[str, ...]
    phases: Mapping[str, complex]
    structure: str | None
    make: Callable[[float], Interaction]
    vary: Vary | None = None
    is_final_mass: bool = False
    read: Snapshot | None = None  # what a function of the user's own read when it was given

    def check_unchanged(self) -> None:
        """`ValueError` if the function that makes interactions reads what has changed."""
        now = self.snapshot()
        path = self.read.difference(now) if self.read is not None and now is not None else None
        if path is not None:
            raise ValueError(
                f"model: {path} has changed since the likelihood was made; what was computed is remembered, "
                "so a function must not change: make a new likelihood"
            )

    def snapshot(self) -> Snapshot | None:
        """What the function that makes interactions reads now."""
        return snapshot(getattr(self.make, "build", self.make), list)


Model = type[Interaction] | Interaction | Callable[..., Interaction]


def fit_model(
    model: Any,
    names: Sequence[str],
    fixed: Mapping[str, Any],
    phases: Mapping[str, complex],
    bounds: Mapping[str, tuple[float, float]],
    pulls: Sequence[Pull],
    contexts: Sequence[Context],
) -> FitModel:
    """Check everything and put it together; see `Likelihood` for what is allowed."""
    names = _checked_names(names, fixed, phases, bounds)
    kind, nuisances = _kind(model), {pull.name: pull for pull in pulls}
    _check_names(model, kind, pulls)
    structure, outer = _structure_of(model, kind, names, nuisances, fixed)
    ranges = {name: _range(name, given) for name, given in bounds.items()}
    is_final_mass = structure == (kind or Interaction).final_mass_name
    middle = 0.0
    if structure is not None:
        ranges[structure] = _structure_range(structure, outer, ranges.get(structure), is_final_mass, contexts)
        middle = sum(ranges[structure]) / 2
    known = kind.open_couplings if kind else {}
    make = _maker(model, kind, None if outer else structure, fixed, [name for name in names if name in known])
    made = _made(model, make, middle)
    if kind is None:
        _check_names(model, type(made), pulls)
    couplings = tuple(name for name in names if name not in nuisances and name != structure)
    type(made).check_couplings(couplings, phases)
    found = []
    for name in names:
        start, *anywhere = type(made).coupling_ranges.get(name, (0.0, -math.inf, math.inf))
        low, high = ranges.get(name, anywhere)
        if name == structure:
            text = outer.description if outer is not None else f"{name} of {type(made).__name__}"
            unit, default = unit_of(name), middle
        elif name in nuisances:
            text, unit, default = f"nuisance {name}", "" if nuisances[name].is_free else "σ", 0.0
        else:
            text, unit, default = type(made).open_couplings[name], "", start
        if not low <= default <= high:
            default = low if default < low else high
        found.append(Parameter(name, text, unit, default, low, high))
    model_of = FitModel(
        tuple(found), couplings, dict(phases), structure, make, outer.vary if outer else None, is_final_mass
    )
    return replace(model_of, read=model_of.snapshot() if kind is None else None)


def _checked_names(
    names: Sequence[str],
    fixed: Mapping[str, Any],
    phases: Mapping[str, complex],
    bounds: Mapping[str, tuple[float, float]],
) -> tuple[str, ...]:
    """The parameters' names, each once, and none of them fixed."""
    names = validate.names("parameters", names)
    if not names:
        raise ValueError(f"parameters = {names!r}: must be a sequence of names")
    for what, given in (("fixed", fixed), ("phases", phases), ("bounds", bounds)):
        validate.mapping(what, given)
    if len(set(names)) != len(names):
        raise ValueError(f"parameters = {tuple(names)}: each may be named once")
    for name in fixed:
        if name in names:
            raise ValueError(f"fixed: {name!r} is among the parameters")
    for name in bounds:
        validate.choice("bounds", name, names)
    return names


def _structure_of(
    model: Any,
    kind: type[Interaction] | None,
    names: Sequence[str],
    nuisances: Container[str],
    fixed: Mapping[str, Any],
) -> tuple[str | None, OuterParameter | None]:
    """The one parameter that is neither a coupling nor a nuisance, if any, and what it is if it is not the model's."""
    known = kind.open_couplings if kind else {}
    free = [name for name in names if name not in nuisances and name not in known]
    if kind is None:  # a function: its arguments are its parameters, and what it makes has the couplings
        arguments = _arguments(model)
        if arguments is not None:
            validate.unknown_fields("fixed", fixed, arguments)
        own = arguments or []
        free = [name for name in free if arguments is None or name in own or name in OUTER_PARAMETERS]
    else:
        own = [f.name for f in fields(kind)]  # type: ignore[arg-type]
        for name in free:
            if name not in OUTER_PARAMETERS:
                validate.choice("parameters", name, [*own, *(n for n in known if n not in own)])
    if len(free) > 1:
        raise ValueError(f"parameters = {tuple(names)}: at most one of {free} may be free; fix or tie the others")
    structure = free[0] if free else None
    return structure, OUTER_PARAMETERS.get(structure or "") if structure not in own else None


def _structure_range(
    name: str,
    outer: OuterParameter | None,
    stated: tuple[float, float] | None,
    is_final_mass: bool,
    contexts: Sequence[Context],
) -> tuple[float, float]:
    """Where that parameter may be: as stated, or from what the experiments allow."""
    widest = stated
    if widest is None and outer is not None:
        widest = outer.widest(contexts)
    elif widest is None and is_final_mass:
        widest = 0.0, max(heaviest(each.experiment) for each in contexts)
    if widest is None:
        raise ValueError(f"bounds: {name!r} needs a finite range, bounds={{{name!r}: (low, high)}}")
    if not all(map(math.isfinite, widest)):
        raise ValueError(f"bounds of {name} = {widest}: must be finite")
    if outer is not None:
        for x in widest:
            for context in contexts:
                outer.vary(context, x)  # refuses what has none
    return widest


def _made(model: Any, make: "Maker", x: float) -> Interaction:
    """An interaction at a value of that parameter; `ValueError` if the model makes none."""
    try:
        made = make(x)
    except TypeError as error:
        raise ValueError(f"model = {model!r}: fails with {error}") from error
    if not isinstance(made, Interaction):
        raise ValueError(f"model = {model!r}: makes {made!r}, must make an interaction")
    return made


def claims_of(kind: type[Interaction]) -> list[tuple[str, str]]:
    """The names of the couplings and other parameters of a kind of interaction, and whose they are."""
    own = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    names = dict.fromkeys([*kind.open_couplings, *own])
    return [(n, f"{'coupling' if n in kind.open_couplings else 'parameter'} {n} of {kind.__name__}") for n in names]


def _check_names(model: Any, kind: type[Interaction] | None, pulls: Sequence[Pull]) -> None:
    """Refuse a nuisance with the name of a parameter of the model."""
    taken = dict(claims_of(kind)) if kind else {}
    if not isinstance(model, type | Interaction):  # what a function takes is often a coupling of what it makes
        taken |= {name: f"argument {name} of the model" for name in _arguments(model) or ()}
    validate.unique([*taken.items(), *((pull.name, pull.owner) for pull in pulls)])


def _arguments(function: Callable[..., Any]) -> list[str] | None:
    """Names of the arguments of a function; None if it takes any."""
    try:
        arguments = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some of what is written in C does not tell
        return None
    if any(each.kind is each.VAR_KEYWORD for each in arguments):
        return None
    return [each.name for each in arguments]


def _kind(model: Any) -> type[Interaction] | None:
    """The kind of interaction, if it is known before one is made."""
    if isinstance(model, Interaction):
        return type(model)
    if isinstance(model, type) and issubclass(model, Interaction):
        return model
    if not callable(model) or isinstance(model, type):
        raise ValueError(
            f"model = {model!r}: must be a kind of interaction, an interaction or a function that makes one"
        )
    return None


@dataclass(frozen=True)
class Maker:
    """From a value of the structure parameter to an interaction."""

    build: Callable[..., Any]
    given: Mapping[str, Any]
    structure: str | None

    def __call__(self, x: float) -> Any:
        return self.build(**self.given, **({} if self.structure is None else {self.structure: x}))


def _maker(
    model: Any, kind: type[Interaction] | None, structure: str | None, fixed: Mapping[str, Any], opened: Sequence[str]
) -> Maker:
    """Check what is fixed; what open couplings are worth does not matter."""
    given = dict(fixed)
    if kind is not None:
        allowed = [f.name for f in fields(kind)]  # type: ignore[arg-type]
        validate.unknown_fields("fixed", fixed, allowed)
        given |= {name: 1.0 for name in opened if name in allowed}
    return Maker(model.replace if isinstance(model, Interaction) else model, given, structure)


def _range(name: str, given: Any) -> tuple[float, float]:
    """Lower and upper bound, perhaps infinite."""
    validate.plain(f"bounds of {name}", given)
    try:
        low, high = (float(x) for x in given)
    except (TypeError, ValueError):
        raise ValueError(f"bounds of {name} = {given!r}: must be a pair (low, high)") from None
    if not low < high:
        raise ValueError(f"bounds of {name} = {given!r}: must be low < high")
    return low, high
