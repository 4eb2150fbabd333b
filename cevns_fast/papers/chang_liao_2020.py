"""Chang & Liao 2020 (CL), a singlet fermion χ in νN → χN: Fig. 2, Fig. 3 and Eqs. (17)–(20).

Everything here is as published: the dipole prefactor s_W M_W, both helicities, one coupling at a time.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cevns_fast import plotting
from cevns_fast.constants import KEV
from cevns_fast.cross_sections import differential_cross_section
from cevns_fast.experiments import load
from cevns_fast.interactions.process import Interaction
from cevns_fast.interactions.singlet_eft import SingletEFT
from cevns_fast.interactions.standard_model import StandardModel
from cevns_fast.mass_scan import heaviest_mass, mass_grid, mass_scan
from cevns_fast.nuclei import nuclide
from cevns_fast.output import Table
from cevns_fast.papers import PAPERS
from cevns_fast.papers.report import Paper, PaperFigure, PrintedNumber
from cevns_fast.plotting import Curve, coupling_symbol
from cevns_fast.sources import MUON_ENDPOINT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COUPLINGS = ("a_M", "C_S", "C_V", "C_T")

# --- Fig. 2: dσ/dT on Cs-133 ---------------------------------------------------------------

FIG2_M_CHI, FIG2_E = 40.0, MUON_ENDPOINT  # MeV
FIG2_CURVES: dict[str, tuple[str, Interaction]] = {
    "standard_model": ("Standard Model", StandardModel()),
    "a_M": (r"$a_M = 10^{-4}$", SingletEFT(FIG2_M_CHI, a_M=1e-4, variant="published")),
    "C_S": (r"$C_S = 10^{-2}$", SingletEFT(FIG2_M_CHI, C_S=1e-2, variant="published")),
    "C_V": (r"$C_V = 0.1$", SingletEFT(FIG2_M_CHI, C_V=0.1, variant="published")),
    "C_T": (r"$C_T = 0.1$", SingletEFT(FIG2_M_CHI, C_T=0.1, variant="published")),
}


def dipole_peak(m_chi: float, E: float, M: float) -> float:
    """Recoil energy (MeV) at which dσ/dT of the dipole peaks, without form factor: CL Eq. (8).

    It lies inside the allowed range for E > 1.029 m_χ.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> round(1000 * dipole_peak(40.0, 53.0, cf.nuclide("Cs133").mass), 2)  # keV
    2.15
    """
    m2, E2 = m_chi**2, E**2
    slope = 1 - m2 / (4 * E2) - m2 / (2 * M * E) + m2**2 / (8 * M**2 * E2)
    return m2**2 / (4 * M * E2) / slope


def fig2() -> Table:
    """Differential cross sections on Cs-133 for m_χ = 40 MeV and E = m_μ/2."""
    T = np.geomspace(0.1, 60.0, 1200)  # keV
    columns = {"T": T.tolist()}
    for name, (_, interaction) in FIG2_CURVES.items():
        per_MeV = differential_cross_section(interaction, nuclide("Cs133"), FIG2_E, T * KEV)
        columns[name] = (np.asarray(per_MeV) * KEV).tolist()
    peak = dipole_peak(FIG2_M_CHI, FIG2_E, nuclide("Cs133").mass) / KEV
    about = {
        "figure": f"{PAPERS['chang-liao-2020']}, Fig. 2",
        "columns": "T [keV]; dsigma/dT on Cs-133 with Helm form factor [cm^2/keV], 0 where it is forbidden",
        "interaction": f"m_chi = {FIG2_M_CHI:g} MeV, E = {FIG2_E:.4f} MeV, published variant, "
        + "both helicities; a_M = 1e-4, C_S = 1e-2, C_V = 0.1, C_T = 0.1, one at a time",
        "T_peak of Eq. (8)": f"{peak:.4f} keV",
    }
    return Table(columns, about)


def draw_fig2(table: Table) -> "Figure":
    """Five curves, and the dipole's peak."""
    T = np.array(table.columns["T"], dtype=float)
    peak = dipole_peak(FIG2_M_CHI, FIG2_E, nuclide("Cs133").mass) / KEV
    curves = [
        Curve(label, T, np.array(table.columns[name], dtype=float), look)
        for look, (name, (label, _)) in enumerate(FIG2_CURVES.items())
    ]
    return plotting.lines(
        curves,
        x_label=r"recoil energy $T$  [keV]",
        y_label=r"$\mathrm{d}\sigma/\mathrm{d}T$  [cm$^2$/keV]",
        x_range=(0.4, 60.0),
        y_range=(3e-43, 6e-39),
        title=r"$^{133}$Cs, $m_\chi = 40$ MeV, $E = m_\mu/2$",
        marked=(peak, float(np.interp(peak, T, curves[1].y)), r"$T_\mathrm{peak}$"),  # type: ignore[arg-type]
    )


