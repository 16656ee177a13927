"""What the driver asks a remote engine, refuses, and adds to Beam's options."""

import json
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

import grpc
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc
from apache_beam.utils.subprocess_server import JavaJarServer

from pipeline.engines.flink_rest import cancel_flink_job
from pipeline.engines.given_options import GivenOptions
from pipeline.engines.remote import RemoteEngine, connect
from pipeline.faults import CallError
from tests.flink_server import closed_port, flink_server

WORKER = "/bin/sh"
"""A command that exists."""
PROCESS = ["--environment_type=PROCESS", f'--environment_config={{"command": "{WORKER}"}}']


@pytest.fixture(autouse=True)
def fetched(monkeypatch):
    """The job servers that Beam would fetch."""
    urls = []
    monkeypatch.setattr(JavaJarServer, "local_jar", lambda url, cache_dir=None, user_agent=None: urls.append(url))
    return urls


def on_flink(cluster, *options, environment=tuple(PROCESS)):
    """Connects to a cluster. Java stands for a launcher that exists."""
    java = "--job_server_java_launcher=/bin/sh"
    master = f"--flink_master={cluster.address}"
    return connect(["--runner=FlinkRunner", master, java, *environment, *options], "1f")


def refused(*arguments):
    with pytest.raises(CallError) as fault:
        connect(list(arguments), "1f")
    assert "\n" not in str(fault.value)
    return str(fault.value)


def refused_by_flink(cluster, *options, environment=tuple(PROCESS)):
    with pytest.raises(CallError) as fault:
        on_flink(cluster, *options, environment=environment)
    return str(fault.value).replace(cluster.address, "flink:8081")


def added(engine):
    """The options that gritmill added."""
    return [
        word for word in engine.arguments if not word.startswith(("--runner", "--flink_master", "--job_server_java"))
    ]


@contextmanager
def job_server(*names):
    """A job server that knows the options of these names."""

    class Service(beam_job_api_pb2_grpc.JobServiceServicer):
        def DescribePipelineOptions(self, request, context):
            options = [beam_job_api_pb2.PipelineOptionDescriptor(name=name) for name in names]
            return beam_job_api_pb2.DescribePipelineOptionsResponse(options=options)

    server = grpc.server(ThreadPoolExecutor(1))
    beam_job_api_pb2_grpc.add_JobServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None)


def test_the_defaults_on_flink_are_streaming_restarts_and_all_free_slots():
    with flink_server(task_managers=[(1, 1), (1, 0), (1, 1)], jobs={"a": ("another", "RUNNING")}) as cluster:
        engine = on_flink(cluster)
    assert (engine.name, engine.address, engine.rest_address) == ("Flink 1.19.3", cluster.address, cluster.address)
    assert (engine.slots, engine.job_name, engine.warnings) == (2, "gritmill-1f", ())
    assert (engine.environment, engine.command, engine.job_endpoint) == ("PROCESS", WORKER, "")
    assert added(engine) == [
        *PROCESS,
        "--job_name=gritmill-1f",
        "--flink_version=1.19",
        "--parallelism=2",
        "--streaming",
        "--number_of_execution_retries=10",
        "--execution_retry_delay=5000",
    ]
    PipelineOptions(list(engine.arguments))


def test_what_the_user_gives_stays():
    given = ["--parallelism=1", "--number_of_execution_retries=3", "--execution_retry_delay=1", "--job_name=mine"]
    with flink_server() as cluster:
        engine = on_flink(cluster, "--streaming", "--flink_version=1.19", *given)
    assert added(engine) == [*PROCESS, "--streaming", "--flink_version=1.19", *given, "--job_name=mine-1f"]
    assert engine.slots == 1


