import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import files
from pipeline.faults import CallError
from pipeline.files.publish import publish_json
from pipeline.ids import RangeId
from pipeline.plan.find_sources import find_sources
from pipeline.plan.plan import PLAN_NAME, Plan, read_plan
from pipeline.plan.plan_sources import check_readable, compare_sources, plan_sources
from tests import shelf
from tests.pipeline.making import configuration, plan, samples, stored, tar

TABLE = '{"image": "1.png", "caption": "a dog"}\n'


def test_sources_are_sorted_and_each_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b/x.jsonl", "a/x.jsonl", "c.jsonl"):
        stored(tmp_path / name, TABLE)
    monkeypatch.chdir(tmp_path)
    inputs = [str(tmp_path / "c.jsonl"), "b/x.jsonl", f"{tmp_path}/*/x.jsonl", "file://" + str(tmp_path / "c.jsonl")]
    found = find_sources(inputs)
    assert [info.uri for info in found] == [str(tmp_path / name) for name in ("a/x.jsonl", "b/x.jsonl", "c.jsonl")]


def test_a_folder_gives_the_sources_that_lie_in_it(tmp_path: Path) -> None:
    for name in ("b.tar", "a.jsonl", "notes.txt", "deeper/c.tar"):
        stored(tmp_path / "in" / name, "")
    found = find_sources([str(tmp_path / "in")])
    assert [files.name(info.uri) for info in found] == ["a.jsonl", "b.tar"]


def test_a_prefix_of_an_object_store_gives_the_sources_that_lie_in_it(tmp_path: Path) -> None:
    shelf.use(tmp_path)
    for name in ("in/b.tar", "in/a.jsonl", "in/notes.txt", "in/deeper/c.tar"):
        shelf.put(f"shelf://data/{name}", b"")
    assert [info.uri for info in find_sources(["shelf://data/in"])] == [
        "shelf://data/in/a.jsonl",
        "shelf://data/in/b.tar",
    ]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("*.tar", "matches no file"), ("nowhere.tar", "no such file"), ("nowhere/*.tar", "matches no file")],
)
def test_an_input_that_names_nothing_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    stored(tmp_path / "a.jsonl", TABLE)
    with pytest.raises(CallError, match=rf"^--input: .*: {reason}$"):
        find_sources([str(tmp_path / "a.jsonl"), str(tmp_path / name)])


def test_ranges_follow_from_the_input_and_the_size_of_a_chunk(tmp_path: Path) -> None:
    stored(tmp_path / "a.jsonl", "".join(f'{{"image": "{i}.png", "caption": "c{i}"}}\n' for i in range(20)))
    stored(tmp_path / "b.tar", tar(samples(3)))
    made = plan([tmp_path / "b.tar", tmp_path / "a.jsonl"], chunk={"pairs": 2})
    assert [source.kind for source in made.sources] == ["jsonl", "webdataset"]
    assert [[spec.pairs for spec in source.ranges] for source in made.sources] == [[8, 8, 4], [None]]
    assert list(made.range_ids()) == [RangeId(0, 0), RangeId(0, 1), RangeId(0, 2), RangeId(1, 0)]
    assert made.range(RangeId(0, 2)) == (made.sources[0], made.sources[0].ranges[2])


def test_one_bad_source_among_good_ones_is_a_planned_fault(tmp_path: Path) -> None:
    stored(tmp_path / "a.tar", "no tar")
    stored(tmp_path / "b.jsonl", TABLE)
    bad, good = plan([tmp_path / "a.tar", tmp_path / "b.jsonl"]).sources
    assert (bad.ranges, good.fault) == ((), "")
    assert bad.fault.startswith("not a tar")
    assert "\n" not in bad.fault


def test_nothing_but_unreadable_sources_is_refused(tmp_path: Path) -> None:
    for name in ("a.tar", "b.parquet", "c.json"):
        stored(tmp_path / name, "junk")
    with pytest.raises(CallError, match=r"^--input: .*a\.tar: not a tar"):
        check_readable(plan([tmp_path / name for name in ("c.json", "b.parquet", "a.tar")]).sources)


def test_a_table_without_its_columns_is_refused_even_among_good_ones(tmp_path: Path) -> None:
    stored(tmp_path / "a.jsonl", TABLE)
    stored(tmp_path / "b.csv", "picture,words\n1,2\n")
    with pytest.raises(CallError, match=r"^source\.columns\.caption: .*b\.csv has no column"):
        plan([tmp_path / "a.jsonl", tmp_path / "b.csv"])


