"""Polynomials of declared degrees, from values at points."""

import math
from collections.abc import Sequence

import numpy as np

from cevns_fast._validate import Floats
from cevns_fast.counts.plan import BIN_FLOOR
from cevns_fast.interactions.numerical import NumericalInteraction
from cevns_fast.interactions.process import Exponents

# What a check may differ by.
_SAME = 1e-8


def points_of_degree(degree: int) -> Floats:
    """Values of a coupling, in units of its scale, that determine a polynomial; 0 is among them."""
    return np.arange(degree + 1.0) - degree // 2 if degree < 3 else _chebyshev(degree)


def _chebyshev(degree: int) -> Floats:
    """Between −1 and 1."""
    points = -np.cos(np.pi * np.arange(degree + 1) / degree)
    return np.where(np.abs(points) < 1e-12, 0.0, points) if degree % 2 == 0 else points - points[degree // 2]


def check_polynomial(
    kind: type[NumericalInteraction],
    couplings: Sequence[str],
    scale: Floats,
    exponents: Sequence[Exponents],
    coefficients: Floats,
    point: Sequence[float],
    values: Floats,
) -> None:
    """`ValueError` unless the polynomials have these values at one more point."""
    monomials = np.array([math.prod(x**e for x, e in zip(point, each, strict=True)) for each in exponents])
    expected = np.tensordot(monomials, coefficients, axes=(0, 1))
    size = np.abs(coefficients).sum(axis=1)
    size = np.maximum(size, BIN_FLOOR * size.max(axis=-1, keepdims=True))
    wrong = np.abs(values - expected) > _SAME * size
    if wrong.any():
        row, b = (int(i) for i in np.argwhere(wrong)[0])
        at = ", ".join(f"{n} = {x * s:g}" for n, x, s in zip(couplings, point, scale, strict=True))
        degrees = {name: kind.degrees[name] for name in couplings}
        raise ValueError(
            f"couplings = {degrees}: counts are no polynomial of these degrees: at {at} bin {b} has "
            f"{values[row, b]:.6g}, not {expected[row, b]:.6g}"
        )
