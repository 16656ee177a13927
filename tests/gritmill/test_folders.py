"""A run over a folder with folders of pictures, a folder of `save_to_disk` and what img2dataset writes."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import gritmill
from pipeline.faults import FolderMismatch
from tests import sample_pairs
from tests.pipeline.builders import stored


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The folder, in which the output is too, and the pairs in it."""
    folder = tmp_path_factory.mktemp("folders")
    pairs = sample_pairs.drawn(9)
    for number, pair in enumerate(pairs[:3]):
        stored(folder / "10_scene" / f"{number}.PNG", pair.data)
        stored(folder / "10_scene" / f"{number}.txt", pair.captions[0])
    stored(folder / "10_scene" / "3.PNG", pairs[3].data)
    stored(folder / "10_scene" / "lost.txt", pairs[8].captions[0])
    stored(folder / "reg" / "0.png", pairs[3].data)
    train = pa.table(
        {"image": [{"bytes": p.data, "path": None} for p in pairs[4:6]], "text": [p.captions[0] for p in pairs[4:6]]}
    )
    (folder / "hf").mkdir()
    with pa.ipc.new_stream(folder / "hf" / "data-00000-of-00001.arrow", train.schema) as writer:
        writer.write_table(train)
    stored(folder / "hf" / "state.json", "{}")
    (folder / "i2d").mkdir()
    columns = {
        "key": ["000000000", "000000001"],
        "caption": [p.captions[0] for p in pairs[6:8]],
        "jpg": pa.array([pairs[6].data, None], pa.binary()),
        "status": ["success", "failed_to_download"],
        "error_message": [None, "HTTP Error 404: Not Found"],
    }
    pq.write_table(pa.table(columns), folder / "i2d" / "00000.parquet")
    stored(folder / "i2d" / "00000_stats.json", json.dumps({"count": 2}))
    return folder


def test_a_run_over_such_a_folder(written, parser, capsys):
    config = sample_pairs.settings(parser, "tests.plugin_detectors:factory")
    call = {"inputs": [written], "output": written / "out"}
    ledger = gritmill.run(config, **call, quiet=False)["ledger"]
    rejected, failed = {"no_caption": 1, "not_downloaded": 1}, {"read": {"no_image": 1}}
    assert ledger == {"read": 9, "written": 6, "rejected": rejected, "failed": failed}
    left_out = f"left out: 1 picture in 1 folder without captions, first {written}/reg; a caption is"
    assert f"ground: {left_out}" in capsys.readouterr().err
    assert f" skip {left_out}" in (written / "out" / "run.log").read_text()

    # A release that reads more kinds of files finds a table beside the pictures of a run, and resumes the run.
    feather = pa.table({"image": ["0.PNG"], "caption": ["a dog"]})
    with pa.ipc.new_file(written / "10_scene" / "a.feather", feather.schema) as writer:
        writer.write_table(feather)
    assert gritmill.run(config, **call)["ledger"] == ledger
    stored(written / "10_scene" / "lost.png", sample_pairs.drawn(9)[8].data)
    with pytest.raises(FolderMismatch, match="10_scene/ has changed since the run began"):
        gritmill.run(config, **call)
    assert gritmill.run(config, **call, redo_changed=True)["ledger"] == {**ledger, "written": 7, "failed": {}}