@pytest.mark.parametrize("name", ["--job_name=mine", "--job_name mine"])
def test_two_calls_with_one_job_name_have_two_jobs(name):
    with flink_server() as cluster:
        engine, other = (connect([*on_flink(cluster).arguments, *name.split()], run_id) for run_id in ("1f", "2f"))
        assert (engine.job_name, other.job_name) == ("mine-1f", "mine-2f")
        assert PipelineOptions(list(engine.arguments)).get_all_options()["job_name"] == "mine-1f"
        assert connect(engine.arguments, "1f").job_name == "mine-1f"
        cluster.jobs = {"a": (engine.job_name, "RUNNING"), "b": (other.job_name, "RUNNING")}
        assert cancel_flink_job(cluster.address, engine.job_name) == 1


def test_without_an_environment_the_engine_starts_the_command_beside_this_python(tmp_path, monkeypatch):
    worker = tmp_path / "gritmill-worker"
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with flink_server() as cluster:
        line = refused_by_flink(cluster, environment=())
        assert line.startswith(f"--environment_type: the worker command {worker} does not exist on ")
        assert socket.gethostname() in line
        worker.touch()
        assert "is not executable" in refused_by_flink(cluster, environment=())
        worker.chmod(0o755)
        engine = on_flink(cluster, environment=())
        arguments = engine.arguments
        assert (engine.environment, engine.command) == ("PROCESS", str(worker))
        assert "--environment_type=PROCESS" in arguments
        assert f"--environment_config={json.dumps({'command': str(worker)})}" in arguments


def test_a_command_needs_no_environment_type():
    with flink_server() as cluster:
        assert PROCESS[0] in on_flink(cluster, environment=PROCESS[1:]).arguments
        line = refused_by_flink(cluster, environment=['--environment_config={"command": "/nowhere/worker"}'])
        assert line.startswith("--environment_config: the worker command /nowhere/worker does not exist on ")


def test_a_command_on_the_path_of_the_driver_is_refused_with_its_full_path(tmp_path, monkeypatch):
    worker = tmp_path / "gritmill-worker"
    worker.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with flink_server() as cluster:
        line = refused_by_flink(cluster, environment=['--environment_config={"command": "gritmill-worker"}'])
    assert line.endswith(f'the worker command gritmill-worker is no full path; write {{"command": "{worker}"}}')


def test_a_command_is_not_looked_for_if_workers_start_elsewhere():
    with flink_server() as cluster:
        elsewhere = {"taskmanagers": [{"path": "pekko.tcp://flink@192.0.2.7:6122/user", "slotsNumber": 1}]}
        answer = cluster.answer
        cluster.answer = lambda m, path: (200, elsewhere) if path == "/taskmanagers" else answer(m, path)
        environment = ["--environment_type=PROCESS", '--environment_config={"command": "/nowhere/gritmill-worker"}']
        assert on_flink(cluster, environment=environment).slots == 2


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        (
            ["--environment_type=PROCESS", '--environment_config={"command": "/nowhere/worker"}'],
            "--environment_config: the worker command /nowhere/worker does not exist on ",
        ),
        (["--environment_type=PROCESS", "--environment_config=/bin/sh"], "--environment_config=/bin/sh: write {"),
        (["--environment_config=/bin/sh"], "--environment_config=/bin/sh: write {"),
        (["--environment_type=DOCKER", "--environment_config=/bin/sh"], "--environment_config=/bin/sh: write {"),
        (["--environment_config=gritmill-worker"], "--environment_config=gritmill-worker: write {"),
        (["--environment_type=DOCKER", PROCESS[1]], "--environment_type: Beam's own container has no gritmill; give "),
        (
            ["--environment_config=localhost:50000"],
            "--environment_config=localhost:50000: for a worker pool, add --environment_type=EXTERNAL",
        ),
        (["--environment_type=PROCESS", "--environment_config=[1]"], "--environment_config=[1]: write {"),
        (
            ['--environment_config={"command": "gritmill-work"}'],
            "--environment_config: the worker command gritmill-work is no full path; write"
            ' {"command": "/path/of/gritmill-worker"}',
        ),
        (
            ["--environment_type=PROCESS", "--environment_option=process_command=bin/worker"],
            "--environment_config: the worker command bin/worker is no full path; write",
        ),
        (["--environment_type=PROCESS"], '--environment_config=: write {"command": "/path/of/gritmill-worker"}'),
        (["--environment_type=DOCKER"], "--environment_type: Beam's own container has no gritmill; give "),
        (["--sdk_container_image=image"], "--sdk_container_image: only Dataflow reads this option; give "),
    ],
)
def test_workers_without_gritmill_are_refused(environment, line):
    with flink_server() as cluster:
        assert refused_by_flink(cluster, environment=environment).startswith(line)


