"""Scattering on electrons at rest, ν e → ν e and ν e → χ e, for free electrons; Z_eff(T) of them in an atom.

dσ/dT = (G_F²/2)/(32πM E²) Σ_ab Re[c_a c_b* h_ab] with M = m_e and the effective couplings of

    L = (G_F/√2)[S(χ̄ P_L ν)(ē e) + P(χ̄ P_L ν)(ē iγ₅ e) + V(χ̄ γ P_L ν)(ē γ e) + A(χ̄ γ P_L ν)(ē γγ₅ e)
                 + T(χ̄ σ P_L ν)(ē σ e)] + h.c.

and D the photon exchanged by a dipole. The h_ab are traces of Dirac matrices; `tests/reference/test_electrons.py`
takes some of them anew. What is odd under ν ↔ ν̄ changes its sign for antineutrinos.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cevns_fast.constants import ALPHA, G_FERMI, KEV, M_ELECTRON, MEV2_CM2
from cevns_fast.data import data_path, read_table
from cevns_fast.reference import couplings, weak
from cevns_fast.reference.channel import FLAVOURS, Beam, Channel, rows
from cevns_fast.reference.flavour import DIFFERENCES, charges_of, epsilon_loop, photon_matrix, traces

__all__ = [
    "effective_electrons",
    "electron_channels",
    "gram",
    "gram_cross_section",
    "shells",
]

Floats = NDArray[np.float64]
Matrix = NDArray[np.complex128]

OPERATORS = "SPVATD"
ODD = {frozenset(pair) for pair in ("VA", "ST", "PT", "SV", "AT", "SD", "PD", "AD")}


def gram(E: Any, T: float, m: float) -> dict[str, Any]:
    """h_ab for a ≤ b in the order S, P, V, A, T, D; pairs that are left out vanish."""
    M = M_ELECTRON
    vector = 16 * M**2 * E**2 - 16 * M**2 * E * T + 8 * M**2 * T**2 - 8 * M * E * m**2 + 4 * M * T * m**2
    ST = -16 * M**2 * E * T + 8 * M**2 * T**2 + 4 * M * T * m**2
    return {
        "SS": 8 * M**3 * T + 4 * M**2 * T**2 + 4 * M**2 * m**2 + 2 * M * T * m**2,
        "PP": 4 * M**2 * T**2 + 2 * M * T * m**2,
        "VV": vector - 8 * M**3 * T - 4 * M**2 * m**2,
        "AA": vector + 8 * M**3 * T + 4 * M**2 * m**2,
        "TT": 128 * M**2 * (E**2 - E * T)
        - 32 * M**3 * T
        + 32 * M**2 * T**2
        - 64 * M * E * m**2
        - 16 * M**2 * m**2
        + 16 * M * T * m**2,
        "DD": 32 * M**3 * T * (E**2 - E * T)
        - 8 * M**3 * T * m**2
        - 16 * M**2 * E * T * m**2
        + 8 * M**2 * T**2 * m**2
        - 4 * M**2 * m**4
        + 4 * M * T * m**4,
        "VA": ST,
        "ST": ST,
        "PT": -1j * ST,
        "SV": 8 * M**2 * E * m - 4 * M**2 * T * m - 2 * M * m**3,
        "PA": 1j * (4 * M**2 * T * m + 2 * M * m**3),
        "VT": -24 * M**2 * T * m - 12 * M * m**3,
        "AT": 48 * M**2 * E * m - 24 * M**2 * T * m - 12 * M * m**3,
        "SD": 16 * M**3 * E * T - 8 * M**3 * T**2 - 4 * M**2 * T * m**2,
        "VD": 8 * M**3 * T * m - 8 * M**2 * T**2 * m + 4 * M**2 * m**3 - 4 * M * T * m**3,
        "AD": 16 * M**2 * E * T * m - 8 * M**2 * T**2 * m - 4 * M * T * m**3,
        "TD": -16 * M**3 * T**2 + 8 * M**2 * T * m**2 + 8 * M * m**4,
    }


def gram_terms(E: Any, T: float, m: float, c: Mapping[str, complex], antineutrino: bool = False) -> list[Any]:
    """The terms of dσ/dT, MeV⁻³, for effective couplings c."""
    front = G_FERMI**2 / 2 / (32 * math.pi * M_ELECTRON * E**2)
    found = []
    for pair, h in gram(E, T, m).items():
        a, b = tuple(pair)
        x, y = complex(c.get(a, 0)), complex(c.get(b, 0))
        if a == b:
            found.append(front * abs(x) ** 2 * h)
        elif x and y:
            sign = -1 if antineutrino and frozenset((a, b)) in ODD else 1
            found.append(front * sign * 2 * (x * y.conjugate() * h).real)
    return found


def gram_cross_section(E: float, T: float, m: float, c: Mapping[str, complex], antineutrino: bool = False) -> float:
    """dσ/dT on a free electron, cm²/MeV."""
    return float(MEV2_CM2 * math.fsum(gram_terms(E, T, m, c, antineutrino)))


def vector_axial(E: Any, T: float, m: float, LL: Any, RR: Any, LR: Any) -> list[Any]:
    """(2G_F² m_e/π)[g_L²(1 - m²/2m_eE) + g_R²(1 - T/E)(1 - T/E - m²/2m_eE) - g_Lg_R(m_eT/E² + m²/2E²)]."""
    M = M_ELECTRON
    front = 2 * G_FERMI**2 * M / math.pi
    return [
        front * LL * (1 - m**2 / (2 * M * E)),
        front * RR * (1 - T / E) * (1 - T / E - m**2 / (2 * M * E)),
        -front * LR * (M * T / E**2 + m**2 / (2 * E**2)),
    ]


@lru_cache(maxsize=1)
def shells() -> dict[str, tuple[int, tuple[tuple[float, float], ...]]]:
    """Of each element Z, and (binding energy in MeV, electrons) of its subshells."""
    found: dict[str, tuple[int, tuple[tuple[float, float], ...]]] = {}
    for element, Z, _, electrons, binding in zip(*read_table(data_path("electron_shells.csv")).values(), strict=True):
        _, known = found.get(element, (0, ()))
        found[element] = int(Z), (*known, (float(binding) * 1e-3 * KEV, float(electrons)))
    return found


def effective_electrons(element: str, T: float) -> float:
    """Z_eff(T): Z less the electrons that are bound by more than T (MeV)."""
    Z, subshells = shells()[element]
    return Z - math.fsum(electrons for binding, electrons in subshells if binding > T)


def _standard_couplings(model: Any, T: float) -> tuple[Matrix, Matrix]:
    """g_V and g_A of the three flavours, diagonal."""
    kind = weak.scheme(model)
    g_V = [weak.electron_vector(name, model.sin2_theta_w, kind, 2 * M_ELECTRON * T) for name in FLAVOURS]
    g_A = [weak.electron_axial(name, kind) for name in FLAVOURS]
    return np.diag(g_V).astype(np.complex128), np.diag(g_A).astype(np.complex128)


def _chiral_rates(beam: Beam, E: Floats, T: float, a: tuple[Matrix, Matrix], b: tuple[Matrix, Matrix]) -> list[Any]:
    """The three terms of a product of two (g_V, g_A); g_L ↔ g_R for antineutrinos."""
    (V, A), (W, B) = a, b
    L, R, K, S = (V + A) / 2, (V - A) / 2, (W + B) / 2, (W - B) / 2
    if beam.antineutrino:
        L, R, K, S = R, L, S, K
    n = E.size
    mixed = (traces(beam, L, S, n) + traces(beam, R, K, n)) / 2
    return vector_axial(E, T, 0.0, traces(beam, L, K, n), traces(beam, R, S, n), mixed)


def _added(interaction: Any, T: float) -> tuple[Matrix, Matrix]:
    """What an interaction adds to g_V and g_A."""
    kind, none = type(interaction).__name__, np.zeros((3, 3), dtype=np.complex128)
    M = M_ELECTRON
    if kind == "LightVector":
        q = charges_of(interaction.charges)
        g2 = float(interaction.g) ** 2
        propagator = 2 * M * T + float(interaction.m_zprime) ** 2
        unit = g2 / (math.sqrt(2) * G_FERMI * propagator)
        neutrinos = np.diag([q[f"nu_{name}"] for name in FLAVOURS]).astype(np.complex128)
        g_V = unit * neutrinos * q["e"]
        if isinstance(interaction.charges, str) and interaction.charges in DIFFERENCES:
            mixing = epsilon_loop(*DIFFERENCES[interaction.charges], 2 * M * T) + float(interaction.mixing)
            g_V = g_V - math.sqrt(2) * ALPHA * g2 * mixing / (math.pi * G_FERMI * propagator) * neutrinos
        return g_V, -unit * neutrinos * q["e_axial"]
    if kind == "ChargeRadius":
        r2 = photon_matrix(interaction) / MEV2_CM2
        return math.sqrt(2) * math.pi * ALPHA / (3 * G_FERMI) * r2, none
    if kind == "Millicharge":
        return -math.sqrt(2) * math.pi * ALPHA * photon_matrix(interaction) / (G_FERMI * M * T), none
    raise TypeError(f"{kind} does not add to g_V and g_A of electrons")


def _effective(interaction: Any, T: float) -> dict[str, complex]:
    """S, P, V, A, T, D of an `ElectronEFT` at a recoil T."""
    c = {name: complex(getattr(interaction, name)) for name in "SPVAT"}
    mediator = interaction.m_mediator
    if mediator is not None:
        # Products of two couplings over 2m_eT + m² stand where (G_F/√2) c stood.
        if mediator > 0:
            # A vector's q_μq_ν/m²: m_χ from one line, and 2m_e from an axial current on the other.
            c["P"] += -2j * float(interaction.m_chi) * M_ELECTRON / mediator**2 * c["A"]
        c = {name: x * math.sqrt(2) / G_FERMI / (2 * M_ELECTRON * T + mediator**2) for name, x in c.items()}
    c["D"] = _dipole(complex(interaction.a_M), complex(interaction.a_E), T, "e v_H/2")
    return c


def _dipole(a_M: complex, a_E: complex, T: float, prefactor: str) -> complex:
    """c_D of a photon with CL's a_M: as a nucleus with Z = -1, -√2 Z (e v_H/2) a/(m_e T).

    a_M* - ia_E* is what a left-handed neutrino sees, as in CL (A4).
    """
    value = couplings.convention(couplings_of(prefactor)).dipole_prefactor
    return math.sqrt(2) * value * (a_M.conjugate() - 1j * a_E.conjugate()) / (M_ELECTRON * T)


def couplings_of(prefactor: str) -> Any:
    """The variant whose dipole has this prefactor."""
    return "published" if prefactor == "s_W M_W" else "corrected"


def electron_channels(interaction: Any, standard_model: Any = None) -> list[Channel]:
    """What an interaction does to a free electron, and its interference with the Standard Model it goes with.

    Interactions without a coupling to electrons do nothing.
    """
    kind = type(interaction).__name__
    if kind == "StandardModel":

        def weak_terms(E: Floats, T: float, beam: Beam) -> Floats:
            g = _standard_couplings(interaction, T)
            return rows(_chiral_rates(beam, E, T, g, g), E)

        return [Channel(0.0, weak_terms)]
    if kind in ("LightVector", "ChargeRadius", "Millicharge"):

        def added_terms(E: Floats, T: float, beam: Beam) -> Floats:
            new = _added(interaction, T)
            found = _chiral_rates(beam, E, T, new, new)
            if standard_model is not None:
                found += [2 * term for term in _chiral_rates(beam, E, T, _standard_couplings(standard_model, T), new)]
            return rows(found, E)

        return [Channel(0.0, added_terms)]
    if kind == "MagneticMoment":
        moments = np.diag([float(getattr(interaction, f"mu_{name}")) for name in FLAVOURS]).astype(np.complex128)

        def magnetic(E: Floats, T: float, beam: Beam) -> Floats:
            strength = traces(beam, moments, moments, E.size)
            return rows([math.pi * ALPHA**2 / M_ELECTRON**2 * strength * (1 / T - 1 / E)], E)

        return [Channel(0.0, magnetic)]
    if kind in ("ElectronEFT", "SingletEFT"):
        m = float(interaction.m_chi)

        def massive(E: Floats, T: float, beam: Beam) -> Floats:
            if kind == "ElectronEFT":
                pairs = [(1.0, _effective(interaction, T))]
            else:  # its dipole alone knows electrons; "summed" is both helicities
                prefactor = interaction.variant
                name = prefactor if isinstance(prefactor, str) else None
                value = "s_W M_W" if name == "published" else "e v_H/2"
                if name is None:
                    value = prefactor.dipole_prefactor
                a_M, a_E = complex(interaction.a_M), complex(interaction.a_E)
                pairs = [(1.0, {"D": _dipole(a_M, a_E, T, value)})]
                if interaction.helicity == "summed":
                    pairs.append((1.0, {"D": _dipole(a_M, -a_E, T, value)}))
            weight = _coupled(beam, getattr(interaction, "flavours", FLAVOURS))
            found = [w * weight * term for w, c in pairs for term in gram_terms(E, T, m, c, beam.antineutrino)]
            return rows(found, E)

        return [Channel(m, massive)]
    return []


def _coupled(beam: Beam, flavours: Any) -> Any:
    """Tr[ρP] with the projector on flavours that couple, each to a χ of its own."""
    if set(flavours) == set(FLAVOURS):
        return beam.weight
    P = np.diag([float(name in flavours) for name in FLAVOURS]).astype(np.complex128)
    return traces(beam, P, P, 1)
