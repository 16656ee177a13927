"""The built-in stages with what a source brings: no model sees it."""

import json
from dataclasses import replace

import pyarrow as pa
import pytest

from pipeline.configuration import Configuration
from pipeline.stages.boxes import Boxes
from pipeline.stages.configured import configured_stages
from pipeline.stages.given_boxes import GivenBoxes
from pipeline.stages.phrases import Phrases
from pipeline.stages.runner import StageRunner
from pipeline.tables.pair_rows import SCHEMA, from_table, to_row
from tests.transforms.detectors.test_candidates import png
from transforms.annotations.columns import AnnotationColumns
from transforms.detectors.settings import DetectorSettings
from transforms.images import ImageLimits
from transforms.records import Box, Drop, FailureStage, Pair, Phrase, Reason
from transforms.settings import PhraseSettings

GIVEN = AnnotationColumns(phrases=("phrases",), boxes=("boxes",), format="xyxy", unit="fractions")
ROW = {"phrases": ["a dog"], "boxes": [[0, 0, 0.5, 0.5]]}
DOG = Phrase(0, 5, 2, 5, 0, 5)
NO_PARSER = PhraseSettings(model="no_such_package")
NO_DETECTOR = DetectorSettings(model="no_such_package:factory")


def pair(row=ROW, caption="a dog"):
    return Pair("0", "s", 0, caption, data=png(), width=96, height=64, meta=json.dumps(row))


def run(stage, *pairs):
    return StageRunner(stage).process(pairs)


def test_neither_parser_nor_detector_is_loaded():
    [phrased] = run(Phrases(NO_PARSER, GIVEN), pair())
    assert phrased.phrases == (DOG,)
    [boxed] = run(GivenBoxes(GIVEN), replace(phrased, data=pair().data))
    assert boxed.boxes == (Box(0, 0, 0, 0.5, 0.5, 1),)
    assert run(Boxes(NO_DETECTOR, given=GIVEN), boxed) == [boxed]
    assert boxed.data == b""


def test_other_pairs_go_to_the_models():
    other = pair(row={})
    assert Phrases(NO_PARSER, GIVEN).takes(other)
    assert not GivenBoxes(GIVEN).takes(other)
    assert Boxes(NO_DETECTOR, given=GIVEN).takes(replace(other, phrases=(DOG,)))


def test_an_image_that_does_not_decode_fails_as_with_a_detector():
    whole = replace(pair(), phrases=(DOG,))
    cut = replace(whole, data=whole.data[:40])
    found, failed, again = run(GivenBoxes(GIVEN), whole, cut, cut)
    assert (found.error, len(found.boxes)) == (None, 1)
    assert failed.error.stage is again.error.stage is FailureStage.IMAGE
    assert failed.boxes == ()
    [large] = run(GivenBoxes(GIVEN, ImageLimits(60)), whole)
    assert large.error.reason is Reason.TOO_MANY_PIXELS


def test_the_language_of_a_caption_with_phrases_counts_as_well():
    settings = PhraseSettings(model="no_such_package", languages=("en",))
    foreign = "ein kleiner Hund läuft mit einem Ball über die grüne Wiese und freut sich sehr"
    english, german = run(Phrases(settings, GIVEN), pair(), pair({"phrases": ["Hund"]}, foreign))
    assert english.phrases == (DOG,)
    boxed = pair({"boxes": [{"bbox": [0, 0, 1, 1], "label": "Hund"}]}, foreign)
    assert not GivenBoxes(GIVEN).takes(replace(boxed, dropped=german.dropped))
    assert (german.phrases, [dropped.reason for dropped in german.dropped]) == ((), [Drop.LANGUAGE])


def test_what_fails_in_the_stage_is_a_row_that_the_table_can_hold(monkeypatch):
    def broken(data, *limits):
        raise RuntimeError("no decoder")

    monkeypatch.setattr("transforms.annotations.model.decode", broken)
    [failed] = run(GivenBoxes(GIVEN), replace(pair(), phrases=(DOG,)))
    assert (failed.error.stage, failed.error.reason) == (FailureStage.GIVEN_BOXES, Reason.EXCEPTION)
    table = pa.Table.from_pylist([to_row(failed)], schema=SCHEMA)
    assert next(from_table(table)).error == failed.error


@pytest.mark.parametrize("changed", [{"error": None, "caption": "  "}, {"filtered": "min_words"}])
def test_what_is_rejected_anyway_stays_without_phrases_and_boxes(changed):
    rejected = replace(pair(), **changed)
    [row] = run(Phrases(NO_PARSER, GIVEN), rejected)
    assert row.phrases == ()
    [row] = run(GivenBoxes(GIVEN), row)
    assert row.boxes == ()


def test_the_stage_is_there_only_if_boxes_are_given():
    given = Configuration.model_validate({"source": {"columns": {"boxes": "b"}, "boxes": {"format": "grit"}}})
    assert [stage.name for stage in configured_stages(given)] == ["phrases", "given_boxes", "boxes"]
    assert [stage.name for stage in configured_stages(Configuration())] == ["phrases", "boxes"]