def test_a_source_of_unknown_kind_is_refused(tmp_path: Path) -> None:
    stored(tmp_path / "words.txt", TABLE)
    with pytest.raises(CallError, match=r"source\.kind"):
        plan([tmp_path / "words.txt"])
    assert [source.kind for source in plan([tmp_path / "words.txt"], source={"kind": "jsonl"}).sources] == ["jsonl"]


def test_a_plan_survives_json(tmp_path: Path) -> None:
    stored(tmp_path / "a.jsonl", TABLE * 20)
    stored(tmp_path / "b.tar", "no tar")
    made = replace(plan([tmp_path / "a.jsonl", tmp_path / "b.tar"], chunk={"bytes": "1MB"}), limit=7)
    assert read_plan(str(tmp_path / "detections")) is None
    publish_json(str(tmp_path / "detections" / PLAN_NAME), made.to_json())
    assert read_plan(str(tmp_path / "detections")) == made
    assert Plan.from_json(json.loads(json.dumps(made.to_json()))) == made


def test_a_plan_of_another_format_is_refused(tmp_path: Path) -> None:
    stored(tmp_path / "a.jsonl", TABLE)
    value = {**plan([tmp_path / "a.jsonl"]).to_json(), "format": 99}
    with pytest.raises(CallError, match=r"plan\.json: format 99 cannot be read"):
        Plan.from_json(value)


def test_equal_input_gives_equal_plans(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl", "c.jsonl"):
        stored(tmp_path / name, TABLE * 9)
    names = [tmp_path / name for name in ("a.jsonl", "b.jsonl", "c.jsonl")]
    assert plan(names).to_json() == plan([*names[::-1], tmp_path / "*.jsonl"]).to_json()


def test_unchanged_sources_pass_and_new_ones_are_told(tmp_path: Path) -> None:
    stored(tmp_path / "b.jsonl", TABLE)
    made = plan([tmp_path / "b.jsonl"])
    assert compare_sources(made, find_sources([str(tmp_path / "b.jsonl")])) == ([], {})
    new = stored(tmp_path / "a.jsonl", TABLE)
    assert compare_sources(made, find_sources([f"{tmp_path}/*.jsonl"])) == ([new], {})


def test_a_missing_source_is_refused(tmp_path: Path) -> None:
    stored(tmp_path / "a.jsonl", TABLE)
    stored(tmp_path / "b.jsonl", TABLE)
    made = plan([tmp_path / "a.jsonl", tmp_path / "b.jsonl"])
    with pytest.raises(CallError, match=r"^--input: .*a\.jsonl is not among the inputs"):
        compare_sources(made, find_sources([str(tmp_path / "b.jsonl")]))


def test_a_source_of_another_size_or_time_has_changed(tmp_path: Path) -> None:
    stored(tmp_path / "a.jsonl", TABLE)
    made = plan([tmp_path / "a.jsonl"])
    stamp = os.stat(tmp_path / "a.jsonl").st_mtime
    stored(tmp_path / "a.jsonl", TABLE * 2)
    os.utime(tmp_path / "a.jsonl", (stamp, stamp))
    larger = find_sources([str(tmp_path / "a.jsonl")])
    assert compare_sources(made, larger) == ([], {0: larger[0]})
    stored(tmp_path / "a.jsonl", TABLE)
    os.utime(tmp_path / "a.jsonl", (stamp, stamp + 10))
    later = find_sources([str(tmp_path / "a.jsonl")])
    assert compare_sources(made, later) == ([], {0: later[0]})


def test_no_source_makes_an_empty_plan() -> None:
    assert plan_sources([], configuration()) == []


def test_on_an_object_store(tmp_path: Path) -> None:
    shelf.use(tmp_path)
    shelf.put("shelf://data/a.tar", tar(samples(2)))
    shelf.put("shelf://data/b.jsonl", TABLE.encode())
    made = plan(["shelf://data/*"])
    assert [(source.uri, source.kind, len(source.ranges)) for source in made.sources] == [
        ("shelf://data/a.tar", "webdataset", 1),
        ("shelf://data/b.jsonl", "jsonl", 1),
    ]
    publish_json(f"shelf://out/detections/{PLAN_NAME}", made.to_json())
    assert read_plan("shelf://out/detections") == made
    assert compare_sources(made, find_sources(["shelf://data/*"])) == ([], {})
