"""Numbers spread evenly, and stretches cut at the borders of parts."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence


def evenly_spaced(total: int, number: int) -> list[int]:
    """At most `number` numbers below `total`, evenly spread, ascending."""
    if number >= total:
        return list(range(total))
    return [(2 * i + 1) * total // (2 * number) for i in range(number)]


def cut(ends: Sequence[int], first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """The pieces of [first, last), which lies in a row of parts: number of the part, start and end inside it.

    ends: where each part ends; a part may be empty.
    """
    part = bisect_right(ends, first)
    while first < last:
        begin = ends[part - 1] if part else 0
        if first < ends[part]:
            yield part, first - begin, min(last, ends[part]) - begin
        first = max(first, ends[part])
        part += 1
