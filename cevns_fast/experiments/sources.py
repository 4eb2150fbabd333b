"""Neutrino sources: what comes out of a spallation target or a reactor core.

A source is a set of flux components, each a spectrum, a line or both, and the fluence that one unit of exposure
brings to the detector. Everything is a plain field, so sources hash, compare and pickle.
"""

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cevns_fast import _validate as validate
from cevns_fast._support.quadrature import gauss_legendre
from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.constants import M_MUON, M_PION, SECONDS_PER_DAY, WATT_IN_MEV_PER_SECOND
from cevns_fast.experiments import spectra
from cevns_fast.experiments.spectra import TabulatedSpectrum
from cevns_fast.interactions.process import FLAVOURS


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
        Neutrinos per MeV at energies E (MeV, array), per unit of the source's fluence. It is compiled once: what it
        reads, globals and attributes included, must not change while an experiment with it is in use.
    breakpoints : tuple of float
        Increasing energies, MeV: the ends of the spectrum and every point where it is not smooth.
    lines : tuple of (energy, intensity)
        Monochromatic neutrinos, in any order: MeV, > 0, and neutrinos per unit of the source's fluence.
    flavour : "e", "mu", "tau", (complex, complex, complex), 3 × 3 tuples or None
        By name, as a state (⟨e|ν⟩, ⟨μ|ν⟩, ⟨τ|ν⟩), or as a hermitian density matrix ρ_ab = ⟨a|ν⟩⟨ν|b⟩ whose trace
        multiplies the neutrinos. None: what the name says; if that is none of ``nu_e``, ``nu_mu``, ``nu_tau``
        and their antineutrinos, interactions that tell flavours apart refuse the source.

    Raises
    ------
    ValueError
        If there is neither a spectrum nor a line, a number is out of range, or the flavour is none of these.

    Examples
    --------
    >>> import numpy as np
    >>> import cevns_fast as cf
    >>> chromium = cf.FluxComponent("nu_e", antineutrino=False, lines=((0.75, 0.90), (0.43, 0.10)))
    >>> chromium.lines
    ((0.75, 0.9), (0.43, 0.1))
    >>> flat = cf.FluxComponent("nu_mu", False, spectrum=lambda E: np.full_like(E, 0.02), breakpoints=(0.0, 50.0))
    >>> flat.breakpoints
    (0.0, 50.0)
    """

    name: str
    antineutrino: bool
    spectrum: Callable[[Floats], Floats] | None = None
    breakpoints: tuple[float, ...] = ()
    lines: tuple[tuple[float, float], ...] = ()
    flavour: Any = None

    def __post_init__(self) -> None:
        validate.text("name", self.name)
        validate.flag("antineutrino", self.antineutrino)
        validate.sequence("lines", self.lines, object, "pairs of energy and intensity")
        self._check_flavour()
        if self.spectrum is not None:
            if not callable(self.spectrum) or isinstance(self.spectrum, type):
                raise ValueError(f"spectrum = {self.spectrum!r}: must be a function of energy, or None")
            validate.increasing("breakpoints", self.breakpoints, minimum=0.0)
        elif len(self.breakpoints):
            raise ValueError(f"breakpoints = {self.breakpoints!r}: must be left out where there is no spectrum")
        elif not len(self.lines):
            raise ValueError("spectrum = None: must be a function of energy where there is no line")
        for line in self.lines:
            if not isinstance(line, tuple | list) or len(line) != 2:
                raise ValueError(f"lines = {line!r}: must be pairs of energy and intensity")
            energy = validate.number("lines", line[0], positive=True)
            validate.number(f"lines: intensity at {energy:g} MeV", line[1], minimum=0.0)

    def _check_flavour(self) -> None:
        """What the name says where nothing is stated; plain tuples, so that the component hashes."""
        if self.flavour is None:
            stated = self.name.removeprefix("anti_").removeprefix("nu_")
            if self.name.removeprefix("anti_").startswith("nu_") and stated in FLAVOURS:
                object.__setattr__(self, "flavour", stated)
        elif isinstance(self.flavour, str):
            validate.choice("flavour", self.flavour, FLAVOURS)
        else:
            try:
                array = np.array(self.flavour, dtype=np.complex128)
            except (TypeError, ValueError, OverflowError):
                array = np.zeros(0, dtype=np.complex128)  # no shape that is right
            hermitian = array.shape == (3, 3) and np.allclose(array, array.conj().T, rtol=0, atol=1e-14)
            if not np.isfinite(array).all() or not (array.shape == (3,) or hermitian):
                raise ValueError(
                    f"flavour = {self.flavour!r}: must be one of {', '.join(map(repr, FLAVOURS))}, "
                    "a state of 3 numbers or a hermitian 3 × 3 matrix"
                )
            plain = array.tolist()
            object.__setattr__(self, "flavour", tuple(map(tuple, plain)) if array.ndim == 2 else tuple(plain))

    @property
    def density(self) -> NDArray[np.complex128] | None:
        """ρ, complex128[3, 3]; None if nobody knows the flavour."""
        if self.flavour is None:
            return None
        named = isinstance(self.flavour, str)
        state = np.array([self.flavour == f for f in FLAVOURS] if named else self.flavour, dtype=np.complex128)
        return state if state.ndim == 2 else np.outer(state, state.conj())

    @property
    def neutrinos(self) -> float:
        """Tr ρ: what multiplies the spectrum where flavour does not matter."""
        rho = None if isinstance(self.flavour, str) else self.density
        return 1.0 if rho is None else float(np.trace(rho).real)


class Source(Hashable, Protocol):
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


def kinks_of(source: Source) -> tuple[float, ...]:
    """Energies (MeV), increasing, at which a flux is not smooth: breakpoints, ends of spectra, and lines."""
    return tuple(sorted({E for c in source.components for E in (*c.breakpoints, *(line[0] for line in c.lines))}))


def endpoint_of(source: Source) -> float:
    """Highest neutrino energy, MeV."""
    return kinks_of(source)[-1]


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
    exposure_unit : str
        "protons on target".

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


HighEnergy = Literal["huber-mueller", "mueller", "kopeikin"]
LowEnergy = Literal["vogel-engel", "kopeikin"]
TYPICAL_FRACTIONS = (("U235", 0.58), ("U238", 0.07), ("Pu239", 0.30), ("Pu241", 0.05))


@dataclass(frozen=True)
class Reactor:
    """Electron antineutrinos of a reactor core.

    Attributes
    ----------
    thermal_power : float or None
        GW; together with `distance`, or else `total_flux`.
    distance : float or None
        From core to detector, m.
    total_flux : float or None
        Antineutrinos of all energies per cm² and second, where that is stated instead.
    fission_fractions : mapping or tuple of (isotope, fraction)
        Of U235, U238, Pu239, Pu241; they add up to 1. Kopeikin's spectrum has its own.
    high_energy : {"huber-mueller", "mueller", "kopeikin"}
        The spectrum above 2 MeV: Huber's fits for U235, Pu239 and Pu241 with Mueller's for U238, Mueller's for
        all, or Kopeikin's table.
    low_energy : {"vogel-engel", "kopeikin"}
        The spectrum below 2 MeV, where the fits do not hold: Vogel and Engel's table of each isotope, or Kopeikin's
        of the whole reactor, which includes neutron capture. Neither is continued below its first point.
    energy_per_fission : float
        MeV.
    endpoint : float
        Where the spectrum ends, MeV: at most 8, to which the fits are valid, or 9 for Kopeikin's.
    exposure_unit : str
        "days", at full power.

    Raises
    ------
    ValueError
        If a number is out of range, a name unknown, or the flux stated twice or not at all.

    Notes
    -----
    P. Huber, Phys. Rev. C 84 (2011) 024617; T. A. Mueller et al., Phys. Rev. C 83 (2011) 054615; P. Vogel and
    J. Engel, Phys. Rev. D 39 (1989) 3378; V. I. Kopeikin, Phys. At. Nucl. 75 (2012) 143. The exposure is counted in
    days at full power.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> brokdorf = cf.Reactor(thermal_power=3.9, distance=17.0)
    >>> f"{brokdorf.flux:.3g} /cm²/s, {brokdorf.antineutrinos_per_fission:.2f} per fission"
    '1.83e+13 /cm²/s, 5.61 per fission'
    >>> cf.Reactor(total_flux=2.5e13).flux
    25000000000000.0
    """

    thermal_power: float | None = None
    distance: float | None = None
    total_flux: float | None = None
    fission_fractions: Mapping[str, float] | tuple[tuple[str, float], ...] = TYPICAL_FRACTIONS
    high_energy: HighEnergy = "huber-mueller"
    low_energy: LowEnergy = "vogel-engel"
    energy_per_fission: float = 205.8
    endpoint: float = 8.0
    exposure_unit: str = field(default="days", init=False)

    def __post_init__(self) -> None:
        stated = {"thermal_power": self.thermal_power, "distance": self.distance, "total_flux": self.total_flux}
        given = tuple(name for name, value in stated.items() if value is not None)
        if given not in (("thermal_power", "distance"), ("total_flux",)):
            raise ValueError(
                f"thermal_power, distance, total_flux = {', '.join(map(repr, stated.values()))}: "
                "must be both thermal_power and distance, or total_flux alone"
            )
        for name in given:
            validate.number(name, stated[name], positive=True)
        self._check_fractions()
        validate.choice("high_energy", self.high_energy, spectra.HIGHEST)
        validate.choice("low_energy", self.low_energy, spectra.LOW_ENERGY)
        validate.number("energy_per_fission", self.energy_per_fission, positive=True)
        highest = spectra.HIGHEST[self.high_energy]
        if not spectra.JUNCTION < validate.number("endpoint", self.endpoint) <= highest:
            raise ValueError(
                f"endpoint = {self.endpoint!r}: must be > {spectra.JUNCTION:g} and <= {highest:g} MeV, "
                f"where {self.high_energy} ends"
            )

    def _check_fractions(self) -> None:
        try:
            fractions = dict(self.fission_fractions)
        except (TypeError, ValueError):
            given = self.fission_fractions
            raise ValueError(f"fission_fractions = {given!r}: must be a mapping of isotope to fraction") from None
        for isotope, fraction in fractions.items():
            validate.choice("fission_fractions", isotope, spectra.ISOTOPES)
            validate.number(f"fission_fractions: {isotope}", fraction, minimum=0.0)
        if abs(sum(fractions.values()) - 1) > 1e-6:
            raise ValueError(f"fission_fractions = {fractions}: must add up to 1")
        object.__setattr__(self, "fission_fractions", tuple(fractions.items()))  # a mapping would not hash

    def spectrum(self, E: ArrayLike) -> Floats:
        """Antineutrinos per fission and MeV at energies E (MeV); 0 beyond the ends of the spectrum."""
        E = validate.real("E", E)
        inside = E <= self.endpoint
        return np.where(E < spectra.JUNCTION, self._below(E), np.where(inside, self._above(E), 0.0))

    @property
    def _below(self) -> TabulatedSpectrum:
        """The table below 2 MeV."""
        if self.low_energy == "kopeikin":
            return spectra.kopeikin()
        energies, isotopes = spectra.vogel_engel()
        values = np.sum([share * isotopes[isotope] for isotope, share in dict(self.fission_fractions).items()], axis=0)
        return TabulatedSpectrum(tuple(energies.tolist()), tuple(values.tolist()))

    def _above(self, E: Floats) -> Floats:
        """The fits or the table above 2 MeV."""
        if self.high_energy == "kopeikin":
            return spectra.kopeikin()(E)
        inside = np.clip(E, spectra.JUNCTION, self.endpoint)  # outside, where it is not used, it could overflow
        fits = spectra.polynomials(self.high_energy)
        total = np.zeros_like(inside)
        for isotope, share in dict(self.fission_fractions).items():
            total += share * np.exp(np.polynomial.polynomial.polyval(inside, fits[isotope]))
        return total

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Energies between which the spectrum is smooth, MeV."""
        below = [E for E in self._below.breakpoints if E < spectra.JUNCTION]
        above = spectra.kopeikin().breakpoints if self.high_energy == "kopeikin" else ()
        inside = [E for E in above if spectra.JUNCTION < E < self.endpoint]
        return (*below, spectra.JUNCTION, *inside, self.endpoint)

    @property
    def antineutrinos_per_fission(self) -> float:
        """∫ of the spectrum over all energies."""
        return _antineutrinos_per_fission(self)

    @property
    def flux(self) -> float:
        """Antineutrinos of all energies per cm² and second."""
        if self.thermal_power is None or self.distance is None:
            assert self.total_flux is not None
            return self.total_flux
        fissions = self.thermal_power * 1e9 * WATT_IN_MEV_PER_SECOND / self.energy_per_fission
        return fissions * self.antineutrinos_per_fission / (4 * math.pi * (100 * self.distance) ** 2)

    @property
    def fluence_per_exposure(self) -> float:
        """Antineutrinos per cm² and day."""
        return self.flux * SECONDS_PER_DAY

    @property
    def components(self) -> tuple[FluxComponent, ...]:
        """ν̄_e, normalised to one."""
        return (FluxComponent("anti_nu_e", True, self._normalised, self.breakpoints),)

    def _normalised(self, E: Floats) -> Floats:
        return self.spectrum(E) / self.antineutrinos_per_fission


