"""How the charge of a nucleus is spread: the form factors of its protons and neutrons."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.constants import HBAR_C
from cevns_fast.nuclear.electrons import BoundElectrons
from cevns_fast.nuclear.nuclei import Nuclide, nuclide

RadiusConvention = Literal["lewin-smith", "rms"]


@dataclass(frozen=True)
class HelmFormFactor:
    """Helm form factor of protons and neutrons, F(q) = 3 j₁(qR₀)/(qR₀) exp(−(qs)²/2).

    Attributes
    ----------
    convention : {"lewin-smith", "rms"}
        How R₀ follows from the nuclide: R₀² = c² + (7/3)π²a² − 5s² with c = 1.23 A^(1/3) − 0.60 fm,
        a = 0.52 fm (Lewin & Smith 1996), or R₀² = (5/3)(R² − 3s²) with the charge radius R.
    skin : float
        Surface thickness s, fm.
    neutron_radius : float or mapping of nuclide name to float, optional
        Root-mean-square radius of the neutron distribution, fm; R₀ then follows as for "rms".
        Without it, or for a nuclide that a mapping lacks, neutrons are distributed as protons.
    """

    convention: RadiusConvention = "lewin-smith"
    skin: float = 0.9
    neutron_radius: float | Mapping[str, float] | tuple[tuple[str, float], ...] | None = None

    def __post_init__(self) -> None:
        validate.choice("convention", self.convention, ("lewin-smith", "rms"))
        validate.number("skin", self.skin, minimum=0.0)
        if isinstance(self.neutron_radius, Mapping):  # a tuple keeps the form factor hashable
            object.__setattr__(self, "neutron_radius", tuple(self.neutron_radius.items()))
        if isinstance(self.neutron_radius, tuple):
            for pair in self.neutron_radius:
                if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)):
                    raise ValueError(f"neutron_radius = {pair!r}: must be a radius, or a mapping of nuclide to radius")
                validate.number(f"neutron_radius of {pair[0]}", pair[1], positive=True)
        elif self.neutron_radius is not None:
            validate.number("neutron_radius", self.neutron_radius, positive=True)

    def check(self, nuclides: Sequence[Nuclide]) -> None:
        """`ValueError` unless each of a target's nuclides has its radii, and each radius a nuclide."""
        if isinstance(self.neutron_radius, tuple):
            for name, _ in self.neutron_radius:
                if name not in [each.name for each in nuclides]:
                    nuclide(name)
        for each in nuclides:
            self.proton_radius(each)
            self.neutron_radius_of(each)

    def proton_radius(self, nuclide: Nuclide) -> float:
        """R₀ of the protons, fm."""
        if self.convention == "rms":
            if nuclide.charge_radius is None:
                raise ValueError(
                    f"charge radius of {nuclide.name}: has not been measured; must be given, "
                    "or the convention be 'lewin-smith'"
                )
            return self._from_rms(f"charge radius of {nuclide.name}", nuclide.charge_radius)
        c, a = 1.23 * nuclide.A ** (1 / 3) - 0.60, 0.52
        square = c * c + (7 / 3) * (math.pi * a) ** 2 - 5 * self.skin**2
        if square <= 0:
            raise ValueError(f"skin = {self.skin!r}: must be smaller, the radius R₀ of {nuclide.name} would vanish")
        return math.sqrt(square)

    def neutron_radius_of(self, nuclide: Nuclide) -> float:
        """R₀ of the neutrons, fm."""
        radius = self.neutron_radius
        if isinstance(radius, Mapping | tuple):
            radius = dict(radius).get(nuclide.name)
        if radius is None:
            return self.proton_radius(nuclide)
        return self._from_rms(f"neutron_radius of {nuclide.name}", radius)

    def _from_rms(self, name: str, rms: float) -> float:
        """R₀ of a distribution with this rms radius."""
        square = (5 / 3) * (rms * rms - 3 * self.skin**2)
        if square <= 0:
            raise ValueError(f"{name} = {rms!r}: must be > sqrt(3) × skin = {math.sqrt(3) * self.skin:g} fm")
        return math.sqrt(square)

    def proton(self, nuclide: Nuclide, T: ArrayLike) -> Floats:
        """F of the protons at recoil energies T (MeV)."""
        return helm(momentum_transfer(nuclide, T), self.proton_radius(nuclide), self.skin)

    def neutron(self, nuclide: Nuclide, T: ArrayLike) -> Floats:
        """F of the neutrons at recoil energies T (MeV)."""
        return helm(momentum_transfer(nuclide, T), self.neutron_radius_of(nuclide), self.skin)


@dataclass(frozen=True)
class PointNucleus:
    """F = 1: a nucleus without structure, good for reactor neutrinos."""

    def proton(self, nuclide: Nuclide, T: ArrayLike) -> Floats:
        """One at every recoil energy."""
        return np.ones_like(validate.real("T", T))

    neutron = proton


FormFactor = HelmFormFactor | PointNucleus | BoundElectrons


def momentum_transfer(nuclide: Nuclide, T: ArrayLike) -> Floats:
    """Momentum transfer q = sqrt(2MT) in fm⁻¹ at recoil energies T (MeV)."""
    return np.asarray(np.sqrt(2.0 * nuclide.mass * validate.real("T", T)) / HBAR_C)


def helm(q: ArrayLike, radius: float, skin: float) -> Floats:
    """Helm form factor at momentum transfers q (fm⁻¹), with R₀ and s in fm."""
    q = validate.real("q", q)
    x = q * radius
    small = np.abs(x) < 1.0  # sin x − x cos x cancels there; the series 3 j₁(x)/x does not
    y = np.where(small, x * x, 0.0)
    series = np.ones_like(y)
    for n in range(8, 0, -1):
        series = 1 - y / (2 * n * (2 * n + 3)) * series
    z = np.where(small, 1.0, x)
    closed = 3 * (np.sin(z) - z * np.cos(z)) / z**3
    return np.asarray(np.where(small, series, closed) * np.exp(-0.5 * (q * skin) ** 2))


def helm_form_factor(
    nuclide: Nuclide, T: ArrayLike, *, convention: RadiusConvention = "lewin-smith", skin: float = 0.9
) -> Floats | float:
    """Helm form factor F (not F²) of a nuclide.

    Parameters
    ----------
    nuclide : Nuclide
    T : array_like
        Recoil energy, MeV, >= 0.
    convention : {"lewin-smith", "rms"}
        Radius convention, see `HelmFormFactor`.
    skin : float
        Surface thickness s, fm.

    Returns
    -------
    float or ndarray
        F, dimensionless, with the shape of T; F(0) = 1.

    Raises
    ------
    ValueError
        If T is negative or not finite, or the convention is unknown.

    Notes
    -----
    R. H. Helm, Phys. Rev. 104 (1956) 1466, with q² = 2MT.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> cf.helm_form_factor(cf.nuclide("Cs133"), 0.0)
    1.0
    >>> round(cf.helm_form_factor(cf.nuclide("Cs133"), 0.015), 3)
    0.681
    """
    if not isinstance(nuclide, Nuclide):
        raise ValueError(f"nuclide = {nuclide!r}: must be a Nuclide, e.g. cevns_fast.nuclide('Cs133')")
    energies = validate.array("T", T, minimum=0.0)
    result = HelmFormFactor(convention, skin).proton(nuclide, energies)
    return float(result) if result.ndim == 0 else result
