"""χ² minimised over couplings, at many values of others.

Counts are polynomials of degree two in the couplings, so along any line a whitened prediction is n₀ + n₁ t + n₂ t².
The vectors n₂, n₁, n₀ and the data are reduced to a 4 × 4 triangle once a line, and a step of a minimisation is such a
line: its cost depends neither on the number of bins nor on that of terms, and sums of squares keep every digit at
couplings far beyond the bound. This file is self-contained: numba looks no further for what has changed.
"""

import math
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cevns_fast._kernels.jit import njit

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_GOLDEN = 0.6180339887498949
_BETWEEN = 6  # points tried between two extrema of a sum's parts
_STEPS = 60  # Newton steps from one start: quadratic convergence needs a few
_ROUNDS = 10  # searches from a new best point


class Problem(NamedTuple):
    """Whitened polynomials of several systems, reduced to as many rows as they have terms."""

    terms: Floats  # [systems, terms, rows]
    data: Floats  # [systems, rows]
    scale_variance: Floats  # [systems], σ_α²
    powers: Integers  # [terms, couplings]; the constant is among them


@njit
def _triangle(vectors: Floats, R: Floats) -> None:
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
def _vectors(problem: Problem, system: int, z: Floats, direction: Floats, vectors: Floats) -> None:
    """n₂, n₁, n₀ along z + t direction, of one system."""
    n_terms, rows = problem.terms.shape[1], problem.terms.shape[2]
    for r in range(rows):
        vectors[0, r], vectors[1, r], vectors[2, r] = 0.0, 0.0, 0.0
    for t in range(n_terms):
        f0, f1, f2 = 1.0, 0.0, 0.0  # the monomial as a polynomial in t
        for c in range(len(z)):
            for _ in range(problem.powers[t, c]):
                f2 = f2 * z[c] + f1 * direction[c]
                f1 = f1 * z[c] + f0 * direction[c]
                f0 *= z[c]
        for r in range(rows):
            value = problem.terms[system, t, r]
            vectors[0, r] += f2 * value
            vectors[1, r] += f1 * value
            vectors[2, r] += f0 * value


@njit
def _line(problem: Problem, system: int, z: Floats, direction: Floats, vectors: Floats, R: Floats) -> None:
    """The triangle of n₂, n₁, n₀ along z + t direction and the data, of one system."""
    _vectors(problem, system, z, direction, vectors)
    for r in range(vectors.shape[1]):
        vectors[3, r] = problem.data[system, r]
    _triangle(vectors, R)


@njit
def real_roots(c: Floats, degree: int, roots: Floats) -> int:
    """Real roots of Σ c[k] x^k at which its sign changes, in increasing order; their number.

    Roots of each derivative separate those of the one before, so every bracket holds at most one.
    """
    largest = 0.0
    for k in range(degree + 1):
        largest = max(largest, abs(c[k]))
    while degree > 0 and abs(c[degree]) <= 1e-17 * largest:
        degree -= 1
    if degree == 0:
        return 0
    bound = 0.0
    for k in range(degree):
        bound = max(bound, abs(c[k] / c[degree]))
    bound += 1.0  # Cauchy's
    found = 0
    for level in range(1, degree + 1):  # the derivative of order degree − level, of degree `level`
        order, known, found = degree - level, found, 0
        a, (fa, _) = -bound, _derivative_at(c, degree, order, -bound)
        above = roots[0]
        for edge in range(known + 1):
            b = above if edge < known else bound
            if edge + 1 < known:
                above = roots[edge + 1]  # before a root of this level takes its place
            fb, _ = _derivative_at(c, degree, order, b)
            if (fa < 0.0 < fb) or (fb < 0.0 < fa):
                roots[found] = _bracketed_root(c, degree, order, a, b, fa < 0.0)
                found += 1
            a, fa = b, fb
    return found


