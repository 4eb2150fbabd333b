"""The slow twin of the relic density: amplitudes from explicit spinors, check values, the literal equations."""

import math
from itertools import product

import numpy as np
import pytest
from cases import quick_are
from scipy.integrate import quad
from slow_twin import thermal_cross_section

from cevns_fast.reference import relic_density as reference

mpmath = pytest.importorskip("mpmath")

# --- amplitudes, from Dirac matrices in the chiral representation ------------------------------

PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
ONE, NIL = np.eye(2), np.zeros((2, 2))
GAMMA = np.array([
    np.block([[NIL, ONE], [ONE, NIL]]),
    *(np.block([[NIL, s], [-s, NIL]]) for s in PAULI),
])  # fmt: skip
METRIC = np.diag([1, -1, -1, -1])
P_L, P_R = np.diag([1, 1, 0, 0]), np.diag([0, 0, 1, 1])
C = 1j * GAMMA[2] @ GAMMA[0]


def slash(p):
    return np.einsum("m,mn,nij->ij", p, METRIC, GAMMA)


def root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return vectors @ np.diag(np.sqrt(np.abs(values))) @ vectors.conj().T


def u(p, spin):
    two = np.eye(2)[spin]
    sigma = np.einsum("i,ijk->jk", p[1:], PAULI)
    return np.concatenate([root(p[0] * ONE - sigma) @ two, root(p[0] * ONE + sigma) @ two])


def v(p, spin):
    return C @ bar(u(p, spin))  # the charge conjugate: C ū^T


def bar(spinor):
    return spinor.conj() @ GAMMA[0]


def amplitude_squared(process, reading, m, M, E, cosine):
    """Σ|M|² over all spins, y = 1, at √s = E, from L = S χ̄ P_L ν + h.c., with the ½ for identical particles."""
    initial, final = (M, 0.0) if process == "S-S-nu-nu" else (m, M if process == "chi-chi-S-S" else 0.0)
    p, k = (math.sqrt(E * E / 4 - mass * mass) for mass in (initial, final))
    sine = math.sqrt(1 - cosine**2)
    p1, p2 = np.array([E / 2, 0, 0, p]), np.array([E / 2, 0, 0, -p])
    k1 = np.array([E / 2, k * sine, 0, k * cosine])
    k2 = np.array([E / 2, -k * sine, 0, -k * cosine])
    t, u_ = ((p1 - each) @ METRIC @ (p1 - each) for each in (k1, k2))
    majorana = reading.startswith("majorana")
    spins = tuple(product((0, 1), repeat=4 if process == "chi-chi-nu-nu" else 2))
    total = 0.0
    if process == "chi-chi-nu-nu":
        for a, b, c, d in spins:
            one = (bar(u(k1, c)) @ P_R @ u(p1, a)) * (bar(v(p2, b)) @ P_L @ v(k2, d)) / (t - M * M)
            two = (bar(u(k1, c)) @ P_R @ u(p2, b)) * (bar(v(p1, a)) @ P_L @ v(k2, d)) / (u_ - M * M)
            total += abs(one - two) ** 2 if majorana else abs(one) ** 2
            if reading == "majorana":
                one = (bar(u(k1, c)) @ P_R @ u(p1, a)) * (bar(u(k2, d)) @ P_R @ u(p2, b)) / (t - M * M)
                two = (bar(u(k1, c)) @ P_R @ u(p2, b)) * (bar(u(k2, d)) @ P_R @ u(p1, a)) / (u_ - M * M)
                total += 2 * abs(one - two) ** 2 / 2  # and the antineutrinos
    elif process == "S-S-nu-nu":
        for c, d in spins:
            inner = slash(k1 - p1) / (t - m * m) + slash(k1 - p2) / (u_ - m * m)
            total += abs(bar(u(k1, c)) @ P_R @ inner @ P_L @ v(k2, d)) ** 2
            if reading == "majorana":
                mass = m * (1 / (t - m * m) + 1 / (u_ - m * m))
                total += 2 * abs(bar(u(k1, c)) @ P_R @ v(k2, d) * mass) ** 2 / 2
    else:
        for a, b in spins:
            inner = slash(p1 - k1) / t + slash(p1 - k2) / u_
            value = bar(v(p2, b)) @ P_L @ inner @ P_R @ u(p1, a)
            if majorana:  # the other way round the line
                inner = slash(p2 - k1) / u_ + slash(p2 - k2) / t
                value -= bar(v(p1, a)) @ P_L @ inner @ P_R @ u(p2, b)
            total += abs(value) ** 2 / 2
    return total, 2 * p * k  # dt = 2pk dcosθ


