"""The double integral over flux × dσ/dT × acceptance for any compiled cross section.

Stage one is dN/dT at the nodes of the recoil integral: for each interaction and node the integral over the flux from
E_min(T), piece by piece, with lines evaluated at points. Stage two adds nodes up into bins. Every iteration of an outer
loop writes its own cells and sums run in a fixed order, so that results have the same bits for any number of threads.

A cross section enters as a first-class function that fills a row of energies at one recoil. The kernel knows it by its
type alone and is compiled once for all of them; inside of a row the user's function is inlined and loops are the
compiler's to vectorise.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numba.experimental.function_type  # first-class functions as arguments
import numpy as np
from numba import prange, types
from numpy.typing import NDArray

from cevns_fast._kernels.jit import fingerprint, keep, kept, njit
from cevns_fast._kernels.parallel import twins

__all__ = [
    "Components", "EnergyNodes", "Nucleus", "Particles", "Projectile", "RecoilNodes", "Tasks",
    "at_points", "compiled", "fill", "ranges", "spectra", "sums", "term_table",
]  # fmt: skip

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Nucleus(NamedTuple):
    """What is hit."""

    M: float  # mass, MeV
    Z: float
    N: float
    F_p: float  # form factors of protons and neutrons at this recoil
    F_n: float


class Projectile(NamedTuple):
    """What hits."""

    flavour: int  # 0 for e, 1 for μ, 2 for τ; −1 if the source does not say
    sign: int  # 1 for neutrinos, −1 for antineutrinos


class Components(NamedTuple):
    """Components of a flux: adjacent intervals where a spectrum is smooth, polynomials on pieces of them, and lines."""

    first_interval: Integers  # [components + 1]
    begin: Floats  # [intervals]
    end: Floats  # [intervals]
    first_piece: Integers  # [intervals + 1]
    low: Floats  # [pieces]
    high: Floats  # [pieces]
    coefficients: Floats  # [pieces, degree + 1] of u^d, u ∈ [−1, 1]
    first_line: Integers  # [components + 1]
    line_energy: Floats
    line_intensity: Floats


class EnergyNodes(NamedTuple):
    """Energies of each component above the E_min of each node, and what each weighs: quadrature weight × flux.

    They are in two ranges: in what is left of the interval that E_min lies in, with lines, and in whole intervals,
    which all nodes share.
    """

    begin: Integers  # [components, 2, nodes]
    end: Integers
    energy: Floats
    weight: Floats


class RecoilNodes(NamedTuple):
    """Nodes of the recoil integral, those of all targets and final masses one after the other."""

    recoil: Floats
    target: Integers
    F_p: Floats
    F_n: Floats
    first_bin: Integers
    weight: Floats  # [nodes, bins fed from the first on]


class Particles(NamedTuple):
    """Targets and components of the flux."""

    mass: Floats  # [targets]
    Z: Floats  # [targets]
    N: Floats  # [targets]
    flavour: Integers  # [components]
    sign: Integers  # [components]


class Tasks(NamedTuple):
    """Which nodes are computed for which row of the result, in blocks; cells of the result lie in their order."""

    row: Integers  # [blocks]
    first: Integers  # [blocks], node
    last: Integers  # [blocks]
    cell: Integers  # [blocks], the first
    first_cell: Integers  # [rows + 1]
    first_node: Integers  # [rows]


@njit
def _parts(low: float, high: float, ratio: float, split: int) -> int:
    """How many parts of a piece keep energies within a ratio, each split further."""
    return split if high <= ratio * low else split * int(np.ceil(np.log(high / low) / np.log(ratio)))


@njit
def ranges(flux: Components, least: Floats, order: int, ratio: float, split: int) -> tuple[Integers, Integers]:
    """Where the energies of each component and node begin and end, [components, 2, nodes]."""
    components = flux.first_interval.size - 1
    first = np.zeros(flux.begin.size + 1, dtype=np.int64)  # of each whole interval
    for i in range(flux.begin.size):
        parts = _parts(flux.begin[i], flux.end[i], ratio, split) if flux.begin[i] > 0.0 else 0
        first[i + 1] = first[i] + order * parts
    n = first[flux.begin.size]
    begin = np.empty((components, 2, least.size), dtype=np.int64)
    end = np.empty((components, 2, least.size), dtype=np.int64)
    for c in range(components):
        last = flux.first_interval[c + 1]
        for node in range(least.size):
            interval = flux.first_interval[c]
            while interval < last and flux.end[interval] <= least[node]:
                interval += 1
            begin[c, 0, node] = n
            if interval < last and flux.begin[interval] < least[node]:
                n += order * _parts(least[node], flux.end[interval], ratio, split)
                interval += 1
            for line in range(flux.first_line[c], flux.first_line[c + 1]):
                n += flux.line_energy[line] > least[node]
            end[c, 0, node] = n
            begin[c, 1, node], end[c, 1, node] = first[interval], first[last]
    return begin, end


@njit
def _on(
    flux: Components, interval: int, left: float, x: Floats, w: Floats, ratio: float, split: int, n: int,
    above: EnergyNodes,
) -> int:  # fmt: skip
    """Gauss–Legendre from an energy to the end of its interval, in parts of which none spans more than a ratio."""
    powers = flux.coefficients.shape[1]
    end, piece = flux.end[interval], flux.first_piece[interval]
    parts = _parts(left, end, ratio, split)
    step = (end / left) ** (1.0 / parts) if parts > 1 else 1.0
    for part in range(parts):
        right = end if part == parts - 1 else left * step
        half = 0.5 * (right - left)
        for k in range(x.size):
            energy = left + half * (1.0 + x[k])
            while energy > flux.high[piece] and piece + 1 < flux.first_piece[interval + 1]:
                piece += 1
            u = 2.0 * (energy - flux.low[piece]) / (flux.high[piece] - flux.low[piece]) - 1.0
            value = 0.0
            for d in range(powers):
                value = value * u + flux.coefficients[piece, powers - 1 - d]
            above.energy[n] = energy
            above.weight[n] = w[k] * half * value
            n += 1
        left = right
    return n


@njit
def fill(flux: Components, least: Floats, x: Floats, w: Floats, ratio: float, split: int, above: EnergyNodes) -> None:
    """Energies and weights in all ranges; lines are points."""
    n = 0
    for interval in range(flux.begin.size):
        if flux.begin[interval] > 0.0:
            n = _on(flux, interval, flux.begin[interval], x, w, ratio, split, n, above)
    for c in range(above.begin.shape[0]):
        last = flux.first_interval[c + 1]
        for node in range(least.size):
            interval = flux.first_interval[c]
            while interval < last and flux.end[interval] <= least[node]:
                interval += 1
            n = above.begin[c, 0, node]
            if interval < last and flux.begin[interval] < least[node]:
                n = _on(flux, interval, least[node], x, w, ratio, split, n, above)
            for line in range(flux.first_line[c], flux.first_line[c + 1]):
                if flux.line_energy[line] > least[node]:
                    above.energy[n] = flux.line_energy[line]
                    above.weight[n] = flux.line_intensity[line]
                    n += 1


@twins
def spectra(
    dsigma: Any, parameters: Floats, row_of: Integers, nodes: RecoilNodes, above: EnergyNodes, particles: Particles,
    tasks: Tasks, out: Floats,
) -> None:  # fmt: skip
    """out[cell] = Σ_components ∫dE φ(E) dσ/dT at each node, with parameters[row_of[row, target]]."""
    for block in prange(tasks.row.size):
        first, last, cell = tasks.first[block], tasks.last[block], tasks.cell[block]
        target = nodes.target[first]
        nucleus = Nucleus(particles.mass[target], particles.Z[target], particles.N[target], 1.0, 1.0)
        p = parameters[row_of[tasks.row[block], target]]
        found = out[cell : cell + last - first]
        found[:] = 0.0
        for c in range(particles.sign.size):
            for part in range(2):
                begin, end = above.begin[c, part, first:last], above.end[c, part, first:last]
                some = 0
                for k in range(begin.size):
                    some += end[k] - begin[k]
                if some == 0:
                    continue
                dsigma(
                    begin, end, above.energy, above.weight,
                    nodes.recoil[first:last], nodes.F_p[first:last], nodes.F_n[first:last], nucleus,
                    Projectile(particles.flavour[c], particles.sign[c]), p, found,
                )  # fmt: skip


@twins
def sums(nodes: RecoilNodes, tasks: Tasks, cells: Floats, out: Floats) -> None:
    """out[row, bin] += Σ_nodes weight × dN/dT."""
    for row in prange(out.shape[0]):
        for k in range(tasks.first_cell[row], tasks.first_cell[row + 1]):
            node = tasks.first_node[row] + k - tasks.first_cell[row]
            first = nodes.first_bin[node]
            for b in range(nodes.weight.shape[1]):
                out[row, first + b] += nodes.weight[node, b] * cells[k]


@njit
def at_points(
    dsigma: Any, begin: Integers, end: Integers, E: Floats, weight: Floats, T: Floats, F_p: Floats, F_n: Floats,
    nucleus: Nucleus, beam: Projectile, p: Floats, out: Floats,
) -> None:  # fmt: skip
    """What an integrand adds up at nodes of one target and component, each by itself: an exception spoils no other."""
    for k in range(T.size):
        one = slice(k, k + 1)
        dsigma(begin[one], end[one], E, weight, T[one], F_p[one], F_n[one], nucleus, beam, p, out[one])


@njit
def _power(x: float, k: int) -> float:
    """x^k of a whole number k."""
    result = 1.0
    for _ in range(abs(k)):
        result *= x
    return 1.0 / result if k < 0 else result


def _term_table(
    begin: Integers, end: Integers, E: Floats, weight: Floats, T: Floats, F_p: Floats, F_n: Floats, nucleus: Nucleus,
    beam: Projectile, p: Floats, out: Floats,
) -> None:  # fmt: skip
    """Σ ± c T^j E^k over (2MT + m²)^power; p holds the power, m² and, for each term, j, k, whether it is odd, and c.

    Form factors are in the weights of nodes, as in the table kernel.
    """
    for node in range(T.size):
        propagator = _power(2.0 * nucleus.M * T[node] + p[1], int(p[0]))
        for i in range(2, p.size, 4):
            k = int(p[i + 1])
            total = 0.0
            for e in range(begin[node], end[node]):
                total += weight[e] * _power(E[e], k)
            sign = beam.sign if p[i + 2] != 0.0 else 1
            out[node] += sign * p[i + 3] * _power(T[node], int(p[i])) / propagator * total


def _types() -> tuple[Any, ...]:
    """The types of a nucleus, a beam and parameters."""
    nucleus, beam = types.NamedUniTuple(types.float64, 5, Nucleus), types.NamedUniTuple(types.int64, 2, Projectile)
    return nucleus, beam, types.Array(types.float64, 1, "C", readonly=True)


def _block_type() -> Any:
    """The type of functions that integrate over E at a block of nodes of one target, for one component of the flux."""
    row, places = types.Array(types.float64, 1, "C"), types.Array(types.int64, 1, "C")
    return types.void(places, places, row, row, row, row, row, *_types(), row)


def _switched_off() -> bool:
    """Whether there is no compiler (NUMBA_DISABLE_JIT=1)."""
    return bool(getattr(numba.config, "DISABLE_JIT", 0))


def term_table() -> Any:
    """The generic integrand, terms of an interaction evaluated literally: compiled, or as another process left it."""
    if _switched_off():
        return _term_table
    arguments = _term_table, _block_type(), "term table"  # its file's stamp tells versions apart
    return kept(*arguments) or keep(*arguments)


# Functions that only other compiled functions call.
_BARE: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "error_model": "numpy"}


def compiled(dsigma: Callable[..., float]) -> Any:
    """A user's dσ/dT as an integrand; `TypeError` or `numba.core.errors.NumbaError` if there is none."""
    function = point = getattr(dsigma, "py_func", dsigma)
    if not _switched_off():
        own = {k: v for k, v in getattr(dsigma, "targetoptions", {}).items() if k not in _NOT_OF_A_POINT}
        point = numba.njit(**{**own, **_BARE})(function)

    def integrate(begin, end, E, weight, T, F_p, F_n, nucleus, beam, p, out):  # type: ignore[no-untyped-def]
        value = np.empty(0)
        for node in range(T.size):
            first, n = begin[node], end[node] - begin[node]
            if n > value.size:
                value = np.empty(n)
            here = Nucleus(nucleus.M, nucleus.Z, nucleus.N, F_p[node], F_n[node])
            for k in range(n):  # apart from the sum, whose order is fixed: several at a time if the compiler likes
                value[k] = point(E[first + k], T[node], here, beam, p)
            total = 0.0
            for k in range(n):
                total += weight[first + k] * value[k]
            out[node] += total

    unguarded = integrate if _switched_off() else numba.njit(**_BARE)(integrate)

    def guarded(begin, end, E, weight, T, F_p, F_n, nucleus, beam, p, out):  # type: ignore[no-untyped-def]
        try:
            unguarded(begin, end, E, weight, T, F_p, F_n, nucleus, beam, p, out)
        except Exception:  # it could not leave a first-class function
            out[:] = np.nan

    if _switched_off():
        return guarded
    key = fingerprint(point)
    for one in (integrate, guarded) if key is not None else ():
        found = kept(one, _block_type(), key)
        if found is not None:
            return found
    return keep(guarded if _may_raise(point) else integrate, _block_type(), key)


_NOT_OF_A_POINT = {"nopython", "parallel", "cache"}


def _may_raise(point: Any) -> bool:
    """Compile a user's function for what it is called with, and tell whether an exception may come out of it."""
    point.compile((types.float64, types.float64, *_types()))
    (result,) = point.overloads.values()
    if not isinstance(result.signature.return_type, types.Float | types.Integer | types.Boolean):
        raise TypeError(f"it returns {result.signature.return_type}, must return a real number")
    # A compiled function returns 0, or the status of an exception.
    returned = re.findall(r"^\s*ret i32 (\S+)", result.library.get_llvm_str(), re.MULTILINE)
    return set(returned) != {"0"}
