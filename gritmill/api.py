"""The Python API: the functions behind the commands.

The commands are derived from these functions, so this module must import fast: slow imports are inside the functions.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from gritmill import options
from gritmill.options import PathsOrUris, check_limit, list_paths, resolve_config
from pipeline.faults import START_OVER, FolderMismatch
from pipeline.ground.options import GroundOptions
from pipeline.pack.options import PackOptions
from transforms import bundled

if TYPE_CHECKING:
    from pipeline.configuration import Configuration
    from pipeline.ids import RangeId
    from pipeline.plan.plan import Plan
    from transforms.text.grounded_caption import GroundedCaption, Span
else:  # for `typing.get_type_hints`
    Configuration = Plan = GroundedCaption = Span = Any


def ground(
    config: options.Config = "grit",
    *,
    inputs: options.Inputs,
    output: options.OutputFolder,
    limit: options.LimitPairs = None,
    extend: options.Extend = False,
    redo_changed: options.RedoChanged = False,
    fresh: options.FreshDetections = False,
    retry_failed: options.RetryFailed = None,
    take_over: options.TakeOver = False,
    beam: Sequence[str] = (),
    quiet: options.Quiet = True,
) -> "Plan":
    """Finds the boxes of every pair. A second call resumes.

    `gritmill ground --help` has each option.

    Args:
      retry_failed: True, or a code of `records.Reason`.
      beam: Beam options, such as ["--direct_num_workers=2", "--direct_running_mode=multi_processing"].
      quiet: show no progress on standard error.

    Returns:
      The plan: the sources and their ranges.

    Raises:
      CallError: an argument is wrong. EnvironmentFault: disk, network, device or a worker failed; call again to resume.
    """
    from pipeline import files
    from pipeline.engines.run_folder import claimed
    from pipeline.ground import driver
    from pipeline.ground.count_rows import count_finished
    from pipeline.layout import DETECTIONS
    from pipeline.tables.detections import open_detections

    folder = files.canonical(output)
    configuration, uris, reason = _check_call(config, inputs, limit, retry_failed)
    ground_options = GroundOptions(limit, extend, redo_changed, fresh, retry=reason, quiet=quiet, beam=tuple(beam))
    name = _config_name(config)
    with claimed(folder, "ground", name, configuration.engine, beam, take_over, quiet, sweep=False) as own:
        ground_options = replace(ground_options, log=own.log, claim=own)
        plan, done = driver.ground(configuration, uris, folder, ground_options)
        own.log.note("end", f"ground: {count_finished(open_detections(files.join(folder, DETECTIONS)), done)}")
        return plan


def pack(
    config: options.Config = "grit",
    *,
    output: options.OutputFolder,
    detections: options.Detections = None,
    fresh: options.FreshShards = False,
    partial: options.Partial = False,
    take_over: options.TakeOver = False,
    beam: Sequence[str] = (),
    quiet: options.Quiet = True,
) -> dict[str, Any]:
    """Writes shards from detections. Runs no model.

    `gritmill pack --help` has each option.

    Returns:
      The manifest.

    Raises:
      CallError: an argument is wrong. EnvironmentFault: a source is missing, the disk is full, or a worker was killed.
    """
    from pipeline import files
    from pipeline.engines.run_folder import claimed
    from pipeline.pack.driver import check_ground_settings
    from pipeline.tables.sweep import sweep_for_pack

    configuration, folder = resolve_config(config), files.canonical(output)
    source = None if detections is None else fspath(detections)
    keys = _nested_keys(config) if isinstance(config, Mapping) else ()
    check_ground_settings(configuration, keys, source or folder)
    pack_options = PackOptions(source, fresh, partial=partial, quiet=quiet, beam=tuple(beam))
    name = _config_name(config)
    with claimed(folder, "pack", name, configuration.engine, beam, take_over, quiet, sweep=False) as own:
        sweep_for_pack(folder)
        return _pack(configuration, folder, replace(pack_options, log=own.log, claim=own))


def run(
    config: options.Config = "grit",
    *,
    inputs: options.Inputs,
    output: options.OutputFolder,
    limit: options.LimitPairs = None,
    extend: options.Extend = False,
    redo_changed: options.RedoChanged = False,
    fresh: options.FreshShards = False,
    retry_failed: options.RetryFailed = None,
    take_over: options.TakeOver = False,
    beam: Sequence[str] = (),
    quiet: options.Quiet = True,
) -> dict[str, Any]:
    """Calls `ground`, then `pack`. Returns the manifest.

    `fresh` replaces shards and never touches detections. `extend`, `redo_changed` and `retry_failed` also replace
    shards that were written from other detections.
    """
    from pipeline import files
    from pipeline.engines.run_folder import claimed
    from pipeline.ground import driver
    from pipeline.pack.driver import check_dialects, check_settings

    folder = files.canonical(output)
    configuration, uris, reason = _check_call(config, inputs, limit, retry_failed)
    check_dialects(configuration.text.dialect)
    if not (fresh or extend or redo_changed or reason):
        check_settings(folder, configuration)
    ground_options = GroundOptions(limit, extend, redo_changed, retry=reason, quiet=quiet, beam=tuple(beam))
    replaces = extend or redo_changed or reason is not None
    pack_options = PackOptions(fresh=fresh, replace=replaces, quiet=quiet, beam=tuple(beam))
    name = _config_name(config)
    with claimed(folder, "run", name, configuration.engine, beam, take_over, quiet, sweep=False) as own:
        ground_options = replace(ground_options, log=own.log, claim=own)
        pack_options = replace(pack_options, log=own.log, claim=own)
        try:
            plan, done = driver.ground(configuration, uris, folder, ground_options)
        except FolderMismatch as error:
            if not fresh or error.remedy != START_OVER:
                raise
            remedy = "use another folder, or gritmill ground --fresh first: run --fresh never touches detections"
            raise FolderMismatch(error.difference, remedy) from error
        return _pack(configuration, folder, pack_options, plan, done)


def _check_call(
    config: options.Config, inputs: PathsOrUris, limit: int | None, retry_failed: bool | str | None
) -> tuple["Configuration", list[str], str | None]:
    """The configuration, the inputs, and the reason whose failed pairs are processed again."""
    check_limit(limit)
    configuration, reason = resolve_config(config), _parse_reason(retry_failed)
    uris = list_paths(inputs, "inputs: the list is empty")
    for warning in detector_warnings(configuration, uris):
        warnings.warn(warning, stacklevel=3)
    return configuration, uris, reason


def _config_name(config: options.Config) -> str:
    """How the log names a configuration."""
    from pipeline.files.run_log import caller

    if isinstance(config, str | PathLike):
        return fspath(config)
    if isinstance(config, Mapping):
        return f"grit with {', '.join(_nested_keys(config)) or 'no changes'}"
    return caller.get().configuration or "passed as an object"


def detector_warnings(configuration: "Configuration", inputs: Sequence[str]) -> tuple[str, ...]:
    """What whoever sees the boxes must know, before there is a plan."""
    from pipeline import files

    model, given = configuration.detector.model, bool(configuration.source.columns.boxes)
    return bundled.detector_warnings(model, map(files.canonical, inputs), given)


def _parse_reason(retry_failed: bool | str | None) -> str | None:
    if retry_failed is None or retry_failed is False:
        return None
    from pipeline.ground import retry
    from transforms.records import EVERY_REASON

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


def _pack(
    configuration: "Configuration",
    output: str,
    pack_options: PackOptions,
    plan: "Plan | None" = None,
    done: "frozenset[RangeId] | None" = None,
) -> dict[str, Any]:
    from pipeline import files, layout
    from pipeline.files.lock import reading
    from pipeline.files.typed import as_json
    from pipeline.pack import driver, report
    from pipeline.plan.plan import need_plan

    folder = driver.find_detections(pack_options.detections or output)
    with reading(folder):
        plan = plan or need_plan(folder)
        manifest = driver.pack(configuration, plan, folder, output, pack_options, done)
    # A finished report stays: images that its page shows may no longer exist.
    if not report.is_reported(output, folder, manifest):
        # These import pyarrow, numpy and jinja, and the page usually exists already.
        from gritmill import truth_sheet
        from gritmill.pages.report import write_page

        files.delete([files.join(output, layout.REPORT_PAGE)])
        written = report.write_report(output, folder, manifest)
        known = manifest.truth_sheet
        truth = list(truth_sheet.lines(known, written.boxes, manifest.ledger.written)) if known else ()
        write_page(output, folder, plan, manifest, written, truth)
    if pack_options.log:
        pack_options.log.note("end", f"pack: {manifest.ledger.line()}, {len(manifest.source_faults):,} source faults")
    return as_json(manifest)


def encode(caption: str, spans: Sequence["Span"], *, dialect: str = "kosmos2", width: int = 1, height: int = 1) -> str:
    """Writes a caption with its boxes in a dialect. Spans must be disjoint; boxes are x1, y1, x2, y2 in 0..1.

    Raises:
      ValueError: the dialect does not exist, spans overlap or are outside of the caption, a box is outside of the
        image, or the dialect cannot carry the caption.
    """
    from transforms.text import dialects
    from transforms.text.grounded_caption import CannotCarry, GroundedCaption

    ordered = tuple(sorted(spans, key=lambda span: span.start))
    end = 0
    for span in ordered:
        if not end <= span.start < span.end <= len(caption):
            raise ValueError(f"span {span.start}..{span.end} overlaps another span or is outside of the caption")
        for x1, y1, x2, y2 in span.boxes:
            if not (0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1):
                raise ValueError(f"box {x1}, {y1}, {x2}, {y2} is not within 0..1 with x1 < x2 and y1 < y2")
        if not span.boxes:
            raise ValueError(f"span {span.start}..{span.end} has no box")
        end = span.end
    try:
        return dialects.find(dialect).encode(GroundedCaption(caption, ordered, width, height))
    except CannotCarry as error:
        raise ValueError(f"{dialect} cannot carry this caption: {error}") from error


def decode(text: str, *, dialect: str = "kosmos2", width: int = 1, height: int = 1) -> "GroundedCaption":
    """Parses a grounded text. The boxes are as exact as the rounding of the dialect allows.

    Raises:
      ValueError: the dialect does not exist, or the text is not in this dialect.
    """
    from transforms.text import dialects

    return dialects.find(dialect).decode(text, width, height)
