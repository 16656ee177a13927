"""Names from data are shown as they are: nothing in them is rich's markup or an emoji."""

import pytest

from gritmill.evaluation import tables

NAMES = ("[/b]", "[red]animals[/red]", ":dog:", "[link=http://example]x", "a\x1b[2J", "\\[")
SHOWN = ("[/b]", "[red]animals[/red]", ":dog:", "[link=http://example]x", "a\\x1b[2J", "\\[")
COUNTS = {"pictures": 1, "measured": 1, "unusable": {}, "examples": {}, "failed": 0}


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


def test_the_table_of_boxes(capsys):
    recalls = {f"recall@{k}": 0.5 for k in (1, 5, 10)}
    figures = {"phrases": 1, "any_box": recalls, "merged_box": recalls}
    by_kind = {"all": figures, "kinds": dict.fromkeys(NAMES, figures)}
    left_out = {"without_picture": 0, "without_boxes": 0, "absent": 0}
    counts = {**COUNTS, "unusable": {"[/b]": 1}, "examples": {"[/b]": "[/i]:cat:"}}
    tables.show_boxes({"on": "jsonl", "figures": by_kind, "pictures": counts, "phrases": left_out})
    assert_shown(capsys.readouterr().out, "1 [/b], for example [/i]:cat:")


def test_the_table_of_phrases(capsys):
    figures = {"marked": 2, "extracted": 2, "hit": 1, "precision": 0.5, "recall": 0.5, "f1": 0.5, "recall_by_head": 0.5}
    kinds = {name: {"marked": 1, "recall": 0.5} for name in NAMES}
    tables.show_phrases({"figures": {**figures, "kinds": kinds, "misses": {"[/b] :dog:": 1}, "false_alarms": {}}})
    assert_shown(capsys.readouterr().out, "[/b] :dog:", "extracted, but not marked: none")


def test_the_table_of_a_threshold(capsys):
    names = ("precision", "recall", "phrases_with_right_box", "absent_with_box")
    row = {"boxes": 1, **dict.fromkeys(names, 0.5)}
    names = ("all", *NAMES)
    result = {"threshold": 0.5, "at_threshold": dict.fromkeys(names, row), "curves": {}, "pictures": COUNTS}
    tables.show_calibration({**result, "counts": {name: {"phrases": 1} for name in names}})
    assert_shown(capsys.readouterr().out)


def assert_shown(said, *more):
    for text in (*SHOWN, *more):
        assert text in said
