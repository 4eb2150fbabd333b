"""Stored values of the slow twin: told apart by content, of this code only, and compared with what is computed."""

import json
from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest
import stored

import cevns_fast as cf

CSI = cf.load("coherent-csi-2017")


def test_equal_content_has_one_digest():
    again = cf.load("coherent-csi-2017").replace(exposure=CSI.exposure)
    eft = cf.SingletEFT(m_chi=10.0, a_M=3e-4)
    assert stored.digest(CSI, eft) == stored.digest(again, cf.SingletEFT(10.0, a_M=3e-4))
    assert stored.digest({"a": 1.0, "b": 2.0}) == stored.digest({"b": 2.0, "a": 1.0})


def test_any_difference_is_another_digest():
    values = [
        (1.0,), (1,), (np.nextafter(1.0, 2.0),), (-0.0,), (0.0,), (1j,), ("1",), (True,), (None,), ((1.0,),), ([1.0],),
        (1.0, 1.0), (np.ones(1),), (np.ones((1, 1)),), (np.ones(1, np.float32),), ({"a": 1.0},),
        (SimpleNamespace(a=1.0),), (CSI,), (CSI.mask([0]),), (CSI.replace(mass=14.0),), (cf.StandardModel(),),
        (cf.SingletEFT(m_chi=1.0, C_S=0.1),), (cf.SingletEFT(m_chi=1.0, C_V=0.1),), ("ab", "c"), ("a", "bc"),
    ]  # fmt: skip
    assert len({stored.digest(*each) for each in values}) == len(values)


def test_functions_are_told_apart_by_what_they_compute():
    def times(factor, power=1):
        return lambda x, p=power: factor * x**p

    same, others = (
        [times(2.0), times(2.0)],
        [times(3.0), times(2.0, 2), lambda x: x, lambda x: -x, lambda x: 2 * x, twice],
    )
    assert len({stored.digest(each) for each in same}) == 1
    assert len({stored.digest(each) for each in same + others}) == 1 + len(others)


def test_what_has_no_content_is_computed():
    with pytest.raises(stored.NotStorable):
        stored.digest(CSI, iter([]))
    assert stored.stored(sum)(iter([1.0, 2.0])) == 3.0


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A function that writes the file of values; what is looked up afterwards, is looked up there."""
    path = tmp_path / "stored.json"
    monkeypatch.setattr(stored, "FILE", path)
    monkeypatch.setattr(stored, "MODE", "")

    def write(values, code=None):
        path.write_text(json.dumps({"code": code or stored.code(), "values": values}))
        stored._kept.cache_clear()

    yield write
    stored._kept.cache_clear()


def twice(x):
    return 2.0 * x


#: Arguments whose day is, and is not, today.
TODAY, OTHER = (
    next(x for x in range(1, 999)
         if (int(stored.digest(__name__, "twice", (x,), {}), 16) % 10 == date.today().toordinal() % 10) == today)
    for today in (True, False)
)  # fmt: skip


def key(x):
    return stored.digest(__name__, "twice", (x,), {})


def test_what_is_stored_is_looked_up(file):
    file({key(OTHER): 7.0})
    assert stored.stored(twice)(OTHER) == 7.0
    file({key(OTHER): [1.0, 2.0]})
    assert np.array_equal(stored.stored(twice)(OTHER), [1.0, 2.0])


def test_other_code_computes(file):
    file({key(OTHER): 7.0}, code="other")
    assert stored.stored(twice)(OTHER) == twice(OTHER)


def test_on_its_day_a_value_is_computed_and_compared(file):
    file({key(TODAY): twice(TODAY) * (1 + 1e-14)})
    assert stored.stored(twice)(TODAY) == twice(TODAY)
    file({key(TODAY): twice(TODAY) * (1 + 1e-11)})
    with pytest.raises(AssertionError, match="was stored as"):
        stored.stored(twice)(TODAY)


def test_continuous_integration_computes_all(file, monkeypatch):
    monkeypatch.setattr(stored, "MODE", "computed")
    file({key(OTHER): 7.0})
    with pytest.raises(AssertionError, match="was stored as"):
        stored.stored(twice)(OTHER)


def test_what_is_returned_can_be_written_to(file):
    file({key(OTHER): [1.0, 2.0]})
    function = stored.stored(twice)
    function(OTHER)[0] = 5.0
    assert function(OTHER)[0] == 1.0


def test_the_values_are_those_of_this_code():
    """CEVNS_FAST_TWIN=stored pytest -n0, after a change of `reference/`; without it all tests pass, slowly."""
    assert json.loads(stored.FILE.read_text())["code"] == stored.code()
