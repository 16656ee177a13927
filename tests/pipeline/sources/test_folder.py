import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import files
from pipeline.faults import EnvironmentFault, SourceFault
from pipeline.files import FileInfo
from pipeline.ground.load_images import ImageLoader
from pipeline.plan.find_sources import find_sources
from pipeline.sources import folder as folder_module
from pipeline.sources import kind_of, open_source
from pipeline.sources.folder import entries_of, folder_info
from tests import fake_object_store
from tests.pipeline.builders import assert_reads_alike_from_anywhere, image, source_settings, stored
from transforms import images
from transforms.records import Pair, Reason


@pytest.fixture(autouse=True)
def forgotten() -> None:
    folder_module._entries.cache_clear()


def write(folder: Path, contents: dict[str, bytes | str]) -> None:
    for name, content in contents.items():
        stored(folder / name, content)


def found(folder: Path | str, **settings: Any) -> FileInfo:
    [info] = find_sources([str(folder)], **settings)
    return info


def read(folder: Path | str, **settings: Any) -> list[Pair]:
    """Returns the pairs, with their images, of the only source in a folder."""
    info = found(folder)
    source = open_source(kind_of(info.uri, source_settings()), info, source_settings(**settings))
    assert_reads_alike_from_anywhere(source)
    placed = source.read(source.ranges(1000)[0].start)
    return [pair for _, pair in ImageLoader(images.DEFAULT_LIMITS).load(placed)]


def info(name: str, size: int = 1, stamp: float = 0.0) -> FileInfo:
    return FileInfo(f"/f/{name}", size, stamp)


def entry(names: str) -> list[tuple[str, str, str, str]]:
    return [(e.key, e.image, e.text, e.about) for e in entries_of(info(name) for name in names.split())]


def test_what_img2dataset_writes_as_files_is_read_with_its_fields(tmp_path: Path) -> None:
    about = {"caption": "a dog", "url": "http://x/1", "key": "000000001", "status": "success", "width": 8}
    write(tmp_path, {"00000/000000001.jpg": image(1, "JPEG"), "00000/000000001.txt": "a dog"})
    write(tmp_path, {"00000/000000001.json": json.dumps(about), "00000_stats.json": '{"count": 1}'})
    pq.write_table(pa.table({"key": ["000000001"], "status": ["success"]}), tmp_path / "00000.parquet")
    [pair] = read(tmp_path)
    assert (pair.key, pair.caption, pair.url, pair.source) == ("000000001", "a dog", "http://x/1", f"{tmp_path}/00000/")
    assert json.loads(pair.meta) == {key: value for key, value in about.items() if key != "caption"}
    assert pair.image.uri == f"{tmp_path}/00000/000000001.jpg"
    assert (pair.width, pair.data) == (8, image(1, "JPEG"))


@pytest.mark.parametrize(
    ("names", "entries"),
    [
        ("1.jpg 1.txt", [("1", "1.jpg", "1.txt", "")]),
        ("1.jpg 1.caption 1.txt 1.json", [("1", "1.jpg", "1.txt", "1.json")]),
        ("1.jpg 1.caption", [("1", "1.jpg", "1.caption", "")]),
        ("1.JPG 1.TXT", [("1", "1.JPG", "1.TXT", "")]),
        ("1.jpg 1.jpg.txt 1.txt", [("1", "1.jpg", "1.jpg.txt", "")]),
        ("1.jpg 1.jpg.caption 1.txt", [("1", "1.jpg", "1.txt", "")]),
        ("1.jpg 1.jpg.json", [("1", "1.jpg", "", "1.jpg.json")]),
        ("a.v1.jpg a.v1.txt", [("a.v1", "a.v1.jpg", "a.v1.txt", "")]),
        ("1.jpg 1.png 1.txt", [("1.jpg", "1.jpg", "1.txt", ""), ("1.png", "1.png", "1.txt", "")]),
        ("1.png 1.png.png", [("1", "1.png", "", ""), ("1.png.png", "1.png.png", "", "")]),
        ("1.jpg 1.jpg.png 1.jpg.txt", [("1", "1.jpg", "1.jpg.txt", ""), ("1.jpg.png", "1.jpg.png", "", "")]),
        (
            "1.jpg 1.jpg.png 1.jpg.json 1.jpg.png.txt",
            [("1", "1.jpg", "", "1.jpg.json"), ("1.jpg.png", "1.jpg.png", "1.jpg.png.txt", "")],
        ),
        ("1.jpg.png 1.jpg.txt", [("1.jpg", "1.jpg.png", "1.jpg.txt", "")]),
        ("2.txt 1.jpg 2.json", [("1", "1.jpg", "", ""), ("2", "", "2.txt", "2.json")]),
        ("1.jpg 1.npz 1.jpg~ Thumbs.db jpg .txt", [("1", "1.jpg", "", "")]),
        ("00000_stats.json dataset_info.json state.json", []),
    ],
)
def test_a_caption_is_found_by_the_name_of_its_picture(names: str, entries: list[tuple[str, str, str, str]]) -> None:
    assert entry(names) == entries


