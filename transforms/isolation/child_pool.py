"""Several child processes side by side: one function for many tasks, with the results in order."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from queue import SimpleQueue
from typing import Any, TypeVar

from transforms.isolation.child_process import ChildProcess

Result = TypeVar("Result")

_POLL_SECONDS = 0.05


def map_in_children(
    function: Callable[..., Result],
    tasks: Iterable[tuple[Any, ...]],
    processes: int,
    check: Callable[[], object] = lambda: None,
) -> Generator[Result, None, None]:
    """Yields the result of the function for each task, in order. At most twice as many results as processes wait.

    The function must be importable; the elements of a task, which are its arguments, and its result must be picklable.
    When the generator ends, is closed, or raises, its processes have ended. check: called several times a second while
    a result is waited for; an exception that it raises ends the generator.

    Raises:
      ChildDied: the process that had a task ended. Raised when the task is due, as are exceptions of the function.
    """
    children = [ChildProcess() for _ in range(processes)]
    idle: SimpleQueue[ChildProcess] = SimpleQueue()
    for child in children:
        idle.put(child)

    def call(task: tuple[Any, ...]) -> Result:
        child = idle.get()
        try:
            result: Result = child.call(function, *task)
            return result
        finally:
            idle.put(child)

    pending: deque[Future[Result]] = deque()

    def due() -> Result:
        while wait([pending[0]], _POLL_SECONDS).not_done:
            check()
        return pending.popleft().result()

    pool = ThreadPoolExecutor(processes, "child")
    try:
        for task in tasks:
            pending.append(pool.submit(call, task))
            if len(pending) > 2 * processes:
                yield due()
        while pending:
            yield due()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        started = [future for future in pending if not future.cancelled()]  # `wait` would wait for cancelled ones
        while wait(started, 0).not_done:  # in a loop: a thread may have been about to start its process
            for child in children:
                child.kill()
            wait(started, _POLL_SECONDS)
        pool.shutdown()
        for child in children:
            child.close()
