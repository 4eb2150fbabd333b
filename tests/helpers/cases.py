"""Families of cases of which a quick run tries a few; continuous integration tries them all."""

import itertools

import pytest


def quick_are(values, *quick, ids=None):
    """Parameters of a test, all marked as slow but those at the places `quick`; `ids` as for `parametrize`."""
    values = list(values)
    names = ids or [each if isinstance(each, str) else None for each in values]
    marks = [[] if i in quick else [pytest.mark.slow] for i in range(len(values))]
    return [pytest.param(each, id=name, marks=m) for each, name, m in zip(values, names, marks, strict=True)]


def crossed(*axes):
    """Parameters of a test of every combination; quick are as many as the longest axis has values, and meet them all.

    An axis is a list of values, or a dictionary of them by name.
    """
    axes = [axis if isinstance(axis, dict) else {_name(v, i): v for i, v in enumerate(axis)} for axis in axes]
    lengths = [len(axis) for axis in axes]
    # Axes of one length do not walk in step for more than a round.
    quick = {tuple((i + k * (i // n)) % n for k, n in enumerate(lengths)) for i in range(max(lengths))}
    return [
        pytest.param(
            *(axis[name] for axis, name in zip(axes, names, strict=True)),
            id="-".join(names),
            marks=[] if tuple(list(axis).index(name) for axis, name in zip(axes, names, strict=True)) in quick
            else [pytest.mark.slow],
        )
        for names in itertools.product(*axes)
    ]  # fmt: skip


def _name(value, i):
    return str(value) if isinstance(value, (str, bool, int, float)) else f"{type(value).__name__}{i}"
