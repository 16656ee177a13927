import gzip
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from pipeline import files
from pipeline.faults import CallError, EnvironmentFault
from tests import fake_object_store
from tests.pipeline.builders import stored


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
    fake_object_store.use(tmp_path / "shelf")
    fake_object_store.put("shelf://data/ax.tar", b"")
    uri = fake_object_store.put(f"shelf://data/{name}", b"a")
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
    fake_object_store.use(tmp_path / "shelf")
    assert files.list_folder(str(tmp_path / "nowhere")) == []
    assert files.list_folder("shelf://nowhere") == []


def test_on_an_object_store(tmp_path: Path) -> None:
    fake_object_store.use(tmp_path)
    for name in ("out/b.json", "out/a.json", "out/deep/c.json", "outer/d.json"):
        fake_object_store.put(f"shelf://data/{name}", b'{"a": 1}')
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
    fake_object_store.use(tmp_path / "shelf")
    stored(tmp_path / "a.gz", packed)
    fake_object_store.put("shelf://data/a.gz", packed)
    for uri in (str(tmp_path / "a.gz"), "shelf://data/a.gz"):
        assert files.read_bytes(uri) == packed
        with files.open_read(uri) as file:
            file.seek(2)
            assert file.read(1) == packed[2:3]


@pytest.mark.parametrize("odd", ["run[1]", "run*", "run?"])
def test_a_name_is_no_pattern_when_it_comes_to_deleting(tmp_path: Path, odd: str) -> None:
    """Beam's delete treats its argument as a pattern: it would delete files in another folder."""
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


def test_a_folder_moves_with_all_that_it_holds(tmp_path: Path) -> None:
    fake_object_store.use(tmp_path / "shelf")
    stored(tmp_path / "old/d/a.json", "a")
    files.move_folder(str(tmp_path / "old"), str(tmp_path / "new"))
    assert (tmp_path / "new/d/a.json").read_text() == "a"
    assert not (tmp_path / "old").exists()
    for name in ("old/a.json", "old/d/b.json", "older/c.json"):
        fake_object_store.put(f"shelf://data/{name}", b"")
    files.move_folder("shelf://data/old", "shelf://data/new")
    names = ["new/a.json", "new/d/b.json", "older/c.json"]
    assert fake_object_store.objects() == [f"shelf://data/{name}" for name in names]


def test_an_unknown_file_system_is_refused_in_one_line() -> None:
    with pytest.raises(CallError, match=r"^zzz://data/a\.tar: .+$") as refused:
        files.match("zzz://data/a.tar")
    assert "\n" not in str(refused.value)


def test_folder_by_folder_lists_the_same_files(tmp_path: Path) -> None:
    fake_object_store.use(tmp_path / "shelf")
    for name in ("out/0/a.json", "out/0/.b.json", "out/1/a.json", "out/x/a.json", "out/0/d/a.json", "out/2.json"):
        stored(tmp_path / name, "a")
        fake_object_store.put(f"shelf://{name}", b"a")
    (tmp_path / "out/3").mkdir()
    (tmp_path / "out/1/link.json").symlink_to(tmp_path / "out/x/a.json")
    (tmp_path / "out/1/broken.json").symlink_to(tmp_path / "nowhere")
    (tmp_path / "out/4").symlink_to(tmp_path / "out/x")
    for folder in (str(tmp_path / "out"), "shelf://out"):
        groups = [group for group in files.iter_folders(folder, "[0-9]*/*.json") if group]
        assert all(len({files.parent(info.uri) for info in group}) == 1 for group in groups)
        found = sorted(info for group in groups for info in group)
        assert found == files.list_folder(folder, "[0-9]*/*.json")
        assert len(found) == (5 if files.is_local(folder) else 3)
        quick = files.iter_folders(folder, "[0-9]*/*.json", timeless=lambda name: name[0] != ".")
        sizes = {info.uri: info.size for group in quick for info in group}
        named = {info.uri: info.size * (not files.is_local(folder) or "/." in info.uri) for info in found}
        assert sizes == named
    assert list(files.iter_folders(str(tmp_path / "nowhere"), "*/*")) == []


class _Status(BaseHTTPRequestHandler):
    """Answers with the status that the path names."""

    def do_GET(self) -> None:
        self.send_response(int(self.path[1:4]))
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *arguments: object) -> None:
        pass


def test_a_web_server_that_is_away_or_refuses_does_not_say_that_a_file_is_missing() -> None:
    with HTTPServer(("127.0.0.1", 0), _Status) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place = f"http://127.0.0.1:{server.server_port}"
        assert [files.exists(f"{place}/{status}.tar") for status in (200, 404, 410)] == [True, False, False]
        with pytest.raises(EnvironmentFault, match=f"no permission to look for {place}/403.tar"):
            files.exists(f"{place}/403.tar")
        with pytest.raises(ConnectionError, match=f"cannot look for {place}/500.tar"):
            files.exists(f"{place}/500.tar")
        for status in (403, 404, 410, 500):
            with pytest.raises(FileNotFoundError):
                files.read_bytes(f"{place}/{status}.jpg")
        with pytest.raises(ConnectionError, match=f"cannot read {place}/503.jpg"):
            files.read_bytes(f"{place}/503.jpg")
        server.shutdown()
    for action, read in (("look for", files.exists), ("read", files.read_bytes), ("read", files.open_read)):
        with pytest.raises(ConnectionError, match=f"cannot {action} {place}/200.tar"):
            read(f"{place}/200.tar")
