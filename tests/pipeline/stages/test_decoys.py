"""The stage of decoys: its rows, and that no row depends on which pairs fail."""

from dataclasses import replace

import pytest

from pipeline.configuration import load, validate
from pipeline.faults import CallError
from pipeline.stages.configured import configured_stages, open_tables
from pipeline.stages.decoys import Decoys
from pipeline.stages.runner import StageRunner
from tests.transforms.decoys.test_choose import NOUNS, pair
from tests.transforms.detectors.test_candidates import png
from transforms.detectors.base import Found
from transforms.detectors.settings import DetectorSettings
from transforms.records import Box, FailureStage, Fault, Reason
from transforms.settings import DecoySettings

CHUNK = [replace(pair(number, NOUNS[number], NOUNS[-1 - number]), data=png(), width=8, height=6) for number in range(9)]


class Finder:
    """Finds a box for each phrase, unless the phrases are those of a pair that is to fail."""

    refused = ""

    def __init__(self, settings):
        pass

    def detect(self, requests):
        if any(Finder.refused and Finder.refused in request.caption for request in requests):
            raise RuntimeError("refused")
        return [Found(tuple(Box(n, 0.25, 0.25, 0.75, 0.75, 0.5) for n in range(len(r.phrases))), 2) for r in requests]


class OwnFault(Finder):
    def detect(self, requests):
        return [Found(error=Fault(FailureStage.BOXES, Reason.NOT_FINITE, "NaN")) for _ in requests]


def stage(number=2, detector="Finder", **changes):
    settings = DetectorSettings(model=f"{__name__}:{detector}", device="cpu")
    return Decoys(DecoySettings(number=number), settings, **changes)


def process(chunk=CHUNK, **changes):
    return StageRunner(stage(**changes)).process(chunk)


def test_a_row_has_the_decoys_and_their_boxes():
    for row in process():
        assert [phrase["text"] for phrase in row["phrases"]] == [f"a {phrase['head']}" for phrase in row["phrases"]]
        assert [box["phrase"] for box in row["boxes"]] == [0, 1]
        assert (row["boxes_cut"], row["error"]) == (2, None)


def test_a_pair_that_fails_alone_is_a_failed_row_and_the_other_rows_are_the_same(monkeypatch):
    whole = process()
    refused = whole[4]["phrases"][0]["text"]
    monkeypatch.setattr(Finder, "refused", f"{refused}.")
    rows = process()
    failed = [row["error"] is not None for row in rows]
    assert failed == [any(phrase["text"] == refused for phrase in row["phrases"]) for row in whole]
    assert 0 < sum(failed) < 9
    assert {row["error"]["stage"] for row in rows if row["error"]} == {"decoys"}
    assert [row for row in rows if not row["error"]] == [row for row, bad in zip(whole, failed, strict=True) if not bad]


def test_a_fault_of_the_detector_is_one_of_this_stage():
    row, *_ = process(detector="OwnFault")
    assert row["error"] == {"stage": "decoys", "reason": "not_finite", "detail": "NaN"}
    assert row["phrases"] == row["boxes"] == []


def test_failed_and_rejected_pairs_have_empty_rows_and_lend_their_phrases():
    fault = Fault(FailureStage.BOXES, Reason.EXCEPTION)
    rows = process([*CHUNK[:3], CHUNK[3].failed(fault), replace(CHUNK[4], filtered="where", phrases=()), *CHUNK[5:]])
    assert rows[3]["phrases"] == rows[4]["phrases"] == rows[4]["boxes"] == []
    assert rows[3]["error"] is rows[4]["error"] is None
    whole = process([*CHUNK[:4], replace(CHUNK[4], filtered="where", phrases=()), *CHUNK[5:]])
    assert [row for number, row in enumerate(rows) if number != 3] == whole[:3] + whole[4:]


def test_an_image_that_is_gone_is_a_failed_row():
    rows = process([CHUNK[0].failed(Fault(FailureStage.FETCH, Reason.GONE, "x")), *CHUNK[1:]])
    assert rows[0]["error"] == {"stage": "fetch", "reason": "gone", "detail": "x"}


def test_it_exists_only_if_it_is_configured():
    off, on = load("demo"), load("demo", ["decoys.number=3"])
    assert not any(isinstance(one, Decoys) for one in configured_stages(off))
    tables = open_tables(configured_stages(on), "out/detections")
    assert list(tables) == ["detections", "decoys"]
    assert tables["decoys"].parents == ("detections",)


def test_the_fingerprint_names_number_and_words():
    assert stage(3).fingerprint_values() == {"number": 3, "rules": 1, "words": 1}


def test_twenty_are_enough():
    with pytest.raises(CallError, match=r"decoys\.number: 21: must be at most 20"):
        validate({"decoys": {"number": 21}})
