"""Parses the Beam options after `--`, and says what they ask of the local engine."""

import argparse
import os
from collections.abc import Sequence
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


def parse_beam_options(arguments: Sequence[str]) -> PipelineOptions:
    """Parses the Beam options after `--`.

    Raises:
      CallError: an option has an invalid value, or the local engine does not know it, or only other engines read it.
        Those may have more options, which they get from a job server. Or it is one of Beam's file systems.
    """
    for argument in arguments:
        if cure := next((cure for start, cure in _CONFIGURED_BY.items() if argument.startswith(start)), ""):
            raise CallError(f"{argument.partition('=')[0]}: gritmill does not read files through Beam; set {cure}")
    known, unknown = _Parser.from_beam().parse_known_args(list(arguments))
    if _names_local(known.runner):
        _refuse_engine_options(arguments)
        if unknown:
            raise CallError(f"{unknown[0]}: no such Beam option")
    beam_options = PipelineOptions(list(arguments))
    if not _names_local(known.runner):
        try:
            create_runner(known.runner)
        except (ValueError, ImportError) as error:
            raise CallError(f"--runner: {first_line(error)}") from error
    return beam_options


def is_local(beam_options: PipelineOptions) -> bool:
    """Whether the pipeline runs on this machine, in this process or its children."""
    return _names_local(beam_options.view_as(StandardOptions).runner)


def _names_local(runner: str | None) -> bool:
    """DirectRunner means Beam's in-process engine here. Under this name, Beam 2.77 tries to download another engine."""
    return (runner or "direct").rpartition(".")[2].lower().removesuffix("runner") in ("direct", "fnapi")


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
    for options, runner in _RUNNERS.items():
        flags = _Parser.of(options).flags()
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
