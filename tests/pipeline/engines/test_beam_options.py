import pytest

from pipeline.engines.beam_options import is_local, local_worker_count, parse_beam_options
from pipeline.faults import CallError


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
    options = parse_beam_options([f"--runner={name}"] if name else [])
    assert is_local(options)


def test_other_engines_are_not_local_and_get_their_options() -> None:
    options = parse_beam_options(["--runner=PortableRunner", "--job_endpoint=embed"])
    assert not is_local(options)
    assert local_worker_count(options) == 1
    assert options.get_all_options()["job_endpoint"] == "embed"


@pytest.mark.parametrize("option", ["--no_such_option", "--no_such_option=3", "workers=2"])
def test_an_option_that_nobody_knows_is_refused_by_its_name(option: str) -> None:
    with pytest.raises(CallError, match=rf"^{option}: no such Beam option$"):
        parse_beam_options(["--direct_num_workers=2", option])


@pytest.mark.parametrize(
    ("runner", "option", "end"),
    [
        ("DirectRunner", "--direct_num_worker=2", "; did you mean --direct_num_workers?"),
        ("FlinkRunner", "--paralellism=2", "; did you mean --parallelism?"),
        ("FlinkRunner", "--number_of_execution_retry=2", "; did you mean --number_of_execution_retries?"),
        ("SparkRunner", "--spark_master=local", "; did you mean --spark_master_url?"),
        ("PrismRunner", "--nonsense", ""),
        ("DataflowRunner", "--regio=x", "; did you mean --region?"),
    ],
)
def test_a_misspelt_option_is_refused_on_every_engine(runner: str, option: str, end: str) -> None:
    with pytest.raises(CallError) as fault:
        parse_beam_options([f"--runner={runner}", option])
    assert str(fault.value) == f"{option}: no such Beam option{end}"


def test_options_of_a_job_server_are_known_before_it_is_started() -> None:
    options = parse_beam_options(["--runner=FlinkRunner", "--number_of_execution_retries", "3", "--object_reuse"])
    assert options.get_all_options(retain_unknown_options=True)["number_of_execution_retries"] == "3"
    parse_beam_options(["--runner=SparkRunner", "--storage_level=MEMORY_ONLY"])
    parse_beam_options(["--runner=FlinkRunner", "--job_endpoint=server:8099", "--of_this_server"])
    parse_beam_options(["--runner=FlinkRunner", "--of_a_newer_server=1"])
    with pytest.raises(CallError, match="did you mean --parallelism"):
        parse_beam_options(["--runner=FlinkRunner", "--of_a_newer_server=1", "--paralellism=2"])


@pytest.mark.parametrize(
    ("option", "runner"),
    [
        ("--flink_master=flink:8081", "FlinkRunner"),
        ("--parallelism=2", "FlinkRunner"),
        ("--number_of_execution_retries=2", "FlinkRunner"),
        ("--storage_level=MEMORY_ONLY", "SparkRunner"),
        ("--spark_master_url=spark://spark:7077", "SparkRunner"),
        ("--dataflow_endpoint=https://dataflow", "DataflowRunner"),
        ("--num_workers=8", "DataflowRunner"),
        ("--job_endpoint=server:8099", "FlinkRunner, SparkRunner or PortableRunner"),
        ("--job-server-timeout=3", "FlinkRunner, SparkRunner or PortableRunner"),
        ("--job_server_java_launcher=/bin/java", "FlinkRunner or SparkRunner"),
    ],
)
@pytest.mark.parametrize("local", [[], ["--runner=DirectRunner"]])
def test_an_option_of_another_engine_is_not_ignored_without_its_runner(
    option: str, runner: str, local: list[str]
) -> None:
    with pytest.raises(CallError) as fault:
        parse_beam_options([*local, *option.split("=")])
    cure = f"give --runner={runner}, or leave it out"
    assert str(fault.value) == f"{option.partition('=')[0]}: the local engine does not read it; {cure}"


def test_options_of_local_workers_are_read_without_a_runner() -> None:
    assert is_local(parse_beam_options(["--job_name=mine", "--max_cache_memory_usage_mb=10"]))


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
        parse_beam_options([option])


@pytest.mark.parametrize("option", ["--direct_num_workers=many", "--direct_running_mode=fast"])
def test_a_bad_value_of_an_option_is_refused_in_one_line(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CallError, match=option.partition("=")[0]) as refused:
        parse_beam_options([option])
    assert "\n" not in str(refused.value)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("number", [-1, -3, 1025, 10_000])
def test_a_number_of_workers_that_no_machine_can_run_is_refused(number: int) -> None:
    with pytest.raises(CallError, match=rf"^--direct_num_workers: {number}: must be 1 to 1024, or 0 for one per core$"):
        parse_beam_options([f"--direct_num_workers={number}"])


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
    assert local_worker_count(parse_beam_options(arguments)) == number


def test_zero_workers_are_as_many_as_there_are_cores() -> None:
    options = parse_beam_options(["--direct_num_workers=0", "--direct_running_mode=multi_processing"])
    assert local_worker_count(options) >= 1
