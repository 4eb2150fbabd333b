"""Input tables, each with its source in its own header."""

import csv
from collections.abc import Iterable
from importlib import resources
from pathlib import Path


def parse_table(lines: Iterable[str]) -> dict[str, list[str]]:
    """Columns of a CSV whose header may be preceded by `#` comments."""
    rows = list(csv.reader(line for line in lines if line.strip() and not line.startswith("#")))
    if len(rows) < 2:
        raise ValueError("the table has no rows")
    header, *body = ([cell.strip() for cell in row] for row in rows)
    for row in body:
        if len(row) != len(header):
            raise ValueError(f"row {','.join(row)!r} has {len(row)} cells, the header {len(header)}")
    return {name: [row[i] for row in body] for i, name in enumerate(header)}


def read_table(path: Path) -> dict[str, list[str]]:
    """Columns of a CSV file; an error names the file."""
    with path.open(encoding="utf-8") as file:
        try:
            return parse_table(file)
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from None


def data_path(*parts: str) -> Path:
    """Path of a file that ships with the package."""
    return Path(str(resources.files("cevns_fast").joinpath("data", *parts)))
