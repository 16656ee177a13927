"""The contract of every dialect: it encodes what it declares, within its declared error, or refuses the sample."""

import csv
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tests.shared import DATA, needs_shared
from tests.transforms.phrases.extraction import extract
from transforms.phrases.drop_lists import drop_heads
from transforms.phrases.parser import load_parser
from transforms.records import Box, Grounding
from transforms.settings import PhraseSettings
from transforms.text import dialects
from transforms.text.dialects.scales import binned
from transforms.text.dialects.tagged import Tagged
from transforms.text.grounded_caption import (
    CannotCarry,
    Carries,
    GroundedCaption,
    Span,
    choose_spans,
    expected_round_trip,
)

OWN = [*sorted(dialects.names()), "kosmos2:training", "loc1000:2", "loc1000:500", "normalized:5", "qwen2.5-vl:100000"]

FROM_OUTSIDE = Tagged(  # a dialect as a user's package would define it
    "from-outside",
    binned(256),
    entity="{{{phrase}}}{boxes}",
    box="<{:03}|{:03}|{:03}|{:03}>",
    number=r"\d{3}",
    signs=("{", "<"),
)
DIALECTS = {name: dialects.find(name) for name in OWN} | {"from-outside": FROM_OUTSIDE}

fractions = st.one_of(st.floats(0, 1), st.integers(0, 64).map(lambda n: n / 64), st.sampled_from([0.0, 1.0, 0.9995]))


@st.composite
def boxes(draw):
    x1, x2 = sorted((draw(fractions), draw(fractions)))
    y1, y2 = sorted((draw(fractions), draw(fractions)))
    assume(x1 < x2 and y1 < y2)
    return x1, y1, x2, y2


SIGNS = (
    *("a dog", "the red house", " ", ", ", "[", "]", "}", '"', "\\", "\n", "caf\u00e9", "\u202e", "```", " ; "),
    *(
        "<p>",
        "</p>",
        "<ref>",
        "</ref>",
        "<box>",
        "<delim>",
        "<|object_ref_start|>",
        "<loc0001>",
        "<bin_7>",
        "{<1><2><3><4>}",
    ),
    *("<loc_1><loc_2><loc_3><loc_4>", "[0.100,0.200,0.300,0.400]", "](0.100,0.200,0.300,0.400)"),
    *(" [1, 2, 3, 4]", " [[001,002,003,004]]"),
)
captions = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.lists(
    st.sampled_from(SIGNS), max_size=8
).map("".join)


@st.composite
def grounded(draw):
    caption = draw(captions)
    ends = sorted(draw(st.sets(st.integers(0, len(caption)), max_size=8)))
    pairs = [(a, b) for a, b in pairwise(ends) if draw(st.booleans())]
    spans = tuple(Span(a, b, tuple(draw(st.lists(boxes(), min_size=1, max_size=3)))) for a, b in pairs)
    return GroundedCaption(
        caption, spans, *draw(st.sampled_from([(640, 480), (480, 640), (1, 1), (37, 1000), (20, 20)]))
    )


def outline(caption):
    return caption.caption, [(span.start, span.end, len(span.boxes)) for span in caption.spans]


def check(dialect, sample):
    """Encodes and decodes. Returns False if the dialect refuses the sample."""
    try:
        text = dialect.encode(sample)
    except CannotCarry:
        return False
    wanted = expected_round_trip(sample, dialect.carries)
    found = dialect.decode(text, sample.width, sample.height)
    assert outline(found) == outline(wanted)
    wide, high = dialect.error(sample.width, sample.height)
    for span, exact in zip(found.spans, wanted.spans, strict=True):
        for box, true in zip(span.boxes, exact.boxes, strict=True):
            moved = [abs(a - b) for a, b in zip(box, true, strict=True)]
            assert max(moved[0], moved[2]) <= wide + 1e-9
            assert max(moved[1], moved[3]) <= high + 1e-9
            assert all(0 <= corner <= 1 for corner in box)
    return True


