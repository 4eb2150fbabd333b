"""Numbers of bins, as a user names them."""

from typing import Any

import numpy as np

from cevns_fast import _validate as validate


def bins_of(name: str, bins: Any, n: int) -> tuple[int, ...]:
    """Numbers of bins, in order, from numbers or from a mask."""
    try:
        raw = np.asarray(None if isinstance(bins, str | bytes) else validate.plain(name, bins))
    except ValueError:  # ragged
        raw = np.asarray(None)
    if raw.dtype == bool and raw.shape == (n,):
        return tuple(np.flatnonzero(raw).tolist())
    if raw.ndim != 1 or (raw.size and raw.dtype.kind not in "iu"):
        raise ValueError(f"{name} = {bins!r}: must be numbers of bins, or a mask of {n} booleans")
    found = tuple(sorted(raw.tolist()))
    if found and not 0 <= found[0] <= found[-1] < n:
        raise ValueError(f"{name} = {found}: must be from 0 to {n - 1}")
    if len(set(found)) < len(found):
        raise ValueError(f"{name} = {found}: each may be there once")
    return tuple(int(i) for i in found)
