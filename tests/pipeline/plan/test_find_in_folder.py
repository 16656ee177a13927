"""Which of the files in a folder are its sources. Small files, of which only JSON is read."""

import errno
import io
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import files
from pipeline.configuration import ColumnSettings
from pipeline.faults import CallError
from pipeline.plan.find_sources import find_sources
from tests import fake_object_store
from tests.pipeline.builders import pairs_of, plan, stored
from tests.pipeline.plan.test_plan import TABLE

CONTENTS = {"coco.json": '{"images": [{"id": 1}], "annotations": []}', "about.json": '{"caption": "a dog"}'}


def parquet(*columns: str) -> bytes:
    target = io.BytesIO()
    pq.write_table(pa.table({column: [b"x"] for column in columns}), target)
    return target.getvalue()


OF_IMG2DATASET = parquet("url", "caption", "key", "status", "width")
WITH_IMAGES = parquet("jpg", "caption", "key", "status")


def write(folder: Path, names: str, content: bytes = OF_IMG2DATASET) -> None:
    """content: of parquet files."""
    for name in names.split():
        stored(folder / name, content if name.endswith(".parquet") else CONTENTS.get(files.name(name), ""))


def found(folder: Path, kind: str = "auto") -> tuple[list[str], list[str]]:
    """Returns the sources and the lines about what was left out, relative to the folder."""
    lines: list[str] = []
    sources = find_sources([str(folder)], kind=kind, tell=lines.append)
    top = f"{folder}/"
    return [info.uri.removeprefix(top) or "." for info in sources], [line.replace(top, "") for line in lines]


@pytest.mark.parametrize(
    ("names", "sources", "left_out"),
    [
        ("a.csv a.csv.gz", "a.csv", "a.csv.gz"),
        ("a.csv.gz b.csv a.csv.zst a.csv", "a.csv b.csv", "a.csv.gz a.csv.zst"),
        ("a.jsonl.gz a.jsonl.zst", "a.jsonl.gz", "a.jsonl.zst"),
        ("t/a.tar.GZ t/a.tar u/a.tar.gz", "t/a.tar u/a.tar.gz", "t/a.tar.GZ"),
        ("a.csv a.tsv.gz a.csv.zstd.gz b.jsonl.gz", "a.csv a.tsv.gz b.jsonl.gz", ""),
        ("a.md a.csv.gz", "a.csv.gz", ""),
    ],
)
def test_a_table_and_its_compressed_copies_are_one_source(
    tmp_path: Path, names: str, sources: str, left_out: str
) -> None:
    write(tmp_path, names)
    copies = left_out.split()
    number = "1 file" if len(copies) == 1 else f"{len(copies)} files"
    lines = [f"left out: {number} of which another form is in the same folder, first {copies[0]}"] if copies else []
    assert found(tmp_path) == (sources.split(), lines)


@pytest.mark.parametrize(
    ("names", "sources"),
    [
        ("1.jpg 1.txt", "."),
        ("10_cat/1.png 10_cat/1.txt 10_cat/1.npz 5_dog/2.png 5_dog/2.caption", "10_cat/ 5_dog/"),
        ("1.png 1.txt a/b/2.png a/b/2.txt", ". a/b/"),
        ("00000/1.jpg 00000/1.txt 00000/1.json 00000.parquet 00000_stats.json", "00000/"),
        ("00000/1.jpg 00000/1.json 00001/1.jpg 00001/1.json 00000.parquet 00001.parquet", "00000/ 00001/"),
        ("00000/1.jpg 00000/1.txt 00000.parquet 00001.parquet 00001_stats.json", "00000/"),
        ("00000/1.jpg 00000/1.txt 00000.parquet urls-00000.parquet", "urls-00000.parquet"),
        ("000000000.tar 000000000.parquet 000000000_stats.json", "000000000.tar"),
        ("00000.parquet 00000_stats.json 00001.parquet 00001_stats.json", "00000.parquet 00001.parquet"),
        ("00000.parquet 00000.tar 00001.parquet", "00000.tar 00001.parquet"),
        ("00000/1.jpg 00000/1.txt 00000.parquet _tmp/1.feather", "00000/"),
        ("data-00000-of-00001.arrow cache-1a2b.arrow state.json dataset_info.json", "data-00000-of-00001.arrow"),
        (
            "dataset_dict.json train/data-00000-of-00001.arrow train/state.json test/data-00000-of-00001.arrow",
            "test/data-00000-of-00001.arrow train/data-00000-of-00001.arrow",
        ),
        ("train/metadata.csv train/1.jpg test/metadata.jsonl test/1.jpg", "test/metadata.jsonl train/metadata.csv"),
        ("train/metadata.csv train/images/1.jpg train/images/1.txt", "train/metadata.csv"),
        ("data/train-00000-of-00001.parquet README.md", "data/train-00000-of-00001.parquet"),
        ("a.jsonl images/1.jpg deeper/b.jsonl", "a.jsonl"),
        ("coco.json 1.jpg", "coco.json"),
        ("coco.json 1.jpg 1.txt", "coco.json"),
        ("1.jpg 1.json", "."),
        ("1.jpg 1.txt about.json", "."),
        ("1.jpg 1.json about.json 2.json", "."),
        ("1.jpg 1.txt out/manifest.json out/shards/00000.tar", "."),
        ("a/1.jpg a/1.txt out/detections/plan.json out/detections/00000/00000-00000.parquet", "a/"),
        ("a/1.jpg a/1.txt a/manifest.json b/manifest.json b/x.tar", "a/ b/manifest.json b/x.tar"),
        ("a-b/1.jpg a-b/1.txt a/b.csv a/c/1.jpg a/c/1.txt", "a-b/ a/b.csv"),
    ],
)
def test_the_sources_of_a_folder(tmp_path: Path, names: str, sources: str) -> None:
    write(tmp_path, names)
    assert found(tmp_path)[0] == sorted(sources.split())


