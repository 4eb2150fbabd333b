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
        Relative uncertainty of the normalisation, σ_β; infinite for a normalisation that nothing constrains.

    Raises
    ------
    ValueError
        If the name is no string, or a number is negative or not one.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> flat = cf.Background("flat", [0.5] * 12, uncertainty=0.3)
    >>> cf.Likelihood(csi.replace(backgrounds=(*csi.backgrounds, flat))).nuisance_names
    ('beta: prompt neutrons', 'beta: flat', 'alpha')
    """

    name: str
    counts: Floats
    uncertainty: float

    def __post_init__(self) -> None:
        validate.text("name of a background", self.name)
        object.__setattr__(self, "counts", validate.vector(f"background {self.name!r}", self.counts, minimum=0.0))
        validate.uncertainty(f"uncertainty of {self.name!r}", self.uncertainty)


@dataclass(frozen=True)
class BackgroundRate:
    """A steady-state background of so many counts per day, kg and keV.

    Attributes
    ----------
    per_day_keV_kg : float or None
        Per keV of recoil energy, for a detector without quenching.
    per_day_keVee_kg : float or None
        Per keV of quenched (electron-equivalent) energy instead; bins are turned into it by the light yield.
    exposure_per_day : float or None
        What a day of beam adds to the exposure (protons on target per day), for a source whose exposure is not
        counted in days.

    Raises
    ------
    ValueError
        If a number is out of range, or not exactly one of the rates is there.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> cf.BackgroundRate(1.0).per_day_keV_kg
    1.0
    >>> csi = cf.load("coherent-csi-2017")
    >>> rate = cf.BackgroundRate(per_day_keVee_kg=0.01, exposure_per_day=1.76e23 / 308.1)
    >>> counts = csi.replace(steady_state=rate).steady_state_counts(0.0 * csi.observed)
    >>> float(counts[0].round(1))  # 2 PE at 1.17 PE/keV, 14.57 kg, 308.1 days
    76.7
    """

    per_day_keV_kg: float | None = None
    per_day_keVee_kg: float | None = None
    exposure_per_day: float | None = None

    def __post_init__(self) -> None:
        rates = {"per_day_keV_kg": self.per_day_keV_kg, "per_day_keVee_kg": self.per_day_keVee_kg}
        given = [name for name, value in rates.items() if value is not None]
        if len(given) != 1:
            stated = ", ".join(map(repr, rates.values()))
            raise ValueError(f"per_day_keV_kg, per_day_keVee_kg = {stated}: must be exactly one of them")
        validate.number(given[0], rates[given[0]], minimum=0.0)
        if self.exposure_per_day is not None:
            validate.number("exposure_per_day", self.exposure_per_day, positive=True)


@dataclass(frozen=True)
class StandardModelFraction:
    """A steady-state background, uniform in energy, whose total is a fraction of the Standard Model's.

    Attributes
    ----------
    fraction : float
        Of the counts of all bins, those that are left out included.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> argon = cf.load("coherent-lar-610kg").replace(steady_state=cf.StandardModelFraction(0.5))
    >>> expected = cf.event_rate(argon, cf.StandardModel())
    >>> float((argon.steady_state_counts(expected).sum() / expected.sum()).round(3))
    0.5
    """

    fraction: float

    def __post_init__(self) -> None:
        validate.number("fraction", self.fraction, minimum=0.0)


SteadyState = Floats | BackgroundRate | StandardModelFraction
