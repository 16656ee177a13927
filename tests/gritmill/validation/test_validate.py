"""validate finds each kind of damage, and reports its shard and sample."""

import hashlib
import io
import json
import shutil
import tarfile
import threading
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import gritmill
from tests import sample_pairs
from tests.unsealed import unsealed


@pytest.fixture(scope="module")
def whole(tmp_path_factory, parser):
    folder = tmp_path_factory.mktemp("validated")
    config = sample_pairs.settings(
        parser, "tests.plugin_detectors:factory", text={"dialect": ["kosmos2", "kosmos2:training"]}
    )
    gritmill.run(
        config, inputs=[sample_pairs.as_tars(sample_pairs.drawn(4), folder / "in")], output=str(folder / "out")
    )
    return folder / "out"


@pytest.fixture
def out(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "out")
    return tmp_path / "out"


def faults(out, **options):
    return [(fault.key, fault.text) for fault in gritmill.validate(str(out), **options) if fault.text]


def told(out, **shard):
    """Overwrites values of the first shard in the manifest and its stats."""
    for path, where in (("manifest.json", lambda value: value["shards"][0]), ("shards/00000_stats.json", lambda v: v)):
        value = unsealed(out / path)
        where(value).update(shard)
        (out / path).write_text(json.dumps(value))


def replaced(out, tar):
    """Replaces the first shard, and updates its checksum and size in the manifest."""
    (out / "shards" / "00000.tar").write_bytes(tar)
    told(out, sha256=hashlib.sha256(tar).hexdigest(), bytes=len(tar))


def rewrite(out, change, **header):
    """Rewrites the first shard with members changed by `change(name, data)`, and updates the manifest."""
    target = io.BytesIO()
    with (
        tarfile.open(out / "shards" / "00000.tar") as old,
        tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as new,
    ):
        for member in old.getmembers():
            data = change(member.name, old.extractfile(member).read())
            if data is not None:
                new.addfile(described(member.name, len(data), **header), io.BytesIO(data))
    replaced(out, target.getvalue())


def described(name, size=0, **header):
    """Returns a member's header that follows the contract, except for the given fields."""
    info = tarfile.TarInfo(name)
    info.size = size
    for field, value in {"uname": "gritmill", "gname": "gritmill", **header}.items():
        setattr(info, field, value)
    return info


