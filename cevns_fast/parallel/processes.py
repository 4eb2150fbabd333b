"""Worker processes that end with their parent, however that ends."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

_watching: int | None = None  # the process whose parent is watched: a forked child has to begin anew


def watch_parent() -> None:
    """In a worker of `multiprocessing`: end when the parent has ended, as after SIGKILL, which nobody can handle.

    A worker waits for work at the end of a pipe that its siblings hold open as well, and would wait for ever.
    """
    global _watching
    parent = multiprocessing.parent_process()
    if parent is None or _watching == os.getpid():
        return
    _watching = os.getpid()

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, name="cevns_fast: watches the parent", daemon=True).start()


def _begin() -> None:
    """What a worker does first: a terminal sends Ctrl-C to all processes, and the parent is who handles it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watch_parent()


@contextmanager
def pool(n: int) -> Iterator[ProcessPoolExecutor]:
    """n worker processes, started now; after an interruption they are not waited for."""
    executor = ProcessPoolExecutor(n, multiprocessing.get_context("spawn"), initializer=_begin)
    # Those that are started now ignore Ctrl-C from their first moment on.
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        for _ in range(n):
            executor.submit(int)
    finally:
        signal.signal(signal.SIGINT, handler)
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)
