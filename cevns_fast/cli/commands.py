"""The command line: arguments in, calls of the library, tables and files out."""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cevns_fast as cf
from cevns_fast.cli.arguments import parsed
from cevns_fast.cli.models import described, fixed_fields, interaction, kind_of
from cevns_fast.papers import PAPERS

if TYPE_CHECKING:
    from cevns_fast.inference.mass_scan import Progress
    from cevns_fast.interactions.process import Interaction

_NO_PLOT = "no plot: matplotlib is not installed (pip install 'cevns_fast[plot]')"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments after the program's name; by default those of the process.

    Returns
    -------
    int
        Exit status: 0, 2 for a bad argument, a file that would be overwritten or cannot be used, or 130 for Ctrl-C.

    Examples
    --------
    >>> main(["experiments"])  # doctest: +ELLIPSIS
    coherent-csi-2017 ...
    0
    """
    try:
        args = parsed(argv)
        _COMMANDS[args.command](args)
    except BrokenPipeError:  # the reader of a pipe has seen enough
        sys.stderr.close()
        return 0
    except (ValueError, OSError, ImportError, MemoryError) as error:
        return _fail(str(error))
    except KeyboardInterrupt as interrupt:
        print(f"\ncevns-fast: stopped{f'; {interrupt}' if interrupt.args else ''}", file=sys.stderr)
        return 130
    return 0


def _fail(message: str) -> int:
    print(f"cevns-fast: error: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _experiments(args: argparse.Namespace) -> None:
    known = cf.available_experiments()
    width = max(map(len, known))
    for name, description in known.items():
        print(f"{name:{width}}  {description}")


def _rate(args: argparse.Namespace) -> None:
    import numpy as np

    from cevns_fast.output import plotting, tables

    experiment = cf.load(args.experiment)
    paths = _paths(args, f"rate-{experiment.name}") if args.output else None
    from cevns_fast.likelihood.measurement import measurement_of

    (low, high), observable = experiment.bin_edges, experiment.detector.response.observable
    about = {"bins": observable, "counts": "per bin, without backgrounds"}
    given = fixed_fields(args.model, args.parameters, _options(args))
    new = interaction(args.model, given) if args.parameters else None
    counts = {"Standard Model": cf.event_rate(experiment, cf.StandardModel())}
    if new is not None:
        counts["new physics"] = cf.event_rate(experiment, new, standard_model=False)
        counts["total"] = counts["Standard Model"] + counts["new physics"]
        about["interaction"] = repr(new)
    columns, points = {"low": low, "high": high, **counts}, None
    if experiment.observed is not None:
        statistic = measurement_of(experiment)
        columns["data"] = statistic.data
        about["data"] = "less steady-state and beam-related backgrounds"
        if not statistic.predicts_variance:
            points = ("data less backgrounds", statistic.data, np.sqrt(statistic.variance))
    if experiment.excluded:  # gaps in the figure
        counts = {name: _with_gaps(experiment, values) for name, values in counts.items()}
        points = points and (points[0], *(_with_gaps(experiment, values) for values in points[1:]))
    table = tables.Table(columns, {**_provenance([experiment]), **about})
    print(f"{experiment.name}: counts per bin of {observable}")
    print(table.text())
    print("sum: " + ", ".join(f"{name} {np.sum(columns[name]):.4g}" for name in [*columns][2:]))
    edges = experiment.detector.bins
    if paths is not None:
        _write(args, table, lambda: plotting.histogram(edges, counts, x_label=observable, data=points), paths)


def _with_gaps(experiment: Any, values: Any) -> Any:
    """Counts of all bins of the detector, NaN where one is left out."""
    import numpy as np

    found = np.full(experiment.detector.n_bins, np.nan)
    found[list(experiment.kept)] = values
    return found


def _limit(args: argparse.Namespace) -> None:
    from cevns_fast.inference.confidence import threshold
    from cevns_fast.inference.mass_scan import mass_grid, mass_scan
    from cevns_fast.output import plotting, tables

    couplings = args.couplings or kind_of(args.model).default_couplings
    given = fixed_fields(args.model, args.parameters, _options(args), without=("m_chi", *couplings))
    experiments = [cf.load(name) for name in args.experiment]
    names = "+".join(experiment.name for experiment in experiments)
    paths = _paths(args, f"limits-{'' if args.model == 'singlet' else args.model + '-'}{names}")
    cl = 0.90 if args.cl is None and args.delta_chi2 is None else args.cl
    delta_chi2 = threshold(cl, args.delta_chi2, 1)
    level = f"Delta chi2 = {delta_chi2:.4f}" + (f" ({100 * cl:g}% CL)" if cl else "")
    masses = mass_grid(experiments, args.mass_range[0], args.mass_range[1], args.masses)
    batch = [interaction(args.model, {**given, "m_chi": m}) for m in masses.tolist()]
    found = mass_scan(experiments, batch, couplings, delta_chi2=delta_chi2, threads=args.threads, progress=_progress())
    about = {
        "columns": "m_chi [MeV]; largest allowed |coupling| (dimensionless), one at a time; inf: no bound",
        "threshold": f"{level} above the smallest chi2, one degree of freedom",
        "interaction": described(batch[0], without=("m_chi", *couplings)),
    }
    table = tables.Table({"m_chi": masses, **found}, {**_provenance(experiments), **about})
    print(f"{names}: upper limits, {level}, m_chi in MeV")
    print(table.text(most=12))
    label = ", ".join([names, *_given(args), f"$\\Delta\\chi^2 = {delta_chi2:.2f}$"])
    curves = {
        plotting.coupling_symbol(name): [plotting.Curve(label, masses, upper, filled=True)]
        for name, upper in found.items()
    }
    _write(args, table, lambda: plotting.limit_panels(curves), paths)


def _scan(args: argparse.Namespace) -> None:
    """A plane of two couplings."""
    from cevns_fast.output import plotting, tables

    _require("scan", "xarray", "h5netcdf", "h5py", "contourpy")
    given = fixed_fields(args.model, args.parameters, _options(args), without=args.couplings + args.profile)
    new, phases = interaction(args.model, given), _phases(args)
    experiments = [cf.load(name) for name in args.experiment]
    names = "+".join(experiment.name for experiment in experiments)
    netcdf, png = _paths(args, f"scan-{names}-{'-'.join(args.couplings)}-m_chi={given['m_chi']:g}", ".nc")
    try:
        grids = _grids(args, experiments, new, phases)
        with _workers(args) as executor:
            scan = cf.correlation_scan(
                experiments, new, args.couplings, *grids, profile=args.profile, phases=phases, threads=args.workers,
                executor=executor, checkpoint=args.checkpoint, progress=_watched(),
            )  # fmt: skip
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"the same command resumes from {args.checkpoint}" if args.checkpoint
            else "nothing was kept (with --checkpoint DIR, the same command resumes)"
        ) from None  # fmt: skip
    regions = {cl: scan.contours(cl) for cl in plotting.LEVELS}
    table = tables.Table({
        "CL": [f"{100 * cl:g}%" for cl in regions],
        "Delta chi2": [region.level for region in regions.values()],
        "area": [region.area for region in regions.values()],
        "correlation": [scan.correlation(cl) for cl in regions],
        "pieces": [str(sum(not ring.hole for ring in region.rings)) for region in regions.values()],
        "region": ["reaches the edge of the grid" if region.clipped else "whole" for region in regions.values()],
    })  # fmt: skip
    print(f"{names}: {' and '.join(args.couplings)}, {scan.chi2.shape[0]} x {scan.chi2.shape[1]} points")
    for name, grid in zip(scan.couplings, grids, strict=True):
        print(f"{name} from {grid[0]:g} to {grid[-1]:g}")
    best = {**scan.best_fit, **scan.nuisances}
    print("best fit: " + ", ".join(f"{name} = {values[0] + 0.0:.4g}" for name, values in best.items()))
    print(f"smallest chi2 {scan.chi2_min[0]:.5g}, {sum(experiment.n_bins for experiment in experiments)} bins")
    print(table.text())
    netcdf.parent.mkdir(parents=True, exist_ok=True)
    scan.save(netcdf)
    if not plotting.available():
        print(f"written: {netcdf}; {_NO_PLOT}")
        return
    fixed = _given(args)
    for name, degrees in args.phase:
        fixed.append(f"phase of {plotting.coupling_symbol(name, signed=True)} = {degrees:g}°")
    fixed += [f"{plotting.coupling_symbol(name, signed=True)} profiled" for name in args.profile]
    title = f"{names}, $m_\\chi = {given['m_chi']:g}$ MeV" + ("\n" + ", ".join(fixed) if fixed else "")
    tables.write(png, plotting.png(plotting.scan_plane(scan, title=title)), overwrite=args.force)
    print(f"written: {netcdf}, {png}")


def _grids(
    args: argparse.Namespace, experiments: Sequence[Any], new: "Interaction", phases: Mapping[str, complex]
) -> list[Any]:
    """Those that are given; the others around the allowed region."""
    import numpy as np

    given = [args.x, args.y]
    if None in given:
        from cevns_fast.inference.plane_range import plane_range

        found = plane_range(experiments, new, args.couplings, profile=args.profile, phases=phases, threads=args.workers)
        given = [each or (*around, None) for each, around in zip(given, found, strict=True)]
    grids = []
    for option, (low, high, n) in zip(("--x", "--y"), given, strict=True):
        n = args.points if n is None else n
        if not low < high or n < 2 or not np.isfinite([low, high]).all():
            raise ValueError(f"{option}: {n} points from {low:g} to {high:g}: must be at least two, and rise")
        grids.append(np.linspace(low, high, n))
    return grids


def _phases(args: argparse.Namespace) -> dict[str, complex]:
    """Directions of modulus 1."""
    import numpy as np

    phases = {}
    for name, degrees in args.phase:
        if not isinstance(degrees, float):
            raise ValueError(f"phase of {name} = {degrees!r}: must be an angle in degrees")
        phases[name] = complex(np.exp(1j * np.deg2rad(degrees)))
    return phases


def _workers(args: argparse.Namespace) -> Any:
    """Processes, if they are asked for."""
    if not args.processes:
        return nullcontext()
    import multiprocessing
    import os
    import signal
    from concurrent.futures import ProcessPoolExecutor

    n = (os.cpu_count() or 1) if args.workers is None else args.workers
    if n < 1:
        raise ValueError(f"--workers {n}: must be at least 1")
    pool = ProcessPoolExecutor(n, multiprocessing.get_context("spawn"))
    # A terminal sends Ctrl-C to all processes; those that are started now inherit that they ignore it.
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    for _ in range(n):
        pool.submit(int)
    signal.signal(signal.SIGINT, handler)
    return pool


def _require(extra: str, *modules: str) -> None:
    """Refuse before anything is computed what could not be written afterwards."""
    from importlib.util import find_spec

    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise ImportError(f"needs {' and '.join(missing)}: pip install 'cevns_fast[{extra}]'")


def _reproduce(args: argparse.Namespace) -> None:
    from cevns_fast import papers
    from cevns_fast.output import plotting
    from cevns_fast.papers import gallery, page, report

    if args.all == (args.paper is not None):
        raise ValueError(f"reproduce: name one paper ({', '.join(PAPERS)}), or all with --all")
    if args.all:
        directory = Path(args.output or "results")
        chapters = gallery.write(directory, overwrite=args.force)
        made = [each for chapter in chapters for each in chapter.made]
        print(page.summary(chapters).text())
        print("written: " + ", ".join(str(directory / name) for name in (*gallery.REPORTS, *PAPERS)))
    else:
        paper = papers.paper(args.paper)
        made = paper.write(Path(args.output or f"results/{args.paper}"), overwrite=args.force)
        print(paper.citation)
        print(made[0].data.text() if made[0].data is not None else "no table")
        print("written: " + ", ".join(str(path) for each in made for path in each.files))
    if not plotting.available():
        print(_NO_PLOT)
    report.refuse_failures(made)


def _c_interface(args: argparse.Namespace) -> None:
    """What a program in C, C++ or Fortran is compiled with."""
    from cevns_fast.interop import c_interface

    paths = c_interface.write_c_interface(args.output, overwrite=args.force)
    print("written: " + ", ".join(map(str, paths)))
    print(f"compile: {c_interface.COMPILE}")


_COMMANDS = {
    "experiments": _experiments,
    "rate": _rate,
    "limit": _limit,
    "scan": _scan,
    "reproduce": _reproduce,
    "c-interface": _c_interface,
}


def _options(args: argparse.Namespace) -> dict[str, str | None]:
    """Fields of an interaction that have options of their own."""
    return {"variant": args.variant, "helicity": args.helicity}


def _given(args: argparse.Namespace) -> list[str]:
    """NAME=VALUE, but for the mass of the new fermion, for a figure."""
    from cevns_fast.output import plotting

    found = []
    for name, value in args.parameters:
        if isinstance(value, str | bool):
            found.append(f"{name} {value}")
        elif name != "m_chi":
            number = f"{value:g}" if isinstance(value, float) else str(value).replace("j", r"\,i")
            found.append(f"{plotting.coupling_symbol(name, signed=True)[:-1]} = {number}$")
            found[-1] += " MeV" if name.startswith("m_") else ""
    return found


def _provenance(experiments: Sequence[Any]) -> Mapping[str, str]:
    """Where an experiment's numbers come from."""
    if len(experiments) == 1:
        return {"experiment": f"{experiments[0].name}: {experiments[0].citation}"}
    return {f"experiment {i}": f"{each.name}: {each.citation}" for i, each in enumerate(experiments, 1)}


