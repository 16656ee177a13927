"""The data card of exported data: Markdown with the YAML head that the Hugging Face hub reads."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import yaml

from gritmill import truth_sheet
from gritmill.exports.format import ExportCounts, Format, MeasuresTruth, in_order
from gritmill.exports.options import as_command
from gritmill.pages.render import render
from pipeline.pack.given_boxes import given_line
from pipeline.pack.manifest import Manifest

CARD_NAME = "README.md"

_SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "n>1B")
"""The size categories of the hub. The limits are the powers of ten from 1000."""


def render_card(
    to: str,
    used: Mapping[str, Any],
    export_format: Format,
    manifest: Manifest,
    counts: ExportCounts,
    checked: str = "",
) -> str:
    """The text of the card: what the data is, what reads it, how it was made, and where it comes from.

    used: the options that the format uses; `tokenizer` is the digest of the file. checked: of `checked_boxes`.
    """
    head: dict[str, Any] = {
        "pretty_name": f"Grounded image-text pairs ({to})",
        "task_categories": ["image-to-text", "zero-shot-object-detection"],
        "tags": ["grounding", "referring-expressions", "gritmill", to],
        "size_categories": [_SIZES[sum(counts["samples"] >= 10**power for power in range(3, 10))]],
    }
    if path := export_format.data_files:  # otherwise the hub loads the file types it knows: export.json and images
        head["configs"] = [{"config_name": "default", "data_files": [{"split": "train", "path": path}]}]
    boxes = sum(shard.boxes for shard in manifest.shards)
    line = given_line(manifest.given_boxes, manifest.ledger.written, boxes)
    values = {
        "to": to,
        "command": as_command(to, used) + (" --calibration CALIBRATION" if checked else ""),
        "version": version("gritmill"),  # the run may be of another one
        "tokenizer": used.get("tokenizer"),
        "manifest": manifest,
        "made_by": _made_by(manifest),
        "counts": in_order(counts).items(),
        "about": export_format.description,
        "claims": list(truth_sheet.claim_rows(manifest.claims)),
        "truth": [
            *truth_sheet.lines(manifest.truth_sheet, boxes, manifest.ledger.written),
            *([("boxes of the source", line)] if line else []),
            ("boxes that people checked", checked or "not known: none (`--calibration`)"),
        ],
        "more_truth": list(export_format.truth_lines(counts)) if isinstance(export_format, MeasuresTruth) else [],
    }
    return render("card.md.jinja", head=yaml.safe_dump(head, sort_keys=False).strip(), **values) + "\n"


def _made_by(manifest: Manifest) -> str:
    """Where the boxes come from, as a sentence."""
    if manifest.are_all_given:
        return "The boxes come from the source, and from no detector"
    given, columns = manifest.given_boxes, manifest.configuration["source"].get("columns", {}).get("boxes")
    has_some = given.pairs if given else columns  # an earlier version did not count them
    where = ", except where the source has some; those of the detector" if has_some else " and"
    return f"The boxes come from a detector{where} were not reviewed one by one"
