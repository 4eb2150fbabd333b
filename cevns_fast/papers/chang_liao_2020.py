"""Chang & Liao 2020 (CL), a singlet fermion χ in νN → χN: Figs. 2–4, Eqs. (17)–(20) and the CONUS dipole's kink.

Everything here is as published: the dipole prefactor s_W M_W, both helicities, no interference of the vector.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cevns_fast import plotting
from cevns_fast._validate import Floats
from cevns_fast.constants import KEV
from cevns_fast.cross_sections import differential_cross_section
from cevns_fast.experiments import Experiment, load
from cevns_fast.interactions.process import Interaction
from cevns_fast.interactions.singlet_eft import SingletEFT
from cevns_fast.interactions.standard_model import StandardModel
from cevns_fast.likelihood import Likelihood
from cevns_fast.mass_scan import heaviest_mass, mass_grid, mass_scan
from cevns_fast.nuclei import nuclide
from cevns_fast.output import Table
from cevns_fast.papers.report import Paper, PaperFigure, PrintedNumber
from cevns_fast.plotting import LOOKS, Curve, Look, Panel, Plane, Region, coupling_symbol
from cevns_fast.rates import event_rate
from cevns_fast.scan_result import Scan
from cevns_fast.scans import correlation_scan
from cevns_fast.sources import MUON_ENDPOINT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CITATION = "W.-F. Chang and J. Liao, Phys. Rev. D 102 (2020) 075004, arXiv:2002.10275"
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
        "figure": f"{CITATION}, Fig. 2",
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


def fig3() -> Table:
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
    return Table(columns, about)


def _masses(experiment: Experiment, low: float = 0.1) -> Floats:
    """Dense enough for the kinks: 0.04 MeV apart for CONUS, 0.3 MeV for COHERENT."""
    return mass_grid([experiment], low, 1.0001 * heaviest_mass([experiment]), 400)


def draw_fig3(table: Table) -> "Figure":
    """Four panels, the excluded region shaded."""
    names, masses = np.array(table.columns["experiment"]), _column(table, "m_chi")

    def curve(name: str, coupling: str) -> Curve:
        setup, mine = SETUPS[name], names == name
        return Curve(setup.label, masses[mine], _column(table, coupling)[mine], setup.look, setup.filled)

    panels = {coupling_symbol(coupling): [curve(name, coupling) for name in SETUPS] for coupling in COUPLINGS}
    return plotting.limit_panels(panels, x_range=(0.1, 60.0))


# --- the kink of the CONUS dipole bound ----------------------------------------------------------

KINK_CURVES = {"a_M": ("dipole", LOOKS[1]), "C_S": ("scalar", LOOKS[5]), "C_V": ("vector", LOOKS[2])}


def unlike_the_standard_model(experiment: Experiment, interactions: list[SingletEFT]) -> Floats:
    """Share of a signal that no change of the Standard Model's normalisation can imitate: sin of the angle between
    the two templates, in units of the statistical errors.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> signals = [cf.SingletEFT(m, a_M=1e-6) for m in (0.0, 3.8)]
    >>> unlike_the_standard_model(cf.load("conus-100kg"), signals).round(3).tolist()
    [0.264, 0.022]
    """
    errors = np.sqrt(Likelihood(experiment).statistics[0].variance)
    weak = event_rate(experiment, StandardModel()) / errors
    weak /= np.linalg.norm(weak)
    new = event_rate(experiment, interactions, standard_model=False) / errors
    return np.asarray(np.linalg.norm(new - np.outer(new @ weak, weak), axis=1) / np.linalg.norm(new, axis=1))


def kink() -> Table:
    """Bounds on the dipole with and without the flux's uncertainty, and what of a signal differs from the SM."""
    conus = SETUPS["future CONUS"].load()
    masses = np.concatenate([np.geomspace(0.5, 2.0, 40, endpoint=False), np.linspace(2.0, 7.9, 237)])
    batch = [SingletEFT(m, variant="published") for m in masses.tolist()]
    columns = {"m_chi": masses}
    for sigma in (conus.signal_uncertainty, 0.0):
        known = conus.replace(signal_uncertainty=sigma)
        columns[f"a_M sigma_alpha={sigma:g}"] = mass_scan([known], batch, ["a_M"], cl=0.90)["a_M"]
    for coupling in KINK_CURVES:
        signals = [each.replace(**{coupling: 1e-6}) for each in batch]
        columns[f"unlike {coupling}"] = unlike_the_standard_model(conus, signals)
    about = {
        "figure": f"the kink near 4 MeV in the CONUS panel of {CITATION}, Fig. 3",
        "cause": "the paper names a cancellation in the cross section, but with a flux known exactly the bound is "
        "smooth. Near 3.8 MeV the dipole's spectrum has the Standard Model's shape, and the 5% uncertainty of the "
        "flux absorbs it",
        "columns": "m_chi [MeV]; largest allowed |a_M| at 90% CL with an uncertainty sigma_alpha of the flux; "
        "share of a signal that no change of the Standard Model's normalisation can imitate, for each coupling",
    }
    return Table(columns, about)


