"""Text that a caption quotes, such as what is written on a sign: its words name no things of the picture.

Found by quotation marks alone: straight and curly ones, guillemets, corner brackets, accents, and those of LaTeX. An
apostrophe and the sign of inches are none. Nor are the marks around a whole caption, which a file of captions has left;
of CSV, it may have doubled those inside.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from transforms.records import CharSpan

_QUOTATION = re.compile(
    r"""
    # With others of the same kind inside, at most `_MOST_WITHIN`.
    (?<![\w"＂])["＂](?=\w) [^"＂]*
        (?:\s["＂](?=\w) [^"＂]* (?<=\S)["＂](?=[\s"＂.,;:!?)]) [^"＂]*){1,4} (?<=\S)["＂](?!\w)
    | (?<!\d)“ [^“”„‟"]* (?:(?<=\s)“(?=\w) [^“”„‟"]+ ” [^“”„‟"]*){1,4} ”
    | « [^«»]* (?:« [^«»]+ » [^«»]*){1,4} » | ‹ [^‹›]* (?:‹ [^‹›]+ › [^‹›]*){1,4} ›
    | 「 [^「」]* (?:「 [^「」]+ 」 [^「」]*){1,4} 」 | 『 [^『』]* (?:『 [^『』]+ 』 [^『』]*){1,4} 』
    | (?<![\w"＂])["＂]{1,3} [^"＂]+ ["＂]{1,3}  # but 6" is a size
    | (?<!\d)[“„‟] [^“”„‟"]+ [”“‟"] | (?<!\w)” [^”]+ ”  # also as in German, and as in Swedish
    | « [^«»]+ » | » [^«»]+ « | ‹ [^‹›]+ › | › [^‹›]+ ‹ | 「 [^「」]+ 」 | 『 [^『』]+ 』
    | ❝ [^❝❞]+ ❞ | ❮ [^❮❯]+ ❯ | 〝 [^〝〞〟]+ [〞〟] | ｢ [^｢｣]+ ｣
    | `` [^`]+? '' | (?<!\w)`\s [^`']+ [`']
    """,
    re.VERBOSE,
)
_MOST_WITHIN = 4  # so that no text takes the square of its length
_SINGLE = re.compile(
    r"""
    (?<!\w)['‘’`´][nr]['‘’`´](?!\w)  # rock 'n' roll: neither is a quotation mark
    # '57, '90s, 'em; also where a text was split into words: "man 's", "o 'clock"
    | (?P<may_open>(?<!\w)['‘’`´](?:\d\ds?(?![\w%°:/])|(?:[stdm]|re|ll|ve|clock|em|im|er|ere|n|tis|twas|til|till|cause
        |cuz|coz|bout|round|neath|tween|gainst|fros?|stache|vette|hood|gator|nuff|sup|kay|shrooms?|burbs|lil|ole?|cos)\b))
    | (?P<opens>(?<!\w)['‘’‚‛`´](?=\w)|(?<![^\s(\[{<“«])['‘’‚‛`´](?=\S))
    # dogs' bowls, Felix' bowl, a 6' man, a rockin' chair, an ol' dog
    | (?P<may_close>(?:(?<=[szx\d])|(?<=in|an|th|ol)|(?<=\b\w))['‘’`´](?!\w))
    | (?P<closes>(?<=\S)['‘’`´](?!\w))
    """,
    re.VERBOSE | re.IGNORECASE,
)
_WITHIN_MARKS = re.compile(r'"(?:.*"".*|[^"]*\s"\w.*)"', re.DOTALL)
_MARKS = frozenset("\"＂'`´“”„‟‘’‚‛«»‹›「『❝❮〝｢")


def is_quoted(caption: str, start: int, end: int) -> bool:
    """Whether the characters of a caption from `start` to `end`, exclusive, are in a quotation."""
    quotations = _quotations(caption)
    return bool(quotations) and any(first <= start and end <= last for first, last in quotations)


@lru_cache(maxsize=64)  # each phrase of a caption asks
def _quotations(caption: str) -> tuple[CharSpan, ...]:
    """The spans of the quotations of a caption, with their marks."""
    if _MARKS.isdisjoint(caption):
        return ()
    start = int(_is_within_marks(caption))
    inner = caption[start : len(caption) - start]
    words = [at for at, character in enumerate(inner) if character.isalnum()] or [len(inner), -1]
    spans = ((first, last) for first, last in _spans(inner) if words[0] < first or words[-1] >= last)
    return tuple((start + first, start + last) for first, last in spans)


def quotation_marks(caption: str) -> tuple[CharSpan, ...]:
    """The offsets of both marks of each pair in a caption, also of those within others and around the whole caption.
    Pairs do not cross each other."""
    if _MARKS.isdisjoint(caption):
        return ()
    pairs = {(0, len(caption) - 1)} if _is_within_marks(caption) else set()
    parts = [(len(pairs), len(caption) - len(pairs))]
    while parts:  # a few times: most kinds of marks do not match around others of their kind
        found = [(at + first, at + last - 1) for at, end in parts for first, last in _spans(caption[at:end])]
        parts = [(first + 1, last) for first, last in set(found) - pairs]
        pairs.update(found)
    return tuple(sorted(pairs))


def _is_within_marks(caption: str) -> bool:
    """Whether the whole caption is in quotation marks and has others inside: doubled as in a cell of CSV, or not."""
    return caption[-1:] == '"' and bool(_WITHIN_MARKS.fullmatch(caption))


def _spans(caption: str) -> list[CharSpan]:
    """The quotations that are in no other one, but those in double marks also if they are in one in single marks."""
    others = _QUOTATION.sub(lambda found: '"' * len(found[0]), caption)  # marks inside belong to nothing outside
    return [*(found.span() for found in _QUOTATION.finditer(caption)), *_in_single_marks(others)]


def _in_single_marks(caption: str) -> Iterator[CharSpan]:
    """The spans of quotations in single marks, which are also apostrophes.

    A mark that may be an apostrophe opens a quotation only if a mark that is none closes it, and the other way round.
    The first of several that may close one closes it, unless one that is no apostrophe follows within the quotation. A
    mark that is none opens another one within a quotation.
    """
    opened, is_certain, closed = -1, False, -1
    around: list[int] = []
    for mark in _SINGLE.finditer(caption):
        match mark.lastgroup:
            case "closes" if opened >= 0:
                yield opened, mark.end()
                opened, is_certain, closed = around.pop() if around else -1, True, -1
            case "may_close" if opened >= 0 and is_certain and closed < 0:
                closed = mark.end()
            case "opens" | "may_open" as kind if kind == "opens" or opened < 0 or closed >= 0:
                if closed >= 0:
                    yield opened, closed
                elif kind == "opens" and is_certain and len(around) < _MOST_WITHIN:
                    around.append(opened)
                opened, is_certain, closed = mark.start(), kind == "opens", -1
    if closed >= 0:
        yield opened, closed
