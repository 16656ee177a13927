"""Whether a Flink cluster fits: its version, its free slots, its restarts. Takes the options that depend on them from
the cluster. Flink itself would use one slot, wait for ever for slots that do not exist, and restart nothing."""

import re
import time
from dataclasses import dataclass
from urllib.error import HTTPError

from apache_beam import version as beam_version
from apache_beam.options.pipeline_options import FlinkRunnerOptions

from pipeline.engines.flink_rest import NoAnswer, ask, live_jobs
from pipeline.engines.given_options import GivenOptions
from pipeline.faults import CallError
from transforms.wording import counted, listed

RETRIES, RETRY_SECONDS = 10, 5
"""Restarts of a job unless the user gives their number, and the pause before each. A lost TaskManager costs one. Ten
survive the usual losses of a day, and an error that comes back each time still ends the run within minutes."""

_SLOT_SECONDS = 5.0
"""For so long, slots of a job that has just ended or is being cancelled are waited for."""

_ACTIVE = ("kubernetes.", "yarn.", "execution.target.kubernetes", "execution.target.yarn")
"""Settings, with their values, of clusters that may start TaskManagers by themselves."""


@dataclass(frozen=True)
class FlinkCluster:
    """What a cluster says. slots: that the job uses. hosts: of the TaskManagers. warnings: lines for the user."""

    version: str
    slots: int
    hosts: list[str]
    warnings: list[str]


def check_cluster(given: GivenOptions, with_slots: bool = True) -> FlinkCluster:
    """Asks the cluster at `given.rest_address`, and completes `--flink_version` and `--parallelism`.

    with_slots: whether it must have free slots. Otherwise, `slots` is 0.

    Raises:
      CallError: nobody answers, or the cluster does not fit.
    """
    address = given.rest_address
    try:
        version = str(ask(address, "/overview")["flink-version"])
        config = {entry["key"]: str(entry["value"]) for entry in ask(address, "/jobmanager/config")}
        task_managers = ask(address, "/taskmanagers")["taskmanagers"]
        _check_version(given, version)
        _check_batch(given, config)
        slots = _check_slots(given, config) if with_slots else 0
    except NoAnswer as error:
        cure = "start Flink, or name the address of its REST interface"
        raise CallError(f"--flink_master={address}: nobody answers there ({error}); {cure}") from error
    except HTTPError as error:
        raise CallError(f"--flink_master={address}: the REST interface answers {error.code} {error.reason}") from error
    except (KeyError, TypeError) as error:
        raise CallError(f"--flink_master={address}: what answers there is no REST interface of Flink") from error
    warnings = []
    if (most := max((one["slotsNumber"] for one in task_managers), default=1)) > 1:
        shared = f"a TaskManager has {most} slots, which share one Python process: two run at half the speed"
        warnings.append(f"{shared}; start one TaskManager per slot (taskmanager.numberOfTaskSlots: 1)")
    return FlinkCluster(version, slots, [_host(one.get("path", "")) for one in task_managers], warnings)


def _host(path: str) -> str:
    """The host of a TaskManager's path, `pekko.tcp://flink@HOST:PORT/user/rpc/taskmanager_0`."""
    return re.sub(r".*@|:.*", "", path)


def _check_version(given: GivenOptions, version: str) -> None:
    """The job server must be made for the cluster's minor version. A jar that the user names is not looked into, and a
    job server of the user's own has its version already."""
    minor = ".".join(version.split(".")[:2])
    published = FlinkRunnerOptions.PUBLISHED_FLINK_VERSIONS
    if given.job_endpoint:
        return
    cluster = f"Flink at {given.rest_address} has version {version}"
    if minor not in published and not given.flink.flink_job_server_jar:
        has = f"Beam {beam_version.__version__} has job servers for {listed(published)}"
        raise CallError(f"{cluster}; {has}: use one of these, or name a jar with --flink_job_server_jar")
    if given.has("flink_version") and given.flink.flink_version != minor:
        cure = f"give --flink_version={minor}, or leave it out" if minor in published else "leave the option out"
        raise CallError(f"--flink_version={given.flink.flink_version}: {cluster}; {cure}")
    if not given.flink.flink_job_server_jar:
        given.default("flink_version", minor)


def _check_batch(given: GivenOptions, config: dict[str, str]) -> None:
    """In batch mode, only the cluster's own strategy restarts a job."""
    strategy = config.get("restart-strategy.type", config.get("restart-strategy", "none")).lower()
    if is_batch(given) and strategy in ("none", "off", "disable", "false"):
        lost = f"Flink at {given.rest_address} restarts no batch job, so one lost TaskManager ends it"
        cure = "set restart-strategy.type: fixed-delay in its configuration, or leave the option out to run as a stream"
        raise CallError(f"--execution_mode_for_batch: {lost}; {cure}")


def is_batch(given: GivenOptions) -> bool:
    """Whether the user wants batch mode: only there, this option means something."""
    return given.has("execution_mode_for_batch") and not given.streaming


def _check_slots(given: GivenOptions, config: dict[str, str]) -> int:
    """The number of slots that the job uses."""
    address = given.rest_address
    wanted = given.flink.parallelism if given.flink.parallelism > 0 else None
    until = time.monotonic() + _SLOT_SECONDS
    while True:
        jobs, overview = live_jobs(address), ask(address, "/overview")
        total, free = int(overview["slots-total"]), int(overview["slots-available"])
        ending = any(state in ("CANCELLING", "FAILING") for _, _, state in jobs)
        if free >= (wanted or total) or (jobs and not ending) or time.monotonic() > until:
            break
        time.sleep(0.2)
    # On Kubernetes and YARN, Flink itself starts TaskManagers for a job. The adaptive scheduler takes what there is.
    grows = any(f"{key}.{value}".startswith(_ACTIVE) for key, value in config.items())
    grows |= config.get("jobmanager.scheduler", "").lower() == "adaptive" or "scheduler-mode" in config
    if wanted is None and free == 0 and grows:
        raise CallError(f"Flink at {address} starts TaskManagers on demand: say how many slots to use: --parallelism=N")
    if (wanted or 1) <= free or grows:
        given.default("parallelism", str(free))
        return wanted or free
    flag = f"--parallelism={wanted}: " if wanted else ""
    if total == 0:
        raise CallError(f"{flag}Flink at {address} has no TaskManager: start one per slot")
    users = f", used by {listed([name for _, name, _ in jobs[:3]])}" if jobs else ""
    cure = f"start more TaskManagers, or {f'give --parallelism={free}' if free else 'wait until one is free'}"
    raise CallError(f"{flag}Flink at {address} has {counted(total, 'slot')}, {free} free{users}; {cure}")


def choose_restarts(given: GivenOptions) -> list[str]:
    """Completes the options so that Flink restarts the job. Returns warnings.

    Only a job that runs as a stream has restarts of its own. Its graph and its results are the same.
    """
    if is_batch(given):
        return []
    given.default("streaming", "")
    given.default("number_of_execution_retries", str(RETRIES))
    given.default("execution_retry_delay", str(RETRY_SECONDS * 1000))
    none = given.text("number_of_execution_retries") == "0"
    return ["--number_of_execution_retries=0: one lost TaskManager ends the job"] if none else []
