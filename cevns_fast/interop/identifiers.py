"""Parameters by names that Python can spell, and what samplers should know of them."""

import keyword
import math
import re
from typing import Any

from cevns_fast.likelihood.likelihood import Likelihood

# In standard deviations: beyond this the constraint of a nuisance leaves nothing.
_WIDEST_NUISANCE = 8.0


def identifiers(fit: Likelihood) -> dict[str, str]:
    """An identifier for each parameter."""
    found: dict[str, str] = {}
    for p in fit.parameters:
        name = re.sub(r"\W+", "_", p.name).strip("_") or "parameter"
        if name[0].isdigit() or keyword.iskeyword(name):
            name = f"_{name}"
        number, free = 1, name
        while free in found.values():
            number += 1
            free = f"{name}_{number}"
        found[p.name] = free
    return found


def bounds_of(fit: Likelihood) -> dict[str, Any]:
    """What cobaya should know of the parameters."""
    names, found = identifiers(fit), {}
    for p in fit.parameters:
        low, high = p.lower, p.upper
        if p.unit == "σ":
            low, high = max(low, -_WIDEST_NUISANCE), min(high, _WIDEST_NUISANCE)
        flat = {"prior": {"min": low, "max": high}} if math.isfinite(low) and math.isfinite(high) else None
        found[names[p.name]] = flat
    return found
