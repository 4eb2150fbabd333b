"""Functions as piecewise polynomials, and their moments."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cevns_fast.counts import piecewise
from cevns_fast.counts.piecewise import AccuracyWarning, fit, moments

FUNCTIONS = {
    "exponential": (lambda x: np.exp(-3 * x), [0.0, 5.0]),
    "oscillation": (lambda x: np.sin(20 * x), [0.0, 4.0]),
    "narrow peak": (lambda x: 1 / (1e-4 + (x - 1 / 3) ** 2), [0.0, 1.0]),
    "kink at a breakpoint": (lambda x: np.abs(x - 0.37), [0.0, 0.37, 1.0]),
    "step at a breakpoint": (lambda x: np.where(x < 0.37, 1.0, np.exp(x)), [0.0, 0.37, 1.0]),
    "root": (lambda x: np.sqrt(x), [1e-3, 1.0]),
    "constant": (lambda x: np.full_like(x, 2.5), [0.0, 1.0]),
    "zero": (np.zeros_like, [0.0, 1.0]),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_error_of_a_fit(name):
    function, breakpoints = FUNCTIONS[name]
    fitted = fit(function, breakpoints)
    x = np.linspace(breakpoints[0], breakpoints[-1], 20_001)[:-1]
    found, expected = fitted(x)[0], function(x)
    piece = np.searchsorted(fitted.breaks, x, side="right") - 1
    largest = np.array([np.abs(expected[piece == i]).max(initial=0.0) for i in range(len(fitted.breaks) - 1)])
    assert set(breakpoints) <= set(fitted.breaks.tolist())
    np.testing.assert_array_less(np.abs(found - expected), 1e-12 * largest[piece] + 1e-300)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=9), st.floats(-3, 3), st.floats(0.1, 5))
def test_polynomials_are_exact(coefficients, low, width):
    polynomial = np.polynomial.Polynomial(coefficients)
    fitted = fit(polynomial, [low, low + width])
    assert len(fitted.breaks) == 2
    x = np.linspace(low, low + width, 101)
    np.testing.assert_allclose(fitted(x)[0], polynomial(x), rtol=0, atol=1e-13 * np.abs(polynomial(x)).max() + 1e-300)


def test_several_outputs_each_to_its_own_accuracy():
    x = np.linspace(0, 2, 1001)[:-1]
    fitted = fit(lambda x: np.array([np.cosh(5 * x), 1e-20 * np.exp(x)]), [0.0, 2.0])
    np.testing.assert_allclose(fitted(x), [np.cosh(5 * x), 1e-20 * np.exp(x)], rtol=1e-12, atol=0)


def test_a_floor_saves_pieces_where_the_function_is_negligible():
    def gaussian(x):
        return np.exp(-(x**2))

    exact, floored = fit(gaussian, [0.0, 20.0]), fit(gaussian, [0.0, 20.0], floor=1e-14)
    assert len(floored.breaks) < len(exact.breaks)
    x = np.linspace(0, 20, 999)
    np.testing.assert_allclose(floored(x)[0], gaussian(x), rtol=1e-12, atol=1e-13)


def test_functions_are_called_inside_the_breakpoints_only():
    def strict(x):
        assert np.all((x > 0.0) & (x < 1.0))
        return np.log1p(x)

    fit(strict, [0.0, 1.0])


def test_a_noisy_function_warns_and_ends():
    noise = np.random.default_rng(1)
    with pytest.warns(AccuracyWarning, match="wiggle: too rough"):
        rough = fit(lambda x: 1 + 1e-6 * noise.standard_normal(x.size), [0.0, 1.0], name="wiggle")
    assert len(rough.breaks) <= piecewise.MAX_PIECES + 10
    np.testing.assert_allclose(rough(np.linspace(0, 1, 99))[0], 1.0, atol=1e-4)


def test_a_smooth_function_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(np.exp, [0.0, 30.0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match=r"acceptance: is not finite at 0\.[5-9]"):
        fit(lambda x: np.where(x > 0.5, bad, 1.0), [0.0, 1.0], name="acceptance")


def evaluate(made, x):
    """M(x), by the formula in the docstring of `Moments`."""
    i = np.clip(np.searchsorted(made.breaks, x, side="left") - 1, 0, len(made.breaks) - 2)
    low, high = made.breaks[i], made.breaks[i + 1]
    t = (high - x) / (high - low)
    powers = (2 * t - 1)[:, None] ** np.arange(made.coefficients.shape[1])
    return made.value[i] + t[:, None] * np.einsum("xd,xdo->xo", powers, made.coefficients[i])


@pytest.mark.parametrize("power", [0, 1, 3])
def test_moments_keep_relative_accuracy_up_to_the_end_point(power):
    """∫_x^1 (1 − x')^p dx' = (1 − x)^(p + 1)/(p + 1), down to 1 − x = 1e-12.

    The density's coefficients are good to 1e-16 of its maximum, so that is the absolute error of M/(1 − x).
    """
    made = moments(fit(lambda x: (1 - x) ** power, [0.0, 1.0]), [])
    away = 10.0 ** -np.arange(0, 12.5, 0.5)
    x = 1 - away
    np.testing.assert_allclose(
        evaluate(made, x)[:, 0] / (1 - x), (1 - x) ** power / (power + 1), rtol=1e-13, atol=1e-15 if power else 0
    )
    assert evaluate(made, np.array([1.0]))[0, 0] == 0


@settings(max_examples=15)
@given(st.floats(0.1, 3.9), st.floats(0.0, 3.0))
def test_moments_of_a_rough_density_with_lines(position, weight):
    density = fit(lambda x: np.array([np.exp(-x), x * np.exp(-x)]), [0.0, position, 4.0])
    made = moments(density, [(position, np.array([weight, -weight]))])
    x = np.linspace(0.0, 4.0, 57)
    line = np.where(x <= position, weight, 0.0)
    expected = [np.exp(-x) - np.exp(-4) + line, (1 + x) * np.exp(-x) - 5 * np.exp(-4) - line]
    np.testing.assert_allclose(evaluate(made, x).T, expected, rtol=1e-12, atol=1e-14)
