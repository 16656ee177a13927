import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.layout import MODEL_CACHE
from pipeline.model_identity import cache
from pipeline.model_identity.cache import ModelCache, file_signature
from tests.pipeline.builders import stored


@pytest.fixture
def computed() -> list[str]:
    """The keys whose values were computed."""
    return []


@pytest.fixture
def cached(tmp_path: Path, computed: list[str]) -> Callable[..., str]:
    """Uses the cache as a run does: reads it, looks up values, saves it."""

    def use(signature: str, answer: str = "folder:1", key: str = "parser /p") -> str:
        run = ModelCache(str(tmp_path))
        found = run.get_or_compute(key, lambda: signature, lambda: computed.append(key) or answer)
        run.save()
        return found

    return use


def test_a_value_is_valid_as_long_as_its_signature_is_the_same(cached: Callable[..., str], computed: list[str]) -> None:
    assert [cached("a"), cached("a", "folder:2")] == ["folder:1", "folder:1"]
    assert len(computed) == 1
    assert [cached("b", "folder:2"), cached("b")] == ["folder:2", "folder:2"]
    assert len(computed) == 2
    assert cached("b", "folder:3", "parser /q") == "folder:3"


def test_without_a_signature_nothing_is_cached(cached: Callable[..., str], computed: list[str]) -> None:
    assert [cached(""), cached("", "folder:2")] == ["folder:1", "folder:2"]
    assert len(computed) == 2


def test_what_changes_while_it_is_computed_is_not_cached(tmp_path: Path) -> None:
    signatures = iter(["a", "b", "a", "a"])
    run = ModelCache(str(tmp_path))
    assert run.get_or_compute("parser /p", lambda: next(signatures), lambda: "folder:1") == "folder:1"
    run.save()
    assert (
        ModelCache(str(tmp_path)).get_or_compute("parser /p", lambda: next(signatures), lambda: "folder:2")
        == "folder:2"
    )


def test_an_error_passes_and_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> str:
        raise ValueError("no parser")

    run = ModelCache(str(tmp_path))
    with pytest.raises(ValueError, match="no parser"):
        run.get_or_compute("parser /p", lambda: "a", fail)
    run.save()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[1",
        b"[]",
        b"7",
        b"{}",
        b"[" * 100_000,
        json.dumps({"format": 99, "known": {"parser /p": ["a", "folder:9"]}}).encode(),
        json.dumps({"format": 1, "known": ["parser /p"]}).encode(),
        json.dumps({"format": 1, "known": {"parser /p": ["a"]}}).encode(),
        json.dumps({"format": 1, "known": {"parser /p": ["a", 9]}}).encode(),
    ],
    ids=lambda data: data[:20].decode("latin-1"),
)
def test_a_file_that_is_damaged_or_not_ours_is_nothing(
    tmp_path: Path, cached: Callable[..., str], computed: list[str], data: bytes
) -> None:
    (tmp_path / MODEL_CACHE).write_bytes(data)
    assert [cached("a"), cached("a", "folder:2")] == ["folder:1", "folder:1"]
    assert len(computed) == 1


def test_a_folder_that_cannot_be_written_fails_no_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    run = ModelCache(str(tmp_path / "file"))
    assert run.get_or_compute("parser /p", lambda: "a", lambda: "folder:1") == "folder:1"
    run.save()


def test_the_file_is_written_only_if_it_changes(tmp_path: Path, cached: Callable[..., str]) -> None:
    cached("a")
    before = (tmp_path / MODEL_CACHE).stat()
    cached("a")
    assert (tmp_path / MODEL_CACHE).stat().st_ino == before.st_ino
    (tmp_path / MODEL_CACHE).unlink()
    cached("a")
    assert (tmp_path / MODEL_CACHE).exists()


def test_a_signature_changes_with_name_size_content_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_RECENT", 0)
    path = tmp_path / "weights"
    stored(path, "1")
    status = path.stat()
    signatures = {file_signature([path])}
    assert signatures == {file_signature([path])}
    time.sleep(0.05)  # the clock of a file system has coarse steps
    path.write_text("2")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # size and modification time are unchanged
    signatures.add(file_signature([path]))
    os.utime(path)
    signatures.add(file_signature([path]))
    path.write_text("22")
    signatures.add(file_signature([path]))
    path = path.rename(tmp_path / "other")
    signatures |= {
        file_signature([path]),
        file_signature([path], "pytest"),
        file_signature([path], "pytest", "pydantic"),
    }
    assert len(signatures) == 7
    assert "" not in signatures


def test_there_is_no_signature_of_what_may_still_change_or_cannot_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(tmp_path / "weights", "1")
    assert not file_signature([tmp_path / "weights"])
    monkeypatch.setattr(cache, "_RECENT", 0)
    assert file_signature([tmp_path / "weights"])
    assert not file_signature([tmp_path / "weights", tmp_path / "gone"])
    assert not file_signature([tmp_path / "weights"], "no-such-package")
