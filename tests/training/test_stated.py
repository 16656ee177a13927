"""What captions of scenes claim. test_claim_trials.py tests how the reader of claims reads them."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.scene_fakes import generator, thing
from training.scene_grounder import captions, phrases
from training.scene_grounder.stated import RELATIONS, Stated, stated_claims

THINGS = (
    thing("dog", size="small"),
    thing("dog", size="large", box=(0.5, 0.5, 0.9, 0.9)),
    thing("car", "red", "small", (0.0, 0.5, 0.1, 0.6)),
    thing("car", "blue", "medium", (0.7, 0.1, 0.9, 0.3)),
)
LEFT, RIGHT = thing("dog", box=(0.0, 0.4, 0.2, 0.6)), thing("cat", box=(0.8, 0.4, 1.0, 0.6))


def phrase(text, *things, number=1):
    return phrases.GeneratedPhrase(text, phrases.Kind("dog"), things, number)


def test_claims_do_not_change_what_a_seed_draws():
    rng, hasher = generator(5), hashlib.sha256()
    for _ in range(200):
        hasher.update(captions.make_caption(THINGS, rng).text.encode())
        hasher.update(phrases.absent(THINGS, rng).text.encode())
        hasher.update(phrases.present(THINGS, rng).text.encode())
    assert hasher.hexdigest() == "4eb0a4e319c24c779b91b03cced8ad2edf514ad6c95502a3d61f829902d16b09"


@pytest.mark.parametrize(
    ("text", "number", "expected"),
    [
        ("a red dog", 1, Stated("at_least", 0, number=1)),
        ("the dog", 1, None),
        ("two dogs", 2, Stated("exactly", 0, number=2)),
        ("the three dogs", 3, Stated("exactly", 0, number=3)),
        ("a pair of dogs", 2, Stated("exactly", 0, number=2)),
        ("several dogs", 4, Stated("at_least", 0, number=2)),
        ("the dogs", 2, Stated("at_least", 0, number=2, bare=True)),
        ("the sheep", 2, None),  # it may be one
    ],
)
def test_counts_of_a_phrase(text, number, expected):
    claims = stated_claims([phrase(text, *range(number), number=number)], [], (LEFT,) * number)
    assert claims == ((expected,) if expected else ())


def test_what_is_absent():
    dog, cat = phrase("the dog", 0), phrase("two cats", number=2)
    assert stated_claims([dog, cat], ["without"], (LEFT,)) == (Stated("none", 1),)
    assert stated_claims([dog, cat], ["waiting for"], (LEFT,)) == ()
    assert stated_claims([dog, cat], ["far away from"], (LEFT,)) == (
        Stated("exactly", 1, number=2, true=False),
        Stated("far_from", 0, 1, true=False),
    )
    far = stated_claims([dog, phrase("the hat", 0), cat], ["and", "far away from"], (LEFT,))[1:]
    assert far == tuple(Stated("far_from", one, 2, true=False, optional=True) for one in (0, 1))


@pytest.mark.parametrize(
    ("box", "true"), [((0.22, 0.4, 0.4, 0.6), True), ((0.3, 0.4, 0.5, 0.6), None), ((0.8, 0.4, 1.0, 0.6), False)]
)
def test_near_is_true_or_false_only_where_the_boxes_say_so(box, true):
    dog, cat = phrase("the dog", 0), phrase("the cat", 1)
    assert stated_claims([dog, cat], ["near"], (LEFT, thing("cat", box=box))) == (Stated("near", 0, 1, true=true),)
    assert stated_claims([dog, cat], ["with"], (LEFT, RIGHT)) == ()


@given(st.integers(0, 2**32))
@settings(deadline=None)
def test_the_claims_of_a_caption_are_in_its_words(seed):
    caption = captions.make_caption((LEFT, RIGHT, *THINGS[2:]), generator(seed))
    words = {predicate: {word for word, name, _ in RELATIONS if name == predicate} for _, predicate, _ in RELATIONS}
    for claim in caption.claims:
        if claim.predicate in words:
            one, other = caption.mentions[claim.subject], caption.mentions[claim.object]
            assert caption.text[one.end : other.start].strip() in words[claim.predicate]
            assert claim.true
