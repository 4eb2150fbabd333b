"""The compiled kernels, one extension module made of all C sources here, and arrays as they see them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    from cevns_fast._kernels._c import ffi, lib
except ModuleNotFoundError as missing:
    if missing.name != "cevns_fast._kernels._c":
        raise
    raise ImportError(
        "cevns_fast is imported from a source folder without its compiled kernels: pip install . there, "
        "which leaves them in place; or run from another folder, or with python -P, what is installed"
    ) from None

__all__ = ["ffi", "lib", "opened", "read", "written"]

_FLOAT64 = np.dtype(np.float64)
_KINDS = {np.dtype(np.int64): "int64_t[]", _FLOAT64: "double[]"}


def read(array: NDArray[Any]) -> Any:
    """What points to an array that is read; any other kind of number is a mistake of ours."""
    kind = array.dtype  # to look it up takes as long as all else
    return ffi.from_buffer("double[]" if kind is _FLOAT64 else _KINDS[kind], array)


def written(array: NDArray[Any]) -> Any:
    """What points to an array that is written to."""
    kind = array.dtype
    return ffi.from_buffer("double[]" if kind is _FLOAT64 else _KINDS[kind], array, True)


def opened(numbers: NDArray[np.float64]) -> Any:
    """A likelihood's handle, closed when nothing refers to it."""
    handle = lib.cevns_fast_create(read(numbers), numbers.size)
    if handle == ffi.NULL:
        raise MemoryError(f"no room for a likelihood of {numbers.size} numbers")
    return ffi.gc(handle, lib.cevns_fast_close)
