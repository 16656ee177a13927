"""Hand-made pairs that are hard to lay out, and a page of them."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
from PIL import Image

from gritmill.pages.thumbnails import LONG_SIDE
from gritmill.pages.viewer import page, page_data
from gritmill.pages.viewer.boxes_to_check import clicks_json
from gritmill.pages.viewer.pick_pairs import Picked
from pipeline.pack.manifest import need_manifest
from tests.gritmill.pages.viewer.conftest import policy_of
from transforms.records import Box, Claim, ClaimKind, Pair, Phrase
from transforms.selection.judge import judge

SIDE = 0.06  # of a small box, as a share of the image


def pair(key, caption, phrases, boxes, width=640, height=480):
    """A pair whose phrases are given by their text; a box is (phrase number, x1, y1, x2, y2)."""
    starts = [caption.index(text) for text in phrases]
    spans = [(start, start + len(text)) * 3 for start, text in zip(starts, phrases, strict=True)]
    found = tuple(Box(*box, 0.9 - number / 1000) for number, box in enumerate(boxes))
    named = tuple(Phrase(*span) for span in spans)
    return Pair(key, "hard", 0, caption, width=width, height=height, phrases=named, boxes=found)


def with_claims(one):
    """The pair with many claims: far apart, long, and one without a break."""
    subject, *others = [(phrase.start, phrase.end) for phrase in one.phrases]
    far = [
        Claim(ClaimKind.RELATION, end, end + 3, *subject, "near", objects=span) for span in others for end in span[1:]
    ]
    counts = [Claim(ClaimKind.COUNT, start, end, start, end, "at_least", 1) for start, end in (subject, *others)]
    return replace(one, claims=(*counts, *far))


def _at(phrase, x, y, side=SIDE):
    """A small box with the given centre, moved into the image."""
    x, y = (min(1 - side / 2, max(side / 2, value)) for value in (x, y))
    return phrase, x - side / 2, y - side / 2, x + side / 2, y + side / 2


def hard_pairs():
    """One pair per case; the key names the case."""
    words = [f"thing{number:02}" for number in range(30)]
    many = " and ".join(words)
    places = np.random.default_rng(5).uniform(0.05, 0.95, (30, 2))
    long = "the extraordinarily " + "very " * 150 + "long phrase"
    hebrew = "כלב אדום ליד חתול כחול (ראה תמונה 12)."
    return [
        pair("one_box", "a red dog.", ["a red dog"], [_at(0, 0.5, 0.5)]),
        pair("one_large_box", "a red dog.", ["a red dog"], [(0, 0.0, 0.0, 1.0, 1.0)]),
        pair(
            "borders",
            "left, right, top, bottom, a b c d.",
            ["left", "right", "top", "bottom", "a", "b", "c", "d"],
            [
                *(_at(0, 0, 0.5), _at(1, 1, 0.5), _at(2, 0.5, 0), _at(3, 0.5, 1)),
                *(_at(4, 0, 0), _at(5, 1, 0), _at(6, 0, 1), _at(7, 1, 1)),
            ],
        ),
        pair("thirty", many, words, [_at(n, x, y, 0.03) for n, (x, y) in enumerate(places.tolist())]),
        pair("row", many, words[:12], [_at(n, 0.3 + n * 0.04, 0.5, 0.035) for n in range(12)]),
        pair("small_in_large", "a dog on a rug.", ["a dog", "a rug"], [_at(0, 0.2, 0.16), (1, 0.15, 0.2, 0.9, 0.9)]),
        pair("narrow", "a red pole.", ["a red pole"], [(0, 0.0, 0.2, 1.0, 0.8)], 1, 1000),
        pair("flat", "a red line.", ["a red line"], [(0, 0.2, 0.0, 0.8, 1.0)], 1000, 1),
        pair("long", f"{long} near {'x' * 3000}. " + "more words, " * 300, [long], [_at(0, 0.5, 0.5, 0.3)]),
        with_claims(
            pair("claims", f"{many}, {'y' * 90}", [*words[:9], "y" * 90], [_at(n, n / 9, 0.5) for n in range(10)])
        ),
        pair("hebrew/1 (2).jpg", hebrew, ["כלב אדום", "חתול כחול"], [_at(0, 0.3, 0.5, 0.2), _at(1, 0.7, 0.5, 0.2)]),
    ]


def write_page(run, folder, pairs):
    """Writes a page of the pairs, with the figures of a finished run, and one grey image per pair."""
    manifest = need_manifest(str(run))
    policy = policy_of(json.loads((run / "manifest.json").read_text()), 0.05)
    loose = {"min_side": 0, "min_area": 0, "max_area": 1, "nms_iou": 0.9}
    loose |= {"boxes_per_phrase": None, "boxes_per_pair": None}
    policy = replace(policy, selection=policy.selection.model_copy(update=loose))
    data = page.read_run(str(run), manifest)
    data["run"]["selection"] |= loose
    data["run"]["histograms"]["heads"] = [["\U0001f600" * 40, 3], ["\u05db\u05dc\u05d1", 2], ["x" * 4000, 1]]
    (folder / "images").mkdir(parents=True)
    samples, picked, scores = [], [Picked(one, judge(one, policy)) for one in pairs], data["stops"]["score"]
    for number, one in enumerate(pairs):
        name = f"images/{number:05}.jpg"
        picture = Image.new("RGB", (one.width, one.height), "#8a9a8a")
        picture.thumbnail((LONG_SIDE, LONG_SIDE))
        picture.save(folder / name)
        samples.append(page_data.sample_json(picked[number], policy, scores, name, None))
    own = {name: getattr(manifest, name) for name in ("settings", "boxes_by", "are_all_given")}
    shown = SimpleNamespace(**vars(manifest), **own, policy=policy)
    clicks = clicks_json(picked, [one["picture"] for one in samples], shown, data, 100, 0)
    page.write_page(str(folder), {**data, "samples": samples, "seed": 0, "clicks": clicks})
