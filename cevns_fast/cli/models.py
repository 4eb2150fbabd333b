"""The interactions that the command line knows, made of NAME=VALUE."""

import argparse
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import cevns_fast as cf

if TYPE_CHECKING:
    from cevns_fast.interactions.process import Interaction

MODELS = {
    "singlet": "SingletEFT", "scalar": "ScalarMediator", "vector": "VectorMediator",
    "nsi": "NSI", "light-vector": "LightVector", "magnetic-moment": "MagneticMoment",
    "charge-radius": "ChargeRadius", "millicharge": "Millicharge", "electron": "ElectronEFT",
    "standard-model": "StandardModel",
}  # fmt: skip
# Those that the explorer can open.
EXPLORED = (
    "singlet", "scalar", "vector", "nsi", "light-vector", "magnetic-moment", "charge-radius", "millicharge",
    "standard-model",
)  # fmt: skip
_WORD = re.compile(r"[A-Za-z_]\w*(-\d?[A-Za-z]\w*)*")  # B-L and B-3Le are charges
_WORDS = {"true": True, "false": False}


def parameter(text: str) -> tuple[str, Any]:
    """NAME=VALUE; the value is a number, complex perhaps, or several with commas between them, or a word."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r}: must be NAME=VALUE")
    if _WORD.fullmatch(value) and value.lower() not in ("nan", "inf", "infinity"):
        return name, _WORDS.get(value, value)
    try:
        numbers = [complex(part) if "j" in part.lower() else float(part) for part in value.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a number, or two for the u and d quark") from None
    return name, numbers[0] if len(numbers) == 1 else tuple(numbers)


def kind_of(model: str) -> "type[Interaction]":
    """The class of a model."""
    from cevns_fast import _validate as validate

    found: type[Interaction] = getattr(cf, MODELS[validate.choice("model", model, MODELS)])
    return found


def mass_of(model: str, named: str | None = None) -> str | None:
    """The field that a scan over masses varies; None if the model has no mass."""
    from dataclasses import fields

    from cevns_fast import _validate as validate

    known = [f.name for f in fields(kind_of(model)) if f.name.startswith("m_")]  # type: ignore[arg-type]
    if named is not None:
        return validate.choice("--mass", named, known)
    return next((name for name in ("m_chi", "m_zprime") if name in known), None)


def couplings_of(model: str) -> tuple[str, ...]:
    """The couplings that a limit is set on if none are named."""
    kind = kind_of(model)
    return kind.default_couplings or tuple(kind.open_couplings)


def fixed_fields(
    model: str,
    parameters: Sequence[tuple[str, Any]],
    options: Mapping[str, str | None],
    without: Iterable[str] = (),
    way_out: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """The fields that NAME=VALUE and options give; `ValueError` if one is unknown, given twice or not to be given.

    `way_out` says what to do about one of `without`.
    """
    from dataclasses import fields

    from cevns_fast import _validate as validate

    kind, given = kind_of(model), dict(parameters)
    if len(given) < len(parameters):
        raise ValueError("NAME=VALUE: each parameter may be given once")
    known = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    validate.unknown_fields(kind.__name__, given, known)
    for name in without:
        if name in given:
            raise ValueError(f"{name}: is scanned or profiled, its value cannot be given{way_out.get(name, '')}")
    for name, value in options.items():
        if value is not None and name not in known:
            raise ValueError(f"--{name} {value}: {kind.__name__} has none")
    return given | {name: value for name, value in options.items() if value is not None}


def interaction(model: str, given: Mapping[str, Any]) -> "Interaction":
    """One interaction of a model; `ValueError` if a mass that has no default is missing."""
    from dataclasses import MISSING, fields

    kind = kind_of(model)
    for field in fields(kind):  # type: ignore[arg-type]
        if field.default is MISSING and field.name not in given:
            raise ValueError(f"{field.name}: must be given, e.g. {field.name}=10")
    return kind(**given)


def described(each: "Interaction", without: Iterable[str]) -> str:
    """An interaction in words, less what varies."""
    from dataclasses import MISSING, fields

    words = [type(each).__name__]
    for field in fields(each):  # type: ignore[arg-type]
        value = getattr(each, field.name)
        if field.name not in without and (field.default is MISSING or value != field.default or isinstance(value, str)):
            words.append(f"{field.name} {value}")
    return ", ".join(words)


def all_zero(each: "Interaction") -> bool:
    """Whether no coupling has a value."""
    values = [getattr(each, name, None) for name in each.open_couplings]
    return not any(part != 0 for value in values if value is not None for part in _parts(value))


def _parts(value: Any) -> tuple[Any, ...]:
    """Of a coupling to u and d."""
    return value if isinstance(value, tuple) else (value,)
