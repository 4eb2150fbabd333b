"""The reference against itself: routes that share no formula must agree."""

import sys

import pytest
from accuracy import approx
from slow_twin import F_G, loop_functions

from cevns_fast.reference import loop_functions as reference
from cevns_fast.reference.loop_functions import loop_functions_closed_form

mpmath = pytest.importorskip("mpmath")

RATIOS = [1e-6, 1e-2, 0.5, 1 - 1e-9, 1.0, 1 + 1e-12, 1.2884, 4.0, 1e3, 1e6]
BOTTOM = 4180.0


@pytest.mark.parametrize("ratio", RATIOS)
def test_feynman_integrals_are_the_closed_forms(ratio):
    """With the second mass of (A6) read as m_chi: as printed, D00b could not depend on m_chi at all."""
    m_chi, m_zprime = 20.0 * ratio, 20.0
    assert loop_functions(m_chi, m_zprime) == approx(loop_functions_closed_form(m_chi, m_zprime), rel=1e-15)


def test_feynman_integrals_on_the_full_simplex():
    """The ρ-integration of the docstring, undone: D0b and D11a as two-fold integrals over the simplex."""
    M, m = 3.0**2, 5.0**2

    def simplex(f):
        return mpmath.quad(lambda x: mpmath.quad(lambda y: f(x, y), [0, 1 - x]), [0, 1])

    expected = loop_functions(3.0, 5.0)
    # x = x_chi; in "b", y is the sum of the two heavy parameters (measure y); in "a" the rest, 1 − x − y, is
    # the sum of the two massless ones and the measure.
    D0b = simplex(lambda x, y: y / (x * M + y * m) ** 2)
    D11a = simplex(lambda x, y: (1 - x - y) * x**2 / (x * M + y * m) ** 2)
    D11b = simplex(lambda x, y: y * x**2 / (x * M + y * m) ** 2)
    assert float(D0b) == approx(expected.D0b, rel=1e-7)  # 1/Δ is singular in a corner
    assert float(D11a - D11b) == approx(expected.D11a_D11b, rel=1e-7)


def test_known_values_for_equal_masses():
    f = loop_functions(2.0, 2.0)
    m = 4.0
    assert f == approx(
        (1 / (2 * m**2), -1 / (12 * m**2), -1 / (8 * m), 1 / (36 * m**2), 1 / (72 * m), -1 / (8 * m)),
        rel=1e-15,
    )


def single_integral(m_chi, m_zprime, m_q, variant):
    """F_G with its x-integral done in closed form: the formula of the C kernel, by adaptive quadrature."""
    mp = mpmath.mp
    with mp.workdps(30):
        a, b = (mp.mpf(m_zprime) / m_q) ** 2, (mp.mpf(m_chi) / m_q) ** 2

        def k(s):
            J1 = 4 * mp.asinh(mp.sqrt(s) / 2) / mp.sqrt(s * (s + 4))
            if variant == "corrected":
                return (6 * (s + 3) * (1 + J1) - (s + 4)) / (s + 4) ** 2
            return (19 * s + 88 - (1 - J1) / s * (6 * s**2 + 18 * s - 48)) / (s + 4) ** 2

        edges = sorted({mp.mpf(0), a, b, mp.mpf(4), mp.inf})
        return float(-mp.quad(lambda s: s * k(s) / ((s + a) ** 2 * (s + b)), edges) / mp.mpf(m_q) ** 4)


@pytest.mark.parametrize("variant", ["corrected", "published"])
@pytest.mark.parametrize(
    "masses",
    [(10.0, 20.0, BOTTOM), (3000.0, 2 * BOTTOM, BOTTOM), (BOTTOM, BOTTOM, BOTTOM), (1e4, 1e5, 1270.0)],
)
def test_F_G_is_one_smooth_integral(masses, variant):
    assert F_G(*masses, variant) == approx(single_integral(*masses, variant), rel=1e-14)


@pytest.mark.parametrize(
    ("variant", "heavy", "light"), [("corrected", 8, -5), pytest.param("published", 24, -13, marks=pytest.mark.slow)]
)
def test_F_G_limits(variant, heavy, light):
    m_chi, m_zprime = 3.0, 7.0
    f = loop_functions(m_chi, m_zprime)
    assert F_G(m_chi, m_zprime, 1e8, variant) * 1e16 == approx(heavy * f.D00b, rel=1e-12)
    assert F_G(m_chi, m_zprime, 1e-8, variant) == approx(light * f.D0b, rel=1e-12)


def test_without_mpmath_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpmath", None)
    with pytest.raises(ImportError, match=r"cevns_fast\[reference\]"):
        reference.loop_functions(1.0, 2.0)