def test_a_worker_pool_that_is_not_there_is_refused():
    with flink_server() as cluster, closed_port() as pool:
        external = ["--environment_type=EXTERNAL", f"--environment_config={pool}"]
        line = refused_by_flink(cluster, environment=external)
        assert line.startswith(f"--environment_config={pool}: nobody answers there (Connection refused)")
        for image in ("my/image", "gritmill:1", "localhost:5000/gritmill"):
            assert on_flink(cluster, environment=[f"--environment_config={image}"]).slots == 2
            environment = ["--environment_type=DOCKER", f"--environment_config={image}"]
            assert on_flink(cluster, environment=environment).environment == "DOCKER"


def test_nobody_at_the_address_of_flink():
    with closed_port() as address:
        line = refused("--runner=FlinkRunner", f"--flink_master={address}", "--job_server_java_launcher=/bin/sh")
    cure = "start Flink, or name the address of its REST interface"
    assert line == f"--flink_master={address}: nobody answers there (Connection refused); {cure}"


def test_another_server_at_the_address_of_flink():
    with flink_server() as cluster:
        cluster.answer = lambda method, path: (200, {"hello": "world"})
        assert refused_by_flink(cluster) == (
            "--flink_master=flink:8081: what answers there is no REST interface of Flink"
        )
        cluster.answer = lambda method, path: (401, {})
        assert refused_by_flink(cluster).startswith("--flink_master=flink:8081: the REST interface answers 401 ")


@pytest.mark.parametrize(
    ("task_managers", "jobs", "options", "line"),
    [
        (
            [(1, 1), (1, 1)],
            {},
            ["--parallelism=8"],
            "--parallelism=8: Flink at flink:8081 has 2 slots, 2 free; start more TaskManagers, or give"
            " --parallelism=2",
        ),
        (
            [(1, 0), (1, 0)],
            {"a": ("another", "RUNNING"), "b": ("old", "FINISHED")},
            [],
            "Flink at flink:8081 has 2 slots, 0 free, used by another; start more TaskManagers, or wait until one is"
            " free",
        ),
        ([], {}, [], "Flink at flink:8081 has no TaskManager: start one per slot"),
        ([], {}, ["--parallelism=2"], "--parallelism=2: Flink at flink:8081 has no TaskManager: start one per slot"),
    ],
)
def test_too_few_slots(task_managers, jobs, options, line, monkeypatch):
    monkeypatch.setattr("pipeline.engines.flink_cluster._SLOT_SECONDS", 0.0)
    with flink_server(task_managers=task_managers, jobs=jobs) as cluster:
        assert refused_by_flink(cluster, *options) == line


def test_slots_of_a_job_that_is_being_cancelled_are_waited_for():
    with flink_server(task_managers=[(1, 0)], jobs={"a": ("gritmill-0e", "CANCELLING")}) as cluster:
        answer, asked = cluster.answer, []

        def later(method, path):
            asked.append(path)
            if asked.count("/jobs/overview") == 2:
                cluster.task_managers, cluster.jobs = [(1, 1)], {"a": ("gritmill-0e", "CANCELED")}
            return answer(method, path)

        cluster.answer = later
        assert on_flink(cluster, "--parallelism=1").slots == 1


