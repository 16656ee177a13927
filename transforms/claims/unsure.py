"""Words around a thing that leave open whether it is there: "waiting for a bus", "a camel or a giraffe", a question, a
quotation, "a train shaped cake".

These are rules on words alone, so that they also serve where there is no parsed caption any more. They say nothing of
what a caption says is not there: see `presence`.
"""

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import islice

from transforms.claims.word_lists import unreal, words_of
from transforms.phrases.quotations import is_quoted

_WORD = re.compile(r"\w+(?:[-'’]\w+)*|[^\w\s]")
_ENDS = frozenset((".", "?", "!"))
_QUOTES = frozenset("\"'`“”‘’«»")
_LONGEST = 3
"""Words of the longest pattern of `unreal`."""


def is_unsure(words: Sequence[str], first: int, last: int) -> bool:
    """Whether it is open that the thing named by the words from `first` to `last` is there. words: in lower case."""
    after = words[last + 1 :]
    if "?" in after and next(word for word in after if word in _ENDS) == "?":
        return True
    near = words[max(first - 2 * _LONGEST, 0) : first]
    if next((word for word in reversed(near) if not _is_between(word)), "") in _last_words():
        before = [word for word in near if not _is_between(word)]
        if any(tuple(before[-number:]) in unreal() for number in range(1, _LONGEST + 1)):
            return True
    return "or" in (*words[max(first - 1, 0) : first], *after[:1]) or _names_a_form(after)


def is_unsure_in(caption: str, start: int, end: int) -> bool:
    """The same for characters of a caption, end exclusive; also if these are quoted."""
    if is_quoted(caption, start, end):
        return True
    around = caption[:start].rsplit(None, 1)[-1:] + caption[end:].split(None, 1)[:1]
    if "?" not in caption[end:] and all(map(_leaves_nothing_open, around)):
        return False
    before, rest = _WORD.findall(caption[:start].lower()), caption[end:].lower()
    after = [word.group() for word in islice(_WORD.finditer(rest), None if "?" in rest else 2)]
    return is_unsure([*before, "", *after], len(before), len(before))


@lru_cache(maxsize=4096)
def _leaves_nothing_open(word: str) -> bool:
    """Whether no rule can apply to the thing right before or after these characters: they are a usual word, which ends
    no pattern, and commas and full stops. So are those around most things, which saves three quarters of the time."""
    letters = word.lower().rstrip(",.")
    if not letters:
        return True
    known = letters == "or" or letters in _last_words() or letters in words_of("predicates", "formed")
    return letters.isalpha() and not known and not _is_between(letters)


def _names_a_form(after: Sequence[str]) -> bool:
    """Whether the words after a thing say that another one has its form: "a train shaped cake", but neither "a train
    shaped like a dragon" nor "trains shaped differently"."""
    if not after or after[0] not in words_of("predicates", "formed"):
        return False
    following = next(iter(after[1:]), "")
    return following not in words_of("predicates", "after_formed") and not following.endswith("ly")


@cache
def _last_words() -> frozenset[str]:
    """With which the patterns end. Few words are one of them, so that most phrases need no further look."""
    return frozenset(pattern[-1] for pattern in unreal())


def _is_between(word: str) -> bool:
    """Whether a word may stand inside of a pattern: "waiting patiently for", a quotation mark."""
    return word in _QUOTES or (word.endswith("ly") and len(word) > 4)
