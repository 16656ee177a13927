"""The name of the class that a phrase belongs to, for detectors that are trained on a fixed list of classes.

"two hot dogs" and "the hot dog" are of the class "hot dog", "a couple of dogs" and "a brown dog" of the class "dog".
The words alone decide, with the lists of `class_names.yaml`: the same words always have the same class, and no model
is needed. The rules are for English.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from transforms.phrases.measures import measure_words
from transforms.phrases.word_lists import read_lists

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*['’]?")
_NEXT_WORD = re.compile(rf"\s+({_WORD.pattern})")
_WORD_OR_SIGN = re.compile(rf"{_WORD.pattern}|\S")
_OF = re.compile(r"\s+of\s+", re.IGNORECASE)
_HYPHENS_BEFORE = re.compile(r"(?:[^\W_]+-)+$")
_HYPHENS_AFTER = re.compile(r"(?:-[^\W_]+)+")
_HYPHENS, _LONGEST_WORD = 2, 60  # of a word with hyphens: "mother-in-law"
_POSSESSIVE = re.compile(r"['’]s?$")
_DECADE = re.compile(r"\d+['’]?s", re.IGNORECASE)
_NUMBER = re.compile(rf"\d+|{_DECADE.pattern}", re.IGNORECASE)
_PARTICIPLE = re.compile(r"^[^aeiouy]*[aeiouy].*(ing|(?<!e)ed)$|^(cut|eaten|broken|torn|grown|driven|ridden|frozen)$")
_LONGEST = 4  # words of a compound
_DETERMINERS = frozenset(
    ("a", "an", "the", "her", "his", "its", "my", "our", "their", "your", "these", "those", "some")
)
_PRONOUNS = frozenset(("it", "them", "us", "him", "me", "you", "this", "that", "which", "whom", "everything"))
_NUMBERS = frozenset(("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve"))
_MANS = frozenset(("human", "ottoman", "shaman", "talisman", "caiman", "roman", "german"))
_CONTINUE = (",", "and", "or")


@dataclass(frozen=True)
class _Lists:
    """The lists of `class_names.yaml`. compounds: key of a name (see `_key`) -> the name."""

    parts_and_views: frozenset[str]
    compounds: dict[str, str]
    irregular: dict[str, str]
    one_word: frozenset[str]
    ending_in_e: frozenset[str]
    ending_in_us: frozenset[str]
    unchanged: frozenset[str]
    same_plural: frozenset[str]
    stops: frozenset[str]
    adjectives: frozenset[str]
    before_nouns: frozenset[str]
    nouns_like_participles: frozenset[str]
    nouns_in_ly: frozenset[str]


def class_name(caption: str, start: int, head: tuple[int, int]) -> str:
    """The class of a noun chunk, in lower case and in the singular.

    It is the head noun, or a compound that ends with it. If the head is a measure, a part or a view ("a couple", "a
    slice", "the back"), it is the class of the thing after "of", if that is there.

    Args:
      caption: the caption. start: where the noun chunk starts. head: start and end of the head noun.
    """
    while True:
        first, last = _whole_word(caption, head)
        word = caption[first:last].lower()
        name = _name([*_WORD.findall(caption, min(start, first), first), word])
        of = _OF.match(caption, last)
        if of and word == "glasses":  # others are worn
            return "glass"
        thing = _find_thing(caption, of.end()) if of and _is_measure(word) else None
        if thing is None:
            return name or word.strip()
        start, head = thing


@cache
def compounds() -> frozenset[str]:
    """Names of several words that are a class of their own, in lower case: "stop sign"."""
    return frozenset(_lists().compounds.values())


def _is_measure(word: str) -> bool:
    """Whether a noun is a measure, a part or a view, in the singular or in the plural."""
    words = _lists().parts_and_views | _measures()
    return word in words or _singular(word) in words


@cache
def _measures() -> frozenset[str]:
    return measure_words(tuple(name for name in read_lists("measures") if name != "version"))


def _whole_word(caption: str, head: tuple[int, int]) -> tuple[int, int]:
    """The head with what hyphens add to it ("t-shirt"), unless these make a chain, as in the addresses of pages."""
    first, last = head
    if before := _HYPHENS_BEFORE.search(caption, max(first - _LONGEST_WORD, 0), first):
        first = before.start()
    if after := _HYPHENS_AFTER.match(caption, last):
        last = after.end()
    return head if caption.count("-", first, last) > _HYPHENS else (first, last)


def _find_thing(caption: str, start: int) -> tuple[int, tuple[int, int]] | None:
    """The start and the head of the thing that is named from `start`; None if none is."""
    lists = _lists()
    words: list[re.Match[str]] = []
    for found in _WORD_OR_SIGN.finditer(caption, start):
        word = found.group().lower()
        last = words[-1].group().lower() if words else ""
        if (not words and word in _DETERMINERS) or (word in _CONTINUE and last in lists.adjectives):
            continue
        if word in lists.stops or not word[0].isalnum() or (last and _ends_before(last, word, caption, found.end())):
            break
        words.append(found)
    if not words or words[-1].group().lower() in _PRONOUNS | _NUMBERS or _NUMBER.fullmatch(words[-1].group()):
        return None
    return words[0].start(), words[-1].span()


def _ends_before(last: str, word: str, caption: str, end: int) -> bool:
    """Whether the name of a thing ends with `last`, before `word`, which ends at `end`.

    It does after a plural ("people walking", but "1920s houses"), and before a participle that no noun can follow
    ("water running down", but "brightly painted boats"). Of "sheep", all participles in -ing tell what they do.
    """
    lists = _lists()
    participle = _PARTICIPLE.search(word) and word not in lists.nouns_like_participles
    adjective = last in lists.adjectives and word.endswith("ed")  # but "a slice of orange lying on a plate"
    if participle and not adjective and not last.endswith("ly"):
        after = _WORD_OR_SIGN.search(caption, end)
        if after is None or _no_noun(after.group().lower()) or (last in lists.same_plural and word.endswith("ing")):
            return True
    if _POSSESSIVE.search(last) or _DECADE.fullmatch(last) or last in lists.before_nouns:
        return False
    return singular(last) != last


def _no_noun(word: str) -> bool:
    """Whether no noun phrase goes on with this word or sign."""
    lists = _lists()
    adverb = word.endswith("ly") and word not in lists.nouns_in_ly
    return adverb or word in lists.stops or not word[0].isalnum()


def _name(words: Sequence[str]) -> str:
    """The longest compound at the end of these words, or the last word; in the singular."""
    last = [*words[:-1], singular(words[-1].lower())]
    lists = _lists()
    for number in range(min(_LONGEST, len(last)), 0, -1):
        if found := lists.compounds.get(_key(last[-number:])):
            return found
    if len(last) > 1 and (joined := f"{last[-2].lower()}{last[-1]}") in lists.one_word:
        return joined
    return last[-1]


def goes_on(caption: str, start: int, end: int) -> bool:
    """Whether the words from `start` to `end` begin a compound that ends behind them: "a fire" before "hydrant"."""
    words = _WORD.findall(caption, start, end)[-_LONGEST:]
    if not words:
        return False
    lists, position = _lists(), end
    for number in range(1, _LONGEST):
        after = _NEXT_WORD.match(caption, position)
        if after is None:
            return False
        noun, position = singular(after.group(1).lower()), after.end()
        if number == 1 and f"{words[-1].lower()}{noun}" in lists.one_word:
            return True
        longer = [*words, noun]
        if any(_key(longer[-length:]) in lists.compounds for length in range(number + 1, _LONGEST + 1)):
            return True
        words.append(after.group(1))
    return False


def _key(words: Sequence[str]) -> str:
    """Compounds are the same with a blank and with a hyphen."""
    return " ".join(words).lower().replace("-", " ")


def singular(noun: str) -> str:
    """The singular of an English noun in lower case. Of a word with hyphens, the last part changes.

    A noun that is in the singular comes back as it is, for example "bus", "dress" and "tennis".
    """
    before, hyphen, noun = noun.rpartition("-")
    return before + hyphen + _singular(noun)


def is_singular(noun: str) -> bool:
    """Whether an English noun in lower case is in the singular for certain: not "sheep", which may be a plural."""
    return singular(noun) == noun and noun.rpartition("-")[2] not in _lists().same_plural


def is_paired(noun: str) -> bool:
    """Whether a noun in lower case may be a plural by its end, although `is_singular` says that it has none."""
    return noun.endswith("s") and not noun.endswith(("ss", "us"))


def plural(noun: str) -> str:
    """The plural of an English noun in lower case and in the singular. Empty if `singular` does not lead back to it, or
    if it may be the same word: "sheep", "scissors"."""
    word = noun.split(" ")[-1]
    if not is_singular(word) or is_paired(word):
        return ""
    regular = word + ("es" if word.endswith(("s", "x", "z", "ch", "sh")) else "s")
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        regular = word[:-1] + "ies"
    men = [word[:-2] + "en"] if word.endswith("man") and word not in _MANS else []
    forms = (*men, *_irregular_plurals().get(word, ()), regular, word + "es")
    return next((noun.removesuffix(word) + form for form in forms if form != word and singular(form) == word), "")


@cache
def _irregular_plurals() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for many, one in _lists().irregular.items():
        if not _is_measure(many):  # a couple
            found.setdefault(one, []).append(many)
    return found


def _singular(noun: str) -> str:
    lists = _lists()
    noun = _POSSESSIVE.sub("", noun)
    if noun in lists.unchanged or noun in lists.same_plural:
        return noun
    if noun.endswith("es") and noun[:-2] in lists.unchanged:  # "trellises"
        return noun[:-2]
    return lists.irregular.get(noun) or _regular(noun)


def _regular(noun: str) -> str:
    """The singular by the rules of spelling, with the lists of nouns in -e and in -us."""
    if noun.endswith("men"):
        return noun[:-2] + "an"
    if not noun.endswith("s") or noun.endswith(("ss", "us", "sis")) or len(noun) < 3:
        return noun
    if noun[:-1] in _lists().ending_in_e:
        return noun[:-1]
    if noun.endswith("ies"):
        return noun[:-3] + "y"
    if noun.endswith(("oes", "sses", "xes", "ches", "shes", "zzes")):
        return noun[:-2]
    if noun[:-2] in _lists().ending_in_us or noun.endswith("sauruses"):
        return noun[:-2]
    return noun[:-1]


@cache
def _lists() -> _Lists:
    content = read_lists("class_names")
    compounds = {_key(name.split()): name for name in content.pop("compounds")}
    # "glasses" alone are worn and stay as they are, but "wine glasses" are of the class "wine glass".
    compounds |= {f"{key}es": name for key, name in compounds.items() if key.endswith("ss")}
    irregular = content.pop("irregular")
    del content["version"]
    return _Lists(
        compounds=compounds, irregular=irregular, **{name: frozenset(words) for name, words in content.items()}
    )
