"""Kinematics and form factor of the slow twin, against higher precision and known limits."""

import math

import mpmath
import numpy as np
import pytest
from accuracy import approx

import cevns_fast as cf
from cevns_fast.reference import helm_form_factor
from cevns_fast.reference.form_factor import nuclear_mass, proton_and_neutron
from cevns_fast.reference.kinematics import (
    cos_theta,
    headroom,
    minimum_energy,
    recoil_range,
    threshold_energy,
)

M = 67_650.0
MASSES = [1e-4, 0.01, 1.0, 10.0, 40.0]


def exact_range(E, M, m):
    """BRX Eq. (9) as printed, at 60 digits."""
    with mpmath.workdps(60):
        E, M, m = map(mpmath.mpf, (E, M, m))
        root = E * mpmath.sqrt(4 * M**2 * E**2 - 4 * M * m**2 * (E + M) + m**4)
        middle, denominator = 2 * M * E**2 - m**2 * (E + M), 2 * M * (2 * E + M)
        return (
            float((middle - root) / denominator),
            float((middle + root) / denominator),
            float(2 * root / denominator),
        )


@pytest.mark.parametrize("m", MASSES)
@pytest.mark.parametrize("excess", [1e-8, 1e-3, 0.3, 10.0])
def test_recoil_range_is_brx_9(m, excess):
    E = threshold_energy(M, m) + excess
    low, high, width = exact_range(E, M, m)
    found = recoil_range(E, M, m)
    # E itself is rounded, which near the threshold is all that is left of the width.
    noise = 1e-14 * E / excess
    assert found.low == approx(low, rel=1e-13 + noise)
    assert found.high == approx(high, rel=1e-13 + noise)
    assert found.width == approx(width, rel=1e-13 + noise)


def test_massless_limit():
    low, high, width = recoil_range(30.0, M, 0.0)
    assert low == 0
    assert high == width == approx(2 * 30.0**2 / (M + 60.0), rel=1e-15)  # BRX (10)


def test_threshold():
    for m in MASSES:
        E = threshold_energy(M, m)
        assert E == m + m**2 / (2 * M)
        assert recoil_range(E * (1 - 1e-12), M, m) is None
        limits = recoil_range(E * (1 + 1e-12), M, m)
        assert limits.high == approx(m**2 / (2 * (M + m)), rel=1e-5)  # BRX (12)
    assert recoil_range(0.0, M, 0.0) is None


@pytest.mark.parametrize("m", [0.0, *MASSES])
@pytest.mark.parametrize("E", [45.0, 52.8])
def test_minimum_energy_at_the_ends_gives_back_the_energy(m, E):
    limits = recoil_range(E, M, m)
    assert minimum_energy(limits.high, M, m) == approx(E, rel=1e-14)
    assert cos_theta(E, limits.high, M, m) == approx(1, rel=1e-14)
    if m:
        assert minimum_energy(limits.low, M, m) == approx(E, rel=1e-12)
        assert cos_theta(E, limits.low, M, m) == approx(1, rel=1e-12)


def test_minimum_energy_is_a2():
    with mpmath.workdps(50):
        for T, m in [(1e-9, 0.0), (1e-3, 5.0), (0.04, 50.0)]:
            t = mpmath.mpf(T)
            exact = (t * M + mpmath.mpf(m) ** 2 / 2) / (mpmath.sqrt(t * (t + 2 * M)) - t)
            assert minimum_energy(T, M, m) == approx(float(exact), rel=1e-15)
    assert minimum_energy(0.0, M, 0.0) == 0
    assert minimum_energy(0.0, M, 1.0) == math.inf


