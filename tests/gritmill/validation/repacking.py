"""Runs with several shards and chunks, whose shards are written again from some of their samples."""

import hashlib
import io
import json
import tarfile
from functools import cache

import pyarrow as pa
import pyarrow.parquet as pq

import gritmill
from pipeline import layout
from tests import sample_pairs
from tests.gritmill.validation.test_validate import described
from tests.unsealed import unsealed

PAIRS, PER_CHUNK, PER_SHARD = 24, 3, 4
SHARDS, CHUNKS = PAIRS // PER_SHARD, PAIRS // PER_CHUNK
ALL = range(PAIRS)


def packed(folder, parser):
    """A finished run with decoys."""
    config = sample_pairs.settings(
        parser,
        "tests.plugin_detectors:factory",
        chunk={"pairs": PER_CHUNK},
        shards={"pairs": PER_SHARD},
        decoys={"number": 1},
    )
    inputs = sample_pairs.as_tars(sample_pairs.drawn(PAIRS), folder / "in", tars=1)
    gritmill.run(config, inputs=inputs, output=folder / "out")
    return folder / "out"


@cache
def samples_of(out):
    """The samples of a run: the row of the index, and the members by ending."""
    return [*read_samples(out)]


def read_samples(out):
    for entry in unsealed(out / "manifest.json")["shards"]:
        rows = pq.read_table(out / entry["index"]).to_pylist()
        with tarfile.open(out / entry["tar"]) as tar:
            for row in rows:
                of_row = [one for one in tar.getmembers() if one.name.startswith(row["key"])]
                yield row, {one.name.partition(".")[2]: tar.extractfile(one).read() for one in of_row}


def repacked(out, whole, shards):
    """Writes shards of some samples of a whole run. shards: of each sample its number there, and changes of fields."""
    samples, manifest = samples_of(whole), unsealed(out / "manifest.json")
    schema, stats = pq.read_schema(out / layout.shard_index(0)), unsealed(out / layout.shard_stats(0))
    entries = []
    for number, chosen in enumerate(shards):
        rows, tar, index = [], io.BytesIO(), io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as file:
            for place, (which, changes) in enumerate(chosen):
                row, members = samples[which]
                changes = {"key": f"{number:05}{place:04}", **changes}
                rows.append(row | changes)
                record = json.dumps(json.loads(members["json"]) | changes).encode()
                for ending, data in (members | {"json": record}).items():
                    file.addfile(described(f"{number:05}{place:04}.{ending}", len(data)), io.BytesIO(data))
        pq.write_table(pa.Table.from_pylist(rows, schema), index)
        entry = {
            "boxes": sum(len(row["noun_chunks"]) for row in rows),
            "bytes": len(tar.getvalue()),
            "sha256": hashlib.sha256(tar.getvalue()).hexdigest(),
            "index_sha256": hashlib.sha256(index.getvalue()).hexdigest(),
        }
        names = {"tar": layout.shard_tar(number), "index": layout.shard_index(number)}
        entries.append({"samples": len(chosen), **names, **entry})
        (out / names["tar"]).write_bytes(tar.getvalue())
        (out / names["index"]).write_bytes(index.getvalue())
        (out / layout.shard_stats(number)).write_text(json.dumps(stats | entry | {"successes": len(chosen)}))
    (out / "manifest.json").write_text(json.dumps(manifest | {"shards": entries}))


def in_order(*numbers, changes=None):
    """Shards of `PER_SHARD` samples each."""
    samples = [(number, changes or {}) for number in numbers]
    return [samples[start : start + PER_SHARD] for start in range(0, len(samples), PER_SHARD)]