@njit
def _derivative_at(c: Floats, degree: int, order: int, x: float) -> tuple[float, float]:
    """The derivative of that order of Σ c[k] x^k, and the next one, both over order!."""
    value, slope = 0.0, 0.0
    for k in range(degree, order - 1, -1):
        factor = c[k]  # times the binomial coefficient (k over order)
        for i in range(order):
            factor *= (k - i) / (i + 1.0)
        slope = slope * x + value
        value = value * x + factor
    return value, slope


@njit
def _bracketed_root(c: Floats, degree: int, order: int, a: float, b: float, rising: bool) -> float:
    """Newton's iteration in a shrinking bracket, bisecting when it leaves or dawdles."""
    x = 0.5 * (a + b)
    for step in range(200):
        f, slope = _derivative_at(c, degree, order, x)
        if (f < 0.0) == rising:
            a = x
        else:
            b = x
        moved = x - f / slope if slope != 0.0 else a
        if not a < moved < b or step % 8 == 7:
            moved = 0.5 * (a + b)
        if abs(moved - x) <= 1e-16 * abs(x) or f == 0.0:
            break
        x = moved
    return x


@njit
def _chi2_on_line(triangles: Floats, scale_variance: Floats, t: float) -> float:
    """χ² of all systems at a point of a line."""
    total = 0.0
    for system in range(len(scale_variance)):
        R, variance = triangles[system], scale_variance[system]
        n0, n1, n2 = (R[0, 0] * t + R[0, 1]) * t + R[0, 2], R[1, 1] * t + R[1, 2], R[2, 2]
        s = variance * (R[0, 3] * n0 + R[1, 3] * n1 + R[2, 3] * n2) + 1.0
        s /= variance * (n0 * n0 + n1 * n1 + n2 * n2) + 1.0
        total += (R[0, 3] - s * n0) ** 2 + (R[1, 3] - s * n1) ** 2 + (R[2, 3] - s * n2) ** 2 + R[3, 3] ** 2
        if variance > 0.0:
            total += (s - 1.0) ** 2 / variance
    return total


@njit
def _extrema(R: Floats, variance: float, poly: Floats, roots: Floats) -> int:
    """Where one system's χ² is stationary on a line: roots of d·n' (1 + σ² n·n) − (1 + σ² d·n) n·n', of degree 4."""
    aa, ab, ac, bb, bc, cc, da, db, dc = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for r in range(3):  # n = a + b t + c t²
        a, b, c, d = R[r, 2], R[r, 1], R[r, 0], R[r, 3]
        aa, ab, ac, bb, bc, cc = aa + a * a, ab + a * b, ac + a * c, bb + b * b, bc + b * c, cc + c * c
        da, db, dc = da + d * a, db + d * b, dc + d * c
    # In units of t in which the parts of n are alike, or the coefficients span too many decades.
    unit = 1.0
    if cc > 0.0:
        unit = ((1.0 + aa + dc * dc / cc) / cc) ** 0.25
    elif bb > 0.0:
        unit = math.sqrt((1.0 + aa) / bb)
    unit2 = unit * unit
    ab, ac, bb, db, dc = ab * unit, ac * unit2, bb * unit2, db * unit, dc * unit2
    bc, cc = bc * unit2 * unit, cc * unit2 * unit2
    v = variance
    q0, q1, q2, q3, q4 = 1.0 + v * aa, 2.0 * v * ab, v * (bb + 2.0 * ac), 2.0 * v * bc, v * cc  # 1 + σ² n·n
    p0, p1, p2 = 1.0 + v * da, v * db, v * dc  # 1 + σ² d·n
    m0, m1, m2, m3 = ab, bb + 2.0 * ac, 3.0 * bc, 2.0 * cc  # n·n'
    poly[0] = db * q0 - p0 * m0
    poly[1] = db * q1 + 2.0 * dc * q0 - p0 * m1 - p1 * m0
    poly[2] = db * q2 + 2.0 * dc * q1 - p0 * m2 - p1 * m1 - p2 * m0
    poly[3] = db * q3 + 2.0 * dc * q2 - p0 * m3 - p1 * m2 - p2 * m1
    poly[4] = db * q4 + 2.0 * dc * q3 - p1 * m3 - p2 * m2
    count: int = real_roots(poly, 4, roots)
    for k in range(count):
        roots[k] *= unit
    return count


