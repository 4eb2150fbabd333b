"""Brdar, Rodejohann & Xu 2018 (BRX), Secs. III and IV: χ, neutrino mass and dark matter.

Fig. 7 is drawn with the paper's reading of χ ("dirac": the t-channel alone, g = 2). Each statement of its text is
judged in a table of its own.
"""

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from cevns_fast.constants import AGE_OF_UNIVERSE, NEUTRAL_HIGGS_VEV
from cevns_fast.cosmology.abundance import relic_density
from cevns_fast.cosmology.boltzmann import OMEGA_PER_MEV, RelicDensity
from cevns_fast.cosmology.decays import decay_widths, maximal_mixing
from cevns_fast.cosmology.expansion import hubble
from cevns_fast.cosmology.seesaw import Seesaw, seesaw_limit
from cevns_fast.experiments.built_in import load
from cevns_fast.inference.limits import limit_scan
from cevns_fast.interactions.scalar_mediator import ScalarMediator
from cevns_fast.output import plotting
from cevns_fast.output.drawing import Curve, Panel
from cevns_fast.output.tables import Sheet
from cevns_fast.papers.report import PrintedNumber

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CITATION: Final = "V. Brdar, W. Rodejohann and X.-J. Xu, JHEP 12 (2018) 024, arXiv:1810.03626"
#: An order of magnitude: up to three times the printed number.
ORDER_OF_MAGNITUDE: Final = 2.0
MEV_PER_EV: Final = 1e-6
MEV_PER_GEV: Final = 1e3

# --- Fig. 7 --------------------------------------------------------------------------------------

M_CHI, MEDIATORS, COUPLINGS = 3.0, (10.0, 100.0), (1e-3, 1e-4, 1e-5)  # MeV
_LOOKS = {1e-3: ("#0072B2", "solid"), 1e-4: ("#D55E00", "dashed"), 1e-5: ("#009E73", "dashdot")}


def evolution(m_S: float, reading: str = "dirac") -> RelicDensity:
    """One panel: three couplings, from T_QCD = 200 MeV to x = 100."""
    return relic_density(M_CHI, m_S, np.array(COUPLINGS), reading)


def fig7() -> Sheet:
    """Y_χ over x for both mediators and three couplings, and in equilibrium."""
    columns: dict[str, list[float]] = {}
    for m_S in MEDIATORS:
        found = evolution(m_S)
        columns.setdefault("x", found.x.tolist())
        columns.setdefault("Y_eq", found.Y_eq.tolist())
        for y, Y in zip(COUPLINGS, found.Y_chi, strict=True):
            columns[f"m_S={m_S:g} y={y:g}"] = Y.tolist()
    return Sheet(columns, {
        "figure": f"{CITATION}, Fig. 7",
        "columns": "x = m_chi/T; yields of chi: in equilibrium, and for m_S [MeV] and y_chi",
        "setup": f"m_chi = {M_CHI:g} MeV, T_QCD = 200 MeV; the paper's reading of chi: t-channel alone, g = 2",
    })  # fmt: skip


def draw_fig7(table: Sheet) -> "Figure":
    """Two panels as in the paper."""
    x = table.numbers("x")
    column = []
    for m_S in MEDIATORS:
        curves = [Curve(r"$Y_\chi^\mathrm{eq}$", x, table.numbers("Y_eq"), ("0.6", "dotted"))]
        curves += [
            Curve(f"$y_\\chi = 10^{{{math.log10(y):.0f}}}$", x, table.numbers(f"m_S={m_S:g} y={y:g}"), _LOOKS[y])
            for y in COUPLINGS
        ]
        column.append(
            Panel(curves, r"$x = m_\chi/T$", r"$Y_\chi$", (0.015, 100.0), (1e-6, 0.1), log_x=True, log_y=True,
                  title=f"$m_S = {m_S:g}$ MeV", legend="lower left", height=2.4)
        )  # fmt: skip
    return plotting.panels(column)


class Statement(NamedTuple):
    """A sentence of the paper, what we find, and whether it holds."""

    about: str
    statement: str
    ours: str
    holds: bool
    reason: str = ""


