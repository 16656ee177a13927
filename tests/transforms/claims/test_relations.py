"""Relations: which noun chunks a caption relates, and how."""

import pytest

from transforms.records import ClaimKind


def relations(said, caption):
    return said(caption, ClaimKind.RELATION)


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A cup on a table.", ["A cup > on > a table"]),
        ("A man sitting on a bench.", ["A man > on > a bench"]),
        ("The cat is under the bed.", ["The cat > under > the bed"]),
        ("A dog that is behind the fence.", ["A dog > behind > the fence"]),
        ("There is a dog next to a car.", ["a dog > next_to > a car"]),
        ("A dog to the left of a car.", ["A dog > left_of > a car"]),
        ("The dog is on the left side of the car.", ["The dog > left_side_of > the car"]),
        ("A lamp on top of a shelf", ["A lamp > on_top_of > a shelf"]),
        ("A dog tied to a pole", ["A dog > connected_to > a pole"]),
        ("A boat connected to a dock", ["A boat > connected_to > a dock"]),
        ("A box attached to a pole", ["A box > attached_to > a pole"]),
        ("A garden surrounded by a fence", ["A garden > enclosed_by > a fence"]),
        ("A box that contains a cat", ["A box > contains > a cat"]),
        ("A cat is bigger than a dog.", ["A cat > larger_than > a dog"]),
        ("The cup is with the plate.", ["The cup > with > the plate"]),
        ("A cup and a plate are on the table.", ["A cup > on > the table", "a plate > on > the table"]),
        ("A cat hiding under a blanket", ["A cat > under > a blanket"]),
        ("The cup is next to a plate and a fork.", ["The cup > next_to > a plate", "The cup > next_to > a fork"]),
        ("A cup next to a plate and a fork.", ["A cup > next_to > a plate"]),
        ("The cup is next to a plate and no fork.", ["The cup > next_to > a plate"]),
    ],
)
def test_one_preposition_or_verb(said, caption, expected):
    assert relations(said, caption) == expected


def test_between_has_two_objects_or_a_plural(said):
    assert relations(said, "A man stands between a car and a bus.") == ["A man > between > a car + a bus"]
    assert relations(said, "A bus parked between two trucks") == ["A bus > between > two trucks"]
    assert relations(said, "A bus parked between a truck") == []


@pytest.mark.parametrize("words", ["next to each other", "next to one another", "side by side"])
def test_things_that_are_related_to_each_other(said, words):
    assert relations(said, f"Two dogs sitting {words}.") == ["Two dogs > next_to > Two dogs"]
    assert relations(said, f"A dog and a cat sit {words}.") == ["A dog > next_to > a cat"]
    assert relations(said, f"A dog sitting {words}.") == []


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A man on the left side of the picture.", ["A man > picture_left"]),
        ("A man on the right.", ["A man > picture_right"]),
        ("A cat at the bottom of the photo.", ["A cat > picture_bottom"]),
        ("A cat at the top of the image.", ["A cat > picture_top"]),
        ("A cup in the middle of the frame.", ["A cup > picture_middle"]),
        ("A dog in the background.", ["A dog > background"]),
        ("A pizza with cheese in the middle.", []),
        ("A man to the left", ["A man > picture_left"]),
        ("The dog is to the left.", ["The dog > picture_left"]),
        ("A man standing on the left", ["A man > picture_left"]),
        ("The train on the left is red.", ["The train > picture_left"]),
        ("A man looking to the left", []),
        ("A dog turning to the right", []),
        ("A man heading to the left", []),
        ("A man pointing to the left", []),
        ("A horse facing to the left", []),
        ("A sign with an arrow to the left", []),
        ("A plate with a fork on the left", []),
        ("A house with a garage on the right", []),
        ("The car drives on the left.", []),
    ],
)
def test_places_in_the_picture(said, caption, expected):
    assert relations(said, caption) == expected


@pytest.mark.parametrize(
    "caption",
    ["A cup on its left", "A fork on the man's left", "The dog is to his right.", "A phone lying on its back"],
)
def test_the_frame_of_a_thing_is_not_that_of_the_picture(said, caption):
    assert relations(said, caption) == []


