"""``cevns-fast limit``: upper limits on couplings over the mass of the new fermion."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import cevns_fast as cf
from cevns_fast.cli import outputs, sources
from cevns_fast.cli.models import couplings_of, described, fixed_fields, interaction, mass_of
from cevns_fast.inference.confidence import threshold
from cevns_fast.inference.mass_scan import heaviest_mass, mass_grid, mass_scan
from cevns_fast.output import drawing, plotting, tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cevns_fast._validate import Floats
    from cevns_fast.interactions.process import Interaction


def run(args: argparse.Namespace) -> None:
    """Print some of the limits, write all, draw them."""
    couplings, mass = args.couplings or couplings_of(args.model), mass_of(args.model, args.mass)
    way_out = {mass or "": "; --mass-range LOW HIGH says where it varies, with --masses 1 it is LOW alone"}
    given = fixed_fields(args.model, args.parameters, outputs.options(args), (mass or "", *couplings), way_out)
    experiments = sources.loaded(args)
    names = "+".join(experiment.name for experiment in experiments)
    paths = outputs.paths(args, f"limits-{'' if args.model == 'singlet' else args.model + '-'}{names}")
    cl = 0.90 if args.cl is None and args.delta_chi2 is None else args.cl
    delta_chi2 = threshold(cl, args.delta_chi2, 1)
    level = f"Delta chi2 = {delta_chi2:.4f}" + (f" ({100 * cl:g}% CL)" if cl else "")
    if mass is None:
        return _without_mass(args, experiments, interaction(args.model, given), couplings, delta_chi2, level, paths)
    masses = mass_grid(experiments, args.mass_range[0], args.mass_range[1], args.masses)
    batch = [interaction(args.model, {**given, mass: m}) for m in masses.tolist()]
    found = mass_scan(
        experiments, batch, couplings, delta_chi2=delta_chi2, threads=args.threads, progress=outputs.watched()
    )
    about = {
        "columns": f"{mass} [MeV]; largest allowed |coupling| (dimensionless), one at a time; inf: no bound",
        "threshold": f"{level} above the smallest chi2, one degree of freedom",
        "interaction": described(batch[0], without=(mass, *couplings)),
        **sources.about(args),
    }
    sheet = tables.Sheet({mass: masses, **found}, {**outputs.provenance(experiments), **about})
    print(f"{names}: upper limits, {level}, {mass} in MeV")
    print(outputs.shown(sheet, most=12))
    heaviest = heaviest_mass(experiments)
    for name, upper in found.items():
        if not np.isfinite(upper).any():
            too_heavy = mass == "m_chi" and f": χ is too heavy for this source, which makes up to {heaviest:.4g} MeV"
            print(f"note: no bound on {name} at any mass{too_heavy if too_heavy and masses[0] >= heaviest else ''}")
    if args.model == "singlet" and "a_M" in found:
        _decays(masses, found["a_M"], experiments, given.get("helicity", "summed"))
    stated = f"{100 * cl:g}% CL" if cl else f"$\\Delta\\chi^2 = {delta_chi2:.2f}$"
    title = drawing.in_lines([*outputs.given(args), stated])
    label = drawing.in_lines([experiment.name for experiment in experiments], " + ")
    curves = {
        drawing.coupling_symbol(name): [drawing.Curve(label, masses, upper, filled=True)]
        for name, upper in found.items()
    }
    outputs.write(args, sheet, lambda: plotting.limit_panels(curves, title=title), paths)


def _without_mass(
    args: argparse.Namespace,
    experiments: Sequence[cf.Experiment],
    one: "Interaction",
    couplings: Sequence[str],
    delta_chi2: float,
    level: str,
    paths: tuple[Path, Path],
) -> None:
    """Allowed intervals of each coupling alone, of an interaction that has no mass to vary."""
    names = "+".join(experiment.name for experiment in experiments)
    rows: list[tuple[str, float, float]] = []
    for name in couplings:
        curve = cf.limit_scan(experiments, one, name, delta_chi2=delta_chi2, threads=args.threads)
        _, least, most = one.coupling_ranges.get(name, (0.0, -np.inf, np.inf))
        within = [(max(float(low), least), min(float(high), most)) for low, high in curve.intervals[0]]
        rows += [(name, low, high) for low, high in within if low < high]
    columns: dict[str, tables.Column] = {
        "coupling": [row[0] for row in rows], "lower": [row[1] for row in rows], "upper": [row[2] for row in rows]
    }  # fmt: skip
    about = {
        "columns": "; ".join(f"{name}: {one.open_couplings[name]}" for name in couplings),
        "threshold": f"{level} above the smallest chi2, one degree of freedom, one coupling at a time",
        "interaction": described(one, without=tuple(couplings)),
        **sources.about(args),
    }
    sheet = tables.Sheet(columns, {**outputs.provenance(experiments), **about})
    print(f"{names}: allowed intervals, {level}")
    print(sheet.text())

    def draw() -> "Figure":
        """A bar for each interval."""
        figure = drawing.blank(4.5, 0.8 + 0.35 * len(couplings))
        axes = figure.add_subplot()
        for name, low, high in rows:
            axes.plot([low, high], [couplings.index(name)] * 2, lw=6, solid_capstyle="butt", color="C0")
        axes.axvline(0.0, color="0.5", lw=0.8)
        axes.set_yticks(range(len(couplings)), list(couplings))
        axes.invert_yaxis()
        axes.set_xlabel(f"{type(one).__name__}, $\\Delta\\chi^2 = {delta_chi2:.2f}$")
        figure.tight_layout()
        return figure

    outputs.write(args, sheet, draw, paths)


# Probability to decay inside the detector beyond which a dipole's limit is not one of recoils alone.
_SEEN_DECAYS = 1e-3


def _decays(masses: "Floats", upper: "Floats", experiments: Sequence[cf.Experiment], helicity: str) -> None:
    """Say where χ → νγ would be seen as well: a dipole at its limit decays inside the detector."""
    length = 0.3  # m: of the detectors in use
    seen: dict[float, float] = {}
    for m, a_M in zip(masses.tolist(), upper.tolist(), strict=True):
        E = heaviest_mass(experiments)
        if np.isfinite(a_M) and 0 < m < E:
            widths = cf.cosmology.decay_widths(m, a_M=a_M, helicity=helicity)
            seen[m] = float(widths.decay_probability(E, length))
    beyond = {m: p for m, p in seen.items() if p > _SEEN_DECAYS}
    if beyond:
        low, high = min(beyond), max(beyond)
        print(
            f"note: at the limit on a_M, χ → νγ within {length:g} m is likelier than {_SEEN_DECAYS:g} for m_chi "
            f"from {low:.3g} ({beyond[low]:.2g}) to {high:.3g} MeV ({beyond[high]:.2g})"
        )
