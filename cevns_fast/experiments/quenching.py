"""Quenching: how much of a recoil's energy is seen."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.constants import KEV
from cevns_fast.nuclear.nuclei import isotopes_of


@dataclass(frozen=True)
class LindhardQuenching:
    """Quenching k g(ε) / (1 + k g(ε)) with g = 3 ε^0.15 + 0.7 ε^0.6 + ε and ε = 11.5 Z^(−7/3) T/keV.

    Attributes
    ----------
    element : str
        Symbol of the element that recoils in itself, "Ge" say.
    k : float or None
        Strength of the electronic stopping; None: Lindhard's 0.133 Z^(2/3) A^(−1/2), with the mean A of the element
        (0.157 for germanium).

    Notes
    -----
    J. Lindhard et al., Mat. Fys. Medd. Dan. Vid. Selsk. 33 (1963) no. 10; in this form J. D. Lewin and P. F. Smith,
    Astropart. Phys. 6 (1996) 87, Eqs. (4.3)–(4.5). CONUS has k = 0.162 for germanium (arXiv:2202.03754).

    Examples
    --------
    >>> import cevns_fast as cf
    >>> float(cf.LindhardQuenching("Ge", k=0.162)([0.001])[0].round(3))
    0.175
    """

    element: str
    k: float | None = None

    def __post_init__(self) -> None:
        isotopes_of("element", self.element)
        if self.k is not None:
            validate.number("k", self.k, positive=True)

    def __call__(self, T: ArrayLike) -> Floats:
        isotopes = isotopes_of("element", self.element)
        Z = isotopes[0].Z
        k = self.k
        if k is None:
            weight = sum(n.abundance * n.atomic_mass for n in isotopes) / sum(n.abundance for n in isotopes)
            k = 0.133 * Z ** (2 / 3) / math.sqrt(weight)
        epsilon = 11.5 * Z ** (-7 / 3) * validate.real("T", T) / KEV
        g = 3 * epsilon**0.15 + 0.7 * epsilon**0.6 + epsilon
        return np.asarray(k * g / (1 + k * g))


@dataclass(frozen=True)
class PolynomialQuenching:
    """Quenching c₀ + c₁ T + c₂ T² + …, of the recoil energy T in MeV.

    Where a paper gives the quenched energy itself as a polynomial, c₀ is its coefficient of T.

    Attributes
    ----------
    coefficients : tuple of float
        c₀ (dimensionless), c₁ (MeV⁻¹), …

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.PolynomialQuenching((0.0554628, 4.30681, -111.707, 840.384))  # COHERENT, arXiv:2111.02477
    >>> float(csi([0.015])[0].round(4))
    0.0978
    """

    coefficients: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "coefficients", tuple(validate.vector("coefficients", self.coefficients).tolist()))

    def __call__(self, T: ArrayLike) -> Floats:
        return np.asarray(np.polynomial.polynomial.polyval(validate.real("T", T), self.coefficients))


@dataclass(frozen=True)
class LinearQuenching:
    """Quenching `intercept` + `slope` × T, of the recoil energy T in MeV.

    Attributes
    ----------
    intercept : float
        Dimensionless.
    slope : float
        MeV⁻¹.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> argon = cf.LinearQuenching(0.246, 0.78)  # COHERENT's liquid argon, arXiv:2003.10630
    >>> float(argon([0.1])[0].round(3))
    0.324
    """

    intercept: float
    slope: float

    def __post_init__(self) -> None:
        validate.number("intercept", self.intercept)
        validate.number("slope", self.slope)

    def __call__(self, T: ArrayLike) -> Floats:
        return np.asarray(self.intercept + self.slope * validate.real("T", T))
