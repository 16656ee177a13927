import fcntl
import gc
import os
import resource
import sys

import pytest
from hypothesis import HealthCheck, settings

from tests import once

gc.disable()  # until all modules are imported, which makes it a tenth faster

# Set before transformers is imported: tests do not query a hub, and only tests write to the screen.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

# Set before torch is imported: two test processes with two threads each would mostly wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples on every machine, also on slow ones.
settings.register_profile("suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("check", settings.get_profile("suite"), max_examples=25)
settings.load_profile("suite")

MODELS = {"grounding_dino", "mm_grounding_dino", "parser"}


def pytest_collection_modifyitems(items):
    """Adds the marker `model` to all tests that use a model fixture, directly or indirectly."""
    for item in items:
        if MODELS & set(getattr(item, "fixturenames", ())):
            item.add_marker("model")


def pytest_collection_finish():
    gc.enable()


@pytest.hookimpl(trylast=True)  # after xdist has waited for its workers
def pytest_sessionfinish(session):
    """Reports the cost of the suite: processor seconds, user and system, of this process and its children."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and not hasattr(session.config, "workerinput"):
        spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        seconds = sum(usage.ru_utime + usage.ru_stime for usage in spent)
        reporter.write_line(f"\n{seconds:.0f} processor seconds")


@pytest.fixture(scope="module", autouse=True)
def _settled():
    once.settle()


@pytest.fixture
def short_settling(monkeypatch):
    """Shortens the wait for the lock of an object store from 2 s to 0.2 s. No two runs may start together in a test."""
    monkeypatch.setattr("pipeline.files.lock._SETTLE_SECONDS", 0.2)


@pytest.fixture
def install(tmp_path_factory, monkeypatch):
    """Installs a package `mine` with entry points, each as `name = module:value`, until the test ends."""
    from transforms.text import dialects

    def installed(group, *entries):
        site = tmp_path_factory.mktemp("site")
        folder = site / "mine-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text("\n".join([f"[{group}]", *entries]))
        monkeypatch.setattr(sys, "path", [str(site), *sys.path])
        dialects.find.cache_clear()

    yield installed
    dialects.find.cache_clear()


def _made_once(tmp_path_factory, name, make):
    """The folder that `make` fills. All processes of the suite share it: the first one that asks makes it."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / name).exists():
            make(folder / f"{name}.part").rename(folder / name)
    return folder / name


@pytest.fixture(scope="session")
def grounding_dino(tmp_path_factory):
    """Folder of a tiny detector with random weights."""
    from tests.tiny_models import make_grounding_dino

    return _made_once(tmp_path_factory, "grounding-dino", make_grounding_dino)


@pytest.fixture(scope="session")
def mm_grounding_dino(tmp_path_factory):
    """Folder of a tiny detector of the model class MM Grounding DINO."""
    from tests.tiny_models import make_grounding_dino

    return _made_once(
        tmp_path_factory, "mm-grounding-dino", lambda folder: make_grounding_dino(folder, "mm-grounding-dino")
    )


@pytest.fixture(scope="session")
def parser(tmp_path_factory):
    """Folder of a tiny English spaCy pipeline with a parser."""
    import pipeline.ground.graph  # noqa: F401  imports Beam, so that `once` patches it before the first run
    import transforms.phrases.parser  # noqa: F401
    from tests.tiny_models import make_parser

    once.settle()
    return _made_once(tmp_path_factory, "parser", make_parser)
