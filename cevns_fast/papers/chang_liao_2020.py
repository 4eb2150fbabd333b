"""Chang & Liao 2020 (CL), a singlet fermion χ in νN → χN: Figs. 2–4, Eqs. (17)–(20), and the kinks of the bounds.

Everything here is as published: the dipole prefactor s_W M_W, both helicities, no interference of the vector.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from cevns_fast._validate import Floats
from cevns_fast.constants import KEV
from cevns_fast.cosmology.mixing import loop_dipole, mixing_bound, z_width_bound
from cevns_fast.counts.spectrum import differential_cross_section
from cevns_fast.counts.templates import event_rate
from cevns_fast.experiments.experiment import Experiment, load
from cevns_fast.experiments.sources import MUON_ENDPOINT, PION_LINE, Reactor
from cevns_fast.inference.correlation import correlation_scan
from cevns_fast.inference.mass_scan import heaviest_mass, mass_grid, mass_scan
from cevns_fast.inference.scan_result import Scan
from cevns_fast.interactions.process import Interaction
from cevns_fast.interactions.singlet_eft import SingletEFT
from cevns_fast.interactions.standard_model import StandardModel
from cevns_fast.likelihood.measurement import measurement_of
from cevns_fast.nuclear.nuclei import nuclide
from cevns_fast.output import plotting
from cevns_fast.output.drawing import CouplingPlane, Curve, Look, Panel, Region, coupling_symbol
from cevns_fast.output.tables import Sheet
from cevns_fast.papers.report import Paper, PaperFigure, PrintedNumber

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CITATION = "W.-F. Chang and J. Liao, Phys. Rev. D 102 (2020) 075004, arXiv:2002.10275"
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
    return plotting.limit_panels(panels, x_range=(0.1, 70.0), guides=_ends(), title="90% CL, one coupling at a time")


def _ends() -> dict[str, float]:
    """The heaviest χ (MeV) of the ν_μ line and of all of COHERENT, which figures mark."""
    return {f"{mass:.1f}": mass for mass in (PION_LINE, heaviest_mass([load("coherent-csi-2017")]))}


# --- the end of the ν_μ line in the bounds of COHERENT -------------------------------------------

EDGE_SETUPS = ("COHERENT", "future COHERENT")


def edge() -> Sheet:
    """Bounds over those for a light χ, where first the ν_μ line and then everything ends."""
    masses = np.concatenate(
        [np.linspace(20.0, 52.0, 321), heaviest_mass([load("coherent-csi-2017")]) - np.geomspace(0.8, 0.03, 20)]
    )
    batch = [SingletEFT(m, variant="published") for m in (LIGHT, *masses.tolist())]
    columns = {"m_chi": masses}
    for name in EDGE_SETUPS:
        for coupling, upper in mass_scan([SETUPS[name].load()], batch, COUPLINGS, cl=0.90).items():
            columns[f"{coupling} {name}"] = upper[1:] / upper[0]
    about = {
        "figure": f"the right end of {CITATION}, Fig. 3",
        "columns": f"m_chi [MeV]; largest allowed |coupling| over that for m_chi = {LIGHT:g} MeV",
        "nu_mu line": f"{PION_LINE:.4f} MeV",
    }
    return Sheet(columns, about)


def draw_edge(table: Sheet) -> "Figure":
    """A panel for each experiment."""
    masses = table.numbers("m_chi")
    line, end = _ends().items()
    guides = {rf"$\nu_\mu$ line {line[0]}": line[1], f"end {end[0]}": end[1]}
    return plotting.shared_panels([
        [
            Panel(
                [
                    Curve(coupling_symbol(c), masses, table.numbers(f"{c} {name}"), COUPLING_LOOKS[c])
                    for c in COUPLINGS
                ],
                r"$m_\chi$  [MeV]", "relative bound", (20.0, 54.0),
                log_y=True, title=SETUPS[name].label, guides=guides, height=1.9,
            )
        ]
        for name in EDGE_SETUPS
    ], title=rf"90% CL bound over that for $m_\chi = {LIGHT:g}$ MeV")  # fmt: skip


# --- the kink of the CONUS dipole bound ----------------------------------------------------------

KINK_CURVES = {"a_M": "dipole", "C_S": "scalar", "C_V": "vector"}


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
    errors = np.sqrt(measurement_of(experiment).variance)
    weak = event_rate(experiment, StandardModel()) / errors
    weak /= np.linalg.norm(weak)
    new = event_rate(experiment, interactions, standard_model=False) / errors
    return np.asarray(np.linalg.norm(new - np.outer(new @ weak, weak), axis=1) / np.linalg.norm(new, axis=1))


def kink() -> Sheet:
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
    return Sheet(columns, about)


def draw_kink(table: Sheet) -> "Figure":
    """Bounds above, the share below."""
    masses, flux = table.numbers("m_chi"), SETUPS["future CONUS"].load().signal_uncertainty
    bounds = [
        Curve(rf"$\sigma_\alpha = {100 * flux:g}\%$", masses, table.numbers(f"a_M sigma_alpha={flux:g}"), 1),
        Curve(r"$\sigma_\alpha \to 0$", masses, table.numbers("a_M sigma_alpha=0"), 0),
    ]
    shares = [
        Curve(label, masses, table.numbers(f"unlike {coupling}"), COUPLING_LOOKS[coupling])
        for coupling, label in KINK_CURVES.items()
    ]
    x, ends = r"$m_\chi$  [MeV]", (0.5, 8.0)
    top = float(masses[np.argmin(shares[0].y)])
    return plotting.panels([
        Panel(bounds, x, r"$|a_M|$, 90% CL", ends, log_y=True, title="future CONUS",
              legend="upper left", guides={f"{top:.1f}": top}, height=2.3),
        Panel(shares, x, "share unlike the SM", ends, (1e-3, 1.5), log_y=True, legend="lower right",
              guides={f"{top:.1f}": top}, height=2.3),
    ])  # fmt: skip


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


# --- Eqs. (17)–(20) and other numbers --------------------------------------------------------------

LIGHT = 0.1  # MeV; the paper states its bounds for m_χ ≲ 0.5 MeV, where they are flat


class Convention(NamedTuple):
    """Another way to obtain a bound: what it does to the experiment, and the variant of the interaction."""

    name: str
    changed: Callable[[Experiment], Experiment] = lambda experiment: experiment
    variant: Literal["published", "corrected"] = "published"


AS_PRINTED = Convention("")
PREFACTOR = Convention("the dipole prefactor e v_H/2 in place of s_W M_W", variant="corrected")
ALPHA_ON_SM = Convention(
    "alpha on the Standard Model only, which is not Eq. (13)",
    lambda e: e.replace(signal_uncertainty_on="standard_model"),
)
LIVE_TIME = Convention(
    "four fifths of the exposure, as the live time is not stated", lambda e: e.replace(exposure=0.8 * e.exposure)
)


class Bound(NamedTuple):
    """One cell of Eqs. (17)–(20): the bound on the coupling squared as printed, what else to try, why ours differs."""

    equation: str
    coupling: str
    setup: str
    printed: str
    otherwise: tuple[Convention, ...] = ()
    reason: str = ""

    def obtained(self, convention: Convention = AS_PRINTED) -> float:
        """What we obtain for a light χ."""
        experiment = convention.changed(SETUPS[self.setup].load())
        light = SingletEFT(LIGHT, variant=convention.variant)
        return float(mass_scan([experiment], [light], [self.coupling], cl=0.90)[self.coupling][0]) ** 2

    def number(self) -> PrintedNumber:
        """Beside what is printed."""
        return PrintedNumber(
            self.equation, f"|{self.coupling}|^2", self.setup, self.printed, self.obtained(), self.reason,
            otherwise={each.name: self.obtained(each) for each in self.otherwise},
        )  # fmt: skip


BOUNDS = (
    Bound("(17)", "a_M", "COHERENT", "7.2e-8", (PREFACTOR,)),
    Bound("(17)", "a_M", "future COHERENT", "8.3e-9", (PREFACTOR,)),
    Bound("(17)", "a_M", "future CONUS", "1.0e-12", (PREFACTOR, LIVE_TIME)),
    Bound(
        "(18)", "C_S", "COHERENT", "4.5e-4", (),
        "no common choice of conventions gives it and the other three; with half the rate (left-handed beam) "
        "it is 1.08, but those are then about twice too weak: probably a slip of the paper",
    ),
    Bound("(18)", "C_S", "future COHERENT", "1.4e-5"),
    Bound(
        "(18)", "C_S", "future CONUS", "4.6e-8", (),
        "no common choice of conventions gives it and the other three; with a flux of 2.5e13 |C_S| itself is 4.6e-4, "
        "as if its square had been written wrongly: probably a slip of the paper, unproven",
    ),
    Bound("(19)", "C_V", "COHERENT", "1.1e-2"),
    Bound(
        "(19)", "C_V", "future COHERENT", "4.2e-3", (ALPHA_ON_SM,),
        "Eq. (13) scales the whole prediction by 1 + alpha",
    ),
    Bound("(19)", "C_V", "future CONUS", "1.4e-3"),
    Bound("(20)", "C_T", "COHERENT", "7.9e-2"),
    Bound("(20)", "C_T", "future COHERENT", "9.1e-3"),
    Bound("(20)", "C_T", "future CONUS", "2.0e-4", (LIVE_TIME,)),
)  # fmt: skip


def reactor_flux() -> tuple[float, float]:
    """Share (%) of the antineutrinos above 2 MeV that are below 3 MeV, and their mean energy (MeV): footnote 8.

    Examples
    --------
    >>> [round(each, 1) for each in reactor_flux()]
    [56.5, 3.1]
    """
    reactor = SETUPS["future CONUS"].load().source
    assert isinstance(reactor, Reactor)
    E = np.linspace(2.0, max(reactor.breakpoints), 6001)
    flux = np.asarray(reactor.spectrum(E))
    whole = np.trapezoid(flux, E)
    return float(100 * np.trapezoid(flux[E <= 3.0], E[E <= 3.0]) / whole), float(np.trapezoid(E * flux, E) / whole)


def kink_mass() -> float:
    """Mass (MeV) at which the bound of CONUS on the dipole has its kink.

    Examples
    --------
    >>> round(kink_mass(), 1)
    3.8
    """
    masses = np.linspace(3.0, 5.0, 201)
    batch = [SingletEFT(m, variant="published") for m in masses.tolist()]
    upper = mass_scan([SETUPS["future CONUS"].load()], batch, ["a_M"], cl=0.90)["a_M"]
    return float(masses[np.argmax(np.diff(upper) < 0)])


def numbers() -> list[PrintedNumber]:
    """Eqs. (8), (14), (17)–(20), footnote 8, and what Sec. IV says of Fig. 3."""
    peak = dipole_peak(FIG2_M_CHI, FIG2_E, nuclide("Cs133").mass) / KEV
    heaviest = heaviest_mass([load("coherent-csi-2017")])
    bounds = [bound.number() for bound in BOUNDS]
    share, mean = reactor_flux()
    return [
        PrintedNumber("(8)", "T_peak [keV]", "Fig. 2", "2", peak),
        PrintedNumber("(14)", "largest m_chi [MeV]", "COHERENT", "53", heaviest),
        PrintedNumber("Sec. IV", "|a_M|", "COHERENT, light chi", "3e-4", bounds[0].ours ** 0.5),
        PrintedNumber(
            "Sec. IV", "m_chi of the kink [MeV]", "future CONUS, a_M", "4", kink_mass(),
            "its cause is the uncertainty of the flux, not the cancellation that the paper names",
        ),
        PrintedNumber("footnote 8", "share of the flux above 2 MeV in 2-3 MeV [%]", "future CONUS", "57", share),
        PrintedNumber("footnote 8", "mean energy above 2 MeV [MeV]", "future CONUS", "3.1", mean),
        *bounds,
        *beyond_the_recoil(),
    ]  # fmt: skip


def beyond_the_recoil() -> list[PrintedNumber]:
    """Eq. (21) and Appendix B, from the paper's own bounds (19)."""
    width = z_width_bound()
    return [
        PrintedNumber(
            "(21)", "a_M from a b loop", "m_chi = 1 MeV", "2e-9", loop_dipole(1.0), "a ballpark estimate",
            otherwise={"ln(M_W^2/m_b^2)": loop_dipole(1.0, logarithm="M_W^2/m_q^2")},
        ),
        PrintedNumber(
            "(B4)", "sum of |U|^2 over heavy states", "LEP", "1.1e-2", width.exact,
            "|dGamma/Gamma| itself is printed; (B3) lacks 1/3", 0.01,
            {"|dGamma/Gamma|": width.as_quoted, "(B3) as printed": width.published},
        ),
        *(
            PrintedNumber("(B5)", "sum of |U|^2 over light states", setup, printed, float(mixing_bound(limit, target)))
            for setup, printed, limit, target in (
                ("COHERENT", "0.65", 1.1e-2, "CsI"),
                ("future COHERENT", "0.28", 4.2e-3, "Ar40"),
                ("future CONUS", "0.09", 1.4e-3, "Ge"),
            )
        ),
    ]  # fmt: skip


