"""Decay of χ into νe⁺e⁻ through mixing, by integrating the matrix element over the energies."""

import math

from scipy.integrate import quad

from cevns_fast.constants import G_FERMI, HBAR, M_ELECTRON, SIN2_THETA_W

__all__ = ["electron_pair_width"]


def electron_pair_width(m_chi: float, theta: float, flavour: str) -> float:
    """Γ(χ → ν e⁺e⁻) of a Dirac χ that mixes with one flavour, 1/s.

    L = −2√2 G_F θ [ν̄γP_Lχ][ē γ(g_L P_L + g_R P_R)e] gives
    ½Σ|M|² = 64 G_F² θ² [g_L² (p·p₊)(k·p₋) + g_R² (p·p₋)(k·p₊) + g_L g_R m_e² p·k] and
    dΓ = ½Σ|M|² dE₊ dE₋/(64π³m).

    Parameters
    ----------
    m_chi : float
        Mass [MeV].
    theta : float
        Mixing angle.
    flavour : {"e", "mu", "tau"}

    Examples
    --------
    >>> f"{electron_pair_width(5.0, 1.0, 'e') / 0.108496:.3f}"
    '0.509'
    """
    m, me = m_chi, M_ELECTRON
    g_R = SIN2_THETA_W
    g_L = g_R + (0.5 if flavour == "e" else -0.5)

    def integrand(E_minus: float, E_plus: float) -> float:
        E_nu = m - E_plus - E_minus
        # p₊ + p₋ + k = p: 2 k·p₋ = (p − p₊)² − m_e², and so on
        k_minus = (m * m - 2 * m * E_plus) / 2
        k_plus = (m * m - 2 * m * E_minus) / 2
        square = g_L**2 * m * E_plus * k_minus + g_R**2 * m * E_minus * k_plus + g_L * g_R * me**2 * m * E_nu
        return 64 * G_FERMI**2 * theta**2 * square / (64 * math.pi**3 * m)

    def inner(E_plus: float) -> float:
        momentum = math.sqrt(E_plus**2 - me**2)
        # E₋ where k and p₋ are along the line of p₊: s = (p₋ + k)² = m² + m_e² − 2mE₊
        s = m * m + me * me - 2 * m * E_plus
        middle, half = (m - E_plus) * (s + me * me) / (2 * s), momentum * (s - me * me) / (2 * s)
        return quad(integrand, middle - half, middle + half, args=(E_plus,), epsrel=1e-11, epsabs=0)[0]

    width = quad(inner, me, m / 2, epsrel=1e-10, epsabs=0)[0]
    return float(width) / HBAR