def draw_kink(table: Table) -> "Figure":
    """Bounds on the left, the share on the right."""
    masses, flux = _column(table, "m_chi"), SETUPS["future CONUS"].load().signal_uncertainty
    bounds = [
        Curve(rf"$\sigma_\alpha = {100 * flux:g}\%$", masses, _column(table, f"a_M sigma_alpha={flux:g}"), 1),
        Curve(r"$\sigma_\alpha \to 0$", masses, _column(table, "a_M sigma_alpha=0"), 0),
    ]
    shares = [
        Curve(label, masses, _column(table, f"unlike {coupling}"), look)
        for coupling, (label, look) in KINK_CURVES.items()
    ]
    x, ends, unlike = r"$m_\chi$  [MeV]", (0.5, 8.0), "share unlike the Standard Model"
    left = Panel(
        bounds, x, r"$|a_M|$, 90% CL", ends, (2e-7, 5e-5), log_y=True, title="future CONUS", legend="upper left"
    )
    right = Panel(shares, x, unlike, ends, (1e-3, 1.5), log_y=True, legend="lower right")
    return plotting.panels([[left, right]])


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


def fig4() -> Table:
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
    return Table(columns, about)


def draw_fig4(table: Table) -> "Figure":
    """Three planes: CsI shaded, LAr dashed."""
    which = np.array([table.columns["plane"], table.columns["experiment"]])
    ring = np.stack([_column(table, "x"), _column(table, "y")], axis=1)
    contents = []
    for plane, reach in FIG4_PLANES.items():
        regions = []
        for name in FIG4_SETUPS:
            setup, mine = SETUPS[name], np.all(which.T == (", ".join(plane), name), axis=1)
            regions.append(Region(setup.label, [ring[mine]], setup.look, "0.85" if setup.filled else None))
        x, y = (coupling_symbol(coupling, signed=True) for coupling in plane)
        contents.append(Plane(x, y, (-reach[0], reach[0]), (-reach[1], reach[1]), regions))
    return plotting.planes(contents, title=rf"90% CL, $m_\chi = {FIG4_M_CHI:g}$ MeV")


# --- Eqs. (17)–(20) and other numbers --------------------------------------------------------------

LIGHT = 0.1  # MeV; the paper states its bounds for m_χ ≲ 0.5 MeV, where they are flat


class Bound(NamedTuple):
    """One cell of Eqs. (17)–(20): the bound on the coupling squared as printed, and why ours differs."""

    equation: str
    coupling: str
    setup: str
    printed: str
    reason: str = ""
    tolerance: float = 0.10


