"""What a driver tells the workers of an engine beside the graph: two pipeline options, which a worker reads before it
unpickles anything."""

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from apache_beam.options.pipeline_options import PipelineOptions
from pydantic import TypeAdapter, ValidationError

from pipeline.engines.versions import Versions, installed
from pipeline.files.lease import Lease

_T = TypeVar("_T")


@dataclass(frozen=True)
class Submission:
    """What a job works on. step: ground, hashes or pack. lease: the right to write into the run folder."""

    step: str
    lease: Lease


class SubmissionOptions(PipelineOptions):
    """The options that gritmill sets; nobody else does. JSON."""

    @classmethod
    def _add_argparse_args(cls, parser: ArgumentParser) -> None:
        parser.add_argument("--gritmill_versions", default=None, help="Set by gritmill: the versions of the driver.")
        parser.add_argument("--gritmill_run", default=None, help="Set by gritmill: the run that the job belongs to.")


def announce(beam_options: PipelineOptions, lease: Lease, step: str) -> None:
    """Adds what workers must know to the options of a pipeline. Arguments: see `Submission`."""
    view = beam_options.view_as(SubmissionOptions)
    view.gritmill_versions = json.dumps(asdict(installed()))
    view.gritmill_run = json.dumps(asdict(Submission(step, lease)))


def announced_versions(options: Mapping[str, Any]) -> Versions | None:
    """The driver's versions, from the options of a job by name. None if the job names none that we understand."""
    return _read(options.get("gritmill_versions"), Versions)


def announced_run(options: Mapping[str, Any]) -> Submission | None:
    """What the job works on. None if the job does not say so in a way that we understand."""
    return _read(options.get("gritmill_run"), Submission)


def _read(text: Any, kind: type[_T]) -> _T | None:
    try:
        return TypeAdapter(kind).validate_json(text)
    except (ValidationError, TypeError):
        return None
