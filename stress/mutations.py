"""Mutated files of every source kind, read as `ground` reads them.

A reader may refuse a file, fail pairs, or report a source fault. It may not raise anything else, hang, lose or repeat a
number, give another rest when it resumes, or give a caption the picture of another one.

The last rule holds because captions, file names and ids contain a digest: no small change makes one of them another
one. Only a mutation that removes, doubles or inserts records can put the beginning of one record before the end of
another, once per seam. Files in which parts of a record are found by counting (nulls, lists and dictionaries of
parquet, lists of Arrow) are exempt: one bit there moves all later cells.
"""

import base64
import faulthandler
import io
import itertools
import json
import os
import random
import resource
import signal
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.configuration import Configuration, validate
from pipeline.faults import CallError, SourceFault
from pipeline.ground.load_images import ImageLoader
from pipeline.plan.find_sources import find_sources
from pipeline.plan.plan import PlannedSource
from pipeline.plan.plan_sources import plan_sources
from pipeline.sources import Source
from stress.pairs import caption, picture
from transforms.records import Pair

_PAIRS = 12
_MAX_SECONDS = 20
_HANGING_SECONDS = 600
_FILLING = 16 << 10
"""Bytes of a field that makes the unpacked size of a packed file 200 KB: readers unpack 64 KiB at a time."""


Codec = Literal["gzip", "zstd"]


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


@dataclass(frozen=True)
class Base:
    """A sound source of `_PAIRS` pictures.

    files: content by name; the source is the only file, or the folder with all of them. settings: `source`. codec: the
    mutated file is packed with it. counted: whether parts of a record are found by counting.
    """

    name: str
    files: dict[str, bytes]
    settings: dict[str, Any] = field(default_factory=dict)
    codec: Codec | None = None
    counted: bool = False

    @cached_property
    def configuration(self) -> Configuration:
        """One row per range, and the settings."""
        return validate({"chunk": {"pairs": 1}, "source": self.settings})

    def write(self, folder: Path, changed: dict[str, bytes], number: int) -> Path:
        """Writes the source with some of its files changed. number: gives the file its time, which caches depend on."""
        path = folder / self.name
        for name, data in {**self.files, **changed}.items():
            file = path if len(self.files) == 1 else path / name
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(data)
            os.utime(file, ns=(0, (number + 1) * 10**9))
        return path


_LIMITS = validate({}).source.image_limits


class _TooLong(BaseException):
    """Time is up. Not an Exception: readers take some of those for damage."""


