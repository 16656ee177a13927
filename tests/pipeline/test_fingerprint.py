from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import pytest

from pipeline import fingerprint
from pipeline.configuration import Configuration
from pipeline.pack.fingerprint import compute_pack_fingerprint
from pipeline.pack.manifest import changed_keys
from pipeline.plan.plan import Plan, read_plan
from tests.pipeline.builders import configuration
from transforms.claims.verdicts import RULES_VERSION
from transforms.detectors.grounding_dino.family import GROUNDING_DINO
from transforms.detectors.load import find_family
from transforms.detectors.settings import DetectorSettings
from transforms.images import DEFAULT_LIMITS
from transforms.selection.judge import Policy
from transforms.settings import LegacyValue, Section, SelectionSettings

RELEASED = Path(__file__).resolve().parents[1] / "data" / "released" / "finished"

MODELS = {"phrases": "folder:1", "detector": "folder:2"}


def fingerprint_of(limit: int | None = None, models: dict[str, str] = MODELS, **sections: Any) -> str:
    return fingerprint.ground_fingerprint(configuration(**sections), models, limit, GROUNDING_DINO)


@pytest.mark.parametrize(
    "sections",
    [
        {"detector": {"device": "cpu"}},
        {"detector": {"batch": 7}},
        {"detector": {"threads": 3}},
        {"detector": {"forward": "stock"}},
        {"selection": {"score": 0.5}},
        {"text": {"spans": "densest"}},
        {"shards": {"pairs": 5}},
        {"filters": {"duplicates": "exact"}},
        {"chunk": {"pairs": 256, "bytes": "128MiB"}},
    ],
)
def test_what_may_change_from_run_to_run_is_not_part_of_it(sections: dict[str, Any]) -> None:
    assert fingerprint_of(**sections) == fingerprint_of()


@pytest.mark.parametrize(
    "sections",
    [
        {"source": {"kind": "csv"}},
        {"source": {"columns": {"caption": ["text", "caption"]}}},
        {"source": {"image_root": "/data"}},
        {"source": {"columns": {"phrases": "p"}}},
        {"source": {"columns": {"boxes": "b"}, "boxes": {"format": "xywh"}}},
        {"source": {"max_pixels": 7}},
        {"filters": {"min_side": 200}},
        {"filters": {"max_aspect": 3}},
        {"filters": {"min_words": 2}},
        {"filters": {"max_words": 50}},
        {"filters": {"where": ["punsafe < 0.5"]}},
        {"filters": {"missing": "keep"}},
        {"filters": {"duplicates": "near"}},
        {"chunk": {"pairs": 255}},
        {"chunk": {"bytes": 7}},
        {"phrases": {"drop_lists": ["pronoun"]}},
        {"phrases": {"measures": []}},
        {"phrases": {"ask": "head"}},
        {"detector": {"precision": "bfloat16"}},
        {"detector": {"short_side": 320}},
        {"detector": {"canvas_step": 64}},
        {"detector": {"floor": 0.1}},
        {"detector": {"candidates": 7}},
        {"detector": {"span_score": "max"}},
        {"detector": {"decode": "fast"}},
    ],
)
def test_what_changes_results_is_part_of_it(sections: dict[str, Any]) -> None:
    assert fingerprint_of(**sections) != fingerprint_of()


def test_limit_and_models_are_part_of_it() -> None:
    marks = {
        fingerprint_of(),
        fingerprint_of(100),
        fingerprint_of(101),
        fingerprint_of(models={**MODELS, "detector": "x"}),
        fingerprint_of(models={**MODELS, "phrases": "x"}),
    }
    assert len(marks) == 5


def test_a_digest_does_not_mind_the_order_of_keys() -> None:
    assert fingerprint.json_digest({"a": 1, "b": [1, 2]}) == fingerprint.json_digest({"b": [1, 2], "a": 1})
    assert fingerprint.json_digest([1, 2]) != fingerprint.json_digest([2, 1])
    assert len(fingerprint.json_digest("ä")) == 32


def test_workers_load_the_commit_that_the_driver_has_found() -> None:
    settings = configuration(detector={"model": "a/b", "revision": "main"})
    identities = {**MODELS, "detector": "hub:a/b@0123abc"}
    assert fingerprint.resolve(settings, identities).detector.revision == "0123abc"
    assert fingerprint.resolve(settings, MODELS).detector.revision == "main"


class NewerDetector(DetectorSettings):
    sharpness: Annotated[int, LegacyValue(0)] = 3
    passes: Annotated[int | None, LegacyValue(None)] = None


NEWER = replace(GROUNDING_DINO, settings=NewerDetector)


class NewerSection(Section):
    model: Annotated[str | None, LegacyValue(None)] = None


