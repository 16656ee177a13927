"""Files in object stores, through real clients and servers on loopback."""

import io
import multiprocessing
import os
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from s3fs import S3FileSystem

from pipeline import files
from pipeline.configuration import SourceSettings
from pipeline.faults import BucketFault, CallError, EnvironmentFault
from pipeline.files import remote
from pipeline.files.lock import hold, is_marked
from pipeline.files.publish import publish, publish_bytes
from pipeline.layout import HEARTBEAT, VIEW_MARKER
from pipeline.plan.find_sources import find_sources
from pipeline.sources.parquet import ParquetSource
from tests import stores
from tests.store_server import BUCKET, StoreServer, failing


@pytest.fixture(params=["s3", *stores.OTHERS])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreServer]:
    with stores.serving(request.param, monkeypatch) as server:
        yield server


ODD = ["x[1].tar", "what?.tar", "50%.tar", "a+b c.tar", "ä.tar", "a*.tar", "#1.tar", "a..b.tar"]


@pytest.mark.parametrize("name", ODD)
def test_a_name_is_no_pattern(store: StoreServer, name: str) -> None:
    store.put("in/xx1.tar")
    store.put("in/x1.tar", b"other")
    uri = store.uri(f"in/{name}")
    assert publish_bytes(uri, b"a dog")
    assert store.objects()[f"in/{name}"] == b"a dog"
    assert [(info.uri, info.size) for info in files.match(uri)] == [(uri, 5)]
    assert files.read_bytes(uri) == b"a dog"
    with files.open_read(uri) as file:
        assert (file.seek(2), file.read(2)) == (2, b"do")
    assert uri in [info.uri for info in files.list_folder(store.uri("in"))]
    files.delete([uri])
    assert sorted(store.objects()) == ["in/x1.tar", "in/xx1.tar"]


@pytest.mark.parametrize("name", ["what?", "a?b#c", "x#"])
def test_a_name_that_a_client_changes_is_refused(store: StoreServer, name: str) -> None:
    uri = store.uri(name)
    if store.scheme == "abfs":
        with pytest.raises(CallError, match="changes this name; rename the file"):
            publish_bytes(uri, b"a dog")
    else:
        assert publish_bytes(uri, b"a dog")
        assert store.objects() == {name: b"a dog"}
        assert files.read_bytes(uri) == b"a dog"


@pytest.mark.parametrize("folder", ["run[1]", "a b", "run*"])
def test_a_folder_of_any_name(store: StoreServer, folder: str) -> None:
    for key in (f"{folder}/b.json", f"{folder}/deep/c.json", "run1/d.json", f"{folder}x/e.json"):
        store.put(key)
    uri = store.uri(f"{folder}")
    assert [info.uri for info in files.list_folder(uri, "*.json")] == [f"{uri}/b.json"]
    assert [info.uri for info in files.list_folder(uri, "**")] == [f"{uri}/b.json", f"{uri}/deep/c.json"]
    files.move_folder(uri, store.uri("moved"))
    assert sorted(store.objects()) == sorted([f"{folder}x/e.json", "moved/b.json", "moved/deep/c.json", "run1/d.json"])


def test_a_folder_can_have_the_name_of_a_file(store: StoreServer) -> None:
    store.put("out/run", b"a file")
    store.put("out/run/plan.json", b"{}")
    store.put("out/run/shards/", b"")  # what consoles write for an empty folder
    uri = store.uri("out/run")
    assert [info.uri for info in files.list_folder(uri)] == [f"{uri}/plan.json"]
    assert [info.uri for info in files.list_folder(uri, "**")] == [f"{uri}/plan.json"]
    assert files.list_tree(uri).keys() == {uri}
    assert [(info.uri, info.size) for info in files.match(uri)] == [(uri, 6)]
    assert files.match(f"{uri}/shards/") == []
    assert files.match(store.uri("out/*")) == files.match(uri)


