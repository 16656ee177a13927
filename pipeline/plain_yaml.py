"""YAML that people write -> its value. What YAML allows but nobody means is refused before the value is built."""

from typing import Any

import yaml

from pipeline.faults import first_line

_MOST_NODES = 10_000
"""Keys and values of a text. The configuration `grit` has fewer than a hundred."""


class Refused(Exception):
    """The text is not YAML, too large, too deep, or has a key twice. line: where, from 1; None if unknown."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem)
        self.line = line


def parse(text: str) -> Any:
    """The value of a YAML text; None if it is empty. Its size is checked before it is built: aliases make gigabytes of
    a few lines. YAML itself keeps the last value of a key that is there twice; this is refused.

    Raises:
      Refused: see there.
    """
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        if _count_nodes(node, {}, ()) > _MOST_NODES:
            raise Refused(f"more than {_MOST_NODES} values, aliases included; write plain ones")
        return loader.construct_document(node)
    except Refused:
        raise
    except RecursionError:
        raise Refused("too deeply nested; write plain values") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or first_line(error)
        raise Refused(f"not YAML: {problem}", mark.line + 1 if mark else None) from error
    except Exception as error:  # a value that its tag does not fit, such as !!int x or the date 2001-99-99
        raise Refused(f"not YAML: {type(error).__name__}: {first_line(error)}") from error


def _count_nodes(node: yaml.Node, counts: dict[int, int], path: tuple[str, ...]) -> int:
    """The nodes of a tree, aliases expanded. counts: by identity, of the nodes that were counted. path: keys above."""
    if id(node) in counts:
        return counts[id(node)]
    counts[id(node)] = _MOST_NODES  # the count of a node that contains itself
    total = 1
    lines: dict[str, int] = {}
    for part in node.value if isinstance(node, yaml.CollectionNode) else ():
        key, value = part if isinstance(part, tuple) else (None, part)
        inside = path
        if isinstance(key, yaml.ScalarNode):
            inside = (*path, key.value)
            line = key.start_mark.line + 1
            # Several merges are one after the other, as in a list of them.
            if key.value in lines and key.tag != "tag:yaml.org,2002:merge":
                first = f", first in line {lines[key.value]}" if line != lines[key.value] else ""
                raise Refused(f"{'.'.join(inside)} is set twice{first}; remove one", line)
            lines[key.value] = line
        total += (_count_nodes(key, counts, path) if key else 0) + _count_nodes(value, counts, inside)
    counts[id(node)] = total
    return total
