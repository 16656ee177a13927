"""The small Python API: the same as the command line, with Python values."""

import warnings
from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from typing import Any

from pipeline import configuration as configurations
from pipeline import files
from pipeline.configuration import Configuration
from pipeline.faults import CallError
from pipeline.files.lock import hold
from pipeline.ground import retry
from pipeline.ground.driver import ground as _ground
from pipeline.ground.options import GroundOptions
from pipeline.pack.driver import check_dialects, check_ground_settings, find_detections
from pipeline.pack.driver import pack as _pack
from pipeline.pack.options import PackOptions
from pipeline.pack.report import PAGE_NAME, is_reported, write_report
from pipeline.plan.plan import Plan, read_plan
from transforms import bundled
from transforms.records import EVERY_REASON
from transforms.text import dialects
from transforms.text.grounded_caption import CannotCarry, GroundedCaption, Span

PathOrUri = str | PathLike[str]
"""A local path or a URI."""

PathsOrUris = PathOrUri | Sequence[PathOrUri]

Config = str | Configuration | Mapping[str, Any]
"""The name of a configuration, a path to a YAML file, a configuration, or its sections as a mapping."""


def ground(
    config: Config = "grit",
    *,
    inputs: PathsOrUris,
    output: PathOrUri,
    limit: int | None = None,
    extend: bool = False,
    redo_changed: bool = False,
    fresh: bool = False,
    retry_failed: bool | str | None = None,
    beam: Sequence[str] = (),
    quiet: bool = True,
) -> Plan:
    """Finds the boxes of every pair; called again it goes on where it stopped.

    Args:
      inputs: URIs, globs or local folders. output: the run's folder. limit: only so many pairs, spread over the input.
      extend: take in inputs that the plan in `output` does not know. redo_changed: read inputs anew that have changed
        since it was made. fresh: move old detections aside.
      retry_failed: do chunks with failed pairs again; a code of `records.Reason`: only those that failed for that.
      beam: Beam options, such as ["--direct_num_workers=2", "--direct_running_mode=multi_processing"].
      quiet: show no progress on standard error.

    Returns:
      The plan: what was read, in which ranges.

    Raises:
      CallError: a wrong call. EnvironmentFault: disk, network, device or a worker failed; call again to go on.
    """
    configuration, folder = resolve_config(config), files.canonical(output)
    reason = _parse_reason(retry_failed)
    options = {"limit": limit, "extend": extend, "redo_changed": redo_changed, "fresh": fresh, "retry": reason}
    if warning := embedded_model_warning(configuration, _list_inputs(inputs)):
        warnings.warn(warning, stacklevel=2)
    with hold(folder):
        return _run_ground(configuration, inputs, folder, options, quiet, beam)


def pack(
    config: Config = "grit",
    *,
    output: PathOrUri,
    detections: PathOrUri | None = None,
    fresh: bool = False,
    partial: bool = False,
    beam: Sequence[str] = (),
    quiet: bool = True,
) -> dict[str, Any]:
    """Writes shards from detections, without any model.

    Args:
      detections: folder of another run whose detections are used; default: those in `output`.
      fresh: replace shards of another fingerprint. partial: pack what there is of an unfinished ground.

    Returns:
      The manifest.

    Raises:
      CallError: a wrong call. EnvironmentFault: a source is gone, the disk is full, a worker died.
    """
    configuration, folder = resolve_config(config), files.canonical(output)
    source = None if detections is None else fspath(detections)
    if isinstance(config, Mapping):
        check_ground_settings(configuration, _nested_keys(config), source or folder)
    with hold(folder):
        return _run_pack(configuration, folder, PackOptions(source, fresh, False, partial, quiet, tuple(beam)))


def run(
    config: Config = "grit",
    *,
    inputs: PathsOrUris,
    output: PathOrUri,
    limit: int | None = None,
    extend: bool = False,
    redo_changed: bool = False,
    fresh: bool = False,
    retry_failed: bool | str | None = None,
    beam: Sequence[str] = (),
    quiet: bool = True,
) -> dict[str, Any]:
    """`ground`, then `pack`. Returns the manifest.

    `fresh` writes shards anew and never touches detections. Shards that other detections were made into are replaced
    with `extend`, `redo_changed` and `retry_failed`, too.
    """
    configuration, folder = resolve_config(config), files.canonical(output)
    check_dialects(configuration.text.dialect)
    reason = _parse_reason(retry_failed)
    options = {"limit": limit, "extend": extend, "redo_changed": redo_changed, "retry": reason}
    if warning := embedded_model_warning(configuration, _list_inputs(inputs)):
        warnings.warn(warning, stacklevel=2)
    grows = extend or redo_changed or reason is not None
    with hold(folder):
        _run_ground(configuration, inputs, folder, options, quiet, beam)
        return _run_pack(configuration, folder, PackOptions(fresh=fresh, replace=grows, quiet=quiet, beam=tuple(beam)))


