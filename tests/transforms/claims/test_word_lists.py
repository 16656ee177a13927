import pytest

from transforms.claims.word_lists import expanded, forms_of, read_list, wordings, wordings_at

VSR = """at the right side of, at the left side of, at the edge of, at the back of, adjacent to, at the side of,
attached to, alongside, against, ahead of, away from, across from, off, toward, into, across, down from, around,
along, past, down, through, facing, facing away from, parallel to, perpendicular to, in front of, behind, under, on
top of, above, beneath, below, left of, beside, right of, in the middle of, over, far away from, far from, near,
close to, by, touching, on, contains, in, inside, part of, surrounding, connected to, consists of, within, outside,
has as a part, with, detached from, out of, at, between, among, next to, opposite to, enclosed by, beyond"""


def scalars(value):
    if isinstance(value, dict):
        yield from value
        value = value.values()
    if isinstance(value, str | int | bool):
        yield value
        return
    for one in value:
        yield from scalars(one)


@pytest.mark.parametrize("file", ["predicates", "quantities", "stuff"])
def test_yaml_reads_no_word_as_a_truth_value(file):
    assert [one for one in scalars(read_list(file)) if isinstance(one, bool)] == []


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("on", {"on"}),
        ("[far] left of", {"far left of", "left of"}),
        ("on|at the top", {"on the top", "at the top"}),
        ("[to|on the] left of", {"to the left of", "on the left of", "left of"}),
    ],
)
def test_patterns(pattern, expected):
    assert {" ".join(words) for words in expanded(pattern)} == expected


def test_every_relation_of_vsr_has_a_name():
    for words in VSR.replace("\n", " ").split(", "):
        longest = wordings_at(words.split(), 0)[-1]
        assert " ".join(longest.words) == words


def test_no_wording_has_two_meanings():
    def walk(node):
        yield node.ends
        for following in node.following.values():
            yield from walk(following)

    twice = [ends for ends in walk(wordings()) if len({end.predicate for end in ends}) > 1]
    assert twice == []


def test_any_word_for_a_picture_ends_a_place():
    for word in ("picture", "photo", "frame"):
        assert wordings_at(f"on the left of the {word}".split(), 0)[-1].predicate == "picture_left"
    assert wordings_at(["on", "the", "left", "of", "the", "car"], 0)[-1].predicate == "left_of"


def test_forms_of_verbs():
    assert {"put", "puts", "putting", "place", "placing", "set", "setting"} <= forms_of("moving")
    assert {"carry", "carries", "carried", "held", "wearing"} <= forms_of("holding")
