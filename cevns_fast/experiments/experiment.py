"""Experiments: a source, a detector, what was counted, and how well it is known.

A built-in experiment is a TOML file beside its tables in `data/experiments`; a user's own is the same file.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.data import data_path
from cevns_fast.experiments.backgrounds import Background, BackgroundRate, StandardModelFraction, SteadyState
from cevns_fast.experiments.detectors import Detector
from cevns_fast.experiments.sources import Source
from cevns_fast.experiments.toml_file import ExperimentFile
from cevns_fast.interactions.standard_model import StandardModel


@dataclass(frozen=True, eq=False)
class Experiment:
    """An experiment. Immutable: `replace` gives a copy with other numbers.

    Attributes
    ----------
    name, description, citation : str
    source : PionDecayAtRest or any Source
    detector : Detector
    exposure : float
        In the source's unit: protons on target, or days.
    observed : ndarray or None
        Counts per bin less the steady-state background. None: simulated from `simulated_truth`.
    steady_state : ndarray, BackgroundRate or StandardModelFraction
        Steady-state background per bin; it only widens the variance.
    steady_state_weight : float
        Its weight there: 2 if it is subtracted with its own measurement, 1 if it is known.
    backgrounds : tuple of Background
        Beam-related backgrounds, each with its own nuisance β.
    signal_uncertainty : float
        σ_α, relative uncertainty of the normalisation of what α scales.
    signal_uncertainty_on : {"prediction", "standard_model"}
        α scales the whole prediction, or its Standard Model part alone.
    variance : {"observed", "prediction"}
        Whose counts enter the statistical variance.
    shape_uncertainty : float
        Relative, uncorrelated between bins, of signal plus steady state (BRX Eq. 30).
    simulated_truth : StandardModel
        The truth behind simulated data.
    """

    name: str
    source: Source
    detector: Detector
    exposure: float
    observed: Floats | None
    steady_state: SteadyState
    steady_state_weight: float = 2.0
    backgrounds: tuple[Background, ...] = ()
    signal_uncertainty: float = 0.0
    signal_uncertainty_on: Literal["prediction", "standard_model"] = "prediction"
    variance: Literal["observed", "prediction"] = "observed"
    shape_uncertainty: float = 0.0
    simulated_truth: StandardModel = field(default_factory=StandardModel)
    description: str = ""
    citation: str = ""

    def __post_init__(self) -> None:
        n = self.detector.n_bins
        for name in ("source", "detector"):
            try:
                hash(getattr(self, name))
            except TypeError as error:  # compiled spectra and responses are cached by value
                raise ValueError(f"{name}: must be hashable, with tuples for lists: {error}") from None
        validate.number("exposure", self.exposure, positive=True)
        validate.number("steady_state_weight", self.steady_state_weight, minimum=0.0)
        validate.number("signal_uncertainty", self.signal_uncertainty, minimum=0.0)
        validate.number("shape_uncertainty", self.shape_uncertainty, minimum=0.0)
        validate.choice("signal_uncertainty_on", self.signal_uncertainty_on, ("prediction", "standard_model"))
        validate.choice("variance", self.variance, ("observed", "prediction"))
        if self.observed is not None:
            object.__setattr__(self, "observed", validate.vector("observed", self.observed, length=n))
        if not isinstance(self.steady_state, BackgroundRate | StandardModelFraction):
            counts = validate.vector("steady_state", self.steady_state, length=n, minimum=0.0)
            object.__setattr__(self, "steady_state", counts)
        if isinstance(self.steady_state, BackgroundRate) and self.source.exposure_unit != "days":
            raise ValueError("steady_state: a rate per day needs a source whose exposure is counted in days")
        validate.text("name", self.name, empty=True)
        validate.unique((b.name, f"background {i} of {self.name}") for i, b in enumerate(self.backgrounds))
        for background in self.backgrounds:
            validate.vector(f"background {background.name!r}", background.counts, length=n)

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return self.detector.n_bins

    @property
    def fluence(self) -> float:
        """Neutrinos per cm² at the detector, per unit of the flux components."""
        return self.source.fluence_per_exposure * self.exposure

    def steady_state_counts(self, standard_model: Floats) -> Floats:
        """Steady-state background per bin, given the Standard Model's counts."""
        state, edges = self.steady_state, np.array(self.detector.bins)
        if isinstance(state, BackgroundRate):
            response = self.detector.response
            if response.quenching != 1.0:
                raise ValueError("steady_state: a rate per keV of recoil needs an unquenched detector")
            widths = np.diff(edges) / response.light_yield  # keV of recoil
            return np.asarray(widths * state.per_day_keV_kg * self.exposure * self.detector.mass)
        if isinstance(state, StandardModelFraction):
            return np.asarray(state.fraction * standard_model.sum() * np.diff(edges) / (edges[-1] - edges[0]))
        return state

    def replace(self, **changes: Any) -> "Experiment":
        """A copy with other numbers.

        Parameters
        ----------
        **changes
            Any attribute of the experiment, of its detector (`mass`, `bins`, `response`, `target`, `form_factor`)
            or of its source (`distance`, `total_flux`, …).

        Raises
        ------
        ValueError
            If a name is unknown, or a value is refused by the experiment, detector or source.

        Examples
        --------
        >>> import cevns_fast as cf
        >>> cf.load("coherent-csi-2017").replace(signal_uncertainty=0.0).signal_uncertainty
        0.0
        >>> conus = cf.load("conus-100kg").replace(thermal_power=None, distance=None, total_flux=2.5e13)
        >>> conus.source.flux
        25000000000000.0
        """
        own = {f.name for f in fields(self)}
        parts: dict[str, Any] = {"detector": self.detector, "source": self.source}
        # A source need not be a dataclass; it is then replaced as a whole.
        names = {part: [f.name for f in fields(each) if f.init] for part, each in parts.items() if is_dataclass(each)}
        validate.unknown_fields("experiment", changes, [*own, *(n for listed in names.values() for n in listed)])
        outside = {name: value for name, value in changes.items() if name in own}
        for part, listed in names.items():
            inside = {name: value for name, value in changes.items() if name in listed}
            if inside:
                outside[part] = replace(outside.get(part, parts[part]), **inside)
        return replace(self, **outside)


