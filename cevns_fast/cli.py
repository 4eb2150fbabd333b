"""The command line: arguments in, calls of the library, tables and files out.

Only argparse is imported before the arguments are parsed, so that `--help` answers at once.
"""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import cevns_fast as cf
from cevns_fast._models import MODELS, described, fixed_fields, interaction, kind_of, parameter
from cevns_fast.papers import PAPERS

if TYPE_CHECKING:
    from cevns_fast.interactions.process import Interaction
    from cevns_fast.mass_scan import Progress

_NO_PLOT = "no plot: matplotlib is not installed (pip install 'cevns_fast[plot]')"


class _Parser(argparse.ArgumentParser):
    """Bad arguments are errors like any other: one line, exit status 2."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # argparse takes -1e-3 and -1:1:401 for options; no option of ours begins with a digit.
        self._negative_number_matcher = re.compile(r"-\.?\d")

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


class _Names(argparse.Action):
    """An option's names; a NAME=VALUE behind them is not one of them."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        setattr(namespace, self.dest, [value for value in values if "=" not in value])
        behind = [value for value in values if "=" in value]
        namespace.behind_names = vars(namespace).get("behind_names", []) + behind


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
        args = _arguments(argv)
        args.run(args)
    except BrokenPipeError:  # the reader of a pipe has seen enough
        sys.stderr.close()
        return 0
    except (ValueError, OSError, ImportError, MemoryError) as error:
        return _fail(str(error))
    except KeyboardInterrupt as interrupt:
        print(f"\ncevns-fast: stopped{f'; {interrupt}' if interrupt.args else ''}", file=sys.stderr)
        return 130
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parsed, and NAME=VALUE found after options too: argparse leaves those over."""
    parser = _parser()
    args, rest = parser.parse_known_args(argv)
    if rest and ("parameters" not in args or any(each.startswith("-") for each in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    rest += vars(args).get("behind_names", [])
    try:
        for each in rest:
            args.parameters.append(parameter(each))
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))
    return args


def _fail(message: str) -> int:
    print(f"cevns-fast: error: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="cevns-fast",
        description="Coherent neutrino-nucleus scattering with new physics: rates, limits, papers.",
        epilog="cevns-fast limit, without arguments, is a good start.",
    )
    parser.add_argument("--version", action="version", version=f"cevns-fast {cf.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    command = _command(commands, "experiments", _experiments, "list the built-in experiments")

    command = _command(commands, "rate", _rate, "counts per bin: Standard Model, new physics and their sum")
    command.add_argument(
        "parameters", nargs="*", metavar="NAME=VALUE", type=parameter,
        help="of the interaction, e.g. m_chi=10 (MeV) a_M=3e-4 C_S=0.01 C_V=0.1,0.2 (u,d) D_P=1e-2j; "
        "none: the Standard Model alone",
    )  # fmt: skip
    command.add_argument(
        "-e", "--experiment", default="coherent-csi-2017", metavar="NAME|TOML", help="default %(default)s"
    )
    _model_options(command)
    _output_options(command, default=None, what="also write rate-EXPERIMENT.csv and .png into DIR")

    command = _command(commands, "limit", _limit, "upper limits on couplings over the mass of the new fermion")
    command.add_argument(
        "parameters", nargs="*", metavar="NAME=VALUE", type=parameter,
        help="of the interaction, all but m_chi and the coupling: other couplings, m_S=10 (MeV), case=A",
    )  # fmt: skip
    _experiments_option(command)
    command.add_argument(
        "-c", "--couplings", nargs="+", action=_Names, metavar="NAME",
        help="default a_M C_S C_V C_T, y_bar or gchi_gq; also a_E D_P D_A, and one quark's as C_S_u",
    )  # fmt: skip
    command.add_argument(
        "--mass-range",
        nargs=2,
        type=float,
        default=[0.1, 53.0],
        metavar=("LOW", "HIGH"),
        help="m_chi, MeV; default 0.1 53",
    )
    command.add_argument("--masses", type=int, default=120, metavar="N", help="how many masses; default %(default)s")
    level = command.add_mutually_exclusive_group()
    level.add_argument("--cl", type=float, help="confidence level, one degree of freedom; default 0.9")
    level.add_argument(
        "--delta-chi2", type=float, metavar="X", help="threshold above the smallest chi2, instead of --cl"
    )
    _model_options(command)
    command.add_argument("--threads", type=int, default=1, metavar="N", help="default %(default)s")
    _output_options(command, default="results", what="where limits-EXPERIMENT.csv and .png go; default %(default)s")

    command = _command(commands, "scan", _scan, "chi2 on a plane of two couplings: allowed regions and best fit")
    command.add_argument("couplings", nargs=2, metavar="NAME", help="the two, e.g. C_S a_M, or C_V_u C_V_d")
    command.add_argument(
        "parameters", nargs="*", metavar="NAME=VALUE", type=parameter,
        help="of the interaction: masses (MeV), which must be given, and other couplings that stay fixed",
    )  # fmt: skip
    _experiments_option(command)
    for axis, which in (("--x", "first"), ("--y", "second")):
        command.add_argument(
            axis, metavar="MIN:MAX[:N]", type=_grid,
            help=f"grid of the {which} coupling; default: around the region allowed at 95%% CL",
        )  # fmt: skip
    command.add_argument(
        "--points", type=int, default=401, metavar="N", help="of a grid that states no N; default %(default)s"
    )
    command.add_argument(
        "--profile", nargs="+", action=_Names, default=[], metavar="NAME",
        help="further couplings, over which chi2 is minimised",
    )  # fmt: skip
    command.add_argument(
        "--phase", action="append", default=[], metavar="NAME=DEGREES", type=parameter,
        help="CP phase of a scanned or profiled coupling; may be repeated",
    )  # fmt: skip
    command.add_argument(
        "--checkpoint", metavar="DIR", help="keep what is finished there; the same command then resumes from it"
    )
    command.add_argument("--workers", type=int, metavar="N", help="default: one for each processor")
    command.add_argument("--processes", action="store_true", help="workers are processes instead of threads")
    _model_options(command)
    _output_options(command, default="results", what="where scan-….nc and .png go; default %(default)s")

    command = _command(commands, "reproduce", _reproduce, "draw a paper's figures and compare its numbers with ours")
    command.add_argument("paper", nargs="?", choices=PAPERS, metavar="PAPER", help=", ".join(PAPERS))
    command.add_argument("--all", action="store_true", help="all papers, with report.html and report.md")
    _output_options(command, default=None, what="where figures and tables go; default results/PAPER, results for all")

    command = _command(
        commands, "c-interface", _c_interface, "write the C header and source that evaluate exported fits"
    )
    _output_options(command, default=".", what="where cevns_fast.h and likelihood.c go; default here")
    return parser


def _command(commands: Any, name: str, run: Any, summary: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=summary[0].upper() + summary[1:]
    )
    command.set_defaults(run=run)
    return command


def _experiments_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-e", "--experiment", nargs="+", default=["coherent-csi-2017"], metavar="NAME|TOML",
        help="default coherent-csi-2017; several are a joint fit",
    )  # fmt: skip


def _model_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--model", default="singlet", metavar="NAME",
        help=f"{', '.join(MODELS)}: the singlet fermion's effective couplings (default), a scalar or a vector mediator",
    )  # fmt: skip
    command.add_argument(
        "--variant", metavar="NAME", help="corrected (default), or published: as the paper has it; singlet and vector"
    )
    command.add_argument(
        "--helicity", metavar="NAME", help="summed (default) over neutrino helicities, or left; singlet only"
    )


def _output_options(command: argparse.ArgumentParser, default: str | None, what: str) -> None:
    command.add_argument("-o", "--output", default=default, metavar="DIR", help=what)
    command.add_argument("--force", action="store_true", help="overwrite files")


def _grid(text: str) -> tuple[float, float, int | None]:
    """MIN:MAX or MIN:MAX:N."""
    try:
        low, high, *points = text.split(":")
        (n,) = map(int, points) if points else (None,)
        return float(low), float(high), n
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: must be MIN:MAX or MIN:MAX:N") from None


def _experiments(args: argparse.Namespace) -> None:
    known = cf.available_experiments()
    width = max(map(len, known))
    for name, description in known.items():
        print(f"{name:{width}}  {description}")


def _rate(args: argparse.Namespace) -> None:
    import numpy as np

    from cevns_fast import output, plotting

    experiment = cf.load(args.experiment)
    paths = _paths(args, f"rate-{experiment.name}") if args.output else None
    edges, observable = experiment.detector.bins, experiment.detector.response.observable
    about = {"bins": observable, "counts": "per bin, without backgrounds"}
    given = fixed_fields(args.model, args.parameters, _options(args))
    new = interaction(args.model, given) if args.parameters else None
    counts = {"Standard Model": cf.event_rate(experiment, cf.StandardModel())}
    if new is not None:
        counts["new physics"] = cf.event_rate(experiment, new, standard_model=False)
        counts["total"] = counts["Standard Model"] + counts["new physics"]
        about["interaction"] = repr(new)
    columns, points = {"low": edges[:-1], "high": edges[1:], **counts}, None
    if experiment.observed is not None:
        statistic = cf.Likelihood(experiment).measurements[0]
        columns["data"] = statistic.data
        about["data"] = "less steady-state and beam-related backgrounds"
        if not statistic.predicts_variance:
            points = ("data less backgrounds", statistic.data, np.sqrt(statistic.variance))
    table = output.Table(columns, {**_provenance([experiment]), **about})
    print(f"{experiment.name}: counts per bin of {observable}")
    print(table.text())
    print("sum: " + ", ".join(f"{name} {np.sum(columns[name]):.4g}" for name in [*columns][2:]))
    if paths is not None:
        _write(args, table, lambda: plotting.histogram(edges, counts, x_label=observable, data=points), paths)


def _limit(args: argparse.Namespace) -> None:
    from cevns_fast import output, plotting
    from cevns_fast.mass_scan import mass_grid, mass_scan
    from cevns_fast.statistics import threshold

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
    table = output.Table({"m_chi": masses, **found}, {**_provenance(experiments), **about})
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
    from cevns_fast import output, plotting

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
    table = output.Table({
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
    output.write(png, plotting.png(plotting.scan_plane(scan, title=title)), overwrite=args.force)
    print(f"written: {netcdf}, {png}")


def _grids(
    args: argparse.Namespace, experiments: Sequence[Any], new: "Interaction", phases: Mapping[str, complex]
) -> list[Any]:
    """Those that are given; the others around the allowed region."""
    import numpy as np

    given = [args.x, args.y]
    if None in given:
        from cevns_fast.plane_range import plane_range

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
    from cevns_fast import papers, plotting
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
    from cevns_fast import c_interface

    paths = c_interface.write_c_interface(args.output, overwrite=args.force)
    print("written: " + ", ".join(map(str, paths)))
    print(f"compile: {c_interface.COMPILE}")


def _options(args: argparse.Namespace) -> dict[str, str | None]:
    """Fields of an interaction that have options of their own."""
    return {"variant": args.variant, "helicity": args.helicity}


def _given(args: argparse.Namespace) -> list[str]:
    """NAME=VALUE, but for the mass of the new fermion, for a figure."""
    from cevns_fast import plotting

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
    from cevns_fast import output

    stem = re.sub(r"[^\w.+=-]", "_", stem)
    data, png = (Path(args.output) / f"{stem}{suffix}" for suffix in (numbers, ".png"))
    output.refuse_existing((data, png), overwrite=args.force)
    return data, png


def _write(args: argparse.Namespace, table: Any, draw: Any, paths: tuple[Path, Path]) -> None:
    """Write table and figure, and say where."""
    from cevns_fast import output, plotting

    csv, png = paths
    output.write(csv, table.csv(), overwrite=args.force)
    if not plotting.available():
        print(f"written: {csv}; {_NO_PLOT}")
        return
    output.write(png, plotting.png(draw()), overwrite=args.force)
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


if __name__ == "__main__":
    sys.exit(main())
