import pytest

import gritmill
from tests import sample_pairs


@pytest.fixture(scope="session")
def finished(tmp_path_factory, grounding_dino):
    """A finished run of thirty pairs in three shards. One caption contains a tab."""
    folder = tmp_path_factory.mktemp("exported")
    pictures = sample_pairs.drawn(30)
    odd = pictures[7]
    pictures[7] = sample_pairs.Picture(odd.name, odd.data, ("a red dog\tnear a cat",), odd.url, odd.id)
    config = sample_pairs.settings("caption-parser", grounding_dino, shards={"pairs": 10})
    gritmill.run(config, inputs=sample_pairs.as_tars(pictures, folder / "in"), output=folder / "run")
    return folder / "run"


@pytest.fixture(scope="session")
def single(finished, tmp_path_factory):
    """The same pairs with one box per phrase."""
    folder = tmp_path_factory.mktemp("single") / "run"
    selection = {"score": 0.0, "boxes_per_phrase": 1, "nms_iou": 1.0}
    gritmill.pack({"selection": selection}, output=folder, detections=finished)
    return folder


@pytest.fixture(scope="session")
def records(finished):
    """The records of the finished run, by key."""
    found = {sample.key: sample.record for sample in gritmill.read(finished)}
    assert len(found) == 30
    return found
