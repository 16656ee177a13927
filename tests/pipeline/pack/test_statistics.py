import json
import random
from dataclasses import asdict
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from hypothesis import given
from hypothesis import strategies as st

from pipeline.pack.count import judge_rows
from pipeline.pack.select_rows import SelectedRows
from pipeline.pack.statistics import NEAREST, Nearest, NearThreshold, Statistics, Values, add_up
from pipeline.tables.pair_rows import SCHEMA, to_row
from transforms.records import Box, FailureStage, Fault, ImageRef, Pair, Phrase, Reason
from transforms.selection.judge import Policy
from transforms.selection.threshold_sweep import THRESHOLDS
from transforms.settings import SelectionSettings, TextSettings

POLICY = Policy(SelectionSettings(), 0.5, TextSettings())
CAPTION = "a red dog near two cats"


def pair(*scores: float) -> Pair:
    """One box per phrase and score, far from each other: "a red dog near two cats" and "two cats" alternate."""
    phrases = (Phrase(0, 9, 6, 9, 0, 23), Phrase(15, 23, 19, 23, 15, 23))
    found = tuple(Box(i % 2, i / 8, 0.0, i / 8 + 0.125, 0.5, score) for i, score in enumerate(scores))
    return Pair("k", "s", 0, CAPTION, ImageRef("s"), width=64, height=48, phrases=phrases, boxes=found)


def of(pairs: list[Pair], chunk: int = 0) -> Statistics:
    total = Statistics.empty(0.5)
    add(total, pairs, chunk)
    total.truncate_heads()
    return total


def add(total: Statistics, pairs: list[Pair], chunk: int = 0, policy: Policy = POLICY) -> None:
    table = pa.Table.from_pylist([to_row(one) for one in pairs], SCHEMA)
    for _ in judge_rows(SelectedRows.from_table(table, policy.selection, 0.0), policy, (0, 0, chunk), total):
        pass


def test_what_a_few_pairs_give() -> None:
    failed = pair(0.9).failed(Fault(FailureStage.BOXES, Reason.CRASH))
    found = of([pair(0.90625, 0.5), pair(0.25), pair(0.75, 0.75, 0.5), pair(), failed]).summary(0.05)
    table = asdict(found.thresholds)
    rows = {score: (p, q, b) for score, p, q, b in zip(*table.values(), strict=True)}
    assert list(table) == ["score", "pairs", "phrases", "boxes"]
    assert (min(rows), max(rows), len(rows)) == (0.05, 1.0, 96)
    assert {score: rows[score] for score in (0.05, 0.25, 0.26, 0.5, 0.51, 0.75, 0.76, 0.9, 0.91)} == {
        0.05: (3, 5, 6),
        0.25: (3, 5, 6),
        0.26: (2, 4, 5),
        0.5: (2, 4, 5),
        0.51: (2, 3, 3),
        0.75: (2, 3, 3),
        0.76: (1, 1, 1),
        0.9: (1, 1, 1),
        0.91: (0, 0, 0),
    }
    shown = found.histograms
    assert shown.boxes_per_pair == Values((2, 3), (1, 1))
    assert shown.phrase_words == Values((2, 6), (2, 2))
    assert shown.heads == (("cats", 2), ("dog", 2))
    assert sum(shown.score.counts) == sum(shown.box_area.counts) == 5
    assert shown.score.counts[45] == 1
    assert shown.box_area.counts[3] == 5
    assert found.nearest == Nearest(
        (NearThreshold(0.25, (0, 0, 0, 2), 0.75), NearThreshold(0.40625, (0, 0, 0, 0), 0.90625)),
        (NearThreshold(0.25, (0, 0, 0, 1), 0.25),),
    )


def test_the_table_begins_at_the_floor_wherever_that_lies() -> None:
    found = Statistics.empty(0.02)
    policy = Policy(SelectionSettings(), 0.02, TextSettings())
    for scores in ((0.057,), (0.9,)):
        add(found, [pair(*scores)], policy=policy)
    table = found.summary(0.055).thresholds
    assert table.score[:3] == (0.055, 0.06, 0.07)
    assert table.pairs[:3] == (2, 1, 1)


def test_only_the_nearest_pairs_are_remembered() -> None:
    scores = [0.5 + i / 1024 for i in range(-60, 61) if i]
    random.Random(0).shuffle(scores)
    found = of([pair(score) for score in scores])
    assert [near.score for near in found.kept] == sorted(score for score in scores if score > 0.5)[:NEAREST]
    assert [near.score for near in found.missed] == sorted((s for s in scores if s < 0.5), reverse=True)[:NEAREST]


SCORES = st.lists(st.sampled_from([0.06, 0.25, 0.49, 0.5, 0.51, 0.75, 1.0]), max_size=4)


@given(st.lists(st.lists(SCORES, max_size=5), max_size=5), st.randoms(use_true_random=False))
def test_parts_add_up_in_any_order(parts: list[list[list[float]]], chance: random.Random) -> None:
    counted = [of([pair(*scores) for scores in part], number) for number, part in enumerate(parts)]
    whole = Statistics.empty(0.5)
    for number, part in enumerate(parts):
        add(whole, [pair(*scores) for scores in part], number)
    chance.shuffle(counted)
    half = chance.randint(0, len(counted))
    assert add_up([add_up(counted[:half], 0.5), add_up(counted[half:], 0.5)], 0.5) == whole


def test_in_a_pipeline(tmp_path: Path) -> None:
    parts = [of([pair(0.90625)], number) for number in range(4)]
    out = str(tmp_path / "out")
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        total = pipeline | beam.Create(parts) | beam.CombineGlobally(add_up, 0.5).without_defaults()
        total | beam.Map(lambda whole: json.dumps(whole.summary(0.0).thresholds.pairs)) | beam.io.WriteToText(out)
    (file,) = tmp_path.glob("out*")
    assert json.loads(file.read_text()) == [4] * 91 + [0] * (len(THRESHOLDS) - 91)


def test_near_pairs_are_ordered_by_distance_then_by_place() -> None:
    assert (
        NearThreshold(0.1, (0, 0, 0, 9), 0.6)
        < NearThreshold(0.1, (0, 0, 1, 0), 0.4)
        < NearThreshold(0.2, (0, 0, 0, 0), 0.7)
    )
