"""Calls of `export`: invalid ones, and the command line."""

import hashlib
import json
import shutil
from contextlib import nullcontext
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from unittest import mock

import pytest

import gritmill
from gritmill.cli.outcome import check_exported
from gritmill.exports import formats, image_entries, is_built_in
from gritmill.exports.coco import Coco
from gritmill.exports.export import ExportMarker, export
from gritmill.exports.odvg import Odvg
from gritmill.exports.options import USED_BY, ExportOptions, Level
from gritmill.main import main
from pipeline import layout
from pipeline.faults import DataFault
from pipeline.files.typed import publish_typed
from pipeline.fingerprint import json_digest
from pipeline.pack.manifest import need_manifest
from tests import sample_pairs

export_module = import_module(export.__module__)  # the package has a function of this name


def test_a_run_that_is_packed_again_meanwhile_is_not_mixed(finished, tmp_path, monkeypatch):
    shutil.copytree(finished, tmp_path / "run")
    shard = Odvg.shard

    def packing(self, number, samples, folder):
        """As on an object store, where no lock keeps a pack out."""
        figures = shard(self, number, samples, folder)
        again = {"selection": {"score": 0.0, "boxes_per_phrase": 1}, "shards": {"pairs": 10}}
        gritmill.pack(again, output=tmp_path / "run", fresh=True)
        return figures

    monkeypatch.setattr(Odvg, "shard", packing)
    monkeypatch.setattr("pipeline.pack.driver.replacing", nullcontext)
    with pytest.raises(gritmill.EnvironmentFault, match="packed again during the export"):
        export(tmp_path / "run", "odvg", tmp_path / "out")
    monkeypatch.undo()
    assert not (tmp_path / "out" / "export.json").exists()
    with pytest.raises(gritmill.CallError, match="contains another export"):
        export(tmp_path / "run", "odvg", tmp_path / "out")


def test_a_pack_of_the_same_settings_that_has_other_shards_is_another_export(finished, tmp_path):
    """As `pack --fresh` once images that were gone have come back."""
    shutil.copytree(finished, tmp_path / "run")
    export(tmp_path / "run", "odvg", tmp_path / "out")
    path = tmp_path / "run/manifest.json"
    manifest = json.loads(path.read_text())
    manifest["shards"][0]["sha256"] = "0" * 64
    path.write_text(json.dumps({key: value for key, value in manifest.items() if key != "checksum"}))
    with pytest.raises(gritmill.CallError, match="contains another export"):
        export(tmp_path / "run", "odvg", tmp_path / "out")


def test_a_folder_that_holds_something_else_is_left_alone(finished, tmp_path):
    (tmp_path / "README.md").write_text("my own project")
    with pytest.raises(gritmill.CallError, match="is not empty"):
        export(finished, "yolo", tmp_path)
    assert (tmp_path / "README.md").read_text() == "my own project"
    assert not list(tmp_path.glob("[!R.]*"))


def test_a_folder_of_another_export_is_refused(finished, tmp_path):
    export(finished, "odvg", tmp_path, ExportOptions(images=False))
    for name, options in (
        ("coco", ExportOptions(images=False)),
        ("odvg", ExportOptions(images=False, level=Level.CHUNKS)),
    ):
        with pytest.raises(gritmill.CallError, match="another export; use another folder"):
            export(finished, name, tmp_path, options)


@pytest.mark.parametrize(
    ("to", "options", "problem"),
    [
        ("yolo", {"tokenizer": "/"}, "--tokenizer: yolo does not use it; leave it out, or export to odvg"),
        (
            "mdetr",
            {"per_caption": True},
            "--per-caption: mdetr does not use it; .* export to coco, refcoco, flickr30k-entities or yolo",
        ),
        ("yolo", {"split": "val"}, "--split: yolo does not use it"),
        ("hf", {"level": Level.EXPRESSIONS}, "--phrases: hf .* odvg, mdetr, coco, refcoco, yolo or instructions"),
        ("grit", {"seed": 1}, "--seed: grit does not use it"),
        ("odvg", {"dialect": "ofa"}, "--dialect: odvg does not use it"),
        ("odvg", {"tokenizer": "/"}, "--tokenizer: /: .*; name the tokenizer.json"),
    ],
)
def test_options_that_a_format_does_not_use_are_refused(finished, tmp_path, to, options, problem):
    with pytest.raises(gritmill.CallError, match=problem):
        export(finished, to, tmp_path, ExportOptions(**options))
    assert not list(tmp_path.iterdir())


