"""Several processes find what one process finds, in the same order, also in damaged runs."""

import hashlib
import io
import json
import os
import pickle
import shutil
import signal
import tarfile
import threading
import time
from functools import cache
from itertools import pairwise

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import gritmill
from gritmill.validation import processes
from pipeline import layout
from tests import sample_pairs
from tests.gritmill.validation.test_validate import described
from tests.unsealed import unsealed
from transforms.text import dialects

PAIRS, PER_CHUNK, PER_SHARD = 24, 3, 4
SHARDS, CHUNKS = PAIRS // PER_SHARD, PAIRS // PER_CHUNK


@pytest.fixture(scope="module")
def whole(tmp_path_factory, parser):
    folder = tmp_path_factory.mktemp("shards")
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


@pytest.fixture
def copy(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "out")
    return tmp_path / "out"


class Stream:
    """What a child process would send for a task, and its result."""

    def __init__(self, function, task, monkeypatch):
        self.notes = []
        with monkeypatch.context() as patch:
            patch.setattr(processes, "note", lambda value: self.notes.append(pickle.dumps(value)))
            patch.setattr(processes.gc, "set_threshold", lambda number: None)
            patch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
            processes._prepared.cache_clear()
            self.end = pickle.dumps(function(*pickle.loads(pickle.dumps(task))))

    def __iter__(self):
        return map(pickle.loads, self.notes)

    def result(self):
        return pickle.loads(self.end)


@pytest.fixture
def in_this_process(monkeypatch):
    """Computes what child processes would do in this process, as many tasks ahead."""

    starts = []

    def streams(function, tasks, number, cost, max_cost):
        starts.append(number)
        ahead = []
        for task in tasks:
            ahead.append(Stream(function, task, monkeypatch))
            assert all(batch[0] <= max_cost for batch in ahead[-1])
            if len(ahead) > 2 * number:
                yield ahead.pop(0)
        yield from ahead

    monkeypatch.setattr(processes, "stream_from_children", streams)
    return starts


@pytest.fixture
def out(copy, in_this_process):
    """A run that is checked without child processes."""
    return copy


def findings(out, number):
    return [*gritmill.validate(out, processes=number)]


def are_same(out):
    """The faults of a run, if two and three processes find what one process finds."""
    one = findings(out, 1)
    for number in (2, 3):
        assert findings(out, number) == one
    return [finding for finding in one if finding.text]


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


LOST = "json: uid: the detections have no such pair behind that of the sample before"
ALL = [*range(PAIRS)]


def test_a_sound_run(out):
    assert are_same(out) == []
    assert len(findings(out, 2)) == PAIRS


def test_a_repacked_run_is_sound_apart_from_its_sums(out, whole):
    repacked(out, whole, in_order(*ALL))
    assert {fault.text.partition(":")[0] for fault in are_same(out)} <= {"claims", "truth_sheet", "ledger"}


@pytest.mark.parametrize(
    ("order", "lost"),
    [
        ([*ALL[:3], 4, 3, *ALL[5:]], []),  # both are in one chunk
        ([*ALL[:2], 4, 3, 2, *ALL[5:]], ["000010000"]),
        ([*ALL[:8], *ALL[4:8], *ALL[8:]], ["000020000"]),
        ([*ALL[:8], *ALL[12:]], []),
        ([*ALL[4:8], *ALL[:4], *ALL[8:]], ["000010000"]),
        (ALL[::-1], ["000000003"]),
        (ALL[9:], []),
    ],
)
def test_samples_that_are_not_in_order(out, whole, order, lost):
    repacked(out, whole, in_order(*order))
    assert [finding.key for finding in are_same(out) if finding.text == LOST] == lost


