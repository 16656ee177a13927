from pathlib import Path

import pytest

from pipeline import fingerprint
from pipeline.configuration import Configuration
from pipeline.faults import CallError
from pipeline.identities import folder_hash, models
from tests.pipeline.making import configuration, stored
from transforms import bundled


def test_a_folder_counts_with_names_and_bytes_of_all_its_files(tmp_path: Path) -> None:
    stored(tmp_path / "a/x.json", "1")
    stored(tmp_path / "a/d/y.bin", "2")
    stored(tmp_path / "b/d/y.bin", "2")
    stored(tmp_path / "b/x.json", "1")
    first = folder_hash(tmp_path / "a")
    assert folder_hash(tmp_path / "b") == first
    stored(tmp_path / "b/d/__pycache__/y.pyc", "3")
    assert folder_hash(tmp_path / "b") == first
    marks = {first}
    for name, content in (("b/x.json", "2"), ("b/d/z.bin", ""), ("b/d/z.bin", "1")):
        stored(tmp_path / name, content)
        marks.add(folder_hash(tmp_path / "b"))
    (tmp_path / "b/d/z.bin").rename(tmp_path / "b/z.bin")
    marks.add(folder_hash(tmp_path / "b"))
    assert len(marks) == 5


@pytest.mark.parametrize("model", ["/nowhere/parser", "no_such_parser"])
def test_a_parser_that_cannot_be_had_is_refused_in_one_line(model: str) -> None:
    with pytest.raises(CallError, match=rf"^phrases\.model: {model}: no such spaCy pipeline") as refused:
        models(configuration(phrases={"model": model}))
    assert ("spacy download" in str(refused.value)) == ("/" not in model)


def test_a_folder_that_is_no_parser_is_refused_in_one_line(tmp_path: Path) -> None:
    stored(tmp_path / "parser/config.cfg", "[nlp\n")
    with pytest.raises(CallError, match=r"^phrases\.model: .*parser: .+$") as refused:
        models(configuration(phrases={"model": str(tmp_path / "parser")}))
    assert "\n" not in str(refused.value)


@pytest.fixture
def parser(tmp_path: Path) -> str:
    """The smallest pipeline that has a parser."""
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("parser").add_label("nsubj")  # type: ignore[attr-defined]
    nlp.initialize()
    nlp.to_disk(tmp_path / "parser")
    return str(tmp_path / "parser")


def with_models(parser: str, detector: str) -> Configuration:
    return configuration(phrases={"model": parser}, detector={"model": detector})


def test_a_detector_of_ones_own_counts_with_its_name_and_revision(
    parser: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(
        tmp_path / "detector_of_ones_own.py",
        "def make(settings): ...\ndef other(settings): ...\nother.revision = '7'\n",
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    first = models(with_models(parser, "detector_of_ones_own:make"))
    second = models(with_models(parser, "detector_of_ones_own:other"))
    assert first["detector"].startswith("factory:detector_of_ones_own:make@+")
    assert second["detector"].startswith("factory:detector_of_ones_own:other@7+")
    assert first["phrases"] == second["phrases"] == f"folder:{folder_hash(Path(parser))}"


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("no_such_module:make", "detector.model: no_such_module:make cannot be loaded"),
        ("json:no_such_function", "detector.model: json:no_such_function cannot be loaded"),
        ("json:__name__", "detector.model: json:__name__ is not callable"),
        ("./nowhere", r"detector.model: \./nowhere: no such folder"),
        ("/nowhere", "detector.model: /nowhere: no such folder"),
        ("nowhere", "detector.model: nowhere: no such folder"),
    ],
)
def test_a_detector_that_cannot_be_had_is_refused_in_one_line(parser: str, model: str, reason: str) -> None:
    with pytest.raises(CallError, match=f"^{reason}") as refused:
        models(with_models(parser, model))
    assert "\n" not in str(refused.value)


@pytest.fixture
def embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    """A configuration of the embedded models, called from where folders of their names lie."""
    for name in bundled.MODELS:
        (tmp_path / "here" / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    return with_models("caption-parser", "scene-grounder")


def test_an_embedded_model_counts_with_its_content_and_keeps_its_name(embedded: Configuration) -> None:
    identities = models(embedded)
    for section, name in (("phrases", "caption-parser"), ("detector", "scene-grounder")):
        assert identities[section] == f"folder:{folder_hash(Path(bundled.model(name)))}"
    resolved = fingerprint.resolve(embedded, identities)
    assert (resolved.phrases.model, resolved.detector.model) == ("caption-parser", "scene-grounder")
    by_path = with_models(bundled.model("caption-parser"), bundled.model("scene-grounder"))
    assert fingerprint.ground(embedded, identities, None) == fingerprint.ground(by_path, identities, None)


def test_an_embedded_model_that_is_missing_is_named_with_its_place(
    embedded: Configuration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundled, "_PACKAGES", tmp_path / "nowhere")
    with pytest.raises(CallError, match=r"^phrases\.model: .*nowhere/models/caption-parser: no such spaCy pipeline$"):
        models(embedded)


def test_an_embedded_detector_that_is_missing_is_named_with_its_place(
    parser: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundled, "_PACKAGES", tmp_path / "nowhere")
    with pytest.raises(CallError, match=r"^detector\.model: .*nowhere/models/scene-grounder: no such folder$"):
        models(with_models(parser, "scene-grounder"))
