from pathlib import Path

import pytest

from pipeline import files, layout
from pipeline.files.typed import publish_typed
from pipeline.ids import ChunkId
from pipeline.pack import report
from pipeline.pack.report import Throughput, throughput
from pipeline.tables.range_summary import Timing

RELEASED = Path(__file__).resolve().parents[2] / "data" / "released" / "finished"


def timing(pairs: int, wall: float, first: bool = False, **seconds: float) -> Timing:
    return Timing(pairs, seconds, wall, first)


def test_throughput_is_of_chunks_after_the_first_one_of_each_worker() -> None:
    found = throughput(
        [
            timing(10, 60.0, first=True, read=1.0, boxes=59.0),
            timing(10, 4.0, read=1.5, boxes=3.0),
            timing(30, 16.0, read=4.0, boxes=12.0),
        ]
    )
    assert found == Throughput(
        chunks=2,
        pairs=40,
        seconds={"read": 5.5, "boxes": 15.0},
        wall=20.0,
        detector_busy=0.75,
        pairs_per_second=2.0,
        hours_per_million=pytest.approx(1e6 / 2 / 3600, abs=1e-3),
    )


def test_a_run_of_first_chunks_counts_these() -> None:
    found = throughput([timing(10, 5.0, first=True, boxes=4.0), timing(0, 5.0, first=True)])
    assert (found.chunks, found.pairs_per_second, found.detector_busy) == (2, 1.0, 0.4)


def test_a_run_without_any_chunk() -> None:
    found = throughput([])
    assert (found.chunks, found.wall, found.pairs_per_second, found.hours_per_million) == (0, 0, None, None)
    assert throughput([timing(0, 0.0)]).detector_busy is None


def test_of_many_sources_only_some_are_searched_for_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for source in range(9):
        for chunk in range(2):
            uri = files.join(str(tmp_path), layout.timing(ChunkId(source, 0, chunk)))
            publish_typed(uri, timing(pairs=10 * source + chunk, wall=1.0))
    assert [one.pairs for one in report._timings(str(tmp_path))] == [10 * s + c for s in range(9) for c in range(2)]
    monkeypatch.setattr(report, "_TIMINGS", 3)
    listed = []
    list_folder = files.list_folder
    monkeypatch.setattr(files, "list_folder", lambda *given: listed.append(given[0]) or list_folder(*given))
    assert [one.pairs for one in report._timings(str(tmp_path))] == [11, 41, 71]  # spread over the sources
    assert [Path(folder).name for folder in listed] == ["00001", "00004", "00007"]
