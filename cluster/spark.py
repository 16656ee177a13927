"""Spark: a standalone master, two workers with one executor each, and Beam's job server, which is Spark's driver."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import ClassVar

from cluster import fetch
from cluster.engine import NO_COMMAND, SECONDS, WORKER_PROCESS, Cluster, Engine, Missing, worker_command
from cluster.java import FLAGS, java
from cluster.processes import Processes, answers, free_ports, wait_for

_MEMORY = "1500m"


class Spark(Engine):
    """Beam fetches no job server that can use a standalone master, so the jar must be given."""

    name = "spark"
    refuses_after = 30.0  # nobody but an executor sees that there is no worker command, and the job must start it first
    title = f"Spark {fetch.SPARK.version}"
    victims: ClassVar = {
        **Engine.victims,
        "worker process": WORKER_PROCESS,
        "executor": "CoarseGrainedExecutorBackend",
    }
    hosts: ClassVar = {"executor": "CoarseGrainedExecutorBackend"}
    vital: ClassVar = {"job server": "SparkJobServerDriver"}
    spare: ClassVar = {"master": "deploy.master.Master"}

    def need(self) -> None:
        worker_command()
        java()
        if not fetch.job_server():
            raise Missing(f"{fetch.JOB_SERVER} is not set: it names a jar with Beam's job server for Spark 3")
        fetch.programs(fetch.SPARK)

    @contextmanager
    def started(self, folder: Path, impatient: bool = False, worker: Path | None = None) -> Iterator[Cluster]:
        with Processes(folder) as processes:
            cluster = SparkCluster(processes, worker)
            cluster.start_master()
            cluster.start_job_server()
            yield cluster


class SparkCluster(Cluster):
    """Spark that runs."""

    def __init__(self, processes: Processes, worker: Path | None = None) -> None:
        super().__init__(processes, worker)
        self._master, self._page, self._job, self._artifacts, self._expansion = free_ports(5)

    def options(self) -> list[str]:
        return [*self._options_at(self._job), *self.environment()]

    def unfit_options(self) -> dict[str, list[str]]:
        there = self._options_at(self._job)
        return {"job server": self._options_at(free_ports(1)[0]), "worker command": [*there, *NO_COMMAND]}

    def _options_at(self, job: int) -> list[str]:
        artifacts = f"--artifact_endpoint=localhost:{self._artifacts}"
        return ["--runner=PortableRunner", f"--job_endpoint=localhost:{job}", artifacts]

    def ready(self) -> None:
        for folder in self.processes.logs.glob("work-*/app-*"):  # 400 MB of each executor of each earlier job
            shutil.rmtree(folder, ignore_errors=True)

    def start_master(self) -> None:
        """Starts the master and two workers."""
        master = ["--host", "127.0.0.1", "--port", str(self._master), "--webui-port", str(self._page)]
        self._start("master", "org.apache.spark.deploy.master.Master", master)
        wait_for("Spark's master", lambda: answers(self._master), SECONDS)
        for number in (1, 2):
            port, page = free_ports(2)
            words = [self.address, "--cores", "1", "--memory", _MEMORY, "--host", "127.0.0.1", "--port", str(port)]
            words += ["--webui-port", str(page), "--work-dir", str(self.processes.logs / f"work-{number}")]
            self._start(f"worker-{number}", "org.apache.spark.deploy.worker.Worker", words)
            wait_for("a worker of Spark", partial(answers, port), SECONDS)

    def start_job_server(self) -> None:
        """Starts Beam's job server."""
        jars = fetch.programs(fetch.SPARK) / "jars" / "*"
        command = [java(), *FLAGS]
        command += ["-Xmx512m", "-cp", f"{fetch.job_server()}:{jars}"]
        command += ["org.apache.beam.runners.spark.SparkJobServerDriver", f"--spark-master-url={self.address}"]
        command += ["--job-host=localhost", f"--job-port={self._job}", f"--artifact-port={self._artifacts}"]
        command += [f"--expansion-port={self._expansion}", f"--artifacts-dir={self.processes.logs / 'artifacts'}"]
        self.processes.start("job-server", command, {"SPARK_LOCAL_IP": "127.0.0.1"})
        wait_for("Beam's job server for Spark", lambda: answers(self._job), SECONDS)

    @property
    def address(self) -> str:
        """The URL of the master."""
        return f"spark://127.0.0.1:{self._master}"

    def _start(self, name: str, entry: str, words: list[str]) -> None:
        home = fetch.programs(fetch.SPARK)
        variables = {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_SCALA_VERSION": "2.12"}
        # As `bin/spark-class` does, without a shell in between.
        command = [java(), "-Xmx512m", *FLAGS]
        self.processes.start(name, [*command, "-cp", str(home / "jars" / "*"), entry, *words], variables)
