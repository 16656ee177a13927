import json
from pathlib import Path

import pytest

from pipeline.faults import CallError
from pipeline.files.foreign import check_foreign, need_own_file
from tests.pipeline.builders import stored

OF_IMG2DATASET = json.dumps({"count": 10, "successes": 9})


@pytest.mark.parametrize(
    "name",
    ["shards/00000.tar", "shards/00012.parquet", "shards/00000_stats.json", "manifest.json", "report.html"],
)
def test_what_a_run_would_replace_is_refused(tmp_path: Path, name: str) -> None:
    stored(tmp_path / name, OF_IMG2DATASET)
    stored(tmp_path / "run.log", "")  # of a shell, for the output of the command
    with pytest.raises(CallError, match=rf"^--output: .*/{name}: a run would replace it, .* wrote it; use another"):
        check_foreign(str(tmp_path))


def test_other_files_are_in_nobodys_way(tmp_path: Path) -> None:
    for name in ("README.md", "00000.tar", "shards/train-00000.tar", "shards/00000.txt", "detections/a.jsonl"):
        stored(tmp_path / name, "")
    check_foreign(str(tmp_path))
    check_foreign(str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("detections/plan.json", "damaged"),
        ("run.log", "2026-11-29T08:39:26Z start gritmill 0.2.0"),
        ("manifest.json", '{"ledger": {}, "checksum": "wrong"}'),
        ("shards/00001_stats.json", '{"pack_fingerprint": "0"}'),
        (".gritmill.shards.json", "{}"),
    ],
)
def test_a_folder_that_a_run_has_used_may_be_damaged(tmp_path: Path, name: str, content: str) -> None:
    for damaged in ("shards/00000.tar", "shards/00000_stats.json", "report.json", "manifest.json"):
        stored(tmp_path / damaged, "damaged")
    stored(tmp_path / name, content)
    check_foreign(str(tmp_path))


def test_a_file_is_replaced_if_it_is_empty_or_an_earlier_result(tmp_path: Path) -> None:
    for name, content in (("empty", ""), ("result", '{"on": "jsonl"}')):
        stored(tmp_path / name, content)
    for name in ("empty", "result", "nowhere"):
        need_own_file(str(tmp_path / name), "on", "gritmill eval")
    for content in ('{"image": "a.jpg"}', '["on"]', "{", "\0"):
        stored(tmp_path / "other", content)
        with pytest.raises(CallError, match="gritmill eval did not write it, and would replace it; name another file"):
            need_own_file(str(tmp_path / "other"), "on", "gritmill eval")
