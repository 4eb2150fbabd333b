"""χ in the laboratory and in the universe: one plane of its mass and coupling with everything that is known of both.

Bounds from recoils and the relic density are computed; regions from N_eff and from SN 1987A are orders of magnitude,
drawn hatched and combined with nothing.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.constants import AGE_OF_UNIVERSE, ALPHA, G_FERMI, M_ELECTRON, M_PLANCK, OMEGA_DARK_MATTER_H2
from cevns_fast.cosmology.abundance import MOST_Y_CHI
from cevns_fast.cosmology.abundance_plane import relic_plane
from cevns_fast.cosmology.boltzmann import OMEGA_PER_MEV
from cevns_fast.cosmology.decays import DIPOLE_CHANNEL, decay_widths, maximal_mixing
from cevns_fast.cosmology.neutrino_number import lightest_mass
from cevns_fast.cosmology.radiation import degrees_of_freedom
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.inference.limits import limit_scan
from cevns_fast.interactions.scalar_mediator import ScalarMediator
from cevns_fast.interactions.singlet_eft import HIGGS_VEV, SingletEFT
from cevns_fast.output import drawing
from cevns_fast.output.tables import Sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Factors by which entropy must dilute χ.
DILUTIONS: Final = (1.0, 1e2, 1e4)
#: Light neutrino masses of the seesaw's bands [MeV].
NEUTRINO_MASSES: Final = (0.01e-6, 0.1e-6)
#: Masses of N_R that Brdar et al. find viable [MeV], y₃ = 1.
N_MASSES: Final = (10.0, 1000.0)
#: Neutrinos in a supernova's core [MeV]; cross sections over the neutrino's between which χ escapes with its energy:
#: from one collision in ten seconds of flight, against a mean free path of metres, to being trapped like a neutrino.
SUPERNOVA_ENERGY: Final = 100.0
SUPERNOVA_RANGE: Final = (1e-9, 1.0)
NEUTRINO_DECOUPLING: Final = 2.0  # MeV
BOHR_MAGNETON: Final = float(np.sqrt(4 * np.pi * ALPHA)) / (2 * M_ELECTRON)  # MeV⁻¹


def scalar_plane(
    experiments: Sequence[Experiment], masses: Floats, ratio: float = 3.0, reading: str = "majorana", threads: int = 1
) -> Sheet:
    """χ and S with m_S = `ratio` m_χ and y_N/A = y_χ, so that ȳ = y_χ.

    Parameters
    ----------
    experiments : sequence of Experiment
        Each has its own bound, 90% CL.
    masses : float64[n]
        m_χ, MeV.
    ratio : float
        m_S/m_χ, > 1.
    reading : str
        What χ is, see `relic_density`.
    threads : int

    Returns
    -------
    Sheet
        Over m_χ: bounds on ȳ, the y_χ of the observed dark matter without and with dilution, the seesaw's band, the
        largest mixing of a χ as old as the universe, and the supernova's band.

    Raises
    ------
    ValueError
        If S is not heavier than χ, or as `relic_density`.
    """
    if not validate.number("ratio", ratio, positive=True) > 1:
        raise ValueError(f"ratio = {ratio!r}: must be > 1, otherwise χ decays into S and a neutrino")
    batch = [ScalarMediator(m, ratio * m) for m in masses.tolist()]
    couplings = np.geomspace(1e-6, 0.999 * MOST_Y_CHI, 140)
    omega = relic_plane(masses, ratio * masses, couplings, reading, threads=threads)
    majorana = reading.startswith("majorana")
    stable = [maximal_mixing(m, majorana=majorana) for m in masses.tolist()]
    seesaw = [np.sqrt(NEUTRINO_MASSES[1] / M_N) for M_N in N_MASSES]  # y_χ = y₃ (m_ν/M_N)^½, BRX (39) and (42)
    # the same momentum transfer and charges as a neutrino's: ȳ²/(q² + m_S²) against G_F
    trapped = np.sqrt(G_FERMI * (SUPERNOVA_ENERGY**2 + (ratio * masses) ** 2))
    low, high = (trapped * part**0.25 for part in SUPERNOVA_RANGE)
    thermal = lightest_mass("majorana" if majorana else "dirac")
    return Sheet(
        {
            "m_chi": masses,
            **_bounds(experiments, batch, "y_bar"),
            **{f"dilution {factor:g}": _crossing(couplings, omega, factor) for factor in DILUTIONS},
            "seesaw low": np.full(masses.size, min(seesaw)),
            "seesaw high": np.full(masses.size, max(seesaw)),
            "largest mixing": np.array(stable),
            "supernova low": low,
            "supernova high": high,
            # S ↔ χν as fast as space expands at T = m_S: y²m_S/8π against H
            "N_eff low": np.where(
                masses < thermal, np.sqrt(8 * np.pi * _hubble(ratio * masses) / (ratio * masses)), np.nan
            ),
        },
        {
            "plane": f"m_S = {ratio:g} m_chi, y_N/A = y_chi; {reading}",
            "columns": "m_chi [MeV]; largest y_bar of each experiment, 90% CL; y_chi of Omega h2 = "
            f"{OMEGA_DARK_MATTER_H2:g} after entropy has diluted chi by that factor, nan: none",
            "seesaw": f"y_3 = 1, m_nu = 0.1 eV, M_N = {N_MASSES[0]:g} to {N_MASSES[1]:g} MeV",
            "largest mixing": "of nu_e and chi, for a lifetime of 13.787 Gyr",
            "orders of magnitude": "supernova: chi escapes with the energy of SN 1987A; N_eff > 3.33 where chi has "
            "thermalised; neither is part of any bound",
        },
    )


def dipole_plane(experiments: Sequence[Experiment], masses: Floats, majorana: bool = False) -> Sheet:
    """χ with a magnetic dipole |a_M|, left-handed neutrinos.

    Below T_QCD = 200 MeV a dipole too weak for equilibrium fills χ in mostly at the start: that gives a rough line of
    the right relic density. It lies far above the line of stability: such a χ has decayed long before today.

    Parameters
    ----------
    experiments : sequence of Experiment
    masses : float64[n]
        m_χ, MeV.
    majorana : bool

    Returns
    -------
    Sheet
        Over m_χ: bounds on ``|a_M|``, dipoles of a lifetime of 13.787 Gyr and of 1 s, the dipole that mixing gives a χ
        which makes the neutrino's mass, and the supernova's band.
    """
    batch = [SingletEFT(m, helicity="left") for m in masses.tolist()]
    unit = np.array([decay_widths(m, a_M=1.0, majorana=majorana)[DIPOLE_CHANNEL] for m in masses.tolist()])
    per_mixing = np.array([decay_widths(m, 1.0, majorana=majorana)["nu-gamma"] for m in masses.tolist()])
    seesaw = [np.sqrt(per_mixing / unit * m_nu / masses) for m_nu in NEUTRINO_MASSES]  # θ² = m_ν/m_χ
    # α μ² against G_F²E²/π
    trapped = G_FERMI * SUPERNOVA_ENERGY / np.sqrt(np.pi * ALPHA) / (G_FERMI * HIGGS_VEV)
    low, high = (np.full(masses.size, trapped * part**0.5) for part in SUPERNOVA_RANGE)
    thermal = lightest_mass("majorana" if majorana else "dirac")
    decoupling = np.maximum(masses, NEUTRINO_DECOUPLING)
    return Sheet(
        {
            "m_chi": masses,
            **_bounds(experiments, batch, "a_M"),
            "stable": np.sqrt(1 / (AGE_OF_UNIVERSE * unit)),
            "one second": np.sqrt(1 / unit),
            "freeze-in": _freeze_in(masses),
            "seesaw low": seesaw[0],
            "seesaw high": seesaw[1],
            "supernova low": low,
            "supernova high": high,
            # α μ² T³ against H at T = max(m, 2 MeV), where neutrinos decouple
            "N_eff low": np.where(
                masses < thermal, np.sqrt(_hubble(decoupling) / (ALPHA * decoupling**3)) / (G_FERMI * HIGGS_VEV), np.nan
            ),
        },
        {
            "plane": f"dipole a_M, {'Majorana' if majorana else 'Dirac'}, left-handed neutrinos; "
            f"1 is {G_FERMI * HIGGS_VEV / BOHR_MAGNETON:.4e} Bohr magnetons",
            "columns": "m_chi [MeV]; largest |a_M| of each experiment, 90% CL; |a_M| of a lifetime of 13.787 Gyr, 1 s",
            "freeze-in": "rough: |a_M| of Omega h2 = 0.12 from T = 200 MeV, were chi stable; it goes with its square",
            "seesaw": "the dipole of chi that mixes with theta^2 = m_nu/m_chi, m_nu = 0.01 to 0.1 eV",
            "orders of magnitude": "supernova: chi escapes with the energy of SN 1987A; N_eff > 3.33 where chi has "
            "thermalised; neither is part of any bound",
        },
    )


def draw_scalar_plane(table: Sheet) -> "Figure":
    """Bounds, dark matter, seesaw; below, the mixing with which χ is as old as the universe."""
    with drawing.style():
        figure, (axes, below) = _axes(2)
        _hatched(axes, table, 1.0)
        masses = _column(table, "m_chi")
        axes.fill_between(
            masses, _column(table, "seesaw low"), _column(table, "seesaw high"), color="#F0E442", alpha=0.5, lw=0,
            label=r"seesaw, $m_\nu = 0.1$ eV", zorder=0.5,
        )  # fmt: skip
        _draw_bounds(axes, table)
        for factor, width in zip(DILUTIONS, (2.2, 1.2, 0.7), strict=True):
            label = r"$\Omega h^2 = 0.12$" if factor == 1 else f"… diluted by $10^{{{np.log10(factor):.0f}}}$"
            axes.plot(masses, _column(table, f"dilution {factor:g}"), color="#009E73", lw=width, label=label)
        axes.set(ylabel=r"$\bar{y} = y_\chi$", ylim=(1e-6, 1.0))
        below.plot(masses, _column(table, "largest mixing"), color="black")
        below.fill_between(masses, _column(table, "largest mixing"), 1e-3, color="0.92", lw=0)
        below.text(0.96, 0.9, "χ decays", transform=below.transAxes, ha="right", va="top", fontsize=8)
        below.set(ylabel=r"$\theta_{e\chi}$", ylim=(1e-13, 1e-4), xlabel=r"$m_\chi$  [MeV]")
        _finish(figure, (axes, below), masses)
    return figure


def draw_dipole_plane(table: Sheet) -> "Figure":
    """Bounds, lifetimes, the dipole of the seesaw's mixing."""
    with drawing.style():
        figure, (axes,) = _axes(1)
        limits = (1e-18, 1e-1)
        _hatched(axes, table, limits[1])
        masses = _column(table, "m_chi")
        axes.fill_between(
            masses, _column(table, "seesaw low"), _column(table, "seesaw high"), color="#F0E442", alpha=0.6, lw=0,
            label=r"mixing of the seesaw", zorder=0.5,
        )  # fmt: skip
        _draw_bounds(axes, table)
        stable = _column(table, "stable")
        axes.plot(masses, stable, color="#009E73", lw=2.2, label="as old as the universe")
        axes.fill_between(masses, stable, limits[0], color="#009E73", alpha=0.15, lw=0)
        axes.plot(masses, _column(table, "one second"), color="#009E73", lw=0.8, label="decays in 1 s")
        axes.plot(
            masses, _column(table, "freeze-in"), color="#009E73", ls="dotted",
            label=r"$\Omega h^2 = 0.12$, were it stable (rough)",
        )  # fmt: skip
        axes.set(ylabel=r"$|a_M|$", ylim=limits, xlabel=r"$m_\chi$  [MeV]")
        _finish(figure, (axes,), masses)
    return figure


