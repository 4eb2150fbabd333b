"""Neutrino sources: what comes out of a spallation target or a reactor core.

A source is a set of flux components, each a spectrum, a line or both, and the fluence that one unit of exposure
brings to the detector. Everything is a plain field, so sources hash, compare and pickle.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cevns_fast import _validate as validate
from cevns_fast.constants import M_MUON, M_PION

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FluxComponent:
    """One neutrino species of a source.

    Attributes
    ----------
    name : str
        For example ``"nu_mu"``.
    antineutrino : bool
        Interference terms that are odd under ν ↔ ν̄ change their sign.
    spectrum : callable or None
        Neutrinos per MeV at energies E (MeV, array), per unit of the source's fluence.
    breakpoints : tuple of float
        Increasing energies, MeV: the ends of the spectrum and every point where it is not smooth.
    lines : tuple of (energy, intensity)
        Monochromatic neutrinos: MeV, and neutrinos per unit of the source's fluence.
    """

    name: str
    antineutrino: bool
    spectrum: Callable[[Floats], Floats] | None = None
    breakpoints: tuple[float, ...] = ()
    lines: tuple[tuple[float, float], ...] = ()


class Source(Protocol):
    """What a detector needs to know of a source."""

    @property
    def components(self) -> tuple[FluxComponent, ...]:
        """The neutrino species."""

    @property
    def fluence_per_exposure(self) -> float:
        """Neutrinos per cm² at the detector for one unit of exposure."""

    @property
    def exposure_unit(self) -> str:
        """The unit of exposure: "protons on target" or "days"."""


MUON_ENDPOINT = M_MUON / 2
PION_LINE = (M_PION**2 - M_MUON**2) / (2 * M_PION)


def _electron_neutrinos(E: Floats) -> Floats:
    """CL Eq. (9), second line, per ν_e and MeV."""
    x = E / M_MUON
    return 192 / M_MUON * x * x * (0.5 - x)


def _muon_antineutrinos(E: Floats) -> Floats:
    """CL Eq. (9), third line, per ν̄_μ and MeV."""
    x = E / M_MUON
    return 64 / M_MUON * x * x * (0.75 - x)


@dataclass(frozen=True)
class PionDecayAtRest:
    """Neutrinos of pions and muons that decay at rest: ν_μ (a line), ν_e and ν̄_μ.

    Attributes
    ----------
    distance : float
        From source to detector, m.
    neutrinos_per_proton : float
        Neutrinos of each species per proton on target.

    Notes
    -----
    Chang & Liao 2020, Eq. (9). The exposure is counted in protons on target.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> [c.name for c in cf.PionDecayAtRest(distance=19.3).components]
    ['nu_mu', 'nu_e', 'anti_nu_mu']
    """

    distance: float
    neutrinos_per_proton: float = 0.08
    exposure_unit: str = field(default="protons on target", init=False)

    def __post_init__(self) -> None:
        validate.number("distance", self.distance, positive=True)
        validate.number("neutrinos_per_proton", self.neutrinos_per_proton, positive=True)

    @property
    def components(self) -> tuple[FluxComponent, ...]:
        """ν_μ, ν_e and ν̄_μ, each normalised to one."""
        return (
            FluxComponent("nu_mu", antineutrino=False, lines=((PION_LINE, 1.0),)),
            FluxComponent("nu_e", False, _electron_neutrinos, (0.0, MUON_ENDPOINT)),
            FluxComponent("anti_nu_mu", True, _muon_antineutrinos, (0.0, MUON_ENDPOINT)),
        )

    @property
    def fluence_per_exposure(self) -> float:
        """Neutrinos of each species per cm² and proton on target."""
        return self.neutrinos_per_proton / (4 * math.pi * (100 * self.distance) ** 2)
