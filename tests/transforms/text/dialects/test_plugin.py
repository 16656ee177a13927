"""What is said of bugs in a dialect of another package."""

import pytest

from transforms.culprits import PluginError
from transforms.text import dialects
from transforms.text.grounded_caption import CannotCarry, GroundedCaption

PLACE = rf" \({__file__}:\d+\)$"
DOG = GroundedCaption("a dog", ())


class Mine:
    """A dialect that answers as its option says."""

    name, carries, rounding = "mine", "", ""

    def __init__(self, option):
        self.answer = ANSWERS[option] if option in ANSWERS else int(option)

    def encode(self, grounded):
        return self.answer()

    decode = error = lambda self, *_: self.answer()


def fail(error):
    raise error


ANSWERS = {
    "key": lambda: fail(KeyError("gone")),
    "value": lambda: fail(ValueError("malformed")),
    "cannot": lambda: fail(CannotCarry("words")),
    "none": lambda: None,
    "surrogate": lambda: "\ud800",
}


class NoDecode:
    name, carries, rounding = "mine", "", ""

    def __init__(self, option):
        pass

    def encode(self, grounded):
        return ""


class NoRounding(Mine):
    name = "mine"

    @property
    def rounding(self):
        raise AttributeError("rounding")


text = "not callable"


@pytest.fixture
def mine(install):
    install(dialects.GROUP, f"mine = {__name__}:Mine")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Mine", "ValueError: invalid literal for int\\(\\) with base 10: 'x'" + PLACE),
        ("NoDecode", "it returned a NoDecode, which has no method decode$"),
        ("text", "it is a str, which is not callable$"),
        ("no_such", "AttributeError: module .* has no attribute 'no_such'"),
    ],
)
def test_a_dialect_that_cannot_be_made_is_named(install, name, problem):
    install(dialects.GROUP, f"mine = {__name__}:{name}")
    with pytest.raises(ValueError, match=rf"^text\.dialect: mine:x: the entry point .* of the package mine: {problem}"):
        dialects.find("mine:x")


def test_a_dialect_without_an_attribute_is_named(install):
    install(dialects.GROUP, f"mine = {__name__}:NoRounding")
    with pytest.raises(ValueError, match="returned a NoRounding, which has no attribute rounding"):
        dialects.find("mine:key")


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ("key", "KeyError: 'gone'" + PLACE),
        ("value", "ValueError: malformed" + PLACE),
        ("none", "it returned None, not a text$"),
        ("surrogate", "UnicodeEncodeError: 'utf-8' codec can't encode"),
    ],
)
def test_an_error_of_encode_names_the_dialect_and_the_line(option, problem):
    with pytest.raises(PluginError, match=rf"^text\.dialect: mine:{option}: encode: {problem}"):
        dialects.find(f"mine:{option}").encode(DOG)


@pytest.mark.usefixtures("mine")
def test_decode_and_error_are_named_too():
    for method, arguments in (("decode", ("text",)), ("error", (1, 1))):
        with pytest.raises(PluginError, match=rf"^text\.dialect: mine:key: {method}: KeyError: 'gone'" + PLACE):
            getattr(dialects.find("mine:key"), method)(*arguments)
    with pytest.raises(PluginError, match="decode: it returned None, not a GroundedCaption"):
        dialects.find("mine:none").decode("")


@pytest.mark.usefixtures("mine")
def test_what_the_contract_allows_passes():
    with pytest.raises(CannotCarry, match=r"^words$"):
        dialects.find("mine:cannot").encode(DOG)
    with pytest.raises(ValueError, match=r"^malformed$"):
        dialects.find("mine:value").decode("")
    assert dialects.find("mine:value").rounding == ""


def test_a_name_that_is_almost_right_is_suggested():
    with pytest.raises(ValueError, match=r"^text\.dialect: qwen2\.5vl: no such dialect; did you mean qwen2\.5-vl\?$"):
        dialects.find("qwen2.5vl")
