"""The named nuisances that experiments state, as nuisances of a likelihood: one for each name."""

from collections.abc import Mapping, Sequence
from typing import Any

from cevns_fast._support.remember import remember
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.experiments.shared import BackgroundVariation, SharedNuisance, SharedScale, SignalVariation
from cevns_fast.likelihood.nuisances import (
    AsymmetricNuisance,
    BackgroundShape,
    Nuisance,
    ScaleNuisance,
    ShapeNuisance,
)

Owned = Mapping[str, tuple[Experiment, Any]]  # by experiment


def stated_nuisances(experiments: Sequence[Experiment]) -> list[Nuisance]:
    """One nuisance for each name that experiments state, of all that state it."""
    by_name: dict[str, dict[str, tuple[Experiment, SharedNuisance]]] = {}
    for e in experiments:
        for each in e.nuisances:
            if each.active:
                by_name.setdefault(each.name, {}).setdefault(e.name, (e, each))
    return [_merged(name, owned) for name, owned in by_name.items()]


def _merged(name: str, owned: Owned) -> Nuisance:
    """What several experiments call by one name."""
    some = next(iter(owned.values()))[1]
    traits = {(type(each), each.on, getattr(each, "constraint", ""), _sides(each)) for _, each in owned.values()}
    if len(traits) > 1:
        names = ", ".join(owned)
        raise ValueError(f"nuisance {name!r} of {names}: must act on the same, and in the same way, in each")
    if isinstance(some, SignalVariation):
        up, down = zip(*(variants_of(e, each) for e, each in owned.values()), strict=True)
        return ShapeNuisance(name, up=up, down=down)
    if isinstance(some, BackgroundVariation):
        sides = [{n: getattr(each, side) for n, (_, each) in owned.items()} for side in ("up", "down")]
        return BackgroundShape(name, some.on, up=sides[0], down=None if some.down is None else sides[1])
    assert isinstance(some, SharedScale)
    if some.uncertainty is None:
        assert some.up is not None and some.down is not None
        return AsymmetricNuisance(name, some.up, some.down, experiments=tuple(owned), on=some.on)
    sizes = {n: each.uncertainty for n, (_, each) in owned.items()}
    return ScaleNuisance(name, sizes, constraint=some.constraint, on=some.on)


def _sides(nuisance: SharedNuisance) -> Any:
    """What must agree between experiments: all of an asymmetric scale, and whether a variation has a down."""
    if isinstance(nuisance, SharedScale):
        return nuisance.up, nuisance.down
    return isinstance(nuisance, BackgroundVariation) and nuisance.down is None


@remember(maxsize=256)
def variants_of(experiment: Experiment, nuisance: SignalVariation) -> tuple[Experiment, Experiment]:
    """The experiment one standard deviation up and down."""
    return experiment.replace(**nuisance.up), experiment.replace(**nuisance.down)
