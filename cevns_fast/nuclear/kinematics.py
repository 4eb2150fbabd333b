"""Kinematics of νN → χN on a nucleus at rest: Brdar, Rodejohann & Xu 2018 (BRX), Section II A.

E is the energy of the neutrino, T the recoil energy of the nucleus of mass M, θ the angle between recoil and beam.
Arguments broadcast; scalars in give scalars out.
"""

import numpy as np
from numpy.typing import ArrayLike

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats

__all__ = [
    "minimum_neutrino_energy",
    "recoil_range",
    "scattering_angle",
    "scattering_angle_extremum",
    "threshold_energy",
]


def threshold_energy(m_chi: ArrayLike, M: ArrayLike) -> Floats | float:
    """Smallest neutrino energy that produces χ, BRX Eq. (11).

    Parameters
    ----------
    m_chi, M : array_like
        Masses of χ and of the nucleus, MeV.

    Returns
    -------
    float or ndarray
        m_χ + m_χ²/2M, MeV.

    Raises
    ------
    ValueError
        If a mass is not finite, m_chi negative or M not positive.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> cf.threshold_energy(40.0, M=80000.0)
    40.01
    """
    m, M = _masses(m_chi, M)
    return _plain(m + m * m / (2 * M))


def minimum_neutrino_energy(T: ArrayLike, m_chi: ArrayLike, M: ArrayLike) -> Floats | float:
    """Smallest neutrino energy that gives a nucleus the recoil energy T while it produces χ.

    Parameters
    ----------
    T : array_like
        Recoil energy, MeV, >= 0.
    m_chi, M : array_like
        Masses of χ and of the nucleus, MeV.

    Returns
    -------
    float or ndarray
        MeV; infinite at T = 0 unless m_chi is 0.

    Raises
    ------
    ValueError
        If an argument is not finite or out of range.

    Notes
    -----
    BRX Eq. (5) solved for E at cos θ = 1, (TM + m²/2)/(√(T(T + 2M)) − T); Chang & Liao 2020, Eq. (A2), with the
    −T outside the root. It is least at the recoil of BRX Eq. (12), where it is `threshold_energy`.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> round(cf.minimum_neutrino_energy(1e-4, 0.0, cf.nuclide("Ge74").mass), 3)  # 0.1 keV in germanium
    1.855
    """
    m, M = _masses(m_chi, M)
    T = validate.array("T", T, minimum=0.0)
    massless = (np.sqrt(T * (T + 2 * M)) + T) / 2  # multiplied by the sum of root and T, which removes a difference
    with np.errstate(divide="ignore", invalid="ignore"):
        extra = np.where(m > 0, massless / T * (m * m / (2 * M)), 0.0)
    return _plain(massless + np.where((m > 0) & (T == 0), np.inf, extra))


def recoil_range(E: ArrayLike, m_chi: ArrayLike, M: ArrayLike) -> tuple[Floats | float, Floats | float]:
    """Smallest and largest recoil energy, BRX Eqs. (9) and (10).

    Parameters
    ----------
    E : array_like
        Neutrino energy, MeV, >= 0.
    m_chi, M : array_like
        Masses of χ and of the nucleus, MeV.

    Returns
    -------
    T_min, T_max : float or ndarray
        MeV; nan below threshold.

    Raises
    ------
    ValueError
        If an argument is not finite or out of range.

    Notes
    -----
    T_min is m⁴/[4M(2E + M) T_max], the product of the roots: Eq. (9) itself is a difference in which every digit is
    lost for small m_χ.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> low, high = cf.recoil_range(5.0, [0.0, 1e-3, 5.1], M=72600.0)
    >>> print(low, high)
    [0.00000000e+00 6.88705248e-20            nan] [0.00068861 0.00068861        nan]
    """
    E, m, M, root = _above_threshold(E, m_chi, M)
    high = (2 * M * E * E - m * m * (E + M) + E * root) / (2 * M * (2 * E + M))
    low = np.divide(m**4, 4 * M * (2 * E + M) * high, out=np.zeros_like(high), where=high != 0)
    return _plain(low), _plain(high)


