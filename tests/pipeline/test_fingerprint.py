from typing import Any

import pytest

from pipeline import fingerprint
from tests.pipeline.making import configuration

MODELS = {"phrases": "folder:1", "detector": "folder:2"}


def mark(limit: int | None = None, models: dict[str, str] = MODELS, **sections: Any) -> str:
    return fingerprint.ground(configuration(**sections), models, limit)


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
        {"chunk": {"pairs": 256, "bytes": "128MiB"}},
    ],
)
def test_what_may_change_from_run_to_run_is_not_part_of_it(sections: dict[str, Any]) -> None:
    assert mark(**sections) == mark()


@pytest.mark.parametrize(
    "sections",
    [
        {"source": {"kind": "csv"}},
        {"source": {"columns": {"caption": ["text", "caption"]}}},
        {"source": {"image_root": "/data"}},
        {"source": {"max_pixels": 7}},
        {"chunk": {"pairs": 255}},
        {"chunk": {"bytes": 7}},
        {"phrases": {"drop_lists": ["pronoun"]}},
        {"detector": {"precision": "bfloat16"}},
        {"detector": {"short_side": 320}},
        {"detector": {"canvas_step": 64}},
        {"detector": {"floor": 0.1}},
        {"detector": {"candidates": 7}},
        {"detector": {"span_score": "max"}},
    ],
)
def test_what_changes_results_is_part_of_it(sections: dict[str, Any]) -> None:
    assert mark(**sections) != mark()


def test_limit_and_models_are_part_of_it() -> None:
    marks = {
        mark(),
        mark(100),
        mark(101),
        mark(models={**MODELS, "detector": "x"}),
        mark(models={**MODELS, "phrases": "x"}),
    }
    assert len(marks) == 5


def test_a_digest_does_not_mind_the_order_of_keys() -> None:
    assert fingerprint.digest({"a": 1, "b": [1, 2]}) == fingerprint.digest({"b": [1, 2], "a": 1})
    assert fingerprint.digest([1, 2]) != fingerprint.digest([2, 1])
    assert len(fingerprint.digest("ä")) == 32


def test_workers_load_the_commit_that_the_driver_has_found() -> None:
    settings = configuration(detector={"model": "a/b", "revision": "main"})
    identities = {**MODELS, "detector": "hub:a/b@0123abc"}
    assert fingerprint.resolve(settings, identities).detector.revision == "0123abc"
    assert fingerprint.resolve(settings, MODELS).detector.revision == "main"
