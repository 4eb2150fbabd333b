"""From text to the file's tables."""

import tomllib
from collections.abc import Mapping
from typing import Any

import msgspec

from cevns_fast.experiments.toml_file.renamed import refuse_old_names
from cevns_fast.experiments.toml_file.schema import ExperimentFile


def experiment_file(text: str) -> ExperimentFile:
    """The contents of a file; `ValueError` for whatever is wrong with them."""
    try:
        raw: Mapping[str, Any] = tomllib.loads(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    refuse_old_names(raw)
    _refuse_huge_integers(raw)
    try:
        return msgspec.convert(raw, ExperimentFile)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(str(error) or "is nested too deeply") from None


def _refuse_huge_integers(raw: Mapping[str, Any]) -> None:
    """TOML's integers have 64 bits; Python's would overflow later on."""
    todo: list[tuple[str, Any]] = [("", raw)]
    for path, value in todo:  # grows
        if isinstance(value, dict):
            todo += [(f"{path}.{key}" if path else key, each) for key, each in value.items()]
        elif isinstance(value, list):
            todo += [(f"{path}[{i}]", each) for i, each in enumerate(value)]
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ValueError(f"{path[:200]} = {str(value)[:20]}…: must fit into 64 bits, or have a decimal point")
