"""The page in a real browser: headless chromium of Debian opens it from disk."""

import json

import pytest
from PIL import Image

import gritmill
from gritmill.pages.viewer.page import _STATIC_FILES
from gritmill.pages.viewer.view import view
from pipeline.tables.detections import read_all
from tests import sample_pairs
from tests.gritmill.pages.viewer.browsing import IN_CHROMIUM, SETTLED, choose, find, opened, press, slide
from tests.gritmill.pages.viewer.conftest import ODD, counted, policy_of
from tests.unsealed import unsealed
from transforms.selection.judge import Kept, Rejected, judge
from transforms.selection.select_boxes import select

pytestmark = IN_CHROMIUM


@pytest.fixture(scope="module")
def page(finished, tmp_path_factory):
    """The folder of a page of all samples."""
    folder = tmp_path_factory.mktemp("page") / "out"
    view(finished, folder)
    return folder


@pytest.fixture
def browser(chromium, page):
    for log in ("browser", "performance"):
        chromium.get_log(log)
    chromium.get(f"file://{page}/index.html")
    chromium.execute_async_script(SETTLED)
    return chromium


def test_the_page_of_a_run_with_boxes_of_the_source_alone_speaks_of_no_floor(chromium, finished, tmp_path):
    columns = {"boxes": "noun_chunks", "expressions": "ref_exps", "heads": "heads"}
    source = {"columns": columns, "boxes": {"format": "grit"}}
    config = sample_pairs.settings("caption-parser", "tests.plugin_detectors:scattered", source=source)
    gritmill.run(config, inputs=finished / "shards", output=tmp_path / "out")
    view(tmp_path / "out", tmp_path / "view")
    with opened(chromium, tmp_path / "view/index.html") as browser:
        assert browser.get_log("browser") == []
        assert len(shown(browser)) == len(list(gritmill.read(tmp_path / "out")))
        note = find(browser, "#threshold-note")[0].text
        assert note.startswith("Threshold of the run ")
        assert "detector.floor" not in note


def judgements(browser):
    return browser.execute_script(
        "return gritmill.judgements().map((j) => [j.outcome, j.reason, j.boxes.map((b) => b.index)])"
    )


def shown(browser):
    return browser.execute_script("return gritmill.list()")


def test_it_opens_from_disk_without_a_fault_or_a_request_elsewhere(browser, finished, page):
    from selenium.webdriver.common.keys import Keys

    assert browser.title == f"{finished.name} · gritmill view"
    press(browser, "j", Keys.END)
    browser.execute_async_script(SETTLED)
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
    assert {url.rpartition("/")[2] for url in asked} > {"index.html", *_STATIC_FILES, "data.js", "00000.jpg"}
    # chrome:// is the first page of the browser.
    assert [url for url in asked if not url.startswith((f"file://{page}/", "data:", "chrome://"))] == []
    resources = browser.execute_script("return performance.getEntriesByType('resource').map((e) => e.name)")
    assert all(name.startswith(("file:", "data:")) for name in resources)
    assert browser.get_log("browser") == []
    assert "80 of 80 samples" in find(browser, "#status")[0].text
    assert browser.execute_script("return [...document.images].every((i) => !i.complete || i.naturalWidth > 0)")


def test_a_screenshot_is_of_something(browser, tmp_path):
    assert browser.save_screenshot(str(tmp_path / "page.png"))
    with Image.open(tmp_path / "page.png") as picture:
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 200


def test_both_pages_show_the_warnings_of_the_manifest_and_the_origin_of_the_threshold(chromium, browser, copied):
    assert [one.is_displayed() for one in find(browser, "#warnings")] == [False]
    assert "Threshold of the run 0.8: as set in the configuration. " in find(browser, "#threshold-note")[0].text
    manifest = unsealed(copied / "manifest.json")
    manifest["warnings"] = ["boxes on <b>photos</b> mean nothing", "two"]
    (copied / "manifest.json").write_text(json.dumps(manifest))
    view(copied, copied / "view")
    for name in ("index.html", "clicks.html"):
        chromium.get(f"file://{copied}/view/{name}")
        chromium.execute_async_script(SETTLED)
        assert [one.text for one in find(chromium, "#warnings")] == ["boxes on <b>photos</b> mean nothing. two"]
        assert chromium.get_log("browser") == []


def table_of(run):
    return json.loads((run / "statistics.json").read_text())["thresholds"]


