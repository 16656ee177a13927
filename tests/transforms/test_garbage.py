import gc
from contextlib import suppress

import pytest

from tests import once
from transforms import garbage
from transforms.garbage import importing


@pytest.fixture(autouse=True)
def _thawed(monkeypatch):
    monkeypatch.setattr(garbage, "_own", False)  # tests of the command have made this process its own
    with once.thawed():
        yield
        gc.unfreeze()


@pytest.mark.parametrize("enabled", [True, False])
def test_within_the_block_nothing_is_collected_and_after_it_as_before(enabled):
    during = []
    (gc.enable if enabled else gc.disable)()
    try:
        with suppress(ImportError), importing():
            with importing():  # of a package in another one, or in another thread
                pass
            during.append(gc.isenabled())
            raise ImportError
        assert (during, gc.isenabled()) == ([False], enabled)
    finally:
        gc.enable()


def test_objects_that_were_imported_are_hidden_only_in_a_process_that_nobody_else_uses(monkeypatch):
    threshold = gc.get_threshold()
    with importing():
        pass
    assert gc.get_freeze_count() == 0
    try:
        garbage.own_process()
        assert gc.get_threshold()[0] >= garbage.COLLECT_AFTER
        with importing():
            imported = []
        assert not any(imported is young for young in gc.get_objects())
        most = gc.get_freeze_count() / 2  # other threads may give some back
        with garbage.frozen():
            assert gc.get_freeze_count() > most
        assert gc.get_freeze_count() > most  # for the next pipeline
    finally:
        gc.set_threshold(*threshold)


def test_what_the_caller_has_frozen_stays_frozen():
    gc.freeze()
    hidden = gc.get_freeze_count()
    with importing(), garbage.frozen():
        pass
    assert gc.get_freeze_count() > hidden / 2
