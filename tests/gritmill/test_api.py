"""The Python API."""

import subprocess
import sys
import typing

import pytest

import gritmill
from gritmill import GroundedCaption, Span
from gritmill.options import resolve_config
from tests import sample_pairs

DOG = Span(0, 5, ((0.1, 0.2, 0.5, 0.75),))


def test_encode_and_decode():
    text = gritmill.encode("a dog in a field", [Span(9, 16, ((0.0, 0.5, 1.0, 1.0),)), DOG])
    assert text == (
        "<grounding><phrase>a dog</phrase><object><patch_index_0195><patch_index_0751></object> in "
        "<phrase>a field</phrase><object><patch_index_0512><patch_index_1023></object>"
    )
    decoded = gritmill.decode(text)
    assert isinstance(decoded, GroundedCaption)
    assert decoded.caption == "a dog in a field"
    assert [(span.start, span.end) for span in decoded.spans] == [(0, 5), (9, 16)]


@pytest.mark.parametrize(
    ("spans", "what"),
    [
        ([DOG, Span(3, 8, ((0, 0, 1, 1),))], "overlaps"),
        ([Span(10, 99, ((0, 0, 1, 1),))], "outside of the caption"),
        ([Span(0, 5, ((0.5, 0, 0.5, 1),))], "is not within 0..1"),
        ([Span(0, 5, ())], "has no box"),
    ],
)
def test_encode_refuses_what_no_text_can_say(spans, what):
    with pytest.raises(ValueError, match=what):
        gritmill.encode("a dog in a field", spans)


def test_an_unknown_dialect():
    with pytest.raises(ValueError, match="klingon: no such dialect"):
        gritmill.encode("a dog", [DOG], dialect="klingon")


def test_read_refuses_what_is_no_run(tmp_path):
    with pytest.raises(gritmill.CallError, match=r"no manifest\.json"):
        next(gritmill.read(str(tmp_path)))


def test_samples_hold_picture_record_and_text(tmp_path, parser):
    config = sample_pairs.settings(parser, "tests.plugin_detectors:factory")
    pictures = sample_pairs.drawn(3)
    gritmill.run(config, inputs=[sample_pairs.as_tars(pictures, tmp_path / "in", tars=1)], output=str(tmp_path / "out"))
    for sample, picture in zip(gritmill.read(str(tmp_path / "out")), pictures, strict=True):
        assert sample.jpeg == picture.data  # a plain upright JPEG is stored as it is
        assert sample.image.size == (sample.record["width"], sample.record["height"])
        assert gritmill.decode(sample.grounded).caption == sample.caption == picture.captions[0]


def test_a_configuration_by_its_sections():
    with pytest.raises(gritmill.CallError, match=r"selection\.scor: no such key"):
        gritmill.pack({"selection": {"scor": 1}}, output="nowhere")


def test_a_configuration_by_its_path(tmp_path):
    (tmp_path / "own.yaml").write_text("selection: {score: 0.4}")
    assert resolve_config(tmp_path / "own.yaml") == resolve_config({"selection": {"score": 0.4}})


@pytest.mark.parametrize("function", [gritmill.ground, gritmill.run])
def test_a_limit_below_1_is_refused(tmp_path, function):
    with pytest.raises(gritmill.CallError, match=r"^--limit: 0: must be at least 1$"):
        function(inputs=tmp_path / "a.tar", output=tmp_path / "out", limit=0)
    assert list(tmp_path.iterdir()) == []


def test_a_module_of_our_name_that_is_loaded_already_is_named(tmp_path):
    (tmp_path / "transforms.py").write_text("")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import transforms, gritmill"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "another module called transforms is loaded already" in ended.stderr.splitlines()[-1]


def test_a_module_of_our_name_beside_the_script_does_no_harm(tmp_path):
    (tmp_path / "transforms.py").write_text("raise SystemExit('not this one')")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import gritmill; print(gritmill.Span(0, 1, ()).end)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stdout == "1\n", ended.stderr


def test_every_public_name_is_there():
    assert set(gritmill._MODULE_OF) == set(gritmill.__all__)
    assert all(getattr(gritmill, name) is not None for name in gritmill.__all__)
    assert set(gritmill.__all__) <= set(dir(gritmill))
    assert all(typing.get_type_hints(getattr(gritmill, name)) is not None for name in gritmill.__all__)
    with pytest.raises(AttributeError, match="grond"):
        _ = gritmill.grond


def test_an_empty_path_is_not_the_folder_that_one_is_in(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = {"inputs": "a.tar", "output": "out"}
    calls = [
        lambda: gritmill.run("demo", **given | {"output": ""}),
        lambda: gritmill.run("demo", **given | {"inputs": ["", "a.tar"]}),
        lambda: gritmill.pack("demo", output=""),
        lambda: list(gritmill.validate("")),
        lambda: gritmill.view(""),
        lambda: gritmill.export("", to="coco", output="out"),
        lambda: gritmill.audit([""]),
        lambda: gritmill.look([""]),
        lambda: next(iter(gritmill.read(""))),
    ]
    for call in calls:
        with pytest.raises(gritmill.CallError, match="a path is empty"):
            call()
    assert list(tmp_path.iterdir()) == []
