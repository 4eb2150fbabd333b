"""Filling a large array in chunks: on any executor, resumable, and bit-identical however it was interrupted.

A checkpoint is a directory with a manifest, which says what the scan is, and one file for each finished chunk: the
SHA-256 of its numbers and the numbers. Files are written aside, synced and renamed, so a killed process leaves
whole chunks or none.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Progress = Callable[[int, int], object] | bool | None
Chunk = tuple[int, int, int]  # number, first row, row after the last

IN_FLIGHT = 8  # chunks of 4 MiB at most, sent and returned: below the design's 50 MB
MANIFEST = "manifest.json"


class CheckpointWarning(UserWarning):
    """A chunk of a checkpoint is damaged and is computed again."""


class Work(Protocol):
    """What fills rows of the result."""

    @property
    def points_per_chunk(self) -> int:
        """So many that a chunk takes a fraction of a second, which is how long Ctrl-C may have to wait."""

    def fill(self, start: int, stop: int, out: Floats) -> None:
        """Rows start … stop − 1 into out."""

    def part(self, start: int, stop: int) -> tuple[Self, int]:
        """What those rows need, to be sent elsewhere, and the number of the first of them there."""


def run(
    work: Work,
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
    store = Store(Path(checkpoint), identity, size) if checkpoint is not None else None
    with _reporter(progress, len(rows)) as report:
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

            _compute_all(todo, send, receive, finish)
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


def _compute_all(
    todo: list[Chunk],
    submit: Callable[[Chunk], "Future[Any]"],
    receive: Callable[[Chunk, Any], None],
    finish: Callable[[Chunk], None],
) -> None:
    """Keep a bounded number of chunks under way; receive and finish each as it comes."""
    running: dict[Future[Any], Chunk] = {}
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


def _compute(work: Work, start: int, stop: int, columns: int) -> Floats:
    """One chunk, in another process."""
    out = np.empty((stop - start, columns))
    work.fill(start, stop, out)
    return out


class Store:
    """The finished chunks of one scan, in a directory."""

    def __init__(self, directory: Path, identity: Mapping[str, str], chunk_rows: int) -> None:
        self.directory = directory
        manifest = {**identity, "chunk_rows": str(chunk_rows)}
        directory.mkdir(parents=True, exist_ok=True)
        for pattern in (f"{MANIFEST}.*.tmp", "chunk-*.tmp"):  # of a process that was killed
            for left_over in directory.glob(pattern):
                left_over.unlink(missing_ok=True)
        path = directory / MANIFEST
        if path.exists():
            self._compare(path, manifest)
        elif any(directory.iterdir()):
            raise ValueError(f"checkpoint = {str(directory)!r}: is not empty and holds no {MANIFEST}")
        else:
            _write(path, json.dumps(manifest, indent=1).encode())

    @staticmethod
    def _compare(path: Path, manifest: Mapping[str, str]) -> None:
        """Refuse another scan's checkpoint, and say which field differs."""
        try:
            found = dict(json.loads(path.read_bytes()))
        except (ValueError, TypeError) as error:
            raise ValueError(f"checkpoint = {str(path.parent)!r}: {MANIFEST} is not readable: {error}") from None
        for key in dict.fromkeys([*manifest, *found]):
            if found.get(key) != manifest.get(key):
                raise ValueError(
                    f"checkpoint = {str(path.parent)!r}: belongs to another scan: {key} is "
                    f"{found.get(key)!r} there and {manifest.get(key)!r} here"
                )

    def _path(self, index: int) -> Path:
        """File of a chunk."""
        return self.directory / f"chunk-{index:06d}.bin"

    def read(self, index: int, out: Floats) -> bool:
        """Read a chunk into `out`, if it is there and sound."""
        try:
            raw = memoryview(self._path(index).read_bytes())
        except FileNotFoundError:
            return False
        body = raw[32:]
        if hashlib.sha256(body).digest() != raw[:32]:
            message = f"{self._path(index)}: is damaged and will be computed again"
            warnings.warn(message, CheckpointWarning, stacklevel=2)
            return False
        out[...] = np.frombuffer(body).reshape(out.shape)
        return True

    def write(self, index: int, values: Floats) -> None:
        """Write a chunk of C-contiguous values."""
        _write(self._path(index), hashlib.sha256(values.data).digest(), values.data)


def _write(path: Path, *content: Any) -> None:
    """Write aside, sync, rename; a failure leaves no partial file."""
    aside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with aside.open("wb") as file:
            for each in content:
                file.write(each)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def digest(*arrays: Any) -> str:
    """SHA-256 of arrays and their shapes."""
    state = hashlib.sha256()
    for array in arrays:
        state.update(repr((array.shape, array.dtype.str)).encode())
        state.update(np.ascontiguousarray(array).tobytes())
    return state.hexdigest()


@contextmanager
def _reporter(progress: Progress, total: int) -> Iterator[Callable[[int], None]]:
    """What to call with the number of rows that were finished."""
    if progress is True:
        try:
            from tqdm import tqdm
        except ImportError:
            raise ImportError("progress=True needs tqdm: pip install 'cevns_fast[scan]'") from None
        with tqdm(total=total, unit="row", disable=None) as bar:  # disable=None: only on a terminal
            yield lambda n: bar.update(n) and None
        return
    if not (callable(progress) or progress is None or progress is False):
        raise ValueError(f"progress = {progress!r}: must be True, False, None or a function of (finished, all)")
    done = 0

    def report(n: int) -> None:
        nonlocal done
        done += n
        if callable(progress):
            progress(done, total)

    yield report
