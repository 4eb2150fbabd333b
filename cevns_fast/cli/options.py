"""What each command takes: its arguments, with their help. Only argparse is imported for it."""

import argparse
from collections.abc import Callable
from typing import Any, Final

from cevns_fast.cli.models import EXPLORED, MODELS, parameter
from cevns_fast.papers import PAPERS, PUBLIC_DATA


class _Names(argparse.Action):
    """An option's names; a NAME=VALUE behind them is not one of them."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        setattr(namespace, self.dest, [value for value in values if "=" not in value])
        behind = [value for value in values if "=" in value]
        namespace.behind_names = vars(namespace).get("behind_names", []) + behind


def experiments(command: argparse.ArgumentParser) -> None:
    """How much of what is built in."""
    command.add_argument("--brief", action="store_true", help="names and descriptions alone")


def rate(command: argparse.ArgumentParser) -> None:
    """Of one experiment, with an interaction or without."""
    command.add_argument(
        "parameters", nargs="*", metavar="NAME=VALUE", type=parameter,
        help="of the interaction, e.g. m_chi=10 (MeV) a_M=3e-4 C_S=0.01 C_V=0.1,0.2 (u,d) D_P=1e-2j; "
        "none: the Standard Model alone",
    )  # fmt: skip
    command.add_argument(
        "-e", "--experiment", default="coherent-csi-2017", metavar="NAME|TOML", help="default %(default)s"
    )
    _model_options(command)
    command.add_argument(
        "--target", choices=("all", "nuclei", "electrons"), default="all",
        help="what recoils; electrons where the experiment's file has an electron_response; default %(default)s",
    )  # fmt: skip
    command.add_argument(
        "--axis", choices=("observable", "time", "release", "all"), default="observable",
        help="print bins of this axis, with counts summed over the others, or all bins (default: observable)",
    )  # fmt: skip
    _output_options(command, default=None, what="also write rate-EXPERIMENT.csv and the figure into DIR", figure=True)


def limit(command: argparse.ArgumentParser) -> None:
    """Which couplings, over which masses, at which level."""
    command.add_argument(
        "parameters", nargs="*", metavar="NAME=VALUE", type=parameter,
        help="of the interaction, all but the mass and the coupling: other couplings, m_S=10 (MeV), case=A",
    )  # fmt: skip
    _experiments_option(command)
    command.add_argument(
        "-c", "--couplings", nargs="+", action=_Names, metavar="NAME",
        help="default a_M C_S C_V C_T, y_bar, gchi_gq, g, or the model's; also a_E D_P D_A, and one quark's as C_S_u",
    )  # fmt: skip
    command.add_argument(
        "--mass", metavar="NAME",
        help="the mass that varies: default m_chi or m_zprime; m_S for a scalar between massless neutrinos (m_chi=0)",
    )  # fmt: skip
    command.add_argument(
        "--mass-range",
        nargs=2,
        type=float,
        default=[0.1, 53.0],
        metavar=("LOW", "HIGH"),
        help="of that mass, MeV; default 0.1 53",
    )
    command.add_argument("--masses", type=int, default=120, metavar="N", help="how many masses; default %(default)s")
    level = command.add_mutually_exclusive_group()
    level.add_argument("--cl", type=float, help="confidence level, one degree of freedom; default 0.9")
    level.add_argument(
        "--delta-chi2", type=float, metavar="X", help="threshold above the smallest chi2, instead of --cl"
    )
    _model_options(command)
    _curve_options(command, "limits-EXPERIMENT.csv")


def scan(command: argparse.ArgumentParser) -> None:
    """Which plane, on which grid, and who computes it."""
    command.add_argument(
        "couplings", nargs=2, metavar="NAME", help="the two, e.g. C_S a_M, or C_V_u C_V_d, or m_chi a_M"
    )
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
    command.add_argument("--points", type=int, metavar="N", help="of a grid that states no N; default 401")
    command.add_argument(
        "--profile", nargs="+", action=_Names, default=[], metavar="NAME",
        help="further couplings, over which chi2 is minimised",
    )  # fmt: skip
    command.add_argument(
        "--phase", action="append", default=[], metavar="NAME=DEGREES", type=parameter,
        help="CP phase of a scanned or profiled coupling; may be repeated",
    )  # fmt: skip
    command.add_argument(
        "--minimum", choices=["anywhere", "grid"], default="anywhere",
        help="what Delta chi2 is above: the best fit, also outside the grid (default), or the grid's lowest point",
    )  # fmt: skip
    command.add_argument(
        "--feldman-cousins", action="store_true",
        help="confidence by toys, also where Wilks' theorem fails; grids of 50 points by default",
    )  # fmt: skip
    command.add_argument("--toys", type=int, default=2000, metavar="N", help="near the contour; default %(default)s")
    command.add_argument("--seed", type=int, default=0, metavar="N", help="of the toys; default %(default)s")
    command.add_argument(
        "--checkpoint", metavar="DIR", help="keep what is finished there; the same command then resumes from it"
    )
    command.add_argument("--workers", type=int, metavar="N", help="default: one for each processor")
    command.add_argument("--processes", action="store_true", help="workers are processes instead of threads")
    _model_options(command)
    _output_options(
        command, default="results", what="where scan-….nc and the figure go; default %(default)s", figure=True
    )


def dark_matter(command: argparse.ArgumentParser) -> None:
    """Which plane, and what χ is."""
    command.add_argument(
        "--model", default="scalar", metavar="NAME", help="scalar (default), a mediator S, or dipole, a magnetic moment"
    )
    command.add_argument(
        "-e", "--experiment", nargs="+", default=[], metavar="NAME|TOML", help="default: all that have data"
    )
    command.add_argument("--ratio", type=float, default=3.0, metavar="X", help="m_S over m_chi; default %(default)s")
    command.add_argument(
        "--reading", default="majorana", metavar="NAME",
        help="what chi is: dirac, majorana (default), majorana-lepton-conserving or dirac-pair",
    )  # fmt: skip
    command.add_argument(
        "--mass-range", nargs=2, type=float, default=[0.3, 60.0], metavar=("LOW", "HIGH"),
        help="m_chi, MeV; default 0.3 60",
    )  # fmt: skip
    command.add_argument("--masses", type=int, default=120, metavar="N", help="how many masses; default %(default)s")
    _curve_options(command, "dark-matter-MODEL.csv")


def reproduce(command: argparse.ArgumentParser) -> None:
    """Which paper."""
    choices = (*PAPERS, PUBLIC_DATA)
    command.add_argument(
        "paper", nargs="?", choices=choices, metavar="PAPER", help=f"{', '.join(PAPERS)}, or data: all public data"
    )
    command.add_argument("--all", action="store_true", help="all papers, with report.html and report.md")
    _output_options(command, default=None, what="where figures and tables go; default results/PAPER, results for all")


def explore(command: argparse.ArgumentParser) -> None:
    """What the page holds."""
    command.add_argument(
        "parameters", nargs="*", metavar="NAME=VALUE", type=parameter,
        help="of the interaction, if there is one: what stays, charges=B-L, or steps of a mediator's mass, m_S=3,10,30",
    )  # fmt: skip
    command.add_argument(
        "-e", "--experiment", nargs="+", action=_Names, metavar="NAME|TOML",
        default=["coherent-csi-2017", "conusplus-2025"],
        help="what can be chosen, alone or together; default coherent-csi-2017 conusplus-2025",
    )  # fmt: skip
    command.add_argument(
        "--model", nargs="+", action=_Names, metavar="NAME", default=["singlet", "scalar", "light-vector", "nsi"],
        help=f"some of {', '.join(EXPLORED)}; default singlet scalar light-vector nsi",
    )  # fmt: skip
    command.add_argument("-o", "--output", default="explorer.html", metavar="FILE", help="default %(default)s")
    command.add_argument("--force", action="store_true", help="overwrite the file")


def c_interface(command: argparse.ArgumentParser) -> None:
    """Where to."""
    _output_options(command, default=".", what="where the headers and sources go; default here")


def popxf(command: argparse.ArgumentParser) -> None:
    """Which observables as functions of what."""
    command.add_argument(
        "parameters", nargs="*", metavar="NAME=VALUE", type=parameter,
        help="of the interaction, all but the couplings: m_chi=10 (MeV), m_S=10",
    )  # fmt: skip
    _experiments_option(command)
    command.add_argument(
        "-c", "--couplings", nargs="+", action=_Names, metavar="NAME", help="the file's parameters; default the model's"
    )
    command.add_argument(
        "--complex", nargs="+", action=_Names, default=[], metavar="NAME",
        help="couplings whose imaginary parts are parameters as well",
    )  # fmt: skip
    command.add_argument(
        "--basis", default="couplings", metavar="NAME",
        help="couplings (default), or WET-3: Wilson coefficients of WCxf (JMS) that nsi is made of",
    )  # fmt: skip
    command.add_argument("--uncertainties", action="store_true", help="what nuisances add to each coefficient as well")
    _model_options(command)
    _output_options(command, default=".", what="where popxf-….json and measurements-….json go; default here")


def completion(command: argparse.ArgumentParser) -> None:
    """Which shell."""
    command.add_argument("shell", choices=("bash", "zsh", "fish"), help='eval "$(cevns-fast completion bash)"')


def _experiments_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-e", "--experiment", nargs="+", default=["coherent-csi-2017"], metavar="NAME|TOML",
        help="default coherent-csi-2017; several are a joint fit",
    )  # fmt: skip


def _model_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--model", default="singlet", metavar="NAME",
        help=f"{', '.join(MODELS)}; default singlet, a singlet fermion's effective couplings; electron needs an "
        "experiment that counts electrons",
    )  # fmt: skip
    command.add_argument(
        "--variant", metavar="NAME", help="corrected (default), or published: as the paper has it; singlet and vector"
    )
    command.add_argument(
        "--helicity", metavar="NAME", help="summed (default) over neutrino helicities, or left; singlet only"
    )

    command.add_argument(
        "--sterile", type=_listed, metavar="NAME=VALUE,…",
        help="a sterile neutrino (3+1) on the way: delta_m2 (eV²), Ue4_sq, Umu4_sq, Utau4_sq, distance (m)",
    )  # fmt: skip
    command.add_argument(
        "--non-unitary", type=_listed, metavar="NAME=VALUE,…",
        help="mixing that is not unitary: e1, e2, … tau3 where they are not of the unit matrix; normalised=true, "
        "from_muon_decay=true",
    )  # fmt: skip


def _listed(text: str) -> dict[str, Any]:
    """Several of NAME=VALUE."""
    return dict(parameter(each) for each in text.split(","))


def _curve_options(command: argparse.ArgumentParser, table: str) -> None:
    """Who computes curves over masses, and where their table and the figure go."""
    command.add_argument("--threads", type=int, default=1, metavar="N", help="default %(default)s")
    what = f"where {table} and the figure go; default %(default)s"
    _output_options(command, default="results", what=what, figure=True)


def _output_options(command: argparse.ArgumentParser, default: str | None, what: str, *, figure: bool = False) -> None:
    command.add_argument("-o", "--output", default=default, metavar="DIR", help=what)
    command.add_argument("--force", action="store_true", help="overwrite files")
    if figure:
        command.add_argument(
            "--format", choices=("png", "pdf", "svg"), default="png", help="of the figure; default %(default)s"
        )


def _grid(text: str) -> tuple[float, float, int | None]:
    """MIN:MAX or MIN:MAX:N."""
    try:
        low, high, *points = text.split(":")
        (n,) = map(int, points) if points else (None,)
        return float(low), float(high), n
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: must be MIN:MAX or MIN:MAX:N") from None


Adds = Callable[[argparse.ArgumentParser], None]
#: What it is for, and what adds its arguments.
COMMANDS: Final[dict[str, tuple[str, Adds]]] = {
    "experiments": ("the built-in experiments, and what is found in them", experiments),
    "rate": ("counts per bin: Standard Model, new physics and their sum", rate),
    "limit": ("upper limits on couplings over the mass of the new fermion", limit),
    "scan": ("chi2 on a plane of two couplings: allowed regions and best fit", scan),
    "dark-matter": ("mass and coupling of chi: recoils, relic density, seesaw, stability", dark_matter),
    "reproduce": ("draw a paper's figures and compare its numbers with ours", reproduce),
    "explore": ("write a page in which likelihoods can be explored, without a server", explore),
    "c-interface": ("write the C header and source that evaluate exported fits", c_interface),
    "popxf": ("counts as polynomials in couplings, and the data, for smelli and jelli", popxf),
    "completion": ("print what lets a shell complete commands, options and names", completion),
}
