"""Modules that are loaded when they are needed, and forks that wait while another thread loads one.

Python's lock of a module that is being loaded would be copied into the child, where nobody releases it. Threads that
load do not wait for each other here: Python's own locks see to that, and know a way out where two need one another.
"""

import os
import sys
from importlib import import_module
from threading import Condition, get_ident
from types import ModuleType

# Longer than any module takes; a fork that has waited so long goes on as Python's own would.
_LONGEST = 30.0
_changed = Condition()
_loading: dict[int, int] = {}  # how many modules each thread is loading
_loaded: dict[str, ModuleType] = {}  # to the end


def load(name: str) -> ModuleType:
    """A module by its full name."""
    known = _loaded.get(name)
    if known is not None and sys.modules.get(name) is known:
        return known
    me = get_ident()
    with _changed:
        _loading[me] = _loading.get(me, 0) + 1
    try:
        found = _loaded[name] = import_module(name)
        return found
    finally:
        with _changed:
            _loading[me] -= 1
            if not _loading[me]:
                del _loading[me]
            _changed.notify_all()


def _before_fork() -> None:
    """Wait for other threads, and let none begin."""
    _changed.acquire()
    _changed.wait_for(lambda: not _loading.keys() - {get_ident()}, _LONGEST)


def _after_in_child() -> None:
    """Only this thread is here."""
    for other in _loading.keys() - {get_ident()}:
        del _loading[other]
    _changed.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_changed.release, after_in_child=_after_in_child)
