"""Columns that the settings name and that sources may lack."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from pipeline.faults import CallError
from pipeline.ground.messages import tell_first_source
from pipeline.ground.options import GroundOptions
from pipeline.plan.find_sources import find_sources
from pipeline.plan.plan_sources import plan_sources
from tests.pipeline.builders import configuration, image, plan, stored, tar

ROW = {"image": "0.jpg", "captions": "a dog", "objects": [], "uid": "7", "nsfw": 0.5}
BOXES = {"format": "xyxy"}


def written(folder: Path, name: str, row: dict[str, Any] = ROW) -> Path:
    """A source with one row. The kind is that of the name."""
    path = folder / name
    stored(folder / "0.jpg", image())
    texts = {key: json.dumps(value) if isinstance(value, list) else str(value) for key, value in row.items()}
    if name.endswith((".csv", ".tsv")):
        cut = "," if name.endswith(".csv") else "\t"
        stored(path, f"{cut.join(texts)}\n{cut.join(texts.values())}\n")
    elif name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist([texts]), path)
    elif name.endswith(".feather"):
        feather.write_feather(pa.Table.from_pylist([texts]), path)
    elif name.endswith(".tar"):
        stored(path, tar([("0.jpg", image()), ("0.json", json.dumps(row).encode())]))
    elif name == "pictures":
        stored(path / "0.jpg", image())
        stored(path / "0.json", json.dumps(row))
    else:
        stored(path, json.dumps([row]) if name.endswith(".json") else json.dumps(row) + "\n")
    return path


def planned(paths: list[Path], columns: dict[str, Any], **sections: Any) -> None:
    boxes = BOXES if "boxes" in columns else {}
    made = configuration(source={"columns": columns, "boxes": boxes}, **sections)
    plan_sources(find_sources(list(map(str, paths))), made, are_all=True)


def told(path: Path, columns: dict[str, Any], capsys: pytest.CaptureFixture[str], **sections: Any) -> list[str]:
    boxes = BOXES if "boxes" in columns else {}
    tell_first_source(plan([path], source={"columns": columns, "boxes": boxes}, **sections), GroundOptions())
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.parquet", "a.feather"])
@pytest.mark.parametrize(
    ("columns", "line"),
    [
        ({"boxes": "object"}, "source.columns.boxes: {} has no column object; did you mean objects?"),
        ({"id": "uuid"}, "source.columns.id: {} has no column uuid; did you mean uid?"),
        (
            {"caption": "captoin"},
            "source.columns.caption: {} has no column captoin; it has image, captions, objects, uid",
        ),
        (
            {"phrases": ["x1", "x2"]},
            "source.columns.phrases: {} has no column x1 or x2; its columns: objects, uid, nsfw",
        ),
        ({"key": "Uid"}, "source.columns.key: {} has no column Uid; did you mean uid?"),
        ({"heads": "objects", "phrases": "obj"}, "source.columns.phrases: {} has no column obj; did you mean objects?"),
    ],
)
def test_a_column_that_no_table_has_is_refused(tmp_path: Path, name: str, columns: dict[str, Any], line: str) -> None:
    path = written(tmp_path, name)
    with pytest.raises(CallError) as refused:
        planned([path], columns)
    assert str(refused.value).startswith(line.format(path))
    assert refused.value.status == 2
    assert "\n" not in str(refused.value)


def test_a_misspelt_column_of_the_captions_has_a_near_name(tmp_path: Path) -> None:
    with pytest.raises(CallError, match=r"has no column captoin; it has .*nsfw; did you mean captions\?$"):
        planned([written(tmp_path, "a.jsonl")], {"caption": "captoin"})


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.feather", "a.jsonl", "a.json"])
@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (
            {"boxes": "captions"},
            "source.columns.boxes: {} has the captions in the column captions; name that of the boxes",
        ),
        (
            {"phrases": "image"},
            "source.columns.phrases: {} has the images in the column image; name that of the phrases",
        ),
        ({"caption": "image"}, "source.columns.caption: {} has captions and images in one column, image; name that of"),
        ({"image": "captions"}, "source.columns.image: {} has captions and images in one column, captions; name that"),
        (
            {"heads": "captions", "phrases": "objects"},
            "source.columns.heads: {} has the captions in the column captions",
        ),
    ],
)
def test_captions_and_images_are_no_other_column(tmp_path: Path, name: str, columns: dict[str, Any], line: str) -> None:
    path = written(tmp_path, name)
    with pytest.raises(CallError) as refused:
        planned([path], columns)
    assert str(refused.value).startswith(line.format(path))


@pytest.mark.parametrize("name", ["a.tar", "pictures"])
def test_of_tars_and_folders_it_is_told(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, name)
    place = f"{path}/" if name == "pictures" else path
    for columns, line in (
        (
            {"boxes": "captions"},
            "source.columns.boxes: the first pairs of {} have the captions in the column captions; ",
        ),
        (
            {"boxes": "object"},
            "source.columns.boxes: the first pairs of {} have no column object; did you mean objects?",
        ),
        (
            {"caption": "captoin"},
            "source.columns.caption: the first pairs of {} have no column captoin; did you mean c",
        ),
        ({"url": "nsfv"}, "source.columns.url: the first pairs of {} have no column nsfv; did you mean nsfw?"),
    ):
        [said] = told(path, columns, capsys)
        assert said.startswith(f"ground: {line.format(place)}")
        planned([path], columns)  # other samples may have it


def test_a_later_row_of_json_may_have_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "a.jsonl")
    planned([path], {"boxes": "object"})
    assert told(path, {"boxes": "object"}, capsys) == [
        f"ground: source.columns.boxes: the first pairs of {path} have no column object; did you mean objects?"
    ]


def test_one_of_several_files_is_enough(tmp_path: Path) -> None:
    paths = [written(tmp_path, f"{n}.csv", {**ROW, **({"boxes": []} if n == 2 else {})}) for n in range(3)]
    planned(paths, {"boxes": "boxes"})
    planned(paths[1:], {"boxes": ["nowhere", "boxes"], "id": ["id", "image_id", "mine"]})
    with pytest.raises(CallError, match=r"0\.csv and 1 other source have no column boxes; its columns: objects, "):
        planned(paths[:2], {"boxes": "boxes"})
    planned([*paths[:2], written(tmp_path, "a.jsonl")], {"boxes": "boxes"})


def test_conditions_call_the_captions_caption(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "a.csv")
    lines = told(path, {}, capsys, filters={"where": ["captions != ''", "image != ''", "nsvw < 1", "caption != ''"]})
    first = f"ground: filters.where: the first pairs of {path} have"
    assert lines == [
        f"{first} the captions in the column captions; conditions call it caption",
        f"{first} the images in the column image; conditions cannot see it",
        f"{first} no column nsvw; did you mean nsfw?",
    ]