def reindexed(out, change):
    """Rewrites the first index with a changed table, and updates the manifest."""
    path = out / "shards" / "00000.parquet"
    pq.write_table(change(pq.read_table(path)), path)
    told(out, index_sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def changed_record(**fields):
    def change(name, data):
        if name != "000000001.json":
            return data
        record = json.loads(data)
        for key, value in fields.items():
            record[key] = value(record[key]) if callable(value) else value
        return json.dumps(record).encode()

    return change


def moved(row, index, by):
    return [value + by if i == index else value for i, value in enumerate(row)]


def another(form, size=None, **options):
    """Returns a change that replaces the picture of the second sample."""

    def change(name, data):
        if name != "000000001.jpg":
            return data
        image = Image.open(io.BytesIO(data))
        target = io.BytesIO()
        image.resize(size or image.size).save(target, form, **options)
        return target.getvalue()

    return change


def in_text(old, new):
    """Returns a change of the grounded text of the second sample."""
    return lambda name, data: data.replace(old, new) if name == "000000001.grounded.txt" else data


CAPTION = sample_pairs.drawn(2)[1].captions[0].encode()


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def test_a_sound_run_has_no_fault(out):
    assert faults(out) == []
    assert sum(1 for finding in gritmill.validate(str(out)) if not finding.text) == 4
    assert sum(1 for finding in gritmill.validate(str(out), limit=3)) == 3


def test_no_thread_holds_the_index_when_it_has_been_read(out, monkeypatch):
    """Arrow's threads would take the lock of Python to let go of it. While Python ends, that aborts the process."""
    threads = []

    class Index(io.BytesIO):
        def __del__(self):
            threads.append(threading.get_ident())

    monkeypatch.setattr("gritmill.validation.shard.io", SimpleNamespace(BytesIO=Index))
    for _ in range(100):
        assert faults(out, limit=1) == []
    assert threads == [threading.get_ident()] * 100


def test_a_changed_byte(out):
    path = out / "shards" / "00000.tar"
    data = bytearray(path.read_bytes())
    data[600] ^= 1
    path.write_bytes(data)
    assert faults(out) == [("", "the SHA-256 differs from the manifest")]
    assert faults(out, limit=1) == faults(out)


@pytest.mark.parametrize("name", ["00000.tar", "00000.parquet"])
def test_a_missing_file(out, name):
    (out / "shards" / name).unlink()
    assert faults(out) == [("", "is missing")]


CLAIM = {
    "kind": "relation",
    "words": [0, 1],
    "subject": [0, 5],
    "object": [[0, 5], [2, 5]],
    "predicate": "between",
    "number": 0,
    "negated": False,
    "verdict": "supported",
    "measured": '{"along":0.5}',
}
COUNT = CLAIM | {"kind": "count", "object": [], "predicate": "exactly", "number": 2}


def claim(base=CLAIM, **fields):
    """Returns a change of the record of the second sample: it gets one claim."""
    return changed_record(claims=[base | fields])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (claim(kind="rumour"), "claims.0.kind: Input should be 'count', 'relation' or 'rank'"),
        (claim(verdict="true"), "claims.0.verdict: Input should be 'supported', 'contradicted' or 'undecided'"),
        (claim(words=[3, 2]), "claim 0: words [3, 2] are not inside the caption"),
        (claim(words=[0, 900]), "claim 0: words [0, 900] are not inside the caption"),
        (claim(subject=[5, 5]), "claim 0: span [5, 5] is not inside the caption"),
        (claim(subject=[-1, 5]), "claims.0.subject.0: Input should be greater than or equal to 0"),
        (claim(object=[[0, 5], [2, 900]]), "claim 0: span [2, 900] is not inside the caption"),
        (claim(object=[]), "claim 0: a relation has an object or null"),
        (claim(number=1), "claim 0: a relation has an object or null, and the number 0"),
        (claim(predicate=""), "claims.0.predicate: String should have at least 1 character"),
        (claim(measured="{"), "claim 0: measured is not a JSON object of numbers"),
        (claim(measured="[1]"), "claim 0: measured is not a JSON object of numbers"),
        (claim(measured='{"x":NaN}'), "claim 0: measured is not a JSON object of numbers"),
        (claim(measured='{"x":true}'), "claim 0: measured is not a JSON object of numbers"),
        (claim(COUNT, object=None), "claim 0: a count has no object"),
        (claim(COUNT, number=0), "claim 0: exactly with the number 0"),
        (claim(COUNT, predicate="none"), "claim 0: none with the number 2"),
        (claim(COUNT, predicate="about"), "claim 0: about is no count"),
        (changed_record(caption="another one"), "txt differs from the record's caption"),
        (changed_record(width=lambda w: w + 1), "in the record"),
        (changed_record(noun_chunks=lambda rows: [moved(r, 4, 1.0) for r in rows]), "noun_chunks.0.4: Input should be"),
        (changed_record(noun_chunks=lambda rows: [moved(r, 6, -2.0) for r in rows]), "noun_chunks.0.6: Input should"),
        (changed_record(noun_chunks=lambda rows: [moved(r, 1, 500) for r in rows]), "are not nested"),
        (changed_record(noun_chunks=lambda rows: [[float(r[0]), *r[1:]] for r in rows]), "noun_chunks.0.0: Input"),
        (changed_record(noun_chunks=lambda rows: [[*r[:4], r[2], *r[5:]] for r in rows]), "has no area"),
        (changed_record(noun_chunks=lambda rows: rows[::-1]), "not sorted"),
        (changed_record(noun_chunks=[]), "noun_chunks: List should have at least 1"),
        (changed_record(heads=lambda heads: [[0, 0] for _ in heads]), "are not nested"),
        (changed_record(ref_exps=lambda rows: rows[1:]), "ref_exps"),
        (changed_record(ref_exps=lambda rows: [moved(r, 4, -0.1) for r in rows]), "differ in box or score"),
        (changed_record(meta="{"), "meta is not a JSON object"),
        (changed_record(meta="[" * 100_000), "meta is not a JSON object"),
        (changed_record(id="7"), "json: id: Input should be a valid integer"),
        (changed_record(extra=1), "json: extra: "),
        (changed_record(key="000000002"), "the record's key is 000000002"),
        (changed_record(uid="0" * 16), "index differs"),
        (changed_record(uid="x"), "json: uid: "),
        (lambda n, d: b"[]" if n == "000000001.json" else d, "json: Input should be an object"),
        (lambda n, d: b"\xff" if n == "000000001.json" else d, "json: Invalid JSON"),
        (lambda n, d: d.replace(b"0.25", b"NaN") if n == "000000001.json" else d, "json: "),
        (lambda n, d: None if n == "000000001.txt" else d, "members"),
        (lambda n, d: None if n == "000000001.kosmos2-training.txt" else d, "members"),
        (lambda n, d: d[:400] if n == "000000001.jpg" else d, "jpg: "),
        (lambda n, d: d[:-40] if n == "000000001.jpg" else d, "jpg: image file is truncated"),
        (another("PNG"), "cannot identify image file"),
        (another("EPS"), "cannot identify image file"),
        (lambda n, d: b"" if n == "000000001.jpg" else d, "cannot identify image file"),
        (another("JPEG", exif=turned()), "EXIF orientation"),
        (another("JPEG", (30, 40)), "size 30 x 40, but 64 x 64 in the record"),
        (in_text(b"</phrase>", b""), "malformed markup"),
        (in_text(b" near", b" far"), "does not decode to the caption"),
        (in_text(b"</phrase><object>", b"</phrase><object><patch_index_0000><patch_index_0100>"), "malformed markup"),
        (in_text(b"<phrase>a", b"a<phrase>"), "differ from the record"),
        (in_text(b"_0264>", b"_0000>"), "boxes differ from the record"),
        (lambda n, d: b"<grounding>" + CAPTION if n == "000000001.grounded.txt" else d, "has no box"),
        (lambda n, d: b"" if n == "000000001.kosmos2-training.txt" else d, "kosmos2-training.txt: "),
    ],
)
def test_each_damage_is_named_with_its_sample(out, change, text):
    rewrite(out, change)
    found = faults(out)
    assert {key for key, _ in found} == {"000000001"}
    assert any(text in line for _, line in found), found
    assert all("\n" not in line for _, line in found)


