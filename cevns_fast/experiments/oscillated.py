"""Sources whose neutrinos are others on arrival: 3+1 with a sterile neutrino, and mixing that is not unitary."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.constants import HBAR_C
from cevns_fast.experiments.sources import FluxComponent
from cevns_fast.interactions.process import FLAVOURS

# Δm² L/4E for eV², m and MeV: 1 eV² m/MeV = 1e-12 MeV² × 1e15 fm/MeV.
PHASE = 1e3 / (4 * HBAR_C)
# The argument of sin², 50 periods, from which on nothing resolves an oscillation: it is averaged.
UNRESOLVED = 50 * math.pi


@dataclass(frozen=True)
class OscillatedSource:
    """A source of neutrinos that have oscillated into a fourth, sterile one on their way to the detector.

    Attributes
    ----------
    source : PionDecayAtRest, Reactor or any Source
        Its components need a flavour.
    delta_m2 : float
        Δm²₄₁, eV², >= 0; the three light masses are equal.
    Ue4_sq, Umu4_sq, Utau4_sq : float
        Squares of the mixing matrix's elements, >= 0, together at most 1.
    distance : float or None
        From where they are made to the detector, m; None: the source's own.

    Raises
    ------
    ValueError
        If a number is out of range, there is no distance, or a component has no flavour.

    Notes
    -----
    ν_α becomes S ν_α with S = 1 − (1 − e^(−iφ)) u u†, φ = Δm² L/2E and u = (U_e4, U_μ4, U_τ4), real. What scatters
    coherently in the Standard Model is all that is active, ``1 − 4|U_α4|²|U_s4|² sin²(1.2669327 Δm² L/E)``, not what
    keeps its flavour. Where the argument of sin² exceeds 50π the oscillation is averaged.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> far = cf.OscillatedSource(csi.source, delta_m2=1.0, Ue4_sq=0.1, Umu4_sq=0.05)
    >>> lost = 1 - cf.event_rate(csi.replace(source=far), cf.StandardModel()) / cf.event_rate(csi, cf.StandardModel())
    >>> round(float(lost[0]), 3)
    0.094
    """

    source: Any
    delta_m2: float
    Ue4_sq: float = 0.0
    Umu4_sq: float = 0.0
    Utau4_sq: float = 0.0
    distance: float | None = None

    _ELEMENTS: ClassVar[tuple[str, ...]] = ("Ue4_sq", "Umu4_sq", "Utau4_sq")

    def __post_init__(self) -> None:
        if not hasattr(self.source, "components"):
            raise ValueError(f"source = {self.source!r}: must be a source, e.g. cevns_fast.PionDecayAtRest(19.3)")
        validate.number("delta_m2", self.delta_m2, minimum=0.0)
        for name in self._ELEMENTS:
            validate.number(name, getattr(self, name), minimum=0.0)
        total = sum(getattr(self, name) for name in self._ELEMENTS)
        if total > 1:
            stated = ", ".join(self._ELEMENTS)
            raise ValueError(f"{stated} = {total:g} together: must be at most 1, as mixing is unitary")
        if self.distance is None and getattr(self.source, "distance", None) is None:
            raise ValueError("distance = None: must be stated, as the source has none")
        if self.distance is not None:
            validate.number("distance", self.distance, minimum=0.0)
        for component in self.source.components:
            if component.density is None:
                raise ValueError(f"source: the flavour of {component.name!r} must be stated")

    @property
    def exposure_unit(self) -> str:
        """The source's."""
        return str(self.source.exposure_unit)

    @property
    def fluence_per_exposure(self) -> float:
        """Neutrinos per cm², before any is lost."""
        return float(self.source.fluence_per_exposure)

    @property
    def baseline(self) -> float:
        """m."""
        return float(self.source.distance if self.distance is None else self.distance)

    @property
    def components(self) -> tuple[FluxComponent, ...]:
        """Each of the source's, and what oscillation adds: fixed density matrices times functions of energy."""
        return _components(self)


@dataclass(frozen=True)
class _Oscillating:
    """A spectrum times sin²(k/E), or sin(2k/E); averaged below an energy."""

    spectrum: Callable[[Floats], Floats]
    k: float
    doubled: bool
    #: Relative to its largest value: the phase's rounding, times the largest phase.
    noise: ClassVar[float] = 4 * UNRESOLVED * float(np.finfo(float).eps)

    def __call__(self, E: Floats) -> Floats:
        return np.asarray(self.spectrum(E)) * _factor(E, self.k, self.doubled)


def _factor(E: Any, k: float, doubled: bool) -> Floats:
    """sin²(k/E), or sin(2k/E), or their means."""
    phase = k / np.maximum(E, np.finfo(float).tiny)
    seen = np.minimum(phase, UNRESOLVED)
    value = np.sin(2 * seen) if doubled else np.sin(seen) ** 2
    return np.asarray(np.where(phase < UNRESOLVED, value, 0.0 if doubled else 0.5))