def _run_ground(
    configuration: Configuration,
    inputs: PathsOrUris,
    folder: str,
    options: Mapping[str, Any],
    quiet: bool,
    beam: Sequence[str],
) -> Plan:
    return _ground(configuration, _list_inputs(inputs), folder, GroundOptions(**options, quiet=quiet, beam=tuple(beam)))


def embedded_model_warning(configuration: Configuration, inputs: Sequence[str]) -> str:
    """A warning if the embedded detector gets other inputs than the bundled scenes; else an empty string."""
    all_bundled = all(bundled.is_bundled_example(files.canonical(uri)) for uri in inputs)
    return (
        bundled.SCENE_GROUNDER_WARNING
        if configuration.detector.model == bundled.SCENE_GROUNDER and not all_bundled
        else ""
    )


def _parse_reason(retry_failed: bool | str | None) -> str | None:
    if retry_failed is None or retry_failed is False:
        return None
    reason = EVERY_REASON if retry_failed is True else retry_failed
    retry.check_reason(reason)
    return reason


def _nested_keys(values: Mapping[str, Any], above: str = "") -> list[str]:
    """The keys of nested sections, `section.key`."""
    parts = (
        [f"{above}{key}"] if not isinstance(v, Mapping) else _nested_keys(v, f"{above}{key}.")
        for key, v in values.items()
    )
    return [key for part in parts for key in part]


def _list_inputs(inputs: PathsOrUris) -> list[str]:
    listed = [fspath(inputs)] if isinstance(inputs, (str, PathLike)) else [fspath(path) for path in inputs]
    if not listed:
        raise CallError("inputs: there are none")
    return listed


def _run_pack(configuration: Configuration, output: str, options: PackOptions) -> dict[str, Any]:
    manifest = _pack(configuration, output, options)
    # Of a run that has its report nothing is read again: pictures on its page may no longer exist.
    if not is_reported(output, manifest):
        from gritmill.pages.report import write_page  # imports pyarrow and jinja; mostly the page exists already

        folder = find_detections(options.detections or output)
        plan = read_plan(folder)
        assert plan is not None
        files.delete([files.join(output, PAGE_NAME)])
        warning = embedded_model_warning(plan.configuration, [source.uri for source in plan.sources])
        write_page(output, folder, plan, manifest, write_report(output, folder, manifest), warning)
    return manifest


def encode(caption: str, spans: Sequence[Span], *, dialect: str = "kosmos2", width: int = 1, height: int = 1) -> str:
    """The caption with its boxes, in a dialect. Spans must be disjoint, boxes normalised x1, y1, x2, y2.

    Raises:
      ValueError: no such dialect, spans that overlap or lie outside the caption, boxes outside the picture, or a
        caption that the dialect cannot carry.
    """
    ordered = tuple(sorted(spans, key=lambda span: span.start))
    end = 0
    for span in ordered:
        if not end <= span.start < span.end <= len(caption):
            raise ValueError(f"span {span.start}..{span.end} overlaps another one or lies outside the caption")
        for x1, y1, x2, y2 in span.boxes:
            if not (0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1):
                raise ValueError(f"box {(x1, y1, x2, y2)} is not within 0..1 with x1 < x2 and y1 < y2")
        if not span.boxes:
            raise ValueError(f"span {span.start}..{span.end} has no box")
        end = span.end
    try:
        return dialects.find(dialect).encode(GroundedCaption(caption, ordered, width, height))
    except CannotCarry as error:
        raise ValueError(f"{dialect} cannot carry this caption: {error}") from error


def decode(text: str, *, dialect: str = "kosmos2", width: int = 1, height: int = 1) -> GroundedCaption:
    """Caption and spans of a grounded text; boxes as exact as the dialect's rounding allows.

    Raises:
      ValueError: no such dialect, or the text is not of it.
    """
    return dialects.find(dialect).decode(text, width, height)


def resolve_config(config: Config) -> Configuration:
    """The configuration for a name, a path or a mapping."""
    if isinstance(config, Configuration):
        return config
    return configurations.load(config) if isinstance(config, str) else configurations.validate(dict(config))
