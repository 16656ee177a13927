"""Several processes find what one process finds, in the same order."""

import json
import os
import pickle
import signal
import threading
import time

import fsspec
import pytest

import gritmill
from gritmill.validation import processes
from tests.gritmill.validation.repacking import ALL, PAIRS, in_order, repacked
from tests.unsealed import unsealed
from transforms.text import dialects


def findings(out, number):
    return [*gritmill.validate(out, processes=number)]


def test_a_dialect_of_a_package_and_its_bugs(moody):
    out = moody("fails")
    found = findings(out, 2)
    assert found == findings(out, 1)
    bugs = sum("ZeroDivisionError" in finding.text for finding in found)
    assert 0 < bugs < PAIRS == len(found) - bugs


def test_a_run_with_faults_of_all_kinds(copy, whole):
    shards = in_order(*ALL)
    shards[0][1] = 1, {"absent": ["a purple cow"]}
    shards[1][2] = 6, {"uid": "f" * 16}
    shards[4][1] = 17, {"caption": ""}
    repacked(copy, whole, [*shards, [], shards[0], shards[5]])
    (copy / "shards/00003.tar").unlink()
    (copy / "shards/00005_stats.json").write_text("{}")
    (copy / "detections/00000/00000-00007.parquet").write_bytes(b"PAR1")
    found = findings(copy, 2)
    assert found == findings(copy, 1)
    for text in ("uid: ", "absent: ", "caption: ", "is missing"):
        assert any(text in finding.text for finding in found), text


def test_findings_are_sent_in_batches(whole, monkeypatch):
    sent = []
    monkeypatch.setattr(processes, "note", sent.append)
    monkeypatch.setattr(processes, "_BATCH_COST", 500)

    def streams(function, tasks, number, cost, most):
        for task in tasks:
            del sent[:]
            end = function(*pickle.loads(pickle.dumps(task)))
            assert [len(found) for _, found in sent] == [3, 1]
            assert sent[0][0] == 600
            yield Stream(sent, end)

    class Stream:
        def __init__(self, notes, end):
            self.notes, self.end = notes, end

        def __iter__(self):
            return iter(self.notes)

        def result(self):
            return self.end

    monkeypatch.setattr(processes, "stream_from_children", streams)
    assert len(findings(whole, 2)) == PAIRS


class Moody:
    """Kosmos-2's texts, but reading them ends badly in child processes. The option says how."""

    name, carries, rounding = "moody", "spans", ""

    def __init__(self, option):
        self.mood, self.true = option, dialects.find("kosmos2")

    def encode(self, grounded):
        return self.true.encode(grounded)

    def decode(self, text, width=1, height=1):
        if self.mood == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.mood == "fails" and "tree" in text:
            raise ZeroDivisionError
        if self.mood.startswith("sleeps in "):
            open(f"{self.mood.removeprefix('sleeps in ')}/{os.getpid()}", "w").close()
            time.sleep(3600)
        return self.true.decode(text, width, height)

    def error(self, width, height):
        return self.true.error(width, height)


@pytest.fixture
def moody(install, copy):
    """Lets the texts of the run be read by the dialect, in a mood."""
    install("gritmill.dialects", f"moody = {__name__}:Moody")

    def read_by(mood):
        manifest = unsealed(copy / "manifest.json")
        manifest["configuration"]["text"]["dialect"] = [f"moody:{mood}"]
        (copy / "manifest.json").write_text(json.dumps(manifest))
        return copy

    return read_by


def test_a_process_that_is_killed_is_named_with_its_shard(moody, call):
    status, _, lines = call("validate", moody("dies"), "--processes", "2")
    assert status == 3
    cure = "if the memory was not enough, use fewer --processes"
    assert lines == [f"gritmill: shards/00000.tar: the process that checked it died (killed by SIGKILL); {cure}"]


def test_an_interrupt_leaves_no_process(moody, tmp_path, monkeypatch):
    def interrupt():
        while len(list(pids.iterdir())) < 2:
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    pids = tmp_path / "pids"
    pids.mkdir()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell ignore it
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            findings(moody(f"sleeps in {pids}"), 2)
    finally:
        signal.signal(signal.SIGINT, before)
    for path in pids.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(path.name), 0)


def test_a_run_that_other_processes_do_not_see(copy):
    fsspec.filesystem("memory").put(str(copy), "/run", recursive=True)
    assert findings("memory://run", None) == findings(copy, 1)
    with pytest.raises(gritmill.EnvironmentFault, match=r"memory://run: another process finds no manifest\.json there"):
        findings("memory://run", 2)


@pytest.mark.parametrize("number", [0, -1, 257])
def test_a_senseless_number_is_refused_before_anything_is_read(number):
    with pytest.raises(gritmill.CallError, match=f"--processes: {number}: it must be between 1 and 256"):
        gritmill.validate("nowhere", processes=number)


@pytest.mark.parametrize(
    ("options", "line"),
    [({}, "nowhere: no such folder"), ({"limit": 0}, "--limit: 0: must be at least 1")],
)
def test_a_wrong_call_is_refused_at_once_and_not_when_the_findings_are_read(options, line):
    with pytest.raises(gritmill.CallError, match=line):
        gritmill.validate("nowhere", **options)
