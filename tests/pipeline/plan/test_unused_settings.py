"""Settings without effect."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.configuration import SourceSettings, validate
from pipeline.plan.find_sources import find_sources
from pipeline.plan.plan_sources import plan_sources
from pipeline.plan.unused_settings import is_used, tell_unused, unused_settings
from pipeline.sources import fields, notices, open_source
from tests.pipeline.builders import plan
from tests.pipeline.plan.test_named_columns import ROW, written

NAMES = {
    "csv": "a.csv",
    "tsv": "a.tsv",
    "parquet": "a.parquet",
    "arrow": "a.feather",
    "jsonl": "a.jsonl",
    "json": "a.json",
    "webdataset": "a.tar",
    "folder": "pictures",
    "coco": "coco.json",
}


class Recorder:
    """Settings that note which keys are read."""

    def __init__(self, settings: Any, seen: set[str], above: str = "source.") -> None:
        self.__dict__.update(_settings=settings, _seen=seen, _above=above)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._settings, name)
        if name == "columns":
            return Recorder(value, self._seen, f"{self._above}columns.")
        self._seen.add(f"{self._above}{name}")
        return value


@pytest.mark.parametrize("kind", NAMES)
def test_what_a_kind_reads_is_never_called_unused(tmp_path: Path, kind: str) -> None:
    coco = {"images": [{"id": 1, "file_name": "0.jpg"}], "annotations": [{"id": 1, "image_id": 1, "caption": "a dog"}]}
    path = written(tmp_path, NAMES[kind], {**ROW, "caption": "a dog"})
    if kind == "coco":
        path.write_text(json.dumps(coco))
    seen: set[str] = set()
    [planned] = plan_sources(find_sources([str(path)]), validate({}))
    source = open_source(kind, planned.info, Recorder(SourceSettings(), seen))  # type: ignore[arg-type]
    if kind == "folder":
        seen.clear()  # its base looks for the root of images, which is the folder itself
    [spec] = source.ranges(10)
    [(_, pair)] = source.read(spec.start)
    assert (pair.caption, pair.error) == ("a dog", None)
    fields(source, spec.start)
    notices(source, spec.start)
    list(source.starts(spec.start))
    assert seen or kind == "folder"
    assert not [key for key in seen if not is_used(key, kind)]


def unused(kinds: set[str], **sections: Any) -> dict[str, str]:
    return dict(unused_settings(validate(sections), kinds))


@pytest.mark.parametrize(
    ("key", "value", "without", "using"),
    [
        ("header", ["image", "caption"], {"jsonl", "parquet"}, "csv"),
        ("delimiter", ";", {"webdataset"}, "tsv"),
        ("quoting", "none", {"coco"}, "csv"),
        ("encoding", "latin-1", {"parquet", "arrow"}, "jsonl"),
        ("image_root", "/data", {"folder", "webdataset"}, "parquet"),
        ("members", {"image": "input.jpg"}, {"csv"}, "webdataset"),
        ("columns", {"key": "uid"}, {"webdataset"}, "csv"),
        ("columns", {"caption": "alt"}, {"coco"}, "folder"),
    ],
)
def test_a_key_of_other_kinds_is_told(key: str, value: Any, without: set[str], using: str) -> None:
    full = f"source.columns.{next(iter(value))}" if key == "columns" else f"source.{key}"
    assert unused(without, source={key: value}) == {full: f"the kind of the sources is {' or '.join(sorted(without))}"}
    assert not unused({*without, using}, source={key: value})
    assert not unused({"of another package"}, source={key: value})


def test_keys_that_need_other_keys_are_told(tmp_path: Path) -> None:
    assert not unused({"csv"})
    assert unused({"csv"}, source={"boxes": {"unit": "fractions"}}) == {
        "source.boxes.unit": "source.boxes.format is not set"
    }
    grit = {"columns": {"boxes": "noun_chunks"}, "boxes": {"format": "grit", "unit": "thousandths"}}
    assert unused({"csv"}, source=grit) == {"source.boxes.unit": "source.boxes.format is grit"}
    assert unused({"csv"}, filters={"missing": "keep"}) == {"filters.missing": "filters.where is not set"}
    assert not unused({"csv"}, filters={"missing": "keep", "where": "a > 1"})
    for model, kind in (("scene-grounder", "an embedded model"), (str(tmp_path), "a folder")):
        assert unused({"csv"}, detector={"model": model, "revision": "main"}) == {
            "detector.revision": f"{model} is {kind}"
        }
    assert not unused({"csv"}, detector={"model": "IDEA-Research/grounding-dino-tiny", "revision": "main"})
    off = {"phrases": {"claims": False}, "selection": {"count_claims": "drop_contradicted"}}
    assert unused({"csv"}, **off) == {"selection.count_claims": "phrases.claims is off"}


def test_each_command_tells_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = {
        "source": {"members": {"image": "input.jpg"}},
        "phrases": {"claims": False},
        "selection": {"claims": "drop_contradicted"},
    }
    planned = plan([written(tmp_path, "a.csv")], **settings)
    tell_unused("ground", planned, planned.configuration, quiet=False)
    assert capsys.readouterr().err == "ground: source.members has no effect: the kind of the sources is csv\n"
    tell_unused("pack", planned, planned.configuration, quiet=False)
    assert capsys.readouterr().err == "pack: selection.claims has no effect: phrases.claims is off\n"
    tell_unused("pack", planned, planned.configuration, quiet=True)
    assert not capsys.readouterr().err
