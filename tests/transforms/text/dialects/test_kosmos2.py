import math
import re
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from transforms.text.dialects import find
from transforms.text.dialects.kosmos2 import _BLANKS, cells, corners
from transforms.text.dialects.kosmos2 import KOSMOS2 as CODEC
from transforms.text.dialects.kosmos2 import KOSMOS2_TRAINING as TRAINING
from transforms.text.grounded_caption import CannotCarry, GroundedCaption, Span

CELL = 1 / 32

fractions = st.one_of(st.floats(0, 1), st.integers(0, 64).map(lambda n: n / 64))


@st.composite
def boxes(draw):
    x1, x2 = sorted((draw(fractions), draw(fractions)))
    y1, y2 = sorted((draw(fractions), draw(fractions)))
    assume(x1 < x2 and y1 < y2)
    return x1, y1, x2, y2


any_caption = st.text(st.characters(exclude_characters="<", exclude_categories=["Cs"]), max_size=40)


@st.composite
def grounded(draw, captions=any_caption):
    caption = draw(captions)
    ends = sorted(draw(st.sets(st.integers(0, len(caption)), max_size=8)))
    pairs = [(a, b) for a, b in pairwise(ends) if draw(st.booleans())]
    spans = [Span(a, b, tuple(draw(st.lists(boxes(), min_size=1, max_size=3)))) for a, b in pairs]
    return GroundedCaption(caption, tuple(spans), 640, 480)


def training_cells(box):
    """The arithmetic of Kosmos-2's training code (microsoft/unilm, obj_utils.py) for boxes inside the picture."""
    x1, y1, x2, y2 = max(box[0], 0), max(box[1], 0), min(box[2], 0.99999), min(box[3], 0.99999)
    return (
        math.floor(x1 / CELL) + 32 * math.floor(y1 / CELL),
        math.floor(x2 / CELL) + 32 * math.floor(y2 / CELL),
    )


def test_the_text_is_what_kosmos_2_reads():
    dog = Span(0, 5, ((0.1, 0.2, 0.5, 0.74),))
    text = CODEC.encode(GroundedCaption("a dog in a field", (dog,)))
    assert text == ("<grounding><phrase>a dog</phrase><object><patch_index_0195><patch_index_0751></object> in a field")


def test_several_boxes_are_delimited():
    dogs = Span(4, 8, ((0, 0, 1, 1), (0.5, 0.5, 0.6, 0.6)))
    text = CODEC.encode(GroundedCaption("two dogs", (dogs,)))
    assert text == (
        "<grounding>two <phrase>dogs</phrase><object><patch_index_0000><patch_index_1023>"
        "</delimiter_of_multi_objects/><patch_index_0528><patch_index_0627></object>"
    )


def test_a_caption_without_spans_is_carried_as_it_is():
    assert CODEC.encode(GroundedCaption("a dog", ())) == "<grounding>a dog"
    assert CODEC.decode("<grounding>a dog") == GroundedCaption("a dog", ())
    assert CODEC.decode("<grounding>") == GroundedCaption("", ())


@given(grounded(), st.sampled_from([CODEC, TRAINING]))
def test_decoding_gives_caption_and_spans_exactly_and_boxes_within_a_cell(sample, codec):
    back = codec.decode(codec.encode(sample), sample.width, sample.height)
    assert (back.caption, back.width, back.height) == (sample.caption, sample.width, sample.height)
    assert [(s.start, s.end, len(s.boxes)) for s in back.spans] == [
        (s.start, s.end, len(s.boxes)) for s in sample.spans
    ]
    for span, original in zip(back.spans, sample.spans, strict=True):
        for box, exact in zip(span.boxes, original.boxes, strict=True):
            assert all(abs(a - b) <= CELL + 1e-9 for a, b in zip(box, exact, strict=True))
            assert 0 <= box[0] < box[2] <= 1
            assert 0 <= box[1] < box[3] <= 1


