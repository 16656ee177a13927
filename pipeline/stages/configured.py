"""The stages of a configuration, in the order of the graph, and their tables."""

import re
from collections.abc import Iterable, Sequence

from pipeline import files, layout
from pipeline.configuration import Configuration
from pipeline.faults import CallError, RunFault
from pipeline.stages.base import Stage
from pipeline.stages.boxes import Boxes
from pipeline.stages.decoys import Decoys
from pipeline.stages.given_boxes import GivenBoxes
from pipeline.stages.hashes import Hashes
from pipeline.stages.phrases import Phrases
from pipeline.tables.detections import open_detections
from pipeline.tables.table import Table
from transforms.culprits import WrongAnswer, calling, describe
from transforms.plugins import check_made, find_factory, identify_factory
from transforms.records import FailureStage
from transforms.wording import type_of

_RESERVED = {layout.DETECTIONS, layout.DECOYS, layout.HASHES, layout.SHARDS, layout.VIEW}
_TABLE_NAME = re.compile(r"[a-z][a-z0-9_-]*")


def configured_stages(configuration: Configuration, search_path: Sequence[str] = ()) -> list[Stage]:
    """Returns the built-in stages, then the custom stages. search_path: folders to search for their modules; they are
    sent to the workers with the stages.

    Raises:
      CallError: a custom stage cannot be loaded or is invalid.
    """
    given, limits = configuration.source.annotations, configuration.source.image_limits
    of_detector = (configuration.detector, limits, tuple(search_path), given, configuration.phrases.ask)
    stages: list[Stage] = [
        Phrases(configuration.phrases, given),
        *([GivenBoxes(given, limits)] if given.boxes else []),
        Boxes(*of_detector),
        *([Decoys(configuration.decoys, *of_detector)] if configuration.decoys.number else []),
    ]
    for name in configuration.stages.factories:
        stage = load_stage(name, configuration, tuple(search_path))
        _check(name, stage, stages)
        stages.append(stage)
    return stages


def preliminary_stages(configuration: Configuration) -> list[Stage]:
    """Returns the stages that run over all pairs before the other stages begin."""
    limits = configuration.source.image_limits
    return [Hashes(limits)] if configuration.filters.needs_hashes else []


def load_stage(name: str, configuration: Configuration, search_path: tuple[str, ...]) -> Stage:
    """Creates a custom stage from the configuration. name: the factory, as `package.module:factory`.

    A worker repeats this call to create the stage, so it searches `search_path` for the module too.
    """
    culprit = f"stages.factories: {name}"
    try:
        factory = find_factory(name, search_path, "stages.factories")
    except ValueError as error:
        raise CallError(str(error)) from error
    with calling(culprit, CallError, (RunFault,)):
        stage = factory(configuration)
        check_made(stage, "the factory")
        if not isinstance(stage, Stage):
            raise WrongAnswer(f"the factory returned {type_of(stage)}, not a pipeline.stages.base.Stage")
    # A stage may be a frozen dataclass.
    object.__setattr__(stage, "origin", (load_stage, (name, configuration, search_path)))
    object.__setattr__(stage, "identity", identify_factory(factory, name))
    object.__setattr__(stage, "culprit", culprit)
    return stage


def _check(name: str, stage: Stage, before: Iterable[Stage]) -> None:
    missing = [key for key in ("table", "name") if not isinstance(getattr(stage, key, None), str)]
    if missing:
        raise CallError(f"{stage.culprit}: the class {type(stage).__name__} has no {missing[0]}; set it to a text")
    tables = {other.table for other in before}
    taken = sorted(_RESERVED | tables)
    problem = ""
    if stage.table in tables:
        problem = f"another stage has the table {stage.table!r}; choose another name"
    elif not _TABLE_NAME.fullmatch(str(stage.table)) or stage.table in taken:
        problem = f"invalid table name {stage.table!r}; use lowercase letters, digits, - and _; not {', '.join(taken)}"
    elif not isinstance(stage.parents, tuple | list):
        problem = f"its parents are {stage.parents!r}; use a tuple of names of tables"
    elif unknown := [parent for parent in stage.parents if parent not in tables]:
        problem = f"its parent {unknown[0]!r} is not the table of an earlier stage; use {', '.join(sorted(tables))}"
    elif not stage.parents:
        problem = "it has no parent; a custom table needs at least one"
    elif stage.name in {other.name for other in before} | set(FailureStage):
        problem = f"the name {stage.name!r} is already used; choose another one"
    else:
        problem = _column_problem(stage)
    if problem:
        raise CallError(f"stages.factories: {name}: {problem}")


def _column_problem(stage: Stage) -> str:
    from pipeline.tables.row_files import default_of  # imports pyarrow

    try:
        for field in stage.schema():
            default_of(field)
        names = stage.schema().names
        if len(set(names)) < len(names):
            return f"its columns: key, index and error are reserved, and names must differ: {', '.join(names[2:-1])}"
    except Exception as error:  # custom code can raise anything
        return f"its columns: {describe(error)}"
    return ""


def open_tables(stages: Iterable[Stage], detections: str) -> dict[str, Table]:
    """Returns the tables of the stages by name, in order. detections: their folder; other tables are next to it."""
    tables = {}
    for stage in stages:
        if stage.table == layout.DETECTIONS:
            tables[stage.table] = open_detections(detections)
        else:
            uri = files.join(files.parent(detections), stage.table)
            tables[stage.table] = Table(uri, stage.schema, stage.version, stage.parents)
    return tables