def test_the_tables_of_options_name_built_in_formats_and_all_options():
    assert set(USED_BY) == set(vars(ExportOptions()))
    assert {name for users in USED_BY.values() for name in users} <= set(filter(is_built_in, formats()))


@pytest.mark.parametrize(
    ("to", "given"),
    [
        ("odvg", {"level": Level.EXPRESSIONS, "images": False}),
        ("mdetr", {"level": Level.CHUNKS, "images": False}),
        ("grit", {"images": True}),
    ],
)
def test_a_default_that_is_given_is_the_same_export(finished, tmp_path, to, given):
    written = export(finished, to, tmp_path, ExportOptions(images=False))
    assert export(finished, to, tmp_path, ExportOptions(**given)) == written


@pytest.mark.parametrize(
    ("to", "options", "command"),
    [
        ("coco", {}, "--to coco --output FOLDER --phrases expressions"),
        (
            "coco",
            {"split": "val2017", "per_caption": True, "level": Level.CHUNKS},
            "--to coco --output FOLDER --no-images --phrases chunks --per-caption --split val2017",
        ),
        (
            "flickr30k-entities",
            {"per_caption": True},
            "--to flickr30k-entities --output FOLDER --no-images --per-caption",
        ),
        ("mdetr", {}, "--to mdetr --output FOLDER --phrases chunks"),
        (
            "instructions",
            {"dialect": "ofa", "seed": 7},
            "--to instructions --output FOLDER --no-images --phrases expressions --dialect ofa --seed 7",
        ),
        ("grit", {}, "--to grit --output FOLDER"),
    ],
)
def test_the_card_has_the_command_that_makes_the_export_again(finished, tmp_path, to, options, command):
    export(finished, to, tmp_path, ExportOptions(images=not options, **options))
    card = (tmp_path / "README.md").read_text()
    assert f"```\ngritmill export RUN {command}\n```\n\nThis is for gritmill {version('gritmill')}." in card
    assert "FILE" not in card


def test_the_card_names_the_tokenizer_by_its_digest(finished, tmp_path):
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    path = tmp_path / "secret folder" / "tokenizer.json"
    path.parent.mkdir()
    Tokenizer(WordLevel({"[UNK]": 0}, "[UNK]")).save(str(path))
    export(finished, "odvg", tmp_path / "out", ExportOptions(images=False, tokenizer=str(path)))
    card = (tmp_path / "out/README.md").read_text()
    assert " --no-images --phrases expressions --tokenizer FILE\n" in card
    assert (
        f"`FILE` has the BLAKE2b-128 digest `{hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()}`" in card
    )
    assert "secret" not in card


def test_an_export_of_the_development_version_is_resumed(finished, tmp_path):
    manifest = need_manifest(finished)
    options = {"images": False, "level": None, "dialect": "kosmos2", "seed": 0}
    mark = json_digest(
        {
            "pack": manifest.fingerprints.pack,
            "shards": [shard.sha256 for shard in manifest.shards],
            "format": "odvg",
            "options": options | {"per_caption": False, "split": "", "tokenizer": ""},
            "gritmill": version("gritmill"),
        }
    )
    publish_typed(str(tmp_path / layout.EXPORT_MARKER), ExportMarker(mark))
    with pytest.raises(gritmill.CallError, match="another export"):
        export(finished, "odvg", tmp_path, ExportOptions(images=False, level=Level.CHUNKS))
    assert export(finished, "odvg", tmp_path, ExportOptions(images=False))["mark"] == mark


def test_what_cannot_be_exported(finished, tmp_path):
    with pytest.raises(gritmill.CallError, match="lance: no such format; use one of"):
        export(finished, "lance", tmp_path)
    with pytest.raises(gritmill.CallError, match="not a finished run"):
        export(tmp_path, "odvg", tmp_path / "out")
    with pytest.raises(gritmill.CallError, match="this is the run folder"):
        export(finished, "odvg", finished)


