"""How the web process serves: few processes with threads, short graceful stop, logs on standard error."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

from bitgoeul.site import logs
from bitgoeul.site.env import load_env
from bitgoeul.site.supervisor import PR_SET_PDEATHSIG, libc_prctl, run_folder

# Each process keeps its counts in files here; they must be named before the first metric is made.
_env = load_env()
_metrics: Path = run_folder(_env.home) / "metrics"
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_metrics)

worker_class = "gthread"
workers = min(2, os.cpu_count() or 1)
threads = 8
# The code is read once and shared; reading it in every worker is most of what a start costs.
preload_app = True
timeout = 60
graceful_timeout = 5
keepalive = 5
errorlog = "-"
logconfig_dict = logs.config(_env.log_level)
control_socket_disable = True
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - heartbeats never wait for a disk
# The portal takes files up to its own limit and streams them; headers and lines stay small.
limit_request_line = 4094

_prctl = libc_prctl()


def on_starting(_server: Any) -> None:
    """Begin the counts anew; those of processes that are gone would be added for ever."""
    shutil.rmtree(_metrics, ignore_errors=True)
    _metrics.mkdir(parents=True, exist_ok=True)


def when_ready(_server: Any) -> None:
    """Refuse to serve on a database of another form."""
    from bitgoeul.site.schema import require_current

    require_current("web")


def child_exit(_server: Any, worker: Any) -> None:
    """Forget a dead worker's gauges; its counters stay in the sums."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def post_fork(server: Any, worker: Any) -> None:
    """A worker dies with its arbiter, also when that is killed with -9."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != server.pid:
        os._exit(1)
    from django.db import connections

    # A SQLite connection that crosses a fork corrupts the database; nothing should have opened one yet.
    connections.close_all()
