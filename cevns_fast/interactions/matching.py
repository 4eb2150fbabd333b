"""From one way to write an interaction to another: conventions of the literature, and matching to heavier theories."""

import math
from typing import Any, Literal

from cevns_fast import _validate as validate
from cevns_fast.constants import ALPHA, G_FERMI, M_ELECTRON
from cevns_fast.interactions.nsi import NSI, PLACES, is_off_diagonal
from cevns_fast.interactions.singlet_eft import DIPOLE_PREFACTORS, HIGGS_VEV
from cevns_fast.interactions.weak_couplings import ALPHA_S

Helicity = Literal["left", "summed"]

BOHR_MAGNETON = math.sqrt(4 * math.pi * ALPHA) / (2 * M_ELECTRON)  # MeV⁻¹

# α_s at 2 GeV, m_b and m_Z: two steps with four and five flavours.
_ALPHA_S = (0.3007, 0.2268, ALPHA_S["Z"])
_FLAVOURS = (4, 5)


def _magnetons_per_dipole(helicity: str) -> float:
    """μ/μ_B of a_M = 1."""
    validate.choice("helicity", helicity, ("left", "summed"))
    left = float(G_FERMI * DIPOLE_PREFACTORS["e v_H/2"] * M_ELECTRON / (math.pi * ALPHA))
    return left if helicity == "left" else math.sqrt(2) * left


def magnetic_moment(a_M: complex, helicity: Helicity = "left") -> float:
    """μ_ν of a dipole a_M of `SingletEFT`, in Bohr magnetons.

    Parameters
    ----------
    a_M : complex
    helicity : {"left", "summed"}
        Of the interaction that a_M belongs to. "left" is the dipole portal L = (μ/2) χ̄ σ ν_L F.

    Returns
    -------
    float
        Bohr magnetons; ``|a_M|`` times 9.692252e-6, or √2 of that for "summed".

    Raises
    ------
    ValueError
        If a_M is not finite, or the helicity unknown.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> f"{cf.magnetic_moment(1.0):.6e}"
    '9.692252e-06'
    """
    return abs(validate.coupling("a_M", a_M)) * _magnetons_per_dipole(helicity)


def dipole_coupling(magnetic_moment: float, helicity: Helicity = "left") -> float:
    """a_M of `SingletEFT` that is a transition moment μ_ν, the inverse of `magnetic_moment`.

    Parameters
    ----------
    magnetic_moment : float
        Bohr magnetons, >= 0.
    helicity : {"left", "summed"}

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the moment is negative or not finite, or the helicity unknown.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> f"{cf.dipole_coupling(2e-9):.6e}"
    '2.063504e-04'
    """
    return validate.number("magnetic_moment", magnetic_moment, minimum=0.0) / _magnetons_per_dipole(helicity)


def contact_scalar(y_squared: float, m_S: float) -> float:
    """Nuclear coupling ``|C_S − iD_P|`` ("left") of a scalar that is heavy against the momentum transfer.

    Parameters
    ----------
    y_squared : float
        y² of BRX: y_χ times the coupling to the nucleus, dimensionless, >= 0.
    m_S : float
        MeV, > 0.

    Returns
    -------
    float
        √2 y²/(G_F m_S²).

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> round(cf.contact_scalar(1e-6, 1000.0), 6)
    0.121248
    """
    square = validate.number("y_squared", y_squared, minimum=0.0)
    return math.sqrt(2) * square / (G_FERMI * validate.number("m_S", m_S, positive=True) ** 2)


def contact_vector(g_squared: float, m_zprime: float) -> float:
    """ε^{qV} of `NSI` of a vector that is heavy against the momentum transfer.

    Parameters
    ----------
    g_squared : float
        g² Q_ν Q_q, dimensionless.
    m_zprime : float
        MeV, > 0.

    Returns
    -------
    float
        g² Q_ν Q_q/(√2 G_F m²): the factor is √2, not 2√2, as the quark current is a whole vector.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> round(cf.contact_vector(1e-6, 1000.0), 6)
    0.060624
    """
    square = validate.number("g_squared", g_squared)
    return square / (math.sqrt(2) * G_FERMI * validate.number("m_zprime", m_zprime, positive=True) ** 2)


def generalised_interaction(kind: Literal["S", "T"], xi: float, N: int) -> float:
    """Nuclear coupling ("left") of the literature's ξ_S or ξ_T, arXiv:1612.04150.

    Parameters
    ----------
    kind : {"S", "T"}
    xi : float
        >= 0.
    N : int
        Neutrons of the nucleus, by which ξ is normalised.

    Returns
    -------
    float
        ``|C_S − iD_P|`` = N ξ_S or ``|C_T|`` = N ξ_T/√8.

    Raises
    ------
    ValueError
        If a number is out of range, or the kind unknown.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> cf.generalised_interaction("S", 0.6, N=78)
    46.8
    """
    size = validate.number("xi", xi, minimum=0.0) * validate.number("N", N, positive=True)
    return size if validate.choice("kind", kind, ("S", "T")) == "S" else size / math.sqrt(8)


