"""How much χ is left over from the early universe: Brdar, Rodejohann & Xu 2018 (BRX), Sec. IV."""

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from cevns_fast import _validate as validate
from cevns_fast._kernels import relic_density as kernels
from cevns_fast._support.remember import Memory
from cevns_fast._validate import Floats
from cevns_fast.constants import MEV2_CM2, SPEED_OF_LIGHT
from cevns_fast.cosmology.boltzmann import NOTHING_MORE, OMEGA_PER_MEV, RelicDensity, Universe, species
from cevns_fast.cosmology.expansion import RADAU, Assumptions, Points, Species, TimeGrid
from cevns_fast.cosmology.radiation import checked
from cevns_fast.cosmology.thermal_average import READINGS, Reading, checked_masses
from cevns_fast.parallel.threads import checked as checked_threads

#: cm³/s in MeV⁻².
CM3_PER_S: Final = 1 / (MEV2_CM2 * SPEED_OF_LIGHT * 100)
#: Couplings from here on are not perturbative: y²/4π = 1.
MOST_Y_CHI: Final = math.sqrt(4 * math.pi)


@np.errstate(under="ignore")  # what is negligible is zero
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
    couplings = checked_couplings(y_chi)
    start = checked_start(T_qcd)
    points = checked_points(x, x_end, masses[0] / start)
    exact = validate.choice("width", width, ("massless", "exact")) == "exact"
    universe = _universe(masses, read, start, points, exact, checked_threads(threads))
    return universe.evolve(couplings, threads)


@np.errstate(under="ignore")  # what is negligible is zero
def relic_systematics(
    m_chi: float, m_S: float, y_chi: ArrayLike, reading: str = "dirac", T_qcd: float = 200.0, x_end: float = 100.0
) -> dict[str, Floats]:
    """How far Ω h² moves with what the equations leave out or take as sharp: show it beside the result.

    Parameters
    ----------
    m_chi, m_S, y_chi, reading, T_qcd, x_end
        See `relic_density`.

    Returns
    -------
    dict of str to float64[...]
        Ω h² over that of `relic_density`, for a start at ¾ of T_qcd ("T_qcd"), for Fermi's and Bose's statistics in
        Y_eq ("quantum statistics"), and for χ and S, in equilibrium, in g_* ("chi and S in g_*").

    Raises
    ------
    ValueError
        As `relic_density`.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> shifts = cf.cosmology.relic_systematics(m_chi=3.0, m_S=10.0, y_chi=1e-5)
    >>> {name: round(float(ratio), 2) for name, ratio in shifts.items()}
    {'T_qcd': 1.47, 'quantum statistics': 1.0, 'chi and S in g_*': 0.93}
    """
    masses = checked_masses(m_chi, m_S)
    read = READINGS[validate.choice("reading", reading, READINGS)]
    couplings, start = checked_couplings(y_chi), checked_start(T_qcd)
    points = checked_points(None, x_end, 4 / 3 * masses[0] / start)

    def omega(T_start: float, assumed: Assumptions = NOTHING_MORE) -> Floats:
        return Universe(masses, read, T_start, points, assumed=assumed).evolve(couplings, 1).omega_h2

    nominal = omega(start)
    changed = {
        "T_qcd": omega(0.75 * start),
        "quantum statistics": omega(start, Assumptions(quantum=True)),
        "chi and S in g_*": omega(start, Assumptions(counted=species(masses, read))),
    }
    return {name: each / nominal for name, each in changed.items()}


@np.errstate(under="ignore")  # what is negligible is zero
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
    grid = TimeGrid(mass, T_start, checked_points(None, x_end, begin), NOTHING_MORE)
    particle = Species(mass, spins, fermion=True)
    out = np.empty((1, grid.steps.size + 1))
    kernels.reduced(
        np.ones(1), grid.steps, grid.expansion * rate * CM3_PER_S, grid.log_equilibrium(particle), RADAU,
        grid.log_start(particle), out,
    )  # fmt: skip
    return OMEGA_PER_MEV * mass * math.exp(out[0, -1])


def checked_couplings(y_chi: ArrayLike) -> Floats:
    """Couplings that are positive and perturbative."""
    couplings = validate.array("y_chi", y_chi)
    bad = ~((couplings > 0) & (couplings < MOST_Y_CHI))
    if bad.any():
        raise ValueError(
            f"y_chi = {couplings[bad].flat[0].item()!r}: must be in (0, {MOST_Y_CHI:.3f}), below √4π, where "
            "perturbation theory holds"
        )
    return couplings


def checked_points(x: ArrayLike | None, x_end: float, start: float) -> Points:
    """Where yields are wanted, or the end alone."""
    if x is None:
        end = validate.number("x_end", x_end, positive=True)
        if not end > start:
            raise ValueError(f"x_end = {x_end!r}: must be > {start:g}, the start's m_chi/T")
        return Points((end,), alone=False)
    points = validate.vector("x", x)
    if not (points[0] > start and np.all(np.diff(points) > 0)):
        raise ValueError(f"x = {points.tolist()}: must be increasing and > {start:g}, the start's m_chi/T")
    return Points(tuple(points.tolist()), alone=True)


def checked_start(T_qcd: float) -> float:
    """A temperature at which the table of g_* holds."""
    return float(checked("T_qcd", np.array(validate.number("T_qcd", T_qcd, positive=True))))


_remembered: Memory[Universe] = Memory(maxsize=8)


def _universe(
    masses: tuple[float, float],
    reading: Reading,
    T_start: float,
    points: Points,
    exact_width: bool,
    threads: int,
) -> Universe:
    """Tables for these masses, remembered: a further coupling costs a tenth of a millisecond."""
    key = (masses, reading, T_start, points, exact_width)
    found = _remembered.get(key)
    if found is None:
        found = _remembered.keep(key, Universe(masses, reading, T_start, points, exact_width, threads=threads))
    return found
