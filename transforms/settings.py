"""The settings of the steps: `filters`, `phrases`, `decoys`, `selection`, `text`. `detector` is in `detectors/`.

Every section is frozen and rejects unknown keys. `pipeline.configuration` combines them with its own sections.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, Self, Union, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo

from transforms.conditions import Condition

Fraction = Annotated[float, Field(ge=0, le=1)]
PositiveInt = Annotated[int, Field(ge=1)]


def at_most(limit: int) -> AfterValidator:
    """Annotates a number: refuses a larger one, except in the file of an earlier run, which stays readable.

    Only for numbers with which no run can have worked, or for `Recorded` keys: a run cannot be resumed if a key of its
    fingerprint is refused.
    """

    def check(value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and value > limit and info.context != Section.READ_BACK:
            raise ValueError(f"must be at most {limit}")
        return value

    return AfterValidator(check)


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
"""One name or a list of names."""


@dataclass(frozen=True)
class LegacyValue:
    """Annotates a key that is newer than released runs: `key: Annotated[int, LegacyValue(0)] = 3`.

    value: with it, the results equal those of code without the key. It can differ from the default.
    """

    value: Any


@dataclass(frozen=True)
class Recorded:
    """Annotates a key that changes results by less than 1e-4 or not at all: `key: Annotated[int, Recorded()] = 4`.

    Fingerprints do not include it. Each chunk records its value instead.
    """


class Section(BaseModel):
    """A section of the configuration."""

    READ_BACK: ClassVar[str] = "read back"
    """The validation context for a file of an earlier run."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, protected_namespaces=())

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_booleans(cls, value: Any, info: ValidationInfo) -> Any:
        """YAML reads "yes", "no", "on" and "off" as booleans, and pydantic a boolean as the number 1 or 0."""
        if isinstance(value, bool) and info.context != cls.READ_BACK:
            annotation = cls.model_fields[info.field_name or ""].annotation
            kinds = [kind for kind in (annotation, *_inside(annotation)) if isinstance(kind, type)]
            if bool not in kinds and any(issubclass(kind, int | float) for kind in kinds):
                raise ValueError("must be a number, not yes or no")
        return value

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        for name, field in cls.model_fields.items():
            for part in _inside(field.annotation):
                if isinstance(part, LegacyValue | Recorded):
                    kind = type(part).__name__
                    raise TypeError(f"{cls.__name__}.{name}: {kind} must annotate the whole type, not a part of it")
            if not isinstance(field.default, Section) and _may_be_section(field.annotation):
                raise TypeError(f"{cls.__name__}.{name}: the default of a section must be a section")

    def fingerprint_values(self) -> dict[str, Any]:
        """The values that a fingerprint includes, as JSON.

        It leaves out `Recorded` keys, and keys that have their `LegacyValue`, so that runs of earlier releases keep
        their fingerprints.
        """
        values = self.model_dump(mode="json")
        covered = {}
        for name, field in type(self).model_fields.items():
            if _is_recorded(field):
                continue
            value = getattr(self, name)
            if isinstance(value, Section):
                values[name] = value.fingerprint_values()
                if not values[name]:  # all its keys are left out
                    continue
            if not any(values[name] == legacy for legacy in _legacy_values(field)):
                covered[name] = values[name]
        return covered

    @classmethod
    def recorded_keys(cls) -> Iterator[str]:
        """The `Recorded` keys. Keys of inner sections are `section.key`."""
        for name, field in cls.model_fields.items():
            if isinstance(field.default, Section):
                yield from (f"{name}.{key}" for key in field.default.recorded_keys())
            elif _is_recorded(field):
                yield name

    @classmethod
    def complete(cls, values: dict[str, Any]) -> dict[str, Any]:
        """This section of an earlier run's file. A missing key gets its `LegacyValue`."""
        completed = dict(values)
        for name, field in cls.model_fields.items():
            if isinstance(field.default, Section) and not field.exclude:
                completed[name] = type(field.default).complete(values.get(name) or {})
            for legacy in _legacy_values(field):
                completed.setdefault(name, legacy)
        return completed

    @classmethod
    def read_back(cls, values: dict[str, Any]) -> Self:
        """This section, validated from an earlier run's file; raises ValidationError if a value is not valid."""
        return cls.model_validate(cls.complete(values), context=cls.READ_BACK)

    def resuming(self, earlier: Self) -> Self:
        """This section for a call that resumes a run with `earlier`.

        A key that is newer than that run keeps its `LegacyValue`, unless this call sets the key.
        """
        kept: dict[str, Any] = {}
        written = earlier.model_dump(mode="json")
        for name, field in type(self).model_fields.items():
            value, old = getattr(self, name), getattr(earlier, name)
            if isinstance(value, Section):
                kept[name] = value.resuming(old)
            elif name not in self.model_fields_set and written[name] in _legacy_values(field):
                kept[name] = old
        return self.model_copy(update=kept)

    @model_validator(mode="before")
    @classmethod
    def _without_empty_sections(cls, values: Any) -> Any:
        """Removes inner sections that are None: YAML reads a section whose keys are all commented out as None."""
        if not isinstance(values, dict):
            return values
        sections = {name for name, field in cls.model_fields.items() if isinstance(field.default, Section)}
        return {key: value for key, value in values.items() if value is not None or key not in sections}


