"""The schema of an experiment's TOML file, and how its parts are built.

`msgspec` refuses missing, unknown and mistyped fields with the path of the field. Keys state their unit in their name
unless it is that of the observable. `docs/toml.md` is the reference page; a test compares the two.
"""

import math
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import msgspec
import numpy as np

from cevns_fast._validate import Floats, unknown
from cevns_fast.constants import KEV, SIN2_THETA_W
from cevns_fast.data import beside, read_table
from cevns_fast.experiments import axes, detectors, responses, shared, solar, sources, spectra
from cevns_fast.experiments.backgrounds import Background, BackgroundRate, StandardModelFraction
from cevns_fast.interactions.standard_model import StandardModel
from cevns_fast.nuclear.form_factors import FormFactor, HelmFormFactor, KleinNystrand, PointNucleus, SymmetrisedFermi
from cevns_fast.nuclear.nuclei import Nuclide, Target

EnergyUnit = Literal["eV", "keV", "MeV", "GeV"]
_MEV = {"eV": 1e-6, "keV": 1e-3, "MeV": 1.0, "GeV": 1e3}
T = TypeVar("T")
Part = TypeVar("Part", covariant=True)


class _Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A table of the file."""


class PionDecayAtRestTable(_Strict, tag="pion-decay-at-rest", tag_field="type"):
    """[source] of a spallation experiment."""

    distance_m: float
    neutrinos_per_proton: float = 0.08

    def build(self, folder: Path) -> sources.PionDecayAtRest:
        """The source."""
        return sources.PionDecayAtRest(self.distance_m, self.neutrinos_per_proton)


class ReactorTable(_Strict, tag="reactor", tag_field="type"):
    """[source] of a reactor experiment: thermal_power_GW and distance_m, or total_flux_per_cm2_s."""

    thermal_power_GW: float | None = None
    distance_m: float | None = None
    total_flux_per_cm2_s: float | None = None
    fission_fractions: dict[str, float] = msgspec.field(default_factory=lambda: dict(sources.TYPICAL_FRACTIONS))
    high_energy: sources.HighEnergy = "huber-mueller"
    low_energy: sources.LowEnergy = "vogel-engel"
    energy_per_fission_MeV: float = 205.8
    endpoint_MeV: float = 8.0

    def build(self, folder: Path) -> sources.Reactor:
        """The source."""
        return sources.Reactor(
            thermal_power=self.thermal_power_GW,
            distance=self.distance_m,
            total_flux=self.total_flux_per_cm2_s,
            fission_fractions=self.fission_fractions,
            high_energy=self.high_energy,
            low_energy=self.low_energy,
            energy_per_fission=self.energy_per_fission_MeV,
            endpoint=self.endpoint_MeV,
        )


class SolarTable(_Strict, tag="solar", tag_field="type"):
    """[source] of a detector of solar neutrinos."""

    fluxes_per_cm2_s: dict[str, float] = msgspec.field(default_factory=lambda: dict(solar.FLUXES))

    def build(self, folder: Path) -> solar.Solar:
        """The source."""
        return solar.Solar(self.fluxes_per_cm2_s)


class TabulatedTable(_Strict, tag="tabulated", tag_field="type"):
    """[source] with a spectrum as a CSV file.

    Without total_flux_per_cm2_s the values are per cm², second and the unit of energy that `value_per` names.
    """

    file: str
    energy_column: str
    energy_unit: EnergyUnit
    value_column: str
    value_per: EnergyUnit | None = None
    interpolation: spectra.Interpolation = "linear"
    uncertainty: float | str = 0.0  # relative, or the name of a column
    total_flux_per_cm2_s: float | None = None
    antineutrino: bool = True
    species: str | None = None

    def build(self, folder: Path) -> sources.TabulatedSource:
        """The source."""
        columns = _columns(folder, "source.file", self.file)
        E, values = (_column(columns, self.file, name) for name in (self.energy_column, self.value_column))
        if (self.value_per is None) == (self.total_flux_per_cm2_s is None):
            raise ValueError(
                "value_per, total_flux_per_cm2_s: must be one of them, the unit of energy that the values are for, "
                "or what they are scaled to"
            )
        uncertainty: float | tuple[float, ...]
        if isinstance(self.uncertainty, str):
            uncertainty = tuple(_column(columns, self.file, self.uncertainty).tolist())
        else:
            uncertainty = self.uncertainty
        values = values / _MEV[self.value_per or "MeV"]
        points = tuple((E * _MEV[self.energy_unit]).tolist()), tuple(values.tolist())
        spectrum = spectra.TabulatedSpectrum(*points, self.interpolation, uncertainty)
        species = self.species or ("anti_nu_e" if self.antineutrino else "nu_e")
        if species.startswith("anti") != self.antineutrino:
            raise ValueError(f"species = {species!r}, antineutrino = {str(self.antineutrino).lower()}: contradict")
        return sources.TabulatedSource(spectrum, self.total_flux_per_cm2_s, self.antineutrino, species)


class LogisticTable(_Strict, tag="logistic", tag_field="type"):
    """CL Eq. (12)."""

    plateau: float
    steepness: float
    midpoint: float
    threshold: float

    def build(self, folder: Path) -> responses.LogisticAcceptance:
        """The acceptance."""
        return responses.LogisticAcceptance(self.plateau, self.steepness, self.midpoint, self.threshold)


class OffsetLogisticTable(_Strict, tag="offset-logistic", tag_field="type"):
    """A logistic function and a constant, where positive."""

    amplitude: float
    steepness: float
    midpoint: float
    offset: float

    def build(self, folder: Path) -> responses.OffsetLogisticAcceptance:
        """The acceptance."""
        return responses.OffsetLogisticAcceptance(self.amplitude, self.steepness, self.midpoint, self.offset)


class AcceptanceTable(_Strict, tag="table", tag_field="type"):
    """An acceptance as a CSV file, at values of the observable."""

    file: str
    x_column: str
    value_column: str

    def build(self, folder: Path) -> responses.Table:
        """The acceptance."""
        columns = _columns(folder, "response.acceptance.file", self.file)
        x, y = (_column(columns, self.file, name) for name in (self.x_column, self.value_column))
        return responses.Table(tuple(x.tolist()), tuple(y.tolist()))


class QuenchingTable(_Strict, tag="table", tag_field="type"):
    """Quenching as a CSV file, at recoil energies."""

    file: str
    energy_column: str
    energy_unit: EnergyUnit
    value_column: str

    def build(self, folder: Path) -> responses.Table:
        """The quenching."""
        columns = _columns(folder, "response.quenching.file", self.file)
        T, y = (_column(columns, self.file, name) for name in (self.energy_column, self.value_column))
        return responses.Table(tuple((T * _MEV[self.energy_unit]).tolist()), tuple(y.tolist()))


class LindhardTable(_Strict, tag="lindhard", tag_field="type"):
    """Lindhard's quenching."""

    element: str
    k: float | None = None

    def build(self, folder: Path) -> responses.LindhardQuenching:
        """The quenching."""
        return responses.LindhardQuenching(self.element, self.k)


