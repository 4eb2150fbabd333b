"""χ² minimised over couplings, against brute force."""

import numpy as np
import pytest
from cases import crossed
from scipy import optimize
from whitened import plane_of

from cevns_fast._kernels import profile

EPS = np.finfo(float).eps


class Problem:
    """Made-up counts, what the kernel makes of them, and χ² straight from its definition."""

    def __init__(self, counts, chi2, variance):
        self.terms, self.data, self.powers, self.unit = counts
        self.variances = np.full(len(self.terms), variance)
        self.plane, self._chi2 = plane_of(self.terms, self.data, self.powers, self.variances), chi2

    def chi2(self, z, dtype=np.float64):
        return self._chi2(self.terms, self.data, self.powers, self.variances, z, dtype)

    def minimum(self, z, profiled):
        """The least χ² over the last couplings; it is what χ² is there."""
        at, least = np.array(z, dtype=float)[None], np.full(1, np.nan)
        profile.minimise(self.plane, profiled, at, least)
        assert least[0] == pytest.approx(self.chi2(at, np.longdouble)[0], rel=1e-11)
        assert np.array_equal(at[0, :-profiled], np.asarray(z)[:-profiled])
        return least[0]


@pytest.fixture
def make_problem(counts_in_bins, long_double_chi2):
    """A function that makes a problem."""
    return lambda seed, variance=0.08, **options: Problem(counts_in_bins(seed, **options), long_double_chi2, variance)


@pytest.mark.parametrize("seed", range(8))
def test_roots_of_random_polynomials(seed):
    """Roots over many decades, real and complex."""
    rng = np.random.default_rng(seed)
    for _ in range(20):
        real = np.sort(rng.choice([-1, 1], 4) * 10.0 ** rng.uniform(-4, 4, 4))[: rng.integers(0, 5)]
        pairs = [complex(*rng.normal(size=2)) for _ in range((4 - len(real)) // 2)]
        c = np.polynomial.polynomial.polyfromroots([*real, *pairs, *np.conj(pairs)]).real
        c *= 10.0 ** rng.uniform(-30, 30)
        roots = profile.real_roots(np.append(c, np.zeros(5 - len(c))))
        np.testing.assert_allclose(roots, real, rtol=1e-6)  # as well as they are determined: see the residuals
        residual = np.abs(np.polynomial.polynomial.polyval(roots, c))
        assert np.all(residual <= 8 * EPS * np.polynomial.polynomial.polyval(np.abs(roots), np.abs(c)))


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
        ([-1, 1, 0, 0, 1e-16], [-(1e16 ** (1 / 3)) - 1 / 3, 1.0]),
    ],
)
def test_roots_of_special_polynomials(coefficients, expected):
    np.testing.assert_allclose(
        profile.real_roots(np.array(coefficients, dtype=float)), expected, rtol=1e-11, atol=1e-12
    )


def on_dense_grid(problem, z):
    """The least χ² over two couplings, independent of the kernel: downhill from the minima of a dense grid."""
    x = np.concatenate([-np.geomspace(1e3, 1e-3, 90), [0.0], np.geomspace(1e-3, 1e3, 90)])
    grid = np.stack(np.meshgrid(x * problem.unit[-2], x * problem.unit[-1], indexing="ij"), axis=-1).reshape(-1, 2)
    points = np.concatenate([np.repeat(np.asarray(z)[None, :-2], len(grid), axis=0), grid], axis=1)
    values = problem.chi2(points).reshape(len(x), -1)
    padded = np.pad(values, 1, constant_values=np.inf)
    beside = [padded[1 + i : len(x) + 1 + i, 1 + j : len(x) + 1 + j] for i in (-1, 0, 1) for j in (-1, 0, 1)]
    lowest = np.flatnonzero(np.all([values <= b for b in beside], axis=0))
    return min(
        descended(problem, z, 2, grid[i] / problem.unit[-2:])
        for i in sorted(lowest, key=values.ravel().__getitem__)[:12]
    )


