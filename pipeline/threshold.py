"""The default score threshold. It depends on the detector and on the settings that change scores, not on the method.

The 0.65 of Kosmos-2 is a threshold for GLIP. A default that was not measured is marked as such, also in the manifest.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.configuration import Configuration
from pipeline.faults import CallError, first_line
from transforms import bundled
from transforms.detectors.family import Family
from transforms.detectors.load import find_family
from transforms.settings import PhraseSettings, SelectionSettings
from transforms.wording import listed

SIDECAR = "gritmill.json"
"""A file in a model's folder: {"score": {"mean": 0.4}, "measured": "on what, with what result"}.

"settings", which may be absent: by key (`detector.short_side`, `phrases.ask`), the value with which it was measured, or
a list of values. A key that is absent had its default. Half precision and `detector.decode: fast` are settings of their
own: they move single scores, although figures over a set hardly change (docs/performance.md).
"""

_NOT_COMPARED = ("model", "revision", "floor", "span_score")
"""Keys of `detector`. The sidecar has a score for each `span_score`; `active_threshold` has the floor. Keys that are
`Recorded` change scores by less than 1e-4."""

_SPAN_SCORE = "detector.span_score"
_DEFAULT = "the detector's default"
_SET = "as set in the configuration"


@dataclass(frozen=True)
class Threshold:
    """A score threshold, whether it was measured for this detector with these settings, and where it comes from.

    source: if it was measured, on what; otherwise a text that is complete. Show `origin`.
    """

    score: float
    measured: bool
    source: str

    @property
    def origin(self) -> str:
        """Where the score comes from, and whether it was measured, as text."""
        return f"{_DEFAULT}, measured on {self.source}" if self.measured else self.source

    @property
    def line(self) -> str:
        """The score and its origin."""
        return f"{self.score:g}: {self.origin}"


def default_threshold(configuration: Configuration) -> Threshold:
    """The default of a detector: the value in its sidecar file, else the guess of its family, which is not measured.

    A value that was measured with other settings is the default, too, but is not called measured.

    Raises:
      CallError: the sidecar file is invalid. ValueError, OSError: as for `find_family`.
    """
    settings = configuration.detector
    family = find_family(settings)
    sidecar = Path(bundled.model_path(settings.model)).expanduser() / SIDECAR
    if not sidecar.is_file():
        return Threshold(family.score, False, "a guess, not measured for this detector")
    try:
        content = json.loads(sidecar.read_text("utf-8"), object_pairs_hook=_distinct)
        return _measured_threshold(content, configuration, family)
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        problem = f"{type(error).__name__}: {first_line(error)}"
        raise CallError(f"{sidecar}: not a score threshold: {problem}; correct it or remove it") from error


def _distinct(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Raises ValueError if a name is there twice."""
    values: dict[str, Any] = {}
    for name, value in members:
        if name in values:
            raise ValueError(f"{name} is set twice")
        values[name] = value
    return values


def _measured_threshold(sidecar: dict[str, Any], configuration: Configuration, family: Family[Any]) -> Threshold:
    """The threshold that the content of a sidecar file gives with these settings."""
    scores, stated = {**sidecar["score"]}, {**sidecar.get("settings", {})}
    measured = " ".join(str(sidecar["measured"]).split())
    used = _scored_settings(configuration, family)
    if unknown := stated.keys() - used.keys():
        raise ValueError(f"settings: {listed(sorted(unknown))}: must be of {listed(sorted(used))}")
    tried = {key: [default] for key, (_, default) in used.items()}
    tried |= {key: value if isinstance(value, list) else [value] for key, value in stated.items()}
    values = {key: value for key, (value, _) in used.items()}
    tried[_SPAN_SCORE], values[_SPAN_SCORE] = list(scores), configuration.detector.span_score
    others = [
        f"{key} {listed(value)} (measured with {_shown(tried[key])})"
        for key, value in values.items()
        if listed(value) not in map(listed, tried[key])
    ]
    known = values[_SPAN_SCORE] in scores
    score = float(scores[values[_SPAN_SCORE]]) if known else family.score
    if not 0 <= score <= 1:
        raise ValueError(f"{score:g} is not in 0..1")
    if others:
        return Threshold(score, False, f"{_DEFAULT if known else 'a guess'}, not measured with {', '.join(others)}")
    return Threshold(score, True, measured)


def _shown(values: list[Any]) -> str:
    """The values of a measurement, as text; of several, without None, which stands for another one of them."""
    return " or ".join(listed(value) for value in values if value is not None) or listed(values[0])


def _scored_settings(configuration: Configuration, family: Family[Any]) -> dict[str, tuple[Any, Any]]:
    """The settings that change scores, by key: each value and its default, as JSON."""
    own = family.take(configuration.detector)
    left_out = {*_NOT_COMPARED, *own.recorded_keys()}
    defaults = type(own).model_construct().model_dump(mode="json")
    values = own.model_dump(mode="json", exclude=left_out)
    used = {f"detector.{key}": (value, defaults.get(key)) for key, value in values.items()}
    return used | {"phrases.ask": (configuration.phrases.ask, PhraseSettings().ask)}


def active_threshold(selection: SelectionSettings, default: Threshold, floor: float) -> Threshold:
    """The active threshold: as set, else the detector's default. floor: the `detector.floor` of the candidates."""
    chosen = default
    if selection.score is not None:
        chosen = Threshold(selection.score, False, _SET)
    if chosen.score >= floor:
        return chosen
    source = _DEFAULT if chosen.measured else chosen.source
    return Threshold(chosen.score, False, f"{source}; ground kept no box below {floor:g}, its detector.floor")


def on_given_boxes(threshold: Threshold, are_all: bool, selection: SelectionSettings) -> Threshold:
    """The active threshold of data with boxes of the source, which the detector has not scored: it was not measured on
    them. are_all: whether there are no others."""
    if are_all:
        source = f"{_DEFAULT}, not measured on boxes of the source" if selection.score is None else _SET
        return Threshold(threshold.score, False, source)
    if not threshold.measured:
        return threshold
    return Threshold(threshold.score, True, f"{threshold.source}; not measured on the boxes of the source")
