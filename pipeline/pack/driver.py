"""pack: detections -> shards. The driver checks that table and sources are all there, then runs the graph."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from pipeline import files, fingerprint
from pipeline.configuration import GROUND, PACK, Configuration, ShardSettings
from pipeline.faults import CallError, EnvironmentFault, OtherRun
from pipeline.files.publish import publish_json
from pipeline.ids import RangeId
from pipeline.pack.manifest import ManifestHead, packs, read_manifest, write_manifest
from pipeline.pack.options import PackOptions
from pipeline.pack.plan_shards import FOLDER, STATS
from pipeline.pack.statistics import NAME as STATISTICS
from pipeline.pack.statistics import Statistics
from pipeline.plan.plan import NAME as PLAN
from pipeline.plan.plan import Plan, read_plan
from pipeline.sources.base import image_root
from pipeline.tables import detections
from pipeline.threshold import effective
from transforms.images import bytes_digest
from transforms.selection.judge import Policy
from transforms.text import dialects

_THREADS = 16


def pack(configuration: Configuration, output: str, options: PackOptions) -> dict[str, Any]:
    """Writes the shards and returns the manifest. The caller holds the output folder.

    Raises:
      CallError: no finished ground, an unknown dialect, or shards of another fingerprint.
      EnvironmentFault: a source is gone, or the run broke off.
    """
    if options.beam:
        from pipeline.engines import run_pipeline  # with Beam, which takes a second: not for a pack that is done

        run_pipeline.parse(options.beam)  # a wrong option is refused, whatever is left to do
    folder = find_detections(options.detections or output)
    plan = read_plan(folder)
    if plan is None:
        raise CallError(f"--detections: {folder}: no plan.json; run gritmill ground first")
    check_dialects(configuration.text.dialect)
    done = detections.finished(folder)
    _check_finished(plan, done, folder, options.partial)
    threshold = effective(configuration.selection, plan.threshold, plan.configuration.detector.floor)
    policy = Policy(configuration.selection, threshold.score, configuration.text)
    rows, pairs = _recorded(plan, folder, done)
    mark = pack_fingerprint(plan, rows, policy, configuration.shards)
    if _up_to_date(output, mark) and not options.fresh:
        return read_manifest(output) or {}
    _check_sources(plan)
    _check_output(output, mark, configuration, options)
    head = ManifestHead.of(plan, configuration, threshold, mark, options.partial)
    if not any(True for _ in plan.ids()):
        publish_json(
            files.join(output, STATISTICS), Statistics.at(policy.threshold).to_json(plan.configuration.detector.floor)
        )
        return write_manifest(output, head, plan, [], [])
    from pipeline.engines import placement
    from pipeline.pack import graph

    options = replace(options, beam=placement.pack_options(options.beam, pairs))
    graph.run(output, folder, plan, policy, head, options)
    manifest = read_manifest(output)
    if manifest is None:
        raise EnvironmentFault(f"{output}: the run has ended without a manifest; run it again")
    return manifest


def find_detections(place: str) -> str:
    """The detections folder that a run's folder holds, or the folder itself."""
    place = files.canonical(place)
    return place if files.exists(files.join(place, PLAN)) else files.join(place, detections.FOLDER)


def check_given(configuration: Configuration, keys: Iterable[str], place: str) -> None:
    """Refuses settings of `ground`, given for `pack` on purpose, that are not those of the detections at `place`."""
    folder = find_detections(place)
    plan = read_plan(folder)
    for key in keys:
        if plan is None or key.partition(".")[0] not in GROUND or key in (*fingerprint.FREE, "detector.revision"):
            continue
        there, wanted = (_at(part.model_dump(mode="json"), key) for part in (plan.configuration, configuration))
        if wanted != there and not (isinstance(wanted, str) and files.canonical(wanted) == there):
            raise CallError(f"{key}: {folder} was made with {there}; only another ground can change that")


