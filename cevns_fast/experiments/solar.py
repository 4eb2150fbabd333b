"""Solar neutrinos: what the Sun makes, and which flavours of it arrive.

They are made in dense matter, leave it adiabatically, and arrive as mass eigenstates that have lost their phases:
ρ = Σ_i P_i(E) |ν_i⟩⟨ν_i|. Each is a flux component, so that interactions see flavours and their coherence.
"""

import cmath
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.constants import AVOGADRO, G_FERMI, HBAR_C, SECONDS_PER_DAY
from cevns_fast.data import data_path, read_table
from cevns_fast.experiments.sources import FluxComponent
from cevns_fast.experiments.spectra import TabulatedSpectrum

#: Spectra that are tabulated, and the electron density, N_A/cm³, where these neutrinos are made: the value at the
#: radius of largest production in the model of J. N. Bahcall, A. M. Serenelli and S. Basu, ApJ 621 (2005) L85.
PRODUCTION_DENSITY = {"8B": 90.0, "hep": 65.0}
#: cm⁻² s⁻¹: ⁸B as XENON uses it (5.25e6), hep of the Standard Solar Model.
FLUXES = (("8B", 5.25e6), ("hep", 8e3))


@remember(maxsize=4)
def solar_spectrum(name: str) -> TabulatedSpectrum:
    """The spectrum of ⁸B or hep neutrinos, as it is tabulated."""
    columns = read_table(data_path("solar", f"{name.lower()}.csv"))
    E, values = ([float(cell) for cell in columns[key]] for key in ("E_MeV", "per_MeV"))
    return TabulatedSpectrum(tuple(E), tuple(values))


