"""The shards of an export, written by several processes."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from gritmill import exports
from gritmill.exports import shards, write_shard
from gritmill.exports.export import export
from gritmill.exports.options import ExportOptions
from gritmill.main import _error_line, main
from gritmill.reading import TarEntry
from pipeline import layout
from pipeline.faults import CallError, EnvironmentFault
from pipeline.layout import TEMPORARY
from pipeline.pack.manifest import need_manifest
from tests import sample_pairs
from tests.loaded_modules import loaded_modules
from transforms.culprits import RemoteTraceback, message_of
from transforms.isolation.child_process import ChildProcess

ROOT = Path(__file__).parents[3]
export_module = import_module(export.__module__)  # the package has a function of this name


def files_of(folder):
    return sample_pairs.files_of(folder, "**/*")


@pytest.mark.parametrize("name", ["odvg", "coco", "hf", "relations"])
def test_any_number_of_processes_writes_the_same_bytes(finished, tmp_path, monkeypatch, name):
    options = ExportOptions(allow_blind=name == "relations", quads=name == "relations")
    whole = export(finished, name, tmp_path / "whole", options)
    written = []
    write = shards.write_shard
    monkeypatch.setattr(shards, "write_shard", lambda *given: written.append(given[1]) or write(*given))
    assert export(finished, name, tmp_path / "two", options, processes=2) == whole
    assert written == []  # by this process
    assert files_of(tmp_path / "two") == files_of(tmp_path / "whole")
    for path in (*tmp_path.glob("two/export.json"), *tmp_path.glob("two/parts/0000[02]*")):
        path.unlink()
    resumed = export(finished, name, tmp_path / "two", options, processes=1)
    again = export(finished, name, tmp_path / "two", options)
    assert resumed == again == whole
    assert [*resumed["figures"]] == [*again["figures"]] == [*whole["figures"]]  # in this order they are printed
    assert written == [0, 2]
    assert files_of(tmp_path / "two") == files_of(tmp_path / "whole")


def test_a_shard_is_marked_as_done_when_all_of_its_files_are_on_the_disk(finished, tmp_path, monkeypatch):
    synced, at_mark, publish = set(), {}, export_module.publish_typed
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.add(os.fstat(descriptor).st_ino))

    def noting(uri, value):
        at_mark[Path(uri).name] = {path for path in tmp_path.rglob("*.*") if path.stat().st_ino not in synced}
        publish(uri, value)

    monkeypatch.setattr(export_module, "publish_typed", noting)
    export(finished, "yolo", tmp_path)
    names = [layout.EXPORT_MARKER, *(f"{number:05}_done.json" for number in range(3)), layout.EXPORT]
    assert list(at_mark) == names
    assert {path.name for unsynced in at_mark.values() for path in unsynced} <= {layout.LOCK}
    assert len(list(tmp_path.glob("images/*/*.jpg"))) > 20


@pytest.fixture
def plugin(install):
    """Installs a format of `tests.plugin_exports` as `mine`."""
    return lambda name: install(exports.GROUP, f"mine = tests.plugin_exports:{name}")


def test_by_default_only_built_in_formats_have_several_processes(plugin, finished, tmp_path, monkeypatch):
    monkeypatch.setattr(export_module, "_SAMPLES_PER_PROCESS", 3)
    monkeypatch.setattr("gritmill.shard_processes.available_cores", lambda: 2)
    plugin("Pids")
    with pytest.warns(UserWarning, match="a warning"):
        export(finished, "mine", tmp_path / "one")
    assert {path.read_text() for path in tmp_path.glob("one/?.txt")} == {str(os.getpid())}
    export(finished, "mine", tmp_path / "two", processes=2)
    pids = {path.read_text() for path in tmp_path.glob("two/?.txt")}
    assert len(pids) == 2
    assert str(os.getpid()) not in pids
    monkeypatch.setattr(shards, "write_shard", None)  # of this process
    export(finished, "grit", tmp_path / "grit")


@pytest.mark.parametrize("number", [0, -1, 257])
def test_a_senseless_number_of_processes_is_refused_before_anything_is_written(finished, tmp_path, capsys, number):
    with pytest.raises(CallError, match=f"^--processes: {number}: it must be between 1 and 256$"):
        export(finished, "odvg", tmp_path / "out", processes=number)
    with pytest.raises(SystemExit) as ended:
        main(f"export {finished} --to odvg --output {tmp_path}/out --processes {number}".split())
    assert ended.value.code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Broken", r"--to: mine: shard 1: KeyError: 'picture' \(.*plugin_exports.py:\d+\)$"),
        ("Killed", r"00001.tar: .* ended \(killed by SIGKILL\); .* with fewer --processes, or with --processes 1$"),
        ("FullDisk", r"--to: mine: shard 1: OSError: \[Errno 28\] No space left on device: '.*1.txt' \(.*:\d+\)$"),
    ],
)
def test_a_fault_in_a_process_is_one_line_and_leaves_nothing_unfinished(plugin, finished, tmp_path, name, problem):
    plugin(name)
    with pytest.raises(EnvironmentFault, match=problem):
        export(finished, "mine", tmp_path, processes=3)
    assert unfinished(tmp_path) == []
    assert not (tmp_path / "parts/00001_done.json").exists()


def test_an_exception_that_cannot_be_sent_is_the_same_line():
    """As those of clients of stores."""

    class ClientError(Exception):
        pass

    error = ClientError("no such key")
    with pytest.raises(RuntimeError) as sent:
        raise RuntimeError(message_of(error)) from RemoteTraceback.of(error)
    assert _error_line(sent.value) == _error_line(error) == "ClientError: no such key (GRITMILL_DEBUG=1 shows where)"


def job_of(run, target, to="odvg"):
    """The job of the children of an export, and the entry of the first shard."""
    manifest = need_manifest(run)
    return (
        write_shard.Job(
            to,
            ExportOptions(),
            str(run),
            hashlib.sha256((run / "manifest.json").read_bytes()).hexdigest(),
            write_shard.digest_shards(manifest),
            (("claims", list), ("absent", list)),
            str(target),
            os.getppid(),
            None,
        ),
        TarEntry.of(manifest.shards[0]),
    )


def test_a_run_that_is_packed_again_before_a_process_opens_it_is_not_mixed(finished, tmp_path):
    job, entry = job_of(finished, tmp_path)
    with pytest.raises(EnvironmentFault, match="the run was packed again during the export"):
        write_shard.write_in_child(replace(job, manifest="of another one", run="of other shards"), 0, entry)
    assert list(tmp_path.iterdir()) == []


def test_a_run_whose_manifest_alone_is_another_one_is_exported(finished, tmp_path):
    job, entry = job_of(finished, tmp_path)
    counts = write_shard.write_in_child(replace(job, manifest="of another one"), 0, entry)
    assert counts["samples"] == entry.samples > 0


def test_a_run_that_is_packed_again_while_a_process_reads_it_is_not_mixed(finished, tmp_path):
    job, entry = job_of(finished, tmp_path)
    with pytest.raises(EnvironmentFault, match="the run was packed again while it was read"):
        write_shard.write_in_child(replace(job, run="of other shards"), 0, entry._replace(sha256="of another one"))


def test_a_shard_that_is_damaged_is_named_by_a_process(finished, tmp_path):
    job, entry = job_of(finished, tmp_path)
    with pytest.raises(EnvironmentFault, match=r"00000\.tar: the SHA-256 differs from the manifest; "):
        write_shard.write_in_child(job, 0, entry._replace(sha256="of another one"))


@pytest.mark.parametrize(
    ("to", "heavy"),
    [("odvg", set()), ("instructions", set()), ("grit", {"numpy", "pyarrow"}), ("tsv", {"numpy", "pyarrow"})],
)
def test_a_process_imports_little(finished, tmp_path, to, heavy):
    job, entry = job_of(finished, tmp_path, to)
    child = ChildProcess()
    child.call(write_shard.write_in_child, replace(job, parent=os.getpid()), 0, entry)
    loaded = child.call(loaded_modules)
    child.close()
    few = {"torch", "transformers", "spacy", "apache_beam", "fsspec", "numpy", "pyarrow", "pydantic", "yaml"}
    assert loaded & few == heavy


@pytest.fixture
def started(plugin, finished, tmp_path, monkeypatch):
    """An export by two processes that are in the midst of their shards."""
    plugin("Slow")
    monkeypatch.chdir(tmp_path)
    call = f"-m gritmill export {finished} --to mine --output {tmp_path}/out --processes 2".split()
    environment = {**os.environ, "PYTHONPATH": f"{sys.path[0]}:{ROOT}"}
    with subprocess.Popen(
        [sys.executable, *call], env=environment, start_new_session=True, stderr=subprocess.PIPE, text=True
    ) as process:
        while not all((tmp_path / "out" / number / "3.txt").exists() for number in "01"):
            assert process.poll() is None
            time.sleep(0.01)
        yield process
        process.kill()


def unfinished(folder):
    return [path.name for path in folder.rglob(f"{TEMPORARY}*")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_all_processes_and_leaves_nothing_unfinished(started, tmp_path, number):
    os.killpg(started.pid, number)
    assert started.wait(20) == 130
    assert started.stderr.read() == "gritmill: interrupted; run the same command to resume\n"
    with pytest.raises(ProcessLookupError):
        os.killpg(started.pid, 0)
    assert unfinished(tmp_path) == []


def test_processes_whose_parent_was_killed_write_nothing_into_the_next_call(started, finished, tmp_path):
    started.kill()
    started.wait()
    Path("go").touch()
    export(finished, "mine", tmp_path / "out", processes=1)
    names = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    while True:  # until all have ended
        try:
            os.killpg(started.pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.01)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == names
    assert unfinished(tmp_path) == []
    assert {(tmp_path / f"out/{number}.txt").read_text() for number in range(3)} == {str(os.getpid())}
