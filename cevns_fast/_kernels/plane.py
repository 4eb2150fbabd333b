"""χ² over grids of couplings, and minimised over further ones.

Counts are polynomials of degree two in each coupling, so along the last axis a whitened prediction is
n₀ + n₁ y + n₂ y². The vectors n₂, n₁, n₀ and the data are reduced to a 4 × 4 triangle once a row: the cost of a point
depends neither on the number of bins nor on that of terms, and explicit residuals keep every digit at couplings far
beyond the bound. This file is self-contained, see rates.py.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cevns_fast._kernels.jit import njit

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Problem(NamedTuple):
    """Whitened polynomials of several systems (see profile.py), reduced to as many rows as they have terms."""

    terms: Floats  # [systems, terms, rows]
    data: Floats  # [systems, rows]
    scale_variance: Floats  # [systems], σ_α²
    powers: Integers  # [terms, couplings]


@njit
def _triangle(vectors, R):
    """R of vectors[4, rows], by modified Gram–Schmidt in the vectors' place: data last keeps it backward stable."""
    count, rows = vectors.shape
    for i in range(count):
        norm = 0.0
        for r in range(rows):
            norm += vectors[i, r] * vectors[i, r]
        norm = math.sqrt(norm)
        R[i, i] = norm
        inverse = 1.0 / norm if norm > 0.0 else 0.0
        for r in range(rows):
            vectors[i, r] *= inverse
        for j in range(i + 1, count):
            overlap = 0.0
            for r in range(rows):
                overlap += vectors[i, r] * vectors[j, r]
            R[i, j] = overlap
            for r in range(rows):
                vectors[j, r] -= overlap * vectors[i, r]


@njit
def _row_vectors(problem, system, point, inner, vectors):
    """n₂, n₁, n₀ along coupling `inner` with the others at `point`, and the data."""
    terms = problem.terms[system]
    for r in range(terms.shape[1]):
        vectors[0, r], vectors[1, r], vectors[2, r] = 0.0, 0.0, 0.0
        vectors[3, r] = problem.data[system, r]
    for t in range(terms.shape[0]):
        factor = 1.0
        for c in range(len(point)):
            if c != inner:
                for _ in range(problem.powers[t, c]):
                    factor *= point[c]
        target = 2 - problem.powers[t, inner]
        for r in range(terms.shape[1]):
            vectors[target, r] += factor * terms[t, r]


@njit(fastmath={"contract"})
def _fill_row(R, scale_variance, y, out):
    """χ² along a row."""
    a2, a1, a0, d0 = R[0, 0], R[0, 1], R[0, 2], R[0, 3]
    b1, b0, d1 = R[1, 1], R[1, 2], R[1, 3]
    c0, d2 = R[2, 2], R[2, 3]
    rest = R[3, 3] * R[3, 3]
    inverse = 1.0 / scale_variance if scale_variance > 0.0 else 0.0
    for j in range(len(y)):
        n0 = (a2 * y[j] + a1) * y[j] + a0
        n1 = b1 * y[j] + b0
        dn = d0 * n0 + d1 * n1 + d2 * c0
        nn = n0 * n0 + n1 * n1 + c0 * c0
        s = (scale_variance * dn + 1.0) / (scale_variance * nn + 1.0)
        e0, e1, e2 = d0 - s * n0, d1 - s * n1, d2 - s * c0
        out[j] = e0 * e0 + e1 * e1 + e2 * e2 + rest + (s - 1.0) * (s - 1.0) * inverse


@njit
def fill(problem, outer, y, start, stop, out):
    """χ² at points (outer[i], y[j]) for i = start … stop − 1, into out[i − start, j]."""
    rows = problem.terms.shape[2]
    vectors, R, extra = np.empty((4, rows)), np.zeros((4, 4)), np.empty(len(y))
    inner = problem.powers.shape[1] - 1
    point = np.empty(inner + 1)
    for i in range(start, stop):
        for c in range(inner):
            point[c] = outer[i, c]
        for system in range(len(problem.scale_variance)):
            _row_vectors(problem, system, point, inner, vectors)
            _triangle(vectors, R)
            if system == 0:
                _fill_row(R, problem.scale_variance[system], y, out[i - start])
            else:
                _fill_row(R, problem.scale_variance[system], y, extra)
                for j in range(len(y)):
                    out[i - start, j] += extra[j]


