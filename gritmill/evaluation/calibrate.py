"""`gritmill calibrate`: finds the score threshold for a target precision, on a set with true boxes; or the one with the
best number-F1, on a run without true boxes; or from a person's answers about a hundred boxes of a run.

This module must import fast, because the command is derived from it.
"""

from os import fspath
from typing import Any

from gritmill.evaluation import options
from gritmill.evaluation.options import TruthFormat, check_used
from gritmill.options import Config, PathOrUri, Quiet, check_limit, resolve_config
from pipeline.faults import CallError

JSON_NAME, PAGE_NAME = "calibration.json", "calibration.html"


def calibrate(
    config: Config = "grit",
    *,
    truth: options.OptionalTruth = None,
    without_truth: options.WithoutTruth = None,
    clicks: options.ClicksFile = None,
    output: options.CalibrationFolder,
    precision: options.Precision = 0.9,
    on: options.On = TruthFormat.JSONL,
    images: options.Images = None,
    split: options.Split = None,
    limit: options.LimitCalibration = None,
    seed: options.Seed = 0,
    quiet: Quiet = True,
) -> dict[str, Any]:
    """Finds a score threshold. Writes `calibration.json` and `calibration.html`.

    Args:
      truth: a set with true boxes; the threshold is that of a target precision. without_truth: in its place, the folder
        of a finished or partial run; the threshold is the one at which the numbers of boxes agree best with the numbers
        that captions state, see `number_f1`. Only the `selection` of the configuration is used then, and of the other
        arguments only `limit` (pairs; default 20,000) and `seed`. clicks: in its place, the file of answers that the
        page of `gritmill view` saves; of the other arguments, only `precision` is used then.
        Arguments that are not used are refused.
      precision: target share of correct boxes, above 0 and at most 1. on: as in `gritmill.evaluate`.
        `gritmill calibrate --help` lists all options.

    Returns:
      The content of `calibration.json`. `threshold` is None if no threshold gives that precision. `curves` is empty if
      no phrase was measured.

    Raises:
      CallError: an argument is wrong or not used, or a file is not in the format `on`. DataFault: no answer is yes
        or no.
      EnvironmentFault: the detector fails, or a file of the run has changed since it was committed.
    """
    ways = {"--truth": truth, "--without-truth": without_truth, "--clicks": clicks}
    given = [name for name, value in ways.items() if value is not None]
    if len(given) > 1:
        raise CallError(f"{' and '.join(given)}: give only one of them")
    way = given[0] if given else "--truth"
    defaults = calibrate.__kwdefaults__ or {}
    others = {"on": on, "images": images, "split": split, "precision": precision, "limit": limit, "seed": seed}
    check_used(way, [name for name, value in others.items() if value != defaults[name]])
    if clicks is not None and resolve_config(config) != resolve_config("grit"):
        check_used(way, ["config"])
    check_limit(limit)
    if clicks is not None:
        return _calibrate_clicks(fspath(clicks), output, precision)
    if without_truth is not None:
        return _calibrate_run(config, fspath(without_truth), output, limit, seed)
    if truth is None:
        raise CallError(
            "--truth: is missing; name a set with true boxes, a run with --without-truth, or answers with --clicks"
        )
    if on == TruthFormat.VSR:
        raise CallError("--on vsr: has statements, not all boxes of a phrase; only gritmill eval --relations reads it")
    _check_precision(precision)
    configuration, folder = resolve_config(config), _folder(output)
    configuration.check_precision()
    from gritmill.evaluation import calibration
    from gritmill.evaluation.query_detector import QueryCounts, load_detector, query
    from gritmill.evaluation.sets.open_truth import open_truth

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
    _publish(folder, result, "calibration.html.jinja")
    return result


def _calibrate_run(config: Config, run: str, output: PathOrUri, limit: int | None, seed: int) -> dict[str, Any]:
    from gritmill.evaluation.without_truth import calibrate_run

    folder = _folder(output)
    result = calibrate_run(run, resolve_config(config), limit, seed)
    _publish(folder, result, "number_f1.html.jinja")
    return result


def _calibrate_clicks(file: str, output: PathOrUri, precision: float) -> dict[str, Any]:
    from gritmill.clicks.clicks_file import read_clicks
    from gritmill.clicks.result import build_result

    _check_precision(precision)
    folder = _folder(output)
    result = build_result(read_clicks(file), file, precision)
    _publish(folder, result, "clicks.html.jinja")
    return result


def _folder(output: PathOrUri) -> str:
    """The folder of the result. Before the work that it is for: that may take hours."""
    from pipeline import files

    folder = files.canonical(output)
    files.need_place(folder)
    return folder


def _check_precision(precision: float) -> None:
    if not 0 < precision <= 1:
        raise CallError(f"--precision: {precision:g}: must be above 0 and at most 1")


def _publish(folder: str, result: dict[str, Any], template: str) -> None:
    from gritmill.pages.render import render
    from pipeline import files
    from pipeline.files.publish import publish_bytes, publish_json

    publish_json(files.join(folder, JSON_NAME), result)
    page = render(template, result=result).encode(errors="backslashreplace")  # as in JSON: paths may not be UTF-8
    publish_bytes(files.join(folder, PAGE_NAME), page)
