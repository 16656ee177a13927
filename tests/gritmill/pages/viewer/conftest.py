import json
import shutil
from dataclasses import replace

import pytest

import gritmill
from pipeline.configuration import Configuration
from tests import sample_pairs
from tests.gritmill.pages.viewer.browsing import CHROMIUM, DRIVER
from tests.unsealed import unsealed
from transforms.selection.judge import Kept, Policy, judge

ODD = (
    "<script>alert(1)</script> and a red dog",
    "a blue cat near </script><img src=x onerror=alert(1)>",
    "\U0001f600 a red cat \u202eand a blue dog\u2028near a car",
    "<object> near a red dog",
    "running quickly",
    "",
)
"""The first captions: markup, characters of two code units, marks that change the text direction, an empty caption."""

AMBIGUOUS = "a red dog on the left, a red dog on the right and a blue cat"


def policy_of(manifest, score=None):
    configuration = Configuration.model_validate(manifest["configuration"])
    threshold = manifest["threshold"]["score"] if score is None else score
    return Policy(configuration.selection, threshold, configuration.text)


def read(folder):
    """Returns the value that is assigned in the page's data script."""
    text = (folder / "data.js").read_bytes().decode("ascii")
    start, end = "window.GRITMILL = JSON.parse(", ");\n"
    assert text.startswith(start)
    assert text.endswith(end)
    return json.loads(json.loads(text.removeprefix(start).removesuffix(end)))


def counted(pairs, manifest, score):
    """Returns the numbers of pairs, phrases and boxes that remain at a threshold, judged one by one."""
    kept = [judge(pair, policy_of(manifest, score)) for pair in pairs]
    kept = [outcome.groundings for outcome in kept if isinstance(outcome, Kept)]
    phrases = sum(len({grounding.phrase for grounding in groundings}) for groundings in kept)
    return len(kept), phrases, sum(map(len, kept))


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished run of 80 pairs with its table: most kept, some rejected for several reasons, two failed."""
    folder = tmp_path_factory.mktemp("viewed")
    pictures = sample_pairs.drawn(40, captions=2)
    pictures = [
        sample_pairs.Picture(p.name, p.data, (ODD[number],) if number < len(ODD) else p.captions, p.url, p.id)
        for number, p in enumerate(pictures)
    ]
    pictures[10] = replace(pictures[10], captions=(AMBIGUOUS, AMBIGUOUS))
    pictures += sample_pairs.drawn(44)[-4:]
    pictures += [
        sample_pairs.Picture(f"images/broken{number}.jpg", b"<html>", ("a dog",), "", number) for number in range(2)
    ]
    selection = {"score": 0.8, "min_area": 0.01, "nms_iou": 0.4, "boxes_per_phrase": 3, "boxes_per_pair": 5}
    selection["groups"] = "drop"
    config = sample_pairs.settings(
        "caption-parser", "tests.plugin_detectors:scattered", selection=selection, shards={"pairs": 50}
    )
    config["detector"]["candidates"] = 30
    gritmill.run(config, inputs=sample_pairs.as_jsonl(pictures, folder / "in"), output=folder / "run")
    statistics = unsealed(folder / "run/statistics.json")
    statistics["histograms"]["heads"][0][0] = "<b>dog</b>"  # no parser returns such a head
    (folder / "run/statistics.json").write_text(json.dumps(statistics))
    return folder / "run"


SAID = (
    "two red dogs on the left of a blue cat",
    "three cats and a dog above a yellow car",
    "a red car to the right of two trees without a dog",
    "the second cat from the left, a red cat and a blue cat near a house",
    "the first tree from the left, a green tree and a blue tree",
    "a green house between a tree and a red tree",
    "dogs next to each other below a large blue car",
    "a cat on the left side of the picture and no car",
    "a yellow tree that is not to the left of a green dog",
    "four green cats behind a yellow dog",
    "two large blue trees",
    "two small red cars and two tall houses",
    "running quickly",
)
"""Captions with claims of each kind; some are negated, some are never decided, and the last one has none."""


@pytest.fixture(scope="session")
def claimed(tmp_path_factory):
    """A finished run whose captions state numbers, relations and ranks. Contradicted ones reject pairs. The limit of
    candidates removes some, so that a threshold can change a verdict though no box goes."""
    folder = tmp_path_factory.mktemp("claimed")
    pictures = [replace(one, captions=SAID[n : n + 1]) for n, one in enumerate(sample_pairs.drawn(len(SAID)))]
    selection = {"score": 0.3, "nms_iou": 0.2, "claims": "drop_contradicted", "count_claims": "drop_contradicted"}
    config = sample_pairs.settings("caption-parser", "tests.plugin_detectors:limited", selection=selection)
    gritmill.run(config, inputs=sample_pairs.as_jsonl(pictures, folder / "in"), output=folder / "run")
    return folder / "run"


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of the finished run that a test may damage."""
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture(scope="package")
def chromium(tmp_path_factory):
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = CHROMIUM
    for word in (
        *("headless=new", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking"),
        *("disable-component-update", "disable-sync", "disable-dev-shm-usage", "window-size=1300,950"),
        f"user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(f"--{word}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options, ChromeService(DRIVER))
    yield driver
    driver.quit()
