"""Work in threads, ahead of the consumer: reading files, decoding images, building whole chunks."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from threading import Event
from time import perf_counter, thread_time
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_MAX_BATCH = 64
_MANY = 1000
_TRIAL_SECONDS = 0.02
_WAITING = 3.0
"""Items wait if they take at least this many times as long as the processor works on them."""


def read_ahead(
    items: Iterable[Item],
    work: Callable[[Item], Result],
    *,
    threads: int,
    ahead: int,
    cost: Callable[[Item], int] = lambda _: 0,
    max_cost: int = 0,
    same: Callable[[Item, Item], bool] = lambda _, __: False,
    at_once: Callable[[Item], bool] = lambda _: False,
    name: str = "ahead",
) -> Generator[tuple[Item, Result], None, None]:
    """Yields each item with its result, in order.

    An exception of `work` is raised when its item is due. An exception of `items` is raised immediately.

    Args:
      items: iterated in the caller's thread.
      ahead: maximum number of results that wait for the caller.
      max_cost: maximum sum of their costs. A single item may exceed it.
      same: whether two consecutive items have the same result, which is then computed once.
      at_once: whether an item is so little work that the caller's thread does it.
      name: prefix of the thread names.
    """
    pending: deque[tuple[Item, Future[Result]]] = deque()
    pending_cost = 0
    pool = ThreadPoolExecutor(threads, thread_name_prefix=name)

    def begin(item: Item) -> Future[Result]:
        if pending and same(pending[-1][0], item):
            return pending[-1][1]
        if not at_once(item):
            return pool.submit(work, item)
        future = Future[Result]()
        try:
            future.set_result(work(item))
        except Exception as error:
            future.set_exception(error)
        return future

    try:
        for item in items:
            pending.append((item, begin(item)))
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


def prefetch(items: Iterator[Item], alone: Callable[[Item], bool] = lambda _: False) -> Iterator[Item]:
    """Yields the items. A thread produces the next one while the caller works on the current one, unless the caller
    must work on the current one `alone`."""
    end = object()
    pool = ThreadPoolExecutor(1, thread_name_prefix="read")
    try:
        future = pool.submit(next, items, end)
        while (item := future.result()) is not end:
            is_alone = alone(item)  # type: ignore[arg-type]
            if not is_alone:
                future = pool.submit(next, items, end)
            yield item  # type: ignore[misc]
            if is_alone:
                future = pool.submit(next, items, end)
    finally:
        pool.shutdown(cancel_futures=True)


def map_in_threads(work: Callable[[Item], Result], items: Iterable[Item], threads: int = 16) -> list[Result]:
    """The result of each item, in order. For many small files, on an object store or a disk that has to be waited for.

    The first of more than a thousand items tell whether they wait. If they do not, as for files that the system has in
    its memory, no thread is used: threads that take turns in Python take two to three times as long.
    """
    items = list(items)
    if len(items) <= _MANY:
        return _in_threads(work, items, threads)
    results = [work(items[0])]  # which may import and connect
    started, busy = perf_counter(), thread_time()
    while len(results) < _MANY // 2 and perf_counter() - started < _TRIAL_SECONDS:
        results.append(work(items[len(results)]))
    seconds, busy = perf_counter() - started, thread_time() - busy
    rest = items[len(results) :]
    return [*results, *(_in_threads(work, rest, threads) if seconds > _WAITING * busy else map(work, rest))]


def _in_threads(work: Callable[[Item], Result], items: Sequence[Item], threads: int) -> list[Result]:
    # To hand an item to a thread takes longer than to read a small file of a local disk.
    size = min(max(len(items) // (8 * threads), 1), _MAX_BATCH)
    batches = [items[start : start + size] for start in range(0, len(items), size)]
    over = Event()  # after an error or Ctrl-C, no thread goes on with its batch
    with ThreadPoolExecutor(threads) as pool:
        try:
            results = pool.map(lambda batch: [work(item) for item in batch if not over.is_set()], batches)
            return list(chain.from_iterable(results))
        finally:
            over.set()
