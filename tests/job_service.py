"""Beam's own job service and a worker pool, in a process of their own: an engine outside of the driver.

The workers are threads of this process, so a driver can be killed while its job goes on. The service goes on with a
job that is cancelled, as Flink does.
"""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def running():
    """Yields Beam's options for this engine. It ends with the block, or with the process that started it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.job_service"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            job_endpoint, pool = process.stdout.readline().split()
            yield [
                "--runner=PortableRunner",
                f"--job_endpoint={job_endpoint}",
                "--environment_type=EXTERNAL",
                f"--environment_config={pool}",
            ]
        finally:
            process.kill()


def main():
    """Serves until standard input ends, on free ports, which it prints."""
    from apache_beam.runners.portability.local_job_service import LocalJobServicer
    from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer

    port = LocalJobServicer().start_grpc_server(0)
    pool, _ = BeamFnExternalWorkerPoolServicer.start()
    print(f"localhost:{port} {pool}", flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
