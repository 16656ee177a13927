"""The configuration: a YAML file, or the name of one in `configs/`, with `section.key=value` changes.

All values are checked before a run starts. An error is one line that names the key.
"""

import codecs
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, ByteSize, Field, ValidationError, model_validator

from pipeline import plain_yaml, source_kinds
from pipeline.faults import CallError, short_repr
from transforms import bundled
from transforms.annotations.columns import AnnotationColumns, BoxFormat, BoxUnit
from transforms.claims.verdicts import rules_version
from transforms.detectors.settings import DetectorSettings
from transforms.images import MAX_PIXELS, MAX_SCANS, ImageLimits
from transforms.settings import (
    DecoySettings,
    FilterSettings,
    LegacyValue,
    Names,
    PhraseSettings,
    PositiveInt,
    Section,
    SelectionSettings,
    TextSettings,
)
from transforms.wording import closest, listed, suggestion, what_it_takes


def _check_kind(value: str) -> str:
    names = ["auto", *source_kinds.names()]
    if value not in names:
        raise ValueError(f"no such kind; {suggestion(value, names)}")
    return value


def _check_delimiter(value: str) -> str:
    value = {"tab": "\t", "\\t": "\t"}.get(value, value)
    if len(value) > 1 or value in ('"', "\r", "\n"):
        raise ValueError('not one character; use for example ";" or "tab"')
    return value


def _split(value: object) -> object:
    return [name.strip() for name in value.split(",")] if isinstance(value, str) else value


def _check_encoding(value: str) -> str:
    """Refuses encodings that cannot be decoded piece by piece, or with an error handler: idna, punycode, base64."""
    line = "a,b\n"
    try:
        decoder = codecs.getincrementaldecoder(value or "utf-8")("surrogateescape")
        decoded = [decoder.decode(bytes([byte])) for byte in line.encode(value or "utf-8")]
        usable = "".join([*decoded, decoder.decode(b"", True)]) == line
    except (LookupError, ValueError):
        usable = False
    if not usable:
        raise ValueError("no encoding of text files; use a name that Python knows, for example latin-1 or utf-16-le")
    return value


class ColumnSettings(Section):
    """`source.columns`: names of columns or JSON fields. The first listed name that exists is used."""

    caption: Names = ("caption", "captions", "text", "TEXT", "sentence", "title")
    image: Names = ("image", "jpg", "image_path", "file", "file_name", "filename", "filepath", "path", "image_file")
    url: Names = ("url", "URL", "image_url", "coco_url", "flickr_url")
    id: Names = ("id", "image_id")
    key: Names = ("key", "__key__")
    phrases: Annotated[Names, LegacyValue(())] = Field(
        (), description="Phrases of the caption, as texts or offsets. A parser finds those of other rows."
    )
    expressions: Annotated[Names, LegacyValue(())] = Field(
        (), description="The referring expression of each phrase, as offsets or texts."
    )
    heads: Annotated[Names, LegacyValue(())] = Field((), description="The head of each phrase, as offsets.")
    boxes: Annotated[Names, LegacyValue(())] = Field(
        (), description="Boxes, with labels or offsets. The detector finds those of other rows."
    )


def _check_extensions(values: tuple[str, ...]) -> tuple[str, ...]:
    extensions = tuple(value.removeprefix(".").lower() for value in values)
    if not all(extensions) or any("/" in extension for extension in extensions):
        raise ValueError("not the end of a member's name, such as input.jpg")
    return extensions


_Extensions = Annotated[Names, AfterValidator(_check_extensions), LegacyValue(())]


