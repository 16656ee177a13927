import pytest

from gritmill import shard_processes
from gritmill.shard_processes import count_processes
from pipeline.faults import CallError


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch):
    monkeypatch.setattr(shard_processes, "available_cores", lambda: 8)


@pytest.mark.parametrize(
    ("given", "samples", "folders", "processes"),
    [
        (None, 20 * [10_000], ["/data/run"], 8),
        (None, 5 * [40_000], ["/data/run", "s3://bucket/export"], 5),
        (None, 20 * [175], ["/data/run"], 3),
        (None, [999, *19 * [0]], ["/data/run"], 1),
        (None, [], ["/data/run"], 1),
        (None, 20 * [10_000], ["/data/run", "memory://export"], 1),
        (3, 20 * [1], ["/data/run"], 3),
        (100, 20 * [1], ["/data/run"], 20),
        (1, 20 * [10_000], ["/data/run"], 1),
    ],
)
def test_processes_by_shards_samples_and_place(given, samples, folders, processes):
    assert count_processes(given, samples, 1_000, folders) == processes


@pytest.mark.parametrize("given", [0, -1, 257])
def test_a_senseless_number_is_refused(given):
    with pytest.raises(CallError, match=r"--processes: -?\d+: it must be between 1 and 256"):
        count_processes(given, [1], 1, [])


def test_a_store_that_is_configured_in_python_is_for_this_process_only(monkeypatch):
    import fsspec

    monkeypatch.setitem(fsspec.config.conf, "s3", {"anon": True})
    assert count_processes(None, 20 * [10_000], 1_000, ["s3://bucket/run"]) == 1
    assert count_processes(None, 20 * [10_000], 1_000, ["/data/run"]) == 8
    monkeypatch.setenv("FSSPEC_S3", '{"anon": true}')
    assert count_processes(None, 20 * [10_000], 1_000, ["s3://bucket/run"]) == 8
