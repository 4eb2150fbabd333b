"""The Boltzmann equations of χ and S: tables for two masses, then both yields for any coupling.

N = Y_χ + Y_S changes only by annihilation into neutrinos, and the decay S ↔ χν keeps the two in relative equilibrium;
where that is fast one equation for ln N is enough.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from cevns_fast._kernels import relic_density as kernels
from cevns_fast._support.scalars import scalar_or_array
from cevns_fast._validate import Floats
from cevns_fast.constants import OMEGA_DARK_MATTER_H2
from cevns_fast.cosmology.expansion import RADAU, Assumptions, Points, Species, TimeGrid
from cevns_fast.cosmology.thermal_average import LogTable, Reading, k1e_over_k2e, threshold
from cevns_fast.parallel.once import once

#: Ω h² of a yield of one per MeV, BRX Eq. (47); s₀ and ρ_c of the Particle Data Group give 2.744e5.
OMEGA_PER_MEV: Final = 2.742e5
#: N/N_eq that defines freeze-out.
FREEZE_OUT: Final = 2.5
#: Departure of Y_χ from the relative equilibrium with S up to which one equation is solved instead of two.
NEGLIGIBLE: Final = 1e-9
#: The paper's assumptions.
NOTHING_MORE: Final = Assumptions()


def species(masses: tuple[float, float], reading: Reading) -> tuple[Species, Species]:
    """χ and S."""
    return Species(masses[0], reading.g_chi, fermion=True), Species(masses[1], 1.0, fermion=False)


@dataclass(frozen=True, eq=False)
class RelicDensity:
    """The evolution of χ, and what is left.

    Attributes
    ----------
    x : float64[n]
        m_χ/T.
    Y_chi, Y_S : float64[..., n]
        Yields n/s, one row for each coupling.
    Y_eq : float64[n]
        Yield of χ in equilibrium.
    omega_h2 : float64[...]
        2.742e5 m_χ/MeV Y_χ at the last x, BRX Eq. (47). Yields still fall after x = 30: say where you stop. A number
        for a single coupling, as are the next two.
    dilution : float64[...]
        Factor by which entropy must be injected to reach the observed 0.1200.
    x_freeze_out : float64[...]
        Where N = Y_χ + Y_S leaves 2.5 times its equilibrium; NaN if annihilation never kept up with the expansion.
    method : str
        "reduced", one equation for N, or "coupled", both equations (46).

    Examples
    --------
    >>> import cevns_fast as cf
    >>> relic = cf.cosmology.relic_density(m_chi=3.0, m_S=10.0, y_chi=1e-3)
    >>> [round(float(each), 1) for each in (relic.omega_h2, relic.dilution, relic.x_freeze_out)]
    [31.9, 265.5, 9.8]
    >>> bool((relic.Y_chi[..., -1] > relic.Y_eq[-1]).all())
    True
    """

    x: Floats
    Y_chi: Floats
    Y_S: Floats
    Y_eq: Floats
    omega_h2: Floats
    dilution: Floats
    x_freeze_out: Floats
    method: str


class Universe:
    """All that does not depend on the coupling, for two masses and a start."""

    def __init__(
        self,
        masses: tuple[float, float],
        reading: Reading,
        T_start: float,
        points: Points,
        exact_width: bool = False,
        assumed: Assumptions = NOTHING_MORE,
        threads: int = 1,
    ) -> None:
        m_chi, m_S = self.masses = masses
        self.reading, self.threads = reading, threads
        chi, S = species(masses, reading)
        self.grid = grid = TimeGrid(m_chi, T_start, points, assumed)
        self.T_range = m_chi / math.exp(grid.edges[-1]), T_start
        self.log_chi, self.log_S = grid.log_equilibrium(chi), grid.log_equilibrium(S)
        self.log_eq = np.logaddexp(self.log_chi, self.log_S)
        start_chi, start_S = grid.log_start(chi), grid.log_start(S)
        self.log_start = float(np.logaddexp(start_chi, start_S))
        self.share_start = math.exp(start_S - self.log_start)
        self.chi_nu = grid.expansion * reading.pair * np.exp(self._table("chi-chi-nu-nu")(grid.T))
        self.S_nu = grid.expansion * np.exp(self._table("S-S-nu-nu")(grid.T))
        with np.errstate(under="ignore"):
            self.share = np.exp(self.log_S - self.log_eq)  # Y_S/N in relative equilibrium
            self.rate = self.chi_nu * (1 - self.share) ** 2 + self.S_nu * self.share**2
        # Γ_S = y²M/8π, exactly times (1 − m²/M²)², slowed by K₁/K₂ for S in motion
        width = m_S / (8 * np.pi) * (((m_S - m_chi) * (m_S + m_chi) / m_S**2) ** 2 if exact_width else 1.0)
        z = m_S / grid.T
        self.decay = grid.tilt / grid.H * width * k1e_over_k2e(z)
        relaxation = self.decay / (1 - self.share)  # (1 + Y_S/Y_χ)
        drift = np.abs(np.gradient(self.share[:, -1], grid.edges[1:]))
        self.change = np.abs(np.gradient(self.log_eq[:, -1], grid.edges[1:]))
        self.Y_eq = np.exp(grid.log_at_points(chi))
        self.slowest = float(np.max(drift / relaxation[:, -1] / (1 - self.share[:, -1])))

    def _table(self, process: str) -> LogTable:
        return LogTable(process, *self.masses, self.T_range, self.reading, self.threads)

    def evolve(self, couplings: Floats, threads: int) -> RelicDensity:
        """Both yields for each coupling."""
        y = couplings.ravel()
        grid = self.grid
        out = np.empty((y.size, grid.steps.size + 1))
        share = np.empty_like(out)
        share[:, 0], share[:, 1:] = self.share_start, self.share[:, -1]
        two = self.slowest / y**2 > NEGLIGIBLE
        if not two.all():
            found = np.empty((np.count_nonzero(~two), out.shape[1]))
            kernels.reduced(
                y[~two] ** 4, grid.steps, self.rate, self.log_eq, RADAU, self.log_start, found, threads=threads
            )
            out[~two] = found
        if two.any():
            out[two], share[two] = self._coupled(y[two], threads)
        failed = np.isnan(out[:, -1])
        if failed.any():
            raise ArithmeticError(f"y_chi = {y[failed].tolist()[0]!r}: the Boltzmann equation could not be solved")
        N = np.exp(out)
        shape = couplings.shape
        Y_chi, Y_S = ((1 - share) * N)[:, grid.keep], (share * N)[:, grid.keep]
        omega = (OMEGA_PER_MEV * self.masses[0] * ((1 - share) * N)[:, -1]).reshape(shape)
        freeze_out = np.array([self._freeze_out(y_, L) for y_, L in zip(y, out, strict=True)])
        return RelicDensity(
            x=grid.x,
            Y_chi=Y_chi.reshape(*shape, -1),
            Y_S=Y_S.reshape(*shape, -1),
            Y_eq=self.Y_eq,
            omega_h2=scalar_or_array(omega),
            dilution=scalar_or_array(omega / OMEGA_DARK_MATTER_H2),
            x_freeze_out=scalar_or_array(freeze_out.reshape(shape)),
            method="coupled" if two.all() else "reduced" if not two.any() else "reduced and coupled",
        )

    def _coupled(self, y: Floats, threads: int) -> tuple[Floats, Floats]:
        """ln N and Y_S/N by both equations."""
        out, share = (np.empty((y.size, self.grid.steps.size + 1)) for _ in range(2))
        kernels.coupled(
            y**2, self.grid.steps, self.chi_nu, self.S_nu, *self._conversion, self.decay, *self._equilibrium, RADAU,
            self.log_start, self.share_start, out, share, threads=threads,
        )  # fmt: skip
        return out, share

    @once
    def _conversion(self) -> tuple[Floats, Floats]:
        """Rates of χχ → SS and back."""
        table = self._table("chi-chi-S-S")(self.grid.T) - threshold("chi-chi-S-S", *self.masses) / self.grid.T
        factor = self.grid.expansion * self.reading.pair
        with np.errstate(under="ignore"):
            return factor * np.exp(table), factor * np.exp(table - 2 * (self.log_S - self.log_chi))

    @once
    def _equilibrium(self) -> tuple[Floats, Floats, Floats]:
        """Y_S/Y_χ, Y_χ and Y_S in equilibrium."""
        with np.errstate(under="ignore"):
            return np.exp(self.log_S - self.log_chi), np.exp(self.log_chi), np.exp(self.log_S)

    def _freeze_out(self, y: float, log_N: Floats) -> float:
        """x where N crosses 2.5 N_eq for the last time, if annihilation ever was faster than N_eq changes."""
        excess = log_N[1:] - self.log_eq[:, -1] - math.log(FREEZE_OUT)
        with np.errstate(under="ignore"):
            kept_up = 2 * y**4 * self.rate[:, -1] * np.exp(self.log_eq[:, -1]) > self.change
        crossings = np.flatnonzero((excess[:-1] < 0) & (excess[1:] >= 0))
        if not kept_up.any() or not crossings.size or excess[-1] < 0:
            return math.nan
        i = crossings[-1]
        part = excess[i] / (excess[i] - excess[i + 1])
        return float(np.exp(self.grid.edges[i + 1] + part * self.grid.steps[i + 1]))
