"""Brdar, Rodejohann & Xu 2018 (BRX), a fermion χ produced through a scalar S: Figs. 2–5 and what the text says of them.

Secs. III and IV with Fig. 7 are in `brdar_2018_cosmology`.

The paper prints no table of bounds; its figures' legends are not part of the text, so the masses and couplings drawn
here are ours. COHERENT is fitted as the paper describes it: the errors of the data hold everything, nothing is
profiled, and the beam-on background is not subtracted.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cevns_fast._validate import Floats
from cevns_fast.constants import KEV
from cevns_fast.counts.spectrum import recoil_spectrum
from cevns_fast.experiments.built_in import load
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.experiments.sources import PION_LINE
from cevns_fast.inference.limits import limit_scan
from cevns_fast.inference.mass_scan import heaviest_mass
from cevns_fast.interactions.scalar_mediator import ScalarMediator
from cevns_fast.interactions.standard_model import StandardModel
from cevns_fast.nuclear.kinematics import recoil_range, scattering_angle, scattering_angle_extremum
from cevns_fast.nuclear.nuclei import Target, nuclide
from cevns_fast.output import plotting
from cevns_fast.output.drawing import Curve, Panel
from cevns_fast.output.tables import Sheet
from cevns_fast.papers import brdar_2018_cosmology as beyond
from cevns_fast.papers.report import Paper, PaperFigure, PaperTable, PrintedNumber

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CITATION = "V. Brdar, W. Rodejohann and X.-J. Xu, JHEP 12 (2018) 024, arXiv:1810.03626"
DELTA_CHI2 = 2.71  # 90% C.L. for one degree of freedom, which the paper does not state
LEVEL = rf"90% CL ($\Delta\chi^2 = {DELTA_CHI2}$)"


def without_nuisances(name: str) -> Experiment:
    """COHERENT as the paper fits it."""
    return load(name).replace(signal_uncertainty=0.0, backgrounds=())


def setup(name: str) -> Experiment:
    """One of the paper's four set-ups."""
    return without_nuisances(name) if name.startswith("coherent") else load(name)


def bounds(experiment: Experiment, m_chi: Floats | float, m_S: Floats | float) -> Floats:
    """Upper limits on ȳ; the masses broadcast."""
    pairs = np.broadcast_arrays(np.atleast_1d(m_chi), np.atleast_1d(m_S))
    scalars = [ScalarMediator(m, M) for m, M in zip(*(p.tolist() for p in pairs), strict=True)]
    return limit_scan(experiment, scalars, "y_bar", delta_chi2=DELTA_CHI2).upper


# --- Fig. 2: scattering angle --------------------------------------------------------------------

FIG2_M, FIG2_E = 72.6e3, 5.0  # MeV, as the caption has them; the true mass of germanium is 67.65 GeV
FIG2_MASSES = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0)


def fig2() -> Sheet:
    """cos θ over the recoil energy for several m_χ, BRX Eq. (5)."""
    T = np.linspace(1e-4, 0.7, 1400)  # keV
    columns = {"T": T.tolist()}
    for m in FIG2_MASSES:
        columns[f"cos_theta m_chi={m:g}"] = np.cos(scattering_angle(FIG2_E, T * KEV, m, FIG2_M)).tolist()
    return Sheet(columns, {
        "figure": f"{CITATION}, Fig. 2",
        "columns": "T [keV]; cosine of the angle between recoil and beam, nan outside the recoil range; m_chi in MeV",
        "kinematics": f"M = {FIG2_M / 1e3:g} GeV, E = {FIG2_E:g} MeV; masses are ours",
    })  # fmt: skip


