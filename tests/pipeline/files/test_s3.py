"""Files in an object store, through a real client and a server on loopback."""

import multiprocessing
import os
from collections.abc import Iterator

import pytest
from s3fs import S3FileSystem

from pipeline import files
from pipeline.faults import EnvironmentFault
from pipeline.files import remote
from pipeline.files.publish import publish, publish_bytes
from tests.s3_server import BUCKET, S3Server, failing, serving


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    with serving(monkeypatch) as server:
        yield server
    remote._CREATE_ONLY.clear()


ODD = ["x[1].tar", "what?.tar", "50%.tar", "a+b c.tar", "ä.tar", "a*.tar", "#1.tar", "a..b.tar"]


@pytest.mark.parametrize("name", ODD)
def test_a_name_is_no_pattern(store: S3Server, name: str) -> None:
    store.put("in/xx1.tar")
    store.put("in/x1.tar", b"other")
    uri = f"s3://{BUCKET}/in/{name}"
    assert publish_bytes(uri, b"a dog")
    assert store.objects()[f"in/{name}"] == b"a dog"
    assert [(info.uri, info.size) for info in files.match(uri)] == [(uri, 5)]
    assert files.read_bytes(uri) == b"a dog"
    with files.open_read(uri) as file:
        assert (file.seek(2), file.read(2)) == (2, b"do")
    assert uri in [info.uri for info in files.list_folder(f"s3://{BUCKET}/in")]
    files.delete([uri])
    assert sorted(store.objects()) == ["in/x1.tar", "in/xx1.tar"]


@pytest.mark.parametrize("folder", ["run[1]", "a b", "run*"])
def test_a_folder_of_any_name(store: S3Server, folder: str) -> None:
    for key in (f"{folder}/b.json", f"{folder}/deep/c.json", "run1/d.json", f"{folder}x/e.json"):
        store.put(key)
    uri = f"s3://{BUCKET}/{folder}"
    assert [info.uri for info in files.list_folder(uri, "*.json")] == [f"{uri}/b.json"]
    assert [info.uri for info in files.list_folder(uri, "**")] == [f"{uri}/b.json", f"{uri}/deep/c.json"]
    files.move_folder(uri, f"s3://{BUCKET}/moved")
    assert sorted(store.objects()) == sorted([f"{folder}x/e.json", "moved/b.json", "moved/deep/c.json", "run1/d.json"])


def test_a_folder_can_have_the_name_of_a_file(store: S3Server) -> None:
    store.put("out/run", b"a file")
    store.put("out/run/plan.json", b"{}")
    store.put("out/run/shards/", b"")  # what consoles write for an empty folder
    uri = f"s3://{BUCKET}/out/run"
    assert [info.uri for info in files.list_folder(uri)] == [f"{uri}/plan.json"]
    assert [info.uri for info in files.list_folder(uri, "**")] == [f"{uri}/plan.json"]
    assert files.list_tree(uri).keys() == {uri}
    assert [(info.uri, info.size) for info in files.match(uri)] == [(uri, 6)]
    assert files.match(f"{uri}/shards/") == []
    assert files.match(f"s3://{BUCKET}/out/*") == files.match(uri)


def test_globs(store: S3Server) -> None:
    for key in ("a/1.tar", "a/2.tar", "a/.h.tar", "a/b/3.tar", "c/1.tar", "top.tar"):
        store.put(key)

    def found(pattern: str) -> list[str]:
        return [info.uri.removeprefix(f"s3://{BUCKET}/") for info in files.match(f"s3://{BUCKET}/{pattern}")]

    assert found("a/*.tar") == ["a/.h.tar", "a/1.tar", "a/2.tar"]
    assert found("a/[12].tar") == ["a/1.tar", "a/2.tar"]
    assert found("?/1.tar") == ["a/1.tar", "c/1.tar"]
    assert found("**/3.tar") == ["a/b/3.tar"]
    assert found("*.tar") == ["top.tar"]
    assert found("none/*.tar") == []
    assert files.match("s3://no-such-bucket/*.tar") == []


def test_the_stamp_is_the_time_of_the_last_change(store: S3Server) -> None:
    uri = store.put("a.tar", b"a dog")
    changed = store.client().head_object(Bucket=BUCKET, Key="a.tar")["LastModified"].timestamp()
    assert files.match(uri) == files.match(f"s3://{BUCKET}/*.tar") == [files.FileInfo(uri, 5, changed)]


def test_what_others_write_is_seen_at_once(store: S3Server) -> None:
    folder = f"s3://{BUCKET}/out"
    assert (files.list_folder(folder), files.exists(f"{folder}/a")) == ([], False)
    store.put("out/a")
    assert ([info.uri for info in files.list_folder(folder)], files.exists(f"{folder}/a")) == ([f"{folder}/a"], True)
    store.client().delete_object(Bucket=BUCKET, Key="out/a")
    assert (files.list_folder(folder), files.exists(f"{folder}/a")) == ([], False)


