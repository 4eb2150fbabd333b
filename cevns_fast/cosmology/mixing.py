"""χ that mixes with neutrinos, and a dipole from loops: Chang & Liao 2020 (CL), Appendix B and Eq. (21)."""

import math
import re
from typing import Any, NamedTuple

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.constants import G_FERMI, M_BOTTOM, M_W, SIN2_THETA_W
from cevns_fast.nuclear.nuclei import Nuclide, Target, nuclide


class ZWidthBound(NamedTuple):
    """Largest Σ``|U_li|²`` over heavy states at two sigma from the invisible width of the Z, in three readings.

    Attributes
    ----------
    exact : float
        With δΓ/Γ = −(2/3) Σ``|U|²``: light states count 3 − 2 Σ``|U|²``.
    published : float
        With (B3) as printed, δΓ/Γ = −2 Σ``|U|²``.
    as_quoted : float
        The 1.1e-2 of (B4), which is ``|δΓ/Γ|`` itself.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> bound = cf.cosmology.z_width_bound()
    >>> type(bound).__name__, bound._fields
    ('ZWidthBound', ('exact', 'published', 'as_quoted'))
    """

    exact: float
    published: float
    as_quoted: float


def mixing_bound(limit: Any, target: Any = "CsI", sin2_theta_w: float = SIN2_THETA_W) -> Floats:
    """Bound on Σ``|U_li|²`` of light sterile states from a bound on the vector coupling, CL (B5).

    Parameters
    ----------
    limit : array_like or LimitCurve
        Bound on ``|C_V|² + |D_A|²`` as in CL Eq. (19), per quark; or the curve of a `limit_scan` of "C_V", of which
        the square is taken.
    target : str, Nuclide, Target or Experiment
        What was hit: a formula as "CsI" or "Ge", a nuclide as "Ar40", or an object that knows it.
    sin2_theta_w : float

    Returns
    -------
    float64

    Raises
    ------
    ValueError
        If a bound is negative, or the target unknown.

    Notes
    -----
    A nucleus sees ``|C_V|`` = ``|D_A|`` = ½ Q_w ``|U|`` with Q_w = N − Z(1 − 4s_W²), and a universal quark coupling
    as 3A C_V: Σ``|U|²`` < 18 (A/Q_w)² × bound. Rates of several nuclides add up: ΣA²/ΣQ_w².

    Examples
    --------
    >>> import cevns_fast as cf
    >>> [round(float(cf.cosmology.mixing_bound(b, t)), 4) for b, t in ((1.1e-2, "CsI"), (4.2e-3, "Ar40"))]
    [0.6465, 0.2838]
    """
    if hasattr(limit, "upper"):
        validate.choice("limit.coupling", limit.coupling, ("C_V",))
        bound = limit.upper**2  # inf where nothing is excluded
    else:
        bound = validate.array("limit", limit, minimum=0.0)
    material = _target(target)
    s2 = validate.number("sin2_theta_w", sin2_theta_w)
    pairs = tuple(zip(material.nuclides, material.counts, strict=True))
    nucleons = math.fsum(count * each.A**2 for each, count in pairs)
    charges = math.fsum(count * (each.N - each.Z * (1 - 4 * s2)) ** 2 for each, count in pairs)
    result: Floats = 18 * nucleons / charges * bound
    return result


def z_width_bound(n_nu: float = 2.984, error: float = 0.008) -> ZWidthBound:
    """Bound on the mixing of heavy sterile states from the number of neutrinos that LEP counts, CL (B3), (B4).

    Parameters
    ----------
    n_nu, error : float
        Number of light neutrinos and its standard error; LEP's if left out.

    Returns
    -------
    ZWidthBound

    Examples
    --------
    >>> import cevns_fast as cf
    >>> [float(f"{x:.2g}") for x in cf.cosmology.z_width_bound()]
    [0.016, 0.0053, 0.011]
    """
    missing = 3 - validate.number("n_nu", n_nu, positive=True) + 2 * validate.number("error", error, minimum=0.0)
    change = missing / 3
    return ZWidthBound(exact=change * 3 / 2, published=change / 2, as_quoted=change)


def loop_dipole(m_chi: float, C: float = 1.0, m_q: float = M_BOTTOM, logarithm: str = "M_W/m_q") -> float:
    """Dipole that a loop makes of a four-fermion operator, CL Eq. (21): an order of magnitude.

    Parameters
    ----------
    m_chi : float
        Mass of χ, MeV.
    C : float
        Coupling of the operator, in units of G_F/√2.
    m_q : float
        Mass of the quark in the loop, MeV; that of the bottom quark, 4.18 GeV, if left out.
    logarithm : {"M_W/m_q", "M_W^2/m_q^2"}
        As printed, or as the printed 2e-9 needs it.

    Returns
    -------
    float
        a_M of `SingletEFT`: C G_F m_q m_χ/16π² times the logarithm.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> f"{cf.cosmology.loop_dipole(1.0):.2e}"
    '9.13e-10'
    """
    power = {"M_W/m_q": 1.0, "M_W^2/m_q^2": 2.0}
    factor = power[validate.choice("logarithm", logarithm, power)]
    quark = validate.number("m_q", m_q, positive=True)
    mass, strength = validate.number("m_chi", m_chi, minimum=0.0), validate.number("C", C)
    return strength * G_FERMI * quark * mass / (16 * math.pi**2) * factor * math.log(M_W / quark)


def _target(target: Any) -> Target:
    """A material from what the user calls it."""
    if isinstance(target, Target):
        return target
    if isinstance(target, Nuclide):
        return Target(target.name, (target,), (1.0,))
    if isinstance(target, str):
        if re.fullmatch(r"[A-Z][a-z]?\d+", target):
            return _target(nuclide(target))
        parts = re.findall(r"[A-Z][a-z]?", target)
        if parts and "".join(parts) == target:
            return Target.of(target, {part: float(parts.count(part)) for part in parts})
    else:
        found = getattr(getattr(target, "detector", None), "target", None)
        if isinstance(found, Target):
            return found
    raise ValueError(f"target = {target!r}: must be a formula such as 'CsI', a nuclide, a Target or an Experiment")
