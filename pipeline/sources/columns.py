"""The columns of a table that are used, found by their names."""

import shlex
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pipeline import files
from pipeline.configuration import ColumnSettings
from pipeline.faults import CallError, SourceFault
from transforms.wording import closest

_FURTHER_NAMES = {
    "caption": ("sentences", "conversations", "comment", "alt_text", "txt"),
    "image": ("image_name", "images", "img", "jpeg", "png", "webp"),
}
"""Columns of Karpathy's splits, LLaVA, Flickr30k and others, which are used if there is none of the default names. The
columns of img2dataset's parquet, and of tars that Hugging Face's `datasets` loads, are called as members of tars."""

OF_IMG2DATASET = {"key", "status"}
"""Columns that are in each table of img2dataset."""

_SHOWN, _MOST = 60, 40  # characters of a name, and names, in a message
_LOOK = 16  # rows of JSON whose fields are looked up


@dataclass(frozen=True)
class Fields:
    """The names of columns or JSON fields that a source is known to have before it is read.

    used: what those have that are used as "captions" or "images". all_known: whether it has no others.
    """

    names: Collection[str]
    used: Mapping[str, str]
    all_known: bool = False

    @classmethod
    def of_samples(cls, samples: Iterable[tuple[dict[str, Any], bool]], requested: ColumnSettings) -> "Fields":
        """The fields of the JSON of the first samples. A sample: its JSON, and whether its caption is elsewhere."""
        names: dict[str, None] = {}
        used: dict[str, str] = {}
        with suppress(SourceFault):
            for row, has_text in islice(samples, _LOOK):
                names |= dict.fromkeys(row)
                captions = () if has_text else (name for name in requested.caption if name in row)
                used |= dict.fromkeys(islice(captions, 1), "captions")
        return cls(names, used)


NO_FIELDS = Fields((), {})
"""Nothing is known."""


@dataclass(frozen=True)
class Columns:
    """The columns of a table that are used. A missing column is ""."""

    caption: str
    image: str
    url: str = ""
    id: str = ""
    key: str = ""

    @classmethod
    def pick(cls, available: Collection[str], requested: ColumnSettings, uri: str) -> "Columns":
        """Picks the first available name per column. Raises CallError if there is no caption or no image column."""
        columns = cls(**{role: cls._first(available, requested, role) for role in vars(cls("", ""))})
        for role in ("caption", "image"):
            if not getattr(columns, role):
                raise CallError(
                    f"source.columns.{role}: {uri} {columns._explain_missing(role, available, requested, uri)}"
                )
        return columns

    @classmethod
    def fit(cls, available: Collection[str], requested: ColumnSettings) -> bool:
        """Whether there are a caption and an image column."""
        return all(cls._first(available, requested, role) for role in ("caption", "image"))

    @classmethod
    def name_of(cls, role: str, available: Collection[str], requested: ColumnSettings) -> str:
        """The column that is used as "caption", "image", …; "" if there is none."""
        return cls._first(available, requested, role)

    @classmethod
    def has_image(cls, available: Collection[str], requested: ColumnSettings) -> bool:
        """Whether there is an image column."""
        return bool(cls._first(available, requested, "image"))

    @classmethod
    def knows(cls, available: Collection[str], requested: ColumnSettings) -> bool:
        """Whether one of the columns is there."""
        return any(cls._first(available, requested, role) for role in vars(cls("", "")))

    @staticmethod
    def _first(available: Collection[str], requested: ColumnSettings, role: str) -> str:
        names: tuple[str, ...] = getattr(requested, role)
        further = _FURTHER_NAMES.get(role, ()) if names == getattr(ColumnSettings(), role) else ()
        found = next((name for name in (*names, *further) if name in available), "")
        if found or not further:
            return found
        by_folded = {name.casefold(): name for name in reversed(list(available))}  # `Image`, as in Excel
        return next((by_folded[name] for name in (*names, *further) if name in by_folded), "")

    def _explain_missing(self, role: str, available: Collection[str], requested: ColumnSettings, uri: str) -> str:
        names = getattr(requested, role)
        is_usual = names == getattr(ColumnSettings(), role)
        if role == "image" and self.url and is_usual:
            cure = how_to_download(uri, self.url, self.caption)
            if OF_IMG2DATASET.issubset(available):
                beside = f"--input {shlex.quote(files.parent(uri))}"
                cure = f"if img2dataset has written it beside its images, use {beside}; else {cure}"
            return f"lists URLs, in the column {self.url}; {cure}"
        cure = "; set source.columns.caption=tags to use the tags" if role == "caption" and "tags" in available else ""
        meant = "" if is_usual else did_you_mean(names, available)
        return f"has no column {' or '.join(names)}; it has {shown_names(available)}{meant}{cure}"


def shown_names(names: Collection[str]) -> str:
    """Names of columns, for a message."""
    shown = [name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…" for name in islice(names, _MOST)]
    return f"{', '.join(shown) or 'none'}{', …' if len(names) > _MOST else ''}"


def did_you_mean(names: Iterable[str], available: Collection[str]) -> str:
    """The end of a message about columns that do not exist: one that may have been meant. Empty if none is similar."""
    meant = next(filter(None, (closest(name, available) for name in names)), "")
    return f"; did you mean {meant}?" if meant else ""


def how_to_download(uri: str, url: str, caption: str) -> str:
    """The cure for a table of URLs. url, caption: names of its columns."""
    suffixes = files.name(uri).lower().split(".")[1:]
    kind = ".".join(suffixes[-2:] if suffixes[-1:] == ["gz"] else suffixes[-1:])
    words = ("img2dataset", "--url_list", uri, "--input_format", kind, "--url_col", url, "--caption_col", caption)
    command = shlex.join([*words, "--output_format", "webdataset", "--output_folder", "DIR"])
    return f"download the images first, for example: {command}"
