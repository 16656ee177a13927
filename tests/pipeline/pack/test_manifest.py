from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.files.lock import hold, user_of
from pipeline.files.typed import as_json
from pipeline.ids import RangeId
from pipeline.pack.ledger import RangeCount
from pipeline.pack.manifest import Manifest, need_manifest, not_finished, read_manifest, write_manifest
from pipeline.pack.shard_stats import ShardStats, remove_shards
from pipeline.threshold import Threshold
from tests import fake_object_store
from tests.pipeline.builders import configuration, plan, stored
from transforms import bundled

THRESHOLD = Threshold(0.4, True, "measured on a hundred pairs")


def stats(number: int, successes: int = 2, failed: dict[str, dict[str, int]] | None = None) -> ShardStats:
    examples = {"fetch: gone": f"the first of shard {number}"} if failed else {}
    return ShardStats(
        number, 2, successes, failed or {}, examples, 3, 10_240, f"tar{number}", f"index{number}", "a mark"
    )


def written(folder: Path, output: str, detector: str = "", **head: Any) -> Manifest:
    """Writes a manifest for a bad source, a range with a fault, and two shards, all passed in the wrong order."""
    stored(folder / "a.tar", "no tar")
    stored(folder / "b.jsonl", '{"image": "1.png", "caption": "a dog"}\n')
    sections = {"detector": {"model": detector}} if detector else {}
    made = plan([folder / "a.tar", folder / "b.jsonl"], chunk={"pairs": 5}, **sections)
    counts = [
        RangeCount(
            RangeId(1, 1),
            [],
            3,
            {"no_box": 1},
            {"image": {"truncated": 1}},
            ["cut at byte 7"],
            failed_examples={"image: truncated": "a later one"},
            rejected_examples={"no_box": "nothing"},
            source=made.sources[1].uri,
        ),
        RangeCount(
            RangeId(1, 0),
            [],
            3,
            {},
            {},
            ["cut at byte 5"],
            failed_examples={"image: truncated": "the first"},
            source=made.sources[1].uri,
        ),
    ]
    shards = [stats(1, 1, {"fetch": {"gone": 1}}), stats(0)]
    packed = configuration(selection={"score": 0.4}, shards={"pairs": 2}, chunk={"pairs": 99})
    top = Manifest.head(made, packed, THRESHOLD, "a mark", **{"partial": False, **head})
    return write_manifest(output, top, counts, shards)


def test_what_a_manifest_says(tmp_path: Path) -> None:
    value = as_json(written(tmp_path, str(tmp_path / "out")))
    assert value["ledger"] == {
        "read": 6,
        "written": 3,
        "rejected": {"no_box": 1},
        "failed": {"fetch": {"gone": 1}, "image": {"truncated": 1}},
    }
    assert value["shards"][0] == {
        "tar": "shards/00000.tar",
        "index": "shards/00000.parquet",
        "samples": 2,
        "boxes": 3,
        "bytes": 10_240,
        "sha256": "tar0",
        "index_sha256": "index0",
    }
    assert [shard["samples"] for shard in value["shards"]] == [2, 1]
    assert [(fault["source"], fault["fault"].partition(":")[0]) for fault in value["source_faults"]] == [
        (str(tmp_path / "a.tar"), "not a tar"),
        (str(tmp_path / "b.jsonl"), "cut at byte 5"),
        (str(tmp_path / "b.jsonl"), "cut at byte 7"),
    ]
    assert value["failed_examples"] == {"fetch: gone": "the first of shard 1", "image: truncated": "the first"}
    assert value["rejected_examples"] == {"no_box": "nothing"}
    assert value["fingerprints"] == {"ground": "a fingerprint", "pack": "a mark"}
    assert value["threshold"] == {"score": 0.4, "measured": True, "source": "measured on a hundred pairs"}
    assert value["versions"]["pillow"] == version("pillow")
    assert value["models"] == {"detector": "folder:1", "phrases": "folder:2"}
    assert value["partial"] is False


def test_the_warning_of_the_embedded_detector_is_in_the_manifest(tmp_path: Path) -> None:
    value = as_json(written(tmp_path, str(tmp_path / "out"), "scene-grounder"))
    assert value["warnings"] == [bundled.SCENE_GROUNDER_WARNING]
    other = written(tmp_path, str(tmp_path / "other"))
    assert "warnings" not in as_json(other)  # as in a manifest of an earlier release
    assert need_manifest(tmp_path / "other").warnings == ()
    assert need_manifest(tmp_path / "out").warnings == (bundled.SCENE_GROUNDER_WARNING,)


def test_the_effective_configuration_is_that_of_ground_and_that_of_pack(tmp_path: Path) -> None:
    value = written(tmp_path, str(tmp_path / "out")).configuration
    assert (value["chunk"]["pairs"], value["selection"]["score"], value["shards"]["pairs"]) == (5, 0.4, 2)


def test_it_is_published_and_read_back(tmp_path: Path) -> None:
    fake_object_store.use(tmp_path / "shelf")
    for output in (str(tmp_path / "out"), "shelf://out"):
        assert read_manifest(output) is None
        value = written(tmp_path, output)
        assert read_manifest(output) == value


def test_the_same_pack_writes_the_same_manifest(tmp_path: Path) -> None:
    for name in ("a", "b"):
        written(tmp_path, str(tmp_path / name))
    assert (tmp_path / "a/manifest.json").read_bytes() == (tmp_path / "b/manifest.json").read_bytes()


def test_shards_that_this_pack_does_not_have_are_removed(tmp_path: Path) -> None:
    fake_object_store.use(tmp_path / "shelf")
    names = [f"{i:05}{ending}" for i in range(4) for ending in (".parquet", ".tar", "_stats.json")]
    for name in [*names, "README"]:
        stored(tmp_path / "out/shards" / name, "")
        fake_object_store.put(f"shelf://out/shards/{name}", b"")
    written(tmp_path, str(tmp_path / "out"))
    written(tmp_path, "shelf://out")
    left = [*names[:6], "README"]
    assert sorted(path.name for path in (tmp_path / "out/shards").iterdir()) == sorted(left)
    assert fake_object_store.objects("shelf://out/shards/") == sorted(f"shelf://out/shards/{name}" for name in left)


def test_removing_from_no_folder_is_nothing(tmp_path: Path) -> None:
    remove_shards(str(tmp_path / "nowhere"), from_number=0)
    assert not (tmp_path / "nowhere").exists()


def test_a_run_at_work_or_interrupted_is_not_sent_to_pack(tmp_path: Path) -> None:
    unfinished = f"{tmp_path}: no manifest.json, so it is not a finished run; "
    assert not_finished(tmp_path) == f"{unfinished}run gritmill pack"
    (tmp_path / "detections").mkdir()
    (tmp_path / "detections" / "plan.json").write_text("{}")
    resume = "run its command again to resume; after ground alone, run gritmill pack"
    assert not_finished(tmp_path) == f"{unfinished}{resume}"
    with hold(str(tmp_path)):
        user = user_of(str(tmp_path))
        assert not_finished(tmp_path) == f"{unfinished}{f'wait for {user}, or ' if user else ''}{resume}"