class MemberSettings(Section):
    """`source.members`: the members of a tar that are a sample. Of several listed extensions, a sample uses the first
    one that it has. An empty list means the usual extensions."""

    image: _Extensions = Field((), description="Extensions of the image, such as input.jpg.")
    caption: _Extensions = Field((), description="Extensions of the text with the caption, such as output.txt.")
    metadata: _Extensions = Field((), description="Extensions of the JSON file, such as meta.json.")
    key_end: Annotated[Literal["first_dot", "last_dot"], LegacyValue("first_dot")] = Field(
        "first_dot", description="Where the key ends in a name. first_dot: as in webdataset."
    )

    @model_validator(mode="after")
    def _consistent(self) -> "MemberSettings":
        extensions = [*self.image, *self.caption, *self.metadata]
        if twice := next((one for one in extensions if extensions.count(one) > 1), None):
            raise ValueError(f"{twice} is listed twice")
        if json := next((one for one in self.caption if one.rpartition(".")[2] == "json"), None):
            raise ValueError(
                f"{json} is JSON; list it in source.members.metadata, and its field in source.columns.caption"
            )
        return self


class BoxSettings(Section):
    """`source.boxes`: how the boxes in the column `source.columns.boxes` are written."""

    format: Annotated[BoxFormat | None, LegacyValue(None)] = Field(
        None, description="Corners, corner and size, or centre and size. grit: rows of GRIT, always in fractions."
    )
    unit: Annotated[BoxUnit, LegacyValue("pixels")] = Field(
        "pixels", description="fractions: of the image's sides. thousandths: 0 to 1000."
    )


class SourceSettings(Section):
    """`source`: how the input is read."""

    kind: Annotated[str, AfterValidator(_check_kind)] = Field("auto", description="auto: detected from the file name.")
    columns: ColumnSettings = ColumnSettings()
    members: MemberSettings = MemberSettings()
    boxes: BoxSettings = BoxSettings()
    image_root: str | None = Field(None, description="Base of image paths; default: folder of the file with the paths.")
    max_pixels: PositiveInt = Field(MAX_PIXELS, description="Larger images fail before they are decoded.")
    max_scans: Annotated[PositiveInt | None, LegacyValue(None)] = Field(
        MAX_SCANS, description="A JPEG with more scans fails before it is decoded. Empty: no limit."
    )
    quoting: Literal["quotes", "none"] = Field("quotes", description="none: quotes in CSV and TSV are plain text.")
    delimiter: Annotated[str, AfterValidator(_check_delimiter), LegacyValue("")] = Field(
        "", description="Between the cells of CSV and TSV; default: as the suffix and the first line say."
    )
    header: Annotated[Names, BeforeValidator(_split), LegacyValue(())] = Field(
        (), description="Columns of a CSV or TSV without a header line, separated by commas, or a list."
    )
    encoding: Annotated[str, AfterValidator(_check_encoding), LegacyValue("")] = Field(
        "", description="Of text tables; default: UTF-8, or UTF-16 and UTF-32 by their byte-order mark."
    )

    @property
    def image_limits(self) -> ImageLimits:
        """The limits for `transforms.images`."""
        return ImageLimits(self.max_pixels, self.max_scans)

    @property
    def annotations(self) -> AnnotationColumns:
        """The columns with phrases and boxes, for `transforms.annotations`."""
        columns = self.columns
        return AnnotationColumns(
            columns.phrases, columns.expressions, columns.heads, columns.boxes, self.boxes.format, self.boxes.unit
        )

    @model_validator(mode="after")
    def _boxes_have_a_format(self) -> "SourceSettings":
        columns = self.columns
        if (columns.expressions or columns.heads) and not (columns.phrases or columns.boxes):
            raise ValueError("columns.expressions and columns.heads need columns.phrases or columns.boxes")
        if self.boxes.format and not columns.boxes:
            raise ValueError("boxes.format is set, so columns.boxes must be, too; it names the column with boxes")
        if columns.boxes and self.boxes.format is None:
            raise ValueError(
                f"columns.boxes is set, so boxes.format must be, too; use one of {listed(get_args(BoxFormat))}"
            )
        return self


class ChunkSettings(Section):
    """`chunk`: the unit of reading, commit and resume. A worker has three chunks in memory.

    Neither has an upper limit: whoever wants only one of them sets the other to a number that is never reached.
    """

    pairs: PositiveInt = 256
    bytes: Annotated[ByteSize, Field(ge=1)] = ByteSize(128 << 20)


class StageSettings(Section):
    """`stages`: additional stages of `ground`. Each stage has its own table."""

    factories: Annotated[Names, LegacyValue(())] = Field((), description="package.module:factory of each custom stage.")


