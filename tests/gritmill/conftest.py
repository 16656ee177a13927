import re

import pytest

from gritmill.main import main

PROGRESS = re.compile("(ground|pack|export): (resuming: |nothing to do: |loading )")


@pytest.fixture
def call(tmp_path, capfd, monkeypatch):
    """Runs `gritmill` in this process and in a new folder. Returns exit status, output and error lines.

    Progress lines are switched off, because their number depends on the speed of the machine. What progress says of
    earlier runs and of the start is left out: test_progress.py and test_start.py test it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pipeline.engines.progress._LINE_SECONDS", 3600.0)

    def run(*words):
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        written = capfd.readouterr()
        lines = [line for line in written.err.splitlines() if not PROGRESS.match(line)]
        return ended.value.code, written.out, lines

    return run
