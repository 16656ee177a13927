"""The options of the Python functions and of the commands derived from them. This module must import fast."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from typing import TYPE_CHECKING, Annotated, Any, NewType

from pipeline.faults import CallError

if TYPE_CHECKING:
    from pipeline.configuration import Configuration
else:  # for `typing.get_type_hints` and `help`
    Configuration = NewType("Configuration", object)


@dataclass(frozen=True)
class Option:
    """How the command line shows and parses a parameter of a Python function.

    flag: empty for a positional argument. min, max: the range, inclusive. cli_type: the type that words are parsed to,
    if the function accepts more types than a command line can distinguish; default: the parameter's type.
    """

    flag: str
    help: str
    metavar: str | None = None
    min: float | None = None
    max: float | None = None
    cli_type: Any = None

    def __repr__(self) -> str:  # shown by `help(gritmill.run)`
        return repr(f"{self.flag or self.metavar}: {self.help}")


PathOrUri = str | PathLike[str]
"""A local path or a URI."""

PathsOrUris = PathOrUri | Sequence[PathOrUri]

Config = Annotated[
    PathOrUri | Configuration | Mapping[str, Any],
    Option("", "YAML file, or a name from configs/: grit, cluster or demo.", "CONFIG", cli_type=str),
]
"""The name of a configuration, a path to a YAML file, a configuration, or its sections as a mapping."""

Inputs = Annotated[
    PathsOrUris,
    Option("--input", "Sources: paths, globs, brace patterns, folders or URIs.", "URI...", cli_type=list[str]),
]
OutputFolder = Annotated[
    PathOrUri, Option("--output", "Run folder. Created if it does not exist.", "DIR", cli_type=str)
]
FinishedRun = Annotated[PathOrUri, Option("", "Folder of a finished run.", "DIR", cli_type=str)]
Detections = Annotated[
    PathOrUri | None,
    Option("--detections", "Run folder with the detections, if it is another one.", "DIR", cli_type=str | None),
]
LimitPairs = Annotated[
    int | None, Option("--limit", "Read only N pairs: stretches of 32, spread evenly over the sources.", "N", min=1)
]
Extend = Annotated[bool, Option("--extend", "Add sources that earlier calls did not have.")]
RedoChanged = Annotated[bool, Option("--redo-changed", "Read changed sources again.")]
FreshDetections = Annotated[bool, Option("--fresh", "Rename existing detections to detections.N and start over.")]
FreshShards = Annotated[bool, Option("--fresh", "Write the shards again. Replaces shards with other settings.")]
RetryFailed = Annotated[
    bool | str | None,
    Option(
        "--retry-failed",
        "Process failed pairs again: all of them, or those that failed with REASON.",
        "[=REASON]",
        cli_type=str | None,
    ),
]
Partial = Annotated[bool, Option("--partial", "Pack the finished part of an unfinished ground.")]
TakeOver = Annotated[
    bool,
    Option("--take-over", "If a job of an earlier command still uses the run folder, end it and go on."),
]
"""Changes nothing where no other command is at work, so a scheduler can repeat its command with it."""

AsJson = Annotated[bool, Option("--json", "Print the result as one JSON object.")]
"""Only on the command line: a Python function returns its result anyway."""

Quiet = Annotated[bool, Option("--quiet", "Show no progress and no hints.")]


def list_paths(paths: PathsOrUris, none: str) -> list[str]:
    """One or several paths as a list. Raises CallError with the message `none` if there are none."""
    listed = [fspath(paths)] if isinstance(paths, str | PathLike) else [fspath(path) for path in paths]
    if not listed:
        raise CallError(none)
    return listed


def check_limit(limit: int | None) -> None:
    """Raises CallError if a `--limit` is less than 1. The command line has refused it before."""
    if limit is not None and limit < 1:
        raise CallError(f"--limit: {limit}: must be at least 1")


def resolve_config(config: Config) -> "Configuration":
    """Returns the configuration for a name, a path or a mapping.

    Raises:
      CallError: no configuration has this name, or a key or value is wrong.
    """
    from pipeline import configuration

    if isinstance(config, configuration.Configuration):
        return config
    if isinstance(config, str | PathLike):
        return configuration.load(fspath(config))
    return configuration.validate(dict(config))
