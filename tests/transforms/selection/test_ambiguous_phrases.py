import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.records import Box, Pair, Phrase
from transforms.selection.ambiguous_phrases import ambiguous_phrases
from transforms.selection.select_boxes import select
from transforms.settings import SelectionSettings

LEFT, RIGHT = (0.0, 0.2, 0.4, 0.75), (0.6, 0.2, 0.95, 0.75)


def pair_of(marked: str, *answers: tuple[tuple[float, ...], ...]) -> Pair:
    """[an [expression]] in brackets: the inner pair is the noun chunk, whose last word is the head; without an inner
    pair both are the same. answers: the boxes of each phrase, all with the score 0.5 or a fifth value."""
    caption, starts, ends = "", [], []
    for piece in re.split(r"([\[\]{}])", marked):
        if piece == "[":
            starts.append([len(caption), -1])
        elif piece == "]":
            next(span for span in reversed(starts) if span[1] < 0)[1] = len(caption)
        elif piece == "{":
            ends.append([len(caption), -1])
        elif piece == "}":
            next(span for span in reversed(ends) if span[1] < 0)[1] = len(caption)
        else:
            caption += piece
    phrases = []
    for start, end in ends:
        around = [span for span in starts if span[0] <= start and end <= span[1]]
        expression = min(around, key=lambda span: span[1] - span[0]) if around else [start, end]
        head = caption.rfind(" ", start, end) + 1 or start
        phrases.append(Phrase(start, end, max(head, start), end, *expression))
    boxes = tuple(Box(n, *b[:4], *(b[4:] or (0.5,))) for n, found in enumerate(answers) for b in found)
    return Pair("k", "s", 0, caption, phrases=tuple(phrases), boxes=boxes)


BOTH = (LEFT, RIGHT)


@pytest.mark.parametrize(
    ("marked", "answers", "expected"),
    [
        ("[{a dog} on the left] and [{a dog} on the right]", (BOTH, BOTH), {0, 1}),
        ("[{a small cat} next to {a small cat}]", (BOTH, BOTH), {0, 1}),
        ("[{A dog} on the left] and [{a dog}\non the right]", (BOTH, BOTH), {0, 1}),
        ("a woman in {a hat} beside a man in {a hat}", (BOTH, BOTH), {0, 1}),  # two hats, though the words are the same
        ("{one hat} and {another hat}", (BOTH, BOTH), {0, 1}),
        ("{a black dog} and {a brown dog}", (BOTH, BOTH), {0, 1}),  # asked for "dog", by phrases.ask=head
        ("{a dog} and {the dog}", (BOTH, BOTH), set()),
        ("[{a dog} on the left] and [{a dog} on the right]", ((LEFT,), (LEFT,)), {0, 1}),
        ("[{a dog} on the left] and [{a dog} on the right] by {a gate}", (BOTH, BOTH, BOTH), {0, 1}),
        ("{Munich}, {Munich}", (BOTH, BOTH), set()),
        ("{this dog} and {that dog}", (BOTH, BOTH), {0, 1}),
        ("{puppies} play, {puppies} sleep", (BOTH, BOTH), set()),
        ("[{the dog} on the left] and [{the dog} on the right]", (BOTH, BOTH), {0, 1}),
        ("[{the man} in the red shirt] has a bat. {The man} smiles.", (BOTH, BOTH), set()),
        ("[{Munich}, Germany] - {Munich} is a city", (BOTH, BOTH), set()),
        ("[{a dog} on a mat], {a dog}", (BOTH, BOTH), {0, 1}),
        ("{a black dog} and a cat. {The dog} sleeps.", (BOTH, BOTH), set()),  # asked for "dog"
        ("{the black dog} and {the brown dog}", (BOTH, BOTH), {0, 1}),  # asked for "dog"
        ("[{the dog} on the left], [{the dog} on the right]. {The dog} sleeps.", (BOTH, BOTH, BOTH), {0, 1, 2}),
        ("[{the dog} next to [{the dog}]]", (BOTH, BOTH), {0, 1}),
        ("a man with {two dogs} and a woman with {two dogs}", (BOTH, BOTH), {0, 1}),
        ("{some cats} on a bed and {some cats} on a chair", (BOTH, BOTH), {0, 1}),
        # A detector that reads the whole caption, and boxes of the source, tell them apart.
        ("[{a dog} on the left] and [{a dog} on the right]", ((LEFT,), (RIGHT,)), set()),
        ("[{a dog} on the left] and [{a dog} on the right]", (BOTH, ((*LEFT, 0.5), (*RIGHT, 0.4))), set()),
        ("[{a dog} on the left] and [{a dog} on the right]", ((), ()), set()),
        ("{a boxer} or {a dog}", (BOTH, BOTH), set()),  # other words for one thing: suppression keeps the first
    ],
)
def test_phrases_with_the_same_boxes_are_ambiguous_if_they_name_several_things(marked, answers, expected):
    assert ambiguous_phrases(pair_of(marked, *answers)) == expected


def test_the_boxes_of_ambiguous_phrases_suppress_others_and_are_not_kept():
    close = (0.0, 0.2, 0.4, 0.7, 0.4)
    apart = (0.3, 0.8, 0.5, 1.0, 0.4)
    pair = pair_of("[{a dog} on the left], [{a dog} on the right] and {an animal}", BOTH, BOTH, (close, apart))
    assert [(g.phrase, g.box.corners) for g in select(pair, SelectionSettings(), 0.25)] == [
        (pair.phrases[2], apart[:4])
    ]
    first = select(pair, SelectionSettings(ambiguous_phrases="first"), 0.25)
    assert [(g.phrase, g.box.corners) for g in first] == [
        (pair.phrases[0], LEFT),
        (pair.phrases[0], RIGHT),
        (pair.phrases[2], apart[:4]),
    ]


CORNERS = st.sampled_from([LEFT, RIGHT, (0.1, 0.1, 0.3, 0.9)])
ANSWERS = st.lists(st.tuples(CORNERS, st.sampled_from([0.125, 0.25, 0.5])).map(lambda b: (*b[0], b[1])), max_size=4)


@given(ANSWERS, ANSWERS, st.booleans(), st.sampled_from([0.2, 0.3, 0.6]))
def test_a_higher_threshold_keeps_boxes_that_a_lower_one_keeps(some, others, same, threshold):
    pair = pair_of("[{a dog} on the left] and [{a dog} on the right]", some, some if same else others)
    kept, every = (select(pair, SelectionSettings(), score) for score in (threshold, 0.0))
    assert kept == [grounding for grounding in every if grounding.box.score >= threshold]
