"""Evenly spaced numbers, and intervals cut at boundaries."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence


def evenly_spaced(total: int, number: int) -> list[int]:
    """At most `number` integers below `total`, evenly spaced and ascending."""
    if number >= total:
        return list(range(total))
    return [(2 * i + 1) * total // (2 * number) for i in range(number)]


def cut(ends: Sequence[int], first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """Cuts [first, last) at the ends of consecutive parts. Yields the number of a part, and start and end inside it.

    ends: the end of each part. A part may be empty.
    """
    part = bisect_right(ends, first)
    while first < last:
        begin = ends[part - 1] if part else 0
        if first < ends[part]:
            yield part, first - begin, min(last, ends[part]) - begin
        first = max(first, ends[part])
        part += 1
