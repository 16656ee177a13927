"""`python -m training.statement_labels FILE` compares the labels of statements with the true boxes of scenes.

FILE: `relations.jsonl` of `gritmill export --to relations`, of a run on scenes: `meta` has their truth. The rules here
are simpler than those of the export: which centre is farther left or higher, which box has the larger area.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from gritmill.exports.relations.facts import NUMBERS
from transforms.claims.geometry import area, shared
from transforms.claims.verdicts import Corners

_PLACES = {"second": 1, "third": 2, "fourth": 3}
_INSIDE = 0.8  # of the true box, whose edges are exact


def true_label(row: Mapping[str, Any]) -> bool | None:
    """Whether the statement of a row is true of the true boxes. None: they are not known, or are several."""
    truth = {(one["start"], one["end"]): one["boxes"] for one in json.loads(row["meta"])["truth"]}
    subjects, objects = (truth.get(tuple(row[f"{side}_span"]), []) for side in ("subj", "obj"))
    if row["kind"] == "count":
        return len(subjects) == NUMBERS.index(row["obj"]) if subjects else None
    subject, object_ = _find(subjects, row, "subj"), _find(objects, row, "obj")
    if subject is None or object_ is None:
        return None
    (sx, sy), (ox, oy) = ((box[0] + box[2], box[1] + box[3]) for box in (subject, object_))
    return {
        "left of": sx < ox,
        "right of": sx > ox,
        "above": sy < oy,
        "below": sy > oy,
        "larger in the picture than": area(subject) > area(object_),
        "smaller in the picture than": area(subject) < area(object_),
        "within the bounds of": shared(subject, object_) > _INSIDE * area(subject),
    }.get(row["relation"])


def _find(boxes: list[list[float]], row: Mapping[str, Any], side: str) -> Corners | None:
    """The box that a name means, mirrored if the picture is."""
    first, *rest = row[side].split()
    places = sorted(boxes, key=lambda box: box[0] + box[2])
    if first in ("leftmost", "rightmost"):
        places = places[:1] if first == "leftmost" else places[-1:]
    elif rest[-2:] == ["the", "left"]:
        places = places[_PLACES[first] :][:1]
    if len(places) != 1:
        return None
    ((x1, y1, x2, y2),) = places
    return (1 - x2, y1, 1 - x1, y2) if row.get("mirrored") else (x1, y1, x2, y2)


def compare(rows: Iterable[Mapping[str, Any]]) -> tuple[Counter[tuple[str, str]], list[str]]:
    """How many labels of each kind are right, wrong or not known, and the captions of those that are wrong."""
    counts, wrong = Counter[tuple[str, str]](), []
    for row in rows:
        label = true_label(row)
        result = "unknown" if label is None else "right" if label == bool(row["label"]) else "wrong"
        counts[row["kind"], result] += 1
        if result == "wrong":
            wrong.append(f"{row['key']}: {row['caption']} ({row['label']})")
    return counts, wrong


def main(file: Annotated[Path, typer.Argument(help="relations.jsonl, in the form vsr.")]) -> None:
    """Compare the labels of statements with the true boxes of scenes."""
    with file.open(encoding="utf-8") as lines:
        counts, wrong = compare(map(json.loads, lines))
    for kind in sorted({kind for kind, _ in counts}):
        right, others, unknown = (counts[kind, result] for result in ("right", "wrong", "unknown"))
        print(f"{kind}: {right / max(right + others, 1):.2%} of {right + others:,} right; {unknown:,} without a truth")
    for line in wrong:
        print(line)


if __name__ == "__main__":
    typer.run(main)
