"""The C kernel of χ²: its minimiser, blocks of numbers that are none, and every function under the sanitizers."""

import ctypes
import platform
import shutil
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from cases import crossed
from scipy import optimize

import cevns_fast as cf
from cevns_fast._kernels.library import ffi, lib, read
from cevns_fast._kernels.library import written as filled
from cevns_fast._kernels.likelihood import FIXED_VARIANCE as FIXED
from cevns_fast._kernels.likelihood import LONGEST_NAME, POISSON, Evaluator, Factor, Layout, SampleTerm, System, pack
from cevns_fast._kernels.likelihood import PREDICTED_VARIANCE as PREDICTED
from cevns_fast.likelihood.likelihood import function_of
from cevns_fast.likelihood.whitening import reduced

ROOT = Path(__file__).resolve().parent.parent.parent
KERNELS = ROOT / "cevns_fast" / "_kernels"
SOURCES = sorted(map(str, KERNELS.glob("likelihood*.c")))


def block(statistic=FIXED, *, x=False, explicit=False, seed=0, bounds=((-3.0, 3.0), (-3.0, 3.0))):
    """A small likelihood: two couplings a, b with N = 9 + a² + a b + b² + b times shapes; two nuisances."""
    random = np.random.default_rng(seed)
    bins, exponents = 5, ((0, 0), (2, 0), (1, 1), (0, 2), (0, 1))
    names = ["a", "b", *(["x"] if x else []), *(["scale"] if explicit else [])]
    shapes = random.uniform(0.5, 1.5, (2 if x else 1, 3 if x else 1, 1, len(exponents), bins))
    shapes[..., 0, :] += 9.0
    if x:  # continuous in x
        shapes[1, 2] = shapes[0].sum(axis=0) - shapes[1, 0] + shapes[1, 1]
    ends = [*bounds, *([(0.0, 2.0)] if x else []), *([(-np.inf, np.inf)] if explicit else [])]
    layout = Layout(
        names=names, lower=[low for low, _ in ends], upper=[high for _, high in ends], coupling_at=[0, 1],
        x_at=2 if x else -1, exponents=exponents, nuisance_at=[len(names) - 1 if explicit else -1, -1],
        centre=np.zeros(2), offset=np.zeros(2), mix=np.eye(2),
    )  # fmt: skip
    data = random.poisson(12.0, bins).astype(float)
    weight = {FIXED: 1 / (data + 1), PREDICTED: np.ones(bins), POISSON: np.full(bins, 6.0)}[statistic]
    system = System(
        statistic, 0.01 if statistic == PREDICTED else 0.0, 2.0, data, weight, np.zeros(bins), np.zeros(bins),
        factor=1.0, scale=np.array([0.2, 0.0]), morph=[0, 0], shift=np.array([[0.0] * bins, [0.3] * bins]),
        breaks=np.linspace(0.0, 2.0, len(shapes) + 1), coefficients=shapes,
    )  # fmt: skip
    return pack(layout, [system])


# --- the statistic -------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["data", "weight"])
def test_a_count_below_one_changes_the_formulas_and_not_the_loss(which):
    """Bins of one count at least are computed without branches, the others by cases."""
    b = block(POISSON)
    thetas = np.random.default_rng(1).uniform(-3.0, 3.0, (200, 2))
    found = []
    for count in (1.0, np.nextafter(1.0, 0.0)):
        numbers = b.numbers.copy()
        numbers[getattr(b, which)[0]][::2] = count
        evaluator = Evaluator(b._replace(numbers=numbers))
        derivatives = [evaluator.derivatives(theta, second=True) for theta in thetas]
        found.append([np.array(each) for each in (evaluator.batch(thetas), *zip(*derivatives, strict=True))])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc here")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="one binary for several processors is for x86")
