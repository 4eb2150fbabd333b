"""Numbers, tables and functions of the user's: what a response is given as, and how it is evaluated."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats

Function = Callable[[Floats], ArrayLike]


@dataclass(frozen=True)
class Table:
    """A function given by points, linear between them and constant beyond the first and the last.

    Attributes
    ----------
    x, y : tuple of float
        Increasing abscissae and the values there.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> quenching = cf.Table((0.0, 0.005, 0.05), (0.06, 0.08, 0.10))  # of the recoil energy in MeV
    >>> quenching([0.0025, 0.1]).round(3).tolist()
    [0.07, 0.1]
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


def is_function(name: str, value: Any) -> bool:
    """Whether it is a function; `ValueError` for a class that should have been made into one."""
    if isinstance(value, type):
        raise ValueError(f"{name} = {value!r}: must be a number or a function, not a class")
    return callable(value)


def evaluate(name: str, function: float | Function, argument: Floats) -> Floats:
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