@dataclass(frozen=True)
class Solar:
    """Neutrinos of the Sun's ⁸B decays and of hep fusion, oscillated.

    Attributes
    ----------
    fluxes : mapping or tuple of (str, float)
        cm⁻² s⁻¹, all flavours, of ``"8B"`` and ``"hep"``.
    sin2_theta12, sin2_theta13, sin2_theta23 : float
        Mixing angles.
    delta_cp : float
        Radian.
    delta_m2_21 : float
        eV².
    exposure_unit : str
        "days".

    Raises
    ------
    ValueError
        If a number is out of range, or a flux is unknown.

    Notes
    -----
    Spectra: J. N. Bahcall et al., Phys. Rev. C 54 (1996) 411. Parameters: Particle Data Group 2024, normal ordering.
    P₃ = sin²θ₁₃ and P₁ = cos²θ₁₃ (1 + cos 2θ_m)/2, where the angle in matter has (A. Yu. Smirnov and M. Maltoni,
    Eur. Phys. J. A 52 (2016) 87, Eqs. (2.10)–(2.20))

        cos 2θ_m = (cos 2θ₁₂ − β)/√((cos 2θ₁₂ − β)² + sin² 2θ₁₂),  β = 2√2 G_F n_e cos²θ₁₃ E/Δm²₂₁.

    The density n_e is that where most of the neutrinos are made. Nothing is regenerated in the Earth. The exposure is
    counted in days.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> sun = cf.Solar()
    >>> [c.name for c in sun.components][:3]
    ['8B nu_1', '8B nu_2', '8B nu_3']
    >>> float(sun.survival("8B", [10.0])[0].round(3))
    0.325
    >>> sun.shares("8B", [10.0])[:, 0].round(3).tolist()  # of the three mass eigenstates
    [0.081, 0.897, 0.022]
    >>> sun.mixing.shape
    (3, 3)
    """

    fluxes: Mapping[str, float] | tuple[tuple[str, float], ...] = FLUXES
    sin2_theta12: float = 0.307
    sin2_theta13: float = 0.0219
    sin2_theta23: float = 0.558
    delta_cp: float = 1.19 * math.pi
    delta_m2_21: float = 7.53e-5
    exposure_unit: str = field(default="days", init=False)

    def __post_init__(self) -> None:
        try:
            given = dict(self.fluxes)
        except (TypeError, ValueError):
            raise ValueError(f"fluxes = {self.fluxes!r}: must be a mapping of spectrum to flux") from None
        if not given:
            raise ValueError(f"fluxes = {self.fluxes!r}: must have at least one")
        for name, flux in given.items():
            validate.choice("fluxes", name, PRODUCTION_DENSITY)
            validate.number(f"flux of {name}", flux, positive=True)
        object.__setattr__(self, "fluxes", tuple(given.items()))
        for name in ("sin2_theta12", "sin2_theta13", "sin2_theta23"):
            if not 0 <= validate.number(name, getattr(self, name)) <= 1:
                raise ValueError(f"{name} = {getattr(self, name)!r}: must be from 0 to 1")
        validate.number("delta_cp", self.delta_cp)
        validate.number("delta_m2_21", self.delta_m2_21, positive=True)

    @property
    def fluence_per_exposure(self) -> float:
        """Of a flux of 1 cm⁻² s⁻¹, per day."""
        return SECONDS_PER_DAY

    @property
    def components(self) -> tuple[FluxComponent, ...]:
        """Three mass eigenstates of each spectrum."""
        assert isinstance(self.fluxes, tuple)
        found = []
        for name, flux in self.fluxes:
            shape = solar_spectrum(name)
            for i in range(3):
                spectrum = partial(_arriving, self, name, i, flux)
                state = tuple(complex(x).conjugate() for x in self.mixing[:, i].tolist())
                found.append(FluxComponent(f"{name} nu_{i + 1}", False, spectrum, shape.breakpoints, flavour=state))
        return tuple(found)

    @property
    def mixing(self) -> Any:
        """U_αi in the Particle Data Group's convention, complex128[3, 3]; ⟨α|ν_i⟩ is its conjugate."""
        s = [math.sqrt(x) for x in (self.sin2_theta12, self.sin2_theta13, self.sin2_theta23)]
        c = [math.sqrt(1 - x * x) for x in s]
        phase = cmath.exp(1j * self.delta_cp)
        (s12, s13, s23), (c12, c13, c23) = s, c
        return np.array([
            [c12 * c13, s12 * c13, s13 / phase],
            [-s12 * c23 - c12 * s13 * s23 * phase, c12 * c23 - s12 * s13 * s23 * phase, c13 * s23],
            [s12 * s23 - c12 * s13 * c23 * phase, -c12 * s23 - s12 * s13 * c23 * phase, c13 * c23],
        ])  # fmt: skip

    def shares(self, name: str, E: Any) -> Floats:
        """P_i, the shares of the mass eigenstates among neutrinos of energies E (MeV), float64[3, len(E)]."""
        density = AVOGADRO * PRODUCTION_DENSITY[validate.choice("spectrum", name, PRODUCTION_DENSITY)]
        potential = math.sqrt(2) * G_FERMI * density * (HBAR_C * 1e-13) ** 3  # MeV
        cos2_13, cos_2theta = 1 - self.sin2_theta13, 1 - 2 * self.sin2_theta12
        beta = 2 * validate.real("E", E) * potential * cos2_13 / (self.delta_m2_21 * 1e-12)
        cos_matter = (cos_2theta - beta) / np.sqrt((cos_2theta - beta) ** 2 + 1 - cos_2theta**2)
        first = 0.5 * cos2_13 * (1 + cos_matter)
        return np.array([first, cos2_13 - first, np.full_like(first, self.sin2_theta13)])

    def survival(self, name: str, E: Any) -> Floats:
        """P_ee, the probability that a neutrino of energy E (MeV, array) arrives as ν_e."""
        shares: Floats = (np.abs(self.mixing[0]) ** 2) @ self.shares(name, E)
        return shares


def _arriving(sun: Solar, name: str, i: int, flux: float, E: Floats) -> Floats:
    """Neutrinos per MeV, cm² and second in a mass eigenstate."""
    shape = solar_spectrum(name)
    return np.asarray(flux / shape.integral * shape(E) * sun.shares(name, E)[i])
