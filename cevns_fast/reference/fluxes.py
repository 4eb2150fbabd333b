"""Neutrino fluxes: what reaches the detector, by species."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cevns_fast.constants import M_MUON, M_PION
from cevns_fast.reference.channel import FLAVOURS, Beam, beam
from cevns_fast.reference.flavour import PHASE, oscillated_amplitude

__all__ = ["Flux", "fluxes"]

Floats = NDArray[np.float64]


class Flux(NamedTuple):
    """One species at the detector."""

    beam: Beam
    fluence: float
    """Neutrinos per cm² over the whole exposure, for spectrum and lines normalised to 1."""
    spectrum: Callable[[Floats, Floats], Floats] | None
    """(E, last breakpoint - E) → 1/MeV. The second argument keeps the digits of a spectrum that ends in 0."""
    breakpoints: tuple[float, ...]
    """Energies between which the spectrum is smooth, MeV."""
    lines: tuple[tuple[float, float], ...]
    """(energy, intensity)."""
    oscillation: Callable[[Floats], Any] | None = None
    """E → ρ(E), complex128[len(E), 3, 3], where it is not the same at all energies."""
    species: str = ""
    """What the source calls it."""

    def at(self, E: Floats) -> Beam:
        """What arrives at these energies."""
        return self.beam if self.oscillation is None else Beam(self.beam.antineutrino, self.oscillation(E))


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
        Flux(beam(False, "mu"), fluence, None, (), ((line, 1.0),), species="nu_mu"),
        Flux(beam(False, "e"), fluence, nu_e, (0.0, end), (), species="nu_e"),
        Flux(beam(True, "mu"), fluence, anti_nu_mu, (0.0, end), (), species="anti_nu_mu"),
    ]


def _of_energy(spectrum: Callable[[Floats], Any]) -> Callable[[Floats, Floats], Floats]:
    return lambda E, to_end: np.asarray(spectrum(E), dtype=np.float64)


def _flavour(component: Any) -> Any:
    """What a component says, or else what its name says."""
    stated = getattr(component, "flavour", None)
    if stated is not None:
        return stated
    return {"nu_e": "e", "nu_mu": "mu", "nu_tau": "tau"}.get(component.name.removeprefix("anti_"))


#: From this phase of sin² on, 50 periods, nothing resolves an oscillation: it is averaged.
UNRESOLVED = 50 * math.pi


def _oscillated(source: Any, flux: Flux) -> Flux:
    """3+1 at short distances: the active flavours of ν_α are ψ = e_α - U*_α4 u (1 - e^{-iΔm²L/2E})."""
    if flux.beam.density is None:
        raise ValueError("the source does not tell the flavour of its neutrinos")
    elements = [math.sqrt(getattr(source, f"U{name}4_sq")) for name in FLAVOURS]
    a = int(np.argmax(np.diag(flux.beam.density).real))
    distance = source.source.distance if source.distance is None else source.distance
    unresolved = PHASE * source.delta_m2 * distance / UNRESOLVED
    start, u = np.zeros(3), np.array(elements)
    start[a] = 1.0

    def density(E: Floats) -> Any:
        resolved = np.maximum(E, unresolved)
        states = oscillated_amplitude(FLAVOURS[a], elements, source.delta_m2, distance, resolved)
        rho = np.einsum("na,nb->nab", states, states.conj())
        # With the phase averaged, ⟨1 - e^{-iφ}⟩ = 1 and ⟨|1 - e^{-iφ}|²⟩ = 2.
        cross = np.outer(start, u * u[a])
        mean = np.outer(start, start) - cross - cross.T + 2 * np.outer(u, u) * u[a] ** 2
        return np.where((E < unresolved)[:, None, None], mean, rho)

    inside = flux.breakpoints and flux.breakpoints[0] < unresolved < flux.breakpoints[-1]
    breakpoints = tuple(sorted({*flux.breakpoints, unresolved})) if inside else flux.breakpoints
    return flux._replace(oscillation=density, breakpoints=breakpoints)


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
    if type(source).__name__ == "OscillatedSource":
        return [_oscillated(source, flux) for flux in fluxes(source.source, exposure)]
    if type(source).__name__ == "PionDecayAtRest":
        return _pion_decay_at_rest(source, exposure)
    fluence = source.fluence_per_exposure * exposure
    return [
        Flux(
            beam(component.antineutrino, _flavour(component)),
            fluence,
            None if component.spectrum is None else _of_energy(component.spectrum),
            tuple(component.breakpoints),
            tuple(component.lines),
            species=component.name,
        )
        for component in source.components
    ]
