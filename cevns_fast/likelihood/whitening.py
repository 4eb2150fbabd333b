"""A likelihood of fewer numbers and the same χ².

Where the variance is fixed, nuisances that shift one experiment's counts by a constant are correlated Gaussian errors
of its bins; and rows that no signal can reach contribute a constant. Both are dealt with once, not at every evaluation.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from cevns_fast._kernels.likelihood import FIXED_VARIANCE, Layout, System
from cevns_fast._validate import Floats

Whitener = Callable[[Floats], Floats]  # of counts, bins along the last axis


def reduced(layout: Layout, systems: Sequence[System]) -> tuple[Layout, list[System]]:
    """A function of parameters with fewer nuisances and rows and the same values; bins lose their meaning."""
    layout, found, _ = whitened(layout, systems)
    return layout, [_compressed(s) if s.statistic == FIXED_VARIANCE and len(s.breaks) == 2 else s for s in found]


def whitened(layout: Layout, systems: Sequence[System]) -> tuple[Layout, list[System], list[Whitener]]:
    """The function with fewer nuisances, and what turned the counts of each experiment."""
    kept = _kept(layout, systems)
    owners = _owners(layout, systems)
    gone = [k for k in range(len(owners)) if k not in kept]
    found, whiteners = [], []
    for i, s in enumerate(systems):
        whiten: Whitener = _as_it_is
        if s.statistic == FIXED_VARIANCE:
            mine = [k for k in gone if owners[k] == [i]]
            whiten = whitener(s.weight, s.shift[mine])
            s = _turned(s, whiten, layout.centre[mine] @ s.shift[mine])
        found.append(
            s._replace(
                scale=s.scale[kept],
                morph=[s.morph[k] for k in kept],
                shift=s.shift[kept],
                terms=[t._replace(nuisance=_number_in(kept, t.nuisance)) for t in s.terms],
                factors=[f._replace(nuisance=_number_in(kept, f.nuisance)) for f in s.factors],
            )
        )
        whiteners.append(whiten)
    layout = layout._replace(
        nuisance_at=[layout.nuisance_at[k] for k in kept],
        centre=layout.centre[kept],
        offset=layout.offset[kept],
        mix=layout.mix[np.ix_(kept, kept)],
        strength=[layout.strength[k] for k in kept] if layout.strength else (),
    )
    return layout, found, whiteners


def _owners(layout: Layout, systems: Sequence[System]) -> list[list[int]]:
    """Which experiments each nuisance acts on."""
    return [
        [i for i, s in enumerate(systems) if s.scale[k] or s.morph[k] or s.shift[k].any()]
        for k in range(len(layout.nuisance_at))
    ]


def _kept(layout: Layout, systems: Sequence[System]) -> list[int]:
    """Nuisances that are more than correlated errors of one experiment's bins."""
    owners = _owners(layout, systems)
    curved = {t.nuisance for s in systems for t in s.terms} | {f.nuisance for s in systems for f in s.factors}
    curved |= {k for k, strength in enumerate(layout.strength) if strength == 0}
    return [
        k
        for k, mine in enumerate(owners)
        if layout.nuisance_at[k] >= 0
        or k in curved
        or len(mine) != 1
        or systems[mine[0]].scale[k]
        or systems[mine[0]].morph[k]
        or systems[mine[0]].statistic != FIXED_VARIANCE
    ]


class Thrown(NamedTuple):
    """A likelihood of fewer numbers for toys, and what turns expectations into those of its data."""

    layout: Layout
    systems: list[System]
    hidden: Floats  # [experiments] rows that nothing predicts, of unit variance
    kept: list[int]  # nuisances
    turn: Callable[[Sequence[Floats], Floats], list[Floats]]  # of expected counts, at pulls of all nuisances


