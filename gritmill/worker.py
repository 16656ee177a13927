"""The entry point of `gritmill-worker`: see `pipeline/engines/engine_worker.py`."""

from typing import Any, NoReturn

from pipeline.engines import engine_worker


def main() -> NoReturn:
    """Runs a worker of an engine."""
    engine_worker.main(checks=[_check_models])


def _check_models(run: Any) -> None:
    from pipeline.ground.check_models import check_models  # seconds

    check_models(run)
