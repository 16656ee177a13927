"""view: a sample of the pairs of a finished run -> a page that a browser opens from disk.

This module must import fast, because the command is derived from it.
"""

from collections import Counter
from os import fspath
from typing import Annotated, Any

from gritmill.options import Detections, FinishedRun, Option, PathOrUri, Quiet
from pipeline.faults import CallError, EnvironmentFault


def view(
    run: FinishedRun,
    output: Annotated[
        PathOrUri | None, Option("--output", "Folder of the page. Default: DIR/view.", "DIR", cli_type=str | None)
    ] = None,
    *,
    detections: Detections = None,
    samples: Annotated[int, Option("--samples", "Number of pairs on the page.", "N", min=1)] = 1000,
    seed: Annotated[int, Option("--seed", "Seed that chooses the pairs.", "N")] = 0,
    clicks: Annotated[int, Option("--clicks", "Number of boxes that the page asks about.", "N", min=1)] = 100,
    quiet: Quiet = True,
) -> dict[str, Any]:
    """Writes the page of a finished run. An earlier page in the same folder is replaced.

    Args:
      detections: the run folder with the detections, if it is another one. `gritmill view --help` lists all options.

    Returns:
      `page`: location of index.html. `kept`, `rejected`, `failed`: numbers of pairs on the page. `missing`: number of
      pairs whose image is not available. `asked`: number of boxes that the page asks about.

    Raises:
      CallError: the run is not finished, its detections are missing, or the folder contains anything but a page.
      EnvironmentFault: files of the run are gone or have changed.
    """
    from gritmill.pages.viewer import page, page_data
    from gritmill.pages.viewer.boxes_to_check import clicks_json
    from gritmill.pages.viewer.pick_pairs import pick_pairs
    from pipeline import files, layout
    from pipeline.files.lock import hold, reading
    from pipeline.pack.driver import check_dialects, find_detections
    from pipeline.pack.manifest import need_manifest

    for option, number in (("--samples", samples), ("--clicks", clicks)):
        if number < 1:
            raise CallError(f"{option}: {number}: must be at least 1")
    source = files.canonical(run)
    manifest = need_manifest(run)
    folder = find_detections(fspath(detections or source))
    plan = page.packed_plan(folder, manifest)
    target = files.canonical(output) if output else files.join(source, layout.VIEW)
    if target in (source, folder):
        raise CallError(f"--output: {target}: this is the run folder; use another folder")
    policy = manifest.policy
    check_dialects(policy.text.dialect)
    page.has_page(target)  # before `hold` locks and sweeps the folder: another run may be using it
    with hold(target), reading(folder), reading(source):
        page.prepare_folder(target)
        picked = pick_pairs(folder, plan, policy, samples, seed)
        pictures = page.write_pictures(target, picked, plan, quiet)
        run_data = page.read_run(source, manifest)
        stops = run_data["stops"]["score"]
        if (need_manifest(run), page.packed_plan(folder, manifest)) != (manifest, plan):
            raise EnvironmentFault(f"{source}: the run changed while the page was written; run gritmill view again")
        shown = [page_data.sample_json(one, policy, stops, *at) for one, at in zip(picked, pictures, strict=True)]
        asked = clicks_json(picked, [name for name, _ in pictures], manifest, run_data, clicks, seed)
        page.write_page(target, {**run_data, "samples": shown, "seed": seed, "clicks": asked})
    counts = Counter(one.outcome_key[0] for one in picked)
    numbers = {name: counts[name] for name in ("kept", "rejected", "failed")}
    missing = sum(1 for _, fault in pictures if fault)
    return {"page": files.join(target, page.PAGE_NAME), **numbers, "missing": missing, "asked": len(asked["places"])}
