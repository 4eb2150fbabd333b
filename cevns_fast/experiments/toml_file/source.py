"""[source]: what arrives."""

from pathlib import Path

import msgspec

from cevns_fast.experiments import solar, sources, spectra
from cevns_fast.experiments.toml_file.table import MEV, EnergyUnit, FileTable, column_of, columns_of


class PionDecayAtRestTable(FileTable, tag="pion-decay-at-rest", tag_field="type"):
    """[source] of a spallation experiment."""

    distance_m: float
    neutrinos_per_proton: float = sources.PionDecayAtRest.neutrinos_per_proton

    def build(self, folder: Path) -> sources.PionDecayAtRest:
        """The source."""
        return sources.PionDecayAtRest(self.distance_m, self.neutrinos_per_proton)


class ReactorTable(FileTable, tag="reactor", tag_field="type"):
    """[source] of a reactor experiment: thermal_power_GW and distance_m, or total_flux_per_cm2_s."""

    thermal_power_GW: float | None = None
    distance_m: float | None = None
    total_flux_per_cm2_s: float | None = None
    fission_fractions: dict[str, float] = msgspec.field(default_factory=lambda: dict(sources.TYPICAL_FRACTIONS))
    high_energy: sources.HighEnergy = sources.Reactor.high_energy
    low_energy: sources.LowEnergy = sources.Reactor.low_energy
    energy_per_fission_MeV: float = sources.Reactor.energy_per_fission
    endpoint_MeV: float = sources.Reactor.endpoint

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


class SolarTable(FileTable, tag="solar", tag_field="type"):
    """[source] of a detector of solar neutrinos."""

    fluxes_per_cm2_s: dict[str, float] = msgspec.field(default_factory=lambda: dict(solar.FLUXES))

    def build(self, folder: Path) -> solar.Solar:
        """The source."""
        return solar.Solar(self.fluxes_per_cm2_s)


class TabulatedTable(FileTable, tag="tabulated", tag_field="type"):
    """[source] with a spectrum as a CSV file.

    Without total_flux_per_cm2_s the values are per cm², second and the unit of energy that `value_per` names.
    """

    file: str
    energy_column: str
    energy_unit: EnergyUnit
    value_column: str
    value_per: EnergyUnit | None = None
    interpolation: spectra.Interpolation = spectra.TabulatedSpectrum.interpolation
    uncertainty: float | str = 0.0  # relative, or the name of a column
    total_flux_per_cm2_s: float | None = None
    antineutrino: bool = True
    species: str | None = None

    def build(self, folder: Path) -> sources.TabulatedSource:
        """The source."""
        columns = columns_of(folder, "source.file", self.file)
        E, values = (column_of(columns, self.file, name) for name in (self.energy_column, self.value_column))
        if (self.value_per is None) == (self.total_flux_per_cm2_s is None):
            raise ValueError(
                "value_per, total_flux_per_cm2_s: must be one of them, the unit of energy that the values are for, "
                "or what they are scaled to"
            )
        uncertainty: float | tuple[float, ...]
        if isinstance(self.uncertainty, str):
            uncertainty = tuple(column_of(columns, self.file, self.uncertainty).tolist())
        else:
            uncertainty = self.uncertainty
        values = values / MEV[self.value_per or "MeV"]
        points = tuple((E * MEV[self.energy_unit]).tolist()), tuple(values.tolist())
        spectrum = spectra.TabulatedSpectrum(*points, self.interpolation, uncertainty)
        species = self.species or ("anti_nu_e" if self.antineutrino else "nu_e")
        if species.startswith("anti") != self.antineutrino:
            raise ValueError(f"species = {species!r}, antineutrino = {str(self.antineutrino).lower()}: contradict")
        return sources.TabulatedSource(spectrum, self.total_flux_per_cm2_s, self.antineutrino, species)
