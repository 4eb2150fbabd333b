"""Nuisances that are free, log-normal or asymmetric, shapes of backgrounds, covariances: against the slow twin,
against differences of themselves, and against what they promise."""

import math

import numpy as np
import pytest
from cases import crossed
from scipy import optimize

import cevns_fast as cf
from cevns_fast._kernels.likelihood import Evaluator, pack
from cevns_fast.likelihood.likelihood import function_of
from cevns_fast.likelihood.whitening import reduced
from cevns_fast.reference.likelihood import Setup, curved_chi2, joint_chi2

CSI = cf.load("coherent-csi-2017")
LAR = cf.load("coherent-lar-610kg").replace(shape_uncertainty=0.0)
BARE = CSI.replace(signal_uncertainty=0.0)
NEUTRONS = CSI.backgrounds[0]
BINS = np.arange(CSI.n_bins)
SMOOTH = 9.0 * np.exp(-abs(BINS[:, None] - BINS) / 3.0)
HIGH, LOW = NEUTRONS.counts * (1.5 - 0.05 * BINS), NEUTRONS.counts * (0.8 + 0.01 * BINS**1.5)
UNKNOWN = CSI.replace(backgrounds=(cf.Background(NEUTRONS.name, NEUTRONS.counts, math.inf),))
KNOWN = CSI.replace(backgrounds=(cf.Background(NEUTRONS.name, NEUTRONS.counts, 0.0),))
CASES = {
    "log-normal": ((BARE,), [cf.ScaleNuisance("a", 0.5, constraint="log-normal")]),
    "log-normal beside alpha": ((CSI,), [cf.ScaleNuisance("a", 0.4, constraint="log-normal")]),
    "asymmetric": ((BARE,), [cf.AsymmetricNuisance("a", up=0.5, down=-0.2)]),
    "asymmetric, both up": ((BARE,), [cf.AsymmetricNuisance("a", up=0.3, down=0.1)]),
    "free": ((BARE,), [cf.ScaleNuisance("a", math.inf)]),
    "free background": ((UNKNOWN,), []),
    "background, log-normal": ((KNOWN,), [cf.ScaleNuisance("b", 0.8, constraint="log-normal", on=NEUTRONS.name)]),
    "background, free": ((KNOWN,), [cf.ScaleNuisance("b", math.inf, on=NEUTRONS.name)]),
    "background, asymmetric": ((CSI,), [cf.AsymmetricNuisance("b", 0.9, -0.4, on=NEUTRONS.name)]),
    "shape": ((CSI,), [cf.BackgroundShape("s", NEUTRONS.name, HIGH, LOW)]),
    "one-sided": ((CSI,), [cf.BackgroundShape("s", NEUTRONS.name, HIGH, NEUTRONS.counts)]),
    "mirrored": ((CSI,), [cf.BackgroundShape("s", NEUTRONS.name, HIGH)]),
    "everything": (
        (CSI, LAR),
        [
            cf.ScaleNuisance("flux", {CSI.name: 0.3, LAR.name: 0.1}, constraint="log-normal"),
            cf.AsymmetricNuisance("quenching", 0.2, -0.1, experiments=(CSI.name,)),
            cf.BackgroundShape("s", NEUTRONS.name, {CSI.name: HIGH}, {CSI.name: LOW}),
            cf.ScaleNuisance("b", 0.5, constraint="log-normal", on=NEUTRONS.name),
        ],
    ),
    "by experiment": ((BARE, LAR), [cf.ScaleNuisance("flux", {CSI.name: 0.3, LAR.name: 0.1})]),
}
STATISTICS = ["gaussian", "poisson"]


def setups(experiments, counts):
    truth = [cf.event_rate(e, cf.StandardModel()) for e in experiments]
    return [Setup(e, n, t, t) for e, n, t in zip(experiments, counts, truth, strict=True)]


