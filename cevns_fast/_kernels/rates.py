"""The rate kernel of ``rates.c`` for arrays: ∫dT R(T) F²(T) P(T) T^j μ_k(E_min(T)) for every bin. No validation."""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cevns_fast._kernels.library import ffi, lib, read, written

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NODES: int = lib.RATES_NODES  # Gauss–Legendre nodes of a panel
T_POWERS: int = lib.RATES_T_POWERS  # T^−2 … T^2
LOWEST_T_POWER: int = lib.RATES_LOWEST_T_POWER
GROUP: int = lib.RATES_GROUP  # lanes come in groups, and bins are padded to a multiple of it
HALF: int = lib.RATES_HALF
COEFFICIENTS = 2 * HALF  # of a flux moment on a piece


def _struct(kind: str, arrays: Any, **sizes: int) -> Any:
    """A structure of the kernel's whose pointers are to the arrays of a dataclass, which must outlive it."""
    struct = ffi.new(f"{kind} *", sizes)
    for field in fields(arrays):
        if isinstance(array := getattr(arrays, field.name), np.ndarray):
            setattr(struct, field.name, read(array))
    return struct


@dataclass(frozen=True, eq=False)
class Flux:
    """Flux moments, see `piecewise.Moments`: a lane for each power of E and parity. Arrays are as in ``rates.h``."""

    breaks: Floats
    kinks: Floats
    inverse_width: Floats
    coefficients: Floats  # [pieces, groups, COEFFICIENTS + 1, GROUP]
    has_high_powers: bool

    @cached_property
    def struct(self) -> Any:
        """As the kernel sees it."""
        pieces, groups = self.coefficients.shape[:2]
        sizes = {"pieces": pieces, "groups": groups, "n_kinks": self.kinks.size}
        return _struct("rates_flux", self, has_high_powers=self.has_high_powers, **sizes)


@dataclass(frozen=True, eq=False)
class Plan:
    """Where to integrate, for each target (a nuclide and a product of form factors). Arrays are as in ``rates.h``."""

    mass: Floats
    first_panel: Integers
    low: Floats
    high: Floats
    first_bin: Integers
    bin_count: Integers
    recoil: Floats
    massless_energy: Floats
    mass_factor: Floats
    weight: Floats
    first_weight: Integers
    first_piece: Integers
    first_feed: Integers
    feed_breaks: Floats
    feed_coefficients: Floats  # [pieces, degree + 1, outputs]

    @cached_property
    def struct(self) -> Any:
        """As the kernel sees it."""
        pieces, coefficients, outputs = self.feed_coefficients.shape
        sizes = {"feed_pieces": pieces, "feed_degree": coefficients - 1, "feed_outputs": outputs}
        return _struct("rates_plan", self, targets=self.mass.size, **sizes)


@dataclass(frozen=True, eq=False)
class Terms:
    """What to integrate: cells, each T^j times a lane of the flux, and the rows they add up to; see ``rates.h``."""

    cell_power: Integers
    cell_lane: Integers
    pair_row: Integers
    pair_cell: Integers
    first_entry: Integers
    mass_power: Integers
    coefficient: Floats  # [targets, masses or 1, entries]
    propagator_power: int

    @cached_property
    def struct(self) -> Any:
        """As the kernel sees it."""
        sizes = {"cells": self.cell_power.size, "pairs": self.pair_row.size, "entries": self.mass_power.size}
        rows = self.coefficient.shape[1]
        return _struct("rates_terms", self, coefficient_rows=rows, propagator_power=self.propagator_power, **sizes)


def templates(
    flux: Flux, plan: Plan, terms: Terms, final_mass: Floats, mediator_mass: Floats, start: int, stop: int, out: Floats
) -> None:
    """Add to out[mass, row, bin] for masses start … stop − 1."""
    done = lib.rates_templates(
        flux.struct, plan.struct, terms.struct, read(final_mass), read(mediator_mass), start, stop, *out.shape[1:],
        written(out),
    )  # fmt: skip
    if not done:
        raise MemoryError("no room for the sums of a rate")


def recoil_limits(energy: float, m: float, M: float) -> tuple[float, float]:
    """T_min and T_max, BRX Eq. (9); (0, 0) below threshold."""
    limits = ffi.new("double[2]")
    lib.rates_recoil_limits(energy, m, M, limits)
    return limits[0], limits[1]


def massless_energy(tau: float, M: float) -> float:
    """E_min at recoil τ² for a massless final state; with a mass, times 1 + m²/(2MT)."""
    return float(lib.rates_massless_energy(tau, M))


def images(kinks: Floats, m: float, M: float, least: float) -> list[float]:
    """T_min and T_max, sorted, of every kink of the moments that may have an image above `least`."""
    found = ffi.new("double[]", 2 * kinks.size)
    n = lib.rates_images(read(kinks), kinks.size, m, M, least, found)
    return list(found[0:n])
