import pickle

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to

from pipeline.engines.progress import WorkerProgress, chunks_in_work
from pipeline.stages.boxes import Boxes
from pipeline.stages.run_stage import RunStage, StageHandler
from pipeline.tables.detections import open_detections
from tests.transforms.detectors.test_candidates import pair
from transforms.detectors.settings import DetectorSettings
from transforms.images import ImageLimits
from transforms.records import Chunk

STEADY = "tests.pipeline.stages.test_runner:Steady"
TABLE = open_detections("nowhere")


def handler(progress=None):
    return StageHandler(Boxes(DetectorSettings(model=STEADY), ImageLimits(10_000), ("folder",)), TABLE, progress)


def test_the_transform_gives_each_chunk_back_with_boxes():
    chunks = [Chunk(0, 0, n, (pair(n, "a dog", "a dog"), pair(9, "so"))) for n in range(3)]
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        done = pipeline | beam.Create([*chunks, Chunk(0, 0, 3, closes_range=True)]) | RunStage(handler())
        rows = done | beam.Map(
            lambda chunk: (chunk.number, [len(p.boxes) for p in chunk.pairs], "boxes" in chunk.seconds)
        )
        assert_that(rows, equal_to([(0, [1, 0], True), (1, [1, 0], True), (2, [1, 0], True), (3, [], False)]))


def test_a_batch_is_one_chunk():
    assert handler().batch_elements_kwargs()["min_batch_size"] == 1
    assert handler().batch_elements_kwargs()["max_batch_size"] == 1


def test_a_handler_travels_to_its_worker_and_loads_nothing():
    again = pickle.loads(pickle.dumps(handler()))
    runner = again.load_model()
    assert (again.stage.limits.max_pixels, runner.stage.search_path, runner._model) == (10_000, ("folder",), None)


def test_bytes_are_those_of_the_images():
    chunk = Chunk(0, 0, 0, (pair(0, "so", data=b"123"), pair(1, "so", data=b"45")))
    assert handler().get_num_bytes([chunk, chunk]) == 10


def test_inference_arguments_are_refused():
    handler().validate_inference_args(None)
    with pytest.raises(ValueError, match="no inference arguments"):
        handler().validate_inference_args({"threshold": 1})


def test_the_progress_says_while_the_model_is_loaded_for_the_first_chunk(tmp_path, monkeypatch):
    progress, seen = WorkerProgress(str(tmp_path)), []
    stage = handler(progress)
    runner, load = stage.load_model(), Boxes.load
    monkeypatch.setattr(Boxes, "load", lambda self: (seen.append(loading(tmp_path)), load(self))[1])
    monkeypatch.setattr(progress, "end", lambda: seen.append(loading(tmp_path)))
    for number in range(2):
        stage.run_inference([Chunk(0, 0, number, (pair(0, "a dog", "a dog"),))], runner)
    assert seen == [["boxes"], [""], [""]]


def test_the_progress_says_while_a_child_process_loads_the_model(tmp_path):
    progress, seen = WorkerProgress(str(tmp_path)), []
    runner = handler(progress).load_model()

    class Child:
        alive = True

        def call(self, function, stage, *_, notes=None):
            seen.append((function.__name__, loading(tmp_path)))
            return [], {}

    runner._child.child = child = Child()
    for _ in range(2):
        progress.begin("a chunk", 1, None)
        runner._open(1, crashed=lambda: None).process([])
        progress.end()
    child.alive = False  # it died, and the next call starts it again
    progress.begin("a chunk", 1, None)
    runner._open(1, crashed=lambda: None)
    load = ("_child_load", ["boxes"])
    assert [one for one in seen if one[1] != [""]] == [load, load]
    assert seen[0] == seen[-1] == load


def loading(folder):
    return [chunk.loading for chunk in chunks_in_work(str(folder))]
