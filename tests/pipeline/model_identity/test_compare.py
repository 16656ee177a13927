"""Whether a worker has the models of a plan."""

import shutil

import pytest

from pipeline.configuration import Configuration, validate
from pipeline.model_identity.compare import differing_model
from pipeline.model_identity.identify import folder_hash, identify_models
from transforms import bundled


def configuration(**models: str) -> Configuration:
    return validate({"phrases": {"model": "caption-parser"}, "detector": {"model": "scene-grounder"}} | models)


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


def test_models_of_the_hub_and_factories_are_not_compared(identities):
    hub = configuration(detector={"model": "someone/model", "revision": "1"})
    assert differing_model(hub, identities | {"detector": "hub:someone/model@1"}) == ""


def test_other_word_lists_are_told(identities):
    assert differing_model(configuration(), identities | {"drop_lists": "0"}) == (
        "phrases.drop_lists: the word lists are not those of the plan"
    )
