"""Data as χ² sees them."""

import mpmath
import numpy as np
import pytest

from cevns_fast.likelihood.measurement import profiled_steady_state


def exact(on, off, ratio, mu):
    """Sum and background in fifty digits: the root b >= 0 of the quadratic equation, and mu + b."""
    with mpmath.workdps(50):
        n, o, tau, m = (mpmath.mpf(float(x)) for x in (on, off, ratio, mu))
        p = n + o - (1 + tau) * m
        b = (p + mpmath.sqrt((m * (1 + tau) - n + o) ** 2 + 4 * n * o)) / (2 * (1 + tau))
        return float(m + b), float(b)


@pytest.mark.parametrize("ratio", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("mu", [1e9, 1e6, 30.0, 1e-3, -1e-3, -30.0, -1e6, -1e9])
@pytest.mark.parametrize("on, off", [(12.0, 6.0), (1.0, 2e4), (3.0, 0.0), (0.0, 3.0)])
def test_no_digit_of_the_profiled_background_is_lost(on, off, ratio, mu):
    """Signals far above and far below what is counted: one of the two roots is then tiny beside what it is made of."""
    found = profiled_steady_state(np.array([on]), np.array([off]), ratio, np.array([mu]))
    total, background = exact(on, off, ratio, mu)
    assert found.background[0] == pytest.approx(background, rel=1e-13, abs=1e-300)
    assert found.on[0] == pytest.approx(total, rel=1e-13, abs=1e-300)


def test_nothing_is_counted_and_nothing_expected():
    nothing = np.zeros(3)
    assert [each.tolist() for each in profiled_steady_state(nothing, nothing, 1.0, nothing)] == [[0.0] * 3] * 2
