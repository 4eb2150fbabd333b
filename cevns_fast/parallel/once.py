"""A property that is computed when first asked for and then kept, without a lock.

`functools.cached_property` of Python 3.11 holds one lock for all instances: a process that forks while another thread
is inside leaves a child that waits forever. Here two threads may compute the same value twice; the last one stays.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

Value = TypeVar("Value")


class once(Generic[Value]):
    """The decorator."""

    def __init__(self, function: Callable[[Any], Value]) -> None:
        self._function, self.__doc__ = function, function.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> "once[Value]": ...

    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        value = self._function(instance)
        instance.__dict__[self._function.__name__] = value  # which is found before this the next time
        return value
