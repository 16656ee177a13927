import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gritmill.exports.export import ExportMarker, ExportSummary, PartDone
from pipeline import layout
from pipeline.configuration import Configuration
from pipeline.faults import CallError, EnvironmentFault
from pipeline.files.typed import Typed, as_json, is_intact, json_bytes, publish_typed, read_many, read_typed
from pipeline.ids import ChunkId, RangeId
from pipeline.pack.manifest import Manifest, read_manifest
from pipeline.pack.report import Report
from pipeline.pack.shard_stats import ShardStats
from pipeline.pack.statistics import StatisticsFile
from pipeline.plan.plan import Plan, read_plan
from pipeline.tables.range_summary import ChunkEntry, RangeSummary, Timing

RELEASED = Path(__file__).resolve().parents[2] / "data/released/finished"
TABLE = RELEASED / layout.DETECTIONS
KINDS = {
    Plan: TABLE / layout.PLAN,
    RangeSummary: TABLE / layout.range_summary(RangeId(0, 0)),
    Timing: TABLE / layout.timing(ChunkId(0, 0, 0)),
    Manifest: RELEASED / layout.MANIFEST,
    ShardStats: RELEASED / layout.shard_stats(0),
    StatisticsFile: RELEASED / layout.STATISTICS,
    Report: RELEASED / layout.REPORT,
}
"""A file of each kind as an earlier release wrote it."""