def test_a_table_of_images_beside_a_folder_of_its_name_is_a_source(tmp_path: Path) -> None:
    write(tmp_path, "00000/1.jpg 00000/2.jpg")
    write(tmp_path, "00000.parquet", parquet("path", "caption"))
    write(tmp_path, "00001.parquet", WITH_IMAGES)
    assert found(tmp_path) == (["00000.parquet", "00001.parquet"], [])
    write(tmp_path, "00000/1.txt 00002.tar")
    write(tmp_path, "00002.parquet", WITH_IMAGES)
    left_out = "left out: 1 picture with captions in 1 folder, first 00000, because of the table 00000.parquet"
    tables = ["00000.parquet", "00001.parquet", "00002.parquet", "00002.tar"]
    assert found(tmp_path) == (tables, [f"{left_out}; source.kind=folder reads the pictures instead"])


def test_a_table_beside_a_folder_without_captions_is_a_source(tmp_path: Path) -> None:
    write(tmp_path, "00000.parquet 00000/1.jpg")
    assert found(tmp_path) == (["00000.parquet"], [])
    write(tmp_path, "00000/1.txt")
    assert found(tmp_path) == (["00000/"], [])
    assert found(tmp_path, "parquet") == (["00000.parquet"], [])


def test_a_table_that_cannot_be_opened_is_a_source(tmp_path: Path) -> None:
    write(tmp_path, "00000/1.jpg 00000/1.txt 00001.tar")
    write(tmp_path, "00000.parquet 00001.parquet", b"damaged")
    assert found(tmp_path)[0] == ["00000.parquet", "00001.parquet", "00001.tar"]


def test_a_table_that_is_dropped_is_told_unless_img2dataset_wrote_it(tmp_path: Path) -> None:
    write(tmp_path, "00000/1.jpg 00000/1.txt 00001.tar")
    write(tmp_path, "00000.parquet 00001.parquet", parquet("picture", "caption"))
    left_out = (
        "left out: 2 tables without images beside a tar or folder of the same name, first 00000.parquet; if they name "
        "images, set source.columns.image"
    )
    sources, lines = found(tmp_path)
    assert sources == ["00001.tar"]
    assert lines[1:] == [left_out]
    columns = ColumnSettings(image=("picture",))
    tables = [info.uri for info in find_sources([str(tmp_path)], columns=columns)]
    assert tables == [f"{tmp_path}/{name}" for name in ("00000.parquet", "00001.parquet", "00001.tar")]


def test_only_the_folders_of_shards_are_listed_below_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "00000.parquet 00000/1.jpg 00000/deeper/1.jpg private/1.jpg a.csv")
    scanned: list[str] = []
    scan = os.scandir

    def scan_and_note(path: str) -> Any:
        scanned.append(str(path).removeprefix(str(tmp_path)))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scan_and_note)
    assert found(tmp_path)[0] == ["00000.parquet", "a.csv"]
    assert set(scanned) == {"", "/00000"}


