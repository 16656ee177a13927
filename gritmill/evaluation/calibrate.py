"""`gritmill calibrate`: finds the score threshold for a target precision, on a set with true boxes.

This module must import fast, because the command is derived from it.
"""

from typing import Any

from gritmill.evaluation import options
from gritmill.evaluation.options import TruthFormat
from gritmill.options import Config, Quiet, resolve_config
from pipeline.faults import CallError

JSON_NAME, PAGE_NAME = "calibration.json", "calibration.html"


def calibrate(
    config: Config = "grit",
    *,
    truth: options.Truth,
    output: options.CalibrationFolder,
    precision: options.Precision = 0.9,
    on: options.On = TruthFormat.JSONL,
    images: options.Images = None,
    split: options.Split = None,
    limit: options.LimitPictures = None,
    seed: options.Seed = 0,
    quiet: Quiet = True,
) -> dict[str, Any]:
    """Finds the score threshold for a target precision. Writes `calibration.json` and `calibration.html`.

    Args:
      precision: target share of correct boxes, above 0 and at most 1. on: as in `gritmill.evaluate`.
        `gritmill calibrate --help` lists all options.

    Returns:
      The content of `calibration.json`. `threshold` is None if no threshold gives that precision. `curves` is empty if
      no phrase was measured.

    Raises:
      CallError: an argument is wrong, or a file is not in the format `on`. EnvironmentFault: the detector fails.
    """
    from gritmill.evaluation import calibration
    from gritmill.evaluation.query_detector import QueryCounts, load_detector, query
    from gritmill.evaluation.sets.open_truth import open_truth
    from gritmill.pages.render import render
    from pipeline import files
    from pipeline.files.publish import publish_bytes, publish_json

    if not 0 < precision <= 1:
        raise CallError(f"--precision: {precision:g}: must be above 0 and at most 1")
    configuration, folder = resolve_config(config), files.canonical(output)
    truth_set = open_truth(on, truth, images, split, limit, configuration.source.columns)
    detector, configuration, model_identities = load_detector(configuration)
    counts, collected = QueryCounts(), calibration.BoxCollection()
    for answer in query(truth_set, detector, configuration, counts, quiet):
        if not answer.fault:
            collected.add(answer, counts.measured - 1, configuration.selection, configuration.detector.floor)
    result = {
        "on": on,
        "split": split,
        "configuration": configuration.model_dump(mode="json", include={"detector", "selection", "phrases"}),
        "models": model_identities,
        "pictures": counts.to_json(),
        "wished_precision": precision,
        **calibration.build_result(collected, counts.measured, configuration, precision, seed),
    }
    publish_json(files.join(folder, JSON_NAME), result)
    publish_bytes(files.join(folder, PAGE_NAME), render("calibration.html.jinja", result=result).encode())
    return result
