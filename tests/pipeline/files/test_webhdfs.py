"""Files on HDFS through WebHDFS, with fsspec's client and a server on loopback. This is not Hadoop's server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import files
from pipeline.faults import EnvironmentFault
from pipeline.files import remote
from pipeline.files.publish import publish, publish_bytes
from tests.webhdfs_server import WebHdfsServer, serving


@pytest.fixture
def hdfs(tmp_path: Path) -> Iterator[WebHdfsServer]:
    with serving(tmp_path) as server:
        yield server


@pytest.mark.parametrize("name", ["x[1].tar", "what?.tar", "50%.tar", "a+b c.tar", "ä.tar", "a*.tar", "#1.tar", "x?"])
def test_a_name_is_no_pattern(hdfs: WebHdfsServer, tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x1.tar").write_bytes(b"other")
    uri = f"{hdfs.place}/in/{name}"
    assert publish_bytes(uri, b"a dog")
    assert (tmp_path / "in" / name).read_bytes() == b"a dog"
    changed = (tmp_path / "in" / name).stat().st_mtime
    assert files.match(uri) == [files.FileInfo(uri, 5, pytest.approx(changed, abs=0.001))]
    assert files.read_bytes(uri) == b"a dog"
    assert [info.uri for info in files.list_folder(f"{hdfs.place}/in")] == sorted([uri, f"{hdfs.place}/in/x1.tar"])
    files.delete([uri])
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["x1.tar"]


def test_globs(hdfs: WebHdfsServer) -> None:
    for name in ("a/1.tar", "a/b/3.tar", "c/1.tar"):
        publish_bytes(f"{hdfs.place}/{name}", b"")
    for pattern, found in {"?/1.tar": ["a/1.tar", "c/1.tar"], "**/3.tar": ["a/b/3.tar"], "none/*": []}.items():
        assert [info.uri for info in files.match(f"{hdfs.place}/{pattern}")] == [f"{hdfs.place}/{n}" for n in found]


def test_an_exception_publishes_nothing(hdfs: WebHdfsServer, tmp_path: Path) -> None:
    uri = f"{hdfs.place}/out/a"
    with pytest.raises(RuntimeError), publish(uri) as file:  # noqa: PT012
        file.write(b"x")
        raise RuntimeError
    assert publish_bytes(uri, b"x", guard=lambda: False) is False
    hdfs.broken = True
    with pytest.raises(OSError, match="500"):
        publish_bytes(uri, b"x")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_the_first_writer_wins(hdfs: WebHdfsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = f"{hdfs.place}/out/a"
    assert publish_bytes(uri, b"1", create=True)
    with pytest.raises(FileExistsError):
        publish_bytes(uri, b"2", create=True)
    assert publish_bytes(uri, b"3")
    rename = remote.rename

    def overtaken(temporary: str, target: str) -> None:
        (tmp_path / "out" / "b").write_bytes(b"theirs")
        rename(temporary, target)

    monkeypatch.setattr(remote, "rename", overtaken)
    with pytest.raises(FileExistsError):
        publish_bytes(f"{hdfs.place}/out/b", b"ours", create=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {"a": b"3", "b": b"theirs"}


def test_a_refusal_names_place_and_action(hdfs: WebHdfsServer) -> None:
    hdfs.refusing = True
    with pytest.raises(EnvironmentFault, match=rf"^{hdfs.place}: no permission to write {hdfs.place}/out/a \(Permis"):
        publish_bytes(f"{hdfs.place}/out/a", b"x")
    with pytest.raises(EnvironmentFault, match=rf"^{hdfs.place}: no permission to list {hdfs.place}/out "):
        files.list_folder(f"{hdfs.place}/out")


def test_an_error_of_a_data_node_is_no_data(hdfs: WebHdfsServer) -> None:
    uri = f"{hdfs.place}/out/a"
    publish_bytes(uri, b"a dog")
    hdfs.broken = True
    with pytest.raises(OSError, match="bytes instead of those from 0 to 5"):
        files.read_bytes(uri)
    with pytest.raises(OSError, match="bytes instead of those"), files.open_read(uri) as file:
        file.read()