@pytest.mark.parametrize("m", [0.0, 1.0, 40.0])
def test_headroom_keeps_its_digits_at_the_kinematic_limit(m):
    E = 52.0
    limits = recoil_range(E, M, m)
    for above in (1e-3, 1e-9, 1e-15):
        above *= limits.width
        with mpmath.workdps(60):
            root = mpmath.sqrt(4 * mpmath.mpf(M) ** 2 * E**2 - 4 * mpmath.mpf(M) * m**2 * (E + M) + mpmath.mpf(m) ** 4)
            high = (2 * mpmath.mpf(M) * E**2 - m**2 * (E + M) + E * root) / (2 * M * (2 * E + M))
            T = high - mpmath.mpf(above)
            E_min = (T * M + mpmath.mpf(m) ** 2 / 2) / (mpmath.sqrt(T * (T + 2 * M)) - T)
            exact = float(E - E_min)
        found = headroom(E, limits.high - above, M, m, limits.width - above, above)
        assert found == approx(exact, rel=1e-13)


@pytest.mark.parametrize("name", ["Na23", "Ar40", "Ge74", "Cs133"])
@pytest.mark.parametrize("convention", ["lewin-smith", "rms"])
def test_form_factor(name, convention):
    nuclide = cf.nuclide(name)
    assert helm_form_factor(nuclide, 0.0, convention) == 1
    assert isinstance(helm_form_factor(nuclide, 1e-3, convention), float)
    T = np.array([1e-12, 1e-6, 1e-3, 0.01])
    F = helm_form_factor(nuclide, T, convention)
    A, s = nuclide.Z + nuclide.N, mpmath.mpf("0.9")
    with mpmath.workdps(40):
        if convention == "rms":
            radius = mpmath.sqrt(mpmath.mpf(5) / 3 * (mpmath.mpf(nuclide.charge_radius) ** 2 - 3 * s**2))
        else:
            c = mpmath.mpf("1.23") * mpmath.cbrt(A) - mpmath.mpf("0.6")
            radius = mpmath.sqrt(c**2 + mpmath.mpf(7) / 3 * (mpmath.pi * mpmath.mpf("0.52")) ** 2 - 5 * s**2)
        for t, value in zip(T, F, strict=True):
            q = mpmath.sqrt(2 * nuclear_mass(nuclide) * t) / mpmath.mpf("197.3269804")
            j1 = mpmath.sqrt(mpmath.pi / (2 * q * radius)) * mpmath.besselj(1.5, q * radius)
            exact = 3 * j1 / (q * radius) * mpmath.exp(-((q * s) ** 2) / 2)
            assert value == approx(float(exact), rel=1e-14)
    # Continuous where the series takes over.
    q = 1 / float(radius) * 197.3269804
    T1 = q**2 / (2 * nuclear_mass(nuclide))
    assert helm_form_factor(nuclide, T1 * (1 - 1e-9), convention) == approx(
        helm_form_factor(nuclide, T1 * (1 + 1e-9), convention), rel=1e-9
    )


def test_both_radius_conventions_and_unknown_ones():
    F = [helm_form_factor(cf.nuclide("Cs133"), 0.015, c) for c in ("lewin-smith", "rms")]
    assert F[0] == approx(F[1], rel=5e-3)
    assert F[0] != F[1]
    with pytest.raises(ValueError, match="convention = 'woods-saxon'"):
        helm_form_factor(cf.nuclide("Cs133"), 0.015, "woods-saxon")


def test_neutrons_may_be_distributed_otherwise():
    cs, T = cf.nuclide("Cs133"), 0.015
    assert proton_and_neutron(cf.PointNucleus(), cs, T) == (1.0, 1.0)
    F = helm_form_factor(cs, T)
    assert proton_and_neutron(None, cs, T) == (F, F)
    proton, neutron = proton_and_neutron(cf.HelmFormFactor(neutron_radius=5.1), cs, T)
    assert proton == F
    assert neutron < proton
    assert proton_and_neutron(cf.HelmFormFactor(neutron_radius={"Cs133": 5.1}), cs, T) == (proton, neutron)
    same = proton_and_neutron(cf.HelmFormFactor("rms", neutron_radius=cs.charge_radius), cs, T)
    assert same[0] == same[1]


def test_nuclear_mass():
    # AME2020: 132.905451961 u; 55 electrons weigh 28.105 MeV and are bound by 0.2 MeV.
    assert nuclear_mass(cf.nuclide("Cs133")) == approx(123772.75, abs=0.01)
