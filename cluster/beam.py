"""Beam's own job service in Python: portable as Flink and Spark, without Java, and without retries."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from cluster.engine import SECONDS, Cluster, Engine, worker_command
from cluster.processes import Processes, answers, free_ports, wait_for


class Loopback(Engine):
    """The driver itself does the work."""

    name = "beam"
    title = f"Beam {version('apache-beam')}, LOOPBACK"
    workers = 1
    left_out = (2,)

    def need(self) -> None:
        worker_command()

    @contextmanager
    def started(self, folder: Path, impatient: bool = False) -> Iterator[Cluster]:
        with Processes(folder) as processes:
            yield _Service(processes, _start_service(processes))


class External(Loopback):
    """A worker pool does the work. In its working directory lies somebody's `transforms.py`."""

    title = f"Beam {version('apache-beam')}, EXTERNAL"

    @contextmanager
    def started(self, folder: Path, impatient: bool = False) -> Iterator[Cluster]:
        with Processes(folder) as processes:
            (folder / "transforms.py").write_text('raise ImportError("this is not the transforms of gritmill")\n')
            (port,) = free_ports(1)
            command = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={port}"]
            processes.start("pool", [*command, f"--container_executable={worker_command()}"])
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
        # The timeout of the job service is the deadline of the whole run, 300 s by default.
        options = ["--runner=PortableRunner", f"--job_endpoint=localhost:{self._port}", "--job_server_timeout=3600"]
        if self._pool is None:
            return [*options, "--environment_type=LOOPBACK"]
        return [*options, "--environment_type=EXTERNAL", f"--environment_config=localhost:{self._pool}"]
