"""CLs, Feldman–Cousins limits, what is expected, and significances: against pyhf, tables and each other."""

import math

import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast._kernels.toys import ToyPlan
from cevns_fast.inference.cls import OneCoupling, distance_of
from cevns_fast.inference.throwing import key_of

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema:DeprecationWarning")  # pyhf's, when it is imported

CSI = cf.load("coherent-csi-2017")
LIGHT = cf.SingletEFT(10.0)


@pytest.fixture(scope="module")
def one():
    return OneCoupling(cf.Likelihood(CSI, statistic="poisson", model=LIGHT, parameters=("C_S",)))


@pytest.fixture(scope="module")
def of_pyhf():
    pyhf = pytest.importorskip("pyhf")
    pyhf.set_backend("numpy", pyhf.optimize.scipy_optimizer(tolerance=1e-12))
    workspace = pyhf.Workspace(cf.pyhf_workspace(CSI, LIGHT, {"C_S": 0.01}))
    model = workspace.model()
    return pyhf, model, workspace.data(model)


@pytest.mark.parametrize("c", [0.015, 0.02, 0.03])
def test_cls_is_that_of_pyhf(one, of_pyhf, c):
    pyhf, model, data = of_pyhf
    found, bands = pyhf.infer.hypotest((c / 0.01) ** 2, data, model, test_stat="qtilde", return_expected_set=True)
    assert one.cls(c) == pytest.approx(float(found), rel=1e-4)
    root = one.root_q_expected(c)
    ours = [math.erfc((root - x) / math.sqrt(2)) / math.erfc(-x / math.sqrt(2)) for x in (-2, -1, 0, 1, 2)]
    assert ours == pytest.approx([float(x) for x in bands], rel=1e-4)


@pytest.mark.slow
def test_toys_are_those_of_pyhf(one, of_pyhf):
    """The test statistic of single toys: pyhf's own calculator needs a tenth of a second for each."""
    pyhf, model, _ = of_pyhf
    c, names = 0.03, list(one.fit.nuisance_names)
    there = one.thrower.truth(np.array([c]))
    plan = ToyPlan(one.thrower.bounded(0.0, c), there, (True,), 5)
    found = np.empty(6)
    plan.run(0, found)
    theirs = []
    for i in range(6):
        on, off, centre, _ = plan.thrown(i)
        auxiliary = [centre[[names.index(x)]] if x in names else off for x in model.config.auxdata_order]
        data = np.concatenate([on, *auxiliary]).tolist()
        settings = (model.config.suggested_init(), model.config.suggested_bounds(), model.config.suggested_fixed())
        theirs.append(float(pyhf.infer.test_statistics.qmu_tilde((c / 0.01) ** 2, data, model, *settings)))
    assert np.ptp(theirs) > 0.1
    assert found == pytest.approx(theirs, abs=2e-5)


@pytest.fixture(scope="module")
def of_three_bins():
    """A workspace in which pyhf needs a hundredth of a second for a toy, and the same likelihood here."""
    pyhf = pytest.importorskip("pyhf")
    pyhf.set_backend("numpy", pyhf.optimize.scipy_optimizer(tolerance=1e-10))
    few = CSI.mask([i for i in range(12) if i not in (2, 3, 4)]).replace(steady_state_weight=1.0)
    workspace = pyhf.Workspace(cf.pyhf_workspace(few, LIGHT, {"C_S": 0.01}))
    model = workspace.model()
    fit = cf.Likelihood(few, statistic="poisson", model=LIGHT, parameters=("C_S",))
    return pyhf, model, workspace.data(model), OneCoupling(fit)


