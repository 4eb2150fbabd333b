"""The rate kernel: ∫dT R(T) F²(T) P(T) T^j μ_k(E_min(T)) for every bin, and its contraction with coefficient tables.

The integration variable is τ = √T, in which E_min, the flux moments and form factors are analytic down to T = 0.
Panels and their nodes do not depend on the mass of the outgoing particle, except where a kinematic image of a flux
breakpoint falls inside a panel: only there is anything but the flux moments evaluated anew. This file is
self-contained, so that numba's cache can never combine it with an older version of another file.

The innermost loops run over slots, the pairs (j, k) of a table: they are contiguous, have no tail because slots are
padded, and serve the six nodes of a panel at a time, which is what LLVM turns into good vector code.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cevns_fast._kernels.jit import njit

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NODES = 6  # Gauss–Legendre nodes of a panel
T_POWERS = 5  # T^−2 … T^2
LOWEST_T_POWER = -2
VECTOR = 4  # slots are padded to a multiple of this
HORNER = 4  # and the coefficients of flux moments to a multiple of this
UNROLLED = 16  # and bins to a multiple of this
NEW_PANELS = 32  # how many panels are made before they are summed
_GAUSS_X, _GAUSS_W = np.polynomial.legendre.leggauss(NODES)


class Flux(NamedTuple):
    """Flux moments, see `piecewise.Moments`: a column for each slot, a multiple of `VECTOR`."""

    breaks: Floats  # [pieces + 1], MeV; the last is the end point
    inverse_width: Floats  # [pieces], 1/MeV
    value: Floats  # [pieces, slots]
    coefficients: Floats  # [pieces, multiple of HORNER, slots], highest power first


class Plan(NamedTuple):
    """Where to integrate, for each target (a nuclide and a product of form factors)."""

    mass: Floats  # [targets], MeV
    first_panel: Integers  # [targets + 1]
    low: Floats  # [panels], MeV
    high: Floats
    first_bin: Integers  # [panels]: the bins that a panel feeds
    bin_count: Integers
    first_cell: Integers  # [panels]: their weights
    recoil: Floats  # [panels × NODES]: T
    massless_energy: Floats  # [panels × NODES]: E_min for a massless final state
    mass_factor: Floats  # [panels × NODES], 1/(2MT): E_min = massless_energy (1 + m² mass_factor)
    weight: Floats  # [cells, NODES]: quadrature weight × dT/dτ × form factors × bin response
    first_piece: Integers  # [panels]: where a panel begins among the pieces of `feed_breaks`
    first_feed: Integers  # [panels]: where it begins among the outputs
    feed_breaks: Floats  # [pieces + 1]: form factors × bin responses as piecewise polynomials in τ
    feed_coefficients: Floats  # [pieces, degree + 1, outputs], highest power first


class Table(NamedTuple):
    """What to integrate, for a batch of masses."""

    final_mass: Floats  # [masses], MeV
    mediator_mass: Floats  # [masses], MeV
    propagator_power: int
    slot_power: Integers  # [slots]: a slot is T^j times the flux moment of its column
    entry_row: Integers  # [entries]: each row of the result is a sum of slots …
    entry_slot: Integers  # [entries]
    coefficient: Floats  # [targets, masses or 1, entries]: … with these coefficients


class Nodes(NamedTuple):
    """The plan's nodes, followed by those of panels that were made anew."""

    recoil: Floats  # [panels × NODES]
    massless_energy: Floats
    mass_factor: Floats
    power: Floats  # [panels × NODES, slots]: T^j of each slot
    weight: Floats  # [cells, NODES]


class Queue(NamedTuple):
    """Panels that wait to be summed."""

    panel: Integers  # among the nodes
    cell: Integers
    first_bin: Integers
    bin_count: Integers


@njit
def recoil_limits(E: float, m: float, M: float) -> tuple[float, float]:
    """T_min and T_max, BRX Eq. (9) with T_min from the product of the roots; (0, 0) below threshold."""
    if E <= 0.0 or E < m + m * m / (2.0 * M):
        return 0.0, 0.0
    # 4M²E² − 4Mm²(E + M) + m⁴, factored so that it does not cancel at threshold.
    root = math.sqrt(max(0.0, (2.0 * M * (E - m) - m * m) * (2.0 * M * (E + m) - m * m)))
    high = (2.0 * M * E * E - m * m * (E + M) + E * root) / (2.0 * M * (2.0 * E + M))
    return m**4 / (4.0 * M * (2.0 * E + M) * high), high


@njit
def _piece(breaks: Floats, x: float, hint: int) -> int:
    """Index of the interval that holds x, searched from a nearby one."""
    last = len(breaks) - 2
    while hint < last and x > breaks[hint + 1]:
        hint += 1
    while hint > 0 and x < breaks[hint]:
        hint -= 1
    return hint


