"""How much χ is left over from the early universe: Brdar, Rodejohann & Xu 2018 (BRX), Sec. IV.

N = Y_χ + Y_S changes only by annihilation into neutrinos, and the decay S ↔ χν keeps the two in relative
equilibrium; where that is fast one equation for ln N is enough. Everything that does not depend on the coupling is
tabulated once for the masses.
"""

import math
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import k1e

import cevns_fast
from cevns_fast import _validate as validate
from cevns_fast._kernels import relic_density as kernels
from cevns_fast._validate import Floats
from cevns_fast.constants import M_PLANCK, MEV2_CM2, OMEGA_DARK_MATTER_H2, SPEED_OF_LIGHT
from cevns_fast.cosmology.degrees_of_freedom import SEAM, checked, with_tilt
from cevns_fast.cosmology.thermal_cross_section import READINGS, LogTable, Reading, checked_masses, k2e, threshold
from cevns_fast.parallel import chunks
from cevns_fast.parallel.progress import Progress
from cevns_fast.parallel.threads import checked as checked_threads
from cevns_fast.parallel.threads import get_num_threads

#: Ω h² of a yield of one per MeV, BRX Eq. (47); s₀ and ρ_c of the Particle Data Group give 2.744e5.
OMEGA_PER_MEV: Final = 2.742e5
#: cm³/s in MeV⁻².
CM3_PER_S: Final = 1 / (MEV2_CM2 * SPEED_OF_LIGHT * 100)
#: Couplings from here on are not perturbative: y²/4π = 1.
MOST_Y_CHI: Final = math.sqrt(4 * math.pi)
#: N/N_eq that defines freeze-out.
FREEZE_OUT: Final = 2.5
#: Departure of Y_χ from the relative equilibrium with S up to which one equation is solved instead of two.
NEGLIGIBLE: Final = 1e-9

