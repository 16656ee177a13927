import shutil
from pathlib import Path

import pytest
import yaml

from transforms import bundled
from transforms.detectors.load import find_family
from transforms.detectors.settings import DetectorSettings
from transforms.phrases.parser import load_parser
from transforms.settings import PhraseSettings

WORDS = sorted((Path(__file__).parents[2] / "transforms").rglob("*.yaml"))


@pytest.mark.parametrize("path", WORDS, ids=[path.stem for path in WORDS])
def test_no_list_of_words_has_a_key_twice(path: Path) -> None:
    """YAML would read only the last one."""

    def check(node: yaml.Node) -> None:
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            assert len(keys) == len(set(keys)), keys
        for part in node.value if isinstance(node, yaml.CollectionNode) else ():
            check(part[1] if isinstance(part, tuple) else part)

    check(yaml.compose(path.read_text("utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder where gritmill could be installed."""
    monkeypatch.setattr(bundled, "_PACKAGES", tmp_path)
    return tmp_path


def test_in_a_clone_the_folders_lie_beside_the_packages(packages: Path) -> None:
    (packages / "gritmill").mkdir()
    (packages / "configs").mkdir()
    assert bundled.folder("configs") == packages / "configs"


def test_in_a_wheel_they_lie_inside_gritmill_whatever_lies_beside_it(packages: Path) -> None:
    (packages / "gritmill" / "models").mkdir(parents=True)
    (packages / "models").mkdir()  # of another package, in site-packages
    assert bundled.folder("models") == packages / "gritmill" / "models"
    assert bundled.model_path("caption-parser") == str(packages / "gritmill" / "models" / "caption-parser")


@pytest.mark.parametrize(
    "name", ["en_core_web_sm", "./caption-parser", "~/scene-grounder", "a/scene-grounder", "caption-parser/", "m:make"]
)
def test_any_other_name_stays_as_it_is(packages: Path, name: str) -> None:
    assert bundled.model_path(name) == name


def test_the_models_and_scenes_are_there() -> None:
    assert all(Path(bundled.model_path(name)).is_dir() for name in bundled.MODELS)
    assert sorted(bundled.folder("examples").glob("scenes/*.tar"))


def test_a_bare_name_is_the_embedded_model_also_beside_a_folder_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in bundled.MODELS:
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    assert "parser" in load_parser(PhraseSettings().model).pipe_names
    find_family(DetectorSettings(model="scene-grounder"))
    with pytest.raises(OSError, match="caption-parser"):
        load_parser("./caption-parser")
    with pytest.raises(ValueError, match="scene-grounder"):
        find_family(DetectorSettings(model="./scene-grounder"))


def test_words_are_the_same_with_and_without_the_loader_in_c(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [(package, path.stem) for package in ("phrases", "claims", "decoys") for path in lists_of(package)]
    assert len(files) > 5
    fast = [bundled.read_words(f"transforms.{package}", name) for package, name in files]
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert [bundled.read_words(f"transforms.{package}", name) for package, name in files] == fast


def lists_of(package: str) -> list[Path]:
    return sorted((Path(bundled.__file__).parent / package).glob("*.yaml"))


def test_the_embedded_detector_warns_of_other_images_under_each_of_its_names(tmp_path: Path) -> None:
    folder = bundled.model_path("scene-grounder")
    (tmp_path / "link").symlink_to(folder)
    scenes = str(bundled.folder("examples") / "scenes" / "*.tar")
    copy = str(shutil.copytree(folder, tmp_path / "mine"))
    for model in ("scene-grounder", folder, f"{folder}/", str(tmp_path / "link"), copy):
        for inputs in (
            ["/photos/a.tar"],
            [scenes, "s3://photos/a.tar"],
            [f"{bundled.folder('examples')}-of-mine/a.tar"],
        ):
            assert bundled.detector_warnings(model, inputs) == (bundled.SCENE_GROUNDER_WARNING,)
        assert bundled.detector_warnings(model, [scenes]) == ()


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_copy_with_other_weights_is_another_detector(tmp_path: Path, name: str) -> None:
    """As after a training on other images."""
    copy = shutil.copytree(bundled.model_path("scene-grounder"), tmp_path / "mine")
    data = bytearray((copy / name).read_bytes())
    data[-100] ^= 1
    (copy / name).write_bytes(data)
    assert bundled.detector_warnings(str(copy), ["/photos/a.tar"]) == ()


@pytest.mark.parametrize(
    "model", ["scene", "./scene-grounder", "org/scene-grounder", "scene_grounder:make", "~no/a", "a\0b"]
)
def test_other_detectors_warn_of_nothing(model: str) -> None:
    assert bundled.detector_warnings(model, ["/photos/a.tar"]) == ()
