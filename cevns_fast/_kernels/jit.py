"""The one place for numba's options.

- No signature: a kernel compiles at its first call, never at import.
- A cache on disk: the next process loads the machine code (``NUMBA_CACHE_DIR`` says where, if the package's own folder
  is not to be written). numba sees changes of a kernel's own file only, so constants reach kernels as arguments and
  every kernel file is self-contained.
- ``error_model="numpy"``: division by zero gives inf or NaN, as in C, and leaves loops free to vectorise.
- ``nogil``: kernels touch no Python object, so threads run them side by side: Python threads over ranges of one
  compiled kernel give the same bits for every number of threads, and no OpenMP runtime that a fork could break. Where
  a ``prange`` is wanted, `cevns_fast._kernels.parallel` makes it safe.
- ``fastmath`` is left off: it would make ``isnan`` false. Sums may ask for ``{"contract"}``, which keeps NaN.
"""

import hashlib
import os
import pickle
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.compiler_lock import global_compiler_lock

__all__ = ["njit"]


class _SealedFiles(IndexDataCacheFile):
    """numba's files of one kernel, but machine code is loaded only if it is, byte by byte, what was saved for it.

    numba would run what a power failure has left half zero, and what an older source has left where a full disk
    kept the new code from replacing it.
    """

    def _seal(self, key: Any, code: bytes) -> bytes:
        return hashlib.sha256(repr((self._source_stamp, key)).encode() + code).digest()

    def save(self, key: Any, data: Any) -> None:
        code = self._dump(data)
        super().save(key, (self._seal(key, code), code))

    def load(self, key: Any) -> Any:
        found = super().load(key)
        if found is None or self._seal(key, found[1]) != found[0]:
            return None
        return pickle.loads(found[1])


class _Cache(FunctionCache):
    """A cache whose troubles cost a compilation, never a result."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        locator = self._impl.locator
        self._cache_file = _SealedFiles(self.cache_path, self._impl.filename_base, locator.get_source_stamp())

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(signature, target_context)
        except Exception:  # reading garbage may raise anything
            try:
                self.flush()
            except OSError:
                self.disable()
            return None

    def save_overload(self, signature: Any, data: Any) -> None:
        with suppress(OSError):  # a full disk, or a folder that has become read-only
            super().save_overload(signature, data)


if hasattr(os, "register_at_fork"):  # a fork waits for a compilation in another thread: a child would wait forever
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )


def njit(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Compile a kernel at its first call, and keep the machine code where that is possible."""
    if function is None:
        return partial(njit, **options)
    kernel = numba.njit(error_model="numpy", nogil=True, **options)(function)
    if hasattr(kernel, "py_func"):  # there is a compiler
        with suppress(RuntimeError):  # neither the package's folder nor the user's cache can be written
            kernel._cache = _Cache(function)
    return kernel