@pytest.mark.parametrize("size", [100, 12 << 20])
def test_an_exception_publishes_nothing(store: S3Server, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(remote, "_PUT_BYTES", 5 << 20)
    uri = f"s3://{BUCKET}/out/a.tar"
    with pytest.raises(RuntimeError), publish(uri) as file:  # noqa: PT012
        file.write(b"x" * size)
        raise RuntimeError
    assert publish_bytes(uri, b"x" * size, guard=lambda: False) is False
    assert (store.objects(), store.unfinished_uploads()) == ({}, [])
    assert publish_bytes(uri, b"y" * size)
    store.faults.append(failing(*[500] * 50, method="P"))
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    S3FileSystem.clear_instance_cache()
    with pytest.raises(Exception, match="InternalError"):
        publish_bytes(uri, b"z" * size)
    store.faults.clear()
    assert (store.objects(), store.unfinished_uploads()) == ({"out/a.tar": b"y" * size}, [])


@pytest.mark.parametrize("conditional", [True, False])
@pytest.mark.parametrize("size", [100, 12 << 20])
def test_the_first_writer_wins(store: S3Server, monkeypatch: pytest.MonkeyPatch, size: int, conditional: bool) -> None:
    """A store without conditional puts has the content of the last writer, and the first one finds that out."""
    monkeypatch.setattr(remote, "_PUT_BYTES", 5 << 20)
    store.conditional = conditional
    uri = f"s3://{BUCKET}/out/a.tar"
    assert publish_bytes(uri, b"1" * size, create=True)
    assert remote.has_create_only_puts(uri) is conditional
    if not conditional:
        return
    with pytest.raises(FileExistsError):
        publish_bytes(uri, b"2" * size, create=True)
    assert store.objects() == {"out/a.tar": b"1" * size}

    def overtaken() -> bool:
        store.put("out/b.tar", b"3" * size)
        return True

    with pytest.raises(FileExistsError):
        publish_bytes(f"s3://{BUCKET}/out/b.tar", b"4" * size, guard=overtaken, create=True)
    assert store.objects()["out/b.tar"] == b"3" * size
    assert store.unfinished_uploads() == []


def test_a_put_that_others_overwrite_is_found_out(store: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    store.conditional = False
    uri = f"s3://{BUCKET}/out/a"
    read = remote.read_bytes

    def overwritten(asked: str) -> bytes:
        store.put("out/a", b"theirs")
        return read(asked)

    monkeypatch.setattr(remote, "read_bytes", overwritten)
    with pytest.raises(FileExistsError):
        publish_bytes(uri, b"ours", create=True)


@pytest.mark.parametrize("answers", [(503, 503), (429, 429), (500,), (0, 0), (0.5, 503)])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_store_that_fails_for_a_while_is_asked_again(
    store: S3Server, answers: tuple[int | float, ...], method: str
) -> None:
    uri = f"s3://{BUCKET}/out/a"
    store.put("out/b", b"a dog")
    store.faults.append(failing(*answers, method=method))
    assert publish_bytes(uri, b"a cat")
    assert files.read_bytes(f"s3://{BUCKET}/out/b") == b"a dog"
    assert len(files.list_folder(f"s3://{BUCKET}/out")) == 2
    assert store.objects()["out/a"] == b"a cat"


@pytest.mark.parametrize(
    ("action", "call"),
    [
        ("read", lambda uri: files.read_bytes(uri)),
        ("write", lambda uri: publish_bytes(uri, b"x")),
        ("list", lambda uri: files.list_folder(files.parent(uri))),
        ("look for", lambda uri: files.match(uri)),
        ("delete", lambda uri: files.delete([uri])),
    ],
)
def test_a_refusal_names_bucket_and_action(store: S3Server, action: str, call) -> None:
    store.faults.append(lambda method, path: 403)
    with pytest.raises(EnvironmentFault, match=rf"^s3://{BUCKET}: no permission to {action} s3://") as refused:
        call(f"s3://{BUCKET}/out/a.tar")
    assert "\n" not in str(refused.value)
    assert len(store.requests) <= 3  # botocore asks again whether the bucket is in another region


def test_a_bucket_that_is_not_there(store: S3Server) -> None:
    with pytest.raises(EnvironmentFault, match=r"^s3://no-such-bucket: cannot write .*bucket does not exist"):
        publish_bytes("s3://no-such-bucket/a", b"x")
    with pytest.raises(FileNotFoundError):
        files.read_bytes("s3://no-such-bucket/a")


def _read_in_child(uri: str, answer) -> None:
    answer.send((os.getpid(), files.read_bytes(uri)))


def test_a_forked_child_has_its_own_client(store: S3Server) -> None:
    uri = store.put("a", b"a dog")
    assert files.read_bytes(uri) == b"a dog"
    here, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=_read_in_child, args=(uri, there))
    child.start()
    assert here.poll(20), "the child waits for a thread of its parent"
    pid, data = here.recv()
    child.join()
    assert (pid != os.getpid(), data) == (True, b"a dog")


def test_requests(store: S3Server) -> None:
    """A small file is read and written with one request; a listing takes one for 1,000 files."""
    uri = f"s3://{BUCKET}/out/a"
    publish_bytes(uri, b"a dog")
    files.read_bytes(uri)
    files.list_folder(f"s3://{BUCKET}/out", "**")
    files.delete([uri])
    assert store.requests == [
        f"PUT /{BUCKET}/out/a",
        f"GET /{BUCKET}/out/a",
        f"GET /{BUCKET}?list",
        f"DELETE /{BUCKET}/out/a",
    ]
