"""What a child process finds, for tests of forks and of the other start methods."""

import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor

import pytest


def _put(queue, work, arguments):
    queue.put(work(*arguments))


def from_child(method, work, *arguments):
    """work(*arguments), in a child started by the method."""
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    child = context.Process(target=_put, args=(queue, work, arguments))
    child.start()
    found = queue.get(timeout=180)
    child.join(60)
    assert child.exitcode == 0
    return found


forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
pythons_own = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # a warning of fork in a process of threads


class SameBits:
    """Tests that forked children and Python threads find the bytes of `expected`, a fixture of the module.

    A module derives a class of its own, with `digest`, a static method: bytes computed on a number of threads.
    """

    @forks
    @pythons_own
    @pytest.mark.parametrize("threads", [1, 2])
    def test_fork_after_threads(self, expected, threads):
        """Threads of the parent are not in the child, though what they had locked may be."""
        assert self.digest(2) == expected
        assert from_child("fork", self.digest, threads) == expected
        assert self.digest(2) == expected

    @forks
    @pythons_own
    def test_fork_while_another_thread_computes(self, expected):
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(lambda: [self.digest(2) for _ in range(10)])
            assert from_child("fork", self.digest, 2) == expected
            assert set(running.result()) == {expected}

    def test_python_threads(self, expected):
        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(self.digest, [1, 2, 2, 1, 2, 1])) == {expected}