class PolynomialTable(_Strict, tag="polynomial", tag_field="type"):
    """Quenching as a polynomial in the recoil energy in `energy_unit`, constant first."""

    coefficients: list[float]
    energy_unit: EnergyUnit

    def build(self, folder: Path) -> responses.PolynomialQuenching:
        """The quenching."""
        unit = _MEV[self.energy_unit]
        return responses.PolynomialQuenching(tuple(float(c) / unit**i for i, c in enumerate(self.coefficients)))


class LinearTable(_Strict, tag="linear", tag_field="type"):
    """Quenching as a straight line in the recoil energy."""

    intercept: float
    slope_per_keV: float

    def build(self, folder: Path) -> responses.LinearQuenching:
        """The quenching."""
        return responses.LinearQuenching(self.intercept, self.slope_per_keV / KEV)


class PoissonTable(_Strict, tag="poisson", tag_field="type"):
    """Counting photoelectrons."""

    def build(self, light_yield: float) -> responses.Smearing:
        """The smearing."""
        return responses.PoissonSmearing()


class GaussianTable(_Strict, tag="gaussian", tag_field="type"):
    """A resolution."""

    statistical: float = 0.0
    constant: float = 0.0
    linear: float = 0.0

    def build(self, light_yield: float) -> responses.Smearing:
        """The smearing."""
        return responses.GaussianSmearing(self.statistical, self.constant, self.linear)