def draw_fig2(table: Sheet) -> "Figure":
    """One panel, with the largest angles of BRX Eq. (6) marked."""
    T = np.array(table.columns["T"], dtype=float)
    curves = [
        Curve(f"$m_\\chi = {m:g}$ MeV", T, table.numbers(f"cos_theta m_chi={m:g}"), look)
        for look, m in enumerate(FIG2_MASSES)
    ]
    massive = np.array([m for m in FIG2_MASSES if m > 0])
    theta, at = scattering_angle_extremum(FIG2_E, massive, FIG2_M)
    marks = (np.asarray(at) / KEV, np.cos(theta), r"$\theta_\mathrm{max}$")
    panel = Panel(
        curves,
        r"recoil energy $T$  [keV]",
        r"$\cos\theta$",
        (0.0, 0.7),
        (0.0, 1.02),
        legend="lower right",
        marks=marks,
        title=rf"$M = {FIG2_M / 1e3:g}$ GeV, $E = {FIG2_E:g}$ MeV",
    )
    return plotting.panels([panel])


# --- Fig. 3: spectra -----------------------------------------------------------------------------


class Distortion(NamedTuple):
    """One curve of Fig. 3: ȳ near the bound that the experiment sets, and masses in MeV."""

    y_bar: float
    m_chi: float
    m_S: float

    @property
    def label(self) -> str:
        """As the paper writes it."""
        power = int(np.floor(np.log10(self.y_bar)))
        return rf"$({self.y_bar / 10**power:.3g}\times 10^{{{power}}}, {self.m_chi:g}, {self.m_S:g})$"


class Spectrum(NamedTuple):
    """One side of Fig. 3."""

    name: str
    experiment: str
    recoils: Floats  # keV
    curves: tuple[Distortion, ...]


FIG3 = (
    Spectrum(
        "CONUS",
        "conus-4kg",
        np.linspace(0.05, 1.8, 351),
        tuple(Distortion(y, m_chi, m_S) for y, m_S in ((1e-5, 0.0), (8e-5, 100.0)) for m_chi in (0.0, 3.0)),
    ),
    Spectrum(
        "COHERENT",
        "coherent-csi-2017",
        np.linspace(0.5, 42.0, 416),
        (
            Distortion(7e-5, 3.0, 0.0),
            Distortion(1.5e-4, 3.0, 100.0),
            Distortion(8e-5, 30.0, 0.0),
            Distortion(1.7e-4, 30.0, 100.0),
        ),
    ),
)


def fig3() -> Sheet:
    """Ratio of the recoil spectra with and without χ, and the Standard Model's shape."""
    columns: dict[str, list[float]] = {}
    for side in FIG3:
        experiment = load(side.experiment)
        T = side.recoils * KEV
        weak = np.asarray(recoil_spectrum(experiment, StandardModel(), T))
        columns[f"{side.name} T"] = side.recoils.tolist()
        columns[f"{side.name} standard_model"] = (weak / weak.max()).tolist()
        for d in side.curves:
            new = recoil_spectrum(experiment, ScalarMediator(d.m_chi, d.m_S, d.y_bar), T, standard_model=False)
            columns[f"{side.name} ratio {d.y_bar:g} {d.m_chi:g} {d.m_S:g}"] = (1 + np.asarray(new) / weak).tolist()
    longest = max(map(len, columns.values()))
    padded = {name: [*values, *[float("nan")] * (longest - len(values))] for name, values in columns.items()}
    return Sheet(padded, {
        "figure": f"{CITATION}, Fig. 3",
        "columns": "T [keV]; dN/dT of the Standard Model, largest value 1; (N_SM + N_new)/N_SM for y_bar, m_chi, m_S",
        "couplings": "ours, near the bounds; masses of the text: m_chi = 0, 3 and 3, 30 MeV, m_S = 0, 100 MeV",
    })  # fmt: skip


