"""χ² profiled over normalisations.

A system is whitened: data and predictions are divided by their standard deviation, and nuisances that shift the
prediction by a constant column are projected out (`likelihood.py`). What is left is one scale s = 1 + α,

    χ² = min_s Σ_r (d_r − s n_r)² + ((s − 1)/σ_α)²,     s = (σ_α² d·n + 1)/(σ_α² n·n + 1),

summed as explicit residuals: d·d − … would cancel at large couplings. This file is self-contained, see rates.py.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cevns_fast._kernels.jit import njit

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Fixed(NamedTuple):
    """Systems whose variance does not depend on the prediction; rows of all systems side by side."""

    first_row: Integers  # [systems + 1]
    data: Floats  # [rows], whitened and projected
    scale_variance: Floats  # [systems], σ_α²; 0 where α does not scale the prediction


class Predicted(NamedTuple):
    """Systems whose variance is that of the prediction, BRX Eqs. (29), (30)."""

    first_bin: Integers  # [systems + 1]
    data: Floats  # [bins], counts
    floor: Floats  # [bins]: what the background adds to the variance
    shape_background: Floats  # [bins]: background that shares the relative shape uncertainty
    shape_variance: Floats  # [systems], σ_f²
    scale_variance: Floats  # [systems], σ_α²
    column: Floats  # [columns, bins]: constant shifts of the prediction, in counts per standard deviation


@njit
def scale_chi2(data: Floats, prediction: Floats, start: int, stop: int, scale_variance: float) -> tuple[float, float]:
    """χ² of rows start … stop − 1 of a whitened prediction, minimised over its scale; also the scale."""
    dn, nn = 0.0, 0.0
    for r in range(start, stop):
        dn += data[r] * prediction[r]
        nn += prediction[r] * prediction[r]
    s = (scale_variance * dn + 1.0) / (scale_variance * nn + 1.0)
    total = 0.0
    for r in range(start, stop):
        residual = data[r] - s * prediction[r]
        total += residual * residual
    if scale_variance > 0.0:
        total += (s - 1.0) ** 2 / scale_variance
    return total, s


@njit
def predicted_chi2(system: int, predicted: Predicted, counts: Floats, work: Floats) -> float:
    """χ² of one system whose variance follows its counts; work is float64[columns + 2, bins + columns]."""
    start, stop = predicted.first_bin[system], predicted.first_bin[system + 1]
    n_bins, n_columns = stop - start, predicted.column.shape[0]
    scale_variance = predicted.scale_variance[system]
    rows = n_bins + n_columns
    for v in range(n_columns + 2):
        for r in range(n_bins, rows):
            work[v, r] = 0.0
    for b in range(n_bins):
        at = start + b
        shape = counts[at] + predicted.shape_background[at]
        variance = counts[at] + predicted.floor[at] + predicted.shape_variance[system] * shape * shape
        if not variance > 0.0:
            return np.inf
        weight = 1.0 / np.sqrt(variance)
        work[0, b] = predicted.data[at] * weight
        work[1, b] = counts[at] * weight
        for c in range(n_columns):
            work[2 + c, b] = predicted.column[c, at] * weight
    for c in range(n_columns):  # Gram–Schmidt: remove each column, with its unit penalty, from all later vectors
        work[2 + c, n_bins + c] = 1.0
        norm = 0.0
        for r in range(rows):
            norm += work[2 + c, r] * work[2 + c, r]
        for v in range(n_columns + 2):
            if v < 2 or v > 2 + c:
                overlap = 0.0
                for r in range(rows):
                    overlap += work[v, r] * work[2 + c, r]
                for r in range(rows):
                    work[v, r] -= overlap / norm * work[2 + c, r]
    total: float = scale_chi2(work[0], work[1], 0, rows, scale_variance)[0]
    return total


@njit
def add_predicted(
    predicted: Predicted,
    terms: Floats,
    powers: Integers,
    outer: Floats,
    y: Floats,
    start: int,
    stop: int,
    out: Floats,
) -> None:
    """Add the χ² of systems whose variance is predicted at points (outer[i], y[j]), to out[i − start, j]."""
    n_terms, n_bins = terms.shape
    inner, n_columns = powers.shape[1] - 1, predicted.column.shape[0]
    counts, work = np.empty(n_bins), np.empty((n_columns + 2, n_bins + n_columns))
    row = np.empty((3, n_bins))
    for i in range(start, stop):
        for k in range(3):
            for b in range(n_bins):
                row[k, b] = 0.0
        for t in range(n_terms):
            factor = 1.0
            for c in range(inner):
                for _ in range(powers[t, c]):
                    factor *= outer[i, c]
            for b in range(n_bins):
                row[powers[t, inner], b] += factor * terms[t, b]
        for j in range(len(y)):
            for b in range(n_bins):
                counts[b] = (row[2, b] * y[j] + row[1, b]) * y[j] + row[0, b]
            for system in range(len(predicted.scale_variance)):
                out[i - start, j] += predicted_chi2(system, predicted, counts, work)
