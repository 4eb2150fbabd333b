"""The table of electron operators against traces of Dirac matrices, its positivity and its signs."""

import csv
import itertools
import math

import numpy as np
import pytest
from cases import crossed
from dirac import GAMMA, GAMMA5, METRIC, ONE, P_L, SIGMA, bar, slash

from cevns_fast.constants import M_ELECTRON, MEV2_CM2
from cevns_fast.data import data_path
from cevns_fast.reference.electrons import ODD, OPERATORS, gram, gram_cross_section, vector_axial
from cevns_fast.reference.kinematics import recoil_range


def momenta(E, T, m):
    """p1, p2 of the neutrino and χ, k1, k2 of the electron."""
    M = M_ELECTRON
    p = math.sqrt(T * (T + 2 * M))
    cosine = (T * (M + E) + m**2 / 2) / (E * p)
    k2 = np.array([M + T, p * cosine, p * math.sqrt(1 - cosine**2), 0])
    p1, k1 = np.array([E, E, 0, 0]), np.array([M, 0, 0, 0])
    return p1, p1 + k1 - k2, k1, k2


def vertices(name, q):
    """(factor, matrix between χ̄ and P_L ν, matrix between ē and e) with all indices contracted."""
    if name == "S":
        return [(1, ONE, ONE)]
    if name == "P":
        return [(1, ONE, 1j * GAMMA5)]
    if name in "VA":
        other = ONE if name == "V" else GAMMA5
        return [(METRIC[mu], GAMMA[mu], GAMMA[mu] @ other) for mu in range(4)]
    pairs = itertools.product(range(4), range(4))
    if name == "T":
        return [(METRIC[mu] * METRIC[nu], SIGMA[mu][nu], SIGMA[mu][nu]) for mu, nu in pairs]
    # A photon that couples to σ^{μν}q_ν on the lepton line, q = p1 - p2.
    return [(1j * METRIC[mu] * METRIC[nu] * q[nu], SIGMA[mu][nu], GAMMA[mu]) for mu, nu in pairs]


def traced(E, T, m, c, antineutrino=False):
    """Σ|M|²/2 for L = Σ c_a (...)_a + h.c.; antineutrinos come from the hermitian conjugate."""
    M = M_ELECTRON
    p1, p2, k1, k2 = momenta(E, T, m)
    parts = [
        # The photon takes p1 - p2 from neutrinos and antineutrinos: its iq is that of a derivative, not conjugated.
        ((np.conj(c[name]) if antineutrino else c[name]) * f, left, right)
        for name in c
        for f, left, right in vertices(name, p1 - p2)
    ]
    total = 0.0
    for (f, a, x), (g, b, y) in itertools.product(parts, parts):
        if antineutrino:
            # v̄(p1) Γ̄ v(p2) with Γ̄ = bar(a P_L), and the electron's matrices barred, too.
            lepton = np.trace(slash(p1) @ bar(a @ P_L) @ (slash(p2) - m * ONE) @ (b @ P_L))
            electron = np.trace((slash(k2) + M * ONE) @ bar(x) @ (slash(k1) + M * ONE) @ y)
            total += f * np.conj(g) * lepton * electron
        else:
            lepton = np.trace((slash(p2) + m * ONE) @ a @ P_L @ slash(p1) @ bar(b @ P_L))
            electron = np.trace((slash(k2) + M * ONE) @ x @ (slash(k1) + M * ONE) @ bar(y))
            total += f * np.conj(g) * lepton * electron
    return (total / 2).real


POINTS = [(30.0, 0.5, 2.0), (12.0, 3.0, 1.0), (50.0, 20.0, 0.0)]


def quadratic(E, T, m, c, antineutrino=False):
    h = gram(E, T, m)
    total = 0.0
    for (a, b), value in h.items():
        if a == b:
            total += abs(c.get(a, 0)) ** 2 * value
        else:
            sign = -1 if antineutrino and frozenset((a, b)) in ODD else 1
            total += sign * 2 * (c.get(a, 0) * np.conj(c.get(b, 0)) * value).real
    return total