@pytest.mark.parametrize(
    "claims",
    [
        [CLAIM, CLAIM | {"object": None, "measured": "{}"}, COUNT, COUNT | {"predicate": "none", "number": 0}],
        [COUNT | {"kind": "rank", "predicate": "from_left"}, COUNT | {"words": [0, 0], "predicate": "at_least"}],
    ],
)
def test_claims_are_valid_if_the_index_has_them_too(out, claims):
    rewrite(out, changed_record(claims=claims))
    found = [text for key, text in faults(out) if key == "000000001"]
    assert found == ["json: claims: other than by the detections", "the row of the index differs from the record"]

    def with_claims(table):
        rows = table.to_pylist()
        rows[1]["claims"] = claims
        return pa.Table.from_pylist(rows, table.schema)

    reindexed(out, with_claims)
    assert [text for key, text in faults(out) if key] == ["json: claims: other than by the detections"]


def test_shards_of_0_1_have_no_claims(out):
    def without(name, data):
        if not name.endswith(".json"):
            return data
        return json.dumps({key: value for key, value in json.loads(data).items() if key != "claims"}).encode()

    rewrite(out, without)
    reindexed(out, lambda table: table.drop_columns(["claims"]))
    shutil.rmtree(out / "detections")
    for name in ("manifest.json", "shards/00000_stats.json"):
        value = json.loads((out / name).read_text())
        newer = ("claims", "claim_rules", "truth_sheet")
        (out / name).write_text(json.dumps({key: item for key, item in value.items() if key not in newer}))
    assert faults(out) == []
    assert all(sample.record["claims"] == [] for sample in gritmill.read(out))


def test_a_sample_too_few(out):
    rewrite(out, lambda name, data: None if name.startswith("000000003") else data)
    assert ("", "3 samples, but 4 in the manifest") in faults(out)


