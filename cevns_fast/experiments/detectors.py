"""Detectors: how much of what material, what it measures of a recoil, and how it bins it.

A recoil T becomes an observable x (photoelectrons, or keV) with mean x̄(T) = light_yield · quenching(T) · T / keV,
is smeared around it or not, and is kept with probability acceptance(x). The response of bin [a, b) is
R(T) = ∫_a^b p(x | x̄(T)) acceptance(x) dx, or acceptance(x̄(T)) inside the bin and 0 outside without smearing.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.constants import KEV
from cevns_fast.nuclear.nuclei import FormFactor, HelmFormFactor, Target

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
        return np.interp(np.asarray(x, dtype=np.float64), self.x, self.y)


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
        x = np.asarray(x, dtype=np.float64)
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
        T = np.asarray(T, dtype=np.float64)
        quenching = _evaluate("quenching", self.quenching, T)
        if np.any(quenching < 0):
            raise ValueError(f"quenching: returns {quenching.min():g}, must be >= 0")
        return np.asarray(self.light_yield * quenching * T / KEV)

    def accept(self, x: ArrayLike) -> Floats:
        """Acceptance at observables x."""
        values = _evaluate("acceptance", self.acceptance, np.asarray(x, dtype=np.float64))
        if values.size and (values.min() < 0 or values.max() > 1):
            worst = values.min() if values.min() < 0 else values.max()
            raise ValueError(f"acceptance: returns {worst:g}, must be from 0 to 1")
        return values


def _evaluate(name: str, function: float | Function, argument: Floats) -> Floats:
    """The values of a constant or callable, refused if they are not finite or have another shape."""
    if not callable(function):
        return np.full(argument.shape, float(function))
    values = np.asarray(function(argument), dtype=np.float64)
    if values.shape != argument.shape:
        raise ValueError(f"{name}: returns shape {values.shape} for {argument.shape}; must be vectorised")
    bad = ~np.isfinite(values)
    if bad.any():
        raise ValueError(f"{name}: returns {values[bad][0]} at {argument[bad][0]:g}, must be finite")
    return values


def _breakpoints(function: float | Function) -> tuple[float, ...]:
    """Where a function says that it is not smooth."""
    return tuple(getattr(function, "breakpoints", ()))


@dataclass(frozen=True)
class Detector:
    """A detector.

    Attributes
    ----------
    target : Target
        The material.
    mass : float
        Fiducial mass, kg.
    bins : tuple of float
        Increasing edges of the observable; bin i is [bins[i], bins[i+1]).
    response : Response
    form_factor : HelmFormFactor or PointNucleus

    Examples
    --------
    >>> import cevns_fast as cf
    >>> ge = cf.Detector(cf.Target.of("Ge", {"Ge": 1}), mass=4.0, bins=(0.1, 0.2, 0.3))
    >>> ge.bin_response([0.00015, 0.00025]).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    target: Target
    mass: float
    bins: tuple[float, ...]
    response: Response = field(default_factory=Response)
    form_factor: FormFactor = field(default_factory=HelmFormFactor)

    def __post_init__(self) -> None:
        validate.number("mass", self.mass, positive=True)
        edges = validate.increasing("bins", self.bins, minimum=0.0)
        object.__setattr__(self, "bins", tuple(edges.tolist()))
        if isinstance(self.response.smearing, PoissonSmearing) and np.any(edges != np.round(edges)):
            raise ValueError(f"bins = {self.bins}: must be whole numbers for a Poisson-smeared observable")
        self.response.accept(np.linspace(edges[0], edges[-1], 257))  # a bad acceptance is refused at once
        if callable(self.response.quenching):  # and so is a bad quenching
            grid = np.geomspace(1e-6, LARGEST_RECOIL, 2000)
            if np.any(np.diff(self.response.mean(grid)) < 0):
                raise ValueError("quenching: the mean observable must not fall with recoil energy")

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return len(self.bins) - 1

    @property
    def nuclei(self) -> Floats:
        """Number of nuclei of each nuclide of the target."""
        return self.target.nuclei_per_kg * self.mass

    def bin_response(self, T: ArrayLike) -> Floats:
        """Probability that a recoil of T (MeV) is counted in each bin, float64[n_bins, len(T)]."""
        T = validate.vector("T", np.atleast_1d(np.asarray(T)), minimum=0.0)
        mean = self.response.mean(T)
        smearing = self.response.smearing
        if smearing is None:
            result = self._sharp(mean)
        elif isinstance(smearing, PoissonSmearing):
            result = self._poisson(mean)
        elif callable(self.response.acceptance) or _is_narrow_gamma(smearing, self.bins[-1]):
            result = self._smeared(mean, smearing)
        else:
            between = _probability(smearing, np.array(self.bins)[:, None], mean)
            result = self.response.acceptance * between
        return np.where(T >= self.response.recoil_threshold, result, 0.0)

    def _sharp(self, mean: Floats) -> Floats:
        """Response without smearing."""
        edges = np.array(self.bins)
        inside = (mean >= edges[:-1, None]) & (mean < edges[1:, None])
        return np.where(inside, self.response.accept(mean), 0.0)

    def _poisson(self, mean: Floats) -> Floats:
        """Sum over the whole numbers in each bin."""
        low, high = int(self.bins[0]), int(self.bins[-1])
        counts = np.arange(low, high, dtype=np.float64)
        log_p = special.xlogy(counts[:, None], mean) - mean - special.gammaln(counts + 1)[:, None]
        weighted = np.exp(log_p) * self.response.accept(counts)[:, None]
        starts = [int(edge) - low for edge in self.bins[:-1]]
        return np.asarray(np.add.reduceat(weighted, starts, axis=0))

    def _smeared(self, mean: Floats, smearing: GaussianSmearing | GammaSmearing) -> Floats:
        """∫ density × acceptance between neighbouring edges and breakpoints, where the density is more than nothing."""
        mean = np.maximum(mean, np.finfo(float).tiny)
        width = smearing.width(mean)
        octave = np.floor(np.log2(width))
        result = np.zeros((self.n_bins, mean.size))
        for each in np.unique(octave):  # what is a short interval depends on the width
            some = np.flatnonzero(octave == each)
            result[:, some] = self._of_width(mean[some], width[some], smearing)
        return result

    def _of_width(self, mean: Floats, width: Floats, smearing: GaussianSmearing | GammaSmearing) -> Floats:
        """The same for means whose widths are nearly equal."""
        accept, narrowest = self.response.accept, width.min()
        cuts = np.array(sorted({*self.bins, *_breakpoints(self.response.acceptance)}))
        cuts = cuts[(self.bins[0] <= cuts) & (cuts <= self.bins[-1])]
        low, high = cuts[:-1], cuts[1:]
        bins = np.searchsorted(self.bins, low, side="right") - 1
        seen = ((mean + _REACH * width).max() > low) & ((mean - _REACH * width).min() < high)
        smooth = seen & ((low > 0) | isinstance(smearing, GaussianSmearing))  # x^(shape − 1) is not, at 0
        few = smooth & (high - low <= 0.5 * narrowest) & isinstance(self.response.acceptance, Table)
        more = smooth & (high - low <= 4 * narrowest) & ~few
        result = np.zeros((self.n_bins, mean.size))
        for short, n in ((few, 8), (more, 32)):  # the nodes are the same for every mean
            nodes, weights = _gauss(n)
            half = 0.5 * (high - low)[short, None]
            x = (0.5 * (low + high)[short, None] + half * nodes).ravel()[:, None]
            weight = accept(x) * (half * weights).ravel()[:, None]
            starts = np.flatnonzero(np.diff(bins[short], prepend=-1)) * n
            for first in range(0, mean.size if x.size else 0, _BLOCK):
                block = slice(first, first + _BLOCK)
                density = _density(smearing, x, x - mean[block], mean[block], width[block])
                result[bins[short][starts // n], block] += np.add.reduceat(density * weight, starts, axis=0)
        for i in np.flatnonzero(seen & ~few & ~more):
            near = (mean + _REACH * width > low[i]) & (mean - _REACH * width < high[i])
            if near.any():
                result[bins[i], near] += self._over_panels(mean[near], width[near], low[i], high[i])
        return result

    def _over_panels(self, mean: Floats, width: Floats, low: float, high: float) -> Floats:
        """The same from `low` to `high`, in panels no wider than the smearing."""
        smearing = self.response.smearing
        assert isinstance(smearing, GaussianSmearing | GammaSmearing)
        nodes, weights = _gauss(32)
        nodes, weights = (nodes + 1) / 2, weights / 2
        # In units of the width, from the mean: wide enough on the right for an exponential tail.
        grid = np.array([-_REACH, -9, -6, -4, -2, -1, 0, 1, 2, 4, 6, 9, 13, 18, 25, _REACH], dtype=np.float64)[:, None]
        if low > 0 or isinstance(smearing, GaussianSmearing):
            panels = np.clip(grid, (low - mean) / width, (high - mean) / width)
            z = panels[:-1, :, None] + np.diff(panels, axis=0)[..., None] * nodes
            offset, dx = z * width[:, None], np.diff(panels, axis=0)[..., None] * weights * width[:, None]
            x = np.clip(mean[:, None] + offset, low, high)
        else:  # x^(shape − 1) is not smooth at 0, in v with x ∝ v⁸ it is
            panels = np.clip(mean + width * grid, low, high)
            panels = np.where(panels < np.minimum(0.3 * mean, high), 0.0, panels)  # no edge near 0
            at_zero = (panels[:-1] == 0)[..., None]
            x = panels[:-1, :, None] + np.diff(panels, axis=0)[..., None] * nodes
            x = np.where(at_zero, panels[1:, :, None] * nodes**8, x)
            dx = np.diff(panels, axis=0)[..., None] * weights
            dx = np.where(at_zero, panels[1:, :, None] * 8 * nodes**7 * weights, dx)
            offset = x - mean[:, None]
        density = _density(smearing, x, offset, mean[:, None], width[:, None]) * self.response.accept(x)
        return np.asarray(np.sum(density * dx, axis=(0, 2)))

    @property
    def response_breakpoints(self) -> tuple[float, ...]:
        """Recoil energies (MeV) at which a bin's response is not smooth."""
        return _response_breakpoints(self)

    def recoil_at(self, x: float, maximum: float) -> float:
        """Recoil energy (MeV) at which the mean observable is x; inf if that is beyond `maximum`."""
        return float(self.recoils_at(np.array([x]), maximum)[0])

    def recoils_at(self, x: Floats, maximum: float) -> Floats:
        """The same for several observables."""
        if not callable(self.response.quenching):
            return x * KEV / (self.response.light_yield * float(self.response.quenching))
        lowest, highest = self.response.mean(np.array([0.0, maximum]))
        found = np.where(x <= lowest, 0.0, np.inf)
        inside = (x > lowest) & (x <= highest)
        if inside.any():
            found[inside] = _roots(lambda T: self.response.mean(T) - x[inside], np.full(inside.sum(), maximum))
        return found

    def replace(self, **changes: Any) -> "Detector":
        """A copy with other fields."""
        validate.unknown_fields("detector", changes, self.__dict__)
        return type(self)(**{**self.__dict__, **changes})


# Recoils beyond this energy (MeV) do not occur at any source this library knows; inverting a quenching
# function has to end somewhere.
LARGEST_RECOIL = 10.0


# Widths from the mean beyond which there is nothing, an exponential tail included.
_REACH = 40


# How many means are evaluated together.
_BLOCK = 128


@lru_cache(maxsize=8)
def _gauss(n: int) -> tuple[Floats, Floats]:
    """Gauss–Legendre nodes and weights on [−1, 1]."""
    return np.polynomial.legendre.leggauss(n)


@lru_cache(maxsize=128)
def _response_breakpoints(detector: Detector) -> tuple[float, ...]:
    """Breakpoints of quenching, and images of bin edges and acceptance breakpoints if nothing smears."""
    response = detector.response
    found = {*_breakpoints(response.quenching), response.recoil_threshold}
    if response.smearing is None:
        observables = np.array([*detector.bins, *_breakpoints(response.acceptance)])
        found.update(detector.recoils_at(observables, LARGEST_RECOIL).tolist())
    return tuple(sorted(T for T in found if 0 < T < LARGEST_RECOIL))


def _roots(rising: Callable[[Floats], Floats], high: Floats) -> Floats:
    """Where functions that do not fall, from < 0 at 0 to >= 0 at `high`, become >= 0, to the last digit.

    By halving ln T, then T: as many steps for all as one of them takes, and none is larger than 70.
    """
    low = 1e-3 * high
    while np.any(above := (rising(low) >= 0) & (low > np.finfo(float).tiny)):
        low, high = np.where(above, 1e-3 * low, low), np.where(above, low, high)
    while True:
        middle = np.where(high > 2 * low, np.sqrt(low) * np.sqrt(high), 0.5 * (low + high))
        between = (low < middle) & (middle < high)
        if not between.any():
            return high
        above = rising(middle) >= 0
        low, high = np.where(between & ~above, middle, low), np.where(between & above, middle, high)


def _probability(smearing: GaussianSmearing | GammaSmearing, edges: Floats, mean: Floats) -> Floats:
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


def _density(
    smearing: GaussianSmearing | GammaSmearing, x: Floats, offset: Floats, mean: Floats, width: Floats
) -> Floats:
    """Probability density of the observable at x, which is the mean + offset: narrow ones need all digits of that."""
    if isinstance(smearing, GaussianSmearing):
        return np.asarray(np.exp(-0.5 * (offset / width) ** 2) / (math.sqrt(2 * math.pi) * width))
    shape = 1 + smearing.shape_per_unit * mean
    if np.min(shape) > 1e3:
        return _narrow_gamma(x, offset / mean, shape)
    log_p = shape * np.log(shape / mean) + special.xlogy(shape - 1, x) - shape * x / mean - special.gammaln(shape)
    return np.asarray(np.where(x > 0, np.exp(log_p), 0.0))


def _is_narrow_gamma(smearing: GaussianSmearing | GammaSmearing, mean: float) -> bool:
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


__all__ = [
    "Detector",
    "GammaSmearing",
    "GaussianSmearing",
    "LogisticAcceptance",
    "PoissonSmearing",
    "Response",
    "Table",
]
