"""Fitters and samplers, the real packages, on our likelihood; each agrees with a number found another way."""

import importlib.util
import inspect
import pickle
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from cases import quick_are
from scipy.optimize import minimize

import cevns_fast as cf
from cevns_fast.interop import fitters

EXAMPLES = Path(__file__).parents[2] / "examples"

# pyhf 0.7 checks workspaces with a part of jsonschema that will go.
pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver is deprecated:DeprecationWarning")


def package(name):
    """A package, or the test is skipped with a reason; what it says of its own future does not matter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, reason=f"{name} is not installed: pip install 'cevns_fast[fit]'")


@pytest.fixture(scope="module")
def pair():
    """CsI and LAr that share a flux uncertainty."""
    csi = cf.load("coherent-csi-2017").replace(signal_uncertainty=0.26)
    lar = cf.load("coherent-lar-610kg").replace(signal_uncertainty=0.14)
    return (csi, lar), cf.ScaleNuisance("SNS flux", 0.10)


@pytest.fixture(scope="module")
def joint(pair):
    """Four kinds of parameters: a mass, couplings, a nuisance with a space in its name."""
    experiments, flux = pair
    return cf.Likelihood(
        experiments, nuisances=[flux], model=cf.SingletEFT, parameters=("m_chi", "C_V", "a_M", "SNS flux")
    )


@pytest.fixture(scope="module")
def excess(csi):
    """CsI as if it had seen more than it expects, so that the best fit is off zero."""
    return csi.replace(exposure=0.6 * csi.exposure, signal_uncertainty=0.1)


@pytest.fixture(scope="module")
def small(excess):
    """A coupling and a nuisance that the data correlate."""
    return cf.Likelihood(excess, model=cf.SingletEFT(20.0), parameters=("C_V", "alpha"), bounds={"C_V": (0.0, 0.3)})


def grid_of(fit, x, y):
    """χ² on a grid of two parameters."""
    points = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)
    return fit.batch(points).reshape(x.size, y.size)


def difference(f, x, i, h):
    """Central difference."""
    step = np.zeros(len(x))
    step[i] = h
    return (f(*(x + step)) - f(*(x - step))) / (2 * h)


# -- iminuit ---------------------------------------------------------------------------------------------


def test_minuit_knows_names_limits_and_gradient(joint):
    iminuit = package("iminuit")
    cost = cf.minuit_cost(joint)
    assert isinstance(cost, package("iminuit.cost").Cost)
    assert cost.errordef == iminuit.Minuit.LEAST_SQUARES
    assert cost.ndata == 12 + 40 + 1, "bins, and the constraint of the flux"
    minuit = iminuit.Minuit(cost, **{p.name: p.default for p in joint.parameters})
    assert minuit.parameters == ("m_chi", "C_V", "a_M", "SNS flux")
    assert minuit.limits["m_chi"] == (joint.parameters[0].lower, joint.parameters[0].upper)
    assert minuit.limits["C_V"] == (-np.inf, np.inf)
    theta = [20.0, 0.05, 2e-4, 0.3]
    assert cost(*theta) == joint(theta)
    assert np.array_equal(cost.grad(*theta), joint.gradient(theta))
    assert minuit.grad is not None


def test_minuit_and_its_errors(small):
    iminuit = package("iminuit")
    minuit = iminuit.Minuit(cf.minuit_cost(small), *cf.starting_points(small, 1, seed=2)[0])
    minuit.migrad()
    minuit.minos()
    assert minuit.valid and minuit.values["C_V"] > 0.02
    assert minuit.ngrad > 0
    C, alpha = np.linspace(0.0, 0.3, 3001), np.linspace(-4, 4, 801)
    chi2 = grid_of(small, C, alpha)
    assert minuit.fval == pytest.approx(chi2.min(), abs=1e-4)
    for name, axis, profile in (("C_V", C, chi2.min(axis=1)), ("alpha", alpha, chi2.min(axis=0))):
        best, error = minuit.values[name], minuit.merrors[name]
        inside = axis[profile <= minuit.fval + 1]
        assert [best + error.lower, best + error.upper] == pytest.approx([inside[0], inside[-1]], abs=axis[2] - axis[0])


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.0, np.inf), (-np.inf, 0.0), (-1.0, 0.0), (0.02, 1.0)])
@pytest.mark.parametrize("parameters", [("C_V",), ("m_chi", "C_V", "alpha")])
def test_minuit_at_a_bound_is_warned_of(csi, bounds, parameters):
    """HESSE's error of C_V is 0.75 and more there, with limits on a stretched parameter, and MINOS ends at zero."""
    package("iminuit")
    model = cf.SingletEFT if "m_chi" in parameters else cf.SingletEFT(20.0)
    fit = cf.Likelihood(csi, model=model, parameters=parameters, bounds={"C_V": bounds})
    with pytest.warns(fitters.BoundWarning, match=r"C_V = .*: is at its bounds .*give it both signs"):
        cf.minuit_cost(fit)


