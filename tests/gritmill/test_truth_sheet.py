"""The truth sheet of a run with decoys: what it counts, who has it, and that validate computes it again."""

import json
import shutil
from collections import Counter

import pyarrow.parquet as pq
import pytest

import gritmill
from gritmill.evaluation.without_truth import _with_decoys
from gritmill.exports.export import export
from gritmill.exports.options import ExportOptions
from pipeline.tables.detections import read_all
from tests import sample_pairs
from tests.gritmill.validation.test_validate import changed_record, faults, rewrite
from transforms.decoys import choose
from transforms.detectors.base import Found
from transforms.grit_record import uid
from transforms.records import Box
from transforms.selection.select_boxes import select
from transforms.settings import SelectionSettings

COLOURS, THINGS = ("red", "blue", "green", "yellow"), ("dog", "car", "tree", "boat", "cup", "kite")
CAPTIONS = [
    f"two {COLOURS[n % 4]} {THINGS[n % 6]}s near a {COLOURS[n // 2 % 4]} {THINGS[(n + 2) % 6]}" for n in range(16)
]
THRESHOLD = 0.5


class Colours:
    """Finds one of two things, and three boxes of every other one. Of decoys, the red ones have no candidate, the blue
    ones a weak one, and the yellow ones one where the caption's first thing is."""

    def detect(self, requests):
        return [Found(tuple(self.boxes(request, request.caption.endswith(".")))) for request in requests]

    def boxes(self, request, decoys):
        for n, phrase in enumerate(request.phrases):
            x = n / 8
            if not decoys:
                yield Box(n, x, 0.4, x + 0.1, 0.6, 0.9)
                if not phrase.startswith("two"):
                    yield from (Box(n, x, 0.65, x + 0.1, 0.8, 0.8), Box(n, x, 0.4, x + 0.1, 0.8, 0.7))
                yield Box(n, x, 0.9, x + 0.1, 1.0, 0.2)
            elif "yellow" in phrase:
                yield Box(n, 0.0, 0.4, 0.1, 0.6, 0.8)
            elif "red" not in phrase:
                yield Box(n, x, 0.0, x + 0.1, 0.2, 0.3 if "blue" in phrase else 0.9)


def factory(settings):
    return Colours()


def config(decoys=3):
    base = sample_pairs.settings("caption-parser", f"{__name__}:factory", selection={"score": THRESHOLD})
    base["detector"] |= {"floor": 0.1, "candidates": 20}
    return base | {"chunk": {"pairs": 8}, "decoys": {"number": decoys}, "shards": {"pairs": 9}}


