"""What a quick run leaves out: the marks of families of cases."""

import itertools

import pytest
from cases import crossed, quick_are

AXES = (["a", "b", "c", "d", "e"], {"on": True, "off": False}, [1.0, 2.0, 3.0], {"one": (1,), "two": (1, 2)})


def test_all_combinations_are_there_and_few_are_quick():
    found = crossed(*AXES)
    assert {each.values for each in found} == set(itertools.product(AXES[0], (True, False), AXES[2], ((1,), (1, 2))))
    assert len({each.id for each in found}) == len(found) == 60
    quick = [each for each in found if not each.marks]
    assert len(quick) == 5
    for k in range(4):  # they meet each value of each axis
        assert {each.values[k] for each in quick} == {each.values[k] for each in found}


def test_two_axes_of_one_length_do_not_walk_in_step():
    quick = [each.values for each in crossed(["a", "b", "c", "d"], [0, 1], [0, 1]) if not each.marks]
    assert len({values[1:] for values in quick}) == 4


@pytest.mark.parametrize(("quick", "expected"), [((), []), ((0,), ["a"]), ((2, 1), ["b", "c"])])
def test_quick_places(quick, expected):
    found = quick_are(["a", "b", "c"], *quick)
    assert len(found) == 3 and [each.values[0] for each in found if not each.marks] == expected
