"""Input tables, each with its source in its own header; and how files of the user's own are read."""

import csv
from collections.abc import Iterable
from importlib import resources
from pathlib import Path, PurePath


def parse_table(lines: Iterable[str]) -> dict[str, list[str]]:
    """Columns of a CSV whose header may be preceded by `#` comments."""
    try:
        rows = list(csv.reader(line for line in lines if line.strip() and not line.startswith("#")))
    except csv.Error as error:  # a huge cell, a NUL
        raise ValueError(f"is no CSV table: {error}") from None
    if len(rows) < 2:
        raise ValueError("the table has no rows")
    header, *body = ([cell.strip() for cell in row] for row in rows)
    for name in header:
        if header.count(name) > 1:
            raise ValueError(f"column {name!r} is there twice")
    for row in body:
        if len(row) != len(header):
            raise ValueError(f"row {','.join(row)[:60]!r} has {len(row)} cells, the header {len(header)}")
    return {name: [row[i] for row in body] for i, name in enumerate(header)}


def read_text(path: Path) -> str:
    """The text of a file, without a byte-order mark; `ValueError` for what is no file or no UTF-8."""
    try:
        regular = path.is_file() or not path.exists()  # neither a folder nor a device, or a pipe that may stay silent
        raw = path.read_bytes() if regular else b""
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:  # not to be read, or a name that no file can have
        reason = error.strerror if isinstance(error, OSError) else error
        raise ValueError(f"{path.name[:60]!r}: cannot be read: {reason}") from None
    if not regular:
        raise ValueError(f"{path.name}: is no regular file")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name}: must be UTF-8 text: {error}") from None


def read_table(path: Path) -> dict[str, list[str]]:
    """Columns of a CSV file; an error names the file."""
    text = read_text(path)
    try:
        return parse_table(text.splitlines(keepends=True))
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def beside(folder: Path, name: str) -> Path:
    """Path of a file in a folder or below; `ValueError` for one outside."""
    path = PurePath(name)
    if not name or "\0" in name or path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{name!r}: must be a file beside the experiment's, or below its folder")
    found = folder / path
    # Installers may link the package's own files to a cache; a user's link must not lead elsewhere.
    if not folder.is_relative_to(data_path()) and not found.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{name!r}: must be a file beside the experiment's, or below its folder, not a link elsewhere")
    return found


def data_path(*parts: str) -> Path:
    """Path of a file that ships with the package."""
    return Path(str(resources.files("cevns_fast").joinpath("data", *parts)))