@pytest.mark.parametrize(("case", "statistic", "scale"), crossed(list(CASES), STATISTICS, [1.6, 0.7]))
def test_fast_is_slow(case, statistic, scale):
    experiments, nuisances = CASES[case]
    counts = [scale * cf.event_rate(e, cf.StandardModel()) for e in experiments]
    like = cf.Likelihood(experiments, statistic=statistic, nuisances=nuisances)
    found = like.chi2_of_counts(counts if len(counts) > 1 else counts[0])
    pulls = {p.name: a / p.sigma for p, a in zip(
        like._assembly.pulls, like.nuisances_of_counts(counts).values(), strict=True)}  # fmt: skip
    if len(experiments) > 1:  # a simplex in so many dimensions dawdles: the twin confirms the minimum
        slow = curved_chi2(setups(experiments, counts), statistic=statistic, shared=nuisances, frozen=pulls)
        assert found == pytest.approx(slow.chi2, rel=1e-11)
        for name in pulls:
            for step in (-1e-2, 1e-2):
                beside = pulls | {name: pulls[name] + step}
                assert curved_chi2(
                    setups(experiments, counts), statistic=statistic, shared=nuisances, frozen=beside
                ).chi2 > slow.chi2  # fmt: skip
        return
    slow = curved_chi2(setups(experiments, counts), statistic=statistic, shared=nuisances)
    assert found == pytest.approx(slow.chi2, rel=1e-10, abs=1e-10)
    assert pulls == pytest.approx(slow.pulls, abs=1e-4)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_the_twins_agree_where_nothing_is_curved(statistic):
    counts = [1.3 * cf.event_rate(CSI, cf.StandardModel())]
    given = {"shared": [cf.ScaleNuisance("flux", 0.2)], "statistic": statistic}
    assert curved_chi2(setups([CSI], counts), **given).chi2 == pytest.approx(
        joint_chi2(setups([CSI], counts), **given).chi2, rel=1e-10
    )


@pytest.mark.parametrize(("case", "statistic"), crossed(list(CASES), STATISTICS))
def test_derivatives(case, statistic):
    """Exact gradients and Hessians, with nuisances profiled and with one of them free."""
    experiments, nuisances = CASES[case]
    names = cf.Likelihood(experiments, nuisances=nuisances).nuisance_names
    for more in ((), names[-1:], names[:1]):
        fit = cf.Likelihood(
            experiments, statistic=statistic, nuisances=nuisances, model=cf.SingletEFT,
            parameters=("m_chi", "C_S", "a_M", *more),
        )  # fmt: skip
        at = np.array([7.3, 0.02, 2e-4, *(0.4 for _ in more)])
        unit = np.array([1.0, 0.01, 1e-4, *(1.0 for _ in more)])
        scale = np.abs(fit.gradient(at) * unit).max()
        hessian = fit.hessian(at)
        for i in range(len(at)):
            step = np.zeros(len(at))
            step[i] = 1e-4 * unit[i]
            slope = (
                8 * (fit(at + step) - fit(at - step)) - (fit(at + 2 * step) - fit(at - 2 * step))
            ) / (12 * step[i])  # fmt: skip
            assert slope * unit[i] == pytest.approx(fit.gradient(at)[i] * unit[i], abs=3e-6 * scale)
            row = (
                8 * (fit.gradient(at + step) - fit.gradient(at - step))
                - (fit.gradient(at + 2 * step) - fit.gradient(at - 2 * step))
            ) / (12 * step[i])  # fmt: skip
            largest = np.abs(hessian * np.outer(unit, unit)).max()
            assert row * unit * unit[i] == pytest.approx(hessian[i] * unit * unit[i], abs=1e-6 * largest)
        # whitened and as it is
        full = Evaluator(pack(*function_of(fit).systems()))
        assert Evaluator(pack(*reduced(*function_of(fit).systems()))).chi2(at.tolist()) == pytest.approx(
            full.chi2(at.tolist()), rel=1e-12
        )
        assert fit.batch(at[None])[0] == fit(at)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_a_covariance_is_a_covariance(statistic, tmp_path):
    counts = 1.2 * cf.event_rate(CSI, cf.StandardModel())
    np.savetxt(tmp_path / "matrix.csv", SMOOTH, delimiter=",", header="counts²", fmt="%.17g")
    np.save(tmp_path / "matrix.npy", SMOOTH)
    read = cf.CovarianceMatrix.from_file("c", tmp_path / "matrix.csv")
    assert np.array_equal(read.matrix, cf.CovarianceMatrix.from_file("c", tmp_path / "matrix.npy").matrix)
    like = cf.Likelihood(CSI, nuisances=[read], statistic=statistic)
    if statistic == "gaussian":
        slow = curved_chi2(setups([CSI], [counts]), shared=[read])
        assert like.chi2_of_counts(counts) == pytest.approx(slow.chi2, rel=1e-10)
        return
    # Poisson: what is minimised over are counts that bins gain together
    sizes, axes = np.linalg.eigh(SMOOTH)
    root = axes * np.sqrt(sizes)
    bare = cf.Likelihood(BARE.replace(backgrounds=()), statistic="poisson")
    whole = cf.Likelihood(BARE.replace(backgrounds=()), nuisances=[read], statistic="poisson")
    found = optimize.minimize(lambda z: bare.chi2_of_counts(counts + root @ z) + z @ z, np.zeros(12), method="BFGS")
    assert whole.chi2_of_counts(counts) == pytest.approx(found.fun, rel=1e-6)
    with pytest.raises(ValueError, match="no variance that a covariance of the data could replace"):
        cf.Likelihood(CSI, nuisances=[cf.CovarianceMatrix("c", SMOOTH, of="data")], statistic="poisson")


