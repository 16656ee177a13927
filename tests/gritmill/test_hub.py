"""A detector by hub id: here out of a cache that looks as the hub's own client leaves it, with no network."""

import json
import os
import shutil
import subprocess
import sys

import pytest

import gritmill
from tests import made

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path, grounding_dino):
    repo = tmp_path / "hub" / "models--somebody--tiny"
    shutil.copytree(grounding_dino, repo / "snapshots" / COMMIT)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(COMMIT)
    return tmp_path / "hub"


def call(tmp_path, cache, config, *words):
    (tmp_path / "own.yaml").write_text(json.dumps(config))
    pattern = made.as_tars(made.drawn(4), tmp_path / "in")
    command = [sys.executable, "-m", "gritmill", "run", str(tmp_path / "own.yaml"), "--input", pattern]
    environment = {**os.environ, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1"}
    out = ["--output", str(tmp_path / "out"), "--quiet"]
    return subprocess.run([*command, *out, *words], capture_output=True, text=True, env=environment)


@pytest.mark.slow
def test_a_hub_id_is_resolved_to_its_commit(tmp_path, parser, grounding_dino, cache):
    ended = call(tmp_path, cache, made.settings(parser, "somebody/tiny"))
    assert ended.returncode == 0, ended.stderr
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["models"]["detector"] == f"hub:somebody/tiny@{COMMIT}"
    assert manifest["configuration"]["detector"]["revision"] == COMMIT
    folder = made.settings(parser, grounding_dino)
    same = gritmill.run(folder, inputs=[str(tmp_path / "in" / "*.tar")], output=str(tmp_path / "folder"))
    assert [s["sha256"] for s in same["shards"]] == [s["sha256"] for s in manifest["shards"]]


def test_a_model_that_cannot_be_had_answers_with_the_command_that_gets_it(tmp_path, parser, cache):
    ended = call(tmp_path, cache, made.settings(parser, "somebody/else"), "--set", "detector.revision=v2")
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert "detector.model: somebody/else: " in line
    assert line.endswith("get it with: hf download somebody/else --revision v2")
    assert not list((tmp_path / "out").glob("[!.]*"))


def test_a_download_that_broke_off_is_no_model(tmp_path, parser):
    (tmp_path / "hub/models--somebody--tiny/snapshots" / COMMIT).mkdir(parents=True)
    config = made.settings(parser, "somebody/tiny")
    config["detector"]["revision"] = COMMIT
    ended = call(tmp_path, tmp_path / "hub", config)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.endswith(f"get it with: hf download somebody/tiny --revision {COMMIT}")
