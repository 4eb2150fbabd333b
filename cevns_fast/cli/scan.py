"""``cevns-fast scan``: χ² on a plane of two couplings, its allowed regions and its best fit."""

import argparse
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

import cevns_fast as cf
from cevns_fast._support import files
from cevns_fast.cli import outputs, sources
from cevns_fast.cli.models import fixed_fields, interaction, kind_of, mass_of
from cevns_fast.inference.confidence import LEVELS
from cevns_fast.inference.parameter_planes import parameter_among
from cevns_fast.inference.regions import UnresolvedRegionWarning
from cevns_fast.output import drawing, plotting, tables

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from cevns_fast.inference.regions import Contours
    from cevns_fast.inference.scan_result import Scan
    from cevns_fast.interactions.process import Interaction


def run(args: argparse.Namespace) -> None:
    """Print the regions, save the scan, draw it."""
    _require("scan", "xarray", "h5netcdf", "h5py", "contourpy")
    given = fixed_fields(args.model, args.parameters, outputs.options(args), without=args.couplings + args.profile)
    varied = parameter_among(kind_of(args.model), args.couplings)
    new, phases = interaction(args.model, given | _anywhere(args, varied)), _phases(args)
    experiments = sources.loaded(args)
    names = "+".join(experiment.name for experiment in experiments)
    kind = "feldman-cousins" if args.feldman_cousins else "scan"
    stem = f"{kind}-{names}-{'-'.join(args.couplings)}{_mass(args.model, given)}"
    netcdf, picture = outputs.paths(args, stem, ".nc")
    try:
        grids = _grids(args, experiments, new, phases)
        with _workers(args) as executor:
            scan = _by_toys(args, experiments, new, grids, phases, executor) if args.feldman_cousins else (
                cf.correlation_scan(
                    experiments, new, args.couplings, *grids, profile=args.profile, phases=phases, threads=args.workers,
                    executor=executor, checkpoint=args.checkpoint, progress=outputs.watched(),
                )
            )  # fmt: skip
    except KeyboardInterrupt as interrupt:
        raise type(interrupt)(
            f"the same command resumes from {args.checkpoint}" if args.checkpoint
            else "nothing was kept (with --checkpoint DIR, the same command resumes)"
        ) from None  # fmt: skip
    if args.minimum == "grid":
        scan = scan.on_grid()
    print(f"{names}: {' and '.join(args.couplings)}, {scan.chi2.shape[0]} x {scan.chi2.shape[1]} points")
    for name, grid in zip(scan.couplings, grids, strict=True):
        print(f"{name} from {grid[0]:g} to {grid[-1]:g}")
    _print_regions(scan, sum(experiment.n_bins for experiment in experiments))
    title = _title(args, [experiment.name for experiment in experiments], given) if drawing.available() else ""
    figure = drawing.FORMATS[args.format](plotting.scan_plane(scan, title=title)) if drawing.available() else None
    scan.save(netcdf, overwrite=args.force)
    if figure is None:
        print(f"written: {netcdf}; {outputs.NO_PLOT}")
        return
    try:
        files.write({picture: figure}, overwrite=args.force)
    except OSError:
        netcdf.unlink(missing_ok=True)  # both or neither
        raise
    print(f"written: {netcdf}, {picture}")


def _by_toys(
    args: argparse.Namespace,
    experiments: Sequence[Any],
    new: "Interaction",
    grids: Sequence[Any],
    phases: Mapping[str, complex],
    executor: "Executor | None",
) -> "Scan":
    """Confidence by toys in place of Δχ²."""
    if args.minimum == "grid":
        raise ValueError(
            "--minimum grid: must be 'anywhere' with --feldman-cousins, whose toys have minima of their own"
        )
    names = [*args.couplings, *args.profile]
    used = {name: phase for name, phase in phases.items() if name in names}
    varied = parameter_among(new, args.couplings)
    axis = grids[args.couplings.index(varied)] if varied else []
    bounds = {varied: (axis[0], axis[-1])} if varied else {}
    fit = cf.Likelihood(experiments, model=new, parameters=names, phases=used, bounds=bounds)
    threads = cf.get_num_threads() if args.workers is None else args.workers
    found: Scan = cf.feldman_cousins_map(
        fit, args.couplings, *grids, toys=args.toys, seed=args.seed, threads=threads,
        executor=executor, checkpoint=args.checkpoint, progress=outputs.watched(),
    )  # fmt: skip
    return found


