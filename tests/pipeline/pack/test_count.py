import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.files.typed import as_json
from pipeline.ids import ChunkId, RangeId
from pipeline.pack.count import count_range
from pipeline.pack.ledger import ChunkCount, Ledger, RangeCount, add_failures
from pipeline.pack.select_rows import AMBIGUOUS_LEFT_OUT
from pipeline.tables.detections import open_detections
from tests.pipeline.builders import CAPTION, commit, grounded
from transforms.annotations.columns import AnnotationColumns
from transforms.records import Box, Chunk, FailureStage, Fault, ImageRef, Pair, Phrase, Reason
from transforms.selection.judge import Kept, Policy, judge
from transforms.selection.threshold_sweep import rank_candidates
from transforms.settings import SelectionSettings, TextSettings

POLICY = Policy(SelectionSettings(), 0.5, TextSettings())
RAW = Pair("k", "/data/a.tar", 0, CAPTION, ImageRef("/data/a.tar", -1, 512, 10), width=8, height=6)


def committed(folder: Path, *chunks: list[Pair]) -> str:
    for number, pairs in enumerate(chunks):
        commit(str(folder), Chunk(0, 0, number, tuple(pairs)))
    return str(folder)


def test_every_row_is_counted_once(tmp_path: Path) -> None:
    kept = grounded(RAW)
    failed = RAW.failed(Fault(FailureStage.IMAGE, Reason.TRUNCATED))
    folder = committed(
        tmp_path,
        [kept, failed, replace(kept, image=replace(RAW.image, length=7)), grounded(RAW, score=0.25)],
        [replace(RAW, caption=" "), RAW, failed],
    )
    open_detections(folder).finish(RangeId(0, 0), 2, ["cut or broken at byte 7"])
    count, _ = count_range(folder, RangeId(0, 0), None, POLICY)
    digests = [chunk.digest for chunk in open_detections(folder).read_summary(RangeId(0, 0)).chunks]
    assert count.chunks == [
        ChunkCount(ChunkId(0, 0, 0), 2, 17, digests[0]),
        ChunkCount(ChunkId(0, 0, 1), 0, 0, digests[1]),
    ]
    assert count.read == 7
    assert count.rejected == {"no_box": 1, "no_caption": 1, "no_phrase": 1}
    assert count.failed == {"image": {"truncated": 2}}
    assert count.faults == ["cut or broken at byte 7"]
    assert count.failed_examples == {"image: truncated": "k of /data/a.tar: "}
    assert count.rejected_examples == {
        "no_box": f"k of /data/a.tar: {CAPTION!r}",
        "no_phrase": f"k of /data/a.tar: {CAPTION!r}",
        "no_caption": "k of /data/a.tar: its other fields: none",
    }


def test_phrases_that_share_their_boxes_are_counted(tmp_path: Path) -> None:
    caption = "a dog on the left, a dog on the right"
    phrases = (Phrase(0, 5, 2, 5, 0, 17), Phrase(19, 24, 21, 24, 19, 37))
    boxes = tuple(Box(n, x, 0.25, x + 0.25, 0.5, 0.75) for n in range(2) for x in (0.0, 0.5))
    pair = replace(RAW, caption=caption, phrases=phrases, boxes=boxes)
    folder = committed(tmp_path, [grounded(RAW), pair], [pair])
    count, _ = count_range(folder, RangeId(0, 0), 2, POLICY)
    assert (count.read, count.rejected) == (3, {"no_box": 2})
    assert json.dumps(count.left_out) == json.dumps({AMBIGUOUS_LEFT_OUT: 4})  # no integer of numpy
    assert list(count.left_out_examples.values()) == ["k of /data/a.tar"]
    high = replace(POLICY, threshold=0.8)  # no box of these phrases reaches it
    assert count_range(folder, RangeId(0, 0), 2, high)[0].left_out == {}
    first = replace(POLICY, selection=SelectionSettings(ambiguous_phrases="first"))
    count, _ = count_range(folder, RangeId(0, 0), 2, first)
    assert (count.rejected, count.left_out) == ({}, {})


def test_boxes_of_the_source_are_never_ambiguous(tmp_path: Path) -> None:
    """A source may say that two phrases name one thing, as the chains of Flickr30k Entities do."""
    caption = "a man in a hat rides while the man in front waves"
    phrases = (Phrase(0, 14, 2, 5, 0, 14), Phrase(27, 43, 31, 34, 27, 43))
    boxes = tuple(Box(number, 0.25, 0.25, 0.5, 0.75, 1.0) for number in range(2))
    pair = replace(RAW, caption=caption, phrases=phrases, boxes=boxes, meta='{"objects": [[2, 1, 4, 4], [2, 1, 4, 4]]}')
    folder = committed(tmp_path, [pair, replace(pair, meta='{"objects": null}')])
    policy = replace(POLICY, given=AnnotationColumns(boxes=("objects",), format="xyxy"))
    count, _ = count_range(folder, RangeId(0, 0), 1, policy)
    assert (count.rejected, count.left_out) == (
        {"no_box": 1},
        {AMBIGUOUS_LEFT_OUT: 2},
    )
    kept = judge(pair, policy)
    assert isinstance(kept, Kept)
    assert [grounding.phrase for grounding in kept.groundings] == [phrases[0]]
    assert [grounding.phrase for grounding in rank_candidates(pair, policy)] == [phrases[0]]


