"""What every paper has: figures with their data, and printed numbers beside ours."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cevns_fast._support import files
from cevns_fast.output import drawing
from cevns_fast.output.tables import Sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VERDICTS = {
    "reproduced": "some number that rounds to the printed one is within the tolerance of ours: 10%, or what the table "
    "states",
    "within convention": "the same under another convention, or for a value that the paper leaves open; the reason "
    "names it",
    "not reproduced": "neither; the reason says what is known",
}


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
    otherwise : mapping of str to float
        What we obtain under other conventions, or for values that the paper leaves open, by their names.

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
    otherwise: Mapping[str, float] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """Ours over printed."""
        return self.ours / float(self.printed)

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`."""
        if self._is_met_by(self.ours):
            return "reproduced"
        return "within convention" if any(map(self._is_met_by, self.otherwise.values())) else "not reproduced"

    @property
    def explanation(self) -> str:
        """The ratios under other conventions, and the reason."""
        ratios = [f"{value / float(self.printed):.2f} with {name}" for name, value in self.otherwise.items()]
        return "; ".join([*ratios, self.reason] if self.reason else ratios)

    def _is_met_by(self, value: float) -> bool:
        """Whether some number that rounds to the printed one is within the tolerance of the value."""
        printed = Decimal(self.printed)
        half_a_digit = float(Decimal(5).scaleb(int(printed.as_tuple().exponent) - 1))
        low, high = float(printed) - half_a_digit, float(printed) + half_a_digit
        return low * (1 - self.tolerance) <= value <= high * (1 + self.tolerance)


def comparison(numbers: Sequence[PrintedNumber], about: str) -> Sheet:
    """Printed numbers and ours as a table."""
    columns: dict[str, list[str | float]] = {
        "equation": [n.equation for n in numbers],
        "quantity": [n.what for n in numbers],
        "set-up": [n.setup for n in numbers],
        "printed": [n.printed for n in numbers],
        "ours": [n.ours for n in numbers],
        "ratio": [n.ratio for n in numbers],
        "verdict": [n.verdict for n in numbers],
        "within": [f"{100 * n.tolerance:.0f}%" if n.tolerance else "rounding" for n in numbers],
        "reason": [n.explanation for n in numbers],
    }
    return Sheet(columns, {"paper": about, **VERDICTS})


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
    title : str
        The paper's number of it, and what it shows.
    caption : str
        What to look for.
    """

    name: str
    data: Callable[[], Sheet]
    draw: Callable[[Sheet], "Figure"]
    title: str = ""
    caption: str = ""
    suffixes: ClassVar = (".csv", ".png", ".pdf")

    def contents(self, data: Sheet) -> Iterator[tuple[str, str | bytes]]:
        """Its files by suffix; without matplotlib only the data."""
        yield ".csv", data.csv()
        if drawing.available():
            figure = self.draw(data)
            yield ".png", drawing.png(figure)
            yield ".pdf", drawing.pdf(figure)


@dataclass(frozen=True)
class PaperTable:
    """A table: its name and how it is computed.

    Attributes
    ----------
    name : str
        Of its files, without suffix.
    data : callable
    title : str
    caption : str
    """

    name: str
    data: Callable[[], Sheet]
    title: str = ""
    caption: str = ""
    suffixes: ClassVar = (".csv", ".md")

    def contents(self, data: Sheet) -> Iterator[tuple[str, str | bytes]]:
        """Its files by suffix."""
        yield ".csv", data.csv()
        yield ".md", data.markdown()


@dataclass(frozen=True)
class Made:
    """A figure or a table, and its files.

    Attributes
    ----------
    part : PaperFigure or PaperTable
    data : Sheet, optional
    files : tuple of Path
    failure : Exception, optional
        What prevented data or files that are missing.
    """

    part: PaperFigure | PaperTable
    data: Sheet | None
    files: tuple[Path, ...]
    failure: Exception | None


@dataclass(frozen=True)
class Paper:
    """A paper: its reference, its figures, its numbers.

    Attributes
    ----------
    citation : str
    figures : tuple of PaperFigure
    numbers : callable
        Computes the printed numbers.
    tables : tuple of PaperTable
        Further tables.
    title : str
        Authors, year and subject.
    """

    citation: str
    figures: tuple[PaperFigure, ...]
    numbers: Callable[[], Sequence[PrintedNumber]]
    tables: tuple[PaperTable, ...] = ()
    title: str = ""

    def table(self) -> Sheet:
        """The printed numbers beside ours."""
        return comparison(self.numbers(), self.citation)

    def files(self, directory: Path) -> list[Path]:
        """All that `write` may write."""
        return [directory / f"{part.name}{suffix}" for part in self._parts() for suffix in part.suffixes]

    def write(self, directory: Path, *, overwrite: bool = False) -> list[Made]:
        """Write the printed numbers beside ours and further tables as CSV and Markdown, figures as CSV, PNG and PDF.

        Without matplotlib PNGs and PDFs are left out. What fails does not stop the rest.

        Returns
        -------
        list of Made
            The printed numbers first.

        Raises
        ------
        FileExistsError
            If a file exists and may not be overwritten; nothing is written then.
        """
        files.refuse_existing(self.files(directory), overwrite=overwrite)
        return [_write(part, directory, overwrite) for part in self._parts()]

    def _parts(self) -> tuple[PaperFigure | PaperTable, ...]:
        return PaperTable("table", self.table, "Printed numbers and ours"), *self.tables, *self.figures


def _write(part: PaperFigure | PaperTable, directory: Path, overwrite: bool) -> Made:
    """Compute and write as much as goes."""
    contents: dict[Path, str | bytes] = {}
    data = failure = None
    try:
        data = part.data()
        for suffix, content in part.contents(data):
            contents[directory / f"{part.name}{suffix}"] = content
    except Exception as error:
        failure = error
    files.write(contents, overwrite=overwrite)
    return Made(part, data, tuple(contents), failure)


class IncompleteError(ValueError):
    """Something could not be made; what could is written."""


def refuse_failures(made: Sequence[Made]) -> None:
    """Name what could not be made.

    Raises
    ------
    IncompleteError
        With the first failure's message.
    """
    failed = [each for each in made if each.failure is not None]
    if failed:
        names, first = ", ".join(each.part.name for each in failed), failed[0].failure
        raise IncompleteError(f"not made: {names} ({type(first).__name__}: {first}); the rest is written") from first
