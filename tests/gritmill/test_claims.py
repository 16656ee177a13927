"""Claims in a run: rejected, counted, and said on the screen and on the page."""

import json
import shutil
from collections import Counter

import pytest

import gritmill
from tests import sample_pairs
from transforms.claims.verdicts import RULES_VERSION

CAPTIONS = (
    "two dogs",
    "a dog below a cat",
    "a dog above a cat",
    "a dog on the left of a cat",
    "a dog and a cat",
)
"""The detector finds the first phrase once, in the middle, and the second one in the upper left corner."""
DROP = "drop_contradicted"


def settings(**changes):
    return sample_pairs.settings("caption-parser", "tests.plugin_detectors:factory", **changes)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("claims")
    table = sample_pairs.write_rows([{"caption": CAPTIONS[number % 5]} for number in range(20)], folder / "in")
    gritmill.run(settings(), inputs=table, output=folder / "out")
    return folder / "out"


def packed(finished, output, **changes):
    return gritmill.pack(settings(**changes), output=output, detections=finished)


def recounted(output):
    """The claims of the records: by kind, predicate, number and verdict."""
    claims = (claim for sample in gritmill.read(output) for claim in sample.record["claims"])
    keys = ((c["kind"], c["predicate"], c["number"] if c["kind"] == "count" else 0, c["verdict"]) for c in claims)
    return Counter(keys)


def told(manifest):
    """The same from a manifest."""
    return Counter(
        {
            (one["kind"], one["predicate"], one["number"], verdict): one[verdict]
            for one in manifest["claims"]
            for verdict in ("supported", "contradicted", "undecided")
            if one[verdict]
        }
    )


def test_the_claims_of_written_pairs_are_counted(finished):
    manifest = json.loads((finished / "manifest.json").read_text())
    assert manifest["ledger"]["written"] == 20
    assert told(manifest) == recounted(finished)
    assert told(manifest)["count", "exactly", 2, "contradicted"] == 4
    assert told(manifest)["relation", "below", 0, "supported"] == 4
    assert told(manifest)["relation", "above", 0, "contradicted"] == 4
    assert told(manifest)["relation", "left_of", 0, "contradicted"] == 4
    assert json.loads((finished / "report.json").read_text())["claims"] == manifest["claims"]
    assert json.loads((finished / "report.json").read_text())["claim_rules"] == manifest["claim_rules"] == 2


def test_an_audit_of_the_shards_finds_the_claims_of_the_records(finished):
    """With the same verdicts, but for counts that the detector's floor decides: the shards do not have it."""
    result = gritmill.audit(finished)
    found = Counter()
    for kind in ("count", "relation", "rank"):
        for predicate, verdicts in result["claims"][kind]["predicates"].items():
            found.update({(kind, predicate, verdict): number for verdict, number in verdicts.items()})
    expected = Counter()
    for (kind, predicate, _, verdict), number in recounted(finished).items():
        expected[kind, predicate, verdict] += number
    short = expected.pop(("count", "exactly", "contradicted"))
    assert short == 4
    expected["count", "exactly", "undecided"] += short
    assert found == expected
    assert {name: check["found"] for name, check in result["checks"].items() if check["found"]} == {
        "fewer_boxes": short
    }
    assert result["claims"]["rules"] == RULES_VERSION


def test_an_audit_says_who_knows_what_is_undecided_in_it(finished, tmp_path, call):
    unknown = (
        "An audit does not know what a detector found below its threshold: a count with too few boxes is undecided."
    )
    of_run = f"A run knows it: its own verdicts are in {finished}/report.html and in the records."

    def note(*words):
        status, screen, _ = call("audit", *words)
        assert status == 0
        (line,) = (line for line in screen.splitlines() if line.startswith("Intervals are of 95 %, "))
        return line.partition(".")[2].strip()

    assert note(finished) == note(finished / "shards/*.parquet") == f"{unknown} {of_run}"
    assert (finished / "report.html").exists()
    assert note(finished, "--no-claims") == ""
    for name, manifest in (("foreign", b"{}"), ("older", (finished / "manifest.json").read_bytes()), ("bare", b"")):
        shutil.copytree(finished / "shards", tmp_path / name / "shards")
        if manifest:
            (tmp_path / name / "manifest.json").write_bytes(manifest)
    changed = json.loads((tmp_path / "older/manifest.json").read_text())
    del changed["checksum"]
    (tmp_path / "older/manifest.json").write_text(json.dumps(changed | {"claim_rules": 0}))
    shutil.copytree(finished / "shards", tmp_path / "unreadable/shards")
    (tmp_path / "unreadable/manifest.json").mkdir()
    for name in ("foreign", "older", "bare", "unreadable"):
        assert note(tmp_path / name / "shards/*.parquet") == unknown
    second = shutil.copytree(finished, tmp_path / "second")
    assert note(finished, second).endswith("report.html (and those of the other runs) and in the records.")


