"""Tars that do not name or order their members as webdataset does."""

import gzip
import io
import itertools
import json
import random
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import files
from pipeline.faults import CallError, SourceFault
from pipeline.files import FileInfo
from pipeline.sources import tar_index
from pipeline.sources.tar_layout import find_layout
from pipeline.sources.tar_members import TarReader, open_tar
from pipeline.sources.webdataset import WebDatasetSource
from tests import fake_object_store
from tests.pipeline.builders import configuration, image, samples, stored, tar
from tests.pipeline.builders import source_settings as source
from tests.pipeline.sources.test_webdataset import assert_same_rest_from_anywhere, reading
from transforms.records import Pair, Reason

Members = list[tuple[str, bytes]]
ADVICE = "members of one sample are not adjacent, first those of 00000, so they gave several pairs; unpack the tar and "
PICTURES = [image(i, "JPEG") for i in range(6)]


def opened(path: Path, content: Members, packed: bool = False, **values: Any) -> WebDatasetSource:
    return WebDatasetSource(stored(path, tar(content, packed=packed)), source(**values))


def sets(number: int, **members: Callable[[int], bytes]) -> Members:
    """The members of `number` samples; a name like input_jpg stands for the extension `input.jpg`."""
    return [(f"s{i:03}.{name.replace('_', '.')}", data(i)) for i in range(number) for name, data in members.items()]


def picture(i: int) -> bytes:
    return PICTURES[i % len(PICTURES)]


def words(i: int) -> bytes:
    return f"caption {i}".encode()


def meta(i: int) -> bytes:
    return json.dumps({"url": f"http://x/{i}"}).encode()


def captioned(i: int) -> bytes:
    return json.dumps({"caption": f"json {i}", "url": f"http://x/{i}"}).encode()


def summary(pairs: list[Pair]) -> list[tuple[str, str, bytes]]:
    return [(pair.key, pair.caption, pair.data) for pair in pairs if not pair.error]


USUAL = [(f"s{i:03}", f"caption {i}", PICTURES[i]) for i in range(4)]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("members", "settings"),
    [
        (sets(4, input_jpg=picture, output_txt=words), {"image": "input.jpg", "caption": "output.txt"}),
        (sets(4, output_txt=words, input_jpg=picture), {"image": [".Input.JPG"], "caption": ["output.txt"]}),
        (sets(4, left_png=picture, right_png=words, txt=words), {"image": "left.png"}),
        (
            sets(4, b_jpg=words, a_jpg=picture, b_txt=meta, a_txt=words),
            {"image": ["a.jpg", "b.jpg"], "caption": "a.txt"},
        ),
        (sets(4, b_jpg=picture, txt=words), {"image": ["a.jpg", "b.jpg"]}),
        (sets(4, bin=picture, alt=words), {"image": "bin", "caption": "alt"}),
        (sets(4, **{"1_jpg": picture, "2_txt": words}), {"key_end": "last_dot", "image": "1.jpg", "caption": "2.txt"}),
    ],
)
def test_settings_name_the_members_of_a_sample(
    tmp_path: Path, members: Members, settings: dict[str, Any], packed: bool
) -> None:
    pairs, fault = assert_same_rest_from_anywhere(opened(tmp_path / "a.tar", members, packed, members=settings))
    assert (summary(pairs), fault) == (USUAL, "")


@pytest.mark.parametrize("packed", [False, True])
def test_a_key_that_comes_again_with_another_extension_overwrites_nothing(tmp_path: Path, packed: bool) -> None:
    members = [("a.jpg", picture(0)), ("a.txt", b"one"), ("a.hq.jpg", picture(1)), ("a.txt", b"two")]
    tar_source = opened(tmp_path / "a.tar", members, packed, members={"image": ["hq.jpg", "jpg"]})
    pairs, fault = assert_same_rest_from_anywhere(tar_source)
    assert (summary(pairs), fault) == ([("a", "one", picture(0)), ("a", "two", picture(1))], "")
    early = [("b.jpg", picture(2)), *members, ("b.txt", b"three")]
    tar_source = opened(tmp_path / "b.tar", early, packed, members={"image": ["hq.jpg", "jpg"]})
    assert summary(assert_same_rest_from_anywhere(tar_source)[0])[-2:] == summary(pairs)
    in_order = [("a.alt.txt", b"one"), ("a.jpg", picture(0)), ("a.txt", b"two"), ("b.alt.txt", b"three")]
    in_order.append(("b.jpg", picture(1)))
    tar_source = opened(tmp_path / "c.tar", in_order, packed, members={"caption": ["txt", "alt.txt"]})
    pairs, fault = assert_same_rest_from_anywhere(tar_source)
    assert (summary(pairs), fault) == ([("a", "two", picture(0)), ("b", "three", picture(1))], "")


