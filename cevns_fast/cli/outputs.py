"""What commands leave behind: a file of numbers and a figure, which say where the numbers come from."""

import argparse
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cevns_fast._support import files
from cevns_fast.output import drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cevns_fast.output.tables import Sheet

NO_PLOT = "no plot: matplotlib is not installed (pip install 'cevns_fast[plot]')"


def paths(args: argparse.Namespace, stem: str, numbers: str = ".csv") -> tuple[Path, Path]:
    """The numbers and the figure of a command, refused before anything is computed if they exist."""
    stem = re.sub(r"[^\w.+=-]", "_", stem)
    data, figure = (Path(args.output) / f"{stem}{suffix}" for suffix in (numbers, f".{args.format}"))
    files.refuse_existing((data, figure), overwrite=args.force)
    return data, figure


def write(args: argparse.Namespace, sheet: "Sheet", draw: Callable[[], "Figure"], to: tuple[Path, Path]) -> None:
    """Write numbers and figure, both or neither, and say where."""
    csv, picture = to
    if not drawing.available():
        files.write({csv: sheet.csv()}, overwrite=args.force)
        print(f"written: {csv}; {NO_PLOT}")
        return
    files.write({csv: sheet.csv(), picture: drawing.FORMATS[args.format](draw())}, overwrite=args.force)
    print(f"written: {csv}, {picture}")


def given(args: argparse.Namespace, *, without: Sequence[str] = ("m_chi",)) -> list[str]:
    """NAME=VALUE and the model's options, for a figure that says what was fixed."""
    found = []
    for name, value in args.parameters:
        if isinstance(value, str | bool):
            found.append(f"{name} {value}")
        elif name not in without:
            number = f"{value:g}" if isinstance(value, float) else str(value).replace("j", r"\,i")
            found.append(f"{drawing.coupling_symbol(name, signed=True)[:-1]} = {number}$")
            found[-1] += " MeV" if name.startswith("m_") else ""
    return found + [f"{name} {value}" for name, value in options(args).items() if value is not None]


def options(args: argparse.Namespace) -> dict[str, str | None]:
    """Fields of an interaction that have options of their own."""
    return {"variant": args.variant, "helicity": args.helicity}


def shown(sheet: "Sheet", most: int | None = None) -> str:
    """A table as wide as the terminal."""
    return sheet.text(most, width=shutil.get_terminal_size((120, 24)).columns)


def provenance(experiments: Sequence[Any]) -> Mapping[str, str]:
    """Where an experiment's numbers come from."""
    if len(experiments) == 1:
        return {"experiment": f"{experiments[0].name}: {experiments[0].citation}"}
    return {f"experiment {i}": f"{each.name}: {each.citation}" for i, each in enumerate(experiments, 1)}


def watched() -> bool:
    """Whether a person is there to watch a progress bar, and tqdm to draw it."""
    from importlib.util import find_spec

    return sys.stderr.isatty() and find_spec("tqdm") is not None
