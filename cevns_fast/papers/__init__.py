"""The papers behind this library: a module each, with its set-up, its figures and its numbers beside ours."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cevns_fast.papers.report import Paper

# What `cevns-fast reproduce` knows; a paper is imported when it is asked for.
PAPERS = ("brdar-2018", "chang-liao-2020", "chao-2021")
# And what is no paper, but all measurements: `cevns-fast reproduce data`.
PUBLIC_DATA = "data"


def paper(name: str) -> "Paper":
    """The paper of this name."""
    module = "public_data" if name == PUBLIC_DATA else name.replace("-", "_")
    found: Paper = import_module(f"{__name__}.{module}").PAPER
    return found
