"""``cevns-fast reproduce``: a paper's figures and numbers, or all papers'."""

import argparse
from pathlib import Path

from cevns_fast import papers
from cevns_fast.cli.outputs import NO_PLOT
from cevns_fast.output import drawing
from cevns_fast.papers import PAPERS, PUBLIC_DATA, gallery, page, report


def run(args: argparse.Namespace) -> None:
    """Write as much as goes, and name what does not."""
    if args.all == (args.paper is not None):
        raise ValueError(f"reproduce: name one paper ({', '.join((*PAPERS, PUBLIC_DATA))}), or all with --all")
    if args.all:
        directory = Path(args.output or "results")
        chapters = gallery.write(directory, overwrite=args.force)
        made = [each for chapter in chapters for each in chapter.made]
        print(page.summary(chapters).text())
        print("written: " + ", ".join(str(directory / name) for name in (*gallery.REPORTS, *PAPERS)))
    else:
        paper = papers.paper(args.paper)
        made = paper.write(Path(args.output or f"results/{args.paper}"), overwrite=args.force)
        print(paper.citation)
        print(made[0].data.text() if made[0].data is not None else "no table")
        print("written: " + ", ".join(str(path) for each in made for path in each.files))
    if not drawing.available():
        print(NO_PLOT)
    report.refuse_failures(made)