@pytest.fixture(scope="module", autouse=True)
def _the_same_decoys_in_every_folder():
    """Decoys are drawn with the path of the source as the seed, which is another one in each run of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choose, "uid", lambda source, index: index)
        yield


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    folder = tmp_path_factory.mktemp("truth")
    table = sample_pairs.write_rows([{"caption": caption} for caption in CAPTIONS], folder / "in")
    call = {"config": config(), "inputs": table, "output": folder / "out"}
    gritmill.run(**call)
    return call


@pytest.fixture(scope="module")
def run(call):
    return call["output"]


@pytest.fixture
def out(run, tmp_path):
    return shutil.copytree(run, tmp_path / "out")


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_text())


def decoy_rows(folder):
    paths = sorted(folder.glob("decoys/0*/*.parquet"))
    return [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]


def change_json(path, change):
    value = json.loads(path.read_text())
    change(value)
    value.pop("checksum", None)
    path.write_text(json.dumps(value))


def sheets(folder):
    """The files that have a truth sheet, and claims."""
    return [folder / "manifest.json", *sorted(folder.glob("shards/*_stats.json"))]


def test_absent_decoys_have_no_candidate(run):
    asked = {
        uid(pair.source, pair.index): row
        for pair, row in zip(read_all(str(run / "detections")), decoy_rows(run), strict=True)
    }
    samples = list(gritmill.read(run))
    for sample in samples:
        row = asked[sample.record["uid"]]
        candidates = {box["phrase"] for box in row["boxes"]}
        expected = [phrase["text"] for n, phrase in enumerate(row["phrases"]) if n not in candidates]
        assert sample.record["absent"] == expected
        assert all("red" in text for text in expected)
    assert sum(bool(sample.record["absent"]) for sample in samples) > 3
    index = pq.read_table(run / "shards" / "00000.parquet")
    assert index["absent"].to_pylist() == [sample.record["absent"] for sample in samples[: len(index)]]


def test_the_sums_are_those_of_the_records(run):
    sheet, records = manifest_of(run)["truth_sheet"], [sample.record for sample in gritmill.read(run)]
    assert len(records) == 16
    boxes = [
        Counter(record["caption"][int(row[0]) : int(row[1])] for row in record["noun_chunks"]) for record in records
    ]
    twos = [number for found in boxes for words, number in found.items() if words.startswith("two")]
    ones = [number for found in boxes for words, number in found.items() if not words.startswith("two")]
    assert (twos, ones) == ([1] * 16, [3] * 16)  # the third box of "a red dog" is around the others
    assert {name: sheet[name] for name in list(sheet) if not name.startswith(("decoy", "rules"))} == {
        **{"counted_phrases": 32, "exact_phrases": 16, "stated": 48, "phrases_found": 32, "phrase_boxes": 64},
        **{"agreed": 32, "extra": 32, "group_boxes": 16, "absent": sum(len(record["absent"]) for record in records)},
    }
    parts = [json.loads(path.read_text())["truth_sheet"] for path in sheets(run)[1:]]
    assert len(parts) == 2
    assert sheet == {name: sum(part[name] for part in parts) for name in sheet} | {"rules": 1}


def test_decoys_count_as_calibrate_counts_them(run):
    asked = found = boxes = pairs = 0
    for pair, row in zip(read_all(str(run / "detections")), decoy_rows(run), strict=True):
        kept = select(_with_decoys(pair, row), SelectionSettings(), THRESHOLD)
        owners = [one.box.phrase for one in kept if one.box.phrase >= len(pair.phrases)]
        asked, pairs = asked + len(row["phrases"]), pairs + bool(row["phrases"])
        found, boxes = found + len(set(owners)), boxes + len(owners)
    sheet = manifest_of(run)["truth_sheet"]
    assert found > 3
    assert (sheet["decoys"], sheet["decoy_pairs"], sheet["decoys_found"], sheet["decoy_boxes"]) == (
        asked,
        pairs,
        found,
        boxes,
    )
    green = sum("green" in phrase["text"] for row in decoy_rows(run) for phrase in row["phrases"])
    assert found == green  # suppression removes the yellow ones, the threshold the blue ones


def test_a_pack_stays_valid_if_decoys_are_added(call, tmp_path):
    later = {**call, "output": tmp_path / "later"}
    gritmill.run(**{**later, "config": config(0)})
    files = ("shards/*", "manifest.json")
    before = sample_pairs.files_of(tmp_path / "later", *files)
    assert "truth_sheet" in manifest_of(tmp_path / "later")
    gritmill.ground(**later)
    gritmill.pack(config(), output=tmp_path / "later")
    assert sample_pairs.files_of(tmp_path / "later", *files) == before
    assert "the decoys have changed since: use --fresh" in (tmp_path / "later/run.log").read_text()
    assert faults(tmp_path / "later") == []
    assert gritmill.view(tmp_path / "later", tmp_path / "page")["kept"] == 16
    statements = tmp_path / "later", "relations", tmp_path / "statements", ExportOptions(with_decoys=True)
    with pytest.raises(gritmill.CallError, match=r"--with-decoys: .* decoys\.number=4, .* gritmill pack --fresh"):
        export(*statements)
    plain = [sample.record for sample in gritmill.read(tmp_path / "later")]
    (tmp_path / "later/shards/00001.tar").unlink()
    with pytest.raises(gritmill.CallError, match=r"another fingerprint \(the decoys changed\); use another"):
        gritmill.pack(config(), output=tmp_path / "later")
    gritmill.pack(config(), output=tmp_path / "later", fresh=True)
    assert sample_pairs.files_of(tmp_path / "later", "shards/*") == sample_pairs.files_of(call["output"], "shards/*")
    assert gritmill.view(tmp_path / "later", tmp_path / "page")["kept"] == 16
    new = [sample.record for sample in gritmill.read(tmp_path / "later")]
    assert [record | {"absent": []} for record in new] == plain
    single = [text for record in new for text in record["absent"] if not text.startswith("two")]
    assert export(*statements)["figures"]["decoys that were not found"] == len(single) > 3


def test_only_decoys_of_the_same_detections_are_used(call, out, tmp_path):
    chunks = sorted(out.glob("decoys/00000/*.parquet"))
    assert len(chunks) > 1
    (out / "decoys/00000/00000.done.json").unlink()
    chunks[-1].unlink()
    half = gritmill.pack(config(), output=tmp_path / "half", detections=out)
    assert 0 < half["truth_sheet"]["decoy_pairs"] < 16
    assert faults(tmp_path / "half") == []
    shutil.copy(chunks[0], chunks[-1])  # rows of another chunk
    again = gritmill.pack(config(), output=tmp_path / "again", detections=out)
    assert again["fingerprints"] == half["fingerprints"]
    shutil.rmtree(out / "decoys")
    none = gritmill.pack(config(), output=tmp_path / "none", detections=out)
    assert "decoys" not in none["fingerprints"]
    assert none["fingerprints"]["pack"] != half["fingerprints"]["pack"]
    assert "absent" not in pq.read_schema(tmp_path / "none/shards/00000.parquet").names


def test_a_whole_run_is_valid(run, tmp_path):
    assert faults(run) == []
    shutil.copytree(run, tmp_path / "alone", ignore=shutil.ignore_patterns("detections", "decoys"))
    assert faults(tmp_path / "alone") == []


@pytest.mark.parametrize("file", [0, 1])
@pytest.mark.parametrize("name", ["counted_phrases", "agreed", "extra", "group_boxes", "absent", "decoys_found"])
def test_validate_finds_a_changed_number(out, file, name):
    path = sheets(out)[file]
    change_json(path, lambda value: value["truth_sheet"].update({name: value["truth_sheet"][name] + 1}))
    texts = [text for _, text in faults(out)]
    assert any(text.startswith(f"truth_sheet: {name}: ") for text in texts), texts
    assert all(text.startswith("truth_sheet: ") for text in texts)


@pytest.mark.parametrize("file", [0, 1])
def test_validate_finds_a_changed_number_of_claims(out, file):
    def change(value):
        value["claims"][0]["supported"] += 1

    change_json(sheets(out)[file], change)
    first = next(text for _, text in faults(out))
    assert first.startswith("claims: count ")
    assert " supported, but " in first


def test_a_sheet_of_other_rules_is_not_counted_again(out):
    for path in sheets(out):
        change_json(path, lambda value: value["truth_sheet"].update(rules=2, agreed=0))
    assert faults(out) == []
    change_json(out / "manifest.json", lambda value: value["truth_sheet"].update(agreed=1))
    assert faults(out) == [("", "truth_sheet: agreed: 1, but 0 in the stats")]


def test_validate_finds_a_sheet_that_is_gone(out):
    change_json(out / "manifest.json", lambda value: value.pop("truth_sheet"))
    assert faults(out) == [("", "truth_sheet: the stats of all shards have one, or else the manifest has none")]


def verdict(kind, verdict):
    """Changes the verdict of the first claim of a kind."""

    def change(claims):
        first = next(n for n, claim in enumerate(claims) if claim["kind"] == kind)
        return [claim | ({"verdict": verdict} if n == first else {}) for n, claim in enumerate(claims)]

    return change


CHANGES = {
    "count": {"claims": verdict("count", "supported")},
    "relation": {"claims": verdict("relation", "contradicted")},
    "measured": {"claims": lambda claims: [claim | {"measured": '{"boxes":7,"groups":0}'} for claim in claims]},
}


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_validate_finds_a_changed_record(out, change, alone):
    if alone:
        shutil.rmtree(out / "detections")
    rewrite(out, changed_record(**CHANGES[change]))
    texts = [text for key, text in faults(out) if key == "000000001"]
    start = "json: claim " if alone else "json: claims: other than by the detections"
    assert any(text.startswith(start) for text in texts), texts
    assert any(text.startswith("claims: ") for key, text in faults(out) if not key) == (change != "measured")


def test_validate_finds_other_decoys_and_boxes(out):
    rewrite(out, changed_record(absent=["a purple cow"]))
    texts = [text for key, text in faults(out) if key == "000000001"]
    assert "json: absent: other than by the detections" in texts
    rewrite(out, changed_record(absent=["a cow", "a cow"]))
    assert "json: absent has a phrase twice" in [text for key, text in faults(out) if key == "000000001"]
    rewrite(out, changed_record(noun_chunks=lambda rows: [[*row[:6], row[6] / 2] for row in rows]))
    assert any(key == "000000001" for key, _ in faults(out))


def test_a_run_with_decoys_can_be_viewed(run, out):
    gritmill.view(run, output=out / "page")
    assert (out / "page/index.html").exists()


def test_damaged_detections_are_no_fault_of_the_pack(out):
    chunk = sorted(out.glob("detections/00000/*.parquet"))[-1]
    chunk.write_bytes(chunk.read_bytes()[:-9])
    assert faults(out) == []
    rewrite(out, changed_record(**CHANGES["relation"]))
    assert any("claim" in text for key, text in faults(out) if key == "000000001")


def test_a_pack_without_sheets_is_resumed_exported_and_valid(call, out, tmp_path):
    """As an earlier version packed it."""
    for path in sheets(out):
        change_json(path, lambda value: value.pop("truth_sheet"))
    assert faults(out) == []
    before = sample_pairs.files_of(out, "shards/*", "manifest.json")
    gritmill.pack(config(), output=out)
    assert sample_pairs.files_of(out, "shards/*", "manifest.json") == before
    (out / "manifest.json").unlink()
    (out / "shards/00001_stats.json").unlink()
    manifest = gritmill.pack(config(), output=out)
    assert "truth_sheet" not in manifest
    assert faults(out) == []
    export(out, "hf", tmp_path / "hf")
    card = (tmp_path / "hf/README.md").read_text()
    assert "- decoys: not known: " in card
    assert "| count | " in card
    assert "truth_sheet" in gritmill.pack(config(), output=out, fresh=True)


def calibration(run, **changes):
    points = [{"threshold": t, "precision": 0.9, "low": 0.8, "high": 0.95} for t in (0.3, 0.4)]
    points += [{"threshold": 0.6, "precision": 0.95, "low": 0.9, "high": 1.0}]
    known = {"clicks": {"yes": 36, "no": 4, "skipped": 2}, "fingerprints": manifest_of(run)["fingerprints"]}
    return known | {"notes": ["indicative: few"], "curves": {"all": points}} | changes


def test_the_card_has_the_sheet_and_what_people_found(run, tmp_path):
    export(run, "hf", tmp_path / "hf")
    card = (tmp_path / "hf/README.md").read_text()
    sheet = manifest_of(run)["truth_sheet"]
    assert f"- decoys: {sheet['decoys_found']} of {sheet['decoys']} (" in card
    assert "- group boxes: 16 of 64 boxes (25.0%) cover" in card
    assert "from 32 phrases with a number in words, 16 of them exact; only indicative" in card
    assert "people checked: not known" in card
    (tmp_path / "c.json").write_text(json.dumps(calibration(run)))
    export(run, "hf", tmp_path / "checked", calibration=tmp_path / "c.json")
    card = (tmp_path / "checked/README.md").read_text()
    assert "90.0% of the boxes with a score of at least 0.4 are right (95 % interval: 80.0% to 95.0%)" in card
    assert "from 40 answers of people, 36 yes, 4 no, 2 skipped; indicative: few" in card
    assert " --output FOLDER --calibration CALIBRATION\n" in card
    assert "Truth sheet" in (run / "report.html").read_text()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"fingerprints": {"ground": "x"}}, "it is of a run with other detections; answer boxes of this run"),
        ({"clicks": None}, "not the calibration.json of gritmill calibrate --clicks: clicks: "),
        ({"curves": {"all": [{"threshold": 0.9, "precision": 1, "low": 0, "high": 1}]}}, "it has no figures at the"),
    ],
)
def test_a_calibration_of_something_else_is_refused(run, tmp_path, changes, problem):
    (tmp_path / "c.json").write_text(json.dumps(calibration(run, **changes)))
    with pytest.raises(gritmill.CallError) as raised:
        export(run, "hf", tmp_path / "hf", calibration=tmp_path / "c.json")
    assert str(raised.value).startswith(f"--calibration: {tmp_path / 'c.json'}: {problem}")
    assert not (tmp_path / "hf").exists()


def test_a_calibration_that_is_missing_is_refused(run, tmp_path):
    with pytest.raises(gritmill.CallError, match=r"--calibration: nowhere\.json: .*; name a calibration\.json"):
        export(run, "hf", tmp_path / "hf", calibration="nowhere.json")
