"""Nuclear mass and form factors.

R. H. Helm, Phys. Rev. 104 (1956) 1466; radii: J. D. Lewin & P. F. Smith, Astropart. Phys. 6 (1996) 87.
S. Klein & J. Nystrand, Phys. Rev. C 60 (1999) 014903. Symmetrised Fermi distribution: D. W. L. Sprung & J. Martorell,
J. Phys. A 30 (1997) 6525.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cevns_fast.constants import ATOMIC_MASS_UNIT, HBAR_C, M_ELECTRON

__all__ = ["helm_form_factor", "nuclear_mass", "proton_and_neutron"]


def nuclear_mass(nuclide: Any) -> float:
    """Mass of the bare nucleus, MeV: the atom less its electrons, plus their binding energy.

    The binding energy of Z electrons, in eV, is that of Lunney, Pearson & Thibault, RMP 75 (2003) 1021,
    Eq. (A4).
    """
    binding = 14.4381 * nuclide.Z**2.39 + 1.55468e-6 * nuclide.Z**5.35
    return float(nuclide.atomic_mass * ATOMIC_MASS_UNIT - nuclide.Z * M_ELECTRON + 1e-6 * binding)


def _spherical_bessel(x: float) -> float:
    """3 j₁(x)/x = 3 (sin x - x cos x)/x³."""
    if x > 1:
        return 3 * (math.sin(x) - x * math.cos(x)) / x**3
    # sin x - x cos x cancels: sum the Taylor series instead.
    terms = (3 * (-1) ** k * x ** (2 * k) / ((2 * k + 3) * math.factorial(2 * k + 1)) for k in range(11))
    return math.fsum(terms)


def _helm(q: float, radius: float, skin: float) -> float:
    """F(q) = 3 j₁(q R₀)/(q R₀) exp(-(q s)²/2), with q in fm⁻¹ and lengths in fm."""
    return _spherical_bessel(q * radius) * math.exp(-((q * skin) ** 2) / 2)


def _radius_lewin_smith(nuclide: Any, skin: float) -> float:
    """R₀² = c² + (7/3) π² a² - 5 s² with c = 1.23 A^(1/3) - 0.60 fm and a = 0.52 fm."""
    c = 1.23 * (nuclide.Z + nuclide.N) ** (1 / 3) - 0.60
    return math.sqrt(c**2 + 7 / 3 * (math.pi * 0.52) ** 2 - 5 * skin**2)


def _radius_rms(rms: float, skin: float) -> float:
    """R₀² = (5/3)(R_rms² - 3 s²)."""
    return math.sqrt(5 / 3 * (rms**2 - 3 * skin**2))


def _radius(nuclide: Any, convention: str, skin: float) -> float:
    if convention == "lewin-smith":
        return _radius_lewin_smith(nuclide, skin)
    if convention == "rms":
        return _radius_rms(nuclide.charge_radius, skin)
    raise ValueError(f"convention = {convention!r}: must be 'lewin-smith' or 'rms'")


def _klein_nystrand(q: float, R: float, a: float) -> float:
    """3 j₁(qR)/(qR) / (1 + a²q²): a hard sphere of radius R folded with a Yukawa potential of range a, fm."""
    return _spherical_bessel(q * R) / (1 + (a * q) ** 2)


def _symmetrised_fermi(q: float, c: float, a: float) -> float:
    """3/(qc[(qc)² + x²]) (x/sinh x) [x sin(qc)/tanh x - qc cos(qc)] with x = πqa, lengths in fm."""
    z, x = q * c, math.pi * q * a
    if z < 0.1:
        # F = 1 - q²⟨r²⟩/6 + q⁴⟨r⁴⟩/120 with the moments of the distribution.
        b = (math.pi * a) ** 2
        r2 = 3 / 5 * c**2 + 7 / 5 * b
        r4 = 3 / 7 * c**4 + 18 / 7 * b * c**2 + 31 / 7 * b**2
        r6 = 1 / 3 * c**6 + 11 / 3 * b * c**4 + 239 / 15 * b**2 * c**2 + 381 / 15 * b**3
        return 1 - q**2 * r2 / 6 + q**4 * r4 / 120 - q**6 * r6 / 5040
    return 3 / (z * (z**2 + x**2)) * (x / math.sinh(x)) * (x * math.sin(z) / math.tanh(x) - z * math.cos(z))


def _shape(form_factor: Any, nuclide: Any, q: float, rms: float | None) -> float:
    """F of protons, or of nucleons with this rms radius."""
    kind, A = type(form_factor).__name__, nuclide.Z + nuclide.N
    if rms is None and form_factor.convention == "rms":
        rms = nuclide.charge_radius
    if kind == "KleinNystrand":
        a = form_factor.range
        return _klein_nystrand(q, 1.23 * A ** (1 / 3) if rms is None else math.sqrt(5 / 3 * (rms**2 - 6 * a**2)), a)
    if kind == "SymmetrisedFermi":
        a = form_factor.diffuseness
        c = 1.23 * A ** (1 / 3) - 0.60 if rms is None else math.sqrt(5 / 3 * (rms**2 - 7 / 5 * (math.pi * a) ** 2))
        return _symmetrised_fermi(q, c, a)
    if kind != "HelmFormFactor":
        raise TypeError(f"{kind} is not a form factor the reference knows")
    skin = form_factor.skin
    return _helm(q, _radius(nuclide, form_factor.convention, skin) if rms is None else _radius_rms(rms, skin), skin)


def _momentum_transfer(nuclide: Any, T: float) -> float:
    """q = sqrt(2MT) in fm⁻¹."""
    return math.sqrt(2 * nuclear_mass(nuclide) * T) / HBAR_C


def proton_and_neutron(form_factor: Any, nuclide: Any, T: float) -> tuple[float, float]:
    """F_p and F_n of a nuclide at a recoil energy T (MeV).

    Parameters
    ----------
    form_factor : HelmFormFactor, KleinNystrand, SymmetrisedFermi, PointNucleus or None
        Only its fields are read. None is Helm's with the Lewin-Smith radius.
    nuclide : Nuclide
    T : float

    Returns
    -------
    F_p, F_n : float
    """
    if type(form_factor).__name__ == "PointNucleus":
        return 1.0, 1.0
    q = _momentum_transfer(nuclide, T)
    if form_factor is None:
        F = _helm(q, _radius(nuclide, "lewin-smith", 0.9), 0.9)
        return F, F
    rms = form_factor.neutron_radius
    if rms is not None and not isinstance(rms, float | int):
        rms = dict(rms).get(nuclide.name)  # a nuclide that is not named keeps the proton's distribution
    proton = _shape(form_factor, nuclide, q, None)
    return proton, proton if rms is None else _shape(form_factor, nuclide, q, rms)


def helm_form_factor(nuclide: Any, T: ArrayLike, convention: str = "lewin-smith", skin: float = 0.9) -> Any:
    """Helm form factor F (not F²) of a nuclide.

    Parameters
    ----------
    nuclide : Nuclide
    T : array_like
        Recoil energy, MeV.
    convention : {"lewin-smith", "rms"}
        How the radius R₀ follows from the nuclide.
    skin : float
        Surface thickness s, fm.

    Returns
    -------
    float or ndarray

    Examples
    --------
    >>> import cevns_fast as cf
    >>> round(float(cf.reference.helm_form_factor(cf.nuclide("Cs133"), 0.010)), 4)
    0.7773
    """
    radius = _radius(nuclide, convention, skin)
    F = np.vectorize(lambda t: _helm(_momentum_transfer(nuclide, t), radius, skin), otypes=[float])(T)
    return float(F) if np.ndim(T) == 0 else F
