"""CL Appendix B and Eq. (21), and N_eff."""

import numpy as np
import pytest
from check_values import value

import cevns_fast as cf

cosmology = cf.cosmology


@pytest.mark.parametrize(
    "bound, target, expected, tolerance",
    [(1.1e-2, "CsI", 0.6465, 3e-4), (4.2e-3, "Ar40", 0.2837, 3e-4), (1.4e-3, "Ge", 0.09067, 3e-4)],
)
def test_mixing_bound(bound, target, expected, tolerance):
    """Germanium is the natural mixture: one nucleus of A = 72.6, which Brdar et al. take for it, would give 0.0910."""
    assert float(cosmology.mixing_bound(bound, target)) == pytest.approx(expected, rel=tolerance)


def test_mixing_bound_from_the_library_s_own_limit_and_experiment():
    csi = cf.load("coherent-csi-2017")
    curve = cf.limit_scan(csi, [cf.SingletEFT(m_chi=m) for m in (1.0, 60.0)], "C_V", cl=0.90)
    bound = cosmology.mixing_bound(curve, csi)
    assert bound[0] == pytest.approx(float(cosmology.mixing_bound(curve.upper[0] ** 2, "CsI")), rel=1e-12)
    assert bound[1] == np.inf
    # the counts of the mixing itself: |C_V| = |D_A| = ½Q_w|U| on each nucleus
    cs, s2 = cf.nuclide("Cs133"), 0.2312
    charge = cs.N - cs.Z * (1 - 4 * s2)
    U2 = float(cosmology.mixing_bound(0.01, cs))
    assert 2 * (0.5 * charge) ** 2 * U2 == pytest.approx((3 * cs.A) ** 2 * 0.01, rel=1e-12)
    with pytest.raises(ValueError, match=r"limit\.coupling = 'C_S'"):
        cosmology.mixing_bound(cf.limit_scan(csi, cf.SingletEFT(m_chi=1.0), "C_S"))
    with pytest.raises(ValueError, match="target = 'csi'"):
        cosmology.mixing_bound(0.01, "csi")


def test_z_width_in_three_readings():
    bound = cosmology.z_width_bound()
    assert bound == pytest.approx((0.016, 0.016 / 3, 0.032 / 3), rel=1e-12)


def test_exact_reading_of_B3_counts_light_states():
    """Σ over light i, j of |C_ij|² = 3 − 2Σ|U|² + O(U⁴), C = U†PU with P on the active flavours."""
    rng = np.random.default_rng(0)
    generator = rng.normal(size=(6, 6)) * 1e-2
    values, vectors = np.linalg.eigh(1j * (generator - generator.T))
    U = vectors @ np.diag(np.exp(1j * values)) @ vectors.conj().T
    C = U[:3].conj().T @ U[:3]
    light = np.abs(C[:5, :5]) ** 2  # the sixth state is heavy
    assert light.sum() == pytest.approx(3 - 2 * np.sum(np.abs(U[:3, 5]) ** 2), abs=1e-6)


def test_loop_dipole():
    assert cosmology.loop_dipole(1.0) == pytest.approx(9.13e-10, rel=1e-3)
    assert cosmology.loop_dipole(1.0, logarithm="M_W^2/m_q^2") == pytest.approx(1.826e-9, rel=1e-3)
    assert cosmology.loop_dipole(2.0, C=0.1) == pytest.approx(0.2 * cosmology.loop_dipole(1.0), rel=1e-14)


def test_n_eff_definition():
    three = 1 + 3 * (7 / 8) * (4 / 11) ** (4 / 3)
    assert float(cosmology.n_eff_of_energies(three, 1.0)) == pytest.approx(3.0, rel=1e-14)
    assert float(cosmology.n_eff_of_energies(three, 1.0, exponent=3)) == pytest.approx(16.19, abs=5e-3)
    assert float(cosmology.n_eff_of_energies(2.0, 1.0)) == pytest.approx(4.40320, abs=5e-6)


@pytest.mark.parametrize(
    "particle, expected",
    [
        ("dirac", (5.88, 5.57, 4.46, 3.46, 3.16)),
        ("majorana", (4.40, 4.25, 3.73, 3.25, 3.10)),
        ("scalar", (3.79, 3.69, 3.39, 3.15, 3.07)),
        ("Z'", (5.40, 5.09, 4.13, 3.36, 3.13)),
    ],
)
def test_n_eff_of_thermal_particles(particle, expected):
    assert cosmology.n_eff(particle, [1.0, 2.0, 5.0, 10.0, 15.0]) == pytest.approx(expected, rel=1e-12)
    curve = cosmology.n_eff(particle, np.geomspace(1, 15, 200))
    assert (np.diff(curve) < 0).all()
    lightest = cosmology.lightest_mass(particle)
    assert float(cosmology.n_eff(particle, lightest)) == pytest.approx(3.33, abs=1e-3)


def test_n_eff_near_the_entropy_estimate():
    """Neutrinos take over the particle's entropy: 3.044 (1 + s_X/s_ν)^(4/3), within 0.14 at 2 MeV."""
    from scipy.integrate import quad

    def entropy(g, sign, z):
        energy = lambda p: np.hypot(p, z)  # noqa: E731
        return (
            g
            / (2 * np.pi**2)
            * quad(lambda p: p**2 * (energy(p) + p**2 / (3 * energy(p))) / (np.exp(energy(p)) + sign), 0, 60)[0]
        )

    neutrinos = 6 * 7 / 8 * 2 * np.pi**2 / 45

    def estimate(g, mass):  # decoupling near 2 MeV
        return 3.044 * (1 + entropy(g, -1, mass / 2.0) / neutrinos) ** (4 / 3)

    assert float(cosmology.n_eff("scalar", 2.0)) == pytest.approx(estimate(1, 2.0), abs=0.14)
    for mass, expected in value("D.Neff_entropy_Z'").items():
        assert estimate(3, float(mass)) == pytest.approx(expected, rel=1e-8)
        assert float(cosmology.n_eff("Z'", float(mass))) == pytest.approx(expected, abs=0.14)


def test_n_eff_of_an_independent_calculation():
    for mass, expected in value("D.Neff_ode_Z'").items():
        assert float(cosmology.n_eff("Z'", float(mass))) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("mass", [0.5, 20.0])
def test_n_eff_outside_the_table(mass):
    with pytest.raises(ValueError, match=r"mass = .*: must be in \[1, 15\] MeV"):
        cosmology.n_eff("scalar", mass)
    with pytest.raises(ValueError, match=r"particle = .*did you mean"):
        cosmology.n_eff("z'", 5.0)
