"""Near duplicates and excluded images, found in the table `hashes/` before the first model runs.

`find` writes for each range which of its pairs are rejected, and `rejections` reads it where the images are loaded. An
image is rejected if it is near an earlier one in plan order, whatever its captions are. Captions of one image share its
fate. New sources come last in the plan, so `--extend` changes nothing for earlier pairs.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pipeline import files, layout
from pipeline.faults import CallError, short_repr
from pipeline.files.typed import publish_typed, read_typed
from pipeline.ids import RangeId
from pipeline.plan.plan import Plan
from pipeline.tables.table import Table
from transforms.perceptual_hash import find_near
from transforms.read_ahead import map_in_threads
from transforms.records import Reason
from transforms.settings import FilterSettings

_HASH = re.compile(r"[0-9a-f]{16}", re.IGNORECASE)


@dataclass(frozen=True)
class Rejections:
    """The pairs of a range whose images are rejected: their numbers in the range, from 0, by reason.

    hashes: digests of the chunks of hashes that this was computed from.
    """

    REMEDY: ClassVar[str] = "remove it and run gritmill ground again"

    hashes: tuple[str, ...]
    near_duplicate: tuple[int, ...] = ()
    excluded: tuple[int, ...] = ()


def read_excluded(uri: str) -> np.ndarray:
    """The hashes in a file: 16 hexadecimal digits a line. Blank lines, and lines that start with #, do not count.

    Raises:
      CallError: the file is missing or a folder, a line is something else, or there is no hash.
    """
    culprit = f"filters.exclude_hashes: {uri}"
    if not files.exists(uri):
        raise CallError(f"{culprit}: no such file")
    try:
        text = files.read_bytes(uri).decode("utf-8", "replace")
    except IsADirectoryError as error:
        raise CallError(f"{culprit}: a folder; name a file of hashes, one per line") from error
    values = []
    for number, line in enumerate(text.splitlines(), 1):
        text = line.strip().lstrip("\ufeff")
        if _HASH.fullmatch(text):
            values.append(int(text, 16))
        elif text and not text.startswith("#"):
            raise CallError(f"{culprit}: line {number}, {short_repr(text)}: write a pHash as 16 hexadecimal digits")
    if not values:
        raise CallError(f"{culprit}: no hash in this file; add one per line, or remove the key")
    return np.array(values, np.uint64)


def find(plan: Plan, table: Table) -> None:
    """Finds the rejected pairs of all ranges, unless this is done. The hashes of all ranges must be finished.

    Memory: some 100 bytes per pair.
    """
    ranges = list(plan.range_ids())
    digests = map_in_threads(lambda range_id: _digests(table, range_id), ranges)
    if all(map_in_threads(lambda one: _is_current(table, *one), list(zip(ranges, digests, strict=True)))):
        return
    found = map_in_threads(lambda range_id: _read(table, range_id), ranges)
    hashes = np.concatenate([part for part, _, _ in found] or [np.zeros(0, np.uint64)])
    images = np.concatenate([part for _, part, _ in found] or [np.zeros(0, np.uint64)])
    near, excluded = _judge(hashes, images, plan.configuration.filters)
    ends = np.cumsum([len(part) for part, _, _ in found])
    # The last range first: a range that is up to date then has only such ranges after it.
    for range_id, digest, (_, _, rows), end in reversed(list(zip(ranges, digests, found, ends.tolist(), strict=True))):
        own = slice(end - len(rows), end)
        content = Rejections(
            digest, tuple(rows[near[own] & ~excluded[own]].tolist()), tuple(rows[excluded[own]].tolist())
        )
        publish_typed(_uri(table, range_id), content)


def _judge(hashes: np.ndarray, images: np.ndarray, settings: FilterSettings) -> tuple[np.ndarray, np.ndarray]:
    """For each pair: whether its image is near an earlier one, and whether it is near an excluded one."""
    _, first, inverse = np.unique(images, return_index=True, return_inverse=True)
    order = np.argsort(first)  # the images in the order of their first pairs
    distinct = hashes[first[order]]
    near = excluded = np.zeros(len(distinct), bool)
    if settings.duplicates == "near":
        near = find_near(distinct)
    if settings.exclude_hashes is not None:
        excluded = find_near(distinct, read_excluded(settings.exclude_hashes))
    position = np.empty(len(order), np.int64)
    position[order] = np.arange(len(order))
    of_pair = position[inverse]
    return near[of_pair], excluded[of_pair]


def _read(table: Table, range_id: RangeId) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hashes, images and rows of the pairs of a range that have a hash."""
    hashes: list[int] = []
    images: list[Any] = []
    rows: list[int] = []
    first = 0
    for entry in table.entries(range_id, True):
        content = table.read(range_id.chunk(entry.chunk), entry.digest)
        columns = content["phash"].to_pylist(), content["image"].to_pylist()
        for row, (phash, image) in enumerate(zip(*columns, strict=True), first):
            if phash is not None:
                hashes.append(int(phash, 16))
                images.append(image)
                rows.append(row)
        first += len(content)
    return np.array(hashes, np.uint64), np.array(images, np.uint64), np.array(rows, np.int64)


def rejections(detections: str, plan: Plan, range_id: RangeId) -> Mapping[int, str]:
    """The reasons of the rejected pairs of a range, by index of the pair in its source."""
    if not plan.configuration.filters.needs_hashes:
        return {}
    uri = files.join(files.parent(detections), layout.HASHES, layout.rejections(range_id))
    content = read_typed(uri, Rejections)
    start = plan.range(range_id)[1].start["index"]
    near = {start + row: str(Reason.NEAR_DUPLICATE) for row in content.near_duplicate}
    return near | {start + row: str(Reason.EXCLUDED) for row in content.excluded}


def _digests(table: Table, range_id: RangeId) -> tuple[str, ...]:
    return tuple(entry.digest for entry in table.entries(range_id, True))


def _is_current(table: Table, range_id: RangeId, digests: tuple[str, ...]) -> bool:
    uri = _uri(table, range_id)
    return files.exists(uri) and read_typed(uri, Rejections).hashes == digests


def _uri(table: Table, range_id: RangeId) -> str:
    return files.join(table.uri, layout.rejections(range_id))