# --- Fig. 3 and Eqs. (17)–(20): bounds -------------------------------------------------------


class Setup(NamedTuple):
    """An experiment of the paper: how it calls it, how we do, and how Fig. 3 draws it."""

    name: str
    experiment: str
    label: str
    look: int
    filled: bool


class Bound(NamedTuple):
    """One cell of Eqs. (17)–(20): the bound on the coupling squared as printed, and why ours differs."""

    equation: str
    coupling: str
    setup: str
    printed: str
    reason: str


SETUPS = (Setup("COHERENT", "coherent-csi-2017", "COHERENT CsI, 90% CL", 0, filled=True),)

BOUNDS = (
    Bound("(17)", "a_M", "COHERENT", "7.2e-8", "0.96 with the dipole prefactor e v_H/2 in place of s_W M_W"),
    Bound(
        "(18)", "C_S", "COHERENT", "4.5e-4",
        "no common choice of conventions gives it and the other three; with half the rate (left-handed beam) "
        "it is 1.08, but those are then about twice too weak: probably a slip of the paper",
    ),
    Bound("(19)", "C_V", "COHERENT", "1.1e-2", ""),
    Bound("(20)", "C_T", "COHERENT", "7.9e-2", ""),
)  # fmt: skip

LIGHT = 0.1  # MeV; the paper states its bounds for m_χ ≲ 0.5 MeV, where they are flat


def fig3() -> Table:
    """Bounds at 90% CL over m_χ, one coupling at a time."""
    experiments = [load(setup.experiment) for setup in SETUPS]
    masses = mass_grid(experiments, 0.1, 60.0, 160)
    columns = {"m_chi": masses.tolist()}
    for setup, experiment in zip(SETUPS, experiments, strict=True):
        batch = [SingletEFT(m, variant="published") for m in masses.tolist()]
        for coupling, upper in mass_scan([experiment], batch, COUPLINGS, cl=0.90).items():
            columns[f"{setup.name} {coupling}"] = upper.tolist()
    about = {
        "figure": f"{PAPERS['chang-liao-2020']}, Fig. 3",
        "columns": "m_chi [MeV]; largest allowed |coupling| at 90% CL (1 d.o.f.), inf: no bound",
        "interaction": "published variant, both helicities, one coupling at a time, equal for u and d",
        **{setup.name: f"{setup.experiment}: {e.citation}" for setup, e in zip(SETUPS, experiments, strict=True)},
    }
    return Table(columns, about)


def draw_fig3(table: Table) -> "Figure":
    """Four panels, the excluded region shaded."""
    masses = np.array(table.columns["m_chi"], dtype=float)
    panels = {
        coupling_symbol(coupling): [
            Curve(
                s.label,
                masses,
                np.array(table.columns[f"{s.name} {coupling}"], dtype=float),
                s.look,
                s.filled,
            )
            for s in SETUPS
        ]
        for coupling in COUPLINGS
    }
    return plotting.limit_panels(panels, x_range=(0.1, 60.0))


def _light_bounds() -> dict[tuple[str, str], float]:
    """Bounds on the couplings squared for a light χ, by set-up and coupling."""
    light = [SingletEFT(LIGHT, variant="published")]
    return {
        (setup.name, coupling): float(upper[0]) ** 2
        for setup in SETUPS
        for coupling, upper in mass_scan([load(setup.experiment)], light, COUPLINGS, cl=0.90).items()
    }


def numbers() -> list[PrintedNumber]:
    """Eqs. (8), (14) and (17)–(20)."""
    ours = _light_bounds()
    peak = dipole_peak(FIG2_M_CHI, FIG2_E, nuclide("Cs133").mass) / KEV
    heaviest = heaviest_mass([load("coherent-csi-2017")])
    return [
        PrintedNumber("(8)", "T_peak [keV]", "Fig. 2", "2", peak),
        PrintedNumber("(14)", "largest m_chi [MeV]", "COHERENT", "53", heaviest),
        *(
            PrintedNumber(b.equation, f"|{b.coupling}|^2", b.setup, b.printed, ours[b.setup, b.coupling], b.reason)
            for b in BOUNDS
        ),
    ]


PAPER = Paper(
    citation=PAPERS["chang-liao-2020"],
    figures=(PaperFigure("fig2", fig2, draw_fig2), PaperFigure("fig3", fig3, draw_fig3)),
    numbers=numbers,
)
