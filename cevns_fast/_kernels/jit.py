"""The one place for numba's options.

- No signature: a kernel compiles at its first call, never at import.
- ``cache``: the next process loads the machine code (``NUMBA_CACHE_DIR`` says where, if the package's own folder is
  not to be written). numba sees changes of a kernel's own file only, so constants reach kernels as arguments and
  every kernel file is self-contained.
- ``error_model="numpy"``: division by zero gives inf or NaN, as in C, and leaves loops free to vectorise.
- ``nogil``: kernels touch no Python object, so threads run them side by side. There is no ``prange``: Python threads
  over ranges of one compiled kernel give the same bits for every number of threads, and no OpenMP runtime that a fork
  could break.
- ``fastmath`` is left off: it would make ``isnan`` false. Sums may ask for ``{"contract"}``, which keeps NaN.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numba

__all__ = ["njit"]


def njit(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Compile a kernel at its first call, and keep the machine code where that is possible."""
    if function is None:
        return partial(njit, **options)
    compiled = partial(numba.njit, error_model="numpy", nogil=True, **options)
    try:
        return compiled(cache=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written: compile every time
        return compiled()(function)
