"""A complete run with input and output in an object store that is neither a disk nor HDFS."""

from pathlib import Path

import pytest

import gritmill
from tests import fake_object_store, sample_pairs

pytestmark = pytest.mark.usefixtures("short_settling")


@pytest.fixture
def config(parser):
    return sample_pairs.settings(parser, "tests.plugin_detectors:factory", shards={"pairs": 8})


def stored(folder, bucket):
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file():
            fake_object_store.put(f"shelf://{bucket}/{path.relative_to(folder)}", path.read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize("kind", [sample_pairs.as_tars, sample_pairs.as_jsonl, sample_pairs.as_parquet])
def test_the_same_samples_as_on_a_disk(tmp_path, config, kind):
    fake_object_store.use(tmp_path / "shelf")
    name = Path(kind(sample_pairs.drawn(20), tmp_path / "in")).name
    stored(tmp_path / "in", "pairs")
    manifest = gritmill.run(config, inputs=[f"shelf://pairs/{name}"], output="shelf://out")
    assert manifest["ledger"]["written"] == 20
    assert [finding.text for finding in gritmill.validate("shelf://out")] == [""] * 20
    gritmill.run(config, inputs=[str(tmp_path / "in" / name)], output=str(tmp_path / "out"))
    for there, here in zip(gritmill.read("shelf://out"), gritmill.read(str(tmp_path / "out")), strict=True):
        assert (there.jpeg, there.grounded, there.key) == (here.jpeg, here.grounded, here.key)
        assert {**there.record, "uid": ""} == {**here.record, "uid": ""}  # the URI is part of it


def test_running_again_resumes_and_fresh_moves_aside(tmp_path, config):
    fake_object_store.use(tmp_path / "shelf")
    sample_pairs.as_tars(sample_pairs.drawn(12), tmp_path / "in")
    stored(tmp_path / "in", "pairs")
    call = {"inputs": ["shelf://pairs/*.tar"], "output": "shelf://out"}
    first = gritmill.run(config, **call)
    assert gritmill.run(config, **call) == first
    events = [line.split()[1] for line in fake_object_store.path_of("shelf://out/run.log").read_text().splitlines()]
    assert events == [
        *("start", "plan", "range", "range", "shard", "shard", "end"),
        *("start", "plan", "done", "done", "end"),
    ]
    gritmill.ground({**config, "chunk": {"pairs": 2}}, fresh=True, **call)
    assert fake_object_store.objects("shelf://out/detections.1/plan.json")
    assert not fake_object_store.objects("shelf://out/.gritmill.heartbeat.json")


def test_a_missing_object_is_named(tmp_path, config):
    fake_object_store.use(tmp_path / "shelf")
    with pytest.raises(gritmill.CallError, match=r"--input: shelf://pairs/none\.tar: no such file"):
        gritmill.run(config, inputs=["shelf://pairs/none.tar"], output="shelf://out")
