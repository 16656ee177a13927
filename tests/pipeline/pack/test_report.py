from pathlib import Path

import pytest

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