@pytest.mark.parametrize("place", [0, 8, PAIRS - 1])
@pytest.mark.parametrize("changes", [{"uid": "f" * 16}, {"caption": ""}])
def test_a_changed_sample(out, whole, place, changes):
    shards = in_order(*ALL)
    shards[place // PER_SHARD][place % PER_SHARD] = place, changes
    repacked(out, whole, shards)
    assert sum(finding.text == LOST for finding in are_same(out)) == ("uid" in changes)


def test_processes_start_again_at_most_twice(out, whole, in_this_process):
    """At the shard that was guessed wrong, and when it is known that nothing is known behind it."""
    repacked(out, whole, in_order(*ALL))
    are_same(out)
    assert in_this_process == [2, 3]
    repacked(out, whole, in_order(*ALL[8:12], *ALL[:8], *ALL[12:]))
    assert LOST in [finding.text for finding in are_same(out)]
    assert in_this_process == [2, 3, 2, 2, 2, 3, 3, 3]


@pytest.mark.parametrize("chunk", [0, 2, 5])
@pytest.mark.parametrize("table", ["detections", "decoys"])
def test_damaged_detections(out, whole, table, chunk):
    """Nothing is known from the first pair of the damaged chunk on."""
    path = out / table / f"00000/00000-{chunk:05}.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    other = {"absent": ["a purple cow"]}
    repacked(out, whole, in_order(*ALL, changes=other))
    found = [finding.key for finding in are_same(out) if finding.text == "json: absent: other than by the detections"]
    assert found == [f"{number // PER_SHARD:05}{number % PER_SHARD:04}" for number in ALL[: chunk * PER_CHUNK]]


def test_a_damaged_chunk_that_no_sample_is_from(out, whole):
    """One process reads it to look for the next sample."""
    (out / "detections/00000/00000-00003.parquet").write_bytes(b"PAR1")
    other = {"absent": ["a purple cow"]}
    repacked(out, whole, in_order(*ALL[:8], *ALL[12:20], changes=other))
    found = [finding.key for finding in are_same(out) if finding.text == "json: absent: other than by the detections"]
    assert found == [f"{number // PER_SHARD:05}{number % PER_SHARD:04}" for number in range(8)]


def test_a_shard_of_broken_records_says_nothing_of_the_place(out, whole):
    """What is guessed for the second shard is behind what the third one needs."""
    broken = {"caption": ""}
    repacked(out, whole, [[(0, {}), (1, {})], [(2, broken), (3, broken)], [(4, {}), (5, {})]])
    assert LOST not in [finding.text for finding in are_same(out)]


def test_a_shard_whose_first_records_are_broken(out, whole):
    shards = in_order(*ALL)
    shards[2] = [(number, {"caption": ""} if number < 10 else {}) for number, _ in shards[2]]
    repacked(out, whole, shards)
    assert LOST not in [finding.text for finding in are_same(out)]


def test_shards_without_samples_before_and_behind_a_lost_one(out, whole):
    """Whether sums over decoys are known depends on the shards before."""
    repacked(out, whole, [[], in_order(*ALL)[2], [], in_order(*ALL)[1], [], []])
    assert LOST in [finding.text for finding in are_same(out)]


@pytest.mark.parametrize("ending", [".tar", ".parquet", "_stats.json"])
def test_files_that_are_missing(out, ending):
    for number in (0, 3, SHARDS - 1):
        (out / f"shards/{number:05}{ending}").unlink()
    assert len(are_same(out)) == 3


def test_without_detections_and_with_a_limit(out):
    assert [*gritmill.validate(out, limit=2, processes=1)] == [*gritmill.validate(out, limit=2, processes=3)]
    shutil.rmtree(out / "detections")
    assert are_same(out) == []


def test_many_faults(out, whole, monkeypatch):
    monkeypatch.setattr(processes, "_BATCH_COST", 500)
    repacked(out, whole, in_order(*ALL, changes={"caption": "x"}))
    assert len(are_same(out)) > 3 * PAIRS


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_samples_in_any_order(whole, tmp_path, in_this_process, data):
    out = tmp_path / "out"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(whole, out)
    changes = st.sampled_from([{}] * 9 + [{"uid": "f" * 16}, {"caption": ""}, {"absent": ["a cow"]}])
    rising = st.lists(st.sampled_from(ALL), min_size=8, max_size=20, unique=True).map(sorted)
    numbers = data.draw(rising | rising.flatmap(lambda some: st.sampled_from(some).map(lambda one: [*some, one])))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(numbers)), min_size=2, max_size=5)))
    samples = [(number, data.draw(changes)) for number in numbers]
    repacked(out, whole, [samples[start:end] for start, end in pairwise([0, *cuts, len(samples)])])
    if damaged := data.draw(st.none() | st.integers(0, CHUNKS - 1)):
        (out / f"detections/00000/00000-{damaged:05}.parquet").write_bytes(b"PAR1")
    are_same(out)


