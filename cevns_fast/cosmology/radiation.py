"""How much is relativistic: g_ρ and g_s of the Standard Model, by Saikawa & Shirai 2018."""

import tomllib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cevns_fast import _validate as validate
from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.data import data_path

#: Temperature [MeV] where the fit's two branches meet: g_s jumps by 4e-4 there.
SEAM = 120.0


class DegreesOfFreedom(NamedTuple):
    """Effective degrees of freedom of the energy and of the entropy density.

    Attributes
    ----------
    g_rho, g_s : float or float64[...]

    Examples
    --------
    >>> import cevns_fast as cf
    >>> found = cf.cosmology.degrees_of_freedom(10.0)
    >>> type(found).__name__, round(float(found.g_rho), 2)
    ('DegreesOfFreedom', 10.74)
    """

    g_rho: Floats
    g_s: Floats


def degrees_of_freedom(T: ArrayLike) -> DegreesOfFreedom:
    """Effective degrees of freedom of the Standard Model.

    Parameters
    ----------
    T : array_like
        Temperature of the photons, MeV, in (0, 1e19].

    Returns
    -------
    DegreesOfFreedom
        ``g_rho`` and ``g_s``, of the shape of T: ρ = π²/30 g_ρ T⁴ and s = 2π²/45 g_s T³.

    Raises
    ------
    ValueError
        If a temperature is outside the fit.

    Notes
    -----
    K. Saikawa and S. Shirai, JCAP 05 (2018) 035, arXiv:1803.01038, Appendix C: a fit to 1% or better, with
    neutrinos that decouple and e± that heat the photons. χ and S are not counted.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> g = cf.cosmology.degrees_of_freedom([200.0, 1.0])
    >>> g.g_rho.round(4), g.g_s.round(4)
    (array([39.9418, 10.5454]), array([37.4586, 10.5482]))
    """
    temperature = checked("T", validate.array("T", T))
    g_rho, g_s, _ = with_tilt(temperature)
    return DegreesOfFreedom(g_rho, g_s)


def checked(name: str, T: Floats) -> Floats:
    """Temperatures inside the fit; `ValueError` otherwise."""
    highest = _fit()["range"][1]
    bad = ~((T > 0) & (highest >= T))
    if bad.any():
        raise ValueError(
            f"{name} = {T[bad].flat[0].item()!r}: must be in (0, {highest:g}] MeV, where the fit of g_* holds "
            "(Saikawa & Shirai 2018)"
        )
    return T


@np.errstate(under="ignore")  # what is negligible is zero
def with_tilt(T: Floats, branch: Floats | None = None) -> tuple[Floats, Floats, Floats]:
    """g_ρ, g_s and 1 + ⅓ dln g_s/dln T; `branch` decides instead of T on which side of the seam the fit is taken."""
    high = (T if branch is None else branch) >= SEAM
    result = np.empty((3, *T.shape))
    if high.any():
        result[:, high] = _high(T[high])
    if not high.all():
        result[:, ~high] = _low(T[~high])
    return result[0], result[1], result[2]


@remember(maxsize=1)
def _fit() -> dict[str, Any]:
    with data_path("cosmology", "degrees_of_freedom.toml").open("rb") as file:
        return tomllib.load(file)


def _high(T: Floats) -> tuple[Floats, Floats, Floats]:
    """Eqs. (C.1), (C.2): ratios of polynomials in t = ln(T/GeV)."""
    polynomial = np.polynomial.polynomial
    t = np.log(T / 1e3)
    coefficients = [np.array(_fit()["high"][name]) for name in "abcd"]
    a, b, c, d = (polynomial.polyval(t, each) for each in coefficients)
    da, db, dc, dd = (polynomial.polyval(t, polynomial.polyder(each)) for each in coefficients)
    ratio = 1 + c / d
    slope = da / a - db / b - (dc - c * dd / d) / (d * ratio)  # dln g_s/dt
    return a / b, a / b / ratio, 1 + slope / 3


def _low(T: Floats) -> tuple[Floats, Floats, Floats]:
    """Thresholds of e, μ, π and of what stands for heavier hadrons."""
    low = _fit()["low"]
    f, df = _threshold(low["S_fit"]["fermion"], low["S_fit"]["mass"], T)
    S, dS = 1 + 7 / 4 * f, 7 / 4 * df
    values = []
    slopes = []
    for name in ("g_rho", "g_s"):
        numbers = low[name]
        g = numbers["constant"] + numbers["neutrinos"] * S ** numbers["power"]
        dg = numbers["neutrinos"] * numbers["power"] * S ** (numbers["power"] - 1) * dS
        for kind in ("fermion", "boson"):
            for mass, weight in numbers[f"{kind}s"]:
                f, df = _threshold(numbers[kind], mass, T)
                g, dg = g + weight * f, dg + weight * df
        values.append(g)
        slopes.append(dg)
    return values[0], values[1], 1 + slopes[1] / values[1] / 3


def _threshold(numbers: list[float], mass: float, T: Floats) -> tuple[Floats, Floats]:
    """e^(−kx) (1 + p₁x + p₂x² + p₃x³) at x = m/T, and its derivative by ln T."""
    k, p1, p2, p3 = numbers
    x = mass / T
    decay = np.exp(-k * x)
    cubic = 1 + x * (p1 + x * (p2 + x * p3))
    return decay * cubic, x * decay * (k * cubic - (p1 + x * (2 * p2 + x * 3 * p3)))
