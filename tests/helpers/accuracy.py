"""The criterion by which the fast path is held to the slow twin, and the comparison of small numbers."""

import math

import numpy as np
import pytest
from stored import stored

import cevns_fast as cf
from cevns_fast.reference.rates import contributions


def approx(expected, rel=1e-6, abs=0.0):
    """pytest.approx without its absolute tolerance of 1e-12, which would pass anything as small as a cross section."""
    return pytest.approx(expected, rel=rel, abs=abs)


def error(experiment, interaction, standard_model=True):
    """The largest error of the fast path over the bins, in units of what docs/validation.md allows.

    |fast − slow| ≤ 1e-10 of the sum of the absolute values of a bin's terms, with a floor of 1e-12 of the largest bin.
    """
    fast = cf.event_rate(experiment, interaction, standard_model=standard_model)
    slow, terms = slow_counts(experiment, interaction, standard_model)
    assert fast.shape == slow.shape and np.all(np.isfinite(fast))
    allowed = 1e-10 * terms + 1e-12 * np.abs(slow).max()
    assert np.all(fast[allowed == 0] == 0)
    return np.max(np.abs(fast - slow) / np.where(allowed > 0, allowed, 1.0))


@stored
def twin(experiment, interaction, standard_model=True, target="all"):
    """The twin's counts in each bin that is kept, and the sums of the absolute values of their terms."""
    parts = contributions(experiment, interaction, standard_model=standard_model, target=target)
    kept = [each for i, each in enumerate(parts) if i not in experiment.excluded]
    return np.array([[math.fsum(p) for p in kept], [math.fsum(map(abs, p)) for p in kept]])


def slow_counts(experiment, interaction, standard_model=False):
    """The same as `twin` for nuclei, where the Standard Model's part is evaluated once for many interactions.

    The twin adds the Standard Model as channels of its own (tests/reference holds it to that).
    """
    counts = twin(experiment, interaction, False)
    if standard_model is not False and not isinstance(interaction, cf.StandardModel):
        counts = counts + twin(experiment, cf.StandardModel() if standard_model is True else standard_model, False)
    return counts
