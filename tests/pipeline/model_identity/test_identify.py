import importlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import fingerprint
from pipeline.configuration import Configuration
from pipeline.faults import CallError
from pipeline.model_identity import cache, identify
from pipeline.model_identity.identify import folder_hash, identify_models
from tests.pipeline.builders import configuration, stored
from transforms import bundled
from transforms.detectors.grounding_dino.family import GROUNDING_DINO


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
        identify_models(configuration(phrases={"model": model}))
    assert ("spacy download" in str(refused.value)) == ("/" not in model)


def test_a_folder_that_is_no_parser_is_refused_in_one_line(tmp_path: Path) -> None:
    stored(tmp_path / "parser/config.cfg", "[nlp\n")
    with pytest.raises(CallError, match=r"^phrases\.model: .*parser: .+$") as refused:
        identify_models(configuration(phrases={"model": str(tmp_path / "parser")}))
    assert "\n" not in str(refused.value)


@pytest.fixture(scope="module")
def smallest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the smallest pipeline that has a parser."""
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("parser").add_label("nsubj")  # type: ignore[attr-defined]
    nlp.initialize()
    folder = tmp_path_factory.mktemp("smallest") / "parser"
    nlp.to_disk(folder)
    return folder


@pytest.fixture
def parser(smallest: Path, tmp_path: Path) -> str:
    """A copy of it that a test may change."""
    return str(shutil.copytree(smallest, tmp_path / "parser"))


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
    first = identify_models(with_models(parser, "detector_of_ones_own:make"))
    second = identify_models(with_models(parser, "detector_of_ones_own:other"))
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
        identify_models(with_models(parser, model))
    assert "\n" not in str(refused.value)


@pytest.fixture
def embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    """A configuration with the embedded models, in a folder with local folders of the same names."""
    for name in bundled.MODELS:
        (tmp_path / "here" / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    return with_models("caption-parser", "scene-grounder")


def test_an_embedded_model_counts_with_its_content_and_keeps_its_name(embedded: Configuration) -> None:
    found = identify_models(embedded)
    for section, name in (("phrases", "caption-parser"), ("detector", "scene-grounder")):
        assert found[section] == f"folder:{folder_hash(Path(bundled.model_path(name)))}"
    resolved = fingerprint.resolve(embedded, found)
    assert (resolved.phrases.model, resolved.detector.model) == ("caption-parser", "scene-grounder")
    by_path = with_models(bundled.model_path("caption-parser"), bundled.model_path("scene-grounder"))
    assert fingerprint.ground_fingerprint(embedded, found, None, GROUNDING_DINO) == fingerprint.ground_fingerprint(
        by_path, found, None, GROUNDING_DINO
    )


def test_an_embedded_model_that_is_missing_is_named_with_its_place(
    embedded: Configuration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundled, "_PACKAGES", tmp_path / "nowhere")
    with pytest.raises(CallError, match=r"^phrases\.model: .*nowhere/models/caption-parser: no such spaCy pipeline$"):
        identify_models(embedded)


def test_an_embedded_detector_that_is_missing_is_named_with_its_place(
    parser: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundled, "_PACKAGES", tmp_path / "nowhere")
    with pytest.raises(CallError, match=r"^detector\.model: .*nowhere/models/scene-grounder: no such folder$"):
        identify_models(with_models(parser, "scene-grounder"))


Known = Callable[[Configuration], dict[str, str]]


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Known:
    """Identifies models as consecutive calls do, each with the cache of the previous one."""
    monkeypatch.setattr(cache, "_RECENT", 0)

    def ask(configuration: Configuration) -> dict[str, str]:
        run = cache.ModelCache(str(tmp_path / "detections"))
        found = identify_models(configuration, run)
        run.save()
        return found

    return ask


def loads_nothing(patched: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("it is known")

    patched.setattr("transforms.phrases.parser.load_parser", fail)
    patched.setattr(identify, "folder_hash", fail)


def test_what_is_known_of_models_is_not_found_out_again(
    known: Known, embedded: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = known(embedded)
    assert first == identify_models(embedded)
    loads_nothing(monkeypatch)
    assert known(embedded) == first


@pytest.fixture
def own(parser: str, grounding_dino: Path, tmp_path: Path) -> tuple[Configuration, Path, Path]:
    """A configuration with local models, and a file of each model."""
    detector = Path(shutil.copytree(grounding_dino, tmp_path / "detector"))
    return with_models(parser, str(detector)), Path(parser) / "meta.json", detector / "config.json"


def test_a_model_that_has_changed_is_noticed_though_it_is_known(
    known: Known, own: tuple[Configuration, Path, Path]
) -> None:
    configuration, *changing = own
    before = known(configuration)
    for path, section in zip(changing, ("phrases", "detector"), strict=True):
        data, times = path.read_bytes(), path.stat()
        time.sleep(0.05)  # the clock of a file system has coarse steps
        path.write_bytes(data.replace(b"\n ", b"\n\t", 1))
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert (path.stat().st_size, path.stat().st_mtime_ns) == (times.st_size, times.st_mtime_ns)
        now = known(configuration)
        assert now == identify_models(configuration)
        assert now[section] != before[section]
        before = now


def test_a_file_that_was_only_touched_leaves_a_model_what_it_is(
    known: Known, own: tuple[Configuration, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration, *touched = own
    before = known(configuration)
    for path in touched:
        os.utime(path)
    assert known(configuration) == before
    loads_nothing(monkeypatch)
    assert known(configuration) == before


def test_a_model_that_serves_no_more_is_refused_though_it_was_known(
    known: Known, own: tuple[Configuration, Path, Path]
) -> None:
    configuration, _, config = own
    known(configuration)
    config.write_text('{"model_type": "bert"}')
    with pytest.raises(CallError, match=r"^detector\.model: .* is a bert"):
        known(configuration)
    config.unlink()
    with pytest.raises(CallError, match=r"^detector\.model: "):
        known(configuration)


def test_a_parser_that_is_a_package_is_known_without_its_import(
    known: Known, parser: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site/en_small_one"
    load = (
        "from spacy.util import load_model_from_init_py\ndef load(**o): return load_model_from_init_py(__file__, **o)\n"
    )
    stored(package / "__init__.py", load)
    meta = json.dumps({"lang": "en", "name": "small_one", "version": "1.0"})
    stored(package / "meta.json", meta)
    stored(tmp_path / "site/en_small_one-1.0.dist-info/METADATA", "Name: en_small_one\nVersion: 1.0\n")
    shutil.copytree(parser, package / "en_small_one-1.0")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    configuration = with_models("en_small_one", "tests.plugin_detectors:factory")
    first = known(configuration)
    assert first["phrases"] == f"folder:{folder_hash(package / 'en_small_one-1.0')}"
    monkeypatch.delitem(sys.modules, "en_small_one")
    with monkeypatch.context() as patched:
        loads_nothing(patched)
        assert known(configuration) == first
    assert "en_small_one" not in sys.modules
    shutil.rmtree(tmp_path / "site/en_small_one-1.0.dist-info")
    importlib.invalidate_caches()
    with pytest.raises(CallError, match="en_small_one: no such spaCy pipeline"):
        known(configuration)


def test_of_a_full_commit_no_hub_is_asked(
    known: Known, parser: str, grounding_dino: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    shutil.copytree(grounding_dino, tmp_path / "hub/models--somebody--tiny/snapshots" / commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))

    def asked(*_: object, **__: object) -> str:
        raise AssertionError("nobody need be asked")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", asked)
    detector = {"model": "somebody/tiny", "revision": commit}
    configured = configuration(phrases={"model": parser}, detector=detector)
    first = known(configured)
    assert first["detector"] == f"hub:somebody/tiny@{commit}"
    loads_nothing(monkeypatch)
    assert known(configured) == first
    shutil.rmtree(tmp_path / "hub")
    with pytest.raises(CallError, match="nobody need be asked"):
        known(configured)