class GammaTable(_Strict, tag="gamma", tag_field="type"):
    """COHERENT's resolution of 2021."""

    shape_per_unit: float | None = None
    shape_per_keVee: float | None = None

    def build(self, light_yield: float) -> responses.Smearing:
        """The smearing."""
        if self.shape_per_unit is not None and self.shape_per_keVee is None:
            return responses.GammaSmearing(self.shape_per_unit)
        if self.shape_per_keVee is None or self.shape_per_unit is not None:
            raise ValueError("shape_per_unit, shape_per_keVee: must be exactly one of them")
        return responses.GammaSmearing(self.shape_per_keVee / light_yield)


class MatrixTable(_Strict):
    """[detector.response.matrix]: probabilities as a CSV file, a row for each recoil energy.

    Its columns but those that are named here are the bins. With `variant_column` only the rows of one variant count.
    """

    file: str
    energy_column: str
    energy_unit: EnergyUnit
    variant_column: str | None = None
    variant: str | None = None
    scale: float = 1.0

    def build(self, folder: Path, observable: str) -> responses.ResponseMatrix:
        """The matrix."""
        if (self.variant_column is None) != (self.variant is None):
            raise ValueError("variant_column, variant: must be both there, or none")
        columns = _columns(folder, "response.matrix.file", self.file)
        energies = _column(columns, self.file, self.energy_column)
        rows = np.ones(energies.size, dtype=bool)
        if self.variant_column is not None:
            if self.variant_column not in columns:
                raise ValueError(f"{self.file}: no column {self.variant_column!r}")
            rows = np.array([cell == self.variant for cell in columns[self.variant_column]])
            if not rows.any():
                raise ValueError(f"{self.file}: no rows of variant {self.variant!r}")
        bins = [name for name in columns if name not in (self.energy_column, self.variant_column)]
        table = self.scale * np.array([_column(columns, self.file, name)[rows] for name in bins]).T
        return responses.ResponseMatrix(tuple((energies[rows] * _MEV[self.energy_unit]).tolist()), table, observable)


class ResponseTable(_Strict):
    """[detector.response]"""

    observable: str = "recoil energy [keV]"
    light_yield_per_keV: float = 1.0
    quenching: float | QuenchingTable | LindhardTable | PolynomialTable | LinearTable = 1.0
    acceptance: float | LogisticTable | OffsetLogisticTable | AcceptanceTable = 1.0
    smearing: PoissonTable | GaussianTable | GammaTable | None = None
    recoil_threshold_keV: float = 0.0
    matrix: MatrixTable | None = None

    def build(self, folder: Path) -> responses.Response | responses.ResponseMatrix:
        """The response."""
        quenching, acceptance = self.quenching, self.acceptance
        if self.matrix is not None:
            alone = ResponseTable(matrix=self.matrix, observable=self.observable)
            if self != alone:
                raise ValueError("matrix: must come with `observable` at most, it holds everything else")
            return self.matrix.build(folder, self.observable)
        return responses.Response(
            light_yield=self.light_yield_per_keV,
            quenching=quenching
            if isinstance(quenching, float | int)
            else _named("quenching", lambda: quenching.build(folder)),
            acceptance=acceptance
            if isinstance(acceptance, float | int)
            else _named("acceptance", lambda: acceptance.build(folder)),
            smearing=self.smearing.build(self.light_yield_per_keV) if self.smearing else None,
            observable=self.observable,
            recoil_threshold=self.recoil_threshold_keV * KEV,
        )


class HelmTable(_Strict, tag="helm", tag_field="type"):
    """Form factor."""

    convention: Literal["lewin-smith", "rms"] = "lewin-smith"
    skin_fm: float = 0.9
    neutron_radius_fm: float | dict[str, float] | None = None

    def build(self) -> FormFactor:
        """The form factor."""
        return HelmFormFactor(self.convention, self.skin_fm, self.neutron_radius_fm)


