"""The C kernel of F_G against CLLS (A7)-(A13) in many digits, and its limits."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import slow_twin
from accuracy import approx
from cases import quick_are
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cevns_fast._kernels import fg
from cevns_fast.interactions.loop_functions import F_G, loop_functions

VARIANTS = ["corrected", "published"]
CHARM, BOTTOM, TOP = 1270.0, 4180.0, 172760.0

quarks = st.sampled_from([CHARM, BOTTOM, TOP])
variants = st.sampled_from(VARIANTS)
few = settings(derandomize=True, deadline=None, database=None, max_examples=25)
many = settings(few, max_examples=200)


def evaluate(m_chi, m_zprime, m_q, variant="corrected"):
    """The C kernel itself, past the façade."""
    return fg.f_g(*(np.array([mass]) for mass in (m_chi, m_zprime, m_q)), variant)[0]


@pytest.mark.slow
@few
@given(st.floats(-3, 4), st.floats(-1, 3), quarks, variants)
@example(4.0, 3.0, CHARM, "corrected")  # the corners of the domain
@example(-3.0, -1.0, TOP, "published")
@example(4.0, -1.0, CHARM, "published")
def test_agrees_with_the_paper_in_many_digits(log_m_chi, log_ratio, m_q, variant):
    m_chi = 10**log_m_chi
    m_zprime = m_chi * 10**log_ratio
    exact = slow_twin.F_G(m_chi, m_zprime, m_q, variant)
    assert evaluate(m_chi, m_zprime, m_q, variant) == approx(exact, rel=2e-14)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("offset", [0.0, 1e-12, -1e-12, 1e-6, -1e-3])
@pytest.mark.parametrize("m_zprime", quick_are([40.0, 2 * BOTTOM, BOTTOM], 1))
def test_near_equal_masses(m_zprime, offset, variant):
    m_chi = m_zprime * (1 + offset)
    exact = slow_twin.F_G(m_chi, m_zprime, BOTTOM, variant)
    assert evaluate(m_chi, m_zprime, BOTTOM, variant) == approx(exact, rel=2e-14)


@pytest.mark.parametrize("m_chi", [1.0, 1e4])
@pytest.mark.parametrize("offset", [0.0, 1e-12, -1e-9, 1e-4, -1e-2])
def test_near_the_quark_threshold(m_chi, offset):
    """m_zprime = 2 m_q: the literal (A7) divides zero by zero, the trapezoid rule is worst (poles meet)."""
    m_zprime = 2 * BOTTOM * (1 + offset)
    exact = slow_twin.F_G(m_chi, m_zprime, BOTTOM)
    assert evaluate(m_chi, m_zprime, BOTTOM) == approx(exact, rel=2e-14)


@many
@given(st.floats(-6, 6))
def test_heavy_quark_limit(log_ratio):
    """m_q² F_G -> 8 D00b; with (A7)'s sign as printed, 24 D00b."""
    m_chi, m_zprime = 10**log_ratio, 1.0
    m_q = 1e9 * max(m_chi, 1.0)
    D00b = loop_functions(m_chi, m_zprime).D00b
    assert evaluate(m_chi, m_zprime, m_q, "corrected") * m_q**2 == approx(8 * D00b, rel=1e-13)
    assert evaluate(m_chi, m_zprime, m_q, "published") * m_q**2 == approx(24 * D00b, rel=1e-13)


@many
@given(st.floats(-6, 6))
def test_light_quark_limit(log_ratio):
    """F_G -> −5 D0b; with (A7)'s sign as printed, −13 D0b."""
    m_chi, m_zprime = 10**log_ratio, 1.0
    m_q = 1e-9 * min(m_chi, 1.0)
    D0b = loop_functions(m_chi, m_zprime).D0b
    assert evaluate(m_chi, m_zprime, m_q, "corrected") == approx(-5 * D0b, rel=1e-13)
    assert evaluate(m_chi, m_zprime, m_q, "published") == approx(-13 * D0b, rel=1e-13)


@many
@given(st.floats(-4, 4), st.floats(-4, 4), st.integers(-20, 20), variants)
def test_dimensions(log_m_chi, log_m_zprime, exponent, variant):
    masses = 10**log_m_chi, 10**log_m_zprime, 1.0
    scale = 2.0**exponent  # exact in floating point
    rescaled = evaluate(*(scale * mass for mass in masses), variant)
    assert rescaled * scale**4 == approx(evaluate(*masses, variant), rel=1e-15)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf, -np.inf, 1e31, 1e-31])
@pytest.mark.parametrize("position", range(3))
def test_bad_mass_is_nan_and_spoils_no_neighbour(position, bad, variant):
    masses = np.ones((3, 3))
    masses[position, 1] = bad
    got = fg.f_g(*masses, variant)
    assert np.isnan(got).tolist() == [False, True, False]


def test_three_negative_masses_are_nan():
    assert np.isnan(evaluate(-1.0, -2.0, -3.0))


def test_threads_share_the_table():
    rng = np.random.default_rng(1)
    masses = 10 ** rng.uniform(0, 4, (3, 4000))
    expected = fg.f_g(*masses, "corrected")
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: fg.f_g(*masses, "corrected"), range(16)))
    assert all(np.array_equal(result, expected) for result in results)


class TestFacade:
    def test_scalars_give_a_float(self):
        value = F_G(10.0, 20.0, BOTTOM)
        assert type(value) is float
        assert value == evaluate(10.0, 20.0, BOTTOM)

    def test_broadcasts_and_takes_strided_arrays(self):
        m_chi = np.linspace(1.0, 60.0, 10)[::3, np.newaxis]
        m_zprime = np.array([1, 10, 100])  # integers are masses too
        got = F_G(m_chi, m_zprime, BOTTOM, variant="published")
        assert got.shape == (4, 3)
        for i in range(4):
            for j in range(3):
                assert got[i, j] == evaluate(m_chi[i, 0], float(m_zprime[j]), BOTTOM, "published")

    @pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf, "heavy", 1j, [1.0, -2.0]])
    @pytest.mark.parametrize("name", ["m_chi", "m_zprime", "m_q"])
    def test_bad_mass(self, name, bad):
        masses = {"m_chi": 1.0, "m_zprime": 2.0, "m_q": 3.0, name: bad}
        with pytest.raises(ValueError, match=rf"^{name} = .*must be"):
            F_G(**masses)

    def test_masses_too_far_apart(self):
        with pytest.raises(ValueError, match=r"1e-20, 1\.0, 100000000000\.0: must be within a factor 1e30"):
            F_G([1.0, 1e-20], 1.0, [2.0, 1e11])

    @pytest.mark.parametrize("masses", [(1e-200,) * 3, ([1.0, 1e-200], [2.0, 1e-200], [3.0, 1e-200])])
    def test_masses_too_small(self, masses):
        message = r"m_chi, m_zprime, m_q = 1e-200, 1e-200, 1e-200: must be so large that F_G is a float64"
        with pytest.raises(ValueError, match=message):
            F_G(*masses)

    def test_shapes_that_do_not_fit(self):
        with pytest.raises(ValueError, match=r"m_chi, m_zprime, m_q: have shapes \(2,\), \(3,\), \(\), must broadcast"):
            F_G([1.0, 2.0], [1.0, 2.0, 3.0], 1.0)

    def test_unknown_variant(self):
        with pytest.raises(ValueError, match="variant = 'correct': did you mean 'corrected'"):
            F_G(1.0, 2.0, 3.0, variant="correct")
