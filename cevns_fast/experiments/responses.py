"""What a detector makes of a recoil: quenching, acceptance, smearing.

A recoil T becomes an observable x (photoelectrons, or keV) with mean x̄(T) = light_yield · quenching(T) · T / keV,
is smeared around it or not, and is kept with probability acceptance(x).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from cevns_fast import _validate as validate
from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.constants import KEV
from cevns_fast.nuclear.nuclei import isotopes_of

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


def _logistic(x: Floats) -> Floats:
    """1/(1 + e^−x)."""
    with np.errstate(over="ignore"):  # then it is 0
        return np.asarray(1 / (1 + np.exp(-x)))


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
        value = self.plateau * _logistic(self.steepness * (x - self.midpoint))
        return np.asarray(np.where(x >= self.threshold, value, 0.0))


@dataclass(frozen=True)
class OffsetLogisticAcceptance:
    """Acceptance a / (1 + exp(−b(x − c))) + d where that is positive, 0 below.

    Attributes
    ----------
    amplitude, steepness, midpoint, offset : float
        a, b > 0, c and d; a and a + d are positive.

    Notes
    -----
    COHERENT CsI 2021 (arXiv:2110.07730).

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.OffsetLogisticAcceptance(1.32045, 0.285979, 10.8646, -0.333322)
    >>> csi([6.0, 8.0, 40.0]).round(3).tolist()
    [0.0, 0.071, 0.987]
    """

    amplitude: float
    steepness: float
    midpoint: float
    offset: float

    def __post_init__(self) -> None:
        for name in ("amplitude", "steepness", "midpoint", "offset"):
            validate.number(name, getattr(self, name), positive=name in ("amplitude", "steepness"))
        if not 0 < self.amplitude + self.offset <= 1:
            plateau = self.amplitude + self.offset
            raise ValueError(f"amplitude + offset = {plateau!r}: must be an acceptance, from 0 to 1")

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Where it becomes positive, if it does."""
        if self.offset >= 0:
            return ()
        return (self.midpoint - math.log(-self.amplitude / self.offset - 1) / self.steepness,)

    def __call__(self, x: ArrayLike) -> Floats:
        logistic = self.amplitude * _logistic(self.steepness * (validate.real("x", x) - self.midpoint))
        return np.asarray(np.maximum(logistic + self.offset, 0.0))


@dataclass(frozen=True)
class PoissonSmearing:
    """The observable is a whole number, Poisson distributed around its mean."""


@dataclass(frozen=True)
class GaussianSmearing:
    """The observable is Gaussian around its mean with σ² = constant² + statistical² x̄ + linear² x̄².

    Attributes
    ----------
    statistical, constant, linear : float
        In units of the observable, and zero unless stated; `statistical` = 1 is the width of counting photoelectrons.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> float(cf.GaussianSmearing(constant=0.03).width(0.5))
    0.03
    """

    statistical: float = 0.0
    constant: float = 0.0
    linear: float = 0.0

    def __post_init__(self) -> None:
        for name in ("statistical", "constant", "linear"):
            validate.number(name, getattr(self, name), minimum=0.0)
        if self.statistical == self.constant == self.linear == 0:
            raise ValueError("statistical = 0.0: at least one of statistical, constant, linear must be > 0")

    def width(self, mean: ArrayLike) -> Floats:
        """Standard deviation."""
        mean = validate.real("mean", mean)
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

    def width(self, mean: ArrayLike) -> Floats:
        """Standard deviation."""
        mean = validate.real("mean", mean)
        return mean / np.sqrt(1 + self.shape_per_unit * mean)


Smearing = PoissonSmearing | GaussianSmearing | GammaSmearing


