"""The pages as axe-core judges them in a real browser: contrast, names, roles, landmarks, headings."""

import json

import pytest
from PIL import Image

import gritmill
from gritmill.pages.viewer.view import view
from tests.gritmill.clicks.made import made, write
from tests.gritmill.pages.viewer import hard_pairs
from tests.gritmill.pages.viewer.browsing import IN_CHROMIUM, SETTLED, click, find, opened

pytestmark = IN_CHROMIUM

# Nothing is preloaded: a page from disk cannot request its own style sheet.
RUN_AXE = """
const done = arguments[arguments.length - 1];
axe.run(document, {preload: false}).then((found) => done({
  violations: found.violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 200)}`)),
  broken: found.incomplete.filter((rule) => rule.error).map((rule) => `${rule.id}: ${rule.error.message}`),
  passed: found.passes.map((rule) => rule.id),
})).catch((error) => done({violations: [String(error)], broken: [], passed: []}));
"""

# WCAG 2.5.8 (target size), which this axe-core does not know. Phrases are in a sentence; a box has the same function as
# its phrase. A smaller target must be so far from others that circles of 24 pixels do not meet.
CRAMPED = """
const selector = 'a:not(.skip), button:not(.box), input, select, summary, [tabindex="0"]:not(.phrase, .box)';
const page = document.querySelector('dialog[open]') ?? document; // what is behind a dialog is inert
const targets = [...page.querySelectorAll(selector)].filter((one) => one.checkVisibility());
const boxes = new Map(targets.map((one) => [one, one.getBoundingClientRect()]));
const isSmall = (box) => box.width < 24 || box.height < 24;
const between = (value, low, high) => Math.max(low, Math.min(value, high));
function distance(from, to) {
  const [x, y] = [from.left + from.width / 2, from.top + from.height / 2];
  if (isSmall(to)) return Math.hypot(x - to.left - to.width / 2, y - to.top - to.height / 2) - 12;
  return Math.hypot(x - between(x, to.left, to.right), y - between(y, to.top, to.bottom));
}
const related = (one, other) => one.contains(other) || other.contains(one);
const cramped = (one) =>
  targets.some((other) => !related(one, other) && distance(boxes.get(one), boxes.get(other)) < 12);
return targets.filter((one) => isSmall(boxes.get(one)) && cramped(one)).map((one) => one.outerHTML.slice(0, 200));
"""


FITS = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"


def check(browser):
    """Checks that axe-core has no violation, and that it could judge contrast."""
    from axe_core_python.base import AXE_SCRIPT

    browser.execute_script(AXE_SCRIPT)
    found = browser.execute_async_script(RUN_AXE)
    assert found["violations"] == []
    assert found["broken"] == []
    assert "color-contrast" in found["passed"]
    assert browser.execute_script(CRAMPED) == []


def check_states(browser):
    """Checks a page of the viewer in each of its states."""
    check(browser)
    click(browser, "#ghosts")
    check(browser)
    click(browser, ".card .phrase[class*=colour-]")
    check(browser)
    click(browser, ".card .claim:has(.object)")
    check(browser)
    click(browser, ".card:has(.claim) .frame")
    check(browser)
    click(browser, ".large .phrase[class*=colour-]")
    check(browser)
    click(browser, ".large .claim")
    check(browser)
    click(browser, "dialog .close")
    for details in find(browser, "details"):
        browser.execute_script("arguments[0].open = true", details)
    check(browser)
    find(browser, "#filter-text")[0].send_keys("nothing has these words")
    browser.execute_async_script(SETTLED)
    assert find(browser, "#empty")[0].is_displayed()
    check(browser)


SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])
WIDTHS = pytest.mark.parametrize("width", [1300, 400])


@SCHEMES
def test_the_page_of_a_run(chromium, finished, tmp_path, scheme):
    view(finished, tmp_path / "view", samples=8)
    with opened(chromium, tmp_path / "view/index.html", scheme=scheme) as browser:
        check_states(browser)


@SCHEMES
@WIDTHS
def test_a_page_of_pairs_that_are_hard_to_lay_out(chromium, finished, tmp_path, scheme, width):
    hard_pairs.write_page(finished, tmp_path / "view", hard_pairs.hard_pairs())
    with opened(chromium, tmp_path / "view/index.html", width, 3000, scheme) as browser:
        assert browser.execute_script(FITS)
        check_states(browser)


