"""Checks at the façade: an error names the argument, its value and what is allowed."""

import cmath
import difflib
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
REAL = frozenset({float, np.float64})  # types of numbers that need no closer look
FLOAT64 = np.dtype(np.float64)
_NO_UNIT = ("", "1", "dimensionless")
PLAIN = REAL | {complex, np.complex128}


def number(name: str, value: Any, *, minimum: float = -math.inf, positive: bool = False) -> float:
    """A finite real number in range, as `float`."""
    if type(value) in REAL:
        result = float(value)
        if minimum <= result < math.inf and result > (0.0 if positive else -math.inf):
            return result  # what is plain and right passes at once
    allowed = "a finite number"
    if positive:
        allowed += " > 0"
    elif minimum > -math.inf:
        allowed += f" >= {minimum:g}"
    plain(name, value)  # a number may have a unit as well
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
        raise ValueError(f"{name} = {value!r}: must be {allowed}")
    if isinstance(value, complex | np.complexfloating):
        raise ValueError(f"{name} = {value!r}: must be real, {allowed}")
    try:
        result = float(value)
    except OverflowError:  # an integer of more than 308 digits
        result = math.inf
    if not math.isfinite(result) or result < minimum or (positive and result <= 0):
        raise ValueError(f"{name} = {value!r}: must be {allowed}")
    return result


def uncertainty(name: str, value: Any, *, positive: bool = False) -> float:
    """A relative standard deviation; infinite stands for no constraint."""
    if type(value) in REAL and value == math.inf:
        return math.inf
    return number(name, value, minimum=0.0, positive=positive)


def whole(name: str, value: Any, *, minimum: int, maximum: int | None = None) -> int:
    """A whole number, numpy's included, as `int`."""
    if type(value) is int and value >= minimum and maximum is None:
        return value  # what is plain and right passes at once
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool | np.bool_)
    if not whole or value < minimum or (maximum is not None and value > maximum):
        allowed = f">= {minimum}" if maximum is None else f"from {minimum} to {maximum}"
        raise ValueError(f"{name} = {value!r}: must be a whole number {allowed}")
    return int(value)


def flag(name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} = {value!r}: must be True or False")
    return bool(value)


def text(name: str, value: Any, *, empty: bool = False) -> str:
    """A string."""
    if not isinstance(value, str) or not (value or empty):
        raise ValueError(f"{name} = {value!r}: must be a string" + ("" if empty else " that is not empty"))
    if not empty and not value.isprintable():  # C would end a name at a zero, and tables at a line's end
        raise ValueError(f"{name} = {value!r}: must be printable, without control characters")
    return value


def instance(name: str, value: Any, kinds: type | tuple[type, ...], example: str) -> None:
    """An object of one of these classes; `example` says what to give."""
    if not isinstance(value, kinds):
        raise ValueError(f"{name} = {value!r}: must be {example}")


def sequence(name: str, value: Any, kinds: type | tuple[type, ...], example: str) -> tuple[Any, ...]:
    """A sequence of objects of one of these classes, as a tuple."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise ValueError(f"{name} = {value!r}: must be a sequence of {example}")
    found = tuple(value)
    for each in found:
        if not isinstance(each, kinds):
            raise ValueError(f"{name} = {each!r}: must be {example}")
    return found


def names(name: str, value: Any) -> tuple[str, ...]:
    """A sequence of strings, as a tuple; not a single one, whose letters would be taken."""
    found = sequence(name, value, object, "names")
    for each in found:
        if not isinstance(each, str):
            raise ValueError(f"{name} = {value!r}: must be a sequence of names, and {each!r} is none")
    return found


def path(name: str, value: Any) -> Path:
    """The path of a file."""
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str) or not str(value):
        raise ValueError(f"{name} = {value!r}: must be a path")
    return Path(value)


def mapping(name: str, value: Any) -> Mapping[Any, Any]:
    """A mapping."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} = {value!r}: must be a mapping")
    return value


def coupling(name: str, value: Any) -> complex:
    """A finite real or complex number, as `complex`."""
    if type(value) in PLAIN and cmath.isfinite(value):
        return complex(value)
    plain(name, value)
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | complex | np.number):
        raise ValueError(f"{name} = {value!r}: must be a finite real or complex number")
    try:
        result = complex(value)
    except OverflowError:
        result = complex(math.inf)
    if not (math.isfinite(result.real) and math.isfinite(result.imag)):
        raise ValueError(f"{name} = {value!r}: must be a finite real or complex number")
    return result


def choice(name: str, value: Any, allowed: Iterable[str]) -> str:
    """One of the allowed names; a near miss gets a suggestion."""
    if type(value) is str and type(allowed) in (tuple, dict) and value in allowed:
        return value
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


def unique(claims: Iterable[tuple[str, str]]) -> None:
    """Refuse a name that two have; each claim is a name and who has it."""
    owners: dict[str, str] = {}
    for name, owner in claims:
        if name in owners:
            raise ValueError(f"name = {name!r}: is that of {owners[name]} and of {owner}, must be unique")
        owners[name] = owner


def plain(name: str, value: Any) -> Any:
    """Refuse an array that means more than its numbers: one that masks some of them, or that has a unit.

    numpy would strip either without a word. What is in lists and tuples is looked at as well.
    """
    if type(value) is np.ndarray and value.dtype.kind != "O":
        return value
    if isinstance(value, list | tuple):
        if not REAL.issuperset(map(type, value)):
            for each in value:
                plain(name, each)
        return value
    if isinstance(value, np.ma.MaskedArray) and np.ma.getmaskarray(value).any():
        raise ValueError(f"{name} = {value!r}: has masked entries, must be plain numbers; leave out what is masked")
    unit = getattr(value, "unit", getattr(value, "units", None))
    if not (unit is None or callable(unit) or isinstance(unit, int | float | np.generic) or str(unit) in _NO_UNIT):
        raise ValueError(f"{name}: has the unit {str(unit)!r}, must be plain numbers in the unit that is documented")
    return value


def real(name: str, value: Any) -> Floats:
    """A float64 array of any shape, infinities and NaN included; the array itself if it is one."""
    if type(value) is np.ndarray and value.dtype is FLOAT64:
        return value
    if type(value) is list and REAL.issuperset(map(type, value)):
        return np.array(value, dtype=np.float64)
    plain(name, value)
    try:
        raw = np.asarray(value)
        result = np.asarray(raw, dtype=np.float64) if raw.dtype.kind in "iuf" else None
    except (TypeError, ValueError, OverflowError, RuntimeError):  # the last of a tensor that asks for a gradient
        result = None
    if result is None:
        raise ValueError(f"{name} = {value!r}: must be real numbers")
    return result


def array(name: str, value: ArrayLike, *, minimum: float = -math.inf) -> Floats:
    """A finite float64 array of any shape."""
    result = real(name, value)
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
    pair = increasing(name, value, minimum=minimum).tolist()
    if len(pair) != 2:
        raise ValueError(f"{name} = {pair}: must be a pair low < high")
    return pair[0], pair[1]


def unknown_fields(owner: str, changes: Iterable[str], allowed: Iterable[str]) -> None:
    """Refuse names that are not among the allowed fields."""
    options = list(allowed)
    for name in changes:
        if name not in options:
            raise ValueError(f"{owner}: unknown field {name!r}; {unknown(name, options)}")
