"""How many threads a call uses that is parallel unless it is told otherwise."""

import os
from typing import Any

_chosen: int | None = None


def set_num_threads(n: int | None) -> None:
    """Choose how many threads `correlation_scan` uses if it is called without `threads`.

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
    """The number of threads of calls that do not say: what `set_num_threads` chose, or the processors there are."""
    if _chosen is not None:
        return _chosen
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def checked(threads: Any) -> int:
    """A number of threads; `ValueError` otherwise."""
    if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
        raise ValueError(f"threads = {threads!r}: must be a whole number >= 1")
    return threads
