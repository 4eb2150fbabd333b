"""The one place for numba's options.

- No signature: a kernel compiles at its first call, never at import.
- ``cache``: the next process loads the machine code (``NUMBA_CACHE_DIR`` says where, if the package's
  own folder is not to be written). numba sees changes of a kernel's own file only, so constants reach kernels
  as arguments.
- ``error_model="numpy"``: division by zero gives inf or NaN, as in C, and leaves loops free to vectorise.
- ``nogil``: kernels touch no Python object, so threads run them side by side.
- ``fastmath`` is left off: it would make ``isnan`` false.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numba

__all__ = ["njit", "njit_parallel"]

njit: Callable[..., Any] = partial(numba.njit, cache=True, error_model="numpy", nogil=True)

#: The same for bodies with ``numba.prange``. Such kernels write one output cell an iteration: identical for
#: every number of threads.
njit_parallel: Callable[..., Any] = partial(njit, parallel=True)
