"""The abundance of χ from the literal equations of Brdar, Rodejohann & Xu 2018 (BRX), Sec. IV.

Cross sections are integrals over t in closed form, of as many digits as their cancellations need; the thermal average
is Gondolo and Gelmini's (BRX Ref. 72) by mpmath's quadrature; Eq. (46) is solved as printed, two stiff equations for
the yields themselves. Amplitudes are spin-summed, y_χ = 1, for a real scalar S and one massless neutrino:
L = y_χ S χ̄ P_L ν + h.c. Needs mpmath, the extra ``reference``.
"""

import math
import tomllib
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from cevns_fast.constants import M_PLANCK
from cevns_fast.data import data_path

__all__ = ["Yields", "degrees_of_freedom", "integrated_amplitude", "relic_density", "thermal_cross_section"]

#: Digits carried: (s/Δ)² cancels, and Δ/s reaches 1e12.
DIGITS = 60
#: Gauss-Legendre points of a panel in the energy.
POINTS = 20
#: Nodes of ln <σv> on ln x.
NODES = 56

PROCESSES = ("chi-chi-nu-nu", "S-S-nu-nu", "chi-chi-S-S")
READINGS = ("dirac", "majorana", "majorana-lepton-conserving", "dirac-pair")


class Yields(NamedTuple):
    """Yields n/s on the values of x = m_χ/T that were asked for."""

    x: NDArray[np.float64]
    Y_chi: NDArray[np.float64]
    Y_S: NDArray[np.float64]


def _mpmath() -> ModuleType:
    try:
        import mpmath
    except ImportError as error:
        raise ImportError('the reference relic density needs mpmath: pip install "cevns_fast[reference]"') from error
    return mpmath  # type: ignore[no-any-return]


@lru_cache(maxsize=1)
def _fit() -> dict[str, Any]:
    with data_path("cosmology", "degrees_of_freedom.toml").open("rb") as file:
        return tomllib.load(file)


def degrees_of_freedom(T: float) -> tuple[float, float]:
    """g_ρ and g_s of the Standard Model at the temperature T [MeV].

    Saikawa & Shirai 2018, arXiv:1803.01038, App. C, term by term.

    Examples
    --------
    >>> g_rho, g_s = degrees_of_freedom(10.0)
    >>> round(g_rho, 4), round(g_s, 4)
    (10.7427, 10.7422)
    """
    fit = _fit()
    if fit["branch"] <= T:
        t = math.log(T / 1e3)
        a, b, c, d = (sum(p * t**i for i, p in enumerate(fit["high"][name])) for name in "abcd")
        return a / b, a / b / (1 + c / d)

    def threshold(numbers: Sequence[float], mass: float) -> float:
        k, p1, p2, p3 = numbers
        x = mass / T
        return math.exp(-k * x) * (1 + p1 * x + p2 * x**2 + p3 * x**3)

    low = fit["low"]
    S_fit = 1 + 7 / 4 * threshold(low["S_fit"]["fermion"], low["S_fit"]["mass"])
    g_rho, g_s = (
        g["constant"]
        + g["neutrinos"] * S_fit ** g["power"]
        + sum(weight * threshold(g["fermion"], mass) for mass, weight in g["fermions"])
        + sum(weight * threshold(g["boson"], mass) for mass, weight in g["bosons"])
        for g in (low["g_rho"], low["g_s"])
    )
    return g_rho, g_s