@pytest.mark.parametrize(
    "config",
    [
        {"execution.target": "kubernetes-session"},
        {"kubernetes.cluster-id": "gritmill"},
        {"yarn.application.id": "application_1"},
        {"jobmanager.scheduler": "Adaptive"},
        {"scheduler-mode": "reactive"},
    ],
)
def test_a_cluster_that_grows_needs_a_number_of_slots(config, monkeypatch):
    monkeypatch.setattr("pipeline.engines.flink_cluster._SLOT_SECONDS", 0.0)
    with flink_server(task_managers=[], config=config) as cluster:
        assert refused_by_flink(cluster).endswith("say how many slots to use: --parallelism=N")
        engine = on_flink(cluster, "--parallelism=16")
        assert engine.slots == 16
        assert "--parallelism=0" not in engine.arguments


def test_the_version_must_fit():
    with flink_server(version="1.19.3") as cluster:
        assert refused_by_flink(cluster, "--flink_version=2.2") == (
            "--flink_version=2.2: Flink at flink:8081 has version 1.19.3; give --flink_version=1.19, or leave it out"
        )
    with flink_server(version="1.17.2") as cluster:
        line = refused_by_flink(cluster)
        assert line.startswith("Flink at flink:8081 has version 1.17.2; Beam 2.")
        assert "has job servers for 1.19, " in line
        assert on_flink(cluster, "--flink_job_server_jar=/bin/sh").name == "Flink 1.17.2"


def test_the_version_must_fit_also_with_a_jar():
    jar = "--flink_job_server_jar=/bin/sh"
    with flink_server(version="1.19.3") as cluster:
        line = refused_by_flink(cluster, jar, "--flink_version=1.20")
        assert line.endswith("has version 1.19.3; give --flink_version=1.19, or leave it out")
        assert on_flink(cluster, jar, "--flink_version=1.19").name == "Flink 1.19.3"
        with job_server("flink_master") as endpoint:  # which has its version already
            assert on_flink(cluster, f"--job_endpoint={endpoint}", "--flink_version=1.20").name == "Flink 1.19.3"
    with flink_server(version="1.17.2") as cluster:
        line = refused_by_flink(cluster, jar, "--flink_version=1.20")
        assert line.endswith("has version 1.17.2; leave the option out")


def test_batch_mode_needs_restarts_of_the_cluster():
    batch = "--execution_mode_for_batch=PIPELINED"
    with flink_server() as cluster:
        line = refused_by_flink(cluster, batch)
        assert line.startswith("--execution_mode_for_batch: Flink at flink:8081 restarts no batch job")
        assert "--streaming" in on_flink(cluster, batch, "--streaming").arguments
    with flink_server(config={"restart-strategy.type": "fixed-delay"}) as cluster:
        arguments = on_flink(cluster, batch).arguments
        assert not any(word.startswith(("--streaming", "--number_of_execution")) for word in arguments)


def test_what_is_said_at_the_start():
    with flink_server(task_managers=[(2, 2)]) as cluster:
        engine = on_flink(cluster, "--number_of_execution_retries=0")
    assert [line.replace(cluster.address, "flink:8081") for line in engine.start_lines(1)] == [
        "Flink 1.19.3 at flink:8081: 2 slots, 1 range, job gritmill-1f",
        "2 slots for 1 range: 1 will be idle; more and smaller input files, or a larger --limit, make more ranges",
        "a TaskManager has 2 slots, which share one Python process: two run at half the speed; start one TaskManager"
        " per slot (taskmanager.numberOfTaskSlots: 1)",
        "--number_of_execution_retries=0: one lost TaskManager ends the job",
    ]
    assert RemoteEngine("Dataflow", "", "mine", ()).start_lines(2000) == ["Dataflow: 2,000 ranges, job mine"]


def test_java_and_the_jar_must_be_there():
    with flink_server() as cluster:
        flink = ["--runner=FlinkRunner", f"--flink_master={cluster.address}", *PROCESS]
        line = refused(*flink, "--job_server_java_launcher=/nowhere/java")
        assert line.startswith("/nowhere/java: not found, and Beam's job server for FlinkRunner needs it; install Java")
        line = refused(*flink, "--flink_job_server_jar=/nowhere/flink.jar")
        assert line == "--flink_job_server_jar=/nowhere/flink.jar: no such file"
    assert refused("--runner=SparkRunner", "--spark_job_server_jar=/nowhere/spark.jar").startswith("--spark_job_server")


