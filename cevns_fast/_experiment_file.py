"""The schema of an experiment's TOML file, and how its parts are built.

`msgspec` refuses missing, unknown and mistyped fields with the path of the field.
"""

from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from cevns_fast import detectors, sources
from cevns_fast._validate import Floats, unknown
from cevns_fast.data import read_table
from cevns_fast.nuclei import FormFactor, HelmFormFactor, PointNucleus, Target


class _Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A table of the file."""


class PionDecayAtRestTable(_Strict, tag="pion-decay-at-rest", tag_field="type"):
    """[source] of a spallation experiment."""

    distance: float
    neutrinos_per_proton: float = 0.08

    def build(self) -> sources.PionDecayAtRest:
        """The source."""
        return sources.PionDecayAtRest(self.distance, self.neutrinos_per_proton)


class LogisticTable(_Strict, tag="logistic", tag_field="type"):
    """CL Eq. (12)."""

    plateau: float
    steepness: float
    midpoint: float
    threshold: float

    def build(self, folder: Path) -> detectors.LogisticAcceptance:
        """The acceptance."""
        return detectors.LogisticAcceptance(self.plateau, self.steepness, self.midpoint, self.threshold)


class PointsTable(_Strict, tag="table", tag_field="type"):
    """A function as a CSV file; x and y name its columns, x_unit what turns x into the library's unit."""

    file: str
    x: str
    y: str
    x_unit: float = 1.0

    def build(self, folder: Path) -> detectors.Table:
        """The function."""
        columns = read_table(folder / self.file)
        x, y = (_column(columns, self.file, name) for name in (self.x, self.y))
        return detectors.Table(tuple((x * self.x_unit).tolist()), tuple(y.tolist()))


class PoissonTable(_Strict, tag="poisson", tag_field="type"):
    """Counting photoelectrons."""

    def build(self) -> detectors.Smearing:
        """The smearing."""
        return detectors.PoissonSmearing()


class GaussianTable(_Strict, tag="gaussian", tag_field="type"):
    """A resolution."""

    statistical: float = 1.0
    constant: float = 0.0
    linear: float = 0.0

    def build(self) -> detectors.Smearing:
        """The smearing."""
        return detectors.GaussianSmearing(self.statistical, self.constant, self.linear)


class GammaTable(_Strict, tag="gamma", tag_field="type"):
    """COHERENT's resolution of 2021."""

    shape_per_unit: float

    def build(self) -> detectors.Smearing:
        """The smearing."""
        return detectors.GammaSmearing(self.shape_per_unit)


class ResponseTable(_Strict):
    """[detector.response]; energies in MeV."""

    observable: str = "recoil energy [keV]"
    light_yield: float = 1.0
    quenching: float | PointsTable = 1.0
    acceptance: float | dict[str, Any] = 1.0
    smearing: PoissonTable | GaussianTable | GammaTable | None = None
    recoil_threshold: float = 0.0

    def build(self, folder: Path) -> detectors.Response:
        """The response."""
        quenching = self.quenching
        acceptance = self.acceptance
        if isinstance(acceptance, dict):
            acceptance = msgspec.convert(acceptance, LogisticTable | PointsTable)  # type: ignore[arg-type]
        return detectors.Response(
            light_yield=self.light_yield,
            quenching=quenching.build(folder) if isinstance(quenching, PointsTable) else quenching,
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
        return HelmFormFactor(self.convention, self.skin, self.neutron_radius)  # type: ignore[arg-type]


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


class DataTable(_Strict):
    """[data]: a CSV file with `low`, `high` and either `coincidence` and `anticoincidence` or `observed`."""

    table: str


class UncertaintyTable(_Strict):
    """[uncertainty]"""

    signal: float
    signal_on: Literal["prediction", "standard_model"] = "prediction"
    shape: float = 0.0
    variance: Literal["observed", "prediction"] = "observed"
    steady_state_weight: float = 2.0


class ExperimentFile(_Strict):
    """The whole file."""

    description: str
    name: str
    exposure: float
    source: PionDecayAtRestTable
    detector: DetectorTable
    data: DataTable
    uncertainty: UncertaintyTable
    citation: str = ""
    background: list[BackgroundTable] = []

    def build(self, folder: Path) -> dict[str, Any]:
        """The arguments of `Experiment`."""
        from cevns_fast.experiments import Background

        source = _named("source", self.source.build)
        detector = _named("detector", lambda: self.detector.build(folder))
        columns = read_table(folder / self.data.table)

        def column(name: str) -> Floats:
            return _column(columns, self.data.table, name)

        low, high = column("low"), column("high")
        if low.tolist() != list(detector.bins[:-1]) or high.tolist() != list(detector.bins[1:]):
            raise ValueError(f"{self.data.table}: low, high are not the detector's bins {detector.bins}")
        if "coincidence" in columns:
            steady_state = column("anticoincidence")
            observed = column("coincidence") - steady_state
        else:
            observed = column("observed")
            steady_state = column("steady_state") if "steady_state" in columns else np.zeros_like(observed)
        return {
            "name": self.name,
            "description": self.description,
            "citation": self.citation,
            "source": source,
            "detector": detector,
            "exposure": self.exposure,
            "observed": observed,
            "steady_state": steady_state,
            "steady_state_weight": self.uncertainty.steady_state_weight,
            "backgrounds": tuple(Background(b.name, column(b.column), b.uncertainty) for b in self.background),
            "signal_uncertainty": self.uncertainty.signal,
            "signal_uncertainty_on": self.uncertainty.signal_on,
            "shape_uncertainty": self.uncertainty.shape,
            "variance": self.uncertainty.variance,
        }


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
