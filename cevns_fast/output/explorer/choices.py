"""What of each kind of interaction can be moved in the explorer, and what stays."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from cevns_fast import _validate as validate
from cevns_fast.interactions.electromagnetic import ChargeRadius, MagneticMoment, Millicharge
from cevns_fast.interactions.light_vector import LightVector
from cevns_fast.interactions.nsi import NSI
from cevns_fast.interactions.process import Interaction
from cevns_fast.interactions.scalar_mediator import ScalarMediator
from cevns_fast.interactions.singlet_eft import SingletEFT
from cevns_fast.interactions.standard_model import StandardModel
from cevns_fast.interactions.vector_mediator import VectorMediator


@dataclass(frozen=True)
class Choice:
    """A kind of interaction, and its parameters in the page.

    Attributes
    ----------
    kind : type of Interaction
    title : str
    couplings : tuple of str
        Those that are free.
    mass : str
        One more free parameter, empty for none: a mass, or the neutrons' radius.
    start : float
        Its value when the page opens, MeV; 0 for the parameter's default.
    bounds : (float, float) or None
        Its range, MeV; None for what the sources can produce.
    stepped : str
        A second mass, empty for none: the page holds a table for each of its `steps`.
    steps : tuple of float
        MeV.
    fixed : mapping
        Values of other fields.
    """

    kind: type[Interaction]
    title: str
    couplings: tuple[str, ...]
    mass: str = ""
    start: float = 0.0
    bounds: tuple[float, float] | None = None
    stepped: str = ""
    steps: tuple[float, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> tuple[str, ...]:
        """All that is continuous."""
        return (*((self.mass,) if self.mass else ()), *self.couplings)

    def given(self, values: Mapping[str, Any]) -> "Choice":
        """The same with values for some fields, which then stay; several values of a stepped mass are its steps.

        Where the mass of χ stays, a mediator's mass is continuous in its place.

        Raises
        ------
        ValueError
            If there is no such field, or nothing is left to be moved.
        """
        validate.unknown_fields(self.kind.__name__, values, [f.name for f in fields(self.kind)])  # type: ignore[arg-type]
        steps, rest = self.steps, dict(values)
        if self.stepped in rest:
            given = rest.pop(self.stepped)
            listed = given if isinstance(given, tuple | list) else (given,)
            steps = tuple(sorted({validate.number(self.stepped, each, positive=True) for each in listed}))
        couplings = tuple(name for name in self.couplings if name not in rest)
        found = replace(self, couplings=couplings, steps=steps, fixed={**self.fixed, **rest})
        if self.mass in rest:
            found = replace(found, mass="")
            if self.stepped and self.stepped not in values:
                found = replace(found, mass=self.stepped, start=30.0, bounds=_MEDIATOR, stepped="", steps=())
        if len(found.parameters) < 2:
            raise ValueError(f"{self.kind.__name__}: fewer than two parameters are left free for the axes of the plane")
        return found

    def settings(self) -> dict[str, str]:
        """What is fixed, in words, but for what stays at a default that is no convention."""
        found = {}
        for each in fields(self.kind):  # type: ignore[arg-type]
            if each.name in (*self.parameters, self.stepped):
                continue
            value = self.fixed.get(each.name, each.default)
            if each.name in self.fixed or isinstance(value, str):
                found[each.name] = str(value)
        return found


# A mediator is beyond the reach of all sources at one end of these ranges, and without mass to them at the other.
_MEDIATOR = (0.1, 1000.0)
_LOOPS = (0.1, 53.0)  # loop functions need a mass; beyond, no source makes χ
_STEPS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)

CHOICES: dict[type[Interaction], Choice] = {
    each.kind: each
    for each in (
        Choice(SingletEFT, "Singlet fermion χ: effective couplings", ("C_S", "C_V", "C_T", "a_M"), "m_chi", 10.0),
        Choice(ScalarMediator, "Singlet fermion χ: scalar mediator S", ("y_bar",), "m_chi", 10.0, None, "m_S", _STEPS),
        Choice(
            VectorMediator,
            "Singlet fermion χ: vector mediator Z′",
            ("gchi_gq",),
            "m_chi",
            10.0,
            _LOOPS,
            "m_zprime",
            _STEPS,
        ),
        Choice(LightVector, "Light vector Z′", ("g",), "m_zprime", 30.0, _MEDIATOR),
        Choice(NSI, "Non-standard interactions", ("eps_ee_u", "eps_ee_d", "eps_mumu_u", "eps_mumu_d")),
        Choice(MagneticMoment, "Magnetic moments", ("mu_e", "mu_mu")),
        Choice(ChargeRadius, "Charge radii beyond the Standard Model's", ("ee", "mumu")),
        Choice(Millicharge, "Millicharges", ("ee", "mumu")),
        Choice(StandardModel, "Standard Model: neutrons and mixing", ("sin2_theta_w",), "neutron_radius"),
    )
}


def choice_of(kind: type[Interaction], values: Mapping[str, Any] | None = None) -> Choice:
    """What the page leaves free of a kind of interaction, with values for some fields.

    Raises
    ------
    ValueError
        If the explorer does not know the kind, or a value is refused.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> choice_of(cf.SingletEFT, {"C_T": 0.0}).parameters
    ('m_chi', 'C_S', 'C_V', 'a_M')
    """
    validate.choice("kind", kind.__name__, [each.__name__ for each in CHOICES])
    found = CHOICES[kind]
    return found.given(values) if values else found