class KleinNystrandTable(_Strict, tag="klein-nystrand", tag_field="type"):
    """A hard sphere folded with a Yukawa potential; see `KleinNystrand`."""

    convention: Literal["mass-number", "rms"] = "mass-number"
    range_fm: float = 0.7
    neutron_radius_fm: float | dict[str, float] | None = None

    def build(self) -> FormFactor:
        """The form factor."""
        return KleinNystrand(self.convention, self.range_fm, self.neutron_radius_fm)


class SymmetrisedFermiTable(_Strict, tag="symmetrised-fermi", tag_field="type"):
    """A symmetrised Fermi distribution; see `SymmetrisedFermi`."""

    convention: Literal["mass-number", "rms"] = "mass-number"
    diffuseness_fm: float = 0.52
    neutron_radius_fm: float | dict[str, float] | None = None

    def build(self) -> FormFactor:
        """The form factor."""
        return SymmetrisedFermi(self.convention, self.diffuseness_fm, self.neutron_radius_fm)


class PointTable(_Strict, tag="point", tag_field="type"):
    """F = 1."""

    def build(self) -> FormFactor:
        """The form factor."""
        return PointNucleus()


class NuclideTable(_Strict):
    """[[detector.nuclide]]: a nuclide of one's own, which `composition` names."""

    name: str
    Z: int
    N: int
    atomic_mass_u: float
    charge_radius_fm: float | None = None

    def build(self) -> Nuclide:
        """The nuclide."""
        return Nuclide(self.name, self.Z, self.N, self.atomic_mass_u, charge_radius=self.charge_radius_fm)


class DetectorTable(_Strict):
    """[detector]"""

    material: str
    composition: dict[str, float]
    mass_kg: float
    bins: list[float] = []
    nuclide: list[NuclideTable] = []
    response: ResponseTable = msgspec.field(default_factory=ResponseTable)
    form_factor: HelmTable | KleinNystrandTable | SymmetrisedFermiTable | PointTable = msgspec.field(
        default_factory=HelmTable
    )
    electron_response: ResponseTable | None = None

    def build(self, folder: Path) -> detectors.Detector:
        """The detector."""
        electron_response = self.electron_response
        return detectors.Detector(
            target=Target.of(self.material, self.composition, [each.build() for each in self.nuclide]),
            mass=self.mass_kg,
            bins=tuple(self.bins),
            response=_named("response", lambda: self.response.build(folder)),
            form_factor=self.form_factor.build(),
            electron_response=None
            if electron_response is None
            else _named("electron_response", lambda: electron_response.build(folder)),
        )


class EfficiencyTable(_Strict, tag="exponential", tag_field="type"):
    """An efficiency in time."""

    start_us: float
    rate_per_us: float

    def build(self) -> axes.ExponentialEfficiency:
        """The efficiency."""
        return axes.ExponentialEfficiency(self.start_us, self.rate_per_us)


class PulseTable(_Strict):
    """[time.pulse]: a Gaussian pulse of protons."""

    mean_us: float
    width_us: float
    pion_lifetime_us: float = axes.PION_LIFETIME
    muon_lifetime_us: float = axes.MUON_LIFETIME
    efficiency: float | EfficiencyTable = 1.0

    def build(self) -> axes.ProtonPulse:
        """The pulse."""
        return axes.ProtonPulse(
            self.mean_us,
            self.width_us,
            self.pion_lifetime_us,
            self.muon_lifetime_us,
            self.efficiency if isinstance(self.efficiency, float | int) else self.efficiency.build(),
        )


class TimeTable(_Strict):
    """[time]: bins of time beside those of the observable, and how neutrinos fill them."""

    edges_us: list[float]
    pulse: PulseTable | None = None
    file: str | None = None
    fractions: dict[str, str] = {}  # columns of the file, by flux component

    def build(self, folder: Path) -> axes.TimeAxis:
        """The axis."""
        if self.pulse is not None:
            if self.file is not None or self.fractions:
                raise ValueError("pulse: must come without file and fractions")
            return axes.TimeAxis(tuple(self.edges_us), pulse=self.pulse.build())
        if self.file is None or not self.fractions:
            raise ValueError("pulse, file, fractions: must be a pulse, or a file and its columns")
        columns = _columns(folder, "time.file", self.file)
        given = {name: tuple(_column(columns, self.file, c).tolist()) for name, c in self.fractions.items()}
        return axes.TimeAxis(tuple(self.edges_us), given)