def test_a_folder_that_a_console_made(store: StoreServer) -> None:
    for key in ("out/", "out/a/", "out/a/b", "out/c"):
        store.put(key)
    uri = store.uri("out")
    assert remote.folders_in(uri) == [f"{uri}/a"]
    assert [info.uri for info in files.list_folder(uri)] == [f"{uri}/c"]
    assert [info.uri for info in files.list_folder(uri, "*/*")] == [f"{uri}/a/b"]
    assert [info.uri for info in files.list_folder(uri, "**")] == [f"{uri}/a/b", f"{uri}/c"]


def test_globs(store: StoreServer) -> None:
    for key in ("a/1.tar", "a/2.tar", "a/.h.tar", "a/b/3.tar", "c/1.tar", "top.tar"):
        store.put(key)

    def found(pattern: str) -> list[str]:
        return [info.uri.removeprefix(store.uri("")) for info in files.match(store.uri(f"{pattern}"))]

    assert found("a/*.tar") == ["a/.h.tar", "a/1.tar", "a/2.tar"]
    assert found("a/[12].tar") == ["a/1.tar", "a/2.tar"]
    assert found("?/1.tar") == ["a/1.tar", "c/1.tar"]
    assert found("**/3.tar") == ["a/b/3.tar"]
    assert found("*.tar") == ["top.tar"]
    assert found("none/*.tar") == []


def test_the_stamp_is_the_time_of_the_last_change(store: StoreServer) -> None:
    uri = store.put("a.tar", b"a dog")
    changed = store.changed("a.tar")
    assert files.match(uri) == files.match(store.uri("*.tar")) == [files.FileInfo(uri, 5, changed)]


def test_what_others_write_is_seen_at_once(store: StoreServer) -> None:
    folder = store.uri("out")
    assert (files.list_folder(folder), files.exists(f"{folder}/a")) == ([], False)
    store.put("out/a")
    assert ([info.uri for info in files.list_folder(folder)], files.exists(f"{folder}/a")) == ([f"{folder}/a"], True)
    store.delete("out/a")
    assert (files.list_folder(folder), files.exists(f"{folder}/a")) == ([], False)


@pytest.fixture
def ask_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets S3's client give up soon. The others do not wait in these tests."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    S3FileSystem.clear_instance_cache()
    yield
    S3FileSystem.clear_instance_cache()


