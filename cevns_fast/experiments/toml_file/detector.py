"""[detector]: what sees it."""

from pathlib import Path
from typing import Literal

import msgspec

from cevns_fast.experiments import detectors
from cevns_fast.experiments.toml_file.response import ResponseTable
from cevns_fast.experiments.toml_file.table import FileTable, named
from cevns_fast.nuclear.form_factors import FormFactor, HelmFormFactor, KleinNystrand, PointNucleus, SymmetrisedFermi
from cevns_fast.nuclear.nuclei import Nuclide, Target


class HelmTable(FileTable, tag="helm", tag_field="type"):
    """Form factor."""

    convention: Literal["lewin-smith", "rms"] = HelmFormFactor.convention
    skin_fm: float = HelmFormFactor.skin
    neutron_radius_fm: float | dict[str, float] | None = None

    def build(self) -> FormFactor:
        """The form factor."""
        return HelmFormFactor(self.convention, self.skin_fm, self.neutron_radius_fm)


class KleinNystrandTable(FileTable, tag="klein-nystrand", tag_field="type"):
    """A hard sphere folded with a Yukawa potential; see `KleinNystrand`."""

    convention: Literal["mass-number", "rms"] = KleinNystrand.convention
    range_fm: float = KleinNystrand.range
    neutron_radius_fm: float | dict[str, float] | None = None

    def build(self) -> FormFactor:
        """The form factor."""
        return KleinNystrand(self.convention, self.range_fm, self.neutron_radius_fm)


class SymmetrisedFermiTable(FileTable, tag="symmetrised-fermi", tag_field="type"):
    """A symmetrised Fermi distribution; see `SymmetrisedFermi`."""

    convention: Literal["mass-number", "rms"] = SymmetrisedFermi.convention
    diffuseness_fm: float = SymmetrisedFermi.diffuseness
    neutron_radius_fm: float | dict[str, float] | None = None

    def build(self) -> FormFactor:
        """The form factor."""
        return SymmetrisedFermi(self.convention, self.diffuseness_fm, self.neutron_radius_fm)


class PointTable(FileTable, tag="point", tag_field="type"):
    """F = 1."""

    def build(self) -> FormFactor:
        """The form factor."""
        return PointNucleus()


class NuclideTable(FileTable):
    """[[detector.nuclide]]: a nuclide of one's own, which `composition` names."""

    name: str
    Z: int
    N: int
    atomic_mass_u: float
    charge_radius_fm: float | None = None

    def build(self) -> Nuclide:
        """The nuclide."""
        return Nuclide(self.name, self.Z, self.N, self.atomic_mass_u, charge_radius=self.charge_radius_fm)


class DetectorTable(FileTable):
    """[detector]"""

    material: str
    composition: dict[str, float]
    mass_kg: float
    bins: list[float] = msgspec.field(default_factory=list)
    nuclide: list[NuclideTable] = msgspec.field(default_factory=list)
    response: ResponseTable = msgspec.field(default_factory=ResponseTable)
    form_factor: HelmTable | KleinNystrandTable | SymmetrisedFermiTable | PointTable = msgspec.field(
        default_factory=HelmTable
    )
    electron_response: ResponseTable | None = None
    component_response: dict[str, ResponseTable] = msgspec.field(default_factory=dict)  # by flux component

    def build(self, folder: Path) -> detectors.Detector:
        """The detector."""
        electron_response = self.electron_response
        return detectors.Detector(
            target=Target.of(self.material, self.composition, [each.build() for each in self.nuclide]),
            mass=self.mass_kg,
            bins=tuple(self.bins),
            response=named("response", lambda: self.response.build(folder)),
            form_factor=self.form_factor.build(),
            electron_response=None
            if electron_response is None
            else named("electron_response", lambda: electron_response.build(folder)),
            component_responses={
                name: named(f"component_response.{name}", lambda each=each: each.build(folder))  # type: ignore[misc]
                for name, each in self.component_response.items()
            },
        )