def statements() -> list[Statement]:
    """What Secs. III and IV say in words, with Fig. 7 and without."""
    light, heavy = (evolution(m_S) for m_S in MEDIATORS)
    full = evolution(100.0, "majorana")
    omega = {m_S: each.omega_h2 for m_S, each in zip(MEDIATORS, (light, heavy), strict=True)}
    start = [float(each.Y_chi[0, 0]) for each in (light, heavy)]
    non_thermal = {
        "m_S = 10, y = 1e-5": (light, 2, start[0]),
        "m_S = 100, y = 1e-4": (heavy, 1, start[1]),
        "m_S = 100, y = 1e-5": (heavy, 2, start[1]),
    }
    # N = Y_χ + Y_S is what annihilation changes; S ends as χ
    conserved = {name: float(each.Y_chi[i, -1] / _initial(each)) for name, (each, i, _) in non_thermal.items()}
    majorana_gain = float(full.Y_chi[1, -1] / _initial(full))
    dilutions = [float(light.dilution[2]), float(heavy.dilution[1]), float(heavy.dilution[2])]
    ratio = decay_widths(5.0, 1.0)
    return [
        Statement(
            "Fig. 7", "for y = 1e-3 chi freezes out, in both panels",
            f"N leaves 2.5 N_eq at x = {light.x_freeze_out[0]:.1f} and {heavy.x_freeze_out[0]:.1f}",
            bool(np.isfinite([light.x_freeze_out[0], heavy.x_freeze_out[0]]).all()),
        ),
        Statement(
            "Fig. 7", "a lighter S leaves less: blue lines of both panels",
            f"Y = {light.Y_chi[0, -1]:.2e} and {heavy.Y_chi[0, -1]:.2e} at x = 100",
            bool(light.Y_chi[0, -1] < heavy.Y_chi[0, -1]),
        ),
        Statement(
            "(47)", "chi is strongly overproduced in all cases",
            "Omega h2 = " + ", ".join(f"{o:.3g}" for each in omega.values() for o in each),
            min(float(each.min()) for each in omega.values()) > 1.2,
        ),
        Statement(
            "Sec. IV", "freeze-out temperatures are below O(1) MeV",
            f"T = {M_CHI / light.x_freeze_out[0]:.2f} and {M_CHI / heavy.x_freeze_out[0]:.2f} MeV",
            bool(M_CHI / heavy.x_freeze_out[0] < 3.0),
            "of that order: the second is above 1 MeV" if M_CHI / heavy.x_freeze_out[0] > 1 else "",
        ),
        Statement(
            "Fig. 7", "m_S = 10, y = 1e-4: out of equilibrium at first, then in it, freezes out above y = 1e-3",
            f"smallest Y/Y_eq {np.min(light.Y_chi[1] / light.Y_eq):.2f}, later within "
            f"{100 * float(np.min(np.abs(light.Y_chi[1] / light.Y_eq - 1)[light.x > 0.3])):.1g}%; "
            f"Y = {light.Y_chi[1, -1]:.2e} against {light.Y_chi[0, -1]:.2e}",
            bool(np.min(light.Y_chi[1] / light.Y_eq) < 0.9 and light.Y_chi[1, -1] > light.Y_chi[0, -1]),
        ),
        Statement(
            "Sec. IV", "\"m_chi = 10 MeV\" and \"m_chi = 100 MeV\"", "m_S is meant: m_chi = 3 MeV in both panels",
            False, "misprint",
        ),
        *(
            Statement(
                "Fig. 7", f"{name}: no equilibrium; the yield is set by the start, freeze-in is subdominant",
                f"final yield over N at T_QCD: {gain:.2f}", gain < 2,
            )
            for name, gain in conserved.items()
        ),
        Statement(
            "Fig. 7", "the same for m_S = 100, y = 1e-4 and the paper's own Majorana chi with all amplitudes",
            f"final yield over N at T_QCD: {majorana_gain:.2f}", majorana_gain < 2,
            "with the u-channel and chi chi -> nu nu freeze-in doubles the yield",
        ),
        Statement(
            "Sec. IV", "Y must be diluted by O(1e4 - 1e5)",
            "non-thermal cases: " + ", ".join(f"{d:.2g}" for d in dilutions)
            + f"; thermal: {light.dilution[0]:.0f} and {heavy.dilution[0]:.2g}",
            all(1e4 <= d < 3e5 for d in dilutions),
        ),
        Statement(
            "Sec. IV", "S decays shortly below T_QCD",
            f"Gamma_S/H = {_decay_over_expansion(10.0, 1e-5):.1e} at T = m_S for m_S = 10, y = 1e-5",
            _decay_over_expansion(10.0, 1e-5) > 1,
        ),
        Statement(
            "Sec. IV", "chi cannot decay into a pair of electrons",
            f"Gamma(nu e e)/Gamma(3 nu) = {ratio['nu-e-e'] / ratio['3nu']:.3f} at 5 MeV", False,
            "chi -> nu e+ e- is open above 2 m_e; with mixing to nu_mu or nu_tau the ratio is 0.103",
        ),
    ]  # fmt: skip