def test_bits_are_those_of_any_processor(tmp_path):
    """What is compiled for every processor gives what a recent one has chosen."""
    library = tmp_path / "any.so"
    subprocess.run(
        ["gcc", "-std=c99", "-O2", "-DANY_MACHINE", "-fPIC", "-shared", *SOURCES, "-lm", "-o", library], check=True
    )
    other, doubles = ctypes.CDLL(str(library)), np.ctypeslib.ndpointer(np.float64)
    other.cevns_fast_create.restype = ctypes.c_void_p
    other.cevns_fast_create.argtypes = [doubles, ctypes.c_size_t]
    other.cevns_fast_hessian.restype = ctypes.c_double
    other.cevns_fast_hessian.argtypes = [ctypes.c_void_p, doubles, ctypes.c_size_t, doubles, doubles]
    other.cevns_fast_close.argtypes = [ctypes.c_void_p]
    known = block(POISSON, x=True)
    known.numbers[known.data[0].start - 2] = np.inf  # the exposure off over that on
    for name, each in (blocks() | {"known": known}).items():
        evaluator, handle = Evaluator(each), other.cevns_fast_create(each.numbers, each.numbers.size)
        n = lib.cevns_fast_dimension(evaluator._handle)
        for theta in np.random.default_rng(2).uniform(0.0, 2.0, (20, n)):
            gradient, hessian = np.empty(n), np.empty((n, n))
            value = other.cevns_fast_hessian(handle, theta, n, gradient, hessian)
            expected = evaluator.derivatives(theta, second=True)
            assert value == expected[0], name
            np.testing.assert_array_equal(gradient, expected[1], name)
            np.testing.assert_array_equal(hessian, expected[2], name)
        other.cevns_fast_close(handle)


# --- some experiments, other widths --------------------------------------------------------------------


def variant(numbers, chosen, widths, thetas):
    """χ² of some of the experiments with other widths: one by one, and as a batch."""
    whole = lib.cevns_fast_create(read(numbers), numbers.size)
    handle = lib.cevns_fast_variant(whole, chosen, widths)
    lib.cevns_fast_close(whole)  # of which nothing is kept
    batch = np.empty(len(thetas))
    lib.cevns_fast_chi2_batch(handle, read(thetas), *thetas.shape, filled(batch))
    single = [lib.cevns_fast_chi2(handle, list(theta), len(theta), ffi.NULL) for theta in thetas]
    lib.cevns_fast_close(handle)
    return np.array(single), batch


@pytest.mark.parametrize(
    ("kept", "constraint", "statistic", "parameters"),
    crossed(
        [(1,), (0,), (0, 1)],
        ["gaussian", "log-normal"],
        ["gaussian", "poisson"],
        {"couplings": ("C_S", "a_M"), "with the flux": ("C_S", "a_M", "flux")},
    ),
)
def test_a_variant_is_the_likelihood_of_fewer_experiments_and_other_widths(kept, constraint, statistic, parameters):
    def fit(which, wider):
        found = []
        for i, (name, size) in enumerate((("coherent-csi-2017", 0.26), ("coherent-lar-610kg", 0.14))):
            experiment = cf.load(name).replace(signal_uncertainty=size * (wider if i == 0 else 1 / wider))
            backgrounds = [cf.Background(b.name, b.counts, b.uncertainty * wider) for b in experiment.backgrounds]
            found.append(experiment.replace(backgrounds=backgrounds))
        flux = cf.ScaleNuisance("flux", 0.10 * wider, constraint=constraint)
        return cf.Likelihood(
            [found[i] for i in which], nuisances=[flux], model=cf.SingletEFT(m_chi=20.0), parameters=parameters,
            statistic=statistic,
        )  # fmt: skip

    whole, wider = fit((0, 1), 1.0), 1.7
    by_name = {"beta": wider, "coherent-csi-2017: alpha": wider, "coherent-lar-610kg: alpha": 1 / wider, "flux": wider}
    widths = [next(by for key, by in by_name.items() if key in name) for name in whole.nuisance_names]
    assert len(widths) == 4
    # a pull is in the standard deviations of before
    thetas = np.random.default_rng(3).uniform(-1.0, 1.0, (70, len(parameters))) * [0.05, 5e-4, 1.0][: len(parameters)]
    there = thetas / [1.0, 1.0, wider][: len(parameters)]
    expected = [fit(kept, wider)(theta) for theta in there]
    numbers = pack(*function_of(whole).systems()).numbers
    for found in variant(numbers, [int(i in kept) for i in (0, 1)], widths, thetas):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_width_where_points_are_evaluated_side_by_side():
    def fit(wider):
        csi = cf.load("coherent-csi-2017")
        wide = csi.replace(signal_uncertainty=csi.signal_uncertainty * wider)
        return cf.Likelihood(wide, model=cf.SingletEFT(m_chi=20.0), parameters=("C_S", "a_M"))

    thetas = np.random.default_rng(6).uniform(-1.0, 1.0, (70, 2)) * [0.05, 5e-4]
    for found in variant(function_of(fit(1.0)).exported(), [1], [1.7], thetas):
        np.testing.assert_allclose(found, fit(1.7).batch(thetas), rtol=1e-12)