def test_a_sample_with_settings_keeps_its_json(tmp_path: Path) -> None:
    settings = {"image": "input.jpg", "caption": "output.txt"}
    members = sets(4, input_jpg=picture, json=meta, output_txt=words)
    pairs, _ = assert_same_rest_from_anywhere(opened(tmp_path / "a.tar", members, members=settings))
    assert summary(pairs) == USUAL
    assert [pair.url for pair in pairs] == [f"http://x/{i}" for i in range(4)]
    members = sets(4, input_jpg=picture, info_json=captioned)
    settings = {"image": "input.jpg", "metadata": "info.json"}
    pairs, _ = assert_same_rest_from_anywhere(opened(tmp_path / "b.tar", members, members=settings))
    assert [pair.caption for pair in pairs] == [f"json {i}" for i in range(4)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image": "a/b.jpg"}, r"source\.members\.image: .*not the end of a member's name"),
        ({"image": ["jpg", "JPG"]}, r"source\.members: jpg is listed twice"),
        ({"caption": "output.json"}, r"source\.members: output\.json is JSON; list it in source\.members\.metadata"),
        ({"key_end": "dot"}, r"source\.members\.key_end"),
    ],
)
def test_wrong_extensions_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(CallError, match=message):
        configuration(source={"members": settings})


