"""What the driver does about a remote engine before it builds a graph: looks whether the engine is there and fits, and
adds the Beam options without which a first command fails.

Engines say these things late (after 30 to 70 seconds, or never) and name neither address nor cure.
"""

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from apache_beam.options.pipeline_options import PipelineOptions, PortableOptions
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc
from apache_beam.runners.portability.flink_runner import FlinkJarJobServer
from apache_beam.runners.portability.spark_runner import SparkJarJobServer

from pipeline.engines import flink_cluster
from pipeline.engines.addresses import TIMEOUT_SECONDS, host_of, open_address
from pipeline.engines.beam_options import is_local, parse_beam_options, refuse_unknown
from pipeline.engines.given_options import GivenOptions
from pipeline.engines.worker_environment import complete_dataflow, complete_environment, worker_command
from pipeline.faults import CallError, first_line
from transforms.wording import counted

_FLINK, _SPARK, _DATAFLOW = "Flink", "Spark", "Dataflow"
_JOB_SERVER = "Beam's job server"  # of an engine that it does not name
_JOB_SERVICE = "Beam's job service"  # of Python or Prism

_UNLIMITED_SECONDS = 366 * 86_400


@dataclass(frozen=True)
class RemoteEngine:
    """The engine that runs a graph outside of this process.

    Attributes:
      name: with its version, as far as it says so. address: as the user gave it; empty if the engine has none.
      job_name: of the job to be submitted. arguments: Beam's options, those of the user and gritmill's defaults.
      rest_address: of Flink's REST interface; empty if it is not known, and for other engines.
      job_endpoint: of a job server that is running already; empty if Beam starts one.
      environment: Beam's `--environment_type`. command: that starts a worker; empty if it is not known.
      slots: how many task slots the job uses; None if nobody says so. warnings: lines for the user.
    """

    name: str
    address: str
    job_name: str
    arguments: tuple[str, ...]
    rest_address: str = ""
    job_endpoint: str = ""
    environment: str = ""
    command: str = ""
    slots: int | None = None
    warnings: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Name and address, for messages."""
        return f"{self.name} at {self.address}" if self.address else self.name

    def start_lines(self, ranges: int) -> list[str]:
        """What the user is told before the graph is built: engine, slots, ranges; then warnings."""
        slots = "" if self.slots is None else f"{counted(self.slots, 'slot')}, "
        lines = [f"{self.place}: {slots}{counted(ranges, 'range')}, job {self.job_name}"]
        if self.slots is not None and ranges < self.slots:
            idle = f"{counted(self.slots, 'slot')} for {counted(ranges, 'range')}: {self.slots - ranges:,} will be idle"
            lines.append(f"{idle}; more and smaller input files, or a larger --limit, make more ranges")
        return [*lines, *self.warnings]


def connect(arguments: Sequence[str], run_id: str, slots: bool = True) -> RemoteEngine | None:
    """Asks the engine that Beam's options name, and completes the options. None for the local engine. Takes five
    seconds if nobody answers.

    Args:
      run_id: ends the name of the job.
      slots: whether slots must be free; False if this call will first cancel a job that may use them.

    Raises:
      CallError: an option is wrong, nobody answers at the address, or the engine cannot run the job: too few slots,
        another version, no restarts, workers without gritmill.
    """
    options = parse_beam_options(arguments)
    if is_local(options):
        return None
    given = GivenOptions(options, arguments)
    kind, address = _find(given)
    given.replace("job_name", given.job_name(run_id))
    _check_java(given)
    cluster, warnings = None, []
    if kind == _FLINK and not given.runs_inside:
        if given.rest_address:
            cluster = flink_cluster.check_cluster(given, slots)
            warnings += cluster.warnings
        elif not given.has("parallelism"):
            warnings.append("Flink uses its default parallelism, mostly 1: give --flink_master=HOST:PORT")
        warnings += flink_cluster.choose_restarts(given)
    if kind == _DATAFLOW:
        complete_dataflow(given)
    elif not given.runs_inside:  # otherwise Beam takes LOOPBACK: workers are threads of this process
        # A job server and a master may run on another machine than the workers.
        hosts = cluster.hosts if cluster else [host_of(address)] if kind == _JOB_SERVICE else []
        complete_environment(given, kind in (_FLINK, _SPARK, _JOB_SERVER), hosts)
    if kind == _JOB_SERVICE:  # there, Beam's timeout of a request is also the deadline of the whole run
        given.default("job_server_timeout", str(_UNLIMITED_SECONDS))
    if given.needs_jar:
        _fetch_jar(given)
    portable = PipelineOptions(given.arguments).view_as(PortableOptions)
    environment = (portable.environment_type or "").upper()
    return RemoteEngine(
        name=f"{kind} {cluster.version}" if cluster else kind,
        address=address,
        job_name=given.text("job_name"),
        arguments=tuple(given.arguments),
        rest_address=given.rest_address if kind == _FLINK else "",
        job_endpoint=given.job_endpoint,
        environment=environment,
        command=worker_command(portable) if environment == "PROCESS" else "",
        slots=cluster.slots if cluster else max(given.flink.parallelism, 0) or None if kind == _FLINK else None,
        warnings=tuple(warnings),
    )


def _find(given: GivenOptions) -> tuple[str, str]:
    """The kind of the engine, and its address. Somebody answers there, apart from Flink, which is asked later."""
    if given.job_endpoint:
        open_address("--job_endpoint", given.job_endpoint, "Beam's job server")
        if given.portable.artifact_endpoint:
            open_address("--artifact_endpoint", given.portable.artifact_endpoint, "Beam's job server")
        return _ask_job_server(given), given.job_endpoint
    if given.runner == "portable" and not given.portable.job_endpoint:
        raise CallError(f"--runner={given.runner_name}: give the job server, --job_endpoint=HOST:PORT")
    if given.runner == "flink":
        if not given.has("flink_master"):  # Beam would start a Flink of its own, inside the job server
            cure = "give --flink_master=HOST:PORT, or [local] for a Flink on this machine that ends with the job"
            raise CallError(f"--runner={given.runner_name}: no cluster; {cure}")
        return _FLINK, given.rest_address
    if given.runner == "spark":
        master = given.spark.spark_master_url
        if given.spark.spark_submit_uber_jar and given.spark.spark_rest_url:
            open_address("--spark_rest_url", given.spark.spark_rest_url, "Spark's REST server")
        elif re.match(r"(spark|k8s)://", master):
            open_address("--spark_master_url", master, "Spark's master")
        return _SPARK, "" if given.runs_inside else master
    return (_DATAFLOW if given.runner == "dataflow" else given.runner_name), ""


def _ask_job_server(given: GivenOptions) -> str:
    """The kind of the engine behind a job server: it describes the options of its engine. Refuses all others."""
    with grpc.insecure_channel(given.job_endpoint, options=(("grpc.enable_http_proxy", 0),)) as channel:
        stub = beam_job_api_pb2_grpc.JobServiceStub(channel)
        request = beam_job_api_pb2.DescribePipelineOptionsRequest()
        try:
            described = stub.DescribePipelineOptions(request, timeout=TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            what = "what answers there is no job server of Beam"
            raise CallError(f"--job_endpoint={given.job_endpoint}: {what}") from error
    names = {option.name for option in described.options}
    refuse_unknown(given.arguments, names, f", and Beam's job server at {given.job_endpoint} has none of this name")
    flink, spark = "flink_master" in names, "spark_master" in names
    if flink and spark:  # a jar with both
        flink = given.runner == "flink" or given.rest_address != ""
        spark = not flink and (given.runner == "spark" or given.has("spark_master_url"))
    return _FLINK if flink else _SPARK if spark else _JOB_SERVER if names else _JOB_SERVICE


def _check_java(given: GivenOptions) -> None:
    """Looks for what Beam needs to start the job server of Flink or Spark on this machine."""
    if not given.needs_jar:
        return
    jar = given.flink.flink_job_server_jar if given.runner == "flink" else given.spark.spark_job_server_jar
    if jar and "://" not in jar and not os.path.isfile(jar):
        raise CallError(f"--{given.runner}_job_server_jar={jar}: no such file")
    java = given.servers.job_server_java_launcher
    submits_jar = given.flink.flink_submit_uber_jar or given.spark.spark_submit_uber_jar
    if not submits_jar and shutil.which(java) is None:
        cure = "install Java, give --job_server_java_launcher, or name a running job server with --job_endpoint"
        raise CallError(f"{java}: not found, and Beam's job server for {given.runner_name} needs it; {cure}")


def _fetch_jar(given: GivenOptions) -> None:
    """Fetches the job server as Beam does, unless the user names a file or Beam has kept it from an earlier job."""
    options = PipelineOptions(given.arguments)
    server = FlinkJarJobServer(options) if given.runner == "flink" else SparkJarJobServer(options)
    url = str(server.path_to_jar())
    try:
        server.local_jar(url, given.servers.jar_cache_dir)
    except (RuntimeError, OSError) as error:
        cause = error.__context__ if isinstance(error, RuntimeError) else error  # Beam's own text names no option
        reason = getattr(cause, "reason", cause)
        why = getattr(reason, "strerror", None) or first_line(reason or error)
        what = f"Beam's job server for {given.runner_name} cannot be fetched ({why})"
        cure = f"fetch it where there is a network, and name the file with --{given.runner}_job_server_jar"
        raise CallError(f"{url}: {what}; {cure}") from error
