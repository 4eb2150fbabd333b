"""χ² with exact derivatives: the C kernel of ``likelihood*.c`` and the block of numbers it reads. No validation."""

from collections.abc import Sequence
from itertools import accumulate, pairwise, starmap
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cevns_fast._kernels.library import ffi, lib, opened, read, written

Array = NDArray[np.float64]

FIXED_VARIANCE: int = lib.FIXED_VARIANCE
PREDICTED_VARIANCE: int = lib.PREDICTED_VARIANCE
POISSON: int = lib.POISSON
LONGEST_NAME: int = lib.NAME_SIZE - 1  # in bytes
_NULL, _chi2, _hessian = ffi.NULL, lib.cevns_fast_chi2, lib.cevns_fast_hessian  # to look them up takes time


class SampleTerm(NamedTuple):
    """What a sample of an experiment holds, see ``likelihood_curves.c``."""

    group: int  # 0 is the signal
    nuisance: int  # −1 for a constant
    bent: bool
    values: Array  # [bins]


class Factor(NamedTuple):
    """What multiplies a sample: an exponential, or an interpolation between powers of `up` and `down`."""

    group: int
    nuisance: int
    log_up: float
    log_down: float
    polynomial: Sequence[float]  # of degree 6 without its constant 1, between −1 and 1; empty for an exponential


class System(NamedTuple):
    """One experiment, see ``likelihood_types.h``."""

    statistic: int
    shape_variance: float
    off_on_ratio: float
    data: Array  # [bins]
    weight: Array  # [bins]: 1/variance, floor of the variance or off counts
    background: Array  # [bins]
    base: Array  # [bins]
    factor: float
    scale: Array  # [nuisances], of what is solved for
    morph: Sequence[int]  # [nuisances]: which table moves the shape, 0 for none
    shift: Array  # [nuisances, bins]
    breaks: Array  # [pieces + 1]
    coefficients: Array  # [pieces, degree + 1, tables, monomials, bins], highest power first
    terms: Sequence[SampleTerm] = ()
    factors: Sequence[Factor] = ()


class Layout(NamedTuple):
    """What all experiments share; indices are places among the parameters, −1 for none."""

    names: Sequence[str]
    lower: Sequence[float]
    upper: Sequence[float]
    coupling_at: Sequence[int]
    x_at: int
    exponents: Sequence[tuple[int, ...]]  # [monomials][couplings]
    nuisance_at: Sequence[int]
    centre: Array  # [nuisances]
    offset: Array  # [nuisances]
    mix: Array  # [nuisances, nuisances]
    strength: Sequence[float] = ()  # [nuisances]: 1, or 0 for one that is free; empty if there is none


class Block(NamedTuple):
    """All numbers of a likelihood, and where those are that change from toy to toy or from mass to mass."""

    numbers: Array
    data: Sequence[slice]  # of each system
    weight: Sequence[slice]
    coefficients: Sequence[slice]
    centre: slice


def pack(layout: Layout, systems: Sequence[System]) -> Block:
    """Everything as one block, in the order in which the kernel reads."""
    names = np.zeros((len(layout.names), LONGEST_NAME + 1))
    for row, name in zip(names, layout.names, strict=True):
        letters = name.encode()[:LONGEST_NAME]
        row[: len(letters)] = list(letters)
    factors = [(c, p) for exponents in layout.exponents for c, p in enumerate(exponents) if p > 0]
    first_factor = np.cumsum([0, *(sum(p > 0 for p in exponents) for exponents in layout.exponents)])
    n_couplings, n_monomials, n_nuisances = len(layout.coupling_at), len(layout.exponents), len(layout.nuisance_at)
    curved = 0.0 in layout.strength or any(s.terms or s.factors for s in systems)
    magic = lib.CURVED_MAGIC if curved else lib.MAGIC
    parts: list[dict[str, Sequence[float] | Array]] = [
        {
            "head": [magic, len(layout.names), n_couplings, n_monomials, n_nuisances, len(systems)],
            "lower": layout.lower, "upper": layout.upper, "names": names.ravel(), "factors": [len(factors)],
            "coupling_at": layout.coupling_at, "x_at": [layout.x_at], "first_factor": first_factor,
            "factor": [c for c, _ in factors], "power": [p for _, p in factors], "nuisance_at": layout.nuisance_at,
            "centre": layout.centre, "offset": layout.offset, "mix": layout.mix.ravel(),
            "strength": _strength(layout) if curved else [],
        }
    ]  # fmt: skip
    for s in systems:
        pieces, degree, tables = s.coefficients.shape[:3]
        parts.append({
            "head": [s.statistic, len(s.data), s.shape_variance, s.off_on_ratio, s.factor],
            "data": s.data, "weight": s.weight, "background": s.background, "base": s.base, "scale": s.scale,
            "morph": s.morph, "shift": s.shift.ravel(), "curves": _curves(s) if curved else [],
            "table": [tables, pieces, degree - 1], "breaks": s.breaks, "coefficients": s.coefficients.ravel(),
        })  # fmt: skip
    arrays = [np.asarray(numbers, dtype=np.float64) for part in parts for numbers in part.values()]
    places = starmap(slice, pairwise(accumulate((each.size for each in arrays), initial=0)))
    shared, *own = [dict(zip(part, places, strict=False)) for part in parts]
    data, weight, coefficients = ([each[name] for each in own] for name in ("data", "weight", "coefficients"))
    return Block(np.concatenate(arrays), data, weight, coefficients, shared["centre"])


