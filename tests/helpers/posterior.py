"""A posterior of two parameters by summing over a grid, for samplers to agree with."""

import numpy as np
import pytest

import cevns_fast as cf

BOUNDS = {"C_V": (-0.3, 0.3), "alpha": (-2.0, 3.0)}


def small_fit():
    """A coupling and a nuisance that CsI's data correlate; ln L is even in the coupling."""
    excess = cf.load("coherent-csi-2017")
    excess = excess.replace(exposure=0.6 * excess.exposure, signal_uncertainty=0.1)
    return cf.Likelihood(excess, model=cf.SingletEFT(20.0), parameters=("C_V", "alpha"), bounds=BOUNDS)


def moments(fit):
    """Means and variances of |C_V| and alpha, with flat priors within the bounds."""
    axes = [low + (high - low) * (np.arange(400) + 0.5) / 400 for low, high in BOUNDS.values()]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    weights = np.exp(fit.log_likelihood(points) - fit.log_likelihood(points).max())
    values = np.abs(points) * [1, 0] + points * [0, 1]
    mean = weights @ values / weights.sum()
    return mean, weights @ (values - mean) ** 2 / weights.sum()


def agrees(samples, fit, effective):
    """Whether samples [n, 2], of which so many are independent, have the moments, within four standard errors."""
    mean, variance = moments(fit)
    values = np.abs(samples) * [1, 0] + samples * [0, 1]
    assert (np.abs(values.mean(axis=0) - mean) < 4 * np.sqrt(variance / effective)).all()
    assert values.var(axis=0) == pytest.approx(variance, rel=4 * np.sqrt(4 / effective))
