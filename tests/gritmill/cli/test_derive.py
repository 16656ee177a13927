"""Commands that are derived from functions: from one in this file, and from those of gritmill."""

import inspect
import re
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Annotated

import pytest
import typer
from typer.exceptions import TyperException

import gritmill
from gritmill import demo
from gritmill.cli import commands
from gritmill.cli.completion import completer
from gritmill.cli.derive import beam_arguments, derive, expand_lists
from gritmill.evaluation.without_truth import MOST_PAIRS
from gritmill.exports.options import ExportOptions
from gritmill.main import main
from gritmill.options import Config, Option, Quiet
from pipeline.configuration import Configuration, belongs_to_pack

Words = Annotated[str | Sequence[str], Option("--word", "What is counted.", "WORD...", cli_type=list[str])]
Most = Annotated[int | None, Option("--at-most", "Only N of them.", "N", min=1, max=9)]
Twice = Annotated[bool, Option("--twice", "Say it again.")]


def count(
    config: Config = "grit", *, words: Words, most: Most = 7, beam: Sequence[str] = (), quiet: Quiet = True
) -> dict:
    """A function with options of several types."""
    return {"config": config, "words": words, "most": most, "beam": beam, "quiet": quiet}


@pytest.fixture
def app():
    """A command line with one command. It returns the arguments of the function and those of the command."""
    app, said = typer.Typer(add_completion=False), []

    @derive(app, count, "tally")
    def tell(call, words, changes, twice: Twice = False):
        """Counts words."""
        said[:] = call(), words, changes, twice

    def run(*arguments):
        app(args=list(arguments), standalone_mode=False)
        return said

    return run


def test_a_command_passes_what_is_written_to_the_function(app):
    beam_arguments.set(("--runner=Somewhere",))
    arguments, *told = app("demo", "--word", "a", "b", "--word=c", "--at-most", "3", "--set", "selection.score=0.5")
    config = arguments.pop("config")
    assert isinstance(config, Configuration)
    assert (config.detector.model, config.selection.score) == ("scene-grounder", 0.5)
    assert arguments == {"words": ["a", "b", "c"], "most": 3, "beam": ("--runner=Somewhere",), "quiet": False}
    assert told == [["a", "b", "c"], ["selection.score=0.5"], False]


def test_what_is_not_written_has_the_default_of_the_function(app):
    arguments, *_, changes, twice = app("--word", "a", "--twice", "--quiet")
    assert (arguments["most"], arguments["quiet"], changes, twice) == (7, True, [], True)


def test_help_and_range_are_those_of_the_annotation(app, capsys):
    app("--help")
    said = capsys.readouterr().out
    for shown in ("Counts words.", "CONFIG", "--set", "--word", "What is counted.", "N [1<=x<=9]", "Say it again."):
        assert shown in said
    assert "beam" not in said
    assert "bool" not in said
    with pytest.raises(TyperException, match="less than or equal to 9"):
        app("--word", "a", "--at-most", "10")
    with pytest.raises(TyperException) as missing:
        app()
    assert missing.value.format_message() == "Missing option '--word'."


def test_a_parameter_without_a_flag_is_a_mistake():
    with pytest.raises(TypeError, match="limit: its annotation has no Option"):
        derive(typer.Typer(), lambda limit=1: limit)


@pytest.mark.parametrize(
    ("name", "function", "own"),
    [
        ("run", gritmill.run, {"changes", "max_failed", "allow_source_faults"}),
        ("ground", gritmill.ground, {"changes"}),
        ("pack", gritmill.pack, {"changes", "max_failed", "allow_source_faults"}),
        ("demo", demo.run, set()),
        ("look", gritmill.look, {"changes"}),
        ("audit", gritmill.audit, set()),
        ("validate", gritmill.validate, set()),
        ("export", gritmill.export, set()),
        ("view", gritmill.view, {"serve", "port"}),
        ("eval", gritmill.evaluate, {"changes"}),
        ("calibrate", gritmill.calibrate, {"changes"}),
    ],
)
def test_each_option_of_a_function_has_a_flag_and_the_other_way_round(name, function, own):
    command = typer.main.get_command(commands.app).commands[name]
    parameters = dict(inspect.signature(function).parameters)
    if parameters.pop("options", None):
        parameters |= inspect.signature(ExportOptions).parameters
    parameters.pop("beam", None)
    flags = {one.name: one for one in command.params if one.name not in own}
    assert flags.pop("json").opts == ["--json"]
    assert flags.keys() == parameters.keys()
    for key, parameter in parameters.items():
        default = None if parameter.default is parameter.empty else parameter.default
        assert flags[key].default == (False if key == "quiet" else default), key
        assert flags[key].required == (parameter.default is parameter.empty), key


