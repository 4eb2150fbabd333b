"""What a child process finds, for tests of forks and of the other start methods."""

import multiprocessing


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
