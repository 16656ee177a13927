"""Claims of foreign data: which boxes belong to which noun phrase, and the verdicts."""

import json

import pytest

import gritmill
from tests.gritmill.auditing import planted

LEFT, MIDDLE, RIGHT = [0.05, 0.4, 0.2, 0.6], [0.4, 0.4, 0.55, 0.6], [0.8, 0.4, 0.95, 0.6]


def row(caption, **boxes):
    """A row of GRIT. boxes: by phrase, with _ for blanks."""
    chunks = []
    for words, corners in boxes.items():
        start = caption.index(words.replace("_", " "))
        chunks += [[start, start + len(words), *four, 0.9] for four in corners]
    return {"caption": caption, "url": caption, "width": 600, "height": 400, "noun_chunks": chunks}


def audit(tmp_path, *rows):
    planted.write_lines(rows, tmp_path / "a.jsonl")
    return gritmill.audit(tmp_path / "a.jsonl", examples=9)


def verdicts(result, kind):
    return tuple(result["claims"][kind][verdict]["found"] for verdict in ("supported", "contradicted", "undecided"))


@pytest.mark.parametrize("phrase", ["a_dog", "dog", "a_dog_to_the_left_of_a_cat"])
def test_a_relation_is_held_against_boxes_however_the_phrase_is_cut(tmp_path, phrase):
    caption = "a dog to the left of a cat"
    good = audit(tmp_path, row(caption, **{phrase: [LEFT]}, a_cat=[RIGHT]))
    bad = audit(tmp_path, row(caption, **{phrase: [RIGHT]}, a_cat=[LEFT]))
    assert verdicts(good, "relation") == (1, 0, 0)
    assert verdicts(bad, "relation") == (0, 1, 0)
    (example,) = bad["claims"]["relation"]["contradicted"]["examples"]
    assert example.startswith(f"{tmp_path}/a.jsonl:1: 'a dog to the left of a cat': left_of; dx -")
    assert bad["claims"]["relation"]["predicates"] == {"left_of": {"contradicted": 1}}
    assert good["checks"]["no_noun_phrase"]["found"] == 0


def test_the_shape_of_the_picture_decides_how_far_apart_things_are(tmp_path):
    boxes = {"a_dog": [[0.1, 0.4, 0.2, 0.6]], "a_cat": [[0.4, 0.4, 0.5, 0.6]]}
    near = row("a dog near a cat", **boxes)
    for width, height, verdict in ((1000, 1000, "undecided"), (2000, 200, "contradicted"), (0, 0, "undecided")):
        result = audit(tmp_path, {**near, "width": width, "height": height})
        assert result["claims"]["relation"]["predicates"] == {"near": {verdict: 1}}


def test_a_count_with_too_few_boxes_is_no_contradiction_but_counted(tmp_path):
    result = audit(
        tmp_path,
        row("two dogs in a field", two_dogs=[LEFT, MIDDLE, RIGHT]),
        row("two dogs on a road", two_dogs=[LEFT, RIGHT]),
        row("three dogs at a fence", three_dogs=[LEFT, RIGHT]),
        row("four dogs near a fence"),
        row("dogs near a fence", dogs=[LEFT]),
        row("a bunch of bananas", a_bunch_of_bananas=[LEFT]),
    )
    counts = result["claims"]["count"]["predicates"]["exactly"]
    assert counts == {"contradicted": 1, "supported": 1, "undecided": 2}
    fewer = result["checks"]["fewer_boxes"]
    assert [line.split(": ")[1] for line in fewer["examples"]] == ["'three dogs'"]
    assert (fewer["found"], fewer["of"]) == (1, result["claims"]["count"]["number"])


def test_what_is_no_noun_phrase_has_no_vote_and_is_counted(tmp_path):
    result = audit(tmp_path, row("two dogs run in a field", dogs_run=[LEFT, MIDDLE, RIGHT], a_field=[LEFT]))
    assert verdicts(result, "count")[1] == 0
    figures = result["checks"]["no_noun_phrase"]
    assert (figures["found"], figures["of"]) == (1, 2)
    assert figures["examples"][0].endswith("noun_chunks[0] 'dogs run'")


def test_words_without_offsets_are_found_in_the_caption(tmp_path):
    regions = [
        {"bbox": [40, 160, 100, 240], "phrase": "a dog"},
        {"bbox": [400, 160, 500, 240], "phrase": "A cat"},
    ]
    caption = "a dog to the right of a cat"
    line = {"filename": "a.jpg", "width": 600, "height": 400, "grounding": {"caption": caption, "regions": regions}}
    result = audit(tmp_path, line)
    assert verdicts(result, "relation") == (0, 1, 0)
    assert result["checks"]["other_text"]["found"] == 0


def test_captions_of_any_kind_are_parsed_or_passed_over(tmp_path):
    captions = ["", " ", "\ud800 a dog", "犬が二匹", "a dog " * 4000, "\0", "a" * 30_000, "two dogs"]
    result = audit(tmp_path, *(row(caption) for caption in captions))
    assert result["counts"]["pairs"] == len(captions)
    assert result["files"][0]["broken"] == 0


def test_a_box_around_a_crowd_says_nothing_about_an_exact_number(tmp_path):
    def image(number, crowd, *boxes):
        annotations = [
            {"image_id": number, "category_id": 1, "bbox": [100 * x, 40, 80, 120], "iscrowd": crowd} for x in boxes
        ]
        caption = f"two dogs near fence {number}"
        return {
            "id": number,
            "file_name": f"{number}.jpg",
            "caption": caption,
            "width": 600,
            "height": 400,
        }, annotations

    made = [image(1, 0, 0, 2), image(2, 0, 0, 2, 4), image(3, 1, 0, 2, 4), image(4, 1, 0, 2), image(5, 1, 0)]
    coco = {"images": [one for one, _ in made], "annotations": [box for _, boxes in made for box in boxes]}
    coco |= {"categories": [{"id": 1, "name": "two dogs"}]}
    (tmp_path / "a.json").write_text(json.dumps(coco))
    result = gritmill.audit(tmp_path / "a.json")
    assert result["claims"]["count"]["predicates"]["exactly"] == {"supported": 1, "contradicted": 1, "undecided": 3}
    assert result["checks"]["fewer_boxes"]["found"] == 0