def draw_fig3(table: Sheet) -> "Figure":
    """For each experiment ratios above, the Standard Model below."""
    column = []
    for side in FIG3:
        T, ends = table.numbers(f"{side.name} T"), (float(side.recoils[0]), float(side.recoils[-1]))
        ratios = [
            Curve(d.label, T, table.numbers(f"{side.name} ratio {d.y_bar:g} {d.m_chi:g} {d.m_S:g}"), look)
            for look, d in enumerate(side.curves)
        ]
        weak = [Curve("Standard Model", T, table.numbers(f"{side.name} standard_model"))]
        title = side.name + r": $(\bar{y}, m_\chi, m_S)$, masses in MeV"
        top, log = (2.0, True) if side.name == "CONUS" else (2.6, False)
        column += [
            Panel(ratios, "", r"$N_i/N_i^\mathrm{SM}$", ends, (0.9, top), title=title, height=2.4),
            Panel(
                weak, r"recoil energy $T$  [keV]", "arbitrary units", ends, (1e-6 if log else 0, 2.0 if log else 1.1),
                log_y=log, legend="upper right", height=1.5,
            ),
        ]  # fmt: skip
    return plotting.panels(column)


# --- Figs. 4 and 5: bounds -----------------------------------------------------------------------

MEDIATORS = (0.0, 10.0, 100.0)  # MeV
FIG4_CHI = {"conus-4kg": (0.0, 3.0, 6.0), "coherent-csi-2017": (3.0, 30.0, 50.0)}
FIG4_HEAVIEST = {"conus-4kg": 8.0, "coherent-csi-2017": 53.0}
MEDIATOR_GRID = np.geomspace(0.1, 1000.0, 81)
LABELS = {
    "conus-4kg": "CONUS, 1 yr × 4 kg",
    "conus-100kg-brdar": "CONUS, 5 yr × 100 kg",
    "coherent-csi-2017": "COHERENT",
    "coherent-csi-x100": "COHERENT × 100",
}
FIG5_CHI = 5.0  # MeV


def _chi_grid(name: str) -> Floats:
    """Masses of χ, denser where the bounds rise."""
    end = FIG4_HEAVIEST[name]
    return np.concatenate([np.geomspace(0.1, 0.3 * end, 30, endpoint=False), np.linspace(0.3, 1.0, 281) * end])


def fig4() -> Sheet:
    """Bounds on ȳ over m_S and over m_χ, for CONUS and COHERENT."""
    rows: dict[str, list[str | float]] = {"experiment": [], "m_chi": [], "m_S": [], "y_bar": []}
    for name, fixed in FIG4_CHI.items():
        experiment, grid = setup(name), _chi_grid(name)
        m_chi = np.concatenate([*(np.full(MEDIATOR_GRID.size, m) for m in fixed), *(grid for _ in MEDIATORS)])
        m_S = np.concatenate([*(MEDIATOR_GRID for _ in fixed), *(np.full(grid.size, m) for m in MEDIATORS)])
        rows["experiment"] += [name] * m_chi.size
        rows["m_chi"] += m_chi.tolist()
        rows["m_S"] += m_S.tolist()
        rows["y_bar"] += bounds(experiment, m_chi, m_S).tolist()
    return Sheet(rows, {
        "figure": f"{CITATION}, Fig. 4",
        "columns": "set-up; m_chi, m_S [MeV]; largest allowed y_bar, inf: no bound",
        "statistic": f"Delta chi2 = {DELTA_CHI2}; CONUS by Eqs. (29), (30); COHERENT without nuisances and without "
        "the beam-on background",
        "masses": "of the curves are ours: first those at fixed m_chi, then those at fixed m_S",
    })  # fmt: skip


