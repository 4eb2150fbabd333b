"""The rate kernel: ∫dT R(T) F²(T) P(T) T^j μ_k(E_min(T)) for every bin, and its contraction with coefficient tables.

The integration variable is τ = √T, in which E_min, the flux moments and form factors are analytic down to T = 0.
Panels and their nodes do not depend on the mass of the outgoing particle, except where a kinematic image of a flux
breakpoint falls inside a panel: only there is anything but the flux moments evaluated anew. This file is
self-contained, so that numba's cache can never combine it with an older version of another file.

Moments of the flux come in lanes, one for each power of E and parity, in blocks. LLVM makes vector code of
the innermost loops, even over a single block, if they have a long body, if it does not know how short they are (it
would unroll them), if it has few pointers to compare (hence flat arrays: offsets within one are constants to it), and
if indices that are computed are unsigned (numba tests signed ones for being negative).
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
VECTOR = 4  # lanes are padded to a multiple of this
BLOCK = 8  # and, in memory, to a multiple of this
HALF = 6
COEFFICIENTS = 2 * HALF  # of a flux moment on a piece
ROW = (COEFFICIENTS + 1) * BLOCK  # numbers for a piece and a block
CELL = T_POWERS * BLOCK  # sums for a bin and a block
UNROLLED = 4  # bins are padded to a multiple of this
_unsigned = np.uint64
_GAUSS_X, _GAUSS_W = np.polynomial.legendre.leggauss(NODES)


class Flux(NamedTuple):
    """Flux moments, see `piecewise.Moments`: a lane for each power of E and parity."""

    breaks: Floats  # [pieces + 1], MeV; the last is the end point
    kinks: Floats  # those of the breaks at which a moment is not smooth
    inverse_width: Floats  # [pieces], 1/MeV
    coefficients: Floats  # [pieces × blocks × ROW], u^5 … 1, u^11 … u^6, then the value, each for BLOCK lanes
    lanes: int  # how many of a block are not just padding
    long: bool  # whether there are powers above u^5
    lane: Integers  # [slots]: where the moment of a slot is found …
    sign: Floats  # [slots]: … and with which sign


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
    slot_power: Integers  # [slots]: a slot is T^j times its moment of the flux
    entry_row: Integers  # [entries]: each row of the result is a sum of slots …
    entry_slot: Integers  # [entries]
    coefficient: Floats  # [targets, masses or 1, entries]: … with these coefficients


class Panel(NamedTuple):
    """One panel: the plan's, or a part of it made anew."""

    recoil: Floats  # [NODES]: T
    energy: Floats  # [NODES]: E_min
    factor: Floats  # [NODES]: 1/T² and the propagators
    products: Floats  # [blocks × NODES × CELL]: factor × T^j × flux moment
    weight: Floats  # [most bins of a panel, NODES], if it was made anew


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
def _known_panel(plan: Plan, place: int, m2: float, M: float, panel: Panel) -> None:
    """A whole panel of the plan; its weights stay there."""
    for n in range(NODES):
        k = NODES * place + n
        factor = plan.mass_factor[k]
        panel.recoil[n], panel.energy[n] = plan.recoil[k], plan.massless_energy[k] * (1.0 + m2 * factor)
        panel.factor[n] = (2.0 * M * factor) * (2.0 * M * factor)


@njit(fastmath={"contract"})
def _new_panel(plan: Plan, place: int, m2: float, M: float, low: float, high: float, panel: Panel) -> None:
    """A part of a panel."""
    output, piece = plan.first_feed[place], plan.first_piece[place]
    left, right = math.sqrt(low), math.sqrt(high)
    half = 0.5 * (right - left)
    for n in range(NODES):
        tau = 0.5 * (left + right) + half * _GAUSS_X[n]
        T = tau * tau
        panel.recoil[n], panel.energy[n] = T, massless_energy(tau, M) * (1.0 + m2 / (2.0 * M * T))
        panel.factor[n] = 1.0 / (T * T)
        piece = _piece(plan.feed_breaks, tau, piece)
        begin, end = plan.feed_breaks[piece], plan.feed_breaks[piece + 1]
        u = (2.0 * tau - begin - end) / (end - begin)
        for b in range(plan.bin_count[place]):
            value = plan.feed_coefficients[piece, 0, output + b]
            for d in range(1, plan.feed_coefficients.shape[1]):
                value = value * u + plan.feed_coefficients[piece, d, output + b]
            panel.weight[b, n] = _GAUSS_W[n] * half * 2.0 * tau * value


@njit(fastmath={"contract"}, forceinline=True)
def _multiply(flux: Flux, panel: Panel, blocks: int, piece: int) -> int:
    """Make the products of a panel; gives back the piece of its last node.

    Where pieces join smoothly, no panel is cut: its nodes may lie in different ones.
    """
    for n in range(NODES):
        E, T, factor = panel.energy[n], panel.recoil[n], panel.factor[n]
        piece = _piece(flux.breaks, E, piece)
        t = min((flux.breaks[piece + 1] - E) * flux.inverse_width[piece], 1.0)  # no neutrinos below the lowest energy
        u = 2.0 * t - 1.0
        power = u * u * u * (u * u * u)
        for block in range(blocks):
            c, p = ROW * (blocks * piece + block), CELL * (NODES * block + n)
            for s in range(flux.lanes):
                value = flux.coefficients[_unsigned(c + s)]
                for d in range(1, HALF):
                    value = value * u + flux.coefficients[_unsigned(c + BLOCK * d + s)]
                if flux.long:  # two chains of multiplications, side by side
                    high = flux.coefficients[_unsigned(c + BLOCK * HALF + s)]
                    for d in range(HALF + 1, COEFFICIENTS):
                        high = high * u + flux.coefficients[_unsigned(c + BLOCK * d + s)]
                    value += power * high
                value = (flux.coefficients[_unsigned(c + BLOCK * COEFFICIENTS + s)] + t * value) * factor
                for j in range(T_POWERS):
                    panel.products[_unsigned(p + BLOCK * j + s)] = value
                    value *= T
    return piece