EXPORTS = (ExportMarker("a"), PartDone({"samples": 1}), ExportSummary("hf", "a", {"samples": 1}, {}))


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_an_earlier_release_is_read_and_written_as_it_was(kind: type[Typed], tmp_path: Path) -> None:
    value = read_typed(str(KINDS[kind]), kind)
    publish_typed(str(tmp_path / "again.json"), value)
    before, again = (json.loads(path.read_bytes()) for path in (KINDS[kind], tmp_path / "again.json"))
    assert len(again.pop("checksum")) == 32  # newer than this release
    for one in (before, again):
        if "configuration" in one:
            one["configuration"] = Configuration.complete(one["configuration"])  # includes the newer keys
    assert again == before


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_bit_has_changed_in_a_file_is_harmless_or_refused(kind: type[Typed], tmp_path: Path) -> None:
    value, file = read_typed(str(KINDS[kind]), kind), tmp_path / "ours.json"
    publish_typed(str(file), value)
    written, rng = file.read_bytes(), random.Random(0)
    refused = 0
    for _ in range(100):
        place = rng.randrange(8 * len(written))
        changed = bytearray(written)
        changed[place // 8] ^= 1 << place % 8
        file.write_bytes(changed)
        line = ""
        try:
            assert read_typed(str(file), kind) == value
        except EnvironmentFault as fault:
            line = str(fault)
        assert not line or (line.startswith(f"{file}: ") and line.endswith(kind.REMEDY))
        refused += bool(line)
    assert refused > 80  # the others have hit the checksum itself


def test_a_checksum_is_that_of_the_whole_file_and_no_part_of_the_value(tmp_path: Path) -> None:
    file = tmp_path / "ours.json"
    for text in ("a", '\n  "checksum": "00000000000000000000000000000000"', "0" * 32):
        publish_typed(str(file), ExportMarker(text))
        assert read_typed(str(file), ExportMarker) == ExportMarker(text)
        assert is_intact(file.read_bytes())
        assert not is_intact(file.read_bytes().replace(b"mark", b"nark"))
        content = json.loads(file.read_bytes())
        for indent in (None, 1, 4):  # as other programs write it
            assert not is_intact(json.dumps(content, indent=indent).encode())
        assert is_intact(json.dumps({"words": ["checksum"]}).encode())
    manifest = read_typed(str(KINDS[Manifest]), Manifest)
    publish_typed(str(file), manifest)
    assert read_typed(str(file), Manifest) == manifest


@pytest.mark.parametrize("kind", [*KINDS, *map(type, EXPORTS)])
def test_a_file_not_of_its_kind_is_one_line_with_its_name_and_a_remedy(kind: type[Typed], tmp_path: Path) -> None:
    file = tmp_path / "ours.json"
    deep = '{"checksum": ' + "[" * 99_999
    for content, wrong in (("[1", "Invalid"), (deep, "recursion limit"), ("[]", "should be"), ("{}", "Field required")):
        file.write_text(content)
        with pytest.raises(EnvironmentFault) as raised:
            read_typed(str(file), kind)
        line = str(raised.value)
        assert line.startswith(f"{file}: ")
        assert line.endswith(kind.REMEDY)
        assert wrong in line
        assert "\n" not in line


def test_the_line_names_the_key(tmp_path: Path) -> None:
    value = json.loads(KINDS[Manifest].read_text("utf-8"))
    value["shards"][1]["bytes"] = "many"
    (tmp_path / layout.MANIFEST).write_text(json.dumps(value))
    with pytest.raises(EnvironmentFault, match=r"manifest\.json: .*shards\.1\.bytes: .*; run gritmill pack --fresh"):
        read_manifest(str(tmp_path))
    value = json.loads(KINDS[Plan].read_text("utf-8")) | {"format": 99}
    (tmp_path / layout.PLAN).write_text(json.dumps(value))
    with pytest.raises(CallError, match=r"plan\.json: format 99 .* reads format 1; .*ground --fresh"):
        read_plan(str(tmp_path))


def test_a_manifest_of_a_later_release_is_read_and_keeps_its_keys(tmp_path: Path) -> None:
    value = json.loads(KINDS[Manifest].read_text("utf-8"))
    for part in (value, value["ledger"], value["shards"][0], value["fingerprints"]):
        part["new"] = {"of": ["a", "later release"]}
    (tmp_path / layout.MANIFEST).write_text(json.dumps(value))
    manifest = read_manifest(str(tmp_path))
    assert manifest is not None
    assert as_json(manifest) == value
    newer = manifest.model_copy(update={"configuration": value["configuration"] | {"masks": {"model": "m"}}})
    with pytest.raises(EnvironmentFault, match=r"manifest\.json: configuration: masks: .*; another release packed"):
        print(newer.policy)
    assert manifest.ledger.read == value["ledger"]["read"]


def test_a_summary_leaves_out_what_is_empty() -> None:
    entries = (ChunkEntry(0, 2, "a"), ChunkEntry(1, 1, "b", {"gone": 1}, {"captions": "c"}))
    assert as_json(RangeSummary(1, entries, 3))["chunks"] == [
        {"chunk": 0, "rows": 2, "digest": "a"},
        {"chunk": 1, "rows": 1, "digest": "b", "failed": {"gone": 1}, "parents": {"captions": "c"}},
    ]


@dataclass(frozen=True)
class Note:
    """A kind of file that only this test knows."""

    REMEDY: ClassVar[str] = "write it anew"

    words: tuple[str, ...]
    weight: float = 1.0


def test_a_kind_from_outside_is_published_and_read(tmp_path: Path) -> None:
    notes = [Note(("a", "ä"), 0.1), Note(())]
    uris = [str(tmp_path / f"{number}.json") for number in range(2)]
    for uri, note in zip(uris, notes, strict=True):
        publish_typed(uri, note)
    assert read_many(uris, Note, lambda note: note) == notes
    written = json.loads((tmp_path / "0.json").read_text("utf-8"))
    assert {**written, "checksum": ""} == {"words": ["a", "ä"], "weight": 0.1, "checksum": ""}


def _objects(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[dict[str, Any]]:
    leaves = st.none() | st.booleans() | st.integers() | st.text() | numbers
    inner = st.recursive(
        leaves,
        lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(), values, max_size=4),
        max_leaves=12,
    )
    return st.dictionaries(st.text(), inner, max_size=4)


@given(_objects(st.floats(1e-4)))
def test_json_has_the_bytes_of_pythons_encoder(value: dict[str, Any]) -> None:
    expected = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert json_bytes(value).decode() == expected


@given(_objects(st.floats()))
def test_json_has_each_number_as_it_was(value: dict[str, Any]) -> None:
    assert repr(json.loads(json_bytes(value))) == repr(value)  # whose keys are sorted now; NaN is no equal of NaN
