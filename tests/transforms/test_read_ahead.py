import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest

from transforms import read_ahead as module
from transforms.read_ahead import map_in_threads, prefetch, read_ahead


def test_results_come_in_order_although_later_ones_are_ready_first() -> None:
    def slow_at_first(number: int) -> int:
        time.sleep(0.002 * (7 - number % 8))
        return -number

    found = list(read_ahead(range(24), slow_at_first, threads=8, ahead=8))
    assert found == [(number, -number) for number in range(24)]


@pytest.mark.parametrize(("ahead", "max_cost", "begun"), [(3, 1000, 4), (100, 25, 3), (100, 5, 2)])
def test_no_more_is_begun_than_their_number_and_their_cost_allow(ahead: int, max_cost: int, begun: int) -> None:
    asked: list[int] = []

    def items() -> Iterator[int]:
        for number in range(20):
            asked.append(number)
            yield number

    for number, _ in read_ahead(items(), abs, threads=2, ahead=ahead, cost=lambda _: 10, max_cost=max_cost):
        assert len(asked) <= number + begun
    assert len(asked) == 20


def test_consecutive_items_that_are_the_same_are_computed_once() -> None:
    computed: list[str] = []

    def work(text: str) -> str:
        computed.append(text)
        return text.lower()

    found = list(read_ahead("aAabA", work, threads=1, ahead=2, same=lambda one, other: one.lower() == other.lower()))
    assert found == [("a", "a"), ("A", "a"), ("a", "a"), ("b", "b"), ("A", "a")]
    assert computed == ["a", "b", "A"]


def test_little_work_is_done_at_once_and_its_error_comes_in_its_turn() -> None:
    threads: dict[int, str] = {}

    def work(number: int) -> int:
        threads[number] = threading.current_thread().name.partition("_")[0]
        return 6 // (4 - number)

    results = read_ahead(range(6), work, threads=2, ahead=3, at_once=lambda number: number % 2 == 0, name="watched")
    with closing(results):
        assert [next(results) for _ in range(4)] == [(0, 1), (1, 2), (2, 3), (3, 6)]
        with pytest.raises(ZeroDivisionError):
            next(results)
    here = threading.current_thread().name
    assert {number: threads[number] for number in range(5)} == {0: here, 1: "watched", 2: here, 3: "watched", 4: here}


def test_an_error_comes_in_its_turn_and_what_has_not_begun_is_cancelled() -> None:
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        time.sleep(0.01)
        return 6 // (2 - number)

    results = read_ahead(range(100), work, threads=1, ahead=50, name="watched")
    with closing(results):
        assert [next(results), next(results)] == [(0, 3), (1, 6)]
        with pytest.raises(ZeroDivisionError):
            next(results)
    assert len(begun) < 10
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("watched")]


def test_prefetch_gives_all_items_and_makes_one_at_most_too_many() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for i in range(5):
            made.append(i)
            yield i

    taken = []
    for item in prefetch(items()):
        taken.append(item)
        assert len(made) <= item + 2
    assert taken == [0, 1, 2, 3, 4]


def test_prefetch_passes_exceptions_on_after_the_items_before() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("stop")

    made = prefetch(items())
    assert next(made) == 1
    with pytest.raises(ValueError, match="stop"):
        next(made)


def test_threads_keep_the_order_of_many_items() -> None:
    for number in (0, 1, 127, 128, 20_001):
        assert map_in_threads(str, iter(range(number))) == [str(i) for i in range(number)]


@pytest.mark.parametrize(
    ("seconds", "busy", "in_threads"),
    [(0.001, 0.001, False), (0.0029, 0.001, False), (0.0031, 0.001, True), (0.001, 0.0, True), (30.0, 0.1, True)],
)
def test_many_items_are_done_in_threads_only_if_they_are_waited_for(
    seconds: float, busy: float, in_threads: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks = {"perf_counter": 0.0, "thread_time": 0.0}
    for name in clocks:
        monkeypatch.setattr(module, name, lambda name=name: clocks[name])

    def work(item: int) -> bool:
        clocks["perf_counter"] += seconds
        clocks["thread_time"] += busy
        return threading.current_thread() is threading.main_thread()

    alone = Counter(map_in_threads(work, range(3000)))[True]
    assert alone < 500 if in_threads else alone == 3000


@pytest.mark.parametrize(("number", "wrong", "seconds"), [(1000, 0, 0.01), (30_000, 1500, 0.002)])
def test_an_error_ends_the_batches_of_other_threads(number: int, wrong: int, seconds: float) -> None:
    begun = Counter[str]()

    def work(item: int) -> None:
        begun["all"] += 1
        time.sleep(seconds)
        if item == wrong:
            raise ValueError("the wrong one")

    with pytest.raises(ValueError, match="the wrong one"):
        map_in_threads(work, range(number))
    assert begun["all"] < number / 2