def test_cls_of_the_same_toys_is_that_of_pyhf(of_three_bins, toys=50, seed=5):
    """CLs is a ratio of counted toys, whose data pyhf is given."""
    pyhf, model, data, one = of_three_bins
    c, names = 0.012, list(one.fit.nuisance_names)
    settings = (model.config.suggested_init(), model.config.suggested_bounds(), model.config.suggested_fixed())

    def statistic(of):
        return float(pyhf.infer.test_statistics.qmu_tilde((c / 0.01) ** 2, of, model, *settings))

    assert one.cls(c) == pytest.approx(
        float(pyhf.infer.hypotest((c / 0.01) ** 2, data, model, test_stat="qtilde")), rel=1e-4
    )
    there, nothing = (one.thrower.truth(np.array([x])) for x in (c, 0.0))
    counted = []
    for truth in (there, nothing._replace(theta=np.array([c]))):
        plan = ToyPlan(one.thrower.bounded(0.0, c), truth, (True,), key_of(seed))
        thrown = [plan.thrown(i) for i in range(toys)]
        auxiliary = [names.index(name) for name in model.config.auxdata_order]
        values = np.array([statistic([*on, *centre[auxiliary]]) for on, _, centre, _ in thrown])
        counted.append(np.sum(values >= statistic(data) - 1e-6))
    assert 0.1 < counted[0] / counted[1] < 0.9
    assert one.cls_by_toys(c, toys, seed)[0] == pytest.approx(counted[0] / counted[1], rel=0.01)


@pytest.mark.slow
def test_cls_by_toys_of_pyhfs_own_calculator(of_three_bins, toys=400):
    """Other random numbers, of which docs/statistics.md has more."""
    pyhf, model, data, one = of_three_bins
    c = 0.012
    np.random.seed(1)  # noqa: NPY002 - whose numbers pyhf takes
    calculator = pyhf.infer.calculators.ToyCalculator(data, model, test_stat="qtilde", ntoys=toys, track_progress=False)
    mu = (c / 0.01) ** 2
    both, background, theirs = (
        float(x) for x in calculator.pvalues(calculator.teststatistic(mu), *calculator.distributions(mu))
    )
    spread = theirs * math.sqrt((1 - both) / (both * toys) + (1 - background) / (background * toys))
    assert one.cls_by_toys(c, 50_000, 1)[0] == pytest.approx(theirs, abs=3 * spread)


def test_cls_by_toys_is_asymptotic_where_counts_are_large():
    big = cf.load("coherent-csi-x100")
    one = OneCoupling(cf.Likelihood(big, model=LIGHT, parameters=("C_S",)))
    c = one.cls_limit(0.90)
    assert one.cls(c) == pytest.approx(0.10, rel=1e-9)
    toys, median = one.cls_by_toys(c, 20_000, 1, sigmas=(0.0,))
    assert toys == pytest.approx(0.10, abs=0.01)  # a percent of toys, and the formula
    assert median == pytest.approx(0.10, abs=0.02)  # the data are what is expected
    assert one.cls_limit_by_toys(0.90, 5_000, 1) == pytest.approx(c, rel=0.02)


@pytest.mark.parametrize("x, upper", [(-3.0, 0.26), (-2.0, 0.40), (-1.0, 0.81), (0.0, 1.64), (1.0, 2.64), (2.0, 3.64)])
def test_the_bounded_gaussian_of_feldman_and_cousins(x, upper):
    """Their Table X, 90% CL."""
    assert distance_of("feldman-cousins", x, 0.90, 2.706) == pytest.approx(upper, abs=0.006)


@pytest.mark.parametrize("method", ["delta_chi2", "cls", "feldman-cousins"])
def test_what_is_expected_is_what_toys_find(method, tmp_path):
    big = cf.load("coherent-csi-x100")
    given = dict(method=method, expected=True)
    curve = cf.limit_scan(big, [LIGHT, cf.SingletEFT(60.0)], "C_S", **given)
    by_toys = cf.limit_scan(big, [LIGHT], "C_S", toys=1000, **given)
    assert curve.expected.shape == (5, 2) and np.all(np.diff(curve.expected[:, 0]) > 0)
    assert np.all(np.isinf(curve.expected[:, 1]))  # too heavy
    assert by_toys.expected[1:4, 0] == pytest.approx(curve.expected[1:4, 0], rel=0.06)
    xarray = pytest.importorskip("xarray")
    again = cf.open_limits(curve.save(tmp_path / "limits.nc"))
    assert np.array_equal(again.expected, curve.expected) and again.method == method and again.mass == "m_chi"
    assert isinstance(curve.to_xarray(), xarray.Dataset)
    # the data are what is expected
    assert curve.upper[0] == pytest.approx(curve.expected[2, 0], rel=0.03)