@njit(fastmath={"contract"}, forceinline=True)
def _add(
    products: Floats, blocks: int, lanes: int, cell: int, weight: Floats, row: int, bins: int, sums: Floats
) -> None:
    """Weigh the products of a panel for some bins, and add them to their sums."""
    for b in range(row, row + bins):
        w0, w1, w2, w3, w4, w5 = weight[b, 0], weight[b, 1], weight[b, 2], weight[b, 3], weight[b, 4], weight[b, 5]
        for block in range(blocks):
            for s in range(lanes):
                for j in range(T_POWERS):
                    q = CELL * NODES * block + BLOCK * j + s
                    total = w0 * products[_unsigned(q)] + w1 * products[_unsigned(q + CELL)]
                    total += w2 * products[_unsigned(q + 2 * CELL)] + w3 * products[_unsigned(q + 3 * CELL)]
                    total += w4 * products[_unsigned(q + 4 * CELL)] + w5 * products[_unsigned(q + 5 * CELL)]
                    sums[_unsigned(cell + BLOCK * j + s)] += total
            cell += CELL


@njit
def _cuts(kinks: Floats, m: float, M: float, least: float, cuts: Floats) -> int:
    """T_min and T_max, sorted, of every kink of the moments that may have an image above `least`; their number."""
    n, lowest = 0, massless_energy(math.sqrt(least), M)
    for E in kinks:
        if E < lowest:
            continue
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
    n_rows, n_bins, n_slots = out.shape[1], out.shape[2], len(table.slot_power)
    pieces = len(flux.inverse_width)
    blocks = len(flux.coefficients) // (pieces * ROW)
    panel = Panel(
        np.empty(NODES), np.empty(NODES), np.empty(NODES), np.empty(blocks * NODES * CELL),
        np.empty((n_bins, NODES)),
    )  # fmt: skip
    sums = np.empty(n_bins * blocks * CELL)
    padded = -(-n_bins // UNROLLED) * UNROLLED
    slots, result = np.zeros((n_slots, padded)), np.empty((n_rows, padded))
    cuts = np.empty(2 * len(flux.kinks))
    for i in range(start, stop):
        m, mediator2 = table.final_mass[i], table.mediator_mass[i] ** 2
        m2, row = m * m, min(i, table.coefficient.shape[1] - 1)
        for r in range(n_rows):
            for b in range(padded):
                result[r, b] = 0.0
        for target in range(len(plan.mass)):
            M = plan.mass[target]
            lowest, highest = recoil_limits(flux.breaks[-1], m, M)
            if highest == 0.0:
                continue
            p = plan.first_panel[target]
            n_cuts, c, piece = _cuts(flux.kinks, m, M, plan.low[p], cuts), 0, pieces - 1
            for s in range(len(sums)):
                sums[s] = 0.0
            left = plan.low[p]
            while p < plan.first_panel[target + 1]:
                while c < n_cuts and cuts[c] <= left:
                    c += 1
                right = plan.high[p] if c == n_cuts else min(plan.high[p], cuts[c])
                if left == 0.0 and table.propagator_power > 0 and mediator2 > 0.0:
                    right = min(right, mediator2 / (32.0 * M))  # the propagator's poles are at T = −m²/2M
                if lowest <= left and right <= highest:
                    whole = left == plan.low[p] and right == plan.high[p]
                    if whole:
                        _known_panel(plan, p, m2, M, panel)
                    else:
                        if left > 0.0:  # 1/T falls too steeply for one panel over much more
                            right = min(right, 1.5 * left)
                        _new_panel(plan, p, m2, M, left, right, panel)
                    for _ in range(table.propagator_power):
                        for n in range(NODES):
                            panel.factor[n] /= 2.0 * M * panel.recoil[n] + mediator2
                    piece = _multiply(flux, panel, blocks, piece)
                    cell, bins = plan.first_bin[p] * blocks * CELL, plan.bin_count[p]
                    weight, first = (plan.weight, plan.first_cell[p]) if whole else (panel.weight, 0)
                    _add(panel.products, blocks, flux.lanes, cell, weight, first, bins, sums)
                left = right
                if left == plan.high[p]:
                    p += 1
            for s in range(n_slots):
                block, lane = flux.lane[s] // BLOCK, flux.lane[s] % BLOCK
                at = CELL * block + BLOCK * table.slot_power[s] + lane
                for b in range(n_bins):
                    slots[s, b] = flux.sign[s] * sums[_unsigned(b * blocks * CELL + at)]
            for j in range(len(table.entry_row)):
                value, entry_row, slot = table.coefficient[target, row, j], table.entry_row[j], table.entry_slot[j]
                for b in range(padded):
                    result[entry_row, b] += value * slots[slot, b]
        for r in range(n_rows):
            for b in range(n_bins):
                out[i, r, b] += result[r, b]
