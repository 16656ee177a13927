"""The options of the Python functions and of the commands derived from them. This module imports fast."""

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
    """What the command line makes of a parameter of a Python function.

    flag: empty for a positional argument. min, max: the range, ends included. cli_type: what the words are parsed to,
    where the function takes more types than a command line can tell apart; default: the parameter's type.
    """

    flag: str
    help: str
    metavar: str | None = None
    min: float | None = None
    max: float | None = None
    cli_type: Any = None

    def __repr__(self) -> str:  # what `help(gritmill.run)` shows
        return repr(f"{self.flag or self.metavar}: {self.help}")


PathOrUri = str | PathLike[str]
"""A local path or a URI."""

PathsOrUris = PathOrUri | Sequence[PathOrUri]

Config = Annotated[
    str | Configuration | Mapping[str, Any],
    Option("", "A YAML file, or the name of one in configs/.", "[CONFIG]", cli_type=str),
]
"""The name of a configuration, a path to a YAML file, a configuration, or its sections as a mapping."""

Inputs = Annotated[PathsOrUris, Option("--input", "URIs, globs or folders.", "URI...", cli_type=list[str])]
OutputFolder = Annotated[PathOrUri, Option("--output", "Folder of the run.", "DIR", cli_type=str)]
FinishedRun = Annotated[PathOrUri, Option("", "Folder of a finished run.", "DIR", cli_type=str)]
Detections = Annotated[PathOrUri | None, Option("--detections", "Of another run.", "DIR", cli_type=str | None)]
LimitPairs = Annotated[int | None, Option("--limit", "Only N pairs, spread over the input.", "N", min=1)]
Extend = Annotated[bool, Option("--extend", "Take in inputs that the plan does not know yet.")]
RedoChanged = Annotated[bool, Option("--redo-changed", "Read inputs anew that have changed since.")]
FreshDetections = Annotated[bool, Option("--fresh", "Move the old detections aside and begin anew.")]
FreshShards = Annotated[bool, Option("--fresh", "Replace shards of another fingerprint.")]
RetryFailed = Annotated[
    bool | str | None,
    Option(
        "--retry-failed",
        "Do chunks with failed pairs again, or those that failed for REASON.",
        "[=REASON]",
        cli_type=str | None,
    ),
]
Partial = Annotated[bool, Option("--partial", "Pack what there is of an unfinished ground.")]
Quiet = Annotated[bool, Option("--quiet", "No progress and no hints.")]


def list_paths(paths: PathsOrUris, none: str) -> list[str]:
    """One path, or several, as a list; raises CallError with the message `none` if there are none."""
    listed = [fspath(paths)] if isinstance(paths, str | PathLike) else [fspath(path) for path in paths]
    if not listed:
        raise CallError(none)
    return listed


def resolve_config(config: Config) -> "Configuration":
    """The configuration for a name, a path or a mapping.

    Raises:
      CallError: there is none of that name, or a key or value is wrong.
    """
    from pipeline import configuration

    if isinstance(config, configuration.Configuration):
        return config
    return configuration.load(config) if isinstance(config, str) else configuration.validate(dict(config))