def test_a_width_of_one_changes_no_bit():
    numbers, thetas = block().numbers, np.random.default_rng(4).uniform(-1.0, 1.0, (70, 2))
    single, batch = variant(numbers, [1], [1.0, 1.0], thetas)
    evaluator = Evaluator(block())
    assert [evaluator.chi2(theta.tolist()) for theta in thetas] == single.tolist()
    assert evaluator.batch(thetas).tolist() == batch.tolist()


def test_variants_that_are_refused():
    numbers = block().numbers
    whole = lib.cevns_fast_create(read(numbers), numbers.size)
    assert lib.cevns_fast_experiments(whole) == 1
    assert lib.cevns_fast_variant(whole, [0], ffi.NULL) == ffi.NULL
    for bad in (0.0, -0.0, np.nan, np.inf, 1e-200, 1e200):
        assert lib.cevns_fast_variant(whole, ffi.NULL, [1.0, bad]) == ffi.NULL
    lib.cevns_fast_close(whole)


# --- the minimiser ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("explicit", "x", "statistic"), crossed([False, True], [False, True], [FIXED, PREDICTED, POISSON])
)
def test_minimise_finds_what_scipy_finds(statistic, x, explicit):
    evaluator = Evaluator(block(statistic, x=x, explicit=explicit))
    n = 2 + x + explicit
    low = np.array([-3.0, -3.0, *([0.0] if x else []), *([-20.0] if explicit else [])])
    high = np.array([3.0, 3.0, *([2.0] if x else []), *([20.0] if explicit else [])])
    random = np.random.default_rng(1)
    ours, theirs = [], []
    for _ in range(40):
        start = random.uniform(low, high)
        value, at = evaluator.minimise(start, [False] * n)
        assert value <= evaluator.chi2(start.tolist()) and value == evaluator.chi2(at.tolist())
        assert np.all((low <= at) & (at <= high))
        gradient = evaluator.derivatives(at, second=False)[1]
        inside = ((at > low) | (gradient < 0)) & ((at < high) | (gradient > 0))
        assert np.abs(gradient[inside]).max(initial=0.0) < 1e-4 or (x and abs(at[2] - 1.0) < 1e-3)  # a kink at x = 1
        ours.append(value)
        found = optimize.minimize(
            lambda t: evaluator.derivatives(np.ascontiguousarray(t), second=False)[:2], start, jac=True,
            method="L-BFGS-B", bounds=list(zip(low, high, strict=True)), options={"ftol": 1e-14, "gtol": 1e-9},
        )  # fmt: skip
        theirs.append(found.fun)
    assert min(ours) == pytest.approx(min(theirs), rel=1e-8)
    # Which of several minima a start leads to is chance, but not that they are minima: scipy stays where it is put.
    if not x:
        assert np.mean(np.array(ours) <= np.array(theirs) + 1e-6) > 0.6


@pytest.mark.jit  # for the counts
def test_minimise_of_a_real_fit():
    csi = cf.load("coherent-csi-2017")
    fit = cf.Likelihood(csi, model=cf.SingletEFT(10.0), parameters=("C_V", "a_M"), bounds={"C_V": (-1, 1)})
    evaluator = function_of(fit).fast()
    random = np.random.default_rng(2)
    starts = random.uniform([-0.3, -1e-3], [0.3, 1e-3], (30, 2))
    values = [evaluator.minimise(start, [False, False])[0] for start in starts]
    grid = np.meshgrid(np.linspace(-0.3, 0.3, 301), np.linspace(-1e-3, 1e-3, 301))
    lowest = fit.batch(np.stack(grid, axis=-1).reshape(-1, 2)).min()
    assert lowest - 1e-2 <= min(values) <= lowest * (1 + 1e-14)
    assert max(values) < min(values) + 3.0


