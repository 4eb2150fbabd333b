"""Numbers of nature against independent collections: particle (PDG) and periodictable."""

import math

import particle
import periodictable
import pytest
from scipy import constants as codata

import cevns_fast as cf
from cevns_fast import constants
from cevns_fast.interactions import matching
from cevns_fast.nuclear import nuclei

ALL = nuclei._nuclides()


@pytest.mark.parametrize(
    ("pdg_id", "value", "rel"),
    [
        (11, constants.M_ELECTRON, 1e-8),
        (13, constants.M_MUON, 1e-8),
        (211, constants.M_PION, 2e-6),
        (2212, constants.M_PROTON, 1e-8),
        (2112, constants.M_NEUTRON, 1e-8),
        (24, constants.M_W, 5e-4),  # PDG 2018 here, newer there
        (5, constants.M_BOTTOM, 5e-3),
    ],
)
def test_particle_masses(pdg_id, value, rel):
    assert value == pytest.approx(particle.Particle.from_pdgid(pdg_id).mass, rel=rel)


@pytest.mark.parametrize(
    ("value", "name", "scale"),
    [
        (constants.ALPHA, "fine-structure constant", 1.0),
        (constants.G_FERMI, "Fermi coupling constant", 1e-6),  # GeV⁻² to MeV⁻²
        (constants.AVOGADRO, "Avogadro constant", 1.0),
        (constants.ATOMIC_MASS_UNIT, "atomic mass constant energy equivalent in MeV", 1.0),
        (constants.HBAR_C, "reduced Planck constant times c in MeV fm", 1.0),
        (constants.M_ELECTRON, "electron mass energy equivalent in MeV", 1.0),
    ],
)
def test_codata(value, name, scale):
    assert value == pytest.approx(codata.value(name) * scale, rel=1e-8)


def test_conversions():
    assert pytest.approx(3.8937937e-22, rel=2e-8) == constants.MEV2_CM2
    assert constants.KEV == 1e-3
    assert constants.SECONDS_PER_DAY == codata.day
    assert constants.DAYS_PER_YEAR * codata.day == codata.Julian_year
    assert pytest.approx(1e-6 / codata.e) == constants.WATT_IN_MEV_PER_SECOND
    assert 0.23 < constants.SIN2_THETA_W < constants.SIN2_THETA_W_LOW_ENERGY < 0.24


def test_bohr_magneton():
    """In units of Heaviside and Lorentz: a field of 1 T holds 1/2μ₀ per volume, B²/2."""
    tesla = math.sqrt(1 / (codata.mu_0 * codata.e) * (codata.hbar * codata.c / codata.e) ** 3)  # eV²
    assert codata.value("Bohr magneton in eV/T") / tesla * 1e6 == pytest.approx(matching.BOHR_MAGNETON, rel=1e-8)


def test_cosmology():
    """M_Planck and ħ from SI constants; the age of a flat universe with Planck's H₀ = 67.66 and Ω_m = 0.3111."""
    planck = math.sqrt(codata.hbar * codata.c / codata.G) * codata.c**2 / codata.e / 1e6
    assert planck == pytest.approx(constants.M_PLANCK, rel=2e-5)
    assert constants.HBAR == pytest.approx(codata.hbar / codata.e / 1e6, rel=1e-9)
    assert constants.SPEED_OF_LIGHT == codata.c
    assert constants.NEUTRAL_HIGGS_VEV == pytest.approx((2 * math.sqrt(2) * constants.G_FERMI) ** -0.5, rel=1e-3)
    dark_energy = 1 - 0.3111
    hubble = 67.66e3 / (1e6 * codata.parsec)
    age = 2 / (3 * hubble * math.sqrt(dark_energy)) * math.asinh(math.sqrt(dark_energy / 0.3111))
    assert age == pytest.approx(constants.AGE_OF_UNIVERSE, rel=2e-3)
    assert constants.OMEGA_DARK_MATTER_H2 == pytest.approx((0.3111 - 0.0490) * 0.6766**2, rel=5e-3)


