"""The command line."""

from cevns_fast.cli.commands import main

__all__ = ["main"]
