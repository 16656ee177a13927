from itertools import islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline.plan.limit import RUN_LENGTH, limit_plan
from pipeline.plan.plan import PlannedSource
from tests.pipeline.builders import plan, samples, source_settings, stored, tar


def taken(sources: list[PlannedSource]) -> list[tuple[int, int]]:
    """Returns every pair of all ranges as (source, index)."""
    found = []
    for number, source in enumerate(sources):
        for spec in source.ranges:
            found += [(number, spec.start["index"] + i) for i in range(spec.pairs or 0)]
    return found


def tables(folder: Path, sizes: list[int]) -> list[PlannedSource]:
    for old in folder.glob("*.jsonl"):
        old.unlink()
    for number, size in enumerate(sizes):
        rows = "".join(f'{{"image": "{i}.png", "caption": "c{i}"}}\n' for i in range(size))
        stored(folder / f"{number:03}.jsonl", rows)
    return list(plan([folder / "*.jsonl"]).sources)


@settings(
    max_examples=settings.default.max_examples * 3 // 5,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.integers(0, 150), min_size=1, max_size=5), st.integers(1, 300))
@example([133], 132)
def test_as_many_pairs_as_wanted_each_once_in_runs_of_at_most_32(tmp_path: Path, sizes: list[int], limit: int) -> None:
    sources = limit_plan(tables(tmp_path, sizes), limit, source_settings())
    pairs = taken(sources)
    assert len(pairs) == min(limit, sum(sizes))
    assert len(set(pairs)) == len(pairs)
    assert pairs == sorted(pairs)
    assert all(index < sizes[source] for source, index in pairs)
    assert all(0 < (spec.pairs or 0) <= RUN_LENGTH for source in sources for spec in source.ranges)


def test_runs_lie_evenly_over_the_input(tmp_path: Path) -> None:
    sources = limit_plan(tables(tmp_path, [1000, 1000]), 128, source_settings())
    assert [[spec.start["index"] for spec in source.ranges] for source in sources] == [[0, 500], [0, 500]]
    assert [[spec.pairs for spec in source.ranges] for source in sources] == [[32, 32], [32, 32]]


def test_ranges_read_the_pairs_that_they_name(tmp_path: Path) -> None:
    stored(tmp_path / "a.tar", tar(samples(70)))
    planned = list(plan([tmp_path / "a.tar"]).sources)
    [source] = limit_plan(planned, 40, source_settings())
    reader = source.open(source_settings())
    read = [pair.caption for spec in source.ranges for _, pair in islice(reader.read(spec.start), spec.pairs)]
    assert read == [f"caption {index}" for _, index in taken([source])]
    assert len(read) == 40


def test_more_sources_are_looked_into_until_there_are_enough_pairs(tmp_path: Path) -> None:
    sizes = [0] * 100 + [5]
    sources = limit_plan(tables(tmp_path, sizes), 5, source_settings())
    assert taken(sources) == [(100, i) for i in range(5)]


def test_a_source_that_cannot_be_read_is_passed_by(tmp_path: Path) -> None:
    stored(tmp_path / "a.tar", "no tar")
    stored(tmp_path / "b.tar", tar(samples(5)))
    sources = limit_plan(list(plan([tmp_path / "*.tar"]).sources), 3, source_settings())
    assert taken(sources) == [(1, 0), (1, 1), (1, 2)]
    assert sources[0].fault


@pytest.mark.parametrize("limit", [2, 100])
def test_a_cut_tar_gives_the_pairs_before_the_cut(tmp_path: Path, limit: int) -> None:
    whole = tar(samples(5))
    stored(tmp_path / "a.tar", whole[: len(tar(samples(4), ended=False)) + 512 + 10])
    sources = limit_plan(list(plan([tmp_path / "a.tar"]).sources), limit, source_settings())
    assert {(0, 0), (0, 1)} <= set(taken(sources))
    assert ("truncated" in sources[0].fault) == (limit == 100), "only a limit that reads all pairs comes to the cut"


def test_a_tar_without_any_sample_has_the_fault_of_a_run_without_a_limit(tmp_path: Path) -> None:
    stored(tmp_path / "a.tar", tar([("0.v1.jpg", b"x"), ("0.v2.jpg", b"x")]))
    [source] = limit_plan(list(plan([tmp_path / "a.tar"]).sources), 5, source_settings())
    assert source.ranges == ()
    assert "belong" in source.fault