def test_the_dipole_prefactors():
    """CONVENTIONS, 3: e v_H/2 with α(0), and s_W M_W."""
    from cevns_fast.interactions.singlet_eft import DIPOLE_PREFACTORS, HIGGS_VEV

    assert pytest.approx(246219.65, rel=1e-6) == HIGGS_VEV
    assert DIPOLE_PREFACTORS["e v_H/2"] == pytest.approx(37280.378, rel=1e-7)
    assert DIPOLE_PREFACTORS["s_W M_W"] == pytest.approx(38648.5, rel=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_atomic_masses_and_abundances(name):
    nuclide = cf.nuclide(name)
    element = getattr(periodictable, name.rstrip("0123456789"))
    isotope = element[nuclide.A]
    assert element.number == nuclide.Z
    assert nuclide.atomic_mass == pytest.approx(isotope.mass, rel=2e-7)
    if element.number != 92:  # no abundances there
        assert nuclide.abundance == pytest.approx(isotope.abundance / 100, abs=2e-3)


@pytest.mark.parametrize("name", ALL)
def test_atomic_masses_against_a_second_evaluation(name):
    """The nuclei of `particle`, which states neutral atoms."""
    nuclide = cf.nuclide(name)
    if name == "H1":  # the proton itself
        assert nuclide.mass == pytest.approx(constants.M_PROTON, rel=1e-8)
        return
    other = particle.Particle.from_nucleus_info(a=nuclide.A, z=nuclide.Z).mass
    assert nuclide.atomic_mass * constants.ATOMIC_MASS_UNIT == pytest.approx(other, rel=1e-8)


@pytest.mark.parametrize("name", [name for name, each in ALL.items() if each.charge_radius and each.A > 10])
def test_charge_radii_follow_their_law(name):
    """r0 A^(1/3) + r1 A^(-1/3) + r2/A with the constants of I. Angeli, At. Data Nucl. Data Tables 87 (2004) 185."""
    nuclide = cf.nuclide(name)
    A = nuclide.A
    law = 0.9071 * A ** (1 / 3) + 1.105 * A ** (-1 / 3) - 0.548 / A
    assert nuclide.charge_radius == pytest.approx(law, rel=0.04 if A != 20 else 0.06)


def test_every_natural_element_is_there():
    symbols = {name.rstrip("0123456789") for name in ALL}
    absent = {"Tc", "Pm", "Po", "At", "Rn", "Fr", "Ra", "Ac"}  # short-lived: no standard atomic weight
    assert symbols == {e.symbol for e in periodictable.elements if 1 <= e.number <= 92} - absent
    assert len(ALL) == 289 and list(ALL) == sorted(ALL, key=lambda n: (ALL[n].Z, ALL[n].A))


# Standard atomic weights that CIAAW gives as intervals, where these are wide (2021).
VARIABLE = {"Li": (6.938, 6.997), "B": (10.806, 10.821), "S": (32.059, 32.076)}


@pytest.mark.parametrize("symbol", sorted({name.rstrip("0123456789") for name in ALL}))
def test_abundances_add_up_and_give_the_atomic_weight(symbol):
    isotopes = [n for n in ALL.values() if n.name.rstrip("0123456789") == symbol]
    assert math.fsum(n.abundance for n in isotopes) == pytest.approx(1.0, abs=1.1e-4)
    weight = math.fsum(n.abundance * n.atomic_mass for n in isotopes)
    if symbol in VARIABLE:  # the conventional weight is rounded, and not the middle of what is found in nature
        low, high = VARIABLE[symbol]
        assert low < weight < high
    else:
        assert weight == pytest.approx(getattr(periodictable, symbol).mass, rel=2e-4)
    if symbol != "U":
        assert len(isotopes) == sum(1 for i in getattr(periodictable, symbol) if i.abundance > 0)