PAPER = Paper(
    title="Chang & Liao 2020: a singlet fermion",
    citation=CITATION,
    figures=(
        PaperFigure(
            "fig2", fig2, draw_fig2, "Fig. 2: recoil spectra at one neutrino energy",
            "The dipole's curve peaks at T = 2 keV, Eq. (8); the curves end where the kinematics does.",
        ),
        PaperFigure(
            "fig3", fig3, draw_fig3, "Fig. 3: bounds on four couplings",
            "Thin lines: the heaviest chi that the nu_mu line (29.8 MeV) and all of COHERENT (52.8 MeV) can produce. "
            "The dipole's bound from CONUS has its kink at 3.8 MeV.",
        ),
        PaperFigure(
            "fig3-nu-mu-line", edge, draw_edge, "Fig. 3, right end: the nu_mu line's edge",
            "Bounds over those for a light chi. Just below 29.8 MeV the recoils from the monoenergetic nu_mu fall "
            "below threshold, most visibly in liquid argon, which sees nothing below 20 keV. At 52.8 MeV all ends.",
        ),
        PaperFigure(
            "fig3-conus-kink", kink, draw_kink, "Fig. 3: the cause of the kink at 3.8 MeV",
            "With a flux known exactly there is no kink. Near 3.8 MeV the dipole's spectrum has the Standard Model's "
            "shape, and the 5% uncertainty of the flux absorbs it.",
        ),
        PaperFigure(
            "fig4", fig4, draw_fig4, "Fig. 4: correlations",
            "C_S and a_M are anti-correlated, the other pairs are not.",
        ),
    ),
    numbers=numbers,
)  # fmt: skip
