import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline import files
from pipeline.ground.load_images import ImageLoader, PositionedPair
from tests import plugin_detectors
from tests.pipeline.builders import image, stored
from transforms import images
from transforms.filters import Filters
from transforms.isolation.child_process import ChildDied, ChildProcess
from transforms.records import FailureStage, Fault, ImageRef, Pair, Reason
from transforms.settings import FilterSettings


def pair_for(path: Path, index: int = 0) -> PositionedPair:
    return {"index": index}, Pair(str(index), "s", index, "a dog", ImageRef(str(path)))


def load(pairs: list[PositionedPair], limits: images.ImageLimits = images.DEFAULT_LIMITS) -> list[Pair]:
    found = list(ImageLoader(limits).load(pairs))
    assert [position for position, _ in found] == [position for position, _ in pairs]
    return [pair for _, pair in found]


def test_files_are_read_in_order_and_measured(tmp_path: Path) -> None:
    pairs = []
    for number in range(100):
        stored(tmp_path / f"{number}.png", image(number, size=(number + 1, 3)))
        pairs.append(pair_for(tmp_path / f"{number}.png", number))
    for number, pair in enumerate(load(pairs)):
        data = image(number, size=(number + 1, 3))
        assert (pair.data, pair.width, pair.height, pair.error) == (data, number + 1, 3, None)
        assert (pair.image.length, pair.image.digest, pair.image.row) == (len(data), images.image_digest(data), -1)


def test_a_turned_picture_is_measured_as_a_person_sees_it(tmp_path: Path) -> None:
    target = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 6)).save(target, "JPEG", exif=exif)
    stored(tmp_path / "1.jpg", target.getvalue())
    [pair] = load([pair_for(tmp_path / "1.jpg")])
    assert (pair.width, pair.height) == (6, 8)


def test_bad_pictures_are_failed_pairs_and_their_neighbours_are_not(tmp_path: Path) -> None:
    stored(tmp_path / "good.png", image())
    stored(tmp_path / "page.png", "<html>")
    stored(tmp_path / "empty.png", b"")
    stored(tmp_path / "huge.png", image(size=(100, 100)))
    (tmp_path / "folder.png").mkdir()
    names = ["good", "none", "good", "page", "empty", "huge", "folder", "good", "good/x", "a\0b", "x" * 300, "good"]
    pairs = load(
        [pair_for(tmp_path / f"{name}.png", number) for number, name in enumerate(names)], images.ImageLimits(5000)
    )
    wanted: list[tuple[FailureStage, Reason] | None] = [
        None,
        (FailureStage.READ, Reason.MISSING_FILE),
        None,
        (FailureStage.IMAGE, Reason.NOT_AN_IMAGE),
        (FailureStage.IMAGE, Reason.NOT_AN_IMAGE),
        (FailureStage.IMAGE, Reason.TOO_MANY_PIXELS),
        (FailureStage.READ, Reason.MISSING_FILE),
        None,
        (FailureStage.READ, Reason.MISSING_FILE),
        (FailureStage.READ, Reason.MISSING_FILE),
        (FailureStage.READ, Reason.MISSING_FILE),
        None,
    ]
    assert [(pair.error.stage, pair.error.reason) if pair.error else None for pair in pairs] == wanted


def test_trouble_with_the_disk_is_not_the_pairs_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(uri: str) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(files, "read_bytes", broken)
    with pytest.raises(OSError, match="Input/output error"):
        load([pair_for(tmp_path / "1.png")])