_NAMES = st.builds(
    "{}{}.{}".format,
    st.sampled_from(["a", "b", "A", "a b", ""]),
    st.sampled_from(["", ".v1", ".jpg", ".PNG"]),
    st.sampled_from(["jpg", "JPG", "png", "txt", "TXT", "caption", "json", "npz"]),
)


@given(st.sets(_NAMES, max_size=12))
def test_every_picture_is_one_entry_and_every_caption_has_one(names: set[str]) -> None:
    entries = entries_of(info(name) for name in names)
    assert entries == entries_of(info(name) for name in sorted(names, reverse=True))
    assert [e.name for e in entries] == sorted(e.name for e in entries)
    assert len({e.key for e in entries}) == len(entries)
    parts = {name.rpartition(".")[::2] for name in names}
    pictures = sorted(name for name in names if name.lower().endswith(("jpg", "png")) and name.rpartition(".")[0])
    assert sorted(e.image for e in entries if e.image) == pictures
    owners = {*pictures, *(name.rpartition(".")[0] for name in pictures)}
    captions = {stem for stem, suffix in parts if stem and suffix.lower() in ("txt", "caption", "json")}
    assert {e.key for e in entries if not e.image} == captions - owners


def test_hidden_files_are_no_pairs(tmp_path: Path) -> None:
    write(tmp_path, {"1.jpg": image(), "1.txt": "a dog", "._1.jpg": "x", "._1.txt": "x", ".2.jpg": "x"})
    write(tmp_path, {".thumbnails/1.jpg": image(), ".thumbnails/1.txt": "a dog", "__MACOSX/._1.jpg": "x"})
    assert [pair.key for pair in read(tmp_path)] == ["1"]


def test_nothing_in_a_folder_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, {"1.jpg": image(), "1.txt": "a dog\r\n", "2.jpg": image(), "3.txt": "a cat", "4.png": image()})
    write(tmp_path, {"4.json": '{"caption": ["one", "two"]}', "5.jpg": image(), "5.json": "[1]", "6.json": "{}"})
    write(tmp_path, {"7.jpg": image(), "7.txt": b"\xff", "8.webp": "no picture", "8.txt": "a bird"})
    os.symlink("nowhere.jpg", tmp_path / "9.jpg")
    pairs = read(tmp_path)
    assert [(pair.key, pair.caption) for pair in pairs if not pair.error] == [
        ("1", "a dog"),
        ("2", ""),
        ("4-0", "one"),
        ("4-1", "two"),
    ]
    assert {pair.key: pair.error.reason for pair in pairs if pair.error} == {
        "3": Reason.NO_IMAGE,
        "5": Reason.BROKEN_ROW,
        "6": Reason.NO_IMAGE,
        "7": Reason.ENCODING,
        "8": Reason.UNSUPPORTED_FORMAT,
        "9": Reason.MISSING_FILE,
    }


def test_a_caption_without_picture_says_what_was_looked_for(tmp_path: Path) -> None:
    write(tmp_path, {"1.jpg": image(), "1.txt": "a dog", "2.txt": "a cat", "3.txt": "a bird", "30.jpg": image()})
    write(tmp_path, {"3.heic": "x", "3.left.jpg": image(), "3.json": "{}"})
    details = [pair.error.detail for pair in read(tmp_path) if pair.error]
    assert details[0].startswith("no picture beside 2.txt; looked for 2.avif, .bmp, .gif, .jpeg, .jpg, ")
    assert details[1].startswith("no picture beside 3.txt, but 3.heic, 3.left.jpg; looked for 3.avif, ")


def test_files_that_cannot_be_read_cost_their_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {f"{i}.jpg": image() for i in range(4)} | {f"{i}.txt": f"a dog {i}" for i in range(4)})
    os.remove(tmp_path / "1.txt")
    os.symlink("nowhere.txt", tmp_path / "1.txt")
    monkeypatch.setattr(folder_module, "_MAX_BYTES", 9)
    stored(tmp_path / "2.txt", "a dog and a cat")
    pairs = read(tmp_path)
    assert [pair.error and (pair.error.reason, pair.error.detail) for pair in pairs] == [
        None,
        (Reason.MISSING_FILE, f"{tmp_path}/1.txt"),
        (Reason.BROKEN_ROW, "2.txt: larger than 0 MiB"),
        None,
    ]


def test_names_that_are_not_utf8_are_failed_pairs(tmp_path: Path) -> None:
    write(tmp_path, {"1.jpg": image(), "1.txt": "a dog"})
    name = os.fsencode(tmp_path) + b"/\xff.jpg"
    Path(os.fsdecode(name)).write_bytes(image())
    pairs = read(tmp_path)
    assert [pair.error and pair.error.reason for pair in pairs] == [None, Reason.ENCODING]


