"""Toys: the C kernels of ``toys*.c`` and ``random.c``. No validation."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cevns_fast._kernels.library import ffi, lib, opened, read, written

Array = NDArray[np.float64]

# Rays and points on each of the lattice on which minima are looked for.
_DIRECTIONS, _RADII = 24, 10


class Truth(NamedTuple):
    """What toys are thrown from, see ``toys.h``."""

    theta: Array  # [parameters]
    mean: Array  # [bins]
    spread: Array  # [bins]
    pull: Array  # [nuisances]
    hidden: Array  # [experiments]
    place: int


class ToyPlan:
    """What is computed once for all toys of a truth; for one thread at a time."""

    def __init__(
        self,
        numbers: Array,
        truth: Truth,
        fixed: Sequence[bool],
        key: int,
        lattice: tuple[int, int] = (_DIRECTIONS, _RADII),
    ) -> None:
        self._likelihood = handle = opened(numbers)
        self._shape = lib.cevns_fast_bins(handle), lib.cevns_fast_nuisances(handle), truth.theta.size
        arrays = [np.ascontiguousarray(x, dtype=np.float64) for x in truth[:5]]
        stays = ffi.new("int[]", [int(each) for each in fixed])
        theta, *rest = (read(x) for x in arrays)
        struct = ffi.new("struct toys *", (theta, stays, *rest, key, truth.place, *lattice))
        plan = lib.cevns_fast_toys_plan(handle, struct)
        if plan == ffi.NULL:
            raise MemoryError("no room to prepare toys")
        self._plan, self._kept = ffi.gc(plan, lib.cevns_fast_toys_close), (arrays, stays, struct, theta, rest)

    def run(self, first: int, out: Array, best: Array | None = None) -> None:
        """Toys from a number on: Δχ², or the least χ² if nothing is fixed; and where that is."""
        place = ffi.NULL if best is None else written(best)
        lib.cevns_fast_toys_run(self._plan, first, out.size, written(out), place)

    def thrown(self, number: int) -> tuple[Array, Array, Array, float]:
        """The data of one toy: counts, off counts or weights, auxiliary measurements, and a sum of squares."""
        data, weight, centre, hidden = (np.empty(n) for n in (self._shape[0], self._shape[0], self._shape[1], 1))
        lib.cevns_fast_toys_throw(self._plan, number, written(data), written(weight), written(centre), written(hidden))
        return data, weight, centre, float(hidden[0])


def philox(counter: Sequence[int], key: Sequence[int]) -> list[int]:
    """Four random words."""
    out = ffi.new("uint32_t[4]")
    lib.random_philox(ffi.new("uint32_t[4]", list(counter)), ffi.new("uint32_t[2]", list(key)), out)
    return list(out)


def normals(key: int, place: int, toy: int, n: int) -> Array:
    """Standard normals of a stream."""
    out = np.empty(n)
    lib.random_fill(key, place, toy, -1.0, n, written(out))
    return out


def counts(key: int, place: int, toy: int, mean: float, n: int) -> Array:
    """Poisson counts of a stream."""
    out = np.empty(n)
    lib.random_fill(key, place, toy, mean, n, written(out))
    return out