def _at(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values[part]
    return values


def check_dialects(names: Sequence[str]) -> None:
    """Raises CallError if there is no dialect of one of the names."""
    for name in names:
        try:
            dialects.find(name)
        except ValueError as error:
            raise CallError(str(error)) from error


def pack_fingerprint(plan: Plan, rows: Sequence[str], policy: Policy, shards: ShardSettings) -> str:
    """Covers the rows, of which there is a mark for each range, the selection with its threshold in force, the text and
    the shard sizes."""
    return fingerprint.digest(
        {
            "rows": list(rows),
            "ground": plan.fingerprint,
            "selection": policy.selection.fingerprint_values() | {"score": policy.threshold},
            "text": policy.text.fingerprint_values(),
            "shards": shards.fingerprint_values(),
            "stats": STATS,
        }
    )


def _recorded(plan: Plan, folder: str, done: set[RangeId]) -> tuple[list[str], int]:
    """What marks the rows of each range, and the pairs of those that are done."""

    def of(identity: RangeId) -> tuple[str, int]:
        if identity in done:
            value = detections.read_done(folder, identity)
            return ",".join(chunk["digest"] for chunk in value["chunks"]), int(value["rows"])
        data = (files.read_bytes(detections.chunk_uri(folder, c)) for c in detections.committed(folder, identity))
        return ",".join(bytes_digest(chunk) for chunk in data), 0

    with ThreadPoolExecutor(_THREADS) as pool:
        ranges = list(pool.map(of, plan.ids()))
    return [mark for mark, _ in ranges], sum(pairs for _, pairs in ranges)


def _check_finished(plan: Plan, done: set[RangeId], folder: str, partial: bool) -> None:
    missing = sum(1 for identity in plan.ids() if identity not in done)
    if missing and not partial:
        raise CallError(
            f"--detections: {folder}: {missing} of {sum(1 for _ in plan.ids())} ranges are not done; "
            "run gritmill ground again, or pack --partial"
        )


def _up_to_date(output: str, mark: str) -> bool:
    """Whether the manifest is of this pack, and its shards are there."""
    manifest = read_manifest(output)
    if manifest is None or manifest["fingerprints"]["pack"] != mark or not files.exists(files.join(output, STATISTICS)):
        return False
    there = {files.name(info.uri): info.size for info in files.list_folder(files.join(output, FOLDER))}
    stems = {files.name(shard["tar"]).removesuffix(".tar"): shard["bytes"] for shard in manifest["shards"]}
    return all(
        there.get(f"{stem}.tar") == size and {f"{stem}.parquet", f"{stem}_stats.json"} <= there.keys()
        for stem, size in stems.items()
    )


def _check_output(output: str, mark: str, configuration: Configuration, options: PackOptions) -> None:
    others = [uri for uri, found in packs(output).items() if found != mark]
    if others and not (options.fresh or options.replace):
        what = _difference(read_manifest(output), configuration)
        raise OtherRun(
            f"--output: {output} holds shards of another fingerprint{what}", "use another folder, or --fresh"
        )


def _difference(manifest: dict[str, Any] | None, configuration: Configuration) -> str:
    """What differs between the pack that lies there and this one, by key."""
    if manifest is None:
        return ""
    before = Configuration.read_back(manifest["configuration"])
    old, new = (some.model_dump(mode="json") for some in (before, configuration))
    keys = [f"{s}.{k}" for s in PACK for k in new[s] if old[s][k] != new[s][k]]
    return f" ({', '.join(keys) or 'the detections'} differs)"


def _check_sources(plan: Plan) -> None:
    """A missing container or image root is the environment's fault: nothing is replaced."""
    needed: dict[str, None] = {}
    for source in plan.sources:
        if source.ranges:
            needed[source.uri] = None
            if source.kind != "webdataset":
                needed[image_root(plan.configuration.source, source.uri)] = None
    with ThreadPoolExecutor(_THREADS) as pool:
        there = pool.map(files.exists, needed)
        missing = [uri for uri, found in zip(needed, there, strict=True) if not found]
    # An object store knows no empty folders, so only local roots can be told to be missing.
    missing = [uri for uri in missing if files.is_local(uri) or uri in {s.uri for s in plan.sources}]
    if missing:
        raise EnvironmentFault(f"{missing[0]}: no such file or folder; the images to pack lie there")
