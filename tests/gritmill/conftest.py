import pytest

from gritmill.main import main


@pytest.fixture
def call(tmp_path, capfd, monkeypatch):
    """Runs `gritmill` in this process and in a folder of its own; gives exit status, output and error lines."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        written = capfd.readouterr()
        return ended.value.code, written.out, written.err.splitlines()

    return run
