"""[detector.response]: quenching, acceptance and smearing, or a matrix."""

from pathlib import Path

import numpy as np

from cevns_fast.constants import KEV
from cevns_fast.experiments import functions
from cevns_fast.experiments.acceptances import LogisticAcceptance, OffsetLogisticAcceptance
from cevns_fast.experiments.quenching import LindhardQuenching, LinearQuenching, PolynomialQuenching
from cevns_fast.experiments.response_matrix import ResponseMatrix
from cevns_fast.experiments.responses import Response
from cevns_fast.experiments.smearing import GammaSmearing, GaussianSmearing, PoissonSmearing, Smearing
from cevns_fast.experiments.toml_file.table import MEV, EnergyUnit, FileTable, column_of, columns_of, named


class LogisticTable(FileTable, tag="logistic", tag_field="type"):
    """CL Eq. (12)."""

    plateau: float
    steepness: float
    midpoint: float
    threshold: float

    def build(self, folder: Path) -> LogisticAcceptance:
        """The acceptance."""
        return LogisticAcceptance(self.plateau, self.steepness, self.midpoint, self.threshold)


class OffsetLogisticTable(FileTable, tag="offset-logistic", tag_field="type"):
    """A logistic function and a constant, where positive."""

    amplitude: float
    steepness: float
    midpoint: float
    offset: float

    def build(self, folder: Path) -> OffsetLogisticAcceptance:
        """The acceptance."""
        return OffsetLogisticAcceptance(self.amplitude, self.steepness, self.midpoint, self.offset)


class AcceptanceTable(FileTable, tag="table", tag_field="type"):
    """An acceptance as a CSV file, at values of the observable."""

    file: str
    x_column: str
    value_column: str

    def build(self, folder: Path) -> functions.Table:
        """The acceptance."""
        columns = columns_of(folder, "response.acceptance.file", self.file)
        x, y = (column_of(columns, self.file, name) for name in (self.x_column, self.value_column))
        return functions.Table(tuple(x.tolist()), tuple(y.tolist()))


class QuenchingTable(FileTable, tag="table", tag_field="type"):
    """Quenching as a CSV file, at recoil energies."""

    file: str
    energy_column: str
    energy_unit: EnergyUnit
    value_column: str

    def build(self, folder: Path) -> functions.Table:
        """The quenching."""
        columns = columns_of(folder, "response.quenching.file", self.file)
        T, y = (column_of(columns, self.file, name) for name in (self.energy_column, self.value_column))
        return functions.Table(tuple((T * MEV[self.energy_unit]).tolist()), tuple(y.tolist()))


class LindhardTable(FileTable, tag="lindhard", tag_field="type"):
    """Lindhard's quenching."""

    element: str
    k: float | None = None

    def build(self, folder: Path) -> LindhardQuenching:
        """The quenching."""
        return LindhardQuenching(self.element, self.k)


class PolynomialTable(FileTable, tag="polynomial", tag_field="type"):
    """Quenching as a polynomial in the recoil energy in `energy_unit`, constant first."""

    coefficients: list[float]
    energy_unit: EnergyUnit

    def build(self, folder: Path) -> PolynomialQuenching:
        """The quenching."""
        unit = MEV[self.energy_unit]
        return PolynomialQuenching(tuple(float(c) / unit**i for i, c in enumerate(self.coefficients)))


class LinearTable(FileTable, tag="linear", tag_field="type"):
    """Quenching as a straight line in the recoil energy."""

    intercept: float
    slope_per_keV: float

    def build(self, folder: Path) -> LinearQuenching:
        """The quenching."""
        return LinearQuenching(self.intercept, self.slope_per_keV / KEV)


class PoissonTable(FileTable, tag="poisson", tag_field="type"):
    """Counting photoelectrons."""

    def build(self, light_yield: float) -> Smearing:
        """The smearing."""
        return PoissonSmearing()


class GaussianTable(FileTable, tag="gaussian", tag_field="type"):
    """A resolution."""

    statistical: float = 0.0
    constant: float = 0.0
    linear: float = 0.0

    def build(self, light_yield: float) -> Smearing:
        """The smearing."""
        return GaussianSmearing(self.statistical, self.constant, self.linear)


class GammaTable(FileTable, tag="gamma", tag_field="type"):
    """COHERENT's resolution of 2021."""

    shape_per_unit: float | None = None
    shape_per_keVee: float | None = None

    def build(self, light_yield: float) -> Smearing:
        """The smearing."""
        if self.shape_per_unit is not None and self.shape_per_keVee is None:
            return GammaSmearing(self.shape_per_unit)
        if self.shape_per_keVee is None or self.shape_per_unit is not None:
            raise ValueError("shape_per_unit, shape_per_keVee: must be exactly one of them")
        return GammaSmearing(self.shape_per_keVee / light_yield)


class MatrixTable(FileTable):
    """[detector.response.matrix]: probabilities as a CSV file, a row for each recoil energy.

    Its columns but those that are named here are the bins. With `variant_column` only the rows of one variant count.
    """

    file: str
    energy_column: str
    energy_unit: EnergyUnit
    variant_column: str | None = None
    variant: str | None = None
    scale: float = 1.0

    def build(self, folder: Path, observable: str) -> ResponseMatrix:
        """The matrix."""
        if (self.variant_column is None) != (self.variant is None):
            raise ValueError("variant_column, variant: must be both there, or none")
        columns = columns_of(folder, "response.matrix.file", self.file)
        energies = column_of(columns, self.file, self.energy_column)
        rows = np.ones(energies.size, dtype=bool)
        if self.variant_column is not None:
            if self.variant_column not in columns:
                raise ValueError(f"{self.file}: no column {self.variant_column!r}")
            rows = np.array([cell == self.variant for cell in columns[self.variant_column]])
            if not rows.any():
                raise ValueError(f"{self.file}: no rows of variant {self.variant!r}")
        bins = [name for name in columns if name not in (self.energy_column, self.variant_column)]
        table = self.scale * np.array([column_of(columns, self.file, name)[rows] for name in bins]).T
        return ResponseMatrix(tuple((energies[rows] * MEV[self.energy_unit]).tolist()), table, observable)


class ResponseTable(FileTable):
    """[detector.response]"""

    observable: str = Response.observable
    light_yield_per_keV: float = 1.0
    quenching: float | QuenchingTable | LindhardTable | PolynomialTable | LinearTable = 1.0
    acceptance: float | LogisticTable | OffsetLogisticTable | AcceptanceTable = 1.0
    smearing: PoissonTable | GaussianTable | GammaTable | None = None
    recoil_threshold_keV: float = 0.0
    matrix: MatrixTable | None = None

    def build(self, folder: Path) -> Response | ResponseMatrix:
        """The response."""
        quenching, acceptance = self.quenching, self.acceptance
        if self.matrix is not None:
            alone = ResponseTable(matrix=self.matrix, observable=self.observable)
            if self != alone:
                raise ValueError("matrix: must come with `observable` at most, it holds everything else")
            return self.matrix.build(folder, self.observable)
        return Response(
            light_yield=self.light_yield_per_keV,
            quenching=quenching
            if isinstance(quenching, float | int)
            else named("quenching", lambda: quenching.build(folder)),
            acceptance=acceptance
            if isinstance(acceptance, float | int)
            else named("acceptance", lambda: acceptance.build(folder)),
            smearing=self.smearing.build(self.light_yield_per_keV) if self.smearing else None,
            observable=self.observable,
            recoil_threshold=self.recoil_threshold_keV * KEV,
        )
