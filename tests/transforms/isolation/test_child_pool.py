import os
import signal
import subprocess
import sys
import threading
import time
from itertools import count

import pytest

from transforms.isolation.child_pool import map_in_children, stream_from_children
from transforms.isolation.child_process import ChildDied, note


def test_results_are_in_order_and_several_processes_make_them():
    both = map_in_children(meet, [(1, 0.0), (2, 0.0), (3, 0.0)], 2)
    assert [number for number, _ in both] == [1, 2, 3]
    pids = [pid for _, pid in map_in_children(meet, [(1, 0.3), (2, 0.3)], 2)]
    assert os.getpid() not in pids
    assert len(set(pids)) == 2


def meet(number, seconds):
    time.sleep(seconds)
    return number, os.getpid()


def test_tasks_are_taken_as_results_are_used():
    taken = count()
    results = map_in_children(abs, ((-next(taken),) for _ in range(100)), 2)
    assert next(results) == 0
    assert next(taken) == 5
    results.close()


def test_no_task_needs_no_process():
    assert list(map_in_children(abs, [], 3)) == []


def test_an_exception_comes_when_its_task_is_due():
    results = map_in_children(divmod, [(4, 2), (1, 0), (9, 3)], 1)
    assert next(results) == (2, 0)
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_an_exception_ends_it_although_tasks_wait():
    results = map_in_children(divmod, [(1, 0)] + [(4, 2)] * 9, 1)
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_a_process_waits_until_its_notes_are_taken(tmp_path):
    tasks = [(str(tmp_path / name), 9) for name in "ab"]
    streams = stream_from_children(note_numbers, tasks, 2, len, 3 * LONG)
    first = next(streams)
    behind = tmp_path / "b"
    while not behind.exists() or behind.stat().st_size < 5:  # four were received, and the fifth one is in the pipe
        time.sleep(0.01)
    time.sleep(0.2)
    assert behind.stat().st_size == 5
    for stream in (first, next(streams)):
        assert [int(text) for text in stream] == [*range(9)]
        assert stream.result() == 9
    assert next(streams, None) is None


LONG = 1 << 20


def note_numbers(path, number):
    for n in range(number):
        with open(path, "a") as file:
            file.write(str(n))
        note(str(n).ljust(LONG))
    return number


def test_notes_that_nobody_takes_stop_nothing():
    streams = stream_from_children(note_numbers, [("/dev/null", 9)] * 4, 1, len, 1)
    assert len([*streams]) == 4


def test_a_death_is_told():
    results = map_in_children(signal.raise_signal, [(signal.SIGSEGV,)], 1)
    with pytest.raises(ChildDied, match="killed by SIGSEGV"):
        next(results)


def test_a_check_that_fails_while_a_result_is_waited_for_ends_all():
    results = map_in_children(time.sleep, [(3600,), (3600,)], 2, check=lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_closing_ends_long_calls_and_leaves_no_process_and_no_thread(tmp_path):
    before = threading.active_count()
    results = map_in_children(write_pid_and_sleep, [(str(tmp_path / name), n) for n, name in enumerate("abc")], 3)
    next(results)
    while len(list(tmp_path.iterdir())) < 3:
        time.sleep(0.01)
    results.close()
    assert threading.active_count() == before
    for file in tmp_path.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(file.name.partition(".")[2]), 0)


def test_python_ends_at_once_if_a_second_interrupt_cuts_the_end_short():
    program = (
        "import time; from transforms.isolation.child_pool import ChildProcess, map_in_children\n"
        "def interrupted(child): raise KeyboardInterrupt\n"
        "ChildProcess.kill = interrupted\n"
        "results = map_in_children(time.sleep, [(0,), (3600,)], 1); next(results); time.sleep(0.2); results.close()"
    )
    done = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True, timeout=60)
    assert "KeyboardInterrupt" in done.stderr


def test_a_forked_process_ends_and_leaves_the_processes_of_its_parent_alone():
    program = (
        "import os, sys, time; from transforms.isolation.child_pool import map_in_children\n"
        "results = map_in_children(time.sleep, [(0,), (1,)], 1); next(results); time.sleep(0.2)\n"
        "if os.fork() == 0: sys.exit()\n"
        "os.wait(); assert list(results) == [None]"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


def write_pid_and_sleep(path, seconds):
    open(f"{path}.{os.getpid()}", "w").close()
    time.sleep(3600 * seconds)


@pytest.mark.parametrize("call", ["note_numbers, [('/dev/null', 9)] * 2, 1, len, 1", "time.sleep, [(3600,)] * 2, 2"])
def test_python_ends_although_somebody_holds_the_generator(call):
    lines = (f"from {__name__} import *", f"streams = stream_from_children({call})", "next(streams)", "time.sleep(0.3)")
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True, timeout=20)
