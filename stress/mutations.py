"""Mutated files of every source kind, read as `ground` reads them.

A reader may refuse a file, fail pairs, or report a source fault. It may not raise anything else, hang, grow, lose or
repeat a number, or give another rest when it resumes.
"""

import base64
import io
import itertools
import json
import random
import resource
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.configuration import validate
from pipeline.faults import CallError, SourceFault
from pipeline.files import FileInfo
from pipeline.ground.load_images import ImageLoader
from pipeline.plan.plan import PlannedSource
from pipeline.plan.plan_sources import plan_sources
from pipeline.sources import Source
from stress.pairs import caption, picture, write_picture, write_tars
from transforms.records import Pair

_PAIRS = 12
_MAX_SECONDS = 20
_CONFIGURATION = validate({"chunk": {"pairs": 1}})


@dataclass
class Tally:
    """What the readers of one kind did with mutated files.

    files: their number. refused: before the run started. faults: with a source fault, in the plan or at the end.
    failed, good: pairs. wrong: what must not happen, with the seed of the mutation.
    """

    kind: str
    files: int = 0
    refused: int = 0
    faults: int = 0
    failed: int = 0
    good: int = 0
    wrong: list[str] = field(default_factory=list)


def trial(number: int, seed: int) -> Iterator[Tally]:
    """Reads `number` mutated files, in equal parts of every kind."""
    with tempfile.TemporaryDirectory(prefix="gritmill-stress-") as folder:
        bases = _bases(Path(folder))
        for name, data in bases.items():
            tally = Tally(name)
            for count in range(number // len(bases)):
                rng = random.Random(f"{seed} {name} {count}")
                path = Path(folder) / "mutated" / name
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(_mutated(data, list(bases.values()), rng))
                _read(path, tally, f"seed {seed}, {name}, mutation {count}", rng)
            yield tally


def peak_mebibytes() -> float:
    """The peak memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _bases(folder: Path) -> dict[str, bytes]:
    """A small sound file of every kind, by name. The pictures of tables are in `mutated/`."""
    (folder / "mutated").mkdir()
    for number in range(_PAIRS):
        write_picture(folder / "mutated", number)
    texts, pictures = [caption(n) for n in range(_PAIRS)], [picture(n) for n in range(_PAIRS)]
    names = [f"{n}.jpg" for n in range(_PAIRS)]
    rows = [{"image": name, "caption": [text, text.upper()]} for name, text in zip(names, texts, strict=True)]
    embedded = [{"image": base64.b64encode(data).decode(), "text": t} for data, t in zip(pictures, texts, strict=True)]
    jsonl = "".join(json.dumps(row) + "\n" for row in rows).encode()
    embedded_jsonl = "".join(json.dumps(row) + "\n" for row in embedded).encode()
    csv = "image;caption\n" + "".join(f'{name};"{text}"\n' for name, text in zip(names, texts, strict=True))
    tsv = "".join(f"{name}#{n}\t{text}\n" for n, (name, text) in enumerate(zip(names, texts, strict=True)))
    images = [{"id": n, "file_name": name} for n, name in enumerate(names)]
    coco = {"images": images, "annotations": [{"id": n, "image_id": n, "caption": t} for n, t in enumerate(texts)]}
    tar = Path(write_tars(folder / "tars", _PAIRS)).with_name("00000.tar").read_bytes()
    in_cells = pa.table(
        {"image": [{"bytes": data, "path": None} for data in pictures], "caption": [[t] for t in texts]}
    )
    numbers = pa.table({"image": [list(data) for data in pictures], "text": texts})
    return {
        "a.tar": tar,
        "a.tar.gz": pa.compress(tar, "gzip", asbytes=True),
        "a.tar.zst": pa.compress(tar, "zstd", asbytes=True),
        "bytes.parquet": _parquet(in_cells),
        "numbers.parquet": _parquet(numbers),
        "paths.parquet": _parquet(pa.table({"path": names, "caption": texts})),
        "a.jsonl": jsonl,
        "embedded.jsonl.gz": pa.compress(embedded_jsonl, "gzip", asbytes=True),
        "embedded.jsonl": embedded_jsonl,
        "utf16.jsonl": jsonl.decode().encode("utf-16"),
        "a.json": json.dumps(rows).encode(),
        "coco.json": json.dumps(coco).encode(),
        "a.csv": csv.encode(),
        "utf16.csv": csv.encode("utf-16"),
        "cr.csv": csv.replace("\n", "\r").encode(),
        "a.csv.zst": pa.compress(csv.encode(), "zstd", asbytes=True),
        "a.token": tsv.encode(),
    }


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=5)
    return sink.getvalue()


def _mutated(data: bytes, others: list[bytes], rng: random.Random) -> bytes:
    mutated = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        _MUTATIONS[rng.randrange(len(_MUTATIONS))](mutated, others, rng)
    return bytes(mutated)


def _place(data: bytearray, rng: random.Random) -> int:
    return rng.randrange(len(data) + 1)


def _flip(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _cut(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    del data[_place(data, rng) :]


def _remove(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    start = _place(data, rng)
    del data[start : start + rng.choice((1, 4, 512, 5000))]


def _zero(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    start = _place(data, rng)
    size = min(rng.choice((1, 512, 3000)), len(data) - start)
    data[start : start + size] = bytes(size)


def _double(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    start = _place(data, rng)
    data[start:start] = data[start : start + rng.choice((1, 40, 512, 5000))]


def _insert(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    start = _place(data, rng)
    data[start:start] = rng.choice(_TOKENS)


def _splice(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    other = rng.choice(others)
    start, end = sorted(rng.randrange(len(other) + 1) for _ in range(2))
    place = _place(data, rng)
    data[place:place] = other[start:end]


_MUTATIONS: tuple[Callable[[bytearray, list[bytes], random.Random], None], ...]
_MUTATIONS = (_flip, _flip, _cut, _remove, _zero, _double, _insert, _splice)

_TOKENS = (
    *(b"\0", b"\r", b"\n", b"\r\n", b'"', b"'", b",", b";", b"|", b"\t", b"\\", b"{", b"}", b"[", b"]", b":", b"#0"),
    *(
        b"\xff\xfe",
        b"\xfe\xff",
        b"\xef\xbb\xbf",
        b"\xff\xfe\0\0",
        b"\xed\xa0\x80",
        b"\x1f\x8b\x08",
        b"\x28\xb5\x2f\xfd",
    ),
    *(
        b"NaN",
        b"-1",
        b"1e999",
        b"9" * 5000,
        b"null",
        b"true",
        b"[" * 3000,
        b'{"a":' * 300,
        b'"caption":[]',
        b"http://x/",
    ),
    *(b"../", b"/", b"C:\\x\\", b"data:image/png;base64,", b"\\ud800", b"x" * 300_000, "é🐕\u202e".encode()),
)


def _read(path: Path, tally: Tally, name: str, rng: random.Random) -> None:
    tally.files += 1
    try:
        with _limit(_MAX_SECONDS):
            _read_once(path, tally, rng)
    except Exception as error:
        tally.wrong.append(f"{name}: {type(error).__name__}: {str(error)[:300]}")


def _read_once(path: Path, tally: Tally, rng: random.Random) -> None:
    status = path.stat()
    try:
        [planned] = plan_sources([FileInfo(str(path), status.st_size, status.st_mtime_ns)], _CONFIGURATION)
    except CallError:
        tally.refused += 1
        return
    if planned.fault:
        tally.faults += 1
        return
    pairs, fault = _pairs(planned.open(_CONFIGURATION.source), planned.ranges[0].start if planned.ranges else None)
    tally.faults += bool(fault)
    tally.failed += sum(1 for _, pair in pairs if pair.error)
    tally.good += sum(1 for _, pair in pairs if not pair.error)
    _check_numbers(planned, pairs)
    if pairs:
        position, _ = pairs[at := rng.randrange(len(pairs))]
        rest, again = _pairs(planned.open(_CONFIGURATION.source), json.loads(json.dumps(position)))
        if (rest, again) != (pairs[at:], fault):
            raise AssertionError(f"another rest from {position}")
    _check_fetch(planned.open(_CONFIGURATION.source), [pair for _, pair in pairs if not pair.error])


def _pairs(source: Source, start: dict[str, object] | None) -> tuple[list[tuple[dict[str, object], Pair]], str]:
    """The pairs from a position on, with their images, and the source fault at the end."""
    pairs: list[tuple[dict[str, object], Pair]] = []
    if start is None:
        return pairs, ""
    try:
        pairs.extend(ImageLoader(_CONFIGURATION.source.image_limits).load(source.read(start)))
    except SourceFault as fault:
        return pairs, str(fault)
    return pairs, ""


def _check_numbers(planned: PlannedSource, pairs: list[tuple[dict[str, object], Pair]]) -> None:
    if [pair.index for _, pair in pairs] != list(range(len(pairs))):
        raise AssertionError(f"numbers {[pair.index for _, pair in pairs]}")
    counts = [spec.pairs for spec in planned.ranges]
    if None not in counts and sum(count or 0 for count in counts) != len(pairs):
        raise AssertionError(f"{sum(count or 0 for count in counts)} pairs planned, {len(pairs)} read")
    if repeated := [key for key, count in Counter(spec.start["index"] for spec in planned.ranges).items() if count > 1]:
        raise AssertionError(f"ranges that begin at the same pair: {repeated}")


def _check_fetch(source: Source, pairs: list[Pair]) -> None:
    images = [next(group) for _, group in itertools.groupby(pairs, key=lambda pair: pair.image)]
    fetched = list(source.fetch(pair.image for pair in images))
    if fetched != [pair.data for pair in images]:
        raise AssertionError("other images were fetched than were read")


@contextmanager
def _limit(seconds: int) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
