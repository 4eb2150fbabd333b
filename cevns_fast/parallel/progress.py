"""How far a computation is: to a function of the caller's, or as a bar in a terminal or a notebook."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Progress = Callable[[int, int], object] | bool | None


@contextmanager
def reporter(progress: Progress, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """What to call with the number of units that were finished."""
    if progress is True:
        with _bar(total, unit) as bar:
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


def _bar(total: int, unit: str) -> Any:
    """A bar of tqdm: widgets in a notebook that has them, else text; none where nobody watches."""
    notebook = in_notebook()
    try:
        if notebook and _has_widgets():
            from tqdm.notebook import tqdm
        else:
            from tqdm import tqdm
    except ImportError:
        raise ImportError("progress=True needs tqdm: pip install 'cevns_fast[scan]'") from None
    return tqdm(total=total, unit=unit, disable=False if notebook else None)  # None: only on a terminal


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this: its standard error is no terminal, and yet somebody watches."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and hasattr(shell, "kernel")


def _has_widgets() -> bool:
    """Whether a notebook can show more than text."""
    try:
        return importlib.util.find_spec("ipywidgets") is not None
    except ValueError:  # it is kept from being imported
        return False
