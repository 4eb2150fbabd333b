"""The papers behind this library: a module each, with its set-up, its figures and its numbers beside ours."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cevns_fast.papers.report import Paper

# What `cevns-fast reproduce` knows; a paper is imported when it is asked for.
PAPERS = ("brdar-2018", "chang-liao-2020", "chao-2021")


def paper(name: str) -> "Paper":
    """The paper of this name."""
    found: Paper = import_module(f"{__name__}.{name.replace('-', '_')}").PAPER
    return found