@njit
def real_roots(c, roots):
    """Real roots with a change of sign of Σ c[k] x^k, in increasing order; their number.

    Roots of each derivative separate those of the one before, so every bracket holds exactly one.
    """
    degree = len(c) - 1
    largest = 0.0
    for k in range(degree + 1):
        largest = max(largest, abs(c[k]))
    while degree > 0 and abs(c[degree]) <= 1e-300 + 1e-17 * largest:
        degree -= 1
    if degree == 0:
        return 0
    bound = 0.0
    for k in range(degree):
        bound = max(bound, abs(c[k] / c[degree]))
    bound += 1.0
    poly, edges = np.empty(degree + 1), np.empty(degree + 2)
    found = 0
    for level in range(1, degree + 1):  # the derivative of order degree − level, of degree `level`
        for k in range(level + 1):
            value = c[k + degree - level]
            for i in range(degree - level):
                value *= k + 1 + i
            poly[k] = value
        edges[0] = -bound
        for k in range(found):
            edges[k + 1] = roots[k]
        edges[found + 1] = bound
        n_edges, found = found + 2, 0
        for e in range(n_edges - 1):
            a, b = edges[e], edges[e + 1]
            fa, fb = _polynomial(poly, level, a), _polynomial(poly, level, b)
            if fa == 0.0 and e > 0 or fa * fb >= 0.0:
                continue
            # Illinois' regula falsi inside a shrinking bracket, bisecting when it stalls.
            for step in range(200):
                x = (a * fb - b * fa) / (fb - fa) if step % 3 < 2 else 0.5 * (a + b)
                if not a < x < b:
                    x = 0.5 * (a + b)
                if x <= a or x >= b:
                    break
                fx = _polynomial(poly, level, x)
                if fx == 0.0:
                    a, b = x, x
                    break
                if (fx < 0.0) == (fa < 0.0):
                    a, fa = x, fx
                else:
                    b, fb = x, fx
            roots[found] = 0.5 * (a + b)
            found += 1
    return found


@njit
def _polynomial(c, degree, x):
    """Horner."""
    value = c[degree]
    for k in range(degree - 1, -1, -1):
        value = value * x + c[k]
    return value


@njit
def _line(problem, z, direction, coefficients):
    """Counts along z + t direction: coefficients[system, power 0 … 2, rows], exact for quadratic counts."""
    n_systems, n_terms, rows = problem.terms.shape
    for system in range(n_systems):
        for k in range(3):
            for r in range(rows):
                coefficients[system, k, r] = 0.0
    for t in range(n_terms):
        f0, f1, f2 = 1.0, 0.0, 0.0  # the monomial as a polynomial in t
        for c in range(len(z)):
            for _ in range(problem.powers[t, c]):
                f0, f1, f2 = f0 * z[c], f1 * z[c] + f0 * direction[c], f2 * z[c] + f1 * direction[c]
        for system in range(n_systems):
            for r in range(rows):
                value = problem.terms[system, t, r]
                coefficients[system, 0, r] += f0 * value
                coefficients[system, 1, r] += f1 * value
                coefficients[system, 2, r] += f2 * value


@njit
def _chi2_on_line(problem, coefficients, t):
    """χ² at a point of a line."""
    total, rows = 0.0, problem.terms.shape[2]
    for system in range(len(problem.scale_variance)):
        dn, nn = 0.0, 0.0
        for r in range(rows):
            n = (coefficients[system, 2, r] * t + coefficients[system, 1, r]) * t + coefficients[system, 0, r]
            dn += problem.data[system, r] * n
            nn += n * n
        variance = problem.scale_variance[system]
        s = (variance * dn + 1.0) / (variance * nn + 1.0)
        for r in range(rows):
            n = (coefficients[system, 2, r] * t + coefficients[system, 1, r]) * t + coefficients[system, 0, r]
            total += (problem.data[system, r] - s * n) ** 2
        if variance > 0.0:
            total += (s - 1.0) ** 2 / variance
    return total


