"""A likelihood of fewer numbers and the same χ².

Where the variance is fixed, nuisances that shift one experiment's counts by a constant are correlated Gaussian errors
of its bins; and rows that no signal can reach contribute a constant. Both are dealt with once, not at every evaluation.
"""

from collections.abc import Sequence

import numpy as np

from cevns_fast._kernels.likelihood import FIXED_VARIANCE, Layout, System
from cevns_fast._validate import Floats


def reduced(layout: Layout, systems: Sequence[System]) -> tuple[Layout, list[System]]:
    """The same function of the parameters with fewer nuisances and rows; bins lose their meaning."""
    layout, found, _ = whitened(layout, systems)
    return layout, [_compressed(s) if s.statistic == FIXED_VARIANCE and len(s.breaks) == 2 else s for s in found]


def whitened(layout: Layout, systems: Sequence[System]) -> tuple[Layout, list[System], list[Floats]]:
    """The same with fewer nuisances, and the matrices that turned the counts of each experiment."""
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
    found, matrices = [], []
    for i, s in enumerate(systems):
        matrix = np.eye(len(s.data))
        if s.statistic == FIXED_VARIANCE:
            mine = [k for k in gone if owners[k] == [i]]
            s, matrix = _whitened(s, s.shift[mine], layout.centre[mine])
        found.append(s._replace(scale=s.scale[kept], morph=[s.morph[k] for k in kept], shift=s.shift[kept]))
        matrices.append(matrix)
    layout = layout._replace(
        nuisance_at=[layout.nuisance_at[k] for k in kept],
        centre=layout.centre[kept],
        offset=layout.offset[kept],
        mix=layout.mix[np.ix_(kept, kept)],
    )
    return layout, found, matrices


def _whitened(s: System, columns: Floats, centre: Floats) -> tuple[System, Floats]:
    """Unit variance, with the columns in the covariance, and the matrix that does it."""
    covariance = np.diag(1 / s.weight) + columns.T @ columns
    whiten = np.asarray(np.linalg.inv(np.linalg.cholesky(covariance)))
    return s._replace(
        data=whiten @ (s.data - centre @ columns),
        weight=np.ones_like(s.weight),
        base=whiten @ s.base,
        shift=s.shift @ whiten.T,
        coefficients=s.coefficients @ whiten.T,
    ), whiten


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
