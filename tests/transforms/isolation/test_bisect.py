import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.isolation.bisect import UnhealthyDevice, run_with_bisection
from transforms.records import FailureStage, Fault, Reason


class OutOfMemoryError(RuntimeError):
    """Has the name of torch's error."""


def sound_probe():
    return "fine"


def no_probe():
    raise AssertionError("the probe ran though nothing had failed")


LINE = 32
"""Where `failing_on` raises."""


def failing_on(culprits, calls=None):
    def run(items):
        if calls is not None:
            calls.append(list(items))
        if culprits & set(items):
            raise ValueError("cannot digest\nthis")
        return [item * 10 for item in items]

    return run


@given(st.integers(0, 20), st.sets(st.integers(0, 19)))
def test_exactly_the_culprits_are_blamed(count, culprits):
    items = list(range(count))
    answers = run_with_bisection(items, failing_on(culprits), sound_probe)
    fault = Fault(FailureStage.BOXES, Reason.EXCEPTION, f"ValueError: cannot digest (test_bisect.py:{LINE})")
    assert answers == [fault if item in culprits else item * 10 for item in items]


def test_a_sound_batch_runs_once_and_needs_no_probe():
    calls = []
    assert run_with_bisection([1, 2, 3], failing_on(set(), calls), no_probe) == [10, 20, 30]
    assert calls == [[1, 2, 3]]


def test_nothing_to_do_runs_nothing():
    assert run_with_bisection([], failing_on({1}), no_probe) == []


def test_one_culprit_is_found_by_halving():
    calls = []
    run_with_bisection(range(64), failing_on({37}, calls), sound_probe)
    assert len(calls) == 1 + 2 * 6


def test_out_of_memory_halves_until_it_fits():
    def run(items):
        if len(items) > 2:
            raise OutOfMemoryError("CUDA out of memory")
        return list(items)

    assert run_with_bisection(range(7), run, no_probe) == list(range(7))


def test_an_item_that_alone_exhausts_the_memory_has_its_own_reason():
    def run(items):
        if 3 in items:
            raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return list(items)

    answers = run_with_bisection(range(5), run, sound_probe)
    assert answers[3].reason == Reason.OUT_OF_MEMORY
    assert [answer for i, answer in enumerate(answers) if i != 3] == [0, 1, 2, 4]


def test_if_the_probe_fails_too_no_item_is_blamed():
    def probe():
        raise RuntimeError("CUDA error: device-side assert\nmore")

    line = f"RuntimeError: CUDA error: device-side assert ({__file__}:{probe.__code__.co_firstlineno + 1})"
    with pytest.raises(UnhealthyDevice, match=f"fails on every input: {re.escape(line)}$") as caught:
        run_with_bisection([1, 2], failing_on({1}), probe)
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert isinstance(caught.value.__cause__.__context__, ValueError)


def test_the_probe_runs_after_the_failures_not_before():
    order = []

    def run(items):
        order.append("run")
        raise ValueError

    answers = run_with_bisection([1, 2], run, lambda: order.append("probe"))
    assert order == ["run", "run", "run", "probe"]
    assert all(isinstance(answer, Fault) for answer in answers)


def test_a_failure_that_does_not_come_back_blames_nobody():
    calls = []

    def run(items):
        calls.append(items)
        if len(calls) == 1:
            raise ValueError("a hiccup")
        return list(items)

    assert run_with_bisection([1, 2, 3], run, no_probe) == [1, 2, 3]


@pytest.mark.parametrize("error", [UnhealthyDevice("unwell"), KeyboardInterrupt(), SystemExit(1)])
def test_faults_of_the_device_and_interrupts_pass_through(error):
    def run(items):
        raise error

    with pytest.raises(type(error)):
        run_with_bisection([1, 2], run, no_probe)


def test_a_fault_among_the_answers_is_an_answer():
    fault = Fault(FailureStage.BOXES, Reason.NOT_FINITE)
    assert run_with_bisection([1, 2], lambda items: [fault for _ in items], no_probe) == [fault, fault]
