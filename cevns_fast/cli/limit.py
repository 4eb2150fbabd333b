"""``cevns-fast limit``: upper limits on couplings over the mass of the new fermion."""

import argparse

import numpy as np

import cevns_fast as cf
from cevns_fast.cli import outputs
from cevns_fast.cli.models import described, fixed_fields, interaction, kind_of
from cevns_fast.inference.confidence import threshold
from cevns_fast.inference.mass_scan import heaviest_mass, mass_grid, mass_scan
from cevns_fast.output import drawing, plotting, tables


def run(args: argparse.Namespace) -> None:
    """Print some of the limits, write all, draw them."""
    couplings = args.couplings or kind_of(args.model).default_couplings
    given = fixed_fields(args.model, args.parameters, outputs.options(args), without=("m_chi", *couplings))
    experiments = [cf.load(name) for name in args.experiment]
    names = "+".join(experiment.name for experiment in experiments)
    paths = outputs.paths(args, f"limits-{'' if args.model == 'singlet' else args.model + '-'}{names}")
    cl = 0.90 if args.cl is None and args.delta_chi2 is None else args.cl
    delta_chi2 = threshold(cl, args.delta_chi2, 1)
    level = f"Delta chi2 = {delta_chi2:.4f}" + (f" ({100 * cl:g}% CL)" if cl else "")
    masses = mass_grid(experiments, args.mass_range[0], args.mass_range[1], args.masses)
    batch = [interaction(args.model, {**given, "m_chi": m}) for m in masses.tolist()]
    found = mass_scan(
        experiments, batch, couplings, delta_chi2=delta_chi2, threads=args.threads, progress=outputs.watched()
    )
    about = {
        "columns": "m_chi [MeV]; largest allowed |coupling| (dimensionless), one at a time; inf: no bound",
        "threshold": f"{level} above the smallest chi2, one degree of freedom",
        "interaction": described(batch[0], without=("m_chi", *couplings)),
    }
    sheet = tables.Sheet({"m_chi": masses, **found}, {**outputs.provenance(experiments), **about})
    print(f"{names}: upper limits, {level}, m_chi in MeV")
    print(sheet.text(most=12))
    heaviest = heaviest_mass(experiments)
    for name, upper in found.items():
        if not np.isfinite(upper).any():
            too_heavy = f": χ is too heavy for this source, which makes up to {heaviest:.4g} MeV"
            print(f"note: no bound on {name} at any mass{too_heavy if masses[0] >= heaviest else ''}")
    title = drawing.in_lines([*outputs.given(args), f"$\\Delta\\chi^2 = {delta_chi2:.2f}$"])
    label = drawing.in_lines([experiment.name for experiment in experiments], " + ")
    curves = {
        drawing.coupling_symbol(name): [drawing.Curve(label, masses, upper, filled=True)]
        for name, upper in found.items()
    }
    outputs.write(args, sheet, lambda: plotting.limit_panels(curves, title=title), paths)