def descended(problem, z, profiled, x):
    """χ² at the minimum downhill, by BFGS."""
    unit = problem.unit[-profiled:]

    def chi2(x):
        return problem.chi2(np.append(np.asarray(z)[:-profiled], x * unit)[None])[0]

    return optimize.minimize(chi2, x, method="BFGS", options={"gtol": 1e-9}).fun


def from_random_starts(problem, z, profiled, starts=25, seed=0):
    """The least χ², by BFGS from many starts."""
    rng = np.random.default_rng(seed)
    scale = 1 + np.max(np.abs(np.asarray(z) / problem.unit))
    tries = rng.normal(size=(starts, profiled)) * scale * 10.0 ** rng.uniform(-2, 0.5, (starts, 1))
    return min(descended(problem, z, profiled, x) for x in [np.zeros(profiled), *tries])


@pytest.mark.parametrize(
    ("variance", "fixed", "interference"), crossed([0.08, 0.0], {"": False, "linear terms": True}, [0.95, -0.3])
)
def test_two_couplings_on_a_dense_grid(make_problem, variance, fixed, interference):
    """No point of a dense grid of both couplings, nor what is downhill from it, is lower."""
    for seed in (5, 19):
        problem = make_problem(seed, variance, couplings=3, fixed=fixed, interference=interference)
        for position in (0.0, 0.4, 2.0):
            z = [position * problem.unit[0], 0.0, 0.0]
            assert problem.minimum(z, 2) <= on_dense_grid(problem, z) * (1 + 1e-8) + 1e-8


@pytest.mark.parametrize(
    ("profiled", "fixed", "systems"),
    crossed([1, 2, 3, 4], {"": False, "linear terms": True}, {"single": 1, "joint": 2}),
)
def test_minimum_against_random_starts(make_problem, profiled, systems, fixed):
    for seed in range(2 if profiled > 2 else 3):
        problem = make_problem(
            seed, systems=systems, couplings=profiled + 1, fixed=fixed, interference=(0.95, -0.3)[seed % 2]
        )
        for position in (0.0, 0.4, -1.3)[: max(1, 3 - profiled)]:
            z = np.append(position * problem.unit[0], np.zeros(profiled))
            expected = from_random_starts(problem, z, profiled, starts=12)
            found = problem.minimum(z, profiled)
            assert 0 <= found <= expected + 1e-8 * (1 + expected)


@pytest.mark.parametrize(
    ("seed", "position", "profiled", "variance", "options", "expected"),
    [
        # The lowest on 600 lines, on each of which all minima are known (companion matrices), between which it was
        # refined. Starts from axes and diagonals alone end in minima that are up to 30 higher, in four of the six.
        (2, -1.3, 2, 0.08, {"interference": 0.95}, 25.154665598227908),
        (15, 2.0, 2, 0.08, {"interference": 0.95}, 30.41277773043018),
        (5, 2.0, 2, 0.08, {"interference": 0.95, "fixed": True}, 59.306147947442284),
        (6, 10.0, 2, 0.08, {"interference": 0.95, "fixed": True}, 65.45499254495626),
        (6, 100.0, 2, 0.08, {"interference": 0.95, "fixed": True}, 63.57266775387028),
        (38, 100.0, 2, 0.08, {"interference": -0.3, "fixed": True}, 34.21526435842884),
        # From the second minima of lines across; from saddles; from planes through the best place.
        (53, 0.0, 2, 0.0, {"interference": -0.3}, 0.994683372308192),
        (22, 0.0, 2, 0.0, {"interference": 0.95, "systems": 2}, 12.74459510628045),
        (3, -100.0, 3, 0.08, {"interference": 0.0, "fixed": True}, 105.42465392858955),
    ],
)
def test_basins_that_are_easily_missed(make_problem, seed, position, profiled, variance, options, expected):
    problem = make_problem(seed, variance, couplings=profiled + 1, **options)
    z = np.append(position * problem.unit[0], np.zeros(profiled))
    assert problem.minimum(z, profiled) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("seed", "profiled"), [(9, 2), (41, 2), (36, 3)])
