"""What the rows accept as a promise that was kept."""

import subprocess
import sys
import time
from typing import ClassVar

import pytest

from cluster import rows
from cluster.beam import External
from cluster.engine import Cluster, Engine
from cluster.processes import Processes, running
from cluster.trial import TARS, Run

PROGRESS = "ground: Flink 1.19.3 at localhost:1: 2 slots, 12 ranges, job gritmill-1f\nground: 7%, 16 pairs\n"


def ended(tmp_path, text, status=3):
    """A run that has printed a text."""
    run = Run.__new__(Run)
    run._log, run.output = tmp_path / "run.log", tmp_path / "run"
    run._log.write_text(text)
    run.process = subprocess.Popen([sys.executable, "-c", f"raise SystemExit({status})"])
    return run


@pytest.mark.parametrize(
    ("text", "status", "wrong"),
    [
        (PROGRESS + "gritmill: Flink does not answer any more; start it again\n", 3, ""),
        ("gritmill: x\n", 1, "status 1 instead of 3: gritmill: x"),
        ("Traceback (most recent call last):\n  File x\ngritmill: x\n", 3, "2 lines before it: Traceback (most"),
        (PROGRESS + "WARNING:root:y\ngritmill: x\n", 3, "1 line before it: WARNING:root:y"),
        ("gritmill: one\ngritmill: two\n", 3, "1 line before it: gritmill: one"),
        (PROGRESS, 3, "no line of gritmill"),
        ("", 3, "no line of gritmill"),
        ("gritmill: Unknown: 1 (GRITMILL_DEBUG=1 shows where)\n", 3, "an exception, not a line for people"),
        ("gritmill: RuntimeError: pipeline.faults.CallError: x\n", 3, "an exception, not a line for people"),
    ],
)
def test_one_line_is_one_line(tmp_path, text, status, wrong):
    assert rows._one_line(ended(tmp_path, text, status), 3)[: len(wrong) or None] == wrong


def test_a_kill_after_the_last_range_tries_nothing(tmp_path):
    run = ended(tmp_path, "")
    for number in range(TARS):
        assert rows._late(run) == ""
        path = run.output / f"detections/{number:05}/00000.done.json"
        path.parent.mkdir(parents=True)
        path.touch()
    assert rows._late(run) == "ground had done everything when the kill hit"
    run.process.wait()


SLEEP = "import time; time.sleep(600)"
HOST = f"""
import subprocess, sys, time
worker = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)', 'child'])"
subprocess.Popen([sys.executable, "-c", worker, *sys.argv[2:]])
{SLEEP}
"""


def test_children_of_workers_count_and_a_host_without_workers_tries_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "_ORPHAN_SECONDS", 0.5)

    class Host(Engine):
        hosts: ClassVar = {"host": "the-host"}
        worker = "--provision_endpoint=x"

        def need(self):
            pass

        def started(self, folder, impatient=False, worker=None):
            return Cluster_(folder, self.worker)

    class Cluster_(Cluster):
        def __init__(self, folder, worker):
            super().__init__(Processes(folder))
            self.word = worker

        def __enter__(self):
            self.processes.__enter__()
            self.processes.start("host", [sys.executable, "-c", HOST, "the-host", self.word])
            return self

        def __exit__(self, *error):
            self.processes.__exit__(*error)

        def options(self):
            return []

    class Fake(Run):
        def __init__(self, lab, processes, output, options):
            pass

        def wait_for_a_range(self):
            while not any(one.command.rstrip().endswith(" child") for one in running()):
                time.sleep(0.02)

    monkeypatch.setattr(rows, "Run", Fake)
    ((what, wrong),) = rows.orphans(Host(), None, tmp_path / "a")
    assert what == "kill -9 of a host with 2 processes below it"
    assert wrong.startswith("2 of them live on: ")
    Host.worker = "something else"
    monkeypatch.setattr(rows, "_START_SECONDS", 0.1)
    with pytest.raises(rows.TimedOut, match="a host with a worker"):
        list(rows.orphans(Host(), None, tmp_path / "b"))


def test_a_pool_is_tried_with_workers_that_do_not_fit():
    assert 6 in External().rows(rows.ROWS)