def test_beams_job_server_is_fetched_for_the_version_of_the_cluster(fetched):
    with flink_server(version="1.20.1") as cluster:
        on_flink(cluster)
        on_flink(cluster, "--flink_job_server_jar=/bin/sh")
    connect(["--runner=SparkRunner", "--job_server_java_launcher=/bin/sh"], "1f")
    names = [url.rpartition("/")[2].rpartition("-")[0] for url in fetched]
    assert names == ["beam-runners-flink-1.20-job-server", "", "beam-runners-spark-3-job-server"]


def test_a_job_server_that_cannot_be_fetched_is_refused_with_the_option_that_helps(monkeypatch, tmp_path):
    monkeypatch.undo()

    def unreachable(*_):
        raise URLError(OSError(101, "Network is unreachable"))

    monkeypatch.setattr(JavaJarServer, "_download_jar_to_cache", unreachable)
    with flink_server() as cluster:
        line = refused_by_flink(cluster, f"--jar_cache_dir={tmp_path}")
        cure = "fetch it where there is a network, and name the file with --flink_job_server_jar"
        assert "/org/apache/beam/beam-runners-flink-1.19-job-server/" in line
        assert line.endswith(f": Beam's job server for FlinkRunner cannot be fetched (Network is unreachable); {cure}")
        assert on_flink(cluster, "--flink_job_server_jar=/bin/sh").slots == 2


def test_a_job_server_says_which_engine_it_has():
    retries = ("number_of_execution_retries", "execution_retry_delay")
    with job_server("flink_master", "parallelism", *retries) as endpoint:
        engine = connect(["--runner=PortableRunner", f"--job_endpoint={endpoint}", *PROCESS], "1f")
        assert (engine.name, engine.address, engine.rest_address, engine.slots) == ("Flink", endpoint, "", None)
        assert (engine.job_endpoint, engine.place) == (endpoint, f"Flink at {endpoint}")
        assert connect([*engine.arguments, "--parallelism=8"], "1f").slots == 8
        assert "--streaming" in engine.arguments
        assert engine.warnings == ("Flink uses its default parallelism, mostly 1: give --flink_master=HOST:PORT",)
        with flink_server() as cluster:
            master = f"--flink_master={cluster.address}"
            engine = connect(["--runner=PortableRunner", f"--job_endpoint={endpoint}", master, *PROCESS], "1f")
        assert (engine.name, engine.rest_address, engine.slots) == ("Flink 1.19.3", cluster.address, 2)
        assert engine.warnings == ()
    with job_server("spark_master") as endpoint:
        engine = connect(["--runner=PortableRunner", f"--job_endpoint={endpoint}"], "1f")
        assert engine.name == "Spark"
        assert "--environment_type=PROCESS" in engine.arguments
        assert "--streaming" not in engine.arguments
    with job_server("spark_master", "flink_master") as endpoint:
        engine = connect(["--runner=PortableRunner", f"--job_endpoint={endpoint}"], "1f")
        assert engine.name == "Beam's job server"
        engine = connect([*engine.arguments, "--spark_master_url=spark://spark:7077"], "1f")
        assert engine.name == "Spark"


def test_a_job_server_says_which_options_it_has():
    with job_server("flink_master", "its_own_option") as endpoint:
        portable = ["--runner=PortableRunner", f"--job_endpoint={endpoint}", *PROCESS]
        assert "--its_own_option=1" in connect([*portable, "--its_own_option=1"], "1f").arguments
        line = refused(*portable, "--its_own_optoin=1")
        assert line == "--its_own_optoin=1: no such Beam option; did you mean --its_own_option?"
        line = refused(*portable, "--nonsense")
        who = f"Beam's job server at {endpoint} has none of this name"
        assert line == f"--nonsense: no such Beam option, and {who}"


