"""Who draws what objects are: the façade says it, so that no floor knows one above it.

`plot` of an object of any floor, and the picture in its table, are passed on to the top floor when they are asked for.
"""

from __future__ import annotations

TYPE_CHECKING = False  # without `typing`, which would be most of `import cevns_fast`
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_loaders: dict[str, Callable[[], Any]] = {}


def install(*, figures: Callable[[], Any], pictures: Callable[[], Any]) -> None:
    """Tell what loads the module of figures, drawn with matplotlib, and that of small pictures for tables."""
    _loaders.update(figures=figures, pictures=pictures)


def figures() -> Any:
    """The module that draws objects into axes."""
    return _loaders["figures"]()


def pictures() -> Any:
    """The module that draws small pictures."""
    return _loaders["pictures"]()
