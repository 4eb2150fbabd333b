"""F_G of CLLS (A7)-(A13): the C kernel of ``fg.c`` for arrays. No validation."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cevns_fast._kernels.library import ffi, lib, read, written

__all__ = ["VARIANTS", "f_g", "f_g_value"]

Array = NDArray[np.float64]

VARIANTS = {"published": lib.FG_PUBLISHED, "corrected": lib.FG_CORRECTED}


@cache
def _table(variant: str) -> Any:
    """Nodes and weights of the trapezoid rule for `variant`, shared by all calls and threads."""
    table = ffi.new("double[]", 2 * lib.FG_NODES)
    lib.fg_tabulate(VARIANTS[variant], table)
    return table


def f_g(m_chi: Array, m_zprime: Array, m_q: Array, variant: str) -> Array:
    """F_G [MeV⁻⁴] of C-contiguous float64 arrays of one shape [MeV]; NaN for masses the C kernel refuses."""
    out = np.empty(m_chi.shape)
    lib.fg_evaluate(
        _table(variant),
        read(m_chi),
        read(m_zprime),
        read(m_q),
        written(out),
        out.size,
    )
    return out


def f_g_value(m_chi: float, m_zprime: float, m_q: float, variant: str) -> float:
    """F_G of one set of masses."""
    return float(lib.fg_value(_table(variant), m_chi, m_zprime, m_q))
