"""Beam's own job service in Python: portable as Flink and Spark, without Java, and without retries."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar

from cluster.engine import SECONDS, WORKER_PROCESS, Cluster, Engine, worker_command
from cluster.processes import Processes, answers, free_ports, wait_for


class Loopback(Engine):
    """The driver itself does the work."""

    name = "beam"
    title = f"Beam {version('apache-beam')}, LOOPBACK"
    workers = 1
    left_out: tuple[int, ...] = (4, 6, 8)
    vital: ClassVar = {"job service": "local_job_service_main"}

    def need(self) -> None:
        worker_command()

    @contextmanager
    def started(self, folder: Path, impatient: bool = False, worker: Path | None = None) -> Iterator[Cluster]:
        with Processes(folder) as processes:
            yield _Service(processes, _start_service(processes))


class External(Loopback):
    """A worker pool does the work. In its working directory lies somebody's `transforms.py`."""

    title = f"Beam {version('apache-beam')}, EXTERNAL"
    left_out = ()
    missed: ClassVar = {"worker process": WORKER_PROCESS}
    hosts: ClassVar = {"pool": "worker_pool_main"}

    @contextmanager
    def started(self, folder: Path, impatient: bool = False, worker: Path | None = None) -> Iterator[Cluster]:
        with Processes(folder) as processes:
            (folder / "transforms.py").write_text('raise ImportError("this is not the transforms of gritmill")\n')
            (port,) = free_ports(1)
            command = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={port}"]
            processes.start("pool", [*command, f"--container_executable={worker or worker_command()}"])
            service = _start_service(processes)
            wait_for("the worker pool", lambda: answers(port), SECONDS)
            yield _Service(processes, service, port)


def _start_service(processes: Processes) -> int:
    """The port of a job service."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "apache_beam.runners.portability.local_job_service_main", "-p", str(port)]
    processes.start("job-service", [*command, "--staging_dir", processes.logs / "staging"])
    wait_for("Beam's job service", lambda: answers(port), SECONDS)
    return port


class _Service(Cluster):
    def __init__(self, processes: Processes, port: int, pool: int | None = None) -> None:
        super().__init__(processes)
        self._port, self._pool = port, pool

    def options(self) -> list[str]:
        options = ["--runner=PortableRunner", f"--job_endpoint=localhost:{self._port}"]
        if self._pool is None:
            return [*options, "--environment_type=LOOPBACK"]
        return [*options, "--environment_type=EXTERNAL", f"--environment_config=localhost:{self._pool}"]

    def unfit_options(self) -> dict[str, list[str]]:
        loopback = "--environment_type=LOOPBACK"
        return {"job service": ["--runner=PortableRunner", f"--job_endpoint=localhost:{free_ports(1)[0]}", loopback]}
