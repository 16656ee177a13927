"""Processes of engines: found by a word, and ended with all that they have started."""

import re
import sys
import time
from pathlib import Path

import pytest

import transforms
from cluster.engine import Engine
from cluster.flink import Flink
from cluster.processes import Processes, TimedOut, answers, below, free_ports, running, wait_for

PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)', sys.argv[1]])"


def test_all_that_a_process_has_started_is_found_and_ended(tmp_path: Path) -> None:
    word = f"word-{time.time_ns()}"
    with Processes(tmp_path / "logs") as processes:
        parent = processes.start("parent", [sys.executable, "-c", PARENT, word])
        pids = wait_for("two processes", lambda: len(found := processes.found(word)) == 2 and found, 30)
        assert pids[0] == parent.pid
        assert [one.parent for one in running() if one.pid == pids[1]] == [parent.pid]
    assert [one for one in running() if word in one.command] == []


ORPHAN = """
import subprocess, sys
subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', sys.argv[1]], start_new_session=True)
"""


def test_what_has_left_its_group_and_its_parent_is_found_and_ended(tmp_path: Path) -> None:
    word = f"word-{time.time_ns()}"
    with Processes(tmp_path) as processes:
        processes.start("parent", [sys.executable, "-c", ORPHAN, word]).wait(60)
        assert len(processes.found(word)) == 1
    assert [one for one in running() if word in one.command] == []


def test_the_processes_below_a_process(tmp_path: Path) -> None:
    word = f"word-{time.time_ns()}"
    with Processes(tmp_path) as processes:
        shell = processes.start("shell", ["sh", "-c", f"sleep 600 & sh -c 'sleep 601; : {word}'; :"])
        wait_for("three processes", lambda: len(below(shell.pid)) == 3, 30)
        assert sorted(one.command for one in below(shell.pid)) == sorted(
            ["sleep 600 ", "sleep 601 ", f"sh -c sleep 601; : {word} "]
        )


def test_the_job_server_of_flink_is_not_the_program_above_it() -> None:
    server = "/opt/java/bin/java -jar /x/server.jar --flink-master http://localhost:1 --job-port 2 "
    assert re.search(Flink.vital["job server"], server)
    assert not re.search(Flink.vital["job server"], f"python -P -m pipeline.engines.job_server 7 {server}")


CALLS = "import time\nChildProcess().call(time.sleep, 60)\n"


def test_a_child_of_a_worker_is_found_and_its_parent_is_not(tmp_path: Path) -> None:
    program = tmp_path / "parent.py"
    program.write_text(f"from transforms.isolation.child_process import ChildProcess\n{CALLS}")
    home = {"PYTHONPATH": str(Path(transforms.__file__).parents[1])}
    with Processes(tmp_path / "logs") as processes:
        parent = processes.start("parent", [sys.executable, program], home)
        pids = wait_for("a child", lambda: processes.found(Engine.victims["child of a worker"]), 30)
        assert [one.parent for one in running() if one.pid in pids] == [parent.pid]


def test_a_process_of_somebody_else_is_not_found(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        assert processes.found("python") == []


def test_output_and_variables(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        code = "import os; print(os.getcwd(), os.environ['A_WORD'])"
        processes.start("one", [sys.executable, "-c", code], {"A_WORD": "x"}).wait(60)
    assert (tmp_path / "one.log").read_text() == f"{tmp_path} x\n"


def test_waiting_ends() -> None:
    with pytest.raises(TimedOut, match="a miracle: not within 0 s"):
        wait_for("a miracle", lambda: None, 0.0)


def test_a_free_port_has_nobody_who_answers() -> None:
    one, other = free_ports(2)
    assert one != other
    assert not answers(one)
