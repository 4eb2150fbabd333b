"""Figures of χ in the laboratory and in the universe: what is computed as lines, orders of magnitude hatched."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from cevns_fast._validate import Floats
from cevns_fast.output import drawing
from cevns_fast.output.dark_matter import DILUTIONS
from cevns_fast.output.tables import Sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_scalar_plane(table: Sheet) -> "Figure":
    """Bounds, dark matter, seesaw; below, the mixing with which χ is as old as the universe."""
    with drawing.style():
        figure, (axes, below) = _axes(2)
        _hatched(axes, table, 1.0)
        masses = table.numbers("m_chi")
        _seesaw(axes, table, r"seesaw, $m_\nu = 0.1$ eV", alpha=0.5)
        _draw_bounds(axes, table)
        for factor, width in zip(DILUTIONS, (2.2, 1.2, 0.7), strict=True):
            label = r"$\Omega h^2 = 0.12$" if factor == 1 else f"… diluted by $10^{{{np.log10(factor):.0f}}}$"
            axes.plot(masses, table.numbers(f"dilution {factor:g}"), color="#009E73", lw=width, label=label)
        axes.set(ylabel=r"$\bar{y} = y_\chi$", ylim=(1e-6, 1.0))
        below.plot(masses, table.numbers("largest mixing"), color="black")
        below.fill_between(masses, table.numbers("largest mixing"), 1e-3, color="0.92", lw=0)
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
        masses = table.numbers("m_chi")
        _seesaw(axes, table, "mixing of the seesaw", alpha=0.6)
        _draw_bounds(axes, table)
        stable = table.numbers("stable")
        axes.plot(masses, stable, color="#009E73", lw=2.2, label="as old as the universe")
        axes.fill_between(masses, stable, limits[0], color="#009E73", alpha=0.15, lw=0)
        axes.plot(masses, table.numbers("one second"), color="#009E73", lw=0.8, label="decays in 1 s")
        axes.plot(
            masses, table.numbers("freeze-in"), color="#009E73", ls="dotted",
            label=r"$\Omega h^2 = 0.12$, were it stable (rough)",
        )  # fmt: skip
        axes.set(ylabel=r"$|a_M|$", ylim=limits, xlabel=r"$m_\chi$  [MeV]")
        _finish(figure, (axes,), masses)
    return figure


def _axes(rows: int) -> "tuple[Figure, Sequence[Axes]]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.5 * drawing.COLUMN, 4.2 + (rows - 1) * 1.2))
    every = figure.subplots(rows, 1, sharex=True, squeeze=False, height_ratios=[3.6, 1.2][:rows])[:, 0]
    return figure, list(every)


def _hatched(axes: "Axes", table: Sheet, top: float) -> None:
    """Regions that are orders of magnitude."""
    masses = table.numbers("m_chi")
    axes.fill_between(
        masses, table.numbers("supernova low"), table.numbers("supernova high"), facecolor="none", edgecolor="0.6",
        hatch="////", lw=0, label="SN 1987A (rough)", zorder=0.2,
    )  # fmt: skip
    low = table.numbers("N_eff low")
    axes.fill_between(
        masses, low, np.where(np.isfinite(low), top, np.nan), facecolor="none", edgecolor="0.8", hatch="\\\\\\", lw=0,
        label=r"$N_\mathrm{eff}$, if thermal (rough)", zorder=0.1,
    )  # fmt: skip


def _seesaw(axes: "Axes", table: Sheet, label: str, alpha: float) -> None:
    """The band of what gives neutrinos their mass."""
    low, high = table.numbers("seesaw low"), table.numbers("seesaw high")
    axes.fill_between(table.numbers("m_chi"), low, high, color="#F0E442", alpha=alpha, lw=0, label=label, zorder=0.5)


def _draw_bounds(axes: "Axes", table: Sheet) -> None:
    looks = [look for look in drawing.LOOKS if look[0] != "#009E73"]  # that is dark matter's
    names = [name for name in table.columns if name.startswith("bound ")]
    for i, name in enumerate(names):
        drawing.Curve(
            name.removeprefix("bound "), table.numbers("m_chi"), table.numbers(name), looks[i % len(looks)]
        ).draw(axes, 1.0)


def _finish(figure: "Figure", every: "Sequence[Axes]", masses: Floats) -> None:
    for axes in every:
        axes.set(xscale="log", yscale="log", xlim=(masses[0], masses[-1]))
    handles, labels = every[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, columnspacing=1.2)


PLANES: Final[dict[str, Callable[[Sheet], "Figure"]]] = {"scalar": draw_scalar_plane, "dipole": draw_dipole_plane}
