"""Interactions that know the neutrino's flavour, on nuclei: amplitudes Q_cb of ν_b → ν_c and the rate Tr[ρ Q†Q].

The Standard Model's Q is diagonal, Z g_p F_p + N g_n F_n, and its rate K Q² with CLLS Eq. (22). What couples to the
vector current of the quarks adds to Q; what flips the neutrino's chirality adds to the rate. Antineutrinos
ν̄_b → ν̄_c have Qᵀ. An interaction alone is everything but the Standard Model's own rate: its square, and its
interference with the Standard Model that it goes with, if there is one.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cevns_fast.constants import ALPHA, G_FERMI, M_ELECTRON, MEV2_CM2
from cevns_fast.data import data_path, read_table
from cevns_fast.reference import weak
from cevns_fast.reference.channel import FLAVOURS, Beam, Channel, rows
from cevns_fast.reference.form_factor import nuclear_mass, proton_and_neutron

__all__ = [
    "CHARGES",
    "charges_of",
    "epsilon_loop",
    "flavour_channels",
    "photon_matrix",
    "standard_model_channels",
    "traces",
]

Floats = NDArray[np.float64]
Matrix = NDArray[np.complex128]

#: Charges of quarks, and of e, μ, τ with their neutrinos.
CHARGES: dict[str, tuple[float, tuple[float, float, float]]] = {
    "universal": (1, (1, 1, 1)),
    "B-L": (1 / 3, (-1, -1, -1)),
    "B-3Le": (1 / 3, (-3, 0, 0)),
    "B-3Lmu": (1 / 3, (0, -3, 0)),
    "B-2Le-Lmu": (1 / 3, (-2, -1, 0)),
    "B-Le-2Lmu": (1 / 3, (-1, -2, 0)),
}
#: Charges ±1 of two families, and none of quarks and (at tree level) nothing else but the leptons.
DIFFERENCES = {"Lmu-Ltau": ("mu", "tau"), "Le-Lmu": ("e", "mu"), "Le-Ltau": ("e", "tau")}


def charges_of(charges: Any) -> dict[str, float]:
    """Of u, d, the three neutrinos, and the electron's vector and axial ones."""
    if isinstance(charges, str) and charges in DIFFERENCES:
        plus, minus = DIFFERENCES[charges]
        family = {name: float(name == plus) - float(name == minus) for name in FLAVOURS}
        return {"u": 0.0, "d": 0.0, **{f"nu_{f}": q for f, q in family.items()}, "e": family["e"], "e_axial": 0.0}
    if isinstance(charges, str):
        quark, leptons = CHARGES[charges]
        found = {f"nu_{name}": float(q) for name, q in zip(FLAVOURS, leptons, strict=True)}
        return {"u": float(quark), "d": float(quark), **found, "e": float(leptons[0]), "e_axial": 0.0}
    given = charges._asdict() if hasattr(charges, "_asdict") else dict(charges)
    return {name: float(given.get(name, 0.0)) for name in ("u", "d", "nu_e", "nu_mu", "nu_tau", "e", "e_axial")}


def epsilon_loop(plus: str, minus: str, Q2: float) -> float:
    """ε_βα(Q) = ∫x(1-x) ln[(m_β² + x(1-x)Q²)/(m_α² + x(1-x)Q²)] dx for L_α - L_β: α is `plus`."""
    return (weak.mean_logarithm(plus, Q2) - weak.mean_logarithm(minus, Q2)) / 6


def photon_matrix(interaction: Any) -> Matrix:
    """Charge radii or millicharges, hermitian: diagonal entries, and those above the diagonal."""
    e, mu, tau = (float(getattr(interaction, name)) for name in ("ee", "mumu", "tautau"))
    emu, etau, mutau = (complex(getattr(interaction, name)) for name in ("emu", "etau", "mutau"))
    upper = np.array([[0, emu, etau], [0, 0, mutau], [0, 0, 0]], dtype=np.complex128)
    return np.diag([e, mu, tau]) + upper + upper.conj().T


def _epsilon(nsi: Any, quark: str) -> Matrix:
    """ε^{qV}_{αβ}, hermitian."""
    value = {pair: complex(getattr(nsi, f"eps_{pair}_{quark}")) for pair in ("ee", "mumu", "tautau")}
    for pair in ("emu", "etau", "mutau"):
        value[pair] = complex(getattr(nsi, f"eps_{pair}_{quark}"))
    c = complex.conjugate
    return np.array(
        [
            [value["ee"], value["emu"], value["etau"]],
            [c(value["emu"]), value["mumu"], value["mutau"]],
            [c(value["etau"]), c(value["mutau"]), value["tautau"]],
        ]
    )


