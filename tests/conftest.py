import os
import resource

import pytest
from hypothesis import HealthCheck, settings

from tests import once

# Before transformers is imported: no test asks a hub for anything, and nothing but tests writes to the screen.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

# Before torch is imported: two processes of the suite with two threads each would mostly wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples on every machine, however slow it is.
settings.register_profile("suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("check", settings.get_profile("suite"), max_examples=25)
settings.load_profile("suite")

MODELS = {"grounding_dino", "mm_grounding_dino", "parser"}


def pytest_collection_modifyitems(items):
    """Marks what asks for a model that a fixture makes, by whatever way, as `model`."""
    for item in items:
        if MODELS & set(getattr(item, "fixturenames", ())):
            item.add_marker("model")


@pytest.hookimpl(trylast=True)  # xdist has waited for its workers by then
def pytest_sessionfinish(session):
    """Says what the suite cost: seconds of all processors, user and system, of this process and all that it started."""
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
    """A folder of an object store is held after a fifth of a second, not after two: no two runs start together here."""
    monkeypatch.setattr("pipeline.files.lock._SETTLE_SECONDS", 0.2)


@pytest.fixture(scope="session")
def grounding_dino(tmp_path_factory):
    """Folder of a tiny detector with random weights."""
    from tests.tiny_models import make_grounding_dino

    return make_grounding_dino(tmp_path_factory.mktemp("grounding-dino"))


@pytest.fixture(scope="session")
def mm_grounding_dino(tmp_path_factory):
    """Folder of a tiny detector of the other model class."""
    from tests.tiny_models import make_grounding_dino

    return make_grounding_dino(tmp_path_factory.mktemp("mm-grounding-dino"), "mm-grounding-dino")


@pytest.fixture(scope="session")
def parser(tmp_path_factory):
    """Folder of a tiny English spaCy pipeline with a parser."""
    import pipeline.ground.graph  # noqa: F401  with Beam: what `once` changes is changed before the first run
    import transforms.phrases.parser  # noqa: F401
    from tests.tiny_models import make_parser

    once.settle()
    return make_parser(tmp_path_factory.mktemp("parser"))
