import hashlib
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transforms.claims.verdicts import Checked, Verdict
from transforms.grit_record import COLUMNS, compose, index_schema, uid
from transforms.records import Box, Claim, ClaimKind, Grounding, Pair, Phrase
from transforms.selection.select_boxes import select
from transforms.settings import SelectionSettings
from transforms.text import dialects
from transforms.text.grounded_caption import GroundedCaption, choose_spans

# The sample record of the released GRIT on the kosmos-2 page of microsoft/unilm, without the host of its URL.
HANGER = (0.019422357885505368, 0.027634161214033764, 0.9593302408854166, 0.969467560450236, 0.67520964)
COVER = (0.019644069503434333, 0.31054004033406574, 0.9622142865754519, 0.9603442351023356, 0.79298526)
SAMPLE = {
    "key": "000373938",
    "id": 1795296605919,
    "url": "https://example.org/customerservice-1.jpg",
    "caption": "a wire hanger with a paper cover that reads we heart our customers",
    "width": 1024,
    "height": 693,
    "noun_chunks": [[19, 32, *COVER], [0, 13, *HANGER]],
    "ref_exps": [[19, 66, *COVER], [0, 66, *HANGER]],
}


def pair_of(record):
    """Returns the pair of a GRIT record, with a phrase for every distinct row of spans."""
    rows = list(zip(record["noun_chunks"], record["ref_exps"], strict=True))
    distinct = sorted({(a[0], a[1], b[0], b[1]) for a, b in rows})
    phrases = tuple(Phrase(start, end, end - 1, end, left, right) for start, end, left, right in distinct)
    boxes = tuple(Box(distinct.index((a[0], a[1], b[0], b[1])), *a[2:]) for a, b in rows)
    return Pair(
        "source key",
        "file:///grit.parquet",
        7,
        record["caption"],
        url=record["url"],
        id=str(record["id"]),
        width=record["width"],
        height=record["height"],
        phrases=phrases,
        boxes=boxes,
    )


def paired_rows(record):
    return {(tuple(a), tuple(b)) for a, b in zip(record["noun_chunks"], record["ref_exps"], strict=True)}


def test_grits_own_sample_comes_back_with_the_same_paired_rows():
    pair = pair_of(SAMPLE)
    record = compose(SAMPLE["key"], pair, select(pair, SelectionSettings(), 0.65))
    assert paired_rows(record) == paired_rows(SAMPLE)
    assert {name: record[name] for name in ("key", "id", "url", "caption", "width", "height")} == {
        name: SAMPLE[name] for name in ("key", "id", "url", "caption", "width", "height")
    }
    assert paired_rows(json.loads(json.dumps(record))) == paired_rows(SAMPLE)


@pytest.mark.model
@pytest.mark.parametrize(("policy", "boxes"), [("longest", [HANGER]), ("densest", [HANGER, COVER])])
def test_grits_own_sample_has_the_patch_indices_that_transformers_gives(policy, boxes):
    from transformers.models.kosmos2.processing_kosmos2 import coordinate_to_patch_index

    pair = pair_of(SAMPLE)
    chosen = choose_spans(select(pair, SelectionSettings(), 0.65), policy)
    text = dialects.find("kosmos2").encode(GroundedCaption(pair.caption, chosen, pair.width, pair.height))
    expected = [coordinate_to_patch_index(box[:4], 32) for box in boxes]
    for first, last in expected:
        assert f"<object><patch_index_{first:04}><patch_index_{last:04}></object>" in text
    assert text.count("<object>") == len(expected)
    assert dialects.find("kosmos2").decode(text).caption == SAMPLE["caption"]


PHRASE = Phrase(2, 5, 2, 5, 0, 9)
GROUNDINGS = [
    Grounding(PHRASE, Box(0, 0.25, 0.25, 0.5, 0.75, 0.9)),
    Grounding(PHRASE, Box(0, 0, 0, 1, 1, 0.5)),
    Grounding(Phrase(6, 9, 6, 9, 6, 9), Box(1, 0, 0, 1, 1, 0.5)),
]


def test_every_field_is_there_for_every_pair():
    empty = compose("000000000", Pair("", "s", 0, ""), [])
    full = compose("000010002", Pair("k", "s", 3, "a dog cat", meta='{"a": 1}', id="5", url="u"), GROUNDINGS)
    assert tuple(empty) == tuple(full) == tuple(column.name for column in COLUMNS)
    assert (empty["id"], empty["url"], empty["meta"], empty["noun_chunks"]) == (0, "", "{}", [])
    assert (full["source_key"], full["meta"]) == ("k", '{"a": 1}')


