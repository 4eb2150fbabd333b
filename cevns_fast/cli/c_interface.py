"""``cevns-fast c-interface``: what a program in C, C++ or Fortran is compiled with."""

import argparse

from cevns_fast.interop import c_interface


def run(args: argparse.Namespace) -> None:
    """Write the files, and say how to compile them."""
    paths = c_interface.write_c_interface(args.output, overwrite=args.force)
    print("written: " + ", ".join(map(str, paths)))
    print(f"compile: {c_interface.COMPILE}")