@dataclass(frozen=True)
class Response:
    """From a recoil energy to the observable and its acceptance.

    Attributes
    ----------
    light_yield : float
        Observable per keV of quenched recoil energy (1.17 photoelectrons per keV of recoil for CsI, say).
    quenching : float, LindhardQuenching, PolynomialQuenching, LinearQuenching, Table or callable
        Dimensionless; a callable takes recoil energies T (MeV, array). A `Table` or any object with
        `breakpoints` (MeV) tells where it is not smooth.
    acceptance : float, LogisticAcceptance, Table or callable
        Probability in [0, 1]; a callable takes observables (array).
    smearing : PoissonSmearing, GaussianSmearing, GammaSmearing or None
    observable : str
        What x is, for axis labels.
    recoil_threshold : float
        Recoils below, MeV, are never seen.

    Raises
    ------
    ValueError
        If a number is out of range, or something is neither a number nor a function.

    Notes
    -----
    Callables are compiled once. What they read, globals and attributes included, must not change while an experiment
    with them is in use: if it does, the experiment is refused, and a new one has to be made. They are tested up to the
    largest recoil that the experiment's source can make.
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
        validate.text("observable", self.observable, empty=True)
        if self.smearing is not None:
            example = "None, or a PoissonSmearing, GaussianSmearing or GammaSmearing"
            validate.instance("smearing", self.smearing, (PoissonSmearing, GaussianSmearing, GammaSmearing), example)
        if not _is_function("quenching", self.quenching):
            validate.number("quenching", self.quenching, positive=True)
        if not _is_function("acceptance", self.acceptance):
            value = validate.number("acceptance", self.acceptance, minimum=0.0)
            if value > 1:
                raise ValueError(f"acceptance = {value!r}: must be at most 1")

    def mean(self, T: ArrayLike) -> Floats:
        """Mean observable x̄ at recoil energies T (MeV)."""
        T = validate.real("T", T)
        quenching = _evaluate("quenching", self.quenching, T)
        if np.any(quenching < 0):
            at = T.ravel()[int(np.argmin(quenching))]
            raise ValueError(f"quenching: returns {quenching.min():g} at {at:.4g} MeV, must be >= 0")
        return np.asarray(self.light_yield * quenching * T / KEV)

    def accept(self, x: ArrayLike) -> Floats:
        """Acceptance at observables x."""
        values = _evaluate("acceptance", self.acceptance, validate.real("x", x))
        if values.size and (values.min() < 0 or values.max() > 1):
            worst = values.min() if values.min() < 0 else values.max()
            raise ValueError(f"acceptance: returns {worst:g}, must be from 0 to 1")
        return values


@dataclass(frozen=True)
class ResponseMatrix:
    """A response given at some recoil energies: the probability that a recoil is seen and lands in each bin.

    It is linear between the energies, and zero beyond them.

    Attributes
    ----------
    energies : tuple of float
        Increasing recoil energies, MeV.
    probabilities : tuple of tuple of float
        [energies][bins]; a recoil is in one bin at most. Arrays are taken too.
    observable : str
        What the bins are.

    Raises
    ------
    ValueError
        If the energies do not increase, the shapes disagree, or a row is not one of probabilities.

    Notes
    -----
    A detector with a matrix has as many bins as the matrix; their numbers stand for edges unless `bins` is given.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> matrix = cf.ResponseMatrix((0.001, 0.002, 0.005), [[0.0, 0.0], [0.2, 0.1], [0.1, 0.4]])
    >>> detector = cf.Detector(cf.Target.of("Xe", {"Xe": 1}), mass=1000.0, response=matrix)
    >>> detector.bin_response([0.0015, 0.006]).round(2).tolist()
    [[0.1, 0.0], [0.05, 0.0]]
    """

    energies: tuple[float, ...]
    probabilities: Any
    observable: str = "bin"

    def __post_init__(self) -> None:
        energies = validate.increasing("energies", self.energies, minimum=0.0)
        found = validate.array("probabilities", self.probabilities, minimum=0.0)
        if found.ndim != 2 or len(found) != energies.size or found.shape[1] == 0:
            raise ValueError(f"probabilities: has shape {found.shape}, must be ({energies.size} energies, bins)")
        if found.sum(axis=1).max() > 1 + 1e-9:
            i = int(found.sum(axis=1).argmax())
            raise ValueError(f"probabilities: add up to {found[i].sum():.6g} at {energies[i]:g} MeV, must be at most 1")
        validate.text("observable", self.observable, empty=True)
        object.__setattr__(self, "energies", tuple(energies.tolist()))
        object.__setattr__(self, "probabilities", tuple(map(tuple, found.tolist())))
        object.__setattr__(self, "_table", found)
        object.__setattr__(self, "_hash", hash((self.energies, self.probabilities, self.observable)))

    def __hash__(self) -> int:
        return int(self._hash)  # type: ignore[attr-defined]

    #: What is asked of every response: a matrix holds all of it.
    light_yield = 1.0
    quenching = 1.0
    acceptance = 1.0
    recoil_threshold = 0.0

    @property
    def smearing(self) -> "ResponseMatrix":
        """Itself: recoils of one energy land in several bins."""
        return self

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return len(self.probabilities[0])

    def accept(self, x: ArrayLike) -> Floats:
        """One: what is not accepted is in no bin."""
        return np.ones(np.shape(x))

    def mean(self, T: ArrayLike) -> Floats:
        """Recoil energies (MeV) in keV, where a mean observable is asked for."""
        return np.asarray(validate.real("T", T) / KEV)

    @property
    def table(self) -> Floats:
        """The probabilities, float64[energies, bins]."""
        found: Floats = self._table  # type: ignore[attr-defined]
        return found

    @property
    def sampled(self) -> "ResponseMatrix":
        """The response whose bins are the energies: a recoil between two of them is shared between these.

        Counts with it, times the `table`, are counts with this one, whatever its probabilities are.
        """
        return _sampled(self.energies)

    def between(self, T: Floats) -> tuple[NDArray[np.int64], Floats]:
        """Of recoils T: which energy is below, and how far they are from there to the next."""
        energies = np.array(self.energies)
        k = np.clip(np.searchsorted(energies, T, side="right") - 1, 0, energies.size - 2)
        return k, np.asarray((T - energies[k]) / (energies[k + 1] - energies[k]))

    def at(self, T: Floats) -> Floats:
        """Probabilities float64[bins, len(T)]."""
        energies, table = self.energies, self.table
        k, share = self.between(T)
        inside = (energies[0] <= T) & (energies[-1] >= T)
        between = table[k] * (1 - share)[:, None] + table[k + 1] * share[:, None]
        return np.asarray(np.where(inside[:, None], between, 0.0).T)


@remember(maxsize=64)
def _sampled(energies: tuple[float, ...]) -> ResponseMatrix:
    """One for all matrices of the same energies."""
    return ResponseMatrix(energies, np.eye(len(energies)))


def _is_function(name: str, value: Any) -> bool:
    """Whether it is a function; `ValueError` for a class that should have been made into one."""
    if isinstance(value, type):
        raise ValueError(f"{name} = {value!r}: must be a number or a function, not a class")
    return callable(value)


def _evaluate(name: str, function: float | Function, argument: Floats) -> Floats:
    """The values of a constant or callable, refused if they are not finite or have another shape."""
    if not callable(function):
        return np.full(argument.shape, float(function))
    try:
        returned = function(argument)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        ends = f"{argument.min():g} … {argument.max():g}" if argument.size else "nothing"
        raise ValueError(f"{name}: fails for an array, {ends}, with {type(error).__name__}: {error}") from error
    values = validate.real(f"values of {name}", returned)
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
        below, above, upper = scipy.special.ndtr(z), scipy.special.ndtr(-z), z[:-1] > 0
    else:
        shape = 1 + smearing.shape_per_unit * mean
        x = edges * shape / mean
        below, above, upper = scipy.special.gammainc(shape, x), scipy.special.gammaincc(shape, x), x[:-1] > shape
    return np.asarray(np.where(upper, -np.diff(above, axis=0), np.diff(below, axis=0)))


def density(
    smearing: GaussianSmearing | GammaSmearing, x: Floats, offset: Floats, mean: Floats, width: Floats
) -> Floats:
    """Probability density of the observable at x, which is the mean + offset: narrow ones need all digits of that."""
    if isinstance(smearing, GaussianSmearing):
        return np.asarray(np.exp(-0.5 * (offset / width) ** 2) / (math.sqrt(2 * math.pi) * width))
    shape = 1 + smearing.shape_per_unit * mean
    if np.min(shape) > 1e3:
        return _narrow_gamma(x, offset / mean, shape)
    log_p = (
        shape * np.log(shape / mean)
        + scipy.special.xlogy(shape - 1, x)
        - shape * x / mean
        - scipy.special.gammaln(shape)
    )
    return np.asarray(np.where(x > 0, np.exp(log_p), 0.0))


def is_narrow_gamma(smearing: GaussianSmearing | GammaSmearing, mean: float) -> bool:
    """Whether a shape is so large that scipy's incomplete Γ has lost digits: 1e-10 of 1 in the tails of 1e7."""
    return isinstance(smearing, GammaSmearing) and smearing.shape_per_unit * mean > 1e4


def _narrow_gamma(x: Floats, d: Floats, shape: Floats) -> Floats:
    """The gamma density at x = mean (1 + d) for a large shape s: √(s/2π) exp(−s (d − ln(1 + d)) − 1/12s + …) / x.

    Stirling's series for Γ, and that of the logarithm, where large numbers would cancel.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        series = np.polynomial.polynomial.polyval(d, [(-1) ** k / (k + 2) for k in range(8)])
        deviance = np.where(np.abs(d) < 0.01, d * d * series, d - np.log1p(np.maximum(d, -1.0)))
        log_p = -shape * deviance - 1 / (12 * shape) + 1 / (360 * shape**3)
        return np.asarray(np.where(x > 0, np.exp(log_p) * np.sqrt(shape / (2 * np.pi)) / x, 0.0))