def test_an_image_that_was_not_downloaded_is_a_rejected_pair_everywhere(tmp_path: Path) -> None:
    lost = RAW.failed(Fault(FailureStage.READ, Reason.NOT_DOWNLOADED, "failed_to_download: HTTP Error 404"))
    folder = committed(tmp_path, [grounded(RAW), lost])
    count, _ = count_range(folder, RangeId(0, 0), 1, POLICY)
    assert (count.read, count.rejected, count.failed) == (2, {"not_downloaded": 1}, {})
    assert list(count.rejected_examples.values()) == ["k of /data/a.tar: failed_to_download: HTTP Error 404"]
    [entry] = open_detections(folder).entries(RangeId(0, 0), False)
    assert (entry.rows, entry.failed) == (2, {})


def test_a_pair_without_caption_names_the_fields_that_its_source_has(tmp_path: Path) -> None:
    folder = committed(tmp_path, [replace(RAW, caption="", meta='{"url": "x", "alt": "a dog"}')])
    [example] = count_range(folder, RangeId(0, 0), 1, POLICY)[0].rejected_examples.values()
    assert example.endswith(": its other fields: url, alt")


def test_another_threshold_keeps_other_pairs(tmp_path: Path) -> None:
    folder = committed(tmp_path, [grounded(RAW, score=score) for score in (0.25, 0.5, 0.75)])
    for score, kept in ((0.25, 3), (0.5, 2), (0.75, 1), (1.0, 0)):
        count, _ = count_range(folder, RangeId(0, 0), 1, Policy(SelectionSettings(), score, TextSettings()))
        assert [chunk.kept for chunk in count.chunks] == [kept]
        assert count.rejected == ({"no_box": 3 - kept} if kept < 3 else {})


def test_a_caption_that_a_dialect_cannot_carry_is_rejected_with_its_reason(tmp_path: Path) -> None:
    folder = committed(tmp_path, [grounded(replace(RAW, caption=f"{CAPTION} <phrase>"))])
    count, _ = count_range(folder, RangeId(0, 0), 1, POLICY)
    [reason] = count.rejected
    assert reason.startswith("kosmos2_")
    assert [(chunk.chunk, chunk.kept, chunk.bytes) for chunk in count.chunks] == [(ChunkId(0, 0, 0), 0, 0)]


def test_of_a_range_that_is_not_done_its_first_chunks_count(tmp_path: Path) -> None:
    folder = committed(tmp_path, [grounded(RAW)])
    assert count_range(folder, RangeId(0, 0), 1, POLICY)[0].read == 1
    assert count_range(folder, RangeId(0, 1), 0, POLICY)[0] == RangeCount(RangeId(0, 1))


def test_failures_add_up_by_stage_and_reason() -> None:
    total = {"read": {"no_image": 1}}
    add_failures(
        total, {FailureStage.READ: {Reason.NO_IMAGE: 2, Reason.ENCODING: 1}, FailureStage.FETCH: {Reason.GONE: 1}}
    )
    assert total == {"read": {"no_image": 3, "encoding": 1}, "fetch": {"gone": 1}}
    assert all(type(key) is str for reasons in (dict.fromkeys(total, 0), *total.values()) for key in reasons)


STAGES = st.dictionaries(
    st.sampled_from(["read", "image"]), st.dictionaries(st.sampled_from(["a", "b"]), st.integers(1, 9)), max_size=2
)


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.dictionaries(st.sampled_from("xyz"), st.integers(1, 9)), STAGES), max_size=5
    ),
    st.data(),
)
def test_read_is_written_and_rejected_and_failed(
    ranges: list[tuple[int, dict[str, int], dict[str, dict[str, int]]]], data: st.DataObject
) -> None:
    counts = []
    for number, (kept, rejected, failed) in enumerate(ranges):
        identity = RangeId(0, number)
        read = kept + sum(rejected.values()) + sum(n for reasons in failed.values() for n in reasons.values())
        chunks = [ChunkCount(ChunkId(0, number, 0), kept, 0)]
        counts.append(RangeCount(identity, chunks, read, rejected, failed))
    kept = sum(kept for kept, _, _ in ranges)
    gone = data.draw(st.integers(0, kept))
    ledger = Ledger.add_up(counts, kept - gone, [{"fetch": {"gone": gone}} if gone else {}, {}])
    assert ledger.read == ledger.written + ledger.rejected_pairs + ledger.failed_pairs
    assert sum(pairs for _, _, pairs in ledger.outcomes()) == ledger.read
    assert list(ledger.rejected) == sorted(ledger.rejected)
    assert list(ledger.failed) == sorted(ledger.failed)


def test_nothing_at_all_balances() -> None:
    assert as_json(Ledger.add_up([], 0, [])) == {"read": 0, "written": 0, "rejected": {}, "failed": {}}


@pytest.mark.parametrize("reason", list(Reason))
def test_reasons_are_written_as_plain_text(reason: Reason) -> None:
    count = RangeCount(RangeId(0, 0), [], 2, {reason: 1}, {FailureStage.READ: {reason: 1}})
    value = as_json(Ledger.add_up([count], 0, []))
    assert (
        str(value)
        == f"{{'read': 2, 'written': 0, 'rejected': {{'{reason}': 1}}, 'failed': {{'read': {{'{reason}': 1}}}}}}"
    )
