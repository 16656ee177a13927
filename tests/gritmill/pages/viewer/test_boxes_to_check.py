"""The page that asks about boxes: which boxes, and what it saves."""

import json
import time
from collections import Counter
from pathlib import Path

import pytest

import gritmill
from gritmill.clicks.clicks_file import read_clicks
from gritmill.pages.viewer.pick_pairs import pick_pairs
from gritmill.pages.viewer.view import view
from pipeline.plan.plan import read_plan
from pipeline.tables.detections import read_all
from tests.gritmill.pages.viewer.browsing import IN_CHROMIUM, SETTLED, find, press
from tests.gritmill.pages.viewer.conftest import policy_of
from tests.gritmill.pages.viewer.hard_pairs import pair, write_page
from tests.gritmill.pages.viewer.test_page import read
from transforms.grit_record import uid
from transforms.selection.judge import Kept, judge
from transforms.selection.threshold_sweep import rank_candidates


@pytest.fixture(scope="module")
def page(finished, tmp_path_factory):
    folder = tmp_path_factory.mktemp("asking") / "out"
    assert view(finished, folder, clicks=60)["asked"] == 60
    return folder


def test_each_box_is_one_that_pack_would_write_at_a_threshold_up_to_its_score(page, finished):
    data = read(page)
    manifest = json.loads((finished / "manifest.json").read_text())
    pairs = {uid(pair.source, pair.index): pair for pair in read_all(str(finished / "detections"))}
    stops, clicks = data["stops"]["score"], data["clicks"]
    several = 0
    for asked, (sample, box, better) in zip(clicks["file"]["boxes"], clicks["places"], strict=True):
        pair = pairs[asked["uid"]]
        assert pair.key == asked["key"] == data["samples"][sample]["key"]
        assert data["samples"][sample]["boxes"][box][1:] == [*asked["box"], asked["score"]]
        found = pair.boxes[box]
        stop = max(score for score in stops if score <= found.score)
        outcome = judge(pair, policy_of(manifest, stop))
        assert isinstance(outcome, Kept)
        assert found in [one.box for one in outcome.groundings]
        ranked = [one.box for one in rank_candidates(pair, policy_of(manifest)) if one.box.phrase == found.phrase]
        assert [pair.boxes[at] for at in better] == ranked[: ranked.index(found)]
        assert (pair.phrases[found.phrase].start, pair.phrases[found.phrase].end) == (asked["start"], asked["end"])
        several += len(better)
    assert several > 0
    below = [one for one in clicks["file"]["boxes"] if one["score"] < manifest["threshold"]["score"]]
    assert 20 < len(below) < 60
    # 42 images have boxes, so that 18 have a second one.
    images = Counter(data["samples"][sample]["picture"] for sample, _, _ in clicks["places"])
    assert max(images.values()) == 2


def test_the_weights_are_the_boxes_of_the_whole_run(page, finished):
    file = read(page)["clicks"]["file"]
    table = json.loads((finished / "statistics.json").read_text())["thresholds"]
    assert file["thresholds"] == {name: table[name] for name in ("score", "boxes")}
    assert file["threshold"]["score"] == 0.8


def test_a_pair_of_a_rare_outcome_stands_for_fewer_rows(finished):
    folder = str(finished / "detections")
    policy = policy_of(json.loads((finished / "manifest.json").read_text()))
    plan = read_plan(folder)
    assert {one.weight for one in pick_pairs(folder, plan, policy, 1000, 0)} == {1.0}
    picked = pick_pairs(folder, plan, policy, 20, 0)
    assert sum(one.weight for one in picked) == pytest.approx(80)
    by_outcome = {one.outcome_key: one.weight for one in picked}
    assert by_outcome["kept", "", ""] > by_outcome["failed", "image", "not_an_image"]


def test_a_run_without_boxes_asks_nothing(tmp_path, finished, monkeypatch):
    monkeypatch.setattr("gritmill.pages.viewer.boxes_to_check._candidates", lambda *_: iter(()))
    assert view(finished, tmp_path / "out", samples=5)["asked"] == 0
    assert read(tmp_path / "out")["clicks"]["places"] == []


def test_pairs_whose_image_is_missing_are_not_asked_about(tmp_path, finished, monkeypatch):
    monkeypatch.setattr("gritmill.pages.viewer.page.write_pictures", lambda _, picked, *__: [("", None)] * len(picked))
    assert view(finished, tmp_path / "out", samples=20)["asked"] == 0


