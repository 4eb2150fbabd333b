"""What a command leaves behind: columns of numbers with their provenance, as text, CSV and Markdown."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

import cevns_fast
from cevns_fast._validate import Floats

Cell = str | float
Column = Sequence[Cell] | Floats


@dataclass(frozen=True, eq=False)
class Sheet:
    """Columns of equal length, and what they are.

    Attributes
    ----------
    columns : mapping of str to sequence of str or float
    about : mapping of str to str
        Units and provenance: the `#` lines above a CSV. The package's version comes by itself.

    Examples
    --------
    >>> print(Sheet({"m_chi": [1.0, 60.0], "C_V": [0.10794, float("inf")]}).text())
     m_chi     C_V
         1  0.1079
        60     inf
    """

    columns: Mapping[str, Column]
    about: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len({len(column) for column in self.columns.values()}) != 1:
            raise ValueError("columns: must be of equal length")

    def numbers(self, name: str) -> Floats:
        """One column, float64[n]."""
        return np.array(self.columns[name], dtype=float)

    def csv(self) -> str:
        """As CSV; numbers keep every digit."""
        lines = {"made by": f"cevns_fast {cevns_fast.__version__}", **self.about}
        buffer = io.StringIO()
        for key, value in lines.items():
            buffer.write(f"# {key}: {' '.join(value.split())}\n")
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([_exact(cell) for cell in row] for row in self._rows())
        return buffer.getvalue()

    def text(self, most: int | None = None) -> str:
        """For a terminal: four digits, and at most so many rows, evenly spread."""
        rows = self.cells()
        if most is not None and len(rows) > most:
            rows = [rows[i] for i in np.linspace(0, len(rows) - 1, most).round().astype(int)]
        aligned = []
        for (name, column), *cells in zip(self.columns.items(), *rows, strict=True):
            width = max(map(len, (name, *cells)))
            words = isinstance(column[0], str) if len(column) else False
            aligned.append([cell.ljust(width) if words else cell.rjust(width) for cell in (name, *cells)])
        return "\n".join((" " + "  ".join(line)).rstrip() for line in zip(*aligned, strict=True))

    def markdown(self) -> str:
        """As a Markdown table, four digits."""
        rows = [list(self.columns), ["-"] * len(self.columns), *self.cells()]
        return "".join("| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |\n" for row in rows)

    def cells(self) -> list[list[str]]:
        """Rows as text, numbers with four digits."""
        return [[_short(cell) for cell in row] for row in self._rows()]

    def _rows(self) -> Iterable[tuple[Cell, ...]]:
        return zip(*self.columns.values(), strict=True)


def _exact(cell: Cell) -> str:
    return cell if isinstance(cell, str) else repr(float(cell))


def _short(cell: Cell) -> str:
    return cell if isinstance(cell, str) else f"{cell:.4g}"
