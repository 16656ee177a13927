import json
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import files
from pipeline.faults import CallError, SourceFault
from pipeline.sources import is_source, kind_of, open_source
from pipeline.sources.json_records import JsonSource
from tests.pipeline.builders import assert_reads_alike_from_anywhere, source_settings, stored
from transforms.records import Reason

ROWS = [{"image": "1.png", "caption": "a dog", "n": 1}, {"image": "2.png", "caption": ["a hat", "a cat"]}]
COCO = {"images": [{"id": 1, "file_name": "1.png"}], "annotations": [{"id": 1, "image_id": 1, "caption": "a dog"}]}


def opened(path: Path, value: Any, **values: Any) -> JsonSource:
    return JsonSource(stored(path, value if isinstance(value, bytes) else json.dumps(value)), source_settings(**values))


@pytest.mark.parametrize("value", [ROWS, {"info": {}, "data": ROWS}, {"licenses": [], "names": ["a"], "rows": ROWS}])
def test_a_list_of_records_is_read_at_the_top_and_under_a_key(tmp_path: Path, value: Any) -> None:
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.json", value), 1)
    assert [(p.key, p.caption, p.image.uri) for p in pairs] == [
        ("0", "a dog", str(tmp_path / "1.png")),
        ("1-0", "a hat", str(tmp_path / "2.png")),
        ("1-1", "a cat", str(tmp_path / "2.png")),
    ]
    assert pairs[0].meta == '{"n":1}'


FRAMES = {
    "columns": {"image": {"0": "1.png", "7": "2.png"}, "caption": {"0": "a dog", "7": ["a hat", "a cat"]}},
    "split": {
        "columns": ["image", "caption"],
        "index": [0, 7],
        "data": [["1.png", "a dog"], ["2.png", ["a hat", "a cat"]]],
    },
}


@pytest.mark.parametrize("orient", FRAMES)
def test_a_data_frame_of_pandas_is_read_in_its_other_orientations(tmp_path: Path, orient: str) -> None:
    """`columns` is what `to_json` writes by default."""
    source = opened(tmp_path / "a.json", FRAMES[orient])
    assert kind_of(source.uri, source_settings()) == "json"
    pairs = assert_reads_alike_from_anywhere(source, 1)
    assert [(pair.caption, Path(pair.image.uri).name) for pair in pairs] == [
        ("a dog", "1.png"),
        ("a hat", "2.png"),
        ("a cat", "2.png"),
    ]


@pytest.mark.parametrize(
    "value",
    [
        {"image": {"a": "1.png"}, "words": {"a": "a dog"}},  # no caption
        {"caption": {"a": "1.png"}, "words": {"a": "a dog"}},  # no image
        {"caption": {"1.png": "a dog"}, "lr": {"2.png": "a dog"}},
        {"image": {"0": "1.png"}, "caption": {"0": "a dog", "1": "a cat"}},  # another index
        {"image": {"0": "1.png"}, "version": 1},
        {"image": {}, "caption": {}},
        {"columns": ["image", "caption"], "index": [0], "data": [["1.png"]]},
        {"columns": ["image", "caption"], "index": [], "data": [["1.png", "a dog"]]},
    ],
)
def test_what_only_looks_like_a_data_frame_is_none(tmp_path: Path, value: Any) -> None:
    source = opened(tmp_path / "a.json", value)
    assert kind_of(source.uri, source_settings()) == "coco"
    with pytest.raises(SourceFault, match="not one list of records, but 0: none"):
        source.ranges(10)


def test_a_record_that_cannot_be_used_costs_itself(tmp_path: Path) -> None:
    pairs = assert_reads_alike_from_anywhere(
        opened(tmp_path / "a.json", [ROWS[0], 7, None, {"image": "3.png"}, ROWS[0]])
    )
    assert [p.error and (p.error.reason, p.error.detail) for p in pairs] == [
        None,
        (Reason.BROKEN_ROW, "row 2: not a JSON object"),
        (Reason.BROKEN_ROW, "row 3: not a JSON object"),
        None,
        None,
    ]


def test_conversations_of_llava_give_the_replies(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "<image>\nWhat is it?"}, {"from": "gpt", "value": "a dog"}]
    more = [{"from": "human", "value": "And?"}, {"from": "gpt", "value": "a hat"}]
    rows = [
        {"id": "7", "image": "1.png", "conversations": turns},
        {"id": 8, "image": "2.png", "conversations": turns + more},
    ]
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.json", rows))
    assert [(p.id, p.caption) for p in pairs] == [("7", "a dog"), ("8", "a dog"), ("8", "a hat")]