def integrated_amplitude(process: str, m_chi: Any, m_S: Any, s: Any, reading: str = "dirac") -> Any:
    """∫ dt Σ|M|² at the squared energy s, y_χ = 1: MeV², in mpmath's working precision.

    With p = c − t and q = c − u for the c that makes them the denominators (c = M², m², 0), p + q is a constant
    S and every amplitude is a sum of 1, 1/p, 1/p², q/p and 1/(pq), whose integrals are elementary.
    """
    mp = _mpmath()
    m2, M2, s = mp.mpf(m_chi) ** 2, mp.mpf(m_S) ** 2, mp.mpf(s)
    D = M2 - m2
    majorana = reading.startswith("majorana")
    beta_chi = mp.sqrt(1 - 4 * m2 / s)
    if process == "chi-chi-nu-nu":  # p = M² − t, A = m² − t = p − Δ
        low, high = s * (1 - beta_chi) / 2 + D, s * (1 + beta_chi) / 2 + D
        total = s + 2 * D
        one, p1, p2, pq = _elementary(mp, low, high, total)
        square = one - 2 * D * p1 + D**2 * p2  # A²/p², and as much B²/q²
        if not majorana:
            return square
        result = 2 * square - 2 * m2 * s * pq  # χχ → νν̄
        if reading == "majorana":  # νν and ν̄ν̄, each with ½ for identical particles
            result += 2 * square + 2 * (one - 2 * D * p1 + D**2 * pq - m2 * s * pq)
        return result
    beta_S = mp.sqrt(1 - 4 * M2 / s)
    if process == "S-S-nu-nu":  # p = m² − t
        low, high = s * (1 - beta_S) / 2 - D, s * (1 + beta_S) / 2 - D
        total = s - 2 * D
        one, p1, p2, pq = _elementary(mp, low, high, total)
        # (tu − M⁴)(1/p − 1/q)² with tu = m⁴ − m² S + pq; ∫ q/p = ∫ (S/p − 1)
        constant = m2**2 - m2 * total - M2**2
        result = constant * (2 * p2 - 2 * pq) + 2 * (total * p1 - one) - 2 * one
        if reading == "majorana":
            result += m2 * s * (2 * p2 + 2 * pq)
        return result
    # χχ → SS: p = −t
    low, high = (s * (1 + sign * beta_chi * beta_S) / 2 - m2 - M2 for sign in (-1, 1))
    total = s - 2 * m2 - 2 * M2
    one, p1, p2, pq = _elementary(mp, low, high, total)
    # p₁·Q = 1 + (Δ/2)(1/p + 1/q), p₂·Q its negative, Q² = −(1/p + 1/q) − 2Δ/(pq)
    p1Q_squared = one + D * 2 * p1 + D**2 / 4 * (2 * p2 + 2 * pq)
    Q2 = -2 * p1 - 2 * D * pq
    if majorana:
        return (4 * (-2 * p1Q_squared - Q2 * s / 2)) / 2
    return (2 * (-2 * p1Q_squared - Q2 * (s - 2 * m2) / 2)) / 2


def _elementary(mp: ModuleType, low: Any, high: Any, total: Any) -> tuple[Any, Any, Any, Any]:
    """∫ dp of 1, 1/p, 1/p², 1/(p(S − p)) over a range that is symmetric under p → S − p."""
    log = mp.log(high / low)
    return high - low, log, 1 / low - 1 / high, 2 * log / total


def thermal_cross_section(process: str, m_chi: float, m_S: float, T: float, reading: str = "dirac") -> float:
    """<σv>/y_χ⁴ in MeV⁻², by Gondolo and Gelmini's single integral.

    Parameters
    ----------
    process : {"chi-chi-nu-nu", "S-S-nu-nu", "chi-chi-S-S"}
    m_chi, m_S, T : float
        Masses and temperature [MeV].
    reading : {"dirac", "majorana", "majorana-lepton-conserving", "dirac-pair"}

    Examples
    --------
    >>> f"{thermal_cross_section('chi-chi-nu-nu', 3.0, 10.0, 3.0):.10e}"
    '6.5064101434e-06'
    """
    value, threshold = _scaled_average(process, m_chi, m_S, T, reading)
    return float(value * _mpmath().exp(-threshold))


