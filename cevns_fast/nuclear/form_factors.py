"""How the charge of a nucleus is spread: the form factors of its protons and neutrons."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.constants import HBAR_C
from cevns_fast.nuclear.electrons import BoundElectrons
from cevns_fast.nuclear.nuclei import Nuclide, nuclide

RadiusConvention = Literal["lewin-smith", "rms"]


NeutronRadius = float | Mapping[str, float] | tuple[tuple[str, float], ...] | None


class _Distributions:
    """What form factors share whose protons and neutrons have a radius each; `neutron_radius` is a rms radius."""

    convention: str
    neutron_radius: NeutronRadius
    #: The one that needs no measured radius.
    _other_convention: ClassVar[str] = "mass-number"

    def _size(self, nuclide: Nuclide, rms: float | None, name: str) -> float:
        """The size parameter: that of the convention, or of a distribution with this rms radius."""
        raise NotImplementedError

    def _of(self, q: Floats, size: float) -> Floats:
        """F at momentum transfers q (fm⁻¹)."""
        raise NotImplementedError

    def _check_neutron_radius(self) -> None:
        """Positive numbers, as a tuple that hashes."""
        if isinstance(self.neutron_radius, Mapping):
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
        """The size parameter of the protons, fm."""
        if self.convention != "rms":
            return self._size(nuclide, None, "")
        if nuclide.charge_radius is None:
            raise ValueError(
                f"charge radius of {nuclide.name}: has not been measured; must be given, "
                f"or the convention be {self._other_convention!r}"
            )
        return self._size(nuclide, nuclide.charge_radius, f"charge radius of {nuclide.name}")

    def neutron_radius_of(self, nuclide: Nuclide) -> float:
        """The size parameter of the neutrons, fm."""
        radius = self.neutron_radius
        if isinstance(radius, Mapping | tuple):
            radius = dict(radius).get(nuclide.name)
        if radius is None:
            return self.proton_radius(nuclide)
        return self._size(nuclide, radius, f"neutron_radius of {nuclide.name}")

    def proton(self, nuclide: Nuclide, T: ArrayLike) -> Floats:
        """F of the protons at recoil energies T (MeV)."""
        return self._of(momentum_transfer(nuclide, T), self.proton_radius(nuclide))

    def neutron(self, nuclide: Nuclide, T: ArrayLike) -> Floats:
        """F of the neutrons at recoil energies T (MeV)."""
        return self._of(momentum_transfer(nuclide, T), self.neutron_radius_of(nuclide))


def _root(name: str, rms: float, square: float, least: str) -> float:
    """√ of a size parameter's square; `ValueError` if the radius is too small for it."""
    if square <= 0:
        raise ValueError(f"{name} = {rms!r}: must be > {least} fm")
    return math.sqrt(square)


