import errno
import importlib
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

import transforms
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


def test_a_child_that_cannot_start_is_told_with_what_helps(child, monkeypatch):
    def fail(*_, **__):
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", fail)
    with pytest.raises(OSError, match=r"cannot start another process: Resource temporarily unavailable; .*ulimit -n"):
        child.call(os.getpid)


@pytest.mark.parametrize("options", [["-P"], ["-I"]])
def test_a_child_has_the_packages_of_its_parent_also_if_a_script_has_changed_where_they_are(tmp_path, options):
    (tmp_path / "home").mkdir()
    for package in ("transforms", "pipeline"):
        (tmp_path / "home" / package).symlink_to(Path(transforms.__file__).parents[1] / package)
        (tmp_path / f"{package}.py").write_text("raise SystemExit('of another tool')\n")
    (tmp_path / "home/graphlib.py").write_text("raise SystemExit('of an old release of Python')\n")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'home')!r})\n"
        "import os, transforms, pipeline; from transforms.isolation.child_process import ChildProcess\n"
        f"sys.path[0] = {str(tmp_path)!r}; sys.path.append('here')\n"
        "from pipeline.files import uris\n"
        "child = ChildProcess(); assert child.call(uris.name, 'a/b') == 'b'\n"
        "assert child.call(eval, '__import__(\"sys\").path') == sys.path"
    )
    call = [sys.executable, *options, "-c", program]
    done = subprocess.run(call, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.stderr == ""


@pytest.mark.parametrize("other", ["", "if os.fork() == 0: time.sleep(40)\n"], ids=["", "forked"])
def test_a_child_ends_with_its_parent_also_in_the_middle_of_a_call(other):
    program = (
        "import os, time; from transforms.isolation.child_process import ChildProcess\n"
        f"child = ChildProcess(); print(child.call(os.getpid), flush=True)\n{other}child.call(time.sleep, 60)"
    )
    call = [sys.executable, "-c", program]
    parent = subprocess.Popen(call, stdout=subprocess.PIPE, text=True, start_new_session=True)
    pid = int(parent.stdout.readline())
    time.sleep(0.1)  # until it has forked
    parent.kill()
    parent.wait()
    ends = time.monotonic() + 30
    while _runs(pid) and time.monotonic() < ends:
        time.sleep(0.05)
    assert not _runs(pid)
    with suppress(ProcessLookupError):
        os.killpg(parent.pid, signal.SIGKILL)


def _runs(pid):
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout
    return bool(state) and not state.startswith("Z")