def _print_regions(scan: "Scan", n_bins: int) -> None:
    """Best fit and allowed regions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnresolvedRegionWarning)  # the table says it
        regions = {cl: scan.contours(cl) for cl in LEVELS}
    sheet = tables.Sheet({
        "CL": [f"{100 * cl:g}%" for cl in regions],
        "Delta chi2": [region.level for region in regions.values()],
        "area": [f"{region.area:.4g}" if region.resolved else "unknown" for region in regions.values()],
        "correlation": [region.correlation for region in regions.values()],
        "pieces": [
            str(sum(not ring.hole for ring in region.rings)) if region.resolved else "unknown"
            for region in regions.values()
        ],
        "region": [_described(region) for region in regions.values()],
    })  # fmt: skip
    best = {name: values for name, values in {**scan.best_fit, **scan.nuisances}.items() if not np.isnan(values[0])}
    print("best fit: " + ", ".join(f"{name} = {values[0] + 0.0:.4g}" for name, values in best.items()))
    print(f"smallest chi2 {scan.chi2_min[0]:.5g}, {n_bins} bins")
    if scan.outside[0]:
        lowest = scan.lowest_point
        where = ", ".join(f"{name} = {values[0] + 0.0:.4g}" for name, values in lowest.couplings.items())
        print(
            f"note: the best fit is outside the grid, whose lowest point is {where} with chi2 {lowest.chi2[0]:.5g}; "
            "--minimum grid takes Delta chi2 from there"
        )
    print(sheet.text())
    if any(region.finer for region in regions.values()):
        print("note: a region is thinner than the grid; it was found on a finer one that lies along it")
    if not all(region.resolved for region in regions.values()):
        print(
            "note: a region is thinner than the grid, so neither its area nor its pieces are known; give --points more"
        )


def _described(region: "Contours") -> str:
    """Whether all of it is seen."""
    if not region.resolved:
        return "thinner than the grid"
    if not region.rings:
        return "not on the grid"
    return "reaches the edge of the grid" if region.clipped else "whole"


def _mass(model: str, given: Mapping[str, Any]) -> str:
    """The mass of a model that has one, by name and value."""
    name = mass_of(model)
    return f"-{name}={given[name]:g}" if name is not None and name in given else ""


def _anywhere(args: argparse.Namespace, varied: str | None) -> dict[str, float]:
    """Some value of a parameter that is no coupling and is an axis; its grid must be given."""
    if varied is None:
        return {}
    option, axis = ("--x", args.x) if args.couplings[0] == varied else ("--y", args.y)
    if axis is None:
        raise ValueError(f"{option}: must be given, MIN:MAX[:N], where {varied} is an axis")
    if args.x is None or args.y is None:
        raise ValueError(
            f"{'--x' if args.x is None else '--y'}: must be given, MIN:MAX[:N], beside an axis of {varied}"
        )
    own = {f.name for f in fields(kind_of(args.model))}  # type: ignore[arg-type]
    return {varied: 0.5 * (axis[0] + axis[1])} if varied in own else {}


def _title(args: argparse.Namespace, names: Sequence[str], given: Mapping[str, Any]) -> str:
    """What was fixed, profiled and turned."""
    mass = mass_of(args.model)
    mass = mass if mass in given else None
    fixed = outputs.given(args, without=() if mass is None else (mass,))
    fixed += [f"{what}: {how}" for what, how in sources.about(args).items()]
    for name, degrees in args.phase:
        fixed.append(f"phase of {drawing.coupling_symbol(name, signed=True)} = {degrees:g}°")
    fixed += [f"{drawing.coupling_symbol(name, signed=True)} profiled" for name in args.profile]
    if mass is not None:
        fixed.insert(0, f"{drawing.coupling_symbol(mass, signed=True)[:-1]} = {given[mass]:g}$ MeV")
    return "\n".join(filter(None, (drawing.in_lines(names, " + "), drawing.in_lines(fixed))))


def _grids(
    args: argparse.Namespace, experiments: Sequence[Any], new: "Interaction", phases: Mapping[str, complex]
) -> list[Any]:
    """Those that are given; the others around the allowed region."""
    given = [args.x, args.y]
    if None in given:
        from cevns_fast.inference.plane_range import plane_range

        found = plane_range(experiments, new, args.couplings, profile=args.profile, phases=phases, threads=args.workers)
        given = [each or (*around, None) for each, around in zip(given, found, strict=True)]
    grids = []
    for option, (low, high, n) in zip(("--x", "--y"), given, strict=True):
        if n is None:
            n = args.points if args.points is not None else 50 if args.feldman_cousins else 401
        if not low < high or n < 2 or not np.isfinite([low, high]).all():
            raise ValueError(f"{option}: {n} points from {low:g} to {high:g}: must be at least two, and rise")
        grids.append(np.linspace(low, high, n))
    return grids


def _phases(args: argparse.Namespace) -> dict[str, complex]:
    """Directions of modulus 1."""
    phases = {}
    for name, degrees in args.phase:
        if not isinstance(degrees, float):
            raise ValueError(f"phase of {name} = {degrees!r}: must be an angle in degrees")
        phases[name] = complex(np.exp(1j * np.deg2rad(degrees)))
    return phases


@contextmanager
def _workers(args: argparse.Namespace) -> Iterator["Executor | None"]:
    """Processes, if they are asked for; they end with this one."""
    if not args.processes:
        yield None
        return
    import os

    from cevns_fast.parallel.processes import pool

    n = (os.cpu_count() or 1) if args.workers is None else args.workers
    if n < 1:
        raise ValueError(f"--workers {n}: must be at least 1")
    with pool(n) as executor:
        yield executor


def _require(extra: str, *modules: str) -> None:
    """Refuse before anything is computed what could not be written afterwards."""
    from importlib.util import find_spec

    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise ImportError(f"needs {' and '.join(missing)}: pip install 'cevns_fast[{extra}]'")