@pytest.mark.parametrize(
    "name", ["run", "ground", "pack", "demo", "look", "audit", "validate", "export", "view", "eval", "calibrate"]
)
def test_the_help_of_each_option_is_a_sentence(name):
    command = typer.main.get_command(commands.app).commands[name]
    for param in command.params:
        if param.name != "to":  # its help lists the formats, which are found when it is shown
            assert re.fullmatch(r"[A-Z][\w'-]*:?( \S+)+.*\.", param.help), (param.name, param.help)
            assert param.help.split()[0] not in ("Of", "And"), param.help
    assert re.fullmatch(r"[A-Z].* .*\.", command.help)


def test_no_help_names_the_type_of_a_flag(capsys):
    for words in ([], ["run"], ["validate"], ["export"]):
        with pytest.raises(SystemExit):
            main([*words, "--help"])
        assert "bool" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expanded"),
    [
        (["a.b=1", "c.d=2", "demo"], ["--set", "a.b=1", "--set", "c.d=2", "demo"]),
        (["a.b=1", "demo", "more"], ["--set", "a.b=1", "demo", "more"]),
        (["a.b=1", "demo", "c.d=2"], ["--set", "a.b=1", "demo", "c.d=2"]),  # refused: one argument too many
        (["a.b", "0.5"], ["--set", "a.b", "--set", "0.5"]),  # refused by the form of a change
        (["a.b=[x,", "y]", "demo"], ["--set", "a.b=[x,", "--set", "y]", "--set", "demo"]),  # the same
    ],
)
def test_configuration_after_set(words, expanded):
    assert expand_lists(["--set", *words], {"--set"}) == expanded


@pytest.mark.parametrize(
    ("parameter", "typed", "expected"),
    [
        ("config", "d", ["demo"]),
        ("changes", "selection.s", ["selection.score="]),
        ("changes", "source.columns.c", ["source.columns.caption="]),
        ("retry_failed", "trunc", ["truncated"]),
        ("retry_failed", "no_", ["no_image"]),  # of the reasons, those that ground has
        ("to", "flickr", ["flickr30k-entities"]),
        ("dialect", "qwen2-", ["qwen2-vl"]),
    ],
)
def test_values_that_a_shell_completes(parameter, typed, expected):
    found = completer(parameter)(SimpleNamespace(meta={}), typed)
    assert [value for value in found if value in expected or parameter == "retry_failed"] == expected
    assert completer("output") is None


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["export", "out", "--to", "coc"], ["coco"]),
        (["export", "out", "--dialect", "qwen2-"], ["qwen2-vl"]),
        (["run", "gr"], ["grit"]),
        (["run", "--set", "selection.sc"], ["selection.score="]),
        (["run", "--set", "=", "selection.sc"], ["selection.score="]),  # bash splits words at "="
        (["run", "--set", "a.b", "=", "0.4", "selection.sc"], ["selection.score="]),
        (["run", "--set", "a.b", "=", "0.4", "gr"], ["grit"]),
        (["run", "--retry-failed", "=", "cra"], ["crash"]),
        (["run", "--input", "a", "gr"], []),  # one more input, and no configuration
    ],
)
def test_bash_asks_for_completions(words, expected, monkeypatch, capsys):
    monkeypatch.setenv("_GRITMILL_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "\n".join(["gritmill", *words]))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    with pytest.raises(SystemExit):
        main([])
    assert capsys.readouterr().out.split() == expected


def test_zsh_asks_for_completions(monkeypatch, capsys):
    monkeypatch.setenv("_GRITMILL_COMPLETE", "complete_zsh")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "gritmill run --set selection.sc")
    with pytest.raises(SystemExit):
        main([])
    assert "selection.score=" in capsys.readouterr().out


def test_lists_after_an_option_repeat_it():
    lists = {"--input"}
    assert expand_lists(["grit", "--input", "a", "b", "--output", "c"], lists) == [
        *("grit", "--input", "a", "--input", "b", "--output", "c")
    ]
    assert expand_lists(["--retry-failed", "--quiet"], lists) == ["--retry-failed=every", "--quiet"]
    assert expand_lists(["--retry-failed", "gone"], lists) == ["--retry-failed", "gone"]
    assert expand_lists(["--input=a", "--quiet"], lists) == ["--input=a", "--quiet"]


def test_the_help_has_keys_that_their_commands_use_and_the_number_in_force():
    found = typer.main.get_command(commands.app).commands
    helps = {name: {param.name: param.help for param in found[name].params} for name in ("ground", "pack", "calibrate")}
    of_command = {command: key for key, command in re.findall(r"(\S+)=\S+ for (\w+)", helps["ground"]["changes"])}
    assert {name: belongs_to_pack(key) for name, key in of_command.items()} == {"ground": False, "pack": True}
    assert f"about N pairs ({MOST_PAIRS:,})" in helps["calibrate"]["limit"]