def _initial(found: RelicDensity) -> float:
    return float(found.Y_chi[0, 0] + found.Y_S[0, 0])


def _decay_over_expansion(m_S: float, y: float) -> float:
    """Γ_S/H at T = m_S, without the factor of time dilation."""
    return y**2 * m_S / (8 * math.pi) / float(hubble(np.array(m_S)))


def statement_table() -> Sheet:
    """Statements with verdicts."""
    found = statements()
    return Sheet(
        {
            "where": [each.about for each in found],
            "statement": [each.statement for each in found],
            "ours": [each.ours for each in found],
            "verdict": ["reproduced" if each.holds else "not reproduced" for each in found],
            "reason": [each.reason for each in found],
        },
        {"paper": CITATION, "setup": "Fig. 7: m_chi = 3 MeV, T_QCD = 200 MeV; masses in MeV"},
    )


# --- Sec. III ------------------------------------------------------------------------------------

SEESAW_M_CHI, SEESAW_M_S = 5.0, 10.0  # MeV
LARGEST_MIXING = 1e-7  # θ², Eq. (36)
_LIMITED = {"conus-4kg": "CONUS, 1 yr × 4 kg", "coherent-csi-2017": "COHERENT"}


def seesaw() -> Sheet:
    """y₁ over M_N: where the neutrino's mass comes out, and the bounds on ȳ as lines."""
    M_N = np.geomspace(SEESAW_M_CHI * 1.01, 1e5, 81)
    columns = {"M_N": (M_N / MEV_PER_GEV).tolist()}
    for m_nu in (0.01, 0.1):
        columns[f"m_nu={m_nu:g}"] = (np.sqrt(m_nu * MEV_PER_EV * M_N) / NEUTRAL_HIGGS_VEV).tolist()
    for name in _LIMITED:
        limit = limit_scan(load(name), ScalarMediator(SEESAW_M_CHI, SEESAW_M_S), "y_bar", cl=0.90).upper[0]
        columns[name] = np.asarray(seesaw_limit(float(limit), M_N)).tolist()
    return Sheet(columns, {
        "figure": f"{CITATION}, Sec. III: Eqs. (39)-(43) as lines",
        "columns": "M_N [GeV]; y_1 of a neutrino mass [eV], and the largest y_1 that each experiment's y_bar allows",
        "setup": f"m_chi = {SEESAW_M_CHI:g}, m_S = {SEESAW_M_S:g} MeV, y_3 = 1, y_N/A = y_chi; 90% CL",
    })  # fmt: skip


def draw_seesaw(table: Sheet) -> "Figure":
    """One panel."""
    M_N = table.numbers("M_N")
    curves = [Curve(f"$m_\\nu = {m:g}$ eV", M_N, table.numbers(f"m_nu={m:g}"), i) for i, m in enumerate((0.01, 0.1))]
    curves += [Curve(label, M_N, table.numbers(name), 2 + i) for i, (name, label) in enumerate(_LIMITED.items())]
    panel = Panel(
        curves, r"$M_N$  [GeV]", r"$y_1$", (float(M_N[0]), float(M_N[-1])), (1e-10, 1e-4), log_x=True, log_y=True,
        legend="upper left",
    )  # fmt: skip
    return plotting.panels([panel])