def _paths(args: argparse.Namespace, stem: str, numbers: str = ".csv") -> tuple[Path, Path]:
    """The numbers and the PNG of a command, refused before anything is computed if they exist."""
    from cevns_fast.output import tables

    stem = re.sub(r"[^\w.+=-]", "_", stem)
    data, png = (Path(args.output) / f"{stem}{suffix}" for suffix in (numbers, ".png"))
    tables.refuse_existing((data, png), overwrite=args.force)
    return data, png


def _write(args: argparse.Namespace, table: Any, draw: Any, paths: tuple[Path, Path]) -> None:
    """Write table and figure, and say where."""
    from cevns_fast.output import plotting, tables

    csv, png = paths
    tables.write(csv, table.csv(), overwrite=args.force)
    if not plotting.available():
        print(f"written: {csv}; {_NO_PLOT}")
        return
    tables.write(png, plotting.png(draw()), overwrite=args.force)
    print(f"written: {csv}, {png}")


def _progress() -> "Progress":
    """A progress bar, if a person is watching and tqdm is installed."""
    if not _watched():
        return iter
    from tqdm import tqdm

    return lambda steps: tqdm(steps, unit="step", leave=False)


def _watched() -> bool:
    """Whether a person is there to watch a progress bar, and tqdm to draw it."""
    from importlib.util import find_spec

    return sys.stderr.isatty() and find_spec("tqdm") is not None
