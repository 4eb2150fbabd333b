"""Values of the slow twin that are stored, for they change with its code and its arguments and with nothing else.

`stored.json` has each under a digest of function and arguments, and the digest of the code and tables that all were
computed with: where that is another, none is used. A tenth of them, another one each day, are computed all the same and
must agree. CEVNS_FAST_TWIN=computed computes all, as continuous integration does; CEVNS_FAST_TWIN=stored with "-n0"
stores what is missing.
"""

import atexit
import dataclasses
import functools
import hashlib
import json
import os
import time
from datetime import date
from pathlib import Path
from types import CodeType, FunctionType, SimpleNamespace

import numpy as np

import cevns_fast

FILE = Path(__file__).with_name("stored.json")
MODE = os.environ.get("CEVNS_FAST_TWIN", "")
#: What takes less, in seconds, is not worth a line.
WORTH = 3e-3
PACKAGE = Path(cevns_fast.__file__).parent
TABLES = ("electron_shells.csv", "nuclear_spins.csv", "cosmology/degrees_of_freedom.toml")


class NotStorable(TypeError):
    """What has no content to tell it by: a generator, say."""


def code():
    """Digest of all that the twin's values come from, but for its arguments."""
    h = hashlib.blake2b(digest_size=16)
    for path in [*sorted((PACKAGE / "reference").glob("*.py")), PACKAGE / "constants.py",
                 *(PACKAGE / "data" / table for table in TABLES)]:  # fmt: skip
        h.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return h.hexdigest()


@functools.cache
def _source(file):
    return hashlib.blake2b(Path(file).read_bytes(), digest_size=16).hexdigest()


def content(value):
    """Pieces of text that are equal where values are, bit for bit; of a function its code, in a file of one content."""
    if isinstance(value, np.generic):
        value = value.item()
    name = type(value).__qualname__
    if value is None or isinstance(value, (bool, int, str, bytes)):
        yield f"{name} {value!r};"
    elif isinstance(value, (float, complex)):
        yield f"{name} {value.real.hex()} {value.imag.hex()};"
    elif isinstance(value, np.ndarray) and value.dtype != object:
        yield f"{value.dtype.str} {value.shape} {value.tobytes().hex()};"
    elif isinstance(value, FunctionType):
        code = value.__code__
        yield f"{name} {_source(code.co_filename)} {code.co_firstlineno} {code.co_code.hex()};"
        yield from content((code.co_names, [each for each in code.co_consts if not isinstance(each, CodeType)]))
        yield from content((value.__defaults__, [cell.cell_contents for cell in value.__closure__ or ()]))
    elif dataclasses.is_dataclass(value):
        yield f"{name}("
        for field in dataclasses.fields(value):
            yield from content(getattr(value, field.name))
        yield ")"
    elif isinstance(value, (dict, SimpleNamespace)):
        items = value if isinstance(value, dict) else vars(value)
        yield f"{name}{{"
        for key in sorted(items):
            yield from content(key)
            yield from content(items[key])
        yield "}"
    elif isinstance(value, (tuple, list)):
        yield f"{name}["
        for each in value:
            yield from content(each)
        yield "]"
    else:
        raise NotStorable(name)


def digest(*values):
    """Of what is equal bit for bit; NotStorable where something has no content."""
    h = hashlib.blake2b(digest_size=16)
    for text in content(values):
        h.update(text.encode())
    return h.hexdigest()


@functools.cache
def _kept():
    """The values in the file, if this code computed them."""
    found = json.loads(FILE.read_text()) if FILE.exists() else {}
    values = found.get("values", {}) if found.get("code") == code() else {}
    if MODE == "stored":
        atexit.register(_write, values)
    return values


def _write(values):
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(values[key])}" for key in sorted(values))
    FILE.write_text(f'{{"code": "{code()}", "values": {{\n{lines}\n}}}}\n')


def stored(function):
    """The function, which returns a float or an array: looked up where it is stored, and computed once a session."""
    session = {}

    @functools.wraps(function)
    def looked_up(*args, **kwargs):
        try:
            key = digest(function.__module__, function.__qualname__, args, kwargs)
        except NotStorable:
            return function(*args, **kwargs)
        if key not in session:
            session[key] = _value(key, lambda: function(*args, **kwargs))
        value = session[key]
        return value.copy() if isinstance(value, np.ndarray) else value

    return looked_up


def _value(key, compute):
    """What is stored, or computed; both, and compared, on its day."""
    known = _kept().get(key)
    if isinstance(known, list):
        known = np.array(known)
    today = int(key, 16) % 10 == date.today().toordinal() % 10
    if known is not None and MODE != "computed" and not today:
        return known
    start = time.perf_counter()
    value = compute()
    if known is not None:  # to the rounding errors of another machine
        assert np.abs(value - known).max(initial=0.0) <= 1e-12 * np.abs(value).max(initial=0.0), (
            f"{value} was stored as {known}: if the arguments' meaning has changed, "
            f"delete {FILE.name} and run CEVNS_FAST_TWIN=stored pytest -n0"
        )
    elif MODE == "stored" and time.perf_counter() - start > WORTH:
        _kept()[key] = value if isinstance(value, float) else value.tolist()
    return value