class Work(NamedTuple):
    """Scratch memory of a minimisation."""

    vectors: Floats  # [4, rows]
    triangles: Floats  # [systems, 4, 4]
    poly: Floats  # [5]
    roots: Floats  # [4]
    nodes: Floats  # [most points of a line]
    point: Floats  # [4, couplings]: origin, trial, best, direction
    directions: Floats  # [starts, couplings]
    first: Floats  # [k + 1, rows]: n and its derivatives
    pull: Floats  # [terms]
    matrix: Floats  # [k, k + 2]: Hessian, gradient, units


def work_for(problem: Problem, free: Integers) -> Work:
    """Memory and starts for minimising over couplings: their axes and the diagonals of two and three of them."""
    n_systems, n_terms, rows = problem.terms.shape
    k, n = len(free), problem.powers.shape[1]
    size = np.sum(problem.terms**2, axis=(0, 2))
    constant = 1.0 + size[problem.powers.sum(axis=1) == 0].sum()
    directions = []
    for signs in product((0.0, 1.0, -1.0), repeat=k):
        turned = [s for s in signs if s]
        if 0 < len(turned) <= 3 and turned[0] > 0:
            directions.append(signs)
    starts = np.zeros((len(directions), n))
    starts[:, free] = directions
    for c in free:  # in units that double the prediction
        quadratic = size[problem.powers[:, c] == 2].sum()
        starts[:, c] *= (constant / quadratic) ** 0.25 if quadratic > 0.0 else 1.0
    return Work(
        vectors=np.empty((4, rows)),
        triangles=np.zeros((n_systems, 4, 4)),
        poly=np.empty(5),
        roots=np.empty(4),
        nodes=np.empty(_BETWEEN * (4 * n_systems + 4)),
        point=np.zeros((4, n)),
        directions=starts,
        first=np.empty((k + 1, rows)),
        pull=np.empty(n_terms),
        matrix=np.empty((k, k + 2)),
    )


@njit
def _line_minimum(problem: Problem, z: Floats, direction: Floats, work: Work) -> tuple[float, float]:
    """The best t on z + t direction and χ² there.

    One system has at most four extrema, all known. With several, the minima of the sum are sought between those of
    its parts, at a few points each, and refined.
    """
    n_systems, nodes = len(problem.scale_variance), work.nodes
    nodes[0], count = 0.0, 1
    for system in range(n_systems):
        _line(problem, system, z, direction, work.vectors, work.triangles[system])
        found = _extrema(work.triangles[system], problem.scale_variance[system], work.poly, work.roots)
        for k in range(found):
            at = count  # insertion keeps them in order
            while at > 0 and nodes[at - 1] > work.roots[k]:
                nodes[at] = nodes[at - 1]
                at -= 1
            nodes[at] = work.roots[k]
            count += 1
    if n_systems > 1:
        span = nodes[count - 1] - nodes[0]
        nodes[count], nodes[count + 1] = nodes[count - 1] + 0.3 * span, nodes[count - 1] + 3.0 * span
        count += 2
        for k in range(count - 1, -1, -1):  # spread out, from the last on, and fill the gaps
            nodes[_BETWEEN * k] = nodes[k]
        for k in range(count - 1):
            low, high = nodes[_BETWEEN * k], nodes[_BETWEEN * (k + 1)]
            for i in range(1, _BETWEEN):
                nodes[_BETWEEN * k + i] = low + (high - low) * i / _BETWEEN
        count = _BETWEEN * (count - 1) + 1
    best, lowest = 0.0, np.inf
    before, here = np.inf, _chi2_on_line(work.triangles, problem.scale_variance, nodes[0])
    for k in range(count):
        after = _chi2_on_line(work.triangles, problem.scale_variance, nodes[k + 1]) if k + 1 < count else np.inf
        t, value = nodes[k], here
        if n_systems > 1 and here <= before and here <= after:
            a = nodes[k - 1] if k > 0 else nodes[0] - 3.0 * (nodes[count - 1] - nodes[0])
            b = nodes[k + 1] if k + 1 < count else nodes[k]
            for _ in range(60):
                c, d = b - _GOLDEN * (b - a), a + _GOLDEN * (b - a)
                at_c = _chi2_on_line(work.triangles, problem.scale_variance, c)
                at_d = _chi2_on_line(work.triangles, problem.scale_variance, d)
                if at_c < value:
                    t, value = c, at_c
                if at_d < value:
                    t, value = d, at_d
                if at_c < at_d:
                    b = d
                else:
                    a = c
        if value < lowest:
            best, lowest = t, value
        before, here = here, after
    return best, lowest


