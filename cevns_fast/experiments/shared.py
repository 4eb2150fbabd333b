"""Nuisances that an experiment states with a name: experiments that state the same one share it.

An experiment says what a nuisance does to it; `likelihood` makes one of all that have a name in common.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats


@dataclass(frozen=True, eq=False)
class SharedNuisance:
    """A nuisance with a name.

    Attributes
    ----------
    name : str
    on : str
        ``"signal"`` or the name of a background.
    active : bool
        Whether likelihoods have it; see `Experiment.activate`.
    """

    name: str
    on: str = "signal"
    active: bool = True

    def __post_init__(self) -> None:
        validate.text("name of a nuisance", self.name)
        validate.text(f"on, of {self.name!r}", self.on)
        validate.flag("active", self.active)


@dataclass(frozen=True, eq=False)
class SharedScale(SharedNuisance):
    """A normalisation of the signal or of a background: a flux that several experiments see, say.

    Attributes
    ----------
    name, on, active
        As of every nuisance.
    uncertainty : float
        Relative. The experiment's `signal_uncertainty` should not contain it again.
    constraint : {"gaussian", "log-normal"}
    up, down : float or None
        In place of `uncertainty`: relative changes one standard deviation up and down, where they differ.

    Raises
    ------
    ValueError
        If a number is out of range, or the size is stated twice or not at all.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017").replace(nuisances=(cf.SharedScale("SNS flux", uncertainty=0.1),))
    >>> cf.Likelihood(csi).nuisance_names
    ('beta: prompt neutrons', 'alpha', 'SNS flux')
    """

    uncertainty: float | None = None
    constraint: Literal["gaussian", "log-normal"] = "gaussian"
    up: float | None = None
    down: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        validate.choice("constraint", self.constraint, ("gaussian", "log-normal"))
        given = tuple(n for n in ("uncertainty", "up", "down") if getattr(self, n) is not None)
        if given not in (("uncertainty",), ("up", "down")):
            raise ValueError(f"uncertainty, up, down of {self.name!r}: must be uncertainty alone, or up and down")
        for each in given:
            value = validate.number(f"{each} of {self.name!r}", getattr(self, each))
            if value <= (0.0 if each == "uncertainty" else -1.0):
                allowed = "0" if each == "uncertainty" else "-1"
                raise ValueError(f"{each} of {self.name!r} = {value!r}: must be > {allowed}")


@dataclass(frozen=True, eq=False)
class SignalVariation(SharedNuisance):
    """What changes the shape of the signal: counts are computed again, one standard deviation up and down.

    Attributes
    ----------
    name, on, active
        As of every nuisance.
    up, down : mapping of str to value
        What `Experiment.replace` is given: ``{"response": …}``, ``{"time": …}``, ``{"calibration": …}``.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> thick, thin = ({"form_factor": cf.HelmFormFactor(skin=s)} for s in (1.0, 0.8))
    >>> csi = cf.load("coherent-csi-2017").replace(nuisances=(cf.SignalVariation("skin", up=thick, down=thin),))
    >>> cf.Likelihood(csi).nuisance_names[-1]
    'skin'
    """

    up: Mapping[str, Any] = field(default_factory=dict)
    down: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        for side in ("up", "down"):
            given = validate.mapping(f"{side} of {self.name!r}", getattr(self, side))
            object.__setattr__(self, side, dict(given))
        if not self.up and not self.down:
            raise ValueError(f"up, down of {self.name!r}: must change something")


@dataclass(frozen=True, eq=False)
class BackgroundVariation(SharedNuisance):
    """What changes the shape of a background.

    Attributes
    ----------
    name, on, active
        As of every nuisance; `on` is the background.
    up : float64[n_bins]
        Its counts one standard deviation up.
    down : float64[n_bins] or None
        And down; None mirrors `up`. The nominal counts make a one-sided variation.

    Examples
    --------
    >>> import numpy as np
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> neutrons = csi.backgrounds[0]
    >>> tilted = neutrons.counts * np.linspace(1.2, 0.8, 12)
    >>> tilt = cf.BackgroundVariation("neutron spectrum", on=neutrons.name, up=tilted)
    >>> cf.Likelihood(csi.replace(nuisances=(tilt,))).nuisance_names[-1]
    'neutron spectrum'
    """

    up: Any = None
    down: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.on == "signal":
            raise ValueError(f"on, of {self.name!r} = 'signal': must be a background")
        object.__setattr__(self, "up", validate.vector(f"up of {self.name!r}", self.up))
        if self.down is not None:
            object.__setattr__(self, "down", validate.vector(f"down of {self.name!r}", self.down))


def kept_bins(nuisance: SharedNuisance, keep: Callable[[str, Floats], Floats]) -> SharedNuisance:
    """The nuisance for the bins that are kept."""
    if not isinstance(nuisance, BackgroundVariation):
        return nuisance
    name, down = nuisance.name, nuisance.down
    down = None if down is None else keep(f"down of {name!r}", down)
    return replace(nuisance, up=keep(f"up of {name!r}", nuisance.up), down=down)
