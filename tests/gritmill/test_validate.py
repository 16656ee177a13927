"""validate finds each kind of damage, and says in which shard and sample."""

import hashlib
import io
import json
import tarfile

import pytest

import gritmill
from tests import made


@pytest.fixture
def out(tmp_path, parser):
    config = made.settings(parser, "tests.outside:factory")
    gritmill.run(config, inputs=[made.as_tars(made.drawn(4), tmp_path / "in")], output=str(tmp_path / "out"))
    return tmp_path / "out"


def faults(out):
    return [(fault.key, fault.text) for fault in gritmill.validate(str(out)) if fault.text]


def rewrite(out, change):
    """Writes the first shard again with its members changed by `change(name, data)`, and the manifest to match."""
    path = out / "shards" / "00000.tar"
    target = io.BytesIO()
    with tarfile.open(path) as old, tarfile.open(fileobj=target, mode="w") as new:
        for member in old.getmembers():
            data = change(member.name, old.extractfile(member).read())
            if data is not None:
                info = tarfile.TarInfo(member.name)
                info.size = len(data)
                new.addfile(info, io.BytesIO(data))
    path.write_bytes(target.getvalue())
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["shards"][0]["sha256"] = hashlib.sha256(target.getvalue()).hexdigest()
    (out / "manifest.json").write_text(json.dumps(manifest))


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


def test_a_sound_run_has_no_fault(out):
    assert faults(out) == []
    assert sum(1 for finding in gritmill.validate(str(out)) if not finding.text) == 4


def test_a_changed_byte(out):
    path = out / "shards" / "00000.tar"
    data = bytearray(path.read_bytes())
    data[600] ^= 1
    path.write_bytes(data)
    assert faults(out) == [("", "its SHA-256 is not that of the manifest")]


def test_a_missing_shard(out):
    (out / "shards" / "00000.tar").unlink()
    assert faults(out) == [("", "is missing")]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (changed_record(caption="another one"), "txt is not the record's caption"),
        (changed_record(width=lambda w: w + 1), "the record says"),
        (changed_record(noun_chunks=lambda rows: [moved(r, 4, 1.0) for r in rows]), "leaves the picture"),
        (changed_record(noun_chunks=lambda rows: [moved(r, 6, -2.0) for r in rows]), "score"),
        (changed_record(noun_chunks=lambda rows: [moved(r, 1, 500) for r in rows]), "leave the caption"),
        (changed_record(noun_chunks=lambda rows: [[float(r[0]), *r[1:]] for r in rows]), "not integers"),
        (changed_record(ref_exps=lambda rows: rows[1:]), "ref_exps"),
        (changed_record(meta="{"), "meta is no JSON"),
        (changed_record(id="7"), "mistyped fields: id"),
        (changed_record(key="000000002"), "its key is 000000002"),
        (changed_record(uid="x"), "index does not agree"),
        (lambda n, d: b"[]" if n == "000000001.json" else d, "json: not an object"),
        (lambda n, d: None if n == "000000001.txt" else d, "members"),
        (lambda n, d: d[:400] if n == "000000001.jpg" else d, "jpg: "),
        (lambda n, d: d.replace(b"</phrase>", b"") if n == "000000001.grounded.txt" else d, "malformed markup"),
        (lambda n, d: d.replace(b" near", b" far") if n == "000000001.grounded.txt" else d, "parse back"),
    ],
)
def test_each_damage_is_named_with_its_sample(out, change, text):
    rewrite(out, change)
    found = faults(out)
    assert {key for key, _ in found} == {"000000001"}
    assert any(text in line for _, line in found)


def test_a_sample_too_few(out):
    rewrite(out, lambda name, data: None if name.startswith("000000003") else data)
    assert ("", "3 samples, but 4 in the manifest") in faults(out)


def test_a_ledger_that_does_not_add_up(out):
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["ledger"]["read"] = 5
    (out / "manifest.json").write_text(json.dumps(manifest))
    assert faults(out) == [("", "ledger: 5 read is not 4 + 0 + 0")]