def for_toys(layout: Layout, systems: Sequence[System]) -> Thrown:
    """The same function of parameters and data with fewer nuisances and rows.

    Data whose variance is fixed, thrown around a prediction, and auxiliary measurements of nuisances that are gone
    make whitened data of unit variance around the whitened prediction; a rotation leaves them so, and the rows that
    nothing predicts are apart.
    """
    shorter, found, whiteners = whitened(layout, systems)
    kept = _kept(layout, systems)
    gone = [k for k in range(len(layout.nuisance_at)) if k not in kept]
    axes: list[Floats | None] = []
    hidden = np.zeros(len(systems))
    for i, s in enumerate(found):
        axes.append(None)
        if s.statistic != FIXED_VARIANCE or len(s.breaks) != 2:
            continue
        tables = s.coefficients.reshape(-1, len(s.data))
        vectors = np.vstack([tables, s.shift, *(t.values for t in s.terms), s.base])
        if len(vectors) >= len(s.data):
            continue
        Q = np.linalg.qr(vectors.T)[0]
        axes[i], hidden[i] = Q, Q.shape[0] - Q.shape[1]
        found[i] = s._replace(
            coefficients=np.ascontiguousarray(s.coefficients @ Q),
            shift=s.shift @ Q,
            terms=[t._replace(values=t.values @ Q) for t in s.terms],
            base=s.base @ Q,
            data=s.data @ Q,
            weight=np.ones(Q.shape[1]),
            background=np.zeros(Q.shape[1]),
        )

    def turn(means: Sequence[Floats], pulls: Floats) -> list[Floats]:
        turned = []
        for mean, s, whiten, Q in zip(means, systems, whiteners, axes, strict=True):
            there = whiten(mean - pulls[gone] @ s.shift[gone]) if s.statistic == FIXED_VARIANCE else mean
            turned.append(there if Q is None else there @ Q)
        return turned

    return Thrown(shorter, found, hidden, kept, turn)


def whitener(weight: Floats, columns: Floats) -> Whitener:
    """What gives counts unit covariance whose covariance is 1/weight on the diagonal and columnsᵀ columns.

    It is W with Wᵀ W the inverse of that, which is not made: it would lose the digits that free nuisances have more of
    than the counts. Scaled to unit variance, the columns have a thin singular value decomposition Q s Vᵀ, and the
    symmetric root of (1 + Q s² Qᵀ)⁻¹ is 1 − Q (1 − (1 + s²)^−½) Qᵀ.
    """
    scale = np.sqrt(weight)
    axes, s, _ = np.linalg.svd((columns * scale).T, full_matrices=False)
    root = np.sqrt(1 + s * s)
    taken = s / root * (s / (1 + root))  # 1 − 1/root without cancellation, and without overflow

    def whiten(counts: Floats) -> Floats:
        scaled = counts * scale
        return np.asarray(scaled - (scaled @ axes * taken) @ axes.T)

    return whiten


def _number_in(kept: Sequence[int], nuisance: int) -> int:
    """The number of a nuisance among those that are kept; −1 for none."""
    return kept.index(nuisance) if nuisance >= 0 else nuisance


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
        terms=[t._replace(values=whiten(t.values)) for t in s.terms],
    )


def _compressed(s: System) -> System:
    """Rotated into the space of everything that moves the expectation, and of the data."""
    tables = s.coefficients.reshape(-1, len(s.data))
    vectors = np.vstack([tables, s.shift, *(t.values for t in s.terms), s.base, s.data])
    moves = vectors.any(axis=1)
    if np.count_nonzero(moves) >= len(s.data):
        return s
    rows = np.zeros((len(vectors), np.count_nonzero(moves)))
    rows[moves] = np.asarray(np.linalg.qr(vectors[moves].T, mode="r")).T
    return s._replace(
        coefficients=np.ascontiguousarray(rows[: len(tables)]).reshape(*s.coefficients.shape[:4], -1),
        shift=rows[len(tables) :][: len(s.shift)],
        terms=[t._replace(values=row) for t, row in zip(s.terms, rows[len(tables) + len(s.shift) :], strict=False)],
        base=rows[-2],
        data=rows[-1],
        weight=np.ones(rows.shape[1]),
        background=np.zeros(rows.shape[1]),
    )
