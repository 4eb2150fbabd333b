"""χ² profiled over normalisations, alone and along a line in coupling space.

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


_GOLDEN = 0.6180339887498949


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
def triangle(vectors: Floats, rows: int, out: Floats) -> None:
    """R of the QR decomposition of vectors[k, :rows], in out[row, k]; modified Gram–Schmidt, in the vectors' place.

    Any combination of the vectors keeps its length when their columns of R take their place, and the rows are few.
    With the data as the last vector this is backward stable, however parallel the others are.
    """
    count = vectors.shape[0]
    for i in range(count):
        for j in range(i):
            out[i, j] = 0.0
        norm = 0.0
        for r in range(rows):
            norm += vectors[i, r] * vectors[i, r]
        norm = np.sqrt(norm)
        out[i, i] = norm
        inverse = 1.0 / norm if norm > 0.0 else 0.0
        for r in range(rows):
            vectors[i, r] *= inverse
        for j in range(i + 1, count):
            overlap = 0.0
            for r in range(rows):
                overlap += vectors[i, r] * vectors[j, r]
            out[i, j] = overlap
            for r in range(rows):
                vectors[j, r] -= overlap * vectors[i, r]


@njit
def _reduce(fixed: Fixed, terms: Floats, mass: int, vectors: Floats, triangles: Floats) -> None:
    """Triangles of all systems, whose columns are the powers of x, highest first, and the data."""
    n_terms = terms.shape[1]
    for system in range(len(fixed.scale_variance)):
        start, stop = fixed.first_row[system], fixed.first_row[system + 1]
        for r in range(stop - start):
            for k in range(n_terms):  # the highest power first: it dominates far out
                vectors[k, r] = terms[mass, n_terms - 1 - k, start + r]
            vectors[n_terms, r] = fixed.data[start + r]
        triangle(vectors, stop - start, triangles[system])


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
def _row(triangles: Floats, system: int, r: int, x: float) -> float:
    """One row of the reduced prediction: columns are powers of x, highest first, from the diagonal on."""
    value = 0.0
    for k in range(r, triangles.shape[2] - 1):
        value = value * x + triangles[system, r, k]
    return value


@njit
def _fixed_along(x: float, triangles: Floats, scale_variance: Floats) -> float:
    """χ² of the reduced systems where the predictions are polynomials in x."""
    total, top = 0.0, triangles.shape[2] - 1
    for system in range(len(scale_variance)):
        dn, nn = 0.0, 0.0
        for r in range(top):
            value = _row(triangles, system, r, x)
            dn += triangles[system, r, top] * value
            nn += value * value
        s = (scale_variance[system] * dn + 1.0) / (scale_variance[system] * nn + 1.0)
        for r in range(top):
            value = _row(triangles, system, r, x)
            total += (triangles[system, r, top] - s * value) ** 2
        total += triangles[system, top, top] ** 2
        if scale_variance[system] > 0.0:
            total += (s - 1.0) ** 2 / scale_variance[system]
    return total


@njit
def _predicted_along(x: float, predicted: Predicted, terms: Floats, mass: int, counts: Floats, work: Floats) -> float:
    """χ² of the systems whose variance is predicted, where the predictions are polynomials in x."""
    total = 0.0
    for b in range(len(predicted.data)):
        value = 0.0
        for k in range(terms.shape[1] - 1, -1, -1):
            value = value * x + terms[mass, k, b]
        counts[b] = value
    for system in range(len(predicted.scale_variance)):
        total += predicted_chi2(system, predicted, counts, work)
    return total


@njit
def limits(
    fixed: Fixed,
    fixed_terms: Floats,
    predicted: Predicted,
    predicted_terms: Floats,
    scale: Floats,
    threshold: float,
    grid: Floats,
    start: int,
    stop: int,
    lows: Floats,
    highs: Floats,
    summary: Floats,
) -> None:
    """Where χ² − min χ² <= threshold along one coupling, for masses start … stop − 1.

    `lows`, `highs` receive the intervals of each mass; summary[mass] = (intervals, best coupling, min χ²). The grid,
    in units of `scale`, is fine enough to see every extremum of a low-degree rational function; extrema are refined,
    and crossings bisected to the last bit.
    """
    n, n_terms = len(grid), fixed_terms.shape[1]
    n_predicted, n_columns = len(predicted.data), predicted.column.shape[0]
    n_fixed = len(fixed.scale_variance)
    vectors = np.empty((n_terms + 1, len(fixed.data)))
    triangles = np.empty((n_fixed, n_terms + 1, n_terms + 1))
    counts, work = np.empty(n_predicted), np.empty((n_columns + 2, n_predicted + n_columns))
    gx, gy, x, y = np.empty(n), np.empty(n), np.empty(2 * n), np.empty(2 * n)
    for mass in range(start, stop):
        _reduce(fixed, fixed_terms, mass, vectors, triangles)
        for i in range(n):
            gx[i] = grid[i] * scale[mass]
            gy[i] = _fixed_along(gx[i], triangles, fixed.scale_variance)
            if n_predicted > 0:
                gy[i] += _predicted_along(gx[i], predicted, predicted_terms, mass, counts, work)
        count = 0
        for i in range(n):
            x[count], y[count] = gx[i], gy[i]
            count += 1
            if not (0 < i < n - 1) or (gy[i] - gy[i - 1]) * (gy[i + 1] - gy[i]) > 0.0:
                continue
            if max(abs(gy[i] - gy[i - 1]), abs(gy[i + 1] - gy[i])) < 1e-12 * (1.0 + abs(gy[i])):
                continue  # a plateau: its extrema are rounding
            # An extremum is near: golden section between the neighbours. Its first two points are c and d.
            sign = 1.0 if gy[i] < max(gy[i - 1], gy[i + 1]) else -1.0
            a, b = gx[i - 1], gx[i + 1]
            c, d = b - _GOLDEN * (b - a), a + _GOLDEN * (b - a)
            fc, fd, at = 0.0, 0.0, c
            for step in range(52):
                f = _fixed_along(at, triangles, fixed.scale_variance)
                if n_predicted > 0:
                    f += _predicted_along(at, predicted, predicted_terms, mass, counts, work)
                f *= sign
                if at == c:
                    fc = f
                else:
                    fd = f
                if step == 0:
                    at = d
                elif fc < fd:
                    b, d, fd = d, c, fc
                    c = b - _GOLDEN * (b - a)
                    at = c
                else:
                    a, c, fc = c, d, fd
                    d = a + _GOLDEN * (b - a)
                    at = d
            extremum = c if fc < fd else d
            x[count], y[count] = extremum, sign * min(fc, fd)
            if extremum < gx[i]:
                x[count - 1], y[count - 1], x[count], y[count] = x[count], y[count], x[count - 1], y[count - 1]
            count += 1
        best = 0
        for i in range(count):
            if y[i] < y[best] or (y[i] == y[best] and abs(x[i]) < abs(x[best])):
                best = i
        level = y[best] + threshold
        found = 0
        inside = y[0] <= level
        if inside:
            lows[mass, found] = -np.inf
        for i in range(1, count):
            if (y[i] <= level) == inside or found == lows.shape[1]:
                continue
            a, b = x[i - 1], x[i]
            middle = 0.5 * (a + b)
            while a < middle < b:
                f = _fixed_along(middle, triangles, fixed.scale_variance)
                if n_predicted > 0:
                    f += _predicted_along(middle, predicted, predicted_terms, mass, counts, work)
                if (f <= level) == inside:
                    a = middle
                else:
                    b = middle
                middle = 0.5 * (a + b)
            if inside:
                highs[mass, found] = a
                found += 1
            else:
                lows[mass, found] = b
            inside = not inside
        if inside and found < lows.shape[1]:
            highs[mass, found] = np.inf
            found += 1
        summary[mass, 0], summary[mass, 1], summary[mass, 2] = found, x[best], y[best]


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