class ShardSettings(Section):
    """`shards`: the size of the output files."""

    pairs: Annotated[int, Field(ge=1, le=10_000)] = Field(10_000, description="The pair has four digits in a key.")
    bytes: Annotated[ByteSize, Field(ge=1)] = Field(ByteSize(1 << 30), description="Size of the encoded source images.")


class EngineSettings(Section):
    """`engine`: how long a call waits for an engine on other machines. No result depends on it, so no file of a run
    records it."""

    stall_minutes: Annotated[float, Field(gt=0)] = Field(
        15.0, description="A job of which no worker has done anything for so long is cancelled."
    )
    start_minutes: Annotated[float, Field(gt=0)] = Field(
        30.0, description="A job of which no worker has started after so long is cancelled."
    )


class Configuration(Section):
    """All sections."""

    source: SourceSettings = SourceSettings()
    filters: FilterSettings = FilterSettings()
    chunk: ChunkSettings = ChunkSettings()
    phrases: PhraseSettings = PhraseSettings()
    detector: DetectorSettings = DetectorSettings()
    decoys: DecoySettings = DecoySettings()
    stages: StageSettings = StageSettings()
    selection: SelectionSettings = SelectionSettings()
    text: TextSettings = TextSettings()
    shards: ShardSettings = ShardSettings()
    engine: EngineSettings = Field(EngineSettings(), exclude=True)

    @property
    def claim_rules(self) -> int:
        """The version of the rules that check the claims of a run; 0: it reads none."""
        return rules_version(bool(self.source.columns.boxes)) if self.phrases.claims else 0

    def check_precision(self) -> None:
        """Raises CallError for a precision that the processor lacks, if that is known before torch is imported."""
        from transforms.detectors.load import check_precision_early

        try:
            check_precision_early(self.detector)
        except ValueError as error:
            raise CallError(str(error)) from error

    def packed_with(self, other: "Configuration") -> "Configuration":
        """This configuration with all keys of `pack` from another one. Whether duplicates are `near` belongs to
        `ground`, so it never changes. A key that is newer than this run keeps its `LegacyValue` unless it is set."""
        update = {name: getattr(other, name).resuming(getattr(self, name)) for name in PACK_SECTIONS}
        own, given = self.filters.duplicates, other.filters.duplicates
        duplicates = own if "near" in (own, given) else given
        update["filters"] = self.filters.model_copy(update={"duplicates": duplicates})
        return self.model_copy(update=update)


GROUND_SECTIONS = ("source", "filters", "chunk", "phrases", "detector")
PACK_SECTIONS = ("selection", "text", "shards")
"""The sections that affect the results of `ground`, and those that affect the results of `pack`. Decoys and
custom stages have fingerprints of their own, so `decoys` and `stages` are in neither."""

PACK_KEYS = ("filters.duplicates",)
"""Keys in sections of `ground` that affect only the results of `pack`, except `filters.duplicates` with `near`."""


def belongs_to_pack(key: str) -> bool:
    """Whether a key such as `text.spans` affects only the results of `pack`."""
    return key in PACK_KEYS or key.partition(".")[0] in PACK_SECTIONS


def load(name: str = "grit", changes: Iterable[str] = ()) -> Configuration:
    """Loads a configuration and applies `section.key=value` changes.

    Args:
      name: a path, or a name in `configs/`.

    Raises:
      CallError: the file does not exist or is not YAML, a key is unknown, or a value is invalid.
    """
    path = find(name)
    try:
        values = plain_yaml.parse(path.read_text("utf-8")) or {}
    except UnicodeDecodeError as error:
        raise CallError(f"{path}: not UTF-8") from error
    except plain_yaml.Refused as error:
        raise CallError(f"{path}{f':{error.line}' if error.line else ''}: {error}") from error
    if not isinstance(values, dict):
        raise CallError(f"{path}: not a mapping of sections")
    given: dict[str, Any] = {}
    for change in changes:
        keys, value = _parse_change(change)
        if keys[-1] in _section_of(given, keys):
            raise CallError(f"--set: {'.'.join(keys)} is given twice; remove one (a list is written [A, B])")
        for mapping in (given, values):
            _section_of(mapping, keys)[keys[-1]] = value
    return validate(values)


