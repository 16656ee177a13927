import shutil

import pytest

from tests.gritmill.validation.repacking import packed


@pytest.fixture(scope="session")
def whole(tmp_path_factory, parser):
    """A run with several shards and chunks. Tests must not change it."""
    return packed(tmp_path_factory.mktemp("shards"), parser)


@pytest.fixture
def copy(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "out")
    return tmp_path / "out"