@njit
def massless_energy(tau: float, M: float) -> float:
    """E_min at recoil τ² for a massless final state, (√(T(T + 2M)) + T)/2; with a mass, times 1 + m²/(2MT)."""
    return 0.5 * (tau * math.sqrt(tau * tau + 2.0 * M) + tau * tau)


@njit
def _powers(T: float, slot_power: Integers, work: Floats, power: Floats, k: int) -> None:
    """T^j of every slot at node k."""
    work[0] = 1.0 / (T * T)
    for j in range(1, T_POWERS):
        work[j] = work[j - 1] * T
    for s in range(len(slot_power)):
        power[k, s] = work[slot_power[s]]


@njit(fastmath={"contract"})
def _new_panel(
    plan: Plan,
    slot_power: Integers,
    nodes: Nodes,
    panel: int,
    target: int,
    low: float,
    high: float,
    place: int,
    cell: int,
    work: Floats,
) -> None:
    """Make a part of a panel."""
    M, output = plan.mass[target], plan.first_feed[panel]
    piece = plan.first_piece[panel]
    left, right = math.sqrt(low), math.sqrt(high)
    half = 0.5 * (right - left)
    for n in range(NODES):
        k = NODES * place + n
        tau = 0.5 * (left + right) + half * _GAUSS_X[n]
        T = tau * tau
        nodes.recoil[k] = T
        nodes.massless_energy[k] = massless_energy(tau, M)
        nodes.mass_factor[k] = 1.0 / (2.0 * M * T)
        _powers(T, slot_power, work, nodes.power, k)
        piece = _piece(plan.feed_breaks, tau, piece)
        begin, end = plan.feed_breaks[piece], plan.feed_breaks[piece + 1]
        u = (2.0 * tau - begin - end) / (end - begin)
        for b in range(plan.bin_count[panel]):
            value = plan.feed_coefficients[piece, 0, output + b]
            for d in range(1, plan.feed_coefficients.shape[1]):
                value = value * u + plan.feed_coefficients[piece, d, output + b]
            nodes.weight[cell + b, n] = _GAUSS_W[n] * half * 2.0 * tau * value


@njit(fastmath={"contract"})
def _sum_panels(
    flux: Flux,
    nodes: Nodes,
    queue: Queue,
    count: int,
    m2: float,
    M: float,
    mediator2: float,
    propagator_power: int,
    t: Floats,
    u: Floats,
    w: Floats,
    moments: Floats,
    sums: Floats,
) -> None:
    """Add the queued panels to the sums of their bins, sums[bin, slot]."""
    n_slots, piece = flux.value.shape[1], 0
    for q in range(count):
        first = NODES * queue.panel[q]
        middle = first + NODES // 2
        # Panels are cut where the moments pass from one piece to the next.
        piece = _piece(flux.breaks, nodes.massless_energy[middle] * (1.0 + m2 * nodes.mass_factor[middle]), piece)
        high, inverse_width = flux.breaks[piece + 1], flux.inverse_width[piece]
        for n in range(NODES):
            E = nodes.massless_energy[first + n] * (1.0 + m2 * nodes.mass_factor[first + n])
            t[n] = min((high - E) * inverse_width, 1.0)  # no neutrinos below the lowest energy
            u[n] = 2.0 * t[n] - 1.0
        moments[:] = 0.0
        # Scalars, and nodes written out: LLVM would check anew whether u and the moments overlap.
        u0, u1, u2, u3, u4, u5 = u[0], u[1], u[2], u[3], u[4], u[5]
        for at in range(0, flux.coefficients.shape[1], HORNER):
            for s in range(n_slots):
                a, b = flux.coefficients[piece, at, s], flux.coefficients[piece, at + 1, s]
                c, d = flux.coefficients[piece, at + 2, s], flux.coefficients[piece, at + 3, s]
                moments[0, s] = (((moments[0, s] * u0 + a) * u0 + b) * u0 + c) * u0 + d
                moments[1, s] = (((moments[1, s] * u1 + a) * u1 + b) * u1 + c) * u1 + d
                moments[2, s] = (((moments[2, s] * u2 + a) * u2 + b) * u2 + c) * u2 + d
                moments[3, s] = (((moments[3, s] * u3 + a) * u3 + b) * u3 + c) * u3 + d
                moments[4, s] = (((moments[4, s] * u4 + a) * u4 + b) * u4 + c) * u4 + d
                moments[5, s] = (((moments[5, s] * u5 + a) * u5 + b) * u5 + c) * u5 + d
        for k in range(queue.bin_count[q]):
            cell, fed = queue.cell[q] + k, queue.first_bin[q] + k
            for n in range(NODES):
                w[n] = nodes.weight[cell, n]
            for _ in range(propagator_power):
                for n in range(NODES):
                    w[n] /= 2.0 * M * nodes.recoil[first + n] + mediator2
            for s in range(n_slots):
                total, value = 0.0, flux.value[piece, s]
                for n in range(NODES):
                    total += w[n] * nodes.power[first + n, s] * (value + t[n] * moments[n, s])
                sums[fed, s] += total


