"""One known example per dialect, from its project, and the reader of transformers if there is one."""

import json
import re
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from transforms.text.dialects import find
from transforms.text.dialects.florence2 import BANNED
from transforms.text.dialects.qwen_json import MAX_PIXELS, resized
from transforms.text.grounded_caption import CannotCarry, GroundedCaption, Span

DOG = (0.29, 0.371, 0.605, 0.75)


def text(name, phrase, *boxes, caption=None, size=(1000, 1000)):
    caption = caption or phrase
    start = caption.index(phrase)
    return find(name).encode(GroundedCaption(caption, (Span(start, start + len(phrase), boxes),), *size))


@pytest.mark.parametrize(
    ("name", "phrase", "boxes", "wanted"),
    [
        # The example in the paper: a man in the 44th to the 863rd cell.
        ("kosmos2-paper", "It", [(12 / 32, 1 / 32, 31.5 / 32, 26.5 / 32)], "<p>It</p><box><loc_44><loc_863></box>"),
        (
            "loc1000",
            "a red cup",
            [(0.342, 0.156, 0.587, 0.423)],
            "<p>a red cup</p><box><loc_342><loc_156><loc_586><loc_423></box>",
        ),
        (
            "normalized",
            "a red cup",
            [(0.12, 0.34, 0.67, 0.89)],
            "<p>a red cup</p><box>[[0.12, 0.34, 0.67, 0.89]]</box>",
        ),
        ("markdown", "a dog", [DOG], "[a dog](0.290,0.371,0.605,0.750)"),
        ("pixels", "a man", [(0.12, 0.08, 0.34, 0.45)], "a man [120, 80, 340, 450]"),
        ("pix2seq", "a dog", [(0.0, 0.5, 0.25, 1.0)], "1500 1000 1999 1250 30"),
        ("shikra", "A man", [(0.22, 0.216, 0.568, 0.83)], "A man[0.220,0.216,0.568,0.830]"),
        ("ferret", "a dog", [(0.2905, 0.3715, 0.6055, 0.7505)], "a dog [290, 371, 605, 750]"),
        ("qwen-vl", "Woman", [(0.4515, 0.3795, 0.7315, 0.8065)], "<ref>Woman</ref><box>(451,379),(731,806)</box>"),
        (
            "qwen2-vl",
            "dog",
            [DOG],
            "<|object_ref_start|>dog<|object_ref_end|><|box_start|>(290,371),(605,750)<|box_end|>",
        ),
        ("cogvlm", "a dog", [(0.086, 0.54, 0.4, 0.76)], "a dog [[086,540,400,760]]"),
        ("internvl", "a dog", [DOG], "<ref>a dog</ref><box>[[290, 371, 605, 750]]</box>"),
        ("minigpt-v2", "a dog", [(0.295, 0.375, 0.605, 0.755)], "<p>a dog</p> {<29><37><60><75>}"),
        ("florence2", "a dog", [(0.1005, 0.2, 0.4995, 0.7495)], "a dog<loc_100><loc_200><loc_499><loc_749>"),
        ("paligemma", "dog", [(0.1, 0.25, 0.5, 0.75)], "<loc0256><loc0102><loc0767><loc0512> dog"),
        ("ofa", "dog", [(0.1, 0.25, 0.5, 0.75)], "<bin_100> <bin_250> <bin_500> <bin_749> dog"),
    ],
)
def test_known_texts(name, phrase, boxes, wanted):
    assert text(name, phrase, *boxes) == wanted


def test_several_boxes_as_each_project_writes_them():
    two = ((0.1, 0.2, 0.3, 0.4), (0.5, 0.6, 0.7, 0.8))
    assert text("shikra", "dogs", *two) == "dogs[0.100,0.200,0.300,0.400;0.500,0.600,0.700,0.800]"
    assert text("cogvlm", "dogs", *two) == "dogs [[100,200,300,400;500,600,700,800]]"
    assert text("internvl", "dogs", *two) == "<ref>dogs</ref><box>[[100, 200, 300, 400], [500, 600, 700, 800]]</box>"
    assert text("minigpt-v2", "dogs", *two).count("<delim>") == 1
    assert text("paligemma", "dogs", *two).count(" ; ") == 1
    boxes = "<bin_100> <bin_200> <bin_300> <bin_400>", "<bin_500> <bin_599> <bin_699> <bin_799>"
    assert text("ofa", "dogs", *two) == f"{boxes[0]} dogs {boxes[1]} dogs"


def test_shikra_counts_on_the_padded_square():
    # 640 x 480 is padded to a square of 640, with 80 pixels above.
    assert text("shikra", "all", (0, 0, 1, 1), size=(640, 480)) == "all[0.000,0.125,1.000,0.875]"
    assert text("shikra", "all", (0, 0, 1, 1), size=(480, 640)) == "all[0.125,0.000,0.875,1.000]"


def test_ferret_keeps_corners_inside_the_last_pixel():
    assert text("ferret", "all", (0, 0, 1, 1), size=(640, 480)) == "all [0, 0, 998, 997]"