def test_at_every_threshold_each_sample_has_the_boxes_that_pack_would_keep(browser, finished):
    manifest = json.loads((finished / "manifest.json").read_text())
    pairs = list(read_all(str(finished / "detections")))
    table = table_of(finished)
    outcomes = set()
    for stop in (0, 1, 5, 17, 30, 45, 55, 62, 80, 94, 95):
        slide(browser, stop)
        policy = policy_of(manifest, table["score"][stop])
        for pair, (outcome, reason, boxes) in zip(pairs, judgements(browser), strict=True):
            wanted = judge(pair, policy)
            if isinstance(wanted, Kept):
                assert (outcome, reason) == ("kept", "")
            elif isinstance(wanted, Rejected):
                assert (outcome, reason) == ("rejected", wanted.reason)
            else:
                assert (outcome, reason) == ("failed", f"{wanted.stage}: {wanted.reason}")
            groundings = [] if pair.error else select(pair, policy.selection, policy.threshold)
            assert [pair.boxes[index] for index in boxes] == [grounding.box for grounding in groundings]
            outcomes.add((outcome, reason))
    assert len(outcomes) == 6


def test_what_is_drawn_is_what_was_judged(browser):
    for stop in (3, 70):
        slide(browser, stop)
        drawn = browser.execute_script(
            "return [...document.querySelectorAll('.card')].slice(0, 6).map((card) => [Number(card.dataset.sample),"
            " [...card.querySelectorAll('.box')].map((b) => Number(b.dataset.candidate)),"
            " [...card.querySelectorAll('.phrase .number')].length])"
        )
        wanted = judgements(browser)
        assert all(sorted(boxes) == sorted(wanted[sample][2]) for sample, boxes, _ in drawn)
        assert any(boxes for _, boxes, _ in drawn)


def test_the_counts_are_those_of_the_table_and_all_samples_together_agree(browser, finished):
    manifest = json.loads((finished / "manifest.json").read_text())
    pairs = list(read_all(str(finished / "detections")))
    table = table_of(finished)
    assert find(browser, "#threshold-value")[0].text == "0.8"
    for stop in (0, 33, 55, 90, 95):
        slide(browser, stop)
        names = ("pairs", "phrases", "boxes")
        whole, own = ([int(find(browser, f"#{side}-{n}")[0].text) for n in names] for side in ("all", "own"))
        assert whole == [table[name][stop] for name in names]
        assert own == list(counted(pairs, manifest, table["score"][stop]))
    find(browser, "#own")[0].click()
    assert find(browser, "#threshold-value")[0].text == "0.8"


def test_a_phrase_and_its_boxes_light_each_other(browser):
    from selenium.webdriver import ActionChains

    phrase = next(p for p in find(browser, ".card .phrase[class*=colour-]"))
    number = phrase.get_attribute("data-phrase")
    card = phrase.find_element("xpath", "ancestor::article")
    boxes = card.find_elements("css selector", f".box[data-phrase='{number}']")
    lit = "return [...arguments[0].querySelectorAll('.lit')].map((e) => e.dataset.phrase ?? e.dataset.within)"
    assert browser.execute_script(lit, card) == []
    for one in (phrase, boxes[-1]):
        ActionChains(browser).move_to_element(one).perform()
        found = browser.execute_script(lit, card)
        assert set(found) == {number}
        assert len(found) >= 1 + len(boxes)
        ActionChains(browser).move_to_element(find(browser, "h1")[0]).perform()
        assert browser.execute_script(lit, card) == []


def test_a_click_keeps_a_phrase_lit(browser):
    from selenium.webdriver import ActionChains

    phrase = find(browser, ".card .phrase[class*=colour-]")[0]
    phrase.click()
    ActionChains(browser).move_to_element(find(browser, "h1")[0]).perform()
    assert phrase.get_attribute("aria-pressed") == "true"
    assert "lit" in phrase.get_attribute("class").split()
    phrase.click()
    assert phrase.get_attribute("aria-pressed") == "false"


