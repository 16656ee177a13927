import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.annotations.cells import items_of
from transforms.annotations.columns import BadCell
from transforms.annotations.spans import head_in, occurrences, spans_of

CAPTION = "A dog and a cat; the Dog chases a cat"


def texts(items, caption=CAPTION):
    return [span and caption[slice(*span)] for span in spans_of(items, caption)]


@pytest.mark.parametrize(
    ("items", "found"),
    [
        (["A dog", "a cat"], [(0, 5), (10, 15)]),
        (["a cat", "a cat"], [(10, 15), (32, 37)]),  # the next occurrence
        (["a cat", "a cat", "a cat"], [(10, 15), (32, 37), None]),
        (["THE DOG", "the dog"], [(17, 24), (17, 24)]),  # the only one
        (["dog"], [(2, 5)]),  # with the same case
        (["at", "do", ""], [None, None, None]),  # no whole words
        ([[0, 5], [10.0, 15.0, 0.1, 0.2, 0.3, 0.4, 0.9]], [(0, 5), (10, 15)]),
        ([{"start": 0, "end": 5}, {"span": [10, 15]}, {"phrase": "a cat"}, {"text": "zebra"}], None),
        ([{"tokens_positive": [[2, 5], [0, 1]]}, {"tokens_positive": [[10, 15], [32, 37]]}], [(0, 5), (10, 15)]),
        ([[0, 6]], [(0, 5)]),  # without the blank
    ],
)
def test_a_phrase_is_found_by_its_text_or_its_offsets(items, found):
    assert spans_of(items, CAPTION) == (found or [(0, 5), (10, 15), (10, 15), None])


def test_words_and_blanks_of_any_kind_are_compared():
    assert texts(["ein kleiner  Hund", "Ärger", "C++"], "Ein kleiner\nHund, Ärger und C++ dazu") == [
        "Ein kleiner\nHund",
        "Ärger",
        "C++",
    ]


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ([0, 99], "offsets 0 to 99 are not in the caption, which has 37 characters"),
        ([5, 5], "offsets 5 to 5"),
        ([5, 6], "item 1: offsets 5 to 6 contain only blanks"),
        ([3, 9], "item 1: offsets 3 to 9 cut a word: 'og and'; they count characters"),
        ([0, 4], "cut a word"),
        ([10**400, 10**400 + 1], "neither a text nor offsets"),
        ({"start": -1, "end": 4}, "offsets -1 to 4"),
        (7, "item 1: neither a text nor offsets: 7"),
        ([0.5, 3], "neither a text nor offsets"),
        ([True, 3], "neither a text nor offsets"),
        ({"label": 3}, "neither a text nor offsets"),
    ],
)
def test_what_is_no_phrase_is_told(item, told):
    with pytest.raises(BadCell, match=told):
        spans_of([item], CAPTION)


@pytest.mark.parametrize(
    ("phrase", "head"),
    [
        ("a cup of tea", "cup"),
        ("a tall man in a red hat", "man"),
        ("dogs", "dogs"),
        ("the state-of-the-art camera", "camera"),
        ("a black, shiny and red car with a roof", "car"),
        ("of", "of"),
        ("«…»", "«…»"),
        ("a woman's bag", "bag"),
    ],
)
def test_the_head_is_the_last_word_before_the_first_preposition(phrase, head):
    caption = f"See {phrase} here"
    start, end = head_in(caption, (4, 4 + len(phrase)))
    assert caption[start:end] == head


@given(st.text(min_size=1, max_size=60), st.data())
def test_heads_and_occurrences_are_inside(caption, data):
    start = data.draw(st.integers(0, len(caption) - 1))
    end = data.draw(st.integers(start + 1, len(caption)))
    head = head_in(caption, (start, end))
    assert start <= head[0] < head[1] <= end


@given(st.lists(st.from_regex(r"[a-zäß]{1,5}", fullmatch=True), min_size=1, max_size=9), st.data())
def test_words_of_a_caption_are_found_where_they_are(words, data):
    caption = " ".join(words)
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, len(words) - 1))
    start = len(" ".join([*words[:first], ""]))
    text = " ".join(words[first : last + 1])
    assert (start, start + len(text)) in occurrences(text, caption)
    assert all(caption[slice(*span)] == text for span in occurrences(text, caption))


@pytest.mark.parametrize(
    ("text", "caption", "found"),
    [
        ("狗", "一只狗在沙发上", ["狗"]),
        ("沙发", "一只狗在沙发上", ["沙发"]),
        ("개", "소파 위의 개가", ["개"]),
        ("कुत्त", "कुत्ता", []),  # a vowel follows: another word
        ("cafe", "a cafe\u0301", []),
        ("dog", "hotdog dog_house dogs", ["dog"]),
    ],
)
def test_words_end_where_the_script_says_so(text, caption, found):
    assert [caption[slice(*span)] for span in occurrences(text, caption)] == found


@pytest.mark.parametrize(
    ("cell", "items"),
    [
        ([1, 2], [1, 2]),
        ("[[0, 5]]", [[0, 5]]),
        ("['a dog', (0, 5)]", ["a dog", [0, 5]]),  # as pandas writes it
        ({"regions": [{"phrase": "x"}], "caption": "y"}, [{"phrase": "x"}]),
        ({"bbox": [[1, 2, 3, 4], [5, 6, 7, 8]], "category": ["a", "b"], "area": [1]}, None),
        ({"bbox": [], "category": []}, []),
        ({"bbox": [], "category": [], "image_id": 5}, []),
        ({"bbox": [1, 2, 3, 4], "label": "a"}, [{"bbox": [1, 2, 3, 4], "label": "a"}]),
        ({"bbox": [[1, 2, 3, 4], [5, 6, 7, 8]], "label": "a"}, [{"bbox": [[1, 2, 3, 4], [5, 6, 7, 8]], "label": "a"}]),
        ({"start": [0, 10], "end": [5, 15]}, [{"start": 0, "end": 5}, {"start": 10, "end": 15}]),
        ({"text": ["a", "b"], "id": [7]}, [{"text": "a"}, {"text": "b"}]),
        ({"tokens_positive": [[0, 5]], "phrase": "x"}, [{"tokens_positive": [[0, 5]], "phrase": "x"}]),
        ("[{'bbox': (1, 2), 'label': 'a'}]", [{"bbox": [1, 2], "label": "a"}]),
    ],
)
def test_the_items_of_a_cell(cell, items):
    both = [{"bbox": [1, 2, 3, 4], "category": "a"}, {"bbox": [5, 6, 7, 8], "category": "b"}]
    assert items_of(cell) == (both if items is None else items)


def test_a_plain_text_is_one_phrase_and_no_list_of_boxes():
    assert items_of("two dogs", texts=True) == ["two dogs"]
    assert items_of("12", texts=True) == ["12"]
    assert items_of('["two", "dogs"]', texts=True) == ["two", "dogs"]
    with pytest.raises(BadCell, match="'two dogs' is neither JSON nor a list as Python writes it"):
        items_of("two dogs")
    with pytest.raises(BadCell, match="an int, not a list"):
        items_of(3)
    with pytest.raises(BadCell, match="neither JSON nor"):
        items_of("[" * 100_000)
    with pytest.raises(BadCell, match="lists of different lengths: 2 bbox, 1 category"):
        items_of({"bbox": [[1, 2, 3, 4], [5, 6, 7, 8]], "category": ["a"]})
