import pytest

from transforms.annotations.labels import named_phrase, named_words
from transforms.annotations.spans import head_in, spans_of
from transforms.records import Phrase


def named(label, caption, *texts):
    """The text that a label names in a caption with these phrases; None if it names none."""
    spans = spans_of(texts, caption)
    phrases = [Phrase(*span, *head_in(caption, span), *span) for span in spans]
    if (number := named_phrase(label, caption, phrases)) is not None:
        return texts[number]
    span = named_words(label, caption, spans)
    return span and caption[slice(*span)]


@pytest.mark.parametrize(
    ("label", "caption", "texts", "expected"),
    [
        ("dog", "A brown dog and two cats", ["A brown dog", "two cats"], "A brown dog"),
        ("cat", "A brown dog and two cats", ["A brown dog", "two cats"], "two cats"),
        ("Dogs", "A brown dog", ["A brown dog"], "A brown dog"),
        ("person", "two people, men and women", ["two people"], "two people"),
        (
            "traffic light",
            "a red traffic light over a light",
            ["a red traffic light", "a light"],
            "a red traffic light",
        ),
        ("light", "a red traffic light", ["a red traffic light"], "a red traffic light"),
        ("berry", "some berries in boxes", ["some berries", "boxes"], "some berries"),
        ("box", "some berries in boxes", ["some berries", "boxes"], "boxes"),
        ("dog", "a dog and another dog", ["a dog", "another dog"], None),
        ("dog", "Two dogs and a dog", ["Two dogs", "a dog"], None),
        ("dog with a ball", "a dog and a dog with a ball", ["a dog with a ball"], "a dog with a ball"),
        ("dog", "a black dog and a brown dog", ["a black dog", "a brown dog"], None),
        ("person", "a man on a horse", ["a man", "a horse"], None),
        ("dog", "a dog house", ["a dog house"], None),  # words in a phrase of another thing
        ("hot dog", "a dog", ["a dog"], None),
        ("dog", "a hot dog", ["a hot dog"], "a hot dog"),  # nothing tells them apart
        ("cup", "a cup of tea", ["a cup of tea"], "a cup of tea"),
        ("frisbee", "A dog leaps for a frisbee", ["A dog"], "frisbee"),
        ("ball", "A dog, a ball and a ball", ["A dog"], None),
        ("", "A dog", ["A dog"], None),
        ("the", "A dog, the cat", ["A dog"], None),
        ("traffic_light", "a red traffic light", ["a red traffic light"], "a red traffic light"),
        ("cookie", "two cookies and lenses", ["two cookies", "lenses"], "two cookies"),
        ("lens", "two cookies and lenses", ["two cookies", "lenses"], "lenses"),
        ("fireman", "some firemen and wolves", ["some firemen", "wolves"], "some firemen"),
        ("wolf", "some firemen and wolves", ["some firemen", "wolves"], "wolves"),
        ("bus", "a bus and a glass", ["a bus", "a glass"], "a bus"),
        ("glasses", "a bus and a glass", ["a bus", "a glass"], "a glass"),
    ],
)
def test_the_phrase_that_a_label_names(label, caption, texts, expected):
    assert named(label, caption, *texts) == expected


@pytest.mark.parametrize(
    ("label", "caption", "others", "expected"),
    [
        ("dog", "A couch with no dog", ["no dog"], None),
        ("dog", "A couch with no dog and a dog", ["no dog"], None),  # twice: unknown
        ("without a helmet", "A man without a helmet", ["a helmet"], None),
        ("dog", "A couch with no cat but dog", ["no cat"], "dog"),
    ],
)
def test_a_label_names_no_words_that_are_taken(label, caption, others, expected):
    span = named_words(label, caption, spans_of(others, caption))
    assert (span and caption[slice(*span)]) == expected
