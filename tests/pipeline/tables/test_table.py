"""A table of any columns: the guard, the first commit, parents, and columns that a version adds."""

from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.faults import EnvironmentFault
from pipeline.files.guards import Guard
from pipeline.ids import ChunkId, RangeId
from pipeline.tables.row_files import ERROR_FIELD
from pipeline.tables.table import Committed, Table
from tests import fake_object_store

CHUNK, RANGE = ChunkId(0, 0, 0), RangeId(0, 0)


def first_schema() -> pa.Schema:
    return pa.schema([pa.field("mean", pa.float32(), nullable=False), ERROR_FIELD])


def second_schema() -> pa.Schema:
    added = [
        pa.field("words", pa.list_(pa.string()), nullable=False),
        pa.field("spread", pa.struct([pa.field("low", pa.int8(), nullable=False)]), nullable=False),
        pa.field("note", pa.string(), nullable=True),
        pa.field("sharp", pa.bool_(), nullable=False),
    ]
    return pa.schema([*added[:2], *first_schema(), *added[2:]])


@pytest.fixture(params=["local", "shelf"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Table:
    fake_object_store.use(tmp_path)
    folder = str(tmp_path / "out/light") if request.param == "local" else "shelf://out/light"
    return Table(folder, first_schema, parents=("detections",))


def test_what_the_guard_forbids_leaves_nothing(table: Table, tmp_path: Path) -> None:
    asked = []

    def refuse() -> bool:
        asked.append(table.all_chunks())
        return False

    assert table.commit(CHUNK, [{"mean": 1.0}], {}, guard=refuse) is None
    assert table.commit(CHUNK, [{"mean": 1.0}], {}) is not None
    table.finish(RANGE, 1, [], guard=refuse)
    assert asked == [[], [CHUNK]]  # right before each file becomes visible
    assert not table.is_finished(RANGE)
    assert not [path for path in tmp_path.rglob("*") if "tmp" in path.name]


def test_the_first_commit_stays_unless_it_was_made_from_other_parents_or_is_replaced(table: Table) -> None:
    first = table.commit(CHUNK, [{"mean": 1.0}], {}, {"detections": "a"})
    again = table.commit(CHUNK, [{"mean": 2.0}], {}, {"detections": "a"})
    assert first is not None
    assert again is not None
    assert (first.digest, first.ours, again.ours) == (again.digest, True, False)
    assert table.find(CHUNK, {"detections": "a"}).digest == first.digest  # type: ignore[union-attr]
    assert table.find(CHUNK, {"detections": "b"}) is None
    for mean, parent, replaces in ((3.0, "b", None), (4.0, "b", "")):
        table.commit(CHUNK, [{"mean": mean}], {}, {"detections": parent}, replaces=replaces)
        assert table.read(CHUNK)["mean"].to_pylist() == [mean]
    table.finish(RANGE, 1, [])
    (entry,) = table.read_summary(RANGE).chunks
    assert (entry.rows, entry.parents) == (1, {"detections": "b"})
    assert table.entries(RANGE, False) == (entry,)


def test_a_retry_that_is_done_twice_replaces_rows_once(table: Table) -> None:
    """On a GPU, the second time may give other digits, while the summary has the digest of the first ones."""
    failed = table.commit(CHUNK, [{"mean": 1.0}], {})
    assert failed is not None
    done = table.commit(CHUNK, [{"mean": 2.0}], {}, replaces=failed.digest)
    again = table.commit(CHUNK, [{"mean": 3.0}], {}, replaces=failed.digest)
    assert done is not None
    assert again is not None
    assert (done.ours, again.ours, again.digest) == (True, False, done.digest)
    assert table.read(CHUNK)["mean"].to_pylist() == [2.0]
    table.finish(RANGE, 1, [])
    late = table.commit(CHUNK, [{"mean": 4.0}], {}, replaces=done.digest)
    assert late is not None
    assert not late.ours
    assert table.read(CHUNK, table.read_summary(RANGE).chunks[0].digest)["mean"].to_pylist() == [2.0]


def test_of_two_workers_at_one_chunk_the_first_one_wins(table: Table) -> None:
    """The second one finds no rows when it looks, and rows when it publishes its own."""
    firsts: list[Committed | None] = []

    def overtaken(mean: float) -> Guard:
        def guard() -> bool:
            firsts.append(table.commit(CHUNK, [{"mean": mean}], {}))
            return True

        return guard

    second = table.commit(CHUNK, [{"mean": 2.0}], {}, guard=overtaken(1.0))
    assert second == Committed(firsts[0].digest, ours=False)  # type: ignore[union-attr]
    assert table.read(CHUNK)["mean"].to_pylist() == [1.0]
    other = ChunkId(0, 0, 1)
    same = table.commit(other, [{"mean": 1.0}], {}, guard=lambda: bool(table.commit(other, [{"mean": 1.0}], {})))
    assert same is not None
    assert same.ours  # a client repeats a request that had arrived


def test_a_summary_lists_no_chunk_behind_the_last_one(table: Table) -> None:
    """A source that is read again may have fewer chunks than before."""
    for number in range(3):
        table.commit(ChunkId(0, 0, number), [{"mean": 1.0}], {})
    table.finish(RANGE, 2, ["cut"])
    assert [entry.chunk for entry in table.read_summary(RANGE).chunks] == [0, 1]
    assert table.read_summary(RANGE).faults == ("cut",)


def test_columns_that_a_file_of_an_earlier_version_lacks_hold_their_empty_values(table: Table) -> None:
    table.commit(CHUNK, [{"mean": 1.0}, {"error": {"stage": "light", "reason": "crash", "detail": ""}}], {})
    later = Table(table.uri, second_schema, version=2)
    assert later.read(CHUNK).schema == second_schema()
    assert (
        later.read(CHUNK).drop_columns(["error", "mean"]).to_pylist()
        == [{"words": [], "spread": {"low": 0}, "note": None, "sharp": False}] * 2
    )
    assert later.read(CHUNK)["mean"].to_pylist() == [1.0, 0.0]


def test_a_file_of_a_later_version_is_one_line(table: Table) -> None:
    Table(table.uri, second_schema, version=2).commit(CHUNK, [{"mean": 1.0}], {})
    with pytest.raises(EnvironmentFault, match=r"00000-00000.parquet: format 2 is from a later release .* up to 1"):
        table.read(CHUNK)
