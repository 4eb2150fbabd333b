"""The criterion by which the fast path is held to the slow twin, and the comparison of small numbers."""

import math
import pickle
from functools import cache

import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast.reference.rates import _contributions


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


def twin(experiment, interaction, standard_model=True, target="all"):
    """The twin's counts in each bin that is kept, and the sums of the absolute values of their terms."""
    parts = _contributions(experiment, interaction, standard_model, target)
    kept = [each for i, each in enumerate(parts) if i not in experiment.excluded]
    return np.array([math.fsum(p) for p in kept]), np.array([math.fsum(map(abs, p)) for p in kept])


def slow_counts(experiment, interaction, standard_model=False):
    """The twin's counts in each bin, and the sums of the absolute values of their terms.

    The twin adds the Standard Model as channels of its own (tests/reference holds it to that), so one evaluation of
    each serves with and without it.
    """
    parts = _parts(experiment, interaction)
    if standard_model is not False and not isinstance(interaction, cf.StandardModel):
        weak = cf.StandardModel() if standard_model is True else standard_model
        parts = [ours + added for ours, added in zip(parts, _parts(experiment, weak), strict=True)]
    return np.array([math.fsum(p) for p in parts]), np.array([math.fsum(map(abs, p)) for p in parts])


def _parts(experiment, interaction):
    """The twin's terms in each bin, computed once a session for each content of experiment and interaction."""
    try:
        return _remembered(pickle.dumps((experiment, interaction)))
    except (pickle.PicklingError, AttributeError):  # a spectrum or a source that lives in a test has no name elsewhere
        return _contributions(experiment, interaction, False, "all")


@cache
def _remembered(content):
    return _contributions(*pickle.loads(content), False, "all")
