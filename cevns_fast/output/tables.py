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
    >>> print(Sheet({"m_chi": [1.0], "C_V": [0.10794], "C_T": [0.28]}).text(width=16))
     m_chi     C_V
         1  0.1079
    <BLANKLINE>
     m_chi   C_T
         1  0.28
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

    def text(self, most: int | None = None, width: int | None = None) -> str:
        """For a terminal: four digits, and at most so many rows, evenly spread.

        Columns that do not fit beside each other in so many letters follow below, behind the first column again.
        """
        rows = self.cells()
        if most is not None and len(rows) > most:
            rows = [rows[i] for i in np.linspace(0, len(rows) - 1, most).round().astype(int)]
        aligned = []
        for (name, column), *cells in zip(self.columns.items(), *rows, strict=True):
            letters = max(map(len, (name, *cells)))
            words = isinstance(column[0], str) if len(column) else False
            aligned.append([cell.ljust(letters) if words else cell.rjust(letters) for cell in (name, *cells)])
        blocks = [aligned] if width is None else _folded(aligned, width)
        return "\n\n".join(
            "\n".join((" " + "  ".join(line)).rstrip() for line in zip(*block, strict=True)) for block in blocks
        )

    def markdown(self) -> str:
        """As a Markdown table, four digits."""
        rows = [list(self.columns), ["-"] * len(self.columns), *self.cells()]
        return "".join("| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |\n" for row in rows)

    def cells(self) -> list[list[str]]:
        """Rows as text, numbers with four digits."""
        return [[_short(cell) for cell in row] for row in self._rows()]

    def _rows(self) -> Iterable[tuple[Cell, ...]]:
        return zip(*self.columns.values(), strict=True)


def _folded(columns: list[list[str]], width: int) -> list[list[list[str]]]:
    """Columns in blocks that are no wider than that, each of which begins with the first."""
    first, *others = columns
    blocks, used = [[first]], 1 + len(first[0])
    for column in others:
        if len(blocks[-1]) > 1 and used + 2 + len(column[0]) > width:
            blocks.append([first])
            used = 1 + len(first[0])
        blocks[-1].append(column)
        used += 2 + len(column[0])
    return blocks


def _exact(cell: Cell) -> str:
    return cell if isinstance(cell, str) else repr(float(cell))


def _short(cell: Cell) -> str:
    return cell if isinstance(cell, str) else f"{cell:.4g}"
