"""``cevns-fast experiments``: what is built in."""

import argparse

import cevns_fast as cf


def run(args: argparse.Namespace) -> None:
    """List names and descriptions."""
    known = cf.available_experiments()
    width = max(map(len, known))
    for name, description in known.items():
        print(f"{name:{width}}  {description}")
