"""F_G of CLLS (A7)-(A13): the C kernel of ``fg.c`` for arrays. No validation."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from cevns_fast._kernels._fg import ffi, lib

__all__ = ["VARIANTS", "f_g"]

Array = NDArray[np.float64]

VARIANTS = {"published": lib.FG_PUBLISHED, "corrected": lib.FG_CORRECTED}


@cache
def _table(variant: str) -> Array:
    """Nodes and weights of the trapezoid rule for `variant`, shared by all calls and threads."""
    table = np.empty(2 * lib.FG_NODES)
    lib.fg_tabulate(VARIANTS[variant], ffi.from_buffer("double[]", table))
    table.flags.writeable = False
    return table


def f_g(m_chi: Array, m_zprime: Array, m_q: Array, variant: str) -> Array:
    """F_G [MeV⁻⁴] of C-contiguous float64 arrays of one shape [MeV]; NaN for masses the C kernel refuses."""
    out = np.empty(m_chi.shape)
    lib.fg_evaluate(
        ffi.from_buffer("double[]", _table(variant)),
        ffi.from_buffer("double[]", m_chi),
        ffi.from_buffer("double[]", m_zprime),
        ffi.from_buffer("double[]", m_q),
        ffi.from_buffer("double[]", out, require_writable=True),
        out.size,
    )
    return out