def _bounds(
    experiments: Sequence[Experiment], batch: Sequence[ScalarMediator | SingletEFT], coupling: str
) -> dict[str, Floats]:
    """Bounds by the experiments' names."""
    return {f"bound {each.name}": limit_scan(each, batch, coupling, cl=0.90).upper for each in experiments}


def _freeze_in(masses: Floats, T: float = 200.0) -> Floats:
    """|a_M| with which as much χ as there is dark matter is made at T: Y = Y_eq α μ² T³/H, relativistic, g = 2."""
    at = np.array([T])
    equilibrium = 45 * 2 * 2 / (4 * np.pi**4 * degrees_of_freedom(at).g_s)
    wanted = OMEGA_DARK_MATTER_H2 / (OMEGA_PER_MEV * masses)
    moment = np.sqrt(wanted / equilibrium * _hubble(at) / (ALPHA * T**3))
    return np.asarray(moment / (G_FERMI * HIGGS_VEV))


def _hubble(T: Floats) -> Floats:
    """Expansion rate at the temperatures, MeV."""
    return np.sqrt(4 * np.pi**3 / 45 * degrees_of_freedom(T).g_rho) * T**2 / M_PLANCK


def _crossing(couplings: Floats, omega: Floats, dilution: float) -> Floats:
    """The largest coupling at which Ω h² is that of dark matter times the dilution; NaN if there is none."""
    excess = np.log(omega / (OMEGA_DARK_MATTER_H2 * dilution))
    found = np.full(omega.shape[0], np.nan)
    for i, row in enumerate(excess):
        falls = np.flatnonzero((row[:-1] > 0) & (row[1:] <= 0))
        if falls.size:
            j = falls[-1]
            part = row[j] / (row[j] - row[j + 1])
            found[i] = couplings[j] * (couplings[j + 1] / couplings[j]) ** part
    return found