class NewerConfiguration(Configuration):
    """A later release: two new keys in a section, a new nested section, and a new top-level section."""

    class Phrases(type(Configuration().phrases)):  # type: ignore[misc]
        novelty: NewerSection = NewerSection()

    phrases: Phrases = Phrases()
    detector: NewerDetector = NewerDetector()
    captions: NewerSection = NewerSection()


def newer(**sections: Any) -> NewerConfiguration:
    return NewerConfiguration.model_validate(configuration().model_dump() | sections)


def newer_fingerprint(**sections: Any) -> str:
    return fingerprint.ground_fingerprint(newer(**sections), MODELS, None, NEWER)


def test_a_newer_key_counts_only_where_it_differs_from_the_value_that_means_as_before() -> None:
    before = {"model": configuration().detector.model, "sharpness": 0}
    same = fingerprint.ground_fingerprint(
        configuration(detector={"model": before["model"]}), MODELS, None, GROUNDING_DINO
    )
    assert newer_fingerprint(detector=before) == same
    assert newer_fingerprint(detector={"model": before["model"]}) != same  # its default is different
    assert newer_fingerprint(detector=before | {"sharpness": 1}) != same
    assert newer_fingerprint(detector=before | {"passes": 2}) != same
    assert newer_fingerprint(detector=before, phrases={"novelty": {"model": "a"}}) != same


def test_a_newer_key_means_as_before_in_what_an_earlier_release_has_written() -> None:
    written = configuration(detector={"floor": 0.2}).model_dump(mode="json")
    read = NewerConfiguration.read_back(written)
    assert (read.detector.sharpness, read.detector.passes, read.detector.floor) == (0, None, 0.2)
    assert read.phrases.novelty == NewerSection()
    assert fingerprint.ground_fingerprint(read, MODELS, None, NEWER) == fingerprint_of(detector={"floor": 0.2})


def test_released_runs_have_the_fingerprints_that_this_code_gives_them() -> None:
    plan = read_plan(str(RELEASED / "detections"))
    assert plan is not None
    family = find_family(plan.configuration.detector)
    assert (
        fingerprint.ground_fingerprint(plan.configuration, plan.model_identities, plan.limit, family)
        == plan.fingerprint
    )
    assert plan.fingerprint == "6f0465f9e7b9c5ce09fba4442b904f54"


def test_a_newer_key_of_the_selection_counts_in_a_pack_only_where_it_differs() -> None:
    class NewerSelection(SelectionSettings):
        novelty: Annotated[bool, LegacyValue(False)] = False

    plan = read_plan(str(RELEASED / "detections"))
    assert plan is not None
    shards, text = plan.configuration.shards, plan.configuration.text

    def packed(selection: SelectionSettings) -> str:
        return compute_pack_fingerprint(plan, ["a"], Policy(selection, 0.5, text), shards)

    assert packed(NewerSelection()) == packed(SelectionSettings())
    assert packed(NewerSelection(novelty=True)) != packed(SelectionSettings())


def test_duplicates_are_part_of_a_pack_and_not_of_ground() -> None:
    plan = read_plan(str(RELEASED / "detections"))
    assert plan is not None
    selection, text, shards = (getattr(plan.configuration, name) for name in ("selection", "text", "shards"))
    before = compute_pack_fingerprint(plan, ["a"], Policy(selection, 0.5, text), shards)
    assert compute_pack_fingerprint(plan, ["a"], Policy(selection, 0.5, text, True), shards) != before
    both = {"duplicates": "exact", "min_side": 9}
    assert fingerprint_of(filters=both) == fingerprint_of(filters={"min_side": 9}) != fingerprint_of()
    exact = configuration(filters=both)
    assert changed_keys(plan.configuration.model_dump(mode="json"), exact)[0] == "filters.duplicates"
    packed = plan.configuration.packed_with(exact)
    assert (packed.filters.duplicates, packed.filters.min_side) == ("exact", None)
    assert exact.packed_with(configuration()).filters.duplicates is None
    near = configuration(filters={"duplicates": "near"})
    for given in (configuration(), exact, near):
        assert near.packed_with(given).filters.duplicates == "near"
    assert configuration().packed_with(near).filters.duplicates is None
    assert exact.packed_with(near).filters.duplicates == "exact"


def test_a_newer_section_counts_only_where_one_of_its_keys_does(monkeypatch: pytest.MonkeyPatch) -> None:
    before = newer(detector={"model": configuration().detector.model, "sharpness": 0})
    same = fingerprint.ground_fingerprint(before, MODELS, None, NEWER)
    monkeypatch.setattr(fingerprint, "GROUND_SECTIONS", (*fingerprint.GROUND_SECTIONS, "captions"))
    assert fingerprint.ground_fingerprint(before, MODELS, None, NEWER) == same
    other = before.model_copy(update={"captions": NewerSection(model="a")})
    assert fingerprint.ground_fingerprint(other, MODELS, None, NEWER) != same


