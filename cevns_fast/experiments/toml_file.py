"""The schema of an experiment's TOML file, and how its parts are built.

`msgspec` refuses missing, unknown and mistyped fields with the path of the field.
"""

from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from cevns_fast._validate import Floats, unknown
from cevns_fast.constants import SIN2_THETA_W
from cevns_fast.data import read_table
from cevns_fast.experiments import detectors, responses, sources, spectra
from cevns_fast.experiments.backgrounds import Background, BackgroundRate, StandardModelFraction
from cevns_fast.interactions.standard_model import StandardModel
from cevns_fast.nuclear.form_factors import FormFactor, HelmFormFactor, PointNucleus
from cevns_fast.nuclear.nuclei import Target


class _Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A table of the file."""


class PionDecayAtRestTable(_Strict, tag="pion-decay-at-rest", tag_field="type"):
    """[source] of a spallation experiment."""

    distance: float
    neutrinos_per_proton: float = 0.08

    def build(self, folder: Path) -> sources.PionDecayAtRest:
        """The source."""
        return sources.PionDecayAtRest(self.distance, self.neutrinos_per_proton)


class ReactorTable(_Strict, tag="reactor", tag_field="type"):
    """[source] of a reactor experiment: thermal_power and distance, or total_flux."""

    thermal_power: float | None = None
    distance: float | None = None
    total_flux: float | None = None
    fission_fractions: dict[str, float] = msgspec.field(default_factory=lambda: dict(sources.TYPICAL_FRACTIONS))
    high_energy: sources.HighEnergy = "huber-mueller"
    low_energy: sources.LowEnergy = "vogel-engel"
    energy_per_fission: float = 205.8
    endpoint: float = 8.0

    def build(self, folder: Path) -> sources.Reactor:
        """The source."""
        return sources.Reactor(**msgspec.structs.asdict(self))


class TabulatedTable(_Strict, tag="tabulated", tag_field="type"):
    """[source] with a spectrum as a CSV file: names of its columns, and what turns its energies into MeV.

    Without total_flux the values are per cm², second and MeV.
    """

    file: str
    energy: str
    value: str
    energy_unit: float = 1.0
    interpolation: spectra.Interpolation = "linear"
    uncertainty: float | str = 0.0  # relative, or the name of a column
    total_flux: float | None = None
    antineutrino: bool = True
    species: str = "anti_nu_e"

    def build(self, folder: Path) -> sources.TabulatedSource:
        """The source."""
        columns = read_table(folder / self.file)
        E, values = (_column(columns, self.file, name) for name in (self.energy, self.value))
        uncertainty: float | tuple[float, ...]
        if isinstance(self.uncertainty, str):
            uncertainty = tuple(_column(columns, self.file, self.uncertainty).tolist())
        else:
            uncertainty = self.uncertainty
        points = tuple((E * self.energy_unit).tolist()), tuple(values.tolist())
        spectrum = spectra.TabulatedSpectrum(*points, self.interpolation, uncertainty)
        return sources.TabulatedSource(spectrum, self.total_flux, self.antineutrino, self.species)


class LogisticTable(_Strict, tag="logistic", tag_field="type"):
    """CL Eq. (12)."""

    plateau: float
    steepness: float
    midpoint: float
    threshold: float

    def build(self, folder: Path) -> responses.LogisticAcceptance:
        """The acceptance."""
        return responses.LogisticAcceptance(self.plateau, self.steepness, self.midpoint, self.threshold)


class PointsTable(_Strict, tag="table", tag_field="type"):
    """A function as a CSV file; x and y name its columns, x_unit what turns x into the library's unit."""

    file: str
    x: str
    y: str
    x_unit: float = 1.0

    def build(self, folder: Path) -> responses.Table:
        """The function."""
        columns = read_table(folder / self.file)
        x, y = (_column(columns, self.file, name) for name in (self.x, self.y))
        return responses.Table(tuple((x * self.x_unit).tolist()), tuple(y.tolist()))


class PoissonTable(_Strict, tag="poisson", tag_field="type"):
    """Counting photoelectrons."""

    def build(self) -> responses.Smearing:
        """The smearing."""
        return responses.PoissonSmearing()