def scattering_angle(E: ArrayLike, T: ArrayLike, m_chi: ArrayLike, M: ArrayLike) -> Floats | float:
    """Angle between the recoiling nucleus and the beam, BRX Eq. (5).

    Parameters
    ----------
    E, T : array_like
        Neutrino energy and recoil energy, MeV, >= 0.
    m_chi, M : array_like
        Masses of χ and of the nucleus, MeV.

    Returns
    -------
    float or ndarray
        θ in radians, from 0 to π/2; nan where T is outside the recoil range.

    Raises
    ------
    ValueError
        If an argument is not finite or out of range.

    Notes
    -----
    cos θ alone loses half its digits near θ = 0. With p the recoil momentum and E p cos θ = T(M + E) + m²/2,
    (E p sin θ)² = M(M + 2E)(T_max − T)(T − T_min).

    Examples
    --------
    >>> import cevns_fast as cf
    >>> theta = cf.scattering_angle(5.0, [1e-4, 3e-4], [0.0, 1.0], M=72600.0)
    >>> np.round(np.degrees(theta), 2)
    array([67.6 , 47.53])
    """
    T = validate.array("T", T, minimum=0.0)
    energies, m, M, _ = _above_threshold(E, m_chi, M)
    low, high = recoil_range(E, m_chi, M)
    along = T * (M + energies) + m * m / 2
    with np.errstate(invalid="ignore"):
        across = np.sqrt(M * (M + 2 * energies) * (high - T) * (T - low))  # nan outside the range
    at_rest = (T == 0) & (m == 0) & (energies > 0)  # the limit: perpendicular to the beam, BRX Eq. (13)
    return _plain(np.where(at_rest, np.pi / 2, np.arctan2(across, along)))


def scattering_angle_extremum(E: ArrayLike, m_chi: ArrayLike, M: ArrayLike) -> tuple[Floats | float, Floats | float]:
    """Largest scattering angle and the recoil energy at which it occurs, BRX Eq. (6).

    Parameters
    ----------
    E : array_like
        Neutrino energy, MeV, >= 0.
    m_chi, M : array_like
        Masses of χ and of the nucleus, MeV.

    Returns
    -------
    theta_max, T : float or ndarray
        Radians and MeV; nan below threshold.

    Raises
    ------
    ValueError
        If an argument is not finite or out of range.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> theta, T = cf.scattering_angle_extremum(5.0, 1.0, M=72600.0)
    >>> round(float(np.degrees(theta)), 2), f"{T * 1e6:.3f} eV"
    (78.46, '6.887 eV')
    """
    E, m, M, root = _above_threshold(E, m_chi, M)
    with np.errstate(invalid="ignore"):
        theta = np.arctan2(root, m * np.sqrt(4 * M * (E + M) - m * m))
    T = np.where(np.isnan(root), np.nan, M * m * m / (2 * M * E - m * m + 2 * M * M))
    return _plain(theta), _plain(T)


def largest_recoil(E: float, M: float) -> float:
    """The largest recoil energy [MeV], whatever leaves: that of a massless particle, BRX Eq. (10)."""
    return 2 * E * E / (M + 2 * E)


def _masses(m_chi: ArrayLike, M: ArrayLike) -> tuple[Floats, Floats]:
    """Both masses, checked."""
    m, heavy = validate.array("m_chi", m_chi, minimum=0.0), validate.array("M", M, minimum=0.0)
    if np.any(heavy == 0):
        raise ValueError("M = 0.0: must be finite and > 0")
    return m, heavy


def _above_threshold(E: ArrayLike, m_chi: ArrayLike, M: ArrayLike) -> tuple[Floats, Floats, Floats, Floats]:
    """E, m, M and the root √(4M²E² − 4Mm²(E + M) + m⁴) of BRX Eq. (9), nan below threshold.

    As a product of two factors it does not cancel at threshold.
    """
    m, M = _masses(m_chi, M)
    E, m, M = np.broadcast_arrays(validate.array("E", E, minimum=0.0), m, M)
    excess = E - m - m * m / (2 * M)
    product = 2 * M * np.where(excess >= 0, excess, np.nan) * (2 * M * (E + m) - m * m)
    return E, m, M, np.sqrt(product)


def _plain(result: Floats) -> Floats | float:
    """A float for scalars."""
    return float(result) if np.ndim(result) == 0 else np.asarray(result)
