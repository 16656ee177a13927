"""Records are compared with the detections, shard by shard."""

import hashlib
import json
import shutil
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gritmill
from gritmill.validation.detections import PackedRows
from pipeline import layout
from pipeline.faults import EnvironmentFault
from tests.gritmill.validation.repacking import ALL, PAIRS, PER_CHUNK, PER_SHARD, in_order, repacked
from tests.unsealed import unsealed

LOST = "json: uid: the detections have no such pair, or not at this place"
OTHER = "json: absent: other than by the detections"
CHANGED = {"absent": ["a purple cow"]}


def keys(out, text):
    """The keys of the samples with a fault."""
    return [finding.key for finding in gritmill.validate(out, processes=1) if finding.text == text]


def keys_of(*places):
    return [f"{place // PER_SHARD:05}{place % PER_SHARD:04}" for place in places]


def test_a_repacked_run_is_sound_apart_from_its_sums(copy, whole):
    repacked(copy, whole, in_order(*ALL))
    found = {finding.text.partition(":")[0] for finding in gritmill.validate(copy, processes=1)}
    assert found <= {"", "claims", "truth_sheet", "ledger"}


@pytest.mark.parametrize(
    ("order", "lost", "compared"),
    [
        ([*ALL[:3], 4, 3, *ALL[5:]], [], ALL),  # both are in one chunk
        ([*ALL[:2], 4, 3, 2, *ALL[5:]], [2], [*ALL[:2], *ALL[4:]]),
        ([*ALL[:8], *ALL[4:8], *ALL[8:]], [6], [*ALL[:6], *ALL[8:], *range(24, 28)]),
        ([*ALL[:8], *ALL[12:]], [], ALL[:-4]),
        ([*ALL[4:8], *ALL[:4], *ALL[8:]], [4], ALL[:4]),
        (ALL[::-1], [3, 4], ALL[:3]),
        (ALL[9:], [], ALL[:-9]),
        ([*ALL[:6], 20, *ALL[7:]], [6], [*ALL[:6], *ALL[8:]]),  # it is in no chunk up to that of the next shard
    ],
)
def test_samples_that_are_not_in_order(copy, whole, order, lost, compared):
    repacked(copy, whole, in_order(*order, changes=CHANGED))
    assert keys(copy, LOST) == keys_of(*lost)
    assert keys(copy, OTHER) == keys_of(*compared)


@pytest.mark.parametrize(("place", "compared"), [(0, []), (9, [*ALL[:9], *ALL[12:]]), (PAIRS - 1, ALL[:-1])])
def test_a_uid_of_no_pair(copy, whole, place, compared):
    shards = in_order(*ALL, changes=CHANGED)
    shards[place // PER_SHARD][place % PER_SHARD] = place, {"uid": "f" * 16}
    repacked(copy, whole, shards)
    assert keys(copy, LOST) == keys_of(place)
    assert keys(copy, OTHER) == keys_of(*compared)


@pytest.mark.parametrize("table", ["detections", "decoys"])
def test_a_damaged_chunk(copy, whole, table):
    """Nothing is known of the shards that need it, or that are looked for in it."""
    path = copy / table / "00000/00000-00002.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    repacked(copy, whole, in_order(*ALL, changes=CHANGED))
    known = keys(copy, OTHER)
    first, last = 2 * PER_CHUNK, 4 * PER_SHARD
    assert known[:first] + known[-(PAIRS - last) :] == keys_of(*ALL[:first], *ALL[last:])
    assert not {*keys_of(*ALL[first : first + PER_CHUNK])}.intersection(known)
    assert keys(copy, LOST) == []


def test_a_shard_whose_index_is_damaged_says_nothing_of_the_place(copy, whole):
    """Its first record is one of the last shard."""
    repacked(copy, whole, in_order(*ALL[:8], *ALL[20:], *ALL[12:], changes=CHANGED))
    with open(copy / layout.shard_index(2), "ab") as file:
        file.write(b"PAR1")
    assert keys(copy, OTHER) == keys_of(*ALL[:8], *ALL[12:])


def with_uid(column):
    return lambda table: table.set_column(1, "uid", column(table))


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.drop_columns(["uid"]),
        lambda table: table.slice(0, 0),
        with_uid(lambda table: table["id"]),
        with_uid(lambda table: pa.array([b"\xff"] * PER_SHARD).view(pa.string())),
        with_uid(lambda table: pa.array(["f" * 16] * PER_SHARD)),
    ],
)
def test_an_index_that_names_no_record(copy, whole, change):
    repacked(copy, whole, in_order(*ALL, changes=CHANGED))
    path = copy / layout.shard_index(2)
    pq.write_table(change(pq.read_table(path)), path)
    told(copy, path)
    assert keys(copy, OTHER)[: 3 * PER_SHARD] == keys_of(*ALL[: 3 * PER_SHARD])
    assert keys(copy, LOST) == []


