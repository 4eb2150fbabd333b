"""What a user's function reads, remembered: it is compiled once, and must not change afterwards.

Rates never call a quenching function, an acceptance, a spectrum or a form factor for each recoil: they compile them
into polynomials and remember these. A function that reads a global, a closure, an attribute or a file gives other
values when that changes, and what was compiled does not. So whoever remembers a function remembers a snapshot of
everything that it can be seen to read, and of some of its values, and refuses to go on when they differ.
"""

import functools
import hashlib
import math
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cevns_fast._validate import Floats
from cevns_fast.parallel.once import once

# Packages whose functions do not change: their globals are not looked at.
_TRUSTED = {"builtins", "cevns_fast", "math", "cmath", "numpy", "scipy", "numba", "functools", "operator", "itertools"}
_PLAIN = (type(None), bool, int, float, complex, str, bytes, np.generic)
_MISSING = "nothing"  # no token of a value: those name a type
# Values that agree to this are the same on another processor.
_RTOL = 1e-9
_DIGITS = 8


@dataclass(frozen=True)
class Snapshot:
    """What a function reads, and some of its values.

    Two are equal, and equal as keys of what was compiled, if they have read the same and have the same values to
    eight digits.
    """

    read: tuple[tuple[str, str], ...]
    values: tuple[float, ...]

    @once
    def rounded(self) -> tuple[str, ...]:
        """The values as strings of so many digits."""
        return tuple(f"{x:.{_DIGITS}g}" for x in self.values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Snapshot) and (self.read, self.rounded) == (other.read, other.rounded)

    def __hash__(self) -> int:
        return hash((self.read, self.rounded))

    def difference(self, later: "Snapshot") -> str | None:
        """What has changed, if anything; what is read for the first time later, such as a memory, has not."""
        now = dict(later.read)
        for path, token in dict(self.read).items():
            if now.get(path, _MISSING) != token:
                return path
        if len(self.values) != len(later.values):
            return "what it returns"
        for x, y in zip(self.values, later.values, strict=True):
            if x != y and not (abs(x - y) <= _RTOL * abs(y) < math.inf) and not (x != x and y != y):
                return "what it returns"
        return None


def snapshot(thing: Any, sample: Callable[[], ArrayLike]) -> Snapshot | None:
    """A snapshot of a function or object, with values that `sample` makes; None if it cannot change."""
    if is_inert(thing):
        return None
    try:
        with np.errstate(all="ignore"):
            values = np.asarray(sample(), dtype=np.float64).ravel()
    except Exception:  # outside of its domain a function may do anything; where it is used, that is an error
        values = np.zeros(0)
    return Snapshot(tuple(_read(thing, "", {}, 0)), tuple(values.tolist()))


def is_inert(thing: Any) -> bool:
    """Whether nothing can change: numbers, and the library's own frozen dataclasses of such."""
    if isinstance(thing, tuple | frozenset):
        return all(map(is_inert, thing))
    if isinstance(thing, _PLAIN):
        return True
    kind = type(thing)
    frozen = is_dataclass(kind) and kind.__dataclass_params__.frozen and _is_trusted(kind.__module__)  # type: ignore[attr-defined]
    return bool(frozen and all(is_inert(getattr(thing, f.name)) for f in fields(kind)))


def _is_trusted(module: str | None) -> bool:
    return (module or "builtins").partition(".")[0] in _TRUSTED


def _token(value: Any) -> str:
    """A plain value or an array as a string."""
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return f"array {value.dtype} {value.shape} {digest}"
    return f"{type(value).__name__} {value!r}"


