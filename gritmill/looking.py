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
    from transforms.records import Pair

_SOURCES = 20  # are opened; of the others only the kind is told
_READ = 100  # pairs of a source whose images are decoded
_COUNTED = 100_000  # pairs of a source that are counted if their number is not known without reading
_SHOWN = 5

Sources = Annotated[PathsOrUris, Option("", "Sources: paths, globs, folders or URIs.", "INPUT", cli_type=list[str])]
ConfigOption = Annotated[Config, Option("--config", "YAML file, or a name from configs/.", "CONFIG", cli_type=str)]


@dataclass
class LookedAt:
    """What one source is.

    pairs: their number, None if unknown. counted_all: False if there are more. about: what is taken for what, such as
    the column of the captions. read: number of pairs whose images were decoded. examples: the first good ones: key,
    caption, width, height. problems: number of pairs by problem, and the first one. fault: why it cannot be read.
    """

    uri: str
    kind: str = ""
    pairs: int | None = None
    counted_all: bool = True
    about: dict[str, str] = field(default_factory=dict)
    read: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)
    problems: dict[str, int] = field(default_factory=dict)
    first_problems: dict[str, str] = field(default_factory=dict)
    fault: str = ""


def look(inputs: Sources, *, config: ConfigOption = "grit") -> dict[str, Any]:
    """Opens the first 20 sources, counts their pairs, and reads the first 100 pairs of each one with their images.

    `gritmill look --help` has each option.

    Returns:
      `sources`: a list of the fields of `LookedAt`. `others`: how many more sources there are, by kind. `skipped`: how
      many files of the folders among the inputs are no sources, by the ending of their name.

    Raises:
      CallError: an input matches no file, or the configuration is wrong.
    """
    from pipeline.plan.find_sources import find_skipped, find_sources
    from pipeline.sources import kind_of

    configuration, uris = resolve_config(config), list_paths(inputs, "inputs: the list is empty")
    infos = find_sources(uris, "INPUT")
    looked = [_look_at(info, configuration) for info in infos[:_SOURCES]]
    others = Counter(kind_of(info.uri, configuration.source) for info in infos[_SOURCES:])
    return {"sources": [asdict(one) for one in looked], "others": dict(others), "skipped": find_skipped(uris, infos)}


def _look_at(info: "FileInfo", configuration: "Configuration") -> LookedAt:
    from pipeline.faults import CallError, SourceFault, first_line
    from pipeline.plan.plan_sources import plan_sources

    found = LookedAt(info.uri)
    try:
        [planned] = plan_sources([info], configuration)
        found.kind, found.fault = planned.kind, planned.fault
        if planned.fault:
            return found
        source = planned.open(configuration.source)
        found.about = getattr(source, "about", dict)()
        starts = [spec.start for spec in planned.ranges[:1]]
        if any(spec.pairs is None for spec in planned.ranges):
            found.pairs = sum(1 for start in starts for _ in islice(source.starts(start), _COUNTED + 1))
            found.counted_all = found.pairs <= _COUNTED
            found.pairs = min(found.pairs, _COUNTED)
        else:
            found.pairs = sum(spec.pairs or 0 for spec in planned.ranges)
        for start in starts:
            for pair in _read(source, start, configuration):
                _add(found, pair)
    except (CallError, SourceFault) as error:
        found.fault = first_line(error)
    return found


def _read(source: "Source", start: dict[str, Any], configuration: "Configuration") -> "Iterator[Pair]":
    from pipeline.ground.load_images import ImageLoader

    loader = ImageLoader(configuration.source.image_limits)
    for _, pair in loader.load(islice(source.read(start), _READ)):
        yield pair


def _add(found: LookedAt, pair: "Pair") -> None:
    found.read += 1
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