def members_of(out):
    data = (out / "shards" / "00000.tar").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = tar.getmembers()
        end = members[-1].offset_data + -(-members[-1].size // 512) * 512
    return data, members, end


@pytest.mark.parametrize("damage", ["cut", "broken header", "no end mark", "behind the end", "half a record"])
def test_a_tar_that_is_none_is_no_sound_tar_whatever_its_checksum(out, damage):
    data, members, end = members_of(out)
    third = members[10].offset
    replaced(
        out,
        {
            "cut": data[: third + 700],
            "broken header": data[:third] + b"\1" * 512 + data[third + 512 :],
            "no end mark": data[:end],
            "behind the end": data + b"x" * 10_240,
            "half a record": data[: end + 1024],
        }[damage],
    )
    assert any(key == "" and line.startswith("not a valid tar: ") for key, line in faults(out))


@pytest.mark.parametrize(
    ("kind", "name", "text"),
    [
        (tarfile.REGTYPE, "000000003.txt", "000000003.txt occurs twice"),
        (tarfile.REGTYPE, "000000000.txt", "000000000.txt comes after 000000003"),
        (tarfile.SYMTYPE, "000000003.zip", "b'000000003.zip': header differs from the contract: type"),
        (tarfile.DIRTYPE, "1", "b'1/': header differs from the contract: type"),
    ],
)
def test_a_member_that_does_not_belong_there(out, kind, name, text):
    target = io.BytesIO((out / "shards" / "00000.tar").read_bytes())
    with tarfile.open(fileobj=target, mode="a", format=tarfile.USTAR_FORMAT) as tar:
        tar.addfile(described(name, type=kind))
    replaced(out, target.getvalue())
    assert ("", f"not a valid tar: {text}") in faults(out)


@pytest.mark.parametrize(
    ("header", "text"),
    [({"mtime": 1}, "time"), ({"uname": "bob"}, "owner"), ({"mode": 0o600}, "mode"), ({"uid": 7}, "owner's number")],
)
def test_a_header_that_is_not_as_in_the_contract(out, header, text):
    rewrite(out, lambda name, data: data, **header)
    assert ("", f"not a valid tar: b'000000000.jpg': header differs from the contract: {text}") in faults(out)


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_a_tar_of_another_format(out, form):
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form) as tar:
        tar.addfile(described("0" * 200, 3), io.BytesIO(b"abc"))
    replaced(out, target.getvalue())
    assert any(line.startswith("not a valid tar: ") for _, line in faults(out))


@pytest.mark.parametrize(
    ("text", "line"),
    [(None, "is missing"), ("{}", "successes: Field required (4 more)"), ('{"successes": 4}', "boxes: Field required")],
)
def test_stats_that_are_missing_or_broken(out, text, line):
    path = out / "shards" / "00000_stats.json"
    path.unlink()
    if text:
        path.write_text(text)
    ((_, found),) = faults(out)
    assert found.startswith(line)


def test_stats_of_another_shard(out):
    path = out / "shards" / "00000_stats.json"
    path.write_text(json.dumps({**unsealed(path), "boxes": 1}))
    assert faults(out) == [("", "differs from the manifest")]


def test_an_id_that_a_double_does_not_hold(out):
    def numbered(name, data):
        return json.dumps({**json.loads(data), "id": 2**53 + 1}).encode() if name == "000000001.json" else data

    rewrite(out, numbered)
    ids = [1000, 2**53, 1002, 1003]
    reindexed(out, lambda table: table.set_column(3, "id", pa.array(ids)))
    assert ("000000001", "the row of the index differs from the record") in faults(out)


@pytest.fixture
def dense(tmp_path, parser):
    """A run whose texts have two spans, and its first sample."""
    config = sample_pairs.settings(parser, "tests.plugin_detectors:factory", text={"spans": "densest"})
    gritmill.run(
        config, inputs=sample_pairs.as_tars(sample_pairs.drawn(2), tmp_path / "in", tars=1), output=tmp_path / "dense"
    )
    sample = next(gritmill.read(tmp_path / "dense"))
    assert sample.grounded.count("<object>") == 2
    return tmp_path / "dense", sample


def test_boxes_of_another_span(dense):
    out, sample = dense
    first, second = (part.partition("</object>")[0] for part in sample.grounded.split("<object>")[1:])
    old, new = second.encode(), first.encode()
    assert old != new
    rewrite(out, lambda n, d: d.replace(old, new) if n == f"{sample.key}.grounded.txt" else d)
    assert [key for key, line in faults(out) if "its boxes differ" in line] == [sample.key]


