from pathlib import Path

import numpy as np
import pytest

from pipeline.faults import CallError
from pipeline.ground.near_duplicates import find, read_excluded, rejections
from pipeline.ids import ChunkId, RangeId
from pipeline.stages.configured import open_tables
from pipeline.stages.hashes import Hashes
from pipeline.tables.table import Table
from tests.pipeline.builders import plan, stored

A, B, FAR = 0x0123456789ABCDEF, 0x0123456789ABCDE0, 0xFEDCBA9876543210
"""B differs from A in four bits."""


def hashed(folder: Path, *ranges: list[tuple[int | None, int]]) -> Table:
    """The table with these hashes and images, one range per source, in chunks of two."""
    table = open_tables([Hashes()], str(folder / "detections"))["hashes"]
    for source, pairs in enumerate(ranges):
        for number in range(0, len(pairs), 2):
            rows = [
                {"key": "", "index": 0, "phash": None if value is None else f"{value:016x}", "image": image}
                for value, image in pairs[number : number + 2]
            ]
            table.commit(ChunkId(source, 0, number // 2), rows, {})
        table.finish(RangeId(source, 0), -(-len(pairs) // 2), [])
    return table


def found(folder: Path, *ranges: list[tuple[int | None, int]], **filters: str) -> list[dict[int, str]]:
    inputs = [
        stored(folder / f"{n}.jsonl", '{"image": "x", "caption": "a dog"}\n' * len(pairs)).uri
        for n, pairs in enumerate(ranges)
    ]
    made = plan(inputs, filters=filters)
    find(made, hashed(folder, *ranges))
    return [dict(rejections(str(folder / "detections"), made, RangeId(n, 0))) for n in range(len(ranges))]


def test_images_that_are_near_an_earlier_one_are_rejected_with_all_their_captions(tmp_path: Path) -> None:
    first = [(A, 1), (A, 1), (None, 9), (FAR, 2)]
    second = [(B, 3), (B, 3), (A, 1), (None, 9), (FAR, 4)]
    near = "near_duplicate"
    assert found(tmp_path, first, second, duplicates="near") == [{}, {0: near, 1: near, 4: near}]


def test_an_image_that_is_only_near_a_rejected_one_is_rejected_too(tmp_path: Path) -> None:
    chain = [(A, 1), (A ^ 0b1111, 2), (A ^ 0b11111111, 3)]
    assert found(tmp_path, chain, duplicates="near") == [{1: "near_duplicate", 2: "near_duplicate"}]


def test_excluded_images_are_rejected_wherever_they_are(tmp_path: Path) -> None:
    path = stored(tmp_path / "excluded.txt", f"{B:016x}\n").uri
    pairs = [(FAR, 2), (A, 1), (FAR, 3)]
    assert found(tmp_path, pairs, exclude_hashes=path) == [{1: "excluded"}]
    both = found(tmp_path / "both", pairs, exclude_hashes=path, duplicates="near")
    assert both == [{1: "excluded", 2: "near_duplicate"}]


def test_what_was_found_is_kept_until_hashes_change(tmp_path: Path) -> None:
    found(tmp_path, [(A, 1)], [(A, 2)], duplicates="near")
    made = plan([tmp_path / "0.jsonl", tmp_path / "1.jsonl"], filters={"duplicates": "near"})
    files = sorted(tmp_path.glob("hashes/*/*.near.json"))
    before = [path.stat().st_mtime_ns for path in files]
    table = open_tables([Hashes()], str(tmp_path / "detections"))["hashes"]
    find(made, table)
    assert [path.stat().st_mtime_ns for path in files] == before
    # the first source is read again and has another image
    table.delete_source(0)
    hashed(tmp_path, [(FAR, 1)])
    find(made, table)
    assert rejections(str(tmp_path / "detections"), made, RangeId(1, 0)) == {}


def test_without_these_filters_no_file_is_needed(tmp_path: Path) -> None:
    assert rejections(str(tmp_path), plan([stored(tmp_path / "a.jsonl", "{}\n").uri]), RangeId(0, 0)) == {}


def test_a_file_of_hashes_has_one_per_line(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.txt", f"\ufeff{A:016x}\n\n# COCO val\r\n {B:016X} \n").uri
    assert read_excluded(path).tolist() == [A, B]
    assert read_excluded(path).dtype == np.uint64


@pytest.mark.parametrize("content", ["", "\n\n", "# COCO val\n", "\ufeff"])
def test_a_file_without_a_hash_is_refused(tmp_path: Path, content: str) -> None:
    path = stored(tmp_path / "a.txt", content).uri
    with pytest.raises(CallError) as refused:
        read_excluded(path)
    cure = "no hash in this file; add one per line, or remove the key"
    assert str(refused.value) == f"filters.exclude_hashes: {path}: {cure}"


def test_a_folder_is_refused_as_a_file_of_hashes(tmp_path: Path) -> None:
    with pytest.raises(CallError) as refused:
        read_excluded(str(tmp_path))
    assert str(refused.value) == f"filters.exclude_hashes: {tmp_path}: a folder; name a file of hashes, one per line"


@pytest.mark.parametrize("line", ["abc", "0123456789abcdef0", "a.jpg,0123456789abcdef", "x" * 10_000, "\x00"])
def test_another_line_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    path = stored(tmp_path / "a.txt", f"# hashes\n{line}\n").uri
    with pytest.raises(CallError, match=r"line 2, .*: write a pHash as 16 hexadecimal digits") as refused:
        read_excluded(path)
    assert len(str(refused.value)) < 500