@njit
def _monomial(powers: Integers, term: int, z: Floats, i: int, j: int) -> float:
    """∂²/∂z_i ∂z_j of a monomial; a number that no coupling has for none."""
    value = 1.0
    for c in range(len(z)):
        p = powers[term, c]
        if c == i:
            value *= p
            p -= 1
        if c == j:
            value *= p
            p -= 1
        for _ in range(p):
            value *= z[c]
    return value


@njit
def _leads_down(problem: Problem, z: Floats, free: Integers, chi2: float, work: Work, direction: Floats) -> bool:
    """Find a direction of descent: Newton's, damped as far as needed, or down from a saddle. False at a minimum.

    With the scale s profiled, ∂χ²/∂z_i = −2 s e·n_i, e = d − s n.
    """
    k, none = len(free), len(z)  # no coupling has that number
    n_terms, rows = problem.terms.shape[1], problem.terms.shape[2]
    n, matrix = work.first[k], work.matrix
    for i in range(k):
        direction[free[i]] = 0.0
        for j in range(k + 2):
            matrix[i, j] = 0.0
    for system in range(len(problem.scale_variance)):
        for i in range(k + 1):
            for r in range(rows):
                work.first[i, r] = 0.0
            for t in range(n_terms):
                factor = _monomial(problem.powers, t, z, free[i] if i < k else none, none)
                for r in range(rows):
                    work.first[i, r] += factor * problem.terms[system, t, r]
        variance = problem.scale_variance[system]
        dn, nn = 0.0, 0.0
        for r in range(rows):
            dn += problem.data[system, r] * n[r]
            nn += n[r] * n[r]
        denominator = variance * nn + 1.0
        s = (variance * dn + 1.0) / denominator
        for t in range(n_terms):
            work.pull[t] = 0.0
            for r in range(rows):
                work.pull[t] += (problem.data[system, r] - s * n[r]) * problem.terms[system, t, r]
        for i in range(k):
            slope, n_i = 0.0, 0.0
            for r in range(rows):
                slope += (problem.data[system, r] - s * n[r]) * work.first[i, r]
                n_i += n[r] * work.first[i, r]
            matrix[i, k] -= 2.0 * s * slope
            for j in range(k):
                d_j, n_j, n_ij, curve = 0.0, 0.0, 0.0, 0.0
                for r in range(rows):
                    d_j += problem.data[system, r] * work.first[j, r]
                    n_j += n[r] * work.first[j, r]
                    n_ij += work.first[i, r] * work.first[j, r]
                for t in range(n_terms):
                    curve += work.pull[t] * _monomial(problem.powers, t, z, free[i], free[j])
                s_j = variance * (d_j - 2.0 * s * n_j) / denominator
                matrix[i, j] -= 2.0 * (s_j * slope - s * (s * n_ij + s_j * n_i) + s * curve)
                if i == j:
                    matrix[i, k + 1] += 2.0 * (s * s * n_ij + abs(s * curve))
    steepest = 0.0
    for i in range(k):  # units of the couplings, in which second derivatives are 1 and damping means the same for each
        matrix[i, k + 1] = 1.0 / math.sqrt(matrix[i, k + 1]) if matrix[i, k + 1] > 0.0 else 0.0
        steepest = max(steepest, abs(matrix[i, k] * matrix[i, k + 1]))
    flat = steepest * steepest <= 1e-15 * (1.0 + chi2)
    damping = 0.0
    while True:
        saddle = _solve(matrix, k, damping, flat, free, direction)
        if flat or not saddle:
            return saddle or not flat
        damping = max(4.0 * damping, 1e-3)