@pytest.mark.jit  # for the counts
def test_minimise_leaves_a_maximum_without_slope():
    """χ² is even in C_S: the slope at C_S = 0 vanishes, where fits like to begin."""
    csi = cf.load("coherent-csi-2017")
    fit = cf.Likelihood(csi.replace(observed=3 * csi.observed), model=cf.SingletEFT(10.0), parameters=("C_S", "a_M"))
    evaluator = function_of(fit).fast()
    gradient, hessian = evaluator.derivatives(np.zeros(2), second=True)[1:]
    assert not gradient.any() and hessian[0, 0] < 0
    value, at = evaluator.minimise(np.zeros(2), [False, False])
    assert value < fit([0.0, 0.0]) - 1 and np.abs(fit.gradient(at) * at).max() < 1e-4
    held, at = evaluator.minimise(np.zeros(2), [True, False])
    assert at[0] == 0.0 and value <= held < fit([0.0, 0.0])


def even_block(excess, lower, upper):
    """Of one coupling without nuisances: χ² = 4 (excess − a²)²."""
    exponents, bins = ((0,), (2,)), 4
    layout = Layout(
        names=["a"], lower=[lower], upper=[upper], coupling_at=[0], x_at=-1,
        exponents=exponents, nuisance_at=[], centre=np.zeros(0), offset=np.zeros(0), mix=np.zeros((0, 0)),
    )  # fmt: skip
    system = System(
        FIXED, 0.0, 0.0, np.full(bins, 1 + excess), np.ones(bins), np.zeros(bins), np.zeros(bins), factor=1.0,
        scale=np.zeros(0), morph=[], shift=np.zeros((0, bins)), breaks=np.array([0.0, 1.0]),
        coefficients=np.ones((1, 1, 1, 2, bins)),
    )  # fmt: skip
    return pack(layout, [system])


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("excess, rel", [(4.0, 1e-7), (1e-4, 1e-2)], ids=["deep", "shallow"])
def test_minimise_leaves_a_maximum_on_either_side(side, excess, rel):
    """The slope at a = 0 vanishes, χ² falls on both sides, and a bound closes one of them."""
    block = even_block(excess, min(0.0, 3.0 * side), max(0.0, 3.0 * side))
    value, at = Evaluator(block).minimise(np.zeros(1), [False])
    assert at[0] == pytest.approx(side * np.sqrt(excess), rel=rel)
    assert value == pytest.approx(0.0, abs=1e-12)


def test_what_is_fixed_stays():
    evaluator = Evaluator(block(x=True))
    for fixed in ([True, False, False], [False, True, False], [False, False, True], [True, True, True]):
        start = np.array([0.7, -1.1, 0.4])
        value, at = evaluator.minimise(start, fixed)
        assert np.array_equal(at[fixed], start[fixed])
        free = ~np.array(fixed)
        assert value <= evaluator.chi2(start.tolist())
        if free.any():
            assert not np.array_equal(at[free], start[free])


@pytest.mark.parametrize("corner", [(-3.0, -3.0), (3.0, 3.0), (-3.0, 3.0), (0.5, 3.0)])
def test_minimise_from_a_bound(corner):
    """Inwards if that is downhill, and along the bound if it is not."""
    evaluator = Evaluator(block())
    value, at = evaluator.minimise(np.array(corner), [False, False])
    assert value < evaluator.chi2(list(corner))
    lower = Evaluator(block(bounds=((1.5, 3.0), (1.0, 3.0))))  # the minimum is outside
    value, at = lower.minimise(np.array([1.5, 2.0]), [False, False])
    assert at.tolist() == [1.5, 1.0]
    assert value == lower.chi2([1.5, 1.0]) < lower.chi2([1.6, 1.0])


def test_minimise_from_nowhere():
    evaluator = Evaluator(block())
    for start in ([np.nan, 0.0], [4.0, 0.0], [np.inf, 0.0]):
        value, at = evaluator.minimise(np.array(start), [False, False])
        assert value == np.inf and np.array_equal(at, start, equal_nan=True)