# Radau IIA of order five: matrix and stages (E. Hairer and G. Wanner, Solving ODEs II, Table IV.5.6).
_ROOT: Final = math.sqrt(6.0)
_A: Final = np.array([
    [(88 - 7 * _ROOT) / 360, (296 - 169 * _ROOT) / 1800, (-2 + 3 * _ROOT) / 225],
    [(296 + 169 * _ROOT) / 1800, (88 + 7 * _ROOT) / 360, (-2 - 3 * _ROOT) / 225],
    [(16 - _ROOT) / 36, (16 + _ROOT) / 36, 1 / 9],
])  # fmt: skip
_STAGES: Final = np.array([(4 - _ROOT) / 10, (4 + _ROOT) / 10, 1.0])
_STEP: Final = 0.05  # in ln x
_FREEZING: Final = 2.0, 60.0, 0.016  # from x to x shorter steps: yields are then good to 1e-8
_MOST_REMEMBERED: Final = 8


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
        2.742e5 m_χ/MeV Y_χ at the last x, BRX Eq. (47). Yields still fall after x = 30: say where you stop.
    dilution : float64[...]
        Factor by which entropy must be injected to reach the observed 0.1200.
    x_freeze_out : float64[...]
        Where N = Y_χ + Y_S leaves 2.5 times its equilibrium; NaN if annihilation never kept up with the expansion.
    method : str
        "reduced", one equation for N, or "coupled", both equations (46).
    """

    x: Floats
    Y_chi: Floats
    Y_S: Floats
    Y_eq: Floats
    omega_h2: Floats
    dilution: Floats
    x_freeze_out: Floats
    method: str


def relic_density(
    m_chi: float,
    m_S: float,
    y_chi: ArrayLike,
    reading: str = "dirac",
    T_qcd: float = 200.0,
    x_end: float = 100.0,
    x: ArrayLike | None = None,
    width: str = "massless",
    threads: int = 1,
) -> RelicDensity:
    """Abundance of χ that is in equilibrium with S and neutrinos at T_QCD, by BRX Eq. (46).

    Parameters
    ----------
    m_chi, m_S : float
        Masses, MeV, 0 < m_chi < m_S.
    y_chi : array_like
        Coupling in L = y_χ S χ̄ P_L ν + h.c., in (0, √4π); the couplings of an array share all tables.
    reading : {"dirac", "majorana", "majorana-lepton-conserving", "dirac-pair"}
        The paper's, χχ̄ → νν̄ through the t-channel alone with g = 2; a Majorana χ with t- and u-channel and
        χχ → νν, or without the latter; χ and χ̄ together with g = 4.
    T_qcd : float
        Temperature of the start, MeV.
    x_end : float
        m_χ/T of the end.
    x : array_like, optional
        Increasing values of m_χ/T where yields are wanted; the last is the end. Left out: a fine grid to x_end.
    width : {"massless", "exact"}
        Γ_S = y² m_S/8π as printed, or times (1 − m_χ²/m_S²)². It matters below y ~ 1e-9 only: S decays late.
    threads : int
        For the tables and for many couplings.

    Returns
    -------
    RelicDensity

    Raises
    ------
    ValueError
        If a number is not finite or not in its range, χ not lighter than S, a name unknown, the start outside the
        table of g_*, the end before the start, or the coupling not perturbative.

    Notes
    -----
    V. Brdar, W. Rodejohann and X.-J. Xu, JHEP 12 (2018) 024, arXiv:1810.03626. Numbers agree with the literal system
    to 1e-7 or better; as physics they hold to 10-50% where χ is not in equilibrium, for want of quantum statistics,
    of χ and S in g_*, and of a sharp T_QCD. For T_qcd = 150 the yields of y = 1e-5 rise by 47%.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> relic = cf.cosmology.relic_density(m_chi=3.0, m_S=10.0, y_chi=[1e-3, 1e-4])
    >>> relic.omega_h2.round(1), relic.x_freeze_out.round(1)
    (array([   31.9, 22968.3]), array([9.8, 2.7]))
    """
    masses = checked_masses(m_chi, m_S)
    read = READINGS[validate.choice("reading", reading, READINGS)]
    couplings = _checked_couplings(y_chi)
    start = checked("T_qcd", validate.array("T_qcd", validate.number("T_qcd", T_qcd, positive=True)))
    points = _checked_points(x, x_end, masses[0] / float(start))
    exact = validate.choice("width", width, ("massless", "exact")) == "exact"
    universe = _universe(masses, read, float(start), points, exact, checked_threads(threads))
    return universe.evolve(couplings, threads)


def relic_plane(
    m_chi: ArrayLike,
    m_S: ArrayLike,
    y_chi: ArrayLike,
    reading: str = "dirac",
    T_qcd: float = 200.0,
    x_end: float = 100.0,
    executor: Executor | None = None,
    threads: int | None = None,
    checkpoint: str | Path | None = None,
    progress: Progress = None,
) -> Floats:
    """Ω h² on a plane of masses and couplings.

    Parameters
    ----------
    m_chi : array_like
        Masses of χ, MeV.
    m_S : array_like
        Mass of S for each of them, or one for all, MeV.
    y_chi : array_like
        Couplings.
    reading, T_qcd, x_end
        See `relic_density`.
    executor, threads, checkpoint, progress
        See `correlation_scan`.

    Returns
    -------
    float64[masses, couplings]

    Raises
    ------
    ValueError
        As `relic_density`, for the first combination that it refuses.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> omega = cf.cosmology.relic_plane([3.0, 10.0], [10.0, 30.0], [1e-4, 1e-3, 1e-2], threads=1)
    >>> omega.shape, float(omega[0, 1].round(1))
    ((2, 3), 31.9)
    """
    chi = validate.vector("m_chi", m_chi)
    S = validate.vector("m_S", np.broadcast_to(validate.array("m_S", m_S), chi.shape))
    couplings = _checked_couplings(validate.vector("y_chi", y_chi))
    T_qcd = validate.number("T_qcd", T_qcd, positive=True)
    reading = validate.choice("reading", reading, READINGS)
    start = float(checked("T_qcd", np.array(T_qcd)))
    for one_chi, one_S in zip(chi.tolist(), S.tolist(), strict=True):
        checked_masses(one_chi, one_S)
        _checked_points(None, x_end, one_chi / start)
    work = _Plane(chi, S, couplings, reading, start, float(x_end))
    rows = np.empty((chi.size, couplings.size))
    workers = get_num_threads() if threads is None else checked_threads(threads)
    chunks.run(work, rows, work.identity(), executor, workers, checkpoint, progress)
    return rows


def thermal_relic(m: float, sigma_v: float, g: float = 2.0, x_start: float = 1.0, x_end: float = 1e5) -> float:
    """Ω h² of a particle with a constant annihilation cross section: the standard candle of freeze-out.

    Parameters
    ----------
    m : float
        Mass, MeV.
    sigma_v : float
        ⟨σv⟩, cm³/s.
    g : float
        Spin states.
    x_start, x_end : float
        m/T of the start, in equilibrium, and of the end.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a number is not positive, or the end before the start.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> round(cf.cosmology.thermal_relic(m=100e3, sigma_v=2.2e-26), 4)
    0.1149
    """
    mass, rate = validate.number("m", m, positive=True), validate.number("sigma_v", sigma_v, positive=True)
    spins = validate.number("g", g, positive=True)
    begin = validate.number("x_start", x_start, positive=True)
    T_start = float(checked("m/x_start", np.array(mass / begin)))
    grid = _Grid(mass, T_start, _checked_points(None, x_end, begin))
    log_eq = grid.log_equilibrium(mass, spins)
    out = np.empty((1, grid.steps.size + 1))
    kernels.reduced(
        np.ones(1), grid.steps, grid.expansion * rate * CM3_PER_S, log_eq, _A, grid.log_start(mass, spins), out
    )
    return OMEGA_PER_MEV * mass * math.exp(out[0, -1])


def _checked_couplings(y_chi: ArrayLike) -> Floats:
    """Couplings that are positive and perturbative."""
    couplings = validate.array("y_chi", y_chi)
    bad = ~((couplings > 0) & (couplings < MOST_Y_CHI))
    if bad.any():
        raise ValueError(
            f"y_chi = {couplings[bad].flat[0].item()!r}: must be in (0, {MOST_Y_CHI:.3f}), below √4π, where "
            "perturbation theory holds"
        )
    return couplings


def _checked_points(x: ArrayLike | None, x_end: float, start: float) -> tuple[float, ...]:
    """Where yields are wanted, or the end alone."""
    if x is None:
        end = validate.number("x_end", x_end, positive=True)
        if not end > start:
            raise ValueError(f"x_end = {x_end!r}: must be > {start:g}, the start's m_chi/T")
        return (end,)
    points = validate.vector("x", x)
    if not (points[0] > start and np.all(np.diff(points) > 0)):
        raise ValueError(f"x = {points.tolist()}: must be increasing and > {start:g}, the start's m_chi/T")
    return (-1.0, *points.tolist())  # marked: at these points only


class _Grid:
    """Steps in ln x, and how space expands at their stages."""

    def __init__(self, mass: float, T_start: float, points: tuple[float, ...]) -> None:
        self.mass, self.T_start = mass, T_start
        wanted = [math.log(x) for x in points if x > 0]
        marks = [math.log(mass / T_start), *wanted]
        begin, end, short = _FREEZING
        extra = map(math.log, (mass / SEAM, begin, end))  # no step crosses the fit's seam
        marks = sorted({*marks, *(mark for mark in extra if marks[0] < mark < marks[-1])})
        pieces = [
            np.linspace(a, b, 1 + math.ceil((b - a) / (short if math.log(begin) <= a < math.log(end) else _STEP)))
            for a, b in pairwise(marks)
        ]
        edges = np.unique(np.concatenate(pieces))
        self.edges = edges
        self.keep = np.searchsorted(edges, wanted) if points[0] < 0 else np.arange(edges.size)
        self.steps = np.diff(edges)
        self.x = np.exp(edges[:-1, None] + self.steps[:, None] * _STAGES)
        self.T = mass / self.x
        side = mass / np.exp((edges[1:] + edges[:-1]) / 2)
        g_rho, self.g_s, tilt = with_tilt(self.T, np.broadcast_to(side[:, None], self.T.shape))
        self.H = np.sqrt(4 * np.pi**3 / 45 * g_rho) * self.T**2 / M_PLANCK  # H² = 8π/3 ρ/M_Pl², ρ = π²/30 g T⁴
        self.tilt = tilt
        self.expansion = tilt * 2 * np.pi**2 / 45 * self.g_s * self.T**3 / self.H  # −(dlns/dlnx)/3 · s/H

    def log_equilibrium(self, mass: float, g: float) -> Floats:
        """ln Y_eq at the stages."""
        return _log_equilibrium(mass / self.T, g, self.g_s)

    def log_start(self, mass: float, g: float) -> float:
        """ln Y_eq at the start."""
        T = np.array([self.T_start])
        return float(_log_equilibrium(mass / T, g, with_tilt(T)[1])[0])

    def at_edges(self, mass: float, g: float) -> Floats:
        """ln Y_eq where yields are given."""
        T = self.mass / np.exp(self.edges[self.keep])
        return _log_equilibrium(mass / T, g, with_tilt(T)[1])


def _log_equilibrium(z: Floats, g: float, g_s: Floats) -> Floats:
    """ln of Y_eq = 45 g z² K₂(z)/(4π⁴ g_s), Maxwell and Boltzmann's."""
    return np.log(45 * g / (4 * np.pi**4) * z**2 * k2e(z) / g_s) - z


