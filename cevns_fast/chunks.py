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
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Progress = Callable[[int, int], object] | bool | None

POINTS_PER_CHUNK = 2**18  # 2 MiB: several in flight stay far below the design's 50 MB
IN_FLIGHT = 16
MANIFEST = "manifest.json"


class CheckpointWarning(UserWarning):
    """A chunk of a checkpoint is damaged and is computed again."""


class Work(Protocol):
    """What fills rows of the result."""

    def fill(self, start: int, stop: int, out: Floats) -> None:
        """Rows start … stop − 1 into out."""


def run(
    work: Work,
    rows: Floats,
    identity: Mapping[str, str],
    executor: Executor | None,
    threads: int,
    checkpoint: str | Path | None,
    progress: Progress,
) -> None:
    """Fill `rows` with `work`; see `correlation_scan` for executor, checkpoint and progress."""
    size = max(1, POINTS_PER_CHUNK // rows.shape[1])
    chunks = [(start, min(start + size, len(rows))) for start in range(0, len(rows), size)]
    store = Store(Path(checkpoint), identity, size) if checkpoint is not None else None
    with _reporter(progress, len(rows)) as report:
        todo = []
        for index, (start, stop) in enumerate(chunks):
            if store is not None and store.read(index, rows[start:stop]):
                report(stop - start)
            else:
                todo.append((index, start, stop))
        if executor is not None:
            _compute_all(work, rows, todo, executor, False, store, report)
        else:
            with ThreadPoolExecutor(threads) as own:
                _compute_all(work, rows, todo, own, True, store, report)


def _compute_all(
    work: Work,
    rows: Floats,
    todo: list[tuple[int, int, int]],
    executor: Executor,
    shared_memory: bool,
    store: "Store | None",
    report: Callable[[int], None],
) -> None:
    """Keep a bounded number of chunks under way; store and report each as it finishes."""
    running: dict[Future[Any], tuple[int, int, int]] = {}
    waiting = iter(todo)
    try:
        while True:
            for chunk in waiting:
                _, start, stop = chunk
                if shared_memory:
                    future = executor.submit(work.fill, start, stop, rows[start:stop])
                else:
                    future = executor.submit(_compute, work, start, stop, rows.shape[1])
                running[future] = chunk
                if len(running) >= IN_FLIGHT:
                    break
            if not running:
                return
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                index, start, stop = running.pop(future)
                values = future.result()
                if not shared_memory:
                    rows[start:stop] = values
                if store is not None:
                    store.write(index, rows[start:stop])
                report(stop - start)
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
        path = directory / MANIFEST
        if path.exists():
            self._compare(path, manifest)
        else:
            if any(directory.iterdir()):
                raise ValueError(f"checkpoint = {str(directory)!r}: is not empty and holds no {MANIFEST}")
            _write(path, json.dumps(manifest, indent=1).encode())
        for left_over in directory.glob("*.tmp"):
            left_over.unlink(missing_ok=True)

    @staticmethod
    def _compare(path: Path, manifest: Mapping[str, str]) -> None:
        """Refuse another scan's checkpoint, and say which field differs."""
        try:
            found = json.loads(path.read_bytes())
        except ValueError as error:
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
            raw = self._path(index).read_bytes()
        except FileNotFoundError:
            return False
        body = raw[32:]
        if len(body) != out.nbytes or hashlib.sha256(body).digest() != raw[:32]:
            warnings.warn(f"{self._path(index)}: is damaged and will be computed again", CheckpointWarning, stacklevel=2)
            return False
        out[...] = np.frombuffer(body).reshape(out.shape)
        return True

    def write(self, index: int, values: Floats) -> None:
        """Write a chunk."""
        body = values.tobytes()
        _write(self._path(index), hashlib.sha256(body).digest() + body)


def _write(path: Path, content: bytes) -> None:
    """Write aside, sync, rename; a failure leaves no partial file."""
    aside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


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
    done = 0

    def report(n: int) -> None:
        nonlocal done
        done += n
        if callable(progress):
            progress(done, total)

    yield report