def draw_fig4(table: Sheet) -> "Figure":
    """Four panels as in the paper."""
    names = np.array(table.columns["experiment"])
    m_chi, m_S, y = (table.numbers(name) for name in ("m_chi", "m_S", "y_bar"))
    column = []
    for name, fixed in FIG4_CHI.items():
        mine = names == name
        # The two halves of the figure, as they were written: at fixed m_χ, then at fixed m_S.
        split = len(fixed) * MEDIATOR_GRID.size
        chi, S, bound = m_chi[mine], m_S[mine], y[mine]
        left = [
            Curve(f"$m_\\chi = {m:g}$ MeV", S[:split][chi[:split] == m], bound[:split][chi[:split] == m], look)
            for look, m in enumerate(fixed)
        ]
        right = [
            Curve(f"$m_S = {m:g}$ MeV", chi[split:][S[split:] == m], bound[split:][S[split:] == m], look)
            for look, m in enumerate(MEDIATORS)
        ]
        title = f"{LABELS[name]}, {LEVEL}"
        column += [
            Panel(left, r"$m_S$  [MeV]", r"$\bar{y}$", (0.1, 1e3), log_x=True, log_y=True,
                  title=title, legend="upper left", height=2.2),
            Panel(right, r"$m_\chi$  [MeV]", r"$\bar{y}$", (0.1, FIG4_HEAVIEST[name]),
                  log_x=True, log_y=True, title=title, legend="upper left", height=2.2),
        ]  # fmt: skip
    return plotting.panels(column)


def fig5() -> Sheet:
    """Bounds on ȳ over m_S for m_χ = 5 MeV: now and in the future."""
    columns = {"m_S": MEDIATOR_GRID.tolist()}
    for name in LABELS:
        columns[name] = bounds(setup(name), FIG5_CHI, MEDIATOR_GRID).tolist()
    return Sheet(columns, {
        "figure": f"{CITATION}, Fig. 5",
        "columns": "m_S [MeV]; largest allowed y_bar of each set-up",
        "statistic": f"m_chi = {FIG5_CHI:g} MeV, Delta chi2 = {DELTA_CHI2}; COHERENT x 100 has simulated data",
    })  # fmt: skip


def draw_fig5(table: Sheet) -> "Figure":
    """One panel."""
    curves = [Curve(LABELS[name], table.numbers("m_S"), table.numbers(name), i) for i, name in enumerate(LABELS)]
    panel = Panel(
        curves, r"$m_S$  [MeV]", r"$\bar{y}$", (0.1, 1e3), log_x=True, log_y=True,
        title=rf"$m_\chi = {FIG5_CHI:g}$ MeV, {LEVEL}",
    )  # fmt: skip
    return plotting.panels([panel])


# --- what the text says ----------------------------------------------------------------------------


def rise(experiment: Experiment, factor: float = 3.0) -> float:
    """Mass of χ (MeV) from which the bound for a massless mediator is so many times that for a light χ."""
    masses = np.linspace(0.1, 8.0, 400)
    upper = bounds(experiment, masses, 0.0)
    return float(masses[np.argmax(upper > factor * upper[0])])


def neutron_share(target: Target) -> float:
    """What multiplies y_n in BRX Eq. (20): the mean of N over the mean of A."""
    amounts = np.array(target.counts)
    return float(amounts @ [n.N for n in target.nuclides] / (amounts @ [n.A for n in target.nuclides]))


