"""Neutrino fluxes: what reaches the detector, by species."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cevns_fast.constants import M_MUON, M_PION

__all__ = ["Flux", "fluxes"]

Floats = NDArray[np.float64]


class Flux(NamedTuple):
    """One species at the detector."""

    antineutrino: bool
    fluence: float
    """Neutrinos per cm² over the whole exposure, for spectrum and lines normalised to 1."""
    spectrum: Callable[[Floats, Floats], Floats] | None
    """(E, last breakpoint - E) → 1/MeV. The second argument keeps the digits of a spectrum that ends in 0."""
    breakpoints: tuple[float, ...]
    """Energies between which the spectrum is smooth, MeV."""
    lines: tuple[tuple[float, float], ...]
    """(energy, intensity)."""


def _pion_decay_at_rest(source: Any, exposure: float) -> list[Flux]:
    """CL Eq. (9), each species normalised to one; the factor N there is r t N_POT/(4πL²)."""
    fluence = source.neutrinos_per_proton * exposure / (4 * math.pi * (source.distance * 100) ** 2)
    end = M_MUON / 2  # massless electrons

    def nu_e(E: Floats, to_end: Floats) -> Floats:
        return 192 / M_MUON * (E / M_MUON) ** 2 * (to_end / M_MUON)  # 1/2 - E/m_μ = (m_μ/2 - E)/m_μ

    def anti_nu_mu(E: Floats, to_end: Floats) -> Floats:
        return 64 / M_MUON * (E / M_MUON) ** 2 * (3 / 4 - E / M_MUON)

    # (2m_π/(m_π² - m_μ²)) δ(1 - 2E m_π/(m_π² - m_μ²)) = δ(E - E₀)
    line = (M_PION**2 - M_MUON**2) / (2 * M_PION)
    return [
        Flux(False, fluence, None, (), ((line, 1.0),)),
        Flux(False, fluence, nu_e, (0.0, end), ()),
        Flux(True, fluence, anti_nu_mu, (0.0, end), ()),
    ]


def _of_energy(spectrum: Callable[[Floats], Any]) -> Callable[[Floats, Floats], Floats]:
    return lambda E, to_end: np.asarray(spectrum(E), dtype=np.float64)


def fluxes(source: Any, exposure: float) -> list[Flux]:
    """The species of a source after an exposure.

    Parameters
    ----------
    source : PionDecayAtRest, or any object with `components` and `fluence_per_exposure`
    exposure : float
        In the source's unit.

    Returns
    -------
    list of Flux
    """
    if type(source).__name__ == "PionDecayAtRest":
        return _pion_decay_at_rest(source, exposure)
    fluence = source.fluence_per_exposure * exposure
    return [
        Flux(
            component.antineutrino,
            fluence,
            None if component.spectrum is None else _of_energy(component.spectrum),
            tuple(component.breakpoints),
            tuple(component.lines),
        )
        for component in source.components
    ]