def test_a_covariance_of_the_data_replaces_its_variance():
    of_data = cf.CovarianceMatrix("total", SMOOTH, of="data")
    counts = cf.event_rate(CSI, cf.StandardModel())
    residual = CSI.observed - NEUTRONS.counts - 1.1 * counts
    like = cf.Likelihood(BARE.replace(backgrounds=KNOWN.backgrounds), nuisances=[of_data])
    assert like.chi2_of_counts(1.1 * counts) == pytest.approx(residual @ np.linalg.solve(SMOOTH, residual), rel=1e-11)
    both = cf.CovarianceMatrix("both", np.diag(np.arange(1.0, 37.0)), experiments=(CSI.name,), of="data")
    with pytest.raises(ValueError, match=r"has shape \(36, 36\), must be \(12, 12\)"):
        cf.Likelihood(CSI, nuisances=[both])


@pytest.mark.parametrize("mask", [(), (0, 1, 7)])
def test_a_covariance_relative_to_the_signal(mask):
    """Fractions of whatever the signal is: V = N v N for every interaction, in both statistics, with derivatives."""
    bare = BARE.replace(backgrounds=()).mask(mask) if mask else BARE.replace(backgrounds=())
    kept = [i for i in range(12) if i not in mask]
    relative = (SMOOTH / 9.0 * 0.2**2)[np.ix_(kept, kept)]
    nuisance = cf.CovarianceMatrix("response", relative, of="signal")
    eft = cf.SingletEFT(10.0, C_S=0.03)
    counts = cf.event_rate(bare, eft)
    variance = bare.observed + bare.steady_state_weight * bare.steady_state_counts(counts)
    residual = bare.observed - counts
    full = np.diag(variance) + counts[:, None] * relative * counts
    gaussian = cf.Likelihood(bare, nuisances=[nuisance])
    assert gaussian.chi2(eft) == pytest.approx(residual @ np.linalg.solve(full, residual), rel=1e-10)
    sizes, axes = np.linalg.eigh(relative)
    root, plain = axes * np.sqrt(sizes), cf.Likelihood(bare, statistic="poisson")
    found = optimize.minimize(
        lambda z: plain.chi2_of_counts(counts * (1 + root @ z)) + z @ z, np.zeros(len(kept)), method="BFGS"
    )
    poisson = cf.Likelihood(bare, nuisances=[nuisance], statistic="poisson")
    assert poisson.chi2(eft) == pytest.approx(found.fun, rel=1e-6)
    for statistic, like in (("gaussian", gaussian), ("poisson", poisson)):
        fit = cf.Likelihood(
            bare, nuisances=[nuisance], statistic=statistic, model=cf.SingletEFT(10.0), parameters=("C_S", "a_M")
        )
        at = np.array([0.03, 0.0])
        assert fit(at) == pytest.approx(like.chi2(eft), rel=1e-11)
        step, at = np.array([1e-5, 0.0]), np.array([0.03, 1e-4])
        assert fit.gradient(at)[0] == pytest.approx((fit(at + step) - fit(at - step)) / 2e-5, rel=1e-6)
    with pytest.raises(ValueError, match=r"has a principal axis of .*, must be below 1"):
        cf.Likelihood(bare, nuisances=[cf.CovarianceMatrix("response", 400 * relative, of="signal")])