def told(out, path):
    """Lets the manifest have the checksum of an index."""
    manifest = unsealed(out / "manifest.json")
    for entry in manifest["shards"]:
        if entry["index"] == str(path.relative_to(out)):
            entry["index_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (out / "manifest.json").write_text(json.dumps(manifest))


def test_shards_without_samples(copy, whole):
    repacked(copy, whole, [[], *in_order(*ALL[:8], changes=CHANGED), [], *in_order(*ALL[8:], changes=CHANGED), [], []])
    assert len(keys(copy, OTHER)) == PAIRS
    assert keys(copy, LOST) == []


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_samples_in_order_in_any_shards(whole, tmp_path, data):
    """Exactly the changed ones differ."""
    out = tmp_path / "out"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(whole, out)
    numbers = data.draw(st.sets(st.sampled_from(ALL)).map(sorted))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(numbers)), max_size=6)))
    samples = [(number, data.draw(st.sampled_from([{}, {}, CHANGED]))) for number in numbers]
    shards = [samples[start:end] for start, end in pairwise([0, *cuts, len(samples)])]
    repacked(out, whole, shards)
    changed = [(number, place) for number, some in enumerate(shards) for place, (_, how) in enumerate(some) if how]
    assert keys(out, OTHER) == [f"{number:05}{place:04}" for number, place in changed]
    assert keys(out, LOST) == []


@pytest.fixture
def many_chunks(monkeypatch):
    """Rows of 1,000 chunks of a pair each, whose uids are their numbers, and the chunks that were looked at."""
    looked = []

    def table(rows, number):
        looked.append(number)
        if number in damaged:
            raise EnvironmentFault("damaged")
        return number

    damaged = set()
    monkeypatch.setattr(PackedRows, "_table", table)
    monkeypatch.setattr("gritmill.validation.detections._uids", lambda number: {str(number)})
    return PackedRows("", None, False, False, range(1000)), looked, damaged


def spans(rows, firsts, samples=10):
    parts = rows.by_shard(map(str, firsts), [samples] * len(firsts))
    return [(part.chunks[0], part.chunks[-1]) for part in parts]


def test_the_first_chunk_of_a_shard_is_near_to_where_it_is_looked_for(many_chunks):
    rows, looked, _ = many_chunks
    assert spans(rows, range(0, 1000, 10)) == [(n, min(n + 10, 999)) for n in range(0, 1000, 10)]
    assert len(looked) == 100
    looked.clear()
    spans(rows, [n for n in range(0, 1000, 10) if n < 300 or n >= 600])  # all pairs of 300 chunks are rejected
    assert len(looked) < 1000


def test_behind_a_first_record_of_no_chunk_nothing_is_looked_for(many_chunks):
    rows, looked, _ = many_chunks
    assert spans(rows, [0, 250, -1, 750, 900]) == [(0, 250), (250, 999), (250, 999)]
    assert len(looked) < 1300


def test_a_damaged_chunk_is_looked_at_once(many_chunks):
    rows, looked, damaged = many_chunks
    damaged.add(500)
    assert spans(rows, [0, 250, 500, 750]) == [(0, 250), (250, 999), (250, 750), (750, 999)]
    assert looked.count(500) == 1