def test_two_processes(copy, whole):
    shards = in_order(*ALL)
    shards[4][1] = 17, {"caption": ""}
    repacked(copy, whole, shards)
    assert findings(copy, 2) == findings(copy, 1)


class Moody:
    """Kosmos-2's texts, but reading them ends badly in child processes. The option says how."""

    name, carries, rounding = "moody", "spans", ""

    def __init__(self, option):
        self.mood, self.true = option, dialects.find("kosmos2")

    def encode(self, grounded):
        return self.true.encode(grounded)

    def decode(self, text, width=1, height=1):
        if self.mood == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.mood == "fails":
            raise ZeroDivisionError
        if self.mood.startswith("sleeps in "):
            open(f"{self.mood.removeprefix('sleeps in ')}/{os.getpid()}", "w").close()
            time.sleep(3600)
        return self.true.decode(text, width, height)

    def error(self, width, height):
        return self.true.error(width, height)


@pytest.fixture
def moody(install, copy):
    """Lets the texts of the run be read by the dialect, in a mood."""
    install("gritmill.dialects", f"moody = {__name__}:Moody")

    def read_by(mood):
        manifest = unsealed(copy / "manifest.json")
        manifest["configuration"]["text"]["dialect"] = [f"moody:{mood}"]
        (copy / "manifest.json").write_text(json.dumps(manifest))
        return copy

    return read_by


def test_a_dialect_of_a_package_is_there_in_a_process(moody):
    assert [finding for finding in findings(moody("well"), 2) if finding.text] == []


def test_a_bug_of_a_dialect_is_that_of_one_process(moody):
    out = moody("fails")
    found = findings(out, 2)
    assert found == findings(out, 1)
    assert sum("ZeroDivisionError" in finding.text for finding in found) == PAIRS


def test_a_process_that_is_killed_is_named_with_its_shard(moody, call):
    status, _, lines = call("validate", moody("dies"), "--processes", "2")
    assert status == 3
    cure = "if the memory was not enough, use fewer --processes"
    assert lines == [f"gritmill: shards/00000.tar: the process that checked it died (killed by SIGKILL); {cure}"]


def test_an_interrupt_leaves_no_process(moody, tmp_path, monkeypatch):
    def interrupt():
        while len(list(pids.iterdir())) < 2:
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    pids = tmp_path / "pids"
    pids.mkdir()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell ignore it
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            findings(moody(f"sleeps in {pids}"), 2)
    finally:
        signal.signal(signal.SIGINT, before)
    for path in pids.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(path.name), 0)


def test_a_run_that_other_processes_do_not_see(copy):
    fsspec.filesystem("memory").put(str(copy), "/run", recursive=True)
    assert findings("memory://run", None) == findings(copy, 1)
    with pytest.raises(gritmill.EnvironmentFault, match=r"memory://run: another process finds no manifest\.json there"):
        findings("memory://run", 2)


@pytest.mark.parametrize("number", [0, -1, 257])
def test_a_senseless_number_is_refused_before_anything_is_read(number):
    with pytest.raises(gritmill.CallError, match=f"--processes: {number}: it must be between 1 and 256"):
        next(gritmill.validate("nowhere", processes=number))
