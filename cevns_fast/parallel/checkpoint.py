"""The finished chunks of a computation, in a folder that any number of processes may fill at once.

A checkpoint is a folder with a manifest, which says what is computed, and one file for each finished chunk: the SHA-256
of its numbers and the numbers. Files are written aside, synced and renamed, so a killed process leaves whole chunks or
none; names of files aside are each process's own, and who writes a chunk that another has just written replaces it by
the same bytes.
"""

import hashlib
import json
import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cevns_fast._support import files

MANIFEST = "manifest.json"
_OURS = rf"{re.escape(MANIFEST)}|chunk-\d{{6,}}\.bin"


class CheckpointWarning(UserWarning):
    """A chunk of a checkpoint is damaged and is computed again."""


class Checkpoint:
    """A folder of chunks of `chunk_rows` rows."""

    def __init__(self, directory: Path, identity: Mapping[str, str], chunk_rows: int) -> None:
        self.directory = directory
        manifest = {**identity, "chunk_rows": str(chunk_rows)}
        if directory.exists() and not directory.is_dir():
            raise ValueError(f"checkpoint = {str(directory)!r}: is a file, must be a folder")
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / MANIFEST
        if not path.exists():
            if not all(files.is_aside(each, _OURS) or each == path for each in directory.iterdir()):
                raise ValueError(f"checkpoint = {str(directory)!r}: is not empty and holds no {MANIFEST}")
            try:
                files.write_part(path, json.dumps(manifest, indent=1).encode(), overwrite=False)
            except FileExistsError:  # by another process, in this moment: it may not be of this scan
                pass
        self._compare(path, manifest)
        for each in directory.glob("*.tmp"):
            if files.is_left_over(each, _OURS):
                each.unlink(missing_ok=True)

    @staticmethod
    def _compare(path: Path, manifest: Mapping[str, str]) -> None:
        """Refuse another scan's checkpoint, and say which field differs."""
        _check_file(path)
        try:
            found = dict(json.loads(path.read_bytes()))
        except (ValueError, TypeError, RecursionError) as error:
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

    def read(self, index: int, out: NDArray[np.float64]) -> bool:
        """Read a chunk into `out`, if it is there and sound."""
        _check_file(self._path(index))
        try:
            raw = memoryview(self._path(index).read_bytes())
        except FileNotFoundError:
            return False
        body = raw[32:]
        if len(body) != out.nbytes or hashlib.sha256(body).digest() != raw[:32]:
            message = f"{self._path(index)}: is damaged and will be computed again"
            warnings.warn(message, CheckpointWarning, stacklevel=2)
            return False
        out[...] = np.frombuffer(body).reshape(out.shape)
        return True

    def write(self, index: int, values: NDArray[np.float64]) -> None:
        """Write a chunk of C-contiguous values."""
        files.write_part(self._path(index), hashlib.sha256(values.data).digest(), values.data)


def _check_file(path: Path) -> None:
    """Refuse a folder, and what reading might wait for without end."""
    if path.exists() and not path.is_file():
        raise ValueError(f"checkpoint = {str(path.parent)!r}: {path.name} is no file")
