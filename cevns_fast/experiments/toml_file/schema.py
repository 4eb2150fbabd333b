"""The whole file."""

import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from cevns_fast._validate import Floats
from cevns_fast.experiments import axes
from cevns_fast.experiments.backgrounds import Background
from cevns_fast.experiments.toml_file.axes import CalibrationTable, ReleaseTable, TimeTable
from cevns_fast.experiments.toml_file.data import (
    BackgroundTable,
    DataTable,
    SimulatedTable,
    SteadyStateTable,
    UncertaintyTable,
)
from cevns_fast.experiments.toml_file.detector import DetectorTable
from cevns_fast.experiments.toml_file.nuisance import NuisanceTable
from cevns_fast.experiments.toml_file.source import PionDecayAtRestTable, ReactorTable, SolarTable, TabulatedTable
from cevns_fast.experiments.toml_file.table import FileTable, built_from, column_of, named
from cevns_fast.interactions.standard_model import StandardModel


class ExperimentFile(FileTable):
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
    background: list[BackgroundTable] = msgspec.field(default_factory=list)
    time: TimeTable | None = None
    release: ReleaseTable | None = None
    calibration: CalibrationTable | None = None
    nuisance: list[NuisanceTable] = msgspec.field(default_factory=list)
    data_set: str = ""
    contains: list[str] = msgspec.field(default_factory=list)
    approximate: str = ""
    published: str = ""

    def build(self, folder: Path) -> dict[str, Any]:
        """The arguments of `Experiment`."""
        source = named("[source]", lambda: self.source.build(folder))
        detector = named("[detector]", lambda: self.detector.build(folder))
        time = None if self.time is None else built_from("[time]", self.time, folder)
        release = None if self.release is None else built_from("[release]", self.release, folder)
        shape = axes.shape_of(detector.n_bins, time, release)
        n_bins = math.prod(shape)
        columns = named("[data]", lambda: self.data.columns(folder, detector.bins, n_bins // detector.n_bins))

        def column(name: str) -> Floats:
            return column_of(columns, self.data.table or "[data] without a table", name)

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
            calibration = named("[calibration]", lambda: table.build(folder, shape, sorted_by))
        truth = self.data.simulated or SimulatedTable()
        built = {"detector": detector, "time": time, "release": release, "calibration": calibration}
        return {
            **built,
            "nuisances": tuple(
                named(f"[[nuisance]] {each.name!r}:", lambda each=each: each.build(self, built, folder))  # type: ignore[misc]
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
            "simulated_truth": named("[data]", lambda: StandardModel(truth.sin2_theta_w)),
            "steady_state": named("[steady_state]", lambda: self._steady_state(tabulated, n_bins)),
            "steady_state_weight": self.uncertainty.steady_state_weight,
            "backgrounds": tuple(Background(b.name, column(b.column), b.uncertainty) for b in self.background),
            "signal_uncertainty": named("[uncertainty]", lambda: self.uncertainty.signal_of(source)),
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