class _Universe:
    """All that does not depend on the coupling, for two masses and a start."""

    def __init__(
        self,
        masses: tuple[float, float],
        reading: Reading,
        T_start: float,
        points: tuple[float, ...],
        exact_width: bool,
        threads: int,
    ) -> None:
        m_chi, m_S = self.masses = masses
        self.reading, self.threads = reading, threads
        self.grid = grid = _Grid(m_chi, T_start, points)
        self.T_range = m_chi / math.exp(grid.edges[-1]), T_start
        self.log_chi, self.log_S = grid.log_equilibrium(m_chi, reading.g_chi), grid.log_equilibrium(m_S, 1.0)
        self.log_eq = np.logaddexp(self.log_chi, self.log_S)
        start_chi, start_S = grid.log_start(m_chi, reading.g_chi), grid.log_start(m_S, 1.0)
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
        self.decay = grid.tilt / grid.H * width * k1e(z) / k2e(z)
        relaxation = self.decay / (1 - self.share)  # (1 + Y_S/Y_χ)
        drift = np.abs(np.gradient(self.share[:, -1], grid.edges[1:]))
        self.change = np.abs(np.gradient(self.log_eq[:, -1], grid.edges[1:]))
        self.Y_eq = np.exp(grid.at_edges(m_chi, reading.g_chi))
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
                y[~two] ** 4, grid.steps, self.rate, self.log_eq, _A, self.log_start, found, threads=threads
            )
            out[~two] = found
        if two.any():
            out[two], share[two] = self._coupled(y[two], threads)
        failed = np.isnan(out[:, -1])
        if failed.any():
            raise ArithmeticError(f"y_chi = {y[failed][0]!r}: the Boltzmann equation could not be solved")
        N = np.exp(out)
        shape = couplings.shape
        Y_chi, Y_S = ((1 - share) * N)[:, grid.keep], (share * N)[:, grid.keep]
        omega = (OMEGA_PER_MEV * self.masses[0] * ((1 - share) * N)[:, -1]).reshape(shape)
        return RelicDensity(
            x=np.exp(grid.edges[grid.keep]),
            Y_chi=Y_chi.reshape(*shape, -1),
            Y_S=Y_S.reshape(*shape, -1),
            Y_eq=self.Y_eq,
            omega_h2=omega,
            dilution=omega / OMEGA_DARK_MATTER_H2,
            x_freeze_out=np.array([self._freeze_out(y_, L) for y_, L in zip(y, out, strict=True)]).reshape(shape),
            method="coupled" if two.all() else "reduced" if not two.any() else "reduced and coupled",
        )

    def _coupled(self, y: Floats, threads: int) -> tuple[Floats, Floats]:
        """ln N and Y_S/N by both equations."""
        out, share = (np.empty((y.size, self.grid.steps.size + 1)) for _ in range(2))
        kernels.coupled(
            y**2, self.grid.steps, self.chi_nu, self.S_nu, *self._conversion, self.decay, *self._equilibrium, _A,
            self.log_start, self.share_start, out, share, threads=threads,
        )  # fmt: skip
        return out, share

    @cached_property
    def _conversion(self) -> tuple[Floats, Floats]:
        """Rates of χχ → SS and back."""
        table = self._table("chi-chi-S-S")(self.grid.T) - threshold("chi-chi-S-S", *self.masses) / self.grid.T
        factor = self.grid.expansion * self.reading.pair
        with np.errstate(under="ignore"):
            return factor * np.exp(table), factor * np.exp(table - 2 * (self.log_S - self.log_chi))

    @cached_property
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