@pytest.mark.filterwarnings("ignore:jsonschema:DeprecationWarning")
def test_pyhf_reads_a_covariance_relative_to_the_signal():
    pyhf = pytest.importorskip("pyhf")
    pyhf.set_backend("numpy", pyhf.optimize.scipy_optimizer(tolerance=1e-12))
    nuisance = cf.CovarianceMatrix("response", np.full((12, 12), 0.1**2), of="signal")
    model = cf.SingletEFT(10.0)
    workspace = pyhf.Workspace(cf.pyhf_workspace(BARE, model, {"C_S": 0.015}, nuisances=[nuisance]))
    theirs = workspace.model()
    data = workspace.data(theirs)
    values = [float(pyhf.infer.mle.fixed_poi_fit(mu, data, theirs, return_fitted_val=True)[1]) for mu in (0.0, 1.0)]
    like = cf.Likelihood(BARE, statistic="poisson", nuisances=[nuisance])
    ours = [like.chi2(model.replace(C_S=c)) for c in (0.0, 0.015)]
    assert ours[1] - ours[0] == pytest.approx(values[1] - values[0], abs=1e-5)


def test_a_log_normal_signal_stays_positive():
    """However far the data pull: α of the linear nuisance passes −1 where this one cannot."""
    empty = CSI.replace(observed=-2.0 * cf.event_rate(CSI, cf.StandardModel()), backgrounds=(), signal_uncertainty=0.0,
                        steady_state=np.full(12, 100.0))  # fmt: skip
    counts = cf.event_rate(CSI, cf.StandardModel())
    linear = cf.Likelihood(empty, nuisances=[cf.ScaleNuisance("a", 5.0)])
    curved = cf.Likelihood(empty, nuisances=[cf.ScaleNuisance("a", 5.0, constraint="log-normal")])
    assert linear.nuisances_of_counts([counts])["a"] < -1
    factor = math.exp(curved.nuisances_of_counts([counts])["a"])
    assert 0 < factor < 0.2


def test_counts_far_beyond_the_data():
    """log-normal factors reach down to whatever is allowed."""
    like = cf.Likelihood(BARE, nuisances=[cf.ScaleNuisance("a", 0.3, constraint="log-normal")])
    counts = cf.event_rate(CSI, cf.StandardModel())

    bare = cf.Likelihood(BARE)

    def by_hand(size):
        a = np.linspace(-5.0, 10.0, 300_001) - math.log(size) / 0.3
        return np.min(bare.chi2_of_counts(np.exp(0.3 * a)[:, None] * size * counts) + a * a)

    for size in (10.0, 1e4, 1e9):
        assert like.chi2_of_counts(size * counts) == pytest.approx(by_hand(size), rel=1e-8)