@njit
def _stationary(problem, system, coefficients, roots):
    """Where one system's χ² is stationary on a line: roots of d·n' (1 + σ² n·n) − (1 + σ² d·n) n·n', of degree 4."""
    a, b, c = coefficients[system, 0], coefficients[system, 1], coefficients[system, 2]
    d, variance = problem.data[system], problem.scale_variance[system]
    aa = ab = ac = bb = bc = cc = da = db = dc = 0.0
    for r in range(len(d)):
        aa += a[r] * a[r]
        ab += a[r] * b[r]
        ac += a[r] * c[r]
        bb += b[r] * b[r]
        bc += b[r] * c[r]
        cc += c[r] * c[r]
        da += d[r] * a[r]
        db += d[r] * b[r]
        dc += d[r] * c[r]
    # In units in which the quadratic part is as large as the rest, or the coefficients span too many decades.
    scale = 1.0
    if cc > 0.0:
        scale = ((1.0 + aa + dc * dc / cc) / cc) ** 0.25
    elif bb > 0.0:
        scale = math.sqrt((1.0 + aa) / bb)
    b1, c1 = scale, scale * scale
    ab, ac, bb, bc, cc, db, dc = ab * b1, ac * c1, bb * c1, bc * b1 * c1, cc * c1 * c1, db * b1, dc * c1
    nn = (1.0 + variance * aa, variance * 2 * ab, variance * (bb + 2 * ac), variance * 2 * bc, variance * cc)
    dn = (1.0 + variance * da, variance * db, variance * dc)
    n_dn = (ab, bb + 2 * ac, 3 * bc, 2 * cc)
    poly = np.zeros(5)
    for i in range(5):
        poly[i] += db * nn[i]
        if i < 4:
            poly[i + 1] += 2 * dc * nn[i]
    for i in range(3):
        for j in range(4):
            if i + j < 5:
                poly[i + j] -= dn[i] * n_dn[j]
    count = real_roots(poly, roots)
    for k in range(count):
        roots[k] *= scale
    return count


@njit
def _minimise_line(problem, z, direction, coefficients, roots, nodes):
    """The best t on z + t direction: exact for one system, and from every system's own extrema for several."""
    _line(problem, z, direction, coefficients)
    n_systems = len(problem.scale_variance)
    nodes[0] = 0.0
    count = 1
    for system in range(n_systems):
        found = _stationary(problem, system, coefficients, roots)
        for k in range(found):
            nodes[count] = roots[k]
            count += 1
    best, lowest = 0.0, _chi2_on_line(problem, coefficients, 0.0)
    if n_systems == 1:
        for k in range(1, count):
            value = _chi2_on_line(problem, coefficients, nodes[k])
            if value < lowest:
                best, lowest = nodes[k], value
        return best, lowest
    nodes[:count].sort()
    span = max(nodes[count - 1] - nodes[0], 1e-300)
    previous = nodes[0] - span
    for k in range(count):  # a minimum of the sum lies between extrema of its parts
        a, b = previous, nodes[k + 1] if k + 1 < count else nodes[k] + span
        for _ in range(60):
            c, d = b - 0.6180339887498949 * (b - a), a + 0.6180339887498949 * (b - a)
            if _chi2_on_line(problem, coefficients, c) < _chi2_on_line(problem, coefficients, d):
                b = d
            else:
                a = c
        value = _chi2_on_line(problem, coefficients, 0.5 * (a + b))
        if value < lowest:
            best, lowest = 0.5 * (a + b), value
        previous = nodes[k]
    return best, lowest


