"""Arguments that several commands share."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipeline.configuration import Configuration

ConfigArgument = Annotated[str, typer.Argument(help="A YAML file, or the name of one in configs/.", metavar="[CONFIG]")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="section.key=value", metavar="KEY=VALUE...")]
DetectionsOption = Annotated[str | None, typer.Option("--detections", help="Of another run.", metavar="DIR")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="No progress and no hints.")]


def load_configuration(name: str, changes: list[str] | None) -> "Configuration":
    """The configuration called `name` with the changes of `--set`."""
    from pipeline.configuration import load

    return load(name, changes or ())