# --- what is no likelihood ----------------------------------------------------------------------------------


@cache
def blocks():
    return {
        "fixed": block(), "explicit": block(PREDICTED, explicit=True),
        "x": block(x=True), "poisson": block(POISSON, x=True), "one": even_block(4.0, -3.0, 3.0),
    }  # fmt: skip


def opened(numbers):
    """Whether the kernel takes them."""
    try:
        Evaluator(blocks()["fixed"]._replace(numbers=np.ascontiguousarray(numbers, dtype=np.float64)))
    except MemoryError:
        return False
    return True


@pytest.mark.parametrize("name", ["fixed", "explicit", "x", "poisson", "one"])
def test_truncated_or_longer_is_refused(name):
    numbers = blocks()[name].numbers
    assert opened(numbers)
    assert not any(opened(numbers[:n]) for n in range(numbers.size))
    assert not opened(np.append(numbers, 0.0))


def test_sizes_that_are_none_are_refused():
    numbers = blocks()["x"].numbers
    head = ["magic", "parameters", "couplings", "monomials", "nuisances", "experiments"]
    for i in range(len(head)):
        for bad in (-1.0, 0.5, np.nan, np.inf, 1e9, 1e18, numbers[i] + 1):
            damaged = numbers.copy()
            damaged[i] = bad
            assert not opened(damaged), (head[i], bad)


# Where a block keeps what, for a block of n parameters, c couplings, m monomials and k nuisances.
def places(numbers):
    """The first number of each part, by its name, up to the first experiment."""
    n, c, m, k = (int(each) for each in numbers[1:5])
    first_sizes = [("head", 6), ("lower", n), ("upper", n), ("names", n * (LONGEST_NAME + 1)), ("factors", 1)]
    factors = int(numbers[sum(size for _, size in first_sizes) - 1])
    sizes = [
        *first_sizes, ("coupling_at", c), ("x_at", 1), ("first_factor", m + 1), ("factor", factors),
        ("power", factors), ("nuisance_at", k), ("centre", k), ("offset", k), ("mix", k * k), ("statistic", 1),
        ("bins", 1), ("rest", 3),
    ]  # fmt: skip
    ends = np.cumsum([size for _, size in sizes]).tolist()
    found = dict(zip([name for name, _ in sizes], [0, *ends], strict=False))
    bins = int(numbers[found["bins"]])
    found["scale"] = found["rest"] + 3 + 4 * bins
    found["morph"] = found["scale"] + k
    found["tables"] = found["morph"] + k + k * bins
    found["breaks"] = found["tables"] + 3
    return found


@pytest.mark.parametrize("name", ["fixed", "explicit", "x", "poisson"])
def test_unknown_statistics_are_refused(name):
    numbers = blocks()[name].numbers
    at = places(numbers)["statistic"]
    assert numbers[at] in (FIXED, PREDICTED, POISSON)
    for bad in (max(FIXED, PREDICTED, POISSON) + 1, -1.0, 0.5, 1e9, 2.0**32, 2.0**32 + 1, np.nan, np.inf):
        damaged = numbers.copy()
        damaged[at] = bad
        assert not opened(damaged), bad


@pytest.mark.parametrize("name", ["fixed", "explicit", "x", "poisson"])
@pytest.mark.parametrize(
    "part", ["coupling_at", "x_at", "first_factor", "factor", "power", "nuisance_at", "morph"]
)  # fmt: skip
def test_indices_out_of_range_are_refused(name, part):
    """Every one of them; −1 is only allowed where it says that there is none."""
    numbers = blocks()[name].numbers
    n, c, m, k = (int(each) for each in numbers[1:5])
    at = places(numbers)
    factors = int(numbers[at["factors"]])
    size = {"coupling_at": c, "x_at": 1, "first_factor": m + 1, "factor": factors, "power": factors,
            "nuisance_at": k, "morph": k}[part]  # fmt: skip
    limit = {"coupling_at": n, "x_at": n, "first_factor": factors + 1, "factor": c, "power": 100,
             "nuisance_at": n, "morph": numbers[at["tables"]]}[part]  # fmt: skip
    never = [-2.0, -0.5, 0.5, limit, 1e9, 2.0**53, 2.0**64, -(2.0**64), np.nan, np.inf, -np.inf]
    never += [] if part in ("x_at", "nuisance_at") else [-1.0]
    never += [0.0] if part == "power" else []
    for i in range(size):
        for bad in never:
            damaged = numbers.copy()
            damaged[at[part] + i] = bad
            assert not opened(damaged), (i, bad)


