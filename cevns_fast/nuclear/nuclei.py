"""Nuclides and detector materials."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.constants import ATOMIC_MASS_UNIT, AVOGADRO, M_ELECTRON
from cevns_fast.data import data_path, read_table


@dataclass(frozen=True)
class Nuclide:
    """A nuclide: a tabulated one (see `nuclide`), or one's own.

    Attributes
    ----------
    name : str
        Element symbol and mass number, e.g. ``"Cs133"``.
    Z, N : int
        Protons and neutrons; Z >= 1.
    atomic_mass : float
        Mass of the neutral atom, u (AME2020).
    abundance : float
        Mole fraction in the natural element (CIAAW).
    charge_radius : float or None
        Root-mean-square charge radius, fm (Angeli & Marinova 2013); None where it has not been measured.

    Raises
    ------
    ValueError
        If a number is out of range; the mass must be within 1% of A.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> cf.nuclide("Cs133").A
    133
    >>> round(cf.nuclide("Cs133").mass, 2)
    123772.75
    >>> cf.Nuclide("Cs137", Z=55, N=82, atomic_mass=136.907089).charge_radius is None
    True
    """

    name: str
    Z: int
    N: int
    atomic_mass: float
    abundance: float = 0.0
    charge_radius: float | None = None

    def __post_init__(self) -> None:
        validate.text("name", self.name)
        validate.whole("Z", self.Z, minimum=1, maximum=200)
        validate.whole("N", self.N, minimum=0, maximum=400)
        validate.number("atomic_mass", self.atomic_mass, positive=True)
        # Binding costs less than 1% of a nucleon's mass; another unit, or another nuclide's mass, is far off.
        if abs(self.atomic_mass / self.A - 1) > 0.01 and self.A > 3:
            raise ValueError(f"atomic_mass = {self.atomic_mass!r}: must be in u, within 1% of A = {self.A}")
        if validate.number("abundance", self.abundance, minimum=0.0) > 1:
            raise ValueError(f"abundance = {self.abundance!r}: must be a mole fraction, from 0 to 1")
        if self.charge_radius is not None:
            validate.number("charge_radius", self.charge_radius, positive=True)

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


@remember(maxsize=1)
def _nuclides() -> dict[str, Nuclide]:
    """All tabulated nuclides by name, in the order of the table."""
    table = read_table(data_path("nuclides.csv"))
    found = {}
    for element, z, n, mass, abundance, radius in zip(*table.values(), strict=True):
        name = f"{element}{int(z) + int(n)}"
        charge_radius = float(radius) if radius else None
        found[name] = Nuclide(name, int(z), int(n), float(mass), float(abundance), charge_radius)
    return found


@remember(maxsize=1)
def _elements() -> dict[str, tuple[Nuclide, ...]]:
    """The isotopes of each element, lightest first."""
    found: dict[str, tuple[Nuclide, ...]] = {}
    for each in _nuclides().values():
        symbol = _symbol(each.name)
        found[symbol] = (*found.get(symbol, ()), each)
    return found


def _symbol(name: str) -> str:
    """A nuclide's name without its mass number."""
    return name.rstrip("0123456789")


def nuclide(name: str) -> Nuclide:
    """Look up a nuclide by name.

    Parameters
    ----------
    name : str
        Element symbol and mass number, e.g. ``"Ar40"``; every naturally occurring nuclide from H1 to U238.

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
    if isinstance(name, str) and name in _nuclides():
        return _nuclides()[name]
    raise ValueError(f"nuclide = {name!r}: {_unknown(name, _nuclides())}")


def isotopes_of(argument: str, symbol: Any) -> tuple[Nuclide, ...]:
    """The natural isotopes of an element, lightest first."""
    if isinstance(symbol, str) and symbol in _elements():
        return _elements()[symbol]
    raise ValueError(f"{argument} = {symbol!r}: {_unknown(symbol, _elements())}")


def _unknown(name: Any, known: Iterable[str]) -> str:
    """The second half of an error about a name that is not tabulated: hints, not all 289 names."""
    if not isinstance(name, str):
        return "must be one of the names of natural nuclides and elements, from H to U"
    isotopes = _elements().get(_symbol(name))
    if isotopes:
        known = [each.name for each in isotopes]
        return validate.unknown(name, known)
    hint = validate.unknown(name, known)
    hint = hint[: hint.index("must be one of")]
    return f"{hint}must be one of the natural nuclides and elements, from H to U, or a Nuclide of one's own"


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
        validate.text("name", self.name)
        validate.sequence("nuclides", self.nuclides, Nuclide, "cevns_fast.nuclide('Cs133')")
        object.__setattr__(self, "nuclides", tuple(self.nuclides))
        object.__setattr__(self, "counts", tuple(validate.vector("counts", self.counts, minimum=0.0).tolist()))
        if not self.nuclides:
            raise ValueError("nuclides = (): must hold at least one")
        if len(self.nuclides) != len(self.counts):
            raise ValueError(f"counts: has {len(self.counts)} entries, must have one for each nuclide")
        for each, count in zip(self.nuclides, self.counts, strict=True):
            validate.number(f"counts of {each.name}", count, positive=True)

    @classmethod
    def of(cls, name: str, composition: Mapping[str, float], nuclides: Iterable[Nuclide] = ()) -> "Target":
        """Build from elements (natural isotopes) and nuclides with their counts per formula unit.

        Parameters
        ----------
        name : str
            For reading only.
        composition : mapping of str to float
            Element symbols (``"Xe"``) and names of nuclides (``"Ge76"``), and how many a formula unit holds.
        nuclides : iterable of Nuclide
            Nuclides of one's own that `composition` names.

        Raises
        ------
        ValueError
            If a name is unknown, a nuclide of one's own has the name of a tabulated one, or a number is not positive.

        Examples
        --------
        >>> import cevns_fast as cf
        >>> len(cf.Target.of("CaWO4", {"Ca": 1, "W": 1, "O": 4}).nuclides)
        14
        >>> cs137 = cf.Nuclide("Cs137", Z=55, N=82, atomic_mass=136.907089)
        >>> cf.Target.of("Cs-137", {"Cs137": 1}, [cs137]).nuclides[0].N
        82
        """
        validate.mapping("composition", composition)
        if not composition:
            raise ValueError(f"composition of {name} = {{}}: must name at least one element or nuclide")
        own = {each.name: each for each in validate.sequence("nuclides", nuclides, Nuclide, "cevns_fast.Nuclide(...)")}
        for each in own.values():
            if each.name in _nuclides() or each.name in _elements():
                raise ValueError(f"nuclide {each.name!r}: is tabulated, one's own must have another name")
        single = _nuclides() | own
        found: list[Nuclide] = []
        counts: list[float] = []
        for key, count in composition.items():
            validate.number(f"composition of {name}: {key}", count, positive=True)
            isotopes = _elements().get(key) or ((single[key],) if key in single else ())
            if not isotopes:
                raise ValueError(f"composition of {name} = {key!r}: {_unknown(key, [*_elements(), *single])}")
            found += isotopes
            if key in _elements():
                total = sum(n.abundance for n in isotopes)
                counts += [float(count) * isotope.abundance / total for isotope in isotopes]
            else:
                counts.append(float(count))
        return cls(name, tuple(found), tuple(counts))

    @property
    def nuclei_per_kg(self) -> Floats:
        """Nuclei of each nuclide in a kilogram of material."""
        formula_mass = sum(c * n.atomic_mass for c, n in zip(self.counts, self.nuclides, strict=True))
        return np.array(self.counts) * (1000.0 * AVOGADRO / formula_mass)
