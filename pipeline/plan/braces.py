"""Brace patterns of `--input`, as bash and webdataset expand them: `{00000..00099}.tar`, `{a,b}/*.tar`, nested."""

import re

from braceexpand import alphabet, braceexpand

from pipeline.faults import CallError

MAX_PATHS = 1_000_000
"""Paths of one pattern. LAION-2B has 231,349 shards. braceexpand keeps them in memory, so they are counted before."""

_TOKEN = re.compile(r"\{(?:(-?\d+)\.\.(-?\d+)|([A-Za-z])\.\.([A-Za-z]))(?:\.\.-?(\d+))?\}|[{},]", re.ASCII)
_MAX_DIGITS = 18


def expand(pattern: str) -> list[str]:
    """The paths and globs of a pattern, in its order. Only the pattern itself if it has no balanced braces.

    Raises:
      CallError: it has more than `MAX_PATHS`.
    """
    if "{" not in pattern:
        return [pattern]
    number = _count(pattern)
    if number > MAX_PATHS:
        raise CallError(f"{pattern}: expands to more than {MAX_PATHS:,} paths; use a smaller range or a glob")
    try:
        return list(braceexpand(pattern, escape=False)) if number else [pattern]
    except RecursionError:
        return [pattern]


def _count(pattern: str) -> int:
    """The number of paths, or an upper bound of it. 0 if the braces are not balanced."""
    levels = [(0, 1)]  # for each open brace: paths of its finished alternatives, and of the current one
    for token in _TOKEN.finditer(pattern):
        total, current = levels[-1]
        if token.lastindex:
            if max(map(len, filter(None, token.groups()))) > _MAX_DIGITS:
                return MAX_PATHS + 1
            start, end = map(int, token.group(1, 2)) if token[1] else map(alphabet.index, token.group(3, 4))
            levels[-1] = total, current * (abs(end - start) // (int(token[5] or 1) or 1) + 1)
        elif token[0] == "{":
            levels.append((0, 1))
        elif token[0] == "," and len(levels) > 1:
            levels[-1] = total + current, 1
        elif token[0] == "}":
            levels.pop()
            if not levels:
                return 0
            levels[-1] = levels[-1][0], levels[-1][1] * (total + current)
    return levels[0][1] if len(levels) == 1 else 0
