"""The claims on the page in a real browser: lines, highlights, filters, and the slider."""

import json

import pytest

import gritmill
from gritmill.pages.viewer.view import view
from pipeline.tables.detections import read_all
from tests import sample_pairs
from tests.gritmill.pages.viewer.browsing import IN_CHROMIUM, SETTLED, choose, find, opened, press, slide
from tests.gritmill.pages.viewer.conftest import SAID, policy_of, read
from transforms.claims.verdicts import Verdict
from transforms.selection.check_kept import check_pair
from transforms.selection.judge import Rejected, judge
from transforms.selection.select_boxes import select

pytestmark = IN_CHROMIUM

LINES = """
return [...document.querySelectorAll('.card')].map((card) => [...card.querySelectorAll('.claim')].map((line) =>
  ['.sign', '.verdict', '.measured'].map((part) => line.querySelector(part).textContent.trim())));
"""
OUTCOMES = "return gritmill.judgements().map((one) => [one.outcome, one.reason])"
SIGNS = {Verdict.SUPPORTED: "✓", Verdict.CONTRADICTED: "✗", Verdict.UNDECIDED: "?"}


@pytest.fixture(scope="module")
def page(claimed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("claims") / "view"
    view(claimed, folder)
    return folder


@pytest.fixture
def browser(chromium, page):
    with opened(chromium, page / "index.html", height=5000) as browser:
        yield browser


@pytest.fixture(scope="module")
def pairs(claimed):
    return list(read_all(str(claimed / "detections")))


@pytest.fixture
def checked(claimed, pairs):
    """Returns the verdicts of each pair at a threshold; none for a pair without boxes."""
    manifest = json.loads((claimed / "manifest.json").read_text())

    def check(score):
        policy = policy_of(manifest, score)
        kept = [select(pair, policy.selection, score) for pair in pairs]
        found = [check_pair(pair, boxes, policy.selection, score) for pair, boxes in zip(pairs, kept, strict=True)]
        return [verdicts if boxes else () for verdicts, boxes in zip(found, kept, strict=True)]

    return check


def line_of(checked):
    numbers = ", ".join(f"{name} {value:g}" for name, value in checked.measured.items())
    return [SIGNS[checked.verdict], checked.verdict, numbers or "nothing measured"]


def test_each_card_shows_the_verdicts_of_its_stop_and_the_outcome_follows(browser, claimed, page, pairs, checked):
    manifest = json.loads((claimed / "manifest.json").read_text())
    scores = read(page)["stops"]["score"]
    for stop in (0, 20, 37, 50, 71, len(scores) - 1):
        slide(browser, stop)
        assert browser.execute_script(LINES) == [list(map(line_of, found)) for found in checked(scores[stop])]
        outcomes = browser.execute_script(OUTCOMES)
        for pair, found in zip(pairs, outcomes, strict=True):
            outcome = judge(pair, policy_of(manifest, scores[stop]))
            assert found == (["rejected", outcome.reason] if isinstance(outcome, Rejected) else ["kept", ""])


def test_the_filters_select_by_verdict_and_predicate_and_follow_the_slider(browser, page, pairs, checked):
    scores = read(page)["stops"]["score"]
    sizes = set()
    choose(browser, "#filter-verdict", "contradicted")
    for stop in (20, 37, 60):
        slide(browser, stop)
        found = checked(scores[stop])
        for key, wanted in (
            ("", lambda claim: True),
            ("relation", lambda claim: claim.kind == "relation"),
            ("count exactly 2", lambda claim: (claim.predicate, claim.number) == ("exactly", 2)),
        ):
            choose(browser, "#filter-claim", key)
            listed = [
                number
                for number, (pair, verdicts) in enumerate(zip(pairs, found, strict=True))
                for claim, one in zip(pair.claims, verdicts, strict=False)
                if one.verdict == "contradicted" and wanted(claim)
            ]
            listed = list(dict.fromkeys(listed))
            assert browser.execute_script("return gritmill.list()") == listed
            chosen = browser.execute_script("return document.querySelector('#filter-claim').selectedOptions[0].text")
            assert chosen.endswith(f"({len(listed)})")
            sizes.add(len(listed))
    assert len(sizes) > 2
    find(browser, "button[type=reset]")[0].click()
    browser.execute_async_script(SETTLED)
    assert len(browser.execute_script("return gritmill.list()")) == len(pairs)


MARKED = """
const card = arguments[0];
const text = (name) =>
  [...card.querySelectorAll(`.caption [data-from].${name}`)].map((one) => one.textContent).join('');
const boxes = (name) => [...card.querySelectorAll(name)].map((one) => Number(one.dataset.phrase));
return [text('words'), text('subject'), text('object'), boxes('.box.subject.lit'), boxes('.box.object.lit'),
  boxes('.box:not(.lit)'), card.querySelectorAll('.claim.lit').length];
"""


def test_a_claim_lights_its_words_and_the_boxes_of_its_subject_and_object(browser):
    from selenium.webdriver import ActionChains

    slide(browser, 20)
    card = find(browser, ".card")[SAID.index("a green house between a tree and a red tree")]
    line = next(one for one in card.find_elements("css selector", ".claim") if "between" in one.text)
    measured = line.find_element("css selector", ".measured")
    phrases = [int(box.get_attribute("data-phrase")) for box in card.find_elements("css selector", ".box")]
    assert not measured.is_displayed()
    ActionChains(browser).move_to_element(line).perform()
    words, subject, objects, of_subject, of_object, others, lit = browser.execute_script(MARKED, card)
    assert (words, subject, objects, others, lit) == ("between", "a green house", "a treea red tree", [], 1)
    assert sorted(of_subject) == [phrase for phrase in sorted(phrases) if phrase == 0]
    assert sorted(of_object) == [phrase for phrase in sorted(phrases) if phrase > 0]
    assert measured.is_displayed()
    assert measured.text.startswith("along ")
    ActionChains(browser).move_to_element(find(browser, "h1")[0]).perform()
    assert browser.execute_script(MARKED, card) == ["", "", "", [], [], phrases, 0]
    styles = "return getComputedStyle(document.querySelector(arguments[0])).borderTopStyle"
    line.click()
    assert [browser.execute_script(styles, f".box.{side}") for side in ("subject", "object")] == ["solid", "dotted"]


def test_the_subject_of_a_claim_without_a_phrase_or_box_is_marked_in_the_caption(browser):
    slide(browser, 20)
    card = find(browser, ".card")[SAID.index("a cat on the left side of the picture and no car")]
    for said, marked in (
        ("left side", ("on the left side of the picture", "a cat", "", [0], [], [])),
        ("none", ("no", "no car", "", [], [], [0])),
    ):
        line = next(one for one in card.find_elements("css selector", ".claim") if said in one.text)
        browser.execute_script("arguments[0].focus()", line)
        *texts, of_subject, of_object, others, _ = browser.execute_script(MARKED, card)
        assert (*texts, sorted(set(of_subject)), of_object, sorted(set(others))) == marked


def test_keys_reach_a_claim_and_keep_it_lit_while_the_slider_moves(browser):
    from selenium.webdriver.common.keys import Keys

    slide(browser, 20)
    browser.execute_script("document.activeElement.blur()")
    press(browser, "j")
    for _ in range(60):
        press(browser, Keys.TAB)
        inside = browser.switch_to.active_element
        if inside.get_attribute("data-claim") == "1":
            break
    card = inside.find_element("xpath", "ancestor::article")
    assert card.get_attribute("data-sample") == "0"
    assert browser.execute_script(MARKED, card)[:3] == ["on the left of", "two red dogs", "a blue cat"]
    press(browser, Keys.ENTER)
    assert inside.get_attribute("aria-pressed") == "true"
    slide(browser, 40)
    assert browser.execute_script(MARKED, card)[:3] == ["on the left of", "two red dogs", "a blue cat"]
    browser.execute_script("arguments[0].focus()", card.find_elements("css selector", ".claim")[1])
    press(browser, Keys.ESCAPE)
    browser.execute_script("document.activeElement.blur()")
    assert browser.execute_script(MARKED, card)[6] == 0


def test_an_enlarged_pair_shows_the_numbers_of_all_its_claims(browser):
    slide(browser, 20)
    browser.execute_script("document.querySelector('.card .frame').click()")
    measured = find(browser, "dialog .measured")
    assert len(measured) == 3
    assert all(one.is_displayed() for one in measured)


def test_a_run_that_reads_no_claims_shows_no_controls_and_no_lines(chromium, tmp_path):
    config = sample_pairs.settings("caption-parser", "tests.plugin_detectors:scattered", phrases={"claims": False})
    gritmill.run(config, inputs=sample_pairs.as_jsonl(sample_pairs.drawn(2), tmp_path / "in"), output=tmp_path / "run")
    view(tmp_path / "run")
    with opened(chromium, tmp_path / "run/view/index.html") as browser:
        assert len(find(browser, ".card .box")) > 2
        assert not find(browser, "#claim-filters")[0].is_displayed()
        assert find(browser, ".claims, .claim, .caption [data-from]") == []
        assert "Claims by verdict" not in find(browser, "#charts")[0].text