def dotted(number: int) -> Members:
    names = [f"scan {i}.{i % 2} (v{i}).{extension}" for i in range(number) for extension in ("jpg", "txt")]
    return [(name, (words if name.endswith("txt") else picture)(n // 2)) for n, name in enumerate(names)]


DOTTED = [(f"scan {i}.{i % 2} (v{i})", f"caption {i}", PICTURES[i]) for i in range(4)]
SAME_DOTS = [(f"v1.0/a {i}.x.{e}", f(i)) for i in range(4) for e, f in (("txt", words), ("webp", picture))]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("members", "expected", "layout"),
    [
        (dotted(4), DOTTED, {"key_end": "last_dot"}),
        (SAME_DOTS, [(f"v1.0/a {i}.x", *USUAL[i][1:]) for i in range(4)], {"key_end": "last_dot"}),
        (
            sets(4, input_jpg=picture, output_txt=words),
            USUAL,
            {"image": ["input.jpg"], "caption": ["output.txt"]},
        ),
        (
            sets(4, json=meta, input_jpg=picture, output_txt=words),
            USUAL,
            {"image": ["input.jpg"], "caption": ["output.txt"]},
        ),
        (sets(4, input_jpg=picture, txt=words, ocr_txt=meta), USUAL, {"image": ["input.jpg"]}),
        (
            sets(4, input_jpg=picture, json=captioned, ocr_txt=words),
            [(key, f"json {i}", data) for i, (key, _, data) in enumerate(USUAL)],
            {"image": ["input.jpg"]},
        ),
        (
            sets(4, input_jpg=picture, info_json=captioned),
            [(key, f"json {i}", data) for i, (key, _, data) in enumerate(USUAL)],
            {"image": ["input.jpg"], "metadata": ["info.json"]},
        ),
    ],
)
def test_names_are_found_if_no_image_has_a_usual_one(
    tmp_path: Path, members: Members, expected: list[tuple[str, str, bytes]], layout: dict[str, Any], packed: bool
) -> None:
    members = [("._x.jpg", b"Mac OS X"), ("readme.md", b""), *members]
    tar_source = opened(tmp_path / "a.tar", members, packed)
    assert tar_source.ranges(100)[0].start == {"offset": 0, "index": 0, "members": layout}
    pairs, fault = assert_same_rest_from_anywhere(tar_source)
    assert (summary(pairs), len(pairs), fault) == (expected, 4, "")


@pytest.mark.parametrize("packed", [False, True])
def test_beside_names_that_are_found_the_usual_ones_keep_their_roles(
    tmp_path: Path, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.sources.tar_layout.MAX_MEMBERS", 20)
    monkeypatch.setattr("pipeline.sources.tar_layout._MAX_GZIPPED", 20)
    thumbs = [(f"t/{i}.thumb.jpg", picture(5)) for i in range(21)]
    both = [("z.jpg", picture(4)), ("z.thumb.jpg", picture(5)), ("z.txt", b"a hat")]
    tar_source = opened(tmp_path / "a.tar", [*thumbs, *sets(4, jpg=picture, txt=words), *both], packed)
    assert tar_source.ranges(100)[0].start == {"offset": 0, "index": 0, "members": {"image": ["thumb.jpg"]}}
    pairs, fault = assert_same_rest_from_anywhere(tar_source)
    assert (summary(pairs[21:]), fault) == ([*USUAL, ("z", "a hat", picture(4))], "")
    both[0] = ("z.jpg", b"no image")
    set_by_the_user = opened(tmp_path / "b.tar", both, packed, members={"image": "thumb.jpg"})
    assert summary(assert_same_rest_from_anywhere(set_by_the_user)[0]) == [("z", "a hat", picture(5))]


def test_what_webdataset_writes_with_compound_names_is_read(tmp_path: Path) -> None:
    import webdataset

    with webdataset.TarWriter(str(tmp_path / "a.tar")) as writer:
        for key, caption, data in USUAL:
            writer.write({"__key__": key, "output.txt": caption, "input.jpg": data, "json": {"url": key}})
    tar_source = WebDatasetSource(files.match(str(tmp_path / "a.tar"))[0], source())
    pairs, fault = assert_same_rest_from_anywhere(tar_source)
    assert (summary(pairs), fault) == (USUAL, "")
    assert [pair.url for pair in pairs] == [key for key, _, _ in USUAL]


@pytest.mark.parametrize(
    "members",
    [
        sets(4, left_jpg=picture, right_jpg=picture, json=captioned),
        [*sets(3, input_jpg=picture, output_txt=words), ("z.jpg", picture(3))],
        sets(4, heic=picture, mask_png=picture, txt=words),
        sets(4, mask_png=picture, heic=picture, txt=words),
        sets(4, jxl=picture, seg_png=picture, json=captioned),
        sets(4, tga=picture, preview_jpg=picture, license_txt=words, tags_json=meta),
        sets(4, input_jpg=picture, license_txt=words, tags_json=captioned),
        sets(4, npy=words),
        [],
    ],
)
def test_names_are_not_guessed_if_something_could_be_lost(tmp_path: Path, members: Members) -> None:
    assert opened(tmp_path / "a.tar", members).ranges(100)[0].start == {"offset": 0, "index": 0}
    named = opened(tmp_path / "a.tar", members, members={"image": "x.jpg"}).ranges(100)[0].start
    assert named == {"offset": 0, "index": 0}


def test_a_mask_beside_an_image_of_another_format_is_no_picture(tmp_path: Path) -> None:
    members = sets(4, heic=picture, mask_png=words, txt=words)
    pairs, fault = assert_same_rest_from_anywhere(opened(tmp_path / "a.tar", members))
    assert [(pair.key, pair.caption, pair.data) for pair in pairs] == [
        (f"s{i:03}", words(i).decode(), b"") for i in range(4)
    ]
    assert pairs[0].error is not None
    assert pairs[0].error.reason == Reason.NO_IMAGE
    assert "beside it: s000.mask.png; set source.members.image=mask.png to use it" in pairs[0].error.detail
    assert fault == ""


def test_images_without_a_sample_name_the_settings(tmp_path: Path) -> None:
    members = [*sets(3, input_jpg=picture, output_txt=words), ("z.jpg", picture(3)), ("z.txt", b"a hat")]
    _, fault = assert_same_rest_from_anywhere(opened(tmp_path / "a.tar", members))
    assert fault == (
        "3 images belong to no sample, first s000.input.jpg: they have a second dot and no sample of their key; set "
        "source.members.image=input.jpg source.members.caption=output.txt, or source.members.key_end=last_dot if the "
        "dots belong to the key"
    )
    members = [*sets(3, input_jpg=picture), ("z.jpg", picture(3)), ("z.txt", b"a hat")]
    _, fault = assert_same_rest_from_anywhere(opened(tmp_path / "b.tar", members))
    assert fault.endswith(
        "set source.members.key_end=last_dot if the dots belong to the key, else source.members.image=input.jpg"
    )


VERSIONS = [f"{key}.{e}" for i in range(8) for key in [f"a.{i}"] for e in ("jpg", "txt")]
DATES = [f"2024.01.0{i}_x.{e}" for i in range(8) for e in ("jpg", "txt")]
USUAL_NAMES = [f"{key}.{e}" for key in ("0", "1", "y", "z") for e in ("jpg", "txt")]


@pytest.mark.parametrize("dotted_names", [VERSIONS, DATES])
@pytest.mark.parametrize("place", ["start", "middle", "end", "alternating"])
@pytest.mark.parametrize("joined", [False, True])
def test_images_with_dots_in_some_keys_are_all_counted_and_get_the_setting_that_works(
    tmp_path: Path, dotted_names: list[str], place: str, joined: bool
) -> None:
    at = {"start": 0, "middle": 4, "end": 8}.get(place)
    if at is None:
        alternating = [name for i in range(4) for name in (*USUAL_NAMES[2 * i :][:2], *dotted_names[4 * i :][:4])]
    names = alternating if at is None else [*USUAL_NAMES[:at], *dotted_names, *USUAL_NAMES[at:]]
    if joined:
        names = names[::2] + names[1::2]
    members = [(name, picture(0) if name.endswith("jpg") else name.encode()) for name in names]
    pairs, fault = assert_same_rest_from_anywhere(opened(tmp_path / "a.tar", members))
    assert sorted(pair.caption for pair in pairs) == sorted(USUAL_NAMES[1::2])
    assert fault.startswith(f"8 images belong to no sample, first {dotted_names[0]}: they have a second dot and no ")
    assert fault.partition("; set ")[2].startswith("source.members.key_end=last_dot")
    cured = opened(tmp_path / "a.tar", members, members={"key_end": "last_dot"})
    pairs, fault = assert_same_rest_from_anywhere(cured)
    assert (sorted(pair.caption for pair in pairs), fault) == (sorted(USUAL_NAMES[1::2] + dotted_names[1::2]), "")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("order", list(itertools.permutations(["left.jpg", "right.jpg", "json"])))
def test_a_sample_without_an_image_names_those_beside_it(tmp_path: Path, order: list[str], packed: bool) -> None:
    members = [(f"{i:03}.{name}", captioned(i) if name == "json" else picture(i)) for i in range(3) for name in order]
    pairs, fault = assert_same_rest_from_anywhere(opened(tmp_path / "a.tar", members, packed))
    assert fault == ""
    first = next(name for name in order if name != "json")
    beside = ", ".join(f"001.{name}" for name in order if name != "json")
    assert pairs[1].error is not None
    assert pairs[1].error.reason == Reason.NO_IMAGE
    assert pairs[1].error.detail == (
        f"no image of this key; beside it: {beside}; set source.members.image={first} to use it"
    )


@pytest.mark.parametrize("view", ["a\nb\x1b[2J", "v" * 5000, "\u202e", b"\xe9".decode("utf-8", "surrogateescape")])
@pytest.mark.parametrize("before", [False, True])
def test_names_of_any_characters_stay_in_their_line(tmp_path: Path, view: str, before: bool) -> None:
    members = [(f"a.{view}{i}.jpg", picture(1)) for i in range(50)]
    members = [*members, ("a.json", captioned(0))] if before else [("a.json", captioned(0)), *members]
    members += [(f"b.{view}.jpg", picture(1)), ("c.jpg", picture(2)), ("c.txt", b"a hat")]
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.GNU_FORMAT) as file:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    tar_source = WebDatasetSource(stored(tmp_path / "a.tar", data.getvalue()), source())
    pairs, fault = assert_same_rest_from_anywhere(tar_source)
    assert pairs[0].error is not None
    for text in (pairs[0].error.detail, fault):
        assert text.isprintable()
        assert len(text) <= 400
    assert len(pairs[0].error.detail) <= 200
    assert "beside it: " in pairs[0].error.detail
    assert ", …" in pairs[0].error.detail or len(view) > 1000


def apart(number: int) -> Members:
    members = samples(number)
    return [one for name in ("jpg", "json", "txt") for one in members if one[0].endswith(name)]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT])