@pytest.mark.parametrize(
    ("pair", "antineutrino", "point"),
    crossed(["".join(p) for p in itertools.combinations_with_replacement(OPERATORS, 2)], [False, True], POINTS),
)
def test_every_entry_is_a_trace(pair, antineutrino, point):
    """Pairs with two phases, so that both real and imaginary parts of h_ab are seen."""
    for phase in (1.0, 0.6 + 0.8j):
        c = {pair[0]: 0.7, pair[1]: 0.4 * phase} if pair[0] != pair[1] else {pair[0]: 0.7 * phase}
        # Their photon's vertex has the dimension of a momentum.
        scale = sum(abs(quadratic(*point, {a: x})) for a, x in c.items())
        assert traced(*point, c, antineutrino) == pytest.approx(quadratic(*point, c, antineutrino), abs=1e-12 * scale)


def test_gram_matrices_are_positive():
    random = np.random.default_rng(5)
    for _ in range(200):
        m = random.choice([0.0, 0.3, 2.0, 10.0])
        E = float(m + m**2 / (2 * M_ELECTRON) + random.exponential(20.0))
        limits = recoil_range(E, M_ELECTRON, m)
        T = float(random.uniform(limits.low, limits.high))
        matrix = np.zeros((6, 6), dtype=complex)
        for (a, b), value in gram(E, T, m).items():
            i, j = OPERATORS.index(a), OPERATORS.index(b)
            # Σ c_a c_b* h_ab is c†hᵀc.
            matrix[i, j], matrix[j, i] = value, np.conj(value)
        size = np.sqrt(np.diag(matrix).real)
        keep = size > 0
        scaled = matrix[np.ix_(keep, keep)] / np.outer(size[keep], size[keep])
        assert np.linalg.eigvalsh(scaled).min() > -1e-9, (E, T, m)


@pytest.mark.parametrize("m", [0.0, 2.0])
def test_vector_and_axial_in_closed_form(m):
    for antineutrino in (False, True):
        for V, A in ((0.9, 0.5), (-0.3, 0.2)):
            L, R = (V + A) / 2, (V - A) / 2
            if antineutrino:
                L, R = R, L
            closed = sum(vector_axial(30.0, 0.5, m, L * L, R * R, L * R))
            c = {"V": V, "A": -A}  # a left-handed neutrino: γ P_L times γ(g_V - g_A γ₅)
            found = gram_cross_section(30.0, 0.5, m, {k: 2 * x for k, x in c.items()}, antineutrino) / MEV2_CM2
            assert found == pytest.approx(closed, rel=1e-12)


# keV, xraylib 4.3: K L1 L2 L3 M1.
SECOND_SOURCE = {
    "F": (0.6854,),
    "Na": (1.0721, 0.0633, 0.0311, 0.0311),
    "Ar": (3.206, 0.3263, 0.2507, 0.2486),
    "Ge": (11.1031, 1.4143, 1.2478, 1.2167, 0.18),
    "I": (33.1694, 5.1881, 4.8521, 4.5571, 1.0721),
    "Xe": (34.5644, 5.4528, 5.1037, 4.7822, 1.1487),
    "Cs": (35.9846, 5.7143, 5.3594, 5.0119, 1.2171),
}


def test_shells_against_a_second_source():
    with data_path("electron_shells.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    for element, energies in SECOND_SOURCE.items():
        found = [float(row["binding"]) for row in rows if row["element"] == element]
        np.testing.assert_allclose(found[: len(energies)], 1e3 * np.array(energies), rtol=0.025)


def test_massive_axial_mediator_has_a_longitudinal_part():
    """The full propagator (g_{μν} - q_μq_ν/m²) between the axial currents, against A with P = -2i(m_χm_e/m²)A."""
    E, T, m, mediator = 30.0, 0.5, 2.0, 3.0
    p1, p2, k1, k2 = momenta(E, T, m)
    q = METRIC * (p1 - p2)
    currents = [
        ((METRIC[mu] if mu == nu else 0) - q[mu] * q[nu] / mediator**2, GAMMA[mu], GAMMA[nu] @ GAMMA5)
        for mu, nu in itertools.product(range(4), range(4))
    ]
    total = 0.0
    for (f, a, x), (g, b, y) in itertools.product(currents, currents):
        lepton = np.trace((slash(p2) + m * ONE) @ a @ P_L @ slash(p1) @ bar(b @ P_L))
        electron = np.trace((slash(k2) + M_ELECTRON * ONE) @ x @ (slash(k1) + M_ELECTRON * ONE) @ bar(y))
        total += f * g * lepton * electron
    c = {"A": 1.0, "P": -2j * m * M_ELECTRON / mediator**2}
    assert (total / 2).real == pytest.approx(quadratic(E, T, m, c), rel=1e-12)