def validate(values: dict[str, Any]) -> Configuration:
    """Builds a configuration from a nested mapping. Raises CallError, which names the first invalid key."""
    try:
        return Configuration.model_validate(values)
    except ValidationError as error:
        raise CallError(_message(error)) from error


def find(name: str, source_option: str = "--input") -> Path:
    """The file of a configuration. `name` is a path, or a name in `configs/`. Raises CallError if it does not exist.

    source_option: the option that takes sources, for the message if `name` is a source.
    """
    path = Path(name)
    if path.suffix not in (".yaml", ".yml") and source_kinds.kind_from_name(name):
        raise _source_as_config(name, source_option)
    if path.suffix in (".yaml", ".yml") or "/" in name:
        if path.is_dir():
            raise _source_as_config(name, source_option)
        if not path.is_file():
            raise CallError(f"CONFIG: {name}: no such file")
        return path
    folder = bundled.folder("configs")
    if (folder / f"{name}.yaml").is_file():
        return folder / f"{name}.yaml"
    if path.is_dir():
        raise _source_as_config(name, source_option)
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    close = closest(name, names)
    known = f"did you mean {close}?" if close else f"use one of {listed(names)}, or a path to a .yaml file"
    raise CallError(f"CONFIG: {name}: no such configuration; {known}")


def _source_as_config(name: str, option: str) -> CallError:
    return CallError(f"CONFIG: {name}: not a configuration; did you mean {option} {name}?")


def _parse_change(change: str) -> tuple[list[str], Any]:
    """The parts of the key and the value of `section.key=value`. Blanks around them do not count."""
    name, equals, text = change.partition("=")
    keys = [part.strip() for part in name.split(".")]
    example = "write section.key=value, such as selection.score=0.4"
    if not equals:
        raise CallError(f"--set: {short_repr(change)} has no =; {example}")
    if not all(keys):
        problem = "has a key with an empty part" if name.strip() else "has no key before the ="
        raise CallError(f"--set: {short_repr(change)} {problem}; {example}")
    try:
        return keys, plain_yaml.parse(text)
    except plain_yaml.Refused as error:
        raise CallError(f"--set: {'.'.join(keys)}: {short_repr(text)}: {error}") from error


def _section_of(values: dict[str, Any], keys: list[str]) -> dict[str, Any]:
    """The mapping that has the last of the keys. Sections that are missing are added."""
    for section in keys[:-1]:
        if values.get(section) is None:
            values[section] = {}
        values = values[section]
        if not isinstance(values, dict):
            raise CallError(f"--set: {'.'.join(keys)}: {section} is not a section")
    return values


def _message(error: ValidationError) -> str:
    first = error.errors()[0]
    # pydantic adds list indices to the location, but a user can only search the file for keys.
    path = [str(part) for part in first["loc"] if not isinstance(part, int)] or [str(part) for part in first["loc"]]
    key = ".".join(path)
    if first["type"] == "extra_forbidden":
        similar = closest(path[-1], _keys_of(path[:-1]))
        close = [".".join([*path[:-1], similar])] if similar else []
        close = [f"{section}.{path[-1]}" for section in _keys_of([]) if path[-1] in _keys_of([section])] or close
        hint = f"; did you mean {close[0]}?" if close else ""
        return f"configuration: {key}: no such key{hint}"
    given = first["input"]
    # A list without brackets, but not where a list itself is wrong.
    is_list = isinstance(given, list | tuple) and first["type"] in ("value_error", "too_short", "too_long")
    shown = "empty" if given is None else listed(given) if is_list else short_repr(given)
    shown = shown if len(shown) <= 100 else short_repr(given)
    value = "" if isinstance(given, dict) else f" {shown}:"
    return f"configuration: {key}:{value} {what_it_takes(first)}"


def _keys_of(path: list[str]) -> list[str]:
    model: Any = Configuration
    for part in path:
        model = model.model_fields[part].annotation
    return list(getattr(model, "model_fields", {}))