# What CONUS bounds squared depend on and the paper does not state: the time that reactor and detector run,
# fission fractions, and with them the flux.
_CONUS = 0.15
_ALPHA_ON_SM = "future COHERENT, alpha on the Standard Model only"
_CELLS = {
    **SETUPS,
    _ALPHA_ON_SM: SETUPS["future COHERENT"]._replace(changes={"signal_uncertainty_on": "standard_model"}),
}

BOUNDS = (
    Bound("(17)", "a_M", "COHERENT", "7.2e-8", "0.96 with the dipole prefactor e v_H/2 in place of s_W M_W"),
    Bound("(17)", "a_M", "future COHERENT", "8.3e-9", "0.99 with e v_H/2"),
    Bound(
        "(17)", "a_M", "future CONUS", "1.0e-12",
        "0.90 with e v_H/2; 0.93 with four fifths of the exposure, as the live time is not stated", _CONUS,
    ),
    Bound(
        "(18)", "C_S", "COHERENT", "4.5e-4",
        "no common choice of conventions gives it and the other three; with half the rate (left-handed beam) "
        "it is 1.08, but those are then about twice too weak: probably a slip of the paper",
    ),
    Bound("(18)", "C_S", "future COHERENT", "1.4e-5"),
    Bound(
        "(18)", "C_S", "future CONUS", "4.6e-8",
        "no common choice of conventions gives it and the other three; with a flux of 2.5e13 |C_S| itself is 4.6e-4, "
        "as if its square had been written wrongly: probably a slip of the paper, unproven", _CONUS,
    ),
    Bound("(19)", "C_V", "COHERENT", "1.1e-2"),
    Bound(
        "(19)", "C_V", "future COHERENT", "4.2e-3",
        "Eq. (13) scales the whole prediction by 1 + alpha; the printed bound needs alpha on the Standard Model only",
    ),
    Bound("(19)", "C_V", _ALPHA_ON_SM, "4.2e-3", "not the chi2 of Eq. (13)"),
    Bound("(19)", "C_V", "future CONUS", "1.4e-3", tolerance=_CONUS),
    Bound("(20)", "C_T", "COHERENT", "7.9e-2"),
    Bound("(20)", "C_T", "future COHERENT", "9.1e-3"),
    Bound("(20)", "C_T", "future CONUS", "2.0e-4", "0.98 with four fifths of the exposure", _CONUS),
)  # fmt: skip


def light_bounds() -> list[float]:
    """Bounds on the couplings squared for a light χ, in the order of `BOUNDS`."""
    light = [SingletEFT(LIGHT, variant="published")]
    experiments = {name: setup.load() for name, setup in _CELLS.items()}
    return [float(mass_scan([experiments[b.setup]], light, [b.coupling], cl=0.90)[b.coupling][0]) ** 2 for b in BOUNDS]


def numbers() -> list[PrintedNumber]:
    """Eqs. (8), (14), (17)–(20) and the flux of footnote 8."""
    peak = dipole_peak(FIG2_M_CHI, FIG2_E, nuclide("Cs133").mass) / KEV
    heaviest = heaviest_mass([load("coherent-csi-2017")])
    return [
        PrintedNumber("(8)", "T_peak [keV]", "Fig. 2", "2", peak),
        PrintedNumber("(14)", "largest m_chi [MeV]", "COHERENT", "53", heaviest),
        *(
            PrintedNumber(b.equation, f"|{b.coupling}|^2", b.setup, b.printed, ours, b.reason, b.tolerance)
            for b, ours in zip(BOUNDS, light_bounds(), strict=True)
        ),
    ]


def _column(table: Table, name: str) -> Floats:
    return np.array(table.columns[name], dtype=float)


PAPER = Paper(
    citation=CITATION,
    figures=(
        PaperFigure("fig2", fig2, draw_fig2),
        PaperFigure("fig3", fig3, draw_fig3),
        PaperFigure("fig3-conus-kink", kink, draw_kink),
        PaperFigure("fig4", fig4, draw_fig4),
    ),
    numbers=numbers,
)