def _scaled_average(process: str, m_chi: float, m_S: float, T: float, reading: str) -> tuple[Any, float]:
    """<σv>/y⁴ without its Boltzmann factor of the threshold, and that factor's exponent."""
    mp = _mpmath()
    initial, final = {"chi-chi-nu-nu": (m_chi, 0.0), "S-S-nu-nu": (m_S, 0.0), "chi-chi-S-S": (m_chi, m_S)}[process]
    spins = 1 if process == "S-S-nu-nu" else 4
    # E = √s = E₀ + T v² takes the square root off the threshold; panels double from the first scale to e^-v² = 0
    E0 = 2 * max(initial, final)
    edges = [min(0.2, math.sqrt(E0 / T) / 4)]
    while edges[-1] < 3.3:
        edges.append(2 * edges[-1])
    edges = [0.0, *edges, 6.6]
    nodes, weights = np.polynomial.legendre.leggauss(POINTS)
    total = mp.mpf(0)
    with mp.workdps(DIGITS):
        for low, high in pairwise(edges):
            for node, weight in zip(nodes, weights, strict=True):
                v = (low + high + (high - low) * node) / 2
                E = E0 + mp.mpf(T) * v * v
                amplitude = integrated_amplitude(process, m_chi, m_S, E * E, reading)
                # σ (s − 4m²)√s ds = ∫Σ|M|²dt / (16π g²) · 2 dE and dE = 2 T v dv
                factor = weight * (high - low) / 2 * scaled_bessel(1, float(E) / T) * math.exp(-v * v) * 4 * T * v
                total += amplitude * factor / (16 * mp.pi * spins)
        norm = 8 * initial**4 * T * scaled_bessel(2, initial / T) ** 2
        return total / norm, (E0 - 2 * initial) / T


def scaled_bessel(order: int, z: float) -> float:
    """eᶻ K_ν(z) = ∫ exp(−2z sinh²(t/2)) cosh νt dt over t > 0: the trapezoid sum converges like a Gaussian's."""
    end = 2 * math.asinh(math.sqrt((45 + 3 * order * max(0.0, -math.log(z))) / (2 * z)))
    t = np.linspace(0.0, end, 4 * int(end * max(1.0, math.sqrt(z))) + 120)
    terms = np.exp(-2 * z * np.sinh(t / 2) ** 2) * np.cosh(order * t)
    return float((terms.sum() - terms[0] / 2) * t[1])


class _Averages:
    """<σv>/y⁴ of the processes, of χχ → SS without e^(−2(M − m)/T), interpolated on ln x through Chebyshev nodes."""

    def __init__(self, m_chi: float, m_S: float, x_range: tuple[float, float], reading: str) -> None:
        mp = _mpmath()
        low, high = (math.log(x) for x in x_range)
        nodes = low + (high - low) * (1 + np.cos(np.pi * (np.arange(NODES) + 0.5) / NODES)) / 2
        self.series = []
        for process in PROCESSES:
            values = [
                float(mp.log(_scaled_average(process, m_chi, m_S, m_chi / math.exp(node), reading)[0]))
                for node in nodes
            ]
            self.series.append(
                np.polynomial.Chebyshev.fit(nodes, values, NODES - 1, domain=[low, high])  # interpolates
            )

    def __call__(self, x: float) -> tuple[float, float, float]:
        chi_nu, S_nu, chi_S = (math.exp(series(math.log(x))) for series in self.series)
        return chi_nu, S_nu, chi_S