def _read(thing: Any, path: str, seen: dict[int, Any], depth: int) -> Iterator[tuple[str, str]]:
    """Everything that can be seen from an object, each with its path: "Q" is a global, ".k" an attribute."""
    if isinstance(thing, _PLAIN) or (isinstance(thing, np.ndarray) and thing.dtype.kind != "O"):
        yield path, _token(thing)
        return
    if id(thing) in seen or depth > 30:
        return
    seen[id(thing)] = thing  # kept alive: an id belongs to one object only as long as that lives

    def inside(part: Any, name: str) -> Iterator[tuple[str, str]]:
        return _read(part, path + name, seen, depth + 1)

    if isinstance(thing, list | tuple | np.ndarray):
        yield path, f"{type(thing).__name__} of {len(thing)}"
        for i, each in enumerate(thing):
            yield from inside(each, f"[{i}]")
    elif isinstance(thing, set | frozenset):
        yield path, f"set {sorted(map(repr, thing))}"
    elif isinstance(thing, Mapping):
        for key, each in thing.items():
            yield from inside(each, f"[{key!r}]")
    elif isinstance(thing, types.FunctionType):
        yield from _read_function(thing, path, seen, depth)
    elif isinstance(thing, types.MethodType):
        yield from inside(thing.__self__, "")
        yield from inside(thing.__func__, "")
    elif isinstance(thing, functools.partial):
        for part, name in ((thing.func, ""), (thing.args, " arguments"), (thing.keywords, " arguments")):
            yield from inside(part, name)
    elif isinstance(getattr(thing, "py_func", None), types.FunctionType):  # numba's
        yield from inside(thing.py_func, "")
    elif isinstance(thing, types.ModuleType | types.BuiltinFunctionType | np.ufunc):
        return
    elif isinstance(thing, type):
        if not _is_trusted(thing.__module__):
            yield from _read_class(thing, path, seen, depth)
    else:
        if isinstance(thing, functools.cached_property | property | classmethod | staticmethod):
            return
        yield path, f"a {type(thing).__qualname__}"
        for name, each in _attributes(thing):
            yield from inside(each, f".{name}")
        if not _is_trusted(type(thing).__module__):
            yield from _read_class(type(thing), path, seen, depth + 1)


def _attributes(thing: Any) -> list[tuple[str, Any]]:
    """What an object holds, in a dictionary or in slots."""
    found = list(getattr(thing, "__dict__", {}).items())
    for kind in type(thing).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        names = (slots,) if isinstance(slots, str) else slots
        found += [(name, getattr(thing, name)) for name in names if name[:2] != "__" and hasattr(thing, name)]
    return found


def _read_class(kind: type, path: str, seen: dict[int, Any], depth: int) -> Iterator[tuple[str, str]]:
    """Attributes and methods of a class and of what it derives from."""
    for each in kind.__mro__:
        if _is_trusted(each.__module__) or id(each) in seen:
            continue
        seen[id(each)] = each
        for name, value in vars(each).items():
            if isinstance(value, property):
                value = value.fget
            elif isinstance(value, functools.cached_property):
                value = value.func
            elif isinstance(value, classmethod | staticmethod):
                value = value.__func__
            if name in ("__call__", "__init__") or name[:2] != "__":
                yield from _read(value, f"{path}.{name}", seen, depth + 1)


def _read_function(function: types.FunctionType, path: str, seen: dict[int, Any], depth: int) -> Any:
    """A function's code, defaults, closure and the globals that it names."""
    if _is_trusted(function.__module__):
        return
    lead = f"{path} → " if path else ""
    codes, names = [function.__code__], set[str]()
    for code in codes:  # grows: functions within the function
        codes += [each for each in code.co_consts if isinstance(each, types.CodeType)]
        names |= set(code.co_names)
    digest = hashlib.sha256(b"".join(code.co_code for code in codes)).hexdigest()
    constants = [each for code in codes for each in code.co_consts if isinstance(each, _PLAIN)]
    yield f"{lead}the code of {function.__qualname__}", f"{digest} {constants!r}"
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    for name, cell in cells:
        try:
            content = cell.cell_contents
        except ValueError:  # not filled yet
            continue
        yield from _read(content, f"{lead}{name}", seen, depth + 1)
    yield from _read(function.__defaults__, f"{lead}defaults", seen, depth + 1)
    yield from _read(function.__kwdefaults__, f"{lead}keyword defaults", seen, depth + 1)
    for name in sorted(names & function.__globals__.keys()):
        value = function.__globals__[name]
        yield from _read(value, f"{lead}{name}", seen, depth + 1)
        if isinstance(value, types.ModuleType) and not _is_trusted(value.__name__):
            for inner in sorted(names & vars(value).keys()):
                yield from _read(vars(value)[inner], f"{lead}{name}.{inner}", seen, depth + 1)


def values_of(*functions: Callable[[Floats], ArrayLike], at: ArrayLike) -> Callable[[], Floats]:
    """What `snapshot` samples: functions at points."""
    points = np.asarray(at, dtype=np.float64)
    return lambda: np.concatenate([np.asarray(function(points), dtype=np.float64).ravel() for function in functions])
