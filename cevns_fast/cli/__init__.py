"""The command line: a module for each command."""

from cevns_fast.cli.program import main

__all__ = ["main"]