REMEDY = "because of the table t/a.csv; source.kind=folder reads the pictures instead"
CAPTIONS = "a caption is a .txt, .caption or .json beside its picture"


@pytest.mark.parametrize(
    ("names", "lines"),
    [
        ("1.jpg 1.txt", []),
        ("a.jsonl 1.jpg 2.jpg", []),
        ("t/a.csv t/1.jpg t/images/2.jpg", []),
        ("t/a.csv t/1.jpg t/1.txt t/2.jpg", ["1 picture with captions in 1 folder, first t, " + REMEDY]),
        (
            "t/a.csv t/b/1.jpg t/b/1.txt t/c/d/1.jpg t/c/d/1.caption",
            ["2 pictures with captions in 2 folders, first t/b, " + REMEDY],
        ),
        ("a/1.jpg a/1.txt b/1.jpg b/2.jpg c/1.jpg", ["3 pictures in 2 folders without captions, first b; " + CAPTIONS]),
    ],
)
def test_pictures_that_are_left_out_are_told(tmp_path: Path, names: str, lines: list[str]) -> None:
    write(tmp_path, names)
    assert found(tmp_path)[1] == [f"left out: {line}" for line in lines]


def test_an_image_folder_is_read_from_its_top(tmp_path: Path) -> None:
    """As `datasets` defines it: pictures of each split, and a table with their captions beside them."""
    for split, name in (("train", "metadata.csv"), ("test", "metadata.jsonl")):
        row = "file_name,text\n1.png,a dog\n" if name.endswith("csv") else '{"file_name": "1.png", "text": "a dog"}\n'
        stored(tmp_path / split / name, row)
        stored(tmp_path / split / "1.png", "")
    planned = plan([tmp_path])
    pairs = [pair for source in planned.sources for pair in pairs_of(planned.open_source(source.uri))]
    assert [(pair.caption, pair.image.uri) for pair in pairs] == [
        ("a dog", f"{tmp_path}/test/1.png"),
        ("a dog", f"{tmp_path}/train/1.png"),
    ]


def test_the_kind_decides_where_a_folder_has_both(tmp_path: Path) -> None:
    write(tmp_path, "a.csv 1.jpg 1.txt b/2.jpg c/d.csv")
    assert found(tmp_path, "folder") == ([".", "b/"], [])
    assert found(tmp_path, "csv") == (["a.csv"], [])


def test_a_folder_without_sources_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "1.jpg 2.jpg notes.md")
    with pytest.raises(CallError, match=r"contains no tar, no table, and no picture with a \.txt, \.caption or \.json"):
        find_sources([str(tmp_path)])


def test_a_picture_is_no_source_but_its_folder_is(tmp_path: Path) -> None:
    write(tmp_path, "in/1.jpg in/1.txt")
    with pytest.raises(CallError, match=rf"a picture is no source; use its folder: --input {tmp_path}/in$"):
        plan([tmp_path / "in/*.jpg"])
    assert [source.kind for source in plan([tmp_path / "in"]).sources] == ["folder"]


def test_a_link_to_a_folder_is_followed_but_not_in_circles(tmp_path: Path) -> None:
    write(tmp_path, "in/a/1.jpg in/a/1.txt elsewhere/2.jpg elsewhere/2.txt")
    os.symlink(tmp_path / "in", tmp_path / "in/a/again")
    os.symlink(tmp_path / "elsewhere", tmp_path / "in/b")
    assert found(tmp_path / "in")[0] == ["a/", "b/"]


def test_a_folder_below_that_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a/1.jpg a/1.txt b/1.jpg lost+found/1.jpg")
    scan = os.scandir

    def scan_unless_forbidden(path: str) -> Any:
        if str(path).endswith(("/b", "/lost+found")):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scan_unless_forbidden)
    with pytest.raises(CallError, match=r"^--input: .*/b: no permission to read this folder"):
        found(tmp_path)
    (tmp_path / "b").rename(tmp_path.parent / f"{tmp_path.name}-elsewhere")
    assert found(tmp_path)[0] == ["a/"]


def test_a_glob_of_folders_gives_what_is_in_them(tmp_path: Path) -> None:
    write(tmp_path, "train/10_cat/1.jpg train/10_cat/1.txt train/5_dog/1.jpg train/5_dog/1.txt train/b/c.csv")
    sources = find_sources([f"{tmp_path}/train/*_*"])
    assert [info.uri for info in sources] == [f"{tmp_path}/train/10_cat/", f"{tmp_path}/train/5_dog/"]