def trial(number: int, seed: int) -> Iterator[Tally]:
    """Reads `number` mutated files, in equal parts of every kind."""
    with tempfile.TemporaryDirectory(prefix="gritmill-stress-") as folder:
        bases = write_bases(Path(folder))
        contents = [data for base in bases for data in itertools.islice(base.files.values(), 3)]
        for base in bases:
            tally = Tally(base.name)
            for count in range(number // len(bases)):
                rng = random.Random(f"{seed} {base.name} {count}")
                name = rng.choice(sorted(base.files))
                data, seams = _mutated(base, name, contents, rng)
                path = base.write(Path(folder), {name: data}, count)
                read(path, base, seams, tally, f"seed {seed}, {base.name}, mutation {count}", rng)
            yield tally


def peak_mebibytes() -> float:
    """The peak memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def write_bases(folder: Path) -> list[Base]:
    """A small sound source of every kind. Writes the pictures of tables to the folder, beside which sources belong."""
    for number in range(_PAIRS):
        (folder / _name(number)).write_bytes(picture(number))
    return [*_tars(), *_columnar(), *_json(), *_delimited(), *_folders()]


def _digest(what: str) -> str:
    return blake2b(what.encode(), digest_size=6).hexdigest()


def _caption(number: int) -> str:
    return f"{caption(number)} é {_digest(f'caption {number}')}"


def _name(number: int) -> str:
    return f"{number}-{_digest(f'name {number}')}.jpg"


_TEXTS = [_caption(n) for n in range(_PAIRS)]
_NAMES = [_name(n) for n in range(_PAIRS)]
_PICTURES = [picture(n) for n in range(_PAIRS)]
_PICTURE_OF = {text: data for n, data in enumerate(_PICTURES) for text in (_caption(n), _caption(n).upper())}
_FILLINGS = [random.Random(n).randbytes(_FILLING // 2).hex() for n in range(_PAIRS)]


def _packed(base: Base, codec: Codec) -> Base:
    [(name, data)] = base.files.items()
    name += {"gzip": ".gz", "zstd": ".zst"}[codec]
    return Base(name, {name: _compressed(data, codec)}, base.settings, codec, base.counted)


def _file(name: str, data: bytes | str, counted: bool = False, **settings: Any) -> Base:
    return Base(name, {name: data.encode() if isinstance(data, str) else data}, settings, counted=counted)


def _tars() -> list[Base]:
    def members(name: str, filling: int = 0) -> list[tuple[str, bytes]]:
        return [
            (f"{name.format(n)}.{ending}", data)
            for n in range(_PAIRS)
            for ending, data in (
                ("jpg", _PICTURES[n]),
                ("txt", _TEXTS[n].encode()),
                ("json", json.dumps({"id": n, "filling": _FILLINGS[n][:filling]}).encode()),
            )
        ]

    plain = members("{:09}")
    large = _file("large.tar", _tar(members("{:09}", _FILLING)))
    return [
        _file("a.tar", _tar(plain)),
        _file("dotted.tar", _tar(members("pic.{}"))),
        _file("unsorted.tar", _tar(sorted(plain, key=lambda member: member[0].rpartition(".")[2]))),
        _packed(large, "gzip"),
        _packed(large, "zstd"),
    ]


def _tar(members: Iterable[tuple[str, bytes]]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return sink.getvalue()


def _columnar() -> list[Base]:
    in_cells = pa.table(
        {"image": [{"bytes": data, "path": None} for data in _PICTURES], "caption": [[text] for text in _TEXTS]}
    )
    numbers = pa.table({"image": [list(data) for data in _PICTURES], "text": _TEXTS})
    fields = [pa.field("path", pa.string(), nullable=False), pa.field("caption", pa.string(), nullable=False)]
    paths = pa.table({"path": _NAMES, "caption": _TEXTS}, pa.schema(fields))
    plain = pa.table({"image": pa.array(_PICTURES, pa.binary()), "caption": _TEXTS})
    return [
        _file("bytes.parquet", _parquet(in_cells), counted=True),
        _file("numbers.parquet", _parquet(numbers), counted=True),
        _file("nullable.parquet", _parquet(pa.table({"path": _NAMES, "caption": _TEXTS})), counted=True),
        _file("paths.parquet", _parquet(paths, use_dictionary=False, compression="none")),
        _file("stream.arrow", _arrow(plain, pa.ipc.new_stream)),
        _file("file.arrow", file := _arrow(plain, pa.ipc.new_file)),
        _file("footer.arrow", file[:8] + bytes(8) + file[16:]),  # as polars writes it: the stream has no schema
        _file("lists.arrow", _arrow(in_cells, pa.ipc.new_stream), counted=True),
    ]


def _json() -> list[Base]:
    rows = [{"image": name, "caption": [text, text.upper()]} for name, text in zip(_NAMES, _TEXTS, strict=True)]
    embedded = [
        {"image": base64.b64encode(data).decode(), "text": t} for data, t in zip(_PICTURES, _TEXTS, strict=True)
    ]
    large = [{**row, "filling": filling} for row, filling in zip(rows, _FILLINGS, strict=True)]
    large_embedded = [{**row, "filling": filling} for row, filling in zip(embedded, _FILLINGS, strict=True)]
    ids = [_digest(f"id {n}") for n in range(_PAIRS)]
    images = [{"id": one, "file_name": name} for one, name in zip(ids, _NAMES, strict=True)]
    coco = {
        "images": images,
        "annotations": [{"id": n, "image_id": ids[n], "caption": t} for n, t in enumerate(_TEXTS)],
    }
    return [
        _file("a.jsonl", _lines(rows)),
        _file("embedded.jsonl", _lines(embedded)),
        _file("utf16.jsonl", _lines(rows).encode("utf-16")),
        _packed(_file("large.jsonl", _lines(large)), "gzip"),
        _packed(_file("embedded-large.jsonl", _lines(large_embedded)), "zstd"),
        _file("a.json", json.dumps(rows)),
        _file("coco.json", json.dumps(coco)),
        _packed(_file("large.json", json.dumps(large)), "gzip"),
    ]


def _lines(rows: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def _delimited() -> list[Base]:
    def rows(delimiter: str, quote: str = '"', fillings: list[str] | None = None) -> str:
        ends = [f"{delimiter}{filling}" for filling in fillings] if fillings else [""] * _PAIRS
        cells = zip(_NAMES, _TEXTS, ends, strict=True)
        return "".join(f"{name}{delimiter}{quote}{text}{quote}{end}\n" for name, text, end in cells)

    csv = f"image;caption\n{rows(';')}"
    large = f"image;caption;filling\n{rows(';', fillings=_FILLINGS)}"
    tsv = "".join(f"{name}#{n}\t{text}\n" for n, (name, text) in enumerate(zip(_NAMES, _TEXTS, strict=True)))
    notes = "".join(f'{name}\t{text}\t"a ""note"",\nand more"\n' for name, text in zip(_NAMES, _TEXTS, strict=True))
    return [
        _file("a.csv", csv),
        _file("utf16.csv", csv.encode("utf-16")),
        _file("cr.csv", csv.replace("\n", "\r")),
        _file("a.token", tsv),
        _file("latin.csv", csv.encode("cp1252"), encoding="cp1252"),
        _file("utf16le.csv", csv.encode("utf-16-le"), encoding="utf-16-le"),
        _file("header.csv", rows(","), header=["image", "caption"]),
        _file("delimiter.csv", f"image^caption\n{rows('^')}", delimiter="^"),
        _file("lines.tsv", f"image\tcaption\tnote\n{notes}"),
        _file("unquoted.tsv", f"image\tcaption\n{rows(chr(9), quote='')}", quoting="none"),
        _packed(_file("large.csv", large), "gzip"),
        _packed(_file("large.csv", large), "zstd"),
    ]


def _folders() -> list[Base]:
    texts = {f"{n}.txt": text.encode() for n, text in enumerate(_TEXTS)}
    about = {f"{n}.json": json.dumps({"caption": [text, text.upper()]}).encode() for n, text in enumerate(_TEXTS)}
    pictures = {f"{n}.jpg": data for n, data in enumerate(_PICTURES)}
    return [Base("texts", {**pictures, **texts}), Base("abouts", {**pictures, **about})]


def _arrow(table: pa.Table, writer: Callable[..., Any]) -> bytes:
    sink = io.BytesIO()
    with writer(sink, table.schema) as arrow:
        arrow.write_table(table, max_chunksize=5)
    return sink.getvalue()


def _parquet(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=5, **options)
    return sink.getvalue()


def _mutated(base: Base, name: str, others: list[bytes], rng: random.Random) -> tuple[bytes, int]:
    """A mutated file of a base, and the number of seams in it. A packed file is mutated before or after packing."""
    data, codec = base.files[name], base.codec if base.codec and rng.random() < 0.5 else None
    mutated = bytearray(_unpacked(data, codec) if codec else data)
    seams = 0
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        mutation = _MUTATIONS[rng.randrange(len(_MUTATIONS))]
        mutation(mutated, others, rng)
        seams += _SEAMS.get(mutation, 0)
    return _compressed(bytes(mutated), codec) if codec else bytes(mutated), seams


def _compressed(data: bytes, codec: Codec) -> bytes:
    return pa.compress(data, codec, asbytes=True)


def _unpacked(data: bytes, codec: Codec) -> bytes:
    with pa.input_stream(io.BytesIO(data), compression=codec) as stream:
        unpacked: bytes = stream.read()
    return unpacked


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
    if rng.random() < 0.5:  # where a cell, a key or an element begins
        marks = (b"{", b"[", b": ", b", ", b";", b"\n")
        start = min((at + len(mark) for mark in marks if (at := data.find(mark, start)) >= 0), default=start)
    data[start:start] = rng.choice(_TOKENS)


def _splice(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    other = rng.choice(others)
    start, end = sorted(rng.randrange(len(other) + 1) for _ in range(2))
    place = _place(data, rng)
    data[place:place] = other[start:end]


_Mutation = Callable[[bytearray, list[bytes], random.Random], None]

_MUTATIONS: tuple[_Mutation, ...]
_MUTATIONS = (_flip, _flip, _cut, _remove, _zero, _double, _insert, _splice)

_SEAMS: dict[_Mutation, int] = {_remove: 1, _double: 1, _splice: 2}
"""Places where the end of one record can follow the beginning of another."""

_DEEP = b"[" * 600 + b"]" * 600

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
        _DEEP,
        _DEEP + b",",
        b'"deep":' + _DEEP + b",",
        b'{"a":' * 300,
        b'"caption":[]',
        b"http://x/",
    ),
    *(b"../", b"/", b"C:\\x\\", b"data:image/png;base64,", b"\\ud800", b"x" * 300_000, "é🐕\u202e".encode()),
)


def read(path: Path, base: Base, seams: int, tally: Tally, name: str, rng: random.Random) -> None:
    """Reads a mutated source of a base and adds what happened. name: of the mutation. rng: chooses where to resume."""
    tally.files += 1
    try:
        with _limit(_MAX_SECONDS):
            _read_once(path, base, seams, tally, rng)
    except (Exception, _TooLong) as error:
        tally.wrong.append(f"{name}: {type(error).__name__}: {str(error)[:300]}")


def _read_once(path: Path, base: Base, seams: int, tally: Tally, rng: random.Random) -> None:
    try:
        [planned] = plan_sources(find_sources([str(path)]), base.configuration)
    except CallError:
        tally.refused += 1
        return
    if planned.fault:
        tally.faults += 1
        return
    pairs, fault = _pairs(planned.open(base.configuration.source), planned.ranges[0].start if planned.ranges else None)
    tally.faults += bool(fault)
    good = [pair for _, pair in pairs if not pair.error]
    tally.failed += len(pairs) - len(good)
    tally.good += len(good)
    _check_numbers(planned, pairs)
    if not base.counted:
        _check_pictures(good, seams)
    if pairs:
        position, _ = pairs[at := rng.randrange(len(pairs))]
        rest, again = _pairs(planned.open(base.configuration.source), json.loads(json.dumps(position)))
        if (rest, again) != (pairs[at:], fault):
            raise AssertionError(f"another rest from {position}")
    _check_fetch(planned.open(base.configuration.source), good)


def _pairs(source: Source, start: dict[str, object] | None) -> tuple[list[tuple[dict[str, object], Pair]], str]:
    """The pairs from a position on, with their images, and the source fault at the end."""
    if start is None:
        return [], ""
    faults: list[str] = []

    def until_fault() -> Iterator[tuple[dict[str, object], Pair]]:
        try:  # before the loader, as `ground` does: it reads ahead, and an exception would lose what it has read
            yield from source.read(start)
        except SourceFault as fault:
            faults.append(str(fault))

    pairs = list(ImageLoader(_LIMITS).load(until_fault()))
    return pairs, "".join(faults)


def _check_numbers(planned: PlannedSource, pairs: list[tuple[dict[str, object], Pair]]) -> None:
    if [pair.index for _, pair in pairs] != list(range(len(pairs))):
        raise AssertionError(f"numbers {[pair.index for _, pair in pairs]}")
    counts = [spec.pairs for spec in planned.ranges]
    if None not in counts and sum(count or 0 for count in counts) != len(pairs):
        raise AssertionError(f"{sum(count or 0 for count in counts)} pairs planned, {len(pairs)} read")
    if repeated := [key for key, count in Counter(spec.start["index"] for spec in planned.ranges).items() if count > 1]:
        raise AssertionError(f"ranges that begin at the same pair: {repeated}")


def _check_pictures(pairs: list[Pair], seams: int) -> None:
    """A caption of the base has its picture, or one whose bytes changed. A seam joins at most two captions to another
    picture."""
    pictures = set(_PICTURES)
    mixed = [
        pair
        for pair in pairs
        if pair.caption in _PICTURE_OF and pair.data != _PICTURE_OF[pair.caption] and pair.data in pictures
    ]
    if len(mixed) > 2 * seams:
        raise AssertionError(f"{len(mixed)} captions with the picture of another one, first {mixed[0].caption}")


def _check_fetch(source: Source, pairs: list[Pair]) -> None:
    images = [next(group) for _, group in itertools.groupby(pairs, key=lambda pair: pair.image)]
    fetched = list(source.fetch(pair.image for pair in images))
    if fetched != [pair.data for pair in images]:
        raise AssertionError("other images were fetched than were read")


@contextmanager
def _limit(seconds: float) -> Iterator[None]:
    """Ends the block with an exception that `except Exception` does not catch. It is raised in the main thread: if a
    thread that it waits for hangs, the process ends and prints where, after ten minutes."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise _TooLong(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    faulthandler.dump_traceback_later(_HANGING_SECONDS, exit=True, file=2)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
