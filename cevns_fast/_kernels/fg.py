"""F_G of CLLS (A7)-(A13): the C kernel of ``fg.c`` for arrays. No validation."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cevns_fast._kernels.library import ffi, lib, read, written

__all__ = ["VARIANTS", "f_g", "f_g_value"]

Array = NDArray[np.float64]

VARIANTS = {"published": lib.FG_PUBLISHED, "corrected": lib.FG_CORRECTED}


def _tabulated(variant: int) -> Any:
    """Nodes and weights of the trapezoid rule."""
    table = ffi.new("double[]", 2 * lib.FG_NODES)
    lib.fg_tabulate(variant, table)
    return table


# Shared by all calls and threads; both take a tenth of a millisecond.
_TABLES = {name: _tabulated(variant) for name, variant in VARIANTS.items()}


def f_g(m_chi: Array, m_zprime: Array, m_q: Array, variant: str) -> Array:
    """F_G [MeV⁻⁴] of C-contiguous float64 arrays of one shape [MeV]; NaN for masses the C kernel refuses."""
    out = np.empty(m_chi.shape)
    lib.fg_evaluate(
        _TABLES[variant],
        read(m_chi),
        read(m_zprime),
        read(m_q),
        written(out),
        out.size,
    )
    return out


def f_g_value(m_chi: float, m_zprime: float, m_q: float, variant: str) -> float:
    """F_G of one set of masses."""
    return float(lib.fg_value(_TABLES[variant], m_chi, m_zprime, m_q))
