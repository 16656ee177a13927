"""The entry point of `gritmill-worker`: see `pipeline/engines/engine_worker.py`."""

from typing import Any, NoReturn

from pipeline.engines import engine_worker


def main() -> NoReturn:
    """Runs a worker of an engine."""
    engine_worker.main(checks=[_check_worker])


def _check_worker(run: Any) -> None:
    from pipeline.ground.check_worker import check_worker  # seconds

    check_worker(run)