def test_splits_of_karpathy(tmp_path: Path) -> None:
    sentences = [{"raw": "A dog.", "tokens": ["a", "dog"], "sentid": 1}, {"raw": "A hat."}]
    image = {"filepath": "val2014", "filename": "1.png", "sentences": sentences, "split": "test", "cocoid": 3}
    pairs = assert_reads_alike_from_anywhere(
        opened(tmp_path / "dataset_coco.json", {"images": [image], "dataset": "coco"})
    )
    assert [(p.caption, p.image.uri) for p in pairs] == [
        (text, str(tmp_path / "val2014/1.png")) for text in ("A dog.", "A hat.")
    ]
    assert json.loads(pairs[0].meta)["split"] == "test"


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.json", json.dumps(ROWS, indent=2), "json"),
        ("a.jsonl", json.dumps(ROWS, indent=2), "json"),
        ("a.json", "\ufeff \n[]", "json"),
        ("a.json", "".join(json.dumps(row) + "\n" for row in ROWS), "jsonl"),
        ("a.jsonl", json.dumps(ROWS[0]), "jsonl"),
        ("a.json", json.dumps({"images": [{"id": 1, "sentences": []}]}), "json"),
        ("a.json", json.dumps(COCO), "coco"),
        ("a.json", json.dumps({"1.png": "a dog", "2.png": "a hat", "note": "x"}), "json"),
        ("a.json", json.dumps({"1": {"caption": "a dog"}}), "json"),
        ("a.json", json.dumps({"image": "1.png", "caption": "a dog"}), "coco"),
        ("a.json", json.dumps({"jpg": "a dog"}), "coco"),
        ("a.json", json.dumps({"1": {"width": 7}}), "coco"),
        ("a.json", json.dumps({"1": "a dog"}), "coco"),
        ("a.json", json.dumps({"model": {"title": "x"}, "opt": {"lr": 1}}), "coco"),
        ("a.json", json.dumps({"model": {"title": {"en": "x"}}}), "coco"),
        ("a.json", json.dumps({"model": {"caption": ""}, "opt": {"caption": True}, "data": {"text": "x"}}), "coco"),
        ("a.json", json.dumps({"1": {"caption": "a dog"}, "2": {"tags": "a"}, "version": "1"}), "json"),
        ("a.json", json.dumps({"1.png": [{"caption": "a dog"}], "2.png": [{"caption": "a hat"}]}), "json"),
        ("a.json", "{}", "coco"),
        ("a.json", "", "coco"),
        ("a.json", "no", "coco"),
        ("a.jsonl", "", "jsonl"),
    ],
)
def test_the_content_tells_the_kind(tmp_path: Path, name: str, content: str, kind: str) -> None:
    assert kind_of(stored(tmp_path / name, content).uri, source_settings()) == kind


@pytest.mark.parametrize("value", [{"a": ROWS, "b": ROWS}, {"a": 1}, 7, b"[{", b"[" * 100_000])
def test_another_json_is_a_source_fault_of_one_line(tmp_path: Path, value: Any) -> None:
    with pytest.raises(SourceFault, match=r"^not (JSON|one list of records).+$"):
        opened(tmp_path / "a.json", value).ranges(10)


def read(path: Path, value: Any, **values: Any) -> list[tuple[str, str, str, str]]:
    pairs = assert_reads_alike_from_anywhere(opened(path, value, **values), 1)
    return [(p.key, p.caption, p.image.uri or (p.error.detail if p.error else ""), p.meta) for p in pairs]


def test_captions_by_image_file(tmp_path: Path) -> None:
    value = {"1.png": "a dog", "b/2.JPG": ["a hat", "a cat"], "3.png": None, "4.png": 7}
    assert read(tmp_path / "a.json", value) == [
        ("0", "a dog", f"{tmp_path}/1.png", "{}"),
        ("1-0", "a hat", f"{tmp_path}/b/2.JPG", "{}"),
        ("1-1", "a cat", f"{tmp_path}/b/2.JPG", "{}"),
        ("2", "", f"{tmp_path}/3.png", "{}"),
        ("3", "", f"{tmp_path}/4.png", "{}"),
    ]


