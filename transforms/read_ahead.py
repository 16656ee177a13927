"""Work done in threads ahead of whoever takes the results: files read, pictures decoded, whole chunks made."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import repeat, takewhile
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def read_ahead(
    items: Iterable[Item],
    work: Callable[[Item], Result],
    *,
    threads: int,
    ahead: int,
    cost: Callable[[Item], int] = lambda _: 0,
    max_cost: int = 0,
    same: Callable[[Item, Item], bool] = lambda _, __: False,
    name: str = "ahead",
) -> Generator[tuple[Item, Result], None, None]:
    """Each item with its result, in order. What `work` raises is raised here in its
    turn, what `items` raises at once.

    Args:
      items: iterated in the caller's thread.
      ahead: results at most that wait for the caller. max_cost: the sum of their costs at most, or a single item.
      same: whether two consecutive items have the same result; it is then computed once.
      name: prefix of the threads' names.
    """
    pending: deque[tuple[Item, Future[Result]]] = deque()
    pending_cost = 0
    pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
    try:
        for item in items:
            is_same = pending and same(pending[-1][0], item)
            pending.append((item, pending[-1][1] if is_same else pool.submit(work, item)))
            pending_cost += cost(item)
            while len(pending) > ahead or (pending_cost > max_cost and len(pending) > 1):
                first, future = pending.popleft()
                pending_cost -= cost(first)
                yield first, future.result()
        while pending:
            first, future = pending.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def prefetch(items: Iterator[Item]) -> Iterator[Item]:
    """The items; the next one is made in a thread while the caller works on this one."""
    end = object()
    made = read_ahead(repeat(None), lambda _: next(items, end), threads=1, ahead=1, name="read")
    return takewhile(lambda item: item is not end, (item for _, item in made))  # type: ignore[misc]


def map_in_threads(work: Callable[[Item], Result], items: Iterable[Item], threads: int = 16) -> list[Result]:
    """The result of each item, in order: for many small files, which on an object store are mostly waited for."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, items))