def test_saddles_are_left(make_problem, seed, profiled):
    """Without linear terms Newton's method may end where the gradient vanishes by symmetry."""
    problem = make_problem(seed, couplings=profiled + 1, interference=0.95)
    expected = from_random_starts(problem, np.zeros(profiled + 1), profiled, starts=12)
    assert problem.minimum(np.zeros(profiled + 1), profiled) <= expected + 1e-9


def test_a_valley_without_end(make_problem):
    """Couplings that act as one leave χ² alike along a line: the minimum is that of one of them."""
    problem = make_problem(4, couplings=3, interference=0.0)
    at, alone = problem.powers.tolist().index, problem.terms.copy()
    y = alone[:, at([0, 2, 0])].copy()  # of (y + z)^2
    problem.terms[:, at([0, 0, 2])], problem.terms[:, at([0, 1, 1])] = y, 2 * y
    problem.terms[:, at([1, 0, 1])] = problem.terms[:, at([1, 1, 0])]
    problem.unit[2] = problem.unit[1]
    both = Problem((problem.terms, problem.data, problem.powers, problem.unit), problem._chi2, 0.08)
    for position in (0.0, 0.7, 5.0):
        z = np.array([position * problem.unit[0], 0.0, 0.0])
        kept = [i for i, p in enumerate(problem.powers) if p[2] == 0]
        one = Problem(
            (problem.terms[:, kept], problem.data, problem.powers[kept][:, :2].copy(), problem.unit[:2]),
            problem._chi2,
            0.08,
        )
        assert both.minimum(z, 2) == pytest.approx(one.minimum(z[:2], 1), rel=1e-9)


def test_a_coupling_without_effect(make_problem):
    """Above its threshold a coupling does nothing: the minimum is the value itself."""
    made = make_problem(1, couplings=2)
    made.terms[:, [p[1] > 0 for p in made.powers]] = 0.0
    problem = Problem((made.terms, made.data, made.powers, made.unit), made._chi2, 0.08)
    z = np.array([0.1, 5.0])
    assert problem.minimum(z, 1) == pytest.approx(problem.chi2(z[None])[0], rel=1e-12)
    assert problem.minimum(z, 2) <= problem.minimum([z[1], z[0]], 1) * (1 + 1e-12)


@pytest.mark.parametrize(("profiled", "systems"), [(1, 1), (2, 1), (2, 2), (3, 1)])
def test_points_do_not_depend_on_their_neighbours(make_problem, profiled, systems):
    """To the bit: not on how a scan is divided among threads, executors and checkpoints."""
    problem = make_problem(5, systems=systems, couplings=profiled + 1)
    z = np.zeros((12, profiled + 1))
    z[:, 0] = np.linspace(-2, 2, 12) * problem.unit[0]
    together, place = np.empty(12), z.copy()
    profile.minimise(problem.plane, profiled, place, together)
    for i in reversed(range(12)):
        alone, there = np.empty(1), z[i : i + 1].copy()
        profile.minimise(problem.plane, profiled, there, alone)
        assert alone[0] == together[i] and np.array_equal(there[0], place[i])


def test_what_is_left_of_where_free_couplings_were(make_problem):
    """Nothing: the search begins at zero."""
    problem = make_problem(7, couplings=3)
    x = 0.5 * problem.unit[0]
    assert problem.minimum([x, 0.0, 0.0], 2) == problem.minimum([x, 3.0, -1e9], 2)


@pytest.mark.parametrize("profiled", [1, 2, 3])
def test_far_beyond_any_bound(make_problem, profiled):
    """Where grids may end χ² is still a number, and no higher than without what is profiled."""
    problem = make_problem(8, couplings=profiled + 1)
    for x in (1e10, 1e30, 1e50, -1e50):
        z = np.append(x, np.zeros(profiled))
        assert 0 <= problem.minimum(z, profiled) <= problem.chi2(z[None], np.longdouble)[0] * (1 + 1e-12)
