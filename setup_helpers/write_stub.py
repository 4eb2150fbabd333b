"""Writes ``cevns_fast/__init__.pyi``, so that editors and type checkers know what the lazy façade has.

``python setup_helpers/write_stub.py`` after a name was added to ``_HOMES`` of ``cevns_fast/__init__.py``, which stays
the only list of public names. ``--check`` changes nothing and fails unless the file is current.
"""

import ast
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "cevns_fast"
STUB = PACKAGE / "__init__.pyi"
_HEAD = '''\
"""What `cevns_fast` offers, for type checkers. Written by setup_helpers/write_stub.py from `_HOMES`."""

'''


def homes(source: str) -> dict[str, tuple[str, ...]]:
    """The façade's ``_HOMES``, read without importing anything."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "_HOMES":
            found: dict[str, tuple[str, ...]] = ast.literal_eval(node.value)
            return found
    raise ValueError("the façade has no _HOMES")


def stub(names_of: Mapping[str, Sequence[str]]) -> str:
    """The text: every public name imported from its home, under its own name, which makes it public."""
    modules = [home for home, names in names_of.items() if tuple(names) == ("",)]
    lines = [f"from cevns_fast import {module} as {module}\n" for module in sorted(modules)]
    public = [*modules, "__version__"]
    for home, names in sorted(names_of.items()):
        if home not in modules:
            public += names
            lines += [f"from cevns_fast.{home} import {name} as {name}\n" for name in sorted(names, key=_as_ruff)]
    listed = "".join(f'    "{name}",\n' for name in sorted(public, key=_as_ruff))
    return f"{_HEAD}{''.join(lines)}\n__version__: str\n__all__ = [\n{listed}]\n"


def _as_ruff(name: str) -> tuple[int, str]:
    """The order that ruff wants: constants, classes, functions."""
    return 0 if name.isupper() else 1 if name[0].isupper() else 2, name


def main(arguments: Sequence[str]) -> int:
    """Write the stub, or say whether it is current."""
    text = stub(homes((PACKAGE / "__init__.py").read_text("utf-8")))
    if "--check" in arguments:
        if STUB.read_text("utf-8") == text:
            return 0
        print(f"{STUB.name} is not what python setup_helpers/write_stub.py writes", file=sys.stderr)
        return 1
    STUB.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