def test_rows_have_seven_values_with_integer_offsets_and_pair_up():
    record = compose("k", Pair("k", "s", 0, "a dog cat"), GROUNDINGS)
    for name in ("noun_chunks", "ref_exps"):
        assert [len(row) for row in record[name]] == [7, 7, 7]
        assert all(type(offset) is int for row in record[name] for offset in row[:2])
        assert all(type(value) in (float, int) for row in record[name] for value in row[2:])
    assert record["noun_chunks"][0] == [2, 5, 0.25, 0.25, 0.5, 0.75, 0.9]
    assert record["ref_exps"][0] == [0, 9, 0.25, 0.25, 0.5, 0.75, 0.9]
    assert record["heads"] == [[2, 5], [2, 5], [6, 9]]


CLAIMS = (
    Claim(ClaimKind.COUNT, 0, 1, 0, 5, "at_least", 1),
    Claim(ClaimKind.RELATION, 2, 5, 0, 5, "between", negated=True, objects=(2, 5, 6, 9)),
    Claim(ClaimKind.RELATION, 2, 5, 0, 5, "picture_left"),
)
CHECKED = (
    Checked(Verdict.SUPPORTED, {"boxes": 2, "groups": 0}),
    Checked(Verdict.UNDECIDED),
    Checked(Verdict.CONTRADICTED, {"x": 0.75, "y": 0.1235}),
)


def test_claims_have_their_verdicts_and_numbers():
    record = compose("k", Pair("k", "s", 0, "a dog cat", claims=CLAIMS), GROUNDINGS, CHECKED)
    count, relation, place = record["claims"]
    assert count == {
        "kind": "count",
        "words": [0, 1],
        "subject": [0, 5],
        "object": [],
        "predicate": "at_least",
        "number": 1,
        "negated": False,
        "verdict": "supported",
        "measured": '{"boxes":2,"groups":0}',
    }
    assert (relation["object"], relation["negated"], relation["measured"]) == ([[2, 5], [6, 9]], True, "{}")
    assert (place["object"], place["verdict"], json.loads(place["measured"])) == (
        None,
        "contradicted",
        {"x": 0.75, "y": 0.1235},
    )
    assert json.loads(json.dumps(record)) == record


def test_the_record_of_a_run_that_reads_no_claims_has_no_such_field():
    record = compose("k", Pair("k", "s", 0, "a dog cat"), GROUNDINGS, None)
    names = [column.name for column in COLUMNS if column.name != "claims"]
    assert [*record] == index_schema(claims=False).names == names
    assert pa.Table.from_pylist([record], index_schema(claims=False)).to_pylist() == [record]


def test_each_claim_has_one_verdict():
    with pytest.raises(ValueError, match="zip"):
        compose("k", Pair("k", "s", 0, "a dog cat", claims=CLAIMS), GROUNDINGS, CHECKED[:2])


def test_records_fit_the_index_schema_and_come_back_from_it(tmp_path):
    records = [
        compose("0", Pair("", "s", 0, ""), []),
        compose("1", Pair("k", "s", 1, "a dog cat", claims=CLAIMS), GROUNDINGS, CHECKED),
    ]
    table = pa.Table.from_pylist(records, schema=index_schema())
    assert table.to_pylist() == records
    pq.write_table(table, tmp_path / "index.parquet")
    assert pq.read_table(tmp_path / "index.parquet").schema.field("claims").type == table.schema.field("claims").type
    assert pq.read_table(tmp_path / "index.parquet").to_pylist() == records


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1795296605919", 1795296605919),
        ("-5", -5),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), 0),
        ("", 0),
        ("image-17", 0),
        ("1.5", 0),
    ],
)
def test_an_id_is_an_integer_of_64_bits_or_0(text, number):
    assert compose("k", Pair("k", "s", 0, "c", id=text), [])["id"] == number


def test_uid_is_that_of_source_and_index_alone():
    assert uid("file:///a.tar", 3) == hashlib.blake2b(b"file:///a.tar\n3", digest_size=8).hexdigest()
    assert uid("file:///ä.tar", 3) != uid("file:///a.tar", 3) != uid("file:///a.tar", 4)
    assert compose("x", Pair("k", "s", 3, "c"), [])["uid"] == compose("y", Pair("m", "s", 3, "d"), [])["uid"]
