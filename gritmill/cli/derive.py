"""A command derived from a Python function: its options, their defaults, help and ranges are written there alone."""

import inspect
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import partial
from itertools import zip_longest
from typing import Annotated, Any, get_args

import typer
from typer.core import TyperCommand

from gritmill.options import Option

Call = Callable[[], Any]
"""The Python function with its arguments, ready to be called."""

Finish = Callable[..., None]

beam_arguments: ContextVar[tuple[str, ...]] = ContextVar("beam_arguments", default=())
"""What followed --. Typer would take the first word of it for CONFIG."""

_SET = inspect.Parameter(
    "changes",
    inspect.Parameter.KEYWORD_ONLY,
    default=None,
    annotation=Annotated[list[str] | None, typer.Option("--set", help="section.key=value", metavar="KEY=VALUE...")],
)


def derive(app: typer.Typer, function: Callable[..., Any], name: str | None = None) -> Callable[[Finish], Finish]:
    """Adds a command to `app` that has the options of `function`; decorates what makes the call and ends the command.

    The decorated function gets the prepared call first, then whatever it names: arguments of `function`, or options of
    its own. Its docstring is the command's help. On the command line `config` is an argument and `--set` (`changes`),
    `beam` is what follows `--`, and progress is shown unless `quiet` is asked for.
    """
    parameters = inspect.signature(function).parameters
    options = [_option(parameter) for parameter in parameters.values() if parameter.name != "beam"]
    if "config" in parameters:
        _insert(options, [_SET], before=("limit", "fresh", "quiet"))

    def register(finish: Finish) -> Finish:
        named = list(inspect.signature(finish).parameters.values())[1:]
        known = {one.name for one in options}
        _insert(options, [_option(one) for one in named if one.name not in known], before=("quiet",))

        def callback(**values: Any) -> None:
            if "config" in parameters:
                from pipeline.configuration import load

                values["changes"] = values["changes"] or []
                values["config"] = load(values["config"], values["changes"])
            if "beam" in parameters:
                values["beam"] = beam_arguments.get()
            call = partial(function, **{key: value for key, value in values.items() if key in parameters})
            finish(call, **{parameter.name: values[parameter.name] for parameter in named})

        callback.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
        app.command(name or finish.__name__, help=finish.__doc__, cls=_Command)(callback)
        return finish

    return register


def _option(parameter: inspect.Parameter) -> inspect.Parameter:
    """The parameter as Typer reads it."""
    kind, *notes = get_args(parameter.annotation) or (None,)
    option = next((note for note in notes if isinstance(note, Option)), None)
    if option is None:
        raise TypeError(f"{parameter.name}: its annotation has no Option")
    shown: Any = typer.Argument(help=option.help, metavar=option.metavar)
    if option.flag:
        shown = typer.Option(option.flag, help=option.help, metavar=option.metavar, min=option.min, max=option.max)
    return parameter.replace(
        kind=inspect.Parameter.KEYWORD_ONLY,
        default=False if parameter.name == "quiet" else parameter.default,
        annotation=Annotated[option.cli_type or kind, shown],
    )


def _insert(options: list[inspect.Parameter], new: list[inspect.Parameter], before: Sequence[str]) -> None:
    """Puts options before the first of those that are called so; their order is that of the help."""
    place = next((index for index, one in enumerate(options) if one.name in before), len(options))
    options[place:place] = new


class _Command(TyperCommand):
    """A command whose list options take several words."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        lists = {flag for param in self.params if getattr(param, "multiple", False) for flag in param.opts}
        return super().parse_args(ctx, expand_lists(args, lists))


def expand_lists(words: Sequence[str], lists: set[str]) -> list[str]:
    """`--input a b c` as click reads it, `--input a --input b --input c`: that is what a shell makes of a glob.

    `--retry-failed` without a value gets the one for every reason: click's grammar has no value that may be left out.
    """
    result: list[str] = []
    option = ""
    for word, next_word in zip_longest(words, words[1:], fillvalue=""):
        if word in lists:
            option = word
        elif word.startswith("-"):
            option = ""
            result.append(_with_reason(next_word) if word == "--retry-failed" else word)
        elif option:
            result += [option, word]
        else:
            result.append(word)
    return result


def _with_reason(next_word: str) -> str:
    from transforms.records import EVERY_REASON, Reason

    return "--retry-failed" if next_word in set(Reason) else f"--retry-failed={EVERY_REASON}"
