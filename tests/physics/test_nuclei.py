"""Nuclides, targets and the Helm form factor."""

import math

import numpy as np
import periodictable
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

import cevns_fast as cf
from cevns_fast.constants import AVOGADRO, HBAR_C
from cevns_fast.data import data_path, read_table
from cevns_fast.nuclear.form_factors import helm, momentum_transfer

# name: nuclear mass (MeV), charge radius (fm), R₀ "lewin-smith", R₀ "rms" (fm); computed apart from this library.
KNOWN = {
    "Na23": (21409.2180, 2.9936, 3.2520, 3.2994),
    "Ar40": (37215.5407, 3.4274, 3.8967, 3.9406),
    "Ge74": (68840.8466, 4.0742, 4.7965, 4.8595),
    "I127": (118183.8788, 4.7500, 5.7743, 5.7926),
    "Xe132": (122840.5512, 4.7859, 5.8518, 5.8416),
    "Cs133": (123772.7515, 4.8041, 5.8671, 5.8665),
}


@pytest.mark.parametrize("name", KNOWN)
def test_masses_and_radii(name):
    mass, charge_radius, lewin_smith, rms = KNOWN[name]
    nuclide = cf.nuclide(name)
    assert nuclide.mass == pytest.approx(mass, abs=1e-3)
    assert nuclide.charge_radius == charge_radius
    assert cf.HelmFormFactor("lewin-smith").proton_radius(nuclide) == pytest.approx(lewin_smith, abs=1e-4)
    assert cf.HelmFormFactor("rms").proton_radius(nuclide) == pytest.approx(rms, abs=1e-4)


def test_the_default_target_of_csi(csi):
    cs, iodine = csi.detector.target.nuclides
    assert (cs.name, cs.Z, cs.N, cs.A) == ("Cs133", 55, 78, 133)
    assert (iodine.name, iodine.Z, iodine.N, iodine.A) == ("I127", 53, 74, 127)
    # CsI: 259.809 g/mol
    assert csi.detector.nuclei == pytest.approx(14570 / 259.80993 * AVOGADRO, rel=1e-6)


def test_unknown_nuclides():
    with pytest.raises(ValueError, match=r"nuclide = 'Cs134': did you mean 'Cs133'\?"):
        cf.nuclide("Cs134")
    for bad in (133, None, "", "cs133"):
        with pytest.raises(ValueError, match=r"nuclide = .*must be one of"):
            cf.nuclide(bad)


# --- targets --------------------------------------------------------------------------------------


def test_an_element_is_its_isotopes():
    ge = cf.Target.of("Ge", {"Ge": 1})
    assert [n.name for n in ge.nuclides] == ["Ge70", "Ge72", "Ge73", "Ge74", "Ge76"]
    assert math.fsum(ge.counts) == pytest.approx(1.0, rel=1e-15)
    assert ge.counts[3] == pytest.approx(0.3652, rel=1e-3)
    assert ge.nuclei_per_kg.sum() == pytest.approx(1000 / 72.63 * AVOGADRO, rel=2e-4)


def test_molecules_and_single_isotopes():
    nai = cf.Target.of("NaI", {"Na": 1, "I": 1})
    assert nai.counts == (1.0, 1.0)
    two = cf.Target.of("enriched", {"Ge76": 0.9, "Ge74": 0.1})
    assert two.counts == pytest.approx((0.9, 0.1), rel=1e-15)
    assert [n.name for n in two.nuclides] == ["Ge76", "Ge74"]
    mass = math.fsum(n.atomic_mass * c for n, c in zip(two.nuclides, two.nuclei_per_kg, strict=True)) / AVOGADRO
    assert mass == pytest.approx(1000, rel=1e-14)


@pytest.mark.parametrize("material", ["H2O", "CaWO4", "Al2O3", "PbF2", "CF3I", "BGO", "NaI", "TeO2", "CsPbBr3", "Tl"])
def test_materials_of_detectors(material):
    """Any formula of natural elements: its molar mass is that of the standard atomic weights."""
    formula = periodictable.formula("Bi4Ge3O12" if material == "BGO" else material)
    composition = {element.symbol: count for element, count in formula.atoms.items()}
    target = cf.Target.of(material, composition)
    assert target.nuclei_per_kg.sum() == pytest.approx(
        1000 / formula.mass * sum(composition.values()) * AVOGADRO, rel=1e-4
    )


