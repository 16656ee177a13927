import pytest

from transforms.text.dialects import find, names, suffix
from transforms.text.grounded_caption import GroundedCaption


class Shout:
    """A dialect with an option."""

    name, carries, rounding = "shout", "", ""

    def __init__(self, option):
        self.option = option

    def encode(self, grounded):
        return grounded.caption.upper() + self.option

    def decode(self, text, width=1, height=1):
        raise ValueError("cannot be read back")

    def error(self, width, height):
        return 0, 0


@pytest.fixture
def installed(install):
    install("gritmill.dialects", f"shout = {__name__}:Shout")


@pytest.mark.parametrize("name", ["kosmos2", "kosmos2:training"])
def test_a_dialect_is_found_by_its_own_name(name):
    assert find(name).name == name


def test_an_unknown_dialect_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match=r"text\.dialect: klingon: no such dialect; use one of .*kosmos2, "):
        find("klingon")


def test_an_unknown_option_is_refused():
    with pytest.raises(ValueError, match="no option 'loud'"):
        find("kosmos2:loud")


@pytest.mark.usefixtures("installed")
def test_an_installed_package_adds_a_dialect_with_its_option():
    assert find("shout:!").encode(GroundedCaption("a dog", ())) == "A DOG!"
    assert (find("shout").option, find("shout").name) == ("", "shout")
    assert names() >= {"kosmos2", "shout"}


def test_a_suffix_is_a_sound_ending_of_a_tar_member():
    assert suffix("kosmos2:training") == "kosmos2-training"
    assert "." not in suffix("my.dialect:v1.5")
