"""Beam's options as the user gave them, and as gritmill completes them for a remote engine."""

import re
from collections.abc import Sequence
from typing import Any

from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    JobServerOptions,
    PipelineOptions,
    PortableOptions,
    SparkRunnerOptions,
    StandardOptions,
)

_LOCAL_FLINK = ("[local]", "[auto]")
_LOCAL_SPARK = re.compile(r"local(\[.*\])?")


class GivenOptions:
    """Attributes are Beam's views of the options. arguments: the options as words, with those that `default` added."""

    def __init__(self, options: PipelineOptions, arguments: Sequence[str] = ()) -> None:
        self.arguments = list(arguments)
        self.portable = options.view_as(PortableOptions)
        self.flink = options.view_as(FlinkRunnerOptions)
        self.spark = options.view_as(SparkRunnerOptions)
        self.servers = options.view_as(JobServerOptions)
        self.streaming = bool(options.view_as(StandardOptions).streaming)
        self.runner_name: str = (options.view_as(StandardOptions).runner or "").rpartition(".")[2]
        # Only a job server knows all options of its engine. Beam keeps others as they are.
        self._values: dict[str, Any] = options.get_all_options(drop_default=True, retain_unknown_options=True)

    @property
    def runner(self) -> str:
        """`flink` for `FlinkRunner`."""
        return self.runner_name.lower().removesuffix("runner")

    @property
    def job_endpoint(self) -> str:
        """The address of a job server that is running already; empty if Beam starts one."""
        endpoint = self.portable.job_endpoint or ""
        return "" if endpoint == "embed" else endpoint

    @property
    def rest_address(self) -> str:
        """The address of Flink's REST interface; empty for other engines, and if only the job server knows it."""
        master: str = self.flink.flink_master.strip()
        return master if master not in _LOCAL_FLINK and (self.runner == "flink" or self.job_endpoint) else ""

    @property
    def runs_inside(self) -> bool:
        """Whether the engine runs on this machine, in a job server that Beam starts for this job."""
        if self.job_endpoint:
            return False
        if self.runner == "spark":
            return _LOCAL_SPARK.fullmatch(self.spark.spark_master_url) is not None
        return not self.rest_address if self.runner == "flink" else self.runner in ("portable", "prism")

    @property
    def needs_jar(self) -> bool:
        """Whether Beam starts a job server in Java, or sends it to the engine."""
        return not self.job_endpoint and self.runner in ("flink", "spark")

    def has(self, name: str) -> bool:
        """Whether the user gave the option, or it has another value than Beam's default."""
        return name in self._values or any(word.partition("=")[0] == f"--{name}" for word in self.arguments)

    def text(self, name: str) -> str:
        """The value of an option; empty if it has Beam's default value."""
        return str(self._values.get(name, ""))

    def default(self, name: str, value: str) -> None:
        """Adds an option, unless the user gave it. value: empty for a flag."""
        if not self.has(name):
            self._values[name] = value or True
            self.arguments.append(f"--{name}={value}" if value else f"--{name}")

    def job_name(self, run_id: str) -> str:
        """The name of the jobs of a call: the user's or `gritmill`, and its id. Two run folders may have one user's
        name, and a job is cancelled by its name."""
        return f"{self.text('job_name').removesuffix(f'-{run_id}') or 'gritmill'}-{run_id}"

    def replace(self, name: str, value: str) -> None:
        """Sets an option, also if the user gave it."""
        self._values[name] = value
        self.arguments.append(f"--{name}={value}")  # of an option that is there twice, Beam reads the last
