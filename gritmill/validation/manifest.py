"""The models of the manifest and of stats: the keys that are checked, each with its type."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, StringConstraints

_Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    """A part of the manifest. Other keys are ignored."""

    model_config = ConfigDict(strict=True)


class Claims(_Part):
    """An item of `claims`."""

    kind: str
    predicate: str
    number: NonNegativeInt
    supported: NonNegativeInt
    contradicted: NonNegativeInt
    undecided: NonNegativeInt


class Sheet(_Part):
    """The content of `truth_sheet`."""

    group_boxes: NonNegativeInt
    counted_phrases: NonNegativeInt
    exact_phrases: NonNegativeInt
    stated: NonNegativeInt
    phrases_found: NonNegativeInt
    phrase_boxes: NonNegativeInt
    agreed: NonNegativeInt
    extra: NonNegativeInt
    decoys: NonNegativeInt
    decoy_pairs: NonNegativeInt
    decoys_found: NonNegativeInt
    decoy_boxes: NonNegativeInt
    absent: NonNegativeInt
    rules: NonNegativeInt


class GivenBoxes(_Part):
    """The content of `given_boxes`."""

    pairs: NonNegativeInt
    boxes: NonNegativeInt


class Sums(_Part):
    """Sums over records. The sheet of an earlier version is not known."""

    claims: list[Claims] = Field(default_factory=list)
    truth_sheet: Sheet | None = None
    given_boxes: GivenBoxes | None = None


class Numbers(_Part):
    """What the manifest repeats of the stats."""

    samples: NonNegativeInt = Field(alias="successes")
    boxes: NonNegativeInt
    bytes: NonNegativeInt
    sha256: _Sha256
    index_sha256: _Sha256


class Stats(Numbers, Sums):
    """The stats of a shard."""


class Shard(Numbers):
    """An item of `shards`."""

    # These paths are opened, so they must not lead out of the folder.
    tar: Annotated[str, StringConstraints(pattern=r"^shards/\d{5}\.tar$")]
    index: Annotated[str, StringConstraints(pattern=r"^shards/\d{5}\.parquet$")]
    samples: NonNegativeInt


class Ledger(_Part):
    """The ledger."""

    read: NonNegativeInt
    written: NonNegativeInt
    rejected: dict[str, NonNegativeInt]
    failed: dict[str, dict[str, NonNegativeInt]]


class Columns(_Part):
    """Columns of the source."""

    boxes: list[str] = Field(default_factory=list)


class Source(_Part):
    """The section `source` of the configuration."""

    max_pixels: PositiveInt
    max_scans: PositiveInt | None = None
    columns: Columns = Field(default_factory=Columns)


class Text(_Part):
    """The section `text` of the configuration."""

    dialect: list[str]
    spans: Literal["longest", "densest"]


class Configuration(_Part):
    """The configuration."""

    source: Source
    text: Text


class Manifest(Sums):
    """The manifest."""

    format: Literal[1]
    ledger: Ledger
    shards: list[Shard]
    claim_rules: NonNegativeInt = 0
    configuration: Configuration