def test_another_seed_has_its_own_file(tmp_path, finished):
    view(finished, tmp_path / "a", samples=20, seed=-(10**30), clicks=5)
    view(finished, tmp_path / "b", samples=20, seed=1, clicks=5)
    one, other = (read(tmp_path / name)["clicks"]["file"] for name in "ab")
    assert one["seed"] == f"-1{'0' * 30}"
    assert one["digest"] != other["digest"]


def opened(chromium, page):
    chromium.get(f"file://{page}/clicks.html")
    chromium.execute_async_script(SETTLED)
    return chromium


def answers(browser):
    return [one["answer"] for one in browser.execute_script("return gritmill.clicks().boxes")]


@IN_CHROMIUM[0]
@IN_CHROMIUM[1]
def test_answers_are_given_undone_kept_saved_and_loaded(chromium, page, tmp_path):
    from selenium.webdriver.common.keys import Keys

    chromium.get_log("browser")
    browser = opened(chromium, page)
    browser.execute_script("localStorage.clear()")
    browser.refresh()
    assert find(browser, "#count")[0].text == "box 1 of 60"
    press(browser, "y", "n", Keys.ARROW_RIGHT, Keys.ARROW_LEFT, "s", " ", "y")
    press(browser, "u", "z", Keys.BACKSPACE, "n")
    given = ["yes", "no", "yes", "no", "no"]
    assert answers(browser)[:6] == [*given, None]
    find(browser, "#yes")[0].click()
    press(browser, " ")  # the button has lost the focus: the space bar skips
    given += ["yes", "skipped"]
    assert answers(browser)[:8] == [*given, None]
    assert find(browser, "#count")[0].text == "box 8 of 60"
    assert "Yes: 50 % of 6 answers, 95 % interval 19 to 81 %." in find(browser, "#estimate")[0].text
    assert [find(browser, f"#tally-{name}")[0].text for name in ("yes", "no", "skipped")] == ["3", "3", "1"]

    browser = opened(chromium, page)
    assert answers(browser)[:8] == [*given, None]
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    find(browser, "#save")[0].click()
    saved = wait_for(tmp_path / "clicks.json")
    assert [one.answer for one in read_clicks(str(saved)).boxes][:8] == [*given, None]
    result = gritmill.calibrate(clicks=saved, output=tmp_path / "out")
    assert result["clicks"] == {"asked": 60, "answers": 7, "yes": 3, "no": 3, "skipped": 1}

    browser.execute_script("localStorage.clear()")
    browser = opened(chromium, page)
    press(browser, "n")
    (tmp_path / "other.json").write_text(json.dumps({"gritmill_clicks": 1, "digest": "", "boxes": []}))
    for name, said in (("other.json", "it is about other boxes"), ("data.js", "it is not JSON")):
        find(browser, "#load")[0].send_keys(
            str(next(folder / name for folder in (tmp_path, page) if (folder / name).exists()))
        )
        browser.execute_async_script(SETTLED)
        assert said in find(browser, "#status")[0].text
        assert answers(browser)[:2] == ["no", None]
    find(browser, "#load")[0].send_keys(str(saved))
    browser.execute_async_script(SETTLED)
    assert "7 answers loaded from clicks.json" in find(browser, "#status")[0].text
    assert answers(browser)[:8] == [*given, None]
    assert browser.get_log("browser") == []


@IN_CHROMIUM[0]
@IN_CHROMIUM[1]
def test_what_the_page_shows_and_saves_is_what_it_was_given(chromium, finished, tmp_path):
    """Entities, characters of two code units and Hebrew before the phrase; a corner of -0.0, which JavaScript saves as
    0."""
    caption = "\U0001f600 &lt;\u05db\u05dc\u05d1 \U0001f468\U0001f3fd and a &amp; red dog & \U0001f436."
    phrase = "a &amp; red dog"
    one = pair("<b>key</b> \U0001f600", caption, [phrase], [(0, -0.0, 0.25, 0.5, 1.0)])
    write_page(finished, tmp_path / "view", [one])
    browser = opened(chromium, tmp_path / "view")
    assert find(browser, "#question")[0].text == f"Is the box right for {phrase}?"
    assert [mark.text for mark in find(browser, ".caption mark")] == [phrase]
    assert find(browser, ".caption")[0].get_property("textContent") == caption
    press(browser, "y")
    saved = tmp_path / "clicks.json"
    saved.write_text(browser.execute_script("return JSON.stringify(gritmill.clicks())"))
    (box,) = read_clicks(str(saved)).boxes
    assert (box.key, box.answer, box.box) == (one.key, "yes", (0.0, 0.25, 0.5, 1.0))


def wait_for(path: Path) -> Path:
    for _ in range(100):
        if path.exists():
            return path
        time.sleep(0.1)
    raise AssertionError(f"{path.name} was not saved")