@dataclass(frozen=True)
class HelmFormFactor(_Distributions):
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

    Examples
    --------
    >>> import cevns_fast as cf
    >>> caesium = cf.nuclide("Cs133")
    >>> round(float(cf.HelmFormFactor().proton(caesium, 0.010)), 4)
    0.7773
    >>> wide = cf.HelmFormFactor("rms", neutron_radius={"Cs133": 5.01})
    >>> round(float(wide.neutron(caesium, 0.010)), 4)
    0.7597
    """

    convention: RadiusConvention = "lewin-smith"
    skin: float = 0.9
    neutron_radius: NeutronRadius = None

    _other_convention: ClassVar[str] = "lewin-smith"

    def __post_init__(self) -> None:
        validate.choice("convention", self.convention, ("lewin-smith", "rms"))
        validate.number("skin", self.skin, minimum=0.0)
        self._check_neutron_radius()

    def _size(self, nuclide: Nuclide, rms: float | None, name: str) -> float:
        """R₀."""
        if rms is None:
            c, a = 1.23 * nuclide.A ** (1 / 3) - 0.60, 0.52
            square = c * c + (7 / 3) * (math.pi * a) ** 2 - 5 * self.skin**2
            if square <= 0:
                raise ValueError(f"skin = {self.skin!r}: must be smaller, the radius R₀ of {nuclide.name} would vanish")
            return math.sqrt(square)
        square = (5 / 3) * (rms * rms - 3 * self.skin**2)
        return _root(name, rms, square, f"sqrt(3) × skin = {math.sqrt(3) * self.skin:g}")

    def _of(self, q: Floats, size: float) -> Floats:
        return helm(q, size, self.skin)


@dataclass(frozen=True)
class KleinNystrand(_Distributions):
    """A hard sphere folded with a Yukawa potential, F(q) = 3 j₁(qR)/(qR) / (1 + a²q²).

    Attributes
    ----------
    convention : {"mass-number", "rms"}
        How R follows from the nuclide: 1.23 A^(1/3) fm, or R² = (5/3)(R_rms² − 6a²) with the charge radius R_rms.
    range : float
        Range a of the potential, fm.
    neutron_radius : float or mapping of nuclide name to float, optional
        As for `HelmFormFactor`.

    Notes
    -----
    S. Klein and J. Nystrand, Phys. Rev. C 60 (1999) 014903, hep-ph/9902259.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> round(float(cf.KleinNystrand().proton(cf.nuclide("Cs133"), 0.010)), 4)
    0.7475
    """

    convention: Literal["mass-number", "rms"] = "mass-number"
    range: float = 0.7
    neutron_radius: NeutronRadius = None

    def __post_init__(self) -> None:
        validate.choice("convention", self.convention, ("mass-number", "rms"))
        validate.number("range", self.range, minimum=0.0)
        self._check_neutron_radius()

    def _size(self, nuclide: Nuclide, rms: float | None, name: str) -> float:
        """R."""
        if rms is None:
            return float(1.23 * nuclide.A ** (1 / 3))
        square = (5 / 3) * (rms * rms - 6 * self.range**2)
        return _root(name, rms, square, f"sqrt(6) × range = {math.sqrt(6) * self.range:g}")

    def _of(self, q: Floats, size: float) -> Floats:
        return np.asarray(helm(q, size, 0.0) / (1 + (self.range * q) ** 2))


@dataclass(frozen=True)
class SymmetrisedFermi(_Distributions):
    """The form factor of a symmetrised Fermi distribution with half-density radius c and diffuseness a.

    Attributes
    ----------
    convention : {"mass-number", "rms"}
        How c follows from the nuclide: 1.23 A^(1/3) − 0.60 fm, or c² = (5/3)(R_rms² − (7/5)π²a²) with the charge radius
        R_rms.
    diffuseness : float
        a, fm.
    neutron_radius : float or mapping of nuclide name to float, optional
        As for `HelmFormFactor`.

    Notes
    -----
    F = 3/(qc[(qc)² + x²]) (x/sinh x) [x sin(qc)/tanh x − qc cos(qc)], x = πqa. D. W. L. Sprung and J. Martorell, J.
    Phys. A 30 (1997) 6525.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> round(float(cf.SymmetrisedFermi().proton(cf.nuclide("Cs133"), 0.010)), 4)
    0.7777
    """

    convention: Literal["mass-number", "rms"] = "mass-number"
    diffuseness: float = 0.52
    neutron_radius: NeutronRadius = None

    def __post_init__(self) -> None:
        validate.choice("convention", self.convention, ("mass-number", "rms"))
        validate.number("diffuseness", self.diffuseness, positive=True)
        self._check_neutron_radius()

    def _size(self, nuclide: Nuclide, rms: float | None, name: str) -> float:
        """c."""
        if rms is None:
            return float(1.23 * nuclide.A ** (1 / 3) - 0.60)
        least = math.sqrt(7 / 5) * math.pi * self.diffuseness
        return _root(name, rms, (5 / 3) * (rms * rms - least**2), f"sqrt(7/5) π × diffuseness = {least:g}")

    def _of(self, q: Floats, size: float) -> Floats:
        """With sin z = z(1 − z² s) and cos z = 1 − z² k near zero, where 1/z³ would lose the digits."""
        z, x = q * size, math.pi * self.diffuseness * q
        small = z < 0.5
        safe_z, safe_x = np.where(small, 1.0, z), np.where(small, 1.0, x)
        bracket = safe_x * np.sin(safe_z) / np.tanh(safe_x) - safe_z * np.cos(safe_z)
        closed = 3 / (safe_z * (safe_z**2 + safe_x**2)) * (safe_x / np.sinh(safe_x)) * bracket
        # [x coth x sin z − z cos z]/z = z² S(z) + x² C(x) sin z/z, with series of even powers S and C.
        y, w = np.where(small, z * z, 0.0), np.where(small, x * x, 0.0)
        sinc = np.polynomial.polynomial.polyval(y, _SINC)
        with_cotangent = np.polynomial.polynomial.polyval(w, _COTANGENT)
        rest = np.polynomial.polynomial.polyval(y, _SINC_LESS_COSINE)
        size2, thick2 = size**2, (math.pi * self.diffuseness) ** 2
        mean = (size2 * rest + thick2 * with_cotangent * sinc) / (size2 + thick2)
        sinhc = np.polynomial.polynomial.polyval(w, np.abs(_SINC))
        return np.asarray(np.where(small, 3 * mean / sinhc, closed))


# Series in z²: sin z/z, and (sin z/z − cos z)/z²; in x²: (x coth x − 1)/x² from Bernoulli's numbers.
_SINC = np.array([(-1) ** n / math.factorial(2 * n + 1) for n in range(12)])
_SINC_LESS_COSINE = np.array([(-1) ** n * (2 * n + 2) / math.factorial(2 * n + 3) for n in range(12)])
_COTANGENT = np.array(
    [1 / 3, -1 / 45, 2 / 945, -1 / 4725, 2 / 93555, -1382 / 638512875, 4 / 18243225, -3617 / 162820783125]
)


@dataclass(frozen=True)
class PointNucleus:
    """F = 1: a nucleus without structure, good for reactor neutrinos.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> point = csi.replace(form_factor=cf.PointNucleus())
    >>> float((cf.event_rate(csi, cf.StandardModel()).sum() / cf.event_rate(point, cf.StandardModel()).sum()).round(2))
    0.51
    """

    def proton(self, nuclide: Nuclide, T: ArrayLike) -> Floats:
        """One at every recoil energy."""
        return np.ones_like(validate.real("T", T))

    neutron = proton


FormFactor = HelmFormFactor | KleinNystrand | SymmetrisedFermi | PointNucleus | BoundElectrons


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
