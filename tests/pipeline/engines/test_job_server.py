import os
import signal
import subprocess
import sys
import time

import pytest

from pipeline.engines import job_server

SERVER = "import time; print('up', flush=True); time.sleep(60); print('late')"
"""Ends by itself only after a minute, with a word."""

DRIVER = f"""
import signal, subprocess, sys, time
from pipeline.engines.job_server import below_driver
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # below nohup, it is ignored
subprocess.Popen(below_driver([sys.executable, "-c", {SERVER!r}]))
time.sleep(60)
"""


def test_the_job_server_ends_when_the_driver_is_killed():
    driver = subprocess.Popen([sys.executable, "-c", DRIVER], stdout=subprocess.PIPE, text=True)
    assert driver.stdout.readline() == "up\n"
    driver.send_signal(signal.SIGKILL)
    assert driver.stdout.read() == ""  # until the last of the three processes has ended
    driver.wait()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_the_job_server_ends_with_the_group_of_the_driver(number):
    driver = subprocess.Popen([sys.executable, "-c", DRIVER], stdout=subprocess.PIPE, text=True, process_group=0)
    assert driver.stdout.readline() == "up\n"
    os.killpg(driver.pid, number)
    assert driver.stdout.read() == ""
    driver.wait()


@pytest.mark.slow
def test_repeated_interrupts_do_not_spare_a_server_that_does_not_end_by_itself():
    stubborn = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SERVER}"
    command = job_server.below_driver([sys.executable, "-c", stubborn])
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout.readline() == "up\n"
        while started.poll() is None:  # as Beam does
            started.send_signal(signal.SIGINT)
            time.sleep(0.1)
        assert started.stdout.read() == ""
        assert started.returncode != 0


def test_beam_ends_it_with_an_interrupt():
    command = job_server.below_driver([sys.executable, "-c", SERVER])
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout.readline() == "up\n"
        started.send_signal(signal.SIGINT)
        assert started.stdout.read() == ""


def test_its_exit_status_is_passed_on():
    assert subprocess.run(job_server.below_driver([sys.executable, "-c", "exit(7)"]), check=False).returncode == 7
