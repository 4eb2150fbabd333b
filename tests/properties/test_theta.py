"""Vectors of parameters: wrong ones are refused by every function of them, impossible ones by none."""

import warnings

import numpy as np
import pytest

import cevns_fast as cf


@pytest.fixture(scope="module")
def fit():
    return cf.Likelihood(
        cf.load("coherent-csi-2017"), model=cf.SingletEFT, parameters=("m_chi", "C_V", "alpha"),
        bounds={"m_chi": (1.0, 50.0)},
    )  # fmt: skip


ONE = ("__call__", "log_likelihood", "gradient", "hessian", "value_and_gradient", "pulls", "counts")
WRONG = {
    "too few": [1.0, 0.1],
    "too many": [1.0, 0.1, 0.2, 0.3],
    "none": [],
    "a number": 1.0,
    "three axes": np.zeros((1, 1, 3)),
    "nested": [[1.0], 0.1, 0.2],
    "ragged": [[1.0, 0.1, 0.2], [1.0]],
    "words": ["1.0", "0.1", "0.2"],
    "nothing": None,
    "nothing inside": [1.0, None, 0.2],
    "complex": [1.0, 0.1j, 0.2],
    "beyond floats": [1.0, 10**400, 0.2],
    "a mapping": {"m_chi": 1.0, "C_V": 0.1, "alpha": 0.2},
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("function", [*ONE, "batch"])
def test_wrong_vectors_are_refused(fit, function, wrong):
    with pytest.raises(ValueError, match=r"theta.*: (has shape|must be)"):
        getattr(fit, function)(WRONG[wrong])


def test_many_vectors_of_a_wrong_length_are_refused(fit):
    for function in (fit.log_likelihood, fit.batch):
        for n in (2, 4):
            with pytest.raises(ValueError, match="thetas: has shape"):
                function(np.zeros((5, n)))
    assert fit.batch(np.empty((0, 3))).shape == (0,)


IMPOSSIBLE = [
    [0.5, 0.0, 0.0], [50.1, 0.0, 0.0], [np.nan, 0.0, 0.0], [10.0, np.nan, 0.0], [10.0, 0.0, np.nan],
    [np.inf, 0.0, 0.0], [10.0, np.inf, 0.0], [10.0, -np.inf, np.inf], [10.0, 1e300, 1e300], [10.0, 0.0, 1e308],
]  # fmt: skip


@pytest.mark.parametrize("theta", IMPOSSIBLE, ids=str)
@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_nothing_is_raised_out_of_bounds(fit, theta, kind):
    theta = kind(theta)
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        assert fit(theta) == np.inf
        assert fit.log_likelihood(theta) == -np.inf
        assert fit.batch([theta]).tolist() == [np.inf]
        assert np.isnan(fit.gradient(theta)).all() and np.isnan(fit.hessian(theta)).all()
        assert fit.value_and_gradient(theta)[0] == np.inf


@pytest.mark.parametrize("theta", IMPOSSIBLE, ids=str)
def test_samplers_get_finite_numbers(fit, theta):
    prior = cf.prior_transform(fit, {"C_V": (-1.0, 1.0)})
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error")
        assert prior.log_likelihood(theta) == -1e300
        assert prior.log_likelihood([theta, [10.0, 0.0, 0.0]]).tolist() == [
            -1e300,
            fit.log_likelihood([10.0, 0.0, 0.0]),
        ]
    with pytest.raises(ValueError, match="theta: has shape"):
        prior.log_likelihood(theta[:2])
    with pytest.raises(ValueError, match=r"cube: has shape \(2,\), must be \(..., 3\)"):
        prior([0.5, 0.5])


@pytest.mark.parametrize("value", [np.nan, "0.1", None, np.inf, 1j, [0.1]])
def test_fixed_parameters_are_numbers(fit, value):
    with pytest.raises(ValueError, match="C_V = "):
        cf.best_fit(fit, fixed={"C_V": value})


@pytest.mark.parametrize("counts", [[np.zeros(11)], [np.zeros(12)] * 2, [], [np.full(12, np.nan)], [np.zeros((2, 12))]])
def test_counts_of_a_wrong_shape_are_refused(csi, counts):
    with pytest.raises(ValueError, match="counts"):
        cf.Likelihood(csi).nuisances_of_counts(counts)


def test_a_table_that_would_not_fit_is_refused(bare):
    """Thousands of bins, each with kinks of its own in the mass: gigabytes of coefficients, and a MemoryError."""
    many = bare(tuple(np.linspace(1.0, 40.0, 4001).tolist()))
    with pytest.raises(ValueError, match=r"parameters: 4000 bins of .* kinks from .* GiB; must be fewer bins"):
        cf.Likelihood(many, model=cf.SingletEFT, parameters=("m_chi", "C_V"))([10.0, 0.1])