def numbers() -> list[PrintedNumber]:
    """Statements of the text that have a number in them."""
    conus, coherent = setup("conus-4kg"), setup("coherent-csi-2017")
    flat_conus, flat_coherent = (bounds(e, 3.0, np.array([0.0, m])) for e, m in ((conus, 2.0), (coherent, 10.0)))
    straight = {
        name: float(np.diff(np.log(bounds(e, 3.0, np.array([500.0, 1000.0]))))[0] / np.log(2))
        for name, e in (("CONUS", conus), ("COHERENT", coherent))
    }
    strongest = bounds(conus, 0.1, 0.0)[0]
    weakest = max(bounds(e, 3.0, 100.0)[0] for e in (conus, coherent))
    kink = float(recoil_range(PION_LINE, 3.0, nuclide("Cs133").mass)[1]) / KEV
    shares = {name: neutron_share(load(name).detector.target) for name in ("conus-4kg", "coherent-csi-2017")}
    return [
        PrintedNumber("(20)", "weight of y_n", "Ge", "0.56", shares["conus-4kg"], tolerance=0.0),
        PrintedNumber("(20)", "weight of y_n", "CsI", "0.58", shares["coherent-csi-2017"], tolerance=0.0),
        PrintedNumber("(22)", "energy of the nu_mu line [MeV]", "COHERENT", "29.8", PION_LINE, tolerance=0.0),
        PrintedNumber(
            "Fig. 3", "kink of the nu_mu line [keV]", "COHERENT", "14", kink, "on Cs; 15.0 on I", tolerance=0.0
        ),
        PrintedNumber(
            "(38)", "strongest bound on y_bar", "CONUS", "1e-5", strongest, "light chi and S; printed as a power of ten"
        ),
        PrintedNumber(
            "(38)",
            "weakest bound on y_bar",
            "m_S = 100 MeV",
            "1e-4",
            weakest,
            "m_chi = 3 MeV, COHERENT; printed as a power of ten",
        ),
        PrintedNumber("Fig. 4", "bound at m_S = 2 MeV / at 0", "CONUS", "1.0", flat_conus[1] / flat_conus[0], "flat"),
        PrintedNumber(
            "Fig. 4", "bound at m_S = 10 MeV / at 0", "COHERENT", "1.0", flat_coherent[1] / flat_coherent[0], "flat"
        ),
        PrintedNumber(
            "Fig. 4",
            "m_chi where the bound has risen [MeV]",
            "CONUS",
            "6",
            rise(conus),
            "to three times that at 0.1 MeV",
        ),
        *(
            PrintedNumber("Fig. 4", "power of m_S in the bound", name, "1", slope, "from 0.5 to 1 GeV")
            for name, slope in straight.items()
        ),
        PrintedNumber("Sec. II C", "largest m_chi [MeV]", "COHERENT", "53", heaviest_mass([coherent]), tolerance=0.0),
        *beyond.numbers(),
    ]


PAPER = Paper(
    title="Brdar, Rodejohann & Xu 2018: a scalar mediator",
    citation=CITATION,
    figures=(
        PaperFigure(
            "fig2", fig2, draw_fig2, "Fig. 2: the angle of the recoil",
            "Dots: the largest angle, Eq. (6). The masses drawn are ours.",
        ),
        PaperFigure(
            "fig3", fig3, draw_fig3, "Fig. 3: distorted spectra",
            "COHERENT: for m_chi = 3 MeV the nu_mu line ends at 14 keV on Cs and 15 keV on I. Couplings and masses "
            "drawn are ours.",
        ),
        PaperFigure(
            "fig4", fig4, draw_fig4, "Fig. 4: bounds",
            "Flat for a light mediator, linear for a heavy one. The curves of CONUS rise at 6 MeV and end at 7 MeV: "
            "its errors are those of the prediction and grow with the signal, so that chi2 stays below the threshold.",
        ),
        PaperFigure("fig5", fig5, draw_fig5, "Fig. 5: the future", "Both experiments improve, CONUS most."),
        PaperFigure(
            "seesaw", beyond.seesaw, beyond.draw_seesaw, "Sec. III: the seesaw and the recoils",
            "Bounds on y_bar as lines of the seesaw; they meet the neutrino's mass at M_N = O(0.01 - 1) GeV.",
        ),
        PaperFigure(
            "fig7", beyond.fig7, beyond.draw_fig7, "Fig. 7: the abundance of chi",
            "For y = 1e-3 chi freezes out, later and with less left for the lighter S. The weak couplings keep what "
            "there was at 200 MeV.",
        ),
    ),
    numbers=numbers,
    tables=(
        PaperTable(
            "statements", beyond.statement_table, "Secs. III and IV in words",
            "Statements of the text on chi as a source of neutrino mass and as dark matter, each judged.",
        ),
    ),
)  # fmt: skip
