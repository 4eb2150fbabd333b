"""Figs. 2–4 of Chang & Liao 2020 (CL): cross sections, bounds and correlations of four couplings.

Everything here is as published: the dipole prefactor s_W M_W, both helicities, no interference of the vector.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cevns_fast._validate import Floats
from cevns_fast.constants import KEV
from cevns_fast.counts.spectrum import differential_cross_section
from cevns_fast.experiments.built_in import load
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.experiments.sources import MUON_ENDPOINT, PION_LINE
from cevns_fast.inference.correlation import correlation_scan
from cevns_fast.inference.mass_scan import heaviest_mass, mass_grid, mass_scan
from cevns_fast.inference.scan_result import Scan
from cevns_fast.interactions.process import Interaction
from cevns_fast.interactions.singlet_eft import SingletEFT
from cevns_fast.interactions.standard_model import StandardModel
from cevns_fast.nuclear.nuclei import nuclide
from cevns_fast.output import plotting
from cevns_fast.output.drawing import CouplingPlane, Curve, Look, Region, coupling_symbol
from cevns_fast.output.tables import Sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CITATION = "W.-F. Chang and J. Liao, Phys. Rev. D 102 (2020) 075004, arXiv:2002.10275"
LIGHT = 0.1  # MeV; the paper states its bounds for m_χ ≲ 0.5 MeV, where they are flat
COUPLINGS = ("a_M", "C_S", "C_V", "C_T")
COUPLING_LOOKS = {"a_M": 1, "C_S": 3, "C_V": 2, "C_T": 4}  # dashed, dotted, dash-dotted, dash-dot-dotted: Fig. 2

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


def fig2() -> Sheet:
    """Differential cross sections on Cs-133 for m_χ = 40 MeV and E = m_μ/2."""
    T = np.geomspace(0.1, 60.0, 1200)  # keV
    columns = {"T": T.tolist()}
    for name, (_, interaction) in FIG2_CURVES.items():
        per_MeV = differential_cross_section(interaction, nuclide("Cs133"), FIG2_E, T * KEV)
        columns[name] = (np.asarray(per_MeV) * KEV).tolist()
    peak = dipole_peak(FIG2_M_CHI, FIG2_E, nuclide("Cs133").mass) / KEV
    about = {
        "figure": f"{CITATION}, Fig. 2",
        "columns": "T [keV]; dsigma/dT on Cs-133 with Helm form factor [cm^2/keV], 0 where it is forbidden",
        "interaction": f"m_chi = {FIG2_M_CHI:g} MeV, E = {FIG2_E:.4f} MeV, published variant, "
        + "both helicities; a_M = 1e-4, C_S = 1e-2, C_V = 0.1, C_T = 0.1, one at a time",
        "T_peak of Eq. (8)": f"{peak:.4f} keV",
    }
    return Sheet(columns, about)


def draw_fig2(table: Sheet) -> "Figure":
    """Five curves, and the dipole's peak."""
    T = table.numbers("T")
    peak = dipole_peak(FIG2_M_CHI, FIG2_E, nuclide("Cs133").mass) / KEV
    curves = [
        Curve(label, T, table.numbers(name), COUPLING_LOOKS.get(name, 0)) for name, (label, _) in FIG2_CURVES.items()
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


# --- Fig. 3: bounds ------------------------------------------------------------------------------


class Setup(NamedTuple):
    """An experiment of the paper: how we call it, and how the figures draw it, after the paper's captions."""

    experiment: str
    label: str
    look: Look
    filled: bool = False
    changes: Mapping[str, str] = {}

    def load(self) -> Experiment:
        """The experiment."""
        return load(self.experiment).replace(**self.changes)


SETUPS = {
    "COHERENT": Setup("coherent-csi-2017", "COHERENT CsI", ("#000000", "solid"), filled=True),
    "future COHERENT": Setup("coherent-lar-610kg", "future COHERENT LAr", ("#0072B2", "dashed")),
    "future CONUS": Setup("conus-100kg", "future CONUS", ("#D55E00", (0, (1, 1.2)))),
}


def fig3() -> Sheet:
    """Bounds at 90% CL over m_χ, one coupling at a time; each experiment has masses up to the heaviest it produces."""
    columns: dict[str, list[str | float]] = {name: [] for name in ("experiment", "m_chi", *COUPLINGS)}
    about = {
        "figure": f"{CITATION}, Fig. 3",
        "columns": "experiment; m_chi [MeV]; largest allowed |coupling| at 90% CL (1 d.o.f.), inf: no bound",
        "interaction": "published variant, both helicities, one coupling at a time, equal for u and d",
    }
    for name, setup in SETUPS.items():
        experiment = setup.load()
        masses = _masses(experiment)
        columns["experiment"] += [name] * masses.size
        columns["m_chi"] += masses.tolist()
        batch = [SingletEFT(m, variant="published") for m in masses.tolist()]
        for coupling, upper in mass_scan([experiment], batch, COUPLINGS, cl=0.90).items():
            columns[coupling] += upper.tolist()
        about[name] = f"{experiment.name}: {experiment.citation}"
    return Sheet(columns, about)


def _masses(experiment: Experiment, low: float = 0.1) -> Floats:
    """Dense enough for the kinks: 0.04 MeV apart for CONUS, 0.3 MeV for COHERENT."""
    return mass_grid([experiment], low, 1.0001 * heaviest_mass([experiment]), 400)


def draw_fig3(table: Sheet) -> "Figure":
    """Four panels, the excluded region shaded."""
    names, masses = np.array(table.columns["experiment"]), table.numbers("m_chi")

    def curve(name: str, coupling: str) -> Curve:
        setup, mine = SETUPS[name], names == name
        return Curve(setup.label, masses[mine], table.numbers(coupling)[mine], setup.look, setup.filled)

    panels = {coupling_symbol(coupling): [curve(name, coupling) for name in SETUPS] for coupling in COUPLINGS}
    return plotting.limit_panels(panels, x_range=(0.1, 70.0), guides=ends(), title="90% CL, one coupling at a time")


def ends() -> dict[str, float]:
    """The heaviest χ (MeV) of the ν_μ line and of all of COHERENT, which figures mark."""
    return {f"{mass:.1f}": mass for mass in (PION_LINE, heaviest_mass([load("coherent-csi-2017")]))}


# --- Fig. 4: correlations ------------------------------------------------------------------------

FIG4_M_CHI = 40.0  # MeV
FIG4_DELTA_CHI2 = 4.61  # 90% CL for two degrees of freedom
FIG4_SETUPS = ("COHERENT", "future COHERENT")  # CONUS produces nothing so heavy
# Planes, and how far the grids reach.
FIG4_PLANES: dict[tuple[str, str], tuple[float, float]] = {
    ("C_S", "a_M"): (0.05, 1e-3),
    ("C_T", "a_M"): (0.8, 1e-3),
    ("C_S", "C_T"): (0.05, 0.8),
}


def fig4_scan(setup: str, plane: tuple[str, str], points: int = 401) -> Scan:
    """χ² on a plane of Fig. 4."""
    x, y = (np.linspace(-reach, reach, points) for reach in FIG4_PLANES[plane])
    eft = SingletEFT(FIG4_M_CHI, variant="published")
    return correlation_scan(SETUPS[setup].load(), eft, plane, x, y)


def fig4() -> Sheet:
    """Boundaries of the allowed regions as closed lines, one after another."""
    columns: dict[str, list[str | float]] = {"plane": [], "experiment": [], "x": [], "y": []}
    about = {
        "figure": f"{CITATION}, Fig. 4",
        "columns": "plane (x, y); experiment; couplings on the boundary of the allowed region",
        "interaction": f"m_chi = {FIG4_M_CHI:g} MeV, published variant, real couplings, equal for u and d",
        "threshold": f"Delta chi2 = {FIG4_DELTA_CHI2} (90% CL, 2 d.o.f.)",
    }
    for plane in FIG4_PLANES:
        name = ", ".join(plane)
        for setup in FIG4_SETUPS:
            scan = fig4_scan(setup, plane)
            (ring,) = scan.contours(delta_chi2=FIG4_DELTA_CHI2).rings
            columns["plane"] += [name] * len(ring.points)
            columns["experiment"] += [setup] * len(ring.points)
            columns["x"] += ring.points[:, 0].tolist()
            columns["y"] += ring.points[:, 1].tolist()
            correlation = scan.correlation(delta_chi2=FIG4_DELTA_CHI2)
            about[f"correlation of {name}, {setup}"] = f"{correlation:.4f}" if abs(correlation) > 5e-5 else "0"
    return Sheet(columns, about)


def draw_fig4(table: Sheet) -> "Figure":
    """Three planes that share axes: CsI shaded, LAr dashed."""
    which = np.array([table.columns["plane"], table.columns["experiment"]])
    ring = np.stack([table.numbers("x"), table.numbers("y")], axis=1)
    contents: list[CouplingPlane | None] = []
    for plane, reach in FIG4_PLANES.items():
        regions = []
        for name in FIG4_SETUPS:
            setup, mine = SETUPS[name], np.all(which.T == (", ".join(plane), name), axis=1)
            regions.append(Region(setup.label, [ring[mine]], setup.look, "0.85" if setup.filled else None))
        x, y = (coupling_symbol(coupling, signed=True) for coupling in plane)
        contents.append(CouplingPlane(x, y, (-reach[0], reach[0]), (-reach[1], reach[1]), regions))
    contents.append(None)
    return plotting.planes([contents[:2], contents[2:]], title=rf"90% CL, $m_\chi = {FIG4_M_CHI:g}$ MeV")
