"""Exact duplicates: pairs whose images have the same bytes and whose captions are equal.

The first one in plan order is kept. New sources come after the old ones in the plan, so `--extend` never replaces it.

Each pair is 20 bytes: the digests of image and caption (XXH3-64 each), and its row. Only these cross a shuffle, in
`BUCKETS` parts by the digest of the image; a worker holds one part at a time, with some 60 bytes per pair in it.
"""

from collections.abc import Iterable, Iterator
from operator import itemgetter

import numpy as np
import xxhash

from pipeline.engines import heartbeat
from pipeline.ids import RangeId
from pipeline.tables.detections import open_detections

BUCKETS = 64

_ENTRY = np.dtype([("image", "<u8"), ("caption", "<u8"), ("row", "<u4")])
_ROW = np.dtype("<u4")
_LOW_64 = (1 << 64) - 1
"""Of the 128-bit digests of images in rows of old releases."""

RangeKey = tuple[int, int]
"""Numbers of source and range: a key of Beam needs a type whose encoding never varies."""


def range_key(range_id: RangeId) -> RangeKey:
    """The key of a range."""
    return range_id.source, range_id.range


def hash_range(folder: str, range_id: RangeId, chunks: int | None) -> Iterator[tuple[int, tuple[RangeKey, bytes]]]:
    """Yields for each bucket its pairs of a range, in order.

    Pairs that failed, were rejected by a filter, or have no caption are left out: they are no duplicates of each other.

    chunks: see `count_range`.
    """
    table = open_detections(folder)
    entries: list[tuple[int, int, int]] = []
    first = 0
    for entry in table.entries(range_id, chunks is None, chunks):
        heartbeat.advance()
        rows = table.read(range_id.chunk(entry.chunk), entry.digest)
        columns = (rows[name].to_pylist() for name in ("image_digest", "caption", "filtered", "error"))
        for row, (image, caption, filtered, error) in enumerate(zip(*columns, strict=True), first):
            if image and caption.strip() and not (filtered or error):
                entries.append((int(image, 16) & _LOW_64, xxhash.xxh3_64_intdigest(caption.encode()), row))
        first += len(rows)
    found = np.array(entries, _ENTRY)
    bucket = found["image"] % BUCKETS
    for number in np.unique(bucket).tolist():
        yield number, (range_key(range_id), found[bucket == number].tobytes())


def find_duplicates(parts: Iterable[tuple[RangeKey, bytes]]) -> Iterator[tuple[RangeKey, bytes]]:
    """Yields the duplicates in one bucket: for each range that has any, the numbers of their rows, for `rows_of`.

    parts: from `hash_range`, in any order.
    """
    ordered = sorted(parts, key=itemgetter(0))
    ranges = [np.frombuffer(data, _ENTRY) for _, data in ordered]
    pairs = np.concatenate(ranges)
    by_content = np.lexsort((pairs["caption"], pairs["image"]))  # stable: equal pairs stay in plan order
    image, caption = pairs["image"][by_content], pairs["caption"][by_content]
    repeated = np.zeros(len(pairs), bool)
    repeated[by_content[1:]] = (image[1:] == image[:-1]) & (caption[1:] == caption[:-1])
    borders = np.cumsum([len(found) for found in ranges])[:-1]
    for (key, _), found, again in zip(ordered, ranges, np.split(repeated, borders), strict=True):
        if again.any():
            yield key, found["row"][again].astype(_ROW).tobytes()


def rows_of(parts: Iterable[bytes]) -> list[int]:
    """The rows of the duplicates of a range, in order: their numbers in the range, from 0."""
    return sorted(np.frombuffer(b"".join(parts), _ROW).tolist())
