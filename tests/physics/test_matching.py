"""Conversions between conventions, against values of an independent calculation and the limits of mediators."""

import math
import warnings
from functools import partial

import accuracy
import pytest
from check_values import VALUES, value

import cevns_fast as cf
from cevns_fast.constants import G_FERMI, HBAR

CESIUM = cf.nuclide("Cs133")
approx = partial(accuracy.approx, rel=1e-10)


def test_dipoles_and_moments():
    values = value("B.dipole_conversion")
    assert cf.magnetic_moment(1.0) == approx(values["mu_per_aM_left"])
    assert cf.magnetic_moment(-1j, "summed") == approx(values["mu_per_aM_summed"])
    assert cf.dipole_coupling(cf.magnetic_moment(0.3, "summed"), "summed") == approx(0.3)
    assert cf.dipole_coupling(2e-9) == approx(VALUES["N.dipole_portal_m20.0_2e-9"]["inputs"]["aM"])


def test_radiative_width():
    """χ → νγ: the width belongs to the cosmology, the moment to the conversion."""
    width = value("D.width_nugamma_mu1e-09_m10.0")
    a_M = cf.dipole_coupling(1e-9)
    assert a_M == approx(width["aM_left"])
    found = cf.cosmology.decay_widths(10.0, a_M=a_M)
    assert found.total * HBAR == approx(width["Gamma_MeV"], rel=1e-8)
    assert float(found.decay_length(53.0)) == approx(width["decay length at E=53 [m]"], rel=1e-8)
    one = cf.cosmology.decay_widths(1.0, a_M=1.0).total * HBAR
    assert one == approx(value("D.width_const"), rel=1e-8)
    twice = cf.cosmology.decay_widths(10.0, a_M=a_M, majorana=True).total
    assert twice == approx(2 * found.total)


def test_heavy_mediators():
    C_S = cf.contact_scalar(1e-4, 1e4)
    heavy = cf.ScalarMediator(m_chi=2.0, m_S=1e4, y_chi=1.0, y_p=1e-4 / CESIUM.A, y_n=1e-4 / CESIUM.A)
    unit = sum(cf.SingletEFT(2.0, C_S=1.0).nuclear_couplings(CESIUM)[name] for name in ("C_S",)).real
    contact = cf.SingletEFT(2.0, C_S=C_S / unit, helicity="left")
    args = CESIUM, 30.0, 0.005
    found = cf.differential_cross_section(heavy, *args, form_factor=cf.PointNucleus())
    expected = cf.differential_cross_section(contact, *args, form_factor=cf.PointNucleus())
    assert found == approx(expected, rel=1e-4)
    assert cf.contact_vector(1.0, 1.0) == approx(value("B.heavy_limit")["eps_per"])


def test_generalised_interactions():
    assert cf.generalised_interaction("T", 1.0, N=78) == approx(78 / math.sqrt(8))
    with pytest.raises(ValueError, match="kind = 'P'"):
        cf.generalised_interaction("P", 1.0, N=78)


def test_running():
    assert [cf.run_to_low_energy(kind) for kind in "ST"] == approx(value("E.LO running C_S, C_T from m_Z to 2 GeV"))


def test_smeft():
    assert cf.smeft_scalar(2.0, 1e6).real == pytest.approx(2 * 0.0606, abs=1e-4)
    assert cf.smeft_magnetic_moment(1j, 2e6) == pytest.approx(1.18e-6 / 4, rel=5e-3)
    with pytest.raises(ValueError, match=r"scale = 0\.0"):
        cf.smeft_scalar(1.0, 0.0)


def test_wilson_coefficients():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wilson = pytest.importorskip("wilson")
        C = -2 * math.sqrt(2) * G_FERMI * 1e6
        values = {"VnuuLL_1111": 0.1 * C, "VnuuLR_1111": 0.05 * C, "VnudLR_1211": (0.02 + 0.03j) * C}
        three = wilson.wcxf.WC("WET-3", "JMS", 2.0, wilson.wcxf.WC.dict2values(values))
        found = cf.nsi_from_wilson(three)
        run = cf.nsi_from_wilson(wilson.Wilson(values, scale=4.8, eft="WET", basis="JMS"))
        other = wilson.wcxf.WC("WET", "flavio", 4.8, wilson.wcxf.WC.dict2values({"C9_bsee": 1.0}))
    assert found.eps_ee_u == approx(0.15)
    assert found.eps_emu_d == approx(0.02 + 0.03j)
    assert run.eps_ee_u == pytest.approx(0.15, rel=5e-3)  # photons run it a little
    assert run.eps_emu_d == pytest.approx(0.02 + 0.03j, rel=5e-3)
    with pytest.raises(ValueError, match="basis flavio"):
        cf.nsi_from_wilson(other)
    with pytest.raises(ValueError, match="wilson = 3"):
        cf.nsi_from_wilson(3)
