"""The rate kernel of ``rates.c`` for arrays: ∫dT R(T) F²(T) P(T) T^j μ_k(E_min(T)) for every bin. No validation."""

from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

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
# Where the coefficient of u^d stands in a row: two chains, each from its highest power down.
_ROW_OF_POWER = [HALF - 1 - d if d < HALF else COEFFICIENTS + HALF - 1 - d for d in range(COEFFICIENTS)]


def _struct(kind: str, arrays: Any, **sizes: float) -> Any:
    """A structure of the kernel's whose pointers are to the arrays of a dataclass, which must outlive it."""
    struct = ffi.new(f"{kind} *", sizes)
    for each in fields(arrays):
        if isinstance(array := getattr(arrays, each.name, None), np.ndarray):
            setattr(struct, each.name, read(array))
    return struct


@dataclass(frozen=True, eq=False)
class Flux:
    """Flux moments, see `piecewise.Moments`: a lane for each power of E and parity. Arrays are as in ``rates.h``."""

    breaks: Floats
    kinks: Floats
    inverse_width: Floats
    coefficients: Floats  # [pieces, groups, COEFFICIENTS + 1, GROUP]
    has_high_powers: bool
    struct: Any = field(init=False, repr=False)  # as the kernel sees it

    @classmethod
    def of(cls, breaks: Floats, kinks: Floats, value: Floats, coefficients: Floats) -> "Flux":
        """From what `piecewise.Moments` has: value[pieces, lanes] and coefficients[pieces, powers, lanes] of u^d."""
        pieces, count, lanes = coefficients.shape
        groups = -(-lanes // GROUP)
        rows = np.zeros((pieces, COEFFICIENTS + 1, groups * GROUP))
        for d in range(count):
            rows[:, _ROW_OF_POWER[d], :lanes] = coefficients[:, d]
        rows[:, -1, :lanes] = value
        return cls(
            breaks=breaks,
            kinks=kinks,
            inverse_width=1 / np.diff(breaks),
            coefficients=np.ascontiguousarray(rows.reshape(pieces, COEFFICIENTS + 1, groups, GROUP).swapaxes(1, 2)),
            has_high_powers=count > HALF,
        )

    def at(self, E: Floats) -> Floats:
        """Moments above energies E as the kernel evaluates them, float64[lanes, len(E)]; 0 beyond the end point."""
        x = np.clip(E, self.breaks[0], self.breaks[-1])
        piece = np.clip(np.searchsorted(self.breaks, x, side="left") - 1, 0, len(self.breaks) - 2)
        t = (self.breaks[piece + 1] - x) * self.inverse_width[piece]
        rows = self.coefficients[piece]
        p, u = np.zeros_like(rows[:, :, 0]), (2 * t - 1)[:, None, None]
        for d in reversed(range(COEFFICIENTS)):
            p = p * u + rows[:, :, _ROW_OF_POWER[d]]
        found = (rows[:, :, -1] + t[:, None, None] * p).reshape(len(x), rows.shape[1] * GROUP).T
        return np.where(E > self.breaks[-1], 0.0, found)

    def __post_init__(self) -> None:
        pieces, groups = self.coefficients.shape[:2]
        sizes = {"pieces": pieces, "groups": groups, "n_kinks": self.kinks.size}
        struct = _struct("rates_flux", self, has_high_powers=self.has_high_powers, **sizes)
        object.__setattr__(self, "struct", struct)


@dataclass(frozen=True, eq=False)
class Panels:
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
    growth: float
    split: float = 0.0
    struct: Any = field(init=False, repr=False)  # as the kernel sees it

    @classmethod
    def of(
        cls,
        mass: Floats,
        edges: Floats,
        bins: Integers,
        recoil: Floats,
        massless_energy: Floats,
        weight: Floats,
        feed_breaks: Floats,
        feed_coefficients: Floats,
        growth: float,
    ) -> "Panels":
        """Panels that all targets share.

        edges[panels + 1] in T, the first of the bins that each feeds (or those of each target), recoil[panels, NODES],
        massless_energy[targets, panels, NODES], weight[targets, fed, panels, NODES] for the bins that each panel feeds,
        the feed's coefficients[pieces, powers, targets x fed] of u^d, and the factor in T that a part of a panel spans.
        """
        targets, fed, panels, _ = weight.shape
        row = fed if fed == 1 else -(-fed // GROUP) * GROUP
        rows = np.zeros((targets, panels, NODES, row))
        rows[..., :fed] = np.moveaxis(weight, 1, -1)
        return cls(
            mass=mass,
            first_panel=np.arange(targets + 1) * panels,
            low=np.tile(edges[:-1], targets),
            high=np.tile(edges[1:], targets),
            first_bin=np.array(np.broadcast_to(bins, (targets, panels))).ravel(),
            bin_count=np.full(targets * panels, fed),
            recoil=np.tile(recoil.ravel(), targets),
            massless_energy=massless_energy.ravel(),
            mass_factor=(1 / (2 * mass[:, None, None] * recoil)).ravel(),
            weight=rows.ravel(),
            first_weight=np.arange(targets * panels) * NODES * row,
            first_piece=np.tile(np.searchsorted(feed_breaks, np.sqrt(edges[:-1])), targets),
            first_feed=np.repeat(np.arange(targets) * fed, panels),
            feed_breaks=feed_breaks,
            feed_coefficients=np.ascontiguousarray(feed_coefficients[:, ::-1]),
            growth=growth,
        )

    @property
    def bins(self) -> int:
        """Number of bins that the panels feed."""
        return int((self.first_bin + self.bin_count).max())

    def __post_init__(self) -> None:
        pieces, coefficients, outputs = self.feed_coefficients.shape
        sizes = {"feed_pieces": pieces, "feed_degree": coefficients - 1, "feed_outputs": outputs}
        object.__setattr__(
            self,
            "struct",
            _struct("rates_plan", self, targets=self.mass.size, growth=self.growth, split=self.split, **sizes),
        )


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
    struct: Any = field(init=False, repr=False)  # as the kernel sees it

    def __post_init__(self) -> None:
        sizes = {"cells": self.cell_power.size, "pairs": self.pair_row.size, "entries": self.mass_power.size}
        rows, power = self.coefficient.shape[1], self.propagator_power
        struct = _struct("rates_terms", self, coefficient_rows=rows, propagator_power=power, **sizes)
        object.__setattr__(self, "struct", struct)


def templates(
    flux: Flux,
    panels: Panels,
    terms: Terms,
    final_mass: Floats,
    mediator_mass: Floats,
    start: int,
    stop: int,
    out: Floats,
) -> None:
    """Add to out[mass, row, bin] for masses start … stop − 1."""
    done = lib.rates_templates(
        flux.struct, panels.struct, terms.struct, read(final_mass), read(mediator_mass), start, stop, *out.shape[1:],
        written(out),
    )  # fmt: skip
    if not done:
        raise MemoryError("no room for the sums of a rate")


class Nodes(NamedTuple):
    """Where the recoil integral is taken for one mass: nodes of all targets, one target after the other."""

    first_node: Integers  # [targets + 1]
    first_bin: Integers  # [nodes]
    recoil: Floats  # [nodes], T
    energy: Floats  # [nodes], E_min(T)
    weight: Floats  # [nodes, bins fed from the first on]: quadrature weight × form factors × response


def nodes(flux: Flux, panels: Panels, final_mass: float, mediator_mass: float = 0.0) -> Nodes:
    """The nodes that `templates` uses: its sums are Σ weight × T^j μ_k(energy), over a propagator if there is one.

    A panel that begins at T = 0 is split below the scale of a mediator's mass; without a propagator it is 0.
    """

    def of_target(target: int, *arrays: Any) -> int:
        n = int(lib.rates_nodes(flux.struct, panels.struct, target, final_mass, mediator_mass, *arrays))
        if n < 0:
            raise MemoryError("no room for the nodes of a rate")
        return n

    targets = range(panels.mass.size)
    first = np.cumsum([0] + [of_target(t, *[ffi.NULL] * 4) for t in targets])
    fed = int(panels.bin_count[0])
    found = Nodes(
        first, np.empty(first[-1], np.int64), np.empty(first[-1]), np.empty(first[-1]), np.empty((first[-1], fed))
    )
    for t in targets:
        part = slice(first[t], first[t + 1])
        of_target(t, *(written(each[part]) for each in found[1:]))
    return found


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