def test_beams_python_job_service_needs_a_choice_and_has_no_deadline():
    with job_server() as endpoint:
        arguments = ["--runner=PortableRunner", f"--job_endpoint={endpoint}"]
        assert refused(*arguments) == (
            "--environment_type: Beam's own container has no gritmill; give --environment_type=LOOPBACK (workers in"
            " this process) or EXTERNAL, or an image in --environment_config"
        )
        engine = connect([*arguments, "--environment_type=LOOPBACK"], "1f")
        assert engine.name == "Beam's job service"
        timeout = GivenOptions(PipelineOptions(list(engine.arguments))).portable.job_server_timeout
        assert timeout > 300 * 86_400
        engine = connect([*arguments, "--environment_type=LOOPBACK", "--job_server_timeout=60"], "1f")
        assert GivenOptions(PipelineOptions(list(engine.arguments))).portable.job_server_timeout == 60


def test_nobody_or_another_server_at_the_job_endpoint():
    with closed_port() as endpoint:
        assert refused("--runner=PortableRunner", f"--job_endpoint={endpoint}") == (
            f"--job_endpoint={endpoint}: nobody answers there (Connection refused); start Beam's job server, or correct"
            " the address"
        )
        with job_server() as there:
            line = refused("--runner=PortableRunner", f"--job_endpoint={there}", f"--artifact_endpoint={endpoint}")
            assert line.startswith(f"--artifact_endpoint={endpoint}: nobody answers there")
    with flink_server() as cluster:
        line = refused("--runner=PortableRunner", f"--job_endpoint={cluster.address}")
        assert line == f"--job_endpoint={cluster.address}: what answers there is no job server of Beam"


def test_spark():
    java = "--job_server_java_launcher=/bin/sh"
    with closed_port() as master:
        line = refused("--runner=SparkRunner", f"--spark_master_url=spark://{master}", java)
        assert line.startswith(f"--spark_master_url=spark://{master}: nobody answers there (Connection refused)")
    with flink_server() as there:
        engine = connect(["--runner=SparkRunner", f"--spark_master_url=spark://{there.address}", java, *PROCESS], "1f")
        assert (engine.name, engine.address) == ("Spark", f"spark://{there.address}")
        assert engine.arguments[-1] == "--job_name=gritmill-1f"
        # Workers start on the executors, of which the master says nothing.
        elsewhere = ["--environment_type=PROCESS", '--environment_config={"command": "/only/there/worker"}']
        engine = connect(
            ["--runner=SparkRunner", f"--spark_master_url=spark://{there.address}", java, *elsewhere], "1f"
        )
        assert elsewhere[1] in engine.arguments


@pytest.mark.parametrize(
    "runner", ["--runner=FlinkRunner", "--runner=SparkRunner", "--runner=PrismRunner", "--runner=PortableRunner"]
)
def test_an_engine_that_beam_starts_for_the_job_keeps_beams_workers(runner):
    arguments = [
        runner,
        *(["--flink_master=[local]"] if "Flink" in runner else []),
        "--job_server_java_launcher=/bin/sh",
        *(["--job_endpoint=embed"] if "Portable" in runner else []),
    ]
    engine = connect(arguments, "1f")
    assert engine.arguments == (*arguments, "--job_name=gritmill-1f")


def test_an_engine_without_its_address_is_refused():
    assert refused("--runner=FlinkRunner", "--flink_job_server_jar=/bin/sh") == (
        "--runner=FlinkRunner: no cluster; give --flink_master=HOST:PORT, or [local] for a Flink on this machine that"
        " ends with the job"
    )
    line = refused("--runner=PortableRunner")
    assert line == "--runner=PortableRunner: give the job server, --job_endpoint=HOST:PORT"


def test_dataflow_needs_an_image():
    assert refused("--runner=DataflowRunner") == (
        "--runner=DataflowRunner: Dataflow's own container has no gritmill; give --sdk_container_image=IMAGE with an"
        " image that has it, see docs/cluster.md"
    )
    engine = connect(["--runner=DataflowRunner", "--sdk_container_image=my/image"], "1f")
    assert engine.name == "Dataflow"
    assert (Path(__file__).parents[3] / "docs" / "cluster.md").exists()
