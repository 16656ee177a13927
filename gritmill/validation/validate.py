"""validate: reads a finished run back and reports its faults.

The only code shared with the writer are the readers of the dialects, and what verdicts on claims follow from. The
package parses tar itself, reads JSON and parquet with their libraries, and states each rule of the contract a second
time.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from os import PathLike

from pydantic import ValidationError

from gritmill.options import check_limit
from gritmill.shard_processes import count_processes
from gritmill.validation.claims import ClaimKey, claim_faults, claims_by_verdict, given_faults, sheet_faults
from gritmill.validation.detections import PackedRows
from gritmill.validation.manifest import Manifest, Shard, Sums
from gritmill.validation.open_rows import open_rows
from gritmill.validation.processes import check_in_processes
from gritmill.validation.sample import Rules, fault_line
from gritmill.validation.shard import CHANGED, Finding, ShardCheck, first_uid
from pipeline import files, layout
from pipeline.engines import progress
from pipeline.faults import CallError, RunFault, first_line
from pipeline.files.typed import is_intact
from transforms.annotations.columns import AnnotationColumns
from transforms.claims.verdicts import rules_version
from transforms.devices import available_cores
from transforms.text import dialects

_SAMPLES_PER_PROCESS = 1000
"""A process takes half a second to start, and 0.5 ms for a sample, 2 ms if it decodes the image."""


def validate(
    output: str | PathLike[str],
    limit: int | None = None,
    processes: int | None = None,
    decode: bool = False,
    quiet: bool = True,
) -> Iterator[Finding]:
    """Yields each sample and each fault of a run, in order.

    If the run folder has the detections of the pack, boxes, claims and decoys of all records are computed again from
    these. Otherwise, or if they are damaged, the records must agree with themselves: a damaged table is no fault of the
    pack. Images are decoded, but for those whose digest in the detections says that `ground` decoded the same bytes.

    limit: samples to check per shard, without the detections. Checksums always cover whole files.
    processes: 1 to 256, each with a shard at a time; 1: only this process. None: one per core, but at most one per
      1,000 samples. The findings are the same for any number.
    decode: all images are decoded, also those that `ground` decoded.
    quiet: show no progress on standard error, where only a terminal gets it.

    Raises:
      CallError: at once, before the first finding: the folder has no manifest, or `limit` or `processes` is out of
        range.
      WorkerDied: a process was killed.
    """
    count_processes(processes, (), _SAMPLES_PER_PROCESS, ())  # before anything is read
    check_limit(limit)
    folder = files.canonical(output)
    uri = files.join(folder, layout.MANIFEST)
    if not files.exists(uri):
        files.need_folder(folder, str(output))
        from pipeline.pack.manifest import not_finished  # a message, nothing that is checked

        raise CallError(not_finished(output))
    return _findings(folder, uri, limit, processes, decode, quiet)


def _findings(
    folder: str, uri: str, limit: int | None, processes: int | None, decode: bool, quiet: bool
) -> Iterator[Finding]:
    try:
        data = files.read_bytes(uri)
        if not is_intact(data):
            yield Finding(layout.MANIFEST, "", CHANGED)
            return
        manifest = Manifest.model_validate_json(data)
        for name in manifest.configuration.text.dialect:
            dialects.find(name)
    except ValueError as error:  # also raised if the dialect does not exist here
        line = fault_line(error) if isinstance(error, ValidationError) else str(error)
        yield Finding(layout.MANIFEST, "", line)
        return
    text = manifest.configuration.text
    source = manifest.configuration.source
    rules = Rules(tuple(text.dialect), text.spans == "densest", source.max_pixels, source.max_scans)
    rules.allow_pixels()
    samples = [min(shard.samples, limit or shard.samples) for shard in manifest.shards]
    number = count_processes(processes, samples, _SAMPLES_PER_PROCESS, [folder])
    threads = max(1, available_cores() // number)
    given = AnnotationColumns(boxes=tuple(source.columns.boxes))
    known = manifest.claim_rules == rules_version(bool(given.boxes))
    check = ShardCheck(folder, rules, limit, known, threads, decode, given)
    packed = _packed_rows(folder, manifest.shards) if limit is None else iter(())
    shards = (check.shard(place, shard, next(packed, None)) for place, shard in enumerate(manifest.shards))
    found = check_in_processes(check, manifest.shards, packed, number) if number > 1 else chain.from_iterable(shards)
    yield from _with_progress(found, sum(samples), quiet)
    yield from (
        Finding(layout.MANIFEST, "", text) for text in (*_ledger_faults(manifest), *_sum_faults(manifest, check.sums))
    )
    for name in (layout.STATISTICS, layout.REPORT):
        if fault := _json_fault(files.join(folder, name)):
            yield Finding(name, "", fault)
    yield from _unlisted_files(folder, manifest)


def _with_progress(findings: Iterator[Finding], samples: int, quiet: bool) -> Iterator[Finding]:
    done = 0

    def state() -> progress.State:
        return progress.State(done, min(done / samples, 1.0) if samples else 0.0, samples)

    with progress.show_progress("validate", "samples", state, quiet, lines=False):
        for finding in findings:
            done += not finding.text
            yield finding


def _packed_rows(folder: str, shards: Sequence[Shard]) -> Iterator[PackedRows]:
    """Yields the rows of each shard in the detections, up to the first shard of which they are not known."""
    with suppress(RunFault):
        if rows := open_rows(folder):
            yield from rows.by_shard((first_uid(folder, one) for one in shards), [one.samples for one in shards])


def _sum_faults(manifest: Manifest, sums: Sequence[Sums | None]) -> Iterator[str]:
    """Yields how the sums of the manifest differ from those of the stats of all shards. None: not known."""
    if None in sums:
        return
    parts = [part for part in sums if part]
    claims = Counter[ClaimKey]()
    for part in parts:
        claims.update(claims_by_verdict(one.model_dump() for one in part.claims))
    yield from claim_faults(claims_by_verdict(one.model_dump() for one in manifest.claims), claims, "stats")
    known = [part.given_boxes for part in parts if part.given_boxes]
    if known and len(known) == len(parts):
        yield from given_faults(manifest.given_boxes, sum(one.pairs for one in known), sum(one.boxes for one in known))
    sheets = [part.truth_sheet for part in parts]
    versions = {sheet.rules if sheet else None for sheet in sheets}
    if manifest.truth_sheet is None or versions != {manifest.truth_sheet.rules}:
        if manifest.truth_sheet is not None or (len(versions) == 1 and None not in versions):
            yield "truth_sheet: the stats of all shards have one, or else the manifest has none"
        return
    total = Counter[str]()
    for sheet in sheets:
        total.update(sheet.model_dump(exclude={"rules"}) if sheet else {})
    yield from sheet_faults(manifest.truth_sheet.model_dump(exclude={"rules"}), total, "stats")


def _ledger_faults(manifest: Manifest) -> Iterator[str]:
    ledger = manifest.ledger
    rejected = sum(ledger.rejected.values())
    failed = sum(pairs for reasons in ledger.failed.values() for pairs in reasons.values())
    if ledger.read != ledger.written + rejected + failed:
        yield f"ledger: {ledger.read} read, but {ledger.written} written + {rejected} rejected + {failed} failed"
    samples = sum(shard.samples for shard in manifest.shards)
    if ledger.written != samples:
        yield f"ledger: {ledger.written} written, but {samples} in the shards"


def _unlisted_files(folder: str, manifest: Manifest) -> Iterator[Finding]:
    """Tars and indexes that the manifest does not list. A reader of `shards/*.tar` would read them too."""
    named = {name for shard in manifest.shards for name in (shard.tar, shard.index)}
    for info in files.list_folder(files.join(folder, layout.SHARDS)):
        name = f"{layout.SHARDS}/{files.name(info.uri)}"
        if name.endswith((".tar", ".parquet")) and name not in named:
            yield Finding(name, "", "is not in the manifest")


def _json_fault(uri: str) -> str:
    """Why a JSON file has not the content with which it was written; empty if it has, or if it does not exist."""
    if not files.exists(uri):
        return ""
    data = files.read_bytes(uri)
    try:
        json.loads(data)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {first_line(error)}"
    return "" if is_intact(data) else CHANGED
