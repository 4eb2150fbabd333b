"""Arrays as the C kernels see them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pointer = Callable[[NDArray[Any]], Any]

_KINDS = {np.dtype(np.int64): "int64_t[]", np.dtype(np.float64): "double[]"}


def pointers(ffi: Any) -> tuple[Pointer, Pointer]:
    """What points to arrays that are read, and to those that are written; any other number is a mistake of ours."""

    def read(array: NDArray[Any]) -> Any:
        return ffi.from_buffer(_KINDS[array.dtype], array)

    def written(array: NDArray[Any]) -> Any:
        return ffi.from_buffer(_KINDS[array.dtype], array, require_writable=True)

    return read, written
