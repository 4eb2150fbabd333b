"""Nuclides and detector materials."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.constants import ATOMIC_MASS_UNIT, AVOGADRO, M_ELECTRON
from cevns_fast.data import data_path, read_table


@dataclass(frozen=True)
class Nuclide:
    """A nuclide.

    Attributes
    ----------
    name : str
        Element symbol and mass number, e.g. ``"Cs133"``.
    Z, N : int
        Protons and neutrons.
    atomic_mass : float
        Mass of the neutral atom, u (AME2020).
    abundance : float
        Mole fraction in the natural element (CIAAW).
    charge_radius : float
        Root-mean-square charge radius, fm (Angeli & Marinova 2013).

    Examples
    --------
    >>> import cevns_fast as cf
    >>> cf.nuclide("Cs133").A
    133
    >>> round(cf.nuclide("Cs133").mass, 2)
    123772.75
    """

    name: str
    Z: int
    N: int
    atomic_mass: float
    abundance: float
    charge_radius: float

    @property
    def A(self) -> int:
        """Mass number."""
        return self.Z + self.N

    @property
    def mass(self) -> float:
        """Mass of the bare nucleus, MeV: the atom less its electrons, plus their binding energy."""
        # Total electron binding energy in eV: Lunney, Pearson & Thibault, RMP 75 (2003) 1021, Eq. (A4).
        binding = 1e-6 * (14.4381 * self.Z**2.39 + 1.55468e-6 * self.Z**5.35)
        return float(self.atomic_mass * ATOMIC_MASS_UNIT - self.Z * M_ELECTRON + binding)


@cache
def _nuclides() -> dict[str, Nuclide]:
    """All tabulated nuclides by name, in the order of the table."""
    table = read_table(data_path("nuclides.csv"))
    found = {}
    for element, z, n, mass, abundance, radius in zip(*table.values(), strict=True):
        name = f"{element}{int(z) + int(n)}"
        found[name] = Nuclide(name, int(z), int(n), float(mass), float(abundance), float(radius))
    return found


def nuclide(name: str) -> Nuclide:
    """Look up a nuclide by name.

    Parameters
    ----------
    name : str
        Element symbol and mass number, e.g. ``"Ar40"``; isotopes of Na, Si, Ar, Ge, I, Xe and Cs.

    Raises
    ------
    ValueError
        If the nuclide is not tabulated.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> ar = cf.nuclide("Ar40")
    >>> ar.Z, ar.N, ar.charge_radius
    (18, 22, 3.4274)
    """
    table = _nuclides()
    return table[validate.choice("nuclide", name, table)]


@dataclass(frozen=True)
class Target:
    """A detector material: nuclides and how many of each a formula unit holds.

    Attributes
    ----------
    name : str
        Formula, for reading only.
    nuclides : tuple of Nuclide
    counts : tuple of float
        Nuclei of each nuclide in one formula unit.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> cf.Target.of("CsI", {"Cs": 1, "I": 1}).nuclides[0].name
    'Cs133'
    """

    name: str
    nuclides: tuple[Nuclide, ...]
    counts: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.nuclides or len(self.nuclides) != len(self.counts):
            raise ValueError(f"counts: has {len(self.counts)} entries, must have one for each nuclide")
        for each, count in zip(self.nuclides, self.counts, strict=True):
            validate.number(f"counts of {each.name}", count, positive=True)

    @classmethod
    def of(cls, name: str, composition: Mapping[str, float]) -> "Target":
        """Build from elements (natural isotopes) and nuclides with their counts per formula unit."""
        table = _nuclides()
        elements = list(dict.fromkeys(key.rstrip("0123456789") for key in table))
        if not composition:
            raise ValueError(f"composition of {name} = {{}}: must name at least one element or nuclide")
        nuclides: list[Nuclide] = []
        counts: list[float] = []
        for key, count in composition.items():
            validate.number(f"composition of {name}: {key}", count, positive=True)
            validate.choice(f"composition of {name}", key, [*elements, *table])
            isotopes = [n for n in table.values() if n.name == key or n.name.rstrip("0123456789") == key]
            total = sum(n.abundance for n in isotopes)
            for isotope in isotopes:
                nuclides.append(isotope)
                counts.append(float(count) * isotope.abundance / total)
        return cls(name, tuple(nuclides), tuple(counts))

    @property
    def nuclei_per_kg(self) -> Floats:
        """Nuclei of each nuclide in a kilogram of material."""
        formula_mass = sum(c * n.atomic_mass for c, n in zip(self.counts, self.nuclides, strict=True))
        return np.array(self.counts) * (1000.0 * AVOGADRO / formula_mass)
