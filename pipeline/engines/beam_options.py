"""Parses the Beam options after `--`, and says what they ask of the local engine."""

import argparse
import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import NoReturn

from apache_beam.options.pipeline_options import (
    DirectOptions,
    FlinkRunnerOptions,
    GoogleCloudOptions,
    JobServerOptions,
    PipelineOptions,
    PortableOptions,
    PrismRunnerOptions,
    SparkRunnerOptions,
    StandardOptions,
    WorkerOptions,
)
from apache_beam.runners.runner import create_runner

from pipeline.faults import CallError, first_line
from transforms.wording import closest

_CONFIGURED_BY = {
    "--s3_": "AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID or another variable of AWS",
    "--azure_": "AZURE_STORAGE_CONNECTION_STRING or another variable of adlfs",
    "--blob_service_endpoint": "AZURE_STORAGE_CONNECTION_STRING",
    "--hdfs_": "the host and the port in the URI, webhdfs://HOST:PORT/…",
}
"""Options of Beam's own file systems, which gritmill does not use, and what takes their place."""

_RUNNERS: dict[type[PipelineOptions], str] = {
    FlinkRunnerOptions: "FlinkRunner",
    SparkRunnerOptions: "SparkRunner",
    PrismRunnerOptions: "PrismRunner",
    GoogleCloudOptions: "DataflowRunner",
    WorkerOptions: "DataflowRunner",
    PortableOptions: "FlinkRunner, SparkRunner or PortableRunner",
    JobServerOptions: "FlinkRunner or SparkRunner",
}
"""The engines that read a class of options."""

_ALSO_LOCAL = (
    "--job_name",
    "--default_sdk_harness_log_level",
    "--sdk_harness_log_level_overrides",
    "--max_cache_memory_usage_mb",
    "--element_processing_timeout_minutes",
)
"""Options of these classes that local workers read, too, or that harm nobody there."""

_OF_FLINK_SERVER = (
    "allow_non_restored_state attached_mode auto_balance_write_files_sharding_enabled auto_watermark_interval"
    " checkpoint_timeout_millis checkpointing_interval checkpointing_mode disable_metrics enable_heap_dumps"
    " enable_stable_input_drain environment_expiration_millis execution_mode_for_batch execution_retry_delay"
    " externalized_checkpoints_enabled fail_on_checkpointing_errors faster_copy file_input_split_max_size_m_b"
    " finish_bundle_before_checkpointing flink_conf_dir force_unaligned_checkpoint_enabled job_check_interval_in_secs"
    " latency_tracking_interval load_balance_bundles max_bundle_size max_bundle_time_mills"
    " min_pause_between_checkpoints num_concurrent_checkpoints number_of_execution_retries object_reuse"
    " operator_chaining re_iterable_group_by_key_result report_checkpoint_duration"
    " retain_externalized_checkpoints_on_cancellation savepoint_path shutdown_sources_after_idle_ms state_backend"
    " state_backend_factory state_backend_storage_path unaligned_checkpoint_enabled use_data_stream_for_batch"
)
_OF_SPARK_SERVER = (
    "bundle_size cache_disabled checkpoint_dir enable_heap_dumps enable_spark_metric_sinks"
    " environment_expiration_millis load_balance_bundles storage_level"
)
"""What the job servers of Beam 2.62 say that they read, beside the options that Beam knows in Python."""


_MOST_WORKERS = 1024
"""Each is a process with models of its own."""


def parse_beam_options(arguments: Sequence[str]) -> PipelineOptions:
    """Parses the Beam options after `--`.

    Raises:
      CallError: an option has an invalid value, or the engine does not know it, or it is one of Beam's file systems.
        Options for a job server that runs already are not looked up: `refuse_unknown` does it when the server is asked.
    """
    for argument in arguments:
        if cure := next((cure for start, cure in _CONFIGURED_BY.items() if argument.startswith(start)), ""):
            raise CallError(f"{argument.partition('=')[0]}: gritmill does not read files through Beam; set {cure}")
    known, _ = _Parser.from_beam().parse_known_args(list(arguments))
    if _names_local(known.runner):
        _refuse_engine_options(arguments)
        refuse_unknown(arguments)
        if not 0 <= known.direct_num_workers <= _MOST_WORKERS:
            problem = f"must be 1 to {_MOST_WORKERS}, or 0 for one per core"
            raise CallError(f"--direct_num_workers: {known.direct_num_workers}: {problem}")
        return PipelineOptions(list(arguments))
    try:
        create_runner(known.runner)  # imports the engine, with options of its own
    except (ValueError, ImportError) as error:
        raise CallError(f"--runner: {first_line(error)}") from error
    if known.job_endpoint in (None, "", "embed"):
        servers = {"flink": _OF_FLINK_SERVER, "spark": _OF_SPARK_SERVER}
        others = servers.get(_short(known.runner), "").split()
        refuse_unknown(arguments, others, only_similar=bool(others))
    return PipelineOptions(list(arguments))


