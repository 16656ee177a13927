"""Small inputs for the tests of `pipeline`, and a check that the tests of all source kinds share."""

import gzip
import io
import itertools
import json
import tarfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline import files
from pipeline.configuration import Configuration, SourceSettings, validate
from pipeline.files import FileInfo
from pipeline.ground.commit_chunk import Provenance, commit_chunk
from pipeline.plan.find_sources import find_sources
from pipeline.plan.plan import Plan
from pipeline.plan.plan_sources import plan_sources
from pipeline.sources import Source
from pipeline.stages.base import DetectionsStage
from pipeline.tables.detections import open_detections
from pipeline.threshold import Threshold
from transforms.records import Box, Chunk, Pair, Phrase

PROVENANCE = Provenance("a fingerprint", {"detector": "folder:1", "phrases": "folder:2"})

CAPTION = "a dog in a hat"


def commit(folder: str | Path, chunk: Chunk, provenance: Provenance = PROVENANCE) -> Chunk | None:
    """Commits a chunk's pairs to the detections in a folder."""
    chunk = replace(chunk, rows=chunk.pairs, recorded={"precision": "float32", "batch": 4})
    return commit_chunk(open_detections(str(folder)), DetectionsStage(), chunk, provenance)


def image(shade: int = 0, form: str = "PNG", size: tuple[int, int] = (8, 6), mode: str = "RGB") -> bytes:
    """Returns an encoded picture of one colour."""
    target = io.BytesIO()
    colour = (shade, 100, 200, 255)[: len(mode)] if len(mode) > 1 else shade
    Image.new(mode, size, colour).save(target, form)
    return target.getvalue()


def tar(
    members: Iterable[tuple[str, bytes]], form: int = tarfile.USTAR_FORMAT, packed: bool = False, ended: bool = True
) -> bytes:
    """Returns a tar with these members, without its end mark if not `ended`, gzipped if `packed`."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form) as file:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
        end = file.offset
    data = target.getvalue() if ended else target.getvalue()[:end]
    return gzip.compress(data, mtime=0) if packed else data


def samples(number: int) -> list[tuple[str, bytes]]:
    """Returns the members of `number` samples, as img2dataset writes them."""
    members = []
    for i in range(number):
        members += [
            (f"{i:05}.jpg", image(i, "JPEG")),
            (f"{i:05}.json", json.dumps({"caption": f"caption {i}", "url": f"http://x/{i}", "score": i}).encode()),
            (f"{i:05}.txt", f"caption {i}".encode()),
        ]
    return members


def stored(path: Path, data: bytes | str) -> FileInfo:
    """Writes a file and returns the result of `match` for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return files.match(str(path))[0]


def source_settings(**values: Any) -> SourceSettings:
    return SourceSettings.model_validate(values)


def pairs_of(source: Source) -> list[Pair]:
    """Returns all pairs of a source."""
    return [pair for _, pair in source.read(source.ranges(1000)[0].start)]


def assert_reads_alike_from_anywhere(source: Source, rows: int = 3) -> list[Pair]:
    """Checks that positions survive JSON, each yields the same remaining pairs, and the ranges are complete.

    Of more than 100 positions, reads from every eleventh and from those around the start of a range or of a damage."""
    ranges = source.ranges(rows)
    if not ranges:
        return []
    everything = list(source.read(ranges[0].start))
    assert [pair.index for _, pair in everything] == list(range(len(everything)))
    assert [position["index"] for position, _ in everything] == list(range(len(everything)))
    positions = [position for position, _ in everything]
    for spec in ranges:
        assert list(source.starts(spec.start)) == positions[spec.start["index"] :]
    starts = {spec.start["index"] for spec in ranges}
    faulty = [pair.error is not None for _, pair in everything]
    edges = [n for n in range(len(everything)) if n in starts or faulty[n] != faulty[n - 1]] + [len(everything) - 1]
    few = len(everything) <= 100
    for number, (position, _) in enumerate(everything):
        if few or number % 11 == 0 or any(abs(number - edge) <= 1 for edge in edges):
            assert list(source.read(json.loads(json.dumps(position)))) == everything[number:]
    pieces = [list(itertools.islice(source.read(spec.start), spec.pairs)) for spec in ranges]
    assert list(itertools.chain.from_iterable(pieces)) == everything
    assert all(pieces) or not everything
    return [pair for _, pair in everything]


def configuration(**sections: Any) -> Configuration:
    return validate(sections)


def plan(inputs: Iterable[Path | str], **sections: Any) -> Plan:
    """Returns the plan of some files."""
    made = configuration(**sections)
    sources = plan_sources(find_sources([str(given) for given in inputs]), made)
    return Plan(
        "a fingerprint", made, PROVENANCE.model_identities, None, tuple(sources), Threshold(0.25, False, "a guess")
    )


def grounded(pair: Pair, score: float = 0.875) -> Pair:
    """Returns the pair as `ground` writes it, with one box for "a dog". The caption must start with CAPTION."""
    assert pair.caption.startswith(CAPTION)
    return replace(pair, data=b"", phrases=(Phrase(0, 5, 2, 5, 0, 14),), boxes=(Box(0, 0.25, 0.125, 0.75, 0.5, score),))


NOT_OURS = (b"[1, 2]", b"7", b"null", b'{"a"', b"{}", b"\xff\xfe\x00", b"[" * 10_000, b"")
"""Contents of a JSON file that gritmill does not write: another shape, cut short, not UTF-8, nested too deeply."""
