import importlib
import os
import signal
import subprocess
import sys
import time

import pytest

from transforms.isolation import child_process
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


def noting(values):
    for value in values:
        child_process.note(value)
    return "done"


def test_notes_come_before_the_result(child):
    heard = []
    assert child.call(noting, [1, 2], notes=heard.append) == "done"
    assert heard == [1, 2]
    assert child.call(noting, [3]) == "done"
    assert noting([4]) == "done"  # without a parent, nobody hears it


def test_after_an_exception_of_this_process_the_next_call_gets_its_own_answer(child):
    def full(value):
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        child.call(noting, [1], notes=full)
    with pytest.raises(AttributeError):
        child.call(abs, full)  # it cannot be pickled
    assert child.call(abs, -1) == 1


def test_a_child_imports_from_where_its_parent_does(child, tmp_path, monkeypatch):
    (tmp_path / "only_in_one_folder.py").write_text("def answer():\n    return 7\n")
    monkeypatch.setattr("sys.path", [*sys.path, str(tmp_path)])
    assert child.call(importlib.import_module("only_in_one_folder").answer) == 7


def test_a_child_ends_with_its_parent_also_in_the_middle_of_a_call():
    program = (
        "import os, time; from transforms.isolation.child_process import ChildProcess\n"
        "child = ChildProcess(); print(child.call(os.getpid), flush=True); child.call(time.sleep, 60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    ends = time.monotonic() + 30
    while _runs(pid) and time.monotonic() < ends:
        time.sleep(0.05)
    assert not _runs(pid)


def _runs(pid):
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout
    return bool(state) and not state.startswith("Z")
