"""[[nuisance]]: what is uncertain, by name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from cevns_fast.experiments import axes, shared
from cevns_fast.experiments.response_matrix import ResponseMatrix
from cevns_fast.experiments.responses import Response
from cevns_fast.experiments.toml_file.axes import CalibrationTable
from cevns_fast.experiments.toml_file.response import (
    AcceptanceTable,
    GammaTable,
    GaussianTable,
    LindhardTable,
    LinearTable,
    LogisticTable,
    OffsetLogisticTable,
    PoissonTable,
    PolynomialTable,
    QuenchingTable,
    ResponseTable,
)
from cevns_fast.experiments.toml_file.table import FileTable, column_of, columns_of


class ScaleTable(FileTable, tag="scale", tag_field="type"):
    """[[nuisance]]: a normalisation with a name."""

    name: str
    uncertainty: float | None = None
    up: float | None = None
    down: float | None = None
    on: str = "signal"
    constraint: Literal["gaussian", "log-normal"] = "gaussian"
    active: bool = True

    def build(self, file: Any, built: Mapping[str, Any], folder: Path) -> shared.SharedNuisance:
        """The nuisance."""
        return shared.SharedScale(
            self.name, self.on, self.active, self.uncertainty, self.constraint, self.up, self.down
        )  # fmt: skip


class VariedResponse(FileTable):
    """What differs from [detector.response]; everything else stays."""

    light_yield_per_keV: float | None = None
    quenching: float | QuenchingTable | LindhardTable | PolynomialTable | LinearTable | None = None
    acceptance: float | LogisticTable | OffsetLogisticTable | AcceptanceTable | None = None
    smearing: PoissonTable | GaussianTable | GammaTable | None = None
    recoil_threshold_keV: float | None = None
    variant: str | None = None  # of the matrix

    def build(self, nominal: ResponseTable, folder: Path) -> Response | ResponseMatrix:
        """The response."""
        changes = {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}
        if "variant" in changes:
            if nominal.matrix is None:
                raise ValueError("variant: must be of a matrix")
            changes["matrix"] = msgspec.structs.replace(nominal.matrix, variant=changes.pop("variant"))
        return msgspec.structs.replace(nominal, **changes).build(folder)


class ResponseVariationTable(FileTable, tag="response", tag_field="type"):
    """[[nuisance]]: another response, one standard deviation up and down."""

    name: str
    up: VariedResponse
    down: VariedResponse
    active: bool = True

    def build(self, file: Any, built: Mapping[str, Any], folder: Path) -> shared.SharedNuisance:
        """The nuisance."""
        sides = [{"response": each.build(file.detector.response, folder)} for each in (self.up, self.down)]
        return shared.SignalVariation(self.name, active=self.active, up=sides[0], down=sides[1])


class OnsetTable(FileTable, tag="onset", tag_field="type"):
    """[[nuisance]]: the pulse comes later or earlier."""

    name: str
    shift_us: float
    active: bool = True

    def build(self, file: Any, built: Mapping[str, Any], folder: Path) -> shared.SharedNuisance:
        """The nuisance."""
        if built["time"] is None:
            raise ValueError("shift_us: must come with [time]")
        sides = [{"time": built["time"].shifted(by)} for by in (self.shift_us, -self.shift_us)]
        return shared.SignalVariation(self.name, active=self.active, up=sides[0], down=sides[1])


class CalibrationVariationTable(FileTable, tag="calibration", tag_field="type"):
    """[[nuisance]]: other factors in place of those of [calibration]; without `down` those remain."""

    name: str
    up: CalibrationTable
    down: CalibrationTable | None = None
    active: bool = True

    def build(self, file: Any, built: Mapping[str, Any], folder: Path) -> shared.SharedNuisance:
        """The nuisance."""
        n, time, release = built["detector"].n_bins, built["time"], built["release"]
        shapes = axes.shape_of(n, time, release), axes.shape_of(n, time, None)
        up = {"calibration": self.up.build(folder, *shapes)}
        down = {"calibration": built["calibration"] if self.down is None else self.down.build(folder, *shapes)}
        return shared.SignalVariation(self.name, active=self.active, up=up, down=down)


class BackgroundVariationTable(FileTable, tag="background", tag_field="type"):
    """[[nuisance]]: other columns for a background; without `down` it is mirrored, with its own it is one-sided."""

    name: str
    on: str
    up: str
    down: str | None = None
    active: bool = True

    def build(self, file: Any, built: Mapping[str, Any], folder: Path) -> shared.SharedNuisance:
        """The nuisance."""
        table = file.data.table or "[data] without a table"
        columns = {} if file.data.table is None else columns_of(folder, "data.table", file.data.table)
        up = column_of(columns, table, self.up)
        down = None if self.down is None else column_of(columns, table, self.down)
        return shared.BackgroundVariation(self.name, self.on, self.active, up, down)


NuisanceTable = ScaleTable | ResponseVariationTable | OnsetTable | CalibrationVariationTable | BackgroundVariationTable