def smeft_scalar(c: complex, scale: float) -> complex:
    """C_S of `SingletEFT` of a coefficient c/Λ² of νSMEFT: four fermions, a right-handed neutrino, no running.

    Parameters
    ----------
    c : complex
    scale : float
        Λ, MeV, > 0.

    Returns
    -------
    complex
        c v²/Λ² = 0.0606 c (TeV/Λ)².

    Raises
    ------
    ValueError
        If c is not finite, or the scale not positive.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> round(cf.smeft_scalar(1.0, 1e6).real, 4)
    0.0606
    """
    per_scale = float(HIGGS_VEV) / validate.number("scale", scale, positive=True)
    return validate.coupling("c", c) * per_scale**2


def smeft_magnetic_moment(c: complex, scale: float) -> float:
    """Magnetic moment of the dipole operator (c/Λ²) L̄ σ ν_R H̃ F of νSMEFT, in Bohr magnetons.

    Parameters
    ----------
    c : complex
        Of the photon.
    scale : float
        Λ, MeV, > 0.

    Returns
    -------
    float
        √2 ``|c|`` v/Λ² = 1.18e-6 μ_B ``|c|`` (TeV/Λ)².

    Raises
    ------
    ValueError
        If c is not finite, or the scale not positive.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> f"{cf.smeft_magnetic_moment(1.0, 1e6):.3e}"
    '1.175e-06'
    """
    size = abs(validate.coupling("c", c))
    moment = math.sqrt(2) * size * float(HIGGS_VEV) / validate.number("scale", scale, positive=True) ** 2
    return moment / BOHR_MAGNETON


def run_to_low_energy(kind: Literal["S", "T"]) -> float:
    """By what C_S or C_T grows from m_Z to 2 GeV, where nucleons are described: QCD at leading order.

    Parameters
    ----------
    kind : {"S", "T"}
        A scalar runs as the inverse of a quark mass, a tensor as α_s^(−4/(33 − 2n_f)).

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the kind is unknown.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> round(cf.run_to_low_energy("S"), 3), round(cf.run_to_low_energy("T"), 3)
    (1.611, 0.853)
    """
    exponent = {"S": 12, "T": -4}[validate.choice("kind", kind, ("S", "T"))]
    low, middle, high = _ALPHA_S
    steps = zip((low / middle, middle / high), _FLAVOURS, strict=True)
    return math.prod(float(ratio ** (exponent / (33 - 2 * n_f))) for ratio, n_f in steps)


#: ε per Wilson coefficient in GeV⁻²: −1/(2√2 G_F).
EPSILON_PER_WILSON = -1 / (2 * math.sqrt(2) * G_FERMI * 1e6)


def wilson_coefficients(epsilon: str) -> tuple[str, str]:
    """The coefficients of WET-3 (JMS) whose sum is an ε in other units: of both chiralities of the quark."""
    _, pair, quark = epsilon.split("_")
    a, b = PLACES[pair]
    return (f"Vnu{quark}LL_{a + 1}{b + 1}11", f"Vnu{quark}LR_{a + 1}{b + 1}11")


def nsi_from_wilson(wilson: Any) -> NSI:
    """`NSI` of Wilson coefficients that the package `wilson` holds: of SMEFT or WET, in any basis it knows.

    Parameters
    ----------
    wilson : wilson.Wilson or wilson.wcxf.WC
        A `Wilson` is run to 2 GeV in WET-3 (JMS); a `WC` must be in that basis at its own scale.

    Returns
    -------
    NSI
        ε^{qP}_αβ = −C/(2√2 G_F) of the sector `ffnunu`, summed over the chiralities P of the quark.

    Raises
    ------
    ValueError
        If a `WC` is in another basis.
    ImportError
        If the package is missing; the extra "wcxf" has it.

    Notes
    -----
    J. Aebischer, J. Kumar and D. M. Straub, Eur. Phys. J. C 78 (2018) 1026, arXiv:1804.05033.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # of packages that wilson imports
    ...     from wilson import Wilson
    ...     heavy = Wilson({"lq1_1111": 1e-6}, scale=160, eft="SMEFT", basis="Warsaw")  # GeV⁻²
    ...     nsi = cf.nsi_from_wilson(heavy)
    >>> round(nsi.eps_ee_u, 3), round(nsi.eps_ee_d, 3)
    (-0.029, -0.031)
    """
    try:
        from wilson import Wilson, wcxf
    except ImportError as error:
        raise ImportError("nsi_from_wilson needs the package wilson: pip install 'cevns_fast[wcxf]'") from error
    if isinstance(wilson, Wilson):
        values = wilson.match_run(2.0, "WET-3", "JMS", sectors="ffnunu").dict
    elif isinstance(wilson, wcxf.WC):
        if wilson.basis != "JMS" or not wilson.eft.startswith("WET"):
            raise ValueError(f"wilson: is {wilson.eft} in the basis {wilson.basis}, must be WET in JMS, or a Wilson")
        values = wilson.dict
    else:
        raise ValueError(f"wilson = {wilson!r}: must be a wilson.Wilson or a wilson.wcxf.WC")
    found = {}
    for name in NSI.couplings:
        value = EPSILON_PER_WILSON * complex(sum(values.get(each, 0.0) for each in wilson_coefficients(name)))
        found[name] = value if is_off_diagonal(name) else value.real
    return NSI(**found)  # type: ignore[arg-type]