def _strength(layout: Layout) -> Sequence[float]:
    """Of each nuisance's constraint."""
    return layout.strength or [1.0] * len(layout.nuisance_at)


def _curves(s: System) -> Array:
    """Terms and factors of a system, as the kernel reads them."""
    groups = max([0, *(t.group for t in s.terms), *(f.group for f in s.factors)])
    parts: list[Sequence[float] | Array] = [[groups, len(s.terms), len(s.factors)]]
    for t in s.terms:
        parts += [[t.group, t.nuisance, lib.BENT if t.bent else lib.STRAIGHT], t.values]
    for f in s.factors:
        kind = lib.INTERPOLATED if f.polynomial else lib.EXPONENTIAL
        parts += [[f.group, f.nuisance, kind, f.log_up, f.log_down], f.polynomial or [0.0] * lib.FACTOR_TERMS]
    return np.concatenate([np.asarray(part, dtype=np.float64) for part in parts])


class Evaluator:
    """A handle of the kernel. Every method may be called from several threads at once."""

    def __init__(self, block: Block) -> None:
        self._handle = opened(block.numbers)
        self.n_bins: int = lib.cevns_fast_bins(self._handle)
        self.n_nuisances: int = lib.cevns_fast_nuisances(self._handle)

    def chi2(self, theta: Sequence[float]) -> float:
        """χ² at a list of parameters."""
        value: float = _chi2(self._handle, theta, len(theta), _NULL)
        return value

    def derivatives(self, theta: Sequence[float] | Array, *, second: bool) -> tuple[float, Array, Array | None]:
        """χ², its gradient and, if it is wanted, its Hessian, at a list or an array of parameters."""
        n = len(theta)
        gradient, hessian = np.empty(n), np.empty((n, n)) if second else None
        value = _hessian(
            self._handle,
            read(theta) if isinstance(theta, np.ndarray) else theta,
            n,
            written(gradient),
            _NULL if hessian is None else written(hessian),
        )
        return value, gradient, hessian

    def batch(self, thetas: Array) -> Array:
        """χ² at thetas[points, n]."""
        found = np.empty(len(thetas))
        lib.cevns_fast_chi2_batch(self._handle, read(thetas), *thetas.shape, written(found))
        return found

    def limits(
        self, tables: Array, unit: Array, threshold: float, grid: Array, lows: Array, highs: Array, summary: Array
    ) -> None:
        """Where the only parameter may be, for the rows of all arrays: see ``coupling_limits.h``."""
        done = lib.cevns_fast_limits(
            self._handle, read(tables), len(tables), read(unit), threshold, read(grid), grid.size,
            lows.shape[1], written(lows), written(highs), written(summary),
        )  # fmt: skip
        if not done:
            raise MemoryError("no room for limits along a coupling")

    def minimise(self, theta: Array, fixed: Sequence[bool]) -> tuple[float, Array]:
        """The nearest minimum downhill from theta: χ² and where it is."""
        found = theta.copy()
        value = lib.cevns_fast_minimise(self._handle, written(found), found.size, [int(each) for each in fixed])
        return value, found

    def pulls(self, theta: Array) -> Array:
        """All nuisances, in standard deviations."""
        found = np.empty(self.n_nuisances)
        lib.cevns_fast_pulls(self._handle, read(theta), theta.size, written(found))
        return found

    def counts(self, theta: Array) -> tuple[Array, Array]:
        """Signal counts of all bins, and the expectation that nuisances make of them."""
        signal, expectation = np.empty(self.n_bins), np.empty(self.n_bins)
        lib.cevns_fast_counts(self._handle, read(theta), theta.size, written(signal), written(expectation))
        return signal, expectation

    def of_counts(self, signal: Array) -> tuple[Array, Array]:
        """χ² and pulls of signal counts [points, bins]."""
        chi2, pulls = np.empty(len(signal)), np.empty((len(signal), self.n_nuisances))
        lib.cevns_fast_chi2_of_counts(self._handle, read(signal), len(signal), written(chi2), written(pulls))
        return chi2, pulls