class ReleaseTable(_Strict):
    """[release]: a further axis, with probabilities for all bins of the observable or from a file for each."""

    name: str
    probabilities: list[float] | None = None
    file: str | None = None
    columns: list[str] = []

    def build(self, folder: Path) -> axes.ReleaseAxis:
        """The axis."""
        if self.probabilities is not None and self.file is None and not self.columns:
            return axes.ReleaseAxis(self.name, self.probabilities)
        if self.file is None or not self.columns or self.probabilities is not None:
            raise ValueError("probabilities, file, columns: must be probabilities, or a file and its columns")
        columns = _columns(folder, "release.file", self.file)
        return axes.ReleaseAxis(self.name, np.array([_column(columns, self.file, c) for c in self.columns]).T)


class CalibrationTable(_Strict):
    """[calibration]: what counts are multiplied by, a column with a row for each bin or for observable × time."""

    file: str
    column: str

    def build(self, folder: Path, *shapes: tuple[int, ...]) -> Floats:
        """The factors in the first of the shapes that they fill."""
        found = _column(_columns(folder, "calibration.file", self.file), self.file, self.column)
        for shape in shapes:
            if found.size == np.prod(shape):
                return found.reshape(shape)
        raise ValueError(f"{self.file}: has {found.size} rows, must be for bins {' or '.join(map(str, shapes))}")


class BackgroundTable(_Strict):
    """[[background]]: a column of the data's table, with a normalisation uncertainty."""

    name: str
    column: str
    uncertainty: float


class ScaleTable(_Strict, tag="scale", tag_field="type"):
    """[[nuisance]]: a normalisation with a name."""

    name: str
    uncertainty: float | None = None
    up: float | None = None
    down: float | None = None
    on: str = "signal"
    constraint: Literal["gaussian", "log-normal"] = "gaussian"
    active: bool = True

    def build(self, file: "ExperimentFile", built: Mapping[str, Any], folder: Path) -> shared.SharedNuisance:
        """The nuisance."""
        return shared.SharedScale(
            self.name, self.on, self.active, self.uncertainty, self.constraint, self.up, self.down
        )  # fmt: skip


class VariedResponse(_Strict):
    """What differs from [detector.response]; everything else stays."""

    light_yield_per_keV: float | None = None
    quenching: float | QuenchingTable | LindhardTable | PolynomialTable | LinearTable | None = None
    acceptance: float | LogisticTable | OffsetLogisticTable | AcceptanceTable | None = None
    smearing: PoissonTable | GaussianTable | GammaTable | None = None
    recoil_threshold_keV: float | None = None
    variant: str | None = None  # of the matrix

    def build(self, nominal: ResponseTable, folder: Path) -> responses.Response | responses.ResponseMatrix:
        """The response."""
        changes = {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}
        if "variant" in changes:
            if nominal.matrix is None:
                raise ValueError("variant: must be of a matrix")
            changes["matrix"] = msgspec.structs.replace(nominal.matrix, variant=changes.pop("variant"))
        return msgspec.structs.replace(nominal, **changes).build(folder)


class ResponseVariationTable(_Strict, tag="response", tag_field="type"):
    """[[nuisance]]: another response, one standard deviation up and down."""

    name: str
    up: VariedResponse
    down: VariedResponse
    active: bool = True

    def build(self, file: "ExperimentFile", built: Mapping[str, Any], folder: Path) -> shared.SharedNuisance:
        """The nuisance."""
        sides = [{"response": each.build(file.detector.response, folder)} for each in (self.up, self.down)]
        return shared.SignalVariation(self.name, active=self.active, up=sides[0], down=sides[1])


class OnsetTable(_Strict, tag="onset", tag_field="type"):
    """[[nuisance]]: the pulse comes later or earlier."""

    name: str
    shift_us: float
    active: bool = True

    def build(self, file: "ExperimentFile", built: Mapping[str, Any], folder: Path) -> shared.SharedNuisance:
        """The nuisance."""
        if built["time"] is None:
            raise ValueError("shift_us: must come with [time]")
        sides = [{"time": built["time"].shifted(by)} for by in (self.shift_us, -self.shift_us)]
        return shared.SignalVariation(self.name, active=self.active, up=sides[0], down=sides[1])


