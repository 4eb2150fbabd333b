"""Checks at the façade: an error names the argument, its value and what is allowed."""

import difflib
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def number(name: str, value: Any, *, minimum: float = -math.inf, positive: bool = False) -> float:
    """A finite real number in range, as `float`."""
    allowed = "a finite number"
    if positive:
        allowed += " > 0"
    elif minimum > -math.inf:
        allowed += f" >= {minimum:g}"
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
        raise ValueError(f"{name} = {value!r}: must be {allowed}")
    if isinstance(value, complex | np.complexfloating):
        raise ValueError(f"{name} = {value!r}: must be real, {allowed}")
    result = float(value)
    if not math.isfinite(result) or result < minimum or (positive and result <= 0):
        raise ValueError(f"{name} = {value!r}: must be {allowed}")
    return result


def whole(name: str, value: Any, *, minimum: int) -> int:
    """A whole number in range, Python's or numpy's, as `int`."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer) or value < minimum:
        raise ValueError(f"{name} = {value!r}: must be a whole number >= {minimum}")
    return int(value)


def coupling(name: str, value: Any) -> complex:
    """A finite real or complex number, as `complex`."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | complex | np.number):
        raise ValueError(f"{name} = {value!r}: must be a finite real or complex number")
    result = complex(value)
    if not (math.isfinite(result.real) and math.isfinite(result.imag)):
        raise ValueError(f"{name} = {value!r}: must be a finite real or complex number")
    return result


def choice(name: str, value: Any, allowed: Iterable[str]) -> str:
    """One of the allowed names; a near miss gets a suggestion."""
    options = list(allowed)
    if isinstance(value, str) and value in options:
        return value
    raise ValueError(f"{name} = {value!r}: {unknown(value, options)}")


def unknown(value: Any, options: Iterable[str]) -> str:
    """The second half of an error about a name that does not exist."""
    known = list(options)
    same = [option for option in known if option.lower() == str(value).lower()]
    close = same or difflib.get_close_matches(str(value), known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}must be one of {', '.join(map(repr, known))}"


def array(name: str, value: ArrayLike, *, minimum: float = -math.inf) -> Floats:
    """A finite float64 array of any shape."""
    try:
        raw = np.asarray(value)
        result = np.asarray(raw, dtype=np.float64) if raw.dtype.kind in "iuf" else None
    except (TypeError, ValueError):
        result = None
    if result is None:
        raise ValueError(f"{name} = {value!r}: must be real numbers")
    bad = ~(np.isfinite(result) & (result >= minimum))
    if bad.any():
        allowed = "finite" if minimum == -math.inf else f"finite and >= {minimum:g}"
        raise ValueError(f"{name} = {result[bad].flat[0]!r}: must be {allowed}")
    return result


def vector(name: str, value: ArrayLike, *, length: int | None = None, minimum: float = -math.inf) -> Floats:
    """A finite, one-dimensional, read-only float64 copy, of a stated length if one is given."""
    result = array(name, value, minimum=minimum).copy()
    if result.ndim != 1 or result.size == 0:
        raise ValueError(f"{name}: has shape {result.shape}, must be one-dimensional and not empty")
    if length is not None and result.size != length:
        raise ValueError(f"{name}: has {result.size} entries, must have {length}")
    result.setflags(write=False)
    return result


def increasing(name: str, value: ArrayLike, *, minimum: float = -math.inf) -> Floats:
    """A strictly increasing vector of at least two numbers."""
    result = vector(name, value, minimum=minimum)
    if result.size < 2 or not np.all(np.diff(result) > 0):
        raise ValueError(f"{name} = {result.tolist()}: must be at least two strictly increasing numbers")
    return result


def interval(name: str, value: Sequence[float], *, minimum: float = -math.inf) -> tuple[float, float]:
    """A pair low < high."""
    low, high = increasing(name, list(value), minimum=minimum).tolist()
    return low, high


def unknown_fields(owner: str, changes: Iterable[str], allowed: Iterable[str]) -> None:
    """Refuse names that are not among the allowed fields."""
    options = list(allowed)
    for name in changes:
        if name not in options:
            raise ValueError(f"{owner}: unknown field {name!r}; {unknown(name, options)}")
