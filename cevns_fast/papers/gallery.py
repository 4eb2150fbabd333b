"""All papers in one folder: a folder of files for each, and a report that shows them together."""

from pathlib import Path

from cevns_fast._support import files
from cevns_fast.papers import PAPERS, page, paper
from cevns_fast.papers.page import Chapter

REPORTS = {"report.html": page.html, "report.md": page.markdown}


def write(directory: Path, *, overwrite: bool = False) -> tuple[Chapter, ...]:
    """Write every figure and table of every paper, and ``report.html`` and ``report.md``.

    What cannot be made is left out, and the report says so.

    Returns
    -------
    tuple of Chapter
        A paper each.

    Raises
    ------
    FileExistsError
        If a file exists and may not be overwritten; nothing is written then.
    """
    found = {name: paper(name) for name in PAPERS}
    figures = [path for name, each in found.items() for path in each.files(directory / name)]
    files.refuse_existing([*figures, *(directory / name for name in REPORTS)], overwrite=overwrite)
    chapters = tuple(
        Chapter(name, each, tuple(each.write(directory / name, overwrite=overwrite))) for name, each in found.items()
    )
    files.write({directory / name: render(chapters) for name, render in REPORTS.items()}, overwrite=overwrite)
    return chapters