def _axes(rows: int) -> "tuple[Figure, Sequence[Axes]]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.5 * drawing.COLUMN, 4.2 + (rows - 1) * 1.2))
    every = figure.subplots(rows, 1, sharex=True, squeeze=False, height_ratios=[3.6, 1.2][:rows])[:, 0]
    return figure, list(every)


def _hatched(axes: "Axes", table: Sheet, top: float) -> None:
    """Regions that are orders of magnitude."""
    masses = _column(table, "m_chi")
    axes.fill_between(
        masses, _column(table, "supernova low"), _column(table, "supernova high"), facecolor="none", edgecolor="0.6",
        hatch="////", lw=0, label="SN 1987A (rough)", zorder=0.2,
    )  # fmt: skip
    low = _column(table, "N_eff low")
    axes.fill_between(
        masses, low, np.where(np.isfinite(low), top, np.nan), facecolor="none", edgecolor="0.8", hatch="\\\\\\", lw=0,
        label=r"$N_\mathrm{eff}$, if thermal (rough)", zorder=0.1,
    )  # fmt: skip


def _draw_bounds(axes: "Axes", table: Sheet) -> None:
    looks = [look for look in drawing.LOOKS if look[0] != "#009E73"]  # that is dark matter's
    names = [name for name in table.columns if name.startswith("bound ")]
    for i, name in enumerate(names):
        drawing.Curve(
            name.removeprefix("bound "), _column(table, "m_chi"), _column(table, name), looks[i % len(looks)]
        ).draw(axes, 1.0)


def _finish(figure: "Figure", every: "Sequence[Axes]", masses: Floats) -> None:
    for axes in every:
        axes.set(xscale="log", yscale="log", xlim=(masses[0], masses[-1]))
    handles, labels = every[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, columnspacing=1.2)


def _column(table: Sheet, name: str) -> Floats:
    return np.array(table.columns[name], dtype=float)


PLANES: Final[dict[str, Callable[[Sheet], "Figure"]]] = {"scalar": draw_scalar_plane, "dipole": draw_dipole_plane}
