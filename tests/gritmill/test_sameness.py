"""CONTRIBUTING's first rule, with the embedded models on bundled scenes.

Workers, engine, order and restarts change no byte. Batch, threads, chunks and neighbours change values by at most 1e-4.
"""

import random
import shutil
import tarfile

import pytest

import gritmill
from pipeline.ground import graph
from pipeline.plan.work_list import read_work
from pipeline.tables.detections import read_all
from tests import once, sample_pairs
from tests.sameness import same
from transforms import bundled

PAIRS, TARS = 18, 3
FLOOR, CANDIDATES = 0.05, 10
BYTES = ("shards/*", "detections/0*/*", "manifest.json")


def configured(detector=None, **changes):
    config = sample_pairs.settings(
        "caption-parser", "scene-grounder", shards={"pairs": 7}, **{"chunk": {"pairs": 4}, **changes}
    )
    config["detector"] |= {"floor": FLOOR, "candidates": CANDIDATES, "batch": 2, **(detector or {})}
    return config


def scenes():
    """Returns bundled pairs as the pictures that the tests use."""
    found = {}
    for path in sorted((bundled.folder("examples") / "scenes").glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                key, _, ending = member.name.partition(".")
                found.setdefault(key, {})[ending] = tar.extractfile(member).read()
    return [
        sample_pairs.Picture(key, parts["jpg"], (parts["txt"].decode(),), "", number)
        for number, (key, parts) in enumerate(sorted(found.items())[:PAIRS])
    ]


@pytest.fixture(autouse=True)
def own_parser(undisturbed):
    """State that a run leaves in a parser must not hide a difference in the next run."""
    once.load_parsers_anew()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The pattern of the input, and the folder of a run with one worker."""
    folder = tmp_path_factory.mktemp("sameness")
    pattern = sample_pairs.as_tars(scenes(), folder / "in", tars=TARS)
    gritmill.run(configured(), inputs=pattern, output=folder / "out")
    return pattern, folder / "out"


@pytest.mark.parametrize(
    "engine",
    [
        pytest.param(("--direct_running_mode=in_memory",), marks=pytest.mark.slow),
        ("--direct_running_mode=multi_threading", "--direct_num_workers=2"),
        pytest.param(("--direct_running_mode=multi_processing", "--direct_num_workers=1"), marks=pytest.mark.slow),
        pytest.param(("--direct_running_mode=multi_processing", "--direct_num_workers=2"), marks=pytest.mark.slow),
    ],
    ids=lambda words: "-".join(word.rpartition("=")[2] for word in words),
)
def test_the_engine_and_its_workers_change_no_byte(undisturbed, tmp_path, engine):
    pattern, whole = undisturbed
    gritmill.run(configured(), inputs=pattern, output=tmp_path, beam=list(engine))
    assert sample_pairs.files_of(tmp_path, *BYTES) == sample_pairs.files_of(whole, *BYTES)


@pytest.mark.parametrize("order", [(2, 1, 0), pytest.param((1, 2, 0), marks=pytest.mark.slow)])
def test_the_order_of_ranges_changes_no_byte(undisturbed, tmp_path, monkeypatch, order):
    pattern, whole = undisturbed
    for number in order:

        def one(work, number=number):
            yield from (one.range_id for one in read_work(work) if one.range_id.source == number)

        monkeypatch.setattr(graph, "ranges_of", one)
        if number == order[-1]:
            gritmill.ground(configured(), inputs=pattern, output=tmp_path)
        else:
            with pytest.raises(gritmill.EnvironmentFault, match="not done"):
                gritmill.ground(configured(), inputs=pattern, output=tmp_path)
    gritmill.pack(configured(), output=tmp_path)
    assert sample_pairs.files_of(tmp_path, *BYTES) == sample_pairs.files_of(whole, *BYTES)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_a_resumed_run_changes_no_byte(undisturbed, tmp_path, seed):
    pattern, whole = undisturbed
    shutil.copytree(whole / "detections", tmp_path / "detections")
    chance = random.Random(seed)
    for folder in sorted(tmp_path.glob("detections/0*")):
        (folder / "00000.done.json").unlink()
        chunks = sorted(folder.glob("*.parquet"))
        for chunk in chunks[chance.randrange(len(chunks)) :]:
            chunk.unlink()
    gritmill.run(configured(), inputs=pattern, output=tmp_path)
    assert sample_pairs.files_of(tmp_path, *BYTES) == sample_pairs.files_of(whole, *BYTES)


def rows(folder):
    """Returns the rows of a run by caption, which differs for every scene."""
    found = {pair.caption: pair for pair in read_all(str(folder / "detections"))}
    assert all(pair.error is None for pair in found.values())
    return found


def assert_same(folder, whole, number):
    found, wanted = rows(folder), rows(whole)
    assert len(found) == number
    assert sum(len(pair.boxes) for pair in found.values()) > 3 * number
    odd = [caption for caption, pair in found.items() if not same(pair, wanted[caption], FLOOR, CANDIDATES)]
    assert odd == []


@pytest.mark.parametrize(
    "changes",
    [
        {"detector": {"batch": 3}},
        pytest.param({"chunk": {"pairs": 3}}, marks=pytest.mark.slow),
        pytest.param({"chunk": {"pairs": 100}, "detector": {"batch": 16, "threads": 2}}, marks=pytest.mark.slow),
        pytest.param({"detector": {"batch": 1}}, marks=pytest.mark.slow),
        pytest.param({"detector": {"threads": 2}}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_batch_threads_and_chunks_change_nothing_beyond_the_tolerance(undisturbed, tmp_path, changes):
    pattern, whole = undisturbed
    gritmill.ground(configured(**changes), inputs=pattern, output=tmp_path)
    assert_same(tmp_path, whole, len(rows(whole)))


def test_neighbours_change_nothing_beyond_the_tolerance(undisturbed, tmp_path):
    _, whole = undisturbed
    some = scenes()[::3][::-1]
    gritmill.ground(configured(), inputs=sample_pairs.as_tars(some, tmp_path / "in", tars=1), output=tmp_path / "out")
    assert_same(tmp_path / "out", whole, len(some))
