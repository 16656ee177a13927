import gzip
import io
import itertools
import json
import random
import shutil
import subprocess
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import files
from pipeline.configuration import MemberSettings
from pipeline.faults import SourceFault
from pipeline.files import FileInfo
from pipeline.sources.base import Position
from pipeline.sources.member_names import MemberNames
from pipeline.sources.webdataset import WebDatasetSource
from tests import fake_object_store
from tests.pipeline.builders import assert_reads_alike_from_anywhere, image, pairs_of, samples, stored, tar
from tests.pipeline.builders import source_settings as source
from transforms.records import FailureStage, Pair, Reason


def opened(path: Path, data: bytes) -> WebDatasetSource:
    return WebDatasetSource(stored(path, data), source())


def read_until_fault(tar_source: WebDatasetSource) -> tuple[list[Pair], str]:
    pairs: list[Pair] = []
    with pytest.raises(SourceFault) as fault:  # noqa: PT012
        for _, pair in tar_source.read({"offset": 0, "index": 0}):
            pairs.append(pair)
    return pairs, str(fault.value)


def assert_torn(pair: Pair, key: str) -> None:
    """The sample was named before it was cut, so it counts as a pair in the ledger."""
    assert pair.key == key
    assert pair.error is not None
    assert (pair.error.stage, pair.error.reason) == (FailureStage.READ, Reason.BROKEN_ROW)


def assert_ends_alike_from_anywhere(tar_source: WebDatasetSource) -> tuple[list[Pair], str]:
    """Resumed reading gives the same pairs and the same error for any damage of a tar."""
    placed: list[tuple[Position, Pair]] = []
    with pytest.raises(SourceFault) as fault:
        placed.extend(tar_source.read({"offset": 0, "index": 0}))
    for number, (position, _) in enumerate(placed):
        again: list[tuple[Position, Pair]] = []
        with pytest.raises(SourceFault) as same:
            again.extend(tar_source.read(json.loads(json.dumps(position))))
        assert again == placed[number:]
        assert str(same.value) == str(fault.value)
    return [pair for _, pair in placed], str(fault.value)


def assert_same_rest_from_anywhere(tar_source: WebDatasetSource) -> tuple[list[Pair], str]:
    """Returns the pairs and the fault of a tar. Checks that each position gives the same rest and the same fault."""
    [spec] = tar_source.ranges(100)
    placed, fault = reading(tar_source, spec.start)
    starts = []
    with suppress(SourceFault):
        starts.extend(tar_source.starts(spec.start))
    assert starts == [position for position, _ in placed]
    assert [position["index"] for position in starts] == list(range(len(starts)))
    for number, position in enumerate(starts):
        assert len(json.dumps(position)) < 2000
        assert reading(tar_source, json.loads(json.dumps(position))) == (placed[number:], fault)
    return [pair for _, pair in placed], fault


@pytest.mark.parametrize("order", itertools.permutations(["jpg", "json", "txt"]))
def test_members_of_a_sample_come_in_any_order(tmp_path: Path, order: tuple[str, ...]) -> None:
    contents = {"jpg": image(1, "JPEG"), "json": b'{"width": 8}', "txt": b"a dog"}
    members = [(f"{key}.{ending}", contents[ending]) for key in ("1", "2") for ending in order]
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.tar", tar(members)))
    assert [(p.key, p.caption, p.data, p.meta, p.error) for p in pairs] == [
        (key, "a dog", contents["jpg"], '{"width":8}', None) for key in ("1", "2")
    ]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("folder", ["", "d/" * 20, "long" * 40 + "/", "ä" * 60 + "/"])
def test_every_position_resumes_and_every_slice_is_the_image(
    tmp_path: Path, form: int, packed: bool, folder: str
) -> None:
    if form == tarfile.USTAR_FORMAT and len(folder) > 90:
        folder = "d" * 90 + "/" + "e" * 60 + "/"
    members = [(folder + name, data) for name, data in samples(4)]
    whole = tar(members, form)
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.tar", gzip.compress(whole) if packed else whole))
    assert [p.key for p in pairs] == [f"{folder}{i:05}" for i in range(4)]
    assert [p.caption for p in pairs] == [f"caption {i}" for i in range(4)]
    for pair in pairs:
        ref = pair.image
        assert (ref.uri, ref.row, ref.length) == (str(tmp_path / "a.tar"), -1, len(pair.data))
        assert whole[ref.offset : ref.offset + ref.length] == pair.data == dict(members)[f"{pair.key}.jpg"]


