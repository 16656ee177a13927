"""Whether a worker has the models of a plan."""

import os
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.configuration import Configuration, validate
from pipeline.model_identity import cache, compare
from pipeline.model_identity.compare import differing_model
from pipeline.model_identity.identify import folder_hash, identify_models
from transforms import bundled


def configuration(**models: str) -> Configuration:
    return validate({"phrases": {"model": "caption-parser"}, "detector": {"model": "scene-grounder"}} | models)


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """The folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture(scope="module")
def identities() -> dict[str, str]:
    return identify_models(configuration())


def test_the_embedded_models_are_those_of_the_plan(identities):
    assert identities["detector"].startswith("folder:")
    assert identities["phrases"].startswith("folder:")
    assert differing_model(configuration(), identities) == ""


def test_another_content_is_told(identities):
    folder = bundled.folder("models") / "caption-parser"
    expected = f"phrases.model: caption-parser ({folder}): not the model of the plan"
    assert differing_model(configuration(), identities | {"phrases": "folder:0"}) == expected


def test_a_folder_is_compared_by_its_content_and_must_be_there(tmp_path, identities):
    model = tmp_path / "model"
    shutil.copytree(bundled.folder("models") / "scene-grounder", model)
    here = configuration(detector={"model": str(model)})
    planned = identities | {"detector": f"folder:{folder_hash(model)}"}
    assert differing_model(here, planned) == ""
    (model / "README.md").write_text("no part of the model")
    assert differing_model(here, planned) == ""
    (model / "config.json").write_text("{}")
    assert differing_model(here, planned).endswith("not the model of the plan")
    shutil.rmtree(model)
    assert differing_model(here, planned) == f"detector.model: {model}: not there"


def old_model(folder):
    """A copy of a model that has not changed for an hour."""
    shutil.copytree(bundled.folder("models") / "scene-grounder", folder)
    for path in folder.rglob("*"):
        os.utime(path, (time.time() - 3600,) * 2)
    return folder


def test_a_model_is_hashed_once_on_a_machine_until_a_file_of_it_changes(tmp_path, monkeypatch):
    model = old_model(tmp_path / "model")
    monkeypatch.setattr(cache, "_RECENT", 0)  # the copy has just got its inodes
    hashed = []
    monkeypatch.setattr(compare, "folder_hash", lambda folder: hashed.append(folder) or folder_hash(folder))
    here = configuration(detector={"model": str(model)})
    planned = {"detector": f"folder:{folder_hash(model)}"}
    for _ in range(3):
        assert differing_model(here, planned) == ""
    assert hashed == [model]
    (model / "config.json").write_bytes((model / "config.json").read_bytes() + b" ")
    for _ in range(2):
        assert differing_model(here, planned).endswith("not the model of the plan")
    assert hashed == [model, model]


def test_workers_that_start_at_once_hash_a_model_once(tmp_path, monkeypatch):
    model = old_model(tmp_path / "model")
    monkeypatch.setattr(cache, "_RECENT", 0)
    hashed = []

    def slow(folder):
        time.sleep(0.2)
        hashed.append(folder)
        return "1"

    monkeypatch.setattr(compare, "folder_hash", slow)
    here = configuration(detector={"model": str(model)})
    with ThreadPoolExecutor(4) as pool:  # flock parts open files, not processes
        assert set(pool.map(lambda _: differing_model(here, {"detector": "folder:1"}), range(4))) == {""}
    assert hashed == [model]


@pytest.mark.parametrize("what", ["a file", "a link", "a folder that others may write"])
def test_a_cache_that_is_not_this_users_alone_is_not_used(tmp_path, temporary, what):
    model = old_model(tmp_path / "model")
    path = temporary / f"gritmill-models-{os.getuid()}"
    if what == "a file":
        path.touch()
    elif what == "a link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.mkdir()
        path.chmod(0o777)
    here = configuration(detector={"model": str(model)})
    assert differing_model(here, {"detector": f"folder:{folder_hash(model)}"}) == ""
    assert path.is_file() or not list(path.iterdir())


def test_models_of_the_hub_and_factories_are_not_compared(identities):
    hub = configuration(detector={"model": "someone/model", "revision": "1"})
    assert differing_model(hub, identities | {"detector": "hub:someone/model@1"}) == ""


def test_other_word_lists_are_told(identities):
    assert differing_model(configuration(), identities | {"drop_lists": "0"}) == (
        "phrases.drop_lists: the word lists are not those of the plan"
    )
