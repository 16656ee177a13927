"""pack: detections -> shards. The driver checks that the table and all sources are complete, then runs the graph."""

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

from pipeline import files, layout
from pipeline.configuration import GROUND_SECTIONS, PACK_KEYS, Configuration, ShardSettings
from pipeline.faults import CallError, EnvironmentFault, FolderMismatch, RunFault
from pipeline.files.lock import replacing
from pipeline.files.typed import publish_typed
from pipeline.fingerprint import json_digest
from pipeline.ids import RangeId
from pipeline.pack.ledger import join_digests
from pipeline.pack.manifest import Manifest, changed_keys, read_manifest, write_manifest
from pipeline.pack.options import PackOptions
from pipeline.pack.shard_stats import FORMAT, file_sizes, shard_fingerprints
from pipeline.pack.statistics import Statistics
from pipeline.plan.plan import Plan, read_plan
from pipeline.tables.detections import open_detections
from pipeline.tables.table import Table
from pipeline.threshold import active_threshold
from transforms.claims.verdicts import RULES_VERSION
from transforms.read_ahead import map_in_threads
from transforms.selection.judge import Policy
from transforms.text import dialects
from transforms.wording import counted, listed


def pack(
    configuration: Configuration,
    plan: Plan,
    folder: str,
    output: str,
    options: PackOptions,
    done: frozenset[RangeId] | None = None,
) -> Manifest:
    """Writes the shards and returns the manifest. The caller must hold the lock of the run folder.

    Args:
      plan, folder: of the detections.
      done: the ranges that are done, if they are known.

    Raises:
      CallError: `ground` is not finished, a dialect is unknown, or the output has shards with another fingerprint.
      EnvironmentFault: a source is missing, or the run failed before it was complete.
    """
    if options.beam:
        from pipeline.engines.beam_options import parse_beam_options  # imports Beam (a second)

        parse_beam_options(options.beam)  # refuses a wrong option even if no work is left
    configuration = plan.configuration.packed_with(configuration)
    check_dialects(configuration.text.dialect)
    table = open_detections(folder)
    done = table.finished_ranges(len(plan.sources)) if done is None else done
    _check_finished(plan, done, folder, options.partial)
    floor = plan.configuration.detector.floor
    threshold = active_threshold(configuration.selection, plan.threshold, floor)
    duplicates = configuration.filters.duplicates is not None
    given = configuration.source.annotations
    policy = Policy(configuration.selection, threshold.score, configuration.text, duplicates, given)
    rows = rows_by_range(plan, table, done)
    row_digests = [row.digest for row in rows]
    pack_fingerprint = compute_pack_fingerprint(plan, row_digests, policy, configuration.shards)
    manifest = None if options.fresh else read_manifest(output)  # with --fresh, the old manifest may be unreadable
    if manifest and _is_current(manifest, output, pack_fingerprint):
        _tell_finished(manifest, options)
        return manifest
    _check_sources(plan)
    _check_output(output, manifest, pack_fingerprint, configuration, options)
    engine = None
    if options.beam and options.claim and row_digests:
        from pipeline.engines import remote

        engine = remote.connect(options.beam, options.claim.run_id)
        if engine:
            options.claim.take()  # nothing is written before the engine has answered
    if options.log:
        options.log.open()
    head = Manifest.head(plan, configuration, threshold, pack_fingerprint, options.partial)
    if not row_digests:
        publish_typed(files.join(output, layout.STATISTICS), Statistics.empty(policy.threshold).summary(floor))
        return write_manifest(output, head, [], [])
    from pipeline.engines import placement, progress
    from pipeline.pack import graph

    if engine:
        progress.announce("pack", engine.start_lines(len(done)), options.quiet, options.log)
    pairs = sum(row.pairs for row in rows)
    beam = engine.arguments if engine else placement.pack_beam_options(options.beam, pairs)
    options = replace(options, beam=beam, engine=engine)
    with replacing(output):
        work = zip(plan.range_ids(), (row.chunks for row in rows), strict=True)
        graph.run(output, folder, head, work, json_digest(row_digests), options)
    manifest = read_manifest(output)
    if manifest is None:
        raise EnvironmentFault(f"{output}: the run ended without a manifest; run the same command to resume")
    return manifest