def test_metadata_of_kohyas_trainers(tmp_path: Path) -> None:
    """Their names are those of the images without suffix, below the folder of the images."""
    for name in ("1.webp", "1.txt", "2.v1.png", "2.v1.npz", "10_cat/3.jpg"):
        stored(tmp_path / "train" / name, b"")
    value = {
        "1": {"caption": "a cat", "tags": "cat, sofa", "train_resolution": [512, 512]},
        "2.v1": {"caption": "a dog"},
        "10_cat/3.jpg": {"caption": "a hat"},
        "4": {"tags": "hat"},
    }
    assert read(tmp_path / "meta_lat.json", value, image_root=str(tmp_path / "train")) == [
        ("0", "a cat", f"{tmp_path}/train/1.webp", '{"tags":"cat, sofa","train_resolution":[512,512]}'),
        ("1", "a dog", f"{tmp_path}/train/2.v1.png", "{}"),
        ("2", "a hat", f"{tmp_path}/train/10_cat/3.jpg", "{}"),
        ("3", "", f"{tmp_path}/train/4", '{"tags":"hat"}'),
    ]


def test_records_by_name_keep_the_image_that_they_name(tmp_path: Path) -> None:
    value = {"x1": {"file_name": "1.png", "caption": "a dog"}, "x2": {"caption": "a hat"}}
    assert read(tmp_path / "a.json", value) == [
        ("x1", "a dog", f"{tmp_path}/1.png", '{"key":"x1"}'),
        ("x2", "a hat", f"{tmp_path}/x2", '{"key":"x2"}'),
    ]


def test_each_record_decides_whether_its_name_is_the_image(tmp_path: Path) -> None:
    """One record that names its image takes the name from no other. Texts may be among the objects."""
    stored(tmp_path / "b.webp", b"")
    value = {
        "a.png": {"caption": "a dog"},
        "b": "a text",
        "c.png": None,
        "d": {"caption": "a hat", "file_name": "4.png"},
        "e": {"caption": "a cat", "filepath": "sub", "filename": "5.png"},
        "f.png": {"caption": "a bird", "image": ""},
        "h": {"caption": "a cow", "filepath": "sub/6.png"},
        "g.png": ["a fish", "a fox"],
    }
    assert [
        (key, caption, image.removeprefix(f"{tmp_path}/"))
        for key, caption, image, _ in read(tmp_path / "a.json", value)
    ] == [
        ("a.png", "a dog", "a.png"),
        ("b", "a text", "b.webp"),
        ("c.png", "", "c.png"),
        ("d", "a hat", "4.png"),
        ("e", "a cat", "sub/5.png"),
        ("f.png", "a bird", "f.png"),
        ("h", "a cow", "sub/6.png"),
        ("g.png-0", "a fish", "g.png"),
        ("g.png-1", "a fox", "g.png"),
    ]


def test_texts_among_objects_are_captions_under_the_name_that_the_objects_use(tmp_path: Path) -> None:
    value = {"1.png": {"text": "a dog"}, "2.png": "a hat", "3.png": {"text": "a cat"}}
    assert [caption for _, caption, _, _ in read(tmp_path / "a.json", value)] == ["a dog", "a hat", "a cat"]
    value = {"1.png": {"text": "a dog"}, "2.png": {"caption": "a hat"}}
    assert [caption for _, caption, _, _ in read(tmp_path / "c.json", value)] == ["a dog", "a hat"]
    columns = {"caption": ["x"], "image": ["photo"]}
    assert [row[:3] for row in read(tmp_path / "b.json", {"1.png": "a dog"}, columns=columns)] == [
        ("0", "a dog", f"{tmp_path}/1.png")
    ]


NAMES = st.sampled_from(["1.png", "2.JPG", "d/3.webp"])
CAPTION = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff"), max_size=6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(NAMES, st.one_of(CAPTION, CAPTION.map(lambda text: {"caption": text}))), min_size=1, max_size=6)
)
def test_a_repeated_name_loses_no_caption(tmp_path: Path, items: list[tuple[str, Any]]) -> None:
    members = ", ".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in items)
    pairs = read(tmp_path / "a.json", f"{{{members}}}".encode())
    assert [(caption, image) for _, caption, image, _ in pairs] == [
        (value["caption"] if isinstance(value, dict) else value, f"{tmp_path}/{name}") for name, value in items
    ]


