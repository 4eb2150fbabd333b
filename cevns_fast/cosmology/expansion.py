"""How the universe expands while χ leaves equilibrium: steps in ln x, and what is needed at their stages."""

import math
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from cevns_fast._validate import Floats
from cevns_fast.constants import M_PLANCK
from cevns_fast.cosmology.radiation import SEAM, degrees_of_freedom, with_tilt
from cevns_fast.cosmology.thermal_average import k1e_over_k2e, k2e

# Radau IIA of order five: matrix and stages (E. Hairer and G. Wanner, Solving ODEs II, Table IV.5.6).
_ROOT: Final = math.sqrt(6.0)
RADAU: Final = np.array([
    [(88 - 7 * _ROOT) / 360, (296 - 169 * _ROOT) / 1800, (-2 + 3 * _ROOT) / 225],
    [(296 + 169 * _ROOT) / 1800, (88 + 7 * _ROOT) / 360, (-2 - 3 * _ROOT) / 225],
    [(16 - _ROOT) / 36, (16 + _ROOT) / 36, 1 / 9],
])  # fmt: skip
_STAGES: Final = np.array([(4 - _ROOT) / 10, (4 + _ROOT) / 10, 1.0])
_STEP: Final = 0.05  # in ln x
_FREEZING: Final = 2.0, 60.0, 0.016  # from x to x shorter steps: yields are then good to 1e-7
_QUANTUM_TERMS: Final = 40  # of the series of Fermi's and Bose's integrals


class Species(NamedTuple):
    """A particle in equilibrium: mass [MeV], spin states, and whether it is a fermion."""

    mass: float
    g: float
    fermion: bool


class Points(NamedTuple):
    """Where yields are wanted: at these x alone, or everywhere up to the last."""

    x: tuple[float, ...]
    alone: bool


class Assumptions(NamedTuple):
    """What the paper leaves out: Fermi's and Bose's statistics in Y_eq, and χ and S in g_*."""

    quantum: bool = False
    counted: tuple[Species, ...] = ()


def hubble(T: Floats, g_rho: Floats | None = None) -> Floats:
    """Expansion rate at temperatures [MeV]; with g_ρ of the Standard Model if it is left out."""
    counted = degrees_of_freedom(T).g_rho if g_rho is None else g_rho
    return np.asarray(np.sqrt(4 * np.pi**3 / 45 * counted) * T**2 / M_PLANCK)  # H² = 8π/3 ρ/M_Pl², ρ = π²/30 g T⁴


class TimeGrid:
    """Steps in ln x, and how space expands at their stages.

    Attributes
    ----------
    edges : float64[n + 1]
        ln x at the ends of the steps.
    x : float64[k]
        Where yields are given, and `keep`, their places among the edges.
    steps, T : float64[n], float64[n, 3]
        Steps, and temperatures of the stages [MeV].
    tilt, H : float64[n, 3]
        1 + ⅓ dln g_s/dln T, and the expansion rate [MeV].
    expansion : float64[n, 3]
        s tilt/H [MeV²]: what ⟨σv⟩ is multiplied by in an equation for yields over ln x.
    """

    def __init__(self, mass: float, T_start: float, points: Points, assumed: Assumptions) -> None:
        self.mass, self.T_start, self._assumed = mass, T_start, assumed
        wanted = [math.log(x) for x in points.x]
        marks = [math.log(mass / T_start), *wanted]
        begin, end, short = _FREEZING
        extra = map(math.log, (mass / SEAM, begin, end))  # no step crosses the fit's seam
        marks = sorted({*marks, *(mark for mark in extra if marks[0] < mark < marks[-1])})
        pieces = [
            np.linspace(a, b, 1 + math.ceil((b - a) / (short if math.log(begin) <= a < math.log(end) else _STEP)))
            for a, b in pairwise(marks)
        ]
        self.edges = np.unique(np.concatenate(pieces))
        self.keep = np.searchsorted(self.edges, wanted) if points.alone else np.arange(self.edges.size)
        self.x = np.array(points.x) if points.alone else np.exp(self.edges)
        self.steps = np.diff(self.edges)
        self.T = mass / np.exp(self.edges[:-1, None] + self.steps[:, None] * _STAGES)
        side = mass / np.exp((self.edges[1:] + self.edges[:-1]) / 2)
        g_rho, self._g_s, self.tilt = self._counted(self.T, np.broadcast_to(side[:, None], self.T.shape))
        self.H = hubble(self.T, g_rho)
        self.expansion = self.tilt * 2 * np.pi**2 / 45 * self._g_s * self.T**3 / self.H

    def log_equilibrium(self, species: Species) -> Floats:
        """ln Y_eq at the stages."""
        return self._log_equilibrium(species, self.T, self._g_s)

    def log_start(self, species: Species) -> float:
        """ln Y_eq at the start."""
        T = np.array([self.T_start])
        return float(self._log_equilibrium(species, T, self._counted(T)[1])[0])

    def log_at_points(self, species: Species) -> Floats:
        """ln Y_eq where yields are given."""
        T = self.mass / self.x
        return self._log_equilibrium(species, T, self._counted(T)[1])

    def _log_equilibrium(self, species: Species, T: Floats, g_s: Floats) -> Floats:
        """ln of Y_eq = 45 g z² K₂(z)/(4π⁴ g_s)."""
        z = species.mass / T
        bessel = k2e(z)
        if self._assumed.quantum:
            sign = -1.0 if species.fermion else 1.0
            with np.errstate(under="ignore"):
                for n in range(2, _QUANTUM_TERMS + 1):
                    bessel = bessel + sign ** (n + 1) * k2e(n * z) * np.exp(-(n - 1) * z) / n
        return np.log(45 * species.g / (4 * np.pi**4) * z**2 * bessel / g_s) - z

    def _counted(self, T: Floats, branch: Floats | None = None) -> tuple[Floats, Floats, Floats]:
        """g_ρ, g_s and tilt, with the species that are counted in equilibrium."""
        g_rho, g_s, tilt = with_tilt(T, branch)
        for species in self._assumed.counted:
            h = 1e-4
            (more_rho, more_s), (_, up), (_, down) = (_ideal_gas(species, T * math.exp(k * h)) for k in (0, 1, -1))
            slope = 3 * (tilt - 1) * g_s + (up - down) / (2 * h)  # dg_s/dln T
            g_rho, g_s = g_rho + more_rho, g_s + more_s
            tilt = 1 + slope / g_s / 3
        return g_rho, g_s, tilt


def _ideal_gas(species: Species, T: Floats) -> tuple[Floats, Floats]:
    """Its part of g_ρ and g_s, after Maxwell and Boltzmann: ρ = n (m K₁/K₂ + 3T) and p = nT."""
    z = species.mass / T
    with np.errstate(under="ignore"):
        density = species.g * z**2 * k2e(z) * np.exp(-z) / (2 * np.pi**2)  # over T³
    energy = z * k1e_over_k2e(z) + 3  # a particle's, over T
    return 30 / np.pi**2 * density * energy, 45 / (2 * np.pi**2) * density * (energy + 1)
