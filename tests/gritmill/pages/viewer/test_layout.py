"""Badges, long captions and texts of pairs that are hard to lay out."""

import random

import pytest

import gritmill
from gritmill.pages.viewer.view import view
from tests import sample_pairs
from tests.gritmill.pages.viewer import hard_pairs
from tests.gritmill.pages.viewer.browsing import IN_CHROMIUM, SETTLED, click, find, opened, press

pytestmark = IN_CHROMIUM
CASES = [pair.key for pair in hard_pairs.hard_pairs()]

MEASURED = """
const round = ({left, top, right, bottom}) => [left, top, right, bottom];
return [...arguments[0].querySelectorAll('.box')].map((box) => {
  const tag = box.querySelector('.tag');
  return {box: round(box.getBoundingClientRect()), badge: round(tag.getBoundingClientRect()),
    frame: round(box.closest('.frame').getBoundingClientRect()), visible: getComputedStyle(tag).visibility};
});
"""


@pytest.fixture(scope="module")
def hard(finished, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hard") / "view"
    hard_pairs.write_page(finished, folder, hard_pairs.hard_pairs())
    return folder / "index.html"


def shared(a, b):
    return max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))


def is_inside(inner, outer):
    return (
        inner[0] > outer[0] - 0.1
        and inner[1] > outer[1] - 0.1
        and inner[2] < outer[2] + 0.1
        and inner[3] < outer[3] + 0.1
    )


def is_small(box):
    return box[2] - box[0] < 50 or box[3] - box[1] < 48


def check_badges(found):
    """Checks that no badge leaves the frame, covers a small box or covers another badge."""
    for number, one in enumerate(found):
        assert one["badge"][2] - one["badge"][0] >= 15
        assert is_inside(one["badge"], one["frame"])
        assert [
            other["box"] for other in found if is_small(other["box"]) and shared(one["badge"], other["box"]) > 1
        ] == []
        assert [o["badge"] for o in found[number + 1 :] if shared(one["badge"], o["badge"]) > 1] == []


@pytest.mark.parametrize("width", [1300, 800, 400])
def test_a_badge_covers_no_small_box_and_no_badge_and_is_never_cut_off(chromium, hard, width):
    with opened(chromium, hard, width) as browser:
        for number, key in enumerate(CASES):
            card = find(browser, ".card")[number]
            browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", card)
            browser.execute_async_script(SETTLED)
            found = browser.execute_script(MEASURED, card)
            check_badges(found)
            click(browser, ".card .frame", number)
            enlarged = find(browser, "dialog .card")[0]
            assert (
                browser.execute_script("return arguments[0].previousElementSibling.textContent", enlarged) == f"{key}×"
            )
            assert len(browser.execute_script(MEASURED, enlarged)) == len(found) > 0
            check_badges(browser.execute_script(MEASURED, enlarged))
            find(browser, "dialog .close")[0].click()


def test_the_badge_of_a_large_box_is_inside_only_if_there_is_no_room_outside(chromium, hard):
    with opened(chromium, hard) as browser:
        inside = {}
        for key in ("one_large_box", "small_in_large", "long"):
            one = browser.execute_script(MEASURED, find(browser, ".card")[CASES.index(key)])[
                0 if key != "small_in_large" else -1
            ]
            inside[key] = shared(one["box"], one["badge"]) > 1
        assert inside == {"one_large_box": True, "small_in_large": False, "long": False}


def test_a_badge_with_its_score_stays_inside(chromium, hard):
    with opened(chromium, hard) as browser:
        card = find(browser, ".card")[CASES.index("borders")]
        for phrase in card.find_elements("css selector", ".phrase"):
            before = browser.execute_script(MEASURED, card)
            browser.execute_script("arguments[0].focus()", phrase)
            after = browser.execute_script(MEASURED, card)
            number = [b["badge"] != a["badge"] for b, a in zip(before, after, strict=True)].index(True)
            assert after[number]["badge"][2] - after[number]["badge"][0] > 40
            assert is_inside(after[number]["badge"], after[number]["frame"])
            browser.execute_script("arguments[0].blur()", phrase)


def test_badges_follow_the_size_of_the_card_also_while_one_is_lit(chromium, hard):
    with opened(chromium, hard) as browser:
        click(browser, f".card[data-sample='{CASES.index('borders')}'] .phrase")
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {"width": 700, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        )
        browser.execute_async_script(SETTLED)
        card = find(browser, ".card")[CASES.index("borders")]
        browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", card)
        browser.execute_async_script(SETTLED)
        assert all(is_inside(one["badge"], one["frame"]) for one in browser.execute_script(MEASURED, card))
        click(browser, f".card[data-sample='{CASES.index('borders')}'] .phrase")
        check_badges(browser.execute_script(MEASURED, card))


def test_a_candidate_shows_its_badge_alone(chromium, finished, tmp_path):
    view(finished, tmp_path / "view", samples=8)
    with opened(chromium, tmp_path / "view/index.html") as browser:
        click(browser, "#ghosts")
        box = find(browser, ".box.ghost")[0]
        card = box.find_element("xpath", "ancestor::article")
        ghosts = browser.execute_script(
            "return [...arguments[0].querySelectorAll('.box')].map((b) => b.matches('.ghost'))", card
        )
        visible = lambda: [  # noqa: E731
            one
            for one, ghost in zip(browser.execute_script(MEASURED, card), ghosts, strict=True)
            if ghost and one["visible"] == "visible"
        ]
        assert visible() == []
        browser.execute_script("arguments[0].focus({focusVisible: true})", box)
        (one,) = visible()
        assert is_inside(one["badge"], one["frame"])


