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


@pytest.mark.parametrize("elsewhere", [{"host": "other"}, {"boot": "earlier"}, {"boot": ""}, {"started": ""}])
def test_nothing_is_known_about_processes_elsewhere(elsewhere: dict[str, str]) -> None:
    """On another host, before the last start of this one, or in a container whose processes have their own numbers."""
    other = replace(this_process(), **elsewhere)  # type: ignore[arg-type]
    assert (is_running(other), is_gone(other)) == (False, False)


def test_a_system_without_proc_knows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holder, "_boot", lambda: "")
    own = this_process()
    assert (is_running(own), is_gone(own)) == (False, False)
