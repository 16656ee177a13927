import pytest

from transforms.claims.stuff import is_stuff


@pytest.mark.parametrize("word", ["sky", "Grass", "ROAD", "water", "sand", "snow"])
def test_stuff(word):
    assert is_stuff(word)


@pytest.mark.parametrize("word", ["dog", "cloud", "wall", "car", ""])
def test_things(word):
    assert not is_stuff(word)