def test_contradicted_pairs_are_rejected_each_kind_by_its_setting(finished, tmp_path):
    relations = packed(finished, tmp_path / "relations", selection={"claims": DROP})
    assert relations["ledger"]["rejected"] == {"contradicted_relation": 8}
    assert "'a dog above a cat'" in relations["rejected_examples"]["contradicted_relation"]
    counts = packed(finished, tmp_path / "counts", selection={"count_claims": DROP})
    assert counts["ledger"]["rejected"] == {"contradicted_count": 4}
    both = packed(finished, tmp_path / "both", selection={"claims": DROP, "count_claims": DROP})
    assert both["ledger"]["rejected"] == {"contradicted_relation": 8, "contradicted_count": 4}
    assert {sample.caption for sample in gritmill.read(tmp_path / "both")} == {CAPTIONS[1], CAPTIONS[4]}
    assert told(both) == recounted(tmp_path / "both")
    assert not any(one["contradicted"] for one in both["claims"])


def test_many_rejected_pairs_are_worth_a_warning_on_the_screen_and_on_the_page(finished, tmp_path, call):
    words = ("pack", "--detections", finished, "--output", tmp_path / "out")
    models = ("phrases.model=caption-parser", "detector.model=tests.plugin_detectors:factory")
    status, said, _ = call(*words, "--set", *models, f"selection.claims={DROP}", "selection.score=0")
    assert status == 0
    warning = "contradicted claims reject 8 of 20 pairs that would be written otherwise (40%)"
    assert f"warning: {warning}" in said
    assert "claims checked, 4 contradicted (4 counts), " in said
    page = " ".join((tmp_path / "out/report.html").read_text().split())
    assert f"Warning: {warning}" in page
    assert "<h2>Claims</h2>" in page
    assert '<td>exactly</td><td class="number">2</td>' in page
    assert "arning: " not in (finished / "report.html").read_text()


def test_any_split_gives_the_same_claims(finished, tmp_path):
    whole = json.loads((finished / "manifest.json").read_text())
    for pairs in (1, 7):
        manifest = packed(finished, tmp_path / f"{pairs}", shards={"pairs": pairs})
        assert len(manifest["shards"]) == -(-20 // pairs)
        assert manifest["claims"] == whole["claims"]


def test_a_pack_that_was_interrupted_ends_with_the_same_bytes(finished, tmp_path):
    changes = {"selection": {"claims": DROP}, "shards": {"pairs": 5}}
    packed(finished, tmp_path / "out", **changes)
    before = sample_pairs.files_of(tmp_path / "out", "shards/*", "*.json")
    assert len(before) > 6
    for name in ("manifest.json", "statistics.json", "report.json", "shards/00001_stats.json"):
        (tmp_path / "out" / name).unlink()
    packed(finished, tmp_path / "out", **changes)
    assert sample_pairs.files_of(tmp_path / "out", "shards/*", "*.json") == before


def test_a_partial_pack_counts_what_it_writes(finished, tmp_path):
    shutil.copytree(finished / "detections", tmp_path / "detections")
    (tmp_path / "detections/00000/00000.done.json").unlink()
    last = max((tmp_path / "detections/00000").glob("*.parquet"))
    last.unlink()
    manifest = gritmill.pack(
        settings(selection={"claims": DROP}), output=tmp_path / "out", detections=tmp_path / "detections", partial=True
    )
    assert manifest["ledger"]["read"] == 16
    assert manifest["ledger"]["rejected"] == {"contradicted_relation": 6}
    assert told(manifest) == recounted(tmp_path / "out")


def test_a_run_that_reads_no_claims_says_nothing_about_them(tmp_path):
    table = sample_pairs.write_rows([{"caption": CAPTIONS[2]}], tmp_path / "in")
    config = settings(phrases={"claims": False}, selection={"claims": DROP})
    manifest = gritmill.run(config, inputs=table, output=tmp_path / "out")
    assert manifest["ledger"]["written"] == 1
    assert "claims" not in manifest
    for name in ("report.json", "shards/00000_stats.json"):
        assert "claims" not in json.loads((tmp_path / "out" / name).read_text())
    assert "<h2>Claims</h2>" not in (tmp_path / "out/report.html").read_text()


def test_the_table_of_thresholds_knows_what_is_rejected_at_each(tmp_path):
    config = sample_pairs.settings("caption-parser", "tests.plugin_detectors:scattered", selection={"score": 0.5})
    config["selection"] |= {"claims": DROP, "count_claims": DROP}
    table = sample_pairs.write_rows([{"caption": CAPTIONS[number % 5]} for number in range(30)], tmp_path / "in")
    gritmill.run(config, inputs=table, output=tmp_path / "out")
    counted = json.loads((tmp_path / "out/statistics.json").read_text())["thresholds"]
    rejected = Counter()
    for score in (0.2, 0.5, 0.8):
        config["selection"]["score"] = score
        manifest = gritmill.pack(config, output=tmp_path / f"{score}", detections=tmp_path / "out")
        at = counted["score"].index(score)
        boxes = sum(shard["boxes"] for shard in manifest["shards"])
        assert (manifest["ledger"]["written"], boxes) == (counted["pairs"][at], counted["boxes"][at])
        rejected.update(manifest["ledger"]["rejected"])
    assert {"contradicted_relation", "contradicted_count"} <= rejected.keys()