@njit
def _cuts(breaks: Floats, m: float, M: float, cuts: Floats) -> int:
    """T_min and T_max of every energy where the moments are not smooth, sorted; how many there are."""
    n = 0
    for E in breaks:
        low, high = recoil_limits(E, m, M)
        if high > 0.0:
            cuts[n], cuts[n + 1] = low, high
            n += 2
    for i in range(1, n):  # by insertion: they are few
        value, k = cuts[i], i
        while k > 0 and cuts[k - 1] > value:
            cuts[k] = cuts[k - 1]
            k -= 1
        cuts[k] = value
    return n


@njit
def templates(flux: Flux, plan: Plan, table: Table, start: int, stop: int, out: Floats) -> None:
    """Add to out[mass, row, bin] for masses start … stop − 1."""
    n_rows, n_bins = out.shape[1], out.shape[2]
    n_panels, n_cells, n_slots = len(plan.low), len(plan.weight), len(table.slot_power)
    widest, width = plan.bin_count.max(), flux.value.shape[1]
    size = NODES * (n_panels + NEW_PANELS)
    nodes = Nodes(
        np.empty(size), np.empty(size), np.empty(size), np.ones((size, width)),
        np.empty((n_cells + NEW_PANELS * widest, NODES)),
    )  # fmt: skip
    known = NODES * n_panels
    work, t, u, w = np.empty(T_POWERS), np.empty(NODES), np.empty(NODES), np.empty(NODES)
    for k in range(known):
        nodes.recoil[k], nodes.massless_energy[k] = plan.recoil[k], plan.massless_energy[k]
        nodes.mass_factor[k] = plan.mass_factor[k]
        _powers(plan.recoil[k], table.slot_power, work, nodes.power, k)
    for k in range(n_cells):
        for n in range(NODES):
            nodes.weight[k, n] = plan.weight[k, n]
    capacity = n_panels + NEW_PANELS
    queue = Queue(
        np.empty(capacity, dtype=np.int64), np.empty(capacity, dtype=np.int64),
        np.empty(capacity, dtype=np.int64), np.empty(capacity, dtype=np.int64),
    )  # fmt: skip
    moments, sums = np.empty((NODES, width)), np.empty((n_bins, width))
    padded = -(-n_bins // UNROLLED) * UNROLLED
    slots, result = np.zeros((n_slots, padded)), np.empty((n_rows, padded))
    cuts = np.empty(2 * len(flux.breaks))
    for i in range(start, stop):
        m, mediator2 = table.final_mass[i], table.mediator_mass[i] ** 2
        m2, row = m * m, min(i, table.coefficient.shape[1] - 1)
        result[:] = 0.0
        for target in range(len(plan.mass)):
            M = plan.mass[target]
            lowest, highest = recoil_limits(flux.breaks[-1], m, M)
            if highest == 0.0:
                continue
            n_cuts, c = _cuts(flux.breaks, m, M, cuts), 0
            sums[:] = 0.0
            p = plan.first_panel[target]
            left = plan.low[p]
            while p < plan.first_panel[target + 1]:
                # Queue whole panels, and the pieces of those that are cut.
                count, new = 0, 0
                while p < plan.first_panel[target + 1] and new < NEW_PANELS:
                    while c < n_cuts and cuts[c] <= left:
                        c += 1
                    right = plan.high[p] if c == n_cuts else min(plan.high[p], cuts[c])
                    if left == 0.0 and table.propagator_power > 0 and mediator2 > 0.0:
                        right = min(right, mediator2 / (32.0 * M))  # the propagator's poles are at T = −m²/2M
                    if lowest <= left and right <= highest:
                        place, cell = p, plan.first_cell[p]
                        if left != plan.low[p] or right != plan.high[p]:
                            if left > 0.0:  # 1/T falls too steeply for one panel over much more
                                right = min(right, 1.5 * left)
                            place, cell = n_panels + new, n_cells + new * widest
                            _new_panel(plan, table.slot_power, nodes, p, target, left, right, place, cell, work)
                            new += 1
                        queue.panel[count], queue.cell[count] = place, cell
                        queue.first_bin[count], queue.bin_count[count] = plan.first_bin[p], plan.bin_count[p]
                        count += 1
                    left = right
                    if left == plan.high[p]:
                        p += 1
                _sum_panels(
                    flux, nodes, queue, count, m2, M, mediator2, table.propagator_power, t, u, w, moments, sums
                )  # fmt: skip
            for b in range(n_bins):
                for s in range(n_slots):
                    slots[s, b] = sums[b, s]
            for j in range(len(table.entry_row)):
                value, entry_row, slot = table.coefficient[target, row, j], table.entry_row[j], table.entry_slot[j]
                for b in range(padded):
                    result[entry_row, b] += value * slots[slot, b]
        for r in range(n_rows):
            for b in range(n_bins):
                out[i, r, b] += result[r, b]