def forget_answers(browser):
    browser.execute_script("localStorage.clear()")
    browser.refresh()
    browser.execute_async_script(SETTLED)


@SCHEMES
@WIDTHS
def test_the_page_that_asks_about_boxes(chromium, finished, tmp_path, scheme, width):
    view(finished, tmp_path / "view", samples=20, clicks=4)
    with opened(chromium, tmp_path / "view/clicks.html", width, scheme=scheme) as browser:
        forget_answers(browser)
        for answer in ("#yes", "#no", "#skipped", "#yes"):
            assert browser.execute_script(FITS)
            check(browser)
            click(browser, answer)
        assert "all have an answer" in find(browser, "#question")[0].text
        check(browser)


@WIDTHS
def test_boxes_that_are_hard_to_lay_out(chromium, finished, tmp_path, width):
    hard_pairs.write_page(finished, tmp_path / "view", hard_pairs.hard_pairs())
    with opened(chromium, tmp_path / "view/clicks.html", width, 900) as browser:
        forget_answers(browser)
        longest = 0
        while find(browser, "#show img"):
            assert browser.execute_script(FITS)
            length = len(find(browser, "#show .caption")[0].text)
            if length > longest:
                longest = length
                check(browser)
            click(browser, "#yes")
        assert longest > 6000
        assert int(find(browser, "#tally-yes")[0].text) > 50


@SCHEMES
def test_a_page_without_pairs(chromium, finished, tmp_path, scheme):
    hard_pairs.write_page(finished, tmp_path / "view", [])
    with opened(chromium, tmp_path / "view/index.html", scheme=scheme) as browser:
        check(browser)


def test_small_targets_next_to_each_other_are_found(chromium, finished):
    with opened(chromium, finished / "report.html") as browser:
        browser.execute_script(
            "for (let at = 0; at < 2; at++) {"
            " const button = document.createElement('button'); button.style.cssText = 'padding: 0; font-size: 8px';"
            " button.textContent = 'ab'; document.body.append(button); }"
        )
        assert len(browser.execute_script(CRAMPED)) == 2


@SCHEMES
@WIDTHS
def test_the_report(chromium, finished, scheme, width):
    with opened(chromium, finished / "report.html", width, scheme=scheme) as browser:
        assert browser.execute_script(FITS)
        check(browser)
        click(browser, "summary")
        check(browser)


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    """The folder of a calibration with a threshold, of one without images, and of one without true boxes."""
    folder = tmp_path_factory.mktemp("calibrated")
    Image.new("RGB", (80, 40)).save(folder / "a.png")
    truth = [{"text": "a dog", "boxes": [[0.25, 0.25, 0.75, 0.75]]}, {"text": "a sky", "boxes": []}]
    config = {"detector": {"model": "tests.plugin_detectors:everywhere"}, "phrases": {"model": "caption-parser"}}
    for name, image in (("whole", "a.png"), ("none", "gone.png")):
        row = {"image": image, "caption": "", "truth": truth, "absent": ["a ship"]}
        (folder / f"{name}.jsonl").write_text(json.dumps(row) + "\n")
        gritmill.calibrate(config, truth=folder / f"{name}.jsonl", output=folder / name, precision=0.2)
    row = {"image": "a.png", "caption": "two dogs near a long bench and a very small ship", "id": 1}
    (folder / "pairs.jsonl").write_text(json.dumps(row) + "\n")
    gritmill.ground(config, inputs=folder / "pairs.jsonl", output=folder / "run")
    gritmill.calibrate(config, without_truth=folder / "run", output=folder / "numbers")
    clicks = write(folder, made(["no", None, "yes"] * 10))
    gritmill.calibrate(clicks=clicks, output=folder / "clicks")
    return folder


@SCHEMES
@WIDTHS
def test_the_calibration(chromium, calibrated, scheme, width):
    for name, charts in (("whole", 3), ("none", 0), ("numbers", 2), ("clicks", 2)):
        with opened(chromium, calibrated / name / "calibration.html", width, scheme=scheme) as browser:
            assert len(find(browser, "svg")) == charts
            assert browser.execute_script(FITS)
            check(browser)