def test_a_text_that_leaves_an_expression_out(dense):
    out, sample = dense
    start, end = sample.grounded.index("<phrase>"), sample.grounded.index("</object>") + 9
    words = sample.grounded[start + 8 : sample.grounded.index("</phrase>")]
    text = (sample.grounded[:start] + words + sample.grounded[end:]).encode()
    rewrite(out, lambda n, d: text if n == f"{sample.key}.grounded.txt" else d)
    assert any("lacks a phrase of the record" in line for _, line in faults(out))


def test_more_pixels_than_the_run_allows(out):
    manifest = unsealed(out / "manifest.json")
    manifest["configuration"]["source"]["max_pixels"] = 64 * 64
    (out / "manifest.json").write_text(json.dumps(manifest))
    found = {line for _, line in faults(out)}
    assert found == {f"jpg: {size} pixels are more than source.max_pixels, 4096" for size in ("96 x 64", "64 x 96")}


def test_more_scans_than_the_run_allows(out):
    sample = next(gritmill.read(out))
    rewrite(out, lambda n, d: progressive(d) if n == f"{sample.key}.jpg" else d)
    assert faults(out) == []  # encoders write some ten scans
    manifest = unsealed(out / "manifest.json")
    for allowed, found in ((10, []), (9, [(sample.key, "jpg: more scans than source.max_scans, 9")]), (None, [])):
        manifest["configuration"]["source"]["max_scans"] = allowed
        (out / "manifest.json").write_text(json.dumps(manifest))
        assert faults(out) == found
    del manifest["configuration"]["source"]["max_scans"]  # a run of 0.1
    (out / "manifest.json").write_text(json.dumps(manifest))
    assert faults(out) == []


def progressive(data):
    target = io.BytesIO()
    Image.open(io.BytesIO(data)).save(target, "JPEG", progressive=True)
    return target.getvalue()


def test_a_shard_in_anothers_place(out):
    for ending in (".tar", ".parquet", "_stats.json"):
        (out / "shards" / f"00000{ending}").rename(out / "shards" / f"00001{ending}")
    told_manifest = json.dumps(unsealed(out / "manifest.json")).replace("shards/00000", "shards/00001")
    (out / "manifest.json").write_text(told_manifest)
    found = [line for _, line in faults(out)]
    assert "is shard 0 of the manifest, but its files have other names" in found


def test_a_key_of_another_shard(out):
    def renamed(name, data):
        return data.replace(b"000000003", b"000010003") if name.endswith(".json") else data

    target = io.BytesIO()
    with (
        tarfile.open(out / "shards" / "00000.tar") as old,
        tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as new,
    ):
        for member in old.getmembers():
            data = renamed(member.name, old.extractfile(member).read())
            name = member.name.replace("000000003", "000010003")
            new.addfile(described(name, len(data)), io.BytesIO(data))
    replaced(out, target.getvalue())
    assert ("000010003", "the key is not 00000 plus four digits") in faults(out)


def test_more_written_than_the_shards_hold(out):
    manifest = unsealed(out / "manifest.json")
    manifest["ledger"] |= {"read": 5, "written": 5}
    (out / "manifest.json").write_text(json.dumps(manifest))
    assert faults(out) == [("", "ledger: 5 written, but 4 in the shards")]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda table: table.slice(1), "3 rows, but 4 samples"),
        (lambda table: table.drop_columns(["url"]), "column url: missing, expected string"),
        (lambda table: table.append_column("more", pa.array([1] * 4)), "column more: int64, expected no column"),
        (lambda table: table.set_column(3, "id", table["id"].cast(pa.string())), "column id: string, expected int64"),
        (lambda table: table.set_column(4, "url", pa.array([b"\xff"] * 4).view(pa.string())), "not a parquet file: "),
    ],
)
def test_an_index_that_is_not_the_shards(out, change, text):
    reindexed(out, change)
    assert any(text in line for key, line in faults(out) if key == "")


def test_an_index_that_is_no_parquet(out):
    (out / "shards" / "00000.parquet").write_bytes(b"PAR1")
    told(out, index_sha256=hashlib.sha256(b"PAR1").hexdigest())
    assert any(line.startswith("not a parquet file: ") for _, line in faults(out))


