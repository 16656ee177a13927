"""What is missing for an engine is one line with the cure."""

import io
import tarfile
from pathlib import Path

import pytest

from cluster import fetch, java
from cluster.engine import Missing
from cluster.spark import Spark


def fake_java(folder: Path, version: str) -> None:
    path = folder / "bin" / "java"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\n")
    path.chmod(0o755)


def test_java_17_is_taken(tmp_path, monkeypatch):
    fake_java(tmp_path, "17.0.15")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert java.java() == f"{tmp_path}/bin/java"


def test_another_java_is_told(tmp_path, monkeypatch):
    fake_java(tmp_path, "21.0.1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(
        Missing, match=r"Java 17 is missing \(.*/bin/java has version 21.0.1\); on Debian: apt-get install"
    ):
        java.java()


def test_no_java_is_told(tmp_path, monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Missing, match=r"Java 17 is missing \(there is no java\)"):
        java.java()


def test_a_jar_that_is_not_there_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv(fetch.JOB_SERVER, str(tmp_path / "no.jar"))
    with pytest.raises(Missing, match=r"GRITMILL_JOB_SERVER: .*/no.jar: no such file"):
        fetch.job_server()
    monkeypatch.delenv(fetch.JOB_SERVER)
    assert fetch.job_server() is None


def test_spark_needs_a_jar(tmp_path, monkeypatch):
    fake_java(tmp_path, "17.0.15")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.delenv(fetch.JOB_SERVER, raising=False)
    monkeypatch.setattr("cluster.spark.worker_command", lambda: Path("/x"))
    with pytest.raises(Missing, match="GRITMILL_JOB_SERVER is not set"):
        Spark().need()


def test_only_the_programs_of_an_archive_are_kept_and_nothing_is_left_of_a_failure(tmp_path, monkeypatch):
    def download(package: fetch.Package, folder: Path) -> Path:
        path = folder / "x.tar.gz"
        with tarfile.open(path, "w:gz") as tar:
            for name in ("x-1/setup.py", "x-1/deps/lib/log4j-1.jar", "x-1/deps/lib/other.jar"):
                info = tarfile.TarInfo(name)
                info.size = 1
                tar.addfile(info, io.BytesIO(b"x"))
        return path

    package = fetch.Package("x", "1", lambda name: name.startswith("deps/lib/log4j-"))
    monkeypatch.setattr(fetch, "CLUSTERS", tmp_path / "clusters")
    monkeypatch.setattr(fetch, "_download", lambda package, folder: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fetch.programs(package)
    assert list((tmp_path / "clusters").iterdir()) == []
    monkeypatch.setattr(fetch, "_download", download)
    folder = fetch.programs(package)
    assert folder == tmp_path / "clusters" / "x-1"
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("*.jar")] == ["lib/log4j-1.jar"]
    monkeypatch.setattr(fetch, "_download", lambda package, folder: 1 / 0)
    assert fetch.programs(package) == folder