def _tell_finished(manifest: Manifest, options: PackOptions) -> None:
    from pipeline.engines import progress

    pairs, shards = counted(manifest.ledger.read, "pair"), counted(len(manifest.shards), "shard")
    line = f"nothing to do: all {pairs} are done, in {shards}"
    progress.tell("pack", line, options.quiet)
    if options.log:
        options.log.open()
        options.log.note("done", f"pack: {line}")


def find_detections(run_folder: str) -> str:
    """The detections folder in a run folder, or `run_folder` itself if it contains a plan."""
    run_folder = files.canonical(run_folder)
    itself = files.exists(files.join(run_folder, layout.PLAN))
    return run_folder if itself else files.join(run_folder, layout.DETECTIONS)


def is_outdated(output: str, detections: str) -> bool:
    """Whether a run folder was packed before the last change of its detections."""
    packed = files.list_folder(files.canonical(output), layout.MANIFEST)
    chunks = files.list_folder(detections, layout.ALL_CHUNKS) if packed else []
    return any(chunk.stamp > packed[0].stamp for chunk in chunks)


def check_ground_settings(configuration: Configuration, keys: Iterable[str], run_folder: str) -> None:
    """Raises CallError if `pack` was given a setting of `ground` that differs from the run in `run_folder`.

    keys: the keys that the user set explicitly. `near` duplicates are checked wherever they were set.
    """
    outside = (f"detector.{key}" for key in configuration.detector.recorded_extra())
    near = configuration.filters.duplicates == "near"
    keys, exact = ([*keys, *PACK_KEYS], ()) if near else (list(keys), PACK_KEYS)
    excepted = (*exact, *configuration.recorded_keys(), *outside, "detector.revision")
    keys = [key for key in keys if key.partition(".")[0] in GROUND_SECTIONS and key not in excepted]
    folder = find_detections(run_folder)
    plan = read_plan(folder) if keys else None
    if plan is None:
        return
    for key in keys:
        both: list[Any] = [part.model_dump(mode="json") for part in (plan.configuration, configuration)]
        recorded, given = (reduce(dict.get, key.split("."), values) for values in both)
        if given != recorded and not (isinstance(given, str) and files.canonical(given) == recorded):
            raise CallError(
                f"{key}: {folder} was made with {listed(recorded)}; run gritmill ground --fresh to change it"
            )


def check_dialects(names: Sequence[str]) -> None:
    """Raises CallError if a dialect name is unknown."""
    for name in names:
        try:
            dialects.find(name)
        except ValueError as error:
            raise CallError(str(error)) from error


def compute_pack_fingerprint(plan: Plan, row_digests: Sequence[str], policy: Policy, shards: ShardSettings) -> str:
    """The pack fingerprint. It covers a digest of the rows of each range, the selection with its active threshold, the
    text settings, the shard sizes, whether duplicates are rejected, and the rules that claims are checked by."""
    newer: dict[str, Any] = {"duplicates": "exact"} if policy.exact_duplicates else {}
    if plan.configuration.phrases.claims:
        newer["claims"] = RULES_VERSION
    return json_digest(
        {
            "rows": list(row_digests),
            "ground": plan.fingerprint,
            "selection": policy.selection.fingerprint_values() | {"score": policy.threshold},
            "text": policy.text.fingerprint_values(),
            "shards": shards.fingerprint_values(),
            "stats": FORMAT,
            **newer,
        }
    )


@dataclass(frozen=True)
class RangeRows:
    """The rows of a range. digest: of all of them. chunks: how many chunks have them; None if the range is
    finished."""

    digest: str
    pairs: int
    chunks: int | None