def test_a_name_of_two_image_files_fails_and_names_both(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png", "a.txt", "b.jpg", "b.npz"):
        stored(tmp_path / name, b"")
    value = {"a": {"caption": ["a dog", "a hat"]}, "b": {"caption": "a cat"}, "a.png": {"caption": "a fox"}}
    both = "a names a.jpg, a.png; remove all but one, or name it with its suffix"
    assert [row[1:3] for row in read(tmp_path / "a.json", value)] == [
        ("a dog", both),
        ("a hat", both),
        ("a cat", f"{tmp_path}/b.jpg"),
        ("a fox", f"{tmp_path}/a.png"),
    ]


def test_lists_of_objects_by_image_file(tmp_path: Path) -> None:
    value = {
        "1.png": [{"caption": "a dog", "id": 1}, {"caption": "a hat", "id": 2}, "a cat"],
        "2.png": [{"raw": "a fox"}, {"raw": "a fish"}],
        "3.png": [{"from": "human", "value": "?"}, {"from": "gpt", "value": "a bird"}],
        "4.png": [],
    }
    assert [(caption, Path(image).name, meta) for _, caption, image, meta in read(tmp_path / "a.json", value)] == [
        ("a dog", "1.png", '{"id":1}'),
        ("a hat", "1.png", '{"id":2}'),
        ("a cat", "1.png", "{}"),
        ("a fox", "2.png", "{}"),
        ("a fish", "2.png", "{}"),
        ("a bird", "3.png", "{}"),
        ("", "4.png", "{}"),
    ]
    ranges = opened(tmp_path / "a.json", value).ranges(1)
    assert [spec.pairs for spec in ranges] == [3, 2, 1, 1]  # the captions of an image stay together


def test_one_list_of_records_is_a_table_whatever_its_name_is(tmp_path: Path) -> None:
    """Earlier releases read it so."""
    assert [row[1:3] for row in read(tmp_path / "a.json", {"all.png": ROWS})] == [
        ("a dog", f"{tmp_path}/1.png"),
        ("a hat", f"{tmp_path}/2.png"),
        ("a cat", f"{tmp_path}/2.png"),
    ]


def test_a_message_names_five_keys_at_most(tmp_path: Path) -> None:
    value = {f"{number}{'x' * 200}": ROWS for number in range(1000)}
    with pytest.raises(SourceFault, match=r"^not one list of records, but 1000: (…x+, ){5}…$") as raised:
        opened(tmp_path / "a.json", value).ranges(10)
    assert len(str(raised.value)) < 400


INDEXED = {
    "columns": {"caption": {"1.png": "a dog", "2.png": "a hat"}, "n": {"1.png": 1, "2.png": 2}},
    "index": {"1.png": {"caption": "a dog", "n": 1}, "2.png": {"caption": "a hat", "n": 2}},
    "split": {"columns": ["caption", "n"], "index": ["1.png", "2.png"], "data": [["a dog", 1], ["a hat", 2]]},
}


@pytest.mark.parametrize("orient", INDEXED)
def test_the_index_of_a_data_frame_may_be_the_image_files(tmp_path: Path, orient: str) -> None:
    source = opened(tmp_path / "a.json", INDEXED[orient])
    assert kind_of(source.uri, source_settings()) == "json"
    assert read(tmp_path / "a.json", INDEXED[orient]) == [
        ("0", "a dog", f"{tmp_path}/1.png", '{"n":1}'),
        ("1", "a hat", f"{tmp_path}/2.png", '{"n":2}'),
    ]


@pytest.mark.parametrize(
    "value",
    [
        {"caption": {"x": "a dog", "y": "a hat"}, "image": {"x": "1.png", "y": "2.png"}},
        {"x": {"caption": "a dog", "image": "1.png"}, "y": {"caption": "a hat", "image": "2.png"}},
        {"columns": ["caption", "image"], "index": ["x", "y"], "data": [["a dog", "1.png"], ["a hat", "2.png"]]},
    ],
)
def test_an_index_of_texts_is_the_key_beside_an_image_column(tmp_path: Path, value: Any) -> None:
    assert kind_of(opened(tmp_path / "a.json", value).uri, source_settings()) == "json"
    assert [row[:3] for row in read(tmp_path / "a.json", value)] == [
        ("x", "a dog", f"{tmp_path}/1.png"),
        ("y", "a hat", f"{tmp_path}/2.png"),
    ]


@pytest.mark.parametrize("value", [{"https://x.org/1.png": "a dog"}, {"rows": [{"image": "http://x/1", "text": "a"}]}])
def test_urls_by_name_need_a_table_first(tmp_path: Path, value: Any) -> None:
    """img2dataset reads JSON only if it is a list."""
    cure = r"write them and their captions as CSV, and download .* --url_list urls\.csv --input_format csv "
    with pytest.raises(CallError, match=rf"a\.json names images by URLs; {cure}"):
        opened(tmp_path / "a.json", value).ranges(10)
    with pytest.raises(CallError, match=r"--url_list \S+b\.json --input_format json "):
        opened(tmp_path / "b.json", [{"image": "https://x.org/1.png", "caption": "a dog"}]).ranges(10)


def test_tags_alone_name_the_setting_that_reads_them(tmp_path: Path) -> None:
    value = {"1.png": {"tags": "dog, hat"}}
    with pytest.raises(CallError, match=r"; it has image, tags; set source\.columns\.caption=tags to use the tags$"):
        opened(tmp_path / "meta_lat.json", value).ranges(10)
    [row] = read(tmp_path / "meta_lat.json", value, columns={"caption": ["tags"]})
    assert row[1] == "dog, hat"


def test_each_folder_of_images_is_listed_once_and_several_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        stored(tmp_path / f"{number}/p.webp", b"")
    value = {f"{number}/{name}": {"caption": "a dog"} for number in range(20) for name in ("p", "q")}
    listed: list[str] = []
    list_tree = files.list_tree

    def counting(folder: str, deep: bool = True) -> Any:
        listed.append(folder)
        both.wait()
        return list_tree(folder, deep)

    both = Barrier(2, timeout=20)  # breaks if they are listed one after the other
    monkeypatch.setattr(files, "list_tree", counting)
    pairs = read(tmp_path / "a.json", value)
    assert [image for _, _, image, _ in pairs][:3] == [
        f"{tmp_path}/0/p.webp",
        f"{tmp_path}/0/q",
        f"{tmp_path}/1/p.webp",
    ]
    assert sorted(listed) == sorted(f"{tmp_path}/{number}" for number in range(20))


def test_a_name_that_is_no_path_costs_itself(tmp_path: Path) -> None:
    stored(tmp_path / "a.webp", b"")
    names = ["\0/x", "../x", "a/b", "y" * 300 + "/x", "", "a"]
    pairs = read(tmp_path / "a.json", {name: {"caption": name} for name in names})
    assert [caption for _, caption, _, _ in pairs[1:]] == names[1:]
    assert [image for _, _, image, _ in pairs] == [
        f"{tmp_path}/\0/x",
        f"../x, from {tmp_path}",
        f"{tmp_path}/a/b",
        f"{tmp_path}/{names[3]}",
        "the row names no image",
        f"{tmp_path}/a.webp",
    ]


def test_the_names_of_windows(tmp_path: Path) -> None:
    stored(tmp_path / "10_cat/1.webp", b"")
    [row] = read(tmp_path / "a.json", {"10_cat\\1": {"caption": "a cat"}})
    assert row[2] == f"{tmp_path}/10_cat/1.webp"


@pytest.mark.parametrize("grounding", [{"caption": "other", "regions": []}, {"caption": ["b", "c"]}])
@pytest.mark.parametrize("name", ["text", "captions", "comment", "Caption"])
def test_grounding_replaces_no_caption(tmp_path: Path, name: str, grounding: Any) -> None:
    value = [{"image": "1.png", name: "a dog", "grounding": grounding}]
    [(_, caption, _, meta)] = read(tmp_path / "a.json", value)
    assert (caption, json.loads(meta)) == ("a dog", {"grounding": grounding})


def test_nuls_are_named_as_such(tmp_path: Path) -> None:
    for data in (b'[{"image": "1.png"\0\0\0', b"\0" * 9):
        with pytest.raises(
            SourceFault, match=r"^not JSON: its byte \d+ is a NUL, so the file is damaged or binary; if"
        ):
            opened(tmp_path / "a.json", data).ranges(10)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16", "utf-32-be"])
def test_the_encoding_of_json_is_detected(tmp_path: Path, encoding: str) -> None:
    pairs = read(tmp_path / "a.json", json.dumps(ROWS).encode(encoding))
    assert [caption for _, caption, _, _ in pairs] == ["a dog", "a hat", "a cat"]


@pytest.mark.parametrize("value", [b'[{"image": "1.png", "caption": "caf\xe9"}]', b'{"images": ["\xe9"]}'])
def test_another_encoding_names_the_setting(tmp_path: Path, value: bytes) -> None:
    source = stored(tmp_path / "a.json", value)
    kind = kind_of(source.uri, source_settings())
    with pytest.raises(SourceFault, match=r"not JSON: 'utf-8' codec .*; set source\.encoding to its encoding, for exa"):
        open_source(kind, source, source_settings()).ranges(10)
    if kind == "json":
        assert read(tmp_path / "a.json", value, encoding="latin-1")[0][1] == "café"


def test_the_statistics_of_img2dataset_are_no_source() -> None:
    assert not is_source("/data/00003_stats.json")
    assert is_source("/data/my_stats.json")
