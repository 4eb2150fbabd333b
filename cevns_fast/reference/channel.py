"""What a cross section is to the integrals: a final fermion and a list of terms."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["FLAVOURS", "Beam", "Channel", "beam", "rows"]

Floats = NDArray[np.float64]

FLAVOURS = ("e", "mu", "tau")


class Beam(NamedTuple):
    """What arrives: neutrinos or antineutrinos, and ρ_ab = ⟨a|ν⟩⟨ν|b⟩ in the order e, μ, τ."""

    antineutrino: bool
    density: NDArray[np.complex128] | None
    """[3, 3], or [n, 3, 3] at n energies; None where nobody said: good for what treats all flavours alike."""

    @property
    def weight(self) -> Any:
        """Tr ρ: how many neutrinos."""
        rho = self.density
        return 1.0 if rho is None else (rho[..., 0, 0] + rho[..., 1, 1] + rho[..., 2, 2]).real


def beam(antineutrino: bool, flavour: Any = None) -> Beam:
    """From the name of a flavour, a state in flavour space, or a density matrix."""
    if flavour is None:
        return Beam(antineutrino, None)
    if isinstance(flavour, str):
        if flavour not in FLAVOURS:
            raise ValueError(f"flavour = {flavour!r}: must be one of {FLAVOURS}")
        flavour = [float(flavour == name) for name in FLAVOURS]
    array = np.array(flavour, dtype=np.complex128)
    return Beam(antineutrino, np.outer(array, array.conj()) if array.ndim == 1 else array)


class Channel(NamedTuple):
    """ν N → f N with a certain final fermion f. Channels do not interfere with one another."""

    mass: float
    """Of f, MeV."""
    terms: Callable[[Floats, float, Beam], Floats]
    """(E, T, beam) → the terms of dσ/dT, MeV⁻³, float64[n_terms, len(E)]."""


def rows(terms: Sequence[Any], E: Floats) -> Floats:
    """Terms, each a number or an array, as float64[n_terms, len(E)]."""
    result = np.empty((len(terms), E.size))
    for row, term in zip(result, terms, strict=True):
        row[:] = term
    return result
