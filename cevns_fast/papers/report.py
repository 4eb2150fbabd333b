"""What every paper has: figures with their data, and printed numbers beside ours."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from cevns_fast import output, plotting
from cevns_fast.output import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class PrintedNumber:
    """A number of a paper, and what we obtain for it.

    Attributes
    ----------
    equation : str
    what : str
        The quantity and its unit.
    setup : str
        The paper's name of the experiment, or of the case.
    printed : str
        As printed: its digits say how far it was rounded.
    ours : float
    reason : str
        Why the two differ, if they do.
    tolerance : float
        Relative difference that still counts as reproduced, beyond the rounding of what was printed.

    Examples
    --------
    >>> n = PrintedNumber("(19)", "|C_V|^2", "COHERENT", "1.1e-2", 1.18e-2)
    >>> round(n.ratio, 2), n.verdict
    (1.07, 'reproduced')
    """

    equation: str
    what: str
    setup: str
    printed: str
    ours: float
    reason: str = ""
    tolerance: float = 0.10

    @property
    def ratio(self) -> float:
        """Ours over printed."""
        return self.ours / float(self.printed)

    @property
    def verdict(self) -> str:
        """Whether some number that rounds to the printed one is within the tolerance of ours."""
        value = Decimal(self.printed)
        half_a_digit = float(Decimal(5).scaleb(int(value.as_tuple().exponent) - 1))
        low, high = float(value) - half_a_digit, float(value) + half_a_digit
        inside = low * (1 - self.tolerance) <= self.ours <= high * (1 + self.tolerance)
        return "reproduced" if inside else "not reproduced"


def comparison(numbers: Sequence[PrintedNumber], about: str) -> Table:
    """Printed numbers and ours as a table."""
    columns: dict[str, list[str | float]] = {
        "equation": [n.equation for n in numbers],
        "quantity": [n.what for n in numbers],
        "set-up": [n.setup for n in numbers],
        "printed": [n.printed for n in numbers],
        "ours": [n.ours for n in numbers],
        "ratio": [n.ratio for n in numbers],
        "verdict": [n.verdict for n in numbers],
        "within": [f"{100 * n.tolerance:.0f}%" for n in numbers],
        "reason": [n.reason for n in numbers],
    }
    verdict = "reproduced: some number that rounds to the printed one is within the stated tolerance of ours"
    return Table(columns, {"paper": about, "verdict": verdict})


@dataclass(frozen=True)
class PaperFigure:
    """A figure: its data, and how they are drawn.

    Attributes
    ----------
    name : str
        Of its files, without suffix.
    data : callable
        Computes the table behind the figure.
    draw : callable
        Draws that table.
    """

    name: str
    data: Callable[[], Table]
    draw: Callable[[Table], "Figure"]


@dataclass(frozen=True)
class Paper:
    """A paper: its reference, its figures, its numbers.

    Attributes
    ----------
    citation : str
    figures : tuple of PaperFigure
    numbers : callable
        Computes the printed numbers.
    tables : tuple of (name, callable)
        Further tables, each written as CSV and Markdown under its name.
    """

    citation: str
    figures: tuple[PaperFigure, ...]
    numbers: Callable[[], Sequence[PrintedNumber]]
    tables: tuple[tuple[str, Callable[[], Table]], ...] = ()

    def table(self) -> Table:
        """The printed numbers beside ours."""
        return comparison(self.numbers(), self.citation)

    def write(self, directory: Path, *, overwrite: bool = False) -> tuple[Table, list[Path]]:
        """Write every figure as PNG and CSV, and the table as CSV and Markdown.

        Without matplotlib the PNGs are left out.

        Returns
        -------
        Table
            The printed numbers beside ours.
        list of Path
            What was written.

        Raises
        ------
        FileExistsError
            If a file exists and may not be overwritten; nothing is written then.
        """
        names = [f"{f.name}{suffix}" for f in self.figures for suffix in (".csv", ".png")]
        names += [f"{name}{suffix}" for name in ("table", *dict(self.tables)) for suffix in (".csv", ".md")]
        output.refuse_existing([directory / name for name in names], overwrite=overwrite)
        table = self.table()
        files: dict[str, str | bytes] = {}
        for name, made in (("table", table), *((name, make()) for name, make in self.tables)):
            files |= {f"{name}.csv": made.csv(), f"{name}.md": made.markdown()}
        for figure in self.figures:
            data = figure.data()
            files[f"{figure.name}.csv"] = data.csv()
            if plotting.available():
                files[f"{figure.name}.png"] = plotting.png(figure.draw(data))
        for name, content in files.items():
            output.write(directory / name, content, overwrite=overwrite)
        return table, [directory / name for name in files]
