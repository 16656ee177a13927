"""Damaged sources among valid ones: readable pairs are read, and losses are reported."""

import gzip
import io
import json
import random
import tarfile

import pytest
import yaml

import gritmill
from gritmill.main import main
from pipeline.tables.detections import read_all
from tests import sample_pairs


def tar_of(pictures, form=tarfile.USTAR_FORMAT, name="{:05}"):
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form) as tar:
        for number, picture in enumerate(pictures):
            for ending, data in (("jpg", picture.data), ("txt", picture.captions[0].encode())):
                info = tarfile.TarInfo(f"{name.format(number)}.{ending}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return target.getvalue()


def damaged(folder):
    """Writes a folder of sources. Returns by name the expected valid pairs, failed ones by reason, and faults."""
    pictures = sample_pairs.drawn(6)
    whole = tar_of(pictures)
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        headers = [member.offset for member in tar]
    holed = bytearray(whole)
    holed[headers[4] : headers[6]] = bytes(headers[6] - headers[4])
    alone = tar_of(pictures[:1]).rstrip(b"\0")
    alone += bytes(-len(alone) % 512) + tar_of([sample_pairs.Picture("", b"", ("a dog",), "", 0)], name="only")[512:]
    (folder / "images").mkdir(parents=True)
    sample_pairs.write_images(pictures, folder)
    (folder.parent / "secret.jpg").write_bytes(pictures[0].data)
    rows = [json.dumps({"image": p.name, "caption": p.captions[0]}) for p in pictures]
    leaving = [
        {"image": path, "caption": "a dog"} for path in ("../secret.jpg", "/etc/passwd", "images/../../secret.jpg")
    ]
    contents = {
        "sound.tar": (whole, 6, {}, False),
        "cut.tar": (whole[: headers[6] + 700], 3, {"broken_row": 1}, True),
        "zeros.tar": (bytes(holed), 5, {}, True),
        "packed.tar": (gzip.compress(whole), 6, {}, False),
        "pax.tar": (tar_of(pictures, tarfile.PAX_FORMAT, "ä" * 90 + "{}"), 6, {}, False),
        "twice.tar": (tar_of(pictures, name="same"), 6, {}, False),
        "alone.tar": (alone, 1, {"no_image": 1}, False),
        "footless.parquet": (b"PAR1" + bytes(100), 0, {}, True),
        "broken.jsonl": ("\n".join([*rows[:3], rows[3][:-9], *rows[4:]]).encode(), 5, {"broken_row": 1}, False),
        "leaving.jsonl": ("\n".join([*rows[:1], *map(json.dumps, leaving)]).encode(), 1, {"outside_root": 3}, False),
    }
    for name, (data, *_) in contents.items():
        (folder / name).write_bytes(data)
    return {name: expected for name, (_, *expected) in contents.items()}


@pytest.fixture(scope="module")
def ran(tmp_path_factory, parser):
    folder = tmp_path_factory.mktemp("hostile")
    expected = damaged(folder / "in")
    config = sample_pairs.settings(parser, "tests.plugin_detectors:factory")
    (folder / "own.yaml").write_text(yaml.safe_dump(config))
    inputs = [str(folder / "in" / name) for name in expected]
    manifest = gritmill.run(config, inputs=inputs, output=folder / "out")
    return folder, expected, manifest


def test_each_source_gives_what_can_be_read_and_names_what_cannot(ran):
    folder, expected, manifest = ran
    rows = list(read_all(str(folder / "out" / "detections")))
    for name, (sound, failed, _) in expected.items():
        own = [pair for pair in rows if pair.source.endswith(f"/{name}")]
        found = {}
        for pair in own:
            if pair.error:
                found[str(pair.error.reason)] = found.get(str(pair.error.reason), 0) + 1
        assert (sum(1 for pair in own if not pair.error), found) == (sound, failed), name
    assert {fault["source"].rpartition("/")[2] for fault in manifest["source_faults"]} == {
        name for name, (_, _, fault) in expected.items() if fault
    }
    assert all(fault["fault"] and "\n" not in fault["fault"] for fault in manifest["source_faults"])


def test_the_ledger_adds_up_and_the_shards_are_sound(ran):
    folder, expected, manifest = ran
    ledger = manifest["ledger"]
    assert ledger["written"] == sum(sound for sound, _, _ in expected.values())
    assert ledger["failed"] == {"read": {"broken_row": 2, "no_image": 1, "outside_root": 3}}
    assert ledger["read"] == ledger["written"] + 6
    assert not [finding for finding in gritmill.validate(folder / "out") if finding.text]


def test_duplicate_keys_overwrite_nothing(ran):
    folder, _, _ = ran
    samples = [s for s in gritmill.read(folder / "out") if s.record["source_key"] == "same"]
    assert len(samples) == len({sample.key for sample in samples}) == len({s.record["uid"] for s in samples}) == 6
    assert len({sample.jpeg for sample in samples}) == 6


def test_nothing_outside_of_the_root_was_read(ran):
    folder, _, _ = ran
    rows = [p for p in read_all(str(folder / "out" / "detections")) if p.source.endswith("leaving.jsonl")]
    assert [pair.image.digest for pair in rows[1:]] == [""] * 3


@pytest.mark.parametrize("damage", ["cut", pytest.param("garbage", marks=pytest.mark.slow)])
def test_what_ground_has_read_of_a_damaged_gzip_stream_pack_reads_too(tmp_path, parser, damage):
    noise = random.Random(3)
    pictures = [
        sample_pairs.Picture("", p.data + noise.randbytes(30_000), p.captions, "", 0) for p in sample_pairs.drawn(40)
    ]
    packed = gzip.compress(tar_of(pictures))
    at = len(packed) * 2 // 3
    data = packed[:at] if damage == "cut" else packed[:at] + noise.randbytes(70_000) + packed[at + 70_000 :]
    (tmp_path / "a.tar.gz").write_bytes(data)
    config = sample_pairs.settings(parser, "tests.plugin_detectors:factory")
    manifest = gritmill.run(config, inputs=tmp_path / "a.tar.gz", output=tmp_path / "out")
    ledger = manifest["ledger"]
    assert 20 < ledger["written"] < 30
    assert set(ledger["failed"]) <= {"read"}
    assert len(manifest["source_faults"]) == 1
    assert not [finding for finding in gritmill.validate(tmp_path / "out") if finding.text]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ([], 1, "pairs failed, more than --max-failed 0.05 allows"),
        (["--max-failed", "0.5"], 1, "--allow-source-faults accepts this"),
        (["--allow-source-faults"], 1, "more than --max-failed"),
        (["--max-failed", "0.5", "--allow-source-faults"], 0, ""),
    ],
)
def test_the_user_says_what_is_a_good_run(ran, capsys, words, status, said):
    folder, expected, _ = ran  # the same outcome as of the first call: the status is that of the whole run
    inputs = [str(folder / "in" / name) for name in expected]
    with pytest.raises(SystemExit) as ended:
        main(["run", str(folder / "own.yaml"), "--input", *inputs, "--output", str(folder / "out"), *words])
    assert ended.value.code == status
    assert said in capsys.readouterr().err
    assert (folder / "out" / "manifest.json").exists()