def test_gzip_is_told_by_the_first_bytes(tmp_path: Path) -> None:
    packed = opened(tmp_path / "packed.tar", tar(samples(3), packed=True))
    plain = opened(tmp_path / "plain.tar.gz", tar(samples(3)))
    assert [p.data for p in pairs_of(packed)] == [p.data for p in pairs_of(plain)] != []


def test_gzip_of_several_members(tmp_path: Path) -> None:
    whole = tar(samples(3))
    assert len(pairs_of(opened(tmp_path / "a.tgz", gzip.compress(whole[:700]) + gzip.compress(whole[700:])))) == 3


@pytest.mark.parametrize(
    ("value", "caption", "meta"),
    [
        ({"caption": "a dog", "n": 1}, "a dog", {"n": 1}),
        ({"text": "a dog"}, "a dog", {}),
        ({"caption": None, "text": "a dog"}, "", {"text": "a dog"}),
        ({}, "", {}),
    ],
)
def test_without_a_txt_the_json_tells_the_caption(
    tmp_path: Path, value: dict[str, object], caption: str, meta: dict[str, object]
) -> None:
    members = [("1.jpg", image()), ("1.json", json.dumps(value).encode())]
    [pair] = pairs_of(opened(tmp_path / "a.tar", tar(members)))
    assert (pair.caption, pair.error) == (caption, None)
    told = json.loads(pair.meta)
    assert {key: value for key, value in told.items() if value is not None} == meta


def test_a_list_of_captions_gives_several_pairs_of_one_image(tmp_path: Path) -> None:
    lists: list[object] = [["a dog", "a hat"], [], ["a cat", None, 7], "a bird", ["one"]]
    members = [
        member
        for i, value in enumerate(lists)
        for member in ((f"{i}.json", json.dumps({"captions": value, "n": i}).encode()), (f"{i}.jpg", image(i)))
    ]
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.tar", tar(members)))
    assert [(p.key, p.caption) for p in pairs] == [
        ("0-0", "a dog"),
        ("0-1", "a hat"),
        ("1", ""),
        ("2-0", "a cat"),
        ("2-1", ""),
        ("2-2", ""),
        ("3", "a bird"),
        ("4", "one"),
    ]
    assert [p.data for p in pairs[:2]] == [image(0)] * 2
    assert [json.loads(p.meta)["n"] for p in pairs] == [0, 0, 1, 2, 2, 2, 3, 4]
    assert [p.error and p.error.reason for p in pairs] == [None] * 5 + [Reason.BROKEN_ROW, None, None]


TEXTS = {
    b"\xef\xbb\xbfa dog": "a dog",
    "a dog \u263a\r\n".encode("utf-16"): "a dog \u263a",
    b"\xfe\xff\0a\0 \0d": "a d",
    b"a dog\0\0": "a dog",
    b"a dog\n\0": "a dog",
    b"a dog\r\n": "a dog",
    b"a dog\n\n": "a dog\n",
    b" a dog \n": " a dog ",
    b"a\ndog": "a\ndog",
    b"": "",
}


def test_of_a_text_only_the_framing_goes(tmp_path: Path) -> None:
    members = [m for i, data in enumerate(TEXTS) for m in ((f"{i}.jpg", image(i)), (f"{i}.txt", data))]
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.tar", tar(members)))
    assert [p.caption for p in pairs] == [*TEXTS.values()]
    assert not any(p.error for p in pairs)


@pytest.mark.parametrize(
    "data", ["a dog".encode("utf-16-le"), b"a\0dog", b"caf\xe9", b"\xff\xfea dog", b"\xff\xfe\0\xd8"]
)
def test_a_text_that_does_not_decode_is_a_failed_pair(tmp_path: Path, data: bytes) -> None:
    members = [("1.jpg", image(1)), ("1.txt", data), ("2.jpg", image(2)), ("2.txt", b"a dog")]
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.tar", tar(members)))
    assert [p.error.reason if p.error else None for p in pairs] == [Reason.ENCODING, None]


