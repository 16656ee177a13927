"""The contract of every source kind on one small input: the built-in kinds, and one from another package."""

import base64
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import source_kinds
from pipeline.faults import CallError
from pipeline.ground.load_images import ImageLoader
from pipeline.plan.plan import Plan
from pipeline.sources import Source
from pipeline.sources.fetch_images import fetch_images
from pipeline.tables.pair_rows import SCHEMA, from_table, to_row
from pipeline.tables.row_files import decode, encode
from tests import plugin_source
from tests.pipeline.builders import assert_reads_alike_from_anywhere, configuration, image, plan, stored, tar
from transforms import images
from transforms.records import Pair, Reason
from transforms.selection.judge import Rejected, judge_selected

IMAGES = [image(i, "JPEG") for i in range(5)]
CAPTIONS = [["a dog"], [], ["a cat", "two cats"], [plugin_source.BROKEN], ["a bird 🐦"]]
"""Captions per image: one, none, two, one of a row that is broken, one."""


@pytest.fixture(autouse=True)
def package(install: Callable[..., None]) -> None:
    install(*plugin_source.ENTRY)


def saved(path: Path, data: bytes | str) -> Path:
    stored(path, data)
    return path


def zipped(folder: Path) -> Path:
    texts = ["".join(captions[:1]) for captions in CAPTIONS]
    return plugin_source.write(folder / "a.zip", zip(IMAGES, texts, strict=True))


def webdataset(folder: Path, ending: str = ".tar") -> Path:
    members = []
    for i, (data, captions) in enumerate(zip(IMAGES, CAPTIONS, strict=True)):
        about = b"no JSON" if i == 3 else json.dumps({"caption": captions} if captions else {}).encode()
        members += [(f"{i}.jpg", data), (f"{i}.json", about)]
    return saved(folder / f"a{ending}", tar(members, packed=ending == ".tar.gz"))


def written_images(folder: Path) -> None:
    for i, data in enumerate(IMAGES):
        stored(folder / f"{i}.jpg", data)


def jsonl(folder: Path) -> Path:
    written_images(folder)
    rows = [json.dumps({"image": f"{i}.jpg", **({"caption": c} if c else {})}) for i, c in enumerate(CAPTIONS)]
    rows[3] = "{"
    return saved(folder / "a.jsonl", "\n".join(rows))


def embedded(folder: Path) -> Path:
    """JSON lines with images in their cells, as base64 and as data URIs."""
    texts = [base64.b64encode(data).decode() for data in IMAGES]
    cells = [text if i % 2 else f"data:image/jpeg;base64,{text}" for i, text in enumerate(texts)]
    rows = [json.dumps({"image": cell, "caption": c}) for cell, c in zip(cells, CAPTIONS, strict=True)]
    rows[3] = "{"
    return saved(folder / "a.jsonl", "\n".join(rows))


def packed(path: Path, ending: str, codec: str) -> Path:
    return saved(path.with_name(path.name + ending), pa.compress(path.read_bytes(), codec, asbytes=True))


def recoded(path: Path, encoding: str) -> Path:
    return saved(path, path.read_text("utf-8").encode(encoding))


def json_records(folder: Path) -> Path:
    written_images(folder)
    rows: list[Any] = [{"image": f"{i}.jpg", **({"caption": c} if c else {})} for i, c in enumerate(CAPTIONS)]
    rows[3] = "no record"
    return saved(folder / "a.json", json.dumps(rows))


def delimited(folder: Path, ending: str, delimiter: str) -> Path:
    written_images(folder)
    rows = [[f"{i}.jpg", caption] for i, captions in enumerate(CAPTIONS) for caption in captions or [""]]
    rows = [["image", "caption"], *(row[:1] if plugin_source.BROKEN in row else row for row in rows)]
    return saved(folder / f"a{ending}", "".join(f"{delimiter.join(row)}\n" for row in rows))


def coco(folder: Path) -> Path:
    written_images(folder)
    annotations: list[dict[str, Any]] = []
    for i, captions in enumerate(CAPTIONS):
        texts = [{"caption": caption} for caption in captions] or [{}]
        annotations += [{"id": len(annotations) + n, "image_id": i, **text} for n, text in enumerate(texts)]
    del annotations[4]["image_id"]
    listed = [{"id": i, "file_name": f"{i}.jpg"} for i in range(len(IMAGES))]
    return saved(folder / "a.json", json.dumps({"images": listed, "annotations": annotations}))


def parquet_of_numbers(folder: Path) -> Path:
    """As pandas writes a column of lists of bytes. The image of the bad row has a number too large."""
    cells = [list(data) for data in IMAGES]
    cells[3] = [1000, 2]
    table = pa.table({"image": cells, "caption": pa.array(CAPTIONS, pa.list_(pa.string()))})
    return saved(folder / "a.parquet", written(table))


def written(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=2)
    return sink.getvalue()


def parquet(folder: Path, in_cells: tuple[int, ...]) -> Path:
    """Writes a parquet file. in_cells: images whose bytes are in the file; the others are separate files."""
    written_images(folder)
    cells = [{"bytes": data if i in in_cells else None, "path": f"{i}.jpg"} for i, data in enumerate(IMAGES)]
    cells[3] = {"bytes": None, "path": "../elsewhere.jpg"}
    table = pa.table({"image": cells, "caption": pa.array(CAPTIONS, pa.list_(pa.string()))})
    return saved(folder / "a.parquet", written(table))


