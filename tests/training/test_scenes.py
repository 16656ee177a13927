"""The things of a scene, the meaning of descriptions, and the captions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gritmill.evaluation.sets import jsonl
from tests.training.scene_fakes import FONT, generator, thing, without_font
from training.scene_grounder import captions, phrases
from training.scene_grounder.lexicon import article, held_out, lexicon, plural, words
from training.scene_grounder.model import make_tokenizer
from training.scene_grounder.scenes import MAX_THINGS, PICTURES, Kind, make_scene, matching_things, side
from training.scene_grounder.tars import read_tars, write_tars

SHARED_NOUNS = """airplane apple ball balloon banana bear bee bicycle bird boat book bus butterfly cake car carrot cat
chair clock cookie cow cup dog duck elephant fish flower frog gift guitar hamburger hat heart horse house key lemon lion
monkey owl panda penguin phone pig pizza rabbit rocket sheep snail star strawberry train tree truck turtle umbrella
circle square rectangle triangle"""

THINGS = (
    thing("dog", size="small"),
    thing("dog", size="large", box=(0.5, 0.5, 0.9, 0.9)),
    thing("car", "red", "small", (0.0, 0.5, 0.1, 0.6)),
    thing("car", "blue", "medium", (0.7, 0.1, 0.9, 0.3)),
)


def test_there_are_the_nouns_of_the_shared_scenes_and_as_many_more():
    nouns = lexicon().nouns
    assert set(SHARED_NOUNS.split()) <= set(nouns)
    assert len([noun for noun in nouns.values() if noun.glyphs]) >= 2 * 56


def test_no_word_means_two_kinds_of_things():
    names = [name for noun in lexicon().nouns.values() for name in (noun.name, *noun.others)]
    assert len(names) == len(set(names))


def test_every_word_is_one_token():
    tokenizer = make_tokenizer()
    split = [word for word in words() if len(tokenizer(word, add_special_tokens=False)["input_ids"]) != 1]
    assert split == []
    assert tokenizer.convert_tokens_to_ids(["[PAD]", "[UNK]", "[CLS]", "[SEP]", ".", "?"]) == [
        0,
        100,
        101,
        102,
        1012,
        1029,
    ]


@pytest.mark.parametrize(
    ("word", "expected"),
    [("dog", "dogs"), ("bus", "buses"), ("fox", "foxes"), ("bunny", "bunnies"), ("key", "keys"), ("peach", "peaches")],
)
def test_plurals(word, expected):
    assert plural(word) == expected


def test_articles():
    assert [article(word) for word in ("apple", "umbrella", "unicorn", "dog", "orange")] == ["an", "an", "a", "a", "an"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Kind("dog"), [0, 1]),
        (Kind("dog", size="large"), [1]),
        (Kind("car", "red"), [2]),
        (Kind("car", "green"), []),
        (Kind("cat"), []),
        (Kind("car", "red", "small"), [2]),
        (Kind("car", "blue", "small"), None),  # the size is medium: ambiguous
        (Kind("car", size="small"), None),
    ],
)
def test_what_a_description_means(kind, expected):
    assert matching_things(kind, THINGS) == expected


@given(st.integers(0, 2**32))
@settings(deadline=None)
def test_present_and_absent_phrases_tell_the_truth(seed):
    rng = generator(seed)
    one = phrases.present(THINGS, rng)
    heads = {THINGS[number].noun for number in one.things}
    assert len(heads) == 1
    nouns = lexicon().nouns
    noun = nouns[heads.pop()]
    last = one.text.split()[-1]
    assert last in _names(noun)
    for colour in {THINGS[number].colour for number in range(4)} - {THINGS[n].colour for n in one.things} - {None}:
        assert colour not in one.text.split()
    absent = phrases.absent(THINGS, rng)
    assert matching_things(absent.kind, THINGS) == []
    assert absent.text.split()[-1] in _names(lexicon().nouns[absent.kind.noun])
    assert absent.kind.colour is None or absent.kind.colour in absent.text.split()


def _names(noun):
    return {noun.name, noun.plural, *noun.others, *map(plural, noun.others)}


@given(st.integers(0, 2**32))
@settings(deadline=None)
def test_no_training_phrase_says_a_combination_that_is_kept_from_training(seed):
    rng = generator(seed)
    said = phrases.absent(THINGS, rng, unseen=False).text.split()
    colours = set(lexicon().colours) & set(said)
    nouns = [noun for noun in lexicon().nouns.values() if said[-1] in _names(noun)]
    assert not any(held_out(colour, noun.name) for colour in colours for noun in nouns if noun.coloured)


@given(st.integers(0, 2**32))
@settings(deadline=None)
def test_a_caption_names_different_things_at_the_spans_that_it_gives(seed):
    caption = captions.make_caption(THINGS, generator(seed))
    named = [number for mention in caption.mentions for number in mention.phrase.things]
    assert len(named) == len(set(named))
    assert len(named) >= 1
    end = 0
    for mention in caption.mentions:
        assert mention.start >= end
        assert caption.text[mention.start : mention.end].lower() == mention.phrase.text.lower()
        end = mention.end
    assert caption.text[0].isupper()
    assert caption.text.endswith(".")


def test_relations_are_true():
    left, right = thing("dog", box=(0.1, 0.1, 0.3, 0.3)), thing("cat", box=(0.6, 0.1, 0.8, 0.3))
    said = set()
    for seed in range(100):
        text = captions.make_caption((left, right), generator(seed)).text.lower()
        dog_first = min(text.find(w) for w in ("dog", "puppy") if w in text) < min(
            text.find(w) for w in ("cat", "kitten") if w in text
        )
        assert ("to the left of" in text) <= dog_first
        assert ("to the right of" in text) <= (not dog_first)
        assert not any(word in text for word in ("above", "below", "over", "beneath"))
        said |= {word for word in ("to the left of", "to the right of") if word in text}
    assert len(said) == 2


def test_scenes_hold_what_they_say(monkeypatch):
    without_font(monkeypatch)
    rng = generator()
    numbers, shapes, overlapping = set(), set(), 0
    for _ in range(150):
        scene = make_scene(FONT, rng)
        numbers.add(len(scene.things))
        shapes.add(scene.picture.size)
        for one in scene.things:
            x1, y1, x2, y2 = one.box
            assert 0 <= x1 < x2 <= 1
            assert 0 <= y1 < y2 <= 1
            least, most = {"small": (0.05, 0.2), "medium": (0.19, 0.31), "large": (0.3, 1)}[one.size]
            assert least < side(one.box) < most
            assert not (one.colour and held_out(one.colour, one.noun))
        overlapping += any(_overlap(a.box, b.box) for a in scene.things for b in scene.things if a is not b)
    assert numbers == set(range(1, MAX_THINGS + 1))
    assert shapes == set(PICTURES)
    assert 5 <= overlapping <= 75


def _overlap(a, b):
    return min(a[2], b[2]) - max(a[0], b[0]) > 0.02 and min(a[3], b[3]) - max(a[1], b[1]) > 0.02


def test_unseen_scenes_hold_a_combination_that_training_lacks(monkeypatch):
    without_font(monkeypatch)
    rng = generator()
    for _ in range(20):
        things = make_scene(FONT, rng, unseen=True).things
        assert any(t.colour and held_out(t.colour, t.noun) for t in things)


@pytest.mark.parametrize("name", [name for name, noun in lexicon().nouns.items() if noun.aspect])
def test_a_shape_has_its_colour_and_fills_its_box(name):
    from training.scene_grounder import drawing

    noun = lexicon().nouns[name]
    cutout = drawing.thing(FONT, noun, "red", 2500, (255, 255, 255), generator(3))
    pixels = np.asarray(cutout.image).astype(int)
    x1, y1, x2, y2 = cutout.box
    inside = pixels[y1:y2, x1:x2]
    solid = inside[inside[..., 3] > 200]
    assert 0.15 < len(solid) / ((x2 - x1) * (y2 - y1)) <= 1
    red, green, blue = np.median(solid[:, :3], axis=0)
    assert red > 150
    assert max(green, blue) < 100
    assert 1200 < (x2 - x1) * (y2 - y1) < 5000


def test_tars_are_read_back_and_the_same_seed_gives_the_same_bytes(monkeypatch, tmp_path):
    without_font(monkeypatch)
    for name in ("one", "two"):
        write_tars(FONT, tmp_path / name, 5, 6, 4)
    assert [path.name for path in sorted((tmp_path / "one").iterdir())] == ["00000.tar", "00001.tar"]
    for tar in ("00000.tar", "00001.tar"):
        assert (tmp_path / "one" / tar).read_bytes() == (tmp_path / "two" / tar).read_bytes()
    examples = list(read_tars(tmp_path / "one"))
    assert [one.key for one in examples] == [f"{n:09}" for n in range(6)]
    for one in examples:
        assert all(truth.text in one.caption and truth.boxes for truth in one.truths)
        assert len(one.absent) >= 2
        assert not {truth.text.lower() for truth in one.truths} & set(one.absent)


def test_the_statements_of_a_caption_are_in_its_tar(monkeypatch, tmp_path):
    without_font(monkeypatch)
    write_tars(FONT, tmp_path, 5, 40, 40)
    statements = [one for caption in jsonl.load([str(tmp_path)], None, None).captions for one in caption.statements]
    names = {one.claim.predicate for one in statements}
    assert names > {"at_least", "exactly", "none", "left_of", "above", "near"}
    assert {one.true for one in statements} == {True, False, None}
    assert any(one.claim.is_bare_plural for one in statements)


def test_a_folder_without_tars_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"no \*\.tar"):
        list(read_tars(tmp_path))
