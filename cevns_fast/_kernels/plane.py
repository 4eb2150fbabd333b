"""χ² over grids of couplings: the C kernel of ``plane.c`` and the triangle that it reads. No validation.

Counts are polynomials of degree two in the couplings. Rotated into the space of data and terms, they have as many rows
as there are of these, however many bins there were.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cevns_fast._kernels.library import ffi, lib, read, written

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Plane(NamedTuple):
    """Whitened polynomials of several systems, see ``plane.h``."""

    triangle: Floats  # [systems, 1 + terms, 1 + terms]
    scale_variance: Floats  # [systems], σ_α²
    powers: Integers  # [terms, couplings]


def fill(plane: Plane, outer: Floats, y: Floats, out: Floats) -> None:
    """χ² at points (outer[i], y[j]), into out[i, j]."""
    _run(lib.plane_fill, plane, outer, y, out)


def stream(plane: Plane, outer: Floats, y: Floats, out: Floats) -> None:
    """What `fill` writes, to the bit, but past the caches: for a result that they cannot hold."""
    _run(lib.plane_stream, plane, outer, y, out)


def _run(kernel: Any, plane: Plane, outer: Floats, y: Floats, out: Floats) -> None:
    systems, vectors, _ = plane.triangle.shape
    sizes = systems, vectors - 1, plane.powers.shape[1]
    struct = ffi.new("struct plane *", (*sizes, read(plane.triangle), read(plane.scale_variance), read(plane.powers)))
    result = written(out)
    if not kernel(struct, read(outer), len(outer), read(y), len(y), result):
        raise MemoryError("no room to prepare the rows of a grid")