def _inside(annotation: Any) -> Iterator[Any]:
    """The parts of a type and the metadata of its inner annotations, recursively."""
    for part in (*get_args(annotation), *getattr(annotation, "__metadata__", ())):
        yield part
        yield from _inside(part)


def _may_be_section(annotation: Any) -> bool:
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    return any(isinstance(kind, type) and issubclass(kind, Section) for kind in kinds)


def _is_recorded(field: FieldInfo) -> bool:
    return any(isinstance(part, Recorded) for part in field.metadata)


def _legacy_values(field: FieldInfo) -> Iterator[Any]:
    """The legacy value of a key, as JSON. Empty for a key without a `LegacyValue`."""
    for annotation in field.metadata:
        if isinstance(annotation, LegacyValue):
            adapter: TypeAdapter[Any] = TypeAdapter(field.annotation)  # type: ignore[arg-type]
            yield adapter.dump_python(adapter.validate_python(annotation.value), mode="json")


def _check_condition(text: str) -> str:
    Condition.parse(text)
    return text


def _check_file(value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise ValueError("the empty text names no file; write the path of a file of hashes, or remove the key")
    return value


class FilterSettings(Section):
    """`filters`: which pairs are rejected before the models process them; and exact duplicates, which `pack` finds."""

    min_side: Annotated[PositiveInt | None, LegacyValue(None)] = Field(
        None, description="Minimum of the shorter side of the upright image, in pixels."
    )
    max_aspect: Annotated[float | None, Field(ge=1, allow_inf_nan=False), LegacyValue(None)] = Field(
        None, description="Maximum of longer side / shorter side."
    )
    min_words: Annotated[PositiveInt | None, LegacyValue(None)] = Field(None, description="Words of the caption.")
    max_words: Annotated[PositiveInt | None, LegacyValue(None)] = None
    where: Annotated[
        tuple[Annotated[str, AfterValidator(_check_condition)], ...], BeforeValidator(_as_tuple), LegacyValue(())
    ] = Field((), description="Conditions on columns of the source, which must all be true: punsafe < 0.5")
    missing: Annotated[Literal["drop", "keep"], LegacyValue("drop")] = Field(
        "drop", description="What happens to a pair if a value that a condition needs is missing or has another type."
    )
    duplicates: Annotated[Literal["exact", "near"] | None, LegacyValue(None)] = Field(
        None,
        description="exact: `pack` rejects pairs with the image bytes and the caption of an earlier pair. near: "
        "`ground` rejects pairs whose image looks like an earlier one.",
    )
    exclude_hashes: Annotated[str | None, AfterValidator(_check_file), LegacyValue(None)] = Field(
        None, description="A file with one pHash per line. Images that look like one of them are rejected."
    )

    @property
    def needs_hashes(self) -> bool:
        """Whether `ground` hashes all images before it runs a model."""
        return self.duplicates == "near" or self.exclude_hashes is not None

    @model_validator(mode="after")
    def _possible(self) -> "FilterSettings":
        if self.min_words and self.max_words and self.min_words > self.max_words:
            raise ValueError(f"min_words {self.min_words} is larger than max_words {self.max_words}")
        return self


Ask = Literal["chunk", "expression", "head"]


class PhraseSettings(Section):
    """`phrases`: how noun phrases and referring expressions are found."""

    model: str = Field(
        "caption-parser", description="A spaCy pipeline with a parser: an embedded model, a package name or a folder."
    )
    drop_lists: Names = Field(
        ("abstract_published", "abstract_extended", "pronoun", "picture"),
        description="Lists in transforms/phrases/drop_lists.yaml; phrases with these heads are dropped.",
    )
    drop_in_context: Annotated[Names, LegacyValue(())] = Field(
        ("picture_opener", "picture_place", "picture_always", "abstract_sense", "abstract_idiom"),
        description="Lists in transforms/phrases/drop_in_context.yaml: heads that are dropped only in some contexts.",
    )
    measures: Annotated[Names, LegacyValue(())] = Field(
        ("number", "portion", "group", "kind"),
        description='Lists in transforms/phrases/measures.yaml: the head of "a group of people" is "people".',
    )
    borders: Annotated[Literal["corrected", "parsed"], LegacyValue("parsed")] = Field(
        "corrected", description="parsed: noun chunks as the parser gives them, cut only at separators."
    )
    ask: Annotated[Ask, LegacyValue("chunk")] = Field(
        "chunk", description="What the detector looks for: the noun phrase, its referring expression, or its head."
    )
    claims: Annotated[bool, LegacyValue(False)] = Field(
        True,
        description="Whether counts, relations and ranks are read from captions, only from English ones. What a "
        "caption says is not there is then no phrase.",
    )
    languages: Names = Field(
        (), description="ISO 639 codes. Captions that are surely in another language are rejected. Empty: no check."
    )


class DecoySettings(Section):
    """`decoys`: phrases of other captions that the detector is asked for, too. They should find nothing."""

    number: Annotated[int, Field(ge=0, le=20), LegacyValue(0)] = Field(
        0, description="Decoys of a pair, in the table `decoys/`; 0: none. A threshold without labels needs them."
    )


ClaimRule = Literal["keep", "drop_contradicted"]


class SelectionSettings(Section):
    """`selection`: which candidates become boxes of the data set. Sides and areas are fractions of the image's."""

    score: Fraction | None = Field(None, description="Minimum score; default: the detector's own threshold.")
    nms_iou: Fraction = Field(
        0.7, description="Of two boxes with a larger IoU, the one with the lower score is removed, across phrases."
    )
    min_side: Fraction = 0.0
    min_area: Fraction = 0.0
    max_area: Fraction = 1.0
    boxes_per_phrase: PositiveInt | None = None
    boxes_per_pair: PositiveInt | None = None
    ambiguous_phrases: Annotated[Literal["drop", "first"], LegacyValue("first")] = Field(
        "drop", description='None or the first phrase gets the boxes of "a dog on the left and a dog on the right".'
    )
    groups: Annotated[Literal["keep", "drop"], LegacyValue("keep")] = Field(
        "keep", description="drop: without boxes that cover two or more smaller boxes of their phrase by 80 %."
    )
    claims: Annotated[ClaimRule, LegacyValue("keep")] = Field(
        "keep",
        description="drop_contradicted: without pairs whose boxes contradict a relation or a rank of the caption.",
    )
    count_claims: Annotated[ClaimRule, LegacyValue("keep")] = Field(
        "keep", description="drop_contradicted: without pairs whose boxes contradict a count of the caption."
    )

    @model_validator(mode="after")
    def _possible(self) -> "SelectionSettings":
        if self.min_area > self.max_area:
            raise ValueError(f"min_area {self.min_area:g} is larger than max_area {self.max_area:g}")
        return self


class TextSettings(Section):
    """`text`: how the grounded text is written."""

    dialect: Names = Field(("kosmos2",), min_length=1, description="The first one is written to .grounded.txt.")
    spans: Literal["longest", "densest"] = "longest"

    @model_validator(mode="after")
    def _distinct(self) -> "TextSettings":
        names = [name.replace(":", "-") for name in self.dialect]
        if len(set(names)) < len(names):
            raise ValueError(f"dialect: {', '.join(self.dialect)}: two of these would write members with the same name")
        return self
