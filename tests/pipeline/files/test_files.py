import gzip
import importlib.util
import os
import posixpath
from pathlib import Path

import pytest
from apache_beam.io.filesystem import BeamIOError
from hypothesis import given
from hypothesis import strategies as st

from pipeline import files
from pipeline.faults import CallError
from tests import shelf
from tests.pipeline.making import stored

PARTS = st.sampled_from(["..", ".", "a", "b", "", "...", "a b", "ä", "%2e%2e", "~", "file:", "s3:", "/"])


@given(st.lists(PARTS, max_size=8), st.sampled_from(["/data/a", "/", "s3://bucket/a", "s3://bucket"]), st.booleans())
def test_no_path_leaves_the_root(parts: list[str], root: str, with_root: bool) -> None:
    path = "/".join([root, *parts] if with_root else parts)
    found = files.resolve_below(root, path)
    if found is not None:
        assert found == root or found.startswith(root.rstrip("/") + "/")
        assert ".." not in found.split("/")
        assert files.resolve_below(root, found) == found


@given(st.lists(st.sampled_from(["a", "b", ".", "c..d"]), min_size=1, max_size=5))
def test_every_path_below_the_root_is_found(parts: list[str]) -> None:
    relative = "/".join(parts)
    wanted = posixpath.normpath(f"/data/x/{relative}")
    for given_path in (relative, f"/data/x/{relative}", f"file:///data/x/{relative}"):
        assert files.resolve_below("/data/x", given_path) == wanted
    assert files.resolve_below("s3://data/x", relative) == files.resolve_below("s3://data/x", f"s3://data/x/{relative}")
    assert files.resolve_below("s3://data/x", relative) == f"s3:/{wanted}"


@pytest.mark.parametrize("path", ["/data/xy/1.png", "/data", "../xy/1.png", "gs://data/x/1.png", "s3://data/x/1.png"])
def test_neighbours_of_the_root_are_outside(path: str) -> None:
    assert files.resolve_below("/data/x", path) is None


