"""A complete run with input and output in an object store, through a real client and a server on loopback."""

import re
from collections import Counter

import pytest

import gritmill
from tests import sample_pairs
from tests.s3_server import BUCKET, serving

pytestmark = pytest.mark.usefixtures("short_settling")


@pytest.fixture
def store(monkeypatch):
    with serving(monkeypatch) as server:
        yield server


@pytest.fixture
def config(parser):
    return sample_pairs.settings(parser, "tests.plugin_detectors:factory", shards={"pairs": 8})


def kinds(requests):
    """How many requests of each kind, without numbers."""
    return Counter(re.sub(r"\d{2,}", "N", request.replace(f"/{BUCKET}", "")) for request in requests)


@pytest.mark.parametrize("chunks", [1, 10])
def test_requests_of_a_run(store, config, tmp_path, chunks):
    sample_pairs.as_tars(sample_pairs.drawn(20), tmp_path / "in")
    for path in sorted((tmp_path / "in").iterdir()):
        store.put(f"in/{path.name}", path.read_bytes())
    store.requests.clear()
    config = {**config, "chunk": {"pairs": 20 // chunks}}
    call = {"inputs": [f"s3://{BUCKET}/in/*.tar"], "output": f"s3://{BUCKET}/out"}
    manifest = gritmill.run(config, **call)
    print(*sorted(kinds(store.requests).items(), key=lambda i: -i[1]), sep="\n")
    print(len(store.requests))
    assert manifest["ledger"]["written"] == 20
    store.requests.clear()
    gritmill.run(config, **call)
    print("again", len(store.requests))
    print(*sorted(kinds(store.requests).items(), key=lambda i: -i[1]), sep="\n")
