"""Moments of a flux: μ_k(x) = ∫_x^∞ φ(E) E^k dE of all its components, as piecewise polynomials of x."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cevns_fast._kernels.rates import COEFFICIENTS, Flux
from cevns_fast._validate import Floats
from cevns_fast.counts import piecewise
from cevns_fast.experiments.sources import Source, kinks_of

Lane = tuple[bool, int]  # odd under ν ↔ ν̄, power of E


@dataclass(frozen=True, eq=False)
class FluxMoments:
    """Moments of a flux, and where those that were asked for are among them."""

    flux: Flux
    lane: tuple[int, ...]
    sign: tuple[float, ...]
    source: Source
    distinct: tuple[Lane, ...]  # parity and power of each lane that there is


@lru_cache(maxsize=128)
def flux_moments(source: Source, lanes: tuple[Lane, ...]) -> FluxMoments:
    """Moments of all flux components together, of these parities and powers of E."""
    components, kinks = source.components, kinks_of(source)
    parities = {c.antineutrino for c in components}
    # Where there are no neutrinos, or nothing else, odd moments are even ones up to a sign.
    kept = [lane if len(parities) > 1 else (False, lane[1]) for lane in lanes]
    distinct = tuple(dict.fromkeys(kept))
    signs = [[-1.0 if odd and c.antineutrino else 1.0 for odd, _ in distinct] for c in components]
    powers = np.array([k for _, k in distinct], dtype=np.float64)

    def density(E: Floats) -> Floats:
        total = np.zeros((len(distinct), E.size))
        for component, sign in zip(components, signs, strict=True):
            if component.spectrum is None:
                continue
            inside = (E > component.breakpoints[0]) & (E < component.breakpoints[-1])
            if inside.any():
                total[:, inside] += np.outer(sign, component.spectrum(E[inside])) * E[inside] ** powers[:, None]
        return total

    fitted = piecewise.fit(density, _ends(kinks), name="spectrum", degree=COEFFICIENTS - 1)
    lines = []
    for component, sign in zip(components, signs, strict=True):
        for energy, intensity in component.lines:
            lines.append((energy, intensity * np.array(sign) * energy**powers))
    found = piecewise.moments(fitted, lines)
    return FluxMoments(
        Flux.of(found.breaks, np.array(kinks, dtype=np.float64), found.value, found.coefficients),
        lane=tuple(distinct.index(lane) for lane in kept),
        sign=tuple(-1.0 if odd and parities == {True} else 1.0 for odd, _ in lanes),
        source=source,
        distinct=distinct,
    )


def _ends(kinks: tuple[float, ...]) -> list[float]:
    """Ends of intervals on which the density is smooth, with one below the lowest kink.

    There are no neutrinos there, but a line at the lowest kink counts below it and not above: it takes a piece on
    either side to tell.
    """
    return [0.5 * kinks[0], *kinks] if kinks[0] > 0 else list(kinks)


def moments_at(moments: FluxMoments, E: Floats) -> Floats:
    """Flux moments above energies E, float64[lanes, len(E)]; 0 beyond the end point."""
    return np.asarray(moments.flux.at(E)[list(moments.lane)] * np.array(moments.sign)[:, None])