def test_names_of_uris(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    assert files.canonical("a/../b.tar") == str(tmp_path / "b.tar")
    assert files.canonical("~/b.tar") == "/home/me/b.tar"
    assert files.canonical("file:///data/b.tar") == "/data/b.tar"
    assert files.canonical("s3://data/./b.tar") == "s3://data/./b.tar"
    assert files.join("s3://data/", "a", "b") == "s3://data/a/b"
    assert files.join("/", "a") == "/a"
    assert files.join("/data", "*/*.json") == "/data/*/*.json"
    assert (files.parent("s3://data/a/b"), files.parent("/b")) == ("s3://data/a", "/")
    assert (files.name("s3://data/a/b.tar"), files.name("b.tar")) == ("b.tar", "b.tar")
    assert files.is_local("/data/a")
    assert not files.is_local("s3://data/a")


def test_a_glob_matches_in_order(tmp_path: Path) -> None:
    for name in ("b.tar", "a.tar", "d/c.tar", "a.csv"):
        stored(tmp_path / name, name)
    found = files.match(f"{tmp_path}/*.tar")
    assert [info.uri for info in found] == [f"{tmp_path}/a.tar", f"{tmp_path}/b.tar"]
    assert [(info.size, info.stamp) for info in found] == [(5, os.path.getmtime(info.uri)) for info in found]
    assert [info.uri for info in files.match(f"{tmp_path}/**/*.tar")][-1] == f"{tmp_path}/d/c.tar"
    assert files.match(f"{tmp_path}/*.parquet") == []
    assert files.match(f"{tmp_path}/nowhere/*.tar") == []
    assert files.match(f"{tmp_path}/nowhere.tar") == []


def test_a_file_is_the_same_by_name_and_by_glob(tmp_path: Path) -> None:
    stored(tmp_path / "a.tar", "a")
    assert files.match(f"{tmp_path}/a.tar") == files.match(f"{tmp_path}/*.tar")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    assert files.match(str(tmp_path / "d")) == []


@pytest.mark.parametrize("name", ["a[1].tar", "a*.tar", "a?.tar", "[a].tar"])
def test_a_file_that_exists_is_taken_whatever_characters_its_name_holds(tmp_path: Path, name: str) -> None:
    stored(tmp_path / "ax.tar", "")
    stored(tmp_path / name, "a")
    assert [info.uri for info in files.match(str(tmp_path / name))] == [str(tmp_path / name)]
    shelf.use(tmp_path / "shelf")
    shelf.put("shelf://data/ax.tar", b"")
    uri = shelf.put(f"shelf://data/{name}", b"a")
    assert [info.uri for info in files.match(uri)] == [uri]


@pytest.mark.parametrize("folder", ["plain", "[1]", "a[b-c]d", "50*", "who?", "ä b"])
def test_a_folder_of_any_name_can_be_listed(tmp_path: Path, folder: str) -> None:
    place = tmp_path / folder
    stored(place / "b.json", "")
    stored(place / "a.json", "")
    stored(place / "a.tar", "")
    stored(place / "inner/c.json", "")
    assert [files.name(info.uri) for info in files.list_folder(str(place), "*.json")] == ["a.json", "b.json"]
    assert [files.name(info.uri) for info in files.list_folder(str(place))] == ["a.json", "a.tar", "b.json"]


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    shelf.use(tmp_path / "shelf")
    assert files.list_folder(str(tmp_path / "nowhere")) == []
    assert files.list_folder("shelf://nowhere") == []


def test_on_an_object_store(tmp_path: Path) -> None:
    shelf.use(tmp_path)
    for name in ("out/b.json", "out/a.json", "out/deep/c.json", "outer/d.json"):
        shelf.put(f"shelf://data/{name}", b'{"a": 1}')
    assert [info.uri for info in files.list_folder("shelf://data/out", "*.json")] == [
        "shelf://data/out/a.json",
        "shelf://data/out/b.json",
    ]
    assert files.match("shelf://data/out/a.json")[0].size == 8
    assert files.match("shelf://data/none.json") == []
    assert files.read_json("shelf://data/out/a.json") == {"a": 1}
    assert files.exists("shelf://data/out/a.json")
    assert not files.exists("shelf://data/none.json")
    files.delete(["shelf://data/out/a.json", "shelf://data/out/a.json"])
    assert not files.exists("shelf://data/out/a.json")


def test_nothing_is_unpacked_on_the_way(tmp_path: Path) -> None:
    packed = gzip.compress(b"a dog")
    shelf.use(tmp_path / "shelf")
    stored(tmp_path / "a.gz", packed)
    shelf.put("shelf://data/a.gz", packed)
    for uri in (str(tmp_path / "a.gz"), "shelf://data/a.gz"):
        assert files.read_bytes(uri) == packed
        with files.open_read(uri) as file:
            file.seek(2)
            assert file.read(1) == packed[2:3]


@pytest.mark.parametrize("odd", ["run[1]", "run*", "run?"])
def test_a_name_is_no_pattern_when_it_comes_to_deleting(tmp_path: Path, odd: str) -> None:
    """Beam's own delete takes what it is given for a pattern: it would delete in the neighbour's folder."""
    for folder in (odd, "run1"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "manifest.json").write_text("{}")
    files.delete([str(tmp_path / odd / "manifest.json")])
    assert not (tmp_path / odd / "manifest.json").exists()
    assert (tmp_path / "run1" / "manifest.json").exists()


def test_delete_does_not_mind_what_is_gone(tmp_path: Path) -> None:
    stored(tmp_path / "a", "")
    files.delete([str(tmp_path / "a"), str(tmp_path / "b")])
    assert list(tmp_path.iterdir()) == []


def test_missing_files_are_told_from_other_trouble(tmp_path: Path) -> None:
    shelf.use(tmp_path / "shelf")
    for uri in (str(tmp_path / "nothing"), "shelf://data/nothing"):
        with pytest.raises((BeamIOError, FileNotFoundError)) as missing:
            files.read_bytes(uri)
        assert files.is_missing(missing.value)
    assert not files.is_missing(PermissionError(13, "Permission denied"))
    assert not files.is_missing(OSError(28, "No space left on device"))
    assert not files.is_missing(ValueError("not found"))


@pytest.mark.parametrize("name", ["404.jpg", "not found/1.jpg", "no such file.png"])
def test_the_name_of_a_file_says_nothing_about_the_trouble_with_it(name: str) -> None:
    assert not files.is_missing(OSError(5, "Input/output error", f"/data/{name}"))
    assert not files.is_missing(PermissionError(13, "Permission denied", f"/data/{name}"))


def test_a_folder_moves_with_all_that_it_holds(tmp_path: Path) -> None:
    shelf.use(tmp_path / "shelf")
    stored(tmp_path / "old/d/a.json", "a")
    files.move_folder(str(tmp_path / "old"), str(tmp_path / "new"))
    assert (tmp_path / "new/d/a.json").read_text() == "a"
    assert not (tmp_path / "old").exists()
    for name in ("old/a.json", "old/d/b.json", "older/c.json"):
        shelf.put(f"shelf://data/{name}", b"")
    files.move_folder("shelf://data/old", "shelf://data/new")
    names = ["new/a.json", "new/d/b.json", "older/c.json"]
    assert shelf.objects() == [f"shelf://data/{name}" for name in names]


def test_an_unknown_file_system_is_refused_in_one_line() -> None:
    with pytest.raises(CallError, match=r"^zzz://data/a\.tar: .+$") as refused:
        files.match("zzz://data/a.tar")
    assert "\n" not in str(refused.value)


def installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.parametrize(
    ("scheme", "extra", "module"),
    [
        ("gs", "gcp", "google.cloud.storage"),
        ("s3", "aws", "boto3"),
        ("hdfs", "hdfs", "hdfs"),
        ("azfs", "azure", "azure.storage.blob"),
    ],
)
def test_a_file_system_whose_extra_is_missing_names_it(scheme: str, extra: str, module: str) -> None:
    if installed(module):
        pytest.skip(f"{module} is installed")
    with pytest.raises(CallError, match=rf"pip install 'gritmill\[{extra}\]'"):
        files.match(f"{scheme}://data/a.tar")
