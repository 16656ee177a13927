"""Shows the result of `gritmill look`."""

from typing import Any

from pipeline.faults import printable
from transforms.wording import counted

_WIDTH = 100


def show(result: dict[str, Any]) -> None:
    """Prints a block per source, then what else there is."""
    for source in result["sources"]:
        for line in _lines(source):
            print(printable(line))
    for kind, number in result["others"].items():
        print(f"{number:,} more of kind {kind}")
    for line in result["left_out"]:
        print(printable(line))


def _lines(source: dict[str, Any]) -> list[str]:
    pairs = "" if source["pairs"] is None else f": {'' if source['counted_all'] else 'more than '}"
    pairs += "" if source["pairs"] is None else counted(source["pairs"], "pair")
    lines = [f"{source['uri']} ({source['kind'] or 'unknown kind'}){pairs}"]
    if source["fault"]:
        completely = " completely" if source["pairs"] or source["read"] else ""
        lines.append(f"  cannot be read{completely}: {source['fault']}")
    lines += [f"  {name:<8} {value}" for name, value in source["about"].items()]
    for example in source["examples"]:
        size = f"{example['width']} x {example['height']}"
        lines.append(f"  {example['key']}  {size}  {_shortened(example['caption'])}")
    good = source["read"] - sum(source["problems"].values())
    if source["read"]:
        lines.append(f"  of the first {counted(source['read'], 'pair')}, {good:,} can be used")
    for kind, number in source["given"].items():
        lines.append(f"  {number:,} of them come with {kind}")
    for problem, number in source["problems"].items():
        lines.append(f"  {number:,} {problem}, the first is {source['first_problems'][problem]}")
    lines += [f"  note: {line}" for line in source["notices"]]
    return lines


def _shortened(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