_remembered: "OrderedDict[tuple[object, ...], _Universe]" = OrderedDict()
_turn = Lock()


def _universe(
    masses: tuple[float, float],
    reading: Reading,
    T_start: float,
    points: tuple[float, ...],
    exact_width: bool,
    threads: int,
) -> _Universe:
    """Tables for these masses, remembered: a further coupling costs a tenth of a millisecond."""
    key = (masses, reading, T_start, points, exact_width)
    with _turn:
        found = _remembered.get(key)
        if found is not None:
            _remembered.move_to_end(key)
            return found
    found = _Universe(masses, reading, T_start, points, exact_width, threads)
    with _turn:
        _remembered[key] = found
        while len(_remembered) > _MOST_REMEMBERED:
            _remembered.popitem(last=False)
    return found


@dataclass(frozen=True, eq=False)
class _Plane:
    """Rows of Ω h², one for each mass."""

    m_chi: Floats
    m_S: Floats
    y_chi: Floats
    reading: str
    T_qcd: float
    x_end: float

    @property
    def points_per_chunk(self) -> int:
        """A row takes ten milliseconds, a coupling a tenth of one."""
        return 8 * self.y_chi.size

    def fill(self, start: int, stop: int, out: Floats) -> None:
        """Rows start … stop − 1 into out."""
        for i in range(start, stop):
            masses = float(self.m_chi[i]), float(self.m_S[i])
            read = READINGS[self.reading]
            out[i - start] = _Universe(masses, read, self.T_qcd, (self.x_end,), False, 1).evolve(self.y_chi, 1).omega_h2

    def part(self, start: int, stop: int) -> "tuple[_Plane, int]":
        """What those rows need."""
        rows = slice(start, stop)
        return _Plane(self.m_chi[rows], self.m_S[rows], self.y_chi, self.reading, self.T_qcd, self.x_end), 0

    def identity(self) -> Mapping[str, str]:
        """What tells a checkpoint of this plane from others."""
        return {
            "what": "relic density",
            "cevns_fast": cevns_fast.__version__,
            "reading": self.reading,
            "T_qcd": repr(self.T_qcd),
            "x_end": repr(self.x_end),
            **{name: repr(getattr(self, name).tolist()) for name in ("m_chi", "m_S", "y_chi")},
        }
