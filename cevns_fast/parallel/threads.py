"""How many threads a call uses that is parallel unless it is told otherwise, and how it shares work among them."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np

from cevns_fast import _validate as validate

_chosen: int | None = None


def set_num_threads(n: int | None) -> None:
    """Choose how many threads `correlation_scan` and `loop_functions` use if they are called without `threads`.

    Everything else is serial unless it is asked, and a chunk that an executor computes always is, so that workers
    of dask or MPI do not get in each other's way. Results do not depend on the number.

    Parameters
    ----------
    n : int or None
        At least 1; None for all processors that this process may use, which is how a process begins.

    Raises
    ------
    ValueError
        If n is no such number.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> cf.set_num_threads(1)
    >>> cf.get_num_threads()
    1
    >>> cf.set_num_threads(None)
    """
    global _chosen
    _chosen = None if n is None else checked(n)


def get_num_threads() -> int:
    """The number of threads of calls that do not say: what `set_num_threads` chose, or the processors there are.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> cf.set_num_threads(2)
    >>> cf.get_num_threads()
    2
    >>> cf.set_num_threads(None)
    """
    if _chosen is not None:
        return _chosen
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def checked(threads: Any) -> int:
    """A number of threads; `ValueError` otherwise."""
    return validate.whole("threads", threads, minimum=1)


def in_ranges(run: Callable[[int, int], object], n: int, threads: int) -> None:
    """Run a kernel over 0 … n − 1, split between threads; each index writes its own output."""
    if threads <= 1 or n < 2:
        run(0, n)
        return
    edges = np.linspace(0, n, min(threads, n) + 1).astype(int).tolist()
    with ThreadPoolExecutor(len(edges) - 2) as pool:  # this thread has the last share
        others = [pool.submit(run, start, stop) for start, stop in pairwise(edges[:-1])]
        run(edges[-2], edges[-1])
        for other in others:
            other.result()