@njit
def _newton_direction(problem, z, free, direction, coefficients):
    """Newton's direction in the free couplings if it descends, else the steepest descent; the slope along it.

    With the scale s profiled, ∂χ²/∂z = −2 s Σ e·∂n/∂z, e = d − s n.
    """
    k = len(free)
    rows = problem.terms.shape[2]
    gradient, hessian = np.zeros(k), np.zeros((k, k))
    first = np.empty((k, rows))
    n, second = np.empty(rows), np.empty((k, k, rows))
    axis = np.zeros(len(z))
    for system in range(len(problem.scale_variance)):
        for i in range(k):
            for j in range(i + 1):
                for c in range(len(z)):
                    axis[c] = 0.0
                axis[free[i]] = 1.0
                if j != i:
                    axis[free[j]] = 1.0
                _line(problem, z, axis, coefficients)
                for r in range(rows):
                    if i == j:
                        n[r] = coefficients[system, 0, r]
                        first[i, r] = coefficients[system, 1, r]
                    second[i, j, r] = 2.0 * coefficients[system, 2, r]
        for i in range(k):
            for j in range(i):
                for r in range(rows):
                    second[i, j, r] = 0.5 * (second[i, j, r] - second[i, i, r] - second[j, j, r])
                    second[j, i, r] = second[i, j, r]
        variance = problem.scale_variance[system]
        dn, nn = 0.0, 0.0
        for r in range(rows):
            dn += problem.data[system, r] * n[r]
            nn += n[r] * n[r]
        denominator = variance * nn + 1.0
        s = (variance * dn + 1.0) / denominator
        for i in range(k):
            slope = 0.0
            for r in range(rows):
                slope += (problem.data[system, r] - s * n[r]) * first[i, r]
            gradient[i] -= 2.0 * s * slope
            for j in range(k):
                s_j, nn_ij, n_i, curve, dn_j, nn_j = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
                for r in range(rows):
                    dn_j += problem.data[system, r] * first[j, r]
                    nn_j += n[r] * first[j, r]
                    nn_ij += first[i, r] * first[j, r]
                    n_i += n[r] * first[i, r]
                    curve += (problem.data[system, r] - s * n[r]) * second[i, j, r]
                s_j = variance * (dn_j - 2.0 * s * nn_j) / denominator
                hessian[i, j] -= 2.0 * (s_j * slope - s * (s * nn_ij + s_j * n_i) + s * curve)
    # Gaussian elimination with diagonal regularisation until the direction descends.
    size = 0.0
    for i in range(k):
        size = max(size, abs(hessian[i, i]))
    damping = 0.0
    for c in range(len(z)):
        direction[c] = 0.0
    for _ in range(20):
        A, b = hessian.copy(), -gradient
        for i in range(k):
            A[i, i] += damping
        positive = True
        for i in range(k):
            if A[i, i] <= 1e-14 * (size + 1e-300):
                positive = False
                break
            for j in range(i + 1, k):
                f = A[j, i] / A[i, i]
                for m in range(i, k):
                    A[j, m] -= f * A[i, m]
                b[j] -= f * b[i]
        if positive:
            for i in range(k - 1, -1, -1):
                value = b[i]
                for m in range(i + 1, k):
                    value -= A[i, m] * direction[free[m]]
                direction[free[i]] = value / A[i, i]
            break
        damping = max(4.0 * damping, 1e-3 * size)
    slope = 0.0
    for i in range(k):
        slope += gradient[i] * direction[free[i]]
    return slope


@njit
def _starting_directions(free, directions):
    """Rows: none, every axis of the free couplings, every diagonal of two of them; their number."""
    count = 1
    for i in range(len(free)):
        directions[count, free[i]] = 1.0
        count += 1
        for j in range(i):
            for sign in (1.0, -1.0):
                directions[count, free[i]], directions[count, free[j]] = 1.0, sign
                count += 1
    return count


@njit
def minimise(problem, z, free):
    """Minimise χ² over the couplings `free`, from z; leaves the best z there and gives the least χ².

    Starts: z itself, and the lowest points of the axes and diagonals through the origin of the free couplings. From
    each, Newton steps with an exact search along the line; one coupling needs the line alone.
    """
    n_systems, _, rows = problem.terms.shape
    coefficients, roots = np.empty((n_systems, 3, rows)), np.empty(8)
    nodes = np.empty(4 * n_systems + 2)
    k = len(free)
    start, trial, best, direction = z.copy(), z.copy(), z.copy(), np.zeros(len(z))
    starting = np.zeros((1 + k * k, len(z)))
    n_starts = _starting_directions(free, starting)
    lowest = np.inf
    for number in range(n_starts):
        if k == 1 and number == 0:
            continue
        for c in range(len(z)):
            trial[c], direction[c] = start[c], starting[number, c]
        if number > 0:
            for f in range(k):
                trial[free[f]] = 0.0
        t, value = _minimise_line(problem, trial, direction, coefficients, roots, nodes)
        steps = 0
        while True:
            for c in range(len(z)):
                trial[c] += t * direction[c]
            if k == 1 or steps == 60:
                break
            slope = _newton_direction(problem, trial, free, direction, coefficients)
            if not slope < -1e-15 * (1.0 + abs(value)):
                break
            t, lower = _minimise_line(problem, trial, direction, coefficients, roots, nodes)
            if not lower < value:
                break
            value = lower
            steps += 1
        if value < lowest:
            lowest = value
            for c in range(len(z)):
                best[c] = trial[c]
    for c in range(len(z)):
        z[c] = best[c]
    return lowest


@njit
def fill_profiled(problem, outer, y, free, start, stop, out):
    """χ² minimised over couplings `free`, the last ones, at points (outer[i], y[j])."""
    n_couplings = problem.powers.shape[1]
    inner = n_couplings - len(free) - 1
    z = np.zeros(n_couplings)
    for i in range(start, stop):
        for j in range(len(y)):
            for c in range(inner):
                z[c] = outer[i, c]
            z[inner] = y[j]
            for c in range(inner + 1, n_couplings):
                z[c] = 0.0
            out[i - start, j] = minimise(problem, z, free)