@remember(maxsize=64)
def _components(source: OscillatedSource) -> tuple[FluxComponent, ...]:
    """SρS† = ρ + sin²(φ/2) [4AρA − 2(Aρ + ρA)] − i sin φ (Aρ − ρA), A = uu†."""
    u = np.sqrt([source.Ue4_sq, source.Umu4_sq, source.Utau4_sq])
    A, k = np.outer(u, u), PHASE * source.delta_m2 * source.baseline
    found: list[FluxComponent] = []
    for component in source.source.components:
        rho = component.density
        shifts = (4 * A @ rho @ A - 2 * (A @ rho + rho @ A), False), (-1j * (A @ rho - rho @ A), True)
        found.append(component)
        for matrix, doubled in shifts:
            if k > 0 and np.any(matrix != 0):
                found += _shifted(component, matrix, k, doubled)
    return tuple(found)


def _shifted(component: FluxComponent, matrix: Any, k: float, doubled: bool) -> list[FluxComponent]:
    """A component with another density matrix, its continuum times a function of energy and its lines, too."""
    found = []
    if component.spectrum is not None:
        E = k / UNRESOLVED
        inside = component.breakpoints[0] < E < component.breakpoints[-1]
        breakpoints = tuple(sorted({*component.breakpoints, E})) if inside else component.breakpoints
        spectrum = _Oscillating(component.spectrum, k, doubled)
        found.append(replace(component, spectrum=spectrum, breakpoints=breakpoints, lines=(), flavour=_plain(matrix)))
    for energy, intensity in component.lines:
        factor = float(_factor(energy, k, doubled))
        if factor != 0:
            line = ((energy, intensity * abs(factor)),)
            sign = math.copysign(1.0, factor)
            found.append(replace(component, spectrum=None, breakpoints=(), lines=line, flavour=_plain(sign * matrix)))
    return found


def _plain(matrix: Any) -> tuple[tuple[complex, ...], ...]:
    """As tuples, which hash."""
    return tuple(map(tuple, np.asarray(matrix, dtype=np.complex128).tolist()))


@dataclass(frozen=True)
class NonUnitarySource:
    """A source of neutrinos whose mixing with the light states is not unitary, at distances too short to oscillate.

    Attributes
    ----------
    source : PionDecayAtRest, Reactor or any Source
        Its components need a flavour by name.
    mixing : 3 × 3 numbers
        N, of the flavours e, μ, τ with the three light states.
    normalised : bool
        Whether the flux is measured where it is made, or computed from a decay that N has changed already: then the
        factor is divided by (NN†)_αα.
    from_muon_decay : bool
        Whether the Fermi constant is that of muon decay, which N has changed: rates then grow by
        1/[(NN†)_ee (NN†)_μμ].

    Raises
    ------
    ValueError
        If the mixing is not 3 × 3 finite numbers, or a component's flavour is not known by name.

    Notes
    -----
    For the Standard Model's neutral current and what else treats the flavours alike: ((NN†)³)_αα is the product of
    production, propagation and scattering. An interaction that tells flavours apart still sees flavour α alone.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> N = ((0.99, 0.0, 0.0), (0.0, 0.99, 0.0), (0.0, 0.0, 1.0))
    >>> lost = cf.event_rate(csi.replace(source=cf.NonUnitarySource(csi.source, N)), cf.StandardModel())
    >>> round(float(lost.sum() / cf.event_rate(csi, cf.StandardModel()).sum()), 6) == round(0.99**6, 6)
    True
    """

    source: Any
    mixing: Any
    normalised: bool = False
    from_muon_decay: bool = False

    def __post_init__(self) -> None:
        if not hasattr(self.source, "components"):
            raise ValueError(f"source = {self.source!r}: must be a source, e.g. cevns_fast.PionDecayAtRest(19.3)")
        validate.flag("normalised", self.normalised)
        validate.flag("from_muon_decay", self.from_muon_decay)
        try:
            N = np.array(self.mixing, dtype=np.complex128)
        except (TypeError, ValueError, OverflowError):
            N = np.zeros(0, dtype=np.complex128)
        if N.shape != (3, 3) or not np.isfinite(N).all():
            raise ValueError(f"mixing = {self.mixing!r}: must be 3 × 3 finite numbers")
        object.__setattr__(self, "mixing", _plain(N))
        for component in self.source.components:
            if not isinstance(component.flavour, str):
                raise ValueError(f"source: the flavour of {component.name!r} must be stated by name")

    @property
    def exposure_unit(self) -> str:
        """The source's."""
        return str(self.source.exposure_unit)

    @property
    def fluence_per_exposure(self) -> float:
        """Neutrinos per cm², if mixing were unitary."""
        return float(self.source.fluence_per_exposure)

    def factor(self, flavour: str) -> float:
        """What multiplies the rate of a flavour."""
        N = np.array(self.mixing)
        product, a = N @ N.conj().T, FLAVOURS.index(flavour)
        found = (product @ product @ product)[a, a].real
        if self.normalised:
            found /= product[a, a].real
        if self.from_muon_decay:
            found /= (product[0, 0] * product[1, 1]).real
        return float(found)

    @property
    def components(self) -> tuple[FluxComponent, ...]:
        """The source's, each with its factor as Tr ρ."""
        found = []
        for component in self.source.components:
            share = self.factor(component.flavour) * np.diag([component.flavour == name for name in FLAVOURS])
            found.append(replace(component, flavour=_plain(share)))
        return tuple(found)