def test_a_nuclide_of_ones_own():
    cs137 = cf.Nuclide("Cs137", Z=55, N=82, atomic_mass=136.907089)
    target = cf.Target.of("waste", {"Cs137": 0.25, "Cs133": 0.75}, [cs137])
    assert target.nuclides == (cs137, cf.nuclide("Cs133")) and target.counts == (0.25, 0.75)
    assert target.nuclei_per_kg.sum() == pytest.approx(1000 * AVOGADRO / (0.25 * 136.907089 + 0.75 * 132.905451959))
    radius = cf.HelmFormFactor(neutron_radius={"Cs137": 4.9})
    assert cf.Detector(target, 1.0, (1.0, 2.0), form_factor=radius).n_bins == 1
    with pytest.raises(ValueError, match=r"nuclide 'Cs133': is tabulated"):
        cf.Target.of("x", {"Cs133": 1}, [cf.Nuclide("Cs133", 55, 78, 132.9)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("", 55, 78, 132.9), r"name = '': must be a string that is not empty"),
        (("Cs", 0, 78, 132.9), r"Z = 0: must be a whole number from 1 to 200"),
        (("Cs", 55.0, 78, 132.9), r"Z = 55.0: must be a whole number"),
        (("Cs", 55, -1, 132.9), r"N = -1"),
        (("Cs", 55, 78, 123772.75), r"atomic_mass = 123772.75: must be in u, within 1% of A = 133"),
        (("Cs", 55, 78, 132.9, 100.0), r"abundance = 100.0: must be a mole fraction"),
        (("Cs", 55, 78, 132.9, 1.0, 0.0), r"charge_radius = 0.0"),
    ],
)
def test_bad_nuclides(arguments, message):
    with pytest.raises(ValueError, match=message):
        cf.Nuclide(*arguments)


@given(st.floats(0.1, 10), st.floats(0.1, 10))
def test_a_target_does_not_depend_on_the_size_of_its_formula(a, scale):
    one = cf.Target.of("x", {"Na": a, "Xe": 1.0})
    other = cf.Target.of("x", {"Na": a * scale, "Xe": scale})
    assert one.nuclei_per_kg == pytest.approx(other.nuclei_per_kg, rel=1e-13)


# --- form factor ----------------------------------------------------------------------------------


@pytest.mark.parametrize("convention", ["lewin-smith", "rms"])
@pytest.mark.parametrize("name", KNOWN)
def test_form_factor_is_one_at_zero(name, convention):
    nuclide = cf.nuclide(name)
    assert cf.helm_form_factor(nuclide, 0.0, convention=convention) == 1.0
    ff = cf.HelmFormFactor(convention, neutron_radius=5.0)
    assert ff.proton(nuclide, 0.0) == ff.neutron(nuclide, 0.0) == 1.0


@pytest.mark.parametrize("name", ["Ar40", "Cs133"])
def test_the_rms_convention_has_the_charge_radius(name):
    """F = 1 − q²⟨r²⟩/6 at small q, whatever the skin."""
    nuclide = cf.nuclide(name)
    for skin in (0.0, 0.7, 0.9):
        q2 = 1e-8  # fm⁻²
        T = q2 * HBAR_C**2 / (2 * nuclide.mass)
        F = cf.helm_form_factor(nuclide, T, convention="rms", skin=skin)
        assert 6 * (1 - F) / q2 == pytest.approx(nuclide.charge_radius**2, rel=1e-6)


def test_a_neutron_radius_of_its_own():
    cs, iodine = cf.nuclide("Cs133"), cf.nuclide("I127")
    T = np.array([0.0, 0.005, 0.02])
    same = cf.HelmFormFactor("rms", neutron_radius=cs.charge_radius)
    assert same.neutron(cs, T) == pytest.approx(same.proton(cs, T), rel=1e-14)
    larger = cf.HelmFormFactor("rms", neutron_radius=cs.charge_radius + 0.2)
    assert np.all(larger.neutron(cs, T)[1:] < larger.proton(cs, T)[1:])
    only_cesium = cf.HelmFormFactor(neutron_radius={"Cs133": 5.0})
    assert np.array_equal(only_cesium.neutron(iodine, T), only_cesium.proton(iodine, T))
    assert only_cesium.neutron(cs, T)[1] != only_cesium.proton(cs, T)[1]
    assert hash(only_cesium) == hash(cf.HelmFormFactor(neutron_radius={"Cs133": 5.0}))


