"""Complete runs in an object store, through a real client and a server on loopback."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest
import webdataset as wds
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

import gritmill
from pipeline import layout
from pipeline.files import remote
from pipeline.ids import RangeId
from pipeline.tables.table import Listing, Table
from tests import plugin_detectors, sample_pairs
from tests.s3_server import BUCKET, failing, serving

ROOT = Path(__file__).parents[2]
OUT = f"s3://{BUCKET}/out"
NOT_COMPARED = ("run.log", "report.", "detections/timings/", "detections/.gritmill.models")
"""What depends on time, and a cache."""


@pytest.fixture
def store(monkeypatch):
    with serving(monkeypatch) as server:
        yield server
    remote._CREATE_ONLY.clear()


@pytest.fixture(scope="module")
def config(parser):
    return sample_pairs.settings(parser, "tests.plugin_detectors:factory", shards={"pairs": 8}, chunk={"pairs": 5})


@pytest.fixture
def call(store, config, tmp_path):
    """A run of 20 pairs in two tars; nothing is done yet."""
    sample_pairs.as_tars(sample_pairs.drawn(20), tmp_path / "in")
    for path in sorted((tmp_path / "in").iterdir()):
        store.put(f"in/{path.name}", path.read_bytes())
    return {"config": config, "inputs": [f"s3://{BUCKET}/in/*.tar"], "output": OUT}


def content(store):
    """The files of the run by name, without those that depend on time."""
    found = {key.removeprefix("out/"): data for key, data in store.objects().items() if key.startswith("out/")}
    return {key: data for key, data in found.items() if not key.startswith(NOT_COMPARED)}


@contextmanager
def process(tmp_path, call, *words) -> Iterator[subprocess.Popen]:
    (tmp_path / "own.yaml").write_text(json.dumps(call["config"]))
    line = ["-m", "gritmill", "run", str(tmp_path / "own.yaml"), "--input", *call["inputs"], "--output", OUT, *words]
    with subprocess.Popen([sys.executable, *line], cwd=ROOT, stderr=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def wait_for(condition, seconds=600):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.05)


def test_a_run_is_that_of_a_disk_and_is_found_done(store, call, tmp_path, monkeypatch):
    manifest = gritmill.run(**call)
    assert manifest["ledger"]["written"] == 20
    here = gritmill.run(**{**call, "inputs": [str(tmp_path / "in" / "*.tar")], "output": str(tmp_path / "out")})
    assert {**here, "fingerprints": 0, "shards": 0} == {**manifest, "fingerprints": 0, "shards": 0}
    for there, sample in zip(gritmill.read(OUT), gritmill.read(str(tmp_path / "out")), strict=True):
        assert (there.jpeg, there.texts, there.key) == (sample.jpeg, sample.texts, sample.key)
        assert {**there.record, "uid": ""} == {**sample.record, "uid": ""}  # the URI is part of it
    before = content(store)
    store.requests.clear()
    assert gritmill.run(**call) == manifest
    assert content(store) == before
    assert not [request for request in store.requests if request.startswith("PUT") and "run.log" not in request][2:]
    assert [finding.text for finding in gritmill.validate(OUT)] == [""] * 20
    monkeypatch.setitem(wds.gopen_schemes, "s3", lambda url, mode="rb", bufsize=8192: fsspec.open(url, mode).open())
    shards = [f"{OUT}/{shard['tar']}" for shard in manifest["shards"]]
    keys = [sample["__key__"] for sample in wds.WebDataset(shards, shardshuffle=False)]
    assert keys == [sample.key for sample in gritmill.read(OUT)]
    assert store.unfinished_uploads() == []
    assert not [key for key in store.objects() if ".gritmill-tmp" in key or "heartbeat" in key]


def test_sources_are_listed_by_the_thousand_and_none_is_left_out(store):
    table = Table(f"{OUT}/detections", dict)
    ranges = [RangeId(source, 0) for source in (0, 999, 1_000, 12_345, 99_999, 100_000, 123_456)]
    for range_id in ranges:
        for name in (layout.chunk(range_id.chunk(0)), layout.range_summary(range_id)):
            store.put(f"out/detections/{name}", b"x")
        store.put(f"out/detections/{layout.timing(range_id.chunk(0))}", b"x")
    store.put("out/detections/plan.json", b"x")
    whole = table.listing()
    assert (sorted(whole.chunks), sorted(whole.finished)) == ([one.chunk(0) for one in ranges], ranges)
    store.requests.clear()
    assert table.listing(sources=123_457) == whole
    assert len(store.requests) == 100
    assert table.listing(open_only=True, sources=123_457) == replace(whole, chunks={})
    assert sorted(table.finished_ranges(1_000)) == ranges[:2]
    assert table.listing(sources=0).finished == {RangeId(0, 0), RangeId(999, 0)}
    assert Table(f"{OUT}/none", dict).listing(sources=5_000) == Listing({}, frozenset())


@pytest.mark.slow
def test_a_store_without_conditional_writes_is_told(store, call, capsys):
    store.conditional = False
    gritmill.run(**call, quiet=False)
    line = f"s3://{BUCKET} has no conditional writes; what is written is read back instead"
    assert f"ground: {line}\n" in capsys.readouterr().err
    assert f" store {line}\n" in store.objects()["out/run.log"].decode()
    assert len(list(gritmill.read(OUT))) == 20


@pytest.mark.slow
def test_a_run_through_storms_gives_the_same_bytes(store, call):
    gritmill.run(**call)
    wanted = content(store)
    for key in [key for key in store.objects() if key.startswith("out/")]:
        store.client.delete_object(Bucket=BUCKET, Key=key)
    turn = iter(range(10**9))
    answers = (None, None, None, 503, None, None, 0.05, None, None, 500, None, None, None, 0)
    store.faults.append(lambda method, path: answers[next(turn) % len(answers)])
    gritmill.run(**call)
    store.faults.clear()
    assert content(store) == wanted


@pytest.mark.slow
@pytest.mark.parametrize(
    "suffix", ["00000/00000-00001.parquet", "00001/00000.done.json", "shards/00000.tar", "out/manifest.json"]
)
def test_a_run_that_is_killed_while_it_uploads_goes_on(store, call, tmp_path, monkeypatch, suffix):
    gritmill.run(**{**call, "output": f"{OUT}2"})
    monkeypatch.setattr("pipeline.files.lock._STALE_SECONDS", 0.0)
    store.faults.append(failing(30.0, method="PUT", suffix=suffix))
    store.requests.clear()
    with process(tmp_path, call) as running:
        wait_for(lambda: any(r.startswith("PUT") and r.endswith(suffix) for r in store.requests) or running.poll())
        assert running.poll() is None, running.stderr.read()
        os.kill(running.pid, signal.SIGKILL)
    store.faults.clear()
    gritmill.run(**call)
    wanted = {k.removeprefix("out2/"): v for k, v in store.objects().items() if k.startswith("out2/")}
    found = content(store)
    assert {key: data for key, data in wanted.items() if key in found} == found
    assert len(list(gritmill.read(OUT))) == 20


@pytest.mark.slow
def test_a_retry_that_is_killed_right_after_a_commit_goes_on(store, call, tmp_path, monkeypatch):
    detector = {**call["config"]["detector"], "model": "tests.plugin_detectors:passing"}
    call["config"] = {**call["config"], "detector": detector}
    monkeypatch.setattr(plugin_detectors.Passing, "sick", True)
    gritmill.ground(**call)
    monkeypatch.setattr(plugin_detectors.Passing, "sick", False)
    from pipeline.tables.table import Table

    commit, done = Table.commit, []

    def killed_after(*args, **options):
        done.append(commit(*args, **options))
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Table, "commit", killed_after)
        with pytest.raises(BaseException):  # noqa: B017, PT011
            gritmill.ground(**call, retry_failed=True)
    assert done
    gritmill.ground(**call)
    manifest = gritmill.pack(call["config"], output=OUT)
    assert manifest["ledger"]["failed"] == {}
    gritmill.run(**{**call, "output": f"{OUT}2"})
    rows, whole = (
        {key.removeprefix(place): data for key, data in store.objects().items() if key.startswith(place)}
        for place in ("out/detections/0", "out2/detections/0")
    )
    assert rows == whole


@pytest.mark.slow
def test_of_two_drivers_at_once_one_is_refused(store, call, tmp_path):
    store.faults.append(failing(2.0, 2.0, 2.0, method="PUT", suffix="plan.json"))
    with process(tmp_path, call) as first:
        wait_for(lambda: any("heartbeat" in request and request.startswith("PUT") for request in store.requests))
        with process(tmp_path, call) as second:
            _, said = second.communicate(timeout=120)
            assert second.returncode == 2
            assert "another run" in said
        assert first.wait(120) == 0
    assert len(list(gritmill.read(OUT))) == 20


class Samples(IterableDataset):
    """As users write it: each worker takes its share of the samples."""

    def __iter__(self):
        worker = get_worker_info()
        for number, sample in enumerate(gritmill.read(OUT)):
            if number % worker.num_workers == worker.id:
                yield sample.key


@pytest.mark.slow
def test_workers_of_a_data_loader_that_are_forked_read_a_run(store, call):
    gritmill.run(**call)
    assert len(list(gritmill.read(OUT))) == 20  # the parent has a client by now
    keys = list(DataLoader(Samples(), batch_size=None, num_workers=2, multiprocessing_context="fork", timeout=60))
    assert sorted(keys) == [sample.key for sample in gritmill.read(OUT)]


@pytest.mark.slow
def test_a_run_is_viewed_and_exported(store, call, tmp_path):
    gritmill.run(**call)
    assert gritmill.view(OUT, tmp_path / "page")["kept"] == 20
    exported = gritmill.export(OUT, "coco", f"s3://{BUCKET}/coco")
    assert exported["figures"]["samples"] == 20
    assert len(json.loads(store.objects()["coco/instances.json"])["images"]) == 20
    gritmill.pack({**call["config"], "text": {"dialect": "shikra"}}, output=OUT, fresh=True)
    assert len(list(gritmill.read(OUT))) == 20
