"""Thermally averaged cross sections of χ and S, for one temperature or tabulated for all."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import k0e, k1e

from cevns_fast import _validate as validate
from cevns_fast._kernels import thermal_cross_section as kernels
from cevns_fast._support.quadrature import gauss_legendre
from cevns_fast._support.remember import remember
from cevns_fast._support.scalars import scalar_or_array
from cevns_fast._validate import Floats

PROCESSES: Final = {
    "chi-chi-nu-nu": kernels.chi_chi_nu_nu,
    "S-S-nu-nu": kernels.S_S_nu_nu,
    "chi-chi-S-S": kernels.chi_chi_S_S,
}


class Reading(NamedTuple):
    """What χ is: weights of χχ → νν̄ and χχ → νν, whether the t-channel stands alone, spin states, pairs as one."""

    conserving: float
    violating: float
    t_only: bool
    g_chi: float
    pair: float


READINGS: Final = {
    "dirac": Reading(1.0, 0.0, True, 2.0, 1.0),
    "majorana": Reading(1.0, 1.0, False, 2.0, 1.0),
    "majorana-lepton-conserving": Reading(1.0, 0.0, False, 2.0, 1.0),
    "dirac-pair": Reading(1.0, 0.0, True, 4.0, 0.5),
}

# E = E₀ + T e^w: the trapezoid sum over w converges like e^(−π²/0.2); the ends are below 1e-11 of it.
_STEP: Final = 0.2
_W: Final = np.arange(-18.0, 3.9, _STEP)
_GAUSS: Final = 16, 40  # nodes of the integral over t


@np.errstate(under="ignore")  # what is negligible is zero
def thermal_cross_section(process: str, m_chi: float, m_S: float, T: ArrayLike, reading: str = "dirac") -> Floats:
    """Thermally averaged cross section ⟨σv⟩ over y_χ⁴.

    Parameters
    ----------
    process : {"chi-chi-nu-nu", "S-S-nu-nu", "chi-chi-S-S"}
    m_chi, m_S : float
        Masses of χ and S, MeV, 0 < m_chi < m_S.
    T : array_like
        Temperature, MeV, > 0.
    reading : {"dirac", "majorana", "majorana-lepton-conserving", "dirac-pair"}
        What χ is, see `relic_density`; "dirac-pair" has the cross sections of "dirac".

    Returns
    -------
    float64, shape of T
        ⟨σv⟩/y_χ⁴, MeV⁻², good to 1e-11; times y_χ⁴ (ħc)² c it is what is usually given in cm³/s.

    Raises
    ------
    ValueError
        If a name is unknown, a mass or a temperature not positive, or χ not lighter than S.

    Notes
    -----
    P. Gondolo and G. Gelmini, Nucl. Phys. B 360 (1991) 145: ⟨σv⟩ = ∫ds σ (s − 4m²) √s K₁(√s/T) / (8m⁴T K₂(m/T)²).
    Amplitudes for L = y_χ S χ̄ P_L ν + h.c., Brdar, Rodejohann & Xu 2018, Eq. (45), with one massless neutrino.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> f"{cf.cosmology.thermal_cross_section('chi-chi-nu-nu', m_chi=3.0, m_S=10.0, T=3.0):.7e}"
    '6.5064101e-06'
    """
    process = validate.choice("process", process, PROCESSES)
    masses = checked_masses(m_chi, m_S)
    read = READINGS[validate.choice("reading", reading, READINGS)]
    temperatures = validate.array("T", T)
    if not (temperatures > 0).all():
        raise ValueError(f"T = {temperatures.min().item()!r}: must be > 0")
    scaled = scaled_averages(process, *masses, temperatures.ravel(), read)
    with np.errstate(under="ignore"):
        result = scaled * np.exp(-threshold(process, *masses) / temperatures.ravel())
    return scalar_or_array(result.reshape(temperatures.shape))


def checked_masses(m_chi: float, m_S: float) -> tuple[float, float]:
    """Positive masses of a χ that is lighter than S."""
    chi, S = validate.number("m_chi", m_chi, positive=True), validate.number("m_S", m_S, positive=True)
    if not chi < S:
        raise ValueError(f"m_S = {m_S!r}: must be > m_chi = {m_chi!r}, otherwise χ decays into S and a neutrino")
    return chi, S


def threshold(process: str, m_chi: float, m_S: float) -> float:
    """Kinetic energy that the initial pair must have [MeV]: its Boltzmann factor is kept apart."""
    return 2 * (m_S - m_chi) if process == "chi-chi-S-S" else 0.0


def scaled_averages(process: str, m_chi: float, m_S: float, T: Floats, reading: Reading, threads: int = 1) -> Floats:
    """⟨σv⟩/y⁴ times e^(threshold/T), for one-dimensional T."""
    initial = m_S if process == "S-S-nu-nu" else m_chi
    lowest = 2 * (m_S if process == "chi-chi-S-S" else initial)
    spins = 1.0 if process == "S-S-nu-nu" else 4.0
    excess = T[:, None] * np.exp(_W)
    z = (lowest / T)[:, None] + np.exp(_W)
    norm = 64 * np.pi * spins * initial**4 * k2e(initial / T) ** 2
    with np.errstate(under="ignore"):
        weights = k1e(z) * (_STEP * np.exp(_W - np.exp(_W))) / norm[:, None]
    out = np.empty(T.size)
    PROCESSES[process](
        m_chi, m_S, reading.conserving, reading.violating, reading.t_only,
        excess, weights, *map(_gauss_legendre, _GAUSS), out, threads=threads,
    )  # fmt: skip
    return out


def k2e(z: Floats) -> Floats:
    """e^z K₂(z) by the recurrence, several times as fast as for any order."""
    result: Floats = k0e(z) + 2 / z * k1e(z)
    return result


def k1e_over_k2e(z: Floats) -> Floats:
    """K₁(z)/K₂(z)."""
    ratio: Floats = k1e(z) / k2e(z)
    return ratio


@remember(maxsize=4)
def _gauss_legendre(n: int) -> Floats:
    """Nodes and weights on (0, 1)."""
    nodes, weights = gauss_legendre(n)
    return np.array([(nodes + 1) / 2, weights / 2])


class LogTable:
    """ln ⟨σv⟩/y⁴ (without the threshold's factor) as a Chebyshev series in ln T between two temperatures."""

    def __init__(
        self, process: str, m_chi: float, m_S: float, T_range: tuple[float, float], reading: Reading, threads: int = 1
    ) -> None:
        low, high = np.log(T_range)
        n = 12 + int(5 * (high - low))
        self._middle, self._half = (low + high) / 2, (high - low) / 2
        angles, transform = _chebyshev(n)
        T = np.exp(self._middle + self._half * np.cos(angles))
        values = scaled_averages(process, m_chi, m_S, T, reading, threads)
        self._coefficients = transform @ np.log(values)

    def __call__(self, T: Floats) -> Floats:
        """ln of the average at temperatures inside the range."""
        place = (np.log(T) - self._middle) / self._half
        return np.asarray(np.polynomial.chebyshev.chebval(place, self._coefficients))


@remember(maxsize=32)
def _chebyshev(n: int) -> tuple[Floats, Floats]:
    """Angles of the nodes, and the matrix from values to coefficients."""
    angles = np.pi * (np.arange(n) + 0.5) / n
    transform = 2 / n * np.cos(np.outer(np.arange(n), angles))
    transform[0] /= 2
    return angles, transform
