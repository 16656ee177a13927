"""Filters in a run: what they reject reaches no model, and the ledger names every reason."""

import json
import shutil

import pyarrow.parquet as pq
import pytest
from PIL import Image

import gritmill
from pipeline.faults import CallError, FolderMismatch
from pipeline.pack.report import read_report
from tests import plugin_detectors, sample_pairs
from tests.transforms.test_perceptual_hash import picture
from transforms.perceptual_hash import perceptual_hash

ROWS = [  # the pictures of `drawn` are 96 x 64, 64 x 64 and 64 x 96
    {"caption": "a dog and a cat", "punsafe": 0.1},
    {"caption": "a dog and a cat", "punsafe": 0.9, "image": "none.jpg"},
    {"caption": "a dog", "punsafe": 0.1, "image": "none.jpg"},
    {"caption": "a dog and a cat", "punsafe": 0.2},
    {"caption": "a dog and a cat", "punsafe": 0.3},
    {"caption": "a dog and a cat"},
    {"caption": " ", "punsafe": 0.9},
    {"caption": "a dog and a cat", "punsafe": "0.4"},
]


@pytest.fixture(scope="module")
def settings(parser):
    filters = {"min_words": 3, "where": ["punsafe < 0.5", "PUNSAFE == null"], "max_aspect": 1.4}
    return sample_pairs.settings(parser, "tests.plugin_detectors:counting", filters=filters)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return sample_pairs.write_rows(ROWS, tmp_path_factory.mktemp("in"))


@pytest.fixture(scope="module")
def run(tmp_path_factory, settings, inputs):
    """A finished run, and the number of captions that the detector was asked about."""
    plugin_detectors.Counting.asked = 0
    output = tmp_path_factory.mktemp("run") / "out"
    gritmill.run(settings, inputs=[inputs], output=output)
    return output, plugin_detectors.Counting.asked


def test_rejected_pairs_reach_no_model_and_are_counted_with_an_example(run, inputs):
    output, asked = run
    report = read_report(str(output))
    assert report.ledger.rejected == {
        "max_aspect": 2,
        "min_words": 1,
        "missing_value: punsafe": 1,
        "no_caption": 1,
        "where: punsafe < 0.5": 1,
    }
    assert (report.ledger.read, report.ledger.written, report.ledger.failed_pairs) == (8, 2, 0)
    assert asked == 2
    assert report.rejected_examples["max_aspect"] == f"0 of {inputs}: 96 x 64 pixels"
    assert report.rejected_examples["where: punsafe < 0.5"] == f"1 of {inputs}: punsafe = 0.9"
    assert report.rejected_examples["missing_value: punsafe"].endswith("its other fields: none")


def test_a_column_that_no_pair_of_a_source_has_is_told(run, inputs):
    report = read_report(str(run[0]))
    assert report.unknown_columns == {"PUNSAFE": f"no pair of {inputs} has this column"}
    assert f"column PUNSAFE: no pair of {inputs} has this column" in (run[0] / "report.html").read_text()


def test_the_rows_say_what_was_filtered(run):
    [path] = run[0].glob("detections/0*/*.parquet")
    rows = pq.ParquetFile(path).read().to_pylist()
    assert [row["filtered"] for row in rows] == [
        "max_aspect",
        "where: punsafe < 0.5",
        "min_words",
        "max_aspect",
        "",
        "missing_value: punsafe",
        "max_aspect",  # and it has no caption, which the ledger says
        "",
    ]
    assert [row["width"] for row in rows] == [96, 0, 0, 96, 64, 0, 96, 64]
    assert not any(row["phrases"] or row["error"] for row in rows if row["filtered"])


def test_the_start_names_the_column_that_may_have_been_meant(tmp_path, settings, inputs, capsys):
    gritmill.ground(settings, inputs=[inputs], output=tmp_path / "out", limit=1, quiet=False)
    assert "have no column PUNSAFE; did you mean punsafe?" in capsys.readouterr().err


def test_other_filters_are_another_run(run, settings, inputs):
    other = settings | {"filters": settings["filters"] | {"max_aspect": 2}}
    with pytest.raises(FolderMismatch, match=r"another fingerprint \(filters.max_aspect changed\)"):
        gritmill.ground(other, inputs=[inputs], output=run[0])


def source_keys(output):
    return [sample.record["source_key"] for sample in gritmill.read(output)]


