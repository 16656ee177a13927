"""Cutting and joining parses: every result is a projective tree if what went in was one."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from training.caption_parser.silver import Parse

_NOUNS = {"NN", "NNS", "NNP", "NNPS"}
_MODIFIERS = {"det", "amod", "compound", "nummod", "poss", "nmod", "quantmod", "predet", "case"}


def cut(parse: Parse, starts: Iterable[int]) -> Parse:
    """The parse with a new sentence at each word in `starts`; no arc crosses a border any more.

    Within a stretch, modifiers that lost their head go to the noun at the end of their run; a run after a preposition
    becomes its object; what is left depends on the stretch's root: the old one, or else the head of the first run.
    """
    borders = sorted({0, len(parse.words), *starts, *(i for i, first in enumerate(parse.sent_starts) if first)})
    heads, deps, firsts = list(parse.heads), list(parse.deps), [False] * len(parse.words)
    for start, end in pairwise(borders):
        firsts[start] = True
        for i, (head, dep) in _stretch(parse, start, end).items():
            heads[i], deps[i] = head, dep
    return replace(parse, heads=tuple(heads), deps=tuple(deps), sent_starts=tuple(firsts))


def _stretch(parse: Parse, start: int, end: int) -> dict[int, tuple[int, str]]:
    """New head and label of each word of the stretch whose head lies outside of it, or who is its own head."""
    loose = [i for i in range(start, end) if _is_loose(parse, i, start, end)]
    runs = _runs(parse, loose, start)
    tops = [_run_head(parse, run) for run in runs]
    old = [i for i in loose if parse.heads[i] == i]
    solid = [top for top in tops if parse.deps[top] != "punct"]
    nouns = [top for top in solid if parse.tags[top] in _NOUNS]
    root = ([top for top in tops if top in old] + nouns + solid + tops)[0]
    found: dict[int, tuple[int, str]] = {}
    for run, top in zip(runs, tops, strict=True):
        before = _left_edge(parse, run[0], start) - 1
        if top == root:
            found[top] = top, "ROOT"
        elif before >= start and parse.tags[before] == "IN" and parse.tags[top] in _NOUNS:
            found[top] = before, "pobj"
        else:
            found[top] = root, "dep" if parse.deps[top] in _MODIFIERS or top in old else parse.deps[top]
        found.update({i: (top, "dep" if i in old else parse.deps[i]) for i in run if i != top})
    return found


def _is_loose(parse: Parse, i: int, start: int, end: int) -> bool:
    head = parse.heads[i]
    return head == i or not start <= head < end or (parse.deps[head] == "punct" and parse.deps[i] != "punct")


def _runs(parse: Parse, loose: Sequence[int], start: int) -> list[list[int]]:
    runs: list[list[int]] = []
    for i in loose:
        before = _left_edge(parse, i, start) - 1
        follows = runs and parse.deps[runs[-1][-1]] in _MODIFIERS and parse.tags[before] != "IN"
        if follows and parse.deps[i] != "punct":
            runs[-1].append(i)
        else:
            runs.append([i])
    return runs


def _run_head(parse: Parse, run: Sequence[int]) -> int:
    return ([i for i in run if parse.tags[i] in _NOUNS] or list(run))[-1]


def _left_edge(parse: Parse, i: int, start: int) -> int:
    """The first word at or after `start` that depends on word `i`, or the word itself."""
    edge = i
    for k in range(i - 1, start - 1, -1):
        step, seen = k, 0
        while step != i and start <= parse.heads[step] <= i and parse.heads[step] != step and seen <= i:
            step, seen = parse.heads[step], seen + 1
        if step == i:
            edge = k
    return edge


def piece(parse: Parse, start: int, end: int) -> Parse:
    """The words from `start` up to `end` as a parse of one sentence."""
    new = _stretch(parse, start, end)
    spaces = (*parse.spaces[start : end - 1], False)
    words = parse.words[start:end]
    return Parse(
        parse.source,
        _text(words, spaces),
        words,
        spaces,
        parse.tags[start:end],
        tuple(new[i][1] if i in new else parse.deps[i] for i in range(start, end)),
        tuple((new[i][0] if i in new else parse.heads[i]) - start for i in range(start, end)),
        tuple(i == start for i in range(start, end)),
    )


def joined(parts: Sequence[Parse]) -> Parse:
    """The parts one after the other, with a space between; each keeps its own sentences."""
    words = tuple(word for part in parts for word in part.words)
    spaces = [space for part in parts for space in (*part.spaces[:-1], True)]
    spaces[-1] = False
    offsets = [sum(len(part.words) for part in parts[:n]) for n in range(len(parts))]
    return Parse(
        parts[0].source,
        _text(words, spaces),
        words,
        tuple(spaces),
        tuple(tag for part in parts for tag in part.tags),
        tuple(dep for part in parts for dep in part.deps),
        tuple(head + offset for part, offset in zip(parts, offsets, strict=True) for head in part.heads),
        tuple(first for part in parts for first in part.sent_starts),
    )


def with_mark(parse: Parse, mark: str, spaced: bool) -> Parse:
    """The parse with a punctuation mark after its last word, with or without a space before."""
    root = parse.heads.index(max(i for i, head in enumerate(parse.heads) if head == i))
    root = parse.heads[root]
    spaces = (*parse.spaces[:-1], spaced, False)
    words = (*parse.words, mark)
    return Parse(
        parse.source,
        _text(words, spaces),
        words,
        spaces,
        (*parse.tags, "," if mark == "," else ":"),
        (*parse.deps, "punct"),
        (*parse.heads, root),
        (*parse.sent_starts, False),
    )


def recased(parse: Parse, words: Sequence[str]) -> Parse:
    """The same tree over other spellings of the words."""
    return replace(parse, words=tuple(words), text=_text(words, parse.spaces))


def _text(words: Sequence[str], spaces: Sequence[bool]) -> str:
    return "".join(word + " " * space for word, space in zip(words, spaces, strict=True))