def test_limits_by_feldman_and_cousins_have_their_p_value():
    fit = cf.Likelihood(CSI, statistic="poisson", model=LIGHT, parameters=("C_S",))
    curve = cf.limit_scan(CSI, [LIGHT], "C_S", statistic="poisson", method="feldman-cousins", toys=4000)
    assert curve.method == "feldman-cousins" and curve.expected is None
    p = cf.feldman_cousins(fit, {"C_S": curve.upper[0]}, toys=20_000, seed=5).p_value[0]
    assert p == pytest.approx(0.10, abs=0.016)
    again = cf.limit_scan(CSI, [LIGHT], "C_S", statistic="poisson", method="feldman-cousins", toys=4000)
    assert again.upper[0] == curve.upper[0]


def test_significances():
    truth = {"C_S": 0.03}
    fit = cf.Likelihood(CSI, model=LIGHT, parameters=("C_S", "a_M"))
    found = cf.discovery(fit, truth)
    assert found.observed == pytest.approx(math.sqrt(max(0.0, fit([0.0, 0.0]) - cf.best_fit(fit).chi2)), abs=1e-6)
    # Asimov data, made by hand: with α as the data want it there
    alone = cf.Likelihood(CSI.replace(signal_uncertainty=0.0, backgrounds=()), model=LIGHT, parameters=("C_S",))
    signal = alone.counts([0.03])[0]
    excess = signal - alone.counts([0.0])[0]
    variance = CSI.observed + CSI.steady_state_weight * CSI.steady_state_counts(signal)
    by_hand = math.sqrt(np.sum(excess**2 / variance))
    assert cf.discovery(alone, truth).expected == pytest.approx(by_hand, rel=1e-9)
    with pytest.raises(ValueError, match="couplings = 'C_V'"):
        cf.discovery(fit, {"C_V": 0.1})


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"method": "bayes"}, "method = 'bayes'"),
        ({"method": "cls", "delta_chi2": 4.0}, "must be a confidence level"),
        ({"toys": 30}, "toys = 30"),
        ({"expected": 1}, "expected = 1"),
    ],
)
def test_refusals(changes, message):
    with pytest.raises(ValueError, match=message):
        cf.limit_scan(CSI, [LIGHT], "C_S", **changes)


def test_the_figure_is_read_in_grey():
    """Luminances of paper, two bands and lines are far apart, in the order of their layers."""
    pytest.importorskip("matplotlib")
    from cevns_fast.output import drawing, plotting

    masses = [1.0, 10.0, 30.0, 45.0]
    curve = cf.limit_scan(CSI, [cf.SingletEFT(m) for m in masses], "C_V", expected=True)
    figure = plotting.expected_limits(masses, curve)
    assert drawing.png(figure)[:4] == b"\x89PNG"
    (axes,) = figure.axes
    colours = [band.get_facecolor()[0][:3] for band in axes.collections]
    grey = [float(np.dot(c, [0.2126, 0.7152, 0.0722])) for c in (*colours, (0.0, 0.0, 0.0))]
    assert [text.get_text() for text in axes.get_legend().get_texts()][-2:] == ["expected", "observed"]
    assert 1.0 > grey[0] > grey[1] + 0.25 > grey[2] + 0.5
    frame = axes.get_legend().get_frame()  # whose patches would be lost on a band of their own colour
    assert frame.get_alpha() == 1.0 and frame.get_facecolor()[:3] == (1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="has no expected limits"):
        plotting.expected_limits(masses, cf.limit_scan(CSI, [cf.SingletEFT(m) for m in masses], "C_V"))
