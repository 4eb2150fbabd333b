"""The errata of the three papers: that each names a test which exists, and the tests that had no other place."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from accuracy import approx

import cevns_fast as cf
from cevns_fast.constants import KEV, M_NEUTRON, M_PROTON
from cevns_fast.nuclear.nucleon import CHANG_LIAO, PARTON_CONTENTS, QuarkContent, scalar_coupling

TOP = Path(__file__).parents[2]
ERRATA = TOP / "docs" / "errata.md"
CS = cf.nuclide("Cs133")
GERMANIUM = 72.6e3  # MeV, as the papers have it


def rows():
    """The cells of every erratum."""
    lines = [line for line in ERRATA.read_text(encoding="utf-8").splitlines() if re.match(r"\| (\(|Fig|Sec)", line)]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


# --- the page ------------------------------------------------------------------------------------


def test_every_erratum_names_a_test_that_exists():
    assert len(rows()) == 39
    for row in rows():
        assert len(row) == 6 and all(row), row
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", row[-1])
        assert named, row
        for path, name in named:
            assert f"\ndef {name}(" in (TOP / path).read_text(encoding="utf-8"), (path, name)


# --- Chang & Liao --------------------------------------------------------------------------------


def test_mass_fractions_as_printed():
    """CL (7): with the proton's and neutron's exchanged, C_S of caesium would change by 0.3%."""
    exchanged = QuarkContent(
        CHANG_LIAO.mass_fraction_neutron, CHANG_LIAO.mass_fraction_proton,
        CHANG_LIAO.tensor_charge_proton, CHANG_LIAO.tensor_charge_neutron,
    )  # fmt: skip
    printed, other = (sum(scalar_coupling(CS, 1.0, 1.0, (2.2, 4.7), each)) for each in (CHANG_LIAO, exchanged))
    assert printed == cf.SingletEFT(1.0, C_S=1.0).nuclear_couplings(CS)["C_S"]
    assert printed.real == pytest.approx(2192.18, abs=5e-3)
    assert abs(other / printed - 1) == pytest.approx(0.003, abs=5e-4)


def least_energy(T, m, M):
    """CL (15): E_min = a (T/T_0)^½ + (m²/b) (T/T_0)^−½, at T_0 = 0.1 keV."""
    return math.sqrt(M * T / 2), m**2 / (cf.minimum_neutrino_energy(T, m, M) - math.sqrt(M * T / 2))


@pytest.mark.parametrize(("M", "printed"), [(GERMANIUM, True), (10 * GERMANIUM, False)])
def test_mass_of_germanium_in_chang_liao_15(M, printed):
    """(15) has 1.9 and 7.5 MeV: M = 7.26e4 MeV gives them, the printed 7.26e5 does not."""
    a, b = least_energy(0.1 * KEV, 3.0, M)
    assert (abs(a / 1.9 - 1) < 0.03 and abs(b / 7.5 - 1) < 0.03) == printed


@pytest.mark.parametrize("m", [0.0, 5.0, 40.0])
def test_minimum_energy_of_chang_liao_a2(m):
    """E is the least energy for both ends of its recoil range: with −T outside the root of (A2), not under it."""
    E, M = 50.0, CS.mass
    for T in cf.recoil_range(E, m, M):
        if T > 0:
            outside = (T * M + m**2 / 2) / (math.sqrt(T * (T + 2 * M)) - T)
            under = (T * M + m**2 / 2) / math.sqrt(T * (T + 2 * M) - T)
            assert cf.minimum_neutrino_energy(T, m, M) == approx(outside, rel=1e-12)
            assert outside == approx(E, rel=1e-12)
            assert abs(under / E - 1) > 1e-7


# --- Brdar, Rodejohann & Xu ----------------------------------------------------------------------


def brdar_9(E, m, M):
    """T_min as printed."""
    root = E * math.sqrt(4 * M**2 * E**2 - 4 * M * m**2 * (E + M) + m**4)
    return (2 * M * E**2 - m**2 * (E + M) - root) / (2 * M * (2 * E + M))


def test_brdar_9_loses_its_digits():
    """T_min ≈ m⁴/(8ME²) for masses of 0.1 and 1 keV: (9) in doubles has not one digit of it."""
    E, M = 5.0, GERMANIUM
    assert brdar_9(E, 3.0, M) == approx(cf.recoil_range(E, 3.0, M)[0], rel=1e-9)
    for m in (1e-4, 1e-3):
        found = cf.recoil_range(E, m, M)[0]
        assert found == approx(m**4 / (8 * M * E**2), rel=1e-3)
        assert abs(brdar_9(E, m, M) / found - 1) > 0.1


def test_mass_of_germanium():
    """Natural germanium weighs 67.65 GeV a nucleus, not 72.6."""
    target = cf.load("conus-4kg").detector.target
    masses = [nuclide.mass for nuclide in target.nuclides]
    assert np.average(masses, weights=target.counts) == approx(67.65e3, rel=1e-3)
    assert max(masses) < GERMANIUM


# --- Chao, Li, Liao & Su -------------------------------------------------------------------------


def coefficients(scale=1.0, **fields):
    """c1, c2, c3 of caesium, for masses times a scale."""
    vector = cf.VectorMediator(50.0 * scale, 300.0 * scale, 1.0, **fields)
    return np.array([*vector.loop_coefficients(CS).values()])


def test_dimensions_of_chao_5():
    """c2 falls as m⁻⁴, as D0b and D1b do; D00b, which (5) adds to D11b, falls as m⁻²."""
    ratio = coefficients(2.0) / coefficients()
    assert ratio == approx([2**-3, 2**-4, 2**-5], rel=1e-12)
    assert cf.F_G(100.0, 600.0, 1e9) / cf.F_G(50.0, 300.0, 1e9) == approx(2**-2, rel=1e-9)  # 8 D00b/m_q²


@pytest.mark.parametrize("case", ["A", "B"])
def test_every_quark_has_its_own_coupling(case):
    """(16)–(18), (31): the sums are over g_q² times what a quark contributes."""
    each = {quark: coefficients(case=case, quark_couplings={quark: 1.0}) for quark in "dsb"}
    mixed = coefficients(case=case, quark_couplings={"d": 1.0, "s": 2.0, "b": -3.0})
    assert mixed == approx(each["d"] + 4 * each["s"] + 9 * each["b"], rel=1e-12)
    assert not np.allclose(mixed, coefficients(case=case, quark_couplings={"d": 1.0, "s": 1.0, "b": 1.0}), rtol=0.1)


@pytest.mark.parametrize(("momentum", "possible"), [("nucleon", True), ("nucleus", False)])
def test_momentum_sum_rule(momentum, possible):
    """Of the momentum of a nucleus, quarks carry what they carry of a nucleon's, 51%; as printed, A² times that."""
    content = PARTON_CONTENTS["micrOMEGAs"]
    of_nucleons = CS.Z / M_PROTON * sum(content.twist2_proton) + CS.N / M_NEUTRON * sum(content.twist2_neutron)
    nucleus = coefficients(variant=cf.LoopConvention(momentum="nucleus"))[1]
    share = coefficients(variant=cf.LoopConvention(momentum=momentum))[1] / nucleus
    fraction = CS.mass * of_nucleons * share  # ⟨O⟩ = P P/M times this
    assert (0 < fraction < 1) == possible
    if possible:
        assert fraction == pytest.approx(0.51, abs=0.01)


@pytest.mark.parametrize(("exponent", "N_eff"), [(4 / 3, 3.0), (3, 16.2)])
def test_exponent_of_chao_33(exponent, N_eff):
    """Three neutrinos of temperature (4/11)^(1/3) T_γ, 7/8 of a photon's energy each, must count as three."""
    neutrinos_over_photons = 3 * 7 / 8 * (4 / 11) ** (4 / 3)
    assert 8 / 7 * (11 / 4) ** exponent * neutrinos_over_photons == approx(N_eff, rel=1e-2)
