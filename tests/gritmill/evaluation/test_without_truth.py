"""`calibrate --without-truth` on small runs: what it reads, what it says is missing."""

import json
import shutil

import pytest

import gritmill
from gritmill.evaluation import without_truth
from tests import sample_pairs
from transforms.detectors.base import Found
from transforms.records import Box, ImageRef, Pair
from transforms.settings import SelectionSettings


class Numbers:
    """Finds two boxes for each phrase, the second with a lower score; for a phrase of another caption, a weak one."""

    def detect(self, requests):
        return [Found(tuple(self.boxes(request))) for request in requests]

    def boxes(self, request):
        for number, phrase in enumerate(request.phrases):
            is_decoy = " and " not in request.caption and " near " not in request.caption
            x = number / 8
            yield Box(number, x, 0.0, x + 0.1, 0.4, 0.3 if is_decoy else 0.9)
            if phrase.startswith("two"):
                yield Box(number, x, 0.5, x + 0.1, 0.9, 0.8)
            yield Box(number, x, 0.6, x + 0.12, 1.0, 0.2)


def numbers(settings):
    return Numbers()


@pytest.fixture(scope="module")
def call(tmp_path_factory, parser):
    folder = tmp_path_factory.mktemp("run")
    config = sample_pairs.settings(parser, f"{__name__}:numbers") | {"chunk": {"pairs": 4}, "decoys": {"number": 2}}
    config["detector"] |= {"floor": 0.1}
    inputs = [sample_pairs.as_tars(sample_pairs.drawn(12), folder / "in")]
    call = {"config": config, "inputs": inputs, "output": str(folder / "out")}
    gritmill.ground(**call)
    return call


def calibrate(call, folder, run=None, **changes):
    return gritmill.calibrate(call["config"], without_truth=run or call["output"], output=folder / "c", **changes)


def test_the_threshold_separates_the_stated_numbers_from_further_boxes(call, tmp_path):
    result = calibrate(call, tmp_path)
    assert 0.2 < result["threshold"] <= 0.9
    first = result["readings"]["exactly_one"]
    assert (first["f1"], first["figures"]["phrases_with_box"]) == (1.0, 1.0)
    assert result["pairs"] == {"read": 12, "used": 12, "images": 12}
    assert result["decoys"] > 12
    assert result["paste"]["set"] == f"--set selection.score={result['threshold']:g}"
    assert json.loads((tmp_path / "c/calibration.json").read_text()) == json.loads(json.dumps(result))
    assert "Number-F1 by threshold" in (tmp_path / "c/calibration.html").read_text()
    assert result == calibrate(call, tmp_path)


def test_few_counts_are_only_indicative_and_it_says_so(call, tmp_path):
    result = calibrate(call, tmp_path)
    assert result["indicative"]
    assert any(note.startswith("indicative: ") for note in result["notes"])
    assert result["threshold"] == result["readings"]["between"]["threshold"]


def test_without_decoys_it_says_so(call, tmp_path):
    shutil.copytree(call["output"], tmp_path / "run")
    shutil.rmtree(tmp_path / "run/decoys")
    result = calibrate(call, tmp_path, tmp_path / "run")
    assert (result["decoys"], result["absent_share"], result["decoy_rate"]) == (0, None, None)
    assert any("--set decoys.number=4" in note for note in result["notes"])


def test_a_partial_run_is_read_as_far_as_it_is(call, tmp_path):
    shutil.copytree(call["output"], tmp_path / "run")
    for table in ("detections", "decoys"):
        (tmp_path / f"run/{table}/00001/00000.done.json").unlink()
        (tmp_path / f"run/{table}/00001/00000-00001.parquet").unlink()
    result = calibrate(call, tmp_path, tmp_path / "run")
    assert (result["partial"], result["pairs"]["read"]) == (True, 10)


def test_decoys_of_earlier_detections_are_left_out(call, tmp_path):
    shutil.copytree(call["output"], tmp_path / "run")
    shutil.copy(*(tmp_path / f"run/decoys/00000/00000-{chunk}.parquet" for chunk in ("00000", "00001")))
    result = calibrate(call, tmp_path, tmp_path / "run")
    assert any(note.startswith("the decoys of 1 chunk belong to earlier detections") for note in result["notes"])
    assert 0 < result["decoys"] < calibrate(call, tmp_path)["decoys"]


def test_a_limit_leaves_out_chunks_evenly(call, tmp_path):
    assert calibrate(call, tmp_path, limit=4)["pairs"]["read"] == 4
    chunks = [(n, type("Entry", (), {"rows": 10})) for n in range(10)]
    assert [n for n, _ in without_truth._spread(chunks, 35)] == [0, 3, 6]
    assert [n for n, _ in without_truth._spread(chunks, 1)] == [0]
    assert len(list(without_truth._spread(chunks, 100))) == 10
    assert list(without_truth._spread([], 100)) == []


def test_detections_without_counts_use_singulars_only(call, tmp_path, parser):
    config = call["config"] | {"phrases": {**call["config"]["phrases"], "claims": False}}
    run = {**call, "config": config, "output": str(tmp_path / "run")}
    gritmill.ground(**run)
    result = calibrate(run, tmp_path)
    assert result["phrases"]["exact"] == 0
    assert result["phrases"]["singular"] > 0
    assert result["notes"][0].startswith("these detections have no counts (phrases.claims)")


def test_the_selection_is_that_of_the_call(call, tmp_path):
    config = call["config"] | {"selection": {"boxes_per_phrase": 1, "score": 0.5}}
    result = calibrate({**call, "config": config}, tmp_path)
    assert result["in_force"]["threshold"] == 0.5
    assert result["readings"]["at_least_one"]["figures"]["boxes"] == sum(
        result["phrases"][k] for k in ("exact", "singular")
    )


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ({}, "--truth: is missing; name a set with true boxes, a run with --without-truth, or answers with --clicks"),
        ({"truth": "a.jsonl", "without_truth": "run"}, "--truth and --without-truth: give only one of them"),
        ({"without_truth": "nowhere"}, "--without-truth: nowhere: no such folder"),
        ({"without_truth": "run", "limit": 0}, "--limit: 0: must be at least 1"),
        ({"without_truth": "."}, "--without-truth: .: no detections; name the folder of a run"),
    ],
)
def test_a_wrong_call_is_refused_in_one_line(tmp_path, monkeypatch, words, problem):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(gritmill.CallError) as raised:
        gritmill.calibrate("demo", output="c", **words)
    assert str(raised.value) == problem
    assert not (tmp_path / "c").exists()


def test_the_captions_of_an_image_need_not_follow_each_other():
    collected = without_truth._Collection(SelectionSettings(), 0.1)
    for digest in ("a", "b", "a", "b", "", "", "a"):
        collected.add(Pair("k", "s", 0, "a dog", ImageRef("s", digest=digest)), None)
    assert len(collected.pictures) == 4
    assert collected.arrays().pictures == 4
