"""The claims on the page, without a browser: at each stop of the slider, they are what `pack` would write."""

import json
from dataclasses import replace

import pytest

import gritmill
from gritmill.pages.viewer.page_data import sample_json
from gritmill.pages.viewer.pick_pairs import Picked
from gritmill.pages.viewer.view import view
from pipeline.tables.detections import read_all
from tests import sample_pairs
from tests.gritmill.pages.viewer.conftest import SAID, policy_of, read
from transforms.claims.verdicts import Verdict
from transforms.records import Box, Claim, ClaimKind, Pair, Phrase, Reason
from transforms.selection.check_kept import check_pair
from transforms.selection.judge import Policy, Rejected, judge
from transforms.selection.select_boxes import select
from transforms.settings import SelectionSettings, TextSettings

VERDICTS = list(Verdict)
S, C, U = VERDICTS


def at_stop(changes, stop):
    """The change that holds at a stop, as the page looks it up."""
    return next((change for change in reversed(changes) if change[0] >= stop), None)


def verdict_at(claim, stop):
    """The verdict and the numbers of a claim of the page."""
    *_, names, changes = claim
    if (found := at_stop(changes, stop)) is None:
        return None
    _, verdict, *values = found
    return VERDICTS[verdict], {name: v for name, v in zip(names, values, strict=True) if v is not None}


def refusal_at(sample, stop):
    found = at_stop(sample["refused"], stop)
    return found[1] if found else ""


def stated(claim):
    spans = (claim.words_start, claim.words_end, claim.subject_start, claim.subject_end)
    return [str(claim.kind), *spans, claim.predicate, claim.number, int(claim.negated), list(claim.objects)]


@pytest.fixture(scope="module")
def shown(claimed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("claims") / "view"
    view(claimed, folder)
    return read(folder)


def test_at_every_stop_the_verdicts_are_those_of_pack(claimed, shown):
    manifest = json.loads((claimed / "manifest.json").read_text())
    pairs = list(read_all(str(claimed / "detections")))
    seen, last, between = set(), {}, 0
    for stop, score in enumerate(shown["stops"]["score"]):
        policy = policy_of(manifest, score)
        for sample, pair in zip(shown["samples"], pairs, strict=True):
            assert [claim[:9] for claim in sample["claims"]] == list(map(stated, pair.claims))
            kept = select(pair, policy.selection, score)
            wanted = check_pair(pair, kept, policy.selection, score) if kept else [None] * len(pair.claims)
            found = [verdict_at(claim, stop) for claim in sample["claims"]]
            assert found == [one and (one.verdict, one.measured) for one in wanted]
            seen.update((claim.kind, one[0]) for claim, one in zip(pair.claims, found, strict=True) if one)
            before, last[pair.key] = last.get(pair.key, (kept, found)), (kept, found)
            between += before[0] == kept and before[1] != found
    every = {(kind, verdict) for kind in ClaimKind for verdict in Verdict}
    assert every - seen <= {(ClaimKind.RANK, Verdict.SUPPORTED)}
    assert between, "no threshold changes a verdict of the same boxes"


def test_at_every_stop_contradicted_claims_reject_the_pairs_that_pack_rejects(claimed, shown):
    manifest = json.loads((claimed / "manifest.json").read_text())
    pairs = list(read_all(str(claimed / "detections")))
    reasons = set()
    for stop, score in enumerate(shown["stops"]["score"]):
        policy = policy_of(manifest, score)
        for sample, pair in zip(shown["samples"], pairs, strict=True):
            kept = select(pair, policy.selection, score)
            outcome = judge(pair, policy)
            reason = outcome.reason if isinstance(outcome, Rejected) and kept else ""
            assert refusal_at(sample, stop) == reason
            reasons.add(reason)
    assert reasons == {"", Reason.CONTRADICTED_RELATION, Reason.CONTRADICTED_RANK, Reason.CONTRADICTED_COUNT}


def test_a_stop_that_changes_a_rejection_of_the_same_boxes():
    """From the score of the last candidate down, the limit of candidates may have removed a third dog."""
    phrase = Phrase(8, 16, 12, 16, 8, 16)
    boxes = (Box(0, 0.0, 0.0, 0.2, 0.2, 0.9), Box(0, 0.5, 0.5, 0.7, 0.7, 0.8), Box(0, 0.0, 0.0, 0.2, 0.21, 0.3))
    not_two = Claim(ClaimKind.COUNT, 8, 11, 8, 16, "exactly", 2, negated=True)
    pair = Pair("k", "s", 0, "it isn't two dogs", width=64, height=64, phrases=(phrase,), boxes=boxes)
    pair = replace(pair, claims=(not_two,), boxes_cut=1)
    policy = Policy(SelectionSettings(count_claims="drop_contradicted"), 0.5, TextSettings())
    scores = [0.1, 0.2, 0.3, 0.4, 0.5, 0.85]
    sample = sample_json(Picked(pair, judge(pair, policy)), policy, scores, "", None)
    assert sample["refused"] == [(5, ""), (4, "contradicted_count"), (2, "")]
    assert [verdict_at(sample["claims"][0], stop)[0] for stop in range(6)] == [U, U, U, C, C, U]
    for stop, score in enumerate(scores):
        outcome = judge(pair, replace(policy, threshold=score))
        assert refusal_at(sample, stop) == (outcome.reason if isinstance(outcome, Rejected) else "")


@pytest.mark.parametrize("rule", ["keep", "drop_contradicted"])
def test_the_records_of_a_pack_at_another_threshold_have_the_verdicts_of_that_stop(claimed, shown, tmp_path, rule):
    selection = {"score": 0.62, "nms_iou": 0.2, "claims": rule, "count_claims": rule}
    gritmill.pack({"selection": selection}, output=tmp_path / "run", detections=claimed)
    stop = shown["stops"]["score"].index(0.62)
    wanted = {}
    for sample in shown["samples"]:
        found = [verdict_at(claim, stop) for claim in sample["claims"]]
        if any(found) and (rule == "keep" or not refusal_at(sample, stop)):
            wanted[sample["key"]] = found
    records = [one.record for one in gritmill.read(tmp_path / "run")]
    assert 0 < len(records) < len(SAID)
    assert wanted == {
        record["source_key"]: [(claim["verdict"], json.loads(claim["measured"])) for claim in record["claims"]]
        for record in records
    }


def test_the_page_has_the_claims_of_the_run_by_predicate(finished, tmp_path):
    manifest = json.loads((finished / "manifest.json").read_text())
    view(finished, tmp_path / "view", samples=5)
    rows = read(tmp_path / "view")["run"]["claims"]
    verdicts = [[claims[verdict] for verdict in VERDICTS] for claims in manifest["claims"]]
    assert [row[1:] for row in rows] == verdicts
    assert {"at_least 1", "near"} <= {row[0] for row in rows}


def test_a_run_that_reads_no_claims_has_none_on_the_page(tmp_path):
    settings = {"phrases": {"claims": False}}
    config = sample_pairs.settings("caption-parser", "tests.plugin_detectors:scattered", **settings)
    gritmill.run(config, inputs=sample_pairs.as_jsonl(sample_pairs.drawn(2), tmp_path / "in"), output=tmp_path / "run")
    view(tmp_path / "run")
    data = read(tmp_path / "run/view")
    assert data["run"]["claims"] == []
    assert [sample["claims"] for sample in data["samples"]] == [[], []]
