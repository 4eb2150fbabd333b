"""No public function without an example that runs: doctests run them, these tests see that they are there."""

import inspect
import re
from pathlib import Path

import pytest

import cevns_fast as cf
from cevns_fast.parallel.once import once

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")
#: Names of the API page, each with the members that it lists.
LISTED = {
    name: re.findall(r"\w+", members or "")
    for name, members in re.findall(
        r"^\.\. auto(?:class|function):: cevns_fast\.([\w.]+)\n(?:   :members: ((?:.+\n)(?:      .+\n)*))?",
        PAGE,
        re.MULTILINE,
    )
}


def public():
    """Names and callables that `import cevns_fast` offers."""
    for name in cf.__all__:
        value = getattr(cf, name)
        if not inspect.ismodule(value):
            yield name, value
            continue
        for inner in getattr(value, "__all__", ()):
            yield f"{name}.{inner}", getattr(value, inner)


CALLABLES = {name: value for name, value in public() if callable(value)}


def at_work(docstring):
    """The code of a docstring's examples."""
    return "\n".join(re.findall(r"^\s*(?:>>>|\.\.\.) (.*)$", docstring or "", re.MULTILINE))


def resolved(name):
    """A public object by its name on the page."""
    value = cf
    for part in name.split("."):
        value = getattr(value, part)
    return value


@pytest.mark.parametrize("name", CALLABLES)
def test_it_has_an_example(name):
    assert at_work(CALLABLES[name].__doc__)


@pytest.mark.parametrize("name", [name for name, members in LISTED.items() if members])
def test_members_are_shown_at_work(name):
    kind, missing = resolved(name), []
    of_class = at_work(kind.__doc__)
    for member in LISTED[name]:
        value = inspect.getattr_static(kind, member)
        value = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        shown = "(" in of_class if member == "__call__" else f".{member}" in of_class + at_work(value.__doc__)
        missing += [] if shown else [member]
    assert not missing


def test_the_page_lists_what_is_public():
    assert set(CALLABLES) - {name for name in CALLABLES if name.startswith("reference.")} <= set(LISTED)
    assert [name for name in LISTED if not hasattr(resolved(name), "__doc__")] == []


def test_every_method_with_arguments_is_on_the_page():
    """A method that documents its arguments is meant to be called."""
    for name, kind in CALLABLES.items():
        if not inspect.isclass(kind) or name not in LISTED:
            continue
        for member, value in vars(kind).items():
            function = getattr(value, "__func__", value)
            if (
                not member.startswith("_")
                and inspect.isfunction(function)
                and "Parameters\n" in (function.__doc__ or "")
            ):
                assert member in LISTED[name], f"{name}.{member}"


CLASSES = [name for name, value in CALLABLES.items() if inspect.isclass(value)]


@pytest.mark.parametrize("name", CLASSES)
def test_what_looks_public_is_described(name):
    """Every method has a docstring, and every field its name in that of a class."""
    ours = [each for each in CALLABLES[name].__mro__ if each.__module__.startswith("cevns_fast")]
    words = "\n".join(each.__doc__ or "" for each in ours)
    members = {n for each in ours for n in (*vars(each), *vars(each).get("__annotations__", {})) if n[0] != "_"}
    missing = []
    for member in sorted(members):
        value = inspect.getattr_static(CALLABLES[name], member, None)
        value = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if inspect.isfunction(value) or isinstance(value, property | once):
            described = bool(value.__doc__)
        else:
            described = re.search(rf"\b{member}\b", words) is not None
        missing += [] if described else [member]
    assert missing == []