def test_two_samples_of_one_uid(out):
    def same(name, data):
        return json.dumps({**json.loads(data), "uid": "0" * 16}).encode() if name.endswith(".json") else data

    rewrite(out, same)
    reindexed(out, lambda table: table.set_column(1, "uid", pa.array(["0" * 16] * 4)))
    lost = ("000000000", "json: uid: the detections have no such pair, or not at this place")
    assert faults(out) == [lost, ("", "4 samples have only 1 different uids")]


def test_a_box_too_many_in_the_manifest(out):
    told(out, boxes=100)
    assert any(line.endswith("boxes, but 100 in the manifest") for _, line in faults(out))


def test_a_ledger_that_does_not_add_up(out):
    manifest = unsealed(out / "manifest.json")
    manifest["ledger"]["read"] = 5
    (out / "manifest.json").write_text(json.dumps(manifest))
    assert faults(out) == [("", "ledger: 5 read, but 4 written + 0 rejected + 0 failed")]


def test_a_tar_that_the_manifest_does_not_name(out):
    shutil.copy(out / "shards" / "00000.tar", out / "shards" / "00001.tar")
    assert [(f.shard, f.text) for f in gritmill.validate(out) if f.text] == [
        ("shards/00001.tar", "is not in the manifest")
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{", "Invalid JSON"),
        ("[]", "Input should be an object"),
        ('{"format": 2}', "format: Input should be 1"),
        ('{"format": 1}', "ledger: Field required"),
    ],
)
def test_a_manifest_that_is_none(out, text, line):
    (out / "manifest.json").write_text(text)
    ((key, found),) = faults(out)
    assert key == ""
    assert line in found
    assert "\n" not in found


@pytest.mark.parametrize("path", ["../secret.tar", "/etc/passwd", "shards/../00000.tar", "shards/00000.tar\n"])
def test_no_path_of_a_manifest_leads_elsewhere(out, path):
    told(out, tar=path)
    ((_, line),) = faults(out)
    assert line.startswith("shards.0.tar: String should match")


def test_a_dialect_that_is_not_installed(out):
    manifest = unsealed(out / "manifest.json")
    manifest["configuration"]["text"]["dialect"] = ["klingon"]
    (out / "manifest.json").write_text(json.dumps(manifest))
    ((_, line),) = faults(out)
    assert "klingon: no such dialect" in line


def test_a_folder_without_a_manifest_is_no_run(tmp_path):
    with pytest.raises(gritmill.CallError, match="not a finished run"):
        list(gritmill.validate(tmp_path))


def test_two_rows_of_one_box_are_sound(tmp_path):
    """Without suppression, two chunks of one expression may have the same box."""
    picture = sample_pairs.drawn(1)[0]
    pictures = [sample_pairs.Picture(picture.name, picture.data, ("a pair of dogs with a cup of tea",), "", 1)]
    for policy in ("longest", "densest"):
        config = sample_pairs.settings("caption-parser", "tests.plugin_detectors:everywhere", text={"spans": policy})
        config["selection"] = {"score": 0.0, "nms_iou": 1.0}
        gritmill.run(config, inputs=sample_pairs.as_jsonl(pictures, tmp_path / "in"), output=tmp_path / policy)
        (sample,) = gritmill.read(tmp_path / policy)
        assert len({tuple(row[2:6]) for row in sample.record["noun_chunks"]}) == 1 < len(sample.record["noun_chunks"])
        assert faults(tmp_path / policy) == []


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_in_a_record_is_found_and_nothing_raises(whole, tmp_path, data):
    out = tmp_path / "out"
    shutil.copytree(whole, out, dirs_exist_ok=True)
    with tarfile.open(whole / "shards" / "00000.tar") as tar:
        record = json.load(tar.extractfile("000000001.json"))
    name = data.draw(st.sampled_from(sorted(record)))
    value = data.draw(JUNK.filter(lambda junk: junk != record[name] or type(junk) is not type(record[name])))
    rewrite(out, changed_record(**{name: value}))
    assert "000000001" in {key for key, _ in faults(out)}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_bytes_stand_in_a_tar_nothing_raises(whole, tmp_path, data):
    out = tmp_path / "out"
    shutil.copytree(whole, out, dirs_exist_ok=True)
    tar = bytearray((whole / "shards" / "00000.tar").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        tar[data.draw(st.integers(0, len(tar) - 1))] = data.draw(st.integers(0, 255))
    replaced(out, bytes(tar))
    assert all("\n" not in line for _, line in faults(out))
