"""Ranks: which of several things a caption means."""

import pytest

from transforms.records import ClaimKind


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("the second dog from the right", ["the second dog: from_right 2 (second dog from the right)"]),
        ("the dog third from the left", ["the dog: from_left 3 (third from the left)"]),
        ("the dog, third from the left", ["the dog: from_left 3 (third from the left)"]),
        ("The dog is third from the left.", ["The dog: from_left 3 (third from the left)"]),
        ("a photo of the dog third from the left", ["the dog: from_left 3 (third from the left)"]),
        ("The 1st cup from the top is red.", ["The 1st cup: from_top 1 (1st cup from the top)"]),
        ("the leftmost cup", ["the leftmost cup: from_left 1 (leftmost)"]),
        ("the tallest building", ["the tallest building: tallest 1 (tallest)"]),
        ("the second largest dog", ["the second largest dog: largest 2 (second largest)"]),
        ("the biggest of the dogs", ["the dogs: largest 1 (biggest of)"]),
    ],
)
def test_ranks(said, caption, expected):
    assert said(caption, ClaimKind.RANK) == expected


@pytest.mark.parametrize(
    "caption",
    [
        "one of the largest dogs",
        "the tallest buildings",
        "the second dog",
        "a man on second base",
        "the first",
        "the man in the front row, second from the right",
        "a man in a red shirt, second from the left",
        "a boy wearing a hat, first from the right",
    ],
)
def test_no_rank(said, caption):
    assert said(caption, ClaimKind.RANK) == []