def weak_matrix(model: Any, nuclide: Any, T: float, F_p: float, F_n: float) -> Matrix:
    """The Standard Model's Q."""
    Q2 = 2 * nuclear_mass(nuclide) * T
    couplings = weak.scheme(model)
    g_n = weak.neutron_coupling(couplings)
    g_p = [weak.proton_coupling(name, model.sin2_theta_w, couplings, Q2) for name in FLAVOURS]
    return np.diag([nuclide.Z * g * F_p + nuclide.N * g_n * F_n for g in g_p]).astype(np.complex128)


def _added(interaction: Any, nuclide: Any, T: float, F_p: float, F_n: float) -> Matrix:
    """What an interaction adds to Q."""
    kind = type(interaction).__name__
    M = nuclear_mass(nuclide)
    Z, N = nuclide.Z, nuclide.N
    if kind == "NSI":
        u, d = _epsilon(interaction, "u"), _epsilon(interaction, "d")
        return np.asarray(Z * F_p * (2 * u + d) + N * F_n * (u + 2 * d))
    if kind == "LightVector":
        g2 = float(interaction.g) ** 2
        propagator = 2 * M * T + float(interaction.m_zprime) ** 2
        q = charges_of(interaction.charges)
        nucleus = (2 * q["u"] + q["d"]) * Z * F_p + (q["u"] + 2 * q["d"]) * N * F_n
        neutrinos = np.diag([q[f"nu_{name}"] for name in FLAVOURS]).astype(np.complex128)
        tree = g2 * neutrinos * nucleus / (math.sqrt(2) * G_FERMI * propagator)
        if not isinstance(interaction.charges, str) or interaction.charges not in DIFFERENCES:
            return np.asarray(tree)
        mixing = epsilon_loop(*DIFFERENCES[interaction.charges], 2 * M * T) + float(interaction.mixing)
        delta = math.sqrt(2) * ALPHA * g2 * mixing / (math.pi * G_FERMI * propagator)
        return np.asarray(tree + delta * neutrinos * Z * F_p)
    if kind == "ChargeRadius":
        r2 = photon_matrix(interaction) / MEV2_CM2  # MeV⁻²
        return np.asarray(-math.sqrt(2) * math.pi * ALPHA / (3 * G_FERMI) * r2 * Z * F_p)
    if kind == "Millicharge":
        return np.asarray(math.sqrt(2) * math.pi * ALPHA * photon_matrix(interaction) / (G_FERMI * M * T) * Z * F_p)
    raise TypeError(f"{kind} does not add to the weak charge")


def traces(beam: Beam, left: Matrix, right: Matrix, n: int) -> Any:
    """Re Tr[ρ L†R] for ν, and with Lᵀ, Rᵀ for ν̄."""
    if beam.density is None:
        raise ValueError("the source does not tell the flavour of its neutrinos")
    if beam.antineutrino:
        left, right = left.T, right.T
    return np.trace(beam.density @ left.conj().T @ right, axis1=-2, axis2=-1).real


def kinematic_factor(E: Any, T: float, M: float) -> Any:
    """K = (G_F² M/2π)(2 - MT/E² - 2T/E + T²/E²), CLLS Eq. (22)."""
    return G_FERMI**2 * M / (2 * math.pi) * (2 - M * T / E**2 - 2 * T / E + T**2 / E**2)


@lru_cache(maxsize=1)
def _spins() -> dict[str, tuple[float, float, float]]:
    """J, ⟨S_p⟩ and ⟨S_n⟩ of nuclides with spin."""
    table = read_table(data_path("nuclear_spins.csv"))
    return {name: (float(J), float(p), float(n)) for name, J, p, n in zip(*table.values(), strict=True)}


def standard_model_channels(model: Any, nuclide: Any, form_factor: Any) -> list[Channel]:
    """The Standard Model with couplings of each flavour, and the axial part if wanted."""
    M = nuclear_mass(nuclide)
    blind = weak.scheme(model) == "tree"
    g_p, g_n = weak.proton_coupling("e", model.sin2_theta_w, "tree"), weak.neutron_coupling("tree")

    def terms(E: Floats, T: float, beam: Beam) -> Floats:
        F_p, F_n = proton_and_neutron(form_factor, nuclide, T)
        if blind:
            rate = (nuclide.Z * g_p * F_p + nuclide.N * g_n * F_n) ** 2 * beam.weight
        else:
            Q = weak_matrix(model, nuclide, T, F_p, F_n)
            rate = traces(beam, Q, Q, E.size)
        found = [kinematic_factor(E, T, M) * rate]
        if getattr(model, "axial", False) and nuclide.name in _spins():
            # Hoferichter et al.: (G_F² M/4π)(1 + MT/2E² - T/E) F_A, here with the protons' form factor squared.
            F_A = weak.axial_structure(*_spins()[nuclide.name]) * F_p**2
            found.append(G_FERMI**2 * M / (4 * math.pi) * (1 + M * T / (2 * E**2) - T / E) * F_A * beam.weight)
        return rows(found, E)

    return [Channel(0.0, terms)]


