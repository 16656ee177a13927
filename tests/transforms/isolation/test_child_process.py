import os
import signal

import pytest

from transforms.isolation.child_process import ChildDied


def test_calls_are_answered_by_one_other_process(child):
    first, second = child.call(os.getpid), child.call(os.getpid)
    assert first == second != os.getpid()
    assert child.call(sum, [1, 2]) == 3


def test_an_exception_comes_back(child):
    with pytest.raises(ZeroDivisionError):
        child.call(divmod, 1, 0)
    assert child.call(abs, -1) == 1


def test_what_is_printed_is_no_answer(child):
    assert child.call(print, "hello") is None
    assert child.call(abs, -1) == 1


def test_a_death_is_told_and_the_next_call_starts_anew(child):
    with pytest.raises(ChildDied, match="killed by SIGSEGV"):
        child.call(signal.raise_signal, signal.SIGSEGV)
    assert not child.alive
    with pytest.raises(ChildDied, match="ended with status 3"):
        child.call(os._exit, 3)
    assert child.call(abs, -1) == 1
