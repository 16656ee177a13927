import os
import subprocess
import sys
from dataclasses import replace

import pytest

from pipeline.files import holder
from pipeline.files.holder import is_gone, is_running, this_process


def test_a_process_of_this_machine_is_known_to_run_or_to_be_gone() -> None:
    own = this_process()
    assert (is_running(own), is_gone(own)) == (True, False)
    later = replace(own, started="1")  # another process with this number
    assert (is_running(later), is_gone(later)) == (False, True)
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pass
    assert is_gone(replace(own, pid=child.pid))


def test_a_process_that_has_ended_and_was_not_waited_for_is_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    one = replace(this_process(), pid=child.pid, started=holder._started(child.pid))
    assert (is_running(one), is_gone(one)) == (True, False)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert (is_running(one), is_gone(one)) == (False, True)
    child.communicate()
    assert is_gone(one)


@pytest.mark.parametrize("error", [PermissionError, None])
def test_nothing_is_known_about_a_hidden_process_of_another_user(
    monkeypatch: pytest.MonkeyPatch, error: type[OSError] | None
) -> None:
    """/proc is mounted with hidepid=2: no file says anything about it."""

    def kill(pid: int, number: int) -> None:
        assert number == 0
        if error:
            raise error

    hidden = replace(this_process(), pid=1)
    monkeypatch.setattr(holder, "_started", lambda _: "")
    monkeypatch.setattr(holder.os, "kill", kill)
    assert (is_running(hidden), is_gone(hidden)) == (False, False)


@pytest.mark.parametrize("elsewhere", [{"host": "other"}, {"boot": "earlier"}, {"boot": ""}, {"started": ""}])
def test_nothing_is_known_about_processes_elsewhere(elsewhere: dict[str, str]) -> None:
    """On another host, before the last start of this one, or in a container whose processes have their own numbers."""
    other = replace(this_process(), **elsewhere)  # type: ignore[arg-type]
    assert (is_running(other), is_gone(other)) == (False, False)


def test_a_system_without_proc_knows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holder, "_boot", lambda: "")
    own = this_process()
    assert (is_running(own), is_gone(own)) == (False, False)