def test_members_that_are_not_adjacent_are_joined(tmp_path: Path, form: int) -> None:
    members = [(f"{'ä' * 60 if form == tarfile.PAX_FORMAT else ''}{name}", data) for name, data in apart(6)]
    tar_source = WebDatasetSource(stored(tmp_path / "a.tar", tar(members, form)), source())
    pairs, fault = assert_same_rest_from_anywhere(tar_source)
    assert fault == ""
    assert [pair.caption for pair in pairs] == [f"caption {i}" for i in range(6)]
    assert [pair.url for pair in pairs] == [f"http://x/{i}" for i in range(6)]
    assert [pair.data for pair in pairs] == [data for name, data in members if name.endswith("jpg")]
    assert [pair.key for pair in pairs] == [name[:-4] for name, _ in members[:6]]
    assert list(tar_source.fetch([pair.image for pair in pairs])) == [pair.data for pair in pairs]


@settings(
    max_examples=settings.default.max_examples * 3 // 5,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.permutations(samples(5)), st.randoms())
def test_a_tar_in_any_order_gives_the_pairs_of_the_sorted_one(
    tmp_path: Path, members: Members, noise: random.Random
) -> None:
    members = list(members)
    if noise.random() < 0.5:
        members.remove(noise.choice(members))
    lists = [
        (name, json.dumps({"captions": ["a", "b"]}).encode()) for name, _ in members if name.endswith("00003.json")
    ]
    members = [lists[0] if lists and name == lists[0][0] else (name, data) for name, data in members]
    members = [one for one in members if one[0] != "00003.txt"]
    pairs, fault = assert_same_rest_from_anywhere(opened(tmp_path / "a.tar", members))
    if "not adjacent" in fault:  # its first samples are adjacent
        return
    in_order, _ = assert_same_rest_from_anywhere(opened(tmp_path / "b.tar", sorted(members)))

    def texts(found: list[Pair]) -> list[tuple[Any, ...]]:
        reasons = [(pair.error and pair.error.reason, pair.meta) for pair in found]
        return sorted((p.key, p.caption, p.data, p.url, *map(str, r)) for p, r in zip(found, reasons, strict=True))

    assert fault == ""
    assert texts(pairs) == texts(in_order)


@settings(
    max_examples=settings.default.max_examples * 3 // 5,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_a_damaged_tar_whose_members_are_joined_reads_alike_from_anywhere(tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(tar(apart(4)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + 1] = data.draw(st.binary(min_size=1, max_size=data.draw(st.sampled_from([1, 1, 8, 600]))))
    tar_source = WebDatasetSource(stored(tmp_path / "a.tar", bytes(whole)), source())
    try:
        tar_source.ranges(100)
    except SourceFault as fault:
        assert str(fault) == "not a tar"  # noqa: PT017
        return
    assert_same_rest_from_anywhere(tar_source)


def test_members_are_joined_on_an_object_store(tmp_path: Path) -> None:
    fake_object_store.use(tmp_path / "shelf")
    data = tar(apart(5))
    uri = fake_object_store.put("shelf://data/a.tar", data)
    pairs, fault = assert_same_rest_from_anywhere(WebDatasetSource(FileInfo(uri, len(data), 0.0), source()))
    assert ([pair.caption for pair in pairs], fault) == ([f"caption {i}" for i in range(5)], "")


def test_beside_a_hole_a_joined_sample_that_lacks_a_member_is_broken(tmp_path: Path) -> None:
    members = [one for one in apart(4) if not one[0].endswith("json")]
    data = bytearray(tar(members))
    at = len(tar(members[:5], ended=False))
    data[at : at + 512] = b"\x55" * 512
    tar_source = WebDatasetSource(stored(tmp_path / "a.tar", bytes(data)), source())
    pairs, fault = assert_same_rest_from_anywhere(tar_source)
    assert [pair.error and pair.error.reason for pair in pairs] == [None, Reason.BROKEN_ROW, None, None]
    assert fault == f"truncated or damaged at byte {at}"


def test_keys_that_occur_several_times_are_not_joined_by_guess(tmp_path: Path) -> None:
    members = [
        ("a.jpg", picture(0)),
        ("b.jpg", picture(1)),
        ("a.jpg", picture(2)),
        ("a.txt", b"a dog"),
        ("b.txt", b"hat"),
    ]
    tar_source = opened(tmp_path / "a.tar", members)
    pairs, fault = assert_same_rest_from_anywhere(tar_source)
    assert [(pair.key, pair.caption) for pair in pairs] == [("a", ""), ("b", ""), ("a", "a dog"), ("b", "hat")]
    assert fault == ADVICE.replace("00000", "b") + "pack it again with tar --sort=name"
    earlier_position = {"offset": 0, "index": 0, "joined": True}
    _, fault = reading(tar_source, earlier_position)
    assert fault.startswith("1 key with several images or texts, first a: which of them belong together is unknown; ")


def test_of_tars_made_one_no_key_joins_the_image_of_one_with_the_text_of_the_other(tmp_path: Path) -> None:
    first = [("0.jpg", picture(0)), ("1.jpg", picture(1)), ("0.txt", b"0 of one")]
    second = [("0.jpg", picture(2)), ("2.jpg", picture(3)), ("0.txt", b"0 of two"), ("1.txt", b"1 of two")]
    tar_source = opened(tmp_path / "a.tar", first + second)
    assert tar_source.ranges(100)[0].start == {"offset": 0, "index": 0}
    pairs, fault = assert_same_rest_from_anywhere(tar_source)
    assert ("1", "", picture(1)) in summary(pairs)
    assert not any(pair.data for pair in pairs if pair.caption == "1 of two")
    assert fault == ADVICE.replace("00000", "0") + "pack it again with tar --sort=name"


def test_found_names_and_order_go_together(tmp_path: Path) -> None:
    members = sets(4, input_jpg=picture, output_txt=words)
    tar_source = opened(tmp_path / "a.tar", members[::2] + members[1::2][::-1])
    assert tar_source.ranges(100)[0].start["joined"] is True
    pairs, fault = assert_same_rest_from_anywhere(tar_source)
    assert (summary(pairs), fault) == (USUAL, "")
    tar_source = opened(tmp_path / "b.tar", sorted(dotted(4), key=lambda one: one[0][::-1]))
    pairs, fault = assert_same_rest_from_anywhere(tar_source)
    assert (sorted(summary(pairs)), fault) == (DOTTED, "")


def test_what_cannot_be_joined_gets_one_line_of_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs, fault = assert_same_rest_from_anywhere(opened(tmp_path / "a.tar.gz", apart(20), packed=True))
    assert len(pairs) == 60
    assert fault == ADVICE + "pack it again with tar --sort=name"
    monkeypatch.setattr(tar_index, "MAX_MEMBERS", 5)
    monkeypatch.setattr("pipeline.sources.tar_layout.MAX_MEMBERS", 5)
    assert assert_same_rest_from_anywhere(opened(tmp_path / "a.tar", apart(20)))[1] == fault
    monkeypatch.undo()
    whole = sets(9, jpg=picture, txt=words) + sets(9, json=meta)
    texts_last = sets(9, jpg=picture, json=meta) + sets(9, txt=words)
    texts_first = sets(9, txt=words) + sets(9, jpg=picture, json=meta)
    for members, packed in ((whole, False), (whole, True), (texts_last, False), (texts_first, True)):
        _, other = assert_same_rest_from_anywhere(opened(tmp_path / "c.tar", members, packed))
        assert other == fault.replace("00000", "s000")
    early = [*sets(9, jpg=picture, txt=words), *apart(20)]
    pairs, same = assert_same_rest_from_anywhere(opened(tmp_path / "b.tar", early))
    assert (pairs[0].caption, same) == ("caption 0", fault)


@pytest.mark.parametrize("adjacent", [1, 2])
def test_a_few_adjacent_samples_at_the_start_are_no_reason_not_to_join(tmp_path: Path, adjacent: int) -> None:
    first, rest = sets(50, jpg=picture, txt=words)[: 2 * adjacent], sets(50, jpg=picture, txt=words)[2 * adjacent :]
    random.Random(7).shuffle(rest)
    pairs, fault = assert_same_rest_from_anywhere(opened(tmp_path / "a.tar", first + rest))
    assert fault == ""
    assert sorted(summary(pairs)) == [(f"s{i:03}", f"caption {i}", picture(i)) for i in range(50)]


@pytest.mark.parametrize("packed", [False, True])
def test_of_a_sorted_tar_only_the_first_headers_are_looked_at(
    tmp_path: Path, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(tar(samples(500), packed=packed))
    seen = []
    parse = TarReader._header
    monkeypatch.setattr(TarReader, "_header", lambda self, block: seen.append(1) or parse(self, block))
    with open_tar(str(path), False) as reader:
        assert find_layout(reader, source()) == {}
    assert len(seen) <= 12


@pytest.mark.parametrize(("name", "cure"), [("alt_txt", "caption=alt.txt"), ("info_json", "metadata=info.json")])
def test_if_no_image_has_a_text_the_setting_for_the_first_other_text_is_named(
    tmp_path: Path, name: str, cure: str
) -> None:
    members = sets(4, **{name: captioned, "jpg": picture})
    pairs, fault = assert_same_rest_from_anywhere(opened(tmp_path / "a.tar", members))
    assert [pair.caption for pair in pairs] == [""] * 4
    text = f"s000.{name.replace('_', '.')}"
    assert fault == (
        f"no image has an adjacent .txt or .json with its key, but there is {text}; set source.members.{cure} to use it"
    )
    members.append(("s003.txt", b"a dog"))
    assert assert_same_rest_from_anywhere(opened(tmp_path / "b.tar", members))[1] == ""


def test_a_position_of_an_earlier_version_says_whether_an_image_has_a_text(tmp_path: Path) -> None:
    members = [*sets(1, jpg=picture, txt=words), ("z0.jpg", picture(1)), ("z1.jpg", picture(2)), ("z1.note.txt", b"")]
    tar_source = opened(tmp_path / "a.tar", members)
    position = reading(tar_source, tar_source.ranges(100)[0].start)[0][1][0]
    earlier = {name: value for name, value in position.items() if name not in ("paired", "lone")}
    assert earlier == {"offset": position["offset"], "index": 1, "usual": ["image", "txt"]}
    pairs, fault = reading(tar_source, earlier)
    assert ([pair.key for _, pair in pairs], fault) == (["z0", "z1"], "")


def test_an_image_that_the_settings_do_not_list_is_named(tmp_path: Path) -> None:
    members = [*sets(3, input_jpg=picture, output_txt=words), ("z.jpg", picture(3))]
    settings = {"image": "input.jpg", "caption": "output.txt"}
    pairs, fault = assert_same_rest_from_anywhere(opened(tmp_path / "a.tar", members, members=settings))
    assert summary(pairs) == USUAL[:3]
    assert fault == "1 image belongs to no sample, first z.jpg: source.members.image does not list jpg"


def notice(first: str, second: str, captioned: str) -> str:
    return (
        f"0.{first} and 0.{second}: two images with one key, of which only 0.{captioned} gets the caption; set "
        f"source.members.image={captioned.lower()}, or to the other extension if the caption is about that"
    )


@pytest.mark.parametrize(
    ("ends", "notices"),
    [
        ("jpg png txt", [notice("jpg", "png", "png")]),
        ("png jpg txt", [notice("png", "jpg", "jpg")]),
        ("jpg txt png", [notice("jpg", "png", "jpg")]),
        ("txt jpg png webp", [notice("jpg", "png", "jpg")]),
        ("json png JPG", [notice("png", "JPG", "png")]),
        ("png JPG json", [notice("png", "JPG", "JPG")]),
        ("jpg meta.json png txt", [notice("jpg", "png", "png")]),
        ("jpg JSON png txt", [notice("jpg", "png", "png")]),
        ("jpg json png txt", []),
        ("jpg JSON png", []),
        ("jpg txt png txt", []),
        ("jpg txt jpg", []),
        ("jpg left.png txt", []),
        ("jpg png", []),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_two_images_of_one_key_are_noticed(tmp_path: Path, ends: str, notices: list[str], packed: bool) -> None:
    contents = {"json": b'{"caption": "a dog"}', "JSON": b'{"url": "http://x/"}', "txt": b"a dog"}
    members = [(f"{i}.{end}", contents.get(end, picture(i))) for i in range(3) for end in ends.split()]
    tar_source = opened(tmp_path / "a.tar", members, packed)
    assert tar_source.notices({}) == notices
    if notices:  # the image with the caption is the one that is named
        named = notices[0].partition("only 0.")[2].partition(" ")[0]
        images = [end for end in ends.split() if end in ("jpg", "JPG", "png", "webp")]
        pairs = [pair for _, pair in reading(tar_source, {"offset": 0, "index": 0})[0] if pair.key == "0"]
        assert [end for end, pair in zip(images, pairs, strict=True) if pair.caption] == [named]
    preferred = opened(tmp_path / "a.tar", members, packed, members={"image": ["jpg", "png"]})
    assert preferred.notices({}) == (notices if ends == "jpg txt png" else [])  # which are two samples even so


def test_two_images_are_looked_for_in_a_limited_number_of_members_and_bytes(tmp_path: Path) -> None:
    two = [("a.jpg", picture(0)), ("a.png", picture(1)), ("a.txt", b"a dog"), ("b.jpg", picture(2))]
    cut = [*two[:3], *((f"a.{n}.npy", b"") for n in range(100)), *two[3:]]
    assert len(opened(tmp_path / "a.tgz", two, True).notices({})) == 1
    assert opened(tmp_path / "b.tgz", [*((f"{n}.cls", b"") for n in range(100)), *two], True).notices({}) == []
    assert opened(tmp_path / "c.tgz", [("a.npy", bytes(9 << 20)), *two], True).notices({}) == []
    # A text may follow the last member that is looked at.
    assert opened(tmp_path / "d.tgz", cut, True).notices({}) == []
    assert opened(tmp_path / "e.tgz", [*two[:3], ("a.npy", bytes(9 << 20))], True).notices({}) == []


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("damage", [bytes(40 << 20), b"x" * (40 << 20)], ids=["zeros", "no header"])
def test_a_notice_reads_no_more_of_a_damaged_tar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool, damage: bytes
) -> None:
    data = tar([("a.jpg", picture(0)), ("a.txt", b"a dog")])[:-1024].rstrip(b"\0")
    data = data + bytes(-len(data) % 512) + damage
    path = tmp_path / "a.tar"
    tar_source = WebDatasetSource(stored(path, gzip.compress(data, 1) if packed else data), source())
    read: list[int] = []
    original = TarReader._read
    monkeypatch.setattr(TarReader, "_read", lambda self, size: read.append(size) or original(self, size))
    assert tar_source.notices({}) == []
    assert 8_000_000 < sum(read) < 9 << 20


def test_of_a_tar_with_two_images_of_each_key_only_the_first_headers_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tar_source = opened(tmp_path / "a.tar", sets(300, jpg=picture, png=picture, txt=words))
    seen = []
    parse = TarReader._header
    monkeypatch.setattr(TarReader, "_header", lambda self, block: seen.append(1) or parse(self, block))
    assert tar_source.ranges(100)[0].start == {"offset": 0, "index": 0}
    assert len(seen) <= 8
    assert len(tar_source.notices({})) == 1
    assert len(seen) <= 12


def test_images_without_captions_are_no_reason_to_advise_anything(tmp_path: Path) -> None:
    members = [(f"{i}.jpg", image(i)) for i in range(30)]
    pairs, fault = assert_same_rest_from_anywhere(opened(tmp_path / "a.tar", members))
    assert (len(pairs), fault) == (30, "")