def rows_by_range(plan: Plan, table: Table, done: Collection[RangeId]) -> list[RangeRows]:
    """The rows of each range: from the summaries, or the chunks of ranges that are not finished."""

    def rows_of(range_id: RangeId) -> RangeRows:
        entries = table.entries(range_id, range_id in done)
        chunks = None if range_id in done else len(entries)
        return RangeRows(join_digests(entry.digest for entry in entries), sum(entry.rows for entry in entries), chunks)

    return map_in_threads(rows_of, plan.range_ids())


def _check_finished(plan: Plan, done: Collection[RangeId], folder: str, partial: bool) -> None:
    missing = sum(1 for range_id in plan.range_ids() if range_id not in done)
    if missing and not partial:
        raise CallError(
            f"--detections: {folder}: {missing:,} of {counted(sum(1 for _ in plan.range_ids()), 'range')} "
            "are not done; run gritmill ground again, or use pack --partial"
        )


def _is_current(manifest: Manifest, output: str, pack_fingerprint: str) -> bool:
    """Whether a manifest has the fingerprint of this pack, and its shards and the statistics exist."""
    if manifest.fingerprints.pack != pack_fingerprint or not files.exists(files.join(output, layout.STATISTICS)):
        return False
    sizes = file_sizes(output)
    return all(
        sizes.get(shard.tar) == shard.bytes and {shard.index, layout.shard_stats(number)} <= sizes.keys()
        for number, shard in enumerate(manifest.shards)
    )


def _check_output(
    output: str,
    manifest: Manifest | None,
    pack_fingerprint: str,
    configuration: Configuration,
    options: PackOptions,
) -> None:
    if options.fresh:
        _tell_changed_settings(output, configuration, options.quiet)
    if options.fresh or options.replace:
        return
    if manifest and manifest.partial and not changed_keys(manifest.configuration, configuration):
        return  # what was packed before `ground` was finished
    if any(found != pack_fingerprint for found in shard_fingerprints(output).values()):
        difference = ""
        if manifest:
            changed = changed_keys(manifest.configuration, configuration)
            difference = f" ({', '.join(changed) or 'the detections'} changed)"
        raise _other_shards(output, difference)


def check_settings(output: str, configuration: Configuration) -> None:
    """Raises FolderMismatch if the shards in a run folder were written with other settings.

    `run` asks this before `ground`, which can take days.
    """
    with suppress(EnvironmentFault):  # a damaged manifest is told when it is needed
        manifest = read_manifest(output)
        configuration = manifest.settings.packed_with(configuration) if manifest else configuration
        if manifest and (changed := changed_keys(manifest.configuration, configuration)):
            raise _other_shards(output, f" ({', '.join(changed)} changed)")


def _other_shards(output: str, difference: str) -> FolderMismatch:
    text = f"--output: {output} contains shards with another fingerprint{difference}"
    return FolderMismatch(text, "use another folder, or --fresh")


def _tell_changed_settings(output: str, configuration: Configuration, quiet: bool) -> None:
    """`pack --fresh` is also used after damage, where the settings should be those of before."""
    from pipeline.engines import progress

    with suppress(RunFault):
        manifest = read_manifest(output)
        if manifest and (changed := changed_keys(manifest.configuration, configuration)):
            progress.tell("pack", f"not with the settings of the shards that are replaced: {', '.join(changed)}", quiet)


def _check_sources(plan: Plan) -> None:
    """Raises EnvironmentFault if a container or image root is missing, before anything is replaced."""
    settings = plan.configuration.source
    needed = dict.fromkeys(uri for source in plan.sources if source.ranges for uri in source.open(settings).needs())
    for uri, found in zip(needed, map_in_threads(files.exists, needed), strict=True):
        if not found:
            raise EnvironmentFault(f"{uri}: no such file or folder; pack needs the images in it")