def test_the_command_line(finished, tmp_path, capsys):
    words = ["export", str(finished), "--to", "odvg", "--output", str(tmp_path / "out"), "--no-images"]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--phrases", "chunks"])
    assert ended.value.code == 0
    assert "30  samples" in capsys.readouterr().out
    assert not (tmp_path / "out" / "images").exists()
    with pytest.raises(SystemExit):
        main(
            [
                "export",
                str(finished),
                "--to",
                "coco",
                "--output",
                str(tmp_path / "coco"),
                "--split",
                "val",
                "--per-caption",
            ]
        )
    assert "30  images" in capsys.readouterr().out
    assert len(list((tmp_path / "coco/images/val").glob("*/*.jpg"))) == 30
    assert (tmp_path / "coco/annotations/instances_val.json").exists()
    with pytest.raises(SystemExit) as ended:
        main([*words[:3], "lance", *words[4:]])
    assert ended.value.code == 2
    assert "--to: lance: no such format" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"[1]\n", b'{"image": {}}\n', b"\xff\xfe\n", b"", None])
def test_a_part_that_was_damaged_before_the_export_went_on_is_made_again(finished, tmp_path, monkeypatch, content):
    export(finished, "coco", tmp_path / "whole", ExportOptions(images=False))
    with monkeypatch.context() as patch:
        patch.setattr(Coco, "finish", interrupt)
        with pytest.raises(KeyboardInterrupt):
            export(finished, "coco", tmp_path / "torn", ExportOptions(images=False))
    part = tmp_path / "torn/parts/00000.jsonl"
    part.unlink() if content is None else part.write_bytes(content)
    export(finished, "coco", tmp_path / "torn", ExportOptions(images=False))
    assert sample_pairs.files_of(tmp_path / "torn", "**/*") == sample_pairs.files_of(tmp_path / "whole", "**/*")


def test_lines_that_compare_images_by_another_digest_are_not_mixed_with_new_ones(finished, tmp_path, monkeypatch):
    export(finished, "coco", tmp_path / "whole", ExportOptions(images=False))
    with monkeypatch.context() as patch:
        older = mock.Mock(xxh3_128_hexdigest=lambda data: hashlib.blake2b(data, digest_size=16).hexdigest())
        patch.setattr(image_entries, "xxhash", older)
        patch.setattr(export_module, "LINES_VERSION", 1)
        patch.setattr(Coco, "finish", interrupt)
        with pytest.raises(KeyboardInterrupt):
            export(finished, "coco", tmp_path / "older", ExportOptions(images=False))
    export(finished, "coco", tmp_path / "older", ExportOptions(images=False))
    assert sample_pairs.files_of(tmp_path / "older", "**/*") == sample_pairs.files_of(tmp_path / "whole", "**/*")


def interrupt(*_):
    raise KeyboardInterrupt


NO_SAMPLES = "no samples were written, only files without samples and a data card"


def test_an_export_without_a_sample_ends_with_status_1():
    check_exported({"samples": 1}, 3, quads=False)
    check_exported({"pictures": 0}, 3, quads=False)  # a format of another package may count something else
    with pytest.raises(DataFault, match=f"{NO_SAMPLES}: the format can carry none of the run"):
        check_exported({"samples": 0}, 3, quads=False)


@pytest.fixture(scope="module")
def empty(finished, tmp_path_factory):
    """A run without samples: no box has the score."""
    folder = tmp_path_factory.mktemp("empty") / "run"
    gritmill.pack({"selection": {"score": 1.0}}, output=folder, detections=finished)
    return folder


@pytest.mark.parametrize("to", formats())
def test_an_export_of_a_run_without_samples_says_in_each_format_what_it_has_written(empty, call, to):
    status, screen, lines = call("export", empty, "--to", to, "--output", "out")
    assert (status, lines) == (1, [f"gritmill: {NO_SAMPLES}: the run has none; its report.html says why"])
    assert "data card in" not in screen
    assert {"README.md", "export.json"} <= {path.name for path in Path("out").iterdir()}
    assert not [
        path for path in Path("out").rglob("*") if path.suffix in (".jpg", ".xml", ".txt") and path.stat().st_size
    ]


def test_an_audit_of_a_run_without_samples_says_so(empty, call):
    line = f"gritmill: FILE: {empty}: this run has no samples; its report.html says why"
    assert call("audit", empty) == (2, "", [line])
