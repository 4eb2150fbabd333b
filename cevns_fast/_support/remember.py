"""What is remembered between calls: so many results, found by value, all of which `forget` drops.

There are two kinds of memory, both bounded: `remember` for functions of hashable arguments, and `Memory` for what is
made of arguments that do not hash and is found under a key of its own.
"""

from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Generic, ParamSpec, TypeVar, cast
from weakref import WeakSet

P = ParamSpec("P")
R = TypeVar("R")
V = TypeVar("V")

_functions: list[Callable[[], None]] = []
_memories: "WeakSet[Memory[object]]" = WeakSet()


def remember(maxsize: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Remember the last `maxsize` results of a function by its arguments; what was longest unused makes room."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        cached = lru_cache(maxsize=maxsize)(function)
        _functions.append(cached.cache_clear)
        return cast(Callable[P, R], cached)

    return decorate


class Memory(Generic[V]):
    """At most `maxsize` values by key; when one more would not fit, all make room. Threads may share it."""

    __slots__ = ("__weakref__", "_values", "get", "maxsize")

    def __init__(self, maxsize: int) -> None:
        self.maxsize = maxsize
        self._values: dict[Hashable, V] = {}
        #: The value of a key, or None: the dictionary's own method, which takes no lock and no time.
        self.get = self._values.get
        _memories.add(cast("Memory[object]", self))

    def keep(self, key: Hashable, value: V) -> V:
        """Remember a value, and return it."""
        if len(self._values) >= self.maxsize:
            self._values.clear()
        self._values[key] = value
        return value

    def __len__(self) -> int:
        return len(self._values)

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()


def forget() -> None:
    """Forget everything that is remembered anywhere, as if the process had just begun; modules and kernels stay."""
    for clear in _functions:
        clear()
    for memory in list(_memories):
        memory.clear()
