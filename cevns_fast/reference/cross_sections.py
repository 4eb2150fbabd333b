"""Differential cross sections dσ/dT, written as the papers print them.

CL = Chang & Liao 2020, BRX = Brdar, Rodejohann & Xu 2018, CLLS = Chao, Li, Liao & Su 2021. Everything in
MeV: E is the neutrino's energy, T the recoil energy, M the nuclear mass, m the mass of the fermion that
leaves.

Formulas return their *terms*, one a row, so that the accuracy of their sum can be judged.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cevns_fast.constants import G_FERMI, M_ELECTRON, MEV2_CM2
from cevns_fast.reference import couplings
from cevns_fast.reference.channel import FLAVOURS, Beam, Channel, beam, rows
from cevns_fast.reference.electrons import electron_channels
from cevns_fast.reference.flavour import flavour_channels, standard_model_channels, traces
from cevns_fast.reference.form_factor import nuclear_mass, proton_and_neutron
from cevns_fast.reference.kinematics import recoil_range

__all__ = ["brdar_21", "chang_liao_2", "channels", "differential_cross_section", "standard_model_22", "target_mass"]

Floats = NDArray[np.float64]
Terms = list[Any]


def standard_model_22(E: Any, T: float, M: float, Q: float) -> Any:
    """CLLS Eq. (22), with Q = Z g_p F_p + N g_n F_n."""
    return G_FERMI**2 * M / (2 * math.pi) * Q**2 * (2 - M * T / E**2 - 2 * T / E + T**2 / E**2)


def chang_liao_2(
    E: Any,
    T: float,
    M: float,
    m: float,
    *,
    C_S: complex = 0,
    D_P: complex = 0,
    C_V: complex = 0,
    D_A: complex = 0,
    C_T: complex = 0,
    Z_A_M: complex = 0,
    Z_A_E: complex = 0,
    antineutrino: bool = False,
    dipole_prefactor: float,
    vector_interference: bool = True,
) -> Terms:
    """The seven terms of CL Eq. (2), and the three interferences of the vector coupling that it lacks.

    Couplings are those of the nucleus at this recoil, form factors and (for the dipole) the Z included.
    `dipole_prefactor`, MeV, stands for s_W M_W. A term whose couplings vanish is a plain 0.
    """
    G2, pi, sW_MW = G_FERMI**2, math.pi, dipole_prefactor

    def re(a: complex, b: complex) -> float:
        """Re[a* b]"""
        return (a.conjugate() * b).real

    def im(a: complex, b: complex) -> float:
        """Im[a* b]"""
        return (a.conjugate() * b).imag

    C_S, D_P, C_V, D_A, C_T, Z_A_M, Z_A_E = map(complex, (C_S, D_P, C_V, D_A, C_T, Z_A_M, Z_A_E))
    # Charge conjugation, below CL Eq. (1): {a_M, a_E, C_S, D_P, C_V, D_A, C_T} of an antineutrino are
    # {-a_M*, -a_E*, C_S*, D_P*, -C_V*, D_A*, -C_T*}.
    if antineutrino:
        Z_A_M, Z_A_E = -Z_A_M.conjugate(), -Z_A_E.conjugate()
        C_S, D_P = C_S.conjugate(), D_P.conjugate()
        C_V, D_A = -C_V.conjugate(), D_A.conjugate()
        C_T = -C_T.conjugate()

    SS = abs(C_S) ** 2 + abs(D_P) ** 2
    VV = abs(C_V) ** 2 + abs(D_A) ** 2
    TT = abs(C_T) ** 2
    AA = abs(Z_A_M) ** 2 + abs(Z_A_E) ** 2
    TA = re(C_T, Z_A_M)
    AS = re(Z_A_M, C_S) + re(Z_A_E, D_P)
    TS = re(C_T, C_S)
    terms: Terms = [
        # line 1
        SS and G2 * M / (4 * pi) * SS * (1 + T / (2 * M)) * (M * T / E**2 + m**2 / (2 * E**2)),
        # line 2
        VV
        and G2
        * M
        / (2 * pi)
        * VV
        * (1 - T / E + T / (2 * E**2) * (T - M) - m**2 / (4 * E**2) * (1 + 2 * E / M - T / M)),
        # line 3
        TT
        and 4
        * G2
        * M
        / pi
        * TT
        * (1 - T / E + T / (4 * E**2) * (T - M) - m**2 / (4 * E**2) * (1 / 2 + 2 * E / M - T / (2 * M))),
        # lines 4 and 5
        AA
        and 2
        * G2
        * sW_MW**2
        / (pi * M)
        * AA
        * (
            -M / E
            + m**2 / (4 * E**2)
            + M / T * (1 - m**2 / (4 * E**2) - m**2 / (2 * M * E) + m**4 / (8 * M**2 * E**2))
            - m**4 / (8 * T**2 * E**2)
        ),
        # line 6
        TA and G2 / (math.sqrt(2) * pi) * (M * sW_MW / E) * TA * (2 * T / E - m**2 / (M * E) - m**4 / (T * M**2 * E)),
        # line 7
        AS and -math.sqrt(2) * G2 / pi * (M * sW_MW / E) * AS * (1 - T / (2 * E) - m**2 / (4 * M * E)),
        # line 8
        TS and -G2 * M / (2 * pi) * TS * (2 * T / E - T**2 / E**2 - m**2 * T / (2 * M * E**2)),
    ]
    if vector_interference:
        # From the traces of (A4). The conjugated couplings of antineutrinos flip V-S, both Re and Im, and
        # leave the other two.
        VS = re(C_V, C_S) + im(D_A, D_P)
        VA = re(C_V, Z_A_M) + im(D_A, Z_A_E)
        VT = re(C_V, C_T)
        terms += [
            VS and G2 * M / (2 * pi) * (m / E) * VS * (1 - T / (2 * E) - m**2 / (4 * M * E)),
            VA and -G2 * sW_MW / (math.sqrt(2) * pi) * (M * m / E**2) * VA * (1 - T / M) * (1 + m**2 / (2 * M * T)),
            VT and -3 * G2 * M / (2 * pi) * (m * T / E**2) * VT * (1 + m**2 / (2 * M * T)),
        ]
    return terms


def _singlet_eft(eft: Any, nuclide: Any, form_factor: Any) -> list[Channel]:
    M, m = nuclear_mass(nuclide), float(eft.m_chi)
    convention = couplings.convention(eft.variant)
    nuclear = {
        "C_S": couplings.scalar(nuclide, eft.C_S, eft.quark_masses),
        "D_P": couplings.scalar(nuclide, eft.D_P, eft.quark_masses),
        "C_V": couplings.vector(nuclide, eft.C_V),
        "D_A": couplings.vector(nuclide, eft.D_A),
        "C_T": couplings.tensor(nuclide, eft.C_T),
        "Z_A_M": couplings.dipole(nuclide, eft.a_M),
        "Z_A_E": couplings.dipole(nuclide, eft.a_E),
    }
    if eft.helicity not in ("summed", "left"):
        raise ValueError(f"helicity = {eft.helicity!r}: must be 'summed' or 'left'")
    weight = 1.0
    if eft.helicity == "left":
        # On a left-handed neutrino γ₅ is -1, so each pair of couplings in (A4) acts as one. A right-handed
        # antineutrino's is the negative or positive conjugate of it, as `chang_liao_2` makes it.
        # One helicity is half of the sum over both.
        weight = 0.5

        def chiral(name: str, other: str, factor: complex) -> tuple[complex, complex]:
            """(C* + factor D*)* for protons and neutrons."""
            pairs = zip(nuclear[name], nuclear[other], strict=True)
            proton, neutron = ((c.conjugate() + factor * d.conjugate()).conjugate() for c, d in pairs)
            return proton, neutron

        nuclear = {
            "C_S": chiral("C_S", "D_P", -1j),  # S = C_S* - i D_P*
            "C_V": chiral("C_V", "D_A", -1),  # V = C_V* - D_A*
            "Z_A_M": chiral("Z_A_M", "Z_A_E", -1j),  # A = A_M* - i A_E*
            "C_T": nuclear["C_T"],
        }

    def terms(E: Floats, T: float, beam: Beam) -> Floats:
        F_p, F_n = proton_and_neutron(form_factor, nuclide, T)
        at_T = {name: proton * F_p + neutron * F_n for name, (proton, neutron) in nuclear.items()}
        return weight * rows(
            chang_liao_2(
                E, T, M, m, **at_T,
                antineutrino=beam.antineutrino,
                dipole_prefactor=convention.dipole_prefactor,
                vector_interference=convention.vector_interference,
            ),
            E,
        )  # fmt: skip

    return [Channel(m, terms)]


def brdar_21(E: Any, T: float, M: float, m: float, m_S: float, y4: float) -> Any:
    """BRX Eq. (21), first equality, with (16) and (18): y⁴ K M/[4π (2MT + m_S²)²].

    y⁴ = y_χ² y_N², (17), with the nucleus's y_N. The left-handed neutrino is in it, and ν and ν̄ are
    alike. In the last form of (21), ȳ⁴ = y⁴/A² by (19), so that A² belongs in the numerator.
    """
    K = (1 + T / (2 * M)) * (M * T / E**2 + m**2 / (2 * E**2))
    return M * y4 * K / (4 * math.pi * (2 * M * T + m_S**2) ** 2)


def _scalar_mediator(scalar: Any, nuclide: Any, form_factor: Any) -> list[Channel]:
    M, m = nuclear_mass(nuclide), float(scalar.m_chi)
    if scalar.y_bar is not None:
        # ȳ⁴ A² = y_χ² y_N² with one coupling for protons and neutrons: ȳ² for each nucleon.
        each = float(scalar.y_bar) ** 2
        proton, neutron = nuclide.Z * each, nuclide.N * each
    else:
        proton, neutron = nuclide.Z * scalar.y_chi * scalar.y_p, nuclide.N * scalar.y_chi * scalar.y_n

    def terms(E: Floats, T: float, beam: Beam) -> Floats:
        F_p, F_n = proton_and_neutron(form_factor, nuclide, T)
        return rows([brdar_21(E, T, M, m, float(scalar.m_S), abs(proton * F_p + neutron * F_n) ** 2)], E)

    return [Channel(m, terms)]


_OF_ONE_FLAVOUR = {"SingletEFT": _singlet_eft, "ScalarMediator": _scalar_mediator}
_FLAVOURED = ("NSI", "LightVector", "MagneticMoment", "ChargeRadius", "Millicharge")
_ELECTRONS_ONLY = ("ElectronEFT",)


def channels(interaction: Any, nuclide: Any, form_factor: Any = None, standard_model: Any = None) -> list[Channel]:
    """What an interaction does on a nuclide, or on an electron.

    Parameters
    ----------
    interaction : StandardModel or any interaction
        Recognised by the name of its class; only its fields are read.
    nuclide : Nuclide or "electron"
    form_factor : HelmFormFactor, PointNucleus or None
        None is Helm's with the Lewin-Smith radius.
    standard_model : StandardModel or None
        The one that an interaction interferes with; None: its square alone.

    Returns
    -------
    list of Channel
    """
    name = type(interaction).__name__
    known = ("StandardModel", *_OF_ONE_FLAVOUR, "VectorMediator", *_FLAVOURED, *_ELECTRONS_ONLY)
    if name not in known:
        raise TypeError(f"{name} is not an interaction the reference knows: {', '.join(known)}")
    if nuclide == "electron":
        return electron_channels(interaction, standard_model)
    if name in _ELECTRONS_ONLY:
        return []
    if name == "StandardModel":
        return standard_model_channels(interaction, nuclide, form_factor)
    if name in _FLAVOURED:
        return flavour_channels(interaction, nuclide, form_factor, standard_model)
    if name == "VectorMediator":
        from cevns_fast.reference.vector_mediator import vector_mediator  # needs mpmath

        found = vector_mediator(interaction, nuclide, form_factor)
    else:
        found = _OF_ONE_FLAVOUR[name](interaction, nuclide, form_factor)
    return [_of_flavours(channel, getattr(interaction, "flavours", FLAVOURS)) for channel in found]


def target_mass(target: Any) -> float:
    """Of a nucleus, or of the electron, MeV."""
    return M_ELECTRON if target == "electron" else nuclear_mass(target)


def _of_flavours(channel: Channel, flavours: Any) -> Channel:
    """Weighted with Tr[ρP], P the projector on the flavours that couple, each to a χ of its own."""
    everyone = set(flavours) == set(FLAVOURS)
    P = np.diag([float(name in flavours) for name in FLAVOURS]).astype(np.complex128)

    def terms(E: Floats, T: float, beam: Beam) -> Floats:
        weight = beam.weight if everyone else traces(beam, P, P, E.size)
        return np.asarray(weight * channel.terms(E, T, beam))

    return Channel(channel.mass, terms)


def differential_cross_section(
    interaction: Any,
    nuclide: Any,
    E: ArrayLike,
    T: ArrayLike,
    *,
    antineutrino: bool = False,
    form_factor: Any = None,
    flavour: Any = "e",
    standard_model: Any = None,
) -> Any:
    """dσ/dT of an interaction, form factor included.

    Parameters
    ----------
    interaction : StandardModel or any interaction
    nuclide : Nuclide or "electron"
    E, T : array_like
        Neutrino and recoil energies, MeV; they broadcast.
    antineutrino : bool
    flavour : "e", "mu", "tau", a state or a density matrix
    standard_model : StandardModel or None
        Is added, with its interference; None: the interaction alone.
    form_factor : HelmFormFactor, PointNucleus or None
        None is Helm's with the Lewin-Smith radius.

    Returns
    -------
    float or ndarray
        cm²/MeV; 0 outside the kinematically allowed range.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> caesium = cf.nuclide("Cs133")
    >>> slow = cf.reference.differential_cross_section(cf.StandardModel(), caesium, 30.0, 0.010)
    >>> fast = cf.differential_cross_section(cf.StandardModel(), caesium, 30.0, 0.010)
    >>> abs(slow / fast - 1) < 1e-10
    True
    """
    M = target_mass(nuclide)
    found = channels(interaction, nuclide, form_factor, standard_model)
    if standard_model is not None and type(interaction).__name__ != "StandardModel":
        found = channels(standard_model, nuclide, form_factor) + found
    arriving = beam(antineutrino, flavour)

    def one(E: float, T: float) -> float:
        total = 0.0
        for channel in found:
            allowed = recoil_range(E, M, channel.mass)
            if allowed is not None and allowed.low <= T <= allowed.high:
                total += float(channel.terms(np.array([E]), T, arriving).sum())
        return MEV2_CM2 * total

    result = np.vectorize(one, otypes=[float])(E, T)
    return float(result) if np.ndim(result) == 0 else result
