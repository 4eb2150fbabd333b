"""What arrives and what is seen: sources, detectors, backgrounds, and the files that describe them."""

from typing import Any

from cevns_fast._support.moved import public


def __getattr__(name: str) -> Any:
    """Classes that old pickles expect here."""
    return public(__name__, name)
