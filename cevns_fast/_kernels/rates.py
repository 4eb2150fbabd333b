"""The rate kernel: ∫dT R(T) F²(T) P(T) T^j μ_k(E_min(T)) for every bin, and its contraction with coefficient tables.

The integration variable is τ = √T, in which E_min, the flux moments and form factors are analytic down to T = 0.
Panels and their nodes do not depend on the mass of the outgoing particle, except where a kinematic image of a flux
breakpoint falls inside a panel: only there is anything but the flux moments evaluated anew. This file is
self-contained, so that numba's cache can never combine it with an older version of another file.
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
PANELS_AT_ONCE = 64  # how many panels are gathered before they are summed
_GAUSS_X, _GAUSS_W = np.polynomial.legendre.leggauss(NODES)


class Flux(NamedTuple):
    """Flux moments, see `piecewise.Moments`, and the energies where they are not smooth."""

    breaks: Floats  # [pieces + 1], MeV
    inverse_width: Floats  # [pieces], 1/MeV
    value: Floats  # [pieces, lanes]: one lane for each (even or odd under ν ↔ ν̄, power of E) in use
    coefficients: Floats  # [pieces, lanes, degree + 1], highest power first
    kinks: Floats  # increasing; the last is the end point


class Plan(NamedTuple):
    """Where to integrate, for each target (a nuclide and a product of form factors)."""

    mass: Floats  # [targets], MeV
    first_panel: Integers  # [targets + 1]
    low: Floats  # [panels], MeV
    high: Floats
    first_bin: Integers  # [panels]: the bins that a panel feeds
    bin_count: Integers
    first_cell: Integers  # [panels]: their responses
    first_output: Integers  # [panels]: where they begin among the outputs of `response`
    recoil: Floats  # [panels, NODES]: T
    massless_energy: Floats  # E_min for a massless final state
    mass_factor: Floats  # 1/(2MT): E_min = massless_energy (1 + m² mass_factor)
    weight: Floats  # quadrature weight × dT/dτ × form factors
    cell_response: Floats  # [cells, NODES]
    form_breaks: Floats  # [pieces + 1]: form factors as piecewise polynomials in τ, targets side by side
    form_coefficients: Floats  # [pieces, degree + 1, targets]
    response_breaks: Floats  # the same for bin responses
    response_coefficients: Floats  # [pieces, degree + 1, outputs]


class Table(NamedTuple):
    """What to integrate, for a batch of masses."""

    final_mass: Floats  # [masses], MeV
    mediator_mass: Floats  # [masses], MeV
    propagator_power: int
    slot_power: Integers  # [slots]: each slot is a T^j …
    slot_lane: Integers  # [slots]: … times a flux moment
    term_channel: Integers  # [terms]: a channel is the product of two amplitudes
    term_slot: Integers  # [terms]
    coefficient: Floats  # [targets, masses or 1, terms]
    part_row: Integers  # [parts]: a row of the result is a sum of channels of targets …
    part_target: Integers  # [parts]
    part_channel: Integers  # [parts]
    weight: Floats  # [masses or 1, parts]: … with these weights


@njit
def recoil_limits(E, m, M):
    """T_min and T_max, BRX Eq. (9) with T_min from the product of the roots; (0, 0) below threshold."""
    if E <= 0.0 or E < m + m * m / (2.0 * M):
        return 0.0, 0.0
    # 4M²E² − 4Mm²(E + M) + m⁴, factored so that it does not cancel at threshold.
    root = math.sqrt(max(0.0, (2.0 * M * (E - m) - m * m) * (2.0 * M * (E + m) - m * m)))
    high = (2.0 * M * E * E - m * m * (E + M) + E * root) / (2.0 * M * (2.0 * E + M))
    return m**4 / (4.0 * M * (2.0 * E + M) * high), high


@njit
def _piece(breaks, x, hint):
    """Index of the interval that holds x, searched from a nearby one."""
    last = len(breaks) - 2
    while hint < last and x > breaks[hint + 1]:
        hint += 1
    while hint > 0 and x < breaks[hint]:
        hint -= 1
    return hint


@njit
def _evaluate(breaks, coefficients, x, output):
    """One output of a piecewise polynomial at x."""
    i = _piece(breaks, x, 0)
    low, high = breaks[i], breaks[i + 1]
    u = (2.0 * x - low - high) / (high - low)
    degree = coefficients.shape[1] - 1
    value = coefficients[i, degree, output]
    for d in range(degree - 1, -1, -1):
        value = value * u + coefficients[i, d, output]
    return value


@njit
def massless_energy(tau, M):
    """E_min at recoil τ² for a massless final state, (√(T(T + 2M)) + T)/2; with a mass, times 1 + m²/(2MT)."""
    return 0.5 * (tau * math.sqrt(tau * tau + 2.0 * M) + tau * tau)


@njit
def _copy_panel(plan, panel, m2, at, T, W, E, response):
    """Nodes of a whole panel: only E_min depends on the mass."""
    for n in range(NODES):
        T[at + n], W[at + n] = plan.recoil[panel, n], plan.weight[panel, n]
        E[at + n] = plan.massless_energy[panel, n] * (1.0 + m2 * plan.mass_factor[panel, n])
    cell = plan.first_cell[panel]
    for b in range(plan.bin_count[panel]):
        for n in range(NODES):
            response[b, at + n] = plan.cell_response[cell + b, n]


@njit
def _new_panel(plan, panel, target, low, high, m2, at, T, W, E, response):
    """Nodes of a part of a panel."""
    M, output = plan.mass[target], plan.first_output[panel]
    left, right = math.sqrt(low), math.sqrt(high)
    half = 0.5 * (right - left)
    for n in range(NODES):
        tau = 0.5 * (left + right) + half * _GAUSS_X[n]
        T[at + n] = tau * tau
        E[at + n] = massless_energy(tau, M) * (1.0 + m2 / (2.0 * M * tau * tau))
        form = _evaluate(plan.form_breaks, plan.form_coefficients, tau, target)
        W[at + n] = _GAUSS_W[n] * half * 2.0 * tau * form
        for b in range(plan.bin_count[panel]):
            response[b, at + n] = _evaluate(plan.response_breaks, plan.response_coefficients, tau, output + b)


@njit(fastmath={"contract"})
def _flux_moments(flux, n, E, t, u, moments):
    """Moments at n energies, run by run of those that share a piece."""
    first, piece = 0, 0
    while first < n:
        piece = _piece(flux.breaks, E[first], piece)
        low, high = flux.breaks[piece], flux.breaks[piece + 1]
        last = first + 1
        while last < n and low <= E[last] <= high:
            last += 1
        inverse_width = flux.inverse_width[piece]
        if first < 0:  # never: tells LLVM that no index wraps around, without which it does not vectorise
            return
        for k in range(first, last):
            t[k] = (high - E[k]) * inverse_width
            u[k] = 2.0 * t[k] - 1.0
        for i in range(flux.value.shape[1]):
            leading, value = flux.coefficients[piece, i, 0], flux.value[piece, i]
            for k in range(first, last):
                moments[i, k] = leading
            for d in range(1, flux.coefficients.shape[2]):
                lower = flux.coefficients[piece, i, d]
                for k in range(first, last):
                    moments[i, k] = moments[i, k] * u[k] + lower
            for k in range(first, last):
                moments[i, k] = value + t[k] * moments[i, k]
        first = last


@njit(fastmath={"contract"})
def _sum_panels(table, n_panels, T, W, moments, products, partial, response, panel_bin, panel_count, sums):
    """Add the gathered panels to the sums of their bins, sums[slot, bin]."""
    n = NODES * n_panels
    for k in range(n):
        products[0, k] = W[k] / (T[k] * T[k])
    for j in range(1, T_POWERS):
        for k in range(n):
            products[j, k] = products[j - 1, k] * T[k]
    for s in range(len(table.slot_power)):
        power, lane = table.slot_power[s], table.slot_lane[s]
        if power < 0 or lane < 0:  # never, see above
            return
        for k in range(n):
            partial[k] = products[power, k] * moments[lane, k]
        for p in range(n_panels):
            k = NODES * p
            for b in range(panel_count[p]):
                sums[s, panel_bin[p] + b] += (
                    (partial[k] * response[b, k] + partial[k + 1] * response[b, k + 1])
                    + (partial[k + 2] * response[b, k + 2] + partial[k + 3] * response[b, k + 3])
                    + (partial[k + 4] * response[b, k + 4] + partial[k + 5] * response[b, k + 5])
                )


@njit
def templates(flux, plan, table, start, stop, out):
    """Add to out[mass, row, bin] for masses start … stop − 1."""
    n_targets, n_bins = len(plan.mass), out.shape[2]
    n_channels = table.term_channel.max() + 1
    n_kinks = len(flux.kinks)
    capacity = NODES * PANELS_AT_ONCE
    widest = plan.bin_count.max()
    T, W, partial = np.empty(capacity), np.empty(capacity), np.empty(capacity)
    moments, products = np.empty((flux.value.shape[1], capacity)), np.empty((T_POWERS, capacity))
    response = np.empty((widest, capacity))
    panel_low, panel_high = np.empty(PANELS_AT_ONCE), np.empty(PANELS_AT_ONCE)
    panel_of = np.empty(PANELS_AT_ONCE, dtype=np.int64)
    panel_bin, panel_count = np.empty_like(panel_of), np.empty_like(panel_of)
    E, t, u = np.empty(capacity), np.empty(capacity), np.empty(capacity)
    sums = np.empty((len(table.slot_power), n_bins))
    channels = np.empty((n_channels, n_bins))
    cuts = np.empty(2 * n_kinks)
    for i in range(start, stop):
        m = table.final_mass[i]
        m2, mediator2 = m * m, table.mediator_mass[i] ** 2
        row = min(i, table.coefficient.shape[1] - 1)
        weight_row = min(i, table.weight.shape[0] - 1)
        for target in range(n_targets):
            M = plan.mass[target]
            lowest, highest = recoil_limits(flux.kinks[n_kinks - 1], m, M)
            n_cuts = 0
            for k in range(n_kinks - 1):
                a, b = recoil_limits(flux.kinks[k], m, M)
                if b > 0.0:
                    cuts[n_cuts], cuts[n_cuts + 1] = a, b
                    n_cuts += 2
            cuts[:n_cuts].sort()
            sums[:] = 0.0
            p, left = plan.first_panel[target], -1.0
            while p < plan.first_panel[target + 1]:
                # Collect whole panels, and the pieces of those that a kinematic image cuts.
                count = 0
                while p < plan.first_panel[target + 1] and count < PANELS_AT_ONCE:
                    low, high = max(plan.low[p], lowest), min(plan.high[p], highest)
                    left = max(left, low)
                    if left >= high:
                        p, left = p + 1, -1.0
                        continue
                    right = high
                    for c in range(n_cuts):
                        if left < cuts[c] < right:
                            right = cuts[c]
                    if left > 0.0:  # 1/T falls too steeply for one panel over more than an octave
                        right = min(right, 2.0 * left)
                    panel_of[count], panel_low[count], panel_high[count] = p, left, right
                    count += 1
                    left = right
                for k in range(count):
                    p_k = panel_of[k]
                    panel_bin[k], panel_count[k] = plan.first_bin[p_k], plan.bin_count[p_k]
                    if panel_low[k] == plan.low[p_k] and panel_high[k] == plan.high[p_k]:
                        _copy_panel(plan, p_k, m2, NODES * k, T, W, E, response)
                    else:
                        _new_panel(
                            plan, p_k, target, panel_low[k], panel_high[k], m2, NODES * k, T, W, E, response
                        )  # fmt: skip
                if count == 0:
                    continue
                n_nodes = NODES * count
                for k in range(n_nodes):
                    E[k] = min(max(E[k], flux.breaks[0]), flux.breaks[-1])  # no neutrinos below, rounding above
                for _ in range(table.propagator_power):
                    for k in range(n_nodes):
                        W[k] /= 2.0 * M * T[k] + mediator2
                _flux_moments(flux, n_nodes, E, t, u, moments)
                _sum_panels(table, count, T, W, moments, products, partial, response, panel_bin, panel_count, sums)
            channels[:] = 0.0
            for j in range(len(table.term_channel)):
                value = table.coefficient[target, row, j]
                channel, slot = channels[table.term_channel[j]], sums[table.term_slot[j]]
                for b in range(n_bins):
                    channel[b] += value * slot[b]
            for k in range(len(table.part_row)):
                if table.part_target[k] == target:
                    value = table.weight[weight_row, k]
                    result, channel = out[i, table.part_row[k]], channels[table.part_channel[k]]
                    for b in range(n_bins):
                        result[b] += value * channel[b]