@pytest.mark.usefixtures("ask_once")
@pytest.mark.parametrize("size", [100, 12 << 20])
def test_an_exception_publishes_nothing(store: StoreServer, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(remote, "_PUT_BYTES", 5 << 20)
    uri = store.uri("out/a.tar")
    with pytest.raises(RuntimeError), publish(uri) as file:  # noqa: PT012
        file.write(b"x" * size)
        raise RuntimeError
    assert publish_bytes(uri, b"x" * size, guard=lambda: False) is False
    assert (store.objects(), store.unfinished_uploads()) == ({}, [])
    assert publish_bytes(uri, b"y" * size)
    store.faults.append(failing(*[500] * 50, method="P"))
    with pytest.raises(Exception, match="InternalError"):
        publish_bytes(uri, b"z" * size)
    store.faults.clear()
    assert (store.objects(), store.unfinished_uploads()) == ({"out/a.tar": b"y" * size}, [])


def _set_conditional(store: StoreServer, conditional: bool) -> None:
    if store.scheme == "abfs" and not conditional:
        pytest.skip("Azure always has conditional puts, and its client signs the condition")
    store.conditional = conditional


@pytest.mark.parametrize("conditional", [True, False])
@pytest.mark.parametrize("size", [100, 12 << 20])
def test_the_first_writer_wins(
    store: StoreServer, monkeypatch: pytest.MonkeyPatch, size: int, conditional: bool
) -> None:
    """A store without conditional puts has the content of the last writer, and the first one finds that out."""
    monkeypatch.setattr(remote, "_PUT_BYTES", 5 << 20)
    _set_conditional(store, conditional)
    uri = store.uri("out/a.tar")
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
        publish_bytes(store.uri("out/b.tar"), b"4" * size, guard=overtaken, create=True)
    assert store.objects()["out/b.tar"] == b"3" * size
    assert store.unfinished_uploads() == []


def test_any_bytes_are_stored(store: StoreServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also ends of lines, and what looks like the border of two parts of a request."""
    monkeypatch.setattr(remote, "_PUT_BYTES", 5 << 20)
    lines, border = b"\r\n\r\n\n\r\n", b"a\n--==0\nb"
    for number, data in enumerate([b"", lines, border, os.urandom(1 << 20), os.urandom((12 << 20) + 1)]):
        uri = store.uri(f"out/{number}")
        assert publish_bytes(uri, data)
        assert files.read_bytes(uri) == data
        assert store.objects()[f"out/{number}"] == data
    if store.scheme == "gs":
        with pytest.raises(OSError, match=r"^gs://grit: cannot write gs://grit/out/a: "):
            publish_bytes(store.uri("out/a"), b"a\r")  # the emulator loses the last byte


def test_a_put_that_others_overwrite_is_found_out(store: StoreServer, monkeypatch: pytest.MonkeyPatch) -> None:
    _set_conditional(store, False)
    uri = store.uri("out/a")
    read = remote.read_bytes

    def overwritten(asked: str) -> bytes:
        store.put("out/a", b"theirs")
        return read(asked)

    monkeypatch.setattr(remote, "read_bytes", overwritten)
    with pytest.raises(FileExistsError):
        publish_bytes(uri, b"ours", create=True)


@pytest.mark.parametrize(
    "answers",
    [
        (503,),
        *(pytest.param(answers, marks=pytest.mark.slow) for answers in [(429, 429), (500,), (0, 0), (0.5, 503, 503)]),
    ],
)
@pytest.mark.parametrize("method", ["read", "write"])
def test_a_store_that_fails_for_a_while_is_asked_again(
    store: StoreServer, answers: tuple[int | float, ...], method: str
) -> None:
    uri = store.uri("out/a")
    store.put("out/b", b"a dog")
    if store.scheme == "abfs" and 429 in answers:
        pytest.skip("Azure answers 503 instead, and its client does not repeat a request after 429")
    store.faults.append(failing(*answers, method="GET" if method == "read" else store.put_method))
    assert publish_bytes(uri, b"a cat")
    assert files.read_bytes(store.uri("out/b")) == b"a dog"
    assert len(files.list_folder(store.uri("out"))) == 2
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
def test_a_refusal_names_bucket_and_action(store: StoreServer, action: str, call) -> None:
    store.faults.append(lambda method, path: 403)
    with pytest.raises(EnvironmentFault, match=rf"^{store.scheme}://{BUCKET}: no permission to {action} ") as refused:
        call(store.uri("out/a.tar"))
    assert "\n" not in str(refused.value)
    assert len(store.requests) <= 3  # botocore asks again whether the bucket is in another region


def test_a_refusal_in_the_middle_of_a_file(store: StoreServer) -> None:
    uri = store.put("out/a", b"x" * (20 << 20))
    with files.open_read(uri) as file:
        assert file.read(1) == b"x"
        store.faults.append(lambda method, path: 403)
        with pytest.raises(EnvironmentFault, match=rf"^{store.scheme}://{BUCKET}: no permission to read {uri} "):
            file.read()


def test_a_bucket_that_is_not_there(store: StoreServer) -> None:
    with pytest.raises(EnvironmentFault, match=rf"^{store.scheme}://no-such-bucket: .*cannot write "):
        publish_bytes(f"{store.scheme}://no-such-bucket/a", b"x")
    if store.scheme == "gs":  # Google's client does not tell it
        return
    for ask, name in ((files.read_bytes, "a.tar"), (files.match, "a.tar"), (files.match, "*.tar")):
        with pytest.raises(BucketFault, match=rf"^{store.scheme}://no-such-bucket: no such bucket; "):
            ask(f"{store.scheme}://no-such-bucket/{name}")
    with pytest.raises(CallError, match=rf"^--input: {store.scheme}://no-such-bucket: no such bucket; "):
        find_sources([f"{store.scheme}://no-such-bucket/*.tar"])


@pytest.mark.usefixtures("ask_once")
@pytest.mark.parametrize("store", [pytest.param(kind, marks=pytest.mark.slow) for kind in stores.KINDS], indirect=True)
def test_a_store_that_does_not_answer(store: StoreServer, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is printed; the exception names the file."""
    uri = store.uri("out/a")
    store.faults.append(lambda method, path: 0)
    with pytest.raises(OSError, match=f"^{store.scheme}://{BUCKET}: cannot read {uri}: "):
        files.read_bytes(uri)
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("ask_once")
@pytest.mark.parametrize("answer", [pytest.param(0, marks=pytest.mark.slow), 503])
def test_a_connection_that_is_lost_is_no_damage_of_a_table(
    store: StoreServer, monkeypatch: pytest.MonkeyPatch, answer: int
) -> None:
    """Rows that Arrow cannot read because of damage are failed pairs for ever."""
    monkeypatch.setattr(remote, "_READ_BYTES", 1 << 16)
    rows = pa.table({"caption": ["a dog"] * 40, "image": [os.urandom(10_000) for _ in range(40)]})
    pq.write_table(rows, written := io.BytesIO(), row_group_size=10)
    uri = store.put("a.parquet", written.getvalue())
    [info] = files.match(uri)
    read = ParquetSource(info, SourceSettings()).rows(0)
    assert next(read)[1]["caption"] == "a dog"
    store.faults.append(lambda method, path: answer)
    with pytest.raises(ConnectionError, match=f"^{store.scheme}://{BUCKET}: cannot read {uri}: "):
        list(read)


def test_conditional_puts_of_other_stores_than_amazons(monkeypatch: pytest.MonkeyPatch) -> None:
    """They refuse a put without naming the condition, or do not know conditions."""
    monkeypatch.setattr(remote, "_PUT_BYTES", 5 << 20)
    monkeypatch.setattr(remote, "_PAUSES", (0.1, 0.1))
    with stores.serving("s3", monkeypatch) as store:
        store.faults.append(failing(501, method="PUT", suffix="-twice"))
        assert not remote.has_create_only_puts(store.uri("out"))
        remote._CREATE_ONLY.clear()
        puts = iter((None, 412))
        store.faults.append(lambda method, path: next(puts) if path.endswith("-twice") and method == "PUT" else None)
        assert remote.has_create_only_puts(store.uri("out"))
        store.faults.append(failing(412, method="PUT", suffix="out/a"))
        with pytest.raises(FileExistsError):
            publish_bytes(store.uri("out/a"), b"ours", create=True)
        posts = iter((None, 412))  # the second one completes the upload
        store.faults.append(lambda method, path: next(posts, None) if method == "POST" else None)
        with pytest.raises(FileExistsError):
            publish_bytes(store.uri("out/b"), b"x" * (6 << 20), create=True)
        store.faults.append(failing(409, 409, method="PUT", suffix="out/c"))
        assert publish_bytes(store.uri("out/c"), b"ours", create=True)
        posts = iter((None, 409, None))  # the parts are uploaded again
        store.faults.append(lambda method, path: next(posts, None) if method == "POST" else None)
        assert publish_bytes(store.uri("out/d"), b"x" * (6 << 20), create=True)
        store.client.delete_object(Bucket=BUCKET, Key="out/d")
        assert (store.objects(), store.unfinished_uploads()) == ({"out/c": b"ours"}, [])


class _AzureError(Exception):
    """As Azure's client raises it; adlfs makes a FileExistsError of it."""

    response = object()


def test_a_put_that_another_client_refuses() -> None:
    class Client:
        def pipe_file(self, path: str, data: bytes, mode: str) -> None:
            raise FileExistsError(path) from _AzureError()

    with pytest.raises(FileExistsError, match=r"^c/a$"):
        remote._put(Client(), "c/a", b"ours", create=True)


@pytest.mark.usefixtures("short_settling")
@pytest.mark.parametrize("conditional", [True, False])
def test_one_run_uses_a_folder(store: StoreServer, conditional: bool) -> None:
    _set_conditional(store, conditional)
    with hold(store.uri("out")):
        with pytest.raises(CallError, match="another run used this folder"), hold(store.uri("out")):
            pass
        with files.open_read(store.uri(f"out/{HEARTBEAT}")) as file:
            assert store.objects() == {f"out/{HEARTBEAT}": file.read()}
    assert store.objects() == {}


def test_a_folder_is_empty_although_a_killed_run_left_a_temporary_file(store: StoreServer) -> None:
    store.put("page/.gritmill-tmp-0123456789ab-twice", b"twice")
    assert not is_marked(store.uri("page"), VIEW_MARKER, "gritmill view")
    store.put("page/index.html")
    with pytest.raises(CallError, match="is not empty"):
        is_marked(store.uri("page"), VIEW_MARKER, "gritmill view")


def _read_in_child(uri: str, answer) -> None:
    answer.send((os.getpid(), files.read_bytes(uri)))


def test_a_forked_child_has_its_own_client(store: StoreServer) -> None:
    uri = store.put("a", b"a dog")
    assert files.read_bytes(uri) == b"a dog"
    here, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=_read_in_child, args=(uri, there))
    child.start()
    assert here.poll(20), "the child waits for a thread of its parent"
    pid, data = here.recv()
    child.join()
    assert (pid != os.getpid(), data) == (True, b"a dog")


def test_a_folder_that_is_moved_keeps_its_plan_until_the_end(store: StoreServer) -> None:
    """A call that was killed finds the plan, and moves the rest."""
    for name in ("plan.json", "00000/00000-00000.parquet", "working/a.json"):
        store.put(f"out/detections/{name}", b"x")
    store.faults.append(failing(*[403] * 9, method="DELETE", suffix="plan.json"))
    with pytest.raises(EnvironmentFault):
        files.move_folder(store.uri("out/detections"), store.uri("out/detections.1"))
    store.faults.clear()
    assert [key for key in store.objects() if key.startswith("out/detections/")] == ["out/detections/plan.json"]
    files.move_folder(store.uri("out/detections"), store.uri("out/detections.1"))
    assert len(store.objects()) == 3


@pytest.mark.parametrize(
    ("answer", "message"),
    [(503, "cannot look for .*SlowDown"), (403, "no permission to look for"), (0, "cannot look for .*disconnected")],
)
def test_a_web_server_that_fails_is_no_missing_file(store: StoreServer, answer: int, message: str) -> None:
    uri = f"{store.url}/{BUCKET}/a.tar"
    assert files.match(uri) == []
    store.faults.append(lambda method, path: answer)
    with pytest.raises((EnvironmentFault, ConnectionError), match=message):
        files.match(uri)


def test_requests(store: StoreServer) -> None:
    """A small file is read and written with one request; a listing takes one for 1,000 files (5,000 on Azure)."""
    uri = store.uri("out/a")
    publish_bytes(uri, b"a dog")
    files.read_bytes(uri)
    files.list_folder(store.uri("out"), "**")
    files.list_folder(store.uri("out"))
    files.delete([uri])
    asked = [request.split(" ")[0] + "?list" * request.endswith("?list") for request in store.requests]
    assert asked == [store.put_method, "GET", "GET?list", "GET?list", "DELETE"]
