"""What a cross section is to the integrals: a final fermion and a list of terms."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Channel", "rows"]

Floats = NDArray[np.float64]


class Channel(NamedTuple):
    """ν N → f N with a certain final fermion f. Channels do not interfere with one another."""

    mass: float
    """Of f, MeV."""
    terms: Callable[[Floats, float, bool], Floats]
    """(E, T, antineutrino) → the terms of dσ/dT, MeV⁻³, float64[n_terms, len(E)]."""


def rows(terms: Sequence[Any], E: Floats) -> Floats:
    """Terms, each a number or an array, as float64[n_terms, len(E)]."""
    result = np.empty((len(terms), E.size))
    for row, term in zip(result, terms, strict=True):
        row[:] = term
    return result
