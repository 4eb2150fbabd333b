"""Parameters that are not of the interaction: of nuclei, of oscillations, of the Standard Model beside it.

They change all experiments of a likelihood alike, beside couplings, as a mass does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from cevns_fast.counts.polynomial import WithStandardModel, chosen_model
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.experiments.oscillated import OscillatedSource


class Context(NamedTuple):
    """What counts depend on beside the interaction."""

    experiment: Experiment
    standard_model: WithStandardModel


Vary = Callable[[Context, float], Context]
Range = tuple[float, float]


class OuterParameter(NamedTuple):
    """One of them."""

    description: str
    unit: str
    vary: Vary
    """From a context and a value to another; `ValueError` if it has no such parameter."""
    widest: Callable[[Sequence[Context]], Range | None]
    """A range that holds every sensible value; None if the user must state one."""


def _with_neutron_radius(context: Context, radius: float) -> Context:
    """Neutrons with this rms radius, fm, in every nucleus."""
    experiment = context.experiment
    form_factor: Any = experiment.detector.form_factor
    if not hasattr(form_factor, "neutron_radius"):
        raise ValueError(f"parameters: {type(form_factor).__name__} of {experiment.name} has no neutron_radius")
    changed = experiment.replace(form_factor=replace(form_factor, neutron_radius=radius))
    return context._replace(experiment=changed)


def _neutron_radii(contexts: Sequence[Context]) -> Range:
    """From well below to well above the charge radii, fm."""
    nuclides = [n for each in contexts for n in each.experiment.detector.target.nuclides]
    radii = [n.charge_radius or 0.95 * n.A ** (1 / 3) for n in nuclides]
    return 0.7 * min(radii), 1.6 * max(radii)


def _with_angle(context: Context, sin2_theta_w: float) -> Context:
    """Another Standard Model beside the interaction."""
    model = chosen_model(context.standard_model)
    if model is None:
        raise ValueError("parameters: 'sin2_theta_w' is of the Standard Model, standard_model = False leaves it out")
    return context._replace(standard_model=model.replace(sin2_theta_w=sin2_theta_w))


def _source(context: Context, name: str) -> OscillatedSource:
    """The source of an experiment, if it oscillates."""
    source = context.experiment.source
    if not isinstance(source, OscillatedSource):
        raise ValueError(
            f"parameters: {name!r} is of an OscillatedSource, {context.experiment.name} has a {type(source).__name__}"
        )
    return source


def _of_oscillation(name: str) -> Vary:
    """A source that oscillates with another number."""

    def vary(context: Context, value: float) -> Context:
        _source(context, name)
        return context._replace(experiment=context.experiment.replace(**{name: value}))

    return vary


def _left_of_one(name: str) -> Callable[[Sequence[Context]], Range]:
    """From zero to what the other elements of the mixing matrix leave."""

    def widest(contexts: Sequence[Context]) -> Range:
        sources = [_source(each, name) for each in contexts]
        return 0.0, 1.0 - max(sum(getattr(s, other) for other in _ELEMENTS if other != name) for s in sources)

    return widest


def _unknown(contexts: Sequence[Context]) -> None:
    """To be stated."""


def unit_of(name: str) -> str:
    """The unit of a parameter that is no coupling; empty for a pure number, and for couplings."""
    if name in OUTER_PARAMETERS:
        return OUTER_PARAMETERS[name].unit
    return "MeV" if name.startswith("m_") else ""


_ELEMENTS = {"Ue4_sq": "|U_e4|²", "Umu4_sq": "|U_μ4|²", "Utau4_sq": "|U_τ4|²"}

OUTER_PARAMETERS: Mapping[str, OuterParameter] = {
    "neutron_radius": OuterParameter(
        "rms radius of the neutrons in every nucleus", "fm", _with_neutron_radius, _neutron_radii
    ),
    "sin2_theta_w": OuterParameter("sin²θ_W of the Standard Model beside it", "", _with_angle, lambda _: (0.0, 1.0)),
    "delta_m2": OuterParameter("Δm²₄₁ of the oscillated source", "eV²", _of_oscillation("delta_m2"), _unknown),
    **{
        name: OuterParameter(f"{symbol} of the oscillated source", "", _of_oscillation(name), _left_of_one(name))
        for name, symbol in _ELEMENTS.items()
    },
}