@given(boxes())
def test_inside_the_grid_a_side_moves_by_half_a_cell(box):
    first, last = cells(box)
    assume(first % 32 != last % 32 and first // 32 != last // 32)
    assert all(abs(a - b) <= CELL / 2 + 1e-9 for a, b in zip(corners(first, last), box, strict=True))


@given(grounded())
def test_encoding_what_was_decoded_gives_the_same_text(sample):
    text = CODEC.encode(sample)
    again = CODEC.decode(text)
    assert re.sub(r"\d{4}", "", CODEC.encode(again)) == re.sub(r"\d{4}", "", text)
    assert CODEC.decode(CODEC.encode(again)) == again


@pytest.mark.model
@given(boxes())
def test_cells_are_those_of_transformers(box):
    from transformers.models.kosmos2.processing_kosmos2 import coordinate_to_patch_index

    assume(min(box[2], box[3]) > 1e-9)  # nearer to 0, the index of transformers is -1 or in another row
    assert cells(box) == coordinate_to_patch_index(box, 32)


@given(boxes())
def test_cells_are_those_of_the_training_code(box):
    assert cells(box, training=True) == training_cells(box)


@given(boxes())
def test_the_two_differ_exactly_where_a_far_edge_lies_on_an_inner_cell_border(box):
    assume(min(box[2], box[3]) > 1e-9)
    on_border = any((32 * edge).is_integer() and 32 * edge < 32 for edge in box[2:])
    near_the_edge = any(0.99999 < edge < 1 for edge in box[2:])
    assume(not near_the_edge)
    assert (cells(box) != cells(box, training=True)) == on_border


@pytest.mark.parametrize(
    ("box", "transformers", "training"),
    [
        ((0.25, 0.25, 0.5, 0.75), (264, 751), (264, 784)),
        ((0.25, 0.25, 0.51, 0.76), (264, 784), (264, 784)),
        ((0, 0, 1, 1), (0, 1023), (0, 1023)),
        ((0.5, 0.5, 0.50001, 0.50001), (528, 528), (528, 528)),
        ((0, 0, 1e-20, 1e-20), (0, 0), (0, 0)),
        ((1 - 1e-9, 1 - 1e-9, 1, 1), (1023, 1023), (1023, 1023)),
    ],
)
def test_known_boxes(box, transformers, training):
    assert (cells(box), cells(box, training=True)) == (transformers, training)


@pytest.mark.model
@given(st.integers(0, 1023), st.integers(0, 1023))
def test_corners_are_those_of_transformers(first, last):
    from transformers.models.kosmos2.processing_kosmos2 import patch_index_to_coordinate

    assert corners(first, last) == pytest.approx(patch_index_to_coordinate(first, last, 32))


@pytest.mark.parametrize("caption", ["a dog < a cat", "<", "a <b> c", "<phrase>a dog</phrase>", "<grounding>"])
def test_a_caption_with_an_angle_bracket_is_refused(caption):
    with pytest.raises(CannotCarry, match=r"^markup$"):
        CODEC.encode(GroundedCaption(caption, ()))


@pytest.mark.parametrize(
    "caption", ["a > b", "[SEP] & {x}", "two\nlines\r\n", "\0", "犬 👍‍👩", " blanks ", "patch_index_0001>"]
)
def test_any_other_caption_is_carried(caption):
    span = Span(0, len(caption), ((0.1, 0.1, 0.9, 0.9),))
    back = CODEC.decode(CODEC.encode(GroundedCaption(caption, (span,))))
    assert (back.caption, back.spans[0].start, back.spans[0].end) == (caption, 0, len(caption))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a dog",
        " <grounding>a dog",
        "<grounding><phrase>a dog</phrase>",
        "<grounding><phrase>a dog</phrase><object></object>",
        "<grounding><phrase>a dog</phrase><object><patch_index_0001></object>",
        "<grounding><phrase>a dog</phrase><object><patch_index_1><patch_index_2></object>",
        "<grounding><phrase></phrase><object><patch_index_0001><patch_index_0034></object>",
        "<grounding><object><patch_index_0001><patch_index_0034></object>",
        "<grounding>a <dog",
        "<grounding><grounding>a dog",
        "<grounding><phrase>a dog</phrase><object><patch_index_0001><patch_index_1024></object>",
        "<grounding><phrase>a dog</phrase><object><patch_index_9999><patch_index_9999></object>",
    ],
)
def test_malformed_text_is_refused(text):
    with pytest.raises(ValueError, match="kosmos2"):
        CODEC.decode(text)


@given(
    st.lists(st.sampled_from([" ", "\n", "<patch_index_0001>", "</delimiter_of_multi_objects/>", "<object>", "a", "<"]))
)
def test_blanks_around_patch_indices_and_delimiters_are_removed(parts):
    text = "".join(parts)
    expected = re.sub(r"\s*(<patch_index_\d{4}>|</delimiter_of_multi_objects/>)\s*", r"\1", text)
    assert _BLANKS.sub(r"\1\2", text) == expected


def test_an_unknown_option_is_refused():
    with pytest.raises(ValueError, match=r"kosmos2 has no option 'x'; its options: training"):
        find("kosmos2:x")
    assert (find("kosmos2"), find("kosmos2:"), find("kosmos2:training")) == (CODEC, CODEC, TRAINING)


# The reader and processor of transformers, built from their classes with a vocabulary of single characters.