def test_duplicates_are_rejected_by_pack_and_a_source_that_is_added_changes_no_survivor(tmp_path, parser):
    pictures = sample_pairs.drawn(3)
    sample_pairs.write_images(pictures, tmp_path)

    def stored(name, *rows):
        lines = [{"key": key, "image": pictures[image].name, "caption": caption} for key, image, caption in rows]
        (tmp_path / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
        return str(tmp_path / name)

    settings = sample_pairs.settings(parser, "tests.plugin_detectors:factory", chunk={"pairs": 2})
    exact = settings | {"filters": {"duplicates": "exact"}}
    dog, cat = "a dog and a cat", "a cat and a dog"
    last = stored("z.jsonl", ("z0", 0, dog), ("z1", 0, cat), ("z2", 1, dog), ("z3", 0, dog), ("z4", 1, dog))
    gritmill.run(settings, inputs=[last], output=tmp_path / "out")
    assert source_keys(tmp_path / "out") == ["z0", "z1", "z2", "z3", "z4"]
    # `ground` is not done again, and the other settings need a fresh pack
    before = sample_pairs.files_of(tmp_path / "out", "detections/*/*")
    gritmill.pack(exact, output=tmp_path / "exact", detections=tmp_path / "out")
    assert source_keys(tmp_path / "exact") == ["z0", "z1", "z2"]
    report = read_report(str(tmp_path / "exact"))
    assert report.ledger.rejected == {"duplicate": 2}
    assert report.rejected_examples == {"duplicate": f"z3 of {last}: 'a dog and a cat'"}
    # the new source comes first by name and last in the plan
    first = stored("a.jsonl", ("a0", 1, dog), ("a1", 2, dog), ("a2", 2, dog))
    gritmill.run(exact, inputs=[first, last], output=tmp_path / "out", extend=True, fresh=True)
    assert source_keys(tmp_path / "out") == ["z0", "z1", "z2", "a1"]
    assert before.items() <= sample_pairs.files_of(tmp_path / "out", "detections/*/*").items()
    assert read_report(str(tmp_path / "out")).ledger.line() == "8 read, 4 written, 4 rejected, 0 failed"


@pytest.fixture(scope="module")
def near(tmp_path_factory, parser):
    """A finished run with near duplicates, its call, and the number of captions that the detector was asked about."""
    folder = tmp_path_factory.mktemp("near")
    for number in range(3):
        image = picture(number)
        image.save(folder / f"{number}.png")
        image.resize((160, 120)).save(folder / f"{number}-small.jpg", quality=40)
    Image.new("RGB", (96, 64), "white").save(folder / "white.png")
    Image.new("RGB", (64, 96), "white").save(folder / "white-too.png")
    (folder / "broken.png").write_bytes((folder / "2.png").read_bytes()[:200])
    (folder / "excluded.txt").write_text(f"# evaluation\n\n{perceptual_hash(picture(2)):016X}\n")
    cat, dog = "a cat and a dog", "a dog and a cat"
    inputs = [
        listed(folder / "m.jsonl", ("0-small.jpg", [dog, cat]), ("0.png", dog), ("1.png", " "), ("broken.png", dog)),
        listed(folder / "n.jsonl", ("1-small.jpg", dog), ("0-small.jpg", "a dog in a hat"), ("2-small.jpg", dog)),
        listed(folder / "o.jsonl", ("white.png", dog), ("white-too.png", dog), ("1.png", cat), ("2.png", "a dog")),
    ]
    filters = {"duplicates": "near", "exclude_hashes": str(folder / "excluded.txt"), "min_words": 3}
    config = sample_pairs.settings(
        parser, "tests.plugin_detectors:counting", filters=filters, chunk={"pairs": 2}, source={"kind": "jsonl"}
    )
    plugin_detectors.Counting.asked = 0
    call = {"config": config, "inputs": inputs, "output": folder / "out"}
    gritmill.run(**call)
    return folder, call, plugin_detectors.Counting.asked


def listed(path, *rows):
    lines = [{"image": image, "caption": caption} for image, caption in rows]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def outcomes(folder):
    """Whether the pairs of a run were filtered, in the order of the plan."""
    paths = sorted((folder / "out").glob("detections/0*/*.parquet"))
    return [row["filtered"] for path in paths for row in pq.ParquetFile(path).read().to_pylist()]


NEAR = [
    *("", "", "near_duplicate", "", ""),  # no caption, broken: they displace no later pair
    *("", "", "excluded"),  # the second one is the image of the first pair
    *("", "", "near_duplicate", "min_words"),
]


def test_near_duplicates_and_excluded_images_reach_no_model(near):
    folder, _, asked = near
    assert outcomes(folder) == NEAR
    assert read_report(str(folder / "out")).ledger.rejected == {
        "excluded": 1,
        "min_words": 1,
        "near_duplicate": 2,
        "no_caption": 1,
    }
    assert asked == 6
    paths = sorted((folder / "out").glob("hashes/0*/*.parquet"))
    rows = [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]
    assert rows[2]["phash"] == f"{perceptual_hash(picture(0)):016x}"
    assert [row["phash"] is None for row in rows] == [False] * 3 + [True] * 2 + [False] * 3 + [True] * 2 + [False, True]
    assert rows[0]["image"] == rows[1]["image"] == rows[6]["image"] != rows[2]["image"]


def test_a_source_that_is_added_changes_no_row(near, tmp_path):
    folder, call, _ = near
    shutil.copytree(folder / "out", tmp_path / "out")
    before = sample_pairs.files_of(tmp_path / "out", "detections/0*/*", "hashes/0*/*")
    first = listed(folder / "a.jsonl", ("0.png", "a dog and a dog"), ("white.png", "a dog and a dog"))
    more = {**call, "inputs": [first, *call["inputs"]], "output": tmp_path / "out"}
    gritmill.ground(**more, extend=True)
    assert outcomes(tmp_path) == [*NEAR, "near_duplicate", ""]
    assert before.items() <= sample_pairs.files_of(tmp_path / "out", "detections/0*/*", "hashes/0*/*").items()


def test_a_retry_keeps_the_outcome_of_rows_that_had_not_failed(tmp_path, parser):
    """Although a source that was read again now has an image that is near theirs, or no longer has one."""
    for number in range(3):
        picture(number).save(tmp_path / f"{number}.png")
        picture(number).resize((160, 120)).save(tmp_path / f"{number}-small.png")
    dog = "a dog and a cat"
    inputs = [
        listed(tmp_path / "a.jsonl", ("0.png", dog)),
        listed(tmp_path / "b.jsonl", ("0-small.png", dog), ("1-small.png", dog), ("late.png", dog)),
    ]
    config = sample_pairs.settings(
        parser, "tests.plugin_detectors:factory", filters={"duplicates": "near"}, source={"kind": "jsonl"}
    )
    call = {"config": config, "inputs": inputs, "output": tmp_path / "out"}
    gritmill.ground(**call)
    assert outcomes(tmp_path) == ["", "near_duplicate", "", ""]
    listed(tmp_path / "a.jsonl", ("1.png", dog))
    gritmill.ground(**call, redo_changed=True)
    shutil.copy(tmp_path / "2.png", tmp_path / "late.png")
    gritmill.ground(**call, retry_failed="every")
    assert outcomes(tmp_path) == ["", "near_duplicate", "", ""]
    paths = sorted((tmp_path / "out").glob("detections/0*/*.parquet"))
    assert not any(row["error"] for path in paths for row in pq.ParquetFile(path).read().to_pylist())


def test_an_interrupted_run_resumes_with_the_hashes_that_it_has(near, tmp_path):
    folder, call, _ = near
    shutil.copytree(folder / "out", tmp_path / "out")
    whole = sample_pairs.files_of(tmp_path / "out", "detections/0*/*", "hashes/0*/*")
    shutil.rmtree(tmp_path / "out/detections/00001")
    for name in (
        "detections/00002/00000.done.json",
        "hashes/00001/00000-00001.parquet",
        "hashes/00002/00000.near.json",
    ):
        (tmp_path / "out" / name).unlink()
    (tmp_path / "out/hashes/00001/00000.done.json").unlink()
    gritmill.ground(**{**call, "output": tmp_path / "out"})
    assert sample_pairs.files_of(tmp_path / "out", "detections/0*/*", "hashes/0*/*") == whole


def test_other_hashes_to_exclude_are_another_run(near, tmp_path):
    folder, call, _ = near
    path = tmp_path / "excluded.txt"
    filters = call["config"]["filters"]
    other = {**call, "config": call["config"] | {"filters": filters | {"exclude_hashes": str(path)}}}
    with pytest.raises(CallError, match=r"filters.exclude_hashes: .*excluded.txt: no such file"):
        gritmill.ground(**other)
    path.write_text("0123456789abcdef\nabc\n")
    with pytest.raises(CallError, match=r"line 2, 'abc': write a pHash as 16 hexadecimal digits"):
        gritmill.ground(**other)
    path.write_text("0123456789abcdef\n")
    with pytest.raises(FolderMismatch, match=r"\(filters.exclude_hashes changed\)"):
        gritmill.ground(**other)
    before = (folder / "excluded.txt").read_bytes()
    (folder / "excluded.txt").write_text("0123456789abcdef\n")
    with pytest.raises(
        FolderMismatch, match=r"\(the content of filters.exclude_hashes or the code of gritmill changed"
    ):
        gritmill.ground(**call)
    (folder / "excluded.txt").write_bytes(before)
    path.write_bytes((folder / "excluded.txt").read_bytes())
    gritmill.ground(**other)  # the content decides


def test_near_is_not_a_setting_of_pack(run):
    with pytest.raises(CallError, match=r"filters.duplicates: .* was made with none; run gritmill ground --fresh"):
        gritmill.pack({"filters": {"duplicates": "near"}}, output=run[0])


def test_a_file_with_near_is_refused_as_well(run, tmp_path):
    (tmp_path / "near.yaml").write_text("filters:\n  duplicates: near\n")
    with pytest.raises(CallError, match=r"filters.duplicates: .* was made with none; run gritmill ground --fresh"):
        gritmill.pack(str(tmp_path / "near.yaml"), output=tmp_path / "out", detections=run[0])
    assert not (tmp_path / "out").exists()


def test_a_pack_of_near_duplicates_says_near_whatever_it_was_given(near, tmp_path):
    for number, filters in enumerate(({}, {"duplicates": "exact"}, {"duplicates": "near"})):
        config = {"filters": filters, "selection": {"score": 0.5}}
        manifest = gritmill.pack(config, output=tmp_path / str(number), detections=near[0] / "out")
        assert manifest["configuration"]["filters"]["duplicates"] == "near"
        assert manifest["ledger"]["rejected"]["near_duplicate"] == 2
