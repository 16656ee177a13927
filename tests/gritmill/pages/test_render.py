import re

from gritmill.pages.render import ENVIRONMENT


def drawn(call, **values):
    return ENVIRONMENT.from_string(f'{{% from "charts.html.jinja" import bars, points %}}{{{{ {call} }}}}').render(
        values
    )


def test_the_highest_bar_is_as_high_as_the_chart_and_an_empty_one_keeps_its_place():
    svg = drawn("bars(counted, 100, 40)", counted=[(1, "low"), (0, "none"), (2, "<high>"), (2, "too")])
    assert re.findall(r'x="(.*?)".*?y="(.*?)"\nheight="(.*?)"', svg) == [
        ("0.000", "20.00", "20.00"),
        ("50.000", "0.00", "40.00"),
        ("75.000", "0.00", "40.00"),
    ]
    assert "&lt;high&gt;" in svg
    assert drawn("bars([], 100, 40)").strip() == ""


def test_a_line_leaves_out_what_is_not_known():
    rows = [{"x": 0, "y": 0.5}, {"x": 0.5, "y": None}, {"x": 1, "y": 1}]
    assert drawn('points(rows, "x", "y", 200, 40)', rows=rows).strip() == "0.0,20.0 200.0,0.0"


def test_a_number_has_its_noun_in_the_singular_or_plural():
    assert [drawn(f'{number} | plural("{noun}")') for number, noun in ((1, "box"), (0, "box"), (2000, "pair"))] == [
        "1 box",
        "0 boxes",
        "2,000 pairs",
    ]


def test_code_in_a_line_is_no_backtick_and_the_rest_is_escaped():
    template = ENVIRONMENT.from_string("{{ text | code }}")
    assert template.render(text="none (`decoys.number`)") == "none (<code>decoys.number</code>)"
    assert template.render(text="<b> `a<b` & c`") == "&lt;b&gt; <code>a&lt;b</code> &amp; c`"
