"""``cevns-fast explore``: one page in which experiments, interactions and parameters can be moved."""

import argparse
import sys
import warnings
from pathlib import Path

import cevns_fast as cf
from cevns_fast import _validate as validate
from cevns_fast._support import files
from cevns_fast.cli.models import EXPLORED, kind_of
from cevns_fast.output.explorer.choices import choice_of
from cevns_fast.output.explorer.page import explorer_page


def run(args: argparse.Namespace) -> None:
    """Compute what the page needs and write it; what may be rough is noted once."""
    path, given = Path(args.output), dict(args.parameters)
    if path.is_dir():
        raise ValueError(f"--output {str(path)!r}: is a folder, must be a file")
    files.refuse_existing((path,), overwrite=args.force)
    if len(given) < len(args.parameters):
        raise ValueError("NAME=VALUE: each parameter may be given once")
    if given and len(args.model) > 1:
        raise ValueError("NAME=VALUE: is of one interaction, so --model must name one")
    models = [validate.choice("model", each, EXPLORED) for each in dict.fromkeys(args.model)]
    choices = [choice_of(kind_of(each), given) for each in models]
    experiments = [cf.load(each) for each in dict.fromkeys(args.experiment)]
    with warnings.catch_warnings(record=True) as caught:
        page = explorer_page(experiments, choices, tell=_tell)
    for text in dict.fromkeys(str(each.message) for each in caught):
        print(f"note: {text}", file=sys.stderr)
    files.write({path: page}, overwrite=args.force)
    print(f"written: {path}, {len(page.encode()) / 1e6:.1f} MB; open it in a browser")


def _tell(text: str) -> None:
    """What takes a while, for those who watch."""
    if sys.stderr.isatty():
        print(f"computing {text}", file=sys.stderr)