def test_a_legacy_value_is_compared_as_its_key_writes_it() -> None:
    class Newer(Section):
        names: Annotated[tuple[str, ...], LegacyValue(["a"])] = ("b",)
        share: Annotated[float, LegacyValue(0)] = 1.0
        flag: Annotated[bool | None, LegacyValue(None)] = None

    assert Newer(names=("a",), share=0.0).fingerprint_values() == {}
    assert Newer(names=("a",), share=0.0, flag=False).fingerprint_values() == {"flag": False}
    assert Newer.read_back({}) == Newer(names=("a",), share=0.0)


def test_a_legacy_value_that_would_be_overlooked_is_refused() -> None:
    with pytest.raises(TypeError, match="LegacyValue must annotate the whole type"):

        class Inside(Section):
            number: Annotated[int, LegacyValue(0)] | None = None

    with pytest.raises(TypeError, match="the default of a section must be a section"):

        class Absent(Section):
            inner: NewerSection | None = None


def test_a_manifest_of_a_later_release_does_not_hide_what_differs() -> None:
    written = configuration().model_dump(mode="json")
    written["selection"] |= {"unknown": 1, "nms_iou": 0.1}
    assert changed_keys(written, configuration()) == ["selection.nms_iou"]


def test_a_call_that_resumes_an_older_run_keeps_the_value_that_means_as_before() -> None:
    earlier = NewerConfiguration.read_back(configuration().model_dump(mode="json"))
    resumed = NewerConfiguration().resuming(earlier)
    assert (resumed.detector.sharpness, resumed.detector.passes) == (0, None)
    same = newer(detector={"sharpness": 0, "model": earlier.detector.model})
    assert newer(detector={"sharpness": 3}).resuming(earlier).detector.sharpness == 3  # the call sets it
    assert NewerConfiguration().resuming(same.model_copy(update={"detector": NewerDetector(sharpness=7)})) == (
        NewerConfiguration()
    )


def test_the_limit_of_scans_is_part_of_it_but_not_for_a_run_that_had_none() -> None:
    before = Configuration.read_back({"source": {"max_pixels": 7}})
    assert before.source.image_limits == (7, None)
    assert Configuration().source.image_limits == DEFAULT_LIMITS
    assert "max_scans" not in before.source.fingerprint_values()
    assert fingerprint_of(source={"max_scans": 20}) != fingerprint_of() != fingerprint_of(source={"max_scans": None})


def test_the_words_of_claims_are_part_of_it_if_claims_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> list[str]:
        return [fingerprint_of(phrases={"claims": claims}) for claims in (True, False)]

    (on, off), released = found(), fingerprint.read_list
    for changed in fingerprint.LISTS:
        content = {name: {**released(name), "more": [name == changed]} for name in fingerprint.LISTS}
        monkeypatch.setattr(fingerprint, "read_list", content.__getitem__)
        assert found()[0] != on
        assert found()[1] == off
        on = found()[0]


def test_the_version_of_reading_is_part_of_it_if_claims_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> list[str]:
        return [fingerprint_of(phrases={"claims": claims}) for claims in (True, False)]

    on, off = found()
    monkeypatch.setattr(fingerprint, "READING_VERSION", 99)
    assert found()[0] != on
    assert found()[1] == off


def test_the_rules_for_claims_are_part_of_a_pack_if_the_run_reads_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = read_plan(str(RELEASED / "detections"))
    assert plan is not None
    reading = replace(plan, configuration=configuration(phrases={"claims": True}))
    policy, shards = Policy(SelectionSettings(), 0.5, plan.configuration.text), plan.configuration.shards

    def packed(one: Plan) -> str:
        return compute_pack_fingerprint(one, ["a"], policy, shards)

    before = packed(plan), packed(reading)
    monkeypatch.setattr("pipeline.configuration.rules_version", lambda given_boxes: 99)
    assert packed(plan) == before[0]
    assert packed(reading) != before[1]


def test_the_code_that_links_boxes_of_the_source_is_part_of_runs_that_may_have_some(monkeypatch) -> None:
    boxes = {"columns": {"boxes": "objects"}, "boxes": {"format": "xywh"}}
    before = [fingerprint_of(source=source) for source in ({}, boxes)]
    monkeypatch.setattr(fingerprint, "GIVEN_BOXES_VERSION", 99)
    assert fingerprint_of() == before[0]
    assert fingerprint_of(source=boxes) != before[1]


def test_the_rules_for_boxes_of_the_source_are_those_of_runs_that_may_have_some() -> None:
    """So that the packs of all other runs, which these rules do not change, stay current."""
    boxes = {"columns": {"boxes": "objects"}, "boxes": {"format": "xywh"}}
    assert [configuration(source=source).claim_rules for source in ({}, boxes)] == [2, RULES_VERSION]
    assert configuration(source=boxes, phrases={"claims": False}).claim_rules == 0
