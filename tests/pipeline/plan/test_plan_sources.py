import os
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.faults import CallError
from pipeline.ids import RangeId
from pipeline.plan.find_sources import find_sources
from pipeline.plan.plan_sources import check_readable, compare_sources
from tests.pipeline.builders import plan, samples, stored, tar
from tests.pipeline.plan.test_plan import TABLE

COCO = '{"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [{"id": 1, "image_id": 1, "caption": "a dog"}]}'


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


def test_what_an_earlier_release_planned_and_is_no_source_may_be_missing(tmp_path: Path) -> None:
    stored(tmp_path / "00000.tar", tar(samples(3)))
    stored(tmp_path / "00000_stats.json", '{"count": 3}')
    made = plan([tmp_path / "00000_stats.json"])
    made = replace(made, sources=(*plan([tmp_path / "00000.tar"]).sources, *made.sources))
    assert made.sources[1].fault
    assert compare_sources(made, find_sources([f"{tmp_path}/*"])) == ([], {})


def test_a_planned_source_without_ranges_may_be_left_out_if_it_exists(tmp_path: Path) -> None:
    stored(tmp_path / "captions_val2017.json", COCO)
    stored(tmp_path / "image_info_val2017.json", '{"images": []}')
    made = plan([tmp_path / "captions_val2017.json"])
    [planned] = plan([tmp_path / "image_info_val2017.json"]).sources
    assert planned.fault
    made = replace(made, sources=(*made.sources, planned))
    found = find_sources([f"{tmp_path}/*"])
    assert len(found) == 1
    assert compare_sources(made, found) == ([], {})
    (tmp_path / "image_info_val2017.json").unlink()
    with pytest.raises(CallError, match="is missing"):
        compare_sources(made, found)


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


def test_a_picture_that_is_added_changes_its_folder(tmp_path: Path) -> None:
    for name in ("a/1.jpg", "a/1.txt", "b/1.jpg", "b/1.txt"):
        stored(tmp_path / name, "x")
    made = plan([tmp_path])
    assert compare_sources(made, find_sources([str(tmp_path)])) == ([], {})
    stored(tmp_path / "b/2.jpg", "x")
    stored(tmp_path / "c/1.jpg", "x")
    stored(tmp_path / "c/1.txt", "x")
    new, changed = compare_sources(made, find_sources([str(tmp_path)]))
    assert [info.uri for info in new] == [f"{tmp_path}/c/"]
    assert {number: info.uri for number, info in changed.items()} == {1: f"{tmp_path}/b/"}
