"""How an engine starts workers: Beam's `--environment_type`. Beam's own default is a container without gritmill."""

import json
import os
import re
import shutil
import socket
import sys
from collections.abc import Sequence

from apache_beam.options.pipeline_options import PortableOptions

from pipeline.engines.addresses import host_of, is_here, open_address
from pipeline.engines.given_options import GivenOptions
from pipeline.faults import CallError

WORKER = "gritmill-worker"
"""The console script that starts a worker for `--environment_type=PROCESS`."""

_INSTALLS = ("setup_file", "requirements_file", "extra_packages", "prebuild_sdk_container_engine")
"""Beam's options that can put gritmill into a container which starts without it."""

_POOL = re.compile(r"(localhost|[\d.]+|\[[\da-f:]+\]):\d+")
"""The address of a worker pool; with another host, it could be an image with a tag."""


def complete_environment(given: GivenOptions, has_processes: bool, hosts: Sequence[str]) -> None:
    """Completes the options so that workers have gritmill: by default, the engine starts `gritmill-worker`.

    Args:
      has_processes: whether the engine can start a command; Beam's Python job service cannot.
      hosts: on which workers start, as far as they are known. If all are this machine, the command must be here.

    Raises:
      CallError: workers would have no gritmill, or the command or the pool is not there.
    """
    portable = given.portable
    kind = (portable.environment_type or "").upper()
    here = bool(hosts) and all(map(is_here, hosts))
    if given.has("sdk_container_image"):
        cure = "give --environment_type=DOCKER --environment_config=IMAGE"
        raise CallError(f"--sdk_container_image: only Dataflow reads this option; {cure}")
    config = portable.environment_config or ""
    if not kind and has_processes and not config:
        command = os.path.join(os.path.dirname(sys.executable), WORKER)
        given.default("environment_type", "PROCESS")
        given.default("environment_config", json.dumps({"command": command}))
        _check_command("--environment_type", command, here)
    elif not kind and has_processes and config.lstrip().startswith("{"):  # Beam would take it for an image
        given.default("environment_type", "PROCESS")
        _check_command("--environment_config", worker_command(portable), here)
    elif not kind and _POOL.fullmatch(config):
        raise CallError(f"--environment_config={config}: for a worker pool, add --environment_type=EXTERNAL")
    elif kind in ("", "DOCKER"):
        no_image = config.lstrip().startswith(("{", "/", "./", "../", "~")) or (not kind and config == WORKER)
        if no_image and has_processes:
            worker_command(portable)  # refuses a bare path
        image = "" if no_image else config or portable.lookup_environment_option("docker_container_image")
        if not image and not any(map(given.has, _INSTALLS)):
            ways = "PROCESS or EXTERNAL" if has_processes else "LOOPBACK (workers in this process) or EXTERNAL"
            cure = f"give --environment_type={ways}, or an image in --environment_config"
            raise CallError(f"--environment_type: Beam's own container has no gritmill; {cure}")
    elif kind == "PROCESS":
        _check_command("--environment_config", worker_command(portable), here)
    elif kind == "EXTERNAL" and here:
        pool = config or portable.lookup_environment_option("external_service_address") or ""
        if host_of(pool) and is_here(host_of(pool)):
            open_address("--environment_config", pool, "the worker pool")


def complete_dataflow(given: GivenOptions) -> None:
    """Refuses workers without gritmill. Raises CallError."""
    if not any(map(given.has, ("sdk_container_image", *_INSTALLS))):
        cure = "give --sdk_container_image=IMAGE with an image that has it, see docs/cluster.md"
        raise CallError(f"--runner={given.runner_name}: Dataflow's own container has no gritmill; {cure}")


def worker_command(portable: PortableOptions) -> str:
    """The command that `--environment_type=PROCESS` names.

    Raises:
      CallError: there is none.
    """
    config = portable.environment_config
    try:
        command = json.loads(config).get("command") if config else portable.lookup_environment_option("process_command")
    except (ValueError, AttributeError):
        command = None
    if not isinstance(command, str) or not command:
        raise CallError(f'--environment_config={config or ""}: write {{"command": "/path/of/{WORKER}"}}')
    return command


def _check_command(flag: str, command: str, here: bool) -> None:
    if not os.path.isabs(command):  # an engine has another PATH and another working directory than the driver
        cure = f'write {{"command": "{shutil.which(command) or f"/path/of/{WORKER}"}"}}'
        raise CallError(f"{flag}: the worker command {command} is no full path; {cure}")
    if here and shutil.which(command) is None:
        why = "is not executable" if os.path.isfile(command) else "does not exist"
        cure = f'install gritmill there, or give --environment_config={{"command": "/path/of/{WORKER}"}}'
        raise CallError(f"{flag}: the worker command {command} {why} on {socket.gethostname()}; {cure}")
