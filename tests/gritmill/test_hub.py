"""A detector by hub id, here from a cache in the layout of the hub's client, without network."""

import json
import logging
import shutil
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

import gritmill
from pipeline.model_identity import identify
from tests import sample_pairs
from transforms.detectors.settings import DetectorSettings

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path, grounding_dino):
    repo = tmp_path / "hub" / "models--somebody--tiny"
    shutil.copytree(grounding_dino, repo / "snapshots" / COMMIT)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(COMMIT)
    return tmp_path / "hub"


@pytest.fixture
def run(tmp_path, call, monkeypatch):
    """Runs `gritmill run` with a configuration, more arguments, and a folder instead of the hub's cache."""

    def run(cache, config, *words):
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
        monkeypatch.setattr("huggingface_hub.utils._cache_manager.HF_HUB_CACHE", str(cache))
        (tmp_path / "own.yaml").write_text(json.dumps(config))
        pattern = sample_pairs.as_tars(sample_pairs.drawn(4), tmp_path / "in")
        status, _, said = call("run", "own.yaml", "--input", pattern, "--output", "out", "--quiet", *words)
        return status, said

    return run


@pytest.fixture
def asked(monkeypatch):
    """The requests to a hub that is overloaded."""
    asked = []

    class Overloaded(BaseHTTPRequestHandler):
        def do_GET(self):
            if "/somebody/" in self.path:  # the client sends other requests, too
                asked.append(self.path)
            self.send_error(503)

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Overloaded) as server:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        endpoint = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
        template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield asked
        server.shutdown()


def test_a_hub_that_does_not_answer_is_asked_once_and_then_the_cache(parser, cache, run, asked, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("huggingface_hub"), "propagate", True)
    caplog.set_level(logging.WARNING, "huggingface_hub")  # another test may have lowered it
    status, (line,) = run(cache, sample_pairs.settings(parser, "somebody/else"))
    assert (status, asked, caplog.messages) == (2, ["/api/models/somebody/else/revision/main"], [])
    text = "detector.model: somebody/else: not on this machine and not available from the hub (Server error '503"
    assert text in line
    assert line.endswith("get it with: hf download somebody/else")
    asked.clear()
    found = identify._located(DetectorSettings(model="somebody/tiny"))
    assert (found.revision, asked) == (COMMIT, ["/api/models/somebody/tiny/revision/main"])
    asked.clear()
    assert identify._located(found) == found
    assert (asked, caplog.messages) == ([], [])


def test_a_hub_id_is_resolved_to_its_commit(tmp_path, parser, grounding_dino, cache, run):
    status, said = run(cache, sample_pairs.settings(parser, "somebody/tiny"))
    assert status == 0, said
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["models"]["detector"] == f"hub:somebody/tiny@{COMMIT}"
    assert manifest["configuration"]["detector"]["revision"] == COMMIT
    folder = sample_pairs.settings(parser, grounding_dino)
    same = gritmill.run(folder, inputs=[str(tmp_path / "in" / "*.tar")], output=str(tmp_path / "folder"))
    assert [s["sha256"] for s in same["shards"]] == [s["sha256"] for s in manifest["shards"]]


def test_a_model_that_cannot_be_had_answers_with_the_command_that_gets_it(tmp_path, parser, cache, run):
    status, (line,) = run(cache, sample_pairs.settings(parser, "somebody/else"), "--set", "detector.revision=v2")
    assert status == 2
    assert "detector.model: somebody/else: " in line
    assert line.endswith("get it with: hf download somebody/else --revision v2")
    assert not list((tmp_path / "out").glob("[!.]*"))


def test_a_download_that_broke_off_is_no_model(tmp_path, parser, run):
    (tmp_path / "hub/models--somebody--tiny/snapshots" / COMMIT).mkdir(parents=True)
    config = sample_pairs.settings(parser, "somebody/tiny")
    config["detector"]["revision"] = COMMIT
    status, (line,) = run(tmp_path / "hub", config)
    assert status == 2
    assert line.endswith(f"get it with: hf download somebody/tiny --revision {COMMIT}")


def test_a_name_is_asked_for_by_itself_so_that_the_cache_knows_it_later(tmp_path, monkeypatch):
    """The client stores the commit of a branch only if a file is requested by the branch."""
    asked = []

    def download(model, file, revision):
        asked.append((model, file, revision))
        return str(tmp_path / COMMIT / file)

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_, **__: None)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    assert [identify._resolve_commit("some/model", revision) for revision in (None, "v2")] == [COMMIT] * 2
    assert asked == [("some/model", "config.json", "main"), ("some/model", "config.json", "v2")]
