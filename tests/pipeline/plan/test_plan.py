from dataclasses import replace
from pathlib import Path

from pipeline.plan.find_sources import find_sources
from pipeline.plan.plan import read_plan, write_plan
from pipeline.plan.plan_sources import compare_sources, plan_sources
from tests import fake_object_store
from tests.pipeline.builders import configuration, plan, samples, stored, tar

TABLE = '{"image": "1.png", "caption": "a dog"}\n'


def test_a_plan_survives_json(tmp_path: Path) -> None:
    stored(tmp_path / "a.jsonl", TABLE * 20)
    stored(tmp_path / "b.tar", "no tar")
    made = replace(plan([tmp_path / "a.jsonl", tmp_path / "b.tar"], chunk={"bytes": "1MB"}), limit=7)
    assert read_plan(str(tmp_path / "detections")) is None
    write_plan(str(tmp_path / "detections"), made)
    assert read_plan(str(tmp_path / "detections")) == made


def test_equal_input_gives_equal_plans(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl", "c.jsonl"):
        stored(tmp_path / name, TABLE * 9)
    names = [tmp_path / name for name in ("a.jsonl", "b.jsonl", "c.jsonl")]
    assert plan(names) == plan([*names[::-1], tmp_path / "*.jsonl"])


def test_no_source_makes_an_empty_plan() -> None:
    assert plan_sources([], configuration()) == []


def test_on_an_object_store(tmp_path: Path) -> None:
    fake_object_store.use(tmp_path)
    fake_object_store.put("shelf://data/a.tar", tar(samples(2)))
    fake_object_store.put("shelf://data/b.jsonl", TABLE.encode())
    made = plan(["shelf://data/*"])
    assert [(source.uri, source.kind, len(source.ranges)) for source in made.sources] == [
        ("shelf://data/a.tar", "webdataset", 1),
        ("shelf://data/b.jsonl", "jsonl", 1),
    ]
    write_plan("shelf://out/detections", made)
    assert read_plan("shelf://out/detections") == made
    assert compare_sources(made, find_sources(["shelf://data/*"])) == ([], {})
