"""Families of cases of which a quick run tries a few; continuous integration tries them all."""

import pytest


def quick_are(values, *quick, ids=None):
    """Parameters of a test, all marked as slow but those at the places `quick`; `ids` as for `parametrize`."""
    values = list(values)
    names = ids or [each if isinstance(each, str) else None for each in values]
    marks = [[] if i in quick else [pytest.mark.slow] for i in range(len(values))]
    return [pytest.param(each, id=name, marks=m) for each, name, m in zip(values, names, marks, strict=True)]