def test_filters_narrow_the_gallery(browser, finished):
    pairs = list(read_all(str(finished / "detections")))
    find(browser, "#filter-text")[0].send_keys("Red dog")
    texts = [[pair.caption[p.expression_start : p.expression_end] for p in pair.phrases] for pair in pairs]
    wanted = [n for n, found in enumerate(texts) if any("red dog" in text.lower() for text in found)]
    assert 0 < len(wanted) < len(pairs)
    assert shown(browser) == wanted
    assert len(find(browser, ".card")) == len(wanted)
    find(browser, "button[type=reset]")[0].click()
    browser.execute_async_script(SETTLED)
    assert len(shown(browser)) == len(pairs)
    judged = judgements(browser)
    for option in ("rejected · no_box", "failed", "rejected", "kept"):
        choose(browser, "#filter-way", option)
        outcome, _, reason = option.partition(" · ")
        assert shown(browser) == [n for n, j in enumerate(judged) if j[0] == outcome and reason in ("", j[1])] != []
    find(browser, "#boxes-from")[0].send_keys("3")
    assert shown(browser) == [n for n, j in enumerate(judged) if j[0] == "kept" and len(j[2]) >= 3] != []
    find(browser, "#score-from")[0].send_keys("0.95")
    best = [max((pairs[n].boxes[i].score for i in j[2]), default=0) for n, j in enumerate(judged)]
    assert shown(browser) == [n for n, j in enumerate(judged) if len(j[2]) >= 3 and j[0] == "kept" and best[n] >= 0.95]


def test_captions_and_heads_stay_text(browser):
    from selenium.webdriver.support.expected_conditions import alert_is_present

    captions = browser.execute_script(
        "return [...document.querySelectorAll('.card .caption')].slice(0, arguments[0]).map((c) => {"
        " const copy = c.cloneNode(true); copy.querySelectorAll('.number').forEach((n) => n.remove());"
        " return copy.textContent; })",
        len(ODD),
    )
    wanted = [text.replace("\u202e", "⟨U+202E⟩").replace("\u2028", "⟨U+2028⟩") for text in ODD]
    assert captions == [*wanted[:-1], "no caption"]
    assert not alert_is_present()(browser)
    assert find(browser, "main script, main b, .caption img") == []
    assert "<b>dog</b>" in browser.execute_script("return document.getElementById('charts').textContent")


def test_keys_move_from_card_to_card(browser):
    from selenium.webdriver.common.keys import Keys

    focused = "return document.activeElement.closest('.card')?.dataset.sample"
    browser.execute_script("document.activeElement.blur()")
    wanted = []
    for key in ("j", "j", Keys.ARROW_RIGHT, "k", Keys.ARROW_LEFT, Keys.END, Keys.HOME):
        press(browser, key)
        wanted.append(browser.execute_script(focused))
    assert wanted == ["0", "1", "2", "1", "0", "79", "0"]
    press(browser, Keys.ARROW_DOWN)
    assert browser.execute_script(focused) not in ("0", "1")
    press(browser, Keys.HOME, Keys.TAB)
    inside = browser.switch_to.active_element
    assert inside.get_attribute("data-phrase") is not None
    press(browser, Keys.ENTER)
    assert inside.get_attribute("aria-pressed") == "true"
    press(browser, Keys.ESCAPE)
    assert inside.get_attribute("aria-pressed") == "false"
    press(browser, "/")
    assert browser.switch_to.active_element.get_attribute("id") == "filter-text"


def test_enter_enlarges_and_escape_comes_back(browser):
    from selenium.webdriver.common.keys import Keys

    browser.execute_script("document.activeElement.blur()")
    press(browser, "j", Keys.ENTER)
    assert find(browser, "dialog[open] .candidates tbody tr")
    press(browser, "j")
    assert find(browser, "dialog")[0].get_attribute("data-sample") == "1"
    press(browser, Keys.ESCAPE)
    browser.execute_async_script(SETTLED)
    assert not find(browser, "dialog[open]")
    assert browser.switch_to.active_element.get_attribute("data-sample") == "1"


def test_every_control_has_a_name_and_every_chart_a_table(browser):
    nameless = browser.execute_script(
        "return [...document.querySelectorAll('input, select, button, summary, [role=button]')].filter((e) =>"
        " !(e.labels?.length || e.ariaLabel || e.getAttribute('aria-labelledby') || e.textContent.trim()))"
        ".map((e) => e.outerHTML)"
    )
    assert nameless == []
    assert find(browser, "#status[role=status]")
    charts = find(browser, "#charts figure")
    assert len(charts) == 7
    assert all(chart.find_elements("css selector", "svg[role=img][aria-label]") for chart in charts)
    assert all(chart.find_elements("css selector", "details table") for chart in charts)