def test_one_background_of_different_sizes_by_name():
    """The background is shared: its size differs by experiment, its nuisance does not."""
    other = BARE.replace(name="other", backgrounds=(cf.Background(NEUTRONS.name, 3 * NEUTRONS.counts, 0.0),))
    one = BARE.replace(backgrounds=KNOWN.backgrounds)
    shared = cf.ScaleNuisance("neutrons", {CSI.name: 0.25, "other": 0.5}, on=NEUTRONS.name)
    counts = cf.event_rate(CSI, cf.StandardModel())
    found = cf.Likelihood([one, other], nuisances=[shared]).chi2_of_counts([counts, counts])
    slow = curved_chi2(setups([one, other], [counts, counts]), shared=[shared])
    assert found == pytest.approx(slow.chi2, rel=1e-10)


def test_a_free_nuisance_that_nothing_depends_on_stays():
    nothing = CSI.replace(backgrounds=(cf.Background("none", np.zeros(12), math.inf),))
    fit = cf.Likelihood(nothing, model=cf.SingletEFT(m_chi=10.0), parameters=("C_S",))
    plain = cf.Likelihood(CSI.replace(backgrounds=()), model=cf.SingletEFT(m_chi=10.0), parameters=("C_S",))
    assert fit([0.02]) == pytest.approx(plain([0.02]), rel=1e-12)
    assert fit.hessian([0.02]) == pytest.approx(plain.hessian([0.02]), rel=1e-9)


def test_scans_and_limits_know_free_backgrounds():
    x = np.linspace(-0.05, 0.05, 5)
    scan = cf.correlation_scan(UNKNOWN, cf.SingletEFT(m_chi=10.0), ("C_S", "a_M"), x, x / 100)
    fit = cf.Likelihood(UNKNOWN, model=cf.SingletEFT(m_chi=10.0), parameters=("C_S", "a_M"))
    assert scan.chi2[4, 1] == pytest.approx(fit([x[4], x[1] / 100]), rel=1e-12)
    limit = cf.limit_scan(UNKNOWN, [cf.SingletEFT(m_chi=10.0)], "C_S", cl=0.9)
    tight = cf.limit_scan(KNOWN, [cf.SingletEFT(m_chi=10.0)], "C_S", cl=0.9)
    assert limit.upper[0] > tight.upper[0]


REFUSED = {
    "negative": (lambda: cf.ScaleNuisance("a", -0.1), "must be a finite number >"),
    "log-normal without size": (lambda: cf.ScaleNuisance("a", math.inf, constraint="log-normal"), "must be finite"),
    "free with size": (lambda: cf.ScaleNuisance("a", 0.1, constraint="free"), "must be inf"),
    "unknown constraint": (lambda: cf.ScaleNuisance("a", 0.1, constraint="gamma"), "constraint"),
    "by experiment, and others": (lambda: cf.ScaleNuisance("a", {"x": 0.1}, ("y",)), "by experiment"),
    "unknown background": (
        lambda: cf.Likelihood(CSI, nuisances=[cf.ScaleNuisance("a", 0.1, on="dust")]), "on, of 'a'",
    ),
    "asymmetric to nothing": (lambda: cf.AsymmetricNuisance("a", 0.1, -1.0), "must be > -1"),
    "shape of bins": (
        lambda: cf.Likelihood(CSI, nuisances=[cf.BackgroundShape("a", NEUTRONS.name, [1.0, 2.0])]), "has shape",
    ),
    "shape of the signal": (lambda: cf.BackgroundShape("a", "signal", [1.0]), "ShapeNuisance"),
    "not symmetric": (lambda: cf.CovarianceMatrix("a", [[1.0, 0.5], [0.0, 1.0]]), "symmetric"),
    "not positive": (lambda: cf.CovarianceMatrix("a", [[1.0, 2.0], [2.0, 1.0]]), "eigenvalue -1"),
    "singular": (lambda: cf.CovarianceMatrix("a", np.ones((2, 2)), of="data"), "must be > 0"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case):
    make, text = REFUSED[case]
    with pytest.raises(ValueError, match=text):
        make()
