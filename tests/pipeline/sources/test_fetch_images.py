import gzip
import io
import itertools
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.faults import EnvironmentFault
from pipeline.files import FileInfo
from pipeline.ground.load_images import ImageLoader
from pipeline.sources import Source, kind_of, open_source
from pipeline.sources.fetch_images import fetch_images
from pipeline.sources.jsonl import JsonlSource
from pipeline.sources.parquet import ParquetSource
from pipeline.sources.webdataset import WebDatasetSource
from tests import fake_object_store
from tests.pipeline.builders import image, pairs_of, samples, source_settings, stored, tar
from transforms import images
from transforms.records import FailureStage, Fault, Pair, Reason


def as_ground_leaves_it(source: Any) -> list[Pair]:
    """Returns a source's pairs with their images read and measured."""
    placed = source.read(source.ranges(1000)[0].start)
    return [pair for _, pair in ImageLoader(images.DEFAULT_LIMITS).load(placed)]


def reopened(uri: str) -> Source:
    """Opens the source as `pack` does, without reading the file."""
    return open_source(kind_of(uri, source_settings()), FileInfo(uri, 0, 0), source_settings())


def fetched(pairs: list[Pair]) -> list[bytes | Fault]:
    return list(fetch_images((replace(pair, data=b"") for pair in pairs), reopened))


def tar_source(folder: Path, packed: bool = False) -> WebDatasetSource:
    return WebDatasetSource(stored(folder / "a.tar", tar(samples(40), packed=packed)), source_settings())


def parquet_source(folder: Path, rows: int = 200, groups: int = 150) -> ParquetSource:
    table = pa.table(
        {"image": [image(i % 250, "JPEG") for i in range(rows)], "caption": [f"c{i}" for i in range(rows)]}
    )
    target = io.BytesIO()
    pq.write_table(table, target, row_group_size=groups)
    return ParquetSource(stored(folder / "a.parquet", target.getvalue()), source_settings())


def table_source(folder: Path) -> JsonlSource:
    for i in range(40):
        stored(folder / f"{i}.jpg", image(i, "JPEG"))
    rows = "".join(f'{{"image": "{i}.jpg", "caption": "c"}}\n' for i in range(40))
    return JsonlSource(stored(folder / "a.jsonl", rows), source_settings())


@pytest.mark.parametrize(
    "make", [tar_source, lambda folder: tar_source(folder, packed=True), parquet_source, table_source]
)
@pytest.mark.parametrize("order", ["all", "some", "backward", "shuffled", "twice"])
def test_the_same_bytes_come_back_in_any_order(tmp_path: Path, make: Any, order: str) -> None:
    pairs = as_ground_leaves_it(make(tmp_path))
    if order == "some":
        pairs = pairs[3::7]
    elif order == "backward":
        pairs = pairs[::-1]
    elif order == "shuffled":
        random.Random(0).shuffle(pairs)
    elif order == "twice":
        pairs = [pair for pair in pairs for _ in range(2)]
    assert fetched(pairs) == [pair.data for pair in pairs]


def test_far_ranges_are_sought_and_near_ones_read_through(tmp_path: Path) -> None:
    members = [(f"{i}.{ending}", data) for i in range(4) for ending, data in (("jpg", image(i, "JPEG")), ("txt", b"c"))]
    members.insert(4, ("gap.bin", bytes(3 << 20)))
    pairs = as_ground_leaves_it(WebDatasetSource(stored(tmp_path / "a.tar", tar(members)), source_settings()))
    assert fetched(pairs) == [image(i, "JPEG") for i in range(4)]


def test_containers_of_all_kinds_in_turn(tmp_path: Path) -> None:
    sources = [
        tar_source(tmp_path / "1"),
        parquet_source(tmp_path / "2", 40, 9),
        table_source(tmp_path / "3"),
        tar_source(tmp_path / "4", packed=True),
    ]
    pairs = list(itertools.chain.from_iterable(zip(*map(as_ground_leaves_it, sources), strict=True)))
    assert fetched(pairs) == [pair.data for pair in pairs]


def test_a_file_that_has_changed_and_one_that_is_gone_fail_alone(tmp_path: Path) -> None:
    pairs = as_ground_leaves_it(table_source(tmp_path))[:4]
    stored(tmp_path / "1.jpg", image(99, "JPEG"))
    (tmp_path / "2.jpg").unlink()
    first, changed, gone, last = fetched(pairs)
    assert (first, last) == (pairs[0].data, pairs[3].data)
    assert changed == Fault(FailureStage.FETCH, Reason.CHANGED, str(tmp_path / "1.jpg"))
    assert gone == Fault(FailureStage.FETCH, Reason.GONE, str(tmp_path / "2.jpg"))


