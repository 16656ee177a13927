"""The phrases of captions with the embedded parser: what a detector is asked for."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transforms.phrases.extraction import extract
from transforms.phrases.parser import load_parser
from transforms.phrases.rules import phrase_rules
from transforms.records import Drop
from transforms.settings import PhraseSettings

RULES = phrase_rules(PhraseSettings())


@pytest.fixture(scope="module")
def parser_of_module():
    return load_parser("caption-parser", split_brackets=True)


@pytest.fixture(scope="module")
def expressions(parser_of_module):
    """Returns a function: caption -> the expression of each kept phrase."""

    def found(caption, rules=RULES):
        [pair] = extract(parser_of_module, [caption], rules)
        spans = [((p.start, p.end), (p.expression_start, p.expression_end)) for p in pair.phrases]
        return {caption[slice(*phrase)]: caption[slice(*expression)] for phrase, expression in spans}

    return found


@pytest.fixture(scope="module")
def phrases(parser_of_module):
    """Returns a function: caption -> (phrase, head) of each kept phrase, and the dropped ones with their reasons."""

    def found(caption, rules=RULES):
        [pair] = extract(parser_of_module, [caption], rules)
        kept = [(caption[p.start : p.end], caption[p.head_start : p.head_end]) for p in pair.phrases]
        return kept, {caption[d.start : d.end]: d.reason for d in pair.dropped}

    return found


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a couple of dogs on the road", [("a couple of dogs", "dogs"), ("the road", "road")]),
        ("a lot of birds in the sky", [("a lot of birds", "birds"), ("the sky", "sky")]),
        ("a pair of shoes", [("a pair of shoes", "shoes")]),
        ("some kind of animal in a cage", [("some kind of animal", "animal"), ("a cage", "cage")]),
        ("a variety of fruits on display", [("a variety of fruits", "fruits")]),
        ("a couple of slices of pizza", [("a couple of slices of pizza", "pizza")]),
        ("a cup of coffee", [("a cup", "cup"), ("coffee", "coffee")]),  # a cup is a thing
        ("a parking lot of a store", [("a parking lot", "lot"), ("a store", "store")]),
        ("a couple on a bench", [("a couple", "couple"), ("a bench", "bench")]),
        ("a couple of them", []),
    ],
)
def test_a_measure_and_what_it_measures_are_one_phrase(phrases, caption, expected):
    kept, _ = phrases(caption)
    assert [phrase for phrase in kept if phrase[0] != "display"] == expected


def test_without_measures_they_are_two_phrases_as_in_the_paper(phrases):
    assert phrases("a couple of dogs", replace(RULES, measures=()))[0] == [("a couple", "couple"), ("dogs", "dogs")]


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a girl wearing a crop top and a skirt", "a crop top"),
        ("a woman in a tank top", "a tank top"),
        ("a girl in a bikini bottom", "a bikini bottom"),
        ("a framed picture hangs on the wall above a couch", "a framed picture"),
        ("a person holding a photograph of a dog", "a photograph"),
        ("a soccer player kicks the ball towards the goal", "the goal"),
        ("a bedroom with floral wallpaper", "floral wallpaper"),
        ("two shots of whiskey on a bar", "two shots"),
        ("a man in a hot spring", "a hot spring"),
        ("an illustration hanging on a refrigerator", "an illustration"),
        ("a white top on a hanger", "a white top"),
        ("family photos on a shelf", "family photos"),
        ("a cat laying on its back", "its back"),
    ],
)
def test_a_thing_is_kept_although_its_head_often_names_none(phrases, caption, expected):
    assert expected in [phrase for phrase, _ in phrases(caption)[0]]


@pytest.mark.parametrize(
    ("caption", "dropped"),
    [
        ("A picture of a dog", "A picture"),
        ("a black and white photo of a cat", "a black and white photo"),
        ("a close-up of a flower", "a close-up"),
        ("a man taking a picture", "a picture"),
        ("two dogs in this picture", "this picture"),
        ("a bird on top of a roof", "top"),
        ("the bottom of the hill", "the bottom"),
        ("the back of a truck", "the back"),
        ("people at the end of the pier", "the end"),
        ("flowers in spring", "spring"),
        ("This is a picture of a dog", "a picture"),
        ("There is a photo of a cat", "a photo"),
        ("The image shows a dog", "The image"),
        ("Red Dress - Photo", "Photo"),
        ("a dog on a beach. Photo by a friend", "Photo"),
    ],
)
def test_openers_and_places_in_a_thing_are_dropped(phrases, caption, dropped):
    kept, reasons = phrases(caption)
    assert kept
    assert dropped in reasons
    assert reasons[dropped] in (Drop.PICTURE, Drop.ABSTRACT)


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("Checked fabric Stock Photo", ["Checked fabric"]),
        ("Chinese tea traditional set Royalty Free Stock Image", ["Chinese tea traditional set"]),
        ("travel poster banner template vector image", ["travel poster banner"]),
        ("a cliff Stock Photography", ["a cliff"]),
        ("Stock Photo", []),
    ],
)
def test_what_an_agency_appends_goes_and_the_thing_stays(phrases, caption, expected):
    assert [phrase for phrase, _ in phrases(caption)[0]] == expected


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("the easy-to-follow recipe", [("the easy-to-follow recipe", "recipe")]),
        ("a state-of-the-art camera", [("a state-of-the-art camera", "camera")]),
        ("her tent and", [("her tent", "tent")]),
        ("Hooks(045", [("Hooks", "Hooks")]),
        ("<br><b>A dog</b><br>", [("A dog", "dog")]),
        ("unidentified fly {Diptera}", [("unidentified fly", "fly"), ("Diptera", "Diptera")]),
        ("A red stop sign on a corner", [("A red stop sign", "sign"), ("a corner", "corner")]),
        ("A man skateboards down a ramp", [("A man", "man"), ("a ramp", "ramp")]),
        ("a fruit salad", [("a fruit salad", "salad")]),
        ("a white knitted hat", [("a white knitted hat", "hat")]),
        ("a red tank top and blue jeans", [("a red tank top", "top"), ("blue jeans", "jeans")]),
        ("a silver and white dress", [("a silver and white dress", "dress")]),
        ("a leather and wooden chair", [("a leather and wooden chair", "chair")]),
        ("women&#39;s shoes", [("women&#39;s shoes", "shoes")]),
        ("a group  of people", [("a group  of people", "people")]),
        ("Women's Carry-all Pouch", [("Women's Carry-all Pouch", "Pouch")]),
        ("Vera Bradley Carry-all Pouch in Black", [("Vera Bradley Carry-all Pouch", "Pouch"), ("Black", "Black")]),
        ("Melchsee-Frutt, Switzerland photo", [("Melchsee-Frutt", "Melchsee-Frutt")]),
        ("a man in a T-shirt feeding a dog", [("a man", "man"), ("a T-shirt", "T-shirt"), ("a dog", "dog")]),
        ("the dog(s) in the yard", [("the dog", "dog"), ("the yard", "yard")]),
        ("child(ren) playing on a beach", [("child", "child"), ("a beach", "beach")]),
        ("a pet(dog) on a mat", [("a pet", "pet"), ("dog", "dog"), ("a mat", "mat")]),
        ("a dog (cat) on a bed", [("a dog", "dog"), ("cat", "cat"), ("a bed", "bed")]),
        ("a red hat (size 8)", [("a red hat", "hat"), ("size", "size")]),  # "8)" is no smiley
        ('a black "No Trespassing" sign', [('a black "No Trespassing" sign', "sign")]),
        ('"Stop" sign on a pole', [("sign", "sign"), ("a pole", "pole")]),
        # Both quotation marks of a pair, or none.
        ('the infamous "blue screen of death"', [("blue screen", "screen")]),
        ('a "people crossing" sign', [("people", "people"), ("sign", "sign")]),
        ("El posible regreso de Khal Drogo a 'Game of Thrones'", [("Game", "Game"), ("Thrones", "Thrones")]),
        ("A so-called &quot;dog&quot;", [("A so-called &quot;dog&quot;", "dog")]),
        ('"a "dog" in the house"', [('a "dog"', "dog"), ("the house", "house")]),
        ('a shirt("dog") on a mat', [("a shirt", "shirt"), ("dog", "dog"), ("a mat", "mat")]),
        ("a dog （black cat） 【a mat】", [("a dog", "dog"), ("black cat", "cat"), ("a mat", "mat")]),
        # The sign of inches is no quotation mark.
        ('a 6" pipe and a 7" pipe', [('a 6" pipe', "pipe"), ('a 7" pipe', "pipe")]),
        ('"Office Desk 47"" x 12"" Panel"', [("Office Desk", "Desk"), ('x 12"" Panel', "Panel")]),
        ("10% Royalty Free Stock Images", []),  # a sign is no head
        # Brackets around what describes the thing are part of it; elsewhere, they hold something else.
        ("a (brown) dog on a mat", [("a (brown) dog", "dog"), ("a mat", "mat")]),
        ("two (2) dogs and his [very old] cat", [("two (2) dogs", "dogs"), ("his [very old] cat", "cat")]),
        ("a red (and white) shirt", [("a red (and white) shirt", "shirt")]),
        ("an （old） man's hat", [("an （old） man's hat", "hat")]),
        ("(left) a dog", [("a dog", "dog")]),
        ("the guard (left) John Smith", [("the guard", "guard"), ("John Smith", "Smith")]),
        ("a dog (a cat) on a mat", [("a dog", "dog"), ("a cat", "cat"), ("a mat", "mat")]),
        ("a (brown dog", [("brown dog", "dog")]),
        ("I❤️NY shirt", [("NY shirt", "shirt")]),
        ("a shirt(•dog) on a mat", [("a shirt", "shirt"), ("dog", "dog"), ("a mat", "mat")]),
        ("There are at most two dogs", [("at most two dogs", "dogs")]),
        ("A mat with at the very least a dozen eggs", [("A mat", "mat"), ("at the very least a dozen eggs", "eggs")]),
        ("A man at most shows two dogs", [("A man", "man"), ("two dogs", "dogs")]),
        ("A man looks at most dogs", [("A man", "man"), ("most dogs", "dogs")]),
    ],
)
def test_a_phrase_ends_where_the_thing_ends(phrases, caption, expected):
    assert phrases(caption)[0] == expected


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        # The object follows, and is no part of the expression.
        ("A man being kissed by a baby elephant with it's trunk.", {"A man": "A man being kissed by a baby elephant"}),
        ("a dog with  it's tail", {"a dog": "a dog"}),
        ("an elephant with red on it's face", {"an elephant": "an elephant with red"}),
        ("A white horse resting on stands", {"A white horse": "A white horse resting on stands"}),
        # The object is missing.
        ("Cover of: The spoils of Poynton", {"Cover": "Cover"}),
        ("the introduction by", {"the introduction": "the introduction"}),
        # "On" is a part of what the man has, and not of the hat.
        ("a man with a hat on.", {"a man": "a man with a hat on", "a hat": "a hat"}),
        ("a tv on", {"a tv": "a tv on"}),
        # A verb has its preposition.
        ("The table they sit at.", {"The table": "The table they sit at"}),
        ("people playing tennis with a crowd looking on", {"a crowd": "a crowd looking on"}),
        (
            "a toilet seat that someone is standing in front of.",
            {"a toilet seat": "a toilet seat that someone is standing in front of"},
        ),
        ("two cars near by", {"two cars": "two cars near by"}),
        ("Two large elephants together with a baby elephant close by.", {"a baby elephant": "a baby elephant"}),
        ("2020 Cub Cadet Z-Force SX 54 in. Kawasaki", {"2020 Cub Cadet Z-Force SX": "2020 Cub Cadet Z-Force SX 54 in"}),
        # The other half of the quotation marks.
        ('A sign reading "spring in the city".', {"A sign": 'A sign reading "spring in the city"'}),
        ("A sign reading “spring in the city”.", {"A sign": "A sign reading “spring in the city”"}),
        (
            "A sign reading &quot;spring in the city&quot;.",
            {"A sign": "A sign reading &quot;spring in the city&quot;"},
        ),
        ('a sign that reads "spring in the city."', {"a sign": 'a sign that reads "spring in the city."'}),
        ("a 'Game of Thrones' poster", {"Game": "a 'Game of Thrones' poster"}),
        ('A game at a fair called "Ball In The Bog"', {"a fair": "a fair called"}),
        ("Tablet computers in '2001: A Space Odyssey'", {"Tablet computers": "Tablet computers"}),
        ('A shirt that says "love" and a hat', {"A shirt": 'A shirt that says "love" and a hat'}),
        ("the (wet) dog near a (brown) mat", {"the (wet) dog": "the (wet) dog near a (brown) mat"}),
        ("A mat with at most two dogs near a man", {"at most two dogs": "at most two dogs near a man"}),
        ("Wizards at War (Young Wizards, #8)", {"Young Wizards": "Young Wizards, #8"}),
    ],
)
def test_an_expression_ends_where_its_words_end(expressions, caption, expected):
    found = expressions(caption)
    assert {phrase: found[phrase] for phrase in expected} == expected


def test_with_borders_of_the_parser_an_expression_may_break_off(expressions):
    parsed = replace(RULES, corrected=False)
    assert expressions("a man with a hat on.", parsed)["a hat"] == "a hat on"
    assert expressions('A sign reading "spring in the city".', parsed)["A sign"] == 'A sign reading "spring in the city'


@pytest.mark.parametrize(
    ("caption", "kept", "dropped"),
    [
        # Words that a caption splits, and whose last part alone names nothing.
        ("A road way with cars", ["A road way", "cars"], {}),
        ("a plane on a run way", ["a plane", "a run way"], {}),
        ("two hall ways of a house", ["two hall ways", "a house"], {}),
        ("A woman leaning against a store front", ["A woman", "a store front"], {}),
        ("a TV on an entertainment center", ["a TV", "an entertainment center"], {}),
        ("A clock with scroll work", ["A clock", "scroll work"], {}),
        ("a man going his own way", ["a man"], {"his own way": Drop.ABSTRACT}),
        ("a dog at the right side", ["a dog"], {"the right side": Drop.PICTURE}),
        # Nouns that name nothing after a preposition or "take".
        ("A coast guard rescue takes place on a beach", ["A coast guard rescue", "a beach"], {"place": Drop.ABSTRACT}),
        ("A motorcycle on display in a museum", ["A motorcycle", "a museum"], {"display": Drop.ABSTRACT}),
        ("two giraffes taking turns", ["two giraffes"], {"turns": Drop.ABSTRACT}),
        ("a sandwich that is cut in half", ["a sandwich"], {"that": Drop.PRONOUN, "half": Drop.ABSTRACT}),
        ("people in a crowded place", ["people", "a crowded place"], {}),
        ("a display of fruits in a line", ["a display", "fruits", "a line"], {}),
    ],
)
def test_compounds_and_idioms(phrases, caption, kept, dropped):
    found, left_out = phrases(caption)
    assert ([phrase for phrase, _ in found], left_out) == (kept, dropped)


def test_runs_of_earlier_releases_drop_the_heads_of_compounds(phrases):
    settings = PhraseSettings(borders="parsed", measures=(), drop_in_context=())
    assert phrases("a plane on a run way takes place", phrase_rules(settings)) == (
        [("a plane", "plane"), ("place", "place")],
        {"a run way": Drop.ABSTRACT},
    )


@given(
    st.lists(
        st.sampled_from(
            [
                '"',
                "“",
                "”",
                "«",
                "»",
                "(",
                ")",
                "a",
                "dog",
                "with",
                "on",
                "it",
                "red",
                "and",
                "of",
                "  ",
                "&quot;",
                "A-b",
            ]
        ),
        max_size=12,
    )
)
def test_expressions_have_their_phrases_whatever_marks_are_between(parser_of_module, words):
    for glue in ("", " "):
        [pair] = extract(parser_of_module, [glue.join(words)], RULES)
        for phrase in pair.phrases:
            assert phrase.expression_start <= phrase.start <= phrase.head_start < phrase.head_end
            assert phrase.head_end <= phrase.end <= phrase.expression_end <= len(pair.caption)


_MARKS = (
    '""',
    "“”",
    "„“",
    "””",
    "«»",
    "»«",
    "‹›",
    "›‹",
    "「」",
    "『』",
    "''",
    "‘’",
    "()",
    "[]",
    "（）",
    "【】",
    "《》",
    "❝❞",
    "〝〞",
    "‛’",
    "⟨⟩",
)


@pytest.mark.parametrize("marks", [*_MARKS, ('""', '""'), ("``", "''"), ("&quot;", "&quot;")])
def test_a_phrase_has_both_marks_of_a_pair_or_none(expressions, marks):
    opening, closing = marks
    quoted = f"{opening}dog{closing}"
    found = expressions(f"A so-called {quoted} on a mat")
    assert found in (
        {f"A so-called {quoted}": f"A so-called {quoted}", "a mat": "a mat"},
        {f"A so-called {quoted}": f"A so-called {quoted} on a mat", "a mat": "a mat"},
        {"dog": "dog", "a mat": "a mat"},
    )


_WORDS = st.lists(
    st.sampled_from(
        ["a", "the", "two", "dog", "cats", "red", "of", "on", "sits", "and", "it", "reads", "man's", "free", ","]
    ),
    min_size=1,
    max_size=3,
)


@given(st.lists(st.tuples(_WORDS, st.sampled_from(("", *_MARKS)), _WORDS, st.booleans()), min_size=1, max_size=3))
def test_no_phrase_and_no_expression_has_half_a_pair(parser_of_module, parts):
    caption, pairs = "", []
    for before, marks, words, dot in parts:
        caption += " ".join((*before, marks[:1]))
        start = len(caption) - 1
        caption += " ".join(words) + "." * dot + marks[1:] + " "
        if marks:
            pairs.append((start, len(caption) - 2))
    [pair] = extract(parser_of_module, [caption], RULES)
    spans = [(one.start, one.end) for one in pair.phrases]
    spans += [(one.expression_start, one.expression_end) for one in pair.phrases]
    for start, end in spans:
        inside = [[start <= mark < end for mark in marks] for marks in pairs]
        assert all(first == last for first, last in inside), (caption, caption[start:end])


@given(st.sampled_from(('""', "“”", "«»", "‹›", "「」", "『』", "''", "‘’")), _WORDS, _WORDS, _WORDS, st.booleans())
def test_marks_within_marks_of_the_same_kind_are_in_pairs(parser_of_module, marks, before, inside, after, with_end):
    opening, closing = marks
    texts = (f"a {' '.join(before)} {opening}dog ", f"{opening}cat {' '.join(inside)} mat{closing}")
    caption = f"{''.join(texts)} {' '.join(after) * with_end} hat{closing} in a house"
    pairs = [(caption.index(opening), caption.rindex(closing)), (len(texts[0]), len("".join(texts)) - 1)]
    [pair] = extract(parser_of_module, [caption], RULES)
    spans = [(one.start, one.end) for one in pair.phrases]
    spans += [(one.expression_start, one.expression_end) for one in pair.phrases]
    for start, end in spans:
        inner = [[start <= mark < end for mark in marks] for marks in pairs]
        assert all(first == last for first, last in inner), (caption, caption[start:end])


@given(
    st.sampled_from((*_MARKS, "~~", "••", "→←", "🟢🟢", "❤️", "\u200b\u200b", "\u202a\u202c", "\x01\x92", "||")),
    st.booleans(),
)
def test_no_head_has_a_mark_or_sign_that_is_not_part_of_its_word(phrases, marks, is_first):
    caption = f"{'' if is_first else 'A red '}{marks[0]}dog{marks[1:]} on a mat"
    heads = [head for _, head in phrases(caption)[0]]
    assert heads == ["dog", "mat"]
