"""The njit loop functions against the closed forms in many digits, at every mass ratio."""

import numpy as np
import pytest
from accuracy import approx
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cevns_fast._kernels import loop_functions as kernels
from cevns_fast.interactions.loop_functions import LoopFunctions, loop_functions
from cevns_fast.reference.loop_functions import loop_functions_closed_form

many = settings(derandomize=True, deadline=None, database=None, max_examples=150)

#: log10 of m_chi/m_zprime: m_chi²/m_zprime² from 1e-12 to 1e12, and a closer look at equal masses.
log_ratios = st.one_of(st.floats(-6.0, 6.0), st.floats(-0.5, 0.5), st.floats(-1e-4, 1e-4))


@pytest.fixture(params=["compiled", "python"])
def kernel(request):
    """The kernel as numba compiles it and as Python runs it."""
    if request.param == "compiled":
        return kernels.loop_functions
    return getattr(kernels.loop_functions, "py_func", kernels.loop_functions)


def evaluate(m_chi, m_zprime):
    return LoopFunctions(*kernels.loop_functions(np.array([m_chi]), np.array([m_zprime]))[0])


@many
@given(log_ratios)
@example(0.0)
@example(np.log10(0.5477))  # y = 1 − x = 0.7: the series hands over to the logarithm
@example(np.log10(0.5478))
@example(np.log10(1 / 0.5477))
def test_agrees_with_the_closed_forms_in_many_digits(log_ratio):
    m_zprime = 37.0
    m_chi = m_zprime * 10**log_ratio
    np.testing.assert_allclose(evaluate(m_chi, m_zprime), loop_functions_closed_form(m_chi, m_zprime), rtol=2e-14)


@pytest.mark.parametrize("offset", [1e-1, 1e-2, 1e-4, 1e-8, 1e-12, 4.5e-16, 0.0, -4.5e-16, -1e-12, -1e-4, -1e-1])
def test_near_equal_masses(kernel, offset):
    m_chi, m_zprime = 10.0 * (1 + offset), 10.0
    got = kernel(np.array([m_chi]), np.array([m_zprime]))
    np.testing.assert_allclose(got[0], loop_functions_closed_form(m_chi, m_zprime), rtol=2e-15)


def test_a_batch_is_its_rows(kernel):
    m_chi = np.array([1e-3, 1.0, 9.0, 10.0, 11.0, 1e4])
    m_zprime = np.array([1e3, 1.0, 10.0, 10.0, 10.0, 1e-2])
    got = kernel(m_chi, m_zprime)
    assert got.shape == (6, 6)
    for row, chi, zprime in zip(got, m_chi, m_zprime, strict=True):
        np.testing.assert_allclose(row, loop_functions_closed_form(chi, zprime), rtol=2e-14)
    assert kernel(np.empty(0), np.empty(0)).shape == (0, 6)


@many
@given(log_ratios, st.sampled_from([-4.0, 12.0]))
def test_identities(log_ratio, kappa):
    """CONVENTIONS of the vector mediator: the combinations of CLLS (5) in terms of D0b and D1b."""
    m_zprime = 100.0
    m = m_zprime**2
    f = evaluate(m_zprime * 10**log_ratio, m_zprime)
    assert f.D00a_D00b == approx(-m / 4 * f.D0b, rel=1e-13)
    assert f.D001a_D001b == approx(-m / 6 * f.D1b, rel=1e-13)
    assert kappa * f.D0b + 8 / m * f.D00a_D00b == approx((kappa - 2) * f.D0b, rel=1e-13)
    bracket = 16 / m * (4 * f.D001a_D001b + f.D00a_D00b) + 8 * (f.D1b + f.D0b)
    assert bracket == approx(4 * f.D0b - 8 / 3 * f.D1b, rel=1e-13)


@many
@given(log_ratios)
def test_exchange_of_the_masses(log_ratio):
    """D1b is symmetric under m_chi <-> m_zprime, and D00b goes into D00a − D00b: seen in (A2), (A5), (A6)."""
    m_chi, m_zprime = 10**log_ratio, 1.0
    f, swapped = evaluate(m_chi, m_zprime), evaluate(m_zprime, m_chi)
    assert f.D1b == approx(swapped.D1b, rel=1e-13)
    assert f.D00b == approx(swapped.D00a_D00b, rel=1e-13)


@many
@given(log_ratios, st.floats(-3, 3))
def test_dimensions(log_ratio, log_scale):
    m_chi, scale = 10**log_ratio, 10**log_scale
    powers = LoopFunctions(D0b=4, D1b=4, D00a_D00b=2, D11a_D11b=4, D001a_D001b=2, D00b=2)
    rescaled = np.array(evaluate(scale * m_chi, scale)) * scale ** np.array(powers)
    np.testing.assert_allclose(rescaled, evaluate(m_chi, 1.0), rtol=1e-13)


def test_nan_in_nan_out(kernel):
    got = kernel(np.array([np.nan, 1.0, 1.0]), np.array([1.0, np.nan, 2.0]))
    assert np.isnan(got[:2]).all()
    assert np.isfinite(got[2]).all()


class TestFacade:
    def test_scalars_give_floats(self):
        assert all(type(value) is float for value in loop_functions(1.0, 2.0))

    def test_broadcasts(self):
        m_chi, m_zprime = np.array([[1.0], [10.0]]), np.array([2.0, 10.0, 30.0])
        got = loop_functions(m_chi, m_zprime)
        assert got.D0b.shape == (2, 3)
        for i in range(2):
            for j in range(3):
                one = loop_functions(m_chi[i, 0], m_zprime[j])
                assert [column[i, j] for column in got] == list(one)

    @pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf, "heavy", 1j, [1.0, -2.0]])
    @pytest.mark.parametrize("name", ["m_chi", "m_zprime"])
    def test_bad_mass(self, name, bad):
        masses = {"m_chi": 1.0, "m_zprime": 2.0, name: bad}
        with pytest.raises(ValueError, match=rf"^{name} = .*must be"):
            loop_functions(**masses)


@pytest.mark.jit
def test_many_masses_are_shared_by_threads(monkeypatch):
    """From 10,000 on, with the bits of one thread and of one pair at a time; never below."""
    from cevns_fast.interactions import loop_functions as home

    m_chi, m_zprime = np.geomspace(1e-3, 1e3, 10_000), 37.0
    alone, together = (np.array(loop_functions(m_chi, m_zprime, threads=n)) for n in (1, 2))
    assert together.tobytes() == alone.tobytes()
    assert kernels.many_loop_functions.parallel.signatures
    single = loop_functions(m_chi[500], m_zprime)
    assert tuple(alone[:, 500]) == tuple(single)
    calls = []
    monkeypatch.setattr(kernels, "many_loop_functions", lambda *_, threads: calls.append(threads))
    home.loop_functions(m_chi[:9_999], m_zprime, threads=2)
    home.loop_functions(m_chi, m_zprime, threads=1)
    assert calls == []
    home.loop_functions(m_chi, m_zprime, threads=2)
    assert calls == [2]
    with pytest.raises(ValueError, match="threads = 0"):
        loop_functions(1.0, 2.0, threads=0)
