"""Flink: a JobManager and two TaskManagers with one slot each, without Flink's shell scripts."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar

from cluster import fetch
from cluster.engine import NO_COMMAND, SECONDS, WORKER_PROCESS, Cluster, Engine, worker_command
from cluster.java import FLAGS, java
from cluster.processes import Processes, free_ports, wait_for

_TASK_MANAGER_MEMORY = {
    "network.min": "64mb",
    "network.max": "64mb",
    "task.heap.size": "256mb",
    "task.off-heap.size": "0b",
    "managed.size": "128mb",
    "framework.heap.size": "128mb",
    "framework.off-heap.size": "128mb",
    "jvm-metaspace.size": "256mb",
    "jvm-overhead.min": "64mb",
    "jvm-overhead.max": "64mb",
}

_CONFIGURATION = """\
jobmanager.rpc.address: localhost
jobmanager.rpc.port: {rpc}
jobmanager.memory.process.size: 1024m
rest.address: localhost
rest.bind-address: localhost
rest.port: {rest}
blob.server.port: {blob}
taskmanager.host: localhost
taskmanager.numberOfTaskSlots: 1
taskmanager.memory.process.size: 1024m
io.tmp.dirs: {temporary}
restart-strategy.type: fixed-delay
restart-strategy.fixed-delay.attempts: 3
restart-strategy.fixed-delay.delay: 3 s
"""

_IMPATIENT = "heartbeat.timeout: 8000\nheartbeat.interval: 2000\n"


class Flink(Engine):
    """streaming: as Flink 2 runs every portable job. Otherwise the job is a batch."""

    name = "flink"
    victims: ClassVar = {**Engine.victims, "worker process": WORKER_PROCESS, "TaskManager": "TaskManagerRunner"}
    hosts: ClassVar = {"TaskManager": "TaskManagerRunner"}
    # Not gritmill's own program above the job server, whose command contains that of the job server.
    vital: ClassVar = {
        "job server": r"^\S*java .*-jar .*--flink-master",
        "JobManager": "StandaloneSessionClusterEntrypoint",
    }

    def __init__(self, streaming: bool = True) -> None:
        self.streaming = streaming
        self.left_out = () if streaming else (2, 3, 4, 5, 6, 7, 8)
        self.title = f"Flink {fetch.FLINK.version}, {'streaming' if streaming else 'batch'}"

    def need(self) -> None:
        worker_command()
        java()
        fetch.job_server()
        fetch.programs(fetch.FLINK)

    @contextmanager
    def started(self, folder: Path, impatient: bool = False, worker: Path | None = None) -> Iterator[Cluster]:
        with Processes(folder) as processes:
            rpc, rest, blob = free_ports(3)
            temporary = folder / "temporary"
            temporary.mkdir()
            text = _CONFIGURATION.format(rpc=rpc, rest=rest, blob=blob, temporary=temporary)
            (folder / "config.yaml").write_text(text + (_IMPATIENT if impatient else ""))
            cluster = FlinkCluster(processes, rest, self.streaming, worker)
            cluster.start_job_manager()
            for number in (1, 2):
                cluster.start_task_manager(number)
            cluster.ready()
            yield cluster


class FlinkCluster(Cluster):
    """Flink that runs. rest: the port of its REST interface."""

    def __init__(self, processes: Processes, rest: int, streaming: bool, worker: Path | None = None) -> None:
        super().__init__(processes, worker)
        self.rest, self._streaming = rest, streaming
        self._task_managers = 0

    def options(self) -> list[str]:
        mode = [] if self._streaming else ["--execution_mode_for_batch=BATCH"]
        return [*self._options_at(self.rest), *mode, *self.environment()]

    def unfit_options(self) -> dict[str, list[str]]:
        there = self._options_at(self.rest)
        return {
            "JobManager": self._options_at(free_ports(1)[0]),
            "worker command": [*there, *NO_COMMAND],
            "slots": [*there, "--parallelism=8"],
        }

    def _options_at(self, rest: int) -> list[str]:
        jar = fetch.job_server()
        options = ["--runner=FlinkRunner", f"--flink_master=localhost:{rest}"]
        return [*options, *([f"--flink_job_server_jar={jar}"] if jar else [])]

    def replace(self, victim: str) -> None:
        if victim == "TaskManager":
            self.start_task_manager(self._task_managers + 1)

    def ready(self) -> None:
        wait_for("Flink with two free slots", lambda: self.free_slots() >= 2, SECONDS)

    def start_job_manager(self) -> None:
        """Starts a JobManager."""
        entry = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
        self._start("jobmanager", ["-Xmx512m"], [entry, "--host", "localhost", "--executionMode", "cluster"])

    def start_task_manager(self, number: int) -> None:
        """Starts a TaskManager."""
        self._task_managers = number
        settings = {f"taskmanager.memory.{name}": value for name, value in _TASK_MANAGER_MEMORY.items()}
        settings |= {"taskmanager.resource-id": f"tm{number}", "taskmanager.cpu.cores": "1.0"}
        words = [word for name, value in settings.items() for word in ("-D", f"{name}={value}")]
        entry = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
        self._start(f"taskmanager-{number}", ["-Xmx384m", "-XX:MaxDirectMemorySize=256m"], [entry, *words])

    def _start(self, name: str, flags: list[str], words: list[str]) -> None:
        jars = (fetch.programs(fetch.FLINK) / "lib").glob("*.jar")
        entry, *more = words
        command = [java(), *FLAGS, *flags, "-cp", ":".join(map(str, jars)), entry]
        self.processes.start(name, [*command, "--configDir", str(self.processes.logs), *more])

    def free_slots(self) -> int:
        """The slots that no job uses. 0 while the JobManager does not answer."""
        with suppress(OSError), urllib.request.urlopen(f"http://localhost:{self.rest}/overview", timeout=5) as answer:
            return int(json.load(answer)["slots-available"])
        return 0