@given(st.floats(0, 4.0))
def test_the_form_factor_is_that_of_a_smeared_ball(q):
    """3 j₁(x)/x by its spherical-wave integral ∫₀¹ 3r² sin(xr)/(xr) dr, times the Gaussian."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    r, w = (nodes + 1) / 2, weights / 2
    ball = np.sum(w * 3 * r * r * np.sinc(q * 5.9 * r / np.pi))
    assert helm(q, 5.9, 0.9) == pytest.approx(ball * math.exp(-0.5 * (q * 0.9) ** 2), rel=1e-12, abs=1e-14)


def test_series_and_closed_form_join():
    """On either side of x = qR₀ = 1 the difference quotients agree: no step above rounding."""
    x = 1 + 1e-9 * np.arange(-3, 4)
    slope = -3 * special.spherical_jn(2, 1.0)  # of 3 j₁(x)/x at 1
    values = helm(x, 1.0, 0.0)
    assert np.abs(values - values[0] - slope * (x - x[0])).max() < 1e-15
    away = np.array([1e-8, 1e-3, 0.3, 0.999, 1.001, 5.0, 30.0])
    assert helm(away, 1.0, 0.0) == pytest.approx(3 * special.spherical_jn(1, away) / away, rel=1e-13)


def test_point_nucleus():
    assert np.array_equal(cf.PointNucleus().proton(cf.nuclide("Cs133"), [0.0, 1.0]), [1.0, 1.0])
    assert np.array_equal(cf.PointNucleus().neutron(cf.nuclide("Cs133"), [0.0, 1.0]), [1.0, 1.0])


def test_momentum_transfer():
    cs = cf.nuclide("Cs133")
    assert momentum_transfer(cs, 0.01) * HBAR_C == pytest.approx(math.sqrt(2 * cs.mass * 0.01), rel=1e-14)


def test_scalars_and_arrays():
    cs = cf.nuclide("Cs133")
    assert isinstance(cf.helm_form_factor(cs, 0.01), float)
    assert cf.helm_form_factor(cs, [[0.01, 0.02]]).shape == (1, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"convention": "lewin_smith"}, r"convention = 'lewin_smith': did you mean 'lewin-smith'\?"),
        ({"skin": -0.1}, r"skin = -0.1: must be a finite number >= 0"),
        ({"skin": math.nan}, r"skin = nan"),
        ({"neutron_radius": 0.0}, r"neutron_radius = 0.0: must be a finite number > 0"),
        ({"neutron_radius": {"Cs133": -1.0}}, r"neutron_radius of Cs133 = -1.0"),
        ({"neutron_radius": (("Cs133", "large"),)}, r"neutron_radius of Cs133 = 'large'"),
        ({"neutron_radius": (4.8, 4.9)}, r"neutron_radius = 4.8: must be a radius, or a mapping"),
    ],
)
def test_bad_form_factors(arguments, message):
    with pytest.raises(ValueError, match=message):
        cf.HelmFormFactor(**arguments)


def test_radii_without_a_nuclide_and_nuclides_without_a_radius():
    cesium = cf.Target.of("Cs", {"Cs": 1})
    with pytest.raises(ValueError, match=r"nuclide = 'Cs132': did you mean 'Cs133'\?"):
        cf.Detector(cesium, 1.0, (1.0, 2.0), form_factor=cf.HelmFormFactor(neutron_radius={"Cs132": 4.8}))
    with pytest.raises(ValueError, match=r"charge radius of S33: has not been measured.*'lewin-smith'"):
        cf.Detector(cf.Target.of("S", {"S": 1}), 1.0, (1.0, 2.0), form_factor=cf.HelmFormFactor("rms"))
    with pytest.raises(ValueError, match=r"charge radius of H1 = 0.8783: must be > sqrt\(3\) × skin"):
        cf.Detector(cf.Target.of("H2", {"H": 2}), 1.0, (1.0, 2.0), form_factor=cf.HelmFormFactor("rms"))
    with pytest.raises(ValueError, match=r"skin = 9.0: must be smaller"):
        cf.HelmFormFactor(skin=9.0).proton(cf.nuclide("Cs133"), 0.01)
    assert cf.HelmFormFactor().proton(cf.nuclide("S33"), 0.0) == 1.0


def test_a_radius_smaller_than_its_skin():
    with pytest.raises(ValueError, match=r"neutron_radius of Cs133 = 1.0: must be > sqrt\(3\)"):
        cf.HelmFormFactor(neutron_radius=1.0).neutron(cf.nuclide("Cs133"), 0.01)


# J, ⟨S_p⟩, ⟨S_n⟩ as others have them: J from NuDat in micrOMEGAs' headers, expectation values in T. Emken's obscura
# (data/Nuclear_Data.txt) from Klos et al., arXiv:1304.7684, with Cs-133 from micrOMEGAs (Phys. Lett. B 254, 220).
SPINS = {
    "Na23": (1.5, 0.224, 0.024, 0.0),
    "Ge73": (4.5, 0.031, 0.439, 0.0),
    "Xe129": (0.5, 0.010, 0.329, 0.0),
    "Xe131": (1.5, -0.009, -0.272, 0.0),
    "I127": (2.5, 0.342, 0.031, 0.005),  # of 2013; ours is of 2020
    "Cs133": (3.5, -0.370, 0.003, 0.03),  # another model
}


def test_spins_of_a_second_source():
    table = read_table(data_path("nuclear_spins.csv"))
    assert set(table["nuclide"]) == set(SPINS)
    for name, *numbers in zip(*table.values(), strict=True):
        J, S_p, S_n = map(float, numbers)
        other_J, *other, tolerance = SPINS[name]
        assert other_J == J
        assert [S_p, S_n] == pytest.approx(other, abs=tolerance)
        nuclide = cf.nuclide(name)
        assert nuclide.A % 2 == 1 and (2 * J) % 2 == 1  # an odd nucleus has half a spin, and the odd nucleons have it
        assert (abs(S_p) > abs(S_n)) == (nuclide.Z % 2 == 1)