@pytest.mark.parametrize("part", ["term", "factor"])
def test_indices_of_curves_out_of_range_are_refused(part):
    """Group, nuisance and kind of terms and of factors that are not linear; only a term may have no nuisance."""
    bins, shapes = 3, np.ones((1, 1, 1, 1, 3))
    layout = Layout(
        names=["a"], lower=[0.0], upper=[1.0], coupling_at=[0], x_at=-1, exponents=((0,),), nuisance_at=[-1, -1],
        centre=np.zeros(2), offset=np.zeros(2), mix=np.eye(2),
    )  # fmt: skip
    system = System(
        FIXED, 0.0, 1.0, np.full(bins, 9.0), np.ones(bins), np.zeros(bins), np.zeros(bins), factor=1.0,
        scale=np.zeros(2), morph=[0, 0], shift=np.zeros((2, bins)), breaks=np.array([0.0, 1.0]), coefficients=shapes,
        terms=[SampleTerm(1, 1, True, np.full(bins, 0.625))], factors=[Factor(1, 1, 0.3125, -0.4375, ())],
    )  # fmt: skip
    numbers = pack(layout, [system]).numbers
    assert opened(numbers)
    (at,) = np.flatnonzero(numbers == {"term": 0.625, "factor": 0.3125}[part])[:1] - 3
    assert numbers[at : at + 2].tolist() == [1.0, 1.0]
    for i, limit in enumerate((2, 2, 2)):
        for bad in (limit, -2.0, 0.5, 1e9, 2.0**53, np.nan, np.inf, *([] if (part, i) == ("term", 1) else [-1.0])):
            damaged = numbers.copy()
            damaged[at + i] = bad
            assert not opened(damaged), (i, bad)


def test_what_is_out_of_order_is_refused():
    """Factors of a monomial that end before they begin, or belong to none; pieces of x that are empty."""
    numbers = blocks()["x"].numbers
    at = places(numbers)
    first = numbers[at["first_factor"] : at["factor"]]
    assert first.tolist() == [0.0, 0.0, 1.0, 3.0, 4.0, 5.0]
    for bad in ([0, 0, 3, 1, 4, 5], [1, 1, 1, 3, 4, 5], [0, 0, 1, 3, 4, 4]):
        damaged = numbers.copy()
        damaged[at["first_factor"] : at["factor"]] = bad
        assert not opened(damaged), bad
    assert numbers[at["breaks"] : at["breaks"] + 3].tolist() == [0.0, 1.0, 2.0]
    for bad in ([0, 0, 2], [0, 2, 1], [0, np.nan, 2]):
        damaged = numbers.copy()
        damaged[at["breaks"] : at["breaks"] + 3] = bad
        assert not opened(damaged), bad


def test_products_that_overflow_are_refused():
    """Tables, pieces and powers whose product is a multiple of 2^64."""
    b = block()
    numbers = b.numbers
    at = next(i for i in range(numbers.size - 3) if numbers[i : i + 5].tolist() == [1.0, 1.0, 0.0, 0.0, 2.0])
    for tables, degree in ((2.0**29, 2.0**29 - 1), (2.0**28, 2.0**28 - 1), (2.0**29, 2.0**27 - 1)):
        for pieces in (1.0, 64.0, 256.0, 2.0**29):
            damaged = numbers.copy()
            damaged[at : at + 3] = tables, pieces, degree
            assert not opened(damaged)
            damaged = np.concatenate([damaged[: at + 3], np.arange(1 + min(pieces, 256))])
            assert not opened(damaged)


