"""Filling a large array in chunks: on any executor, resumable, and bit-identical however it was interrupted."""

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from cevns_fast.parallel.checkpoint import Checkpoint
from cevns_fast.parallel.processes import watch_parent
from cevns_fast.parallel.progress import Progress, reporter

Floats = NDArray[np.float64]
Chunk = tuple[int, int, int]  # number, first row, row after the last
T = TypeVar("T")

IN_FLIGHT = 8  # chunks of 4 MiB at most, sent and returned: below the design's 50 MB


class Job(Protocol):
    """What fills rows of the result."""

    @property
    def points_per_chunk(self) -> int:
        """So many that a chunk takes a fraction of a second, which is how long Ctrl-C may have to wait."""

    def fill(self, start: int, stop: int, out: Floats) -> None:
        """Rows start … stop − 1 into out."""

    def part(self, start: int, stop: int) -> tuple[Self, int]:
        """What those rows need, to be sent elsewhere, and the number of the first of them there."""


def run(
    work: Job,
    rows: Floats,
    identity: Mapping[str, str],
    executor: Executor | None,
    threads: int,
    checkpoint: str | Path | None,
    progress: Progress,
) -> None:
    """Fill `rows` with `work`.

    See `correlation_scan` for executor, checkpoint and progress.
    """
    size = max(1, work.points_per_chunk // rows.shape[1])
    chunks = [(i, a, min(a + size, len(rows))) for i, a in enumerate(range(0, len(rows), size))]
    store = Checkpoint(Path(checkpoint), identity, size) if checkpoint is not None else None
    with reporter(progress, len(rows), "row") as report:
        todo = []
        for chunk in chunks:
            index, start, stop = chunk
            if store is not None and store.read(index, rows[start:stop]):
                report(stop - start)
            else:
                todo.append(chunk)

        def finish(chunk: Chunk) -> None:
            index, start, stop = chunk
            if store is not None:
                store.write(index, rows[start:stop])
            report(stop - start)

        def fill_here(chunk: Chunk) -> None:
            _, start, stop = chunk
            work.fill(start, stop, rows[start:stop])

        def receive(chunk: Chunk, values: Floats) -> None:
            _, start, stop = chunk
            rows[start:stop] = values

        if executor is not None:

            def send(chunk: Chunk) -> "Future[Any]":
                _, start, stop = chunk
                part, first = work.part(start, stop)
                return executor.submit(_compute, part, first, first + stop - start, rows.shape[1])

            compute_all(todo, send, receive, finish)
        elif min(threads, len(todo)) > 1:
            _share(todo, min(threads, len(todo)), fill_here, finish)
        else:
            for chunk in todo:
                fill_here(chunk)
                finish(chunk)


def _share(
    todo: list[Chunk], threads: int, fill_here: Callable[[Chunk], None], finish: Callable[[Chunk], None]
) -> None:
    """Fill chunks here and in other threads, which help themselves: a future for each would cost as much as it."""
    waiting, turn = iter(todo), Lock()
    ended: SimpleQueue[Chunk | BaseException] = SimpleQueue()
    stopped = Event()

    def fill_next() -> bool:
        with turn:
            chunk = next(waiting, None)
        if chunk is not None:
            fill_here(chunk)
            ended.put(chunk)
        return chunk is not None

    def fill_many() -> None:
        try:
            while not stopped.is_set() and fill_next():
                pass
        except BaseException as error:
            ended.put(error)

    with ThreadPoolExecutor(threads - 1) as pool:
        try:
            for _ in range(threads - 1):
                pool.submit(fill_many)
            for _ in todo:
                while ended.empty() and fill_next():
                    pass
                chunk = ended.get()
                if isinstance(chunk, BaseException):
                    raise chunk
                finish(chunk)
        finally:
            stopped.set()  # also after Ctrl-C: what has begun ends with its chunk, nothing else begins


def compute_all(
    todo: list[T],
    submit: Callable[[T], "Future[Any]"],
    receive: Callable[[T, Any], object],
    finish: Callable[[T], object],
) -> None:
    """Keep a bounded number of chunks under way; receive and finish each as it comes."""
    running: dict[Future[Any], T] = {}
    waiting = iter(todo)
    try:
        for chunk in waiting:
            running[submit(chunk)] = chunk
            if len(running) == IN_FLIGHT:
                break
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                chunk = running.pop(future)
                values = future.result()
                following = next(waiting, None)
                if following is not None:
                    running[submit(following)] = following
                receive(chunk, values)
                finish(chunk)
    except BaseException:  # also Ctrl-C: what has begun ends with its chunk, nothing else begins
        for future in running:
            future.cancel()
        raise


def _compute(work: Job, start: int, stop: int, columns: int) -> Floats:
    """One chunk, in another process."""
    watch_parent()
    out = np.empty((stop - start, columns))
    work.fill(start, stop, out)
    return out


def check_executor(executor: Any) -> None:
    """Refuse what cannot compute chunks."""
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise ValueError(f"executor = {executor!r}: must be a concurrent.futures.Executor")


def digest(*arrays: Any) -> str:
    """SHA-256 of arrays and their shapes."""
    state = hashlib.sha256()
    for array in arrays:
        state.update(repr((array.shape, array.dtype.str)).encode())
        state.update(np.ascontiguousarray(array).tobytes())
    return state.hexdigest()
