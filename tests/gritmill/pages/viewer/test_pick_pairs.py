"""Which pairs are shown, and how few files are read for them."""

import json
from collections import Counter

import pytest

from gritmill.pages.viewer.pick_pairs import pick_pairs
from pipeline.ids import RangeId
from pipeline.plan.plan import Plan, PlannedSource, read_plan
from pipeline.sources import RangeSpec
from pipeline.tables.detections import open_detections, read_all
from pipeline.tables.table import Table
from tests.gritmill.pages.viewer.conftest import policy_of
from tests.pipeline.builders import commit
from transforms.records import Box, Chunk, FailureStage, Fault, Pair, Phrase, Reason
from transforms.selection.judge import Kept, judge


@pytest.fixture
def run(finished):
    folder = str(finished / "detections")
    return folder, read_plan(folder), policy_of(json.loads((finished / "manifest.json").read_text()))


def test_the_same_seed_picks_the_same_pairs_in_input_order(run):
    first, again, other = (pick_pairs(*run, 20, seed) for seed in (0, 0, 1))
    assert first == again
    assert [p.pair.index for p in first] == sorted({p.pair.index for p in first})
    assert {p.pair.index for p in first} != {p.pair.index for p in other}
    assert len(first) == len(other) == 20


def test_all_pairs_are_picked_where_there_are_no_more(run):
    picked = pick_pairs(*run, 1000, 0)
    assert [one.pair for one in picked] == list(read_all(run[0]))
    assert all(one.outcome == judge(one.pair, run[2]) for one in picked)


@pytest.mark.parametrize("seed", range(5))
def test_every_way_to_be_rejected_or_to_fail_is_among_them(run, seed):
    ways = {("rejected", "", reason) for reason in ("no_caption", "no_phrase", "no_box", "kosmos2_markup")}
    picked = {one.outcome_key for one in pick_pairs(*run, 20, seed)}
    assert picked == {("kept", "", ""), ("failed", "image", "not_an_image"), *ways}


def big_run(folder, configuration, ranges, rows=20, chunks=2):
    """A plan and detections of one source. The last pair has failed."""
    specs = tuple(RangeSpec({"row": number}, rows * chunks) for number in range(ranges))
    source = PlannedSource("/none.jsonl", "jsonl", 1, 1.0, specs)
    plan = Plan("a fingerprint", configuration, {}, None, (source,), None)
    for number in range(ranges):
        for chunk in range(chunks):
            first = (number * chunks + chunk) * rows
            pairs = [made_pair(first + row) for row in range(rows)]
            if number == ranges - 1:
                pairs[-1] = pairs[-1].failed(Fault(FailureStage.IMAGE, Reason.TRUNCATED))
            commit(folder, Chunk(0, number, chunk, tuple(pairs)))
        open_detections(folder).finish(RangeId(0, number), chunks, ())
    return plan


def made_pair(index):
    box = Box(0, 0.25, 0.25, 0.5, 0.5, (index % 100) / 100)
    return Pair(str(index), "/none.jsonl", index, "a dog", phrases=(Phrase(0, 5, 2, 5, 0, 5),), boxes=(box,))


@pytest.mark.parametrize("ranges", [20, 60])
def test_the_number_of_files_that_are_read_does_not_grow_with_the_run(tmp_path, run, monkeypatch, ranges):
    plan = big_run(str(tmp_path), run[1].configuration, ranges)
    opened = Counter()
    for name in ("read", "read_summary"):
        original = getattr(Table, name)

        def counting(*words, _name=name, _original=original):
            opened[_name] += 1
            return _original(*words)

        monkeypatch.setattr(Table, name, counting)
    picked = pick_pairs(str(tmp_path), plan, run[2], 50, 3)
    assert opened == {"read": 16, "read_summary": 16}
    assert len({one.pair.index for one in picked}) == 50
    assert len({one.pair.index // 40 for one in picked}) > 8
    assert any(isinstance(one.outcome, Kept) for one in picked)


def test_small_chunks_are_read_until_there_are_enough(tmp_path, run):
    plan = big_run(str(tmp_path), run[1].configuration, 30, rows=2)
    assert len(pick_pairs(str(tmp_path), plan, run[2], 50, 0)) == 50
    assert len(pick_pairs(str(tmp_path), plan, run[2], 500, 0)) == 120


def test_a_range_that_is_not_done_is_sampled_too(tmp_path, run):
    plan = big_run(str(tmp_path), run[1].configuration, 3)
    (tmp_path / "00000/00001.done.json").unlink()
    assert {one.pair.index // 40 for one in pick_pairs(str(tmp_path), plan, run[2], 60, 0)} == {0, 1, 2}