def test_images_whose_names_begin_with_a_dot_are_counted(tmp_path: Path) -> None:
    members = [
        (".jpg", image(1)),
        ("a/.png", image(1)),
        (".1.jpg", image(2)),
        (".1.txt", b"a dog"),
        ("2.jpg", image(3)),
    ]
    members += [("2.txt", b"a hat"), ("._2.jpg", b"Mac OS X"), ("./3.jpg", image(4)), ("./3.txt", b"a cat")]
    source = opened(tmp_path / "a.tar", tar(members))
    found = []
    with pytest.raises(SourceFault, match=r"^3 images belong to no sample, first \.jpg: a dot begins their name"):
        found.extend(pair.caption for _, pair in source.read({"offset": 0, "index": 0}))
    assert found == ["a hat", "a cat"]


@pytest.mark.parametrize("depth", [100, 300, 500, 5_000, 100_000])
def test_deep_json_costs_its_pair_or_its_meta(tmp_path: Path, depth: int) -> None:
    deep = b'{"x":' + b"[" * depth + b"]" * depth + b', "n": ' + b"9" * 5_000 + b"}"
    members = [("1.jpg", image(1)), ("1.txt", b"a dog"), ("1.json", deep), ("2.jpg", image(2)), ("2.txt", b"a hat")]
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.tar", tar(members)))
    assert [p.error.reason if p.error else None for p in pairs] == [None if depth < 900 else Reason.BROKEN_ROW, None]
    if depth < 900:
        assert json.loads(pairs[0].meta)["n"] == "9" * 5_000
        assert "nested deeper than 64" in pairs[0].meta


def test_txt_goes_before_json_whose_other_caption_stays_in_meta(tmp_path: Path) -> None:
    value = {"caption": "another", "url": "http://x/1", "id": 12, "key": "k", "score": float("nan")}
    members = [("1.jpg", image()), ("1.json", json.dumps(value).encode()), ("1.txt", "ein Hütchen 🎩".encode())]
    [pair] = pairs_of(opened(tmp_path / "a.tar", tar(members)))
    assert (pair.caption, pair.url, pair.id) == ("ein Hütchen 🎩", "http://x/1", "12")
    assert json.loads(pair.meta) == {"caption": "another", "url": "http://x/1", "id": 12, "key": "k", "score": None}


def test_columns_can_be_named(tmp_path: Path) -> None:
    members = [("1.jpg", image()), ("1.json", b'{"alt": "a dog", "caption": "no"}')]
    info = stored(tmp_path / "a.tar", tar(members))
    [pair] = pairs_of(WebDatasetSource(info, source(columns={"caption": "alt"})))
    assert pair.caption == "a dog"


@pytest.mark.parametrize("packed", [False, True])
def test_a_tar_cut_inside_a_sample_gives_the_whole_samples_before_and_a_failed_pair(
    tmp_path: Path, packed: bool
) -> None:
    members = samples(3)
    # The third sample's image is complete, its .json is not.
    whole = tar(members)
    cut = whole[: len(tar(members[:7], ended=False)) + 512 + 10]
    pairs, fault = read_until_fault(opened(tmp_path / "a.tar", gzip.compress(cut) if packed else cut))
    assert [p.caption for p in pairs] == ["caption 0", "caption 1", ""]
    assert_torn(pairs[2], "00002")
    assert "truncated or damaged at byte" in fault


def test_a_tar_cut_inside_a_samples_first_member_gives_the_whole_samples_before(tmp_path: Path) -> None:
    members = samples(3)
    cut = tar(members)[: len(tar(members[:6], ended=False)) + 512 + 10]
    pairs, fault = read_until_fault(opened(tmp_path / "a.tar", cut))
    assert [p.caption for p in pairs] == ["caption 0", "caption 1", ""]
    assert_torn(pairs[2], "00002")
    assert "truncated or damaged at byte" in fault