def test_qwen_json_is_a_fenced_list():
    fenced = text("qwen2.5-vl", "a cat", (0.1, 0.2, 0.3, 0.4), size=(640, 480))
    assert fenced.startswith("```json\n[\n\t{")
    assert fenced.endswith("}\n]\n```")
    assert json.loads(fenced[7:-3]) == [{"bbox_2d": [64, 95, 193, 190], "label": "a cat"}]  # of 644 x 476
    assert json.loads(text("qwen3-vl", "a cat", (0.1, 0.2, 0.3, 0.4))[7:-3])[0]["bbox_2d"] == [100, 200, 300, 400]


@pytest.mark.model
@given(st.integers(1, 5000), st.integers(1, 5000), st.sampled_from([MAX_PIXELS, 100_000, 784]))
def test_the_resized_picture_is_that_of_transformers(width, height, most):
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

    if max(width, height) / min(width, height) > 200:
        return  # the reader refuses it
    assert resized(width, height, most) == smart_resize(height, width, max_pixels=most)[::-1]


@pytest.mark.model
def test_florence_2s_own_reader_finds_phrases_and_boxes():
    from transformers.models.florence2.processing_florence2 import Florence2PostProcessor

    two = GroundedCaption(
        "a dog in a field of flowers",
        (Span(0, 5, ((0.1, 0.2, 0.5, 0.75), (0.6, 0.6, 0.7, 0.9))), Span(9, 27, ((0.0, 0.5, 1.0, 1.0),))),
        640,
        480,
    )
    reader = Florence2PostProcessor({}, SimpleNamespace(all_special_tokens=[]))
    found = reader.parse_phrase_grounding_from_text_and_spans(find("florence2").encode(two), (640, 480))
    assert [one["cat_name"] for one in found] == ["a dog", "a field of flowers"]
    assert [len(one["bbox"]) for one in found] == [2, 1]
    for one, span in zip(found, two.spans, strict=True):
        for box, true in zip(one["bbox"], span.boxes, strict=True):
            exact = [corner * side for corner, side in zip(true, (640, 480, 640, 480), strict=True)]
            assert all(abs(a - b) <= 1.5 for a, b in zip(box, exact, strict=True))  # it truncates to whole pixels


@pytest.mark.model
@pytest.mark.parametrize(("words", "read"), [(words, False) for words in sorted(BANNED)] + [("Lots", True)])
def test_florence_2s_own_reader_drops_the_phrases_that_we_do_not_write(words, read):
    from transformers.models.florence2.processing_florence2 import Florence2PostProcessor

    settings = {"phrase_grounding": {"banned_grounding_tokens": sorted(BANNED)}}
    reader = Florence2PostProcessor(settings, SimpleNamespace(all_special_tokens=[]))
    written = f"{words}<loc_1><loc_2><loc_3><loc_4>"
    assert len(reader.parse_phrase_grounding_from_text_and_spans(written, (640, 480))) == read
    one = GroundedCaption(words, (Span(0, len(words), (DOG,)),), 640, 480)
    if read:
        assert text("florence2", words, DOG).startswith("Lots<loc_")
    else:
        with pytest.raises(CannotCarry, match=r"^banned_phrase$"):
            find("florence2").encode(one)


def test_internvls_evaluation_reads_our_boxes():
    """The pattern of the REC evaluation in its repository. A sum of 4 or more means thousandths."""
    found = re.findall(r"\[*\[(.*?),(.*?),(.*?),(.*?)\]\]*", text("internvl", "a dog", DOG))
    values = [float(number) for number in found[0]]
    assert sum(values) >= 4
    assert [value / 1000 for value in values] == list(DOG)


@given(st.floats(0, 1), st.floats(0, 1))
def test_ofas_bins_are_those_of_its_grounding_task(x, y):
    """OFA (data/mm_data/refcoco_dataset.py) rounds tensors of single precision; its tasks divide by bins - 1."""
    x1, x2, y1, y2 = (*sorted((x, 1.0)), *sorted((y, 1.0)))
    tokens = re.findall(r"<bin_(\d+)>", text("ofa", "a dog", (x1, y1, x2, y2)))
    for token, corner in zip(tokens, (x1, y1, x2, y2), strict=True):
        exact = int((torch.tensor([corner], dtype=torch.float32)[0] * (1000 - 1)).round())
        assert abs(int(token) - exact) <= (
            abs(corner * 999 % 1 - 0.5) < 1e-3
        )  # the same, but on the border of two bins
        assert 0 <= int(token) <= 999


@pytest.mark.parametrize(
    "malformed",
    [
        "a dog",
        "<bin_1> <bin_2> <bin_3> a dog",
        "<bin_1> <bin_2> <bin_3> <bin_1000> a dog",
        "<bin_1> <bin_2> <bin_3> <bin_4>",
    ],
)
def test_a_text_that_is_not_ofas_is_refused(malformed):
    with pytest.raises(ValueError, match="ofa: malformed"):
        find("ofa").decode(malformed)


def test_minigpt_v2s_demo_reads_our_boxes():
    found = re.findall(
        r"\{<(\d{1,3})><(\d{1,3})><(\d{1,3})><(\d{1,3})>\}", text("minigpt-v2", "a dog", (0.295, 0.375, 0.605, 0.755))
    )
    assert found == [("29", "37", "60", "75")]
