"""A likelihood of fewer numbers and the same χ².

Where the variance is fixed, nuisances that shift one experiment's counts by a constant are correlated Gaussian errors
of its bins; and rows that no signal can reach contribute a constant. Both are dealt with once, not at every evaluation.
"""

from collections.abc import Callable, Sequence

import numpy as np

from cevns_fast._kernels.likelihood import FIXED_VARIANCE, Layout, System
from cevns_fast._validate import Floats

Whitener = Callable[[Floats], Floats]  # of counts, bins along the last axis

# With more bins, a dense factor of their covariance costs more than everything else.
_MOST_DENSE = 64


def reduced(layout: Layout, systems: Sequence[System]) -> tuple[Layout, list[System]]:
    """A function of parameters with fewer nuisances and rows and the same values; bins lose their meaning."""
    layout, found, _ = whitened(layout, systems)
    return layout, [_compressed(s) if s.statistic == FIXED_VARIANCE and len(s.breaks) == 2 else s for s in found]


def whitened(layout: Layout, systems: Sequence[System]) -> tuple[Layout, list[System], list[Whitener]]:
    """The function with fewer nuisances, and what turned the counts of each experiment."""
    n = len(layout.nuisance_at)
    owners = [[i for i, s in enumerate(systems) if s.scale[k] or s.morph[k] or s.shift[k].any()] for k in range(n)]
    gone = [
        k
        for k in range(n)
        if layout.nuisance_at[k] < 0
        and len(owners[k]) == 1
        and not systems[owners[k][0]].scale[k]
        and not systems[owners[k][0]].morph[k]
        and systems[owners[k][0]].statistic == FIXED_VARIANCE
    ]
    kept = [k for k in range(n) if k not in gone]
    found, whiteners = [], []
    for i, s in enumerate(systems):
        whiten: Whitener = _as_it_is
        if s.statistic == FIXED_VARIANCE:
            mine = [k for k in gone if owners[k] == [i]]
            whiten = whitener(s.weight, s.shift[mine])
            s = _turned(s, whiten, layout.centre[mine] @ s.shift[mine])
        found.append(s._replace(scale=s.scale[kept], morph=[s.morph[k] for k in kept], shift=s.shift[kept]))
        whiteners.append(whiten)
    layout = layout._replace(
        nuisance_at=[layout.nuisance_at[k] for k in kept],
        centre=layout.centre[kept],
        offset=layout.offset[kept],
        mix=layout.mix[np.ix_(kept, kept)],
    )
    return layout, found, whiteners


def whitener(weight: Floats, columns: Floats) -> Whitener:
    """What gives counts unit covariance whose covariance is 1/weight on the diagonal and columnsᵀ columns.

    It is W with Wᵀ W the inverse of that. With many bins W is not made: scaled to unit variance, the columns have a
    thin singular value decomposition Q s Vᵀ, and the symmetric root of (1 + Q s² Qᵀ)⁻¹ is 1 − Q (1 − (1 + s²)^−½) Qᵀ.
    """
    if weight.size <= _MOST_DENSE:
        covariance = np.diag(1 / weight) + columns.T @ columns
        matrix = np.asarray(np.linalg.inv(np.linalg.cholesky(covariance)))
        return lambda counts: counts @ matrix.T
    scale = np.sqrt(weight)
    axes, s, _ = np.linalg.svd((columns * scale).T, full_matrices=False)
    root = np.sqrt(1 + s * s)
    taken = s / root * (s / (1 + root))  # 1 − 1/root without cancellation, and without overflow

    def whiten(counts: Floats) -> Floats:
        scaled = counts * scale
        return np.asarray(scaled - (scaled @ axes * taken) @ axes.T)

    return whiten


def _as_it_is(counts: Floats) -> Floats:
    """What is not whitened."""
    return counts


def _turned(s: System, whiten: Whitener, moved: Floats) -> System:
    """Unit variance, where the centres of nuisances that are gone have moved the data."""
    return s._replace(
        data=whiten(s.data - moved),
        weight=np.ones_like(s.weight),
        base=whiten(s.base),
        shift=whiten(s.shift),
        coefficients=whiten(s.coefficients),
    )


def _compressed(s: System) -> System:
    """Rotated into the space of everything that moves the expectation, and of the data."""
    tables = s.coefficients.reshape(-1, len(s.data))
    vectors = np.vstack([tables, s.shift, s.base, s.data])
    if len(vectors) >= len(s.data):
        return s
    rows = np.asarray(np.linalg.qr(vectors.T, mode="r")).T
    return s._replace(
        coefficients=np.ascontiguousarray(rows[: len(tables)]).reshape(*s.coefficients.shape[:4], -1),
        shift=rows[len(tables) : -2],
        base=rows[-2],
        data=rows[-1],
        weight=np.ones(rows.shape[1]),
        background=np.zeros(rows.shape[1]),
    )