@cache
def sanitized(directory):
    """The driver, built; None without a compiler that has the sanitizers."""
    program = Path(directory) / "likelihood_sanitize"
    command = [
        "gcc", "-std=c99", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all", f"-I{KERNELS}", *SOURCES,
        *(str(KERNELS / name) for name in ("coupling_limits.c", "random.c")), *map(str, KERNELS.glob("toys*.c")),
        str(Path(__file__).parent / "likelihood_sanitize.c"), "-lm", "-o", str(program),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    if "cannot find" in done.stderr:  # the sanitizers' libraries
        return None
    assert done.returncode == 0, done.stderr
    return program


needs_compiler = pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc here")


STATISTICS = ("gaussian", "poisson")


def curved_likelihood(statistic):
    """Every kind of curve, and a free nuisance."""
    csi = cf.load("coherent-csi-2017")
    b = csi.backgrounds[0]
    nuisances = [
        cf.ScaleNuisance("scale", 0.3, constraint="log-normal"),
        cf.AsymmetricNuisance("neutrons", 0.4, -0.2, on=b.name),
        cf.BackgroundShape("spectrum", b.name, up=1.2 * b.counts + 0.3, down=0.9 * b.counts),
        cf.ScaleNuisance("unknown", float("inf")),
    ]
    return cf.Likelihood(
        csi, statistic=statistic, nuisances=nuisances, model=cf.SingletEFT(10.0), parameters=("C_V", "scale")
    )


def written(path, numbers, length=None):
    """As Likelihood.export writes it."""
    np.concatenate([[float(numbers.size) if length is None else length], numbers]).tofile(path)
    return str(path)


@pytest.mark.slow
@pytest.mark.jit  # for the counts
@needs_compiler
def test_sanitizers_find_nothing(tmp_path):
    """Whole files, and hundreds of damaged ones: refused, or evaluated without touching what is not theirs."""
    program = sanitized(tmp_path)
    if program is None:
        pytest.skip("gcc has no sanitizers here")
    csi = cf.load("coherent-csi-2017")
    whole, damaged = [], []
    for name, each in blocks().items():
        whole.append(written(tmp_path / name, each.numbers))
    for statistic in ("gaussian", "poisson"):
        fit = cf.Likelihood(csi, statistic=statistic, model=cf.SingletEFT(10.0), parameters=("C_V", "alpha"))
        fit.export(tmp_path / statistic)
        whole.append(str(tmp_path / statistic))
        curved = curved_likelihood(statistic)
        curved.export(tmp_path / f"curved {statistic}")
        whole.append(str(tmp_path / f"curved {statistic}"))
    random = np.random.default_rng(5)
    nasty = [0.0, -1.0, 1.0, 2.0, 0.5, 1e9, 2.0**29, 2.0**31, 1e18, 1e308, np.nan, np.inf, -np.inf, -0.5, 255.0, 1e-300]
    some = {statistic: pack(*reduced(*function_of(curved_likelihood(statistic)).systems())) for statistic in STATISTICS}
    for name, each in (blocks() | some).items():
        for i in range(100):
            numbers = each.numbers.copy()
            for _ in range(1 + i % 3):
                numbers[random.integers(0, [7, numbers.size][i % 2])] = random.choice(nasty)
            if i % 5 == 0:
                numbers = numbers[: random.integers(0, numbers.size)]
            length = random.choice(nasty) if i % 11 == 0 else None
            damaged.append(written(tmp_path / f"{name}{i}", numbers, length))
    done = subprocess.run([program, *whole, "--", *damaged], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[:4000]
    count = int(done.stdout.split()[0])
    assert len(whole) + 50 < count < len(whole) + len(damaged) - 50


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("command", [["gcc", "-std=c99"], ["gcc", "-std=c11", "-pedantic", "-O3"]])
def test_compiles_without_warnings(command, tmp_path):
    done = subprocess.run(
        [*command, "-Wall", "-Wextra", "-Werror", "-c", *SOURCES], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++ here")
def test_cplusplus_takes_the_header():
    code = '#include "cevns_fast.h"\nint main() { return cevns_fast_open("nowhere") != nullptr; }\n'
    done = subprocess.run(
        ["g++", "-std=c++11", "-x", "c++", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", f"-I{KERNELS}", "-"],
        input=code, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
