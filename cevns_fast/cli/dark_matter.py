"""``cevns-fast dark-matter``: the plane of mass and coupling of χ."""

import argparse

import cevns_fast as cf
from cevns_fast import _validate as validate
from cevns_fast.cli import outputs
from cevns_fast.inference.mass_scan import mass_grid
from cevns_fast.output import dark_matter, dark_matter_figures


def run(args: argparse.Namespace) -> None:
    """Print some of the plane, write all of it, draw it."""
    draw = dark_matter_figures.PLANES[validate.choice("--model", args.model, dark_matter_figures.PLANES)]
    if args.experiment:
        experiments = [cf.load(name) for name in args.experiment]
    else:
        measured = [each for each in map(cf.load, cf.available_experiments()) if each.observed is not None]
        superseded = {name for each in measured for name in each.contains}
        experiments = [each for each in measured if each.data_set not in superseded]
    paths = outputs.paths(args, f"dark-matter-{args.model}")
    low, high = args.mass_range
    masses = mass_grid(experiments, low, high, args.masses)
    if args.model == "scalar":
        sheet = dark_matter.scalar_plane(experiments, masses, args.ratio, args.reading, args.threads)
    else:
        sheet = dark_matter.dipole_plane(experiments, masses, majorana=args.reading.startswith("majorana"))
    print(f"dark matter and recoils: {sheet.about['plane']}")
    print(outputs.shown(sheet, most=12))
    outputs.write(args, sheet, lambda: draw(sheet), paths)