def _directory() -> Path:
    """Where the built-in experiments are."""
    return data_path("experiments")


def available_experiments() -> dict[str, str]:
    """Names of the built-in experiments, each with a one-line description.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> "coherent-csi-2017" in cf.available_experiments()
    True
    """
    found = {}
    for path in sorted(_directory().glob("*.toml")):
        found[path.stem] = tomllib.loads(path.read_text(encoding="utf-8"))["description"]
    return found


def load(name: str | Path) -> Experiment:
    """Load an experiment.

    Parameters
    ----------
    name : str or Path
        Name of a built-in experiment, or path of a TOML file (it ends in ``.toml``); tables that the
        file names are looked for beside it.

    Returns
    -------
    Experiment

    Raises
    ------
    ValueError
        If the name is unknown, or a field is missing, unknown, of the wrong kind or out of range;
        the message names file and field.
    FileNotFoundError
        If a named TOML file or table does not exist.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> csi.n_bins, int(csi.observed.sum())
    (12, 142)
    """
    if not isinstance(name, str | Path):
        raise ValueError(f"name = {name!r}: must be the name of an experiment or the path of a TOML file")
    if str(name).endswith(".toml"):
        path = Path(name)
    else:
        known = [p.stem for p in sorted(_directory().glob("*.toml"))]
        path = _directory() / f"{validate.choice('experiment', name, known)}.toml"
    try:
        raw: Mapping[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        parsed = msgspec.convert(raw, ExperimentFile)
        return Experiment(**parsed.build(path.parent))
    except (ValueError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path.name}: {error}") from None
