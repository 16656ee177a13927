"""Parses the Beam options after `--`, and says what they ask of the local engine."""

import argparse
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions
from apache_beam.runners.runner import create_runner

from pipeline.faults import CallError, first_line

_CONFIGURED_BY = {
    "--s3_": "AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID or another variable of AWS",
    "--azure_": "AZURE_STORAGE_CONNECTION_STRING or another variable of adlfs",
    "--blob_service_endpoint": "AZURE_STORAGE_CONNECTION_STRING",
    "--hdfs_": "the host and the port in the URI, webhdfs://HOST:PORT/…",
}
"""Options of Beam's own file systems, which gritmill does not use, and what takes their place."""


def parse_beam_options(arguments: Sequence[str]) -> PipelineOptions:
    """Parses the Beam options after `--`.

    Raises:
      CallError: an option has an invalid value, or the local engine does not know it. Other engines may have more
        options, which they get from a job server. Or it is one of Beam's file systems.
    """
    for argument in arguments:
        if cure := next((cure for start, cure in _CONFIGURED_BY.items() if argument.startswith(start)), ""):
            raise CallError(f"{argument.partition('=')[0]}: gritmill does not read files through Beam; set {cure}")
    known, unknown = _Parser.from_beam().parse_known_args(list(arguments))
    if unknown and _names_local(known.runner):
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


class _Parser(argparse.ArgumentParser):
    """A parser of all options that Beam knows. It raises CallError instead of printing hundreds of lines of usage."""

    @classmethod
    def from_beam(cls) -> "_Parser":
        parser = cls(add_help=False, allow_abbrev=False)
        for options in dict.fromkeys(_subclasses(PipelineOptions)):
            with suppress(argparse.ArgumentError):  # two classes may define the same option
                options._add_argparse_args(parser)  # type: ignore[attr-defined]
        return parser

    def error(self, message: str) -> NoReturn:
        raise CallError(f"Beam options: {message}")


def _subclasses(kind: type) -> list[type]:
    direct: list[type] = kind.__subclasses__()
    return [sub for child in direct for sub in (child, *_subclasses(child))]