def test_random_boxes_have_badges_inside_the_image_and_off_their_own_small_box(chromium, hard):
    chance = random.Random(3)
    with opened(chromium, hard) as browser:
        for _ in range(40):
            width, height = chance.choice([(280, 210), (900, 600), (20, 210), (280, 18)])
            boxes = []
            for _ in range(chance.randint(1, 8)):
                x, y = chance.uniform(0, width), chance.uniform(0, height)
                side = chance.choice([2, 10, 40, 150])
                boxes.append([max(0, x - side), max(0, y - side), min(width, x + side), min(height, y + side)])
            found = browser.execute_script(
                "const [w, h, boxes] = arguments; const named = ([x1, y1, x2, y2]) => ({x1, y1, x2, y2});"
                "const size = () => ({width: 18, height: 16});"
                "const found = gritmill.places(named([0, 0, w, h]), boxes.map(named), boxes.map(size));"
                "return found.map((p) => [p.x1, p.y1, p.x2, p.y2])",
                *(width, height, boxes),
            )
            assert all(is_inside(place, (0, 0, width, height)) for place in found)
            if width > 250 and height > 200:
                assert [b for b, p in zip(boxes, found, strict=True) if is_small(b) and shared(b, p) > 1] == []


def test_a_long_caption_can_be_reached_and_scrolled_by_keys(chromium, hard):
    from selenium.webdriver.common.keys import Keys

    with opened(chromium, hard) as browser:
        captions = find(browser, ".card .caption")
        assert {key for key, one in zip(CASES, captions, strict=True) if one.get_attribute("tabindex") == "0"} == {
            *("thirty", "row", "long", "claims")
        }
        long = captions[CASES.index("long")]
        browser.execute_script("arguments[0].focus()", long)
        press(browser, Keys.ARROW_DOWN, Keys.END)
        assert browser.execute_script("return document.activeElement === arguments[0]", long)
        press(browser, "k")
        focused = browser.execute_script("return document.activeElement.dataset.sample")
        assert focused == str(CASES.index("long") - 1)


def test_labels_and_charts_are_of_bounded_length(chromium, hard):
    with opened(chromium, hard) as browser:
        label = find(browser, ".card")[CASES.index("long")].find_element("css selector", ".box").get_attribute("title")
        assert label.startswith("box of “the extraordinarily very")
        assert label.endswith("…”, score 0.90")
        assert len(label) < 120
        heads = browser.execute_script(
            "return [...document.querySelectorAll('#charts svg svg text')].map((text) => text.firstChild.textContent)"
        )
        assert heads[-6:-3] == ["\U0001f600" * 25 + "…", "\u05db\u05dc\u05d1", "x" * 25 + "…"]


def test_a_key_is_shown_as_it_is(chromium, hard):
    """The key is cut off at its start, which needs a text direction that would move `/` and `)`."""
    with opened(chromium, hard) as browser:
        assert find(browser, ".card .key > bdi")[-1].text == "hebrew/1 (2).jpg"
        rtl = find(browser, ".card .caption")[-1]
        assert rtl.value_of_css_property("direction") == "rtl"
        assert rtl.find_element("css selector", ".number").value_of_css_property("margin-left") != "0px"


def test_a_page_of_one_pair_says_one_box(chromium, finished, tmp_path):
    hard_pairs.write_page(finished, tmp_path / "one", hard_pairs.hard_pairs()[:1])
    with opened(chromium, tmp_path / "one/index.html") as browser:
        assert "1 of 1 sample at" in find(browser, "#status")[0].text
        assert "· 1 sample of seed 0 ·" in find(browser, "#summary")[0].text
        assert find(browser, ".counts")[0].text == "1 box"
        assert find(browser, ".card .phrase")[0].get_attribute("title") == "1 box"
        click(browser, ".card .frame")
        assert find(browser, "table.candidates caption")[0].text == "1 candidate"


@pytest.fixture(scope="module")
def nothing(tmp_path_factory):
    """A page of a run over a source without pairs."""
    folder = tmp_path_factory.mktemp("nothing")
    (folder / "pairs.csv").write_text("image,caption\n")
    config = sample_pairs.settings("caption-parser", "tests.plugin_detectors:factory")
    gritmill.run(config, inputs=folder / "pairs.csv", output=folder / "run")
    view(folder / "run")
    return folder / "run/view/index.html"


def test_a_page_without_pairs_says_so(chromium, nothing):
    with opened(chromium, nothing) as browser:
        assert find(browser, "#empty")[0].text == "This run has no pairs."
        assert [one.text.split("\n")[-1] for one in find(browser, "#charts figure")] == ["none"] * 6
        assert "0 pairs read, 0 written · 0 samples" in find(browser, "#summary")[0].text
        press(browser, "j", "k")
        assert browser.get_log("browser") == []