def test_minuit_with_both_signs(csi, excess):
    """The interval without bounds, with bounds far away, and with one at zero that the data keep away from."""
    iminuit = package("iminuit")
    grid = np.linspace(-0.3, 0.3, 60_001)
    for bounds in ({}, {"C_V": (-1.0, 1.0)}):
        fit = cf.Likelihood(csi, model=cf.SingletEFT(20.0), parameters=("C_V",), bounds=bounds)
        minuit = iminuit.Minuit(cf.minuit_cost(fit), C_V=0.05)
        minuit.migrad()
        minuit.minos()
        chi2 = fit.batch(grid[:, None])
        error, inside = minuit.merrors["C_V"], grid[chi2 <= chi2.min() + 1]
        found = [minuit.values["C_V"] + error.lower, minuit.values["C_V"] + error.upper]
        assert error.is_valid and found == pytest.approx([inside[0], inside[-1]], abs=1e-4)
    away = cf.Likelihood(excess, model=cf.SingletEFT(20.0), parameters=("C_V",), bounds={"C_V": (0.0, 0.3)})
    cf.minuit_cost(away)  # no warning, which would be an error


def test_minuit_sums(joint):
    package("iminuit")
    cost_functions = package("iminuit.cost")
    x, y = np.array([0.0, 1.0]), np.array([0.1, 0.1])

    def line(x, C_V, slope):
        return C_V + slope * x

    def line_gradient(x, C_V, slope):
        return np.array([np.ones_like(x), x])

    data = cost_functions.LeastSquares(x, y, 0.05, line, grad=line_gradient)
    total = (
        cf.minuit_cost(joint) + cost_functions.NormalConstraint("a_M", 1e-4, 2e-5) + data + cost_functions.Constant(3.0)
    )
    minuit = package("iminuit").Minuit(total, m_chi=20.0, C_V=0.05, a_M=1e-4, slope=0.0, **{"SNS flux": 0.0})
    values = dict(zip(minuit.parameters, (20.0, 0.04, 1.2e-4, 0.3, 0.1), strict=True))
    expected = joint([values[p.name] for p in joint.parameters]) + 3.0 + ((values["a_M"] - 1e-4) / 2e-5) ** 2
    expected += np.sum(((y - line(x, values["C_V"], values["slope"])) / 0.05) ** 2)
    at = np.array(list(values.values()))
    assert total(*at) == pytest.approx(expected, rel=1e-14)
    assert total.has_grad
    for i, name in enumerate(values):
        h = 1e-5 * (1e-3 if name == "a_M" else 1.0)
        assert total.grad(*at)[i] == pytest.approx(difference(total, at, i, h), rel=1e-5, abs=1e-6)
    minuit.fixed["m_chi"] = True
    assert minuit.migrad().valid
    assert minuit.limits["m_chi"][0] == 0.0, "limits survive the sum"


def test_minuit_cost_pickles(joint):
    package("iminuit")
    theta = [20.0, 0.05, 2e-4, 0.3]
    assert pickle.loads(pickle.dumps(cf.minuit_cost(joint)))(*theta) == joint(theta)