def test_captions_of_one_image_read_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = {str(tmp_path / f"{i}.png"): image(i, size=(i + 1, 6)) for i in range(4)}
    read: list[str] = []

    def counted(uri: str) -> bytes:
        read.append(uri)  # in any order, because threads call this
        return pictures[uri]

    monkeypatch.setattr(files, "read_bytes", counted)
    pairs = load([pair_for(tmp_path / f"{i // 5}.png", i) for i in range(20)])
    assert sorted(read) == sorted(pictures)
    assert [pair.data for pair in pairs] == [data for data in pictures.values() for _ in range(5)]
    assert [(pair.width, pair.height) for pair in pairs] == [(i // 5 + 1, 6) for i in range(20)]


def test_a_failed_row_does_not_spoil_the_next_row_of_its_image(tmp_path: Path) -> None:
    stored(tmp_path / "1.png", image())
    position, good = pair_for(tmp_path / "1.png")
    bad = good.failed(Fault(FailureStage.READ, Reason.ENCODING))
    first, second, third = load([(position, bad), (position, good), (position, bad)])
    assert (first.error, third.error) == (bad.error, bad.error)
    assert (second.error, second.data, second.width) == (None, image(), 8)


def test_a_pair_that_has_failed_is_passed_on() -> None:
    pair = Pair("k", "s", 0, "").failed(Fault(FailureStage.READ, Reason.NO_IMAGE))
    assert load([({"index": 0}, pair)]) == [pair]


def test_measuring_in_a_process_of_its_own_is_measuring_and_a_picture_that_kills_it_is_a_crash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    child = ChildProcess()
    contents = (image(1, size=(30, 20)), image(2, size=(3, 60)), image(3, size=(30, 40)), b"<html>")
    pairs = [({}, Pair(str(n), "s", n, "a dog", ImageRef("a.tar", n), data)) for n, data in enumerate(contents)]
    found = list(ImageLoader(images.ImageLimits(1000), child).load(pairs))
    assert found == list(ImageLoader(images.ImageLimits(1000)).load(pairs))
    reasons = [pair.error and pair.error.reason for _, pair in found]
    assert reasons == [None, None, Reason.TOO_MANY_PIXELS, Reason.NOT_AN_IMAGE]
    monkeypatch.setattr(images, "measure", plugin_detectors.die)
    ((_, pair),) = ImageLoader(images.ImageLimits(1000), child).load(pairs[:1])
    assert pair.error == Fault(FailureStage.IMAGE, Reason.CRASH, "the decoder process was killed by SIGKILL")


@pytest.mark.parametrize(("deaths", "reason"), [(2, None), (3, Reason.CRASH)])
def test_an_image_at_whose_check_processes_die_has_three_calls(deaths: int, reason: Reason | None) -> None:
    class DyingChild(ChildProcess):
        calls = 0

        def call(self, function: Any, *arguments: Any, notes: Any = None) -> Any:
            self.calls += 1
            if self.calls <= deaths:
                raise ChildDied("killed by SIGKILL")
            return function(*arguments)

    child = DyingChild()
    pair = Pair("k", "s", 0, "a dog", ImageRef("a.tar"), image(1, size=(30, 20)))
    ((_, found),) = ImageLoader(images.DEFAULT_LIMITS, child, calls=3).load([({}, pair)])
    assert (child.calls, found.error and found.error.reason) == (3, reason)


def filtered(pairs: list[PositionedPair], **values: object) -> list[Pair]:
    filters = Filters(FilterSettings.model_validate(values))
    return [pair for _, pair in ImageLoader(images.DEFAULT_LIMITS, filters=filters).load(pairs)]


def test_an_image_is_not_read_if_a_filter_rejects_its_pair_without_it(tmp_path: Path) -> None:
    stored(tmp_path / "1.png", image())
    pairs = [pair_for(tmp_path / "none.png"), pair_for(tmp_path / "1.png", 1)]
    pairs[1] = pairs[1][0], replace(pairs[1][1], caption="a dog in a hat")
    rejected, kept = filtered(pairs, min_words=3)
    assert (rejected.filtered, rejected.error, rejected.image.digest) == (Reason.MIN_WORDS, None, "")
    assert (kept.filtered, kept.data, kept.width) == ("", image(), 8)


def test_an_image_that_came_with_its_pair_is_dropped_without_a_look_at_it() -> None:
    inside = Pair("k", "s.tar", 0, "a dog", ImageRef("s.tar"), data=b"not an image")
    [pair] = filtered([({"index": 0}, inside)], max_words=1)
    assert (pair.filtered, pair.error, pair.data) == (Reason.MAX_WORDS, None, b"")


def test_sizes_are_filtered_after_the_image_was_measured(tmp_path: Path) -> None:
    for name, size in {"small": (8, 6), "long": (90, 20), "good": (40, 30)}.items():
        stored(tmp_path / f"{name}.png", image(size=size))
    stored(tmp_path / "broken.png", "x")
    names = ["small", "small", "long", "good", "broken"]
    pairs = filtered([pair_for(tmp_path / f"{name}.png", n) for n, name in enumerate(names)], min_side=20, max_aspect=4)
    assert [pair.filtered for pair in pairs] == ["min_side", "min_side", "max_aspect", "", ""]
    assert [(pair.width, bool(pair.data)) for pair in pairs[:4]] == [(8, False), (8, False), (90, False), (40, True)]
    assert all(pair.image.digest for pair in pairs[:4])
    assert pairs[4].error


def test_a_failed_pair_and_one_without_caption_keep_their_own_reasons(tmp_path: Path) -> None:
    stored(tmp_path / "1.png", image())
    position, pair = pair_for(tmp_path / "1.png")
    fault = Fault(FailureStage.READ, Reason.ENCODING)
    failed, blank = filtered([(position, pair.failed(fault)), (position, replace(pair, caption=" "))], min_words=5)
    assert (failed.filtered, failed.error) == ("", fault)
    assert (blank.filtered, blank.width) == ("", 8)