words = st.lists(st.text("abcdeXYZ019.,'-!é犬", min_size=1, max_size=6), min_size=1, max_size=8).map(" ".join)


def on_words(sample):
    """Returns the caption with the spans that begin and end at words, as spaCy's tokens do."""
    inner = [
        s for s in sample.spans
        if sample.caption[s.start : s.end].strip() == sample.caption[s.start : s.end]
        and sample.caption[s.end : s.end + 1] in ("", " ")
        and sample.caption[s.start - 1 : s.start] in ("", " ")
    ]  # fmt: skip
    return GroundedCaption(sample.caption, tuple(inner))


def expected_entities(sample):
    return [
        (sample.caption[s.start : s.end], (s.start, s.end), [corners(*cells(box)) for box in s.boxes])
        for s in sample.spans
    ]


def same_entities(found, expected):
    assert [entity[:2] for entity in found] == [entity[:2] for entity in expected]
    for (*_, boxes), (*_, others) in zip(found, expected, strict=True):
        assert [pytest.approx(box) for box in others] == boxes


@pytest.mark.model
@given(grounded(words))
def test_transformers_reads_the_text_back(sample):
    from transformers.models.kosmos2.processing_kosmos2 import clean_text_and_extract_entities_with_bboxes

    sound = on_words(sample)
    caption, entities = clean_text_and_extract_entities_with_bboxes(CODEC.encode(sound))
    assert caption == sound.caption
    same_entities(entities, expected_entities(sound))


@pytest.fixture(scope="module")
def processor():
    from transformers import CLIPImageProcessor, Kosmos2Processor, XLMRobertaTokenizer

    pieces = ["▁", *"abcdefghijklmnopqrstuvwxyzXYZ0123456789.,'-!é犬", "▁a", "▁dog", "▁field", "▁in", "▁of", "▁flowers"]
    special = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    tokenizer = XLMRobertaTokenizer(vocab=[*special, *((piece, -4.0) for piece in pieces), ("<mask>", 0.0)])
    side = {"height": 32, "width": 32}
    return Kosmos2Processor(CLIPImageProcessor(size=side, crop_size=side), tokenizer)


BATCH = [
    GroundedCaption("a dog in a field of flowers", (Span(0, 27, ((0.1, 0.2, 0.5, 0.7),)),)),
    GroundedCaption("two dogs", (Span(4, 8, ((0, 0, 0.4, 1), (0.5, 0, 1, 1), (0.2, 0.2, 0.3, 0.9))),)),
    GroundedCaption(
        "the old man, a 犬 and a field", (Span(13, 16, ((0.25, 0.25, 0.5, 0.75),)), Span(21, 28, ((0, 0, 1, 1),)))
    ),
    GroundedCaption("no box in this one", ()),
]


def indices(text):
    return [int(number) for number in re.findall(r"<patch_index_(\d{4})>", text)]


@pytest.mark.model
@pytest.mark.parametrize("with_images", [False, True])
def test_a_batch_goes_through_the_processor_to_token_ids_and_back(processor, with_images):
    texts = [CODEC.encode(sample) for sample in BATCH]
    images = [Image.new("RGB", (40, 30))] * len(BATCH) if with_images else None
    batch = processor(text=texts, images=images, padding=True, return_tensors="pt")
    assert processor.tokenizer.unk_token_id not in batch["input_ids"]
    assert ("pixel_values" in batch) == with_images
    for sample, decoded in zip(
        BATCH, processor.batch_decode(batch["input_ids"], skip_special_tokens=True), strict=True
    ):
        caption, entities = processor.post_process_generation(decoded)
        assert caption == sample.caption
        same_entities(entities, expected_entities(sample))
        expected = [index for span in sample.spans for box in span.boxes for index in cells(box)]
        assert indices(decoded) == expected


@pytest.mark.model
@given(grounded(words))
def test_any_words_survive_the_processors_token_ids(processor, sample):
    sound = on_words(sample)
    ids = processor(text=[CODEC.encode(sound)])["input_ids"][0]
    caption, entities = processor.post_process_generation(processor.decode(ids, skip_special_tokens=True))
    assert caption == sound.caption
    same_entities(entities, expected_entities(sound))


@pytest.mark.model
def test_the_boxes_that_the_processor_inserts_are_ours(processor):
    box = (0.25, 0.25, 0.5, 0.75)
    written = processor.preprocess_examples(
        "<grounding><phrase>a dog</phrase> in a field", bboxes=[[box, (0.0, 0.0, 1.0, 1.0)]]
    )
    span = Span(0, 5, (corners(264, 751), corners(0, 1023)))
    assert CODEC.decode(written) == GroundedCaption("a dog in a field", (span,))
