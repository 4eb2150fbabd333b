"""From quarks to nuclei: the check values of CONVENTIONS, 3, and CL Eqs. (3)–(5) written out."""

import pytest

import cevns_fast as cf
from cevns_fast.constants import M_NEUTRON, M_PROTON
from cevns_fast.nuclear.nucleon import scalar_coupling, tensor_coupling, vector_coupling, weak_charge


@pytest.mark.parametrize(("name", "C_S", "C_V", "C_T"), [("Cs133", 2220.92, 399, 41.23), ("Ar40", 667.43, 120, 12.40)])
def test_check_values(name, C_S, C_V, C_T):
    nuclide = cf.nuclide(name)
    unit = cf.SingletEFT(1.0, C_S=1.0, D_P=1.0, C_V=1.0, D_A=1.0, C_T=1.0, quark_masses=(2.16, 4.67))
    found = unit.nuclear_couplings(nuclide)
    assert found["C_S"] == found["D_P"] == pytest.approx(C_S, abs=5e-3)
    assert found["C_V"] == found["D_A"] == pytest.approx(C_V, abs=1e-12)
    assert found["C_T"] == pytest.approx(C_T, abs=5e-3)


def test_default_quark_masses():
    unit = cf.SingletEFT(1.0, C_S=1.0)
    assert unit.quark_masses == (2.2, 4.7)
    assert unit.nuclear_couplings(cf.nuclide("Cs133"))["C_S"] == pytest.approx(2192.18, abs=5e-3)


def test_each_quark_on_its_own():
    nuclide = cf.nuclide("Ar40")
    Z, N = 18, 22
    assert scalar_coupling(nuclide, 1.0, 0.0, (2.0, 4.0)) == pytest.approx(
        (Z * M_PROTON * 0.019 / 2, N * M_NEUTRON * 0.023 / 2)
    )
    assert scalar_coupling(nuclide, 0.0, 1.0, (2.0, 4.0)) == pytest.approx(
        (Z * M_PROTON * 0.041 / 4, N * M_NEUTRON * 0.034 / 4)
    )
    assert vector_coupling(nuclide, 1.0, 0.0) == (2 * Z, N)
    assert vector_coupling(nuclide, 0.0, 1.0) == (Z, 2 * N)
    assert tensor_coupling(nuclide, 1.0, 0.0) == pytest.approx((0.54 * Z, -0.23 * N))
    assert tensor_coupling(nuclide, 0.0, 1.0) == pytest.approx((-0.23 * Z, 0.54 * N))


def test_complex_and_unequal_couplings_add_up():
    nuclide = cf.nuclide("Cs133")
    mixed = cf.SingletEFT(1.0, C_S=(0.3j, -0.2), C_V=(1.0, 2.0j), C_T=(0.1, 0.1j)).nuclear_couplings(nuclide)
    for name, (u, d) in {"C_S": (0.3j, -0.2), "C_V": (1.0, 2.0j), "C_T": (0.1, 0.1j)}.items():
        of_u = cf.SingletEFT(1.0, **{name: (1.0, 0.0)}).nuclear_couplings(nuclide)[name]
        of_d = cf.SingletEFT(1.0, **{name: (0.0, 1.0)}).nuclear_couplings(nuclide)[name]
        assert mixed[name] == pytest.approx(u * of_u + d * of_d, rel=1e-13)


def test_weak_charge():
    nuclide = cf.nuclide("Cs133")
    assert weak_charge(nuclide, 0.25) == (0.0, -39.0)
    assert weak_charge(nuclide) == pytest.approx((55 * (0.5 - 0.4624), -39.0))
