"""What a detector makes of a recoil: quenching, acceptance, smearing.

A recoil T becomes an observable x (photoelectrons, or keV) with mean x̄(T) = light_yield · quenching(T) · T / keV,
is smeared around it or not, and is kept with probability acceptance(x).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.constants import KEV

Function = Callable[[Floats], ArrayLike]


@dataclass(frozen=True)
class Table:
    """A function given by points, linear between them and constant beyond the first and the last.

    Attributes
    ----------
    x, y : tuple of float
        Increasing abscissae and the values there.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]

    def __post_init__(self) -> None:
        validate.increasing("x", self.x)
        validate.vector("y", self.y, length=len(self.x))
        object.__setattr__(self, "x", tuple(map(float, self.x)))
        object.__setattr__(self, "y", tuple(map(float, self.y)))

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Where the slope jumps."""
        return self.x

    def __call__(self, x: ArrayLike) -> Floats:
        return np.interp(validate.real("x", x), self.x, self.y)


@dataclass(frozen=True)
class LogisticAcceptance:
    """Acceptance k₁ / (1 + exp(−k₂(x − x₀))) above a threshold, 0 below (CL Eq. 12).

    Attributes
    ----------
    plateau, steepness, midpoint : float
        k₁, k₂ and x₀.
    threshold : float
        Where the step function opens.
    """

    plateau: float
    steepness: float
    midpoint: float
    threshold: float

    def __post_init__(self) -> None:
        for name in ("plateau", "steepness", "midpoint", "threshold"):
            validate.number(name, getattr(self, name))
        if not 0 <= self.plateau <= 1:
            raise ValueError(f"plateau = {self.plateau!r}: must be an acceptance, from 0 to 1")

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """The threshold."""
        return (self.threshold,)

    def __call__(self, x: ArrayLike) -> Floats:
        x = validate.real("x", x)
        value = self.plateau * special.expit(self.steepness * (x - self.midpoint))
        return np.asarray(np.where(x >= self.threshold, value, 0.0))


@dataclass(frozen=True)
class PoissonSmearing:
    """The observable is a whole number, Poisson distributed around its mean."""


@dataclass(frozen=True)
class GaussianSmearing:
    """The observable is Gaussian around its mean with σ² = constant² + statistical² x̄ + linear² x̄².

    Attributes
    ----------
    statistical, constant, linear : float
        In units of the observable; `statistical` = 1 is the width of counting photoelectrons.
    """

    statistical: float = 1.0
    constant: float = 0.0
    linear: float = 0.0

    def __post_init__(self) -> None:
        for name in ("statistical", "constant", "linear"):
            validate.number(name, getattr(self, name), minimum=0.0)
        if self.statistical == self.constant == self.linear == 0:
            raise ValueError("statistical = 0.0: at least one of statistical, constant, linear must be > 0")

    def width(self, mean: Floats) -> Floats:
        """Standard deviation."""
        return np.sqrt(self.constant**2 + mean * (self.statistical**2 + mean * self.linear**2))


@dataclass(frozen=True)
class GammaSmearing:
    """The observable is gamma distributed around its mean x̄ with shape 1 + k x̄, variance x̄²/(1 + k x̄).

    Attributes
    ----------
    shape_per_unit : float
        k, per unit of the observable. COHERENT CsI 2021 (arXiv:2110.07730) has 9.56 per keV of
        electron-equivalent energy.
    """

    shape_per_unit: float

    def __post_init__(self) -> None:
        validate.number("shape_per_unit", self.shape_per_unit, positive=True)

    def width(self, mean: Floats) -> Floats:
        """Standard deviation."""
        return mean / np.sqrt(1 + self.shape_per_unit * mean)


Smearing = PoissonSmearing | GaussianSmearing | GammaSmearing


@dataclass(frozen=True)
class Response:
    """From a recoil energy to the observable and its acceptance.

    Attributes
    ----------
    light_yield : float
        Observable per keV of quenched recoil energy (1.17 photoelectrons per keV of recoil for CsI, say).
    quenching : float or callable
        Dimensionless; a callable takes recoil energies T (MeV, array). A `Table` or any object with
        `breakpoints` (MeV) tells where it is not smooth.
    acceptance : float or callable
        Probability in [0, 1]; a callable takes observables (array).
    smearing : PoissonSmearing, GaussianSmearing, GammaSmearing or None
    observable : str
        What x is, for axis labels.
    recoil_threshold : float
        Recoils below, MeV, are never seen.
    """

    light_yield: float = 1.0
    quenching: float | Function = 1.0
    acceptance: float | Function = 1.0
    smearing: Smearing | None = None
    observable: str = "recoil energy [keV]"
    recoil_threshold: float = 0.0

    def __post_init__(self) -> None:
        validate.number("light_yield", self.light_yield, positive=True)
        validate.number("recoil_threshold", self.recoil_threshold, minimum=0.0)
        if not callable(self.quenching):
            validate.number("quenching", self.quenching, positive=True)
        if not callable(self.acceptance):
            value = validate.number("acceptance", self.acceptance, minimum=0.0)
            if value > 1:
                raise ValueError(f"acceptance = {value!r}: must be at most 1")

    def mean(self, T: ArrayLike) -> Floats:
        """Mean observable x̄ at recoil energies T (MeV)."""
        T = validate.real("T", T)
        quenching = _evaluate("quenching", self.quenching, T)
        if np.any(quenching < 0):
            raise ValueError(f"quenching: returns {quenching.min():g}, must be >= 0")
        return np.asarray(self.light_yield * quenching * T / KEV)

    def accept(self, x: ArrayLike) -> Floats:
        """Acceptance at observables x."""
        values = _evaluate("acceptance", self.acceptance, validate.real("x", x))
        if values.size and (values.min() < 0 or values.max() > 1):
            worst = values.min() if values.min() < 0 else values.max()
            raise ValueError(f"acceptance: returns {worst:g}, must be from 0 to 1")
        return values


def _evaluate(name: str, function: float | Function, argument: Floats) -> Floats:
    """The values of a constant or callable, refused if they are not finite or have another shape."""
    if not callable(function):
        return np.full(argument.shape, float(function))
    values = validate.real(f"values of {name}", function(argument))
    if values.shape != argument.shape:
        raise ValueError(f"{name}: returns shape {values.shape} for {argument.shape}; must be vectorised")
    bad = ~np.isfinite(values)
    if bad.any():
        raise ValueError(f"{name}: returns {values[bad][0]} at {argument[bad][0]:g}, must be finite")
    return values


def breakpoints_of(function: float | Function) -> tuple[float, ...]:
    """Where a function says that it is not smooth."""
    return tuple(getattr(function, "breakpoints", ()))


def probability(smearing: GaussianSmearing | GammaSmearing, edges: Floats, mean: Floats) -> Floats:
    """Probability between neighbouring edges [edges, 1], as a difference of the smaller tails."""
    mean = np.maximum(mean, np.finfo(float).tiny)
    if isinstance(smearing, GaussianSmearing):
        z = (edges - mean) / smearing.width(mean)
        below, above, upper = special.ndtr(z), special.ndtr(-z), z[:-1] > 0
    else:
        shape = 1 + smearing.shape_per_unit * mean
        x = edges * shape / mean
        below, above, upper = special.gammainc(shape, x), special.gammaincc(shape, x), x[:-1] > shape
    return np.asarray(np.where(upper, -np.diff(above, axis=0), np.diff(below, axis=0)))


def density(smearing: GaussianSmearing | GammaSmearing, x: Floats, mean: Floats, width: Floats) -> Floats:
    """Probability density of the observable at x."""
    if isinstance(smearing, GaussianSmearing):
        return np.asarray(np.exp(-0.5 * ((x - mean) / width) ** 2) / (math.sqrt(2 * math.pi) * width))
    shape = 1 + smearing.shape_per_unit * mean
    log_p = shape * np.log(shape / mean) + special.xlogy(shape - 1, x) - shape * x / mean - special.gammaln(shape)
    return np.asarray(np.where(x > 0, np.exp(log_p), 0.0))
