import errno
import json
import os
import resource
from pathlib import Path
from typing import Any

import pytest

from pipeline.faults import CallError
from pipeline.files import publish as publishing
from pipeline.files import uris
from pipeline.files.publish import delete_unfinished, publish, publish_bytes, publish_json, synced_together
from tests import fake_object_store
from tests.pipeline.builders import stored


@pytest.fixture(params=["local", "shelf", "renaming"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder on a local disk, in an object store, and on another file system, like HDFS."""
    fake_object_store.use(tmp_path)
    if request.param == "renaming":
        monkeypatch.setattr(uris, "STORES", set())
    return str(tmp_path / "out") if request.param == "local" else "shelf://out"


def write_and_raise(uri: str, error: BaseException) -> None:
    with publish(uri) as file:
        file.write(b"half")
        raise error


def found(tmp_path: Path) -> list[str]:
    return sorted(path.relative_to(tmp_path / "out").as_posix() for path in tmp_path.rglob("*") if path.is_file())


def test_a_file_appears_with_the_end_of_the_block(folder: str, tmp_path: Path) -> None:
    with publish(f"{folder}/d/a.bin") as file:
        file.write(b"a dog")
        file.write(b" in a hat")
        assert "d/a.bin" not in found(tmp_path)
    assert found(tmp_path) == ["d/a.bin"]
    assert (tmp_path / "out/d/a.bin").read_bytes() == b"a dog in a hat"


def test_a_large_local_file_goes_to_the_disk_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "_WRITEBACK_BYTES", 100_000)
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda _file, at, size, _what: sent.append((at, size)), raising=False)
    parts = [bytes([n]) * size for n, size in enumerate((512, 70_000, 30, 40_000, 200_000, 5))]
    with publish(str(tmp_path / "a.bin")) as file:
        file.writelines(parts)
    assert (tmp_path / "a.bin").read_bytes() == b"".join(parts)
    assert sent == [(0, 110_542), (110_542, 200_000)]


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The inodes of the files that were synced, in order."""
    inodes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: inodes.append(os.fstat(descriptor).st_ino))
    return inodes


def test_files_that_are_synced_together_are_on_the_disk_when_the_block_ends(tmp_path: Path, synced: list[int]) -> None:
    before = len(os.listdir("/dev/fd"))
    with synced_together():
        for number in range(150):
            publish_bytes(str(tmp_path / f"{number}.jpg"), b"a dog")
            assert (tmp_path / f"{number}.jpg").read_bytes() == b"a dog"
            assert 0 <= number + 1 - len(synced) < 64
            assert len(os.listdir("/dev/fd")) <= before + 64
    assert synced == [(tmp_path / f"{number}.jpg").stat().st_ino for number in range(150)]
    publish_bytes(str(tmp_path / "done.json"), b"{}")
    assert synced[150:] == [(tmp_path / "done.json").stat().st_ino]


def test_files_are_synced_before_they_are_too_many_for_the_process(
    tmp_path: Path, synced: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(os.listdir("/dev/fd"))
    os.close(lowest := os.dup(0))
    monkeypatch.setattr(resource, "getrlimit", lambda _: (lowest + 36, 1 << 20))
    with synced_together():
        for number in range(60):
            publish_bytes(str(tmp_path / f"{number}.jpg"), b"a dog")
            assert len(os.listdir("/dev/fd")) < before + 6
    assert len(synced) == 60


def publish_together(folder: Path, count: int, error: type[BaseException] | None = None) -> None:
    with synced_together():
        for number in range(count):
            publish_bytes(str(folder / f"{number}.jpg"), str(number).encode())
        if error:
            raise error


def test_a_file_that_cannot_be_synced_is_named_and_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        if os.fstat(descriptor).st_ino == (tmp_path / "1.jpg").stat().st_ino:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(OSError, match=r"Input/output error: '.*/1.jpg'"):
        publish_together(tmp_path, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.jpg", "2.jpg"]
    assert len(os.listdir("/dev/fd")) == before


def test_an_exception_syncs_nothing_and_closes_all_files(tmp_path: Path, synced: list[int]) -> None:
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(KeyboardInterrupt):
        publish_together(tmp_path, 3, KeyboardInterrupt)
    assert synced == []
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_appears_after_an_exception(folder: str, tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error):
        write_and_raise(f"{folder}/a.bin", error())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_file_that_is_there_stays_whole_until_it_is_replaced(folder: str, tmp_path: Path) -> None:
    publish_bytes(f"{folder}/a.bin", b"old")
    with pytest.raises(ValueError, match="stop"):
        write_and_raise(f"{folder}/a.bin", ValueError("stop"))
    assert (tmp_path / "out/a.bin").read_bytes() == b"old"
    publish_bytes(f"{folder}/a.bin", b"new")
    assert (tmp_path / "out/a.bin").read_bytes() == b"new"
    assert found(tmp_path) == ["a.bin"]


def test_equal_values_give_equal_json(folder: str, tmp_path: Path) -> None:
    publish_json(f"{folder}/a.json", {"b": 1, "a": ["ä"]})
    publish_json(f"{folder}/b.json", {"a": ["ä"], "b": 1})
    first, second = (tmp_path / "out/a.json").read_bytes(), (tmp_path / "out/b.json").read_bytes()
    assert first == second
    assert first.endswith(b"\n")
    assert "ä" in first.decode()
    assert json.loads(first) == {"a": ["ä"], "b": 1}


def test_a_path_in_a_json_file_may_not_be_utf_8(tmp_path: Path) -> None:
    path = os.fsdecode(b"/data/\xff")
    publish_json(str(tmp_path / "a.json"), {"run": path})
    assert json.loads((tmp_path / "a.json").read_bytes()) == {"run": path}


def test_names_are_never_taken_for_a_compression(folder: str, tmp_path: Path) -> None:
    publish_bytes(f"{folder}/a.gz", b"plain")
    assert (tmp_path / "out/a.gz").read_bytes() == b"plain"


def test_sweep_removes_what_is_unfinished_and_nothing_else(tmp_path: Path) -> None:
    for name in (".gritmill-tmp-1-a.tar", "d/e/.gritmill-tmp-2-b.json", "a.tar", "d/b.tmp-", "d/.other"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    delete_unfinished(str(tmp_path))
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["a.tar", "d/.other", "d/b.tmp-"]


def test_what_a_killed_writer_leaves_is_swept(tmp_path: Path) -> None:
    writing = publish(str(tmp_path / "out/shards/00000.tar"))
    writing.__enter__().write(b"half")
    assert len(found(tmp_path)) == 1
    delete_unfinished(str(tmp_path / "out"))
    assert found(tmp_path) == []


def test_sweep_of_a_file_system_with_renames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_object_store.use(tmp_path)
    monkeypatch.setattr(uris, "STORES", set())
    for name in (".gritmill-tmp-1-a.tar", "d/.gritmill-tmp-2-b.json", "a.tar"):
        fake_object_store.put(f"shelf://out/{name}", b"")
    delete_unfinished("shelf://out")
    assert fake_object_store.objects() == ["shelf://out/a.tar"]


def test_an_object_store_has_nothing_to_sweep(tmp_path: Path) -> None:
    fake_object_store.use(tmp_path)
    fake_object_store.put("shelf://out/a.tar", b"")
    delete_unfinished("shelf://out")
    assert fake_object_store.objects() == ["shelf://out/a.tar"]


def test_an_upload_that_breaks_off_leaves_no_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_object_store.use(tmp_path)

    def broken(source: object, target: Any, length: int) -> None:
        target.write(b"half")
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("pipeline.files.remote.shutil.copyfileobj", broken)
    monkeypatch.setattr("pipeline.files.remote._PUT_BYTES", 10)
    with pytest.raises(OSError, match="Input/output"):
        publish_bytes("shelf://out/a.tar", b"half and half")
    assert fake_object_store.objects("shelf://out/") == []
    publish_bytes("shelf://out/a.tar", b"short")
    assert fake_object_store.path_of("shelf://out/a.tar").read_bytes() == b"short"


def _refuse_links(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*paths: str) -> None:
        raise OSError(number, os.strerror(number), *paths[:1])

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.parametrize("number", [0, errno.EPERM, errno.ENOTSUP, errno.EACCES, errno.EXDEV, errno.EINVAL])
def test_the_first_local_file_wins_also_without_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """number: of the error with which the file system refuses a link; 0 if it has links."""
    if number:
        _refuse_links(monkeypatch, number)
    uri = str(tmp_path / "out/a.json")
    assert publish_bytes(uri, b"1", create=True)
    with pytest.raises(FileExistsError):
        publish_bytes(uri, b"2", create=True)
    assert (Path(uri).read_bytes(), found(tmp_path)) == (b"1", ["a.json"])
    assert publish_bytes(uri, b"3")
    assert (Path(uri).read_bytes(), found(tmp_path)) == (b"3", ["a.json"])


def test_the_second_name_of_a_file_is_swept(tmp_path: Path) -> None:
    """As a process that was killed between the two steps leaves it."""
    assert publish_bytes(str(tmp_path / "out/a.json"), b"1")
    os.link(tmp_path / "out/a.json", tmp_path / "out/.gritmill-tmp-1-a.json")
    delete_unfinished(str(tmp_path))
    assert (found(tmp_path), (tmp_path / "out/a.json").read_bytes()) == (["a.json"], b"1")


def test_a_file_system_that_cannot_be_written_is_one_line() -> None:
    with pytest.raises(CallError, match=r"^http://127\.0\.0\.1:9/a: gritmill cannot write files of http://$"):
        publish_bytes("http://127.0.0.1:9/a", b"1")


def test_the_sweep_leaves_what_is_linked_and_passes_over_what_it_may_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("run/a", "run/b", "run/c", "other"):
        stored(tmp_path / name / ".gritmill-tmp-1-a.tar", "")
    (tmp_path / "run/link").symlink_to(tmp_path / "other")
    (tmp_path / "run/.gritmill-tmp-2-link").symlink_to(tmp_path / "other")
    (tmp_path / "run/.gritmill-tmp-3-broken").symlink_to(tmp_path / "nowhere")
    scandir = os.scandir

    def refusing(path: str) -> Any:
        if path.endswith("run/b"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    delete_unfinished(str(tmp_path / "run"))
    monkeypatch.undo()
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob(".gritmill-tmp*")}
    assert left == {"run/b/.gritmill-tmp-1-a.tar", "other/.gritmill-tmp-1-a.tar", "run/.gritmill-tmp-2-link"}


def test_a_file_that_may_not_be_swept_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored(tmp_path / "d/.gritmill-tmp-1-a.tar", "")

    def refuse(path: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(os, "remove", refuse)
    with pytest.raises(PermissionError, match=r"-1-a\.tar"):
        delete_unfinished(str(tmp_path))


def test_json_is_sorted_in_the_file_only_and_nothing_else_becomes_json(tmp_path: Path) -> None:
    value: dict[str, Any] = {"b": 1e-05, "a": {"d": 1, "c": 2}}
    publish_json(str(tmp_path / "a.json"), value)
    assert (tmp_path / "a.json").read_text() == '{\n  "a": {\n    "c": 2,\n    "d": 1\n  },\n  "b": 1e-05\n}\n'
    assert (list(value), list(value["a"])) == (["b", "a"], ["d", "c"])
    for wrong in (b"bytes", {"a set"}):
        with pytest.raises(TypeError):
            publish_json(str(tmp_path / "b.json"), wrong)
    assert not (tmp_path / "b.json").exists()
