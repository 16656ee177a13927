from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.plan.spread import cut, evenly_spaced


@given(st.integers(0, 300), st.integers(0, 400))
def test_spread_is_even_ascending_and_within(total: int, wanted: int) -> None:
    numbers = evenly_spaced(total, wanted)
    assert len(numbers) == min(total, wanted)
    assert all(0 <= number < total for number in numbers)
    steps = [b - a for a, b in pairwise(numbers)]
    assert all(step > 0 for step in steps)
    assert not steps or max(steps) - min(steps) <= 1


@given(st.lists(st.integers(0, 5), max_size=8), st.integers(0, 40), st.integers(0, 40))
def test_pieces_hold_each_item_once_and_none_is_empty(sizes: list[int], first: int, last: int) -> None:
    items = [(part, item) for part, size in enumerate(sizes) for item in range(size)]
    first, last = min(first, len(items)), min(last, len(items))
    pieces = list(cut(list(accumulate(sizes)), first, last))
    assert [(part, item) for part, start, end in pieces for item in range(start, end)] == items[first:last]
    assert all(start < end for _, start, end in pieces)