class GaussianTable(_Strict, tag="gaussian", tag_field="type"):
    """A resolution."""

    statistical: float = 1.0
    constant: float = 0.0
    linear: float = 0.0

    def build(self) -> responses.Smearing:
        """The smearing."""
        return responses.GaussianSmearing(self.statistical, self.constant, self.linear)


class GammaTable(_Strict, tag="gamma", tag_field="type"):
    """COHERENT's resolution of 2021."""

    shape_per_unit: float

    def build(self) -> responses.Smearing:
        """The smearing."""
        return responses.GammaSmearing(self.shape_per_unit)


class ResponseTable(_Strict):
    """[detector.response]; energies in MeV."""

    observable: str = "recoil energy [keV]"
    light_yield: float = 1.0
    quenching: float | PointsTable = 1.0
    acceptance: float | LogisticTable | PointsTable = 1.0
    smearing: PoissonTable | GaussianTable | GammaTable | None = None
    recoil_threshold: float = 0.0

    def build(self, folder: Path) -> responses.Response:
        """The response."""
        quenching, acceptance = self.quenching, self.acceptance
        return responses.Response(
            light_yield=self.light_yield,
            quenching=quenching if isinstance(quenching, float | int) else quenching.build(folder),
            acceptance=acceptance if isinstance(acceptance, float | int) else acceptance.build(folder),
            smearing=self.smearing.build() if self.smearing else None,
            observable=self.observable,
            recoil_threshold=self.recoil_threshold,
        )


class HelmTable(_Strict, tag="helm", tag_field="type"):
    """Form factor."""

    convention: Literal["lewin-smith", "rms"] = "lewin-smith"
    skin: float = 0.9
    neutron_radius: float | dict[str, float] | None = None

    def build(self) -> FormFactor:
        """The form factor."""
        return HelmFormFactor(self.convention, self.skin, self.neutron_radius)


class PointTable(_Strict, tag="point", tag_field="type"):
    """F = 1."""

    def build(self) -> FormFactor:
        """The form factor."""
        return PointNucleus()


class DetectorTable(_Strict):
    """[detector]"""

    material: str
    composition: dict[str, float]
    mass: float
    bins: list[float]
    response: ResponseTable = msgspec.field(default_factory=ResponseTable)
    form_factor: HelmTable | PointTable = msgspec.field(default_factory=HelmTable)

    def build(self, folder: Path) -> detectors.Detector:
        """The detector."""
        return detectors.Detector(
            target=Target.of(self.material, self.composition),
            mass=self.mass,
            bins=tuple(self.bins),
            response=self.response.build(folder),
            form_factor=self.form_factor.build(),
        )


class BackgroundTable(_Strict):
    """[[background]]: a column of the data's table, with a normalisation uncertainty."""

    name: str
    column: str
    uncertainty: float


class SimulatedTable(_Strict):
    """The truth behind simulated data."""

    sin2_theta_w: float = SIN2_THETA_W


class DataTable(_Strict):
    """[data]: a CSV file with the bins' `low` and `high`, simulated data, or both.

    Counted: `coincidence` and `anticoincidence`, or `observed` and perhaps `steady_state`. Simulated data come from the
    stated truth; their table, if there is one, holds backgrounds only.
    """

    table: str | None = None
    simulated: SimulatedTable | None = None

    def columns(self, folder: Path, bins: tuple[float, ...]) -> dict[str, list[str]]:
        """The table's columns, if there is one."""
        if self.table is None:
            if self.simulated is None:
                raise ValueError("table, simulated: at least one must be there")
            return {}
        columns = read_table(folder / self.table)
        low, high = (_column(columns, self.table, name) for name in ("low", "high"))
        if low.tolist() != list(bins[:-1]) or high.tolist() != list(bins[1:]):
            raise ValueError(f"{self.table}: low, high are not the detector's bins {bins}")
        for name in ("observed", "coincidence", "anticoincidence"):
            if self.simulated is not None and name in columns:
                raise ValueError(f"{self.table}: column {name!r} beside simulated data")
        return columns


