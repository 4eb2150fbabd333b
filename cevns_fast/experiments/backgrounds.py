"""What a detector counts besides neutrinos."""

from dataclasses import dataclass

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats


@dataclass(frozen=True, eq=False)
class Background:
    """A background that is subtracted and whose normalisation is uncertain.

    Attributes
    ----------
    name : str
    counts : ndarray
        Expected counts per bin.
    uncertainty : float
        Relative uncertainty of the normalisation, σ_β.
    """

    name: str
    counts: Floats
    uncertainty: float

    def __post_init__(self) -> None:
        validate.text("name of a background", self.name)
        object.__setattr__(self, "counts", validate.vector(f"background {self.name!r}", self.counts, minimum=0.0))
        validate.number(f"uncertainty of {self.name!r}", self.uncertainty, minimum=0.0)


@dataclass(frozen=True)
class BackgroundRate:
    """A steady-state background of so many counts per day, keV of recoil and kg."""

    per_day_keV_kg: float

    def __post_init__(self) -> None:
        validate.number("per_day_keV_kg", self.per_day_keV_kg, minimum=0.0)


@dataclass(frozen=True)
class StandardModelFraction:
    """A steady-state background, uniform in energy, whose total is a fraction of the Standard Model's."""

    fraction: float

    def __post_init__(self) -> None:
        validate.number("fraction", self.fraction, minimum=0.0)


SteadyState = Floats | BackgroundRate | StandardModelFraction