def test_an_object_store_has_the_same_sources(tmp_path: Path) -> None:
    fake_object_store.use(tmp_path)
    for name in ("00000/1.jpg", "00000/1.txt", "00000.parquet", "00000_stats.json", "more/a.jsonl", "more/.b.jsonl"):
        content = OF_IMG2DATASET if name.endswith(".parquet") else TABLE.encode()
        fake_object_store.put(f"shelf://data/in/{name}", content)
    for folder in ("shelf://data/in", "shelf://data/in/"):
        found = [info.uri for info in find_sources([folder])]
        assert found == ["shelf://data/in/00000/", "shelf://data/in/more/a.jsonl"]


def arrow(**columns: list[Any]) -> bytes:
    target = io.BytesIO()
    table = pa.table(columns)
    with pa.ipc.new_file(target, table.schema) as writer:
        writer.write_table(table)
    return target.getvalue()


EMBEDDINGS, PAIRS = arrow(emb=[1.0, 2.0]), arrow(image=["1.jpg"], caption=["a dog"])


@pytest.mark.parametrize("name", ["emb.feather", "emb.ipc", "emb.ARROWS"])
@pytest.mark.parametrize("content", [EMBEDDINGS, arrow(caption=["a dog"]), b"no table"])
def test_a_table_of_another_thing_is_left_out_if_its_suffix_does_not_say_what_it_is(
    tmp_path: Path, name: str, content: bytes
) -> None:
    write(tmp_path, "p/1.jpg p/1.txt t/t.jsonl")
    for place in ("p", "t"):
        stored(tmp_path / place / name, content)
    line = (
        f"left out: 1 table in which no caption and image column is found, first {{}}{name}; "
        "source.columns.caption and source.columns.image name them"
    )
    assert found(tmp_path / "p") == (["."], [line.format("")])
    assert found(tmp_path / "t") == (["t.jsonl"], [line.format("")])
    assert found(tmp_path) == (["p/", "t/t.jsonl"], [line.format("p/").replace("1 table", "2 tables")])
    stored(tmp_path / "only" / name, content)
    with pytest.raises(CallError, match=rf"contains no tar.*; left out: 1 table .* first .*only/{name}; source"):
        find_sources([str(tmp_path / "only")])


def test_a_table_that_cannot_be_reached_is_not_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a.csv")
    stored(tmp_path / "emb.feather", EMBEDDINGS)
    stored(tmp_path / "state.json", "{}")
    assert found(tmp_path)[0] == ["a.csv"]

    def refuse(uri: str) -> Any:
        raise PermissionError(errno.EACCES, "denied", uri)

    monkeypatch.setattr(files, "open_read", refuse)
    assert found(tmp_path)[0] == ["a.csv", "emb.feather", "state.json"]


def test_a_table_of_pairs_is_a_source_unless_a_run_was_planned_without_it(tmp_path: Path) -> None:
    write(tmp_path, "p/1.jpg p/1.txt")
    stored(tmp_path / "p" / "pairs.feather", PAIRS)
    assert found(tmp_path)[0] == ["p/pairs.feather"]
    told: list[str] = []
    folder = f"{tmp_path}/p/"
    assert [info.uri for info in find_sources([folder], tell=told.append, planned=[folder])] == [folder]
    assert told == [
        f"left out: 1 table that earlier calls of this run did not read, first {folder}pairs.feather; "
        "give it as --input with --extend to add it"
    ]
    # A run that has such a table may get more of them.
    stored(tmp_path / "p" / "more.ipc", PAIRS)
    uris = [f"{folder}more.ipc", f"{folder}pairs.feather"]
    assert [info.uri for info in find_sources([folder], planned=uris[1:])] == uris


def test_planned_sources_stay_as_far_as_they_exist(tmp_path: Path) -> None:
    write(tmp_path, "t/a.csv t/a.csv.gz t/1.jpg t/1.txt t/in/2.jpg t/in/2.txt u/b.csv")
    planned = [f"{tmp_path}/{name}" for name in ("t/", "t/a.csv.gz", "t/in/", "t/gone.csv", "u/b.csv", "gone/")]
    sources = find_sources([str(tmp_path / "t")], planned=planned)
    assert [info.uri.removeprefix(f"{tmp_path}/") for info in sources] == ["t/", "t/a.csv", "t/a.csv.gz", "t/in/"]