@pytest.mark.parametrize("name", DIALECTS)
@settings(max_examples=settings.default.max_examples // 2)  # of many dialects
@given(sample=grounded())
@example(sample=GroundedCaption("", (), 640, 480))
@example(sample=GroundedCaption("a dog", (Span(0, 5, ((0.0, 0.0, 1.0, 1.0),)),), 640, 480))
@example(sample=GroundedCaption("a dog a dog", (Span(0, 5, ((0, 0, 1, 1),)), Span(6, 11, ((0, 0, 0.5, 1),))), 640, 480))
def test_a_dialect_carries_what_it_declares_or_says_that_it_cannot(name, sample):
    check(DIALECTS[name], sample)


@pytest.mark.parametrize("name", [name for name, one in DIALECTS.items() if getattr(one, "by_caption", False)])
@given(sample=grounded())
def test_a_dialect_that_says_so_refuses_for_the_caption_alone(name, sample):
    dialect = DIALECTS[name]
    assert check(dialect, sample) == check(dialect, replace(sample, spans=()))


PLAIN = GroundedCaption(
    'A man with a dog (on a leash), 2 cats & one "St. Bernard"; it\'s 50% off: see [1].',
    (
        Span(0, 5, ((0.1, 0.2, 0.5, 0.74),)),
        Span(11, 16, ((0.25, 0.25, 0.5, 0.75), (0.5, 0.5, 0.61, 0.8))),
        Span(31, 37, ((0.0, 0.0, 1.0, 1.0),)),
    ),
    640,
    480,
)


@pytest.mark.parametrize("name", DIALECTS)
def test_usual_punctuation_is_no_markup(name):
    assert check(DIALECTS[name], PLAIN)


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_says_what_it_is(name):
    dialect = DIALECTS[name]
    assert dialect.name == name
    assert dialect.carries in Carries
    assert dialect.rounding
    assert 0 < max(dialect.error(640, 480)) <= 1 / 2


def test_a_dialect_from_outside_is_templates_and_a_scale():
    assert FROM_OUTSIDE.encode(GroundedCaption("a dog", (Span(0, 5, ((0.5, 0.0, 1.0, 0.25),)),))) == (
        "{a dog}<128|000|255|064>"
    )
    assert FROM_OUTSIDE.carries is Carries.SPANS
    assert FROM_OUTSIDE.error(640, 480) == (0.5 / 256, 0.5 / 256)


@pytest.mark.parametrize(
    ("name", "phrase", "reason"),
    [
        ("kosmos2", "a <b> dog", "markup"),
        ("florence2", "a caf\u00e9", "non_ascii"),
        ("florence2", "a <b> dog", "markup"),
        ("florence2", "a group", "banned_phrase"),
        ("paligemma", "a dog ; a cat", "markup"),
        ("paligemma", "a dog; a cat", "markup"),
        ("paligemma", "a price <5", "markup"),
        ("ofa", "a <bin_7> dog", "markup"),
        ("markdown", "a [red] dog", "markup"),
        ("qwen-vl", "a </ref> dog", "markup"),
        ("pixels", "dogs [1, 2, 3, 4]", "markup"),
    ],
)
def test_what_cannot_be_carried_is_refused_with_a_reason(name, phrase, reason):
    sample = GroundedCaption(phrase, (Span(0, len(phrase), ((0.1, 0.1, 0.5, 0.5),)),), 640, 480)
    with pytest.raises(CannotCarry) as refused:
        dialects.find(name).encode(sample)
    assert str(refused.value) == reason


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("markdown:loud", "'loud'"),
        ("loc1000:1", "'1'"),
        ("loc1000:x", "'x'"),
        ("normalized:0", "'0'"),
        ("qwen2.5-vl:9", "'9'"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(name, option):
    with pytest.raises(ValueError, match=f"has no option {option}"):
        dialects.find(name)


@pytest.mark.slow
@needs_shared
def test_of_coco_captions_no_dialect_rejects_more_than_one_in_a_hundred():
    with (DATA / "captions" / "coco_val2017_captions.tsv").open(newline="", encoding="utf-8") as file:
        texts = [row[-1] for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)][1:3001]
    heads = drop_heads(PhraseSettings().drop_lists)
    samples = []
    for text, found in zip(texts, extract(load_parser("caption-parser"), texts, heads), strict=True):
        groundings = [Grounding(phrase, Box(i, 0.1, 0.2, 0.6, 0.7, 0.5)) for i, phrase in enumerate(found.phrases)]
        samples.append(GroundedCaption(text, choose_spans(groundings, "longest"), 640, 480))
    assert sum(bool(sample.spans) for sample in samples) > 2900
    for name, dialect in DIALECTS.items():
        rejected = sum(not check(dialect, sample) for sample in samples)
        assert rejected <= len(samples) / 100, name
