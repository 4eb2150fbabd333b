"""χ as a source of neutrino mass: the numbers of Brdar et al. Sec. III, and digits at any hierarchy."""

import math

import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast.reference.seesaw import takagi

pytest.importorskip("mpmath")
Seesaw = cf.cosmology.Seesaw
Y2 = math.sqrt(1e-7) * 5.0 / 174e3  # the largest of BRX (36)


def point(**changes):
    return Seesaw(**{"y1": 10**-7.25, "y2": Y2, "y3": 1.0, "m_chi": 5.0, "M_N": 1000.0, **changes})


def test_masses_and_mixings_of_the_benchmark():
    seesaw = point()
    assert seesaw.eigenvalues == pytest.approx(
        [-5.95741058808122e-7, 5.00000049999994, 1000.00000009574], rel=1e-14, abs=0
    )
    assert seesaw.masses == pytest.approx(np.abs(seesaw.eigenvalues), rel=1e-15, abs=0)
    assert np.abs(seesaw.mixing[0, 1:]) == pytest.approx([3.16227712497e-4, 9.78473905693e-6], rel=1e-11, abs=0)


def test_takagi_phase_is_i_where_the_eigenvalue_is_negative():
    U = point().mixing
    assert (U[:, 0].real == 0).all() and (U[:, 1:].imag == 0).all()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"M_N": 1e9},
        {"M_N": 1e17, "y1": 1e-3},  # 1e14 GeV
        {"M_N": 1e17, "y1": 0.3, "y2": 1e-12},
        {"y2": 0.0},
        {"M1": 10.0},
        {"M1": 1e-3},
        {"y1": 1e-5, "y2": 1e-5},  # no small mixing
        {"y1": 1e-7j, "y2": 1e-8 * (1 + 1j)},
        {"M1": 3 + 4j, "y1": 1e-7 * np.exp(0.3j)},
        {"m_chi": 1000.0, "M_N": 5.0},
    ],
)
def test_every_mass_and_mixing_has_all_digits(changes):
    seesaw = point(**changes)
    masses, U = takagi(seesaw.y1, seesaw.y2, seesaw.m_chi, seesaw.M_N, seesaw.M1)
    assert seesaw.masses == pytest.approx(masses, rel=1e-12, abs=0)
    nonzero = np.abs(U) > 0
    assert np.abs(seesaw.mixing)[nonzero] == pytest.approx(np.abs(U)[nonzero], rel=1e-12, abs=0)
    assert seesaw.mixing.conj().T @ seesaw.mixing == pytest.approx(np.eye(3), abs=1e-14)
    diagonal = seesaw.mixing.T @ seesaw.matrix @ seesaw.mixing
    assert np.abs(diagonal - np.diag(seesaw.masses)).max() < 1e-14 * seesaw.masses[-1]


def test_fixed_point_and_diagonalisation_agree_without_each_other():
    seesaw = point(M_N=1e15, y1=1e-2)
    assert seesaw._fixed_point() is not None
    assert np.abs(seesaw._fixed_point()) == pytest.approx(seesaw._takagi[0], rel=1e-12, abs=0)


def test_shares_of_the_light_mass():
    seesaw = point()
    terms = Y2**2 * 174e3**2 / 5.0, 10**-14.5 * 174e3**2 / 1000.0
    assert seesaw.shares[:2] == pytest.approx(np.array(terms) / sum(terms), rel=1e-6)
    assert seesaw.shares.mixed == 0 and sum(point(M1=10.0).shares) == pytest.approx(1, rel=1e-14)
    assert seesaw.masses[0] == pytest.approx(sum(terms), rel=1e-6)  # both have the same sign
    with pytest.raises(ValueError, match="no share of a mass that is zero"):
        _ = point(y1=0.0, y2=0.0).shares


def test_limit_on_y_bar_is_a_line_of_the_seesaw():
    y1 = float(cf.cosmology.seesaw_limit(2e-5, M_N=500.0, y3=0.5))
    assert point(y1=y1, M_N=500.0, y3=0.5).y_chi == pytest.approx(2e-5, rel=1e-14)
    y1 = float(cf.cosmology.seesaw_limit(2e-5, M_N=500.0, y_N_per_A=1e-4))
    scalar = point(y1=y1, M_N=500.0).scalar_mediator(m_S=10.0, y_N_per_A=1e-4)
    csi = cf.load("coherent-csi-2017")
    direct = cf.ScalarMediator(5.0, 10.0, y_bar=2e-5)
    assert cf.event_rate(csi, scalar) == pytest.approx(cf.event_rate(csi, direct), rel=1e-12)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"M_N": 0.0}, "M_N = 0.0: must be a finite number > 0"),
        ({"m_chi": -1.0}, "m_chi = -1.0"),
        ({"y1": math.inf}, "y1 = inf"),
        ({"M1": "1"}, "M1 = '1'"),
    ],
)
def test_refusals(changes, message):
    with pytest.raises(ValueError, match=message):
        point(**changes)