def relic_density(
    m_chi: float,
    m_S: float,
    y_chi: float,
    x: Sequence[float] | NDArray[np.float64],
    reading: str = "dirac",
    T_qcd: float = 200.0,
    width: str = "massless",
    averages: Callable[[float], tuple[float, float, float]] | None = None,
) -> Yields:
    """Y_χ and Y_S on given x, from equilibrium at T_QCD: BRX Eq. (46) as printed.

    Parameters
    ----------
    m_chi, m_S : float
        Masses [MeV], m_S > m_chi.
    y_chi : float
        Coupling.
    x : float64[n]
        Increasing values of m_χ/T after the start.
    reading : {"dirac", "majorana", "majorana-lepton-conserving", "dirac-pair"}
        Of the paper (t-channel, g = 2), Majorana with and without χχ → νν, and χ + χ̄ with g = 4.
    T_qcd : float
        Temperature of the start [MeV].
    width : {"massless", "exact"}
        Γ_S = y² M/8π as printed, or times (1 − m²/M²)².
    averages : callable, optional
        <σv>/y⁴ [MeV⁻²] of the three processes at x, the last without e^(−2(M − m)/T); computed if left out.

    Returns
    -------
    Yields
    """
    averages = averages or average_table(m_chi, m_S, x[-1], reading, T_qcd)
    g_chi, pair = (4.0, 0.5) if reading == "dirac-pair" else (2.0, 1.0)
    Gamma_S = y_chi**2 * m_S / (8 * math.pi)
    if width == "exact":
        Gamma_S *= (1 - (m_chi / m_S) ** 2) ** 2

    def entropy(x: float) -> float:
        T = m_chi / x
        return 2 * math.pi**2 / 45 * degrees_of_freedom(T)[1] * T**3

    def log_equilibrium(z: float, K2: float, g: float, g_s: float) -> float:
        return math.log(45 * g * z**2 * K2 / (4 * math.pi**4 * g_s)) - z

    def equilibria(x: float) -> tuple[float, float, float]:
        """ln Y_eq of χ and S, and K₁/K₂ of S."""
        z, g_s = m_S / m_chi * x, degrees_of_freedom(m_chi / x)[1]
        K2 = scaled_bessel(2, z)
        chi = log_equilibrium(x, scaled_bessel(2, x), g_chi, g_s)
        return chi, log_equilibrium(z, K2, 1.0, g_s), scaled_bessel(1, z) / K2

    def right_hand_side(x: float, Y: NDArray[np.float64]) -> list[float]:
        T = m_chi / x
        g_rho, g_s = degrees_of_freedom(T)
        H = math.sqrt(8 * math.pi**3 * g_rho / 90) * T**2 / M_PLANCK
        s = 2 * math.pi**2 / 45 * g_s * T**3
        h = 1e-5 * x  # the difference stays on one side of the fit's seam
        inner = x if (m_chi / (x - h) < 120.0) == (m_chi / (x + h) < 120.0) else x + math.copysign(h, 120.0 - T)
        ds_dx = (entropy(inner + h) - entropy(inner - h)) / (2 * h)
        Y_chi, Y_S = Y
        log_chi, log_S, slowed = equilibria(x)
        eq_chi, eq_S = math.exp(log_chi), math.exp(log_S)
        chi_nu, S_nu, chi_S = (y_chi**4 * each for each in averages(x))
        decay = Gamma_S / s * slowed * (Y_S - Y_chi * math.exp(log_S - log_chi))
        barrier = 2 * (m_S - m_chi) / T  # its factor and the ratio of the equilibria squared undo each other
        back = math.exp(2 * (log_chi - log_S) - barrier)
        conversion = pair * chi_S * (Y_chi**2 * math.exp(-barrier) - Y_S**2 * back)
        common = ds_dx / (3 * H)
        return [
            common * (pair * chi_nu * (Y_chi**2 - eq_chi**2) - decay + conversion),
            common * (S_nu * (Y_S**2 - eq_S**2) + decay - conversion),
        ]

    start = m_chi / T_qcd
    x = np.asarray(x, dtype=np.float64)
    initial = np.exp(equilibria(start)[:2])
    times, states, begin, state = [], [], start, initial
    seam = m_chi / 120.0  # the fit of g_* is not smooth there
    for end in (seam, x[-1]):
        if not begin < end <= x[-1]:
            continue
        inside = x[(x > begin) & (x <= end)]
        solution = solve_ivp(
            right_hand_side,
            (begin, end),
            state,
            method="Radau",
            t_eval=np.unique([*inside, end]),
            rtol=1e-9,
            atol=1e-30,
        )
        if not solution.success:
            raise RuntimeError(f"Eq. (46) at m_chi = {m_chi}, m_S = {m_S}, y_chi = {y_chi}: {solution.message}")
        keep = np.isin(solution.t, inside)
        times.append(solution.t[keep])
        states.append(solution.y[:, keep])
        begin, state = end, solution.y[:, -1]
    Y_chi, Y_S = np.concatenate(states, axis=1)
    return Yields(np.concatenate(times), Y_chi, Y_S)


def average_table(
    m_chi: float, m_S: float, x_end: float, reading: str = "dirac", T_qcd: float = 200.0
) -> Callable[[float], tuple[float, float, float]]:
    """The thermal averages that `relic_density` interpolates, to be shared between couplings."""
    return _Averages(m_chi, m_S, (m_chi / T_qcd, float(x_end)), reading)
