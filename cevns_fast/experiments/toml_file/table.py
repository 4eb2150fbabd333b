"""What all tables of the file have in common: strictness, units, columns of files, errors that say where."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol, TypeVar

import msgspec
import numpy as np

from cevns_fast._validate import Floats, unknown
from cevns_fast.data import beside, read_table

EnergyUnit = Literal["eV", "keV", "MeV", "GeV"]
MEV = {"eV": 1e-6, "keV": 1e-3, "MeV": 1.0, "GeV": 1e3}
T = TypeVar("T")
Part = TypeVar("Part", covariant=True)


class FileTable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A table of the file."""


def named(table: str, build: Callable[[], T]) -> T:
    """Build a part; an error says which table of the file it comes from."""
    try:
        return build()
    except ValueError as error:
        raise ValueError(f"{table} {error}") from None
    except FileNotFoundError as error:
        missing = f"{error.filename}: no such file" if error.filename else str(error)
        raise FileNotFoundError(f"{table} {missing}") from None


class Buildable(Protocol[Part]):
    """A table that a part is built from."""

    def build(self, folder: Path) -> Part:
        """The part."""


def built_from(name: str, table: Buildable[Part], folder: Path) -> Part:
    """Build a part of a table that is there."""
    return named(name, lambda: table.build(folder))


def columns_of(folder: Path, field: str, name: str) -> dict[str, list[str]]:
    """Columns of the file that a field names."""
    try:
        return read_table(beside(folder, name))
    except FileNotFoundError:
        raise FileNotFoundError(f"{field} = {name!r}: there is no such file in {str(folder)!r}") from None


def column_of(columns: dict[str, list[str]], file: str, name: str) -> Floats:
    """A column of numbers."""
    if name not in columns:
        raise ValueError(f"{file}: no column {name!r}; {unknown(name, columns)}")
    try:
        return np.array([float(cell) for cell in columns[name]])
    except ValueError as error:
        raise ValueError(f"{file}: column {name!r}: {str(error)[:100]}") from None
