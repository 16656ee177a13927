"""Rows of a custom stage: complete and of the table's types; otherwise the error names their pair."""

import pickle
from dataclasses import replace

import pyarrow as pa
import pytest

from gritmill import Stage
from pipeline.ids import ChunkId
from pipeline.stages.run_stage import StageHandler
from pipeline.stages.runner import StageRunner
from pipeline.tables.table import Table
from transforms.records import Chunk, FailureStage, Fault, Pair, Reason

PAIRS = tuple(Pair(f"k{n}", "s", n, "a dog", data=b"jpeg") for n in range(3))
FAILED = PAIRS[0].failed(Fault(FailureStage.IMAGE, Reason.TRUNCATED))
GONE = PAIRS[1].failed(Fault(FailureStage.FETCH, Reason.GONE, "a.jpg"))


class Light(Stage):
    name = table = "light"

    def __init__(self, answer=None):
        self.answer = answer or (lambda pair: {"mean": 0.1, "words": []})
        self.seen = []

    def columns(self):
        return [
            pa.field("mean", pa.float32(), nullable=False),
            pa.field("words", pa.list_(pa.string()), nullable=False),
        ]

    def load(self):
        return self

    def process(self, pairs):
        return [row for pair in pairs for row in [self.answer(pair)] if row is not None]

    def probe(self):
        pass

    def update(self, pair, row):
        self.seen.append((row["mean"], row["words"]))
        return pair


def test_later_stages_see_rows_as_they_are_kept_whether_they_are_new_or_committed(tmp_path):
    table, stage = Table(str(tmp_path / "light"), Light().schema, parents=("detections",)), Light()
    chunk = Chunk(0, 0, 0, (*PAIRS, FAILED, GONE), digests={"detections": "a"})
    done = StageRunner(stage).run(chunk, table)
    kept = pa.scalar(0.1, pa.float32()).as_py()
    assert stage.seen == [(kept, [])] * 3 + [(0.0, [])] * 2
    assert [row["key"] for row in done.rows] == ["k0", "k1", "k2", "k0", "k1"]
    assert [row["error"] and row["error"]["reason"] for row in done.rows] == [None, None, None, None, "gone"]
    table.commit(ChunkId(0, 0, 0), done.rows, {}, {"detections": "a"})
    again = Light(lambda pair: pytest.fail("computed again"))
    taken = StageRunner(again).run(chunk, table)
    assert again.seen == stage.seen
    assert taken.digests.keys() == {"detections", "light"}
    other = StageRunner(Light()).run(replace(chunk, digests={"detections": "b"}), table)
    assert "light" not in other.digests


@pytest.mark.parametrize(
    ("row", "detail"),
    [
        (None, "the stage returned 0 rows for 1 pair"),
        ({"mean": 0.1}, "the row has no words"),
        ({"mean": None, "words": []}, "ValueError: column mean must not contain null; make it nullable"),
        ({"mean": "bright", "words": []}, "Could not convert 'bright' with type str"),
        (
            {"mean": 0.1, "words": [], "sharp": True},
            "ValueError: unknown column sharp; use key, index, mean, words, error",
        ),
    ],
)
def test_a_row_that_does_not_fit_is_the_failure_of_its_pair(row, detail):
    stage = Light(lambda pair: row if pair.index == 1 else {"mean": 0.5, "words": ["a"]})
    rows = StageRunner(stage).process(PAIRS)
    assert [one["mean"] for one in rows] == [0.5, 0.0, 0.5]
    assert [bool(one["error"]) for one in rows] == [False, True, False]
    assert detail in rows[1]["error"]["detail"]
    assert rows[1]["error"]["stage"] == "light"


class Threaded(Light):
    threads = 1

    def with_threads(self, threads):
        stage = Threaded()
        stage.threads = threads
        return stage

    def load(self):
        return self.threads


def test_threads_arrive_on_a_worker_where_the_stage_is_made_again():
    stage = Threaded()
    stage.origin = Threaded, ()
    handler = pickle.loads(pickle.dumps(StageHandler(stage, Table("nowhere", stage.schema), threads=3)))
    assert handler.load_model()._load() == 3
    assert StageRunner(stage)._load() == 1