def test_a_tar_that_has_changed_gives_changed_pairs(tmp_path: Path) -> None:
    pairs = as_ground_leaves_it(tar_source(tmp_path))
    stored(tmp_path / "a.tar", tar(samples(20)))
    read = fetched(pairs)
    assert read[:20] == [pair.data for pair in pairs[:20]]
    assert {data.reason for data in read[20:] if isinstance(data, Fault)} == {Reason.CHANGED}
    assert all(isinstance(data, Fault) for data in read[20:])


class TookTooLong(BaseException):
    """No `except Exception` in between catches it."""


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    def late(number: int, frame: object) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_a_parquet_with_fewer_rows_than_before_ends_and_loses_only_those(tmp_path: Path) -> None:
    pairs = as_ground_leaves_it(parquet_source(tmp_path, 20, 5))
    parquet_source(tmp_path, 10, 5)
    with at_most(5):
        read = fetched(pairs)
    assert read[:10] == [pair.data for pair in pairs[:10]]
    assert {data.reason for data in read[10:] if isinstance(data, Fault)} == {Reason.CHANGED}
    assert all(isinstance(data, Fault) for data in read[10:])


def test_a_parquet_with_other_pictures_gives_changed_pairs(tmp_path: Path) -> None:
    pairs = as_ground_leaves_it(parquet_source(tmp_path, 4, 5))
    other = pa.table({"image": [image(0, "JPEG"), b"", None, image(99, "JPEG")], "caption": ["c"] * 4})
    pq.write_table(other, tmp_path / "a.parquet")
    first, *rest = fetched(pairs)
    assert first == pairs[0].data
    assert [data.reason for data in rest if isinstance(data, Fault)] == [Reason.CHANGED] * 3


@pytest.mark.parametrize("make", [tar_source, parquet_source])
def test_a_missing_container_is_the_environments_fault(tmp_path: Path, make: Any) -> None:
    pairs = as_ground_leaves_it(make(tmp_path))
    source = Path(pairs[0].image.uri)
    source.unlink()
    with pytest.raises(EnvironmentFault, match=source.name) as fault:
        fetched(pairs)
    assert fault.value.status == 3
    assert "\n" not in str(fault.value)


def test_an_unpacked_container_of_the_same_content_serves_as_well(tmp_path: Path) -> None:
    pairs = as_ground_leaves_it(tar_source(tmp_path, packed=True))
    stored(tmp_path / "a.tar", gzip.decompress((tmp_path / "a.tar").read_bytes()))
    assert fetched(pairs) == [pair.data for pair in pairs]


def test_trouble_with_the_disk_is_no_missing_picture(tmp_path: Path) -> None:
    pairs = as_ground_leaves_it(table_source(tmp_path))[:2]
    (tmp_path / "1.jpg").unlink()
    (tmp_path / "1.jpg").mkdir()
    with pytest.raises(EnvironmentFault, match=r"1\.jpg"):
        fetched(pairs)


def test_captions_of_one_row_fetch_its_image(tmp_path: Path) -> None:
    target = io.BytesIO()
    pq.write_table(
        pa.table({"image": [{"bytes": image(i), "path": f"{i}"} for i in range(3)], "caption": [["a", "b"]] * 3}),
        target,
    )
    source = ParquetSource(stored(tmp_path / "a.parquet", target.getvalue()), source_settings())
    pairs = [replace(p, image=replace(p.image, digest=images.image_digest(p.data))) for p in pairs_of(source)]
    assert fetched(pairs) == [image(i) for i in range(3) for _ in range(2)]


def test_from_an_object_store(tmp_path: Path) -> None:
    fake_object_store.use(tmp_path / "shelf")
    fake_object_store.put("shelf://data/a.tar", tar(samples(3)))
    pairs = as_ground_leaves_it(tar_source(tmp_path))[:3]
    tar_uri = "shelf://data/a.tar"
    pairs = [replace(pair, source=tar_uri, image=replace(pair.image, uri=tar_uri)) for pair in pairs]
    fake_object_store.put("shelf://data/1.jpg", pairs[0].data)
    own = [
        replace(pairs[0], source="shelf://data/t.csv", image=replace(pairs[0].image, uri=f"shelf://data/{name}.jpg"))
        for name in ("1", "2")
    ]
    gone = Fault(FailureStage.FETCH, Reason.GONE, "shelf://data/2.jpg")
    assert fetched([*pairs, *own]) == [*(pair.data for pair in pairs), pairs[0].data, gone]
    missing = replace(pairs[0], source="shelf://data/b.tar", image=replace(pairs[0].image, uri="shelf://data/b.tar"))
    with pytest.raises(EnvironmentFault, match=r"shelf://data/b\.tar"):
        fetched([missing])