@pytest.mark.parametrize("word", ["not", "never"])
def test_negation(said, word):
    assert relations(said, f"The cup is {word} on the table.") == ["not The cup > on > the table"]
    assert relations(said, "The cup isn't on the table.") == ["not The cup > on > the table"]


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a cat not on the mat", ["not a cat > on > the mat"]),
        ("a dog that is no longer on the sofa", ["not a dog > on > the sofa"]),
        ("a dog no longer on the sofa", ["not a dog > on > the sofa"]),
        ("The cat is neither on the mat nor under the bed.", ["not The cat > on > the mat"]),
        ("The cup is not only on the table.", ["The cup > on > the table"]),
        ("There are no longer two dogs on the mat.", []),
        ("neither a dog nor a cat is on the sofa", []),
        ("not a single car on the road", []),
        ("A cat sits on the mat, not the sofa.", ["A cat > on > the mat"]),
    ],
)
def test_negation_without_a_negated_verb(said, caption, expected):
    assert relations(said, caption) == expected


@pytest.mark.parametrize(
    "caption",
    [
        "A man looking at a dog",
        "A woman talking on a phone",
        "A man in a black suit",
        "Dogs in a row",
        "A dog with a bone",
        "The roof of a house",
        "A novel by John Smith",
        "A cat with a box beside it",
        "It is next to a car.",
        "Is the cat on the mat?",
        "Is there a cat on the sofa?",
        "A man trying to get on a bus",
        "The cat might be on the mat.",
        "No dog is on the mat.",
        "a fight between two men",
        "a conversation between two women",
        "a comparison between two cars",
        "a match between two teams",
        "a man under arrest",
        "a woman in her twenties",
        "a cat on the prowl",
        "motion on a street",
        "man in black standing",
        "A man eating a pizza at a table",
        "A woman holding a cup in a park",
    ],
)
def test_no_relation(said, caption):
    assert relations(said, caption) == []


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A dog and a cat on a mat", ["a cat > on > a mat"]),
        ("A photo of a dog and a cat next to a car", ["a cat > next_to > a car"]),
        ("A dog below a cat to the left of a bus", ["A dog > below > a cat", "a cat > left_of > a bus"]),
        ("A man holding an orange in his hand", ["an orange > in > his hand"]),
        ("A woman with a towel on her head", ["a towel > on > her head"]),
        ("A man in a suit sitting at a table", ["A man > at > a table"]),
        ("A man riding a bike in a park", ["A man > in > a park"]),
        ("A vase of flowers on a table", ["A vase > on > a table"]),
    ],
)
def test_which_noun_is_meant(said, caption, expected):
    assert relations(said, caption) == expected


def test_a_question_is_one_sentence_of_a_caption(said):
    assert relations(said, "Two dogs on a mat. Is the cat on the sofa?") == ["Two dogs > on > a mat"]
    assert relations(said, "Where is the dog? The cat is on the sofa.") == ["The cat > on > the sofa"]


def test_in_doubt_there_is_no_claim(said):
    assert relations(said, "A cup on a table next to a plate") == ["A cup > on > a table"]
    assert relations(said, "A couch in a room next to a window") == ["A couch > in > a room"]


FRAMES = (
    "{}",
    "In the picture, {} while a man watches.",
    "It is a sunny day, and {}, as everybody can see.",
    "We can say that {}, but nobody looks.",
)


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("the bench is at the right side of the train", "the bench > right_side_of > the train"),
        ("the dog is facing away from the cat", "the dog > facing_away_from > the cat"),
        ("the cup is far away from the bowl", "the cup > far_from > the bowl"),
        ("the train contains the laptop", "the train > contains > the laptop"),
        ("the person is touching the bus", "the person > touching > the bus"),
    ],
)
def test_a_statement_reads_the_same_in_a_longer_sentence(said, frame, statement, expected):
    assert expected in relations(said, frame.format(statement))
