"""Several child processes side by side: one function for many tasks, with the results in order."""

import atexit
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, wait
from contextlib import closing
from queue import SimpleQueue
from threading import Condition, Event, Thread
from typing import Any, Generic, TypeVar

from transforms.isolation.child_process import ChildProcess

Result = TypeVar("Result")

_POLL_SECONDS = 0.05


class Stream(Generic[Result]):
    """What the function notes for one task, and its result."""

    def __init__(self, cost: Callable[[Any], int], max_cost: int) -> None:
        self._cost, self._max_cost = cost, max_cost
        self._notes: deque[Any] = deque()
        self._waiting = 0
        self._ended = False
        self._changed = Condition()
        self.future = Future[Result]()

    def __iter__(self) -> Iterator[Any]:
        """Yields each note as soon as it is there, until the function has ended."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._notes or self._ended)
                if not self._notes:
                    return
                note = self._notes.popleft()
                self._waiting -= self._cost(note)
                self._changed.notify_all()
            yield note

    def result(self) -> Result:
        """The result of the function, when it has ended. Raises its exception, or ChildDied."""
        return self.future.result()

    def put(self, note: Any) -> None:
        """Adds a note. Returns when the notes that nobody has taken cost no more than allowed, or after `end`."""
        with self._changed:
            self._notes.append(note)
            self._waiting += self._cost(note)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._waiting <= self._max_cost or self._ended)

    def end(self) -> None:
        """No note follows, or nobody takes any more."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def map_in_children(
    function: Callable[..., Result],
    tasks: Iterable[tuple[Any, ...]],
    processes: int,
    check: Callable[[], object] = lambda: None,
) -> Generator[Result, None, None]:
    """Yields the result of the function for each task, in order. At most twice as many results as processes wait.

    The function must be importable; the elements of a task, which are its arguments, and its result must be picklable.
    When the generator ends, is closed, or raises, its processes have ended. They end with Python, too. check: called
    several times a second while a result is waited for; an exception that it raises ends the generator.

    Raises:
      ChildDied: the process that had a task ended. Raised when the task is due, as are exceptions of the function.
    """
    with closing(stream_from_children(function, tasks, processes)) as streams:
        for stream in streams:
            while wait([stream.future], _POLL_SECONDS).not_done:
                check()
            yield stream.result()


def stream_from_children(
    function: Callable[..., Result],
    tasks: Iterable[tuple[Any, ...]],
    processes: int,
    cost: Callable[[Any], int] = lambda _: 0,
    max_cost: int = 0,
) -> Generator[Stream[Result], None, None]:
    """Yields, for each task in order, what the function notes (`child_process.note`) while it runs, and its result.

    Otherwise as `map_in_children`.

    cost, max_cost: of the notes of a task that nobody has taken yet. If they cost more, its process waits.
    """
    children = [ChildProcess() for _ in range(processes)]
    queue: SimpleQueue[tuple[tuple[Any, ...], Stream[Result]] | None] = SimpleQueue()
    over = Event()

    def serve(child: ChildProcess) -> None:
        for task, stream in iter(queue.get, None):
            if over.is_set():
                return
            try:
                stream.future.set_result(child.call(function, *task, notes=stream.put))
            except BaseException as error:
                stream.future.set_exception(error)
            finally:
                stream.end()

    # Python waits for other threads when it ends, also for those of a generator that somebody still holds.
    threads = [Thread(target=serve, args=(child,), name="child", daemon=True) for child in children]
    pending: deque[Stream[Result]] = deque()

    def end() -> None:
        over.set()
        for stream in pending:
            stream.end()
        for _ in threads:
            queue.put(None)
        for child, thread in zip(children, threads, strict=True):
            while thread.is_alive():  # in a loop: it may just start its process
                child.kill()
                thread.join(_POLL_SECONDS)
            child.close()

    def done_first() -> None:
        first = pending.popleft()
        first.end()  # its process must not wait for a caller who did not take all notes
        wait([first.future])

    atexit.register(end)
    try:
        for thread in threads:
            thread.start()
        for task in tasks:
            pending.append(Stream(cost, max_cost))
            queue.put((task, pending[-1]))
            if len(pending) > 2 * processes:
                yield pending[0]
                done_first()
        while pending:
            yield pending[0]
            done_first()
    finally:
        end()
        atexit.unregister(end)
