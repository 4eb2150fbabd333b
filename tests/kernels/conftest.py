"""Counts as polynomials in couplings, made up, and their χ² in long double."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def counts_in_bins():
    """A function that makes terms, data, powers and units of couplings."""
    return make_counts


@pytest.fixture(scope="session")
def long_double_chi2():
    """A function that gives χ² at points."""
    return chi2


def make_counts(seed, systems=1, couplings=2, bins=9, fixed=False, interference=0.9):
    """Data and terms constant + Σ_ij ρ_ij z_i z_j f_i f_j in each bin, as in nature; fixed: another coupling is on."""
    rng = np.random.default_rng(seed)
    sizes = np.append(10.0 ** rng.uniform(-1, 3, couplings), 1.0)  # couplings differ in unit by four decades
    pairs = [(i, j) for i in range(couplings + fixed) for j in range(i + 1)]
    powers = {tuple(int(c == i) + int(c == j) for c in range(couplings)) for i, j in pairs} | {(0,) * couplings}
    powers = sorted(powers, key=lambda p: -p[-1])
    terms = np.zeros((systems, len(powers), bins))
    for system in range(systems):
        amplitudes = (rng.normal(size=(couplings + 1, bins)) + 2.0) * sizes[:, None]
        terms[system, powers.index((0,) * couplings)] = rng.uniform(1, 4, bins)
        for i, j in pairs:
            power = powers.index(tuple(int(c == i) + int(c == j) for c in range(couplings)))
            terms[system, power] += (1 if i == j else 2 * interference) * amplitudes[i] * amplitudes[j]
    data = terms[:, powers.index((0,) * couplings)] * rng.uniform(0.5, 1.6, (systems, bins))
    return terms, data, np.array(powers), 1 / sizes[:couplings]


def chi2(terms, data, powers, variances, z, dtype=np.longdouble):
    """χ² at points z[n, couplings], straight from its definition."""
    monomials = np.prod(np.asarray(z, dtype=dtype)[:, None] ** powers, axis=2)
    total = np.zeros(len(z), dtype=dtype)
    for of_system, d, variance in zip(terms, data.astype(dtype), variances, strict=True):
        n, v = monomials @ of_system.astype(dtype), dtype(variance)
        s = (v * (n @ d) + 1) / (v * np.sum(n * n, axis=1) + 1)
        total += np.sum((d - s[:, None] * n) ** 2, axis=1)
        if variance > 0:
            total += (s - 1) ** 2 / v
    return total
