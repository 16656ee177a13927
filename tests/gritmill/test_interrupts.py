"""SIGTERM ends the command line with status 130 or 143, whatever runs when it arrives."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SENDS = "os.kill(os.getpid(), signal.SIGTERM)"

HEAD = """
import importlib, os, signal, sys, threading, time
from gritmill import interrupts
interrupts.GRACE_SECONDS = 2.0
class Loud:
    def __init__(self, number):
        self.number = number
    def __del__(self):
        os.kill(os.getpid(), self.number)
        time.sleep(0.01)
"""


def ended(body, folder=ROOT, **environment):
    """Runs a program. Returns its status and its output, and checks that it took no ten seconds."""
    started = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(
        [sys.executable, "-c", HEAD + body], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )
    assert time.monotonic() - started < 30  # a busy machine starts Python slowly
    return done.returncode, done.stdout.split(), done.stderr.splitlines()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_an_interrupt_that_a_destructor_swallows_comes_again(name):
    body = (
        "from gritmill import main\nimport gritmill.cli.commands as c\n"
        f"def app(**_):\n Loud(signal.{name})\n time.sleep(20)\n"
        "c.app = app\nmain.main(['run'])"
    )
    interrupted = "gritmill: interrupted; run the same command to resume"
    assert ended(body) == (130, [], [interrupted])
    status, _, lines = ended(body, GRITMILL_DEBUG="1")
    assert (status, lines[0][:20], lines[-1]) == (130, "Exception ignored in", interrupted)


def test_an_interrupt_before_the_command_has_a_json_object():
    body = (
        "from gritmill import main\n"
        "class Stop:\n def find_spec(self, name, *_):\n  if name == 'gritmill.cli.commands': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Stop())\nmain.main(['run', '--json'])"
    )
    status, said, lines = ended(body)
    assert (status, len(lines)) == (130, 1)
    assert json.loads(" ".join(said)) == {"error": lines[0].removeprefix("gritmill: "), "status": 130}


@pytest.mark.parametrize(
    "swallow",
    [pytest.param("except KeyboardInterrupt: pass", marks=pytest.mark.slow), "except BaseException: pass"],
)
def test_an_interrupt_that_is_swallowed_for_good_ends_the_process(swallow):
    body = f"with interrupts.terminable():\n try: {SENDS}; time.sleep(5)\n {swallow}\n time.sleep(50)"
    assert ended(body) == (143, [], ["gritmill: interrupted"])


def test_a_thread_that_goes_on_working_does_not_hold_the_process():
    body = (
        "threading.Thread(target=time.sleep, args=(50,)).start()\n"
        f"from gritmill import cli, main\nimport gritmill.cli.commands as c\nc.app = lambda **_: {SENDS}\n"
        "main.main(['run'])"
    )
    assert ended(body) == (130, [], ["gritmill: interrupted; run the same command to resume"])


def test_an_import_is_finished_before_the_interrupt_is_heard(tmp_path):
    (tmp_path / "slow.py").write_text(f"import os, signal, time\n{SENDS}\ntime.sleep(0.5)\nprint('imported')\n")
    body = (
        "with interrupts.terminable():\n try:\n  importlib.import_module('slow')\n  time.sleep(20)\n"
        " except KeyboardInterrupt: print('heard')"
    )
    assert ended(body, tmp_path) == (0, ["imported", "heard"], [])


@pytest.mark.parametrize(
    "reaction", ["raise ImportError('initialization failed') from None", "raise SystemExit(1) from None", "return 0"]
)
def test_what_a_library_makes_of_an_interrupt_does_not_change_the_status(reaction):
    body = (
        "from gritmill import main\nimport gritmill.cli.commands as c\n"
        f"def app(**_):\n try: {SENDS}; time.sleep(5)\n except KeyboardInterrupt: {reaction}\n"
        "c.app = app\nmain.main(['run'])"
    )
    assert ended(body) == (130, [], ["gritmill: interrupted; run the same command to resume"])


def test_after_the_command_a_signal_ends_the_process_at_once():
    status, *said = ended(f"with interrupts.terminable(): pass\n{SENDS}\nprint('still here')")
    assert (status, said) == (-signal.SIGTERM, [[], []])
