"""Text that a caption quotes, such as what is written on a sign: its words name no things of the picture.

Found by quotation marks alone: straight and curly ones, guillemets, corner brackets, and those of LaTeX. An apostrophe
and the sign of inches are none. Nor are the marks around a whole caption, which a file of captions has left; of CSV, it
may have doubled those inside.
"""

import re
from functools import lru_cache

from transforms.records import CharSpan

_QUOTATION = re.compile(
    r"""
    (?<!\w)["＂]{1,3} [^"＂]+ ["＂]{1,3}  # but 6" is a size
    | (?<!\d)[“„‟] [^“”„‟"]+ [”“‟"] | (?<!\w)” [^”]+ ”  # also as in German, and as in Swedish
    | « [^«»]+ » | » [^«»]+ « | ‹ [^‹›]+ › | 「 [^「」]+ 」 | 『 [^『』]+ 』
    | `` [^`]+? '' | ` [^`']+ [`']
    # Within single marks, an apostrophe is between letters. 'em, 'tis and '90s begin with one.
    | (?<!\w)['‘‚] (?!(?i:\d0s|em|n|tis|twas|til|till|cause|bout)\b|\s)
      (?: [^'‘’] | (?<=\w)['’](?=\w) )+ (?<!\s)['’] (?!\w)
    """,
    re.VERBOSE,
)
_MARKS = frozenset("\"＂'`“”„‟‘‚«»‹›「『")


def is_quoted(caption: str, start: int, end: int) -> bool:
    """Whether the characters of a caption from `start` to `end`, exclusive, are in a quotation."""
    quotations = _quotations(caption)
    return bool(quotations) and any(first <= start and end <= last for first, last in quotations)


@lru_cache(maxsize=64)  # each phrase of a caption asks
def _quotations(caption: str) -> tuple[CharSpan, ...]:
    """The spans of the quotations of a caption, with their marks."""
    if _MARKS.isdisjoint(caption):
        return ()
    around = int(caption[0] == caption[-1] == '"' and '""' in caption[1:-1])
    spans = (found.span() for found in _QUOTATION.finditer(caption, around, len(caption) - around))
    return tuple((start, end) for start, end in spans if any(map(str.isalnum, caption[:start] + caption[end:])))
