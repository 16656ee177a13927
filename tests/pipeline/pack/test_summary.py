from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.pack.report import read_report
from pipeline.pack.summary import show

RELEASED = Path(__file__).resolve().parents[2] / "data" / "released" / "finished"


def test_reasons_and_examples_are_shown_as_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    report = read_report(str(RELEASED))
    ledger = report.ledger.model_copy(update={"rejected": {"[/b]": 3}, "failed": {"[red]": {":dog:": 5}}})
    show(replace(report, ledger=ledger, failed_examples={"[/i]": "a :cat: [bold]"}), "[/out]:dog:", pace=False)
    said = capsys.readouterr().out
    for text in ("3 [/b]", "5 [red]: :dog:", "[/i], for example a :cat: [bold]", "in [/out]:dog:, report"):
        assert text in said
