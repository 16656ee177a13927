"""`gritmill look`: what would be read from sources, without a model and without a run folder."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

from gritmill.options import Config, Option, PathsOrUris, list_paths, resolve_config

if TYPE_CHECKING:
    from pipeline.configuration import Configuration
    from pipeline.files import FileInfo
    from pipeline.sources import Source
    from transforms.annotations.columns import AnnotationColumns
    from transforms.records import Pair

_SOURCES = 20  # are opened; of the others only the kind is told, as their names say it
_READ = 100  # pairs of a source whose images are decoded
_COUNTED = 100_000  # pairs of a source that are counted if their number is not known without reading
_AHEAD = 8  # pairs whose images are in memory at a time
_SHOWN = 5
_BOXES = ("bbox", "boxes", "noun_chunks", "objects", "regions")
"""Usual names of columns with boxes."""

_NO_TEXTS = frozenset({"nan", "null", "none", "<na>", "n/a", "#n/a"})
"""Captions, in lower case, that stand for a missing one in tables of other programs."""

_UNKNOWN = "unknown"
_JSON = "coco or json"  # only the content says which

Sources = Annotated[
    PathsOrUris, Option("", "Sources: paths, globs, brace patterns, folders or URIs.", "INPUT", cli_type=list[str])
]
ConfigOption = Annotated[Config, Option("--config", "YAML file, or a name from configs/.", "CONFIG", cli_type=str)]


@dataclass
class LookedAt:
    """What one source is.

    pairs: their number, or that of the pairs before the damage; None if unknown. counted_all: False if there are more.
    about: what is taken for what, such as the column of the captions. read: number of pairs whose images were decoded.
    given: how many of these come with phrases, and with boxes; empty without such columns in the settings.
    examples: the first good ones: key, caption, width, height. problems: number of pairs by problem, and the first one.
    notices: lines about what may not be meant. fault: why it cannot be read, or not completely.
    """

    uri: str
    kind: str = ""
    pairs: int | None = None
    counted_all: bool = True
    about: dict[str, str] = field(default_factory=dict)
    read: int = 0
    given: dict[str, int] = field(default_factory=dict)
    examples: list[dict[str, Any]] = field(default_factory=list)
    problems: dict[str, int] = field(default_factory=dict)
    first_problems: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    fault: str = ""


def look(inputs: Sources, *, config: ConfigOption = "grit") -> dict[str, Any]:
    """Opens the first 20 sources, counts their pairs, and reads the first 100 pairs of each one with their images.

    `gritmill look --help` has each option.

    Returns:
      `sources`: a list of the fields of `LookedAt`, also for the first 20 of the other sources whose kind is unknown.
      `others`: how many more sources there are, by kind as their names say it. `left_out`: a line for each group of
      files and pictures among the inputs that are no sources.

    Raises:
      CallError: an input matches no file, or the configuration is wrong.
    """
    from pipeline.plan.find_sources import find_sources

    configuration, uris = resolve_config(config), list_paths(inputs, "inputs: the list is empty")
    left_out: list[str] = []
    infos = find_sources(uris, "INPUT", configuration.source.kind, left_out.append, configuration.source.columns)
    looked = [_look_at(info, configuration) for info in infos[:_SOURCES]]
    others = [(info, _kind_by_name(info.uri, configuration)) for info in infos[_SOURCES:]]
    unknown = [info for info, kind in others if not kind][:_SOURCES]
    looked += [_look_at(info, configuration) for info in unknown]
    kinds = Counter(kind or _UNKNOWN for _, kind in others)
    kinds[_UNKNOWN] -= len(unknown)
    return {"sources": [asdict(one) for one in looked], "others": dict(+kinds), "left_out": left_out}


def _kind_by_name(uri: str, configuration: "Configuration") -> str:
    """The kind of a source without reading it. Empty if it is unknown."""
    from pipeline import files, source_kinds
    from pipeline.faults import CallError

    if uri.endswith("/"):
        return "folder"
    if configuration.source.kind != "auto":
        return configuration.source.kind
    try:
        kind = source_kinds.kind_from_name(files.name(uri))
    except CallError:  # a package's kind cannot be imported
        return ""
    return _JSON if kind == "coco" else kind


def _look_at(info: "FileInfo", configuration: "Configuration") -> LookedAt:
    from pipeline.faults import CallError, SourceFault, first_line
    from pipeline.plan.named_columns import columns_used, tell_missing
    from pipeline.plan.plan_sources import plan_sources
    from pipeline.plan.unused_settings import unused_settings
    from pipeline.sources import fields, notices
    from transforms.filters import columns_of
    from transforms.wording import counted

    found = LookedAt(info.uri)
    try:
        [planned] = plan_sources([info], configuration)
        found.kind, found.fault = planned.kind, planned.fault
        if planned.fault:
            return found
        source = planned.open(configuration.source)
        found.about = getattr(source, "about", dict)()
        starts = [spec.start for spec in planned.ranges[:1]]
        for start in starts:
            found.notices = notices(source, start)
            words: Counter[str] = Counter()
            columns: set[str] = set()
            for pair in _read(found, source, start, configuration):
                _add(found, pair, configuration.source.annotations)
                words[pair.caption.strip()] += 1
                columns.update(() if pair.error else columns_of(pair))
            named = columns_used(configuration, planned.kind)
            found.notices += tell_missing(named, fields(source, start), columns, "the first pairs")
            unused = unused_settings(configuration, {planned.kind})
            found.notices += [f"{key} has no effect: {why}" for key, why in unused if key.startswith("source.")]
            found.notices += _unused_boxes(columns, configuration.source.annotations)
            if missing := [word for word in words if word.lower() in _NO_TEXTS]:
                number = counted(sum(words[word] for word in missing), "caption")
                cure = "filters.min_words=2 rejects captions of one word"
                found.notices.append(
                    f"{number} of the first {found.read:,} are the text {' or '.join(missing)}; {cure}"
                )
        if any(spec.pairs is None for spec in planned.ranges):
            for start in starts:
                _count(found, source, start)
        else:
            found.pairs = sum(spec.pairs or 0 for spec in planned.ranges)
    except (CallError, SourceFault) as error:
        found.fault = first_line(error)
    return found


def _unused_boxes(columns: set[str], given: "AnnotationColumns") -> "Iterator[str]":
    """A line about a column that seems to have boxes, if the settings name none."""
    if not given.boxes and (unused := sorted(columns.intersection(_BOXES))):
        name = unused[0]
        keys = f"source.columns.boxes={name} and source.boxes.format use them"
        yield f"the column {name} seems to have boxes, which are not used; {keys}"


def _count(found: LookedAt, source: "Source", start: dict[str, Any]) -> None:
    """Counts the pairs. A SourceFault leaves the number of those before the damage."""
    found.pairs = 0
    for _ in islice(source.starts(start), _COUNTED + 1):
        found.counted_all = found.pairs < _COUNTED
        found.pairs += found.counted_all


def _read(found: LookedAt, source: "Source", start: dict[str, Any], configuration: "Configuration") -> "Iterator[Pair]":
    """The first pairs with their images. A fault is noted in `found`, after the pairs before it."""
    from pipeline.faults import SourceFault, first_line
    from pipeline.ground.load_images import ImageLoader, PositionedPair

    def until_fault() -> "Iterator[PositionedPair]":
        try:  # before the loader: it reads ahead, and an exception would lose what it has read
            yield from islice(source.read(start), _READ)
        except SourceFault as fault:
            found.fault = first_line(fault)

    loader, pairs = ImageLoader(configuration.source.image_limits), until_fault()
    while group := list(islice(pairs, _AHEAD)):
        for _, pair in loader.load(group):
            yield pair


def _add(found: LookedAt, pair: "Pair", columns: "AnnotationColumns") -> None:
    from transforms.annotations.annotate import given_kinds, with_given

    found.read += 1
    if columns.names and not pair.error and pair.caption.strip():
        for kind in given_kinds(pair, columns):
            found.given[kind] = found.given.get(kind, 0) + 1
        pair = with_given(pair, columns)
    if pair.error:
        problem, detail = f"{pair.error.stage}: {pair.error.reason}", pair.error.detail
    elif not pair.caption.strip():
        problem, detail = "no_caption", ""
    else:
        if len(found.examples) < _SHOWN:
            size = {"width": pair.width, "height": pair.height}
            found.examples.append({"key": pair.key, "caption": pair.caption, **size})
        return
    found.problems[problem] = found.problems.get(problem, 0) + 1
    found.first_problems.setdefault(problem, f"{pair.key}: {detail}" if detail else pair.key)
