"""The rooms of the house keep to its rules: those that import-linter and ruff do not see."""

import ast
import re
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

from cevns_fast._kernels.library import lib
from cevns_fast.interactions import process

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "cevns_fast"
MODULES = {str(path.relative_to(PACKAGE)): path for path in sorted(PACKAGE.rglob("*.py"))}
FAST = {name: path for name, path in MODULES.items() if not name.startswith("reference/")}
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]


def rooms():
    """Names at the top level of the package."""
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    return folders | {path.stem for path in PACKAGE.glob("*.py") if not path.stem.startswith("__")}


def test_the_reference_may_import_no_room_but_constants_and_data():
    (contract,) = (each for each in CONTRACTS if each["type"] == "forbidden")
    assert contract["source_modules"] == ["cevns_fast.reference"]
    forbidden = {name.removeprefix("cevns_fast.") for name in contract["forbidden_modules"]}
    assert forbidden == rooms() - {"constants", "data", "reference"}


def test_rooms_of_one_floor_do_not_know_each_other():
    (contract,) = (each for each in CONTRACTS if each["type"] == "layers")
    floors = [floor.split(" | ") for floor in contract["layers"]]  # ":" would let them import each other
    assert sorted(room for floor in floors for room in floor) == sorted(rooms() - {"reference"})
    assert len(rooms()) <= 20


# Classes that have the name of another, and why that is no other meaning.
SAME_NAME = {
    "Gradient": "the same node of a graph, for PyTensor and for PyTorch",
    "Hessian": "the same node of a graph, for PyTensor and for PyTorch",
}


def test_no_two_classes_of_one_name():
    homes = defaultdict(list)
    for name, path in FAST.items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                homes[node.name.lstrip("_")].append(name)
    assert {name: where for name, where in homes.items() if len(where) > 1 and name not in SAME_NAME} == {}
    assert all(len(homes[name]) > 1 for name in SAME_NAME)


# What remembers without end, or behind `forget`'s back.
CACHES = {"cache", "lru_cache", "cached_property"}
# Of what `remember` is made, and what looks at caches of users' classes.
MAY_CACHE = {"_support/remember.py": {"lru_cache"}, "experiments/snapshots.py": {"cached_property"}}


def caches_of(path):
    """Caches of functools that a module imports or names."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "functools":
            yield from CACHES & {each.name for each in node.names}
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "functools":
            yield from CACHES & {node.attr}


def test_all_that_is_remembered_can_be_forgotten():
    found = {name: used for name, path in FAST.items() if (used := set(caches_of(path)))}
    assert found == MAY_CACHE


# Containers of a module that are filled later, and with what.
FILLED = {
    "_support/drawn.py": ["_loaders"],  # what draws objects, by the façade
    "_support/loading.py": ["_loading", "_loaded"],  # threads that are loading a module, and modules
    "interactions/numerical.py": ["_kinds"],  # kinds of interaction that are alive: two of one definition are one
    "_support/remember.py": ["_functions", "_memories"],  # what `forget` goes through
}


def test_no_module_remembers_in_a_container_of_its_own():
    empty = re.compile(r"(\{\}|\[\]|(dict|list|set|WeakSet|WeakValueDictionary|WeakKeyDictionary|OrderedDict)\(\))")
    found = defaultdict(list)
    for name, path in FAST.items():
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value and empty.fullmatch(ast.unparse(node.value)):
                found[name].append(ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target))
    assert found == FILLED


# Modules that load others by name, and which: what import-linter cannot see.
LOADS_BY_NAME = {
    "_support/loading.py": "what the façade names",
    "_support/moved.py": "what old pickles name",
    "cli/program.py": "the module of a command",
    "interactions/numerical.py": "the module of a user's function",
    "interop/cobaya.py": "its own room's, where cobaya is installed",
    "interop/differentiable.py": "its own room's, one for each framework",
    "papers/__init__.py": "its own room's, one for each paper",
}


def test_no_import_is_hidden_in_a_string():
    found = {name for name, path in MODULES.items() if re.search(r"\b(import_module|__import__)\(", path.read_text())}
    assert found == set(LOADS_BY_NAME)


# Walks over objects that may hold each other, and the objects that they have met, alive meanwhile.
MAY_ASK_FOR_ID = {"_kernels/jit.py", "experiments/snapshots.py"}


def test_no_cache_is_keyed_by_identity():
    calls = {
        name
        for name, path in FAST.items()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "id"
    }
    assert calls == MAY_ASK_FOR_ID


def test_powers_of_a_term_are_those_that_the_kernel_has_room_for():
    lowest, number = lib.RATES_LOWEST_T_POWER, lib.RATES_T_POWERS
    assert process.T_POWERS == range(lowest, lowest + number)


@pytest.mark.parametrize("name", ["FLAVOURS", "BOHR_MAGNETON", "LEVELS"])
def test_a_name_that_many_use_is_bound_once(name):
    homes = [where for where, path in FAST.items() if re.search(rf"^{name}\b[^=\n]*= ", path.read_text(), re.MULTILINE)]
    assert len(homes) == 1
