"""Numbers of an independent calculation, with their inputs; tests/reference/test_general.py says what they are."""

import json
from pathlib import Path

VALUES = json.loads((Path(__file__).parents[1] / "reference" / "general_check_values.json").read_text(encoding="utf-8"))


def value(name):
    """One of them, or several by key."""
    return VALUES[name]["value"]