def _magnetic_moment(interaction: Any, nuclide: Any, form_factor: Any) -> list[Channel]:
    """(πα²/m_e²)(μ/μ_B)² Z² F² (1/T - 1/E), with an effective moment of each flavour."""
    squares = np.diag([float(getattr(interaction, f"mu_{name}")) for name in FLAVOURS]).astype(np.complex128)

    def terms(E: Floats, T: float, beam: Beam) -> Floats:
        F_p, _ = proton_and_neutron(form_factor, nuclide, T)
        strength = traces(beam, squares, squares, E.size)
        return rows([math.pi * ALPHA**2 / M_ELECTRON**2 * (nuclide.Z * F_p) ** 2 * strength * (1 / T - 1 / E)], E)

    return [Channel(0.0, terms)]


def flavour_channels(interaction: Any, nuclide: Any, form_factor: Any, standard_model: Any = None) -> list[Channel]:
    """What an interaction adds to the rate of the Standard Model it goes with (None: its square alone)."""
    if type(interaction).__name__ == "MagneticMoment":
        return _magnetic_moment(interaction, nuclide, form_factor)
    M = nuclear_mass(nuclide)

    def terms(E: Floats, T: float, beam: Beam) -> Floats:
        F_p, F_n = proton_and_neutron(form_factor, nuclide, T)
        new = _added(interaction, nuclide, T, F_p, F_n)
        K = kinematic_factor(E, T, M)
        found = [K * traces(beam, new, new, E.size)]
        if standard_model is not None:
            Q = weak_matrix(standard_model, nuclide, T, F_p, F_n)
            found.append(K * 2 * traces(beam, Q, new, E.size))
        return rows(found, E)

    return [Channel(0.0, terms)]


def oscillated_amplitude(
    flavour: str, elements: Sequence[complex], delta_m2: float, distance: float, E: Floats
) -> Matrix:
    """ψ_β = δ_αβ - U*_α4 U_β4 (1 - e^{-iΔm²L/2E}): active flavours of a ν_α, complex128[len(E), 3].

    Three light states without masses and a fourth with Δm² (eV²); L in m and E in MeV. The phase is that of
    1.2669327 Δm² L/E in sin², twice.
    """
    a = FLAVOURS.index(flavour)
    phase = 2 * PHASE * delta_m2 * distance / E
    state = np.zeros((E.size, 3), dtype=np.complex128)
    state[:, a] = 1
    for b in range(3):
        state[:, b] -= complex(elements[a]).conjugate() * elements[b] * (1 - np.exp(-1j * phase))
    return state


def survival_of_active(Ua4_sq: float, Us4_sq: float, delta_m2: float, distance: float, E: float) -> float:
    """P(ν_α → any active) = 1 - 4|U_α4|²|U_s4|² sin²(1.2669327 Δm² L/E)."""
    return 1 - 4 * Ua4_sq * Us4_sq * math.sin(PHASE * delta_m2 * distance / E) ** 2


#: 1 eV² m/MeV in units of ħc, over 4.
PHASE = 1e-12 * 1e15 / (4 * 197.3269804)


def non_unitary_factor(N: Matrix, flavour: str, *, normalised: bool) -> float:
    """Rate over the Standard Model's at L = 0, for a mixing matrix N of the three light states.

    ((NN†)³)_αα, divided by (NN†)_αα if the flux is normalised to its production.
    """
    product, a = N @ N.conj().T, FLAVOURS.index(flavour)
    factor = float((product @ product @ product)[a, a].real)
    return factor / float(product[a, a].real) if normalised else factor


def non_unitary_fermi_constant(N: Matrix) -> float:
    """G_F = G_μ/√((NN†)_ee (NN†)_μμ): the constant that muon decay measures is smaller by that. In units of G_μ."""
    product = N @ N.conj().T
    return 1 / math.sqrt(float(product[0, 0].real) * float(product[1, 1].real))
