"""The minimisation of χ² over couplings, against brute force."""

import numpy as np
import pytest
from scipy import optimize

from cevns_fast._kernels import minimum

EPS = np.finfo(float).eps


@pytest.fixture
def make_problem(counts_in_bins):
    """A function that makes a problem and the units of its couplings."""

    def make(seed, scale_variance=0.08, **options):
        terms, data, powers, unit = counts_in_bins(seed, **options)
        return minimum.Problem(terms, data, np.full(len(terms), scale_variance), powers), unit

    return make


@pytest.fixture
def exact(long_double_chi2):
    """A function that gives χ² of a problem at points."""
    return lambda problem, z, dtype=np.longdouble: long_double_chi2(
        problem.terms, problem.data, problem.powers, problem.scale_variance, z, dtype
    )


@pytest.mark.parametrize("seed", range(8))
def test_roots_of_random_polynomials(flavour, seed):
    """Roots over many decades, real and complex."""
    rng = np.random.default_rng(seed)
    for _ in range(20):
        real = np.sort(rng.choice([-1, 1], 4) * 10.0 ** rng.uniform(-4, 4, 4))[: rng.integers(0, 5)]
        pairs = [complex(*rng.normal(size=2)) for _ in range((4 - len(real)) // 2)]
        c = np.polynomial.polynomial.polyfromroots([*real, *pairs, *np.conj(pairs)]).real
        c *= 10.0 ** rng.uniform(-30, 30)
        roots = np.empty(4)
        count = flavour(minimum).real_roots(np.append(c, np.zeros(5 - len(c))), 4, roots)
        expected = np.sort([r.real for r in np.roots(c[::-1]) if abs(r.imag) < 1e-9 * abs(r)])
        assert count == len(real) == len(expected)
        np.testing.assert_allclose(roots[:count], real, rtol=1e-6)  # np.roots itself: see the residuals
        residual = np.abs(np.polynomial.polynomial.polyval(roots[:count], c))
        size = np.polynomial.polynomial.polyval(np.abs(roots[:count]), np.abs(c))
        assert np.all(residual <= 8 * EPS * size)


@pytest.mark.parametrize(
    ("coefficients", "expected"),
    [
        ([0, 0, 0, 0, 0], []),
        ([1, 0, 0, 0, 0], []),
        ([-2, 1, 0, 0, 0], [2]),
        ([0, 0, 0, 1, 0], [0]),  # triple
        ([0, 0, 0, -1, 1], [0, 1]),
        ([1, -2, 1, 0, 0], []),  # no change of sign at a double root
        ([4, 0, -5, 0, 1], [-2, -1, 1, 2]),
        ([-1e-200, 0, 1e-200, 0, 0], [-1, 1]),
        ([-1e300, 0, 1e300, 0, 0], [-1, 1]),
        ([-1, 1, 0, 0, 1e-16], None),
    ],
)
def test_roots_of_special_polynomials(flavour, coefficients, expected):
    roots = np.empty(4)
    count = flavour(minimum).real_roots(np.array(coefficients, dtype=float), 4, roots)
    if expected is None:  # two roots, at 1 and near −1e16^(1/3)
        assert count == 2
        np.testing.assert_allclose(roots[:2], [-(1e16 ** (1 / 3)), 1.0], rtol=1e-5)
    else:
        np.testing.assert_allclose(roots[:count], expected, atol=1e-12)


def brute_force(exact, problem, z, free, unit, starts=60, seed=0):
    """The least χ² over the free couplings, by BFGS from many starts."""
    rng = np.random.default_rng(seed)

    def chi2(x):
        point = z.copy()
        point[free] = x * unit[free]
        return exact(problem, point[None], np.float64)[0]

    scale = 1 + np.max(np.abs(z / unit))
    tries = [
        np.zeros(len(free)),
        *(rng.normal(size=(starts, len(free))) * scale * 10.0 ** rng.uniform(-2, 0.5, (starts, 1))),
    ]
    return min(optimize.minimize(chi2, x, method="BFGS", options={"gtol": 1e-10}).fun for x in tries)


def found_minimum(exact, kernels, problem, z, free):
    at, least = z[None].copy(), np.empty(1)
    kernels.minimise(problem, at, free, minimum.work_for(problem, free), least)
    assert least[0] == pytest.approx(exact(problem, at, np.float64)[0], rel=1e-11)
    assert np.array_equal(np.delete(at[0], free), np.delete(z, free))
    return least[0]


@pytest.mark.parametrize("systems", [1, 2], ids=["single", "joint"])
@pytest.mark.parametrize("fixed", [False, True], ids=["", "linear terms"])
@pytest.mark.parametrize("n_free", [1, 2, 3])
def test_minimum_against_brute_force(make_problem, exact, n_free, systems, fixed):
    for seed in range(4 if n_free < 3 else 3):
        problem, unit = make_problem(
            seed, systems=systems, couplings=n_free + 1, fixed=fixed, interference=(0.95, -0.3)[seed % 2]
        )
        free = np.arange(1, n_free + 1)
        for position in (0.0, 0.4, -1.3)[: 5 - n_free]:
            z = np.zeros(n_free + 1)
            z[0] = position * unit[0]
            expected = brute_force(exact, problem, z, free, unit, starts=12)
            found = found_minimum(exact, minimum, problem, z, free)
            assert found <= expected + 1e-9 * (1 + expected)
            assert found >= 0


@pytest.mark.parametrize(("seed", "n_free"), [(9, 2), (41, 2), (36, 3)])
def test_saddles_are_left(make_problem, exact, seed, n_free):
    """Without linear terms Newton's method may end where the gradient vanishes by symmetry."""
    problem, unit = make_problem(seed, couplings=n_free + 1, interference=0.95)
    z, free = np.zeros(n_free + 1), np.arange(1, n_free + 1)
    expected = brute_force(exact, problem, z, free, unit, starts=12)
    assert found_minimum(exact, minimum, problem, z, free) <= expected + 1e-9


def test_minimum_as_plain_python(make_problem, exact, flavour):
    problem, unit = make_problem(11, systems=2, couplings=3, fixed=True)
    z, free = 0.3 * unit, np.array([1, 2])
    assert (
        found_minimum(exact, flavour(minimum), problem, z, free)
        <= brute_force(exact, problem, z, free, unit, 25) + 1e-9
    )


def test_a_coupling_without_effect(make_problem, exact, flavour):
    """Above its threshold a coupling does nothing: the minimum is the value itself."""
    problem, _ = make_problem(1, couplings=2)
    terms = problem.terms * np.array([not p[1] for p in problem.powers])[:, None]
    problem = problem._replace(terms=terms)
    z = np.array([0.1, 5.0])
    assert found_minimum(exact, flavour(minimum), problem, z, np.array([1])) == pytest.approx(
        exact(problem, z[None])[0], rel=1e-12
    )
    found = found_minimum(exact, flavour(minimum), problem, z, np.array([0, 1]))
    assert found <= found_minimum(exact, flavour(minimum), problem, z, np.array([0])) * (1 + 1e-12)


def test_points_do_not_depend_on_their_neighbours(make_problem):
    problem, unit = make_problem(5, systems=2, couplings=3)
    z = np.zeros((12, 3))
    z[:, 0] = np.linspace(-2, 2, 12) * unit[0]
    free, together = np.array([1, 2]), np.empty(12)
    work = minimum.work_for(problem, free)
    minimum.minimise(problem, z.copy(), free, work, together)
    alone = np.empty(12)
    for i in reversed(range(12)):
        minimum.minimise(problem, z[i : i + 1].copy(), free, minimum.work_for(problem, free), alone[i : i + 1])
    assert np.array_equal(together, alone)
