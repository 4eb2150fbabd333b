"""The loop functions of Chao, Li, Liao & Su 2021 (CLLS), Appendix, in many digits.

Two independent routes to the Passarino-Veltman functions, their Feynman-parameter integrals and the closed
forms (A1)-(A6), and F_G literally as Eqs. (A7)-(A13) have it. All external momenta are zero. In this module
m = m_Z'² and M = m_χ². Needs mpmath, the extra ``reference``.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

__all__ = ["F_G", "LoopFunctions", "loop_functions", "loop_functions_closed_form"]

#: Digits of the quadratures; D11a − D11b at (m_χ/m_Z')² = 1e12 cancels twelve.
DIGITS = 45
#: Masses closer than 10^-NUDGE are moved that far apart; the singularity is removable, so the result follows.
NUDGE = 25
#: Up to seven powers of the nudge cancel (four in (A8)-(A10), three in B0'').
WORKING_DIGITS = 7 * NUDGE + DIGITS


class LoopFunctions(NamedTuple):
    """The six combinations of four-point functions the box diagrams need."""

    D0b: float  # MeV⁻⁴
    D1b: float  # MeV⁻⁴
    D00a_D00b: float  # MeV⁻²
    D11a_D11b: float  # MeV⁻⁴
    D001a_D001b: float  # MeV⁻²
    D00b: float  # MeV⁻²


def _mpmath() -> ModuleType:
    try:
        import mpmath
    except ImportError as error:
        raise ImportError('the reference loop functions need mpmath: pip install "cevns_fast[reference]"') from error
    return mpmath  # type: ignore[no-any-return]


def loop_functions(m_chi: float, m_zprime: float) -> LoopFunctions:
    """The six loop functions as Feynman-parameter integrals.

    With Feynman parameters x_i of the masses (0, M, m, m) ["b"] or (0, M, 0, m) ["a"] on the simplex and
    Δ = Σ x_i m_i², D_0 = ∫ 1/Δ², D_1 = −∫ x_χ/Δ², D_11 = ∫ x_χ²/Δ², D_00 = −½ ∫ 1/Δ, D_001 = ½ ∫ x_χ/Δ.
    Put x_χ = ρw and ρ(1 − w) for the heavy Z' parameters (their sum in "b", the one in "a"): then
    Δ = ρ δ(w) with δ = wM + (1 − w)m, the measure is ρ²(1 − w) ["b"] or ρ(1 − ρ) ["a"], and the integral
    over ρ is elementary.

    Parameters
    ----------
    m_chi, m_zprime : float
        Masses [MeV].

    Returns
    -------
    LoopFunctions
        Correctly rounded for mass ratios (m_χ/m_Z')² within 1e±12.

    Examples
    --------
    >>> round(loop_functions(10.0, 10.0).D0b * 10.0**4, 12)  # 1/(2 m²) for equal masses
    0.5
    """
    mp = _mpmath()
    with mp.workdps(DIGITS):
        M, m = mp.mpf(m_chi) ** 2, mp.mpf(m_zprime) ** 2
        # The integrands change over w ~ m/(M + m) or 1 − w ~ M/(M + m), maybe tiny: one panel a decade.
        scale = min(m, M) / (m + M)
        decades = [scale * 10**k for k in range(int(mp.log10(mp.mpf(1) / 2 / scale)) + 1)]
        panels = [0, *decades, mp.mpf(1) / 2]

        def integral(f: Callable[[Any, Any, Any], Any]) -> Any:
            """∫ f(w, 1 − w, δ) dw over (0, 1), each half from its own end so that 1 − w keeps its digits."""
            near_0 = mp.quad(lambda w: f(w, 1 - w, w * M + (1 - w) * m), panels)
            near_1 = mp.quad(lambda v: f(1 - v, v, (1 - v) * M + v * m), panels)
            return near_0 + near_1

        return LoopFunctions(
            D0b=float(integral(lambda w, v, delta: v / delta**2)),
            D1b=float(-integral(lambda w, v, delta: w * v / delta**2) / 2),
            D00a_D00b=float(-integral(lambda w, v, delta: (1 - v) / delta) / 4),
            D11a_D11b=float(integral(lambda w, v, delta: w**2 * (mp.mpf(1) / 6 - v / 3) / delta**2)),
            D001a_D001b=float(integral(lambda w, v, delta: w * (mp.mpf(1) / 12 - v / 6) / delta)),
            D00b=float(-integral(lambda w, v, delta: v / delta) / 4),
        )


def loop_functions_closed_form(m_chi: float, m_zprime: float) -> LoopFunctions:
    """The six loop functions as printed, CLLS (A1)-(A6), with (A6)'s second mass read as m_χ.

    Parameters
    ----------
    m_chi, m_zprime : float
        Masses [MeV].

    Returns
    -------
    LoopFunctions
        Correctly rounded; enough digits are carried for the cancellations, even between equal masses.

    Examples
    --------
    >>> loop_functions_closed_form(1.0, 3.0) == loop_functions(1.0, 3.0)
    True
    """
    mp = _mpmath()
    with mp.workdps(WORKING_DIGITS):
        M, m = mp.mpf(m_chi) ** 2, mp.mpf(m_zprime) ** 2
        M = _apart(mp, M, m)
        log = mp.log(m / M)
        return LoopFunctions(
            D0b=float((-m + M + m * log) / (m * (m - M) ** 2)),  # (A1)
            D00a_D00b=float((m - M - m * log) / (4 * (m - M) ** 2)),  # (A2)
            D11a_D11b=float(  # (A3)
                m * ((m - M) * (m + 5 * M) - 2 * M * (2 * m + M) * log) / (6 * M * (m - M) ** 4)
            ),
            D001a_D001b=float(m * (-2 * m + 2 * M + (m + M) * log) / (12 * (m - M) ** 3)),  # (A4)
            D1b=float((2 * (m - M) - (m + M) * log) / (2 * (m - M) ** 3)),  # (A5)
            D00b=float((-m + M + M * log) / (4 * (m - M) ** 2)),  # (A6)
        )


def F_G(m_chi: float, m_zprime: float, m_q: float, variant: str = "corrected") -> float:
    """The two-loop function F_G by CLLS Eqs. (A7)-(A13): the x-integral over divided differences of B0.

    Parameters
    ----------
    m_chi, m_zprime, m_q : float
        Masses of the fermion, the mediator and the heavy quark [MeV].
    variant : {"corrected", "published"}
        Sign of the third term of (A7): + or, as printed, −.

    Returns
    -------
    float
        F_G [MeV⁻⁴], good to 1e-15.

    Examples
    --------
    >>> heavy_quark = F_G(1.0, 2.0, 1e6) * 1e12 / loop_functions(1.0, 2.0).D00b
    >>> round(heavy_quark, 6)  # F_G -> 8 D00b/m_q²
    8.0
    """
    mp = _mpmath()
    sign = {"corrected": 1, "published": -1}[variant]
    with mp.workdps(WORKING_DIGITS):
        m, q = mp.mpf(m_zprime) ** 2, mp.mpf(m_q) ** 2
        M = _apart(mp, mp.mpf(m_chi) ** 2, m)

    # (A11)-(A13) at p² = 0, up to the divergent constant of B0, which no difference keeps. As the integrals
    # say, C0 = dB0/dm² and D0 = ½ d²B0/d(m²)².
    def B0(m2: Any) -> Any:
        return 1 - (m2 * mp.log(m2) - M * mp.log(M)) / (m2 - M)

    def C0(m2: Any) -> Any:
        return -1 / (m2 - M) + M * mp.log(m2 / M) / (m2 - M) ** 2

    def D0(m2: Any) -> Any:
        return (1 + M / m2) / (2 * (m2 - M) ** 2) - M * mp.log(m2 / M) / (m2 - M) ** 3

    def integrand(x: Any) -> Any:
        with mp.workdps(WORKING_DIGITS):
            y = x * (1 - x)
            mu2 = _apart(mp, _apart(mp, q / y, m), M)
            X1 = (B0(m) - B0(mu2)) / (m - mu2)  # (A8)
            X2 = (X1 - C0(mu2)) / (m - mu2)  # (A9)
            X3 = (X2 - D0(mu2)) / (m - mu2)  # (A10)
            # d/dm_Z'² of the three
            dX1 = (C0(m) - X1) / (m - mu2)
            dX2 = (dX1 - X2) / (m - mu2)
            dX3 = (dX2 - X3) / (m - mu2)
            return (  # (A7)
                -3 * dX1 + 3 * q * (1 + y) / y**2 * dX2 + sign * 4 * q**2 * (1 - 3 * y) / y**3 * dX3
            )

    # Nodes: m_q²/[x(1 − x)] sweeps the scales from 4 m_q² up to m and M, near x = m_q²/m; one panel a decade.
    with mp.workdps(DIGITS):
        panels = [min(mp.mpf("0.03"), q / max(m, M) / 10)]
        while panels[-1] < mp.mpf("0.03"):
            panels.append(panels[-1] * 10)
        # (A7) is symmetric under x -> 1 − x; the half is taken to the quotient's singular-free middle.
        return float(2 * mp.quad(integrand, [0, *panels, mp.mpf(1) / 2]))


def _apart(mp: ModuleType, value: Any, other: Any) -> Any:
    """`value`, or a neighbour of it where it is closer to `other` than the working digits can resolve."""
    distance = mp.mpf(10) ** -NUDGE
    return other * (1 + distance) if abs(value / other - 1) < distance else value