@njit
def _solve(matrix: Floats, k: int, damping: float, flat: bool, free: Integers, direction: Floats) -> bool:
    """Solve (H + damping) x = −g in units of the couplings by L D Lᵀ, or find that it is not positive definite.

    Then, if the gradient is flat, give a direction of negative curvature.
    """
    L, D = np.empty((k, k)), np.empty(k)
    size, saddle = k, False
    for i in range(k):
        for j in range(i + 1):
            value = matrix[i, j] * matrix[i, k + 1] * matrix[j, k + 1]
            if i == j:
                value += damping if matrix[i, k + 1] > 0.0 else 1.0
            for m in range(j):
                value -= L[i, m] * D[m] * L[j, m]
            if i == j:
                D[i] = value
            else:
                L[i, j] = value / D[j]
        if not (D[i] > 1e-12 or damping > 1e6):
            size, saddle = i + 1, D[i] < -1e-9 or not flat
            break
    for i in range(size):  # L x = −g; at a saddle Lᵀ x = the last unit vector, whose curvature is D
        value = -matrix[i, k] * matrix[i, k + 1]
        for m in range(i):
            value -= L[i, m] * direction[free[m]]
        direction[free[i]] = value
    for i in range(size - 1, -1, -1):
        value = direction[free[i]] / D[i]
        if size < k or saddle:
            value = 1.0 if i == size - 1 else 0.0
        for m in range(i + 1, size):
            value -= L[m, i] * direction[free[m]]
        direction[free[i]] = value
    for i in range(k):
        direction[free[i]] = direction[free[i]] * matrix[i, k + 1] if i < size else 0.0
    return saddle


@njit
def minimise(problem: Problem, z: Floats, free: Integers, work: Work, out: Floats) -> None:
    """At each point z[i] minimise χ² over the couplings `free`; leave the best point there and the least χ² in out[i].

    For one coupling the least point of its line is all. For more, Newton's method, with the exact minimum along each
    of its steps, starts from z and from the lowest points of the axes and diagonals through the origin; then from
    the best point those lines are searched again, until none leads lower.
    """
    k, n = len(free), z.shape[1]
    origin, trial, best, direction = work.point[0], work.point[1], work.point[2], work.point[3]
    for i in range(len(z)):
        for c in range(n):
            origin[c], best[c] = z[i, c], z[i, c]
        for f in range(k):
            origin[free[f]] = 0.0
        lowest = np.inf
        for attempt in range(_ROUNDS):
            before = lowest
            for number in range(-1 if attempt == 0 and k > 1 else 0, len(work.directions)):
                for c in range(n):
                    trial[c] = z[i, c] if number < 0 else origin[c] if attempt == 0 else best[c]
                    direction[c] = work.directions[number, c] if number >= 0 else 0.0
                value = np.inf if attempt == 0 else lowest - 1e-10 * (1.0 + lowest)  # a later line must gain
                for _ in range(_STEPS):
                    t, lower = _line_minimum(problem, trial, direction, work)
                    if not lower < value:
                        break
                    value = lower
                    for c in range(n):
                        trial[c] += t * direction[c]
                    if value < lowest:
                        lowest = value
                        for c in range(n):
                            best[c] = trial[c]
                    if k == 1 or not _leads_down(problem, trial, free, value, work, direction):
                        break
            if k == 1 or not lowest < before - 1e-10 * (1.0 + lowest):
                break
        out[i] = lowest
        for c in range(n):
            z[i, c] = best[c]
