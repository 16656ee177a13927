"""Complete runs on Google Cloud Storage and Azure, through real clients and servers on loopback. Those on S3 are in
test_s3.py."""

import pytest
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

import gritmill
from tests import sample_pairs, stores


class Samples(IterableDataset):
    """The keys of a run. Each worker takes its share."""

    def __init__(self, output):
        self.output = output

    def __iter__(self):
        worker = get_worker_info()
        for number, sample in enumerate(gritmill.read(self.output)):
            if number % worker.num_workers == worker.id:
                yield sample.key


@pytest.mark.parametrize("kind", stores.OTHERS)
def test_a_run_is_that_of_a_disk_and_is_read_by_workers(kind, parser, tmp_path, monkeypatch):
    config = sample_pairs.settings(parser, "tests.plugin_detectors:factory", shards={"pairs": 8}, chunk={"pairs": 5})
    sample_pairs.as_tars(sample_pairs.drawn(20), tmp_path / "in")
    with stores.serving(kind, monkeypatch) as store:
        for path in sorted((tmp_path / "in").iterdir()):
            store.put(f"in/{path.name}", path.read_bytes())
        inputs, out = [store.uri("in/*.tar")], store.uri("out")
        manifest = gritmill.run(config, inputs=inputs, output=out)
        assert manifest["ledger"]["written"] == 20
        here = gritmill.run(config, inputs=[str(tmp_path / "in" / "*.tar")], output=str(tmp_path / "out"))
        assert {**here, "fingerprints": 0, "shards": 0} == {**manifest, "fingerprints": 0, "shards": 0}
        for there, sample in zip(gritmill.read(out), gritmill.read(str(tmp_path / "out")), strict=True):
            assert (there.jpeg, there.texts, there.key) == (sample.jpeg, sample.texts, sample.key)
        before = {key: data for key, data in store.objects().items() if "run.log" not in key and "report" not in key}
        assert gritmill.run(config, inputs=inputs, output=out) == manifest
        assert {key: data for key, data in store.objects().items() if key in before} == before
        assert [finding.text for finding in gritmill.validate(out)] == [""] * 20
        assert store.unfinished_uploads() == []
        assert not [key for key in store.objects() if ".gritmill-tmp" in key or "heartbeat" in key]
        loader = DataLoader(Samples(out), batch_size=None, num_workers=2, multiprocessing_context="fork", timeout=60)
        assert sorted(loader) == [sample.key for sample in gritmill.read(out)]
        gritmill.ground(config, inputs=inputs, output=out, fresh=True)  # renames the detections
        assert gritmill.pack(config, output=out, fresh=True)["ledger"]["written"] == 20
