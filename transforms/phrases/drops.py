"""Which noun phrases name nothing one can draw a box around although their heads also name things.

A "picture of a dog" and "the top of a hill" are no things, a "framed picture" and a "crop top" are. So the words of some
lists in `drop_lists.yaml` are dropped under a condition, which the end of the list's name says.
"""

from transforms.phrases.drop_lists import DropRule
from transforms.phrases.parsed_caption import NOUN_TAGS, ParsedCaption

_DEFINITE = frozenset(("the", "this", "that", "these", "those", "its", "it", "his", "her", "their", "'s"))
_INDEFINITE = frozenset(("a", "an", "some", "one", "another"))
_POSSESSIVE = frozenset(("my", "our", "your", "his", "her", "its", "their"))
_TIMES = frozenset(("early", "late", "last", "next", "this", "every", "each", "late-", "mid", "coming"))
_INSIDE = frozenset(("in", "for", "of"))
_AT = frozenset(("at", "on", "to", "from", "in", "near", "of", "over", "along", "by", "towards", "toward", "up"))
_TAKES = frozenset(("take", "takes", "taking", "took", "taken", "snap", "snaps", "snapping", "get", "getting", "gets"))
_FOLLOWS_OPENER = frozenset(
    [
        "of",
        "showing",
        "shows",
        "show",
        "depicting",
        "depicts",
        "featuring",
        "features",
        "with",
        "from",
        "taken",
        "about",
        "for",
        "by",
        "in",
        "that",
    ]
)
_STOCK = frozenset(["stock", "royalty", "free", "royalty-free", "vector", "clip", "clipart", "editorial"])
_STOCK_ENDS = frozenset(
    [
        "photo",
        "photos",
        "photography",
        "photograph",
        "photographs",
        "image",
        "images",
        "illustration",
        "illustrations",
        "picture",
        "pictures",
        "vector",
        "vectors",
        "clipart",
        "art",
        "footage",
        "wallpaper",
        "wallpapers",
        "video",
        "videos",
        "template",
        "templates",
        "graphic",
        "graphics",
    ]
)


def is_dropped(caption: ParsedCaption, tokens: range, head: int, rule: DropRule) -> bool:
    """Whether the phrase `tokens`, whose head has this rule, is dropped."""
    if not rule.condition:
        return True
    words = [caption.tokens[token].lower_ for token in tokens if token < head]
    before = caption.tokens[tokens[0] - 1].lower_ if tokens[0] else ""
    after = caption.tokens[tokens[-1] + 1].lower_ if tokens[-1] + 1 < len(caption.tokens) else ""
    return _CONDITIONS[rule.condition](words, before, after, tokens[0] == 0)


def _names_picture(words: list[str], before: str, after: str, first: bool) -> bool:
    """ "A picture of a dog", "a close up shot", "in this picture", "taking a picture"; not "a framed picture"."""
    if first and (after in _FOLLOWS_OPENER or not after or not after[0].isalnum()):
        return True
    if words and all(word in _STOCK | _STOCK_ENDS for word in words):
        return True
    bare = all(word in _DEFINITE or word in _INDEFINITE for word in words)
    return bare and (before in _INSIDE or before in _TAKES or (not words and not before))


def _names_place(words: list[str], before: str, after: str, first: bool) -> bool:
    """ "The top of a hill", "on top"; not "a crop top", "a white top", "a top"."""
    return all(word in _DEFINITE for word in words) and (before in _AT or after == "of" or first)


def _names_sense(words: list[str], before: str, after: str, first: bool) -> bool:
    """ "In spring", "this spring", "our goal", "the goal of"; not "a hot spring", "the goal"."""
    if not words or any(word in _TIMES or word in _POSSESSIVE for word in words):
        return True
    return after == "of" and all(word in _DEFINITE for word in words)


_CONDITIONS = {"opener": _names_picture, "place": _names_place, "sense": _names_sense}


def without_stock_words(caption: ParsedCaption, tokens: range) -> range:
    """The phrase without what stock agencies append: "Stock Photo", "Royalty Free Vector Image". Unchanged if nothing
    else would remain."""
    words = [caption.tokens[token].lower_ for token in tokens]
    end = len(words)
    while end and words[end - 1] in _STOCK | _STOCK_ENDS:
        end -= 1
    tail = words[end:]
    remains = any(caption.tokens[token].pos in NOUN_TAGS for token in tokens[:end])
    return tokens[:end] if remains and _STOCK.intersection(tail) and len(tail) > 1 else tokens
