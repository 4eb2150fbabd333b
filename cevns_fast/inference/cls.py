"""Limits and significances in the forms that experiments print: CLs, Feldman–Cousins, and what was to be expected.

Rates that are even in a coupling c depend on its square, a signal strength that cannot be negative. With q(c) of the
coupling's χ² above its minimum, and q_A(c) the same for data that are what the Standard Model predicts, the strength is
known to c²/√q_A, from which everything asymptotic follows (Cowan, Cranmer, Gross and Vitells 2011).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from cevns_fast import _validate as validate
from cevns_fast._kernels.likelihood import Evaluator
from cevns_fast._support.loading import load
from cevns_fast._validate import Floats
from cevns_fast.inference import minima
from cevns_fast.inference.best_fit import best_fit
from cevns_fast.inference.throwing import PER_ROW, Thrower, Toys, key_of
from cevns_fast.likelihood.likelihood import Likelihood, function_of

SIGMAS = (-2.0, -1.0, 0.0, 1.0, 2.0)
# Where no coupling is excluded, the search ends at this multiple of one that changes χ² by one.
_FAR = 1e4
# Between these multiples of the asymptotic limit CLs by toys is interpolated.
_AROUND = (0.8, 0.9, 1.0, 1.1, 1.25)


def phi(x: float) -> float:
    """The normal distribution."""
    return float(scipy.special.ndtr(x))


@dataclass(frozen=True, eq=False)
class Discovery:
    """How significantly data prefer new physics over the Standard Model.

    Attributes
    ----------
    observed : float
        √(χ² of zero couplings less its minimum), standard deviations for one coupling.
    expected : float
        The median, if the couplings are what was asked for.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> fit = cf.Likelihood(cf.load("coherent-csi-2017"), model=cf.SingletEFT(m_chi=10.0), parameters=("C_V",))
    >>> found = cf.discovery(fit, {"C_V": 0.2})
    >>> found.observed, round(found.expected, 2)  # standard deviations
    (0.0, 1.87)
    """

    observed: float
    expected: float


def discovery(fit: Likelihood, couplings: dict[str, float]) -> Discovery:
    """Significance of new physics in the data, and what it would be for stated couplings.

    Parameters
    ----------
    fit : Likelihood
        With a model whose parameters are couplings.
    couplings : dict of str to float
        The signal that is expected; couplings not named are zero.

    Returns
    -------
    Discovery

    Raises
    ------
    ValueError
        If an argument is refused.

    Notes
    -----
    G. Cowan, K. Cranmer, E. Gross and O. Vitells, Eur. Phys. J. C 71 (2011) 1554, Eqs. (12) and (52) for one coupling.
    The expectation is that of Asimov data: exactly what is predicted.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> fit = cf.Likelihood(cf.load("coherent-csi-2017"), model=cf.SingletEFT(m_chi=10.0), parameters=("C_V",))
    >>> found = cf.discovery(fit, {"C_V": 0.2})
    >>> round(found.observed, 2), round(found.expected, 1)
    (0.0, 1.9)
    """
    names = [p.name for p in function_of(fit).model.parameters]
    if set(names) != set(function_of(fit).model.couplings):
        raise ValueError(f"fit: has the parameters {names}, must have couplings alone")
    theta = np.zeros(len(names))
    for name, value in validate.mapping("couplings", couplings).items():
        validate.choice("couplings", name, names)
        theta[names.index(name)] = validate.number(name, value)
    nothing = [0.0] * len(names)
    asimov = Thrower(fit, [True] * len(names)).asimov(theta)
    least = asimov.minimise(theta, [False] * len(names))[0]
    return Discovery(
        math.sqrt(max(0.0, fit(nothing) - best_fit(fit).chi2)), math.sqrt(max(0.0, asimov.chi2(nothing) - least))
    )


class OneCoupling:
    """q and q_A of a likelihood whose only parameter is a coupling, in which counts are even."""

    def __init__(self, fit: Likelihood) -> None:
        function = function_of(fit)
        (coupling,) = function.model.couplings
        exponents = function.systems()[0].exponents
        if any(power % 2 for (power,) in exponents):
            raise ValueError(f"coupling = {coupling!r}: counts are not even in it, must be for this method")
        self.fit, self.thrower = fit, Thrower(fit, (True,))
        self.data: Evaluator = function.full()
        self.asimov = self.thrower.asimov(np.zeros(1))
        self.size = minima.reach(self.asimov, np.zeros(1), 0, math.inf)
        best = best_fit(fit)
        self.chi2_min, self.best = best.chi2, abs(best.theta[coupling])
        self._nothing = self.asimov.chi2([0.0])

    def q(self, c: float) -> float:
        """Δχ² of the data, zero for couplings that are smaller than the best (q̃ of Cowan et al., Eq. (16))."""
        return max(0.0, self.data.chi2([c]) - self.chi2_min) if c > self.best else 0.0

    def delta(self, c: float) -> float:
        """Δχ² of the data on either side of the best coupling."""
        return max(0.0, self.data.chi2([c]) - self.chi2_min)

    def root_q_expected(self, c: float) -> float:
        """√q_A: how many standard deviations a coupling is expected to be excluded by."""
        return math.sqrt(max(0.0, self.asimov.chi2([c]) - self._nothing))

    def first_above(self, rises: Callable[[float], float], begin: float = 0.0) -> float:
        """The smallest coupling beyond `begin` at which a function becomes positive; infinite if there is none."""
        if not math.isfinite(self.size):
            return math.inf
        low = begin
        high = max(begin * 1.02, begin + 0.05 * self.size)
        while not rises(high) > 0:
            low, high = high, high * 1.15 if high > self.size else high + 0.05 * self.size
            if high > _FAR * self.size + begin:
                return math.inf
        low = max(low, 1e-6 * high)
        return low if rises(low) > 0 else _root(rises, low, high, xtol=1e-15 * high, rtol=1e-12)

    # -- CLs ----------------------------------------------------------------------------------------------

    def cls(self, c: float) -> float:
        """CLs by asymptotic formulae: Cowan et al., Sec. 3.7, for q̃."""
        q, expected = self.q(c), self.root_q_expected(c)
        if expected == 0:
            return 1.0
        root = math.sqrt(q)
        value = root - expected if root <= expected else (q - expected**2) / (2 * expected)
        return phi(-(value + expected)) / phi(-value)

    def cls_limit(self, level: float) -> float:
        """Where CLs falls to 1 − level."""
        return self.first_above(lambda c: 1 - level - self.cls(c), self.best)

    def cls_by_toys(self, c: float, toys: int, seed: int, sigmas: tuple[float, ...] = ()) -> list[float]:
        """CLs by toys of the coupling and of none, for the data and for quantiles of what none predicts."""
        numbers = self.thrower.bounded(0.0, c)
        there = self.thrower.truth(np.array([c]))
        nothing = self.thrower.truth(np.zeros(1))._replace(theta=np.array([c]))
        rows = np.empty((2 * (toys // PER_ROW), PER_ROW))
        Toys(numbers, (there, nothing), (True,), toys // PER_ROW, key_of(seed)).fill(0, len(rows), rows)
        of_both, of_background = np.sort(rows.reshape(2, toys), axis=1)
        seen = [self.q(c), *np.quantile(of_background, [phi(-x) for x in sigmas], method="nearest").tolist()]
        found = []
        for q in seen:
            low = q - 1e-9 * (1 + q)  # of equals, all count
            signal = toys - np.searchsorted(of_both, low)
            background = toys - np.searchsorted(of_background, low)
            found.append(float(signal / background) if background else 0.0)
        return found

    def cls_limit_by_toys(self, level: float, toys: int, seed: int) -> float:
        """The limit of CLs by toys: CLs at couplings around the asymptotic limit, interpolated in its logarithm."""
        about = self.cls_limit(level)
        if not math.isfinite(about):
            return math.inf
        couplings = np.array([about * x for x in _AROUND])
        values = np.array([math.log(max(self.cls_by_toys(c, toys, seed)[0], 0.1 / toys)) for c in couplings])
        x = np.log(couplings / about)
        curve = np.polynomial.Polynomial.fit(x, values - math.log(1 - level), 2)
        roots = [r.real for r in curve.roots() if abs(r.imag) < 1e-9 and x[0] - 0.1 < r.real < x[-1] + 0.1]
        return about * math.exp(min(roots, key=abs)) if roots else about

    # -- Feldman–Cousins ----------------------------------------------------------------------------------

    def critical(self, c: float, level: float, toys: int, seed: int) -> float:
        """Δχ² that the stated fraction of toys at a coupling does not exceed."""
        rows = np.empty((toys // PER_ROW, PER_ROW))
        truth = self.thrower.truth(np.array([c]))
        Toys(self.thrower.numbers, (truth,), (True,), len(rows), key_of(seed)).fill(0, len(rows), rows)
        return float(np.quantile(rows, level, method="higher"))

    def feldman_cousins_limit(self, level: float, toys: int, seed: int) -> tuple[float, float]:
        """The largest coupling that toys allow, and the critical Δχ² there.

        Critical values hardly change with the coupling: three steps of substitution are enough.
        """
        critical = _root(lambda x: float(scipy.special.gammainc(0.5, x / 2)) - level, 1e-6, 100.0)
        limit = self._delta_limit(critical)
        for _ in range(3):
            if not math.isfinite(limit):
                break
            critical = self.critical(limit, level, toys, seed)
            limit = self._delta_limit(critical)
        return limit, critical

    def _delta_limit(self, threshold: float) -> float:
        """Where Δχ² passes a threshold for good, beyond the best coupling."""
        return self.first_above(lambda c: self.delta(c) - threshold, self.best)

    def lower(self, critical: float) -> float:
        """Where Δχ² falls to a threshold, below the best coupling."""
        return _root(lambda c: self.delta(c) - critical, 0.0, self.best, rtol=1e-12)

    # -- what was to be expected ---------------------------------------------------------------------------

    def expected(self, method: str, level: float, threshold: float) -> Floats:
        """Limits at −2 … +2 standard deviations of the background, by Asimov data, float64[5]."""
        found = []
        for sigma in SIGMAS:
            target = distance_of(method, sigma, level, threshold)
            found.append(self.first_above(lambda c, target=target: self.root_q_expected(c) - target))  # type: ignore[misc]
        return np.array(found)

    def expected_by_toys(self, method: str, level: float, threshold: float, toys: int, seed: int) -> Floats:
        """The expected limits by toys of the background: quantiles of the limits that each of them sets."""
        plan = self.thrower.plan(np.zeros(1), key_of(seed))
        limits = []
        for number in range(toys):
            toy = self.thrower.evaluator(*plan.thrown(number)[:3])
            starts = ([0.1 * self.size], [self.size], [3 * self.size])
            least, where = min((toy.minimise(np.array(x), [False]) for x in starts), key=lambda found: found[0])
            nothing = toy.chi2([0.0])
            best = abs(float(where[0])) if least < nothing else 0.0
            least = min(least, nothing)

            def excess(c: float, toy: Evaluator = toy, least: float = least) -> float:
                q, expected = max(0.0, toy.chi2([c]) - least), self.root_q_expected(c)
                if method == "delta_chi2":
                    return q - threshold
                if method == "feldman-cousins":
                    return q - _bounded_critical(max(expected, 1e-9), level)
                value = math.sqrt(q) - expected if q <= expected**2 else (q - expected**2) / (2 * expected)
                return 1 - level - phi(-(value + expected)) / phi(-value)

            limits.append(self.first_above(excess, best))
        return np.quantile(limits, [phi(x) for x in SIGMAS], method="nearest")


def distance_of(method: str, sigma: float, level: float, threshold: float) -> float:
    """√q_A at the limit of data that fluctuate by so many standard deviations from the background.

    In units of its uncertainty the strength is known to be `sigma` ± 1 and cannot be negative.
    """
    if method == "cls":
        return sigma + float(scipy.special.ndtri(1 - (1 - level) * phi(sigma)))
    if method == "delta_chi2":
        return sigma + math.sqrt(threshold + (sigma**2 if sigma < 0 else 0.0))
    return _root(lambda mu: _distance_squared(sigma, mu) - _bounded_critical(mu, level), max(sigma, 1e-9), 30.0)


def _root(function: Callable[[float], float], low: float, high: float, **accuracy: float) -> float:
    """Where a function changes its sign; what finds it takes as long to load as all else that a first limit needs."""
    return float(load("scipy.optimize").brentq(function, low, high, **accuracy))


def _distance_squared(x: float, mu: float) -> float:
    """Δχ² of a strength mu >= 0, measured to be x."""
    return (x - mu) ** 2 if x >= 0 else mu * (mu - 2 * x)


def _bounded_critical(mu: float, level: float) -> float:
    """Its critical value: Feldman and Cousins 1998, Sec. IV B, a Gaussian with a boundary."""

    def covered(critical: float) -> float:
        above = mu + math.sqrt(critical)
        below = mu - math.sqrt(critical) if critical <= mu**2 else (mu**2 - critical) / (2 * mu)
        return phi(above - mu) - phi(below - mu) - level

    return _root(covered, 1e-12, 100.0)