KINDS = {
    "webdataset": webdataset,
    "gzipped": lambda folder: webdataset(folder, ".tar.gz"),
    "jsonl": jsonl,
    "jsonl of images": embedded,
    "jsonl in gzip": lambda folder: packed(embedded(folder), ".gz", "gzip"),
    "jsonl in zstd": lambda folder: packed(jsonl(folder), ".zst", "zstd"),
    "jsonl in UTF-16": lambda folder: recoded(jsonl(folder), "utf-16"),
    "json": json_records,
    "csv": lambda folder: delimited(folder, ".csv", ","),
    "csv in UTF-16": lambda folder: recoded(delimited(folder, ".csv", ";"), "utf-16"),
    "tsv in gzip": lambda folder: packed(delimited(folder, ".tsv", "\t"), ".gz", "gzip"),
    "tsv": lambda folder: delimited(folder, ".tsv", "\t"),
    "coco": coco,
    "parquet": lambda folder: parquet(folder, (0, 1, 2, 3, 4)),
    "parquet of paths": lambda folder: parquet(folder, ()),
    "parquet of numbers": parquet_of_numbers,
    "parquet of both": lambda folder: parquet(folder, (0, 2)),
    "zipped": zipped,
}
ONE_CAPTION = ("zipped",)
"""Kinds where an image has at most one caption."""


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def planned(kind: str, tmp_path: Path) -> Plan:
    return plan([KINDS[kind](tmp_path)])


@pytest.fixture
def source(planned: Plan) -> Source:
    return planned.open_source(planned.sources[0].uri)


def pairs_of(source: Source) -> list[Pair]:
    """Returns the pairs as `ground` reads and measures them."""
    placed = source.read(source.ranges(1000)[0].start)
    return [pair for _, pair in ImageLoader(images.DEFAULT_LIMITS).load(placed)]


def test_every_built_in_kind_is_held_to_the_contract(kind: str, planned: Plan) -> None:
    assert planned.sources[0].kind == {"gzipped": "webdataset"}.get(kind, kind.partition(" ")[0])
    assert set(source_kinds.names()) == {kind.partition(" ")[0] for kind in KINDS} - {"gzipped"}


def test_it_reads_alike_from_any_position_and_ranges_make_up_the_whole(source: Source) -> None:
    pairs = assert_reads_alike_from_anywhere(source, rows=2)
    assert pairs == assert_reads_alike_from_anywhere(source, rows=1000)


def test_a_bad_row_costs_one_pair_and_a_list_of_captions_gives_several(kind: str, source: Source) -> None:
    pairs = pairs_of(source)
    assert sum(1 for pair in pairs if pair.error) == 1
    wanted = ["a dog", "", "a cat", "two cats", "a bird 🐦"]
    if kind in ONE_CAPTION:
        wanted.remove("two cats")
    else:
        assert len({pair.image for pair in pairs if pair.caption in ("a cat", "two cats")}) == 1
    assert [pair.caption for pair in pairs if not pair.error] == wanted
    keys = [pair.key for pair in pairs]
    assert len(set(keys)) == len(keys)
    assert all(key and key.isprintable() for key in keys)


def test_a_missing_caption_is_rejected_and_no_failure(source: Source) -> None:
    [pair] = [pair for pair in pairs_of(source) if not pair.error and not pair.caption]
    assert pair.data == IMAGES[1]
    assert judge_selected(pair, (), configuration().text) == Rejected(Reason.NO_CAPTION)


@pytest.mark.parametrize("order", [1, -1])
def test_a_reference_survives_the_table_and_fetches_the_bytes_that_were_read(planned: Plan, order: int) -> None:
    pairs = pairs_of(planned.open_source(planned.sources[0].uri))
    rows = list(from_table(decode(encode([to_row(pair) for pair in pairs], SCHEMA, {}), SCHEMA)))
    assert rows == [replace(pair, data=b"") for pair in pairs]
    usable = [pair for pair in pairs if not pair.error][::order]
    assert {pair.data for pair in usable} == {*IMAGES[:3], IMAGES[4]}
    kept = [row for row in rows if not row.error][::order]
    assert list(fetch_images(kept, planned.open_source)) == [pair.data for pair in usable]


def test_it_says_what_must_be_there_to_fetch_images(planned: Plan, source: Source) -> None:
    assert planned.sources[0].uri in source.needs()
    assert all(Path(uri).exists() for uri in source.needs())


def test_a_kind_whose_package_is_gone_or_broken_is_named(install: Callable[..., None]) -> None:
    with pytest.raises(CallError, match=r"source\.kind: 'zip': no such kind; did you mean zipped\?$"):
        configuration(source={"kind": "zip"})
    with pytest.raises(CallError, match=r"source\.kind: '7z': no such kind; use one of auto, .* coco, json, zipped$"):
        configuration(source={"kind": "7z"})
    install(source_kinds.GROUP, "other = no_such_module:Other")
    with pytest.raises(CallError, match=r"source\.kind: zipped: no such kind; use one of .*, or install its package"):
        source_kinds.load("zipped")
    with pytest.raises(
        CallError, match=r"the entry point other = no_such_module:Other of the package mine: ModuleNotF"
    ):
        source_kinds.kind_from_name("a.tar")
