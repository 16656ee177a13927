"""What `ground` says before the run."""

from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from pipeline.faults import CallError
from pipeline.ground.messages import tell_first_source, unless_soon
from pipeline.ground.options import GroundOptions
from pipeline.sources.json_records import JsonSource
from tests.pipeline.builders import image, plan, stored, tar


def test_two_images_of_one_key_are_told_before_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    members = [
        (f"{n}.{end}", image(n) if end != "txt" else b"a dog") for n in range(3) for end in ("jpg", "png", "txt")
    ]
    stored(tmp_path / "a.tar", tar(members))
    planned = plan([tmp_path / "a.tar"])
    tell_first_source(planned, GroundOptions())
    assert f"{tmp_path}/a.tar: 0.jpg and 0.png: two images with one key" in capsys.readouterr().err
    tell_first_source(replace(planned, sources=()), GroundOptions())
    assert capsys.readouterr().err == ""


def test_of_a_damaged_source_the_columns_before_the_damage_are_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    members = [(f"{n}.{end}", image(n) if end == "jpg" else b"{}") for n in range(3) for end in ("jpg", "json")]
    stored(tmp_path / "a.tar", tar(members, ended=False))
    planned = plan([tmp_path / "a.tar"], filters={"where": ["punsafe < 0.5"]})
    tell_first_source(planned, GroundOptions())
    assert "have no column punsafe" in capsys.readouterr().err


def test_at_a_resume_no_file_is_parsed_only_for_a_notice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(tmp_path / "a.json", '[{"image": "0.jpg", "caption": "a dog"}]')
    stored(tmp_path / "b.csv", "image,caption\n0.jpg,a dog\n")
    for name in ("a.json", "b.csv"):
        planned = plan([tmp_path / name])
        tell_first_source(planned, GroundOptions())
        assert f"{tmp_path}/{name}: the first images are not in {tmp_path}" in capsys.readouterr().err
        monkeypatch.setattr(JsonSource, "first_images", None)
        tell_first_source(planned, GroundOptions(), planned.sources)
        assert bool(capsys.readouterr().err) == (name == "b.csv")


def test_what_takes_long_is_told_before_it_ends() -> None:
    told = Event()
    with unless_soon(told.set):
        pass
    assert not told.is_set()
    with unless_soon(told.set):  # as a listing of 50,000 pictures, which takes seconds
        assert told.wait(10)
    told.clear()
    with pytest.raises(CallError), unless_soon(told.set):
        raise CallError("no such file")
    assert not told.wait(0.4)
