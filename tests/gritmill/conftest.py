import pytest

from gritmill.main import main


@pytest.fixture
def call(tmp_path, capfd, monkeypatch):
    """Runs `gritmill` in this process and in a new folder. Returns exit status, output and error lines.

    Progress lines are switched off, because their number depends on the speed of the machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pipeline.engines.progress._LINE_SECONDS", 3600.0)

    def run(*words):
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        written = capfd.readouterr()
        return ended.value.code, written.out, written.err.splitlines()

    return run