def refuse_unknown(
    arguments: Sequence[str], others: Collection[str] = (), cure: str = "", only_similar: bool = False
) -> None:
    """Refuses an option that nobody reads.

    others: names, without dashes, that the engine knows beside those of Beam in Python. cure: the end of the message,
    if no known name is similar. only_similar: whether another release of the engine may know more, so that an option is
    refused only if its name is similar to a known one.

    Raises:
      CallError: there is one.
    """
    parser = _Parser.from_beam()
    for name in others:
        with suppress(argparse.ArgumentError):  # Beam knows it, too
            parser.add_argument(f"--{name}", nargs="?")
    for unknown in parser.parse_known_args(list(arguments))[1]:
        name = closest(unknown.partition("=")[0].lstrip("-"), (flag.lstrip("-") for flag in parser.flags()), 0.8)
        if name or not only_similar:
            raise CallError(f"{unknown}: no such Beam option{f'; did you mean --{name}?' if name else cure}")


def is_local(beam_options: PipelineOptions) -> bool:
    """Whether the pipeline runs on this machine, in this process or its children."""
    return _names_local(beam_options.view_as(StandardOptions).runner)


def _names_local(runner: str | None) -> bool:
    """DirectRunner means Beam's in-process engine here. Under this name, Beam 2.77 tries to download another engine."""
    return _short(runner or "direct") in ("direct", "fnapi")


def _short(runner: str) -> str:
    """`flink` for `FlinkRunner`."""
    return runner.rpartition(".")[2].lower().removesuffix("runner")


def is_in_processes(beam_options: PipelineOptions) -> bool:
    """Whether the local engine runs its workers in processes of their own."""
    return is_local(beam_options) and beam_options.view_as(DirectOptions).direct_running_mode == "multi_processing"


def local_worker_count(beam_options: PipelineOptions) -> int:
    """The number of local workers. 1 for an engine on other machines."""
    if not is_local(beam_options):
        return 1
    direct = beam_options.view_as(DirectOptions)
    if direct.direct_running_mode == "in_memory":
        return 1
    return int(direct.direct_num_workers) or os.cpu_count() or 1


def _refuse_engine_options(arguments: Sequence[str]) -> None:
    """Refuses what the local engine would ignore: a call without `--runner` that means an engine on other machines."""
    given = [flag for flag in (word.partition("=")[0] for word in arguments) if flag not in _ALSO_LOCAL]
    readers = [(runner, _Parser.of(options).flags()) for options, runner in _RUNNERS.items()]
    readers.append(("FlinkRunner", [f"--{name}" for name in _OF_FLINK_SERVER.split()]))
    readers.append(("SparkRunner", [f"--{name}" for name in _OF_SPARK_SERVER.split()]))
    for runner, flags in readers:
        if found := next((flag for flag in given if flag in flags), ""):
            raise CallError(f"{found}: the local engine does not read it; give --runner={runner}, or leave it out")


class _Parser(argparse.ArgumentParser):
    """A parser of all options that Beam knows. It raises CallError instead of printing hundreds of lines of usage."""

    @classmethod
    def from_beam(cls) -> "_Parser":
        return cls.of(*dict.fromkeys(_subclasses(PipelineOptions)))

    @classmethod
    def of(cls, *classes: type[PipelineOptions]) -> "_Parser":
        parser = cls(add_help=False, allow_abbrev=False)
        for options in classes:
            with suppress(argparse.ArgumentError):  # two classes may define the same option
                options._add_argparse_args(parser)  # type: ignore[attr-defined]
        return parser

    def flags(self) -> list[str]:
        return list(self._option_string_actions)

    def error(self, message: str) -> NoReturn:
        raise CallError(f"Beam options: {message}")


def _subclasses(kind: type) -> list[type]:
    direct: list[type] = kind.__subclasses__()
    return [sub for child in direct for sub in (child, *_subclasses(child))]