def numbers() -> list[PrintedNumber]:
    """Every number of Secs. III and IV that is not an input."""
    y2 = math.sqrt(LARGEST_MIXING) * SEESAW_M_CHI / NEUTRAL_HIGGS_VEV
    rough = "printed as a power of ten: up to three times counts"
    light, heavy = (evolution(m_S) for m_S in MEDIATORS)
    benchmark = Seesaw(0.0, y2, 1.0, SEESAW_M_CHI, MEV_PER_GEV)
    limits = {"1e-5": 1e-5, "1e-4": 1e-4}  # on ȳ, Eq. (38)
    m_nu = 0.1 * MEV_PER_EV
    terms = {
        "y_1": (10**-7.25 * NEUTRAL_HIGGS_VEV) ** 2 / MEV_PER_GEV / m_nu,
        "y_2": (10**-8.75 * NEUTRAL_HIGGS_VEV) ** 2 / 1.0 / m_nu,
    }
    majorana, dirac = (maximal_mixing(5.0, AGE_OF_UNIVERSE, majorana=kind) for kind in (True, False))
    return [
        PrintedNumber("(36)", "largest y_2", "theta^2 = 1e-7", "9e-9", y2, tolerance=0.0),
        PrintedNumber(
            "(37)", "m_nu from chi [eV]", "largest y_2", "0.1", float(benchmark.masses[0]) / MEV_PER_EV,
            "theta^2 m_chi is 0.50 eV; the paper says the required order of magnitude", ORDER_OF_MAGNITUDE,
        ),
        *(
            PrintedNumber(
                "(41)", "M_N/y_1 [GeV]", f"y_bar = {name}", printed,
                1 / float(seesaw_limit(y, 1.0)) / MEV_PER_GEV, rough, ORDER_OF_MAGNITUDE,
            )
            for (name, y), printed in zip(limits.items(), ("1e7", "1e6"), strict=True)
        ),
        *(
            PrintedNumber(
                "(42)", "m_nu/y_1 [GeV]", f"y_bar = {name}", printed, y * NEUTRAL_HIGGS_VEV / MEV_PER_GEV, rough,
                ORDER_OF_MAGNITUDE,
            )
            for (name, y), printed in zip(limits.items(), ("1e-3", "1e-2"), strict=True)
        ),
        *(
            PrintedNumber(
                "(43)", "y_1 for m_nu = 0.1 eV", f"y_bar = {name}", printed, m_nu / (y * NEUTRAL_HIGGS_VEV), rough,
                ORDER_OF_MAGNITUDE,
            )
            for (name, y), printed in zip(limits.items(), ("1e-7", "1e-8"), strict=True)
        ),
        *(
            PrintedNumber(
                "Sec. III", "M_N for m_nu = 0.1 eV [GeV]", f"y_bar = {name}", printed, m_nu / y**2 / MEV_PER_GEV
            )
            for (name, y), printed in zip(limits.items(), ("1", "1e-2"), strict=True)
        ),
        *(
            PrintedNumber("(44)", f"m_nu/0.1 eV at the printed {name}", "seesaw", "1", value)
            for name, value in terms.items()
        ),
        PrintedNumber(
            "Sec. IV", "largest theta_e_chi", "m_chi = 5 MeV", "4.8e-9", majorana,
            "the printed number needs a Dirac chi, the paper's is Majorana and also decays into nu e e",
            0.01,
            {
                "Dirac, 3 nu alone, 4.0e17 s": maximal_mixing(5.0, 4.0e17, channels=["3nu"]),
                "Dirac": dirac,
                "Majorana, 3 nu alone": maximal_mixing(5.0, majorana=True, channels=["3nu"]),
            },
        ),
        PrintedNumber(
            "(47)", "Omega h2/(Y m_chi/MeV)", "today", "2.742e5", _omega_per_MeV(), "s_0 and rho_c of the "
            f"Particle Data Group; {OMEGA_PER_MEV:g} is used", 0.01,
        ),
        PrintedNumber(
            "Sec. IV", "freeze-out temperature [MeV]", "m_S = 10 MeV, y = 1e-3", "1",
            M_CHI / float(light.x_freeze_out[0]), "smaller than O(1) MeV, as the paper says", ORDER_OF_MAGNITUDE,
        ),
        *(
            PrintedNumber(
                "Sec. IV", "dilution needed", name, "1e5", float(value), "O(1e4 - 1e5) is printed", ORDER_OF_MAGNITUDE
            )
            for name, value in {
                "m_S = 10 MeV, y = 1e-5": light.dilution[2],
                "m_S = 100 MeV, y = 1e-4": heavy.dilution[1],
                "m_S = 100 MeV, y = 1e-5": heavy.dilution[2],
            }.items()
        ),
    ]  # fmt: skip


def _omega_per_MeV() -> float:
    """s₀/(ρ_c/h²) with 2891.2 cm⁻³ and 1.05371e-5 GeV cm⁻³, Particle Data Group 2022."""
    return 2891.2 / (1.05371e-5 * MEV_PER_GEV)