@remember(maxsize=128)
def _antineutrinos_per_fission(reactor: Reactor) -> float:
    """Gauss–Legendre between breakpoints: tables are straight there, and the fits smooth."""
    x, w = gauss_legendre(40)
    edges = np.array(reactor.breakpoints)
    half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    return float(half @ (reactor.spectrum(middle[:, None] + half[:, None] * x) @ w))


@dataclass(frozen=True)
class TabulatedSource:
    """Neutrinos of one species with a spectrum of one's own.

    Attributes
    ----------
    spectrum : TabulatedSpectrum
    total_flux : float or None
        Neutrinos of all energies per cm² and second. None: the spectrum's values are per cm², second and MeV.
    antineutrino : bool
    species : str
        What to call the neutrinos.
    exposure_unit : str
        "days".

    Raises
    ------
    ValueError
        If the flux is not positive, or the spectrum is not a `TabulatedSpectrum`.

    Notes
    -----
    The exposure is counted in days. For several species write a class with the fields of `Source`.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> line = cf.TabulatedSource(cf.TabulatedSpectrum((0.5, 8.0), (1e12, 1e8), "log", uncertainty=0.03))
    >>> f"{line.flux:.3e} /cm²/s within {line.flux_uncertainty:.0%}"
    '8.142e+11 /cm²/s within 3%'
    """

    spectrum: TabulatedSpectrum
    total_flux: float | None = None
    antineutrino: bool = True
    species: str = "anti_nu_e"
    exposure_unit: str = field(default="days", init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.spectrum, TabulatedSpectrum):
            raise ValueError(f"spectrum = {self.spectrum!r}: must be a TabulatedSpectrum")
        if self.total_flux is not None:
            validate.number("total_flux", self.total_flux, positive=True)
        if not isinstance(self.antineutrino, bool):
            raise ValueError(f"antineutrino = {self.antineutrino!r}: must be True or False")
        validate.text("species", self.species)

    @property
    def flux(self) -> float:
        """Neutrinos of all energies per cm² and second."""
        return self.spectrum.integral if self.total_flux is None else self.total_flux

    @property
    def flux_uncertainty(self) -> float:
        """Relative uncertainty of the flux, if everything in the table moves together."""
        return self.spectrum.integral_uncertainty

    @property
    def fluence_per_exposure(self) -> float:
        """Neutrinos per cm² and day."""
        return self.flux * SECONDS_PER_DAY

    @property
    def components(self) -> tuple[FluxComponent, ...]:
        """The species, normalised to one."""
        return (FluxComponent(self.species, self.antineutrino, self._normalised, self.spectrum.breakpoints),)

    def _normalised(self, E: Floats) -> Floats:
        return self.spectrum(E) / self.spectrum.integral
