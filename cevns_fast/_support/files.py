"""Files that are whole or not there: written aside, synced and renamed."""

import os
import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import BinaryIO

_numbers = count()
_HOST = re.sub(r"\W", "-", platform.node())[:32] or "host"
_NAME = re.compile(r"(?P<host>[\w-]+)\.(?P<pid>\d+)\.\d+\.tmp")


@contextmanager
def whole(path: str | Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    """A file to write, which appears under its name when all of it is on the disk; after an error nothing is left.

    Raises
    ------
    FileExistsError
        If there is a file of this name, unless `overwrite`.
    OSError
        Naming the file, if it cannot be written.
    ValueError
        If it is a folder.
    """
    target = Path(os.path.realpath(path))  # the link stays, what it leads to is replaced
    if target.is_dir():
        raise ValueError(f"path = {str(path)!r}: is a folder, must be a file")
    with _named(path):
        if target.exists() and not target.is_file():  # a pipe or a device has no aside
            with target.open("wb") as file:
                yield file
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f".{_token()}")
        try:
            with aside.open("x+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            publish(aside, target, overwrite=overwrite)
        finally:
            aside.unlink(missing_ok=True)


def write(contents: Mapping[Path, bytes | str], *, overwrite: bool) -> None:
    """Write files, all or none of them."""
    if len(contents) == 0:
        return
    (path, content), *others = contents.items()
    with whole(path, overwrite=overwrite) as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
        write(dict(others), overwrite=overwrite)


def publish(aside: Path, target: Path, *, overwrite: bool) -> None:
    """Give a finished file its name; `FileExistsError` if that is taken and must not be replaced."""
    if overwrite:
        aside.replace(target)
        return
    try:
        os.link(aside, target)  # fails if the name is taken, also by another process since it was last looked at
    except FileExistsError:
        raise FileExistsError(f"{target} exists") from None
    except OSError:  # a file system without hard links
        if target.exists():
            raise FileExistsError(f"{target} exists") from None
        aside.replace(target)


def write_part(path: Path, *content: bytes | memoryview, overwrite: bool = True) -> None:
    """Write a file of a folder that several processes may fill at once."""
    aside = path.with_name(f"{path.name}.{_token()}")
    with _named(path):
        try:
            with aside.open("xb") as file:
                for each in content:
                    file.write(each)
                file.flush()
                os.fsync(file.fileno())
            publish(aside, path, overwrite=overwrite)
        finally:
            aside.unlink(missing_ok=True)


def is_left_over(path: Path, name: str) -> bool:
    """Whether a file is what a process that has ended wrote aside for a file of this name (a regular expression)."""
    match = re.fullmatch(rf"(?:{name})\.(?:{_NAME.pattern}|(?P<old>\d+)\.tmp)", path.name)
    if match is None or not path.is_file():
        return False
    return match["host"] in (None, _HOST) and not _is_running(int(match["pid"] or match["old"]))


def is_aside(path: Path, name: str) -> bool:
    """Whether a file is written aside for a file of this name, by a process that may still run."""
    return re.fullmatch(rf"(?:{name})\.(?:{_NAME.pattern}|\d+\.tmp)", path.name) is not None


def refuse_existing(paths: Iterable[Path], *, overwrite: bool, how: str = "--force") -> None:
    """Refuse files that exist, before anything is computed.

    Raises
    ------
    FileExistsError
        Naming the first file that exists, unless `overwrite`.
    """
    for path in paths:
        if path.exists() and not overwrite:
            raise FileExistsError(f"{path} exists; {how} overwrites it")


def _token() -> str:
    """Of this process, and of this file."""
    return f"{_HOST}.{os.getpid()}.{next(_numbers)}.tmp"


def _is_running(pid: int) -> bool:
    """Whether there is such a process on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


@contextmanager
def _named(path: str | Path) -> Iterator[None]:
    """Errors of the system that do not say which file they are about do so now."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise
