"""The program: arguments in, one command run, every way to end in one line and an exit status."""

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any, NoReturn

from cevns_fast.cli.arguments import parsed

STOPPED, TERMINATED = 130, 143  # 128 and the signal's number, as shells have it


class Terminated(KeyboardInterrupt):
    """SIGTERM: what it interrupts is tidied up as after Ctrl-C."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments after the program's name; by default those of the process.

    Returns
    -------
    int
        Exit status: 0, 2 for a bad argument, a file that would be overwritten or cannot be used, 130 for Ctrl-C, or 143
        for SIGTERM.

    Examples
    --------
    >>> main(["experiments"])  # doctest: +ELLIPSIS
    coherent-csi-2017 ...
    0
    """
    try:
        with _any_terminal(), _terminable():
            args = parsed(argv)
            import_module(f"cevns_fast.cli.{args.command.replace('-', '_')}").run(args)
            sys.stdout.flush()  # a full disk shows here, and not when Python has ended
    except BrokenPipeError:  # the reader of a pipe has seen enough
        sys.stderr.close()
        return 0
    except (ValueError, OSError, ImportError, MemoryError, ArithmeticError) as error:
        return _fail(str(error) or type(error).__name__)
    except KeyboardInterrupt as interrupt:
        print(f"\ncevns-fast: stopped{f'; {interrupt}' if interrupt.args else ''}", file=sys.stderr)
        return TERMINATED if isinstance(interrupt, Terminated) else STOPPED
    return 0


def _fail(message: str) -> int:
    with _any_terminal():
        print(f"cevns-fast: error: {' '.join(message.split())}", file=sys.stderr)
    with suppress(OSError):  # what cannot be written now cannot be written at exit either
        sys.stdout.flush()
        return 2
    with suppress(OSError, ValueError):
        sys.stdout.close()
    return 2


@contextmanager
def _any_terminal() -> Iterator[None]:
    """Letters that a terminal's encoding does not have appear as their codes."""
    streams = [each for each in (sys.stdout, sys.stderr) if hasattr(each, "reconfigure")]
    before = [each.errors for each in streams]
    for each in streams:
        if each.errors in ("strict", "surrogateescape"):  # the latter is what the C locale brings
            each.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        for each, errors in zip(streams, before, strict=True):
            with suppress(ValueError, OSError):
                each.reconfigure(errors=errors)


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM as an exception, where a handler can be set."""

    def stop(*_: Any) -> NoReturn:
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # this is not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