def test_a_tar_that_just_stops_gives_all_samples_and_a_fault(tmp_path: Path) -> None:
    pairs, fault = read_until_fault(opened(tmp_path / "a.tar", tar(samples(3), ended=False)))
    assert [p.caption for p in pairs] == ["caption 0", "caption 1", "caption 2"]
    assert "truncated or damaged at byte" in fault


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("broken", [b"\x55", b"\0"], ids=["noise", "zeros"])
@pytest.mark.parametrize("first", range(9))
def test_behind_a_broken_header_reading_goes_on(tmp_path: Path, first: int, broken: bytes, packed: bool) -> None:
    """Zeros are the end mark of a tar: the members after them would be lost silently."""
    members = samples(4)
    at = len(tar(members[:first], ended=False))
    data = bytearray(tar(members))
    data[at : at + 512] = broken * 512
    source = opened(tmp_path / "a.tar", gzip.compress(data) if packed else bytes(data))
    source.ranges(10)
    pairs, fault = assert_ends_alike_from_anywhere(source)
    assert [pair.key for pair in pairs] == [f"0000{i}" for i in range(4)]
    # In the first sample, it is not yet known that there should be a third member.
    torn = {first // 3} - ({0} if first in (1, 2) else set())
    assert [pair.caption for pair in pairs if not pair.error] == [f"caption {i}" for i in range(4) if i not in torn]
    assert f"byte {at}" in fault


def test_tars_that_were_joined_are_read_to_the_last_one_and_named(tmp_path: Path) -> None:
    members = samples(6)
    joined = b"".join(tar(members[first : first + 6]) for first in (0, 6, 12))
    pairs, fault = assert_ends_alike_from_anywhere(opened(tmp_path / "a.tar", joined))
    assert [pair.caption for pair in pairs] == [f"caption {i}" for i in range(6)]
    assert "an end marker at byte" in fault
    assert "1 more such place" in fault


def test_a_hole_of_zeros_costs_the_samples_in_it(tmp_path: Path) -> None:
    members = samples(40)
    data = bytearray(tar(members))
    first, last = (len(tar(members[:n], ended=False)) for n in (3 * 10 + 1, 3 * 20 + 2))
    data[first:last] = bytes(last - first)
    pairs, _ = assert_ends_alike_from_anywhere(opened(tmp_path / "a.tar", bytes(data)))
    assert [pair.caption for pair in pairs if not pair.error] == [f"caption {i}" for i in (*range(10), *range(21, 40))]


def test_what_is_no_tar_behind_the_end_is_named(tmp_path: Path) -> None:
    pairs, fault = assert_ends_alike_from_anywhere(opened(tmp_path / "a.tar", tar(samples(2)) + b"<html>" * 200))
    assert len(pairs) == 2
    assert "an end marker at byte" in fault


def test_zeros_without_end_behind_the_end_are_an_end(tmp_path: Path) -> None:
    assert len(pairs_of(opened(tmp_path / "a.tar", tar(samples(2)) + bytes(1 << 20)))) == 2


def test_nothing_but_zeros_is_an_empty_tar(tmp_path: Path) -> None:
    assert pairs_of(opened(tmp_path / "a.tar", bytes(10_240))) == []


@pytest.mark.skipif(not shutil.which("tar"), reason="there is no tar program here")
@pytest.mark.parametrize("form", ["gnu", "pax", "pax --sparse-version=0.0", "pax --sparse-version=0.1"])
def test_a_sparse_member_makes_a_failed_pair(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "in"
    hole = bytes(1 << 20)
    for name, data in (("1.jpg", image() + hole + b"end"), ("1.txt", b"a dog"), ("2.jpg", image(2)), ("2.txt", hole)):
        stored(folder / name, b"")
        with (folder / name).open("wb") as file:
            for start in range(0, len(data), 4096):
                block = data[start : start + 4096]
                file.seek(start)
                file.write(block if block.strip(b"\0") else b"")
            file.truncate(len(data))
    names = sorted(path.name for path in folder.iterdir())
    subprocess.run(["tar", "-cSf", "../a.tar", *f"--format={form}".split(), *names], cwd=folder, check=True)
    tar_source = WebDatasetSource(files.match(str(tmp_path / "a.tar"))[0], source())
    one, two = assert_reads_alike_from_anywhere(tar_source)
    assert [one.key, two.key] == ["1", "2"]
    for pair, role in ((one, "image"), (two, "txt")):
        assert pair.error is not None
        assert pair.error.detail == f"{role}: stored as a sparse file"


def reading(tar_source: WebDatasetSource, position: Position) -> tuple[list[tuple[Position, Pair]], str]:
    """Returns the pairs of a tar from a position on, and the fault."""
    found: list[tuple[Position, Pair]] = []
    try:
        found.extend(tar_source.read(position))
    except SourceFault as fault:
        return found, str(fault)
    return found, ""


@settings(max_examples=2 * settings.default.max_examples)
@given(
    data=st.data(),
    form=st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
    damaged=st.sampled_from(["tar", "packed tar", "gzip"]),
)
def test_whatever_bytes_a_tar_holds_it_gives_pairs_and_at_most_a_source_fault_from_anywhere(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, form: int, damaged: str
) -> None:
    members = [(f"{'ä' * 60}{name}" if name.startswith("00001") else name, content) for name, content in samples(4)]
    whole = bytearray(tar(members, form, packed=damaged == "gzip"))
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + 1] = data.draw(st.binary(min_size=1, max_size=data.draw(st.sampled_from([1, 1, 8, 600]))))
    path = tmp_path_factory.mktemp("tar") / "a.tar"
    tar_source = opened(path, gzip.compress(whole) if damaged == "packed tar" else bytes(whole))
    try:
        tar_source.ranges(10)
    except SourceFault as fault:
        assert str(fault) == "not a tar"  # noqa: PT017
        return
    placed, fault_text = reading(tar_source, {"offset": 0, "index": 0})
    assert [pair.index for _, pair in placed] == list(range(len(placed)))
    assert fault_text.isprintable()
    for number, (position, _) in enumerate(placed):
        assert reading(tar_source, json.loads(json.dumps(position))) == (placed[number:], fault_text)


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def packed_or_not(path: Path, data: bytes) -> list[WebDatasetSource]:
    return [opened(path / "a.tar", data), opened(path / "b.tar", gzip.compress(data))]


def test_extended_headers_without_end_are_no_recursion(tmp_path: Path) -> None:
    chain = (header("x", 2, tarfile.GNUTYPE_LONGNAME) + b"ab".ljust(512, b"\0")) * 3000
    for tar_source in packed_or_not(tmp_path, chain + tar(samples(2))):
        pairs = pairs_of(tar_source)
        assert [pair.caption for pair in pairs[-1:]] == ["caption 1"]


@pytest.mark.parametrize("size", [1 << 33, 1 << 40, 1 << 62, 1 << 80])
@pytest.mark.parametrize("name", ["1.jpg", "1.cls"])
def test_a_size_that_cannot_be_costs_no_time_and_only_its_own_sample(tmp_path: Path, size: int, name: str) -> None:
    data = tar(samples(1), ended=False) + header(name, size) + tar(samples(2))
    plain, packed = packed_or_not(tmp_path, data)
    pairs, fault = assert_ends_alike_from_anywhere(plain)
    assert [pair.caption for pair in pairs if not pair.error] == ["caption 0", "caption 0", "caption 1"]
    assert "truncated or damaged at byte" in fault
    pairs, fault = assert_ends_alike_from_anywhere(packed)  # its length is unknown until its end
    assert [pair.caption for pair in pairs if not pair.error] == ["caption 0"]


def extended(kind: bytes, **fields: str) -> bytes:
    """Returns a PAX header of this kind with these fields."""
    records = b""
    for key, value in fields.items():
        rest = f" {key.replace('__', '.')}={value}\n".encode()
        length = len(rest) + len(str(len(rest) + 2))
        records += str(length).encode() + rest
    return header("x", len(records), kind) + records.ljust(512, b"\0")


def test_a_sparse_file_of_a_hundred_gigabytes_is_not_made(tmp_path: Path) -> None:
    big = extended(tarfile.XHDTYPE, GNU__sparse__major="1", GNU__sparse__minor="0", GNU__sparse__realsize="99999999999")
    for tar_source in packed_or_not(tmp_path, tar(samples(1), ended=False) + big + tar([("1.txt", b"0\n")])):
        first, second = pairs_of(tar_source)
        assert (first.error, second.caption) == (None, "")
        assert_torn(second, "1")


def test_a_name_that_is_no_utf8_does_not_get_into_a_fault(tmp_path: Path) -> None:
    odd = header(b"caf\xe9.jpg".decode("utf-8", "surrogateescape"), 1 << 40)
    for tar_source in packed_or_not(tmp_path, tar(samples(1), ended=False) + odd + tar(samples(1))):
        placed, fault = reading(tar_source, {"offset": 0, "index": 0})
        assert fault.isascii()
        json.dumps([position for position, _ in placed]).encode()
        str(placed).encode()


def test_global_headers_of_pax_change_no_name(tmp_path: Path) -> None:
    data = extended(tarfile.XGLTYPE, path="other.jpg") + tar(samples(3))
    for tar_source in packed_or_not(tmp_path, data):
        assert [pair.key for pair in assert_reads_alike_from_anywhere(tar_source)] == ["00000", "00001", "00002"]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_extended_headers_that_are_broken_cost_their_own_samples(tmp_path: Path, number: int) -> None:
    members = [(f"{'ä' * 90}{name}", content) for name, content in samples(6)]
    data = bytearray(tar(members, tarfile.PAX_FORMAT))
    for member in range(3, 3 + 3 * number, 3):
        at = len(tar(members[:member], tarfile.PAX_FORMAT, ended=False)) + 512
        data[at : at + 20] = b"no record of any sort"[:20]
    for tar_source in packed_or_not(tmp_path, bytes(data)):
        pairs, _ = assert_ends_alike_from_anywhere(tar_source)
        whole = [pair.caption for pair in pairs if not pair.error]
        assert whole == [f"caption {i}" for i in range(6) if not 1 <= i <= number]


def test_what_lies_beside_a_gap_counts_as_others_of_its_tar_do(tmp_path: Path) -> None:
    members = [member for member in samples(4) if not member[0].endswith(".json")]
    for first in (2, 4):
        data = bytearray(tar(members))
        at = len(tar(members[:first], ended=False))
        data[at : at + 512] = b"\x55" * 512
        pairs, _ = assert_ends_alike_from_anywhere(opened(tmp_path / "a.tar", bytes(data)))
        assert [bool(pair.error) for pair in pairs] == [i == first // 2 for i in range(4)]


def test_a_cut_gzip_stream_is_a_fault(tmp_path: Path) -> None:
    noise = random.Random(0)
    members = [(f"{i}.{ending}", noise.randbytes(900)) for i in range(20) for ending in ("cls", "jpg")]
    packed = tar(members, packed=True)
    pairs, fault = read_until_fault(opened(tmp_path / "a.tar.gz", packed[: len(packed) * 2 // 3]))
    assert [p.key for p in pairs] == [str(i) for i in range(len(pairs))]
    assert 0 < len(pairs) < 20
    assert fault


@pytest.mark.parametrize("data", [b"", b"no tar at all", b"\x1f\x8bno gzip", b"<html>" * 500, image(0, "JPEG") * 9])
def test_what_is_no_tar_is_found_before_anything_starts(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(SourceFault, match="not a tar"):
        opened(tmp_path / "a.tar", data).ranges(100)


def test_an_empty_tar_has_no_pairs_and_no_fault(tmp_path: Path) -> None:
    empty = opened(tmp_path / "a.tar", tar([]))
    assert pairs_of(empty) == []
    assert list(empty.starts({"offset": 0, "index": 0})) == []


def test_duplicate_names_give_two_pairs(tmp_path: Path) -> None:
    members = [("1.jpg", image(1)), ("1.txt", b"a dog"), ("1.jpg", image(2)), ("1.txt", b"a hat")]
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.tar", tar(members)))
    assert [(p.key, p.caption, p.data) for p in pairs] == [("1", "a dog", image(1)), ("1", "a hat", image(2))]


def test_a_member_without_its_partner(tmp_path: Path) -> None:
    members = [("1.txt", b"a dog"), ("2.jpg", image()), ("3.json", b'{"caption": "a hat"}'), ("4.jpg", image(4))]
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.tar", tar([*members, ("4.txt", b"a cat")])))
    assert [(p.key, p.caption, p.error.reason if p.error else None) for p in pairs] == [
        ("1", "a dog", Reason.NO_IMAGE),
        ("2", "", None),
        ("3", "a hat", Reason.NO_IMAGE),
        ("4", "a cat", None),
    ]


def test_folders_and_dots_make_keys_as_webdataset_does(tmp_path: Path) -> None:
    members = [
        ("v1.0/1.jpg", image(1)),
        ("v1.0/1.txt", b"a dog"),
        ("v2.0/1.JPG", image(2)),
        ("v2.0/1.txt", b"a hat"),
        ("v2.0/1.mask.png", image(3)),
        ("v2.0/1.cls", b"7"),
    ]
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.tar", tar(members)))
    assert [(p.key, p.caption, p.data) for p in pairs] == [
        ("v1.0/1", "a dog", image(1)),
        ("v2.0/1", "a hat", image(2)),
    ]


def test_images_that_webdataset_takes_for_no_sample_are_named(tmp_path: Path) -> None:
    members = [("1.jpg", image(1)), ("1.txt", b"a dog"), ("2.v1.jpg", image(2)), ("2.v1.txt", b"a hat")]
    members += [("3.mask.png", image(3)), ("3.jpg", image(3)), ("3.txt", b"a cat"), ("4.v1.jpg", image(4))]
    members.insert(3, ("2.v2.jpg", image(2)))
    source = opened(tmp_path / "a.tar", tar(members))
    found = []
    with pytest.raises(
        SourceFault,
        match=r"^3 images belong to no sample, first 2\.v1\.jpg: .*; set source\.members\.key_end=last_dot$",
    ):
        found.extend(pair.caption for _, pair in source.read({"offset": 0, "index": 0}))
    assert found == ["a dog", "a cat"]


def test_what_a_mac_leaves_beside_a_file_is_no_picture(tmp_path: Path) -> None:
    names = {"1.depth.png": image(3), "1.jpg": image(1), "1.txt": b"a dog"}
    members = [member for name, data in names.items() for member in ((f"._{name}", b"Mac OS X"), (name, data))]
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.tar", tar(members)))
    assert [(pair.key, pair.caption, pair.error) for pair in pairs] == [("1", "a dog", None)]


@given(
    st.builds(
        "{}{}{}".format,
        st.lists(st.text("ab.", max_size=4).map("{}/".format), max_size=2).map("".join),
        st.text("az09", min_size=1, max_size=4).filter(str.islower),
        st.lists(st.text("azAZ09", min_size=1, max_size=4).map(".{}".format), min_size=1, max_size=3).map("".join),
    )
)
def test_names_are_split_as_webdataset_splits_them(name: str) -> None:
    from webdataset.tariterators import base_plus_ext

    key, extension = base_plus_ext(name)
    split = MemberNames(MemberSettings()).split(name)
    assert (split.key, split.extension) == (key, extension.lower())


def test_only_regular_members_count(tmp_path: Path) -> None:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as file:
        for kind, name in ((tarfile.DIRTYPE, "d.jpg"), (tarfile.SYMTYPE, "l.jpg"), (tarfile.FIFOTYPE, "f.jpg")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "1.jpg"
            file.addfile(info)
        for name, data in samples(1):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.tar", target.getvalue()))
    assert [p.key for p in pairs] == ["00000"]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("2.json", b"{", Reason.BROKEN_ROW),
        ("2.json", b"[1]", Reason.BROKEN_ROW),
        ("2.json", b"\xff\xfe\xfd", Reason.BROKEN_ROW),
        ("2.json", b"[" * 100_000, Reason.BROKEN_ROW),
        ("2.txt", b"caf\xe9", Reason.ENCODING),
        ("2.json", b'{"caption": "\\ud800"}', Reason.ENCODING),
        ("2.json", b'{"caption": 7}', Reason.BROKEN_ROW),
    ],
)
def test_a_bad_sample_fails_alone(tmp_path: Path, name: str, data: bytes, reason: Reason) -> None:
    members = [("1.jpg", image(1)), ("1.txt", b"a dog"), ("2.jpg", image(2)), (name, data), ("3.jpg", image(3))]
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.tar", tar(members)))
    assert [p.error.reason if p.error else None for p in pairs] == [None, reason, None]
    assert pairs[1].error is not None
    assert pairs[1].error.stage == FailureStage.READ
    assert len(pairs[1].error.detail) <= 200
    for pair in pairs:
        f"{pair.key}{pair.caption}{pair.meta}{pair.url}{pair.id}{pair.error}".encode()


def test_a_caption_that_is_no_text_says_what_it_is(tmp_path: Path) -> None:
    values = ["7", '[7, "a dog"]', '{"en": "a dog"}', "null", "NaN", "[]"]
    members = [
        (f"{n}.{e}", d) for n, v in enumerate(values) for e, d in (("jpg", b"x"), ("json", f'{{"caption": {v}}}'))
    ]
    members = [(name, data if isinstance(data, bytes) else data.encode()) for name, data in members]
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.tar", tar(members)))
    assert [(p.key, p.caption, p.error and p.error.detail) for p in pairs] == [
        ("0", "", "0.json: caption: a number, not a text"),
        ("1-0", "", "1.json: caption: a number, not a text"),
        ("1-1", "a dog", None),
        ("2", "", "2.json: caption: an object with en, not a text"),
        ("3", "", None),
        ("4", "", None),
        ("5", "", None),
    ]


@pytest.mark.parametrize("value", [b'{"note": "\\ud800"}', b'{"\\udfff": 1}', b'{"big": 1' + b"0" * 40 + b"}"])
def test_odd_fields_of_the_json_harm_nobody(tmp_path: Path, value: bytes) -> None:
    members = [("1.jpg", image(1)), ("1.json", value), ("1.txt", b"a dog"), ("2.jpg", image(2)), ("2.txt", b"a hat")]
    pairs = pairs_of(opened(tmp_path / "a.tar", tar(members)))
    assert [p.caption for p in pairs] == ["a dog", "a hat"]
    assert isinstance(json.loads(pairs[0].meta), dict)
    pairs[0].meta.encode()


def test_a_name_that_is_no_utf8_is_a_failed_pair(tmp_path: Path) -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    data = tar([(f"{name}.jpg", image()), (f"{name}.json", b"{")], tarfile.GNU_FORMAT)
    [pair] = pairs_of(opened(tmp_path / "a.tar", data))
    assert pair.error is not None
    f"{pair.key}{pair.error}".encode()


@settings(
    max_examples=settings.default.max_examples * 2 // 5,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcd"), st.sampled_from(["jpg", "txt", "json", "cls", "png"]), st.binary(max_size=9)
        ),
        max_size=14,
    ),
    st.booleans(),
)
def test_any_sequence_of_members_reads_alike_from_anywhere(
    tmp_path: Path, members: list[tuple[str, str, bytes]], packed: bool
) -> None:
    data = tar([(f"{key}.{ending}", data) for key, ending, data in members], packed=packed)
    pairs, _ = assert_same_rest_from_anywhere(opened(tmp_path / "a.tar", data))
    pictures = [data for _, ending, data in members if ending in ("jpg", "png")]
    found = [pair.image for pair in pairs if pair.image.uri]
    unpacked = gzip.decompress(data) if packed else data
    broken = [pair for pair in pairs if pair.error and pair.error.reason == Reason.BROKEN_ROW]
    slices = [unpacked[ref.offset : ref.offset + ref.length] for ref in found]
    # Every picture belongs to exactly one pair. The picture of a sample with a broken .json is not kept.
    assert [s for s in slices if s in pictures] == slices
    assert len(pictures) - len(broken) <= len(slices) <= len(pictures)


def test_on_an_object_store(tmp_path: Path) -> None:
    fake_object_store.use(tmp_path / "shelf")
    data = tar(samples(3), packed=True)
    uri = fake_object_store.put("shelf://data/a.tar.gz", data)
    pairs = assert_reads_alike_from_anywhere(WebDatasetSource(FileInfo(uri, len(data), 0.0), source()))
    assert [p.image.uri for p in pairs] == [uri] * 3


def test_a_member_of_negative_size_leads_nowhere(tmp_path: Path) -> None:
    """CVE-2025-8194: tarfile would loop forever on this file."""
    bad = bytearray(header("2.jpg", 0))
    bad[124:136] = b"\xff" * 10 + b"\xfe\x00"  # base-256: -512
    bad[148:156] = b" " * 8
    bad[148:156] = b"%06o\0 " % sum(bad)
    assert tarfile.TarInfo.frombuf(bytes(bad), "utf-8", "strict").size == -512
    for tar_source in packed_or_not(tmp_path, tar(samples(1), ended=False) + bytes(bad) + tar(samples(1))):
        for read in (tar_source.read, tar_source.starts):
            with pytest.raises(SourceFault, match="truncated or damaged"):
                list(read({"offset": 0, "index": 0}))
