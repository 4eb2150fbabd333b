"""[time], [release], [calibration]: bins beside those of the observable, and factors."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from cevns_fast._validate import Floats
from cevns_fast.experiments import axes
from cevns_fast.experiments.toml_file.table import FileTable, column_of, columns_of


class EfficiencyTable(FileTable, tag="exponential", tag_field="type"):
    """An efficiency in time."""

    start_us: float
    rate_per_us: float

    def build(self) -> axes.ExponentialEfficiency:
        """The efficiency."""
        return axes.ExponentialEfficiency(self.start_us, self.rate_per_us)


class PulseTable(FileTable):
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


class TimeTable(FileTable):
    """[time]: bins of time beside those of the observable, and how neutrinos fill them."""

    edges_us: list[float]
    pulse: PulseTable | None = None
    file: str | None = None
    fractions: dict[str, str] = msgspec.field(default_factory=dict)  # columns of the file, by flux component

    def build(self, folder: Path) -> axes.TimeAxis:
        """The axis."""
        if self.pulse is not None:
            if self.file is not None or self.fractions:
                raise ValueError("pulse: must come without file and fractions")
            return axes.TimeAxis(tuple(self.edges_us), pulse=self.pulse.build())
        if self.file is None or not self.fractions:
            raise ValueError("pulse, file, fractions: must be a pulse, or a file and its columns")
        columns = columns_of(folder, "time.file", self.file)
        given = {name: tuple(column_of(columns, self.file, c).tolist()) for name, c in self.fractions.items()}
        return axes.TimeAxis(tuple(self.edges_us), given)


class ReleaseTable(FileTable):
    """[release]: a further axis, with probabilities for all bins of the observable or from a file for each."""

    name: str
    probabilities: list[float] | None = None
    file: str | None = None
    columns: list[str] = msgspec.field(default_factory=list)
    others: dict[str, list[float | str]] = msgspec.field(default_factory=dict)  # by flux component, or electrons

    def build(self, folder: Path) -> axes.ReleaseAxis:
        """The axis."""
        if (self.probabilities is None) == (not self.columns) or (self.columns and self.file is None):
            raise ValueError("probabilities, file, columns: must be probabilities, or a file and its columns")
        table = {} if self.file is None else columns_of(folder, "release.file", self.file)

        def along(given: Sequence[float | str]) -> Any:
            """Numbers, or columns of the file."""
            if all(isinstance(each, float | int) for each in given):
                return list(given)
            return np.array([column_of(table, self.file or "[release] without a file", str(c)) for c in given]).T

        others = {name: along(given) for name, given in self.others.items()}
        return axes.ReleaseAxis(self.name, along(self.probabilities or self.columns), others)


class CalibrationTable(FileTable):
    """[calibration]: what counts are multiplied by, a column with a row for each bin or for observable × time."""

    file: str
    column: str

    def build(self, folder: Path, *shapes: tuple[int, ...]) -> Floats:
        """The factors in the first of the shapes that they fill."""
        found = column_of(columns_of(folder, "calibration.file", self.file), self.file, self.column)
        for shape in shapes:
            if found.size == np.prod(shape):
                return found.reshape(shape)
        raise ValueError(f"{self.file}: has {found.size} rows, must be for bins {' or '.join(map(str, shapes))}")