@pytest.mark.parametrize("reading", reference.READINGS)
@pytest.mark.parametrize("process", quick_are(reference.PROCESSES, 1))
@pytest.mark.parametrize("m, M, E", [pytest.param(3.0, 10.0, 21.0, marks=pytest.mark.slow), (3.0, 4.5, 60.0)])
def test_amplitudes_are_those_of_explicit_spinors(process, reading, m, M, E):
    value, _ = quad(lambda c: math.prod(amplitude_squared(process, reading, m, M, E, c)), -1, 1, epsabs=0, epsrel=1e-9)
    with mpmath.workdps(40):
        expected = float(reference.integrated_amplitude(process, m, M, E * E, reading))
    assert value == pytest.approx(expected, rel=1e-9)


def test_dirac_annihilation_in_closed_form():
    m, M, s = 3.0, 10.0, 90.0
    beta, delta = math.sqrt(1 - 4 * m * m / s), M * M - m * m
    high, low = s * (1 + beta) / 2 + delta, s * (1 - beta) / 2 + delta
    bracket = s * beta - 2 * delta * math.log(high / low) + delta**2 * s * beta / (M * M * s + delta**2)
    with mpmath.workdps(40):
        assert float(reference.integrated_amplitude("chi-chi-nu-nu", m, M, s)) == pytest.approx(bracket, rel=1e-10)


# --- thermal averages and degrees of freedom ---------------------------------------------------


@pytest.mark.parametrize(
    "T, expected",
    [
        (200.0, (1.5184851503e-08, 8.1990091653e-07, 1.8029115632e-07)),
        (3.0, (6.5064101434e-06, 3.2884893735e-05, 6.5134292743e-07)),
    ],
)
def test_averages_for_3_and_10_MeV(T, expected):
    found = [thermal_cross_section(process, 3.0, 10.0, T) for process in reference.PROCESSES]
    assert found == pytest.approx(expected, rel=1e-10)


def test_average_has_its_threshold_limit():
    m, M = 3.0, 10.0
    limit = m**2 / (32 * math.pi * (M**2 + m**2) ** 2)
    assert thermal_cross_section("chi-chi-nu-nu", m, M, 3e-4) == pytest.approx(limit, rel=1e-3)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("z", [1e-4, 0.02, 1.0, 30.0, 1e4])
def test_bessel_functions_are_those_of_mpmath(order, z):
    with mpmath.workdps(30):
        expected = float(mpmath.besselk(order, z) * mpmath.exp(z))
    assert reference.scaled_bessel(order, z) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    "T, expected",
    [
        (200.0, (39.9418, 37.4586)),
        (100.0, (17.7471, 17.3283)),
        (10.0, (10.7427, 10.7422)),
        (1.0, (10.5454, 10.5482)),
        (0.1, (4.3182, 4.7982)),
    ],
)
def test_degrees_of_freedom(T, expected):
    assert reference.degrees_of_freedom(T) == pytest.approx(expected, abs=6e-5)


def test_degrees_of_freedom_are_near_an_ideal_gas():
    """γ, 3 ν, e, μ and π at 10 MeV, by quadrature: 10.7598 and 10.7575."""

    def gas(g, mass, sign, T=10.0):
        def moment(power):
            """∫ dp p² f(E) E (p/E)^power, over 2π²."""

            def integrand(p):
                energy = math.hypot(p, mass)
                return p**2 * energy * (p / energy) ** power / (math.exp(energy / T) + sign)

            return quad(integrand, 0, 60 * T)[0] * g / (2 * math.pi**2)

        rho, pressure = moment(0), moment(2) / 3
        return rho * 30 / (math.pi**2 * T**4), (rho + pressure) * 45 / (2 * math.pi**2 * T**4)

    species = [(2, 1e-9, -1), (6, 1e-9, 1), (4, 0.511, 1), (4, 105.66, 1), (2, 139.57, -1), (1, 134.98, -1)]
    g_rho, g_s = np.sum([gas(*each) for each in species], axis=0)
    assert (g_rho, g_s) == pytest.approx((10.7598, 10.7575), abs=1e-4)
    assert reference.degrees_of_freedom(10.0) == pytest.approx((g_rho, g_s), rel=2e-3)


# --- the literal equations ---------------------------------------------------------------------


@pytest.mark.slow
def test_literal_yields_for_3_and_10_MeV():
    averages = reference.average_table(3.0, 10.0, 100.0)
    start, *_ = reference.relic_density(3.0, 10.0, 1e-3, [0.0150001], averages=averages).Y_chi
    assert start == pytest.approx(1.233210e-2, rel=1e-5)
    strong = reference.relic_density(3.0, 10.0, 1e-3, [30.0, 100.0], averages=averages)
    assert strong.Y_chi == pytest.approx([4.5796091e-05, 3.872952e-05], rel=2e-7)
    weak = reference.relic_density(3.0, 10.0, 1e-4, [100.0], averages=averages)
    assert weak.Y_chi == pytest.approx([2.792155e-02], rel=2e-7)
