"""A child that was forked while another thread of its parent was inside of something never waits for that thread."""

import ast
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import cevns_fast as cf
from cevns_fast._kernels import rates as kernel
from cevns_fast._support.loading import load

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # Python's own about fork and threads
]


def status_of_child(run):
    """Of a forked child that runs something for at most 20 seconds: 0 if it ended by itself."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        try:
            run()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitpid(pid, 0)[1]


def test_fork_while_another_thread_makes_structures(bare, monkeypatch):
    """Functools' cached_property of Python 3.11 holds a lock of the class meanwhile."""
    inside, leave, parent, make = threading.Event(), threading.Event(), os.getpid(), kernel._struct

    def slow(*arguments, **sizes):
        if os.getpid() == parent:
            inside.set()
            leave.wait(60)
        return make(*arguments, **sizes)

    monkeypatch.setattr(kernel, "_struct", slow)
    thread = threading.Thread(target=cf.event_rate, args=(bare((7.0, 8.25, 9.5)), cf.SingletEFT(3.0, C_S=0.1)))
    thread.start()
    try:
        assert inside.wait(60)
        other = bare((7.0, 8.5, 9.75))
        assert status_of_child(lambda: cf.event_rate(other, cf.SingletEFT(4.0, C_S=0.1))) == 0
    finally:
        leave.set()
        thread.join()


@pytest.mark.jit
def test_fork_while_another_thread_compiles():
    """The fork waits until numba's lock is free, so the child's copy is."""
    from numba.core.compiler_lock import global_compiler_lock

    import cevns_fast._kernels.jit  # noqa: F401

    inside = threading.Event()

    def compiles():
        with global_compiler_lock:
            inside.set()
            time.sleep(0.3)

    thread = threading.Thread(target=compiles)
    thread.start()
    assert inside.wait(60)
    assert status_of_child(global_compiler_lock.acquire) == 0
    thread.join()


def test_fork_while_another_thread_loads_a_module(tmp_path, monkeypatch):
    """Python's lock of the module would stay in the child, as after the first `cf.goodness_of_fit` in a thread."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "slow_to_load.py").write_text("import loaded_with, time\nloaded_with.inside.set()\ntime.sleep(0.3)\n")
    monkeypatch.setitem(sys.modules, "loaded_with", SimpleNamespace(inside=threading.Event()))
    thread = threading.Thread(target=load, args=("slow_to_load",))
    thread.start()
    assert sys.modules["loaded_with"].inside.wait(60)
    assert status_of_child(lambda: load("slow_to_load")) == 0
    thread.join()
    del sys.modules["slow_to_load"]


def test_a_fork_of_the_thread_that_loads_waits_for_nobody(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    code = "import os\nif not (pid := os.fork()): os._exit(3)\nstatus = os.waitpid(pid, 0)[1]\n"
    (tmp_path / "forks.py").write_text(code)
    assert os.waitstatus_to_exitcode(load("forks").status) == 3
    del sys.modules["forks"]


def test_nothing_holds_the_lock_of_cached_property():
    for path in Path(cf.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
            assert "cached_property" not in names, path