# -- scipy -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method", quick_are(fitters._METHODS, *[i for i, name in enumerate(fitters._METHODS) if name != "COBYLA"])
)
def test_scipy_methods(small, method):
    if method == "COBYQA":
        pytest.importorskip("scipy", "1.14", reason="scipy before 1.14 has no COBYQA")
    free = cf.Likelihood(small.experiments, model=cf.SingletEFT(20.0), parameters=("C_V", "alpha"))
    least = grid_of(small, np.linspace(0.0, 0.3, 601), np.linspace(-3, 3, 601)).min()
    for fit in [small, free] if "b" in fitters._METHODS[method] else [free]:
        problem = cf.scipy_problem(fit, method)
        assert ("hess" in problem) == ("h" in fitters._METHODS[method])
        assert problem.get("jac", False) == ("g" in fitters._METHODS[method])
        best = minimize(**problem)
        assert best.fun == pytest.approx(least, abs=1e-2 if method == "COBYLA" else 2e-3)
        assert abs(best.x[0]) > 0.02 and fit(best.x) == pytest.approx(best.fun)


def test_scipy_start_is_taken(small):
    assert cf.scipy_problem(small, start=[0.1, 0.2])["x0"].tolist() == [0.1, 0.2]
    with pytest.raises(ValueError, match="start: has 3 entries, must have 2"):
        cf.scipy_problem(small, start=[0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="method = 'Newton': did you mean 'Newton-CG'"):
        cf.scipy_problem(small, "Newton")


# -- where to begin --------------------------------------------------------------------------------------


def test_starting_points(joint):
    points = cf.starting_points(joint, 200, seed=3)
    assert np.array_equal(points, cf.starting_points(joint, 200, seed=3))
    assert not np.array_equal(points, cf.starting_points(joint, 200, seed=4))
    assert np.isfinite(joint.batch(points)).all()
    excess = joint.batch(points) - joint([p.default for p in joint.parameters])
    assert 0.1 < np.median(excess) < 100, "as wide as the data resolve"
    assert np.linalg.matrix_rank(points - points.mean(axis=0)) == 4


def test_starting_points_at_the_edge(csi):
    fit = cf.Likelihood(
        csi, model=cf.SingletEFT(20.0), parameters=("C_V", "a_M"), bounds={"C_V": (0.0, np.inf), "a_M": (1e-4, 1.1e-4)}
    )
    points = cf.starting_points(fit, 50, seed=1)
    assert (points[:, 0] >= 0).all() and (points[:, 1] >= 1e-4).all() and (points[:, 1] <= 1.1e-4).all()
    assert points[:, 0].std() > 0.01


# -- emcee -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chain(small):
    emcee = package("emcee")
    np.random.seed(5)  # noqa: NPY002  emcee's own
    sampler = emcee.EnsembleSampler(32, 2, small.log_likelihood, vectorize=True)
    sampler.run_mcmc(cf.starting_points(small, 32, seed=5), 4000, skip_initial_state_check=False)
    return sampler


@pytest.fixture(scope="module")
def posterior(small):
    """Means, standard deviations and evidence, from a grid: ∫ L dC_V/0.3 dα, in which χ² has α's constraint."""
    axes = C, alpha = np.linspace(0.0, 0.3, 601), np.linspace(-8, 8, 801)
    weight = np.exp(-0.5 * grid_of(small, C, alpha))
    evidence = np.trapezoid(np.trapezoid(weight, alpha), C / 0.3) / np.sqrt(2 * np.pi)
    marginal = [weight.sum(axis=1 - i) / weight.sum() for i in range(2)]
    mean = np.array([p @ x for p, x in zip(marginal, axes, strict=True)])
    square = np.array([p @ x**2 for p, x in zip(marginal, axes, strict=True)])
    return mean, np.sqrt(square - mean**2), np.log(evidence)


def test_emcee_agrees_with_a_grid(posterior, chain):
    samples = chain.get_chain(discard=500, flat=True)
    mean, deviation, _ = posterior
    tau = chain.get_autocorr_time(discard=500)
    error = samples.std(axis=0) * np.sqrt(tau / len(samples))
    assert (error < 0.03 * samples.std(axis=0)).all()
    assert (np.abs(samples.mean(axis=0) - mean) < 4 * error).all()
    assert samples.std(axis=0) == pytest.approx(deviation, rel=0.05)


# -- nested samplers -------------------------------------------------------------------------------------


def test_prior_transform(joint):
    prior = cf.prior_transform(joint, {"C_V": (-0.2, 0.1), "a_M": (0.0, 1e-3)})
    assert prior.names == ("m_chi", "C_V", "a_M", "SNS flux")
    high = joint.parameters[0].upper
    assert prior([0.0, 0.0, 0.0, 0.5]).tolist() == [0.0, -0.2, 0.0, 0.0]
    assert prior([1.0, 1.0, 1.0, 0.5]).tolist() == [high, 0.1, 1e-3, 0.0]
    cube = np.random.default_rng(1).random((5, 7, 4))
    assert np.array_equal(prior(cube)[2, 3], prior(cube[2, 3]))
    assert prior(cube).shape == (5, 7, 4)
    assert prior([0.5, 0.5, 0.5, 0.8413447460685429])[3] == pytest.approx(1.0)
    theta = prior(cube[0])
    assert prior.log_likelihood(theta) == pytest.approx(joint.log_likelihood(theta) + theta[:, 3] ** 2 / 2)
    assert prior.log_likelihood(theta[0]) == prior.log_likelihood(theta)[0]
    assert prior.log_likelihood([-1.0, 0.0, 0.0, 0.0]) == -1e300, "finite, as samplers demand"
    # pickle would look for what has no module in all that are loaded, some of which warn
    assert all(getattr(each, "__module__", None) for each in prior.quantiles)
    assert np.array_equal(pickle.loads(pickle.dumps(prior))(cube), prior(cube))


def test_other_priors(small):
    from scipy.stats import truncnorm

    prior = cf.prior_transform(small, {"C_V": truncnorm(0, 2.5, scale=0.1), "alpha": lambda u: 4 * u - 2})
    assert prior([0.0, 0.75]).tolist() == [0.0, 1.0]
    assert prior.log_likelihood([0.1, 1.0]) == small.log_likelihood([0.1, 1.0]), "the constraint stays in ln L"


def test_refused_priors(joint, small):
    with pytest.raises(ValueError, match=r"C_V: has no finite bounds; pass priors=\{'C_V': \(low, high\)\}"):
        cf.prior_transform(joint)
    with pytest.raises(ValueError, match="priors = 'C_v': did you mean 'C_V'"):
        cf.prior_transform(small, {"C_v": (0, 1)})
    with pytest.raises(ValueError, match=r"prior of C_V: reaches from 0 to 0.5, must stay within its bounds 0, 0.3"):
        cf.prior_transform(small, {"C_V": (0.0, 0.5)})
    with pytest.raises(ValueError, match="prior of C_V"):
        cf.prior_transform(small, {"C_V": (0.2, 0.1)})


@pytest.mark.slow
def test_dynesty_finds_the_evidence(small, posterior):
    dynesty = package("dynesty")
    prior = cf.prior_transform(small)
    sampler = dynesty.NestedSampler(prior.log_likelihood, prior, ndim=2, nlive=400, rstate=np.random.default_rng(7))
    sampler.run_nested(print_progress=False, dlogz=0.01)
    assert sampler.results.logz[-1] == pytest.approx(posterior[2], abs=4 * sampler.results.logzerr[-1])
    assert sampler.results.logzerr[-1] < 0.15


@pytest.mark.slow
def test_ultranest_agrees_with_a_grid(small, posterior):
    ultranest = package("ultranest")
    np.random.seed(7)  # noqa: NPY002  UltraNest's own
    prior = cf.prior_transform(small)
    sampler = ultranest.ReactiveNestedSampler(list(prior.names), prior.log_likelihood, prior, vectorized=True)
    result = sampler.run(show_status=False, viz_callback=None, min_num_live_points=400)
    assert result["logz"] == pytest.approx(posterior[2], abs=4 * result["logzerr"])
    assert result["logzerr"] < 0.3
    assert result["posterior"]["stdev"] == pytest.approx(posterior[1], rel=0.1)


# -- pyhf ------------------------------------------------------------------------------------------------


def pyhf_setup(experiments, nuisances=(), normsys="code4"):
    """Our Poisson likelihood with every nuisance a parameter, and pyhf's of the same experiments."""
    pyhf = package("pyhf")
    units = {"C_S": 0.01, "a_M": 1e-4, "C_T": 0.01}
    workspace = cf.pyhf_workspace(experiments, cf.SingletEFT(20.0), units, nuisances=nuisances)
    pyhf.schema.validate(workspace, "workspace.json")
    opened = pyhf.Workspace(workspace)
    codes = {"normsys": {"interpcode": normsys}, "histosys": {"interpcode": "code4p"}}
    model = opened.model(modifier_settings=codes)
    names = cf.Likelihood(experiments, nuisances=nuisances).nuisance_names
    ours = cf.Likelihood(
        experiments,
        statistic="poisson",
        nuisances=nuisances,
        model=cf.SingletEFT(20.0),
        parameters=(*units, *names),
    )
    return workspace, model, np.array(opened.data(model)), ours


def steady_state(workspace, model, data, pars):
    """The steady state that maximises the likelihood bin by bin: n/(s + b γ) b + m/γ = b + m, m off counts."""
    for channel in workspace["channels"]:
        sample = channel["samples"][-1]
        if not sample["modifiers"]:
            continue
        where = model.config.par_map[sample["modifiers"][0]["name"]]["slice"]
        b, u = np.array(sample["data"]), np.array(sample["modifiers"][0]["data"])
        m, n = (b / u) ** 2, np.array(data[model.config.channel_slices[channel["name"]]])
        pars[where] = 1.0
        s = model.expected_actualdata(pars)[model.config.channel_slices[channel["name"]]] - b
        p, q = s * (b + m) - b * (n + m), m * s
        pars[where] = (-p + np.sqrt(p**2 + 4 * b * (b + m) * q)) / (2 * b * (b + m))
    return pars


def pyhf_chi2(workspace, model, data, theta, names):
    """−2 ln L of pyhf at couplings and nuisances."""
    pars = np.array(model.config.suggested_init())
    values = dict(zip(names, theta, strict=True))
    couplings = {name: values.pop(name) for name in ("C_S", "a_M", "C_T")}
    for name, value in {**cf.pyhf_parameters(workspace, couplings), **values}.items():
        is_free = model.config.par_map[name]["paramset"].__class__.__name__ == "unconstrained" and name in names
        pars[model.config.par_map[name]["slice"]] = 1 + value if is_free else value
    pars = steady_state(workspace, model, data, pars)
    return -2 * float(model.logpdf(pars, data)[0]), pars


def shape(csi):
    thick, thin = (csi.replace(form_factor=cf.HelmFormFactor(skin=s)) for s in (1.1, 0.7))
    return cf.ShapeNuisance("nuclear skin", up=(thick,), down=(thin,))


@pytest.mark.parametrize(
    "case", ["csi", "joint", "standard model", "known background", "shape", "log-normal", "background", "free"]
)
def test_pyhf_is_the_same_function(pair, csi, case):
    experiments, nuisances = csi, []
    if case == "joint":
        experiments, nuisances = pair[0], [pair[1]]
    elif case == "standard model":
        experiments = csi.replace(signal_uncertainty_on="standard_model")
    elif case == "known background":
        experiments = csi.replace(steady_state_weight=1.0)
    elif case == "shape":
        nuisances = [shape(csi)]
    elif case == "log-normal":
        nuisances = [cf.ScaleNuisance("scale", 0.3, constraint="log-normal"), shape(csi)]
    elif case == "background":
        b = csi.backgrounds[0]
        nuisances = [
            cf.AsymmetricNuisance("neutrons", 0.4, -0.2, on=b.name),
            cf.AsymmetricNuisance("quenching", -0.1, 0.25),
            cf.BackgroundShape("spectrum", b.name, up=1.2 * b.counts + 0.3, down=0.9 * b.counts),
        ]
    elif case == "free":
        experiments = csi.replace(backgrounds=(cf.Background("n", csi.backgrounds[0].counts, float("inf")),))
    normsys = "code1" if case == "log-normal" else "code4"
    workspace, model, data, ours = pyhf_setup(experiments, nuisances, normsys)
    names = [p.name for p in ours.parameters]
    random = np.random.default_rng(1)
    thetas = random.normal(size=(20, len(names))) * [0.01, 1e-4, 0.01, *[0.8] * (len(names) - 3)]
    thetas[0] = 0.0
    found = np.array([pyhf_chi2(workspace, model, data, theta, names)[0] for theta in thetas])
    expected = ours.batch(thetas)
    assert np.ptp(expected) > 10
    assert found - found[0] == pytest.approx(expected - expected[0], rel=1e-10, abs=1e-9)


def test_pyhf_fits_the_same_profile(csi):
    pyhf = package("pyhf")
    workspace, model, data, ours = pyhf_setup(csi)
    profiled = cf.Likelihood(csi, statistic="poisson", model=cf.SingletEFT(20.0), parameters=("C_S", "a_M", "C_T"))
    names = [p.name for p in ours.parameters]
    found, expected = [], []
    for couplings in ([0.0, 0.0, 0.0], [0.02, 1e-4, 0.01], [-0.01, 3e-4, 0.0]):
        pars = pyhf_chi2(workspace, model, data, [*couplings, *[0.0] * (len(names) - 3)], names)[1]
        normfactors = cf.pyhf_parameters(workspace, {})
        fixed = [name.split("[")[0] in normfactors for name in model.config.par_names]
        _, value = pyhf.infer.mle.fit(
            data, model, init_pars=pars.tolist(), fixed_params=fixed, return_fitted_val=True, tolerance=1e-12
        )
        found.append(float(value))
        expected.append(profiled(couplings))
    assert np.diff(found) == pytest.approx(np.diff(expected), abs=2e-5)


def test_pyhf_refusals(csi):
    with pytest.raises(ValueError, match="couplings = 'C_S': must be names"):
        cf.pyhf_workspace(csi, cf.SingletEFT(20.0), "C_S")
    with pytest.raises(ValueError, match="unit of C_S = 0"):
        cf.pyhf_workspace(csi, cf.SingletEFT(20.0), {"C_S": 0.0})
    empty = csi.replace(steady_state=[0.0, *[10.0] * 11])
    with pytest.raises(ValueError, match="coherent-csi-2017: off counts of bin 0 = 0"):
        cf.pyhf_workspace(empty, cf.SingletEFT(20.0), ("C_S",))
    with pytest.raises(ValueError, match="CovarianceMatrix 'c': a HistFactory workspace has no errors"):
        cf.pyhf_workspace(csi, cf.SingletEFT(20.0), ("C_S",), nuisances=[cf.CovarianceMatrix("c", np.eye(12))])
    with pytest.raises(
        ValueError, match="ScaleNuisance 'free' is free, and the signal_uncertainty of coherent-csi-2017"
    ):
        cf.pyhf_workspace(csi, cf.SingletEFT(20.0), ("C_S",), nuisances=[cf.ScaleNuisance("free", float("inf"))])
    workspace = cf.pyhf_workspace(csi, cf.SingletEFT(20.0), ("C_S",))
    assert workspace["measurements"][0]["config"]["poi"] == "C_S^2"
    with pytest.raises(ValueError, match="coupling = 'C_s': did you mean 'C_S'"):
        cf.pyhf_parameters(workspace, {"C_s": 0.0})


# -- ArviZ -----------------------------------------------------------------------------------------------


def test_inference_data(small, chain, tmp_path):
    arviz = package("arviz")
    samples = chain.get_chain(discard=500).swapaxes(0, 1)
    data = cf.to_inference_data(small, samples, chain.get_log_prob(discard=500).swapaxes(0, 1))
    posterior = data.posterior
    assert list(posterior.data_vars) == ["C_V", "alpha"]
    assert np.array_equal(posterior["alpha"].values, samples[..., 1])
    assert posterior["alpha"].attrs == {"units": "σ", "long_name": "nuisance alpha"}
    assert posterior["C_V"].attrs["units"] == "1"
    assert posterior.attrs["experiments"] == "coherent-csi-2017"
    assert "1708.01294" in posterior.attrs["citations"]
    assert np.array_equal(data.sample_stats["lp"], cf.to_inference_data(small, samples).sample_stats["lp"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ArviZ with the newest numpy and xarray
        summary = arviz.summary(data)
        data.to_netcdf(str(tmp_path / "chain.nc"))
        again = arviz.from_netcdf(str(tmp_path / "chain.nc"))
    assert summary.loc["C_V", "r_hat"] < 1.02
    assert np.array_equal(again.posterior["C_V"], posterior["C_V"])


def test_inference_data_of_the_next_arviz(small, monkeypatch):
    """ArviZ 1 has xarray's DataTree instead of a class of its own."""
    monkeypatch.delattr(package("arviz"), "InferenceData", raising=False)
    data = cf.to_inference_data(small, cf.starting_points(small, 8, seed=1).reshape(2, 4, 2))
    assert type(data).__name__ == "DataTree"
    assert data.posterior["C_V"].shape == data.sample_stats["lp"].shape == (2, 4)


def test_inference_data_of_wrong_shape(small):
    with pytest.raises(ValueError, match=r"samples: has shape \(3, 2\), must be \(chain, draw, 2\)"):
        cf.to_inference_data(small, np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"log_likelihood: has shape \(3,\), must be \(4, 5\)"):
        cf.to_inference_data(small, np.zeros((4, 5, 2)), np.zeros(3))


# -- all -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", ["minuit_cost", "scipy_problem", "prior_transform"])
def test_a_likelihood_without_model_is_refused(csi, function):
    with pytest.raises(ValueError, match=r"fit = .*: must be a Likelihood with model= and parameters="):
        getattr(cf, function)(cf.Likelihood(csi))


@pytest.mark.parametrize(
    "module, call",
    [
        ("iminuit", lambda fit: cf.minuit_cost(fit)),
        ("arviz", lambda fit: cf.to_inference_data(fit, np.zeros((1, 1, 2)))),
    ],
    ids=["iminuit", "arviz"],
)
def test_a_missing_package_names_the_extra(small, monkeypatch, module, call):
    monkeypatch.setitem(sys.modules, module, None)
    for name in [name for name in sys.modules if name.startswith(f"{module}.")] + ["cevns_fast.interop.minuit"]:
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(ImportError, match=rf"needs {module}: pip install 'cevns_fast\[fit\]'"):
        call(small)


def test_adapters_import_nothing_of_others():
    source = inspect.getsource(fitters)
    head = source[: source.index("def minuit_cost")]
    assert not any(name in head for name in ("import iminuit", "import arviz", "import scipy", "from scipy"))


@pytest.mark.slow
def test_global_fit(tmp_path, monkeypatch, capsys):
    """Minuit and emcee find the 90% regions of a grid. This is the only run of this example: it takes seconds."""
    monkeypatch.chdir(tmp_path)
    package("emcee")
    package("iminuit")
    script = EXAMPLES / "global_fit.py"
    assert script.read_text(encoding="utf-8").endswith('if __name__ == "__main__":\n    main()\n')
    spec = importlib.util.spec_from_file_location("global_fit", script)
    example = importlib.util.module_from_spec(spec)
    sys.modules["global_fit"] = example
    spec.loader.exec_module(example)
    found = example.main()
    assert capsys.readouterr().out
    assert found["likelihood region, Minuit"] == pytest.approx(found["likelihood region, grid"], rel=0.01)
    assert found["credible region, emcee"] == pytest.approx(found["credible region, grid"], rel=0.01)
    assert found["samples in the grid's credible region"] == pytest.approx(0.90, abs=0.009)
    assert found["independent samples"] > 20_000, "an area is then known to 0.4%"
    assert found["chi2"] < 2.846, "no more than without new physics"
