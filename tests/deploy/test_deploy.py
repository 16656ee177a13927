"""The files of `deploy/` are well formed, fit each other, and name options and versions that exist."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer
import yaml

from gritmill.cli.commands import app
from pipeline.engines.beam_options import parse_beam_options

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


def document(name):
    return yaml.safe_load((DEPLOY / name).read_text("utf-8"))


def flink():
    return document("flink-session.yaml")


def pool():
    (pool,) = [
        container
        for container in flink()["spec"]["taskManager"]["podTemplate"]["spec"]["containers"]
        if container["name"] != "flink-main-container"
    ]
    return pool


def driver():
    (driver,) = document("driver-job.yaml")["spec"]["template"]["spec"]["containers"]
    return driver


def gritmill_commands():
    """Yields the words of each gritmill command in the files."""
    yield driver()["args"]
    for name in ("slurm.sbatch", "dataflow.sh"):
        text = (DEPLOY / name).read_text("utf-8").replace("\\\n", " ")
        (command,) = re.findall(r'^(?:"\$GRITMILL"|exec gritmill) (.*?)&?$', text, re.MULTILINE)
        yield shlex.split(command)


def test_the_cluster_has_one_slot_and_one_pool_per_task_manager():
    assert (flink()["apiVersion"], flink()["kind"]) == ("flink.apache.org/v1beta1", "FlinkDeployment")
    spec = flink()["spec"]
    assert spec["flinkConfiguration"]["taskmanager.numberOfTaskSlots"] == "1"
    assert all(isinstance(value, str) for value in spec["flinkConfiguration"].values())
    assert spec["flinkVersion"] == "v" + spec["image"].partition(":")[2].replace(".", "_")
    assert {"name": "PYTHONSAFEPATH", "value": "1"} in pool()["env"]
    assert pool()["ports"][0]["containerPort"] == pool()["readinessProbe"]["tcpSocket"]["port"] == 50000
    assert "--service_port=50000" in pool()["args"]


def test_the_driver_finds_the_cluster_and_its_pools():
    job = document("driver-job.yaml")
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    assert f"--flink_master={flink()['metadata']['name']}-rest:8081" in driver()["args"]
    assert "--environment_config=localhost:50000" in driver()["args"]
    assert f"detector.threads={pool()['resources']['requests']['cpu']}" in driver()["args"]
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"  # as podFailurePolicy needs it
    (exits,) = [rule["onExitCodes"] for rule in job["spec"]["podFailurePolicy"]["rules"] if "onExitCodes" in rule]
    assert exits == {"containerName": driver()["name"], "operator": "In", "values": [1, 2]}


def test_a_command_that_a_scheduler_repeats_takes_over_the_job_of_its_lost_driver():
    on_flink = [words for words in gritmill_commands() if "--runner=FlinkRunner" in words]
    assert len(on_flink) == 2
    for words in on_flink:
        assert "--take-over" in words[: words.index("--")]


def test_the_image_has_the_versions_of_this_release():
    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    (python, beam) = re.search(r"^FROM apache/beam_python([\d.]+)_sdk:([\d.]+) ", text, re.MULTILINE).groups()
    assert f"apache-beam=={beam}\n" in (ROOT / "constraints.txt").read_text("utf-8")
    assert f'requires-python = ">={python}"' in (ROOT / "pyproject.toml").read_text("utf-8")
    assert f"ARG FLINK_VERSION={flink()['spec']['image'].partition(':')[2]}\n" in text
    for line in (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").split():
        assert not line.startswith("!") or (ROOT / line[1:]).exists(), line


def test_every_option_of_a_command_exists():
    commands = typer.main.get_command(app).commands
    found = list(gritmill_commands())
    assert len(found) == 3
    for words in found:
        ours, beam = words[: words.index("--")], words[words.index("--") + 1 :]
        known = {flag for param in commands[ours[0]].params for flag in param.opts}
        assert {word for word in ours if word.startswith("--")} <= known
        options = parse_beam_options([re.sub(r"\$\(.*?\)+|\$\w+", "1", word) for word in beam])
        assert options.get_all_options(drop_default=True)


@pytest.mark.parametrize("name", ["slurm.sbatch", "dataflow.sh"])
def test_the_scripts_have_a_valid_syntax(name):
    shell = (DEPLOY / name).read_text("utf-8").splitlines()[0].removeprefix("#!")
    subprocess.run([shell, "-n", DEPLOY / name], check=True)


@pytest.mark.parametrize("path", sorted(DEPLOY.iterdir()), ids=lambda path: path.name)
def test_each_file_says_where_its_keys_come_from_and_what_was_not_run(path):
    text = path.read_text("utf-8")
    assert max(map(len, text.splitlines())) <= 120
    if path.suffix != ".dockerignore":
        assert "# Not " in text
        assert "Sources:" in text
        assert "https://" in text
