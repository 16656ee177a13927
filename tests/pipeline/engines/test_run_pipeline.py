from pathlib import Path

import apache_beam as beam
import pytest

from pipeline.engines.beam_options import parse_beam_options
from pipeline.engines.run_pipeline import run
from pipeline.faults import CallError, EnvironmentFault
from pipeline.files.publish import publish_bytes


def write(uri: str) -> None:
    publish_bytes(uri, b"done")


def fail(uri: str) -> None:
    raise EnvironmentFault(f"{uri}: the disk is full")


def stumble(uri: str) -> None:
    raise PermissionError(13, "Permission denied", uri)


def test_a_pipeline_runs_to_its_end(tmp_path: Path) -> None:
    uri = str(tmp_path / "a")
    run(lambda pipeline: pipeline | beam.Create([uri]) | beam.Map(write), parse_beam_options([]))
    assert (tmp_path / "a").read_bytes() == b"done"


def test_the_reason_of_a_failure_is_one_line() -> None:
    with pytest.raises(EnvironmentFault) as failed:
        run(lambda pipeline: pipeline | beam.Create(["/data"]) | beam.Map(fail), parse_beam_options([]))
    assert str(failed.value) == "/data: the disk is full"
    with pytest.raises(EnvironmentFault) as failed:
        run(lambda pipeline: pipeline | beam.Create(["/data"]) | beam.Map(stumble), parse_beam_options([]))
    assert str(failed.value) == "/data: Permission denied"


def test_a_fault_of_ours_while_building_keeps_its_status() -> None:
    def build(pipeline: beam.Pipeline) -> None:
        raise CallError("--input: nothing there")

    with pytest.raises(CallError, match=r"^--input: nothing there$"):
        run(build, parse_beam_options([]))
