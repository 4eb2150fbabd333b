"""What is remembered is bounded, and can be forgotten."""

import gc

import pytest

from cevns_fast._support import remember as memories
from cevns_fast._support.remember import Memory, forget, remember


def test_a_function_is_asked_once_until_all_is_forgotten():
    asked = []

    @remember(maxsize=2)
    def twice(x):
        asked.append(x)
        return 2 * x

    assert [twice(x) for x in (1, 1, 2, 1)] == [2, 2, 4, 2] and asked == [1, 2]
    twice(3)  # 2 was longest unused
    twice(1)
    assert asked == [1, 2, 3]
    forget()
    twice(1)
    assert asked == [1, 2, 3, 1]


def test_a_memory_is_bounded_and_forgotten():
    memory = Memory(maxsize=3)
    for key in range(10):
        assert memory.keep(key, str(key)) == str(key)
        assert len(memory) <= 3
    assert memory.get(9) == "9" and memory.get(0) is None
    forget()
    assert memory.get(9) is None and len(memory) == 0


def test_a_memory_dies_with_its_owner():
    before = len(memories._memories)
    memory = Memory(maxsize=1)
    assert len(memories._memories) == before + 1
    del memory
    gc.collect()
    assert len(memories._memories) == before


@pytest.mark.parametrize("n", [1, 5])
def test_forgetting_changes_no_result(csi, n):
    import cevns_fast as cf

    like = cf.Likelihood(csi)
    found = [like.chi2(cf.SingletEFT(float(m), C_S=0.01)) for m in range(1, 1 + n)]
    forget()
    assert [like.chi2(cf.SingletEFT(float(m), C_S=0.01)) for m in range(1, 1 + n)] == found
