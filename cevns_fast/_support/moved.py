"""Old pickles: where the modules of version 0.1.0, which lay flat in the package, are now.

A pickle names a class by its module. The finder below comes last, so it is asked only for names that nothing else
knows, and what it makes is a shell that looks a class up in the module's new home when it is asked for one. Modules
whose name has become a package's (`experiments`, `likelihood`) look theirs up themselves, and so do those where a class
has been given another name.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType

TYPE_CHECKING = False  # without `typing`, which would be most of `import cevns_fast`
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_PACKAGE = __name__.partition(".")[0]

HOMES = {
    "kinematics": "nuclear.kinematics",
    "nuclei": "nuclear.nuclei",
    "nucleon": "nuclear.nucleon",
    "sources": "experiments.sources",
    "spectra": "experiments.spectra",
    "detectors": "experiments.detectors",
    "backgrounds": "experiments.backgrounds",
    "piecewise": "counts.piecewise",
    "integrands": "counts.rows",
    "rates": "counts.templates",
    "cross_sections": "counts.spectrum",
    "count_table": "counts.count_table",
    "measurement": "likelihood.measurement",
    "nuisances": "likelihood.nuisances",
    "pulls": "likelihood.pulls",
    "parameters": "likelihood.parameters",
    "reduction": "likelihood.whitening",
    "limits": "inference.limits",
    "scans": "inference.correlation",
    "grids": "inference.planes",
    "scan_result": "inference.scan_result",
    "toys": "inference.toys",
    "adapters": "interop.fitters",
}


# Classes that have another name since, by their modules of today.
RENAMED = {
    "inference.correlation": {"_Search": "SearchOfCouplings"},
    "inference.parameter_planes": {"_Search": "SearchOfParameters"},
    "likelihood.pulls": {"Curve": "NuisanceCurve"},
}


def renamed(module: str, name: str) -> Any:
    """The class that had this name in a module."""
    now = RENAMED[module.removeprefix(f"{_PACKAGE}.")].get(name)
    if now is None:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    return getattr(import_module(module), now)


def public(module: str, name: str) -> Any:
    """The façade's class of this name, asked for in a module where it once was."""
    package = import_module(_PACKAGE)
    if name not in package.__all__:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    return getattr(package, name)


class _Shell(ModuleType):
    """A module of an old name: it has nothing of its own."""

    def __getattr__(self, name: str) -> Any:
        try:
            return public(self.__name__, name)
        except AttributeError:
            if name.startswith("__"):
                raise
        return getattr(import_module(f"{_PACKAGE}.{HOMES[self.__name__.rpartition('.')[2]]}"), name)


class _Finder:
    """Finds modules by their old names; loader of the shells too."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """A shell, if the name is an old one."""
        package, _, module = name.rpartition(".")
        known = package == _PACKAGE and module in HOMES
        return ModuleSpec(name, _Finder, origin=HOMES[module]) if known else None  # type: ignore[arg-type]

    @staticmethod
    def create_module(spec: ModuleSpec) -> ModuleType:
        """An empty one."""
        return _Shell(spec.name, f"Now {_PACKAGE}.{spec.origin}: unpickling looks here.")

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        """It stays empty."""


def install() -> None:
    """Let old names be found, after all others."""
    sys.meta_path.append(_Finder)
