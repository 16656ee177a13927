import pytest

from transforms.isolation.child_process import ChildProcess


@pytest.fixture
def child():
    one = ChildProcess()
    yield one
    one.close()
