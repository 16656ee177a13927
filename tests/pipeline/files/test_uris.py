import importlib.util
import posixpath
from pathlib import Path

import pytest
from apache_beam.io.filesystem import BeamIOError
from hypothesis import given
from hypothesis import strategies as st

from pipeline import files
from pipeline.faults import CallError
from tests import fake_object_store

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


def test_missing_files_are_told_from_other_trouble(tmp_path: Path) -> None:
    fake_object_store.use(tmp_path / "shelf")
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


def installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.parametrize(
    ("scheme", "extra", "module"),
    [
        ("gs", "gcp", "gcsfs"),
        ("s3", "aws", "s3fs"),
        ("webhdfs", "hdfs", "requests"),
        ("azfs", "azure", "adlfs"),
    ],
)
def test_a_file_system_whose_extra_is_missing_names_it(scheme: str, extra: str, module: str) -> None:
    if installed(module):
        pytest.skip(f"{module} is installed")
    with pytest.raises(CallError, match=rf"pip install 'gritmill\[{extra}\]'"):
        files.match(f"{scheme}://data/a.tar")


@pytest.mark.parametrize("uri", ["s3://", "s3:///runs/x", "gs://", "abfs:///x"])
def test_a_store_without_a_bucket_is_refused(uri: str) -> None:
    """As `s3://$BUCKET/x` without this variable: `s3:/x` would be a local folder."""
    with pytest.raises(CallError, match=f"^{uri}: names no bucket"):
        files.canonical(uri)
