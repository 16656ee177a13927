import gc
import traceback
from contextlib import nullcontext
from pathlib import Path

import apache_beam as beam
import pytest

from pipeline.engines import run_pipeline
from pipeline.faults import CallError, EnvironmentFault, RunFault, WorkerDied
from pipeline.files.publish import publish_bytes
from tests import once


@pytest.mark.parametrize(
    "name",
    [
        "",
        "DirectRunner",
        "FnApiRunner",
        "directrunner",
        "direct",
        "apache_beam.runners.portability.fn_api_runner.FnApiRunner",
    ],
    ids=lambda name: name or "-",
)
def test_the_local_engine_has_several_names(name: str) -> None:
    options = run_pipeline.parse_beam_options([f"--runner={name}"] if name else [])
    assert run_pipeline.is_local(options)


def test_other_engines_are_not_local_and_get_their_options() -> None:
    options = run_pipeline.parse_beam_options(
        ["--runner=PortableRunner", "--job_endpoint=embed", "--an_option_of_the_server=3"]
    )
    assert not run_pipeline.is_local(options)
    assert run_pipeline.local_worker_count(options) == 1
    assert options.get_all_options()["job_endpoint"] == "embed"


@pytest.mark.parametrize("option", ["--no_such_option", "--no_such_option=3", "--direct_num_worker=2", "workers=2"])
def test_an_option_that_nobody_knows_is_refused_by_its_name(option: str) -> None:
    with pytest.raises(CallError, match=rf"^{option}: no such Beam option$"):
        run_pipeline.parse_beam_options(["--direct_num_workers=2", option])


@pytest.mark.parametrize(
    ("option", "cure"),
    [
        ("--s3_endpoint_url=http://minio:9000", "AWS_ENDPOINT_URL"),
        ("--hdfs_host=namenode", "webhdfs://HOST:PORT"),
        ("--azure_connection_string=x", "AZURE_STORAGE_CONNECTION_STRING"),
    ],
)
def test_an_option_of_beams_file_systems_is_refused_with_what_takes_its_place(option: str, cure: str) -> None:
    with pytest.raises(CallError, match=f"^{option.partition('=')[0]}: .*{cure}"):
        run_pipeline.parse_beam_options([option])


@pytest.mark.parametrize("option", ["--direct_num_workers=many", "--direct_running_mode=fast"])
def test_a_bad_value_of_an_option_is_refused_in_one_line(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CallError, match=option.partition("=")[0]) as refused:
        run_pipeline.parse_beam_options([option])
    assert "\n" not in str(refused.value)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "number"),
    [
        ([], 1),
        (["--direct_num_workers=4"], 1),
        (["--direct_num_workers=4", "--direct_running_mode=multi_processing"], 4),
        (["--direct_num_workers=3", "--direct_running_mode=multi_threading"], 3),
        (["--runner=FlinkRunner", "--direct_num_workers=3", "--direct_running_mode=multi_processing"], 1),
    ],
)
def test_local_workers_are_counted(arguments: list[str], number: int) -> None:
    assert run_pipeline.local_worker_count(run_pipeline.parse_beam_options(arguments)) == number


def test_zero_workers_are_as_many_as_there_are_cores() -> None:
    options = run_pipeline.parse_beam_options(["--direct_num_workers=0", "--direct_running_mode=multi_processing"])
    assert run_pipeline.local_worker_count(options) >= 1


def write(uri: str) -> None:
    publish_bytes(uri, b"done")


def fail(uri: str) -> None:
    raise EnvironmentFault(f"{uri}: the disk is full")


def stumble(uri: str) -> None:
    raise PermissionError(13, "Permission denied", uri)


def test_a_pipeline_runs_to_its_end(tmp_path: Path) -> None:
    uri = str(tmp_path / "a")
    run_pipeline.run(
        lambda pipeline: pipeline | beam.Create([uri]) | beam.Map(write), run_pipeline.parse_beam_options([])
    )
    assert (tmp_path / "a").read_bytes() == b"done"


def test_the_reason_of_a_failure_is_one_line() -> None:
    with pytest.raises(EnvironmentFault) as failed:
        run_pipeline.run(
            lambda pipeline: pipeline | beam.Create(["/data"]) | beam.Map(fail), run_pipeline.parse_beam_options([])
        )
    assert str(failed.value) == "/data: the disk is full"
    with pytest.raises(EnvironmentFault) as failed:
        run_pipeline.run(
            lambda pipeline: pipeline | beam.Create(["/data"]) | beam.Map(stumble), run_pipeline.parse_beam_options([])
        )
    assert str(failed.value) == "/data: Permission denied"


def test_a_fault_of_ours_while_building_keeps_its_status() -> None:
    def build(pipeline: beam.Pipeline) -> None:
        raise CallError("--input: nothing there")

    with pytest.raises(CallError, match=r"^--input: nothing there$"):
        run_pipeline.run(build, run_pipeline.parse_beam_options([]))


def text_of(error: Exception) -> RuntimeError:
    """Returns the error as Beam's runner raises it: a worker's traceback as text."""
    try:
        raise error
    except type(error) as raised:
        lines = "".join(traceback.format_exception(raised))
        return RuntimeError(f"{lines} [while running 'ParDo(_ReadChunksDoFn)-ptransform-12']\n")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("no good"), "ValueError: no good"),
        (EnvironmentFault("/data: gone"), "/data: gone"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (ValueError("first line\nsecond line"), "ValueError: first line"),
        (RuntimeError("CUDA error: device-side assert"), "RuntimeError: CUDA error: device-side assert"),
    ],
)
def test_the_reason_is_taken_out_of_a_workers_traceback(error: Exception, reason: str) -> None:
    assert str(run_pipeline._fault(text_of(error))) == reason


def test_every_fault_of_ours_says_what_it_said_in_the_worker() -> None:
    def faults(kind: type[RunFault]) -> list[type[RunFault]]:
        return [kind, *(one for sub in kind.__subclasses__() for one in faults(sub))]

    raised = "Traceback (most recent call last):\nPermissionError: no\n\npipeline.faults"
    for kind in set(faults(EnvironmentFault)) - {WorkerDied}:  # which only the driver raises
        text = f"{raised}.{kind.__name__}: s3://b: no"
        assert str(run_pipeline._fault(RuntimeError(text))) == "s3://b: no", kind


def test_an_error_without_a_traceback_is_taken_as_it_is() -> None:
    assert str(run_pipeline._fault(RuntimeError("Channel closed prematurely.\nmore"))) == "Channel closed prematurely."
    assert str(run_pipeline._fault(RuntimeError(""))) == "RuntimeError"
    assert str(run_pipeline._fault(MemoryError())) == "MemoryError"


@pytest.mark.parametrize("fails", [False, True])
def test_what_is_imported_is_frozen_while_a_pipeline_runs_and_no_longer(fails: bool) -> None:
    during = []

    def build(pipeline: beam.Pipeline) -> object:
        during.append(gc.get_freeze_count())
        if fails:
            raise EnvironmentFault("no")
        return pipeline | beam.Create([1])

    with once.thawed():
        with pytest.raises(EnvironmentFault) if fails else nullcontext():
            run_pipeline.run(build, run_pipeline.parse_beam_options([]))
        assert during[0] > 10_000
        assert gc.get_freeze_count() == 0