class CalibrationVariationTable(_Strict, tag="calibration", tag_field="type"):
    """[[nuisance]]: other factors in place of those of [calibration]; without `down` those remain."""

    name: str
    up: CalibrationTable
    down: CalibrationTable | None = None
    active: bool = True

    def build(self, file: "ExperimentFile", built: Mapping[str, Any], folder: Path) -> shared.SharedNuisance:
        """The nuisance."""
        n, time, release = built["detector"].n_bins, built["time"], built["release"]
        shapes = axes.shape_of(n, time, release), axes.shape_of(n, time, None)
        up = {"calibration": self.up.build(folder, *shapes)}
        down = {"calibration": built["calibration"] if self.down is None else self.down.build(folder, *shapes)}
        return shared.SignalVariation(self.name, active=self.active, up=up, down=down)


class BackgroundVariationTable(_Strict, tag="background", tag_field="type"):
    """[[nuisance]]: other columns for a background; without `down` it is mirrored, with its own it is one-sided."""

    name: str
    on: str
    up: str
    down: str | None = None
    active: bool = True

    def build(self, file: "ExperimentFile", built: Mapping[str, Any], folder: Path) -> shared.SharedNuisance:
        """The nuisance."""
        table = file.data.table or "[data] without a table"
        columns = {} if file.data.table is None else _columns(folder, "data.table", file.data.table)
        up = _column(columns, table, self.up)
        down = None if self.down is None else _column(columns, table, self.down)
        return shared.BackgroundVariation(self.name, self.on, self.active, up, down)


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
    exclude: list[int] = []  # bins that are left out, counted from 0

    def columns(self, folder: Path, bins: tuple[float, ...], others: int) -> dict[str, list[str]]:
        """The table's columns, if there is one; with further axes, `low` and `high` may be left out."""
        if self.table is None:
            if self.simulated is None:
                raise ValueError("table, simulated: at least one must be there")
            return {}
        columns = _columns(folder, "data.table", self.table)
        if others > 1 and "low" not in columns and "high" not in columns:
            return columns
        low, high = (_column(columns, self.table, name).tolist() for name in ("low", "high"))
        if low != np.repeat(bins[:-1], others).tolist() or high != np.repeat(bins[1:], others).tolist():
            raise ValueError(f"{self.table}: low, high are not the detector's bins {bins}")
        for name in ("observed", "coincidence", "anticoincidence"):
            if self.simulated is not None and name in columns:
                raise ValueError(f"{self.table}: column {name!r} beside simulated data")
        return columns


class SteadyStateTable(_Strict):
    """[steady_state]: a constant rate, or a fraction of the Standard Model's counts spread evenly in energy."""

    per_day_keV_kg: float | None = None
    per_day_keVee_kg: float | None = None
    protons_per_day: float | None = None
    standard_model_fraction: float | None = None

    def build(self) -> BackgroundRate | StandardModelFraction | None:
        """The background, if one is stated."""
        rates = self.per_day_keV_kg, self.per_day_keVee_kg
        if sum(x is not None for x in (*rates, self.standard_model_fraction)) > 1:
            raise ValueError("per_day_keV_kg, per_day_keVee_kg, standard_model_fraction: at most one may be there")
        if any(x is not None for x in rates):
            return BackgroundRate(*rates, self.protons_per_day)
        if self.protons_per_day is not None:
            raise ValueError("protons_per_day: must come with a rate")
        return None if self.standard_model_fraction is None else StandardModelFraction(self.standard_model_fraction)


class UncertaintyTable(_Strict):
    """[uncertainty]; signal = "source" takes what a tabulated source states for its flux."""

    signal: float | Literal["source"]
    signal_on: Literal["prediction", "standard_model"] = "prediction"
    shape: float = 0.0
    variance: Literal["observed", "prediction"] = "observed"
    steady_state_weight: float = 2.0
    statistic: Literal["gaussian", "poisson"] = "gaussian"

    def signal_of(self, source: Any) -> float:
        """σ_α."""
        if self.signal != "source":
            return self.signal
        if not isinstance(source, sources.TabulatedSource):
            raise ValueError("signal = 'source': must be a number, only a tabulated source states an uncertainty")
        return source.flux_uncertainty


