"""The one place for numba's options.

- No signature: a kernel compiles at its first call, never at import.
- A cache on disk: the next process loads the machine code (``NUMBA_CACHE_DIR`` says where, if the package's own folder
  is not to be written). numba sees changes of a kernel's own file only, so constants reach kernels as arguments and
  every kernel file is self-contained.
- ``error_model="numpy"``: division by zero gives inf or NaN, as in C, and leaves loops free to vectorise.
- ``nogil``: kernels touch no Python object, so threads run them side by side: Python threads over ranges of one
  compiled kernel give the same bits for every number of threads, and no OpenMP runtime that a fork could break. Where
  a ``prange`` is wanted, `cevns_fast._kernels.parallel` makes it safe.
- Functions of a user's are kept under a fingerprint of all that they read, as first-class functions (`kept`, `keep`).
- ``fastmath`` is left off: it would make ``isnan`` false. Sums may ask for ``{"contract"}``, which keeps NaN.
"""

import builtins
import hashlib
import itertools
import os
import pickle
import types
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
from numba.core import sigutils
from numba.core.bytecode import FunctionIdentity
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile
from numba.core.ccallback import CFunc
from numba.core.compiler_lock import global_compiler_lock
from numba.core.runtime.nrt import rtsys

__all__ = ["fingerprint", "keep", "kept", "njit"]


class _Numbers:
    """Numbers of functions that no other process gives.

    numba counts from 1 in every process, and links functions by name, arguments and number: of two of a user's that
    were kept by different processes, with all three in common, one would be run for the other.
    """

    def __next__(self) -> int:
        return int.from_bytes(os.urandom(7), "big")


FunctionIdentity._unique_ids = _Numbers()  # type: ignore[assignment]


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


class _Code(CompileResultCacheImpl):
    """What is kept of a compiled function: beside the machine code the names that this calls outside of itself.

    numba readies its whole compiler, for 0.2 s, before it loads any machine code, of which a kernel needs next to
    nothing. Where all names are known to the linker it needs nothing.
    """

    def reduce(self, compiled: Any) -> Any:
        module = compiled.library._final_module
        outside = (
            each.name for each in itertools.chain(module.functions, module.global_variables) if each.is_declaration
        )
        return [name for name in outside if not name.startswith("llvm.")], super().reduce(compiled)

    def rebuild(self, target_context: Any, kept: Any) -> Any:
        names, code = kept
        if not all(map(llvm.address_of_symbol, names)):
            target_context.refresh()
        return super().rebuild(target_context, code)


class _Cache(FunctionCache):
    """A cache whose troubles cost a compilation, never a result."""

    _impl_class = _Code

    def __init__(self, function: Callable[..., Any], key: str | None = None) -> None:
        super().__init__(function)
        self._key = key
        locator = self._impl.locator
        self._cache_file = _SealedFiles(self.cache_path, self._impl.filename_base, locator.get_source_stamp())

    def _index_key(self, signature: Any, codegen: Any) -> Any:
        if self._key is None:
            return super()._index_key(signature, codegen)
        return signature, codegen.magic_tuple(), self._key

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        try:
            rtsys.initialize(target_context)
            with self._guard_against_spurious_io_errors():
                return self._load_overload(signature, target_context)
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


def _first_class(function: Callable[..., Any], signature: Any, key: str | None) -> Any:
    """A first-class function that is not compiled yet, with a cache if there is a key."""
    made = CFunc(function, sigutils.normalize_signature(signature), {}, {"error_model": "numpy"})
    if key is not None:
        with suppress(RuntimeError):
            setattr(made, "_cache", _Cache(function, key))  # noqa: B010 - its type knows of none
    return made


def kept(function: Callable[..., Any], signature: Any, key: str | None) -> Any:
    """The first-class function that was kept under a key; None if there is none."""
    made = _first_class(function, signature, key)
    if made._cache.load_overload(made._sig, made._targetdescr.target_context) is None:
        return None
    made.compile()
    return made


def keep(function: Callable[..., Any], signature: Any, key: str | None) -> Any:
    """A first-class function, compiled, and kept under a key if there is one."""
    made = _first_class(function, signature, key)
    made.compile()
    return made


_FORMAT = 2  # of what is kept; the first had numbers of functions that were not unique
_TRUSTED = {"math", "cmath", "numpy", "numba"}  # modules whose contents go with their version


class _UnknownError(Exception):
    """What a function reads cannot be described."""


def fingerprint(function: Callable[..., Any]) -> str | None:
    """A digest of a function's code and of everything it reads; None if that cannot be told."""
    try:
        text = "\n".join(_described(function, set()))
    except _UnknownError:
        return None
    return hashlib.sha256(f"{_FORMAT} {numba.__version__} {np.__version__}\n{text}".encode()).hexdigest()


def _described(thing: Any, seen: set[int]) -> Iterator[str]:
    """What a thing is, in words that differ when it does."""
    home = (getattr(thing, "__module__", None) or "").partition(".")[0]
    if isinstance(thing, bool | int | float | complex | str | bytes | np.generic | type(None)):
        yield f"{type(thing).__name__} {thing!r}"
    elif isinstance(thing, tuple):
        for each in thing:
            yield from _described(each, seen)
        yield f"tuple of {len(thing)}"
    elif isinstance(thing, np.ndarray) and thing.dtype.kind in "biufc":
        yield f"{thing.dtype} {thing.shape} {hashlib.sha256(np.ascontiguousarray(thing).tobytes()).hexdigest()}"
    elif isinstance(thing, types.ModuleType) and thing.__name__.partition(".")[0] in _TRUSTED:
        yield thing.__name__
    elif hasattr(thing, "py_func") and hasattr(thing, "targetoptions"):
        yield repr(sorted(thing.targetoptions.items()))
        yield from _described(thing.py_func, seen)
    elif isinstance(thing, types.FunctionType):
        yield thing.__qualname__
        if id(thing) not in seen:
            seen.add(id(thing))
            yield from _described_function(thing, seen)
    elif home in _TRUSTED | {"builtins"} and hasattr(thing, "__name__"):
        yield f"{thing.__module__}.{thing.__name__}"
    elif isinstance(thing, np.ufunc):
        yield f"ufunc {thing.__name__}"
    else:
        raise _UnknownError


def _described_function(function: types.FunctionType, seen: set[int]) -> Iterator[str]:
    """Its code, and the values of the names that this may read."""
    names: set[str] = set()
    yield from _described_code(function.__code__, names)
    yield from _described(function.__defaults__ or (), seen)
    for name in sorted(names & function.__globals__.keys()):
        yield name
        yield from _described(function.__globals__[name], seen)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield name
        yield from _described(cell.cell_contents, seen)
    yield from sorted(names & vars(builtins).keys() - function.__globals__.keys())


def _described_code(code: types.CodeType, names: set[str]) -> Iterator[str]:
    """Instructions and constants, those of functions inside it too; names are collected."""
    names.update(code.co_names)
    yield f"{code.co_code.hex()} {code.co_names} {code.co_varnames} {code.co_freevars}"
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _described_code(constant, names)
        else:
            yield repr(sorted(constant, key=repr) if isinstance(constant, frozenset) else constant)