@pytest.mark.parametrize("change", ["added", "removed", "renamed", "longer", "later"])
def test_any_change_of_a_file_changes_the_source(tmp_path: Path, change: str) -> None:
    write(tmp_path, {"1.jpg": image(), "1.txt": "a dog", "2.jpg": image(), "notes.md": "x"})
    before = found(tmp_path)
    stored(tmp_path / "notes.md", "something else")
    assert found(tmp_path) == before
    if change == "added":
        stored(tmp_path / "2.txt", "")
    elif change == "removed":
        os.remove(tmp_path / "2.jpg")
    elif change == "renamed":
        os.rename(tmp_path / "2.jpg", tmp_path / "3.jpg")
    elif change == "longer":
        status = os.stat(tmp_path / "1.txt")
        stored(tmp_path / "1.txt", "a dog!")
        os.utime(tmp_path / "1.txt", ns=(status.st_atime_ns, status.st_mtime_ns))
    else:
        os.utime(tmp_path / "1.jpg", (1, 1))
    assert found(tmp_path) != before
    assert found(tmp_path).uri == before.uri


def test_a_caption_that_is_no_text_says_what_it_is(tmp_path: Path) -> None:
    write(tmp_path, {"1.jpg": image(), "1.json": '{"caption": [7, "a dog"]}', "2.jpg": image(), "2.json": "{}"})
    assert [(pair.key, pair.caption, pair.error and pair.error.detail) for pair in read(tmp_path)] == [
        ("1-0", "", "1.json: caption: a number, not a text"),
        ("1-1", "a dog", None),
        ("2", "", None),
    ]


def test_a_stamp_survives_json() -> None:
    stamps = [folder_info("/f", [info(f"{i}.jpg")]).stamp for i in range(100)]
    assert json.loads(json.dumps(stamps)) == stamps
    assert len(set(stamps)) == 100


def test_files_that_are_added_during_a_run_move_no_pair(tmp_path: Path) -> None:
    write(tmp_path, {f"{name}.jpg": image() for name in "ace"} | {f"{name}.txt": f"a dog {name}" for name in "ace"})
    planned = found(tmp_path)
    source = open_source("folder", planned, source_settings())
    [whole] = source.ranges(3)
    write(tmp_path, {"b.jpg": image(), "b.txt": "a dog b"})
    assert [pair.key for _, pair in source.read(whole.start)] == ["a", "c", "e"]  # as listed before
    folder_module._entries.cache_clear()  # another process
    with pytest.raises(EnvironmentFault, match=r"captions changed from .* bytes: files were added, removed or changed"):
        list(source.read(whole.start))
    os.remove(tmp_path / "b.jpg")
    os.remove(tmp_path / "b.txt")
    assert [pair.key for _, pair in source.read(whole.start)] == ["a", "c", "e"]
    os.rename(tmp_path / "e.txt", tmp_path / "f.txt")
    folder_module._entries.cache_clear()
    with pytest.raises(EnvironmentFault, match=r"captions changed in names or times: files were added"):
        list(source.read(whole.start))


def test_a_position_whose_file_is_elsewhere_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {f"{i}.jpg": image(i) for i in range(4)} | {"0.txt": "a dog"})
    source = open_source("folder", found(tmp_path), source_settings())
    start = source.ranges(2)[1].start
    assert start["name"] == "2.jpg"
    with pytest.raises(
        EnvironmentFault, match=r"its pair 3 was 1\.jpg and is now 2\.jpg: files were added, removed or"
    ):
        list(source.read({**start, "name": "1.jpg"}))


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    source = open_source("folder", stored(tmp_path / "a.tar", "x"), source_settings(kind="folder"))
    with pytest.raises(SourceFault, match="not a folder"):
        source.ranges(10)


def test_ranges_count_the_captions_of_lists(tmp_path: Path) -> None:
    write(tmp_path, {f"{i}.jpg": image(i) for i in range(5)} | {"0.json": '{"caption": ["a", "b", "c"]}'})
    stored(tmp_path / "1.json", '{"caption": ["a", "b"]}')
    stored(tmp_path / "1.txt", "only this one")
    source = open_source("folder", found(tmp_path), source_settings())
    assert [(spec.start["index"], spec.pairs) for spec in source.ranges(2)] == [(0, 4), (4, 2), (6, 1)]
    assert [pair.caption for pair in read(tmp_path)] == ["a", "b", "c", "only this one", "", "", ""]


def test_a_prefix_of_an_object_store_is_a_folder(tmp_path: Path) -> None:
    fake_object_store.use(tmp_path)
    for name in ("1.jpg", "deeper/2.png", "deeper/empty/3.gif"):
        fake_object_store.put(f"shelf://data/in/{name}", image())
    for name in ("1.txt", "deeper/2.caption"):
        fake_object_store.put(f"shelf://data/in/{name}", b"a dog")
    first, second = find_sources(["shelf://data/in"])
    assert (first.uri, second.uri) == ("shelf://data/in/", "shelf://data/in/deeper/")
    source = open_source(kind_of(second.uri, source_settings()), second, source_settings())
    [pair] = assert_reads_alike_from_anywhere(source)
    assert (pair.caption, pair.image.uri) == ("a dog", "shelf://data/in/deeper/2.png")
    assert list(source.fetch([pair.image])) == [image()]
    assert source.needs() == []
    assert files.exists(pair.image.uri)
