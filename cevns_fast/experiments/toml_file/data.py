"""[data], [steady_state], [[background]], [uncertainty]: what was counted, and how well it is known."""

from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from cevns_fast.constants import SIN2_THETA_W
from cevns_fast.experiments import sources
from cevns_fast.experiments.backgrounds import BackgroundRate, StandardModelFraction
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.experiments.toml_file.table import FileTable, column_of, columns_of


class SimulatedTable(FileTable):
    """The truth behind simulated data."""

    sin2_theta_w: float = SIN2_THETA_W


class DataTable(FileTable):
    """[data]: a CSV file with the bins' `low` and `high`, simulated data, or both.

    Counted: `coincidence` and `anticoincidence`, or `observed` and perhaps `steady_state`. Simulated data come from the
    stated truth; their table, if there is one, holds backgrounds only.
    """

    table: str | None = None
    simulated: SimulatedTable | None = None
    exclude: list[int] = msgspec.field(default_factory=list)  # bins that are left out, counted from 0

    def columns(self, folder: Path, bins: tuple[float, ...], others: int) -> dict[str, list[str]]:
        """The table's columns, if there is one; with further axes, `low` and `high` may be left out."""
        if self.table is None:
            if self.simulated is None:
                raise ValueError("table, simulated: at least one must be there")
            return {}
        columns = columns_of(folder, "data.table", self.table)
        if others > 1 and "low" not in columns and "high" not in columns:
            return columns
        low, high = (column_of(columns, self.table, name).tolist() for name in ("low", "high"))
        if low != np.repeat(bins[:-1], others).tolist() or high != np.repeat(bins[1:], others).tolist():
            raise ValueError(f"{self.table}: low, high are not the detector's bins {bins}")
        for name in ("observed", "coincidence", "anticoincidence"):
            if self.simulated is not None and name in columns:
                raise ValueError(f"{self.table}: column {name!r} beside simulated data")
        return columns


class SteadyStateTable(FileTable):
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


class BackgroundTable(FileTable):
    """[[background]]: a column of the data's table, with a normalisation uncertainty."""

    name: str
    column: str
    uncertainty: float


class UncertaintyTable(FileTable):
    """[uncertainty]; signal = "source" takes what a tabulated source states for its flux."""

    signal: float | Literal["source"]
    signal_on: Literal["prediction", "standard_model"] = Experiment.signal_uncertainty_on
    shape: float = Experiment.shape_uncertainty
    variance: Literal["observed", "prediction"] = Experiment.variance
    steady_state_weight: float = Experiment.steady_state_weight
    statistic: Literal["gaussian", "poisson"] = Experiment.statistic

    def signal_of(self, source: Any) -> float:
        """σ_α."""
        if self.signal != "source":
            return self.signal
        if not isinstance(source, sources.TabulatedSource):
            raise ValueError("signal = 'source': must be a number, only a tabulated source states an uncertainty")
        return source.flux_uncertainty
