"""χ² minimised over couplings, at many values of others: the C kernel of ``profile.c``. No validation."""

import numpy as np
from numpy.typing import NDArray

from cevns_fast._kernels.library import ffi, lib, read, written

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST = int(lib.PROFILE_MOST)  # couplings that are minimised over


def minimise(plane: tuple[Floats, Floats, Integers], profiled: int, z: Floats, out: Floats) -> None:
    """Minimise χ² of a ``plane.Plane`` at each z[i] over the last couplings; the place is left there, χ² in out[i]."""
    triangle, scale_variance, powers = plane
    systems, vectors, _ = triangle.shape
    sizes = systems, vectors - 1, powers.shape[1]
    struct = ffi.new("struct plane *", (*sizes, read(triangle), read(scale_variance), read(powers)))
    if not lib.profile_minimise(struct, profiled, written(z), len(z), written(out)):
        raise MemoryError("no room to minimise over couplings")


def real_roots(coefficients: Floats) -> Floats:
    """Real roots of Σ c[k] x^k, of degree four at most, at which its sign changes, in increasing order."""
    roots = np.empty(4)
    return roots[: lib.profile_roots(read(coefficients), len(coefficients) - 1, written(roots))]
