"""One body, two kernels: a serial one for everybody and a parallel one where that is safe.

`twins` compiles a function whose outer loop is a ``prange``, each iteration writing its own output, twice. The parallel
one is run only if more than one thread is asked for, in the process that imported this module, by one Python thread at
a time: with GNU OpenMP a child that is forked after a parallel kernel ran dies in its own first one, and with numba's
workqueue layer two Python threads in parallel kernels abort. Both give the same bits.
"""

import os
import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numba

from cevns_fast._kernels.jit import njit

__all__ = ["twins"]

_one_at_a_time = threading.Lock()
_is_forked = False


def _after_fork() -> None:
    global _is_forked
    _is_forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def twins(body: Callable[..., Any]) -> Callable[..., Any]:
    """The function as ``kernel(*arguments, threads=1)``, its compiled forms as ``kernel.serial`` and ``.parallel``."""
    serial = njit(body)
    parallel = njit(_renamed(body), parallel=True)

    def kernel(*arguments: Any, threads: int = 1) -> Any:
        most = min(threads, int(getattr(numba.config, "NUMBA_NUM_THREADS", 1)))
        if most <= 1 or _is_forked or not hasattr(parallel, "py_func"):  # no py_func: the compiler is switched off
            return serial(*arguments)
        with _one_at_a_time:
            before = numba.get_num_threads()
            numba.set_num_threads(most)
            try:
                return parallel(*arguments)
            finally:
                numba.set_num_threads(before)

    kernel.__doc__ = body.__doc__
    kernel.serial, kernel.parallel = serial, parallel  # type: ignore[attr-defined]
    return kernel


def _renamed(body: Callable[..., Any]) -> Callable[..., Any]:
    """A copy under another name: numba's cache knows a kernel by its name and not by its options."""
    assert isinstance(body, FunctionType)
    copy = FunctionType(body.__code__, body.__globals__, body.__name__, body.__defaults__, body.__closure__)
    copy.__module__, copy.__doc__ = body.__module__, body.__doc__
    copy.__qualname__ = f"{body.__qualname__}_parallel"
    return copy
