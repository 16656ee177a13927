"""pack: detections -> shards. The driver checks that the table and all sources are complete, then runs the graph."""

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import reduce
from typing import Any

from pipeline import files, layout
from pipeline.configuration import GROUND_SECTIONS, PACK_KEYS, Configuration
from pipeline.faults import CallError, EnvironmentFault, FolderMismatch, RunFault
from pipeline.files.lock import replacing
from pipeline.files.typed import publish_typed
from pipeline.fingerprint import json_digest
from pipeline.ids import RangeId
from pipeline.pack.fingerprint import compute_pack_fingerprint, digest_decoys, rows_by_range
from pipeline.pack.manifest import Manifest, changed_keys, read_manifest, write_manifest
from pipeline.pack.options import PackOptions
from pipeline.pack.shard_stats import file_sizes, shard_fingerprints
from pipeline.pack.statistics import Statistics
from pipeline.plan.plan import Plan, read_plan
from pipeline.plan.unused_settings import tell_unused
from pipeline.plan.work_list import Work
from pipeline.tables.decoys import open_decoys
from pipeline.tables.detections import open_detections
from pipeline.threshold import active_threshold
from transforms.garbage import importing
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
    decoys = digest_decoys(rows)
    pack_fingerprint = compute_pack_fingerprint(plan, row_digests, policy, configuration.shards, decoys)
    manifest = None if options.fresh else read_manifest(output)  # with --fresh, the old manifest may be unreadable
    # A pack stays valid if decoys were asked for after it: only the field `absent` would be another one.
    used = manifest.fingerprints.decoys if manifest else decoys
    same = compute_pack_fingerprint(plan, row_digests, policy, configuration.shards, used)
    if manifest and _is_current(manifest, output, same):
        _tell_finished(manifest, options, manifest.fingerprints.decoys != decoys)
        return manifest
    _check_sources(plan, folder, output)
    _check_output(output, manifest, pack_fingerprint, configuration, options, decoys)
    engine = None
    if options.beam and options.claim and row_digests:
        from pipeline.engines import remote

        engine = remote.connect(options.beam, options.claim.run_id)
        if engine:
            options.claim.take()  # nothing is written before the engine has answered
    if options.log:
        options.log.open()
    tell_unused("pack", plan, configuration, options.quiet)
    head = Manifest.head(plan, configuration, threshold, pack_fingerprint, options.partial, decoys)
    if not row_digests:
        publish_typed(files.join(output, layout.STATISTICS), Statistics.empty(policy.threshold).summary(floor))
        return write_manifest(output, head, [], [])
    with importing():  # of Beam
        from pipeline.engines import placement, progress
        from pipeline.pack import graph

    if engine:
        progress.announce("pack", engine.start_lines(len(done)), options.quiet, options.log)
    pairs = sum(row.pairs for row in rows)
    beam = engine.arguments if engine else placement.pack_beam_options(options.beam, pairs)
    options = replace(options, beam=beam, engine=engine)
    with replacing(output):
        work = (Work(range_id, row.chunks, row.decoys) for range_id, row in zip(plan.range_ids(), rows, strict=True))
        digests = json_digest([(row.digest, row.decoy_digest) for row in rows])
        graph.run(output, folder, head, work, digests, options)
    manifest = read_manifest(output)
    if manifest is None:
        raise EnvironmentFault(f"{output}: the run ended without a manifest; run the same command to resume")
    return manifest


def _tell_finished(manifest: Manifest, options: PackOptions, other_decoys: bool) -> None:
    from pipeline.engines import progress

    pairs, shards = counted(manifest.ledger.read, "pair"), counted(len(manifest.shards), "shard")
    line = f"nothing to do: all {pairs} are done, in {shards}"
    if other_decoys:
        line += "; the decoys have changed since: use --fresh to write them to the records"
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
    """Whether a run folder was packed before the last change of its detections or decoys."""
    packed = files.list_folder(files.canonical(output), layout.MANIFEST)
    folders = (detections, open_decoys(detections).uri) if packed else ()
    return any(chunk.stamp > packed[0].stamp for uri in folders for chunk in files.list_folder(uri, layout.ALL_CHUNKS))


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
        if given != recorded and not (isinstance(given, str) and given and files.canonical(given) == recorded):
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
    decoys: str,
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
            if manifest.claim_rules not in (0, configuration.claim_rules):
                changed.append("the rules that check claims")
            if manifest.fingerprints.decoys != decoys:
                changed.append("the decoys")
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


def _check_sources(plan: Plan, folder: str, output: str) -> None:
    """Raises EnvironmentFault if a container or image root is missing, before anything is replaced, and CallError if
    it would be replaced itself."""
    for source in plan.sources:
        if files.parent(source.uri) == files.join(output, layout.SHARDS) and layout.shard_of(source.uri) is not None:
            cure = f"use gritmill pack --detections {folder} with another --output"
            raise CallError(f"--output: {source.uri} is a source, and would be replaced; {cure}")
    settings = plan.configuration.source
    needed = dict.fromkeys(uri for source in plan.sources if source.ranges for uri in source.open(settings).needs())
    for uri, found in zip(needed, map_in_threads(files.exists, needed), strict=True):
        if not found:
            raise EnvironmentFault(f"{uri}: no such file or folder; pack needs the images in it")
