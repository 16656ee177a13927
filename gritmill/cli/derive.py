"""Builds a command from a Python function, which declares the options with their defaults, help and ranges."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from typing import Annotated, Any, get_args

import typer
from typer.core import TyperCommand, TyperGroup

from gritmill.cli import json_output
from gritmill.cli.completion import WORDS, completer
from gritmill.options import AsJson, Option
from pipeline.faults import CallError
from pipeline.files import run_log

Call = Callable[[], Any]
"""The Python function with its arguments, ready to be called."""

Finish = Callable[..., None]

beam_arguments: ContextVar[tuple[str, ...]] = ContextVar("beam_arguments", default=())
"""The words after --. Typer would read the first of them as CONFIG."""

given: ContextVar[tuple[str, ...]] = ContextVar("given", default=())
"""The names of the parameters that the words of the running command have, also those with their default."""

_SET = inspect.Parameter(
    "changes",
    inspect.Parameter.KEYWORD_ONLY,
    default=None,
    annotation=Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Configuration keys to change, such as source.kind=csv for ground or selection.score=0.4 for pack.",
            metavar="KEY=VALUE...",
            autocompletion=completer("changes"),
        ),
    ],
)


def derive(app: typer.Typer, function: Callable[..., Any], name: str | None = None) -> Callable[[Finish], Finish]:
    """Adds a command to `app` with the options of `function`; decorates the function that runs the command.

    The decorated function gets the prepared call first. Its other parameters are arguments of `function`, by name,
    `config_name` (CONFIG as given), or options of the command alone. Its docstring is the help. On the command line,
    `config` becomes the argument CONFIG and the option `--set` (`changes`), `beam` is the words after `--`, and `quiet`
    is off by default. Every command has the option `--json`; see `json_output`.
    """
    parameters = inspect.signature(function).parameters
    options = [_option(parameter) for parameter in parameters.values() if parameter.name != "beam"]
    if "config" in parameters:
        _insert(options, [_SET], before=("limit", "fresh", "quiet"))

    def register(finish: Finish) -> Finish:
        named = list(inspect.signature(finish).parameters.values())[1:]
        known = {"config_name", *(one.name for one in options)}
        _insert(options, [_option(one) for one in named if one.name not in known], before=("quiet",))
        _insert(options, [JSON], before=("quiet",))

        def callback(**values: Any) -> None:
            if "config" in parameters:
                from pipeline.configuration import load

                values["changes"], values["config_name"] = values["changes"] or [], values["config"]
                run_log.caller.set(replace(run_log.caller.get(), configuration=values["config"]))
                values["config"] = load(values["config"], values["changes"])
            if "beam" in parameters:
                values["beam"] = beam_arguments.get()
            call = partial(function, **{key: value for key, value in values.items() if key in parameters})
            finish(json_output.diverted(call), **{parameter.name: values[parameter.name] for parameter in named})

        callback.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
        app.command(name or finish.__name__, help=finish.__doc__, cls=Command)(callback)
        return finish

    return register


def _option(parameter: inspect.Parameter) -> inspect.Parameter:
    """The parameter with the annotation that Typer reads."""
    kind, *notes = get_args(parameter.annotation) or (None,)
    option = next((note for note in reversed(notes) if isinstance(note, Option)), None)  # an alias may have one, too
    if option is None:
        raise TypeError(f"{parameter.name}: its annotation has no Option")
    check: Any = {"callback": _check_config} if parameter.name == "config" else {}
    texts: Any = {"help": option.help, "metavar": option.metavar, "autocompletion": completer(parameter.name)}
    shown: Any = typer.Argument(**texts, **check)
    if option.flag:
        shown = typer.Option(option.flag, **texts, min=option.min, max=option.max)
    return parameter.replace(
        kind=inspect.Parameter.KEYWORD_ONLY,
        default=False if parameter.name == "quiet" else parameter.default,
        annotation=Annotated[option.cli_type or kind, shown],
    )


def _check_config(ctx: typer.Context, value: str) -> str:
    """Refuses a source where CONFIG is expected. Runs before Typer reports the missing options."""
    if not ctx.resilient_parsing and value != "grit":
        from pipeline.configuration import find

        flags = {param.name: param.opts[0] for param in ctx.command.params}
        find(value, flags.get("inputs") or flags.get("truth") or flags.get("output", "--input"))
    return value


JSON = _option(inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=AsJson))
"""The parameter of the option `--json`."""

Json = Annotated[bool, typer.Option("--json", help=get_args(AsJson)[1].help)]
"""The annotation of this parameter, for commands that are written out."""

QuietProgress = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]


def _insert(options: list[inspect.Parameter], new: list[inspect.Parameter], before: Sequence[str]) -> None:
    """Inserts options before the first one whose name is in `before`. The help lists them in this order."""
    place = next((index for index, one in enumerate(options) if one.name in before), len(options))
    options[place:place] = new


_PATHS = frozenset(("DIR", "FILE", "PATH", "URI"))
"""The metavars of paths, those of lists without dots."""


class _FlagsWithoutType:
    """Leaves out `<bool>` in the help: a flag takes no value."""

    def get_params(self, ctx: Any) -> Any:
        params = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            if getattr(param, "is_flag", False):
                param.metavar = ""
        return params


class Command(_FlagsWithoutType, TyperCommand):
    """A command whose list options take several words."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.meta[WORDS] = list(args)
        lists = {flag for param in self.params if getattr(param, "multiple", False) for flag in param.opts}
        rest = super().parse_args(ctx, expand_lists(args, lists))
        sources = {name: ctx.get_parameter_source(name) for name in ctx.params}
        given.set(tuple(name for name, source in sources.items() if source and source.name == "COMMANDLINE"))
        if not ctx.resilient_parsing:
            self._refuse_empty(ctx.params)
        return rest

    def _refuse_empty(self, values: Mapping[str, Any]) -> None:
        """Raises CallError for an empty path: it would be the folder that one is in, which nobody means who writes
        "$RUN"."""
        for param in self.params:
            if param.name in given.get() and (param.metavar or "").rstrip(".") in _PATHS:
                value = values[param.name]
                if value == "" or (isinstance(value, list | tuple) and "" in value):
                    shown = param.opts[0] if param.opts[0].startswith("-") else param.metavar
                    raise CallError(f"{shown}: is empty; name a path")


class Group(_FlagsWithoutType, TyperGroup):
    """The commands of `gritmill`."""


def expand_lists(words: Sequence[str], lists: set[str]) -> list[str]:
    """Turns `--input a b c`, which a shell makes of a glob, into `--input a --input b --input c`, which click reads.

    After a complete value of `--set`, a word without `=` is not a change: it is CONFIG. `--retry-failed` without a
    value gets the value for every reason, because click has no optional values.
    """
    result: list[str] = []
    option = value = ""
    for word, next_word in zip_longest(words, words[1:], fillvalue=""):
        if word in lists:
            option, value = word, ""
        elif word.startswith("-"):
            option = ""
            result.append(_with_reason(next_word) if word == "--retry-failed" else word)
        elif option and not (option == "--set" and "=" not in word and _is_change(value)):
            result += [option, word]
            value = word
        else:
            option = ""
            result.append(word)
    return result


def _is_change(word: str) -> bool:
    """Whether a word is a complete `section.key=value`. A list with a blank in it arrives as several words."""
    return "=" in word and word.count("[") == word.count("]")


def _with_reason(next_word: str) -> str:
    from transforms.records import EVERY_REASON, Reason

    return "--retry-failed" if next_word in set(Reason) else f"--retry-failed={EVERY_REASON}"