NuisanceTable = ScaleTable | ResponseVariationTable | OnsetTable | CalibrationVariationTable | BackgroundVariationTable


class ExperimentFile(_Strict):
    """The whole file."""

    description: str
    name: str
    source: PionDecayAtRestTable | ReactorTable | SolarTable | TabulatedTable
    detector: DetectorTable
    data: DataTable
    uncertainty: UncertaintyTable
    exposure_days: float | None = None
    exposure_protons_on_target: float | None = None
    citation: str = ""
    steady_state: SteadyStateTable = msgspec.field(default_factory=SteadyStateTable)
    background: list[BackgroundTable] = []
    time: TimeTable | None = None
    release: ReleaseTable | None = None
    calibration: CalibrationTable | None = None
    nuisance: list[NuisanceTable] = []
    data_set: str = ""
    contains: list[str] = []
    approximate: str = ""
    published: str = ""

    def build(self, folder: Path) -> dict[str, Any]:
        """The arguments of `Experiment`."""
        source = _named("[source]", lambda: self.source.build(folder))
        detector = _named("[detector]", lambda: self.detector.build(folder))
        time = None if self.time is None else _built("[time]", self.time, folder)
        release = None if self.release is None else _built("[release]", self.release, folder)
        shape = axes.shape_of(detector.n_bins, time, release)
        n_bins = math.prod(shape)
        columns = _named("[data]", lambda: self.data.columns(folder, detector.bins, n_bins // detector.n_bins))

        def column(name: str) -> Floats:
            return _column(columns, self.data.table or "[data] without a table", name)

        observed, tabulated = None, None
        if "coincidence" in columns:
            tabulated = column("anticoincidence")
            observed = column("coincidence") - tabulated
        else:
            tabulated = column("steady_state") if "steady_state" in columns else None
            observed = column("observed") if self.data.simulated is None else None
        calibration = None
        if self.calibration is not None:
            table = self.calibration
            sorted_by = axes.shape_of(detector.n_bins, time, None)
            calibration = _named("[calibration]", lambda: table.build(folder, shape, sorted_by))
        truth = self.data.simulated or SimulatedTable()
        built = {"detector": detector, "time": time, "release": release, "calibration": calibration}
        return {
            **built,
            "nuisances": tuple(
                _named(f"[[nuisance]] {each.name!r}:", lambda each=each: each.build(self, built, folder))  # type: ignore[misc]
                for each in self.nuisance
            ),
            "sigma": column("sigma") if "sigma" in columns else None,
            "statistic": self.uncertainty.statistic,
            "data_set": self.data_set,
            "contains": tuple(self.contains),
            "approximate": self.approximate,
            "published": self.published,
            "name": self.name,
            "description": self.description,
            "citation": self.citation,
            "source": source,
            "exposure": self._exposure(source.exposure_unit),
            "observed": observed,
            "simulated_truth": _named("[data]", lambda: StandardModel(truth.sin2_theta_w)),
            "steady_state": _named("[steady_state]", lambda: self._steady_state(tabulated, n_bins)),
            "steady_state_weight": self.uncertainty.steady_state_weight,
            "backgrounds": tuple(Background(b.name, column(b.column), b.uncertainty) for b in self.background),
            "signal_uncertainty": _named("[uncertainty]", lambda: self.uncertainty.signal_of(source)),
            "signal_uncertainty_on": self.uncertainty.signal_on,
            "shape_uncertainty": self.uncertainty.shape,
            "variance": self.uncertainty.variance,
            "excluded": tuple(self.data.exclude),
        }

    def _exposure(self, unit: str) -> float:
        """The exposure, in the unit that the source counts in."""
        stated = {"days": self.exposure_days, "protons on target": self.exposure_protons_on_target}
        value = stated.pop(unit)
        key = f"exposure_{unit.replace(' ', '_')}"
        if value is None or any(other is not None for other in stated.values()):
            raise ValueError(
                f"{key}: must be there, and no other exposure, for a source of type {self._source_type()!r}"
            )
        return value

    def _source_type(self) -> str:
        return str(self.source.__struct_config__.tag)

    def _steady_state(self, tabulated: Floats | None, n_bins: int) -> Any:
        """The steady-state background: tabulated, stated, or none."""
        stated = self.steady_state.build()
        if tabulated is not None and stated is not None:
            raise ValueError("a column of the data is there already")
        if stated is not None:
            return stated
        return np.zeros(n_bins) if tabulated is None else tabulated


# Keys that did not state their unit, or stated it as a factor, by table: what they are called now.
_RENAMED: dict[str, dict[str, str]] = {
    "": {"exposure": "exposure_days or exposure_protons_on_target"},
    "source": {
        "distance": "distance_m",
        "thermal_power": "thermal_power_GW",
        "total_flux": "total_flux_per_cm2_s",
        "energy_per_fission": "energy_per_fission_MeV",
        "endpoint": "endpoint_MeV",
        "energy": "energy_column",
        "value": "value_column",
    },
    "detector": {"mass": "mass_kg"},
    "detector.response": {"light_yield": "light_yield_per_keV", "recoil_threshold": "recoil_threshold_keV, in keV"},
    "detector.response.quenching": {
        "x": "energy_column",
        "x_unit": 'energy_unit, "keV" or "MeV"',
        "y": "value_column",
    },
    "detector.response.acceptance": {
        "x": "x_column",
        "x_unit": "nothing, x is in units of the observable",
        "y": "value_column",
    },
    "detector.form_factor": {"skin": "skin_fm", "neutron_radius": "neutron_radius_fm"},
}


def experiment_file(text: str) -> ExperimentFile:
    """The contents of a file; `ValueError` for whatever is wrong with them."""
    try:
        raw: Mapping[str, Any] = tomllib.loads(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    _refuse_old_names(raw)
    _refuse_huge_integers(raw)
    try:
        return msgspec.convert(raw, ExperimentFile)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(str(error) or "is nested too deeply") from None


def _refuse_huge_integers(raw: Mapping[str, Any]) -> None:
    """TOML's integers have 64 bits; Python's would overflow later on."""
    todo: list[tuple[str, Any]] = [("", raw)]
    for path, value in todo:  # grows
        if isinstance(value, dict):
            todo += [(f"{path}.{key}" if path else key, each) for key, each in value.items()]
        elif isinstance(value, list):
            todo += [(f"{path}[{i}]", each) for i, each in enumerate(value)]
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ValueError(f"{path[:200]} = {str(value)[:20]}…: must fit into 64 bits, or have a decimal point")


def _refuse_old_names(raw: Mapping[str, Any]) -> None:
    """An old key would be "unknown", and perhaps in another unit than the new one."""
    for path, names in _RENAMED.items():
        table: Any = raw
        for key in filter(None, path.split(".")):
            table = table.get(key) if isinstance(table, Mapping) else None
        for old, new in names.items():
            if isinstance(table, Mapping) and old in table:
                where = f"[{path}] " if path else ""
                raise ValueError(f"{where}{old}: is called {new} now: keys state their unit")


def _named(table: str, build: Callable[[], T]) -> T:
    """Build a part; an error says which table of the file it comes from."""
    try:
        return build()
    except ValueError as error:
        raise ValueError(f"{table} {error}") from None
    except FileNotFoundError as error:
        missing = f"{error.filename}: no such file" if error.filename else str(error)
        raise FileNotFoundError(f"{table} {missing}") from None


class _Buildable(Protocol[Part]):
    """A table that a part is built from."""

    def build(self, folder: Path) -> Part:
        """The part."""


def _built(name: str, table: _Buildable[Part], folder: Path) -> Part:
    """Build a part of a table that is there."""
    return _named(name, lambda: table.build(folder))


def _columns(folder: Path, field: str, name: str) -> dict[str, list[str]]:
    """Columns of the file that a field names."""
    try:
        return read_table(beside(folder, name))
    except FileNotFoundError:
        raise FileNotFoundError(f"{field} = {name!r}: there is no such file in {str(folder)!r}") from None


def _column(columns: dict[str, list[str]], file: str, name: str) -> Floats:
    """A column of numbers."""
    if name not in columns:
        raise ValueError(f"{file}: no column {name!r}; {unknown(name, columns)}")
    try:
        return np.array([float(cell) for cell in columns[name]])
    except ValueError as error:
        raise ValueError(f"{file}: column {name!r}: {str(error)[:100]}") from None