class SteadyStateTable(_Strict):
    """[steady_state]: a constant rate, or a fraction of the Standard Model's counts spread evenly in energy."""

    per_day_keV_kg: float | None = None
    standard_model_fraction: float | None = None


class UncertaintyTable(_Strict):
    """[uncertainty]; signal = "source" takes what a tabulated source states for its flux."""

    signal: float | Literal["source"]
    signal_on: Literal["prediction", "standard_model"] = "prediction"
    shape: float = 0.0
    variance: Literal["observed", "prediction"] = "observed"
    steady_state_weight: float = 2.0

    def signal_of(self, source: Any) -> float:
        """σ_α."""
        if self.signal != "source":
            return self.signal
        if not isinstance(source, sources.TabulatedSource):
            raise ValueError("signal = 'source': must be a number, only a tabulated source states an uncertainty")
        return source.flux_uncertainty


class ExperimentFile(_Strict):
    """The whole file."""

    description: str
    name: str
    exposure: float
    source: PionDecayAtRestTable | ReactorTable | TabulatedTable
    detector: DetectorTable
    data: DataTable
    uncertainty: UncertaintyTable
    citation: str = ""
    steady_state: SteadyStateTable = msgspec.field(default_factory=SteadyStateTable)
    background: list[BackgroundTable] = []

    def build(self, folder: Path) -> dict[str, Any]:
        """The arguments of `Experiment`."""
        source = _named("source", lambda: self.source.build(folder))
        detector = _named("detector", lambda: self.detector.build(folder))
        columns = _named("data", lambda: self.data.columns(folder, detector.bins))

        def column(name: str) -> Floats:
            return _column(columns, self.data.table or "[data] without a table", name)

        observed, tabulated = None, None
        if "coincidence" in columns:
            tabulated = column("anticoincidence")
            observed = column("coincidence") - tabulated
        else:
            tabulated = column("steady_state") if "steady_state" in columns else None
            observed = column("observed") if self.data.simulated is None else None
        truth = self.data.simulated or SimulatedTable()
        return {
            "name": self.name,
            "description": self.description,
            "citation": self.citation,
            "source": source,
            "detector": detector,
            "exposure": self.exposure,
            "observed": observed,
            "simulated_truth": _named("data", lambda: StandardModel(truth.sin2_theta_w)),
            "steady_state": _named("steady_state", lambda: self._steady_state(tabulated, detector.n_bins)),
            "steady_state_weight": self.uncertainty.steady_state_weight,
            "backgrounds": tuple(Background(b.name, column(b.column), b.uncertainty) for b in self.background),
            "signal_uncertainty": _named("uncertainty", lambda: self.uncertainty.signal_of(source)),
            "signal_uncertainty_on": self.uncertainty.signal_on,
            "shape_uncertainty": self.uncertainty.shape,
            "variance": self.uncertainty.variance,
        }

    def _steady_state(self, tabulated: Floats | None, n_bins: int) -> Any:
        """The steady-state background: tabulated, as a rate, as a fraction, or none."""
        rate, fraction = self.steady_state.per_day_keV_kg, self.steady_state.standard_model_fraction
        if sum(x is not None for x in (tabulated, rate, fraction)) > 1:
            raise ValueError("per_day_keV_kg, standard_model_fraction, a column of the data: at most one may be there")
        if rate is not None:
            return BackgroundRate(rate)
        if fraction is not None:
            return StandardModelFraction(fraction)
        return np.zeros(n_bins) if tabulated is None else tabulated


def _named(table: str, build: Any) -> Any:
    """Build a part; an error says which table of the file it comes from."""
    try:
        return build()
    except ValueError as error:
        raise ValueError(f"[{table}] {error}") from None


def _column(columns: dict[str, list[str]], file: str, name: str) -> Floats:
    """A column of numbers."""
    if name not in columns:
        raise ValueError(f"{file}: no column {name!r}; {unknown(name, columns)}")
    try:
        return np.array([float(cell) for cell in columns[name]])
    except ValueError as error:
        raise ValueError(f"{file}: column {name!r}: {error}") from None
